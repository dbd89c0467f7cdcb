"""The messages of the audio system: each action of a client, each type of the server, and what they hold.

A message that exists is valid. To add one, write a class: `SetVolume` is the action `setVolume`,
`VolumeChangedMessage` the type `volumeChanged`. Its fields are its annotations, from the kinds
below or `str`, `int`, `float`, `bool`; a default makes one optional.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache

from . import _cleaning, _values
from . import validators as v
from ._kinds import FILLED_IN, Annotated, FrozenDict, Kind, missing, one_of, own_dict, plain, wrong
from ._values import MAX_MESSAGE_BYTES
from .error_codes import ValidationError, to_error_code
from .records import (
    ClientMessage,
    Limits,
    Record,
    RequestId,
    ServerMessage,
    Timestamp,
    check_size,
    json_schema,
    read_fields,
    read_inside,
    read_object,
    unwrapped,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    Source = str | bytes | dict[str, Any]

__all__ = [  # and, at the end of the file, every message
    "ANY",
    "CLIENT_MESSAGES",
    "FLOOR",
    "INTERPRETER",
    "LISTENER",
    "SERVER_MESSAGES",
    "SPEAKER",
    "parse_body",
    "parse_message",
    "parse_server_message",
    "validate_message",
]

#: Who may send a message: one role, or any.
SPEAKER, INTERPRETER, LISTENER, ANY = "speaker", "interpreter", "listener", "any"
#: What a listener hears if there is no channel of the language: the speaker.
FLOOR = "floor"


# --- what fields hold

_MOST = v.MAX_SAFE_INTEGER
_COUNT = {"minimum": 0, "maximum": _MOST, "description": f"a number from 0 to {_MOST}"}
Count = Annotated[int, Limits(**_COUNT, example=7)]
_SECONDS = f"a number from 0 to {_MOST} seconds"
Seconds = Annotated[float, Limits(minimum=0, maximum=_MOST, description=_SECONDS, example=90.5)]
Text = Annotated[str, Limits(example="as it is")]
Volume = Annotated[float, Limits(minimum=0, maximum=1, example=0.8)]
Url = Annotated[str, Limits(min_length=1, secret=True, example="wss://audio.example.com/prod")]
_CODE = "a code: upper-case letters, digits and _"
Code = Annotated[str, Limits(pattern="[A-Z0-9_]+", description=_CODE, example="SESSION_NOT_FOUND")]
Stability = Annotated[float, Limits(minimum=0.7, maximum=0.95, example=0.85)]
BufferTimeout = Annotated[
    float,
    Limits(minimum=2.0, maximum=10.0, description="a number from 2.0 to 10.0 seconds", example=5.0),
]
Role = Annotated[str, one_of(SPEAKER, INTERPRETER, LISTENER)]
AudioChoice = Annotated[str, one_of("interpreted", "original")]
UpdateReason = Annotated[
    str, one_of("requested", "periodic", "listenerCountChange", "newLanguage", example="periodic")
]
WarningType = Annotated[str, one_of("clipping", "echo", "silence", "low_snr")]
Severity = Annotated[str, one_of("warning", "critical")]
LimitReason = Annotated[str, one_of("wrongKeys")]
# Of a caption nothing is shown, whatever a client puts where: it is speech, as audio is.
SegmentId = Annotated[str, Limits(min_length=1, max_length=64, secret=True, example="segment-1")]
IsFinal = Annotated[bool, Limits(secret=True)]
Milliseconds = Annotated[int, Limits(**_COUNT, secret=True, example=7)]
CaptionText = Annotated[
    str, Limits(min_length=1, max_length=500, secret=True, example="Good morning.")
]


# These have checks and error codes of their own, which programs use without messages, too.

# The same few ids come with every message.
_known_session_id = lru_cache(1024)(v.validate_session_id_format)


def _session_id(value: Any, path: str) -> str:
    check = _known_session_id if type(value) is str else v.validate_session_id_format
    return check(value, path)


def _audio(value: Any, path: str) -> str:
    v.validate_base64_audio(value, path)
    return _values.plain_text(value)


def _language_schema(_definitions: object) -> dict[str, Any]:
    """Return the pattern of the languages that the validator knows, in any case."""
    any_case = str.maketrans({c: f"[{c}{c.upper()}]" for c in "abcdefghijklmnopqrstuvwxyz"})
    known = "|".join(sorted(v.KNOWN_LANGUAGES)).translate(any_case)
    pattern = v.LANGUAGE_PATTERN.replace("[A-Za-z]{2,3}", known, 1)
    return {"type": "string", "pattern": f"^{pattern}$"}


def _hears(value: Any, path: str) -> str:
    is_floor = type(value) is str and value == FLOOR
    return FLOOR if is_floor else v.validate_language_code(value, path)


def _hears_schema(definitions: object) -> dict[str, Any]:
    return {"type": "string", "anyOf": [{"enum": [FLOOR]}, _language_schema(definitions)]}


def _encoding(value: Any, _path: str) -> str:
    return v.validate_audio_format(value)[0]


def _sample_rate(value: Any, _path: str) -> int:
    return v.validate_audio_format(sample_rate=plain(value, whole=True))[1]


def _channels(value: Any, _path: str) -> int:
    return v.validate_audio_format(channels=plain(value, whole=True))[2]


def _language_counts(value: Any, path: str) -> FrozenDict:
    counts = {}
    for language, count in own_dict(value, path).items():
        code = v.validate_language_code(language, path)
        counts[code] = v.validate_sequence_number(plain(count, whole=True), f"{path}.{code}")
    return FrozenDict(counts)


def _details(value: Any, path: str) -> FrozenDict:
    return FrozenDict(_cleaning.clean(own_dict(value, path)))


_SESSION_ID = {"type": "string", "maxLength": 2048, "pattern": f"^{v.SESSION_ID_PATTERN}$"}
_TOKEN = {"type": "string", "pattern": f"^{v.TOKEN_PATTERN}$"}
_TOKEN["description"] = "a token: up to 2,048 characters from ! to ~"
RefreshToken = Annotated[
    str, Kind(v.validate_refresh_token, _TOKEN, "wsr_L0SM9cOFvHcCIhw=.c2VjcmV0", secret=True)
]
# What a speaker asks listeners for, or interpreters; long enough that it cannot be tried out.
Key = Annotated[str, Limits(min_length=8, max_length=64, secret=True, example="k7Qm-wT3x-Rz9")]
SessionId = Annotated[str, Kind(_session_id, _SESSION_ID, "golden-eagle-427")]
Language = Annotated[str, Kind(v.validate_language_code, _language_schema, "en-US")]
Hears = Annotated[str, Kind(_hears, _hears_schema, FLOOR)]
QualityTier = Annotated[str, one_of(*v.QUALITY_TIERS, check=v.validate_quality_tier)]
_BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?$"
# 100 to 24,000 bytes; before the padding, the bits that are not used are zero.
_AUDIO = {"type": "string", "minLength": 136, "maxLength": 32000, "pattern": _BASE64}
AudioData = Annotated[
    str, Kind(_audio, {**_AUDIO, "contentEncoding": "base64"}, "AAAA" * 34, secret=True)
]
Encoding = Annotated[str, one_of(*v.AUDIO_ENCODINGS, check=_encoding)]
SampleRate = Annotated[int, one_of(*v.SAMPLE_RATES, check=_sample_rate, example=16000)]
Channels = Annotated[int, one_of(*v.CHANNELS, check=_channels)]
LanguageCounts = Annotated[
    Mapping[str, int],
    Kind(
        _language_counts,
        lambda _: {
            "type": "object",
            "propertyNames": {"pattern": _language_schema(None)["pattern"]},
            "additionalProperties": {"type": "integer", **_COUNT},
        },
        {"de": 5, "fr": 2},
        is_plain=False,
    ),
]
# Anything, made safe to show to a client.
Details = Annotated[
    Mapping[str, "Any"], Kind(_details, {"type": "object"}, {"field": "sessionId"}, is_plain=False)
]


class AudioFormat(Record):
    """How raw audio is to be read; `sampleRate` is in Hz."""

    encoding: Encoding = "pcm_s16le"
    sampleRate: SampleRate = 16000
    channels: Channels = 1


class SpeakerState(Record):
    """What a speaker changes of the broadcast; at least one of the fields."""

    accepts_null = False
    isPaused: bool | None = None
    isMuted: bool | None = None
    volume: Volume | None = None


def _state(value: Any, path: str) -> SpeakerState:
    state = read_inside(SpeakerState, value, path)
    if not state.__dict__:
        raise wrong(path, "have isPaused, isMuted or volume", value)
    return state


def _state_schema(_definitions: dict[str, Any]) -> dict[str, Any]:
    schema = json_schema(SpeakerState)
    del schema["$schema"]
    return {**schema, "anyOf": [{"required": [name]} for name in schema["properties"]]}


State = Annotated[SpeakerState, Kind(_state, _state_schema, {"isPaused": True}, is_plain=False)]


class BroadcastState(Record):
    """How the broadcast is now."""

    isPaused: bool
    isMuted: bool
    volume: Volume


StateNow = Annotated[
    BroadcastState, Limits(example={"isPaused": True, "isMuted": False, "volume": 0.8})
]


# --- from clients


class _Action(ClientMessage):
    """`sender` says who may send it, one role or several; `reply` the type of what its sender receives."""

    accepts_null = False
    sender: ClassVar[str | tuple[str, ...]] = ANY
    reply: ClassVar[str | None] = None


class _BySpeaker(_Action):
    sender = SPEAKER
    sessionId: SessionId | None = None


class CreateSession(_Action):
    """Open a session and become its speaker; with a `listenerKey`, listeners must say it to join."""

    reply = "sessionCreated"
    sourceLanguage: Language
    listenerKey: Key | None = None
    qualityTier: QualityTier = "standard"
    audioFormat: AudioFormat = {}  # type: ignore[assignment] # made when it is first used
    partialResults: bool = True
    minStability: Stability = 0.85
    maxBufferTimeout: BufferTimeout = 5.0


class JoinSession(_Action):
    """Join a session as a listener."""

    reply = "sessionJoined"
    sessionId: SessionId
    targetLanguage: Language
    listenerKey: Key | None = None
    audio: AudioChoice = "interpreted"
    captions: bool = False


class JoinAsInterpreter(_Action):
    """Become the interpreter of a language; of the session's own language, the captioner of the floor."""

    reply = "interpreterReady"
    sessionId: SessionId
    language: Language
    interpreterKey: Key
    captions: bool = False


