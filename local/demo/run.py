"""Runs the demo: builds the zip, streams a recording through the handler, shows what happened."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from local.lambda_host import LambdaHost, unpack_layer

from .record import Record, code_of
from .summary import show_summary
from .traffic import BROKEN, CHUNK_MS, api_gateway_event, flood, read_chunks, stream

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
        with LambdaHost(
            handler="handlers.audio.handler",
            task_root=task_root,
            layer=layer,
            name="audio",
            log_format=log_format,
            environ={"RATE_LIMIT_AUDIO_CHUNKS": str(RATE)},
        ) as host:
            send_stream(host, record, chunks, speed, console)
            send_flood(host, record, chunks[0])
    record.check_totals()
    show_summary(console, record)
    return 1 if record.problems else 0


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
    return unpack_layer(archive, folder / "opt"), task_root


def send_stream(
    host: LambdaHost, record: Record, chunks: list[bytes], speed: float, console: Console
) -> None:
    """Send the recording at its pace, the broken messages in between."""
    started = time.monotonic()
    sent_chunks = 0
    with _progress(console) as progress:
        task = progress.add_task("speaking", total=len(chunks) + len(BROKEN))
        for message in stream(chunks):
            if message.kind == "chunk":
                _wait_until(started + sent_chunks * CHUNK_MS / 1000 * speed)
                sent_chunks += 1
            event = api_gateway_event(message, len(record.results))
            record.add(message, host.invoke(event))
            progress.advance(task)


def _wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def send_flood(host: LambdaHost, record: Record, chunk: bytes) -> None:
    """Send far more than a speaker may; as many as the token bucket cannot hold are due back."""
    started = time.monotonic()
    refused = 0
    for message in flood(chunk, FLOOD):
        result = host.invoke(api_gateway_event(message, len(record.results)))
        record.add(message, result)
        refused += code_of(result) == "RATE_LIMIT_AUDIO_CHUNKS"
    allowed = RATE + RATE * (time.monotonic() - started)
    if FLOOD - refused > allowed + 1:
        record.problems.append(f"the flood got {FLOOD - refused} chunks through, {allowed:.0f} may")
    if FLOOD - refused < RATE:
        record.problems.append(f"the flood got {FLOOD - refused} chunks through, {RATE} are free")


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)
