"""What a person sees: lines of functions in one piece, and tables that line up."""

from __future__ import annotations

import json

import pytest

from wslocal.show import is_platform_line, shown_line, shown_status
from wslocal.words import printable, sentence_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("hello", "Send | hello", id="text"),
        pytest.param("a\tb \n", "Send | a\tb", id="tab"),
        pytest.param("first\r  second", "Send | first\nSend |   second", id="of-several"),
        pytest.param("\x1b[2Jgone", "Send | \\x1b[2Jgone", id="escape"),
        pytest.param("\u202eabc", "Send | \\u202eabc", id="direction"),
    ],
)
def test_line_of_a_function(text, shown):
    assert shown_line("Send", text) == shown


def record(kind, **more):
    return json.dumps({"time": "", "type": f"platform.{kind}", "record": more})


@pytest.mark.parametrize(
    ("text", "is_platforms"),
    [
        pytest.param("START RequestId: 1 Version: $LATEST", True, id="start"),
        pytest.param("REPORT RequestId: 1\tDuration: 1 ms", True, id="report"),
        pytest.param("REPORT RequestId: 1\tStatus: error\tError Type: X", False, id="failed"),
        pytest.param("[WARNING] LAMBDA_WARNING: Unhandled exception. The", True, id="hint"),
        pytest.param("STARTED", False, id="text"),
        pytest.param(record("start", requestId="1"), True, id="json-start"),
        pytest.param(record("report", errorType="X"), False, id="json-failed"),
        pytest.param('{"type": "order"}', False, id="json"),
        pytest.param("{no json", False, id="no-json"),
    ],
)
def test_lines_that_lambda_writes(text, is_platforms):
    assert is_platform_line(text) is is_platforms


def test_status():
    function = {"function": "Send", "environments": 2, "busy": 0, "waiting": 0}
    state = {
        "apis": {"chat": {"url": "ws://x/dev", "connections": 1}},
        "functions": [{**function, "invocations": 12, "errors": 0}],
        "queues": [{"queue": "arn:jobs", "function": "Work"}],
    }

    assert shown_status(state) == "\n".join(
        [
            "ws://x/dev  1 connection",
            "",
            "function  environments  busy  waiting  invocations  errors",
            "Send                 2     0        0           12       0",
            "",
            "queue     function  waiting",
            "arn:jobs  Work",
        ]
    )


def test_sentence_is_one_line_and_never_empty():
    assert sentence_of(ValueError("a\n  b\x07")) == "a b\\x07"
    assert sentence_of(ValueError()) == "ValueError"
    assert printable("\ud800") == "\\ud800"
