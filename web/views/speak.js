/**
 * The speaker's view.
 *
 * @import { Config } from "../main.js"
 * @import { World } from "../core/client.js"
 * @import { ServerMessage, SessionCreatedMessage } from "../protocol/declared.js"
 * @import { Captured } from "../audio/capture.js"
 */

import { Capture } from "../audio/capture.js";
import { Client, Problem } from "../core/client.js";
import { endingOf, whyNotBegun } from "../core/sentences.js";
import { toBase64 } from "../core/pcm.js";
import { PROPOSED_KEY_LENGTH, asSent, fragmentOf, keyFrom, keyOfNew, weaknessOf, whyNotKey } from "../core/invitation.js";
import { announceProblem, connectionText, duration, element, languageName } from "./dom.js";
import { focusNext, isFocusLost, make, offerLanguages, showProblem, waitAsLongAs, watchKey } from "./dom.js";

const FORMAT = /** @type {const} */ ({ encoding: "pcm_s16le", sampleRate: 16000, channels: 1 });
const CHUNK_MS = 100;
const STATUS_MS = 5_000;
/** A dragged slider says much; a control message may be sent ten times a second. */
const VOLUME_MS = 250;

/** @param {Config} config @param {World} world */
export function speakView(config, world) {
  const form = element("speak-form", HTMLFormElement);
  const start = element("speak-start", HTMLButtonElement);
  const problemPlace = element("speak-problem", HTMLParagraphElement);
  const status = element("speak-status", HTMLParagraphElement);
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

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    start.disabled = true;
    showProblem(problemPlace, null);
    try {
      const listenerKey = keyOfNew(isPrivate.checked, key.value);
      await world.token(); // before the person is asked for the microphone
      await speak(config, world, await openSource(config), listenerKey);
      showKey(); // the next session has another
    } catch (problem) {
      status.textContent = "";
      showProblem(problemPlace, problem instanceof Problem ? whyNotBegun(problem) : /** @type {Error} */ (problem));
      await waitAsLongAs(status, problem);
    } finally {
      const isLost = isFocusLost();
      start.disabled = false;
      if (isLost) focusNext("speak");
    }
  });
}

/** @param {Config} config */
async function openSource(config) {
  const status = element("speak-status", HTMLParagraphElement);
  if (element("source-recording", HTMLInputElement).checked) return Capture.recording(config.sample ?? "");
  status.textContent = "Asking for the microphone…";
  try {
    return await Capture.microphone(element("speak-clean", HTMLInputElement).checked);
  } catch {
    throw new Error("There is no microphone, or this page may not use it. Choose the recording, or allow the microphone.");
  }
}

/** @param {Config} config @param {World} world @param {Capture} capture @param {string | null} listenerKey null: none */
async function speak(config, world, capture, listenerKey) {
  const problemPlace = element("speak-problem", HTMLParagraphElement);
  const status = element("speak-status", HTMLParagraphElement);
  const client = new Client(config.url, world, {
    state: (state, waitMs) => {
      status.textContent = connectionText(state, waitMs);
      if (state === "ended") session?.close();
    },
    message: (message) => session?.hear(message),
    problem: (problem) => {
      showProblem(problemPlace, problem);
      announceProblem(problem);
    },
  });
  /** @type {ReturnType<typeof runSession> | null} */
  let session = null;
  const hurry = () => client.hurry();
  try {
    const sourceLanguage = element("speak-language", HTMLSelectElement).value;
    const wanted = { sourceLanguage, audioFormat: FORMAT, ...(listenerKey !== null && { listenerKey }) };
    const created = await client.begin({ action: "createSession", ...wanted });
    session = runSession(client, created, listenerKey ?? "", () => {
      capture.stop();
      removeEventListener("online", hurry);
    });
    addEventListener("online", hurry);
    await capture.start({ sampleRate: FORMAT.sampleRate, chunkMs: CHUNK_MS, onChunk: session.send });
  } catch (problem) {
    capture.stop();
    if (session !== null && client.state === "ended") return; // before the sound began, and that was shown
    client.end();
    throw problem;
  }
}

/**
 * @param {Client} client @param {SessionCreatedMessage} created @param {string} listenerKey empty: none
 * @param {() => void} release
 */
