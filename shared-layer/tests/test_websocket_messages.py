"""The messages of the protocol: each in both directions, refusals field by field, and what always holds."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from decimal import Decimal
from enum import IntEnum, StrEnum

import pytest
from hypothesis import assume, given, settings
from hypothesis import example as for_example
from hypothesis import strategies as st

from shared_utils import records as r
from shared_utils import websocket_messages as m
from shared_utils._kinds import Kind
from shared_utils.error_codes import ErrorCode
from shared_utils.validators import ACTIONS, ValidationError

NOW = 1767225600123
ID = "golden-eagle-427"
AUDIO_100 = base64.b64encode(bytes(range(100))).decode()
AUDIO_99 = base64.b64encode(bytes(99)).decode()
AUDIO_24000 = base64.b64encode(bytes(24_000)).decode()
AUDIO_24001 = base64.b64encode(bytes(24_001)).decode()
FORMAT = m.AudioFormat(encoding="pcm_mulaw", sampleRate=8000, channels=2)
STATE = m.BroadcastState(isPaused=True, isMuted=False, volume=0.5)
MISSING = "VALIDATION_MISSING_PARAMETER"
WRONG = "VALIDATION_INVALID_PARAMETER"
LANGUAGE = "VALIDATION_INVALID_LANGUAGE"
SESSION_ID = "SESSION_INVALID_ID_FORMAT"
MALFORMED = "VALIDATION_INVALID_MESSAGE_FORMAT"
TOO_LARGE = "VALIDATION_MESSAGE_TOO_LARGE"


def refusal(parse, *args, **kwargs):
    with pytest.raises(ValidationError) as caught:
        parse(*args, **kwargs)
    return caught.value


# --- from clients

CLIENT = [
    ('{"action":"createSession","sourceLanguage":"en-US"}', m.CreateSession, {
        "sourceLanguage": "en-US", "qualityTier": "standard", "audioFormat": m.AudioFormat(),
        "partialResults": True, "minStability": 0.85, "maxBufferTimeout": 5.0, "requestId": None}),
    ('{"action":"createSession","sourceLanguage":"EN-us","qualityTier":"premium","audioFormat":'
     '{"encoding":"pcm_mulaw","sampleRate":8000,"channels":2},"partialResults":false,'
     '"minStability":0.7,"maxBufferTimeout":10,"requestId":"r1"}', m.CreateSession, {
        "sourceLanguage": "en-US", "qualityTier": "premium", "audioFormat": FORMAT,
        "partialResults": False, "minStability": 0.7, "maxBufferTimeout": 10, "requestId": "r1"}),
    ('{"action":"joinSession","sessionId":"golden-eagle-427","targetLanguage":"de"}', m.JoinSession,
     {"sessionId": ID, "targetLanguage": "de", "requestId": None}),
    (f'{{"action":"sendAudio","audioData":"{AUDIO_100}","sequenceNumber":0,"timestamp":{NOW}}}',
     m.SendAudio, {"audioData": AUDIO_100, "sequenceNumber": 0, "timestamp": NOW, "sessionId": None}),
    ('{"action":"pauseBroadcast"}', m.PauseBroadcast, {"sessionId": None, "requestId": None}),
    ('{"action":"resumeBroadcast","sessionId":"a-b-001"}', m.ResumeBroadcast, {"sessionId": "a-b-001"}),
    ('{"action":"muteBroadcast","requestId":""}', m.MuteBroadcast, {"requestId": ""}),
    ('{"action":"unmuteBroadcast"}', m.UnmuteBroadcast, {"sessionId": None}),
    ('{"action":"endSession"}', m.EndSession, {"sessionId": None}),
    ('{"action":"getSessionStatus"}', m.GetSessionStatus, {"sessionId": None}),
    ('{"action":"setVolume","volumeLevel":0}', m.SetVolume, {"volumeLevel": 0, "sessionId": None}),
    ('{"action":"setVolume","volumeLevel":1.0,"sessionId":"golden-eagle-427"}', m.SetVolume,
     {"volumeLevel": 1.0, "sessionId": ID}),
    ('{"action":"speakerStateChange","state":{"isMuted":true}}', m.SpeakerStateChange,
     {"state": m.SpeakerState(isMuted=True)}),
    ('{"action":"speakerStateChange","state":{"isPaused":false,"isMuted":true,"volume":0.25}}',
     m.SpeakerStateChange, {"state": m.SpeakerState(isPaused=False, isMuted=True, volume=0.25)}),
    ('{"action":"pausePlayback"}', m.PausePlayback, {"requestId": None}),
    ('{"action":"resumePlayback"}', m.ResumePlayback, {"requestId": None}),
    ('{"action":"changeLanguage","targetLanguage":"PT-br"}', m.ChangeLanguage,
     {"targetLanguage": "pt-BR"}),
    ('{"action":"heartbeat"}', m.Heartbeat, {"timestamp": None}),
    ('{"action":"heartbeat","timestamp":0}', m.Heartbeat, {"timestamp": 0}),
    ('{"action":"refreshConnection","sessionId":"golden-eagle-427","refreshToken":"c=.s"}',
     m.RefreshConnection, {"sessionId": ID, "refreshToken": "c=.s"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "cls", "fields"), CLIENT)
def test_client_message_is_parsed_from_text_bytes_dict_and_event(text, cls, fields):
    event = {"requestContext": {"routeKey": "x"}, "body": text, "isBase64Encoded": False}
    encoded = base64.b64encode(text.encode()).decode()
    encoded_event = {"requestContext": {}, "body": encoded, "isBase64Encoded": True}

    message = m.parse_message(text)

    assert type(message) is cls
    assert {name: getattr(message, name) for name in fields} == fields
    assert m.parse_message(text.encode()) == message
    assert m.parse_message(bytearray(text.encode())) == message
    assert m.parse_message(json.loads(text)) == message
    assert m.parse_message(event) == message
    assert m.parse_message({"body": text}) == message
    assert m.parse_message(encoded_event) == message
    assert m.parse_body(text) == message
    assert m.validate_message(text) == (True, None)
    assert m.parse_message(message.to_json()) == message
    assert m.parse_message(message.to_dict()) == message


# Of each action of the contract: who may send it, and what answers it.
ACTIONS_OF_THE_CONTRACT = {
    "createSession": ("any", "sessionCreated"),
    "joinSession": ("any", "sessionJoined"),
    "joinAsInterpreter": ("any", "interpreterReady"),
    "sendAudio": (("speaker", "interpreter"), None),
    "sendCaption": (("speaker", "interpreter"), None),
    "pauseBroadcast": ("speaker", "broadcastPaused"),
    "resumeBroadcast": ("speaker", "broadcastResumed"),
    "muteBroadcast": ("speaker", "broadcastMuted"),
    "unmuteBroadcast": ("speaker", "broadcastUnmuted"),
    "endSession": ("speaker", "sessionEnded"),
    "getSessionStatus": ("speaker", "sessionStatus"),
    "setVolume": ("speaker", "volumeChanged"),
    "speakerStateChange": ("speaker", "speakerStateChanged"),
    "removeInterpreter": ("speaker", "interpreterLeft"),
    "pausePlayback": ("listener", "playbackPaused"),
    "resumePlayback": ("listener", "playbackResumed"),
    "changeLanguage": ("listener", "languageChanged"),
    "heartbeat": ("any", "heartbeatAck"),
    "refreshConnection": ("any", "connectionRefreshComplete"),
}


def test_client_messages_have_the_contracts_senders_and_replies():
    """Roles decide who may send; every reply is a declared type."""
    rows = {action: (cls.sender, cls.reply) for action, cls in m.CLIENT_MESSAGES.items()}

    assert {action: rows.get(action) for action in ACTIONS_OF_THE_CONTRACT} == (
        ACTIONS_OF_THE_CONTRACT
    )
    assert {reply for _, reply in rows.values()} - {None} <= m.SERVER_MESSAGES.keys()


def client(action, **fields):
    return json.dumps({"action": action, **fields})


def session(**fields):
    return client("createSession", **{"sourceLanguage": "en", **fields})


def audio(**fields):
    return client(
        "sendAudio", **{"audioData": AUDIO_100, "sequenceNumber": 1, "timestamp": NOW, **fields}
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(session(minStability=0.95, maxBufferTimeout=2.0), id="create-upper-lower"),
        pytest.param(session(audioFormat={}), id="format-all-defaults"),
        pytest.param(
            session(audioFormat={"sampleRate": 48000.0, "more": 1}), id="format-integral-float"
        ),
        pytest.param(audio(audioData=AUDIO_24000), id="audio-largest"),
        pytest.param(audio(sequenceNumber=2**53 - 1), id="sequence-largest"),
        pytest.param(audio(sequenceNumber=3.0), id="sequence-integral-float"),
        pytest.param(audio(timestamp=0), id="timestamp-zero"),
        pytest.param(audio(sessionId=ID, requestId="r"), id="audio-optional"),
        pytest.param(client("heartbeat", requestId="x" * 128), id="request-id-longest"),
        pytest.param(client("heartbeat", requestId="\U0001f600"), id="request-id-surrogate-pair"),
        pytest.param(client("heartbeat", requestId="a:b"), id="colon-in-value"),
        pytest.param(client("heartbeat", unknown={"deep": [None]}), id="unknown-ignored"),
        pytest.param(client("heartbeat", self=1, cls=2, type=3), id="odd-names-ignored"),
        pytest.param('\ufeff{"action":"heartbeat"}'[1:] + " \r\n\t", id="trailing-space"),
        pytest.param(' \r\n\t{"action":"heartbeat"}', id="leading-space"),
        pytest.param('{"acti\\u006fn":"heartb\\u0065at"}', id="escaped"),
        pytest.param(
            client("refreshConnection", sessionId=ID, refreshToken="x"), id="token-shortest"
        ),
        pytest.param(
            client("refreshConnection", sessionId=ID, refreshToken="!~" * 1024), id="token-longest"
        ),
        pytest.param(client("setVolume", volumeLevel=5e-324), id="volume-smallest"),
    ],
)
def test_client_message_accepted(text):
    assert m.validate_message(text) == (True, None)


REFUSED = [
    # text, code, field
    (session(sourceLanguage="xx"), LANGUAGE, "sourceLanguage"),
    (session(sourceLanguage=5), LANGUAGE, "sourceLanguage"),
    (client("createSession"), MISSING, "sourceLanguage"),
    (session(qualityTier="gold"), "VALIDATION_INVALID_QUALITY_TIER", "qualityTier"),
    (session(qualityTier=None), "VALIDATION_INVALID_QUALITY_TIER", "qualityTier"),
    (session(audioFormat="pcm_s16le"), WRONG, "audioFormat"),
    (session(audioFormat=None), WRONG, "audioFormat"),
    (session(audioFormat=[]), WRONG, "audioFormat"),
    (session(audioFormat={"encoding": "mp3"}), "AUDIO_INVALID_ENCODING", "audioFormat.encoding"),
    (session(audioFormat={"encoding": None}), "AUDIO_INVALID_ENCODING", "audioFormat.encoding"),
    (session(audioFormat={"sampleRate": 44100}), "AUDIO_INVALID_SAMPLE_RATE", "audioFormat.sampleRate"),
    (session(audioFormat={"sampleRate": "16000"}), "AUDIO_INVALID_SAMPLE_RATE", "audioFormat.sampleRate"),
    (session(audioFormat={"channels": 0}), "AUDIO_INVALID_FORMAT", "audioFormat.channels"),
    (session(audioFormat={"channels": 3}), "AUDIO_INVALID_FORMAT", "audioFormat.channels"),
    (session(audioFormat={"channels": True}), "AUDIO_INVALID_FORMAT", "audioFormat.channels"),
    (session(partialResults=1), WRONG, "partialResults"),
    (session(partialResults="true"), WRONG, "partialResults"),
    (session(minStability=0.69), WRONG, "minStability"),
    (session(minStability=0.951), WRONG, "minStability"),
    (session(minStability=True), WRONG, "minStability"),
    (session(maxBufferTimeout=1.99), WRONG, "maxBufferTimeout"),
    (session(maxBufferTimeout=10.01), WRONG, "maxBufferTimeout"),
    (session(maxBufferTimeout="5"), WRONG, "maxBufferTimeout"),
    (client("joinSession", targetLanguage="de"), MISSING, "sessionId"),
    (client("joinSession", sessionId=ID), MISSING, "targetLanguage"),
    (client("joinSession", sessionId=ID, targetLanguage="d"), LANGUAGE, "targetLanguage"),
    (client("joinSession", sessionId=ID + "\n", targetLanguage="de"), SESSION_ID, "sessionId"),
    (client("joinSession", sessionId="Golden-eagle-427", targetLanguage="de"), SESSION_ID, "sessionId"),
    (client("joinSession", sessionId=["x"], targetLanguage="de"), SESSION_ID, "sessionId"),
    (client("sendAudio", sequenceNumber=1, timestamp=NOW), MISSING, "audioData"),
    (client("sendAudio", audioData=AUDIO_100, timestamp=NOW), MISSING, "sequenceNumber"),
    (client("sendAudio", audioData=AUDIO_100, sequenceNumber=1), MISSING, "timestamp"),
    (audio(audioData=None), "AUDIO_INVALID_ENCODING", "audioData"),
    (audio(audioData=AUDIO_100[:-1]), "AUDIO_INVALID_ENCODING", "audioData"),
    (audio(audioData=AUDIO_100[:-4] + "-_=="), "AUDIO_INVALID_ENCODING", "audioData"),
    (audio(audioData=AUDIO_100[:40] + "\n" + AUDIO_100[40:]), "AUDIO_INVALID_ENCODING", "audioData"),
    (audio(audioData=""), "AUDIO_CHUNK_TOO_SMALL", "audioData"),
    (audio(audioData=AUDIO_99), "AUDIO_CHUNK_TOO_SMALL", "audioData"),
    (audio(audioData=AUDIO_24001), "AUDIO_CHUNK_TOO_LARGE", "audioData"),
    (audio(sequenceNumber=-1), WRONG, "sequenceNumber"),
    (audio(sequenceNumber=2**53), WRONG, "sequenceNumber"),
    (audio(sequenceNumber=1.5), WRONG, "sequenceNumber"),
    (audio(sequenceNumber=True), WRONG, "sequenceNumber"),
    (audio(sequenceNumber="1"), WRONG, "sequenceNumber"),
    (audio(timestamp=-1), WRONG, "timestamp"),
    (audio(timestamp=1.5), WRONG, "timestamp"),
    (audio(timestamp=None), WRONG, "timestamp"),
    (audio(sessionId=None), SESSION_ID, "sessionId"),
    (client("setVolume"), MISSING, "volumeLevel"),
    (client("setVolume", volumeLevel=-0.01), WRONG, "volumeLevel"),
    (client("setVolume", volumeLevel=1.01), WRONG, "volumeLevel"),
    (client("setVolume", volumeLevel=True), WRONG, "volumeLevel"),
    (client("setVolume", volumeLevel="0.5"), WRONG, "volumeLevel"),
    ('{"action":"setVolume","volumeLevel":1e400}', WRONG, "volumeLevel"),
    (client("setVolume", volumeLevel=0.5, sessionId="x"), SESSION_ID, "sessionId"),
    (client("pauseBroadcast", sessionId=1), SESSION_ID, "sessionId"),
    (client("speakerStateChange"), MISSING, "state"),
    (client("speakerStateChange", state=None), WRONG, "state"),
    (client("speakerStateChange", state={}), WRONG, "state"),
    (client("speakerStateChange", state={"other": 1}), WRONG, "state"),
    (client("speakerStateChange", state={"isPaused": 0}), WRONG, "state.isPaused"),
    (client("speakerStateChange", state={"isMuted": None}), WRONG, "state.isMuted"),
    (client("speakerStateChange", state={"volume": 2}), WRONG, "state.volume"),
    (client("changeLanguage"), MISSING, "targetLanguage"),
    (client("changeLanguage", targetLanguage="de_DE"), LANGUAGE, "targetLanguage"),
    (client("heartbeat", timestamp=None), WRONG, "timestamp"),
    (client("heartbeat", timestamp="now"), WRONG, "timestamp"),
    (client("heartbeat", requestId="x" * 129), WRONG, "requestId"),
    (client("heartbeat", requestId=None), WRONG, "requestId"),
    (client("heartbeat", requestId=1), WRONG, "requestId"),
    (client("refreshConnection", sessionId=ID), MISSING, "refreshToken"),
    (client("refreshConnection", refreshToken="x"), MISSING, "sessionId"),
    (client("refreshConnection", sessionId=ID, refreshToken=""), "AUTH_TOKEN_INVALID", "refreshToken"),
    (client("refreshConnection", sessionId=ID, refreshToken="x" * 2049), "AUTH_TOKEN_INVALID", "refreshToken"),
    (client("refreshConnection", sessionId=ID, refreshToken="\ud800.x"), "AUTH_TOKEN_INVALID", "refreshToken"),
    (client("refreshConnection", sessionId=ID, refreshToken="a b"), "AUTH_TOKEN_INVALID", "refreshToken"),
    (client("refreshConnection", sessionId=ID, refreshToken="\x7f"), "AUTH_TOKEN_INVALID", "refreshToken"),
    (client("refreshConnection", sessionId="\ud800", refreshToken="x"), SESSION_ID, "sessionId"),
    (client("createSession", sourceLanguage="\ud800"), LANGUAGE, "sourceLanguage"),
    (client("heartbeat", requestId="\ud800"), WRONG, "requestId"),
    (client("refreshConnection", sessionId=ID, refreshToken=7), WRONG, "refreshToken"),
    ("{}", MISSING, "action"),
    ('{"type":"heartbeat"}', MISSING, "action"),
    ('{"action":""}', "VALIDATION_INVALID_ACTION", "action"),
    ('{"action":"Heartbeat"}', "VALIDATION_INVALID_ACTION", "action"),
    ('{"action":null}', "VALIDATION_INVALID_ACTION", "action"),
    ('{"action":["heartbeat"]}', "VALIDATION_INVALID_ACTION", "action"),
    ("", MALFORMED, None),
    ("heartbeat", MALFORMED, None),
    ('"action"', MALFORMED, None),
    ("7", MALFORMED, None),
    ("null", MALFORMED, None),
    ('[{"action":"heartbeat"}]', MALFORMED, None),
    ('{"action":"heartbeat"', MALFORMED, None),
    ('{"action":"heartbeat"}{}', MALFORMED, None),
    ('{"action":"heartbeat"}\x00', MALFORMED, None),
    ('{"action":"heartbeat",}', MALFORMED, None),
    ('\ufeff{"action":"heartbeat"}', MALFORMED, None),
    ('\u00a0{"action":"heartbeat"}', MALFORMED, None),
    ('{"action":"heartbeat","x":"\n"}', MALFORMED, None),
    ('{"action":"heartbeat","timestamp":NaN}', MALFORMED, None),
    ('{"action":"heartbeat","x":[Infinity]}', MALFORMED, None),
    ('{"action":"heartbeat","x":-Infinity}', MALFORMED, None),
    ('{"action":"heartbeat","x":' + "9" * 5000 + "}", MALFORMED, None),
    ('{"action":"heartbeat","action":"endSession"}', MALFORMED, None),
    ('{"action":"heartbeat","\\u0061ction":"endSession"}', MALFORMED, None),
    ('{"action":"heartbeat","x":{"a":1,"a":1}}', MALFORMED, None),
    ("[" * 4000, MALFORMED, None),
    ('{"a":' * 800, MALFORMED, None),
    ("[" * 100_000, MALFORMED, None),
    (b'{"action":"heartbeat\xff"}', MALFORMED, None),
    ('{"action":"heartbeat"}'.encode("utf-16"), MALFORMED, None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "field"), REFUSED)
@pytest.mark.threat("ws-validation", "ws-waf")
def test_client_message_refused(text, code, field):
    """The code says what is wrong, the field where."""
    error = refusal(m.parse_message, text)

    assert (error.code, error.field) == (code, field)
    assert m.validate_message(text) == (False, error.message)


def test_refusal_shows_what_was_wanted_and_what_came():
    error = refusal(m.parse_message, client("setVolume", volumeLevel=1.5))

    assert str(error) == "volumeLevel must be a number from 0 to 1, got 1.5"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (session(minStability=1), "minStability must be a number from 0.7 to 0.95, got 1"),
        (session(maxBufferTimeout=1), "maxBufferTimeout must be a number from 2.0 to 10.0 seconds, got 1"),
        (session(partialResults=0), "partialResults must be true or false, got 0"),
        (client("heartbeat", requestId=5), "requestId must be text of up to 128 characters, got 5"),
        (client("speakerStateChange", state={}), "state must have isPaused, isMuted or volume, got an object"),
        (client("setVolume"), "volumeLevel is required"),
        (client("refreshConnection", sessionId=ID, refreshToken="se cret"), "refreshToken must be up to 2,048 characters from ! to ~, got 7 characters"),
        (client("heartbeat", requestId="a\ud800"), "requestId must be Unicode, without half of a surrogate pair, got 'a\\ud800'"),
        (client("refreshConnection", sessionId=ID, refreshToken=123), "refreshToken must be up to 2,048 characters from ! to ~, got a number"),
        ("{", "message must be JSON"),
        ("[]", "message must be one JSON object"),
        ('{"a":1,"a":2}', "message must not have the same name twice in an object"),
    ],
)  # fmt: skip
def test_refusal_message(text, message):
    assert refusal(m.parse_message, text).message == message


def test_refusal_never_shows_audio():
    secret = "c2VjcmV0" * 20 + "!"

    error = refusal(m.parse_message, audio(audioData=secret))

    assert "c2Vj" not in str(error)


def test_first_declared_field_is_reported_whatever_the_order():
    text = '{"requestId":5,"sessionId":"x","volumeLevel":7,"action":"setVolume"}'

    assert refusal(m.parse_message, text).field == "volumeLevel"


# --- sizes


@pytest.mark.parametrize(
    ("num_bytes", "filler"),
    [(4096, "x"), (4096, "é"), (1025, "x"), (1024, "x"), (4095, "\U0001f600")],
)
def test_control_message_may_have_4096_bytes(num_bytes, filler):
    body = sized(num_bytes, filler)

    assert len(body.encode()) == num_bytes
    assert m.parse_message(body) == m.Heartbeat()
    assert m.parse_message(body.encode()) == m.Heartbeat()


@pytest.mark.parametrize(("num_bytes", "filler"), [(4097, "x"), (4098, "é"), (131_072, "x")])
@pytest.mark.threat("ws-size")
def test_control_message_above_4096_bytes_is_refused(num_bytes, filler):
    error = refusal(m.parse_message, sized(num_bytes, filler))

    assert (error.code, error.field) == (TOO_LARGE, "body")
    assert "4096" in error.message
    assert str(num_bytes) in error.message


@pytest.mark.parametrize("filler", ["x", "é"])
@pytest.mark.parametrize("convert", [str, str.encode])
@pytest.mark.threat("large-message")
def test_message_above_128_kilobytes_is_refused_unread(filler, convert):
    body = convert(sized(131_074, filler) + "{")  # not JSON, so it was not read

    error = refusal(m.parse_message, body)

    assert (error.code, error.field) == (TOO_LARGE, "body")
    assert "131072" in error.message


def test_audio_message_may_have_128_kilobytes():
    text = audio(unknown="")
    body = text.replace('"unknown": ""', f'"unknown": "{"x" * (131_072 - len(text))}"')

    assert len(body) == 131_072
    assert m.parse_message(body).audioData == AUDIO_100


def sized(num_bytes, filler):
    empty = '{"action":"heartbeat","x":""}'
    space, width = num_bytes - len(empty), len(filler.encode())
    return empty[:-2] + "x" * (space % width) + filler * (space // width) + '"}'


# --- events and other sources


@pytest.mark.parametrize(
    ("event", "message"),
    [
        pytest.param({"requestContext": {}}, "body must be text or bytes, got null", id="no-body"),
        pytest.param({"body": None}, "body must be text or bytes, got null", id="null-body"),
        pytest.param({"body": None, "isBase64Encoded": True}, "body must be text or bytes, got null", id="null-encoded"),
        pytest.param({"body": {"action": "heartbeat"}}, "body must be text or bytes, got an object", id="dict-body"),
        pytest.param({"body": ""}, "message must be JSON", id="empty-body"),
        pytest.param({"body": "{}!", "isBase64Encoded": True}, "body must be base64, as isBase64Encoded says", id="not-base64"),
        pytest.param({"body": "é", "isBase64Encoded": True}, "body must be base64, as isBase64Encoded says", id="not-ascii"),
        pytest.param({"body": "/w==", "isBase64Encoded": True}, "message must be UTF-8", id="not-utf-8"),
        pytest.param({"body": "e30=", "isBase64Encoded": "true"}, "message must be JSON", id="flag-not-true"),
    ],
)  # fmt: skip
def test_event_refused(event, message):
    error = refusal(m.parse_message, event)

    assert (error.code, error.message) == (MALFORMED, message)


@pytest.mark.parametrize(
    "source", [None, 5, 1.5, True, [], (), {1}, object(), ValidationError, str]
)
def test_other_sources_are_refused(source):
    error = refusal(m.parse_message, source)

    assert (error.code, error.field) == (MALFORMED, "body")


def test_text_that_looks_like_an_event_is_a_message():
    """Only the runtime makes events; a client's text must not be unwrapped."""
    text = '{"requestContext":{},"body":"{\\"action\\":\\"heartbeat\\"}"}'

    assert refusal(m.parse_message, text).field == "action"


