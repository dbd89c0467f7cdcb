import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
const LIBRARIES = [
  { name: "oauth4webapi", code: "build/index.js", text: "LICENSE.md" },
  { name: "qr", code: "index.js", text: "LICENSE-MIT" },
];

// threat: script-from-elsewhere, changed-dependency
test("what the page holds of each library is what its package holds", () => {
  for (const { name, code, text } of LIBRARIES) {
    assert.equal(read(`../vendor/${name}.js`), read(`../node_modules/${name}/${code}`));
    assert.equal(read(`../vendor/${name}.LICENSE.md`), read(`../node_modules/${name}/${text}`));
  }
});

for (const { name } of LIBRARIES) {
  test(`version, licence and checksum of ${name} are those that are declared`, () => {
    const { version, license } = JSON.parse(read(`../node_modules/${name}/package.json`));
    const sum = createHash("sha256").update(read(`../vendor/${name}.js`)).digest("hex");
    const [row] = read("../vendor/README.md").split("\n").filter((line) => line.startsWith(`| \`${name}.js\` | [`));

    assert.equal(JSON.parse(read("../package.json")).devDependencies[name], version);
    assert.ok(row.includes(`| ${version} | [${license}](${name}.LICENSE.md) | \`${sum}\` |`), row);
  });
}
