"""No message of a client is a failure of ours: each declared field at its limits, beyond them, and with anything else.

The functions are the real ones, over a real DynamoDB API, with a session at hand, so that a value that
passes the checks is stored, sent and logged.
"""

import itertools
import json
import math
from collections import Counter
from pathlib import Path

import pytest

from shared_utils import records
from shared_utils.testing import (
    FakeContext,
    connect_event,
    disconnect_event,
    message_event,
)
from shared_utils.websocket_messages import ANY, CLIENT_MESSAGES, LISTENER, SPEAKER

HANDLERS = Path(__file__).parents[1] / "handlers"
FUNCTIONS = sorted({path.stem for path in HANDLERS.glob("[a-z]*.py")} - {"housekeeping"})

# --- values, as JSON texts


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


# Numbers at the limits of DynamoDB, of a double, of what JSON's readers agree on; and what is no JSON.
NUMBERS = [
    *("0", "-0", "-0.0", "1", "-1", "0.5", "1.0", "1.5", "1e0", "0.1e1"),
    *("1e-130", "9.999999999999999e-131", "1e-131", "-1e-131", "5e-324", "-5e-324", "1e-400", "1e-99999"),
    *("9.99e125", "9.999999999999998e125", "1e126", "-1e126", "1.7976931348623157e308", "1e309", "-1e400"),
    *(str(2**53 - 1), str(2**53), str(2**53 + 1), "1" * 38, "1" * 39, "9" * 400, "9" * 4000),
    *("0." + "1" * 38, "0." + "0" * 130 + "1", "0." + "1" * 400, "NaN", "Infinity", "-Infinity", "01", "+1", ".5"),
]  # fmt: skip
# Keys have 2,048 bytes at most, sort keys 1,024; a character has up to four.
LENGTHS = (0, 1, 128, 129, 255, 256, 512, 513, 1024, 1025, 2048, 2049, 4000)
TEXTS = [
    *("a" * length for length in LENGTHS),
    *("é" * length for length in (512, 513, 1024, 1025)),
    *("\U0001f600" * length for length in (128, 129, 256, 257, 512, 513)),
    *(" ", "\x00", "\x00" * 500, "\n", "\u2028", "\u202e", "\x7f", "\ufeff", "\ufffe", "\u0130", "'\"\\", "none", "null"),
    *("\ud800", "\udfff", "a\ud800", "\udc00\ud800", "\ud83d\ude00", "\ud800" * 300, "\ud83d.\ude00"),
    *("#", "$", "__proto__", "constructor", "a.b", "a#b", "attribute_exists(x)", "{}", "${x}", "%s", "%n", "{0}", "../.."),
]  # fmt: skip
# As a session's id and as a token, with what follows the part that is a key.
KEY_TEXTS = [
    *("a" * (length - 6) + "-b-123" for length in (1024, 1025, 2048, 2049, 3000)),
    *(
        "golden-eagle-427",
        "golden-eagle-427\n",
        "golden-eagle-42\u0661",
        "golden-eagle-42\ud800",
        "-a-123",
        "--123",
    ),
    *(
        ".",
        "..",
        ".secret",
        "a.",
        "wsr_",
        "wsr_.",
        "wsr_.secret",
        "wsr_a",
        "none.secret",
        "wsr_none.secret",
        "wsr_\x00.secret",
        "wsr_\U0001f600.secret",
    ),
    *(f"wsr_{'a' * length}.secret" for length in (1024, 2041, 2042, 2048, 2049, 3000)),
    *(f"wsr_{'é' * length}.secret" for length in (1024, 1025)),
    *("wsr_\ud800.secret", "\ud800.secret", "\U0001f600.secret", "ABCDEFGHIJKLMNO=.secret"),
]
OTHERS = [
    *("null", "true", "false", "[]", "{}", "[null]", '[""]', '{"":""}', '{"a":{"a":{"a":1}}}', "[[[]]]"),
    *(nested(30), nested(31), nested(33), nested(500), json.dumps([0] * 1001), json.dumps({"\ud800": 1})),
    *('{"a":1,"a":2}', '{"isPaused":true}', '{"S":"x"}', "", "undefined", "'x'", '"\\x"', '"\\u12"', '"'),
    json.dumps({str(number): number for number in range(300)}),
]  # fmt: skip
VALUES = [*NUMBERS, *(json.dumps(text) for text in TEXTS + KEY_TEXTS), *OTHERS]


