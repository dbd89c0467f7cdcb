/**
 * One metric over the last minute: counts as a rate and a total, measures as percentiles.
 *
 * @import { Measurement } from "./line.js"
 *
 * @typedef {object} Percentiles
 * @property {number} p50
 * @property {number} p95
 * @property {number} p99
 */

export const WINDOW_SECONDS = 60;
/** A bucket's bounds are so far apart: a percentile is at most 4 % beside the true one, and memory is bounded. */
const GROWTH = 1.04;
/** Smaller values count as this one. */
const LEAST = 0.001;
/** All that is ever kept of a second: up to 10^9 of any unit. */
const MAX_BUCKET = Math.ceil(Math.log(1e12) / Math.log(GROWTH));

/** @typedef {{ count: number, sum: number }} Bucket values that are alike; their mean stands for each of them */
/** @typedef {{ sum: number, buckets: Map<number, Bucket> }} Second */

export class Series {
  /** @type {Map<number, Second>} */
  #seconds = new Map();
  unit = "";
  /** What came last; null before the first. @type {number | null} */
  last = null;

  /** @param {Measurement} measurement @param {number} time milliseconds since the epoch */
  add({ unit, values }, time) {
    this.unit = unit;
    this.last = values.at(-1) ?? this.last;
    const second = Math.floor(time / 1000);
    const here = this.#seconds.get(second) ?? { sum: 0, buckets: new Map() };
    for (const value of values) {
      here.sum += value;
      put(here.buckets, bucketOf(value), 1, value);
    }
    this.#seconds.set(second, here);
    for (const old of this.#seconds.keys()) if (old < second - 2 * WINDOW_SECONDS) this.#seconds.delete(old);
  }

  get isCount() {
    return this.unit === "Count";
  }

  /**
   * Return the sums of the last minute's seconds, oldest first.
   *
   * @param {number} now milliseconds since the epoch; its own second has just begun, and is left out
   */
  sums(now) {
    return this.#lastMinute(now).map((second) => second?.sum ?? 0);
  }

  /** Return the same of a percentile of each second; null where nothing was measured. @param {number} now @param {number} share */
  percentilesOfSeconds(now, share) {
    return this.#lastMinute(now).map((second) => (second ? percentile(merged([second]), share) : null));
  }

  /** Return the percentiles of all of the last minute; null if nothing was measured. @param {number} now @returns {Percentiles | null} */
  percentiles(now) {
    const seconds = this.#lastMinute(now).filter((second) => second !== undefined);
    if (seconds.length === 0) return null;
    const buckets = merged(seconds);
    return { p50: percentile(buckets, 0.5), p95: percentile(buckets, 0.95), p99: percentile(buckets, 0.99) };
  }

  /** Say whether nothing was measured, or only zeros were counted, in the last minute. @param {number} now */
  isEmpty(now) {
    return this.#lastMinute(now).every((second) => second === undefined || (this.isCount && second.sum === 0));
  }

  /** @param {number} now */
  #lastMinute(now) {
    const end = Math.floor(now / 1000);
    return Array.from({ length: WINDOW_SECONDS }, (_, i) => this.#seconds.get(end - WINDOW_SECONDS + i));
  }
}

/** @param {number} value */
function bucketOf(value) {
  if (!(value > LEAST)) return 0;
  return Math.min(Math.ceil(Math.log(value / LEAST) / Math.log(GROWTH)), MAX_BUCKET);
}

/** @param {Map<number, Bucket>} buckets @param {number} key @param {number} count @param {number} sum */
function put(buckets, key, count, sum) {
  const before = buckets.get(key) ?? { count: 0, sum: 0 };
  buckets.set(key, { count: before.count + count, sum: before.sum + sum });
}

/** @param {Second[]} seconds @returns {[number, Bucket][]} ordered by value */
function merged(seconds) {
  /** @type {Map<number, Bucket>} */
  const all = new Map();
  for (const { buckets } of seconds) for (const [key, { count, sum }] of buckets) put(all, key, count, sum);
  return [...all].sort(([a], [b]) => a - b);
}

/** @param {[number, Bucket][]} buckets ordered by value @param {number} share */
function percentile(buckets, share) {
  let left = Math.ceil(share * buckets.reduce((all, [, { count }]) => all + count, 0));
  for (const [, { count, sum }] of buckets) {
    left -= count;
    if (left <= 0) return sum / count;
  }
  return 0;
}
