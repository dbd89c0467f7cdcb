/** Reads the settings, and shows one view of speak, listen and watch; the address says which. */

import { listenView } from "./views/listen.js";
import { speakView } from "./views/speak.js";
import { watchView } from "./views/watch.js";
import { element } from "./views/dom.js";

/**
 * What `config.json` holds.
 *
 * @typedef {object} Config
 * @property {string} url the WebSocket API's address
 * @property {string} [operator] where lines are streamed from, if they are
 * @property {string} [sample] a recording for a person without a microphone
 */

/** @returns {Promise<Config>} */
async function readConfig() {
  const answer = await fetch("config.json");
  const config = await answer.json();
  if (typeof config?.url !== "string") throw new Error("config.json has no url");
  return config;
}

function showView() {
  const [view = "", session = ""] = location.hash.slice(1).split("/");
  const shown = ["speak", "listen", "watch"].includes(view) ? view : "speak";
  document.body.dataset["view"] = shown;
  if (shown !== "watch") document.body.dataset["person"] = shown;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#${shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (shown === "listen" && session) element("listen-session", HTMLInputElement).value = decodeURIComponent(session);
}

document.body.dataset["person"] = "speak";
showView();
addEventListener("hashchange", showView);

const config = await readConfig();
speakView(config);
listenView(config);
element("watch-link", HTMLAnchorElement).hidden = config.operator === undefined;
if (config.operator !== undefined) {
  document.body.dataset["operator"] = "";
  watchView(config.operator);
}
document.body.dataset["ready"] = "";
