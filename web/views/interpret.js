/**
 * The interpreter's view before a session: its form, and what is kept of a session when the page is loaded again.
 *
 * @import { Config } from "../main.js"
 * @import { Client, Problem, World } from "../core/client.js"
 * @import { Kept } from "../core/kept-session.js"
 * @import { InterpreterReadyMessage } from "../protocol/declared.js"
 */

import { languageName } from "../core/channels.js";
import { asSent, whyNotKey } from "../core/invitation.js";
import { whyNotInterpreter } from "../core/sentences.js";
import { begin, comeBack } from "./connection.js";
import { element, offerLanguages, watchKey } from "./dom.js";
import { Interpreting } from "./interpreting.js";
import { Hearing } from "./hearing.js";
import { beginOnSubmit } from "./session.js";
import { Voice, sourceIn } from "./voice.js";

/** That it is closed the connection says itself: it is opened again or, if that is refused, the refusal is shown. @param {Problem} problem */
const inWords = ({ code, message }) => (code === "CONNECTION_CLOSED" ? null : { message });

/** @param {Config} config @param {World} world */
export function interpretView(config, world) {
  const language = element("interpret-language", HTMLSelectElement);
  offerLanguages(language, "de");
  if (config.sample === undefined) element("interpret-recording", HTMLInputElement).disabled = true;
  const key = element("interpret-key", HTMLInputElement);
  watchKey(key, element("interpret-key-hint", HTMLParagraphElement), () => [asSent(key.value) && whyNotKey(asSent(key.value)), ""]);
  const place = { view: /** @type {const} */ ("interpret"), config, world, inWords };

  async function start() {
    Hearing.prepare();
    const message = {
      action: /** @type {const} */ ("joinAsInterpreter"),
      sessionId: element("interpret-session", HTMLInputElement).value.trim(),
      language: language.value,
      interpreterKey: asSent(key.value),
      captions: element("interpret-captions", HTMLInputElement).checked,
    };
    await world.token(); // before the person is asked for the microphone
    const voice = await Voice.open("interpret", config, sourceIn("interpret"));
    try {
      const own = { isMuted: false, beganAt: Date.now(), isReturning: false };
      const run = (/** @type {Client} */ client, /** @type {InterpreterReadyMessage} */ ready) => new Interpreting(client, ready, own, voice);
      const { session } = await begin(place, message, run);
      await session.startVoice();
    } catch (problem) {
      voice?.stop();
      throw problem;
    }
  }

  /** @param {Client} client @param {Kept} kept */
  function goOn(client, { reply, own }) {
    const voice = own.source.kind === "none" ? null : new Voice("interpret", config, own.source);
    if (voice) voice.nextNumber = own.nextNumber;
    const session = new Interpreting(client, reply, { ...own, isReturning: true }, voice);
    void session.startVoice();
    voice?.use().catch(() => {}); // the state says so
    return session;
  }

  beginOnSubmit("interpret", start, (problem) => whyNotInterpreter(problem, languageName(language.value)));
  void comeBack(place, goOn);
}
