"""The sender: what it asks for, what it makes of answers, and a server that misbehaves."""

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from itertools import chain, count, repeat
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared_utils import _exchange
from shared_utils._exchange import Signer
from shared_utils.connections import BroadcastResult, Connections, Outcome, endpoint_of
from shared_utils.error_codes import ApplicationError, ErrorCode

sys.path.append(str(Path(__file__).parent))
from connections_server import (
    CLOSE,
    OK,
    READ,
    RESET,
    SILENCE,
    Server,
    Slowly,
    answer,
    make_certificate,
)

ENVIRON = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_REGION": "eu-west-1",
}
LARGEST = 128 * 1024
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/execute-api/aws4_request,"
    r" SignedHeaders=host;x-amz-date, Signature=[0-9a-f]{64}"
)
ON_20150830 = 1440938160.0  # 12:36:00 UTC


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A server's context for localhost, and the file to trust."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "localhost", "127.0.0.1")


@pytest.fixture
def connect():
    """Make senders, and close their sockets."""
    made = []

    def make(server, environ=ENVIRON, **options):
        endpoint = server.endpoint if isinstance(server, Server) else server
        made.append(Connections(endpoint, environ=environ, **options))
        return made[-1]

    yield make
    [sender.close_sockets() for sender in made]


@pytest.fixture(params=["plain", "TLS"])
def pair(request, certificate, connect):
    """Make a server with scripts, plain or with TLS, and a sender that trusts it."""
    context, trusted = certificate
    servers = []

    def make(scripts=None, *, on_accept=None, receive_buffer=0, **options):
        tls = context if request.param == "TLS" else None
        server = Server(scripts, tls=tls, on_accept=on_accept, receive_buffer=receive_buffer)
        servers.append(server)
        return server, connect(server, {**ENVIRON, "AWS_CA_BUNDLE": str(trusted)}, **options)

    yield make
    [server.close() for server in servers]


def refusal_of(call, *args, **kwargs):
    with pytest.raises(ApplicationError) as caught:
        call(*args, **kwargs)
    return caught.value


def parts(outcome):
    return outcome.kind, outcome.status, outcome.reason


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

    assert (sender._tls, sender._host, sender._port) == (tls, host, port)
    assert (sender._host_header, sender._path) == (header, path)


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

    assert Connections(environ=environ)._path == "/dev/@connections/"


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
    assert Connections(f"https://{host}/s", environ=environ)._region == region


def test_region_given_wins():
    assert Connections("https://h/s", region="eu-north-1", environ=ENVIRON)._region == "eu-north-1"


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


# --- Signature Version 4 --------------------------------------------------------------------------

VECTOR_TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeo"
    "IYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5V"
    "SXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yj"
    "c8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)


@pytest.mark.parametrize(
    ("start", "token", "names", "signature"),
    [
        pytest.param(
            *(b"GET\n/", None, "host;x-amz-date"),
            b"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            id="get-vanilla",
        ),
        pytest.param(
            *(b"POST\n/", None, "host;x-amz-date"),
            b"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            id="post-vanilla",
        ),
        pytest.param(
            b"GET\n/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            *(None, "host;x-amz-date"),
            b"07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
            id="get-unreserved",
        ),
        pytest.param(
            *(b"GET\n/%E1%88%B4", None, "host;x-amz-date"),
            b"8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
            id="get-utf8",
        ),
        pytest.param(
            *(b"POST\n/", VECTOR_TOKEN, "host;x-amz-date;x-amz-security-token"),
            b"85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            id="post-sts-header-before",
        ),
    ],
)
def test_signature_of_the_published_test_suite(start, token, names, signature):
    """https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4"""
    credentials = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token)
    signer = Signer(
        credentials, "us-east-1", "service", "example.amazonaws.com", "20150830T123600Z"
    )

    assert signer.signature(start + signer.after_path(b"")) == signature
    assert signer.headers.startswith(
        "host: example.amazonaws.com\r\nx-amz-date: 20150830T123600Z\r\n"
    )
    assert signer.headers.endswith(
        "authorization: AWS4-HMAC-SHA256"
        " Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request,"
        f" SignedHeaders={names}, Signature="
    )


