import assert from "node:assert/strict";
import { test } from "node:test";
import { channelFor, channelsText, hearingText, isCaptionFor, languageName } from "../core/channels.js";

const NAMES = { de: "German", en: "English", fr: "French", "de-AT": "Austrian German" };
const name = (code) => NAMES[code];
const LISTENING = { language: "de", sourceLanguage: "en", audio: "interpreted", hears: "floor", channels: [] };

for (const [language, channels, channel] of [
  ["de", [], "floor"],
  ["de", ["de"], "de"],
  ["de", ["fr", "de"], "de"],
  ["de-AT", ["de", "de-AT"], "de-AT"],
  ["de-AT", ["de"], "de"],
  ["de-AT", ["de-CH"], "floor"],
  ["de", ["de-AT"], "floor"],
  ["zh-Hans-CN", ["zh"], "zh"],
  ["zh-Hans-CN", ["zh-Hans"], "floor"],
  ["DE-at", ["de-AT"], "de-AT"],
]) {
  test(`the channel of ${language} among ${channels.join() || "none"} is ${channel}`, () => {
    assert.equal(channelFor(language, channels), channel);
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

test("the channels are named in the order of their names", () => {
  assert.equal(channelsText(["de", "fr", "de-AT"], name), "There are interpreters for: Austrian German, French, German.");
  assert.equal(channelsText([], name), "There are no interpreters.");
});

test("a language without a name is called by its code", () => {
  assert.equal(languageName("not a code"), "not a code");
});

for (const [language, listening, isShown] of [
  ["en", {}, true],
  ["de", {}, false],
  ["fr", {}, false],
  ["de", { channels: ["de"] }, true],
  ["en", { channels: ["de"] }, false],
  ["de", { channels: ["de"], language: "de-AT" }, true],
  ["de", { channels: ["de"], language: "fr" }, false],
  ["en", { channels: ["de"], language: "fr" }, true],
]) {
  test(`captions in ${language} are ${isShown ? "" : "not "}for ${JSON.stringify(listening)}`, () => {
    assert.equal(isCaptionFor(language, { ...LISTENING, ...listening }), isShown);
  });
}
