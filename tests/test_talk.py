"""`speak` and `listen` say what happened and nothing else: against a server that fails in every way.

Most run in this process; signals and terminals meet real processes.
"""

import asyncio
import io
import os
import pty
import re
import select
import signal
import subprocess
import termios

import pytest
from click.testing import CliRunner
from rich.console import Console

from local import talk
from local.__main__ import main
from local.audio import Recording, write_recording
from local.client import Chunk, SessionClientError
from local.results import ExitCode, TalkError, run_interruptibly
from local.state import RunningSystem, announced
from tests.issuer import Issuer
from tests.sounds import read_wav, tone, write
from tests.talk_server import (
    CHUNK,
    FORMAT,
    ROOT,
    Server,
    abort,
    after,
    broadcast,
    code_of,
    commands,
    end_session,
    fail,
    go_away,
    play,
    refuse,
    send,
    send_chunks,
    served,
    shorten_pauses,
    silence,
    two_chunks,
    until,
)
from wslocal import LoopThread

# --- what a server may do, for an action -----------------------------------------------------------


async def refuse_twice(server, socket, message):
    if server.count("sendAudio") == 1:
        await refuse("AUDIO_INVALID_FORMAT")(server, socket, message)
    if server.count("sendAudio") == 2:
        await fail(server, socket, message)


async def fail_and_reply(server, socket, message):
    await fail(server, socket, message)
    return True


async def first_and_fifth_chunk(server, socket, message):
    await send_chunks(socket, 0, 4)


async def chunks_with_a_jump(server, socket, message):
    await send_chunks(socket, 0, 2**53)


async def nonsense(server, socket, message):
    await socket.send("[1, 2")


async def no_audio(server, socket, message):
    await send(socket, "audio", sequenceNumber=0)


# --- in this process -------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    shorten_pauses(monkeypatch)


@pytest.fixture
def recording(tmp_path):
    """Return a WAV file of three chunks."""
    path = tmp_path / "three.wav"
    write_recording(path, Recording(CHUNK * 3, 16_000, 1))
    return path


def spoken(server, recording, listeners=0):
    """Return what `speak` printed, its exit code, and its sentence."""
    output = io.StringIO()
    console = Console(file=output, width=160)
    error = play(server, lambda url: talk.speak(url, recording, "en", listeners, console))
    return output.getvalue(), code_of(error), str(error or "")


def test_all_was_sent_and_the_session_ended(recording):
    server = Server()

    printed, code, sentence = spoken(server, recording)

    assert (code, sentence) == (0, "")
    assert printed == "session golden-eagle-427\nsent 3 chunks, 0.3 s\n"
    assert server.actions == ["createSession", *["sendAudio"] * 3, "endSession"]


