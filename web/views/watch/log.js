/**
 * The log: new rows come on top, unless somebody reads. While the list is stopped, a row is open, the list is scrolled or
 * has the focus, new ones wait, and nothing moves.
 *
 * @import { Connections } from "../../core/operator/connections.js"
 * @import { Filter } from "../../core/operator/filter.js"
 * @import { Group } from "../../core/operator/groups.js"
 * @import { Line } from "../../core/operator/line.js"
 */

import { NO_FILTER, passes } from "../../core/operator/filter.js";
import { Groups } from "../../core/operator/groups.js";
import { element } from "../dom.js";
import { filterOfPress, rowOf, setOpen, updateRow } from "./rows.js";

const MAX_ROWS = 200;
const MAX_WAITING = 1000;
/** Scrolled by less is not scrolled. */
const TOP_PX = 4;

/** @param {(wanted: Partial<Filter>) => void} filterBy */
export function logView(filterBy) {
  const list = element("log", HTMLOListElement);
  const stop = element("watch-stop", HTMLButtonElement);
  const note = element("log-waiting", HTMLParagraphElement);
  const groups = new Groups();
  let filter = NO_FILTER;
  let isStopped = false;
  /** Somebody pressed "Continue" although a row is open: new rows come until the list is used again. */
  let isReleased = false;
  /** New rows, and those that changed since they were drawn. @type {Map<string, Group>} */
  const changed = new Map();
  /** @type {Map<string, { group: Group, item: HTMLElement }>} */
  const rows = new Map();

  function isRead() {
    const isUsed = list.scrollTop > TOP_PX || list.contains(document.activeElement) || list.querySelector(".body") !== null;
    return isUsed && !isReleased;
  }

  function draw() {
    for (const [key, group] of changed) {
      const row = rows.get(key);
      if (row === undefined) continue;
      // What has the focus stays the same element; the row is drawn when the focus has left.
      if (row.item.contains(document.activeElement)) continue;
      changed.delete(key);
      updateRow(row.item, group);
    }
    const isHeld = isStopped || isRead();
    if (!isHeld) {
      showNew(waiting());
      for (const key of changed.keys()) if (!rows.has(key)) changed.delete(key);
    }
    showWaiting(isHeld);
  }

  /** New ones that pass the filter, oldest first. */
  function waiting() {
    return [...changed.values()].filter((group) => !rows.has(group.key) && passes(group, filter));
  }

  /** @param {Group[]} fresh oldest first */
  function showNew(fresh) {
    for (const group of fresh.slice(-MAX_ROWS)) {
      const row = { group, item: rowOf(group) };
      list.insertBefore(row.item, firstNotAfter(group.time));
      rows.set(row.group.key, row);
      changed.delete(row.group.key);
    }
    const oldest = [...list.children].slice(MAX_ROWS).filter((item) => item.children.length === 1 && !item.contains(document.activeElement));
    for (const item of oldest) {
      item.remove();
      rows.delete(item.getAttribute("data-key") ?? "");
    }
    element("log-none", HTMLParagraphElement).hidden = list.children.length > 0;
  }

  /** A row that passes the filter only now, as its session was not known before, has its place among the others. @param {number} time */
  function firstNotAfter(time) {
    return [...list.children].find((item) => (rows.get(item.getAttribute("data-key") ?? "")?.group.time ?? 0) <= time) ?? null;
  }

  /** @param {boolean} isHeld */
  function showWaiting(isHeld) {
    const count = isHeld ? waiting().length : 0;
    const canGoOn = isStopped || (isHeld && count > 0);
    const words = canGoOn ? (count > 0 ? `Continue (${count >= MAX_ROWS ? `${MAX_ROWS} or more` : count} new)` : "Continue") : "Stop the list";
    if (stop.textContent !== words) stop.textContent = words;
    const why = isStopped ? "The list is stopped." : canGoOn ? "New rows wait while you read." : "";
    if (note.textContent !== why) note.textContent = why;
  }

  /** @param {Group} group */
  function change(group) {
    changed.set(group.key, group);
    // Far more than are shown, in a page that nobody sees perhaps: the oldest are forgotten.
    if (changed.size > MAX_WAITING) changed.delete(/** @type {string} */ (changed.keys().next().value));
  }

  stop.addEventListener("click", () => {
    const goesOn = isStopped || stop.textContent !== "Stop the list";
    isStopped = !goesOn;
    isReleased = goesOn;
    if (goesOn) list.scrollTop = 0;
    draw();
  });
  list.addEventListener("click", ({ target }) => {
    const wanted = filterOfPress(target);
    if (wanted !== null) return filterBy(wanted);
    const button = target instanceof Element ? target.closest("button.open") : null;
    const row = rows.get(button?.closest("li")?.getAttribute("data-key") ?? "");
    if (row && button) setOpen(row.item, row.group, button.getAttribute("aria-expanded") === "false");
    isReleased = false;
  });
  for (const use of ["focusin", "wheel", "touchstart"]) list.addEventListener(use, () => (isReleased = false), { passive: true });

  return {
    draw,
    /** @param {Line} line */
    add(line) {
      const group = groups.add(line);
      if (group !== null) change(group);
    },
    /** @param {Connections} connections of which more is known now */
    nameSessions(connections) {
      groups.nameSessions(connections).forEach(change);
    },
    /** Show anew what passes a filter. @param {Filter} wanted */
    show(wanted) {
      filter = wanted;
      list.replaceChildren();
      rows.clear();
      changed.clear();
      showNew(groups.all().filter((group) => passes(group, filter)).slice(0, MAX_ROWS).reverse());
      showWaiting(isStopped);
    },
  };
}
