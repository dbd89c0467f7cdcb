"""Runs a function behind a WebSocket API of this machine, as the commands and files of an example describe it."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.adopt.project import PATIENCE_SECONDS
from wslocal import LocalApi, LoopThread
from wslocal.aws_front import AwsFront
from wslocal.certificates import Certificates
from wslocal.client import WebSocketClient
from wslocal.lambda_host.local_lambda import LocalLambda
from wslocal.lambda_host.runtimes import Runtimes
from wslocal.tests.gateway_system import create_api, create_function, create_role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wslocal.lambda_host.lines import LogLine


class Served:
    """An API with its clients, and the lines that its functions have written so far."""

    def __init__(self, loop: LoopThread, api: LocalApi) -> None:
        self._loop, self._api = loop, api
        self.lines: list[str] = []
        self._came = threading.Condition()
        api.subscribe(self._take)

    def connect(self) -> WebSocketClient:
        """Return a new client."""
        return WebSocketClient.connect(self._api.url)

    def wait_for_line(self, text: str, *, since: int = 0) -> str:
        """Return the first line after so many that has the text; AssertionError if none comes."""
        with self._came:
            came = self._came.wait_for(
                lambda: [line for line in self.lines[since:] if text in line], PATIENCE_SECONDS
            )
        assert came, f"no line with {text!r} came"
        return came[0]

    def _take(self, line: LogLine) -> None:
        with self._came:
            self.lines.append(line.text)
            self._came.notify_all()

    def reload(self) -> None:
        """Take over what was deployed since."""
        self._loop.run(self._api.reload())

    def flush(self) -> None:
        """Have all lines so far in CloudWatch."""
        self._loop.run(self._api.flush())


@contextlib.contextmanager
def served(emulator: Any, api_id: str, stage: str, folder: Path) -> Iterator[Served]:
    """Serve an API of the emulator during the block; AWS's names lead its functions here. `folder` is for certificates."""
    with LoopThread() as loop:
        functions = LocalLambda(emulator.client, runtimes=Runtimes(any_python=True))
        front = loop.enter(AwsFront(functions, Certificates(folder), emulator.endpoint))
        loop.enter(functions)
        api = LocalApi(emulator.client, api_id, stage, functions=functions, front=front)
        yield Served(loop, loop.enter(api))


def deploy(
    emulator: Any,
    name: str,
    archive: Path,
    *,
    handler: str = "app.handler",
    layers: Sequence[Path] = (),
    routes: Sequence[str] = ("addNote", "$default"),
) -> str:
    """Return the id of an API in front of a function with this zip and these layers' zips; its stage is `dev`."""
    role = create_role(emulator, name, verbs=["POST"])
    client = emulator.client("lambda")
    arns = [
        client.publish_layer_version(LayerName=name, Content={"ZipFile": layer.read_bytes()})
        for layer in layers
    ]
    function = create_function(
        emulator,
        name,
        handler,
        role,
        Code={"ZipFile": archive.read_bytes()},
        Layers=[made["LayerVersionArn"] for made in arns],
        Environment={"Variables": {"METRICS_NAMESPACE": "Notes"}},
    )
    return create_api(emulator, {key: {"function": function} for key in routes})