def test_dict_with_an_action_is_a_message_even_with_a_body():
    assert m.parse_message({"action": "heartbeat", "body": 1, "requestContext": 2}) == m.Heartbeat()


class Text(str):
    __slots__ = ()

    def __eq__(self, other):
        raise RuntimeError

    __hash__ = str.__hash__


class Action(StrEnum):
    HEARTBEAT = "heartbeat"


class Count(IntEnum):
    ONE = 1


def test_dict_may_hold_enums_decimals_and_text_of_other_classes():
    source = {Text("action"): Action.HEARTBEAT, Text("timestamp"): Decimal(5), 7: 8, None: 9}

    message = m.parse_message(source)

    assert message == m.Heartbeat(timestamp=5)
    assert [type(value) for value in vars(message).values()] == [int]


def test_source_is_left_as_it_is():
    source = {"action": "createSession", "sourceLanguage": "EN", "audioFormat": {"channels": 2.0}}

    m.parse_message(source)

    assert source == {
        "action": "createSession", "sourceLanguage": "EN", "audioFormat": {"channels": 2.0}
    }  # fmt: skip


# --- the reply's request id


@pytest.mark.parametrize(
    ("source", "request_id"),
    [
        ('{"action":"setVolume","volumeLevel":7,"requestId":"r1"}', "r1"),
        ('{"action":"nope","requestId":"r1"}', "r1"),
        (b'{"requestId":"r1"}', "r1"),
        ({"requestId": "r1"}, "r1"),
        ({"body": '{"requestId":"r1"}'}, "r1"),
        ({"body": "eyJyZXF1ZXN0SWQiOiJyMSJ9", "isBase64Encoded": True}, "r1"),
        ({"requestContext": {"requestId": "gateway"}, "body": "{}"}, None),
        ({"body": None}, None),
        ('{"requestId":5}', None),
        ('{"requestId":"%s"}' % ("x" * 129), None),
        ('{"requestId":"r1"', None),
        ("[]", None),
        (None, None),
    ],
)
def test_request_id_of(source, request_id):
    assert r.request_id_of(source) == request_id


