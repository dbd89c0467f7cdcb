/**
 * What somebody hears: the chunks of one channel at a time, given to the audio thread; and, from what that says to have
 * played, the delay and the recording of what was heard. The audio thread and clocks are handed in.
 *
 * @import { Format } from "./pcm.js"
 *
 * @typedef {{ sequenceNumber: number, audioData: string, speakerTimestamp: number, language?: string }} Audio
 *
 * @typedef {{ sequenceNumber: number, bytes: Uint8Array<ArrayBuffer>, speakerTimestamp: number, language: string }} Sent a chunk as it was sent
 * @typedef {{ sent: Sent | null, durationMs: number, contextTime: number }} Played a chunk that begins to be played, or a gap that is over: then `sent` is null
 * @typedef {{ played: number, gaps: number, late: number, repeated: number, reordered: number, skipped: number, waitingMs: number }} Numbers
 * @typedef {{ played: Played[], numbers: Numbers }} Report of the audio thread
 *
 * @typedef {object} Output
 * @property {(chunk: Sent) => boolean} give a chunk to be played; returns false, and does not take it, while nothing is played
 * @property {() => void} reset forget what waits
 * @property {() => void} expectRestart of the numbers
 * @property {(contextTime: number) => number} untilHeard returns in how many milliseconds
 *
 * @typedef {object} Clocks
 * @property {() => number} clock milliseconds that never go back
 * @property {() => number} now milliseconds since the epoch
 */

import { FLOOR } from "../channels.js";
import { durationMs, fromBase64, toWav } from "./pcm.js";

/** What can be saved: the last ten minutes. */
const SAVED_MS = 10 * 60 * 1000;
/** A delay that was measured longer ago is not that of now: the speaker paused since. */
const STALE_MS = 2000;

export class Playback {
  #format;
  #output;
  #clocks;
  #hears = FLOOR;
  /** @type {Numbers} */
  #numbers = { played: 0, gaps: 0, late: 0, repeated: 0, reordered: 0, skipped: 0, waitingMs: 0 };
  /** Chunks that came while nothing was played. */
  #refused = 0;
  #latencyMs = NaN;
  /** Until when the last chunk that began is heard. */
  #heardUntil = 0;
  /** @type {{ bytes: Uint8Array, durationMs: number }[]} */
  #saved = [];
  #savedMs = 0;

  /** @param {Format} format @param {Output} output @param {Clocks} clocks */
  constructor(format, output, clocks) {
    this.#format = format;
    this.#output = output;
    this.#clocks = clocks;
  }

  /** The language of the channel that is heard, or `FLOOR`. */
  get hears() {
    return this.#hears;
  }

  /** When somebody's voice was last heard, on the clock that never goes back; 0 before. */
  get lastHeardAt() {
    return Math.min(this.#heardUntil, this.#clocks.clock());
  }

  /** What happened to the chunks so far. `latencyMs` is NaN while nothing is heard. */
  get numbers() {
    const isStale = this.#clocks.clock() - this.#heardUntil > STALE_MS;
    return { ...this.#numbers, skipped: this.#numbers.skipped + this.#refused, latencyMs: isStale ? NaN : this.#latencyMs };
  }

  /** Hear this channel from now on: another one has other numbers, and so has another interpreter. @param {string} channel */
  tuneTo(channel) {
    if (channel === this.#hears) return this.#output.expectRestart();
    this.#hears = channel;
    this.reset();
  }

  /** Take a chunk; what is of another channel was on its way when that changed, and is not for this ear. @param {Audio} audio */
  take({ sequenceNumber, audioData, speakerTimestamp, language = FLOOR }) {
    if (language !== this.#hears) return;
    if (!this.#output.give({ sequenceNumber, bytes: fromBase64(audioData), speakerTimestamp, language })) this.#refused++;
  }

  /** Take what the audio thread says. @param {Report} report */
  report({ played, numbers }) {
    this.#numbers = numbers;
    for (const { sent, durationMs, contextTime } of played) {
      this.#keep(sent?.bytes ?? this.#silence(durationMs), durationMs);
      if (sent) this.#measure(sent, durationMs, this.#output.untilHeard(contextTime));
    }
  }

  /** @param {Sent} sent @param {number} durationMs @param {number} ms until it is heard */
  #measure({ speakerTimestamp, language }, durationMs, ms) {
    this.#heardUntil = this.#clocks.clock() + ms + durationMs;
    if (language !== this.#hears) return;
    const now = this.#clocks.now() + ms - speakerTimestamp;
    this.#latencyMs = Number.isNaN(this.#latencyMs) ? now : this.#latencyMs + (now - this.#latencyMs) / 4;
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

  /** Be silent, and forget what waits. */
  reset() {
    this.#output.reset();
    this.#latencyMs = NaN;
  }
}
