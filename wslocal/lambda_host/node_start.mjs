// Runs a Node function: a small runtime client, in Lambda's words.
//
// AWS's own, aws-lambda-ric, compiles a native client when it is installed, so it is not ready-made. What it
// does for a function is repeated here: how the handler is found, the context, the console, errors.
// https://github.com/aws/aws-lambda-nodejs-runtime-interface-client
import fs from "node:fs";
import http from "node:http";
import module, { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { logError, patchConsole, setRequestId } from "./node_console.mjs";
import { resolveSync } from "./node_path.mjs";

const PREFIX = "/2018-06-01/runtime";
const [apiHost, apiPort] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
// Callback handlers ended with Node.js 24: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
const TAKES_CALLBACKS = Number(/nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV)?.[1] ?? 0) < 24;
const CALLBACKS_ENDED =
  "ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. " +
  "You need to modify this function to use a supported handler signature to use Node.js 24 or later. " +
  "For more information see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.";

if (module.registerHooks) module.registerHooks({ resolve: resolveSync });
else module.register?.("./node_path.mjs", import.meta.url);

// A function of the same file may stream its response to others, so that the name has to be there.
const STREAMS = Symbol.for("aws.lambda.runtime.handler.streaming");
globalThis.awslambda = {
  streamifyResponse: (handler) => Object.assign(handler, { [STREAMS]: "response" }),
  HttpResponseStream: { from: (stream) => stream },
};

class RuntimeError extends Error {
  constructor(type, message, cause) {
    super(message);
    this.name = `Runtime.${type}`;
    if (cause?.stack) this.stack = cause.stack;
  }
}

