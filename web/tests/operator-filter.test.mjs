import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_FILTER, passes, readFilter, watchAddress, whatIsNoFilter } from "../core/operator/filter.js";
import { Groups } from "../core/operator/groups.js";
import { readLine } from "../core/operator/line.js";

const ID = "31c1d2ff-61ef-4fb8-bcda-5200106af28a";
const GROUP = new Groups().add(readLine({
  id: 1, function: "f", time: 0,
  line: JSON.stringify({ level: "WARN", component: "SessionHandler", message: "Message refused", operation: "joinSession", requestId: ID, sessionId: "golden-eagle-427", connectionId: "abc=", errorCode: "SESSION_NOT_FOUND", context: { role: "speaker" } }),
}));

for (const [name, wanted, shows] of [
  ["nothing is asked for", {}, true],
  ["all parts agree", { session: " golden ", connection: "abc", level: "WARN", action: "join", text: "refused" }, true],
  ["the function is named", { action: "sessionhandler" }, true],
  ["the code is in a line", { text: "not_found" }, true],
  ["a field is in a line", { text: "SPEAKER" }, true],
  ["the invocation is named", { text: ID }, true],
  ["the level is higher", { level: "ERROR" }, false],
  ["it is another session", { session: "silver" }, false],
  ["it is another connection", { connection: "x" }, false],
  ["it is another action", { action: "sendAudio" }, false],
  ["the text is not there", { text: "elsewhere" }, false],
]) {
  test(`a row is ${shows ? "shown" : "left out"} when ${name}`, () => {
    assert.equal(passes(GROUP, { ...NO_FILTER, ...wanted }), shows);
  });
}

test("a filter stands in the address, and is read from it", () => {
  const filter = { session: "golden-eagle-427", connection: "JFXaf8sksoyqyYU=", level: "ERROR", action: "$connect", text: ID };
  const address = watchAddress(filter);

  assert.equal(address, `#watch?session=golden-eagle-427&connection=JFXaf8sksoyqyYU%3D&level=ERROR&action=%24connect&text=${ID}`);
  assert.deepEqual(readFilter(address.slice("#watch?".length)), filter);
  assert.equal(watchAddress(NO_FILTER), "#watch");
});

// threat: crafted-link
test("what may be a key is not in the address of the log", () => {
  for (const [name, value] of [
    ["session", "abcdefgh2345"], ["session", "golden-eagle-427/abcdefgh2345"], ["connection", "FhD7I8Y8Bp_D40xr8Tnx6A"], ["level", "LOUD"],
    ["action", "abcdefgh2345"], ["text", "abcdefgh2345"], ["text", "my secret key"], ["text", "a".repeat(100_000)], ["key", "short"],
  ]) {
    assert.deepEqual(readFilter(new URLSearchParams({ [name]: value }).toString()), NO_FILTER, name);
    assert.equal(watchAddress({ ...NO_FILTER, [name]: value }), "#watch", name);
  }
});

for (const [query, filter, words] of [
  ["level=error", { level: "ERROR" }, /^$/],
  ["session=golden&text=timeout", { session: "golden", text: "timeout" }, /^$/],
  ["", {}, /^$/],
  ["level=BOGUS", {}, /the level is none of INFO, WARN, ERROR\.$/],
  ["level=DEBUG", {}, /the level is none of/],
  ["session=%zz&level=WARN", { level: "WARN" }, /the session could be a key, or is none\.$/],
  ["connection=a/b", {}, /the connection could be a key, or is none/],
  ["text=abcdefgh2345&session=Golden", {}, /the session could .*; the text could/],
  ["key=abcdefgh2345", {}, /there are only session, connection, level, action, text\.$/],
]) {
  test(`what is no filter of "${query}" is said, and the rest filters`, () => {
    assert.deepEqual(readFilter(query), { ...NO_FILTER, ...filter });
    assert.match(whatIsNoFilter(query), words);
    assert.doesNotMatch(whatIsNoFilter(query), /abcdefgh2345/);
  });
}

test("what is shorter than any key may stand there", () => {
  assert.equal(watchAddress({ ...NO_FILTER, text: "timeout", session: "golden" }), "#watch?session=golden&text=timeout");
});
