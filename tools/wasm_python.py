"""Runs scripts under CPython 3.14 on any machine: npm's `pyodide`, CPython compiled to WebAssembly.

It is the real compiler and interpreter, one word of 32 bits long, without threads, processes and
sockets. web/package-lock.json pins it; a script sees the folders that it is given, and no network.
"""

from __future__ import annotations

import json
import resource
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import node

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["run"]

_RUNNER = Path(__file__).with_suffix(".mjs")
# A call in WebAssembly takes more of the stack than one in machine code: with Linux's usual 8 MB the tests of
# deep values end the interpreter.
_STACK_BYTES = 64 * 1024 * 1024


def run(
    script: str,
    *arguments: str,
    folders: Mapping[str, Path],
    search: Sequence[str] = (),
    capture: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a script, which lies in one of the folders.

    `folders` are what it sees, by their path there; from those in `search` it imports first.
    """
    modules = node.ensure()
    places = {there: str(here) for there, here in folders.items()}
    seen = json.dumps({"folders": places, "search": [*search]})
    stack = f"--stack-size={_STACK_BYTES * 9 // 10 // 1024}"
    pyodide = modules / "pyodide" / "pyodide.mjs"
    return subprocess.run(
        [node.NODE, stack, _RUNNER, pyodide, seen, script, *arguments],
        capture_output=capture,
        text=True,
        check=False,
        preexec_fn=_widen_stack,
    )


def _widen_stack() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_STACK)
    bytes_ = _STACK_BYTES if most == resource.RLIM_INFINITY else min(_STACK_BYTES, most)
    resource.setrlimit(resource.RLIMIT_STACK, (bytes_, most))
