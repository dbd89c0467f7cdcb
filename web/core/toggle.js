/**
 * A mute or a pause: what the person wants holds here at once, and the system is asked until it agrees. What it does not
 * know because the connection broke it is asked again when it says how things are.
 */

export class Toggle {
  #ask;
  #wanted;
  /** What the system said last. */
  #agreed;
  #isAsking = false;

  /** @param {(isOn: boolean) => Promise<unknown>} ask the system @param {boolean} isOn as it is now */
  constructor(ask, isOn = false) {
    this.#ask = ask;
    this.#wanted = isOn;
    this.#agreed = isOn;
  }

  /** Whether it is on here: until both say that it is off. */
  get isOn() {
    return this.#wanted || this.#agreed;
  }

  get isWanted() {
    return this.#wanted;
  }

  /** @param {boolean} isOn @throws what the system answered; on stays on here, off is given up */
  async want(isOn) {
    this.#wanted = isOn;
    await this.#pursue();
  }

  /** Take what the system says: if it does not know what is wanted, it is asked. @param {boolean} isOn */
  async agree(isOn) {
    if (this.#isAsking) return;
    this.#agreed = isOn;
    await this.#pursue();
  }

  /** Ask for what was not agreed to, after a break in which nobody could be asked. */
  async retry() {
    await this.#pursue();
  }

  async #pursue() {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      while (this.#wanted !== this.#agreed) {
        const asked = this.#wanted;
        await this.#ask(asked);
        this.#agreed = asked;
      }
    } catch (problem) {
      // Of a break nobody needs to hear twice; and whoever wants to be heard is not heard unless the system agreed.
      if (/** @type {any} */ (problem).code === "CONNECTION_LOST") return;
      if (!this.#wanted) this.#wanted = this.#agreed;
      throw problem;
    } finally {
      this.#isAsking = false;
    }
  }
}
