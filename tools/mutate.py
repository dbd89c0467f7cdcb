"""Raises in each branch of a module, one at a time, and says which of them its tests do not notice.

    python tools/mutate.py _emf metrics_emitter     # these
    python tools/mutate.py --write                  # all of MODULES, and their rows of docs/mutations.md

A branch is the body of a function, an `if`, `elif` or `else`, a loop, a `try` and its clauses, either side
of a conditional expression, what follows `and` or `or`, and the element of a comprehension. An
AssertionError takes its place, and the tests that reach it run: code that swallows exceptions then has to
give another result than a test expects.

A module's test files are run one after the other, each with what those before it did not notice: errors are
planted in the code of the loaded module's functions, and each run is forked from a process that has collected
the tests. What is left is tried once more in a copy of the package, with all tests.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import datetime
import gc
import importlib
import json
import os
import platform
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import coverage
import hypothesis  # loaded once, before the forks
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
    "_cleaning": ("test_cleaning.py", "test_redaction.py"),
    "_redaction": ("test_redaction.py", "test_line.py"),
    "_secret_texts": ("test_redaction.py",),
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
# A run of some tests that takes longer than this, and than so many times what they took as the module
# is, hangs, which is noticed.
HANGS_AFTER_SECONDS = 10.0
HANGS_AFTER_TIMES = 10
# All tests of a file, while it is watched which lines they reach.
FILE_SECONDS = 900.0


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
    """Yield the first statement of each body that does something."""
    for kind, body in bodies:
        acting = [each for each in body if not isinstance(each, (ast.Global, ast.Nonlocal))]
        if acting:
            yield kind, acting[0]


# --- runs ----------------------------------------------------------------------------------------

# A branch is reached by the first examples, or seldom, and one failure is as good as the smallest.
hypothesis.settings.register_profile(
    "mutate",
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)


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


def run_tests(folder: Path, file: str, *plugins: object) -> int:
    """Run a test file with the package that is in `folder`; return pytest's exit code."""
    os.chdir(ROOT)
    # Whatever a conftest.py puts on the path, submodules are looked for where their package is.
    sys.path.insert(0, str(folder))
    importlib.import_module(PACKAGE.name)
    options = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist"]
    options += ["--hypothesis-profile=mutate"]
    options += ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*options, str(LAYER / "tests" / file)], list(plugins)))


# What a process exits with that did not come so far as to return something.
BROKEN = 70
# pytest's codes: a test failed, one could not be collected, conftest.py could not.
FAILED = (1, 2, 4)


def fork(seconds: float) -> int:
    """Return the id of a new process, which is stopped after that time, or 0 in it."""
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        signal.setitimer(signal.ITIMER_REAL, seconds)
    return process


def forked(work: Callable[[], int], seconds: float) -> int:
    """Return the id of a new process that exits with what `work` returns; 0 seconds are no limit."""
    process = fork(seconds)
    if process == 0:
        code = BROKEN
        try:
            with open(os.devnull, "w") as null:
                os.dup2(null.fileno(), 1)
                os.dup2(null.fileno(), 2)
            code = work()
        finally:
            os._exit(code)
    return process


def copy_package(folder: Path, module: str) -> Path:
    """Copy the package, unless it is there, with its bytecode: only what is changed is compiled again.

    Return where the module's source is.
    """
    target = folder / PACKAGE.name
    if not target.exists():
        shutil.copytree(PACKAGE, target)
    return target / f"{module}.py"


@dataclass(frozen=True)
class Reached:
    """Which tests of a file reach each line of each module, the quickest first, and what each takes."""

    file: str
    names: dict[str, dict[int, list[str]]]
    seconds: dict[str, float]

    def tests_of(self, branch: Branch) -> list[str]:
        """Return the tests that reach a branch's lines."""
        by_line = self.names.get(branch.module, {})
        return list(
            dict.fromkeys(name for line in branch.numbers for name in by_line.get(line, ()))
        )

    def patience(self, names: list[str]) -> float:
        """Return the seconds after which a run of these tests hangs."""
        return HANGS_AFTER_SECONDS + HANGS_AFTER_TIMES * sum(map(self.seconds.__getitem__, names))


