/**
 * Which rows an operator wants to see, and how that stands in the address: `#watch?session=golden-eagle-427&level=ERROR`.
 *
 * Nobody's key belongs into an address. A value stays there only if it has the form of what it names, or is shorter than
 * any key; what was typed filters all the same.
 *
 * @import { Group } from "./groups.js"
 *
 * @typedef {{ session: string, connection: string, level: string, action: string, text: string }} Filter
 */

import { LEVELS } from "./line.js";

/** @type {Filter} */
export const NO_FILTER = { session: "", connection: "", level: "", action: "", text: "" };
const NAMES = /** @type {(keyof Filter)[]} */ (Object.keys(NO_FILTER));
/** What the page's list of levels offers. */
const OFFERED_LEVELS = LEVELS.filter((level) => ["INFO", "WARN", "ERROR"].includes(level));
const REQUEST_ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
/** The whole of what is named, or a part of it that is shorter than any key: a listener's has at least 8 characters. */
const FORMS = {
  session: /^([a-z]+-[a-z]+-[0-9]{3}|[a-z0-9-]{0,7})$/,
  connection: /^([A-Za-z0-9_-]{15}=|[A-Za-z0-9_=-]{0,7})$/,
  level: new RegExp(`^(${OFFERED_LEVELS.join("|")})?$`),
  action: /^(\$?[A-Za-z]{1,40}|.{0,7})$/s,
  // A code, or an invocation.
  text: new RegExp(`^([A-Z]+(_[A-Z]+)+|${REQUEST_ID}|.{0,7})$`, "s"),
};

/** Return the filter that a query asks for, without what may not stand there. @param {string} query without its `?` */
export function readFilter(query) {
  const given = new URLSearchParams(query);
  const filter = { ...NO_FILTER };
  for (const name of NAMES) {
    const value = valueOf(name, given);
    if (FORMS[name].test(value)) filter[name] = value;
  }
  return filter;
}

/**
 * Say what of a query is no filter; empty if all of it is one. A value is not repeated: it may be a key.
 *
 * @param {string} query without its `?`
 */
export function whatIsNoFilter(query) {
  const given = new URLSearchParams(query);
  const wrong = NAMES.filter((name) => !FORMS[name].test(valueOf(name, given)));
  const words = wrong.map((name) => (name === "level" ? `the level is none of ${OFFERED_LEVELS.join(", ")}` : `the ${name} could be a key, or is none`));
  if ([...given.keys()].some((key) => !NAMES.some((name) => name === key))) words.push(`there are only ${NAMES.join(", ")}`);
  return words.length > 0 ? `A part of this link is no filter, and was left out: ${words.join("; ")}.` : "";
}

/** @param {keyof Filter} name @param {URLSearchParams} given */
function valueOf(name, given) {
  const value = given.get(name) ?? "";
  return name === "level" ? value.toUpperCase() : value;
}

/** Return the fragment of a filter. @param {Filter} filter */
export function watchAddress(filter) {
  const query = new URLSearchParams(NAMES.filter((name) => filter[name] && staysInAddress(name, filter[name])).map((name) => [name, filter[name]]));
  return query.size > 0 ? `#watch?${query}` : "#watch";
}

/** @param {keyof Filter} name @param {string} value */
export function staysInAddress(name, value) {
  return FORMS[name].test(value);
}

/**
 * Say whether a row is one of those that are asked for.
 *
 * @param {Group} group
 * @param {Filter} filter `level`: this one and what is worse; an empty text: any
 */
export function passes(group, { session, connection, level, action, text }) {
  return (
    LEVELS.indexOf(group.level) >= LEVELS.indexOf(level) &&
    group.sessionId.includes(session.trim()) &&
    group.connectionId.includes(connection.trim()) &&
    has(`${group.action}\n${group.source}`, action) &&
    (text.trim() === "" || has(textOf(group), text))
  );
}

/** @param {string} all @param {string} part */
function has(all, part) {
  return all.toLowerCase().includes(part.trim().toLowerCase());
}

/** All that an opened row shows. @param {Group} group */
function textOf({ key, lines }) {
  const texts = lines.map((line) => [line.message, line.action, line.errorCode, line.sessionId, line.connectionId, line.stack, JSON.stringify(line.fields)]);
  return [key, ...texts.flat()].join("\n");
}
