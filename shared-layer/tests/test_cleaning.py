"""The encoder, the clock's text, redaction and bounds, and the writer: any object in, safe text out."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime
import enum
import importlib.util
import io
import ipaddress
import json
import os
import subprocess
import sys
import threading
import types
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_utils import _cleaning, _json, _redaction, _stdout

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


def fresh_module(name):
    """Load the module a second time, so that what it does at import runs under the test's patches."""
    spec = importlib.util.spec_from_file_location(f"shared_utils.{name}", _wire.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def policy(monkeypatch):
    def set_policy(**settings):
        monkeypatch.setattr(_redaction, "policy", _redaction.Policy(**settings))

    return set_policy


# --- JSON


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"a": [1, 2.5, None, True]}, '{"a":[1,2.5,null,true]}', id="compact"),
        pytest.param("é\ud800\U0001f600", '"\\u00e9\\ud800\\ud83d\\ude00"', id="ascii"),
        pytest.param(Decimal("3"), "3", id="whole-decimal"),
        pytest.param(Decimal("3.10"), "3.1", id="decimal"),
        pytest.param(Decimal("1E+17"), "100000000000000000", id="decimal-exponent"),
        pytest.param(Decimal("1E18"), "1000000000000000000", id="largest-exact-decimal"),
        pytest.param(Decimal("-1E19"), "-1e+19", id="beyond-exact-decimal"),
        pytest.param({1: "a"}, '{"1":"a"}', id="number-key"),
    ],
)
def test_encode_writes_compact_ascii(value, expected):
    assert _json.encode(value) == expected


@pytest.mark.parametrize(
    ("value", "error"),
    [
        pytest.param(float("nan"), ValueError, id="nan"),
        pytest.param(float("-inf"), ValueError, id="infinity"),
        pytest.param(Decimal("NaN"), ValueError, id="decimal-nan"),
        pytest.param(Decimal("sNaN"), ValueError, id="signalling-nan"),
        pytest.param(Decimal("1E+999999"), ValueError, id="decimal-beyond-a-float"),
        pytest.param(10**5000, ValueError, id="int-of-thousands-of-digits"),
        pytest.param({1, 2}, TypeError, id="set"),
        pytest.param(b"x", TypeError, id="bytes"),
        pytest.param({(1, 2): 3}, TypeError, id="tuple-key"),
        pytest.param(CIRCULAR, RecursionError, id="circular"),
    ],
)
def test_encode_refuses_what_json_cannot_hold(value, error):
    with pytest.raises(error):
        _json.encode(value)


def test_encode_works_without_the_c_encoder(monkeypatch):
    monkeypatch.setattr("json.encoder.c_make_encoder", None)

    plain = fresh_module("_wire_without_c")

    assert plain.encode({"a": [1, Decimal("2.5"), "é"]}) == '{"a":[1,2.5,"\\u00e9"]}'


def test_json_text_does_not_follow_an_endless_list():
    """The C encoder asks a subclass's own `__iter__`, and would fill the memory."""
    assert _cleaning.json_text({"a": EndlessList([1, 2])}) == '{"a":[1,2]}'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"password": "kept, this is no log"}, '{"password":"kept, this is no log"}',
                     id="plain"),
        pytest.param({"password": {1}}, '{"password":[1]}', id="cleaned-but-not-redacted"),
        pytest.param(CIRCULAR, '[[[[[[["<1 items>"]]]]]]]', id="circular"),
        pytest.param(Unreadable(), '"<unreadable Unreadable>"', id="unreadable"),
        pytest.param(float("nan"), '"nan"', id="nan"),
    ],
)  # fmt: skip
def test_json_text_takes_anything(value, expected):
    assert _cleaning.json_text(value) == expected


# --- time


