"""One call over sockets: requests, answers, and a table of what a misbehaving server does."""

import gc
import os
import re
import socket
import sys
import threading
import time
from collections import Counter
from itertools import chain, count, repeat
from pathlib import Path

import pytest
from connections_server import (
    CLOSE,
    ENVIRON,
    OK,
    READ,
    RESET,
    SILENCE,
    Clock,
    Server,
    Slowly,
    answer,
    make_certificate,
    parts,
)

from shared_utils import _signed_http
from shared_utils._aws_endpoint import Endpoint
from shared_utils._signed_http import Client, Job, Run, SignedRequest, error_name, jitter
from shared_utils.connections import Connections
from shared_utils.error_codes import ApplicationError

LARGEST = 128 * 1024
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/execute-api/aws4_request,"
    r" SignedHeaders=host;x-amz-date, Signature=[0-9a-f]{64}"
)


# --- the request ----------------------------------------------------------------------------------


def test_request_on_the_wire(connect):
    with Server() as server:
        sender = connect(server, clock=Clock())

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


def test_request_to_an_api(connect):
    """Signed by botocore's SigV4Auth in the first place."""
    sender = connect("https://abc123.execute-api.eu-west-1.amazonaws.com/prod", clock=Clock())
    client = Client(sender._endpoint)
    run = Run(client, SignedRequest("POST", b"hello"), ["Jo5h9cOaIAMCKHg="], 1.0, lambda job: None)

    request = run._bytes_of(Job("Jo5h9cOaIAMCKHg="))
    run.selector.close()

    assert request == (
        b"POST /prod/@connections/Jo5h9cOaIAMCKHg%3D HTTP/1.1\r\n"
        b"user-agent: shared-utils\r\n"
        b"host: abc123.execute-api.eu-west-1.amazonaws.com\r\n"
        b"x-amz-date: 20150830T123600Z\r\n"
        b"authorization: AWS4-HMAC-SHA256"
        b" Credential=AKIDEXAMPLE/20150830/eu-west-1/execute-api/aws4_request,"
        b" SignedHeaders=host;x-amz-date,"
        b" Signature=9ea67950d8326ef1229ddf9167d438e226af30ae8459826c45078746c248d8f4\r\n"
        b"content-length: 5\r\n"
        b"\r\n"
        b"hello"
    )


def test_session_token_is_sent_and_signed(connect):
    with Server() as server:
        sender = connect(server, {**ENVIRON, "AWS_SESSION_TOKEN": "IQoJb3JpZ2lu"})

        sender.send("a", "hello")

    [request] = server.requests
    assert request.headers["x-amz-security-token"] == "IQoJb3JpZ2lu"
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token" in request.headers["authorization"]


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
@pytest.mark.threat("steered-requests")
def test_connection_id_is_encoded_in_the_path(connect, connection_id, last_segment):
    with Server() as server:
        connect(server).send(connection_id, "x")

    assert server.requests[0].path == f"/stage/@connections/{last_segment}"


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


