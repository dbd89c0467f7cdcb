import assert from "node:assert/strict";
import { test } from "node:test";
import { Captions } from "../core/captions.js";

const caption = (segmentId, text, isFinal, language = "de") => ({ language, segmentId, text, isFinal });
const texts = (captions) => captions.map(({ text }) => text);

test("a partial caption is replaced by the next of its segment, and by its final one for good", () => {
  const captions = new Captions();

  captions.take(caption("1", "Guten", false));
  captions.take(caption("1", "Guten Tag", false));
  assert.deepEqual(texts(captions.partials), ["Guten Tag"]);
  captions.take(caption("1", "Guten Tag.", true));
  captions.take(caption("1", "Guten", false)); // overtaken

  assert.deepEqual([texts(captions.finals), texts(captions.partials)], [["Guten Tag."], []]);
});

test("a final caption that comes twice is one, and another text of its segment is another one", () => {
  const captions = new Captions();

  const isNew = ["Guten Tag.", "Guten Tag.", "Guten Abend."].map((text) => captions.take(caption("1", text, true)));

  assert.deepEqual(isNew, [true, false, true]);
  assert.deepEqual(texts(captions.finals), ["Guten Tag.", "Guten Abend."]);
});

test("segments of two languages may have the same name", () => {
  const captions = new Captions();

  captions.take(caption("1", "Guten Tag", false));
  captions.take(caption("1", "Bonjour", false, "fr"));
  captions.take(caption("1", "Bonjour.", true, "fr"));

  assert.deepEqual([texts(captions.finals), texts(captions.partials)], [["Bonjour."], ["Guten Tag"]]);
});

test("a blank caption takes back what was begun of its segment", () => {
  const captions = new Captions();
  captions.take(caption("1", "Guten", false));
  captions.take(caption("2", "Heute", false));

  const isNew = [captions.take(caption("1", " ", false)), captions.take(caption("3", " ", true))];

  assert.deepEqual([isNew, texts(captions.finals), texts(captions.partials)], [[false, false], [], ["Heute"]]);
});

test("the last fifty final ones and the last five partial ones are kept", () => {
  const captions = new Captions();

  for (let i = 0; i < 51; i++) captions.take(caption(`final-${i}`, `${i}`, true));
  for (let i = 0; i < 6; i++) captions.take(caption(`partial-${i}`, `${i}`, false));

  assert.equal(captions.finals.length, 50);
  assert.equal(captions.finals[0].text, "1");
  assert.deepEqual(texts(captions.partials), ["1", "2", "3", "4", "5"]);
});

test("what an interpreter who has gone began is dropped, and nothing else", () => {
  const captions = new Captions();
  captions.take(caption("1", "Guten Tag.", true));
  captions.take(caption("2", "Heute", false));
  captions.take(caption("1", "Bonjour", false, "fr"));

  captions.dropPartials((language) => language === "de");

  assert.deepEqual([texts(captions.finals), texts(captions.partials)], [["Guten Tag."], ["Bonjour"]]);
});

test("after a change of language nothing is left", () => {
  const captions = new Captions();
  captions.take(caption("1", "Guten Tag.", true));
  captions.take(caption("2", "Heute", false));

  captions.clear();

  assert.deepEqual([captions.finals, captions.partials], [[], []]);
});
