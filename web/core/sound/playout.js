/**
 * Plays chunks one after the other, in order, without a seam, and near to the live edge. It is asked for samples, and these
 * are its only clock: all that waits, waits here, and a clock that stood still is noticed by what piled up meanwhile.
 *
 * - The first chunk waits for the target delay, and so does the first one after a pause.
 * - What is missing when its turn comes is a silence as long as a chunk; but if it comes meanwhile it is played, and all after it
 *   later. Each change between sound and silence is a short fade.
 * - Much more waiting than the target, all the time: whole chunks are left out, with a crossfade.
 * - A little more or less, all the time (two machines' clocks are never equal): it plays a little faster or slower.
 *
 * @import { Numbered } from "./chunk-queue.js"
 *
 * @typedef {Numbered & { samples: Float32Array[] }} Chunk samples channel by channel
 */

/**
 * A chunk that begins to be played, or a gap of so many frames that is over: then `chunk` is null. `index`: of its first sample
 * in what was asked for.
 *
 * @template {Chunk} C
 * @typedef {{ chunk: C | null, frames: number, index: number }} Played
 */

import { Backlog } from "./backlog.js";
import { ChunkQueue } from "./chunk-queue.js";
import { Crossfade } from "./crossfade.js";
import { Pace } from "./pace.js";

/** How long the first chunk waits for those that it overtook, and for what will come late. */
const TARGET_SECONDS = 0.2;
/** More does not wait: what is older is left out at once. Nothing is played while a context is suspended. */
const MAX_WAITING_SECONDS = 3;
/** Nothing to play for so long is a pause, after which the first chunk waits again. One that came late is played at once. */
const PAUSE_SECONDS = 0.5;
const FADE_SECONDS = 0.005;

/** So much more than the target for a second is worth leaving out what is old. */
const SKIP_SECONDS = 0.3;
const SKIP_AFTER_SECONDS = 1;
/** So much more or less than the target for ten seconds is worth another pace, until it is nearly as wanted. */
const DEAD_BAND_SECONDS = 0.06;
const NEARLY_SECONDS = 0.01;
const CORRECT_AFTER_SECONDS = 10;
/** What is too much or too little would be taken in over so long, at a pace that few notice. */
const CORRECT_OVER_SECONDS = 4;
const MAX_CORRECTION = 0.03;

/** @template {Chunk} C */
export class Playout {
  #sampleRate;
  /** @type {ChunkQueue<C>} */
  #queue = new ChunkQueue();
  #backlog;
  #pace;
  /** What is played now, if it is not silence. @type {C | null} */
  #chunk = null;
  #at = 0;
  /** The silence is that of a chunk which is missing. */
  #isGap = false;
  /** For how many frames nothing was to be played. */
  #idleFrames = Infinity;
  /** How many frames are left of the chunk or the silence; of a silence without an end, Infinity. */
  #left = Infinity;
  /** How long the chunks are. */
  #chunkFrames = 0;
  /** How many frames are to be left out. */
  #surplus = 0;
  #crossfade;
  /** @type {Played<C>[]} */
  #played = [];

  /** @param {number} sampleRate @param {number} channels */
  constructor(sampleRate, channels) {
    this.#sampleRate = sampleRate;
    this.#backlog = new Backlog(sampleRate, CORRECT_AFTER_SECONDS);
    this.#pace = new Pace(channels);
    this.#crossfade = new Crossfade(channels, this.#framesOf(FADE_SECONDS));
  }

  /** What happened to the chunks so far, and how much waits. */
  get numbers() {
    return { ...this.#queue.counts, waitingMs: (this.#waiting * 1000) / this.#sampleRate };
  }

  /** How many samples are played in the time of one. */
  get pace() {
    return this.#pace.current;
  }

  get #isIdle() {
    return this.#chunk === null && !this.#isGap;
  }

