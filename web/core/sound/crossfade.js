/** Fades from what was played to what is played now, so that nothing clicks. */

export class Crossfade {
  #frames;
  /** @type {Float32Array[]} */
  #old = [];
  #at = 0;
  /** What was given out last. @type {Float32Array} */
  #last;

  /** @param {number} channels @param {number} frames how long a fade is */
  constructor(channels, frames) {
    this.#frames = frames;
    this.#last = new Float32Array(channels);
  }

  /** Fade from these samples, channel by channel, from now on. @param {Float32Array[]} samples */
  from(samples) {
    this.#old = samples.map((one) => one.subarray(0, this.#frames));
    this.#at = 0;
  }

  /** Fade from where the last frame was. */
  fromLast() {
    this.from([...this.#last].map((value) => new Float32Array(this.#frames).fill(value)));
  }

  /** Change a frame, one sample of each channel, while a fade lasts. @param {Float32Array} frame */
  apply(frame) {
    const length = this.#old[0]?.length ?? 0;
    if (this.#at < length) {
      const share = (this.#at + 1) / (length + 1);
      this.#old.forEach((old, channel) => {
        const before = /** @type {number} */ (old[this.#at]);
        frame[channel] = before + (/** @type {number} */ (frame[channel]) - before) * share;
      });
      this.#at++;
    }
    this.#last.set(frame);
  }
}
