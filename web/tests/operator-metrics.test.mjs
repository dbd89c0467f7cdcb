import assert from "node:assert/strict";
import { test } from "node:test";
import { axisEnd, isBad, shown, unitOf, wordsOf } from "../core/operator/metrics.js";

test("a metric has a name in words, also one that nobody knows", () => {
  assert.equal(wordsOf("AudioChunksDropped"), "Audio chunks not passed on");
  assert.equal(wordsOf("QuizAnswers2Checked"), "Quiz answers2 checked");
});

test("what counts failures is bad news", () => {
  assert.deepEqual(["MessageFailures", "DynamoDBErrors", "AudioChunksDropped", "RefreshTokensRefused"].map(isBad), [true, true, true, true]);
  assert.deepEqual(["AudioChunksReceived", "ColdStarts", "ListenersNotified"].map(isBad), [false, false, false]);
});

test("a unit is short, and one that is not known stays", () => {
  assert.deepEqual(["Milliseconds", "Bytes", "None", "Gigabits"].map(unitOf), ["ms", "B", "", "Gigabits"]);
});

for (const [value, text] of [[0, "0"], [0.056, "0.056"], [0.01667, "0.017"], [12.345, "12.3"], [5, "5"], [99.99, "100"], [1234.5, "1,235"], [-3, "-3"]]) {
  test(`${value} is shown as ${text}`, () => assert.equal(shown(value), text));
}

for (const [most, end] of [[0, 1], [NaN, 1], [0.03, 0.05], [1, 1], [3, 5], [6, 10], [0.3, 0.5], [1000, 1000], [1001, 2000], [3200, 5000]]) {
  test(`an axis for ${most} ends at ${end}`, () => assert.ok(Math.abs(axisEnd(most) - end) < 1e-9));
}
