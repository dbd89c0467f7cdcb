"""One call with all its attempts: what is repeated, how long, and what the error says."""

import copy
import socket
import time

import pytest
from connections_server import CLOSE, RESET, SILENCE, Clock, answer
from dynamodb_server import bodies, error, ok, serve, whole

from shared_utils._dynamodb_calls import ConditionFailed, DynamoDBError, TransactionCanceled
from shared_utils.error_codes import ApplicationError, ErrorCode, format_error_response

ITEM = {"id": "a", "secret": "value"}
ITEM_KEY = {"id": "a"}
CONDITION = "ConditionalCheckFailedException"
CANCELED = "TransactionCanceledException"
INVALID = "One or more parameter values were invalid"


def put(table, **options):
    return table.put_item(Item=ITEM, **options)


def put_if_new(table, **options):
    return put(table, ConditionExpression="attribute_not_exists(id)", **options)


def get(table, **options):
    return table.get_item(Key={"id": "a"}, **options)


def transact(table, **options):
    return table.transact_write_items(TransactItems=[{"Put": {"Item": ITEM}}], **options)


def failure(call, table, **options):
    with pytest.raises(DynamoDBError) as caught:
        call(table, **options)
    return caught.value


def code_of(error):
    return error.response["Error"]["Code"]


# --- the wire -------------------------------------------------------------------------------------


def test_request_on_the_wire(connect_table):
    with serve([ok({"Item": {"id": {"S": "a"}}})]) as server:
        found = get(connect_table(server), ConsistentRead=True)

    [request] = server.requests
    assert found == {"Item": {"id": "a"}}
    assert (request.method, request.path) == ("POST", "/")
    assert request.headers["content-type"] == "application/x-amz-json-1.0"
    assert request.headers["x-amz-target"] == "DynamoDB_20120810.GetItem"
    assert "/eu-west-1/dynamodb/aws4_request" in request.headers["authorization"]
    assert bodies(server) == [
        {"TableName": "Things", "Key": {"id": {"S": "a"}}, "ConsistentRead": True}
    ]


def test_socket_is_kept(connect_table):
    with serve() as server:
        table = connect_table(server)
        put(table)
        put(table)

    assert server.accepted == 1


def test_answer_without_a_checksum_is_taken(connect_table):
    """An emulator may send none."""
    with serve([answer(200, b"{}")]) as server:
        assert put(connect_table(server)) == {}


# --- what is repeated -----------------------------------------------------------------------------

NOT_DONE = [
    *("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"),
    *("TransactionConflictException", "TransactionInProgressException"),
    "ReplicatedWriteConflictException",
]


def test_status_for_too_many_requests_is_enough(connect_table):
    """From whatever stands before DynamoDB."""
    with serve([answer(429, b"slow down")], [ok()]) as server:
        assert put_if_new(connect_table(server)) == {}


@pytest.mark.parametrize("call", [put, put_if_new, get, transact])
@pytest.mark.parametrize("code", NOT_DONE)
def test_what_is_not_done_is_asked_again_whatever_it_is(connect_table, call, code):
    with serve([error(code)], [error(code, 503)], [ok()]) as server:
        assert call(connect_table(server)) == {}

    assert len(server.requests) == 3


LOST = [
    pytest.param([RESET], "ConnectionResetError", id="reset"),
    pytest.param([CLOSE], "ConnectionError", id="closed"),
    pytest.param([ok()[:-1], CLOSE], "ConnectionError", id="half"),
    pytest.param([SILENCE], "TimeoutError", id="silence"),
    pytest.param([b"SSH-2.0-OpenSSH\r\n"], "ValueError", id="garbage"),
    pytest.param([answer(200, b"{}", "x-amz-crc32: 1")], "Crc32Mismatch", id="checksum"),
    pytest.param([answer(200, b"{}", "x-amz-crc32: x")], "Crc32Mismatch", id="no-checksum"),
    pytest.param([whole(200, b"[]")], "InvalidAnswer", id="list"),
    pytest.param([whole(200, b"<html>")], "InvalidAnswer", id="html"),
    pytest.param([whole(200, b"[" * 100_000)], "InvalidAnswer", id="nested"),
    pytest.param([error("InternalServerError", 500)], "InternalServerError", id="500"),
    pytest.param([whole(502, b"<html>")], "HTTP502", id="502"),
]


