"""The command line of the local tools: `python -m local`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

import click

from .demo import run_demo
from .lambda_host import HostError

SPEECH = Path(__file__).parent / "recordings" / "speech.wav"


@click.group()
def main() -> None:
    """Run the system on this machine."""


@main.command()
@click.option(
    "--recording",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=SPEECH,
    help="A WAV file: 16 bit, 16 kHz, one channel.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0.2, 10),
    default=1.0,
    help="Seconds to take for a second of speech; 0.2 is what a speaker's rate limit allows.",
)
@click.option("--log-format", type=click.Choice(["Text", "JSON"]), default="JSON")
def demo(recording: Path, speed: float, log_format: Literal["Text", "JSON"]) -> None:
    """Stream speech, and messages that are broken on purpose, through a handler on the layer."""
    try:
        sys.exit(run_demo(recording, speed, log_format))
    except (HostError, ValueError, OSError, subprocess.SubprocessError) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main(prog_name="python -m local")
