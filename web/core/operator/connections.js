/**
 * Which connection is in which session. A line often says only the connection: what came before the session was known, or
 * failed before it was read, and every heartbeat. Other lines of the connection say the session, and so does the local
 * run's report.
 *
 * @import { Line } from "./line.js"
 * @import { SessionsReport } from "./sessions.js"
 */

import { LEVELS } from "./line.js";

/** More than the 50 sessions of a report have, with 500 listeners each. */
const MAX_CONNECTIONS = 30_000;

export class Connections {
  /** The session of each, the one that was learned first, first. @type {Map<string, string>} */
  #sessions = new Map();

  /** Return the session of a connection; empty if it is not known. @param {string} connectionId */
  sessionOf(connectionId) {
    return this.#sessions.get(connectionId) ?? "";
  }

  /**
   * Take what a line says, and return whether it is new. What was refused or failed may name a session that its connection
   * never came into.
   *
   * @param {Line} line
   */
  takeLine({ connectionId, sessionId, errorCode, level }) {
    const isSure = errorCode === "" && LEVELS.indexOf(level) < LEVELS.indexOf("ERROR");
    return isSure && connectionId !== "" && sessionId !== "" && this.#take(connectionId, sessionId);
  }

  /** Take what a report says, and return whether any of it is new. @param {SessionsReport} report */
  takeReport({ sessions }) {
    const isNew = sessions.flatMap(({ sessionId, connections }) => connections.map((connection) => this.#take(connection, sessionId)));
    return isNew.includes(true);
  }

  /** @param {string} connectionId @param {string} sessionId */
  #take(connectionId, sessionId) {
    if (this.#sessions.get(connectionId) === sessionId) return false;
    this.#sessions.set(connectionId, sessionId);
    for (const old of this.#sessions.keys()) {
      if (this.#sessions.size <= MAX_CONNECTIONS) break;
      this.#sessions.delete(old);
    }
    return true;
  }
}
