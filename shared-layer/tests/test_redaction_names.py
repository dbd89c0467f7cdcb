"""The encoder, the clock's text, redaction and bounds, and the writer: any object in, safe text out."""

from __future__ import annotations

import collections
import dataclasses
import enum
import ipaddress
import json
import types
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_utils import _cleaning, _redaction

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
BASE64 = "QUJD" * 100
CIRCULAR: list[object] = []
CIRCULAR.append(CIRCULAR)


class Unreadable:
    def __repr__(self):
        raise RuntimeError("no")


class LyingClass:
    __class__ = property(lambda self: 1 / 0)


class Colour(enum.Enum):
    RED = "red"
    NESTED = {"password": "hunter2"}


class Nameless(type):
    @property
    def __name__(cls):
        raise RuntimeError("no")


class Anonymous(Unreadable, metaclass=Nameless):
    pass


class HostileText(str):
    def __str__(self):
        raise RuntimeError("no")

    __len__ = __repr__ = __str__


class HostileInt(int):
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __int__ = __str__


class LongNan(float):
    def __str__(self):
        return "x y" * 10_000


class EndlessList(list):
    def __iter__(self):
        while True:
            yield 1


@dataclasses.dataclass
class Person:
    name: str
    password: str
    shy: str = dataclasses.field(default="unseen", repr=False)


Pair = collections.namedtuple("Pair", "user password")


@pytest.fixture
def policy(monkeypatch):
    def set_policy(**settings):
        monkeypatch.setattr(_redaction, "policy", _redaction.Policy(**settings))

    return set_policy


# --- tokens by their shape


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(f"got {JWT}, refused", "got [REDACTED], refused", id="jwt"),
        pytest.param("eyJhbGciOi..abc.def.ghi!", "[REDACTED]!", id="jwe"),
        pytest.param("Authorization: Bearer abc.def-ghi=", "Authorization: [REDACTED]", id="bearer"),
        pytest.param("bearer\tabcdefghi", "bearer\t[REDACTED]", id="lower-case-and-tab"),
        pytest.param("BEARER  abcdefghi", "BEARER  [REDACTED]", id="upper-case"),
        pytest.param("?a=Bearer%20abcdefghi&b=1", "?a=Bearer%20[REDACTED]&b=1", id="in-a-url"),
        pytest.param(r"Bearer \tabcdefghi", r"Bearer \t[REDACTED]", id="escaped-in-json"),
        pytest.param("key AKIAABCDEFGHIJKLMNOP.", "key [REDACTED].", id="access-key"),
        pytest.param("key ASIAABCDEFGHIJKLMNOP.", "key [REDACTED].", id="temporary-access-key"),
        pytest.param("AKIAABCDEFGHIJKLMNO", "AKIAABCDEFGHIJKLMNO", id="too-short-for-an-access-key"),
        pytest.param("eyJhbGciOi", "eyJhbGciOi", id="no-dot-no-jwt"),
        pytest.param("the bearer", "the bearer", id="bearer-of-nothing"),
        pytest.param("an ordinary sentence.", "an ordinary sentence.", id="nothing-to-hide"),
        pytest.param(r"\u000eyJabcdefgh.ijk", r"\u000eyJabcdefgh.ijk", id="an-escape-stays-whole"),
    ],
)  # fmt: skip
def test_tokens_are_recognised_by_their_shape(line, expected):
    assert _redaction.scrub(line) == expected


@given(st.text())
def test_scrubbed_json_is_still_json(text):
    line = json.dumps([text, f"{text} Bearer {text}", f"{text}yJabcdefgh.x"])

    assert len(json.loads(_redaction.scrub(line))) == 3


# --- redaction by name

SECRET_NAMES = [
    "token", "refreshToken", "refresh_token", "REFRESH-TOKEN", "X-Amz-Security-Token", "secret",
    "clientSecret", "password", "Passwd", "passphrase", "Authorization", "proxy-authorization",
    "cookie", "Set-Cookie", "cookies", "apiKey", "x-api-key", "aws_access_key", "secretKey",
    "private_key", "credential", "credentials", "jwt", "id_jwt", "passwords", "secrets",
    "password ", "'password'", "password:", "_secret_value", "tokenValue", "password2", "password[]",
    "db_password_old", "PASS_WORD", "userPIN", "pin-code", "P_I_N", "X-Amz-Credential",
]  # fmt: skip
SPOKEN_NAMES = [
    "audio", "audioData", "audio_data", "audioChunk", "audio_chunks", "audioBase64",
    "pcm", "pcmData", "samples", "body", "rawBody", "transcript", "transcripts", "transcriptText",
    "transcription", "transcription_text", "sourceText", "translated_text", "tokens",
    "Sec-WebSocket-Protocol",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES + SPOKEN_NAMES)
