/**
 * The speaker's view.
 *
 * @import { Config } from "../main.js"
 * @import { Broadcast } from "../core/broadcast.js"
 * @import { Client, World } from "../core/client.js"
 * @import { ServerMessage, SessionCreatedMessage } from "../protocol/declared.js"
 */

import { afterMessage } from "../core/broadcast.js";
import { languageName } from "../core/channels.js";
import { endingOf, whyNotBegun } from "../core/sentences.js";
import { PROPOSED_KEY_LENGTH, asSent, keyFrom, keyOfNew, weaknessOf, whyNotKey } from "../core/invitation.js";
import { CaptionList } from "./captions.js";
import { duration, element, focusNext, make, offerLanguages, watchKey } from "./dom.js";
import { Interpreters } from "./interpreters.js";
import { Controls, beginOnSubmit, connect, showLive, showNumbers, showPressed, showWarning, statusOf } from "./session.js";
import { Share } from "./share.js";
import { FORMAT, Voice } from "./voice.js";

const STATUS_MS = 5_000;
/** A dragged slider says much; a control message may be sent ten times a second. */
const VOLUME_MS = 250;

/** @param {Config} config @param {World} world */
export function speakView(config, world) {
  offerLanguages(element("speak-language", HTMLSelectElement), "en");
  if (config.sample === undefined) element("source-recording", HTMLInputElement).disabled = true;
  const isPrivate = element("speak-private", HTMLInputElement);
  const key = element("speak-key", HTMLInputElement);
  const judgeKey = watchKey(key, element("speak-key-hint", HTMLParagraphElement), () => {
    const sent = asSent(key.value);
    return isPrivate.checked ? [whyNotKey(sent), weaknessOf(sent)] : ["", ""];
  });
  function showKey() {
    element("speak-key-field", HTMLParagraphElement).hidden = key.disabled = !isPrivate.checked;
    key.value = keyFrom(crypto.getRandomValues(new Uint8Array(PROPOSED_KEY_LENGTH)));
    judgeKey();
  }
  isPrivate.addEventListener("change", showKey);
  showKey();

  async function begin() {
    const listenerKey = keyOfNew(isPrivate.checked, key.value);
    await world.token(); // before the person is asked for the microphone
    const voice = await Voice.open("speak", config);
    try {
      await speak(config, world, /** @type {Voice} */ (voice), listenerKey);
    } catch (problem) {
      voice?.stop();
      throw problem;
    }
    showKey(); // the next session has another
  }
  beginOnSubmit("speak", begin, whyNotBegun);
}

/** @param {Config} config @param {World} world @param {Voice} voice @param {string | null} listenerKey null: none */
async function speak(config, world, voice, listenerKey) {
  const sourceLanguage = element("speak-language", HTMLSelectElement).value;
  const wanted = { sourceLanguage, audioFormat: FORMAT, ...(listenerKey !== null && { listenerKey }) };
  const message = { action: /** @type {const} */ ("createSession"), ...wanted };
  const run = (/** @type {Client} */ client, /** @type {SessionCreatedMessage} */ created) =>
    runSession(client, created, listenerKey ?? "", voice);
  const { client, session } = await connect("speak", config, world, message, run);
  await voice.start(client, FORMAT.sampleRate, session.isSilent);
}

