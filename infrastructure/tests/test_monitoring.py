"""An alarm watches something that is really written, or it would be silent for ever."""

import ast
import io
import json
import re
from contextlib import redirect_stdout

import pytest

from infrastructure.function_specs import COUNTED, FUNCTION_SPECS
from shared_utils import (
    BroadcastResult,
    ErrorCode,
    MetricsEmitter,
    SetVolume,
    WebSocketHandler,
    _invocation,
)
from shared_utils.metrics_emitter import METRICS
from shared_utils.testing import FakeConnections, FakeContext, capture_lines, message_event

from .conftest import ROOT

NAMESPACE = "WebSocketAudio/dev"


def watched(assembly):
    """Return namespace, name and dimensions of each metric that an alarm looks at."""
    for alarm in assembly.properties("CloudWatch::Alarm"):
        rows = [
            row["MetricStat"]["Metric"] for row in alarm.get("Metrics", []) if "MetricStat" in row
        ]
        for row in rows or [alarm]:
            dimensions = {item["Name"]: item["Value"] for item in row.get("Dimensions", [])}
            yield row["Namespace"], row["MetricName"], dimensions


def emitted_by(method):
    """Return the names of the metrics that a method of the emitter writes."""
    arguments = [
        7 if "ms" in name or name in ("listener_count", "chunk_size") else "x"
        for name in method.__code__.co_varnames[1 : method.__code__.co_argcount]
    ]
    with redirect_stdout(io.StringIO()) as written, MetricsEmitter() as metrics:
        method(metrics, *arguments)
    return {
        metric["Name"]
        for line in written.getvalue().splitlines()
        for directive in json.loads(line)["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }


def called_and_named():
    """Return the emitter's methods that the functions call, and the metrics that they name."""
    called, named = set(), set()
    for source in (
        *(ROOT / "functions" / "handlers").glob("*.py"),
        *(ROOT / "functions" / "broadcast").glob("*.py"),
        *(ROOT / "authorizer").glob("*.py"),
    ):
        nodes = list(ast.walk(ast.parse(source.read_text())))
        here = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        called |= here
        if "emit_metric" in here:
            named |= {
                node.value for node in nodes if isinstance(node, ast.Constant)
            } & COUNTED.keys()
    return called, named


def written_by_the_error_mapping():
    """Return the metrics that `WebSocketHandler` writes at a start, about a message, a refusal."""
    handler = WebSocketHandler("Control", connections=FakeConnections())
    handler.route(SetVolume)(lambda request: None)
    with pytest.MonkeyPatch.context() as patch, capture_lines() as lines:
        patch.setattr(_invocation, "_start", "cold")  # whatever ran in this process before
        for level in (0.5, 5):
            handler(message_event({"action": "setVolume", "volumeLevel": level}), FakeContext())
    return {
        metric["Name"]
        for line in lines
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", [])
        for metric in directive["Metrics"]
    }


@pytest.fixture(scope="module")
def emitted():
    """Return the metrics that the functions write: those of the methods that they call."""
    methods = {
        name: method for name, method in vars(MetricsEmitter).items() if name.startswith("emit_")
    }
    del methods["emit_metric"]
    called, named = called_and_named()
    written = named | written_by_the_error_mapping()
    return written.union(*(emitted_by(methods[name]) for name in methods.keys() & called))


@pytest.mark.threat("log-alerts")
def test_alarms_watch_what_the_functions_emit(dev, emitted):
    ours = {name for namespace, name, _ in watched(dev) if namespace == NAMESPACE}

    assert ours
    assert ours <= emitted


def test_alarms_watch_series_that_exist(guarded):
    """Without a dimension, or by one set that the metric goes out with."""
    for namespace, name, dimensions in watched(guarded):
        if namespace == NAMESPACE:
            assert tuple(dimensions) in {(), *COUNTED[name][1:]}


def test_codes_in_alarms_are_error_codes(dev):
    codes = {
        row["ErrorCode"]
        for _, name, row in watched(dev)
        if name == "MessageFailures" and "ErrorCode" in row
    }

    assert codes == {
        "INTERNAL_SERVER_ERROR",
        "INTERNAL_DATABASE_ERROR",
        "INTERNAL_CONFIGURATION_ERROR",
    }
    assert codes <= set(ErrorCode)


def test_what_is_written_too_fast_is_no_alarm_and_no_failure_of_housekeeping(dev):
    """An item is written too fast by those whose item it is; nobody is to be woken by it."""
    codes = {
        row["ErrorCode"]
        for _, name, row in watched(dev)
        if name == "DynamoDBErrors" and "ErrorCode" in row
    }
    source = (ROOT / "functions" / "handlers" / "housekeeping.py").read_text()
    [declared] = re.findall(r"^TOO_FAST = \{$(.*?)^\}$", source, re.M | re.S)

    assert codes == set(re.findall(r'"(\w+)"', declared))


def expression_of(assembly, name: str) -> str:
    """Return what an alarm computes of its metrics."""
    [alarm] = [
        alarm
        for alarm in assembly.properties("CloudWatch::Alarm")
        if alarm["AlarmName"] == f"websocket-audio-dev-{name}"
    ]
    [expression] = [row["Expression"] for row in alarm["Metrics"] if "Expression" in row]
    return expression


@pytest.mark.parametrize(
    ("failures", "throughput", "conflicts", "above"),
    [
        pytest.param(1, 0, 0, 1, id="an-outage"),
        pytest.param(900, 10, 5, 885, id="an-outage-and-a-flood"),
        pytest.param(500, 500, 0, 0, id="a-flood"),
        pytest.param(510, 400, 100, 0, id="a-flood-whose-last-tries-ran-out-of-time"),
        pytest.param(10, 40, 0, 0, id="a-flood-that-was-mostly-repeated-in-time"),
        pytest.param(0, 0, 0, 0, id="nothing"),
    ],
)
def test_alarm_on_the_database_leaves_out_what_was_written_too_fast(
    dev, failures, throughput, conflicts, above
):
    """CloudWatch's functions as Python's; FILL puts 0 where a metric has no value."""
    values = {
        "failures": failures,
        "throughput": throughput,
        "throttling": 0,
        "requests": 0,
        "conflicts": conflicts,
    }
    functions = {"IF": lambda condition, yes, no: yes if condition else no, "FILL": max}

    assert eval(expression_of(dev, "internal-database-error"), functions | values) == above  # noqa: S307


@pytest.mark.parametrize(
    ("errors", "throttled", "above"),
    [(1, 0, 1), (70, 70, 0), (0, 70, 0), (73, 70, 0), (75, 70, 5), (150, 70, 80), (0, 0, 0)],
)
def test_alarm_on_the_gateway_leaves_out_what_lambda_did_not_start(dev, errors, throttled, above):
    """Errors beside a flood are seen: who sends too much hides none of them."""
    values = {"errors": errors, "throttled": throttled}
    functions = {"IF": lambda condition, yes, no: yes if condition else no, "FILL": max}

    assert eval(expression_of(dev, "gateway-errors"), functions | values) == above  # noqa: S307


# By alarm: why nothing that a client sends, or does not read, sets it off. `functions` are those with routes.
INPUT = "functions/tests/test_input_limits.py: each field at and beyond its limits, and texts that are no message"
BEYOND_CLIENTS = {
    "internal-server-error": INPUT,
    "internal-configuration-error": f"{INPUT}; and it is only raised for rights, settings and our own code",
    "internal-database-error": f"{INPUT}; what an item's own clients write too fast is left out (above)",
    "slow-messages": "above all waits that a client can cause: infrastructure/monitoring.py says which",
    "slow-audio": "as slow-messages",
    "listeners-failed": "no answer, or a 5xx, of API Gateway; a client that does not read is throttled or timed out",
    "listeners-forbidden": "API Gateway looks at the function's rights, not at the connection",
    "<function>-errors": f"{INPUT}: what a handler gets it answers; it waits less long than its function may run"
    " (Request.remaining_seconds), and what it remembers of clients is bounded (pace, recent sessions)",
    "housekeeping-errors": "reads what the functions have stored; what an item's own clients write too fast it leaves"
    " to the next run (functions/tests/test_housekeeping.py)",
    "housekeeping-missing": "a rule starts it, not a client; a start that Lambda refuses is tried again for hours, so"
    " that it takes the account's whole concurrency for minutes, which the stage's limit of messages is against",
    "authorizer-errors": "what it answers, it has counted, and that is left out (test_authorizer.py); a token is"
    " bounded before it is read, and keys are fetched at most every 30 s, whatever clients send",
    "gateway-errors": "a refusal and an error of ours are answered by the function; calls that were too many are left"
    " out (above)",
}


@pytest.mark.threat("log-alerts")
def test_no_alarm_is_set_off_by_what_clients_send(guarded):
    """Each alarm has its reason here, and what a client can bring about has no alarm."""
    alarms = {
        alarm["AlarmName"].removeprefix("websocket-audio-dev-")
        for alarm in guarded.properties("CloudWatch::Alarm")
    }
    modules = {spec.module for spec in FUNCTION_SPECS if spec.routes}

    reasoned = {name.replace("<function>", module) for name in BEYOND_CLIENTS for module in modules}
    assert reasoned == alarms


def test_kinds_in_alarms_are_those_of_the_sender(dev):
    kinds = {row["ErrorType"] for _, _, row in watched(dev) if "ErrorType" in row}

    assert kinds == {"failed", "forbidden"}
    assert kinds <= BroadcastResult({}).counts.keys()


def test_alarms_watch_known_metrics_of_aws(guarded):
    """Names and dimensions as AWS documents them for Lambda and for WebSocket APIs."""
    theirs = {
        (namespace, name, tuple(dimensions))
        for namespace, name, dimensions in watched(guarded)
        if namespace != NAMESPACE
    }

    assert theirs == {
        ("AWS/Lambda", "Errors", ("FunctionName",)),
        ("AWS/Lambda", "Invocations", ("FunctionName",)),
        ("AWS/Lambda", "Throttles", ()),
        ("AWS/ApiGateway", "ExecutionError", ("ApiId", "Stage")),
    }


def test_every_function_has_an_alarm_on_its_errors(guarded):
    functions = guarded.resources("Lambda::Function").keys()
    watching = {
        row["FunctionName"]["Ref"]
        for namespace, name, row in watched(guarded)
        if (namespace, name) == ("AWS/Lambda", "Errors")
    }

    assert watching == functions


@pytest.mark.threat("log-stopped")
def test_silence_is_an_alarm_only_for_housekeeping(dev):
    silent = {
        alarm["AlarmName"]: alarm["TreatMissingData"]
        for alarm in dev.properties("CloudWatch::Alarm")
        if alarm["TreatMissingData"] != "notBreaching"
    }

    assert silent == {"websocket-audio-dev-housekeeping-missing": "breaching"}


def test_alarms_notify_a_topic_that_lets_them_in(dev):
    [topic] = dev.resources("SNS::Topic")
    [policy] = dev.properties("SNS::TopicPolicy")
    alarms = dev.properties("CloudWatch::Alarm")
    [allowed] = [row for row in policy["PolicyDocument"]["Statement"] if row["Effect"] == "Allow"]

    assert all(row["AlarmActions"] == row["OKActions"] == [{"Ref": topic}] for row in alarms)
    assert allowed.pop("Sid")
    assert allowed == {
        "Action": "sns:Publish",
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Resource": {"Ref": topic},
    }


def test_mail_is_sent_when_somebody_is_named(dev, synth):
    template = synth(alarm_email="on-call@example.org")

    assert dev.properties("SNS::Subscription") == []
    assert [row["Endpoint"] for row in template.properties("SNS::Subscription")] == [
        "on-call@example.org"
    ]


def test_dashboard_shows_what_the_functions_emit(guarded, emitted):
    """Names in graphs, and in searches for all values of a dimension."""
    [dashboard] = guarded.properties("CloudWatch::Dashboard")
    body = "".join(
        part if isinstance(part, str) else "x" for part in dashboard["DashboardBody"]["Fn::Join"][1]
    )
    expressions, metrics = [], []
    for widget in json.loads(body)["widgets"]:
        for row in widget["properties"]["metrics"]:
            (expressions if isinstance(row[0], dict) else metrics).append(row)
    searches = [
        re.fullmatch(
            r"SEARCH\('\{\"WebSocketAudio/dev\",(\w+)\} MetricName=\"(\w+)\"', 'Sum'\)",
            row[0]["expression"],
        ).groups()
        for row in expressions
    ]
    ours = {row[1] for row in metrics if row[0] == NAMESPACE}

    assert ours | {name for _, name in searches} <= emitted
    assert all((dimension,) in COUNTED[name][1:] for dimension, name in searches)
    assert COUNTED.keys() - METRICS.keys() <= ours | {name for _, name in searches}
    assert searches
