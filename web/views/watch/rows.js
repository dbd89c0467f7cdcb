/**
 * The rows of the log: one for each invocation, which opens to its lines.
 *
 * @import { Filter } from "../../core/operator/filter.js"
 * @import { Group } from "../../core/operator/groups.js"
 * @import { Line } from "../../core/operator/line.js"
 */

import { sharedFields } from "../../core/operator/groups.js";
import { isOnlyMetrics } from "../../core/operator/line.js";
import { shown, unitOf } from "../../core/operator/metrics.js";
import { make } from "../dom.js";

/** @param {number} time */
export function timeOf(time) {
  const at = new Date(time);
  return make("time", { datetime: at.toISOString() }, at.toLocaleTimeString(undefined, { hour12: false }));
}

/** A name that filters when it is pressed. @param {"session" | "connection"} kind @param {string} name */
export function nameButton(kind, name) {
  return make("button", { type: "button", class: "name", "data-kind": kind, "data-name": name, title: `Show only this ${kind}` }, name);
}

/** Return the filter that a press in `target` asks for, if it does. @param {EventTarget | null} target @returns {Partial<Filter> | null} */
export function filterOfPress(target) {
  const button = target instanceof Element ? target.closest("button.name") : null;
  if (!(button instanceof HTMLButtonElement)) return null;
  const { kind = "", name = "" } = button.dataset;
  return { [kind]: name };
}

/** @param {Group} group */
export function rowOf(group) {
  const open = make("button", { type: "button", class: "open", "aria-expanded": "false" });
  const item = make("li", { "data-key": group.key }, make("div", { class: "head" }, open));
  updateRow(item, group);
  return item;
}

/** Show what a group is now, in its row; whether it is open stays as it is. @param {HTMLElement} item @param {Group} group */
export function updateRow(item, group) {
  const [head, body] = item.children;
  const open = head?.firstElementChild;
  if (!head || !open) return;
  item.className = `level-${group.level} outcome-${group.outcome}`;
  const level = make("span", { class: "level" }, group.level);
  open.replaceChildren(timeOf(group.time), " ", level, " ", make("span", { class: "action" }, group.action));
  while (open.nextSibling) open.nextSibling.remove();
  head.append(...[
    cell("session", group.sessionId && nameButton("session", group.sessionId)),
    cell("connection", group.connectionId && nameButton("connection", group.connectionId)),
    cell("outcome", ...outcomeOf(group), ...(group.isColdStart ? [" ", make("span", { class: "note" }, "cold start")] : [])),
    cell("duration", group.durationMs === null ? "" : `${shown(group.durationMs)} ms`),
    ...(group.reason && !group.action.includes(group.reason) ? [cell("reason", group.reason)] : []),
  ]);
  if (body) body.replaceWith(bodyOf(group));
}

/** @param {HTMLElement} item @param {Group} group @param {boolean} isOpen */
export function setOpen(item, group, isOpen) {
  item.querySelector(".open")?.setAttribute("aria-expanded", String(isOpen));
  if (isOpen && item.children.length === 1) item.append(bodyOf(group));
  else if (!isOpen) item.children[1]?.remove();
}

/** @param {Group} group @returns {(string | Node)[]} */
function outcomeOf({ outcome, errorCode }) {
  if (outcome === "note") return [""];
  if (outcome === "ok") return ["OK"];
  const word = outcome === "refused" ? "Refused" : "Failed";
  return errorCode ? [`${word} `, make("code", {}, errorCode)] : [word];
}

/** @param {string} name @param {...(string | Node)} children */
function cell(name, ...children) {
  return make("span", { class: name }, ...children);
}

/** @param {Group} group */
function bodyOf(group) {
  const shared = sharedFields(group);
  const facts = [
    ["Function", group.source],
    ["Invocation", group.key.startsWith("line ") ? "" : group.key],
    ["Session", group.sessionId && nameButton("session", group.sessionId)],
    ["Connection", group.connectionId && nameButton("connection", group.connectionId)],
    ...Object.entries(shared).map(([name, value]) => [name, String(value)]),
  ].filter(([, value]) => value);
  const list = make("dl", { class: "facts" }, ...facts.map(([name = "", value = ""]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  return make("div", { class: "body" }, list, make("ul", { class: "lines" }, ...group.lines.map((line) => lineOf(line, shared))));
}

/** @param {Line} line @param {Record<string, unknown>} shared what all lines have, which is said above them */
function lineOf(line, shared) {
  const level = make("span", { class: "level" }, line.level);
  const head = make("p", { class: `level-${line.level}` }, timeOf(line.time), " ", level, " ", textOf(line));
  const known = Object.entries({ operation: line.action, durationMs: line.durationMs, errorCode: line.errorCode, ...line.fields });
  const fields = known.filter(([name, value]) => value !== "" && value !== null && !(name in shared));
  const texts = [fields.length > 0 ? JSON.stringify(Object.fromEntries(fields), null, 2) : "", line.stack].filter(Boolean);
  return make("li", {}, head, ...texts.map((text) => make("pre", { tabindex: "0" }, text)));
}

/** @param {Line} line */
function textOf(line) {
  if (!isOnlyMetrics(line)) return line.message;
  const values = line.measurements.map(({ name, unit, values: all }) => `${name} ${all.slice(0, 10).map(shown).join(", ")} ${unitOf(unit)}`.trim());
  return `Metrics: ${values.join("; ")}`;
}