def at_limits(schema: dict) -> list[str]:
    """Return the values at the limits that a field declares, and the next ones beyond."""
    numbers = [schema[name] for name in ("minimum", "maximum") if name in schema]
    around = [
        near for limit in numbers
        for near in (limit, math.nextafter(limit, -math.inf), math.nextafter(limit, math.inf), limit - 1, limit + 1)
    ]  # fmt: skip
    lengths = [schema[name] for name in ("minLength", "maxLength") if name in schema]
    texts = [
        character * max(length + more, 0)
        for length in lengths
        for more in (-4, -1, 0, 1, 4)
        for character in ("A", "\U0001f600")
    ]
    return [json.dumps(value) for value in (*around, *texts, *schema.get("enum", ()))]


def places(schema: dict, path: tuple = ()):
    """Return each field of a message, those of objects in it too, as (path, schema)."""
    for name, inner in schema.get("properties", {}).items():
        yield (*path, name), inner
        yield from places(inner, (*path, name))


def with_value(wire: dict, path: tuple, value: str) -> str:
    """Return a message as JSON text, with a JSON text in one place."""
    wire = json.loads(json.dumps(wire))
    target = wire
    for name in path[:-1]:
        target = target.setdefault(name, {})
    target[path[-1]] = "@here"
    return json.dumps(wire).replace('"@here"', value)


# --- who sends them


class Senders:
    """People of sessions, new ones as often as a limit on invalid messages wants it."""

    def __init__(self, system) -> None:
        self.system = system
        self.functions = {
            action: name
            for name in FUNCTIONS
            for action in system.app(name).handler._routes
            if action in CLIENT_MESSAGES
        }
        self._numbers = itertools.count()
        self._left = 0

    def _renew(self) -> None:
        number = next(self._numbers)
        self.speaker, self.listener = f"speaker-{number}", f"listener-{number}"
        self.session_id = self.system.open(
            self.listener, speaker=self.speaker, address=self._address()
        )
        self._left = 4

    def _address(self) -> str:
        """Return one that nobody has come from."""
        high, low = divmod(next(self._numbers), 250)
        return f"198.18.{high}.{low}"

    def message(self, cls) -> dict:
        """Return an example of a message that its sender may send now."""
        if not self._left:
            self._renew()
        self._left -= 1
        wire = records.example(cls).to_dict()
        real = {
            "sessionId": self.session_id,
            "refreshToken": self.system.tokens[self.listener],
            "interpreterKey": self.system.interpreter_keys[self.session_id],
        }
        return {**wire, **{name: real[name] for name in wire.keys() & real}}

    def sender(self, cls) -> str:
        """Return who sends a message: its role, or a connection without a session."""
        role = cls.sender[0] if isinstance(cls.sender, tuple) else cls.sender
        return {
            SPEAKER: self.speaker, LISTENER: self.listener, ANY: f"new-{next(self._numbers)}"
        }[role]  # fmt: skip

    def send(self, action: str, text: str, sender: str) -> list[dict]:
        """Send a text as the gateway does; return what the sender got, the status first."""
        handler = self.system.app(self.functions.get(action, "connection")).handler
        route = action if action in self.functions else "$default"
        event = message_event(text, sender, routeKey=route, identity={"sourceIp": self._address()})
        status = handler(event, FakeContext())["statusCode"]
        replies = [message for name, message in self.system.take() if name == sender]
        if status == 200:
            self._left = 0
        return [{"status": status}, *replies]


def action_of(text: str) -> str:
    """Return the route that API Gateway takes for a text."""
    try:
        action = json.loads(text)["action"]
    except (ValueError, KeyError, RecursionError):
        return "$default"
    return action if type(action) is str else "$default"


# --- what may come back

WRONG, FORMAT, SIZE = (
    "VALIDATION_INVALID_PARAMETER", "VALIDATION_INVALID_MESSAGE_FORMAT", "VALIDATION_MESSAGE_TOO_LARGE"
)  # fmt: skip
# By field: the codes that are said for a wrong value of it.
CODES = {
    "action": {"VALIDATION_INVALID_ACTION", "VALIDATION_MISSING_PARAMETER"},
    "sessionId": {
        "SESSION_INVALID_ID_FORMAT", "SESSION_NOT_FOUND", "AUTH_UNAUTHORIZED", "AUTH_TOKEN_INVALID"
    },
    "refreshToken": {"AUTH_TOKEN_INVALID", WRONG},
    "sourceLanguage": {"VALIDATION_INVALID_LANGUAGE"},
    "targetLanguage": {"VALIDATION_INVALID_LANGUAGE"},
    "language": {"VALIDATION_INVALID_LANGUAGE"},
    "interpreterKey": {WRONG, "SESSION_NOT_FOUND"},
    "qualityTier": {"VALIDATION_INVALID_QUALITY_TIER"},
    "audioFormat": {WRONG},
    "audioFormat.encoding": {"AUDIO_INVALID_ENCODING"},
    "audioFormat.sampleRate": {"AUDIO_INVALID_SAMPLE_RATE"},
    "audioFormat.channels": {"AUDIO_INVALID_FORMAT"},
    "audioData": {
        "AUDIO_INVALID_ENCODING", "AUDIO_CHUNK_TOO_SMALL", "AUDIO_CHUNK_TOO_LARGE", "AUDIO_INVALID_FORMAT"
    },
}  # fmt: skip


