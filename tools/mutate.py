"""Raises in each branch of a module, one at a time, and says which of them its tests do not notice.

    python tools/mutate.py _emf metrics_emitter     # these
    python tools/mutate.py --write                  # all of MODULES, and docs/mutations.md

A branch is the body of a function, an `if`, `elif` or `else`, a loop, a `try` and its clauses, either side
of a conditional expression, what follows `and` or `or`, and the element of a comprehension. An
AssertionError takes its place in a copy of the package, and the tests that reach it run there: code that
swallows exceptions then has to give another result that a test expects otherwise.

Each run is forked from a process that has pytest loaded; a minute is enough for about 150 branches on two cores.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import datetime
import importlib
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import coverage
import hypothesis  # noqa: F401 - loaded once, before the forks
import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYER = ROOT / "shared-layer"
PACKAGE = LAYER / "python" / "shared_utils"
TABLE = ROOT / "docs" / "mutations.md"

# A module and the test files that are to notice, that of its own name first.
MODULES: dict[str, tuple[str, ...]] = {
    "_json": ("test_json.py",),
    "_stdout": ("test_stdout.py", "test_line.py"),
    "_invocation": ("test_invocation.py", "test_structured_logger.py", "test_line.py"),
    "_exceptions": ("test_structured_logger.py", "test_line.py"),
    "_cleaning": ("test_cleaning.py", "test_structured_logger.py"),
    "_redaction": ("test_redaction.py", "test_planted_secrets.py"),
    "_secret_texts": ("test_redaction.py", "test_planted_secrets.py"),
    "_line": ("test_line.py", "test_structured_logger.py"),
    "structured_logger": ("test_structured_logger.py", "test_line.py"),
    "_emf": ("test_emf.py", "test_metrics_emitter.py"),
    "metrics_emitter": ("test_metrics_emitter.py",),
}
# What no test of this kind can notice: module, function, the branch's first line; and why.
UNNOTICED: dict[tuple[str, str, str], str] = {
    (
        "_stdout",
        "_send_rest",
        "raise BlockingIOError",
    ): "another exception there has the same result",
}

PLANTED = 'raise AssertionError("planted")'
# The same as an expression.
PLANTED_EXPRESSION = '(_ for _ in ()).throw(AssertionError("planted"))'
# A run that takes longer hangs, which is noticed.
TIMEOUT_SECONDS = 60
WORKERS = os.cpu_count() or 1


# --- branches ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Branch:
    """Where something can be planted: before a statement, or in the place of an expression."""

    module: str
    function: str
    kind: str
    line: str  # its first line, stripped
    numbers: range  # of its lines
    start: tuple[int, int]  # line from 1, and offset in bytes
    end: tuple[int, int]  # that of the start for a statement

    @property
    def name(self) -> tuple[str, str, str]:
        """What it is called in `UNNOTICED`."""
        return self.module, self.function, self.line

    def plant(self, source: bytes) -> bytes:
        """Return the source with an error in this branch."""
        lines = source.splitlines(keepends=True)
        first, last = self.start[0] - 1, self.end[0] - 1
        head = lines[first][: self.start[1]]
        if self.start == self.end:
            planted = f"{PLANTED}\n".encode() + b" " * self.start[1]
        else:
            planted = PLANTED_EXPRESSION.encode()
        lines[first : last + 1] = [head + planted + lines[last][self.end[1] :]]
        return b"".join(lines)


def branches_of(module: str, source: str) -> list[Branch]:
    """Return the branches of a module's functions, in the order of their lines."""
    lines = source.splitlines()
    found: list[Branch] = []
    for function, kind, node in _nodes(ast.parse(source), ""):
        start = (node.lineno, node.col_offset)
        is_statement = isinstance(node, ast.stmt)
        end = start if is_statement else (node.end_lineno or 0, node.end_col_offset or 0)
        numbers = range(start[0], (start[0] if is_statement else end[0]) + 1)
        found.append(
            Branch(module, function, kind, lines[start[0] - 1].strip(), numbers, start, end)
        )
    return sorted(found, key=lambda branch: branch.start)


_Found = Iterator[tuple[str, str, ast.stmt | ast.expr]]


