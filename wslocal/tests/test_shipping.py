"""Metrics of documents, batches of lines, and an API that refuses."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

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
