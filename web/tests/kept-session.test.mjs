import assert from "node:assert/strict";
import { test } from "node:test";
import { KeptSession } from "../core/kept-session.js";

const KEPT = { refreshToken: "token", reply: { sessionId: "golden-eagle-427" }, own: { isMuted: true } };

/** A browser with its locks; `copy` is the storage of a tab that was duplicated. */
function browser() {
  const held = new Map();
  const locks = {
    request(id, { signal }, run) {
      if (held.has(id)) {
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
      }
      held.set(id, true);
      return run().finally(() => held.delete(id));
    },
  };
  return { held, tab: (entries = []) => tabOf(locks, held, entries) };
}

function tabOf(locks, held, entries) {
  const map = new Map(entries);
  const storage = { getItem: (name) => map.get(name) ?? null, setItem: (name, text) => map.set(name, text), removeItem: (name) => map.delete(name) };
  const timeouts = [];
  const timeout = () => {
    const controller = new AbortController();
    timeouts.push(controller);
    return controller.signal;
  };
  const newId = () => `id-${held.size}`;
  const kept = (view = "speak") => new KeptSession(view, { storage, locks, timeout, newId });
  return { map, kept, timeouts };
}

test("what was kept is taken when the page before has gone, and stays until it is used", async () => {
  const { held, tab } = browser();
  const { map, kept } = tab();
  const before = kept();
  await before.begin();
  before.keep(KEPT);
  held.clear(); // the page is unloaded

  const after = kept();
  assert.equal(after.isThere, true);
  assert.deepEqual(await after.take(), { id: "id-0", ...KEPT });
  assert.equal(map.size, 1);
  after.forget();
  assert.equal(after.isThere, false);
  assert.equal(await kept().take(), null);
});

test("a duplicated tab does not use the token, and has it no more", async () => {
  const { tab } = browser();
  const original = tab();
  const kept = original.kept();
  await kept.begin();
  kept.keep(KEPT);
  const copy = tab(original.map);
  const taken = copy.kept().take();
  copy.timeouts[0].abort();

  assert.equal(await taken, null);
  assert.equal(copy.map.size, 0);
  assert.equal(original.map.size, 1);
});

test("views keep their sessions apart", async () => {
  const { tab } = browser();
  const { map, kept } = tab();
  for (const view of ["speak", "listen"]) {
    const one = kept(view);
    await one.begin();
    one.keep(KEPT);
  }

  assert.deepEqual([...map.keys()], ["session.speak", "session.listen"]);
});

test("a token that is being used is not there", async () => {
  const { tab } = browser();
  const { map, kept } = tab();
  const one = kept();
  await one.begin();
  one.keep(KEPT);
  one.forget();

  assert.equal(map.size, 0);
});

test("the end leaves nothing, and lets the lock go", async () => {
  const { held, tab } = browser();
  const { map, kept } = tab();
  const one = kept();
  await one.begin();
  one.keep(KEPT);
  one.end();
  one.keep(KEPT);
  await new Promise((resolve) => setImmediate(resolve));

  assert.deepEqual([map.size, held.size], [0, 0]);
});

test("without locks nothing is kept", async () => {
  const map = new Map();
  const storage = { getItem: () => null, setItem: (name, text) => map.set(name, text), removeItem: () => {} };
  const kept = new KeptSession("speak", { storage, locks: undefined, timeout: () => AbortSignal.abort(), newId: () => "id" });
  await kept.begin();
  kept.keep(KEPT);

  assert.equal(map.size, 0);
});

for (const text of ["", "{", "null", "[]", "7", '{"id": 1}', '{"id": "a", "refreshToken": "b", "reply": null, "own": {}}']) {
  test(`what is no session is none: ${text}`, async () => {
    const { tab } = browser();

    assert.equal(await tab([["session.speak", text]]).kept().take(), null);
  });
}
