/**
 * Reads the settings, and shows one view of speak, listen, interpret and watch; the address says which.
 *
 * @import { Invited } from "./core/invitation.js"
 * @import { Answer } from "./core/sign-in.js"
 */

import { ConfigError, readConfig } from "./core/config.js";
import { isInvited, readFragment, whatToShow } from "./core/invitation.js";
import { takeAbandoned, takeAnswer } from "./core/sign-in.js";
import { accountView } from "./views/account.js";
import { devicesView } from "./views/devices.js";
import { interpretView } from "./views/interpret.js";
import { keyboardView } from "./views/keyboard.js";
import { listenView } from "./views/listen.js";
import { askBeforeLeaving, muteFromEverywhere } from "./views/on-air.js";
import { speakView } from "./views/speak.js";
import { watchView } from "./views/watch/view.js";
import { element, personOf } from "./views/dom.js";

/**
 * What `config.json` holds. `issuer`, `clientId` and `scope` come together, or none does.
 *
 * @typedef {object} Config
 * @property {string} url the WebSocket API's address
 * @property {string} [issuer] the OpenID Connect issuer at which speakers sign in
 * @property {string} [clientId] the page's name there
 * @property {string} [scope] what it asks for there
 * @property {boolean} [listenersNeedToken] listeners sign in, too
 * @property {string} [operator] where lines are streamed from, if they are
 * @property {string} [sample] a recording for a person without a microphone
 */

async function fetchConfig() {
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch("config.json");
  } catch {
    throw new Error("The page’s settings could not be read. Check your network, and open the page again.");
  }
  if (!answer.ok) throw new ConfigError(`config.json cannot be read (${answer.status})`);
  return readConfig(await answer.text());
}

/** @param {string} sentence empty for none */
function showNotice(sentence) {
  const place = element("notice", HTMLParagraphElement);
  place.hidden = sentence === "";
  place.textContent = sentence;
}

/** @param {Invited} view @param {string} sessionId @param {string} key */
function fillIn(view, sessionId, key) {
  element(`${view}-session`, HTMLInputElement).value = sessionId;
  const field = element(`${view}-key`, HTMLInputElement);
  field.value = key;
  field.dispatchEvent(new Event("input"));
}

/** Return the session in which somebody listens or interprets; empty if there is none. @param {Invited} view */
function sessionIn(view) {
  return element(`${view}-live`, HTMLDivElement).hidden ? "" : element(`${view}-name`, HTMLOutputElement).value;
}

/** Nobody knows before the settings are read. */
let canWatch = true;
let whyNotSetUp = "";

/** @param {string} fragment @param {boolean} isOwn made of what the person typed: no link is damaged */
function showView(fragment, isOwn = false) {
  const asked = readFragment(fragment);
  const here = { canWatch, listen: sessionIn("listen"), interpret: sessionIn("interpret"), person: personOf(document.body) };
  const { view, address, notice } = whatToShow(asked, here);
  document.body.dataset["view"] = view;
  if (view !== "watch") document.body.dataset["person"] = view;
  for (const link of document.querySelectorAll("nav a")) {
    // The link to the operator's view has its filter, too.
    if (link.getAttribute("href")?.split("?")[0] === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (isInvited(asked.view) && (asked.sessionId || asked.key)) fillIn(asked.view, asked.sessionId, asked.key);
  // What may be a key, out of the address, so that it is in no bookmark and no picture of the window.
  if (address !== location.hash) history.replaceState(null, "", address);
  showNotice(whyNotSetUp || (isOwn ? "" : notice));
}

/** Who left to sign in, and came back without, finds the key where it was. */
function fillInAgain() {
  const { view, sessionId, key } = readFragment(takeAbandoned(sessionStorage));
  if (!isInvited(view)) return;
  const [name, typed] = ["session", "key"].map((field) => element(`${view}-${field}`, HTMLInputElement).value);
  if (sessionId && typed === "" && (name === "" || name === sessionId)) fillIn(view, sessionId, key);
}

/** @param {Config} config @param {Answer | null} answer */
function start(config, answer) {
  canWatch = config.operator !== undefined;
  if (!canWatch && document.body.dataset["view"] === "watch") showView(location.hash);
  if (config.issuer !== undefined) {
    if (answer === null) fillInAgain();
    addEventListener("pageshow", ({ persisted }) => persisted && fillInAgain());
  }
  const { speaker, listener } = accountView(config, answer);
  askBeforeLeaving();
  muteFromEverywhere();
  for (const view of /** @type {const} */ (["speak", "listen", "interpret"])) devicesView(view);
  speakView(config, speaker);
  listenView(config, listener);
  interpretView(config, listener);
  element("watch-link", HTMLAnchorElement).hidden = !canWatch;
  if (config.operator !== undefined) {
    document.body.dataset["operator"] = "";
    watchView(config.operator);
  }
  document.body.dataset["ready"] = "";
}

// Before anything is waited for: a code must not stay in the address, nor a key.
const answer = takeAnswer(location, history, () => sessionStorage);
document.body.dataset["person"] = "speak";
showView(answer?.fragment ?? location.hash, answer?.isOwn);
addEventListener("hashchange", () => showView(location.hash));
keyboardView();

const config = await fetchConfig().catch((error) => {
  whyNotSetUp = error.message;
  showNotice(whyNotSetUp);
});
if (config) start(config, answer);
