// The console of a Node function, in the formats of Lambda's runtime client.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html
import { format } from "node:util";

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const isJson = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === "JSON";
const least = LEVELS.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase());

let requestId = "-";

/** Have the lines that follow name this invocation. */
export function setRequestId(id) {
  requestId = id;
}

/** Have console.log and the others write as on Lambda; what is below the function's level is dropped. */
export function patchConsole() {
  for (const level of LEVELS) {
    const write = LEVELS.indexOf(level) < least ? () => {} : (...given) => log(level, given);
    console[level.toLowerCase()] = write;
  }
  console.log = console.info;
}

/** Write an error that ends an invocation, or the function's start. */
export function logError(title, thrown) {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (isJson) console.error(error);
  else console.error(title, `\t${JSON.stringify(error, textError)}`);
}

function log(level, given) {
  const timestamp = new Date().toISOString();
  const line = isJson
    ? jsonLine(timestamp, level, given)
    : [timestamp, requestId, level, format(...given)].join("\t");
  // One event is one line: a line end inside is written as the runtime client writes it.
  process.stdout.write(`${line.replaceAll("\n", "\r")}\n`);
}

function jsonLine(timestamp, level, [message, ...more]) {
  const document = { timestamp, level, requestId };
  if (more.length === 0) {
    try {
      return JSON.stringify({ ...document, message }, jsonError);
    } catch {
      return JSON.stringify({ ...document, message: format(message) });
    }
  }
  const error = more.find((given) => given instanceof Error);
  const details = error === undefined ? {} : described(error);
  return JSON.stringify({ ...document, message: format(message, ...more), ...details });
}

function described(error) {
  return {
    errorType: error.constructor?.name ?? "UnknownError",
    errorMessage: error.message,
    stackTrace: typeof error.stack === "string" ? error.stack.split("\n") : [],
  };
}

function jsonError(_, value) {
  return value instanceof Error ? { ...described(value), ...value } : value;
}

function textError(_, value) {
  if (!(value instanceof Error)) return value;
  const { name, message, code, stack } = value;
  return { errorType: name, errorMessage: message, code, ...value, stack: String(stack).split("\n") };
}
