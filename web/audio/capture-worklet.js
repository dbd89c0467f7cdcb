/** In the audio thread: makes chunks of raw audio, at the session's rate, out of what is captured. */

import { Chunker, loudness } from "../core/sound/chunker.js";
import { toPcm16 } from "../core/sound/pcm.js";
import { Resampler } from "../core/sound/resampler.js";

class Capture extends AudioWorkletProcessor {
  /** @param {{ processorOptions: { sampleRate: number, chunkSamples: number } }} options */
  constructor({ processorOptions }) {
    super();
    this.resampler = new Resampler(sampleRate, processorOptions.sampleRate);
    this.chunker = new Chunker(processorOptions.chunkSamples);
  }

  /** @param {Float32Array[][]} inputs */
  process([channels = []]) {
    for (const samples of this.chunker.push(this.resampler.push(mix(channels)))) {
      const bytes = toPcm16(samples);
      this.port.postMessage({ bytes, level: loudness(samples) }, [bytes.buffer]);
    }
    return true;
  }
}

/** A source that has nothing to give is silent for a quantum of 128 samples. @param {Float32Array[]} channels */
function mix(channels) {
  const [first = new Float32Array(128), ...others] = channels;
  if (others.length === 0) return first;
  return first.map((sample, i) => others.reduce((sum, one) => sum + (one[i] ?? 0), sample) / channels.length);
}

registerProcessor("capture", Capture);
