/**
 * The sound of a session: a context whose audio thread plays chunks, kept running through what interrupts it.
 *
 * @import { Format } from "../core/sound/pcm.js"
 * @import { Report, Sent } from "../core/sound/playback.js"
 */

import { SoundWatch } from "../core/sound/sound-watch.js";
import { Sink } from "./sink.js";

/** How often it is looked whether the sound runs. */
const LOOK_MS = 250;
/** How often a context that was interrupted is asked to go on. */
const RESUME_MS = 1000;
/** A context that was made for a session which never began is given back. */
const UNUSED_MS = 60_000;
/** What a browser takes for a person's wish to hear. */
const TAPS = ["pointerdown", "click", "keydown"];

const NO_WORKLET =
  "Browsers play live sound only on a page that comes over HTTPS or from this computer (127.0.0.1 or localhost). Open the page at such an address, or use a newer browser.";

/** @typedef {{ context: AudioContext, module: Promise<void> }} Prepared */

/** Made while a click was handled, for the session which that begins. @type {Prepared | null} */
let prepared = null;

/**
 * Make ready for sound. To be called while a click or a key press is handled, before anything is waited for: browsers let
 * only such a context play.
 *
 * @param {number} sampleRate
 */
export function prepareSound(sampleRate) {
  if (!("audioWorklet" in AudioContext.prototype)) throw new Error(NO_WORKLET);
  if (prepared?.context.sampleRate === sampleRate) return void prepared.context.resume().catch(() => {});
  void prepared?.context.close();
  // At the session's own rate: the browser resamples the whole stream, not chunk by chunk.
  const context = new AudioContext({ sampleRate });
  const made = { context, module: context.audioWorklet.addModule("audio/playback-worklet.js") };
  made.module.catch(() => {}); // whoever uses it is told
  context.resume().catch(() => {}); // what became of it is looked at
  prepared = made;
  setTimeout(() => {
    if (prepared !== made) return;
    prepared = null;
    void context.close();
  }, UNUSED_MS);
}

/** @param {number} sampleRate @returns {Prepared} */
function takePrepared(sampleRate) {
  prepareSound(sampleRate);
  const taken = /** @type {Prepared} */ (prepared);
  prepared = null;
  return taken;
}

export class Player {
  #context;
  #gain;
  #sink;
  #watch = new SoundWatch(performance.now());
  /** @type {AudioWorkletNode | null} */
  #node = null;
  #onReport;
  #onSound;
  #lookTimer;
  #resumedAt = -Infinity;
  #listening = new AbortController();

  /** @param {Format} format @param {(report: Report) => void} onReport @param {() => void} onSound run when `sound` changes */
  constructor(format, onReport, onSound) {
    const { context, module } = takePrepared(format.sampleRate);
    this.#context = context;
    this.#onReport = onReport;
    this.#onSound = onSound;
    this.#gain = context.createGain();
    this.#sink = new Sink(context, this.#gain, () => this.#wake());
    this.#lookTimer = setInterval(() => this.#look(), LOOK_MS);
    const { signal } = this.#listening;
    for (const tap of TAPS) document.addEventListener(tap, () => this.#context.state !== "running" && this.resume(), { capture: true, signal });
    document.addEventListener("visibilitychange", () => this.#wake(), { signal });
    context.addEventListener("statechange", () => this.#wake(), { signal });
    module.then(() => this.#connect(format)).catch(() => this.#fail());
  }

  /** @param {Format} format */
  #connect(format) {
    if (this.#listening.signal.aborted) return;
    const node = new AudioWorkletNode(this.#context, "playback", { numberOfInputs: 0, outputChannelCount: [format.channels], processorOptions: format });
    node.port.onmessage = ({ data }) => this.#onReport(data);
    node.onprocessorerror = () => this.#fail();
    node.connect(this.#gain);
    this.#node = node;
    this.#look();
  }

  #fail() {
    if (this.#listening.signal.aborted) return;
    this.#watch.fail();
    this.#onSound();
  }

  get sound() {
    return this.#watch.sound;
  }

  /** See whether the sound runs. */
  #look() {
    const { sound, isRendering } = this.#watch;
    const { state, currentTime } = this.#context;
    if (this.#node === null && sound !== "failed" && state === "running") return; // it plays as soon as the module is there
    this.#watch.see({ state, contextTime: currentTime, hasDevice: this.#sink.hasDevice }, performance.now());
    // What waited is old by now.
    if (this.#watch.isRendering && !isRendering) this.reset();
    if (this.#mayGoOn && performance.now() - this.#resumedAt >= RESUME_MS) this.resume();
    if (this.#watch.sound !== sound) this.#onSound();
  }

  /** It ran, and does not: only a first start needs the person. */
  get #mayGoOn() {
    return this.#watch.sound === "interrupted" || this.#watch.sound === "noDevice";
  }

  /** Something changed around: the sound may go on again. */
  #wake() {
    this.#resumedAt = -Infinity;
    this.#look();
  }

  /** Ask the browser to let the sound out. */
  resume() {
    this.#resumedAt = performance.now();
    void this.#sink.look();
    if (!this.#sink.hasDevice) return;
    if (this.#watch.sound === "interrupted") void this.#sink.retryNew();
    this.#context.resume().catch(() => {}); // what became of it is looked at
    this.#sink.resume();
  }

  /** @param {Sent} chunk */
  give(chunk) {
    this.#look();
    if (this.#node === null || !this.#watch.isRendering) return false;
    this.#node.port.postMessage(chunk, [chunk.bytes.buffer]);
    return true;
  }

  reset() {
    this.#node?.port.postMessage("reset");
  }

  expectRestart() {
    this.#node?.port.postMessage("expectRestart");
  }

  /** Return in how many milliseconds that is heard which is played at this time of the context. @param {number} contextTime */
  untilHeard(contextTime) {
    const { currentTime, outputLatency, baseLatency } = this.#context;
    return (contextTime - currentTime + (outputLatency || baseLatency || 0)) * 1000;
  }

  /** @param {number} volume from 0 to 1 */
  setVolume(volume) {
    // A jump would click.
    this.#gain.gain.setTargetAtTime(volume, this.#context.currentTime, 0.02);
  }

  /** Play on this device; the empty id is the system's own choice. @param {string} deviceId */
  async setOutput(deviceId) {
    await this.#sink.use(deviceId);
  }

  close() {
    this.#listening.abort();
    clearInterval(this.#lookTimer);
    this.#sink.close();
    void this.#context.close();
  }
}
