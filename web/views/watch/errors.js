/**
 * The last errors, each with what to do about it. They stay while new lines come.
 *
 * @import { LastErrors, Seen } from "../../core/operator/errors.js"
 * @import { Filter } from "../../core/operator/filter.js"
 */

import { element, make } from "../dom.js";
import { timeOf } from "./rows.js";

/** @param {LastErrors} errors @param {(wanted: Partial<Filter>) => void} filterBy @returns {() => void} what draws them */
export function errorsView(errors, filterBy) {
  const list = element("errors", HTMLUListElement);
  /** What is drawn, by what it is. @type {Map<string, { seen: Seen, item: HTMLLIElement }>} */
  let drawn = new Map();

  return () => {
    const before = drawn;
    drawn = new Map();
    for (const seen of errors.all()) {
      const key = `${seen.code} ${seen.sentence}`;
      const known = before.get(key);
      const item = known?.item ?? newItem(seen, filterBy);
      if (known?.seen !== seen) update(item, seen);
      drawn.set(key, { seen, item });
    }
    const items = [...drawn.values()].map(({ item }) => item);
    // Who is about to press a button here finds it where it was, unless there is something new.
    const isNew = items.some((item) => !item.isConnected);
    const isUsed = list.contains(document.activeElement) || (!isNew && list.matches(":hover"));
    if (!isUsed && items.some((item, i) => list.children[i] !== item)) list.replaceChildren(...items);
    element("errors-none", HTMLParagraphElement).hidden = list.children.length > 0;
  };
}

/** @param {Seen} seen @param {(wanted: Partial<Filter>) => void} filterBy */
function newItem({ code, sentence, advice }, filterBy) {
  const show = make("button", { type: "button", class: "small" }, "Show its rows");
  show.addEventListener("click", () => filterBy(code ? { text: code } : { level: "ERROR" }));
  const words = make("strong", {}, sentence);
  const name = code && code !== sentence ? [" ", make("code", {}, code)] : [];
  return make("li", {}, make("p", {}, words, ...name), make("p", { class: "note" }), make("p", { class: "note" }, advice, " ", show));
}

/** @param {HTMLLIElement} item @param {Seen} seen */
function update(item, { time, count, where, sessionId }) {
  const times = count > 1 ? `${count} times, last at ` : "At ";
  item.children[1]?.replaceChildren(times, timeOf(time), ` · ${where}`, sessionId ? ` · ${sessionId}` : "");
}