def test_message_larger_than_the_socket_takes_is_written_in_pieces(pair):
    server, sender = pair(receive_buffer=4096)
    sender.send("warm", "x")
    sender._client.pool[0][0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    outcome = sender.send("a", b"x" * LARGEST)

    assert parts(outcome) == ("sent", 200, "")
    assert server.bodies("a") == [b"x" * LARGEST]
    assert server.accepted == 1


# --- answers --------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("status", "kind"), [(204, "sent"), (304, "failed")])
def test_answer_that_has_no_body_ends_with_its_head(pair, status, kind):
    server, sender = pair({"a": [[b"HTTP/1.1 %d X\r\n\r\n" % status]]})

    outcomes = sender.send("a", "x"), sender.send("b", "x")

    assert [outcome.kind for outcome in outcomes] == [kind, "sent"]
    assert server.accepted == 1


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
    pytest.param(
        [b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * 70_000],
        "ConnectionError: the answer is too long",
        id="long-body-without-length",
    ),
    pytest.param(
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\ny\r\n" * 20_000],
        "ConnectionError: the answer is too long",
        id="endless-chunks",
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


def test_answer_before_the_request_was_read_counts(connect):
    """A gateway may refuse a large message from its head alone."""
    steps = [READ, OK, READ, answer(413), lambda: threading.Event().wait(0.1)]
    with Server(on_accept=steps, receive_buffer=4096) as server:
        sender = connect(server)
        sender.send("warm", "x")
        sender._client.pool[0][0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

        outcome = sender.send("a", b"x" * LARGEST)

    assert parts(outcome) == ("too_large", 413, "HTTP 413")
    assert sender._client.pool == []


# --- the one case in which a message may go twice -------------------------------------------------


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


def test_request_is_repeated_once_also_if_the_gateway_throttled_it_in_between(pair):
    server, sender = pair({"a": [[CLOSE], [answer(429)], [CLOSE], [OK]]}, backoff_seconds=0.001)
    sender.send("warm", "x")

    outcome = sender.send("a", "x")

    assert outcome.kind == "failed"
    assert server.bodies("a") == [b"x"] * 3


@pytest.mark.slow
def test_repetition_that_does_not_begin_in_time_says_what_was_before(connect, certificate):
    """It was sent once, so it must not be called "not sent"."""
    context, trusted = certificate

    def fall_silent():
        server.on_accept = [SILENCE]

    with Server({"a": [[fall_silent, CLOSE]]}, tls=context) as server:
        sender = connect(server, {**ENVIRON, "AWS_CA_BUNDLE": str(trusted)})
        sender.send("warm", "x")

        outcome = sender.send("a", "x", timeout_seconds=1)

    assert parts(outcome) == (
        *("failed", 0),
        "ConnectionError: closed before the answer was complete",
    )


def test_answer_to_nothing_is_not_taken_for_the_next_one(connect):
    """It comes when the socket is back in the pool."""
    came = threading.Event()
    script = [[OK, lambda: threading.Event().wait(0.05), answer(410), came.set]]
    with Server({"warm": script}) as server:
        sender = connect(server)
        sender.send("warm", "x")
        came.wait(5)

        outcome = sender.send("a", "x")

    assert outcome.kind == "sent"
    assert server.accepted == 2


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
        sender._client.pool[0][0].shutdown(socket.SHUT_WR)

        outcome = sender.send("a", "x")

    assert outcome.kind == "sent"
    assert server.accepted == 2
    assert server.bodies("a") == [b"x"]


# --- many connections -----------------------------------------------------------------------------


def test_broadcast_uses_no_more_sockets_than_it_may_and_no_more_than_it_needs(pair):
    server, sender = pair(max_sockets=8)

    few = sender.broadcast(["a", "b", "c"], "x")
    many = sender.broadcast([f"id{n}" for n in range(100)], "x")

    assert (len(few.sent), len(many.sent)) == (3, 100)
    assert server.accepted <= 3 + 8
    assert 1 <= len(sender._client.pool) <= 8
    assert len(server.requests) == 103


def test_socket_that_was_opened_and_not_needed_is_kept(connect, certificate):
    """The second shakes hands when the first has taken both messages; TLS tickets are no answer."""
    context, trusted = certificate
    answered = threading.Event()
    gates = iter([lambda: None, lambda: answered.wait(5)])
    scripts = {"b": [[answered.set, lambda: threading.Event().wait(0.1), OK]]}
    with Server(scripts, tls=context, on_accept=[lambda: next(gates)()]) as server:
        sender = connect(server, {**ENVIRON, "AWS_CA_BUNDLE": str(trusted)}, max_sockets=2)

        result = sender.broadcast(["a", "b"], "x")
        again = sender.broadcast(["a", "b"], "x")

    assert (result.sent, again.sent) == (["a", "b"], ["a", "b"])
    assert server.accepted == 2


def test_call_leaves_nothing_to_the_garbage_collector(pair):
    """A message may have 128 KB, and there is one for each socket."""
    _, sender = pair({"lost": [[b"H", CLOSE]], "silent": [[SILENCE]]}, timeout_seconds=0.1)
    gc.collect()
    gc.disable()
    try:
        sender.broadcast(["a", "b", "lost", "silent"], "x")
        left = [found for found in gc.get_objects() if type(found) in (_signed_http._Lane, Run)]
    finally:
        gc.enable()

    assert left == []


def test_one_socket_is_the_least(connect):
    with Server() as server:
        result = connect(server, max_sockets=0).broadcast(["a", "b"], "x")

    assert result.sent == ["a", "b"]
    assert server.accepted == 1


@pytest.mark.slow
def test_slow_and_silent_connections_do_not_hold_up_the_others(pair):
    slow = {f"slow{n}": [[SILENCE]] for n in range(4)}
    _, sender = pair(slow, max_sockets=8, timeout_seconds=1.5)

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


@pytest.mark.slow
def test_what_was_not_begun_before_the_deadline_says_so(pair):
    server, sender = pair({"a": [[SILENCE]]}, max_sockets=1)

    result = sender.broadcast(["a", "b"], "x", timeout_seconds=0.5)

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
    assert len(sender._client.pool) == 1


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.slow
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
    before = descriptors(), threading.active_count()
    server, sender = pair(scripts, max_sockets=2)

    kinds = Counter(
        (name, outcome.kind)
        for name in [*scripts] * 200
        for outcome in [sender.broadcast([f"{next(numbers)}", name], "x").outcomes[name]]
    )
    sender.close_sockets()
    server.close()

    assert (descriptors(), threading.active_count()) == before
    assert kinds.keys() >= {("gone", "gone"), ("half", "failed"), ("once", "sent")}
    assert (kinds["gone", "gone"], kinds["half", "failed"], kinds["once", "sent"]) == (
        200,
        200,
        200,
    )
    assert sum(kinds.values()) == 1000
    assert [len(server.bodies(name)) for name in ("gone", "half", "once")] == [200, 200, 200]
    assert {len(server.bodies(str(number))) for number in range(1000)} == {1}


def test_socket_that_was_reset_between_calls_is_not_used(connect):
    with Server({"a": [[OK, RESET], [OK]]}) as server:
        sender = connect(server)
        sender.send("a", "x")
        server.wait_until_hung_up()

        outcome = sender.send("a", "x")

    assert outcome.kind == "sent"
    assert server.accepted == 2


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


def test_repetition_that_would_come_too_late_is_not_waited_for(connect, monkeypatch):
    """The pause would be 1 s."""
    monkeypatch.setattr("os.urandom", lambda number: b"\xff" * number)
    with Server({"a": [[answer(429)]]}) as server:
        outcome = connect(server, backoff_seconds=60).send("a", "x", timeout_seconds=0.9)

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

    assert sender._client.pool == []


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


@pytest.mark.threat("read-on-the-way")
def test_certificate_of_nobody_is_refused(connect, certificate):
    context, _ = certificate
    with Server(tls=context) as server:
        result = connect(server).broadcast([f"id{n}" for n in range(100)], "x")

    assert {parts(o) for o in result.outcomes.values()} == {
        ("failed", 0, "SSLCertVerificationError: self-signed certificate")
    }
    assert server.requests == []


@pytest.mark.threat("read-on-the-way")
def test_certificate_for_another_name_is_refused(connect, tmp_path):
    context, trusted = make_certificate(tmp_path, "other.test")
    with Server(tls=context) as server:
        outcome = connect(server, {**ENVIRON, "AWS_CA_BUNDLE": str(trusted)}).send("a", "x")

    assert outcome.kind == "failed"
    assert outcome.reason == (
        "SSLCertVerificationError: Hostname mismatch, certificate is not valid for 'localhost'."
    )
    assert server.requests == []


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


def test_clients_of_all_apis_share_one_tls_context(tmp_path):
    """To read the system's certificates takes longer than all else of a first call."""
    _, trusted = make_certificate(tmp_path, "localhost")
    other = tmp_path / "other.pem"
    other.write_bytes(trusted.read_bytes())

    def context(service, **environ):
        place = (True, f"{service}.us-east-1.amazonaws.com", 443, "/")
        environ = {**ENVIRON, **environ}
        return Client(Endpoint(place, "us-east-1", service, environ=environ)).tls_context()

    bundles = [str(trusted), str(trusted), str(other)]
    contexts = [context("dynamodb", AWS_CA_BUNDLE=bundle) for bundle in bundles]

    assert context("dynamodb") is context("execute-api")
    assert contexts[0] is contexts[1]
    assert len({*contexts, context("dynamodb")}) == 3


# --- what its user decides ------------------------------------------------------------------------


@pytest.fixture
def call():
    """Make a call to "/" of a server; return its job."""
    clients = []

    def make(server, retry=lambda job: None, *, environ=ENVIRON, timeout_seconds=5.0, **options):
        client = client_of(server, environ, **options.pop("settings", {}))
        clients.append(client)
        run = Run(client, SignedRequest("POST", b"x", **options), [""], timeout_seconds, retry)
        run.run()
        return run.jobs[""]

    yield make
    [client.close_sockets() for client in clients]


def client_of(server, environ=ENVIRON, **settings):
    place = (False, "localhost", getattr(server, "port", server), "/")
    return Client(Endpoint(place, "eu-west-1", "dynamodb", environ=environ, **settings))


def test_job_holds_the_last_answer(call):
    with Server({"": [[answer(500, b"no")], [answer(200, b"yes", "X-A: b")]]}) as server:
        job = call(server, lambda job: 0.001 if job.status == 500 else None)

    assert (job.status, job.body, job.reason, job.lost, job.retries) == (200, b"yes", "", False, 1)
    assert b"X-A: b" in job.head


def test_further_headers_are_sent(call):
    with Server() as server:
        call(server, headers={"x-amz-target": "A.B"})

    [request] = server.requests
    assert request.path == "/"
    assert request.headers["x-amz-target"] == "A.B"
    assert "SignedHeaders=host;x-amz-date;x-amz-target" in request.headers["authorization"]


def test_lost_answer_is_repeated_if_the_user_says_so(call):
    seen = []

    def retry(job):
        seen.append((job.status, job.lost))
        return None if job.status else 0.001

    with Server({"": [[RESET], [OK]]}) as server:
        job = call(server, retry)

    assert seen == [(0, True), (200, True)]
    assert (job.status, job.lost) == (200, True)


def test_lost_answer_stays_lost_when_the_next_attempt_does_not_open(call, monkeypatch):
    with Server() as closed:
        pass
    with Server({"": [[RESET]]}) as server:
        ports = iter([server.port, closed.port])
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *_, **__: [address("127.0.0.1", next(ports))]
        )
        job = call(server, lambda job: None if job.retries else 0.001)

    assert (job.status, job.reason) == (0, "ConnectionRefusedError: Connection refused")
    assert job.lost


def test_no_answer_by_the_deadline_is_lost(call):
    with Server({"": [[SILENCE]]}) as server:
        job = call(server, timeout_seconds=0.5)

    assert (job.status, job.reason, job.lost) == (0, "no answer before the deadline", True)


@pytest.mark.parametrize(("repeatable", "requests"), [(True, 2), (False, 1)])
def test_reused_socket_that_fails_with_a_request_is_no_excuse_to_send_another_one_twice(
    repeatable, requests
):
    with Server({"": [[OK], [RESET], [OK]]}) as server:
        client = client_of(server)
        Run(client, SignedRequest("POST"), [""], 5.0, lambda job: None).run()
        run = Run(client, SignedRequest("POST", repeatable=repeatable), [""], 5.0, lambda job: None)

        run.run()

    client.close_sockets()
    assert run.jobs[""].lost
    assert len(server.requests) == 1 + requests


def test_request_of_which_no_byte_left_is_sent_on_a_fresh_socket_whatever_it_is():
    with Server({"": [[OK, lambda: threading.Event().wait(0.1)], [OK]]}) as server:
        client = client_of(server)
        Run(client, SignedRequest("POST"), [""], 5.0, lambda job: None).run()
        client.pool[0][0].shutdown(socket.SHUT_WR)
        run = Run(client, SignedRequest("POST", repeatable=False), [""], 5.0, lambda job: None)

        run.run()

    client.close_sockets()
    assert (run.jobs[""].status, run.jobs[""].lost) == (200, False)
    assert server.accepted == 2


def test_api_out_of_reach_is_dialled_again_if_the_user_says_so(call, monkeypatch):
    """And its name is looked up again: another address may answer."""
    with Server() as closed:
        pass
    with Server() as server:
        ports = iter([closed.port, closed.port, server.port])
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *_, **__: [address("127.0.0.1", next(ports))]
        )
        job = call(server, lambda job: None if job.status else 0.001)

    assert (job.status, job.lost, job.retries) == (200, False, 2)


def test_repetition_after_the_deadline_is_not_waited_for(call):
    with Server({"": [[answer(500)]]}) as server:
        job = call(server, lambda job: 60.0, timeout_seconds=20)

    assert (job.status, job.retries) == (500, 0)


def test_large_answer_is_read_whole(call):
    body = b"x" * 3_000_000
    with Server({"": [[answer(200, body)]]}) as server:
        job = call(server, max_answer_bytes=4_000_000)

    assert job.body == body


class Endless:
    """A socket from which bytes come whenever they are asked for; each takes a second of the clock."""

    def __init__(self, clock):
        self.clock = clock
        self.asked = 0

    def recv(self, number):
        self.asked += 1
        assert self.asked < 100
        self.clock.now += 1
        return b"y" * number


@pytest.mark.parametrize(("expires", "asked"), [(5.0, 5), (100.0, 8)])
def test_server_that_never_stops_ends_with_the_attempts_time_or_the_calls(expires, asked):
    clock = Clock(0.0)
    client = client_of(1, monotonic=clock)
    request = SignedRequest("POST", max_answer_bytes=100_000_000)
    run = Run(client, request, ["a"], 8.0, lambda job: None)
    run.selector.close()
    reader = _signed_http.AnswerReader(request.max_answer_bytes)
    reader.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    lane = _signed_http._Lane(run.jobs["a"])
    lane.sock, lane.expires = Endless(clock), expires

    if expires < 8.0:
        with pytest.raises(TimeoutError):
            run._receive(lane, reader)
    else:
        assert run._receive(lane, reader) is None

    assert lane.sock.asked == asked


# --- clock and credentials ------------------------------------------------------------------------

# Ten minutes after the client's clock.
LATER = ("Date: Sun, 30 Aug 2015 12:46:00 GMT", "x-amzn-ErrorType: InvalidSignatureException")


def test_clock_that_is_off_is_corrected_for_this_request_and_the_next_ones():
    clock = Clock()
    with Server({"": [[answer(403, b"", *LATER)], [OK]]}) as server:
        client = client_of(server, clock=clock)
        first = Run(client, SignedRequest("POST"), [""], 5.0, lambda job: None)
        first.run()
        second = Run(client, SignedRequest("POST"), [""], 5.0, lambda job: None)
        second.run()

    client.close_sockets()
    assert (first.jobs[""].status, second.jobs[""].status) == (200, 200)
    assert [r.headers["x-amz-date"] for r in server.requests] == [
        "20150830T123600Z",
        "20150830T124600Z",
        "20150830T124600Z",
    ]
    assert client.clock_offset == 600


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(LATER[:1], id="another-error"),
        pytest.param(LATER[1:], id="no-date"),
        pytest.param(("Date: Sun, 30 Aug 2015 12:37:59 GMT", LATER[1]), id="clock-is-right"),
    ],
)
def test_refused_signature_is_final_if_the_clock_is_not_the_reason(call, headers):
    with Server({"": [[answer(403, b"", *headers)]]}) as server:
        job = call(server, settings={"clock": Clock()})

    assert job.status == 403
    assert len(server.requests) == 1


