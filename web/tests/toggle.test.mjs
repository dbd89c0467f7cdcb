import assert from "node:assert/strict";
import { test } from "node:test";
import { Toggle } from "../core/toggle.js";

const BROKEN = Object.assign(new Error("The connection broke."), { code: "CONNECTION_LOST" });
const REFUSED = Object.assign(new Error("Too fast."), { code: "RATE_LIMIT_CONTROL_MESSAGES" });
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A system that answers when the test says so. */
function system() {
  const asked = [];
  const ask = (isOn) => new Promise((resolve, reject) => asked.push({ isOn, resolve, reject }));
  return { asked, ask };
}

test("what the person wants holds before the system has answered", async () => {
  const { asked, ask } = system();
  const mute = new Toggle(ask);
  const wanted = mute.want(true);

  assert.equal(mute.isOn, true);
  asked[0].resolve();
  await wanted;
  assert.deepEqual([mute.isOn, asked.length], [true, 1]);
});

test("off holds only once the system agrees", async () => {
  const { asked, ask } = system();
  const mute = new Toggle(ask, true);
  const wanted = mute.want(false);

  assert.deepEqual([mute.isOn, mute.isWanted], [true, false]);
  asked[0].resolve();
  await wanted;
  assert.equal(mute.isOn, false);
});

test("on is asked for again when the connection that broke is there again", async () => {
  const { asked, ask } = system();
  const mute = new Toggle(ask);
  const wanted = mute.want(true);
  asked[0].reject(BROKEN);
  await wanted;
  assert.equal(mute.isOn, true);

  const agreed = mute.agree(false);
  asked[1].resolve();
  await agreed;
  assert.deepEqual([mute.isOn, asked.map(({ isOn }) => isOn)], [true, [true, true]]);
});

test("what nobody could be asked during a break is asked after it", async () => {
  const { asked, ask } = system();
  const pause = new Toggle(ask, true);
  const wanted = pause.want(false);
  asked[0].reject(BROKEN);
  await wanted;

  const again = pause.retry();
  asked[1].resolve();
  await again;
  assert.equal(pause.isOn, false);
});

test("the last of several wishes is asked for, one at a time", async () => {
  const { asked, ask } = system();
  const mute = new Toggle(ask);
  void mute.want(true);
  void mute.want(false);
  void mute.want(true);
  void mute.want(false);
  asked[0].resolve();
  await settle();
  asked[1].resolve();
  await settle();

  assert.deepEqual([mute.isOn, asked.map(({ isOn }) => isOn)], [false, [true, false]]);
});

test("on that is refused stays on here, and the refusal is thrown", async () => {
  const { asked, ask } = system();
  const mute = new Toggle(ask);
  const wanted = assert.rejects(mute.want(true), REFUSED);
  asked[0].reject(REFUSED);

  await wanted;
  assert.equal(mute.isOn, true);
});

test("off that is refused is given up: nobody is on air against the system's word", async () => {
  const { asked, ask } = system();
  const mute = new Toggle(ask, true);
  const wanted = assert.rejects(mute.want(false), REFUSED);
  asked[0].reject(REFUSED);

  await wanted;
  assert.deepEqual([mute.isOn, mute.isWanted], [true, true]);
});

test("a system that agrees is not asked", async () => {
  const { asked, ask } = system();
  const mute = new Toggle(ask);
  await mute.agree(false);
  await mute.want(false);

  assert.equal(asked.length, 0);
});
