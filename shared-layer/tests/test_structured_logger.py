"""Log lines as they stand on stdout: what is on them, what never is, and that there is always one."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import contextvars
import dataclasses
import datetime
import enum
import importlib
import inspect
import io
import json
import logging
import os
import string
import subprocess
import sys
import threading
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shared_utils
from shared_utils import _stdout, structured_logger
from shared_utils.error_codes import ApplicationError, ErrorCode

NOW = 1767225600123456789
AT = '{"timestamp":"2026-01-01T00:00:00.123Z",'
INFO = AT + '"level":"INFO","component":"C","message":'
DEBUG = AT + '"level":"DEBUG","component":"C","message":'
WARN = AT + '"level":"WARN","component":"C","message":'
ERROR = AT + '"level":"ERROR","component":"C","message":'
OWN = AT + '"level":"WARN","component":"shared_utils","message":'
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
SETTINGS = [
    "LOG_LEVEL", "AWS_LAMBDA_LOG_LEVEL", "SERVICE_NAME", "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "_X_AMZN_TRACE_ID",
]  # fmt: skip
CLEAN_ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in SETTINGS}
PYTHON_PATH = str(Path(structured_logger.__file__).parents[1])


def load(**environ):
    """Load the module, and what it stands on, as a new process with these settings does.

    Its clock stands still.
    """
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if is_ours(name)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", {**CLEAN_ENVIRONMENT, **environ})
        patch.setattr(
            sys, "path", [PYTHON_PATH, *sys.path]
        )  # a copy of the package stays that copy
        module = importlib.import_module("shared_utils.structured_logger")
    for name in list(filter(is_ours, sys.modules)):
        del sys.modules[name]
    sys.modules.update(before)
    module._line.clock = lambda: NOW
    # Which reads each line strictly while a test runs.
    module._stdout._write_text = lambda stream, line: _stdout._write_text(stream, line)
    return module


def is_ours(name):
    return name.partition(".")[0] == "shared_utils"


def written(call, *args, **kwargs):
    """Return what a call writes to stdout."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        call(*args, **kwargs)
    return out.getvalue()


def begun(module):
    """Return the module past the first line of its process, which says more than the others."""
    written(module.get_structured_logger("first").fatal)
    return module


def only_line(text):
    """Return the one line of a text as an object; it must be valid JSON of a bounded size."""
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert len(text.encode()) <= 16 * 1024
    return json.loads(text, parse_constant=refuse)


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


@pytest.fixture
def sl(monkeypatch):
    """The module, freshly loaded, past its first line; its settings are forgotten afterwards."""
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    return begun(load())


@pytest.fixture
def log(sl):
    return sl.get_structured_logger("C")


