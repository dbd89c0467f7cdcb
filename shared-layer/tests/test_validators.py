"""What each check accepts and refuses, on both sides of every limit."""

import base64
import contextlib
import struct
from decimal import Decimal
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_utils import validators
from shared_utils.error_codes import ErrorCode
from shared_utils.validators import (
    ValidationError,
    assess_pcm16_quality,
    audio_duration_ms,
    validate_action,
    validate_audio_alignment,
    validate_audio_chunk_size,
    validate_audio_format,
    validate_base64_audio,
    validate_control_message_size,
    validate_language_code,
    validate_message_size,
    validate_quality_tier,
    validate_refresh_token,
    validate_sequence_number,
    validate_session_id_format,
    validate_timestamp,
    validate_volume,
)

MAX_SAFE = 9007199254740991


# --- objects that fight back ------------------------------------------------------------------


def explode(*_args, **_kwargs):
    raise RuntimeError("a foreign method ran")


HOOKS = """
__bool__ __bytes__ __contains__ __eq__ __float__ __format__ __ge__ __getattribute__ __getitem__
__gt__ __hash__ __index__ __int__ __iter__ __le__ __len__ __lt__ __mod__ __ne__ __repr__ __rmod__
__str__ bit_length encode endswith isascii lower split title tobytes translate upper
"""
OVERRIDES = dict.fromkeys(HOOKS.split(), explode)
NamelessMeta = type("NamelessMeta", (type,), {"__name__": property(explode)})
released = memoryview(b"0" * 200)
released.release()

HOSTILE = {
    "object": type("Hostile", (), OVERRIDES)(),
    "str": type("HostileStr", (str,), OVERRIDES)("golden-eagle-427"),
    "int": type("HostileInt", (int,), OVERRIDES)(7),
    "float": type("HostileFloat", (float,), OVERRIDES)(0.5),
    "bytes": type("HostileBytes", (bytes,), OVERRIDES)(b"0" * 200),
    "bytearray": type("HostileBytearray", (bytearray,), OVERRIDES)(b"0" * 200),
    "dict": type("HostileDict", (dict,), OVERRIDES)(action="heartbeat"),
    "nested": {"a": type("Hostile", (), OVERRIDES)()},
    "lies-about-its-class": type("Liar", (), {"__class__": property(lambda _: str)})(),
    "class-raises": type("NoClass", (), {"__class__": property(explode)})(),
    "nameless": NamelessMeta("Secret", (), {})(),
    "long-name": type("N" * 5000, (), {})(),
    "released": released,
    "view-of-halves": memoryview(b"0" * 200).cast("h"),
    "view-with-gaps": memoryview(b"0" * 200)[::2],
    "view-of-rows": memoryview(b"0" * 200).cast("B", (20, 10)),
    "view-of-nothing": memoryview(b""),
    "huge": 10**5000,
    "enum": Enum("Tier", {"PREMIUM": "premium"}).PREMIUM,
    "type": str,
    "function": explode,
}

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.characters(),
    st.binary(max_size=300),
    st.binary(max_size=300).map(bytearray),
    st.binary(max_size=300).map(memoryview),
    st.decimals(),
    st.complex_numbers(),
    st.dates(),
    st.recursive(
        st.none() | st.text() | st.integers() | st.floats() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
        max_leaves=5,
    ),
)

CHECKS = {
    "action": validate_action,
    "alignment": validate_audio_alignment,
    "alignment-channels": lambda value: validate_audio_alignment(4, "pcm_s16le", value),
    "base64": validate_base64_audio,
    "chunk": validate_audio_chunk_size,
    "control": validate_control_message_size,
    "channels": lambda value: validate_audio_format(channels=value),
    "duration": audio_duration_ms,
    "duration-rate": lambda value: audio_duration_ms(4, "pcm_s16le", value),
    "encoding": validate_audio_format,
    "language": validate_language_code,
    "message": validate_message_size,
    "quality": assess_pcm16_quality,
    "sample-rate": lambda value: validate_audio_format(sample_rate=value),
    "sequence": validate_sequence_number,
    "session": validate_session_id_format,
    "tier": validate_quality_tier,
    "timestamp": validate_timestamp,
    "token": validate_refresh_token,
    "volume": validate_volume,
}


def refusal_of(check, *args, **kwargs):
    with pytest.raises(ValidationError) as caught:
        check(*args, **kwargs)
    return caught.value


# Hypothesis prints what it draws, so the hostile objects have a test of their own.
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@given(value=ANYTHING)
def test_any_object_is_returned_or_refused(check, value):
    """`suppress` lets nothing but ValidationError through."""
    with contextlib.suppress(ValidationError):
        check(value)


@pytest.mark.parametrize("name", sorted(HOSTILE))
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_hostile_object_runs_no_code_of_its_own(check, name):
    with contextlib.suppress(ValidationError):
        check(HOSTILE[name])


