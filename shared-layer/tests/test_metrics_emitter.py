"""EMF documents: what is written, what is refused, and that nothing raises or breaks a limit."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import io
import json
import logging
import math
import re
import sys
import threading
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from itertools import chain

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared_utils import _invocation, _redaction
from shared_utils import metrics_emitter as module
from shared_utils.error_codes import ErrorCode
from shared_utils.metrics_emitter import METRICS, UNITS, MetricsContext, MetricsEmitter

NOW = 1767225600_123_456_789
START = (
    '{"timestamp":"2026-01-01T00:00:00.123Z","level":"INFO","_aws":{"Timestamp":1767225600123,'
    '"CloudWatchMetrics":[{"Namespace":"WebSocketAudio","Dimensions":'
)
LIMIT = 2**360
SESSION = "golden-eagle-427"


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch):
    """Each test warns, and starts cold, as a new process would."""
    monkeypatch.setattr(module, "_warned", set())
    monkeypatch.setattr(_invocation, "_start", _invocation._COLD)
    monkeypatch.delenv("METRICS_NAMESPACE", raising=False)
    monkeypatch.delenv("METRICS_ENABLED", raising=False)


@pytest.fixture
def emitter():
    return MetricsEmitter(clock=lambda: NOW)


@pytest.fixture
def written(capsys):
    """Return the lines written since the last call."""
    return lambda: capsys.readouterr().out.splitlines()


@pytest.fixture
def flushed(emitter, written):
    """Flush and return the documents, parsed."""

    def flush():
        emitter.flush()
        return [json.loads(line) for line in written()]

    return flush


def directive(document):
    return document["_aws"]["CloudWatchMetrics"][0]


def declared(document):
    return [metric["Name"] for metric in directive(document)["Metrics"]]


class Hostile:
    """An object whose every method raises."""

    def _fail(self, *_):
        raise RuntimeError("hostile")

    __eq__ = __hash__ = __str__ = __repr__ = __len__ = __iter__ = __bool__ = _fail


class HostileText(str):
    """Text that is equal to all text, and shows itself as something else."""

    __slots__ = ()

    def __eq__(self, other):
        return True

    def __hash__(self):
        return hash("Latency")

    def __str__(self):
        return '","forged":"'

    __repr__ = __str__


class HostileMapping:
    def __bool__(self):
        return True

    def items(self):
        raise RuntimeError("hostile")


class Colour(Enum):
    RED = "red"


class Action(StrEnum):
    PAUSE = "pause"


class LegacyAction(str, Enum):  # noqa: UP042 - its str() is not its value
    PAUSE = "pause"


class Level(IntEnum):
    TWO = 2


# --- documents -----------------------------------------------------------------------------------


def test_one_metric_is_one_line(emitter, written):
    emitter.emit_metric("Latency", 1.5, "Milliseconds")

    emitter.flush()

    assert written() == [
        START + '[[]],"Metrics":[{"Name":"Latency","Unit":"Milliseconds"}]}]},"Latency":1.5}'
    ]


def test_dimensions_properties_and_resolution_are_written(emitter, written):
    emitter.emit_metric("Chunks", 1, "Count", {"Kind": "a", "Stage": "b"}, 1, sessionId=SESSION)
    emitter.emit_metric("Size", 6400, "Bytes", {"Kind": "a", "Stage": "b"})

    emitter.flush()

    assert written() == [
        START + '[["Kind","Stage"],[]],"Metrics":[{"Name":"Chunks","Unit":"Count",'
        '"StorageResolution":1},{"Name":"Size","Unit":"Bytes"}]}]},"Kind":"a","Stage":"b",'
        '"Chunks":1,"Size":6400,"sessionId":"golden-eagle-427"}'
    ]


def test_nothing_collected_writes_nothing(emitter, written):
    emitter.flush()

    assert written() == []


def test_what_was_flushed_is_forgotten(emitter, flushed):
    emitter.emit_metric("A", 1, "Count", {"Kind": "a"}, sessionId=SESSION)
    flushed()
    emitter.emit_metric("B", 2, "Count")

    (document,) = flushed()

    assert document.keys() == {"timestamp", "level", "_aws", "B"}


def test_each_document_has_the_time_of_its_own_flush(written):
    """A timestamp that was set once must not stay for all later invocations."""
    times = iter([NOW, NOW + 5_000_000_000])
    emitter = MetricsEmitter(clock=lambda: next(times))
    emitter.emit_metric("A", 1)
    emitter.flush()
    emitter.emit_metric("A", 1)
    emitter.flush()

    stamps = [json.loads(line)["_aws"]["Timestamp"] for line in written()]

    assert stamps == [1767225600123, 1767225605123]


def test_each_dimension_set_has_a_document_of_its_own(emitter, flushed):
    """The same metric under two dimension values: both must not count under the last."""
    emitter.emit_metric("Errors", 1, "Count", {"Kind": "a"})
    emitter.emit_metric("Errors", 2, "Count", {"Kind": "b"})

    documents = flushed()

    assert [(d["Kind"], d["Errors"]) for d in documents] == [("a", 1), ("b", 2)]


def test_dimension_set_whose_metric_was_refused_leaves_no_trace(emitter, flushed):
    emitter.emit_metric("A", math.nan, "Count", {"Kind": "a"})
    flushed()
    emitter.emit_metric("B", 1)

    (document,) = flushed()

    assert directive(document)["Dimensions"] == [[]]


def test_values_of_one_metric_are_a_list(emitter, flushed):
    emitter.emit_metric("A", 1)
    emitter.emit_metric("A", 2.5)
    emitter.emit_metric("A", 1)

    (document,) = flushed()

    assert document["A"] == [1, 2.5, 1]


@pytest.mark.parametrize(
    ("values", "sizes"), [(99, [99]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])]
)
def test_a_document_holds_a_hundred_values(emitter, flushed, values, sizes):
    [emitter.emit_metric("A", number) for number in range(values)]

    shown = [d["A"] if isinstance(d["A"], list) else [d["A"]] for d in flushed()]

    assert [len(numbers) for numbers in shown] == sizes
    assert list(chain(*shown)) == list(range(values))


@pytest.mark.parametrize(("metrics", "sizes"), [(99, [99]), (100, [100]), (101, [100, 1])])
@pytest.mark.parametrize("properties", [{}, {"n": 1}])
def test_a_document_holds_a_hundred_metrics(emitter, flushed, metrics, sizes, properties):
    [emitter.emit_metric(f"M{number}", number, **properties) for number in range(metrics)]

    documents = flushed()

    assert [len(declared(d)) for d in documents] == sizes
    assert list(chain(*map(declared, documents))) == [f"M{number}" for number in range(metrics)]


def test_waiting_values_are_written_before_they_fill_the_memory(emitter, written):
    [emitter.emit_metric("A", number) for number in range(299)]
    before = written()
    emitter.emit_metric("A", 299)

    assert before == []
    assert len(written()) == 3


def test_waiting_system_metrics_are_written_before_they_fill_the_memory(emitter, written):
    [emitter.emit_audio_buffer_overflow(SESSION) for _ in range(299)]
    before = written()
    emitter.emit_audio_buffer_overflow(SESSION)

    assert before == []
    assert len(written()) == 3


def test_one_name_with_two_units_goes_into_two_documents(emitter, flushed):
    emitter.emit_metric("A", 1, "Bytes")
    emitter.emit_metric("A", 2, "Count")

    documents = flushed()

    assert [directive(d)["Metrics"] for d in documents] == [
        [{"Name": "A", "Unit": "Bytes"}],
        [{"Name": "A", "Unit": "Count"}],
    ]
    assert [d["A"] for d in documents] == [1, 2]


def test_two_emitters_know_nothing_of_each_other(emitter, flushed):
    other = MetricsEmitter("Other", dimensions={"Stage": "x"})
    other.emit_metric("B", 1)
    emitter.emit_metric("A", 1)

    (document,) = flushed()

    assert "B" not in document
    assert directive(document)["Dimensions"] == [[]]


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"), (-1, "-1"), (1.75, "1.75"), (1e-9, "1e-09"), (LIMIT, str(LIMIT)), (-LIMIT, str(-LIMIT)),
        (2.0**360, "2.3485425827738332e+108"), (Decimal("4.5"), "4.5"), (Decimal(3), "3.0"),
        (Level.TWO, "2"), (-0.0, "-0.0"),
    ],
)  # fmt: skip
def test_number_is_written_in_full(emitter, written, value, shown):
    emitter.emit_metric("A", value)

    emitter.flush()

    assert written()[0].endswith(f'"A":{shown}}}')


@pytest.mark.parametrize(
    "value",
    [
        math.nan, math.inf, -math.inf, True, False, LIMIT + 1, -LIMIT - 1, 2.0**361, 10**5000,
        Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1e400"), "1", b"1", None, 1j, [1], Hostile(),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_finite_number_is_refused_with_a_warning(emitter, written, caplog, value):
    emitter.emit_metric("A", value)
    emitter.emit_metric("B", 1)

    emitter.flush()

    assert written() == [START + '[[]],"Metrics":[{"Name":"B","Unit":"None"}]}]},"B":1}']
    assert "metric 'A' refused: " in caplog.text


def test_integer_beyond_any_float_does_not_lose_the_values_beside_it(emitter, flushed, caplog):
    emitter.emit_metric("A", 1.5)
    emitter.emit_metric("A", 10**5000)

    assert flushed()[0]["A"] == 1.5
    assert caplog.messages == ["metric 'A' refused: the value is not a finite number"]


def test_a_refused_value_is_not_in_the_warning(emitter, caplog):
    emitter.emit_metric("A", "my-secret-payload")

    emitter.flush()

    assert caplog.messages == ["metric 'A' refused: the value is not a finite number"]


def test_each_refusal_is_reported_once(emitter, caplog):
    [emitter.emit_metric("A", math.nan) for _ in range(50)]

    emitter.flush()

    assert len(caplog.messages) == 1


def test_refusals_of_many_names_are_not_all_reported(emitter, caplog):
    [emitter.emit_metric(f"A{number}", math.nan) for number in range(150)]

    emitter.flush()

    assert len(caplog.messages) == 100


def test_a_log_handler_that_raises_breaks_nothing(emitter, flushed, monkeypatch):
    class Raising(logging.Handler):
        def emit(self, record):
            raise RuntimeError("handler")

    monkeypatch.setattr(logging.getLogger(module.__name__), "handlers", [Raising()])
    emitter.emit_metric("A", math.nan)
    emitter.emit_metric("B", 1)

    assert declared(flushed()[0]) == ["B"]


# --- names, units, resolution --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["A", "a.b/c d", ":"[:0] + "x:", "N" * 255])
def test_metric_name_is_accepted(emitter, flushed, name):
    emitter.emit_metric(name, 1)

    assert declared(flushed()[0]) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "", " ", ":a", "N" * 256, "é", "a\n", "a\x00b", "\x7f", "\ud800", None, 5, b"A", ["A"],
        HostileText("A"), "_aws", "timestamp", "level", "message", "sessionId", "context", "Kind", "Stage",
    ],
    ids=ascii,
)  # fmt: skip
def test_metric_name_is_refused(written, name):
    """What a name may not be, and a name that a dimension has already."""
    emitter = MetricsEmitter(clock=lambda: NOW, dimensions={"Stage": "x"})
    emitter.emit_metric(name, 1, "Count", {"Kind": "a"})

    emitter.flush()

    assert written() == []


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_unit_is_accepted(emitter, flushed, unit):
    emitter.emit_metric("A", 1, unit)

    assert directive(flushed()[0])["Metrics"] == [{"Name": "A", "Unit": unit}]


def test_the_units_are_those_of_cloudwatch():
    names = """
        Seconds Microseconds Milliseconds Bytes Kilobytes Megabytes Gigabytes Terabytes Bits Kilobits
        Megabits Gigabits Terabits Percent Count Bytes/Second Kilobytes/Second Megabytes/Second
        Gigabytes/Second Terabytes/Second Bits/Second Kilobits/Second Megabits/Second Gigabits/Second
        Terabits/Second Count/Second None
    """

    assert set(names.split()) == UNITS
    assert len(UNITS) == 27


@pytest.mark.parametrize(
    "unit", ["count", "Second", "", None, 5, ["Count"], Hostile()], ids=lambda u: type(u).__name__
)
def test_unknown_unit_keeps_the_value_without_a_unit(emitter, flushed, unit):
    emitter.emit_metric("A", 1, unit)

    assert directive(flushed()[0])["Metrics"] == [{"Name": "A", "Unit": "None"}]


@pytest.mark.parametrize(
    ("resolution", "shown"),
    [
        (1, {"StorageResolution": 1}),
        (60, {}),
        (0, {}),
        (2, {}),
        (59, {}),
        (True, {}),
        ("1", {}),
        (None, {}),
        ([], {}),
    ],
    ids=repr,
)
def test_resolution_is_one_second_or_a_minute(emitter, flushed, resolution, shown):
    emitter.emit_metric("A", 1, resolution=resolution)

    assert directive(flushed()[0])["Metrics"] == [{"Name": "A", "Unit": "None", **shown}]


# --- namespace, level, switch --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["A", "N" * 255, "my/space.prod"])
def test_namespace_is_accepted(name):
    assert MetricsEmitter(name).namespace == name


@pytest.mark.parametrize(
    "name", ["N" * 256, ":a", " ", "é", "AWS/Lambda", "a\n", 5, b"a"], ids=repr
)
def test_namespace_is_refused_for_the_default(caplog, name):
    """A namespace that CloudWatch refuses must not lose the metrics or the response."""
    assert MetricsEmitter(name).namespace == "WebSocketAudio"
    assert "namespace" in caplog.text


def test_namespace_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("METRICS_NAMESPACE", "Stage/prod")

    assert MetricsEmitter().namespace == "Stage/prod"
    assert MetricsEmitter("Mine").namespace == "Mine"


def test_namespace_in_the_environment_may_be_empty(monkeypatch):
    monkeypatch.setenv("METRICS_NAMESPACE", "")

    assert MetricsEmitter().namespace == "WebSocketAudio"


@pytest.mark.parametrize("setting", ["false", " FALSE ", "0", "off"])
def test_environment_switches_everything_off(monkeypatch, written, setting):
    """Complete: also at the hundredth value, in an invocation and in `take`."""
    monkeypatch.setenv("METRICS_ENABLED", setting)
    emitter = MetricsEmitter(dimensions={"Stage": "x"})
    [emitter.emit_metric("A", number) for number in range(1000)]
    emitter.emit_audio_chunk_received(SESSION, 1)
    with emitter.invocation("audio"), MetricsContext(emitter, "A"):
        pass
    emitter.flush()

    assert emitter.take() == []
    assert written() == []


@pytest.mark.parametrize("setting", ["true", "", "1", "yes"])
def test_other_settings_leave_it_on(monkeypatch, setting):
    monkeypatch.setenv("METRICS_ENABLED", setting)

    assert MetricsEmitter().enabled is True


def test_keyword_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("METRICS_ENABLED", "false")

    assert MetricsEmitter(enabled=True).enabled is True


def test_switched_off_later_writes_nothing_that_waited(emitter, flushed, caplog):
    emitter.emit_metric("A", 1)
    emitter.enabled = False

    assert flushed() == []
    assert emitter.take() == []
    assert caplog.messages == []


def loaded_anew():
    """Return the module as a new process would load it, with today's environment."""
    spec = importlib.util.find_spec(module.__name__)
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    return fresh


