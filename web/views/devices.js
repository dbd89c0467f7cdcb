/**
 * The lists of microphones and outputs in the forms. The choice is the tab's: every view shows the same one, and a reload
 * keeps it.
 *
 * @import { Device, Kind } from "../core/devices.js"
 * @import { Person } from "../core/invitation.js"
 */

import { DEFAULT_DEVICE, choicesOf, readChoice } from "../core/devices.js";
import { MicrophoneCheck } from "./check.js";
import { element } from "./dom.js";

/** Where a choice is kept, and what stands for the browser's own. */
const KINDS = {
  audioinput: { key: "microphone", byDefault: "Default microphone", isGone: "The default microphone is used now." },
  audiooutput: { key: "output", byDefault: "Default output", isGone: "The default output is used now." },
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
    this.field = element(`${id}-field`, HTMLDivElement);
    this.#select.addEventListener("change", () => {
      const { value, selectedOptions } = this.#select;
      keep(kind, { id: value, label: value && (selectedOptions[0]?.text ?? "") });
      this.#note.textContent = "";
      void refresh();
    });
  }

  /** @param {Device[]} offered @param {Device} device the one that is used @param {string} lost the name of one that is gone, or empty */
  show(offered, device, lost) {
    const { byDefault, isGone } = KINDS[this.kind];
    const options = [DEFAULT_DEVICE, ...offered].map(({ id, label }) => new Option(id ? label : byDefault, id, false, id === device.id));
    this.#select.replaceChildren(...options);
    if (lost) this.#note.textContent = `“${lost}” is not connected any more. ${isGone}`;
    // A browser that names no outputs lets nobody choose one.
    if (this.kind === "audiooutput") this.field.hidden = offered.length === 0 && !lost;
  }
}

/** Those of all views. @type {Picker[]} */
const pickers = [];

/** @param {Kind} kind @param {Device} device */
function keep(kind, device) {
  sessionStorage.setItem(KINDS[kind].key, JSON.stringify(device));
}

/** Show in every view what is there now. */
async function refresh() {
  const listed = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  for (const kind of /** @type {const} */ (["audioinput", "audiooutput"])) {
    const chosen = readChoice(sessionStorage.getItem(KINDS[kind].key));
    const { offered, device, isGone } = choicesOf(listed, kind, chosen);
    if (isGone) keep(kind, device);
    for (const picker of pickers) if (picker.kind === kind) picker.show(offered, device, isGone ? chosen.label : "");
  }
}

/** Return the id of the microphone that the form of a view names; empty for the default. @param {"speak" | "interpret"} view */
export function chosenMicrophone(view) {
  return element(`${view}-device`, HTMLSelectElement).value;
}

/** Return the id of the output that the form of a view names; empty for the default. @param {"listen" | "interpret"} view */
export function chosenOutput(view) {
  return element(`${view}-output`, HTMLSelectElement).value;
}

/** Set up a view's lists and, where somebody speaks, the check of the microphone. @param {Person} view */
export function devicesView(view) {
  if (view !== "speak" && "setSinkId" in AudioContext.prototype) pickers.push(new Picker("audiooutput", `${view}-output`));
  if (view !== "listen") {
    pickers.push(new Picker("audioinput", `${view}-device`));
    const output = () => (view === "interpret" ? chosenOutput(view) : "");
    new MicrophoneCheck(view, { microphone: () => chosenMicrophone(view), output, opened: refresh });
  }
  navigator.mediaDevices?.addEventListener("devicechange", () => void refresh());
  // With the permission the browser tells the names. One that does not know this permission tells them when it is used.
  navigator.permissions?.query({ name: "microphone" }).then(
    (permission) => permission.addEventListener("change", () => void refresh()),
    () => {},
  );
  void refresh();
}
