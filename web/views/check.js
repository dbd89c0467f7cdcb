/**
 * In the forms of Speak and Interpret: a person tries the microphone, and nothing is sent. It is given back when the session
 * begins, when this part of the page is not shown any more, and by the button.
 */

import { Check } from "../audio/check.js";
import { loudness } from "../core/sound/chunker.js";
import { LevelHistory, adviceOn } from "../core/sound/level.js";
import { whyNoMicrophone } from "../core/microphone-failure.js";
import { element, isFocusLost, showProblem } from "./dom.js";

/** As often as a moving meter needs, and more often than samples are overwritten. */
const READ_MS = 50;
const IS_LOST = "The microphone is not connected any more, and the check has ended. Connect it again, or choose another one.";

/**
 * What a check takes from the form, and what is run once the microphone is open.
 *
 * @typedef {{ microphone: () => Promise<string>, output: () => string, opened: () => Promise<void> }} Devices
 */

export class MicrophoneCheck {
  #devices;
  #button;
  #part;
  #problem;
  #formProblem;
  #clean;
  #hear;
  #meter;
  #word;
  #advice;
  #history = new LevelHistory();
  /** @type {Check | null} */
  #check = null;
  /** @type {any} */
  #timer = null;
  /** A number for each time that a microphone is asked for, or no longer wanted: a late answer is for nobody. */
  #wish = 0;
  #isWanted = false;

  /** @param {"speak" | "interpret"} view @param {Devices} devices */
  constructor(view, devices) {
    this.#devices = devices;
    this.#button = element(`${view}-check`, HTMLButtonElement);
    this.#part = element(`${view}-check-part`, HTMLDivElement);
    this.#problem = element(`${view}-check-problem`, HTMLParagraphElement);
    this.#formProblem = element(`${view}-problem`, HTMLParagraphElement);
    this.#clean = element(`${view}-clean`, HTMLInputElement);
    this.#hear = element(`${view}-hear`, HTMLInputElement);
    this.#meter = element(`${view}-check-meter`, HTMLDivElement);
    this.#word = element(`${view}-check-word`, HTMLElement);
    this.#advice = element(`${view}-check-advice`, HTMLElement);
    this.#button.addEventListener("click", () => (this.#isWanted ? this.#end() : void this.#begin()));
    this.#hear.addEventListener("change", () => void this.#check?.setHeard(this.#hear.checked, devices.output()));
    for (const id of [`${view}-device`, `${view}-output`, `${view}-clean`]) {
      document.getElementById(id)?.addEventListener("change", () => this.#isWanted && void this.#begin());
    }
    // Before the session asks for the same microphone.
    element(`${view}-form`, HTMLFormElement).addEventListener("submit", () => this.#end(), { capture: true });
    this.#showSource(view);
  }

  /** The list and the check are for a microphone only. @param {"speak" | "interpret"} view */
  #showSource(view) {
    const form = element(`${view}-form`, HTMLFormElement);
    const part = element(`${view}-microphone-part`, HTMLDivElement);
    const show = () => {
      part.hidden = new FormData(form).get("source") !== "microphone";
    };
    form.addEventListener("change", show);
    show();
  }

  /** Ask for the microphone that the form names, in place of another one. */
  async #begin() {
    this.#release();
    const wish = this.#wish;
    this.#isWanted = true;
    this.#button.textContent = "Stop the check";
    showProblem(this.#problem, null);
    showProblem(this.#formProblem, null); // another attempt is made
    try {
      const check = await Check.open(this.#clean.checked, await this.#devices.microphone(), () => this.#fail(IS_LOST));
      if (wish !== this.#wish) return check.close();
      this.#check = check;
      this.#history = new LevelHistory();
      this.#part.hidden = false;
      this.#timer = setInterval(() => this.#read(check), READ_MS);
      await this.#devices.opened();
    } catch (error) {
      const { name, message } = /** @type {Error} */ (error);
      if (wish === this.#wish) this.#fail(whyNoMicrophone(name, isSecureContext, message));
    }
  }

  /** @param {Check} check */
  #read(check) {
    if (!this.#part.checkVisibility()) return this.#end();
    const samples = check.read();
    const level = loudness(samples);
    const word = this.#history.take(samples, performance.now());
    this.#meter.setAttribute("aria-valuenow", String(Math.round(level * 100)));
    this.#meter.setAttribute("aria-valuetext", word);
    /** @type {HTMLElement} */ (this.#meter.firstElementChild).style.transform = `scaleX(${level})`;
    if (this.#word.textContent === word) return; // it is read out when it changes
    this.#word.textContent = word;
    this.#advice.textContent = adviceOn(word);
  }

  /** @param {string} sentence */
  #fail(sentence) {
    this.#end();
    showProblem(this.#problem, { message: sentence });
  }

  #end() {
    this.#release();
    this.#isWanted = false;
    this.#button.textContent = "Check your microphone";
    this.#part.hidden = true;
    this.#word.textContent = this.#advice.textContent = "";
    if (isFocusLost() && this.#button.checkVisibility()) this.#button.focus();
  }

  /** Give the microphone back, and take none that was asked for before. */
  #release() {
    this.#wish++;
    clearInterval(this.#timer);
    this.#check?.close();
    this.#check = null;
    this.#hear.checked = false;
  }
}