@pytest.mark.parametrize(
    ("setting", "level"),
    [
        ("WARN", "WARN"), ("error", "ERROR"), (" FATAL ", "FATAL"),
        ("INFO", "INFO"), ("DEBUG", "INFO"), ("TRACE", "INFO"), ("nonsense", "INFO"), ("", "INFO"),
    ],
)  # fmt: skip
def test_line_has_a_level_that_lambdas_filter_lets_through(monkeypatch, written, setting, level):
    monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", setting)
    emitter = loaded_anew().MetricsEmitter(clock=lambda: NOW)
    emitter.emit_metric("A", 1)

    emitter.flush()

    assert written()[0].startswith(
        f'{{"timestamp":"2026-01-01T00:00:00.123Z","level":"{level}","_aws":'
    )


# --- dimensions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a", "a"), ("V" * 1024, "V" * 1024), (":a", ":a"), (" a", " a"), (5, "5"), (Action.PAUSE, "pause"),
        (LegacyAction.PAUSE, "pause"), (Colour.RED, "red"), (Level.TWO, "2"),
        (ErrorCode.SESSION_NOT_FOUND, "SESSION_NOT_FOUND"), (HostileText("real"), "real"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_dimension_value_is_accepted(emitter, flushed, value, shown):
    emitter.emit_metric("A", 1, "Count", {"Kind": value})

    (document,) = flushed()

    assert directive(document)["Dimensions"] == [["Kind"], []]
    assert document["Kind"] == shown


def test_an_enum_counts_as_its_value_the_second_time_too(emitter, flushed):
    emitter.emit_metric("A", 1, "Count", {"Kind": LegacyAction.PAUSE})
    emitter.emit_metric("A", 2, "Count", {"Kind": "pause"})

    (document,) = flushed()

    assert document["A"] == [1, 2]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "  ",
        "V" * 1025,
        "é",
        "a\n",
        "\x00",
        "\ud800",
        None,
        True,
        1.5,
        b"a",
        ["a"],
        {"a": 1},
        Hostile(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_refused_dimension_value_becomes_a_property(emitter, flushed, caplog, value):
    """The metric is kept, without the dimension."""
    emitter.emit_metric("A", 1, "Count", {"Kind": value, "Stage": "x"})

    (document,) = flushed()

    assert directive(document)["Dimensions"] == [["Stage"], []]
    assert document["A"] == 1
    assert "dimension 'Kind' refused" in caplog.text


@pytest.mark.parametrize("name", ["A", "D" * 250, "a b", "x:"])
def test_dimension_name_is_accepted(emitter, flushed, name):
    emitter.emit_metric("Latency", 1, "Count", {name: "x"})

    assert directive(flushed()[0])["Dimensions"] == [[name], []]


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ":a",
        "D" * 251,
        "é",
        "a\n",
        "_aws",
        "timestamp",
        "level",
        "message",
        "error",
        None,
        5,
        HostileText("D"),
    ],
    ids=ascii,
)
def test_dimension_name_is_refused(emitter, flushed, name):
    emitter.emit_metric("Latency", 1, "Count", {name: "x"})

    assert directive(flushed()[0])["Dimensions"] == [[]]