def complaint(cls, path: tuple, answers: list[dict]) -> str | None:
    """Return what is wrong with how a message was answered, None if nothing is."""
    [first, *replies] = answers
    check_strict(replies)
    status, code = first["status"], replies[0].get("code") if replies else None
    expected = CODES.get(".".join(path), {WRONG}) | {FORMAT, SIZE}
    if status >= 500:
        return f"status {status}"
    if status != 200:
        return None if code in expected else f"refused with {code}"
    types = {reply["type"] for reply in replies} - {
        "broadcastControl",
        "audioQualityWarning",
        "caption",
    }
    wanted = {cls.reply} if cls.reply else set()
    return None if types in (wanted, wanted | {"sessionStatus"}) else f"answered with {types}"


def check_strict(value: object) -> None:
    """Raise UnicodeError or ValueError for what strict readers of JSON refuse."""
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def alarming(lines) -> list[dict]:
    """Return the lines and metrics that say that something of ours failed; each can be read."""
    check_strict(lines)
    failed = [*lines.level("ERROR"), *lines.level("FATAL"), *lines.level("CRITICAL")]
    counted = [
        line for line in lines
        if str(line.get("ErrorCode")).startswith("INTERNAL") or {"DynamoDBErrors", "LambdaErrors"} & line.keys()
        or line.get("ErrorType") in ("failed", "forbidden")
    ]  # fmt: skip
    return failed + counted


@pytest.fixture
def senders(unhurried, system):
    return Senders(system)


def send_all(senders, cls, path: tuple, values: list[str]) -> list[tuple]:
    """Send a message with each value in one place; return the complaints."""
    complaints = []
    for value in values:
        wire = senders.message(cls)
        text = with_value(wire, path, value)
        action = action_of(text) if path == ("action",) else cls.action
        answers = senders.send(action, text, senders.sender(cls))
        cls_here = CLIENT_MESSAGES.get(action, cls)
        complaints.append((path, value[:60], complaint(cls_here, path, answers)))
    return [one for one in complaints if one[-1]]


PLACES = [
    pytest.param(action, path, schema, id=f"{action}-{'.'.join(path)}")
    for action, cls in CLIENT_MESSAGES.items()
    for path, schema in places(records.json_schema(cls))
    # They stand in every message, and are read in one place: once is enough.
    if path not in (("action",), ("requestId",)) or action in ("heartbeat", "sendAudio")
]


# Each field gets its own limits, and one in so many of the other values, of which the next field gets the next ones.
SHARES = 4


def share_of(action, path):
    place = [param.values[:2] for param in PLACES].index((action, path))
    return VALUES[place % SHARES :: SHARES]


def complaints_about(senders, action, path, values):
    """Return what was wrong with the answers, and what was written that says so."""
    complaints = send_all(senders, CLIENT_MESSAGES[action], path, values)
    return complaints + alarming(senders.system.lines())


@pytest.mark.slow
@pytest.mark.parametrize(("action", "path", "schema"), PLACES)
@pytest.mark.threat("ws-test-injection")
def test_no_value_of_a_field_is_a_failure_of_ours(senders, action, path, schema):
    values = share_of(action, path) + at_limits(schema)

    assert complaints_about(senders, action, path, values) == []


@pytest.mark.long
@pytest.mark.parametrize(("action", "path", "schema"), PLACES)
def test_none_of_all_values_is_a_failure_of_ours_in_any_field(senders, action, path, schema):
    assert complaints_about(senders, action, path, VALUES + at_limits(schema)) == []


def test_every_value_is_tried_in_many_fields():
    tried = Counter(value for param in PLACES for value in share_of(*param.values[:2]))

    assert {value: tried[value] for value in VALUES if tried[value] < 10} == {}


def test_every_field_of_every_message_is_walked():
    walked = {(param.values[0], param.values[1][0]) for param in PLACES}
    declared = {
        (action, wire)
        for action, cls in CLIENT_MESSAGES.items()
        for wire in records.json_schema(cls)["properties"]
        if wire not in ("action", "requestId")
    }

    assert declared <= walked
    assert ("speakerStateChange", ("state", "volume")) in {p.values[:2] for p in PLACES}


# --- what is stored of the smallest numbers


