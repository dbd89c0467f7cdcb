"""The sender: its settings, what it takes, what it says came of it, and the sockets it keeps."""

import json
import os
import re
import ssl
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

import pytest
from connections_server import CLOSE, ENVIRON, OK, SILENCE, Clock, Server, answer, parts

from shared_utils.connections import BroadcastResult, Connections, Outcome, endpoint_of
from shared_utils.error_codes import ApplicationError, ErrorCode

LARGEST = 128 * 1024


def refusal_of(call, *args, **kwargs):
    with pytest.raises(ApplicationError) as caught:
        call(*args, **kwargs)
    return caught.value


# --- the endpoint ---------------------------------------------------------------------------------


def event_of(domain, stage="prod"):
    return {"requestContext": {"domainName": domain, "stage": stage}}


@pytest.mark.parametrize(
    ("event", "environ", "endpoint"),
    [
        pytest.param(
            event_of("abc123.execute-api.eu-west-1.amazonaws.com"),
            {},
            "https://abc123.execute-api.eu-west-1.amazonaws.com/prod",
            id="event",
        ),
        pytest.param(
            event_of("abc123.execute-api.cn-north-1.amazonaws.com.cn"),
            {},
            "https://abc123.execute-api.cn-north-1.amazonaws.com.cn/prod",
            id="china",
        ),
        pytest.param(event_of("ws.example.com"), {}, "https://ws.example.com", id="custom-domain"),
        pytest.param(
            event_of("ws.example.com"),
            {"API_GATEWAY_ENDPOINT": "https://other.example.com/ws"},
            "https://other.example.com/ws",
            id="variable-wins",
        ),
        pytest.param(
            event_of("ws.example.com"),
            {"API_GATEWAY_ENDPOINT": ""},
            "https://ws.example.com",
            id="empty-variable",
        ),
    ],
)
def test_endpoint_of(event, environ, endpoint):
    assert endpoint_of(event, environ) == endpoint


@pytest.mark.parametrize(
    "event",
    [
        None,
        "event",
        {},
        {"requestContext": None},
        {"requestContext": {}},
        event_of(None),
        event_of(""),
        event_of(7),
        event_of("abc123.execute-api.eu-west-1.amazonaws.com", None),
    ],
)
def test_endpoint_of_an_event_without_domain_is_a_configuration_error(event):
    error = refusal_of(endpoint_of, event, {})

    assert error.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert "API_GATEWAY_ENDPOINT" in error.message


