/**
 * What a listener or an interpreter hears: a session's audio in this browser, as the speaker controls it, and numbers of it.
 *
 * @import { Broadcast } from "../core/broadcast.js"
 * @import { ServerMessage } from "../protocol/declared.js"
 * @import { Controls } from "./session.js"
 */

import { Player } from "../audio/player.js";
import { afterMessage, loudnessOf } from "../core/broadcast.js";
import { Playback } from "../core/playback.js";
import { element } from "./dom.js";
import { showNumbers } from "./session.js";

const DEFAULT_FORMAT = { encoding: "pcm_s16le", sampleRate: 16000, channels: 1 };

export class Hearing {
  #view;
  #player;
  #volume;
  #numbers;
  /** @type {Broadcast} */
  broadcast;
  playback;
  /** The person wants to hear nothing for a while. */
  isPaused = false;
  /** @type {"running" | "interrupted"} */
  sound = "running";
  onSound = () => {};
  lastHeardAt = 0;
  #beganAt = performance.now();

  /**
   * @param {"listen" | "interpret"} view
   * @param {{ audioFormat: object, broadcastState: Broadcast }} reply to joining
   * @param {Controls} controls
   */
  constructor(view, { audioFormat, broadcastState }, controls) {
    const format = { ...DEFAULT_FORMAT, ...audioFormat };
    const player = new Player(format);
    this.#view = view;
    this.#player = player;
    this.#volume = element(`${view}-volume`, HTMLInputElement);
    this.broadcast = { ...broadcastState };
    this.playback = new Playback(format, {
      play: (chunk) => {
        if (chunk.bytes !== null) this.lastHeardAt = performance.now();
        return player.play(chunk);
      },
      clock: () => performance.now(),
      now: () => Date.now(),
      setTimer: (run, ms) => setTimeout(run, ms),
      clearTimer: (timer) => clearTimeout(timer),
    });
    controls.on(this.#volume, "input", () => this.show());
    this.#numbers = setInterval(() => this.#showNumbers(), 250);
    this.show();
    this.#showNumbers();
  }

  /** What its judge is to know. */
  get facts() {
    return { output: this.sound, beganAt: this.#beganAt, heardAt: this.lastHeardAt };
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
    const { waitingMs, latencyMs, ...counts } = this.playback.numbers;
    const latency = Number.isNaN(latencyMs) ? "–" : `${Math.round(latencyMs)} ms`;
    showNumbers(this.#view, { ...counts, waiting: `${Math.round(waitingMs)} ms`, latency });
  }

  close() {
    clearInterval(this.#numbers);
    this.playback.stop();
    this.#player.close();
  }
}
