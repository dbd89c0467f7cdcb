/** Reads the settings, and shows one view of speak, listen and watch; the address says which. */

import { fragmentOf, readFragment } from "./core/invitation.js";
import { takeAnswer } from "./core/sign-in.js";
import { accountView } from "./views/account.js";
import { listenView } from "./views/listen.js";
import { speakView } from "./views/speak.js";
import { watchView } from "./views/watch.js";
import { element } from "./views/dom.js";

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

/** @returns {Promise<Config>} */
async function readConfig() {
  const answer = await fetch("config.json");
  const config = await answer.json();
  if (typeof config?.url !== "string") throw new Error("config.json has no url");
  const named = ["issuer", "clientId", "scope"].filter((name) => typeof config[name] === "string");
  if (named.length % 3 !== 0) throw new Error("config.json needs issuer, clientId and scope, or none of them");
  return config;
}

function showView() {
  const { view, sessionId, key } = readFragment(location.hash);
  document.body.dataset["view"] = view;
  if (view !== "watch") document.body.dataset["person"] = view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (sessionId) {
    element("listen-session", HTMLInputElement).value = sessionId;
    const field = element("listen-key", HTMLInputElement);
    field.value = key;
    field.dispatchEvent(new Event("input"));
  }
  // Out of the address, so that it is in no bookmark and no picture of the window.
  if (key) history.replaceState(null, "", fragmentOf(sessionId));
}

// Before anything is waited for: a code must not stay in the address.
const answer = takeAnswer(location, history, () => sessionStorage);
document.body.dataset["person"] = "speak";
showView();
addEventListener("hashchange", showView);

const config = await readConfig();
const { speaker, listener } = accountView(config, answer);
speakView(config, speaker);
listenView(config, listener);
element("watch-link", HTMLAnchorElement).hidden = config.operator === undefined;
if (config.operator !== undefined) {
  document.body.dataset["operator"] = "";
  watchView(config.operator);
}
document.body.dataset["ready"] = "";