@pytest.mark.parametrize(
    ("ns", "expected"),
    [
        pytest.param(0, "1970-01-01T00:00:00.000Z", id="epoch"),
        pytest.param(1767225600123456789, "2026-01-01T00:00:00.123Z", id="cut-not-rounded"),
        pytest.param(1767225600999999999, "2026-01-01T00:00:00.999Z", id="end-of-a-second"),
        pytest.param(1767225601000000000, "2026-01-01T00:00:01.000Z", id="next-second"),
        pytest.param(1767225600000000000, "2026-01-01T00:00:00.000Z", id="back-in-time"),
        pytest.param(1709164799001000000, "2024-02-28T23:59:59.001Z", id="before-leap-day"),
        pytest.param(1709164800000000000, "2024-02-29T00:00:00.000Z", id="leap-day"),
    ],
)
def test_timestamp_is_rfc_3339_with_milliseconds(ns, expected):
    assert _json.timestamp(ns) == expected
    assert _json.timestamp(ns) == expected  # also from the remembered second


@given(st.integers(0, 4_102_444_800_000))
def test_timestamp_agrees_with_datetime(ms):
    moment = datetime.datetime.fromtimestamp(ms // 1000, datetime.UTC)

    assert _json.timestamp(ms * 1_000_000) == f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


# --- tokens by their shape


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(f"got {JWT}, refused", "got [REDACTED], refused", id="jwt"),
        pytest.param("eyJhbGciOi..abc.def.ghi!", "[REDACTED]!", id="jwe"),
        pytest.param("Authorization: Bearer abc.def-ghi=", "Authorization: Bearer[REDACTED]", id="bearer"),
        pytest.param("bearer\tabcdefghi", "bearer[REDACTED]", id="lower-case-and-tab"),
        pytest.param("BEARER  abcdefghi", "BEARER[REDACTED]", id="upper-case"),
        pytest.param("?a=Bearer%20abcdefghi&b=1", "?a=Bearer[REDACTED]&b=1", id="in-a-url"),
        pytest.param(r"Bearer \tabcdefghi", "Bearer[REDACTED]", id="escaped-in-json"),
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
    "password ", "'password'", "password:",
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
    assert not _wire.all_open((name,))


@pytest.mark.parametrize("name", [
    "tokenCount", "tokenizer", "keyboard", "bodyLength", "message", "user", "secretary", "audioFormat",
    "passwordless", "ip",
])  # fmt: skip
def test_a_text_under_this_name_is_seen(name):
    assert _cleaning.clean({name: "v"}) == {name: "v"}
    assert _wire.all_open((name,))


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
        pytest.param({b"password": "p"}, {"b'password'": "[REDACTED]"}, id="bytes-key"),
        pytest.param({HostileText("password"): "p"}, {"password": "[REDACTED]"}, id="text-subclass-key"),
    ],
)  # fmt: skip
def test_names_are_redacted_at_any_depth_and_in_any_container(value, expected):
    assert _cleaning.clean(value) == expected


def test_a_long_name_is_judged_whole_and_shown_cut():
    name = "x y" * 50 + "password"

    cleaned = _cleaning.clean({name: "hunter2", "application_database_password": "hunter2"}, chars=20)

    assert cleaned == {"x yx y...[158 chars]": "[REDACTED]", "applica...[29 chars]": "[REDACTED]"}


def test_a_token_in_a_name_is_hidden():
    assert _cleaning.clean({f"user {JWT}": 1}) == {"user [REDACTED]": 1}


