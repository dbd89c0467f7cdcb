import assert from "node:assert/strict";
import { test } from "node:test";
import { PROPOSED_KEY_LENGTH, fragmentOf, keyFrom, keyOfNew, readFragment, weaknessOf, whyNotKey } from "../core/invitation.js";

const VIEWS = ["speak", "listen", "watch"];
const PIECES = [
  "#", "/", "%", "%ff", "%00", "%2F", "%E0%A4%A", "listen", "speak", "watch", "__proto__", "constructor", "golden-eagle-427",
  "<img src=x onerror=alert(1)>", "🦅", "\ud800", "\0", " ", "..", "a".repeat(70), "?code=1&state=2",
];

for (const [fragment, view, sessionId, key] of [
  ["", "speak", "", ""],
  ["#", "speak", "", ""],
  ["#listen", "listen", "", ""],
  ["#listen/golden-eagle-427", "listen", "golden-eagle-427", ""],
  ["#listen/golden-eagle-427/k%2Fe%25y%20123", "listen", "golden-eagle-427", "k/e%y 123"],
  ["#listen/%", "listen", "", ""],
  ["#listen/%ff/%ff", "listen", "", ""],
  ["#listen/golden-eagle-427/%", "listen", "golden-eagle-427", ""],
  [`#listen/${"a".repeat(1_000_000)}`, "listen", "", ""],
  ["#speak/golden-eagle-427/secret-key", "speak", "", ""],
  ["#watch", "watch", "", ""],
  ["#nowhere", "speak", "", ""],
  ["#__proto__/constructor", "speak", "", ""],
]) {
  test(`${fragment.slice(0, 50) || "an empty fragment"} is ${view}`, () => {
    assert.deepEqual(readFragment(fragment), { view, sessionId, key });
  });
}

// threat: crafted-link
test("whatever a fragment is made of, there is a view", () => {
  let seed = 427;
  const random = (below) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
  for (let i = 0; i < 20_000; i++) {
    const fragment = Array.from({ length: random(8) }, () => PIECES[random(PIECES.length)]).join(random(2) ? "/" : "");
    const { view, sessionId, key } = readFragment(fragment);
    assert.ok(VIEWS.includes(view), fragment);
    assert.ok([...sessionId].length <= 64 && [...key].length <= 64, fragment);
  }
});

for (const key of ["abcdefgh", "a/b#c?d%e&f g", "schlüssel-🦅-🦅", "%2F%2F%2F%2F", "🦅".repeat(64)]) {
  test(`an invitation holds the key ${key.slice(0, 20)} as it is`, () => {
    const { hash, search } = new URL(fragmentOf("golden-eagle-427", key), "https://page.example/?x=1");

    assert.equal(search, "?x=1"); // nothing for a server
    assert.deepEqual(readFragment(hash), { view: "listen", sessionId: "golden-eagle-427", key });
  });
}

test("without a key the invitation holds the name alone, and without a name nothing", () => {
  assert.equal(fragmentOf("golden-eagle-427"), "#listen/golden-eagle-427");
  assert.equal(fragmentOf("", "secret-key"), "#listen");
});

// threat: guessed-key
test("a proposed key takes five bits of each byte, evenly, and nothing that looks alike", () => {
  const all = keyFrom(Uint8Array.from({ length: 256 }, (_, i) => i));
  const counts = Map.groupBy(all, (one) => one).values().map((ones) => ones.length);

  assert.equal(new Set(all).size, 32);
  assert.deepEqual(new Set(counts), new Set([8]));
  assert.doesNotMatch(all, /[^a-z0-9]|[lo01]/);
  assert.ok(PROPOSED_KEY_LENGTH * 5 >= 80);
});

for (const [name, typed, why] of [
  ["nothing", "", /at least 8 characters: this one has 0/],
  ["spaces", "        ", /this one has 0/],
  ["seven characters between spaces", "  abcdefg  ", /this one has 7/],
  ["seven characters of two UTF-16 units", "🦅".repeat(7), /this one has 7/],
  ["65 characters", "a".repeat(65), /at most 64 characters: this one has 65/],
  ["a NUL", "abcd\0efgh", /nobody can type/],
  ["a control character", "abcd\u0085efgh", /nobody can type/],
  ["half a character", "abcdefgh\ud800", /nobody can type/],
]) {
  test(`a private session does not begin with ${name} as its key`, () => {
    assert.throws(() => keyOfNew(true, typed), { message: why });
    assert.equal(keyOfNew(false, typed), null);
  });
}

for (const [name, typed, key] of [
  ["8 characters", "abcdefgh", "abcdefgh"],
  ["64 characters of two UTF-16 units", "🦅".repeat(64), "🦅".repeat(64)],
  ["spaces within", " an old key ", "an old key"],
]) {
  test(`a private session begins with ${name} as its key`, () => {
    assert.equal(keyOfNew(true, typed), key);
    assert.equal(whyNotKey(key), "");
  });
}

test("a key that can perhaps be guessed is called so before it is used", () => {
  assert.match(weaknessOf("a".repeat(11)), /12 characters or more are better/);
  assert.equal(weaknessOf("a".repeat(12)), "");
  assert.match(weaknessOf("e\u0301".repeat(6)), /can perhaps be guessed/); // six letters, each written as two
});
