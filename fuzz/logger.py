"""A log call with anything in it: one line, whole, strict, of bounded size, without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fuzz.draws import PLANTED, Draws
from fuzz.judging import captured, line_of, lines_of
from planted_secrets import SECRET_NAMES, SHAPES, STRUCTURES, TOKENS, spellings
from shared_utils import _stdout
from shared_utils._cleaning import MAX_LINE_BYTES
from shared_utils.structured_logger import StructuredLogger, get_structured_logger, logging_context

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["try_input"]

_LEVELS = ("info", "warning", "error", "debug", "fatal")
_NAMES = (
    *("operation", "error", "exc_info", "sessionId", "session_id", "connection_id", "requestId"),
    *("durationMs", "duration_ms", "errorCode", "correlation_id", "level", "message", "self"),
    *("timestamp", "component", "context", "coldStart", "a", "b", "data"),
)
_SHAPES, _STRUCTURES, _TOKENS = list(SHAPES), list(STRUCTURES), list(TOKENS)


def try_input(data: bytes) -> None:
    """Write a line."""
    draws = Draws(data)
    _stdout.dropped = 0
    draws.pick((_try_call, _try_call, _try_helper, _try_secret_field, _try_secret_text))(draws)
    assert _stdout.dropped == 0, "a line was lost"


def _fields(draws: Draws) -> dict[str, Any]:
    names = (draws.pick(_NAMES) if draws.flag() else draws.text() for _ in range(draws.up_to(6)))
    return {name: draws.wide() if draws.up_to(9) == 9 else draws.value() for name in names}


def _call(draws: Draws, log: StructuredLogger, fields: dict[str, Any]) -> None:
    """Call a level's method with these fields, and with some arguments by position."""
    number = draws.up_to(4)
    taken = ("message", "operation", "error")[:number]
    given = {name: value for name, value in fields.items() if name not in taken}
    level: Callable[..., None] = getattr(log, draws.pick(_LEVELS[:3]))
    level(*(draws.value() for _ in range(number)), **given)


def _try_call(draws: Draws) -> None:
    made = _fields(draws) if draws.flag() else {}
    for name in ("component", "session_id", "connection_id", "request_id"):
        made.pop(name, None)
    ids: list[Any] = [draws.value() for _ in range(draws.up_to(3))]
    with captured() as stream:
        log = StructuredLogger(draws.value(), *ids, **made)
        if draws.flag():
            log = log.bind(**_fields(draws))
        with logging_context(**(_fields(draws) if draws.flag() else {})):
            _call(draws, log, _fields(draws))
    line_of(stream, MAX_LINE_BYTES)


def _try_helper(draws: Draws) -> None:
    """Call what writes a line of its own kind."""
    log: Any = get_structured_logger(draws.text())
    values = [draws.value() for _ in range(3)]
    with captured() as stream:
        kind = draws.up_to(3)
        if kind == 0:
            log.log_websocket_message(*values)
        elif kind == 1:
            log.log_transcribe_event(values[0], data=values[1])
        elif kind == 2:
            log.log_state_change(*values)
        else:
            log.log_performance(values[0], values[1], data=values[2])
    assert len(lines_of(stream, MAX_LINE_BYTES)) <= 1, "more than one line"


def _name(draws: Draws) -> str:
    return draws.pick(spellings(draws.pick(SECRET_NAMES)))


def _try_secret_field(draws: Draws) -> None:
    """Hide a value beside its name, wherever the structure stands."""
    name = _name(draws)
    value: Any = {name: PLANTED}
    if draws.flag():
        value = STRUCTURES[draws.pick(_STRUCTURES)](name, PLANTED)
    for _ in range(draws.up_to(3)):
        value = draws.pick(
            (
                [draws.json(), value, draws.json()],
                {draws.text(): draws.json(), "inner": value},
                (value,),
                {"inner": value, draws.text(): draws.json()},
            )
        )
    fields = {**_fields(draws), "data": value}
    with captured() as stream:
        _call(draws, StructuredLogger("fuzzed"), fields)
    line_of(stream, MAX_LINE_BYTES)


def _try_secret_text(draws: Draws) -> None:
    """Hide what is recognised in a text, whatever stands on the lines around it."""
    if draws.flag():
        shown = SHAPES[draws.pick(_SHAPES)](_name(draws), PLANTED)
    else:
        text, secret = TOKENS[draws.pick(_TOKENS)]
        shown = text if secret == PLANTED else f"Bearer {PLANTED}"
    text = f"{_plain(draws)}\n{shown}\n{_plain(draws)}"
    fields = {draws.pick(("data", "comment", "operation", "sessionId")): text}
    with captured() as stream:
        if draws.flag():
            StructuredLogger("fuzzed").info(text)
        else:
            StructuredLogger("fuzzed").error("m", error=ValueError(text), **fields)
    line_of(stream, MAX_LINE_BYTES)


def _plain(draws: Draws) -> str:
    """Return text without quotes, brackets and marks, in which a secret's name could be continued."""
    return "".join(one for one in draws.text() if one.isalnum() or one in " .\n")
