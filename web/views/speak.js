/**
 * The speaker's view before a session: its form, and what is kept of a session when the page is loaded again.
 *
 * @import { Config } from "../main.js"
 * @import { Client, World } from "../core/client.js"
 * @import { Kept } from "../core/kept-session.js"
 * @import { SessionCreatedMessage } from "../protocol/declared.js"
 * @import { Own } from "./speaking.js"
 */

import { PROPOSED_KEY_LENGTH, asSent, keyFrom, keyOfNew, weaknessOf, whyNotKey } from "../core/invitation.js";
import { whyNotBegun } from "../core/sentences.js";
import { begin, comeBack } from "./connection.js";
import { element, offerLanguages, watchKey } from "./dom.js";
import { beginOnSubmit } from "./session.js";
import { Speaking } from "./speaking.js";
import { FORMAT, Voice, sourceIn } from "./voice.js";

/** @param {Config} config @param {World} world */
export function speakView(config, world) {
  offerLanguages(element("speak-language", HTMLSelectElement), "en");
  if (config.sample === undefined) element("source-recording", HTMLInputElement).disabled = true;
  const isPrivate = element("speak-private", HTMLInputElement);
  const key = element("speak-key", HTMLInputElement);
  const judgeKey = watchKey(key, element("speak-key-hint", HTMLParagraphElement), () => {
    const sent = asSent(key.value);
    return isPrivate.checked ? [whyNotKey(sent), weaknessOf(sent)] : ["", ""];
  });
  function showKey() {
    element("speak-key-field", HTMLParagraphElement).hidden = key.disabled = !isPrivate.checked;
    key.value = keyFrom(crypto.getRandomValues(new Uint8Array(PROPOSED_KEY_LENGTH)));
    judgeKey();
  }
  isPrivate.addEventListener("change", showKey);
  showKey();

  const place = { view: /** @type {const} */ ("speak"), config, world };

  async function start() {
    const listenerKey = keyOfNew(isPrivate.checked, key.value);
    await world.token(); // before the person is asked for the microphone
    const voice = /** @type {Voice} */ (await Voice.open("speak", config, sourceIn("speak")));
    try {
      await speak(voice, listenerKey);
    } catch (problem) {
      voice.stop();
      throw problem;
    }
    showKey(); // the next session has another
  }

  /** @param {Voice} voice @param {string | null} listenerKey null: none */
  async function speak(voice, listenerKey) {
    const sourceLanguage = element("speak-language", HTMLSelectElement).value;
    const wanted = { sourceLanguage, audioFormat: FORMAT, ...(listenerKey !== null && { listenerKey }) };
    const message = { action: /** @type {const} */ ("createSession"), ...wanted };
    const own = { listenerKey: listenerKey ?? "", isMuted: false, isPaused: false, beganAt: Date.now(), isReturning: false };
    const run = (/** @type {Client} */ client, /** @type {SessionCreatedMessage} */ created) => new Speaking(client, created, own, voice);
    const { client, session } = await begin(place, message, run);
    await voice.start(client, FORMAT.sampleRate, () => session.isSilent);
  }

  /** @param {Client} client @param {Kept} kept */
  function goOn(client, { reply, own }) {
    const voice = new Voice("speak", config, own.source);
    voice.nextNumber = own.nextNumber;
    const session = new Speaking(client, reply, /** @type {Own} */ ({ ...own, isReturning: true }), voice);
    void voice.start(client, FORMAT.sampleRate, () => session.isSilent);
    voice.use().catch(() => {}); // the state says so
    return session;
  }

  beginOnSubmit("speak", start, whyNotBegun);
  void comeBack(place, goOn);
}
