"""A pool whose processes are killed, cannot start, or have too much to do: nothing waits for ever."""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from wslocal.lambda_host import HostError, environment, function
from wslocal.lambda_host.environment import Environment
from wslocal.lambda_host.function import FunctionPool, FunctionSettings
from wslocal.lambda_host.host import find_runtime_client
from wslocal.lambda_host.results import ThrottledError, error_of
from wslocal.lambda_host.runtime_api import Answered, Exited
from wslocal.lambda_host.variables import function_arn, lambda_variables

pytestmark = pytest.mark.slow

APP = """
import os, time
from pathlib import Path

def handler(event, context):
    if "until" in event:
        Path(event["here"]).touch()
        while not Path(event["until"]).exists():
            time.sleep(0.005)
    return os.getpid()
"""

# Asks for work over and over, and never waits for the answer.
GREEDY = """
import os, socket, time
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
request = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n"
api = socket.create_connection((host, int(port)))
while True:
    api.sendall(request * 100)
"""


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    version, runtime_dir = find_runtime_client(sys.executable, sys.platform)
    variables = lambda_variables(
        handler="app.handler",
        name="tested",
        task_root=tmp_path,
        layer=None,
        python=Path(sys.executable).absolute(),
        python_version=version,
        runtime_dir=runtime_dir,
        memory_mb=128,
        log_format="JSON",
        log_level=None,
    )
    return FunctionSettings(
        name="tested",
        arn=function_arn("tested"),
        command=(sys.executable, "-m", "awslambdaric", "app.handler"),
        task_root=tmp_path,
        variables=variables,
        timeout_seconds=30,
        memory_mb=128,
        log_format="JSON",
        log_level=None,
        system_log_level="WARN",
        log_group="/aws/lambda/tested",
    )


def play(scenario, settings, **options):
    """Run `scenario(pool)`, for at most a minute."""

    async def main():
        pool = FunctionPool(settings, **options)
        try:
            async with asyncio.timeout(60):
                return await scenario(pool)
        finally:
            await pool.close()

    return asyncio.run(main())


async def exists(path):
    while not path.exists():
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("count", [1, 4], ids=["one", "all"])
def test_killed_environments_cost_the_events_at_work_and_no_others(settings, tmp_path, count):
    held = [{"here": str(tmp_path / n), "until": str(tmp_path / "go")} for n in "abcd"]

    async def scenario(pool):
        busy = [asyncio.create_task(pool.invoke(json.dumps(event).encode())) for event in held]
        for name in "abcd":
            await exists(tmp_path / name)
        waiting = [asyncio.create_task(pool.invoke(b"{}")) for _ in range(50)]
        await asyncio.sleep(0)
        for member in list(pool._members)[:count]:
            os.kill(member.environment._process.popen.pid, signal.SIGKILL)
        while pool.state.crashes < count:
            await asyncio.sleep(0.005)
        (tmp_path / "go").touch()
        return await asyncio.gather(*busy), await asyncio.gather(*waiting), pool.state

    at_work, others, state = play(scenario, settings, max_environments=4)

    failed = [result.error for result in at_work if result.error]
    assert [error.type for error in failed] == ["Runtime.ExitError"] * count
    assert all("signal: killed" in error.message for error in failed)
    assert [result.error for result in others] == [None] * 50
    assert (state.crashes, state.waiting) == (count, 0)


def test_end_that_is_no_answer_is_reported_at_the_level_warn_too(settings, tmp_path):
    lines = []
    event = {"here": str(tmp_path / "here"), "until": str(tmp_path / "never")}

    async def scenario(pool):
        answered = await pool.invoke(b"{}")
        busy = asyncio.create_task(pool.invoke(json.dumps(event).encode()))
        await exists(tmp_path / "here")
        os.kill(answered.payload, signal.SIGKILL)
        await busy

    play(scenario, settings, on_line=lambda line: lines.append(line.document))

    [report] = lines
    assert report["type"] == "platform.report"
    assert (report["record"]["status"], report["record"]["errorType"]) == (
        "error",
        "Runtime.ExitError",
    )


