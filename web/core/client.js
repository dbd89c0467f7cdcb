/**
 * One person's connection to the system, through breaks and refreshes: requests and their replies,
 * heartbeats, reconnection. Sockets, clock, timers and chance are handed in.
 *
 * @import { ClientMessage, CreateSession, ErrorMessage, JoinAsInterpreter, JoinSession } from "../protocol/declared.js"
 * @import { SendAudio, SendCaption, ServerMessage, ServerMessages } from "../protocol/declared.js"
 *
 * @typedef {"new" | "connecting" | "open" | "waiting" | "ended"} State
 *
 * @typedef {object} Socket what is used of a browser's WebSocket
 * @property {number} bufferedAmount
 * @property {(text: string) => void} send
 * @property {(code?: number) => void} close
 * @property {((event: any) => void) | null} onopen
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onclose
 *
 * @typedef {object} World
 * @property {(url: string, protocols: string[]) => Socket} open
 * @property {string} origin of the page, which the API may refuse
 * @property {() => Promise<string | null>} token the access token that opens or joins a session, if one is needed; a `Problem` if there is none
 * @property {() => Promise<string | null>} returnToken the one that lets somebody back who has a refresh token, if one is needed
 * @property {() => number} random from 0 to 1
 * @property {() => number} clock milliseconds that never go back
 * @property {(run: () => void, ms: number) => any} setTimer
 * @property {(timer: any) => void} clearTimer
 *
 * @typedef {object} Listeners
 * @property {(state: State) => void} state
 * @property {(message: ServerMessage) => void} message whatever comes, replies too
 * @property {(problem: Problem) => void} problem what nobody waits for: an error, a gateway's message
 * @property {(ticket: Ticket | null) => void} [ticket] what the next connection takes over with, each time it is another one; null
 * while it is being used
 *
 * @typedef {{ sessionId: string, refreshToken: string }} Ticket
 */

import { LIMITS, ProtocolError, REPLIES, SUBPROTOCOL, isGatewayMessage, readMessage, writeMessage } from "../protocol/messages.js";

const REPLY_MS = 10_000;
/** To a caption nothing is answered but an error: after so long without one it has been sent. */
const SILENCE_MS = 3_000;
/** A browser waits for minutes, and for ever if the page's policy forbids the address. */
const OPEN_MS = 10_000;
const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 15_000;
const MAX_TRIES = 4;
/** Who has to wait longer is told, and asks again. */
const MAX_RETRY_AFTER_MS = 3_000;
/** Whoever waits for a first connection is to learn soon that there is none. */
const MAX_OPENINGS = 2;
/** More than this waiting in the socket, 15 chunks, is audio that comes too late: in one burst it would be refused. */
const MAX_BUFFERED_BYTES = 66_000;

const NO_ANSWER =
  "The system did not answer within 10 seconds. Check your network and try again; if it stays so, this page may be set to another address, or not be allowed to ask it: tell whoever runs the page.";

/** Of a refresh token. Whoever has it open hears so without having asked, when another one uses it again. */
const TOKEN_INVALID = "AUTH_TOKEN_INVALID";
const TAKEN_OVER = "This session was taken over elsewhere: its token was used there.";
/** Of an interpreter who is in the session no longer; where it comes back, if it may. */
const CLOSED = "CONNECTION_CLOSED";
const LANGUAGE_TAKEN = "SESSION_LANGUAGE_TAKEN";
const INTERPRETED_BY_ANOTHER = "Your connection was interrupted, and another interpreter has your language now.";
const PERHAPS_REMOVED = "The speaker ended your channel, or the break was too long. Ask the speaker for a new link.";
/** Of an access token, which only some systems want for that. */
const SIGN_IN_CODES = new Set(["AUTH_TOKEN_EXPIRED", "AUTH_MISSING_TOKEN"]);
const LOST_WITH_SIGN_IN =
  "The connection broke, and your sign-in has ended: you cannot come back to this session. Sign in again, and then start anew.";
export const ENDS_WITH_SIGN_IN = "Your sign-in has ended. The session goes on, but when this connection ends you cannot come back to it.";
/** Of a session that ended while nobody could be told. */
const INACTIVE = "SESSION_INACTIVE";
const PERHAPS_TAKEN_OVER = "This session was taken over elsewhere, or the break was too long.";

