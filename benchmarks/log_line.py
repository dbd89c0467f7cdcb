"""What does a log line cost, against the loggers that functions use today?

Every contender writes the same facts: three bound ids, five fields, level, time, component and
message. Before the clock starts, each line is parsed and looked through for them.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from _harness import (
    Budget,
    Report,
    Stdout,
    become_lambda,
    build,
    fail,
    find,
    parse_options,
    time_calls,
)
from _samples import BOUND, CONNECTION_ID, FIELDS, MESSAGE, SERVICE, SESSION_ID, request_ids

ERROR_MESSAGE = "Audio chunk refused"
IDS = request_ids()


@dataclass(frozen=True)
class Calls:
    """One contender's calls; `None` where it has nothing to compare."""

    info: Callable[[], object]
    debug: Callable[[], object] | None = None
    bind: Callable[[], object] | None = None
    bind_and_info: Callable[[], object] | None = None
    exception: Callable[[], object] | None = None


def catching(log: Callable[[], object]) -> Callable[[], None]:
    """Return a call that raises through six frames and logs what it caught."""

    def call() -> None:
        try:
            _one()
        except ValueError:
            log()

    return call


# The frame of `call`, then these five: six in the traceback.
def _one() -> None:
    _two()


def _two() -> None:
    _three()


def _three() -> None:
    _four()


def _four() -> None:
    _five()


def _five() -> NoReturn:
    raise ValueError("audioData must be base64")


# --- ours ----------------------------------------------------------------------------------


def ours() -> Calls:
    from shared_utils.structured_logger import get_structured_logger

    log = get_structured_logger(SERVICE).bind(**BOUND)
    bare = get_structured_logger(SERVICE)
    # fmt: off
    return Calls(
        info=lambda: log.info(MESSAGE, sequenceNumber=17, chunkBytes=6400, latencyMs=1.75, language="en-US", final=False),
        debug=lambda: log.debug(MESSAGE, sequenceNumber=17, chunkBytes=6400, latencyMs=1.75, language="en-US", final=False),
        bind=lambda: bare.bind(sessionId=SESSION_ID, connectionId=CONNECTION_ID, requestId=next(IDS)),
        bind_and_info=lambda: bare.bind(sessionId=SESSION_ID, connectionId=CONNECTION_ID, requestId=next(IDS))
            .info(MESSAGE, sequenceNumber=17, chunkBytes=6400, latencyMs=1.75, language="en-US", final=False),
        exception=catching(lambda: log.error(ERROR_MESSAGE, exc_info=True)),
    )
    # fmt: on


# --- peers ---------------------------------------------------------------------------------


def powertools(serializer: Callable[[Any], str] | None = None, name: str = SERVICE) -> Calls:
    from aws_lambda_powertools import Logger

    options = {"json_serializer": serializer} if serializer else {}
    log = Logger(service=name, level="INFO", **options)
    log.append_keys(**BOUND)
    keys = list(BOUND)
    # A Logger of the same name is the same logger: binding needs one of its own.
    other = Logger(service=f"{name}-bare", level="INFO", **options)

    # fmt: off
    def bind() -> None:
        other.append_keys(sessionId=SESSION_ID, connectionId=CONNECTION_ID, requestId=next(IDS))
        other.remove_keys(keys)

    def bind_and_info() -> None:
        other.append_keys(sessionId=SESSION_ID, connectionId=CONNECTION_ID, requestId=next(IDS))
        other.info(MESSAGE, sequenceNumber=17, chunkBytes=6400, latencyMs=1.75, language="en-US", final=False)
        other.remove_keys(keys)

    return Calls(
        info=lambda: log.info(MESSAGE, sequenceNumber=17, chunkBytes=6400, latencyMs=1.75, language="en-US", final=False),
        debug=lambda: log.debug(MESSAGE, sequenceNumber=17, chunkBytes=6400, latencyMs=1.75, language="en-US", final=False),
        bind=bind,
        bind_and_info=bind_and_info,
        exception=catching(lambda: log.exception(ERROR_MESSAGE)),
    )
    # fmt: on


def powertools_orjson() -> Calls:
    import orjson

    return powertools(lambda line: orjson.dumps(line, default=str).decode(), f"{SERVICE}-orjson")


