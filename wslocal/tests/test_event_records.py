"""Records of queues and streams, and what is said of those that are given up, have Lambda's form."""

import json
from datetime import UTC, datetime

from wslocal.events.described import Described
from wslocal.events.destinations import letter_attributes, moment
from wslocal.events.queue_records import as_filtered, queue_record
from wslocal.events.stream_records import discarded_record, stream_record

ARN = "arn:aws:lambda:us-east-1:000000000000:function:work"
ROLE = "arn:aws:iam::000000000000:role/work"
CREATED = datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)


def change(number, **more):
    dynamodb = {
        "ApproximateCreationDateTime": CREATED,
        "Keys": {"id": {"B": b"xy"}},
        "SequenceNumber": str(number),
    }
    return {"eventID": "e", "eventName": "REMOVE", "dynamodb": dynamodb, **more}


def test_queue_record_without_attributes():
    message = {"MessageId": "m", "ReceiptHandle": "r", "Body": "b", "MD5OfBody": "5"}

    assert queue_record(message, "arn", "us-east-1") == {
        "messageId": "m",
        "receiptHandle": "r",
        "body": "b",
        "attributes": {},
        "messageAttributes": {},
        "md5OfBody": "5",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn",
        "awsRegion": "us-east-1",
    }


def test_body_that_is_an_object_is_filtered_as_one():
    assert as_filtered({"body": '{"a": 1}'})["body"] == {"a": 1}
    assert as_filtered({"body": "[1]"})["body"] == "[1]"
    assert as_filtered({"body": "text"})["body"] == "text"


def test_stream_record_is_json():
    record = stream_record(change(7), "stream")

    assert json.loads(json.dumps(record)) == {
        "eventID": "e",
        "eventName": "REMOVE",
        "dynamodb": {
            "ApproximateCreationDateTime": CREATED.timestamp(),
            "Keys": {"id": {"B": "eHk="}},
            "SequenceNumber": "7",
        },
        "eventSourceARN": "stream",
    }


def test_deletion_by_time_to_live():
    identity = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}

    record = stream_record(change(7, userIdentity=identity), "stream")

    assert record["userIdentity"] == {"principalId": "dynamodb.amazonaws.com", "type": "Service"}


def test_batch_that_is_given_up_without_an_attempt():
    batch = [stream_record(change(number), "stream") for number in (7, 8)]

    record = json.loads(
        discarded_record(
            Described("work", ARN, "$LATEST", ROLE),
            batch,
            None,
            stream_arn="stream",
            shard_id="shard",
            condition="RecordAgeExceeded",
            attempts=0,
            now=CREATED.timestamp(),
        )
    )

    assert record.pop("requestContext").pop("requestId")
    assert record == {
        "version": "1.0",
        "timestamp": "2026-01-02T03:04:05.500Z",
        "DDBStreamBatchInfo": {
            "shardId": "shard",
            "startSequenceNumber": "7",
            "endSequenceNumber": "8",
            "approximateArrivalOfFirstRecord": "2026-01-02T03:04:05Z",
            "approximateArrivalOfLastRecord": "2026-01-02T03:04:05Z",
            "batchSize": 2,
            "streamArn": "stream",
        },
    }


def test_arn_in_records_has_a_qualifier():
    plain = Described("work", ARN, "$LATEST", ROLE)
    alias = Described("work:live", f"{ARN}:live", "3", ROLE)

    assert (plain.qualified_arn, alias.qualified_arn) == (f"{ARN}:$LATEST", f"{ARN}:live")


def test_message_of_a_dead_letter_is_cut_at_a_kilobyte_and_between_characters():
    attributes = letter_attributes("id", "x" + "é" * 1000)

    assert attributes["ErrorMessage"]["StringValue"] == "x" + "é" * 511
    assert letter_attributes("id", "")["ErrorMessage"]["StringValue"]


def test_moment():
    assert moment(0.25) == "1970-01-01T00:00:00.250Z"
