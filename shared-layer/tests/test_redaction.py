"""Secrets in texts and beside their names: what is hidden of them, what stays, and at what cost."""

from __future__ import annotations

import collections
import dataclasses
import enum
import ipaddress
import json
import re
import subprocess
import sys
import time
import types
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planted_secrets import CARRIERS, ORDINARY, PLANTED, SECRET_NAMES, SHAPES, TOKENS, spellings
from shared_utils import _cleaning, _redaction, _secret_texts
from shared_utils._redaction import scrub, secret_members, secret_positions, suspect

PACKAGE = Path(_redaction.__file__).parent
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
BASE64 = "QUJD" * 100


class Colour(enum.Enum):
    RED = "red"
    NESTED = {"password": "hunter2"}


class HostileText(str):
    def __str__(self):
        raise RuntimeError("no")

    __len__ = __repr__ = __str__


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
    assert scrub(line) == expected


@given(st.text())
def test_scrubbed_json_is_still_json(text):
    line = json.dumps([text, f"{text} Bearer {text}", f"{text}yJabcdefgh.x"])

    assert len(json.loads(scrub(line))) == 3


# --- redaction by name

HIDDEN_NAMES = [
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


@pytest.mark.parametrize("name", HIDDEN_NAMES + SPOKEN_NAMES)
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


def test_remove_takes_off_what_would_be_hidden(policy):
    policy(remove=True)

    removed = [
        _redaction.policy.removes(name, value)
        for name, value in (("password", "hunter2"), ("password", None), ("user", "ann"))
    ]

    assert removed == [True, False, False]


def test_with_redaction_off_no_text_is_looked_through(policy):
    policy(on=False)
    before = {*_redaction.harmless}

    assert _redaction.hold_no_secret(["password=hunter2"])
    assert _redaction.harmless == before


def test_a_name_of_digits_is_hidden_in_a_text(policy):
    policy(redact=["404"])

    assert scrub("404=hunter2, = x") == "404=[REDACTED], = x"
    assert not suspect("' = x")


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
@pytest.mark.threat("log-no-people")
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


# --- texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a password=x.", "a password=[REDACTED].", id="end-of-a-sentence"),
        pytest.param("(password=x)", "(password=[REDACTED])", id="in-brackets"),
        pytest.param("password=x)y", "password=[REDACTED]", id="bracket-inside"),
        pytest.param("password='a' + 'b'", "password='[REDACTED]' + 'b'", id="quotes-end-it"),
        pytest.param('password="a\\"b", c', 'password="[REDACTED]", c', id="escaped-quote"),
        pytest.param('password="a\\\\", c', 'password="[REDACTED]", c', id="escaped-backslash"),
        pytest.param("password='a", "password='[REDACTED]", id="cut"),
        pytest.param("password=['a', {'b': ']'}], c=1", "password=[REDACTED], c=1", id="brackets"),
        pytest.param("{'password': ('a',", "{'password': '[REDACTED]'", id="brackets-cut"),
        pytest.param('{"tokens":["a"],"b":1}', '{"tokens":"[REDACTED]","b":1}', id="stays-json"),
        pytest.param('{"tokens": 7, "token": 7}', '{"tokens": 7, "token": [REDACTED]}', id="number"),
        pytest.param("token=Bearer abc x", "token=Bearer [REDACTED] x", id="scheme-and-value"),
        pytest.param("Authorization: Basic a b\nc", "Authorization: [REDACTED]\nc", id="whole-line"),
        pytest.param("'Cookie: a=b; c=d' 'e'", "'Cookie: [REDACTED]' 'e'", id="header-in-quotes"),
        pytest.param("Cookie: a\\r\\nHost: b", "Cookie: [REDACTED]\\r\\nHost: b", id="escaped-lines"),
        pytest.param("a\\ntoken: b", "a\\ntoken: [REDACTED]", id="after-an-escape"),
        pytest.param("API key: k3y", "API key: [REDACTED]", id="two-words"),
        pytest.param("the card number is 4, card number: 5", "the card number is 4, card number: [REDACTED]", id="two-words-again"),
        pytest.param("x=1&token=a&b=2", "x=1&token=[REDACTED]&b=2", id="query"),
        pytest.param("http://u:p@h:80/a@b", "http://u:[REDACTED]@h:80/a@b", id="user-info"),
        pytest.param("http://u@h http://h", "http://[REDACTED]@h http://h", id="user-info-alone"),
        pytest.param("<token>a</token><b>c</b>", "<token>[REDACTED]</token><b>c</b>", id="xml"),
        pytest.param("<token>c", "<token>[REDACTED]", id="xml-cut"),
        pytest.param("<token a='b'>c</token>", "<token a='b'>[REDACTED]</token>", id="xml-attribute"),
        pytest.param("--token a --b c", "--token [REDACTED] --b c", id="option"),
        pytest.param("--token --b", "--token --b", id="option-without-a-value"),
        pytest.param("Bearer a1. And", "Bearer [REDACTED] And", id="bearer"),
        pytest.param("bearer abc", "bearer abc", id="bearer-and-a-word"),
        pytest.param("Basic Zm9vYmFy", "Basic Zm9vYmFy", id="basic-without-a-colon"),
        pytest.param("Basic YW5uOmh1bnRlc", "Basic [REDACTED]", id="basic-cut"),
        pytest.param("('password', 'a', 'b')", "('password', '[REDACTED]', 'b')", id="first-of-three"),
        pytest.param("('user', 'password', 'email')", "('user', 'password', 'email')", id="names"),
        pytest.param("password=[REDACTED], a=b", "password=[REDACTED], a=b", id="hidden-before"),
        pytest.param("-----BEGIN PRIVATE KEY-----\na-b\n-----END PRIVATE KEY-----\nc", "-----BEGIN PRIVATE KEY-----[REDACTED]-----END PRIVATE KEY-----\nc", id="pem"),
        pytest.param("-----BEGIN PUBLIC KEY-----\na", "-----BEGIN PUBLIC KEY-----\na", id="public-key"),
        pytest.param("ghp_short", "ghp_short", id="too-short"),
        pytest.param("wsr_a=.b-c, d", "[REDACTED], d", id="our-refresh-token"),
        pytest.param('["Password:", "ann"]', '["Password:", "ann"]', id="quote-that-ends-a-text"),
        pytest.param("1 validation error for A\nuser.password\n  Too short [type=a, input_value='x y', input_type=str]", "1 validation error for A\nuser.password\n  Too short [type=a, input_value='[REDACTED]', input_type=str]", id="pydantic"),
        pytest.param("1 validation error for A\nuser\n  Too short [input_value='x']", "1 validation error for A\nuser\n  Too short [input_value='x']", id="pydantic-of-another-name"),
        pytest.param("pass phrase: a b c\nd", "pass phrase: [REDACTED]\nd", id="many-words"),
        pytest.param("social security: 5", "social security: [REDACTED]", id="two-words-more"),
        pytest.param("password=a\\b", "password=[REDACTED]", id="backslash-inside"),
        pytest.param("tokens: [] token: {}", "tokens: [] token: {}", id="empty"),
        pytest.param("token\\nhost: b", "token\\nhost: b", id="another-line"),
        pytest.param('File "a.py", line 9, in f: g(password="x")', 'File "a.py", line 9, in f: g(password="[REDACTED]")', id="literal-in-code"),
        pytest.param('Traceback:\n  File "a.py", line 9, in f\n    g(password=word)\nE: password=x', 'Traceback:\n  File "a.py", line 9, in f\n    g(password=word)\nE: password=[REDACTED]', id="traceback"),
        pytest.param("['a', '--token', '--b', '--pin', 'x']", "['a', '--token', '--b', '--pin', '[REDACTED]']", id="arguments"),
        pytest.param("A(password=b.Secret('x)'), c=1)", "A(password=[REDACTED], c=1)", id="nested-call"),
        pytest.param("password=a(b, c) d", "password=[REDACTED] d", id="call"),
        pytest.param("password=a(b c", "password=[REDACTED]", id="call-cut"),
        pytest.param("password=<A <b 'c>'>>, d", "password=[REDACTED], d", id="nested-repr"),
        pytest.param("password: <b>c</b> d", "password: [REDACTED] d", id="html"),
        pytest.param("('token', ['a']), 1", "('token', '[REDACTED]'), 1", id="list-in-a-pair"),
        pytest.param("password=a'b\"c d", "password=[REDACTED] d", id="quotes-inside"),
        pytest.param("'password=a', 'b'", "'password=[REDACTED]', 'b'", id="quote-around"),
        pytest.param("password='a''b' c", "password='[REDACTED]' c", id="doubled-quote"),
        pytest.param('password="""a"b"""', 'password="""[REDACTED]"""', id="three-quotes"),
        pytest.param('{"value": "a\\"b", "name": "token"}, {"value": "c", "name": "d"}', '{"value": "[REDACTED]", "name": "token"}, {"value": "c", "name": "d"}', id="value-first"),
        pytest.param('{"value": "a"}, {"name": "token"}', '{"value": "a"}, {"name": "token"}', id="value-of-another"),
        pytest.param("{'url': '//a:b@c'}", "{'url': '//a:[REDACTED]@c'}", id="user-info-without-a-scheme"),
        pytest.param('File "a.py", line 9, in f: token = "%s.%s" % a', 'File "a.py", line 9, in f: token = "%s.%s" % a', id="template-in-code"),
        pytest.param('File "a.py", line 9, in f: g("password=" + x)\nE: token=y', 'File "a.py", line 9, in f: g("password=" + x)\nE: token=[REDACTED]', id="literal-before-a-name"),
        pytest.param("pin=42 pin=4242", "pin=42 pin=[REDACTED]", id="count-and-pin"),
        pytest.param("Cookie: accepted by=x", "Cookie: [REDACTED]", id="cookies-of-a-word"),
        pytest.param("tokens=512 tokens='a'", "tokens=512 tokens='[REDACTED]'", id="size-and-text"),
    ],
)  # fmt: skip
def test_what_is_hidden_of_a_text(text, expected):
    assert scrub(text) == expected
    assert scrub(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Basic a-b_", id="no-base64"),
        pytest.param("http://git@github.com/a", id="user-of-git"),
        pytest.param("http://{user}@h http://u:${PASSWORD}@h", id="url-of-a-template"),
        pytest.param('File "a.py", line 9, in f: g(x, "password", "hunter2")', id="arguments-in-code"),
        pytest.param('File "a.py", line 9, in f: token = "[REDACTED]"', id="hidden-in-code-before"),
        pytest.param('{"value": , "name": "token"}', id="no-value-before-its-name"),
        pytest.param('{"value": "", "name": "token"}', id="empty-value-before-its-name"),
        pytest.param(f'{{"value": "{"x " * 600}", "name": "token"}}', id="value-too-far-before-its-name"),
        pytest.param("input_value='x' is wrong: token", id="value-without-a-line-before"),
        pytest.param("'--token': x", id="option-as-a-key"),
        pytest.param("x, 'password', ('a', 1)", id="name-within-a-list"),
        pytest.param("['password', 1(2)]", id="name-and-no-value"),
        pytest.param("password=${PASSWORD} password=<password>", id="place-of-a-value"),
        pytest.param("password: field required", id="missing-field"),
        pytest.param("token=null password=, auth: none", id="nothing"),
        pytest.param("password: must be longer, auth: basic", id="sentence"),
        pytest.param("transcript: hello, samples=512", id="spoken"),
    ],
)  # fmt: skip
def test_what_stays_of_a_text(text):
    assert _secret_texts.scrub(text, _redaction.policy) == text
    assert scrub(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("token=%22abc%22 x token=%27abc", "token=%22[REDACTED]%22 x token=%27[REDACTED]", id="encoded-quotes"),
        pytest.param("value: abc; key: 'token'", "value: [REDACTED]; key: 'token'", id="bare-value-first"),
        pytest.param("['password', ('a', 1)]", "['password', '[REDACTED]']", id="pair-with-a-tuple"),
        pytest.param('File "a.py", line 9, in f: g(["password", "hunter2"])', 'File "a.py", line 9, in f: g(["password", "[REDACTED]"])', id="pair-in-code"),
        pytest.param("password\n  bad [input_value='hunter2']", "password\n  bad [input_value='[REDACTED]']", id="pydantics-value"),
    ],
)  # fmt: skip
def test_what_is_hidden_of_rarer_forms(text, expected):
    assert scrub(text) == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_hidden_stays_hidden_the_same_way(shape):
    """A text is looked at again when it is cut, or carried by another line."""
    hidden = [scrub(SHAPES[shape](spelling, PLANTED)) for spelling in spellings("api key")]

    assert [scrub(text) for text in hidden] == hidden


