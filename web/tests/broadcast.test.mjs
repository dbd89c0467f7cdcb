import assert from "node:assert/strict";
import { test } from "node:test";
import { afterMessage, loudnessOf } from "../core/broadcast.js";

const LIVE = { isPaused: false, isMuted: false, volume: 1 };
const STATE = { isPaused: true, isMuted: true, volume: 0.5 };

for (const [type, fields, before, after] of [
  ["broadcastPaused", {}, LIVE, { ...LIVE, isPaused: true }],
  ["broadcastResumed", {}, STATE, { ...STATE, isPaused: false }],
  ["broadcastMuted", {}, LIVE, { ...LIVE, isMuted: true }],
  ["broadcastUnmuted", {}, STATE, { ...STATE, isMuted: false }],
  ["volumeChanged", { volumeLevel: 0.5 }, LIVE, { ...LIVE, volume: 0.5 }],
  ["broadcastControl", STATE, LIVE, STATE],
  ["speakerStateChanged", { broadcastState: STATE }, LIVE, STATE],
  ["sessionStatus", { broadcastState: STATE }, LIVE, STATE],
  ["languageChanged", { targetLanguage: "fr" }, STATE, STATE],
]) {
  test(`the broadcast after ${type}`, () => {
    assert.deepEqual(afterMessage(before, { type, timestamp: 1, ...fields }), after);
  });
}

test("a muted speaker is not heard, and an interpreter may finish", () => {
  assert.equal(loudnessOf(STATE, "floor"), 0);
  assert.equal(loudnessOf(STATE, "de"), 0.5);
  assert.equal(loudnessOf({ ...LIVE, volume: 0.5 }, "floor"), 0.5);
});