@pytest.mark.parametrize(
    ("settings", "fields", "expected"),
    [
        pytest.param({"redact": ["pin"]}, {"PIN": "1", "pin_code": "2", "a": {"p-i_n": "3"}},
                     {"PIN": "*", "pin_code": "2", "a": {"p-i_n": "*"}}, id="name"),
        pytest.param({"redact": ["pin*", "*Number"]}, {"pinCode": 1, "card_number": 2, "x": 3},
                     {"pinCode": "*", "card_number": "*", "x": 3}, id="wildcards"),
        pytest.param({"redact": ["items.*.pin"]},
                     {"items": [{"pin": 1, "x": 2}], "pin": 3, "other": {"a": {"pin": 4}}},
                     {"items": [{"pin": "*", "x": 2}], "pin": 3, "other": {"a": {"pin": 4}}}, id="path"),
        pytest.param({"redact": ["user.home-address"]}, {"user": {"homeAddress": "x", "name": "n"}},
                     {"user": {"homeAddress": "*", "name": "n"}}, id="path-in-another-spelling"),
        pytest.param({"redact": ["u*.*e"]}, {"user": {"name": 1, "id": 2}},
                     {"user": {"name": "*", "id": 2}}, id="wildcards-in-a-path"),
        pytest.param({"redact": ["a.b"]}, {"a": {"b": None}}, {"a": {"b": None}}, id="none-stays"),
        pytest.param({"redact": ["a+b"]}, {"a+b": 1, "aab": 2}, {"a+b": "*", "aab": 2}, id="no-regex"),
        pytest.param({"allow": ["BODY"]}, {"body": "seen", "audio": "unseen"},
                     {"body": "seen", "audio": "*"}, id="allow"),
        pytest.param({"allow": ["pin"], "redact": ["p*"]}, {"pin": 1, "pan": 2},
                     {"pin": 1, "pan": "*"}, id="allow-wins"),
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
    policy(redact=["items.*.pin"])

    assert not _wire.all_open(("items",))
    assert _wire.all_open(("pin",))


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

    assert cleaned == {"ip": "IPv4Address('10.1.2.0')"}


def test_an_address_is_seen_by_default():
    assert _cleaning.clean({"ip_address": "203.0.113.77"}) == {"ip_address": "203.0.113.77"}


def test_names_made_from_data_do_not_fill_the_memory():
    policy = _redaction.Policy()

    kinds = {policy.kind(f"field{n}") for n in range(3000)}

    assert kinds == {""}
    assert len(policy._known) < 1100
    assert policy.kind("n" * 5000 + "password") == "secret"
    assert max(map(len, policy._known)) < 20


# --- bounds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("x y" * 341 + "z", "x y" * 341 + "z", id="1024-characters"),
        pytest.param("x y" * 341 + "zz", ("x y" * 341)[:1009] + "...[1025 chars]", id="1025-characters"),
        pytest.param("QUJD" * 24, "QUJD" * 24, id="96-of-base64"),
        pytest.param("QUJD" * 24 + "Q", "<base64 97 chars sha256:7932f76b7edc>", id="97-of-base64"),
        pytest.param(f"got {BASE64}== here", "got <base64 402 chars sha256:605fc6bf201b> here", id="base64-inside"),
        pytest.param(b"abc", "<bytes 3 bytes sha256:ba7816bf8f01>", id="bytes"),
        pytest.param(bytearray(b"abc"), "<bytearray 3 bytes sha256:ba7816bf8f01>", id="bytearray"),
        pytest.param(memoryview(b"abc"), "<memoryview 3 bytes sha256:ba7816bf8f01>", id="memoryview"),
        pytest.param(10**1000, 10**1000, id="int-that-python-prints"),
        pytest.param(10**5000, "<int of 16610 bits>", id="int-that-python-does-not-print"),
        pytest.param(-(2**3400), "<int of 3401 bits>", id="negative-int"),
        pytest.param(float("inf"), "inf", id="infinity"),
        pytest.param(Decimal("-Infinity"), "-Infinity", id="decimal-infinity"),
        pytest.param(Decimal("NaN"), "NaN", id="decimal-nan"),
        pytest.param(Decimal("sNaN"), "sNaN", id="signalling-nan"),
        pytest.param(Decimal("1E+400"), "1E+400", id="decimal-beyond-a-float"),
        pytest.param(Decimal("9" * 20000), "<base64 20000 chars sha256:fda478ea25a4>", id="decimal-of-many-digits"),
        pytest.param(Decimal("9" * 20000 + "E-19999"), 10.0, id="decimal-of-many-places"),
        pytest.param(LongNan("nan"), "x yx yx yx yx yx yx yx y...[30000 chars]", id="nan-that-says-much"),
        pytest.param(True, True, id="bool"),
        pytest.param(HostileInt(5), 5, id="int-subclass"),
        pytest.param(HostileText("x"), "x", id="text-subclass"),
        pytest.param(datetime.datetime(2026, 1, 1), "2026-01-01T00:00:00", id="datetime"),
        pytest.param(datetime.date(2026, 1, 1), "2026-01-01", id="date"),
        pytest.param(ValueError("bad"), "bad", id="exception"),
        pytest.param(Colour.RED, "red", id="enum"),
        pytest.param({3}, [3], id="set"),
        pytest.param((1, [2]), [1, [2]], id="tuple"),
        pytest.param(frozenset(), [], id="frozenset"),
        pytest.param({(1, 2): 3, None: 4}, {"(1, 2)": 3, "None": 4}, id="keys-of-any-type"),
        pytest.param(range(3), "range(0, 3)", id="any-object"),
        pytest.param(int, "<class 'int'>", id="class"),
        pytest.param(Unreadable(), "<unreadable Unreadable>", id="unreadable"),
        pytest.param([Unreadable(), 1], ["<unreadable Unreadable>", 1], id="unreadable-inside"),
        pytest.param(LyingClass(), "<unreadable LyingClass>", id="lying-class"),
        pytest.param(Anonymous(), "<unreadable Anonymous>", id="nameless-class"),
        pytest.param(type("N" * 500, (Unreadable,), {})(), "<unreadable " + "N" * 64 + ">", id="long-class-name"),
    ],
)  # fmt: skip
def test_clean_keeps_what_it_can(value, expected):
    cleaned = _cleaning.clean(value)

    assert cleaned == expected
    assert type(cleaned) is type(expected)


