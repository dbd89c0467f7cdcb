"""Fresh interpreters that have the runtime client loaded, and the layer as Lambda unpacks it.

The layer comes from the zip that ships, unpacked where nothing may be written, with other file
dates than the build gave it: what a deployment does to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _harness import LAMBDA_ENVIRONMENT, LAYER_SOURCE, Options, Samples, fail

__all__ = [
    "BENCHMARKS",
    "SITE",
    "Fresh",
    "built_zip",
    "installed",
    "public_modules",
    "run_once",
    "time_fresh",
    "unpacked_layer",
]

SITE = Path(sysconfig.get_path("purelib"))
BENCHMARKS = Path(__file__).resolve().parent
_LAYER = LAYER_SOURCE.parent

# What the child runs. The statement is compiled before the clock starts, and the peers' folder is
# moved to where ours is, to the front, so that finding a module costs all the same.
_CHILD = """
import json, sys, time
import awslambdaric.bootstrap
from importlib._bootstrap_external import SourceFileLoader
paths, prelude, statement, count = json.loads(sys.argv[1])
names = {}
exec(prelude, names)
sys.path[1:1] = paths
code = compile(statement, "<statement>", "exec")
compiled = []
if count:
    real = SourceFileLoader.source_to_code
    def source_to_code(self, data, path, **options):
        compiled.append(str(path))
        return real(self, data, path, **options)
    SourceFileLoader.source_to_code = source_to_code
before = set(sys.modules)
start = time.process_time_ns()
exec(code, names)
taken = time.process_time_ns() - start
modules = sorted(set(sys.modules) - before)
open(sys.argv[2], "w").write(json.dumps([taken / 1e6, modules, compiled]))
"""


@dataclass(frozen=True)
class Fresh:
    """A statement that a fresh interpreter runs, and the folders put in front of its path."""

    statement: str
    paths: tuple[Path, ...] = (SITE,)
    needs: str = ""  # an installed module without which it cannot run
    prelude: str = ""  # runs before the clock starts
    bytecode: bool = True  # False: it is meant to be compiled from source


def run_once(case: Fresh, *, write_bytecode: bool = False, count: bool = False) -> Any:
    """Return (CPU milliseconds, modules added, files compiled from source)."""
    with tempfile.NamedTemporaryFile("r") as answer:
        order = json.dumps(
            [[str(path) for path in case.paths], case.prelude, case.statement, count]
        )
        environment = {**LAMBDA_ENVIRONMENT, "PATH": os.environ.get("PATH", "")}
        if not write_bytecode:
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, order, answer.name],
            env=environment,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            fail(f"{case.statement!r} failed in a fresh interpreter:\n{done.stderr}")
        return json.loads(answer.read())


def time_fresh(
    cases: Mapping[str, Fresh], options: Options, rounds: int = 21
) -> tuple[Samples, dict[str, list[str]]]:
    """Return CPU milliseconds per fresh interpreter, and the modules that each case adds.

    A first run, not counted, lets whoever may write bytecode do so; a second one makes sure that
    nobody who has bytecode compiles anything.
    """
    modules = {}
    for name, case in cases.items():
        run_once(case, write_bytecode=case.bytecode)
        _, modules[name], compiled = run_once(case, count=True)
        if bool(compiled) == case.bytecode:
            fail(f"{name}: compiled from source: {', '.join(compiled) or 'nothing'}")
    values: dict[str, list[float]] = {name: [] for name in cases}
    names = list(cases)
    for _ in range(options.rounds(rounds)):
        random.shuffle(names)
        for name in names:
            values[name].append(run_once(cases[name])[0])
    return Samples("ms", values), modules


def installed(cases: Mapping[str, Fresh]) -> tuple[dict[str, Fresh], list[str]]:
    """Return the cases that can run here, and the names of the others."""
    from importlib.util import find_spec

    there = {name: case for name, case in cases.items() if not case.needs or find_spec(case.needs)}
    return there, [name for name in cases if name not in there]


# --- the layer ------------------------------------------------------------------------------


@contextlib.contextmanager
def built_zip(options: Options) -> Iterator[Path]:
    """Yield the zip that was asked for, else one that `build.sh` makes of the tree for this Python."""
    if options.zip:
        yield options.zip
        return
    version = "{}.{}".format(*sys.version_info)
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "shared-layer.zip"
        command = [str(_LAYER / "build.sh"), "--python", version, "--output", str(archive)]
        build = subprocess.run(
            command,
            env={**os.environ, "PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if build.returncode:
            fail(f"the layer cannot be built:\n{build.stdout}")
        yield archive


@contextlib.contextmanager
def unpacked_layer(options: Options, *, bytecode: bool = True) -> Iterator[Path]:
    """Yield the zip's `python/` folder, read-only, with changed dates; without `.pyc` if asked."""
    with built_zip(options) as archive, tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(archive) as file:
            file.extractall(folder)
        python = Path(folder) / "python"
        caches = list(python.rglob("__pycache__"))
        if not any(list(cache.glob(f"*.{sys.implementation.cache_tag}.pyc")) for cache in caches):
            fail(f"{archive} has no bytecode for this Python")
        if not bytecode:
            for cache in caches:
                shutil.rmtree(cache)
        _age_and_lock(python)
        yield python
        _each(python, lambda path: path.chmod(0o755))


def _age_and_lock(folder: Path) -> None:
    # Root may write all the same: that is why the children also run with PYTHONDONTWRITEBYTECODE.
    _each(folder, lambda path: os.utime(path, (1_700_000_000, 1_700_000_000)))
    _each(folder, lambda path: path.chmod(0o555 if path.is_dir() else 0o444))


def _each(folder: Path, act: Callable[[Path], object]) -> None:
    for path in [*folder.rglob("*"), folder]:
        act(path)


def public_modules(python: Path) -> list[str]:
    """Return the modules that functions import: not the private ones, nor the tests' helper."""
    stems = sorted(path.stem for path in (python / "shared_utils").glob("*.py"))
    return [f"shared_utils.{stem}" for stem in stems if stem[0] != "_" and stem != "testing"]
