import assert from "node:assert/strict";
import { test } from "node:test";
import { Playout } from "../core/sound/playout.js";

const RATE = 16000;
const QUANTUM = 128;
/** A tone of 440 Hz, half of full scale: from one sample to the next it changes by so much at most. */
const MAX_STEP = 0.5 * ((2 * Math.PI * 440) / RATE);

const toneAt = (frame) => 0.5 * Math.sin((2 * Math.PI * 440 * frame) / RATE);

/** Chunk `number` of a tone that goes on from chunk to chunk. */
function chunk(sequenceNumber, frames = 1600) {
  return { sequenceNumber, frames, samples: [Float32Array.from({ length: frames }, (_, i) => toneAt(sequenceNumber * frames + i))] };
}

/** Chunks from `first` to before `end`, in real time from `start` on. */
const live = (first, end, start) => Array.from({ length: end - first }, (_, i) => [first + i, start + i * 0.1]);
/** Chunks that come all at once. */
const burst = (first, end, at) => Array.from({ length: end - first }, (_, i) => [first + i, at]);

/** A playout that is pulled in real time, while chunks come at their times in seconds. */
class Player {
  playout = new Playout(RATE, 1);
  samples = [];
  /** What began, as number or gap, and when. */
  played = [];
  /** For how many seconds the pace was not 1. */
  correctedSeconds = 0;
  #frame = 0;

