/**
 * Puts chunks back in order by their numbers, and counts what is missing, late, or comes twice. It knows no time: whoever
 * takes from it decides when.
 *
 * @typedef {{ sequenceNumber: number, frames: number }} Numbered
 */

/** So many missing in a row are a pause, not a gap that one waits through. */
const MAX_GAP_CHUNKS = 10;
/** So many old ones in a row: the numbers began anew. */
const RESTART_AFTER = 20;
/** How many gaps are remembered, to tell what is late from what comes twice. */
const MAX_REMEMBERED = 1000;

/** @template {Numbered} Chunk */
export class ChunkQueue {
  /** @type {Map<number, Chunk>} */
  #waiting = new Map();
  /** @type {Set<number>} */
  #missed = new Set();
  /** The number to be taken next; null before the first chunk. @type {number | null} */
  #next = null;
  #highest = -1;
  #frames = 0;
  #hasBegun = false;
  #oldInARow = 0;
  #mayRestart = false;
  #counts = { played: 0, gaps: 0, late: 0, repeated: 0, reordered: 0, skipped: 0 };

  /** What happened to the chunks so far. */
  get counts() {
    return { ...this.#counts };
  }

  /** How many frames wait. */
  get frames() {
    return this.#frames;
  }

  /** Whether the chunk waits whose number follows the last one. */
  get hasNext() {
    return this.#hasBegun && this.#next !== null && this.#waiting.has(this.#next);
  }

  /** The earliest chunk that waits. @returns {Chunk | undefined} */
  get earliest() {
    return this.#waiting.size === 0 ? undefined : this.#waiting.get(Math.min(...this.#waiting.keys()));
  }

  /** @param {Chunk} chunk */
  push(chunk) {
    const number = chunk.sequenceNumber;
    if (this.#waiting.has(number)) {
      this.#counts.repeated++;
      return;
    }
    if (this.#hasBegun && this.#isOld(number)) return;
    if (number < this.#highest) this.#counts.reordered++;
    this.#highest = Math.max(this.#highest, number);
    this.#oldInARow = 0;
    this.#waiting.set(number, chunk);
    this.#frames += chunk.frames;
    // Until the first one is taken, an earlier one may still become the first.
    if (!this.#hasBegun) this.#next = Math.min(this.#next ?? number, number);
  }

  /** @param {number} number */
  #isOld(number) {
    if (this.#next === null || number >= this.#next) return false;
    const isAnew = this.#mayRestart && this.#next - number > MAX_GAP_CHUNKS;
    if (!isAnew) {
      if (this.#missed.delete(number)) this.#counts.late++;
      else this.#counts.repeated++;
      this.#oldInARow++;
      if (this.#oldInARow < RESTART_AFTER) return true;
    }
    this.reset();
    return false;
  }

  /** Somebody else may be speaking: take the first chunk that is far back as the first of all. */
  expectRestart() {
    this.#mayRestart = true;
  }

  /** Whether the next one in order is missing while a later one waits, which is near enough to wait for it. */
  get isMissing() {
    const { earliest } = this;
    if (!this.#hasBegun || this.#next === null || earliest === undefined) return false;
    return earliest.sequenceNumber > this.#next && earliest.sequenceNumber - this.#next <= MAX_GAP_CHUNKS;
  }

  /** Give up the next one in order. */
  miss() {
    const number = this.#next ?? 0;
    this.#counts.gaps++;
    this.#missed.add(number);
    const [oldest = number] = this.#missed;
    if (this.#missed.size > MAX_REMEMBERED) this.#missed.delete(oldest);
    this.#next = number + 1;
  }

  /** Return the earliest chunk that waits; null for none. Those between it and the one before are counted as missing. */
  take() {
    const { earliest } = this;
    if (earliest === undefined) return null;
    this.#counts.gaps += earliest.sequenceNumber - (this.#next ?? earliest.sequenceNumber);
    this.#counts.played++;
    this.#remove(earliest);
    return earliest;
  }

  /** Leave out the earliest chunk. */
  skip() {
    const { earliest } = this;
    if (earliest === undefined) return;
    this.#counts.skipped++;
    this.#remove(earliest);
  }

  /** @param {Chunk} chunk */
  #remove({ sequenceNumber, frames }) {
    this.#waiting.delete(sequenceNumber);
    this.#frames -= frames;
    this.#hasBegun = true;
    this.#next = sequenceNumber + 1;
  }

  /** Forget what waits, and take the next chunk, whatever its number, as the first. */
  reset() {
    this.#waiting.clear();
    this.#missed.clear();
    this.#next = null;
    this.#highest = -1;
    this.#frames = 0;
    this.#hasBegun = false;
    this.#oldInARow = 0;
    this.#mayRestart = false;
  }
}