@pytest.mark.parametrize(
    "name",
    [
        "sessionId",
        "session_id",
        "connection-id",
        "requestId",
        "correlationId",
        "UserID",
        "traceId",
        "owner_user_id",
    ],
)
@pytest.mark.threat("secret-in-metric")
def test_an_id_is_never_a_dimension(emitter, flushed, caplog, name):
    emitter.emit_metric("A", 1, "Count", {name: SESSION, "Kind": "a"})

    (document,) = flushed()

    assert directive(document)["Dimensions"] == [["Kind"], []]
    assert document[name] == SESSION
    assert "an id or a secret is no dimension" in caplog.text


@pytest.mark.threat("secret-in-metric")
def test_a_secret_is_never_a_dimension(emitter, flushed):
    emitter.emit_metric("A", 1, "Count", {"apiToken": "abc", "Kind": "Bearer abcdef123456"})

    (document,) = flushed()

    assert document["apiToken"] == "[REDACTED]"
    assert document["Kind"] == "Bearer [REDACTED]"


@pytest.mark.parametrize(("dimensions", "taken"), [(29, 29), (30, 30), (31, 30)])
def test_a_metric_has_thirty_dimensions(emitter, flushed, dimensions, taken):
    emitter.emit_metric("A", 1, "Count", {f"D{number}": "x" for number in range(dimensions)})

    assert len(directive(flushed()[0])["Dimensions"][0]) == taken


@pytest.mark.parametrize(("dimensions", "taken"), [(28, 30), (29, 30)])
def test_default_dimensions_count(written, dimensions, taken):
    emitter = MetricsEmitter(dimensions={"service": "audio", "Stage": "prod"})
    emitter.emit_metric("A", 1, "Count", {f"D{number}": "x" for number in range(dimensions)})
    emitter.flush()

    (line,) = written()

    assert len(directive(json.loads(line))["Dimensions"][0]) == taken


def test_default_dimensions_are_in_every_set_but_the_roll_up(written):
    emitter = MetricsEmitter(dimensions={"service": "audio"}, clock=lambda: NOW)
    emitter.emit_metric("A", 1, "Count", {"Kind": "a"})

    emitter.flush()

    assert written() == [
        START + '[["service","Kind"],[]],"Metrics":[{"Name":"A","Unit":"Count"}]}]},'
        '"service":"audio","Kind":"a","A":1}'
    ]


def test_a_default_dimension_cannot_be_replaced(written):
    emitter = MetricsEmitter(dimensions={"service": "audio"})
    emitter.emit_metric("A", 1, "Count", {"service": "other"}, service="third")
    emitter.flush()

    document = json.loads(written()[0])

    assert document["service"] == "audio"


@pytest.mark.parametrize(("values", "others"), [(100, 0), (101, 1), (150, 50)])
def test_a_dimension_with_too_many_values_counts_as_other(emitter, flushed, caplog, values, others):
    [emitter.emit_metric("A", 1, "Count", {"Kind": f"k{number}"}) for number in range(values)]

    documents = flushed()
    kinds = [d["Kind"] for d in documents]

    assert len(kinds) == 100 + (others > 0)
    assert kinds.count("Other") == (others > 0)
    assert sum(sum(d["A"]) if isinstance(d["A"], list) else d["A"] for d in documents) == values
    assert ("too many values" in caplog.text) == (others > 0)


@pytest.mark.parametrize(
    "dimensions",
    [HostileMapping(), 5, "abc", [("a", "b")], Hostile()],
    ids=lambda v: type(v).__name__,
)
def test_dimensions_that_cannot_be_read_raise_nothing(emitter, flushed, dimensions):
    emitter.emit_metric("A", 1, "Count", dimensions)
    emitter.emit_metric("B", 1)

    assert declared(flushed()[0]) == ["B"]


def test_dimensions_may_change_after_the_call(emitter, flushed):
    dimensions = {"Kind": "a"}
    emitter.emit_metric("A", 1, "Count", dimensions)
    dimensions["Kind"] = "b"

    assert flushed()[0]["Kind"] == "a"


@pytest.mark.parametrize("name", ["UserId", "ClientIp", "Session"])
def test_an_id_stays_a_property_with_one_warning_and_the_metric_goes_out(
    emitter, flushed, caplog, name
):
    emitter.emit_metric("A", 1, "Count", {name: "one"})
    emitter.emit_metric("B", 2, "Count", {name: "two"})

    (document,) = flushed()

    assert (document["A"], document["B"], document[name]) == (1, 2, ["one", "two"])
    assert directive(document)["Dimensions"] == [[]]
    assert caplog.messages == [f"dimension '{name}' refused: an id or a secret is no dimension"]


def test_values_that_are_equal_and_not_the_same_are_kept_apart(emitter, flushed):
    """True is 1 and 1.0, and no dimension's value."""
    for value in (1, True, 1.0, Level.TWO, 2, 2.0):
        emitter.emit_metric("A", 1, "Count", {"Kind": value})

    documents = flushed()

    sets = [directive(d)["Dimensions"] for d in documents]
    assert sets == [[["Kind"], []], [[]], [["Kind"], []]]
    assert [d["Kind"] for d in documents] == ["1", [True, 1.0, 2.0], "2"]


