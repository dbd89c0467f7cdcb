"""A line through the real logger: what is remembered, bounded, counted, and said of errors."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import subprocess
import sys
import threading
import types
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_utils import _exceptions, _invocation, _line, _redaction, structured_logger
from shared_utils.structured_logger import (
    LoggingContext,
    StructuredLogger,
    configure_lambda_logging,
    get_structured_logger,
    invocation,
    logging_context,
)


def lines_of(call):
    """Return what a call writes, as objects."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        call()
    return [json.loads(line) for line in out.getvalue().splitlines()]


def line_of(call):
    [line] = lines_of(call)
    return line


@pytest.fixture
def log():
    logger = get_structured_logger("C")
    lines_of(logger.info)  # the first line of a process says more than the others
    return logger


# --- what is remembered


def counted(monkeypatch, module, name):
    """Count the calls of a function from now on."""
    calls = []
    function = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *args: calls.append(args) or function(*args))
    return calls


def test_a_name_is_judged_once(log, monkeypatch):
    _line._open.clear()
    judged = counted(monkeypatch, _line, "_place_of")

    for number in range(5):
        lines_of(lambda number=number: log.info("m", firstTime=number, session_id="s"))

    assert [name for (name,) in judged] == ["firstTime", "session_id"]


def test_a_name_that_hides_is_judged_each_time(log, monkeypatch):
    judged = counted(monkeypatch, _line, "_place_of")

    for _ in range(3):
        lines_of(lambda: log.info("m", password="x"))

    assert len(judged) == 3


def test_what_a_logger_binds_is_made_once(monkeypatch):
    logger = get_structured_logger("C", session_id="s", a=1)
    made = counted(monkeypatch, _line, "_put")

    lines_of(lambda: [logger.info("m", b=2) for _ in range(10)])
    of_bound_fields = [fields for fields, *_ in made if "a" in fields]

    assert of_bound_fields == [{"sessionId": "s", "a": 1}]


def test_a_text_is_looked_through_once(log, monkeypatch):
    lines_of(lambda: log.info("said often", language="en", n=0))
    looked_through = counted(monkeypatch, _redaction, "suspect")
    _redaction.harmless.clear()

    for number in range(5):
        lines_of(lambda number=number: log.info("said often", language="en", n=number))
    _line.set_policy(_redaction.policy)
    lines_of(lambda: log.info("said often"))

    assert looked_through == [("said often\0en\0",), ("said often\0",)]


def test_a_component_is_looked_through_once_whatever_is_bound(log, monkeypatch):
    lines_of(lambda: log.info("said often", n=0))
    looked_through = counted(monkeypatch, _redaction, "suspect")

    lines_of(lambda: [log.bind(n=number).info("said often") for number in range(5)])

    assert looked_through == []


@pytest.mark.parametrize(
    ("component", "shown"),
    [
        pytest.param("password=hunter2Xq9", "password=[REDACTED]", id="secret"),
        pytest.param("x " * 100, "x " * 57 + "...[200 chars]", id="long"),
        pytest.param(7, "7", id="number"),
        pytest.param("", "", id="empty"),
    ],
)
def test_a_component_is_a_bounded_text_without_secrets(component, shown):
    lines = [line_of(lambda: get_structured_logger(component).info("m")) for _ in range(2)]

    assert [line["component"] for line in lines] == [shown, shown]


def test_a_text_that_holds_a_secret_is_looked_at_each_time(log):
    lines = [line_of(lambda: log.info("m", a="password=hunter2Xq9")) for _ in range(3)]

    assert [line["context"]["a"] for line in lines] == ["password=[REDACTED]"] * 3


def test_texts_made_from_data_do_not_fill_the_memory(log):
    lines_of(lambda: [log.info(f"text {number}") for number in range(3000)])

    assert len(_redaction.harmless) <= 1025


