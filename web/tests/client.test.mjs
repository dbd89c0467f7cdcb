import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Client, Problem } from "../core/client.js";

const CREATED = {
  type: "sessionCreated", timestamp: 1, sessionId: "golden-eagle-427", sourceLanguage: "en", qualityTier: "standard",
  audioFormat: {}, expiresAt: 2, refreshToken: "token",
};
const CREATE = { action: "createSession", sourceLanguage: "en" };
const COMPLETE = {
  type: "connectionRefreshComplete", timestamp: 1, sessionId: "golden-eagle-427", role: "speaker", refreshToken: "next",
};
const REFRESH = { type: "connectionRefreshRequired", timestamp: 1, sessionId: "golden-eagle-427", expiresIn: 60 };
const error = (code, retryable) => ({ type: "error", timestamp: 1, code, message: `about ${code}`, retryable });

class FakeSocket {
  sent = [];
  bufferedAmount = 0;
  closed = false;
  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.closed = true;
  }
  answer(message) {
    this.onmessage({ data: JSON.stringify({ ...message, requestId: this.sent.at(-1).requestId }) });
  }
  receive(message) {
    this.onmessage({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }
  breaks() {
    this.onclose({ code: 1006 });
  }
}

let world, client, states, messages, problems;

beforeEach(() => {
  world = {
    sockets: [], timers: new Set(), random: () => 1, clock: () => 0,
    open: (url, protocols) => world.sockets[world.sockets.push(new FakeSocket(url, protocols)) - 1],
    origin: "http://page.example", token: async () => null, returnToken: async () => null,
    setTimer: (run, ms) => {
      const timer = { run, ms };
      world.timers.add(timer);
      return timer;
    },
    clearTimer: (timer) => world.timers.delete(timer),
  };
  states = [];
  messages = [];
  problems = [];
  client = new Client("ws://here/dev", world, {
    state: (state) => states.push(state),
    message: (message) => messages.push(message.type),
    problem: (problem) => problems.push(`${problem.code}: ${problem.message}`),
  });
});

/** Let promises that can go on, go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Run the timer of so many milliseconds. */
async function elapse(ms) {
  const timer = [...world.timers].find((one) => one.ms === ms);
  assert.ok(timer, `a timer of ${ms} ms among ${[...world.timers].map((one) => one.ms)}`);
  world.timers.delete(timer);
  timer.run();
  await settle();
}

async function opens(socket) {
  socket.onopen({});
  await settle();
}

async function begun() {
  const promise = client.begin(CREATE);
  await settle();
  await opens(world.sockets[0]);
  world.sockets[0].answer(CREATED);
  await promise;
  return world.sockets[0];
}

/** Break the connection, wait, and open the next. */
async function reconnected(socket, backoff = 500) {
  socket.breaks();
  await settle();
  await elapse(backoff);
  const next = world.sockets.at(-1);
  await opens(next);
  return next;
}

test("a session is created over the sub-protocol, and its reply is the one with the request's id", async () => {
  const promise = client.begin(CREATE);
  await settle();
  const [socket] = world.sockets;
  await opens(socket);
  socket.receive({ type: "heartbeatAck", timestamp: 1, requestId: "another" });
  socket.answer(CREATED);

  assert.equal((await promise).sessionId, "golden-eagle-427");
  assert.deepEqual(socket.protocols, ["websocket-audio.v1"]);
  assert.deepEqual(states, ["connecting", "open"]);
  assert.deepEqual(messages, ["heartbeatAck", "sessionCreated"]);
});

test("a server that is not there is tried once more, and then given up", async () => {
  const promise = assert.rejects(client.begin(CREATE), /could not be opened: .*, or refuses pages of http:\/\/page\.example\. Try again; .*ALLOWED_ORIGINS/);
  await settle();
  world.sockets[0].breaks();
  await settle();
  await elapse(500);
  world.sockets[1].breaks();

  await promise;
  assert.equal(world.sockets.length, 2);
});

test("a connection that neither opens nor fails is given up after ten seconds, with a sentence", async () => {
  const promise = assert.rejects(client.begin(CREATE), { code: "TIMEOUT", message: /did not answer within 10 seconds\. Check your network/ });
  await settle();
  await elapse(10_000);

  await promise;
  assert.equal(world.sockets.length, 1);
  assert.ok(world.sockets[0].closed);
  assert.equal(world.timers.size, 0);
});

test("after a break it is tried again if one does not open", async () => {
  const socket = await begun();
  socket.breaks();
  await settle();
  await elapse(500);
  await elapse(10_000);
  assert.ok(world.sockets[1].closed);
  await elapse(1000);

  assert.equal(world.sockets.length, 3);
  assert.deepEqual(problems, []);
});

test("what may be retried is asked again, with a new id and after a wait", async () => {
  const socket = await begun();
  const promise = client.request({ action: "pauseBroadcast" });
  const [first] = socket.sent.slice(-1);
  socket.answer(error("RATE_LIMIT_CONTROL_MESSAGES", true));
  await settle();
  await elapse(500);

  assert.notEqual(socket.sent.at(-1).requestId, first.requestId);
  socket.answer({ type: "broadcastPaused", timestamp: 1, sessionId: "golden-eagle-427" });
  assert.equal((await promise).type, "broadcastPaused");
});

test("what may be retried is not before the server says so", async () => {
  const socket = await begun();
  const promise = client.request({ action: "pauseBroadcast" });
  socket.answer({ ...error("RATE_LIMIT_CONTROL_MESSAGES", true), details: { retryAfterMs: 900 } });
  await settle();
  await elapse(900);

  socket.answer({ type: "broadcastPaused", timestamp: 1, sessionId: "golden-eagle-427" });
  assert.equal((await promise).type, "broadcastPaused");
});

test("who would have to wait long is told how long instead", async () => {
  const socket = await begun();
  const promise = assert.rejects(client.request({ action: "pauseBroadcast" }), { code: "RATE_LIMIT_EXCEEDED", retryAfterMs: 45_000 });
  socket.answer({ ...error("RATE_LIMIT_EXCEEDED", true), details: { retryAfterMs: 45_000 } });

  await promise;
  assert.equal(socket.sent.filter((one) => one.action === "pauseBroadcast").length, 1);
});

test("it is asked four times at most", async () => {
  const socket = await begun();
  const promise = assert.rejects(client.request({ action: "pauseBroadcast" }), { code: "INTERNAL_SERVER_ERROR" });
  for (const ms of [500, 1000, 2000]) {
    socket.answer(error("INTERNAL_SERVER_ERROR", true));
    await settle();
    await elapse(ms);
  }
  socket.answer(error("INTERNAL_SERVER_ERROR", true));

  await promise;
  assert.equal(socket.sent.filter((one) => one.action === "pauseBroadcast").length, 4);
});

test("a language that is taken is said at once", async () => {
  const socket = await begun();
  const promise = assert.rejects(client.request({ action: "pauseBroadcast" }), { code: "SESSION_LANGUAGE_TAKEN" });
  socket.answer(error("SESSION_LANGUAGE_TAKEN", true));

  await promise;
});

test("what may not be retried is not", async () => {
  const socket = await begun();
  const promise = assert.rejects(client.request({ action: "setVolume", volumeLevel: 0.5 }), { code: "AUTH_INVALID_ROLE", message: "about AUTH_INVALID_ROLE" });
  socket.answer(error("AUTH_INVALID_ROLE", false));

  await promise;
  assert.equal(socket.sent.filter((one) => one.action === "setVolume").length, 1);
});

test("a request without an answer ends after ten seconds", async () => {
  await begun();
  const promise = assert.rejects(client.request({ action: "getSessionStatus" }), { code: "TIMEOUT" });
  await elapse(10_000);

  await promise;
});

test("a message that the functions would refuse is not sent", async () => {
  const socket = await begun();

  await assert.rejects(client.request({ action: "setVolume", volumeLevel: 2 }), /volumeLevel must be from 0 to 1/);
  assert.equal(socket.sent.length, 1);
});

test("after a break the session is taken over with its token", async () => {
  const next = await reconnected(await begun());

  const { requestId, ...message } = next.sent[0];
  assert.deepEqual(message, { action: "refreshConnection", sessionId: "golden-eagle-427", refreshToken: "token" });
  next.answer(COMPLETE);
  await settle();
  assert.deepEqual(states, ["connecting", "open", "waiting", "connecting", "open"]);
});

test("each break is survived with the token that came last, and life is shown at once", async () => {
  const next = await reconnected(await begun());
  next.answer({ type: "connectionRefreshComplete", timestamp: 1, sessionId: "golden-eagle-427", role: "speaker", refreshToken: "wsr_a.next" });
  await settle();
  assert.deepEqual(next.sent.map((message) => message.action), ["refreshConnection", "heartbeat"]);

  const { requestId, ...message } = (await reconnected(next)).sent[0];
  assert.deepEqual(message, { action: "refreshConnection", sessionId: "golden-eagle-427", refreshToken: "wsr_a.next" });
});

test("requests that a break leaves without an answer fail at once", async () => {
  const socket = await begun();
  const promise = assert.rejects(client.request({ action: "pauseBroadcast" }), { code: "CONNECTION_LOST" });
  socket.breaks();

  await promise;
});

test("it tries again and again, up to fifteen seconds apart, and at once when the network is back", async () => {
  let socket = await begun();
  for (const ms of [500, 1000, 2000, 4000, 8000, 15000, 15000]) {
    socket.breaks();
    await settle();
    await elapse(ms);
    socket = world.sockets.at(-1);
  }
  socket.breaks();
  await settle();
  const before = world.sockets.length;
  client.hurry();
  await settle();

  assert.equal(world.sockets.length, before + 1);
});

test("a session that is gone is not asked for again", async () => {
  const next = await reconnected(await begun());
  next.answer(error("SESSION_NOT_FOUND", false));
  await settle();

  assert.deepEqual(problems, ["SESSION_NOT_FOUND: about SESSION_NOT_FOUND"]);
  assert.equal(states.at(-1), "ended");
  assert.ok(next.closed);
});

test("a server that fails to take over is asked again", async () => {
  const next = await reconnected(await begun());
  next.answer(error("INTERNAL_DATABASE_ERROR", true));
  await settle();
  await elapse(1000);

  assert.equal(world.sockets.length, 3);
  assert.deepEqual(problems, []);
});

test("a refresh opens the next connection before it closes the old one", async () => {
  const socket = await begun();
  socket.receive(REFRESH);
  await settle();
  const next = world.sockets[1];
  await opens(next);
  assert.ok(client.send({ action: "sendAudio", audioData: "A".repeat(136), sequenceNumber: 0, timestamp: 1 }));
  assert.equal(socket.sent.at(-1).action, "sendAudio");
  assert.equal(socket.closed, false);

  next.answer(COMPLETE);
  await settle();
  assert.deepEqual([socket.closed, next.closed], [true, false]);
  socket.breaks();
  await settle();
  assert.equal(world.sockets.length, 2);
  assert.deepEqual(states, ["connecting", "open", "open"]);
});

test("an address to refresh at is used", async () => {
  const socket = await begun();
  socket.receive({ type: "connectionRefresh", timestamp: 1, sessionId: "golden-eagle-427", expiresIn: 60, newConnectionUrl: "ws://there/dev" });
  await settle();

  assert.equal(world.sockets[1].url, "ws://there/dev");
});

test("an old connection that ends during a refresh is not missed", async () => {
  const socket = await begun();
  socket.receive(REFRESH);
  await settle();
  const next = world.sockets[1];
  await opens(next);
  socket.breaks();
  next.answer(COMPLETE);
  await settle();

  assert.equal(states.at(-1), "open");
  assert.equal(world.sockets.length, 2);
});

test("a heartbeat goes out every thirty seconds, and no answer is a broken connection", async () => {
  const socket = await begun();
  await elapse(30_000);
  assert.equal(socket.sent.at(-1).action, "heartbeat");
  socket.answer({ type: "heartbeatAck", timestamp: 1 });
  await settle();
  await elapse(30_000);
  await elapse(10_000);

  assert.ok(socket.closed);
  assert.equal(states.at(-1), "waiting");
});

async function interpreting() {
  const promise = client.begin({ action: "joinAsInterpreter", sessionId: "golden-eagle-427", language: "de", interpreterKey: "abcdefgh2345" });
  await settle();
  await opens(world.sockets[0]);
  const state = { isPaused: false, isMuted: false, volume: 1 };
  world.sockets[0].answer({ ...CREATED, type: "interpreterReady", language: "de", broadcastState: state });
  await promise;
  return world.sockets[0];
}

test("an interpreter's heartbeat goes out every three seconds, from the start", async () => {
  const socket = await interpreting();
  await elapse(3_000);
  socket.answer({ type: "heartbeatAck", timestamp: 1 });
  await settle();
  await elapse(3_000);

  assert.deepEqual(socket.sent.map((one) => one.action), ["joinAsInterpreter", "heartbeat", "heartbeat"]);
});

test("an interpreter whose heartbeat finds no session any more comes back by another connection", async () => {
  const socket = await interpreting();
  await elapse(3_000);
  socket.answer(error("CONNECTION_CLOSED", false));
  await settle();
  await elapse(500);
  await opens(world.sockets[1]);
  world.sockets[1].answer({ ...COMPLETE, role: "interpreter" });
  await settle();

  assert.ok(socket.closed);
  assert.equal(states.at(-1), "open");
  assert.deepEqual(problems, []);
});

for (const [code, isRetryable, sentence] of [
  ["AUTH_TOKEN_INVALID", false, /^AUTH_TOKEN_INVALID: The speaker ended your channel/],
  ["SESSION_LANGUAGE_TAKEN", true, /^SESSION_LANGUAGE_TAKEN: .*another interpreter has your language now\.$/],
]) {
  test(`an interpreter whose return is refused with ${code} does not try again`, async () => {
    const next = await reconnected(await interpreting());
    next.answer(error(code, isRetryable));
    await settle();

    assert.match(problems.join(), sentence);
    assert.equal(states.at(-1), "ended");
    assert.ok(next.closed);
  });
}

test("a caption goes out, and nothing is waited for", async () => {
  const socket = await interpreting();

  assert.ok(client.send({ action: "sendCaption", segmentId: "1", text: "Guten Tag", isFinal: true }));
  assert.equal(socket.sent.at(-1).text, "Guten Tag");
  assert.equal(world.timers.size, 1);
});

const FINAL = { action: "sendCaption", segmentId: "1", text: "Guten Tag.", isFinal: true };
const captionsTo = (socket) => socket.sent.filter((one) => one.action === "sendCaption");

test("a caption that must not be lost has been sent after three seconds without an error", async () => {
  const socket = await interpreting();
  const promise = client.deliver(FINAL);
  assert.ok(socket.sent.at(-1).requestId);
  await settle();
  const beat = [...world.timers].find((one) => one.ms === 3_000);
  world.timers.delete(beat); // of the heartbeat, which is as long
  await elapse(3_000);

  await promise;
  assert.equal(captionsTo(socket).length, 1);
});

test("a caption that is refused for the moment is sent again, and one that is refused for good is thrown", async () => {
  const socket = await interpreting();
  const promise = assert.rejects(client.deliver(FINAL), { code: "AUTH_INVALID_ROLE" });
  for (const [code, ms] of [["INTERNAL_DATABASE_ERROR", 500], ["RATE_LIMIT_EXCEEDED", 1000]]) {
    socket.answer(error(code, true));
    await settle();
    await elapse(ms);
  }
  socket.answer(error("AUTH_INVALID_ROLE", false));

  await promise;
  assert.equal(captionsTo(socket).length, 3);
  assert.deepEqual(problems, []);
});

test("a caption is sent four times at most", async () => {
  const socket = await interpreting();
  const promise = assert.rejects(client.deliver(FINAL), { code: "INTERNAL_DATABASE_ERROR" });
  for (const ms of [500, 1000, 2000]) {
    socket.answer(error("INTERNAL_DATABASE_ERROR", true));
    await settle();
    await elapse(ms);
  }
  socket.answer(error("INTERNAL_DATABASE_ERROR", true));

  await promise;
  assert.equal(captionsTo(socket).length, 4);
});

test("a caption during which the connection broke is sent again when there is another", async () => {
  const socket = await interpreting();
  void client.deliver(FINAL);
  socket.breaks();
  await settle();
  const [backOff, reconnection] = [...world.timers].filter((one) => one.ms === 500).reverse();
  world.timers.delete(backOff);
  backOff.run();
  world.timers.delete(reconnection);
  reconnection.run();
  await settle();
  await opens(world.sockets[1]);
  world.sockets[1].answer({ ...COMPLETE, role: "interpreter" });
  await settle();

  assert.deepEqual(captionsTo(world.sockets[1]).map(({ text }) => text), ["Guten Tag."]);
});

test("a caption that waits for a connection is thrown when the session has ended", async () => {
  const socket = await interpreting();
  const promise = assert.rejects(client.deliver(FINAL), { code: "CONNECTION_LOST" });
  socket.breaks();
  await settle();
  const backOff = [...world.timers].findLast((one) => one.ms === 500);
  backOff.run();
  await settle();
  client.end();

  await promise;
});

test("a message of the gateway's own fails the one request that waits", async () => {
  const socket = await begun();
  const promise = assert.rejects(client.request({ action: "pauseBroadcast" }), { code: "GATEWAY", message: /Internal server error/ });
  socket.receive({ message: "Internal server error", connectionId: "c", requestId: "theirs" });

  await promise;
  assert.deepEqual(problems, []);
});

test("if nobody or several wait, it is only told", async () => {
  const socket = await begun();
  socket.receive({ message: "Forbidden", connectionId: "c" });

  assert.deepEqual(problems, ["GATEWAY: The gateway says: Forbidden"]);
});

test("what is not understood is told, and hurts nobody", async () => {
  const socket = await begun();
  socket.receive("{");
  socket.receive({ type: "heartbeatAck", timestamp: "x" });

  assert.equal(problems.length, 2);
  assert.match(problems[1], /timestamp must be integer/);
  assert.equal(states.at(-1), "open");
});

test("an error that nobody waits for is told", async () => {
  const socket = await begun();
  socket.receive(error("RATE_LIMIT_AUDIO_CHUNKS", true));

  assert.deepEqual(problems, ["RATE_LIMIT_AUDIO_CHUNKS: about RATE_LIMIT_AUDIO_CHUNKS"]);
});

test("audio is left out while there is no connection, or too much waits", async () => {
  const chunk = { action: "sendAudio", audioData: "A".repeat(136), sequenceNumber: 0, timestamp: 1 };
  const socket = await begun();
  socket.bufferedAmount = 1_000_001;
  assert.equal(client.send(chunk), false);
  socket.bufferedAmount = 0;
  assert.equal(client.send(chunk), true);
  socket.breaks();
  assert.equal(client.send(chunk), false);
});

test("a session that ends closes the connection for good", async () => {
  const socket = await begun();
  socket.receive({ type: "sessionEnded", timestamp: 1, sessionId: "golden-eagle-427", reason: "speakerEnded" });
  socket.breaks();
  await settle();

  assert.equal(states.at(-1), "ended");
  assert.equal(world.sockets.length, 1);
  assert.equal(world.timers.size, 0);
});

test("who leaves while waiting for the next attempt makes none", async () => {
  const socket = await begun();
  socket.breaks();
  await settle();
  client.end();
  await settle();

  assert.equal(world.sockets.length, 1);
  assert.equal(world.timers.size, 0);
});

// --- tokens

// threat: ws-token
test("an access token goes along as a sub-protocol, the one of the moment", async () => {
  let number = 0;
  world.token = world.returnToken = async () => `token-${++number}`;
  const next = await reconnected(await begun());

  assert.deepEqual(world.sockets[0].protocols, ["websocket-audio.v1", "bearer.token-1"]);
  assert.deepEqual(next.protocols, ["websocket-audio.v1", "bearer.token-2"]);
});

test("a session outlives the sign-in that began it, where who comes back needs no token", async () => {
  world.token = async () => "token";
  const socket = await begun();
  world.token = () => Promise.reject(new Problem("AUTH_TOKEN_EXPIRED", "Your sign-in has expired.", false));
  const next = await reconnected(socket);
  next.answer(COMPLETE);
  await settle();

  assert.deepEqual(next.protocols, ["websocket-audio.v1"]);
  assert.deepEqual([states.at(-1), problems], ["open", []]);
});

test("where who comes back needs a token too, the person learns what is lost with it", async () => {
  const socket = await begun();
  world.returnToken = () => Promise.reject(new Problem("AUTH_TOKEN_EXPIRED", "Your sign-in has expired.", false));
  socket.breaks();
  await settle();
  await elapse(500);

  assert.match(problems.join(), /^AUTH_TOKEN_EXPIRED: The connection broke, and your sign-in has ended: you cannot come back to this session/);
  assert.deepEqual([states.at(-1), world.sockets.length], ["ended", 1]);
});

test("who has no token learns why, and nothing is opened", async () => {
  world.token = () => Promise.reject(new Problem("AUTH_TOKEN_EXPIRED", "Your sign-in has expired. Sign in again.", false));

  await assert.rejects(client.begin(CREATE), { code: "AUTH_TOKEN_EXPIRED" });
  assert.equal(world.sockets.length, 0);
});

test("a sign-in that has ended does not end a connection that still works", async () => {
  const socket = await begun();
  world.returnToken = () => Promise.reject(new Problem("AUTH_TOKEN_EXPIRED", "Your sign-in has expired.", false));
  socket.receive(REFRESH);
  await settle();

  assert.match(problems.join(), /^AUTH_TOKEN_EXPIRED: Your sign-in has ended\. The session goes on, but/);
  assert.deepEqual([states.at(-1), socket.closed, world.sockets.length], ["open", false, 1]);
});

test("a token that cannot be had just now is asked for again", async () => {
  const answers = [() => Promise.reject(new Problem("SIGN_IN", "No answer", true)), async () => "token"];
  const socket = await begun();
  world.returnToken = () => answers.shift()();
  socket.breaks();
  await settle();
  await elapse(500);
  assert.equal(world.sockets.length, 1);
  await elapse(1000);

  assert.deepEqual(world.sockets[1].protocols, ["websocket-audio.v1", "bearer.token"]);
});

test("a sign-in that is refused is named among what it may be", async () => {
  world.token = async () => "token";
  const promise = assert.rejects(client.begin(CREATE), /refuses your sign-in, or pages of http:\/\/page\.example/);
  await settle();
  world.sockets[0].breaks();
  await settle();
  await elapse(500);
  world.sockets[1].breaks();

  await promise;
});

// --- refresh tokens, each for one use

const tokenOf = (socket) => socket.sent.find((one) => one.action === "refreshConnection")?.refreshToken;

// threat: ws-rotation
test("the next token is kept, and used the next time", async () => {
  let socket = await reconnected(await begun());
  socket.answer(COMPLETE);
  await settle();
  socket = await reconnected(socket);
  socket.answer({ ...COMPLETE, refreshToken: "third" });
  await settle();
  const last = await reconnected(socket);

  assert.deepEqual(world.sockets.slice(1).map(tokenOf), ["token", "next", "third"]);
  assert.equal(tokenOf(last), "third");
});

test("an answer that got lost leaves the old token, which is tried again when the connection is closed", async () => {
  const lost = await reconnected(await begun());
  await elapse(10_000);
  assert.ok(lost.closed);
  assert.equal(world.sockets.length, 2);
  await elapse(1000);
  await opens(world.sockets.at(-1));

  assert.deepEqual(world.sockets.slice(1).map(tokenOf), ["token", "token"]);
  assert.equal(lost.onmessage, null);
});

test("no two connections use one token at the same time", async () => {
  const socket = await begun();
  socket.receive(REFRESH);
  socket.receive({ ...REFRESH, type: "connectionRefresh", newConnectionUrl: "ws://there/dev" });
  socket.breaks();
  client.hurry();
  await settle();
  await opens(world.sockets[1]);
  socket.onclose({ code: 1006 });
  client.hurry();
  await settle();

  assert.equal(world.sockets.length, 2);
  assert.deepEqual(world.sockets.map(tokenOf), [undefined, "token"]);
});

test("a heartbeat is the first message of a connection that has taken over", async () => {
  const chunk = { action: "sendAudio", audioData: "A".repeat(136), sequenceNumber: 0, timestamp: 1 };
  const socket = await begun();
  states.push = () => client.send(chunk); // as soon as it hears of the change
  socket.receive(REFRESH);
  await settle();
  const [, next] = world.sockets;
  await opens(next);
  next.answer(COMPLETE);
  await settle();

  assert.deepEqual(next.sent.map((one) => one.action), ["refreshConnection", "heartbeat", "sendAudio"]);
});

test("a token that was used elsewhere ends it, once and with a sentence", async () => {
  const next = await reconnected(await begun());
  next.answer(error("AUTH_TOKEN_INVALID", false));
  await settle();

  assert.deepEqual(problems, ["AUTH_TOKEN_INVALID: This session was taken over elsewhere, or the break was too long."]);
  assert.equal(states.at(-1), "ended");
  assert.equal(world.sockets.length, 2);
  assert.equal(world.timers.size, 0);
});

test("whose token is used elsewhere is ended, and does not try to come back", async () => {
  const socket = await begun();
  socket.receive(error("AUTH_TOKEN_INVALID", false));
  socket.breaks();
  await settle();

  assert.deepEqual(problems, ["AUTH_TOKEN_INVALID: This session was taken over elsewhere: its token was used there."]);
  assert.equal(states.at(-1), "ended");
  assert.equal(world.sockets.length, 1);
  assert.equal(world.timers.size, 0);
});

test("who leaves while the next connection opens does not take over", async () => {
  const socket = await begun();
  socket.receive(REFRESH);
  await settle();
  client.end();
  await opens(world.sockets[1]);

  assert.ok(world.sockets[1].closed);
  assert.deepEqual(world.sockets[1].sent, []);
});

/** A page that was loaded again, and its first connection. */
async function comesBack(isInterpreter = false) {
  const promise = client.comeBack({ sessionId: "golden-eagle-427", refreshToken: "kept" }, isInterpreter);
  await settle();
  return { promise, socket: world.sockets[0] };
}

test("a page that was loaded again is back with the token that it kept, and has the next one", async () => {
  const tickets = [];
  client = new Client("ws://here/dev", world, { state: (state) => states.push(state), message: () => {}, problem: () => {}, ticket: (one) => tickets.push(one) });
  const { promise, socket } = await comesBack();
  assert.deepEqual(tickets, []);
  await opens(socket);
  assert.deepEqual(tickets, [null]);
  socket.answer(COMPLETE);
  await promise;

  assert.equal(socket.sent[0].refreshToken, "kept");
  assert.equal(socket.sent[1].action, "heartbeat");
  assert.deepEqual(tickets, [null, { sessionId: "golden-eagle-427", refreshToken: "next" }]);
  assert.deepEqual(states, ["connecting", "open"]);
});

test("a page that was loaded again while nothing can be reached goes on trying", async () => {
  const { promise, socket } = await comesBack();
  socket.breaks();
  await settle();
  await elapse(500);
  await opens(world.sockets[1]);
  world.sockets[1].answer(COMPLETE);
  await promise;

  assert.deepEqual(states, ["connecting", "waiting", "connecting", "open"]);
});

test("a page that was loaded again too late says so", async () => {
  const { promise, socket } = await comesBack();
  await opens(socket);
  socket.answer(error("AUTH_TOKEN_INVALID", false));
  await promise;

  assert.deepEqual(problems, ["AUTH_TOKEN_INVALID: This session was taken over elsewhere, or the break was too long."]);
  assert.equal(client.state, "ended");
});

test("how long a request waits is known, and a caption waits for nothing", async () => {
  const socket = await begun();
  world.clock = () => 5_000;
  assert.equal(client.unansweredMs, 0);
  void client.deliver({ action: "sendCaption", segmentId: "1", text: "a", isFinal: true });
  const asked = client.request({ action: "getSessionStatus" });
  world.clock = () => 8_500;

  assert.equal(client.unansweredMs, 3_500);
  socket.answer(error("SESSION_NOT_FOUND", false));
  await assert.rejects(asked, { code: "SESSION_NOT_FOUND" });
});

test("a connection that may be broken is asked at once, and once", async () => {
  const socket = await begun();
  client.check();
  client.check();

  assert.deepEqual(socket.sent.map(({ action }) => action), ["createSession", "heartbeat"]);
});

test("a page that was loaded again after the end says that the session has ended", async () => {
  const { promise, socket } = await comesBack();
  await opens(socket);
  socket.answer(error("SESSION_INACTIVE", false));
  await promise;

  assert.deepEqual(problems, ["ENDED: The session has ended."]);
});