@cache
def lines_reached(file: str) -> Reached:
    """Run a file's tests with the package as it is, and watch which lines they reach."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sources = {module: copy_package(folder, module) for module in MODULES}

        def work() -> int:
            measured = coverage.Coverage(data_file=None, include=[*map(str, sources.values())])
            watching = Watching(measured)
            measured.start()
            code = run_tests(folder, file, watching)
            measured.stop()
            quickest = sorted(watching.seconds, key=watching.seconds.__getitem__)
            rank = {name: number for number, name in enumerate(quickest)}
            names = {
                module: {
                    line: sorted({*names} & rank.keys(), key=rank.__getitem__)
                    for line, names in measured.get_data().contexts_by_lineno(str(source)).items()
                }
                for module, source in sources.items()
            }
            (folder / "found.json").write_text(json.dumps([names, watching.seconds]))
            return code

        _, status = os.waitpid(forked(work, FILE_SECONDS), 0)
        if status != 0:
            sys.exit(f"{file} fails as it is, or takes over {FILE_SECONDS:.0f} s")
        found, seconds = json.loads((folder / "found.json").read_text())
    names = {
        module: {int(line): names for line, names in by_line.items()}
        for module, by_line in found.items()
    }
    return Reached(file, names, seconds)


@dataclass
class Planting:
    """A pytest plugin that plants an error in each of some branches, and runs the tests that reach it.

    Each has a process of its own, forked when all tests are collected, in which `is_planted`. `missed`
    are the places in `branches` of those with which nothing failed.
    """

    branches: list[Branch]
    reached: Reached
    source: Path
    jobs: int
    missed: list[int] = field(default_factory=list)
    is_planted: bool = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Let pytest go on in the new processes only."""
        tests = {item.nodeid: item for item in session.items}
        running: dict[int, int] = {}
        waiting = [*reversed(range(len(self.branches)))]
        while waiting or running:
            if waiting and len(running) < self.jobs:
                number = waiting.pop()
                names = self.reached.tests_of(self.branches[number])
                process = fork(self.reached.patience(names))
                if process == 0:
                    session.items[:] = [tests[name] for name in names]
                    self.is_planted = True
                    return None if plant_in_process(self.branches[number], self.source) else True
                running[process] = number
            else:
                process, status = os.wait()
                number = running.pop(process)
                if status == 0:
                    self.missed.append(number)
                elif os.WIFEXITED(status) and os.WEXITSTATUS(status) == BROKEN:
                    raise RuntimeError(f"{self.branches[number]} could not be tried")
        return True


def plant_in_process(branch: Branch, path: Path) -> bool:
    """Give a loaded module's functions the code that they have with the error; return whether they take it.

    A test that loads the module anew gets it with the error, too.
    """
    planted = compile(branch.plant(path.read_bytes()), str(path), "exec")
    get_code = SourceFileLoader.get_code

    def planted_code(self: Any, fullname: str) -> CodeType | None:
        return planted if self.path == str(path) else get_code(self, fullname)

    SourceFileLoader.get_code = planted_code  # type: ignore[method-assign]
    more = 1 if branch.start == branch.end else 0  # lines
    codes = {(code.co_qualname, code.co_firstlineno): code for code in _codes_in(planted)}
    for function in gc.get_objects():
        if type(function) is FunctionType and function.__code__.co_filename == str(path):
            name, line = function.__code__.co_qualname, function.__code__.co_firstlineno
            code = codes.get((name, line + more if line >= branch.start[0] else line))
            if code is not None and len(code.co_freevars) != len(function.__code__.co_freevars):
                return False
            function.__code__ = code or function.__code__
    return True


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _codes_in(inner)


def missed_in_process(branches: list[Branch], reached: Reached, jobs: int) -> list[Branch]:
    """Return the branches with which no test fails that reaches them."""
    branches = [branch for branch in branches if reached.tests_of(branch)]
    if not branches:
        return []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = copy_package(folder, branches[0].module)
        found = folder / "missed.json"

        def work() -> int:
            planting = Planting(branches, reached, source, jobs)
            code = run_tests(folder, reached.file, planting)
            if planting.is_planted:
                return code in FAILED
            found.write_text(json.dumps(planting.missed))
            return code

        _, status = os.waitpid(forked(work, 0), 0)
        if status != 0:
            sys.exit(f"{branches[0].module}: {reached.file} could not be run")
        return [branches[number] for number in json.loads(found.read_text())]


