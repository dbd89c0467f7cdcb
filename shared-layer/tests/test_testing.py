"""The test help itself: what it makes looks like the real thing, what it keeps is what was sent."""

import contextlib
import io
import json
import sys
from pathlib import Path

import pytest

from shared_utils.error_codes import ApplicationError
from shared_utils.metrics_emitter import MetricsEmitter
from shared_utils.structured_logger import get_structured_logger
from shared_utils.testing import (
    FakeConnections,
    FakeContext,
    capture_lines,
    connect_event,
    disconnect_event,
    message_event,
)
from shared_utils.websocket_messages import Heartbeat, HeartbeatAckMessage

EVENTS = Path(__file__).parent / "events"


def keys_of(event):
    return {*event}, {*event["requestContext"]}


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (connect_event(), "connect"),
        (message_event("{}"), "message"),
        (disconnect_event(), "disconnect"),
    ],
)
def test_event_has_the_keys_of_a_real_one(made, name):
    real = json.loads((EVENTS / f"{name}.json").read_text())

    assert keys_of(made) == keys_of(real)
    assert made["requestContext"]["eventType"] == real["requestContext"]["eventType"]


def test_connect_event_takes_headers_query_and_context():
    event = connect_event(
        "abc=", headers={"Origin": "https://a"}, query={"role": "speaker"}, stage="dev"
    )

    assert event["headers"]["Origin"] == "https://a"
    assert event["multiValueHeaders"]["Origin"] == ["https://a"]
    assert event["queryStringParameters"] == {"role": "speaker"}
    assert event["multiValueQueryStringParameters"] == {"role": ["speaker"]}
    assert event["requestContext"]["connectionId"] == "abc="
    assert event["requestContext"]["stage"] == "dev"


@pytest.mark.parametrize(
    ("given", "body", "route"),
    [
        (Heartbeat(requestId="r"), '{"action":"heartbeat","requestId":"r"}', "heartbeat"),
        ({"action": "setVolume"}, '{"action":"setVolume"}', "setVolume"),
        ({"a": 1}, '{"a":1}', "$default"),
        ("no JSON", "no JSON", "$default"),
    ],
)
def test_message_event_takes_messages_dicts_and_text(given, body, route):
    event = message_event(given, "abc=", authorizer={"principalId": "me"})

    assert event["body"] == body
    assert event["requestContext"]["routeKey"] == route
    assert event["requestContext"]["connectionId"] == "abc="
    assert event["requestContext"]["authorizer"] == {"principalId": "me"}


def test_disconnect_event_has_the_close_code():
    event = disconnect_event("abc=", code=1001, reason="Going away")

    assert event["requestContext"]["disconnectStatusCode"] == 1001
    assert event["requestContext"]["disconnectReason"] == "Going away"


def test_context_has_time_left():
    context = FakeContext("id-1", remaining_ms=5)

    assert context.aws_request_id == "id-1"
    assert context.get_remaining_time_in_millis() == 5


def test_context_has_what_powertools_asks_of_lambdas():
    context = FakeContext()

    assert context.invoked_function_arn.endswith(f":function:{context.function_name}")
    assert context.log_group_name == f"/aws/lambda/{context.function_name}"
    assert context.function_version in context.log_stream_name


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (HeartbeatAckMessage(timestamp=5), {"type": "heartbeatAck", "timestamp": 5}),
        ({"type": "ok"}, {"type": "ok"}),
        ('{"type":"ok"}', {"type": "ok"}),
    ],
)
def test_fake_keeps_what_was_sent(data, kept):
    connections = FakeConnections()

    outcome = connections.send("a", data, timeout_seconds=1)

    assert outcome.kind == "sent"
    assert connections.sent == [("a", kept)]


def test_fake_broadcast_has_an_outcome_for_each():
    connections = FakeConnections({"b": "gone", "c": "throttled"})

    result = connections.broadcast(iter(["a", "b", "c", "a"]), {"type": "ok"}, timeout_seconds=1)

    assert (result.sent, result.gone, result.throttled) == (["a"], ["b"], ["c"])
    assert connections.sent == [("a", {"type": "ok"})]


