/**
 * How much waits to be played, over the last seconds. The least of a window is what stands there all the time: jitter
 * moves single values up and down, and not the least of many.
 */

const BUCKET_SECONDS = 0.25;

export class Backlog {
  #bucketFrames;
  #buckets;
  #seenFrames = 0;
  #low = Infinity;
  #high = 0;
  /** The least and the most of each bucket, the oldest first. @type {{ low: number, high: number }[]} */
  #past = [];

  /** @param {number} sampleRate @param {number} seconds that are remembered */
  constructor(sampleRate, seconds) {
    this.#bucketFrames = sampleRate * BUCKET_SECONDS;
    this.#buckets = Math.ceil(seconds / BUCKET_SECONDS);
  }

  /** Take what waits after so many frames were played. Return whether there is something new to be read. @param {number} waiting @param {number} played frames */
  see(waiting, played) {
    this.#low = Math.min(this.#low, waiting);
    this.#high = Math.max(this.#high, waiting);
    this.#seenFrames += played;
    if (this.#seenFrames < this.#bucketFrames) return false;
    this.#past.push({ low: this.#low, high: this.#high });
    if (this.#past.length > this.#buckets) this.#past.shift();
    this.#startBucket();
    return true;
  }

  #startBucket() {
    this.#seenFrames = 0;
    this.#low = Infinity;
    this.#high = 0;
  }

  /** Return the least and the most of so many seconds, in frames; null until they have passed. @param {number} seconds */
  over(seconds) {
    const count = Math.ceil(seconds / BUCKET_SECONDS);
    if (this.#past.length < count) return null;
    const last = this.#past.slice(-count);
    return { low: Math.min(...last.map(({ low }) => low)), high: Math.max(...last.map(({ high }) => high)) };
  }

  /** Forget all: what is remembered is no longer comparable. */
  clear() {
    this.#past = [];
    this.#startBucket();
  }
}
