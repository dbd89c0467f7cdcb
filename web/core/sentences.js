/**
 * Says what happened to the person to whom it happened, and what to do next.
 *
 * @import { Person } from "./invitation.js"
 *
 * @typedef {{ code: string, message: string, retryAfterMs?: number }} Told a problem, as a `Problem` is
 */

const ENDINGS_FOR_SPEAKER = new Map([
  ["speakerEnded", "You ended the session."],
  ["speakerDisconnected", "You were away for too long, and the session ended. Start a new one."],
  ["expired", "The session reached its longest time. Start a new one."],
]);
const ENDINGS_FOR_OTHERS = new Map([
  ["speakerEnded", "The speaker ended the session."],
  ["speakerDisconnected", "The speaker is gone, and did not come back."],
  ["expired", "The session reached its longest time."],
]);

/** Return why a session ended. @param {Person} view @param {string} reason */
export function endingOf(view, reason) {
  const endings = view === "speak" ? ENDINGS_FOR_SPEAKER : ENDINGS_FOR_OTHERS;
  return endings.get(reason) ?? `The session ended: ${reason}.`;
}

/**
 * Return a problem in words for a person who could not join. Of a private session nobody learns but with its key: one
 * that is not there has the same code.
 *
 * @param {Told} problem
 */
export function whyNotJoined({ code, message, retryAfterMs = 0 }) {
  if (code === "SESSION_NOT_FOUND") {
    const next = "If you were given a link, open it again: a page that was loaded anew has lost the key of a private session.";
    return { code, message: `There is no such session, or the key is wrong. ${next}` };
  }
  if (code !== "RATE_LIMIT_EXCEEDED" || retryAfterMs === 0) return { code, message };
  const sentence = "Too many wrong names or keys came from your network, perhaps not from you.";
  return { code, message: `${sentence} Try again in ${secondsOf(retryAfterMs)} s.` };
}

/** Return a problem in words, without its code, for a person who could not become an interpreter. @param {Told} problem @param {string} language its name */
export function whyNotInterpreter(problem, language) {
  const { code } = problem;
  if (code === "SESSION_LANGUAGE_TAKEN") {
    return { message: `Somebody else interprets into ${language} now. Choose another language, or try again when they have left.` };
  }
  if (code !== "SESSION_NOT_FOUND") return { message: whyNotJoined(problem).message };
  const next = "Ask the speaker for the link for interpreters: it is another one after an interpreter was removed.";
  return { message: `There is no such session, or the key is wrong. ${next}` };
}

/** Return a problem in words for a person who could not begin a session. @param {Told} problem */
export function whyNotBegun({ code, message, retryAfterMs = 0 }) {
  if (code !== "RATE_LIMIT_SESSION_CREATION" || retryAfterMs === 0) return { code, message };
  const sentence = "Too many sessions were begun from your network within a minute, perhaps not by you.";
  return { code, message: `${sentence} Try again in ${secondsOf(retryAfterMs)} s.` };
}

/** @param {number} ms */
function secondsOf(ms) {
  return Math.ceil(ms / 1000);
}
