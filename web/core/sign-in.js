/**
 * Signs a person in at an OpenID Connect issuer: authorization code with PKCE. The tokens stay in this tab: in memory
 * and in its session storage. Of a token nothing is read but when it ends.
 *
 * @typedef {{ issuer: string, clientId: string, scope: string }} Issuer
 *
 * @typedef {object} Surroundings
 * @property {() => Promise<typeof import("../vendor/oauth4webapi.js")>} library
 * @property {Pick<Storage, "getItem" | "setItem" | "removeItem">} storage of this tab
 * @property {() => number} now milliseconds since the epoch
 * @property {(ms: number) => AbortSignal} timeout gives up what takes longer
 * @property {string} redirectUri where the issuer sends the person back to
 * @property {(url: string) => void} go leave the page
 * @property {() => void} changed somebody has signed in or out
 *
 * @typedef {{ accessToken: string, refreshToken: string | null, endsAt: number }} Tokens `endsAt` in ms since the epoch
 * @typedef {{ state: string, verifier: string, fragment: string }} Pending
 * @typedef {{ given: URLSearchParams, pending: Pending | null, fragment: string, isOwn: boolean }} Answer `isOwn`: what this tab asked for
 */

import { Problem } from "./client.js";
import { readFragment } from "./invitation.js";

const PENDING = "sign-in.pending";
const TOKENS = "sign-in.tokens";
/** A token is renewed when it ends sooner: a connection takes its time, and clocks differ. */
const MARGIN_MS = 60_000;
/** An issuer that does not answer by then is not waited for. */
const ANSWER_MS = 10_000;

export const SIGN_IN_AGAIN = "Your sign-in has expired. Sign in again.";
const NOT_ASKED = "You are not signed in: this address is from a sign-in that is over, or was begun elsewhere. Sign in here.";
const ENDED_ALREADY =
  "You are not signed in: what the issuer gave has ended already. If the clock of this device is wrong, set it, and sign in again; if not, tell whoever runs the page.";
/** What the codes of an issuer mean for a person; all others mean that page and issuer do not fit. */
const SENTENCES = new Map([
  ["access_denied", "You or the issuer said no. Sign in again, or ask whoever runs the page whether you may speak."],
  ["login_required", "The issuer wants you to sign in there first. Sign in again."],
  ["invalid_grant", "It took too long, or was done twice. Sign in again."],
  ["server_error", "The issuer has a fault. Try again in a while."],
  ["temporarily_unavailable", "The issuer is busy. Try again in a while."],
]);

/**
 * Return what the issuer says in the page's address, and take it out of the address at once, with `fragment`, which the
 * person had left or, if it was not left for this answer, came with. Null if it says nothing.
 *
 * @param {Pick<Location, "search" | "pathname" | "hash">} location
 * @param {Pick<History, "replaceState">} history
 * @param {() => Pick<Storage, "getItem" | "removeItem">} storage
 * @returns {Answer | null}
 */
export function takeAnswer(location, history, storage) {
  const given = new URLSearchParams(location.search);
  if (!given.has("code") && !given.has("error")) return null;
  const pending = takePending(storage());
  const isOwn = pending !== null && pending.state === given.get("state");
  const fragment = isOwn ? pending.fragment : location.hash;
  history.replaceState(null, "", location.pathname + readFragment(fragment).address);
  return { given, pending, fragment, isOwn };
}

/** Return the fragment of a sign-in that was given up on the way, which nobody can end any more; empty if there is none. @param {Pick<Storage, "getItem" | "removeItem">} storage */
export function takeAbandoned(storage) {
  return takePending(storage)?.fragment ?? "";
}

/** @param {Pick<Storage, "getItem" | "removeItem">} storage @returns {Pending | null} */
function takePending(storage) {
  const pending = JSON.parse(storage.getItem(PENDING) ?? "null");
  storage.removeItem(PENDING);
  return pending;
}

export class SignIn {
  #config;
  #world;
  /** @type {Tokens | null} */
  #tokens;
  /** One renewal at a time: its token is for one use. @type {Promise<void> | null} */
  #renewing = null;
  /** @type {Promise<import("../vendor/oauth4webapi.js").AuthorizationServer> | null} */
  #server = null;

  /** @param {Issuer} config @param {Surroundings} world */
  constructor(config, world) {
    this.#config = config;
    this.#world = world;
    const kept = JSON.parse(world.storage.getItem(TOKENS) ?? "null");
    this.#tokens = kept?.issuer === config.issuer && kept.clientId === config.clientId ? kept.tokens : null;
  }

  get isSignedIn() {
    return this.#tokens !== null && (this.#tokens.refreshToken !== null || this.#left() > 0);
  }

  /** Leave for the issuer, and come back to the view of this fragment. @param {string} fragment */
  async begin(fragment) {
    const oauth = await this.#world.library();
    const { authorization_endpoint: endpoint } = await this.#discovered();
    const url = new URL(endpoint ?? "");
    const pending = { state: oauth.generateRandomState(), verifier: oauth.generateRandomCodeVerifier(), fragment };
    const asked = {
      response_type: "code",
      client_id: this.#config.clientId,
      redirect_uri: this.#world.redirectUri,
      scope: this.#config.scope,
      state: pending.state,
      code_challenge: await oauth.calculatePKCECodeChallenge(pending.verifier),
      code_challenge_method: "S256",
    };
    for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
    this.#world.storage.setItem(PENDING, JSON.stringify(pending));
    this.#world.go(url.href);
  }

