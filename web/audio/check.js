/** A microphone that somebody tries: its samples, and on request its sound. Nothing is sent. */

import { openMicrophone } from "./microphone.js";

/** 85 ms at 48 kHz: who reads more often misses none. */
const SAMPLES = 4096;

export class Check {
  #stream;
  #context;
  #analyser;
  #source;
  #samples = new Float32Array(SAMPLES);

  /** @param {MediaStream} stream @param {AudioContext} context @param {() => void} lost */
  constructor(stream, context, lost) {
    this.#stream = stream;
    this.#context = context;
    this.#source = context.createMediaStreamSource(stream);
    this.#analyser = context.createAnalyser();
    this.#analyser.fftSize = SAMPLES;
    this.#source.connect(this.#analyser);
    for (const track of stream.getTracks()) track.addEventListener("ended", lost);
  }

  /**
   * Open a microphone for it; `lost` is run if that goes away.
   *
   * @param {boolean} clean @param {string} deviceId @param {() => void} lost
   */
  static async open(clean, deviceId, lost) {
    const stream = await openMicrophone(clean, deviceId);
    const context = new AudioContext();
    void context.resume();
    return new Check(stream, context, lost);
  }

  /** Return the newest samples; the next call overwrites them. */
  read() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    return this.#samples;
  }

  /** Let the person hear the microphone, or not any more. @param {boolean} isHeard @param {string} output empty: the default */
  async setHeard(isHeard, output) {
    this.#source.disconnect();
    this.#source.connect(this.#analyser);
    if (!isHeard) return;
    await /** @type {{ setSinkId?: (id: string) => Promise<void> }} */ (this.#context).setSinkId?.(output);
    this.#source.connect(this.#context.destination);
  }

  /** Give the microphone back. */
  close() {
    for (const track of this.#stream.getTracks()) track.stop();
    void this.#context.close();
  }
}
