"""From an event to a function and back, for events, bodies and exceptions of every kind."""

import json
import socket
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_utils import metrics_emitter, structured_logger
from shared_utils.connections import Connections
from shared_utils.error_codes import ApplicationError, ErrorCode
from shared_utils.metrics_emitter import MetricsEmitter
from shared_utils.structured_logger import bind_context
from shared_utils.testing import (
    FakeConnections,
    FakeContext,
    capture_lines,
    connect_event,
    disconnect_event,
    message_event,
)
from shared_utils.validators import ValidationError
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
    return WebSocketHandler("audio", connections=sender, subprotocols=("v2", "v1"))


def handle(handler, event, context=None):
    """Return the result, and the lines that were written."""
    with capture_lines() as lines:
        result = handler(event, context or FakeContext())
    return result, lines


def heartbeat_of(function, **settings):
    """Return a handler that answers heartbeats with `function`."""
    handler = WebSocketHandler("audio", **{"connections": FakeConnections(), **settings})
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
    handler.route("$default")(lambda request: {"type": request.message.action})

    handle(handler, message_event({"action": "pausePlayback"}))
    handle(handler, message_event({"action": "heartbeat"}))

    assert [message["type"] for _, message in sender.sent] == ["pausePlayback", "heart"]


@pytest.mark.parametrize(
    ("declare", "text"),
    [
        (lambda h: h.route("dance"), "'dance' is not an action of websocket_messages"),
        (lambda h: h.route(Heartbeat, role="king"), "'king' is not a role"),
        (
            lambda h: (h.route("$connect")(len), h.route("$connect")(len)),
            "'$connect' has a route already",
        ),
    ],
)
def test_wrong_declaration_refused(handler, declare, text):
    with pytest.raises(ApplicationError) as caught:
        declare(handler)

    assert str(caught.value) == text
    assert caught.value.code == "INTERNAL_CONFIGURATION_ERROR"


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
        {"statusCode": 200},
        {"type": 5},
        {"type": "ok", "set": {1}},
        {"type": "ok", "nan": float("nan")},
        Heartbeat(),
    ],
)
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
    request = Request(WebSocketHandler("audio"), read_event("message"), None)

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


def test_sends_end_with_the_deadline():
    """A reply may use most of what `remaining_seconds` holds back."""
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
    handle(handler, message_event(HEARTBEAT), FakeContext(remaining_ms=3000))

    assert [seconds for seconds in given if seconds] == [2.5, 2.5, 2.9]


# --- roles


@pytest.mark.parametrize(
    ("role", "status"), [("speaker", 200), ("listener", 403), (None, 403), ("any", 403)]
)
def test_role_is_checked(sender, role, status):
    handler = WebSocketHandler("audio", role_of=lambda _: role, connections=sender)
    handler.route(GetSessionStatus)(lambda _: None)

    result, _ = handle(handler, message_event({"action": "getSessionStatus"}))

    assert result == {"statusCode": status}
    assert [m["code"] for _, m in sender.sent] == ["AUTH_INVALID_ROLE"] * (status == 403)


def test_role_of_the_message_holds_on_the_default_route():
    handler = WebSocketHandler("d", role_of=lambda _: "listener", connections=FakeConnections())
    handler.route("$default")(lambda _: None)

    result, _ = handle(handler, message_event({"action": "getSessionStatus"}))

    assert result == {"statusCode": 403}


def test_route_may_ask_for_another_role():
    handler = WebSocketHandler("d", role_of=lambda _: "listener", connections=FakeConnections())
    handler.route(GetSessionStatus, role="any")(lambda _: None)

    result, _ = handle(handler, message_event({"action": "getSessionStatus"}))

    assert result == {"statusCode": 200}


@pytest.mark.parametrize("action", ["heartbeat", "createSession"])
def test_role_is_not_asked_where_anyone_may(action):
    handler = WebSocketHandler("d", role_of=raises(ValueError), connections=FakeConnections())
    handler.route("$default")(lambda _: None)

    result, _ = handle(handler, message_event({"action": action, "sourceLanguage": "en"}))

    assert result == {"statusCode": 200}