# --- audio


def test_audio_is_decoded_on_demand_and_once():
    message = m.parse_message(audio())

    assert message.num_audio_bytes == 100
    assert message.audio == bytes(range(100))
    assert message.audio is message.audio


@pytest.mark.parametrize("num_bytes", [100, 101, 102, 23_998, 23_999, 24_000])
def test_audio_bytes_are_counted_without_decoding(num_bytes):
    text = base64.b64encode(bytes(num_bytes)).decode()

    message = m.parse_message(audio(audioData=text))

    assert message.num_audio_bytes == num_bytes
    assert message.audio == bytes(num_bytes)


def test_decoded_audio_is_no_part_of_the_message():
    message = m.parse_message(audio())
    decoded = m.parse_message(audio())

    assert decoded.audio
    assert decoded == message
    assert decoded.to_json() == message.to_json()


def test_chunk_is_passed_on_as_audio_message():
    chunk = m.parse_message(audio())

    message = m.AudioMessage.of(chunk, ID)

    assert message == m.AudioMessage(
        sessionId=ID, sequenceNumber=1, audioData=AUDIO_100, speakerTimestamp=NOW, timestamp=message.timestamp
    )  # fmt: skip
    assert json.loads(message.to_json()) == message.to_dict()
    assert refusal(m.AudioMessage.of, chunk, 'x","').field == "sessionId"


