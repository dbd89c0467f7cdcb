"""From an event to a function and back, for events, bodies and exceptions of every kind."""

import asyncio
import contextvars
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_utils import _invocation, metrics_emitter, structured_logger, websocket_handler
from shared_utils.connections import Connections
from shared_utils.error_codes import (
    ApplicationError,
    ErrorCode,
    ErrorCodeBase,
    SilentRefusal,
    ValidationError,
)
from shared_utils.metrics_emitter import MetricsEmitter
from shared_utils.records import ClientMessage
from shared_utils.structured_logger import bind_context
from shared_utils.testing import (
    FakeConnections,
    FakeContext,
    capture_lines,
    connect_event,
    disconnect_event,
    message_event,
)
from shared_utils.websocket_handler import Request, Routes, WebSocketHandler
from shared_utils.websocket_messages import (
    GetSessionStatus,
    Heartbeat,
    HeartbeatAckMessage,
    SendAudio,
    SetVolume,
    SpeakerStateChangedMessage,
)

EVENTS = Path(__file__).parent / "events"
ID = "BFHPhfCWIAMCKlQ="
HEARTBEAT = {"action": "heartbeat", "requestId": "client-1"}
AUDIO = {"action": "sendAudio", "audioData": "AAAA" * 40, "sequenceNumber": 7, "timestamp": 1}
STATE = {"isPaused": True, "isMuted": False, "volume": 0.5}


def read_event(name):
    return json.loads((EVENTS / f"{name}.json").read_text())


@pytest.fixture(autouse=True)
def warm():
    """No test but one is an environment's first."""
    MetricsEmitter().emit_cold_start("warm")


@pytest.fixture
def at_level():
    yield structured_logger._set_level
    structured_logger._set_level("INFO")


@pytest.fixture
def sender():
    return FakeConnections()


@pytest.fixture
def handler(sender):
    return WebSocketHandler("Chat", connections=sender, subprotocols=("v2", "v1"))


def handle(handler, event, context=None):
    """Return the result, and the lines that were written."""
    with capture_lines() as lines:
        result = handler(event, context or FakeContext())
    return result, lines


def heartbeat_of(function, **settings):
    """Return a handler that answers heartbeats with `function`."""
    handler = WebSocketHandler("Chat", **{"connections": FakeConnections(), **settings})
    handler.route(Heartbeat)(function)
    return handler


def raises(error):
    def function(_request):
        raise error

    return function


# --- events and routes


@pytest.mark.parametrize(
    ("name", "action", "correlation_id"),
    [
        ("connect", "$connect", "BFHPhFe3IAMF95g="),
        ("connect_browser", "$connect", "BFHPhFe3IAMF95g="),
        ("connect_2019", "$connect", "BFHPhFe3IAMF95g="),
        ("message", "heartbeat", "client-1"),
        ("message_authorizer", "heartbeat", "client-1"),
        ("message_2019", "heartbeat", "client-1"),
        ("message_base64", "heartbeat", "client-1"),
        ("disconnect", "$disconnect", "BFHPhFe3IAMF95g="),
        ("disconnect_2019", "$disconnect", "BFHPhFe3IAMF95g="),
    ],
)
def test_real_event_reaches_its_route(handler, name, action, correlation_id):
    seen = []
    handler.route("$connect")(lambda request: seen.append(request.action))
    handler.route("$disconnect")(lambda request: seen.append(request.action))
    handler.route(Heartbeat)(lambda request: seen.append(request.action))

    result, (line, *_) = handle(handler, read_event(name))

    assert result == {"statusCode": 200}
    assert seen == [action]
    assert line["operation"] == action
    assert line["correlationId"] == correlation_id


def test_connect_without_a_route_is_accepted(handler):
    assert handler(connect_event(), FakeContext()) == {"statusCode": 200}


@pytest.mark.parametrize(
    ("asked", "headers"),
    [
        ("v1", {"headers": {"Sec-WebSocket-Protocol": "v1"}}),
        ("v1, v2", {"headers": {"Sec-WebSocket-Protocol": "v2"}}),
        ("v1,\tother", {"headers": {"Sec-WebSocket-Protocol": "v1"}}),
        ("v", {}),
        ("", {}),
    ],
)
def test_connect_echoes_the_preferred_subprotocol_that_was_asked_for(handler, asked, headers):
    event = connect_event(headers={"sec-WebSocket-Protocol": asked})

    result = handler(event, FakeContext())

    assert result == {"statusCode": 200, **headers}


def test_what_documents_need_of_a_handler_can_be_read(handler):
    assert (handler.name, handler.selection, handler.subprotocols) == (
        "Chat",
        "action",
        ("v2", "v1"),
    )


def test_disconnect_echoes_no_subprotocol(handler):
    event = disconnect_event()
    event["headers"] = {"Sec-WebSocket-Protocol": "v1"}

    assert handler(event, FakeContext()) == {"statusCode": 200}


def test_connect_data_is_there_on_connect(handler):
    seen = []
    handler.route("$connect")(
        lambda r: seen.extend([r.headers, r.query, r.authorizer, r.source_ip])
    )

    handle(handler, read_event("connect_browser"))

    assert seen[0]["origin"] == "https://audio.example.com"
    assert seen[1] == {"role": "speaker"}
    assert seen[2]["tenant"] == "acme"
    assert seen[3] == "166.90.225.1"


@pytest.mark.parametrize("name", ["disconnect", "message_2019", "message"])
def test_connect_data_is_empty_elsewhere(handler, name):
    seen = []
    handler.route("$disconnect")(lambda r: seen.extend([r.headers, r.query, r.authorizer]))
    handler.route("heartbeat")(lambda r: seen.extend([r.headers, r.query, r.authorizer]))
    event = {**read_event(name), "queryStringParameters": {"role": "speaker"}}

    handle(handler, event)

    assert seen == [{}, {}, {}]


def test_connect_data_that_is_not_text_is_left_out(handler):
    seen = []
    handler.route("$connect")(lambda r: seen.extend([r.headers, r.query, r.source_ip]))
    event = connect_event(identity=None)
    event |= {"headers": {"A": None, 1: "b", "C": "d"}, "queryStringParameters": []}

    handle(handler, event)

    assert seen == [{"c": "d"}, {}, ""]


def test_gateway_has_the_close_code(handler):
    seen = []
    handler.route("$disconnect")(lambda r: seen.append(r.gateway["disconnectStatusCode"]))

    handle(handler, disconnect_event(code=1001))

    assert seen == [1001]


def test_message_is_typed(handler):
    seen = []

    @handler.route(SetVolume)
    def set_volume(request: Request[SetVolume]) -> None:
        seen.append((request.message.volumeLevel, request.connection_id))

    handle(handler, message_event({"action": "setVolume", "volumeLevel": 0.5}))

    assert seen == [(0.5, ID)]


def test_methods_are_routes(handler, sender):
    class Volume:
        def set(self, request):
            return {"type": "ok"}

    handler.route(SetVolume)(Volume().set)

    handle(handler, message_event({"action": "setVolume", "volumeLevel": 0.5}))

    assert sender.sent == [(ID, {"type": "ok"})]


def test_several_modules_make_one_handler(handler, sender):
    volume, hearts = Routes(), Routes()
    volume.route(SetVolume)(lambda _: {"type": "volume"})
    hearts.route(Heartbeat)(lambda _: {"type": "heart"})
    hearts.route("$connect")(raises(ApplicationError("AUTH_MISSING_TOKEN")))
    handler.include(volume)
    handler.include(hearts)

    handle(handler, message_event({"action": "setVolume", "volumeLevel": 0.5}))
    handle(handler, message_event({"action": "heartbeat"}))
    refused, _ = handle(handler, connect_event())

    assert [message["type"] for _, message in sender.sent] == ["volume", "heart"]
    assert refused == {"statusCode": 401}


def test_default_takes_what_has_no_route(handler, sender):
    handler.route(Heartbeat)(lambda _: {"type": "heart"})
    handler.route("$default")(lambda request: {"type": request.body["action"]})

    handle(handler, message_event({"action": "pausePlayback"}))
    handle(handler, message_event({"action": "heartbeat"}))

    assert [message["type"] for _, message in sender.sent] == ["pausePlayback", "heart"]


@pytest.mark.parametrize("event", [{}, None, [], "text", 7, {"requestContext": None}])
def test_what_is_not_an_event_is_refused(handler, event):
    result, lines = handle(handler, event)

    assert result == {"statusCode": 400}
    assert lines[0]["context"]["reason"] == "event must be an API Gateway WebSocket event"
    assert lines.metrics()["MessageFailures"] == [1]


@pytest.mark.parametrize(
    "changes",
    [
        {"eventType": "PING"},
        {"eventType": ["MESSAGE"]},
        {"eventType": None},
        {"connectionId": ""},
        {"connectionId": None},
    ],
)
def test_event_of_no_known_kind_is_refused_without_a_reply(handler, sender, changes):
    event = message_event(HEARTBEAT, **changes)

    result, _ = handle(handler, event)

    assert result == {"statusCode": 400}
    assert sender.sent == []


# --- replies


def test_reply_echoes_the_request_id(handler, sender):
    handler.route(Heartbeat)(lambda _: HeartbeatAckMessage(timestamp=5))

    handle(handler, message_event(HEARTBEAT))

    reply = {"type": "heartbeatAck", "timestamp": 5, "requestId": "client-1"}
    assert sender.sent == [(ID, reply)]


def test_reply_without_a_request_id_has_none(handler, sender):
    answer = SpeakerStateChangedMessage(
        sessionId="golden-eagle-427", broadcastState=STATE, timestamp=5
    )
    handler.route(Heartbeat)(lambda _: answer)

    handle(handler, message_event({"action": "heartbeat"}))

    ((_, reply),) = sender.sent
    assert reply == {
        "type": "speakerStateChanged",
        "sessionId": "golden-eagle-427",
        "broadcastState": STATE,
        "timestamp": 5,
    }


def test_function_without_a_result_sends_nothing(handler, sender):
    handler.route(Heartbeat)(lambda _: None)

    result, (line, *_) = handle(handler, message_event(HEARTBEAT))

    assert result == {"statusCode": 200}
    assert sender.sent == []
    assert line["message"] == "Message handled"


@pytest.mark.parametrize(
    "returned",
    [
        [1],
        7,
        "text",
        False,
        {"type": "ok", "set": {1}},
        {"type": "ok", "nan": float("nan")},
    ],
)
@pytest.mark.threat("log-output-failures")
def test_result_that_is_no_message_is_our_failure(returned):
    sender = FakeConnections()
    handler = heartbeat_of(lambda _: returned, connections=sender)

    result, (line, *_) = handle(handler, message_event(HEARTBEAT))

    assert result == {"statusCode": 500}
    assert sender.sent[0][1]["code"] == "INTERNAL_SERVER_ERROR"
    assert line["level"] == "ERROR"
    assert line["error"]["stack"]