@pytest.fixture
def library_logging(monkeypatch):
    """The standard library's logging as on Lambda, put back afterwards as it was."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "audio")
    root = logging.getLogger()
    level = root.level
    names = ("botocore", "boto3", "urllib3", "s3transfer")
    levels = [logging.getLogger(name).level for name in names]
    with contextlib.ExitStack() as after:
        after.callback(root.setLevel, level)
        after.callback(root.handlers.__setitem__, slice(None), list(root.handlers))
        after.callback(
            lambda: [logging.getLogger(n).setLevel(v) for n, v in zip(names, levels, strict=True)]
        )
        yield root


@pytest.fixture
def configure(sl, library_logging):
    return sl.configure_lambda_logging


# --- the line


def test_a_line_has_its_first_keys_in_order(log):
    assert written(log.info, "Function started") == INFO + '"Function started"}\n'


@pytest.mark.parametrize(
    ("method", "level"),
    [
        ("trace", "TRACE"), ("debug", "DEBUG"), ("info", "INFO"), ("warning", "WARN"), ("warn", "WARN"),
        ("error", "ERROR"), ("exception", "ERROR"), ("fatal", "FATAL"), ("critical", "FATAL"),
    ],
)  # fmt: skip
def test_each_method_writes_the_name_that_lambdas_filter_knows(method, level):
    module = begun(load(LOG_LEVEL="TRACE"))

    text = written(getattr(module.get_structured_logger("C"), method), "m", "op", a=1)

    assert text == (
        AT
        + f'"level":"{level}","component":"C","message":"m","operation":"op","context":{{"a":1}}}}\n'
    )


@pytest.mark.threat("log-when", "log-what")
def test_ids_and_what_filters_ask_for_stand_at_the_top(log):
    text = written(
        log.info, message="m", operation="op", session_id="s", connection_id="c", request_id="r",
        correlation_id="co", error_code="E", duration_ms=1.5, a=1,
    )  # fmt: skip

    assert text == INFO + (
        '"m","sessionId":"s","connectionId":"c","requestId":"r","correlationId":"co","errorCode":"E",'
        '"durationMs":1.5,"operation":"op","context":{"a":1}}\n'
    )


def test_ids_in_camel_case_stand_at_the_top(log):
    text = written(
        log.info, "m", sessionId="s", connectionId="c", requestId="r", correlationId="co",
        errorCode="E", durationMs=2, traceId="t", coldStart=True, samplingRate=3,
    )  # fmt: skip

    assert text == INFO + (
        '"m","sessionId":"s","connectionId":"c","requestId":"r","correlationId":"co","errorCode":"E",'
        '"durationMs":2,"traceId":"t","coldStart":true,"samplingRate":3}\n'
    )


@pytest.mark.parametrize(
    ("fields", "rest"),
    [
        pytest.param({}, ',"sessionId":"s","context":{"a":1}}', id="bound"),
        pytest.param({"sessionId": "t"}, ',"sessionId":"t","context":{"a":1}}', id="per-call"),
        pytest.param({"session_id": "t"}, ',"sessionId":"t","context":{"a":1}}', id="other-spelling"),
        pytest.param({"sessionId": None}, ',"sessionId":"s","context":{"a":1}}', id="none-is-not-given"),
        pytest.param({"sessionId": ""}, ',"sessionId":"s","context":{"a":1}}', id="empty-is-not-given"),
        pytest.param({"sessionId": "", "b": {1}}, ',"sessionId":"s","context":{"a":1,"b":[1]}}',
                     id="empty-with-a-set"),
        pytest.param({"session_id": None, "a": 2}, ',"sessionId":"s","context":{"a":2}}',
                     id="none-and-a-bound-name"),
        pytest.param({"sessionId": "", "a": 2}, ',"sessionId":"s","context":{"a":2}}',
                     id="empty-and-a-bound-name"),
        pytest.param({"sessionId": "t", "session_id": "u"}, ',"sessionId":"u","context":{"a":1}}',
                     id="last-wins"),
        pytest.param({"a": 2}, ',"sessionId":"s","context":{"a":2}}', id="field-per-call"),
        pytest.param({"a": None}, ',"sessionId":"s","context":{"a":null}}', id="none-is-a-value"),
        pytest.param({"connectionId": "c"},
                     ',"sessionId":"s","connectionId":"c","context":{"a":1}}', id="both"),
        pytest.param({"connectionId": "c", "b": 2},
                     ',"sessionId":"s","connectionId":"c","context":{"a":1,"b":2}}', id="all"),
    ],
)  # fmt: skip
def test_what_is_given_per_call_wins_over_what_is_bound(log, fields, rest):
    bound = log.bind(sessionId="s", a=1)
    lines = [written(bound.info, "m", **fields) for _ in range(3)]  # a first line is made in one go
    assert lines == [INFO + '"m"' + rest + "\n"] * 3


@pytest.mark.parametrize("name", [
    "self", "level", "args", "fields", "timestamp", "component", "service", "context", "name", "msg",
    "cls", "_aws", "", "with space", "é", "root", "scope", "bound",
])  # fmt: skip
@pytest.mark.threat("log-injection")
def test_a_field_may_have_any_name(log, name):
    expected = INFO + f'"m","context":{{"{name}":1}}}}\n'

    assert written(log.info, "m", **{name: 1}) == expected
    assert written(log.error, "m", **{name: 1}) == expected.replace("INFO", "ERROR")
    assert written(log.bind(**{name: 1}).info, "m") == expected


def test_the_message_may_come_among_the_fields(log):
    assert written(log.info, message="m", operation="op") == (INFO + '"m","operation":"op"}\n')


def test_surplus_arguments_are_kept(log):
    assert written(log.info, "m", "op", "x", 1) == (
        INFO + '"m","operation":"op","context":{"args":["x",1]}}\n'
    )
    assert written(log.error, "m", "op", "e", "x") == (
        ERROR + '"m","operation":"op","error":{"message":"e"},"context":{"args":["x"]}}\n'
    )


def test_a_call_without_arguments_writes_a_line(log):
    assert written(log.info) == INFO + '""}\n'


def test_only_pythons_own_error_is_left(log):
    with pytest.raises(TypeError, match="multiple values for argument 'message'"):
        log.info("m", message="m")


def test_a_logger_names_its_component_and_ids(sl):
    log = sl.get_structured_logger(
        "MyFunction", session_id="s", connection_id="c", request_id="r", user="u"
    )

    assert (log.component, log.session_id, log.connection_id, log.request_id) == (
        "MyFunction", "s", "c", "r")  # fmt: skip
    assert written(log.info, "m") == AT + (
        '"level":"INFO","component":"MyFunction","message":"m","sessionId":"s","connectionId":"c",'
        '"requestId":"r","context":{"user":"u"}}\n'
    )


def test_a_correlation_id_stands_in_for_a_missing_request_id(sl):
    log = sl.get_structured_logger("C", correlation_id="co")

    assert log.request_id == "co"
    assert sl.get_structured_logger("C").request_id is None
    assert written(log.info, "m") == INFO + '"m","correlationId":"co"}\n'


def test_a_logger_is_made_with_its_class_as_well(sl):
    log = sl.StructuredLogger("C", "s", "c", "r")

    assert written(log.info, "m") == (
        INFO + '"m","sessionId":"s","connectionId":"c","requestId":"r"}\n'
    )


@pytest.mark.parametrize(
    ("component", "shown"),
    [
        pytest.param('a"b\n', '"a\\"b\\n"', id="quotes"),
        pytest.param("x y" * 50, '"' + ("x y" * 50)[:114] + '...[150 chars]"', id="long"),
        pytest.param(None, '"null"', id="none"),
        pytest.param(["a"], '"[\\"a\\"]"', id="list"),
        pytest.param(JWT, '"[REDACTED]"', id="token"),
    ],
)
def test_a_component_is_text(sl, component, shown):
    assert written(sl.StructuredLogger(component).info, "m") == (
        AT + f'"level":"INFO","component":{shown},"message":"m"}}\n'
    )


def test_components_made_from_data_do_not_fill_the_memory(sl):
    written(lambda: [sl.StructuredLogger(f"c{n}").info("m") for n in range(1100)])
    written(lambda: [sl._own.info("m", **{f"f{n}": 1}) for n in range(1100)])

    assert len(sl._line._open) <= 1025
    assert written(sl.StructuredLogger("c1099").info, "m", f1=2) == (
        AT + '"level":"INFO","component":"c1099","message":"m","context":{"f1":2}}\n'
    )


def test_the_calls_of_the_contract(log):
    assert written(log.log_websocket_message, "inbound", "sendAudio", 32000) == INFO + (
        '"WebSocket message","operation":"websocket_message","context":{"direction":"inbound",'
        '"messageType":"sendAudio","messageSize":32000}}\n'
    )
    assert written(log.log_transcribe_event, "partial", n=1) == INFO + (
        '"Transcribe event","operation":"transcribe_event","context":{"n":1,"eventType":"partial"}}\n'
    )
    assert written(log.log_state_change, "broadcast", {"isPaused": False}, None) == INFO + (
        '"State changed","operation":"state_change","context":{"stateType":"broadcast",'
        '"oldValue":{"isPaused":false},"newValue":null}}\n'
    )
    assert written(log.log_performance, "fan-out", 12.5, n=3) == INFO + (
        '"Performance","durationMs":12.5,"operation":"fan-out","context":{"n":3}}\n'
    )


# --- defects of others, named


class Colour(enum.Enum):
    RED = "red"


class Text(str):
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __len__ = strip = upper = encode = __str__


@dataclasses.dataclass
class Point:
    x: int


CIRCULAR: list[object] = []
CIRCULAR.append(CIRCULAR)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        pytest.param("null", '"null"', id="null-message-stays-text"),
        pytest.param('{"a":1}', '"{\\"a\\":1}"', id="json-looking-message-stays-text"),
        pytest.param("100%", '"100%"', id="percent-is-no-format"),
        pytest.param("%s %(a)s {a}", '"%s %(a)s {a}"', id="format-string-is-no-format"),
        pytest.param("\ud800", '"\ufffd"', id="lone-surrogate-is-replaced"),
        pytest.param("a\nb\r\x00\x7f\u2028", '"a\\nb\\r\\u0000\x7f\\u2028"', id="one-line"),
        pytest.param("\x0eyJabcdefgh.ijklmnop", '"\\u000eyJabcdefgh.ijklmnop"', id="escape-before-a-token"),
        pytest.param(None, '"null"', id="none"),
        pytest.param(True, '"true"', id="bool"),
        pytest.param(1.5, '"1.5"', id="number"),
        pytest.param({"a": {"password": "p"}}, '"{\\"a\\":{\\"password\\":\\"[REDACTED]\\"}}"', id="dict"),
        pytest.param(b"abc", '"<bytes 3 bytes sha256:ba7816bf8f01>"', id="bytes"),
        pytest.param(ErrorCode.CONNECTION_CLOSED, '"CONNECTION_CLOSED"', id="code"),
        pytest.param(Text("x"), '"x"', id="hostile-text"),
        pytest.param("x y" * 1000, '"' + ("x y" * 1000)[:1009] + '...[3000 chars]"', id="long"),
        pytest.param("QUJD" * 100, '"<base64 400 chars sha256:fb1302f41830>"', id="base64"),
    ],
)  # fmt: skip
def test_a_message_is_always_text(log, message, shown):
    assert written(log.info, message) == INFO + shown + "}\n"
    assert written(log.info, message, error=None) == INFO + shown + "}\n"
    assert written(log.bind(a=1).info, message, a=2) == INFO + shown + ',"context":{"a":2}}\n'


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(float("nan"), '"nan"', id="nan-is-text"),
        pytest.param(float("-inf"), '"-inf"', id="infinity-is-text"),
        pytest.param("\ud800", '"\ufffd"', id="lone-surrogate-is-replaced"),
        pytest.param("100%", '"100%"', id="percent-is-no-format"),
        pytest.param(CIRCULAR, '[[[[[["<1 items>"]]]]]]', id="circular-ends"),
        pytest.param({(1, 2): 3}, '{"(1, 2)":3}', id="tuple-key-is-text"),
        pytest.param(b"\x00" * 50_000, '"<bytes 50000 bytes sha256:c35020473aed>"', id="50-kB-of-bytes"),
        pytest.param({1}, "[1]", id="set-is-a-list"),
        pytest.param(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), '"2026-01-01T00:00:00+00:00"', id="datetime"),
        pytest.param(Decimal("3.10"), "3.1", id="decimal"),
        pytest.param({"a": Decimal(2)}, '{"a":2}', id="dict-of-decimals"),
        pytest.param(Decimal("NaN"), '"NaN"', id="decimal-nan"),
        pytest.param(Decimal("sNaN"), '"sNaN"', id="signalling-nan"),
        pytest.param(ValueError("bad"), '"ValueError: bad"', id="exception"),
        pytest.param(Point(1), '{"x":1}', id="dataclass"),
        pytest.param(Colour.RED, '"red"', id="enum"),
        pytest.param(ErrorCode.CONNECTION_CLOSED, '"CONNECTION_CLOSED"', id="text-enum"),
        pytest.param(10**5000, '"<int of 16610 bits>"', id="huge-int"),
        pytest.param(2**64, "18446744073709551616", id="int-of-65-bits"),
        pytest.param(True, "true", id="bool"),
        pytest.param("QUJD" * 100, '"<base64 400 chars sha256:fb1302f41830>"', id="base64"),
        pytest.param("x y" * 1000, '"' + ("x y" * 1000)[:1009] + '...[3000 chars]"', id="long"),
        pytest.param({"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}},
                     '{"a":{"b":{"c":{"d":{"e":{"f":"<1 fields>"}}}}}}', id="deep"),
    ],
)  # fmt: skip
def test_a_value_is_degraded_and_the_line_kept(log, value, shown):
    assert written(log.info, "m", a=value) == INFO + f'"m","context":{{"a":{shown}}}}}\n'
    assert (
        written(log.info, "m", a=value, error=None) == INFO + f'"m","context":{{"a":{shown}}}}}\n'
    )
    assert written(log.bind(a=value).info, "m") == INFO + f'"m","context":{{"a":{shown}}}}}\n'


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(7, "7", id="int"),
        pytest.param(Decimal("1.5"), "1.5", id="decimal"),
        pytest.param(["a"], '["a"]', id="list"),
        pytest.param(False, "false", id="false"),
        pytest.param(0, "0", id="zero"),
        pytest.param(Text("x"), '"x"', id="hostile-text"),
        pytest.param(float("nan"), '"nan"', id="nan"),
        pytest.param(ErrorCode.CONNECTION_CLOSED, '"CONNECTION_CLOSED"', id="text-enum"),
    ],
)
def test_an_id_of_any_type_is_written(log, value, shown):
    assert written(log.info, "m", session_id=value) == INFO + f'"m","sessionId":{shown}}}\n'
    assert written(log.info, "m", value) == INFO + f'"m","operation":{shown}}}\n'
    assert written(log.bind(sessionId=value).info, "m") == INFO + f'"m","sessionId":{shown}}}\n'


def test_none_and_empty_are_no_ids(log):
    assert written(log.info, "m", session_id=None, requestId="", operation="") == INFO + '"m"}\n'
    assert written(log.bind(sessionId="", request_id=None).info, "m") == INFO + '"m"}\n'


def test_extra_is_a_field_like_any_other(log):
    assert written(log.info, "m", extra={"name": "n", "message": "x"}) == (
        INFO + '"m","context":{"extra":{"name":"n","message":"x"}}}\n'
    )


# --- levels


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({}, "INFO", id="default"),
        pytest.param({"LOG_LEVEL": ""}, "INFO", id="empty"),
        pytest.param({"LOG_LEVEL": "debug"}, "DEBUG", id="any-case"),
        pytest.param({"LOG_LEVEL": " Warning "}, "WARN", id="pythons-name-and-spaces"),
        pytest.param({"LOG_LEVEL": "CRITICAL"}, "FATAL", id="pythons-other-name"),
        pytest.param({"AWS_LAMBDA_LOG_LEVEL": "ERROR"}, "ERROR", id="lambdas"),
        pytest.param({"AWS_LAMBDA_LOG_LEVEL": "nonsense"}, "INFO", id="lambdas-nonsense"),
        pytest.param({"AWS_LAMBDA_LOG_LEVEL": "nonsense", "LOG_LEVEL": "TRACE"}, "TRACE", id="only-ours"),
        pytest.param({"AWS_LAMBDA_LOG_LEVEL": "DEBUG", "LOG_LEVEL": "debug"}, "DEBUG", id="both-agree"),
    ],
)  # fmt: skip
def test_level_comes_from_the_environment(environ, expected):
    module = load(**environ)
    log = module.get_structured_logger("C")

    first = written(log.fatal)

    assert next(name for name in module._LEVELS if log.is_enabled_for(name)) == expected
    assert first.count("\n") == 1


@pytest.mark.parametrize(
    ("environ", "warning"),
    [
        pytest.param({"LOG_LEVEL": "verbose"}, "LOG_LEVEL is not a level, using INFO: verbose", id="nonsense"),
        pytest.param({"LOG_LEVEL": "20"}, "LOG_LEVEL is not a level, using INFO: 20", id="number"),
        pytest.param({"LOG_LEVEL": "x y" * 50},
                     "LOG_LEVEL is not a level, using INFO: x yx yx yx yx yx yx yx yx ...[150 chars]", id="long"),
        pytest.param({"LOG_LEVEL": "TRACE", "AWS_LAMBDA_LOG_LEVEL": "INFO"},
                     "LOG_LEVEL TRACE differs from AWS_LAMBDA_LOG_LEVEL INFO, which is used", id="differ"),
    ],
)  # fmt: skip
def test_a_wrong_level_is_reported_once(environ, warning):
    module = load(**environ)
    log = module.get_structured_logger("C")

    first, second = written(log.info, "m"), written(log.info, "m")

    warning_line, line = first.splitlines(keepends=True)
    assert warning_line == OWN + f'"{warning}"}}\n'
    assert json.loads(line)["context"]["environment"]["python"]
    assert second == INFO + '"m"}\n'


@pytest.mark.threat("log-level")
def test_a_level_that_is_off_writes_nothing(log):
    assert written(log.debug, "m", "op", "surplus", a=object(), self=1) == ""
    assert written(log.trace) == ""
    assert not log.is_enabled_for("DEBUG")
    assert log.is_enabled_for("info")
    assert log.is_enabled_for("Warning")
    assert not log.is_enabled_for("nonsense")
    assert not log.is_enabled_for(None)


def test_a_level_that_is_off_looks_at_nothing(log):
    class Untouchable:
        __class__ = property(lambda self: 1 / 0)
        __repr__ = __str__ = __hash__ = __bool__ = None

    assert written(log.debug, Untouchable(), a=Untouchable()) == ""


def test_the_level_is_set_for_loggers_that_exist(log, configure):
    configure("ERROR")
    assert written(log.warning, "m") + written(log.info, "m") == ""

    configure("debug")
    assert written(log.debug, "m") == DEBUG + '"m"}\n'

    configure()
    assert written(log.debug, "m") == DEBUG + '"m"}\n'


def test_an_unknown_level_is_reported_and_changes_nothing(log, configure):
    assert written(configure, "loud") == (
        OWN + '"configure_lambda_logging got an unknown level: loud"}\n'
    )
    assert written(configure, "loud") == ""
    assert written(log.info, "m") == INFO + '"m"}\n'


def test_warnings_about_settings_end(log):
    texts = [written(log.sampled, "k", -n) for n in range(150)]

    assert [bool(text) for text in texts] == [True] * 100 + [False] * 50


# --- the environment's first line, and the service


@pytest.mark.threat("log-start", "log-where")
def test_the_first_line_says_what_is_true_of_all(monkeypatch):
    module = load()
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "audio")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
    monkeypatch.setattr(sys, "version", "3.11.7 (main)")
    monkeypatch.setattr("shared_utils.__version__", "1.2.3")
    monkeypatch.setattr("shared_utils.__build__", "abc")
    log = module.get_structured_logger("C")

    first, second = written(log.info, "m", a=1), written(log.info, "m", a=1)

    assert first == INFO + (
        '"m","context":{"a":1,"environment":{"functionName":"audio","functionVersion":"7",'
        '"memoryMb":"1024","python":"3.11.7","layerVersion":"1.2.3","layerDigest":"abc"}}}\n'
    )
    assert second == INFO + '"m","context":{"a":1}}\n'


def test_a_debug_line_that_waits_is_not_the_first_line(library_logging):
    """It may be dropped, and with it what the first line tells once."""
    module = load()
    module.configure_lambda_logging(buffer_debug_bytes=10_000)
    log = module.get_structured_logger("C")

    with module.invocation({}):
        written(log.debug, "waits")
        first, second = written(log.info, "m"), written(log.error, "bad").splitlines()

    assert "environment" in json.loads(first)["context"]
    assert second == [
        DEBUG + '"waits","coldStart":true}',
        ERROR + '"bad","coldStart":true}',
    ]


def test_the_first_line_leaves_out_what_is_not_known(monkeypatch):
    module = load()
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(sys, "version", "3.11.7 (main)")
    monkeypatch.delattr("shared_utils.__version__")
    monkeypatch.delattr("shared_utils.__build__")

    assert written(module.get_structured_logger("C").info, "m") == (
        INFO + '"m","context":{"environment":{"python":"3.11.7"}}}\n'
    )


def test_the_service_stands_after_the_component():
    module = begun(load(SERVICE_NAME='au"dio'))

    assert written(module.get_structured_logger("C").info, "m") == AT + (
        '"level":"INFO","component":"C","service":"au\\"dio","message":"m"}\n'
    )


# --- bound fields and context


def test_bind_gives_a_new_logger_and_leaves_the_old_one(log):
    first = log.bind(a=1, sessionId="s")
    second = first.bind(a=2, b=3)
    third = second.bind(a=None, session_id=None)

    assert written(log.info, "m") == INFO + '"m"}\n'
    assert written(first.info, "m") == INFO + '"m","sessionId":"s","context":{"a":1}}\n'
    assert written(second.info, "m") == INFO + '"m","sessionId":"s","context":{"a":2,"b":3}}\n'
    assert written(third.info, "m") == INFO + '"m","context":{"b":3}}\n'
    assert type(third) is type(log)
    assert third.component == "C"


def test_bind_takes_off_what_the_context_carries(sl, log):
    with sl.logging_context(sessionId="s", a=1):
        text = written(log.bind(session_id=None, a=None).info, "m", b={1})

    assert text == INFO + '"m","context":{"b":[1]}}\n'


def test_an_id_per_call_wins_over_one_that_was_taken_off(sl, log):
    with sl.logging_context(sessionId="s"):
        text = written(log.bind(session_id=None).info, "m", sessionId="t", b={1}, error=None)

    assert text == INFO + '"m","sessionId":"t","context":{"b":[1]}}\n'


def test_a_call_may_use_fields_that_cannot_change_the_logger(log):
    bound = log.bind(a=1)

    written(bound.info, "m", a=2, b=3)
    written(bound.info, "m", {1}, c=CIRCULAR)

    assert written(bound.info, "m") == INFO + '"m","context":{"a":1}}\n'


def test_a_block_has_its_fields_and_puts_back_what_was(sl, log):
    with sl.logging_context(a=1, sessionId="s"):
        with sl.logging_context(a=2, b=3, sessionId=None):
            inner = written(log.info, "m")
        outer = written(log.info, "m")

    assert inner == INFO + '"m","context":{"a":2,"b":3}}\n'
    assert outer == INFO + '"m","sessionId":"s","context":{"a":1}}\n'
    assert written(log.info, "m") == INFO + '"m"}\n'


def test_a_block_puts_back_what_was_also_after_an_exception(sl, log):
    def work():
        with sl.logging_context(a=1):
            sl.bind_context(b=2)
            raise KeyError

    sl.bind_context(a=0)

    with pytest.raises(KeyError):
        work()

    assert written(log.info, "m") == INFO + '"m","context":{"a":0}}\n'


def test_a_block_takes_any_field_name(sl, log):
    with sl.logging_context(self=1, fields=2):
        assert written(log.info, "m") == INFO + '"m","context":{"self":1,"fields":2}}\n'


def test_bound_fields_win_over_the_contexts(sl, log):
    with sl.logging_context(a=1, sessionId="s"):
        assert written(log.bind(a=2, sessionId="t").info, "m") == (
            INFO + '"m","sessionId":"t","context":{"a":2}}\n'
        )


def test_a_logger_made_before_the_context_follows_it(sl, log):
    written(log.info, "m")

    sl.bind_context(a=1, session_id="s")

    assert written(log.info, "m") == INFO + '"m","sessionId":"s","context":{"a":1}}\n'
    assert log.session_id == "s"


def test_a_new_thread_starts_empty_and_a_copied_context_carries(sl, log):
    texts = []
    sl.bind_context(a=1)

    def work():
        texts.append(written(log.info, "m"))

    alone = threading.Thread(target=work)
    alone.start()
    alone.join()
    carried = threading.Thread(target=contextvars.copy_context().run, args=(work,))
    carried.start()
    carried.join()

    assert texts == [INFO + '"m"}\n', INFO + '"m","context":{"a":1}}\n']


def test_logging_context_times_what_a_block_does(sl, log, monkeypatch):
    ticks = iter([1_000_000_000, 1_012_500_000])
    monkeypatch.setattr(sl.time, "perf_counter_ns", lambda: next(ticks))

    def work():
        with sl.LoggingContext(log, "op", a=1) as entered:
            entered.info("inside")

    assert written(work) == (
        INFO + '"inside","operation":"op","context":{"a":1}}\n'
        + INFO + '"Completed","operation":"op","durationMs":12.5,"context":{"a":1}}\n'
    )  # fmt: skip
    assert written(log.info, "m") == INFO + '"m"}\n'


def test_logging_context_says_the_start_at_debug(monkeypatch):
    module = begun(load(LOG_LEVEL="DEBUG"))
    log = module.get_structured_logger("C")

    text = written(module.LoggingContext(log, "op", self=1, fields=2).__enter__)

    assert text == DEBUG + '"Started","operation":"op","context":{"self":1,"fields":2}}\n'


def test_logging_context_says_the_error_and_lets_it_pass(sl, log, monkeypatch):
    ticks = iter([0, 2_000_000])
    monkeypatch.setattr(sl.time, "perf_counter_ns", lambda: next(ticks))

    def work():
        with pytest.raises(KeyError), sl.LoggingContext(log, "op"):
            raise KeyError("k")

    line = only_line(written(work))

    assert (line["level"], line["message"], line["operation"]) == ("ERROR", "Failed", "op")
    assert line["durationMs"] == 2
    assert (line["error"]["type"], line["error"]["message"]) == ("KeyError", "'k'")


# --- a line with more at its root


def test_a_line_is_written_with_members_at_its_root(sl, log):
    line = written(log.write_line, "INFO", "m", {"operation": "o", "a": 1}, None, ',"_aws":{}')

    assert line == INFO + '"m","operation":"o","context":{"a":1},"_aws":{}}\n'


def test_a_line_is_written_whatever_the_level(sl, log, configure):
    configure(level="ERROR")

    assert '"level":"INFO"' in written(log.write_line, "INFO", "m", {})


@pytest.mark.parametrize(("level", "lines"), [("WARN", 1), ("ERROR", 2)])
def test_what_waits_is_written_before_an_error(sl, log, configure, level, lines):
    configure(buffer_debug_bytes=1000)

    with sl.invocation({}):
        written(log.debug, "waits")
        text = written(log.write_line, level, "m", {}, KeyError("k"))

    assert len(text.splitlines()) == lines
    assert '"type":"KeyError"' in text.splitlines()[-1]


# --- one invocation


class LambdaContext:
    aws_request_id = "lambda-1"


EVENT = {
    "requestContext": {"connectionId": "abc=", "requestId": "gateway-1"},
    "body": '{"action":"heartbeat","requestId":"client-1"}',
}


def test_an_invocation_binds_the_ids_of_its_call(sl, log):
    with sl.invocation(EVENT, LambdaContext()):
        text = written(log.info, "m")

    assert text == INFO + (
        '"m","requestId":"lambda-1","connectionId":"abc=","correlationId":"client-1",'
        '"coldStart":true}\n'
    )


def test_nothing_of_an_invocation_leaks_into_the_next(sl, log):
    @sl.invocation
    def handler(event, context):
        """What it does."""
        sl.bind_context(user="u", sessionId="s")
        log.info("m")
        return "answer"

    assert written(handler, EVENT, LambdaContext()).endswith(
        '"coldStart":true,"sessionId":"s","context":{"user":"u"}}\n'
    )
    with sl.invocation({}, None):
        text = written(log.info, "m")

    assert text == INFO + '"m","coldStart":false}\n'
    assert written(log.info, "m") == INFO + '"m"}\n'
    assert (handler.__name__, handler.__doc__) == ("handler", "What it does.")
    assert handler.__wrapped__(EVENT, None) == "answer"
    assert handler({}, None) == "answer"


def test_an_invocation_starts_without_what_was_bound_before(sl, log):
    sl.bind_context(a=1)

    with sl.invocation({}):
        inside = written(log.info, "m")

    assert inside == INFO + '"m","coldStart":true}\n'
    assert written(log.info, "m") == INFO + '"m","context":{"a":1}}\n'


def test_a_failing_handler_is_cleared_and_its_exception_passes(sl, log):
    @sl.invocation
    def handler(event, context, extra, *, more):
        sl.bind_context(seen=[extra, more])
        raise KeyError(log.session_id)

    with pytest.raises(KeyError):
        handler({}, None, 1, more=2)

    assert written(log.info, "m") == INFO + '"m"}\n'


def test_a_handler_may_be_any_callable(sl):
    class Handler:
        def __call__(self, event, context):
            return event

    assert sl.invocation(Handler())("event", None) == "event"
    assert sl.invocation(Handler()).__name__ == "handler"


def test_an_async_handler_has_its_ids_until_it_ends(sl, log):
    @sl.invocation
    async def handler(event, context):
        before = written(log.info, "m")
        await asyncio.sleep(0)
        return before, written(log.info, "m")

    assert inspect.iscoroutinefunction(handler)
    first, second = asyncio.run(handler(EVENT, LambdaContext()))
    assert '"requestId":"lambda-1"' in first
    assert '"requestId":"lambda-1"' in second
    assert written(log.info, "m") == INFO + '"m"}\n'


def test_async_handlers_side_by_side_see_nothing_of_each_other(sl, log):
    @sl.invocation
    async def handler(event, context):
        sl.bind_context(sessionId=event)
        await asyncio.sleep(0)
        return written(log.info, "m")

    async def both():
        return await asyncio.gather(handler("one", None), handler("two", None))

    first, second = asyncio.run(both())

    assert '"sessionId":"one"' in first
    assert '"sessionId":"two"' in second


def generator(event, context):
    yield


async def async_generator(event, context):
    yield


@pytest.mark.parametrize("handler", [generator, async_generator])
def test_a_generator_is_no_handler(sl, handler):
    with pytest.raises(TypeError) as caught:
        sl.invocation(handler)

    assert str(caught.value) == f"@invocation cannot wrap {handler.__name__}, which is a generator"


@pytest.mark.parametrize(
    ("event", "rest"),
    [
        pytest.param({**EVENT, "body": "{}"}, ',"connectionId":"abc=","correlationId":"gateway-1"', id="no-client-id"),
        pytest.param({**EVENT, "body": None}, ',"connectionId":"abc=","correlationId":"gateway-1"', id="no-body"),
        pytest.param({**EVENT, "body": '{"requestId":'}, ',"connectionId":"abc=","correlationId":"gateway-1"', id="no-json"),
        pytest.param({**EVENT, "body": '["requestId"]'}, ',"connectionId":"abc=","correlationId":"gateway-1"', id="no-object"),
        pytest.param({**EVENT, "body": '{"requestId":1}'}, ',"connectionId":"abc=","correlationId":"gateway-1"', id="no-text"),
        pytest.param({**EVENT, "body": '{"requestId":""}'}, ',"connectionId":"abc=","correlationId":"gateway-1"', id="empty"),
        pytest.param({**EVENT, "body": '{"requestId":' + "[" * 4000},
                     ',"connectionId":"abc=","correlationId":"gateway-1"', id="nested-too-deep"),
        pytest.param({**EVENT, "body": '{"requestId":"client-1"}' + " " * 4073},
                     ',"connectionId":"abc=","correlationId":"gateway-1"', id="4097-characters"),
        pytest.param({**EVENT, "body": '{"requestId":"client-1"}' + " " * 4072},
                     ',"connectionId":"abc=","correlationId":"client-1"', id="4096-characters"),
        pytest.param({"requestContext": {}}, "", id="no-ids"),
        pytest.param({"requestContext": "x"}, "", id="request-context-of-another-type"),
        pytest.param({}, "", id="no-request-context"),
        pytest.param(None, "", id="no-event"),
        pytest.param([1], "", id="list"),
        pytest.param(type("Raising", (dict,), {"get": lambda *_: 1 / 0})(), "", id="raising"),
    ],
)  # fmt: skip
def test_an_event_of_any_shape_is_an_invocation(sl, log, event, rest):
    with sl.invocation(event, LambdaContext()):
        text = written(log.info, "m")

    assert text == INFO + f'"m","requestId":"lambda-1"{rest},"coldStart":true}}\n'


def test_provisioned_concurrency_is_never_a_cold_start():
    module = begun(load(AWS_LAMBDA_INITIALIZATION_TYPE="provisioned-concurrency"))

    with module.invocation({}):
        text = written(module.get_structured_logger("C").info, "m")

    assert text == INFO + '"m","coldStart":false}\n'


@pytest.mark.parametrize(
    ("trace", "shown"),
    [
        pytest.param("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
                     "1-5759e988-bd862e3fe1be46a994272793", id="root"),
        pytest.param("Sampled=0;Root=1-a", "1-a", id="root-last"),
        pytest.param("odd", "odd", id="no-root"),
    ],
)  # fmt: skip
def test_an_invocation_carries_the_trace_of_its_own_call(sl, log, monkeypatch, trace, shown):
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)

    with sl.invocation({}):
        text = written(log.info, "m")

    assert text == INFO + f'"m","coldStart":true,"traceId":"{shown}"}}\n'


# --- sampling


def test_one_in_n_is_written_with_its_rate(log):
    texts = [written(log.sampled("chunk", 3).info, "m", n=n) for n in range(7)]

    assert texts == [
        INFO + '"m","samplingRate":3,"context":{"n":0}}\n', "", "",
        INFO + '"m","samplingRate":3,"context":{"n":3}}\n', "", "",
        INFO + '"m","samplingRate":3,"context":{"n":6}}\n',
    ]  # fmt: skip


def test_keys_are_counted_apart(log):
    texts = [bool(written(log.sampled(key, 2).info, "m")) for key in "ababab"]

    assert texts == [True, True, False, False, True, True]


@pytest.mark.parametrize("method", ["warning", "warn", "error", "exception", "fatal", "critical"])
@pytest.mark.threat("log-level")
def test_warnings_and_errors_are_never_sampled(log, method):
    loggers = [log.sampled("k", 2) for _ in range(4)]

    texts = [written(getattr(logger, method), "m", "op", a=1) for logger in loggers]

    assert texts == [written(getattr(log, method), "m", "op", a=1)] * 4
    assert "samplingRate" not in texts[0]


def test_a_sampled_logger_can_be_bound_and_sampled_again(log):
    first, second = log.sampled("k", 2).bind(a=1), log.sampled("k", 2).bind(a=1)

    assert written(first.info, "m") == INFO + '"m","samplingRate":2,"context":{"a":1}}\n'
    assert written(first.error, "m") == ERROR + '"m","context":{"a":1}}\n'
    assert written(second.info, "m") == ""
    assert written(second.error, "m") == ERROR + '"m","context":{"a":1}}\n'
    for _ in range(3):  # written, then left out
        assert written(first.sampled("l", 3).warning, "m") == WARN + '"m","context":{"a":1}}\n'


def test_every_line_of_a_rate_of_one_is_written_as_it_is(log):
    assert log.sampled("k", 1) is log


@pytest.mark.parametrize(
    ("every", "shown"),
    [
        pytest.param(0, "0", id="zero"),
        pytest.param(-1, "-1", id="negative"),
        pytest.param(5.0, "5.0", id="float"),
        pytest.param(True, "true", id="bool"),
        pytest.param("5", "5", id="text"),
        pytest.param(None, "null", id="none"),
    ],
)
def test_a_wrong_rate_is_reported_once_and_samples_nothing(log, every, shown):
    warning_line = written(log.sampled, "k", every)
    again = written(log.sampled, "k", every)

    assert warning_line == OWN + f'"sampled() wants a whole number from 1, got {shown}"}}\n'
    assert again == ""
    assert log.sampled("k", every) is log


class RaisingHash:
    def __hash__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize("key", [[], {}, RaisingHash()])
def test_a_key_that_cannot_be_hashed_samples_nothing(log, key):
    assert log.sampled(key, 2) is log


def test_keys_made_from_data_do_not_fill_the_memory(sl, log):
    chosen = [log.sampled(f"k{n}", 2) for n in range(3000)]

    assert len(sl._counters) <= 1025
    assert len({type(logger) for logger in chosen}) == 1


# --- debug lines that wait for an error


def test_debug_lines_are_written_when_an_error_is_logged(sl, log, configure):
    configure(buffer_debug_bytes=10_000)

    with sl.invocation({}):
        quiet = written(log.debug, "one", n=1) + written(log.bind(a=1).debug, "two")
        error, again = written(log.error, "bad"), written(log.error, "worse")

    assert quiet == ""
    assert error == (
        DEBUG + '"one","coldStart":true,"context":{"n":1}}\n'
        + DEBUG + '"two","coldStart":true,"context":{"a":1}}\n'
        + ERROR + '"bad","coldStart":true}\n'
    )  # fmt: skip
    assert again == ERROR + '"worse","coldStart":true}\n'


def test_debug_lines_are_written_when_the_invocation_fails(sl, log, configure):
    configure(buffer_debug_bytes=10_000)

    @sl.invocation
    def handler(event, context):
        log.debug("one")
        raise KeyError

    def call():
        with pytest.raises(KeyError):
            handler({}, None)

    debug, failure = written(call).splitlines()

    assert debug == (DEBUG + '"one","coldStart":true}')
    assert json.loads(failure)["error"]["type"] == "KeyError"


def test_debug_lines_of_one_invocation_are_forgotten_by_the_next(sl, log, configure):
    configure(buffer_debug_bytes=10_000)
    with sl.invocation({}):
        log.debug("one")

    with sl.invocation({}):
        text = written(log.error, "bad")

    assert text == ERROR + '"bad","coldStart":false}\n'


def test_debug_lines_show_values_as_they_were(sl, log, configure):
    configure(buffer_debug_bytes=10_000)
    values = {"n": 1}

    with sl.invocation({}):
        log.debug("one", values=values)
        values["n"] = 2
        text = written(log.fatal, "bad")

    assert text.splitlines()[0] == DEBUG + '"one","coldStart":true,"context":{"values":{"n":1}}}'


def test_old_debug_lines_make_room_and_are_counted(sl, log, configure):
    line = DEBUG + '"m","coldStart":true,"context":{"n":0}}\n'
    configure(buffer_debug_bytes=2 * len(line))

    with sl.invocation({}):
        written(lambda: [log.debug("m", n=n) for n in range(5)])
        text = written(log.error, "bad")
        again = written(log.error, "bad")

    assert text == (
        OWN + '"Buffered debug lines were dropped","coldStart":true,"context":{"lines":3}}\n'
        + DEBUG + '"m","coldStart":true,"context":{"n":3}}\n'
        + DEBUG + '"m","coldStart":true,"context":{"n":4}}\n'
        + ERROR + '"bad","coldStart":true}\n'
    )  # fmt: skip
    assert again == ERROR + '"bad","coldStart":true}\n'


def test_a_debug_line_too_big_for_the_buffer_is_counted(sl, log, configure):
    configure(buffer_debug_bytes=10)

    with sl.invocation({}):
        log.debug("m")
        text = written(log.error, "bad")

    assert text == (
        OWN + '"Buffered debug lines were dropped","coldStart":true,"context":{"lines":1}}\n'
        + ERROR + '"bad","coldStart":true}\n'
    )  # fmt: skip


def test_warnings_do_not_write_debug_lines(sl, log, configure):
    configure(buffer_debug_bytes=10_000)

    with sl.invocation({}):
        log.debug("one")
        text = written(log.warning, "w")

    assert text == WARN + '"w","coldStart":true}\n'


def test_outside_an_invocation_nothing_is_kept(log, configure):
    configure(buffer_debug_bytes=10_000)
    log.debug("one")

    assert written(log.error, "bad") == ERROR + '"bad"}\n'


def test_a_level_that_writes_debug_needs_no_buffer(sl, log, configure):
    configure("DEBUG", buffer_debug_bytes=10_000)

    with sl.invocation({}):
        assert written(log.debug, "one") == DEBUG + '"one","coldStart":true}\n'


@pytest.mark.parametrize("size", [-1, "10", 1.5, True, None])
def test_a_wrong_buffer_size_is_reported_and_keeps_nothing(sl, log, configure, size):
    warning_line = only_line(written(configure, buffer_debug_bytes=size))

    with sl.invocation({}):
        text = written(log.debug, "one") + written(log.error, "bad")

    assert warning_line["message"].startswith("buffer_debug_bytes wants bytes, got ")
    assert text == ERROR + '"bad","coldStart":true}\n'


# --- exceptions

SOURCE = """def fail():
    raise KeyError("k")
