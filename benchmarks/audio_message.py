"""What does a whole audio message cost: event, parse, check, one line, three metrics, answer?

The functions are in `stacks`, one file each. Base64 is decoded by those that need it: Powertools'
parser, msgspec and the standard library check it by decoding it; ours checks it where it stands,
and is timed with the bytes in hand as well.
"""

from __future__ import annotations

import inspect
import itertools
import json
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from _harness import (
    Budget,
    Report,
    Stdout,
    become_lambda,
    build,
    fail,
    find,
    parse_options,
    ratio_text,
    time_calls,
)
from _samples import (
    AUDIO_BYTES,
    CONNECTION_ID,
    REQUEST_ID,
    SESSION_ID,
    audio_event,
    context,
    request_ids,
)

Handler = Callable[[dict[str, Any], Any], Any]

# Writes less by design: it is timed, and its bytes are counted over a stream.
AGGREGATING = "shared_utils, default settings"

# contender: its module in `stacks`, and which of its two functions
HANDLERS = {
    "shared_utils": ("shared_utils_handler", "handler"),
    "shared_utils, decoded": ("shared_utils_handler", "decoding_handler"),
    AGGREGATING: ("shared_utils_handler", "default_handler"),
    "shared_utils modules": ("shared_utils_modules", "handler"),
    "shared_utils modules, decoded": ("shared_utils_modules", "decoding_handler"),
    "msgspec + structlog + orjson": ("msgspec_structlog", "handler"),
    "powertools + parser": ("powertools_parser", "handler"),
    "powertools + parser, one model": ("powertools_one_model", "handler"),
    "powertools, parsed by hand": ("powertools_lean", "handler"),
    "standard library by hand": ("by_hand", "handler"),
}
QUESTION = "whole audio message, 6,400 bytes"
BUDGETS = [
    Budget("shared_utils", "powertools + parser", 1 / 4.5),
    Budget("shared_utils", "msgspec + structlog + orjson", 2.0),
    Budget(AGGREGATING, "powertools + parser", 1 / 6),
    Budget(AGGREGATING, "msgspec + structlog + orjson", 1.3),
]
EVENT, CONTEXT = audio_event(), context()
REQUEST_IDS = list(itertools.islice(request_ids(), 1100))
FACTS = {
    "sessionId": SESSION_ID,
    "connectionId": CONNECTION_ID,
    "sequenceNumber": 17,
    "chunkBytes": AUDIO_BYTES,
    "final": False,
    "ActionType": "sendAudio",
}
UNITS = ["Bytes", "Count", "Milliseconds"]


def loader(module: str, function: str) -> Callable[[], Handler]:
    def load() -> Handler:
        handler: Handler = getattr(import_module(f"stacks.{module}"), function)
        return handler

    return load


def calling(handler: Handler) -> Callable[[], object]:
    """Return a call with another message and another request id each time."""
    events = itertools.cycle([audio_event(number) for number in range(16)])
    contexts = itertools.cycle([context(request_id) for request_id in REQUEST_IDS])
    return lambda: handler(next(events), next(contexts))


# --- the same work? ------------------------------------------------------------------------


def check(name: str, handler: Handler, stdout: Stdout) -> None:
    """Stop unless the message is answered 200 with every fact written, and bad ones 400."""
    stdout.captured(calling(handler))
    answers: list[Any] = []
    lines = stdout.captured(lambda: answers.append(handler(EVENT, CONTEXT)))
    written = [json.loads(line) for line in lines]
    facts = [fact for parsed in written for fact in find(parsed)]
    absent = [fact for fact in FACTS.items() if fact not in facts]
    if REQUEST_ID not in [value for _, value in facts]:
        absent.append(("requestId", REQUEST_ID))
    metrics = [value for key, value in facts if key == "Metrics"]
    if len(metrics) != 1 or sorted(metric["Unit"] for metric in metrics[0]) != UNITS:
        absent.append(("Metrics", UNITS))
    elif not {metric["Name"] for metric in metrics[0]} <= {key for key, _ in facts}:
        absent.append(("Metrics", "a value each"))
    if answers[0]["statusCode"] != 200 or len(lines) > 2 or absent:
        fail(f"{name} answers {answers[0]} and leaves out {absent}: {lines}")
    for field, value in (("audioData", "%%%%" * 200), ("sequenceNumber", -1), ("action", "other")):
        event = {**EVENT, "body": json.dumps({**json.loads(EVENT["body"]), field: value})}
        stdout.captured(partial(_append, answers, handler, event))
        if answers[-1]["statusCode"] != 400:
            fail(f"{name} takes a bad {field}")


def _append(answers: list[Any], handler: Handler, event: dict[str, Any]) -> None:
    answers.append(handler(event, CONTEXT))


# --- how much is written? ------------------------------------------------------------------

STREAM_SECONDS = 60
RATES = (10, 50)


def bytes_per_message(handler: Handler, rate: int, stdout: Stdout) -> float:
    """Return the mean over a stream of `rate` messages a second, its clock turned by hand."""
    clock = Clock()
    if hasattr(handler, "windowed_metrics"):
        usual = inspect.signature(type(handler)).parameters["window_seconds"].default
        handler.windowed_metrics = type(handler.windowed_metrics)(window_seconds=usual, clock=clock)
    number = STREAM_SECONDS * rate

    def stream() -> None:
        for sequence_number in range(number):
            body = EVENT["body"].replace(
                '"sequenceNumber": 17', f'"sequenceNumber": {sequence_number}'
            )
            handler({**EVENT, "body": body}, CONTEXT)
            clock.now_ns += 1_000_000_000 // rate
        if hasattr(handler, "windowed_metrics"):
            handler.windowed_metrics.flush()  # what waits for the window to end

    lines = stdout.captured(stream)
    facts = [fact for line in lines for fact in find(json.loads(line))]
    counts = [value for key, value in facts if key == "AudioChunksReceived"]
    if sum(sum(count) if isinstance(count, list) else count for count in counts) != number:
        fail(f"of {number} messages, {counts} were counted")
    return sum(len(line) + 1 for line in lines) / number


class Clock:
    now_ns = time.time_ns()

    def __call__(self) -> int:
        return self.now_ns


def count_bytes(built: dict[str, Handler], report: Report, stdout: Stdout) -> None:
    contenders = [
        name for name in (AGGREGATING, "shared_utils", "powertools + parser") if name in built
    ]
    for rate in RATES:
        sizes = {name: bytes_per_message(built[name], rate, stdout) for name in contenders}
        shown = ", ".join(f"{name} {size:,.0f}" for name, size in sizes.items())
        report.notes.append(f"log bytes per audio message, {rate} a second: {shown}")
        if "powertools + parser" in sizes:
            ratio = sizes[AGGREGATING] / sizes["powertools + parser"]
            what = f"log bytes per message, {rate}/s: {AGGREGATING} / powertools"
            report.judge(what, "1/40.0", ratio_text(ratio), ratio <= 1 / 40, ratio)


def main() -> None:
    options = parse_options(__doc__ or "")
    become_lambda()
    stdout = Stdout(options.pipe)
    report = Report("A whole audio message", options)
    built, missing = build({name: loader(*place) for name, place in HANDLERS.items()})
    for name, handler in built.items():
        if name != AGGREGATING:
            check(name, handler, stdout)
    samples = time_calls({name: calling(handler) for name, handler in built.items()}, options)
    report.add(QUESTION, samples, "shared_utils")
    report.check(QUESTION, samples, *BUDGETS)
    count_bytes(built, report, stdout)
    report.missing(missing)
    report.print(stdout.screen)


if __name__ == "__main__":
    main()
