import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { SignIn, takeAbandoned, takeAnswer } from "../core/sign-in.js";
import * as library from "../vendor/oauth4webapi.js";

const PAGE = "http://127.0.0.1:5/";
const START = 1_800_000_000_000;
const HOUR = 3_600_000;
let server, config, asked, answers, metadata, storage, went, changes, clock, patience, silent;

/** A JSON Web Token that nobody signed: the page does not verify what it only carries. */
const tokenWith = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;

before(async () => {
  server = createServer(async (request, response) => {
    const body = (await request.toArray()).join("");
    asked.push({ path: request.url, ...Object.fromEntries(new URLSearchParams(body)) });
    if (silent) return;
    const [status, value] = request.url === "/token" ? answers.shift() : [200, {
      issuer: config.issuer, authorization_endpoint: `${config.issuer}/authorize?kept=1`, token_endpoint: `${config.issuer}/token`,
      ...metadata.shift(),
    }];
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
});

after(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  config = { issuer: `http://127.0.0.1:${server.address().port}`, clientId: "page", scope: "openid speak" };
  [asked, answers, metadata, went, clock, changes, patience, silent] = [[], [], [], [], START, 0, [], false];
  const kept = new Map();
  storage = {
    kept, getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value), removeItem: (name) => kept.delete(name),
  };
});

const make = (settings = config) => new SignIn(settings, {
  library: async () => library, storage, now: () => clock, redirectUri: PAGE, go: (url) => went.push(new URL(url)), changed: () => changes++,
  timeout: (ms) => {
    patience.push(ms);
    return AbortSignal.timeout(silent ? 20 : ms);
  },
});

/** What the page finds in its address, taken out of it. */
function comesBack(query, pathname = "/", hash = "") {
  const shown = [];
  const answer = takeAnswer({ search: query, pathname, hash }, { replaceState: (...given) => shown.push(given[2]) }, () => storage);
  return { answer, shown };
}

const granted = (fields = {}) => [200, { access_token: "access-1", token_type: "Bearer", expires_in: 300, refresh_token: "refresh-1", ...fields }];

async function signedIn(...more) {
  answers.push(granted(), ...more);
  const signIn = make();
  await signIn.begin("#speak");
  await signIn.complete(comesBack(`?code=c&state=${went[0].searchParams.get("state")}`).answer);
  return signIn;
}

test("signing in asks for a code with a proof key, and keeps what is its own in the tab", async () => {
  await make().begin("#listen/golden-eagle-427");
  const [url] = went;
  const { state, verifier, fragment } = JSON.parse(storage.getItem("sign-in.pending"));
  const { code_challenge: challenge, ...rest } = Object.fromEntries(url.searchParams);

  assert.equal(url.origin + url.pathname, `${config.issuer}/authorize`);
  assert.deepEqual(rest, {
    kept: "1", response_type: "code", client_id: "page", redirect_uri: PAGE, scope: "openid speak", state, code_challenge_method: "S256",
  });
  assert.equal(challenge, await library.calculatePKCECodeChallenge(verifier));
  assert.equal(fragment, "#listen/golden-eagle-427");
  assert.equal(verifier.length, 43);
});

test("code and state leave the address at once, and the view is the one that was left", async () => {
  await make().begin("#listen/golden-eagle-427/abcdefgh2345");
  const { answer, shown } = comesBack(`?code=c&state=${went[0].searchParams.get("state")}`, "/page/");

  assert.deepEqual(shown, ["/page/#listen/golden-eagle-427"]);
  assert.deepEqual([answer.fragment, answer.isOwn], ["#listen/golden-eagle-427/abcdefgh2345", true]);
  assert.equal(answer.given.get("code"), "c");
  assert.equal(storage.getItem("sign-in.pending"), null);
});

test("an answer that this tab did not ask for leaves the invitation that it came with", async () => {
  await make().begin("#speak");
  const { answer, shown } = comesBack("?code=x&state=y", "/", "#listen/golden-eagle-427/abcdefgh2345");

  assert.deepEqual(shown, ["/#listen/golden-eagle-427"]);
  assert.deepEqual([answer.fragment, answer.isOwn], ["#listen/golden-eagle-427/abcdefgh2345", false]);
});

test("a sign-in that was given up gives its fragment back once, and keeps nothing", async () => {
  assert.equal(takeAbandoned(storage), "");
  await make().begin("#listen/golden-eagle-427/abcdefgh2345");

  assert.equal(takeAbandoned(storage), "#listen/golden-eagle-427/abcdefgh2345");
  assert.equal(storage.kept.size, 0);
});

