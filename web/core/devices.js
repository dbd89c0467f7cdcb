/**
 * Which microphones and outputs there are to choose from, and which one is used. A browser tells their names, and ids that
 * mean something, only once it has allowed the microphone: before that it lists a device or two without both.
 *
 * @typedef {"audioinput" | "audiooutput"} Kind
 * @typedef {{ kind: string, deviceId: string, label: string }} Listed a device, as the browser lists it
 * @typedef {{ id: string, label: string }} Device one that can be chosen; the id is empty for the browser's default
 */

/** Chromium lists two of the devices a second time under these ids. */
const ALIASES = new Set(["default", "communications"]);

/** @type {Device} */
export const DEFAULT_DEVICE = { id: "", label: "" };

/**
 * Return what is offered beside the default, and the device to use: the one that was chosen, or the default if that is gone.
 * Where no device has a name nobody knows what is there, and the choice stays.
 *
 * @param {readonly Listed[]} listed @param {Kind} kind @param {Device} chosen
 * @returns {{ offered: Device[], device: Device, isGone: boolean }}
 */
export function choicesOf(listed, kind, chosen) {
  const there = listed.filter((one) => one.kind === kind);
  const named = there.filter(({ deviceId, label }) => deviceId !== "" && label !== "");
  if (there.length > 0 && named.length === 0) return { offered: chosen.id ? [chosen] : [], device: chosen, isGone: false };
  const offered = named.filter(({ deviceId }) => !ALIASES.has(deviceId)).map(({ deviceId, label }) => ({ id: deviceId, label }));
  const isGone = chosen.id !== "" && !offered.some(({ id }) => id === chosen.id);
  return { offered, device: isGone ? DEFAULT_DEVICE : chosen, isGone };
}

/** Return the choice that was kept as text; the default for anything else. @param {string | null} text @returns {Device} */
export function readChoice(text) {
  try {
    const { id, label } = JSON.parse(text ?? "{}");
    return typeof id === "string" && typeof label === "string" ? { id, label } : DEFAULT_DEVICE;
  } catch {
    return DEFAULT_DEVICE;
  }
}
