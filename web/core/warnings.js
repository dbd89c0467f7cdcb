/**
 * What the system warns somebody of who is on air, in words for that person.
 *
 * @import { ServerMessage } from "../protocol/declared.js"
 */

const QUALITY = {
  clipping: "You are too loud: what listeners hear is distorted. Turn the microphone down, or speak from further away.",
  silence: "Listeners hear nothing of you. Is the microphone switched on, and is it the right one?",
  echo: "Listeners hear an echo. Wear headphones, or turn your speakers down.",
  low_snr: "There is much noise around you. Move closer to the microphone, or to a quieter place.",
};

/** Return the warning in a message; empty if it is another one. @param {ServerMessage} message */
export function warningIn(message) {
  if (message.type === "audioQualityWarning") return QUALITY[message.warningType];
  if (message.type !== "rateLimitWarning") return "";
  if (message.reason === "wrongKeys") {
    return "Somebody tries keys of this session, many and wrong ones. Whoever has the right one can listen all the same.";
  }
  return `More comes from this page than the system takes (${message.limit} in ${message.windowSeconds} s). If it goes on, some of it is refused.`;
}