@pytest.mark.slow
@pytest.mark.parametrize("call", [put, get, transact])
@pytest.mark.parametrize(("steps", "code"), LOST)
def test_lost_answer_is_asked_for_again(connect_table, call, steps, code):
    with serve(steps, steps, [ok()]) as server:
        assert call(connect_table(server)) == {}

    assert len(server.requests) == 3


@pytest.mark.parametrize(("steps", "code"), LOST)
def test_lost_answer_to_a_write_that_may_not_go_twice(connect_table, steps, code):
    with serve(steps) as server:
        lost = failure(put_if_new, connect_table(server))

    assert (code_of(lost), lost.outcome_unknown) == (code, True)
    assert lost.code is ErrorCode.INTERNAL_DATABASE_ERROR
    assert len(server.requests) == 1


@pytest.mark.parametrize(("steps", "code"), LOST)
def test_read_without_an_answer_has_no_outcome_to_know(connect_table, steps, code):
    with serve(steps) as server:
        lost = failure(get, connect_table(server, retries=0))

    assert (code_of(lost), lost.outcome_unknown) == (code, False)


@pytest.mark.parametrize(("call", "unknown"), [(put, True), (get, False)])
@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([RESET], id="reset"),
        pytest.param([error("InternalServerError", 500)], id="500"),
        pytest.param([answer(200, b"{}", "x-amz-crc32: 1")], id="checksum"),
    ],
)
def test_outcome_stays_unknown_whatever_comes_after_a_lost_answer(
    connect_table, steps, call, unknown
):
    with serve(steps, [error("ValidationException")]) as server:
        assert failure(call, connect_table(server)).outcome_unknown == unknown


def test_kept_socket_that_fails_with_a_write_is_no_reason_to_send_it_twice(connect_table):
    with serve([ok()], [RESET], [ok()]) as server:
        table = connect_table(server)
        put(table)
        lost = failure(put_if_new, table)

    assert lost.outcome_unknown
    assert len(server.requests) == 2


def test_write_that_its_caller_calls_idempotent_is_repeated(connect_table):
    with serve([RESET], [ok()]) as server:
        assert put_if_new(connect_table(server), idempotent=True) == {}


def test_condition_that_fails_after_a_lost_answer_is_unknown(connect_table):
    with serve([RESET], [error(CONDITION)]) as server:
        unknown = failure(put_if_new, connect_table(server), idempotent=True)

    assert type(unknown) is DynamoDBError
    assert (code_of(unknown), unknown.outcome_unknown) == (CONDITION, True)


def test_condition_that_fails_after_throttling_has_failed(connect_table):
    with serve([error("ThrottlingException")], [error(CONDITION)]) as server:
        assert type(failure(put_if_new, connect_table(server))) is ConditionFailed


def test_transaction_that_is_cancelled_after_a_lost_answer_is_unknown(connect_table):
    reasons = [{"Code": "ConditionalCheckFailed"}]
    with serve([RESET], [error(CANCELED, CancellationReasons=reasons)]) as server:
        unknown = failure(transact, connect_table(server))

    assert type(unknown) is DynamoDBError
    assert (code_of(unknown), unknown.outcome_unknown) == (CANCELED, True)


@pytest.mark.parametrize(
    ("reasons", "requests"),
    [
        pytest.param([{"Code": "None"}, {"Code": "ThrottlingError"}], 3, id="throttled"),
        pytest.param([{"Code": "ProvisionedThroughputExceeded"}], 3, id="capacity"),
        pytest.param([{"Code": "TransactionConflict"}], 1, id="conflict"),
        pytest.param(
            [{"Code": "ThrottlingError"}, {"Code": "ConditionalCheckFailed"}], 1, id="condition-too"
        ),
        pytest.param([], 1, id="none"),
        pytest.param("text", 1, id="text"),
        pytest.param(["text"], 1, id="texts"),
    ],
)
def test_transaction_is_repeated_if_only_throttling_cancelled_it(connect_table, reasons, requests):
    with serve([error(CANCELED, CancellationReasons=reasons)]) as server:
        canceled = failure(transact, connect_table(server, retries=2))

    assert type(canceled) is TransactionCanceled
    assert not canceled.outcome_unknown
    assert len(server.requests) == requests
    assert len({body["ClientRequestToken"] for body in bodies(server)}) == 1


