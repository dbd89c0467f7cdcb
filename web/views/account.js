/**
 * Signing in and out, where an issuer says who may speak.
 *
 * @import { Config } from "../main.js"
 * @import { World } from "../core/client.js"
 * @import { Invited, Person } from "../core/invitation.js"
 * @import { Answer } from "../core/sign-in.js"
 */

import { ENDS_WITH_SIGN_IN } from "../core/client.js";
import { fragmentOf, isInvited } from "../core/invitation.js";
import { SIGN_IN_AGAIN, SignIn } from "../core/sign-in.js";
import { browser, element, focusNext, isFocusLost, personOf, showProblem } from "./dom.js";

/** How long the page may show somebody as signed in who is not any more. */
const CHECK_MS = 1_000;

/**
 * Return what the clients of a speaker and of a listener have of the browser; an interpreter's is as a listener's.
 *
 * @param {Config} config @param {Answer | null} answer what the issuer said in the address
 * @returns {{ speaker: World, listener: World }}
 */
export function accountView({ issuer, clientId, scope, listenersNeedToken = false }, answer) {
  if (issuer === undefined || clientId === undefined || scope === undefined) return { speaker: browser, listener: browser };
  const signIn = new SignIn({ issuer, clientId, scope }, {
    library: () => import("../vendor/oauth4webapi.js"),
    storage: sessionStorage,
    now: () => Date.now(),
    timeout: (ms) => AbortSignal.timeout(ms),
    redirectUri: location.origin + location.pathname,
    go: (url) => location.assign(url),
    changed: show,
  });

  function show() {
    document.body.dataset["speaker"] = signIn.isSignedIn ? "in" : "out";
    if (listenersNeedToken) document.body.dataset["listener"] = signIn.isSignedIn ? "in" : "out";
  }

  /** @param {Person} view @param {() => Promise<void>} act */
  async function attempt(view, act) {
    const place = element(`${view}-problem`, HTMLParagraphElement);
    const status = element(`${view}-status`, HTMLParagraphElement);
    const button = element(`${view}-sign-in`, HTMLButtonElement);
    status.textContent = "Signing in…";
    button.disabled = true;
    try {
      showProblem(place, null);
      await act();
    } catch (problem) {
      showProblem(place, /** @type {Error} */ (problem));
    } finally {
      const isLost = isFocusLost();
      status.textContent = "";
      button.disabled = false;
      if (isLost) focusNext(view);
    }
  }

  /** @param {Invited} view */
  function invitation(view) {
    const [sessionId, key] = ["session", "key"].map((field) => element(`${view}-${field}`, HTMLInputElement).value.trim());
    return fragmentOf(sessionId ?? "", key, view);
  }

  /** @type {Person[]} */
  const views = listenersNeedToken ? ["speak", "listen", "interpret"] : ["speak"];
  for (const view of views) {
    const begin = () => signIn.begin(isInvited(view) ? invitation(view) : "#speak");
    element(`${view}-sign-in`, HTMLButtonElement).addEventListener("click", () => void attempt(view, begin));
  }
  const person = () => personOf(document.body);
  element("sign-out", HTMLButtonElement).addEventListener("click", () => {
    signIn.signOut();
    if (isFocusLost()) focusNext(person());
  });
  // A token ends while nobody does anything.
  setInterval(() => {
    if (signIn.isSignedIn || document.body.dataset["speaker"] === "out") return;
    show();
    for (const view of views) {
      const isLive = !element(`${view}-live`, HTMLDivElement).hidden;
      const message = isLive ? ENDS_WITH_SIGN_IN : SIGN_IN_AGAIN;
      if (!isLive || listenersNeedToken) showProblem(element(`${view}-problem`, HTMLParagraphElement), { message });
    }
    if (isFocusLost()) focusNext(person());
  }, CHECK_MS);
  show();
  if (answer !== null) void attempt(person(), () => signIn.complete(answer));
  const token = () => signIn.token();
  // Whoever comes back to a session shows a refresh token; the system asks for more only where everyone has to sign in.
  const signedIn = { ...browser, token, ...(listenersNeedToken && { returnToken: token }) };
  return { speaker: signedIn, listener: listenersNeedToken ? signedIn : browser };
}
