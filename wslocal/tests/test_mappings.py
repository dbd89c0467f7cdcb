"""An event source mapping is read from what Lambda's API says, or refused by name."""

import pytest

from wslocal.events.errors import EventError
from wslocal.events.mappings import read_mapping

QUEUE = "arn:aws:sqs:us-east-1:000000000000:jobs"
STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026"


def found(arn=QUEUE, **more):
    function = "arn:aws:lambda:us-east-1:000000000000:function:work:live"
    return {"UUID": "id", "EventSourceArn": arn, "FunctionArn": function, **more}


def test_queue():
    mapping = read_mapping(
        found(
            BatchSize=5,
            MaximumBatchingWindowInSeconds=3,
            FunctionResponseTypes=["ReportBatchItemFailures"],
            ScalingConfig={"MaximumConcurrency": 2},
        )
    )

    assert (mapping.kind, mapping.function, mapping.region) == ("sqs", "work:live", "us-east-1")
    assert (mapping.batch_size, mapping.window_seconds, mapping.max_concurrency) == (5, 3, 2)
    assert mapping.reports_failures
    assert mapping.wants({"body": "anything"})


def test_stream_without_bounds():
    mapping = read_mapping(found(STREAM, MaximumRetryAttempts=-1, MaximumRecordAgeInSeconds=-1))

    assert (mapping.max_retries, mapping.max_age_seconds) == (None, None)
    assert not mapping.from_the_start


def test_stream_with_bounds():
    mapping = read_mapping(
        found(
            STREAM,
            StartingPosition="TRIM_HORIZON",
            MaximumRetryAttempts=0,
            MaximumRecordAgeInSeconds=60,
            BisectBatchOnFunctionError=True,
        )
    )

    assert (mapping.max_retries, mapping.max_age_seconds) == (0, 60)
    assert mapping.from_the_start
    assert mapping.bisects


def test_one_of_the_filters_is_enough():
    filters = [{"Pattern": '{"a": ["x"]}'}, {"Pattern": '{"a": ["y"]}'}]

    mapping = read_mapping(found(FilterCriteria={"Filters": filters}))

    assert [mapping.wants({"a": one}) for one in ("x", "y", "z")] == [True, True, False]


def test_same_mapping_is_equal():
    assert len({read_mapping(found()), read_mapping(found())}) == 1
    assert len({read_mapping(found()), read_mapping(found(BatchSize=2))}) == 2


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        pytest.param(
            found("arn:aws:kinesis:us-east-1:000000000000:stream/clicks"),
            "the event source of work:live is arn:aws:kinesis:.*:stream/clicks: only SQS and",
            id="kinesis",
        ),
        pytest.param(
            found("arn:aws:kafka:us-east-1:000000000000:cluster/c/1"), "cluster/c/1", id="kafka"
        ),
        pytest.param(found(""), "is self-managed Kafka: only SQS", id="self-managed-kafka"),
        pytest.param(
            found(STREAM, TumblingWindowInSeconds=30), "has TumblingWindowInSeconds", id="tumbling"
        ),
        pytest.param(
            found(DestinationConfig={"OnFailure": {"Destination": "arn:aws:sns:r:a:topic"}}),
            "OnFailure of the event source of work:live leads to arn:aws:sns",
            id="sns",
        ),
        pytest.param(
            found(DestinationConfig={"OnFailure": {"Destination": f"{QUEUE}.fifo"}}),
            "jobs.fifo: only standard SQS queues",
            id="fifo",
        ),
        pytest.param(
            found(FilterCriteria={"Filters": [{"Pattern": '{"a": [{"cidr": "x"}]}'}]}),
            "a in the filter of the event source of work:live has the operator cidr",
            id="filter",
        ),
    ],
)
def test_refused(mapping, said):
    with pytest.raises(EventError, match=said):
        read_mapping(mapping)
