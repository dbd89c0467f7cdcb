/**
 * What a speaker gives those who are to listen: the link, as text and to copy, and its QR code. Where the session is private
 * both hold its key: they are folded away until the speaker opens them.
 *
 * @import { Controls } from "./session.js"
 */

import { fragmentOf, isLoopback } from "../core/invitation.js";
import { element, make } from "./dom.js";
import { showText } from "./session.js";

/** Readers need so many empty modules around a code: ISO/IEC 18004, 5.3.8. */
const QUIET_MODULES = 4;

export class Share {
  #invite = element("speak-invite", HTMLAnchorElement);
  #details = element("speak-join", HTMLDetailsElement);
  #code = element("speak-qr", HTMLDivElement);
  /** Nobody else's machine reaches the page at such an address. */
  #isLocal = isLoopback(location.hostname);

  /** @param {string} sessionId @param {string} listenerKey empty: none @param {Controls} controls */
  constructor(sessionId, listenerKey, controls) {
    const isPrivate = listenerKey !== "";
    this.#invite.href = fragmentOf(sessionId, listenerKey);
    controls.copy("speak-copy", "speak-copied", () => sessionId);
    controls.copy("speak-copy-link", "speak-copied", () => this.#invite.href);
    controls.on(this.#details, "toggle", () => void this.#draw());
    showText("speak-copy", isPrivate ? "Copy the name, without the key" : "Copy the name");
    const what = this.#isLocal ? "The link" : "The link and its QR code";
    showText("speak-join-title", isPrivate ? `${what}, with the key` : what);
    showText("speak-link", this.#invite.href);
    showText("speak-live-key", listenerKey);
    element("speak-secret", HTMLDivElement).hidden = !isPrivate;
    element("speak-local", HTMLParagraphElement).hidden = !this.#isLocal;
    this.#details.open = !isPrivate;
  }

  async #draw() {
    if (!this.#details.open || this.#isLocal || this.#code.hasChildNodes()) return;
    const link = this.#invite.href;
    try {
      const { encodeQR } = await import("../vendor/qr.js");
      if (link !== this.#invite.href) return; // the session has ended
      const drawing = encodeURIComponent(encodeQR(link, "svg", { border: QUIET_MODULES }));
      this.#code.replaceChildren(make("img", { src: `data:image/svg+xml,${drawing}`, alt: "QR code of the link for listeners" }));
    } catch {
      this.#code.textContent = "The QR code could not be loaded. Give the link as text.";
    }
  }

  /** Leave no key in the page. */
  close() {
    this.#invite.href = fragmentOf("");
    this.#details.open = false;
    this.#code.replaceChildren();
    showText("speak-link", "");
    showText("speak-live-key", "");
  }
}
