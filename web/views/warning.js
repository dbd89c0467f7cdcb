/**
 * Shows what the system warns somebody of who is on air, for a while: such a thing passes.
 *
 * @import { ServerMessage } from "../protocol/declared.js"
 */

import { warningIn } from "../core/warnings.js";
import { element } from "./dom.js";

/** The system says it again every ten seconds while it is so. */
const SHOWN_MS = 12_000;

export class Warning {
  #place;
  /** @type {any} */
  #timer = null;

  /** @param {"speak" | "interpret"} view @param {string} lasting of the whole session; empty for none */
  constructor(view, lasting = "") {
    this.#place = element(`${view}-warning`, HTMLParagraphElement);
    this.#lasting = lasting;
    this.#show(lasting);
  }
  #lasting;

  /** @param {ServerMessage} message @param {boolean} isSilent the page says already that the microphone gives no sound */
  take(message, isSilent) {
    const sentence = warningIn(message);
    if (sentence === "" || (isSilent && message.type === "audioQualityWarning" && message.warningType === "silence")) return;
    clearTimeout(this.#timer);
    this.#show(sentence);
    this.#timer = setTimeout(() => this.#show(this.#lasting), SHOWN_MS);
  }

  /** @param {string} sentence */
  #show(sentence) {
    if (this.#place.textContent !== sentence) this.#place.textContent = sentence;
    this.#place.hidden = sentence === "";
  }

  close() {
    clearTimeout(this.#timer);
    this.#show("");
  }
}
