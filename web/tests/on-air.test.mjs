import assert from "node:assert/strict";
import { test } from "node:test";
import { interpreterOnAir, listenerOnAir, speakerOnAir } from "../core/on-air.js";

const NOW = 100_000;
const PLAIN = { isPaused: false, isMuted: false, volume: 1 };
const PAUSED = { ...PLAIN, isPaused: true };
const MUTED = { ...PLAIN, isMuted: true };
const VOICE = { source: "running", refusal: "", beganAt: 1_000, capturedAt: NOW, silentSince: 0, sentAt: NOW, takenAt: NOW };
const SOUND = { output: "running", beganAt: 1_000, heardAt: NOW };
const SPEAKER = { connection: "open", isReturning: false, unansweredMs: 0, refusedAt: 0, broadcast: PLAIN, voice: VOICE };
const INTERPRETER = { ...SPEAKER, isMuted: false, sound: SOUND };
const LISTENER = { connection: "open", isReturning: false, broadcast: PLAIN, isPaused: false, hears: "floor", sound: SOUND };
const voice = (change) => ({ voice: { ...VOICE, ...change } });
const sound = (change) => ({ sound: { ...SOUND, ...change } });

for (const [name, change, state, sentence] of [
  ["chunks are sent and taken", {}, "live", "Live: everyone in the session hears you."],
  ["the connection is broken", { connection: "waiting" }, "reconnecting", /^Nobody hears you: the connection broke\. The page tries again by itself\.$/],
  ["the connection is opened again", { connection: "connecting" }, "reconnecting", /^Nobody hears you: the connection broke\. The page tries again by itself\.$/],
  ["the connection is broken and it is muted", { connection: "waiting", broadcast: MUTED }, "reconnecting", /tries again by itself\. You stay muted\./],
  ["the connection is broken and it has paused", { connection: "waiting", broadcast: PAUSED }, "reconnecting", /tries again by itself\. You stay paused\./],
  ["the page was loaded again", { connection: "connecting", isReturning: true }, "reconnecting", "Going back to the session…"],
  ["the microphone is asked for", voice({ source: "asking" }), "checking", /the browser asks for your microphone/],
  ["the microphone was refused", voice({ source: "refused", refusal: "Allow it." }), "deviceLost", "Nobody hears you. Allow it."],
  ["the system has just refused a chunk", { refusedAt: NOW - 3_000 }, "interrupted", /^Some of what you say is lost/],
  ["the system refused a chunk before", { refusedAt: NOW - 3_001 }, "live", /Live/],
  ["it is muted", { broadcast: MUTED }, "muted", "You are muted: nobody hears you."],
  ["it is muted and has paused", { broadcast: { ...PAUSED, isMuted: true } }, "paused", "You paused: nobody hears you."],
  ["the microphone is gone", voice({ source: "lost" }), "deviceLost", /your microphone is gone/],
  ["the microphone is gone while it is muted", { broadcast: MUTED, ...voice({ source: "lost" }) }, "deviceLost", /is gone/],
  ["the browser waits for a tap", voice({ source: "blocked" }), "needsTap", /Tap the page, or press the button/],
  ["a call has the microphone", voice({ source: "interrupted" }), "interrupted", /interrupted the microphone/],
  ["the microphone gives nothing, just not too long", voice({ capturedAt: NOW - 1_500 }), "live", /Live/],
  ["the microphone gives nothing for longer", voice({ capturedAt: NOW - 1_501 }), "interrupted", /interrupted the microphone/],
  ["the microphone has not begun", voice({ beganAt: NOW - 1_500, capturedAt: 0, sentAt: 0, takenAt: 0 }), "checking", "Starting…"],
  ["the microphone does not begin", voice({ beganAt: NOW - 1_501, capturedAt: 0, sentAt: 0, takenAt: 0 }), "interrupted", /interrupted/],
  ["nothing was sent of late, as after a pause", voice({ sentAt: NOW - 1_501 }), "checking", "Starting…"],
  ["the network has not taken it, just not too long", voice({ takenAt: NOW - 3_000 }), "live", /Live/],
  ["the network does not take it", voice({ takenAt: NOW - 3_001 }), "interrupted", /lets nothing through/],
  ["a request has no answer", { unansweredMs: 3_001 }, "interrupted", /lets nothing through/],
  ["it is silent as in a pause of speech", voice({ silentSince: NOW - 5_000 }), "live", /Live/],
  ["the microphone gives zeros", voice({ silentSince: NOW - 5_001 }), "interrupted", /your microphone gives no sound/],
  ["the microphone gives zeros while it is muted", { broadcast: MUTED, ...voice({ silentSince: 1 }) }, "muted", /muted/],
]) {
  test(`a speaker when ${name}: ${state}`, () => {
    const found = speakerOnAir({ ...SPEAKER, ...change }, NOW);

    assert.equal(found.state, state);
    assert.match(found.sentence, sentence instanceof RegExp ? sentence : new RegExp(`^${sentence}$`));
  });
}

