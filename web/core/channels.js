/**
 * Which channel a language has, and what somebody hears, in plain words. A session has a floor, the speaker, and
 * channels, one a language, each with an interpreter.
 */

/** @import { ServerMessage } from "../protocol/declared.js" */

export const FLOOR = "floor";

/** A language's name, in the person's own language. @param {string} code */
export function languageName(code) {
  try {
    return new Intl.DisplayNames(undefined, { type: "language" }).of(code) ?? code;
  } catch {
    return code;
  }
}

/**
 * @typedef {object} Listening
 * @property {string} language of the listener
 * @property {string} sourceLanguage of the speaker
 * @property {"interpreted" | "original"} audio what the listener chose
 * @property {string} hears a channel's language, or `FLOOR`
 * @property {readonly string[] | null} channels null: since the listener changed language nobody has named them
 */

/**
 * Say whether captions in a language are for a listener: they are of the channel with exactly its tag, else of the one
 * of its language subtag alone, else of the floor. What was on its way when the listener changed is not.
 *
 * @param {string} captions @param {Listening} listening
 */
export function isCaptionFor(captions, { language, sourceLanguage, channels }) {
  if (language === sourceLanguage) return captions === sourceLanguage;
  const tags = [language, language.split("-")[0] ?? ""];
  if (channels === null) return [...tags, sourceLanguage].includes(captions);
  return captions === (tags.find((tag) => channels.includes(tag)) ?? sourceLanguage);
}

/**
 * Say what a listener hears, and why.
 *
 * @param {Listening} listening @param {(code: string) => string} name of a language
 */
export function hearingText({ language, sourceLanguage, audio, hears }, name = languageName) {
  if (hears !== FLOOR) return `You hear the ${name(hears)} interpreter.`;
  if (language === sourceLanguage) return "You hear the speaker, in your language.";
  if (audio === "original") return "You hear the speaker’s own voice, as you chose.";
  return `You hear the speaker: nobody interprets into ${name(language)} now.`;
}

/**
 * Say which channels there are. A listener is informed of its own alone: of the others this is what was so at that time.
 *
 * @param {readonly string[]} channels @param {(code: string) => string} name of a language
 */
export function channelsText(channels, name = languageName) {
  const names = channels.map(name).sort((a, b) => a.localeCompare(b));
  return names.length === 0 ? "" : `There are interpreters for: ${names.join(", ")}.`;
}

/**
 * Return the languages that are interpreted after a message to the speaker. Who takes a session over is informed anew of
 * each one that is.
 *
 * @param {readonly string[]} languages @param {ServerMessage} message
 */
export function interpretedAfter(languages, message) {
  switch (message.type) {
    case "connectionRefreshComplete":
      return [];
    case "interpreterJoined":
      return languages.includes(message.language) ? languages : [...languages, message.language];
    case "interpreterLeft":
      return languages.includes(message.language) ? languages.filter((one) => one !== message.language) : languages;
    default:
      return languages;
  }
}
