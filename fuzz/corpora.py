"""The inputs that are kept: one file for each harness, one input a line, in base64."""

from __future__ import annotations

import base64
from pathlib import Path

__all__ = ["MAX_BYTES", "choose", "read", "write"]

_FOLDER = Path(__file__).parent / "corpora"

# Of one file, so that a clone stays small and a replay takes a second.
MAX_BYTES = 24 * 1024


def read(name: str) -> list[bytes]:
    """Return the inputs of a harness."""
    return [base64.b64decode(line) for line in (_FOLDER / f"{name}.txt").read_text().split()]


def write(name: str, inputs: list[bytes]) -> None:
    """Keep these inputs of a harness."""
    lines = [base64.b64encode(one).decode() for one in inputs]
    (_FOLDER / f"{name}.txt").write_text("\n".join([*lines, ""]))


def choose(inputs: list[bytes], most: int = MAX_BYTES) -> list[bytes]:
    """Return the shortest inputs, as many as a file has room for."""
    chosen, room = [], most
    for one in sorted({one for one in inputs if one}, key=lambda one: (len(one), one)):
        room -= len(base64.b64encode(one)) + 1
        if room < 0:
            break
        chosen.append(one)
    return chosen