@pytest.mark.parametrize(
    ("endpoint", "tls", "host", "port", "header", "path"),
    [
        pytest.param(
            "https://abc123.execute-api.eu-west-1.amazonaws.com/prod",
            *(True, "abc123.execute-api.eu-west-1.amazonaws.com", 443),
            *("abc123.execute-api.eu-west-1.amazonaws.com", "/prod/@connections/"),
            id="api",
        ),
        pytest.param(
            *("https://ws.example.com", True, "ws.example.com", 443),
            *("ws.example.com", "/@connections/"),
            id="no-stage",
        ),
        pytest.param(
            *("https://ws.example.com/", True, "ws.example.com", 443),
            *("ws.example.com", "/@connections/"),
            id="slash",
        ),
        pytest.param(
            *("HTTPS://WS.example.com/A/b~c/", True, "ws.example.com", 443),
            *("ws.example.com", "/A/b~c/@connections/"),
            id="case-and-two-segments",
        ),
        pytest.param(
            *("https://ws.example.com/prod/@connections", True, "ws.example.com", 443),
            *("ws.example.com", "/prod/@connections/"),
            id="as-the-console-shows-it",
        ),
        pytest.param(
            *("https://ws.example.com:443/s", True, "ws.example.com", 443),
            *("ws.example.com", "/s/@connections/"),
            id="default-port",
        ),
        pytest.param(
            *("https://ws.example.com:65535/s", True, "ws.example.com", 65535),
            *("ws.example.com:65535", "/s/@connections/"),
            id="last-port",
        ),
        pytest.param(
            *("http://localhost/s", False, "localhost", 80),
            *("localhost", "/s/@connections/"),
            id="http-localhost",
        ),
        pytest.param(
            *("http://127.9.9.9:3001/s", False, "127.9.9.9", 3001),
            *("127.9.9.9:3001", "/s/@connections/"),
            id="http-127",
        ),
        pytest.param(
            *("http://[::1]:3001/s", False, "::1", 3001),
            *("[::1]:3001", "/s/@connections/"),
            id="http-ipv6",
        ),
    ],
)
def test_endpoint_is_taken_apart(endpoint, tls, host, port, header, path):
    sender = Connections(endpoint, environ=ENVIRON)

    found = sender._endpoint
    assert (found.tls, found.host, found.port) == (tls, host, port)
    assert (found.host_header, found.path) == (header, path)


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        pytest.param("wss://ws.example.com/prod", "'wss://ws.example.com/prod'", id="wss"),
        pytest.param("ws.example.com/prod", "'ws.example.com/prod'", id="no-scheme"),
        pytest.param("http://ws.example.com", "'http://ws.example.com'", id="http-elsewhere"),
        pytest.param("http://127.0.0.1.evil.test", "'http://127.0.0.1.evil.test'", id="not-127"),
        pytest.param("https://h/s?token=secret", "'https://h/s'", id="query"),
        pytest.param("https://h/s#part", "'https://h/s'", id="fragment"),
        pytest.param("https://user:word@h/s", "a user name", id="user"),
        pytest.param("user:word@h/s", "a user name", id="user-without-scheme"),
        pytest.param("https://h:0/s", "'https://h:0/s'", id="port-0"),
        pytest.param("https://h:65536/s", "'https://h:65536/s'", id="port-65536"),
        pytest.param("https://h:/s", "'https://h:/s'", id="no-port"),
        pytest.param("https://h:4\u0664/s", r"'https://h:4\u0664/s'", id="other-digits"),
        pytest.param("https://", "'https://'", id="no-host"),
        pytest.param("https://h//s", "'https://h//s'", id="empty-segment"),
        pytest.param("https://h/s\n", r"'https://h/s\n'", id="newline"),
        pytest.param("https://h/../s", "'https://h/../s'", id="dots"),
        pytest.param("https://h/s/.", "'https://h/s/.'", id="last-dot"),
        pytest.param("https://h/a%2fb", "'https://h/a%2fb'", id="percent"),
        pytest.param("https://h\u017f/", r"'https://h\u017f/'", id="long-s"),
        pytest.param("https://" + "a" * 64, "'https://" + "a" * 32 + "'", id="long-label"),
        pytest.param("https://h..h", "'https://h..h'", id="empty-label"),
        pytest.param(7, "'7'", id="number"),
    ],
)
def test_endpoint_refused(endpoint, shown):
    """The error names the variable and shows what came, up to where a secret may start."""
    error = refusal_of(Connections, endpoint, environ=ENVIRON)

    assert error.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert error.message == (
        "API_GATEWAY_ENDPOINT must look like https://host/stage (http:// for this machine only;"
        f" wss:// is for clients), got {shown}"
    )


def test_endpoint_comes_from_the_environment():
    environ = {**ENVIRON, "API_GATEWAY_ENDPOINT": "https://ws.example.com/dev"}

    assert Connections(environ=environ)._endpoint.path == "/dev/@connections/"


