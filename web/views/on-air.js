/**
 * Says in every view, in the window's title and in its icon whether the person is on air, and asks before a page that is
 * on air is left.
 *
 * @import { OnAir, OnAirState } from "../core/on-air.js"
 */

import { element } from "./dom.js";

/** In capitals: what others hear of the person. @type {Record<OnAirState, string>} */
const WORDS = {
  idle: "",
  checking: "STARTING",
  needsTap: "NOT LIVE",
  live: "LIVE",
  muted: "MUTED",
  paused: "PAUSED",
  interrupted: "NOT LIVE",
  reconnecting: "NOT LIVE",
  deviceLost: "NOT LIVE",
  ended: "",
};
const DOING = { speak: "You speak in", interpret: "You interpret in" };
const TITLE = document.title;

/** @type {Map<"speak" | "interpret", { state: OnAirState, sessionId: string }>} */
const onAir = new Map();

/**
 * Show how a person is on air, where the view itself shows it and everywhere else.
 *
 * @param {"speak" | "interpret"} view @param {OnAir} now @param {string} sessionId
 */
export function showOnAir(view, now, sessionId) {
  showState(view, now);
  if (WORDS[now.state] === "") onAir.delete(view);
  else onAir.set(view, { state: now.state, sessionId });
  showEverywhere();
}

/** Show a state where the view has its place for it. @param {"speak" | "listen" | "interpret"} view @param {OnAir} now */
export function showState(view, { state, sentence, remedy }) {
  const place = element(`${view}-broadcast`, HTMLParagraphElement);
  const { dataset } = element(view, HTMLElement);
  dataset["state"] = state;
  dataset["remedy"] = remedy ?? "";
  // It is read out when it changes: not again each time that it is judged.
  if (place.textContent !== sentence) place.textContent = sentence;
}

function showEverywhere() {
  // Somebody may speak and interpret at once: whoever is live matters more.
  const first = [...onAir].find(([, { state }]) => state === "live") ?? [...onAir][0];
  const bar = element("on-air", HTMLElement);
  bar.hidden = first === undefined;
  const icon = document.querySelector("link[rel=icon]");
  const word = first ? WORDS[first[1].state] : "";
  const wanted = first ? `${word} · ${first[1].sessionId} · ${TITLE}` : TITLE;
  if (document.title !== wanted) document.title = wanted;
  const file = word === "" ? "icon.svg" : word === "LIVE" ? "icon-live.svg" : "icon-not-live.svg";
  if (icon?.getAttribute("href") !== file) icon?.setAttribute("href", file);
  if (first === undefined) return;
  const [view, { state, sessionId }] = first;
  bar.dataset["state"] = state;
  const link = element("on-air-link", HTMLAnchorElement);
  const texts = { "on-air-word": word, "on-air-link": `${DOING[view]} ${sessionId}` };
  for (const [id, text] of Object.entries(texts)) {
    const place = element(id, HTMLElement);
    if (place.textContent !== text) place.textContent = text;
  }
  if (link.getAttribute("href") !== `#${view}`) link.setAttribute("href", `#${view}`);
  const mute = element("on-air-mute", HTMLButtonElement);
  mute.dataset["view"] = view;
  mute.setAttribute("aria-pressed", element(`${view}-mute`, HTMLButtonElement).getAttribute("aria-pressed") ?? "false");
}

/** Mute from wherever one looks. */
export function muteFromEverywhere() {
  const mute = element("on-air-mute", HTMLButtonElement);
  mute.addEventListener("click", () => element(`${mute.dataset["view"]}-mute`, HTMLButtonElement).click());
}

/** Ask before a page is closed on which somebody is on air. */
export function askBeforeLeaving() {
  addEventListener("beforeunload", (event) => {
    if (onAir.size > 0) event.preventDefault();
  });
}