def plainly(body):
    """Read as any message is read."""
    data = r.read_object(body)
    cls = m._class_of(data)
    r.check_size(body, cls.max_bytes)
    return r.read_fields(cls, data)


BIG = base64.b64encode(bytes(range(256)) * 16).decode()
COMPACT = (
    f'{{"action":"sendAudio","audioData":"{BIG}","sequenceNumber":7,"timestamp":{NOW}'
    f',"sessionId":"{ID}","requestId":"r1"}}'
)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(COMPACT, id="compact"),
        pytest.param(json.dumps(json.loads(COMPACT)), id="spaces"),
        pytest.param(json.dumps(dict(reversed(json.loads(COMPACT).items()))), id="reversed"),
        pytest.param(COMPACT.replace(',"sequence', ' ,\n"sequence'), id="other-white-space"),
        pytest.param(COMPACT.replace('"audioData":"', '"audioData":\n\t "'), id="before-the-audio"),
    ],
)
def test_usual_audio_bodies_are_not_scanned_whole(body):
    assert m._read_around_audio(m.SendAudio, body) == plainly(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(COMPACT.replace('"audioData":"', '"audioData" :"'), id="space-before-colon"),
        pytest.param(COMPACT.replace('"r1"', '"\\u0041"'), id="escape"),
        pytest.param(COMPACT.replace('"r1"', '"a:b"'), id="colon-in-value"),
        pytest.param(COMPACT.replace('"r1"', '"r1","x":{"audioData":1}'), id="second-name-inside"),
        pytest.param(COMPACT.replace('"r1"', '"r1","x":{"y":[]}'), id="object-inside"),
        pytest.param(COMPACT.encode(), id="bytes"),
    ],
)
def test_unusual_audio_bodies_are_scanned_whole(body):
    assert m._read_around_audio(m.SendAudio, body) is None
    assert m.parse_body(body).audioData == BIG


def outcome(parse, source):
    try:
        message = parse(source)
    except ValidationError as error:
        return error.code, error.field, error.message
    return type(message), message.to_dict()


PIECES = [
    "{", "}", "[", "]", ":", ",", '"', '""', "\\", '\\"', "\\u0022", "=", "==", " ", "\n", "\x00", "a",
    "é", "\ud800", "0", "1", "-", "1e999", "NaN", "null", "true", '"audioData"', '"audioData":', '"audioData":"',
    '"audioData": ""', ',"audioData":"AAAA"', '"audio\\u0044ata":"', '"action":"sendAudio",',
    '"action":"heartbeat",', ',"x":{"audioData":"', '"x":"', '"}', "A" * 1200, "/" * 8,
]  # fmt: skip


@st.composite
def audio_bodies(draw):
    """A valid body of a drawn shape, cut into tokens of which some are then replaced, doubled or lost."""
    colon = draw(st.sampled_from(['":', '": ', '" :']))
    members = draw(
        st.permutations(
            [
                ["action", ['"', "sendAudio", '"']],
                ["audioData", ['"', BIG[:400], BIG[400:], '"']],
                ["sequenceNumber", ["7"]],
                ["timestamp", [str(NOW)]],
                ["sessionId", ['"', ID, '"']],
                ["requestId", ['"', "r1", '"']],
            ]
        )
    )
    tokens = ["{"]
    for name, value in members:
        tokens += ['"', name, colon, *value, ","]
    tokens[-1] = "}"
    for _ in range(draw(st.integers(0, 3))):
        position = draw(st.integers(0, len(tokens) - 1))
        width = draw(st.integers(0, 2))
        tokens[position : position + width] = draw(st.lists(st.sampled_from(PIECES), max_size=2))
    return "".join(tokens)


@settings(max_examples=400, deadline=None)
@for_example(COMPACT)
@for_example(COMPACT.replace('"sessionId"', '"x":"\\"audioData\\":\\"","sessionId"'))
@for_example(COMPACT.replace('"audioData"', '"x":{"audioData"').replace('","seq', '"},"seq'))
@for_example(COMPACT.replace('"audioData":"', '"x" "audioData":"'))
@for_example(COMPACT.replace('"audioData":"', '"audioData":"","x\\"audioData":"'))
@for_example(COMPACT.replace('"audioData":"', '"x\\"audioData":"'))
@for_example(COMPACT.replace('"audioData":', '"audioData" :').replace('"}', '"audioData":'))
@for_example(COMPACT.replace('"audioData":', '"audioData":7,').replace(',"seq', ':1,"seq'))
@for_example(COMPACT.replace('"audioData":"', '"audioData":["').replace('","seq', '"],"seq'))
@for_example(COMPACT + "}")
@for_example(COMPACT + "x")
@for_example("[" + COMPACT + "]")
@for_example('"audioData":"' + BIG + '"')
@for_example('{"audioData":"' + BIG)
@given(audio_bodies())
def test_the_quick_ways_give_what_the_plain_way_gives(body):
    """The same message, or the same refusal."""
    assert outcome(m.parse_body, body) == outcome(plainly, body)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([text for text, _, _ in CLIENT]),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2), st.sampled_from(PIECES)), max_size=3),
)
def test_the_quick_way_gives_what_the_plain_way_gives_for_short_bodies(text, changes):
    body = text
    for position, width, piece in changes:
        body = body[:position] + piece + body[position + width :]

    assert outcome(m.parse_body, body) == outcome(plainly, body)