  get #waiting() {
    return this.#queue.frames + (this.#isIdle ? 0 : this.#left);
  }

  /** @param {number} seconds */
  #framesOf(seconds) {
    return Math.round(seconds * this.#sampleRate);
  }

  /** @param {C} chunk */
  push(chunk) {
    this.#queue.push(chunk);
    while (this.#queue.frames > this.#framesOf(MAX_WAITING_SECONDS)) this.#queue.skip();
    if (this.#isGap && this.#queue.hasNext) this.#left = 0;
    if (this.#left !== Infinity) return;
    this.#left = this.#idleFrames < this.#framesOf(PAUSE_SECONDS) ? 0 : this.#framesOf(TARGET_SECONDS);
  }

  /** Somebody else may be speaking: follow numbers that begin anew. */
  expectRestart() {
    this.#queue.expectRestart();
  }

  /** Be silent, forget what waits, and take the next chunk, whatever its number, as the first. */
  reset() {
    this.#queue.reset();
    this.#beSilent(Infinity);
    this.#idleFrames = Infinity;
  }

  /**
   * Fill the outputs, channel by channel. Return what was played in them.
   *
   * @param {Float32Array[]} outputs @returns {Played<C>[]}
   */
  pull(outputs) {
    this.#played = [];
    this.#pace.fill(outputs, (frame, index) => this.#read(frame, index));
    if (!this.#isIdle && this.#backlog.see(this.#waiting, outputs[0]?.length ?? 0)) this.#correct();
    return this.#played;
  }

  /** @param {Float32Array} frame to be filled @param {number} index */
  #read(frame, index) {
    while (this.#left <= 0) this.#goOn(index);
    const samples = this.#chunk?.samples ?? [];
    for (let channel = 0; channel < frame.length; channel++) frame[channel] = samples[channel]?.[this.#at] ?? 0;
    this.#crossfade.apply(frame);
    this.#at++;
    this.#left--;
    if (this.#isIdle) this.#idleFrames++;
  }

  /** Begin with what comes next. @param {number} index */
  #goOn(index) {
    if (this.#isGap && this.#queue.isMissing) {
      this.#queue.miss();
      this.#played.push({ chunk: null, frames: this.#chunkFrames, index });
    }
    const follows = this.#chunk !== null && this.#queue.hasNext;
    const skipped = this.#skip();
    if (this.#queue.isMissing) return this.#beSilent(this.#chunkFrames);
    const chunk = this.#queue.take();
    if (chunk === null) return this.#beSilent(Infinity);
    if (!follows) this.#crossfade.fromLast();
    else if (skipped) this.#crossfade.from(skipped.samples);
    // What was seen before a pause says nothing of what is now.
    if (this.#isIdle && this.#idleFrames >= this.#framesOf(PAUSE_SECONDS)) this.#backlog.clear();
    this.#chunk = chunk;
    this.#isGap = false;
    this.#at = 0;
    this.#left = this.#chunkFrames = chunk.frames;
    this.#played.push({ chunk, frames: chunk.frames, index });
  }

  /** @param {number} frames of a gap; Infinity: until there is something to play */
  #beSilent(frames) {
    this.#crossfade.fromLast();
    this.#chunk = null;
    this.#isGap = frames !== Infinity;
    this.#left = frames;
    if (this.#isGap) return;
    this.#idleFrames = 0;
    this.#surplus = 0;
    this.#backlog.see(0, 0);
  }

  /** Leave out chunks, if there are too many. Return the first of them. @returns {C | null} */
  #skip() {
    if (this.#surplus === 0) return null;
    // Whole chunks do not fit exactly.
    let surplus = Math.min(this.#surplus, this.#queue.frames - this.#framesOf(TARGET_SECONDS)) + this.#framesOf(DEAD_BAND_SECONDS);
    this.#surplus = 0;
    const first = this.#queue.earliest;
    for (let next = first; next !== undefined && next.frames <= surplus; next = this.#queue.earliest) {
      surplus -= next.frames;
      this.#queue.skip();
    }
    if (first === undefined || first === this.#queue.earliest) return null;
    this.#backlog.clear();
    return first;
  }

  /** See whether all is as it should be, and set right what is not. */
  #correct() {
    const target = this.#framesOf(TARGET_SECONDS);
    const { low = 0 } = this.#backlog.over(SKIP_AFTER_SECONDS) ?? {};
    this.#surplus = low - target > this.#framesOf(SKIP_SECONDS) ? low - target : 0;
    const all = this.#backlog.over(CORRECT_AFTER_SECONDS);
    this.#pace.wanted = all === null ? 1 : this.#paceFor(Math.max(0, all.low - target) + Math.min(0, all.high - target - this.#chunkFrames));
  }

  /** Return at which pace to go on. @param {number} surplus frames; less than 0: too few */
  #paceFor(surplus) {
    const isCorrecting = this.#pace.wanted !== 1;
    if (Math.abs(surplus) <= this.#framesOf(isCorrecting ? NEARLY_SECONDS : DEAD_BAND_SECONDS)) return 1;
    const change = surplus / this.#framesOf(CORRECT_OVER_SECONDS);
    return 1 + Math.max(-MAX_CORRECTION, Math.min(MAX_CORRECTION, change));
  }
}