  /** Sign in with what the issuer said. @param {Answer} answer */
  async complete({ given, pending }) {
    if (pending === null && this.isSignedIn) return; // an old address, opened again
    if (pending === null) throw new Problem("SIGN_IN", NOT_ASKED, false);
    const oauth = await this.#world.library();
    const server = await this.#discovered();
    try {
      const checked = oauth.validateAuthResponse(server, this.#client, given, pending.state);
      const response = await oauth.authorizationCodeGrantRequest(
        server,
        this.#client,
        oauth.None(),
        checked,
        this.#world.redirectUri,
        pending.verifier,
        await this.#options(),
      );
      this.#keep(await oauth.processAuthorizationCodeResponse(server, this.#client, response));
    } catch (error) {
      throw new Problem("SIGN_IN", `Signing in did not work. ${reason(error)}`, false);
    }
    if (this.#left() > 0) return;
    this.signOut();
    throw new Problem("SIGN_IN", ENDED_ALREADY, false);
  }

  /** Return the access token, renewed if it ends soon. A `Problem` if nobody is signed in any more. */
  async token() {
    if (this.#tokens === null) throw new Problem("AUTH_MISSING_TOKEN", "You are not signed in. Sign in first.", false);
    if (this.#left() < MARGIN_MS && this.#tokens.refreshToken !== null) {
      this.#renewing ??= this.#renew(this.#tokens.refreshToken).finally(() => (this.#renewing = null));
      await this.#renewing;
    }
    if (this.#left() > 0) return this.#tokens.accessToken;
    this.signOut();
    throw new Problem("AUTH_TOKEN_EXPIRED", SIGN_IN_AGAIN, false);
  }

  signOut() {
    this.#tokens = null;
    this.#world.storage.removeItem(TOKENS);
    this.#world.changed();
  }

  #left() {
    return this.#tokens === null ? 0 : this.#tokens.endsAt - this.#world.now();
  }

  /** @param {string} refreshToken */
  async #renew(refreshToken) {
    try {
      const oauth = await this.#world.library();
      const server = await this.#discovered();
      const { refreshTokenGrantRequest: ask, processRefreshTokenResponse: read } = oauth;
      const response = await ask(server, this.#client, oauth.None(), refreshToken, await this.#options());
      const answer = await read(server, this.#client, response);
      if (this.#tokens !== null) this.#keep(answer, refreshToken); // nobody has signed out meanwhile
    } catch (error) {
      // The token may be good for a while; if not, whether another attempt may cure it depends on who failed.
      if (this.#left() > 0 || isRefusal(error)) return;
      throw new Problem("SIGN_IN", "Your sign-in could not be renewed: the issuer does not answer.", true);
    }
  }

  /** @param {import("../vendor/oauth4webapi.js").TokenEndpointResponse} answer @param {string | null} before */
  #keep(answer, before = null) {
    const { access_token: accessToken, refresh_token: refreshToken = before, expires_in: seconds } = answer;
    const endsAt = Math.min(expiryOf(accessToken), seconds === undefined ? Infinity : this.#world.now() + seconds * 1000);
    this.#tokens = { accessToken, refreshToken, endsAt };
    const { issuer, clientId } = this.#config;
    this.#world.storage.setItem(TOKENS, JSON.stringify({ issuer, clientId, tokens: this.#tokens }));
    this.#world.changed();
  }

  get #client() {
    return { client_id: this.#config.clientId };
  }

  /** An issuer on this machine needs no TLS. */
  get #isLocal() {
    return ["127.0.0.1", "localhost"].includes(new URL(this.#config.issuer).hostname);
  }

  async #options() {
    const { allowInsecureRequests } = await this.#world.library();
    return { [allowInsecureRequests]: this.#isLocal, signal: this.#world.timeout(ANSWER_MS) };
  }

  /** Ask the issuer once where it does what. */
  async #discovered() {
    this.#server ??= this.#discover();
    try {
      return await this.#server;
    } catch (error) {
      this.#server = null;
      throw new Problem("SIGN_IN", `The issuer cannot be asked. ${reason(error)}`, true);
    }
  }

  async #discover() {
    const oauth = await this.#world.library();
    const issuer = new URL(this.#config.issuer);
    const answer = await oauth.discoveryRequest(issuer, await this.#options());
    const server = await oauth.processDiscoveryResponse(issuer, answer);
    // The library checks those that it asks itself.
    oauth.checkProtocol(new URL(server.authorization_endpoint ?? ""), !this.#isLocal);
    return server;
  }
}

/** What an issuer or the library says, as far as it is for a person: a code of theirs, never what was sent. @param {unknown} error */
function reason(error) {
  const { error: code = "" } = /** @type {{ error?: unknown }} */ (error);
  if (typeof code === "string" && /^[a-z_]{1,40}$/.test(code)) {
    return SENTENCES.get(code) ?? `The page is not set up as the issuer wants it: tell whoever runs the page that it says ${code}.`;
  }
  const isLate = error instanceof Error && error.name === "TimeoutError";
  return isLate ? "The issuer did not answer in time. Try again in a while." : "Try again; if it stays so, tell whoever runs the page.";
}

/** Whether the issuer itself said no. @param {unknown} error */
function isRefusal(error) {
  return typeof (/** @type {{ error?: unknown }} */ (error).error) === "string";
}

/** When a JSON Web Token ends, in ms since the epoch: never, if it does not say so. @param {string} token */
function expiryOf(token) {
  try {
    const [, payload = ""] = token.split(".");
    const claims = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    return Number.isFinite(claims.exp) ? claims.exp * 1000 : Number.MAX_SAFE_INTEGER;
  } catch {
    return Number.MAX_SAFE_INTEGER;
  }
}
