"""The one JSON encoder, clock format, redaction and writer that every module shares.

Only `encode` refuses what JSON cannot hold. `clean`, `json_text`, `text` and `write`
return whatever they are given: they bound it, take out what must not be seen, and
write what JSON cannot hold as text.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from json import encoder as _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Censor = str | Callable[[object, str], object]

# A log field and a line, `design.md` 3.8: CloudWatch takes 1 MB an event, people and bills do not.
MAX_FIELD_CHARS = 1024
MAX_NAME_CHARS = 128
MAX_DEPTH = 6
MAX_LINE_BYTES = 16 * 1024
# What one log call may look at: a container of a million items must not stop the request.
MAX_NODES = 1000

# A string up to here holds no audio worth the name; a longer run of base64 is shortened.
SHORT_CHARS = 96
# A string up to here holds no token: a JWT, a bearer token and an access key id are longer.
NO_TOKEN_CHARS = 15

# --- JSON --------------------------------------------------------------------------------------


def _default(value: object) -> object:
    if isinstance(value, Decimal):  # DynamoDB's numbers
        number = float(value)  # a signalling NaN raises ValueError here
        whole = -1e18 <= number <= 1e18 and value == value.to_integral_value()
        return int(value) if whole else number
    raise TypeError(f"{type(value).__name__} is not JSON serializable")


quote: Callable[[str], str] = _json.encode_basestring_ascii

_plain = _json.JSONEncoder(
    check_circular=False, allow_nan=False, separators=(",", ":"), default=_default
)
# `JSONEncoder.encode` builds this C object on every call; built once, a call costs half.
_c_encoder: Any = getattr(_json, "c_make_encoder", None)
parts: Callable[[object, int], tuple[str, ...]] = (
    _c_encoder(None, _default, quote, None, ":", ",", False, False, False)
    if _c_encoder
    else lambda value, _: (_plain.encode(value),)
)


def encode(value: object) -> str:
    """Return compact ASCII JSON; raise ValueError, TypeError or RecursionError if there is none."""
    return "".join(parts(value, 0))


def _float_text(value: float) -> str:
    if value - value != 0:
        raise ValueError("neither NaN nor infinity is JSON")
    return repr(value)


# JSON text by a value's exact type: what has none of these types needs a look.
TEXT_OF: dict[type, Callable[[Any], str]] = {
    str: quote,
    int: repr,
    float: _float_text,
    bool: {False: "false", True: "true"}.__getitem__,
    type(None): lambda _: "null",
    Decimal: encode,
}


def json_text(value: object) -> str:
    """Return compact JSON for any object: `encode` where it can, else what `clean` leaves of it."""
    try:
        return encode(_exact(value))
    except Exception:  # whatever a foreign object's methods raise
        return encode(clean(value, None))


def _exact(value: Any) -> object:
    """Return containers without their own methods: an endless `__iter__` would fill the memory."""
    kind = type(value)
    if issubclass(kind, dict):
        return {key: _exact(inner) for key, inner in dict.items(value)}
    if issubclass(kind, list):
        return [_exact(inner) for inner in list.__iter__(value)]
    if issubclass(kind, tuple):
        return [_exact(inner) for inner in tuple.__iter__(value)]
    return value


# --- time --------------------------------------------------------------------------------------

_second: tuple[int, str] = (-2_000_000_000, "")  # where a second begins, and its text
_MILLIS: list[str] = [""] * 1000


def timestamp(ns: int) -> str:
    """Return RFC 3339 UTC text with milliseconds, `2026-01-31T12:00:00.123Z`."""
    global _second
    start, text_of_second = _second  # one read: another thread may replace it
    if not 0 <= ns - start < 1_000_000_000:
        second = ns // 1_000_000_000
        start = second * 1_000_000_000
        text_of_second = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        _second = (start, text_of_second)
    millis = (ns - start) // 1_000_000
    return text_of_second + (_MILLIS[millis] or _fill_millis(millis))


def _fill_millis(millis: int) -> str:
    _MILLIS[millis] = f"{millis:03d}Z"
    return _MILLIS[millis]


# --- redaction and bounds ----------------------------------------------------------------------

# Compared without case, `_`, `-`, white space and quotes. Ends of names:
_SECRET_ENDINGS = (
    "token", "secret", "password", "passwd", "passphrase", "authorization", "cookie", "apikey",
    "accesskey", "secretkey", "privatekey", "credential", "credentials", "jwt", "cookies",
    "passwords", "secrets",
)  # fmt: skip
# Whole names: what people say, and what carries it. A number is a size, not audio.
_SPOKEN = frozenset(
    "audio audiodata audiochunk audiochunks audiobase64 pcm pcmdata samples body rawbody"
    " transcript transcripts transcripttext transcription transcriptiontext sourcetext translatedtext"
    " secwebsocketprotocol tokens".split()
)
CENSORED = "[REDACTED]"

_NUMBERS = (int, float, Decimal)
_SECRET_TEXT: re.Pattern[str] | None = None
_BASE64_RUN: re.Pattern[str] | None = None


def looks_secret(line: str) -> bool:
    """Return whether `line` may hold a JWT, a bearer token or an AWS access key id (cheap, may err)."""
    return "eyJ" in line or "earer" in line or "EARER" in line or "AKIA" in line or "ASIA" in line


def scrub(line: str) -> str:
    """Return text, or JSON text, with every token that can be told by its shape replaced."""
    global _SECRET_TEXT
    if not looks_secret(line):
        return line
    if _SECRET_TEXT is None:
        _SECRET_TEXT = re.compile(
            r"(?<!\\u[0-9a-f]{3})eyJ[\w-]{6,}\.[\w-]*(?:\.[\w-]*)*"
            r"|(?<=[Bb]earer)(?:\s|\\[tnr]|%20)+[\w.~+/=-]+|(?<=BEARER)(?:\s|\\[tnr]|%20)+[\w.~+/=-]+"
            r"|A(?:KI|SI)A[A-Z0-9]{16}",
            re.ASCII,
        )
    return _SECRET_TEXT.sub(CENSORED, line)


# What people put around a name, and what `repr` puts around a key that is no text.
_NOISE = dict.fromkeys(map(ord, "_- \t\r\n:'\"<>()[]"))


def squash(name: str) -> str:
    return name.translate(_NOISE).lower()


class Policy:
    """What must not be seen: names at any depth, dotted paths, and what stands in their place."""

    __slots__ = ("_allowed", "_known", "_wildcards", "censor", "mask_ip", "on", "paths", "remove")

    def __init__(
        self,
        redact: Iterable[str] = (),
        allow: Iterable[str] = (),
        censor: Censor = CENSORED,
        remove: bool = False,
        mask_ip: bool = False,
        on: bool = True,
    ) -> None:
        self.censor = censor
        self.remove = remove
        self.mask_ip = mask_ip
        self.on = on
        self._allowed = frozenset(map(squash, allow))
        # A pattern is a regular expression over squashed names; in a path, a segment each.
        patterns = [[squash(segment) for segment in pattern.split(".")] for pattern in redact]
        self._wildcards = [_glob(p[0]) for p in patterns if len(p) == 1]
        self.paths = [[_glob(segment) for segment in p] for p in patterns if len(p) > 1]
        self._known: dict[str, str] = {}

    def kind(self, name: str) -> str:
        """Return "secret", "spoken", "address" or "" for a field's name."""
        kind = self._known.get(name)
        if kind is None:
            if len(name) > MAX_NAME_CHARS:
                return self._judge(squash(name))
            if len(self._known) > 1024:  # names made from data must not fill the memory
                self._known.clear()
            kind = self._known[name] = self._judge(squash(name))
        return kind

    def needs(self, name: str) -> bool:
        """Return whether a field of this name must be looked at, whatever its value."""
        return bool(self.kind(name)) or any(p[0].fullmatch(squash(name)) for p in self.paths)

    def _judge(self, name: str) -> str:
        if not self.on or name in self._allowed:
            return ""
        if name.endswith(_SECRET_ENDINGS) or any(w.fullmatch(name) for w in self._wildcards):
            return "secret"
        if name in _SPOKEN:
            return "spoken"
        return "address" if self.mask_ip and name in ("ipaddress", "sourceip", "ip") else ""

    def hides(self, kind: str, value: object, path: tuple[str, ...]) -> bool:
        """Return whether a value must not be seen. `None` and booleans tell nothing and stay."""
        if value is None or value is True or value is False:
            return False
        if kind == "secret" or (kind == "spoken" and not isinstance(value, _NUMBERS)):
            return True
        return any(_path_matches(pattern, path) for pattern in self.paths)

    def replacement(self, value: object, path: tuple[str, ...]) -> str:
        """Return what stands in a hidden value's place."""
        if isinstance(self.censor, str):
            return self.censor
        try:
            return text(self.censor(value, ".".join(path)))
        except Exception:  # the user's function; the value stays hidden
            return CENSORED


