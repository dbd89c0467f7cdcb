/**
 * Whether somebody is on air, judged by what really passes: sound that was captured, sent and taken by the network, and
 * samples that were played. Each role has its own judgement, which returns a state and the sentence that is shown; what
 * needs the person most comes first.
 *
 * All times are milliseconds on one clock that never goes back; a moment that has not come yet is 0.
 *
 * @import { Broadcast } from "./broadcast.js"
 * @import { State as Connection } from "./client.js"
 *
 * @typedef {"idle" | "checking" | "needsTap" | "live" | "muted" | "paused" | "interrupted" | "reconnecting" | "deviceLost" | "ended"} OnAirState
 * @typedef {{ state: OnAirState, sentence: string, remedy?: "microphone" }} OnAir `remedy`: another microphone helps, or the same one again
 *
 * @typedef {object} Voice what comes from a microphone, or a recording that stands in for one
 * @property {"asking" | "refused" | "running" | "blocked" | "interrupted" | "lost"} source `blocked`: the browser waits for a tap
 * @property {string} refusal why it was refused, and what to do; empty if it was not
 * @property {number} beganAt
 * @property {number} capturedAt when the last chunk came from it
 * @property {number} silentSince since when it has given nothing but zeros; 0 if it gives sound
 * @property {number} sentAt when the last chunk was sent
 * @property {number} takenAt when the network had last taken all that was sent
 *
 * @typedef {object} Sound what is played
 * @property {"starting" | "running" | "blocked" | "interrupted" | "noDevice" | "failed"} output
 * @property {number} beganAt
 * @property {number} heardAt when somebody's voice was last played
 */

import { FLOOR } from "./channels.js";

/** What passed so lately passes still: a chunk is 100 ms, and one or two may be late. */
const RECENT_MS = 1_500;
/** An open connection on which nothing gets through for so long is none. */
const STUCK_MS = 3_000;
/** A pause in speech is no broken microphone; a room is never all zeros. */
const ZEROS_MS = 5_000;

const TAP = "Tap the page, or press the button below: your browser waits for that";

/** @type {Record<"idle" | "checking" | "ended", OnAir>} */
export const OFF_AIR = {
  idle: { state: "idle", sentence: "" },
  checking: { state: "checking", sentence: "" },
  ended: { state: "ended", sentence: "" },
};

/** The speaker wants the end, which the system may not know so far. @type {OnAir} */
export const ENDING = { state: "ended", sentence: "Ending the session: nobody hears you any more." };

/**
 * Judge a speaker.
 *
 * @param {{ connection: Connection, isReturning: boolean, unansweredMs: number, refusedAt: number, broadcast: Broadcast, voice: Voice }} facts
 * `isReturning`: the page was loaded again; `broadcast`: as the speaker wants it; `unansweredMs`: how long the oldest request
 * has waited; `refusedAt`: when the system last refused a chunk
 * @param {number} now
 * @returns {OnAir}
 */
export function speakerOnAir({ connection, isReturning, unansweredMs, refusedAt, broadcast, voice }, now) {
  if (connection !== "open") return reconnecting(isReturning, broadcast.isMuted, broadcast.isPaused);
  const trouble = troubleOfSource(voice, now);
  if (trouble) return trouble;
  if (broadcast.isPaused) return { state: "paused", sentence: "You paused: nobody hears you." };
  if (broadcast.isMuted) return { state: "muted", sentence: "You are muted: nobody hears you." };
  return sending(voice, unansweredMs, refusedAt, "Live: everyone in the session hears you.", now);
}

/**
 * Judge an interpreter, who hears the speaker and, unless it only writes captions, is heard.
 *
 * @param {{ connection: Connection, isReturning: boolean, unansweredMs: number, refusedAt: number, broadcast: Broadcast, voice: Voice | null, isMuted: boolean, sound: Sound }} facts
 * @param {number} now
 * @returns {OnAir}
 */
export function interpreterOnAir({ connection, isReturning, unansweredMs, refusedAt, broadcast, voice, isMuted, sound }, now) {
  if (connection !== "open") return reconnecting(isReturning, isMuted, false);
  const trouble = (voice && troubleOfSource(voice, now)) || troubleOfOutput(sound);
  if (trouble) return trouble;
  if (broadcast.isPaused) return { state: "paused", sentence: "The speaker paused." };
  if (isMuted) return { state: "muted", sentence: "You are muted: nobody hears you." };
  if (voice) return sending(voice, unansweredMs, refusedAt, "Live: listeners of your language hear you.", now);
  return broadcast.isMuted ? { state: "muted", sentence: "The speaker is muted." } : hearing(sound, FLOOR, now);
}