def test_a_text_under_this_name_is_never_seen(name):
    assert _cleaning.clean({name: "hunter2"}) == {name: "[REDACTED]"}
    assert _cleaning.clean("hunter2", name) == "[REDACTED]"
    assert _redaction.policy.needs(name)


@pytest.mark.parametrize("name", [
    "tokenCount", "tokenizer", "keyboard", "bodyLength", "message", "user", "secretary", "audioFormat",
    "passwordless", "ip", "pinned", "userPins2Go", "oldValue2", "previous", "2",  "_", "",
])  # fmt: skip
def test_a_text_under_this_name_is_seen(name):
    assert _cleaning.clean({name: "v"}) == {name: "v"}
    assert not _redaction.policy.needs(name)


def test_a_number_is_hidden_as_a_secret_but_not_as_the_size_of_audio():
    cleaned = _cleaning.clean({"password": 1234, "samples": 1234, "body": 1.5, "audio": Decimal(3)})

    assert cleaned == {"password": "[REDACTED]", "samples": 1234, "body": 1.5, "audio": 3}


def test_none_and_booleans_show_nothing():
    cleaned = _cleaning.clean({"password": None, "token": True, "body": False, "cookie": 0})

    assert cleaned == {"password": None, "token": True, "body": False, "cookie": "[REDACTED]"}


def test_a_container_under_a_secret_name_is_hidden_whole():
    assert _cleaning.clean({"credentials": {"user": "u"}, "audio": [1, 2]}) == {
        "credentials": "[REDACTED]", "audio": "[REDACTED]"}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"a": {"b": [{"password": "p"}]}}, {"a": {"b": [{"password": "[REDACTED]"}]}}, id="dict"),
        pytest.param(types.MappingProxyType({"password": "p"}), {"password": "[REDACTED]"}, id="proxy"),
        pytest.param(collections.UserDict(password="p"), {"password": "[REDACTED]"}, id="mapping"),
        pytest.param(collections.ChainMap({"token": "p"}), {"token": "[REDACTED]"}, id="chain"),
        pytest.param(Person("n", "p"), {"name": "n", "password": "[REDACTED]"}, id="dataclass"),
        pytest.param(Pair("u", "p"), {"user": "u", "password": "[REDACTED]"}, id="named-tuple"),
        pytest.param(Colour.NESTED, {"password": "[REDACTED]"}, id="enum"),
        pytest.param({b"password": "p"}, {"password": "[REDACTED]"}, id="bytes-key"),
        pytest.param({HostileText("password"): "p"}, {"password": "[REDACTED]"}, id="text-subclass-key"),
    ],
)  # fmt: skip
def test_names_are_redacted_at_any_depth_and_in_any_container(value, expected):
    assert _cleaning.clean(value) == expected


def test_a_long_name_is_judged_whole_and_shown_cut():
    name = "x y" * 50 + "password"

    fields = {name: "hunter2", "application_database_password": "hunter2"}
    cleaned = _cleaning.clean(fields, look=_cleaning.Look(20))

    assert cleaned == {"x yx y...[158 chars]": "[REDACTED]", "applica...[29 chars]": "[REDACTED]"}


def test_a_token_in_a_name_is_hidden():
    assert _cleaning.clean({f"user {JWT}": 1}) == {"user [REDACTED]": 1}


