"""What a migration's page claims of both sides: the same facts on the line, the same metric, names that exist."""

import json
import re

import aws_lambda_powertools
import pytest
import structlog
from aws_lambda_powertools.logging import utils
from aws_lambda_powertools.shared import constants
from aws_lambda_powertools.utilities import data_classes

import shared_utils
from shared_utils import invocation, testing
from shared_utils.testing import FakeContext
from tests.document_blocks import ROOT, run_page, said_of
from tests.test_document_examples import VARIABLES

PAGES = sorted(
    path.name for path in (ROOT / "docs/migrating").glob("*.md") if path.stem != "README"
)


def lines_of(page, folder, variables):
    """Return all lines of JSON that a page's program writes."""
    document = f"docs/migrating/{page}"
    ran = run_page(document, folder, {**variables, **VARIABLES.get(document, {})})
    return [line for block in ran for line in block.lines]


def test_every_line_of_both_is_shown(tmp_path):
    """A line or a metric that the page leaves out would be found on the bill."""
    page = "docs/migrating/powertools.md"
    ran = run_page(page, tmp_path, {"AWS_REGION": "eu-west-1", **VARIABLES[page]})

    assert [len(found.lines) for found in ran] == [len(said_of(one.block)[0]) for one in ran]


def metrics_of(lines):
    """Return each metric's namespace, name, unit and dimensions, with its value."""
    found = {}
    for line in lines:
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in directive["Metrics"]:
                for names in directive["Dimensions"]:
                    dimensions = tuple(sorted((name, line[name]) for name in names))
                    key = directive["Namespace"], metric["Name"], metric["Unit"], dimensions
                    value = line[metric["Name"]]
                    found[key] = value[0] if isinstance(value, list) else value
    return found


def test_powertools_line_and_the_layers_say_the_same(tmp_path):
    lines = lines_of("powertools.md", tmp_path, {"AWS_REGION": "eu-west-1"})

    old, new = (line for line in lines if line.get("message") == "Said")
    assert {
        "requestId": old["function_request_id"],
        "coldStart": old["cold_start"],
        **{name: old[name] for name in ("level", "message", "service", "connectionId")},
    }.items() <= new.items()
    assert new["context"]["room"] == old["room"]


def test_powertools_metric_is_among_the_layers(tmp_path):
    lines = lines_of("powertools.md", tmp_path, {"AWS_REGION": "eu-west-1"})

    first, *rest = (line for line in lines if "TextsSaid" in line)
    assert metrics_of([first]) == {("Chat", "TextsSaid", "Count", (("service", "chat"),)): 1}
    assert metrics_of([first]).items() <= metrics_of(rest).items()


@pytest.mark.parametrize("status", [401, 403])
def test_codes_that_refuse_a_connection_are_listed(status):
    text = (ROOT / "docs/migrating/powertools.md").read_text()
    [sentence] = re.findall(r"becomes its status: ([^(]*)", text)
    [listed] = [
        part
        for part in re.findall(r"([A-Z_, and\n]+?) are (\d+)", sentence)
        if part[1] == str(status)
    ]

    codes = {code.value for code in shared_utils.ErrorCode if code.status == status}
    assert set(re.findall(r"AUTH_\w+", listed[0])) == {code for code in codes if code[:4] == "AUTH"}


def test_powertools_logger_and_the_layers_may_write_in_one_invocation(capsys):
    """As the page says: `@invocation` outside."""
    old = aws_lambda_powertools.Logger(service="both")
    new = shared_utils.get_structured_logger("both")

    @invocation
    @old.inject_lambda_context
    def handler(event, context):
        old.info("old")
        new.info("new")

    handler({}, FakeContext("lambda-7"))

    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["message"], first["function_request_id"]) == ("old", "lambda-7")
    assert (second["message"], second["requestId"]) == ("new", "lambda-7")


def test_structlogs_lines_and_the_layers_say_the_same(tmp_path):
    lines = lines_of("structlog.md", tmp_path, {})

    old = [line for line in lines if "event" in line]
    new = [line for line in lines if "message" in line]
    assert [line["event"] for line in old] == [line["message"] for line in new]
    assert [line["level"].upper() for line in old] == [line["level"] for line in new]
    for name in ("component", "requestId"):
        assert [line[name] for line in old] == [line[name] for line in new]
    assert (old[0]["room"], old[0]["chars"]) == tuple(new[0]["context"].values())[:2]
    [exception] = old[1]["exception"]
    error = new[1]["error"]
    assert (exception["exc_type"], exception["exc_value"]) == (error["type"], error["message"])


def test_metrics_that_were_put_are_among_those_of_the_lines(tmp_path, emulator):
    """What CloudWatch has of PutMetricData, and what it would take from the lines."""
    lines = lines_of("by-hand.md", tmp_path, emulator.variables)

    listed = emulator.client("cloudwatch").list_metrics(Namespace="Chat")["Metrics"]
    put = {
        (one["MetricName"], tuple((each["Name"], each["Value"]) for each in one["Dimensions"]))
        for one in listed
    }
    assert put == {("TextsSaid", (("RoomKind", "quiz"),)), ("SayLatency", ())}
    assert put <= {(name, dimensions) for _, name, _, dimensions in metrics_of(lines)}
    assert {unit for _, name, unit, _ in metrics_of(lines) if name == "TextsSaid"} == {"Count"}


OWNERS = [
    *(shared_utils, testing, shared_utils.StructuredLogger, shared_utils.MetricsEmitter),
    *(shared_utils.Table, shared_utils.WebSocketHandler),
]


@pytest.mark.parametrize("page", PAGES)
def test_what_a_pages_table_calls_exists(page):
    table = (ROOT / "docs/migrating" / page).read_text().partition("## Names")[2]
    rows = re.findall(r"^\| .* \| ([^|]*) \|$", table.partition("\n## ")[0], re.M)[1:]

    called = {name for ours in rows for name in re.findall(r"(\w+)\(", ours)}

    assert called
    assert [n for n in sorted(called) if not any(hasattr(owner, n) for owner in OWNERS)] == []


OWNERS_BEFORE = {
    "powertools.md": [
        *(aws_lambda_powertools, aws_lambda_powertools.Logger, aws_lambda_powertools.Metrics),
        *(data_classes, utils),
    ],
    "structlog.md": [
        *(structlog, structlog.contextvars, structlog.stdlib, structlog.testing),
        structlog.make_filtering_bound_logger(0),
    ],
}


@pytest.mark.parametrize("page", OWNERS_BEFORE)
def test_what_a_pages_table_is_about_exists(page):
    table = (ROOT / "docs/migrating" / page).read_text().partition("## Names")[2]
    rows = re.findall(r"^\| (.*) \| [^|]* \|$", table.partition("\n## ")[0], re.M)[1:]

    codes = [code for theirs in rows for code in re.findall(r"`([^`]+)`", theirs)]
    called = {re.match(r"@?(?:\w+\.)*(\w+)", code)[1] for code in codes}

    known = {name for owner in OWNERS_BEFORE[page] for name in dir(owner)}
    assert len(called) > 7
    assert called - known - {"correlation_id_path", "exc_info"} == set()


def test_variables_of_powertools_exist():
    text = (ROOT / "docs/migrating/powertools.md").read_text()

    named = set(re.findall(r"POWERTOOLS_\w+", text))
    known = {value for value in vars(constants).values() if isinstance(value, str)}
    assert named - known == set()
