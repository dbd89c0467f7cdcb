/**
 * The voice of a speaker or an interpreter: the sound that a form's person chose, shown in the meter and sent; and another
 * microphone in place of one that is gone.
 *
 * @import { Config } from "../main.js"
 * @import { Client } from "../core/client.js"
 * @import { Captured } from "../audio/capture.js"
 * @import { Voice as Facts } from "../core/on-air.js"
 *
 * @typedef {{ kind: "microphone" | "recording" | "none", clean: boolean }} Source what a form's person chose
 */

import { Capture } from "../audio/capture.js";
import { whyNoMicrophone } from "../core/microphone-failure.js";
import { toBase64 } from "../core/sound/pcm.js";
import { chosenMicrophone } from "./devices.js";
import { element } from "./dom.js";
import { statusOf } from "./session.js";

/** What this page makes of a voice. */
export const FORMAT = /** @type {const} */ ({ encoding: "pcm_s16le", sampleRate: 16000, channels: 1 });
const CHUNK_MS = 100;
/** While a microphone gives zeros it is looked so often whether it is there. */
const LOOK_MS = 2_000;

/** @param {"speak" | "interpret"} view @returns {Source} */
export function sourceIn(view) {
  const form = new FormData(element(`${view}-form`, HTMLFormElement));
  const kind = form.get("source");
  return { kind: kind === "none" || kind === "recording" ? kind : "microphone", clean: form.has("clean") };
}

/** @param {Config} config @param {Source} source */
async function openSource(config, { kind, clean }) {
  if (kind === "recording") return Capture.recording(config.sample ?? "");
  try {
    return await Capture.microphone(clean, await chosenMicrophone());
  } catch (error) {
    const { name, message } = /** @type {Error} */ (error);
    throw new Error(whyNoMicrophone(name, window.isSecureContext, message));
  }
}

export class Voice {
  #config;
  #source;
  /** Null while the microphone is asked for, or was refused. @type {Capture | null} */
  #capture = null;
  #refusal = "";
  #meter;
  /** Begins to give out chunks; null before the session has begun. @type {((capture: Capture) => Promise<void>) | null} */
  #begin = null;
  #isOpening = false;
  #isStopped = false;
  #beganAt = 0;
  #capturedAt = 0;
  #silentSince = 0;
  #sentAt = 0;
  #takenAt = 0;
  #lookedAt = 0;
  nextNumber = 0;
  sent = 0;
  dropped = 0;

  /** @param {"speak" | "interpret"} view @param {Config} config @param {Source} source */
  constructor(view, config, source) {
    this.#config = config;
    this.#source = source;
    this.#meter = element(`${view}-meter`, HTMLDivElement);
  }

  /**
   * Open a source, and ask for the microphone if it is that; null for no sound.
   *
   * @param {"speak" | "interpret"} view @param {Config} config @param {Source} source
   */
  static async open(view, config, source) {
    if (source.kind === "none") return null;
    if (source.kind === "microphone") statusOf(view).textContent = "Asking for the microphone…";
    const voice = new Voice(view, config, source);
    await voice.use();
    return voice;
  }

  get source() {
    return this.#source;
  }

  /** @returns {Facts} */
  get facts() {
    const moments = { beganAt: this.#beganAt, capturedAt: this.#capturedAt, silentSince: this.#silentSince };
    return { source: this.#state, refusal: this.#refusal, ...moments, sentAt: this.#sentAt, takenAt: this.#takenAt };
  }

  get #state() {
    if (this.#refusal !== "") return "refused";
    return this.#capture === null || this.#beganAt === 0 ? "asking" : this.#capture.state;
  }

  /** Take what was chosen, or another microphone in place of one that is gone. @throws with a sentence */
  async use() {
    if (this.#isOpening) return;
    this.#isOpening = true;
    this.#refusal = "";
    try {
      const next = await openSource(this.#config, this.#source);
      if (this.#isStopped) return next.stop();
      this.#capture?.stop();
      this.#capture = next;
      await this.#beginIfBoth();
    } catch (problem) {
      this.#refusal = /** @type {Error} */ (problem).message;
      throw problem;
    } finally {
      this.#isOpening = false;
    }
  }

  /**
   * Send from now on, but for what is said while it `isSilent`. If this fails the client ends.
   *
   * @param {Client} client @param {number} sampleRate @param {() => boolean} isSilent
   */
  async start(client, sampleRate, isSilent) {
    const onChunk = (/** @type {Captured} */ chunk) => this.#take(chunk, client, isSilent());
    this.#begin = (capture) => capture.start({ sampleRate, chunkMs: CHUNK_MS, onChunk });
    try {
      await this.#beginIfBoth();
    } catch (problem) {
      if (this.#isStopped || client.state === "ended") return; // before the sound began, and that was shown
      client.end();
      throw problem;
    }
  }

  async #beginIfBoth() {
    if (this.#begin === null || this.#capture === null) return;
    this.#beganAt = performance.now();
    await this.#begin(this.#capture);
  }

  /** @param {Captured} captured @param {Client} client @param {boolean} isSilent */
  #take({ bytes, level }, client, isSilent) {
    const now = performance.now();
    this.#capturedAt = now;
    if (bytes.some((byte) => byte !== 0)) this.#silentSince = 0;
    else if (this.#silentSince === 0) this.#silentSince = now;
    else if (now - this.#lookedAt > LOOK_MS) {
      this.#lookedAt = now;
      // Without this a Chromium may not notice that the microphone is gone.
      void navigator.mediaDevices?.enumerateDevices();
    }
    if (client.isTaken || this.#sentAt === 0) this.#takenAt = now;
    this.#meter.setAttribute("aria-valuenow", String(Math.round(level * 100)));
    /** @type {HTMLElement} */ (this.#meter.firstElementChild).style.transform = `scaleX(${level})`;
    // A microphone that is gone, or that a call has, gives zeros.
    if (isSilent || this.#state !== "running") return;
    const chunk = { audioData: toBase64(bytes), sequenceNumber: this.nextNumber++, timestamp: Date.now() - CHUNK_MS };
    if (client.send({ action: "sendAudio", ...chunk })) {
      this.sent++;
      this.#sentAt = now;
    } else this.dropped++;
  }

  /** Go on where the browser waits for a tap. */
  resume() {
    this.#capture?.resume();
  }

  /** A device came or went: one that is gone may be there again, or another one. */
  async lookAgain() {
    if (this.#state === "lost" || this.#state === "refused") await this.use();
  }

  /** Give the microphone back. */
  stop() {
    this.#isStopped = true;
    this.#capture?.stop();
  }
}
