import assert from "node:assert/strict";
import { test } from "node:test";
import { Connections } from "../core/operator/connections.js";
import { Groups, sharedFields } from "../core/operator/groups.js";
import { readLine } from "../core/operator/line.js";

let id = 0;
const line = (fields) => readLine({ id: ++id, function: "session", time: 5000, line: JSON.stringify({ level: "INFO", component: "Session", ...fields }) });
const METRICS = { message: "Metrics", _aws: { CloudWatchMetrics: [{ Metrics: [{ Name: "A", Unit: "Count" }] }] }, A: 1 };

test("lines of one invocation are one row, which says what came of it", () => {
  const groups = new Groups();
  groups.add(line({ requestId: "i-1", message: "Looking", operation: "part" }));
  groups.add(line({ requestId: "i-2", message: "Message handled", operation: "heartbeat", durationMs: 1 }));
  groups.add(line({ requestId: "i-1", ...METRICS }));
  groups.add(line({ requestId: "i-1", message: "Message handled", operation: "joinSession", durationMs: 42, sessionId: "golden-eagle-427", connectionId: "c=" }));
  const [second, first] = groups.all();

  assert.equal(groups.all().length, 2);
  assert.deepEqual([first.action, first.outcome, first.durationMs, first.level], ["joinSession", "ok", 42, "INFO"]);
  assert.deepEqual([first.sessionId, first.connectionId, first.lines.length], ["golden-eagle-427", "c=", 3]);
  assert.equal(second.action, "heartbeat");
});

test("a refused message has its code and why", () => {
  const group = new Groups().add(line({ requestId: "i", level: "WARN", message: "Message refused", operation: "x", durationMs: 1, errorCode: "AUTH_INVALID_ROLE", context: { reason: "Not you" } }));

  assert.deepEqual([group.outcome, group.errorCode, group.reason, group.level], ["refused", "AUTH_INVALID_ROLE", "Not you", "WARN"]);
});

test("the worst line makes the outcome, and a later one does not mend it", () => {
  const groups = new Groups();
  groups.add(line({ requestId: "i", level: "ERROR", message: "Message failed", errorCode: "INTERNAL_SERVER_ERROR", error: { type: "E", message: "no" } }));
  const group = groups.add(line({ requestId: "i", level: "WARN", message: "Message refused", errorCode: "AUTH_INVALID_ROLE", durationMs: 3 }));

  assert.deepEqual([group.outcome, group.level, group.errorCode, group.reason], ["failed", "ERROR", "AUTH_INVALID_ROLE", "Message failed: E: no"]);
});

test("a line of no invocation is a row of its own, called by its message", () => {
  const groups = new Groups();
  groups.add(line({ message: "ALLOWED_ORIGINS is empty", level: "WARN" }));
  groups.add(line({ message: "It broke", level: "ERROR" }));
  const [broken, note] = groups.all();

  assert.deepEqual([note.action, note.outcome, note.level], ["ALLOWED_ORIGINS is empty", "note", "WARN"]);
  assert.deepEqual([broken.outcome, broken.reason], ["failed", "It broke"]);
});

test("a row without a session is in that of its connection, once it is known", () => {
  const [groups, connections] = [new Groups(), new Connections()];
  groups.add(line({ requestId: "i-1", message: "Message failed", level: "ERROR", connectionId: "c=" }));
  groups.add(line({ requestId: "i-2", message: "Message refused", level: "WARN", connectionId: "c=", sessionId: "calm-otter-118" }));
  groups.add(line({ requestId: "i-3", message: "Message handled", connectionId: "other=" }));
  connections.takeLine(line({ message: "Message handled", connectionId: "c=", sessionId: "golden-eagle-427" }));
  const named = groups.nameSessions(connections);

  assert.deepEqual(named.map(({ key }) => key), ["i-1"]);
  assert.deepEqual(groups.all().map(({ sessionId }) => sessionId), ["", "calm-otter-118", "golden-eagle-427"]);
  assert.deepEqual(groups.nameSessions(connections), []);
});

test("a row says that the function had to start", () => {
  const groups = new Groups();
  groups.add(line({ requestId: "i-1", message: "Message handled", coldStart: true }));
  groups.add(line({ requestId: "i-2", message: "Message handled", coldStart: false }));

  assert.deepEqual(groups.all().map(({ isColdStart }) => isColdStart), [false, true]);
});

test("what all lines of an invocation say alike is said once, and text has no part in it", () => {
  const group = new Groups().add(line({ requestId: "i", message: "Looking", service: "s", coldStart: true, where: 1, context: {}, long: "x".repeat(61) }));
  group.lines.push(line({ requestId: "i", ...METRICS, service: "s", coldStart: true, where: 2, context: {}, long: "x".repeat(61) }));
  group.lines.push(readLine({ id: 9, function: "f", time: 0, line: "printed" }));

  assert.deepEqual(sharedFields(group), { service: "s", coldStart: true });
  assert.deepEqual(sharedFields({ ...group, lines: [] }), {});
});

test("metrics alone have no row", () => {
  const groups = new Groups();

  assert.equal(groups.add(line({ requestId: "i", ...METRICS })), null);
  assert.equal(groups.add(line({ ...METRICS })), null);
  assert.deepEqual(groups.all(), []);
});

test("what is kept is bounded", () => {
  const groups = new Groups();
  for (let i = 0; i < 1100; i++) groups.add(line({ requestId: `i-${i}`, message: "m" }));
  for (let i = 0; i < 150; i++) groups.add(line({ requestId: "i-1099", message: `${i}` }));

  assert.equal(groups.all().length, 1000);
  assert.equal(groups.all()[0].lines.length, 100);
  assert.equal(groups.all()[0].lines.at(-1).message, "149");
});