def wrap():
    try:
        fail()
    except KeyError as error:
        raise ValueError("v") from error
def handle():
    try:
        fail()
    except KeyError:
        raise ValueError("v")
def hide():
    try:
        fail()
    except KeyError:
        raise ValueError("v") from None
def recurse(n):
    return recurse(n - 1) if n else fail()
"""
FAIL = '"File \\"app.py\\", line 2, in fail: raise KeyError(\\"k\\")"'
KEY_ERROR = f'{{"type":"KeyError","message":"\'k\'","stack":["File \\"app.py\\", line 5, in wrap: fail()",{FAIL}]}}'


@pytest.fixture
def app(monkeypatch):
    """The functions of `SOURCE`, from a file that tracebacks can show."""
    monkeypatch.setitem(
        sys.modules["linecache"].cache,
        "app.py",
        (len(SOURCE), None, SOURCE.splitlines(True), "app.py"),
    )
    namespace = {}
    exec(compile(SOURCE, "app.py", "exec"), namespace)  # noqa: S102 - line numbers of its own
    return namespace


def raised(function, *args):
    """Return what a function raises, without this file's frame in its traceback."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any
        function(*args)
    return caught.value.with_traceback(caught.value.__traceback__.tb_next)


def error_of(log, error, method="error"):
    return only_line(written(getattr(log, method), "m", error=error))["error"]


