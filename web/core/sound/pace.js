/**
 * Reads a stream of samples a little faster or slower than it comes, by cubic interpolation. At a pace of 1 every sample
 * passes as it is.
 */

export class Pace {
  /** The last four samples of each channel. @type {Float32Array[]} */
  #last;
  #frame;
  /** Where the next output lies, between the second and the third of the four. */
  #position = 0;
  #pace = 1;
  /** How many samples of the stream are to be read for one of the output. Back at 1 it is when the two meet again. */
  wanted = 1;

  /** @param {number} channels */
  constructor(channels) {
    this.#last = Array.from({ length: channels }, () => new Float32Array(4));
    this.#frame = new Float32Array(channels);
  }

  /** How many samples are read for one of the output just now. */
  get current() {
    return this.#pace;
  }

  /**
   * Fill the outputs, channel by channel.
   *
   * @param {Float32Array[]} outputs
   * @param {(frame: Float32Array, index: number) => void} read writes the stream's next samples, one of each channel; `index` in the outputs
   */
  fill(outputs, read) {
    const length = outputs[0]?.length ?? 0;
    for (let i = 0; i < length; i++) {
      outputs.forEach((output, channel) => {
        output[i] = between(/** @type {Float32Array} */ (this.#last[channel]), this.#position);
      });
      for (let steps = this.#advance(); steps > 0; steps--) {
        read(this.#frame, i);
        this.#last.forEach((last, channel) => {
          last.copyWithin(0, 1);
          last[3] = /** @type {number} */ (this.#frame[channel]);
        });
      }
    }
  }

  /** Return how many samples of the stream are to be read before the next output. */
  #advance() {
    if (this.wanted !== 1) this.#pace = this.wanted;
    this.#position += this.#pace;
    const steps = Math.floor(this.#position);
    this.#position -= steps;
    if (this.wanted !== 1 || steps === 1) return steps;
    // Output and stream have just met, to less than a twentieth of a sample: nobody hears the rest.
    this.#pace = 1;
    this.#position = 0;
    return Math.max(1, steps);
  }
}

/** Return what lies between the second and the third of four samples (Catmull-Rom); the second itself at 0. @param {Float32Array} samples @param {number} t from 0 to 1 */
function between(samples, t) {
  if (t === 0) return /** @type {number} */ (samples[1]);
  const [a, b, c, d] = /** @type {[number, number, number, number]} */ (/** @type {unknown} */ (samples));
  return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}