def test_start_that_is_cancelled_leaves_nothing_open(settings, monkeypatch):
    started, made = threading.Event(), []

    class Slow(environment.GuardedProcess):
        def __init__(self, command, **popen):
            super().__init__(command, **popen)
            made.append(self)
            started.set()
            time.sleep(0.2)

    monkeypatch.setattr(environment, "GuardedProcess", Slow)

    async def scenario(pool):
        waiting = asyncio.create_task(pool.invoke(b"{}"))
        await asyncio.to_thread(started.wait, 20)
        await pool.close()
        await asyncio.gather(waiting, return_exceptions=True)

    play(scenario, settings)

    [process] = made
    assert process.popen.returncode is not None
    assert (process.popen.stdout.closed, process.popen.stderr.closed) == (True, True)


def test_environment_that_was_started_first_is_next_whoever_was_last(settings, tmp_path):
    held = [{"here": str(tmp_path / n), "until": str(tmp_path / f"go-{n}")} for n in "ab"]

    async def scenario(pool):
        first = asyncio.create_task(pool.invoke(json.dumps(held[0]).encode()))
        await exists(tmp_path / "a")
        second = asyncio.create_task(pool.invoke(json.dumps(held[1]).encode()))
        await exists(tmp_path / "b")
        (tmp_path / "go-a").touch()
        oldest = (await first).payload
        (tmp_path / "go-b").touch()
        await second
        return oldest, [(await pool.invoke(b"{}")).payload for _ in range(3)]

    oldest, taken = play(scenario, settings, max_environments=2)

    assert taken == [oldest] * 3


def test_killed_while_idle_costs_nothing(settings):
    async def scenario(pool):
        first = (await pool.invoke(b"{}")).payload
        os.kill(first, signal.SIGKILL)
        while pool.state.crashes < 1:
            await asyncio.sleep(0.005)
        return first, await pool.invoke(b"{}"), pool.state

    first, after, state = play(scenario, settings)

    assert after.error is None
    assert after.payload != first
    assert (state.crashes, state.errors, state.environments) == (1, 0, 1)


def test_idle_environment_that_ends_unnoticed_is_counted_when_it_is_needed(settings):
    async def scenario(pool):
        first = (await pool.invoke(b"{}")).payload
        environment = pool._idle[0].environment
        os.kill(first, signal.SIGKILL)
        while environment.is_alive:  # without giving the loop a chance to notice it
            pass
        return await pool.invoke(b"{}"), pool.state

    after, state = play(scenario, settings)

    assert (after.error, state.crashes, state.errors) == (None, 1, 0)


def test_place_of_an_idle_environment_that_ends_is_free_at_once(settings):
    async def scenario(pool):
        first = (await pool.invoke(b"{}")).payload
        environment = pool._idle[0].environment
        os.kill(first, signal.SIGKILL)
        while environment.is_alive:
            pass
        environment._exited()  # as the loop does it, just before the next call
        async with asyncio.timeout(20):
            return await pool.invoke(b"{}"), pool.state

    after, state = play(scenario, settings)

    assert (after.error, state.crashes) == (None, 1)


def test_idle_environments_that_end_are_one_line_with_a_count(settings, tmp_path, caplog):
    held = [{"here": str(tmp_path / n), "until": str(tmp_path / "go")} for n in "abc"]

    async def scenario(pool):
        work = [asyncio.create_task(pool.invoke(json.dumps(event).encode())) for event in held]
        for name in "abc":
            await exists(tmp_path / name)
        (tmp_path / "go").touch()
        await asyncio.gather(*work)
        killed = pool.kill()
        while not caplog.records:
            await asyncio.sleep(0.005)
        await pool.renew(pool.settings)  # whom we end ourselves did not crash
        return killed, pool.state

    killed, state = play(scenario, settings, max_environments=3)

    line = f"{settings.name}: environments that ended while they were idle: 3"
    assert [record.getMessage() for record in caplog.records] == [line]
    assert (killed, state.crashes, state.environments) == (3, 3, 0)


def test_environments_that_we_end_are_no_crashes(settings):
    async def scenario(pool):
        await pool.invoke(b"{}")
        await pool.renew(pool.settings)
        await pool.invoke(b"{}")
        return pool

    pool = play(scenario, settings)

    assert (pool.state.crashes, pool.state.environments) == (0, 0)


