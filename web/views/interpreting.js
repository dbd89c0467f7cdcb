/**
 * An interpreter in a session: hears the speaker, speaks into the channel of a language, and may write captions. Whoever
 * takes the session's own language writes captions of what the speaker says, and does not speak.
 *
 * @import { Written } from "../core/caption-writer.js"
 * @import { Client, Problem } from "../core/client.js"
 * @import { InterpreterReadyMessage, ServerMessage } from "../protocol/declared.js"
 * @import { Voice } from "./voice.js"
 *
 * @typedef {{ isMuted: boolean, beganAt: number, isReturning: boolean }} Own what no message says; `beganAt` in ms since the epoch;
 * `isReturning`: the page was loaded again
 */

import { CaptionWriter } from "../core/caption-writer.js";
import { languageName } from "../core/channels.js";
import { OFF_AIR, interpreterOnAir } from "../core/on-air.js";
import { endingOf } from "../core/sentences.js";
import { CaptionList } from "./captions.js";
import { chosenOutput } from "./devices.js";
import { duration, element, focusNext, make } from "./dom.js";
import { Hearing } from "./hearing.js";
import { showOnAir } from "./on-air.js";
import { Controls, showLive, showNumbers, showPressed, showText, statusOf } from "./session.js";
import { FORMAT } from "./voice.js";
import { Warning } from "./warning.js";

const SHOW_MS = 250;

/** @param {Written} caption */
const asMessage = (caption) => ({ action: /** @type {const} */ ("sendCaption"), ...caption });

export class Interpreting {
  #client;
  #ready;
  #own;
  #isMuted;
  #isReturning;
  #refusedAt = 0;
  /** Null: only captions are written. */
  #voice;
  #source;
  #sampleRate;
  #controls = new Controls("interpret");
  #captions = new CaptionList("interpret", true);
  #hearing;
  #warning = new Warning("interpret");
  #writer;
  #line = element("interpret-line", HTMLInputElement);
  #showing;
  #ending = "";