/**
 * Judge what a listener hears.
 *
 * @param {{ connection: Connection, isReturning: boolean, broadcast: Broadcast, isPaused: boolean, hears: string, sound: Sound }} facts
 * @param {number} now
 * @returns {OnAir}
 */
export function listenerOnAir({ connection, isReturning, broadcast, isPaused, hears, sound }, now) {
  if (isPaused) return { state: "paused", sentence: "You paused. Press Pause again to go on." };
  if (connection !== "open") return isReturning ? RETURNING : { state: "reconnecting", sentence: "You hear nothing: the connection broke. The page tries again by itself." };
  const trouble = troubleOfOutput(sound);
  if (trouble) return trouble;
  if (broadcast.isPaused) return { state: "paused", sentence: "The speaker paused." };
  if (broadcast.isMuted && hears === FLOOR) return { state: "muted", sentence: "The speaker is muted." };
  return hearing(sound, hears, now);
}

/** @type {OnAir} */
const RETURNING = { state: "reconnecting", sentence: "Going back to the session…" };

/** @param {boolean} isReturning @param {boolean} isMuted @param {boolean} isPaused @returns {OnAir} */
function reconnecting(isReturning, isMuted, isPaused) {
  if (isReturning) return RETURNING;
  const stays = isMuted ? " You stay muted." : isPaused ? " You stay paused." : "";
  return { state: "reconnecting", sentence: `Nobody hears you: the connection broke. The page tries again by itself.${stays}` };
}

/** @param {Voice} voice @param {number} now @returns {OnAir | null} */
function troubleOfSource({ source, refusal, beganAt, capturedAt }, now) {
  if (source === "asking") return { state: "checking", sentence: "Nobody hears you yet: the browser asks for your microphone." };
  if (source === "refused") return { state: "deviceLost", sentence: `Nobody hears you. ${refusal}`, remedy: "microphone" };
  if (source === "lost") {
    return { state: "deviceLost", sentence: "Nobody hears you: your microphone is gone. Plug it in again, or use another one.", remedy: "microphone" };
  }
  if (source === "blocked") return { state: "needsTap", sentence: `Nobody hears you. ${TAP}.` };
  const isStill = now - Math.max(beganAt, capturedAt) > RECENT_MS;
  if (source !== "interrupted" && !isStill) return null;
  return { state: "interrupted", sentence: "Nobody hears you: your device has interrupted the microphone, as for a call." };
}

/** @param {Voice} voice @param {number} unansweredMs @param {number} refusedAt @param {string} sentence @param {number} now @returns {OnAir} */
function sending({ silentSince, sentAt, takenAt }, unansweredMs, refusedAt, sentence, now) {
  if (unansweredMs > STUCK_MS || (sentAt > 0 && now - takenAt > STUCK_MS)) {
    return { state: "interrupted", sentence: "Perhaps nobody hears you: your network lets nothing through at the moment." };
  }
  if (sentAt === 0 || now - sentAt > RECENT_MS) return { state: "checking", sentence: "Starting…" };
  if (refusedAt > 0 && now - refusedAt <= STUCK_MS) {
    return { state: "interrupted", sentence: "Some of what you say is lost: the system has trouble at the moment." };
  }
  if (silentSince > 0 && now - silentSince > ZEROS_MS) {
    const sentence = "Listeners hear silence: your microphone gives no sound. Is it switched on, and is it the right one?";
    return { state: "interrupted", sentence, remedy: "microphone" };
  }
  return { state: "live", sentence };
}

/** @param {Sound} sound @returns {OnAir | null} */
function troubleOfOutput({ output }) {
  switch (output) {
    case "blocked":
      return { state: "needsTap", sentence: `You hear nothing. ${TAP}.` };
    case "interrupted":
      return { state: "interrupted", sentence: "You hear nothing: the sound is interrupted, as by a call. It goes on by itself; if it does not, tap the page." };
    case "noDevice":
      return { state: "deviceLost", sentence: "You hear nothing: this device has no speakers and no headphones. Plug some in, or choose another output." };
    case "failed":
      return { state: "deviceLost", sentence: "You hear nothing: the browser cannot play sound. Open the page again." };
    default:
      return null;
  }
}

/** @param {Sound} sound @param {string} hears @param {number} now @returns {OnAir} */
function hearing({ beganAt, heardAt }, hears, now) {
  if (now - heardAt <= RECENT_MS && heardAt > 0) return { state: "live", sentence: "Live." };
  if (heardAt === 0 && now - beganAt <= STUCK_MS) return { state: "checking", sentence: "Waiting for the sound…" };
  const choice = hears === FLOOR ? " Wait; if it lasts, leave and listen again." : " The interpreter may be silent: you can choose the speaker’s own voice below.";
  return { state: "interrupted", sentence: `No sound arrives at the moment.${choice}` };
}