@pytest.mark.parametrize(
    ("name", "bound", "waiting"),
    [("_MAX_WAITING", 20, 20), ("_MAX_WAITING_BYTES", 39, 20)],
    ids=["events", "bytes"],
)
def test_more_events_than_may_wait_are_throttled(
    settings, tmp_path, monkeypatch, name, bound, waiting
):
    monkeypatch.setattr(function, name, bound)
    held = {"here": str(tmp_path / "here"), "until": str(tmp_path / "go")}

    async def scenario(pool):
        first = asyncio.create_task(pool.invoke(json.dumps(held).encode()))
        await exists(tmp_path / "here")
        rest = [asyncio.create_task(pool.invoke(b"{}")) for _ in range(waiting + 3)]
        await asyncio.sleep(0)
        state = replace(pool.state)
        (tmp_path / "go").touch()
        return state, await asyncio.gather(first, *rest, return_exceptions=True)

    state, results = play(scenario, settings)

    assert (state.busy, state.waiting, state.throttles) == (1, waiting, 3)
    assert [type(result) for result in results[waiting + 1 :]] == [ThrottledError] * 3
    assert str(results[-1]) == "tested is throttled: TooManyRequestsException"
    assert [result.error for result in results[: waiting + 1]] == [None] * (waiting + 1)


def test_process_that_cannot_start_is_a_sentence_for_each_and_is_tried_again(settings):
    broken = replace(settings, command=("/no/python", "-m", "awslambdaric", "app.handler"))

    async def scenario(pool):
        events = (pool.invoke(b"{}") for _ in range(5))
        failed = await asyncio.gather(*events, return_exceptions=True)
        await pool.renew(settings)
        return failed, await pool.invoke(b"{}"), pool.state

    failed, after, state = play(scenario, broken, max_environments=2)

    assert [type(error) for error in failed] == [HostError] * 5
    assert str(failed[0]) == (
        "no environment of tested can start: [Errno 2] No such file or directory: '/no/python'"
    )
    assert after.error is None
    assert (state.environments, state.waiting) == (1, 0)


def test_credentials_that_do_not_come_fail_each_event(settings):
    async def refuse():
        raise HostError("tested gets no credentials: no answer")

    async def scenario(pool):
        events = (pool.invoke(b"{}") for _ in range(5))
        return await asyncio.gather(*events, return_exceptions=True), pool.state

    failed, state = play(scenario, settings, max_environments=2, credentials=refuse)

    assert [str(error) for error in failed] == ["tested gets no credentials: no answer"] * 5
    assert (state.environments, state.waiting) == (0, 0)


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b'{"errorType":"A"}', b"null"])
def test_error_that_is_none_is_a_sentence(body):
    with pytest.raises(HostError, match="the runtime reported an error that is none"):
        error_of(Answered(body, failed=True), "id")


def test_process_that_asks_without_end_is_ended(settings):
    async def run():
        environment = Environment(lambda text: None)
        await environment.start((sys.executable, "-c", GREEDY), settings.task_root, {})
        try:
            while environment.is_alive:
                await asyncio.sleep(0.01)
            messages = [await environment.next_message(20)]
            while not isinstance(messages[-1], Exited):
                messages.append(await environment.next_message(20))
            return messages
        finally:
            await environment.close()

    messages = asyncio.run(run())

    assert messages[-1] == Exited(-signal.SIGKILL)
    assert len(messages) == 17


# --- concurrency of its own -------------------------------------------------------------------------


def test_more_at_once_than_is_reserved_is_throttled(settings, tmp_path):
    held = json.dumps({"here": str(tmp_path / "here"), "until": str(tmp_path / "go")}).encode()
    reserved = replace(settings, reserved_concurrency=1)

    async def scenario(pool):
        slow = asyncio.create_task(pool.invoke(held))
        await exists(tmp_path / "here")
        refused = await asyncio.gather(pool.invoke(b"{}"), return_exceptions=True)
        (tmp_path / "go").touch()
        return refused[0], await slow, await pool.invoke(b"{}"), pool.state

    refused, slow, after, state = play(scenario, reserved, max_environments=2)

    assert isinstance(refused, ThrottledError)
    assert str(refused) == "tested is throttled: TooManyRequestsException"
    assert (slow.error, after.error) == (None, None)
    assert (state.invocations, state.throttles, state.environments) == (2, 1, 1)