def test_signature_with_a_key_longer_than_a_block_of_the_hash():
    credentials = ("AKIDEXAMPLE", "k" * 61, None)
    signer = Signer(credentials, "eu-west-1", "execute-api", "h", "20150830T123600Z")

    # By botocore's SigV4Auth.
    assert (
        signer.signature(b"POST\n/%40connections/a%253D" + signer.after_path(b"hello"))
        == b"7bd42de6bb6fc083d48377cfa88fab0f4f0b32b0178a7a9d8e4532bab8b77d98"
    )


# --- the request ----------------------------------------------------------------------------------


def test_request_on_the_wire(connect):
    with Server() as server:
        sender = connect(server, clock=lambda: ON_20150830)

        outcome = sender.send("Jo5h9cOaIAMCKHg=", "hello")

    [request] = server.requests
    assert parts(outcome) == ("sent", 200, "")
    assert request.method == "POST"
    assert request.path == "/stage/@connections/Jo5h9cOaIAMCKHg%3D"
    assert request.body == b"hello"
    assert AUTHORIZATION.fullmatch(request.headers.pop("authorization"))
    assert request.headers == {
        "host": f"localhost:{server.port}",
        "x-amz-date": "20150830T123600Z",
        "user-agent": "shared-utils",
        "content-length": "5",
    }


def test_session_token_is_sent_and_signed(connect):
    with Server() as server:
        sender = connect(server, {**ENVIRON, "AWS_SESSION_TOKEN": "IQoJb3JpZ2lu"})

        sender.send("a", "hello")

    [request] = server.requests
    assert request.headers["x-amz-security-token"] == "IQoJb3JpZ2lu"
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token" in request.headers["authorization"]


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
    ("connection_id", "last_segment"),
    [
        ("a", "a"),
        ("aB9-._~", "aB9-._~"),
        ("Jo5h9cOaIAMCKHg=", "Jo5h9cOaIAMCKHg%3D"),
        ("a/b", "a%2Fb"),
        ("a b?c#d%3D", "a%20b%3Fc%23d%253D"),
        ("é\u1234\U0001f600", "%C3%A9%E1%88%B4%F0%9F%98%80"),
        ("x" * 256, "x" * 256),
        pytest.param(Name("a="), "a%3D", id="hostile-subclass"),
    ],
)
def test_connection_id_is_encoded_in_the_path(connect, connection_id, last_segment):
    with Server() as server:
        connect(server).send(connection_id, "x")

    assert server.requests[0].path == f"/stage/@connections/{last_segment}"


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


@pytest.mark.parametrize("found", ["None", "1 / 0"])
def test_credentials_nowhere_are_a_configuration_error(botocore, found):
    botocore(found)
    sender = Connections("http://localhost:1/s", environ={"AWS_REGION": "eu-west-1"})

    error = refusal_of(sender.send, "a", "x")

    assert error.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert error.message == "No AWS credentials: set AWS_ACCESS_KEY_ID or a role"


@pytest.mark.parametrize(
    "name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
)
def test_credentials_with_a_line_break_are_a_configuration_error(name):
    sender = Connections("http://localhost:1/s", environ={**ENVIRON, name: "secret\r\nx: y"})

    error = refusal_of(sender.send, "a", "x")

    assert error.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert "secret" not in error.message


