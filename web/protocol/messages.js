/**
 * Checks, reads and writes the messages of the protocol. What is accepted here is what the
 * functions accept; nothing here touches a socket, a clock or the page.
 *
 * @import { ClientMessage, GatewayMessage, ReceivedMessage, Schema, ServerMessage } from "./declared.js"
 */

import {
  CLIENT_SCHEMAS,
  ERRORS,
  GATEWAY_SCHEMA,
  LIMITS,
  REPLIES,
  SERVER_SCHEMAS,
  SUBPROTOCOL,
} from "./declared.js";

/** How many bytes a message may hold, of those that are no control messages. @type {Record<string, number>} */
const LARGE = { sendAudio: LIMITS.maxFrameBytes, sendCaption: LIMITS.maxCaptionMessageBytes };

export { ERRORS, LIMITS, REPLIES, SUBPROTOCOL };

/** Something that is not a message of this protocol; `message` says which field, and what was wanted. */
export class ProtocolError extends Error {}

/**
 * Say whether `value` is a message that a client may send.
 *
 * @param {unknown} value
 * @returns {value is ClientMessage}
 */
export function isClientMessage(value) {
  return whyNotClientMessage(value) === null;
}

/**
 * Say whether `value` is a message that our server sends.
 *
 * @param {unknown} value
 * @returns {value is ServerMessage}
 */
export function isServerMessage(value) {
  return isObject(value) && Object.hasOwn(value, "type") && whyNotReceivedMessage(value) === null;
}

/**
 * Say whether `value` is a message that API Gateway made by itself, which has no `type`.
 *
 * @param {unknown} value
 * @returns {value is GatewayMessage}
 */
export function isGatewayMessage(value) {
  return isObject(value) && !Object.hasOwn(value, "type") && whyNotReceivedMessage(value) === null;
}

/**
 * Return why `value` is no client's message, or null if it is one.
 *
 * @param {unknown} value
 * @returns {string | null}
 */
export function whyNotClientMessage(value) {
  return whyNotOneOf(CLIENT_SCHEMAS, "action", value);
}

/**
 * Return why a client cannot have received `value`, or null if it can.
 *
 * @param {unknown} value
 * @returns {string | null}
 */
export function whyNotReceivedMessage(value) {
  if (isObject(value) && !Object.hasOwn(value, "type") && Object.hasOwn(value, "connectionId")) {
    return whyNot(GATEWAY_SCHEMA, value, "");
  }
  return whyNotOneOf(SERVER_SCHEMAS, "type", value);
}

/**
 * Return the message in the text of a frame that a client received.
 *
 * @param {string} text
 * @returns {ReceivedMessage}
 * @throws {ProtocolError}
 */
export function readMessage(text) {
  /** @type {unknown} */
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolError("message must be JSON");
  }
  const reason = whyNotReceivedMessage(value);
  if (reason !== null) throw new ProtocolError(reason);
  return /** @type {ReceivedMessage} */ (value);
}

/**
 * Return the text of the frame in which a client sends `message`.
 *
 * @param {ClientMessage} message
 * @returns {string}
 * @throws {ProtocolError} also when it is larger than a frame, or a control message, may be
 */
