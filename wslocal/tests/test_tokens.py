"""What a client proves itself with is for the authorizer alone: no line of ours has it."""

import asyncio
import base64
import http.client
import logging

import pytest

from wslocal.emulator import Emulator
from wslocal.gateway import GatewayLimits, LocalApi
from wslocal.loop import LoopThread
from wslocal.tests.gateway_system import create_api, create_function, create_role

pytestmark = pytest.mark.slow

TOKENS = ["t0ken-in-a-header", "t0ken-in-the-query", "t0ken-in-a-subprotocol"]
SOURCES = ["route.request.header.Authorization", "route.request.querystring.access_token"]


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def functions(emulator):
    role = create_role(emulator, "tokens", verbs=[])
    return {
        name: create_function(emulator, name, f"app.{name}", role)
        for name in ("guard", "lifecycle")
    }


@pytest.fixture
def loop():
    """Return a loop that logs each step that it takes, with what asyncio knows of it."""

    async def log_all():
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        loop.slow_callback_duration = 0.0

    with LoopThread() as loop:
        loop.run(log_all())
        yield loop


def handshake(api, path, **more):
    """Return the status of a handshake with a token in three places, from a client that logs nothing."""
    header, query, subprotocol = TOKENS
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
        "Sec-WebSocket-Protocol": f"v1, bearer.{subprotocol}",
        "Authorization": f"Bearer {header}",
    }
    connection = http.client.HTTPConnection(api.domain, timeout=20)
    connection.request("GET", f"{path}&access_token={query}&quiet=1", headers=headers | more)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(
    ("path", "more", "authorizer", "status", "logged"),
    [
        pytest.param("/dev?", {}, {}, 101, "", id="opened"),
        pytest.param("/dev?", {"Authorization": ""}, {}, 401, "", id="no-identity"),
        pytest.param("/dev?fail=Unauthorized", {}, {}, 401, "", id="unauthorized"),
        pytest.param("/dev?fail=x", {}, {}, 500, "", id="raises"),
        pytest.param("/dev?size=9000", {}, {}, 500, "authorizer guard: an answer", id="broken"),
        pytest.param("/dev?wait=/nowhere", {}, {}, 500, "no answer within 3 s", id="timeout"),
        pytest.param("/dev?", {}, {"permits": False}, 500, "does not let API", id="not-let-in"),
        pytest.param("/dev?status=403", {}, {}, 403, "", id="refused-by-connect"),
        pytest.param("/dev?answer=null", {}, {}, 502, "", id="connect-is-broken"),
        pytest.param("/other?", {}, {}, 403, "", id="other-stage"),
        pytest.param(f"/dev?{'x' * 5000}", {}, {}, 414, "", id="long"),
        pytest.param("/dev?", {"Host": "evil.example"}, {}, 403, "", id="other-host"),
        pytest.param("/dev?", {"Sec-WebSocket-Version": "8"}, {}, 400, "", id="no-handshake"),
        pytest.param("/dev?", {"Upgrade": "none"}, {}, 426, "", id="no-websocket"),
    ],
)
def test_no_line_has_a_token(
    emulator, functions, loop, caplog, path, more, authorizer, status, logged
):
    caplog.set_level(logging.DEBUG)
    api_id = create_api(
        emulator,
        {"$connect": {"function": functions["lifecycle"]}},
        authorizer={"function": functions["guard"], "sources": SOURCES} | authorizer,
    )
    limits = GatewayLimits(integration_seconds=3)
    api = loop.enter(LocalApi(emulator.client, api_id, "dev", limits=limits))
    lines = []
    api.subscribe(lambda line: lines.append(line.text))

    got = handshake(api, path, **more)

    loop.run(api.flush())
    loop.close()
    formatter = logging.Formatter()
    written = "\n".join([*map(formatter.format, caplog.records), *lines])
    assert got == status
    assert logged in written
    assert "Executing <" in written  # asyncio's own
    assert [token for token in TOKENS if token in written] == []