class SendAudio(_Action):
    """Send a chunk of audio, of the floor or of your channel; nothing comes back unless it is refused."""

    __slots__ = ("_decoded",)  # beside what is on the wire
    sender, max_bytes = (SPEAKER, INTERPRETER), v.MAX_MESSAGE_BYTES
    audioData: AudioData
    sequenceNumber: Count
    timestamp: Timestamp
    sessionId: SessionId | None = None

    @classmethod
    def from_json(cls, text: str | bytes) -> SendAudio:
        """Return the message in JSON text; its audio is not scanned as JSON if it need not be."""
        return _read_around_audio(cls, text) or super().from_json(text)

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


class SendCaption(_Action):
    """Send text of the floor or of your channel; the next one of a segment replaces it. Times are ms since the session began."""

    sender, max_bytes = (SPEAKER, INTERPRETER), v.MAX_CAPTION_MESSAGE_BYTES
    segmentId: SegmentId
    text: CaptionText
    isFinal: IsFinal
    startMs: Milliseconds | None = None
    endMs: Milliseconds | None = None


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
    volumeLevel: Volume


class SpeakerStateChange(_Action):
    """Change several things about the broadcast at once."""

    sender, reply = SPEAKER, "speakerStateChanged"
    state: State


class RemoveInterpreter(_Action):
    """End the channel of a language, if it has one; in any case interpreters need another key then, which comes back."""

    sender, reply = SPEAKER, "interpreterLeft"
    language: Language


