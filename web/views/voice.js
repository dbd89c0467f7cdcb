/**
 * The voice of a speaker or an interpreter: the sound that a form's person chose, shown in the meter and sent.
 *
 * @import { Config } from "../main.js"
 * @import { Client } from "../core/client.js"
 * @import { Captured } from "../audio/capture.js"
 */

import { Capture } from "../audio/capture.js";
import { toBase64 } from "../core/pcm.js";
import { element } from "./dom.js";
import { statusOf } from "./session.js";

/** What this page makes of a voice. */
export const FORMAT = /** @type {const} */ ({ encoding: "pcm_s16le", sampleRate: 16000, channels: 1 });
const CHUNK_MS = 100;

export class Voice {
  #capture;
  #meter;
  #nextNumber = 0;
  sent = 0;
  dropped = 0;

  /** @param {"speak" | "interpret"} view @param {Capture} capture */
  constructor(view, capture) {
    this.#capture = capture;
    this.#meter = element(`${view}-meter`, HTMLDivElement);
  }

  /**
   * Open what the form's field `source` names, and ask for the microphone if that is it; null for no sound.
   *
   * @param {"speak" | "interpret"} view @param {Config} config
   */
  static async open(view, config) {
    const form = new FormData(element(`${view}-form`, HTMLFormElement));
    if (form.get("source") === "none") return null;
    if (form.get("source") === "recording") return new Voice(view, await Capture.recording(config.sample ?? ""));
    statusOf(view).textContent = "Asking for the microphone…";
    try {
      return new Voice(view, await Capture.microphone(form.has("clean")));
    } catch {
      throw new Error("There is no microphone, or this page may not use it. Choose the recording, or allow the microphone.");
    }
  }

  /**
   * Send from now on, but for what is said while it `isSilent`. If this fails the client ends.
   *
   * @param {Client} client @param {number} sampleRate @param {() => boolean} isSilent
   */
  async start(client, sampleRate, isSilent) {
    try {
      const onChunk = (/** @type {Captured} */ chunk) => this.#take(chunk, client, isSilent());
      await this.#capture.start({ sampleRate, chunkMs: CHUNK_MS, onChunk });
    } catch (problem) {
      if (client.state === "ended") return; // before the sound began, and that was shown
      client.end();
      throw problem;
    }
  }

  /** @param {Captured} captured @param {Client} client @param {boolean} isSilent */
  #take({ bytes, level }, client, isSilent) {
    this.#meter.setAttribute("aria-valuenow", String(Math.round(level * 100)));
    /** @type {HTMLElement} */ (this.#meter.firstElementChild).style.transform = `scaleX(${level})`;
    if (isSilent) return;
    const chunk = { audioData: toBase64(bytes), sequenceNumber: this.#nextNumber++, timestamp: Date.now() - CHUNK_MS };
    if (client.send({ action: "sendAudio", ...chunk })) this.sent++;
    else this.dropped++;
  }

  /** Give the microphone back. */
  stop() {
    this.#capture.stop();
  }
}
