"""The host under the official runtime client: real processes, real sockets, nothing replaced."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from pathlib import Path

import pytest

from wslocal.lambda_host import (
    MAX_PAYLOAD_BYTES,
    HostError,
    LambdaHost,
    environment,
    unpack_layer,
)
from wslocal.lambda_host.host import find_runtime_client

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent

FUNCTION = """
import os, subprocess, sys, time

print("imported")
calls = 0


def handler(event, context):
    global calls
    calls += 1
    return globals()[event["do"]](event, context)


def echo(event, context):
    print("out", event["text"])
    print("err", file=sys.stderr)
    return {"text": event["text"], "calls": calls, "requestId": context.aws_request_id}


def describe(event, context):
    return {
        "path": sys.path,
        "environ": dict(os.environ),
        "cwd": os.getcwd(),
        "arn": context.invoked_function_arn,
        "remaining": context.get_remaining_time_in_millis(),
        "memory": context.memory_limit_in_mb,
    }


def fail(event, context):
    raise ValueError("no bananas, señor")


def die(event, context):
    sys.stdout.write("last words")
    sys.stdout.flush()
    os._exit(event["status"])


def kill(event, context):
    os.kill(os.getpid(), event["signal"])


def hang(event, context):
    child = subprocess.Popen(["sleep", "600"])
    print(os.getpid(), child.pid)
    while True:
        pass


def leave(event, context):
    os.setsid()
    print(os.getpid(), flush=True)
    while True:
        pass


def swell(event, context):
    return "x" * event["size"]


def raw(event, context):
    return b"\\xff\\x00"


def chatter(event, context):
    for number in range(event["lines"]):
        print("line", number)


def babble(event, context):
    while True:
        os.write(1, b"x" * 65536)


def opaque(event, context):
    return object()


def exit_later(event, context):
    import threading

    threading.Timer(0.05, os._exit, [7]).start()
    return os.getpid()
"""


@pytest.fixture
def task_root(tmp_path):
    root = tmp_path / "task"
    root.mkdir()
    (root / "app.py").write_text(FUNCTION)
    return root


@pytest.fixture
def host(task_root):
    with LambdaHost(handler="app.handler", task_root=task_root, timeout_seconds=5) as host:
        yield host


def is_alive(pid: int) -> bool:
    """A zombie that its new parent has not collected yet is as dead as one that it has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_dead(*pids: int) -> bool:
    """The kernel ends killed processes on its own time; a minute means never."""
    deadline = time.monotonic() + 60
    while any(is_alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        os.sched_yield()
    return True


# --- what comes back -------------------------------------------------------------------------------


def test_first_invocation_starts_the_environment_and_has_its_output(host):
    result = host.invoke({"do": "echo", "text": "hello"})

    assert result.error is None
    assert result.payload == {"text": "hello", "calls": 1, "requestId": result.request_id}
    assert result.stdout == ["imported", "out hello"]
    assert result.stderr == ["err"]
    assert result.init_ms > 0
    assert result.duration_ms > 0


def test_second_invocation_finds_the_environment_warm(host):
    first = host.invoke({"do": "echo", "text": "one"})

    second = host.invoke({"do": "echo", "text": "two"})

    assert second.payload["calls"] == 2
    assert second.stdout == ["out two"]
    assert second.init_ms is None
    assert second.request_id != first.request_id


def test_exception_is_the_result_and_the_environment_stays_warm(host):
    result = host.invoke({"do": "fail"})
    after = host.invoke({"do": "echo", "text": "still here"})

    assert result.payload is None
    assert result.error.type == "ValueError"
    assert result.error.message == "no bananas, señor"
    assert 'raise ValueError("no bananas, señor")' in result.error.stack_trace[-1]
    assert after.payload["calls"] == 2
    assert after.init_ms is None


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        pytest.param({"do": "die", "status": 3}, "exited with error: exit status 3", id="status"),
        pytest.param({"do": "die", "status": 0}, "exited without providing a reason", id="zero"),
        pytest.param({"do": "kill", "signal": 9}, "exited with error: signal: killed", id="killed"),
        pytest.param(
            {"do": "kill", "signal": 11},
            "exited with error: signal: segmentation fault",
            id="segmentation-fault",
        ),
    ],
)
def test_crash_is_the_result_and_the_environment_is_replaced(host, event, reason):
    host.invoke({"do": "echo", "text": "warm up"})

    result = host.invoke(event)
    after = host.invoke({"do": "echo", "text": "again"})

    assert result.error.type == "Runtime.ExitError"
    assert result.error.message == f"RequestId: {result.request_id} Error: Runtime {reason}"
    assert after.payload["calls"] == 1
    assert after.stdout == ["imported", "out again"]
    assert after.init_ms > 0


