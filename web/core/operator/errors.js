/**
 * The last errors, by what they are: how often each came, and what to do about it.
 *
 * @import { Connections } from "./connections.js"
 * @import { Line } from "./line.js"
 *
 * @typedef {object} Seen
 * @property {string} code empty if the error has none
 * @property {string} sentence
 * @property {string} advice
 * @property {number} time of the last one
 * @property {number} count
 * @property {string} where who had the last one
 * @property {string} sessionId of the last one: that its line names, else that of its connection, if it is known
 * @property {string} connectionId of the last one
 */

import { ERRORS } from "../../protocol/messages.js";
import { LEVELS } from "./line.js";

const MAX_KINDS = 6;

export class LastErrors {
  /** The newest last. @type {Map<string, Seen>} */
  #kinds = new Map();

  /** Take a line's error, if it has one; return whether it has. @param {Line} line */
  add(line) {
    if (!line.errorCode && LEVELS.indexOf(line.level) < LEVELS.indexOf("ERROR")) return false;
    const where = [line.source, line.action].filter(Boolean).join(", ");
    this.#add(line.errorCode, line.errorCode ? sentenceOf(line.errorCode) : line.message, line.time, where, line);
    return true;
  }

  /** Take what a person on this page was told. @param {{ code: string, message: string }} problem @param {number} time */
  addShown({ code, message }, time) {
    this.#add(code, message, time, "shown on this page", { sessionId: "", connectionId: "" });
  }

  /** Give those without a session that of their connection. @param {Connections} connections */
  nameSessions(connections) {
    for (const [key, seen] of this.#kinds) {
      const sessionId = connections.sessionOf(seen.connectionId);
      if (seen.sessionId === "" && sessionId !== "") this.#kinds.set(key, { ...seen, sessionId });
    }
  }

  /** Newest first. @returns {Seen[]} */
  all() {
    return [...this.#kinds.values()].reverse();
  }

  /** @param {string} code @param {string} sentence @param {number} time @param {string} where @param {{ sessionId: string, connectionId: string }} ids */
  #add(code, sentence, time, where, { sessionId, connectionId }) {
    const key = `${code} ${sentence.slice(0, 200)}`;
    const count = (this.#kinds.get(key)?.count ?? 0) + 1;
    this.#kinds.delete(key);
    this.#kinds.set(key, { code, sentence, advice: adviceOf(code), time, count, where, sessionId, connectionId });
    for (const old of this.#kinds.keys()) {
      if (this.#kinds.size <= MAX_KINDS) break;
      this.#kinds.delete(old);
    }
  }
}

/** @param {string} code */
function rowOf(code) {
  return Object.hasOwn(ERRORS, code) ? ERRORS[/** @type {keyof typeof ERRORS} */ (code)] : null;
}

/** Return an error's sentence; the code itself for one that the system does not declare. @param {string} code */
export function sentenceOf(code) {
  return rowOf(code)?.sentence ?? code;
}

/** Of codes about which more is to be said than their status says. */
const ADVICE = new Map([
  ["INTERNAL_CONFIGURATION_ERROR", "Correct the settings of the function that is named. Clients cannot do anything."],
  ["INTERNAL_DATABASE_ERROR", "Open its row in the log: the stack has DynamoDB’s own error. If it throttles, wait or raise the table’s limits. Clients try again by themselves."],
  ["SESSION_NOT_FOUND", "The name is wrong, the session has ended, or the key is wrong: whoever asks is not told which. Compare the name with the sessions above; else the speaker sends the link again."],
  ["SESSION_LANGUAGE_TAKEN", "The sessions above show who interprets this language. Another one can when they leave, give no sign for 10 seconds, or are removed by the speaker. The page and the command tell the interpreter, and do not try again."],
  ["SESSION_MAX_LISTENERS_REACHED", "The session is full. Listeners come in when others leave, or when MAX_LISTENERS_PER_SESSION is raised."],
  ["RATE_LIMIT_EXCEEDED", "Usually nothing: the reason in its row says what there was too much of. If people who share an address have it, raise RATE_LIMIT_FAILED_JOINS or RATE_LIMIT_CONNECTIONS."],
]);

/** Return what an operator does about an error. @param {string} code */
export function adviceOf(code) {
  const [row, own] = [rowOf(code), ADVICE.get(code)];
  if (own !== undefined) return own;
  if (row === null) return "Open its row in the log: the lines and the stack say where it came from.";
  if (row.status >= 500) return `Open its row in the log and read the stack. ${row.retryable ? "Clients try again by themselves." : ""}`.trim();
  if (row.status === 429) return `Usually nothing: the client waits, and tries again. If many have it, raise ${code}.`;
  if (row.retryable) return "Usually nothing: the client tries again.";
  return "Usually nothing here: the client has to send something else. The reason stands in its row.";
}
