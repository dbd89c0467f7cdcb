"""Messages are shown as lines that a person understands; of a terminal, the last one may still change."""

import io

import pytest
from rich.console import Console

from local.notices import Notices, line_of, voice_of
from shared_utils.records import example
from shared_utils.websocket_messages import SERVER_MESSAGES

ERASE = "\r\x1b[2K"


def caption(text, segment="1", *, is_final=False, language="de"):
    fields = {"language": language, "segmentId": segment, "text": text, "isFinal": is_final}
    return {"type": "caption", "sessionId": "golden-eagle-427", "timestamp": 1, **fields}


def status(count, languages, reason="periodic", **state):
    state = {"isPaused": False, "isMuted": False, "volume": 1.0} | state
    fields = {"isActive": True, "sessionDuration": 7, "updateReason": reason}
    fields |= {"listenerCount": count, "languageDistribution": languages, "broadcastState": state}
    return {"type": "sessionStatus", "sessionId": "golden-eagle-427", **fields}


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
            {"type": "listenerLeft", "targetLanguage": "es", "listenerCount": 1, "timestamp": 1},
            "a listener in es has left: 1 listener",
        ),
        ({"type": "listenerLeft", "listenerCount": 2}, "listenerLeft: listenerCount 2"),
        ({"type": "broadcastPaused"}, "the broadcast is paused"),
        ({"type": "volumeChanged", "volumeLevel": 0.3}, "the volume is 30%"),
        ({"type": "volumeChanged", "volumeLevel": "x"}, "volumeChanged: volumeLevel x"),
        ({"message": "No\x1b[2J"}, "from the gateway: No\\x1b[2J"),
        (status(2, {"es": 1, "de": 1}), "2 listeners: 1 in es, 1 in de; on air, volume 100%"),
        (status(0, {}, isPaused=True, isMuted=True), "0 listeners; paused and muted, volume 100%"),
        (
            {
                "type": "error",
                "code": "A",
                "message": "No",
                "retryable": True,
                "correlationId": "b",
            },
            "A: No (correlationId b)",
        ),
        (
            {"type": "rateLimitWarning", "limit": 100, "windowSeconds": 60, "retryAfterMs": 9_000},
            "too much is being sent: at most 100 in 60 s are taken",
        ),
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
    errors = [{"type": "error", "code": code, "message": "No"} for code in ("A", "B", "A")]

    assert shown(*errors) == "A: No\nB: No\n"


def test_status_is_shown_again_once_it_has_changed():
    """It comes every 30 seconds."""
    messages = [status(1, {"es": 1}), status(1, {"es": 1}), status(0, {})]

    assert shown(*messages).splitlines() == [
        "1 listener: 1 in es; on air, volume 100%",
        "0 listeners; on air, volume 100%",
    ]


# Replies to what the commands ask, which are not shown.
REPLIES = {"interpreterReady", "sessionCreated", "sessionJoined"}


@pytest.mark.parametrize("kind", sorted(SERVER_MESSAGES.keys() - REPLIES))
def test_no_message_is_shown_as_python_has_it(kind):
    line = line_of(example(SERVER_MESSAGES[kind]).to_dict())

    assert not set(line) & set("{}'[]") or kind == "caption"


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

    assert printed == f"[de] Gu{ERASE}the broadcast is paused\n[de] Gu"


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
