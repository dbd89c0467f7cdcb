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
/** A listener's key has at least 8 characters. */
const SHORTER_THAN_A_KEY = /^.{0,7}$/s;
const REQUEST_ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const FORMS = {
  session: /^[a-z]+-[a-z]+-[0-9]{3}$/,
  connection: /^[A-Za-z0-9_-]{15}=$/,
  level: new RegExp(`^(${LEVELS.join("|")})$`),
  action: /^\$?[A-Za-z]{1,40}$/,
  // A code, or an invocation.
  text: new RegExp(`^([A-Z]+(_[A-Z]+)+|${REQUEST_ID})$`),
};

/** Return the filter that a query asks for, without what may not stand there. @param {string} query without its `?` */
export function readFilter(query) {
  const given = new URLSearchParams(query);
  const filter = { ...NO_FILTER };
  for (const name of NAMES) {
    const value = given.get(name) ?? "";
    if (mayStay(name, value)) filter[name] = value;
  }
  return filter;
}

/** Return the fragment of a filter. @param {Filter} filter */
export function watchAddress(filter) {
  const query = new URLSearchParams(NAMES.filter((name) => filter[name] && mayStay(name, filter[name])).map((name) => [name, filter[name]]));
  return query.size > 0 ? `#watch?${query}` : "#watch";
}

/** @param {keyof Filter} name @param {string} value */
function mayStay(name, value) {
  if (name === "level") return FORMS.level.test(value);
  return FORMS[name].test(value) || SHORTER_THAN_A_KEY.test(value);
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
