/**
 * Plays chunks one after the other, without a seam.
 *
 * @import { Format } from "../core/pcm.js"
 */

import { decode } from "../core/pcm.js";

/** Between giving a chunk to the audio thread and hearing it: what timers may be late by. */
const LEAD_SECONDS = 0.08;

export class Player {
  #format;
  #context;
  #gain;
  #until = 0;

  /** To be made while a person's click or key press is handled. @param {Format} format */
  constructor(format) {
    this.#format = format;
    // At the session's own rate: the browser resamples the whole stream, not chunk by chunk.
    this.#context = new AudioContext({ sampleRate: format.sampleRate });
    this.#gain = this.#context.createGain();
    this.#gain.connect(this.#context.destination);
    void this.#context.resume();
  }

  /**
   * Play after what was given before; a gap is a silence. Return in how many seconds it is heard.
   *
   * @param {import("../core/jitter-buffer.js").Played} chunk
   */
  play({ bytes, durationMs, rate }) {
    const { currentTime } = this.#context;
    const start = this.#until > currentTime ? this.#until : currentTime + LEAD_SECONDS;
    this.#until = start + durationMs / rate / 1000;
    if (bytes !== null && bytes.length > 0) this.#schedule(decode(bytes, this.#format), start, rate);
    return start - currentTime + (this.#context.outputLatency || 0);
  }

  /** @param {Float32Array<ArrayBuffer>[]} channels @param {number} start @param {number} rate */
  #schedule(channels, start, rate) {
    const buffer = this.#context.createBuffer(channels.length, channels[0]?.length ?? 0, this.#format.sampleRate);
    channels.forEach((samples, channel) => buffer.copyToChannel(samples, channel));
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.playbackRate.value = rate;
    source.connect(this.#gain);
    source.start(start);
  }

  /** @param {number} volume from 0 to 1 */
  setVolume(volume) {
    // A jump would click.
    this.#gain.gain.setTargetAtTime(volume, this.#context.currentTime, 0.02);
  }

  close() {
    void this.#context.close();
  }
}