def test_from_event_returns_one_sender_for_an_endpoint(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.delenv("API_GATEWAY_ENDPOINT", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")

    first, again = (Connections.from_event(event_of("one.example.com")) for _ in range(2))

    assert first is again
    assert first is not Connections.from_event(event_of("two.example.com"))


@pytest.mark.parametrize(
    ("host", "environ", "region"),
    [
        ("a.execute-api.eu-west-1.amazonaws.com", {"AWS_REGION": "us-east-1"}, "eu-west-1"),
        ("a.execute-api.cn-north-1.amazonaws.com.cn", {}, "cn-north-1"),
        ("a.execute-api-fips.us-gov-west-1.amazonaws.com", {}, "us-gov-west-1"),
        ("ws.example.com", {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "x"}, "us-east-1"),
        ("ws.example.com", {"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-west-2"}, "us-west-2"),
    ],
)
def test_region_is_the_gateways_own_or_the_environments(host, environ, region):
    assert Connections(f"https://{host}/s", environ=environ)._endpoint.region == region


def test_region_given_wins():
    assert (
        Connections("https://h/s", region="eu-north-1", environ=ENVIRON)._endpoint.region
        == "eu-north-1"
    )


def test_region_unknown_is_a_configuration_error():
    error = refusal_of(Connections, "https://ws.example.com", environ={})

    assert error.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert error.message.startswith("AWS_REGION is not set")


@pytest.mark.parametrize(
    "proxies",
    [
        {"HTTPS_PROXY": "http://user:word@proxy:3128"},
        {"https_proxy": "http://user:word@proxy:3128", "NO_PROXY": "example.org, s.example.com"},
        {"ALL_PROXY": "socks5://proxy", "no_proxy": "", "NO_PROXY": " , .,xample.com"},
        {"all_proxy": "socks5://proxy", "no_proxy": "other", "NO_PROXY": "*"},
    ],
)
def test_proxy_is_a_configuration_error(proxies):
    error = refusal_of(Connections, "https://ws.example.com", environ={**ENVIRON, **proxies})

    assert error.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert error.message == (
        f"{next(iter(proxies))} is set, but no proxy is spoken here: add ws.example.com to NO_PROXY"
    )


@pytest.mark.parametrize(
    ("endpoint", "proxies"),
    [
        ("https://ws.example.com", {"HTTP_PROXY": "http://proxy:3128"}),
        ("https://ws.example.com", {"HTTPS_PROXY": ""}),
        ("https://ws.example.com", {"HTTPS_PROXY": "http://proxy", "NO_PROXY": "*"}),
        ("https://ws.example.com", {"HTTPS_PROXY": "http://proxy", "NO_PROXY": "a, EXAMPLE.com"}),
        ("https://ws.example.com", {"HTTPS_PROXY": "http://proxy", "NO_PROXY": ".example.com"}),
        ("https://ws.example.com", {"HTTPS_PROXY": "http://proxy", "NO_PROXY": "*.example.com"}),
        ("https://ws.example.com", {"HTTPS_PROXY": "http://p", "NO_PROXY": "ws.example.com:443"}),
        ("https://localhost:1/s", {"HTTPS_PROXY": "http://proxy"}),
        ("http://127.0.0.1:1/s", {"HTTPS_PROXY": "http://proxy"}),
    ],
)
def test_proxy_that_does_not_apply_is_accepted(endpoint, proxies):
    Connections(endpoint, environ={**ENVIRON, **proxies})


# --- what is sent, and to whom --------------------------------------------------------------------


class Message:
    def to_json(self):
        return '{"type":"heartbeatAck"}'


@pytest.mark.parametrize(
    ("data", "body"),
    [
        pytest.param("", b"", id="empty"),
        pytest.param("hé", b"h\xc3\xa9", id="text"),
        pytest.param(b"raw", b"raw", id="bytes"),
        pytest.param(bytearray(b"raw"), b"raw", id="bytearray"),
        pytest.param(memoryview(b"r-a-w")[::2], b"raw", id="memoryview"),
        pytest.param({"type": "é", "n": 1}, b'{"type":"\\u00e9","n":1}', id="dict"),
        pytest.param([1, None], b"[1,null]", id="list"),
        pytest.param(Message(), b'{"type":"heartbeatAck"}', id="message"),
        pytest.param("x" * LARGEST, b"x" * LARGEST, id="largest"),
    ],
)
def test_data_becomes_the_body(pair, data, body):
    server, sender = pair(receive_buffer=4096)

    outcome = sender.send("a", data)

    assert parts(outcome) == ("sent", 200, "")
    assert server.bodies("a") == [body]


class Broken:
    def to_json(self):
        raise OSError("secret")


class Unfinished:
    def to_json(self):
        return None


CIRCLE = {}

CIRCLE["self"] = CIRCLE


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (None, "NoneType"),
        (7, "int"),
        ("\ud800", "str"),
        ({"x": float("nan")}, "dict"),
        ({"x": object()}, "dict"),
        (CIRCLE, "dict"),
        ({1, 2}, "set"),
        (Broken(), "Broken"),
        (Unfinished(), "Unfinished"),
    ],
)
def test_data_refused(data, name):
    error = refusal_of(Connections("https://h", environ=ENVIRON).send, "a", data)

    assert error.code is ErrorCode.VALIDATION_INVALID_MESSAGE_FORMAT
    assert error.details == {"field": "data"}
    assert error.message == (
        f"data must be text, bytes, a message, or a dict or list of JSON values, got {name}"
    )