def test_fake_send_that_fails_keeps_nothing():
    connections = FakeConnections({"b": "gone"})

    assert connections.send("b", {"type": "ok"}).kind == "gone"
    assert connections.sent == []


@pytest.mark.parametrize(
    ("connection_id", "data"), [("", {}), ("a", {"set": {1}}), ("a", "x" * 131_073), ("a", 7)]
)
def test_fake_refuses_what_the_real_one_refuses(connection_id, data):
    with pytest.raises(ApplicationError):
        FakeConnections().send(connection_id, data)


def test_fake_keeps_what_was_closed():
    connections = FakeConnections({"b": "gone"})

    kinds = [connections.close("a").kind, connections.close("b").kind]

    assert kinds == ["sent", "gone"]
    assert connections.closed == ["a", "b"]


def test_captured_lines_are_decoded():
    with capture_lines() as lines:
        get_structured_logger("test").info("one")
        sys.stdout.write("not a line of ours\n")
        get_structured_logger("test").warning("two")

    assert [line["message"] for line in lines] == ["one", "two"]
    assert [line["message"] for line in lines.level("WARN")] == ["two"]


NOISE = [
    pytest.param({"debug": "left in by hand"}, id="printed-dict"),
    pytest.param('{"debug": "left in by hand"}', id="json-object"),
    pytest.param("{", id="begins-like-an-object"),
    pytest.param('{"timestamp":"', id="begins-like-a-line"),
    pytest.param('{"timestamp":"","level"', id="cut-line"),
    pytest.param('{"timestamp":"noon"}', id="object-with-a-timestamp"),
    pytest.param('{"timestamp":"","level":' + "[" * 100_000, id="deep"),
    pytest.param('{"timestamp":"","level":' + "9" * 5000 + "}", id="number-beyond-pythons-limit"),
    pytest.param('["level"]', id="list"),
    pytest.param('5\nnull\n"level"', id="json-that-is-no-object"),
    pytest.param("\ud800\x00\x1b[31m\u2028", id="control-characters"),
    pytest.param("", id="nothing"),
]


@pytest.mark.parametrize("end", ["\n", "", "\r\n", "\x85"])
@pytest.mark.parametrize("noise", NOISE)
def test_capture_keeps_the_layers_lines_whatever_else_is_printed(noise, end):
    """Also on the same line: what is printed without a newline does not hide what follows."""
    log = get_structured_logger("test")

    with capture_lines() as lines:
        log.info("first")
        print(noise, end=end)  # noqa: T201 - what a function may do
        log.info("second")
        print(noise, end=end)  # noqa: T201 - what a function may do

    assert [line["message"] for line in lines] == ["first", "second"]


def test_capture_survives_bytes_and_a_closed_stdout():
    log = get_structured_logger("test")

    with capture_lines() as lines:
        sys.stdout.buffer.write(b"\xff\xfe\x00{")
        sys.stdout.writelines(["one", "two"])
        log.info("first")
        sys.stdout.close()
        log.info("second")

    assert [line["message"] for line in lines] == ["first", "second"]


def test_line_with_what_other_readers_take_for_an_end_is_one_line():
    with capture_lines() as lines:
        get_structured_logger("test").info("a\u2028b\x85c\x1cd")

    assert [line["message"] for line in lines] == ["a\u2028b\x85c\x1cd"]


def test_lines_are_there_as_soon_as_they_are_written():
    with capture_lines() as lines:
        get_structured_logger("test").info("now")

        assert [line["message"] for line in lines] == ["now"]


def test_what_is_no_line_goes_where_it_would_go(capsys):
    with capture_lines():
        print("seen", {"by": "hand"})  # noqa: T201 - what a function may do
        get_structured_logger("test").info("captured")

    assert capsys.readouterr().out == "seen {'by': 'hand'}\n"


