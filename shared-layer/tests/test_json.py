"""JSON text, its numbers and its lines, and the clock's text."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_utils import _json

CIRCULAR: list[object] = []
CIRCULAR.append(CIRCULAR)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"a": [1, 2.5, None, True]}, '{"a":[1,2.5,null,true]}', id="compact"),
        pytest.param("é\ud800\U0001f600", '"\\u00e9\\ud800\\ud83d\\ude00"', id="ascii"),
        pytest.param(Decimal("3"), "3", id="whole-decimal"),
        pytest.param(Decimal("3.10"), "3.1", id="decimal"),
        pytest.param(Decimal("1E+17"), "100000000000000000", id="decimal-exponent"),
        pytest.param(Decimal("1E18"), "1000000000000000000", id="largest-exact-decimal"),
        pytest.param(Decimal("-1E19"), "-10000000000000000000", id="whole-decimal-of-any-size"),
        pytest.param(
            Decimal("12345678901234567890123"), "12345678901234567890123", id="whole-digits"
        ),
        pytest.param(
            Decimal("0.1234567890123456789"), "0.1234567890123456789", id="digits-beyond-a-float"
        ),
        pytest.param(Decimal("-9.99E-200"), "-9.99e-200", id="small-decimal-that-a-float-holds"),
        pytest.param(
            Decimal("1.00000000000000000001E-130"), "1.00000000000000000001E-130", id="small-digits"
        ),
        pytest.param(
            [Decimal("0.1234567890123456789"), "0.1"],
            '[0.1234567890123456789,"0.1"]',
            id="in-a-list",
        ),
        pytest.param(Decimal("1E+307"), "1" + "0" * 307, id="largest-power-of-ten"),
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
        pytest.param(Decimal("1E+308"), ValueError, id="decimal-that-strict-readers-refuse"),
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


def test_encode_works_without_the_c_encoder(monkeypatch, fresh_module):
    monkeypatch.setattr("json.encoder.c_make_encoder", None)

    plain = fresh_module(_json)

    assert plain.encode({"a": [1, Decimal("2.5"), "é"]}) == '{"a":[1,2.5,"\\u00e9"]}'
    assert plain.readable({"a": "é"}) == '{"a":"é"}'


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_keeps_its_digits(value):
    if _json.is_readable(value):
        assert json.loads(_json.encode(value), parse_float=Decimal, parse_int=Decimal) == value
    else:
        with pytest.raises(ValueError, match="double"):
            _json.encode(value)


def test_no_text_is_taken_for_a_number():
    """A number's digits stand behind a mark that is drawn anew by each process."""
    _json.encode(Decimal("0.1234567890123456789"))
    text = f"{'f' * 16}0.5"

    assert len(_json._MARK) == 16
    assert _json.encode(text) == f'"{text}"'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("Grüße, 東京 \U0001f600", '"Grüße, 東京 \U0001f600"', id="readable"),
        pytest.param("a\x85b\u2028c\u2029d", '"a\\u0085b\\u2028c\\u2029d"', id="ends-of-lines"),
        pytest.param("\ud800", '"\ufffd"', id="first-half"),
        pytest.param("\udc00\ud800", '"\ufffd\ufffd"', id="halves-in-the-wrong-order"),
        pytest.param("\ud83d\ude00", '"\U0001f600"', id="both-halves"),
        pytest.param("\x00\x1f\x7f", '"\\u0000\\u001f\x7f"', id="control-characters"),
    ],
)
def test_a_line_is_readable_and_one_line(value, expected):
    assert _json.in_one_line(_json.readable(value)) == expected


def test_text_without_surrogates_is_joined_where_it_can_be():
    assert (
        _json.without_surrogates("a\ud800 \udc00\ud83d\ude00\u2028é")
        == "a\ufffd \ufffd\U0001f600\u2028é"
    )


@given(st.text(st.characters(codec=None)))
@pytest.mark.threat("log-injection", "log-no-injection", "log-encoding")
def test_any_text_is_one_line_of_utf_8(text):
    line = _json.in_one_line(_json.readable(text))

    assert line.splitlines() == [line]
    assert json.loads(line.encode()) == _json.without_surrogates(text)


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