for (const [name, change, state, sentence] of [
  ["somebody is heard", {}, "live", "Live."],
  ["the connection is broken", { connection: "waiting" }, "reconnecting", /You hear nothing/],
  ["the page was loaded again", { connection: "connecting", isReturning: true }, "reconnecting", "Going back to the session…"],
  ["an interpreter is silent", { hears: "de", ...sound({ heardAt: 1 }) }, "interrupted", /may be silent: you can choose the speaker’s own voice/],
  ["it has paused, whatever else", { isPaused: true, connection: "waiting", ...sound({ output: "blocked" }) }, "paused", /^You paused\. Press Pause/],
  ["the browser waits for a tap", sound({ output: "blocked" }), "needsTap", /Tap the page, or press the button/],
  ["a call has the sound", sound({ output: "interrupted" }), "interrupted", /the sound is interrupted/],
  ["there is nothing to hear it with", sound({ output: "noDevice" }), "deviceLost", /no speakers and no headphones/],
  ["the browser fails", sound({ output: "failed" }), "deviceLost", /Open the page again/],
  ["the speaker has paused", { broadcast: PAUSED, ...sound({ heardAt: 1 }) }, "paused", "The speaker paused."],
  ["the speaker is muted", { broadcast: MUTED, ...sound({ heardAt: 1 }) }, "muted", "The speaker is muted."],
  ["the speaker is muted and an interpreter is heard", { broadcast: MUTED, hears: "de" }, "live", "Live."],
  ["the last sound was lately", sound({ heardAt: NOW - 1_500 }), "live", "Live."],
  ["no sound arrives", sound({ heardAt: NOW - 1_501 }), "interrupted", /^No sound arrives at the moment\. Wait/],
  ["it has just come", sound({ beganAt: NOW - 3_000, heardAt: 0 }), "checking", "Waiting for the sound…"],
  ["it has come and nobody is heard", sound({ beganAt: NOW - 3_001, heardAt: 0 }), "interrupted", /^No sound arrives at the moment\. Wait/],
]) {
  test(`a listener when ${name}: ${state}`, () => {
    const found = listenerOnAir({ ...LISTENER, ...change }, NOW);

    assert.equal(found.state, state);
    assert.match(found.sentence, sentence instanceof RegExp ? sentence : new RegExp(`^${sentence}$`));
  });
}

for (const [name, change, state, sentence] of [
  ["it hears and is heard", {}, "live", /^Live: listeners of your language/],
  ["the connection is broken", { connection: "waiting" }, "reconnecting", /Nobody hears you/],
  ["the connection is broken while it is muted", { connection: "waiting", isMuted: true }, "reconnecting", /You stay muted\./],
  ["its microphone is gone", voice({ source: "lost" }), "deviceLost", /your microphone is gone/],
  ["it hears nothing", sound({ output: "blocked" }), "needsTap", /You hear nothing/],
  ["the microphone and the sound wait for a tap", { ...voice({ source: "blocked" }), ...sound({ output: "blocked" }) }, "needsTap", /Nobody hears you/],
  ["the speaker has paused", { broadcast: PAUSED, isMuted: true }, "paused", "The speaker paused."],
  ["it is muted", { isMuted: true }, "muted", "You are muted: nobody hears you."],
  ["only the speaker is muted", { broadcast: MUTED }, "live", /^Live: listeners/],
  ["its network takes nothing", voice({ takenAt: NOW - 3_001 }), "interrupted", /lets nothing through/],
  ["it only writes captions", { voice: null }, "live", "Live."],
  ["it only writes captions and the speaker is muted", { voice: null, broadcast: MUTED }, "muted", "The speaker is muted."],
  ["it only writes captions and no sound arrives", { voice: null, ...sound({ heardAt: 1 }) }, "interrupted", /No sound arrives/],
]) {
  test(`an interpreter when ${name}: ${state}`, () => {
    const found = interpreterOnAir({ ...INTERPRETER, ...change }, NOW);

    assert.equal(found.state, state);
    assert.match(found.sentence, sentence instanceof RegExp ? sentence : new RegExp(`^${sentence}$`));
  });
}