@pytest.mark.parametrize("data", ["x" * (LARGEST + 1), "é" * 65537, b"x" * (LARGEST + 1)])
def test_data_too_large_is_refused_before_anything_is_sent(connect, data):
    with Server() as server:
        error = refusal_of(connect(server).broadcast, ["a", "b"], data)

    assert error.code is ErrorCode.VALIDATION_MESSAGE_TOO_LARGE
    assert error.message.startswith("data must have at most 131072 bytes, got 13107")
    assert server.requests == []


class Name(str):
    __slots__ = ()

    def __str__(self):
        raise AssertionError("asked for its text")

    __len__ = __eq__ = __str__
    __hash__ = str.__hash__


@pytest.mark.parametrize(
    ("connection_id", "shown"),
    [
        ("", "''"),
        (None, "NoneType"),
        (7, "int"),
        (b"a", "bytes"),
        (".", "'.'"),
        ("..", "'..'"),
        ("a\n", r"'a\n'"),
        ("a\r\nx: y", r"'a\r\nx: y'"),
        ("\ud800", r"'\ud800'"),
        ("x" * 257, "'" + "x" * 39),
        pytest.param(Name(""), "Name", id="hostile-subclass"),
    ],
)
def test_connection_id_refused(connection_id, shown):
    sender = Connections("https://h", environ=ENVIRON)

    errors = [
        refusal_of(sender.send, connection_id, "x"),
        refusal_of(sender.broadcast, ["a", connection_id], "x"),
        refusal_of(sender.close, connection_id),
        refusal_of(sender.get, connection_id),
    ]

    assert {(e.code, e.message, e.details["field"]) for e in errors} == {
        (
            ErrorCode.VALIDATION_INVALID_PARAMETER,
            f"connectionId must be 1 to 256 printable characters, got {shown}",
            "connectionId",
        )
    }


@pytest.mark.parametrize("ids", ["abc=", b"abc", None, 7])
def test_connection_ids_refused(ids):
    """Above all one id where many are wanted: its letters would be taken for ids."""
    error = refusal_of(Connections("https://h", environ=ENVIRON).broadcast, ids, "x")

    assert error.code is ErrorCode.VALIDATION_INVALID_PARAMETER
    assert error.message.startswith("connectionIds must be several connection ids, got ")


# --- credentials ----------------------------------------------------------------------------------


def credential_of(request):
    return re.search(r"Credential=([^/]+)/", request.headers["authorization"])[1]


def test_credentials_are_read_for_every_call(connect):
    environ = dict(ENVIRON)
    with Server() as server:
        sender = connect(server, environ)
        sender.send("a", "x")
        environ["AWS_ACCESS_KEY_ID"] = "AKIDROTATED"

        sender.send("a", "x")

    assert [credential_of(r) for r in server.requests] == ["AKIDEXAMPLE", "AKIDROTATED"]


BOTOCORE = """
class Frozen:
    access_key, secret_key, token = "AKIDBOTOCORE", "secret", "IQoJb3JpZ2lu"
class Credentials:
    def get_frozen_credentials(self):
        return Frozen
class Session:
    made = 0
    def get_credentials(self):
        Session.made += 1
        return {credentials}
get_session = Session
"""


@pytest.fixture
def botocore(tmp_path, monkeypatch):
    """Put a botocore that finds what it is told in place of an installed one."""
    names = [name for name in sys.modules if name.partition(".")[0] == "botocore"]
    [monkeypatch.delitem(sys.modules, name) for name in names]
    monkeypatch.syspath_prepend(tmp_path)

    def install(credentials):
        folder = tmp_path / "botocore"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "session.py").write_text(BOTOCORE.format(credentials=credentials))

    yield install
    sys.modules.pop("botocore.session", None)
    sys.modules.pop("botocore", None)


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_credentials_come_from_botocore_if_the_environment_has_none(connect, botocore, missing):
    botocore("Credentials()")
    with Server() as server:
        sender = connect(server, {**ENVIRON, missing: ""})

        [sender.send("a", "x") for _ in range(2)]

    assert [credential_of(r) for r in server.requests] == ["AKIDBOTOCORE", "AKIDBOTOCORE"]
    assert server.requests[0].headers["x-amz-security-token"] == "IQoJb3JpZ2lu"
    assert sys.modules["botocore.session"].Session.made == 1