export function writeMessage(message) {
  const reason = whyNotClientMessage(message);
  if (reason !== null) throw new ProtocolError(reason);
  const text = JSON.stringify(message);
  const most = LARGE[message.action] ?? LIMITS.maxControlMessageBytes;
  // A character is at most three bytes of UTF-8, two of them four.
  if (text.length * 3 > most && new TextEncoder().encode(text).length > most) {
    throw new ProtocolError(`message must hold at most ${most} bytes`);
  }
  return text;
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {Record<string, Schema>} schemas @param {"action" | "type"} tag @param {unknown} value */
function whyNotOneOf(schemas, tag, value) {
  if (!isObject(value)) return "message must be an object";
  if (!Object.hasOwn(value, tag)) return `${tag} is required`;
  const name = value[tag];
  if (typeof name !== "string" || !Object.hasOwn(schemas, name)) return `${tag} is not known`;
  return whyNot(/** @type {Schema} */ (schemas[name]), value, "");
}

/**
 * Return why `value` does not fit `schema`, or null. Of JSON Schema, what the messages use.
 *
 * @param {Schema} schema @param {unknown} value @param {string} path
 * @returns {string | null}
 */
function whyNot(schema, value, path) {
  if (schema.type !== undefined && !hasType(schema.type, value)) return `${path} must be ${schema.type}`;
  if (schema.const !== undefined && value !== schema.const) return `${path} must be ${schema.const}`;
  if (schema.enum !== undefined && !schema.enum.some((one) => one === value)) {
    return `${path} must be one of ${schema.enum.join(", ")}`;
  }
  return whyNotInside(schema, value, path) ?? whyNotAny(schema, value, path);
}

/** @param {Schema} schema @param {unknown} value @param {string} path */
function whyNotInside(schema, value, path) {
  if (typeof value === "number") return whyNotNumber(schema, value, path);
  if (typeof value === "string") return whyNotText(schema, value, path);
  if (Array.isArray(value)) return whyNotItems(schema, value, path);
  return isObject(value) ? whyNotObject(schema, value, path) : null;
}

/** @param {Schema} schema @param {unknown} value @param {string} path */
function whyNotAny({ anyOf }, value, path) {
  if (!anyOf || anyOf.some((one) => whyNot(one, value, path) === null)) return null;
  const names = anyOf.flatMap((one) => one.required ?? []);
  return names.length > 0 ? `${path} must have ${names.join(" or ")}` : `${path} is not well-formed`;
}

/** @param {Schema} schema @param {unknown[]} value @param {string} path */
function whyNotItems({ items, maxItems = Infinity }, value, path) {
  if (value.length > maxItems) return `${path} must have at most ${maxItems} items`;
  for (const [index, one] of value.entries()) {
    const reason = items && whyNot(items, one, `${path}.${index}`);
    if (reason) return reason;
  }
  return null;
}

/** @param {string} type @param {unknown} value */
function hasType(type, value) {
  if (type === "object") return isObject(value);
  if (type === "array") return Array.isArray(value);
  return type === "integer" ? Number.isInteger(value) : typeof value === type;
}

/** @param {Schema} schema @param {number} value @param {string} path */
function whyNotNumber({ minimum = -Infinity, maximum = Infinity }, value, path) {
  // Written so that NaN, which no comparison accepts, is refused.
  return value >= minimum && value <= maximum ? null : `${path} must be from ${minimum} to ${maximum}`;
}

/** @type {Map<string, RegExp>} */
const patterns = new Map();

/** @param {Schema} schema @param {string} value @param {string} path */
function whyNotText({ minLength = 0, maxLength = Infinity, pattern }, value, path) {
  // JSON Schema counts characters, JavaScript UTF-16 units: where it matters, count again.
  const length = value.length > maxLength ? [...value].length : value.length;
  if (length < minLength || length > maxLength) return `${path} must have ${minLength} to ${maxLength} characters`;
  // Half of a surrogate pair is no character: nothing but JSON's escapes can hold it.
  if (/\p{Surrogate}/u.test(value)) return `${path} must be Unicode`;
  if (pattern === undefined) return null;
  const compiled = patterns.get(pattern) ?? new RegExp(pattern, "u");
  patterns.set(pattern, compiled);
  return compiled.test(value) ? null : `${path} is not well-formed`;
}

/** @param {Schema} schema @param {Record<string, unknown>} value @param {string} path */
function whyNotObject(schema, value, path) {
  /** @param {string} name */
  const inside = (name) => (path === "" ? name : `${path}.${name}`);
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) return `${inside(name)} is required`;
  }
  for (const [name, one] of Object.entries(value)) {
    const own = schema.properties !== undefined && Object.hasOwn(schema.properties, name);
    const expected = own ? schema.properties?.[name] : schema.additionalProperties;
    const reason =
      (schema.propertyNames && whyNot(schema.propertyNames, name, inside(name))) ??
      (expected && whyNot(expected, one, inside(name)));
    if (reason) return reason;
  }
  return null;
}
