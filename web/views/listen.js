/**
 * The listener's view.
 *
 * @import { Config } from "../main.js"
 * @import { World } from "../core/client.js"
 * @import { AudioMessage, ServerMessage, SessionJoinedMessage } from "../protocol/declared.js"
 */

import { Player } from "../audio/player.js";
import { Client, Problem } from "../core/client.js";
import { asSent, whyNotKey } from "../core/invitation.js";
import { endingOf, whyNotJoined } from "../core/sentences.js";
import { JitterBuffer } from "../core/jitter-buffer.js";
import { durationMs, fromBase64, toWav } from "../core/pcm.js";
import { announceProblem, connectionText, element } from "./dom.js";
import { focusNext, isFocusLost, offerLanguages, showProblem, waitAsLongAs, watchKey } from "./dom.js";

/** How long a chunk may be overtaken by. */
const DELAY_MS = 200;
/** What can be saved: the last ten minutes. */
const SAVED_MS = 10 * 60 * 1000;
const DEFAULT_FORMAT = { encoding: "pcm_s16le", sampleRate: 16000, channels: 1 };

/** @param {Config} config @param {World} world */
export function listenView(config, world) {
  const form = element("listen-form", HTMLFormElement);
  const start = element("listen-start", HTMLButtonElement);
  const problemPlace = element("listen-problem", HTMLParagraphElement);
  const language = element("listen-language", HTMLSelectElement);
  offerLanguages(language, "de");
  offerLanguages(element("listen-change", HTMLSelectElement), "de");
  const key = element("listen-key", HTMLInputElement);
  watchKey(key, element("listen-key-hint", HTMLParagraphElement), () => [asSent(key.value) && whyNotKey(asSent(key.value)), ""]);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    start.disabled = true;
    showProblem(problemPlace, null);
    try {
      const sessionId = element("listen-session", HTMLInputElement).value.trim();
      await listen(config, world, sessionId, language.value);
    } catch (problem) {
      const status = element("listen-status", HTMLParagraphElement);
      status.textContent = "";
      showProblem(problemPlace, problem instanceof Problem ? whyNotJoined(problem) : /** @type {Error} */ (problem));
      await waitAsLongAs(status, problem);
    } finally {
      const isLost = isFocusLost();
      start.disabled = false;
      if (isLost) focusNext("listen");
    }
  });
}

/** @param {Config} config @param {World} world @param {string} sessionId @param {string} targetLanguage */
async function listen(config, world, sessionId, targetLanguage) {
  const problemPlace = element("listen-problem", HTMLParagraphElement);
  const status = element("listen-status", HTMLParagraphElement);
  /** What came before the session was set up. @type {ServerMessage[]} */
  const early = [];
  /** @type {ReturnType<typeof runSession> | null} */
  let session = null;
  const client = new Client(config.url, world, {
    state: (state, waitMs) => {
      status.textContent = connectionText(state, waitMs);
      if (state === "ended") session?.close();
    },
    message: (message) => (session ? session.hear(message) : early.push(message)),
    problem: (problem) => {
      showProblem(problemPlace, problem);
      announceProblem(problem);
    },
  });
  const hurry = () => client.hurry();
  try {
    const listenerKey = asSent(element("listen-key", HTMLInputElement).value);
    const joined = await client.begin({ action: "joinSession", sessionId, targetLanguage, ...(listenerKey && { listenerKey }) });
    session = runSession(client, joined, () => removeEventListener("online", hurry));
    early.forEach(session.hear);
    addEventListener("online", hurry);
  } catch (problem) {
    client.end();
    throw problem;
  }
}

/**
 * @param {Client} client @param {SessionJoinedMessage} joined
 * @param {() => void} release
 */