@pytest.mark.parametrize(
    ("on", "code", "sentence"),
    [
        pytest.param(
            {"sendAudio": after(2, abort)},
            ExitCode.DISCONNECTED,
            "2 of 3 chunks were sent; then the connection broke without a closing frame",
            id="connection-broken",
        ),
        pytest.param(
            {"sendAudio": after(2, go_away)},
            ExitCode.DISCONNECTED,
            "2 of 3 chunks were sent; then the connection was closed: 1001 Going away",
            id="server-going-away",
        ),
        pytest.param(
            {"sendAudio": after(1, end_session)},
            ExitCode.CUT_SHORT,
            "1 of 3 chunks were sent when the session was ended: sessionExpired",
            id="session-ended-by-others",
        ),
        pytest.param(
            {"sendAudio": after(3, end_session)},
            ExitCode.CUT_SHORT,
            "3 of 3 chunks were sent when the session was ended: sessionExpired",
            id="session-ended-after-the-last-chunk",
        ),
        pytest.param(
            {"sendAudio": refuse_twice},
            ExitCode.REFUSED,
            "2 of 3 chunks were refused: 1 AUDIO_INVALID_FORMAT, 1 Internal server error",
            id="audio-refused",
        ),
        pytest.param(
            {"endSession": abort},
            ExitCode.DISCONNECTED,
            "3 of 3 chunks were sent; then the connection broke without a closing frame",
            id="broken-at-the-end",
        ),
        pytest.param(
            {"endSession": silence},
            ExitCode.UNANSWERED,
            "3 of 3 chunks were sent; then endSession: no reply in 0.3 s",
            id="end-without-a-reply",
        ),
        pytest.param(
            {"endSession": refuse("INTERNAL_DATABASE_ERROR")},
            ExitCode.UNANSWERED,
            "3 of 3 chunks were sent; then INTERNAL_DATABASE_ERROR: No",
            id="end-refused",
        ),
        pytest.param(
            {"endSession": fail},
            ExitCode.UNANSWERED,
            "3 of 3 chunks were sent; then endSession failed: Internal server error",
            id="end-failed",
        ),
        pytest.param(
            {"sendAudio": fail, "endSession": silence},
            ExitCode.UNANSWERED,
            "3 of 3 chunks were sent; then endSession: no reply in 0.3 s",
            id="chunks-failed-and-then-no-reply",
        ),
        pytest.param(
            {"endSession": fail_and_reply},
            ExitCode.REFUSED,
            "1 of 3 chunks were refused: 1 Internal server error",
            id="late-error-of-a-chunk-before-the-reply",
        ),
        pytest.param(
            {"createSession": fail},
            ExitCode.UNANSWERED,
            "createSession failed: Internal server error",
            id="no-session-for-a-failure",
        ),
        pytest.param(
            {"createSession": silence},
            ExitCode.UNANSWERED,
            "createSession: no reply in 0.3 s",
            id="no-session-and-no-reply",
        ),
        pytest.param(
            {"sendAudio": after(1, nonsense)},
            ExitCode.DISCONNECTED,
            "1 of 3 chunks were sent; then a message that is not JSON came",
            id="server-talks-nonsense",
        ),
        pytest.param(
            {"createSession": refuse("RATE_LIMIT_SESSION_CREATION", retryAfterMs=8_000)},
            ExitCode.FAILED,
            "RATE_LIMIT_SESSION_CREATION: No; "
            "wait 8 s: others behind the same address may have caused it; "
            "`up --set RATE_LIMIT_SESSION_CREATION=1000` allows more",
            id="no-session",
        ),
        pytest.param(
            {"createSession": go_away},
            ExitCode.FAILED,
            "the connection was closed: 1001 Going away",
            id="closed-before-the-session",
        ),
    ],
)
def test_speak_says_what_was_not_done(recording, on, code, sentence):
    printed, got, said = spoken(Server(**on), recording)

    assert (got, said) == (code, sentence)
    count = re.match(r"(\d+) of 3 chunks were sent", said)
    assert count is None or re.search(rf"^sent {count[1]} chunks?, 0\.{count[1]} s", printed, re.M)


def test_refusals_of_one_kind_are_shown_once(recording):
    async def refuse_all(server, socket, message):
        await refuse("AUDIO_INVALID_FORMAT")(server, socket, message)

    printed, _, said = spoken(Server(sendAudio=refuse_all), recording)

    assert said == "3 of 3 chunks were refused: 3 AUDIO_INVALID_FORMAT"
    assert printed.count("AUDIO_INVALID_FORMAT") == 1
    assert "sent 3 chunks, 0.3 s, 3 refused" in printed


@pytest.mark.parametrize(
    ("then", "code", "sentence"),
    [
        (abort, ExitCode.DISCONNECTED, "then the connection broke without a closing frame"),
        (end_session, ExitCode.CUT_SHORT, "0 of 3 chunks were sent when the session was ended"),
    ],
)
def test_speaker_who_waits_for_listeners_notices_the_end(recording, then, code, sentence):
    server = Server(createSession=broadcast(then))

    _, got, said = spoken(server, recording, listeners=2)

    assert got == code
    assert sentence in said
    assert server.count("sendAudio") == 0


def test_nobody_there_is_said(recording):
    async def run():
        with pytest.raises(SessionClientError, match=r"ws://127\.0\.0\.1:1 cannot be reached: "):
            await talk.speak("ws://127.0.0.1:1", recording, "en", 0, Console(file=io.StringIO()))

    asyncio.run(run())


def heard(server, output):
    printed = io.StringIO()
    console = Console(file=printed, width=200)
    error = play(
        server, lambda url: talk.listen(url, "golden-eagle-427", "es", output, 0.1, console)
    )
    return printed.getvalue(), code_of(error), str(error or "")


