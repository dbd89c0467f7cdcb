/**
 * A speaker in a session: what is on air, the controls, and who listens.
 *
 * @import { Broadcast } from "../core/broadcast.js"
 * @import { Client, Problem } from "../core/client.js"
 * @import { ServerMessage, SessionCreatedMessage } from "../protocol/declared.js"
 * @import { Voice } from "./voice.js"
 *
 * @typedef {object} Own what no message says
 * @property {string} listenerKey empty: none
 * @property {boolean} isMuted
 * @property {boolean} isPaused
 * @property {number} beganAt ms since the epoch
 * @property {boolean} isReturning the page was loaded again
 */

import { afterMessage } from "../core/broadcast.js";
import { ENDING, OFF_AIR, speakerOnAir } from "../core/on-air.js";
import { endingOf } from "../core/sentences.js";
import { Toggle } from "../core/toggle.js";
import { Audience } from "./audience.js";
import { CaptionList } from "./captions.js";
import { duration, element, focusNext } from "./dom.js";
import { Interpreters } from "./interpreters.js";
import { showOnAir } from "./on-air.js";
import { Controls, showLive, showNumbers, showPressed, statusOf } from "./session.js";
import { Share } from "./share.js";
import { Warning } from "./warning.js";

/** A dragged slider says much; a control message may be sent ten times a second. */
const VOLUME_MS = 250;
const SHOW_MS = 250;

export class Speaking {
  #client;
  #created;
  #own;
  #voice;
  #controls = new Controls("speak");
  #captions = new CaptionList("speak", true);
  #share;
  #interpreters;
  #audience;
  #warning;
  #mute;
  #pause;
  #end;
  #isReturning;
  #refusedAt = 0;
  /** What the system has not heard of so far. @type {number | null} */
  #wantedVolume = null;
  #volume = element("speak-volume", HTMLInputElement);
  /** @type {any} */
  #volumeTimer = null;
  #showing;
  /** @type {Broadcast} */
  #broadcast = { isPaused: false, isMuted: false, volume: 1 };
  #ending = "";

  /** @param {Client} client @param {SessionCreatedMessage} created @param {Own} own @param {Voice} voice */
  constructor(client, created, own, voice) {
    this.#client = client;
    this.#created = created;
    this.#own = own;
    this.#voice = voice;
    this.#share = new Share(created.sessionId, own.listenerKey, this.#controls);
    this.#interpreters = new Interpreters(client, created, this.#controls);
    this.#audience = new Audience(client);
    this.#warning = new Warning("speak", created.warning);
    this.#mute = new Toggle((isOn) => client.request({ action: isOn ? "muteBroadcast" : "unmuteBroadcast" }), own.isMuted);
    this.#pause = new Toggle((isOn) => client.request({ action: isOn ? "pauseBroadcast" : "resumeBroadcast" }), own.isPaused);
    this.#end = new Toggle(() => client.request({ action: "endSession" }));
    this.#isReturning = own.isReturning;
    this.#addControls();
    element("speak-session", HTMLOutputElement).value = created.sessionId;
    this.#showing = setInterval(() => this.show(), SHOW_MS);
    element("speak-captions-part", HTMLDivElement).hidden = true;
    showLive("speak", true);
    this.show();
    element("speak-session", HTMLOutputElement).focus();
  }

  /** Whether nothing is sent: at once when the person says so, and until the system knows the contrary. */
  get isSilent() {
    return this.#mute.isOn || this.#pause.isOn || this.#end.isOn;
  }