  /** @param {Client} client @param {InterpreterReadyMessage} ready @param {Own} own @param {Voice | null} voice */
  constructor(client, ready, own, voice) {
    this.#client = client;
    this.#ready = ready;
    this.#own = own;
    this.#isMuted = own.isMuted;
    this.#isReturning = own.isReturning;
    const isCaptioner = ready.language === ready.sourceLanguage;
    this.#sampleRate = isCaptioner ? FORMAT.sampleRate : rateOf(ready, voice);
    this.#source = voice?.source ?? { kind: /** @type {const} */ ("none"), clean: false };
    if (isCaptioner) voice?.stop();
    this.#voice = isCaptioner ? null : voice;
    this.#hearing = new Hearing("interpret", ready, this.#controls);
    this.#hearing.onSound = this.show;
    const output = chosenOutput();
    if (output !== "") this.#hearing.setOutput(output).catch((problem) => this.#controls.fail(problem));
    this.#writer = new CaptionWriter({
      send: (caption) => (caption.isFinal ? this.#sendFinal(caption) : client.send(asMessage(caption))),
      newSegment: () => crypto.randomUUID(),
      setTimer: (run, ms) => setTimeout(run, ms),
      clearTimer: (timer) => clearTimeout(timer),
    });
    this.#addControls();
    this.#showTask(isCaptioner);
    this.#showing = setInterval(() => this.#watch(), SHOW_MS);
    showLive("interpret", true);
    this.show();
    element("interpret-name", HTMLOutputElement).focus();
  }

  /** Send what is said, from now on. */
  async startVoice() {
    await this.#voice?.start(this.#client, this.#sampleRate, () => this.#isMuted || this.#hearing.broadcast.isPaused);
  }

  #addControls() {
    const controls = this.#controls;
    controls.on(element("interpret-mute", HTMLButtonElement), "click", () => {
      this.#isMuted = !this.#isMuted;
      controls.forget();
      this.show();
    });
    controls.on(this.#line, "input", () => this.#writer.type(this.#line.value));
    controls.on(element("interpret-write", HTMLFormElement), "submit", (event) => {
      event.preventDefault();
      if (this.#writer.finish(this.#line.value) !== null) this.#line.value = "";
    });
    controls.on(element("interpret-leave", HTMLButtonElement), "click", () => {
      this.#end("You left.");
      this.#client.end();
    });
    controls.ask(element("interpret-another", HTMLButtonElement), "click", async () => {
      await this.#voice?.use();
      element("interpret-mute", HTMLButtonElement).focus(); // this button is not needed any more
    });
    controls.on(navigator.mediaDevices ?? document, "devicechange", () => this.#voice?.lookAgain().catch(() => {}));
    for (const type of ["pointerdown", "keydown", "click"]) controls.on(document, type, () => this.#voice?.resume());
  }

  /** @param {boolean} isCaptioner */
  #showTask(isCaptioner) {
    const { sessionId, language } = this.#ready;
    const name = languageName(language);
    element("interpret-name", HTMLOutputElement).value = sessionId;
    this.#line.lang = language;
    const captions = `You write captions of what the speaker says, in ${name}. Your microphone is off.`;
    showText("interpret-task", isCaptioner ? captions : `You interpret into ${name}, and hear the speaker.`);
    element("interpret-voice", HTMLDivElement).hidden = isCaptioner;
  }

  /** Send it, or send nothing while there is no connection. @param {Written} caption */
  #sendFinal(caption) {
    if (this.#client.state !== "open") return false;
    const item = this.#captions.take({ ...caption, language: this.#ready.language });
    this.#client.deliver(asMessage(caption)).then(
      () => this.#controls.forget(),
      () => item?.append(" ", make("strong", { class: "not-sent", dir: "auto" }, "Not sent.")),
    );
    return true;
  }

  /** @param {ServerMessage} message */
  hear = (message) => {
    this.#hearing.take(message);
    if (message.type === "audio") return;
    if (message.type === "caption") this.#captions.take(message);
    if (message.type === "broadcastControl") this.#isReturning = false;
    this.#warning.take(message, (this.#voice?.facts.silentSince ?? 0) > 0);
    if (message.type === "sessionEnded") this.#end(endingOf("interpret", message.reason));
    this.show();
  };

  /** @param {Problem} problem */
  takeProblem = ({ retryable }) => {
    if (retryable) this.#refusedAt = performance.now();
    return retryable && this.#voice !== null;
  };

  #watch() {
    const { state } = this.#judge();
    if (state === "interrupted" && this.#hearing.sound === "running") this.#client.check();
    this.show();
  }

  #judge() {
    const { state: connection, unansweredMs } = this.#client;
    const { broadcast, facts: sound } = this.#hearing;
    const voice = this.#voice?.facts ?? null;
    const seen = { connection, unansweredMs, refusedAt: this.#refusedAt, isReturning: this.#isReturning };
    return interpreterOnAir({ ...seen, broadcast, voice, isMuted: this.#isMuted, sound }, performance.now());
  }

  show = () => {
    if (this.#client.state === "ended") return;
    this.#hearing.show();
    showOnAir("interpret", this.#judge(), this.#ready.sessionId);
    showPressed(element("interpret-mute", HTMLButtonElement), this.#isMuted);
    const { sent = 0, dropped = 0 } = this.#voice ?? {};
    showNumbers("interpret", { time: duration(Date.now() - this.#own.beganAt), sent, dropped });
  };

  /** @param {string} sentence says why */
  #end(sentence) {
    this.#ending = sentence;
    this.#controls.forget();
  }

  /** What a page that is loaded again needs beside the reply. */
  own() {
    return { ...this.#own, isMuted: this.#isMuted, source: this.#source, nextNumber: this.#voice?.nextNumber ?? 0 };
  }

  reply() {
    return { ...this.#ready, broadcastState: this.#hearing.broadcast };
  }

  close() {
    clearInterval(this.#showing);
    this.#writer.stop();
    this.#voice?.stop();
    this.#controls.release();
    this.#hearing.close();
    this.#warning.close();
    this.#line.value = "";
    showOnAir("interpret", OFF_AIR.ended, "");
    showLive("interpret", false);
    statusOf("interpret").textContent = this.#ending;
    focusNext("interpret");
  }
}

/** Return the rate at which this page can send. @param {InterpreterReadyMessage} ready @param {Voice | null} voice */
function rateOf({ audioFormat, language }, voice) {
  if (voice === null) throw new Error(`Who asked for ${languageName(language)} would hear nothing: choose the microphone.`);
  const { sampleRate, encoding, channels } = { ...FORMAT, ...audioFormat };
  if (encoding !== FORMAT.encoding || channels !== FORMAT.channels) {
    throw new Error("The sound of this session is in a form that this page cannot send.");
  }
  return sampleRate;
}
