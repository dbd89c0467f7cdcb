import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Playback } from "../core/sound/playback.js";
import { toBase64 } from "../core/sound/pcm.js";

const FORMAT = { encoding: "pcm_s16le", sampleRate: 16000, channels: 1 };
const NUMBERS = { played: 1, gaps: 0, late: 0, repeated: 0, reordered: 0, skipped: 2, waitingMs: 200 };

let now, isRendering, given, playback;

beforeEach(() => {
  now = 1000;
  isRendering = true;
  given = [];
  playback = new Playback(
    FORMAT,
    {
      give: (chunk) => isRendering && given.push(chunk) > 0,
      reset: () => given.push("reset"),
      expectRestart: () => given.push("expectRestart"),
      untilHeard: (contextTime) => contextTime * 1000 - now,
    },
    { clock: () => now, now: () => now },
  );
});

/** A chunk of 100 ms that holds one byte over and over, spoken 50 ms ago. */
function arrive(sequenceNumber, language) {
  const audioData = toBase64(new Uint8Array(3200).fill(sequenceNumber));
  playback.take({ sequenceNumber, audioData, speakerTimestamp: now - 50, ...(language && { language }) });
  return given.at(-1);
}

/** The audio thread plays a chunk, or null for a gap, so that it is heard at this time. */
const begin = (sent, at, numbers = NUMBERS) => playback.report({ played: [{ sent, durationMs: 100, contextTime: at / 1000 }], numbers });

const bytesOf = (file) => [...file.subarray(44)].filter((_, i) => i % 3200 === 0);
const numbersOf = (chunks) => chunks.map((one) => one.sequenceNumber ?? one);

test("chunks of the floor are given to the audio thread; what it plays is saved, gaps as silence", () => {
  const [zero, one] = [arrive(10), arrive(11)];
  assert.deepEqual(bytesOf(playback.recording()), []);

  begin(zero, 1200);
  begin(null, 1300);
  begin(one, 1400);

  assert.deepEqual(bytesOf(playback.recording()), [10, 0, 11]);
});

test("of mu-law, the silence is that of mu-law", () => {
  playback = new Playback({ ...FORMAT, encoding: "pcm_mulaw" }, { untilHeard: () => 0 }, { clock: () => now, now: () => now });
  begin(null, 1200);

  assert.deepEqual([...playback.recording().subarray(44)], Array(1600).fill(0xff));
});

test("the last ten minutes are saved", () => {
  for (let number = 0; number < 6010; number++) begin({ ...arrive(1), bytes: new Uint8Array(2) }, 1200);

  assert.equal(playback.recording().length, 44 + 6000 * 2);
});

test("after a change only the new channel is given, and the recording goes on with what is played", () => {
  const old = arrive(1);
  playback.tuneTo("de");
  arrive(2); // of the floor, on its way
  arrive(3, "fr");
  const fresh = arrive(4, "de");
  begin(old, 1100);
  begin(fresh, 1400);

  assert.deepEqual(numbersOf(given), [1, "reset", 4]);
  assert.deepEqual(bytesOf(playback.recording()), [1, 4]);
  assert.equal(playback.hears, "de");
});

test("hearing the same channel again lets another interpreter's numbers be followed", () => {
  playback.tuneTo("floor");

  assert.deepEqual(given, ["expectRestart"]);
});

test("what comes while nothing is played counts as left out, as what the audio thread leaves out", () => {
  begin(arrive(0), 1200);
  isRendering = false;
  arrive(1);

  assert.deepEqual(numbersOf(given), [0]);
  assert.equal(playback.numbers.skipped, 3);
});

test("the delay is measured from voice to ear, anew for each channel", () => {
  assert.ok(Number.isNaN(playback.numbers.latencyMs));
  const old = arrive(0);
  begin(arrive(1), 1350);
  assert.equal(playback.numbers.latencyMs, 400);
  begin(arrive(2), 1390);
  assert.equal(playback.numbers.latencyMs, 410);

  playback.tuneTo("de");
  begin(old, 1400);

  assert.ok(Number.isNaN(playback.numbers.latencyMs));
});

test("the delay is none two seconds after somebody was heard", () => {
  begin(arrive(0), 1200);
  now = 3300;
  assert.equal(playback.numbers.latencyMs, 250);
  now = 3301;

  assert.ok(Number.isNaN(playback.numbers.latencyMs));
});

test("when somebody was last heard is known; a gap is nobody", () => {
  assert.equal(playback.lastHeardAt, 0);
  begin(arrive(0), 1200);
  now = 1250;
  assert.equal(playback.lastHeardAt, 1250);
  begin(null, 1300);
  now = 5000;

  assert.equal(playback.lastHeardAt, 1300);
});