# --- to clients

BASE = {"timestamp": NOW}
SERVER = [
    (m.SessionCreatedMessage,
     {"sessionId": ID, "sourceLanguage": "en", "qualityTier": "premium", "audioFormat": FORMAT,
      "expiresAt": 1, "refreshToken": "t"},
     '{"type":"sessionCreated","sessionId":"golden-eagle-427","sourceLanguage":"en","qualityTier":"premium",'
     '"audioFormat":{"encoding":"pcm_mulaw","sampleRate":8000,"channels":2},"expiresAt":1,"refreshToken":"t"'),
    (m.SessionJoinedMessage,
     {"sessionId": ID, "sourceLanguage": "en", "targetLanguage": "de", "audioFormat": m.AudioFormat(),
      "broadcastState": STATE, "listenerCount": 2, "refreshToken": "t"},
     '{"type":"sessionJoined","sessionId":"golden-eagle-427","sourceLanguage":"en","targetLanguage":"de",'
     '"audioFormat":{"encoding":"pcm_s16le","sampleRate":16000,"channels":1},"broadcastState":'
     '{"isPaused":true,"isMuted":false,"volume":0.5},"listenerCount":2,"refreshToken":"t"'),
    (m.SessionJoinedMessage,
     {"sessionId": ID, "sourceLanguage": "en", "targetLanguage": "DE", "audioFormat": m.AudioFormat(),
      "broadcastState": STATE, "listenerCount": 2, "refreshToken": "t", "channels": ["DE", "fr"], "hears": "DE"},
     '{"type":"sessionJoined","sessionId":"golden-eagle-427","sourceLanguage":"en","targetLanguage":"de",'
     '"audioFormat":{"encoding":"pcm_s16le","sampleRate":16000,"channels":1},"broadcastState":'
     '{"isPaused":true,"isMuted":false,"volume":0.5},"listenerCount":2,"refreshToken":"t",'
     '"channels":["de","fr"],"hears":"de"'),
    (m.InterpreterReadyMessage,
     {"sessionId": ID, "language": "de", "sourceLanguage": "en", "audioFormat": m.AudioFormat(),
      "broadcastState": STATE, "refreshToken": "t"},
     '{"type":"interpreterReady","sessionId":"golden-eagle-427","language":"de","sourceLanguage":"en",'
     '"audioFormat":{"encoding":"pcm_s16le","sampleRate":16000,"channels":1},"broadcastState":'
     '{"isPaused":true,"isMuted":false,"volume":0.5},"refreshToken":"t"'),
    (m.InterpreterJoinedMessage, {"sessionId": ID, "language": "de"},
     '{"type":"interpreterJoined","sessionId":"golden-eagle-427","language":"de"'),
    (m.InterpreterLeftMessage, {"sessionId": ID, "language": "de", "interpreterKey": "k" * 8},
     '{"type":"interpreterLeft","sessionId":"golden-eagle-427","language":"de","interpreterKey":"kkkkkkkk"'),
    (m.ChannelChangedMessage, {"sessionId": ID, "channels": [], "hears": "floor"},
     '{"type":"channelChanged","sessionId":"golden-eagle-427","channels":[],"hears":"floor"'),
    (m.CaptionMessage,
     {"sessionId": ID, "language": "de", "segmentId": "1", "text": "é", "isFinal": False, "endMs": 5},
     '{"type":"caption","sessionId":"golden-eagle-427","language":"de","segmentId":"1","text":"\\u00e9",'
     '"isFinal":false,"endMs":5'),
    (m.ListenerJoinedMessage, {"sessionId": ID, "listenerCount": 0, "targetLanguage": "de"},
     '{"type":"listenerJoined","sessionId":"golden-eagle-427","listenerCount":0,"targetLanguage":"de"'),
    (m.ListenerLeftMessage, {"sessionId": ID, "listenerCount": 7, "targetLanguage": "de"},
     '{"type":"listenerLeft","sessionId":"golden-eagle-427","listenerCount":7,"targetLanguage":"de"'),
    (m.AudioMessage,
     {"sessionId": ID, "sequenceNumber": 7, "audioData": AUDIO_100, "speakerTimestamp": 5},
     '{"type":"audio","sessionId":"golden-eagle-427","sequenceNumber":7,"audioData":"' + AUDIO_100 +
     '","speakerTimestamp":5'),
    (m.AudioMessage,
     {"sessionId": ID, "sequenceNumber": 7, "audioData": AUDIO_100, "speakerTimestamp": 5, "language": "de-AT"},
     '{"type":"audio","sessionId":"golden-eagle-427","sequenceNumber":7,"audioData":"' + AUDIO_100 +
     '","speakerTimestamp":5,"language":"de-AT"'),
    (m.BroadcastPausedMessage, {"sessionId": ID}, '{"type":"broadcastPaused","sessionId":"golden-eagle-427"'),
    (m.BroadcastResumedMessage, {"sessionId": ID}, '{"type":"broadcastResumed","sessionId":"golden-eagle-427"'),
    (m.BroadcastMutedMessage, {"sessionId": ID}, '{"type":"broadcastMuted","sessionId":"golden-eagle-427"'),
    (m.BroadcastUnmutedMessage, {"sessionId": ID}, '{"type":"broadcastUnmuted","sessionId":"golden-eagle-427"'),
    (m.VolumeChangedMessage, {"sessionId": ID, "volumeLevel": 0.8},
     '{"type":"volumeChanged","sessionId":"golden-eagle-427","volumeLevel":0.8'),
    (m.SpeakerStateChangedMessage, {"sessionId": ID, "broadcastState": STATE},
     '{"type":"speakerStateChanged","sessionId":"golden-eagle-427","broadcastState":'
     '{"isPaused":true,"isMuted":false,"volume":0.5}'),
    (m.BroadcastControlMessage, {"sessionId": ID, "isPaused": False, "isMuted": True, "volume": 1},
     '{"type":"broadcastControl","sessionId":"golden-eagle-427","isPaused":false,"isMuted":true,"volume":1'),
    (m.SessionStatusMessage,
     {"sessionId": ID, "isActive": True, "listenerCount": 3, "languageDistribution": {"de": 2, "FR": 1},
      "sessionDuration": 61.5, "broadcastState": STATE, "updateReason": "newLanguage"},
     '{"type":"sessionStatus","sessionId":"golden-eagle-427","isActive":true,"listenerCount":3,'
     '"languageDistribution":{"de":2,"fr":1},"sessionDuration":61.5,"broadcastState":'
     '{"isPaused":true,"isMuted":false,"volume":0.5},"updateReason":"newLanguage"'),
    (m.AudioQualityWarningMessage,
     {"sessionId": ID, "warningType": "low_snr", "severity": "critical", "message": "é", "recommendation": ""},
     '{"type":"audioQualityWarning","sessionId":"golden-eagle-427","warningType":"low_snr",'
     '"severity":"critical","message":"\\u00e9","recommendation":""'),
    (m.RateLimitWarningMessage, {"limit": 50, "windowSeconds": 1, "retryAfterMs": 20},
     '{"type":"rateLimitWarning","limit":50,"windowSeconds":1,"retryAfterMs":20'),
    (m.PlaybackPausedMessage, {}, '{"type":"playbackPaused"'),
    (m.PlaybackResumedMessage, {}, '{"type":"playbackResumed"'),
    (m.LanguageChangedMessage, {"targetLanguage": "pt-br"}, '{"type":"languageChanged","targetLanguage":"pt-BR"'),
    (m.HeartbeatAckMessage, {}, '{"type":"heartbeatAck"'),
    (m.ConnectionRefreshRequiredMessage, {"sessionId": ID, "expiresIn": 0.5},
     '{"type":"connectionRefreshRequired","sessionId":"golden-eagle-427","expiresIn":0.5'),
    (m.ConnectionRefreshMessage, {"sessionId": ID, "newConnectionUrl": "wss://x/y", "expiresIn": 600},
     '{"type":"connectionRefresh","sessionId":"golden-eagle-427","newConnectionUrl":"wss://x/y","expiresIn":600'),
    (m.ConnectionRefreshCompleteMessage, {"sessionId": ID, "role": "listener", "refreshToken": "wsr_a.b"},
     '{"type":"connectionRefreshComplete","sessionId":"golden-eagle-427","role":"listener","refreshToken":"wsr_a.b"'),
    (m.ConnectionWarningMessage, {"remainingMinutes": 10}, '{"type":"connectionWarning","remainingMinutes":10'),
    (m.ConnectionTimeoutMessage, {"idleSeconds": 120}, '{"type":"connectionTimeout","idleSeconds":120'),
    (m.SessionEndedMessage, {"sessionId": ID, "reason": "Bye"},
     '{"type":"sessionEnded","sessionId":"golden-eagle-427","reason":"Bye"'),
    (m.ErrorMessage,
     {"code": "RATE_LIMIT_EXCEEDED", "message": "Slow down", "retryable": False, "details": {"a": [1]},
      "correlationId": "c"},
     '{"type":"error","code":"RATE_LIMIT_EXCEEDED","message":"Slow down","retryable":false,'
     '"details":{"a":[1]},"correlationId":"c"'),
]  # fmt: skip