@pytest.mark.parametrize("action", ["$connect", "$disconnect"])
def test_result_of_connect_is_not_ignored(handler, action):
    """A function that means to refuse by returning a status must not let everyone in."""
    handler.route(action)(lambda _: {"statusCode": 401})
    event = {"$connect": connect_event(), "$disconnect": disconnect_event()}[action]

    result, (line, *_) = handle(handler, event)

    assert result == {"statusCode": 500}
    assert "raise to refuse" in line["error"]["message"]


def test_send_and_broadcast(handler, sender):
    @handler.route(Heartbeat)
    def beat(request):
        request.send("a", {"type": "one"})
        request.broadcast(iter(["b", "c"]), {"type": "many"})

    handle(handler, message_event(HEARTBEAT))

    assert sender.sent == [("a", {"type": "one"}), ("b", {"type": "many"}), ("c", {"type": "many"})]


@pytest.mark.parametrize(
    "post",
    [
        lambda r: r.reply({"type": "hello"}),
        lambda r: r.send(ID, {"type": "hello"}),
        lambda r: r.broadcast(["other", ID], {"type": "hello"}),
    ],
)
def test_connect_cannot_post_to_itself(handler, sender, post):
    handler.route("$connect")(post)

    result, (line, *_) = handle(handler, connect_event())

    assert result == {"statusCode": 500}
    assert sender.sent == []
    assert line["errorCode"] == "INTERNAL_CONFIGURATION_ERROR"
    assert line["error"]["message"] == (
        "A connection cannot be posted to before its $connect has answered"
    )


@pytest.mark.parametrize(
    "post",
    [
        pytest.param(lambda request, message: request.reply(message), id="reply"),
        pytest.param(lambda request, message: request.send("b", message), id="send"),
        pytest.param(lambda request, message: request.broadcast(["b"], message), id="broadcast"),
    ],
)
def test_message_that_is_too_large_to_be_sent_is_not_the_clients_mistake(handler, sender, post):
    handler.route("heartbeat")(lambda request: post(request, {"type": "x", "y": "z" * 131_072}))

    with capture_lines() as lines:
        result = handler(message_event({"action": "heartbeat"}), FakeContext())

    assert result == {"statusCode": 500}
    assert [message["code"] for _, message in sender.sent] == ["INTERNAL_SERVER_ERROR"]
    assert "details" not in sender.sent[0][1]
    assert "131072" in lines.level("ERROR")[0]["error"]["cause"]["message"]


def test_connect_can_post_to_others(handler, sender):
    @handler.route("$connect")
    def connect(request):
        request.send("other", {"type": "hello"})

    result, _ = handle(handler, connect_event())

    assert result == {"statusCode": 200}
    assert sender.sent == [("other", {"type": "hello"})]


@pytest.mark.parametrize("kind", ["gone", "throttled", "failed"])
@pytest.mark.threat("log-output-failures")
def test_reply_that_is_not_delivered_is_logged(kind):
    handler = heartbeat_of(lambda _: {"type": "ok"}, connections=FakeConnections({ID: kind}))

    result, (warning, summary, *_) = handle(handler, message_event(HEARTBEAT))

    assert result == {"statusCode": 200}
    assert warning["level"] == "WARN"
    assert kind in warning["context"]["outcome"]
    assert summary["message"] == "Message handled"


class BrokenConnections(FakeConnections):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def send(self, *_args, **_options):
        raise self.error


def test_error_reply_that_leaves_does_not_hide_the_failure():
    connections = BrokenConnections(SystemExit("left"))
    handler = heartbeat_of(raises(ValueError("first")), connections=connections)

    result, (warning, summary, *_) = handle(handler, message_event(HEARTBEAT))

    assert result == {"statusCode": 500}
    assert warning["error"]["message"] == "left"
    assert summary["error"]["message"] == "first"


@pytest.mark.parametrize("index", [1, 2])
def test_sender_whose_error_cannot_be_shown_is_answered_for(index):
    handler = heartbeat_of(
        raises(ValueError("first")), connections=BrokenConnections(HOSTILE[index])
    )

    result, (warning, summary, *_) = handle(handler, message_event(HEARTBEAT))

    assert result == {"statusCode": 500}
    assert warning["message"] == "The error reply could not be sent"
    assert summary["error"]["message"] == "first"


def test_sender_that_raises_is_logged():
    error = ApplicationError(ErrorCode.INTERNAL_CONFIGURATION_ERROR, "no endpoint")
    handler = heartbeat_of(lambda _: {"type": "ok"}, connections=BrokenConnections(error))

    result, (warning, summary, *_) = handle(handler, message_event(HEARTBEAT))

    assert result == {"statusCode": 500}
    assert warning["error"]["message"] == "no endpoint"
    assert summary["errorCode"] == "INTERNAL_CONFIGURATION_ERROR"


def test_reply_goes_over_a_real_socket(monkeypatch):
    """Without `connections`, the sender is made from the environment or the event."""
    received = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            peer, _ = server.accept()
            with peer:
                received.append(peer.recv(65536))
                peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        monkeypatch.setenv("API_GATEWAY_ENDPOINT", f"http://127.0.0.1:{port}/prod")
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
        handler = heartbeat_of(lambda _: {"type": "ok"}, connections=None)

        result, lines = handle(handler, message_event(HEARTBEAT))
        thread.join(5)

    assert result == {"statusCode": 200}
    assert len(lines) == 1
    assert received[0].startswith(b"POST /prod/@connections/BFHPhfCWIAMCKlQ%3D HTTP/1.1\r\n")
    assert received[0].endswith(b'\r\n\r\n{"type":"ok","requestId":"client-1"}')


def test_connections_are_those_of_the_event(monkeypatch):
    monkeypatch.delenv("API_GATEWAY_ENDPOINT", raising=False)
    request = Request(WebSocketHandler("Chat"), read_event("message"), None)

    assert type(request.connections) is Connections


# --- the deadline


@pytest.mark.parametrize(
    ("remaining_ms", "low", "high"),
    [(10_000, 9.5, 9.5), (500, 0, 0), (-5, 0, 0), (900_000, 28, 28.5), (float("nan"), 28, 28.5)],
)
def test_remaining_seconds_leave_time_for_the_reply(handler, remaining_ms, low, high):
    request = Request(handler, connect_event(), FakeContext(remaining_ms=remaining_ms))

    assert low <= request.remaining_seconds <= high


@pytest.mark.parametrize("context", [None, object(), FakeContext(remaining_ms="soon")])
def test_remaining_seconds_without_a_clock(handler, context):
    request = Request(handler, connect_event(), context)

    assert 28 <= request.remaining_seconds <= 28.5


@pytest.mark.parametrize(
    ("remaining_ms", "seconds"), [(900, [0.4, 0.4, 0.8]), (3000, [2.5, 2.5, 1.0])]
)
def test_sends_end_with_the_deadline(remaining_ms, seconds):
    """A reply may use most of what `remaining_seconds` holds back, and takes no more than a second."""
    given = []

    class Recording(FakeConnections):
        def broadcast(self, ids, data, *, timeout_seconds=None):
            given.append(timeout_seconds)
            return super().broadcast(ids, data)

        def send(self, connection_id, data, *, timeout_seconds=None):
            given.append(timeout_seconds)
            return super().send(connection_id, data)

    def post(request):
        request.send("a", "{}")
        request.broadcast(["a"], "{}")
        return {"type": "ok"}

    handler = heartbeat_of(post, connections=Recording())
    handle(handler, message_event(HEARTBEAT), FakeContext(remaining_ms=remaining_ms))

    assert [one for one in given if one] == pytest.approx(seconds)


# --- roles


@pytest.mark.parametrize(
    ("role", "status"), [("speaker", 200), ("listener", 403), (None, 403), ("any", 403)]
)
@pytest.mark.threat("ws-each-message")
def test_role_is_checked(sender, role, status):
    handler = WebSocketHandler("Chat", role_of=lambda _: role, connections=sender)
    handler.route(GetSessionStatus, role="speaker")(lambda _: None)

    result, _ = handle(handler, message_event({"action": "getSessionStatus"}))

    assert result == {"statusCode": status}
    assert [m["code"] for _, m in sender.sent] == ["AUTH_INVALID_ROLE"] * (status == 403)


def test_role_is_any_text_and_holds_on_the_default_route():
    roles = iter(["moderator", "guest"])
    handler = WebSocketHandler("Quiz", role_of=lambda _: next(roles), connections=FakeConnections())
    handler.route("$default", role="moderator")(lambda _: None)

    taken, _ = handle(handler, message_event({"action": "ban"}))
    refused, _ = handle(handler, message_event({"action": "ban"}))

    assert taken == {"statusCode": 200}
    assert refused == {"statusCode": 403}


@pytest.mark.parametrize("role", [None, "any"])
def test_role_is_not_asked_where_anyone_may(role):
    handler = WebSocketHandler("Chat", role_of=raises(ValueError), connections=FakeConnections())
    handler.route("$default", role=role)(lambda _: None)

    result, _ = handle(handler, message_event(HEARTBEAT))

    assert result == {"statusCode": 200}


def test_role_that_nobody_can_know_is_refused(handler):
    handler.route(Heartbeat, role="speaker")(lambda _: None)
    handler.route(SetVolume)(lambda _: None)

    refused, _ = handle(handler, message_event(HEARTBEAT))
    open_to_all, _ = handle(handler, message_event({"action": "setVolume", "volumeLevel": 1}))

    assert refused == {"statusCode": 403}
    assert open_to_all == {"statusCode": 200}


# --- bodies


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "VALIDATION_INVALID_MESSAGE_FORMAT"),
        ("no JSON", "VALIDATION_INVALID_MESSAGE_FORMAT"),
        ("[" * 100_000, "VALIDATION_INVALID_MESSAGE_FORMAT"),
        (" " * 131_073, "VALIDATION_MESSAGE_TOO_LARGE"),
        ('{"action":"heartbeat","x":"' + "x" * 4096 + '"}', "VALIDATION_MESSAGE_TOO_LARGE"),
        ("{}", "VALIDATION_MISSING_PARAMETER"),
        ('{"action":"dance"}', "VALIDATION_INVALID_ACTION"),
        ('{"action":"pausePlayback"}', "VALIDATION_INVALID_ACTION"),
        ({"action": "heartbeat"}, "VALIDATION_INVALID_MESSAGE_FORMAT"),
        (None, "VALIDATION_INVALID_MESSAGE_FORMAT"),
        (7, "VALIDATION_INVALID_MESSAGE_FORMAT"),
    ],
)
@pytest.mark.threat("ws-validation", "log-input-failures")
def test_body_refused(handler, sender, body, code):
    handler.route(Heartbeat)(lambda _: None)
    event = {**message_event("{}"), "body": body}

    result, (line, *_) = handle(handler, event)

    assert result["statusCode"] in (400, 413)
    assert [message["code"] for _, message in sender.sent] == [code]
    assert line["level"] == "WARN"
    assert line["errorCode"] == code
    assert "error" not in line


