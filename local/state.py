"""Which systems run on this machine, and what other processes need to know of each."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from wslocal import RunFolder, RunNotFoundError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = [
    "RunningSystem",
    "announced",
    "chosen_systems",
    "find_running",
    "running_systems",
]


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
        return _folder().socket(self.pid)

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


def announced(running: RunningSystem) -> AbstractContextManager[Path]:
    """Let other processes find `running` during the block."""
    return _folder().announced(running.pid, asdict(running))


def running_systems() -> list[RunningSystem]:
    """Return the systems that run now, the oldest first; forget those that were killed."""
    found = [RunningSystem(**document) for document in _folder().documents()]
    return sorted(found, key=lambda running: running.started_at)


def chosen_systems(pid: int | None = None) -> list[RunningSystem]:
    """Return the system of process `pid`, else all that run; RunNotFoundError if there is none."""
    systems = running_systems()
    chosen = [system for system in systems if pid in (None, system.pid)]
    if chosen:
        return chosen
    if systems:
        raise RunNotFoundError(f"no system with process id {pid} runs here")
    raise RunNotFoundError("no system runs here: start one with `python -m local up`")


def find_running(pid: int | None = None) -> RunningSystem:
    """Return the system of process `pid`, else the only one that runs."""
    chosen = chosen_systems(pid)
    if len(chosen) == 1:
        return chosen[0]
    now = time.time()
    shown = ", ".join(f"{one.pid} ({one.folder}, for {one.age(now)})" for one in chosen)
    raise RunNotFoundError(f"{len(chosen)} systems run here: choose with --pid one of {shown}")


def _folder() -> RunFolder:
    return RunFolder("websocket-audio")
