"""The documents of a stranger's API, judged by those who read them: jsonschema, AsyncAPI's parser, tsc."""

import json
import re
from pathlib import Path

import pytest
from helpline import app, messages
from jsonschema import Draft7Validator
from referencing import Registry, Resource

import node
from shared_utils import ValidationError, WebSocketHandler
from shared_utils_protocol import api_of, files

pytestmark = pytest.mark.slow

SERVERS = {
    "prod": {
        "host": "{apiId}.execute-api.eu-west-1.amazonaws.com",
        "pathname": "/prod",
        "protocol": "wss",
        "variables": {"apiId": {}},
    }
}
API = api_of(app.handler, title="The helpline", servers=SERVERS)
MADE = files(API, markdown=True)
SCHEMAS = {
    Path(name).name: json.loads(text) for name, text in MADE.items() if name.startswith("schemas/")
}
REGISTRY = Registry().with_resources(
    (name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)
ASYNCAPI = json.loads(MADE["asyncapi.json"])
EXAMPLES = json.loads(MADE["examples.json"])
DECLARED = {one.id: one.cls for one in API.messages if one.cls is not None}


def takes(schema, value):
    return Draft7Validator(SCHEMAS[schema], registry=REGISTRY).is_valid(value)


# --- which there are


def test_files_are_these():
    assert {name for name in MADE if not name.startswith("schemas/")} == {
        *("asyncapi.json", "examples.json", "types.ts", "messages.md", "errors.md")
    }
    assert {name.removesuffix(".json") for name in SCHEMAS} == {
        *(one.id for one in API.messages),
        *("fromClient", "toClient"),
    }


def test_references_are_left_out_unless_they_are_wanted():
    assert set(MADE) - set(files(API)) == {"messages.md", "errors.md"}


def test_server_that_hears_nothing_has_no_schema_for_it():
    only_server = api_of(messages, title="x")
    only_server.client.clear()

    made = files(only_server)

    assert "schemas/fromClient.json" not in made
    assert "export type ClientMessage = never;" in made["types.ts"]


# --- JSON Schema


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_schema_is_draft_7(name):
    Draft7Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("id_", list(EXAMPLES))
def test_schema_takes_the_example(id_):
    assert takes(f"{id_}.json", EXAMPLES[id_])


@pytest.mark.parametrize("id_", list(EXAMPLES))
def test_unions_take_the_examples_of_their_side_only(id_):
    side = "fromClient" if id_ in [one.id for one in API.client] else "toClient"

    assert [one for one in ("fromClient", "toClient") if takes(f"{one}.json", EXAMPLES[id_])] == [
        side
    ]


VALUES = [
    *(None, True, 0, 1, 1.5, 6, "", "calm", "high", "bill", "billing", "x" * 501, [], ["a"]),
    *([1], [[1]], ["a"] * 6, {}, {"name": "x"}, {"name": ""}, {"x": 1}, {"x": 6}),
    *({"text": "x", "author": {"name": "x"}, "answers": [{"text": 1}]}, "SOME_CODE"),
]


@pytest.mark.parametrize("id_", sorted(DECLARED))
def test_schema_takes_what_functions_take(id_):
    """Each field in turn takes every value, then is left out."""
    wire, cls = EXAMPLES[id_], DECLARED[id_]
    changed = [{**wire, name: value} for name in wire for value in VALUES]
    changed += [{other: wire[other] for other in wire if other != name} for name in wire]

    taken = [takes(f"{id_}.json", one) for one in changed]

    assert taken == [is_parsed(cls, one) for one in changed]
    assert True in taken
    assert False in taken


def is_parsed(cls, value):
    try:
        cls.from_dict(value)
    except ValidationError:
        return False
    return True


# --- AsyncAPI


def parsed(folder, text):
    """Return what the AsyncAPI project's own parser finds in a document."""
    path = folder / "asyncapi.json"
    path.write_text(text)
    return json.loads(node.run("tests/asyncapi.mjs", path).stdout)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return parsed(tmp_path_factory.mktemp("asyncapi"), MADE["asyncapi.json"])


def test_parser_has_nothing_to_say(found):
    assert (found["diagnostics"], found["version"]) == ([], "3.1.0")


def test_parser_has_nothing_to_say_of_the_least_document(tmp_path):
    handler = WebSocketHandler("Least")
    handler.route("ping")(lambda request: None)

    found = parsed(tmp_path, files(api_of(handler))["asyncapi.json"])

    assert (found["diagnostics"], list(found["operations"])) == ([], ["ping", "notify"])


def test_operations_are_the_routes_with_their_replies(found):
    assert {name: one["reply"] for name, one in found["operations"].items()} == {
        "openRoom": ["roomOpened", "error", "gatewayMessage"],
        "text_send": ["text_sent", "error", "gatewayMessage"],
        "closeRoom": ["error", "gatewayMessage"],
        "typing": ["error", "gatewayMessage"],
        "ping_me": ["error", "gatewayMessage"],
        "notify": [],
    }


def test_everything_may_come_unasked_unless_it_is_said(found):
    assert found["operations"]["notify"]["messages"] == [one.id for one in API.received]


def test_document_says_who_sends_what():
    operations = ASYNCAPI["operations"]

    assert operations["openRoom"]["description"] == "Sent by: customer."
    assert operations["closeRoom"]["description"] == "Sent by: agent."
    assert operations["typing"]["description"] == "Sent by: any."


def test_document_has_title_servers_and_subprotocol():
    headers = ASYNCAPI["channels"]["connection"]["bindings"]["ws"]["headers"]["properties"]

    assert ASYNCAPI["info"]["title"] == "The helpline"
    assert ASYNCAPI["servers"] == SERVERS
    assert headers["Sec-WebSocket-Protocol"] == {"type": "string", "const": "help.v1"}


def test_one_of_several_subprotocols_is_asked_for():
    api = api_of(messages, subprotocols=("a", "b"))

    document = json.loads(files(api)["asyncapi.json"])

    headers = document["channels"]["connection"]["bindings"]["ws"]["headers"]["properties"]
    assert headers["Sec-WebSocket-Protocol"] == {"type": "string", "enum": ["a", "b"]}


def test_document_lists_the_systems_codes():
    assert ASYNCAPI["x-error-codes"]["LINE_BUSY"] == {
        "status": 409,
        "sentence": "The room is full | try another",
        "retryable": False,
    }
    assert "| `LINE_CLOSED` | 503 | Nobody is here now | yes |" in ASYNCAPI["info"]["description"]
    assert "AUDIO_" not in MADE["asyncapi.json"]


def test_description_of_ones_own_stands_for_the_general_one():
    document = json.loads(files(api_of(messages, description="Ours."))["asyncapi.json"])

    assert document["info"]["description"] == "Ours."


def test_example_fits_exactly_one_message_of_the_channel():
    """Also where an action and a type have one name, and a server's message has an `action`."""
    root = {"components": {"schemas": ASYNCAPI["components"]["schemas"]}}
    payloads = {
        name: Draft7Validator({**root, **message["payload"]})
        for name, message in ASYNCAPI["components"]["messages"].items()
    }

    fitting = {
        id_: [name for name, payload in payloads.items() if payload.is_valid(example)]
        for id_, example in EXAMPLES.items()
    }

    assert fitting == {id_: [id_] for id_ in EXAMPLES}


# --- references


def test_reference_has_a_section_and_an_example_of_every_message():
    sections = re.findall(r"^### (\S+)\n.*?```json\n(.*?)```", MADE["messages.md"], re.M | re.S)

    assert [(name, json.loads(body)) for name, body in sections] == [
        (one.name, EXAMPLES[one.id]) for one in API.messages
    ]


@pytest.mark.parametrize(
    "line",
    [
        "From `customer`, at most 4,096 bytes; answered with `roomOpened`.",
        "From anyone, at most 20,000 bytes; answered with `text/sent`.",
        "From anyone, at most 131,072 bytes; no answer is declared.",
        "| `tags` | no | a list of up to 5 items, each text; default `[]` |",
        r"| `roomId` | yes | text that fits [a-z]+\|[0-9]*/ |",
        "| `priority` | no | one of 1, high, true or null |",
        "| `notes` | yes | a list of up to 1000 items, each an object: [Note](#note) |",
        "| `members` | no | an object of up to 1000 names, each an object: [Author](#author); default `{}` |",
        "| `code` | yes | a code of [errors.md](errors.md) |",
        "### Author",
    ],
)
def test_reference_says(line):
    assert line in MADE["messages.md"].splitlines()


def test_bar_in_a_sentence_does_not_end_its_cell():
    row = r"| `LINE_BUSY` | 409 | The room is full \| try another | no |"

    assert row in MADE["errors.md"].splitlines()


def test_words_are_said_in_place_of_a_pattern():
    pattern = SCHEMAS["closeRoom.json"]["properties"]["roomId"]["pattern"]

    made = files(api_of(messages, words={pattern: "a room"}), markdown=True)

    assert "| `roomId` | yes | a room |" in made["messages.md"].splitlines()


# --- TypeScript


def test_name_that_is_no_identifier_is_quoted():
    handler = WebSocketHandler("Dashes", selection="message-kind")
    handler.route("a-b")(lambda request: None)

    types = files(api_of(handler))["types.ts"]

    assert '  readonly "message-kind": "a-b";\n' in types
    assert '  "a-b": AB;\n' in types


def compile_with_types(folder, source):
    """Return what `tsc --strict` says about `source`, which may use the types."""
    (folder / "types.ts").write_text(MADE["types.ts"])
    file = folder / "consumer.ts"
    file.write_text(f'import type * as p from "./types";\nexport type {{ p }};\n{source}\n')
    options = ["--strict", "--noEmit", "--exactOptionalPropertyTypes", "--noUnusedLocals"]
    resolution = ["--module", "es2022", "--moduleResolution", "bundler", "--target", "es2024"]
    arguments = ["--ignoreConfig", *options, *resolution, "--types", "", str(file)]
    return node.run("node_modules/typescript/bin/tsc", *arguments, check=False).stdout


def test_types_take_every_example_and_narrow_by_the_tag(tmp_path):
    constants = "\n".join(
        f"export const x{number}: p.{one.type_name} = {json.dumps(one.example)};"
        for number, one in enumerate(API.messages)
    )
    source = """
export function describe(value: p.ServerMessage): string {
  if (value.type === "error") { const code: p.ErrorCode = value.code; return code; }
  if (value.type === "text/sent") return value.note.answers?.[0]?.author.name ?? "";
  return value.type === "roomOpened" ? Object.keys(value.members ?? {}).join() : value.names.join();
}
export const sent: p.ClientMessages["text/send"] =
  {action: "text/send", roomId: "a", text: "b", from: null, priority: true};
export const anything: p.PingMe = {action: "ping/me", more: [1]};
"""

    assert compile_with_types(tmp_path, constants + source) == ""


@pytest.mark.parametrize(
    "source",
    [
        pytest.param('export const x: p.OpenRoom = {action: "openRoom"};', id="missing"),
        pytest.param('export const x: p.ErrorCode = "AUDIO_QUALITY_LOW";', id="not-a-code-of-ours"),
        pytest.param('export const x: p.Note["answers"] = [{text: "a"}];', id="inside-a-list"),
        pytest.param('export const x: p.SendText["priority"] = 2;', id="not-in-the-literal"),
        pytest.param('export const x: p.Typing = {action: "typing", other: 1};', id="undeclared"),
        pytest.param("export const x: p.Author = {name: null};", id="null"),
    ],
)
def test_types_refuse(tmp_path, source):
    assert "error TS" in compile_with_types(tmp_path, source)
