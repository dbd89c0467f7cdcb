"""What the functions write, added up: their metrics, their lines, their bytes."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wslocal.lambda_host.lines import LogLine

__all__ = ["FunctionLines"]


class FunctionLines:
    """Takes lines of functions as `LocalApi.subscribe` gives them.

    `counts` has each metric's sum under its name, and under its name with each value of a dimension:
    `counts["AudioChunksDropped"]`, `counts["AudioChunksDropped", "late"]`. `written` has the bytes
    of each function's lines, `problems` the WARN and ERROR lines' messages, by level.
    """

    def __init__(self) -> None:
        self.counts: Counter[str | tuple[str, str]] = Counter()
        self.written: Counter[str] = Counter()
        self.problems: dict[str, Counter[str]] = defaultdict(Counter)

    def clear(self) -> None:
        """Begin again with nothing."""
        for counter in (self.counts, self.written, self.problems):
            counter.clear()

    def take(self, line: LogLine) -> None:
        """Add a line."""
        self.written[line.function] += len(line.text.encode()) + 1
        document = line.document or {}
        if document.get("level") in {"WARN", "ERROR", "FATAL"} and "message" in document:
            self.problems[document["level"]][document["message"]] += 1
        for keys, value in _metrics(document):
            for key in keys:
                self.counts[key] += value

    def of(self, name: str) -> dict[str, float]:
        """Return a metric's sums by the values of its dimensions."""
        return {
            key[1]: n
            for key, n in self.counts.items()
            if isinstance(key, tuple) and key[0] == name and n
        }


def _metrics(document: dict) -> Iterator[tuple[list[str | tuple[str, str]], float]]:
    """Yield under which keys a document's metrics count, and how much."""
    for directive in document.get("_aws", {}).get("CloudWatchMetrics", ()):
        dimensions = {name for names in directive["Dimensions"] for name in names}
        for metric in directive["Metrics"]:
            name, value = metric["Name"], document[metric["Name"]]
            keys = [name, *((name, str(document[one])) for one in sorted(dimensions))]
            yield keys, sum(value) if isinstance(value, list) else value
