import assert from "node:assert/strict";
import { test } from "node:test";
import { Resampler } from "../core/sound/resampler.js";

const tone = (hertz, rate, seconds = 0.5) =>
  Float32Array.from({ length: rate * seconds }, (_, i) => Math.sin((2 * Math.PI * hertz * i) / rate));
const power = (samples) => samples.reduce((sum, one) => sum + one * one, 0) / samples.length;
const decibels = (ratio) => 10 * Math.log10(ratio + 1e-20);

for (const [from, to] of [[48000, 16000], [44100, 16000], [16000, 48000], [48000, 8000], [16000, 16000], [44100, 24000]]) {
  test(`a tone of 1 kHz stays what it is from ${from} to ${to} Hz`, () => {
    const output = new Resampler(from, to).push(tone(1000, from));

    const expected = tone(1000, to);
    const inside = output.subarray(500, output.length);
    const error = inside.map((sample, i) => sample - expected[i + 500]);
    assert.ok(Math.abs(output.length - expected.length) < (50 * to) / Math.min(from, to), `${output.length} samples`);
    assert.ok(decibels(power(error) / 0.5) < -70, `${decibels(power(error) / 0.5)} dB`);
  });
}

test("what the lower rate cannot hold is filtered out, not folded", () => {
  const output = new Resampler(48000, 16000).push(tone(9500, 48000));

  assert.ok(decibels(power(output.subarray(200)) / 0.5) < -60);
});

test("it does not matter how the stream is cut", () => {
  const input = tone(440, 44100);
  const whole = new Resampler(44100, 16000).push(input);
  const resampler = new Resampler(44100, 16000);
  const parts = [];

  for (let i = 0, size = 1; i < input.length; i += size, size = (size * 7 + 3) % 400) {
    parts.push(...resampler.push(input.subarray(i, i + size)));
  }

  assert.deepEqual(Float32Array.from(parts), whole);
});

test("a minute gives a minute", () => {
  const resampler = new Resampler(44100, 16000);
  let count = 0;
  for (let i = 0; i < 600; i++) count += resampler.push(new Float32Array(4410)).length;

  assert.ok(Math.abs(count - 960000) < 50, `${count}`);
});
