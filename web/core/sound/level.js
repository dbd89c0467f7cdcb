/**
 * Says in a word how loud a microphone is, while somebody tries it.
 *
 * @typedef {"Good" | "Quiet" | "Too loud" | "No sound"} LevelWord
 */

/** In dB of full scale, as all here: a sample from there on may have been cut, since there are no higher ones. */
const FULL_DB = -1;
/** A browser's own control of the level lets one sample in a hundred come so high, and it sounds well. */
const TOO_LOUD_SHARE = 0.02;
/** Speech whose peaks are lower is drowned by the noise of most rooms; with a level that is set well it peaks at -20 to -9 dB. */
const GOOD_DB = -30;
/** The noise of a microphone that works is higher, but for one that is switched off, or turned down. */
const QUIET_DB = -54;
/** Between two sentences people are silent: a word that changed then would say nothing of their voice. */
const KEPT_MS = 3_000;

/** @type {Record<LevelWord, string>} */
const ADVICE = {
  Good: "Others will hear you well.",
  Quiet: "Say something. If this stays, go nearer to the microphone, or turn it up.",
  "Too loud": "Go away from the microphone a little, or turn it down.",
  "No sound": "Say something. If this stays, see whether the microphone is switched off, or choose another one.",
};

/** Return what to do about a level. @param {LevelWord} word */
export function adviceOn(word) {
  return ADVICE[word];
}

/** The level of the last seconds. */
export class LevelHistory {
  /** Of each call: the highest sample, and the share of those that may have been cut. @type {{ at: number, db: number, share: number }[]} */
  #kept = [];

  /**
   * Take the samples since the last call, and return the level as a word.
   *
   * @param {Float32Array} samples from -1 to 1 @param {number} now in ms
   * @returns {LevelWord}
   */
  take(samples, now) {
    const levels = samples.map((sample) => 20 * Math.log10(Math.abs(sample)));
    const db = levels.reduce((highest, level) => Math.max(highest, level), -Infinity);
    const share = levels.filter((level) => level >= FULL_DB).length / Math.max(1, levels.length);
    this.#kept = [...this.#kept.filter(({ at }) => now - at < KEPT_MS), { at: now, db, share }];
    if (this.#kept.some((one) => one.share >= TOO_LOUD_SHARE)) return "Too loud";
    const highest = Math.max(...this.#kept.map((one) => one.db));
    if (highest >= GOOD_DB) return "Good";
    return highest >= QUIET_DB ? "Quiet" : "No sound";
  }
}