@pytest.mark.parametrize(
    "body", [pytest.param("%%%", id="base64"), pytest.param("/w==", id="utf-8")]
)
def test_body_that_is_not_what_it_claims_to_be_is_refused(handler, sender, body):
    event = {**message_event("{}"), "body": body, "isBase64Encoded": True}

    result, _ = handle(handler, event)

    assert result == {"statusCode": 400}
    assert sender.sent[0][1]["code"] == "VALIDATION_INVALID_MESSAGE_FORMAT"


def test_error_reply_says_what_was_wrong_and_echoes_the_request_id(handler, sender):
    handler.route(SetVolume)(lambda _: None)
    body = {"action": "setVolume", "volumeLevel": 7, "requestId": "client-1"}

    result, (line, *_) = handle(handler, message_event(body))

    ((connection_id, reply),) = sender.sent
    del reply["timestamp"]
    assert connection_id == ID
    assert reply["details"] == {"field": "volumeLevel"}
    assert reply["message"].startswith("volumeLevel must be")
    assert {**reply, "message": "", "details": {}} == {
        "type": "error",
        "code": "VALIDATION_INVALID_PARAMETER",
        "message": "",
        "details": {},
        "retryable": False,
        "requestId": "client-1",
    }
    assert line["context"]["reason"] == reply["message"]
    assert line["correlationId"] == "client-1"
    assert result == {"statusCode": 400}


def test_message_that_is_refused_counts_for_its_key(handler):
    """So that refused audio can be told from refused control messages."""
    handler.route(SendAudio)(lambda _: None)
    event = message_event({**AUDIO, "audioData": "AAAA"})

    _, (line, *_) = handle(handler, event)

    assert line["operation"] == "sendAudio"
    assert line["ActionType"] == "sendAudio"


@pytest.mark.parametrize("event", [message_event("{}", routeKey="made-up-7"), message_event("no")])
def test_message_without_a_route_counts_as_unknown(handler, event):
    handler.route(Heartbeat)(lambda _: None)

    _, (line, *_) = handle(handler, event)

    assert line["operation"] == "unknown"
    assert line["ActionType"] == "unknown"


# --- errors


class BotocoreError(Exception):
    def __init__(self, code, operation):
        super().__init__("An error with a secret in it")
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        self.operation_name = operation


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ValueError("a secret"), 500, "INTERNAL_SERVER_ERROR"),
        (RecursionError("a secret"), 500, "INTERNAL_SERVER_ERROR"),
        (SystemExit("a secret"), 500, "INTERNAL_SERVER_ERROR"),
        (KeyboardInterrupt("a secret"), 500, "INTERNAL_SERVER_ERROR"),
        (BaseException("a secret"), 500, "INTERNAL_SERVER_ERROR"),
        (ExceptionGroup("a secret", [ValueError("b")]), 500, "INTERNAL_SERVER_ERROR"),
        (ApplicationError("INTERNAL_DATABASE_ERROR", "a secret"), 500, "INTERNAL_DATABASE_ERROR"),
        (BotocoreError("InternalServerError", "PutItem"), 500, "INTERNAL_DATABASE_ERROR"),
        (BotocoreError("AccessDenied", "PutItem"), 500, "INTERNAL_CONFIGURATION_ERROR"),
        (BotocoreError("SlowDown", "PutItem"), 429, "RATE_LIMIT_EXCEEDED"),
    ],
)
@pytest.mark.threat("error-tells", "log-errors")
def test_our_failure_is_logged_in_full_and_reveals_nothing(error, status, code):
    sender = FakeConnections()
    handler = heartbeat_of(raises(error), connections=sender)

    result, (line, *_) = handle(handler, message_event({"action": "heartbeat"}))

    ((_, reply),) = sender.sent
    assert result == {"statusCode": status}
    assert reply["code"] == line["errorCode"] == code
    assert reply["message"] == ErrorCode[code].sentence
    assert reply["correlationId"] == line["correlationId"] == "BFHPhFe3IAMF95g="
    assert "secret" not in json.dumps(reply)
    assert "secret" in line["error"]["message"]
    assert line["error"]["stack"][-1].endswith("raise error")
    assert line["level"] == "ERROR"
    assert line["requestId"] == "lambda-request-1"


def test_refusal_reaches_the_client_with_sentence_and_details():
    sender = FakeConnections()
    error = ApplicationError("SESSION_NOT_FOUND", "No such session", {"sessionId": "a-b-123"})
    handler = heartbeat_of(raises(error), connections=sender)

    result, (line, *_) = handle(handler, message_event(HEARTBEAT))

    reply = sender.sent[0][1]
    assert result == {"statusCode": 404}
    assert reply["message"] == "No such session"
    assert reply["details"] == {"sessionId": "a-b-123"}
    assert reply["requestId"] == "client-1"
    assert "correlationId" not in reply
    assert (line["level"], line["message"]) == ("WARN", "Message refused")
    assert line["context"]["reason"] == "No such session"


def test_cause_of_a_refusal_is_logged():
    error = ApplicationError("CONNECTION_CLOSED")
    error.__cause__ = OSError("reset by peer")
    handler = heartbeat_of(raises(error))

    _, (line, *_) = handle(handler, message_event(HEARTBEAT))

    assert line["level"] == "WARN"
    assert line["error"]["message"] == "reset by peer"


class ChatCode(ErrorCodeBase):
    LOBBY_FULL = "LOBBY_FULL", 409, "The room is full", False
    CHAT_IS_DOWN = "CHAT_IS_DOWN", 503, "The chat is down", True


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ApplicationError(ChatCode.LOBBY_FULL), "LOBBY_FULL"),
        (ApplicationError(ChatCode.CHAT_IS_DOWN), "CHAT_IS_DOWN"),
    ],
)
def test_code_of_ones_own_reaches_client_line_and_metrics(handler, sender, error, code):
    handler.route("say")(raises(error))

    _, lines = handle(handler, message_event({"action": "say"}))

    assert sender.sent[0][1]["code"] == lines[0]["errorCode"] == code
    assert [line["ErrorCode"] for line in lines if "ErrorCode" in line] == [code]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ApplicationError("AUTH_TOKEN_EXPIRED"), 401),
        (ApplicationError("AUTH_UNAUTHORIZED"), 403),
        (ApplicationError("RATE_LIMIT_SESSION_CREATION"), 429),
        (ApplicationError("INTERNAL_DATABASE_ERROR"), 500),
        (ApplicationError(ChatCode.LOBBY_FULL), 409),
        (ApplicationError(ChatCode.CHAT_IS_DOWN), 500),
        (ValidationError("no", "origin"), 400),
        (ValueError("no"), 500),
        (SystemExit(0), 500),
    ],
)
def test_connect_answers_with_the_status(handler, sender, error, status):
    handler.route("$connect")(raises(error))

    result, _ = handle(handler, connect_event())

    assert result == {"statusCode": status}
    assert sender.sent == []


def explode(*_):
    raise RuntimeError("a foreign method ran")


def leave(*_):
    raise SystemExit("a foreign method ran")


def hostile(base, method, *names):
    members = {name: method if name[0] == "_" else property(method) for name in names}
    return type("Hostile", (base,), members)


HOSTILE = [
    hostile(ApplicationError, explode, "__str__", "__repr__")("SESSION_NOT_FOUND", "x"),
    hostile(Exception, explode, "__str__", "__repr__")("x"),
    hostile(Exception, leave, "__str__", "__repr__")("x"),
    hostile(Exception, explode, "code", "response", "__class__")("x"),
    hostile(Exception, leave, "response", "kwargs")("x"),
    hostile(Exception, explode, "__cause__", "__traceback__", "__dict__", "__notes__")("x"),
]


@pytest.mark.parametrize("error", HOSTILE)
def test_exception_that_fights_back_is_answered_and_logged(handler, error):
    handler.route("$connect")(raises(error))
    handler.route(Heartbeat)(raises(error))

    refused, connect_lines = handle(handler, connect_event())
    result, message_lines = handle(handler, message_event(HEARTBEAT))

    assert refused["statusCode"] in (404, 500)
    assert result["statusCode"] in (404, 500)
    assert connect_lines
    assert message_lines


@pytest.mark.parametrize("name", ["details", "message"])
def test_refusal_whose_details_cannot_be_read_is_logged(name):
    kind = type("Hostile", (ApplicationError,), {name: property(explode, lambda *_: None)})
    handler = heartbeat_of(raises(kind("SESSION_NOT_FOUND", "x")))

    result, lines = handle(handler, message_event(HEARTBEAT))

    assert result == {"statusCode": 404}
    assert lines[0]["message"] == "The error reply could not be sent"
    assert lines[1]["errorCode"] == "SESSION_NOT_FOUND"


@pytest.mark.parametrize(
    ("code", "status"), [("SESSION_FULL", 429), ("nonsense", 500), (None, 500), ({}, 500)]
)
def test_code_that_is_no_member_is_looked_up(code, status):
    error = ApplicationError("SESSION_NOT_FOUND")
    error.code = code
    handler = heartbeat_of(raises(error))

    result, _ = handle(handler, message_event(HEARTBEAT))

    assert result == {"statusCode": status}


def test_failure_of_the_error_mapping_itself_is_answered():
    handler = heartbeat_of(raises(HOSTILE[2]))

    result, lines = handle(handler, message_event(HEARTBEAT))

    [failed] = [line for line in lines if line["message"] == "Message failed"]
    assert result == {"statusCode": 500}
    assert (failed["level"], failed["error"]["type"]) == ("ERROR", "Hostile")
    assert failed["error"]["message"] == "<unreadable>"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
CONTEXT = st.fixed_dictionaries(
    {},
    optional={
        "eventType": st.sampled_from(["CONNECT", "MESSAGE", "DISCONNECT"]) | JSON,
        "connectionId": st.just(ID) | JSON,
        "requestId": JSON,
        "routeKey": JSON,
        "authorizer": JSON,
        "identity": JSON,
    },
)
EVENT = st.fixed_dictionaries(
    {"requestContext": CONTEXT | JSON},
    optional={
        "body": JSON | st.dictionaries(st.sampled_from(["action", "requestId"]), JSON).map(repr),
        "isBase64Encoded": JSON,
        "headers": JSON,
        "queryStringParameters": JSON,
    },
)


@given(event=EVENT | JSON)
def test_any_event_is_answered(event):
    handler = WebSocketHandler("Chat", connections=FakeConnections(), subprotocols=("v1",))

    result, lines = handle(handler, event)

    assert result["statusCode"] in (200, 400, 413)
    assert lines[-1]["component"] == "Chat"