def test_depth_ends_at_six():
    deep = {"1": {"2": {"3": {"4": {"5": {"6": {"7": {"8": 1}}}}}}}}

    assert _cleaning.clean(deep) == {"1": {"2": {"3": {"4": {"5": {"6": {"7": "<1 fields>"}}}}}}}
    assert _cleaning.clean([[[[[[[[1, 2]]]]]]]]) == [[[[[[["<2 items>"]]]]]]]


def test_a_value_under_a_name_is_one_level_deeper():
    assert _cleaning.clean({"2": {"3": {"4": {"5": {"6": {"7": {}}}}}}}, "1") == {
        "2": {"3": {"4": {"5": {"6": {"7": "<0 fields>"}}}}}}  # fmt: skip


def test_a_huge_container_is_looked_at_in_part():
    """A thousand values, the container itself included; the rest is counted."""
    assert _cleaning.clean(list(range(5000))) == [*range(999), "... 4001 more"]
    assert _cleaning.clean({n: n for n in range(5000)}) == {
        **{str(n): n for n in range(999)}, "...": "4001 more"}  # fmt: skip
    assert _cleaning.clean([[0] * 600, [0] * 600], nodes=5)[0] == [0, 0, 0, "... 597 more"]


def test_a_container_without_end_is_looked_at_in_part():
    assert _cleaning.clean(EndlessList([1, 2, 3]), nodes=4) == [1, 1, 1, "... 0 more"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("x", "x", id="text"),
        pytest.param(None, "null", id="none"),
        pytest.param({"password": "p", "n": 1}, '{"password":"[REDACTED]","n":1}', id="dict"),
        pytest.param(["x y" * 100], '["x yx yx yx yx yx yx yx yx...[44 chars]', id="bounded"),
        pytest.param(Unreadable(), "<unreadable Unreadable>", id="unreadable"),
        pytest.param(f"by {JWT}", "by [REDACTED]", id="token"),
    ],
)
def test_text_is_bounded_and_without_tokens(value, expected):
    assert _cleaning.text(value, 40) == expected
    assert len(_cleaning.text(value, 40)) <= 40


def test_shorten_never_gives_more_than_asked():
    assert _cleaning.shorten("x y" * 100, 5) == "...[300 chars]"
    assert _cleaning.shorten(BASE64, rules=_redaction.Policy(on=False)) == BASE64


# --- what may be written without a look


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"), (-(10**30), "-1" + "0" * 30), (1.5, "1.5"), (1e300, "1e+300"), (True, "true"), (False, "false"),
        (None, "null"), (Decimal("2.50"), "2.5"), (Decimal(3), "3"), ('a"\u00e9', '"a\\"\\u00e9"'),
    ],
)  # fmt: skip
def test_a_value_of_a_plain_type_has_its_text(value, text):
    assert _wire.TEXT_OF[type(value)](value) == text


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        float("-inf"),
        Decimal("NaN"),
        pytest.param(10**5000, id="digits"),
    ],
)
def test_what_is_no_json_number_has_no_text(value):
    with pytest.raises(ValueError, match=r"NaN|JSON|limit"):
        _wire.TEXT_OF[type(value)](value)