# --- what is worked out once ---------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch):
    """Count how often a metric is judged, and a document laid out."""
    counts = {"judged": 0, "laid out": 0}

    def counting(name, function):
        def count(*arguments):
            counts[name] += 1
            return function(*arguments)

        return count

    judge = counting("judged", MetricsEmitter._take_dimensions)
    monkeypatch.setattr(MetricsEmitter, "_take_dimensions", judge)
    monkeypatch.setattr(module, "Layout", counting("laid out", module.Layout))
    return counts


@pytest.mark.parametrize(
    "emit",
    [
        lambda e, n: e.emit_metric("A", n),
        lambda e, n: e.emit_metric("A", n, "Count", {"Kind": "a"}, 1, seq=n),
        lambda e, n: e.emit_metric("A", n, "Count", {"Kind": LegacyAction.PAUSE, "Stage": "b"}),
        lambda e, n: e.emit_metric("A", n, "Count", {"UserId": "u", "Stage": "b"}),
        lambda e, n: e.emit_message_latency("sendAudio", n),
        lambda e, n: e.emit_audio_buffer_overflow(f"s-{n}"),
        lambda e, n: e.emit_message_failure("sendAudio", ErrorCode.SESSION_NOT_FOUND),
    ],
)
def test_each_metric_is_judged_once_and_each_document_laid_out_once(counted, written, emit):
    emitter = MetricsEmitter()
    before = counted["judged"]  # its own dimensions
    for number in range(5):
        emit(emitter, number)
        emitter.flush()

    assert len(written()) == 5
    assert counted == {"judged": before + 1, "laid out": 1}


def test_a_line_and_a_document_of_the_same_metrics_are_laid_out_apart(counted, emitter, written):
    for _ in range(2):
        emitter.emit_audio_buffer_overflow(SESSION)
        emitter.flush()
        emitter.emit_audio_buffer_overflow(SESSION)
        assert "sessionId" not in emitter.take()[0]

    assert counted["laid out"] == 2
    assert [json.loads(line)["sessionId"] for line in written()] == [SESSION, SESSION]


@pytest.mark.parametrize(
    "emit",
    [
        lambda e: e.emit_metric("A", 1, "Count", {"Kind": "a"}),
        lambda e: e.emit_audio_buffer_overflow("a"),
    ],
)
def test_another_policy_has_all_judged_again(counted, monkeypatch, emitter, emit):
    emit(emitter)
    before = counted["judged"]
    monkeypatch.setattr(_redaction, "policy", _redaction.Policy(redact=("kind",)))
    emit(emitter)
    emit(emitter)

    assert counted["judged"] == before + 1


def test_another_policy_refuses_the_dimension_that_it_hides(emitter, flushed, monkeypatch):
    emitter.emit_metric("A", 1, "Count", {"Kind": "a"})
    before = flushed()
    monkeypatch.setattr(_redaction, "policy", _redaction.Policy(redact=("kind",)))
    emitter.emit_metric("A", 1, "Count", {"Kind": "a"})

    assert before[0]["Kind"] == "a"
    assert flushed()[0]["Kind"] == "[REDACTED]"


def test_dimensions_made_from_data_do_not_fill_the_memory(emitter, written):
    for number in range(3000):
        emitter.emit_metric("A", number, "Count", {f"Kind{number}": number})
        emitter.flush()

    assert len(written()) == 3000
    assert max(map(len, (emitter._judged, emitter._layouts, emitter._groups))) <= 1024
    assert len(emitter._seen) <= 1024


def test_what_is_forgotten_meanwhile_breaks_no_document(emitter, flushed):
    """Two metrics of one name and set, each made anew, are two documents."""
    emitter.emit_metric("A", 1)
    emitter._forget()
    emitter.emit_metric("A", 2)

    assert [d["A"] for d in flushed()] == [1, 2]


# --- objects with methods of their own -----------------------------------------------------------


class Exiting:
    """An object whose every method ends the process."""

    def _exit(self, *_):
        sys.exit("out")

    __eq__ = __hash__ = __str__ = __repr__ = __len__ = __iter__ = __bool__ = __float__ = _exit
    __index__ = items = values = _exit


@pytest.mark.parametrize(
    "emit",
    [
        lambda e: e.emit_metric("A", Exiting()),
        lambda e: e.emit_metric(Exiting(), 1),
        lambda e: e.emit_metric("A", 1, dimensions=Exiting()),
        lambda e: e.emit_message_latency("sendAudio", Exiting()),
    ],
    ids=["value", "name", "dimensions", "value-of-the-system"],
)
def test_an_object_that_exits_refuses_its_metric_alone(emitter, flushed, caplog, emit):
    emit(emitter)
    emitter.emit_metric("B", 1)

    assert [declared(d) for d in flushed()] == [["B"]]
    assert len(caplog.messages) == 1
    assert "refused" in caplog.text


@pytest.mark.parametrize(
    "emit",
    [
        lambda e: e.emit_metric("A", 1, Exiting()),
        lambda e: e.emit_metric("A", 1, resolution=Exiting()),
        lambda e: e.emit_metric("A", 1, dimensions={"Kind": Exiting()}),
        lambda e: e.emit_metric("A", 1, n=Exiting()),
        lambda e: e.emit_message_latency(Exiting(), 1),
    ],
    ids=["unit", "resolution", "dimension", "property", "dimension-of-the-system"],
)
def test_an_object_that_exits_keeps_the_metric(emitter, flushed, emit):
    emit(emitter)

    (document,) = flushed()

    assert document[declared(document)[0]] == 1


def test_a_metric_whose_name_is_a_secret_is_refused(emitter, flushed):
    emitter.emit_metric("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", 1)

    assert flushed() == []


@pytest.mark.parametrize("name", ["spanId", "droppedLines", "traceId"])
def test_what_a_line_has_is_no_metric(emitter, flushed, name):
    emitter.emit_metric(name, 1)

    assert flushed() == []


def test_what_the_writer_adds_to_a_line_is_no_property(emitter, flushed):
    emitter.emit_metric("A", 1, droppedLines=5)

    assert "droppedLines" not in flushed()[0]


# --- properties ----------------------------------------------------------------------------------


def test_ids_of_several_sessions_stand_side_by_side(emitter, flushed):
    emitter.emit_audio_processing_latency("golden-eagle-427", 1)
    emitter.emit_audio_processing_latency("golden-eagle-428", 2)
    emitter.emit_audio_processing_latency("golden-eagle-427", 3)

    (document,) = flushed()

    assert document["sessionId"] == ["golden-eagle-427", "golden-eagle-428"]
    assert document["AudioProcessingLatency"] == [1, 2, 3]


@pytest.mark.parametrize(("sessions", "shown"), [(9, 9), (10, 10), (11, 10)])
def test_ten_ids_stand_side_by_side(emitter, flushed, sessions, shown):
    [emitter.emit_audio_buffer_overflow(f"s-{number}") for number in range(sessions)]

    assert flushed()[0]["sessionId"] == [f"s-{number}" for number in range(shown)]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"n": 5}, 5), ({"n": 1.5}, 1.5), ({"n": True}, True), ({"n": Decimal("2")}, 2), ({"n": "é"}, "é"),
        ({"n": "\ud800"}, "\ufffd"), ({"n": [1, {"a": 2}]}, [1, {"a": 2}]), ({"n": math.nan}, "nan"),
        ({"n": Action.PAUSE}, "pause"), ({"n": Hostile()}, "<unreadable Hostile>"), ({"n": "x" * 96}, "x" * 96),
    ],
    ids=lambda value: ascii(type(value)),
)  # fmt: skip
def test_property_is_written_as_json(emitter, flushed, given, shown):
    emitter.emit_metric("A", 1, **given)

    assert flushed()[0]["n"] == shown


def test_property_none_is_left_out(emitter, flushed):
    emitter.emit_metric("A", 1, n=None)

    assert "n" not in flushed()[0]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"token": "abc"}, '"token":"[REDACTED]"'),
        ({"a": {"password": "abc"}}, '"a":{"password":"[REDACTED]"}'),
        ({"a": "eyJhbGciOi.abc.def"}, '"a":"[REDACTED]"'),
        ({"audioData": "AAAA"}, '"audioData":"[REDACTED]"'),
        ({"a": "A" * 97}, '"a":"<base64 97 chars sha256:'),
        ({"a": "a b" * 400}, '...[1200 chars]"'),
    ],
)
def test_property_is_redacted_and_bounded(emitter, written, given, shown):
    emitter.emit_metric("A", 1, **given)

    emitter.flush()

    assert shown in written()[0]


