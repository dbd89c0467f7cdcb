import assert from "node:assert/strict";
import { test } from "node:test";
import { warningIn } from "../core/warnings.js";

const RATE = { type: "rateLimitWarning", timestamp: 1, limit: 50, windowSeconds: 1, retryAfterMs: 200 };
const QUALITY = { type: "audioQualityWarning", timestamp: 1, severity: "warning", message: "", recommendation: "" };

for (const [name, message, sentence] of [
  ["too fast", RATE, "More comes from this page than the system takes (50 in 1 s). If it goes on, some of it is refused."],
  ["wrong keys", { ...RATE, reason: "wrongKeys" }, /^Somebody tries keys of this session/],
  ["clipping", { ...QUALITY, warningType: "clipping" }, /^You are too loud/],
  ["silence", { ...QUALITY, warningType: "silence" }, /^Listeners hear nothing of you/],
  ["echo", { ...QUALITY, warningType: "echo" }, /^Listeners hear an echo/],
  ["noise", { ...QUALITY, warningType: "low_snr" }, /^There is much noise/],
  ["anything else", { type: "heartbeatAck", timestamp: 1 }, ""],
]) {
  test(`a warning of ${name} in words`, () => {
    const found = warningIn(message);

    if (sentence instanceof RegExp) assert.match(found, sentence);
    else assert.equal(found, sentence);
  });
}
