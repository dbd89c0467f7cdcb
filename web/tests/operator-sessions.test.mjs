import assert from "node:assert/strict";
import { test } from "node:test";
import { delayText, duration, interpreterText, listenersText, lostText, speakerState } from "../core/operator/sessions.js";

const NOW = 1_000_000;
const SESSION = { awaySince: null, state: { isPaused: false, isMuted: false }, lastAudioAt: NOW - 100, delayMs: null, listeners: [{ language: "de", count: 2, paused: 1 }], interpreters: [], refused: 0, notPassedOn: 0, notDelivered: 0 };

for (const [change, text, isBad] of [
  [{}, "live", false],
  [{ state: { isPaused: true, isMuted: true } }, "paused", false],
  [{ state: { isPaused: false, isMuted: true } }, "muted", false],
  [{ awaySince: NOW - 65_000, state: { isPaused: true, isMuted: false } }, "away for 1 min 5 s", true],
  [{ lastAudioAt: null }, "live, no sound yet", false],
  [{ lastAudioAt: NOW - 12_500 }, "live, no sound for 12 s", true],
  [{ lastAudioAt: NOW - 12_500, listeners: [{ language: "de", count: 1, paused: 1 }] }, "live", false],
]) {
  test(`a speaker is ${text}: ${JSON.stringify(change)}`, () => assert.deepEqual(speakerState({ ...SESSION, ...change }, NOW), { text, isBad }));
}

test("the delay is known while somebody listens", () => {
  assert.equal(delayText({ ...SESSION, delayMs: { p50: 18, p95: 476 } }), "18 ms, p95 476 ms");
  assert.equal(delayText(SESSION), "nothing came");
  assert.equal(delayText({ ...SESSION, listeners: [] }), "nobody listens");
});

test("an interpreter without a sign is said to be, and the speaker's own language is for captions", () => {
  assert.equal(interpreterText({ language: "de", seenAt: NOW - 9_000 }, "en", NOW), "German");
  assert.equal(interpreterText({ language: "de", seenAt: NOW - 12_000 }, "en", NOW), "German, no sign for 12 s");
  assert.equal(interpreterText({ language: "en", seenAt: NOW }, "en", NOW), "Captions (English)");
});

test("listeners are counted by language", () => {
  assert.equal(listenersText([{ language: "de", count: 2, paused: 1 }, { language: "es", count: 1, paused: 0 }]), "German 2 (1 paused), Spanish 1");
  assert.equal(listenersText([]), "");
});

test("what was lost is said in parts", () => {
  assert.equal(lostText(SESSION), "nothing");
  assert.equal(lostText({ ...SESSION, refused: 1, notPassedOn: 2, notDelivered: 3 }), "1 refused, 2 not passed on, 3 not delivered");
});

for (const [ms, text] of [[-5, "0 s"], [59_999, "59 s"], [60_000, "1 min 0 s"], [3_599_000, "59 min 59 s"], [3_660_000, "1 h 1 min"]]) {
  test(`${ms} ms are ${text}`, () => assert.equal(duration(ms), text));
}
