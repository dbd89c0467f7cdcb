/**
 * The operator's view: what functions log, count and fail with, as it happens.
 *
 * @import { Line } from "../core/operator.js"
 */

import { Series, passes, readLine } from "../core/operator.js";
import { ERRORS } from "../protocol/messages.js";
import { element, make } from "./dom.js";

const MAX_LINES = 2000;
const MAX_SHOWN = 200;
const MAX_ERRORS = 5;
const SVG = "http://www.w3.org/2000/svg";

/** @param {string} address */
export function watchView(address) {
  const log = element("log", HTMLOListElement);
  const hold = element("watch-hold", HTMLButtonElement);
  const status = element("watch-status", HTMLParagraphElement);
  /** @type {Line[]} */
  const lines = [];
  /** Those that came since they were shown last. @type {Line[]} */
  let fresh = [];
  /** @type {Map<string, Series>} */
  const metrics = new Map();
  let isHeld = false;

  function filter() {
    return {
      session: element("filter-session", HTMLInputElement).value,
      connection: element("filter-connection", HTMLInputElement).value,
      level: element("filter-level", HTMLSelectElement).value,
    };
  }

  /** @param {Line} line */
  function take(line) {
    for (const one of line.measurements) {
      const series = metrics.get(one.name) ?? new Series();
      series.add(one, line.time);
      metrics.set(one.name, series);
    }
    if (line.errorCode) showError(line.time, line.errorCode, sentenceOf(line.errorCode), line.message);
    if (line.message === "" || isOnlyMetrics(line)) return;
    lines.push(line);
    if (lines.length > MAX_LINES) lines.shift();
    fresh.push(line);
  }

  function showFresh() {
    if (isHeld || fresh.length === 0) return;
    const wanted = filter();
    const items = fresh.filter((line) => passes(line, wanted)).slice(-MAX_SHOWN).reverse().map(itemOf);
    fresh = [];
    log.prepend(...items);
    while (log.children.length > MAX_SHOWN) log.lastElementChild?.remove();
    element("log-none", HTMLParagraphElement).hidden = log.children.length > 0;
  }

  function showAll() {
    log.replaceChildren();
    fresh = [...lines];
    const held = isHeld;
    isHeld = false;
    showFresh();
    isHeld = held;
    element("log-none", HTMLParagraphElement).hidden = log.children.length > 0;
  }

  function showMetrics() {
    element("metrics-none", HTMLParagraphElement).hidden = metrics.size > 0;
    if (document.hidden) return;
    const place = element("metrics", HTMLDivElement);
    const names = [...metrics.keys()].sort();
    names.forEach((name, i) => {
      const found = place.children[i];
      const figure = found?.getAttribute("data-name") === name ? found : plot(name);
      if (figure !== found) place.insertBefore(figure, found ?? null);
      draw(figure, /** @type {Series} */ (metrics.get(name)));
    });
  }

  const stream = new EventSource(address);
  stream.onopen = () => (status.textContent = "Lines come as they are written.");
  stream.onerror = () => (status.textContent = "The local run does not answer. Trying again…");
  stream.onmessage = ({ data }) => take(readLine(JSON.parse(data)));
  document.addEventListener("problem", (event) => {
    const { code, message } = /** @type {CustomEvent} */ (event).detail;
    showError(Date.now(), code, message, "told to this page");
  });
  element("watch-filter", HTMLFormElement).addEventListener("input", showAll);
  element("watch-filter", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
  hold.addEventListener("click", () => {
    isHeld = !isHeld;
    hold.setAttribute("aria-pressed", String(isHeld));
    showFresh();
  });
  setInterval(showFresh, 200);
  setInterval(showMetrics, 1000);
}

/** What the layer writes to carry metrics alone has no word for people. @param {Line} line */
function isOnlyMetrics(line) {
  return line.measurements.length > 0 && line.message === "Metrics";
}

/** @param {string} code */
function sentenceOf(code) {
  return Object.hasOwn(ERRORS, code) ? ERRORS[/** @type {keyof typeof ERRORS} */ (code)].sentence : "";
}

/** @param {number} time @param {string} code @param {string} sentence @param {string} where */
function showError(time, code, sentence, where) {
  const list = element("errors", HTMLUListElement);
  const item = make("li", {}, timeOf(time), " ", sentence, " ", make("code", {}, code), ` · ${where}`);
  list.prepend(item);
  while (list.children.length > MAX_ERRORS) list.lastElementChild?.remove();
  element("errors-none", HTMLParagraphElement).hidden = true;
}

/** @param {number} time */
function timeOf(time) {
  const at = new Date(time);
  return make("time", { datetime: at.toISOString() }, at.toLocaleTimeString(undefined, { hour12: false }));
}

/** @param {Line} line */
function itemOf(line) {
  const code = line.errorCode ? [" ", make("code", {}, line.errorCode)] : [];
  const level = make("span", { class: "level" }, line.level);
  const source = make("span", { class: "source" }, line.source);
  const head = [timeOf(line.time), " ", level, " ", source, " ", line.message, ...code];
  const more = detailsOf(line);
  const item = make("li", { class: `level-${line.level}` });
  if (more.length === 0) item.append(...head);
  else item.append(make("details", {}, make("summary", {}, ...head), ...more));
  return item;
}

/** @param {Line} line */
function detailsOf(line) {
  const ids = { sessionId: line.sessionId, connectionId: line.connectionId };
  const known = Object.entries({ ...ids, ...line.fields }).filter(([, value]) => value !== "");
  const texts = [known.length > 0 ? JSON.stringify(Object.fromEntries(known), null, 2) : "", line.stack];
  return texts.filter(Boolean).map((text) => make("pre", { tabindex: "0" }, text));
}

/** @param {string} name */
function plot(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 59 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.append(document.createElementNS(SVG, "path"));
  svg.firstElementChild?.setAttribute("vector-effect", "non-scaling-stroke");
  // A long name may break between its words.
  const words = name.split(/(?<=[a-z])(?=[A-Z])/).flatMap((word) => [make("wbr"), word]);
  return make("figure", { "data-name": name }, make("figcaption", {}, make("span", {}, ...words), make("span")), svg);
}

/** @param {Element} figure @param {Series} series */
function draw(figure, series) {
  // The second that has begun is not full yet.
  const values = series.lastMinute(Date.now() - 1000);
  const known = values.filter((value) => value !== null);
  const total = known.reduce((sum, value) => sum + value, 0);
  const isCount = series.unit === "Count";
  const text = isCount ? String(total) : `${round(known.length ? total / known.length : 0)} ${unitOf(series.unit)}`;
  const most = Math.max(...known, 1e-9);
  let path = "";
  values.forEach((value, x) => {
    // A single point is a line of no length, whose round ends show.
    if (value !== null) path += `${path ? "L" : "M"}${x} ${18 - (16 * value) / most}h0`;
  });
  figure.querySelector("path")?.setAttribute("d", path || "M0 19");
  const name = figure.getAttribute("data-name");
  figure.querySelector("svg")?.setAttribute("aria-label", `${name} in the last minute: ${text}${isCount ? "" : " on average"}`);
  const shown = figure.querySelector("figcaption span:last-child");
  if (shown) shown.textContent = isCount ? text : `⌀ ${text}`;
}

/** @param {string} unit */
function unitOf(unit) {
  return { Milliseconds: "ms", Bytes: "B" }[unit] ?? unit;
}

/** @param {number} value */
function round(value) {
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}
