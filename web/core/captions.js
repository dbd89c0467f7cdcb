/**
 * The captions that somebody reads: final ones stay, the last of them; a partial one is replaced by the next of its
 * segment, until its final one comes, or a blank one, which takes back what was begun.
 *
 * @typedef {{ language: string, segmentId: string, text: string, isFinal: boolean }} Caption
 */

const MAX_FINALS = 50;
/** Who writes captions may leave segments without an end. */
const MAX_PARTIALS = 5;

export class Captions {
  /** @type {Caption[]} */
  #finals = [];
  /** @type {Map<string, Caption>} */
  #partials = new Map();

  /** The oldest first. @returns {readonly Caption[]} */
  get finals() {
    return this.#finals;
  }

  /** The one that began first, first. @returns {readonly Caption[]} */
  get partials() {
    return [...this.#partials.values()];
  }

  /** Return whether there is a final caption more. @param {Caption} caption */
  take({ language, segmentId, text, isFinal }) {
    const caption = { language, segmentId, text, isFinal };
    const segment = segmentOf(caption);
    if (text.trim() === "") return this.#takeBack(segment);
    const done = this.#finals.filter((one) => segmentOf(one) === segment);
    // What is final comes twice to the captioner who wrote it.
    if (isFinal) return !done.some((one) => one.text === text) && this.#add(segment, caption);
    // A partial one that comes after its final one was overtaken.
    if (done.length > 0) return false;
    this.#partials.set(segment, caption);
    const [oldest = segment] = this.#partials.keys();
    if (this.#partials.size > MAX_PARTIALS) this.#partials.delete(oldest);
    return false;
  }

  /** @param {string} segment */
  #takeBack(segment) {
    this.#partials.delete(segment);
    return false;
  }

  /** @param {string} segment @param {Caption} caption */
  #add(segment, caption) {
    this.#partials.delete(segment);
    this.#finals.push(caption);
    if (this.#finals.length > MAX_FINALS) this.#finals.shift();
    return true;
  }

  /** Whoever wrote in some languages has gone: nothing ends what was begun. @param {(language: string) => boolean} isGone */
  dropPartials(isGone) {
    for (const [segment, one] of this.#partials) if (isGone(one.language)) this.#partials.delete(segment);
  }

  clear() {
    this.#finals = [];
    this.#partials.clear();
  }
}

/** Segments of two languages may have one name. @param {Caption} caption */
function segmentOf({ language, segmentId }) {
  return `${language} ${segmentId}`;
}
