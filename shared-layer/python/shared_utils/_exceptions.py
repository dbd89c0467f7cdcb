"""An exception as a line shows it: type, message, frames, notes, causes and members of a group.

Whatever an exception's class does, there is a description; it is bounded in every direction.
"""

from __future__ import annotations

import linecache
import sys

from ._cleaning import MAX_FIELD_CHARS, Look, clean, name_of, shorten, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any, TypeGuard

MAX_FRAMES = 50
_MAX_CAUSES = 5
_NOTES_ROOM = 8  # so many long ones; the others are counted
_MAX_MEMBERS = 10  # of a group, and of groups in groups together


def describe(
    error: object, frames: int = MAX_FRAMES, chars: int = MAX_FIELD_CHARS
) -> dict[str, Any]:
    """Return an error as a line's `error`: of an exception all, of anything else its text."""
    if is_exception(error):
        return _described(error, frames, chars, ())
    return {"message": text(error, chars)}


def is_exception(value: object) -> TypeGuard[BaseException]:
    """Return whether a value is an exception, whatever it says of its class."""
    return issubclass(type(value), BaseException)


def _described(
    error: BaseException, frames: int, chars: int, seen: tuple[BaseException, ...]
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "type": name_of(type(error)),
        "message": message_of(error, chars),
        "stack": _stack(error, frames),
    }
    if frames == 0 or len(seen) >= _MAX_CAUSES:
        return described
    seen = (*seen, error)
    try:
        if notes := getattr(error, "__notes__", None):
            described["notes"] = clean(notes, look=Look(chars, _NOTES_ROOM * chars))
        cause = _cause(error)
        if isinstance(cause, BaseException) and not any(cause is one for one in seen):
            described["cause"] = _described(cause, frames, chars, seen)
        if isinstance(error, BaseExceptionGroup):
            members = error.exceptions[: _MAX_MEMBERS // len(seen)]
            described["exceptions"] = [_described(e, frames, chars, seen) for e in members]
    except (Exception, SystemExit):  # what the exception says of itself
        pass
    return described


def message_of(error: BaseException, chars: int = MAX_FIELD_CHARS) -> str:
    """Return what an exception says, bounded and without secrets."""
    try:
        return shorten(str(error), chars)
    except (Exception, SystemExit):  # its own `__str__`
        return "<unreadable>"


def _cause(error: BaseException) -> BaseException | None:
    if error.__cause__ is None and not error.__suppress_context__:
        return error.__context__
    return error.__cause__


# The one that the interpreter keeps, whatever a class says.
_traceback_of = BaseException.__dict__["__traceback__"].__get__


def _stack(error: BaseException, frames: int) -> list[str]:
    texts: list[str] = []
    step = _traceback_of(error)
    while step is not None:
        texts.append(_frame_text(step.tb_frame.f_code, step.tb_lineno))
        step = step.tb_next
    return _bounded(texts, frames)


def current_stack(frames: int = MAX_FRAMES) -> list[str]:
    """Return where the caller outside of this package is, outermost frame first."""
    texts: list[str] = []
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__package__") != __package__:
            texts.append(_frame_text(frame.f_code, frame.f_lineno))
        frame = frame.f_back  # type: ignore[assignment]
    return _bounded(texts[::-1], frames)


def _bounded(texts: list[str], frames: int) -> list[str]:
    if len(texts) > frames:  # a deep recursion: where it began and where it ended
        left_out = len(texts) - frames
        first = frames // 5
        texts[first : first + left_out] = [f"... {left_out} more frames"]
    return texts


_frames: dict[tuple[CodeType, int], str] = {}
_MAX_KEPT_FRAMES = 1024


def _frame_text(code: CodeType, number: int) -> str:
    """Return a frame as `File "app.py", line 3, in f: return g()`; reading the source is dear."""
    shown = _frames.get((code, number))
    if shown is None:
        if len(_frames) >= _MAX_KEPT_FRAMES:
            _frames.clear()
        source = linecache.getline(code.co_filename, number).strip()
        where = f'File "{code.co_filename}", line {number}, in {code.co_name}'
        shown = _frames[code, number] = shorten(f"{where}: {source}" if source else where, 256)
    return shown
