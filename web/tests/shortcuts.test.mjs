import assert from "node:assert/strict";
import { test } from "node:test";
import { shortcutOf } from "../core/shortcuts.js";

const ALONE = { code: "", ctrlKey: false, altKey: false, metaKey: false, repeat: false, isComposing: false };

for (const [pressed, focus, wanted] of [
  [{ key: "m" }, "other", "mute"],
  [{ key: "M" }, "control", "mute"],
  [{ key: "ь", code: "KeyM" }, "other", "mute"],
  [{ key: ",", code: "KeyM" }, "other", null],
  [{ key: " " }, "other", "pause"],
  [{ key: " " }, "control", null],
  [{ key: "?" }, "control", "help"],
  [{ key: "Escape" }, "other", null],
]) {
  test(`${JSON.stringify(pressed)}, the focus on ${focus}: ${wanted}`, () => {
    assert.equal(shortcutOf({ ...ALONE, ...pressed }, focus), wanted);
  });
}

for (const key of ["m", " ", "?"]) {
  test(`${JSON.stringify(key)} is typed in a field`, () => {
    assert.equal(shortcutOf({ ...ALONE, key }, "field"), null);
  });

  for (const other of ["ctrlKey", "altKey", "metaKey", "repeat", "isComposing"]) {
    test(`${JSON.stringify(key)} with ${other} is nobody's`, () => {
      assert.equal(shortcutOf({ ...ALONE, key, [other]: true }, "other"), null);
    });
  }
}