@pytest.mark.parametrize("code", ["ValidationException", "ResourceNotFoundException", CONDITION])
def test_refusal_for_good_is_not_repeated(connect_table, code):
    with serve([error(code)]) as server:
        refused = failure(put, connect_table(server))

    assert not refused.outcome_unknown
    assert len(server.requests) == 1


# --- how long -------------------------------------------------------------------------------------


@pytest.mark.parametrize("retries", [0, 1, 4])
def test_attempts_are_bounded(connect_table, retries):
    with serve([error("ThrottlingException")]) as server:
        throttled = failure(put, connect_table(server, retries=retries))

    assert code_of(throttled) == "ThrottlingException"
    assert len(server.requests) == retries + 1


def test_pauses_grow_from_nothing_to_the_longest(connect_table, monkeypatch):
    with serve() as server:
        caller = connect_table(server, backoff_seconds=0.05)._caller
    monkeypatch.setattr("os.urandom", lambda number: b"\x80" + b"\0" * (number - 1))
    half = [caller.pause_seconds(retries) for retries in (0, 1, 2, 5, 10_000)]
    monkeypatch.setattr("os.urandom", lambda number: b"\0" * number)

    assert half == [0.025, 0.05, 0.1, 0.5, 0.5]
    assert caller.pause_seconds(3) == 0.0


def test_pause_that_would_end_after_the_deadline_is_not_begun(connect_table, monkeypatch):
    monkeypatch.setattr("os.urandom", lambda number: b"\xff" * number)
    with serve([error("ThrottlingException")]) as server:
        throttled = failure(put, connect_table(server, backoff_seconds=60), timeout_seconds=0.9)

    assert code_of(throttled) == "ThrottlingException"
    assert len(server.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("call", "unknown"), [(put, True), (put_if_new, True), (get, False)])
def test_deadline_ends_a_call_without_an_answer(connect_table, call, unknown):
    with serve([SILENCE]) as server:
        late = failure(call, connect_table(server, answer_seconds=5), timeout_seconds=0.5)

    assert (code_of(late), late.outcome_unknown) == ("DeadlineExceeded", unknown)
    assert late.response["Error"]["Message"] == "no answer before the deadline"


def test_timeout_of_the_table_counts_if_the_call_has_none(connect_table):
    with serve([SILENCE]) as server:
        late = failure(put, connect_table(server, answer_seconds=5, timeout_seconds=0.5))

    assert code_of(late) == "DeadlineExceeded"


def test_refused_signature_is_no_success_if_the_time_is_over_before_it_is_sent_anew(connect_table):
    skipped = Clock(0.0)
    skewed = whole(
        400,
        b'{"__type":"com.amazon.coral.service#InvalidSignatureException"}',
        *("Date: Sun, 30 Aug 2015 12:46:00 GMT", "Connection: close"),
    )

    def ten_seconds_later():
        skipped.now += 10

    with serve([ten_seconds_later, skewed]) as server:
        table = connect_table(
            server, clock=Clock(), monotonic=lambda: time.monotonic() + skipped.now
        )
        refused = failure(put, table, timeout_seconds=5)

    assert (code_of(refused), refused.outcome_unknown) == ("InvalidSignatureException", False)
    assert len(server.requests) == 1


def test_without_time_nothing_is_sent(connect_table):
    with serve() as server:
        late = failure(put, connect_table(server), timeout_seconds=0)

    assert (code_of(late), late.outcome_unknown) == ("DeadlineExceeded", False)
    assert late.response["Error"]["Message"] == "not sent: no time left"
    assert server.accepted == 0