class PausePlayback(_Action):
    """Stop receiving audio for a while."""

    sender, reply = LISTENER, "playbackPaused"


class ResumePlayback(_Action):
    """Receive audio again."""

    sender, reply = LISTENER, "playbackResumed"


class ChangeLanguage(_Action):
    """Listen in another language; `audio` and `captions` stay as they are if they are absent."""

    sender, reply = LISTENER, "languageChanged"
    targetLanguage: Language
    audio: AudioChoice | None = None
    captions: bool | None = None


class Heartbeat(_Action):
    """Show that the connection is alive, every 30 seconds; an interpreter's, every 3 seconds."""

    reply = "heartbeatAck"
    timestamp: Timestamp | None = None


class RefreshConnection(_Action):
    """Take over the session from an older connection, before its two hours end."""

    reply = "connectionRefreshComplete"
    sessionId: SessionId
    refreshToken: RefreshToken


# --- to clients


class _Notice(ServerMessage):
    accepts_null = False


class _AboutSession(_Notice):
    sessionId: SessionId


class _AboutListener(_Notice):
    sessionId: SessionId
    listenerCount: Count
    targetLanguage: Language


class SessionCreatedMessage(_Notice):
    """The session is open; `expiresAt` is in ms, `warning` says what to do better. To the speaker."""

    sessionId: SessionId
    sourceLanguage: Language
    qualityTier: QualityTier
    audioFormat: AudioFormat
    expiresAt: Timestamp
    refreshToken: RefreshToken
    interpreterKey: Key | None = None
    warning: Text | None = None


