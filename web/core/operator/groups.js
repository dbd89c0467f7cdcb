/**
 * Puts the lines of one invocation together: a group is a row of the log. A line that belongs to no invocation is a
 * group of its own.
 *
 * @import { Connections } from "./connections.js"
 * @import { Line } from "./line.js"
 *
 * @typedef {object} Group
 * @property {string} key
 * @property {number} time when it began
 * @property {string} source the function, or its component
 * @property {string} level the worst of its lines
 * @property {string} action the route or operation, else the function; of a line of its own the message
 * @property {string} sessionId that its lines name, else that of its connection, if it is known
 * @property {string} connectionId
 * @property {string} errorCode
 * @property {string} reason why it was refused or failed; empty if it was not
 * @property {number | null} durationMs
 * @property {boolean} isColdStart it had to wait until the function had started
 * @property {"ok" | "refused" | "failed" | "note"} outcome `note`: no invocation, and nothing failed
 * @property {Line[]} lines in the order in which they came, the newest `MAX_LINES_OF_ONE`
 */

import { LEVELS, isOnlyMetrics } from "./line.js";

const MAX_GROUPS = 1000;
/** An invocation that writes without end is shown by its newest lines. */
const MAX_LINES_OF_ONE = 100;

export class Groups {
  /** Oldest first. @type {Map<string, Group>} */
  #groups = new Map();

  /**
   * Add a line, and return its group; null for one that carries metrics only, if it is the first of its invocation:
   * what was sampled away has no row.
   *
   * @param {Line} line
   */
  add(line) {
    const key = line.invocation || `line ${line.id}`;
    const known = this.#groups.get(key);
    if (known === undefined && isOnlyMetrics(line)) return null;
    const group = known ?? newGroup(key, line);
    if (known === undefined) {
      this.#groups.set(key, group);
      for (const old of this.#groups.keys()) {
        if (this.#groups.size <= MAX_GROUPS) break;
        this.#groups.delete(old);
      }
    }
    take(group, line);
    return group;
  }

  /** Give the groups without a session that of their connection, and return those that got one. @param {Connections} connections */
  nameSessions(connections) {
    const named = [...this.#groups.values()].filter(({ sessionId, connectionId }) => sessionId === "" && connections.sessionOf(connectionId) !== "");
    for (const group of named) group.sessionId = connections.sessionOf(group.connectionId);
    return named;
  }

  /** Newest first. @returns {Group[]} */
  all() {
    return [...this.#groups.values()].reverse();
  }
}

/** @param {string} key @param {Line} line @returns {Group} */
function newGroup(key, { time, source, invocation, message }) {
  const ids = { sessionId: "", connectionId: "", errorCode: "", reason: "" };
  const action = invocation ? source : message;
  return { key, time, source, action, level: "TRACE", ...ids, durationMs: null, isColdStart: false, outcome: invocation ? "ok" : "note", lines: [] };
}

/** @param {Group} group @param {Line} line */
function take(group, line) {
  group.lines.push(line);
  if (group.lines.length > MAX_LINES_OF_ONE) group.lines.shift();
  if (line.fields["coldStart"] === true) group.isColdStart = true;
  if (isOnlyMetrics(line)) return;
  if (LEVELS.indexOf(line.level) > LEVELS.indexOf(group.level)) group.level = line.level;
  group.sessionId ||= line.sessionId;
  group.connectionId ||= line.connectionId;
  // The line about the whole has a duration; others may name a part of it.
  const isAboutAll = line.durationMs !== null;
  if (line.action && (isAboutAll || group.action === group.source)) group.action = line.action;
  if (isAboutAll) group.durationMs = line.durationMs;
  if (line.errorCode && (isAboutAll || group.errorCode === "")) group.errorCode = line.errorCode;
  if (line.errorCode || isError(line)) {
    const isFailure = isError(line) || group.outcome === "failed";
    group.outcome = isFailure ? "failed" : "refused";
    group.reason ||= reasonOf(line);
  }
}

/**
 * Return the short fields that all lines of an invocation have in common: they are said once, and not with each line.
 *
 * @param {Group} group
 * @returns {Record<string, unknown>}
 */
export function sharedFields({ lines }) {
  const [first, ...others] = lines.map(({ fields }) => fields).filter((fields) => Object.keys(fields).length > 0);
  const entries = Object.entries(first ?? {}).filter(([name, value]) => others.every((fields) => fields[name] === value));
  return Object.fromEntries(entries.filter((entry) => isShort(entry[1])));
}

/** @param {unknown} value */
function isShort(value) {
  return typeof value === "number" || typeof value === "boolean" || (typeof value === "string" && value.length <= 60);
}

/** @param {Line} line */
function isError({ level }) {
  return LEVELS.indexOf(level) >= LEVELS.indexOf("ERROR");
}

/** @param {Line} line */
function reasonOf({ fields, message, stack }) {
  const context = /** @type {{ reason?: unknown } | null} */ (fields["context"] ?? null);
  if (typeof context?.reason === "string") return context.reason;
  const last = stack.trimEnd().split("\n").at(-1);
  return last && !message.includes(last) ? `${message}: ${last}` : message;
}
