/**
 * The interpreter's view: hears the speaker, speaks into the channel of a language, and may write captions. Whoever
 * takes the session's own language writes captions of what the speaker says, and does not speak.
 *
 * @import { Config } from "../main.js"
 * @import { Written } from "../core/caption-writer.js"
 * @import { Client, Problem, World } from "../core/client.js"
 * @import { InterpreterReadyMessage, ServerMessage } from "../protocol/declared.js"
 */

import { CaptionWriter } from "../core/caption-writer.js";
import { languageName } from "../core/channels.js";
import { asSent, whyNotKey } from "../core/invitation.js";
import { endingOf, whyNotInterpreter } from "../core/sentences.js";
import { CaptionList } from "./captions.js";
import { duration, element, focusNext, make, offerLanguages, watchKey } from "./dom.js";
import { Hearing } from "./hearing.js";
import { Controls, beginOnSubmit, connect, showLive, showNumbers, showPressed, showText, showWarning, statusOf } from "./session.js";
import { FORMAT, Voice } from "./voice.js";

/** That it is closed the connection says itself: it is opened again or, if that is refused, the refusal is shown. @param {Problem} problem */
const inWords = ({ code, message }) => (code === "CONNECTION_CLOSED" ? null : { message });

/** @param {Config} config @param {World} world */
export function interpretView(config, world) {
  const language = element("interpret-language", HTMLSelectElement);
  offerLanguages(language, "de");
  if (config.sample === undefined) element("interpret-recording", HTMLInputElement).disabled = true;
  const key = element("interpret-key", HTMLInputElement);
  watchKey(key, element("interpret-key-hint", HTMLParagraphElement), () => [asSent(key.value) && whyNotKey(asSent(key.value)), ""]);

  async function begin() {
    Hearing.prepare();
    const message = {
      action: /** @type {const} */ ("joinAsInterpreter"),
      sessionId: element("interpret-session", HTMLInputElement).value.trim(),
      language: language.value,
      interpreterKey: asSent(key.value),
      captions: element("interpret-captions", HTMLInputElement).checked,
    };
    await world.token(); // before the person is asked for the microphone
    const voice = await Voice.open("interpret", config);
    try {
      const { client, session } = await connect("interpret", config, world, message, (client, ready) => runSession(client, ready, voice), inWords);
      if (session.speaks) await voice?.start(client, session.sampleRate, session.isSilent);
      else voice?.stop();
    } catch (problem) {
      voice?.stop();
      throw problem;
    }
  }
  beginOnSubmit("interpret", begin, (problem) => whyNotInterpreter(problem, languageName(language.value)));
}

/** @param {Written} caption */
const asMessage = (caption) => ({ action: /** @type {const} */ ("sendCaption"), ...caption });

/** @param {Client} client @param {InterpreterReadyMessage} ready @param {Voice | null} voice */
function runSession(client, ready, voice) {
  const { sampleRate = FORMAT.sampleRate, ...format } = { ...FORMAT, ...ready.audioFormat };
  const isCaptioner = ready.language === ready.sourceLanguage;
  const language = languageName(ready.language);
  if (!isCaptioner && voice === null) throw new Error(`Who asked for ${language} would hear nothing: choose the microphone.`);
  if (!isCaptioner && (format.encoding !== FORMAT.encoding || format.channels !== FORMAT.channels)) {
    throw new Error("The sound of this session is in a form that this page cannot send.");
  }
  const mute = element("interpret-mute", HTMLButtonElement);
  const name = element("interpret-name", HTMLOutputElement);
  const line = element("interpret-line", HTMLInputElement);
  const began = Date.now();
  const controls = new Controls("interpret");
  const hearing = new Hearing("interpret", ready, controls, () => client.state === "open");
  const captions = new CaptionList("interpret", true);
  const writer = new CaptionWriter({
    send: (caption) => (caption.isFinal ? sendFinal(caption) : client.send(asMessage(caption))),
    newSegment: () => crypto.randomUUID(),
    setTimer: (run, ms) => setTimeout(run, ms),
    clearTimer: (timer) => clearTimeout(timer),
  });
  let isMuted = false;
  let ending = "";

  function show() {
    hearing.show();
    showPressed(mute, isMuted);
  }

  function showSent() {
    showNumbers("interpret", { time: duration(Date.now() - began), sent: voice?.sent ?? 0, dropped: voice?.dropped ?? 0 });
  }

  /** Send it, or send nothing while there is no connection. @param {Written} caption */
  function sendFinal(caption) {
    if (client.state !== "open") return false;
    const item = captions.take({ ...caption, language: ready.language });
    client.deliver(asMessage(caption)).then(
      () => controls.forget(),
      () => item?.append(" ", make("strong", { class: "not-sent", dir: "auto" }, "Not sent.")),
    );
    return true;
  }

  /** @param {ServerMessage} message */
  function hear(message) {
    hearing.take(message);
    if (message.type === "audio") return;
    if (message.type === "caption") captions.take(message);
    if (message.type === "sessionEnded") end(endingOf("interpret", message.reason));
    showWarning("interpret", message);
    show();
  }

  /** @param {string} sentence says why */
  function end(sentence) {
    ending = sentence;
    controls.forget();
  }

  function close() {
    clearInterval(numbers);
    writer.stop();
    voice?.stop();
    controls.release();
    hearing.close();
    line.value = "";
    showLive("interpret", false);
    statusOf("interpret").textContent = ending;
    focusNext("interpret");
  }

  controls.on(mute, "click", () => {
    isMuted = !isMuted;
    controls.forget();
    show();
  });
  controls.on(line, "input", () => writer.type(line.value));
  controls.on(element("interpret-write", HTMLFormElement), "submit", (event) => {
    event.preventDefault();
    if (writer.finish(line.value) !== null) line.value = "";
  });
  controls.on(element("interpret-leave", HTMLButtonElement), "click", () => {
    end("You left.");
    client.end();
  });

  const numbers = setInterval(showSent, 250);
  name.value = ready.sessionId;
  line.lang = ready.language;
  showText("interpret-task", isCaptioner ? `You write captions of what the speaker says, in ${language}. Your microphone is off.` : `You interpret into ${language}, and hear the speaker.`);
  element("interpret-voice", HTMLDivElement).hidden = isCaptioner;
  showLive("interpret", true);
  show();
  showSent();
  name.focus();
  return { hear, close, show, sampleRate, speaks: !isCaptioner, isSilent: () => isMuted || hearing.broadcast.isPaused };
}
