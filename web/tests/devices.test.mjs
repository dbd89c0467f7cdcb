import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_DEVICE, choicesOf, readChoice } from "../core/devices.js";

const NOTHING_NAMED = [
  { kind: "audioinput", deviceId: "", label: "" },
  { kind: "audiooutput", deviceId: "", label: "" },
];
const NAMED = [
  { kind: "audioinput", deviceId: "default", label: "Default - Headset" },
  { kind: "audioinput", deviceId: "a1", label: "Headset" },
  { kind: "audioinput", deviceId: "b2", label: "Webcam" },
  { kind: "videoinput", deviceId: "c3", label: "Webcam" },
  { kind: "audiooutput", deviceId: "d4", label: "Speakers" },
];
const HEADSET = { id: "a1", label: "Headset" };
const GONE = { id: "e5", label: "Old headset" };

test("before the browser has allowed the microphone there is the default only", () => {
  assert.deepEqual(choicesOf(NOTHING_NAMED, "audioinput", DEFAULT_DEVICE), { offered: [], device: DEFAULT_DEVICE, isGone: false });
});

test("a choice of before stays while nothing has a name", () => {
  assert.deepEqual(choicesOf(NOTHING_NAMED, "audioinput", HEADSET), { offered: [HEADSET], device: HEADSET, isGone: false });
});

test("devices of one kind are offered, each once", () => {
  const { offered, device } = choicesOf(NAMED, "audioinput", HEADSET);

  assert.deepEqual(offered, [HEADSET, { id: "b2", label: "Webcam" }]);
  assert.deepEqual(device, HEADSET);
  assert.deepEqual(choicesOf(NAMED, "audiooutput", DEFAULT_DEVICE).offered, [{ id: "d4", label: "Speakers" }]);
});

test("the default takes the place of a device that is gone", () => {
  const { device, isGone } = choicesOf(NAMED, "audioinput", GONE);

  assert.deepEqual([device, isGone], [DEFAULT_DEVICE, true]);
});

test("the last device can be gone, too", () => {
  assert.deepEqual(choicesOf([], "audioinput", HEADSET), { offered: [], device: DEFAULT_DEVICE, isGone: true });
});

for (const [name, text] of [
  ["nothing", null],
  ["no JSON", "{"],
  ["another form", '["a1"]'],
  ["null", "null"],
  ["a number for an id", '{"id":1,"label":"x"}'],
]) {
  test(`what was kept and is ${name} is the default`, () => {
    assert.deepEqual(readChoice(text), DEFAULT_DEVICE);
  });
}

test("a choice that was kept is read", () => {
  assert.deepEqual(readChoice(JSON.stringify({ ...HEADSET, more: 1 })), HEADSET);
});
