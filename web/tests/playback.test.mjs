import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Playback } from "../core/playback.js";
import { toBase64 } from "../core/pcm.js";

const FORMAT = { encoding: "pcm_s16le", sampleRate: 16000, channels: 1 };
const CHUNK_MS = 100;

let now, timer, heard, playback;

beforeEach(() => {
  now = 1000;
  timer = null;
  heard = [];
  playback = new Playback(FORMAT, {
    play: ({ bytes }) => {
      heard.push(bytes?.[0] ?? null);
      return 0.1;
    },
    clock: () => now,
    now: () => now,
    setTimer: (run, ms) => (timer = { run, at: now + ms }),
    clearTimer: () => (timer = null),
  });
});

/** Chunks of 100 ms that hold one byte over and over. */
function arrive(sequenceNumber, byte, language) {
  const audioData = toBase64(new Uint8Array(3200).fill(byte));
  playback.take({ sequenceNumber, audioData, speakerTimestamp: now - 50, ...(language && { language }) });
}

/** Let time pass, timer by timer. */
function pass(ms) {
  const end = now + ms;
  while (timer && timer.at <= end) {
    const { run, at } = timer;
    now = at;
    timer = null;
    run();
  }
  now = end;
}

const bytesOf = (file) => [...file.subarray(44)].filter((_, i) => i % 3200 === 0);

test("chunks of the floor are played in order after the delay, and saved", () => {
  arrive(1, 11);
  arrive(0, 10);
  pass(199);
  assert.deepEqual(heard, []);
  pass(1 + CHUNK_MS);

  assert.deepEqual(heard, [10, 11]);
  assert.deepEqual(bytesOf(playback.recording()), [10, 11]);
  assert.deepEqual([playback.numbers.played, playback.numbers.reordered], [2, 1]);
});

test("a chunk that never came is a silence, which is saved, too", () => {
  arrive(0, 10);
  arrive(2, 12);
  pass(400);

  assert.deepEqual(heard, [10, null, 12]);
  assert.deepEqual(bytesOf(playback.recording()), [10, 0, 12]);
  assert.equal(playback.numbers.gaps, 1);
});

test("after a change only the new channel is heard, from its own number on, and the recording goes on", () => {
  for (const number of [0, 1]) arrive(number, 100 + number);
  pass(200);
  playback.tuneTo("de");
  arrive(2, 102); // of the floor, on its way
  arrive(3, 77, "fr");
  for (const number of [2, 3]) arrive(number, 200 + number, "de");
  pass(500);

  assert.deepEqual(heard, [100, 202, 203]);
  assert.deepEqual(bytesOf(playback.recording()), [100, 202, 203]);
  assert.deepEqual([playback.numbers.played, playback.numbers.late, playback.numbers.gaps], [3, 0, 0]);
  assert.equal(playback.hears, "de");
});

test("back on the floor, its numbers go on where they are by then", () => {
  playback.tuneTo("de");
  arrive(500, 5, "de");
  pass(200);
  playback.tuneTo("floor");
  arrive(40, 6, "de");
  arrive(40, 40);
  pass(200);

  assert.deepEqual(heard, [5, 40]);
});

test("hearing the same channel again changes nothing, for the same interpreter", () => {
  for (const number of [20, 21]) arrive(number, number);
  pass(200);
  playback.tuneTo("floor");
  arrive(20, 99); // comes twice
  arrive(22, 22);
  pass(300);

  assert.deepEqual(heard, [20, 21, 22]);
});

test("an interpreter who takes another one's place is heard at once, from its own number on", () => {
  playback.tuneTo("de");
  for (const number of [20, 21]) arrive(number, number, "de");
  pass(400);
  playback.tuneTo("de");
  for (const number of [0, 1]) arrive(number, number + 1, "de");
  pass(400);

  assert.deepEqual(heard, [20, 21, 1, 2]);
});

test("the delay is measured from voice to ear, anew for each channel", () => {
  assert.ok(Number.isNaN(playback.numbers.latencyMs));
  arrive(0, 10);
  pass(200);
  assert.equal(playback.numbers.latencyMs, 350); // 50 on the way, 200 waiting, 100 in the player

  playback.tuneTo("de");

  assert.ok(Number.isNaN(playback.numbers.latencyMs));
});

test("what waits is forgotten on reset, and nothing is played after the end", () => {
  arrive(0, 10);
  playback.reset();
  pass(300);
  arrive(1, 11);
  assert.equal(playback.numbers.waitingMs, 100);
  playback.stop();
  pass(300);

  assert.deepEqual(heard, []);
});
