/**
 * What a listener is given: a session's name and, if it is private, its key; what an interpreter is given: the name and a
 * key for interpreters; and the address that holds both, behind the `#`, which a browser sends to no server.
 *
 * @typedef {"listen" | "interpret"} Invited a view to which an invitation leads
 * @typedef {"speak" | Invited} Person a view in which somebody takes part
 * @typedef {Person | "watch"} View
 * @typedef {{ view: View, sessionId: string, key: string, address: string, damage: string }} Asked by a fragment; `damage`: what is wrong with it, in a sentence, or empty
 */

import { readFilter, watchAddress, whatIsNoFilter } from "./operator/filter.js";

/** Without what looks alike: no l and o, no 0 and 1. 32 characters are 5 bits each. */
const ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789";
/** 16 of them are 80 bits: at the 2,000 joins a second that a stage takes at most, half of them take 10^13 years. */
export const PROPOSED_KEY_LENGTH = 16;
/** Longer than any name or key: nobody's invitation. */
const MAX_LENGTH = 64;
const MIN_KEY_LENGTH = 8;
const DAMAGED = "This link is damaged: a part of it is missing, or was changed. Ask for it again, or type the session’s name and key.";
const SESSION_ID = /^[a-z]+-[a-z]+-[0-9]{3}$/;
/** Below so many characters a key that a person made up can be guessed: `SHORT_KEY` of the functions. */
const SHORT_KEY_LENGTH = 12;

/** Return a key that nobody guesses. @param {Uint8Array} bytes as many random ones as it is to have characters */
export function keyFrom(bytes) {
  // 256 is a multiple of 32: each character is as likely as the others.
  return Array.from(bytes, (byte) => ALPHABET[byte % ALPHABET.length]).join("");
}

/** Nobody sees these: white space, joiners, fillers, variation selectors, the blank of Braille. */
const INVISIBLE = /[\p{C}\p{Z}\p{White_Space}\p{Default_Ignorable_Code_Point}\u2800]/gu;

/**
 * Return a typed key as it is sent: which keys are the same is decided after NFC, and how long one is, as it comes.
 *
 * @param {string} typed
 */
export function asSent(typed) {
  return typed.trim().normalize();
}

/**
 * Return why nobody can have this key, in a sentence for whoever types it; empty if somebody can. Characters are counted
 * as the functions count them: a browser's `maxlength` counts some as two, and cuts what it does not show.
 *
 * @param {string} key
 */
export function whyNotKey(key) {
  const count = [...key].length;
  if (count < MIN_KEY_LENGTH) return `A key has at least ${MIN_KEY_LENGTH} characters: this one has ${count}.`;
  if (count > MAX_LENGTH) return `A key has at most ${MAX_LENGTH} characters: this one has ${count}.`;
  return /[\p{Cc}\p{Surrogate}]/u.test(key) ? "This key holds a character that nobody can type: take another one." : "";
}

/** Return what a person should know of a key that can be had, as it is sent; empty if nothing. @param {string} key */
export function weaknessOf(key) {
  const isShort = [...key.replace(INVISIBLE, "")].length < SHORT_KEY_LENGTH;
  return isShort ? `This key can perhaps be guessed: ${SHORT_KEY_LENGTH} characters or more are better.` : "";
}

/**
 * Return the key of a session that is to begin: null for one that is open to all. An error if it is to be private, and
 * this is no key: it must never begin without.
 *
 * @param {boolean} isPrivate @param {string} typed
 */
export function keyOfNew(isPrivate, typed) {
  if (!isPrivate) return null;
  const key = asSent(typed);
  const why = whyNotKey(key);
  if (why) throw new Error(why);
  return key;
}

/** Say whether an invitation leads to a view. @param {string} view @returns {view is Invited} */
export function isInvited(view) {
  return view === "listen" || view === "interpret";
}

/** @param {string} sessionId @param {string} key empty if there is none @param {Invited} view */
export function fragmentOf(sessionId, key = "", view = "listen") {
  return [`#${view}`, ...[sessionId, sessionId && key].filter(Boolean).map(encodeURIComponent)].join("/");
}

/** Whether only the machine itself can open an address. @param {string} hostname of a URL */
export function isLoopback(hostname) {
  return /^(127(\.[0-9]+){3}|(.+\.)?localhost|\[::1\])$/.test(hostname);
}

/**
 * Return what a fragment asks for. Whatever it holds, there is a view; what cannot be meant is empty. `address` is the
 * fragment that may stay in the address: a view and, of an invitation, the session's name, and the operator's filter. All
 * else could be a key, or most of one, and the link is damaged.
 *
 * @param {string} fragment with its `#`, or empty
 * @returns {Asked}
 */
export function readFragment(fragment) {
  if (fragment.startsWith("#watch?")) return readWatch(fragment.slice("#watch?".length));
  const [name = "", ...rest] = fragment.slice(1).replace(/\/+$/, "").split("/");
  const [sessionId = "", key = ""] = isInvited(name) ? rest.map(decoded) : [];
  const isSession = SESSION_ID.test(sessionId);
  const isKey = key !== "" && whyNotKey(key) === "";
  const isInvitation = isInvited(name) && isSession && (rest.length === 1 || (rest.length === 2 && isKey));
  const view = isInvited(name) || name === "watch" ? name : "speak";
  return {
    view,
    sessionId,
    key: isKey ? key : "",
    address: isInvited(name) ? fragmentOf(isSession ? sessionId : "", "", name) : fragment && `#${view}`,
    damage: (rest.length > 0 && !isInvitation) || !["", "speak", "listen", "interpret", "watch"].includes(name) ? DAMAGED : "",
  };
}

/** @param {string} query @returns {Asked} */
function readWatch(query) {
  return { view: "watch", sessionId: "", key: "", address: watchAddress(readFilter(query)), damage: whatIsNoFilter(query) };
}

/** @param {string} text */
function decoded(text) {
  try {
    const value = decodeURIComponent(text).normalize();
    return [...value].length <= MAX_LENGTH ? value : "";
  } catch {
    return ""; // a % that begins nothing
  }
}

/**
 * Return what is shown of what a fragment asks for, and what stays in the address; `notice` says why it is not all.
 *
 * @param {Asked} asked
 * @param {{ canWatch: boolean, listen: string, interpret: string, person: Person }} here `listen` and `interpret`: the
 * session in which somebody does that, or empty
 * @returns {{ view: View, address: string, notice: string }}
 */
export function whatToShow({ view, sessionId, address, damage }, { canWatch, person, ...inSession }) {
  if (view === "watch" && !canWatch) {
    const stays = person === "speak" ? "#speak" : fragmentOf(inSession[person], "", person);
    return { view: person, address: stays, notice: "There is nothing to watch here: only the local system shows its log lines." };
  }
  const current = isInvited(view) ? inSession[view] : "";
  if (isInvited(view) && sessionId && current && sessionId !== current) {
    const [doing, button] = view === "listen" ? ["listen to", "Listen"] : ["interpret", "Interpret"];
    const notice = `You still ${doing} ${current}. To go to ${sessionId}, leave, and then press ${button}.`;
    return { view, address: fragmentOf(current, "", view), notice };
  }
  return { view, address, notice: damage };
}
