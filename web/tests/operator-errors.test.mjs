import assert from "node:assert/strict";
import { test } from "node:test";
import { Connections } from "../core/operator/connections.js";
import { LastErrors, adviceOf, sentenceOf } from "../core/operator/errors.js";
import { readLine } from "../core/operator/line.js";
import { ERRORS } from "../protocol/messages.js";

const line = (fields, time = 5000) => readLine({ id: 1, function: "session", time, line: JSON.stringify({ component: "Session", ...fields }) });

test("errors of one kind are one entry, the newest first", () => {
  const errors = new LastErrors();
  errors.add(line({ level: "WARN", errorCode: "AUTH_INVALID_ROLE" }));
  errors.add(line({ level: "ERROR", message: "It broke" }));
  errors.add(line({ level: "WARN", errorCode: "AUTH_INVALID_ROLE", operation: "endSession", sessionId: "golden-eagle-427" }, 9000));

  const [role, broken] = errors.all();
  assert.deepEqual([role.code, role.count, role.time, role.where, role.sessionId], ["AUTH_INVALID_ROLE", 2, 9000, "Session, endSession", "golden-eagle-427"]);
  assert.deepEqual([broken.code, broken.sentence, broken.count], ["", "It broke", 1]);
});

test("a line that went well is none", () => {
  const errors = new LastErrors();

  assert.ok(!errors.add(line({ level: "INFO", message: "Message handled" })));
  assert.ok(!errors.add(line({ level: "WARN", message: "ALLOWED_ORIGINS is empty" })));
  assert.deepEqual(errors.all(), []);
});

test("what this page showed a person is one, too", () => {
  const errors = new LastErrors();
  errors.addShown({ code: "SESSION_NOT_FOUND", message: "There is no such session." }, 5000);

  assert.deepEqual(errors.all().map(({ sentence, where }) => [sentence, where]), [["There is no such session.", "shown on this page"]]);
});

test("only so many kinds are kept, the latest", () => {
  const errors = new LastErrors();
  for (let i = 0; i < 10; i++) errors.add(line({ level: "ERROR", message: `kind ${i}` }));

  assert.deepEqual(errors.all().map(({ sentence }) => sentence), [9, 8, 7, 6, 5, 4].map((i) => `kind ${i}`));
});

test("an error that names no session is in that of its connection, once it is known", () => {
  const [errors, connections] = [new LastErrors(), new Connections()];
  errors.add(line({ level: "ERROR", errorCode: "INTERNAL_DATABASE_ERROR", connectionId: "c=" }));
  connections.takeLine(line({ message: "Message handled", connectionId: "c=", sessionId: "golden-eagle-427" }));
  errors.nameSessions(connections);

  assert.deepEqual(errors.all().map(({ sessionId, count }) => [sessionId, count]), [["golden-eagle-427", 1]]);
});

for (const [code, words] of [
  ["SESSION_NOT_FOUND", /the key is wrong/],
  ["SESSION_LANGUAGE_TAKEN", /do not try again/],
  ["AUDIO_INVALID_ENCODING", /client has to send something else/],
  ["RATE_LIMIT_AUDIO_CHUNKS", /raise RATE_LIMIT_AUDIO_CHUNKS/],
  ["INTERNAL_SERVER_ERROR", /read the stack. Clients try again/],
]) {
  test(`what to do about ${code}`, () => assert.match(adviceOf(code), words));
}

test("every code has a sentence and an advice, and so has one that nobody knows", () => {
  for (const code of [...Object.keys(ERRORS), "QUIZ_CLOSED", "__proto__", ""]) assert.match(adviceOf(code), /\.$/, code);
  assert.equal(sentenceOf("AUDIO_INVALID_ENCODING"), "The audio encoding is not valid");
  assert.equal(sentenceOf("QUIZ_CLOSED"), "QUIZ_CLOSED");
});
