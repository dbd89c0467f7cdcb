"""The parser of answers: what is one, how much of one is there, and what is none."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared_utils._http1 import MAX_HEAD_BYTES, AnswerReader, date_of, header

OK = b"HTTP/1.1 200 Reason\r\nContent-Length: 0\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + b'{"a":1}'
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b'3;name=value\r\n{"a\r\n04\r\n":1}\r\n0\r\nTrailer: x\r\n\r\n'
)


CLOSED = "closed before the answer was complete"
TOO_LONG = "the answer is too long"
CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def read(pieces, ended=False, max_body_bytes=1000):
    """Return the answer as soon as it is complete, None if it is not."""
    reader = AnswerReader(max_body_bytes)
    answers = (reader.feed(piece) for piece in [*pieces, *([b""] if ended else [])])
    return next((answer for answer in answers if answer), None)


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
    assert read([data], ended) == answer


@pytest.mark.parametrize("data", [OK, PLAIN, CHUNKED, b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED])
def test_answer_is_the_same_in_pieces_of_any_length(data):
    whole = read([data])

    for length in range(1, len(data)):
        assert read(data[n : n + length] for n in range(0, len(data), length)) == whole


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTT", id="half-a-name"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", id="half-a-head"),
        pytest.param(PLAIN[:-7], id="no-body-yet"),
        pytest.param(PLAIN[:-1], id="half-a-body"),
        pytest.param(CHUNKED[:-1], id="half-a-trailer"),
    ],
)
def test_connection_that_ends_too_early(data):
    with pytest.raises(ConnectionError, match=CLOSED):
        read([data] if data else [], ended=True)


def test_body_without_a_length_is_incomplete_until_the_end():
    assert read([b"HTTP/1.1 200 OK\r\n\r\nx"]) is None


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
        read([data])


@given(data=st.binary(max_size=60), ended=st.booleans(), prefix=st.sampled_from([b"", CHUNKED, OK]))
@example(data=b"HTTP/1.1 999 \r\n\r\n", ended=False, prefix=b"")
@pytest.mark.threat("odd-headers")
def test_no_bytes_make_the_parser_fail_in_another_way(data, ended, prefix):
    try:
        found = read([prefix[: len(data)] + data], ended)
    except (ValueError, ConnectionError):
        found = None

    assert found is None or 200 <= found[0] <= 999


@given(length=st.integers(0, len(CHUNKED) - 1))
def test_answer_is_incomplete_up_to_its_last_byte(length):
    assert read([CHUNKED[:length]] if length else []) is None


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + b"x" * 10, id="length"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10, id="until-the-end"),
        pytest.param(CHUNKED_HEAD + b"7\r\nxxxxxxx\r\n0\r\n\r\n", id="chunk"),
    ],
)
def test_body_of_the_largest_size(data):
    assert read([data], ended=True, max_body_bytes=10)[2] in (b"x" * 10, b"x" * 7)


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 1000, id="header"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100, id="headers"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", id="interim"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", b"y" * 100, id="until-the-end"),
        pytest.param(CHUNKED_HEAD, b"1\r\nx\r\n" * 10, id="chunks"),
        pytest.param(CHUNKED_HEAD + b"fffffff\r\n", b"y", id="large-chunk"),
        pytest.param(CHUNKED_HEAD + b"0\r\n", b"X: y\r\n" * 100, id="trailers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", b"y", id="length"),
    ],
)
def test_answer_that_does_not_end_is_too_long(begin, again):
    pieces = [begin or again, *[again] * (2 * MAX_HEAD_BYTES // len(again))]

    with pytest.raises(ConnectionError, match=TOO_LONG):
        read(pieces)


def test_size_of_a_chunk_that_does_not_end():
    with pytest.raises(ValueError, match="chunk without a valid size"):
        read([CHUNKED_HEAD, *[b"1;" + b"x" * 100] * 20])


def test_heads_of_the_largest_size_and_one_byte_more():
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    head = b"HTTP/1.1 204 No Content\r\nX: ".ljust(MAX_HEAD_BYTES - len(interim), b"x")

    assert read([interim, head, b"\r\n\r\n"])[0] == 204
    with pytest.raises(ConnectionError, match=TOO_LONG):
        read([interim, head + b"x"])


class CountingBytes(bytearray):
    """Counts the bytes that are looked through for a text."""

    looked = 0

    def find(self, text, start=0, end=None):
        found = super().find(text, start, len(self) if end is None else end)
        CountingBytes.looked += (len(self) if found < 0 else found) - start
        return found


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 10, id="header"),
        pytest.param(CHUNKED_HEAD, b"1\r\nx\r\n", id="chunks"),
        pytest.param(CHUNKED_HEAD + b"0\r\n", b"X: yyyyy\r\n", id="trailers"),
    ],
)
def test_no_byte_is_looked_at_again_and_again(begin, again, monkeypatch):
    monkeypatch.setattr(CountingBytes, "looked", 0)
    reader = AnswerReader(1_000_000)
    reader._data = CountingBytes()

    reader.feed(begin)
    for _ in range(5000):
        reader.feed(again)

    assert CountingBytes.looked < 10 * 5000 * len(again)


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