def _nodes(node: ast.AST, function: str) -> _Found:
    """Yield the first node of each branch under a node, with its function and kind."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        function = f"{function}.{node.name}".lstrip(".")
    if function or isinstance(node, ast.Lambda):
        for kind, first in _branches_at(node):
            yield function, kind, first
    for inner in ast.iter_child_nodes(node):
        yield from _nodes(inner, function)


def _branches_at(node: ast.AST) -> Iterator[tuple[str, ast.stmt | ast.expr]]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        yield from _bodies(("def", body))
    elif isinstance(node, ast.If):
        is_chain = len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If)
        yield from _bodies(("if", node.body), ("else", [] if is_chain else node.orelse))
    elif isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
        yield from _bodies(("loop", node.body), ("else", node.orelse))
    elif isinstance(node, ast.Try):
        yield from _bodies(("try", node.body), ("else", node.orelse), ("finally", node.finalbody))
    elif isinstance(node, ast.ExceptHandler):
        yield from _bodies(("except", node.body))
    elif isinstance(node, ast.match_case):
        yield from _bodies(("case", node.body))
    elif isinstance(node, ast.IfExp):
        yield "if expression", node.body
        yield "else expression", node.orelse
    elif isinstance(node, ast.BoolOp):
        name = "and" if isinstance(node.op, ast.And) else "or"
        yield from ((name, operand) for operand in node.values[1:])
    elif isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
        yield "comprehension", node.elt
    elif isinstance(node, ast.DictComp):
        yield "comprehension", node.value
    elif isinstance(node, ast.Lambda):
        yield "lambda", node.body


def _bodies(*bodies: tuple[str, list[ast.stmt]]) -> Iterator[tuple[str, ast.stmt]]:
    """Yield the first statement of each body that there is; one of `pass` only does nothing."""
    for kind, body in bodies:
        if body:
            yield kind, body[0]


# --- runs ----------------------------------------------------------------------------------------


@dataclass
class Chosen:
    """A pytest plugin that runs the tests with these names, in this order; none means all."""

    names: list[str]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out the others."""
        if self.names:
            by_name = {item.nodeid: item for item in items}
            items[:] = [by_name[name] for name in self.names if name in by_name]


@dataclass
class Watching:
    """A pytest plugin that says which test reaches which line, and how long each takes."""

    measured: coverage.Coverage
    seconds: dict[str, float] = field(default_factory=dict)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Measure one test."""
        self.measured.switch_context(item.nodeid)
        started = time.perf_counter()
        yield
        self.seconds[item.nodeid] = time.perf_counter() - started
        self.measured.switch_context("")


def run_tests(folder: Path, files: Iterable[str], *plugins: object) -> int:
    """Run test files with the package that is in `folder`; return pytest's exit code."""
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.chdir(ROOT)
    # Whatever a conftest.py puts on the path, submodules are looked for where their package is.
    sys.path.insert(0, str(folder))
    importlib.import_module(PACKAGE.name)
    options = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist"]
    options += ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
    paths = [str(LAYER / "tests" / file) for file in files]
    return int(pytest.main([*options, *paths], list(plugins)))


# What a process exits with that did not come so far as to return something.
_BROKEN = 70


def forked(work: object) -> int:
    """Return the id of a new process that calls `work` and exits with what it returns."""
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        code = _BROKEN
        try:
            signal.alarm(TIMEOUT_SECONDS)
            with open(os.devnull, "w") as null:
                os.dup2(null.fileno(), 1)
                os.dup2(null.fileno(), 2)
            code = work()  # type: ignore[operator]
        finally:
            os._exit(code)
    return process


def copy_package(folder: Path) -> Path:
    """Copy the package with its bytecode, so that only what is changed is compiled again."""
    target = folder / PACKAGE.name
    shutil.copytree(PACKAGE, target)
    return target


