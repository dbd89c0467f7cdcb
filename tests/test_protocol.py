"""The published protocol: current, valid, and the same that the functions take."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from changed_messages import INTERESTING, JSON_VALUES
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from referencing import Registry, Resource

import audio_protocol
import generate
import node
from broadcast.settings import BroadcastSettings
from shared_utils import error_codes
from shared_utils import websocket_messages as m
from shared_utils.validators import ValidationError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
DOCUMENTS = ROOT / "docs" / "protocol"
API = audio_protocol.api()
ACTIONS: dict[str, Any] = m.CLIENT_MESSAGES  # each with its reply and its sender
DECLARED = [(action.reply, action.sender) for action in ACTIONS.values()]
CLIENT, SERVER, RECEIVED = API.client, API.server, API.received
# Those that are not in git, as `make docs` would write them.
MADE = audio_protocol.documents()
ASYNCAPI = json.loads(MADE["asyncapi.json"])
EXAMPLES = json.loads(MADE["examples.json"])
SCHEMAS = {
    Path(name).name: json.loads(text) for name, text in MADE.items() if name.startswith("schemas/")
}
REGISTRY = Registry().with_resources(
    (name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)
FROM_CLIENT = [message.name for message in CLIENT]
TO_CLIENT = [message.name for message in RECEIVED]


def by_name(names):
    return [pytest.param(EXAMPLES[name], id=name) for name in names]


# --- the files


def test_no_generated_file_is_stale():
    wanted = generate.wanted_files()

    assert [path.name for path, text in wanted.items() if path.read_text() != text] == []


def test_documents_that_are_not_in_git_are_written_to_a_folder(tmp_path):
    generate.write_documents(tmp_path)

    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert written == set(MADE)
    assert (tmp_path / "asyncapi.json").read_text() == MADE["asyncapi.json"]


def test_every_declared_message_has_an_example_and_a_schema():
    assert set(EXAMPLES) == {*m.CLIENT_MESSAGES, *m.SERVER_MESSAGES, "gatewayMessage"}
    assert {name.removesuffix(".json") for name in SCHEMAS} == {*EXAMPLES, "fromClient", "toClient"}


@pytest.mark.parametrize("example", by_name(FROM_CLIENT))
def test_functions_take_the_example(example):
    assert m.parse_message(json.dumps(example)).to_dict() == example


@pytest.mark.parametrize("example", by_name(TO_CLIENT))
def test_clients_take_the_example(example):
    assert m.parse_server_message(json.dumps(example)).to_dict() == example


# --- JSON Schema


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_schema_is_draft_7(name):
    Draft7Validator.check_schema(SCHEMAS[name])

    assert SCHEMAS[name]["$schema"] == "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_union_takes_the_examples_of_its_side_only(name):
    takes = {
        union: Draft7Validator(SCHEMAS[union], registry=REGISTRY).is_valid(EXAMPLES[name])
        for union in ("fromClient.json", "toClient.json")
    }

    assert takes == {
        "fromClient.json": name in FROM_CLIENT,
        "toClient.json": name in TO_CLIENT,
    }


# --- AsyncAPI


@pytest.fixture(scope="module")
def parsed(tmp_path_factory):
    """Return what the AsyncAPI project's own parser finds in the document."""
    path = tmp_path_factory.mktemp("protocol") / "asyncapi.json"
    path.write_text(MADE["asyncapi.json"])
    return json.loads(node.run("tests/asyncapi.mjs", path).stdout)


def test_asyncapi_parser_has_nothing_to_say(parsed):
    assert parsed["diagnostics"] == []
    assert parsed["version"] == "3.1.0"


def test_server_receives_every_action_and_sends_the_rest(parsed):
    received = {
        name: operation["messages"]
        for name, operation in parsed["operations"].items()
        if operation["action"] == "receive"
    }
    answers = {name for one in parsed["operations"].values() for name in one["reply"]}

    assert received == {name: [name] for name in m.CLIENT_MESSAGES}
    assert answers | set(parsed["operations"]["notify"]["messages"]) == set(TO_CLIENT)


@pytest.mark.parametrize(
    ("action", "reply"),
    [
        pytest.param("createSession", ["sessionCreated", "error", "gatewayMessage"], id="answered"),
        pytest.param("sendAudio", ["error", "gatewayMessage"], id="only-refused"),
    ],
)
def test_operation_names_its_reply(parsed, action, reply):
    assert parsed["operations"][action]["reply"] == reply


def test_what_is_for_its_sender_alone_never_comes_unasked(parsed):
    alone = set(TO_CLIENT) - set(parsed["operations"]["notify"]["messages"])

    assert alone == {reply for reply, sender in DECLARED if reply and sender != m.SPEAKER}
    assert alone >= {
        *("sessionCreated", "sessionJoined", "playbackPaused", "playbackResumed"),
        *("languageChanged", "heartbeatAck", "connectionRefreshComplete"),
    }


