/**
 * What a speaker sees of the interpreters: who is there, and the link for those who are to come. Its key stands behind
 * the `#`; when an interpreter is removed, another key takes its place.
 *
 * @import { Client } from "../core/client.js"
 * @import { ServerMessage, SessionCreatedMessage } from "../protocol/declared.js"
 * @import { Controls } from "./session.js"
 */

import { interpretedAfter, languageName } from "../core/channels.js";
import { fragmentOf } from "../core/invitation.js";
import { element, make } from "./dom.js";
import { showText } from "./session.js";

export class Interpreters {
  #client;
  #session;
  #controls;
  /** For interpreters; undefined if there can be none. @type {string | undefined} */
  key;
  #link = element("speak-interpreters-invite", HTMLAnchorElement);
  #list = element("speak-interpreters", HTMLUListElement);
  /** @type {readonly string[]} */
  #languages = [];

  /** @param {Client} client @param {SessionCreatedMessage} created @param {Controls} controls */
  constructor(client, created, controls) {
    this.#client = client;
    this.#session = created;
    this.#controls = controls;
    // A system of before has no interpreters.
    element("speak-interpreters-part", HTMLDivElement).hidden = created.interpreterKey === undefined;
    controls.copy("speak-interpreters-copy", "speak-interpreters-copied", () => this.#link.href);
    this.#setKey(created.interpreterKey);
    showText("speak-interpreters-status", "");
    this.#show();
  }

  /** @param {string | undefined} key */
  #setKey(key) {
    this.key = key;
    this.#link.href = fragmentOf(key === undefined ? "" : this.#session.sessionId, key, "interpret");
  }

  /** @param {ServerMessage} message */
  take(message) {
    const languages = interpretedAfter(this.#languages, message);
    if (languages !== this.#languages) {
      this.#languages = languages;
      showText("speak-interpreters-status", "");
      this.#show();
    }
    if (message.type === "interpreterLeft" && message.interpreterKey !== undefined) {
      this.#setKey(message.interpreterKey);
      showText("speak-interpreters-status", "The link for interpreters is another one now: the old one lets nobody in.");
    }
  }

  #show() {
    const rows = [...this.#languages].map((code) => ({ code, name: languageName(code) }));
    rows.sort((a, b) => a.name.localeCompare(b.name));
    this.#list.replaceChildren(...rows.map(({ code, name }) => this.#itemOf(code, name)));
    element("speak-interpreters-none", HTMLParagraphElement).hidden = rows.length > 0;
  }

  /** @param {string} code @param {string} name */
  #itemOf(code, name) {
    const isCaptioner = code === this.#session.sourceLanguage;
    const remove = make("button", { type: "button", "aria-label": `Remove the interpreter: ${name}` }, "Remove");
    this.#controls.ask(remove, "click", async () => {
      await this.#client.request({ action: "removeInterpreter", language: code });
      element("speak-interpreters-copy", HTMLButtonElement).focus();
    });
    return make("li", {}, make("span", {}, isCaptioner ? `${name}, captions only` : name), remove);
  }

  /** Leave no key in the page. */
  close() {
    this.#setKey(undefined);
  }
}