@pytest.mark.parametrize("depth", [1, 2, 3])
@given(value=st.text(min_size=1), other=st.text(alphabet="ab \\\"'\n{}[],"))
def test_json_in_a_text_stays_json(depth, value, other):
    text = {"user": other, "password": value, "age": 3}
    for _ in range(depth):
        text = json.dumps(text)

    shown = scrub(text)

    for _ in range(depth):
        shown = json.loads(shown)
    assert shown == {"user": other, "password": "[REDACTED]", "age": 3}


PIECES = [
    *[shape(name, PLANTED) for shape in SHAPES.values() for name in ("pin", "apiKey", "tokens")],
    *[text for text, _ in TOKENS.values()],
    *ORDINARY,
    *["password", "=", ": ", '"', "'", "\\", "\n", "{", "[", "(", "<", ">", "%3D", "--", "@", "://"],
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
def test_whatever_would_be_hidden_is_suspected(text):
    """The cheap look must not pass by what the dear one would find."""
    assert suspect(text) or _secret_texts.scrub(text, _redaction.policy) == text


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=8).map("".join))
def test_no_text_raises(text):
    assert isinstance(_secret_texts.scrub(text, _redaction.policy), str)
    assert suspect(text) in (True, False)


@pytest.mark.parametrize("text", [*ORDINARY[:14], "a sentence (with brackets), and more"])
def test_ordinary_texts_are_not_even_suspected(text):
    assert not suspect(text)


