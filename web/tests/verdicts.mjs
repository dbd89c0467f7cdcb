// For each line of the input, `{"from": "client" | "server", "value": …}`, writes what the guards say.
import { createInterface } from "node:readline";
import { isClientMessage, isGatewayMessage, isServerMessage } from "../protocol/messages.js";

for await (const line of createInterface({ input: process.stdin })) {
  const { from, value } = JSON.parse(line);
  const taken = from === "client" ? isClientMessage(value) : isServerMessage(value) || isGatewayMessage(value);
  process.stdout.write(`${taken}\n`);
}
