/**
 * The listener's view before a session: its form, and what is kept of a session when the page is loaded again.
 *
 * @import { Config } from "../main.js"
 * @import { World } from "../core/client.js"
 * @import { Wish } from "./listening.js"
 */

import { asSent, whyNotKey } from "../core/invitation.js";
import { whyNotJoined } from "../core/sentences.js";
import { begin, comeBack } from "./connection.js";
import { element, offerLanguages, watchKey } from "./dom.js";
import { Listening, fieldsDuring, wishFields, wishIn } from "./listening.js";
import { Hearing } from "./hearing.js";
import { beginOnSubmit } from "./session.js";

/** @param {Config} config @param {World} world */
export function listenView(config, world) {
  const fields = wishFields("listen-language", "listen-audio", "listen-captions");
  for (const { language } of [fields, fieldsDuring()]) offerLanguages(language, "de");
  // On a phone the button is to be seen without scrolling.
  if (matchMedia("(max-width: 30rem)").matches) element("listen-more", HTMLDetailsElement).open = false;
  const key = element("listen-key", HTMLInputElement);
  watchKey(key, element("listen-key-hint", HTMLParagraphElement), () => [asSent(key.value) && whyNotKey(asSent(key.value)), ""]);
  const place = { view: /** @type {const} */ ("listen"), config, world };

  async function start() {
    Hearing.prepare();
    const sessionId = element("listen-session", HTMLInputElement).value.trim();
    const listenerKey = asSent(key.value);
    const wish = wishIn(fields);
    const message = { action: /** @type {const} */ ("joinSession"), sessionId, ...wish, ...(listenerKey && { listenerKey }) };
    await begin(place, message, (client, joined) => new Listening(client, joined, { wish, isPaused: false, isReturning: false }));
  }
  beginOnSubmit("listen", start, whyNotJoined);
  void comeBack(place, (client, { reply, own }) => {
    return new Listening(client, reply, { .../** @type {{ wish: Wish, isPaused: boolean }} */ (own), isReturning: true });
  });
}