def test_noise_survives_an_outer_stdout_that_is_closed():
    outer = io.StringIO()

    with contextlib.redirect_stdout(outer), capture_lines() as lines:
        outer.close()
        print("lost")  # noqa: T201 - what a function may do
        get_structured_logger("test").info("kept")

    assert [line["message"] for line in lines] == ["kept"]


def test_capture_can_go_on_after_a_pause():
    with capture_lines() as lines:
        pass
    with capture_lines(lines) as same:
        get_structured_logger("test").info("later")

    assert same is lines
    assert [line["message"] for line in lines] == ["later"]


def test_captures_can_be_nested():
    log = get_structured_logger("test")

    with capture_lines() as outer:
        log.info("one")
        with capture_lines() as inner:
            log.info("two")
        log.info("three")

    assert [line["message"] for line in outer] == ["one", "three"]
    assert [line["message"] for line in inner] == ["two"]


def test_captured_metrics_are_gathered_over_lines():
    with capture_lines() as lines, MetricsEmitter() as metrics:
        metrics.emit_metric("Size", 5, "Bytes")
        metrics.emit_metric("Size", 6, "Bytes")
        metrics.flush()
        metrics.emit_metric("Size", 7, "Bytes")

    assert lines.metrics() == {"Size": [5, 6, 7]}


def test_capture_survives_an_exception(capsys):
    capture = capture_lines()
    lines = capture.__enter__()
    get_structured_logger("test").info("before")

    swallowed = capture.__exit__(ValueError, ValueError(), None)

    assert not swallowed
    assert lines[0]["message"] == "before"
    assert capsys.readouterr().out == ""


def test_outcome_of_a_connection_can_be_set_when_the_test_comes_to_it():
    connections = FakeConnections()
    connections.outcomes["ann"] = "gone"

    assert connections.send("ann", "{}").kind == "gone"
    assert connections.sent == []


WANTED = "sent, gone, throttled, too_large, forbidden, failed"


def test_outcome_that_there_is_not_is_refused_where_it_is_written():
    with pytest.raises(ValueError, match="outcomes") as caught:
        FakeConnections({"ann": "gon"})

    assert str(caught.value) == f"outcomes['ann'] must be one of {WANTED}, got 'gon'"


@pytest.mark.parametrize("kind", ["gon", "", None, 410, ["gone"]])
def test_outcome_that_there_is_not_is_refused_when_it_is_set(kind):
    connections = FakeConnections({"ann": "failed"})

    with pytest.raises(ValueError, match=WANTED):
        connections.outcomes["ann"] = kind

    assert connections.send("ann", "{}").kind == "failed"


@pytest.mark.parametrize("kind", WANTED.split(", "))
def test_every_outcome_is_taken(kind):
    assert FakeConnections({"ann": kind}).send("ann", "{}").kind == kind


def test_fake_says_for_itself_what_it_takes():
    """Not what the real one says of endpoints and times, which this one does not take."""
    made, real = FakeConnections.__init__.__doc__, FakeConnections.__mro__[1].__init__.__doc__

    assert "outcome" in made
    assert made != real


def test_fake_looks_up_as_the_real_one():
    connections = FakeConnections({"b": "gone", "c": "forbidden"})

    found = connections.get("a", timeout_seconds=1)

    assert found.keys() == {"connectedAt", "identity", "lastActiveAt"}
    assert found["connectedAt"].endswith("Z")
    assert connections.get("b") is None
    with pytest.raises(ApplicationError):
        connections.get("c")
    with pytest.raises(ApplicationError):
        connections.get("")


def test_fake_has_all_that_the_real_one_does_without_a_socket():
    """What is only inherited would look for an endpoint."""
    real = FakeConnections.__mro__[1]
    public = {name for name, kept in vars(real).items() if name[0] != "_" and callable(kept)}

    missing = public - vars(FakeConnections).keys()

    assert missing == {"close_sockets", "from_event"}
    FakeConnections().close_sockets()
