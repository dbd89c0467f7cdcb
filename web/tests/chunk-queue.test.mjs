import assert from "node:assert/strict";
import { test } from "node:test";
import { ChunkQueue } from "../core/sound/chunk-queue.js";

/** Push these numbers, in this order. */
function queueOf(...numbers) {
  const queue = new ChunkQueue();
  pushAll(queue, numbers);
  return queue;
}

function pushAll(queue, numbers) {
  for (const sequenceNumber of numbers) queue.push({ sequenceNumber, frames: 1600 });
}

/** Take all that waits, and give up what is missing. */
function takeAll(queue) {
  const taken = [];
  while (queue.frames > 0) {
    if (queue.isMissing) queue.miss();
    else taken.push(queue.take().sequenceNumber);
  }
  return taken;
}

test("what was overtaken is put back in order", () => {
  const queue = queueOf(1, 0, 3, 2);

  assert.equal(queue.frames, 6400);
  assert.deepEqual(takeAll(queue), [0, 1, 2, 3]);
  assert.equal(queue.frames, 0);
  assert.deepEqual(queue.counts, { played: 4, gaps: 0, late: 0, repeated: 0, reordered: 2, skipped: 0 });
});

test("what is missing while a later one waits can be given up, and is late when it comes", () => {
  const queue = queueOf(0, 2);

  assert.deepEqual(takeAll(queue), [0, 2]);
  pushAll(queue, [1, 3]);

  assert.deepEqual(takeAll(queue), [3]);
  assert.deepEqual([queue.counts.gaps, queue.counts.late], [1, 1]);
});

test("nothing is missing while nothing waits", () => {
  const queue = queueOf(0);

  assert.equal(queue.take().sequenceNumber, 0);
  assert.deepEqual([queue.take(), queue.hasNext, queue.isMissing], [null, false, false]);
  pushAll(queue, [1]);

  assert.equal(queue.hasNext, true);
  assert.equal(queue.counts.gaps, 0);
});

test("what comes twice is taken once, whether it waits or was taken", () => {
  const queue = queueOf(0, 0, 1);
  takeAll(queue);
  pushAll(queue, [0]);

  assert.deepEqual(takeAll(queue), []);
  assert.deepEqual([queue.counts.repeated, queue.counts.late], [2, 0]);
});

test("ten missing ones are worth waiting for, eleven are a pause; both are counted", () => {
  const [ten, eleven] = [queueOf(0, 11), queueOf(0, 12)];

  const areMissing = [ten, eleven].map((queue) => queue.take() && queue.isMissing);
  assert.deepEqual(areMissing, [true, false]);
  assert.deepEqual([takeAll(ten), takeAll(eleven)], [[11], [12]]);
  assert.deepEqual([ten.counts.gaps, eleven.counts.gaps], [10, 11]);
});

test("chunks are left out from the earliest on, and are neither missing nor taken when they come again", () => {
  const queue = queueOf(0, 1, 2, 3);
  queue.skip();
  queue.skip();
  pushAll(queue, [1]);

  assert.deepEqual(takeAll(queue), [2, 3]);
  assert.deepEqual(queue.counts, { played: 2, gaps: 0, late: 0, repeated: 1, reordered: 0, skipped: 2 });
});

test("a speaker who counts from zero again is followed after twenty chunks, or at once if that is expected", () => {
  const [unexpected, expected] = [queueOf(1000), queueOf(1000)];
  takeAll(unexpected);
  takeAll(expected);
  expected.expectRestart();
  const anew = Array.from({ length: 25 }, (_, i) => i);
  pushAll(unexpected, anew);
  pushAll(expected, anew);

  assert.deepEqual(takeAll(unexpected), [19, 20, 21, 22, 23, 24]);
  assert.deepEqual(takeAll(expected), anew);
});

test("after a reset any number is the first, and the counts go on", () => {
  const queue = queueOf(100, 101);
  queue.take();
  queue.reset();
  pushAll(queue, [7]);

  assert.deepEqual(takeAll(queue), [7]);
  assert.equal(queue.counts.played, 2);
  assert.equal(queue.counts.gaps, 0);
});