@pytest.mark.parametrize(("seconds", "came"), [("1", "'1'"), (True, "bool"), ([1], "list")])
def test_time_that_is_no_number(seconds, came):
    sender = Connections("http://localhost:1/s", environ=ENVIRON)

    error = refusal_of(lambda: sender.send("a", "x", timeout_seconds=seconds))

    assert error.code is ErrorCode.VALIDATION_INVALID_PARAMETER
    assert error.message == f"timeoutSeconds must be a number, got {came}"


@pytest.mark.parametrize(
    ("found", "why"),
    [("None", ""), ("1 / 0", ", their provider failed with ZeroDivisionError")],
)
def test_credentials_nowhere_are_a_configuration_error(botocore, found, why):
    botocore(found)
    sender = Connections("http://localhost:1/s", environ={"AWS_REGION": "eu-west-1"})

    error = refusal_of(sender.send, "a", "x")

    assert error.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert error.message == f"No AWS credentials{why}: set AWS_ACCESS_KEY_ID or a role"


@pytest.mark.parametrize(
    "name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
)
def test_credentials_with_a_line_break_are_a_configuration_error(name):
    sender = Connections("http://localhost:1/s", environ={**ENVIRON, name: "secret\r\nx: y"})

    error = refusal_of(sender.send, "a", "x")

    assert error.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert "secret" not in error.message


# --- outcomes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (200, "sent", None),
        (204, "sent", None),
        (299, "sent", None),
        (304, "failed", ErrorCode.INTERNAL_SERVER_ERROR),
        (307, "failed", ErrorCode.INTERNAL_SERVER_ERROR),
        (400, "failed", ErrorCode.INTERNAL_SERVER_ERROR),
        (401, "forbidden", ErrorCode.INTERNAL_CONFIGURATION_ERROR),
        (403, "forbidden", ErrorCode.INTERNAL_CONFIGURATION_ERROR),
        (404, "failed", ErrorCode.INTERNAL_SERVER_ERROR),
        (410, "gone", ErrorCode.CONNECTION_CLOSED),
        (413, "too_large", ErrorCode.VALIDATION_MESSAGE_TOO_LARGE),
        (429, "throttled", ErrorCode.RATE_LIMIT_EXCEEDED),
        (500, "failed", ErrorCode.INTERNAL_SERVER_ERROR),
        (504, "failed", ErrorCode.INTERNAL_SERVER_ERROR),
    ],
)
def test_status_decides_the_outcome(connect, status, kind, code):
    with Server({"a": [[answer(status)]]}) as server:
        outcome = connect(server, retries=0).send("a", "x")

    assert outcome.kind == kind
    assert outcome.status in (200, status)
    assert error_code_of(outcome) == code


def error_code_of(outcome):
    try:
        outcome.raise_unless_sent()
    except ApplicationError as error:
        return error.code
    return None


def test_reason_of_an_outcome_is_the_cause_of_its_error():
    error = refusal_of(Outcome("gone", 410, "HTTP 410").raise_unless_sent)

    assert str(error.__cause__) == "HTTP 410"
    assert error.message == "The connection is closed"


def test_outcome_shows_what_it_is():
    assert repr(Outcome("gone", 410, "HTTP 410")) == "Outcome('gone', 410, 'HTTP 410')"


def test_broadcast_reports_each_connection(pair):
    scripts = {
        "gone": [[answer(410)]],
        "large": [[answer(413)]],
        "mine": [[answer(403)]],
        "busy": [[answer(429)]],
        "lost": [[b"H", CLOSE]],
    }
    server, sender = pair(scripts, retries=0)
    ids = ["a", "gone", "large", "mine", "busy", "lost", "b", "a", "gone"]

    result = sender.broadcast(iter(ids), {"n": 1})

    assert list(result.outcomes) == ["a", "gone", "large", "mine", "busy", "lost", "b"]
    assert result.sent == ["a", "b"]
    assert result.gone == ["gone"]
    assert result.throttled == ["busy"]
    assert result.too_large == ["large"]
    assert result.forbidden == ["mine"]
    assert result.failed == ["lost"]
    assert result.counts == {
        "sent": 2, "gone": 1, "throttled": 1, "too_large": 1, "forbidden": 1, "failed": 1,
    }  # fmt: skip
    assert repr(result) == f"BroadcastResult({result.counts})"
    assert {r.body for r in server.requests} == {b'{"n":1}'}
    assert len(server.requests) == 7