def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def _path_matches(pattern: list[re.Pattern[str]], path: tuple[str, ...]) -> bool:
    return len(pattern) == len(path) and all(
        segment.fullmatch(squash(name)) for segment, name in zip(pattern, path, strict=True)
    )


policy = Policy()


def all_open(names: tuple[str, ...]) -> bool:
    """Return whether no value under these names has to be hidden, and no name is changed."""
    return all(
        type(name) is str
        and len(name) <= SHORT_CHARS
        and not looks_secret(name)
        and not policy.needs(name)
        for name in names
    )


def clean(
    value: object, name: str | None = "", *, chars: int = MAX_FIELD_CHARS, nodes: int = MAX_NODES
) -> Any:
    """Return a JSON-safe copy of any object: bounded in depth, items and characters, redacted by name.

    `name` is the field the value stands under; `None` skips redaction (for text that is not a log).
    """
    budget = [nodes]
    path = (name,) if name else ()
    return _clean(value, path, chars, budget, policy if name is not None else _OPEN)


_OPEN = Policy(on=False)


def _clean(value: Any, path: tuple[str, ...], chars: int, budget: list[int], rules: Policy) -> Any:
    budget[0] -= 1
    try:
        kind = rules.kind(path[-1]) if path else ""
        if (kind or rules.paths) and rules.hides(kind, value, path):
            return shorten(rules.replacement(value, path), chars)
        exact = type(value)
        if exact is str and len(value) <= SHORT_CHARS and len(value) <= chars and not kind:
            return scrub(value) if rules.on else value
        if exact is bool or value is None:
            return value
        if isinstance(value, str):
            shown = shorten(str.__str__(value), chars, rules)
            return mask_address(shown) if kind == "address" else shown
        if isinstance(value, _NUMBERS):
            return _number(value)
        if isinstance(value, Enum):
            return _clean(value.value, path, chars, budget, rules)
        if isinstance(value, (bytes, bytearray, memoryview)):
            data = bytes(value)
            return f"<{name_of(type(value))} {len(data)} bytes {digest(data)}>"[:chars]
        if isinstance(value, dict):
            return _clean_items(dict.items(value), len(value), path, chars, budget, rules)
        if isinstance(value, tuple) and (names := getattr(type(value), "_fields", ())):
            items = list(zip(names, tuple.__iter__(value), strict=True))
            return _clean_items(items, len(items), path, chars, budget, rules)
        if isinstance(value, (list, tuple, set, frozenset)):
            return _clean_list(value, path, chars, budget, rules)
        if isinstance(value, Mapping):  # `os.environ`, headers: their `repr` hides nothing
            return _clean_items(value.items(), len(value), path, chars, budget, rules)
        fields = getattr(type(value), "__dataclass_fields__", None)
        if isinstance(fields, dict):
            names = [name for name, field in fields.items() if field.repr]
            items = [(name, getattr(value, name, None)) for name in names]
            return _clean_items(items, len(items), path, chars, budget, rules)
        shown = shorten(_described(value), chars, rules)
        return mask_address(shown) if kind == "address" else shown
    except Exception:  # a foreign object's own methods; the line must survive them
        return f"<unreadable {name_of(type(value))}>"[:chars]