function runSession(client, joined, release) {
  const form = element("listen-form", HTMLFormElement);
  const live = element("listen-live", HTMLDivElement);
  const problemPlace = element("listen-problem", HTMLParagraphElement);
  const status = element("listen-status", HTMLParagraphElement);
  const pause = element("listen-pause", HTMLButtonElement);
  const volume = element("listen-volume", HTMLInputElement);
  const change = element("listen-change", HTMLSelectElement);
  const name = element("listen-name", HTMLOutputElement);
  const format = { ...DEFAULT_FORMAT, ...joined.audioFormat };
  const player = new Player(format);
  const buffer = new JitterBuffer(DELAY_MS);
  const controls = new AbortController();
  const broadcast = { ...joined.broadcastState };
  /** @type {{ bytes: Uint8Array, durationMs: number }[]} */
  const saved = [];
  let savedMs = 0;
  let isPaused = false;
  let language = joined.targetLanguage;
  let latencyMs = NaN;
  /** When a chunk was spoken. @type {Map<number, number>} */
  const spoken = new Map();
  /** @type {any} */
  let timer = null;

  /** @param {AudioMessage} message */
  function take(message) {
    if (isPaused) return;
    const bytes = fromBase64(message.audioData);
    buffer.push({ sequenceNumber: message.sequenceNumber, durationMs: durationMs(bytes.length, format), bytes }, performance.now());
    spoken.set(message.sequenceNumber, message.speakerTimestamp);
    playDue();
  }

  function playDue() {
    clearTimeout(timer);
    for (const chunk of buffer.take(performance.now())) {
      const seconds = player.play(chunk);
      measure(chunk.sequenceNumber, seconds);
      keep(chunk.bytes ?? silence(chunk.durationMs), chunk.durationMs);
    }
    if (buffer.due !== null) timer = setTimeout(playDue, Math.max(0, buffer.due - performance.now()));
  }

  /** @param {number} ms */
  function silence(ms) {
    const frameBytes = 1000 / (durationMs(1, format) * format.sampleRate);
    const bytes = new Uint8Array(Math.round((ms * format.sampleRate) / 1000) * frameBytes);
    return format.encoding === "pcm_mulaw" ? bytes.fill(0xff) : bytes;
  }

  /** @param {number} number @param {number} seconds until it is heard */
  function measure(number, seconds) {
    const when = spoken.get(number);
    spoken.delete(number);
    if (spoken.size > 1000) spoken.clear();
    if (when === undefined) return;
    const now = Date.now() + seconds * 1000 - when;
    latencyMs = Number.isNaN(latencyMs) ? now : latencyMs + (now - latencyMs) / 10;
  }

  /** @param {Uint8Array} bytes @param {number} ms */
  function keep(bytes, ms) {
    saved.push({ bytes, durationMs: ms });
    savedMs += ms;
    while (savedMs > SAVED_MS) savedMs -= saved.shift()?.durationMs ?? savedMs;
  }

  function save() {
    const file = new Blob([toWav(saved.map(({ bytes }) => bytes), format)], { type: "audio/wav" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = `${joined.sessionId}.wav`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
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
    player.setVolume(broadcast.isMuted ? 0 : broadcast.volume * Number(volume.value));
    pause.setAttribute("aria-pressed", String(isPaused));
    change.value = language;
    const speaker = broadcast.isPaused ? "The speaker paused." : broadcast.isMuted ? "The speaker is muted." : "Live.";
    element("listen-broadcast", HTMLParagraphElement).textContent = isPaused ? "You paused." : speaker;
  }

  function showNumbers() {
    const { played, reordered, gaps, late } = buffer.counts;
    const numbers = { played, reordered, gaps, late };
    for (const [key, value] of Object.entries(numbers)) element(`listen-${key}`, HTMLElement).textContent = String(value);
    element("listen-waiting", HTMLElement).textContent = `${Math.round(buffer.waitingMs)} ms`;
    element("listen-latency", HTMLElement).textContent = Number.isNaN(latencyMs) ? "–" : `${Math.round(latencyMs)} ms`;
  }

  /** @param {ServerMessage} message */
  function hear(message) {
    if (message.type === "audio") return take(message);
    if (message.type === "broadcastPaused") broadcast.isPaused = true;
    if (message.type === "broadcastResumed") broadcast.isPaused = false;
    if (message.type === "broadcastMuted") broadcast.isMuted = true;
    if (message.type === "broadcastUnmuted") broadcast.isMuted = false;
    if (message.type === "volumeChanged") broadcast.volume = message.volumeLevel;
    if (message.type === "broadcastControl") {
      Object.assign(broadcast, { isPaused: message.isPaused, isMuted: message.isMuted, volume: message.volume });
    }
    if (message.type === "speakerStateChanged") Object.assign(broadcast, message.broadcastState);
    if (message.type === "playbackPaused" || message.type === "playbackResumed") {
      isPaused = message.type === "playbackPaused";
      buffer.reset();
    }
    if (message.type === "languageChanged") language = message.targetLanguage;
    if (message.type === "connectionWarning") {
      status.textContent = `This connection ends in ${message.remainingMinutes} minutes; the page opens another.`;
    }
    if (message.type === "sessionEnded") ending = endingOf("listen", message.reason);
    showBroadcast();
  }

  let ending = "";
  function close() {
    clearTimeout(timer);
    clearInterval(numbers);
    controls.abort();
    release();
    player.close();
    live.hidden = true;
    form.hidden = false;
    status.textContent = ending;
    focusNext("listen");
  }

  /** @param {HTMLElement} target @param {string} type @param {() => void} run */
  const on = (target, type, run) => target.addEventListener(type, run, { signal: controls.signal });
  on(pause, "click", () => void attempt(() => client.request({ action: isPaused ? "resumePlayback" : "pausePlayback" })));
  on(volume, "input", showBroadcast);
  on(change, "change", () => {
    void attempt(() => client.request({ action: "changeLanguage", targetLanguage: change.value })).finally(showBroadcast);
  });
  on(element("listen-save", HTMLButtonElement), "click", save);
  on(element("listen-leave", HTMLButtonElement), "click", () => {
    ending = "You left.";
    client.end();
  });

  const numbers = setInterval(showNumbers, 250);
  name.value = joined.sessionId;
  form.hidden = true;
  live.hidden = false;
  showBroadcast();
  showNumbers();
  name.focus();
  return { hear, close };
}
