/**
 * The connection that carries a session of a speaker, a listener or an interpreter: a new one, or the one in which the page
 * was before it was loaded again.
 *
 * @import { Config } from "../main.js"
 * @import { State, Ticket, World } from "../core/client.js"
 * @import { Person } from "../core/invitation.js"
 * @import { Kept } from "../core/kept-session.js"
 * @import { CreateSession, JoinAsInterpreter, JoinSession, ServerMessage, ServerMessages } from "../protocol/declared.js"
 * @import { REPLIES } from "../protocol/declared.js"
 * @import { Said } from "./session.js"
 *
 * @typedef {object} Session
 * @property {(message: ServerMessage) => void} hear
 * @property {() => void} close
 * @property {() => void} show run when the connection is another way
 * @property {() => object} own what is kept for a page that is loaded again, beside the reply
 * @property {() => any} [reply] the reply as it is now, if it changes
 * @property {(problem: Problem) => boolean} [takeProblem] returns whether it shows a problem that nobody waits for
 *
 * @typedef {object} Place where a session is shown
 * @property {Person} view
 * @property {Config} config
 * @property {World} world
 * @property {(problem: Problem) => Said | null} [inWords] null: it is said elsewhere
 */

import { Client, Problem } from "../core/client.js";
import { KeptSession } from "../core/kept-session.js";
import { announceProblem, element, showProblem } from "./dom.js";
import { statusOf } from "./session.js";

/** What is not known at every change, such as how many chunks were sent, is kept so often. */
const KEEP_MS = 1_000;

/**
 * Connect and begin with `message`; what `run` makes of the reply gets all messages, and is closed at the end.
 *
 * @template {CreateSession | JoinSession | JoinAsInterpreter} M
 * @template {Session} S
 * @param {Place} place @param {M} message
 * @param {(client: Client, reply: ServerMessages[typeof REPLIES[M["action"]]]) => S} run
 */
export async function begin(place, message, run) {
  const carrier = new Carrier(place);
  try {
    const reply = await carrier.client.begin(message);
    await carrier.kept.begin();
    const session = run(carrier.client, reply);
    carrier.carry(session, reply);
    return { client: carrier.client, session };
  } catch (problem) {
    carrier.client.end();
    throw problem;
  }
}

/**
 * Be in the session again in which the page was before it was loaded again, if there was one; what `run` makes of what was
 * kept is shown at once, and gets all messages.
 *
 * @template {Session} S
 * @param {Place} place
 * @param {(client: Client, kept: Kept) => S} run
 */
export async function comeBack(place, run) {
  const carrier = new Carrier(place);
  if (!carrier.kept.isThere) return;
  const form = element(`${place.view}-form`, HTMLFormElement);
  form.hidden = true; // whoever is in a session begins no other one
  statusOf(place.view).textContent = "Going back to the session…";
  const kept = await carrier.kept.take();
  if (kept === null) {
    form.hidden = false;
    statusOf(place.view).textContent = "You are in a session in another tab, of which this one is a copy.";
    return;
  }
  try {
    carrier.carry(run(carrier.client, kept), kept.reply, kept.refreshToken);
    await carrier.client.comeBack({ sessionId: kept.reply.sessionId, refreshToken: kept.refreshToken }, place.view === "interpret");
  } catch (problem) {
    form.hidden = false;
    carrier.client.end();
    showProblem(problemPlaceOf(place.view), /** @type {Error} */ (problem));
  }
}

/** @param {Person} view */
function problemPlaceOf(view) {
  return element(`${view}-problem`, HTMLParagraphElement);
}

class Carrier {
  #place;
  /** @type {Session | null} */
  #session = null;
  #reply = {};
  /** @type {Ticket | null} */
  #ticket = null;
  /** What came before the session was set up. @type {ServerMessage[]} */
  #early = [];
  #listening = new AbortController();
  /** @type {any} */
  #keeping = null;
  client;
  kept;

  /** @param {Place} place */
  constructor(place) {
    this.#place = place;
    this.kept = new KeptSession(place.view, {
      storage: sessionStorage,
      locks: navigator.locks,
      timeout: (ms) => AbortSignal.timeout(ms),
      newId: () => crypto.randomUUID(),
    });
    this.client = new Client(place.config.url, place.world, {
      state: (state) => this.#showState(state),
      message: (message) => this.#take(message),
      problem: (problem) => this.#showProblem(problem),
      ticket: (ticket) => this.#takeTicket(ticket),
    });
  }

  /** @param {ServerMessage} message */
  #take(message) {
    if (message.type === "connectionWarning") {
      statusOf(this.#place.view).textContent = `This connection ends in ${message.remainingMinutes} minutes; the page opens another.`;
    }
    if (this.#session) this.#session.hear(message);
    else this.#early.push(message);
  }

  /** @param {Session} session @param {any} reply @param {string} refreshToken not used so far */
  carry(session, reply, refreshToken = reply.refreshToken) {
    this.#session = session;
    this.#reply = reply;
    this.#ticket = { sessionId: reply.sessionId, refreshToken };
    const { signal } = this.#listening;
    this.#early.splice(0).forEach(session.hear);
    addEventListener("online", () => this.#hurry(), { signal });
    element(`${this.#place.view}-now`, HTMLButtonElement).addEventListener("click", () => this.client.hurry(), { signal });
    addEventListener("pagehide", () => this.#keep(), { signal });
    this.#keeping = setInterval(() => this.#keep(), KEEP_MS);
    this.#keep();
  }

  #hurry() {
    this.client.hurry();
    this.client.check();
  }

  /** @param {Ticket | null} ticket */
  #takeTicket(ticket) {
    this.#ticket = ticket;
    if (ticket === null) this.kept.forget();
    else this.#keep();
  }

  #keep() {
    if (this.#ticket === null || this.#session === null) return;
    const { refreshToken: _, ...reply } = /** @type {any} */ (this.#session.reply?.() ?? this.#reply);
    this.kept.keep({ refreshToken: this.#ticket.refreshToken, reply, own: this.#session.own() });
  }

  /** @param {State} state */
  #showState(state) {
    statusOf(this.#place.view).textContent = connectionText(state);
    if (state === "open") showProblem(problemPlaceOf(this.#place.view), null);
    this.#session?.show();
    if (state !== "ended") return;
    this.#listening.abort();
    clearInterval(this.#keeping);
    this.kept.end();
    this.#session?.close();
  }

  /** @param {Problem} problem */
  #showProblem(problem) {
    if (this.#session?.takeProblem?.(problem)) return announceProblem(problem);
    const { inWords = (/** @type {Problem} */ one) => one } = this.#place;
    const said = inWords(problem);
    if (said === null) return;
    showProblem(problemPlaceOf(this.#place.view), said);
    announceProblem(problem);
  }
}

/** Say how the connection is. @param {State} state */
function connectionText(state) {
  return {
    new: "",
    connecting: "Connecting…",
    open: "Connected.",
    waiting: "The connection broke. The page tries again by itself.",
    ended: "Not connected.",
  }[state];
}
