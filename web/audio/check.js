/** A microphone that somebody tries: its samples, and on request its sound. Nothing is sent. */

import { openMicrophone } from "./microphone.js";
import { Sink } from "./sink.js";

/** 85 ms at 48 kHz: who reads more often misses none. */
const SAMPLES = 4096;

export class Check {
  #stream;
  #context;
  #analyser;
  #heard;
  #sink;
  #samples = new Float32Array(SAMPLES);

  /** @param {MediaStream} stream @param {AudioContext} context @param {() => void} lost */
  constructor(stream, context, lost) {
    this.#stream = stream;
    this.#context = context;
    const source = context.createMediaStreamSource(stream);
    this.#analyser = context.createAnalyser();
    this.#analyser.fftSize = SAMPLES;
    source.connect(this.#analyser);
    this.#heard = context.createGain();
    this.#heard.gain.value = 0;
    source.connect(this.#heard);
    this.#sink = new Sink(context, this.#heard, () => {});
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
    this.#heard.gain.value = isHeard ? 1 : 0;
    if (isHeard) await this.#sink.use(output).catch(() => {}); // then it is heard on the default one
  }

  /** Give the microphone back. */
  close() {
    for (const track of this.#stream.getTracks()) track.stop();
    this.#sink.close();
    void this.#context.close();
  }
}
