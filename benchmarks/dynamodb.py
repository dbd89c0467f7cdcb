"""What does a warm call of DynamoDB cost, against boto3 and AWS's new SDK?

A server in another process gives back what DynamoDB would, at once and with its checksum, on
127.0.0.1, plain and with TLS: so the time is the client's. All clients live in one process, on a
CPU of its own, and take turns. CPU is that of the thread that calls; the wall clock is also read
against the emulator, which plays DynamoDB and takes its time for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import shutil
import ssl
import sys
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from _dynamodb_contenders import (
    ANSWERS,
    BUILDERS,
    CLIENT,
    KEYS,
    OPERATIONS,
    OURS,
    ROWS,
    SESSION,
    as_typed,
    typed,
)
from _emulator import client_of, emulator
from _harness import Budget, Report, become_lambda, build, fail, parse_options, time_calls
from _server import cpus, make_certificate, pin, running, serve

Calls = dict[str, dict[str, Callable[[], Any]]]
NAMES = {
    "GetItem": "GetItem",
    "UpdateItem": "UpdateItem with a condition",
    "Query": "Query of 100 items",
    "TransactWriteItems": "TransactWriteItems of 2",
}
BUDGETS = {"GetItem": 1 / 4, "UpdateItem": 1 / 4}


# --- the server, in its own process ------------------------------------------------------------


def answer(operation: str) -> bytes:
    """Return an answer as it goes over the wire, with the headers that DynamoDB has."""
    body = json.dumps(as_typed(ANSWERS[operation]), separators=(",", ":")).encode()
    head = (
        "HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Fri, 30 Jan 2026 12:00:00 GMT\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n"
        "Connection: keep-alive\r\n"
        "x-amzn-RequestId: 4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG\r\n"
        f"x-amz-crc32: {zlib.crc32(body)}\r\n\r\n"
    )
    return head.encode() + body


class Canned(asyncio.Protocol):
    """Answers by operation; a GET shows the body of the request before it."""

    answers = {operation.encode(): answer(operation) for operation in OPERATIONS}
    last = b""
    data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, found, body = self.data.partition(b"\r\n\r\n")
        length = int(_header(head, b"content-length") or 0)
        if not found or len(body) < length:
            return
        self.data = b""
        if head.startswith(b"GET"):
            shown = Canned.last
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(shown) + shown
            )
        else:
            Canned.last = body
            operation = _header(head, b"x-amz-target").partition(b".")[2]
            self.transport.write(self.answers[operation])


def _header(head: bytes, name: bytes) -> bytes:
    at = head.lower().find(b"\r\n%b:" % name)
    return b"" if at < 0 else head[at + len(name) + 3 :].partition(b"\r\n")[0].strip()


# --- the same facts ------------------------------------------------------------------------------


def check(calls: Calls, endpoint: str, bundle: str | None) -> None:
    """Stop unless each client asks the same question and shows the same answer."""
    for name, by_operation in calls.items():
        for operation, call in by_operation.items():
            if not agrees(operation, call()):
                fail(f"{name} shows another answer to {operation}")
            asked = last_request(endpoint, bundle)
            asked.pop("ClientRequestToken", None)
            if asked != as_typed(OPERATIONS[operation]):
                fail(f"{name} asks for another {operation}: {asked}")


def agrees(operation: str, shown: Any) -> bool:
    """Return whether a client's result holds what the server said, with plain or typed values."""
    wanted = ANSWERS[operation]
    if not isinstance(shown, dict):  # the new SDK's objects
        shown = {
            key: _plain(getattr(shown, key.lower(), None)) for key in wanted if key[-5:] != "Count"
        }
        wanted = {key: wanted[key] for key in shown}
        return bool(shown == as_typed(wanted))
    shown = {key: shown[key] for key in wanted}
    return shown in (wanted, as_typed(wanted))


def _plain(value: Any) -> Any:
    """Return the new SDK's values as DynamoDB's JSON."""
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    kind = type(value).__name__.removeprefix("AttributeValue")
    return {kind: _plain(value.value) if kind == "M" else value.value}


def last_request(endpoint: str, bundle: str | None) -> dict[str, Any]:
    context = ssl.create_default_context(cafile=bundle) if bundle else None
    with urllib.request.urlopen(endpoint, context=context) as shown:  # noqa: S310 - our own server
        return dict(json.loads(shown.read()))


# --- the clock -------------------------------------------------------------------------------------


def measure(
    report: Report, label: str, calls: Calls, clock: Callable[[], int] = time.thread_time_ns
) -> None:
    unit = "CPU" if clock is time.thread_time_ns else "wall clock"
    for operation, name in NAMES.items():
        cases = {contender: calls[contender][operation] for contender in calls}
        samples = time_calls(cases, report.options, rounds=41, clock=clock)
        what = f"{label}: {name}, {unit}"
        report.add(what, samples, OURS)
        if operation in BUDGETS and clock is time.thread_time_ns and CLIENT in calls:
            report.check(what, samples, Budget(OURS, CLIENT, BUDGETS[operation]))


@contextlib.contextmanager
def filled_emulator() -> Iterator[str]:
    """Yield the address of an emulator that has the items; this process gets its credentials."""
    with emulator() as root:
        client = client_of(root)
        for table, keys in KEYS.items():
            client.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[
                    {"AttributeName": key, "AttributeType": kind} for key, kind in keys.items()
                ],
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind}
                    for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
            )
        for table, items in (("Sessions", [SESSION]), ("Chunks", ROWS)):
            for item in items:
                client.put_item(TableName=table, Item=typed(item)["M"])
        os.environ.update(root)
        os.environ.pop("AWS_SESSION_TOKEN", None)
        yield root["AWS_ENDPOINT_URL"]


def main() -> None:
    options = parse_options(__doc__ or "")
    report = Report("Warm calls of DynamoDB", options)
    become_lambda()
    free, others = cpus()
    with tempfile.TemporaryDirectory() as made:
        measure_canned(report, Path(made), free)
    pin(0, others)  # where the emulator stays
    with filled_emulator() as endpoint:
        pin(0, free)
        calls, _ = build({name: partial(make, endpoint) for name, make in BUILDERS.items()})
        measure(report, "emulator", calls, time.perf_counter_ns)
    report.print()


def measure_canned(report: Report, folder: Path, cpu: int) -> None:
    """Measure against the server, plain and with TLS."""
    transports: dict[str, Path | None] = {"http": None}
    if shutil.which("openssl"):
        transports["TLS"] = make_certificate(folder)
        # boto3 and ours; and OpenSSL's own, for the new SDK.
        bundle = str(folder / "bundle.pem")
        os.environ.update(AWS_CA_BUNDLE=bundle, SSL_CERT_FILE=bundle)
    else:
        report.notes.append("openssl: not installed, TLS left out")
    for transport, certificate in transports.items():
        with running(__file__, certificate) as endpoint:
            pin(0, cpu)
            calls, missing = build(
                {name: partial(make, endpoint) for name, make in BUILDERS.items()}
            )
            check(calls, endpoint, os.environ.get("AWS_CA_BUNDLE"))
            measure(report, transport, calls)
            measure(report, transport, calls, time.perf_counter_ns)
    version = platform.python_version()
    report.notes += [f"{name}: not on CPython {version}, left out" for name in missing]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(Canned, next(iter(sys.argv[2:]), None)))
    else:
        main()