def test_clock_is_corrected_once_a_request(call):
    with Server({"": [[answer(403, b"", *LATER)]]}) as server:
        job = call(server, settings={"clock": Clock()})

    assert job.status == 403
    assert len(server.requests) == 2


def test_clock_is_corrected_for_all_connections_of_a_broadcast(connect):
    """Those whose refusal comes second find it right by then."""
    refused = {name: [[answer(403, b"", *LATER)], [OK]] for name in ("a", "b", "c")}
    with Server(refused) as server:
        sender = connect(server, clock=Clock())

        result = sender.broadcast(["a", "b", "c"], "x")

    assert result.sent == ["a", "b", "c"]
    assert len(server.requests) <= 6


class Rotating(dict):
    """Credentials of which each look finds new ones."""

    number = 0

    def get(self, key, default=None):
        if key == "AWS_SESSION_TOKEN":
            self.number += 1
            return f"token{self.number}"
        return super().get(key, default)


EXPIRED = answer(400, b'{"__type":"com.amazon.coral.service#ExpiredTokenException"}')


def test_expired_token_is_replaced_by_the_environments_new_one(call):
    with Server({"": [[EXPIRED], [OK]]}) as server:
        job = call(server, environ=Rotating(ENVIRON))

    tokens = [request.headers["x-amz-security-token"] for request in server.requests]
    assert job.status == 200
    assert len(set(tokens)) == 2


