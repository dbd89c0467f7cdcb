/** In the audio thread: plays chunks of raw audio, and says which of them it played, and when. */

/**
 * @import { Format } from "../core/sound/pcm.js"
 * @import { Report, Sent } from "../core/sound/playback.js"
 * @import { Chunk, Played } from "../core/sound/playout.js"
 */

import { decode } from "../core/sound/pcm.js";
import { Playout } from "../core/sound/playout.js";

/** How often it says how much waits when nothing begins. */
const REPORT_SECONDS = 0.25;

class PlaybackProcessor extends AudioWorkletProcessor {
  /** @param {{ processorOptions: Format }} options */
  constructor({ processorOptions: format }) {
    super();
    /** @type {Playout<Chunk & { sent: Sent }>} */
    this.playout = new Playout(sampleRate, format.channels);
    this.reportedAt = 0;
    this.port.onmessage = ({ data }) => {
      if (data === "reset") this.playout.reset();
      else if (data === "expectRestart") this.playout.expectRestart();
      else this.push(data, format);
    };
  }

  /** @param {Sent} sent @param {Format} format */
  push(sent, format) {
    const samples = decode(sent.bytes, format);
    this.playout.push({ sequenceNumber: sent.sequenceNumber, samples, frames: samples[0]?.length ?? 0, sent });
  }

  /** @param {Float32Array[][]} _inputs @param {Float32Array[][]} outputs */
  process(_inputs, [output = []]) {
    const played = this.playout.pull(output);
    if (played.length > 0 || currentTime - this.reportedAt >= REPORT_SECONDS) this.report(played);
    return true;
  }

  /** @param {Played<Chunk & { sent: Sent }>[]} played */
  report(played) {
    this.reportedAt = currentTime;
    /** @type {Report} */
    const report = {
      played: played.map(({ chunk, frames, index }) => ({
        sent: chunk && chunk.sent,
        durationMs: (frames * 1000) / sampleRate,
        contextTime: currentTime + index / sampleRate,
      })),
      numbers: this.playout.numbers,
    };
    // Bytes go there and back; none are copied.
    this.port.postMessage(report, report.played.flatMap(({ sent }) => (sent ? [sent.bytes.buffer] : [])));
  }
}

registerProcessor("playback", PlaybackProcessor);
