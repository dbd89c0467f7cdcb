"""A running project for synchronous code, such as tests: clients, lines, metrics, events and tables.

with wslocal.run("template.yaml") as api, api.connect() as ann:
    ann.send({"action": "hello"})
    assert ann.receive() == {"hello": "ann"}
"""

from __future__ import annotations

import contextlib
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .client import WebSocketClient
from .loop import LoopThread
from .options import Options
from .running import RunningProject
from .settings import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .lambda_host.lines import LogLine
    from .lambda_host.results import InvocationResult

__all__ = ["LocalProject", "run"]


class LocalProject:
    """What `run` gives. Functions are named by their logical ids, or by their names."""

    def __init__(self, loop: LoopThread, project: RunningProject) -> None:
        self._loop = loop
        self._project = project
        self._lines: list[LogLine] = []
        self._came = threading.Condition()
        project.functions.subscribe(self._take)

    @property
    def urls(self) -> dict[str, str]:
        """The address of each WebSocket API, by its name."""
        return {name: api.url for name, api in self._project.apis.items()}

    @property
    def url(self) -> str:
        """The address of the WebSocket API; the first one's, if there are several."""
        return next(iter(self.urls.values()))

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs of the stacks, by their names."""
        return {
            name: text for stack in self._project.outputs.values() for name, text in stack.items()
        }

    def connect(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] = (),
        api: str | None = None,
        secure: bool = False,
    ) -> WebSocketClient:
        """Return a new client, by wss:// if it is to be `secure`.

        HandshakeRefusedError, with the status, if it is not let in.
        """
        chosen = self._project.apis[next(iter(self._project.apis)) if api is None else api]
        return WebSocketClient.connect(
            chosen.secure_url if secure else chosen.url,
            headers=headers,
            query=query,
            subprotocols=subprotocols,
            tls=ssl.create_default_context(cafile=self.ca_file) if secure else None,
        )

    @property
    def ca_file(self) -> Path:
        """The certificate with which other clients trust wss:// of this run."""
        return self._project.certificates.ca_file

    def connections(self) -> int:
        """Return how many clients are connected, to all APIs."""
        return sum(len(api.connections()) for api in self._project.apis.values())

    def invoke(self, function: str, event: object) -> InvocationResult:
        """Have a function handle `event`; `payload` is what it returned, `error` what it raised."""
        return self._loop.run(self._project.invoke(function, event))

    def logs(self, function: str | None = None) -> list[str]:
        """Return the lines that functions have written so far, or one of them."""
        with self._came:
            return [line.text for line in self._lines if self._is_of(line, function)]

    def wait_for_log(
        self,
        wanted: str | Callable[[str], bool],
        *,
        function: str | None = None,
        timeout: float = 5.0,
    ) -> str:
        """Return the first line that has the text, or that is accepted; TimeoutError if none comes."""
        accepts = (lambda text: wanted in text) if isinstance(wanted, str) else wanted
        until = time.monotonic() + timeout
        seen = 0
        with self._came:
            while True:
                for line in self._lines[seen:]:
                    if self._is_of(line, function) and accepts(line.text):
                        return line.text
                seen = len(self._lines)
                if not self._came.wait(until - time.monotonic()):
                    raise TimeoutError(f"no such line came within {timeout:g} s")

    def metrics(self, function: str | None = None) -> list[dict[str, Any]]:
        """Return the documents in CloudWatch's embedded metric format that functions have written.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
        """
        with self._came:
            documents = [line.document for line in self._lines if self._is_of(line, function)]
        return [one for one in documents if one is not None and _is_metrics(one)]

    def client(self, service: str) -> Any:
        """Return a boto3 client for this machine's AWS APIs, as root."""
        return self._project.client(service)

    def empty_tables(self) -> None:
        """Remove all items of all DynamoDB tables, such as between two tests."""
        dynamodb = self.client("dynamodb")
        for name in dynamodb.list_tables()["TableNames"]:
            schema = dynamodb.describe_table(TableName=name)["Table"]["KeySchema"]
            keys = [part["AttributeName"] for part in schema]
            for page in dynamodb.get_paginator("scan").paginate(TableName=name):
                for item in page["Items"]:
                    dynamodb.delete_item(TableName=name, Key={key: item[key] for key in keys})

    def reload(self) -> list[str]:
        """Take over what has changed in the project; return the functions that did."""
        return self._loop.run(self._project.reload())

    def _is_of(self, line: LogLine, function: str | None) -> bool:
        return function is None or function in (
            line.function,
            self._project.short_name(line.function),
        )

    def _take(self, line: LogLine) -> None:
        with self._came:
            self._lines.append(line)
            self._came.notify_all()


def _is_metrics(document: Mapping[str, Any]) -> bool:
    head = document.get("_aws")
    return isinstance(head, dict) and "CloudWatchMetrics" in head


@contextlib.contextmanager
def run(
    path: str | Path,
    *,
    parameters: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    env_file: str | Path | None = None,
    apis: Sequence[str] = (),
    stage: str | None = None,
    cdk_stage: str | None = None,
    port: int = 0,
    tls_port: int = 0,
    leave_out: Sequence[str] = (),
    install: bool = False,
    any_python: bool = False,
    any_node: bool = False,
    retry_scale: float = 1.0,
) -> Iterator[LocalProject]:
    """Run the project at `path` during the block; options are those of `wslocal up`.

    `variables` are of every function by NAME, of one by FUNCTION:NAME, as `--env` has them. `retry_scale` is
    from 0 to 1. What cannot be run is an error in one sentence, as of RunningProject.
    """
    if not 0 <= retry_scale <= 1:
        raise SettingError(f"retry_scale must be a number from 0 to 1, got {retry_scale}")
    options = Options(
        parameters=_pairs(parameters),
        variables=_pairs(variables),
        env_file=None if env_file is None else Path(env_file),
        apis=tuple(apis),
        stage=stage,
        cdk_stage=cdk_stage,
        port=port,
        tls_port=tls_port,
        leave_out=tuple(leave_out),
        install=install,
        any_python=any_python,
        any_node=any_node,
        retry_scale=retry_scale,
    )
    read, chosen = options.reader(Path(path), _say), options.run_options(_say)
    with LoopThread() as loop:
        yield LocalProject(loop, loop.enter(RunningProject(read, options=chosen)))


def _pairs(values: Mapping[str, str] | None) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in (values or {}).items())


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")  # pytest shows it with what fails
