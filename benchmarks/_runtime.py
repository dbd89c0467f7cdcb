"""A function's process under the official runtime client, from its start to its first answer.

Each process is new, on a CPU of its own; whoever serves it is on another, if there is one.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from _harness import fail

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from wslocal.lambda_host.host import find_runtime_client  # noqa: E402 - needs the path above
from wslocal.lambda_host.runtime_api import (  # noqa: E402
    Answered,
    Message,
    Ready,
    RuntimeApi,
    Work,
)
from wslocal.lambda_host.variables import function_arn, lambda_variables  # noqa: E402

__all__ = ["ROOT", "Costs", "Function", "cold_start", "limited_cpu"]

TIMEOUT_SECONDS = 60.0
# The share of a CPU is enforced in periods of this length: Linux's default is 100 ms, in which a
# process that needs 20 ms would not notice.
PERIOD_US = 20_000


class Function(NamedTuple):
    """What is deployed: a handler, its code, its layer, and its own variables."""

    name: str
    handler: str
    task_root: Path
    layer: Path | None
    variables: dict[str, str]


class Costs(NamedTuple):
    """Of one process, since its start; the memory is the peak of what was resident."""

    ready_wall_ms: float
    ready_cpu_ms: float
    answer_wall_ms: float
    answer_cpu_ms: float
    peak_mb: float


async def cold_start(
    function: Function,
    event: dict[str, Any],
    *,
    write_bytecode: bool = False,
    join: Callable[[], object] = lambda: None,
) -> Costs:
    """Start the function, let it handle `event`, and return what that took.

    `join` runs in the new process before Python starts.
    """
    seen: asyncio.Queue[tuple[Message, float, float, float]] = asyncio.Queue()
    clock = 0

    def report(message: Message) -> None:
        wall, cpu = time.perf_counter(), time.clock_gettime(clock)
        seen.put_nowait((message, wall, cpu, _peak_mb(process.pid)))

    api = RuntimeApi(report)
    variables = {
        **_lambda_variables(function),
        "AWS_LAMBDA_RUNTIME_API": await api.start(),
        **({} if write_bytecode else {"PYTHONDONTWRITEBYTECODE": "1"}),
    }
    with tempfile.TemporaryFile() as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", function.handler],
            cwd=function.task_root,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            preexec_fn=join,  # noqa: PLW1509 - this process has one thread
        )
        try:
            clock = _cpu_clock(process.pid)
            ready, answer = await _one_answer(api, seen, json.dumps(event).encode())
        except (RuntimeError, TimeoutError) as error:
            errors.seek(0)
            fail(f"{function.name}: {error!r}\n{errors.read().decode(errors='replace')[-3000:]}")
        finally:
            process.kill()
            process.wait()
            api.close()
    return Costs(
        (ready[1] - begin) * 1e3,
        ready[2] * 1e3,
        (answer[1] - begin) * 1e3,
        answer[2] * 1e3,
        answer[3],
    )


async def _one_answer(api: RuntimeApi, seen: asyncio.Queue[Any], event: bytes) -> tuple[Any, Any]:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        ready = await seen.get()
        if not isinstance(ready[0], Ready):
            raise RuntimeError(f"it did not start: {ready[0]}")
        api.offer(_work(event))
        answer = await seen.get()
        if not isinstance(answer[0], Answered) or answer[0].failed:
            raise RuntimeError(f"it did not answer: {answer[0]}")
        return ready, answer


def _work(event: bytes) -> Work:
    request_id, now_ms = str(uuid.uuid4()), int(time.time() * 1000)
    trace = f"Root=1-{now_ms // 1000:08x}-{uuid.uuid4().hex[:24]};Parent=53995c3f42cd8ad8;Sampled=0"
    return Work(request_id, event, now_ms + 29_000, function_arn("measured"), trace)


def _lambda_variables(function: Function) -> dict[str, str]:
    version, runtime_dir = find_runtime_client(sys.executable, sys.platform)
    return {
        **lambda_variables(
            handler=function.handler,
            name=function.name,
            task_root=function.task_root,
            layer=function.layer,
            python=Path(sys.executable),
            python_version=version,
            runtime_dir=runtime_dir,
            memory_mb=512,
            log_format="JSON",
            log_level="INFO",
        ),
        **function.variables,
    }


def _cpu_clock(process: int) -> int:
    """Return the clock of a process's CPU time, all of its threads, ended ones too."""
    clock = ctypes.c_int()
    if ctypes.CDLL(None).clock_getcpuclockid(process, ctypes.byref(clock)):
        raise RuntimeError("the process has ended")
    return clock.value


def _peak_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    peak = re.search(r"VmHWM:\s+([0-9]+) kB", status)
    return int(peak[1]) / 1024 if peak else 0.0


# --- a share of a CPU ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def limited_cpu(share: float) -> Iterator[Callable[[], None]]:
    """Yield what a new process calls to have this share of a CPU; OSError where Linux refuses.

    A control group of version 2 where that has the CPU's controller, else of version 1: Docker and
    systemd set a share in the same way.
    """
    quota_us = round(share * PERIOD_US)
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        parent, limits = Path("/sys/fs/cgroup"), {"cpu.max": f"{quota_us} {PERIOD_US}"}
        (parent / "cgroup.subtree_control").write_text("+cpu")
    else:
        parent = Path("/sys/fs/cgroup/cpu")
        limits = {"cpu.cfs_period_us": f"{PERIOD_US}", "cpu.cfs_quota_us": f"{quota_us}"}
    group = parent / f"cold-start-{os.getpid()}"
    group.mkdir()
    try:
        for name, value in limits.items():
            (group / name).write_text(value)
        yield lambda: _join(group)
    finally:
        group.rmdir()


def _join(group: Path) -> None:
    (group / "cgroup.procs").write_text(str(os.getpid()))