class SessionJoinedMessage(_Notice):
    """You are in the session; `hears` is the channel that you hear now. To the listener."""

    sessionId: SessionId
    sourceLanguage: Language
    targetLanguage: Language
    audioFormat: AudioFormat
    broadcastState: StateNow
    listenerCount: Count
    refreshToken: RefreshToken
    channels: list[Language] | None = None
    hears: Hears | None = None


class InterpreterReadyMessage(_Notice):
    """You are the interpreter of a language, and hear the floor. To the interpreter."""

    sessionId: SessionId
    language: Language
    sourceLanguage: Language
    audioFormat: AudioFormat
    broadcastState: StateNow
    refreshToken: RefreshToken


class InterpreterJoinedMessage(_Notice):
    """An interpreter came. To the speaker."""

    sessionId: SessionId
    language: Language


class InterpreterLeftMessage(_Notice):
    """An interpreter went; `interpreterKey` is the new one, if it was removed. To the speaker."""

    sessionId: SessionId
    language: Language
    interpreterKey: Key | None = None


class ChannelChangedMessage(_Notice):
    """The channel of your language has begun or ended; `hears` is what you hear now. To the listener."""

    sessionId: SessionId
    channels: list[Language]
    hears: Hears


class CaptionMessage(_Notice):
    """Text of the floor or of a channel. To those who asked for captions of it, and to the speaker."""

    sessionId: SessionId
    language: Language
    segmentId: SegmentId
    text: CaptionText
    isFinal: bool
    startMs: Count | None = None
    endMs: Count | None = None


class ListenerJoinedMessage(_AboutListener):
    """A listener came. To the speaker."""


class ListenerLeftMessage(_AboutListener):
    """A listener went. To the speaker."""


