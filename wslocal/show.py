"""What a person sees of a run: its addresses, lines of functions, and its state, as text."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .words import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["is_platform_line", "shown_line", "shown_status"]

# What Lambda writes beside a function, in its two formats.
_PLATFORM_TEXT = re.compile(r"(START|END|REPORT|INIT_START) ")
_PLATFORM_JSON = "platform."
# Beside each error that ends an environment the runtime client says that AWS may be the cause.
_HINT = "LAMBDA_WARNING: Unhandled exception."
# In text, lines that belong together are one to CloudWatch.
_LINE_END = re.compile(r"\r\n?|\n")


def shown_line(function: str, text: str) -> str:
    """Return a line of a function as a terminal shows it: in several, if Lambda made one of them."""
    parts = _LINE_END.split(text.rstrip())
    return "\n".join(f"{function} | {printable(part)}" for part in parts)


def is_platform_line(text: str) -> bool:
    """Return whether Lambda wrote a line, of an invocation that did not fail: people look past these."""
    if _PLATFORM_TEXT.match(text) or _HINT in text:
        return "Error Type: " not in text
    if not text.startswith("{"):
        return False
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not str(document.get("type")).startswith(_PLATFORM_JSON):
        return False
    record = document.get("record")
    return not (isinstance(record, dict) and "errorType" in record)


def shown_status(state: Mapping[str, Any]) -> str:
    """Return what `status` shows of the state that a run describes."""
    lines = [f"{api['url']}  {_counted(api['connections'])}" for api in state["apis"].values()]
    columns = ("function", "environments", "busy", "waiting", "invocations", "errors")
    lines += ["", *_table(columns, state["functions"])]
    if state["queues"]:
        lines += ["", *_table(("queue", "function", "waiting"), state["queues"])]
    return "\n".join(lines)


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    texts = [list(columns), *([str(row.get(name, "")) for name in columns] for row in rows)]
    widths = [max(len(row[number]) for row in texts) for number in range(len(columns))]
    return [
        "  ".join(
            text.ljust(width) if number == 0 or not text.isdigit() else text.rjust(width)
            for number, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in texts
    ]


def _counted(connections: int) -> str:
    return f"{connections} connection{'' if connections == 1 else 's'}"
