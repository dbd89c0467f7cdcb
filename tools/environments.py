"""Finds the machine's Pythons, makes virtual environments from the lock files, and fetches wheels.

Standard library only: this runs before anything is installed. An environment is made once, and
again when its lock file or its Python changes; otherwise a call only compares two lines. So are the
wheels that the authorizer's zips are built of, so that no build needs the network.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "MINOR_VERSIONS",
    "ROOT",
    "Python",
    "ensure",
    "ensure_hypothesis_for_wasm",
    "ensure_wheels",
    "find_pythons",
    "probe",
]

ROOT = Path(__file__).resolve().parent.parent
MINOR_VERSIONS = (11, 12, 13, 14)

# The function whose zip holds what its lock file pins.
AUTHORIZER = "authorizer"
# What CPython in WebAssembly, npm's `pyodide` 314, takes: https://peps.python.org/pep-0783/
_WASM = ["--platform", "pyemscripten_2026_0_wasm32", "--abi", "cp314", "--python-version", "3.14"]
# Lambda's Python 3.11 runs on Amazon Linux 2, whose glibc is 2.26, the later ones on Amazon Linux 2023:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
_LAMBDA_PLATFORM = "manylinux2014_aarch64"

_PROBE = """
import ensurepip, sys, venv
print(sys.implementation.name, *sys.version_info[:3], sys.executable)
"""
# A version manager's shim can take a second; what takes longer is not a Python.
_PROBE_SECONDS = 20

_QUIET = ["-qq", "--disable-pip-version-check", "--no-input"]
# Every wheel is pinned by its hash, and nothing is built: no code of a package runs here.
_EXACT = ["--no-deps", "--require-hashes", "--only-binary", ":all:"]


class Python(NamedTuple):
    """An interpreter that ran and can make virtual environments."""

    minor: int
    version: str
    executable: str


def find_pythons() -> dict[int, Python]:
    """Return one CPython for each of 3.11 to 3.14 that this machine has, by minor version.

    Candidates are run: a version manager's shim may be on PATH and fail all the same.
    """
    found = {}
    for minor in MINOR_VERSIONS:
        runs = (probe(candidate) for candidate in _candidates(minor))
        python = next((python for python in runs if python and python.minor == minor), None)
        if python:
            found[minor] = python
    return found


def _candidates(minor: int) -> Iterator[Path]:
    path = [Path(directory) for directory in os.environ.get("PATH", "").split(os.pathsep)]
    usual = [Path("/usr/local/bin"), Path("/usr/bin")]
    managed = [
        *sorted(Path.home().glob(f".pyenv/versions/3.{minor}*/bin"), reverse=True),
        *sorted(Path("/opt").glob(f"*3.{minor}*/bin"), reverse=True),
        *sorted(Path("/opt").glob(f"*/*3.{minor}*/bin"), reverse=True),
    ]
    seen = set()
    for directory in [Path(sys.executable).parent, *path, *usual, *managed]:
        candidate = directory / f"python3.{minor}"
        if candidate not in seen and os.access(candidate, os.X_OK):
            seen.add(candidate)
            yield candidate


def probe(candidate: str | Path) -> Python | None:
    """Return what `candidate` is when it runs, is CPython and can make environments."""
    try:
        run = subprocess.run(
            [candidate, "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            env=_clean_environ(),
            check=True,
        )
        name, major, minor, micro, executable = run.stdout.strip().split(" ", 4)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    if name != "cpython" or major != "3":
        return None
    return Python(int(minor), f"3.{minor}.{micro}", executable)


def _clean_environ() -> dict[str, str]:
    """Return the environment without what would leak packages into another Python."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"}
    }


def ensure(name: str, python: Python, lock: str | None = None) -> str:
    """Return the interpreter of `.venv/<name>`, made from `requirements/<lock>.txt`.

    The lock file has the environment's name unless `lock` says otherwise.
    """
    home = ROOT / ".venv" / name
    lock_file = ROOT / "requirements" / f"{lock or name}.txt"
    digest = hashlib.sha256(lock_file.read_bytes()).hexdigest()
    wanted = f"{python.version} {Path(python.executable).resolve()}\n{digest}\n"
    with _locked(home):
        if not _is_made(home, wanted):
            print(f"making .venv/{name} from requirements/{lock_file.name}", file=sys.stderr)
            _make(home, python, lock_file)
            (home / "made-from").write_text(wanted)
    return str(home / "bin" / "python")


