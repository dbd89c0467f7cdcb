"""What does it cost to send one message to 500 connections, against boto3?

    python benchmarks/fan_out.py [--rounds 5] [--json]

A server in another process answers every post after 5 ms, as the gateway's `@connections` API
would, on 127.0.0.1, plain and with TLS. Each contender runs in fresh processes, interleaved, pinned
to one CPU (the server has another one); needs boto3 and the `openssl` command.
Times are medians over all processes: wall in ms, CPU as user and system time of the whole process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONTENDERS = ("ours", "boto3, 64 threads", "boto3, one by one")
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
LAYER = Path(__file__).resolve().parents[1] / "shared-layer" / "python"
WARM_REPEATS = 5
# What the Lambda runtime client has loaded before a function's first line runs.
RUNTIME_HAS = "json logging enum re decimal traceback functools collections contextlib threading"


# --- the gateway -------------------------------------------------------------------------------


class Gateway(asyncio.Protocol):
    """Answers each request after the service time, on a connection that stays open."""

    answer = (
        b"HTTP/1.1 200 OK\r\nDate: Fri, 30 Jan 2026 12:00:00 GMT\r\nContent-Length: 0\r\n"
        b"Connection: keep-alive\r\nx-amzn-RequestId: 8f1b7d0a-21e5-4f5c-b1f2-3f3f9b0c6a11\r\n\r\n"
    )
    service_seconds = 0.005
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
            loop.call_later(self.service_seconds, self.transport.write, self.answer)


async def serve(certificate: str | None) -> None:
    context = None
    if certificate:
        import ssl

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Gateway, "127.0.0.1", 0, ssl=context, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


# --- a contender, in its own process -------------------------------------------------------------


def contend(name: str, endpoint: str, connections: int, size: int) -> dict[str, object]:
    """Return the costs of the first message, of the first broadcast and of those that follow."""
    for module in RUNTIME_HAS.split():
        __import__(module)
    ids = [f"Jo{number:09d}oACE=" for number in range(connections)]
    data = b"x" * size

    start, cpu = time.perf_counter(), time.process_time()
    if name == "ours":
        from shared_utils.connections import Connections

        sender = Connections(endpoint)

        def send(names: list[str]) -> int:
            return len(sender.broadcast(names, data, timeout_seconds=20).sent)
    else:
        send = _boto3_sender(name, endpoint, data)
    assert send(ids[:1]) == 1
    first_message = time.perf_counter() - start, time.process_time() - cpu
    assert send(ids) == connections
    first_broadcast = time.perf_counter() - start, time.process_time() - cpu
    warm = []
    for _ in range(WARM_REPEATS):
        start, cpu = time.perf_counter(), time.process_time()
        assert send(ids) == connections
        warm.append((time.perf_counter() - start, time.process_time() - cpu))
    return {
        "first message, wall ms": first_message[0] * 1e3,
        "set-up CPU ms": first_message[1] * 1e3,
        "cold broadcast, wall ms": first_broadcast[0] * 1e3,
        "cold broadcast, CPU ms": first_broadcast[1] * 1e3,
        "warm broadcast, wall ms": statistics.median(wall for wall, _ in warm) * 1e3,
        "CPU us per post": statistics.median(cpu for _, cpu in warm) * 1e6 / connections,
        "boto3 imported": "botocore" in sys.modules,
    }


def _boto3_sender(name, endpoint, data):  # type: ignore[no-untyped-def]
    import boto3
    from botocore.config import Config

    config = Config(max_pool_connections=64)
    client = boto3.client("apigatewaymanagementapi", endpoint_url=endpoint, config=config)

    def post(connection_id: str) -> int:
        answer = client.post_to_connection(ConnectionId=connection_id, Data=data)
        return int(answer["ResponseMetadata"]["HTTPStatusCode"] == 200)

    if "threads" not in name:
        return lambda names: sum(map(post, names))
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(64)
    return lambda names: sum(pool.map(post, names))


# --- the comparison ------------------------------------------------------------------------------


def compare(arguments: argparse.Namespace, transport: str, folder: Path) -> dict[str, object]:
    client_cpu, server_cpu = _two_cpus()
    certificate = _certificate(folder)
    command = [sys.executable, __file__, "--serve"]
    if transport == "TLS":
        command += ["--certificate", str(certificate)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(server.pid, {server_cpu})
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    try:
        assert server.stdout
        port = int(server.stdout.readline())
        endpoint = f"http{'s' if transport == 'TLS' else ''}://localhost:{port}/prod"
        for _ in range(arguments.rounds):
            for name in CONTENDERS:
                command = [sys.executable, __file__, "--contender", name, "--endpoint", endpoint]
                command += [
                    "--connections",
                    str(arguments.connections),
                    "--bytes",
                    str(arguments.bytes),
                ]
                finished = subprocess.run(
                    command,
                    env=_environment(folder / "bundle.pem"),
                    stdout=subprocess.PIPE,
                    check=True,
                    preexec_fn=lambda: os.sched_setaffinity(0, {client_cpu}),
                )
                runs[name].append(json.loads(finished.stdout))
    finally:
        server.terminate()
        server.wait()
        if server.stdout:
            server.stdout.close()
    return {name: _medians(found) for name, found in runs.items()}


def _two_cpus() -> tuple[int, int]:
    cpus = sorted(os.sched_getaffinity(0))
    return cpus[0], cpus[-1]


def _certificate(folder: Path) -> Path:
    """Make a certificate for localhost, and a bundle of it with the system's, as clients load it."""
    both, alone = folder / "server.pem", folder / "certificate.pem"
    if not both.exists():
        command = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        )
        command += f" -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout {both}.key"
        subprocess.run([*command.split(), "-out", str(alone)], check=True, capture_output=True)
        both.write_bytes(Path(f"{both}.key").read_bytes() + alone.read_bytes())
        system = SYSTEM_CERTIFICATES.read_bytes() if SYSTEM_CERTIFICATES.exists() else b""
        (folder / "bundle.pem").write_bytes(system + alone.read_bytes())
    return both