def test_what_was_heard_is_written_when_the_session_ends(tmp_path):
    output = tmp_path / "heard.wav"

    printed, code, said = heard(Server(joinSession=broadcast(two_chunks, end_session)), output)

    assert (code, said) == (0, "")
    assert f"wrote {output}: 0.2 s, 2 chunks, 0 missing" in printed
    assert read_wav(output).pcm == CHUNK * 2


def invoked(server, *arguments):
    """Return what the command line makes of these words in this process, beside the only system."""
    with LoopThread() as loop:
        url = loop.enter(served(server))
        system = RunningSystem(os.getpid(), url, None, "stack", "namespace", {}, 0.0)
        with announced(system):
            return CliRunner().invoke(main, [*arguments, "--pid", str(os.getpid())])


def test_listener_writes_over_no_file_unless_it_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "golden-eagle-427.wav").write_text("of yesterday")
    server = Server(joinSession=broadcast(two_chunks, end_session))
    arguments = ["listen", "golden-eagle-427", "--no-play"]

    results = [invoked(server, *arguments), invoked(server, *arguments)]

    assert [result.exit_code for result in results] == [0, 0]
    assert "listening to golden-eagle-427 in en;" in results[0].stdout

    assert (tmp_path / "golden-eagle-427.wav").read_text() == "of yesterday"
    assert read_wav(tmp_path / "golden-eagle-427-2.wav").pcm == CHUNK * 2
    assert read_wav(tmp_path / "golden-eagle-427-3.wav").pcm == CHUNK * 2
    assert {one["targetLanguage"] for one in server.received} == {"en"}


@pytest.mark.parametrize(
    ("chunks", "code", "words"),
    [
        (
            first_and_fifth_chunk,
            ExitCode.REFUSED,
            "3 of 5 chunks did not come in time: {} has silence in their place",
        ),
        (chunks_with_a_jump, ExitCode.DONE, ""),
    ],
)
def test_chunks_that_are_missing_are_no_success(tmp_path, chunks, code, words):
    output = tmp_path / "heard.wav"

    printed, got, said = heard(Server(joinSession=broadcast(chunks, end_session)), output)

    assert (got, said) == (code, words.format(output))
    assert f"2 chunks, {3 if code else 0} missing" in printed


def test_listener_who_gets_no_reply_has_its_code(tmp_path):
    _, code, said = heard(Server(joinSession=fail), tmp_path / "heard.wav")

    assert (code, said) == (6, "joinSession failed: Internal server error")


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (go_away, "the connection was closed: 1001 Going away"),
        (abort, "the connection broke without a closing frame"),
        (nonsense, "a message that is not JSON came"),
        (no_audio, "an audio message without audio came: 'audioData'"),
    ],
)
def test_connection_that_ends_before_the_session_is_no_success(tmp_path, then, words):
    output = tmp_path / "heard.wav"

    printed, code, said = heard(Server(joinSession=broadcast(two_chunks, then)), output)

    assert code == ExitCode.DISCONNECTED
    assert said == f"{words}; {output} has what was heard until then"
    assert "2 chunks" in printed
    assert read_wav(output).pcm == CHUNK * 2


def test_file_that_cannot_be_written_is_noticed_before_joining(tmp_path):
    server = Server()

    _, code, said = heard(server, tmp_path / "nowhere" / "heard.wav")

    assert code == 1
    assert said.endswith("nowhere/heard.wav cannot be written: No such file or directory")
    assert server.received == []