@pytest.mark.threat("log-errors", "log-no-source")
def test_an_exception_is_its_type_its_message_and_its_frames(log, app):
    error = raised(app["fail"])

    assert written(log.error, "m", "op", error=error, a=1) == ERROR + (
        f'"m","operation":"op","error":{{"type":"KeyError","message":"\'k\'","stack":[{FAIL}]}},'
        '"context":{"a":1}}\n'
    )


def test_an_exception_without_frames_has_an_empty_stack(log):
    assert written(log.error, "m", error=ValueError("v")) == ERROR + (
        '"m","error":{"type":"ValueError","message":"v","stack":[]}}\n'
    )


def test_an_error_may_be_a_text(log):
    assert written(log.error, "m", error="bad") == ERROR + '"m","error":{"message":"bad"}}\n'
    assert written(log.error, "m", "op", "bad") == (
        ERROR + '"m","operation":"op","error":{"message":"bad"}}\n'
    )
    assert written(log.info, "m", error="bad") == INFO + '"m","error":{"message":"bad"}}\n'
    assert written(log.error, "m", error={"password": "p"}) == (
        ERROR + '"m","error":{"message":"{\\"password\\":\\"[REDACTED]\\"}"}}\n'
    )


def test_a_cause_is_reported(log, app):
    assert error_of(log, raised(app["wrap"])) == {
        "type": "ValueError", "message": "v",
        "stack": ['File "app.py", line 7, in wrap: raise ValueError("v") from error'],
        "cause": {
            "type": "KeyError", "message": "'k'",
            "stack": ['File "app.py", line 5, in wrap: fail()',
                      'File "app.py", line 2, in fail: raise KeyError("k")'],
        },
    }  # fmt: skip


