/**
 * A speaker in a session: what is on air, the controls, and who listens.
 *
 * @import { Broadcast } from "../core/broadcast.js"
 * @import { Client } from "../core/client.js"
 * @import { ServerMessage, SessionCreatedMessage } from "../protocol/declared.js"
 * @import { Voice } from "./voice.js"
 *
 * @typedef {{ listenerKey: string, isMuted: boolean, isPaused: boolean, beganAt: number }} Own what no message says; `listenerKey`
 * empty: none; `beganAt` in ms since the epoch
 */

import { afterMessage } from "../core/broadcast.js";
import { OFF_AIR, speakerOnAir } from "../core/on-air.js";
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
    return this.#mute.isOn || this.#pause.isOn;
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
      this.#volumeTimer ??= setTimeout(async () => {
        await controls.attempt(() => this.#client.request({ action: "setVolume", volumeLevel: Number(this.#volume.value) }));
        this.#volumeTimer = null;
      }, VOLUME_MS);
    });
    controls.ask(element("speak-end", HTMLButtonElement), "click", () => this.#client.request({ action: "endSession" }));
    controls.ask(element("speak-another", HTMLButtonElement), "click", () => this.#voice.replace());
    controls.ask(navigator.mediaDevices ?? document, "devicechange", () => this.#replaceIfLost());
    for (const type of ["pointerdown", "keydown", "click"]) controls.on(document, type, () => this.#voice.resume());
  }

  async #replaceIfLost() {
    if (this.#voice.facts.source === "lost") await this.#voice.replace();
  }

  /** @param {ServerMessage} message */
  hear = (message) => {
    const before = this.#broadcast;
    this.#broadcast = afterMessage(before, message);
    if (this.#broadcast !== before) this.#agree();
    this.#interpreters.take(message);
    this.#audience.take(message);
    this.#warning.take(message);
    if (message.type === "caption") {
      this.#captions.take(message);
      element("speak-captions-part", HTMLDivElement).hidden = false;
    }
    if (message.type === "connectionRefreshComplete") this.#captions.dropPartials(() => true);
    if (message.type === "interpreterLeft") this.#captions.dropPartials((language) => language === message.language);
    if (message.type === "sessionEnded") this.#ending = endingOf("speak", message.reason);
    this.show();
  };

  /** The system says how things are; it may not know what was wanted while the connection was broken. */
  #agree() {
    this.#mute.agree(this.#broadcast.isMuted).catch((problem) => this.#controls.fail(problem));
    this.#pause.agree(this.#broadcast.isPaused).catch((problem) => this.#controls.fail(problem));
  }

  show = () => {
    if (this.#client.state === "ended") return;
    const broadcast = { ...this.#broadcast, isMuted: this.#mute.isOn, isPaused: this.#pause.isOn };
    const { state: connection, unansweredMs } = this.#client;
    const facts = { connection, unansweredMs, broadcast, voice: this.#voice.facts };
    showOnAir("speak", speakerOnAir(facts, performance.now()), this.#created.sessionId);
    showPressed(element("speak-pause", HTMLButtonElement), this.#pause.isWanted);
    showPressed(element("speak-mute", HTMLButtonElement), this.#mute.isWanted);
    if (this.#volumeTimer === null) this.#volume.value = String(broadcast.volume);
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
