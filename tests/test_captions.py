"""Captions of a file keep their order, times and names; what WebVTT does not allow is named by its line."""

import re

import pytest

from local.captions import Cue, read_cues

HEAD = "WEBVTT - of a talk\n\n"
FINE = "00:01.000 --> 00:02.000\nFine.\n\n"


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a file and returns its path."""
    path = tmp_path / "talk.vtt"

    def write(text):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_cue_has_its_identifier_or_its_number_and_its_times(file):
    path = file(
        HEAD + "NOTE\nnot shown\n\nintro\n00:00.500 --> 00:02.000 align:start\nGood\nmorning.\n\n"
        "01:00:03.250 --> 01:00:04.000\nSecond.\n"
    )

    assert read_cues(path) == [
        Cue("intro", "Good morning.", 500, 2000, 0.5),
        Cue("2", "Second.", 3_603_250, 3_604_000, 3603.25),
    ]


def test_what_is_no_cue_is_skipped_wherever_it_is(file):
    others = "STYLE\n::cue { color: red }\n\nNOTE for the editor\n\nno times\n\n"

    assert len(read_cues(file(HEAD + others + FINE + others + FINE))) == 2


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("<v Ann>Hi <b>you</b></v>", "Hi you"),
        ("Fish &amp; chips, 1 &lt; 2", "Fish & chips, 1 < 2"),
        (
            "\N{GREEK SMALL LETTER ALPHA} \N{GRINNING FACE}",
            "\N{GREEK SMALL LETTER ALPHA} \N{GRINNING FACE}",
        ),
        ("- Hi.\n- Hello.", "- Hi. - Hello."),
    ],
)
def test_text_is_without_tags(file, written, text):
    [cue] = read_cues(file(f"{HEAD}00:01.000 --> 00:02.000\n{written}\n"))

    assert cue.text == text


@pytest.mark.parametrize(
    "begin", [pytest.param("\ufeff", id="byte-order-mark"), pytest.param("", id="none")]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_file_of_any_editor_is_read(file, begin, end):
    assert len(read_cues(file(begin + (HEAD + FINE).replace("\n", end)))) == 1


def test_cues_come_in_the_order_of_their_times(file):
    path = file(HEAD + "00:09.000 --> 00:10.000\nLast.\n\n" + FINE)

    assert [cue.text for cue in read_cues(path)] == ["Fine.", "Last."]


def test_long_text_is_split_at_words(file):
    words = "word " * 99 + "longer " * 2
    path = file(f"{HEAD}a\n00:01.000 --> 00:02.000\n{words}\n\n{FINE}")

    first, rest, other = read_cues(path)

    assert first == Cue("a-1", ("word " * 99).strip(), 1000, 2000, 1.0)
    assert rest == Cue("a-2", "longer longer", 1000, 2000, 1.05)
    assert other == Cue("2", "Fine.", 1000, 2000, 1.1)


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        pytest.param("x" * 1001, [500, 500, 1], id="no-words"),
        pytest.param("x" * 494 + " well-known", [494, 10], id="hyphen"),
        pytest.param("x" * 489 + " well-known", [500], id="just-fits"),
    ],
)
def test_word_is_cut_only_if_it_is_too_long(file, text, lengths):
    path = file(f"{HEAD}00:01.000 --> 00:02.000\n{text}\n")

    assert [len(cue.text) for cue in read_cues(path)] == lengths


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("a", "a"), id="the-same"),
        pytest.param(("2", ""), id="as-a-number"),
        pytest.param(("", "x" * 65), id="too-long"),
    ],
)
def test_identifiers_that_name_no_segment_are_left_out(file, names):
    """A caption replaces the one before it that has the same name."""
    path = file(HEAD + "".join(f"{name}\n{FINE}" if name else FINE for name in names))

    assert [cue.segment_id for cue in read_cues(path)] == ["1", "2"]


def test_longest_identifier_is_kept(file):
    [cue] = read_cues(file(f"{HEAD}{'x' * 64}\n{FINE}"))

    assert cue.segment_id == "x" * 64


def test_no_more_than_20_are_due_in_a_second(file):
    path = file(
        HEAD + FINE * 3 + "00:01.120 --> 00:02.000\nNext.\n\n00:05.000 --> 00:06.000\nLast."
    )

    assert [cue.due_seconds for cue in read_cues(path)] == pytest.approx([1, 1.05, 1.1, 1.15, 5])


BAD_CUE = (
    "a cue has an empty line before it, times such as 00:01.000 --> 00:02.500, "
    "of which the second is later, and no settings but those of WebVTT"
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", ", line 1: a WebVTT file begins with WEBVTT", id="empty"),
        pytest.param("1\n" + FINE, ", line 1: a WebVTT file begins with WEBVTT", id="subrip"),
        pytest.param(b"RIFF\x00\x00", ", line 1: a WebVTT file begins with WEBVTT", id="sound"),
        pytest.param(HEAD, " has no captions", id="no-cue"),
        pytest.param(HEAD + "00:01.000 --> 00:02.000\n \n", " has no captions", id="no-text"),
        pytest.param(
            HEAD.encode() + b"\xff\n", ", line 3: not UTF-8, as WebVTT is", id="another-encoding"
        ),
        pytest.param(
            HEAD + FINE + "00:03,000 --> 00:04,000\nSecret.", f", line 6: {BAD_CUE}", id="comma"
        ),
        pytest.param(
            HEAD + FINE + "b\n00:03.000 --> 00:99.000\nSecret.\n\n" + FINE,
            f", line 7: {BAD_CUE}",
            id="no-time",
        ),
        pytest.param(
            HEAD + "00:01.000 --> 00:02.000\nSecret.\n" + FINE,
            f", line 5: {BAD_CUE}",
            id="no-empty-line",
        ),
        pytest.param(
            HEAD + FINE + "b\n00:00.500 --> 00:00.100\nSecret.\n\n" + FINE,
            f", line 7: {BAD_CUE}",
            id="ends-before-it-starts",
        ),
        pytest.param(
            HEAD + FINE + "00:59.999 --> 00:59.999\nSecret.\n",
            f", line 6: {BAD_CUE}",
            id="ends-as-it-starts",
        ),
        pytest.param(
            HEAD + FINE + "00:03.000 --> 00:04.000 colour:red\nSecret.",
            f", line 6: {BAD_CUE}",
            id="setting",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_named_without_its_text(file, text, sentence):
    path = file(text)

    with pytest.raises(ValueError, match=rf"\A{re.escape(f'{path}{sentence}')}\Z"):
        read_cues(path)