def test_what_was_being_handled_is_reported_unless_it_was_suppressed(log, app):
    handled = error_of(log, raised(app["handle"]))
    hidden = error_of(log, raised(app["hide"]))

    assert (handled["cause"]["type"], handled["cause"]["message"]) == ("KeyError", "'k'")
    assert list(hidden) == ["type", "message", "stack"]


def test_notes_are_reported(log):
    error = ValueError("v")
    error.add_note("one")
    error.add_note(f"two {JWT}")

    assert error_of(log, error)["notes"] == ["one", "two [REDACTED]"]


def test_a_group_says_its_members(log):
    group = ExceptionGroup("g", [KeyError("k"), ValueError("v")])

    assert written(log.error, "m", error=group) == ERROR + (
        '"m","error":{"type":"ExceptionGroup","message":"g (2 sub-exceptions)","stack":[],'
        '"exceptions":[{"type":"KeyError","message":"\'k\'","stack":[]},'
        '{"type":"ValueError","message":"v","stack":[]}]}}\n'
    )


def test_groups_in_groups_end(log):
    group = ExceptionGroup("g", [KeyError("k")] * 20)
    text = written(log.error, "m", error=group)
    for_all = ExceptionGroup(
        "g", [ExceptionGroup("g", [ExceptionGroup("g", [group] * 20)] * 20)] * 20
    )

    assert text.count("KeyError") == 10
    assert only_line(written(log.error, "m", error=for_all))["error"]["type"] == "ExceptionGroup"


def test_causes_end(log):
    error = root = ValueError(0)
    circular = KeyError("k")
    circular.__cause__ = circular
    chain = [ValueError(n) for n in range(1, 9)]
    error.__cause__ = chain[0]
    list(map(setattr, chain, ["__cause__"] * 7, chain[1:]))

    assert written(log.error, "m", error=root).count('"type":"ValueError"') == 6
    assert list(error_of(log, circular)) == ["type", "message", "stack"]


def test_a_deep_recursion_shows_where_it_began_and_ended(log, app):
    stack = error_of(log, raised(app["recurse"], 200))["stack"]

    assert len(stack) == 51
    assert stack[9:12] == [
        'File "app.py", line 19, in recurse: return recurse(n - 1) if n else fail()',
        "... 152 more frames",
        'File "app.py", line 19, in recurse: return recurse(n - 1) if n else fail()',
    ]
    assert stack[-1] == 'File "app.py", line 2, in fail: raise KeyError("k")'


def test_frames_of_much_code_do_not_fill_the_memory(sl, log):
    namespaces = [{} for _ in range(1100)]
    sources = [compile("\n" * n + "def f(): 1/0", "x.py", "exec") for n in range(1100)]
    list(map(exec, sources, namespaces))

    text = written(lambda: [log.error("m", error=raised(space["f"])) for space in namespaces])

    assert text.count('"stack":["File \\"x.py\\", line ') == 1100
    assert len(sl._line._exceptions._frames) <= 1025


@pytest.mark.parametrize("method", ["info", "warning", "error", "fatal"])
def test_exc_info_takes_the_exception_that_is_being_handled(log, app, method):
    def call():
        try:
            app["fail"]()
        except KeyError:
            getattr(log, method)("m", exc_info=True)

    error = only_line(written(call))["error"]

    assert (error["type"], error["message"]) == ("KeyError", "'k'")
    assert error["stack"][-1] == 'File "app.py", line 2, in fail: raise KeyError("k")'


