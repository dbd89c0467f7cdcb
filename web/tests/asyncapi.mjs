// Writes as JSON what the AsyncAPI project's own parser says about, and finds in, a document's file.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const text = await readFile(process.argv[2], "utf8");
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
