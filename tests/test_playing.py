"""What is heard is played as it is written, near what is being said, and never in the way of the file.

Most meet a device that is a plain object, which takes what a test has it take.
"""

import asyncio
import io
import os
import threading
import time

import numpy as np
import pytest
from rich.console import Console

from local import playing, talk
from local.playing import NoDeviceError, Playback, open_device, played
from tests.page_faults.recording import RATE
from tests.page_faults.sound import EAR, WITHOUT_PULSEAUDIO, SoundMachine, pulseaudio
from tests.sounds import read_wav, tone
from tests.talk_server import (
    CHUNK,
    Server,
    broadcast,
    code_of,
    end_session,
    play,
    send_chunks,
    shorten_pauses,
    two_chunks,
)

FORMAT = {"sampleRate": 16_000, "channels": 1}
SECOND = 32_000
OTHER = bytes(range(100, 200)) * 32


class Speakers:
    """A device that takes sound when it is told to."""

    def __init__(self, rate=0, channels=0):
        self.format = (rate, channels)
        self.heard = b""
        self.is_closed = False

    def start(self, source):
        self.source = source

    def take(self, num_frames):
        taken = self.source.send(num_frames)
        self.heard += taken
        return taken

    def close(self):
        self.is_closed = True


class Greedy(Speakers):
    """One that takes what there is in a thread of its own, as a real one does, but as fast as it can."""

    def start(self, source):
        super().start(source)

        def work():
            while not self.is_closed:
                self.take(160)
                time.sleep(0.0005)

        self.thread = threading.Thread(target=work)
        self.thread.start()

    def close(self):
        super().close()
        self.thread.join()


def with_playback(work):
    """Run `work(playback, device)` with a device that takes what it is told to."""

    async def main():
        playback, device = Playback(16_000, 1), Speakers()
        source = playback.source()
        next(source)
        device.start(source)
        result = work(playback, device)
        return await result if result else None

    return asyncio.run(main())


def test_sound_is_played_in_its_order_once_enough_is_there():
    def work(playback, device):
        playback.add(0, CHUNK)
        assert device.take(1_600) == bytes(3_200)
        playback.add(0, OTHER)
        assert device.take(800) == bytes(1_600)
        playback.add(0, CHUNK)
        assert device.take(4_000) == CHUNK + OTHER + CHUNK[:1_600]
        assert device.take(800) == CHUNK[1_600:]

    with_playback(work)


def test_silence_stands_for_a_chunk_that_is_missing():
    def work(playback, device):
        for gap in (0, 3_200, 0):
            playback.add(gap, CHUNK)

        assert device.take(6_400) == CHUNK + bytes(3_200) + CHUNK + CHUNK

    with_playback(work)


def test_silence_that_was_played_while_nothing_came_is_not_played_again():
    def work(playback, device):
        for _ in range(3):
            playback.add(0, CHUNK)
        device.take(4_800)
        assert device.take(1_000) == bytes(2_000)
        playback.add(3_200, CHUNK)
        for _ in range(3):
            playback.add(0, OTHER)

        assert device.take(2_200) == bytes(1_200) + CHUNK

    with_playback(work)


def test_device_that_stalls_goes_on_near_what_is_being_said():
    """Two seconds may wait; of more, the last 0.4 s are left."""

    def work(playback, device):
        for _ in range(20):
            playback.add(0, CHUNK)
        assert playback.dropped_bytes == 0

        playback.add(0, OTHER)

        assert playback.dropped_bytes == 21 * 3_200 - 12_800
        assert device.take(6_400) == CHUNK * 3 + OTHER

    with_playback(work)


def test_device_that_takes_nothing_at_all_costs_two_seconds_of_memory():
    def work(playback, device):
        for _ in range(1_000):
            playback.add(0, CHUNK)

        assert sum(map(len, playback._pieces)) <= 2 * SECOND

    with_playback(work)


def test_rest_is_played_though_it_is_short():
    async def work(playback, device):
        playback.add(0, CHUNK)
        finishing = asyncio.create_task(playback.finish())
        await asyncio.sleep(0)
        while not finishing.done():
            device.take(1_000)
            await asyncio.sleep(0)
        assert device.heard.rstrip(b"\0") == CHUNK.rstrip(b"\0")

    with_playback(work)


def test_end_does_not_wait_for_a_device_that_takes_nothing(monkeypatch):
    monkeypatch.setattr(playing, "_MOST_SECONDS", -0.99)

    async def work(playback, device):
        playback.add(0, CHUNK)
        await playback.finish()

    with_playback(work)


# --- while listening -------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    shorten_pauses(monkeypatch)
    monkeypatch.setattr(playing, "_PATIENCE_SECONDS", 0.3)


def heard(server, output, device):
    printed = io.StringIO()
    console = Console(file=printed, width=200)
    wanted = ("golden-eagle-427", "es", output, 0.1, console)
    error = play(server, lambda url: talk.listen(url, *wanted, device=device))
    return printed.getvalue(), code_of(error), str(error or "")