test("an address of the page's own is left alone", () => {
  assert.deepEqual(comesBack("?x=1"), { answer: null, shown: [] });
});

// threat: stolen-laptop, forged-sign-in
test("the code is exchanged with its proof, and the token kept in the tab only", async () => {
  const signIn = await signedIn();
  const { grant_type, code, redirect_uri, client_id, code_verifier } = asked.at(-1);

  assert.equal(await signIn.token(), "access-1");
  assert.deepEqual([grant_type, code, redirect_uri, client_id], ["authorization_code", "c", PAGE, "page"]);
  assert.equal(went[0].searchParams.get("code_challenge"), await library.calculatePKCECodeChallenge(code_verifier));
  assert.deepEqual([...storage.kept.keys()], ["sign-in.tokens"]);
  assert.equal(await make().token(), "access-1"); // after a reload
  assert.equal(changes, 1);
});

test("a token of another issuer, or another page there, is not used", async () => {
  await signedIn();

  assert.equal(make({ ...config, issuer: "https://other.example" }).isSignedIn, false);
  assert.equal(make({ ...config, clientId: "another" }).isSignedIn, false);
});

// threat: forged-sign-in
test("a state that is not ours, or was used, signs nobody in", async () => {
  const signIn = make();
  await signIn.begin("");
  const first = comesBack("?code=c&state=forged").answer;
  const second = comesBack("?code=c&state=forged").answer;

  await assert.rejects(signIn.complete(first), { code: "SIGN_IN", message: /^Signing in did not work\. Try again;/ });
  await assert.rejects(signIn.complete(second), /this address is from a sign-in that is over, or was begun elsewhere\. Sign in here/);
  assert.equal(signIn.isSignedIn, false);
  assert.deepEqual(asked.filter((one) => one.path === "/token"), []);
});

test("who is signed in and opens an old answer's address stays so, without a word", async () => {
  const signIn = await signedIn();
  await signIn.complete(comesBack("?code=c&state=old").answer);

  assert.equal(await signIn.token(), "access-1");
});

for (const [name, query, sentence] of [
  ["in plain words", "error=access_denied", /did not work\. You or the issuer said no\. Sign in again/],
  ["as the page's fault", "error=invalid_scope", /not set up as the issuer wants it: tell whoever runs the page that it says invalid_scope\.$/],
  ["without what is no code", "error=%3Cimg%20src%3Dx%3E", /did not work\. Try again;/],
]) {
  test(`what an issuer refuses is said ${name}`, async () => {
    const signIn = make();
    await signIn.begin("");
    const { answer } = comesBack(`?${query}&state=${went[0].searchParams.get("state")}`);

    await assert.rejects(signIn.complete(answer), sentence);
  });
}

test("a token that ends soon is renewed before it is used, once for all who wait", async () => {
  const signIn = await signedIn(granted({ access_token: "access-2", refresh_token: "refresh-2" }), granted({ access_token: "access-3" }));
  clock += 241_000;
  const both = await Promise.all([signIn.token(), signIn.token()]);
  clock += 241_000;
  const third = await signIn.token();

  assert.deepEqual([...both, third], ["access-2", "access-2", "access-3"]);
  assert.deepEqual(asked.filter((one) => one.grant_type === "refresh_token").map((one) => one.refresh_token), ["refresh-1", "refresh-2"]);
});

test("a token that is good for longer is not renewed", async () => {
  const signIn = await signedIn();
  clock += 239_000;

  assert.equal(await signIn.token(), "access-1");
});

test("a refresh token that is not replaced stays", async () => {
  const signIn = await signedIn(granted({ refresh_token: undefined }), granted({ access_token: "access-3" }));
  clock += HOUR;
  await signIn.token();
  clock += HOUR;

  assert.equal(await signIn.token(), "access-3");
  assert.equal(asked.at(-1).refresh_token, "refresh-1");
});

test("a renewal that is refused ends the sign-in once the token has ended", async () => {
  const signIn = await signedIn([400, { error: "invalid_grant" }], [400, { error: "invalid_grant" }]);
  clock += 250_000;
  assert.equal(await signIn.token(), "access-1");
  clock += 50_000;

  await assert.rejects(signIn.token(), { code: "AUTH_TOKEN_EXPIRED", message: "Your sign-in has expired. Sign in again.", retryable: false });
  assert.equal(signIn.isSignedIn, false);
  assert.equal(storage.kept.size, 0);
});