@given(body=st.text() | JSON.map(json.dumps) | JSON)
def test_any_body_is_answered(body):
    handler = heartbeat_of(lambda _: None)

    result, _ = handle(handler, {**message_event("{}"), "body": body})

    assert result["statusCode"] in (400, 413)


# --- keys


CHAT = {"kind": "say", "text": "hello", "requestId": "client-1"}


def test_key_of_the_gateway_comes_first(handler):
    seen = []
    handler.route("say")(lambda request: seen.append("say"))
    handler.route("shout")(lambda request: seen.append("shout"))

    handle(handler, message_event({"action": "say"}, routeKey="shout"))

    assert seen == ["shout"]


@pytest.mark.parametrize("route_key", ["$default", "other", None, 7, ["say"]])
def test_key_is_in_the_body_when_the_gateways_has_no_route(handler, route_key):
    """An API with one route, `$default`, may have one function for all of its messages."""
    seen = []
    handler.route("$default")(lambda request: seen.append("$default"))
    handler.route("say")(lambda request: seen.append(request.action))

    handle(handler, message_event({"action": "say"}, routeKey=route_key))

    assert seen == ["say"]


def test_member_that_holds_the_key_can_be_chosen(sender):
    handler = WebSocketHandler("Chat", selection="kind", connections=sender)
    handler.route("say")(lambda request: {"text": request.body["text"]})

    result, (line, *_) = handle(handler, message_event(CHAT))

    assert result == {"statusCode": 200}
    assert sender.sent == [(ID, {"text": "hello", "requestId": "client-1"})]
    assert line["operation"] == line["ActionType"] == "say"
    assert line["correlationId"] == "client-1"


@pytest.mark.parametrize("key", ["$connect", "$disconnect", "$default"])
@pytest.mark.threat("event-as-action")
def test_client_cannot_name_the_route_of_an_event(handler, sender, key):
    """What `$connect` does is for those who connect, whatever their messages say."""
    seen = []
    for name in ("$connect", "$disconnect"):
        handler.route(name)(lambda request: seen.append(request))

    result, _ = handle(handler, message_event({"action": key}, routeKey=key))

    assert result == {"statusCode": 400}
    assert seen == []
    assert sender.sent[0][1]["code"] == "VALIDATION_INVALID_ACTION"


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ('{"action":"dance"}', {"action": "dance"}),
        ('{"action":["say"]}', {"action": ["say"]}),
        ("{}", {}),
        ("no JSON", None),
        ("[1]", None),
        ("", None),
    ],
)
def test_default_takes_whatever_no_route_takes(handler, body, seen):
    found = []
    handler.route("say")(lambda request: found.append("say"))
    handler.route("$default")(
        lambda request: found.append((request.action, request.body, request.text))
    )

    result, (line, *_) = handle(handler, message_event(body))

    assert result == {"statusCode": 200}
    assert found == [("$default", seen, body)]
    assert line["ActionType"] == "$default"


def test_text_is_decoded(handler):
    found = []
    handler.route("$default")(lambda request: found.append(request.text))
    event = {**message_event("aMOp"), "isBase64Encoded": True}

    handle(handler, event)

    assert found == ["h\u00e9"]


@pytest.mark.parametrize("body", ["no JSON", "[1]", '"say"', "", None])
def test_key_without_an_object_is_refused(handler, sender, body):
    handler.route("say")(lambda _: None)
    event = {**message_event("", routeKey="say"), "body": body}

    result, (line, *_) = handle(handler, event)

    assert result == {"statusCode": 400}
    assert sender.sent[0][1]["code"] == "VALIDATION_INVALID_MESSAGE_FORMAT"
    assert line["ActionType"] == "say"


@pytest.mark.parametrize("request_id", [7, None, "x" * 129, "\ud800", "a\udc00"])
def test_request_id_that_is_none_is_not_echoed(handler, sender, request_id):
    handler.route("say")(lambda _: {"type": "said"})

    handle(handler, message_event({"action": "say", "requestId": request_id}))

    assert sender.sent == [(ID, {"type": "said"})]


def test_request_id_of_the_longest_is_echoed(handler, sender):
    handler.route("say")(lambda _: {"type": "said"})

    handle(handler, message_event({"action": "say", "requestId": "x" * 128}))

    assert sender.sent == [(ID, {"type": "said", "requestId": "x" * 128})]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{}", "kind is required"),
        ('{"kind":"dance"}', "kind has no route here, got 'dance'"),
        ('{"kind":7}', "kind has no route here, got 7"),
        ('{"kind":"\\u202e' + "x" * 90 + '"}', "kind has no route here, got '\\u202exxxxx"),
    ],
)
def test_refusal_names_no_message_of_another_system(sender, body, message):
    handler = WebSocketHandler("Chat", selection="kind", connections=sender)
    handler.route("say")(lambda _: None)

    handle(handler, message_event(body))

    assert sender.sent[0][1]["message"].startswith(message)
    assert sender.sent[0][1]["details"] == {"field": "kind"}
    assert len(sender.sent[0][1]["message"]) < 80


def test_class_is_parsed_when_only_the_body_names_it(handler):
    seen = []
    handler.route(SetVolume)(lambda request: seen.append(request.message.volumeLevel))

    handle(handler, message_event({"action": "setVolume", "volumeLevel": 1}, routeKey="$default"))

    assert seen == [1]


class Say(ClientMessage):
    """Reads its own text, as a message of audio does."""

    text: str

    @classmethod
    def from_json(cls, text):
        if "text" not in text:
            raise ValidationError("say something", "text")
        return cls(text="read", requestId="client-7")


@pytest.mark.parametrize(("route_key", "text"), [("say", "read"), ("$default", "hello")])
def test_class_that_reads_its_own_text_does_so_if_the_gateway_names_it(
    handler, sender, route_key, text
):
    """Else the object has been read already."""
    handler.route(Say)(lambda request: {"text": request.message.text})
    event = message_event(
        {"action": "say", "text": "hello", "requestId": "client-7"}, routeKey=route_key
    )

    handle(handler, event)

    assert sender.sent == [(ID, {"text": text, "requestId": "client-7"})]


def test_refusal_of_a_class_that_reads_its_own_text_echoes_the_request_id(handler, sender):
    handler.route(Say)(lambda _: None)

    result, _ = handle(handler, message_event({"action": "say", "requestId": "client-7"}))

    assert result == {"statusCode": 400}
    assert sender.sent[0][1]["message"] == "say something"
    assert sender.sent[0][1]["requestId"] == "client-7"


# --- before parsing


def test_check_before_parsing_sees_connection_and_size(handler, sender):
    seen = []
    handler.route(Heartbeat)(lambda _: None)

    @handler.before_parsing
    def check(request):
        seen.append((request.connection_id, len(request.text), request.action))

    handle(handler, message_event("no JSON", "c-1"))
    handle(handler, connect_event())

    assert seen == [("c-1", 7, "unknown")]


def test_message_that_is_refused_before_parsing_is_not_read(handler, sender, monkeypatch):
    monkeypatch.setattr(websocket_handler, "read_object", explode)
    handler.route("say")(lambda _: None)
    handler.before_parsing(raises(ApplicationError("RATE_LIMIT_EXCEEDED")))

    result, (line, *_) = handle(handler, message_event({"action": "say", "requestId": "client-1"}))

    assert result == {"statusCode": 429}
    assert sender.sent[0][1]["code"] == "RATE_LIMIT_EXCEEDED"
    assert "requestId" not in sender.sent[0][1]
    assert line["ActionType"] == "unknown"


# --- refusals without a reply and a line


def silent_handler(error, **settings):
    """Return a handler that refuses heartbeats so, and the list whose last item is its clock."""
    handler = heartbeat_of(raises(error), **settings)
    now = [1000]
    handler.windowed_metrics = MetricsEmitter(window_seconds=10, clock=lambda: int(now[-1] * 10**9))
    return handler, now


def declared_where(place, handler, error):
    """Raise an error in one of the places where an event may be refused."""
    if place == "check":
        handler.before_parsing(raises(error))
    elif place == "middleware":
        handler.middleware(lambda request, call_next: raises(error)(request))
    elif place == "exception handler":
        handler.exception_handler(ValueError)(lambda _, request: raises(error)(request))
    handler.route("say")(raises(ValueError() if place == "exception handler" else error))


@pytest.mark.parametrize("place", ["check", "middleware", "route", "exception handler"])
def test_message_is_dropped_without_a_reply_and_a_line(handler, sender, place):
    declared_where(place, handler, SilentRefusal())

    result, lines = handle(handler, message_event({"action": "say"}))

    assert result == {"statusCode": 429}
    assert (sender.sent, lines) == ([], [])


def test_message_that_is_dropped_before_parsing_is_not_read(handler, monkeypatch):
    monkeypatch.setattr(websocket_handler, "read_object", explode)
    handler.route("say")(lambda _: None)
    handler.before_parsing(raises(SilentRefusal("CONNECTION_CLOSED")))

    assert handle(handler, message_event({"action": "say"})) == ({"statusCode": 410}, [])


def test_dropped_messages_are_counted_in_one_document_a_window():
    handler, now = silent_handler(SilentRefusal())

    @handler.before_parsing
    def count(_request):
        handler.windowed_metrics.emit_metric("Dropped", 1, "Count")

    _, first = handle(repeat(handler, 100), message_event(HEARTBEAT))
    now.append(1010)
    _, due = handle(handler, message_event(HEARTBEAT))

    assert first == []
    assert due.metrics() == {"Dropped": [101]}


def test_window_is_over_at_a_message_that_is_not_sampled_too():
    """Else what was counted of dropped messages would wait for the next one that is dropped."""
    handler, now = silent_handler(SilentRefusal())
    handler.route("say")(lambda _: None)
    handler.windowed_metrics.emit_metric("Dropped", 1, "Count")
    handle(handler, message_event({"action": "say"}))
    now.append(1010)

    _, lines = handle(handler, message_event({"action": "say"}))

    assert lines.metrics()["Dropped"] == [1]


def test_silent_refusal_may_have_its_line():
    handler, _ = silent_handler(SilentRefusal("CONNECTION_CLOSED", "closed by us", logged=True))

    result, (line, *_) = handle(handler, message_event(HEARTBEAT))

    assert result == {"statusCode": 410}
    assert handler.connections.sent == []
    assert (line["level"], line["errorCode"]) == ("WARN", "CONNECTION_CLOSED")
    assert line["context"]["reason"] == "closed by us"


@pytest.mark.parametrize("logged", [True, False])
def test_connection_is_refused_with_the_status_of_a_silent_refusal(handler, logged):
    handler.route("$connect")(raises(SilentRefusal(logged=logged)))

    result, lines = handle(handler, connect_event())

    assert result == {"statusCode": 429}
    assert [line["errorCode"] for line in lines.level("WARN")] == ["RATE_LIMIT_EXCEEDED"] * logged