# --- the error --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("x", "'x'", id="text"),
        pytest.param("", "''", id="empty"),
        pytest.param("a" * 40, "'" + "a" * 40 + "'", id="40-characters"),
        pytest.param("a" * 41, "'" + "a" * 40 + "'...", id="41-characters"),
        pytest.param("a\nb\u202e\ud800", "'a\\nb\\u202e\\ud800'", id="control-characters"),
        pytest.param(HOSTILE["str"], "'golden-eagle-427'", id="str-subclass"),
        pytest.param(5, "5", id="int"),
        pytest.param(-(2**128 - 1), "-340282366920938463463374607431768211455", id="128-bits"),
        pytest.param(2**128, "a long number", id="129-bits"),
        pytest.param(0.25, "0.25", id="float"),
        pytest.param(float("inf"), "a number out of range", id="infinite"),
        pytest.param(float("-inf"), "a number out of range", id="minus-infinite"),
        pytest.param(float("nan"), "a number out of range", id="nan"),
        pytest.param(True, "true", id="true"),
        pytest.param(False, "false", id="false"),
        pytest.param(None, "null", id="none"),
        pytest.param(b"secret", "bytes", id="bytes"),
        pytest.param(["secret"], "an array", id="list"),
        pytest.param({"token": "secret"}, "an object", id="dict"),
        pytest.param(HOSTILE["dict"], "an object", id="dict-subclass"),
        pytest.param(HOSTILE["int"], "a number", id="int-subclass"),
        pytest.param(HOSTILE["nameless"], "Secret", id="metaclass-hides-the-name"),
        pytest.param(HOSTILE["long-name"], "N" * 40, id="long-class-name"),
    ],
)
def test_refusal_shows_at_most_40_characters_of_what_came(value, shown):
    error = refusal_of(validate_quality_tier, value)

    assert error.message == f"qualityTier must be standard or premium, got {shown}"


# --- constants --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_MESSAGE_BYTES", 131072),
        ("MAX_FRAME_BYTES", 32768),
        ("MAX_AUDIO_CHUNK_BYTES", 24000),
        ("MIN_AUDIO_CHUNK_BYTES", 100),
        ("MAX_CONTROL_MESSAGE_BYTES", 4096),
        ("MAX_SAFE_INTEGER", MAX_SAFE),
        ("AUDIO_ENCODINGS", {"pcm_s16le": 2, "pcm_mulaw": 1}),
        ("SAMPLE_RATES", (8000, 16000, 24000, 48000)),
        ("CHANNELS", (1, 2)),
        ("QUALITY_TIERS", ("standard", "premium")),
    ],
)
def test_limit_has_its_value(name, value):
    assert getattr(validators, name) == value


def test_audio_encodings_cannot_be_changed():
    with pytest.raises(TypeError):
        validators.AUDIO_ENCODINGS["opus"] = 0


# --- language ---------------------------------------------------------------------------------

ISO_639_1 = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy "
    "da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu "
    "hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb "
    "lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om "
    "or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw "
    "ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
TRANSCRIBE = (
    "ab-GE af-ZA am-ET ar-AE ar-SA ast-ES az-AZ ba-RU be-BY bg-BG bn-IN bs-BA ca-ES ckb-IQ ckb-IR "
    "cs-CZ cy-GB cy-WL da-DK de-CH de-DE el-GR en-AB en-AU en-GB en-IE en-IN en-NZ en-US en-WL "
    "en-ZA es-ES es-MX es-US et-EE et-ET eu-ES fa-AF fa-IR fi-FI fr-CA fr-FR ga-IE gd-GB gl-ES "
    "gu-IN ha-NG he-IL hi-IN hr-HR ht-HT hu-HU hy-AM id-ID is-IS it-IT ja-JP jv-ID ka-GE kab-DZ "
    "kk-KZ km-KH kn-IN ko-KR ky-KG lg-IN lt-LT lv-LV mhr-RU mi-NZ mk-MK ml-IN mn-MN mr-IN ms-MY "
    "mt-MT my-MM ne-NP nl-NL no-NO or-IN pa-IN pl-PL ps-AF pt-BR pt-PT ro-RO ru-RU rw-RW si-LK "
    "sk-SK sl-SI so-SO sq-AL sr-RS su-ID sv-SE sw-BI sw-KE sw-RW sw-TZ sw-UG ta-IN te-IN th-TH "
    "tl-PH tr-TR tt-RU ug-CN uk-UA uz-UZ vi-VN wo-SN zh-CN zh-HK zh-TW zu-ZA"
)
TRANSLATE = (
    "af am ar az bg bn bs ca cs cy da de el en es es-MX et fa fa-AF fi fr fr-CA ga gu ha he hi hr "
    "ht hu hy id is it ja ka kk kn ko lt lv mk ml mn mr ms mt nl no pa pl ps pt pt-PT ro ru si sk "
    "sl so sq sr sv sw ta te th tl tr uk ur uz vi zh zh-TW"
)


@pytest.mark.parametrize("codes", [ISO_639_1, TRANSCRIBE, TRANSLATE], ids=["iso", "stt", "mt"])
def test_every_published_language_code_is_returned_as_it_is(codes):
    published = codes.split()

    assert [validate_language_code(code) for code in published] == published


def test_known_languages_are_iso_639_1_and_what_transcribe_adds():
    assert set(ISO_639_1.split()) | {"ast", "ckb", "kab", "mhr"} == validators.KNOWN_LANGUAGES


@pytest.mark.parametrize(
    ("code", "canonical"),
    [
        ("EN", "en"),
        ("en-us", "en-US"),
        ("EN-US", "en-US"),
        ("eN-uS", "en-US"),
        ("ZH-HANS-cn", "zh-Hans-CN"),
        ("sr-latn", "sr-Latn"),
        ("es-419", "es-419"),
        ("zh-hant-001", "zh-Hant-001"),
        ("CKB-iq", "ckb-IQ"),
        ("en-XX", "en-XX"),
    ],
)
def test_language_is_returned_in_canonical_case(code, canonical):
    assert validate_language_code(code) == canonical


