"""The Runtime API on a real socket: who may ask for work."""

import http.client

import pytest

from wslocal.lambda_host.runtime_api import Ready, RuntimeApi, Work
from wslocal.loop import LoopThread

NEXT = "/2018-06-01/runtime/invocation/next"


@pytest.fixture(scope="module")
def loop():
    with LoopThread() as loop:
        yield loop


@pytest.fixture
def reported():
    return []


@pytest.fixture
def address(loop, reported):
    """Return the address of an API that has work for whoever asks."""

    async def serve():
        address = await api.start()
        api.offer(Work("id", b"{}", 1, "arn", "trace"))
        return address

    async def end():
        api.close()

    api = RuntimeApi(reported.append)
    yield loop.run(serve())
    loop.run(end())


def ask(address, host):
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request("GET", NEXT, headers={"Host": host})
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def test_work_is_for_who_asks_this_machine(address, reported):
    assert ask(address, address) == (200, b"{}")
    assert reported == [Ready()]


def test_request_for_another_host_gets_no_work(address, reported):
    """The event has what a client sent; a page of another site must not read it."""
    status, body = ask(address, "evil.example")

    assert status == 403
    assert body == b'{"errorType":"InvalidRequest","errorMessage":""}'
    assert reported == []