def test_another_policy_holds_from_then_on(emitter, flushed, monkeypatch):
    emitter.emit_metric("A", 1, nick="abc")
    before = flushed()
    monkeypatch.setattr(_redaction, "policy", _redaction.Policy(redact=("nick",)))
    emitter.emit_metric("A", 1, nick="abc")

    assert before[0]["nick"] == "abc"
    assert flushed()[0]["nick"] == "[REDACTED]"


def test_all_properties_of_a_line_stay_below_16_kb(emitter, written):
    """What is too long is cut until it fits; what still has no room is counted."""
    emitter.emit_metric("A", 1, **{f"p{number:02}": "a b" * 300 for number in range(40)})

    emitter.flush()
    (line,) = written()
    shown = [name for name in json.loads(line) if name.startswith("p")]

    assert 8_000 < len(line) < 16_384
    assert shown == [f"p{number:02}" for number in range(len(shown))]
    assert json.loads(line)["..."] == f"{40 - len(shown)} more"


@pytest.mark.parametrize("name", ["A", "Kind", "_aws", "timestamp", "level"])
def test_property_never_replaces_what_the_document_needs(emitter, flushed, name):
    emitter.emit_metric("A", 1, "Count", {"Kind": "a"}, **{name: "forged"})

    (document,) = flushed()

    assert "forged" not in document.values()
    assert (document["A"], document["Kind"], document["level"]) == (1, "a", "INFO")


def test_property_gives_way_to_a_metric_of_its_name_that_comes_later(emitter, flushed):
    emitter.emit_metric("A", 1, B="property")
    emitter.emit_metric("B", 2)

    (document,) = flushed()

    assert (declared(document), document["A"], document["B"]) == (["A", "B"], 1, 2)


@pytest.mark.parametrize(
    "value", [[], (), {}, {"a"}, object(), HostileText("x")], ids=lambda v: type(v).__name__
)
def test_property_of_any_type_keeps_the_metric(emitter, flushed, value):
    emitter.emit_metric("A", 1, n=value, m=HostileText("x"))
    emitter.emit_metric("A", 2, n=value, m=Hostile())

    assert flushed()[0]["A"] == [1, 2]


def test_properties_that_cannot_be_compared_stand_side_by_side(emitter, flushed):
    emitter.emit_metric("A", 1, n=Hostile(), m=1)
    emitter.emit_metric("A", 2, n=Hostile(), m=2)

    (document,) = flushed()

    assert (document["A"], document["m"]) == ([1, 2], [1, 2])
    assert document["n"] == ["<unreadable Hostile>", "<unreadable Hostile>"]


def test_names_made_from_data_do_not_fill_the_memory(emitter, written):
    for number in range(3000):
        emitter.emit_metric(f"M{number}", 1, **{f"p{number}": f"id-{number}"})
        emitter.flush()

    assert len(written()) == 3000
    assert max(map(len, (emitter._judged, emitter._layouts, emitter._groups))) <= 1024


# --- aggregation ---------------------------------------------------------------------------------


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def windowed(clock):
    return MetricsEmitter(window_seconds=10, clock=clock)


def test_windowed_emitter_has_the_settings_of_the_other_one(clock, written):
    one = MetricsEmitter("Rooms", dimensions={"Stage": "dev"}, enabled=True, clock=clock)

    two = one.windowed(10)
    two.emit_metric("A", 1)
    two.flush_due()
    before = written()
    clock.now += 10_000_000_000
    two.flush_due()
    one.flush()

    assert before == []
    [line] = written()
    assert '"Namespace":"Rooms","Dimensions":[["Stage"],[]]' in line
    assert (one.window_seconds, two.window_seconds) == (0, 10)


def test_windowed_emitter_of_one_that_is_off_is_off(written):
    two = MetricsEmitter(enabled=False).windowed(10)

    two.emit_metric("A", 1)
    two.flush()

    assert written() == []


def test_window_sums_counts_and_lists_other_values(windowed, written):
    [windowed.emit_audio_chunk_received(SESSION, size) for size in (3200, 6400, 3200)]

    windowed.flush()

    assert written() == [
        START
        + '[[]],"Metrics":[{"Name":"AudioChunksReceived","Unit":"Count"},{"Name":"AudioChunkSize",'
        '"Unit":"Bytes"}]}]},"AudioChunksReceived":3,"AudioChunkSize":[3200,6400,3200],'
        '"sessionId":"golden-eagle-427"}'
    ]


@pytest.mark.parametrize(
    ("seconds", "lines"),
    [(0, 0), (9.999, 0), (10, 1), (60, 1)],
    ids=["same", "before", "end", "after"],
)
def test_window_is_written_when_it_is_over(windowed, clock, written, seconds, lines):
    windowed.emit_metric("A", 1)
    windowed.flush_due()
    clock.now += int(seconds * 1_000_000_000)
    windowed.flush_due()

    assert len(written()) == lines


def test_window_begins_again_after_a_flush(windowed, clock, written):
    windowed.flush_due()
    clock.now += 9_000_000_000
    windowed.flush()
    windowed.emit_metric("A", 1)
    clock.now += 9_000_000_000
    windowed.flush_due()
    early = written()
    clock.now += 10_000_000_000
    windowed.flush_due()

    assert early == []
    assert len(written()) == 1


def test_window_ends_when_the_clock_goes_back(windowed, clock, written):
    windowed.emit_metric("A", 1)
    windowed.flush_due()
    clock.now -= 3_600_000_000_000
    windowed.flush_due()

    assert len(written()) == 1


def test_without_a_window_every_invocation_is_written(emitter, written):
    emitter.emit_metric("A", 1)
    emitter.flush_due()

    assert len(written()) == 1


def test_sum_beyond_the_range_becomes_a_list(windowed, written):
    [windowed.emit_metric("A", value, "Count") for value in (LIMIT, 1, 2)]
    windowed.flush()

    assert json.loads(written()[0])["A"] == [LIMIT, 3]


# --- merging into a log line ---------------------------------------------------------------------


def test_take_returns_members_and_forgets_them(emitter, written):
    emitter.emit_message_latency("sendAudio", 3.5)

    assert emitter.take() == [
        ',"_aws":{"Timestamp":1767225600123,"CloudWatchMetrics":[{"Namespace":"WebSocketAudio",'
        '"Dimensions":[["ActionType"],[]],"Metrics":[{"Name":"MessageLatency","Unit":"Milliseconds"}]}]},'
        '"ActionType":"sendAudio","MessageLatency":3.5'
    ]
    assert emitter.take() == []
    assert written() == []


def test_take_leaves_out_what_the_line_has(emitter):
    emitter.emit_metric("A", 1, sessionId=SESSION, level="x", seq=7)
    emitter.emit_metric("A", 2, "None", {"connectionId": "abc="}, context="x")
    emitter.emit_audio_buffer_overflow(SESSION)

    (members,) = emitter.take()

    assert json.loads("{" + members[1:] + "}").keys() == {
        "_aws",
        "A",
        "AudioBufferOverflows",
        "seq",
    }


def test_take_of_one_metric_leaves_out_what_the_line_has(emitter):
    emitter.emit_metric("A", 1, sessionId=SESSION, lang="en-US")

    (members,) = emitter.take()

    assert members.endswith('"A":1,"lang":"en-US"')