def python_json_logger() -> Calls:
    from pythonjsonlogger.json import JsonFormatter

    class Bound(logging.LoggerAdapter):  # type: ignore[type-arg]
        def process(self, message: Any, kwargs: Any) -> tuple[Any, Any]:
            kwargs["extra"] = {**self.extra, **kwargs.get("extra", {})}  # type: ignore[dict-item]
            return message, kwargs

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        JsonFormatter(
            ["levelname", "asctime", "name", "message"],
            rename_fields={"levelname": "level", "asctime": "timestamp", "name": "service"},
        )
    )
    base = logging.getLogger(f"{SERVICE}-python-json-logger")
    base.addHandler(handler)
    base.setLevel(logging.INFO)
    base.propagate = False
    log = Bound(base, BOUND)
    return Calls(
        info=lambda: log.info(
            MESSAGE,
            extra={
                "sequenceNumber": 17,
                "chunkBytes": 6400,
                "latencyMs": 1.75,
                "language": "en-US",
                "final": False,
            },
        ),
        debug=lambda: log.debug(
            MESSAGE,
            extra={
                "sequenceNumber": 17,
                "chunkBytes": 6400,
                "latencyMs": 1.75,
                "language": "en-US",
                "final": False,
            },
        ),
        bind=lambda: Bound(
            base, {"sessionId": SESSION_ID, "connectionId": CONNECTION_ID, "requestId": next(IDS)}
        ),
        bind_and_info=lambda: Bound(
            base, {"sessionId": SESSION_ID, "connectionId": CONNECTION_ID, "requestId": next(IDS)}
        ).info(
            MESSAGE,
            extra={
                "sequenceNumber": 17,
                "chunkBytes": 6400,
                "latencyMs": 1.75,
                "language": "en-US",
                "final": False,
            },
        ),
        exception=catching(lambda: log.exception(ERROR_MESSAGE)),
    )


def structlog_json() -> Calls:
    import structlog

    return _structlog(structlog.processors.JSONRenderer(), structlog.WriteLogger(sys.stdout))


def structlog_orjson() -> Calls:
    """Return what structlog's documentation calls its fastest set-up."""
    import orjson
    import structlog

    renderer = structlog.processors.JSONRenderer(serializer=orjson.dumps)
    return _structlog(renderer, structlog.BytesLogger(sys.stdout.buffer))


def _structlog(renderer: Any, sink: Any) -> Calls:
    import structlog

    def logger(**bound: object) -> Any:
        # With a `bind`, structlog assembles the logger once, as `cache_logger_on_first_use` does.
        return structlog.wrap_logger(
            sink,
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.format_exc_info,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                renderer,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            context_class=dict,
        ).bind(service=SERVICE, **bound)

    log, bare = logger(**BOUND), logger()
    # fmt: off
    return Calls(
        info=lambda: log.info(MESSAGE, sequenceNumber=17, chunkBytes=6400, latencyMs=1.75, language="en-US", final=False),
        debug=lambda: log.debug(MESSAGE, sequenceNumber=17, chunkBytes=6400, latencyMs=1.75, language="en-US", final=False),
        bind=lambda: bare.bind(sessionId=SESSION_ID, connectionId=CONNECTION_ID, requestId=next(IDS)),
        bind_and_info=lambda: bare.bind(sessionId=SESSION_ID, connectionId=CONNECTION_ID, requestId=next(IDS))
            .info(MESSAGE, sequenceNumber=17, chunkBytes=6400, latencyMs=1.75, language="en-US", final=False),
        exception=catching(lambda: log.exception(ERROR_MESSAGE)),
    )
    # fmt: on


def by_hand() -> Calls:
    """Return what people write before they know better: the line is built before the level."""
    import traceback

    threshold = logging.INFO

    def log(level: int, name: str, message: str, fields: Mapping[str, object]) -> None:
        line = json.dumps(
            {
                "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "level": name,
                "service": SERVICE,
                "message": message,
                **BOUND,
                **fields,
            }
        )
        if level >= threshold:
            print(line)

    def error() -> None:
        log(logging.ERROR, "ERROR", ERROR_MESSAGE, {"exception": traceback.format_exc()})

    return Calls(
        info=lambda: log(
            logging.INFO,
            "INFO",
            MESSAGE,
            {
                "sequenceNumber": 17,
                "chunkBytes": 6400,
                "latencyMs": 1.75,
                "language": "en-US",
                "final": False,
            },
        ),
        debug=lambda: log(
            logging.DEBUG,
            "DEBUG",
            MESSAGE,
            {
                "sequenceNumber": 17,
                "chunkBytes": 6400,
                "latencyMs": 1.75,
                "language": "en-US",
                "final": False,
            },
        ),
        exception=catching(error),
    )


