"""What every benchmark shares: how contenders are timed, compared and reported.

One rule to rely on: contenders that are compared run in the same process (or the same series of
fresh processes), one short turn each per round, in a new random order every round. A comparison is
the median of the per-round ratios, so a slow minute of the machine hits both sides of it.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.metadata
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

__all__ = [
    "LAMBDA_ENVIRONMENT",
    "LAYER_SOURCE",
    "Budget",
    "Options",
    "Report",
    "Samples",
    "Stdout",
    "become_lambda",
    "build",
    "fail",
    "find",
    "parse_options",
    "ratio_text",
    "time_calls",
]

T = TypeVar("T")

LAYER_SOURCE = Path(__file__).resolve().parents[1] / "shared-layer" / "python"

LAMBDA_ENVIRONMENT = {
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
    "AWS_LAMBDA_FUNCTION_NAME": "audio",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_LAMBDA_LOG_FORMAT": "JSON",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/audio",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/02/[$LATEST]0123456789abcdef",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example",
    "AWS_SESSION_TOKEN": "example",
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
}
_PEERS = (
    "aws-lambda-powertools",
    "structlog",
    "orjson",
    "python-json-logger",
    "aws-embedded-metrics",
    "pydantic",
    "msgspec",
    "boto3",
    "aws-sdk-dynamodb",
    "awslambdaric",
)
# Long enough that reading the thread's clock (0.3 us) is nothing, short enough that a round of all
# contenders fits between two moods of a shared machine.
_TURN_NS = 2_000_000
_QUICK_TURN_NS = 100_000


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    json: bool
    quick: bool
    pipe: bool
    zip: Path | None

    def rounds(self, usual: int) -> int:
        return 3 if self.quick else usual


def parse_options(question: str) -> Options:
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run; its numbers mean nothing"
    )
    parser.add_argument("--pipe", action="store_true", help="stdout is a pipe, not /dev/null")
    parser.add_argument("--zip", type=Path, help="measure this layer instead of the working tree's")
    return Options(**vars(parser.parse_args()))


def fail(message: str) -> NoReturn:
    sys.exit(f"{Path(sys.argv[0]).name}: {message}")


def become_lambda() -> None:
    """Give this process the environment of a function; call it before a contender is imported."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "POWERTOOLS_", "LOG_", "METRICS_", "SERVICE_", "_X_AMZN")):
            del os.environ[name]
    os.environ.update(LAMBDA_ENVIRONMENT)
    time.tzset()
    if str(LAYER_SOURCE) not in sys.path:
        sys.path.insert(1, str(LAYER_SOURCE))


# --- contenders ------------------------------------------------------------------------------


def build(builders: Mapping[str, Callable[[], T]]) -> tuple[dict[str, T], list[str]]:
    """Build each contender; return those that are there, and the names of those not installed."""
    built: dict[str, T] = {}
    missing: list[str] = []
    for name, builder in builders.items():
        try:
            built[name] = builder()
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("shared_utils"):
                raise
            missing.append(name)
    return built, missing


def find(value: Any, key: str | None = None) -> Iterator[tuple[str | None, Any]]:
    """Yield each member of parsed JSON at any depth, as (key, value)."""
    yield key, value
    if isinstance(value, dict):
        for name, member in value.items():
            yield from find(member, name)
    elif isinstance(value, list):
        for member in value:
            yield from find(member)


# --- time --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Samples:
    """Per contender one value a round, all of one unit. Rounds of different contenders pair up."""

    unit: str
    values: dict[str, list[float]]

    def median(self, name: str) -> float:
        return statistics.median(self.values[name])

    def spread(self, name: str) -> float:
        """Return the interquartile range as a share of the median."""
        values = self.values[name]
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return (high - low) / statistics.median(values)

    def ratio(self, name: str, against: str) -> float:
        """Return the median over the rounds of `name` divided by `against`."""
        pairs = zip(self.values[name], self.values[against], strict=True)
        return statistics.median(value / other for value, other in pairs)


def _nothing() -> None: ...


def time_calls(
    cases: Mapping[str, Callable[[], object]],
    options: Options,
    rounds: int = 61,
    clock: Callable[[], int] = time.thread_time_ns,
) -> Samples:
    """Return CPU microseconds of this thread per call, less the cost of an empty call.

    Another `clock` counts other nanoseconds.

    The collector stays on, as in a function, but what was imported is frozen out of its sight:
    otherwise a contender would pay for the objects of all the others.
    """
    timers = {
        name: timeit.Timer(case, setup=gc.enable, timer=clock)
        for name, case in {"": _nothing, **cases}.items()
    }
    turn = _QUICK_TURN_NS if options.quick else _TURN_NS
    numbers = {name: _calls_per_turn(timer, turn) for name, timer in timers.items()}
    gc.collect()
    gc.freeze()
    values: dict[str, list[float]] = {name: [] for name in cases}
    names = list(timers)
    for _ in range(options.rounds(rounds)):
        random.shuffle(names)
        taken = {name: timers[name].timeit(numbers[name]) / numbers[name] for name in names}
        for name in cases:
            values[name].append(max(taken[name] - taken[""], 1) / 1000)
    gc.unfreeze()
    return Samples("us", values)


def _calls_per_turn(timer: timeit.Timer, turn: int) -> int:
    timer.timeit(3)
    number = 1
    while (taken := timer.timeit(number)) < turn / 4:
        number *= 2
    return max(1, round(number * turn / taken))