def test_a_frame_is_read_once(log, monkeypatch):
    _exceptions._frames.clear()
    read = counted(monkeypatch, _exceptions.linecache, "getline")

    def fail():
        try:
            raise ValueError
        except ValueError as error:
            log.error("m", error=error)

    for _ in range(5):
        lines_of(fail)

    assert len(read) == 1


# --- readable text and digits


def test_other_alphabets_are_readable(log):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        log.info("Grüße", city="東京", é="\U0001f600")

    assert '"Grüße"' in out.getvalue()
    assert '{"city":"東京","é":"\U0001f600"}' in out.getvalue()


def test_a_decimal_has_all_its_digits(log):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        log.info("m", a=Decimal("0.1234567890123456789012345678901234567"), b=[Decimal("1E+30")])

    context = json.loads(out.getvalue(), parse_float=Decimal)["context"]
    assert context == {"a": Decimal("0.1234567890123456789012345678901234567"), "b": [10**30]}


@pytest.mark.parametrize("size", [10**6, 10**7])
def test_a_huge_text_is_looked_at_in_part(log, monkeypatch, size):
    looked_at = []
    scrub = _redaction.scrub
    monkeypatch.setattr(
        _redaction, "scrub", lambda text: looked_at.append(len(text)) or scrub(text)
    )
    text = "x y " * (size // 4)

    line_of(lambda: log.bind(a=text).error(text, text, ValueError(text), b=text, c=[text] * 1000))

    assert sum(looked_at) < 8 * _line.MAX_LINE_BYTES


def test_a_line_that_is_cut_has_the_fields_of_one_that_is_not(log):
    """What is bound to None stays off, and the innermost id wins."""
    bound = log.bind(sessionId=None, connection_id="c", huge="x y" * 9000)
    huge = {f"f{n}": "x y" * 400 for n in range(20)}

    def call():
        with logging_context(sessionId="s", requestId="r", operation="outer"):
            bound.info("m", "inner", correlation_id="", **huge)

    line = line_of(call)

    assert [name for name in line if name != "context"] == [
        "timestamp", "level", "component", "message", "requestId", "operation", "connectionId"]  # fmt: skip
    assert (line["operation"], line["connectionId"]) == ("inner", "c")
    assert line["context"]["f19"].endswith("...[1200 chars]")


@pytest.mark.parametrize("empty", ["", None])
def test_a_line_that_is_cut_keeps_the_id_that_an_empty_one_does_not_cover(log, empty):
    """It is all that there is to cut: without it the line would not be JSON."""
    ids = [["x y z " * 100] * 20] * 20

    def call():
        with logging_context(sessionId=ids, operation=empty):
            log.info("m", session_id="")

    line_of(call)  # the first one of a process says more
    line = line_of(call)

    assert set(line) == {"timestamp", "level", "component", "message", "sessionId"}
    assert line["sessionId"][0][0].startswith("x y z")


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(2**1000, id="int"),
        pytest.param(Decimal("1.5E+300"), id="decimal-that-is-an-int"),
        pytest.param(Decimal("0." + "1" * 600), id="decimal"),
    ],
)
def test_long_numbers_have_no_more_room_than_texts(log, number):
    numbers = [[[number] * 10] * 10] * 10

    def call():
        log.info("m", a=numbers, b=numbers, **{f"f{n}": number for n in range(100)})

    with contextlib.redirect_stdout(io.StringIO()) as out:
        call()

    assert len(out.getvalue()) <= _line.MAX_LINE_BYTES


def test_a_line_that_is_cut_has_the_innermost_of_an_ids_spellings(log):
    huge = {f"f{n}": "x y" * 400 for n in range(20)}

    def call():
        with logging_context(sessionId="outer"):
            log.bind(session_id="bound").info("m", sessionId="own", **huge)

    assert line_of(call)["sessionId"] == "own"


# --- errors among the arguments