test("an issuer that does not answer may be asked again, and the sign-in stays", async () => {
  const signIn = await signedIn([503, {}], granted({ access_token: "access-2" }));
  clock += HOUR;

  await assert.rejects(signIn.token(), { retryable: true, message: /could not be renewed/ });
  assert.equal(await signIn.token(), "access-2");
});

test("who signs out while the token is renewed is signed out", async () => {
  const signIn = await signedIn(granted({ access_token: "access-2" }));
  clock += HOUR;
  const promise = assert.rejects(signIn.token(), { code: "AUTH_TOKEN_EXPIRED" });
  signIn.signOut();

  await promise;
  assert.equal(signIn.isSignedIn, false);
  assert.equal(storage.kept.size, 0);
  await assert.rejects(signIn.token(), { code: "AUTH_MISSING_TOKEN" });
});

for (const [name, exp, seconds, lifetime] of [
  ["its exp, if that is sooner than what the issuer says", 100, 300, 100],
  ["what the issuer says, if that is sooner", 300, 100, 100],
]) {
  test(`a token ends by ${name}`, async () => {
    answers.push(granted({ access_token: tokenWith({ exp: START / 1000 + exp }), expires_in: seconds, refresh_token: undefined }));
    const signIn = make();
    await signIn.begin("");
    await signIn.complete(comesBack(`?code=c&state=${went[0].searchParams.get("state")}`).answer);
    clock += lifetime * 1000 - 1;
    assert.equal(signIn.isSignedIn, true);
    clock += 1;

    assert.equal(signIn.isSignedIn, false);
  });
}

test("a token that has ended when it comes signs nobody in, and the clock is named", async () => {
  answers.push(granted({ access_token: tokenWith({ exp: START / 1000 - 1 }) }));
  const signIn = make();
  await signIn.begin("");
  const { answer } = comesBack(`?code=c&state=${went[0].searchParams.get("state")}`);

  await assert.rejects(signIn.complete(answer), { code: "SIGN_IN", message: /has ended already\. If the clock of this device is wrong/ });
  assert.deepEqual([signIn.isSignedIn, storage.kept.size], [false, 0]);
});

test("an issuer that does not answer is waited for ten seconds", async () => {
  silent = true;

  await assert.rejects(make().begin(""), { message: "The issuer cannot be asked. The issuer did not answer in time. Try again in a while." });
  assert.deepEqual(patience, [10_000]);
});

for (const [name, token, left] of [
  ["its exp", tokenWith({ exp: (START + 100_000) / 1000, name: "ÿÿ>>??" }), 100_000],
  ["nothing, if it has none", tokenWith({}), HOUR],
  ["nothing, if it is opaque", "opaque", HOUR],
]) {
  test(`without expires_in a token's end is ${name}`, async () => {
    answers.push(granted({ access_token: token, expires_in: undefined, refresh_token: undefined }));
    const signIn = make();
    await signIn.begin("");
    await signIn.complete(comesBack(`?code=c&state=${went[0].searchParams.get("state")}`).answer);
    clock += left - 1;
    assert.equal(await make().token(), token);
    clock += left === HOUR ? 1000 * HOUR : 1;

    const token2 = await signIn.token().catch((problem) => problem.code);
    assert.equal(token2, left === HOUR ? token : "AUTH_TOKEN_EXPIRED");
  });
}

for (const [name, wrong] of [
  ["is another one", { issuer: "https://other.example" }],
  ["leads to a script", { authorization_endpoint: "javascript:alert(1)" }],
  ["leads nowhere", { authorization_endpoint: undefined }],
]) {
  test(`an issuer that ${name} is not gone to, and asked again the next time`, async () => {
    metadata.push(wrong);
    const signIn = make();

    await assert.rejects(signIn.begin(""), { code: "SIGN_IN", message: /^The issuer cannot be asked\. Try again;/ });
    assert.deepEqual([went, storage.kept.size], [[], 0]);
    await signIn.begin("");
    assert.equal(went.length, 1);
  });
}

test("a token that ended before a reload, and cannot be renewed, is no sign-in", async () => {
  answers.push(granted({ refresh_token: undefined }));
  const signIn = make();
  await signIn.begin("");
  await signIn.complete(comesBack(`?code=c&state=${went[0].searchParams.get("state")}`).answer);
  clock += 299_999;
  assert.equal(make().isSignedIn, true);
  clock += 1;

  assert.equal(make().isSignedIn, false);
});

// threat: read-on-the-way
test("an issuer elsewhere is asked over TLS only", async () => {
  await assert.rejects(make({ ...config, issuer: "http://issuer.example" }).begin(""), { code: "SIGN_IN" });
  assert.deepEqual([asked, went], [[], []]);
});
