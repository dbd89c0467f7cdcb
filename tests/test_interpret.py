"""`interpret` and `caption` send what they were given and leave; `listen` keeps apart whom it hears."""

import base64
import io
import os
import signal

import pytest
from click.testing import CliRunner
from rich.console import Console

from local import interpret, talk
from local.__main__ import main
from local.audio import JitterBuffer, Recording, write_recording
from local.client import connect
from local.results import ExitCode
from local.words import own_command
from tests.sounds import read_wav, tone, write
from tests.talk_server import (
    CHUNK,
    Server,
    abort,
    after,
    code_of,
    commands,
    end_session,
    fail,
    play,
    refuse,
    send,
    send_chunks,
    shorten_pauses,
    until,
)

OTHER = bytes(200) * 16
SESSION = "golden-eagle-427"
KEY = "key-of-interpreters"
VARIABLE = "WEBSOCKET_AUDIO_INTERPRETER_KEY"
CAPTIONS = (
    "WEBVTT\n\nhello\n00:00.000 --> 00:01.000\nGuten Tag.\n\n00:00.100 --> 00:02.000\nUnd los.\n"
)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    shorten_pauses(monkeypatch)


@pytest.fixture
def command():
    with commands() as start:
        yield start


@pytest.fixture
def recording(tmp_path):
    """Return a WAV file of three chunks."""
    path = tmp_path / "three.wav"
    write_recording(path, Recording(CHUNK * 3, 16_000, 1))
    return path


@pytest.fixture
def captions(tmp_path):
    """Return a WebVTT file of two cues."""
    path = tmp_path / "two.vtt"
    path.write_text(CAPTIONS)
    return path


def done(server, work, path, language="de"):
    """Return what `interpret` or `caption` printed, its exit code, and its sentence."""
    output = io.StringIO()
    console = Console(file=output, width=200, markup=False, highlight=False)
    error = play(server, lambda url: work(url, SESSION, language, path, console, key=KEY))
    return output.getvalue(), code_of(error), str(error or "")


def test_recording_is_streamed_into_the_channel_and_the_session_is_left(recording):
    server = Server()

    printed, code, sentence = done(server, interpret.interpret, recording)

    assert (code, sentence) == (0, "")
    assert printed == f"interpreting {SESSION} for de: 0.3 s\nsent 3 chunks, 0.3 s\n"
    joined, *chunks = [one for one in server.received if one["action"] != "heartbeat"]
    wanted = {"sessionId": SESSION, "language": "de", "interpreterKey": KEY}
    assert joined == {"action": "joinAsInterpreter", "requestId": "request-1", **wanted}
    assert [(one["action"], one["sequenceNumber"]) for one in chunks] == [
        ("sendAudio", number) for number in range(3)
    ]


@pytest.mark.parametrize(
    ("language", "more"),
    [
        pytest.param(
            "de",
            "whoever listens in de hears this channel now, which is silent, "
            "unless they choose the original audio\n",
            id="another-language",
        ),
        pytest.param("en", "", id="the-speakers-own"),
    ],
)
def test_captions_are_sent_and_a_silent_channel_is_said(captions, language, more):
    server = Server()

    printed, code, sentence = done(server, interpret.caption, captions, language)

    assert (code, sentence) == (0, "")
    assert printed == (
        f"captioning {SESSION} in {language}: the last one is due in 0.1 s\n{more}sent 2 captions\n"
    )
    first, second = [one for one in server.received if one["action"] == "sendCaption"]
    assert first == {
        "action": "sendCaption",
        "segmentId": "hello",
        "text": "Guten Tag.",
        "isFinal": True,
        "startMs": 0,
        "endMs": 1000,
    }
    assert (second["segmentId"], second["text"]) == ("2", "Und los.")


async def pause_and_end(server, socket, message):
    await send(socket, "broadcastPaused", timestamp=1)
    await end_session(server, socket, message)


async def replace(server, socket, message):
    await send(socket, "error", code="CONNECTION_CLOSED", message="The connection is closed")
    await send(socket, "error", code="CONNECTION_CLOSED", message="Another took over")
    await socket.close()


