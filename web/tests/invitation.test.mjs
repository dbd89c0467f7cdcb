import assert from "node:assert/strict";
import { test } from "node:test";
import { PROPOSED_KEY_LENGTH, fragmentOf, keyFrom, keyOfNew, readFragment, weaknessOf, whatToShow, whyNotKey } from "../core/invitation.js";

const VIEWS = ["speak", "listen", "interpret", "watch"];
const PIECES = [
  "#", "/", "%", "%ff", "%00", "%2F", "%E0%A4%A", "listen", "interpret", "speak", "watch", "__proto__", "constructor", "golden-eagle-427",
  "<img src=x onerror=alert(1)>", "🦅", "\ud800", "\0", " ", "..", "a".repeat(70), "?code=1&state=2",
  "watch?", "session=", "text=abcdefgh2345", "&",
];

const NAME = "golden-eagle-427";

for (const [fragment, view, sessionId, key, address = fragment] of [
  ["", "speak", "", ""],
  ["#speak", "speak", "", ""],
  ["#speak/", "speak", "", "", "#speak"],
  ["#listen", "listen", "", ""],
  ["#listen/golden-eagle-427", "listen", NAME, ""],
  ["#listen/golden-eagle-427/", "listen", NAME, "", `#listen/${NAME}`],
  ["#listen/golden-eagle-427/k%2Fe%25y%20123", "listen", NAME, "k/e%y 123", `#listen/${NAME}`],
  ["#interpret", "interpret", "", ""],
  ["#interpret/golden-eagle-427/k%2Fe%25y%20123", "interpret", NAME, "k/e%y 123", `#interpret/${NAME}`],
  ["#watch", "watch", "", ""],
  ["#watch?session=golden-eagle-427&level=ERROR", "watch", "", ""],
  ["#watch?level=ERROR&session=golden-eagle-427", "watch", "", "", "#watch?session=golden-eagle-427&level=ERROR"],
]) {
  test(`${fragment || "an empty fragment"} is ${view}, and leaves ${address || "nothing"} in the address`, () => {
    assert.deepEqual(readFragment(fragment), { view, sessionId, key, address, damage: "" });
  });
}

for (const [fragment, view, sessionId, address] of [
  ["#listen/%", "listen", "", "#listen"],
  ["#listen/%ff/%ff", "listen", "", "#listen"],
  [`#listen/${"a".repeat(1_000_000)}`, "listen", "", "#listen"],
  ["#listen/golden-eagle-427abcdefgh2345", "listen", "golden-eagle-427abcdefgh2345", "#listen"],
  ["#listen/golden-eagle-427/%", "listen", NAME, `#listen/${NAME}`],
  ["#listen/golden-eagle-427/abcdefgh2345%", "listen", NAME, `#listen/${NAME}`],
  ["#listen/golden-eagle-427/abcdefg", "listen", NAME, `#listen/${NAME}`],
  ["#listen/golden-eagle-427/abcd%00efgh", "listen", NAME, `#listen/${NAME}`],
  [`#listen/golden-eagle-427/${"a".repeat(65)}`, "listen", NAME, `#listen/${NAME}`],
  ["#interpret/golden-eagle-427/abcdefg", "interpret", NAME, `#interpret/${NAME}`],
  ["#speak/golden-eagle-427/abcdefgh2345", "speak", "", "#speak"],
  ["#watch/golden-eagle-427/abcdefgh2345", "watch", "", "#watch"],
  ["#watch?session=golden-eagle-427/abcdefgh2345", "watch", "", "#watch"],
  ["#watch?level=ERROR&key=abcdefgh2345", "watch", "", "#watch?level=ERROR"],
  ["#watch?abcdefgh2345", "watch", "", "#watch"],
  ["#speak?session=golden-eagle-427", "speak", "", "#speak"],
  ["#Listen/golden-eagle-427/abcdefgh2345", "speak", "", "#speak"],
  ["#golden-eagle-427", "speak", "", "#speak"],
  ["#__proto__/constructor", "speak", "", "#speak"],
]) {
  test(`${fragment.slice(0, 60)} is damaged, and leaves ${address} in the address`, () => {
    const { damage, ...rest } = readFragment(fragment);

    assert.match(damage, /^This link is damaged|^A part of this link is no filter/);
    assert.deepEqual(rest, { view, sessionId, key: "", address });
  });
}

for (const [fragment, sessionId, address] of [
  ["#listen/golden-eagle-427/abcdefgh2345/more", NAME, `#listen/${NAME}`],
  ["#listen/Golden-Eagle-427/abcdefgh2345", "Golden-Eagle-427", "#listen"],
  ["#listen//abcdefgh2345", "", "#listen"],
]) {
  test(`what is whole of ${fragment} is offered`, () => {
    const { damage, ...rest } = readFragment(fragment);

    assert.match(damage, /^This link is damaged/);
    assert.deepEqual(rest, { view: "listen", sessionId, key: "abcdefgh2345", address });
  });
}