  /** @param arrivals `[number, seconds]` @param until seconds @param ppm by how much the speaker's clock is faster */
  run(arrivals, until, ppm = 0) {
    const output = new Float32Array(QUANTUM);
    const coming = arrivals.toSorted((a, b) => a[1] - b[1]).reverse();
    for (; this.#frame < until * RATE; this.#frame += QUANTUM) {
      const now = (this.#frame / RATE) * (1 + ppm / 1e6);
      while (coming.length > 0 && coming.at(-1)[1] <= now) this.playout.push(chunk(coming.pop()[0]));
      for (const { chunk, index } of this.playout.pull([output])) this.played.push([chunk?.sequenceNumber ?? "gap", (this.#frame + index) / RATE]);
      this.samples.push(...output);
      if (this.playout.pace !== 1) this.correctedSeconds += QUANTUM / RATE;
    }
    return this;
  }

  get names() {
    return this.played.map(([name]) => name);
  }

  /** In seconds, from when the chunk was spoken to when it was played. */
  delayOf(number, ppm = 0) {
    const [, at] = this.played.find(([name]) => name === number);
    return at - (number * 0.1) / (1 + ppm / 1e6);
  }

  get largestStep() {
    return this.samples.reduce((most, sample, i) => Math.max(most, Math.abs(sample - (this.samples[i - 1] ?? 0))), 0);
  }
}

const isNear = (actual, expected, tolerance) => assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected} ± ${tolerance}`);

test("undisturbed, the first chunk waits 200 ms, and every sample after the first fade is as it was sent", () => {
  const player = new Player().run(live(0, 50, 0), 5);

  isNear(player.delayOf(0), 0.2, 0.01);
  isNear(player.delayOf(47), player.delayOf(0), 1e-9);
  const first = player.samples.indexOf(Math.fround(toneAt(100)));
  const sent = Array.from({ length: 60_000 }, (_, i) => Math.fround(toneAt(100 + i)));
  assert.deepEqual(player.samples.slice(first, first + 60_000), sent);
});

test("what was overtaken comes in order; what is lost is a silence as long as a chunk, faded in and out", () => {
  const player = new Player().run([[1, 0], [0, 0.01], [3, 0.2], [2, 0.25], [5, 0.5], ...live(6, 10, 0.6)], 1.5);

  assert.deepEqual(player.names, [0, 1, 2, 3, "gap", 5, 6, 7, 8, 9]);
  isNear(player.delayOf(5), player.delayOf(3), 1e-9);
  assert.ok(player.largestStep <= MAX_STEP * 1.2);
  assert.deepEqual([player.playout.numbers.gaps, player.playout.numbers.reordered], [1, 2]);
});

test("any order within the delay comes out in order", () => {
  let state = 1;
  const random = () => (state = (state * 16807) % 2147483647) / 2147483647;
  const all = Array.from({ length: 40 }, (_, i) => i);
  for (let round = 0; round < 20; round++) {
    const player = new Player().run(all.map((i) => [i, i * 0.1 + 0.19 * random()]), 5);

    assert.deepEqual(player.names, all, `round ${round}`);
  }
});

test("a chunk that comes late is played at once, and the margin is as large as before", () => {
  const player = new Player().run([...live(0, 10, 0), [10, 1.35], ...live(11, 30, 1.4)], 4);

  isNear(player.delayOf(9), 0.2, 0.01);
  isNear(player.delayOf(10), 0.35, 0.01);
  isNear(player.delayOf(29), 0.35, 0.01);
  assert.equal(player.playout.numbers.gaps, 0);
  assert.ok(player.largestStep <= MAX_STEP * 1.2);
});

test("a missing chunk that comes during its gap is played, and what follows comes so much later", () => {
  const player = new Player().run([...live(0, 10, 0), [11, 1.1], [10, 1.25], ...live(12, 30, 1.2)], 4);

  assert.deepEqual(player.names, [...Array(30).keys()]);
  isNear(player.delayOf(9), 0.2, 0.01);
  isNear(player.delayOf(29), 0.25, 0.01);
  assert.deepEqual([player.playout.numbers.gaps, player.playout.numbers.late], [0, 0]);
  assert.ok(player.largestStep <= MAX_STEP * 1.2);
});

test("one that comes after its gap is not played", () => {
  const player = new Player().run([...live(0, 10, 0), [11, 1.1], [10, 1.35], ...live(12, 30, 1.2)], 4);

  assert.deepEqual(player.names.slice(9, 13), [9, "gap", 11, 12]);
  isNear(player.delayOf(29), 0.2, 0.01);
  assert.deepEqual([player.playout.numbers.gaps, player.playout.numbers.late], [1, 1]);
});

test("after a pause the first chunk waits as at the beginning", () => {
  const player = new Player().run([...live(0, 10, 0), ...live(10, 20, 60)], 62);

  const [, at] = player.played[10];
  isNear(at, 60.2, 0.01);
});

test("many missing ones are not waited through", () => {
  const player = new Player().run([...live(0, 10, 0), ...live(500, 520, 1)], 4);

  assert.deepEqual(player.names, [...Array(10).keys(), ...Array.from({ length: 20 }, (_, i) => 500 + i)]);
  assert.ok(player.largestStep <= MAX_STEP * 1.2);
});

for (const [seconds, tolerance] of [[0.4, 0.21], [1, 0.1], [5, 0.1]]) {
  test(`after a stall of ${seconds} s of the network, whatever it piled up, the delay is as before within 2 s, without a click`, () => {
    const [end, at] = [20 + seconds * 10, 2 + seconds];
    const player = new Player().run([...live(0, 20, 0), ...burst(20, end, at), ...live(end, end + 60, at)], at + 5);

    isNear(player.delayOf(end + 20), 0.2, tolerance);
    assert.ok(player.largestStep <= MAX_STEP * 2, `a step of ${player.largestStep}`);
    assert.equal(player.playout.numbers.gaps, 0);
  });
}

for (const seconds of [1, 5]) {
  test(`after nothing was asked for in ${seconds} s, the delay is as before within 2 s, without a click`, () => {
    const player = new Player().run(live(0, 20, 0), 2);
    const stalled = seconds * 10;
    for (let number = 20; number < 20 + stalled; number++) player.playout.push(chunk(number));
    player.run(live(20 + stalled, 80 + stalled, 2), 7);

    const [number, at] = player.played.find(([, time]) => time >= 4);
    isNear(at - (number - stalled) * 0.1, 0.2, 0.1);
    assert.ok(player.largestStep <= MAX_STEP * 2, `a step of ${player.largestStep}`);
    isNear(player.playout.numbers.skipped, stalled, 1);
  });
}

for (const ppm of [200, -200]) {
  test(`with a speaker's clock ${ppm} ppm off, the delay stays within 100 ms over ten minutes, and most samples are as sent`, () => {
    const player = new Player().run(live(0, 6000, 0), 600, ppm);

    const delays = player.played.map(([number]) => player.delayOf(number, ppm));
    assert.ok(Math.max(...delays) - Math.min(...delays) < 0.1, `from ${Math.min(...delays)} to ${Math.max(...delays)}`);
    const { gaps, late, skipped } = player.playout.numbers;
    assert.deepEqual([gaps, late, skipped], [0, 0, 0]);
    assert.ok(player.correctedSeconds < 60, `${player.correctedSeconds} s at another pace`);
    assert.ok(player.largestStep <= MAX_STEP * 1.05);
  });
}

