/**
 * The metrics of the last minute: a card each, those that are bad news first, those without a value folded.
 *
 * @import { Line } from "../../core/operator/line.js"
 */

import { axisEnd, isBad, shown, unitOf, wordsOf } from "../../core/operator/metrics.js";
import { Series, WINDOW_SECONDS } from "../../core/operator/series.js";
import { element, make } from "../dom.js";

const SVG = "http://www.w3.org/2000/svg";
/** The drawing's own units: one a second, and so many upwards; the bars leave some of their second free. */
const HEIGHT = 40;
const BAR = 0.8;

export function metricsView() {
  /** @type {Map<string, Series>} */
  const all = new Map();
  /** @type {Map<string, HTMLElement>} */
  const cards = new Map();
  const place = element("metrics", HTMLDivElement);

  /** @param {number} now */
  function draw(now) {
    const names = [...all.keys()].sort((a, b) => wordsOf(a).localeCompare(wordsOf(b)));
    const full = names.filter((name) => !seriesOf(name).isEmpty(now));
    const rank = (/** @type {string} */ name) => Number(!isAlarming(name, seriesOf(name), now));
    full.sort((a, b) => rank(a) - rank(b));
    const items = full.map((name) => {
      const card = cards.get(name) ?? newCard(name);
      cards.set(name, card);
      drawCard(card, name, seriesOf(name), now);
      return card;
    });
    if (items.length !== place.children.length || items.some((item, i) => place.children[i] !== item)) place.replaceChildren(...items);
    showEmpty(names.filter((name) => !full.includes(name)));
    element("metrics-none", HTMLParagraphElement).hidden = names.length > 0;
  }

  /** @param {string} name */
  function seriesOf(name) {
    return /** @type {Series} */ (all.get(name));
  }

  return {
    draw,
    /** @param {Line} line */
    add({ measurements, time }) {
      for (const one of measurements) {
        const series = all.get(one.name) ?? new Series();
        series.add(one, time);
        all.set(one.name, series);
      }
    },
  };
}

/** @param {string[]} names */
function showEmpty(names) {
  const details = element("metrics-empty", HTMLDetailsElement);
  const words = names.map(wordsOf);
  details.hidden = names.length === 0;
  const [summary, list] = details.children;
  const text = `Nothing in the last minute: ${names.length} ${names.length === 1 ? "metric" : "metrics"}`;
  if (summary && summary.textContent !== text) summary.textContent = text;
  if (list && list.textContent !== words.join("")) list.replaceChildren(...words.map((word) => make("li", {}, word)));
}

/** @param {string} name @param {Series} series @param {number} now */
function isAlarming(name, series, now) {
  return series.isCount && isBad(name) && series.sums(now).some((sum) => sum > 0);
}

/** @param {string} name */
function newCard(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WINDOW_SECONDS} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  for (const kind of ["grid", "upper", "bars"]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", kind);
    path.setAttribute("vector-effect", "non-scaling-stroke");
    svg.append(path);
  }
  svg.querySelector(".grid")?.setAttribute("d", `M0 1H${WINDOW_SECONDS}M0 ${HEIGHT / 2}H${WINDOW_SECONDS}M0 ${HEIGHT - 1}H${WINDOW_SECONDS}`);
  const values = make("div", { class: "axis values", "aria-hidden": "true" }, make("span"), make("span"), make("span", {}, "0"));
  const times = make("div", { class: "axis times", "aria-hidden": "true" }, make("span", {}, "−60 s"), make("span", {}, "−30 s"), make("span", {}, "now"));
  const caption = make("figcaption", {}, wordsOf(name));
  return make("figure", { "data-name": name }, caption, make("p", { class: "value" }), make("div", { class: "plot" }, values, svg, times), make("p", { class: "note" }));
}

/** @param {HTMLElement} card @param {string} name @param {Series} series @param {number} now */
function drawCard(card, name, series, now) {
  const unit = unitOf(series.unit);
  const percentiles = series.isCount ? null : series.percentiles(now);
  const bars = series.isCount ? series.sums(now) : series.percentilesOfSeconds(now, 0.5);
  const upper = series.isCount ? [] : series.percentilesOfSeconds(now, 0.95);
  const end = axisEnd(Math.max(...[...bars, ...upper].map((value) => value ?? 0)));
  const total = series.isCount ? bars.reduce((/** @type {number} */ sum, value) => sum + (value ?? 0), 0) : 0;
  const [head, more] = percentiles
    ? [`p50 ${shown(percentiles.p50)} ${unit}`, `p95 ${shown(percentiles.p95)}, p99 ${shown(percentiles.p99)}, last ${shown(series.last ?? 0)} ${unit}`]
    : [`${shown(total)} in a minute`, `${shown(total / WINDOW_SECONDS)} a second, last second ${shown(bars.at(-1) ?? 0)}`];
  const alarming = series.isCount && isBad(name) && total > 0;
  card.classList.toggle("alarming", alarming);
  setText(card.querySelector(".value"), head);
  setText(card.querySelector(".note"), more);
  const [top, middle] = card.querySelectorAll(".values span");
  const axisUnit = series.isCount ? "" : ` ${unit}`;
  setText(top, `${shown(end)}${axisUnit}`);
  setText(middle, `${shown(end / 2)}${axisUnit}`);
  const svg = card.querySelector("svg");
  svg?.querySelector(".bars")?.setAttribute("d", barsOf(bars, end));
  svg?.querySelector(".upper")?.setAttribute("d", barsOf(upper, end));
  svg?.setAttribute("aria-label", `${wordsOf(name)} in the last minute: ${head}, ${more}`);
}

/** @param {Element | null | undefined} place @param {string} text */
function setText(place, text) {
  if (place && place.textContent !== text) place.textContent = text;
}

/** Seconds without a value, or with zero, have no bar. @param {(number | null)[]} values @param {number} end of the axis */
function barsOf(values, end) {
  const top = (/** @type {number} */ value) => (HEIGHT - 1 - ((HEIGHT - 2) * value) / end).toFixed(1);
  return values.map((value, x) => (value ? `M${x + (1 - BAR) / 2} ${HEIGHT - 1}V${top(value)}h${BAR}V${HEIGHT - 1}z` : "")).join("");
}