@pytest.mark.parametrize("kind", [HostileText, HostileInt, list, tuple, dict, bytes])
def test_a_value_of_another_type_has_no_text(kind):
    assert kind not in _wire.TEXT_OF


def test_all_open_wants_short_names_of_its_own():
    assert _wire.all_open(("a", "n" * 96))
    assert not _wire.all_open(("a", "n" * 97))
    assert not _wire.all_open((JWT,))
    assert not _wire.all_open((HostileText("a"),))


# --- any object

HOSTILE = [
    Unreadable(), Unreadable, LyingClass(), Anonymous(), Anonymous, CIRCULAR, EndlessList([1]),
    LongNan("nan"), Colour.NESTED,
]  # fmt: skip
hostile = st.integers(0, len(HOSTILE) - 1).map(lambda n: HOSTILE[n])  # unseen by hypothesis
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(), st.binary(),
    st.datetimes(), st.complex_numbers(), st.text().map(HostileText), st.integers().map(HostileInt),
    hostile,
)  # fmt: skip
objects = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(st.one_of(st.text(), st.integers(), st.binary(), st.none()), inner),
        st.tuples(inner, inner),
        st.builds(Person, inner, inner),
        st.builds(Pair, inner, inner),
    ),
    max_leaves=20,
)


def refuse(constant):
    raise AssertionError(constant)


@given(objects)
def test_clean_gives_json_for_any_object(value):
    json.loads(_json.encode(_cleaning.clean(value)), parse_constant=refuse)
    json.loads(_cleaning.json_text(value), parse_constant=refuse)
    assert len(_cleaning.text(value)) <= 1024


@given(
    st.sampled_from(SECRET_NAMES + SPOKEN_NAMES),
    st.recursive(st.just("hunter2"), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=8),
)  # fmt: skip
def test_a_secret_under_its_name_is_nowhere(name, secret, path):
    value = {name: secret}
    for step in path:
        value = {step: [value]}

    assert "hunter2" not in _json.encode(_cleaning.clean(value))
    assert "hunter2" not in _cleaning.text(value)


# --- the writer


class Unbuffered:
    """Stands where the Lambda runtime's wrapper of this name stands, around a pipe."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)


@contextlib.contextmanager
def runtimes_stdout():
    """Make stdout what it is under the runtime, on a pipe, and give the pipe's reading end."""
    reading, writing = os.pipe()
    with (
        os.fdopen(reading, "rb") as source,
        os.fdopen(writing, "w") as stream,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "__stdout__", stream)
        patch.setattr(sys, "stdout", Unbuffered(stream))
        yield source


class ShortWrites:
    """`os.write` that takes at most `step` bytes a call and remembers what it was given."""

    def __init__(self, step):
        self.step = step
        self.given = []
        self._write = os.write

    def __call__(self, descriptor, data):
        self.given.append(bytes(data))
        return self._write(descriptor, data[: self.step])


def test_a_line_goes_to_the_stream_that_is_stdout_now():
    first, second = io.StringIO(), io.StringIO()

    with contextlib.redirect_stdout(first):
        _stdout.write("1\n")
    with contextlib.redirect_stdout(second):
        _stdout.write("2\n")

    assert (first.getvalue(), second.getvalue()) == ("1\n", "2\n")


def test_a_line_goes_past_the_runtimes_wrapper_in_one_write(monkeypatch):
    with runtimes_stdout() as pipe:
        write = ShortWrites(1 << 20)
        monkeypatch.setattr(os, "write", write)

        _stdout.write("1\n")
        _stdout.write("2\n")

        assert write.given == [b"1\n", b"2\n"]
        assert (pipe.readline(), pipe.readline()) == (b"1\n", b"2\n")


