/**
 * Which key does what.
 *
 * @typedef {"mute" | "pause" | "help"} Shortcut
 * @typedef {{ key: string, code: string, ctrlKey: boolean, altKey: boolean, metaKey: boolean, repeat: boolean, isComposing: boolean }} Pressed
 * @typedef {"field" | "control" | "other"} Focus where the focus is: in what takes letters, on what takes the space bar, elsewhere
 */

/**
 * Return what a pressed key asks for, if anything. Keys with Ctrl, Alt or the command key are the browser's.
 *
 * @param {Pressed} pressed @param {Focus} focus
 * @returns {Shortcut | null}
 */
export function shortcutOf({ key, code, ctrlKey, altKey, metaKey, repeat, isComposing }, focus) {
  if (ctrlKey || altKey || metaKey || repeat || isComposing || focus === "field") return null;
  if (key === " ") return focus === "control" ? null : "pause";
  if (key === "?") return "help";
  // Keyboards of other scripts have no M: there it is the key at its place.
  const isM = key.toLowerCase() === "m" || (code === "KeyM" && /^\P{ASCII}$/u.test(key));
  return isM ? "mute" : null;
}