# --- answers --------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], "HTTP 403"),
        (["x-amzn-ErrorType: ForbiddenException"], "HTTP 403 forbiddenexception"),
        (["X-Amzn-Errortype:GoneException:http://aws/"], "HTTP 403 goneexception"),
        (["x-amzn-ErrorType: a b"], "HTTP 403"),
    ],
)
def test_reason_of_a_refusal_names_the_error_and_nothing_of_the_answer(connect, headers, reason):
    """The gateway's text about a wrong signature quotes the request, its token included."""
    with Server({"a": [[answer(403, b"x-amz-security-token:IQoJ", *headers)]]}) as server:
        outcome = connect(server).send("a", "x")

    assert parts(outcome) == ("forbidden", 403, reason)


def test_outcome_shows_what_it_is():
    assert repr(Outcome("gone", 410, "HTTP 410")) == "Outcome('gone', 410, 'HTTP 410')"


PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + b'{"a":1}'
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b'3;name=value\r\n{"a\r\n04\r\n":1}\r\n0\r\nTrailer: x\r\n\r\n'
)


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        pytest.param([PLAIN], True, id="length"),
        pytest.param([Slowly(PLAIN)], True, id="byte-by-byte"),
        pytest.param([CHUNKED], True, id="chunked"),
        pytest.param([Slowly(CHUNKED)], True, id="chunked-byte-by-byte"),
        pytest.param(
            [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + PLAIN],
            *(True,),
            id="interim",
        ),
        pytest.param([b'http/1.1 200\r\ncontent-length:7\r\n\r\n{"a":1}'], True, id="lower-case"),
        pytest.param(
            [b'HTTP/1.1 200 OK\r\nConnection: Close\r\ncontent-length: 7\r\n\r\n{"a":1}'],
            *(False,),
            id="connection-close",
        ),
        pytest.param([b'HTTP/1.1 200 OK\r\n\r\n{"a":1}', CLOSE], False, id="until-the-end"),
        pytest.param(
            [b'HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}'], False, id="http-1.0"
        ),
        pytest.param([PLAIN + b"HTTP/1.1 200 OK\r\n"], False, id="more-than-an-answer"),
    ],
)
def test_answer_is_understood(pair, steps, kept):
    server, sender = pair({"a": [steps]})

    found = sender.get("a")
    sender.send("b", "x")

    assert found == {"a": 1}
    assert server.requests[0].method == "GET"
    assert server.accepted == (1 if kept else 2)


