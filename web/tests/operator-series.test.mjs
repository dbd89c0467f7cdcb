import assert from "node:assert/strict";
import { test } from "node:test";
import { Series } from "../core/operator/series.js";

test("a count is added up second by second, and is zero where nothing came", () => {
  const series = new Series();
  series.add({ name: "A", unit: "Count", values: [1, 2] }, 59_100);
  series.add({ name: "A", unit: "Count", values: [3] }, 59_900);

  assert.deepEqual(series.sums(61_500).slice(-3), [0, 6, 0]);
  assert.equal(series.sums(61_500).length, 60);
  assert.equal(series.last, 3);
});

test("the second that has just begun is left out", () => {
  const series = new Series();
  series.add({ name: "A", unit: "Count", values: [1] }, 60_100);

  assert.equal(series.sums(60_900).at(-1), 0);
  assert.equal(series.sums(61_000).at(-1), 1);
});

test("values that are alike are exact in every percentile", () => {
  const series = new Series();
  series.add({ name: "B", unit: "Bytes", values: [3200, 3200, 3200] }, 59_100);

  assert.deepEqual(series.percentiles(60_500), { p50: 3200, p95: 3200, p99: 3200 });
  assert.deepEqual(series.percentilesOfSeconds(60_500, 0.5).slice(-2), [null, 3200]);
});

test("percentiles are of the whole minute, at most 4 % beside the true ones", () => {
  const series = new Series();
  for (let i = 1; i <= 1000; i++) series.add({ name: "B", unit: "Milliseconds", values: [i] }, 10_000 + (i % 40) * 1000);
  const { p50, p95, p99 } = series.percentiles(60_000);

  for (const [found, wanted] of [[p50, 500], [p95, 950], [p99, 990]]) assert.ok(Math.abs(found - wanted) <= wanted * 0.04, `${found} for ${wanted}`);
});

test("zero, less than zero and what is huge are values, too", () => {
  const series = new Series();
  series.add({ name: "B", unit: "Milliseconds", values: [0, 0, -5, 1e15] }, 59_100);

  assert.equal(series.percentiles(60_000).p99, 1e15);
});

test("a metric is empty when nothing was measured in the minute, or only zeros were counted", () => {
  const [count, time] = [new Series(), new Series()];
  count.add({ name: "A", unit: "Count", values: [0] }, 59_100);
  time.add({ name: "B", unit: "Milliseconds", values: [0] }, 59_100);

  assert.deepEqual([count.isEmpty(60_000), time.isEmpty(60_000), time.isEmpty(160_000)], [true, false, true]);
  assert.equal(time.percentiles(160_000), null);
});