def test_what_a_process_wrote_before_it_died_is_in_the_result(host):
    result = host.invoke({"do": "die", "status": 1})

    assert result.stdout == ["imported", "last words"]


def test_timeout_kills_the_process_and_what_it_started(task_root):
    with LambdaHost(handler="app.handler", task_root=task_root, timeout_seconds=0.5) as host:
        result = host.invoke({"do": "hang"})
        after = host.invoke({"do": "echo", "text": "again"})

    assert result.error.type == "Sandbox.Timedout"
    assert result.error.message == (
        f"RequestId: {result.request_id} Error: Task timed out after 0.50 seconds"
    )
    assert wait_until_dead(*map(int, result.stdout[-1].split()))
    assert after.payload["calls"] == 1


def test_process_that_left_its_group_is_killed_as_well(task_root):
    with LambdaHost(handler="app.handler", task_root=task_root, timeout_seconds=0.5) as host:
        result = host.invoke({"do": "leave"})

    assert result.error.type == "Sandbox.Timedout"
    assert wait_until_dead(int(result.stdout[-1]))


def test_process_that_ends_between_two_invocations_is_replaced(host):
    pid = host.invoke({"do": "exit_later"}).payload
    wait_until_dead(pid)

    result = host.invoke({"do": "echo", "text": "x"})

    assert result.error is None
    assert result.payload["calls"] == 1


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        pytest.param(
            "import nowhere",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'nowhere'",
            id="module-missing",
        ),
        pytest.param(
            "def handler(",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'app': '(' was never closed (app.py, line 1)",
            id="syntax-error",
        ),
        pytest.param(
            "", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'", id="empty"
        ),
        pytest.param("raise KeyError('SETTING')", "KeyError", "'SETTING'", id="raises"),
    ],
)
def test_function_that_cannot_be_loaded_says_why(tmp_path, source, kind, message):
    (tmp_path / "app.py").write_text(source)

    with LambdaHost(handler="app.handler", task_root=tmp_path) as host:
        first, second = host.invoke({}), host.invoke({})

    assert (first.error.type, first.error.message) == (kind, message)
    assert (second.error.type, second.error.message) == (kind, message)
    assert any(kind in line for line in first.stdout)


def test_process_that_reports_before_it_is_watched(tmp_path, monkeypatch):
    """On a busy machine it may even have ended by then."""

    class Slow(environment.GuardedProcess):
        def __init__(self, *command, **popen):
            super().__init__(*command, **popen)
            until = time.monotonic() + 20
            ended = os.WEXITED | os.WNOWAIT | os.WNOHANG
            while not os.waitid(os.P_PID, self.popen.pid, ended) and time.monotonic() < until:
                time.sleep(0.005)

    (tmp_path / "app.py").write_text("")
    monkeypatch.setattr(environment, "GuardedProcess", Slow)

    with LambdaHost(handler="app.handler", task_root=tmp_path) as host:
        result = host.invoke({})

    assert result.error.type == "Runtime.HandlerNotFound"
    assert any("Runtime.HandlerNotFound" in line for line in result.stdout)


def test_process_that_dies_while_it_starts_is_a_result(tmp_path):
    (tmp_path / "app.py").write_text("import os\nos._exit(4)")

    with LambdaHost(handler="app.handler", task_root=tmp_path) as host:
        result = host.invoke({})

    assert result.error.message.endswith("Runtime exited with error: exit status 4")


# --- payloads --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "é", "日本語 🎧", '"\\\n\r\t', "\ud83d", "\x00"])
def test_text_of_every_kind_comes_back_as_it_went(host, text):
    result = host.invoke({"do": "swell", "size": 0} | {"do": "echo", "text": ascii(text)})

    assert result.payload["text"] == ascii(text)


def test_unicode_in_event_answer_and_output(host):
    result = host.invoke({"do": "echo", "text": "日本語 🎧"})

    assert result.payload["text"] == "日本語 🎧"
    assert result.stdout[-1] == "out 日本語 🎧"


def test_largest_event_is_taken_and_one_byte_more_is_refused(host):
    frame = len(json.dumps({"do": "echo", "text": ""}))
    largest = {"do": "describe", "text": "x" * (MAX_PAYLOAD_BYTES - frame - 4)}

    assert host.invoke(largest).error is None
    with pytest.raises(HostError, match="at most 6291556 bytes, got 6291557"):
        host.invoke({**largest, "text": largest["text"] + "x"})


