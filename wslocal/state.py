"""What runs on this machine: one file for each run, in a folder that only this user can read.

The folder depends on the user's id alone, so that each shell of the user finds the same one,
whatever variables are set. A run holds a lock on its file. So a file whose lock is free is left over
from a run that was killed, and is removed by the next reader.
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
    from collections.abc import Iterator, Mapping

__all__ = ["AnnouncedRun", "RunFolder", "RunNotFoundError", "find_run", "runs_folder"]

# Every Linux has it, and unlike XDG_RUNTIME_DIR also for cron, `su` and containers.
BASE = Path("/tmp")  # noqa: S108 - what is used below it is checked for owner and mode


_BUILT = ("cdk.out", ".serverless")


class RunNotFoundError(Exception):
    """No run was found, or several and none was chosen."""


class RunFolder:
    """The runs of one program, by process id; `name` is the program's."""

    def __init__(self, name: str) -> None:
        self._path = BASE / f"{name}-{os.getuid()}"

    def socket(self, pid: int) -> Path:
        """Return where the run of that process takes commands."""
        return self._checked() / f"{pid}.sock"

    @contextlib.contextmanager
    def announced(self, pid: int, document: Mapping[str, Any]) -> Iterator[Path]:
        """Let other processes find `document` during the block."""
        path = self._checked() / f"{pid}.json"
        # Written under another name: a reader sees the whole content, or no file.
        partial = path.with_suffix(".partial")
        with os.fdopen(os.open(partial, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600), "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                json.dump(document, file)
                file.flush()
                partial.replace(path)
                yield path
            finally:
                partial.unlink(missing_ok=True)  # a full disk
                path.unlink(missing_ok=True)

    def documents(self) -> list[dict[str, Any]]:
        """Return the documents of what runs now; forget those that were killed."""
        paths = sorted(self._checked().glob("*.json"))
        return [document for path in paths if (document := _read(path)) is not None]

    def _checked(self) -> Path:
        """Return this user's folder; RunNotFoundError if it is somebody else's, or open to others."""
        with contextlib.suppress(FileExistsError):  # also a file, or a link to nowhere
            self._path.mkdir(mode=0o700)
        found = self._path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise RunNotFoundError(
                f"{self._path} must be a folder that only you can open: remove it"
            )
        return self._path


def _read(path: Path) -> dict[str, Any] | None:
    """Return what the file says, None (and no file) if its run has ended."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            path.with_suffix(".sock").unlink(missing_ok=True)
            return None
    except BlockingIOError:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return None


@dataclass(frozen=True, slots=True)
class AnnouncedRun:
    """What another process needs to know of a `wslocal up`."""

    pid: int
    project: str  # the path that was given, absolute
    urls: dict[str, str]  # of each WebSocket API by its name, with its stage
    variables: dict[str, str]  # what leads an SDK to the emulator, as root
    started_at: float  # seconds since the epoch

    @property
    def folder(self) -> Path:
        """The folder of the project: what was given may be a file in it, or what a build has written there."""
        project = Path(self.project).resolve()
        return project if project.is_dir() and project.name not in _BUILT else project.parent

    def announced(self) -> contextlib.AbstractContextManager[Path]:
        """Let other processes find this run during the block."""
        return runs_folder().announced(self.pid, asdict(self))

    @property
    def control_socket(self) -> Path:
        """Where the running process takes commands."""
        return runs_folder().socket(self.pid)


def runs_folder() -> RunFolder:
    """Return the folder of all `wslocal up` of this user."""
    return RunFolder("wslocal")


def find_run(pid: int | None = None) -> AnnouncedRun:
    """Return the run of process `pid`, else the only one, else the only one around the current folder.

    RunNotFoundError if there is none, or several.
    """
    runs = sorted(
        (AnnouncedRun(**document) for document in runs_folder().documents()),
        key=lambda run: run.started_at,
    )
    chosen = [run for run in runs if pid in (None, run.pid)]
    if len(chosen) > 1:
        here = Path.cwd()
        around = [run for run in chosen if here.is_relative_to(run.folder)]
        nearest = max((len(run.folder.parts) for run in around), default=0)
        chosen = [run for run in around if len(run.folder.parts) == nearest] or chosen
    if len(chosen) == 1:
        return chosen[0]
    if not runs:
        raise RunNotFoundError("nothing runs here: start a project with `wslocal up PATH`")
    if not chosen:
        raise RunNotFoundError(f"no run with process id {pid} is here")
    now = time.time()
    shown = ", ".join(
        f"{run.pid} ({run.project}, for {now - run.started_at:.0f} s)" for run in runs
    )
    raise RunNotFoundError(f"{len(runs)} projects run here: choose with --pid one of {shown}")