  #addControls() {
    const controls = this.#controls;
    for (const [id, toggle] of /** @type {const} */ ([["speak-mute", this.#mute], ["speak-pause", this.#pause]])) {
      controls.ask(element(id, HTMLButtonElement), "click", async () => {
        const asked = toggle.want(!toggle.isWanted);
        this.show();
        await asked.finally(() => this.show());
      });
    }
    controls.on(this.#volume, "input", () => {
      this.#wantedVolume = Number(this.#volume.value);
      this.#volumeTimer ??= setTimeout(() => void controls.attempt(() => this.#askForVolume()), VOLUME_MS);
    });
    controls.ask(element("speak-end", HTMLButtonElement), "click", async () => {
      const asked = this.#end.want(true);
      this.#voice.stop(); // at once, also while there is no connection
      this.show();
      await asked;
    });
    controls.ask(element("speak-another", HTMLButtonElement), "click", async () => {
      await this.#voice.use();
      element("speak-mute", HTMLButtonElement).focus(); // this button is not needed any more
    });
    controls.on(navigator.mediaDevices ?? document, "devicechange", () => this.#voice.lookAgain().catch(() => {}));
    for (const type of ["pointerdown", "keydown", "click"]) controls.on(document, type, () => this.#voice.resume());
  }

  /** Ask for the volume that is wanted; during a break it stays wanted. */
  async #askForVolume() {
    this.#volumeTimer = null;
    const wanted = this.#wantedVolume;
    if (wanted === null || this.#client.state !== "open") return;
    await this.#client.request({ action: "setVolume", volumeLevel: wanted });
    if (this.#wantedVolume === wanted) this.#wantedVolume = null;
  }

  /** @param {ServerMessage} message */
  hear = (message) => {
    const before = this.#broadcast;
    this.#broadcast = afterMessage(before, message);
    if (this.#broadcast !== before) this.#agree();
    this.#interpreters.take(message);
    this.#audience.take(message);
    this.#warning.take(message, this.#voice.facts.silentSince > 0);
    if (message.type === "caption") {
      this.#captions.take(message);
      element("speak-captions-part", HTMLDivElement).hidden = false;
    }
    if (message.type === "connectionRefreshComplete") this.#captions.dropPartials(() => true);
    if (message.type === "broadcastControl") this.#goOn();
    if (message.type === "interpreterLeft") this.#captions.dropPartials((language) => language === message.language);
    if (message.type === "sessionEnded") this.#ending = endingOf("speak", message.reason);
    this.show();
  };

  /** After a break the system says how things are: ask for what nobody could be asked meanwhile. */
  #goOn() {
    this.#isReturning = false;
    void this.#controls.attempt(() => this.#askForVolume());
  }

  /** @param {Problem} problem */
  takeProblem = ({ retryable }) => {
    if (retryable) this.#refusedAt = performance.now();
    return retryable;
  };

  /** The system says how things are; it may not know what was wanted while the connection was broken. */
  #agree() {
    this.#mute.agree(this.#broadcast.isMuted).catch((problem) => this.#controls.fail(problem));
    this.#pause.agree(this.#broadcast.isPaused).catch((problem) => this.#controls.fail(problem));
    this.#end.retry().catch((problem) => this.#controls.fail(problem));
  }

  show = () => {
    if (this.#client.state === "ended") return;
    const broadcast = { ...this.#broadcast, isMuted: this.#mute.isOn, isPaused: this.#pause.isOn };
    const { state: connection, unansweredMs } = this.#client;
    const seen = { connection, unansweredMs, refusedAt: this.#refusedAt, isReturning: this.#isReturning };
    const onAir = this.#end.isOn ? ENDING : speakerOnAir({ ...seen, broadcast, voice: this.#voice.facts }, performance.now());
    showOnAir("speak", onAir, this.#created.sessionId);
    showPressed(element("speak-pause", HTMLButtonElement), this.#pause.isWanted);
    showPressed(element("speak-mute", HTMLButtonElement), this.#mute.isWanted);
    if (this.#wantedVolume === null) this.#volume.value = String(broadcast.volume);
    const { sent, dropped } = this.#voice;
    showNumbers("speak", { time: duration(Date.now() - this.#own.beganAt), sent, dropped });
  };

  /** What a page that is loaded again needs beside the reply. */
  own() {
    const { source, nextNumber } = this.#voice;
    return { ...this.#own, isMuted: this.#mute.isWanted, isPaused: this.#pause.isWanted, source, nextNumber };
  }

  reply() {
    return { ...this.#created, interpreterKey: this.#interpreters.key };
  }

  close() {
    clearInterval(this.#showing);
    clearTimeout(this.#volumeTimer);
    this.#controls.release();
    this.#voice.stop();
    this.#audience.close();
    this.#share.close();
    this.#interpreters.close();
    this.#warning.close();
    showOnAir("speak", OFF_AIR.ended, "");
    showLive("speak", false);
    statusOf("speak").textContent = `${this.#ending} You spoke for ${duration(Date.now() - this.#own.beganAt)}.`.trim();
    focusNext("speak");
  }
}