def test_largest_answer_is_taken(host):
    result = host.invoke({"do": "swell", "size": MAX_PAYLOAD_BYTES - 2})

    assert len(result.body) == MAX_PAYLOAD_BYTES


def test_answer_above_the_limit_is_an_error(host):
    result = host.invoke({"do": "swell", "size": MAX_PAYLOAD_BYTES - 1})
    after = host.invoke({"do": "echo", "text": "again"})

    assert result.body is None
    assert result.error.type == "Function.ResponseSizeTooLarge"
    assert after.error is None


def test_answer_of_bytes_is_passed_on(host):
    assert host.invoke({"do": "raw"}).body == b"\xff\x00"


def test_answer_that_is_not_json_is_an_error_of_the_function(host):
    assert host.invoke({"do": "opaque"}).error.type == "Runtime.MarshalError"


@pytest.mark.parametrize("event", [{1, 2}, float("nan"), b"bytes"], ids=["set", "nan", "bytes"])
def test_event_that_is_not_json_is_refused_and_harms_nothing(host, event):
    with pytest.raises(HostError, match="an event must be JSON"):
        host.invoke(event)

    assert host.invoke({"do": "echo", "text": "x"}).error is None


def test_output_larger_than_a_pipe_is_complete(host):
    result = host.invoke({"do": "chatter", "lines": 50_000})

    assert len(result.stdout) == 50_001
    assert result.stdout[-1] == "line 49999"


def test_output_without_end_is_bounded(task_root):
    with LambdaHost(handler="app.handler", task_root=task_root, timeout_seconds=1) as host:
        result = host.invoke({"do": "babble"})

    assert result.error.type == "Sandbox.Timedout"
    assert sum(map(len, result.stdout)) < 70_000_000


# --- what the function sees ------------------------------------------------------------------------


@pytest.fixture
def layer(tmp_path):
    archive = tmp_path / "layer.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("python/helper.py", "WHERE = __file__\n")
    return unpack_layer(archive, tmp_path / "opt")


def test_path_has_the_function_first_then_the_layer_then_the_runtime(task_root, layer):
    version = f"python3.{sys.version_info.minor}"

    with LambdaHost(handler="app.handler", task_root=task_root, layer=layer) as host:
        path = host.invoke({"do": "describe"}).payload["path"]

    assert path[:3] == [
        str(task_root),
        str(layer / "python" / "lib" / version / "site-packages"),
        str(layer / "python"),
    ]
    assert str(ROOT) not in path


def test_layer_cannot_be_written_and_is_importable(tmp_path, layer):
    (tmp_path / "app.py").write_text("import helper\n\ndef handler(*_): return helper.WHERE")

    modes = {path.stat().st_mode & 0o222 for path in [layer, *layer.rglob("*")]}
    with LambdaHost(handler="app.handler", task_root=tmp_path, layer=layer) as host:
        result = host.invoke({})

    assert modes == {0}
    assert result.payload == str(layer / "python" / "helper.py")


