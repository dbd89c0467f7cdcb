import assert from "node:assert/strict";
import { test } from "node:test";
import { Series, passes, readLine } from "../core/operator.js";

const read = (line) => readLine({ id: 1, function: "session", time: 5000, line: typeof line === "string" ? line : JSON.stringify(line) });

test("a log line shows what it is about, and keeps the rest", () => {
  const line = read({
    timestamp: "2026-01-01T00:00:00.250Z", level: "WARN", component: "Session", message: "Slow",
    sessionId: "golden-eagle-427", connectionId: "c=", durationMs: 7, context: { role: "speaker" },
  });

  assert.equal(line.time, 1767225600250);
  assert.deepEqual([line.level, line.source, line.message], ["WARN", "Session", "Slow"]);
  assert.deepEqual([line.sessionId, line.connectionId], ["golden-eagle-427", "c="]);
  assert.deepEqual(line.fields, { durationMs: 7, context: { role: "speaker" } });
  assert.equal(line.stack, "");
});

test("an error has its stack, and ends in what it was", () => {
  const line = read({ level: "ERROR", message: "m", errorCode: "INTERNAL_SERVER_ERROR", error: { type: "E", message: "no", stack: ["File a", "File b"] } });

  assert.equal(line.stack, "File a\nFile b\nE: no");
  assert.equal(line.errorCode, "INTERNAL_SERVER_ERROR");
});

test("metrics are read in all three forms, once each, and are no fields", () => {
  const line = read({
    _aws: { CloudWatchMetrics: [
      { Dimensions: [["Handler"], []], Metrics: [{ Name: "A", Unit: "Count" }, { Name: "B", Unit: "Bytes" }] },
      { Dimensions: [[]], Metrics: [{ Name: "C", Unit: "Milliseconds" }, { Name: "A", Unit: "Count" }, { Name: "gone" }] },
    ] },
    A: 2, B: [1, 3], C: { Values: [5, 6], Counts: [2, 1] }, Handler: "audio",
  });

  assert.deepEqual(line.measurements, [
    { name: "A", unit: "Count", values: [2] },
    { name: "B", unit: "Bytes", values: [1, 3] },
    { name: "C", unit: "Milliseconds", values: [5, 5, 6] },
  ]);
  assert.deepEqual(line.fields, { Handler: "audio" });
});

for (const odd of ["START RequestId: 1", "[1]", "null", '"x"', "{", '{"level":1,"message":{},"error":7,"_aws":3}', '{"_aws":{"CloudWatchMetrics":[null,{"Metrics":[null]}]}}']) {
  test(`anything can be read: ${odd}`, () => {
    const line = read(odd);

    assert.equal(line.level, "INFO");
    assert.equal(line.time, 5000);
    assert.equal(line.source, "session");
    assert.deepEqual(line.measurements, []);
  });
}

test("a line passes when all parts of the filter agree", () => {
  const line = read({ level: "WARN", sessionId: "golden-eagle-427", connectionId: "abc=" });
  const filter = { session: "", connection: "", level: "" };

  assert.ok(passes(line, filter));
  assert.ok(passes(line, { session: " golden ", connection: "abc", level: "WARN" }));
  assert.ok(!passes(line, { ...filter, level: "ERROR" }));
  assert.ok(!passes(line, { ...filter, session: "silver" }));
  assert.ok(!passes(line, { ...filter, connection: "x" }));
});

test("a count is added up second by second, and is zero where nothing came", () => {
  const series = new Series();
  series.add({ name: "A", unit: "Count", values: [1, 2] }, 59_100);
  series.add({ name: "A", unit: "Count", values: [3] }, 59_900);

  assert.deepEqual(series.lastMinute(60_500).slice(-3), [0, 6, 0]);
});

test("a measure is its mean, and nothing where nothing came", () => {
  const series = new Series();
  series.add({ name: "B", unit: "Milliseconds", values: [10, 20] }, 59_100);

  const shown = series.lastMinute(60_500);
  assert.equal(shown.length, 60);
  assert.deepEqual(shown.slice(-3), [null, 15, null]);
});
