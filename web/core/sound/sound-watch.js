/**
 * Whether a person's sound runs, and if not, why; seen from what a browser says of its audio context. That its clock stands
 * still it does not say: the context is "running" then, as when the audio process hangs.
 *
 * @typedef {"starting" | "running" | "blocked" | "interrupted" | "noDevice" | "failed"} Sound
 * blocked: the browser waits for a tap. interrupted: suspended by the system (a call, a lock screen), or standing still
 *
 * @typedef {{ state: string, contextTime: number, hasDevice: boolean }} Seen
 */

/** A browser that lets sound out does so sooner. */
const START_MS = 1000;
/** Shorter halts happen on a busy machine, and are over before they are read. */
const STILL_MS = 750;

export class SoundWatch {
  #startedAt;
  #contextTime = 0;
  #movedAt;
  #hasRun = false;
  #hasFailed = false;
  /** Whether samples are played, on a device or on none. */
  isRendering = false;
  /** @type {Sound} */
  sound = "starting";

  /** @param {number} now milliseconds, as in all that follows */
  constructor(now) {
    this.#startedAt = now;
    this.#movedAt = now;
  }

  /** It will not run any more. */
  fail() {
    this.#hasFailed = true;
    this.isRendering = false;
    this.sound = "failed";
  }

  /** @param {Seen} seen @param {number} now */
  see({ state, contextTime, hasDevice }, now) {
    if (this.#hasFailed) return;
    if (contextTime !== this.#contextTime) this.#movedAt = now;
    this.#contextTime = contextTime;
    const isStill = contextTime === 0 || now - this.#movedAt > STILL_MS;
    this.isRendering = state === "running" && !isStill;
    if (this.isRendering) this.#hasRun = true;
    this.sound = hasDevice ? this.#whetherItRuns(now) : "noDevice";
  }

  /** @param {number} now @returns {Sound} */
  #whetherItRuns(now) {
    if (this.isRendering) return "running";
    if (this.#hasRun) return "interrupted";
    return now - this.#startedAt <= START_MS ? "starting" : "blocked";
  }
}
