"""What must not be seen: fields by their names, and tokens in texts by their shape.

Nothing here raises for any name or text.
"""

from __future__ import annotations

import re
from decimal import Decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Censor = str | Callable[[object, str], object]

# A name is remembered up to here: names made from data must not fill the memory.
MAX_NAME_CHARS = 128
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


def suspect(text: str) -> bool:
    """Return whether `text` may hold a secret: cheap, and rather once too often than once too seldom."""
    return "eyJ" in text or "earer" in text or "EARER" in text or "AKIA" in text or "ASIA" in text


def scrub(line: str) -> str:
    """Return text, or JSON text, with every token that can be told by its shape replaced."""
    global _SECRET_TEXT
    if not suspect(line):
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

    def removes(self, name: str, value: object) -> bool:
        """Return whether a field of a line is left out, and not shown as hidden."""
        return self.remove and self.hides(self.kind(name), value, (name,))

    def replacement(self, value: object, path: tuple[str, ...]) -> object:
        """Return what stands in a hidden value's place: the censor's text, or what it returns."""
        if isinstance(self.censor, str):
            return self.censor
        try:
            return self.censor(value, ".".join(path))
        except Exception:  # the user's function; the value stays hidden
            return CENSORED


def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def _path_matches(pattern: list[re.Pattern[str]], path: tuple[str, ...]) -> bool:
    return len(pattern) == len(path) and all(
        segment.fullmatch(squash(name)) for segment, name in zip(pattern, path, strict=True)
    )


policy = Policy()


def mask_address(address: str) -> str:
    """Return IP addresses without their host part: the last octet, or all after the third group."""
    if ":" in address.partition(".")[0]:
        return ":".join(address.partition("::")[0].split(":")[:3]) + "::"
    masked = re.sub(r"\.[0-9]+(?![.0-9])", ".0", address)
    return masked if "." in masked else CENSORED


def secret_positions(values: Sequence[object]) -> frozenset[int]:
    """Return the positions of a list's items that another item names as secret."""
    return frozenset()


def secret_members(fields: dict[str, object]) -> frozenset[str]:
    """Return the names of members whose sibling names them as secret (`name`, `value`)."""
    return frozenset()
