/**
 * What the views of a speaker, a listener and an interpreter have in common: a form that begins a session, buttons that
 * ask for something, and places for words and numbers.
 *
 * @import { Person } from "../core/invitation.js"
 *
 * @typedef {{ code?: string, message: string }} Said a problem, in words for the person
 */

import { Problem } from "../core/client.js";
import { OFF_AIR } from "../core/on-air.js";
import { element, focusNext, isFocusLost, showProblem } from "./dom.js";
import { showState } from "./on-air.js";

const COPIED_MS = 4_000;
const CANNOT_COPY = "The browser did not copy it. Use the link beside the button: a long press or the right mouse button offers to copy its address.";

/**
 * Begin when the form is sent. What goes wrong is shown, and the focus stays where the person can go on.
 *
 * @param {Person} view @param {() => Promise<void>} begin @param {(problem: Problem) => Said} inWords
 */
export function beginOnSubmit(view, begin, inWords) {
  const start = element(`${view}-start`, HTMLButtonElement);
  const problemPlace = element(`${view}-problem`, HTMLParagraphElement);
  const status = statusOf(view);
  element(`${view}-form`, HTMLFormElement).addEventListener("submit", async (event) => {
    event.preventDefault();
    start.disabled = true;
    showProblem(problemPlace, null);
    showState(view, OFF_AIR.checking);
    try {
      await begin();
    } catch (problem) {
      showState(view, OFF_AIR.idle);
      status.textContent = "";
      showProblem(problemPlace, problem instanceof Problem ? inWords(problem) : /** @type {Error} */ (problem));
      problemPlace.scrollIntoView({ block: "nearest" }); // on a phone it may be far above the button
      await waitAsLongAs(status, problem);
    } finally {
      const isLost = isFocusLost();
      start.disabled = false;
      if (isLost) focusNext(view);
    }
  });
}

/** @param {Person} view */
export function statusOf(view) {
  return element(`${view}-status`, HTMLParagraphElement);
}

/** Say when the time to wait is over. @param {HTMLElement} status @param {unknown} problem */
async function waitAsLongAs(status, problem) {
  const ms = problem instanceof Problem ? problem.retryAfterMs : 0;
  if (ms === 0) return;
  await new Promise((resolve) => setTimeout(resolve, ms));
  status.textContent = "You can try again now.";
}

/** The buttons and fields of a session, while it lasts. */
export class Controls {
  #listening = new AbortController();
  #problemPlace;

  /** @param {Person} view */
  constructor(view) {
    this.#problemPlace = element(`${view}-problem`, HTMLParagraphElement);
  }

  /** @param {EventTarget} target @param {string} type @param {(event: Event) => void} run */
  on(target, type, run) {
    target.addEventListener(type, run, { signal: this.#listening.signal });
  }

  /** Do what a control asks for, whenever it does. @param {EventTarget} target @param {string} type @param {() => Promise<unknown>} act */
  ask(target, type, act) {
    this.on(target, type, () => void this.attempt(act));
  }

  /** Something works: what did not is over. */
  forget() {
    showProblem(this.#problemPlace, null);
  }

  /** What is refused is shown. @param {() => Promise<unknown>} act */
  async attempt(act) {
    try {
      await act();
      this.forget();
    } catch (problem) {
      this.fail(problem);
    }
  }

  /** @param {unknown} problem */
  fail(problem) {
    showProblem(this.#problemPlace, /** @type {Error} */ (problem));
    this.#problemPlace.scrollIntoView({ block: "nearest" });
  }

  /** Copy a text when a button is clicked, and say so for a while. @param {string} button @param {string} place ids @param {() => string} text */
  copy(button, place, text) {
    /** @type {any} */
    let timer = null;
    this.ask(element(button, HTMLButtonElement), "click", async () => {
      clearTimeout(timer);
      showText(place, ""); // so that it is read out again
      try {
        await navigator.clipboard.writeText(text());
      } catch {
        throw new Error(CANNOT_COPY);
      }
      showText(place, "Copied.");
      timer = setTimeout(() => showText(place, ""), COPIED_MS);
    });
  }

  release() {
    this.#listening.abort();
  }
}

/** Change between a view's form and what it shows during a session. @param {Person} view @param {boolean} isLive */
export function showLive(view, isLive) {
  element(`${view}-form`, HTMLFormElement).hidden = isLive;
  element(`${view}-live`, HTMLDivElement).hidden = !isLive;
}

/** Show a text; one that is there already is not read out again. @param {string} id @param {string | number} text */
export function showText(id, text) {
  const place = element(id, HTMLElement);
  if (place.textContent !== String(text)) place.textContent = String(text);
}

/** Show numbers where the view has a place for them. @param {Person} view @param {Record<string, string | number>} numbers by name */
export function showNumbers(view, numbers) {
  for (const [name, number] of Object.entries(numbers)) {
    const place = document.getElementById(`${view}-${name}`);
    if (place) place.textContent = String(number);
  }
}

/** @param {HTMLElement} button @param {boolean} isPressed */
export function showPressed(button, isPressed) {
  button.setAttribute("aria-pressed", String(isPressed));
}