PAYLOADS = {
    name: Draft7Validator(message["payload"])
    for name, message in ASYNCAPI["components"]["messages"].items()
}


def fitting(value):
    return [name for name, payload in PAYLOADS.items() if payload.is_valid(value)]


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_example_fits_exactly_one_message_of_the_channel(name):
    [example] = ASYNCAPI["components"]["messages"][name]["examples"]

    assert example["payload"] == EXAMPLES[name]
    assert fitting(example["payload"]) == [name]


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        pytest.param({**EXAMPLES["heartbeat"], "type": "heartbeatAck"}, ["heartbeat"], id="both"),
        pytest.param({**EXAMPLES["error"], "connectionId": "c"}, ["error"], id="like-gateway"),
        pytest.param({**EXAMPLES["gatewayMessage"], "type": "x"}, [], id="unknown-type"),
        pytest.param({}, [], id="nothing"),
    ],
)
def test_what_looks_like_two_messages_is_one_at_most(value, fits):
    assert fitting(value) == fits


def test_every_message_of_the_channel_has_one_constant_that_says_it():
    tags = [
        (tag, schema["properties"][tag]["const"])
        for schema in (
            message["payload"] for message in ASYNCAPI["components"]["messages"].values()
        )
        for tag in ("action", "type")
        if tag in schema["properties"]
    ]

    assert len(tags) == len(set(tags)) == len(FROM_CLIENT) + len(SERVER)


def test_limits_and_close_codes_are_described():
    description = ASYNCAPI["info"]["description"]

    assert ASYNCAPI["x-limits"]["maxFrameBytes"] == 32768
    assert ASYNCAPI["x-limits"]["maxAudioChunkBytes"] == 24000
    assert "| maxFrameBytes | 32,768 bytes |" in description
    assert re.search(r"\| 1003 \| .*binary", description)
    assert re.search(r"\| 1009 \| .*too big", description)


def test_limits_are_those_of_the_functions_unless_they_are_reported_others():
    defaults = BroadcastSettings()

    assert ASYNCAPI["x-limits"]["audioChunksPerSecond"] == defaults.audio_chunks_per_second
    assert ASYNCAPI["x-limits"]["controlMessagesPerSecond"] == defaults.control_messages_per_second
    assert ASYNCAPI["x-limits"]["invalidMessagesPerMinute"] == defaults.invalid_messages_per_minute
    assert f"ended after {defaults.idle_seconds} seconds" in ASYNCAPI["info"]["description"]


# --- the references


def test_error_reference_has_every_code_and_older_spelling():
    text = (DOCUMENTS / "errors.md").read_text()

    assert "| `SESSION_NOT_FOUND` | 404 | Session not found | no |" in text
    assert "| `RATE_LIMIT_EXCEEDED` | 429 | Too many requests | yes |" in text
    assert "| `SESSION_FULL` | `SESSION_MAX_LISTENERS_REACHED` |" in text
    codes = re.findall(r"^\| `([A-Z_]+)` \| [45][0-9][0-9] \| .+ \| (?:yes|no) \|$", text, re.M)
    older = re.findall(r"^\| `([A-Z_]+)` \| `[A-Z_]+` \|$", text, re.M)
    assert sorted(codes) == sorted(error_codes.ErrorCode)
    assert sorted(older) == sorted(error_codes._OLDER_SPELLINGS)


def test_message_reference_has_a_section_and_an_example_of_every_message():
    text = (DOCUMENTS / "messages.md").read_text()
    sections = re.findall(r"^### (\w+)\n.*?```json\n(.*?)```", text, re.M | re.S)

    assert {name: json.loads(body) for name, body in sections} == EXAMPLES


# --- TypeScript


def tsc(*arguments):
    return node.run("node_modules/typescript/bin/tsc", *arguments, check=False)


def test_page_and_types_compile_strictly():
    run = tsc("-p", ".")

    assert (run.stdout, run.returncode) == ("", 0)


def compile_with_types(tmp_path, source):
    """Return what `tsc --strict` says about `source`, which may import from the protocol."""
    file = tmp_path / "consumer.ts"
    module = json.dumps(str(ROOT / "web" / "protocol" / "messages.js"))
    types = json.dumps(str(ROOT / "web" / "protocol" / "declared.js"))
    file.write_text(
        f"import * as guards from {module};\nimport type * as p from {types};\n{source}\n"
        "export { guards };\nexport type { p };\n"
    )
    options = ["--strict", "--noEmit", "--exactOptionalPropertyTypes", "--allowJs", "--checkJs"]
    resolution = ["--module", "es2022", "--moduleResolution", "bundler", "--target", "es2024"]
    return tsc("--ignoreConfig", *options, *resolution, "--types", "", str(file)).stdout