def test_broadcast_to_nobody_does_nothing(connect):
    with Server() as server:
        result = connect(server, {"AWS_REGION": "x"}).broadcast([], "x")

    assert result.outcomes == {}
    assert result.sent == []
    assert server.accepted == 0


def test_result_can_be_made_by_hand():
    """For the tests of those who use it."""
    result = BroadcastResult({"a": Outcome("sent"), "b": Outcome("gone", 410)})

    assert (result.sent, result.gone, result.failed) == (["a"], ["b"], [])


# --- get and close --------------------------------------------------------------------------------

INFO = {
    "connectedAt": "2026-01-30T12:00:00Z",
    "lastActiveAt": "2026-01-30T12:00:01Z",
    "identity": {"sourceIp": "192.0.2.1", "userAgent": "x"},
}


def test_get_returns_what_the_gateway_knows(connect):
    with Server({"a=": [[answer(200, json.dumps(INFO).encode())]]}) as server:
        found = connect(server).get("a=")

    [request] = server.requests
    assert found == INFO
    assert (request.method, request.path) == ("GET", "/stage/@connections/a%3D")
    assert "content-length" not in request.headers


def test_get_returns_none_for_a_connection_that_is_gone(connect):
    with Server({"a": [[answer(410)]]}) as server:
        assert connect(server).get("a") is None


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([answer(429)], ErrorCode.RATE_LIMIT_EXCEEDED),
        ([answer(403)], ErrorCode.INTERNAL_CONFIGURATION_ERROR),
        ([CLOSE], ErrorCode.INTERNAL_SERVER_ERROR),
        ([OK], ErrorCode.INTERNAL_SERVER_ERROR),
        ([answer(200, b"[1]")], ErrorCode.INTERNAL_SERVER_ERROR),
        ([answer(200, b"\xff")], ErrorCode.INTERNAL_SERVER_ERROR),
        ([answer(200, b"[" * 50_000)], ErrorCode.INTERNAL_SERVER_ERROR),
    ],
)
def test_get_raises_when_there_is_nothing_to_return(connect, steps, code):
    with Server({"a": [steps]}) as server:
        error = refusal_of(connect(server, retries=0).get, "a")

    assert error.code is code


@pytest.mark.parametrize(("status", "kind"), [(204, "sent"), (410, "gone"), (403, "forbidden")])
def test_close_asks_for_the_end_of_a_connection(connect, status, kind):
    with Server({"a=": [[answer(status)]]}) as server:
        outcome = connect(server).close("a=")

    [request] = server.requests
    assert outcome.kind == kind
    assert (request.method, request.path) == ("DELETE", "/stage/@connections/a%3D")
    assert request.body == b""


# --- sockets between calls ------------------------------------------------------------------------


def test_socket_is_kept_between_calls(pair):
    server, sender = pair()

    [sender.send("a", "x") for _ in range(5)]

    assert server.accepted == 1


@pytest.mark.parametrize(
    ("clock", "rested", "accepted"),
    [("clock", 5.0, 1), ("clock", 5.1, 2), ("monotonic", 5.0, 1), ("monotonic", 5.1, 2)],
)
def test_socket_that_rested_too_long_by_either_clock_is_not_reused(pair, clock, rested, accepted):
    """While an environment is frozen, one of them may stand still."""
    clocks = {"clock": Clock(), "monotonic": Clock(0.0)}
    server, sender = pair(**clocks)
    sender.send("a", "x")
    clocks[clock].now += rested

    outcome = sender.send("a", "x")

    assert outcome.kind == "sent"
    assert server.accepted == accepted


def test_socket_the_server_closed_between_calls_is_not_used(pair):
    server, sender = pair()
    sender.broadcast(["a", "b", "c"], "x")
    server.hang_up()
    server.wait_until_hung_up()

    result = sender.broadcast(["a", "b", "c"], "x")

    assert result.sent == ["a", "b", "c"]
    assert [len(server.bodies(name)) for name in "abc"] == [2, 2, 2]


def test_sockets_of_a_parent_process_are_not_used(connect):
    with Server() as server:
        sender = connect(server)
        sender.send("a", "x")
        sender._client.pid = 0

        sender.send("a", "x")

        assert server.accepted == 2
        assert sender._client.pid == os.getpid()