def test_language_of_a_text_enum_becomes_plain_text():
    language = Enum("Language", {"ENGLISH": "en-us"}, type=str)

    code = validate_language_code(language.ENGLISH)

    assert code == "en-US"
    assert type(code) is str


LOOKS = "language must look like en, en-US or zh-Hans-CN, got "
KNOWN = "language must begin with a language of ISO 639-1, or ast, ckb, kab or mhr, got "
HYPHEN = "language must have a hyphen where it has an underscore, as in en-US, got "


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param("", LOOKS + "''", id="empty"),
        pytest.param("e", LOOKS + "'e'", id="one-letter"),
        pytest.param("engl", LOOKS + "'engl'", id="four-letters"),
        pytest.param("english", LOOKS + "'english'", id="a-name"),
        pytest.param("en-", LOOKS + "'en-'", id="nothing-after-the-hyphen"),
        pytest.param("-US", LOOKS + "'-US'", id="nothing-before-the-hyphen"),
        pytest.param("en--US", LOOKS + "'en--US'", id="two-hyphens"),
        pytest.param("en-U", LOOKS + "'en-U'", id="region-of-one"),
        pytest.param("en-USA", LOOKS + "'en-USA'", id="region-of-three-letters"),
        pytest.param("en-12", LOOKS + "'en-12'", id="region-of-two-digits"),
        pytest.param("en-1234", LOOKS + "'en-1234'", id="region-of-four-digits"),
        pytest.param("en-U5", LOOKS + "'en-U5'", id="region-with-a-digit"),
        pytest.param("zh-Hans1", LOOKS + "'zh-Hans1'", id="script-of-five"),
        pytest.param("zh-Han", LOOKS + "'zh-Han'", id="script-of-three"),
        pytest.param("zh-H4ns", LOOKS + "'zh-H4ns'", id="script-with-a-digit"),
        pytest.param("zh-CN-Hans", LOOKS + "'zh-CN-Hans'", id="wrong-order"),
        pytest.param("en-US-GB", LOOKS + "'en-US-GB'", id="two-regions"),
        pytest.param("de-DE-1996", LOOKS + "'de-DE-1996'", id="a-variant"),
        pytest.param("x-klingon", LOOKS + "'x-klingon'", id="private-use"),
        pytest.param("en-US\n", LOOKS + "'en-US\\n'", id="trailing-newline"),
        pytest.param(" en", LOOKS + "' en'", id="leading-space"),
        pytest.param("\u212aa", LOOKS + "'\u212aa'", id="kelvin-sign-lowers-to-k"),
        pytest.param(
            "es-\u0664\u0661\u0669", LOOKS + "'es-\u0664\u0661\u0669'", id="arabic-digits"
        ),
        pytest.param("\u0435n", LOOKS + "'\u0435n'", id="cyrillic"),
        pytest.param("auto", LOOKS + "'auto'", id="auto"),
        pytest.param(None, LOOKS + "null", id="none"),
        pytest.param(7, LOOKS + "7", id="int"),
        pytest.param(b"en", LOOKS + "bytes", id="bytes"),
        pytest.param(["en"], LOOKS + "an array", id="list"),
        pytest.param("xx", KNOWN + "'xx'", id="unknown"),
        pytest.param("eng", KNOWN + "'eng'", id="three-letters-of-a-two-letter-language"),
        pytest.param("cmn-CN", KNOWN + "'cmn-CN'", id="known-to-polly-only"),
        pytest.param("iw-IL", KNOWN + "'iw-IL'", id="withdrawn"),
        pytest.param("en_US", HYPHEN + "'en_US'", id="underscore"),
        pytest.param("zh_Hans-CN", HYPHEN + "'zh_Hans-CN'", id="underscore-and-hyphen"),
    ],
)
def test_language_refused(code, message):
    error = refusal_of(validate_language_code, code)

    assert error.message == message
    assert error.field == "language"
    assert error.code is ErrorCode.VALIDATION_INVALID_LANGUAGE


def test_language_refusal_names_the_field_it_was_given():
    error = refusal_of(validate_language_code, "xx", "targetLanguage")

    assert error.field == "targetLanguage"
    assert error.message.startswith("targetLanguage must begin with ")


# --- session id, tier, action -----------------------------------------------------------------


@pytest.mark.parametrize(
    "session_id",
    ["golden-eagle-427", "a-b-000", pytest.param("a" * 2041 + "-bc-999", id="2048-characters")],
)
def test_session_id_accepted(session_id):
    assert len(session_id) <= 2048
    assert validate_session_id_format(session_id) == session_id


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("golden-eagle-42", id="two-digits"),
        pytest.param("golden-eagle-4270", id="four-digits"),
        pytest.param("golden-eagle", id="no-digits"),
        pytest.param("golden-427", id="one-word"),
        pytest.param("golden-bald-eagle-427", id="three-words"),
        pytest.param("-eagle-427", id="empty-word"),
        pytest.param("Golden-eagle-427", id="upper-case"),
        pytest.param("golden_eagle_427", id="underscores"),
        pytest.param("gold3n-eagle-427", id="digit-in-a-word"),
        pytest.param("golden-eagle-42\u0667", id="arabic-digit"),
        pytest.param("g\u00f6lden-eagle-427", id="umlaut"),
        pytest.param("golden-eagle-427\n", id="trailing-newline"),
        pytest.param(" golden-eagle-427", id="leading-space"),
        pytest.param("a" * 2042 + "-bc-999", id="2049-characters"),
        pytest.param(None, id="none"),
        pytest.param(427, id="int"),
        pytest.param(b"golden-eagle-427", id="bytes"),
    ],
)
def test_session_id_refused(value):
    """The error names the field and shows what was wanted."""
    error = refusal_of(validate_session_id_format, value)

    assert error.message.startswith("sessionId must look like golden-eagle-427, got ")
    assert error.field == "sessionId"
    assert error.code is ErrorCode.SESSION_INVALID_ID_FORMAT


