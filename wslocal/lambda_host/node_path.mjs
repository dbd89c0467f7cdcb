// Finds packages for ES modules by NODE_PATH, too, as on Lambda: layers and the SDK are there.
// https://aws.amazon.com/blogs/compute/node-js-18-x-runtime-now-available-in-aws-lambda/
import path from "node:path";
import { pathToFileURL } from "node:url";

const MISSING = "ERR_MODULE_NOT_FOUND";
const parents = (process.env.NODE_PATH ?? "")
  .split(path.delimiter)
  .filter((folder) => path.basename(folder) === "node_modules")
  .map((folder) => String(pathToFileURL(path.join(path.dirname(folder), "parent.mjs"))));

const isPackage = (specifier) => !/^([./]|[a-z]+:)/.test(specifier);

/** For `module.register`, where Node has no `module.registerHooks`. */
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (error.code !== MISSING || !isPackage(specifier)) throw error;
    for (const parentURL of parents) {
      try {
        return await next(specifier, { ...context, parentURL });
      } catch (other) {
        if (other.code !== MISSING) throw other;
      }
    }
    throw error;
  }
}

/** For `module.registerHooks`. */
export function resolveSync(specifier, context, next) {
  try {
    return next(specifier, context);
  } catch (error) {
    if (error.code !== MISSING || !isPackage(specifier)) throw error;
    for (const parentURL of parents) {
      try {
        return next(specifier, { ...context, parentURL });
      } catch (other) {
        if (other.code !== MISSING) throw other;
      }
    }
    throw error;
  }
}