def test_reserved_for_nothing_throttles_all(settings):
    async def scenario(pool):
        return await asyncio.gather(pool.invoke(b"{}"), return_exceptions=True), pool.state

    (refused,), state = play(scenario, replace(settings, reserved_concurrency=0))

    assert isinstance(refused, ThrottledError)
    assert (state.environments, state.throttles) == (0, 1)


# --- an init phase that fails -----------------------------------------------------------------------

SECOND_TIME = """
import os, time
from pathlib import Path
if not Path(FILE).exists():
    Path(FILE).touch()
    print("first")
    FAIL
print("second")
def handler(event, context):
    return "ready"
"""


@pytest.mark.parametrize(
    ("fail", "report"),
    [
        pytest.param("raise KeyError('x')", "Status: error\tError Type: KeyError", id="raises"),
        pytest.param("os._exit(1)", "Status: error\tError Type: Runtime.ExitError", id="ends"),
        pytest.param("time.sleep(600)", "Status: timeout", id="hangs"),
    ],
)
def test_init_that_fails_is_tried_once_more(settings, tmp_path, monkeypatch, fail, report):
    source = SECOND_TIME.replace("FILE", repr(str(tmp_path / "tried"))).replace("FAIL", fail)
    (tmp_path / "app.py").write_text(source)
    monkeypatch.setattr(function, "INIT_TIMEOUT_SECONDS", 2.0)
    lines = []

    async def scenario(pool):
        return await pool.invoke(b"{}"), pool.state

    text = replace(settings, log_format="Text")
    result, state = play(scenario, text, on_line=lines.append)

    texts = [line.text for line in lines]
    assert result.payload == "ready"
    assert texts.index("first") < texts.index("second")
    assert next(text for text in texts if text.startswith("INIT_REPORT Init Duration: ")).endswith(
        f"Phase: init\t{report}"
    )
    assert state.environments == 1


def test_init_that_fails_twice_is_the_result(settings, tmp_path):
    (tmp_path / "app.py").write_text("print('tried')\nraise KeyError('x')")
    lines = []

    async def scenario(pool):
        return await pool.invoke(b"{}")

    result = play(
        scenario, replace(settings, log_format="JSON", log_level="INFO"), on_line=lines.append
    )

    assert (result.error.type, result.error.message) == ("KeyError", "'x'")
    assert [line.text for line in lines].count("tried") == 2
    [report] = [line.document for line in lines if '"platform.initReport"' in line.text]
    assert report["record"]["status"] == "error"
    assert report["record"]["errorType"] == "KeyError"


# --- started before the first event -----------------------------------------------------------------


def test_prepared_environment_waits_for_the_first_event(settings):
    async def scenario(pool):
        await pool.prepare()
        await asyncio.sleep(0)  # what has started it has ended
        before = pool.state.environments, pool.state.invocations
        return before, await pool.invoke(b"{}"), pool.state.environments

    before, result, environments = play(scenario, settings, max_environments=2)

    assert before == (1, 0)
    assert result.error is None
    assert result.init_ms is not None
    assert environments == 1


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        pytest.param(
            "import nowhere",
            "Runtime.ImportModuleError: Unable to import module 'app': No module named 'nowhere'",
            id="import",
        ),
        pytest.param("raise KeyError('x')", "KeyError: 'x'", id="raises"),
        pytest.param(
            "import os; os._exit(3)",
            "Runtime.ExitError: Runtime exited with error: exit status 3",
            id="ends",
        ),
    ],
)
def test_function_that_cannot_be_prepared_says_why(settings, tmp_path, source, sentence):
    (tmp_path / "app.py").write_text(source)

    async def scenario(pool):
        return await asyncio.gather(pool.prepare(), return_exceptions=True), pool.state

    (error,), state = play(scenario, settings)

    assert isinstance(error, HostError)
    assert str(error) == f"function tested does not start: {sentence}"
    assert state.environments == 0