def test_file_that_can_no_longer_be_written_is_no_success(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()

    async def remove_folder(server, socket, message):
        folder.rmdir()

    server = Server(joinSession=broadcast(two_chunks, remove_folder, end_session))

    printed, code, said = heard(server, folder / "heard.wav")

    assert code == ExitCode.FAILED
    assert said.endswith("cannot be written, what was heard is lost: No such file or directory")
    assert "wrote" not in printed


def test_jump_in_the_numbers_is_not_written_as_silence():
    from local.audio import JitterBuffer

    heard = talk.Heard(FORMAT, JitterBuffer(0.1))
    for number in (0, 2, 2**53):
        heard.add(Chunk(number, CHUNK, 0.0, 1.0))

    assert heard.recording.pcm == CHUNK + bytes(len(CHUNK)) + CHUNK * 2


def test_file_that_is_cut_is_spoken_and_said(recording):
    server = Server()
    recording.write_bytes(recording.read_bytes()[: -len(CHUNK) * 2])

    printed, code, _ = spoken(server, recording)

    assert code == 0
    assert server.count("sendAudio") == 1
    assert printed.splitlines()[0] == (
        "three.wav is cut or damaged: 0.1 s of sound are there and will be sent, its header claims 0.3 s"
    )


def test_ogg_that_is_cut_is_spoken_and_said(tmp_path):
    path = write(tmp_path / "cut.ogg", tone(3.0))
    path.write_bytes(path.read_bytes()[:-1])

    printed, code, _ = spoken(Server(), path)

    assert code == 0
    assert re.match(
        r"cut\.ogg is cut, its end is missing: [12]\.\d s of sound are there and will be sent\n",
        printed,
    )


def test_difference_of_milliseconds_is_shown_as_one(recording):
    recording.write_bytes(recording.read_bytes()[:-32])

    printed, _, _ = spoken(Server(), recording)

    assert "0.299 s of sound are there and will be sent, its header claims 0.300 s" in printed


def test_file_of_another_format_is_converted_and_it_is_said(tmp_path):
    server = Server()

    printed, code, _ = spoken(server, write(tmp_path / "music.mp3", tone(0.3, 44_100, 2)))

    assert code == 0
    assert printed.splitlines() == [
        "music.mp3: 44,100 Hz stereo MP3 to 48,000 Hz stereo, 16 bit",
        "session golden-eagle-427",
        "sent 3 chunks, 0.3 s",
    ]
    created = server.received[0]["audioFormat"]
    assert created == {"encoding": "pcm_s16le", "sampleRate": 48_000, "channels": 2}


def test_file_that_is_none_is_noticed_before_the_session(tmp_path):
    path, server = tmp_path / "text.mp3", Server()
    path.write_text("Hello")

    printed, code, said = spoken(server, path)

    assert (printed, code) == ("", 1)
    assert said == "text.mp3 is no WAV, MP3, FLAC or Ogg file, or is damaged"
    assert server.received == []


# --- real processes, signals, terminals ------------------------------------------------------------

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.fixture
def command():
    with commands() as start:
        yield start


@pytest.fixture
def minute(tmp_path):
    path = tmp_path / "minute.wav"
    write_recording(path, Recording(CHUNK * 600, 16_000, 1))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_ctrl_c_ends_the_speakers_session(command, minute, number, code):
    server = Server()
    process = command(server, "speak", str(minute))
    until(lambda: server.count("sendAudio") >= 2)

    process.send_signal(number)
    out, err = process.communicate(timeout=20)

    sent = server.count("sendAudio")
    assert process.returncode == code
    assert err == f"interrupted: {sent} of 600 chunks were sent, and the session was ended\n"
    assert out.endswith(f"sent {sent} chunks, {sent / 10} s\n")
    assert server.actions[-1] == "endSession"


@pytest.mark.slow
def test_second_ctrl_c_does_not_wait_for_the_end(command, minute):
    server = Server(endSession=silence)
    process = command(server, "speak", str(minute), "--listeners", "1")
    until(lambda: server.count("createSession"))
    assert process.stdout.readline() == "session golden-eagle-427\n"
    assert process.stdout.readline() == "waiting for listener 1 of 1\n"

    process.send_signal(signal.SIGINT)
    until(lambda: server.count("endSession"))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)

    assert process.returncode == 4
    assert err == "interrupted twice: 0 of 600 chunks were sent\n"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_ctrl_c_writes_what_a_listener_has_heard(command, tmp_path, number, code):
    output = tmp_path / "heard.wav"
    server = Server(joinSession=broadcast(two_chunks))
    process = command(
        server, "listen", "golden-eagle-427", "--no-play", "-o", str(output), "--jitter", "60"
    )
    assert "listening to" in process.stdout.readline()

    process.send_signal(number)
    out, err = process.communicate(timeout=20)

    assert process.returncode == code
    assert err == f"interrupted: {output} has what was heard until then\n"
    assert f"wrote {output}: " in out


@pytest.mark.slow
def test_speak_at_a_terminal_has_keys_and_leaves_it_as_it_was(command, minute):
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    server = Server()
    process = command(
        server,
        "speak",
        str(minute),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=lambda: os.login_tty(theirs),
        text=False,
    )
    shown = b""
    while b"q end" not in shown:
        ready, _, _ = select.select([ours], [], [], 20)
        assert ready
        shown += os.read(ours, 4096)
    os.write(ours, b"px")
    until(lambda: server.count("pauseBroadcast"))
    os.write(ours, b"\x03")  # as a person does it: the terminal makes the signal
    process.wait(20)

    assert process.returncode == 130
    assert server.actions[-1] == "endSession"
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


