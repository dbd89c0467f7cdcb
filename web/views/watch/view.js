/**
 * The operator's view: the sessions that run, and what functions log, count and fail with, as it happens.
 */

import { Connections } from "../../core/operator/connections.js";
import { LastErrors } from "../../core/operator/errors.js";
import { NO_FILTER } from "../../core/operator/filter.js";
import { readLine } from "../../core/operator/line.js";
import { element } from "../dom.js";
import { errorsView } from "./errors.js";
import { filterForm } from "./filter-form.js";
import { logView } from "./log.js";
import { metricsView } from "./metrics.js";
import { sessionsView } from "./sessions.js";

/** Who reads sees nothing change twice in so short a time, and drawing 250 lines a second costs little. */
const DRAW_MS = 500;

/** @param {string} address of the stream */
export function watchView(address) {
  const status = element("watch-status", HTMLParagraphElement);
  const parts = element("watch-parts", HTMLDivElement);
  const errors = new LastErrors();
  const connections = new Connections();
  const form = filterForm((filter) => log.show(filter));
  const showErrors = errorsView(errors, (wanted) => form.setByPress({ ...NO_FILTER, ...wanted }));
  const metrics = metricsView();
  const sessions = sessionsView((wanted) => form.setByPress({ ...NO_FILTER, ...wanted }));
  const log = logView((wanted) => form.setByPress({ ...form.filter(), ...wanted }));

  function draw() {
    if (document.hidden || !parts.checkVisibility()) return;
    log.draw();
    showErrors();
  }

  function drawEachSecond() {
    if (document.hidden || !parts.checkVisibility()) return;
    metrics.draw(Date.now());
    sessions.draw(Date.now());
  }

  function nameSessions() {
    log.nameSessions(connections);
    errors.nameSessions(connections);
  }

  const stream = new EventSource(address);
  stream.onopen = () => (status.textContent = "Connected: new rows appear by themselves.");
  stream.onerror = () => (status.textContent = "The local run does not answer. Trying again…");
  stream.onmessage = ({ data }) => {
    const line = readLine(JSON.parse(data));
    if (connections.takeLine(line)) nameSessions();
    line.sessionId ||= connections.sessionOf(line.connectionId);
    metrics.add(line);
    errors.add(line);
    log.add(line);
  };
  stream.addEventListener("sessions", ({ data }) => {
    const report = JSON.parse(data);
    if (connections.takeReport(report)) nameSessions();
    sessions.take(report);
  });
  document.addEventListener("problem", (event) => errors.addShown(/** @type {CustomEvent} */ (event).detail, Date.now()));
  form.start();
  setInterval(draw, DRAW_MS);
  setInterval(drawEachSecond, 1000);
  foldBesideOthers();
}

/** Whoever speaks or listens is shown what the system does only when they ask for it. */
function foldBesideOthers() {
  const button = element("watch-beside", HTMLButtonElement);
  button.addEventListener("click", () => {
    const isOpen = button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", String(isOpen));
    button.textContent = isOpen ? "Hide what the system does" : "Show what the system does";
  });
}
