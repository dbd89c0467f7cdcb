/**
 * What a listener or an interpreter hears: a session's audio in this browser, as the speaker controls it, and numbers of it.
 *
 * @import { Broadcast } from "../core/broadcast.js"
 * @import { ServerMessage } from "../protocol/declared.js"
 * @import { Controls } from "./session.js"
 */

import { Player, prepareSound } from "../audio/player.js";
import { afterMessage, loudnessOf } from "../core/broadcast.js";
import { Playback } from "../core/sound/playback.js";
import { element } from "./dom.js";
import { showNumbers } from "./session.js";

const DEFAULT_FORMAT = { encoding: "pcm_s16le", sampleRate: 16000, channels: 1 };

export class Hearing {
  #view;
  #player;
  #volume;
  #numbers;
  #beganAt = performance.now();
  /** @type {Broadcast} */
  broadcast;
  playback;
  /** The person wants to hear nothing for a while. */
  isPaused = false;
  /** Run when `sound` changes. @type {() => void} */
  onSound = () => {};

  /** To be called while the click is handled that begins a session, before anything is waited for. */
  static prepare() {
    prepareSound(DEFAULT_FORMAT.sampleRate);
  }

  /**
   * @param {"listen" | "interpret"} view
   * @param {{ audioFormat: object, broadcastState: Broadcast }} reply to joining
   * @param {Controls} controls
   */
  constructor(view, { audioFormat, broadcastState }, controls) {
    const format = { ...DEFAULT_FORMAT, ...audioFormat };
    const player = new Player(format, (report) => this.playback.report(report), () => this.#soundChanged());
    this.#view = view;
    this.#player = player;
    this.#volume = element(`${view}-volume`, HTMLInputElement);
    this.broadcast = { ...broadcastState };
    this.playback = new Playback(format, player, { clock: () => performance.now(), now: () => Date.now() });
    controls.on(this.#volume, "input", () => this.show());
    this.#numbers = setInterval(() => this.#showNumbers(), 250);
    this.show();
    this.#showNumbers();
  }

  /** Whether the sound runs, and if not, why. */
  get sound() {
    return this.#player.sound;
  }

  /** What decides whether it is live. */
  get facts() {
    return { output: this.sound, beganAt: this.#beganAt, heardAt: this.playback.lastHeardAt };
  }

  /** What happened to the chunks so far; `latencyMs` is NaN while nothing is heard. */
  get numbers() {
    const { latencyMs, ...counts } = this.playback.numbers;
    return { ...counts, latencyMs: this.sound === "running" ? latencyMs : NaN };
  }

  /** Ask the browser to let the sound out. */
  resume() {
    this.#player.resume();
  }

  /** Play on this device; the empty id is the system's own choice. @param {string} deviceId */
  async setOutput(deviceId) {
    await this.#player.setOutput(deviceId);
  }

  #soundChanged() {
    this.show();
    this.#showNumbers();
    this.onSound();
  }

  /** @param {ServerMessage} message */
  take(message) {
    if (message.type !== "audio") this.broadcast = afterMessage(this.broadcast, message);
    else if (!this.isPaused) this.playback.take(message);
  }

  show() {
    this.#player.setVolume(loudnessOf(this.broadcast, this.playback.hears) * Number(this.#volume.value));
  }

  #showNumbers() {
    const { waitingMs, latencyMs, ...counts } = this.numbers;
    const latency = Number.isNaN(latencyMs) ? "–" : `${Math.round(latencyMs)} ms`;
    showNumbers(this.#view, { ...counts, waiting: `${Math.round(waitingMs)} ms`, latency });
  }

  close() {
    clearInterval(this.#numbers);
    this.#player.close();
  }
}
