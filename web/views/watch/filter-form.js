/**
 * The filter's fields, which stand in the address as far as they may. On a phone they are folded.
 *
 * @import { Filter } from "../../core/operator/filter.js"
 */

import { NO_FILTER, readFilter, staysInAddress, watchAddress } from "../../core/operator/filter.js";
import { element } from "../dom.js";

const FIELDS = /** @type {(keyof Filter)[]} */ (Object.keys(NO_FILTER));
/** As in watch.css. */
const WIDE = "(min-width: 44rem)";

/** @param {(filter: Filter) => void} show @returns what reads and sets the filter */
export function filterForm(show) {
  const form = element("watch-filter", HTMLFormElement);
  const clear = element("watch-clear", HTMLButtonElement);
  const folded = element("watch-filters", HTMLDetailsElement);
  const summary = folded.querySelector("summary");

  /** @param {keyof Filter} name */
  function field(name) {
    return /** @type {HTMLInputElement | HTMLSelectElement} */ (element(`filter-${name}`, HTMLElement));
  }

  /** @returns {Filter} */
  function filter() {
    return /** @type {Filter} */ (Object.fromEntries(FIELDS.map((name) => [name, field(name).value])));
  }

  /** @param {Filter} wanted */
  function set(wanted) {
    for (const name of FIELDS) field(name).value = wanted[name];
    apply();
  }

  /** What was pressed may be gone, or far above the log: the focus is on what takes the filter away again. @param {Filter} wanted */
  function setByPress(wanted) {
    set(wanted);
    clear.focus();
  }

  /** The address has the filter while this view is the one that it names; the link to the view always has it. */
  function apply() {
    const fragment = watchAddress(filter());
    element("watch-link", HTMLAnchorElement).setAttribute("href", fragment);
    if (document.body.dataset["view"] === "watch" && location.hash !== fragment) history.replaceState(null, "", fragment);
    const used = FIELDS.filter((name) => field(name).value !== "");
    clear.disabled = used.length === 0;
    if (summary) summary.textContent = used.length > 0 ? `Filters: ${used.join(", ")}` : "Filters";
    showWhatIsNotInTheLink();
    show(filter());
  }

  function showWhatIsNotInTheLink() {
    const left = FIELDS.filter((name) => !staysInAddress(name, field(name).value));
    element("filter-hint", HTMLParagraphElement).hidden = left.length === 0;
    for (const name of FIELDS) {
      const hint = document.getElementById(`filter-${name}-hint`);
      if (hint === null) continue; // a level of the list is never left out
      hint.hidden = !left.includes(name);
      if (hint.hidden) field(name).removeAttribute("aria-describedby");
      else field(name).setAttribute("aria-describedby", `${hint.id} filter-hint`);
    }
  }

  function followAddress() {
    const [view, query = ""] = location.hash.split("?");
    if (view === "#watch") set(readFilter(query));
  }

  const isWide = matchMedia(WIDE);
  const fold = () => (folded.open = isWide.matches);
  isWide.addEventListener("change", fold);
  fold();
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  clear.addEventListener("click", () => {
    set(NO_FILTER);
    // The button cannot be used any longer.
    (folded.open ? field("session") : summary)?.focus();
  });
  addEventListener("hashchange", followAddress);

  return {
    filter,
    setByPress,
    /** Take what the address says, and show it. */
    start() {
      followAddress();
      apply();
    },
  };
}
