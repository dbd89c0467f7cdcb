import assert from "node:assert/strict";
import { test } from "node:test";
import { Chunker, loudness } from "../core/sound/chunker.js";
import { decode, durationMs, fromBase64, toBase64, toPcm16, toWav } from "../core/sound/pcm.js";

test("chunks are even, whatever the input's cuts", () => {
  const chunker = new Chunker(3);

  const chunks = [[1, 2], [3, 4, 5, 6, 7], []].flatMap((part) => chunker.push(Float32Array.from(part)));

  assert.deepEqual(chunks.map((chunk) => [...chunk]), [[1, 2, 3], [4, 5, 6]]);
});

test("what is left is filled up with silence, once", () => {
  const chunker = new Chunker(3);
  chunker.push(Float32Array.from([1, 2, 3, 4]));

  assert.deepEqual([...chunker.flush()], [4, 0, 0]);
  assert.equal(chunker.flush(), null);
});

test("a chunk that was given out stays as it was", () => {
  const chunker = new Chunker(2);
  const [first] = chunker.push(Float32Array.from([1, 2]));

  chunker.push(Float32Array.from([3, 4]));

  assert.deepEqual([...first], [1, 2]);
});

for (const [name, samples, level] of [
  ["full scale", [1, -1, 1, -1], 1],
  ["-30 dB", [0.0316228, -0.0316228], 0.5],
  ["silence", [0, 0], 0],
  ["nothing", [], 0],
]) {
  test(`the level of ${name}`, () => {
    assert.ok(Math.abs(loudness(Float32Array.from(samples)) - level) < 0.001);
  });
}

test("samples become PCM16, little-endian, cut off at full scale", () => {
  const bytes = toPcm16(Float32Array.from([0, 1, -1, 2, -2, 0.5]));

  assert.deepEqual([...bytes], [0, 0, 255, 127, 1, 128, 255, 127, 1, 128, 0, 64]);
});

const MONO = { encoding: "pcm_s16le", sampleRate: 16000, channels: 1 };

test("PCM16 becomes samples again, from the middle of a buffer too", () => {
  const bytes = Uint8Array.from([9, 0, 0, 255, 127, 0, 128]).subarray(1);

  assert.deepEqual(decode(bytes, MONO).map((one) => [...one]), [[0, 32767 / 32768, -1]]);
});

test("channels are taken apart", () => {
  const bytes = Uint8Array.from([0, 64, 0, 192, 0, 32, 0, 224]);

  assert.deepEqual(decode(bytes, { ...MONO, channels: 2 }).map((one) => [...one]), [[0.5, 0.25], [-0.5, -0.25]]);
});

test("mu-law becomes the samples of G.711's table", () => {
  const [samples] = decode(Uint8Array.from([0x00, 0x80, 0xff, 0x7f, 0xf0, 0x1f]), { ...MONO, encoding: "pcm_mulaw" });

  assert.deepEqual([...samples].map((one) => one * 32768 + 0), [-32124, 32124, 0, 0, 120, -8316]);
});

for (const [encoding, channels, milliseconds] of [["pcm_s16le", 1, 100], ["pcm_s16le", 2, 50], ["pcm_mulaw", 1, 200]]) {
  test(`3,200 bytes of ${encoding} in ${channels} play for ${milliseconds} ms`, () => {
    assert.equal(durationMs(3200, { encoding, channels, sampleRate: 16000 }), milliseconds);
  });
}

test("base64 is that of everyone else, at the largest chunk too", () => {
  const bytes = Uint8Array.from({ length: 24000 }, (_, i) => (i * 7) % 256);

  assert.equal(toBase64(bytes), Buffer.from(bytes).toString("base64"));
  assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
});

for (const [encoding, channels, header] of [
  ["pcm_s16le", 1, [1, 1, 16000, 32000, 2, 16]],
  ["pcm_mulaw", 2, [7, 2, 16000, 32000, 2, 8]],
]) {
  test(`a WAV file says that it holds ${encoding}`, () => {
    const file = Buffer.from(toWav([Uint8Array.from([1, 2]), Uint8Array.from([3, 4])], { encoding, channels, sampleRate: 16000 }));

    assert.equal(file.toString("latin1", 0, 4) + file.toString("latin1", 8, 16), "RIFFWAVEfmt ");
    assert.equal(file.readUInt32LE(4), file.length - 8);
    const found = [file.readUInt16LE(20), file.readUInt16LE(22), file.readUInt32LE(24), file.readUInt32LE(28), file.readUInt16LE(32), file.readUInt16LE(34)];
    assert.deepEqual(found, header);
    assert.deepEqual([...file.subarray(40)], [4, 0, 0, 0, 1, 2, 3, 4]);
  });
}