def test_exception_takes_the_exception_that_is_being_handled(log, app):
    def call():
        try:
            app["fail"]()
        except KeyError:
            log.exception(message="m", operation="op", a=1)

    line = only_line(written(call))

    assert (line["level"], line["operation"], line["context"]) == ("ERROR", "op", {"a": 1})
    assert line["error"]["type"] == "KeyError"


def test_exc_info_stands_beside_values_that_need_a_look(log, app):
    def call():
        try:
            app["fail"]()
        except KeyError:
            log.error({"a": 1}, "op", None, "surplus", exc_info=True, b={1})

    line = only_line(written(call))

    assert line["error"]["type"] == "KeyError"
    assert line["context"] == {"b": [1], "args": ["surplus"]}


@pytest.mark.parametrize(
    "exc_info",
    [
        pytest.param(ValueError("v"), id="instance"),
        pytest.param((ValueError, ValueError("v"), None), id="tuple"),
    ],
)
def test_exc_info_may_be_the_exception(log, exc_info):
    expected = '"m","error":{"type":"ValueError","message":"v","stack":[]}}\n'

    assert written(log.warning, "m", exc_info=exc_info) == WARN + expected
    assert written(log.error, "m", exc_info=exc_info) == ERROR + expected
    assert written(log.exception, "m", exc_info=exc_info) == ERROR + expected


@pytest.mark.parametrize("exc_info", [True, False, None, 1, "yes", (None, None, None), (1,)])
def test_exc_info_without_an_exception_leaves_the_line_as_it_is(log, exc_info):
    assert written(log.error, "m", exc_info=exc_info) == ERROR + '"m"}\n'
    assert written(log.info, "m", exc_info=exc_info) == INFO + '"m"}\n'


def test_a_text_and_the_current_exception_are_both_reported(log):
    def call():
        try:
            raise KeyError("k")
        except KeyError:
            log.error("m", error="bad", exc_info=True)

    line = only_line(written(call))

    assert (line["error"]["type"], line["context"]) == ("KeyError", {"errorText": "bad"})


def test_the_exception_that_is_given_wins_over_the_current_one(log):
    def call():
        try:
            raise KeyError("k")
        except KeyError:
            log.exception("m", error=ValueError("v"))

    line = only_line(written(call))

    assert (line["error"]["type"], "context" in line) == ("ValueError", False)


@pytest.mark.parametrize("method", ["error", "fatal", "warning", "info"])
def test_an_error_that_carries_a_code_is_found_by_it(log, method):
    error = ApplicationError(ErrorCode.SESSION_NOT_FOUND)

    line = only_line(written(getattr(log, method), "m", error=error))
    by_exc_info = only_line(written(getattr(log, method), "m", exc_info=error))

    assert line["errorCode"] == by_exc_info["errorCode"] == "SESSION_NOT_FOUND"


def test_a_code_per_call_wins_over_the_errors_own(log):
    error = ApplicationError(ErrorCode.SESSION_NOT_FOUND)

    assert only_line(written(log.error, "m", error=error, errorCode="X"))["errorCode"] == "X"


class SpeechlessError(Exception):
    def __str__(self):
        raise RuntimeError("no")

    code = property(__str__)


class CauselessError(Exception):
    __cause__ = property(lambda self: 1 / 0)


class FalsyError(Exception):
    def __len__(self):
        return 0

    def __eq__(self, other):
        raise RuntimeError("no")

    __hash__ = None


class NotedError(Exception):
    __notes__ = property(lambda self: 1 / 0)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        pytest.param(SpeechlessError(), '{"type":"SpeechlessError","message":"<unreadable>","stack":[]}', id="message"),
        pytest.param(CauselessError("c"), '{"type":"CauselessError","message":"c","stack":[]}', id="cause"),
        pytest.param(NotedError("n"), '{"type":"NotedError","message":"n","stack":[]}', id="notes"),
        pytest.param(type("N" * 500, (Exception,), {})(), f'{{"type":"{"N" * 64}","message":"","stack":[]}}', id="name"),
        pytest.param(ValueError("x y" * 1000),
                     f'{{"type":"ValueError","message":"{("x y" * 1000)[:1009]}...[3000 chars]","stack":[]}}', id="long"),
        pytest.param(ValueError(f"got {JWT}"), '{"type":"ValueError","message":"got [REDACTED]","stack":[]}', id="token"),
        pytest.param(KeyboardInterrupt(), '{"type":"KeyboardInterrupt","message":"","stack":[]}', id="interrupt"),
    ],
)  # fmt: skip
def test_an_exception_of_any_kind_is_reported(log, error, shown):
    assert written(log.error, "m", error=error) == ERROR + f'"m","error":{shown}}}\n'
    assert written(log.error, {1}, error=error) == ERROR + f'"[1]","error":{shown}}}\n'


def test_notes_that_are_no_list_are_reported(log):
    error = ValueError("v")
    error.__notes__ = {"password": "p"}

    assert error_of(log, error)["notes"] == {"password": "[REDACTED]"}


def test_a_cause_that_says_it_is_nothing_is_reported(log):
    error, cause = FalsyError("a"), FalsyError("b")
    error.__cause__ = cause
    cause.__cause__ = error

    assert error_of(log, error)["cause"] == {"type": "FalsyError", "message": "b", "stack": []}


# --- other libraries' records


def test_library_records_come_through_the_same_renderer(configure, library_logging):
    configure()

    text = written(
        logging.getLogger("urllib3.pool").warning, "hi %s", "x", extra={"foo": 1, "session_id": "s"}
    )

    assert text == AT + (
        '"level":"WARN","component":"urllib3.pool","message":"hi x","sessionId":"s",'
        '"context":{"foo":1}}\n'
    )


@pytest.mark.parametrize(
    ("number", "level"),
    [(5, "TRACE"), (1, "TRACE"), (10, "DEBUG"), (20, "INFO"), (25, "INFO"), (30, "WARN"), (40, "ERROR"), (50, "FATAL"), (60, "FATAL")],
)  # fmt: skip
def test_a_records_level_gets_lambdas_name(configure, library_logging, number, level):
    configure("TRACE")
    record = logging.LogRecord("lib", number, "x.py", 1, "m", (), None)

    assert written(logging.getLogger("lib").handle, record) == (
        AT + f'"level":"{level}","component":"lib","message":"m"}}\n'
    )


def test_no_record_is_written_twice(configure, library_logging):
    """The runtime has put its own handler on the root logger before."""
    library_logging.addHandler(logging.StreamHandler(sys.stdout))
    configure()
    configure()

    assert written(logging.getLogger("lib").warning, "m").count("\n") == 1
    assert len(library_logging.handlers) == 1


def test_a_records_arguments_may_not_fit(configure):
    configure()

    assert written(logging.getLogger("lib").warning, "%d %s", "x") == (
        AT + '"level":"WARN","component":"lib","message":"%d %s [\\"x\\"]"}\n'
    )


def test_a_record_keeps_the_stack_that_it_was_asked_for(configure):
    configure()

    line = only_line(written(logging.getLogger("lib").warning, "m", stack_info=True))

    assert line["context"]["stack"][0] == "Stack (most recent call last):"
    assert len(line["context"]["stack"]) > 2


def test_a_record_carries_its_exception_and_the_invocations_ids(sl, configure):
    configure()

    def call():
        with sl.invocation(EVENT, LambdaContext()):
            try:
                raise KeyError("k")
            except KeyError:
                logging.getLogger("lib").exception("m")

    line = only_line(written(call))

    assert (line["level"], line["requestId"], line["error"]["type"]) == (
        "ERROR",
        "lambda-1",
        "KeyError",
    )


@pytest.mark.parametrize("fields", [
    pytest.param({"exc_info": 1}, id="exc-info"),
    pytest.param({"exc_info": (None, None, None)}, id="empty-exc-info"),
    pytest.param({"foo": CIRCULAR}, id="circular"),
    pytest.param({"name": None}, id="name"),
])  # fmt: skip
def test_a_record_of_any_shape_is_one_line(configure, fields):
    configure()
    record = logging.makeLogRecord({"msg": "m", "levelno": 30, "name": "lib", **fields})

    line = only_line(written(logging.getLogger("lib").handle, record))

    assert (line["level"], line["message"]) == ("WARN", "m")


def test_library_records_follow_the_level_and_the_chatty_ones_are_quiet(configure, library_logging):
    logging.getLogger("boto3").setLevel(logging.ERROR)
    configure("debug")

    assert library_logging.level == logging.DEBUG
    assert written(logging.getLogger("lib").debug, "m").count("\n") == 1
    assert written(logging.getLogger("botocore.hooks").info, "m") == ""
    assert written(logging.getLogger("boto3").warning, "m") == ""


@pytest.mark.threat("log-one-module")
def test_library_records_are_redacted(configure):
    configure()

    line = only_line(
        written(logging.getLogger("lib").warning, "Bearer abcdefghijklmnop", extra={"token": "t"})
    )

    assert (line["message"], line["context"]) == ("Bearer [REDACTED]", {"token": "[REDACTED]"})


# --- redaction

