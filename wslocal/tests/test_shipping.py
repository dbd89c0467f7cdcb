"""Metrics of documents, batches of lines, and an API that refuses."""

import asyncio
import json
import threading
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from wslocal.lambda_host import shipping
from wslocal.lambda_host.lines import LogLine, passes
from wslocal.lambda_host.shipping import Shipper, _batches, metric_data


def document(**more):
    directive = {
        "Namespace": "N",
        "Dimensions": [["Kind"], []],
        "Metrics": [{"Name": "Size", "Unit": "Bytes"}],
    }
    aws = {"Timestamp": 1_700_000_000_999, "CloudWatchMetrics": [directive | more.pop("with_", {})]}
    return {"_aws": aws, "Kind": "a", "Size": 3, "Other": 1} | more


def line(text, group="g", stream="s"):
    return LogLine("f", group, stream, "r", 1, text)


def test_each_dimension_set_is_a_series():
    datum = {
        "MetricName": "Size",
        "Timestamp": datetime.fromtimestamp(1_700_000_000, UTC),
        "Values": [3.0],
        "Counts": [1.0],
        "Unit": "Bytes",
        "StorageResolution": 60,
    }

    assert metric_data([document()]) == {
        "N": [
            datum | {"Dimensions": [{"Name": "Kind", "Value": "a"}]},
            datum | {"Dimensions": []},
        ]
    }


def test_equal_series_are_merged():
    documents = [document(Size=[1, 2, 2]), document(Size=2), document(Kind="b", Size=9)]

    values = {
        tuple(one["Value"] for one in datum["Dimensions"]): (datum["Values"], datum["Counts"])
        for datum in metric_data(documents)["N"]
    }

    assert values == {
        ("a",): ([1.0, 2.0], [1.0, 3.0]),
        ("b",): ([9.0], [1.0]),
        (): ([1.0, 2.0, 9.0], [1.0, 3.0, 1.0]),
    }


def test_more_values_than_a_call_takes_are_split():
    data = metric_data([document(Size=list(range(100)) + list(range(100, 200)))])["N"]

    assert [len(datum["Values"]) for datum in data] == [150, 50, 150, 50]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(document(Size="3"), id="a-text"),
        pytest.param(document(Size=True), id="a-boolean"),
        pytest.param(document(Size=[1, None]), id="a-null"),
        pytest.param(document(with_={"Metrics": 1}), id="metrics-are-a-number"),
        pytest.param({"_aws": {"Timestamp": "x"}}, id="time-is-a-text"),
        pytest.param({"_aws": 1}, id="no-object"),
        pytest.param(document(Size=float("nan")), id="nan"),
        pytest.param(document(Size=10**400), id="too-large"),
        pytest.param(document(Size=[]), id="no-values"),
        pytest.param(document(with_={"Namespace": ""}), id="no-namespace"),
        pytest.param(document(with_={"Namespace": 1}), id="namespace-is-a-number"),
        pytest.param(document(with_={"Metrics": [{"Name": 1}]}) | {1: 1}, id="name-is-a-number"),
        pytest.param(document(with_={"Metrics": [{"Name": "Size", "Unit": "Bananas"}]}), id="unit"),
        pytest.param(
            document(with_={"Metrics": [{"Name": "Size", "StorageResolution": 7}]}), id="resolution"
        ),
        pytest.param(document() | {"_aws": document()["_aws"] | {"Timestamp": 1e30}}, id="time"),
        pytest.param(document() | {"_aws": document()["_aws"] | {"Timestamp": -1}}, id="negative"),
    ],
)
def test_broken_document_is_left_out(broken):
    assert metric_data([broken]) == {}


@pytest.mark.parametrize("value", [1, None, ["a"], {"a": 1}])
def test_dimension_that_is_no_text_is_left_out(value):
    [datum] = metric_data([document(Kind=value)])["N"]

    assert datum["Dimensions"] == []


def test_batches_are_cut_by_number_and_by_bytes():
    by_number = [len(batch) for batch in _batches([line("x")] * 10_001)]
    by_bytes = [len(batch) for batch in _batches([line("é" * 250_000)] * 3)]

    assert by_number == [10_000, 1]
    assert by_bytes == [2, 1]


def test_line_that_is_too_large_is_cut():
    [[event]] = _batches([line("é" * 600_000)])

    assert event["message"] == "é" * 500_000


class Refusing:
    """An AWS API that takes nothing."""

    def __getattr__(self, name):
        def call(**_):
            raise ClientError({"Error": {"Code": "Throttling", "Message": "no"}}, name)

        return call