def test_token_is_replaced_once_a_request(call):
    with Server({"": [[EXPIRED]]}) as server:
        job = call(server, environ=Rotating(ENVIRON))

    assert job.status == 400
    assert len(server.requests) == 2


def test_expired_token_is_final_if_there_is_no_other(call):
    with Server({"": [[EXPIRED]]}) as server:
        job = call(server, environ={**ENVIRON, "AWS_SESSION_TOKEN": "old"})

    assert job.status == 400
    assert len(server.requests) == 1


class Provider:
    """What botocore would find."""

    def __init__(self, *credentials):
        self.access_key, self.secret_key, self.token = credentials

    def get_frozen_credentials(self):
        return self


def test_credentials_of_a_profile_come_from_botocore_which_is_asked_to_look_once(monkeypatch):
    looked = []
    module = type(sys)("botocore.session")
    module.get_session = lambda: looked.append(1) or module
    module.get_credentials = lambda: Provider("AKIDPROFILE", "secret", "token")
    monkeypatch.setitem(sys.modules, "botocore", type(sys)("botocore"))
    monkeypatch.setitem(sys.modules, "botocore.session", module)

    client = client_of(1, {})

    found = client.credentials(), client.credentials()

    assert found == (("AKIDPROFILE", "secret", "token"),) * 2
    assert looked == [1]


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {},
            "No AWS credentials, and botocore, which would look elsewhere, is not installed:"
            " set AWS_ACCESS_KEY_ID or a role",
        ),
        (
            {**ENVIRON, "AWS_SESSION_TOKEN": "a\r\nb: c"},
            "The AWS credentials hold line breaks or control characters",
        ),
    ],
)
def test_credentials_that_cannot_be_used(call, monkeypatch, environ, message):
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with Server() as server, pytest.raises(ApplicationError) as caught:
        call(server, environ=environ)

    assert (caught.value.code, caught.value.message) == ("INTERNAL_CONFIGURATION_ERROR", message)
    assert server.accepted == 0