def test_no_more_sockets_are_kept_than_may_be_open(connect):
    """Two threads had one each; the second is closed when its call ends."""
    came, done = threading.Event(), threading.Event()
    with Server({"slow": [[came.set, lambda: done.wait(5), OK]]}) as server:
        sender = connect(server, max_sockets=1)
        thread = threading.Thread(target=sender.send, args=("slow", "x"))
        thread.start()
        came.wait(5)
        sender.send("a", "x")
        done.set()
        thread.join(5)

        assert server.accepted == 2
        assert len(sender._client.pool) == 1


def test_threads_share_a_sender(pair):
    server, sender = pair(max_sockets=4)
    results = {}

    def broadcast(number):
        ids = [f"{number}-{n}" for n in range(50)]
        results[number] = [sender.broadcast(ids, f"to {number}").counts["sent"] for _ in range(4)]

    threads = [threading.Thread(target=broadcast, args=(n,)) for n in range(4)]
    [thread.start() for thread in threads]
    [thread.join(30) for thread in threads]

    assert results == {number: [50, 50, 50, 50] for number in range(4)}
    assert len(server.requests) == 800
    assert {r.body.decode()[3:] for r in server.requests if r.connection_id[0] == "2"} == {"2"}
    assert len(sender._client.pool) <= 4


# --- TLS ------------------------------------------------------------------------------------------


def test_context_given_is_used(connect, certificate):
    context, trusted = certificate
    with Server(tls=context) as server:
        own = ssl.create_default_context(cafile=str(trusted))

        outcome = connect(server, ssl_context=own).send("a", "x")

    assert outcome.kind == "sent"


@pytest.mark.parametrize("bundle", ["missing.pem", "empty.pem"])
def test_bundle_that_cannot_be_read_is_a_configuration_error(
    connect, certificate, tmp_path, bundle
):
    (tmp_path / "empty.pem").write_text("")
    context, _ = certificate
    with Server(tls=context) as server:
        sender = connect(server, {**ENVIRON, "AWS_CA_BUNDLE": str(tmp_path / bundle)})

        error = refusal_of(sender.broadcast, ["a", "b"], "x")

    assert error.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert error.message == "AWS_CA_BUNDLE is not a file of certificates"


# --- what it costs to load ------------------------------------------------------------------------


def loaded_by(code):
    """Return which of these a program loads: with the packages, without their `.pth` files, which may load anything."""
    heavy = "socket ssl selectors hashlib hmac random urllib http botocore boto3 typing shared_utils._signed_http"
    program = f"import sys, shared_utils.connections\n{code}\nprint(*(n for n in sys.argv[1:] if n in sys.modules))"
    layer = Path(__file__).parents[1] / "python"
    path = os.pathsep.join([str(layer), sysconfig.get_path("purelib")])
    finished = subprocess.run(
        [sys.executable, "-S", "-c", program, *heavy.split()],
        env={"PYTHONPATH": path, "PATH": os.environ["PATH"], **ENVIRON},
        capture_output=True,
        text=True,
        check=True,
    )
    return finished.stdout.split()


def test_import_loads_nothing_heavy():
    assert loaded_by("shared_utils.connections.Connections('https://ws.example.com')") == []


def test_first_message_loads_neither_boto3_nor_an_http_library():
    with Server() as server:
        code = f"shared_utils.connections.Connections('{server.endpoint}').send('a', 'x')"

        assert loaded_by(code) == ["socket", "selectors", "hashlib", "shared_utils._signed_http"]


# --- what is sent again ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "retries", "requests"), [(429, 3, 4), (500, 3, 4), (503, 0, 1), (403, 3, 1)]
)
def test_refusal_for_now_is_sent_again_so_often(connect, status, retries, requests):
    with Server({"a": [[answer(status)]]}) as server:
        connect(server, retries=retries, backoff_seconds=0.001).send("a", "x")

    assert len(server.requests) == requests


@pytest.mark.parametrize("call", ["send", "broadcast", "close"])
def test_call_has_its_own_number_of_retries(connect, call):
    arguments = {"send": ("a", "x"), "broadcast": (["a"], "x"), "close": ("a",)}[call]
    with Server({"a": [[answer(500)]]}) as server:
        sender = connect(server, retries=3, backoff_seconds=0.001)
        getattr(sender, call)(*arguments, retries=0)
        once = len(server.requests)
        getattr(sender, call)(*arguments)

    assert (once, len(server.requests)) == (1, 5)


