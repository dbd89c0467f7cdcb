/**
 * A microphone, or a recording that stands in for one, as chunks of raw audio.
 *
 * @typedef {{ bytes: Uint8Array, level: number }} Captured
 * @typedef {{ sampleRate: number, chunkMs: number, onChunk: (chunk: Captured) => void }} Options
 */

import { openMicrophone } from "./microphone.js";

export class Capture {
  #context;
  #source;
  /** The microphone's. @type {MediaStreamTrack | null} */
  #track;

  /** @param {AudioContext} context @param {AudioNode} source @param {MediaStreamTrack | null} track */
  constructor(context, source, track) {
    this.#context = context;
    this.#source = source;
    this.#track = track;
  }

  /**
   * Capture from a microphone, which the browser asks the person for.
   *
   * @param {boolean} clean whether the browser reduces echo and noise @param {string} deviceId empty: the default
   */
  static async microphone(clean, deviceId) {
    const context = new AudioContext();
    try {
      const stream = await openMicrophone(clean, deviceId);
      const [track = null] = stream.getAudioTracks();
      return new Capture(context, context.createMediaStreamSource(stream), track);
    } catch (error) {
      await context.close();
      throw error;
    }
  }

  /** Play a recording over and over, unheard. @param {string} url */
  static async recording(url) {
    const context = new AudioContext();
    try {
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
      const source = context.createBufferSource();
      source.buffer = await context.decodeAudioData(await answer.arrayBuffer());
      source.loop = true;
      return new Capture(context, source, null);
    } catch (error) {
      await context.close();
      throw error;
    }
  }

  /** How the source is: the browser may wait for a tap, the device may interrupt it, or be gone. @returns {"running" | "blocked" | "interrupted" | "lost"} */
  get state() {
    if (this.#track?.readyState === "ended") return "lost";
    if (this.#track?.muted || /** @type {string} */ (this.#context.state) === "interrupted") return "interrupted";
    return this.#context.state === "running" ? "running" : "blocked";
  }

  /** Go on, if the browser lets it: after a tap it does. */
  resume() {
    if (this.#context.state !== "closed" && this.#context.state !== "running") this.#context.resume().catch(() => {}); // what became of it, the state says
  }

  /** Give out chunks from now on. @param {Options} options */
  async start({ sampleRate, chunkMs, onChunk }) {
    await this.#context.audioWorklet.addModule("audio/capture-worklet.js");
    const processorOptions = { sampleRate, chunkSamples: (sampleRate * chunkMs) / 1000 };
    const node = new AudioWorkletNode(this.#context, "capture", { processorOptions });
    node.port.onmessage = ({ data }) => onChunk(data);
    // Connected so that it is run; what it gives out is silence.
    this.#source.connect(node).connect(this.#context.destination);
    this.#context.onstatechange = () => this.resume();
    this.resume();
    if (this.#source instanceof AudioBufferSourceNode) this.#source.start();
  }

  /** Give the microphone back. */
  stop() {
    this.#track?.stop();
    this.#context.onstatechange = null;
    if (this.#context.state !== "closed") void this.#context.close();
  }
}