def test_an_exception_among_the_arguments_is_the_lines_error(log):
    second = line_of(lambda: log.error("Failed", ValueError("boom")))  # noqa: PLE1205 - not logging's
    third = line_of(lambda: log.warning("Failed", "op", KeyError("k")))  # noqa: PLE1205
    alone = line_of(lambda: log.error(TimeoutError()))

    assert (second["error"]["type"], "operation" in second) == ("ValueError", False)
    assert (third["error"]["type"], third["operation"]) == ("KeyError", "op")
    assert (alone["message"], alone["error"]["type"]) == ("TimeoutError", "TimeoutError")


def test_the_first_of_several_exceptions_is_the_error(log):
    line = line_of(
        lambda: log.info("m", ValueError("one"), KeyError("two"), reason=OSError("three"))  # noqa: PLE1205
    )

    assert line["error"]["message"] == "one"
    assert line["context"] == {"args": ["KeyError: 'two'"], "reason": "OSError: three"}


def test_the_first_exception_is_the_error_also_of_an_errors_own_argument(log):
    line = line_of(lambda: log.error("m", ValueError("1"), KeyError("2")))  # noqa: PLE1205

    assert line["error"]["message"] == "1"
    assert line["context"]["args"] == ["KeyError: '2'"]


class Asking:
    """Something that may not be asked whether it is true."""

    def __bool__(self):
        raise SystemExit


@pytest.mark.parametrize("name", ["exc_info", "stack_info"])
def test_what_may_not_be_asked_costs_no_line(log, name):
    assert line_of(lambda: log.info("m", **{name: Asking()}))["message"] == "m"


class ExitingError(Exception):
    """An exception that exits whoever looks at it."""

    @property
    def exits(self):
        raise SystemExit

    code = __notes__ = __cause__ = exits


class ExitingAccount:
    def __init__(self):
        self.user = "ann"

    def __getattribute__(self, name):
        if name == "user":
            raise SystemExit
        return super().__getattribute__(name)


def exit_at_once(*_):
    raise SystemExit


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"error": ExitingError("x")}, id="error"),
        pytest.param({"account": ExitingAccount()}, id="property"),
        pytest.param({"password": "hunter2"}, id="censor"),
        pytest.param({"field": "password", "new": "hunter2"}, id="censor-of-a-pair"),
    ],
)
def test_what_exits_when_it_is_looked_at_costs_no_message(log, fields):
    _line.set_policy(_redaction.Policy(censor=exit_at_once))

    line = line_of(lambda: log.info("m", **fields))
    _line.set_policy(_redaction.Policy())

    assert (line["component"], line["message"]) == ("C", "m")
    assert "hunter2" not in str(line)


def test_a_record_whose_text_exits_is_a_line(log):
    class Exits:
        def __str__(self):
            raise SystemExit

    record = logging.makeLogRecord({"msg": Exits(), "levelno": logging.ERROR})

    line = line_of(lambda: structured_logger._library_handler().emit(record))

    assert "Exits object" in line["message"]


def test_notes_beyond_what_a_line_holds_are_counted(log):
    error = ValueError("x")
    for _ in range(100):
        error.add_note("n " * 500)

    notes = line_of(lambda: log.error("m", error=error))["error"]["notes"]

    assert len(notes) > 2
    assert notes[-1] == f"... {100 - len(notes) + 1} more"


@pytest.mark.parametrize(
    ("settings", "hidden"),
    [
        pytest.param({"redact": "nick"}, {"nick": "[REDACTED]", "n": 1}, id="one-name"),
        pytest.param({"redact": ["nick", 5]}, {"nick": "[REDACTED]", "n": 1}, id="no-name"),
        pytest.param({"redact": 5}, {"nick": "x", "n": 1}, id="no-names"),
    ],
)
def test_names_to_hide_are_taken_as_they_were_meant(log, monkeypatch, settings, hidden):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [*root.handlers])
    lines_of(lambda: configure_lambda_logging(**settings))

    line = line_of(lambda: log.info("m", nick="x", n=1))
    _line.set_policy(_redaction.Policy())

    assert line["context"] == hidden


