/**
 * Which channel a language has, and what somebody hears, in plain words. A session has a floor, the speaker, and
 * channels, one a language, each with an interpreter.
 */

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
 * Return the channel of somebody's language: the one with exactly its tag, else the one of its language subtag alone,
 * else the floor.
 *
 * @param {string} language @param {readonly string[]} channels
 */
export function channelFor(language, channels) {
  const [subtag] = language.split("-");
  return [language, subtag].map((wanted) => channels.find((one) => isSame(one, wanted ?? ""))).find(Boolean) ?? FLOOR;
}

/** @param {string} one @param {string} other */
export function isSame(one, other) {
  return one.toLowerCase() === other.toLowerCase();
}

/**
 * @typedef {object} Listening
 * @property {string} language of the listener
 * @property {string} sourceLanguage of the speaker
 * @property {"interpreted" | "original"} audio what the listener chose
 * @property {string} hears a channel's language, or `FLOOR`
 * @property {readonly string[]} channels as the server named them last
 */

/**
 * Say whether captions in a language are for a listener: they are of its channel or, without one, of the floor. What was
 * on its way when the listener changed is not.
 *
 * @param {string} language @param {Listening} listening
 */
export function isCaptionFor(language, listening) {
  const channel = channelFor(listening.language, listening.channels);
  return isSame(language, channel === FLOOR ? listening.sourceLanguage : channel);
}

/**
 * Say what a listener hears, and why.
 *
 * @param {Listening} listening @param {(code: string) => string} name of a language
 */
export function hearingText({ language, sourceLanguage, audio, hears }, name = languageName) {
  if (hears !== FLOOR) return `You hear the ${name(hears)} interpreter.`;
  if (isSame(language, sourceLanguage)) return "You hear the speaker, in your language.";
  if (audio === "original") return "You hear the speaker’s own voice, as you chose.";
  return `You hear the speaker: nobody interprets into ${name(language)} now.`;
}

/** @param {readonly string[]} channels @param {(code: string) => string} name of a language */
export function channelsText(channels, name = languageName) {
  const names = channels.map(name).sort((a, b) => a.localeCompare(b));
  return names.length === 0 ? "There are no interpreters." : `There are interpreters for: ${names.join(", ")}.`;
}