@pytest.mark.parametrize("tier", ["standard", "premium"])
def test_quality_tier_accepted(tier):
    assert validate_quality_tier(tier) == tier


@pytest.mark.parametrize("value", ["Standard", "premium ", "", "gold", None, 1, ["standard"]])
def test_quality_tier_refused(value):
    error = refusal_of(validate_quality_tier, value)

    assert error.field == "qualityTier"
    assert error.code is ErrorCode.VALIDATION_INVALID_QUALITY_TIER


ACTIONS = """
createSession joinSession sendAudio pauseBroadcast resumeBroadcast muteBroadcast unmuteBroadcast
endSession getSessionStatus setVolume speakerStateChange pausePlayback resumePlayback
changeLanguage heartbeat refreshConnection
"""


@pytest.mark.parametrize("action", ACTIONS.split())
def test_action_accepted(action):
    assert validate_action(action) == action


@pytest.mark.parametrize(
    "value", ["", "CreateSession", "drop", "audio", "heartbeat\n", None, 3, {}]
)
def test_action_refused(value):
    """The message lists every action that would do, and no other."""
    error = refusal_of(validate_action, value)

    wanted, _, _ = error.message.removeprefix("action must be one of ").partition(", got ")
    assert sorted(wanted.split(", ")) == sorted(validators.ACTIONS)
    assert error.field == "action"
    assert error.code is ErrorCode.VALIDATION_INVALID_ACTION


# --- sizes of messages ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="empty"),
        pytest.param("a" * 131072, id="ascii"),
        pytest.param("\u00e9" * 65536, id="two-bytes-each"),
        pytest.param("\u20ac" * 43690 + "ab", id="three-bytes-each"),
        pytest.param("\U0001f600" * 32768, id="four-bytes-each"),
        pytest.param("\ud800" * 43690 + "ab", id="lone-surrogates"),
        pytest.param(b"a" * 131072, id="bytes"),
        pytest.param(bytearray(131072), id="bytearray"),
        pytest.param(memoryview(bytes(131072)), id="memoryview"),
    ],
)
def test_message_of_131072_bytes_is_returned(body):
    assert validate_message_size(body) is body


@pytest.mark.parametrize(
    ("body", "size"),
    [
        pytest.param("a" * 131073, 131073, id="ascii"),
        pytest.param("\u00e9" * 65536 + "a", 131073, id="two-bytes-each"),
        pytest.param("\u20ac" * 43691, 131073, id="three-bytes-each"),
        pytest.param("\U0001f600" * 32768 + "a", 131073, id="four-bytes-each"),
        pytest.param("\ud800" * 43691, 131073, id="lone-surrogates"),
        pytest.param(b"a" * 131073, 131073, id="bytes"),
        pytest.param(memoryview(bytes(131074)).cast("h"), 131074, id="view-of-two-byte-items"),
    ],
)
def test_longer_message_is_refused(body, size):
    error = refusal_of(validate_message_size, body)

    assert error.message == f"body must hold at most 131072 bytes, got {size}"
    assert error.field == "body"
    assert error.code is ErrorCode.VALIDATION_MESSAGE_TOO_LARGE


def test_message_size_limit_can_be_chosen():
    assert validate_message_size("abc", max_size_bytes=3) == "abc"
    assert refusal_of(validate_message_size, "abcd", 3).message == (
        "body must hold at most 3 bytes, got 4"
    )


@pytest.mark.parametrize("check", [validate_message_size, validate_control_message_size])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(None, "null", id="none"),
        pytest.param(True, "a boolean", id="bool"),
        pytest.param(5, "a number", id="int"),
        pytest.param(["x"], "an array", id="list"),
        pytest.param(released, "memoryview", id="released-view"),
        pytest.param(HOSTILE["dict"], "an object", id="dict-subclass"),
    ],
)
def test_body_of_another_type_is_refused(check, body, kind):
    error = refusal_of(check, body)

    assert error.message == f"body must be text or bytes, got {kind}"
    assert error.field == "body"
    assert error.code is ErrorCode.VALIDATION_INVALID_MESSAGE_FORMAT


def test_message_given_as_a_dict_is_refused():
    assert (
        refusal_of(validate_message_size, {}).message == "body must be text or bytes, got an object"
    )


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("a" * 4096, id="text"),
        pytest.param(b"a" * 4096, id="bytes"),
        pytest.param({"a": "b" * 4088}, id="dict"),
        pytest.param({"volume": Decimal("0.5")}, id="decimal"),
    ],
)
def test_control_message_of_4096_bytes_is_returned(payload):
    assert validate_control_message_size(payload) is payload


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("a" * 4097, id="text"),
        pytest.param(b"a" * 4097, id="bytes"),
        pytest.param({"a": "b" * 4089}, id="dict"),
        pytest.param({"a": "b" * 4083 + "\u00e9"}, id="dict-with-an-escape"),
    ],
)
def test_longer_control_message_is_refused(payload):
    error = refusal_of(validate_control_message_size, payload)

    assert error.message == "body must hold at most 4096 bytes, got 4097"
    assert error.code is ErrorCode.VALIDATION_MESSAGE_TOO_LARGE