def _environment(bundle: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(LAYER),
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2Vj" * 50,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CA_BUNDLE": str(bundle),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _medians(runs: list[dict[str, float]]) -> dict[str, object]:
    return {
        key: bool(runs[0][key])
        if isinstance(runs[0][key], bool)
        else {
            "median": round(statistics.median(run[key] for run in runs), 2),
            "least": round(min(run[key] for run in runs), 2),
            "most": round(max(run[key] for run in runs), 2),
        }
        for key in runs[0]
    }


def show(results: dict[str, dict[str, dict[str, object]]]) -> None:
    for transport, by_name in results.items():
        rows = list(by_name["ours"])
        print(
            f"\n{transport:<26}"
            + "".join(f"{name:>26}" for name in by_name)
            + f"{'ours / 64 threads':>20}"
        )
        for row in rows:
            cells = [by_name[name][row] for name in by_name]
            print(f"{row:<26}" + "".join(f"{_cell(cell):>26}" for cell in cells) + _ratio(cells))


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return f"{value['median']:.1f} ({value['least']:.1f}-{value['most']:.1f})"
    return "yes" if value else "no"


def _ratio(cells: list[object]) -> str:
    ours, threads = cells[0], cells[1]
    if isinstance(ours, dict) and isinstance(threads, dict):
        return f"{'1/' + format(threads['median'] / ours['median'], '.1f'):>20}"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--bytes", type=int, default=4400, help="a message with 100 ms of audio")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--certificate", help=argparse.SUPPRESS)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--endpoint", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve(arguments.certificate))
    elif arguments.contender:
        costs = contend(
            arguments.contender, arguments.endpoint, arguments.connections, arguments.bytes
        )
        print(json.dumps(costs))
    else:
        with tempfile.TemporaryDirectory() as folder:
            results = {t: compare(arguments, t, Path(folder)) for t in ("http", "TLS")}
        machine = (
            f"CPython {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs"
        )
        if arguments.json:
            print(json.dumps({"machine": machine, **vars(arguments), "results": results}, indent=1))
        else:
            print(
                f"{arguments.connections} connections, 5 ms service time, {arguments.bytes} bytes; {machine}"
            )
            show(results)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
