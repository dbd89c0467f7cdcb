"""Messages are shown as lines that a person understands; of a terminal, the last one may still change."""

import io

import pytest
from rich.console import Console

from local.notices import Notices, line_of, voice_of

ERASE = "\r\x1b[2K"


def caption(text, segment="1", *, is_final=False, language="de"):
    fields = {"language": language, "segmentId": segment, "text": text, "isFinal": is_final}
    return {"type": "caption", "sessionId": "golden-eagle-427", "timestamp": 1, **fields}


def shown(*messages, is_terminal=False, width=40):
    """Return what is printed for these messages."""
    output = io.StringIO()
    console = Console(
        file=output,
        width=width,
        force_terminal=is_terminal,
        color_system=None,
        legacy_windows=False,
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    notices = Notices(console)
    for message in messages:
        notices.add(message)
    return output.getvalue()


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            {"type": "interpreterJoined", "language": "de", "sessionId": "a"},
            "an interpreter for de has joined",
        ),
        ({"type": "interpreterLeft", "language": "de"}, "the interpreter for de has left"),
        (
            {"type": "channelChanged", "channels": ["de", "fr"], "hears": "de"},
            "channels: de, fr; you hear the interpreter for de",
        ),
        (
            {"type": "channelChanged", "channels": [], "hears": "floor"},
            "channels: none; you hear the speaker",
        ),
        (caption("Guten\n  Tag", is_final=True), "[de] Guten Tag"),
        (
            {"type": "listenerLeft", "listenerCount": 2, "timestamp": 1},
            "listenerLeft: listenerCount 2",
        ),
        ({"type": "broadcastPaused"}, "broadcastPaused"),
        ({"message": "No\x1b[2J"}, "from the gateway: message No\\x1b[2J"),
        (
            {"type": "sessionCreated", "interpreterKey": "secret-1", "refreshToken": "secret-2"},
            "sessionCreated",
        ),
    ],
)
def test_message_is_a_line(message, line):
    assert line_of(message) == line
    assert shown(message) == f"{line}\n"


def test_voice_is_the_speakers_or_an_interpreters():
    assert [voice_of("floor"), voice_of("de-AT")] == ["the speaker", "the interpreter for de-AT"]


def test_error_that_repeats_is_shown_once():
    errors = [{"type": "error", "code": code} for code in ("A", "B", "A")]

    assert shown(*errors) == "error: code A\nerror: code B\n"


def test_why_the_connection_ends_is_left_to_the_commands_last_sentence():
    assert shown({"type": "error", "code": "CONNECTION_CLOSED", "message": "Removed"}) == ""


def test_captions_that_may_change_are_not_printed_into_a_file():
    assert shown(caption("Gu"), caption("Guten"), caption("Guten Tag", is_final=True)) == (
        "[de] Guten Tag\n"
    )


def test_captions_replace_each_other_in_the_last_line_of_a_terminal():
    messages = [caption("Gu"), caption("Guten"), caption("Guten Tag", is_final=True)]

    assert shown(*messages, is_terminal=True) == (
        f"[de] Gu{ERASE}[de] Guten{ERASE}[de] Guten Tag\n"
    )


def test_other_lines_come_above_the_one_that_may_change():
    printed = shown(caption("Gu"), {"type": "broadcastPaused"}, is_terminal=True)

    assert printed == f"[de] Gu{ERASE}broadcastPaused\n[de] Gu"


def test_caption_that_was_overtaken_by_its_final_one_is_not_shown():
    messages = [caption("Guten Tag", is_final=True), caption("Gu"), caption("Wie", "2")]

    assert shown(*messages, is_terminal=True) == "[de] Guten Tag\n[de] Wie"


def test_segments_of_two_languages_are_two():
    messages = [caption("Hi", is_final=True, language="en"), caption("Gu")]

    assert shown(*messages, is_terminal=True) == "[en] Hi\n[de] Gu"


def test_end_of_a_long_caption_is_in_the_line():
    """A line that is too long would become two, of which the second alone can be replaced."""
    wide = caption("\N{CJK UNIFIED IDEOGRAPH-4E00}" * 20 + " end")

    assert shown(wide, is_terminal=True, width=10) == "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 2 + " end"
