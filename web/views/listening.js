/**
 * A listener in a session: what is heard, in which language, and the captions.
 *
 * @import { Client } from "../core/client.js"
 * @import { Listening as Channel } from "../core/channels.js"
 * @import { ServerMessage, SessionJoinedMessage } from "../protocol/declared.js"
 *
 * @typedef {{ targetLanguage: string, audio: "interpreted" | "original", captions: boolean }} Wish
 */

import { FLOOR, channelsText, hearingText, isCaptionFor } from "../core/channels.js";
import { OFF_AIR, listenerOnAir } from "../core/on-air.js";
import { endingOf } from "../core/sentences.js";
import { Toggle } from "../core/toggle.js";
import { CaptionList } from "./captions.js";
import { chosenOutput } from "./devices.js";
import { element, focusNext, saveFile } from "./dom.js";
import { Hearing } from "./hearing.js";
import { showState } from "./on-air.js";
import { Controls, showLive, showPressed, showText, statusOf } from "./session.js";

const SHOW_MS = 250;

/** @param {string} language @param {string} audio @param {string} captions ids */
export function wishFields(language, audio, captions) {
  return {
    language: element(language, HTMLSelectElement),
    audio: element(audio, HTMLSelectElement),
    captions: element(captions, HTMLInputElement),
  };
}
export const fieldsDuring = () => wishFields("listen-change", "listen-change-audio", "listen-change-captions");

/** @param {ReturnType<typeof wishFields>} fields @returns {Wish} */
export function wishIn({ language, audio, captions }) {
  return { targetLanguage: language.value, audio: audio.value === "original" ? "original" : "interpreted", captions: captions.checked };
}

export class Listening {
  #client;
  #joined;
  #wish;
  #fields = fieldsDuring();
  #controls = new Controls("listen");
  #captions = new CaptionList("listen", false);
  #hearing;
  #pause;
  #isReturning;
  #showing;
  /** Those of before, while nobody has named others. */
  #channels;
  /** @type {Channel} */
  #channel;
  #ending = "";

  /** @param {Client} client @param {SessionJoinedMessage} joined @param {{ wish: Wish, isPaused: boolean, isReturning: boolean }} own */
  constructor(client, joined, { wish, isPaused, isReturning }) {
    this.#isReturning = isReturning;
    this.#client = client;
    this.#joined = joined;
    this.#wish = wish;
    this.#hearing = new Hearing("listen", joined, this.#controls);
    this.#pause = new Toggle((isOn) => client.request({ action: isOn ? "pausePlayback" : "resumePlayback" }), isPaused);
    this.#channels = joined.channels ?? [];
    const { sourceLanguage, hears = FLOOR } = joined;
    this.#channel = { language: wish.targetLanguage, sourceLanguage, audio: wish.audio, hears, channels: this.#channels };
    this.#hearing.playback.tuneTo(hears);
    this.#hearing.onSound = this.show;
    const output = chosenOutput();
    if (output !== "") this.#hearing.setOutput(output).catch((problem) => this.#controls.fail(problem));
    this.#addControls();
    element("listen-name", HTMLOutputElement).value = joined.sessionId;
    this.#showing = setInterval(() => this.#watch(), SHOW_MS);
    showLive("listen", true);
    this.#showWish();
    element("listen-name", HTMLOutputElement).focus();
  }

  #addControls() {
    const controls = this.#controls;
    controls.ask(element("listen-pause", HTMLButtonElement), "click", async () => {
      const asked = this.#pause.want(!this.#pause.isWanted);
      this.#showPause();
      await asked.finally(() => this.#showPause());
    });
    for (const field of Object.values(this.#fields)) controls.ask(field, "change", () => this.#change());
    controls.on(element("listen-save", HTMLButtonElement), "click", () => {
      const wav = new Blob([this.#hearing.playback.recording()], { type: "audio/wav" });
      saveFile(`${this.#joined.sessionId}.wav`, wav);
    });
    controls.on(element("listen-leave", HTMLButtonElement), "click", () => {
      this.#ending = "You left.";
      this.#client.end();
    });
  }

  async #change() {
    const next = wishIn(this.#fields);
    try {
      await this.#client.request({ action: "changeLanguage", ...next });
      const isOther = next.targetLanguage !== this.#wish.targetLanguage;
      if (isOther || !next.captions) this.#captions.clear();
      this.#wish = next;
      this.#channel = { ...this.#channel, language: next.targetLanguage, audio: next.audio, ...(isOther && { channels: null }) };
    } finally {
      this.#showWish(); // what is refused stays as it was
    }
  }

  /** @param {ServerMessage} message */
  hear = (message) => {
    this.#hearing.take(message);
    if (message.type === "audio") return;
    if (message.type === "channelChanged") {
      this.#channels = message.channels;
      this.#channel = { ...this.#channel, hears: message.hears, channels: message.channels };
      this.#hearing.playback.tuneTo(message.hears);
      this.#captions.dropPartials((language) => !isCaptionFor(language, this.#channel));
    }
    const isRead = message.type === "caption" && this.#wish.captions && isCaptionFor(message.language, this.#channel);
    if (isRead) this.#captions.take(message);
    // After a break the system says how things are: what was asked meanwhile reached nobody.
    if (message.type === "broadcastControl") {
      this.#isReturning = false;
      this.#pause.retry().catch((problem) => this.#controls.fail(problem));
    }
    if (message.type === "sessionEnded") this.#ending = endingOf("listen", message.reason);
    this.show();
  };

  /** Nothing is heard from the moment at which the person says so. */
  #showPause() {
    if (this.#hearing.isPaused !== this.#pause.isOn) this.#hearing.playback.reset();
    this.#hearing.isPaused = this.#pause.isOn;
    this.show();
  }

  #watch() {
    if (this.#judge().state === "interrupted" && this.#hearing.sound === "running") this.#client.check();
    this.show();
  }

  #judge() {
    const { broadcast, facts, playback } = this.#hearing;
    const { state: connection } = this.#client;
    const wanted = { isPaused: this.#pause.isWanted, hears: playback.hears, isReturning: this.#isReturning };
    return listenerOnAir({ connection, broadcast, ...wanted, sound: facts }, performance.now());
  }

  show = () => {
    if (this.#client.state === "ended") return;
    this.#hearing.show();
    showState("listen", this.#judge());
    showPressed(element("listen-pause", HTMLButtonElement), this.#pause.isWanted);
    showText("listen-hears", hearingText(this.#channel));
    showText("listen-channels", channelsText(this.#channels));
  };

  #showWish() {
    this.#fields.language.value = this.#wish.targetLanguage;
    this.#fields.audio.value = this.#wish.audio;
    this.#fields.captions.checked = this.#wish.captions;
    element("listen-captions-part", HTMLDivElement).hidden = !this.#wish.captions;
    this.#showPause();
  }

  /** What a page that is loaded again needs beside the reply. */
  own() {
    return { wish: this.#wish, isPaused: this.#pause.isWanted };
  }

  reply() {
    return { ...this.#joined, channels: this.#channels, hears: this.#channel.hears, broadcastState: this.#hearing.broadcast };
  }

  close() {
    clearInterval(this.#showing);
    this.#controls.release();
    this.#hearing.close();
    showState("listen", OFF_AIR.ended);
    showLive("listen", false);
    statusOf("listen").textContent = this.#ending;
    focusNext("listen");
  }
}