def test_stack_info_is_the_callers_stack(log):
    line = line_of(lambda: log.info("m", stack_info=True))

    assert "test_line.py" in line["context"]["stack"][-1]
    assert "error" not in line


def test_a_record_with_only_the_text_of_its_exception_keeps_it(log):
    record = logging.makeLogRecord(
        {"msg": "m", "levelno": logging.ERROR, "exc_text": "Traceback\nValueError: x"}
    )

    line = line_of(lambda: structured_logger._library_handler().emit(record))

    assert line["error"] == {"message": "ValueError: x"}
    assert line["context"]["stack"] == ["Traceback", "ValueError: x"]


# --- what leaves an invocation


def test_what_leaves_an_invocation_is_written_once_and_whole():
    @invocation
    def handler(event, context):
        try:
            raise KeyError("sessionId")
        except KeyError as cause:
            error = ExceptionGroup("tasks failed", [TimeoutError("late"), OSError("gone")])
            error.add_note("in housekeeping")
            raise error from cause

    @invocation
    def outer(event, context):
        return handler(event, context)

    def call():
        with pytest.raises(ExceptionGroup):
            outer({"requestContext": {"connectionId": "c-1"}}, None)

    failed = line_of(call)

    assert (failed["level"], failed["message"], failed["connectionId"]) == (
        "ERROR",
        "Invocation failed",
        "c-1",
    )
    assert failed["error"]["cause"]["type"] == "KeyError"
    assert failed["error"]["notes"] == ["in housekeeping"]
    assert [e["type"] for e in failed["error"]["exceptions"]] == ["TimeoutError", "OSError"]


@pytest.mark.parametrize(
    "error", [SystemExit(1), KeyboardInterrupt(), type("Own", (BaseException,), {})()]
)
def test_what_is_no_exception_of_programs_is_written_as_well(error):
    def call():
        with pytest.raises(type(error)), invocation({}):
            raise error

    assert line_of(call)["error"]["type"] == type(error).__name__


SuspendExecution = type("SuspendExecution", (BaseException,), {})
TimedSuspendExecution = type("TimedSuspendExecution", (SuspendExecution,), {})


@pytest.mark.parametrize("ending", [GeneratorExit, SuspendExecution, TimedSuspendExecution])
def test_an_end_that_is_meant_is_no_failure(ending):
    """Of a coroutine that nobody awaits; of a durable function's invocation, before the next one."""

    def call():
        with pytest.raises(ending), invocation({}):
            raise ending

    assert lines_of(call) == []


def test_an_exception_that_lets_nothing_be_set_is_written(log):
    class ClosedError(Exception):
        def __setattr__(self, name, value):
            raise RuntimeError

    def call():
        with pytest.raises(ClosedError), invocation({}):
            raise ClosedError("x")

    assert line_of(call)["error"]["type"] == "ClosedError"


# --- blocks


def test_a_block_may_be_entered_while_it_is_entered(log):
    one = logging_context(sessionId="golden-eagle-427")

    def call():
        with one:
            with one:
                log.info("inner")
            log.info("outer")
        log.info("after")

    inner, outer, after = lines_of(call)

    assert (inner["sessionId"], outer["sessionId"]) == ("golden-eagle-427",) * 2
    assert "sessionId" not in after


def test_a_block_is_entered_by_many_threads_at_once(log):
    block = LoggingContext(log, "op", shared=True)
    barrier = threading.Barrier(8)
    leaked = []

    def work():
        barrier.wait()
        for _ in range(50):
            with block:
                pass
        leaked.append(_invocation.scope.get().fields)

    threads = [threading.Thread(target=work) for _ in range(8)]
    lines = lines_of(lambda: ([t.start() for t in threads], [t.join() for t in threads]))

    assert leaked == [{}] * 8
    assert [line["context"] for line in lines] == [{"shared": True}] * 400
    assert all(0 <= line["durationMs"] < 60_000 for line in lines)


