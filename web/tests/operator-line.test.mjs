import assert from "node:assert/strict";
import { test } from "node:test";
import { isOnlyMetrics, readLine } from "../core/operator/line.js";

const ID = "31c1d2ff-61ef-4fb8-bcda-5200106af28a";
const read = (line, invocation = "") =>
  readLine({ id: 1, function: "session", invocation, time: 5000, line: typeof line === "string" ? line : JSON.stringify(line) });

test("a log line shows what it is about, and keeps the rest", () => {
  const line = read({
    timestamp: "2026-01-01T00:00:00.250Z", level: "WARN", component: "Session", message: "Slow", operation: "joinSession", requestId: ID,
    sessionId: "golden-eagle-427", connectionId: "c=", durationMs: 7, correlationId: "r1", context: { role: "speaker" },
  });

  assert.equal(line.time, 1767225600250);
  assert.deepEqual([line.level, line.source, line.message, line.action], ["WARN", "Session", "Slow", "joinSession"]);
  assert.deepEqual([line.sessionId, line.connectionId, line.invocation, line.durationMs], ["golden-eagle-427", "c=", ID, 7]);
  assert.deepEqual(line.fields, { correlationId: "r1", context: { role: "speaker" } });
  assert.equal(line.stack, "");
});

test("an error has its stack, and ends in what it was", () => {
  const line = read({ level: "ERROR", message: "m", errorCode: "INTERNAL_SERVER_ERROR", error: { type: "E", message: "no", stack: ["File a", "File b"] } });

  assert.equal(line.stack, "File a\nFile b\nE: no");
  assert.equal(line.errorCode, "INTERNAL_SERVER_ERROR");
});

test("an error that the runtime writes has its message and its stack", () => {
  const line = read({ level: "ERROR", errorMessage: "no", errorType: "E", requestId: ID, stackTrace: ["  File a\n", 7] });

  assert.deepEqual([line.level, line.message, line.stack, line.fields], ["ERROR", "no", "  File a\n", { errorType: "E", errorMessage: "no" }]);
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
  assert.ok(isOnlyMetrics(line));
  assert.ok(!isOnlyMetrics({ ...line, message: "Message handled" }));
});

for (const [text, level, message, durationMs] of [
  [`START RequestId: ${ID} Version: $LATEST`, "INFO", `START RequestId: ${ID} Version: $LATEST`, null],
  [`REPORT RequestId: ${ID}\tDuration: 3.25 ms\tBilled Duration: 4 ms`, "INFO", `REPORT RequestId: ${ID}\tDuration: 3.25 ms\tBilled Duration: 4 ms`, 3.25],
  [`REPORT RequestId: ${ID}\tDuration: 9 ms\tStatus: timeout`, "ERROR", `REPORT RequestId: ${ID}\tDuration: 9 ms\tStatus: timeout`, 9],
  [{ time: "1970-01-01T00:00:05Z", type: "platform.start", record: { requestId: ID } }, "INFO", "platform.start", null],
  [{ type: "platform.report", record: { requestId: ID, status: "success", metrics: { durationMs: 2.5 } } }, "INFO", "platform.report: success", 2.5],
  [{ type: "platform.report", record: { requestId: ID, status: "timeout", metrics: {} } }, "ERROR", "platform.report: timeout", null],
]) {
  test(`what Lambda says of an invocation belongs to it: ${JSON.stringify(text).slice(0, 60)}`, () => {
    const line = read(text);

    assert.deepEqual([line.invocation, line.level, line.message, line.durationMs, line.time], [ID, level, message, durationMs, 5000]);
  });
}

test("text of several lines is a message and a stack, and belongs to who wrote it", () => {
  const line = read("[ERROR] KeyError: 'x'\nTraceback (most recent call last):\n  File a\n", ID);

  assert.deepEqual([line.level, line.message, line.stack], ["ERROR", "[ERROR] KeyError: 'x'", "Traceback (most recent call last):\n  File a"]);
  assert.equal(line.invocation, ID);
  assert.equal(read("[WARNING] slow").level, "WARN");
  assert.equal(read("Traceback (most recent call last):").level, "ERROR");
});

for (const odd of ["START RequestId: 1", "[1]", "null", '"x"', "{", '{"level":1,"message":{},"error":7,"_aws":3,"durationMs":"7"}', '{"type":"platform.x","record":[]}', '{"_aws":{"CloudWatchMetrics":[null,{"Metrics":[null]}]}}']) {
  test(`anything can be read: ${odd}`, () => {
    const line = read(odd);

    assert.deepEqual([line.level, line.source, line.time, line.durationMs, line.invocation], ["INFO", "session", 5000, null, ""]);
    assert.deepEqual(line.measurements, []);
  });
}
