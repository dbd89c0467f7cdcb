import assert from "node:assert/strict";
import { test } from "node:test";
import { JitterBuffer } from "../core/jitter-buffer.js";

const chunk = (sequenceNumber) => ({ sequenceNumber, durationMs: 100, bytes: Uint8Array.of(sequenceNumber % 256) });

/** Push `[number, time]` in turn, taking what is due just before each, and at `until`. */
function play(buffer, arrivals, until) {
  const played = [];
  const takeUpTo = (now) => {
    while (buffer.due !== null && buffer.due <= now) {
      played.push(...buffer.take(buffer.due).map((one) => (one.bytes ? one.sequenceNumber : `gap ${one.sequenceNumber}`)));
    }
  };
  for (const [number, time] of arrivals) {
    takeUpTo(time);
    buffer.push(chunk(number), time);
  }
  takeUpTo(until);
  return played;
}

test("the first chunk waits for the delay, the next ones for those before them", () => {
  const buffer = new JitterBuffer(200);
  buffer.push(chunk(0), 1000);
  buffer.push(chunk(1), 1100);

  assert.deepEqual(buffer.take(1199), []);
  assert.equal(buffer.waitingMs, 200);
  assert.deepEqual(buffer.take(1200).map((one) => one.sequenceNumber), [0]);
  assert.equal(buffer.due, 1300);
  assert.deepEqual(buffer.take(1300).map((one) => one.sequenceNumber), [1]);
  assert.equal(buffer.due, null);
});

test("what was overtaken is put back in order", () => {
  const buffer = new JitterBuffer(200);

  const played = play(buffer, [[1, 1000], [0, 1010], [3, 1200], [2, 1290]], 2000);

  assert.deepEqual(played, [0, 1, 2, 3]);
  assert.deepEqual(buffer.counts, { played: 4, gaps: 0, late: 0, repeated: 0, reordered: 2, skipped: 0 });
});

test("what is lost is a gap as long as a chunk", () => {
  const buffer = new JitterBuffer(200);

  const played = play(buffer, [[0, 1000], [2, 1200], [3, 1300]], 2000);

  assert.deepEqual(played, [0, "gap 1", 2, 3]);
  assert.equal(buffer.counts.gaps, 1);
});

test("what comes after its gap is late, and not played", () => {
  const buffer = new JitterBuffer(200);

  const played = play(buffer, [[0, 1000], [2, 1200], [1, 1350], [3, 1360]], 2000);

  assert.deepEqual(played, [0, "gap 1", 2, 3]);
  assert.equal(buffer.counts.late, 1);
});

test("what comes twice is played once, whether it waits or was played", () => {
  const buffer = new JitterBuffer(200);

  const played = play(buffer, [[0, 1000], [0, 1001], [1, 1100], [0, 1250]], 2000);

  assert.deepEqual(played, [0, 1]);
  assert.equal(buffer.counts.repeated, 2);
  assert.equal(buffer.counts.late, 0);
});

test("after running dry, the next chunk waits as the first did, and nothing counts as a gap", () => {
  const buffer = new JitterBuffer(200);

  play(buffer, [[0, 1000]], 1500);
  buffer.push(chunk(1), 5000);

  assert.equal(buffer.due, 5200);
  assert.equal(buffer.counts.gaps, 0);
});

test("many missing ones are counted, but not waited through", () => {
  const buffer = new JitterBuffer(200);

  const played = play(buffer, [[0, 1000], [500, 9000]], 9300);

  assert.deepEqual(played, [0, 500]);
  assert.equal(buffer.counts.gaps, 499);
});

test("ten missing ones are waited through, eleven are not", () => {
  const ten = play(new JitterBuffer(200), [[0, 1000], [11, 1200]], 9000);
  const eleven = play(new JitterBuffer(200), [[0, 1000], [12, 1200]], 9000);

  assert.equal(ten.length, 12);
  assert.deepEqual(eleven, [0, 12]);
});

test("after a stall the listener hears what is live, not what is old", () => {
  const buffer = new JitterBuffer(200);
  const burst = Array.from({ length: 30 }, (_, i) => [i + 1, 5000]);

  const played = play(buffer, [[0, 1000], ...burst], 6000);

  assert.deepEqual(played, [0, 29, 30]);
  assert.equal(buffer.counts.skipped, 28);
});

test("a speaker who counts from zero again is followed", () => {
  const buffer = new JitterBuffer(200);
  play(buffer, [[1000, 1000]], 1500);

  const played = play(buffer, Array.from({ length: 25 }, (_, i) => [i, 2000 + i * 100]), 9000);

  assert.deepEqual(played, [19, 20, 21, 22, 23, 24]);
});

test("any order within the delay comes out in order", () => {
  for (let seed = 1; seed < 200; seed++) {
    let state = seed;
    const random = () => (state = (state * 16807) % 2147483647) / 2147483647;
    const arrivals = Array.from({ length: 40 }, (_, i) => [i, 1000 + i * 100 + random() * 190]).sort((a, b) => a[1] - b[1]);

    assert.deepEqual(play(new JitterBuffer(200), arrivals, 9999), Array.from({ length: 40 }, (_, i) => i), `seed ${seed}`);
  }
});

test("what a stall piled up is played a little faster, and nothing of it is lost", () => {
  const buffer = new JitterBuffer(200);
  for (let number = 0; number < 12; number++) buffer.push(chunk(number), 1000);
  const rates = [];

  for (let number = 12; number < 400; number++) {
    buffer.push(chunk(number), 1000 + (number - 11) * 100);
    rates.push(...buffer.take(1000 + (number - 11) * 100).map((one) => one.rate));
  }

  assert.deepEqual([rates[0], rates.at(-1)], [1.03, 1]);
  assert.ok(buffer.waitingMs <= 400, `${buffer.waitingMs} ms wait`);
  assert.deepEqual([buffer.counts.gaps, buffer.counts.skipped], [0, 0]);
});
