"""What CloudWatch takes of a metric, and an embedded metric format (EMF) document as text.

Functions of values: no clock, no environment, no output. What is refused comes back as the reason.
Limits are those of
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
and of the CloudWatch API, the smaller of the two.
"""

from __future__ import annotations

import re
from enum import Enum

from . import _cleaning, _redaction
from ._json import encode, in_one_line, readable
from ._json import quote_readable as quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Number = int | float
    Dimensions = tuple[tuple[str, str], ...]

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
_SCALES = ("", "kilo", "mega", "giga", "tera")
_SIZES = [(scale + size).capitalize() for size in ("bytes", "bits") for scale in _SCALES]
#: The 27 units that CloudWatch takes.
UNITS = frozenset(
    ("Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None", *_SIZES)
).union(f"{size}/Second" for size in _SIZES)

MAX_METRICS = MAX_VALUES = 100
MAX_DIMENSIONS = 30
MAX_NAME = 255  # of a metric and of a namespace
MAX_DIMENSION_NAME = 250
_MAX_DIMENSION_VALUE = 1024
_MAX_NUMBER = 2.0**360
# Integers below this need no comparison with a float.
_MAX_SAFE = 2**53

# Properties that differ between the values of one document are kept side by side, up to here.
_MAX_PROPERTY_VALUES = 10
# So many short properties are below the limit of a line, however their characters are escaped.
_MAX_SHORT = 8
# What properties are cut to, and what there is room for, until they fit a line.
_NARROWER = ((256, _cleaning.MAX_LINE_BYTES // 2), (32, _cleaning.MAX_LINE_BYTES // 8))

# Members of each document, and of each line: a line that was lost is counted on the next one.
HEAD = frozenset(("_aws", "timestamp", "level", "droppedLines"))
# Ids of a log line.
IDS = frozenset(("sessionId", "connectionId", "requestId", "correlationId", "traceId", "spanId"))
# Members of a log line: neither a metric nor a dimension has such a name.
RESERVED = HEAD.union(
    IDS,
    ("component", "message", "context", "error", "operation", "errorCode", "durationMs"),
    ("coldStart", "samplingRate"),
)
# A line may have it, too, but it is a dimension that many use.
_SERVICE = "service"


# --- what CloudWatch takes -----------------------------------------------------------------------


def finite(value: Any) -> Number:
    """Return a number within CloudWatch's range, ValueError for anything else; True is not 1."""
    kind = type(value)
    if kind is int and -_MAX_SAFE < value < _MAX_SAFE:
        return value  # type: ignore[no-any-return]
    if kind is not float:
        value = _cleaning.number_of(value)
    if value is None or not -_MAX_NUMBER <= value <= _MAX_NUMBER:
        raise ValueError("the value is not a finite number")
    return value  # type: ignore[no-any-return]


def _is_text(value: str, limit: int) -> bool:
    return (
        0 < len(value) <= limit and value.isascii() and value.isprintable() and not value.isspace()
    )


def is_name(name: object, limit: int = MAX_NAME) -> bool:
    """Return whether a metric or a namespace may be called so, or, with its limit, a dimension."""
    return (
        type(name) is str
        and _is_text(name, limit)
        and name[0] != ":"
        and _redaction.scrub(name) == name
    )


# What a name's last word says of its values: there is one for each request, connection or person.
_OF_ONE = frozenset(
    "id ids uuid arn email mail phone ip address user username customer person session connection"
    " request".split()
)
_WORD = "[A-Z]+s(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+"
_RUN_TOGETHER = (
    "sessionid",
    "connectionid",
    "requestid",
    "correlationid",
    "userid",
    "traceid",
    "messageid",
)


def _is_of_one(name: str) -> bool:
    """Return whether a dimension's values would be ids or people: `UserId`, `client_ip`, `Session`."""
    words = [word.lower() for word in re.findall(_WORD, name)]
    last = words[-1] if words else ""
    return (
        last in _OF_ONE
        or last.removesuffix("s") in _OF_ONE
        or last.endswith(_RUN_TOGETHER)
        or words[-2:] == ["user", "name"]
    )


def dimension_text(value: object) -> str:
    """Return a dimension's value as text, never cut; empty for what counts nothing."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return str.__str__(value)
    return _cleaning.text(value) if isinstance(value, int) and type(value) is not bool else ""


def dimension_refusal(name: str, text: str) -> str:
    """Return why a dimension is not taken, "" if it is."""
    if _is_of_one(name) or _redaction.policy.needs(name):
        return "an id or a secret is no dimension"
    if not is_name(name, MAX_DIMENSION_NAME) or name in RESERVED:
        return "not a dimension name"
    if not _is_text(text, _MAX_DIMENSION_VALUE) or _redaction.scrub(text) != text:
        return "not 1 to 1024 ASCII characters, or a secret"
    return ""


# --- metrics and documents ------------------------------------------------------------------------


class Group:
    """Metrics that one document can hold: the same dimensions, each name once, a hundred at most.

    `apart` says whether each dimension is a set of its own. Groups and metrics are equal to nothing
    but themselves, which makes them fast keys: two groups alike are two documents.
    """

    __slots__ = ("apart", "dimensions", "metrics")

    def __init__(self, dimensions: Dimensions, apart: bool) -> None:
        self.dimensions = dimensions
        self.apart = apart
        self.metrics: dict[str, Metric] = {}

    def metric(self, name: str, unit: str, resolution: int) -> Metric | None:
        """Return the group's metric of this kind, a new one if there is room, None if not."""
        metric = self.metrics.get(name)
        if metric is None and len(self.metrics) < MAX_METRICS:
            # Whoever is first: another thread may be here, too.
            metric = self.metrics.setdefault(name, Metric(self, name, unit, resolution))
        is_this = metric is not None and (metric.unit, metric.resolution) == (unit, resolution)
        return metric if is_this else None


class Metric:
    """A metric as CloudWatch takes it; `resolution` is in seconds."""

    __slots__ = ("group", "name", "resolution", "unit")

    def __init__(self, group: Group, name: str, unit: str, resolution: int) -> None:
        self.group = group
        self.name = name
        self.unit = unit
        self.resolution = resolution


_STR = frozenset((str,))


class _Several(list["Any"]):
    """Values of one property that differ."""


class Document:
    """Values of a group's metrics, by name, and the properties that came with them."""

    __slots__ = ("group", "has_lists", "properties", "values")

    def __init__(self, group: Group) -> None:
        self.group = group
        self.values: dict[str, Number | list[Number]] = {}
        self.properties: dict[str, Any] = {}
        self.has_lists = False

    def put(self, name: str, number: Number, is_summed: bool = False) -> bool:
        """Add a value of a metric; return whether there was room for it.

        Values that are summed stay one, up to where CloudWatch's range ends.
        """
        before = self.values.get(name)
        if before is None:
            self.values[name] = number
            return True
        numbers = before if isinstance(before, list) else [before]
        if is_summed and abs(numbers[-1] + number) <= _MAX_NUMBER:
            number += numbers.pop()
        elif len(numbers) >= MAX_VALUES:
            return False
        numbers.append(number)
        self.values[name] = numbers if len(numbers) > 1 else number
        self.has_lists = self.has_lists or len(numbers) > 1
        return True

    def put_beside(self, given: Mapping[str, object]) -> None:
        """Add properties: two sessions in one document are both searchable."""
        properties = self.properties
        if not properties and _STR.issuperset(map(type, (*given, *given.values()))):
            self.properties = {**given}  # ids, as most often
            return
        for given_name, content in given.items():
            if content is None:
                continue
            name = given_name if type(given_name) is str else str.__str__(given_name)
            before = properties.setdefault(name, content)
            if before is content:
                continue
            values = before if type(before) is _Several else _Several((before,))
            if len(values) < _MAX_PROPERTY_VALUES and not any(_is_same(v, content) for v in values):
                properties[name] = values
                values.append(content)

    def text(self, layout: Layout) -> str:
        """Return the document after its time, without its last brace.

        The text between the values is the layout's; that of a number is what Python shows, as `json` does.
        """
        form = layout.form
        numbers: Iterable[object] = self.values.values()
        texts: list[str] = []
        if self.has_lists:
            numbers = map(encode, numbers)
        if layout.names:
            shown = self.properties
            if len(layout.names) < len(shown):
                shown = {name: shown[name] for name in layout.names}
            plain = _plain_texts(shown) if layout.are_open else None
            if plain is None:
                shown = _fitted(shown)
                shown = {name: shown[name] for name in shown if name not in layout.taken}
                form = _form([*self.values, *shown])
                plain = [readable(value) for value in shown.values()]
            texts = plain
        return in_one_line(layout.head + form % (*numbers, *texts))


def _form(names: Iterable[str]) -> str:
    """Return members of these names, with a gap for each one's JSON text."""
    return "".join([f",{quote(name)}:".replace("%", "%%") + "%s" for name in names])


def _is_same(one: object, other: object) -> bool:
    """Return whether two values are the same, without methods of their own."""
    return one is other or (
        type(one) is type(other) and type(one) in (str, int, float) and one == other
    )


class Layout:
    """What documents of the same metrics, dimensions and property names have in common.

    `head` is the text from the directive to the last dimension, `form` that of the values and
    properties, with gaps. `names` are the properties that it takes, `taken` the names that it has
    without them; `are_open` says whether no name wants something hidden, and `has_service` whether
    a line's own `service` would be one too many.
    """

    __slots__ = ("are_open", "form", "has_service", "head", "names", "taken")

    def __init__(
        self,
        namespace: str,
        defaults: Mapping[str, str],
        document: Document,
        left_out: frozenset[str],
    ) -> None:
        group = document.group
        metrics = [group.metrics[name] for name in document.values]
        dimensions = {**defaults, **dict(group.dimensions)}
        directive = {
            "Namespace": namespace,
            "Dimensions": _sets(defaults, group),
            "Metrics": [
                {"Name": metric.name, "Unit": metric.unit}
                | ({"StorageResolution": 1} if metric.resolution == 1 else {})
                for metric in metrics
            ],
        }
        members = f",{encode(dimensions)[1:-1]}" if dimensions else ""
        self.head = f',"CloudWatchMetrics":[{encode(directive)}]}}{members}'
        self.taken = left_out.union(dimensions, document.values)
        self.names = [name for name in document.properties if name not in self.taken]
        self.form = _form([*document.values, *self.names])
        self.are_open = len(self.names) <= _MAX_SHORT and not any(map(_is_special, self.names))
        self.has_service = _SERVICE in self.taken or _SERVICE in self.names


def _sets(defaults: Iterable[str], group: Group) -> list[list[str]]:
    """Return the sets of dimensions under which values are counted, the last without any."""
    names = [name for name, _ in group.dimensions]
    if group.apart and names:
        return [*([*defaults, name] for name in names), []]
    joint = [*defaults, *names]
    return [joint, []] if joint else [[]]


def _is_special(name: str) -> bool:
    """Return whether a property of this name takes a closer look, whatever its value."""
    return (
        len(name) > _redaction.MAX_NAME_CHARS
        or not name.isascii()  # half a surrogate pair
        or _redaction.policy.needs(name)
        or _redaction.squash(name).endswith("value")  # of which another member is the name
        or _redaction.scrub(name) != name
    )


def _plain_texts(properties: dict[str, Any]) -> list[str] | None:
    """Return the JSON texts of values if each is short and none can hide a secret, else None."""
    texts: list[str] = []
    new: list[str] = []
    for value in properties.values():
        kind = type(value)
        if kind is str and len(value) <= _cleaning.SHORT_CHARS:
            texts.append(quote(value))
            if value not in _redaction.harmless:
                new.append(value)
        elif kind is bool or ((kind is int or kind is float) and -_MAX_SAFE < value < _MAX_SAFE):
            texts.append(readable(value))
        else:
            return None
    return texts if not new or _redaction.hold_no_secret(new) else None


def _fitted(properties: dict[str, Any]) -> dict[str, Any]:
    """Return properties as plain values of which the text fits a line: what is too long is cut."""
    shown: dict[str, Any] = _cleaning.clean(properties)
    for chars, room in _NARROWER:
        if len(readable(shown).encode()) <= _cleaning.MAX_LINE_BYTES:
            break
        shown = _cleaning.clean(properties, look=_cleaning.Look(chars, room))
    return shown