@pytest.mark.parametrize(
    ("on", "code", "sentence"),
    [
        pytest.param(
            {"joinAsInterpreter": refuse("SESSION_NOT_FOUND")},
            ExitCode.FAILED,
            "SESSION_NOT_FOUND: No; its name or its key is wrong",
            id="wrong-key",
        ),
        pytest.param(
            {"joinAsInterpreter": refuse("SESSION_LANGUAGE_TAKEN")},
            ExitCode.FAILED,
            "SESSION_LANGUAGE_TAKEN: No; "
            "it is free once that one has left, or has shown no sign of itself for 10 s",
            id="language-taken",
        ),
        pytest.param(
            {"joinAsInterpreter": fail},
            ExitCode.UNANSWERED,
            "joinAsInterpreter failed: Internal server error",
            id="join-failed",
        ),
        pytest.param(
            {"sendAudio": after(2, end_session), "sendCaption": after(1, end_session)},
            ExitCode.CUT_SHORT,
            "{} were sent when the session was ended: sessionExpired",
            id="session-ended",
        ),
        pytest.param(
            {"sendAudio": after(2, abort), "sendCaption": after(1, abort)},
            ExitCode.DISCONNECTED,
            "{} were sent; then the connection broke without a closing frame",
            id="connection-broken",
        ),
        pytest.param(
            {"sendAudio": after(2, replace), "sendCaption": after(1, replace)},
            ExitCode.DISCONNECTED,
            "{} were sent; then CONNECTION_CLOSED: Another took over",
            id="replaced",
        ),
    ],
)
@pytest.mark.parametrize("what", ["recording", "captions"])
def test_what_was_not_done_is_said(recording, captions, what, on, code, sentence):
    paths = {"recording": recording, "captions": captions}
    works = {"recording": interpret.interpret, "captions": interpret.caption}
    counts = {"recording": "2 of 3 chunks", "captions": "1 of 2 captions"}

    printed, got, said = done(Server(**on), works[what], paths[what])

    assert (got, said) == (code, sentence.format(counts[what]))
    assert KEY not in printed + said
    assert "CONNECTION_CLOSED" not in printed  # once is enough


def test_last_chunk_was_not_taken_if_its_answer_says_that_the_connection_is_closed(recording):
    """Also if the server leaves it open."""
    server = Server(sendAudio=after(3, refuse("CONNECTION_CLOSED")))

    _, code, said = done(server, interpret.interpret, recording)

    assert code == ExitCode.DISCONNECTED
    assert said == "3 of 3 chunks were sent; then CONNECTION_CLOSED: No"


def test_one_caption_is_one(captions):
    captions.write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nHello.\n")

    printed, _, said = done(Server(sendCaption=refuse("X")), interpret.caption, captions, "en")

    assert printed.endswith("sent 1 caption, 1 refused\n")
    assert said == "1 of 1 caption was refused: 1 X"


def test_captions_that_are_refused_are_counted(captions):
    server = Server(sendCaption=refuse("RATE_LIMIT_EXCEEDED"))

    printed, code, said = done(server, interpret.caption, captions)

    assert (code, said) == (3, "2 of 2 captions were refused: 2 RATE_LIMIT_EXCEEDED")
    assert printed.endswith("sent 2 captions, 2 refused\n")


def test_session_that_ends_after_the_last_chunk_took_nothing_from_it(recording):
    server = Server(sendAudio=after(3, pause_and_end))

    printed, code, said = done(server, interpret.interpret, recording)

    assert (code, said) == (0, "")
    assert "the broadcast is paused\n" in printed
    assert printed.endswith("sent 3 chunks, 0.3 s\n")


def test_speakers_own_language_has_no_channel(recording):
    server = Server()

    _, code, said = done(server, interpret.interpret, recording, "en")

    assert (code, said) == (
        ExitCode.FAILED,
        "en is what the speaker speaks: it has no channel, but may have captions",
    )
    assert server.count("sendAudio") == 0


