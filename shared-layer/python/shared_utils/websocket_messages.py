"""Every message of the protocol, declared once: parsing, JSON and JSON Schema follow from it.

A message that exists is valid. To add one, write a class: `SetVolume` is the action `setVolume`,
`VolumeChangedMessage` the type `volumeChanged`. Its fields are its annotations; a default makes
one optional. A field's name means the same everywhere: a new one needs a row in `_KINDS`.
A class is made when its name is first used: no function uses all of them.
"""

from __future__ import annotations

import json
import threading
import time
from decimal import Decimal
from functools import lru_cache, partial

from . import _wire
from . import validators as v
from .error_codes import ErrorCode, to_error_code
from .validators import ValidationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, ClassVar, NoReturn, TypeVar, dataclass_transform

    Check = Callable[[Any, str], Any]
    Schema = dict[str, Any]
    Plan = tuple[tuple[str, str, Check, object], ...]
    Source = str | bytes | dict[str, Any]
    R = TypeVar("R", bound="Record")

    # By the value of `action`, and of `type`; `__getattr__` makes them.
    CLIENT_MESSAGES: dict[str, type[ClientMessage]]
    SERVER_MESSAGES: dict[str, type[ServerMessage]]
else:

    def dataclass_transform(**_options):
        return lambda cls: cls


# fmt: off
__all__ = [  # and, at the end of the file, every message
    "ANY", "CLIENT_MESSAGES", "FIELDS", "LISTENER", "SERVER_MESSAGES", "SPEAKER",
    "AudioFormat", "BroadcastState", "ClientMessage", "GatewayMessage", "Record", "ServerMessage",
    "SpeakerState", "example", "json_schema", "parse_body", "parse_message",
    "parse_server_message", "request_id_of", "validate_message",
]
# fmt: on

SPEAKER, LISTENER, ANY = "speaker", "listener", "any"

# By the value of `action`, and of `type`: a class, or its name until it is made.
_CLIENT: dict[Any, Any] = {}
_SERVER: dict[Any, Any] = {}
# By name: where the class goes, and what `type` needs to make it.
_DECLARED: dict[str, tuple[dict[Any, Any], str, tuple[Any, ...], dict[str, Any]]] = {}
_making = threading.RLock()