/** @param {Client} client @param {SessionCreatedMessage} created @param {string} listenerKey empty: none @param {Voice} voice */
function runSession(client, created, listenerKey, voice) {
  const { sessionId, warning } = created;
  const pause = element("speak-pause", HTMLButtonElement);
  const mute = element("speak-mute", HTMLButtonElement);
  const volume = element("speak-volume", HTMLInputElement);
  const name = element("speak-session", HTMLOutputElement);
  const began = Date.now();
  const controls = new Controls("speak");
  const share = new Share(sessionId, listenerKey, controls);
  const interpreters = new Interpreters(client, created, controls);
  const captions = new CaptionList("speak", true);
  /** @type {Broadcast} */
  let broadcast = { isPaused: false, isMuted: false, volume: 1 };
  /** @type {Map<string, number>} */
  let audience = new Map();
  /** @type {any} */
  let volumeTimer = null;
  let asking = false;
  let ending = "";

  function showBroadcast() {
    showPressed(pause, broadcast.isPaused);
    showPressed(mute, broadcast.isMuted);
    if (volumeTimer === null) volume.value = String(broadcast.volume);
  }

  function showSent() {
    showNumbers("speak", { time: duration(Date.now() - began), sent: voice.sent, dropped: voice.dropped });
  }

  function showAudience() {
    const rows = [...audience].filter(([, count]) => count > 0).map(([code, count]) => ({ name: languageName(code), count }));
    rows.sort((a, b) => a.name.localeCompare(b.name));
    element("speak-count", HTMLOutputElement).value = String(rows.reduce((sum, { count }) => sum + count, 0));
    const items = rows.map(({ name, count }) => make("li", {}, make("span", {}, name), make("span", {}, String(count))));
    element("speak-audience", HTMLUListElement).replaceChildren(...items);
  }

  async function askWhoListens() {
    if (asking || client.state !== "open") return;
    asking = true;
    try {
      await client.request({ action: "getSessionStatus" });
    } catch {
      // It is asked again soon, and the connection's state is shown anyway.
    } finally {
      asking = false;
    }
  }

  /** @param {ServerMessage} message */
  function hear(message) {
    broadcast = afterMessage(broadcast, message);
    interpreters.take(message);
    if (message.type === "caption") {
      captions.take(message);
      element("speak-captions-part", HTMLDivElement).hidden = false;
    }
    if (message.type === "connectionRefreshComplete") captions.dropPartials(() => true);
    if (message.type === "interpreterLeft") captions.dropPartials((language) => language === message.language);
    if (message.type === "sessionStatus") audience = new Map(Object.entries(message.languageDistribution));
    if (message.type === "listenerJoined" || message.type === "listenerLeft") {
      const change = message.type === "listenerJoined" ? 1 : -1;
      audience.set(message.targetLanguage, (audience.get(message.targetLanguage) ?? 0) + change);
    }
    showWarning("speak", message);
    if (message.type === "rateLimitWarning" && message.reason === "wrongKeys") {
      warn("Somebody tries keys of this session, many and wrong ones. Whoever has the right one can listen all the same.");
    }
    if (message.type === "sessionEnded") ending = endingOf("speak", message.reason);
    showBroadcast();
    showAudience();
  }

  /** @param {string} sentence */
  function warn(sentence) {
    const place = element("speak-warning", HTMLParagraphElement);
    place.textContent = sentence;
    place.hidden = sentence === "";
  }

  function close() {
    clearInterval(numbers);
    clearInterval(polling);
    clearTimeout(volumeTimer);
    controls.release();
    voice.stop();
    share.close();
    interpreters.close();
    showLive("speak", false);
    statusOf("speak").textContent = `${ending} You spoke for ${duration(Date.now() - began)}.`.trim();
    focusNext("speak");
  }

  controls.ask(pause, "click", () => client.request({ action: broadcast.isPaused ? "resumeBroadcast" : "pauseBroadcast" }));
  controls.ask(mute, "click", () => client.request({ action: broadcast.isMuted ? "unmuteBroadcast" : "muteBroadcast" }));
  controls.on(volume, "input", () => {
    volumeTimer ??= setTimeout(async () => {
      await controls.attempt(() => client.request({ action: "setVolume", volumeLevel: Number(volume.value) }));
      volumeTimer = null;
    }, VOLUME_MS);
  });
  controls.ask(element("speak-end", HTMLButtonElement), "click", () => client.request({ action: "endSession" }));

  const numbers = setInterval(showSent, 250);
  const polling = setInterval(askWhoListens, STATUS_MS);
  name.value = sessionId;
  element("speak-captions-part", HTMLDivElement).hidden = true;
  warn(warning ?? "");
  showLive("speak", true);
  volume.value = "1";
  showBroadcast();
  showAudience();
  showSent();
  name.focus();
  return { hear, close, isSilent: () => broadcast.isPaused || broadcast.isMuted };
}