def lines_reached(module: str, files: tuple[str, ...]) -> dict[int, list[str]]:
    """Return the tests that reach each line of a module, the quickest first."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = copy_package(folder) / f"{module}.py"

        def work() -> int:
            measured = coverage.Coverage(data_file=None, include=[str(source)])
            watching = Watching(measured)
            measured.start()
            code = run_tests(folder, files, watching)
            measured.stop()
            reached = measured.get_data().contexts_by_lineno(str(source))
            quickest = sorted(watching.seconds, key=watching.seconds.__getitem__)
            rank = {name: number for number, name in enumerate(quickest)}
            found = {
                line: sorted({*names} & rank.keys(), key=rank.__getitem__)
                for line, names in reached.items()
            }
            (folder / "found.json").write_text(json.dumps(found))
            return code

        _, status = os.waitpid(forked(work), 0)
        if status != 0:
            sys.exit(f"{module}: its tests fail as it is, or take over {TIMEOUT_SECONDS} s")
        found = json.loads((folder / "found.json").read_text())
    return {int(line): names for line, names in found.items()}


def is_noticed(branch: Branch, folder: Path, names: list[str]) -> bool:
    """Return whether a test fails with an error planted in a branch; runs in a process of its own."""
    source = folder / PACKAGE.name / f"{branch.module}.py"
    for pyc in source.parent.glob(f"__pycache__/{branch.module}.*"):
        pyc.unlink()
    source.write_bytes(branch.plant((PACKAGE / source.name).read_bytes()))
    # pytest's codes: 1 a test failed, 2 one could not be collected, 4 conftest.py could not.
    return run_tests(folder, MODULES[branch.module], Chosen(names)) in (1, 2, 4)


def unnoticed(branches: list[Branch], reached: dict[int, list[str]]) -> list[Branch]:
    """Return the branches in which no test notices an error."""
    found: list[Branch] = []
    for branch, status in _runs(branches, reached, only_reached=True):
        if status == 0:
            found.append(branch)
            print(f"  looked at again: {branch.function}: {branch.line}", flush=True)
    # A process that a test starts reaches lines, too, of which nothing is known here.
    return [branch for branch, status in _runs(found, reached, only_reached=False) if status == 0]


def _runs(
    branches: list[Branch], reached: dict[int, list[str]], only_reached: bool
) -> Iterator[tuple[Branch, int]]:
    """Try each branch, some at a time; yield it with 0 if nothing failed."""
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary) / str(number) for number in range(WORKERS)]
        for folder in folders:
            copy_package(folder)
        running: dict[int, tuple[Branch, Path]] = {}
        waiting = list(reversed(branches))
        while waiting or running:
            while waiting and folders:
                branch, folder = waiting.pop(), folders.pop()
                names = _tests_of(branch, reached) if only_reached else []
                process = forked(lambda b=branch, f=folder, n=names: is_noticed(b, f, n))
                running[process] = branch, folder
            process, status = os.wait()
            branch, folder = running.pop(process)
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) == _BROKEN:
                sys.exit(f"{branch} could not be tried")
            folders.append(folder)
            yield branch, status


def _tests_of(branch: Branch, reached: dict[int, list[str]]) -> list[str]:
    """Return the tests that reach a branch's lines; none if that is not known."""
    names = [name for number in branch.numbers for name in reached.get(number, ())]
    return list(dict.fromkeys(names))


# --- the table -----------------------------------------------------------------------------------


@dataclass
class Result:
    """What came of one module."""

    module: str
    tried: int
    missed: list[Branch]
    seconds: float


def examine(module: str) -> Result:
    """Try all branches of a module."""
    started = time.perf_counter()
    branches = branches_of(module, (PACKAGE / f"{module}.py").read_text())
    missed = unnoticed(branches, lines_reached(module, MODULES[module]))
    return Result(module, len(branches), missed, time.perf_counter() - started)


def table(results: list[Result]) -> str:
    """Return the page about a run."""
    today = datetime.datetime.now(datetime.UTC).date()
    machine = f"CPython {platform.python_version()}, {WORKERS} cores"
    rows = "\n".join(
        f"| `{result.module}` | {result.tried} | {result.tried - len(result.missed)} |"
        f" {', '.join(f'`{file}`' for file in MODULES[result.module])} |"
        for result in results
    )
    missed = "\n".join(
        f"| `{branch.module}.{branch.function}` | `{branch.line}` | {UNNOTICED.get(branch.name, '**not explained**')} |"
        for result in results
        for branch in result.missed
    )
    return f"""# Errors planted in each branch

`tools/mutate.py` raises in each branch of these modules, one at a time, and runs their tests. Written by
`tools/mutate.py --write` on {today}, {machine}, in {sum(result.seconds for result in results) / 60:.1f} minutes.

| module | branches | noticed | by |
| --- | --- | --- | --- |
{rows}

Not noticed:

| function | branch | why |
| --- | --- | --- |
{missed or "| none | | |"}
"""


def main() -> int:
    """Examine modules, say what was missed, and return 1 if that is not explained."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="*", metavar="module", help=", ".join(MODULES))
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.relative_to(ROOT)}")
    options = parser.parse_args()
    results = []
    for module in options.modules or MODULES:
        result = examine(module)
        results.append(result)
        print(
            f"{module}: {result.tried - len(result.missed)} of {result.tried} branches,"
            f" {result.seconds:.0f} s",
            flush=True,
        )
        for branch in result.missed:
            reason = UNNOTICED.get(branch.name, "not explained")
            print(
                f"  line {branch.start[0]}, {branch.kind} in {branch.function}: {branch.line}: {reason}"
            )
    missed = {branch.name for result in results for branch in result.missed}
    noticed = {name for name in UNNOTICED if name[0] in {r.module for r in results}} - missed
    for name in noticed:
        print(f"explained, but noticed: {name}")
    if options.write:
        TABLE.write_text(table(results))
    return 1 if noticed or missed - UNNOTICED.keys() else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