def test_words_that_need_another_are_suspected():
    words = _secret_texts._SECOND_WORDS | _secret_texts._VALUES

    assert [word for word in words if not word.endswith(_redaction._HALF_NAMES)] == []


def test_an_address_that_is_masked_as_a_field_is_no_secret_in_a_text(policy):
    policy(mask_ip=True)

    assert scrub("ip=10.1.2.3 token=k") == "ip=10.1.2.3 token=[REDACTED]"


def test_names_that_are_set_are_hidden_in_texts_too(policy):
    policy(redact=["nick", "room2", "user_id", "city*"], allow=["token"])

    assert scrub("nick=a, NICK: b9, room2=c, room=d") == (
        "nick=[REDACTED], NICK: [REDACTED], room2=[REDACTED], room=d"
    )
    assert scrub("user_id=e userId=f user-id=g") == (
        "user_id=[REDACTED] userId=[REDACTED] user-id=[REDACTED]"
    )
    assert scrub("cityName=h") == "cityName=[REDACTED]"
    assert scrub("token=i, refreshToken=j") == "token=i, refreshToken=[REDACTED]"


HOSTILE = [
    *["a" * 64, "a-" * 32, "a." * 32, "\\" * 64, '"' * 64, "'" * 64, "=" * 64, ": " * 32, " " * 64],
    *["://" * 22, "://a" * 16, "@" * 64, "<" * 64, "<a" * 32, "<a b=" * 16, "[" * 64, "--a " * 16],
    *["eyJ" * 22, "eyJaaaaaa" * 7, "eyJaaaaaa." * 6, "Bearer " * 9, "Basic " * 10, "wsr_" * 16],
    *["-----BEGIN PRIVATE KEY-----" * 3, "password=" * 7, "password: '" * 6, 'password":"' * 6],
    *["password=[" * 6, "password=['" * 6, '\\"password\\":\\"' * 5, "('password', '" * 5, "a " * 32],
    *['{"name": "password", ' * 3, '"value": ' * 7, "token: \\n" * 8, "key: " * 13, "a key: " * 9],
    *["%3D" * 22, "a%3D" * 16, "ghp_" * 16, "ghp_a" * 13, "xoxb-" * 13, "sk-" * 22, "SG." * 22],
    *["_" * 64, "-" * 64, "/" * 64, "1" * 64, "pin" * 21, "x=1&" * 16, "a[b]" * 16, "é=" * 32],
    *["password=a(" * 6, "password=<a " * 6, '("password", {' * 5, "['--password', '" * 4, "%22password%22:" * 4],
    *['"value":"' * 7, 'value="a" name="password" ' * 2, "arn:aws:secretsmanager:::secret:" * 2, "//" * 32],
    *["password=a'" * 6, "password=''" * 6, "%3A%2F%2Fa%3A%40" * 4, "netloc=a:" * 7, "123456789:AA" * 5],
    *['File "a.py", line 1, in token=\n' * 2, 'File "' * 10, 'File "a", line 1 token=' * 3],
]  # fmt: skip