def test_what_is_bound_in_a_block_is_gone_after_it(log):
    def call():
        with logging_context(a=1):
            structured_logger.bind_context(b=2)
            log.info("inner")
        log.info("after")

    inner, after = lines_of(call)

    assert inner["context"] == {"a": 1, "b": 2}
    assert "context" not in after


def test_a_block_decorates_nothing(log):
    """It would be entered when a coroutine is made, and left before that has begun."""
    for block in (logging_context(a=1), LoggingContext(log, "op")):
        with pytest.raises(TypeError, match="not callable"):
            block(lambda: None)


# --- the last frames, and threads


DEEP = """
import sys
from shared_utils import get_structured_logger
log = get_structured_logger("C")
log.info("first")
left = []
def deeper():
    try:
        log.info("m", a={"b": [1]}, c=object())
        log.error("m", error=ValueError("x"), d=object())
    except RecursionError as error:
        step = error.__traceback__
        while step.tb_next is not None:
            step = step.tb_next
        left.append(step.tb_frame.f_code.co_name)
        return
    deeper()
deeper()
log.info("last")
print(left, file=sys.stderr)
"""


def test_a_log_call_in_the_last_frames_raises_nothing():
    """Where Python finds no frame for the call itself, it raises in the caller; nothing else does."""
    done = subprocess.run(
        [sys.executable, "-c", DEEP],
        env={"PYTHONPATH": str(Path(_line.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )

    lines = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.stderr == "['deeper']\n"
    assert lines[-1]["message"] == "last"
    assert lines[-2]["message"] == "Lines were dropped"
    assert lines[-2]["context"]["lines"] >= 1


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=20)), max_size=5))
def test_two_names_are_never_one(pairs):
    """Whatever is hidden or cut of them: the line is read strictly by every test."""
    fields = {f"user {name} eyJhbGciOiJIUzI1NiJ9.{value}": 1 for name, value in pairs}

    lines_of(lambda: StructuredLogger("C").info("m", **fields, nested=fields, pairs=[fields]))


# --- a name and its value in two fields


def test_a_field_that_another_one_names_as_secret_is_hidden(log):
    changed = line_of(lambda: log.info("Changed", field="password", old="hunter2", new="hunter3"))
    ordinary = line_of(lambda: log.info("Changed", field="volume", old=1, new=2))

    assert changed["context"] == {"field": "password", "old": "[REDACTED]", "new": "[REDACTED]"}
    assert ordinary["context"] == {"field": "volume", "old": 1, "new": 2}


# --- beside others


class Span:
    """A span of OpenTelemetry, as far as a line asks it."""

    def __init__(self, is_valid):
        self.is_valid = is_valid
        self.trace_id, self.span_id = 0xABC, 0xDEF

    def get_span_context(self):
        return self


@pytest.mark.parametrize(
    ("current_span", "ids"),
    [
        pytest.param(lambda: Span(True), {"traceId": f"{'0' * 29}abc", "spanId": f"{'0' * 13}def"}, id="active"),
        pytest.param(lambda: Span(False), {}, id="none"),
        pytest.param(lambda: 1 / 0, {}, id="broken"),
    ],
)  # fmt: skip
def test_a_line_has_the_ids_of_the_active_span(log, monkeypatch, current_span, ids):
    module = types.SimpleNamespace(get_current_span=current_span)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)

    line = line_of(lambda: log.info("m"))

    assert line["message"] == "m"
    assert {name: line[name] for name in ("traceId", "spanId") if name in line} == ids


def test_outside_of_lambda_other_handlers_stay(caplog, monkeypatch):
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [*root.handlers])
    before = [*root.handlers]

    configure_lambda_logging()
    configure_lambda_logging()

    assert root.handlers[:-1] == before
    assert root.handlers[-1].is_shared_utils


def test_on_lambda_the_runtimes_handler_goes(monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "audio")
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [logging.NullHandler()])

    configure_lambda_logging()

    assert [handler.is_shared_utils for handler in root.handlers] == [True]