function runSession(client, { sessionId, warning }, listenerKey, release) {
  const form = element("speak-form", HTMLFormElement);
  const live = element("speak-live", HTMLDivElement);
  const problemPlace = element("speak-problem", HTMLParagraphElement);
  const status = element("speak-status", HTMLParagraphElement);
  const pause = element("speak-pause", HTMLButtonElement);
  const mute = element("speak-mute", HTMLButtonElement);
  const volume = element("speak-volume", HTMLInputElement);
  const copy = element("speak-copy", HTMLButtonElement);
  const invite = element("speak-invite", HTMLAnchorElement);
  const meter = element("speak-meter", HTMLDivElement);
  const name = element("speak-session", HTMLOutputElement);
  const began = Date.now();
  const controls = new AbortController();
  const broadcast = { isPaused: false, isMuted: false, volume: 1 };
  /** @type {Map<string, number>} */
  let audience = new Map();
  let nextNumber = 0;
  let sent = 0;
  let dropped = 0;
  /** @type {any} */
  let volumeTimer = null;
  let asking = false;

  /** @param {Captured} captured */
  function send({ bytes, level }) {
    meter.setAttribute("aria-valuenow", String(Math.round(level * 100)));
    /** @type {HTMLElement} */ (meter.firstElementChild).style.transform = `scaleX(${level})`;
    if (broadcast.isPaused || broadcast.isMuted) return;
    const chunk = { audioData: toBase64(bytes), sequenceNumber: nextNumber++, timestamp: Date.now() - CHUNK_MS };
    if (client.sendAudio({ action: "sendAudio", ...chunk })) sent++;
    else dropped++;
  }

  /** Do what a button asks for; what is refused is shown. @param {() => Promise<unknown>} act */
  async function attempt(act) {
    try {
      await act();
      showProblem(problemPlace, null);
    } catch (problem) {
      showProblem(problemPlace, /** @type {Error} */ (problem));
    }
  }

  function showBroadcast() {
    pause.setAttribute("aria-pressed", String(broadcast.isPaused));
    mute.setAttribute("aria-pressed", String(broadcast.isMuted));
    if (volumeTimer === null) volume.value = String(broadcast.volume);
  }

  function showNumbers() {
    element("speak-time", HTMLElement).textContent = duration(Date.now() - began);
    element("speak-sent", HTMLElement).textContent = String(sent);
    element("speak-dropped", HTMLElement).textContent = String(dropped);
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
    if (message.type === "broadcastPaused") broadcast.isPaused = true;
    if (message.type === "broadcastResumed") broadcast.isPaused = false;
    if (message.type === "broadcastMuted") broadcast.isMuted = true;
    if (message.type === "broadcastUnmuted") broadcast.isMuted = false;
    if (message.type === "volumeChanged") broadcast.volume = message.volumeLevel;
    if (message.type === "broadcastControl") {
      Object.assign(broadcast, { isPaused: message.isPaused, isMuted: message.isMuted, volume: message.volume });
    }
    if (message.type === "speakerStateChanged" || message.type === "sessionStatus") {
      Object.assign(broadcast, message.broadcastState);
    }
    if (message.type === "sessionStatus") audience = new Map(Object.entries(message.languageDistribution));
    if (message.type === "listenerJoined" || message.type === "listenerLeft") {
      const change = message.type === "listenerJoined" ? 1 : -1;
      audience.set(message.targetLanguage, (audience.get(message.targetLanguage) ?? 0) + change);
    }
    if (message.type === "connectionWarning") {
      status.textContent = `This connection ends in ${message.remainingMinutes} minutes; the page opens another.`;
    }
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

  let ending = "";
  function close() {
    clearInterval(numbers);
    clearInterval(polling);
    clearTimeout(volumeTimer);
    controls.abort();
    release();
    live.hidden = true;
    form.hidden = false;
    element("speak-live-key", HTMLElement).textContent = "";
    invite.href = fragmentOf("");
    status.textContent = `${ending} You spoke for ${duration(Date.now() - began)}.`.trim();
    focusNext("speak");
  }

  /** @param {HTMLElement} target @param {string} type @param {() => void} run */
  const on = (target, type, run) => target.addEventListener(type, run, { signal: controls.signal });
  on(pause, "click", () => {
    const action = broadcast.isPaused ? "resumeBroadcast" : "pauseBroadcast";
    void attempt(() => client.request({ action }));
  });
  on(mute, "click", () => {
    const action = broadcast.isMuted ? "unmuteBroadcast" : "muteBroadcast";
    void attempt(() => client.request({ action }));
  });
  on(volume, "input", () => {
    volumeTimer ??= setTimeout(async () => {
      await attempt(() => client.request({ action: "setVolume", volumeLevel: Number(volume.value) }));
      volumeTimer = null;
    }, VOLUME_MS);
  });
  on(element("speak-end", HTMLButtonElement), "click", () => void attempt(() => client.request({ action: "endSession" })));
  on(copy, "click", () => void attempt(() => navigator.clipboard.writeText(sessionId)));
  on(element("speak-copy-link", HTMLButtonElement), "click", () => void attempt(() => navigator.clipboard.writeText(invite.href)));

  const numbers = setInterval(showNumbers, 250);
  const polling = setInterval(askWhoListens, STATUS_MS);
  name.value = sessionId;
  invite.href = fragmentOf(sessionId, listenerKey);
  copy.textContent = listenerKey === "" ? "Copy the name" : "Copy the name, without the key";
  element("speak-secret", HTMLDetailsElement).hidden = listenerKey === "";
  element("speak-live-key", HTMLElement).textContent = listenerKey;
  warn(warning ?? "");
  form.hidden = true;
  live.hidden = false;
  volume.value = "1";
  showBroadcast();
  showAudience();
  showNumbers();
  name.focus();
  return { send, hear, close };
}
