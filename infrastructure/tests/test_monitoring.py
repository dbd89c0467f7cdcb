"""An alarm watches something that is really written, or it would be silent for ever."""

import ast
import io
import json
import re
from contextlib import redirect_stdout

import pytest

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
    ):
        nodes = list(ast.walk(ast.parse(source.read_text())))
        here = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        called |= here
        if "emit_metric" in here:
            named |= {
                node.value for node in nodes if isinstance(node, ast.Constant)
            } & METRICS.keys()
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


def test_alarms_watch_what_the_functions_emit(dev, emitted):
    ours = {name for namespace, name, _ in watched(dev) if namespace == NAMESPACE}

    assert ours
    assert ours <= emitted


def test_alarms_watch_series_that_exist(dev):
    """Without a dimension, or by one set that the metric goes out with."""
    for namespace, name, dimensions in watched(dev):
        if namespace == NAMESPACE:
            assert tuple(dimensions) in {(), *METRICS[name][1:]}


def test_codes_in_alarms_are_error_codes(dev):
    codes = {row["ErrorCode"] for _, _, row in watched(dev) if "ErrorCode" in row}

    assert codes == {
        "INTERNAL_SERVER_ERROR",
        "INTERNAL_DATABASE_ERROR",
        "INTERNAL_CONFIGURATION_ERROR",
    }
    assert codes <= set(ErrorCode)


def test_kinds_in_alarms_are_those_of_the_sender(dev):
    kinds = {row["ErrorType"] for _, _, row in watched(dev) if "ErrorType" in row}

    assert kinds == {"throttled", "failed", "forbidden"}
    assert kinds <= BroadcastResult({}).counts.keys()


def test_alarms_watch_known_metrics_of_aws(dev):
    """Names and dimensions as AWS documents them for Lambda and for WebSocket APIs."""
    theirs = {
        (namespace, name, tuple(dimensions))
        for namespace, name, dimensions in watched(dev)
        if namespace != NAMESPACE
    }

    assert theirs == {
        ("AWS/Lambda", "Errors", ("FunctionName",)),
        ("AWS/Lambda", "Invocations", ("FunctionName",)),
        ("AWS/Lambda", "Throttles", ()),
        ("AWS/ApiGateway", "ExecutionError", ("ApiId", "Stage")),
        ("AWS/ApiGateway", "ClientError", ("ApiId", "Stage")),
    }


def test_every_function_has_an_alarm_on_its_errors(dev):
    functions = dev.resources("Lambda::Function").keys()
    watching = {
        row["FunctionName"]["Ref"]
        for namespace, name, row in watched(dev)
        if (namespace, name) == ("AWS/Lambda", "Errors")
    }

    assert watching == functions


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


def test_dashboard_shows_what_the_functions_emit(dev, emitted):
    """Names in graphs, and in searches for all values of a dimension."""
    [dashboard] = dev.properties("CloudWatch::Dashboard")
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
    assert all((dimension,) in METRICS[name][1:] for dimension, name in searches)
    assert searches