class CredentialsProcessEnded(Exception):  # noqa: N818
    """As botocore has such ones."""


class BrokenProvider:
    def get_frozen_credentials(self):
        raise CredentialsProcessEnded("a secret")


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        (None, "No AWS credentials: set AWS_ACCESS_KEY_ID or a role"),
        (
            BrokenProvider(),
            "No AWS credentials, their provider failed with CredentialsProcessEnded:"
            " set AWS_ACCESS_KEY_ID or a role",
        ),
    ],
)
def test_provider_that_finds_nothing_or_fails(monkeypatch, provider, message):
    module = type(sys)("botocore.session")
    module.get_session = lambda: module
    module.get_credentials = lambda: provider
    monkeypatch.setitem(sys.modules, "botocore", type(sys)("botocore"))
    monkeypatch.setitem(sys.modules, "botocore.session", module)

    with pytest.raises(ApplicationError) as caught:
        client_of(1, {}).credentials()

    assert (caught.value.code, caught.value.message) == ("INTERNAL_CONFIGURATION_ERROR", message)


def test_certificates_that_are_no_file_are_a_configuration_error():
    endpoint = Endpoint(
        *((True, "localhost", 1, "/"), "eu-west-1", "dynamodb"),
        environ={"AWS_CA_BUNDLE": "/nowhere"},
    )

    with pytest.raises(ApplicationError) as caught:
        Client(endpoint).tls_context()

    assert caught.value.message == "AWS_CA_BUNDLE is not a file of certificates"