/** What went wrong: a code of ours, or one of GATEWAY, TIMEOUT, CONNECTION_LOST, PROTOCOL. */
export class Problem extends Error {
  /** @param {string} code @param {string} sentence @param {boolean} retryable @param {number} retryAfterMs not before; 0: nobody said */
  constructor(code, sentence, retryable, retryAfterMs = 0) {
    super(sentence);
    this.code = code;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
  }

  /** @param {ErrorMessage} message */
  static of(message) {
    const wait = /** @type {Record<string, unknown>} */ (message.details ?? {})["retryAfterMs"];
    return new Problem(message.code, message.message, message.retryable, typeof wait === "number" && wait > 0 ? wait : 0);
  }
}

export class Client {
  #url;
  #world;
  #listeners;
  /** @type {State} */
  #state = "new";
  /** @type {Socket | null} */
  #socket = null;
  /** Another connection is to become ours: a token is for one at a time. */
  #isTakingOver = false;
  /** What the next connection takes over with. @type {Ticket | null} */
  #ticket = null;
  /** @type {Map<string, { resolve: (reply: any) => void, reject: (problem: Problem) => void, timer: any, socket: Socket, askedAt: number }>} */
  #pending = new Map();
  #requests = 0;
  #failures = 0;
  /** Run when there is a connection again, or never will be. @type {(() => void)[]} */
  #whenSettled = [];
  /** Ends the wait for the next attempt. @type {(() => void) | null} */
  #stopWaiting = null;
  /** @type {any} */
  #heartbeatTimer = null;
  #isInterpreter = false;

  /**
   * @param {string} url
   * @param {World} world
   * @param {Listeners} listeners
   */
  constructor(url, world, listeners) {
    this.#url = url;
    this.#world = world;
    this.#listeners = listeners;
  }

  get state() {
    return this.#state;
  }