@pytest.mark.slow
def test_speak_in_the_background_of_a_terminal_is_not_stopped(command, recording):
    """The kernel stops what changes a terminal's settings, or reads it, from there."""
    ours, theirs = pty.openpty()
    server = Server()
    process = command(
        server,
        *("speak", str(recording)),
        by=("bash", "-c", 'set -m; "$@" & wait', "bash"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=lambda: os.login_tty(theirs),
        text=False,
    )
    process.wait(20)

    assert process.returncode == 0
    assert server.count("endSession") == 1
    shown = os.read(ours, 4096)
    assert b"sent 3 chunks" in shown
    assert b"keys:" not in shown
    os.close(ours)
    os.close(theirs)


@pytest.mark.slow
def test_closed_terminal_ends_nothing_under_nohup(command, minute):
    server = Server()
    process = command(server, "speak", str(minute), by=("nohup",))
    until(lambda: server.count("sendAudio") >= 2)

    process.send_signal(signal.SIGHUP)
    count = server.count("sendAudio")
    until(lambda: server.count("sendAudio") >= count + 3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)

    assert process.returncode == 130


@pytest.mark.slow
@pytest.mark.parametrize("module", ["click", "numpy"])
def test_ctrl_c_while_the_command_starts_says_nothing(command, recording, module):
    """The second is imported by the command itself. The shell calls this 130, as after a Ctrl-C that comes later."""
    # Whoever started the tests may ignore the signal, and a child would, too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = command(Server(), "speak", str(recording), options=("-X", "importtime"))
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        for line in process.stderr:
            if line.endswith(f" {module}\n"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()

    assert process.returncode == -signal.SIGINT
    assert "Traceback" not in rest
    assert "Aborted" not in rest


def test_ctrl_c_does_what_it_did_once_a_command_has_ended():
    """Else it would raise in the middle of what is said last."""

    async def work():
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(20)

    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        with pytest.raises(TalkError, match="interrupted"):
            run_interruptibly(work())
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_long_path_is_in_one_line(command, tmp_path):
    output = tmp_path / ("x" * 170 + " y")
    process = command(
        Server(joinSession=broadcast(two_chunks, end_session)),
        *("listen", "golden-eagle-427", "--no-play", "-o", str(output)),
    )
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 0
    assert f"wrote {output}: 0.2 s, 2 chunks, 0 missing" in out.splitlines()


@pytest.mark.slow
def test_what_the_server_says_moves_no_cursor(command, recording):
    async def play_tricks(server, socket, message):
        fields = {"code": "SESSION_FULL", "message": "No\x1b[2J", "requestId": message["requestId"]}
        await send(socket, "error", **fields)

    process = command(Server(createSession=play_tricks), "speak", str(recording))
    _, err = process.communicate(timeout=20)

    assert (process.returncode, err) == (1, "SESSION_FULL: No\\x1b[2J\n")


def pipe_without_a_reader():
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.slow
@pytest.mark.parametrize(
    ("which", "place"),
    [
        *[("stdout", "closed-pipe"), ("stderr", "full-disk")],
        *[
            pytest.param(which, place, marks=pytest.mark.long)
            for which, place in (
                *[("stdout", "full-disk"), ("stdout", "closed-before")],
                *[("stderr", "closed-pipe"), ("stderr", "closed-before")],
            )
        ],
    ],
)
def test_output_that_nobody_takes_breaks_nothing(command, recording, which, place):
    server = Server(sendAudio=refuse("AUDIO_INVALID_FORMAT"))
    number = {"stdout": 1, "stderr": 2}[which]
    popen = {which: subprocess.DEVNULL}
    if place == "closed-before":
        popen["preexec_fn"] = lambda: os.close(number)
    else:
        full = place == "full-disk"
        popen[which] = os.open("/dev/full", os.O_WRONLY) if full else pipe_without_a_reader()

    process = command(server, "speak", str(recording), **popen)
    out, err = process.communicate(timeout=20)
    if place != "closed-before":
        os.close(popen[which])

    assert process.returncode == 3
    assert server.actions == ["createSession", *["sendAudio"] * 3, "endSession"]
    sentence = "3 of 3 chunks were refused: 3 AUDIO_INVALID_FORMAT\n"
    assert (err if which == "stdout" else sentence) == sentence
    assert (out if which == "stderr" else "session ").startswith("session ")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["status", "metrics", "logs"])
def test_what_only_shows_something_fails_where_nothing_can_be_shown(command, name):
    """Who reads a pipe may stop, but a file that has less than all of it must not look whole."""
    closed = command(Server(), name, preexec_fn=lambda: os.close(1))

    _, err = closed.communicate(timeout=20)

    assert (closed.returncode, err) == (1, "Error: nothing can be written: stdout is closed\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("full", "code", "sentence"),
    [
        (True, 1, "Error: stdout cannot be written: No space left on device\n"),
        (False, 0, ""),
    ],
    ids=["full-disk", "closed-pipe"],
)
def test_status_that_cannot_be_shown_is_an_error_unless_nobody_reads(command, full, code, sentence):
    stdout = os.open("/dev/full", os.O_WRONLY) if full else pipe_without_a_reader()
    process = command(Server(), "status", stdout=stdout)

    _, err = process.communicate(timeout=20)
    os.close(stdout)

    assert (process.returncode, err) == (code, sentence)


@pytest.fixture(scope="module")
def issuer():
    """Return an issuer that runs."""
    with Issuer() as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "claims", "code", "words"),
    [
        pytest.param("file", {}, 0, "", id="file"),
        pytest.param("variable", {}, 0, "", id="variable"),
        pytest.param(
            "file", {"aud": "b"}, 1, "status 401: the access token was refused", id="for-another"
        ),
        pytest.param("variable", {"exp": 1}, 2, "expired on 1970-01-01", id="expired"),
        pytest.param("nowhere", {}, 1, "status 401: the access token is missing", id="missing"),
    ],
)
def test_speaker_with_a_token_is_let_in_and_its_token_is_in_no_output(
    command, issuer, recording, tmp_path, place, claims, code, words
):
    server, token = Server(issuer), issuer.token(**claims)
    file = tmp_path / "token"
    file.write_text(token)
    file.chmod(0o644)
    given = ["--token-file", str(file)] if place == "file" else []
    variables = {"WEBSOCKET_AUDIO_TOKEN": token} if place == "variable" else {}
    environ = os.environ | variables | {"WEBSOCKET_AUDIO_KEY": "a-key-in-secret"}

    process = command(server, "speak", str(recording), *given, env=environ)
    out, err = process.communicate(timeout=20)

    assert process.returncode == code
    assert words in err
    assert ("others may read" in err) == (place == "file")
    assert token not in out + err
    assert "a-key-in-secret" not in out + err
    keys = [one.get("listenerKey") for one in server.received if one["action"] == "createSession"]
    assert keys == ([] if code else ["a-key-in-secret"])