@pytest.mark.parametrize(
    ("level", "stored"),
    [("1e-130", 1e-130), ("9.999999999999999e-131", 0), ("1e-131", 0), ("5e-324", 0), ("-0.0", 0)],
)
def test_volume_is_stored_and_sent_as_it_is_or_as_zero(senders, level, stored):
    cls = CLIENT_MESSAGES["setVolume"]
    text = with_value(senders.message(cls), ("volumeLevel",), level)

    answers = senders.send("setVolume", text, senders.speaker)

    assert answers[1]["volumeLevel"] == stored
    assert senders.system.store.session(senders.session_id).state.volume == stored


@pytest.mark.parametrize("token", [".secret", "wsr_.secret", "none", ""])
def test_token_that_names_nobody_is_not_looked_up(senders, token):
    cls = CLIENT_MESSAGES["refreshConnection"]
    text = with_value(senders.message(cls), ("refreshToken",), json.dumps(token))
    senders.system.calls.made.clear()

    answers = senders.send("refreshConnection", text, "new")

    assert answers[1]["code"] == "AUTH_TOKEN_INVALID"
    looked = [call for call in senders.system.calls.made if call != ("update_item", "RateLimits")]
    assert looked == []  # it is only counted, as a guess


# --- texts that are no message

NO_MESSAGES = [
    *("", " ", "null", "0", "[]", '""', "{}", "{", "}", "\x00", "\ufeff{}", "\ud800", '{"action"}', "ping"),
    *('{"action":null}', '{"action":""}', '{"action":"$connect"}', '{"action":"$default"}', '{"action":"\\ud800"}'),
    *('{"action":["heartbeat"]}', '{"action":{"heartbeat":1}}', '{"action":"heartbeat","action":"sendAudio"}'),
    *('{"action":"heartbeat"}x', '{"action":"' + "x" * 5000 + '"}', '{"requestId":"\\ud800"}', '{"a":1e999999}'),
    *("[" * 100_000, '{"a":' * 20_000, "9" * 100_000, '{"a":' + "9" * 5000 + "}", "\U0001f600" * 30_000),
    *('{"action":"heartbeat","requestId":' + json.dumps("\ud800" * 20_000) + "}", "x" * 131_072, "x" * 131_073),
]  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.threat("parser-bomb")
def test_no_text_is_a_failure_of_ours(system, function):
    handler = system.app(function).handler
    events = [message_event(text, f"c-{number}") for number, text in enumerate(NO_MESSAGES)]
    encoded = [
        {**message_event(text, f"e-{text}"), "isBase64Encoded": True}
        for text in ("", "=", "/w==", "e30=")
    ]

    statuses = {handler(event, FakeContext())["statusCode"] for event in events + encoded}

    assert max(statuses) < 500
    assert alarming(system.lines()) == []


# --- what comes with a connection

ODD_TEXTS = [
    "",
    " ",
    "\x00",
    "\ud800",
    "é",
    "\u2028",
    "a" * 10_000,
    "\ud800" * 5000,
    "https://[",
    "null",
    ",",
]


@pytest.mark.parametrize(
    "name", ["Origin", "Sec-WebSocket-Protocol", "User-Agent", "X-Forwarded-For", "\ud800"]
)
@pytest.mark.threat("odd-headers")
def test_no_header_is_a_failure_of_ours(system, name):
    handler = system.app("connection").handler
    events = [connect_event(f"c-{i}", headers={name: text}) for i, text in enumerate(ODD_TEXTS)]

    statuses = {handler(event, FakeContext())["statusCode"] for event in events}

    assert max(statuses) < 500
    assert alarming(system.lines()) == []


def test_no_origin_is_a_failure_of_ours_where_some_are_allowed(system):
    system.set("connection", allowed_origins=frozenset({"https://example.org"}))

    statuses = {
        system.connect(f"c-{i}", Origin=text)["statusCode"] for i, text in enumerate(ODD_TEXTS)
    }

    assert statuses == {403}
    assert alarming(system.lines()) == []


def test_no_address_or_reason_of_a_close_is_a_failure_of_ours(system):
    create = '{"action":"createSession","sourceLanguage":"en"}'
    created = [
        message_event(create, f"c-{i}", routeKey="createSession", identity={"sourceIp": text})
        for i, text in enumerate(["2001:db8::1", "::ffff:192.0.2.9", "fe80::1%eth0", *ODD_TEXTS])
    ]
    closed = [disconnect_event(f"c-{i}", reason=text) for i, text in enumerate(ODD_TEXTS)]
    sessions, connections = (system.app(name).handler for name in ("session", "connection"))

    statuses = {sessions(event, FakeContext())["statusCode"] for event in created} | {
        connections(event, FakeContext())["statusCode"] for event in closed
    }

    assert statuses <= {200, 429}  # what is no address counts as one
    assert alarming(system.lines()) == []