def test_a_wrapper_of_another_stream_is_written_to_as_it_is(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", Unbuffered(stream))

    _stdout.write("1\n")

    assert stream.getvalue() == "1\n"


def test_a_short_write_is_finished(monkeypatch):
    with runtimes_stdout() as pipe:
        write = ShortWrites(3)
        monkeypatch.setattr(os, "write", write)

        _stdout.write("12345678\n")

        assert write.given == [b"12345678\n", b"45678\n", b"78\n"]
        assert pipe.readline() == b"12345678\n"


def test_a_full_pipe_is_waited_for(monkeypatch):
    """The reader makes room only when the writer has found none."""
    with runtimes_stdout() as pipe:
        descriptor = sys.stdout.fileno()
        os.set_blocking(descriptor, False)
        filled = os.write(descriptor, b"." * (1 << 20))
        read = []
        monkeypatch.setattr(
            "select.select", lambda *asked: read.append(pipe.read(filled)) or ([], asked[1], [])
        )

        _stdout.write("late\n")

        assert read == [b"." * filled]
        assert pipe.readline() == b"late\n"


def test_a_pipe_that_stays_full_costs_the_line_and_not_the_request(monkeypatch):
    with runtimes_stdout() as pipe:
        descriptor = sys.stdout.fileno()
        os.set_blocking(descriptor, False)
        filled = os.write(descriptor, b"." * (1 << 20))
        monkeypatch.setattr(_stdout, "_FULL_PIPE_SECONDS", 0)

        _stdout.write("lost\n")
        pipe.read(filled)
        _stdout.write("next\n")

        assert pipe.readline() == b"next\n"


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [
    pytest.param(closed(), id="closed"),
    pytest.param(None, id="gone"),
    pytest.param(object(), id="no-stream"),
])  # fmt: skip
def test_a_stdout_that_cannot_be_written_breaks_nothing(monkeypatch, stream):
    monkeypatch.setattr(sys, "stdout", stream)

    assert _stdout.write("lost\n") is None


def test_a_closed_descriptor_breaks_nothing():
    with runtimes_stdout() as pipe:
        _stdout.write("1\n")
        spare = os.dup(sys.stdout.fileno())
        os.close(sys.stdout.fileno())

        _stdout.write("lost\n")
        os.dup2(spare, sys.stdout.fileno())
        os.close(spare)
        _stdout.write("2\n")

        assert (pipe.readline(), pipe.readline()) == (b"1\n", b"2\n")


class Logging(io.StringIO):
    """A stream that writes lines of its own, as tees and finalizers do."""

    def write(self, text):
        self.write = super().write
        _stdout.write("inner\n")
        return super().write(text)


def test_a_stream_may_write_lines_of_its_own(monkeypatch):
    stream = Logging()
    monkeypatch.setattr(sys, "stdout", stream)
    thread = threading.Thread(target=_stdout.write, args=("outer\n",), daemon=True)

    thread.start()
    thread.join(10)

    assert stream.getvalue() == "inner\nouter\n"


def test_a_forked_child_gets_a_lock_of_its_own(monkeypatch):
    """Another thread may have held the lock at the fork: nobody would release it in the child."""
    after_fork = {}
    monkeypatch.setattr(os, "register_at_fork", after_fork.update)
    forked = fresh_module("_wire_forked")
    holder = threading.Thread(target=forked._lock.acquire)
    holder.start()
    holder.join()
    after_fork["after_in_child"]()

    with contextlib.redirect_stdout(io.StringIO()) as out:
        writer = threading.Thread(target=forked.write, args=("1\n",), daemon=True)
        writer.start()
        writer.join(10)

    assert out.getvalue() == "1\n"


FORK = """
import os, sys, threading
from shared_utils import _cleaning, _json, _redaction, _stdout
held, done = threading.Event(), threading.Event()
def hold():
    with _stdout._lock:
        held.set()
        done.wait()
holder = threading.Thread(target=hold)
holder.start()
held.wait()
child = os.fork()
if child == 0:
    _stdout.write("child\\n")
    os._exit(0)
os.waitpid(child, 0)
done.set()
holder.join()
_stdout.write("parent\\n")
"""


def test_a_fork_while_another_thread_writes_stops_nothing():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        env={"PYTHONPATH": str(Path(_wire.__file__).parents[1])},
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip

    assert done.stdout == "child\nparent\n"