SECRETS = [
    "token", "refresh_token", "Authorization", "Set-Cookie", "x-api-key", "audioData", "body",
    "transcript",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_hidden_wherever_its_name_stands(sl, log, name):
    hidden = f'{{"{name}":"[REDACTED]"}}'

    with sl.logging_context(**{name: "hunter2"}):
        in_scope = written(log.info, "m")

    assert written(log.info, "m", **{name: "hunter2"}) == INFO + f'"m","context":{hidden}}}\n'
    assert written(log.bind(**{name: "hunter2"}).info, "m") == INFO + f'"m","context":{hidden}}}\n'
    assert (
        written(log.info, "m", a=[{name: "hunter2"}])
        == INFO + f'"m","context":{{"a":[{hidden}]}}}}\n'
    )
    assert in_scope == INFO + f'"m","context":{hidden}}}\n'
    assert "hunter2" not in written(
        log.error, {name: "hunter2"}, {name: "hunter2"}, {name: "hunter2"}
    )


@pytest.mark.parametrize("token", [JWT, "Bearer abcdefghijklmnop", "AKIAABCDEFGHIJKLMNOP"])
def test_a_token_is_hidden_wherever_it_stands(log, token):
    secret = token.removeprefix("Bearer ")
    texts = [
        written(log.info, f"got {token}"),
        written(log.info, "m", token),
        written(log.info, "m", a=token, session_id=token),
        written(log.info, "m", **{f"key {token}": 1}),
        written(log.info, "m", a=[{f"key {token}": [token]}]),
        written(log.bind(a=token, sessionId=token).info, "m"),
        written(log.error, "m", error=ValueError(token)),
        written(log.error, "m", error=token),
        written(log.info, {"a": token}, "op", token),
    ]

    assert [secret in text for text in texts] == [False] * 9
    assert ["[REDACTED]" in text for text in texts] == [True] * 9


@pytest.mark.parametrize(
    ("settings", "fields", "shown"),
    [
        pytest.param({"redact": ["nick*"]}, {"nickName": 1, "b": 2}, '{"nickName":"[REDACTED]","b":2}', id="name"),
        pytest.param({"redact": ["items.*.id"]}, {"items": [{"id": 1}]}, '{"items":[{"id":"[REDACTED]"}]}', id="path"),
        pytest.param({"allow": ["body"]}, {"body": "b"}, '{"body":"b"}', id="allow"),
        pytest.param({"censor": "#"}, {"token": "t"}, '{"token":"#"}', id="censor"),
        pytest.param({"censor": lambda v, p: f"{p} {len(v)}"}, {"a": {"token": "tt"}}, '{"a":{"token":"a.token 2"}}', id="callable"),
        pytest.param({"censor": lambda v, p: 1 / 0}, {"token": "t"}, '{"token":"[REDACTED]"}', id="raising"),
        pytest.param({"mask_ip": True}, {"ip_address": "203.0.113.77"}, '{"ip_address":"203.0.113.0"}', id="v4"),
        pytest.param({"mask_ip": True}, {"sourceIp": "2001:db8:1:2::5"}, '{"sourceIp":"2001:db8:1::"}', id="v6"),
        pytest.param({"protect": False}, {"token": "t", "a": JWT}, f'{{"token":"t","a":"{JWT}"}}', id="off"),
    ],
)  # fmt: skip
def test_settings_decide_what_is_hidden(log, configure, settings, fields, shown):
    configure(**settings)

    assert written(log.info, "m", **fields) == INFO + f'"m","context":{shown}}}\n'
    assert written(log.info, "m", error=None, **fields) == INFO + f'"m","context":{shown}}}\n'
    assert written(log.bind(**fields).info, "m") == INFO + f'"m","context":{shown}}}\n'
    assert written(log.bind(**fields).info, "m", error=None) == INFO + f'"m","context":{shown}}}\n'
    assert written(log.bind(z=1).info, "m", z=2, **fields).endswith(f",{shown[1:]}}}\n")


@pytest.mark.parametrize(
    ("call", "rest"),
    [
        pytest.param({"token": "t"}, "", id="all"),
        pytest.param({"token": "t", "a": 1}, ',"context":{"a":1}', id="some"),
        pytest.param({"token": "t", "sessionId": "s"}, ',"sessionId":"s"', id="but-the-id"),
        pytest.param({"token": "t", "error": None}, "", id="all-with-a-look"),
    ],
)
def test_removed_fields_leave_no_trace(log, configure, call, rest):
    configure(remove=True)

    assert written(log.info, "m", **call) == INFO + f'"m"{rest}}}\n'
    assert json.loads(written(log.bind(b=2, token="t").info, "m", **call))["context"]["b"] == 2
    assert "token" not in written(log.bind(token="t").info, "m", **call)


def test_settings_hold_for_loggers_that_exist(sl, log, configure):
    bound = log.bind(nick=1)
    with sl.logging_context(a=1):
        before = written(bound.info, "m")
        configure(redact=["nick"])
        after = written(bound.info, "m")

    assert before == INFO + '"m","context":{"a":1,"nick":1}}\n'
    assert after == INFO + '"m","context":{"a":1,"nick":"[REDACTED]"}}\n'


# --- bounds


def test_a_line_that_is_too_long_keeps_a_part_of_every_value(log):
    line = only_line(written(log.info, "m" * 90, **{f"f{n}": "x y" * 300 for n in range(30)}))

    assert line["message"] == "m" * 90
    assert line["context"]["f29"] == ("x y" * 300)[:242] + "...[900 chars]"


def test_a_line_of_many_fields_keeps_the_first(log):
    fields = {f"f{n:04}": "x y" * 300 for n in range(3000)}

    line = only_line(written(log.bind(sessionId="s").info, "x y" * 300, **fields))

    assert line["message"] == ("x y" * 300)[:242] + "...[900 chars]"
    assert line["sessionId"] == "s"
    shown = len(line["context"]) - 1
    assert line["context"]["..."] == f"{3000 - shown} more"
    assert 20 < shown < 200


def test_a_bound_object_of_a_type_that_cannot_be_hashed_costs_no_line(log):
    def refuse(cls):
        raise RuntimeError("no")

    value = type("Meta", (type,), {"__hash__": refuse})("Odd", (), {})()
    bound = log.bind(x=value, session_id="s")

    for write in (bound.info, bound.info, partial(log.info, x=value, session_id="s")):
        line = only_line(written(write, "m"))
        assert (line["message"], line["sessionId"]) == ("m", "s")
        assert "x" in line["context"]


def test_many_huge_fields_are_not_looked_at_whole(log):
    looked_at = 0

    class Item:
        def __repr__(self):
            nonlocal looked_at
            looked_at += 1
            return "item"

    only_line(written(log.info, "m", **{f"f{n}": [Item()] * 1000 for n in range(50)}))

    assert 0 < looked_at < 3000  # in each of the attempts to fit it in a line


def test_a_huge_field_does_not_cost_the_ids(log):
    huge = list(range(2000))

    line = only_line(written(log.info, "m", "op", huge=huge, session_id="s"))
    looked_at = only_line(written(log.bind(huge=huge).info, "m", "op", session_id="s", b={1}))

    assert line["context"]["huge"] == huge
    assert looked_at["context"]["huge"] == huge
    assert (line["sessionId"], line["operation"]) == ("s", "op")
    assert (looked_at["sessionId"], looked_at["operation"]) == ("s", "op")


@pytest.mark.parametrize("character", ["é", "\U0001f600", "\ud800", '"', "\x00"])
@pytest.mark.threat("log-flood", "log-no-exhaustion")
def test_the_bound_of_a_line_is_in_bytes(log, character):
    long = character * 2000

    line = only_line(written(
        log.bind(sessionId=long, **{f"{n}{long}": long for n in range(40)}).error,
        long, long, ValueError(long), **{f"f{n}{long}": long for n in range(40)},
    ))  # fmt: skip

    assert (line["level"], line["error"]["type"]) == ("ERROR", "ValueError")


def test_a_line_of_exactly_16_kib_is_written_as_it_is(log):
    room = 16384 - len(INFO + '"m","context":{"a":[]}}\n')
    values = ["x y " * 24] * (room // 99)
    values.append("z" * (room % 99 + 96 - 98))

    exact = written(log.info, "m", a=values)
    over = written(log.info, "m", a=[*values[:-1], values[-1] + "z"])

    assert (len(exact), json.loads(exact)["context"]["a"]) == (16384, values)
    assert len(over) < 16384


def test_a_huge_component_and_service_still_fit():
    module = begun(load(SERVICE_NAME="\U0001f600" * 1000))
    logger = module.get_structured_logger("\U0001f600" * 1000)
    long = "\U0001f600" * 1000

    text = written(logger.error, long, long, type(long[:0] + "N" * 200, (Exception,), {})(long),
                   **{f"{n}{long}": long for n in range(40)}, **dict.fromkeys({*module._line._TOP_LEVEL} - {"operation"}, long))  # fmt: skip

    assert only_line(text)["level"] == "ERROR"


def test_without_protection_a_line_is_still_bounded_json(log, configure):
    configure(protect=False)

    line = only_line(
        written(log.info, "m", token="x y" * 10_000, a=float("nan"), b={1}, c=CIRCULAR)
    )

    assert line["context"]["a"] == "nan"
    assert line["context"]["token"].startswith("x yx y")


def test_class_names_cannot_make_a_line_too_long(log):
    """Of each value 32 characters are left, of every kind that says something."""
    name = "\U0001d4d0" * 64
    unreadable = type(name, (Hostile,), {})()
    data = type(name, (bytes,), {})(b"abc")
    ids = dict.fromkeys({*structured_logger._line._TOP_LEVEL} - {"operation"}, unreadable)
    fields = {f"{n}{name}": data for n in range(3000)}

    line = only_line(
        written(
            log.error, unreadable, unreadable, type(name, (Exception,), {})(name), **ids, **fields
        )
    )

    assert list(line["context"].values())[:7] == ["<" + name[:31]] * 7


def test_a_censor_cannot_make_a_line_too_long(log, configure):
    configure(censor=lambda value, path: "\U0001f600" * 5000)

    line = only_line(written(log.info, "m", **{f"token{n}_token": 1 for n in range(40)}))

    assert line["context"]["token0_token"] == "\U0001f600" * 17 + "...[5000 chars]"


def test_the_shortest_form_of_a_line_is_written_whatever_its_size(sl, log, monkeypatch):
    monkeypatch.setattr(sl._line, "MAX_LINE_BYTES", 100)

    assert written(log.info, {1}, "op", a="x y" * 20) == INFO + (
        '"[1]","operation":"op","context":{"a":"' + ("x y" * 20)[:19] + '...[60 chars]"}}\n'
    )


# --- the last resort


def test_when_nothing_can_be_written_that_is_written(sl, log):
    sl._line.clock = lambda: 1 / 0

    line = only_line(written(log.error, "m", a=1))

    assert list(line) == ["timestamp", "level", "component", "message"]
    assert (line["level"], line["component"], line["message"]) == (
        "ERROR", "shared_utils", "A log line could not be written")  # fmt: skip


@pytest.mark.threat("log-no-harm")
def test_a_closed_stdout_breaks_nothing(log, monkeypatch):
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stdout", stream)

    assert log.info("m") is None
    assert log.error("m", error=ValueError()) is None


# --- any object, one line


class Hostile:
    """Raises wherever it is touched."""

    def __getattribute__(self, *_):
        raise RuntimeError("no")

    __repr__ = __str__ = __len__ = __eq__ = __hash__ = __iter__ = __bool__ = __getattribute__
    __call__ = __getitem__ = __int__ = __float__ = __index__ = __enter__ = __getattribute__
    __class__ = property(__getattribute__)


class Unequal:
    """Can be hashed once, is equal to nothing without an error."""

    def __hash__(self):
        return 1

    def __eq__(self, other):
        raise RuntimeError("no")


class Number(int):
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __index__ = __int__ = __format__ = __hash__ = __eq__ = __lt__ = __str__


class Fraction(float):
    def __str__(self):
        return "x y" * 50_000

    __repr__ = __str__

    def __float__(self):
        raise RuntimeError("no")


class Dictionary(dict):
    def items(self):
        raise RuntimeError("no")

    __len__ = __iter__ = keys = values = get = __getitem__ = __bool__ = items


class Endless(list):
    def __iter__(self):
        return iter(int, 1)


class Lengthy(collections.UserDict):
    def __len__(self):
        return 10**30


class Nameless(type):
    @property
    def __name__(cls):
        raise RuntimeError("no")


class Anonymous(metaclass=Nameless):
    def __repr__(self):
        raise RuntimeError("no")


class LyingError(Exception):
    __cause__ = __notes__ = __traceback__ = __dict__ = property(lambda self: 1 / 0)


OBJECTS = [
    Hostile(), Hostile, Unequal(), Text("hostile"), Number(5), Fraction("nan"), Fraction(1.0),
    Dictionary(a=1), Dictionary, Endless([1]), Lengthy(a=1), Anonymous(), Anonymous, CIRCULAR,
    SpeechlessError(), CauselessError(), FalsyError(), NotedError(), LyingError(),
    ExceptionGroup("g", [SpeechlessError(), FalsyError()]),
    (n for n in range(3)), range(10**12), list(range(100_000)), {n: str(n) for n in range(100_000)},
    "\U0001f600" * 50_000, "\ud800" * 50_000, b"x" * 100_000, "QUJD" * 50_000, 10**5000, -(10**4000),
    float("nan"), float("-inf"), Decimal("sNaN"), Decimal("9" * 20_000), Decimal("1E+999999"),
    Colour.RED, Point(Hostile()), object(), Exception, lambda: None, sys, print,
]  # fmt: skip
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(), st.binary(),
    st.datetimes(), st.uuids(), st.complex_numbers(), st.fractions(),
    st.text(st.characters(codec=None), max_size=5).map(lambda text: text * 3000),
    st.integers(0, len(OBJECTS) - 1).map(lambda n: OBJECTS[n]),
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.tuples(inner, inner),
        st.builds(Point, inner),
        st.builds(ValueError, inner),
        st.dictionaries(st.one_of(st.text(), st.integers(), st.none(), st.binary()), inner, max_size=5),
        st.dictionaries(st.text(), inner, max_size=5).map(collections.ChainMap),
    ),
    max_leaves=15,
)  # fmt: skip
names = st.one_of(
    st.text(max_size=200),
    st.sampled_from(
        [*structured_logger._line._TOP_LEVEL, "exc_info", "args", "context", "token", JWT]
    ),
).filter(lambda name: name not in ("message", "operation", "error"))
fields = st.dictionaries(names, anything, max_size=5)
MODULE = begun(load())


