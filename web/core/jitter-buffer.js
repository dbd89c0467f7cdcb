/**
 * Puts chunks back in order. A chunk waits a little, so that one that was overtaken can still come
 * in time; one that does not is a gap, and when it comes after all, it is late and dropped. What a
 * stall piled up is played a little faster, until the delay is again what it was.
 *
 * All times are milliseconds on a clock of the caller's.
 *
 * @typedef {{ sequenceNumber: number, durationMs: number, bytes: Uint8Array }} Chunk
 * @typedef {{ sequenceNumber: number, durationMs: number, rate: number, bytes: Uint8Array | null }} Played
 * null for a gap; `rate`: how much faster than it was spoken
 */

/** So many missing in a row are a pause, not a gap that one waits through. */
const MAX_GAP_CHUNKS = 10;
/** So many old ones in a row: the numbers began anew. */
const RESTART_AFTER = 20;
/** Live beats complete: after a stall, what is older than this is left out. */
const MAX_WAITING_MS = 2000;
/** So much more than the delay is worth catching up with, at a rate that few notice. */
const PILED_UP_MS = 200;
const CATCH_UP_RATE = 1.03;
/** How many gaps are remembered, to tell what is late from what comes twice. */
const MAX_REMEMBERED = 1000;

export class JitterBuffer {
  #delayMs;
  /** @type {Map<number, Chunk>} */
  #waiting = new Map();
  /** @type {Set<number>} */
  #missed = new Set();
  /** The number to be played next; null before the first chunk. @type {number | null} */
  #next = null;
  #highest = -1;
  #due = 0;
  #durationMs = 0;
  #started = false;
  #oldInARow = 0;
  #mayRestart = false;
  #counts = { played: 0, gaps: 0, late: 0, repeated: 0, reordered: 0, skipped: 0 };

  /** @param {number} delayMs how long the first chunk waits for those that it overtook */
  constructor(delayMs) {
    this.#delayMs = delayMs;
  }

  /** What happened to the chunks so far. */
  get counts() {
    return { ...this.#counts };
  }

  /** How many milliseconds of audio wait. */
  get waitingMs() {
    return [...this.#waiting.values()].reduce((sum, chunk) => sum + chunk.durationMs, 0);
  }

  /** When `take` has something to give, or null while nothing waits. */
  get due() {
    return this.#waiting.size > 0 ? this.#due : null;
  }

  /**
   * @param {Chunk} chunk
   * @param {number} now
   */
  push(chunk, now) {
    const number = chunk.sequenceNumber;
    if (this.#waiting.has(number)) {
      this.#counts.repeated++;
      return;
    }
    if (this.#started && this.#isOld(number)) return;
    if (this.#waiting.size === 0 && (!this.#started || now >= this.#due)) this.#due = now + this.#delayMs;
    if (number < this.#highest) this.#counts.reordered++;
    this.#highest = Math.max(this.#highest, number);
    this.#oldInARow = 0;
    this.#waiting.set(number, chunk);
    // Until the first one is played, an earlier one may still become the first.
    if (!this.#started) this.#next = Math.min(this.#next ?? number, number);
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

  /**
   * Return what is to be played now, in order; to be called when `due` has come.
   *
   * @param {number} now
   * @returns {Played[]}
   */
  take(now) {
    /** @type {Played[]} */
    const played = [];
    while (this.#waiting.size > 0 && now >= this.#due) played.push(this.#playNext());
    return played;
  }

  /** @returns {Played} */
  #playNext() {
    const number = this.#nextNumber();
    const chunk = this.#waiting.get(number);
    if (chunk) this.#counts.played++;
    else this.#miss(number);
    this.#waiting.delete(number);
    this.#started = true;
    this.#next = number + 1;
    this.#durationMs = chunk?.durationMs ?? this.#durationMs;
    const rate = this.waitingMs > this.#delayMs + PILED_UP_MS ? CATCH_UP_RATE : 1;
    this.#due += this.#durationMs / rate;
    return { sequenceNumber: number, durationMs: this.#durationMs, rate, bytes: chunk?.bytes ?? null };
  }

  /** Return the number to be played, beyond what a stall made old and a pause left out. */
  #nextNumber() {
    const tooMuch = this.waitingMs > MAX_WAITING_MS;
    while (tooMuch && this.waitingMs > Math.max(this.#delayMs, this.#durationMs)) {
      this.#waiting.delete(this.#earliest());
      this.#counts.skipped++;
    }
    const earliest = this.#earliest();
    const next = this.#next ?? earliest;
    if (!tooMuch && earliest - next <= MAX_GAP_CHUNKS) return next;
    if (!tooMuch) this.#counts.gaps += earliest - next;
    return earliest;
  }

  #earliest() {
    return Math.min(...this.#waiting.keys());
  }

  /** @param {number} number */
  #miss(number) {
    this.#counts.gaps++;
    this.#missed.add(number);
    const [oldest = number] = this.#missed;
    if (this.#missed.size > MAX_REMEMBERED) this.#missed.delete(oldest);
  }

  /** Forget what waits, and take the next chunk, whatever its number, as the first. */
  reset() {
    this.#waiting.clear();
    this.#missed.clear();
    this.#next = null;
    this.#highest = -1;
    this.#started = false;
    this.#oldInARow = 0;
    this.#mayRestart = false;
  }
}
