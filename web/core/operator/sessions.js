/**
 * The sessions that run, as the local run reports them once a second, in words.
 *
 * @typedef {object} SessionReport
 * @property {string} sessionId
 * @property {string} sourceLanguage
 * @property {number} createdAt milliseconds since the epoch, as all times
 * @property {string} speaker the speaker's connection
 * @property {string[]} connections of all who take part
 * @property {number | null} awaySince when the speaker's connection ended
 * @property {{ isPaused: boolean, isMuted: boolean }} state
 * @property {{ language: string, connection: string, seenAt: number }[]} interpreters
 * @property {{ language: string, count: number, paused: number }[]} listeners
 * @property {number | null} lastAudioAt
 * @property {{ p50: number, p95: number } | null} delayMs from the sender's clock to the listener's connection
 * @property {number} refused
 * @property {number} notPassedOn
 * @property {number} notDelivered
 *
 * @typedef {{ time: number, isOld: boolean, more: number, sessions: SessionReport[] }} SessionsReport `more`: so many run beside these
 */

import { languageName } from "../channels.js";
import { shown } from "./metrics.js";

/** An interpreter who gives no sign for so long may be replaced. */
const SIGN_MS = 10_000;
const SILENT_MS = 3_000;

/** Say whether somebody hears the session: to others nothing is sent, so that nothing is known of the sound. @param {SessionReport} session */
function isHeard({ listeners, interpreters }) {
  return listeners.some(({ count, paused }) => count > paused) || interpreters.length > 0;
}

/** Return how late the sound is. @param {SessionReport} session */
export function delayText(session) {
  if (session.delayMs) return `${shown(session.delayMs.p50)} ms, p95 ${shown(session.delayMs.p95)} ms`;
  return isHeard(session) ? "nothing came" : "nobody listens";
}

/** Return how the speaker is, and whether that is bad. @param {SessionReport} session @param {number} now */
export function speakerState(session, now) {
  const { awaySince, state, lastAudioAt } = session;
  if (awaySince !== null) return { text: `away for ${duration(now - awaySince)}`, isBad: true };
  if (state.isPaused) return { text: "paused", isBad: false };
  if (state.isMuted) return { text: "muted", isBad: false };
  if (!isHeard(session)) return { text: "live", isBad: false };
  if (lastAudioAt === null) return { text: "live, no sound yet", isBad: false };
  const silentMs = now - lastAudioAt;
  return silentMs < SILENT_MS ? { text: "live", isBad: false } : { text: `live, no sound for ${duration(silentMs)}`, isBad: true };
}

/** @param {{ language: string, seenAt: number }} interpreter @param {string} sourceLanguage @param {number} now */
export function interpreterText({ language, seenAt }, sourceLanguage, now) {
  const name = language === sourceLanguage ? `Captions (${languageName(language)})` : languageName(language);
  return now - seenAt > SIGN_MS ? `${name}, no sign for ${duration(now - seenAt)}` : name;
}

/** @param {SessionReport["listeners"]} listeners */
export function listenersText(listeners) {
  return listeners.map(({ language, count, paused }) => `${languageName(language)} ${count}${paused > 0 ? ` (${paused} paused)` : ""}`).join(", ");
}

/** @param {SessionReport} session */
export function lostText({ refused, notPassedOn, notDelivered }) {
  const parts = [
    refused > 0 ? `${refused} refused` : "",
    notPassedOn > 0 ? `${notPassedOn} not passed on` : "",
    notDelivered > 0 ? `${notDelivered} not delivered` : "",
  ].filter(Boolean);
  return parts.join(", ") || "nothing";
}

/** Return a time span in its two largest units. @param {number} ms */
export function duration(ms) {
  const seconds = Math.max(Math.floor(ms / 1000), 0);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
