/**
 * Reads the lines that functions write: logs, metrics (EMF), and text of the runtime's own.
 *
 * @typedef {{ name: string, unit: string, values: number[] }} Measurement
 *
 * @typedef {object} Line
 * @property {number} id
 * @property {number} time milliseconds since the epoch
 * @property {string} source the function, or its component
 * @property {string} level
 * @property {string} message
 * @property {string} action the route or operation; empty if the line names none
 * @property {string} invocation the id of the one that wrote it; empty outside of one
 * @property {string} sessionId
 * @property {string} connectionId
 * @property {string} errorCode
 * @property {number | null} durationMs
 * @property {string} stack
 * @property {Record<string, unknown>} fields all else
 * @property {Measurement[]} measurements
 *
 * @typedef {{ id: number, function: string, line: string, time: number, invocation?: string }} WrittenLine as it is streamed
 */

export const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

const SHOWN_ELSEWHERE = new Set([
  ...["timestamp", "time", "level", "component", "message", "operation", "sessionId", "connectionId", "requestId", "errorCode"],
  ...["durationMs", "error", "stackTrace", "_aws"],
]);

/**
 * Return what `event`, one of the operator's stream, says. Whatever was written, this reads it.
 *
 * @param {WrittenLine} event
 * @returns {Line}
 */
export function readLine(event) {
  const found = asObject(event.line);
  if (found === null) return textLine(event);
  const record = object(found["record"]);
  if (record !== null && text(found["type"]).startsWith("platform.")) return platformLine(event, found, record);
  const line = emptyLine(event);
  line.source = text(found["component"]) || line.source;
  line.message = text(found["message"]) || text(found["errorMessage"]);
  line.action = text(found["operation"]);
  line.invocation = text(found["requestId"]) || line.invocation;
  line.time = Date.parse(text(found["timestamp"])) || event.time;
  line.level = LEVELS.includes(text(found["level"])) ? text(found["level"]) : "INFO";
  line.sessionId = text(found["sessionId"]);
  line.connectionId = text(found["connectionId"]);
  line.errorCode = text(found["errorCode"]);
  line.durationMs = number(found["durationMs"]);
  line.stack = stackOf(found);
  line.measurements = measurementsOf(found);
  const values = new Set(line.measurements.map(({ name }) => name));
  for (const [name, value] of Object.entries(found)) {
    if (!SHOWN_ELSEWHERE.has(name) && !values.has(name)) line.fields[name] = value;
  }
  return line;
}

/** Say whether a line carries metrics, and no word for people. @param {Line} line */
export function isOnlyMetrics({ measurements, message }) {
  return measurements.length > 0 && (message === "Metrics" || message === "");
}

/** @param {WrittenLine} event @returns {Line} */
function emptyLine(event) {
  const ids = { sessionId: "", connectionId: "", errorCode: "", invocation: event.invocation ?? "" };
  const said = { source: event.function, level: "INFO", message: "", action: "", stack: "" };
  return { id: event.id, time: event.time, ...ids, ...said, durationMs: null, fields: {}, measurements: [] };
}

/**
 * What is no JSON: a print, a traceback, or what the runtime writes in the format of plain text. The first line of
 * several is the message.
 *
 * https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
 *
 * @param {WrittenLine} event
 */
function textLine(event) {
  const line = emptyLine(event);
  const [first = "", ...rest] = event.line.split("\n");
  line.message = first;
  line.stack = rest.join("\n").trimEnd();
  line.invocation = /RequestId: ([0-9a-f-]{36})/.exec(first)?.[1] ?? line.invocation;
  if (/^\[WARNING\]/.test(first)) line.level = "WARN";
  if (/^\[(ERROR|CRITICAL)\]|^Traceback \(|Task timed out|Status: (timeout|error)/.test(first)) line.level = "ERROR";
  if (first.startsWith("REPORT ")) line.durationMs = number(Number(/\tDuration: ([0-9.]+) ms/.exec(first)?.[1]));
  return line;
}

/** What Lambda says of an invocation in the format of JSON. @param {WrittenLine} event @param {Record<string, unknown>} found @param {Record<string, unknown>} record */
function platformLine(event, found, record) {
  const line = emptyLine(event);
  const status = text(record["status"]);
  line.time = Date.parse(text(found["time"])) || event.time;
  line.invocation = text(record["requestId"]) || line.invocation;
  line.message = [text(found["type"]), status].filter(Boolean).join(": ");
  if (status !== "" && status !== "success") line.level = "ERROR";
  line.durationMs = number(object(record["metrics"])?.["durationMs"]);
  line.fields = { ...record };
  return line;
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

/** @param {unknown} value */
function number(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** A logged exception's, or the runtime's own of one that nobody caught. @param {Record<string, unknown>} found */
function stackOf(found) {
  const error = object(found["error"]) ?? { stack: found["stackTrace"] };
  const stack = list(error["stack"]).filter((line) => typeof line === "string");
  const last = [text(error["type"]), text(error["message"])].filter(Boolean).join(": ");
  return [...stack, last].filter(Boolean).join("\n");
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