@pytest.mark.parametrize(
    ("settings", "fields", "expected"),
    [
        pytest.param({"redact": ["nick"]}, {"NICK": "1", "nick_code": "2", "a": {"n-i_ck": "3"}},
                     {"NICK": "*", "nick_code": "2", "a": {"n-i_ck": "*"}}, id="name"),
        pytest.param({"redact": ["nick*", "*Number"]}, {"nickCode": 1, "part_number": 2, "x": 3},
                     {"nickCode": "*", "part_number": "*", "x": 3}, id="wildcards"),
        pytest.param({"redact": ["items.*.nick"]},
                     {"items": [{"nick": 1, "x": 2}], "nick": 3, "other": {"a": {"nick": 4}}},
                     {"items": [{"nick": "*", "x": 2}], "nick": 3, "other": {"a": {"nick": 4}}}, id="path"),
        pytest.param({"redact": ["user.home-address"]}, {"user": {"homeAddress": "x", "name": "n"}},
                     {"user": {"homeAddress": "*", "name": "n"}}, id="path-in-another-spelling"),
        pytest.param({"redact": ["u*.*e"]}, {"user": {"name": 1, "id": 2}},
                     {"user": {"name": "*", "id": 2}}, id="wildcards-in-a-path"),
        pytest.param({"redact": ["a.b"]}, {"a": {"b": None}}, {"a": {"b": None}}, id="none-stays"),
        pytest.param({"redact": ["a+b"]}, {"a+b": 1, "aab": 2}, {"a+b": "*", "aab": 2}, id="no-regex"),
        pytest.param({"allow": ["BODY"]}, {"body": "seen", "audio": "unseen"},
                     {"body": "seen", "audio": "*"}, id="allow"),
        pytest.param({"allow": ["nick"], "redact": ["n*"]}, {"nick": 1, "note": 2},
                     {"nick": 1, "note": "*"}, id="allow-wins"),
        pytest.param({"remove": True}, {"password": "p", "a": [{"token": "t", "x": 1}], "jwt": None},
                     {"a": [{"x": 1}], "jwt": None}, id="remove"),
        pytest.param({"on": False}, {"password": "p", "jwt": JWT, "b": BASE64},
                     {"password": "p", "jwt": JWT, "b": BASE64}, id="off"),
    ],
)  # fmt: skip
def test_policy_decides_what_is_hidden(policy, settings, fields, expected):
    policy(censor="*", **settings)

    assert _cleaning.clean(fields) == expected


def test_a_path_from_a_field_makes_the_field_worth_a_look(policy):
    policy(redact=["items.*.nick"])

    assert _redaction.policy.needs("items")
    assert not _redaction.policy.needs("nick")


@pytest.mark.parametrize(
    ("censor", "expected"),
    [
        pytest.param("***", "***", id="text"),
        pytest.param(lambda value, path: f"{path} {len(value)}", "a.*.password 7", id="callable"),
        pytest.param(lambda value, path: {"n": 1}, '{"n":1}', id="any-object-becomes-text"),
        pytest.param(lambda value, path: JWT, "[REDACTED]", id="its-tokens-are-hidden"),
        pytest.param(lambda value, path: 1 / 0, "[REDACTED]", id="raising"),
    ],
)
def test_censor_stands_in_a_hidden_values_place(policy, censor, expected):
    policy(censor=censor)

    assert _cleaning.clean({"a": [{"password": "hunter2"}]}) == {"a": [{"password": expected}]}


def test_remove_cannot_take_off_a_value_alone(policy):
    policy(remove=True)

    assert _cleaning.clean("hunter2", "password") == "[REDACTED]"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("203.0.113.77", "203.0.113.0", id="v4"),
        pytest.param("203.0.113.77:443", "203.0.113.0:443", id="v4-with-port"),
        pytest.param("203.0.113.77, 10.1.2.3", "203.0.113.0, 10.1.2.0", id="list"),
        pytest.param("2001:db8:1:2:3:4:5:6", "2001:db8:1::", id="v6"),
        pytest.param("2001:db8:1:2::5", "2001:db8:1::", id="v6-compressed"),
        pytest.param("fe80::1", "fe80::", id="v6-short"),
        pytest.param("::1", "::", id="v6-loopback"),
        pytest.param("::ffff:203.0.113.77", "::", id="v4-in-v6"),
        pytest.param("unknown", "[REDACTED]", id="no-address"),
        pytest.param("", "[REDACTED]", id="empty"),
    ],
)
def test_an_address_loses_its_host_part(policy, address, expected):
    policy(mask_ip=True)

    assert _cleaning.clean({"ip_address": address}) == {"ip_address": expected}
    assert _cleaning.clean({"sourceIp": address, "ip": None}) == {"sourceIp": expected, "ip": None}


def test_an_address_object_loses_its_host_part(policy):
    policy(mask_ip=True)

    cleaned = _cleaning.clean({"ip": ipaddress.ip_address("10.1.2.3")})

    assert cleaned == {"ip": "10.1.2.0"}


def test_an_address_is_seen_by_default():
    assert _cleaning.clean({"ip_address": "203.0.113.77"}) == {"ip_address": "203.0.113.77"}


def test_names_made_from_data_do_not_fill_the_memory():
    policy = _redaction.Policy()

    kinds = {policy.kind(f"field{n}") for n in range(3000)}

    assert kinds == {""}
    assert len(policy._known) < 1100
    assert policy.kind("n" * 5000 + "password") == "secret"
    assert max(map(len, policy._known)) < 20
