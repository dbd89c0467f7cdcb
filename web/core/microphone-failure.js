/** Says why a browser gave no microphone, and what the person can do. Each cause has a sentence of its own. */

const DENIED =
  "This page may not use the microphone. Open the settings of this site, beside the address, allow the microphone, and try again.";
const DENIED_BY_SYSTEM =
  "The system does not let this browser use the microphone. Allow it in the system’s privacy settings, start the browser anew, and try again.";
const NOT_ANSWERED = "The browser asked for the microphone, and got no answer. Try again, and choose “Allow”.";
const NOT_SECURE =
  "A browser gives the microphone only to pages whose address begins with https://. Open this page by such an address, or ask whoever runs it for one.";
const UNSUPPORTED = "This browser cannot use a microphone. Open this page in an up-to-date Chrome, Edge, Firefox or Safari.";

const SENTENCES = new Map([
  ["NotFoundError", "There is no microphone at this device. Connect one, and try again."],
  ["NotReadableError", "The microphone is in use by another program, or does not work. Close other programs that use it, or connect it anew, and try again."],
  ["OverconstrainedError", "The microphone that you chose is not there any more. Choose another one, and try again."],
  ["AbortError", "The microphone could not be started. Connect it anew, or choose another one, and try again."],
  [
    "SecurityError",
    "Microphones are switched off for this page, by its own settings or by whoever manages this browser. Use another browser, or ask that person.",
  ],
  ["NotSupportedError", UNSUPPORTED],
  ["TypeError", UNSUPPORTED],
]);

/**
 * Return a sentence for what `getUserMedia` threw.
 *
 * @param {string} errorName its `name`
 * @param {boolean} isSecure what the browser says in `isSecureContext`: elsewhere it has no `navigator.mediaDevices`
 * @param {string} [message] its `message`: who denied it stands there only, in Chrome's own words
 */
export function whyNoMicrophone(errorName, isSecure, message = "") {
  if (!isSecure) return NOT_SECURE;
  if (errorName === "NotAllowedError") {
    if (/\bsystem\b/i.test(message)) return DENIED_BY_SYSTEM;
    return /\bdismissed\b/i.test(message) ? NOT_ANSWERED : DENIED;
  }
  const unknown = `The microphone could not be opened (${errorName || "no reason was given"}). Try again, or use another browser.`;
  return SENTENCES.get(errorName) ?? unknown;
}