NEEDS_ORIGIN = "no origin was sent, and only certain ones may connect, or a policy forbids it"
OTHER_ORIGIN = "the origin sent was https://b.example, and only certain ones may connect"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "variable", "code", "words"),
    [
        pytest.param([], {}, 1, f"status 403: {NEEDS_ORIGIN} (see --origin)\n", id="none"),
        pytest.param(["--origin", "https://a.example"], {}, 0, "", id="option"),
        pytest.param(["--origin", "HTTPS://A.example/"], {}, 0, "", id="as-a-browser-sends-it"),
        pytest.param([], {"WEBSOCKET_AUDIO_ORIGIN": "https://a.example"}, 0, "", id="variable"),
        pytest.param(["--origin", "https://b.example"], {}, 1, OTHER_ORIGIN, id="another"),
    ],
)
def test_commands_connect_as_an_origin_where_only_some_may(
    command, recording, given, variable, code, words
):
    process = command(
        Server(origin="https://a.example"),
        *("speak", str(recording), *given),
        env=os.environ | variable,
    )
    _, err = process.communicate(timeout=20)

    assert process.returncode == code
    assert words in err
    assert "token" not in err


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "a.example",
            "https://",
            "https://a.example/page",
            "https://a b",
            "https://\u00e9.example",
        ),
        *("", "https://a.example\r\nCookie: x", "https://u@a.example", "null"),
    ],
)
@pytest.mark.parametrize("arguments", [["speak", __file__], ["listen", "golden-eagle-427"]])
def test_origin_that_is_none_is_refused(arguments, origin):
    result = CliRunner().invoke(main, [*arguments, "--origin", origin])

    assert result.exit_code == 2
    assert "Invalid value for '--origin'" in result.output
    assert "must look like https://example.org" in result.output