# --- where the contenders write ------------------------------------------------------------------


class Stdout:
    """File descriptor 1 and `sys.stdout` as the runtime client makes them.

    What is written is thrown away (`/dev/null`, or a pipe with a reader at its end), unless
    `captured` asks for it. The report goes to the screen that was there before.
    """

    def __init__(self, pipe: bool = False) -> None:
        sys.stdout.flush()
        self.screen = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self._reader = _reader() if pipe else None
        self._sink = (
            self._reader.stdin.fileno() if self._reader else os.open(os.devnull, os.O_WRONLY)
        )
        os.dup2(self._sink, 1)
        sys.stdout = _unbuffered(sys.stdout)

    def captured(self, call: Callable[[], object]) -> list[str]:
        """Return the lines that `call` writes."""
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), 1)
            try:
                call()
                sys.stdout.flush()
            finally:
                os.dup2(self._sink, 1)
            file.seek(0)
            return file.read().decode().splitlines()


def _reader() -> Any:
    return subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)


def _unbuffered(stream: Any) -> Any:
    try:
        from awslambdaric.bootstrap import Unbuffered
    except ModuleNotFoundError:
        fail("the runtime client is not installed: pip install -r requirements/bench.txt")
    return Unbuffered(stream)


# --- report ------------------------------------------------------------------------------------


def ratio_text(ratio: float) -> str:
    """Return 1/7.5, or from 0.4 on the ratio itself, such as 0.95."""
    return f"1/{1 / ratio:.1f}" if ratio < 0.4 else f"{ratio:.2f}"


@dataclass(frozen=True)
class Budget:
    """`subject` may cost at most `at_most` times what `against` costs."""

    subject: str
    against: str
    at_most: float


@dataclass
class Report:
    """What is printed in the end: a table per question, the budgets, the machine."""

    title: str
    options: Options
    tables: list[dict[str, Any]] = field(default_factory=list)
    budgets: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self,
        question: str,
        samples: Samples,
        reference: str,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """Add one table; `reference` is the contender that the others are shown as multiples of."""
        rows = [
            {
                "contender": name,
                "median": samples.median(name),
                "spread": samples.spread(name),
                "ratio": samples.ratio(name, reference),
                "note": (extra or {}).get(name, ""),
            }
            for name in sorted(samples.values, key=samples.median)
        ]
        self.tables.append(
            {"question": question, "unit": samples.unit, "reference": reference, "rows": rows}
        )

    def check(self, question: str, samples: Samples, *budgets: Budget) -> None:
        """Compare with each budget whose two contenders were measured."""
        for budget in budgets:
            if {budget.subject, budget.against} <= set(samples.values):
                ratio = samples.ratio(budget.subject, budget.against)
                what = f"{question}: {budget.subject} / {budget.against}"
                self.judge(
                    what,
                    ratio_text(budget.at_most),
                    ratio_text(ratio),
                    ratio <= budget.at_most,
                    ratio,
                )

    def judge(
        self, what: str, budget: str, measured: str, met: bool, value: float | None = None
    ) -> None:
        """Add a row; `value` is what was measured as a number, if runs are to be compared by it."""
        row = {"what": what, "budget": budget, "measured": measured, "met": met, "value": value}
        self.budgets.append(row)

    def missing(self, names: list[str]) -> None:
        self.notes += [f"{name}: not installed, left out" for name in names]

    def print(self, screen: Any = None) -> None:
        screen = screen or sys.stdout
        text = json.dumps(self._facts(), indent=1) if self.options.json else self._text()
        screen.write(text + "\n")
        screen.flush()

    def _facts(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "machine": machine(),
            "peers": peers(),
            "quick": self.options.quick,
            "pipe": self.options.pipe,
            "tables": self.tables,
            "budgets": self.budgets,
            "notes": self.notes,
        }

    def _text(self) -> str:
        blocks = [f"{self.title}\n{machine()}\n{peers()}"]
        if self.options.quick:
            blocks.append("--quick: a smoke run, its numbers mean nothing")
        blocks += [_table_text(table) for table in self.tables]
        if self.budgets:
            blocks.append("\n".join(map(_budget_text, self.budgets)))
        if self.notes:
            blocks.append("\n".join(self.notes))
        return "\n\n".join(blocks)


def _table_text(table: dict[str, Any]) -> str:
    head = f"{table['question']:<52} {table['unit']:>9} {'IQR':>6}   x {table['reference']}"
    lines = [head]
    for row in table["rows"]:
        lines.append(
            f"  {row['contender']:<50} {row['median']:>9.3f} {row['spread']:>6.0%} {row['ratio']:>6.2f}  {row['note']}".rstrip()
        )
    return "\n".join(lines)


def _budget_text(row: dict[str, Any]) -> str:
    verdict = "met" if row["met"] else "MISSED"
    return f"{row['what']:<78} budget {row['budget']:>6}, measured {row['measured']:>6}: {verdict}"


def machine() -> str:
    optimised = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    build = (
        "built with --enable-optimizations" if optimised else "no --enable-optimizations recorded"
    )
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"CPython {platform.python_version()} ({build}), {_processor()}, {os.cpu_count()} cores, load {load}"


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def peers() -> str:
    versions = []
    for name in _PEERS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{name} {importlib.metadata.version(name)}")
    return ", ".join(versions)
