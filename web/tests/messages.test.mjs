import assert from "node:assert/strict";
import { test } from "node:test";
import { ProtocolError, isServerMessage, readMessage, whyNotClientMessage, writeMessage } from "../protocol/messages.js";

const audio = (characters) => ({ action: "sendAudio", audioData: "A".repeat(characters), sequenceNumber: 0, timestamp: 1 });

test("a frame that was received is read", () => {
  const message = readMessage('{"type":"heartbeatAck","timestamp":1,"more":null}');

  assert.equal(message.type, "heartbeatAck");
});

for (const [name, text, reason] of [
  ["no JSON", "{", /must be JSON/],
  ["no object", "[]", /must be an object/],
  ["no discriminator", "{}", /type is required/],
  ["a name of Object's own", '{"type":"constructor"}', /type is not known/],
  ["a null", '{"type":"heartbeatAck","timestamp":null}', /timestamp must be integer/],
  ["a field inside", '{"type":"speakerStateChanged","timestamp":1,"sessionId":"a-b-123","broadcastState":{"isPaused":1}}', /broadcastState.isMuted is required/],
  ["half a gateway message", '{"connectionId":"c"}', /message is required/],
]) {
  test(`a received frame is refused for ${name}`, () => {
    assert.throws(() => readMessage(text), (error) => error instanceof ProtocolError && reason.test(error.message));
  });
}

test("a prototype's fields are not the message's own", () => {
  assert.equal(isServerMessage(Object.create({ type: "heartbeatAck", timestamp: 1 })), false);
});

test("a state that changes nothing is refused", () => {
  assert.match(whyNotClientMessage({ action: "speakerStateChange", state: {} }), /isPaused or isMuted or volume/);
});

test("the largest chunk fits its frame", () => {
  assert.ok(writeMessage(audio(32000)).length < 32768);
});

test("one group of base64 more is refused", () => {
  assert.throws(() => writeMessage(audio(32004)), /audioData must have 136 to 32000 characters/);
});

test("a control message holds 4,096 bytes and no more", () => {
  const bare = JSON.stringify({ action: "heartbeat", more: "" }).length;

  assert.equal(writeMessage({ action: "heartbeat", more: "x".repeat(4096 - bare) }).length, 4096);
  assert.throws(() => writeMessage({ action: "heartbeat", more: "x".repeat(4097 - bare) }), /at most 4096 bytes/);
});

test("a message's size is that of its bytes", () => {
  assert.throws(() => writeMessage({ action: "heartbeat", more: "é".repeat(2040) }), /at most 4096 bytes/);
});
