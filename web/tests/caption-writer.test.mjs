import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { CaptionWriter } from "../core/caption-writer.js";

let sent, timers, isOpen, writer;

beforeEach(() => {
  sent = [];
  timers = new Set();
  isOpen = true;
  let segments = 0;
  writer = new CaptionWriter({
    send: ({ segmentId, text, isFinal }) => {
      if (isOpen) sent.push(`${segmentId} ${text}${isFinal ? " (final)" : ""}`);
      return isOpen;
    },
    newSegment: () => `s${++segments}`,
    setTimer: (run, ms) => {
      const timer = { run, ms };
      timers.add(timer);
      return timer;
    },
    clearTimer: (timer) => timers.delete(timer),
  });
});

/** Run the one timer, of half a second. */
function elapse() {
  const [timer] = timers;
  assert.deepEqual([timers.size, timer.ms], [1, 500]);
  timers.clear();
  timer.run();
}

test("what is typed goes out at once, and then every half second as it is", () => {
  for (const text of ["G", "Gu", "Gut"]) writer.type(text);
  assert.deepEqual(sent, ["s1 G"]);
  elapse();
  elapse();

  assert.deepEqual(sent, ["s1 G", "s1 Gut"]); // and not again what is known
  assert.equal(timers.size, 0);
});

test("a line that is done is one final caption, and the next one is another segment", () => {
  writer.type("Guten T");
  const caption = writer.finish(" Guten Tag. ");
  writer.type("Heute");

  assert.deepEqual(caption, { segmentId: "s1", text: "Guten Tag.", isFinal: true });
  assert.deepEqual(sent, ["s1 Guten T", "s1 Guten Tag. (final)", "s2 Heute"]);
});

test("white space is no caption", () => {
  writer.type("  ");

  assert.equal(writer.finish(" \t"), null);
  assert.deepEqual(sent, []);
});

test("a line that is erased is taken back by a blank, once", () => {
  writer.type("Gx");
  writer.type("");
  elapse();
  elapse();
  writer.type("Guten");

  assert.deepEqual(sent, ["s1 Gx", "s1  ", "s1 Guten"]);
});

test("an empty line that is done takes back at once what was begun", () => {
  writer.type("Gx");
  assert.equal(writer.finish(""), null);
  assert.equal(writer.finish(""), null);

  assert.deepEqual(sent, ["s1 Gx", "s1  "]);
});

test("what was typed while there was no connection follows", () => {
  writer.type("Gx");
  isOpen = false;
  writer.type("");
  elapse();
  isOpen = true;
  elapse();

  assert.deepEqual(sent, ["s1 Gx", "s1  "]);
});

test("a line that could not be sent is sent later, as the same segment", () => {
  isOpen = false;
  assert.equal(writer.finish("Guten Tag."), null);
  isOpen = true;
  writer.finish("Guten Tag.");

  assert.deepEqual(sent, ["s1 Guten Tag. (final)"]);
});

test("nothing is sent after the end", () => {
  writer.type("G");
  writer.type("Gu");
  writer.stop();

  assert.equal(timers.size, 0);
  assert.deepEqual(sent, ["s1 G"]);
});
