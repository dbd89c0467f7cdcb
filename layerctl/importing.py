"""Imports a handler for real: under Lambda's runtime client, from unpacked zips, without credentials.

The runtime client asks our Runtime API for work once it has imported the handler, and posts an
error if it could not. Either is all that we wait for; no event is ever handed out.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from layerctl.archive import import_roots
from layerctl.findings import error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from layerctl.archive import Archive
    from layerctl.findings import Finding

__all__ = ["Attempt", "Unpacked", "check_import", "find_interpreter", "try_import", "unpacked"]

# An init phase that takes longer is ended:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
INIT_SECONDS = 10.0
# A handler of ours that imports the modules of a package, one after the other.
_PROBE = "layerctl_probe"
_PROBE_SOURCE = """
import importlib

for name in {modules}:
    try:
        importlib.import_module(name)
    except Exception as error:
        raise ImportError(f"{{name}} cannot be imported: {{type(error).__name__}}: {{error}}") from None
handler = None
"""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Where a function and its layers are, as /var/task and /opt are on Lambda."""

    task: Path
    opt: Path
    home: Path


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of an import: no `type` means that it went well."""

    type: str = ""
    message: str = ""


def check_import(
    subject: str,
    handlers: Sequence[str],
    python: str,
    zips: tuple[Archive | None, Sequence[Archive]],
    variables: Mapping[str, str],
    modules: Sequence[str] = (),
) -> Iterator[Finding]:
    """Try to import each handler, and if none fails all `modules`; a finding for each failure."""
    interpreter = find_interpreter(python)
    if interpreter is None:
        yield warning(
            subject,
            "import-not-tried",
            f"there is no Python {python} with awslambdaric on this machine",
            f"run layerctl with a Python {python} that has awslambdaric (Linux only)",
        )
        return
    with unpacked(*zips) as places:
        attempts = {
            handler: try_import(handler, interpreter, python, places, variables)
            for handler in handlers
        }
        for handler, attempt in attempts.items():
            if attempt.type:
                yield error(
                    subject,
                    "import-failed",
                    f"{handler} cannot be imported: {attempt.type}: {attempt.message}",
                    "add what is missing to the function's package or to a layer, then try again",
                )
        if modules and not any(attempt.type for attempt in attempts.values()):
            (places.task / f"{_PROBE}.py").write_text(_PROBE_SOURCE.format(modules=list(modules)))
            attempt = try_import(f"{_PROBE}.handler", interpreter, python, places, variables)
            if attempt.type:
                yield error(
                    subject,
                    "import-failed",
                    attempt.message.partition(f"'{_PROBE}': ")[2] or attempt.message,
                    "take the layer's zip of a release, or correct the module, then try again",
                )


def find_interpreter(python: str) -> str | None:
    """Return an interpreter of this version that has the runtime client, if there is one."""
    ours = sys.executable if python == f"3.{sys.version_info.minor}" else None
    for candidate in filter(None, (ours, shutil.which(f"python{python}"))):
        probe = [candidate, "-c", "import awslambdaric"]
        if not subprocess.run(probe, capture_output=True, check=False).returncode:  # noqa: S603 - Python
            return candidate
    return None


@contextlib.contextmanager
def unpacked(code: Archive | None, layers: Sequence[Archive]) -> Iterator[Unpacked]:
    """Unpack a function and its layers, in their order, into a folder that goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="layerctl-") as folder:
        places = Unpacked(*(Path(folder, name) for name in ("task", "opt", "home")))
        for place in (places.task, places.opt, places.home):
            place.mkdir()
        for archive, place in [(code, places.task), *((layer, places.opt) for layer in layers)]:
            if archive:
                with zipfile.ZipFile(io.BytesIO(archive.content)) as content:
                    content.extractall(place)
        yield places


def try_import(
    handler: str,
    interpreter: str,
    python: str,
    places: Unpacked,
    variables: Mapping[str, str],
    seconds: float = INIT_SECONDS,
) -> Attempt:
    """Start the runtime client on `handler` and return what it makes of the import."""
    with _ImportProbe() as api:
        process = subprocess.Popen(  # noqa: S603 - `--import` says that it runs the function
            [interpreter, "-m", "awslambdaric", handler],
            cwd=places.task,
            env=_environment(handler, python, places, variables)
            | {"AWS_LAMBDA_RUNTIME_API": api.address},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        threading.Thread(target=_watch, args=(process, api), daemon=True).start()
        attempt = api.wait(seconds)
        with contextlib.suppress(ProcessLookupError):  # it and whatever it started
            os.killpg(process.pid, signal.SIGKILL)
    return attempt


def _watch(process: subprocess.Popen[bytes], api: _ImportProbe) -> None:
    """Tell of a process that ends without a word to the Runtime API."""
    _, written = process.communicate()
    last = written.decode(errors="replace").strip().splitlines()[-1:] or ["it wrote nothing"]
    api.record(Attempt("Runtime.ExitError", f"exit status {process.returncode}: {last[0]}"))


def _environment(
    handler: str, python: str, places: Unpacked, variables: Mapping[str, str]
) -> dict[str, str]:
    """Return the function's own variables and Lambda's, and nothing of this machine's."""
    own = {name: value for name, value in variables.items() if not name.startswith("AWS_")}
    paths = [str(places.opt / root) for root in import_roots(python)]
    return own | {
        "_HANDLER": handler,
        "AWS_EC2_METADATA_DISABLED": "true",  # no credentials from the machine's own role either
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{python}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_FUNCTION_NAME": "layerctl-doctor",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "HOME": str(places.home),
        "LAMBDA_TASK_ROOT": str(places.task),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": ":".join(paths),
        "TZ": ":UTC",
    }


class _ImportProbe:
    """The part of the Runtime API that a starting runtime talks to, on a port of 127.0.0.1."""

    def __init__(self) -> None:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                api.record(Attempt())  # it wants an event, so it has imported
                api.closed.wait()

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                api.record(Attempt(body["errorType"], " ".join(body["errorMessage"].split())))
                self.send_response(202)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                pass

        self.closed = threading.Event()
        self._recorded = threading.Event()
        self._lock = threading.Lock()
        self._attempt = Attempt()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> _ImportProbe:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()

    def record(self, attempt: Attempt) -> None:
        """Keep the first thing that is known."""
        with self._lock:
            if not self._recorded.is_set():
                self._attempt = attempt
                self._recorded.set()

    def wait(self, seconds: float) -> Attempt:
        """Return what is known first, or that nothing was known in time."""
        if not self._recorded.wait(seconds):
            return Attempt("Sandbox.Timedout", f"the import takes more than {seconds:g} seconds")
        return self._attempt