circular: dict[str, object] = {}
circular["self"] = circular


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({"a": float("nan")}, id="nan"),
        pytest.param({"a": b"bytes"}, id="bytes"),
        pytest.param({(1, 2): 3}, id="tuple-key"),
        pytest.param({"a": HOSTILE["dict"]}, id="hostile"),
        pytest.param(circular, id="circular"),
    ],
)
def test_control_message_that_json_cannot_hold_is_refused(payload):
    error = refusal_of(validate_control_message_size, payload)

    assert error.message == "body must hold only what JSON can hold, got something else"
    assert error.code is ErrorCode.VALIDATION_INVALID_MESSAGE_FORMAT


# --- raw audio --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [bytes, bytearray, lambda n: memoryview(bytes(n))])
@pytest.mark.parametrize("size", [100, 24000])
def test_audio_chunk_within_bounds_is_returned(kind, size):
    audio = kind(size)

    assert validate_audio_chunk_size(audio) is audio


def test_audio_chunk_limit_can_be_chosen():
    assert validate_audio_chunk_size(bytes(200), max_size_bytes=200) == bytes(200)
    assert refusal_of(validate_audio_chunk_size, bytes(201), 200).message == (
        "audioData must hold at most 200 bytes, got 201"
    )


@pytest.mark.parametrize(
    ("audio", "message", "code"),
    [
        pytest.param(b"", "hold at least 100 bytes, got 0", "AUDIO_CHUNK_TOO_SMALL", id="empty"),
        pytest.param(
            bytes(99), "hold at least 100 bytes, got 99", "AUDIO_CHUNK_TOO_SMALL", id="99"
        ),
        pytest.param(
            bytes(24001), "hold at most 24000 bytes, got 24001", "AUDIO_CHUNK_TOO_LARGE", id="24001"
        ),
        pytest.param(
            memoryview(bytes(24002)).cast("h"),
            "hold at most 24000 bytes, got 24002",
            "AUDIO_CHUNK_TOO_LARGE",
            id="view-of-12001-samples",
        ),
        pytest.param("a" * 200, "be bytes, got str", "AUDIO_INVALID_FORMAT", id="text"),
        pytest.param(None, "be bytes, got NoneType", "AUDIO_INVALID_FORMAT", id="none"),
        pytest.param([0] * 200, "be bytes, got list", "AUDIO_INVALID_FORMAT", id="list"),
        pytest.param(released, "be bytes, got memoryview", "AUDIO_INVALID_FORMAT", id="released"),
        pytest.param(
            HOSTILE["bytes"], "be bytes, got HostileBytes", "AUDIO_INVALID_FORMAT", id="subclass"
        ),
    ],
)
def test_audio_chunk_refused(audio, message, code):
    error = refusal_of(validate_audio_chunk_size, audio)

    assert error.message == f"audioData must {message}"
    assert error.field == "audioData"
    assert error.code == code


