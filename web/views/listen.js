/**
 * The listener's view.
 *
 * @import { Config } from "../main.js"
 * @import { Client, World } from "../core/client.js"
 * @import { Listening } from "../core/channels.js"
 * @import { ServerMessage, SessionJoinedMessage } from "../protocol/declared.js"
 */

import { FLOOR, channelsText, hearingText, isCaptionFor } from "../core/channels.js";
import { asSent, whyNotKey } from "../core/invitation.js";
import { endingOf, whyNotJoined } from "../core/sentences.js";
import { CaptionList } from "./captions.js";
import { element, focusNext, offerLanguages, saveFile, watchKey } from "./dom.js";
import { Hearing } from "./hearing.js";
import { Controls, beginOnSubmit, connect, showLive, showPressed, showText, showWarning, statusOf } from "./session.js";

/** @typedef {{ targetLanguage: string, audio: "interpreted" | "original", captions: boolean }} Wish of a listener */

/** @param {string} language @param {string} audio @param {string} captions ids */
function wishFields(language, audio, captions) {
  return {
    language: element(language, HTMLSelectElement),
    audio: element(audio, HTMLSelectElement),
    captions: element(captions, HTMLInputElement),
  };
}
const fieldsBefore = () => wishFields("listen-language", "listen-audio", "listen-captions");
const fieldsDuring = () => wishFields("listen-change", "listen-change-audio", "listen-change-captions");

/** @param {ReturnType<typeof wishFields>} fields @returns {Wish} */
function wishIn({ language, audio, captions }) {
  return { targetLanguage: language.value, audio: audio.value === "original" ? "original" : "interpreted", captions: captions.checked };
}

/** @param {Config} config @param {World} world */
export function listenView(config, world) {
  const fields = fieldsBefore();
  for (const { language } of [fields, fieldsDuring()]) offerLanguages(language, "de");
  const key = element("listen-key", HTMLInputElement);
  watchKey(key, element("listen-key-hint", HTMLParagraphElement), () => [asSent(key.value) && whyNotKey(asSent(key.value)), ""]);

  async function begin() {
    Hearing.prepare();
    const sessionId = element("listen-session", HTMLInputElement).value.trim();
    const listenerKey = asSent(key.value);
    const wish = wishIn(fields);
    const message = { action: /** @type {const} */ ("joinSession"), sessionId, ...wish, ...(listenerKey && { listenerKey }) };
    await connect("listen", config, world, message, (client, joined) => runSession(client, joined, wish));
  }
  beginOnSubmit("listen", begin, whyNotJoined);
}

/** @param {Client} client @param {SessionJoinedMessage} joined @param {Wish} wish */
function runSession(client, joined, wish) {
  const pause = element("listen-pause", HTMLButtonElement);
  const name = element("listen-name", HTMLOutputElement);
  const fields = fieldsDuring();
  const controls = new Controls("listen");
  const hearing = new Hearing("listen", joined, controls, () => client.state === "open");
  const captions = new CaptionList("listen", false);
  let wanted = wish;
  /** Those of before, while nobody has named others. */
  let channels = joined.channels ?? [];
  let ending = "";
  /** @type {Listening} */
  let listening = {
    language: joined.targetLanguage,
    sourceLanguage: joined.sourceLanguage,
    audio: wish.audio,
    hears: joined.hears ?? FLOOR,
    channels,
  };
  hearing.playback.tuneTo(listening.hears);

  function show() {
    hearing.show();
    showPressed(pause, hearing.isPaused);
    showText("listen-hears", hearingText(listening));
    showText("listen-channels", channelsText(channels));
  }

  function showWish() {
    fields.language.value = wanted.targetLanguage;
    fields.audio.value = wanted.audio;
    fields.captions.checked = wanted.captions;
    element("listen-captions-part", HTMLDivElement).hidden = !wanted.captions;
    show();
  }

  async function change() {
    const next = wishIn(fields);
    try {
      await client.request({ action: "changeLanguage", ...next });
      const isOther = next.targetLanguage !== wanted.targetLanguage;
      if (isOther || !next.captions) captions.clear();
      wanted = next;
      listening = { ...listening, language: next.targetLanguage, audio: next.audio, ...(isOther && { channels: null }) };
    } finally {
      showWish(); // what is refused stays as it was
    }
  }

  /** @param {ServerMessage} message */
  function hear(message) {
    hearing.take(message);
    if (message.type === "audio") return;
    if (message.type === "playbackPaused" || message.type === "playbackResumed") {
      hearing.isPaused = message.type === "playbackPaused";
      hearing.playback.reset();
    }
    if (message.type === "channelChanged") {
      channels = message.channels;
      listening = { ...listening, hears: message.hears, channels };
      hearing.playback.tuneTo(message.hears);
      captions.dropPartials((language) => !isCaptionFor(language, listening));
    }
    if (message.type === "caption" && wanted.captions && isCaptionFor(message.language, listening)) captions.take(message);
    if (message.type === "sessionEnded") ending = endingOf("listen", message.reason);
    showWarning("listen", message);
    show();
  }

  function close() {
    controls.release();
    hearing.close();
    showLive("listen", false);
    statusOf("listen").textContent = ending;
    focusNext("listen");
  }

  controls.ask(pause, "click", () => client.request({ action: hearing.isPaused ? "resumePlayback" : "pausePlayback" }));
  for (const field of Object.values(fields)) controls.ask(field, "change", change);
  controls.on(element("listen-save", HTMLButtonElement), "click", () => {
    saveFile(`${joined.sessionId}.wav`, new Blob([hearing.playback.recording()], { type: "audio/wav" }));
  });
  controls.on(element("listen-leave", HTMLButtonElement), "click", () => {
    ending = "You left.";
    client.end();
  });

  name.value = joined.sessionId;
  showLive("listen", true);
  showWish();
  name.focus();
  return { hear, close, show };
}
