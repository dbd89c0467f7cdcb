/**
 * Judges `config.json`, which whoever puts the page on a host writes. What is wrong with it no visitor can mend: the
 * sentences are for passing on.
 *
 * @import { Config } from "../main.js"
 */

const SIGN_IN = ["issuer", "clientId", "scope"];
/** What the page's policy lets it ask without TLS; a policy cannot name `[::1]`. */
const LOOPBACK = ["127.0.0.1", "localhost"];

/** The page is not set up as it should be. */
export class ConfigError extends Error {
  /** @param {string} what */
  constructor(what) {
    super(`This page is not set up: ${what}. Tell whoever runs the page; its README says what config.json holds.`);
  }
}

/**
 * Return the settings in the text of `config.json`.
 *
 * @param {string} text
 * @returns {Config}
 * @throws {ConfigError}
 */
export function readConfig(text) {
  const config = parsed(text);
  const given = SIGN_IN.filter((name) => isText(config[name]));
  const missing = SIGN_IN.filter((name) => !isText(config[name]));
  if (!isText(config["url"])) throw new ConfigError("config.json has no url, the address of the system");
  checkAddress(config["url"], "url", "wss:", "ws:");
  if (given.length > 0 && missing.length > 0) {
    throw new ConfigError(`config.json has ${given.join(" and ")}, and no ${missing.join(" and no ")}`);
  }
  if (given.length === 0 && config["listenersNeedToken"]) {
    throw new ConfigError("config.json has listenersNeedToken, and no issuer to sign in at");
  }
  if (given.length > 0) checkAddress(config["issuer"], "issuer", "https:", "http:");
  return /** @type {any} */ (config);
}

/** @param {string} text @returns {Record<string, any>} */
function parsed(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ConfigError("config.json is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new ConfigError("config.json holds no object");
  return value;
}

/** @param {unknown} value */
function isText(value) {
  return typeof value === "string" && value !== "";
}

/** @param {string} address @param {string} name @param {string} safe @param {string} plain for this machine only */
function checkAddress(address, name, safe, plain) {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url?.protocol === safe || (url?.protocol === plain && LOOPBACK.includes(url.hostname))) return;
  throw new ConfigError(`${name} in config.json must begin with ${safe}//, or with ${plain}// on this machine`);
}