def test_no_exception_handler_is_asked_about_a_silent_refusal():
    handler, _ = silent_handler(SilentRefusal())
    handler.exception_handler(ApplicationError)(lambda *_: {"type": "sorry"})

    handle(handler, message_event(HEARTBEAT))

    assert handler.connections.sent == []


def test_silent_refusal_with_the_code_of_a_failure_is_one():
    """Nobody can hide an error of ours by this class."""
    handler, _ = silent_handler(SilentRefusal("INTERNAL_DATABASE_ERROR"))

    result, (line, *_) = handle(handler, message_event(HEARTBEAT))

    assert result == {"statusCode": 500}
    assert line["level"] == "ERROR"
    assert handler.connections.sent[0][1]["code"] == "INTERNAL_DATABASE_ERROR"


def test_refusal_is_one_line_and_its_latency_waits_for_the_window():
    handler, now = silent_handler(ApplicationError("SESSION_NOT_FOUND"))

    _, refused = handle(handler, message_event(HEARTBEAT))
    now.append(1010)
    _, due = handle(handler, message_event(HEARTBEAT))

    [line] = refused
    assert (line["message"], line["MessageFailures"]) == ("Message refused", 1)
    assert len(due.metrics()["MessageLatency"]) == 2


def test_refusal_that_reaches_nobody_is_counted_and_costs_no_line():
    handler, now = silent_handler(ApplicationError("SESSION_NOT_FOUND"))
    handler.connections.outcomes[ID] = "gone"

    result, lines = handle(handler, message_event(HEARTBEAT, ID))
    now.append(1010)
    _, due = handle(handler, message_event(HEARTBEAT, ID))

    assert (result, lines) == ({"statusCode": 404}, [])
    [document] = due
    assert (document["MessageFailures"], document["ErrorCode"]) == (2, "SESSION_NOT_FOUND")


@pytest.mark.parametrize(
    ("function", "levels"),
    [
        pytest.param(lambda _: {"type": "ok"}, ["WARN", "INFO"], id="valid"),
        pytest.param(raises(ValueError("ours")), ["WARN", "ERROR"], id="failure"),
    ],
)
def test_message_that_was_handled_or_failed_has_its_line_though_nobody_is_left(function, levels):
    handler = heartbeat_of(function)
    handler.connections.outcomes[ID] = "gone"

    _, lines = handle(handler, message_event(HEARTBEAT, ID))

    assert [line["level"] for line in lines if "message" in line][:2] == levels


# --- replies of every kind


class WithJson:
    def __init__(self, text):
        self.text = text

    def to_json(self):
        return self.text


class WithDict:
    def to_dict(self):
        return {"type": "said"}


class WithModelDump:
    """As pydantic's models have it."""

    def model_dump(self, *, mode):
        return {"type": "said", "mode": mode}


@pytest.mark.parametrize(
    ("reply", "sent"),
    [
        ({"type": "said"}, {"type": "said"}),
        ({"statusCode": 200}, {"statusCode": 200}),
        ({}, {}),
        (WithJson('{"type":"said"}'), {"type": "said"}),
        (WithJson(b'{"type":"said"}'), {"type": "said"}),
        (WithJson({"type": "said"}), {"type": "said"}),
        (WithDict(), {"type": "said"}),
        (WithModelDump(), {"type": "said", "mode": "json"}),
        (HeartbeatAckMessage(timestamp=5), {"type": "heartbeatAck", "timestamp": 5}),
        (Heartbeat(timestamp=5), {"action": "heartbeat", "timestamp": 5}),
    ],
)
def test_reply_is_whatever_gives_an_object(handler, sender, reply, sent):
    handler.route("say")(lambda _: reply)

    handle(handler, message_event({"action": "say"}))
    handle(handler, message_event({"action": "say", "requestId": "client-1"}))

    assert sender.sent == [(ID, sent), (ID, {**sent, "requestId": "client-1"})]


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param({"type": "said", "requestId": "mine"}, id="dict"),
        pytest.param(HeartbeatAckMessage(requestId="mine"), id="message"),
    ],
)
def test_request_id_of_the_reply_is_kept(handler, sender, reply):
    handler.route(Heartbeat)(lambda _: reply)

    handle(handler, message_event(HEARTBEAT))

    assert sender.sent[0][1]["requestId"] == "mine"


def test_returned_object_is_not_changed(handler, sender):
    """It may be one for all: a constant, or what a cache holds."""
    reply = {"type": "said", "requestId": None}
    handler.route(Heartbeat)(lambda _: reply)

    handle(handler, message_event(HEARTBEAT))

    assert sender.sent == [(ID, {"type": "said", "requestId": "client-1"})]
    assert reply == {"type": "said", "requestId": None}


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (7, "a reply must give a JSON object, got int"),
        (WithJson("[1]"), "a reply must give a JSON object, got WithJson"),
        (WithJson(None), "a reply must give a JSON object, got WithJson"),
        (WithJson, "missing 1 required positional argument"),
    ],
)
def test_reply_that_gives_no_object_is_our_failure(handler, sender, reply, text):
    handler.route("say")(lambda _: reply)

    result, (line, *_) = handle(handler, message_event({"action": "say"}))

    assert result == {"statusCode": 500}
    assert text in line["error"]["message"]


def test_coroutine_that_nobody_awaits_gets_advice(handler):
    async def say(_request):
        return {"type": "said"}

    handler.route("say")(lambda request: say(request))

    result, (line, *_) = handle(handler, message_event({"action": "say"}))

    assert result == {"statusCode": 500}
    assert line["error"]["message"] == (
        "a reply must give a JSON object, got coroutine:"
        " await it, or declare its function with async def"
    )


# --- middleware


@pytest.fixture
def order():
    return []


def noting(order, name, asynchronous=False):
    """Return a middleware that notes when it is entered and left."""

    def middleware(request, call_next):
        order.append(f"{name} {request.action}")
        reply = call_next(request)
        order.append(name)
        return reply

    async def async_middleware(request, call_next):
        order.append(f"{name} {request.action}")
        reply = await call_next(request)
        order.append(name)
        return reply

    return async_middleware if asynchronous else middleware


async def async_say(_request):
    return {"type": "said"}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_first_middleware_is_outermost(handler, sender, order, asynchronous):
    handler.middleware(noting(order, "a", asynchronous))
    handler.route("say")(lambda _: order.append("say") or {"type": "said"})
    handler.middleware(noting(order, "b", asynchronous))

    result, _ = handle(handler, message_event({"action": "say"}))

    assert result == {"statusCode": 200}
    assert order == ["a say", "b say", "say", "b", "a"]
    assert sender.sent == [(ID, {"type": "said"})]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_middleware_is_around_every_event(handler, order, asynchronous):
    handler.middleware(noting(order, "m", asynchronous))
    handler.route("$default")(lambda _: None)

    handle(handler, connect_event())
    handle(handler, message_event("no JSON"))
    handle(handler, disconnect_event())

    assert order == ["m $connect", "m", "m $default", "m", "m $disconnect", "m"]


def test_middleware_sees_what_is_checked(sender, order):
    """It comes after parsing and the check of the role."""
    handler = WebSocketHandler("Chat", role_of=lambda _: "guest", connections=sender)
    handler.route("ban", role="moderator")(lambda _: None)
    handler.route(SetVolume, role="guest")(lambda _: None)
    handler.middleware(lambda request, call_next: order.append(request.message.volumeLevel))

    handle(handler, message_event({"action": "ban"}))
    handle(handler, message_event({"action": "setVolume", "volumeLevel": 7}))
    handle(handler, message_event({"action": "setVolume", "volumeLevel": 1}))

    assert order == [1]


def test_middleware_may_answer_instead(handler, sender):
    handler.route("say")(raises(ValueError()))
    handler.middleware(lambda request, call_next: {"type": "closed"})

    handle(handler, message_event({"action": "say"}))

    assert sender.sent == [(ID, {"type": "closed"})]


def test_middleware_is_inside_of_the_error_mapping(handler, sender):
    handler.route("say")(lambda _: None)
    handler.middleware(lambda request, call_next: raises(ApplicationError("SESSION_NOT_FOUND"))(0))

    result, _ = handle(handler, message_event({"action": "say"}))

    assert result == {"statusCode": 404}
    assert sender.sent[0][1]["code"] == "SESSION_NOT_FOUND"


def test_middleware_sees_an_error_before_it_is_mapped(handler, order):
    @handler.middleware
    def watch(request, call_next):
        try:
            return call_next(request)
        except ValueError as error:
            order.append(str(error))
            raise

    handler.route("say")(raises(ValueError("mine")))

    result, _ = handle(handler, message_event({"action": "say"}))

    assert result == {"statusCode": 500}
    assert order == ["mine"]


def test_middleware_cannot_refuse_a_connection_by_what_it_returns(handler):
    handler.middleware(lambda request, call_next: {"statusCode": 401})

    result, _ = handle(handler, connect_event())

    assert result == {"statusCode": 500}


# --- exception handlers


class ChatError(Exception):
    pass


class RoomError(ChatError):
    pass


def test_error_becomes_a_reply(handler, sender):
    @handler.exception_handler(ChatError)
    def on_chat_error(error, request):
        return {"type": "chatError", "text": str(error), "key": request.action}

    handler.route("say")(raises(ChatError("too loud")))

    result, (line, *_) = handle(handler, message_event({"action": "say", "requestId": "client-1"}))

    reply = {"type": "chatError", "text": "too loud", "key": "say", "requestId": "client-1"}
    assert result == {"statusCode": 200}
    assert sender.sent == [(ID, reply)]
    assert (line["level"], line["message"]) == ("INFO", "Message handled")
    assert line["context"] == {"mappedError": "ChatError"}


def test_error_becomes_another(handler, sender):
    @handler.exception_handler(ChatError)
    def on_chat_error(error, request):
        raise ApplicationError("SESSION_NOT_FOUND", "No such room") from error

    handler.route("say")(raises(ChatError("room 7")))
    handler.route("$connect")(raises(ChatError("room 7")))

    result, (line, *_) = handle(handler, message_event({"action": "say"}))
    refused, _ = handle(handler, connect_event())

    assert result == refused == {"statusCode": 404}
    assert sender.sent[0][1]["message"] == "No such room"
    assert line["error"]["message"] == "room 7"
    assert "mappedError" not in line.get("context", {})