@pytest.mark.parametrize(("cls", "fields", "text"), SERVER)
def test_server_message_is_written_and_read_back(cls, fields, text):
    message = cls(**fields, timestamp=NOW)
    reply = cls(**fields, timestamp=NOW, requestId='r"1')

    assert message.to_json() == text + ',"timestamp":1767225600123}'
    assert reply.to_json() == text + ',"timestamp":1767225600123,"requestId":"r\\"1"}'
    assert message.to_dict() == json.loads(message.to_json())
    assert m.parse_server_message(message.to_json()) == message
    assert m.parse_server_message(reply.to_json().encode()) == reply
    assert m.parse_server_message(message.to_dict()) == message
    assert [m.SERVER_MESSAGES[message.type], message.to_dict()["type"]] == [cls, message.type]


def test_server_messages_have_every_type_of_the_contract():
    of_contract = {
        "audio", "audioQualityWarning", "broadcastControl", "broadcastMuted", "broadcastPaused",
        "broadcastResumed", "broadcastUnmuted", "connectionRefresh", "connectionRefreshComplete",
        "connectionRefreshRequired", "connectionTimeout", "connectionWarning", "error",
        "heartbeatAck", "languageChanged", "listenerJoined", "listenerLeft", "playbackPaused",
        "playbackResumed", "rateLimitWarning", "sessionCreated", "sessionEnded", "sessionJoined",
        "sessionStatus", "speakerStateChanged", "volumeChanged",
    }  # fmt: skip

    assert of_contract - m.SERVER_MESSAGES.keys() == set()


def test_timestamp_is_now_unless_given(monkeypatch):
    monkeypatch.setattr(m.time, "time_ns", lambda: NOW * 1_000_000 + 999_999)
    chunk = m.parse_message(audio())

    assert m.HeartbeatAckMessage().to_json() == '{"type":"heartbeatAck","timestamp":1767225600123}'
    assert m.HeartbeatAckMessage(timestamp=None, requestId=None).timestamp == NOW
    assert m.HeartbeatAckMessage(timestamp=0).timestamp == 0
    assert m.AudioMessage.of(chunk, ID).timestamp == NOW


def test_numbers_of_dynamodb_are_written_as_numbers():
    message = m.SessionStatusMessage(
        sessionId=ID,
        isActive=True,
        listenerCount=Decimal(3),
        languageDistribution={"de": Decimal("3"), "fr": Count.ONE},
        sessionDuration=Decimal("61.5"),
        broadcastState={"isPaused": False, "isMuted": False, "volume": Decimal("0.8")},
        updateReason="requested",
        timestamp=Decimal(NOW),
    )

    assert message.to_json() == (
        '{"type":"sessionStatus","sessionId":"golden-eagle-427","isActive":true,"listenerCount":3,'
        '"languageDistribution":{"de":3,"fr":1},"sessionDuration":61.5,"broadcastState":'
        '{"isPaused":false,"isMuted":false,"volume":0.8},"updateReason":"requested",'
        '"timestamp":1767225600123}'
    )


STATUS = {
    "sessionId": ID, "isActive": True, "listenerCount": 1, "languageDistribution": {"de": 1},
    "sessionDuration": 0, "broadcastState": STATE, "updateReason": "periodic",
}  # fmt: skip
QUALITY = {
    "sessionId": ID, "warningType": "echo", "severity": "warning", "message": "m", "recommendation": "r"
}  # fmt: skip


@pytest.mark.parametrize(
    ("cls", "fields", "code", "field"),
    [
        (m.VolumeChangedMessage, {"sessionId": ID}, MISSING, "volumeLevel"),
        (m.VolumeChangedMessage, {"sessionId": ID, "volumeLevel": None}, MISSING, "volumeLevel"),
        (m.VolumeChangedMessage, {"sessionId": ID, "volumeLevel": 0.5, "volume": 1}, WRONG, "volume"),
        (m.VolumeChangedMessage, {"sessionId": ID, "volumeLevel": 0.5, "volume": None}, WRONG, "volume"),
        (m.VolumeChangedMessage, {"sessionId": ID, "volumeLevel": Decimal("NaN")}, WRONG, "volumeLevel"),
        (m.VolumeChangedMessage, {"sessionId": ID, "volumeLevel": Decimal("1e999999")}, WRONG, "volumeLevel"),
        (m.VolumeChangedMessage, {"sessionId": ID, "volumeLevel": float("nan")}, WRONG, "volumeLevel"),
        (m.VolumeChangedMessage, {"sessionId": ID.upper(), "volumeLevel": 0.5}, SESSION_ID, "sessionId"),
        (m.HeartbeatAckMessage, {"timestamp": -1}, WRONG, "timestamp"),
        (m.HeartbeatAckMessage, {"timestamp": "now"}, WRONG, "timestamp"),
        (m.HeartbeatAckMessage, {"requestId": "x" * 129}, WRONG, "requestId"),
        (m.AudioFormat, {"a": 1, "b": 2, "c": 3}, WRONG, "a"),
        (m.BroadcastState, {"isPaused": True, "isMuted": True}, MISSING, "volume"),
        (m.SpeakerStateChange, {"state": m.SpeakerState()}, WRONG, "state"),
        (m.SpeakerStateChangedMessage, {"sessionId": ID, "broadcastState": {"isPaused": 1}}, WRONG, "broadcastState.isPaused"),
        (m.SpeakerStateChangedMessage, {"sessionId": ID, "broadcastState": FORMAT}, WRONG, "broadcastState"),
        (m.SessionStatusMessage, {**STATUS, "isActive": 1}, WRONG, "isActive"),
        (m.SessionStatusMessage, {**STATUS, "listenerCount": -1}, WRONG, "listenerCount"),
        (m.SessionStatusMessage, {**STATUS, "listenerCount": 1.5}, WRONG, "listenerCount"),
        (m.SessionStatusMessage, {**STATUS, "languageDistribution": [("de", 1)]}, WRONG, "languageDistribution"),
        (m.SessionStatusMessage, {**STATUS, "languageDistribution": {"xx": 1}}, LANGUAGE, "languageDistribution"),
        (m.SessionStatusMessage, {**STATUS, "languageDistribution": {"de": -1}}, WRONG, "languageDistribution.de"),
        (m.SessionStatusMessage, {**STATUS, "sessionDuration": -0.1}, WRONG, "sessionDuration"),
        (m.SessionStatusMessage, {**STATUS, "sessionDuration": float("inf")}, WRONG, "sessionDuration"),
        (m.SessionStatusMessage, {**STATUS, "sessionDuration": 2**53}, WRONG, "sessionDuration"),
        (m.SessionStatusMessage, {**STATUS, "updateReason": "bored"}, WRONG, "updateReason"),
        (m.SessionStatusMessage, {**STATUS, "broadcastState": None}, MISSING, "broadcastState"),
        (m.AudioQualityWarningMessage, {**QUALITY, "warningType": "noise"}, WRONG, "warningType"),
        (m.AudioQualityWarningMessage, {**QUALITY, "severity": "info"}, WRONG, "severity"),
        (m.AudioQualityWarningMessage, {**QUALITY, "message": 5}, WRONG, "message"),
        (m.ConnectionRefreshMessage, {"sessionId": ID, "newConnectionUrl": "", "expiresIn": 1}, WRONG, "newConnectionUrl"),
        (m.ConnectionRefreshCompleteMessage, {"sessionId": ID, "role": "any", "refreshToken": "wsr_a.b"}, WRONG, "role"),
        (m.ConnectionWarningMessage, {"remainingMinutes": 0.5}, WRONG, "remainingMinutes"),
        (m.ErrorMessage, {}, MISSING, "code"),
        (m.ErrorMessage, {"code": "SESSION_FULL", "details": "text"}, WRONG, "details"),
        (m.ErrorMessage, {"code": "SESSION_FULL", "retryable": 1}, WRONG, "retryable"),
        (m.ErrorMessage, {"code": "SESSION_FULL", "message": b"x"}, WRONG, "message"),
        (m.SetVolume, {"volumeLevel": 2}, WRONG, "volumeLevel"),
        (m.CreateSession, {"sourceLanguage": "en", "qualityTeir": "premium"}, WRONG, "qualityTeir"),
    ],
)  # fmt: skip
def test_constructor_refuses(cls, fields, code, field):
    """A mistake of our own is a typed error as well, and nothing wrong is ever sent."""
    error = refusal(cls, **fields)

    assert (error.code, error.field) == (code, field)