def test_api_out_of_reach_is_tried_again_and_nothing_unknown(connect_table, monkeypatch):
    looked_up = []

    def lookup(*_, **__):
        looked_up.append(1)
        raise socket.gaierror(socket.EAI_AGAIN, "Try again")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with serve() as server:
        failed = failure(put_if_new, connect_table(server, retries=3))

    assert (code_of(failed), failed.outcome_unknown) == ("gaierror", False)
    assert looked_up == [1] * 4


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "catalogue"),
    [
        ("ResourceNotFoundException", ErrorCode.INTERNAL_CONFIGURATION_ERROR),
        ("AccessDeniedException", ErrorCode.INTERNAL_CONFIGURATION_ERROR),
        ("UnrecognizedClientException", ErrorCode.INTERNAL_CONFIGURATION_ERROR),
        ("ExpiredTokenException", ErrorCode.INTERNAL_CONFIGURATION_ERROR),
        ("ValidationException", ErrorCode.INTERNAL_SERVER_ERROR),
        ("SerializationException", ErrorCode.INTERNAL_SERVER_ERROR),
        ("ItemCollectionSizeLimitExceededException", ErrorCode.INTERNAL_SERVER_ERROR),
        (CONDITION, ErrorCode.INTERNAL_SERVER_ERROR),
        (CANCELED, ErrorCode.INTERNAL_SERVER_ERROR),
        ("ThrottlingException", ErrorCode.INTERNAL_DATABASE_ERROR),
        ("InternalServerError", ErrorCode.INTERNAL_DATABASE_ERROR),
        ("SomethingNewException", ErrorCode.INTERNAL_DATABASE_ERROR),
    ],
)
def test_code_is_a_5xx_and_says_nothing_to_a_client(connect_table, code, catalogue):
    with serve([error(code)]) as server:
        refused = failure(put_if_new, connect_table(server, retries=0))

    assert isinstance(refused, ApplicationError)
    assert refused.code is catalogue
    assert 500 <= refused.code.status <= 599
    assert (refused.message, refused.details) == (catalogue.sentence, None)
    assert "secret" not in str(format_error_response(refused.code, refused.details))


def test_error_has_what_the_log_needs_and_nothing_of_the_item(connect_table):
    with serve([error("ValidationException")]) as server:
        refused = failure(put, connect_table(server))

    assert refused.operation == "PutItem"
    assert refused.request_id == "REQUEST1"
    assert refused.response == {
        "Error": {"Code": "ValidationException", "Message": INVALID},
        "ResponseMetadata": {"RequestId": "REQUEST1", "HTTPStatusCode": 400},
    }
    assert refused.__notes__ == [f"PutItem: ValidationException ({INVALID}), request REQUEST1"]
    assert "secret" not in repr(vars(refused)) + repr(refused)


def test_note_says_that_the_outcome_is_unknown(connect_table):
    with serve([RESET]) as server:
        lost = failure(put_if_new, connect_table(server))

    assert lost.__notes__ == [
        "PutItem: ConnectionResetError (ConnectionResetError: Connection reset by peer),"
        " outcome unknown"
    ]


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("The conditional request failed", "The conditional request failed"),
        (
            'Invalid UpdateExpression: Syntax error; token: "secret", near: "x"',
            "Invalid UpdateExpression: Syntax error",
        ),
        ("Invalid FilterExpression: Got secret", "Invalid FilterExpression"),
        (
            f"{INVALID}: Type mismatch for key secret expected: S actual: N",
            f"{INVALID}: Type mismatch for key",
        ),
        (
            "Query condition missed key schema element: secret",
            "Query condition missed key schema element",
        ),
        (
            "Cannot do operations on a non-existent table",
            "Cannot do operations on a non-existent table",
        ),
        (
            "1 validation error detected: Value 'secret' at 'x' failed",
            "1 validation error detected",
        ),
        (
            "The security token included in the request is expired",
            "The security token included in the request is expired",
        ),
        ("Item secret is bad", ""),
        ("Cannot convert secret to a number", ""),
        ("Duplicate key (secret) in batch", ""),
        ("secret: The conditional request failed", ""),
        ({"a": 1}, ""),
        (None, ""),
    ],
)
def test_message_is_what_is_known_to_be_a_fixed_text(connect_table, message, shown):
    with serve([error("ValidationException", message=message)]) as server:
        refused = failure(put, connect_table(server))

    assert refused.response["Error"]["Message"] == shown


def test_item_of_a_failed_condition(connect_table):
    with serve([error(CONDITION, Item={"id": {"S": "a"}, "n": {"N": "1"}})]) as server:
        failed = failure(put_if_new, connect_table(server))

    assert failed.item == {"id": "a", "n": 1}
    assert "'n'" not in repr(failed) + str(failed) + str(failed.__notes__)


@pytest.mark.parametrize("content", [{}, {"Item": {}}, {"Item": None}])
def test_failed_condition_without_an_item(connect_table, content):
    with serve([error(CONDITION, **content)]) as server:
        assert failure(put_if_new, connect_table(server)).item is None