@pytest.mark.parametrize(
    ("error", "by"),
    [
        (RoomError(), "RoomError"),
        (ChatError(), "Exception"),
        (ValidationError("no"), "ApplicationError"),
        (KeyError(), "Exception"),
        (SystemExit(), "BaseException"),
    ],
)
def test_nearest_class_counts(handler, sender, error, by):
    for kind in (BaseException, Exception, ApplicationError, RoomError):
        handler.exception_handler(kind)(lambda _e, _r, name=kind.__name__: {"by": name})
    handler.route("say")(raises(error))

    handle(handler, message_event({"action": "say"}))

    assert sender.sent == [(ID, {"by": by})]


def test_exception_handler_may_only_look_and_raise_the_error_again(handler, sender):
    """So can refused messages be counted for each connection."""
    refused = []

    @handler.exception_handler(ValidationError)
    def count(error, request):
        refused.append(request.connection_id)
        raise error

    handler.route("say")(lambda _: None)

    result, (line, *_) = handle(handler, message_event("no JSON", "c-1"))

    assert result == {"statusCode": 400}
    assert refused == ["c-1"]
    assert sender.sent[0][1]["code"] == "VALIDATION_INVALID_MESSAGE_FORMAT"
    assert (line["level"], "error" in line) == ("WARN", False)


def test_refusals_of_the_handler_itself_can_be_mapped(handler, sender):
    handler.exception_handler(ValidationError)(lambda error, _: {"wrong": error.field})
    handler.route(SetVolume)(lambda _: None)

    handle(handler, message_event({"action": "setVolume", "volumeLevel": 7}))
    handle(handler, message_event({"action": "dance"}))

    assert sender.sent == [(ID, {"wrong": "volumeLevel"}), (ID, {"wrong": "action"})]


def test_nothing_is_sent_if_an_exception_handler_returns_nothing(handler, sender):
    handler.exception_handler(ChatError)(lambda error, request: None)
    handler.route("say")(raises(ChatError()))
    handler.route("$disconnect")(raises(ChatError()))

    result, _ = handle(handler, message_event({"action": "say"}))
    gone, _ = handle(handler, disconnect_event())

    assert result == gone == {"statusCode": 200}
    assert sender.sent == []


@pytest.mark.parametrize("returned", [None, {"type": "chatError"}])
def test_exception_handler_of_connect_may_only_raise(handler, returned):
    """Else everybody would be let in whom an error should have kept out."""
    handler.exception_handler(ChatError)(lambda error, request: returned)
    handler.route("$connect")(raises(ChatError("not today")))

    result, (line, *_) = handle(handler, connect_event())

    assert result == {"statusCode": 500}
    assert line["error"]["message"] == "On $connect an exception handler may only raise"
    assert line["error"]["cause"]["message"] == "not today"


def test_exception_handler_that_fails_is_a_failure(handler, sender):
    handler.exception_handler(ChatError)(raises_two(KeyError("its own")))
    handler.exception_handler(KeyError)(lambda error, request: {"type": "not asked"})
    handler.route("say")(raises(ChatError("first")))

    result, (line, *_) = handle(handler, message_event({"action": "say"}))

    assert result == {"statusCode": 500}
    assert sender.sent[0][1]["code"] == "INTERNAL_SERVER_ERROR"
    assert line["error"]["type"] == "KeyError"
    assert line["error"]["cause"]["message"] == "first"


def raises_two(error):
    return lambda _error, _request: raises(error)(None)


# --- failure hooks


def test_failure_is_offered_to_every_hook(handler, sender):
    seen = []
    handler.on_failure(lambda error, request: seen.append((error, request.action)))
    handler.on_failure(lambda error, request: seen.append((error, request.connection_id)))
    error = ValueError("ours")
    handler.route("say")(raises(error))

    result, _ = handle(handler, message_event({"action": "say"}))

    assert result == {"statusCode": 500}
    assert seen == [(error, "say"), (error, ID)]


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (ApplicationError("SESSION_NOT_FOUND"), 0),
        (ValidationError("no"), 0),
        (ChatError(), 0),
        (ApplicationError("INTERNAL_DATABASE_ERROR"), 1),
        (KeyError(), 1),
        (SystemExit(), 1),
    ],
)
def test_only_what_is_unexpected_is_a_failure(handler, error, calls):
    seen = []
    handler.on_failure(lambda error, request: seen.append(error))
    handler.exception_handler(ChatError)(lambda error, request: None)
    handler.route("say")(raises(error))

    handle(handler, message_event({"action": "say"}))

    assert len(seen) == calls


@pytest.mark.parametrize("raised", [RuntimeError("hook"), SystemExit("hook")])
def test_hook_that_fails_changes_nothing(handler, sender, raised):
    seen = []
    handler.on_failure(raises_two(raised))
    handler.on_failure(lambda error, request: seen.append(error))
    handler.route("say")(raises(ValueError("ours")))

    result, lines = handle(handler, message_event({"action": "say"}))

    assert result == {"statusCode": 500}
    assert len(sender.sent) == len(seen) == 1
    assert [line["error"]["message"] for line in lines if "error" in line] == ["ours", "hook"]
    assert lines.level("WARN")[0]["message"] == "A failure hook failed"


def test_metrics_of_a_hook_are_written(handler):
    handler.on_failure(lambda error, request: request.metrics.emit_metric("Reported", 1, "Count"))
    handler.route("say")(raises(ValueError("ours")))

    _, lines = handle(handler, message_event({"action": "say"}))

    assert lines.metrics()["Reported"] == [1]


# --- async


def test_async_route(handler, sender):
    @handler.route("say")
    async def say(request):
        await asyncio.sleep(0)
        return {"type": "said", "text": request.body["text"]}

    result, (line, *_) = handle(handler, message_event({"action": "say", "text": "hello"}))

    assert result == {"statusCode": 200}
    assert sender.sent == [(ID, {"type": "said", "text": "hello"})]
    assert (line["message"], line["operation"]) == ("Message handled", "say")


def test_sync_route_beside_an_async_one(handler, sender):
    handler.route("say")(async_say)
    handler.route("shout")(lambda _: {"type": "shouted"})

    handle(handler, message_event({"action": "shout"}))
    result, _ = handle(handler, connect_event())

    assert result == {"statusCode": 200}
    assert sender.sent == [(ID, {"type": "shouted"})]


def test_async_routes_of_another_module(handler, sender):
    routes = Routes()
    routes.route("say")(async_say)
    handler.include(routes)

    handle(handler, message_event({"action": "say"}))

    assert sender.sent == [(ID, {"type": "said"})]


def test_async_failure_is_mapped(handler, sender):
    @handler.route("say")
    async def say(_request):
        raise ApplicationError("SESSION_NOT_FOUND")

    result, (line, *_) = handle(handler, message_event({"action": "say"}))

    assert result == {"statusCode": 404}
    assert line["errorCode"] == "SESSION_NOT_FOUND"


def test_bound_fields_stand_on_the_summary_and_on_no_later_line(handler):
    own = contextvars.ContextVar("own", default="nothing")
    seen = []

    @handler.route("say")
    async def say(request):
        seen.append(own.get())
        own.set(request.body["room"])
        bind_context(room=request.body["room"])
        await asyncio.sleep(0)

    @handler.route("look")
    async def look(request):
        seen.append(own.get())
        request.logger.info("looking")

    _, (said, *_) = handle(handler, message_event({"action": "say", "room": "blue"}))
    _, (looked, summary, *_) = handle(handler, message_event({"action": "look"}))

    assert said["context"] == {"room": "blue"}
    assert "context" not in looked
    assert "context" not in summary
    assert seen == ["nothing", "nothing"]


def test_context_variable_of_a_sync_route_is_not_seen_by_the_next_event(handler):
    own = contextvars.ContextVar("own", default="nothing")
    seen = []

    @handler.route("say")
    def say(_request):
        seen.append(own.get())
        own.set("changed")

    handle(handler, message_event({"action": "say"}))
    handle(handler, message_event({"action": "say"}))

    assert seen == ["nothing", "nothing"]


def test_callers_context_is_seen(handler):
    """What a wrapper around the handler has set, a tracer's span say."""
    own = contextvars.ContextVar("own", default="nothing")
    seen = []

    @handler.route("say")
    async def say(_request):
        seen.append(own.get())

    token = own.set("the caller's")
    handle(handler, message_event({"action": "say"}))
    own.reset(token)

    assert seen == ["the caller's"]


def test_events_share_the_loop(handler):
    loops = []

    @handler.route("say")
    async def say(_request):
        loops.append(asyncio.get_running_loop())

    handle(handler, message_event({"action": "say"}))
    handle(handler, message_event({"action": "say"}))

    assert loops[0] is loops[1]


def test_task_that_is_left_is_cancelled_and_counted(handler):
    ends = []

    async def work():
        try:
            await asyncio.sleep(60)
        finally:
            ends.append("cancelled")

    @handler.route("say")
    async def say(_request):
        tasks = [asyncio.create_task(work()) for _ in range(2)]
        await asyncio.sleep(0)
        del tasks
        return {"type": "said"}

    result, (warning, summary, *_) = handle(handler, message_event({"action": "say"}))

    assert result == {"statusCode": 200}
    assert ends == ["cancelled", "cancelled"]
    assert warning["level"] == "WARN"
    assert warning["message"] == "Tasks were left behind and cancelled"
    assert warning["context"] == {"tasks": 2}
    assert warning["connectionId"] == ID
    assert summary["message"] == "Message handled"


def test_task_that_is_left_by_a_failure_is_cancelled(handler):
    @handler.route("say")
    async def say(_request):
        task = asyncio.create_task(asyncio.sleep(60))
        raise ValueError(str(task.done()))

    result, (warning, summary, *_) = handle(handler, message_event({"action": "say"}))

    assert result == {"statusCode": 500}
    assert warning["context"] == {"tasks": 1}
    assert summary["error"]["message"] == "False"


def test_tasks_that_fail_are_logged_each_with_the_ids(handler, capfd):
    async def work(error):
        raise error

    @handler.route("say")
    async def say(_request):
        for error in (ValueError("one"), KeyError("two")):
            asyncio.create_task(work(error))  # noqa: RUF006
        await asyncio.sleep(0)
        return {"type": "said"}

    result, (*warnings, summary) = handle(handler, message_event({"action": "say"}))

    assert result == {"statusCode": 200}
    assert {w["message"] for w in warnings} == {"A task failed and nobody awaited it"}
    assert sorted(w["error"]["type"] for w in warnings) == ["KeyError", "ValueError"]
    assert [(w["level"], w["context"]) for w in warnings] == [("WARN", {"tasks": 2})] * 2
    assert {(w["connectionId"], w["requestId"]) for w in warnings} == {(ID, summary["requestId"])}
    assert capfd.readouterr().err == ""


