/**
 * The operator's view: the sessions that run, and what functions log, count and fail with, as it happens.
 *
 * @import { Filter } from "../../core/operator/filter.js"
 */

import { LastErrors } from "../../core/operator/errors.js";
import { NO_FILTER, readFilter, watchAddress } from "../../core/operator/filter.js";
import { readLine } from "../../core/operator/line.js";
import { element } from "../dom.js";
import { errorsView } from "./errors.js";
import { logView } from "./log.js";
import { metricsView } from "./metrics.js";
import { sessionsView } from "./sessions.js";

/** Who reads sees nothing change twice in so short a time, and drawing 250 lines a second costs little. */
const DRAW_MS = 500;

const FIELDS = /** @type {(keyof Filter)[]} */ (Object.keys(NO_FILTER));

/** @param {string} address of the stream */
export function watchView(address) {
  const status = element("watch-status", HTMLParagraphElement);
  const section = element("watch", HTMLElement);
  const errors = new LastErrors();
  const clear = element("watch-clear", HTMLButtonElement);
  const showErrors = errorsView(errors, (wanted) => showInLog({ ...NO_FILTER, ...wanted }));
  const metrics = metricsView();
  const sessions = sessionsView((wanted) => showInLog({ ...NO_FILTER, ...wanted }));
  const log = logView((wanted) => showInLog({ ...filter(), ...wanted }));

  /** @param {keyof Filter} name */
  function field(name) {
    return /** @type {HTMLInputElement | HTMLSelectElement} */ (element(`filter-${name}`, HTMLElement));
  }

  /** @returns {Filter} */
  function filter() {
    return /** @type {Filter} */ (Object.fromEntries(FIELDS.map((name) => [name, field(name).value])));
  }

  /** @param {Filter} wanted */
  function setFilter(wanted) {
    for (const name of FIELDS) field(name).value = wanted[name];
    showFilter();
  }

  /** What was pressed may be gone, or far above the log: the focus is on what takes the filter away again. @param {Filter} wanted */
  function showInLog(wanted) {
    setFilter(wanted);
    clear.focus();
  }

  /** The address has the filter while this view is the one that it names; the link to the view always has it. */
  function showFilter() {
    const fragment = watchAddress(filter());
    element("watch-link", HTMLAnchorElement).setAttribute("href", fragment);
    if (document.body.dataset["view"] === "watch" && location.hash !== fragment) history.replaceState(null, "", fragment);
    clear.disabled = fragment === "#watch" && FIELDS.every((name) => field(name).value === "");
    log.show(filter());
  }

  function followAddress() {
    const [view, query = ""] = location.hash.split("?");
    if (view === "#watch") setFilter(readFilter(query));
  }

  function draw() {
    if (document.hidden || !section.checkVisibility()) return;
    log.draw();
    showErrors();
  }

  function drawEachSecond() {
    if (document.hidden || !section.checkVisibility()) return;
    metrics.draw(Date.now());
    sessions.draw(Date.now());
  }

  const stream = new EventSource(address);
  stream.onopen = () => (status.textContent = "Rows come as they are written.");
  stream.onerror = () => (status.textContent = "The local run does not answer. Trying again…");
  stream.onmessage = ({ data }) => {
    const line = readLine(JSON.parse(data));
    metrics.add(line);
    errors.add(line);
    log.add(line);
  };
  stream.addEventListener("sessions", ({ data }) => sessions.take(JSON.parse(data)));
  document.addEventListener("problem", (event) => errors.addShown(/** @type {CustomEvent} */ (event).detail, Date.now()));
  const form = element("watch-filter", HTMLFormElement);
  form.addEventListener("input", showFilter);
  form.addEventListener("submit", (event) => event.preventDefault());
  clear.addEventListener("click", () => {
    setFilter(NO_FILTER);
    field("session").focus(); // the button cannot be used any longer
  });
  addEventListener("hashchange", followAddress);
  followAddress();
  showFilter();
  setInterval(draw, DRAW_MS);
  setInterval(drawEachSecond, 1000);
}
