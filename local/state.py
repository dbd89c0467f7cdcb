"""Which systems run on this machine: one file each, in a folder that only this user can read.

The folder depends on the user's id alone, so that each shell of the user finds the same one,
whatever variables are set. A running system holds a lock on its file. So a file whose lock is free
is left over from a system that was killed, and is removed by the next reader.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "RunningSystem",
    "StateError",
    "announced",
    "chosen_systems",
    "find_running",
    "running_systems",
]


# Every Linux has it, and unlike XDG_RUNTIME_DIR also for cron, `su` and containers.
BASE = Path("/tmp")  # noqa: S108 - what is used below it is checked for owner and mode


class StateError(Exception):
    """There is no system to talk to, or more than one."""


@dataclass(frozen=True, slots=True)
class RunningSystem:
    """What another process needs to know of a running system."""

    pid: int
    url: str  # of the WebSocket API, with its stage
    page: str | None  # the address of the page, for a browser
    stack: str
    namespace: str  # of its metrics
    variables: dict[str, str]  # what leads an SDK to the emulator, as root
    started_at: float  # seconds since the epoch
    folder: str = ""  # whose sources run

    @property
    def control_socket(self) -> Path:
        """Where the running process takes commands: its state, and faults on purpose."""
        return _folder() / f"{self.pid}.sock"

    def age(self, now: float) -> str:
        """Return for how long it has run, in the largest unit that fits."""
        seconds = max(int(now - self.started_at), 0)
        for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
            if seconds >= length:
                return f"{seconds // length} {unit}"
        return f"{seconds} s"

    def client(self, service: str) -> Any:
        """Return a boto3 client for the system's AWS APIs, as root."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self.variables["AWS_ENDPOINT_URL"],
            region_name=self.variables["AWS_REGION"],
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
            config=Config(proxies={}, retries={"total_max_attempts": 2}),
        )


@contextlib.contextmanager
def announced(running: RunningSystem) -> Iterator[Path]:
    """Let other processes find `running` during the block."""
    path = _folder() / f"{running.pid}.json"
    # Written under another name: a reader sees the whole content, or no file.
    partial = path.with_suffix(".partial")
    with os.fdopen(os.open(partial, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump(asdict(running), file)
        file.flush()
        partial.replace(path)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def running_systems() -> list[RunningSystem]:
    """Return the systems that run now, the oldest first; forget those that were killed."""
    found = [running for path in _folder().glob("*.json") if (running := _read(path))]
    return sorted(found, key=lambda running: running.started_at)


def chosen_systems(pid: int | None = None) -> list[RunningSystem]:
    """Return the system of process `pid`, else all that run; StateError if there is none."""
    systems = running_systems()
    chosen = [system for system in systems if pid in (None, system.pid)]
    if chosen:
        return chosen
    if systems:
        raise StateError(f"no system with process id {pid} runs here")
    raise StateError("no system runs here: start one with `python -m local up`")


def find_running(pid: int | None = None) -> RunningSystem:
    """Return the system of process `pid`, else the only one that runs."""
    chosen = chosen_systems(pid)
    if len(chosen) == 1:
        return chosen[0]
    now = time.time()
    shown = ", ".join(f"{one.pid} ({one.folder}, for {one.age(now)})" for one in chosen)
    raise StateError(f"{len(chosen)} systems run here: choose with --pid one of {shown}")


def _read(path: Path) -> RunningSystem | None:
    """Return what the file says, None (and no file) if its system has ended."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            path.with_suffix(".sock").unlink(missing_ok=True)
            return None
    except BlockingIOError:
        return RunningSystem(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None


def _folder() -> Path:
    """Return this user's folder; StateError if it is somebody else's, or open to others."""
    folder = BASE / f"websocket-audio-{os.getuid()}"
    with contextlib.suppress(FileExistsError):  # also a file, or a link to nowhere
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise StateError(f"{folder} must be a folder that only you can open: remove it")
    return folder
