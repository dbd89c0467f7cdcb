"""Runs the demo: builds the zip, streams a recording through the handler, shows what happened."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from local.lambda_host import LambdaHost, unpack_layer

from .gateway import Gateway
from .record import Record
from .summary import show_summary
from .traffic import (
    BROKEN,
    CHUNK_MS,
    LATECOMER,
    SPEAKER,
    api_gateway_event,
    flood,
    half_a_sample,
    read_chunks,
    stream,
)

if TYPE_CHECKING:
    from .record import Exchange
    from .traffic import Message

__all__ = ["run_demo"]

ROOT = Path(__file__).resolve().parent.parent.parent
PLAIN_WIDTH = 160

# One speaker's chunks a second and burst, as the contract sets them; the flood is twice that.
RATE, FLOOD = 50, 200


def run_demo(recording: Path, speed: float, log_format: Literal["Text", "JSON"]) -> int:
    """Show the layer at work on `recording`; return 0 if all went as it should.

    `speed` is the seconds to take for a second of speech.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PLAIN_WIDTH)
    chunks = read_chunks(recording)
    record = Record()
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        layer, task_root = prepare(Path(folder), console)
        with (
            Gateway() as gateway,
            LambdaHost(
                handler="function.handler",
                task_root=task_root,
                layer=layer,
                name="audio",
                log_format=log_format,
                environ=variables(gateway.endpoint),
            ) as host,
        ):
            client = Client(host, gateway, record)
            send_stream(client, chunks, speed, console)
            # A refusal of `sendAudio` writes the metrics that still share a window: after each
            # part, so that nothing is left out, and the speech can be told from the flood.
            client.send(half_a_sample(chunks[0], SPEAKER))
            send_flood(client, chunks[0])
            client.send(half_a_sample(chunks[0], LATECOMER))
    record.check_totals()
    show_summary(console, record)
    return 1 if record.problems else 0


def variables(endpoint: str) -> dict[str, str]:
    """Return what the function is deployed with, and credentials for posting to `endpoint`."""
    return {
        "RATE_LIMIT_AUDIO_CHUNKS": str(RATE),
        "API_GATEWAY_ENDPOINT": endpoint,
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
    }


class Client:
    """Sends one message after the other, and records what comes back."""

    def __init__(self, host: LambdaHost, gateway: Gateway, record: Record) -> None:
        self._host = host
        self._gateway = gateway
        self.record = record

    def send(self, message: Message) -> Exchange:
        """Send a message and wait for the answer; replies are posted before it."""
        result = self._host.invoke(api_gateway_event(message, len(self.record.exchanges)))
        return self.record.add(message, result, self._gateway.take())


def prepare(folder: Path, console: Console) -> tuple[Path, Path]:
    """Build and unpack the layer as it is attached, and copy the function as it is deployed."""
    archive = folder / "shared-layer.zip"
    build = str(ROOT / "shared-layer" / "build.sh")
    # For the Python that runs the function here; the one for Lambda is `make build`.
    options = ["--python", f"3.{sys.version_info.minor}", "--output", str(archive)]
    subprocess.run([build, *options], check=True, stdout=subprocess.DEVNULL)
    console.print(f"built shared-layer.zip: {archive.stat().st_size:,} bytes")
    ignore = shutil.ignore_patterns("__pycache__", "tests")
    task_root = shutil.copytree(ROOT / "functions", folder / "task", ignore=ignore)
    shutil.copy(Path(__file__).with_name("function.py"), task_root)
    return unpack_layer(archive, folder / "opt"), task_root


def send_stream(client: Client, chunks: list[bytes], speed: float, console: Console) -> None:
    """Send the recording at its pace, the broken messages in between."""
    started = time.monotonic()
    sent_chunks = 0
    with _progress(console) as progress:
        task = progress.add_task("speaking", total=len(chunks) + len(BROKEN))
        for message in stream(chunks):
            if message.kind == "chunk":
                _wait_until(started + sent_chunks * CHUNK_MS / 1000 * speed)
                sent_chunks += 1
            client.send(message)
            progress.advance(task)


def _wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def send_flood(client: Client, chunk: bytes) -> None:
    """Send far more than a speaker may; as many as the token bucket cannot hold are due back."""
    started = time.monotonic()
    codes = [client.send(message).code for message in flood(chunk, FLOOD)]
    passed = FLOOD - codes.count("RATE_LIMIT_AUDIO_CHUNKS")
    allowed = RATE + RATE * (time.monotonic() - started)
    problems = client.record.problems
    if passed > allowed + 1:
        problems.append(f"the flood got {passed} chunks through, {allowed:.0f} may")
    if passed < RATE:
        problems.append(f"the flood got {passed} chunks through, {RATE} are free")


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)