CONTENDERS = {
    "shared_utils": ours,
    "powertools": powertools,
    "powertools + orjson": powertools_orjson,
    "python-json-logger": python_json_logger,
    "structlog + json": structlog_json,
    "structlog + orjson": structlog_orjson,
    "json.dumps by hand": by_hand,
}
UNPROTECTED = "shared_utils, protect=False"


# --- the same facts? -----------------------------------------------------------------------


def check_line(
    name: str, lines: list[str], level: str, message: str, facts: Mapping[str, object]
) -> None:
    """Stop unless there is one line and it holds every fact."""
    if len(lines) != 1:
        fail(f"{name} wrote {len(lines)} lines: {lines}")
    members = list(find(json.loads(lines[0])))
    texts = [value for _, value in members if isinstance(value, str)]
    absent = [fact for fact in facts.items() if fact not in members]
    if level not in map(str.upper, texts):
        absent.append(("level", level))
    if message not in texts:
        absent.append(("message", message))
    if not any(text.startswith(SERVICE) for text in texts):
        absent.append(("service", SERVICE))
    if not any(_TIME.match(text) for text in texts):
        absent.append(("timestamp", "to the millisecond"))
    if absent:
        fail(f"{name} leaves out {absent}: {lines[0]}")


_TIME = re.compile(r"20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d[.,]\d{3}")


def check(name: str, calls: Calls, stdout: Stdout) -> None:
    stdout.captured(calls.info)  # an environment's first line may carry more
    check_line(name, stdout.captured(calls.info), "INFO", MESSAGE, {**BOUND, **FIELDS})
    if calls.bind_and_info:
        lines = stdout.captured(calls.bind_and_info)
        (bound,) = [value for key, value in find(json.loads(lines[0])) if key == "requestId"]
        check_line(name, lines, "INFO", MESSAGE, {**BOUND, **FIELDS, "requestId": bound})
    if calls.debug and stdout.captured(calls.debug):
        fail(f"{name} writes debug lines")
    if calls.exception:
        lines = stdout.captured(calls.exception)
        check_line(name, lines, "ERROR", ERROR_MESSAGE, BOUND)
        wanted = ["ValueError", "audioData must be base64", *map("in {}".format, _FRAMES)]
        if absent := [text for text in wanted if text not in lines[0]]:
            fail(f"{name} leaves out {absent}: {lines[0]}")


_FRAMES = ("call", "_one", "_two", "_three", "_four", "_five")


# --- the questions -------------------------------------------------------------------------

QUESTIONS = {
    "info": (
        "info, 3 bound + 5 fields",
        (("powertools", 1 / 5), ("structlog + orjson", 0.95)),
    ),
    "debug": ("debug, disabled", (("powertools", 1 / 15), ("structlog + orjson", 1.0))),
    "bind": ("bind 3 fields", (("structlog + orjson", 1.0),)),
    "bind_and_info": ("bind 3 fields, then info", ()),
    "exception": ("exception, 6 frames", (("powertools", 1 / 15), ("structlog + orjson", 1 / 8))),
}


def main() -> None:
    options = parse_options(__doc__ or "")
    become_lambda()
    stdout = Stdout(options.pipe)
    report = Report("A log line", options)
    built, missing = build(CONTENDERS)
    for name, calls in built.items():
        check(name, calls, stdout)
    for attribute, (question, budgets) in QUESTIONS.items():
        cases = {name: getattr(calls, attribute) for name, calls in built.items()}
        samples = time_calls({name: call for name, call in cases.items() if call}, options)
        report.add(question, samples, "shared_utils")
        report.check(question, samples, *(Budget("shared_utils", *budget) for budget in budgets))
    _without_protection(built, report, options)
    report.missing(missing)
    report.print(stdout.screen)


def _without_protection(built: dict[str, Calls], report: Report, options: Any) -> None:
    """Time `info` again with redaction and bounds off: a setting of the process, hence last."""
    from shared_utils.structured_logger import configure_lambda_logging

    configure_lambda_logging(protect=False)
    logging.getLogger().handlers.clear()  # or Powertools' records would be written twice
    cases = {
        UNPROTECTED if name == "shared_utils" else name: calls.info for name, calls in built.items()
    }
    samples = time_calls(cases, options)
    question = "info, redaction and bounds off"
    report.add(question, samples, UNPROTECTED)
    budgets = (("powertools", 1 / 5), ("structlog + orjson", 0.95))
    report.check(question, samples, *(Budget(UNPROTECTED, *budget) for budget in budgets))


if __name__ == "__main__":
    main()