const HERE = { canWatch: true, listen: "", interpret: "", person: /** @type {const} */ ("listen") };

for (const [name, fragment, here, shown] of [
  ["an invitation is shown", "#listen/golden-eagle-427/abcdefgh2345", {}, { view: "listen", address: "#listen/golden-eagle-427", notice: /^$/ }],
  ["a damaged link is said to be", "#listen/golden-eagle-427/%", {}, { view: "listen", address: "#listen/golden-eagle-427", notice: /^This link is damaged.*Ask for it again/ }],
  ["there is nothing to watch without an operator", "#watch", { canWatch: false }, { view: "listen", address: "#listen", notice: /nothing to watch/ }],
  ["who listens stays, and is told", "#listen/calm-otter-118", { listen: NAME }, { view: "listen", address: "#listen/golden-eagle-427", notice: /still listen to golden-eagle-427.*calm-otter-118/ }],
  ["who listens may open the same link again", "#listen/golden-eagle-427", { listen: NAME }, { view: "listen", address: "#listen/golden-eagle-427", notice: /^$/ }],
  ["who interprets stays, and is told", "#interpret/calm-otter-118", { interpret: NAME }, { view: "interpret", address: "#interpret/golden-eagle-427", notice: /still interpret golden-eagle-427.*calm-otter-118/ }],
  ["who interprets may be invited to listen", "#listen/calm-otter-118", { interpret: NAME }, { view: "listen", address: "#listen/calm-otter-118", notice: /^$/ }],
  ["who interprets where there is nothing to watch stays", "#watch", { canWatch: false, person: "interpret", interpret: NAME }, { view: "interpret", address: "#interpret/golden-eagle-427", notice: /nothing to watch/ }],
  ["a filter that cannot stand in the address is said to be", "#watch?text=abcdefgh2345", {}, { view: "watch", address: "#watch", notice: /no filter/ }],
  ["who listens may look elsewhere", "#watch", { listen: NAME }, { view: "watch", address: "#watch", notice: /^$/ }],
  ["who listens where there is nothing to watch stays", "#watch", { canWatch: false, listen: NAME }, { view: "listen", address: "#listen/golden-eagle-427", notice: /nothing to watch/ }],
]) {
  test(name, () => {
    const { notice, ...rest } = whatToShow(readFragment(fragment), { ...HERE, ...here });

    assert.match(notice, shown.notice);
    assert.deepEqual(rest, { view: shown.view, address: shown.address });
  });
}

// threat: crafted-link
test("whatever a fragment is made of, there is a view", () => {
  let seed = 427;
  const random = (below) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
  for (let i = 0; i < 20_000; i++) {
    const fragment = Array.from({ length: random(8) }, () => PIECES[random(PIECES.length)]).join(random(2) ? "/" : "");
    const { view, sessionId, key, address } = readFragment(fragment);
    assert.ok(VIEWS.includes(view), fragment);
    assert.ok([...sessionId].length <= 64 && [...key].length <= 64, fragment);
    assert.match(address, /^(|#speak|#watch(\?(session|text)=[^&]{0,21}(&text=[^&]{0,21})?)?|#(listen|interpret)(\/golden-eagle-427)?)$/, fragment);
  }
});

for (const key of ["abcdefgh", "a/b#c?d%e&f g", "schlüssel-🦅-🦅", "%2F%2F%2F%2F", "🦅".repeat(64)]) {
  test(`an invitation holds the key ${key.slice(0, 20)} as it is`, () => {
    const { hash, search } = new URL(fragmentOf("golden-eagle-427", key), "https://page.example/?x=1");

    assert.equal(search, "?x=1"); // nothing for a server
    assert.deepEqual(readFragment(hash), { view: "listen", sessionId: NAME, key, address: `#listen/${NAME}`, damage: "" });
  });
}

test("a link for interpreters holds its key behind the #, and the page takes it out of the address", () => {
  const { hash, search } = new URL(fragmentOf(NAME, "abcdefgh2345", "interpret"), "https://page.example/");

  assert.deepEqual([hash, search], [`#interpret/${NAME}/abcdefgh2345`, ""]);
  assert.equal(readFragment(hash).address, `#interpret/${NAME}`);
});

test("a key is the same however its letters are written", () => {
  const { key } = readFragment(`#listen/${NAME}/${"e%CC%81".repeat(40)}`);

  assert.equal(key, "é".repeat(40));
});

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
  ["40 letters, each written as two characters,", "e\u0301".repeat(40), "é".repeat(40)],
]) {
  test(`a private session begins with ${name} as its key`, () => {
    assert.equal(keyOfNew(true, typed), key);
    assert.equal(whyNotKey(key), "");
  });
}

test("a key that can perhaps be guessed is called so before it is used", () => {
  assert.match(weaknessOf("a".repeat(11)), /12 characters or more are better/);
  assert.equal(weaknessOf("a".repeat(12)), "");
  assert.match(weaknessOf("eleven-char\u200b\u2800\ufe0f \u3164"), /can perhaps be guessed/); // the rest is seen by nobody
});