def is_noticed_at_start(branch: Branch, reached: Reached) -> bool:
    """Return whether a test of a file fails if the module is loaded with an error planted."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = copy_package(folder, branch.module)
        for pyc in source.parent.glob(f"__pycache__/{branch.module}.*"):
            pyc.unlink()
        source.write_bytes(branch.plant(source.read_bytes()))

        def work() -> int:
            sys.dont_write_bytecode = True  # those of the tests are there already
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
            return run_tests(folder, reached.file) in FAILED

        _, status = os.waitpid(forked(work, reached.patience([*reached.seconds])), 0)
        return status != 0


def unnoticed(module: str, branches: list[Branch], jobs: int) -> list[Branch]:
    """Return the branches in which no test notices an error."""
    left, watched = branches, []
    for file in MODULES[module]:
        watched.append(reached := lines_reached(file))
        missed = missed_in_process(left, reached, jobs)
        print(f"  {file}: {len(left)} branches tried", flush=True)
        left = [branch for branch in left if branch in missed or not reached.tests_of(branch)]
    # What is done while the module is loaded first, and by processes that tests start.
    for reached in watched:
        for branch in left:
            print(f"  with all of {reached.file}: {branch.function}: {branch.line}", flush=True)
        left = [branch for branch in left if not is_noticed_at_start(branch, reached)]
    return left


# --- the table -----------------------------------------------------------------------------------


@dataclass
class Result:
    """What came of one module."""

    module: str
    tried: int
    missed: list[Branch]
    seconds: float

    @property
    def noticed(self) -> int:
        """In how many branches a test noticed an error."""
        return self.tried - len(self.missed)


def examine(module: str, jobs: int) -> Result:
    """Try all branches of a module."""
    started = time.perf_counter()
    branches = branches_of(module, (PACKAGE / f"{module}.py").read_text())
    missed = unnoticed(module, branches, jobs)
    return Result(module, len(branches), missed, time.perf_counter() - started)


# A row of the page: of a module, or of a function of it that has a branch in which nothing is noticed.
ROW = re.compile(r"^\| `(?P<module>\w+)(?P<function>\.[^`]*)?` \|.*$", re.MULTILINE)
PAGE = """# Errors planted in each branch

`tools/mutate.py` raises in each branch of these modules, one at a time, and runs their tests. Written by
`tools/mutate.py --write`, which leaves the rows of modules that it does not run.

| module | branches | noticed | by | run |
| --- | --- | --- | --- | --- |
{noticed}

Not noticed:

| function | branch | why |
| --- | --- | --- |
{missed}
"""


def rows_of(result: Result) -> Iterator[str]:
    """Yield a module's row of the page, and those of the branches in which nothing was noticed."""
    files = ", ".join(f"`{file}`" for file in MODULES[result.module])
    today = datetime.datetime.now(datetime.UTC).date()
    run = f"{today}, CPython {platform.python_version()}, {os.cpu_count()} cores"
    yield f"| `{result.module}` | {result.tried} | {result.noticed} | {files} | {run} |"
    for branch in result.missed:
        why = UNNOTICED.get(branch.name, "**not explained**")
        yield f"| `{branch.module}.{branch.function}` | `{branch.line}` | {why} |"


def table(result: Result, before: str) -> str:
    """Return the page with this result; rows of other modules stay as they were before."""
    rows = {module: list[re.Match[str]]() for module in MODULES}
    for row in ROW.finditer(before):
        rows.get(row["module"], []).append(row)
    rows[result.module] = [*ROW.finditer("\n".join(rows_of(result)))]
    shown = [row for of_module in rows.values() for row in of_module]
    return PAGE.format(
        noticed="\n".join(row[0] for row in shown if not row["function"]),
        missed="\n".join(row[0] for row in shown if row["function"]) or "| none | | |",
    )


def main() -> int:
    """Examine modules, say what was missed, and return 1 if that is not explained."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="*", metavar="module", help=", ".join(MODULES))
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.relative_to(ROOT)}")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    options = parser.parse_args()
    results = []
    for module in options.modules or MODULES:
        result = examine(module, options.jobs)
        results.append(result)
        print(
            f"{module}: {result.noticed} of {result.tried} branches, {result.seconds:.0f} s",
            flush=True,
        )
        for branch in result.missed:
            reason = UNNOTICED.get(branch.name, "not explained")
            print(
                f"  line {branch.start[0]}, {branch.kind} in {branch.function}: {branch.line}: {reason}"
            )
        if options.write:
            TABLE.write_text(table(result, TABLE.read_text()))
    missed = {branch.name for result in results for branch in result.missed}
    noticed = {name for name in UNNOTICED if name[0] in {r.module for r in results}} - missed
    for name in noticed:
        print(f"explained, but noticed: {name}")
    return 1 if noticed or missed - UNNOTICED.keys() else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