def test_environment_is_lambdas_and_not_this_machines(task_root, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THIS_MACHINE", "leaked")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    with LambdaHost(
        handler="app.handler",
        task_root=task_root,
        name="audio",
        environ={"OWN": "value", "TZ": "own wins"},
        memory_mb=256,
        log_format="JSON",
        log_level="WARN",
        timeout_seconds=7,
    ) as host:
        seen = host.invoke({"do": "describe"}).payload

    variable = seen["environ"]
    api = variable.pop("AWS_LAMBDA_RUNTIME_API")
    trace = variable.pop("_X_AMZN_TRACE_ID")
    stream = variable.pop("AWS_LAMBDA_LOG_STREAM_NAME")
    runtime = variable.pop("LAMBDA_RUNTIME_DIR")
    variable.pop("PATH")
    variable.pop("LC_CTYPE", None)  # Python's own, where en_US.UTF-8 is not installed
    assert api.startswith("127.0.0.1:")
    assert trace.startswith("Root=1-")
    assert re.fullmatch(r"[0-9]{4}/[0-9]{2}/[0-9]{2}/\[\$LATEST\][0-9a-f]{32}", stream)
    assert (Path(runtime) / "awslambdaric").is_dir()
    assert variable == {
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python3.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": "audio",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/audio",
        "AWS_LAMBDA_LOG_LEVEL": "WARN",
        "AWS_REGION": "us-east-1",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "LAMBDA_TASK_ROOT": str(task_root),
        "LANG": "en_US.UTF-8",
        "OWN": "value",
        "TZ": "own wins",
        "_HANDLER": "app.handler",
    }
    assert seen["cwd"] == str(task_root)
    assert seen["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:audio"
    assert seen["memory"] == "256"
    assert 0 < seen["remaining"] <= 7000


# --- many, and the end -----------------------------------------------------------------------------


def test_a_thousand_invocations_each_get_their_own_answer_and_lines(host):
    results = [host.invoke({"do": "echo", "text": str(number)}) for number in range(1000)]

    assert [result.payload["text"] for result in results] == [str(n) for n in range(1000)]
    assert [result.stdout[-1] for result in results] == [f"out {n}" for n in range(1000)]
    assert [len(result.stderr) for result in results] == [1] * 1000
    assert results[-1].payload["calls"] == 1000


def test_threads_on_one_host_take_turns(host):
    results = []

    def invoke(number: int) -> None:
        results.append((number, host.invoke({"do": "echo", "text": str(number)})))

    threads = [threading.Thread(target=invoke, args=[number]) for number in range(20)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

    assert [result.payload["text"] for _, result in results] == [str(n) for n, _ in results]
    assert sorted(result.payload["calls"] for _, result in results) == list(range(1, 21))


def test_two_hosts_run_side_by_side(task_root):
    with (
        LambdaHost(handler="app.handler", task_root=task_root, timeout_seconds=1) as busy,
        LambdaHost(handler="app.handler", task_root=task_root) as free,
    ):
        hanging = threading.Thread(target=busy.invoke, args=[{"do": "hang"}])
        hanging.start()
        answer = free.invoke({"do": "echo", "text": "at the same time"})
        was_hanging = hanging.is_alive()
        hanging.join()

    assert answer.payload["text"] == "at the same time"
    assert was_hanging


def test_nothing_is_left_of_a_closed_host(task_root):
    def resources() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    before = resources()

    for event in ({"do": "echo", "text": "x"}, {"do": "die", "status": 1}, {"do": "fail"}) * 5:
        with LambdaHost(handler="app.handler", task_root=task_root) as host:
            host.invoke(event)
            host.invoke(event)

    assert resources() == before


def test_closed_host_refuses_and_closes_twice(task_root):
    host = LambdaHost(handler="app.handler", task_root=task_root)
    host.close()
    host.close()

    with pytest.raises(HostError, match="closed"):
        host.invoke({})


def test_processes_end_when_the_parent_is_killed(task_root):
    """Even by a signal that it cannot handle, in the middle of an invocation."""
    script = textwrap.dedent(f"""
        from pathlib import Path
        from wslocal.lambda_host import LambdaHost
        root = Path({str(task_root)!r})
        warm = LambdaHost(handler="app.handler", task_root=root)
        print(warm.invoke({{"do": "exit_later"}}).payload, flush=True)
        host = LambdaHost(handler="app.handler", task_root=root, timeout_seconds=60)
        (root / "app.py").write_text((root / "app.py").read_text().replace(
            "print(os.getpid(), child.pid)",
            "open('pids', 'w').write(f'{{os.getpid()}} {{child.pid}} ')"))
        host.invoke({{"do": "hang"}})
    """)
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.DEVNULL)
    pids = wait_for_text(task_root / "pids")

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    assert wait_until_dead(*pids)


def wait_for_text(path: Path) -> list[int]:
    """The process writes them when it has come so far; a minute means never."""
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text().endswith(" ")):
        assert time.monotonic() < deadline
        os.sched_yield()
    return [int(pid) for pid in path.read_text().split()]


def test_ctrl_c_ends_the_environment(task_root):
    script = textwrap.dedent(f"""
        import os, signal, threading
        from pathlib import Path
        from wslocal.lambda_host import LambdaHost
        # A shell's background job inherits an ignored SIGINT.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with LambdaHost(
            handler="app.handler", task_root=Path({str(task_root)!r}), timeout_seconds=60
        ) as host:
            host.invoke({{"do": "echo", "text": "x"}})
            threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
            try:
                host.invoke({{"do": "hang"}})
            except KeyboardInterrupt:
                print(threading.active_count(), host.invoke({{"do": "echo", "text": "x"}}).payload)
    """)

    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.stderr == ""
    assert run.returncode == 0
    assert "'calls': 1" in run.stdout


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_are_notified_why_not(platform):
    with pytest.raises(HostError, match="wheels for Linux only"):
        find_runtime_client(sys.executable, platform)


def test_python_without_the_client_is_named(task_root):
    with pytest.raises(HostError, match="/no/python does not run, or has no awslambdaric"):
        LambdaHost(handler="app.handler", task_root=task_root, python="/no/python")