@given(anything, anything, anything, fields, fields, fields)
@pytest.mark.threat("log-untrusted")
def test_any_object_anywhere_is_one_valid_line(message, operation, error, given_, bound, scope):
    def call():
        with MODULE.logging_context(**scope):
            MODULE.StructuredLogger("C").bind(**bound).error(message, operation, error, **given_)

    line = only_line(written(call))

    assert list(line)[:4] == ["timestamp", "level", "component", "message"]
    assert line["level"] == "ERROR"
    assert isinstance(line["message"], str)


@given(anything, fields, st.sampled_from(["info", "warning", "exception", "fatal"]))
def test_any_object_alone_keeps_its_component(value, given_, method):
    log = MODULE.StructuredLogger("C")

    line = only_line(written(getattr(log, method), value))
    other = only_line(written(getattr(log, method), "m", **given_, value=value))

    assert (line["component"], other["component"]) == ("C", "C")
    assert other["message"] == "m"


@pytest.mark.parametrize("number", range(len(OBJECTS)))
@pytest.mark.parametrize("method", ["info", "error"])
def test_each_hostile_object_leaves_the_rest_of_its_line(log, number, method):
    value = OBJECTS[number]

    def call():
        getattr(log.bind(bound=value), method)("m", value, value, given=value, session_id=value)

    line = only_line(written(call))

    assert (line["component"], line["message"]) == ("C", "m")
    assert {"sessionId", "operation"} & line.keys()
    assert "bound" in line["context"]


@given(anything)
def test_any_object_is_a_component_an_id_and_a_key(value):
    def call():
        log = MODULE.get_structured_logger(value, value, value, value, value, value=value)
        log.sampled(value, 2).warning("m")

    assert only_line(written(call))["level"] == "WARN"


@given(anything)
def test_any_object_is_an_event(value):
    with MODULE.invocation(None, value):
        assert only_line(written(MODULE.StructuredLogger("C").info, "m"))["message"] == "m"
    with MODULE._Invocation({"requestContext": value, "body": value}, value):
        assert only_line(written(MODULE.StructuredLogger("C").info, "m"))["message"] == "m"


@given(
    st.sampled_from([*SECRETS, "PassWord", "client-secret", "PCM_data"]),
    st.sampled_from(["hunter2-4711", "Bearer hunter2-4711-4711", "eyJhunter2-4711.eyJh.abc"]),
    st.lists(st.text(max_size=5), max_size=4),
    st.text(max_size=20),
)
def test_a_secret_is_on_no_line(name, secret, path, around):
    value = {name: [secret, {"a": secret}]}
    for step in path:
        value = {step: (value,)}

    def call():
        log = MODULE.StructuredLogger("C").bind(bound=value, **{name: secret})
        with MODULE.logging_context(scope=value):
            log.info(value, value, field=value, **{f"{name}": secret})
            log.error(
                around, error=KeyError("k"), exc_info=value, field=value, more={"x y" * 500: 1}
            )
            log.warning(around, **{f"f{n}": ["x y" * 300, value] for n in range(40)})

    text = written(call)

    assert text.count("\n") == 3
    assert "hunter2-4711" not in text


# What may stand beside a token without being a part of it.
around = st.text(st.characters(exclude_characters=string.ascii_letters + string.digits + "_-+/=.~"))


@given(
    st.sampled_from([JWT, "Bearer hunter2-4711-4711", "AKIAHUNTER2HUNTER222"]),
    around,
    around,
)  # fmt: skip
def test_a_token_is_recognised_by_its_shape_in_any_text(token, before, after):
    text = f"{before}{token}{after}"

    def call():
        log = MODULE.StructuredLogger("C").bind(a=text, sessionId=text)
        log.info(text, text, field=text, more=[{text: text}])
        log.error(text, text, ValueError(text), **{text: 1})

    lines = written(call)

    assert lines.count("\n") == 2
    assert token.removeprefix("Bearer ") not in lines


# --- whole processes


def run(code, **environ):
    """Run code in a new interpreter with these settings and return what it writes."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": PYTHON_PATH, **environ},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


HELLO = """
from shared_utils.structured_logger import *
log = get_structured_logger("C")
log.info("one")
log.debug("two")
"""


def test_a_process_with_a_wrong_level_starts_and_says():
    warning_line, line = map(json.loads, run(HELLO, LOG_LEVEL="verbose").splitlines())

    assert (warning_line["level"], warning_line["message"]) == (
        "WARN",
        "LOG_LEVEL is not a level, using INFO: verbose",
    )
    assert line["message"] == "one"
    assert line["context"]["environment"]["layerVersion"] == shared_utils.__version__


def test_a_process_follows_its_environment():
    lines = run(
        HELLO + "with invocation({}): log.info('three')",
        LOG_LEVEL="debug", AWS_LAMBDA_LOG_LEVEL="DEBUG", SERVICE_NAME="audio",
        AWS_LAMBDA_INITIALIZATION_TYPE="provisioned-concurrency",
        AWS_LAMBDA_FUNCTION_NAME="f", _X_AMZN_TRACE_ID="Root=1-a;Sampled=0",
    ).splitlines()  # fmt: skip
    one, two, three = map(json.loads, lines)

    assert [line["service"] for line in (one, two, three)] == ["audio"] * 3
    assert one["context"]["environment"]["functionName"] == "f"
    assert (two["level"], "context" in two) == ("DEBUG", False)
    assert (three["coldStart"], three["traceId"]) == (False, "1-a")


def test_a_process_without_settings_needs_none():
    (line,) = map(json.loads, run(HELLO).splitlines())

    assert list(line) == ["timestamp", "level", "component", "message", "context"]
    assert datetime.datetime.fromisoformat(line["timestamp"]).tzinfo is datetime.UTC


RUNTIME = """
import sys
class Unbuffered:
    def __init__(self, stream): self.stream = stream
    def __getattr__(self, name): return getattr(self.stream, name)
    def write(self, text): self.stream.write(text); self.stream.flush()
sys.stdout = Unbuffered(sys.stdout)
"""
PLAIN = "import sys"
THREADS = """
import threading
from shared_utils.structured_logger import *
log = get_structured_logger("C")
long = {f"f{n}": "x y " * 250 for n in range(8)}
def work(thread):
    own = log.bind(thread=thread)
    with invocation({}):
        for n in range(12500):
            if n % 50: own.info("m", n=n)
            else: own.info("long", n=n, **long)
threads = [threading.Thread(target=work, args=(t,)) for t in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
"""


@pytest.mark.slow
@pytest.mark.parametrize("stdout", [
    pytest.param(RUNTIME, id="as-under-the-runtime"),
    pytest.param(PLAIN, id="plain-stdout"),
])  # fmt: skip
def test_eight_threads_lose_and_mix_nothing(stdout):
    """100,000 lines, 2,000 of them of 8 KB, into a pipe."""
    lines = [json.loads(line) for line in run(stdout + THREADS).splitlines()]

    assert len(lines) == 100_000
    assert {(line["context"]["thread"], line["context"]["n"]) for line in lines} == {
        (thread, n) for thread in range(8) for n in range(12_500)
    }
    assert sum(len(line["context"].get("f7", "")) == 1000 for line in lines) == 2000
