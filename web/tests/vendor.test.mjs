import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
const { version, license } = JSON.parse(read("../node_modules/oauth4webapi/package.json"));

// threat: script-from-elsewhere, changed-dependency
test("what the page holds of oauth4webapi is what its package holds", () => {
  assert.equal(read("../vendor/oauth4webapi.js"), read("../node_modules/oauth4webapi/build/index.js"));
  assert.equal(read("../vendor/oauth4webapi.LICENSE.md"), read("../node_modules/oauth4webapi/LICENSE.md"));
});

test("its version and licence are those that are declared", () => {
  assert.equal(JSON.parse(read("../package.json")).devDependencies.oauth4webapi, version);
  assert.match(read("../vendor/README.md"), new RegExp(`\\| ${version.replaceAll(".", "\\.")} \\| \\[${license}\\]`));
});
