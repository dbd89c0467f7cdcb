import assert from "node:assert/strict";
import { test } from "node:test";
import { LevelHistory, adviceOn } from "../core/sound/level.js";

/** A hundred samples of which some, half of them below zero, are as loud. @param {number} db of full scale @param {number} count */
function peaksOf(db, count = 2) {
  return Float32Array.from({ length: 100 }, (_, i) => (i < count ? (-1) ** i * 10 ** (db / 20) : 0.001));
}

for (const [db, word] of [
  [0, "Too loud"],
  [-0.9, "Too loud"],
  [-1.1, "Good"],
  [-29.9, "Good"],
  [-30.1, "Quiet"],
  [-53.9, "Quiet"],
  [-54.1, "No sound"],
  [-60, "No sound"],
]) {
  test(`${db} dB of full scale: ${word}`, () => {
    assert.equal(new LevelHistory().take(peaksOf(db), 0), word);
  });
}

test("a single peak in a hundred samples is not too loud", () => {
  assert.equal(new LevelHistory().take(peaksOf(0, 1), 0), "Good");
});

test("silence is no sound", () => {
  assert.equal(new LevelHistory().take(new Float32Array(100), 0), "No sound");
});

test("no samples are no sound", () => {
  assert.equal(new LevelHistory().take(new Float32Array(0), 0), "No sound");
});

test("a word stays for the three seconds between two sentences", () => {
  const history = new LevelHistory();
  history.take(peaksOf(-12), 1_000);

  assert.equal(history.take(peaksOf(-90), 3_999), "Good");
  assert.equal(history.take(peaksOf(-90), 4_000), "No sound");
});

test("each word comes with another advice", () => {
  assert.equal(new Set(["Good", "Quiet", "Too loud", "No sound"].map(adviceOn)).size, 4);
});
