import assert from "node:assert/strict";
import { test } from "node:test";
import { whyNoMicrophone } from "../core/microphone-failure.js";

const CAUSES = [
  ["NotAllowedError", true, "Permission denied", /Open the settings of this site/],
  ["NotAllowedError", true, "Permission denied by system", /system’s privacy settings/],
  ["NotAllowedError", true, "Permission dismissed", /choose “Allow”/],
  ["NotFoundError", true, "", /Connect one/],
  ["NotReadableError", true, "", /Close other programs/],
  ["OverconstrainedError", true, "", /Choose another one/],
  ["AbortError", true, "", /could not be started/],
  ["SecurityError", true, "", /Use another browser/],
  ["TypeError", true, "", /up-to-date Chrome/],
  ["TypeError", false, "", /https:\/\//],
  ["ConstructorError", true, "", /\(ConstructorError\)/],
];

for (const [name, isSecure, message, sentence] of CAUSES) {
  test(`${name} ${isSecure ? message : "without TLS"}`, () => {
    assert.match(whyNoMicrophone(name, isSecure, message), sentence);
  });
}

test("each cause has a sentence of its own, which says what to do next", () => {
  const sentences = CAUSES.map(([name, isSecure, message]) => whyNoMicrophone(name, isSecure, message));

  assert.equal(new Set(sentences).size, CAUSES.length);
  for (const sentence of sentences) assert.match(sentence, /\. [A-Z].*\.$/);
});

test("without its message a refusal is the person's, as Firefox says no more", () => {
  assert.equal(whyNoMicrophone("NotAllowedError", true), whyNoMicrophone("NotAllowedError", true, "Permission denied"));
});