BROKEN_ANSWERS = [
    pytest.param([RESET], None, id="reset"),
    pytest.param([CLOSE], "ConnectionError: closed before the answer was complete", id="closed"),
    pytest.param([SILENCE], "TimeoutError: no answer in 0.2 s", id="silence"),
    pytest.param(
        [b"HTTP/1.1 2", CLOSE],
        "ConnectionError: closed before the answer was complete",
        id="half-a-line",
    ),
    pytest.param(
        [b"HTTP/1.1 200 OK\r\n", SILENCE], "TimeoutError: no answer in 0.2 s", id="half-a-head"
    ),
    pytest.param([OK[:-1], RESET], None, id="reset-in-the-answer"),
    pytest.param(
        [PLAIN[:-1], CLOSE],
        "ConnectionError: closed before the answer was complete",
        id="half-a-body",
    ),
    pytest.param(
        [CHUNKED[:-1], CLOSE],
        "ConnectionError: closed before the answer was complete",
        id="half-a-chunk",
    ),
    pytest.param([b"SSH-2.0-OpenSSH\r\n"], "ValueError: the answer is not HTTP/1", id="garbage"),
    pytest.param([b"\r\n\r\n"], "ValueError: the answer is not HTTP/1", id="nothing"),
    pytest.param([b"HTTP/2 200\r\n\r\n"], "ValueError: the answer is not HTTP/1", id="http-2"),
    pytest.param(
        [b"HTTP/1.1 20\r\n\r\n"], "ValueError: the answer is not HTTP/1", id="short-status"
    ),
    pytest.param(
        [b"HTTP/1.1 020 OK\r\n\r\n"], "ValueError: the answer is not HTTP/1", id="low-status"
    ),
    pytest.param(
        [b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
        *("ValueError: the answer has no valid length",),
        id="negative-length",
    ),
    pytest.param(
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1234567890\r\n\r\n"],
        *("ValueError: the answer has no valid length",),
        id="huge-length",
    ),
    pytest.param(
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"],
        *("ValueError: the answer has a chunk without a valid size",),
        id="negative-chunk",
    ),
    pytest.param(
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"],
        *("ValueError: the answer has a chunk longer than its size",),
        id="long-chunk",
    ),
    pytest.param(
        [b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000],
        *("ConnectionError: the answer is too long",),
        id="long-head",
    ),
    pytest.param(
        [b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n" + b"y" * 70_000],
        *("ConnectionError: the answer is too long",),
        id="long-body",
    ),
    pytest.param(
        [b"HTTP/1.1 100 C\r\n\r\n" * 4000],
        "ConnectionError: the answer is too long",
        id="only-interim",
    ),
]


@pytest.mark.parametrize(("steps", "reason"), BROKEN_ANSWERS)
def test_broken_answer_is_failed_and_not_repeated(pair, steps, reason):
    """Nobody knows whether the message was delivered: it must not go twice."""
    server, sender = pair({"a": [steps]}, answer_seconds=0.2)

    outcome = sender.send("a", "x")

    assert (outcome.kind, outcome.status) == ("failed", 0)
    assert outcome.reason == (reason or outcome.reason)
    assert outcome.reason.startswith(("Connection", "SSL", "ValueError", "TimeoutError"))
    assert server.bodies("a") == [b"x"]


@pytest.mark.parametrize(
    ("first", "kind", "bodies"),
    [
        pytest.param([RESET], "sent", 2, id="reset"),
        pytest.param([CLOSE], "sent", 2, id="closed"),
        pytest.param([SILENCE], "failed", 1, id="silence"),
        pytest.param([b"H", CLOSE], "failed", 1, id="one-byte"),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n", CLOSE], "failed", 1, id="interim"),
        pytest.param([b"x" * 12], "failed", 1, id="garbage"),
    ],
)
def test_request_on_a_reused_socket_is_repeated_once_if_no_byte_came_back(
    pair, first, kind, bodies
):
    server, sender = pair({"a": [first, [OK]]}, answer_seconds=0.2)
    sender.send("warm", "x")

    outcome = sender.send("a", "x")

    assert outcome.kind == kind
    assert server.bodies("a") == [b"x"] * bodies


def test_request_on_a_reused_socket_is_repeated_once_only(pair):
    server, sender = pair({"a": [[CLOSE]]})
    sender.send("warm", "x")

    outcome = sender.send("a", "x")

    assert outcome.kind == "failed"
    assert [request.connection for request in server.requests] == [1, 1, 2]


def test_repetition_that_finds_no_gateway_is_failed_with_the_reason(connect):
    server = Server({"a": [[lambda: server._listener.close(), CLOSE]]})
    sender = connect(server)
    sender.send("warm", "x")
    server._listener.shutdown(socket.SHUT_RDWR)

    outcome = sender.send("a", "x")

    assert parts(outcome) == ("failed", 0, "ConnectionRefusedError: Connection refused")
    server.hang_up()


def test_request_that_cannot_be_written_is_repeated_on_a_fresh_socket(connect):
    """The server does not look at the closed socket before the request was tried."""
    with Server({"warm": [[OK, lambda: threading.Event().wait(0.1)]]}) as server:
        sender = connect(server)
        sender.send("warm", "x")
        sender._pool[0][0].shutdown(socket.SHUT_WR)

        outcome = sender.send("a", "x")

    assert outcome.kind == "sent"
    assert server.accepted == 2
    assert server.bodies("a") == [b"x"]


def test_message_larger_than_the_socket_takes_is_written_in_pieces(pair):
    server, sender = pair(receive_buffer=4096)
    sender.send("warm", "x")
    sender._pool[0][0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    outcome = sender.send("a", b"x" * LARGEST)

    assert parts(outcome) == ("sent", 200, "")
    assert server.bodies("a") == [b"x" * LARGEST]
    assert server.accepted == 1


def test_answer_before_the_request_was_read_counts(connect):
    """A gateway may refuse a large message from its head alone."""
    steps = [READ, OK, READ, answer(413), SILENCE]
    with Server(on_accept=steps, receive_buffer=4096) as server:
        sender = connect(server)
        sender.send("warm", "x")
        sender._pool[0][0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

        outcome = sender.send("a", b"x" * LARGEST)

    assert parts(outcome) == ("too_large", 413, "HTTP 413")
    assert sender._pool == []


@given(data=st.binary(max_size=60), ended=st.booleans(), prefix=st.sampled_from([b"", CHUNKED, OK]))
@example(data=b"HTTP/1.1 999 \r\n\r\n", ended=False, prefix=b"")
def test_no_bytes_make_the_parser_fail_in_another_way(data, ended, prefix):
    try:
        found = _exchange._parse(prefix[: len(data)] + data, ended)
    except ValueError:
        found = None

    assert found is None or 200 <= found[0] <= 999


@given(length=st.integers(0, len(CHUNKED) - 1))
def test_answer_is_incomplete_up_to_its_last_byte(length):
    assert _exchange._parse(CHUNKED[:length], False) is None


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


# --- broadcast ------------------------------------------------------------------------------------


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


def test_broadcast_uses_no_more_sockets_than_it_may_and_no_more_than_it_needs(pair):
    server, sender = pair(max_sockets=8)

    few = sender.broadcast(["a", "b", "c"], "x")
    accepted_for_few = server.accepted
    many = sender.broadcast([f"id{n}" for n in range(100)], "x")

    assert (len(few.sent), len(many.sent)) == (3, 100)
    assert accepted_for_few <= 3
    assert 3 <= server.accepted <= 8
    assert len(server.requests) == 103


def test_one_socket_is_the_least(connect):
    with Server() as server:
        result = connect(server, max_sockets=0).broadcast(["a", "b"], "x")

    assert result.sent == ["a", "b"]
    assert server.accepted == 1


def test_slow_and_silent_connections_do_not_hold_up_the_others(pair):
    slow = {f"slow{n}": [[SILENCE]] for n in range(4)}
    _, sender = pair(slow, max_sockets=8, timeout_seconds=0.3)

    result = sender.broadcast([*slow, *(f"id{n}" for n in range(50))], "x")

    assert len(result.sent) == 50
    assert [parts(o) for o in map(result.outcomes.get, slow)] == [
        ("failed", 0, "no answer before the deadline")
    ] * 4


def test_connections_that_never_answer_give_their_sockets_back(pair):
    """Two sockets and six dead connections: the others are reached all the same."""
    dead = {f"dead{n}": [[SILENCE]] for n in range(6)}
    server, sender = pair(dead, max_sockets=2, answer_seconds=0.05)

    result = sender.broadcast([*dead, "a", "b"], "x")

    assert result.sent == ["a", "b"]
    assert {o.reason for o in result.outcomes.values()} == {"", "TimeoutError: no answer in 0.05 s"}
    assert len(server.requests) == 8


def test_what_was_not_begun_before_the_deadline_says_so(pair):
    server, sender = pair({"a": [[SILENCE]]}, max_sockets=1)

    result = sender.broadcast(["a", "b"], "x", timeout_seconds=0.2)

    assert result.outcomes["a"].reason == "no answer before the deadline"
    assert result.outcomes["b"].reason == "not sent: no time left"
    assert server.bodies("b") == []


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_without_time_nothing_is_sent(connect, timeout):
    with Server() as server:
        sender = connect(server)
        sender.send("warm", "x")

        outcome = sender.send("a", "x", timeout_seconds=timeout)

    assert parts(outcome) == ("failed", 0, "not sent: no time left")
    assert len(server.requests) == 1


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
    assert len(sender._pool) <= 4


# --- throttling -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 503])
def test_refusal_for_now_is_repeated(pair, status):
    script = [[answer(status)], [answer(status)], [answer(status)], [OK]]
    server, sender = pair({"a": script}, backoff_seconds=0.001)

    result = sender.broadcast(["a", "b"], "x")

    assert result.sent == ["a", "b"]
    assert server.bodies("a") == [b"x"] * 4
    assert server.bodies("b") == [b"x"]


@pytest.mark.parametrize(
    ("status", "kind"), [pytest.param(429, "throttled"), pytest.param(500, "failed")]
)
def test_refusal_for_now_is_repeated_a_bounded_number_of_times(connect, status, kind):
    with Server({"a": [[answer(status)]]}) as server:
        outcome = connect(server, backoff_seconds=0.001).send("a", "x")

    assert parts(outcome) == (kind, status, f"HTTP {status}")
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", [400, 403, 404, 410, 413])
def test_refusal_for_good_is_not_repeated(connect, status):
    with Server({"a": [[answer(status)]]}) as server:
        connect(server, backoff_seconds=0.001).send("a", "x")

    assert len(server.requests) == 1


def test_repetition_that_would_come_too_late_is_not_waited_for(connect):
    """The pause would be 1 s at most, and half of it at least."""
    with Server({"a": [[answer(429)]]}) as server:
        outcome = connect(server, backoff_seconds=60).send("a", "x", timeout_seconds=0.5)

    assert parts(outcome) == ("throttled", 429, "HTTP 429")
    assert len(server.requests) == 1


def test_deadline_in_the_pause_leaves_the_last_outcome(connect):
    """The clock says 0 until the pause is over, then it is far too late."""
    ticks = chain([0.0, 0.0, 0.0], repeat(1000.0))
    with Server({"a": [[answer(429)]]}) as server:
        sender = connect(server, backoff_seconds=0.001, monotonic=lambda: next(ticks))

        outcome = sender.send("a", "x")

    assert parts(outcome) == ("throttled", 429, "HTTP 429")


def test_burst_of_throttling_is_survived(pair):
    throttled = {f"id{n}": [[answer(429)], [OK]] for n in range(100)}
    server, sender = pair(throttled, backoff_seconds=0.005)

    result = sender.broadcast(throttled, "x")

    assert len(result.sent) == 100
    assert len(server.requests) == 200


# --- sockets --------------------------------------------------------------------------------------


class Clock:
    def __init__(self, start=ON_20150830):
        self.now = start

    def __call__(self):
        return self.now


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


def test_socket_that_was_reset_between_calls_is_not_used(connect):
    with Server({"a": [[OK, RESET], [OK]]}) as server:
        sender = connect(server)
        sender.send("a", "x")
        server.wait_until_hung_up()

        outcome = sender.send("a", "x")

    assert outcome.kind == "sent"
    assert server.accepted == 2


def test_socket_that_rests_too_long_within_a_call_is_closed(connect):
    """While "b" is throttled, the socket that served "a" rests for six seconds."""
    skipped = Clock(0.0)

    def six_seconds_later():
        skipped.now += 6

    script = [[answer(429)], [six_seconds_later, answer(429)], [OK]]
    with Server({"b": script}) as server:
        sender = connect(
            server,
            timeout_seconds=100,
            answer_seconds=50,
            backoff_seconds=0.02,
            monotonic=lambda: time.monotonic() + skipped.now,
        )

        result = sender.broadcast(["a", "b"], "x")

    assert result.sent == ["a", "b"]
    assert len(sender._pool) == 1


def test_sockets_of_a_parent_process_are_not_used(connect):
    with Server() as server:
        sender = connect(server)
        sender.send("a", "x")
        sender._pid = 0

        sender.send("a", "x")

        assert server.accepted == 2
        assert sender._pid == os.getpid()


def test_no_more_sockets_are_kept_than_may_be_open(connect):
    """Two threads had one each; the second is closed when its call ends."""
    done = threading.Event()
    with Server({"slow": [[lambda: done.wait(5), OK]]}) as server:
        sender = connect(server, max_sockets=1)
        thread = threading.Thread(target=sender.send, args=("slow", "x"))
        thread.start()
        sender.send("a", "x")
        done.set()
        thread.join(5)

        assert server.accepted == 2
        assert len(sender._pool) == 1


def test_long_broadcast_signs_anew(connect):
    clock, monotonic = Clock(), Clock(0.0)

    def a_minute_later():
        clock.now += 61
        monotonic.now += 61

    with Server({"a": [[a_minute_later, OK]]}) as server:
        sender = connect(
            server,
            max_sockets=1,
            timeout_seconds=1000,
            answer_seconds=500,
            clock=clock,
            monotonic=monotonic,
        )

        result = sender.broadcast(["a", "b"], "x")

    assert result.sent == ["a", "b"]
    assert [r.headers["x-amz-date"] for r in server.requests] == [
        "20150830T123600Z",
        "20150830T123701Z",
    ]


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts files by Linux's /proc")
def test_thousand_broadcasts_leave_no_socket_and_no_thread(pair):
    numbers = count()
    scripts = {
        "reset": [[RESET]],
        "close": [[CLOSE]],
        "half": [[b"HTTP/1.1 200 OK\r\n", CLOSE]],
        "gone": [[answer(410)]],
        "once": [[OK, CLOSE]],
    }
    server, sender = pair(scripts, max_sockets=2)
    sender.broadcast(scripts, "x")
    sender.close_sockets()
    server.wait_until_hung_up()
    before = descriptors(), threading.active_count()

    kinds = Counter(
        (name, outcome.kind)
        for name in [*scripts] * 200
        for outcome in [sender.broadcast([f"{next(numbers)}", name], "x").outcomes[name]]
    )
    sender.close_sockets()
    server.wait_until_hung_up()

    assert (descriptors(), threading.active_count()) == before
    assert kinds.keys() >= {("gone", "gone"), ("half", "failed"), ("once", "sent")}
    assert (kinds["gone", "gone"], kinds["half", "failed"], kinds["once", "sent"]) == (
        200,
        200,
        200,
    )
    assert sum(kinds.values()) == 1000
    assert [len(server.bodies(name)) for name in ("gone", "half", "once")] == [201, 201, 201]
    assert {len(server.bodies(str(number))) for number in range(1000)} == {1}


# --- a gateway out of reach -----------------------------------------------------------------------


def test_refused_connection_is_failed_with_the_reason(connect):
    with Server() as server:
        pass

    result = connect(server).broadcast([f"id{n}" for n in range(500)], "x")

    assert {parts(o) for o in result.outcomes.values()} == {
        ("failed", 0, "ConnectionRefusedError: Connection refused")
    }


def test_name_that_nobody_knows_is_looked_up_once(connect, monkeypatch):
    lookups = []

    def unknown(*args, **kwargs):
        lookups.append(args)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    result = connect("https://ws.example.com").broadcast([f"id{n}" for n in range(500)], "x")

    assert {parts(o) for o in result.outcomes.values()} == {
        ("failed", 0, "gaierror: Name or service not known")
    }
    assert lookups == [(b"ws.example.com", 443)]


def test_interruption_leaves_no_socket_open(connect, monkeypatch):
    """Here in the name lookup for a second socket."""
    with Server({"a": [[SILENCE]]}) as server:
        sender = connect(server)
        sender.send("warm", "x")

        def interrupted(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(socket, "getaddrinfo", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sender.broadcast(["a", "b"], "x")
        server.wait_until_hung_up()

    assert sender._pool == []


def address(host, port):
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


def test_next_address_is_tried_when_one_does_not_open(connect, monkeypatch):
    """The first refuses, the second is nobody's, the third never shakes hands in time."""
    with Server() as closed:
        pass
    with Server() as server:
        addresses = [
            address("127.0.0.1", closed.port),
            address("255.255.255.255", 1),
            address("127.0.0.1", server.port),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)

        result = connect(server).broadcast(["a", "b"], "x")

    assert result.sent == ["a", "b"]


def test_next_address_is_tried_when_one_is_silent(connect, monkeypatch, certificate):
    context, trusted = certificate
    with Server(on_accept=[SILENCE]) as silent, Server(tls=context) as server:
        addresses = [address("127.0.0.1", silent.port), address("127.0.0.1", server.port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
        environ = {**ENVIRON, "AWS_CA_BUNDLE": str(trusted)}

        outcome = connect(server, environ, answer_seconds=0.1).send("a", "x")

    assert parts(outcome) == ("sent", 200, "")


# --- TLS ------------------------------------------------------------------------------------------


def test_certificate_of_nobody_is_refused(connect, certificate):
    context, _ = certificate
    with Server(tls=context) as server:
        result = connect(server).broadcast([f"id{n}" for n in range(100)], "x")

    assert {parts(o) for o in result.outcomes.values()} == {
        ("failed", 0, "SSLCertVerificationError: self-signed certificate")
    }
    assert server.requests == []


def test_certificate_for_another_name_is_refused(connect, tmp_path):
    context, trusted = make_certificate(tmp_path, "other.test")
    with Server(tls=context) as server:
        outcome = connect(server, {**ENVIRON, "AWS_CA_BUNDLE": str(trusted)}).send("a", "x")

    assert outcome.kind == "failed"
    assert outcome.reason == (
        "SSLCertVerificationError: Hostname mismatch, certificate is not valid for 'localhost'."
    )
    assert server.requests == []


def test_context_given_is_used(connect, certificate):
    context, trusted = certificate
    with Server(tls=context) as server:
        own = ssl.create_default_context(cafile=str(trusted))

        outcome = connect(server, ssl_context=own).send("a", "x")

    assert outcome.kind == "sent"


@pytest.mark.parametrize(
    ("on_accept", "reason"),
    [
        pytest.param([b"HTTP/1.1 400 Bad Request\r\n\r\n", SILENCE], "SSLError", id="no-tls"),
        pytest.param([READ, RESET], "ConnectionResetError", id="reset"),
        pytest.param([READ, CLOSE], "SSL", id="closed"),
        pytest.param([SILENCE], "TimeoutError: no answer in 0.1 s", id="silence"),
    ],
)
def test_hands_that_are_not_shaken_are_failed(connect, certificate, on_accept, reason):
    context, trusted = certificate
    environ = {**ENVIRON, "AWS_CA_BUNDLE": str(trusted)}
    with Server(tls=context, on_accept=on_accept) as server:
        outcome = connect(server, environ, answer_seconds=0.1).send("a", "x")

    assert (outcome.kind, outcome.status) == ("failed", 0)
    assert outcome.reason.startswith(reason)


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
    heavy = "socket ssl selectors hashlib hmac random urllib http botocore boto3 typing shared_utils._exchange"
    program = f"import sys, shared_utils.connections\n{code}\nprint(*(n for n in sys.argv[1:] if n in sys.modules))"
    layer = Path(__file__).parents[1] / "python"
    finished = subprocess.run(
        [sys.executable, "-c", program, *heavy.split()],
        env={"PYTHONPATH": str(layer), "PATH": os.environ["PATH"], **ENVIRON},
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

        assert loaded_by(code) == ["socket", "selectors", "hashlib", "shared_utils._exchange"]


def test_result_can_be_made_by_hand():
    """For the tests of those who use it."""
    result = BroadcastResult({"a": Outcome("sent"), "b": Outcome("gone", 410)})

    assert (result.sent, result.gone, result.failed) == (["a"], ["b"], [])