def test_who_was_throttled_last_time_is_tried_once_until_a_post_gets_through(connect):
    """A client that does not read must not cost each reply its retries."""
    with Server(
        {"a": [*[[answer(429)]] * 5, [answer(200)], [answer(429)]], "b": [[answer(429)]]}
    ) as server:
        sender = connect(server, retries=3, backoff_seconds=0.001)
        requests = []
        for connection_id in ("a", "a", "b", "a", "a"):
            before = len(server.requests)
            sender.send(connection_id, "x")
            requests.append(len(server.requests) - before)

    assert requests == [4, 1, 4, 1, 4]


def test_throttling_of_a_close_is_nobodys(connect):
    with Server({"a": [[answer(429)]]}) as server:
        sender = connect(server, retries=1, backoff_seconds=0.001)
        [sender.close("a") for _ in range(2)]

    assert len(server.requests) == 4


def test_memory_of_who_was_throttled_is_bounded(connect):
    names = [f"name-{number}" for number in range(1001)]
    with Server({name: [[answer(429)]] for name in names}) as server:
        sender = connect(server, retries=0)
        sender.broadcast(names, "x")

    assert len(sender._throttled) == 1000
    assert "name-0" not in sender._throttled


@pytest.mark.parametrize("retries", [True, 1.0, "1"])
def test_retries_that_are_no_whole_number(retries):
    sender = Connections("http://localhost:1/s", environ=ENVIRON)

    error = refusal_of(lambda: sender.broadcast(["a"], "x", retries=retries))

    assert error.details == {"field": "retries"}
    assert error.message.startswith("retries must be a whole number, got ")


# --- what is not answered ---------------------------------------------------------------------------


def test_post_that_is_not_answered_holds_up_no_other_and_ends_in_its_own_time(pair):
    _, sender = pair({"stuck": [[SILENCE]]}, answer_seconds=60, max_sockets=1)

    result = sender.broadcast(["stuck", "a", "b"], "x", timeout_seconds=60, answer_seconds=0.05)

    assert (result.failed, result.sent) == (["stuck"], ["a", "b"])
    assert parts(result.outcomes["stuck"]) == ("failed", 0, "TimeoutError: no answer in 0.05 s")
    assert result.outcomes["stuck"].timed_out


def test_post_that_is_not_answered_by_the_deadline_has_timed_out(pair):
    _, sender = pair({"stuck": [[SILENCE]]})

    outcome = sender.send("stuck", "x", timeout_seconds=0.05)

    assert parts(outcome) == ("failed", 0, "no answer before the deadline")
    assert outcome.timed_out


def test_opening_a_socket_has_the_senders_time_and_not_the_posts(connect, certificate):
    """A handshake may take longer than an answer."""
    context, trusted = certificate
    wait = threading.Event().wait
    with Server(tls=context, on_accept=[lambda: wait(0.1)]) as server:
        sender = connect(server, {**ENVIRON, "AWS_CA_BUNDLE": str(trusted)})
        outcome = sender.send("a", "x", answer_seconds=0.05)

    assert outcome.kind == "sent"


@pytest.mark.parametrize(
    "steps",
    [[CLOSE], [answer(500)], [answer(429)], [b"nonsense\r\n\r\n"]],
    ids=["closed", "500", "429", "nonsense"],
)
def test_what_ends_otherwise_has_not_timed_out(connect, steps):
    with Server({"a": [steps]}) as server:
        outcome = connect(server, retries=0).send("a", "x")

    assert outcome.kind != "sent"
    assert not outcome.timed_out


def test_what_was_not_sent_has_not_timed_out(connect):
    with Server() as server:
        outcome = connect(server).send("a", "x", timeout_seconds=0)

    assert parts(outcome) == ("failed", 0, "not sent: no time left")
    assert not outcome.timed_out


def test_answer_to_the_next_attempt_counts(connect):
    with Server({"a": [[answer(429)], [SILENCE]]}) as server:
        sender = connect(server, backoff_seconds=0.001)
        outcome = sender.send("a", "x", answer_seconds=0.05)

    assert (outcome.kind, outcome.timed_out) == ("failed", True)
