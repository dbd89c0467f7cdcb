"""What the functions write, added up: their metrics, and their warnings."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wslocal.lambda_host.lines import LogLine

__all__ = ["FunctionLines"]


class FunctionLines:
    """Takes lines of functions as `LocalApi.subscribe` gives them.

    `problems` has the messages of WARN and ERROR lines, and the errors in Lambda's own reports, with
    how often each came.
    """

    def __init__(self) -> None:
        self._sums: Counter[tuple[str, str, str]] = Counter()
        self.problems: Counter[str] = Counter()

    def clear(self) -> None:
        """Begin again with nothing."""
        self._sums.clear()
        self.problems.clear()

    def take(self, line: LogLine) -> None:
        """Add a line."""
        document = line.document or {}
        if document.get("level") in {"WARN", "ERROR", "FATAL"} and "message" in document:
            self.problems[document["message"]] += 1
        if document.get("type") == "platform.report" and "errorType" in document["record"]:
            self.problems[document["record"]["errorType"]] += 1
        function = line.function.rpartition("-")[2]
        for metric, part, value in _metrics(document):
            self._sums[function, metric, part] += value

    def sums(self, function: str, metric: str) -> dict[str, float]:
        """Return a metric's sums in a function's lines, by the values of the metric's dimensions."""
        return {key[2]: n for key, n in self._sums.items() if key[:2] == (function, metric) and n}


def _metrics(document: dict) -> Iterator[tuple[str, str, float]]:
    """Yield a document's metrics, for each value of their dimensions, and how much it counts."""
    for directive in document.get("_aws", {}).get("CloudWatchMetrics", ()):
        dimensions = sorted({name for names in directive["Dimensions"] for name in names})
        for metric in directive["Metrics"]:
            value = document[metric["Name"]]
            for dimension in dimensions:
                count = sum(value) if isinstance(value, list) else value
                yield metric["Name"], str(document[dimension]), count
