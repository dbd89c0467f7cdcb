/**
 * The lists of microphones and outputs in the forms. The choice is the tab's: every view shows the same one, and a reload
 * keeps it.
 *
 * @import { Device, Kind } from "../core/devices.js"
 * @import { Person } from "../core/invitation.js"
 */

import { Sink } from "../audio/sink.js";
import { DEFAULT_DEVICE, choicesOf, readChoice } from "../core/devices.js";
import { MicrophoneCheck } from "./check.js";
import { element } from "./dom.js";

/** Where a choice is kept, and what stands for the browser's own. */
const KINDS = {
  audioinput: { key: "microphone", byDefault: "Default microphone", instead: "The default microphone is used instead." },
  audiooutput: { key: "output", byDefault: "Default output", instead: "The default output is used instead." },
};

/** A list in a form, with a sentence beside it. */
class Picker {
  #select;
  #note;

  /** @param {Kind} kind @param {string} id of the list; its note's and its field's begin with it */
  constructor(kind, id) {
    this.kind = kind;
    this.#select = element(id, HTMLSelectElement);
    this.#note = element(`${id}-note`, HTMLParagraphElement);
    this.#select.addEventListener("change", () => {
      const { value, selectedOptions } = this.#select;
      keep(kind, { id: value, label: value && (selectedOptions[0]?.text ?? "") });
      this.#note.textContent = "";
      void refresh();
    });
  }

  /** @param {Device[]} offered @param {Device} device the one that is used @param {string} lost the name of one that is gone, or empty */
  show(offered, device, lost) {
    const { byDefault, instead } = KINDS[this.kind];
    const options = [DEFAULT_DEVICE, ...offered].map(({ id, label }) => new Option(id ? label : byDefault, id, false, id === device.id));
    this.#select.replaceChildren(...options);
    if (lost) this.#note.textContent = `“${lost}” is not available now. ${instead}`;
  }
}

/** A list of outputs: shown where the browser names some, or has a list of its own to choose from. */
class OutputPicker extends Picker {
  #field;
  #canAsk = "selectAudioOutput" in (navigator.mediaDevices ?? {});

  /** @param {string} id of the list; its field's and its button's begin with it */
  constructor(id) {
    super("audiooutput", id);
    this.#field = element(`${id}-field`, HTMLDivElement);
    const button = element(`${id}-ask`, HTMLButtonElement);
    button.hidden = !this.#canAsk;
    button.addEventListener("click", () => void this.#ask());
  }

  async #ask() {
    try {
      const { deviceId, label } = await /** @type {any} */ (navigator.mediaDevices).selectAudioOutput();
      keep("audiooutput", { id: deviceId, label });
    } catch {
      return; // the person chose none
    }
    await refresh();
  }

  /** @override @type {Picker["show"]} */
  show(offered, device, lost) {
    super.show(offered, device, lost);
    this.#field.hidden = offered.length === 0 && !lost && !this.#canAsk;
  }
}

/** Those of all views. @type {Picker[]} */
const pickers = [];

/** @param {Kind} kind */
function chosen(kind) {
  return readChoice(sessionStorage.getItem(KINDS[kind].key));
}

/** @param {Kind} kind @param {Device} device */
function keep(kind, device) {
  sessionStorage.setItem(KINDS[kind].key, JSON.stringify(device));
}

/** Show in every view what is there now. */
async function refresh() {
  const listed = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  for (const kind of /** @type {const} */ (["audioinput", "audiooutput"])) {
    const before = chosen(kind);
    const { offered, device, isGone } = choicesOf(listed, kind, before);
    if (isGone) keep(kind, device);
    for (const picker of pickers) if (picker.kind === kind) picker.show(offered, device, isGone ? before.label : "");
  }
}

/** Return the id of the microphone to use: the one that was chosen, if it is still there; empty for the default. */
export async function chosenMicrophone() {
  await refresh();
  return chosen("audioinput").id;
}

/** Return the id of the output that was chosen; empty for the default. */
export function chosenOutput() {
  return chosen("audiooutput").id;
}

/** Set up a view's lists and, where somebody speaks, the check of the microphone. @param {Person} view */
export function devicesView(view) {
  if (view !== "speak" && Sink.isOffered) pickers.push(new OutputPicker(`${view}-output`));
  if (view !== "listen") {
    pickers.push(new Picker("audioinput", `${view}-device`));
    new MicrophoneCheck(view, { microphone: chosenMicrophone, output: chosenOutput, opened: refresh });
  }
  navigator.mediaDevices?.addEventListener("devicechange", () => void refresh());
  // With the permission the browser tells the names. One that does not know this permission tells them when it is used.
  navigator.permissions?.query({ name: "microphone" }).then(
    (permission) => permission.addEventListener("change", () => void refresh()),
    () => {},
  );
  void refresh();
}