class AudioMessage(_Notice):
    """A chunk of audio, of a language's channel or else of the floor; each has its own numbers. To those who hear it, and the floor's to interpreters."""

    sessionId: SessionId
    sequenceNumber: Count
    audioData: AudioData
    speakerTimestamp: Timestamp
    language: Language | None = None

    @classmethod
    def of(cls, chunk: SendAudio, sessionId: str, language: str | None = None) -> AudioMessage:  # noqa: N803
        """Return the message that passes `chunk` on, whose fields need no second check, nor a stored language."""
        message = object.__new__(cls)
        message.__dict__.update(
            sessionId=_session_id(sessionId, "sessionId"),
            sequenceNumber=chunk.sequenceNumber,
            audioData=chunk.audioData,
            speakerTimestamp=chunk.timestamp,
            timestamp=time.time_ns() // 1_000_000,
        )
        if language is not None:
            message.__dict__["language"] = language
        return message

    def to_json(self) -> str:
        """Return the message as compact ASCII JSON; of its own fields none needs an escape."""
        if self.requestId is not None:
            return super().to_json()
        language = "" if self.language is None else f',"language":"{self.language}"'
        return (
            f'{{"type":"audio","sessionId":"{self.sessionId}","sequenceNumber":{self.sequenceNumber}'
            f',"audioData":"{self.audioData}","speakerTimestamp":{self.speakerTimestamp}{language}'
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


class VolumeChangedMessage(_Notice):
    """The broadcast has another volume. To everyone."""

    sessionId: SessionId
    volumeLevel: Volume


class SpeakerStateChangedMessage(_Notice):
    """The broadcast's state, after a change. To everyone."""

    sessionId: SessionId
    broadcastState: StateNow


class BroadcastControlMessage(_Notice):
    """The broadcast's state as it is, after a connection was refreshed."""

    sessionId: SessionId
    isPaused: bool
    isMuted: bool
    volume: Volume


class SessionStatusMessage(_Notice):
    """Who listens, and how the broadcast is; `sessionDuration` is in seconds. To the speaker."""

    sessionId: SessionId
    isActive: bool
    listenerCount: Count
    languageDistribution: LanguageCounts
    sessionDuration: Seconds
    broadcastState: StateNow
    updateReason: UpdateReason


class AudioQualityWarningMessage(_Notice):
    """The audio is hard to understand. To the speaker."""

    sessionId: SessionId
    warningType: WarningType
    severity: Severity
    message: Text
    recommendation: Text


class RateLimitWarningMessage(_Notice):
    """You are close to sending too much; or, with `reason` wrongKeys, others try keys of your session."""

    limit: Count
    windowSeconds: Seconds
    retryAfterMs: Count
    reason: LimitReason | None = None


class PlaybackPausedMessage(_Notice):
    """No audio is sent to you. To the listener."""


class PlaybackResumedMessage(_Notice):
    """Audio is sent to you again. To the listener."""


class LanguageChangedMessage(_Notice):
    """You listen in another language. To the listener."""

    targetLanguage: Language


class HeartbeatAckMessage(_Notice):
    """The connection is alive."""


class ConnectionRefreshRequiredMessage(_Notice):
    """The connection ends in `expiresIn` seconds: open another and refresh."""

    sessionId: SessionId
    expiresIn: Seconds


class ConnectionRefreshMessage(_Notice):
    """Where to open the next connection, within `expiresIn` seconds."""

    sessionId: SessionId
    newConnectionUrl: Url
    expiresIn: Seconds


class ConnectionRefreshCompleteMessage(_Notice):
    """This connection has taken over; `refreshToken` is the one for the next time."""

    sessionId: SessionId
    role: Role
    refreshToken: RefreshToken


class ConnectionWarningMessage(_Notice):
    """The connection will end soon."""

    remainingMinutes: Count


class ConnectionTimeoutMessage(_Notice):
    """The connection was idle for too long and is closed."""

    idleSeconds: Seconds


class SessionEndedMessage(_Notice):
    """The session is over. To everyone."""

    sessionId: SessionId
    reason: Text


class ErrorMessage(_Notice):
    """What was refused or failed. `message` and `retryable` are the code's own unless given."""

    code: Code
    message: Text = FILLED_IN
    retryable: bool = FILLED_IN
    details: Details | None = None
    correlationId: Text | None = None

    def _complete(self, data: dict[str, Any]) -> None:
        super()._complete(data)
        if "code" in data:
            code = data["code"] = to_error_code(data["code"])
            data.setdefault("message", code.sentence)
            data.setdefault("retryable", code.retryable)


class GatewayMessage(Record):
    """What API Gateway sends of its own, without a `type`, in place of an answer."""

    accepts_null = False
    message: Text
    connectionId: Text
    requestId: RequestId | None = None
    messageId: Text | None = None


_RECORDS = [
    one
    for name, one in [*globals().items()]
    if isinstance(one, type) and issubclass(one, Record) and one.__module__ == __name__
    if name[0] != "_"
]
#: The classes of messages from clients, by `action`.
CLIENT_MESSAGES = {one.action: one for one in _RECORDS if issubclass(one, ClientMessage)}
#: The classes of messages to clients, by `type`.
SERVER_MESSAGES = {one.type: one for one in _RECORDS if issubclass(one, ServerMessage)}
__all__ += [one.__name__ for one in _RECORDS]


# --- reading


def parse_message(source: Source) -> ClientMessage:
    """Return the client's message in JSON text, in a dict, or in an API Gateway event's body.

    Raise `ValidationError` for anything else. A dict is an event if it has no `action` but a
    `requestContext` or a `body`; the size of any other dict is not looked at. Fields that are
    not declared are ignored. A null is never a field's absence, and is refused.
    """
    found = unwrapped(source, "action")
    return _class_of(found).from_dict(found) if type(found) is dict else parse_body(found)


# A character is at most four bytes of UTF-8: so many of them are never too much.
_SMALL = v.MAX_CONTROL_MESSAGE_BYTES // 4


def parse_body(body: str | bytes) -> ClientMessage:
    """Return the client's message in the body of a MESSAGE event."""
    if type(body) is not str or len(body) > _SMALL:
        return _parse_large(body)
    data = read_object(body)
    try:
        cls = CLIENT_MESSAGES[data["action"]]
    except (KeyError, TypeError):  # TypeError: a list or an object
        cls = _class_of(data)
    return read_fields(cls, data)


def _parse_large(body: str | bytes) -> ClientMessage:
    message = _read_around_audio(SendAudio, body)
    if message is not None:
        return message
    data = read_object(body)
    cls = _class_of(data)
    check_size(body, cls.max_bytes)
    return read_fields(cls, data)


def _read_around_audio(cls: type[SendAudio], text: str | bytes) -> SendAudio | None:
    """Return what `from_json` returns, without scanning the audio, or `None` if in doubt.

    To scan it takes a third of the time of a message. What is left, with an empty string in the
    audio's place, must be a flat object without a backslash: then a quote only begins or ends a
    string, so that what was cut out, once it proves to be base64, was the whole string.
    """
    if type(text) is not str or len(text) * 4 > MAX_MESSAGE_BYTES:
        return None
    start = text.find('"', text.find('"audioData":') + 12) + 1
    end = text.find('"', start)
    rest = text[:start] + text[end:]
    try:
        data = read_object(rest)
        if rest.count(":") != len(data) or "\\" in rest or data["audioData"] != "":
            return None  # or it was not its text that was cut out
        return cls.from_dict({**data, "audioData": text[start:end]})
    except (ValidationError, KeyError):
        return None


def _class_of(data: dict[str, Any]) -> type[ClientMessage]:
    if "action" not in data:
        raise missing("action")
    return CLIENT_MESSAGES[v.validate_action(data["action"])]


def parse_server_message(source: Source) -> ServerMessage | GatewayMessage:
    """Return what a client received: one of our messages, or one that API Gateway made."""
    found = unwrapped(source, "type")
    data = found if type(found) is dict else read_object(found)
    if "type" in data:
        cls = SERVER_MESSAGES.get(_values.plain_text(data["type"]))
        if cls is None:
            raise wrong("type", f"be one of {', '.join(SERVER_MESSAGES)}", data["type"])
        return read_fields(cls, data)
    if "connectionId" in data:
        return read_fields(GatewayMessage, data)
    raise missing("type")


def validate_message(data: object) -> tuple[bool, str | None]:
    """Return (True, None) for what `parse_message` takes, else (False, why). Never raises."""
    try:
        parse_message(data)  # type: ignore[arg-type]
    except ValidationError as error:
        return False, error.message
    return True, None