test("what a short stall piled up is taken in by playing faster, and nothing of it is left out", () => {
  const player = new Player().run([...live(0, 20, 0), ...burst(20, 24, 2.4), ...live(24, 300, 2.4)], 31);

  isNear(player.delayOf(40), 0.4, 0.01);
  isNear(player.delayOf(290), 0.2, 0.02);
  assert.deepEqual([player.playout.numbers.skipped, player.playout.numbers.gaps], [0, 0]);
});

test("what waits is bounded when nothing is asked for", () => {
  const { playout } = new Player();
  for (let number = 0; number < 36_000; number++) playout.push(chunk(number, 16));

  const { waitingMs, skipped } = playout.numbers;
  assert.equal(waitingMs, 3000);
  assert.equal(skipped, 33_000);
});

test("a reset is a silence at once, without a click, and the next number waits as the first", () => {
  const player = new Player().run(live(0, 10, 0), 0.9);
  player.playout.reset();
  player.run(live(70, 80, 1), 2.5);

  assert.equal(player.playout.numbers.waitingMs, 0);
  const [, at] = player.played.find(([number]) => number === 70);
  isNear(at, 1.2, 0.01);
  assert.deepEqual(player.samples.slice(14_600, 16_000).filter((sample) => sample !== 0), []);
  assert.ok(player.largestStep <= MAX_STEP * 1.2);
});

test("another interpreter's numbers are followed at once", () => {
  const player = new Player().run(live(500, 510, 0), 1.5);
  player.playout.expectRestart();
  player.run(live(0, 5, 2), 3);

  assert.deepEqual(player.names.slice(10), [0, 1, 2, 3, 4]);
});

test("numbers that begin anew while somebody is heard do not click", () => {
  const player = new Player().run(live(505, 515, 0), 1);
  player.playout.expectRestart();
  player.run(live(0, 10, 1.05), 3);

  assert.deepEqual(player.names.slice(-10), [...Array(10).keys()]);
  assert.ok(player.largestStep <= MAX_STEP * 1.2);
});

test("of chunks that are too long to leave one out, what is too much is taken in by playing faster", () => {
  const playout = new Playout(RATE, 1);
  const output = new Float32Array(QUANTUM);
  for (const number of [0, 1]) playout.push(chunk(number, 12_000));
  for (let pulls = 0, number = 2; pulls < 15_000; pulls++) {
    if (pulls * QUANTUM >= (number - 0.667) * 12_000) playout.push(chunk(number++, 12_000));
    playout.pull([output]);
    if (playout.pace > 1) break;
  }

  assert.ok(playout.pace > 1);
  assert.equal(playout.numbers.skipped, 0);
});

test("channels stay apart", () => {
  const playout = new Playout(RATE, 2);
  const samples = [new Float32Array(1600).fill(0.25), new Float32Array(1600).fill(-0.5)];
  const outputs = [new Float32Array(QUANTUM), new Float32Array(QUANTUM)];
  playout.push({ sequenceNumber: 0, frames: 1600, samples });
  for (let pulls = 0; pulls < 30; pulls++) playout.pull(outputs);

  assert.deepEqual(outputs.map((output) => output[0]), [0.25, -0.5]);
});
