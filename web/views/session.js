/**
 * What the views of a speaker, a listener and an interpreter have in common: a form that begins a session, the
 * connection that carries it, and buttons that ask for something.
 *
 * @import { Config } from "../main.js"
 * @import { State, World } from "../core/client.js"
 * @import { Person } from "../core/invitation.js"
 * @import { CreateSession, JoinAsInterpreter, JoinSession, ServerMessage, ServerMessages } from "../protocol/declared.js"
 * @import { REPLIES } from "../protocol/declared.js"
 *
 * @typedef {{ code?: string, message: string }} Said a problem, in words for the person
 * @typedef {object} Session
 * @property {(message: ServerMessage) => void} hear
 * @property {() => void} close
 * @property {() => void} [show] run when the connection is another way
 */

import { Client, Problem } from "../core/client.js";
import { announceProblem, element, focusNext, isFocusLost, showProblem } from "./dom.js";

const COPIED_MS = 4_000;

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
    try {
      await begin();
    } catch (problem) {
      status.textContent = "";
      showProblem(problemPlace, problem instanceof Problem ? inWords(problem) : /** @type {Error} */ (problem));
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

/**
 * Connect and begin with `message`; what `run` makes of the reply gets all messages, and is closed at the end.
 *
 * @template {CreateSession | JoinSession | JoinAsInterpreter} M
 * @template {Session} S
 * @param {Person} view @param {Config} config @param {World} world @param {M} message
 * @param {(client: Client, reply: ServerMessages[typeof REPLIES[M["action"]]]) => S} run
 * @param {(problem: Problem) => Said | null} inWords null: it is said elsewhere
 */
export async function connect(view, config, world, message, run, inWords = (problem) => problem) {
  /** What came before the session was set up. @type {ServerMessage[]} */
  const early = [];
  /** @type {S | null} */
  let session = null;
  const problemPlace = element(`${view}-problem`, HTMLParagraphElement);
  const hurry = () => client.hurry();
  const client = new Client(config.url, world, {
    state: (state, waitMs) => {
      statusOf(view).textContent = connectionText(state, waitMs);
      if (state === "open") showProblem(problemPlace, null);
      session?.show?.();
      if (state !== "ended") return;
      removeEventListener("online", hurry);
      session?.close();
    },
    message: (one) => (session ? session.hear(one) : early.push(one)),
    problem: (problem) => {
      const said = inWords(problem);
      if (said === null) return;
      showProblem(problemPlace, said);
      announceProblem(problem);
    },
  });
  try {
    const reply = await client.begin(message);
    session = run(client, reply);
    early.forEach(session.hear);
    addEventListener("online", hurry);
    return { client, session };
  } catch (problem) {
    client.end();
    throw problem;
  }
}

/** Say how the connection is. @param {State} state @param {number} waitMs */
function connectionText(state, waitMs) {
  return {
    new: "",
    connecting: "Connecting…",
    open: "Connected.",
    waiting: `The connection broke. Trying again in ${Math.max(1, Math.round(waitMs / 1000))} s…`,
    ended: "Not connected.",
  }[state];
}

/** The buttons and fields of a session, while it lasts. */
export class Controls {
  #listening = new AbortController();
  #problemPlace;

  /** @param {Person} view */
  constructor(view) {
    this.#problemPlace = element(`${view}-problem`, HTMLParagraphElement);
  }

  /** @param {HTMLElement} target @param {string} type @param {(event: Event) => void} run */
  on(target, type, run) {
    target.addEventListener(type, run, { signal: this.#listening.signal });
  }

  /** Do what a control asks for, whenever it does. @param {HTMLElement} target @param {string} type @param {() => Promise<unknown>} act */
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
      showProblem(this.#problemPlace, /** @type {Error} */ (problem));
    }
  }

  /** Copy a text when a button is clicked, and say so for a while. @param {string} button @param {string} place ids @param {() => string} text */
  copy(button, place, text) {
    /** @type {any} */
    let timer = null;
    this.ask(element(button, HTMLButtonElement), "click", async () => {
      clearTimeout(timer);
      showText(place, ""); // so that it is read out again
      await navigator.clipboard.writeText(text());
      showText(place, "Copied.");
      timer = setTimeout(() => showText(place, ""), COPIED_MS);
    });
  }

  release() {
    this.#listening.abort();
  }
}

/** @param {Person} view @param {ServerMessage} message */
export function showWarning(view, message) {
  if (message.type !== "connectionWarning") return;
  statusOf(view).textContent = `This connection ends in ${message.remainingMinutes} minutes; the page opens another.`;
}

/** Change between a view's form and what it shows during a session. @param {Person} view @param {boolean} isLive */
export function showLive(view, isLive) {
  element(`${view}-form`, HTMLFormElement).hidden = isLive;
  element(`${view}-live`, HTMLDivElement).hidden = !isLive;
}

/** @param {string} id @param {string | number} text */
export function showText(id, text) {
  element(id, HTMLElement).textContent = String(text);
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
