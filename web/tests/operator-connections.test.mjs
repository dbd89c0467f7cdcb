import assert from "node:assert/strict";
import { test } from "node:test";
import { Connections } from "../core/operator/connections.js";
import { readLine } from "../core/operator/line.js";

const ID = "golden-eagle-427";
const line = (fields) => readLine({ id: 1, function: "session", time: 0, line: JSON.stringify({ level: "INFO", connectionId: "c=", sessionId: ID, ...fields }) });
const report = (sessionId, ...connections) => ({ sessions: [{ sessionId, connections }] });

test("a line that went well says which connection is in which session", () => {
  const connections = new Connections();

  assert.equal(connections.sessionOf("c="), "");
  assert.ok(connections.takeLine(line({})));
  assert.ok(!connections.takeLine(line({})), "it is not new");
  assert.equal(connections.sessionOf("c="), ID);
});

for (const [name, fields] of [
  ["was refused", { level: "WARN", errorCode: "SESSION_NOT_FOUND" }],
  ["failed", { level: "ERROR" }],
  ["names no connection", { connectionId: "" }],
  ["names no session", { sessionId: "" }],
]) {
  test(`a line that ${name} says nothing`, () => {
    const connections = new Connections();

    assert.ok(!connections.takeLine(line(fields)));
    assert.deepEqual([connections.sessionOf("c="), connections.sessionOf("")], ["", ""]);
  });
}

test("a report says it of all who take part", () => {
  const connections = new Connections();

  assert.ok(connections.takeReport(report(ID, "speaker=", "listener=")));
  assert.ok(!connections.takeReport(report(ID, "speaker=", "listener=")));
  assert.ok(connections.takeReport(report(ID, "speaker=", "another=")));
  assert.deepEqual(["speaker=", "listener=", "another="].map((one) => connections.sessionOf(one)), [ID, ID, ID]);
});

test("a connection that takes part in another session later is in that one", () => {
  const connections = new Connections();
  connections.takeLine(line({}));

  assert.ok(connections.takeLine(line({ sessionId: "calm-otter-118" })));
  assert.equal(connections.sessionOf("c="), "calm-otter-118");
});

test("what is kept is bounded", () => {
  const connections = new Connections();
  connections.takeReport(report(ID, ...Array.from({ length: 30_001 }, (_, i) => `${i}=`)));

  assert.deepEqual(["0=", "1=", "30000="].map((one) => connections.sessionOf(one)), ["", ID, ID]);
});
