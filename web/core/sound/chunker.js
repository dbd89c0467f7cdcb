/** Makes chunks of even length out of a stream of samples, with the level of each. */

export class Chunker {
  #samples;
  #filled = 0;

  /** @param {number} chunkSamples how many samples a chunk has */
  constructor(chunkSamples) {
    this.#samples = new Float32Array(chunkSamples);
  }

  /**
   * Return the chunks that are full now.
   *
   * @param {Float32Array} input
   */
  push(input) {
    const chunks = [];
    let taken = 0;
    while (taken < input.length) {
      const some = input.subarray(taken, taken + this.#samples.length - this.#filled);
      this.#samples.set(some, this.#filled);
      this.#filled += some.length;
      taken += some.length;
      if (this.#filled === this.#samples.length) {
        chunks.push(this.#samples.slice());
        this.#filled = 0;
      }
    }
    return chunks;
  }

  /** Return what is left, silence after it, as a last chunk; null if nothing is. */
  flush() {
    if (this.#filled === 0) return null;
    const last = this.#samples.slice().fill(0, this.#filled);
    this.#filled = 0;
    return last;
  }
}

/**
 * Return how loud samples are, from 0 (-60 dB of full scale, or less) to 1 (full scale).
 *
 * @param {Float32Array} samples
 */
export function loudness(samples) {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, samples.length);
  return Math.max(0, Math.min(1, 1 + (10 * Math.log10(power + 1e-12)) / 60));
}
