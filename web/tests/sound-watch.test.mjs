import assert from "node:assert/strict";
import { test } from "node:test";
import { SoundWatch } from "../core/sound/sound-watch.js";

/** Look at a context again and again: `[state, contextTime, now]`. Return what the sound was at each look. */
function watch(...looks) {
  const watch = new SoundWatch(0);
  return looks.map(([state, contextTime, now, hasDevice = true]) => {
    watch.see({ state, contextTime, hasDevice }, now);
    return watch.sound;
  });
}

test("sound starts, and runs when its clock does", () => {
  assert.deepEqual(watch(["suspended", 0, 100], ["running", 0, 200], ["running", 0.01, 300]), ["starting", "starting", "running"]);
});

test("sound that does not start within a second is blocked, until it runs", () => {
  const looks = [["suspended", 0, 1000], ["suspended", 0, 1001], ["running", 0.01, 9000]];

  assert.deepEqual(watch(...looks), ["starting", "blocked", "running"]);
});

for (const state of ["suspended", "interrupted"]) {
  test(`sound that is ${state} after it ran is interrupted at once`, () => {
    assert.deepEqual(watch(["running", 1, 100], [state, 1, 110], ["running", 1.01, 5000]), ["running", "interrupted", "running"]);
  });
}

test("a clock that stands still for longer than 750 ms is an interruption, whatever its state", () => {
  const looks = [["running", 1, 100], ["running", 1, 850], ["running", 1, 851], ["running", 1.1, 900]];

  assert.deepEqual(watch(...looks), ["running", "running", "interrupted", "running"]);
});

test("without a device that is said, and samples are played or not as before", () => {
  const watch = new SoundWatch(0);
  watch.see({ state: "running", contextTime: 1, hasDevice: false }, 100);
  assert.deepEqual([watch.sound, watch.isRendering], ["noDevice", true]);

  watch.see({ state: "suspended", contextTime: 1, hasDevice: false }, 200);
  assert.deepEqual([watch.sound, watch.isRendering], ["noDevice", false]);
});

test("what failed stays failed", () => {
  const watch = new SoundWatch(0);
  watch.fail();
  watch.see({ state: "running", contextTime: 1, hasDevice: true }, 100);

  assert.deepEqual([watch.sound, watch.isRendering], ["failed", false]);
});
