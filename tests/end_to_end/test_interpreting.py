"""`interpret`, `caption` and `listen` against the deployed stack, as people use them."""

import asyncio
import io
import itertools

import pytest
from rich.console import Console

from local import talk
from local.audio import Recording, write_recording
from local.client import stream
from local.interpret import caption, interpret
from local.results import ExitCode, TalkError
from tests.sounds import read_wav

SIZE = 3200  # bytes of a chunk
FLOOR = [bytes([number]) * SIZE for number in range(90)]
CHANNEL = [bytes([number]) * SIZE for number in range(200, 230)]
SOON = 20.0


class Command:
    """One command that runs, and what it prints."""

    def __init__(self, work, *arguments, **options):
        self._output = io.StringIO()
        console = Console(file=self._output, soft_wrap=True, markup=False, highlight=False)
        self.task = asyncio.create_task(work(*arguments, console, **options))

    async def ended(self):
        """Wait for its end; return its exit code."""
        try:
            await self.task
        except TalkError as error:
            return error.code
        return ExitCode.DONE

    @property
    def lines(self):
        return self._output.getvalue().splitlines()


@pytest.fixture
def interpretation(tmp_path):
    path = tmp_path / "interpretation.wav"
    write_recording(path, Recording(b"".join(CHANNEL), 16_000, 1))
    return path


def runs_of(path):
    """Return what a file has, as runs of chunks that follow each other."""
    pcm = read_wav(path).pcm
    numbers = [pcm[start] for start in range(0, len(pcm), SIZE)]
    runs = itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    return [[number for _, number in run] for _, run in runs]


def test_interpreter_who_comes_and_goes_is_heard_in_between(live, interpretation, tmp_path):
    """Once the channel has begun, or ended, an environment may act on the older state for two seconds."""
    files = {audio: tmp_path / f"{audio}.wav" for audio in ("interpreted", "original")}

    async def scenario(stage):
        speaker, created = await stage.speaker()
        session, key = created["sessionId"], created["interpreterKey"]
        listening = []
        for audio, output in files.items():
            wanted = (stage.url, session, "de", output, 5.0)
            listening.append(Command(talk.listen, *wanted, audio=audio))
            await speaker.expect("listenerJoined", SOON)
        begun = asyncio.Event()
        counted = lambda number: number < 5 or begun.set()  # noqa: E731
        speaking = asyncio.create_task(stream(speaker, FLOOR, 0.1, sent=counted))
        await begun.wait()
        interpreting = Command(interpret, stage.url, session, "de", interpretation, key=key)
        codes = [await interpreting.ended()]
        await speaker.expect("interpreterLeft", SOON)
        await speaking
        await speaker.request("endSession")
        codes += [await one.ended() for one in listening]
        return codes, interpreting.lines, listening[0].lines, listening[1].lines

    codes, interpreted, heard, original = live.play(scenario)

    assert codes == [0, 0, 0], heard + original
    assert interpreted[-1] == "sent 30 chunks, 3.0 s"
    assert [line for line in heard if "hear " in line] == [
        "channels: de; you hear the interpreter for de",
        "channels: none; you hear the speaker",
    ]
    assert [line for line in original if "hear " in line] == [
        "channels: de; you hear the speaker",
        "channels: none; you hear the speaker",
    ]
    assert runs_of(files["original"]) == [list(range(90))]
    before, channel, after = runs_of(files["interpreted"])
    assert before[0] == 0
    assert channel[0] >= 200
    assert channel[-1] == 229
    assert before[-1] < after[0]
    assert after[-1] == 89


def test_captions_are_read_in_their_order_by_those_who_asked_and_the_speaker(live, tmp_path):
    path = tmp_path / "talk.vtt"
    path.write_text(
        "WEBVTT\n\n00:00.000 --> 00:01.000\nGood morning.\n\n"
        f"00:00.500 --> 00:02.000\n{'word ' * 101}\n\n00:01.000 --> 00:02.000\nBye.\n"
    )

    async def scenario(stage):
        speaker, created = await stage.speaker()
        session, key = created["sessionId"], created["interpreterKey"]
        readers = []
        for captions in (True, False):
            wanted = (stage.url, session, "es", tmp_path / f"{captions}.wav", 5.0)
            readers.append(Command(talk.listen, *wanted, captions=captions))
            await speaker.expect("listenerJoined", SOON)
        captioning = Command(caption, stage.url, session, "en", path, key=key)
        code = await captioning.ended()
        texts = [(await speaker.expect("caption", SOON))["text"] for _ in range(4)]
        await speaker.request("endSession")
        for reader in readers:
            await reader.ended()
        return code, captioning.lines, texts, [reader.lines for reader in readers]

    code, captioned, texts, (read, unread) = live.play(scenario)

    expected = ["Good morning.", ("word " * 100).strip(), "word", "Bye."]
    assert (code, captioned[-1]) == (0, "sent 4 captions")
    assert sorted(texts) == sorted(expected)
    assert [line for line in read if line.startswith("[")] == [f"[en] {one}" for one in expected]
    assert [line for line in unread if line.startswith("[")] == []


def test_second_interpreter_and_wrong_key_are_refused(live, interpretation):
    async def scenario(stage):
        speaker, created = await stage.speaker()
        session, key = created["sessionId"], created["interpreterKey"]
        first = Command(interpret, stage.url, session, "de", interpretation, key=key)
        await speaker.expect("interpreterJoined", SOON)
        errors = []
        for given in (key, "key-of-nobody"):
            with pytest.raises(TalkError) as caught:
                await Command(interpret, stage.url, session, "de", interpretation, key=given).task
            errors.append(caught.value)
        return await first.ended(), errors

    code, (taken, wrong) = live.play(scenario)

    assert code == ExitCode.DONE
    assert {taken.code, wrong.code} == {ExitCode.FAILED}
    assert str(taken).startswith("SESSION_LANGUAGE_TAKEN: ")
    assert str(wrong).startswith("SESSION_NOT_FOUND: ")