  /** How many milliseconds the oldest request has waited for its answer. */
  get unansweredMs() {
    const asked = [...this.#pending.values()].map(({ askedAt }) => askedAt);
    return Math.max(0, this.#world.clock() - Math.min(...asked));
  }

  /** Whether the network has taken all that was sent. */
  get isTaken() {
    return this.#socket !== null && this.#socket.bufferedAmount === 0;
  }

  /**
   * Connect, and open or join a session; from then on the session is kept through every break.
   *
   * @template {CreateSession | JoinSession | JoinAsInterpreter} M
   * @param {M} message
   * @returns {Promise<ServerMessages[typeof REPLIES[M["action"]]]>}
   */
  async begin(message) {
    await this.#connect();
    const reply = await this.request(message);
    this.#isInterpreter = message.action === "joinAsInterpreter";
    this.#setTicket({ sessionId: reply.sessionId, refreshToken: reply.refreshToken });
    if (this.#isInterpreter) this.#beat(); // sooner than it would
    return reply;
  }

  /** Be in a session again, in which a page was that is no more. @param {Ticket} ticket @param {boolean} isInterpreter */
  async comeBack(ticket, isInterpreter) {
    this.#ticket = ticket;
    this.#isInterpreter = isInterpreter;
    this.#enter("connecting");
    await this.#takeOver(this.#url);
    if (this.#socket === null && !this.#ended()) await this.#resume();
  }

  /** @param {Ticket} ticket */
  #setTicket(ticket) {
    this.#ticket = ticket;
    this.#listeners.ticket?.(ticket);
  }

  /** @returns {Promise<void>} */
  async #connect() {
    for (let tries = 1; ; tries++) {
      this.#enter("connecting");
      try {
        const socket = await this.#open(this.#url, await this.#world.token());
        if (this.#ended()) return socket.close(1000);
        this.#use(socket);
        return this.#beat();
      } catch (problem) {
        const again = problem instanceof Problem && problem.retryable && tries < MAX_OPENINGS;
        if (this.#ended() || !again) throw problem;
        this.#failures = tries;
        await this.#pause();
      }
    }
  }

  /** Open a socket, with what lets us in. @param {string} url @param {string | null} token */
  async #open(url, token) {
    const protocols = token === null ? [SUBPROTOCOL] : [SUBPROTOCOL, `bearer.${token}`];
    const socket = this.#world.open(url, protocols);
    /** @type {any} */
    let timer = null;
    try {
      await new Promise((resolve, reject) => {
        socket.onopen = () => resolve(undefined);
        socket.onclose = () => reject(new Problem("CONNECTION_LOST", this.#whyNotOpened(token !== null), true));
        timer = this.#world.setTimer(() => reject(new Problem("TIMEOUT", NO_ANSWER, false)), OPEN_MS);
      });
      return socket;
    } catch (problem) {
      socket.onopen = socket.onclose = null;
      socket.close();
      throw problem;
    } finally {
      this.#world.clearTimer(timer);
    }
  }

  /** A browser does not say why a connection was not opened. @param {boolean} hasToken */
  #whyNotOpened(hasToken) {
    const refused = hasToken ? "your sign-in, or pages" : "pages";
    return (
      `The connection could not be opened: the system cannot be reached, or refuses ${refused} of ${this.#world.origin}. ` +
      "Try again; if it stays so, whoever runs the system can look, and can allow this address (ALLOWED_ORIGINS)."
    );
  }

  #ended() {
    return this.#state === "ended";
  }

  /** @param {State} state */
  #enter(state) {
    if (this.#ended()) return;
    this.#state = state;
    this.#listeners.state(state);
    if (state === "open" || state === "ended") for (const run of this.#whenSettled.splice(0)) run();
  }

  /** @param {Socket} socket */
  #use(socket) {
    this.#socket = socket;
    this.#listen(socket);
    this.#failures = 0;
    this.#enter("open");
  }

  /** @param {Socket} socket */
  #listen(socket) {
    socket.onmessage = (event) => this.#receive(event.data, socket);
    socket.onclose = () => this.#lost(socket);
  }

  /** Wait before the next attempt: longer each time, and not all clients at once. */
  #pause() {
    const most = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (this.#failures - 1));
    const ms = Math.round(most * (0.5 + this.#world.random() / 2));
    this.#enter("waiting");
    return new Promise((resolve) => {
      const timer = this.#world.setTimer(() => this.hurry(), ms);
      this.#stopWaiting = () => {
        this.#world.clearTimer(timer);
        resolve(undefined);
      };
    });
  }

  /** Try now, when something says that the network is back. */
  hurry() {
    const stop = this.#stopWaiting;
    this.#stopWaiting = null;
    stop?.();
  }

  /** Ask whether the connection lives, when something says that it does not. */
  check() {
    if (this.#pending.size === 0) void this.#showLife();
  }

  /**
   * Send `message` and return its reply. What may be retried is, a few times, and not before the server says so; all
   * else is thrown, and what would keep a person waiting: whoever has a language may keep it for long.
   *
   * @template {Exclude<ClientMessage, SendAudio | SendCaption>} M
   * @param {M} message
   * @returns {Promise<ServerMessages[typeof REPLIES[M["action"]]]>}
   */
  async request(message) {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#ask(message, this.#socket);
      } catch (problem) {
        const again = problem instanceof Problem && problem.retryable && tries < MAX_TRIES && problem.retryAfterMs <= MAX_RETRY_AFTER_MS;
        if (!again || problem.code === LANGUAGE_TAKEN || this.#state !== "open") throw problem;
        await this.#backOff(problem, tries);
      }
    }
  }

  /** @param {Problem} problem @param {number} tries so far */
  #backOff({ retryAfterMs }, tries) {
    const ms = Math.max(retryAfterMs, FIRST_BACKOFF_MS * 2 ** (tries - 1) * (0.5 + this.#world.random() / 2));
    return new Promise((resolve) => this.#world.setTimer(() => resolve(undefined), ms));
  }

  /**
   * Send a caption that must not be lost: again if it may be retried or the connection breaks, a few times; all else is
   * thrown. That it comes twice then harms nobody.
   *
   * @param {SendCaption} caption
   * @returns {Promise<void>}
   */
  async deliver(caption) {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#ask(caption, this.#socket, true);
      } catch (problem) {
        const again = problem instanceof Problem && (problem.retryable || PASSING.has(problem.code) || problem.code === CLOSED);
        if (!again || tries === MAX_TRIES || this.#ended()) throw problem;
        await this.#backOff(problem, tries);
        if (this.#state !== "open") await new Promise((resolve) => this.#whenSettled.push(() => resolve(undefined)));
      }
    }
  }

  /**
   * @param {any} message @param {Socket | null} socket @param {boolean} isSilent nothing is answered but an error
   * @returns {Promise<any>}
   */
  #ask(message, socket, isSilent = false) {
    if (socket === null) throw new Problem("CONNECTION_LOST", "There is no connection just now.", false);
    const requestId = `page-${++this.#requests}`;
    const text = writeMessage({ ...message, requestId });
    return new Promise((resolve, reject) => {
      const timer = this.#world.setTimer(() => {
        this.#pending.delete(requestId);
        if (isSilent) resolve(undefined);
        else reject(new Problem("TIMEOUT", "No answer came.", false));
      }, isSilent ? SILENCE_MS : REPLY_MS);
      this.#pending.set(requestId, { resolve, reject, timer, socket, askedAt: isSilent ? Infinity : this.#world.clock() });
      socket.send(text);
    });
  }

  /**
   * Send a chunk of audio or a partial caption, to which nothing is answered; false if it had to be left out.
   *
   * @param {SendAudio | SendCaption} message
   */
  send(message) {
    if (this.#socket === null || this.#state !== "open" || this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) return false;
    this.#socket.send(writeMessage(message));
    return true;
  }

  /** @param {string} text @param {Socket} socket */
  #receive(text, socket) {
    let message;
    try {
      message = readMessage(text);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#listeners.problem(new Problem("PROTOCOL", `A message was not understood: ${error.message}`, false));
      return;
    }
    if (isGatewayMessage(message)) {
      this.#gatewayFailed(message.message, socket);
      return;
    }
    this.#settle(message);
    this.#listeners.message(message);
    this.#obey(message);
  }

  /** @param {ServerMessage} message */
  #settle(message) {
    const waiting = this.#forget(message.requestId);
    if (message.type !== "error") waiting?.resolve(message);
    else if (waiting) waiting.reject(Problem.of(message));
    else if (message.code === TOKEN_INVALID) this.#fail(new Problem(TOKEN_INVALID, TAKEN_OVER, false));
    else this.#listeners.problem(Problem.of(message));
  }

  /** @param {string | undefined} requestId */
  #forget(requestId) {
    const waiting = requestId === undefined ? undefined : this.#pending.get(requestId);
    if (requestId === undefined || waiting === undefined) return null;
    this.#pending.delete(requestId);
    this.#world.clearTimer(waiting.timer);
    return waiting;
  }

