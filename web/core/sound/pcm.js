/** Samples, and the raw audio and base64 in which the protocol carries them. */

/**
 * Return samples from -1 to 1 as PCM16; what is beyond is cut off.
 *
 * @param {Float32Array} samples
 */
export function toPcm16(samples) {
  const bytes = new Uint8Array(samples.length * 2);
  const view = new DataView(bytes.buffer);
  samples.forEach((sample, i) => {
    view.setInt16(i * 2, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true);
  });
  return bytes;
}

/** @typedef {{ encoding: string, sampleRate: number, channels: number }} Format */

/** @param {Format} format */
function sampleBytes({ encoding }) {
  return encoding === "pcm_mulaw" ? 1 : 2;
}

/**
 * Return for how many milliseconds so many bytes play.
 *
 * @param {number} numBytes @param {Format} format
 */
export function durationMs(numBytes, format) {
  return (numBytes * 1000) / (sampleBytes(format) * format.channels * format.sampleRate);
}

/**
 * Return raw audio as samples from -1 to 1, channel by channel.
 *
 * @param {Uint8Array} bytes @param {Format} format
 */
export function decode(bytes, format) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { channels } = format;
  const length = Math.floor(bytes.length / sampleBytes(format) / channels);
  /** @param {number} i */
  const sample = (i) => (sampleBytes(format) === 1 ? fromMulaw(view.getUint8(i)) : view.getInt16(i * 2, true)) / 32768;
  return Array.from({ length: channels }, (_, channel) =>
    Float32Array.from({ length }, (_, i) => sample(i * channels + channel)),
  );
}

/** https://www.itu.int/rec/T-REC-G.711 @param {number} byte */
function fromMulaw(byte) {
  const inverted = ~byte & 0xff;
  const magnitude = ((((inverted & 0x0f) << 3) + 0x84) << ((inverted & 0x70) >> 4)) - 0x84;
  return inverted & 0x80 ? -magnitude : magnitude;
}

/** @param {Uint8Array} bytes */
export function toBase64(bytes) {
  let text = "";
  // A call takes only so many arguments.
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

/** @param {string} text */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/**
 * Return a WAV file with raw audio.
 *
 * @param {readonly Uint8Array[]} chunks @param {Format} format
 */
export function toWav(chunks, format) {
  const { channels, sampleRate } = format;
  const length = chunks.reduce((total, chunk) => total + chunk.length, 0);
  const file = new Uint8Array(44 + length);
  const view = new DataView(file.buffer);
  const text = new TextEncoder();
  file.set(text.encode("RIFF"), 0);
  view.setUint32(4, 36 + length, true);
  file.set(text.encode("WAVEfmt "), 8);
  view.setUint32(16, 16, true);
  view.setUint16(20, sampleBytes(format) === 1 ? 7 : 1, true); // mu-law, or PCM
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * channels * sampleBytes(format), true);
  view.setUint16(32, channels * sampleBytes(format), true);
  view.setUint16(34, 8 * sampleBytes(format), true);
  file.set(text.encode("data"), 36);
  view.setUint32(40, length, true);
  let offset = 44;
  for (const chunk of chunks) {
    file.set(chunk, offset);
    offset += chunk.length;
  }
  return file;
}
