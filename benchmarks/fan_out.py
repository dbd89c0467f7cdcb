"""What does it cost to send one message to 500 connections, against boto3?

A server in another process takes 5 ms for every post, as the gateway's `@connections` API would, on
127.0.0.1, plain and with TLS. Each contender runs in fresh processes with the runtime client loaded,
pinned to one CPU, the server to another: the set-up ends when a first message is out, the first
broadcast needs 63 more connections, and then come five warm ones. CPU is that of the whole process.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from _fresh import SITE, unpacked_layer
from _harness import LAMBDA_ENVIRONMENT, Budget, Options, Report, Samples, fail, parse_options
from _server import cpus, make_certificate, pin, running, serve

SERVICE_SECONDS = 0.005
OURS, THREADS, ONE_BY_ONE = "shared_utils", "boto3, 64 threads", "boto3, one by one"
# A message with 100 ms of audio.
MESSAGE_BYTES = 4400
WALL_BUDGET_MS, CPU_BUDGET_US = 70.0, 40.0

# A contender's process: (name, path, endpoint, connections, repeats, answer file).
CHILD = f"""
import awslambdaric.bootstrap
import json, sys, time
name, path, endpoint, count, repeats, answer = json.loads(sys.argv[1])
sys.path.insert(1, path)
ids = ["Jo%09doACE=" % number for number in range(count)]
data = "x" * {MESSAGE_BYTES}
begin = time.perf_counter(), time.process_time()
def since(start):
    return time.perf_counter() - start[0], time.process_time() - start[1]
if name == {OURS!r}:
    from shared_utils.connections import Connections
    sender = Connections(endpoint, timeout_seconds=20)
    def send(ids):
        return len(sender.broadcast(ids, data).sent)
else:
    import boto3
    from botocore.config import Config
    client = boto3.client("apigatewaymanagementapi", endpoint_url=endpoint,
                          config=Config(max_pool_connections=64))
    def post(id):
        answer = client.post_to_connection(ConnectionId=id, Data=data)
        return answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    if "threads" in name:
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(64)
        def send(ids):
            return sum(pool.map(post, ids))
    else:
        def send(ids):
            return sum(map(post, ids))
assert send(ids[:1]) == 1
set_up = since(begin)
assert send(ids) == count
first = since(begin)
warm = []
for _ in range(repeats):
    start = time.perf_counter(), time.process_time()
    assert send(ids) == count
    warm.append(since(start))
assert ("botocore" in sys.modules) is (name != {OURS!r})
open(answer, "w").write(json.dumps([set_up, first, warm]))
"""


class Costs(NamedTuple):
    """What one process of a contender took."""

    warm_wall_ms: float
    post_cpu_us: float
    set_up_cpu_ms: float
    cold_wall_ms: float


QUESTIONS = {
    "warm_wall_ms": ("a warm broadcast, wall clock", "ms"),
    "post_cpu_us": ("a post of a warm broadcast, CPU", "us"),
    "set_up_cpu_ms": ("set-up to the first message, CPU", "ms"),
    "cold_wall_ms": ("set-up and the first broadcast, wall clock", "ms"),
}


# --- the gateway, in its own process ---------------------------------------------------------------


class Gateway(asyncio.Protocol):
    """Answers each request after the service time, on a connection that stays open."""

    answer = (
        b"HTTP/1.1 200 OK\r\nDate: Fri, 30 Jan 2026 12:00:00 GMT\r\nContent-Length: 0\r\n"
        b"Connection: keep-alive\r\nx-amzn-RequestId: 8f1b7d0a-21e5-4f5c-b1f2-3f3f9b0c6a11\r\n\r\n"
    )
    data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, found, body = self.data.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if found and len(body) >= int(length or 0):
            self.data = b""
            loop = asyncio.get_running_loop()
            loop.call_later(SERVICE_SECONDS, self.transport.write, self.answer)


# --- the contenders ------------------------------------------------------------------------------


def run_once(name: str, layer: Path, endpoint: str, bundle: Path, options: Options) -> Costs:
    count, repeats = (20, 1) if options.quick else (500, 5)
    path = layer if name == OURS else SITE
    with tempfile.NamedTemporaryFile("r") as answer:
        order = json.dumps([name, str(path), endpoint, count, repeats, answer.name])
        done = subprocess.run(
            [sys.executable, "-c", CHILD, order],
            env={
                **LAMBDA_ENVIRONMENT,
                "PATH": os.environ.get("PATH", ""),
                "PYTHONDONTWRITEBYTECODE": "1",
                "AWS_CA_BUNDLE": str(bundle),
                "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2Vj" * 50,
            },
            preexec_fn=lambda: pin(0, cpus()[0]),
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            fail(f"{name} failed:\n{done.stderr}")
        set_up, first, warm = json.loads(answer.read())
    wall, cpu = (statistics.median(times) for times in zip(*warm, strict=True))
    return Costs(wall * 1e3, cpu * 1e6 / count, set_up[1] * 1e3, first[0] * 1e3)


def compare(
    names: list[str], layer: Path, endpoint: str, bundle: Path, options: Options
) -> dict[str, list[Costs]]:
    """Return one row a round for each contender."""
    costs: dict[str, list[Costs]] = {name: [] for name in names}
    for _ in range(options.rounds(7)):
        for name in random.sample(names, len(names)):
            costs[name].append(run_once(name, layer, endpoint, bundle, options))
    return costs


def judge(report: Report, transport: str, costs: dict[str, list[Costs]]) -> None:
    tables = {}
    for key, (question, unit) in QUESTIONS.items():
        values = {name: [getattr(row, key) for row in rows] for name, rows in costs.items()}
        tables[key] = Samples(unit, values)
        report.add(f"{transport}: {question}", tables[key], OURS)
    wall, cpu = tables["warm_wall_ms"], tables["post_cpu_us"]
    for what, samples, most in (
        ("a warm broadcast, ms", wall, WALL_BUDGET_MS),
        ("CPU of a post, us", cpu, CPU_BUDGET_US),
    ):
        least = samples.median(OURS)
        report.judge(f"{transport}: {what}", f"{most:.0f}", f"{least:.1f}", least <= most)
    report.check(f"{transport}: warm broadcast", wall, Budget(OURS, THREADS, 1 / 4))
    report.check(f"{transport}: CPU of a post", cpu, Budget(OURS, THREADS, 1 / 15))
    report.check(f"{transport}: set-up", tables["set_up_cpu_ms"], Budget(OURS, THREADS, 1 / 5))


def main() -> None:
    options = parse_options(__doc__ or "")
    report = Report("One message to 500 connections", options)
    names = [OURS, *([THREADS, ONE_BY_ONE] if find_spec("boto3") else [])]
    report.missing([] if find_spec("boto3") else ["boto3"])
    with tempfile.TemporaryDirectory() as made, unpacked_layer(options) as layer:
        folder = Path(made)
        transports: dict[str, Path | None] = {"http": None}
        if shutil.which("openssl"):
            transports["TLS"] = make_certificate(folder)
        else:
            report.notes.append("openssl: not installed, TLS left out")
        for transport, certificate in transports.items():
            with running(__file__, certificate) as server:
                costs = compare(names, layer, f"{server}/prod", folder / "bundle.pem", options)
            judge(report, transport, costs)
    report.print()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(Gateway, next(iter(sys.argv[2:]), None)))
    else:
        main()