def cost_of(text):
    """Return the CPU time of both looks at a text."""
    start = time.thread_time()
    suspect(text)
    _secret_texts.scrub(text, _redaction.policy)
    return time.thread_time() - start


@pytest.mark.parametrize("before", ["", "password="])
@pytest.mark.parametrize("part", HOSTILE)
@pytest.mark.threat("slow-pattern")
def test_cost_grows_with_the_length_of_a_text_and_not_with_its_square(part, before):
    """Four times the text costs 4 times as much, and would cost 16 times; what disturbs is tried again."""
    texts = [before + part * (size // len(part)) for size in (20_000, 80_000)]

    growths = (cost_of(texts[1]) / cost_of(texts[0]) for _ in range(10))

    assert any(growth < 8 for growth in growths)


def test_what_searches_texts_is_loaded_for_the_first_that_may_hold_a_secret():
    code = """
import sys
sys.path.insert(0, sys.argv[1])
from shared_utils import get_structured_logger
log = get_structured_logger("a")
log.info("Listener joined", session_id="golden-eagle-427", n=1)
before = "shared_utils._secret_texts" in sys.modules
log.info("token=a")
assert (before, "shared_utils._secret_texts" in sys.modules) == (False, True)
"""
    run = subprocess.run(
        [sys.executable, "-c", code, PACKAGE.parent], capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stderr) == (0, "")


# --- names and values side by side


@pytest.mark.parametrize(
    ("values", "positions"),
    [
        pytest.param(["password", "x"], [1], id="pair"),
        pytest.param(("api_key", 7), [1], id="tuple-and-number"),
        pytest.param((b"authorization", b"Basic x"), [1], id="bytes"),
        pytest.param(("cookie", "x", True), [1], id="marked"),
        pytest.param(["transcript", "x"], [1], id="spoken"),
        pytest.param(["samples", 7], [], id="size"),
        pytest.param(["password", None], [], id="none"),
        pytest.param(["password", True], [], id="boolean"),
        pytest.param(["user", "x"], [], id="another-name"),
        pytest.param(["password"], [], id="alone"),
        pytest.param([], [], id="empty"),
        pytest.param(["id", "password", "email"], [], id="names"),
        pytest.param(["the password", "x"], [], id="a-sentence"),
        pytest.param(["p" * 200 + "password", "x"], [], id="too-long-for-a-name"),
        pytest.param(["run", "--password", "x", "--token", "y", "-v"], [2, 4], id="options"),
        pytest.param(["--token", "--verbose"], [], id="option-without-a-value"),
        pytest.param(["--password", "-x9"], [], id="option-after-an-option"),
        pytest.param(["--password", "-9"], [1], id="value-with-a-dash"),
        pytest.param(["curl", "-u", "ann:x", "url"], [2], id="user-of-curl"),
        pytest.param(["id", "-u", "ann"], [], id="user-without-a-password"),
        pytest.param(["ssh", "-p", "22"], [], id="port"),
        pytest.param([object(), object()], [], id="objects"),
        pytest.param([["user", "password"], "x"], [], id="list-first"),
    ],
)
def test_positions_that_another_item_names(values, positions):
    assert secret_positions(values) == positions


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        pytest.param({"name": "password", "value": "x"}, ["value"], id="name-and-value"),
        pytest.param({"value": "x", "name": "password"}, ["value"], id="value-first"),
        pytest.param({"Key": b"token", "Value": 7}, ["Value"], id="bytes-and-number"),
        pytest.param({"field": "pin", "old": 1, "new": 2}, ["old", "new"], id="changed"),
        pytest.param({"name": "body", "value": 7}, [], id="size"),
        pytest.param({"name": "token", "value": None}, [], id="none"),
        pytest.param({"name": "user", "value": "x"}, [], id="another-name"),
        pytest.param({"name": "password", "type": "x"}, [], id="no-value"),
        pytest.param({"value": "x", "password": "y"}, [], id="no-name"),
        pytest.param({"name": {"password"}, "value": "x"}, [], id="name-that-is-no-text"),
        pytest.param({"name": "user", "key": "token", "value": "x"}, ["value"], id="two-names"),
        pytest.param({"loc": ("body", "password"), "input": "x"}, ["input"], id="pydantic"),
        pytest.param({"loc": (), "input": "x"}, [], id="pydantic-of-nothing"),
        pytest.param({}, [], id="empty"),
    ],
)
def test_members_that_a_sibling_names(fields, names):
    assert secret_members(fields) == names


def test_table_names_every_place_once():
    assert len(CARRIERS) == len({id(act) for act in CARRIERS.values()})
    assert len(SECRET_NAMES) == len(set(SECRET_NAMES))


def test_texts_and_fields_are_hidden_behind_the_same_word():
    """The two leaves know nothing of each other."""
    assert _secret_texts.CENSORED == _redaction.CENSORED


def test_no_group_is_repeated_possessively():
    """Python up to 3.11.4 keeps what a last attempt that failed had passed."""
    source = (Path(_secret_texts.__file__)).read_text()
    code = source.partition('"""\n\n')[2]

    assert re.findall(r"[^\\]\)(?:[*+?]|\{[0-9,]+\})\+", code) == []
