import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfig } from "../core/config.js";

const URL = "wss://api.example/dev";
const SIGN_IN = { issuer: "https://issuer.example", clientId: "page", scope: "openid" };

for (const [name, config] of [
  ["an address with TLS", { url: URL }],
  ["one of this machine", { url: "ws://127.0.0.1:7/dev", sample: "sample.wav", operator: "operator" }],
  ["an issuer", { url: URL, ...SIGN_IN, listenersNeedToken: true }],
  ["an issuer of this machine", { url: "ws://localhost:7/dev", ...SIGN_IN, issuer: "http://127.0.0.1:8" }],
]) {
  test(`${name} is taken`, () => {
    assert.deepEqual(readConfig(JSON.stringify(config)), config);
  });
}

for (const [name, text, sentence] of [
  ["a page of another kind", "<!doctype html>", /config\.json is not JSON/],
  ["a list", "[]", /holds no object/],
  ["null", "null", /holds no object/],
  ["no url", "{}", /has no url, the address of the system/],
  ["an empty url", { url: "" }, /has no url/],
  ["a url that is none", { url: "api.example/dev" }, /url in config\.json must begin with wss:\/\/, or with ws:\/\/ on this machine/],
  ["a url elsewhere without TLS", { url: "ws://api.example/dev" }, /url .* must begin with wss:/],
  ["a url that the page's policy cannot name", { url: "ws://[::1]:7/dev" }, /url .* must begin with wss:/],
  ["an issuer alone", { url: URL, issuer: "https://i.example" }, /has issuer, and no clientId and no scope/],
  ["an issuer without scope", { url: URL, ...SIGN_IN, scope: undefined }, /has issuer and clientId, and no scope/],
  ["listeners who sign in nowhere", { url: URL, listenersNeedToken: true }, /has listenersNeedToken, and no issuer/],
  ["an issuer that is no address", { url: URL, ...SIGN_IN, issuer: "nonsense" }, /issuer .* must begin with https:/],
  ["an issuer elsewhere without TLS", { url: URL, ...SIGN_IN, issuer: "http://i.example" }, /issuer .* must begin with https:/],
  ["an issuer that the page's policy cannot name", { url: URL, ...SIGN_IN, issuer: "http://[::1]:8" }, /issuer .* must begin with https:/],
]) {
  test(`${name} is the page's fault, and said so`, () => {
    const given = typeof text === "string" ? text : JSON.stringify(text);

    assert.throws(() => readConfig(given), sentence);
    assert.throws(() => readConfig(given), /^Error: This page is not set up: .* Tell whoever runs the page/);
  });
}
