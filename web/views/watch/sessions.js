/**
 * The sessions that run, a row each: who speaks, who interprets, who listens, how late it is, and what was lost.
 *
 * @import { Filter } from "../../core/operator/filter.js"
 * @import { SessionReport, SessionsReport } from "../../core/operator/sessions.js"
 */

import { delayText, duration, interpreterText, listenersText, lostText, speakerState } from "../../core/operator/sessions.js";
import { element, make } from "../dom.js";
import { filterOfPress, nameButton } from "./rows.js";

const COLUMNS = ["Session", "Since", "Speaker", "Interpreters", "Listeners", "Delay", "Lost"];
/** A report comes each second. */
const OLD_MS = 5_000;

/** @param {(wanted: Partial<Filter>) => void} filterBy */
export function sessionsView(filterBy) {
  const place = element("sessions", HTMLTableSectionElement);
  const none = element("sessions-none", HTMLParagraphElement);
  /** @type {Map<string, HTMLTableRowElement>} */
  let rows = new Map();
  /** @type {SessionsReport | null} */
  let report = null;
  let isDrawn = false;

  place.addEventListener("click", ({ target }) => {
    const wanted = filterOfPress(target);
    if (wanted !== null) filterBy(wanted);
  });

  /** @param {number} now */
  function draw(now) {
    if (report === null) return;
    const { time, sessions } = report;
    element("sessions-part", HTMLDivElement).hidden = sessions.length === 0;
    const text = noteOf(report, now);
    none.hidden = text === "";
    if (none.textContent !== text) none.textContent = text;
    if (isDrawn) return;
    isDrawn = true;
    const before = rows;
    rows = new Map(sessions.map((session) => [session.sessionId, before.get(session.sessionId) ?? newRow(session.sessionId)]));
    for (const [id, row] of before) if (!rows.has(id)) row.remove();
    for (const session of sessions) {
      const row = /** @type {HTMLTableRowElement} */ (rows.get(session.sessionId));
      if (!row.isConnected) place.append(row);
      update(row, session, time);
    }
  }

  return {
    draw,
    /** @param {SessionsReport} fresh */
    take(fresh) {
      report = fresh;
      isDrawn = false;
    },
  };
}

/** @param {SessionsReport} report @param {number} now */
function noteOf({ time, isOld, more, sessions }, now) {
  if (time === 0) return "The tables do not answer.";
  if (isOld || now - time > OLD_MS) return `The tables do not answer: this is from ${duration(now - time)} ago.`;
  if (sessions.length === 0) return "No session runs now.";
  return more > 0 ? `And ${more} that began earlier.` : "";
}

/** @param {string} id */
function newRow(id) {
  const cells = COLUMNS.slice(1).map((name) => make("td", { "data-label": name }));
  return make("tr", {}, make("th", { scope: "row" }, nameButton("session", id)), ...cells);
}

/** @param {HTMLTableRowElement} row @param {SessionReport} session @param {number} now */
function update(row, session, now) {
  const [since, speaker, interpreters, listeners, delay, lost] = [...row.children].slice(1);
  const { text, isBad } = speakerState(session, now);
  set(since, clock(session.createdAt));
  set(speaker, text, isBad ? "bad" : "", nameButton("connection", session.speaker));
  const names = session.interpreters.map((one) => `${interpreterText(one, session.sourceLanguage, now)} ${one.connection}`);
  if (interpreters && interpreters.getAttribute("data-shown") !== names.join()) {
    interpreters.setAttribute("data-shown", names.join());
    const parts = session.interpreters.map((one) => make("div", {}, interpreterText(one, session.sourceLanguage, now), " ", nameButton("connection", one.connection)));
    interpreters.replaceChildren(...(parts.length > 0 ? parts : ["none"]));
  }
  set(listeners, listenersText(session.listeners) || "none");
  set(delay, delayText(session));
  const words = lostText(session);
  set(lost, words, words === "nothing" ? "" : "bad");
}

/** @param {Element | undefined} cell @param {string} text @param {string} name of its class @param {...Node} more */
function set(cell, text, name = "", ...more) {
  const known = [text, ...more.map((node) => node.textContent)].join(" ");
  if (!cell || cell.getAttribute("data-shown") === known) return;
  cell.setAttribute("data-shown", known);
  cell.className = name;
  cell.replaceChildren(text, ...more.flatMap((node) => [" ", node]));
}

/** @param {number} time */
function clock(time) {
  return new Date(time).toLocaleTimeString(undefined, { hour12: false });
}