function call(method, target, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
    const options = {
      host: apiHost,
      port: apiPort,
      method,
      path: PREFIX + target,
      agent,
      headers: { ...headers, ...length },
    };
    const request = http.request(options, (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(pieces) }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

function errorDocument(error) {
  if (!(error instanceof Error)) {
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  }
  return {
    errorType: String(error.name),
    errorMessage: String(error.message),
    trace: String(error.stack ?? "").split("\n"),
  };
}

function post(target, error) {
  const document = errorDocument(error);
  const headers = {
    "Content-Type": "application/json",
    "Lambda-Runtime-Function-Error-Type": encodeURIComponent(document.errorType),
  };
  return call("POST", target, JSON.stringify(document), headers);
}

// --- the handler -------------------------------------------------------------------------------------

async function loadModule(root, folder, name) {
  const file = path.resolve(root, folder, name);
  for (const extension of ["", ".js", ".mjs", ".cjs"]) {
    if (fs.statSync(file + extension, { throwIfNoEntry: false })?.isFile()) {
      return import(pathToFileURL(file + extension));
    }
  }
  const require = createRequire(import.meta.url);
  return require(require.resolve(name, { paths: [root, path.join(root, folder)] }));
}

async function loadHandler(root, handler) {
  const base = path.basename(handler);
  const [, name, property] = /^([^.]*)\.(.*)$/.exec(base) ?? [];
  if (property === undefined) throw new RuntimeError("MalformedHandlerName", "Bad handler");
  if (handler.includes("..")) {
    const advice = "Use absolute paths when specifying root directories in handler names.";
    throw new RuntimeError("MalformedHandlerName", `'${handler}' is not a valid handler name. ${advice}`);
  }
  let loaded;
  try {
    loaded = await loadModule(root, handler.slice(0, handler.length - base.length), name);
  } catch (error) {
    if (error instanceof SyntaxError) throw new RuntimeError("UserCodeSyntaxError", String(error), error);
    if (["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"].includes(error?.code)) {
      throw new RuntimeError("ImportModuleError", String(error));
    }
    throw error;
  }
  const find = (inside) => property.split(".").reduce((found, key) => found?.[key], inside);
  const found = find(loaded) ?? find(loaded?.default);
  if (found === undefined || found === null) {
    throw new RuntimeError("HandlerNotFound", `${handler} is undefined or not exported`);
  }
  if (typeof found !== "function") {
    throw new RuntimeError("HandlerNotFound", `${handler} is not a function`);
  }
  if (found[STREAMS]) {
    const reason = "API Gateway's WebSocket APIs take no streams, and neither does this tool";
    throw new RuntimeError("MalformedStreamingHandler", `${handler} streams its response: ${reason}`);
  }
  if (found.length >= 3 && !TAKES_CALLBACKS) {
    throw new RuntimeError("CallbackHandlerDeprecated", CALLBACKS_ENDED);
  }
  return found;
}

// --- one invocation ----------------------------------------------------------------------------------

function parsed(header) {
  return header ? JSON.parse(header) : undefined;
}

function contextOf(headers, ended) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const context = {
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parsed(headers["lambda-runtime-client-context"]),
    identity: parsed(headers["lambda-runtime-cognito-identity"]),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  if (!TAKES_CALLBACKS) return context;
  return Object.assign(context, {
    callbackWaitsForEmptyEventLoop: true,
    done: ended,
    succeed: (result) => ended(null, result),
    fail: (error) => ended(error ?? new Error("handled")),
  });
}

// Of the invocation that runs: what an error that nobody has caught ends.
let running = null;

async function invoke(handler, headers, event) {
  const { promise, resolve, reject } = deferred();
  let waits = null; // what a callback was given, until nothing is left to do
  const settle = (error, result) => {
    if (error !== null && error !== undefined) reject(error);
    else resolve(result);
  };
  const ended = (error, result) => {
    if (waits !== null || current.isOver) return;
    if (!context.callbackWaitsForEmptyEventLoop || (error !== null && error !== undefined)) settle(error, result);
    else waits = () => settle(null, result);
  };
  const context = contextOf(headers, ended);
  // With nothing left to do and no answer, Lambda answers null.
  const current = { reject, isOver: false, empty: () => (waits === null ? resolve(null) : waits()) };
  running = current;
  try {
    const returned = TAKES_CALLBACKS ? handler(event, context, ended) : handler(event, context);
    if (typeof returned?.then === "function") returned.then(resolve, reject);
    else if (!TAKES_CALLBACKS) resolve(returned);
    return await promise;
  } finally {
    current.isOver = true;
    running = null;
  }
}

function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

function serialized(result) {
  try {
    return JSON.stringify(result === undefined ? null : result) ?? "null";
  } catch {
    throw new RuntimeError("JSONStringifyError", "Unable to stringify response body");
  }
}

// Of the invocation that has no answer yet.
let currentId = null;
let isLoading = true;

async function uncaught(title, error, status) {
  logError(title, error);
  if (isLoading) await post("/init/error", error);
  else if (currentId !== null) await post(`/invocation/${currentId}/error`, error);
  process.exit(status);
}

async function run() {
  process.on("uncaughtException", (error) => uncaught("Uncaught Exception", error, 129));
  process.on("unhandledRejection", (reason, promise) => {
    const error = new RuntimeError("UnhandledPromiseRejection", String(reason), reason);
    Object.assign(error, { reason, promise });
    uncaught("Unhandled Promise Rejection", error, 128);
  });
  if (TAKES_CALLBACKS) process.on("beforeExit", () => running?.empty());
  patchConsole();
  let handler;
  try {
    handler = await loadHandler(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
  } catch (error) {
    logError("Init Error", error);
    await post("/init/error", error);
    process.exit(1);
  }
  isLoading = false;
  for (;;) {
    const next = await call("GET", "/invocation/next");
    currentId = next.headers["lambda-runtime-aws-request-id"];
    setRequestId(currentId);
    process.env._X_AMZN_TRACE_ID = next.headers["lambda-runtime-trace-id"];
    try {
      const result = await invoke(handler, next.headers, JSON.parse(next.body));
      const body = serialized(result);
      const answer = `/invocation/${currentId}/response`;
      currentId = null;
      await call("POST", answer, body, { "Content-Type": "application/json" });
    } catch (error) {
      logError("Invoke Error", error);
      await post(`/invocation/${currentId}/error`, error);
      currentId = null;
    }
  }
}

run();