async def four_of_five_chunks(server, socket, message):
    await send_chunks(socket, 0, 1, pcm=CHUNK)
    await send_chunks(socket, 3, 4, pcm=OTHER)


def test_what_is_played_is_what_is_written(tmp_path):
    opened = []

    def device(rate, channels):
        opened.append(Greedy(rate, channels))
        return opened[0]

    server = Server(joinSession=broadcast(four_of_five_chunks, end_session))
    printed, code, _ = heard(server, tmp_path / "heard.wav", device)

    (speakers,) = opened
    written = read_wav(tmp_path / "heard.wav").pcm
    assert written == CHUNK * 2 + bytes(3_200) + OTHER * 2
    assert speakers.heard.strip(b"\0").replace(b"\0" * 4, b"") == written.strip(b"\0").replace(
        b"\0" * 4, b""
    )
    assert (speakers.format, speakers.is_closed) == ((16_000, 1), True)
    assert code == 3
    assert "nothing is played" not in printed


def refused(rate, channels):
    raise NoDeviceError("no sound device here")


def broken(rate, channels):
    raise OSError("Oops")


def never(rate, channels):
    time.sleep(1)


class Unstoppable(Speakers):
    def close(self):
        time.sleep(1)


class Unstartable(Speakers):
    def start(self, source):
        raise OSError("Oops")


@pytest.mark.parametrize(
    ("device", "words"),
    [
        pytest.param(refused, "nothing is played: no sound device here\n", id="none"),
        pytest.param(broken, "nothing is played: the sound device failed: Oops\n", id="broken"),
        pytest.param(Unstartable, "nothing is played: the sound device failed: Oops\n", id="busy"),
        pytest.param(never, "nothing is played: the sound device does not answer\n", id="stuck"),
        pytest.param(Speakers, "", id="takes-nothing"),
        pytest.param(Unstoppable, "", id="does-not-close"),
        pytest.param(None, "", id="not-wanted"),
    ],
)
def test_file_is_written_whatever_the_device_does(tmp_path, monkeypatch, device, words):
    monkeypatch.setattr(playing, "_MOST_SECONDS", -0.9)
    server = Server(joinSession=broadcast(two_chunks, end_session))

    printed, code, said = heard(server, tmp_path / "heard.wav", device)

    assert (code, said) == (0, "")
    assert read_wav(tmp_path / "heard.wav").pcm == CHUNK * 2
    assert "".join(line for line in printed.splitlines(True) if "nothing" in line) == words


def test_device_that_is_looked_for_writes_nothing_to_stderr(capfd):
    """ALSA would say in fifty lines that there is no card."""

    def device(rate, channels):
        os.write(2, b"ALSA lib confmisc.c")
        return Speakers()

    async def work():
        async with played(FORMAT, device):
            os.write(2, b"mine")

    asyncio.run(work())

    assert capfd.readouterr().err == "mine"


def test_machine_without_miniaudio_says_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "miniaudio", None)

    with pytest.raises(NoDeviceError, match="miniaudio is not installed"):
        open_device(16_000, 1)


# --- real devices ----------------------------------------------------------------------------------


def test_miniaudio_takes_what_is_played(monkeypatch):
    """By the device that it has for machines without one."""
    miniaudio = pytest.importorskip("miniaudio", reason="miniaudio has no wheel for this machine")
    real = miniaudio.PlaybackDevice
    null = [miniaudio.Backend.NULL]
    monkeypatch.setattr(
        miniaudio, "PlaybackDevice", lambda *a, **k: real(*a, **{**k, "backends": null})
    )

    async def work():
        async with played(FORMAT, open_device) as playback:
            for _ in range(3):
                playback.add(0, CHUNK)
            await playback.finish()
            return playback

    playback = asyncio.run(work())

    assert (playback._num_bytes, playback.dropped_bytes) == (0, 0)


@pytest.mark.slow
def test_tone_is_heard_from_the_sound_server(monkeypatch):
    pytest.importorskip("miniaudio", reason="miniaudio has no wheel for this machine")
    if not pulseaudio():
        pytest.skip(WITHOUT_PULSEAUDIO)
    pcm = (tone(1.0, RATE) * 32_767).astype("<i2").tobytes()

    async def work():
        async with played(FORMAT, open_device) as playback:
            playback.add(0, pcm)
            await playback.finish()

    with SoundMachine() as machine:
        monkeypatch.setenv("PULSE_SERVER", machine.environment["PULSE_SERVER"])
        with machine.recorded(EAR) as recording:
            asyncio.run(work())

    _, samples = recording.timeline()
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    heard = samples[loud[0] : loud[-1]]
    assert len(heard) == pytest.approx(RATE, rel=0.1)  # a server that starts may swallow a little
    spectrum = np.abs(np.fft.rfft(heard))
    assert np.argmax(spectrum) * RATE / len(heard) == pytest.approx(440, rel=0.02)