  /** API Gateway does not say which request it means. If one alone waits, it is that one. */
  #gatewayFailed(/** @type {string} */ sentence, /** @type {Socket} */ socket) {
    const problem = new Problem("GATEWAY", `The gateway says: ${sentence}`, false);
    const here = [...this.#pending].filter(([, one]) => one.socket === socket);
    const [only] = here;
    if (only && here.length === 1) this.#forget(only[0])?.reject(problem);
    else this.#listeners.problem(problem);
  }

  /** @param {ServerMessage} message */
  #obey(message) {
    if (message.type === "sessionEnded") this.end();
    if (message.type === "connectionRefreshRequired") void this.#refresh(this.#url);
    if (message.type === "connectionRefresh") void this.#refresh(message.newConnectionUrl);
  }

  #beat() {
    this.#world.clearTimer(this.#heartbeatTimer);
    const seconds = this.#isInterpreter ? LIMITS.interpreterHeartbeatSeconds : LIMITS.heartbeatSeconds;
    this.#heartbeatTimer = this.#world.setTimer(() => void this.#showLife(), seconds * 1000);
  }

  /** A connection that does not answer is broken, even if nobody noticed; so is one that is in no session any more. */
  async #showLife() {
    const socket = this.#socket;
    if (socket === null) return;
    this.#world.clearTimer(this.#heartbeatTimer);
    try {
      await this.#ask({ action: "heartbeat" }, socket);
    } catch (problem) {
      const isBroken = problem instanceof Problem && (problem.code === "TIMEOUT" || problem.code === CLOSED);
      if (isBroken && socket === this.#socket) {
        socket.onclose = null;
        socket.close();
        this.#lost(socket);
      }
    }
    if (socket === this.#socket) this.#beat();
  }

  /** @param {Socket} socket */
  #lost(socket) {
    for (const [requestId, one] of [...this.#pending]) {
      if (one.socket === socket) {
        this.#forget(requestId)?.reject(new Problem("CONNECTION_LOST", "The connection broke.", false));
      }
    }
    if (socket !== this.#socket) return;
    this.#socket = null;
    this.#world.clearTimer(this.#heartbeatTimer);
    if (!this.#ended() && !this.#isTakingOver) void this.#resume();
  }

  /** Connect again, and take the session over from the connection that broke. */
  async #resume() {
    if (this.#ticket === null) return this.end();
    while (!this.#ended() && this.#socket === null) {
      this.#failures++;
      await this.#pause();
      if (this.#ended()) return;
      this.#enter("connecting");
      await this.#takeOver(this.#url);
    }
  }

  /** Change to a new connection while the old one still works. @param {string} url */
  async #refresh(url) {
    if (this.#ticket === null || this.#isTakingOver || this.#state !== "open") return;
    await this.#takeOver(url);
    if (this.#socket === null && !this.#ended()) await this.#resume();
  }

  /**
   * Open a connection, and move onto it. The token is for one use: the answer brings the next one, and the first
   * message that follows, a heartbeat, ends the old one. Without an answer the old one is tried again.
   *
   * @param {string} url
   */
  async #takeOver(url) {
    this.#isTakingOver = true;
    /** @type {Socket | null} */
    let socket = null;
    try {
      socket = await this.#open(url, await this.#world.returnToken());
      if (this.#ended()) return socket.close(1000);
      this.#listen(socket);
      this.#listeners.ticket?.(null);
      const { sessionId, refreshToken } = await this.#ask({ action: "refreshConnection", ...this.#ticket }, socket);
      this.#setTicket({ sessionId, refreshToken });
      const old = this.#socket;
      if (this.#ended()) socket.close(1000);
      else this.#moveTo(socket);
      old?.close(1000);
    } catch (problem) {
      if (socket) {
        socket.onclose = socket.onmessage = null;
        socket.close();
      }
      if (!isFinal(problem)) return;
      // The connection of before is good for some minutes more.
      if (this.#socket !== null && SIGN_IN_CODES.has(problem.code)) this.#listeners.problem(new Problem(problem.code, ENDS_WITH_SIGN_IN, false));
      else this.#fail(whatIsLost(problem, this.#isInterpreter));
    } finally {
      this.#isTakingOver = false;
    }
  }

  /** @param {Socket} socket */
  #moveTo(socket) {
    this.#socket = socket;
    this.#world.clearTimer(this.#heartbeatTimer);
    void this.#showLife(); // before whoever hears of it sends anything
    this.#use(socket);
  }

  /** @param {Problem} problem which nothing cures */
  #fail(problem) {
    this.#listeners.problem(problem);
    this.end();
  }

  /** Close for good. */
  end() {
    this.#enter("ended");
    this.hurry();
    this.#world.clearTimer(this.#heartbeatTimer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
    if (socket) this.#lost(socket);
  }
}

/** Say what a problem means for somebody who was in a session. @param {Problem} problem @param {boolean} isInterpreter */
function whatIsLost(problem, isInterpreter) {
  if (problem.code === TOKEN_INVALID) return new Problem(TOKEN_INVALID, isInterpreter ? PERHAPS_REMOVED : PERHAPS_TAKEN_OVER, false);
  if (problem.code === LANGUAGE_TAKEN) return new Problem(LANGUAGE_TAKEN, INTERPRETED_BY_ANOTHER, false);
  if (problem.code === INACTIVE) return new Problem("ENDED", "The session has ended.", false);
  return SIGN_IN_CODES.has(problem.code) ? new Problem(problem.code, LOST_WITH_SIGN_IN, false) : problem;
}

/** What another attempt may well cure, although no server said so. */
const PASSING = new Set(["CONNECTION_LOST", "TIMEOUT", "GATEWAY"]);

/** Whoever has lost a language waits for it no longer. @param {unknown} problem @returns {problem is Problem} */
function isFinal(problem) {
  if (!(problem instanceof Problem) || PASSING.has(problem.code)) return false;
  return !problem.retryable || problem.code === LANGUAGE_TAKEN;
}