@pytest.mark.parametrize("encoding", ["pcm_s16le", "pcm_mulaw"])
@pytest.mark.parametrize("sample_rate", [8000, 16000, 24000, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_audio_format_accepted(encoding, sample_rate, channels):
    checked = validate_audio_format(encoding, sample_rate, channels)

    assert checked == (encoding, sample_rate, channels)


def test_audio_format_defaults():
    assert validate_audio_format() == ("pcm_s16le", 16000, 1)


@pytest.mark.parametrize("value", ["", "PCM_S16LE", "opus", "pcm", None, 16, [], {}])
def test_audio_encoding_refused(value):
    error = refusal_of(validate_audio_format, value)

    assert error.message.startswith("audioFormat.encoding must be pcm_s16le or pcm_mulaw, got ")
    assert error.field == "audioFormat.encoding"
    assert error.code is ErrorCode.AUDIO_INVALID_ENCODING


@pytest.mark.parametrize(
    ("value", "got"),
    [
        *((rate, str(rate)) for rate in (0, 7999, 8001, 22050, 44100, 96000, 16000.0)),
        *(("16000", "'16000'"), (True, "true"), (None, "null")),
    ],
)
def test_sample_rate_refused(value, got):
    error = refusal_of(validate_audio_format, sample_rate=value)

    assert error.message == (
        f"audioFormat.sampleRate must be 8000, 16000, 24000 or 48000, got {got}"
    )
    assert error.field == "audioFormat.sampleRate"
    assert error.code is ErrorCode.AUDIO_INVALID_SAMPLE_RATE


@pytest.mark.parametrize(
    ("value", "got"),
    [(0, "0"), (3, "3"), (-1, "-1"), (True, "true"), (1.0, "1.0"), ("1", "'1'"), (None, "null")],
)
def test_channels_refused(value, got):
    error = refusal_of(validate_audio_format, channels=value)

    assert error.message == f"audioFormat.channels must be 1 or 2, got {got}"
    assert error.field == "audioFormat.channels"
    assert error.code is ErrorCode.AUDIO_INVALID_FORMAT


@pytest.mark.parametrize(
    ("num_bytes", "encoding", "channels"),
    [
        (0, "pcm_s16le", 1),
        (2, "pcm_s16le", 1),
        (4, "pcm_s16le", 2),
        (1, "pcm_mulaw", 1),
        (2, "pcm_mulaw", 2),
        (24000, "pcm_s16le", 2),
        (MAX_SAFE - 1, "pcm_s16le", 1),
    ],
)
def test_whole_samples_accepted(num_bytes, encoding, channels):
    assert validate_audio_alignment(num_bytes, encoding, channels) == num_bytes


@pytest.mark.parametrize(
    ("num_bytes", "encoding", "channels", "frame"),
    [
        (1, "pcm_s16le", 1, 2),
        (23999, "pcm_s16le", 1, 2),
        (2, "pcm_s16le", 2, 4),
        (6, "pcm_s16le", 2, 4),
        (1, "pcm_mulaw", 2, 2),
        (-2, "pcm_s16le", 1, 2),
        (MAX_SAFE + 1, "pcm_s16le", 1, 2),
        (True, "pcm_mulaw", 1, 1),
        (2.0, "pcm_s16le", 1, 2),
        ("2", "pcm_s16le", 1, 2),
        (None, "pcm_s16le", 1, 2),
    ],
)
@pytest.mark.threat("broken-audio")
def test_split_samples_refused(num_bytes, encoding, channels, frame):
    error = refusal_of(validate_audio_alignment, num_bytes, encoding, channels)

    assert error.message == (
        f"audioData must hold whole samples, a multiple of {frame} bytes, got {num_bytes!r}"
    )
    assert error.field == "audioData"
    assert error.code is ErrorCode.AUDIO_INVALID_FORMAT


@pytest.mark.parametrize(
    ("num_bytes", "encoding", "sample_rate", "channels", "duration_ms"),
    [
        (0, "pcm_s16le", 16000, 1, 0.0),
        (3200, "pcm_s16le", 16000, 1, 100.0),
        (24000, "pcm_s16le", 16000, 1, 750.0),
        (24000, "pcm_s16le", 48000, 2, 125.0),
        (160, "pcm_mulaw", 8000, 1, 20.0),
        (1, "pcm_mulaw", 8000, 1, 0.125),
    ],
)
def test_audio_duration(num_bytes, encoding, sample_rate, channels, duration_ms):
    assert audio_duration_ms(num_bytes, encoding, sample_rate, channels) == duration_ms


def test_audio_duration_of_split_samples_is_refused():
    error = refusal_of(audio_duration_ms, 3201)

    assert error.code is ErrorCode.AUDIO_INVALID_FORMAT


# --- base64 -----------------------------------------------------------------------------------

PREFIX = "AAAA" * 34  # 102 bytes: whatever follows, the chunk is long enough


@pytest.mark.parametrize(
    ("text", "size"),
    [
        pytest.param(PREFIX, 102, id="no-padding"),
        pytest.param(PREFIX + "AA==", 103, id="two-padding-characters"),
        pytest.param(PREFIX + "AAA=", 104, id="one-padding-character"),
        pytest.param(PREFIX + "+/09azAZ", 108, id="whole-alphabet"),
        pytest.param("A" * 134 + "==", 100, id="shortest"),
        pytest.param("A" * 32000, 24000, id="longest"),
    ],
)
def test_base64_audio_accepted(text, size):
    assert validate_base64_audio(text) == size


def ours(text):
    try:
        return validate_base64_audio(text, max_size_bytes=10**6)
    except ValidationError as error:
        return error.code


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def test_base64_may_end_in_16_ways_before_one_padding_character():
    accepted = [last for last in ALPHABET if ours(PREFIX + "AA" + last + "=") == 104]

    assert "".join(accepted) == "AEIMQUYcgkosw048"


def test_base64_may_end_in_4_ways_before_two_padding_characters():
    accepted = [last for last in ALPHABET if ours(PREFIX + "A" + last + "==") == 103]

    assert "".join(accepted) == "AQgw"


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param("A", id="one-character-over"),
        pytest.param("AA", id="padding-missing"),
        pytest.param("AAA", id="one-padding-character-missing"),
        pytest.param("AA=", id="half-the-padding"),
        pytest.param("A===", id="three-padding-characters"),
        pytest.param("====", id="only-padding"),
        pytest.param("AAAA====", id="padding-for-nothing"),
        pytest.param("AA=A", id="padding-inside"),
        pytest.param("A=A=", id="padding-split"),
        pytest.param("=AAA", id="padding-first"),
        pytest.param("AA==AAAA", id="two-texts"),
        pytest.param("AAB=", id="bits-beyond-one-padding-character"),
        pytest.param("AB==", id="bits-beyond-two-padding-characters"),
        pytest.param("AAA*", id="foreign-character-last"),
        pytest.param("AA**", id="two-foreign-characters-last"),
        pytest.param("A*A=", id="foreign-character-before-padding"),
        pytest.param("AA-_", id="url-safe-alphabet"),
        pytest.param("AA\r\n", id="line-break"),
        pytest.param("AAA ", id="space"),
        pytest.param("AAA\0", id="nul"),
        pytest.param("AA\u00e9A", id="latin-1"),
        pytest.param("AA\uff21A", id="wide-letter"),
        pytest.param("AA\ud800A", id="lone-surrogate"),
        pytest.param("AA??", id="question-marks"),
    ],
)
@pytest.mark.threat("broken-audio", "ws-binary")
def test_base64_audio_refused(tail):
    """The message tells the length, and nothing of the audio."""
    error = refusal_of(validate_base64_audio, PREFIX + tail)

    assert error.message == (
        "audioData must be standard base64 with padding and without white space, "
        f"got {136 + len(tail)} characters"
    )
    assert error.field == "audioData"
    assert error.code is ErrorCode.AUDIO_INVALID_ENCODING


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (b"AAAA", "bytes"),
        (5, "a number"),
        ([], "an array"),
        (released, "memoryview"),
    ],
)
def test_base64_audio_of_another_type_is_refused(value, kind):
    error = refusal_of(validate_base64_audio, value)

    assert error.message.endswith(f"without white space, got {kind}")
    assert error.code is ErrorCode.AUDIO_INVALID_ENCODING