def test_role_that_nobody_can_tell_is_refused(handler):
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
def test_body_refused(handler, sender, body, code):
    handler.route(Heartbeat)(lambda _: None)
    event = {**message_event("{}"), "body": body}

    result, (line, *_) = handle(handler, event)

    assert result["statusCode"] in (400, 413)
    assert [message["code"] for _, message in sender.sent] == [code]
    assert line["level"] == "WARN"
    assert line["errorCode"] == code
    assert "error" not in line


def test_body_that_is_not_the_base64_it_claims_to_be_is_refused(handler, sender):
    event = {**message_event("{}"), "body": "%%%", "isBase64Encoded": True}

    result, _ = handle(handler, event)

    assert result == {"statusCode": 400}
    assert sender.sent[0][1]["code"] == "VALIDATION_INVALID_MESSAGE_FORMAT"


def test_error_reply_says_what_was_wrong_and_echoes_the_request_id(handler, sender):
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


def test_unreadable_message_counts_for_the_action_that_the_gateway_read(handler):
    """So that refused audio can be told from refused control messages."""
    event = message_event({**AUDIO, "audioData": "AAAA"})

    _, (line, *_) = handle(handler, event)

    assert line["operation"] == "sendAudio"
    assert line["ActionType"] == "sendAudio"


def test_route_key_of_no_action_is_not_counted_by_name(handler):
    _, (line, *_) = handle(handler, message_event("{}", routeKey="made-up-7"))

    assert line["operation"] == "unknown"


# --- the error mapping


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


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ApplicationError("AUTH_TOKEN_EXPIRED"), 401),
        (ApplicationError("AUTH_UNAUTHORIZED"), 403),
        (ApplicationError("RATE_LIMIT_SESSION_CREATION"), 429),
        (ApplicationError("INTERNAL_DATABASE_ERROR"), 500),
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

    assert result == {"statusCode": 500}
    assert (lines[-1]["level"], lines[-1]["context"]) == ("FATAL", {"errorType": "SystemExit"})


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
    handler = WebSocketHandler("audio", connections=FakeConnections(), subprotocols=("v1",))

    result, lines = handle(handler, event)

    assert result["statusCode"] in (200, 400, 413)
    assert lines[-1]["component"] == "audio"


@given(body=st.text() | JSON.map(json.dumps) | JSON)
def test_any_body_is_answered(body):
    handler = heartbeat_of(lambda _: None)

    result, _ = handle(handler, {**message_event("{}"), "body": body})

    assert result["statusCode"] in (400, 413)


# --- lines and metrics


def test_summary_carries_ids_and_metrics():
    handler = heartbeat_of(lambda _: None)

    _, lines = handle(handler, message_event(HEARTBEAT))

    (line,) = lines
    assert line["level"] == "INFO"
    assert line["component"] == "audio"
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
    monkeypatch.setattr(metrics_emitter, "_cold", True)
    handler = heartbeat_of(raises(ValueError))

    _, first = handle(handler, message_event(HEARTBEAT))
    _, second = handle(handler, message_event(HEARTBEAT))

    assert first.metrics()["ColdStarts"] == [1]
    assert "ColdStarts" not in second.metrics()


def test_buffered_debug_lines_come_before_the_error(monkeypatch):
    monkeypatch.setattr(structured_logger, "_buffer_bytes", 10_000)
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


def test_sampling_can_be_chosen():
    handler = heartbeat_of(lambda _: None, sampled={"heartbeat": 2})

    logged = [len(handle(handler, message_event(HEARTBEAT))[1].level("INFO")) for _ in range(4)]

    assert logged == [1, 0, 1, 0]


def test_sampling_can_be_turned_off():
    handler, _ = audio_handler(sampled={})

    _, first = handle(handler, message_event(AUDIO))
    _, second = handle(handler, message_event(AUDIO))

    assert "MessageLatency" in first[0]
    assert "MessageLatency" in second[0]
