/**
 * Changes the sample rate of a stream with a windowed sinc: what the lower of the two rates can
 * hold passes, what it cannot is filtered out before it would fold back into hearing.
 */

/** Zero crossings of the sinc on each side of a sample; more are steeper and slower. */
const CROSSINGS = 24;
/** How much of the lower rate's band passes, the rest being the filter's slope. */
const PASS = 0.95;

export class Resampler {
  #up;
  #down;
  #width;
  #taps;
  /** @type {Float32Array} */
  #held;
  /** Where the next output lies, in steps of 1/up of an input sample from the start of `held`. */
  #position;

  /**
   * @param {number} fromRate Hz
   * @param {number} toRate Hz
   */
  constructor(fromRate, toRate) {
    const divisor = greatestCommonDivisor(fromRate, toRate);
    this.#up = toRate / divisor;
    this.#down = fromRate / divisor;
    const cutoff = Math.min(1, toRate / fromRate) * (fromRate === toRate ? 1 : PASS);
    this.#width = Math.ceil(CROSSINGS / cutoff);
    this.#taps = makeTaps(this.#up, this.#width, cutoff);
    this.#held = new Float32Array(this.#width);
    this.#position = this.#width * this.#up;
  }

  /**
   * Return what can be said now; the rest waits for the next input.
   *
   * @param {Float32Array} input
   * @returns {Float32Array}
   */
  push(input) {
    const samples = new Float32Array(this.#held.length + input.length);
    samples.set(this.#held);
    samples.set(input, this.#held.length);
    const last = (samples.length - 1 - this.#width) * this.#up;
    const count = Math.max(0, Math.floor((last - this.#position) / this.#down) + 1);
    const output = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      output[i] = this.#at(samples);
      this.#position += this.#down;
    }
    const used = Math.min(samples.length, Math.floor(this.#position / this.#up) - this.#width);
    this.#held = samples.slice(used);
    this.#position -= used * this.#up;
    return output;
  }

  /** @param {Float32Array} samples */
  #at(samples) {
    const phase = this.#position % this.#up;
    const first = (this.#position - phase) / this.#up - this.#width;
    const length = 2 * this.#width + 1;
    const taps = phase * length;
    let sum = 0;
    for (let i = 0; i < length; i++) {
      sum += /** @type {number} */ (samples[first + i]) * /** @type {number} */ (this.#taps[taps + i]);
    }
    return sum;
  }
}

/** @param {number} a @param {number} b @returns {number} */
function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/**
 * Return, phase by phase, the weights of the samples around an output.
 *
 * @param {number} phases @param {number} width @param {number} cutoff
 */
function makeTaps(phases, width, cutoff) {
  const length = 2 * width + 1;
  const taps = new Float32Array(phases * length);
  for (let phase = 0; phase < phases; phase++) {
    const weights = Array.from({ length }, (_, i) => weight(i - width - phase / phases, width, cutoff));
    const sum = weights.reduce((total, one) => total + one, 0);
    taps.set(weights.map((one) => one / sum), phase * length);
  }
  return taps;
}

/** A sinc under a Blackman window. @param {number} x @param {number} width @param {number} cutoff */
function weight(x, width, cutoff) {
  if (Math.abs(x) > width) return 0;
  const angle = (Math.PI * x) / width;
  const window = 0.42 + 0.5 * Math.cos(angle) + 0.08 * Math.cos(2 * angle);
  const y = Math.PI * cutoff * x;
  return window * (y === 0 ? 1 : Math.sin(y) / y);
}