def _clean_items(
    items: Iterable[tuple[object, object]],
    size: int,
    path: tuple[str, ...],
    chars: int,
    budget: list[int],
    rules: Policy,
) -> object:
    if len(path) > MAX_DEPTH:
        return f"<{size} fields>"
    cleaned: dict[str, object] = {}
    for key, value in items:
        if budget[0] <= 0:
            cleaned["..."] = f"{size - len(cleaned)} more"
            break
        name = str.__str__(key) if isinstance(key, str) else _described(key)
        inner = (*path, name)  # the whole name is judged, whatever is shown of it
        if not (rules.remove and rules.hides(rules.kind(name), value, inner)):
            shown = shorten(name, min(chars, MAX_NAME_CHARS), rules)
            cleaned[shown] = _clean(value, inner, chars, budget, rules)
    return cleaned


def _clean_list(
    values: Any, path: tuple[str, ...], chars: int, budget: list[int], rules: Policy
) -> object:
    if len(path) > MAX_DEPTH:
        return f"<{len(values)} items>"
    cleaned: list[object] = []
    for value in values:
        if budget[0] <= 0:
            cleaned.append(f"... {len(values) - len(cleaned)} more")
            break
        cleaned.append(_clean(value, (*path, "*"), chars, budget, rules))
    return cleaned


