/**
 * Keeps in the tab what somebody needs to be back in a session after the page was loaded again: with the refresh token, for
 * one use. It is taken out when it is used. A duplicated tab has a copy of it, and must not use it: while a tab is in the
 * session it holds a lock, which its copies do not get.
 *
 * @typedef {object} Kept
 * @property {string} id of the lock
 * @property {string} refreshToken
 * @property {any} reply what the system answered when the session began, without its token
 * @property {any} own what the view needs beside it
 *
 * @typedef {object} Surroundings
 * @property {Pick<Storage, "getItem" | "setItem" | "removeItem">} storage of this tab
 * @property {Pick<LockManager, "request"> | undefined} locks undefined: the browser has none here, and nothing is kept
 * @property {(ms: number) => AbortSignal} timeout
 * @property {() => string} newId
 */

/** The page of before lets its lock go when it is unloaded, which may be a moment later. */
const UNLOADED_MS = 2_000;

export class KeptSession {
  #name;
  #world;
  #id = "";
  /** @type {(() => void) | null} */
  #release = null;

  /** @param {string} view @param {Surroundings} world */
  constructor(view, world) {
    this.#name = `session.${view}`;
    this.#world = world;
  }

  /** Whether something was kept: by this tab, or by the one of which it is a copy. */
  get isThere() {
    return asKept(this.#world.storage.getItem(this.#name)) !== null;
  }

  /** Return what was kept, which stays until it is used; null if nothing was, or another tab is in the session. @returns {Promise<Kept | null>} */
  async take() {
    const kept = asKept(this.#world.storage.getItem(this.#name));
    if (kept !== null && (await this.#hold(kept.id))) return kept;
    this.forget();
    return null;
  }

  /** Be in a new session. */
  async begin() {
    await this.#hold(this.#world.newId());
  }

  /** @param {string} id @returns {Promise<boolean>} whether the lock is ours */
  async #hold(id) {
    const { locks } = this.#world;
    if (locks === undefined) return false;
    this.#id = id;
    return new Promise((resolve) => {
      const held = locks.request(id, { signal: this.#world.timeout(UNLOADED_MS) }, () => {
        resolve(true);
        return new Promise((release) => (this.#release = () => release(undefined)));
      });
      held.catch(() => resolve(false));
    });
  }

  /** @param {Omit<Kept, "id">} kept */
  keep(kept) {
    if (this.#release === null) return;
    this.#world.storage.setItem(this.#name, JSON.stringify({ id: this.#id, ...kept }));
  }

  /** The token is being used: a page that is loaded now must not use it, too. */
  forget() {
    this.#world.storage.removeItem(this.#name);
  }

  /** The session is over. */
  end() {
    this.forget();
    this.#release?.();
    this.#release = null;
  }
}

/** @param {string | null} text @returns {Kept | null} */
function asKept(text) {
  try {
    const kept = JSON.parse(text ?? "null");
    const isWhole = typeof kept?.id === "string" && typeof kept.refreshToken === "string" && typeof kept.reply?.sessionId === "string";
    return isWhole && typeof kept.own === "object" ? kept : null;
  } catch {
    return null;
  }
}
