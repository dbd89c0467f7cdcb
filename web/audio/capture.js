/**
 * A microphone, or a recording that stands in for one, as chunks of raw audio.
 *
 * @typedef {{ bytes: Uint8Array, level: number }} Captured
 * @typedef {{ sampleRate: number, chunkMs: number, onChunk: (chunk: Captured) => void }} Options
 */

export class Capture {
  /** @param {AudioContext} context @param {AudioNode} source @param {() => void} release */
  constructor(context, source, release) {
    this.context = context;
    this.source = source;
    this.release = release;
  }

  /**
   * Capture from the microphone, which the browser asks the person for.
   *
   * @param {boolean} clean whether the browser takes out echo and noise
   */
  static async microphone(clean) {
    const context = new AudioContext();
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: clean, noiseSuppression: clean, autoGainControl: clean },
      });
      const release = () => stream.getTracks().forEach((track) => track.stop());
      return new Capture(context, context.createMediaStreamSource(stream), release);
    } catch (error) {
      await context.close();
      throw error;
    }
  }

  /** Play a recording over and over, unheard. @param {string} url */
  static async recording(url) {
    const context = new AudioContext();
    try {
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
      const source = context.createBufferSource();
      source.buffer = await context.decodeAudioData(await answer.arrayBuffer());
      source.loop = true;
      return new Capture(context, source, () => {});
    } catch (error) {
      await context.close();
      throw error;
    }
  }

  /** Give out chunks from now on. @param {Options} options */
  async start({ sampleRate, chunkMs, onChunk }) {
    await this.context.audioWorklet.addModule("audio/capture-worklet.js");
    const processorOptions = { sampleRate, chunkSamples: (sampleRate * chunkMs) / 1000 };
    const node = new AudioWorkletNode(this.context, "capture", { processorOptions });
    node.port.onmessage = ({ data }) => onChunk(data);
    // Connected so that it is run; what it gives out is silence.
    this.source.connect(node).connect(this.context.destination);
    await this.context.resume();
    if (this.source instanceof AudioBufferSourceNode) this.source.start();
  }

  /** Give the microphone back. */
  stop() {
    this.release();
    if (this.context.state !== "closed") void this.context.close();
  }
}
