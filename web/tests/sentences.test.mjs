import assert from "node:assert/strict";
import { test } from "node:test";
import { endingOf, whyNotBegun, whyNotInterpreter, whyNotJoined } from "../core/sentences.js";

for (const [view, reason, sentence] of [
  ["speak", "speakerEnded", "You ended the session."],
  ["listen", "speakerEnded", "The speaker ended the session."],
  ["speak", "speakerDisconnected", "You were away for too long, and the session ended. Start a new one."],
  ["interpret", "speakerDisconnected", "The speaker is gone, and did not come back."],
  ["listen", "constructor", "The session ended: constructor."],
]) {
  test(`${reason} is said to those who ${view}`, () => {
    assert.equal(endingOf(view, reason), sentence);
  });
}

test("who finds no session learns what a reload takes", () => {
  const { code, message } = whyNotJoined({ code: "SESSION_NOT_FOUND", message: "Session not found" });

  assert.equal(code, "SESSION_NOT_FOUND");
  assert.match(message, /^There is no such session, or the key is wrong\. If you were given a link, open it again/);
});

test("who has to wait learns how long, and that it may be others' fault", () => {
  const joined = whyNotJoined({ code: "RATE_LIMIT_EXCEEDED", message: "At most 10", retryAfterMs: 44_001 });
  const begun = whyNotBegun({ code: "RATE_LIMIT_SESSION_CREATION", message: "At most 5", retryAfterMs: 60_000 });

  assert.match(joined.message, /from your network, perhaps not from you\. Try again in 45 s\.$/);
  assert.match(begun.message, /from your network within a minute, perhaps not by you\. Try again in 60 s\.$/);
});

test("who cannot interpret learns what to do", () => {
  const taken = whyNotInterpreter({ code: "SESSION_LANGUAGE_TAKEN", message: "taken" }, "German");
  const unknown = whyNotInterpreter({ code: "SESSION_NOT_FOUND", message: "Session not found" }, "German");
  const limited = whyNotInterpreter({ code: "RATE_LIMIT_EXCEEDED", message: "At most 10", retryAfterMs: 44_001 }, "German");

  assert.deepEqual(taken, { message: "Somebody else interprets into German now. Choose another language, or try again when they have left." });
  assert.match(unknown.message, /the key is wrong\. Ask the speaker for the link for interpreters/);
  assert.match(limited.message, /Try again in 45 s\.$/);
  assert.deepEqual([unknown.code, limited.code], [undefined, undefined]);
});

test("all else is said as it came", () => {
  const problem = { code: "TIMEOUT", message: "No answer came" };

  assert.deepEqual([whyNotJoined(problem), whyNotBegun(problem)], [problem, problem]);
});