def test_refusal_is_counted_and_harms_nothing():
    async def ship():
        shipper = Shipper(lambda service: Refusing())
        shipper.take(line("plain"))
        shipper.take(line(json.dumps(document())))
        await shipper.flush()
        return shipper.problems

    problems = asyncio.run(ship())

    assert sum(problems.values()) == 2
    assert all("Throttling" in problem for problem in problems)


class Api:
    """CloudWatch and its logs: takes everything, unless it is away or silent."""

    def __init__(self):
        self.is_away = False
        self.goes = threading.Event()
        self.goes.set()
        self.taken = []
        self.metrics = 0

    def _reach(self):
        self.goes.wait(20)
        if self.is_away:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    def put_log_events(self, logEvents, **_):  # noqa: N803 - boto3's name
        self._reach()
        self.taken += [event["message"] for event in logEvents]

    def put_metric_data(self, MetricData, **_):  # noqa: N803 - boto3's name
        self._reach()
        self.metrics += len(MetricData)

    def __getattr__(self, name):
        return lambda **_: self._reach()


def test_lines_wait_for_an_api_that_is_away_and_are_shipped_once(caplog):
    api = Api()

    async def ship():
        shipper = Shipper(lambda service: api)
        shipper.take(line("first"))
        await shipper.flush()
        api.is_away = True
        for number in range(50):
            shipper.take(line(f"away {number}"))
            shipper.take(line(json.dumps(document(number=number))))
            await shipper.flush()
        api.is_away = False
        shipper.take(line("last"))
        await shipper.flush()
        await shipper.close()
        return shipper

    shipper = asyncio.run(ship())

    assert [text for text in api.taken if not text.startswith("{")] == [
        "first",
        *(f"away {number}" for number in range(50)),
        "last",
    ]
    assert len(api.taken) == 102
    assert api.metrics > 0
    assert shipper.dropped == 0
    assert len(caplog.records) == 2  # the first failure, and how many like it
    assert caplog.messages[1].endswith("(49 more of this kind)")


def test_what_waits_is_bounded_and_what_is_dropped_is_counted_and_reported_once(
    monkeypatch, caplog
):
    monkeypatch.setattr(shipping, "_MAX_WAITING_LINES", 3)
    api = Api()

    async def ship():
        shipper = Shipper(lambda service: api)
        for number in range(10):
            shipper.take(line(str(number)))
        await shipper.flush()
        shipper.take(line("again"))
        await shipper.close()
        return shipper.dropped

    assert asyncio.run(ship()) == 7
    assert api.taken == ["0", "1", "2", "again"]
    assert caplog.messages == [
        "too many lines wait to be shipped: new ones are dropped",
        "7 lines were dropped before they were shipped",
    ]


def test_what_waits_is_bounded_in_characters_too(monkeypatch):
    monkeypatch.setattr(shipping, "_MAX_WAITING_BYTES", 10)
    api = Api()

    async def ship():
        shipper = Shipper(lambda service: api)
        for _ in range(3):
            shipper.take(line("x" * 8))
        await shipper.flush()
        shipper.take(line("y"))
        await shipper.flush()
        return shipper.dropped

    assert asyncio.run(ship()) == 1
    assert api.taken == ["x" * 8, "x" * 8, "y"]


def test_end_does_not_wait_for_an_api_that_is_silent(monkeypatch, caplog):
    monkeypatch.setattr(shipping, "_LAST_SECONDS", 0.05)
    api = Api()

    async def ship():
        shipper = Shipper(lambda service: api)
        api.goes.clear()
        shipper.take(line("never"))
        await shipper.close()
        api.is_away = True  # its end frees the thread that waits, and is nothing new
        api.goes.set()

    asyncio.run(ship())

    assert caplog.messages == ["CloudWatch took no more: 1 lines or batches were not shipped"]


@pytest.mark.parametrize(
    ("text", "level", "is_kept"),
    [
        ('{"level": "INFO"}', "INFO", True),
        ('{"level": "DEBUG"}', "INFO", False),
        ('{"level": "FATAL"}', "ERROR", True),
        ('{"no": "level"}', "INFO", True),
        ('{"no": "level"}', "WARN", False),
        ('{"level": "loud"}', "WARN", False),
        ("plain text", "WARN", False),
        ("plain text", "INFO", True),
        ('{"level": "TRACE"}', None, True),
        ("{broken", "INFO", True),
        ("[1]", "INFO", True),
    ],
)
def test_level_filter(text, level, is_kept):
    assert passes(line(text), level) is is_kept
