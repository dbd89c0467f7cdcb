// Writes as JSON what the AsyncAPI project's own parser says about, and finds in, the document.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const text = await readFile(new URL("../../docs/protocol/asyncapi.json", import.meta.url), "utf8");
const { document, diagnostics } = await new Parser().parse(text);
console.log(
  JSON.stringify({
    diagnostics: diagnostics.map(({ message, path }) => ({ message, path })),
    version: document?.version(),
    operations: Object.fromEntries(
      (document?.operations().all() ?? []).map((operation) => [
        operation.id(),
        {
          action: operation.action(),
          messages: operation.messages().all().map((message) => message.id()),
          reply: operation.reply()?.messages().all().map((message) => message.id()) ?? [],
        },
      ]),
    ),
  }),
);