def test_preparation_opens_nothing():
    client = client_of(1)

    client.prepare()

    assert client.pool == []


def test_context_of_ones_own_is_used():
    context = object()
    place = (True, "localhost", 1, "/")
    endpoint = Endpoint(place, "eu-west-1", "dynamodb", environ={}, ssl_context=context)

    assert Client(endpoint).tls_context() is context


def test_sockets_kept_before_a_fork_are_the_parents():
    with Server() as server:
        client = client_of(server)
        Run(client, SignedRequest("POST"), [""], 5.0, lambda job: None).run()
        client.pid = 0

        assert client.take() is None
        assert (client.pid, client.pool) == (os.getpid(), [])


def test_no_more_sockets_are_kept_than_may_be():
    client = client_of(1, max_sockets=1)
    ours, theirs = socket.socketpair()
    client.keep(ours, 0.0)
    client.keep(theirs, 0.0)

    assert [kept[0] for kept in client.pool] == [ours]
    assert theirs.fileno() == -1
    client.close_sockets()


@pytest.mark.parametrize(
    ("headers", "body", "name"),
    [
        (["x-amzn-ErrorType: GoneException:http://aws/"], b"", "GoneException"),
        (["x-amzn-ErrorType: com.amazon#GoneException"], b"", "GoneException"),
        ([], b'{"__type":"com.amazon.coral.service#Throttling","message":"x"}', "Throttling"),
        ([], b'{"__type" : "Throttling"}', "Throttling"),
        (["x-amzn-ErrorType: a b"], b"", ""),
        ([], b"", ""),
    ],
)
def test_name_of_an_error(headers, body, name):
    head = answer(400, b"", *headers).partition(b"\r\n\r\n")[0]

    assert error_name(head, body) == name


def test_jitter_is_below_one(monkeypatch):
    assert 0.0 <= jitter() < 1.0
    monkeypatch.setattr(os, "urandom", lambda number: b"\xff" * number)
    assert 0.9999 < jitter() < 1.0


def test_sockets_of_a_sender_that_is_gone_are_closed():
    server = Server()
    sender = Connections(server.endpoint, environ=ENVIRON)
    sender.send("a", "x")
    [(kept, *_)] = sender._client.pool

    del sender
    gc.collect()
    server.close()

    assert kept.fileno() == -1