def _number(value: Any) -> object:
    if isinstance(value, int):
        exact = int.__index__(value)
        return exact if exact.bit_length() <= 3400 else f"<int of {exact.bit_length()} bits>"
    if isinstance(value, Decimal) and value.is_snan():
        return "sNaN"
    number = float(value)
    if number - number != 0:  # NaN or infinite, for a Decimal also beyond a float
        return shorten(str(value), 40)
    return _default(value) if isinstance(value, Decimal) else number


def name_of(kind: type) -> str:
    """Return a class's name, bounded, whatever its metaclass says."""
    name: str = type.__dict__["__name__"].__get__(kind)
    return name[:64]


def _described(value: object) -> str:
    isoformat = getattr(value, "isoformat", None)  # datetime, date, time
    if isoformat is not None:
        return str(isoformat())
    return str(value) if isinstance(value, BaseException) else repr(value)


def shorten(value: str, chars: int = MAX_FIELD_CHARS, rules: Policy | None = None) -> str:
    """Return `value` with long base64 as length and digest, cut to `chars` characters."""
    global _BASE64_RUN
    rules = rules or policy
    if len(value) > SHORT_CHARS and rules.on:
        if _BASE64_RUN is None:
            _BASE64_RUN = re.compile(rf"[A-Za-z0-9+/_-]{{{SHORT_CHARS + 1},}}={{0,2}}")
        value = _BASE64_RUN.sub(_base64_summary, value)
    if rules.on:
        value = scrub(value)
    if len(value) > chars:
        tail = f"...[{len(value)} chars]"
        value = value[: max(chars - len(tail), 0)] + tail
    return value


def _base64_summary(match: re.Match[str]) -> str:
    run = match[0]
    return f"<base64 {len(run)} chars {digest(run.encode())}>"


def digest(data: bytes) -> str:
    """Return enough of a digest to tell two values apart."""
    import hashlib

    return "sha256:" + hashlib.sha256(data).hexdigest()[:12]


def mask_address(address: str) -> str:
    """Return IP addresses without their host part: the last octet, or all after the third group."""
    if ":" in address.partition(".")[0]:
        return ":".join(address.partition("::")[0].split(":")[:3]) + "::"
    masked = re.sub(r"\.[0-9]+(?![.0-9])", ".0", address)
    return masked if "." in masked else CENSORED


def text(value: object, chars: int = MAX_FIELD_CHARS) -> str:
    """Return any object as bounded text without tokens."""
    cleaned = clean(value, chars=chars)
    return cleaned if isinstance(cleaned, str) else shorten(json_text(cleaned), chars)


# --- output ------------------------------------------------------------------------------------

# Reentrant: a signal handler, a finalizer or the stream itself may log while a line is written.
_lock = threading.RLock()
_direct: tuple[object, int] = (None, -1)

# How long a full pipe may hold a line back; then the line is given up, not the request.
_FULL_PIPE_SECONDS = 1.0


def _new_lock() -> None:
    global _lock
    _lock = threading.RLock()


# Lambda Managed Instances fork: a lock that another thread held would never be released.
os.register_at_fork(after_in_child=_new_lock)


def write(line: str) -> None:
    """Write one line, newline included, to stdout in one piece. Never raises."""
    global _direct
    try:
        data = line.encode()
        with _lock:
            stream, descriptor = _direct
            if sys.stdout is not stream:
                stream, descriptor = _direct = (sys.stdout, _descriptor_of(sys.stdout))
            if descriptor < 0:
                sys.stdout.write(line)
                sys.stdout.flush()
            else:
                try:
                    sent = os.write(descriptor, data)
                except BlockingIOError:
                    sent = 0
                while sent < len(data):
                    sent += _send(descriptor, data[sent:])
    except Exception:  # stdout is closed, full or gone: watching must not break the request
        pass


def _descriptor_of(stream: object) -> int:
    """Return the descriptor behind the runtime's unbuffered stdout, -1 for any other stream.

    The runtime client flushes after every `write` to it, so nothing waits in a buffer
    that a direct write would overtake.
    """
    if type(stream).__name__ == "Unbuffered" and getattr(stream, "stream", 0) is sys.__stdout__:
        descriptor: int = stream.fileno()  # type: ignore[attr-defined]
        return descriptor
    return -1


def _send(descriptor: int, data: bytes) -> int:
    try:
        return os.write(descriptor, data)
    except BlockingIOError:
        import select

        if not select.select([], [descriptor], [], _FULL_PIPE_SECONDS)[1]:
            raise
        return 0
