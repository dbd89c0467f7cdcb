/**
 * What somebody hears: the chunks of one channel at a time, put in order and given to a player; and the recording of
 * what was heard. The player, clocks and timers are handed in.
 *
 * @import { Format } from "./pcm.js"
 * @import { Played } from "./jitter-buffer.js"
 *
 * @typedef {{ sequenceNumber: number, audioData: string, speakerTimestamp: number, language?: string }} Audio
 *
 * @typedef {object} Surroundings
 * @property {(chunk: Played) => number} play returns in how many seconds the chunk is heard
 * @property {() => number} clock milliseconds that never go back
 * @property {() => number} now milliseconds since the epoch
 * @property {(run: () => void, ms: number) => any} setTimer
 * @property {(timer: any) => void} clearTimer
 */

import { FLOOR } from "./channels.js";
import { JitterBuffer } from "./jitter-buffer.js";
import { durationMs, fromBase64, toWav } from "./pcm.js";

/** How long a chunk may be overtaken by. */
const DELAY_MS = 200;
/** What can be saved: the last ten minutes. */
const SAVED_MS = 10 * 60 * 1000;

export class Playback {
  #format;
  #world;
  #hears = FLOOR;
  #buffer = new JitterBuffer(DELAY_MS);
  /** Of the channels that were heard before. */
  #countsBefore = { played: 0, gaps: 0, late: 0, reordered: 0 };
  /** When a chunk was spoken. @type {Map<number, number>} */
  #spoken = new Map();
  #latencyMs = NaN;
  /** @type {{ bytes: Uint8Array, durationMs: number }[]} */
  #saved = [];
  #savedMs = 0;
  /** @type {any} */
  #timer = null;

  /** @param {Format} format @param {Surroundings} world */
  constructor(format, world) {
    this.#format = format;
    this.#world = world;
  }

  /** The language of the channel that is heard, or `FLOOR`. */
  get hears() {
    return this.#hears;
  }

  /** What happened to the chunks so far. */
  get numbers() {
    const now = this.#buffer.counts;
    const before = this.#countsBefore;
    return {
      played: before.played + now.played,
      reordered: before.reordered + now.reordered,
      gaps: before.gaps + now.gaps,
      late: before.late + now.late,
      waitingMs: this.#buffer.waitingMs,
      latencyMs: this.#latencyMs,
    };
  }

  /** Hear this channel from now on: another one has other numbers, and so has another interpreter. @param {string} channel */
  tuneTo(channel) {
    if (channel === this.#hears) return this.#buffer.expectRestart();
    this.#hears = channel;
    this.#countsBefore = this.numbers;
    this.#buffer = new JitterBuffer(DELAY_MS);
    this.#spoken.clear();
    this.#latencyMs = NaN;
  }

  /** Take a chunk; what is of another channel was on its way when that changed, and is not for this ear. @param {Audio} audio */
  take({ sequenceNumber, audioData, speakerTimestamp, language = FLOOR }) {
    if (language !== this.#hears) return;
    const bytes = fromBase64(audioData);
    this.#buffer.push({ sequenceNumber, durationMs: durationMs(bytes.length, this.#format), bytes }, this.#world.clock());
    this.#spoken.set(sequenceNumber, speakerTimestamp);
    this.#playDue();
  }

  #playDue() {
    this.#world.clearTimer(this.#timer);
    for (const chunk of this.#buffer.take(this.#world.clock())) {
      this.#measure(chunk.sequenceNumber, this.#world.play(chunk));
      this.#keep(chunk.bytes ?? this.#silence(chunk.durationMs), chunk.durationMs);
    }
    const { due } = this.#buffer;
    if (due !== null) this.#timer = this.#world.setTimer(() => this.#playDue(), Math.max(0, due - this.#world.clock()));
  }

  /** @param {number} number @param {number} seconds until it is heard */
  #measure(number, seconds) {
    const when = this.#spoken.get(number);
    this.#spoken.delete(number);
    if (this.#spoken.size > 1000) this.#spoken.clear();
    if (when === undefined) return;
    const now = this.#world.now() + seconds * 1000 - when;
    this.#latencyMs = Number.isNaN(this.#latencyMs) ? now : this.#latencyMs + (now - this.#latencyMs) / 10;
  }

  /** @param {number} ms */
  #silence(ms) {
    const { encoding, sampleRate } = this.#format;
    const frameBytes = 1000 / (durationMs(1, this.#format) * sampleRate);
    const bytes = new Uint8Array(Math.round((ms * sampleRate) / 1000) * frameBytes);
    return encoding === "pcm_mulaw" ? bytes.fill(0xff) : bytes;
  }

  /** @param {Uint8Array} bytes @param {number} ms */
  #keep(bytes, ms) {
    this.#saved.push({ bytes, durationMs: ms });
    this.#savedMs += ms;
    while (this.#savedMs > SAVED_MS) this.#savedMs -= this.#saved.shift()?.durationMs ?? this.#savedMs;
  }

  /** Return a WAV file of what was heard, whatever its channel. */
  recording() {
    return toWav(this.#saved.map(({ bytes }) => bytes), this.#format);
  }

  /** Forget what waits. */
  reset() {
    this.#buffer.reset();
  }

  stop() {
    this.#world.clearTimer(this.#timer);
  }
}