def ensure_wheels(name: str, python: Python, interpreter: str) -> Path:
    """Return the folder with the wheels of `requirements/<name>.txt`, in one folder for each target.

    `here` are those for this machine and `python`, `arm64-3.13` those for Lambda on Arm with Python
    3.13. `interpreter` is a Python with pip.
    """
    lock_file = ROOT / "requirements" / f"{name}.txt"
    digest = hashlib.sha256(lock_file.read_bytes()).hexdigest()
    folder = ROOT / ".cache" / "wheels" / name
    here = f"{python.version} {Path(python.executable).resolve()}\n{digest}\n"
    targets: dict[str, tuple[str, list[str]]] = {"here": (here, [])}
    for minor in MINOR_VERSIONS:
        options = ["--implementation", "cp", "--python-version", f"3.{minor}"]
        targets[f"arm64-3.{minor}"] = digest, ["--platform", _LAMBDA_PLATFORM, *options]
    for target, (wanted, options) in targets.items():
        home = folder / target
        with _locked(home):
            stamp = home / "made-from"
            if not stamp.exists() or stamp.read_text() != wanted:
                print(f"fetching {home.relative_to(ROOT)}", file=sys.stderr)
                _fetch(
                    home, wanted, [interpreter, "-m", "pip", "download", "-r", lock_file], options
                )
    return folder


def ensure_hypothesis_for_wasm(interpreter: str) -> Path:
    """Return a folder with hypothesis for CPython 3.14 in WebAssembly: the one that requirements/test.txt pins.

    It is the one package of the layer's tests that is compiled and that they cannot do without.
    """
    lines = (ROOT / "requirements" / "test.txt").read_text()
    pinned = re.findall(r"^hypothesis==(?:.*\\\n)*.*\n", lines, re.MULTILINE)[0]
    home = ROOT / ".cache" / "hypothesis-wasm"
    with _locked(home):
        stamp = home / "made-from"
        if not stamp.exists() or stamp.read_text() != pinned:
            print(f"fetching {home.relative_to(ROOT)}", file=sys.stderr)
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            lock = home / "lock.txt"
            lock.write_text(pinned)
            pip: list[str | Path] = [interpreter, "-m", "pip", "install", "-r", lock]
            _run([*pip, *_QUIET, *_EXACT, *_WASM, "--no-compile", "--target", home])
            stamp.write_text(pinned)
    return home


def _fetch(home: Path, wanted: str, pip: list[str | Path], options: list[str]) -> None:
    """Fetch all wheels of a target; what was interrupted is begun again."""
    partial = home.with_name(f"{home.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    _run([*pip, *_QUIET, *_EXACT, *options, "--dest", partial])
    (partial / "made-from").write_text(wanted)
    shutil.rmtree(home, ignore_errors=True)
    partial.rename(home)


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Let one process at a time make an environment, or fetch wheels."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_made(home: Path, wanted: str) -> bool:
    stamp = home / "made-from"
    return stamp.exists() and stamp.read_text() == wanted and (home / "bin" / "python").exists()


def _make(home: Path, python: Python, lock_file: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    _run([python.executable, "-m", "venv", home])
    pip: list[str | Path] = [home / "bin" / "python", "-m", "pip", "install", "-r", lock_file]
    # Python compiles what it imports, and CDK has ten times more than that. Only benchmarks of
    # cold starts must find all of it compiled.
    later = [] if home.name == "bench" else ["--no-compile"]
    _run([*pip, *_QUIET, *_EXACT, *later])


def _run(command: list[str | Path]) -> None:
    subprocess.run(command, env=_clean_environ(), check=True)


def main() -> None:
    """Make the environment named on the command line with the Python that runs this.

    `dev` also has the authorizer's wheels fetched; `authorizer` is only these.
    """
    python = probe(sys.executable)
    if python is None:
        sys.exit(f"{sys.executable} cannot make virtual environments: install its venv package")
    name = sys.argv[1]
    try:
        interpreter = python.executable if name == AUTHORIZER else ensure(name, python)
        if name in ("dev", AUTHORIZER):
            ensure_wheels(AUTHORIZER, python, interpreter)
    except subprocess.CalledProcessError as error:
        sys.exit(f"could not make {name}: pip or venv ended with {error.returncode}")


if __name__ == "__main__":
    main()
