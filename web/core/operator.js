/**
 * Reads the lines that functions write: logs, metrics (EMF), and text of the runtime's own.
 *
 * @typedef {{ name: string, unit: string, values: number[] }} Measurement
 *
 * @typedef {object} Line
 * @property {number} id
 * @property {number} time milliseconds since the epoch
 * @property {string} source the function's name
 * @property {string} level
 * @property {string} message
 * @property {string} sessionId
 * @property {string} connectionId
 * @property {string} errorCode
 * @property {string} stack
 * @property {Record<string, unknown>} fields all else
 * @property {Measurement[]} measurements
 *
 * @typedef {{ session: string, connection: string, level: string }} Filter
 */

export const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

const SHOWN_ELSEWHERE = new Set([
  ...["timestamp", "level", "component", "message", "sessionId", "connectionId", "errorCode", "error"],
  "_aws",
]);

/**
 * Return what `event`, one of the operator's stream, says. Whatever was written, this reads it.
 *
 * @param {{ id: number, function: string, line: string, time: number }} event
 * @returns {Line}
 */
export function readLine(event) {
  const found = asObject(event.line);
  const source = text(found?.["component"]) || event.function;
  if (found === null) return plain(event, source, event.line);
  const error = object(found["error"]);
  const line = plain(event, source, text(found["message"]));
  line.time = Date.parse(text(found["timestamp"])) || event.time;
  line.level = LEVELS.includes(text(found["level"])) ? text(found["level"]) : "INFO";
  line.sessionId = text(found["sessionId"]);
  line.connectionId = text(found["connectionId"]);
  line.errorCode = text(found["errorCode"]);
  line.stack = stackOf(error);
  line.measurements = measurementsOf(found);
  const values = new Set(line.measurements.map(({ name }) => name));
  for (const [name, value] of Object.entries(found)) {
    if (!SHOWN_ELSEWHERE.has(name) && !values.has(name)) line.fields[name] = value;
  }
  return line;
}

/** @param {{ id: number, time: number }} event @param {string} source @param {string} message @returns {Line} */
function plain({ id, time }, source, message) {
  const nothing = { sessionId: "", connectionId: "", errorCode: "", stack: "" };
  return { id, time, source, level: "INFO", message, ...nothing, fields: {}, measurements: [] };
}

/** @param {string} line @returns {Record<string, unknown> | null} */
function asObject(line) {
  try {
    return object(JSON.parse(line));
  } catch {
    return null;
  }
}

/** @param {unknown} value @returns {Record<string, unknown> | null} */
function object(value) {
  const is = typeof value === "object" && value !== null && !Array.isArray(value);
  return is ? /** @type {Record<string, unknown>} */ (value) : null;
}

/** @param {unknown} value */
function text(value) {
  return typeof value === "string" ? value : "";
}

/** @param {Record<string, unknown> | null} error */
function stackOf(error) {
  if (error === null) return "";
  const stack = Array.isArray(error["stack"]) ? error["stack"].filter((line) => typeof line === "string") : [];
  const last = [text(error["type"]), text(error["message"])].filter(Boolean).join(": ");
  return [...stack, last].join("\n");
}

/**
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 *
 * @param {Record<string, unknown>} found
 */
function measurementsOf(found) {
  /** @type {Map<string, Measurement>} */
  const measurements = new Map();
  for (const directive of list(object(found["_aws"])?.["CloudWatchMetrics"])) {
    for (const metric of list(object(directive)?.["Metrics"])) {
      const name = text(object(metric)?.["Name"]);
      const values = valuesOf(found[name]);
      if (name && values.length > 0) measurements.set(name, { name, unit: text(object(metric)?.["Unit"]), values });
    }
  }
  return [...measurements.values()];
}

/** @param {unknown} value @returns {unknown[]} */
function list(value) {
  return Array.isArray(value) ? value : [];
}

/** A number, several, or several with how often each came. @param {unknown} value @returns {number[]} */
function valuesOf(value) {
  if (typeof value === "number") return [value];
  if (Array.isArray(value)) return value.filter((one) => typeof one === "number");
  const counts = list(object(value)?.["Counts"]).map(Number);
  return list(object(value)?.["Values"]).flatMap((one, i) => Array(counts[i] || 1).fill(Number(one)));
}

/**
 * Say whether `line` is one of those that are asked for.
 *
 * @param {Line} line
 * @param {Filter} filter `level`: this one and what is worse; an empty text: any
 */
export function passes(line, filter) {
  return (
    LEVELS.indexOf(line.level) >= LEVELS.indexOf(filter.level) &&
    line.sessionId.includes(filter.session.trim()) &&
    line.connectionId.includes(filter.connection.trim())
  );
}

const SECONDS_SHOWN = 60;

/** One metric, second by second: what was counted, or the mean of what was measured. */
export class Series {
  /** @type {Map<number, { count: number, sum: number }>} */
  #seconds = new Map();
  #unit = "";

  /** @param {Measurement} measurement @param {number} time milliseconds since the epoch */
  add({ unit, values }, time) {
    this.#unit = unit;
    const second = Math.floor(time / 1000);
    const before = this.#seconds.get(second) ?? { count: 0, sum: 0 };
    const sum = values.reduce((total, value) => total + value, before.sum);
    this.#seconds.set(second, { count: before.count + values.length, sum });
    for (const old of this.#seconds.keys()) if (old < second - 2 * SECONDS_SHOWN) this.#seconds.delete(old);
  }

  get unit() {
    return this.#unit;
  }

  /**
   * Return the last minute, oldest first; null where nothing was measured.
   *
   * @param {number} now milliseconds since the epoch
   * @returns {(number | null)[]}
   */
  lastMinute(now) {
    const last = Math.floor(now / 1000);
    return Array.from({ length: SECONDS_SHOWN }, (_, i) => {
      const here = this.#seconds.get(last - SECONDS_SHOWN + 1 + i);
      if (this.#unit === "Count") return here?.sum ?? 0;
      return here ? here.sum / here.count : null;
    });
  }
}
