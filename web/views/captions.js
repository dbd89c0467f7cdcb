/**
 * Shows captions: final ones as a list that a screen reader reads as it grows, below them, lighter, the partial ones,
 * which it does not.
 *
 * @import { Caption } from "../core/captions.js"
 */

import { Captions } from "../core/captions.js";
import { languageName } from "../core/channels.js";
import { element, make } from "./dom.js";

export class CaptionList {
  #captions = new Captions();
  #box;
  #finals;
  #partials;
  #namesLanguages;
  #follows = true;

  /** @param {"speak" | "listen" | "interpret"} view @param {boolean} namesLanguages captions of several languages come */
  constructor(view, namesLanguages) {
    this.#box = element(`${view}-captions-box`, HTMLDivElement);
    this.#finals = element(`${view}-finals`, HTMLUListElement);
    this.#partials = element(`${view}-partials`, HTMLUListElement);
    this.#namesLanguages = namesLanguages;
    this.#box.addEventListener("scroll", () => (this.#follows = this.#isAtEnd));
    new ResizeObserver(() => this.#follow()).observe(this.#box);
    this.clear();
  }

  get #isAtEnd() {
    return this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < 8;
  }

  /** Who reads an older one stays there. */
  #follow() {
    if (this.#follows) this.#box.scrollTop = this.#box.scrollHeight;
  }

  /** Return the item of a final caption that is new. @param {Caption} caption */
  take(caption) {
    const item = this.#captions.take(caption) ? this.#itemOf(caption) : null;
    if (item) this.#finals.append(item);
    this.#show();
    this.#follow();
    return item;
  }

  /** @param {(language: string) => boolean} isGone whether the interpreter of a language is */
  dropPartials(isGone) {
    this.#captions.dropPartials(isGone);
    this.#show();
  }

  clear() {
    this.#captions.clear();
    this.#show();
  }

  #show() {
    const { finals, partials } = this.#captions;
    // Those that stay are not touched: they would be read again.
    while (this.#finals.children.length > finals.length) this.#finals.firstElementChild?.remove();
    this.#partials.replaceChildren(...partials.map((one) => this.#itemOf(one)));
  }

  /** @param {Caption} caption */
  #itemOf({ language, text }) {
    // The text alone says in which direction the line goes: what has a direction of its own is left out of that.
    const name = this.#namesLanguages ? [make("span", { class: "label", dir: "auto" }, languageName(language)), " "] : [];
    return make("li", { dir: "auto" }, ...name, make("span", { lang: language }, text));
  }
}