@pytest.mark.parametrize(
    ("key", "play_join", "sentence"),
    [
        pytest.param(
            None,
            refuse("SESSION_NOT_FOUND"),
            "SESSION_NOT_FOUND: No; a private one needs its --key",
            id="no-key",
        ),
        pytest.param(
            "key-of-it",
            refuse("SESSION_NOT_FOUND"),
            "SESSION_NOT_FOUND: No; its name or its key is wrong",
            id="wrong-key",
        ),
        pytest.param(
            None,
            refuse("RATE_LIMIT_EXCEEDED", retryAfterMs=44_001),
            "RATE_LIMIT_EXCEEDED: No; wait 45 s: others behind the same address may have caused it",
            id="too-many-failed-joins",
        ),
        pytest.param(
            None,
            refuse("RATE_LIMIT_EXCEEDED"),
            "RATE_LIMIT_EXCEEDED: No; wait a minute: others behind the same address may have caused it",
            id="no-time-given",
        ),
        pytest.param(
            None,
            refuse("AUTH_MISSING_TOKEN"),
            "AUTH_MISSING_TOKEN: No (see --token-file)",
            id="no-token",
        ),
        pytest.param(
            None, refuse("SESSION_FULL", a=1), "SESSION_FULL: No", id="nothing-to-be-done"
        ),
    ],
)
def test_listener_says_the_key_and_sees_what_may_help(tmp_path, key, play_join, sentence):
    server = Server(joinSession=play_join)
    output, console = tmp_path / "heard.wav", Console(file=io.StringIO())
    work = lambda url: talk.listen(url, "a-b-123", "es", output, 0.1, console, key=key)  # noqa: E731

    error = play(server, work)

    assert [one.get("listenerKey") for one in server.received] == [key]
    assert (code_of(error), str(error)) == (ExitCode.FAILED, sentence)


async def warn_of_keys(server, socket, message):
    fields = {"limit": 100, "windowSeconds": 60, "retryAfterMs": 9_000, "timestamp": 1}
    await send(socket, "rateLimitWarning", reason="wrongKeys", **fields)
    await send(socket, "rateLimitWarning", **fields)
    await send(socket, "listenerJoined", listenerCount=1)


@pytest.mark.parametrize("listeners", [0, 1])
def test_speaker_sees_that_keys_are_tried_also_while_it_waits(recording, listeners):
    server = Server(createSession=broadcast(warn_of_keys))

    printed, code, _ = spoken(server, recording, listeners)

    assert code == 0
    sentence = "somebody tries keys of this session: more than 100 wrong ones in a minute"
    assert printed.splitlines().count(sentence) == 1
    assert "too much is being sent: at most 100 in 60 s are taken" in printed


def test_warning_of_the_session_is_shown(recording):
    async def warn(server, socket, message):
        fields = {"sessionId": "a-b-123", "warning": "The key is short\x1b[2J"}
        await send(socket, "sessionCreated", requestId=message["requestId"], **fields)

    printed, code, _ = spoken(Server(createSession=warn), recording)

    assert code == 0
    assert "warning: The key is short" in printed
    assert "\x1b" not in printed


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["status"], ["speak", "--help"], ["fault", "cut", "A="]])
def test_every_command_takes_a_closed_stdout(command, arguments):
    process = command(Server(), *arguments, stdout=pipe_without_a_reader())
    _, err = process.communicate(timeout=20)

    assert "Traceback" not in err
    assert "Broken pipe" not in err


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "1e20", "x"])
def test_jitter_that_is_no_time_is_refused(seconds):
    result = CliRunner().invoke(main, ["listen", "golden-eagle-427", "--jitter", seconds])

    assert result.exit_code == 2
    assert "Invalid value for '--jitter'" in result.output


def test_exit_codes_are_those_of_the_document():
    document = (ROOT / "docs" / "local.md").read_text()

    rows = re.findall(r"^\| (\d+) \| (.+) \|$", document, re.MULTILINE)

    assert rows == [(str(int(code)), code.meaning) for code in ExitCode]