# The default of a field that is always on the wire, but that the constructor can fill in.
_FILLED_IN: Any = object()
_new = object.__new__


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Record:
    """An immutable JSON object: its `__dict__` holds the fields that are present.

    Constructors take the fields as keywords: `None` means absent, an enum's member is its
    value, a `Decimal` a number. A field that is missing, unknown or wrong is a `ValidationError`.
    """

    _tag: ClassVar[str] = ""
    _registry: ClassVar[dict[Any, Any]]
    _path: ClassVar[str] = ""
    _plan: ClassVar[Plan] = ()
    _head: ClassVar[dict[str, str]]
    _nested: ClassVar[list[str]]

    def __init__(self, /, **values: Any) -> None:
        data = {name: value for name, value in values.items() if value is not None}
        self._complete(data)
        _fill(self, data)
        if not values.keys() <= self.__dict__.keys():
            known = [name for name, *_ in self._plan]
            for name in values:
                if name not in known:
                    raise ValidationError(f"{type(self).__name__} has no {name[:40]!a}", name)

    def _complete(self, data: dict[str, Any]) -> None:
        """Add what a constructor's caller may leave out."""

    @classmethod
    def read(cls: type[R], value: object, path: str) -> R:
        """Return an instance of this class as it is, and one made from a dict."""
        return value if type(value) is cls else _fill(_new(cls), _own(value, path))

    def to_dict(self) -> dict[str, Any]:
        """Return what `to_json` writes, in dicts of the caller's own."""
        if self._nested:
            return json.loads(self.to_json())  # type: ignore[no-any-return]
        return {**self._head, **self.__dict__}

    def to_json(self) -> str:
        """Return the message as compact ASCII JSON."""
        wire = {**self._head, **self.__dict__}
        for name in self._nested:
            if isinstance(wire.get(name), Record):
                wire[name] = wire[name].__dict__
        return _wire.encode(wire)

    def __setattr__(self, name: str, value: object = None) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    __delattr__ = __setattr__

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        items = self.__dict__.items()
        return hash((type(self), *(item for item in items if not isinstance(item[1], dict))))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self).read, (self.to_dict(), "message")

    def __repr__(self) -> str:
        shown = (f"{name}={_shown(name, value)}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({', '.join(shown)})"


_UNSHOWN = frozenset(("audioData", "newConnectionUrl", "refreshToken"))


def _shown(name: str, value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    hidden = name in _UNSHOWN or len(text) > 128
    return f"<{len(text)} characters>" if hidden else repr(value)


class _Message(type):
    """Enters a class statement into its base's registry; those of this module are only kept there."""

    def __new__(cls, name: str, bases: tuple[Any, ...], body: dict[str, Any]) -> Any:
        base: Any = next((base for base in bases if isinstance(base, cls)), None)
        if base is None or name[0] == "_":
            return type.__new__(cls, name, bases, body)
        tag = name.removesuffix("Message")
        tag = tag[0].lower() + tag[1:]
        body |= {base._tag: tag, "_plan": ()}
        later = body["__module__"] == __name__
        if later:
            _DECLARED[name] = base._registry, tag, bases, body
        base._registry[tag] = name if later else type.__new__(cls, name, bases, body)
        return base._registry[tag]


def _made(name: str) -> Any:
    """Return the class with this name."""
    with _making:
        if name in _DECLARED:
            registry, tag, bases, body = _DECLARED[name]
            globals()[name] = registry[tag] = type.__new__(_Message, name, bases, body)
            del _DECLARED[name]
    return globals()[name]


def _class_of(registry: dict[Any, Any], tag: object) -> Any:
    found = registry[tag]
    return _made(found) if type(found) is str else found


def __getattr__(name: str) -> Any:
    registry = {"CLIENT_MESSAGES": _CLIENT, "SERVER_MESSAGES": _SERVER}.get(name)
    if registry is not None:
        for tag in registry:
            _class_of(registry, tag)
        globals()[name] = registry
        return registry
    if name in _DECLARED or name in globals():  # another thread may just have made it
        return _made(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _fill(record: R, data: dict[str, Any]) -> R:
    """Give `record` its fields from `data`, in the order of their declaration."""
    fields = record.__dict__
    try:
        for name, path, check, default in record._plan or _prepare(type(record)):
            if name in data:
                fields[name] = check(data[name], path)
            elif default is not None:
                if default is _FILLED_IN:
                    raise _missing(path)
                fields[name] = default
    except ValidationError:
        # JSON knows neither `Decimal` nor enums, and there 3.0 is an integer.
        simple = {name: _simplest(value) for name, value in data.items()}
        if [*map(type, simple.values())] == [*map(type, data.values())]:
            raise
        return _fill(record, simple)
    return record


def _prepare(cls: type[Record]) -> Plan:
    """Work out, when a class is first used, what is done with each of its fields."""
    hints = [hint for owner in cls.__mro__[:-1] for hint in owner.__annotations__.items()]
    names = dict.fromkeys(name for name, hint in hints if "ClassVar" not in str(hint))
    rows = [(name, *FIELDS[name]) for name in names]
    cls._head = {cls._tag: getattr(cls, cls._tag)} if hasattr(cls, cls._tag) else {}
    cls._nested = [name for name, *_, example in rows if type(example) is dict]
    cls._plan = tuple(
        (name, cls._path + name, check or partial(_conform, schema), _default(cls, name))
        for name, check, schema, _ in rows
    )
    return cls._plan


def _default(cls: type[Record], name: str) -> object:
    default = getattr(cls, name, _FILLED_IN)
    return default() if isinstance(default, type) else default


def _missing(path: str) -> ValidationError:
    code = ErrorCode.VALIDATION_MISSING_PARAMETER
    return ValidationError(f"{path} is required", path, code)


def _wrong(path: str, wanted: str, value: object) -> ValidationError:
    got = v._kind(value) if path in _UNSHOWN else v._shown(value)
    return v._refusal(path, wanted, got, ErrorCode.VALIDATION_INVALID_PARAMETER)


def _simplest(value: Any) -> Any:
    kind = type(value)
    if kind is float and value.is_integer():
        return int(value)
    if issubclass(kind, str) and kind is not str:
        return str.__str__(value)
    if issubclass(kind, (int, float, Decimal)) and kind not in (int, float, bool):
        return _wire.clean(value, None)
    return value


def _own(value: Any, path: str = "message") -> dict[str, Any]:
    """Return a plain copy of any dict, without the keys that cannot come from JSON."""
    if not issubclass(type(value), dict):
        raise _wrong(path, "be an object", value)
    return {str.__str__(k): v for k, v in dict.items(value) if issubclass(type(k), str)}


class _FrozenDict(dict):  # type: ignore[type-arg]
    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise AttributeError("a message is immutable")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse  # pyright: ignore


# --- what fields hold

_JSON_TYPES = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}


def _conform(schema: Schema, value: Any, path: str) -> Any:
    """Return `value` if it fits `schema`, whose `description` says what is wanted."""
    if type(value) in _JSON_TYPES[schema["type"]] and value in schema.get("enum", (value,)):
        size: Any = len(value) if type(value) is str else value
        low = schema.get("minimum", schema.get("minLength", size))
        if low <= size <= schema.get("maximum", schema.get("maxLength", size)):
            return value
    raise _wrong(path, f"be {schema['description']}", value)


def _number(kind: str, low: float, high: float, unit: str = "") -> Schema:
    description = f"a number from {low} to {high}{unit}"
    return {"type": kind, "minimum": low, "maximum": high, "description": description}


def _choice(*values: object, kind: str = "string") -> Schema:
    description = f"one of {', '.join(map(str, values))}"
    return {"type": kind, "enum": [*values], "description": description}


def _audio(value: str, path: str) -> str:
    v.validate_base64_audio(value, path)
    return str.__str__(value)


# The same few ids come with every message.
_known_session_id = lru_cache(1024)(v.validate_session_id_format)


def _session_id(value: str, path: str) -> str:
    check = _known_session_id if type(value) is str else v.validate_session_id_format
    return check(value, path)


def _request_id(value: str, path: str) -> str:
    if type(value) is str and len(value) <= 128:
        return value
    raise _wrong(path, f"be {_REQUEST_ID['description']}", value)


def _details(value: object, path: str) -> _FrozenDict:
    return _FrozenDict(_wire.clean(_own(value, path)))


def _language_counts(value: object, path: str) -> _FrozenDict:
    counts = {}
    for language, count in _own(value, path).items():
        code = v.validate_language_code(language, path)
        counts[code] = v.validate_sequence_number(_simplest(count), f"{path}.{code}")
    return _FrozenDict(counts)


def _language_schema() -> Schema:
    """Return the pattern of the languages that the validator knows, in any case."""
    any_case = str.maketrans({c: f"[{c}{c.upper()}]" for c in "abcdefghijklmnopqrstuvwxyz"})
    known = "|".join(sorted(v.KNOWN_LANGUAGES)).translate(any_case)
    pattern = v.LANGUAGE_PATTERN.replace("[A-Za-z]{2,3}", known, 1)
    return {"type": "string", "pattern": f"^{pattern}$"}


def _language_counts_schema() -> Schema:
    names = {"pattern": _language_schema()["pattern"]}
    return {"type": "object", "propertyNames": names, "additionalProperties": _COUNT}


class AudioFormat(Record):
    """How raw audio is to be read; `sampleRate` is in Hz."""

    _path = "audioFormat."
    encoding: str = "pcm_s16le"
    sampleRate: int = 16000
    channels: int = 1


class SpeakerState(Record):
    """What a speaker changes of the broadcast; at least one of the fields."""

    _path = "state."
    isPaused: bool | None = None
    isMuted: bool | None = None
    volume: float | None = None


def _state(value: object, path: str) -> SpeakerState:
    state = SpeakerState.read(value, path)
    if not state.__dict__:
        raise _wrong(path, "have isPaused, isMuted or volume", value)
    return state


def _state_schema() -> Schema:
    schema = _object_schema(SpeakerState)
    return {**schema, "anyOf": [{"required": [name]} for name in schema["properties"]]}


class BroadcastState(Record):
    """How the broadcast is now."""

    _path = "broadcastState."
    isPaused: bool
    isMuted: bool
    volume: float


_BOOLEAN = {"type": "boolean", "description": "true or false"}
_COUNT = _number("integer", 0, v.MAX_SAFE_INTEGER)
_TIME = {**_COUNT, "description": "milliseconds since the epoch"}
_SECONDS = _number("number", 0, v.MAX_SAFE_INTEGER, " seconds")
_TEXT = {"type": "string", "description": "text"}
_TOKEN = {"type": "string", "minLength": 1, "description": "text that is not empty"}
_REQUEST_ID = {"type": "string", "maxLength": 128, "description": "text of up to 128 characters"}
_SESSION_ID = {"type": "string", "maxLength": 2048, "pattern": f"^{v.SESSION_ID_PATTERN}$"}
# 100 to 24,000 bytes; before the padding, the bits that are not used are zero.
_BASE64_AUDIO = {
    "type": "string",
    "minLength": 136,
    "maxLength": 32000,
    "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?$",
    "contentEncoding": "base64",
}

# Names, their check (None: what the schema says), their schema, an example.
# fmt: off
_KINDS: tuple[tuple[str, Any, Any, Any], ...] = (
    ("isActive isMuted isPaused partialResults retryable", None, _BOOLEAN, True),
    ("limit listenerCount remainingMinutes retryAfterMs sequenceNumber", v.validate_sequence_number, _COUNT, 7),
    ("expiresAt speakerTimestamp timestamp", v.validate_timestamp, _TIME, 1767225600000),
    ("expiresIn idleSeconds sessionDuration windowSeconds", None, _SECONDS, 90.5),
    ("volume volumeLevel", v.validate_volume, _number("number", 0, 1), 0.8),
    ("connectionId correlationId message messageId reason recommendation", None, _TEXT, "as it is"),
    ("newConnectionUrl", None, _TOKEN, "wss://audio.example.com/prod"),
    ("refreshToken", None, _TOKEN, "L0SM9cOFvHcCIhw=.c2VjcmV0"),
    ("requestId", _request_id, _REQUEST_ID, "request-1"),
    ("sessionId", _session_id, _SESSION_ID, "golden-eagle-427"),
    ("sourceLanguage targetLanguage", v.validate_language_code, _language_schema, "en-US"),
    ("languageDistribution", _language_counts, _language_counts_schema, {"de": 5, "fr": 2}),
    ("qualityTier", v.validate_quality_tier, _choice(*v.QUALITY_TIERS), "standard"),
    ("minStability", None, _number("number", 0.7, 0.95), 0.85),
    ("maxBufferTimeout", None, _number("number", 2.0, 10.0, " seconds"), 5.0),
    ("audioData", _audio, _BASE64_AUDIO, "AAAA" * 34),
    ("audioFormat", AudioFormat.read, lambda: _object_schema(AudioFormat), {}),
    ("encoding", lambda x, _: v.validate_audio_format(x)[0], _choice(*v.AUDIO_ENCODINGS), "pcm_s16le"),
    ("sampleRate", lambda x, _: v.validate_audio_format(sample_rate=x)[1], _choice(*v.SAMPLE_RATES, kind="integer"), 16000),
    ("channels", lambda x, _: v.validate_audio_format(channels=x)[2], _choice(*v.CHANNELS, kind="integer"), 1),
    ("state", _state, _state_schema, {"isPaused": True}),
    ("broadcastState", BroadcastState.read, lambda: _object_schema(BroadcastState), {"isPaused": True, "isMuted": False, "volume": 0.8}),
    ("role", None, _choice(SPEAKER, LISTENER), SPEAKER),
    ("updateReason", None, _choice("requested", "periodic", "listenerCountChange", "newLanguage"), "periodic"),
    ("warningType", None, _choice("clipping", "echo", "silence", "low_snr"), "clipping"),
    ("severity", None, _choice("warning", "critical"), "warning"),
    ("code", None, _choice(*ErrorCode.__members__), "SESSION_NOT_FOUND"),
    ("details", _details, {"type": "object"}, {"field": "sessionId"}),
)
# fmt: on
FIELDS: dict[str, Any] = {name: row for names, *row in _KINDS for name in names.split()}


# --- from clients


class ClientMessage(Record, metaclass=_Message):
    """What a client sends; its class attribute `action` tells which.

    `sender` says who may send it, `reply` the type of what its sender receives.
    """

    action: ClassVar[str]
    sender: ClassVar[str] = ANY
    reply: ClassVar[str | None] = None
    max_bytes: ClassVar[int] = v.MAX_CONTROL_MESSAGE_BYTES

    _tag, _registry = "action", _CLIENT
    requestId: str | None = None


class _BySpeaker(ClientMessage):
    sender = SPEAKER
    sessionId: str | None = None


class CreateSession(ClientMessage):
    """Open a session and become its speaker."""

    reply = "sessionCreated"
    sourceLanguage: str
    qualityTier: str = "standard"
    audioFormat: AudioFormat = AudioFormat  # type: ignore[assignment] # made on first use
    partialResults: bool = True
    minStability: float = 0.85
    maxBufferTimeout: float = 5.0


class JoinSession(ClientMessage):
    """Join a session as a listener."""

    reply = "sessionJoined"
    sessionId: str
    targetLanguage: str


class SendAudio(ClientMessage):
    """Send one chunk of audio to the listeners; nothing comes back unless it is refused."""

    __slots__ = ("_decoded",)  # beside what is on the wire
    sender, max_bytes = SPEAKER, v.MAX_MESSAGE_BYTES
    audioData: str
    sequenceNumber: int
    timestamp: int
    sessionId: str | None = None

    @property
    def audio(self) -> bytes:
        """The raw audio, decoded when it is first asked for."""
        try:
            decoded: bytes = object.__getattribute__(self, "_decoded")
        except AttributeError:
            from binascii import a2b_base64  # who only passes audio on does not load it

            decoded = a2b_base64(self.audioData)
            object.__setattr__(self, "_decoded", decoded)
        return decoded

    @property
    def num_audio_bytes(self) -> int:
        """How many bytes `audio` has, without decoding it."""
        return len(self.audioData) // 4 * 3 - self.audioData.count("=", -2)


class PauseBroadcast(_BySpeaker):
    """Pause the broadcast."""

    reply = "broadcastPaused"


class ResumeBroadcast(_BySpeaker):
    """Resume the paused broadcast."""

    reply = "broadcastResumed"


class MuteBroadcast(_BySpeaker):
    """Mute the broadcast."""

    reply = "broadcastMuted"


class UnmuteBroadcast(_BySpeaker):
    """Unmute the broadcast."""

    reply = "broadcastUnmuted"


class EndSession(_BySpeaker):
    """End the session for everyone."""

    reply = "sessionEnded"


class GetSessionStatus(_BySpeaker):
    """Ask who listens and how the broadcast is."""

    reply = "sessionStatus"


class SetVolume(_BySpeaker):
    """Set the volume of the broadcast."""

    reply = "volumeChanged"
    volumeLevel: float


class SpeakerStateChange(ClientMessage):
    """Change several things about the broadcast at once."""

    sender, reply = SPEAKER, "speakerStateChanged"
    state: SpeakerState


class PausePlayback(ClientMessage):
    """Stop receiving audio for a while."""

    sender, reply = LISTENER, "playbackPaused"


class ResumePlayback(ClientMessage):
    """Receive audio again."""

    sender, reply = LISTENER, "playbackResumed"


class ChangeLanguage(ClientMessage):
    """Listen in another language."""

    sender, reply = LISTENER, "languageChanged"
    targetLanguage: str


class Heartbeat(ClientMessage):
    """Show that the connection is alive, every 30 seconds."""

    reply = "heartbeatAck"
    timestamp: int | None = None


class RefreshConnection(ClientMessage):
    """Take over the session from an older connection, before its two hours end."""

    reply = "connectionRefreshComplete"
    sessionId: str
    refreshToken: str


# --- to clients


class ServerMessage(Record, metaclass=_Message):
    """What a client receives; `type` tells which. `timestamp`, in ms, is now unless given."""

    type: ClassVar[str]

    _tag, _registry = "type", _SERVER
    timestamp: int = _FILLED_IN
    requestId: str | None = None

    def _complete(self, data: dict[str, Any]) -> None:
        if "timestamp" not in data:
            data["timestamp"] = time.time_ns() // 1_000_000


class _AboutSession(ServerMessage):
    sessionId: str


class _AboutListener(ServerMessage):
    sessionId: str
    listenerCount: int
    targetLanguage: str


class SessionCreatedMessage(ServerMessage):
    """The session is open; `expiresAt` is in ms. To the speaker."""

    sessionId: str
    sourceLanguage: str
    qualityTier: str
    audioFormat: AudioFormat
    expiresAt: int
    refreshToken: str


class SessionJoinedMessage(ServerMessage):
    """You are in the session. To the listener."""

    sessionId: str
    sourceLanguage: str
    targetLanguage: str
    audioFormat: AudioFormat
    broadcastState: BroadcastState
    listenerCount: int
    refreshToken: str


class ListenerJoinedMessage(_AboutListener):
    """A listener came. To the speaker."""


class ListenerLeftMessage(_AboutListener):
    """A listener went. To the speaker."""


class AudioMessage(ServerMessage):
    """One chunk of audio. To the listeners."""

    sessionId: str
    sequenceNumber: int
    audioData: str
    speakerTimestamp: int

    @classmethod
    def of(cls, chunk: SendAudio, sessionId: str) -> AudioMessage:  # noqa: N803
        """Return the message that passes `chunk` on, whose fields need no second check."""
        message = _new(cls)
        if not cls._plan:
            _prepare(cls)
        message.__dict__.update(
            sessionId=_session_id(sessionId, "sessionId"),
            sequenceNumber=chunk.sequenceNumber,
            audioData=chunk.audioData,
            speakerTimestamp=chunk.timestamp,
            timestamp=time.time_ns() // 1_000_000,
        )
        return message

    def to_json(self) -> str:
        """Return the message as compact ASCII JSON; of its own fields none needs an escape."""
        if self.requestId is not None:
            return super().to_json()
        return (
            f'{{"type":"audio","sessionId":"{self.sessionId}","sequenceNumber":{self.sequenceNumber}'
            f',"audioData":"{self.audioData}","speakerTimestamp":{self.speakerTimestamp}'
            f',"timestamp":{self.timestamp}}}'
        )


class BroadcastPausedMessage(_AboutSession):
    """The speaker paused. To everyone."""


class BroadcastResumedMessage(_AboutSession):
    """The speaker goes on. To everyone."""


class BroadcastMutedMessage(_AboutSession):
    """The speaker is muted. To everyone."""


class BroadcastUnmutedMessage(_AboutSession):
    """The speaker can be heard again. To everyone."""


class VolumeChangedMessage(ServerMessage):
    """The broadcast has another volume. To everyone."""

    sessionId: str
    volumeLevel: float


class SpeakerStateChangedMessage(ServerMessage):
    """The broadcast's state, after a change. To everyone."""

    sessionId: str
    broadcastState: BroadcastState


class BroadcastControlMessage(ServerMessage):
    """The broadcast's state as it is, after a connection was refreshed."""

    sessionId: str
    isPaused: bool
    isMuted: bool
    volume: float


class SessionStatusMessage(ServerMessage):
    """Who listens, and how the broadcast is; `sessionDuration` is in seconds. To the speaker."""

    sessionId: str
    isActive: bool
    listenerCount: int
    languageDistribution: Mapping[str, int]
    sessionDuration: float
    broadcastState: BroadcastState
    updateReason: str


class AudioQualityWarningMessage(ServerMessage):
    """The audio is hard to understand. To the speaker."""

    sessionId: str
    warningType: str
    severity: str
    message: str
    recommendation: str


class RateLimitWarningMessage(ServerMessage):
    """You are close to sending too much."""

    limit: int
    windowSeconds: float
    retryAfterMs: int


class PlaybackPausedMessage(ServerMessage):
    """No audio is sent to you. To the listener."""


class PlaybackResumedMessage(ServerMessage):
    """Audio is sent to you again. To the listener."""


class LanguageChangedMessage(ServerMessage):
    """You listen in another language. To the listener."""

    targetLanguage: str


class HeartbeatAckMessage(ServerMessage):
    """The connection is alive."""


class ConnectionRefreshRequiredMessage(ServerMessage):
    """The connection ends in `expiresIn` seconds: open another and refresh."""

    sessionId: str
    expiresIn: float


class ConnectionRefreshMessage(ServerMessage):
    """Where to open the next connection, within `expiresIn` seconds."""

    sessionId: str
    newConnectionUrl: str
    expiresIn: float


class ConnectionRefreshCompleteMessage(ServerMessage):
    """This connection has taken over."""

    sessionId: str
    role: str


class ConnectionWarningMessage(ServerMessage):
    """The connection will end soon."""

    remainingMinutes: int


class ConnectionTimeoutMessage(ServerMessage):
    """The connection was idle for too long and is closed."""

    idleSeconds: float


class SessionEndedMessage(ServerMessage):
    """The session is over. To everyone."""

    sessionId: str
    reason: str


class ErrorMessage(ServerMessage):
    """What was refused or failed. `message` and `retryable` are the code's own unless given."""

    code: str
    message: str = _FILLED_IN
    retryable: bool = _FILLED_IN
    details: Mapping[str, Any] | None = None
    correlationId: str | None = None

    def _complete(self, data: dict[str, Any]) -> None:
        super()._complete(data)
        if "code" in data:
            code = data["code"] = to_error_code(data["code"])
            data.setdefault("message", code.sentence)
            data.setdefault("retryable", code.retryable)


class GatewayMessage(Record):
    """What API Gateway sends of its own, without a `type`, in place of an answer."""

    message: str
    connectionId: str
    requestId: str | None = None
    messageId: str | None = None


# --- reading


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _refuse_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two equal names counts, and API Gateway's routing is one of them."""
    names = dict(pairs)
    if len(names) != len(pairs):
        raise _malformed("message must not have the same name twice in an object")
    return names


def _malformed(message: str) -> ValidationError:
    return ValidationError(message, None, ErrorCode.VALIDATION_INVALID_MESSAGE_FORMAT)


# What `json.loads` does around its scanner takes as long as scanning a control message.
_decoders: Any = json.JSONDecoder
_scan = _decoders(parse_constant=_refuse_constant).scan_once
_scan_carefully = _decoders(
    parse_constant=_refuse_constant, object_pairs_hook=_refuse_repetition
).scan_once
_NOT_JSON = (StopIteration, ValueError, RecursionError)
_DOUBTS = (*_NOT_JSON, KeyError, TypeError)

# A character is at most four bytes of UTF-8: so many of them are never too much.
_SMALL = v.MAX_CONTROL_MESSAGE_BYTES // 4
_MEDIUM = v.MAX_MESSAGE_BYTES // 4


def parse_message(source: Source) -> ClientMessage:
    """Return the client's message in JSON text, in a dict, or in an API Gateway event's body.

    Raise `ValidationError` for anything else. A dict is an event if it has no `action` but a
    `requestContext` or a `body`; the size of any other dict is not looked at. Fields that are
    not declared are ignored. A null is never a field's absence, and is refused.
    """
    if not issubclass(type(source), dict):
        return parse_body(source)  # type: ignore[arg-type]
    data = _own(source)
    if _is_event(data):
        return parse_body(_event_body(data))
    return _fill(_new(_client_class(data)), data)


def parse_body(body: str | bytes) -> ClientMessage:
    """Return the client's message in the body of a MESSAGE event."""
    text = body if type(body) is str else _text(body)
    if len(text) > _SMALL:
        return _parse_around_audio(text) or _parse_plainly(text)
    try:
        data, end = _scan(text, 0)
        message: ClientMessage = _new(
            _CLIENT[data["action"]]
        )  # TypeError if the class is yet to be made
    except _DOUBTS:
        return _parse_plainly(text)
    # As many colons as names: there is no object inside, and no name twice.
    if end != len(text) or text.count(":") != len(data):
        return _parse_plainly(text)
    return _fill(message, data)


def _parse_around_audio(text: str) -> ClientMessage | None:
    """Return what `_parse_plainly` returns, without scanning the audio, or `None` if in doubt.

    What is left, with an empty string in the audio's place, must be a flat object without a
    backslash: then a quote only begins or ends a string, so that what was cut out, once it
    proves to be base64, was the whole string.
    """
    if len(text) > _MEDIUM:
        v.validate_message_size(text)
    start = text.find('"', text.find('"audioData":') + 12) + 1
    end = text.find('"', start)
    rest = text[:start] + text[end:]
    try:
        data, length = _scan(rest, 0)
        if length != len(rest) or rest.count(":") != len(data) or "\\" in rest:
            return None
        if data["audioData"] != "":
            return None  # it was not its text that was cut out
        data["audioData"] = text[start:end]
        message: ClientMessage = _new(_CLIENT["sendAudio"])
        return _fill(message, data) if data["action"] == "sendAudio" else None
    except (*_DOUBTS, ValidationError):
        return None


def _parse_plainly(text: str) -> ClientMessage:
    data = _read_object(text)
    cls = _client_class(data)
    v.validate_message_size(text, cls.max_bytes)
    return _fill(_new(cls), data)


def _client_class(data: dict[str, Any]) -> type[ClientMessage]:
    if "action" not in data:
        raise _missing("action")
    cls: type[ClientMessage] = _class_of(_CLIENT, v.validate_action(data["action"]))
    return cls


def _read_object(text: str) -> dict[str, Any]:
    text = text.strip(" \t\n\r")
    try:
        data, end = _scan_carefully(text, 0)
    except _NOT_JSON:
        raise _malformed("message must be JSON") from None  # the cause shows the text
    if end != len(text) or type(data) is not dict:
        raise _malformed("message must be one JSON object")
    return data


def _text(body: Any) -> str:
    v.validate_message_size(body)
    if issubclass(type(body), str):
        return str.__str__(body)
    try:
        return bytes(body).decode()
    except UnicodeDecodeError:
        raise _malformed("message must be UTF-8") from None  # the cause holds the bytes


def _is_event(data: dict[str, Any]) -> bool:
    return "action" not in data and ("requestContext" in data or "body" in data)


def _event_body(event: dict[str, Any]) -> Any:
    body: Any = event.get("body")
    if event.get("isBase64Encoded") is not True or not issubclass(type(body), str):
        return body
    from binascii import a2b_base64

    try:
        return a2b_base64(str.__str__(body), strict_mode=True)
    except ValueError:
        raise _malformed("body must be base64, as isBase64Encoded says") from None


def _read_any(source: object) -> dict[str, Any]:
    if issubclass(type(source), dict):
        data = _own(source)
        if not _is_event(data):
            return data
        source = _event_body(data)
    return _read_object(_text(source))


def parse_server_message(source: Source) -> ServerMessage | GatewayMessage:
    """Return what a client received: one of our messages, or one that API Gateway made."""
    data = _read_any(source)
    if "type" in data:
        name = _conform(_choice(*_SERVER), _simplest(data["type"]), "type")
        cls: type[ServerMessage] = _class_of(_SERVER, name)
        return _fill(_new(cls), data)
    if "connectionId" in data:
        return _fill(_new(GatewayMessage), data)
    raise _missing("type")


def validate_message(data: object) -> tuple[bool, str | None]:
    """Return (True, None) for what `parse_message` takes, else (False, why). Never raises."""
    try:
        parse_message(data)  # type: ignore[arg-type]
    except ValidationError as error:
        return False, error.message
    return True, None


def request_id_of(source: object) -> str | None:
    """Return the client's `requestId` for an error reply, if it can be read. Never raises."""
    try:
        return _request_id(_simplest(_read_any(source).get("requestId")), "requestId")
    except ValidationError:
        return None


# --- for documents


def json_schema(cls: type[Record]) -> Schema:
    """Return the JSON Schema (draft-07) of what parsing takes, but for sizes and repeated names."""
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", **_object_schema(cls)}
    return json.loads(_wire.encode(schema))  # type: ignore[no-any-return]


def _object_schema(cls: type[Record]) -> Schema:
    plan = cls._plan or _prepare(cls)
    properties: Schema = {name: {"const": tag} for name, tag in cls._head.items()}
    for name, _, _, default in plan:
        schema: Any = FIELDS[name][1]
        properties[name] = dict(schema() if callable(schema) else schema)
        if default is not None and default is not _FILLED_IN:
            shown = default.__dict__ if isinstance(default, Record) else default
            properties[name]["default"] = shown
    required = [name for name, _, _, default in plan if default is _FILLED_IN]
    return {
        "type": "object",
        "title": cls.__name__,
        "description": cls.__doc__,
        "properties": properties,
        "required": [*cls._head, *required],
    }


def example(cls: type[R]) -> R:
    """Return a message that has every field."""
    plan = cls._plan or _prepare(cls)
    return _fill(_new(cls), {name: FIELDS[name][2] for name, *_ in plan})


__all__ += list(_DECLARED)
for _name in _DECLARED:
    del globals()[_name]  # so that `__getattr__` is asked for it