def test_recording_of_another_format_becomes_what_the_session_has(tmp_path):
    path, server = write(tmp_path / "music.mp3", tone(0.3, 44_100, 2)), Server()

    printed, code, said = done(server, interpret.interpret, path)

    assert (code, said) == (0, "")
    assert printed == (
        "music.mp3: 44,100 Hz stereo MP3 to 16,000 Hz mono, 16 bit\n"
        f"interpreting {SESSION} for de: 0.3 s\nsent 3 chunks, 0.3 s\n"
    )
    chunks = [one["audioData"] for one in server.received if one["action"] == "sendAudio"]
    assert [len(base64.b64decode(chunk)) for chunk in chunks] == [3_200] * 3


def test_file_that_is_none_is_noticed_before_joining(recording):
    server = Server()

    _, code, said = done(server, interpret.caption, recording)

    assert code == ExitCode.FAILED
    assert said.startswith(f"{recording}, line 1: ")
    assert server.received == []


# --- who listens meanwhile -------------------------------------------------------------------------


async def floor_channel_floor(server, socket, message):
    """Have an interpreter come, and go, with chunks of the other still under way."""
    await send(socket, "sessionJoined", **JOINED, hears="floor", requestId=message["requestId"])
    await send_chunks(socket, 30, 31)
    await send(socket, "channelChanged", channels=["de"], hears="de")
    await send_chunks(socket, 32)
    await send_chunks(socket, 0, 2, 1, pcm=OTHER, language="de")
    await send(socket, "channelChanged", channels=[], hears="floor")
    await send_chunks(socket, 3, pcm=OTHER, language="de")
    await send_chunks(socket, 60)
    await end_session(server, socket, message)


async def in_the_channel_from_the_start(server, socket, message):
    await send(socket, "sessionJoined", **JOINED, hears="de", requestId=message["requestId"])
    await send_chunks(socket, 8, 10, pcm=OTHER, language="de")
    await end_session(server, socket, message)


async def captions_of_the_channel(server, socket, message):
    await server.reply(socket, message)
    for text, is_final in (("Gu", False), ("Guten Tag.", True)):
        fields = {"language": "de", "segmentId": "1", "text": text, "isFinal": is_final}
        await send(socket, "caption", **fields)
    await end_session(server, socket, message)


JOINED = {"audioFormat": {"sampleRate": 16_000, "channels": 1}}


def heard(server, output, **wanted):
    printed = io.StringIO()
    console = Console(file=printed, width=200, markup=False, highlight=False)
    error = play(
        server, lambda url: talk.listen(url, SESSION, "de", output, 0.1, console, **wanted)
    )
    return printed.getvalue(), code_of(error), str(error or "")


def test_speaker_and_interpreter_are_heard_in_turn_and_each_without_gaps(tmp_path):
    output = tmp_path / "heard.wav"

    printed, code, said = heard(Server(joinSession=floor_channel_floor), output)

    assert (code, said) == (0, "")
    assert read_wav(output).pcm == CHUNK * 2 + OTHER * 3 + CHUNK
    assert (
        "channels: de; you hear the interpreter for de\nchannels: none; you hear the speaker\n"
        in printed
    )
    assert (
        f"wrote {output}: 0.6 s, 6 chunks, 0 missing, 2 of another channel dropped\n"
        "in it: 0.3 s of the speaker, 0.3 s of the interpreter for de\n"
    ) in printed


def test_what_was_not_in_order_yet_is_taken_part_by_part():
    """As after Ctrl-C."""
    heard = talk.Heard(JOINED["audioFormat"], JitterBuffer(60))

    async def work(url):
        async with connect(url) as client:
            await client.request("joinSession")
            await client.ended.wait()
            heard.take_rest(client)

    play(Server(joinSession=floor_channel_floor), work)

    assert [chunk.number for chunk in heard.chunks] == [30, 31, 0, 1, 2, 60]


