"""The parser of answers: what is one, how much of one is there, and what is none."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared_utils._http1 import date_of, header, parse

OK = b"HTTP/1.1 200 Reason\r\nContent-Length: 0\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + b'{"a":1}'
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b'3;name=value\r\n{"a\r\n04\r\n":1}\r\n0\r\nTrailer: x\r\n\r\n'
)


def head_of(data):
    return data.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize(
    ("data", "ended", "answer"),
    [
        pytest.param(OK, False, (200, head_of(OK), b"", True), id="no-body"),
        pytest.param(PLAIN, False, (200, head_of(PLAIN), b'{"a":1}', True), id="length"),
        pytest.param(CHUNKED, False, (200, head_of(CHUNKED), b'{"a":1}', True), id="chunked"),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN,
            *(False, (200, head_of(PLAIN), b'{"a":1}', True)),
            id="interim",
        ),
        pytest.param(
            b"HTTP/1.1 204 X\r\nA: b\r\n\r\n",
            *(False, (204, b"HTTP/1.1 204 X\r\nA: b", b"", True)),
            id="204",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n\r\nx",
            *(True, (200, b"HTTP/1.1 200 OK", b"x", False)),
            id="until-the-end",
        ),
        pytest.param(PLAIN + b"x", False, (200, head_of(PLAIN), b'{"a":1}', False), id="more"),
        pytest.param(
            b"HTTP/1.0 204 X\r\n\r\n", False, (204, b"HTTP/1.0 204 X", b"", False), id="http-1.0"
        ),
        pytest.param(
            b"http/1.1 204 x\r\nConnection: CLOSE\r\n\r\n",
            *(False, (204, b"http/1.1 204 x\r\nConnection: CLOSE", b"", False)),
            id="close",
        ),
    ],
)
def test_answer(data, ended, answer):
    """Status, head, body, and whether the socket may be kept."""
    assert parse(bytearray(data), ended) == answer


@pytest.mark.parametrize(
    ("data", "least"),
    [
        pytest.param(b"", 1, id="nothing"),
        pytest.param(b"HTT", 4, id="half-a-name"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", 18, id="half-a-head"),
        pytest.param(PLAIN[:-7], len(PLAIN), id="no-body-yet"),
        pytest.param(PLAIN[:-1], len(PLAIN), id="half-a-body"),
        pytest.param(CHUNKED[:-1], len(CHUNKED), id="half-a-trailer"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nx", 21, id="until-the-end"),
    ],
)
def test_number_of_bytes_that_an_incomplete_answer_has_at_least(data, least):
    assert parse(data, False) == least


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"SSH-2.0-OpenSSH\r\n", "not HTTP/1", id="other-protocol"),
        pytest.param(b"HTTP/2 200\r\n\r\n", "not HTTP/1", id="http-2"),
        pytest.param(b"HTTP/1.1 020 OK\r\n\r\n", "not HTTP/1", id="low-status"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "no valid length", id="negative"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1234567890\r\n\r\n",
            *("no valid length",),
            id="huge",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
            *("chunk without a valid size",),
            id="negative-chunk",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            *("chunk longer than its size",),
            id="long-chunk",
        ),
    ],
)
def test_what_is_no_answer(data, problem):
    with pytest.raises(ValueError, match=problem):
        parse(data, False)


@given(data=st.binary(max_size=60), ended=st.booleans(), prefix=st.sampled_from([b"", CHUNKED, OK]))
@example(data=b"HTTP/1.1 999 \r\n\r\n", ended=False, prefix=b"")
def test_no_bytes_make_the_parser_fail_in_another_way(data, ended, prefix):
    try:
        found = parse(prefix[: len(data)] + data, ended)
    except ValueError:
        found = 0

    assert isinstance(found, int) or 200 <= found[0] <= 999


@given(length=st.integers(0, len(CHUNKED) - 1))
def test_answer_is_incomplete_up_to_its_last_byte(length):
    assert isinstance(parse(CHUNKED[:length], False), int)


# --- headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-amzn-requestid", b"AbC1"),
        (b"date", b"Sun, 30 Aug 2015 12:36:00 GMT"),
        (b"empty", b""),
        (b"absent", b""),
        (b"requestid", b""),
    ],
)
def test_header_is_found_whatever_its_case_and_kept_as_it_came(name, value):
    head = b"HTTP/1.1 200 OK\r\nX-Amzn-RequestId:  AbC1 \r\nDATE: Sun, 30 Aug 2015 12:36:00 GMT\r\nEmpty:"

    assert header(head, name) == value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Sun, 30 Aug 2015 12:36:00 GMT", 1440938160),
        ("Mon, 28 Feb 2000 23:59:59 GMT", 951782399),
        ("Tue, 29 Feb 2000 00:00:00 GMT", 951782400),
        ("Wed, 01 Mar 2000 00:00:00 GMT", 951868800),
        ("Thu, 29 Feb 2024 00:00:00 GMT", 1709164800),
        ("Wed, 31 Dec 2025 23:59:59 GMT", 1767225599),
        ("Thu, 01 Jan 2026 00:00:00 GMT", 1767225600),
        ("Mon, 01 Mar 2100 00:00:00 GMT", 4107542400),
        ("sun, 30 aug 2015 12:36:00 gmt", 1440938160),
        ("Sun, 30 Aug 2015 12:36:00 CET", None),
        ("Sun, 30 Xyz 2015 12:36:00 GMT", None),
        ("Sun, 30 ugS 2015 12:36:00 GMT", None),
        ("Sunday, 30-Aug-15 12:36:00 GMT", None),
        ("", None),
    ],
)
def test_date_in_seconds_since_the_epoch(text, seconds):
    assert date_of(f"HTTP/1.1 200 OK\r\nDate: {text}\r\nx: y".encode()) == seconds


def test_answer_without_a_date():
    assert date_of(b"HTTP/1.1 200 OK") is None