@pytest.mark.parametrize(
    ("source", "code", "field"),
    [
        ("{}", MISSING, "type"),
        ('{"message":"x"}', MISSING, "type"),
        ('{"type":"nope"}', WRONG, "type"),
        ('{"type":5}', WRONG, "type"),
        ({"type": ["audio"]}, WRONG, "type"),
        ('{"type":"heartbeatAck"}', MISSING, "timestamp"),
        (
            '{"type":"error","code":"no such code","message":"m","retryable":true,"timestamp":1}',
            WRONG,
            "code",
        ),
        ('{"type":"error","code":"SESSION_NOT_FOUND","timestamp":1}', MISSING, "message"),
        ('{"connectionId":"x"}', MISSING, "message"),
        ("[]", MALFORMED, None),
        ("x" * 131_073, TOO_LARGE, "body"),
        (None, MALFORMED, "body"),
    ],
)
def test_server_message_refused(source, code, field):
    error = refusal(m.parse_server_message, source)

    assert (error.code, error.field) == (code, field)


@pytest.mark.parametrize("code", ["SESSION_FULL", ErrorCode.SESSION_MAX_LISTENERS_REACHED])
def test_error_takes_sentence_and_retryable_from_its_code(code):
    message = m.ErrorMessage(code=code, timestamp=NOW)

    assert message.to_json() == (
        '{"type":"error","code":"SESSION_MAX_LISTENERS_REACHED","message":"The session has no room for'
        ' another listener","retryable":true,"timestamp":1767225600123}'
    )


def test_error_details_are_cleaned():
    """They may come from anywhere, and the client sees them."""
    details = {"refreshToken": "secret", "at": object, Text("n"): Decimal("1.5"), 7: 8}

    message = m.ErrorMessage(code="SESSION_NOT_FOUND", details=details)

    assert message.details["refreshToken"] == "[REDACTED]"
    assert message.details["n"] == 1.5
    assert m.parse_server_message(message.to_json()) == message


@pytest.mark.parametrize(
    "text",
    [
        '{"message":"Forbidden","connectionId":"VNRUSeldSwMCIRQ=","requestId":"VNRXVFJOywMF3-Q="}',
        '{"message":"Bad request body","connectionId":"VNRUSeldSwMCIRQ=","messageId":"x"}',
    ],
)
def test_what_api_gateway_sends_is_read(text):
    message = m.parse_server_message(text)

    assert type(message) is m.GatewayMessage
    assert message.connectionId == "VNRUSeldSwMCIRQ="
    assert message.to_json() == text


# --- values

VOLUME = m.VolumeChangedMessage(sessionId=ID, volumeLevel=1, timestamp=NOW)


def test_messages_are_equal_by_class_and_fields():
    same = m.VolumeChangedMessage(sessionId=ID, volumeLevel=1.0, timestamp=NOW)
    louder = m.VolumeChangedMessage(sessionId=ID, volumeLevel=0.9, timestamp=NOW)
    paused = m.BroadcastPausedMessage(sessionId=ID, timestamp=NOW)

    assert same == VOLUME
    assert hash(same) == hash(VOLUME)
    assert louder != VOLUME
    assert paused != m.BroadcastResumedMessage(sessionId=ID, timestamp=NOW)
    assert VOLUME.to_dict() != VOLUME
    assert len({same, VOLUME, louder, paused}) == 3
    assert (
        len(
            {
                m.SessionStatusMessage(**STATUS, timestamp=1),
                m.SessionStatusMessage(**STATUS, timestamp=1),
            }
        )
        == 1
    )


def test_messages_cannot_be_changed():
    status = m.SessionStatusMessage(**STATUS)

    with pytest.raises(AttributeError, match="VolumeChangedMessage is immutable"):
        VOLUME.volumeLevel = 0.5
    with pytest.raises(AttributeError, match="VolumeChangedMessage is immutable"):
        del VOLUME.volumeLevel
    with pytest.raises(AttributeError, match="AudioFormat is immutable"):
        FORMAT.channels = 1
    with pytest.raises(AttributeError, match="immutable"):
        status.languageDistribution["fr"] = 1
    with pytest.raises(AttributeError, match="immutable"):
        status.languageDistribution.update(fr=1)


def test_what_is_given_out_and_taken_in_is_copied():
    counts = {"de": 1}
    status = m.SessionStatusMessage(**{**STATUS, "languageDistribution": counts})
    counts["de"] = 2
    wire = status.to_dict()
    wire["languageDistribution"]["de"] = 3
    wire["broadcastState"]["volume"] = 0

    assert status.languageDistribution == {"de": 1}
    assert status.broadcastState == STATE


@pytest.mark.parametrize(
    "message",
    [VOLUME, m.SessionStatusMessage(**STATUS), m.CreateSession(sourceLanguage="en"), FORMAT, r.example(m.ErrorMessage)],
)  # fmt: skip
def test_messages_can_be_pickled_and_copied(message):
    assert pickle.loads(pickle.dumps(message)) == message  # noqa: S301
    assert copy.deepcopy(message) == message
    assert copy.copy(message) == message


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (VOLUME, "VolumeChangedMessage(sessionId='golden-eagle-427', volumeLevel=1, timestamp=1767225600123)"),
        (
            m.SendAudio(audioData=AUDIO_100, sequenceNumber=1, timestamp=2),
            "SendAudio(audioData=<136 characters>, sequenceNumber=1, timestamp=2)",
        ),
        (
            m.RefreshConnection(sessionId=ID, refreshToken="c=.secret"),
            "RefreshConnection(sessionId='golden-eagle-427', refreshToken=<9 characters>)",
        ),
        (
            m.ConnectionRefreshMessage(sessionId=ID, newConnectionUrl="wss://x?token=y", expiresIn=1, timestamp=2),
            "ConnectionRefreshMessage(sessionId='golden-eagle-427', newConnectionUrl=<15 characters>, "
            "expiresIn=1, timestamp=2)",
        ),
        (
            m.SessionEndedMessage(sessionId="a-b-123", reason="x" * 129, timestamp=2),
            "SessionEndedMessage(sessionId='a-b-123', reason=<129 characters>, timestamp=2)",
        ),
        (m.SpeakerStateChange(state={"volume": 1}), "SpeakerStateChange(state=SpeakerState(volume=1))"),
    ],
)  # fmt: skip
@pytest.mark.threat("secret-in-repr")
def test_repr_hides_audio_and_tokens(message, text):
    assert repr(message) == text


# --- documents


def test_json_schema():
    assert r.json_schema(m.SetVolume) == {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "title": "SetVolume",
        "description": "Set the volume of the broadcast.",
        "properties": {
            "action": {"const": "setVolume"},
            "volumeLevel": {
                "type": "number", "minimum": 0, "maximum": 1, "description": "a number from 0 to 1"
            },
            "sessionId": {
                "type": "string", "maxLength": 2048, "pattern": "^[a-z]+-[a-z]+-[0-9]{3}$"
            },
            "requestId": {
                "type": "string", "maxLength": 128, "description": "text of up to 128 characters"
            },
        },
        "required": ["action", "volumeLevel"],
    }  # fmt: skip