@pytest.mark.parametrize(
    ("text", "message", "code"),
    [
        ("", "audioData must hold at least 100 bytes, got 0", "AUDIO_CHUNK_TOO_SMALL"),
        ("A" * 132, "audioData must hold at least 100 bytes, got 99", "AUDIO_CHUNK_TOO_SMALL"),
        (
            "A" * 32000 + "AA==",
            "audioData must hold at most 24000 bytes, got 24001",
            "AUDIO_CHUNK_TOO_LARGE",
        ),
    ],
    ids=["empty", "99-bytes", "24001-bytes"],
)
def test_base64_audio_of_the_wrong_size_is_refused(text, message, code):
    error = refusal_of(validate_base64_audio, text)

    assert error.message == message
    assert error.code == code


def test_base64_audio_field_and_limit_can_be_chosen():
    assert validate_base64_audio("A" * 136, max_size_bytes=102) == 102
    assert refusal_of(validate_base64_audio, "A" * 140, "chunk", 102).message == (
        "chunk must hold at most 102 bytes, got 105"
    )


def python_says(text):
    """What decodes strictly and encodes to the same text again."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return ErrorCode.AUDIO_INVALID_ENCODING
    same = base64.b64encode(raw).decode() == text
    return len(raw) if same else ErrorCode.AUDIO_INVALID_ENCODING


@given(st.binary(min_size=100, max_size=400))
def test_base64_check_accepts_what_python_encodes(raw):
    assert validate_base64_audio(base64.b64encode(raw).decode()) == len(raw)


@given(
    st.text("AQgwBEZaz09+/=-_ *\n\u00e9", max_size=12) | st.text(max_size=8),
)
def test_base64_check_agrees_with_python_on_any_ending(tail):
    assert ours(PREFIX + tail) == python_says(PREFIX + tail)


@given(st.binary(min_size=105, max_size=120), st.integers(0, 159), st.characters(max_codepoint=255))
def test_base64_check_agrees_with_python_on_a_changed_character(raw, index, character):
    text = base64.b64encode(raw).decode()
    at = index % len(text)

    changed = text[:at] + character + text[at + 1 :]

    assert ours(changed) == python_says(changed)


# --- tokens ----------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["x", "wsr_R0oXAdfD0kwCH6w=.c2VjcmV0", "!" * 1024 + "~" * 1024])
def test_refresh_token_accepted(token):
    assert validate_refresh_token(token) == token


@pytest.mark.parametrize(
    ("token", "code", "got"),
    [
        pytest.param("", "AUTH_TOKEN_INVALID", "0 characters", id="empty"),
        pytest.param("x" * 2049, "AUTH_TOKEN_INVALID", "2049 characters", id="too-long-for-a-key"),
        pytest.param("\ud800.hidden", "AUTH_TOKEN_INVALID", "8 characters", id="lone-surrogate"),
        pytest.param("hidden one", "AUTH_TOKEN_INVALID", "10 characters", id="space"),
        pytest.param("hidden\n", "AUTH_TOKEN_INVALID", "7 characters", id="line-break"),
        pytest.param("h\u0456dden", "AUTH_TOKEN_INVALID", "6 characters", id="other-alphabet"),
        pytest.param(None, "VALIDATION_INVALID_PARAMETER", "null", id="none"),
        pytest.param(b"hidden", "VALIDATION_INVALID_PARAMETER", "bytes", id="bytes"),
    ],
)
def test_refresh_token_refused(token, code, got):
    """Without showing it."""
    error = refusal_of(validate_refresh_token, token)

    assert error.message == f"refreshToken must be up to 2,048 characters from ! to ~, got {got}"
    assert (error.code, error.field) == (code, "refreshToken")


# --- numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, 1.0, 0.5, 1e-130, 0.9999999999999999])
def test_volume_accepted(value):
    assert validate_volume(value) is value


@pytest.mark.parametrize("value", [0.0, -0.0, 5e-324, 9.999999999999999e-131])
def test_volume_that_dynamodb_does_not_hold_is_zero(value):
    assert str(validate_volume(value)) == "0.0"


@pytest.mark.parametrize(
    "value",
    [
        -5e-324,
        1.0000000000000002,
        -1,
        2,
        float("nan"),
        float("inf"),
        float("-inf"),
        10**400,
        True,
        False,
        "0.5",
        None,
        Decimal("0.5"),
        0.5 + 0j,
        [0.5],
    ],
)
def test_volume_refused(value):
    error = refusal_of(validate_volume, value)

    assert error.message.startswith("volumeLevel must be a number from 0.0 to 1.0, got ")
    assert error.field == "volumeLevel"
    assert error.code is ErrorCode.VALIDATION_INVALID_PARAMETER


@pytest.mark.parametrize("value", [0, 1, MAX_SAFE])
def test_sequence_number_accepted(value):
    assert validate_sequence_number(value) is value


@pytest.mark.parametrize("value", [-1, MAX_SAFE + 1, 10**400, 1.0, True, False, "1", None, b"1"])
def test_sequence_number_refused(value):
    error = refusal_of(validate_sequence_number, value)

    assert error.message.startswith(
        "sequenceNumber must be a whole number from 0 to 9007199254740991, got "
    )
    assert error.field == "sequenceNumber"
    assert error.code is ErrorCode.VALIDATION_INVALID_PARAMETER


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        (0, 0),
        (1767225600000, 1767225600000),
        (1767225600000.0, 1767225600000),
        (MAX_SAFE, MAX_SAFE),
        (float(MAX_SAFE), MAX_SAFE),
        (-0.0, 0),
    ],
)
def test_timestamp_is_returned_as_int(value, milliseconds):
    checked = validate_timestamp(value)

    assert checked == milliseconds
    assert type(checked) is int


@pytest.mark.parametrize(
    "value",
    [
        -1,
        0.5,
        MAX_SAFE + 1,
        float(MAX_SAFE + 1),
        float("nan"),
        float("inf"),
        True,
        "0",
        None,
        Decimal(1),
    ],
)
def test_timestamp_refused(value):
    error = refusal_of(validate_timestamp, value)

    assert error.message.startswith(
        "timestamp must be whole milliseconds from 0 to 9007199254740991, got "
    )
    assert error.field == "timestamp"
    assert error.code is ErrorCode.VALIDATION_INVALID_PARAMETER


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (validate_volume, 2),
        (validate_sequence_number, -1),
        (validate_timestamp, -1),
        (validate_session_id_format, "x"),
        (validate_quality_tier, "x"),
        (validate_refresh_token, ""),
        (validate_audio_chunk_size, None),
        (assess_pcm16_quality, b""),
    ],
)
def test_refusal_names_the_field_it_was_given(check, value):
    error = refusal_of(check, value, field_name="state.volume")

    assert error.field == "state.volume"
    assert error.message.startswith("state.volume must ")


# --- quality of PCM16 -------------------------------------------------------------------------


def pcm16(*samples):
    return struct.pack(f"<{len(samples)}h", *samples)


@pytest.mark.parametrize("sample", [0, 255, -256, 1, -1])
def test_pcm_from_minus_256_to_255_is_silent(sample):
    quality = assess_pcm16_quality(pcm16(sample, 0, 255, -256))

    assert quality.is_silent is True
    assert quality.is_clipping is False
    assert (quality.samples, quality.full_scale_samples) == (4, 0)


@pytest.mark.parametrize("sample", [256, -257, 12000])
@pytest.mark.parametrize("at", [0, 63, 64, 199])
def test_pcm_with_one_louder_sample_is_not_silent(sample, at):
    quality = assess_pcm16_quality(pcm16(*[0] * at, sample, *[0] * (199 - at)))

    assert quality.is_silent is False
    assert quality.samples == 200


@pytest.mark.parametrize(
    ("sample", "count"),
    [(32767, 1), (32512, 1), (32511, 0), (-32512, 0), (-32513, 1), (-32768, 1)],
)
def test_pcm_full_scale_begins_at_32512_and_minus_32513(sample, count):
    assert assess_pcm16_quality(pcm16(sample, 1000)).full_scale_samples == count


@pytest.mark.parametrize(("samples", "is_clipping"), [(99, True), (100, True), (101, False)])
def test_pcm_with_one_percent_at_full_scale_is_clipping(samples, is_clipping):
    quality = assess_pcm16_quality(pcm16(32767, *[1000] * (samples - 1)))

    assert quality.is_clipping is is_clipping


LOUD = pcm16(0, 1000, 32767, -32768)


@pytest.mark.parametrize(
    "pcm",
    [
        pytest.param(LOUD, id="bytes"),
        pytest.param(bytearray(LOUD), id="bytearray"),
        pytest.param(memoryview(LOUD), id="memoryview"),
        pytest.param(memoryview(LOUD).cast("h"), id="view-of-samples"),
        pytest.param(memoryview(LOUD).cast("B", (2, 4)), id="view-of-rows"),
        pytest.param(memoryview(LOUD[::-1])[::-1], id="view-backwards"),
    ],
)
def test_pcm_may_be_any_kind_of_bytes(pcm):
    quality = assess_pcm16_quality(pcm)

    assert (quality.samples, quality.full_scale_samples) == (4, 2)
    assert (quality.is_silent, quality.is_clipping) == (False, True)


@pytest.mark.parametrize(
    ("pcm", "got"),
    [
        pytest.param(b"", "0 bytes", id="empty"),
        pytest.param(b"\0", "1 bytes", id="half-a-sample"),
        pytest.param(bytes(201), "201 bytes", id="odd"),
        pytest.param("ab", "str", id="text"),
        pytest.param([0, 0], "list", id="list"),
        pytest.param(None, "NoneType", id="none"),
        pytest.param(released, "memoryview", id="released-view"),
    ],
)
def test_pcm_refused(pcm, got):
    error = refusal_of(assess_pcm16_quality, pcm)

    assert error.message == f"audioData must be whole samples of 2 bytes, got {got}"
    assert error.field == "audioData"
    assert error.code is ErrorCode.AUDIO_INVALID_FORMAT


SAMPLES = st.one_of(
    st.integers(-32768, 32767),
    st.integers(-260, 260),
    st.sampled_from([32767, 32512, 32511, -32512, -32513, -32768]),
)


@given(st.lists(SAMPLES, min_size=1, max_size=200))
def test_pcm_verdicts_are_exact(samples):
    quality = assess_pcm16_quality(pcm16(*samples))

    full_scale = sum(sample >= 32512 or sample < -32512 for sample in samples)
    assert quality.samples == len(samples)
    assert quality.is_silent == all(-256 <= sample <= 255 for sample in samples)
    assert quality.full_scale_samples == full_scale
    assert quality.is_clipping == (full_scale / len(samples) >= 0.01)
