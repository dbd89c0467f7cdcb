"""A run answers processes of its user, line by line, and notices when one has gone."""

from __future__ import annotations

import asyncio
import socket

import pytest

from wslocal.control import answering, ask
from wslocal.loop import LoopThread
from wslocal.state import RunNotFoundError


@pytest.fixture
def gone():
    return asyncio.Event()


@pytest.fixture
def path(tmp_path, gone):
    async def count(request, reply, client_gone):
        for number in range(request["to"]):
            await reply({"number": number})

    async def wait(request, reply, client_gone):
        await reply({"waiting": True})
        await client_gone.wait()
        gone.set()

    path = tmp_path / "run.sock"
    with LoopThread() as loop:
        loop.enter(answering(path, {"count": count, "wait": wait}))
        yield path, loop


def test_replies_come_line_by_line(path):
    assert list(ask(path[0], {"command": "count", "to": 3})) == [
        {"number": 0},
        {"number": 1},
        {"number": 2},
    ]


@pytest.mark.parametrize("request_", [{"command": "other"}, {}, [], "count"])
def test_unknown_command_is_said(path, request_):
    [reply] = ask(path[0], request_)

    assert reply == {"error": "this run does not know the command: is it of another version?"}


def test_command_ends_when_its_client_goes(path, gone):
    replies = ask(path[0], {"command": "wait"})
    assert next(replies) == {"waiting": True}

    replies.close()

    path[1].run(asyncio.wait_for(gone.wait(), 10))


def test_socket_is_gone_at_the_end(tmp_path):
    path = tmp_path / "run.sock"
    with LoopThread() as loop:
        loop.enter(answering(path, {}))
        assert path.is_socket()

    assert not path.exists()


def test_run_that_does_not_answer_is_said(tmp_path):
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(tmp_path / "run.sock"))

    with pytest.raises(RunNotFoundError, match="the run does not answer: Connection refused"):
        list(ask(tmp_path / "run.sock", {"command": "count"}))
