"""A server in a process and on a CPU of its own, with or without TLS: it costs the contenders nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["cpus", "make_certificate", "pin", "running", "serve", "server_context"]

# What clients load on Linux when nobody says otherwise; it costs each of them the same.
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@contextlib.contextmanager
def running(script: str, certificate: Path | None) -> Iterator[str]:
    """Run `script --serve`, which calls `serve`; yield where it is, such as https://localhost:4321."""
    command = [sys.executable, script, "--serve", *([str(certificate)] if certificate else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            pin(server.pid, cpus()[1])
            assert server.stdout
            port = int(server.stdout.readline())
            yield f"http{'s' if certificate else ''}://localhost:{port}"
        finally:
            server.terminate()


async def serve(protocol: Callable[[], asyncio.Protocol], certificate: str | None) -> None:
    """Serve until the process is ended; its port is the first line of the output."""
    context = server_context(certificate) if certificate else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def server_context(certificate: str | Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def make_certificate(folder: Path) -> Path:
    """Make a key and certificate for localhost, and `bundle.pem` to trust it with the system's."""
    made, key, both = folder / "made.pem", folder / "key.pem", folder / "server.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    command += " -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    command += " -addext keyUsage=critical,digitalSignature,keyCertSign"
    files = ["-keyout", str(key), "-out", str(made)]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + made.read_bytes())
    system = SYSTEM_CERTIFICATES.read_bytes() if SYSTEM_CERTIFICATES.exists() else b""
    (folder / "bundle.pem").write_bytes(system + made.read_bytes())
    return both


def pin(process: int, cpu: int) -> None:
    """Keep a process on one CPU, where the system can; 0 is this one."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process, {cpu})


def cpus() -> tuple[int, int]:
    """Return a CPU for the contender and another one, if there is, for the server."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    return usable[0], usable[-1]
