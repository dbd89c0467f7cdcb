/** The device on which a context is heard: the system's own choice, or one that the person picked while it is there. */

/** For so long it is tried whether a device that came plays. */
const NEW_MS = 10_000;

export class Sink {
  #context;
  #node;
  #onChange;
  #deviceId = "";
  /** Plays what the context gives, in a browser whose contexts play on the system's choice only. @type {HTMLAudioElement | null} */
  #element = null;
  /** Whether this browser lists devices to a page that has not asked for them. */
  #listsDevices = /** @type {any} */ (navigator).userAgentData?.mobile === false;
  #listening = new AbortController();
  hasDevice = true;
  /** When a device came where there was none. */
  #cameAt = -Infinity;

  /** @param {AudioContext} context @param {AudioNode} node that is heard @param {() => void} onChange run when devices came or went */
  constructor(context, node, onChange) {
    this.#context = context;
    this.#node = node;
    this.#onChange = onChange;
    node.connect(context.destination);
    navigator.mediaDevices.addEventListener("devicechange", () => void this.look(), { signal: this.#listening.signal });
    void this.look();
  }

  /** See which devices there are; browsers say it late. */
  async look() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    if (this.#listening.signal.aborted) return;
    const outputs = devices.filter(({ kind }) => kind === "audiooutput");
    this.#listsDevices ||= outputs.length > 0;
    const hadDevice = this.hasDevice;
    this.hasDevice = outputs.length > 0 || !this.#listsDevices;
    const isLost = this.#deviceId !== "" && !outputs.some(({ deviceId }) => deviceId === this.#deviceId);
    if (hadDevice === this.hasDevice && !isLost) return;
    // It would stay chosen, and silent.
    if (isLost) await this.use("").catch(() => (this.#deviceId = ""));
    if (!hadDevice && this.hasDevice) {
      this.#cameAt = performance.now();
      await this.#reopen().catch(() => {});
    }
    this.#onChange();
  }

  /** Try once more a device that has just come: at the first attempt it may not play. */
  async retryNew() {
    if (performance.now() - this.#cameAt < NEW_MS) await this.#reopen().catch(() => {});
  }

  /** A Chromium whose only device went keeps playing to what is gone, until it is given another. */
  async #reopen() {
    const context = /** @type {any} */ (this.#context);
    if (!("setSinkId" in context)) return;
    await context.setSinkId({ type: "none" });
    await context.setSinkId(this.#deviceId);
  }

  /** Whether a device can be picked in this browser. */
  static get isOffered() {
    return "setSinkId" in AudioContext.prototype || "setSinkId" in HTMLMediaElement.prototype;
  }

  /** @param {string} deviceId empty: the system's own choice */
  async use(deviceId) {
    if ("setSinkId" in this.#context) await /** @type {any} */ (this.#context).setSinkId(deviceId);
    else await this.#useElement(deviceId);
    this.#deviceId = deviceId;
  }

  /** @param {string} deviceId */
  async #useElement(deviceId) {
    if (deviceId === "") return this.#dropElement();
    const element = this.#element ?? new Audio();
    await element.setSinkId(deviceId);
    if (this.#element === null) {
      const stream = this.#context.createMediaStreamDestination();
      element.srcObject = stream.stream;
      this.#node.disconnect();
      this.#node.connect(stream);
      this.#element = element;
    }
    await element.play();
  }

  #dropElement() {
    if (this.#element === null) return;
    this.#element.srcObject = null;
    this.#element = null;
    this.#node.disconnect();
    this.#node.connect(this.#context.destination);
  }

  /** Go on after an interruption. */
  resume() {
    this.#element?.play().catch(() => {}); // it is tried again
  }

  close() {
    this.#listening.abort();
    if (this.#element) this.#element.srcObject = null;
  }
}
