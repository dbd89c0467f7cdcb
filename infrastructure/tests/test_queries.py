"""A saved query asks for what the layer really writes: each field, and each text it compares with."""

import json
import re
import subprocess
import sys

import botocore.session
import pytest

from infrastructure.queries import FOLDER

from .conftest import MANUAL, ROOT

QUERIES = [pytest.param(path.read_text(), id=path.stem) for path in sorted(FOLDER.glob("*.query"))]

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
COMMANDS = {"fields", "filter", "stats", "sort", "limit"}
FUNCTIONS = {"count", "sum", "max", "pct", "latest", "coalesce", "strlen", "ispresent"}
WORDS = {"as", "by", "in", "asc", "desc"}
OF_THE_SERVICE = {"@timestamp", "@message"}


def fields_of(query):
    """Return the names that a query takes from the lines."""
    code = re.sub(r'^#.*$|"[^"]*"', "", query, flags=re.M)
    made = set(re.findall(r"\bas (\w+)", code))
    names = set(re.findall(r"@?[A-Za-z][\w.]*", code))
    return names - made - COMMANDS - FUNCTIONS - WORDS


def paths(value, prefix=""):
    """Return the names by which Insights finds what a line holds: `error.type` for a member."""
    if not isinstance(value, dict):
        return {prefix[:-1]: value}
    return {
        path: leaf
        for name, member in value.items()
        for path, leaf in paths(member, f"{prefix}{name}.").items()
    }


WRITER = """
import base64
from shared_utils import SendAudio, SetVolume, WebSocketHandler, bind_context
from shared_utils.testing import FakeConnections, FakeContext, message_event

handler = WebSocketHandler("Audio", connections=FakeConnections(), sampled={"sendAudio": 100})

@handler.route(SendAudio)
def take(request):
    bind_context(sessionId="golden-eagle-427")

@handler.route(SetVolume)
def fail(request):
    if request.message.volumeLevel == 1:
        raise RuntimeError("a fault")

chunk = {"audioData": base64.b64encode(bytes(200)).decode(), "sequenceNumber": 0}
for message in (
    {"action": "sendAudio", "timestamp": 1767225600000, **chunk},
    {"action": "setVolume", "volumeLevel": 0.5, "requestId": "client-7"},
    {"action": "setVolume", "volumeLevel": 1},
    {"action": "setVolume", "volumeLevel": 5},
):
    handler(message_event(message), FakeContext())
"""


@pytest.fixture(scope="module")
def lines():
    """Return what a new environment writes about a sampled, a quick, a failed and a refused message."""
    run = subprocess.run(
        [sys.executable, "-c", WRITER],
        env={"PYTHONPATH": str(ROOT / "shared-layer" / "python"), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    return [paths(json.loads(line)) for line in run.stdout.splitlines()]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.threat("log-queries")
def test_fields_are_in_the_lines(lines, query):
    written = {name for line in lines for name in line}

    assert fields_of(query) - OF_THE_SERVICE <= written
    assert len(fields_of(query)) > 1


@pytest.mark.parametrize("query", QUERIES)
def test_texts_are_in_the_lines(lines, query):
    """What is compared with `message` or an id stands there, spelt like this."""
    compared = re.findall(r'(\w+) (?:=|in) (\[.*?\]|".*?")', query)

    for name, text in compared:
        texts = json.loads(text) if text.startswith("[") else [json.loads(text)]
        assert set(texts) <= {line.get(name) for line in lines}


def test_sampled_line_says_how_many_it_stands_for(lines):
    [sampled] = [line for line in lines if "samplingRate" in line]

    assert (sampled["message"], sampled["samplingRate"]) == ("Message handled", 100)


def test_misspelt_field_would_be_noticed(lines):
    written = {name for line in lines for name in line}

    assert fields_of('filter errorcode = "x"') - OF_THE_SERVICE == {"errorcode"}
    assert "errorcode" not in written


def test_stack_saves_each_file_over_all_functions(dev):
    groups = {row["LogGroupName"] for row in dev.properties("Logs::LogGroup")}
    saved = {row["Name"]: row for row in dev.properties("Logs::QueryDefinition")}

    assert saved.keys() == {f"websocket-audio/dev/{path.stem}" for path in FOLDER.glob("*.query")}
    for path in FOLDER.glob("*.query"):
        row = saved[f"websocket-audio/dev/{path.stem}"]
        assert row["QueryString"] == path.read_text()
        assert set(row["LogGroupNames"]) == groups - {"/aws/apigateway/websocket-audio-dev"}


def test_manual_lists_the_queries():
    table = MANUAL.split("| query |", 1)[1].split("\n\n", 1)[0]

    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.M)) == {
        path.stem for path in FOLDER.glob("*.query")
    }
    assert QUERIES


def test_result_in_the_manual_is_what_its_query_finds(lines):
    """The fields that the query asks for, in their order, with what the line of a failure holds."""
    [query] = re.findall(r"--query-string '(fields [^|]*)\|", MANUAL)
    [text] = re.findall(r"^```json result\n(.*?)^```$", MANUAL, re.M | re.S)
    [failed] = [line for line in lines if line.get("errorCode") == "INTERNAL_SERVER_ERROR"]
    result = json.loads(text)
    [row] = result["results"]

    asked = [name.strip() for name in query.removeprefix("fields ").split(",")]

    assert [cell["field"] for cell in row] == [*asked, "@ptr"]
    assert [one for one in row if failed.get(one["field"], one["value"]) != one["value"]] == []
    assert len(failed.keys() & {cell["field"] for cell in row}) == len(asked) - 1


def test_result_in_the_manual_has_the_form_of_the_service():
    [text] = re.findall(r"^```json result\n(.*?)^```$", MANUAL, re.M | re.S)
    model = botocore.session.get_session().get_service_model("logs")
    shape = model.operation_model("GetQueryResults").output_shape.members
    result = json.loads(text)

    assert result.keys() <= shape.keys()
    assert result["status"] in shape["status"].enum
    assert result["statistics"].keys() <= shape["statistics"].members.keys()