def test_failed_condition_with_an_item_that_cannot_be_read(connect_table):
    """Not a ValueError: that would be a value which was refused before it was sent."""
    with serve([error(CONDITION, Item={"v": {"V": [1]}})]) as server:
        failed = failure(put_if_new, connect_table(server))

    assert failed.response["Error"]["Code"] == "InvalidAnswer"
    assert failed.outcome_unknown


def test_reasons_of_a_transaction(connect_table):
    reasons = [
        {"Code": "None"},
        {"Code": "ConditionalCheckFailed", "Message": "m", "Item": {"id": {"S": "a"}}},
    ]
    with serve([error(CANCELED, CancellationReasons=reasons)]) as server:
        canceled = failure(transact, connect_table(server))

    assert canceled.reasons == [
        {"Code": "None"},
        {"Code": "ConditionalCheckFailed", "Message": "m", "Item": {"id": "a"}},
    ]


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize(
    "made",
    [
        DynamoDBError("PutItem", "ThrottlingException", "m", status=400, request_id="R"),
        ConditionFailed("PutItem", {"id": "a"}, outcome_unknown=False),
        TransactionCanceled("TransactWriteItems", [{"Code": "None"}]),
    ],
)
def test_error_can_be_made_and_copied(made, again):
    """By the tests of those who use it."""
    copied = again(made)

    assert type(copied) is type(made)
    assert vars(copied) == vars(made)


# --- the time of several requests -----------------------------------------------------------------


def test_remaining_time_is_that_of_the_call_else_of_the_table(connect_table):
    clock = Clock(0.0)
    with serve() as server:
        caller = connect_table(server, timeout_seconds=5, monotonic=clock)._caller
    of_call, of_table = caller.remaining(2), caller.remaining(None)
    clock.now = 1.5

    assert (of_call.seconds, of_table.seconds) == (0.5, 3.5)
    clock.now = 2.5
    assert of_call.seconds == 0.0


@pytest.mark.parametrize(("seconds", "came"), [("1", "str"), (True, "bool"), ([1], "list")])
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(get, id="get"),
        pytest.param(lambda table, **options: table.batch_get([ITEM_KEY], **options), id="batch"),
    ],
)
def test_time_that_is_no_number(connect_table, call, seconds, came):
    with serve() as server, pytest.raises(TypeError) as caught:
        call(connect_table(server), timeout_seconds=seconds)

    assert str(caught.value) == f"timeout_seconds must be a number of seconds, got {came}"
    assert server.accepted == 0


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000], id="head"),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n" * 3000], id="interim"),
        pytest.param([b"HTTP/1.1 200 OK\r\ncontent-length: 134217729\r\n\r\n"], id="body"),
    ],
)
def test_answer_that_is_too_long_is_no_answer(connect_table, endless):
    with serve([*endless, SILENCE]) as server:
        lost = failure(put_if_new, connect_table(server, answer_seconds=5.0))

    assert lost.response["Error"]["Message"] == "ConnectionError: the answer is too long"
    assert (code_of(lost), lost.outcome_unknown) == ("ConnectionError", True)


def test_batch_may_have_a_larger_answer_than_an_item(connect_table, monkeypatch):
    monkeypatch.setattr("shared_utils._dynamodb_calls._MAX_ANSWER_BYTES", 10)
    with serve([ok({"Responses": {}})]) as server:
        table = connect_table(server, retries=0)

        assert table.batch_get([ITEM_KEY]) == []
        assert code_of(failure(get, table)) == "ConnectionError"


def test_pause_between_rounds_is_not_begun_if_it_ends_after_the_deadline(
    connect_table, monkeypatch
):
    monkeypatch.setattr("os.urandom", lambda number: b"\xff" * number)
    with serve() as server:
        caller = connect_table(server, backoff_seconds=0.001)._caller
        slow = connect_table(server, backoff_seconds=1)._caller

    assert caller.remaining(5).pause(0)
    assert not slow.remaining(0.5).pause(0)


# --- sockets --------------------------------------------------------------------------------------


def test_sockets_can_be_closed_before_the_first_call_and_after(connect_table):
    with serve() as server:
        table = connect_table(server)
        table.close_sockets()
        put(table)
        table.close_sockets()
        put(table)

    assert server.accepted == 2
