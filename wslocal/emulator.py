"""The AWS APIs on this machine: ministack as a child process, on a free port of 127.0.0.1.

It sees nothing of our environment, keeps all it writes in a temporary folder, and enforces IAM
policies. It ends when we do, however we end.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from wslocal.credentials import Issued
from wslocal.processes import GuardedProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import NoReturn

__all__ = ["ACCOUNT", "REGION", "Emulator", "EmulatorError", "own_session"]

#: The region of everything that the emulator plays.
REGION = "us-east-1"
#: The account of everything that the emulator plays.
ACCOUNT = "000000000000"

_PROCESS = Path(__file__).resolve().with_name("emulator_process.py")
_START_SECONDS = 30.0
_LAST_BYTES = 2_000  # of its log, in the sentence that says why it ended
_TRIES = 3  # another process may take the free port before the emulator does


class EmulatorError(Exception):
    """The emulator does not run, or does not answer."""


class Emulator:
    """Runs in a `with` block. `variables` lead the SDKs and the AWS CLI here, as the root user."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._key = f"AKIA{secrets.token_hex(8).upper()}"  # who knows it is root
        self._secret = secrets.token_hex(20)
        self._process: GuardedProcess | None = None
        self._freezes = 0
        self._session: Any = None
        self._session_lock = threading.Lock()
        self.endpoint = ""

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a process that is to talk to the emulator as the account's root."""
        return {
            "AWS_ACCESS_KEY_ID": self._key,
            "AWS_SECRET_ACCESS_KEY": self._secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
        }

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="emulator-")))
            self._log = folder / "emulator.log"
            self._start(undo, folder)
            self._stack = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def check(self) -> None:
        """Raise EmulatorError, in one sentence, if the process has ended."""
        if self._process is not None and (status := self._process.popen.poll()) is not None:
            raise self._ended(status)

    async def watch(self) -> NoReturn:
        """Wait for as long as the process is there, running or stopped; then raise EmulatorError."""
        if self._process is None:
            raise EmulatorError("the AWS APIs were not started")
        life = os.pidfd_open(self._process.popen.pid)  # readable once the process has ended
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(life, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(life)
            os.close(life)
        raise self._ended(self._process.popen.wait())

    def _ended(self, status: int) -> EmulatorError:
        how = (
            signal.Signals(-status).name if status < 0 else f"status {status}: {self._last_lines()}"
        )
        return EmulatorError(f"the AWS APIs have ended, with all that they kept ({how})")

    @property
    def root(self) -> Issued:
        """The credentials of the account's root."""
        arn = f"arn:aws:iam::{ACCOUNT}:root"
        return Issued(self._key, self._secret, "", arn, arn, math.inf)

    def client(self, service: str, *, endpoint: str | None = None, **credentials: str) -> Any:
        """Return a boto3 client; as root unless other credentials are given, as boto3 names them.

        `endpoint` is for who answers in front of the emulator.
        """
        from botocore.config import Config

        root = {"aws_access_key_id": self._key, "aws_secret_access_key": self._secret}
        with self._session_lock:  # a session is for one thread at a time
            if self._session is None:
                self._session = own_session()
            return self._session.client(
                service,
                endpoint_url=endpoint or self.endpoint,
                region_name=REGION,
                config=Config(proxies={}, retries={"total_max_attempts": 2}),
                **(credentials or root),
            )

    @contextlib.contextmanager
    def freeze(self) -> Iterator[None]:
        """Stop the emulator's processes for the block: it takes connections, and answers nothing.

        EmulatorError if it does not run. Blocks may overlap: it goes on when the last one ends.
        """
        process = self._running()
        process.stop()
        self._freezes += 1
        try:
            yield
        finally:
            self._freezes -= 1
            if not self._freezes:
                process.resume()

    def kill(self) -> None:
        """Kill the emulator, with all that it has kept; EmulatorError if it does not run."""
        self._running().end()

    def _running(self) -> GuardedProcess:
        if self._process is None or self._process.popen.poll() is not None:
            raise EmulatorError("the emulator does not run")
        return self._process

    def _start(self, undo: contextlib.ExitStack, folder: Path) -> None:
        for _ in range(_TRIES):
            port = _free_port()
            process = self._run(port, folder)
            if self._wait(port, process):
                undo.callback(process.end)
                self._process = process
                self.endpoint = f"http://127.0.0.1:{port}"
                return
            process.end()
        raise EmulatorError(f"ministack did not start: {self._last_lines()}")

    def _run(self, port: int, folder: Path) -> GuardedProcess:
        variables = {
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": self._key,
            "AWS_SECRET_ACCESS_KEY": self._secret,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "HOME": str(folder),
            "IOT_MTLS_ENABLED": "0",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "S3_DATA_DIR": str(folder / "s3"),
            "SFTP_ENABLED": "0",
            "TMPDIR": str(folder),
        }
        with self._log.open("ab") as log:
            return GuardedProcess(
                [sys.executable, "-P", str(_PROCESS)],
                cwd=folder,
                env=variables,
                stdout=log,
                stderr=log,
            )

    def _wait(self, port: int, process: GuardedProcess) -> bool:
        """Return whether the emulator answers; False once its process has ended."""
        until = time.monotonic() + _START_SECONDS
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while process.popen.poll() is None and time.monotonic() < until:
            try:
                with opener.open(f"http://127.0.0.1:{port}/_ministack/health", timeout=5):
                    return process.popen.poll() is None
            except OSError:
                time.sleep(0.05)
        return False

    def _last_lines(self) -> str:
        """Return the end of the emulator's own log, a bounded part of which is read."""
        try:
            with self._log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - _LAST_BYTES))
                lines = log.read().decode(errors="replace").splitlines()
        except OSError:
            lines = []
        return " | ".join(line for line in lines[-3:] if line) or "it said nothing"


def own_session() -> Any:
    """Return a session of boto3's, in our region, in which nothing of the user's own profiles and files has a say.

    One that is named and not there, or a file that cannot be read, would end the run.
    """
    import boto3
    import botocore.session

    files = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    chosen = {"profile": (None, None, None, None), **files}
    return boto3.Session(
        region_name=REGION, botocore_session=botocore.session.Session(session_vars=chosen)
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
