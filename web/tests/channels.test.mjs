import assert from "node:assert/strict";
import { test } from "node:test";
import { channelsText, hearingText, interpretedAfter, isCaptionFor, languageName } from "../core/channels.js";

const NAMES = { de: "German", en: "English", fr: "French", "de-AT": "Austrian German" };
const name = (code) => NAMES[code];
const LISTENING = { language: "de", sourceLanguage: "en", audio: "interpreted", hears: "floor", channels: [] };

for (const [language, channels, captions] of [
  ["de", [], ["en"]],
  ["de", ["de"], ["de"]],
  ["de", ["fr", "de"], ["de"]],
  ["de-AT", ["de", "de-AT"], ["de-AT"]],
  ["de-AT", ["de"], ["de"]],
  ["de-AT", ["de-CH"], ["en"]],
  ["de", ["de-AT"], ["en"]],
  ["zh-Hans-CN", ["zh", "zh-Hans"], ["zh"]],
  ["fr", ["de"], ["en"]],
  ["en", ["en", "de"], ["en"]],
  ["en-GB", ["en"], ["en"]],
  ["de-AT", null, ["de-AT", "de", "en"]],
  ["en", null, ["en"]],
]) {
  test(`of all captions ${captions} are for ${language} where there are channels ${channels}`, () => {
    const all = ["de-AT", "de-CH", "de", "fr", "zh-Hans", "zh", "en"];
    assert.deepEqual(all.filter((one) => isCaptionFor(one, { ...LISTENING, language, channels })), captions);
  });
}

for (const [what, listening, sentence] of [
  ["a channel", { hears: "de", channels: ["de"] }, "You hear the German interpreter."],
  ["a channel of another tag", { language: "de-AT", hears: "de", channels: ["de"] }, "You hear the German interpreter."],
  ["the floor without an interpreter", {}, "You hear the speaker: nobody interprets into German now."],
  ["the floor as chosen", { audio: "original", channels: ["de"] }, "You hear the speaker’s own voice, as you chose."],
  ["the floor in one's own language", { language: "en" }, "You hear the speaker, in your language."],
]) {
  test(`who hears ${what} is informed`, () => {
    assert.equal(hearingText({ ...LISTENING, ...listening }, name), sentence);
  });
}

test("the captions of the floor are in the speaker's language", () => {
  assert.ok(isCaptionFor("fr", { ...LISTENING, sourceLanguage: "fr" }));
});

test("the session's own language has the captions of the floor, whatever channels there are", () => {
  const listening = { ...LISTENING, language: "en-GB", sourceLanguage: "en-GB", channels: ["en"] };

  assert.deepEqual(["en", "en-GB"].filter((one) => isCaptionFor(one, listening)), ["en-GB"]);
  assert.equal(isCaptionFor("en", { ...listening, channels: null }), false);
});

test("the channels are named in the order of their names", () => {
  assert.equal(channelsText(["de", "fr", "de-AT"], name), "There are interpreters for: Austrian German, French, German.");
  assert.equal(channelsText([], name), "");
});

test("a language without a name is called by its code", () => {
  assert.equal(languageName("not a code"), "not a code");
});

for (const [type, language, after] of [
  ["interpreterJoined", "fr", ["de", "fr"]],
  ["interpreterJoined", "de", ["de"]],
  ["interpreterLeft", "de", []],
  ["interpreterLeft", "fr", ["de"]],
  ["connectionRefreshComplete", undefined, []],
  ["broadcastControl", undefined, ["de"]],
]) {
  test(`of a session that is interpreted into German the languages after ${type} ${language} are ${after}`, () => {
    assert.deepEqual(interpretedAfter(["de"], { type, language, timestamp: 1 }), after);
  });
}