def test_event_after_one_that_stopped_the_loop_is_served(handler):
    @handler.route("stop")
    async def stop(_request):
        asyncio.get_running_loop().stop()

    @handler.route("say")
    async def say(_request):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return {"type": "said"}

    stopped, _ = handle(handler, message_event({"action": "stop"}))
    served, _ = handle(handler, message_event({"action": "say"}))

    assert stopped == served == {"statusCode": 200}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_called_where_a_loop_runs(handler, sender, asynchronous):
    handler.route("say")(async_say if asynchronous else lambda _: {"type": "said"})
    event = message_event({"action": "say"})

    async def call():
        return handle(handler, event)

    result, (line, *_) = asyncio.run(call())

    if asynchronous:
        assert result == {"statusCode": 500}
        assert sender.sent[0][1]["code"] == "INTERNAL_CONFIGURATION_ERROR"
        assert line["error"]["message"] == (
            "This handler has async routes and was called where an event loop runs already:"
            " call it from a thread without one"
        )
    else:
        assert result == {"statusCode": 200}


def test_asyncio_is_loaded_by_the_first_async_route():
    code = """
import sys
from shared_utils import WebSocketHandler

handler = WebSocketHandler("Chat")
handler.route("say")(lambda request: None)
handler.middleware(lambda request, call_next: call_next(request))
handler({}, None)
print("asyncio" in sys.modules)

async def shout(request): pass

handler = WebSocketHandler("Chat")
handler.route("shout")(shout)
print("asyncio" in sys.modules)
"""
    package = Path(websocket_handler.__file__).parent.parent
    run = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.split()[-2:] == ["False", "True"]
    assert run.stderr == ""


# --- what is refused when it is declared


def sync_middleware(request, call_next):
    return call_next(request)


async def async_middleware(request, call_next):
    return await call_next(request)


async def async_on_error(error, request):
    return None


def generator(_request):
    yield


def one(_request):
    return None


def two(_request, _other):
    return None


def included_async():
    routes = Routes()
    routes.route("say")(async_say)
    return routes


SELECTION = "selection is a name in the body, such as 'action', got"


@pytest.mark.parametrize(
    ("declare", "text"),
    [
        pytest.param(
            lambda h: (h.middleware(sync_middleware), h.route("say")(async_say)),
            "the route 'say' is async, so the middleware 'sync_middleware' must be async def, too",
            id="async-route-after-sync-middleware",
        ),
        pytest.param(
            lambda h: (h.middleware(sync_middleware), h.include(included_async())),
            "the route 'say' is async, so the middleware 'sync_middleware' must be async def, too",
            id="included-async-route-after-sync-middleware",
        ),
        pytest.param(
            lambda h: (h.route("say")(async_say), h.middleware(sync_middleware)),
            "the middleware 'sync_middleware' must be async def, as others here are",
            id="sync-middleware-after-async-route",
        ),
        pytest.param(
            lambda h: (h.middleware(sync_middleware), h.middleware(async_middleware)),
            "the middleware 'async_middleware' is async, so the middleware 'sync_middleware'"
            " must be async def, too",
            id="async-middleware-after-sync-middleware",
        ),
        pytest.param(
            lambda h: (h.middleware(async_middleware), h.middleware(sync_middleware)),
            "the middleware 'sync_middleware' must be async def, as others here are",
            id="sync-middleware-after-async-middleware",
        ),
        pytest.param(
            lambda h: h.middleware(generator),
            "a middleware must be a function, got the generator generator",
            id="middleware-generator",
        ),
        pytest.param(
            lambda h: h.middleware("m"),
            "a middleware must be a function, got str",
            id="middleware-text",
        ),
        pytest.param(
            lambda h: h.middleware(one),
            "a middleware is called with (request, call_next), and one takes 1",
            id="middleware-of-one",
        ),
        pytest.param(
            lambda h: h.exception_handler(ValueError)(one),
            "an exception handler is called with (error, request), and one takes 1",
            id="exception-handler-of-one",
        ),
        pytest.param(
            lambda h: h.on_failure(one),
            "a failure hook is called with (error, request), and one takes 1",
            id="failure-hook-of-one",
        ),
        pytest.param(
            lambda h: h.before_parsing(two),
            "a check before parsing is called with (request), and two takes 2",
            id="check-of-two",
        ),
        pytest.param(
            lambda h: WebSocketHandler("Chat", role_of=two),
            "role_of is called with (request), and two takes 2",
            id="role-of-two",
        ),
        pytest.param(
            lambda h: h.route("say")(two),
            "the route 'say' is called with (request), and two takes 2",
            id="route-of-two",
        ),
        pytest.param(
            lambda h: h.exception_handler(ValueError("x")),
            "exception_handler() takes a class of exceptions, got ValueError('x')",
            id="exception-instance",
        ),
        pytest.param(
            lambda h: h.exception_handler(len),
            "exception_handler() takes a class of exceptions, got <built-in function len>",
            id="exception-handler-without-a-class",
        ),
        pytest.param(
            lambda h: h.exception_handler(dict),
            "exception_handler() takes a class of exceptions, got <class 'dict'>",
            id="class-of-no-exception",
        ),
        pytest.param(
            lambda h: [h.exception_handler(ValueError)(len) for _ in range(2)],
            "ValueError has an exception handler already",
            id="exception-handler-twice",
        ),
        pytest.param(
            lambda h: h.exception_handler(ValueError)(async_on_error),
            "an exception handler must be def, not async def: async_on_error",
            id="async-exception-handler",
        ),
        pytest.param(
            lambda h: h.on_failure(async_on_error),
            "a failure hook must be def, not async def: async_on_error",
            id="async-failure-hook",
        ),
        pytest.param(
            lambda h: h.before_parsing(async_say),
            "a check before parsing must be def, not async def: async_say",
            id="async-check",
        ),
        pytest.param(
            lambda h: WebSocketHandler("Chat", role_of=async_say),
            "role_of must be def, not async def: async_say",
            id="async-role-of",
        ),
        pytest.param(
            lambda h: WebSocketHandler("Chat", role_of="speaker"),
            "role_of must be a function, got str",
            id="role-of-text",
        ),
        pytest.param(
            lambda h: WebSocketHandler(""),
            "name must be a text that is not empty, got ''",
            id="name-empty",
        ),
        pytest.param(
            lambda h: WebSocketHandler(" "),
            "name must be a text that is not empty, got ' '",
            id="name-blank",
        ),
        pytest.param(
            lambda h: WebSocketHandler(None),
            "name must be a text that is not empty, got None",
            id="name-none",
        ),
        *(
            pytest.param(
                lambda h, seconds=seconds: WebSocketHandler("Chat", window_seconds=seconds),
                f"window_seconds must be a number above 0, got {seconds!r}",
                id=f"window-{seconds!r}",
            )
            for seconds in (0, -1, True, None, "10", float("nan"), float("inf"))
        ),
        pytest.param(
            lambda h: WebSocketHandler("Chat", metrics="Rooms"),
            "metrics must be a MetricsEmitter without window_seconds, got str",
            id="metrics-text",
        ),
        pytest.param(
            lambda h: WebSocketHandler("Chat", metrics=MetricsEmitter),
            "metrics must be a MetricsEmitter without window_seconds, got type",
            id="metrics-class",
        ),
        pytest.param(
            lambda h: WebSocketHandler("Chat", metrics=MetricsEmitter(window_seconds=10)),
            "metrics must be a MetricsEmitter without window_seconds, got one with 10",
            id="metrics-with-a-window",
        ),
        *(
            pytest.param(
                lambda h, names=names: WebSocketHandler("Chat", subprotocols=names),
                f"subprotocols must be a list of texts, got {names!r}",
                id=f"subprotocols-{names!r}",
            )
            for names in ("v1", "", b"v1", None, 7, [""], ["v1", 2])
        ),
        *(
            pytest.param(
                lambda h, rate=rate: WebSocketHandler("Chat", sampled={"say": rate}),
                f"sampled['say'] must be a whole number from 1, got {rate!r}",
                id=f"sampled-{rate!r}",
            )
            for rate in (0, -1, 1.5, 100.0, True, None, "100")
        ),
        pytest.param(
            lambda h: WebSocketHandler("Chat", sampled={Heartbeat: 100}),
            f"sampled must hold whole numbers by the key of a route, got {Heartbeat!r}",
            id="sampled-class",
        ),
        pytest.param(
            lambda h: WebSocketHandler("Chat", sampled=["say"]),
            "sampled must hold whole numbers by key, got ['say']",
            id="sampled-list",
        ),
        pytest.param(
            lambda h: WebSocketHandler("Chat", selection="$request.body.action"),
            f"{SELECTION} '$request.body.action'",
            id="selection-expression",
        ),
        pytest.param(
            lambda h: WebSocketHandler("Chat", selection=""),
            f"{SELECTION} ''",
            id="selection-empty",
        ),
        pytest.param(
            lambda h: WebSocketHandler("Chat", selection=None),
            f"{SELECTION} None",
            id="selection-none",
        ),
        pytest.param(
            lambda h: [h.route("say")(len) for _ in range(2)],
            "'say' has a route already",
            id="route-twice",
        ),
        pytest.param(
            lambda h: h.route("$conect"),
            "'$conect' is not one of $connect, $disconnect, $default",
            id="key-of-no-event",
        ),
    ],
)
def test_declaration_refused(handler, declare, text):
    with pytest.raises(ApplicationError) as caught:
        declare(handler)

    assert str(caught.value) == text
    assert caught.value.code == "INTERNAL_CONFIGURATION_ERROR"


def test_least_settings_are_taken():
    handler = WebSocketHandler(
        "C", window_seconds=0.1, sampled={"say": 1}, subprotocols=iter(["v1"])
    )

    assert handler.subprotocols == ("v1",)


def test_what_is_declared_is_returned_as_it_is(handler):
    assert handler.middleware(async_middleware) is async_middleware
    assert handler.route("say")(async_say) is async_say
    assert handler.exception_handler(ValueError)(len) is len
    assert handler.on_failure(len) is len
    assert handler.before_parsing(len) is len


# --- lines and metrics


@pytest.mark.threat("log-when", "log-result", "ws-log-events")
def test_summary_carries_ids_and_metrics():
    handler = heartbeat_of(lambda _: None)

    _, lines = handle(handler, message_event(HEARTBEAT))

    (line,) = lines
    assert line["level"] == "INFO"
    assert line["component"] == "Chat"
    assert line["operation"] == "heartbeat"
    assert line["connectionId"] == ID
    assert line["requestId"] == "lambda-request-1"
    assert line["correlationId"] == "client-1"
    assert line["durationMs"] == line["MessageLatency"]
    assert line["ActionType"] == "heartbeat"
    assert "MessageFailures" not in line
    assert lines.metrics().keys() == {"MessageLatency"}


def test_metrics_of_the_function_are_in_its_line():
    handler = heartbeat_of(lambda r: r.metrics.emit_metric("Beats", 3, "Count"))

    _, lines = handle(handler, message_event(HEARTBEAT))

    assert lines[0]["message"] == "Message handled"
    assert lines.metrics()["Beats"] == [3]
    assert [line["level"] for line in lines] == ["INFO", "INFO"]
    assert lines[1]["message"] == "Metrics"


