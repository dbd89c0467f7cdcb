/** The few things that every view does with the page. */

import { languageName } from "../core/channels.js";
import { ERRORS } from "../protocol/messages.js";

/**
 * Return the element of this id, which has to be of this class.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

/**
 * Make an element.
 *
 * @template {keyof HTMLElementTagNameMap} N
 * @param {N} name
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[N]}
 */
export function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const LANGUAGES = ["en", "de", "fr", "es", "it", "pt", "nl", "pl", "uk", "tr", "ar", "hi", "zh-Hans", "ja", "ko"];

/** @param {HTMLSelectElement} select @param {string} chosen */
export function offerLanguages(select, chosen) {
  const options = LANGUAGES.map((code) => new Option(languageName(code), code, false, code === chosen));
  select.replaceChildren(...options.sort((a, b) => a.text.localeCompare(b.text)));
}

/**
 * Show what went wrong, with its code, until something goes well.
 *
 * @param {HTMLElement} place with role alert
 * @param {{ code?: string, message: string } | null} problem
 */
export function showProblem(place, problem) {
  place.hidden = problem === null;
  place.replaceChildren();
  if (problem === null) return;
  place.append(make("span", {}, asSentence(problem.message)));
  // The page's own codes say nothing that the sentence does not.
  if (problem.code && Object.hasOwn(ERRORS, problem.code)) place.append(" ", make("code", {}, problem.code));
}

/** The system's own words end without a full stop. @param {string} message */
function asSentence(message) {
  return /[.!?…]$/.test(message) ? message : `${message}.`;
}

/** Return the view of those in which somebody takes part that was shown last. @param {HTMLElement} body @returns {import("../core/invitation.js").Person} */
export function personOf({ dataset: { person } }) {
  return person === "listen" || person === "interpret" ? person : "speak";
}

/**
 * Put the focus on what a person of a view does next: its start button or, if that is not there, signing in.
 *
 * @param {import("../core/invitation.js").Person} view
 */
export function focusNext(view) {
  for (const id of [`${view}-start`, `${view}-sign-in`]) {
    const button = element(id, HTMLButtonElement);
    if (button.checkVisibility()) return button.focus();
  }
}

/** Whether the focus is nowhere: what had it has gone, or cannot be used just now. */
export function isFocusLost() {
  const active = document.activeElement;
  return active === null || active === document.body || !active.checkVisibility() || active.matches(":disabled");
}

/**
 * Say of a key while it is typed what is wrong with it, and let the form not be sent then.
 *
 * @param {HTMLInputElement} field @param {HTMLElement} hint @param {() => [string, string]} judge what is wrong, and what else there is to say
 * @returns {() => void} what judges again
 */
export function watchKey(field, hint, judge) {
  function show() {
    const [wrong, also] = judge();
    field.setCustomValidity(wrong);
    const sentence = wrong || also;
    if (hint.textContent !== sentence) hint.textContent = sentence;
  }
  field.addEventListener("input", show);
  show();
  return show;
}

/** @param {number} ms */
export function duration(ms) {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** @param {string} name @param {Blob} file */
export function saveFile(name, file) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** What a browser has for `core/client.js`. @type {import("../core/client.js").World} */
export const browser = {
  open: (url, protocols) => new WebSocket(url, protocols),
  origin: location.origin,
  token: async () => null,
  returnToken: async () => null,
  random: Math.random,
  clock: () => performance.now(),
  setTimer: (run, ms) => setTimeout(run, ms),
  clearTimer: (timer) => clearTimeout(timer),
};

/**
 * Tell those who show errors, wherever on the page, that there was one.
 *
 * @param {import("../core/client.js").Problem} problem
 */
export function announceProblem(problem) {
  document.dispatchEvent(new CustomEvent("problem", { detail: problem }));
}