def test_take_without_a_clock_breaks_nothing(caplog):
    emitter = MetricsEmitter(clock=lambda: 1 // 0)
    emitter.emit_metric("A", 1)

    assert emitter.take() == []
    assert "metrics could not be written" in caplog.text


def test_take_gives_one_text_a_dimension_set(emitter):
    emitter.emit_cold_start("audio")
    emitter.emit_message_latency("sendAudio", 3.5)

    assert len(emitter.take()) == 2


def test_take_writes_apart_what_has_a_service_of_its_own(emitter, written):
    """A log line may have `service`; the same member twice would be no JSON object."""
    emitter.emit_metric("A", 1, "Count", {"service": "audio"})
    emitter.emit_metric("B", 1)

    taken = emitter.take()

    assert [members.rpartition(",")[2] for members in taken] == ['"B":1']
    assert declared(json.loads(written()[0])) == ["A"]


# --- an invocation -------------------------------------------------------------------------------


def test_invocation_is_flushed_and_counts_the_cold_start_once(emitter, written):
    @emitter.invocation("audio")
    def handler(event, context):
        emitter.emit_metric("A", event)
        return context

    results = [handler(1, "x"), handler(2, "y")]
    documents = [json.loads(line) for line in written()]

    assert results == ["x", "y"]
    assert handler.__name__ == "handler"
    assert [declared(d) for d in documents] == [["ColdStarts"], ["A"], ["A"]]
    assert (documents[0]["Handler"], documents[0]["ColdStarts"]) == ("audio", 1)


def test_invocation_that_raises_is_flushed_too_and_the_error_stays(emitter, written):
    @emitter.invocation("audio")
    def handler(event, context):
        emitter.emit_metric("A", 1)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        handler({}, None)

    assert [declared(json.loads(line)) for line in written()] == [["ColdStarts"], ["A"]]


def test_invocation_of_a_coroutine_is_flushed_when_it_ends(emitter, written):
    @emitter.invocation("audio")
    async def handler(event, context):
        await asyncio.sleep(0)
        emitter.emit_metric("A", 1)

    asyncio.run(handler({}, None))

    assert declared(json.loads(written()[-1])) == ["A"]


@pytest.mark.parametrize(
    "block", [lambda e: e, lambda e: e.invocation("audio")], ids=["emitter", "invocation"]
)
def test_failure_waits_for_no_window(windowed, written, block):
    windowed.emit_metric("A", 1)
    with block(windowed):
        pass
    before = written()

    with pytest.raises(KeyError), block(windowed):
        raise KeyError("mine")

    assert before == []
    assert "A" in "".join(str(declared(json.loads(line))) for line in written())


def test_one_decorator_wraps_several_functions(emitter, written):
    counted = emitter.invocation("audio")
    first, second = (
        counted(lambda: emitter.emit_metric("A", 1)),
        counted(lambda: emitter.emit_metric("B", 1)),
    )

    first()
    second()

    names = [declared(json.loads(line)) for line in written()]
    assert names == [["ColdStarts"], ["A"], ["B"]]


def test_level_of_the_emitters_own_lines_can_be_asked(emitter, monkeypatch):
    assert emitter.line_level == "INFO"

    monkeypatch.setattr(module, "_level", "ERROR")

    assert emitter.line_level == "ERROR"


def test_emitter_as_a_block_is_flushed_when_it_raises(emitter, written):
    emitter.emit_metric("A", 1)

    with pytest.raises(KeyError), emitter:
        raise KeyError("mine")

    assert len(written()) == 1


def test_what_is_warm_counts_no_cold_start(emitter, monkeypatch):
    """As under provisioned concurrency, or after an invocation that counted none."""
    monkeypatch.setattr(_invocation, "_start", _invocation._WARM)

    emitter.emit_cold_start("audio")

    assert emitter.take() == []


def test_a_start_is_not_counted_by_what_is_switched_off(emitter):
    MetricsEmitter(enabled=False).emit_cold_start("audio")
    emitter.emit_cold_start("audio")

    assert len(emitter.take()) == 1


def test_cold_start_is_counted_once_for_all_emitters(emitter):
    emitter.emit_cold_start("audio")
    other = MetricsEmitter()
    other.emit_cold_start("audio")

    assert len(emitter.take()) == 1
    assert other.take() == []


def test_stdout_that_is_gone_breaks_nothing(emitter, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    emitter.emit_metric("A", 1)

    emitter.flush()

    assert emitter.take() == []


def test_clock_that_fails_breaks_nothing(caplog):
    emitter = MetricsEmitter(clock=lambda: 1 // 0)
    emitter.emit_metric("A", 1)

    emitter.flush()

    assert "metrics could not be written" in caplog.text


# --- the metrics of the system -------------------------------------------------------------------

CALLS = [
    ("emit_control_message_received", (SESSION, "pauseBroadcast"), [("ControlMessagesReceived", 1)], [["ActionType"], []]),
    ("emit_control_message_latency", (SESSION, "pauseBroadcast", 3.5), [("ControlMessageLatency", 3.5)], [["ActionType"], []]),
    ("emit_listener_notification_latency", (SESSION, 12, 3.5), [("ListenerNotificationLatency", 3.5), ("ListenersNotified", 12)], [[]]),
    ("emit_listener_notification_failure", (SESSION, "c=", "Gone"), [("ListenerNotificationFailures", 1)], [["ErrorType"], []]),
    ("emit_status_query_received", (SESSION,), [("StatusQueriesReceived", 1)], [[]]),
    ("emit_status_query_latency", (SESSION, 3.5), [("StatusQueryLatency", 3.5)], [[]]),
    ("emit_periodic_status_update_sent", (SESSION,), [("PeriodicStatusUpdatesSent", 1)], [[]]),
    ("emit_lambda_error", ("audio", "KeyError"), [("LambdaErrors", 1)], [["Handler", "ErrorType"], []]),
    ("emit_dynamodb_error", ("PutItem", "Throttled"), [("DynamoDBErrors", 1)], [["Operation"], ["ErrorCode"], []]),
    ("emit_audio_chunk_received", (SESSION, 3200), [("AudioChunksReceived", 1), ("AudioChunkSize", 3200)], [[]]),
    ("emit_audio_processing_latency", (SESSION, 3.5), [("AudioProcessingLatency", 3.5)], [[]]),
    ("emit_audio_chunk_dropped", (SESSION, "late"), [("AudioChunksDropped", 1)], [["Reason"], []]),
    ("emit_audio_buffer_overflow", (SESSION,), [("AudioBufferOverflows", 1)], [[]]),
    ("emit_transcribe_stream_init_latency", (SESSION, 3.5), [("TranscribeStreamInitLatency", 3.5)], [[]]),
    ("emit_transcribe_stream_error", (SESSION, "Timeout"), [("TranscribeStreamErrors", 1)], [["ErrorType"], []]),
    ("emit_rate_limit_violation", (SESSION, "c=", "sendAudio"), [("RateLimitViolations", 1)], [["MessageType"], []]),
    ("emit_connection_closed_for_rate_limit", (SESSION, "c="), [("ConnectionsClosedForRateLimit", 1)], [[]]),
    ("emit_message_latency", ("sendAudio", 3.5), [("MessageLatency", 3.5)], [["ActionType"], []]),
    ("emit_message_failure", ("sendAudio", "X"), [("MessageFailures", 1)], [["ActionType"], ["ErrorCode"], []]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "arguments", "values", "sets"), CALLS, ids=[call[0] for call in CALLS]
)
def test_system_metric(emitter, flushed, method, arguments, values, sets):
    getattr(emitter, method)(*arguments)

    (document,) = flushed()

    assert [(name, document[name]) for name in declared(document)] == values
    assert directive(document)["Dimensions"] == sets
    assert document.get("sessionId", SESSION) == SESSION
    assert ("sessionId" in document) == (SESSION in arguments)
    assert ("connectionId" in document) == ("c=" in arguments)


UNIT_OF = {
    "ControlMessagesReceived": "Count", "ControlMessageLatency": "Milliseconds", "ListenerNotificationLatency": "Milliseconds",
    "ListenersNotified": "Count", "ListenerNotificationFailures": "Count", "StatusQueriesReceived": "Count",
    "StatusQueryLatency": "Milliseconds", "PeriodicStatusUpdatesSent": "Count", "LambdaErrors": "Count",
    "DynamoDBErrors": "Count", "AudioChunksReceived": "Count", "AudioChunkSize": "Bytes",
    "AudioProcessingLatency": "Milliseconds", "AudioChunksDropped": "Count", "AudioBufferOverflows": "Count",
    "TranscribeStreamInitLatency": "Milliseconds", "TranscribeStreamErrors": "Count", "RateLimitViolations": "Count",
    "ConnectionsClosedForRateLimit": "Count", "ColdStarts": "Count", "MessageLatency": "Milliseconds",
    "MessageFailures": "Count",
}  # fmt: skip


def test_every_metric_of_the_contract_has_its_unit():
    units = {name: row[0] for name, row in METRICS.items()}

    assert {name: units.get(name) for name in UNIT_OF} == UNIT_OF


def test_message_failure_is_one_document_with_two_separate_sets(emitter, written):
    """One document, so that the roll-up counts each failure once."""
    emitter.emit_message_failure("sendAudio", ErrorCode.SESSION_NOT_FOUND)

    emitter.flush()

    assert written() == [
        START
        + '[["ActionType"],["ErrorCode"],[]],"Metrics":[{"Name":"MessageFailures","Unit":"Count"}]}]},'
        '"ActionType":"sendAudio","ErrorCode":"SESSION_NOT_FOUND","MessageFailures":1}'
    ]


def test_separate_sets_keep_the_default_dimensions(written):
    emitter = MetricsEmitter(dimensions={"Stage": "prod"})
    emitter.emit_message_failure("sendAudio", "X")
    emitter.flush()

    document = json.loads(written()[0])

    assert directive(document)["Dimensions"] == [
        ["Stage", "ActionType"],
        ["Stage", "ErrorCode"],
        [],
    ]


def test_separate_sets_and_a_joint_set_of_the_same_names_are_two_documents(emitter, flushed):
    emitter.emit_message_failure("sendAudio", "X")
    emitter.emit_metric("A", 1, "Count", {"ActionType": "sendAudio", "ErrorCode": "X"})

    assert [directive(d)["Dimensions"] for d in flushed()] == [
        [["ActionType"], ["ErrorCode"], []],
        [["ActionType", "ErrorCode"], []],
    ]


def test_separate_set_whose_dimensions_are_all_refused_is_the_roll_up(emitter, flushed):
    emitter.emit_message_failure("", "")

    (document,) = flushed()

    assert directive(document)["Dimensions"] == [[]]
    assert document["MessageFailures"] == 1


# --- metrics of one's own ------------------------------------------------------------------------


def test_metric_of_ones_own_has_every_check_and_no_row(emitter, flushed):
    """An id and a secret are no dimensions, and an alarm can be set on the roll-up."""
    given = {"RoomKind": "quiz", "roomSessionId": SESSION, "token": "abc"}
    emitter.emit_metric("RoomsOpened", 1, "Count", given, roomId="r-1")

    (document,) = flushed()

    assert "RoomsOpened" not in METRICS
    assert directive(document)["Dimensions"] == [["RoomKind"], []]
    assert document["roomSessionId"] == SESSION
    assert document["token"] == "[REDACTED]"
    assert (document["RoomsOpened"], document["roomId"]) == (1, "r-1")


# --- a timed block -------------------------------------------------------------------------------


def test_context_times_a_block(emitter, flushed):
    with MetricsContext(emitter, "Latency", {"Kind": "a"}, sessionId=SESSION):
        pass

    (document,) = flushed()

    assert directive(document)["Metrics"] == [{"Name": "Latency", "Unit": "Milliseconds"}]
    assert 0 <= document["Latency"] < 60_000
    assert (document["Kind"], document["sessionId"]) == ("a", SESSION)


def test_context_times_a_block_that_raises(emitter, flushed):
    with pytest.raises(KeyError), MetricsContext(emitter, "Latency"):
        raise KeyError("mine")

    assert declared(flushed()[0]) == ["Latency"]


def test_context_times_each_call_of_a_function(emitter, flushed):
    @MetricsContext(emitter, "Latency", sessionId=SESSION)
    def double(number):
        return 2 * number

    assert [double(1), double(2)] == [2, 4]
    (document,) = flushed()
    assert len(document["Latency"]) == 2
    assert document["sessionId"] == SESSION


def test_context_times_a_coroutine_until_it_ends(emitter, flushed, monkeypatch):
    now_ns = [0]
    monkeypatch.setattr(module.time, "perf_counter_ns", lambda: now_ns[0])

    @MetricsContext(emitter, "Latency")
    async def work(ns):
        await asyncio.sleep(0)
        now_ns[0] += ns

    async def both():
        await asyncio.gather(work(5_000_000), work(7_000_000))

    asyncio.run(both())

    (document,) = flushed()
    assert document["Latency"] == [5, 12]


def test_context_may_be_entered_again_while_it_is(emitter, flushed, monkeypatch):
    now_ns = [0]
    monkeypatch.setattr(module.time, "perf_counter_ns", lambda: now_ns[0])
    context = MetricsContext(emitter, "Latency")

    with context:
        now_ns[0] += 1_000_000
        with context:
            now_ns[0] += 2_000_000
    with context:
        now_ns[0] += 4_000_000

    assert flushed()[0]["Latency"] == [2, 3, 4]


def test_recursive_function_is_timed_at_each_depth(emitter, flushed, monkeypatch):
    now_ns = [0]
    monkeypatch.setattr(module.time, "perf_counter_ns", lambda: now_ns[0])

    @MetricsContext(emitter, "Latency")
    def descend(depth):
        now_ns[0] += 1_000_000
        if depth:
            descend(depth - 1)

    descend(2)

    assert flushed()[0]["Latency"] == [1, 2, 3]


def test_blocks_may_end_in_another_order(emitter, flushed, monkeypatch):
    now_ns = [0]
    monkeypatch.setattr(module.time, "perf_counter_ns", lambda: now_ns[0])
    first, second = MetricsContext(emitter, "First"), MetricsContext(emitter, "Second")

    first.__enter__()
    now_ns[0] += 1_000_000
    second.__enter__()
    now_ns[0] += 1_000_000
    first.__exit__(None, None, None)
    now_ns[0] += 1_000_000
    second.__exit__(None, None, None)

    (document,) = flushed()
    assert (document["First"], document["Second"]) == (2, 2)


def test_one_context_times_several_threads(emitter, flushed):
    """Each thread's block is as long as it is, whatever the others do between."""
    context = MetricsContext(emitter, "Latency")
    both = threading.Barrier(2)

    def work(_):
        with context:
            both.wait(10)
        both.wait(10)

    errors = in_threads(2, work)

    assert errors == []
    assert len(flushed()[0]["Latency"]) == 2


def test_one_context_times_several_tasks(emitter, flushed, monkeypatch):
    now_ns = [0]
    monkeypatch.setattr(module.time, "perf_counter_ns", lambda: now_ns[0])
    context = MetricsContext(emitter, "Latency")

    async def work(ns):
        with context:
            await asyncio.sleep(0)
            now_ns[0] += ns

    async def both():
        await asyncio.gather(work(5_000_000), work(7_000_000))

    asyncio.run(both())

    assert flushed()[0]["Latency"] == [5, 12]


def test_block_that_ends_in_another_thread_is_no_metric_and_no_error(emitter, flushed, caplog):
    context = MetricsContext(emitter, "Latency")
    context.__enter__()

    errors = in_threads(1, lambda _: context.__exit__(None, None, None))

    assert errors == []
    assert flushed() == []
    assert caplog.messages == [
        "metric 'Latency' refused: its block began in another thread or task"
    ]
    context.__exit__(None, None, None)
    assert declared(flushed()[0]) == ["Latency"]


def generator():
    yield


@pytest.mark.parametrize(
    ("decorate", "name"),
    [
        (lambda e: MetricsContext(e, "Latency"), "@MetricsContext"),
        (lambda e: e.invocation("audio"), "@metrics.invocation"),
    ],
)
def test_generator_is_refused(emitter, decorate, name):
    with pytest.raises(TypeError) as caught:
        decorate(emitter)(generator)

    assert str(caught.value) == f"{name} cannot wrap generator, which is a generator"


# --- threads -------------------------------------------------------------------------------------


def in_threads(count, work):
    errors = []

    def run(number):
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return errors


@pytest.fixture
def switching_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching_often")
def test_eight_threads_lose_nothing(emitter, written):
    """Some flush, some fill documents up; every value arrives once, under its own dimension."""

    def work(number):
        for value in range(1500):
            emitter.emit_metric("A", value, "Bytes", {"Kind": f"t{number}"}, sessionId=f"s{number}")
            if value % 97 == 0:
                emitter.flush()

    errors = in_threads(8, work)
    emitter.flush()
    documents = [json.loads(line) for line in written()]
    values = {f"t{number}": [] for number in range(8)}
    for document in documents:
        shown = document["A"]
        values[document["Kind"]] += shown if isinstance(shown, list) else [shown]

    assert errors == []
    assert [sorted(values[f"t{number}"]) for number in range(8)] == [list(range(1500))] * 8
    assert {(d["Kind"], d["sessionId"]) for d in documents} == {
        (f"t{n}", f"s{n}") for n in range(8)
    }


def test_two_flushes_that_meet_at_the_last_value_break_nothing(emitter, written):
    class Emptied(list):
        """Looks full until it is asked, as a queue does that another thread just emptied."""

        def __bool__(self):
            return True

        def popleft(self):
            return self.pop(0)

    emitter._waiting = Emptied()
    emitter.emit_metric("A", 1)
    emitter.flush()

    assert len(written()) == 1


def test_a_property_that_flushes_does_not_hang(emitter, written):
    class Flushing:
        def __repr__(self):
            emitter.emit_metric("B", 1)
            emitter.flush()
            return "flushed"

    emitter.emit_metric("A", 1, n=Flushing())

    emitter.flush()

    assert [declared(json.loads(line)) for line in written()] == [["B"], ["A"]]


# --- anything ------------------------------------------------------------------------------------


def unique(pairs):
    members = dict(pairs)
    assert len(members) == len(pairs), "a member twice"
    return members


def refuse_constant(text):
    raise AssertionError(f"{text} is not JSON")


def assert_name(name, limit):
    assert isinstance(name, str)
    assert re.fullmatch(rf"[\x20-\x7e]{{1,{limit}}}", name)
    assert name.strip()
    assert not name.startswith(":")


def assert_numbers(target):
    numbers = target if isinstance(target, list) else [target]
    assert 1 <= len(numbers) <= 100
    for number in numbers:
        assert type(number) in (int, float)
        assert abs(number) <= 2**360


def assert_emf(line):
    """Fail unless the line satisfies every limit of the EMF specification and of the CloudWatch API."""
    assert len(line.encode()) < 256 * 1024
    document = json.loads(line, object_pairs_hook=unique, parse_constant=refuse_constant)
    json.dumps(document, ensure_ascii=False).encode()  # no half of a surrogate pair
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", document["timestamp"])
    assert document["level"] == "INFO"
    assert type(document["_aws"]["Timestamp"]) is int
    assert document["_aws"].keys() == {"Timestamp", "CloudWatchMetrics"}
    (one,) = document["_aws"]["CloudWatchMetrics"]
    assert one.keys() == {"Namespace", "Dimensions", "Metrics"}
    assert_name(one["Namespace"], 255)
    assert 1 <= len(one["Metrics"]) <= 100
    assert [] in one["Dimensions"]
    names = [metric["Name"] for metric in one["Metrics"]]
    assert len(set(names)) == len(names)
    for metric in one["Metrics"]:
        assert_name(metric["Name"], 255)
        assert metric["Unit"] in UNITS
        assert metric.get("StorageResolution", 60) in (1, 60)
        assert metric.keys() <= {"Name", "Unit", "StorageResolution"}
        assert_numbers(document[metric["Name"]])
    for dimensions in one["Dimensions"]:
        assert len(dimensions) <= 30
        assert len(set(dimensions)) == len(dimensions)
        for name in dimensions:
            assert_name(name, 250)
            assert name not in names
            assert isinstance(document[name], str)
            assert re.fullmatch(r"[\x20-\x7e]{1,1024}", document[name])
            assert document[name].strip()
    return document


# Made for each example: hypothesis shows what it draws from, and these cannot be shown.
HOSTILE = st.sampled_from([Hostile, HostileMapping, Exiting, object]).map(lambda kind: kind()) | st.sampled_from(
    [HostileText("x"), Colour.RED, Action.PAUSE, Level.TWO, Hostile, math.nan, 10**4000, LIMIT, LIMIT + 1,
     Decimal("sNaN"), "\ud800", "\u00e9" * 2000, "x" * 70_000, b"\xff" * 100]
)  # fmt: skip
NAMES = st.sampled_from(
    [
        "A",
        "B",
        "Latency",
        "Kind",
        "_aws",
        "sessionId",
        "N" * 255,
        "N" * 256,
        ":a",
        "token",
        "service",
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(max_size=30), st.binary(max_size=30), HOSTILE, NAMES
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4), max_leaves=8
)  # fmt: skip
SOME_NAME = NAMES | ANYTHING
SOME_VALUE = st.integers() | st.floats() | ANYTHING
SOME_DIMENSIONS = (
    st.none()
    | st.dictionaries(NAMES | st.text(max_size=8) | st.integers(), ANYTHING, max_size=40)
    | ANYTHING
)
SOME_PROPERTIES = st.dictionaries(NAMES | st.text(max_size=8), ANYTHING, max_size=6)
CALL = st.tuples(
    SOME_NAME, SOME_VALUE, st.sampled_from(sorted(UNITS)) | ANYTHING, SOME_DIMENSIONS,
    st.sampled_from([1, 60]) | ANYTHING, SOME_PROPERTIES,
)  # fmt: skip


def emitted(emitter, calls):
    for name, value, unit, dimensions, resolution, properties in calls:
        emitter.emit_metric(name, value, unit, dimensions, resolution, **spelt(properties))


def spelt(properties):
    """Return properties that Python lets pass as keywords beside the named arguments."""
    named = {"metric_name", "value", "unit", "dimensions", "resolution"}
    return {name: value for name, value in properties.items() if name not in named}


@settings(max_examples=60)
@given(calls=st.lists(CALL, max_size=6), window=st.sampled_from([0, 10]), stage=st.booleans())
@example(calls=[("A", 1, "Count", {f"D{n}": "x" for n in range(40)}, 1, {})], window=0, stage=True)
@example(
    calls=[("A", 1, "Count", {"Kind": 5}, 60, {}), ("Kind", 1, "Count", {"A": "x"}, 60, {})],
    window=0,
    stage=True,
)
def test_any_objects_make_documents_within_every_limit(calls, window, stage):
    emitter = MetricsEmitter(
        window_seconds=window, dimensions={"service": "audio"} if stage else None
    )

    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        emitted(emitter, calls)
        emitter.flush()

    [assert_emf(line) for line in stdout.getvalue().splitlines()]
    assert stdout.getvalue() == "" or stdout.getvalue().endswith("}\n")


@settings(max_examples=40)
@given(calls=st.lists(CALL, max_size=4))
def test_any_objects_can_be_taken_into_a_log_line(calls):
    """The line's own members and the metrics are one JSON object, no member twice."""
    own = '"message":"m","context":{},"component":"c","sessionId":"s","service":"x"'
    emitter = MetricsEmitter()
    emitted(emitter, calls)

    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        taken = emitter.take()

    [
        assert_emf(f'{{"timestamp":"2026-01-01T00:00:00.123Z","level":"INFO",{own}{text}}}')
        for text in taken
    ]
    [assert_emf(line) for line in stdout.getvalue().splitlines()]


@settings(max_examples=50)
@given(
    number=st.floats(allow_nan=False, min_value=-(2.0**360), max_value=2.0**360)
    | st.integers(-LIMIT, LIMIT)
)
def test_any_number_within_the_range_arrives_as_it_was(number):
    emitter = MetricsEmitter()
    emitter.emit_metric("A", number)
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        emitter.flush()

    document = assert_emf(stdout.getvalue().rstrip("\n"))

    assert document["A"] == number
    assert type(document["A"]) is type(number)