def test_metrics_are_written_when_the_function_raises():
    def beat(request):
        request.metrics.emit_metric("Beats", 3, "Count")
        raise ValueError

    _, lines = handle(heartbeat_of(beat), message_event(HEARTBEAT))

    assert lines.metrics().keys() == {"Beats", "MessageLatency", "MessageFailures"}
    assert len(lines.level("ERROR")) == 1


@pytest.mark.parametrize("level", ["WARN", "ERROR"])
def test_metrics_are_written_alone_when_the_level_hides_the_line(at_level, level):
    handler = heartbeat_of(lambda _: None)
    at_level(level)

    _, lines = handle(handler, message_event(HEARTBEAT))

    assert lines.metrics().keys() == {"MessageLatency"}
    assert "message" not in lines[0]


def test_refusal_that_the_level_hides_leaves_its_metrics(at_level):
    handler = heartbeat_of(raises(ApplicationError("SESSION_NOT_FOUND")))
    at_level("ERROR")

    _, lines = handle(handler, message_event(HEARTBEAT))

    assert lines.metrics()["MessageFailures"] == [1]
    assert lines.level("WARN") == []


def test_metrics_are_not_in_a_line_that_lambda_drops(monkeypatch):
    """A metrics line of its own has the level that AWS_LAMBDA_LOG_LEVEL lets through."""
    monkeypatch.setattr(metrics_emitter, "_level", "ERROR")
    handler = heartbeat_of(lambda _: None)

    _, (metrics, line) = handle(handler, message_event(HEARTBEAT))

    assert (metrics["level"], "MessageLatency" in metrics) == ("ERROR", True)
    assert "_aws" not in line


def test_cold_start_is_counted_once(monkeypatch):
    monkeypatch.setattr(_invocation, "_start", _invocation._COLD)
    handler = heartbeat_of(raises(ValueError))

    _, first = handle(handler, message_event(HEARTBEAT))
    _, second = handle(handler, message_event(HEARTBEAT))

    assert first.metrics()["ColdStarts"] == [1]
    assert "ColdStarts" not in second.metrics()


def test_buffered_debug_lines_come_before_the_error(monkeypatch):
    monkeypatch.setattr(_invocation, "buffer_bytes", 10_000)
    monkeypatch.setattr(
        structured_logger.StructuredLogger, "debug", structured_logger._buffered_debug
    )

    def beat(request):
        request.logger.debug("what led to it")
        raise ValueError

    _, lines = handle(heartbeat_of(beat), message_event(HEARTBEAT))

    assert [line["level"] for line in lines][:2] == ["DEBUG", "ERROR"]


def test_context_is_bound_and_cleared():
    def beat(request):
        bind_context(sessionId="golden-eagle-427")
        request.logger.info("in it")

    handler = heartbeat_of(beat)
    with capture_lines() as lines:
        bind_context(place="outside")
        handler(message_event(HEARTBEAT), FakeContext())
        handler.logger.info("after it")
        bind_context(place=None)

    inside, summary, after = lines
    assert inside["sessionId"] == summary["sessionId"] == "golden-eagle-427"
    assert inside["correlationId"] == "client-1"
    assert "context" not in inside
    assert "sessionId" not in after
    assert "connectionId" not in after
    assert after["context"] == {"place": "outside"}


def test_context_is_cleared_after_a_failure():
    handler = heartbeat_of(raises(SystemExit()))
    with capture_lines() as lines:
        handler(message_event(HEARTBEAT), FakeContext())
        handler.logger.info("after it")

    assert "connectionId" not in lines[-1]


# --- sampling


def audio_handler(function=lambda _: None, **settings):
    """Return a handler for audio, and the list whose last item is its window's clock in seconds."""
    settings = {"sampled": {"sendAudio": 100}, **settings}
    handler = WebSocketHandler("audio", connections=FakeConnections(), **settings)
    handler.route(SendAudio)(function)
    now = [1000]
    handler.windowed_metrics = MetricsEmitter(window_seconds=10, clock=lambda: int(now[-1] * 10**9))
    return handler, now


def repeat(handler, times):
    """Return a handler that handles an event so many times."""
    return lambda event, context: [handler(event, context) for _ in range(times)]


def test_audio_is_logged_once_in_a_hundred():
    handler, _ = audio_handler()

    _, first = handle(handler, message_event(AUDIO))
    _, next_99 = handle(repeat(handler, 99), message_event(AUDIO))
    _, next_one = handle(handler, message_event(AUDIO))

    assert first[0]["samplingRate"] == 100
    assert first[0]["operation"] == "sendAudio"
    assert next_99.level("INFO") == []
    assert next_one[0]["message"] == "Message handled"


def test_audio_metrics_share_a_window():
    handler, now = audio_handler(lambda r: r.metrics.emit_metric("Chunks", 1, "Count"))

    _, first = handle(handler, message_event(AUDIO))
    now.append(1009.9)
    _, second = handle(handler, message_event(AUDIO))
    now.append(1010)
    _, third = handle(handler, message_event(AUDIO))

    assert first.metrics() == second.metrics() == {}
    assert third.metrics()["Chunks"] == [3]
    assert len(third.metrics()["MessageLatency"]) == 3


def test_audio_failure_is_logged_and_flushed_at_once():
    errors = iter([None, None, ValueError("broken")])

    def chunk(_request):
        error = next(errors)
        if error:
            raise error

    handler, _ = audio_handler(chunk)
    handle(handler, message_event(AUDIO))
    _, silent = handle(handler, message_event(AUDIO))
    _, loud = handle(handler, message_event(AUDIO))

    assert silent == []
    assert loud.level("ERROR")[0]["error"]["message"] == "broken"
    assert "samplingRate" not in loud.level("ERROR")[0]
    assert len(loud.metrics()["MessageLatency"]) == 3
    assert loud.metrics()["MessageFailures"] == [1]


def test_refused_audio_is_one_line_and_leaves_its_window_alone():
    """A flood of refusals must not write the window's documents again and again."""
    refusals = iter([None, ApplicationError("RATE_LIMIT_AUDIO_CHUNKS")] * 2)

    def chunk(request):
        request.metrics.emit_metric("Chunks", 1, "Count")
        error = next(refusals)
        if error:
            raise error

    handler, now = audio_handler(chunk)
    handle(handler, message_event(AUDIO))
    _, refused = handle(handler, message_event(AUDIO))
    now.append(1010)
    _, due = handle(handler, message_event(AUDIO))

    (line,) = refused
    assert (line["level"], line["errorCode"]) == ("WARN", "RATE_LIMIT_AUDIO_CHUNKS")
    assert refused.metrics() == {"MessageFailures": [1]}
    assert due.metrics()["Chunks"] == [3]
    assert len(due.metrics()["MessageLatency"]) == 3


def test_failure_of_another_action_leaves_the_window_alone():
    handler, _ = audio_handler()
    handler.route(Heartbeat)(raises(ValueError()))

    handle(handler, message_event(AUDIO))
    _, lines = handle(handler, message_event(HEARTBEAT))

    assert len(lines.metrics()["MessageLatency"]) == 1


def test_audio_that_cannot_be_read_is_logged_and_counted_at_once():
    handler, _ = audio_handler()

    handle(handler, message_event(AUDIO))
    _, lines = handle(handler, message_event({**AUDIO, "sequenceNumber": -1}))

    assert lines.level("WARN")[0]["errorCode"] == "VALIDATION_INVALID_PARAMETER"
    assert lines.metrics()["MessageFailures"] == [1]


def test_function_lines_are_sampled_with_the_summary_but_not_its_warnings():
    def chunk(request):
        request.logger.info("detail")
        request.logger.warning("trouble")

    handler, _ = audio_handler(chunk)
    _, first = handle(handler, message_event(AUDIO))
    _, second = handle(handler, message_event(AUDIO))

    assert [line["message"] for line in first] == ["detail", "trouble", "Message handled"]
    assert [line["message"] for line in second] == ["trouble"]


def test_metrics_outside_the_window_are_not_kept_back():
    handler, _ = audio_handler(lambda _: handler.metrics.emit_metric("Now", 1, "Count"))

    _, lines = handle(handler, message_event(AUDIO))

    assert lines.metrics() == {"Now": [1]}


def test_metrics_of_a_handler_have_the_namespace_and_dimensions_that_it_was_given():
    metrics = MetricsEmitter("Rooms", dimensions={"service": "chat"})
    handler = heartbeat_of(
        lambda request: request.metrics.emit_metric("Beats", 1, "Count"), metrics=metrics
    )

    _, lines = handle(handler, message_event(HEARTBEAT))

    documents = [line["_aws"]["CloudWatchMetrics"][0] for line in lines if "_aws" in line]
    assert {each["Namespace"] for each in documents} == {"Rooms"}
    assert {each["Dimensions"][0][0] for each in documents} == {"service"}
    assert {line["service"] for line in lines if "_aws" in line} == {"chat"}
    assert lines.metrics().keys() == {"Beats", "MessageLatency"}


def test_metrics_of_a_window_have_the_namespace_and_dimensions_of_the_handlers():
    metrics = MetricsEmitter("Rooms", dimensions={"Stage": "dev"}, enabled=True)

    handler = WebSocketHandler("Chat", metrics=metrics, window_seconds=7)
    handler.windowed_metrics.emit_metric("Dropped", 1, "Count")
    with capture_lines() as lines:
        handler.windowed_metrics.flush()

    assert handler.metrics is metrics
    assert handler.windowed_metrics.window_seconds == 7
    [line] = lines
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Rooms"
    assert directive["Dimensions"] == [["Stage"], []]


def test_handler_writes_no_metrics_where_its_own_are_turned_off():
    handler = heartbeat_of(
        lambda request: request.metrics.emit_metric("Beats", 1, "Count"),
        metrics=MetricsEmitter(enabled=False),
        sampled={"heartbeat": 2},
    )

    _, lines = handle(handler, message_event(HEARTBEAT))
    with capture_lines() as later:
        handler.windowed_metrics.flush()

    assert [line["message"] for line in lines] == ["Message handled"]
    assert lines.metrics() == {}
    assert later == []


def test_sampling_can_be_chosen():
    handler = heartbeat_of(lambda _: None, sampled={"heartbeat": 2})

    logged = [len(handle(handler, message_event(HEARTBEAT))[1].level("INFO")) for _ in range(4)]

    assert logged == [1, 0, 1, 0]


def test_nothing_is_sampled_unless_asked_for():
    handler, _ = audio_handler(sampled=None)

    _, first = handle(handler, message_event(AUDIO))
    _, second = handle(handler, message_event(AUDIO))

    assert "MessageLatency" in first[0]
    assert "MessageLatency" in second[0]