def test_gap_in_a_channel_is_silence_in_its_place(tmp_path):
    output = tmp_path / "heard.wav"

    printed, code, said = heard(Server(joinSession=in_the_channel_from_the_start), output)

    assert code == ExitCode.REFUSED
    assert said.startswith("1 of 3 chunks did not come in time")
    assert read_wav(output).pcm == OTHER + bytes(len(OTHER)) + OTHER
    assert "you hear the interpreter for de\n" in printed


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        ({}, ("interpreted", False)),
        ({"audio": "original", "captions": True}, ("original", True)),
    ],
)
def test_listener_says_whom_to_hear_and_whether_to_read(tmp_path, wanted, sent):
    server = Server(joinSession=captions_of_the_channel)

    printed, code, _ = heard(server, tmp_path / "heard.wav", **wanted)

    [joined] = server.received
    assert (joined["audio"], joined["captions"]) == sent
    assert code == 0
    assert "[de] Guten Tag.\n" in printed
    assert "[de] Gu\n" not in printed


async def with_a_key(server, socket, message):
    fields = {
        "sessionId": SESSION,
        "interpreterKey": "k7Qm wT3x",
        "requestId": message["requestId"],
    }
    await send(socket, "sessionCreated", **fields)
    await send(socket, "interpreterJoined", language="de", sessionId=SESSION, timestamp=1)


def test_speaker_sees_the_line_for_interpreters_and_who_comes(recording):
    printed = io.StringIO()
    console = Console(file=printed, width=200)

    play(
        Server(createSession=with_a_key),
        lambda url: talk.speak(url, recording, "en", 0, console, options=" --pid 7"),
    )

    assert printed.getvalue().splitlines() == [
        f"session {SESSION}",
        f"interpreters: {VARIABLE}='k7Qm wT3x' "
        f"{own_command()} interpret {SESSION} FILE.wav --language LANGUAGE --pid 7",
        "an interpreter for de has joined",
        "sent 3 chunks, 0.3 s",
    ]


# --- real processes --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_ctrl_c_leaves_the_session(command, tmp_path, number, code):
    path, server = tmp_path / "minute.wav", Server()
    write_recording(path, Recording(CHUNK * 600, 16_000, 1))
    environ = os.environ | {VARIABLE: KEY}
    process = command(server, "interpret", SESSION, str(path), "--language", "de", env=environ)
    until(lambda: server.count("sendAudio") >= 2)

    process.send_signal(number)
    out, err = process.communicate(timeout=20)

    sent = server.count("sendAudio")
    assert process.returncode == code
    assert err == f"interrupted: {sent} of 600 chunks were sent, and the session was left\n"
    assert out.endswith(f"sent {sent} chunks, {sent / 10} s\n")
    assert "endSession" not in server.actions
    assert KEY not in out + err


@pytest.mark.slow
def test_captioner_who_waits_for_its_next_cue_leaves_on_ctrl_c(command, captions):
    captions.write_text(CAPTIONS + "\n01:00:00.000 --> 01:00:01.000\nVery late.\n")
    server = Server()
    process = command(
        server, *("caption", SESSION, str(captions), "--language", "en", "--key", KEY)
    )
    until(lambda: server.count("sendCaption") == 2)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert err == "interrupted: 2 of 3 captions were sent, and the session was left\n"
    assert out.endswith("sent 2 captions\n")
    assert KEY not in out + err


@pytest.mark.parametrize("command_name", ["interpret", "caption"])
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "Missing option '--key'"),
        (["--key", "secret7"], "a key has 8 to 64 characters"),
    ],
)
def test_key_is_needed_and_not_that_of_listeners(command_name, given, sentence):
    environ = {"WEBSOCKET_AUDIO_KEY": "key-of-listeners"}
    arguments = [command_name, SESSION, __file__, "--language", "de", *given]

    result = CliRunner().invoke(main, arguments, env=environ)

    assert result.exit_code == 2
    assert sentence in result.output
    assert "secret7" not in result.output


@pytest.mark.parametrize("command_name", ["interpret", "caption"])
def test_help_names_the_variable_that_the_process_list_does_not_show(command_name):
    text = " ".join(CliRunner().invoke(main, [command_name, "--help"]).output.split())

    assert f"The process list shows it; {VARIABLE} does not." in text
    assert "--token-file" in text
