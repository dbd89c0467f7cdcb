/**
 * Makes captions of what somebody types: partial ones while a line is typed, not too many, and a final one when it is
 * done. A partial one of one blank takes back a line that was erased. Timers and names of segments are handed in.
 *
 * @typedef {{ segmentId: string, text: string, isFinal: boolean }} Written
 *
 * @typedef {object} Surroundings
 * @property {(caption: Written) => boolean} send false if it could not be sent
 * @property {() => string} newSegment a name that nobody else gives
 * @property {(run: () => void, ms: number) => any} setTimer
 * @property {(timer: any) => void} clearTimer
 */

/** Two partial captions a second: 20 captions may be sent, and readers follow no more. */
const PARTIAL_MS = 500;
/** No caption is empty. */
const TAKEN_BACK = " ";

export class CaptionWriter {
  #world;
  #segmentId;
  #typed = "";
  #sent = "";
  /** Runs while no partial one may be sent. @type {any} */
  #timer = null;

  /** @param {Surroundings} world */
  constructor(world) {
    this.#world = world;
    this.#segmentId = world.newSegment();
  }

  /** The line is this now. @param {string} text */
  type(text) {
    this.#typed = text.trim();
    if (this.#timer === null) this.#sendPartial();
  }

  #sendPartial() {
    this.#timer = null;
    if (this.#typed === this.#sent) return;
    const caption = { segmentId: this.#segmentId, text: this.#typed || TAKEN_BACK, isFinal: false };
    if (this.#world.send(caption)) this.#sent = this.#typed;
    this.#timer = this.#world.setTimer(() => this.#sendPartial(), PARTIAL_MS);
  }

  /** The line is done. Return its caption; null if there is nothing in it, or it could not be sent. @param {string} text */
  finish(text) {
    this.stop();
    this.#typed = text.trim();
    const caption = { segmentId: this.#segmentId, text: this.#typed, isFinal: true };
    if (caption.text === "") this.#sendPartial();
    if (caption.text === "" || !this.#world.send(caption)) return null;
    this.#segmentId = this.#world.newSegment();
    this.#typed = this.#sent = "";
    return caption;
  }

  /** Send no more partial ones. */
  stop() {
    this.#world.clearTimer(this.#timer);
    this.#timer = null;
  }
}
