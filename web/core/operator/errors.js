/**
 * The last errors, by what they are: how often each came, and what to do about it.
 *
 * @import { Line } from "./line.js"
 *
 * @typedef {object} Seen
 * @property {string} code empty if the error has none
 * @property {string} sentence
 * @property {string} advice
 * @property {number} time of the last one
 * @property {number} count
 * @property {string} where who had the last one
 * @property {string} sessionId of the last one
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
    this.#add(line.errorCode, line.errorCode ? sentenceOf(line.errorCode) : line.message, line.time, where, line.sessionId);
    return true;
  }

  /** Take what a person on this page was told. @param {{ code: string, message: string }} problem @param {number} time */
  addShown({ code, message }, time) {
    this.#add(code, message, time, "shown on this page", "");
  }

  /** Newest first. @returns {Seen[]} */
  all() {
    return [...this.#kinds.values()].reverse();
  }

  /** @param {string} code @param {string} sentence @param {number} time @param {string} where @param {string} sessionId */
  #add(code, sentence, time, where, sessionId) {
    const key = `${code} ${sentence.slice(0, 200)}`;
    const count = (this.#kinds.get(key)?.count ?? 0) + 1;
    this.#kinds.delete(key);
    this.#kinds.set(key, { code, sentence, advice: adviceOf(code), time, count, where, sessionId });
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

/** Return what an operator does about an error. @param {string} code */
export function adviceOf(code) {
  const row = rowOf(code);
  if (row === null) return "Open its row in the log: the lines and the stack say where it came from.";
  if (code === "INTERNAL_CONFIGURATION_ERROR") return "Correct the settings of the function that is named. Clients cannot do anything.";
  if (row.status >= 500) return `Open its row in the log and read the stack. ${row.retryable ? "Clients try again by themselves." : ""}`.trim();
  if (row.status === 429) return "Usually nothing: the client waits, and tries again. If many have it, raise the limit.";
  if (row.retryable) return "Usually nothing: the client tries again.";
  return "Usually nothing here: the client has to send something else.";
}