def test_types_take_every_example(tmp_path):
    source = "\n".join(
        f"export const {one.name}: p.{one.type_name} = {json.dumps(one.example)};"
        for one in [*CLIENT, *RECEIVED]
    )

    assert compile_with_types(tmp_path, source) == ""


def test_types_narrow_by_the_discriminator(tmp_path):
    source = """
export function describe(value: unknown): string {
  if (guards.isClientMessage(value)) return value.action;
  if (guards.isGatewayMessage(value)) return value.message;
  if (!guards.isServerMessage(value)) return "unknown";
  if (value.type === "error") { const code: p.ErrorCode = value.code; return code; }
  return value.type === "audio" ? value.audioData : value.type;
}
const reply: "sessionCreated" = guards.REPLIES.createSession;
export const both: [p.ClientMessages["setVolume"]["volumeLevel"], string] = [0.5, reply];
"""

    assert compile_with_types(tmp_path, source) == ""


@pytest.mark.parametrize(
    "source",
    [
        pytest.param('export const x: p.SetVolume = {action: "setVolume"};', id="missing"),
        pytest.param('export const x: p.Heartbeat = {action: "setVolume"};', id="other-action"),
        pytest.param('export const x: p.ErrorCode = "SESSION_FULL";', id="older-spelling"),
        pytest.param(
            'export const x: p.JoinSession = {action: "joinSession", sessionId: 1, targetLanguage: "en"};',
            id="number-for-text",
        ),
    ],
)
def test_types_refuse(tmp_path, source):
    assert "error TS" in compile_with_types(tmp_path, source)


# --- the guards


class Guards:
    """The guards, in one Node that answers line by line."""

    def __init__(self):
        node.ensure()
        self._node = subprocess.Popen(
            [node.NODE, "tests/verdicts.mjs"],
            cwd=node.WEB,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def accept(self, message, value):
        side = "client" if message in CLIENT else "server"
        self._node.stdin.write(json.dumps({"from": side, "value": value}) + "\n")
        self._node.stdin.flush()
        return json.loads(self._node.stdout.readline())

    def close(self):
        self._node.stdin.close()
        assert self._node.wait(10) == 0
        self._node.stdout.close()


@pytest.fixture(scope="module")
def guards():
    process = Guards()
    yield process
    process.close()


def python_accepts(message, value):
    """A dict without `action` may be an event, text never is; a dict's size is not looked at."""
    try:
        if message in CLIENT:
            m.parse_message(value)
        else:
            m.parse_server_message(json.dumps(value))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("message", [*CLIENT, *RECEIVED], ids=lambda message: message.name)
def test_guards_and_python_agree_on_every_field(guards, message):
    """Each field in turn takes every interesting value, then is left out."""
    wire = message.example
    changed = [{**wire, name: value} for name in wire for value in INTERESTING]
    shorter = [{other: wire[other] for other in wire if other != name} for name in wire]

    verdicts = [(value, guards.accept(message, value)) for value in [wire, *changed, *shorter]]

    assert verdicts[0][1] is True
    assert [value for value, ours in verdicts if ours != python_accepts(message, value)] == []


@settings(max_examples=500, deadline=None)
@given(st.sampled_from([*CLIENT, *RECEIVED]), st.data())
def test_guards_and_python_agree(guards, message, data):
    """Also inside of objects, and with names that no message has."""
    wire = copy.deepcopy(message.example)
    target = data.draw(
        st.sampled_from([wire, *(one for one in wire.values() if type(one) is dict)])
    )
    name = data.draw(st.sampled_from(sorted(target)) | st.text(max_size=12))
    target[name] = data.draw(JSON_VALUES | st.sampled_from(INTERESTING))

    assert guards.accept(message, wire) == python_accepts(message, wire)


# --- what is written by hand


def test_pure_modules_of_the_page():
    run = node.run("--test", "--test-isolation=none", "tests/*.test.mjs", check=False)

    assert run.returncode == 0, run.stdout
    assert re.search(r"^. pass [1-9]", run.stdout, re.M)


def test_example_of_the_guide_runs():
    [source] = re.findall(r"```js\n(.*?)```", (DOCUMENTS / "README.md").read_text(), re.S)

    run = node.run("--input-type=module", "--eval", source)

    assert run.stdout == "404 Session not found\n"


@pytest.mark.parametrize(
    "link", re.findall(r"\]\(([^)]+)\)", (DOCUMENTS / "README.md").read_text())
)
def test_link_of_the_guide_leads_somewhere(link):
    assert (DOCUMENTS / link).exists()


@pytest.mark.threat("changed-dependency")
def test_lock_file_names_no_registry_and_pins_every_package():
    packages = json.loads((ROOT / "web" / "package-lock.json").read_text())["packages"]
    installed = [package for path, package in packages.items() if path]

    assert len(installed) > 100
    assert [package for package in installed if "resolved" in package] == []
    assert [package for package in installed if "integrity" not in package] == []
