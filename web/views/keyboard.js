/**
 * Keys that press the buttons of a session, and the sheet that lists them. Whoever's other programs use single keys, too,
 * such as a screen reader or voice control, can switch them off: WCAG 2.1.4.
 *
 * @import { Focus } from "../core/shortcuts.js"
 */

import { shortcutOf } from "../core/shortcuts.js";
import { element } from "./dom.js";

const KEPT = "keyboard";
/** At most one of each is shown. */
const BUTTONS = { mute: ["speak-mute", "interpret-mute"], pause: ["speak-pause", "listen-pause"] };
const FIELDS = 'input:not([type="checkbox"], [type="radio"], [type="range"]), select, textarea, [contenteditable]';
/** What is pressed, scrolled or unfolded with the space bar. */
const CONTROLS = 'a[href], button, input, summary, [tabindex="0"]';

/** A browser may refuse to keep anything: then the keys are on whenever the page is opened. @param {(storage: Storage) => unknown} use */
function kept(use) {
  try {
    return use(localStorage);
  } catch {
    return null;
  }
}

/** @param {EventTarget | null} target @returns {Focus} */
function focusOn(target) {
  if (!(target instanceof Element)) return "other";
  if (target.closest(FIELDS)) return "field";
  const control = target.closest(CONTROLS);
  // A button that was clicked by a mouse keeps the focus, but nobody means to press it again.
  if (control instanceof HTMLButtonElement && !control.matches(":focus-visible")) return "other";
  return control ? "control" : "other";
}

/** Return the button that is shown or, of those that mute, the one of a session in another view. @param {string[]} ids */
function shown(ids) {
  const buttons = ids.map((id) => element(id, HTMLButtonElement));
  const inSession = buttons.filter((button) => button.closest("[hidden]") === null);
  return buttons.find((button) => button.checkVisibility()) ?? (ids === BUTTONS.mute ? inSession[0] : undefined);
}

export function keyboardView() {
  const sheet = element("keyboard", HTMLDialogElement);
  const opener = element("keyboard-open", HTMLButtonElement);
  const isOn = element("keyboard-on", HTMLInputElement);
  isOn.checked = kept((storage) => storage.getItem(KEPT)) !== "off";

  function open() {
    for (const row of sheet.querySelectorAll("div[data-views]")) {
      const views = row.getAttribute("data-views")?.split(" ") ?? [];
      row.toggleAttribute("hidden", !views.some((view) => element(view, HTMLElement).checkVisibility()));
    }
    sheet.showModal();
  }

  isOn.addEventListener("change", () => kept((storage) => (isOn.checked ? storage.removeItem(KEPT) : storage.setItem(KEPT, "off"))));
  opener.addEventListener("click", open);
  element("keyboard-close", HTMLButtonElement).addEventListener("click", () => sheet.close());
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || sheet.open || !isOn.checked) return;
    const shortcut = shortcutOf(event, focusOn(event.target));
    if (shortcut === null) return;
    const button = shortcut === "help" ? opener : shown(BUTTONS[shortcut]);
    if (button === undefined) return; // outside of a session the space bar scrolls
    event.preventDefault();
    button.click();
  });
}