def test_json_schema_shows_defaults_and_what_is_inside():
    properties = r.json_schema(m.CreateSession)["properties"]
    state = r.json_schema(m.SpeakerStateChange)["properties"]["state"]

    assert properties["audioFormat"]["default"] == {
        "encoding": "pcm_s16le",
        "sampleRate": 16000,
        "channels": 1,
    }
    assert properties["audioFormat"]["properties"]["channels"] == {
        "type": "integer", "enum": [1, 2], "description": "one of 1, 2", "default": 1
    }  # fmt: skip
    assert properties["qualityTier"]["default"] == "standard"
    assert properties["partialResults"]["default"] is True
    assert "default" not in properties["requestId"]
    assert state["anyOf"] == [
        {"required": ["isPaused"]},
        {"required": ["isMuted"]},
        {"required": ["volume"]},
    ]


def test_json_schema_of_server_messages():
    assert r.json_schema(m.ErrorMessage)["required"] == [
        "type",
        "code",
        "message",
        "retryable",
        "timestamp",
    ]
    assert r.json_schema(m.HeartbeatAckMessage)["required"] == ["type", "timestamp"]
    assert r.json_schema(m.GatewayMessage)["required"] == ["message", "connectionId"]
    assert "type" not in r.json_schema(m.GatewayMessage)["properties"]


def test_json_schema_belongs_to_the_caller():
    r.json_schema(m.SetVolume)["properties"]["volumeLevel"]["maximum"] = 11

    assert r.json_schema(m.SetVolume)["properties"]["volumeLevel"]["maximum"] == 1


@pytest.mark.parametrize("cls", [*m.CLIENT_MESSAGES.values(), m.AudioFormat, m.BroadcastState])
def test_client_example_is_complete_and_valid(cls):
    message = r.example(cls)

    assert message == cls.from_dict(message.to_dict())
    assert message.to_dict().keys() == r.json_schema(cls)["properties"].keys()


@pytest.mark.parametrize("cls", [*m.SERVER_MESSAGES.values(), m.GatewayMessage])
def test_server_example_is_complete_and_valid(cls):
    message = r.example(cls)

    assert m.parse_server_message(message.to_json()) == message
    assert message.to_dict().keys() == r.json_schema(cls)["properties"].keys()


ALL = [*m.CLIENT_MESSAGES.values(), *m.SERVER_MESSAGES.values(), m.GatewayMessage, m.AudioFormat]


JSON_TYPES = {str: "string", int: "integer", float: "number", m.SpeakerState: "object"}
OWN_KINDS = [
    name
    for name, one in vars(m).items()
    if isinstance(getattr(one, "__metadata__", (None,))[0], Kind) and type(one.__origin__) is type
]


@pytest.mark.parametrize("name", OWN_KINDS)
def test_kind_with_a_schema_of_its_own_is_what_type_checkers_take_it_for(name):
    """Type checkers read the one, clients the other."""
    kind = getattr(m, name)
    [own] = kind.__metadata__

    assert own.schema_in({})["type"] == JSON_TYPES[kind.__origin__]
    assert own.check(own.make_example(), "x")


@pytest.mark.parametrize("cls", ALL)
def test_each_message_has_a_one_line_summary_and_is_public(cls):
    assert "\n" not in cls.__doc__
    assert cls.__name__ in m.__all__


def test_actions_of_the_validators_are_those_that_are_declared():
    assert list(m.CLIENT_MESSAGES) == list(ACTIONS)


def test_a_class_elsewhere_is_no_message_of_the_audio_system():
    class Applaud(m.SetVolume):
        """Applaud the speaker."""

        isMuted: bool | None = None

    text = '{"action":"applaud","isMuted":true,"volumeLevel":1}'

    assert Applaud.from_json(text).to_json() == text
    assert m.validate_message(text)[0] is False


@pytest.mark.parametrize("cls", ALL)
def test_class_is_in_its_module_and_fits_its_kinds(cls):
    """The layer's own classes are only looked at when they are first used: here."""
    assert getattr(m, cls.__name__) is cls
    assert r.json_schema(cls)["title"] == cls.__name__


# --- whatever comes


class Hostile:
    """Each of its methods raises, `__class__` too."""

    @property
    def __class__(self):
        raise RuntimeError

    def _raise(self, *_args, **_values):
        raise RuntimeError

    __eq__ = __hash__ = __bool__ = __len__ = __iter__ = __getitem__ = __contains__ = _raise
    __str__ = __repr__ = __int__ = __float__ = __index__ = __lt__ = __le__ = __getattr__ = _raise


class HostileText(str):
    __slots__ = ()
    _raise = Hostile._raise
    __eq__ = __hash__ = __len__ = __str__ = __repr__ = __iter__ = __getitem__ = _raise
    __contains__ = __format__ = encode = isascii = find = _raise


class HostileInt(int):
    _raise = Hostile._raise
    __eq__ = __hash__ = __lt__ = __le__ = __gt__ = __ge__ = __index__ = __int__ = __str__ = (
        __repr__
    ) = _raise


class HostileDict(dict):
    __eq__ = __len__ = __iter__ = __getitem__ = __contains__ = __repr__ = Hostile._raise
    get = items = keys = values = copy = Hostile._raise


FIELD_NAMES = st.sampled_from(sorted({name for cls in ALL for name in vars(r.example(cls))}))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.decimals(),
    st.sampled_from(
        [ID, "en-US", AUDIO_100, "standard", Action.HEARTBEAT, Count.ONE, 2**70, -(2**70), "\ud800",
         "en\n", Decimal("sNaN"), Decimal("1e999999"), complex(1)]
    ),
    st.builds(Hostile),
    st.builds(lambda: HostileText("en")),
    st.builds(lambda: HostileInt(1)),
    st.builds(lambda: 10**5000),
)  # fmt: skip
KEYS = st.one_of(
    FIELD_NAMES, st.text(max_size=5), st.sampled_from(Action), st.integers(), st.none()
)
OBJECTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(KEYS, inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4).map(HostileDict),
    ),
    max_leaves=8,
)
OTHER = st.one_of(
    st.just(None),
    st.sampled_from(Action),
    st.builds(lambda: HostileText("heartbeat")),
    st.builds(Hostile),
)
ANY_ACTION = st.one_of(st.sampled_from([*m.CLIENT_MESSAGES]), OTHER)
TYPES = st.one_of(st.sampled_from([*m.SERVER_MESSAGES]), OTHER)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        OBJECTS,
        st.dictionaries(FIELD_NAMES, OBJECTS).flatmap(
            lambda d: ANY_ACTION.map(lambda a: {**d, "action": a})
        ),
        st.dictionaries(st.sampled_from(["body", "requestContext", "isBase64Encoded"]), OBJECTS),
        st.text(),
        st.binary(),
    )
)
def test_any_object_is_a_message_or_refused(source):
    """Nothing but `ValidationError` comes out, and what is accepted is what is written."""
    valid, why = m.validate_message(source)
    result = outcome(m.parse_message, source)

    assert (why is None) is valid
    assert isinstance(result[0], type) is valid
    assert request_id_is_text_or_none(source)
    assert not valid or outcome(m.parse_message, json.dumps(result[1])) == result


def request_id_is_text_or_none(source):
    return type(r.request_id_of(source)) in (str, type(None))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(FIELD_NAMES, OBJECTS), TYPES)
def test_any_fields_are_a_server_message_or_refused(fields, kind):
    result = outcome(m.parse_server_message, {**fields, "type": kind})

    assert result[0] in m.SERVER_MESSAGES.values() or isinstance(result[0], ErrorCode)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ALL), st.dictionaries(FIELD_NAMES, OBJECTS))
def test_any_keywords_make_a_message_or_are_refused(cls, fields):
    result = outcome(lambda fields: cls(**fields), fields)

    assert result[0] is cls or isinstance(result[0], ErrorCode)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ALL), st.data())
def test_what_differs_from_an_example_in_one_field_round_trips_or_is_refused(cls, data):
    fields = vars(r.example(cls))
    name = data.draw(st.sampled_from(sorted(fields)))
    changed = {**fields, name: data.draw(OBJECTS)}

    result = outcome(lambda fields: cls(**fields), changed)

    assert (
        isinstance(result[0], ErrorCode) or outcome(lambda d: cls.from_dict(d), result[1]) == result
    )


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(FIELD_NAMES | st.text(max_size=5), JSON_VALUES),
    st.sampled_from(sorted(m.CLIENT_MESSAGES)),
)
def test_text_and_dict_are_judged_alike(fields, action):
    source = {**fields, "action": action}
    text = json.dumps(source)
    assume(len(text) <= m.CLIENT_MESSAGES[action].max_bytes)  # a dict has no size

    assert outcome(m.parse_message, text) == outcome(m.parse_message, source)
