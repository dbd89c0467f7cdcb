/**
 * What a speaker sees of the listeners: how many there are, by language.
 *
 * @import { Client } from "../core/client.js"
 * @import { ServerMessage } from "../protocol/declared.js"
 */

import { languageName } from "../core/channels.js";
import { element, make } from "./dom.js";

const ASK_MS = 5_000;

export class Audience {
  #client;
  /** @type {Map<string, number>} */
  #counts = new Map();
  #isAsking = false;
  #asking;

  /** @param {Client} client */
  constructor(client) {
    this.#client = client;
    this.#asking = setInterval(() => void this.#ask(), ASK_MS);
    this.#show();
  }

  async #ask() {
    if (this.#isAsking || this.#client.state !== "open") return;
    this.#isAsking = true;
    try {
      await this.#client.request({ action: "getSessionStatus" });
    } catch {
      // It is asked again soon, and the connection's state is shown anyway.
    } finally {
      this.#isAsking = false;
    }
  }

  /** @param {ServerMessage} message */
  take(message) {
    if (message.type === "sessionStatus") this.#counts = new Map(Object.entries(message.languageDistribution));
    else if (message.type !== "listenerJoined" && message.type !== "listenerLeft") return;
    else {
      const change = message.type === "listenerJoined" ? 1 : -1;
      this.#counts.set(message.targetLanguage, (this.#counts.get(message.targetLanguage) ?? 0) + change);
    }
    this.#show();
  }

  #show() {
    const rows = [...this.#counts].filter(([, count]) => count > 0).map(([code, count]) => ({ name: languageName(code), count }));
    rows.sort((a, b) => a.name.localeCompare(b.name));
    element("speak-count", HTMLOutputElement).value = String(rows.reduce((sum, { count }) => sum + count, 0));
    const items = rows.map(({ name, count }) => make("li", {}, make("bdi", {}, name), make("span", {}, String(count))));
    element("speak-audience", HTMLUListElement).replaceChildren(...items);
  }

  close() {
    clearInterval(this.#asking);
  }
}
