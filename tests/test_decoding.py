"""Any WAV, MP3, FLAC or Ogg file becomes what a session carries; one that fits stays as it is, to the byte."""

import asyncio
import contextlib
import os
import re
import tempfile
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.audio import Recording, write_recording
from local.decoding import open_audio
from tests.sounds import tone, write

PCM = bytes(range(200)) * 16
INTERPRETED = {"encoding": "pcm_s16le", "sampleRate": 16_000, "channels": 1}


def decoded(path, audio_format=None, progress=lambda done, total: None):
    """Return the file, what is sent of it, and all of its sound."""

    async def work():
        async with open_audio(path, progress) as file:
            stream = file.fit_for(audio_format) if audio_format else file.as_is()
            return file, stream, stream.recording(), list(stream.chunks(100))

    return asyncio.run(work())


def refusal(path):
    with pytest.raises(ValueError, match=path.name) as refused:
        decoded(path)
    return str(refused.value).replace(f"{path.parent}/", "")


def samples_of(recording):
    return np.frombuffer(recording.pcm, "<i2").reshape(-1, recording.channels) / 32_768


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_file_that_fits_is_sent_byte_for_byte(tmp_path, rate, channels):
    recording = Recording(PCM * 3, rate, channels)
    write_recording(tmp_path / "fits.wav", recording)

    file, stream, sound, chunks = decoded(tmp_path / "fits.wav")

    assert not stream.is_converted
    assert sound == recording
    assert chunks == recording.chunks(100)
    assert (file.seconds, file.missing_seconds) == (recording.seconds, 0)


@pytest.mark.parametrize("name", ["fits.flac", "fits.wav"])
def test_lossless_file_of_16_bit_is_sent_byte_for_byte(tmp_path, name):
    samples = np.frombuffer(PCM, "<i2").reshape(-1, 1)

    _, stream, sound, _ = decoded(write(tmp_path / name, samples, 16_000))

    assert (stream.is_converted, sound.pcm) == (False, PCM)


@pytest.mark.parametrize(
    ("name", "form", "rate", "channels", "words"),
    [
        pytest.param(
            "a.mp3", {}, 44_100, 2, "44,100 Hz stereo MP3 to 48,000 Hz stereo, 16 bit", id="mp3"
        ),
        pytest.param(
            "a.flac",
            {"subtype": "PCM_24"},
            96_000,
            1,
            "96,000 Hz mono 24-bit FLAC to 48,000 Hz mono, 16 bit",
            id="flac",
        ),
        pytest.param(
            "a.ogg", {}, 22_050, 1, "22,050 Hz mono Ogg to 24,000 Hz mono, 16 bit", id="vorbis"
        ),
        pytest.param(
            "a.opus",
            {"format": "OGG", "subtype": "OPUS"},
            48_000,
            2,
            "48,000 Hz stereo Ogg to 48,000 Hz stereo, 16 bit",
            id="opus",
        ),
        pytest.param(
            "a.wav",
            {"subtype": "PCM_U8"},
            11_025,
            1,
            "11,025 Hz mono 8-bit WAV to 16,000 Hz mono, 16 bit",
            id="8-bit",
        ),
        pytest.param(
            "a.wav",
            {"subtype": "ALAW"},
            16_000,
            1,
            "16,000 Hz mono A-law WAV to 16,000 Hz mono, 16 bit",
            id="A-law",
        ),
        pytest.param(
            "a.wav",
            {"subtype": "MS_ADPCM"},
            16_000,
            1,
            "16,000 Hz mono ADPCM WAV to 16,000 Hz mono, 16 bit",
            id="adpcm",
        ),
        pytest.param(
            "a.wav",
            {"subtype": "PCM_24"},
            48_000,
            2,
            "48,000 Hz stereo 24-bit WAV to 48,000 Hz stereo, 16 bit",
            id="24-bit",
        ),
        pytest.param(
            "a.wav",
            {"subtype": "PCM_32"},
            44_100,
            1,
            "44,100 Hz mono 32-bit WAV to 48,000 Hz mono, 16 bit",
            id="32-bit",
        ),
        pytest.param(
            "a.wav",
            {"subtype": "FLOAT"},
            32_000,
            1,
            "32,000 Hz mono 32-bit WAV to 48,000 Hz mono, 16 bit",
            id="float",
        ),
        pytest.param(
            "a.wav",
            {"subtype": "PCM_16"},
            48_000,
            6,
            "48,000 Hz 6-channel 16-bit WAV to 48,000 Hz mono, 16 bit",
            id="5.1",
        ),
        pytest.param(
            "a.wav",
            {"subtype": "PCM_16"},
            4_000,
            1,
            "4,000 Hz mono 16-bit WAV to 8,000 Hz mono, 16 bit",
            id="slow",
        ),
    ],
)
def test_other_files_are_converted_and_it_is_said(tmp_path, name, form, rate, channels, words):
    """The first channel's tone is what is heard, as loud as in the file."""
    path = write(tmp_path / name, tone(1.0, rate, channels), rate, **form)

    _, stream, sound, chunks = decoded(path)

    assert stream.conversion == f"{name}: {words}"
    assert abs(sound.seconds - 1.0) < 0.06
    assert b"".join(chunks) == sound.pcm
    assert len(chunks) == stream.num_chunks(100)
    heard = samples_of(sound)
    if channels <= 2:
        assert loudness_at(heard[:, 0], stream.sample_rate, 440) == pytest.approx(0.5, rel=0.05)
    else:
        assert loudness_at(heard[:, 0], stream.sample_rate, 440) == pytest.approx(0.5 / 6, rel=0.05)


def loudness_at(samples, rate, hertz):
    """Return the amplitude of a pitch; the beginning and the end, where encoders fade, are left out."""
    middle = samples[rate // 4 : rate // 4 + rate // 2]
    times = np.arange(len(middle)) / rate
    return 2 * abs(np.mean(middle * np.exp(-2j * np.pi * hertz * times)))


@pytest.mark.parametrize(
    ("rate", "channels"), [(44_100, 2), (48_000, 2), (16_000, 2), (8_000, 1), (16_000, 1)]
)
def test_interpreters_file_becomes_what_the_session_has(tmp_path, rate, channels):
    path = write(tmp_path / "a.wav", tone(1.0, rate, channels), rate, subtype="PCM_16")

    _, _, sound, chunks = decoded(path, INTERPRETED)

    assert sound.audio_format == INTERPRETED
    assert len(sound.pcm) == 32_000
    assert [len(chunk) for chunk in chunks] == [3_200] * 10
    heard = samples_of(sound)[:, 0]
    expected = 0.5 / channels  # of two channels the mean is heard, and this pitch is in one
    assert loudness_at(heard, 16_000, 440) == pytest.approx(expected, rel=0.02)


def test_one_channel_is_heard_in_both_of_a_session(tmp_path):
    path = write(tmp_path / "a.wav", tone(0.5, 16_000), 16_000)

    _, _, sound, _ = decoded(path, {"sampleRate": 16_000, "channels": 2})

    left, right = samples_of(sound).T
    assert list(left) == list(right)
    assert loudness_at(np.tile(left, 2), 16_000, 440) == pytest.approx(0.5, rel=0.02)


def test_what_is_louder_than_full_scale_is_cut_off_there(tmp_path):
    samples = np.array([[2.0], [-2.0], [float("nan")], [0.25]] * 100)

    _, _, sound, _ = decoded(write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT"))

    assert list(np.frombuffer(sound.pcm, "<i2")[:4]) == [32_767, -32_768, 0, 8_192]


def test_resampled_tone_is_that_tone(tmp_path):
    """What is not the tone is 80 dB below it."""
    path = write(tmp_path / "a.wav", tone(1.0, 44_100), 44_100, subtype="PCM_24")

    _, _, sound, _ = decoded(path)

    got, due = samples_of(sound)[:, 0], tone(1.0, 48_000)[:, 0]
    middle = slice(4_800, -4_800)
    assert np.sqrt(np.mean((got - due)[middle] ** 2)) < 0.5 / 10_000


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "x.wav is empty", id="empty"),
        pytest.param(
            b"RIFF", "x.wav is no WAV, MP3, FLAC or Ogg file, or is damaged", id="four-letters"
        ),
        pytest.param(
            b"no sound at all, but some text" * 99,
            "x.wav is no WAV, MP3, FLAC or Ogg file, or is damaged",
            id="text",
        ),
        pytest.param(
            bytes(9_999), "x.wav is no WAV, MP3, FLAC or Ogg file, or is damaged", id="zeros"
        ),
    ],
)
def test_file_without_sound_is_refused(tmp_path, content, sentence):
    (tmp_path / "x.wav").write_bytes(content)

    assert refusal(tmp_path / "x.wav") == sentence


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo")

    assert refusal(tmp_path) == f"{tmp_path.name} is no file with sound"
    assert refusal(tmp_path / "fifo") == "fifo is no file with sound"
    assert refusal(tmp_path / "none") == "none cannot be read: No such file or directory"


@pytest.mark.parametrize("size", [0, 98])
def test_file_with_less_than_a_chunk_is_refused(tmp_path, size):
    write_recording(tmp_path / "short.wav", Recording(bytes(size), 16_000, 1))

    assert refusal(tmp_path / "short.wav") == f"short.wav has no sound: {size} bytes, at least 100"


def test_file_that_was_cut_keeps_its_whole_samples(tmp_path):
    path = tmp_path / "cut.wav"
    write_recording(path, Recording(PCM, 16_000, 2))
    path.write_bytes(path.read_bytes()[:-1_603])

    file, _, sound, _ = decoded(path)

    assert sound == Recording(PCM[:-1_604], 16_000, 2)
    assert file.missing_seconds == pytest.approx(1_604 / 64_000, abs=0.001)


def test_mp3_that_was_cut_is_sent_as_far_as_it_goes(tmp_path, capfd):
    path = write(tmp_path / "cut.mp3", tone(2.0, 44_100, 2))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    file, _, _, _ = decoded(path)

    assert 0.8 < file.seconds < 1.1
    assert file.missing_seconds == pytest.approx(2.0 - file.seconds, abs=0.05)
    assert capfd.readouterr().err == ""


def test_flac_that_is_damaged_is_refused_with_the_place(tmp_path):
    path = write(tmp_path / "damaged.flac", tone(2.0))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = bytes(400)
    path.write_bytes(content)

    assert refusal(path) == "damaged.flac is damaged after 1.2 s of sound"


VORBIS, OPUS = {}, {"format": "OGG", "subtype": "OPUS"}
OGG = pytest.mark.parametrize(("form", "rate"), [(VORBIS, 44_100), (OPUS, 48_000), (OPUS, 16_000)])


def ogg(folder, form, rate):
    """Return an Ogg file of 5 s, and its content."""
    path = write(folder / "a.ogg", tone(5.0, rate, 2), rate, **form)
    return path, path.read_bytes()


@OGG
def test_ogg_that_is_whole_is_sent(tmp_path, form, rate):
    path, content = ogg(tmp_path, form, rate)
    path.write_bytes(content + b"TAG" + bytes(125))  # as some programs append it

    file, _, _, _ = decoded(path)

    assert (file.seconds, file.missing_frames, file.is_cut) == (5.0, 0, False)


@OGG
@pytest.mark.parametrize("size", [1, 3_000])
def test_ogg_that_is_damaged_is_refused_with_the_place(tmp_path, form, rate, size):
    """One byte is enough, which would be decoded as something else, or left out."""
    path, content = ogg(tmp_path, form, rate)
    middle = len(content) // 2
    other = bytes(byte ^ 0xFF for byte in content[middle : middle + size])
    path.write_bytes(content[:middle] + other + content[middle + size :])

    assert re.fullmatch(r"a\.ogg is damaged after [12]\.\d s of sound", refusal(path))


@OGG
@pytest.mark.parametrize("left_out", [1, 10_000])
def test_ogg_that_was_cut_is_sent_as_far_as_it_goes(tmp_path, form, rate, left_out):
    path, content = ogg(tmp_path, form, rate)
    path.write_bytes(content[:-left_out])

    file, _, _, _ = decoded(path)

    assert file.is_cut
    assert 1.0 < file.seconds < 5.0


@OGG
def test_oggs_in_a_row_are_refused(tmp_path, form, rate):
    """Only the first of them would be decoded."""
    path, content = ogg(tmp_path, form, rate)
    path.write_bytes(content * 2)

    assert refusal(path) == (
        "a.ogg is several recordings in a row, of which one can be sent: after 5.0 s another one begins"
    )


def test_damaged_mp3_writes_nothing_to_stderr(tmp_path, capfd):
    """The library that decodes it would."""
    path = write(tmp_path / "damaged.mp3", tone(2.0, 44_100, 2))
    content = bytearray(path.read_bytes())
    content[5_000:5_400] = bytes(range(200)) * 2
    path.write_bytes(content)

    with contextlib.suppress(ValueError):
        decoded(path)

    assert capfd.readouterr().err == ""


def claiming(path, size):
    """Have the header claim so many bytes."""
    write_recording(path, Recording(PCM, 16_000, 1))
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = size.to_bytes(4, "little")
    path.write_bytes(content)


def test_header_that_claims_gigabytes_costs_no_memory(tmp_path):
    claiming(tmp_path / "claims.wav", 2**31)
    decoded(tmp_path / "claims.wav")
    tracemalloc.start()

    file, _, sound, _ = decoded(tmp_path / "claims.wav")

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sound.pcm == PCM
    assert round(file.missing_seconds) == 67_109
    assert most < 10_000_000


def test_header_that_was_written_before_the_length_was_known_claims_nothing(tmp_path):
    claiming(tmp_path / "piped.wav", 2**32 - 1)

    file, _, sound, _ = decoded(tmp_path / "piped.wav")

    assert (sound.pcm, file.missing_seconds) == (PCM, 0)


def test_long_file_takes_no_more_memory_than_a_short_one(tmp_path):
    """Of ten minutes, 115 MB in the session's rate, no more than a few blocks are there at once."""
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8_001)
        file.writeframes(bytes(8_001 * 600 * 4))

    async def work():
        async with open_audio(path) as opened:
            stream = opened.fit_for({"sampleRate": 48_000, "channels": 2})
            return sum(map(len, stream.chunks(100)))

    tracemalloc.start()
    total = asyncio.run(work())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert total == 600 * 48_000 * 4
    assert most < 20_000_000


def test_progress_counts_what_was_decoded(tmp_path):
    counts = []
    path = write(tmp_path / "a.wav", tone(3.0), subtype="PCM_16")

    decoded(path, progress=lambda done, total: counts.append((done, total)))

    assert counts == [(65_536, 132_300), (131_072, 132_300), (132_300, 132_300)]


def test_decoding_can_be_interrupted(tmp_path):
    path = write(tmp_path / "a.wav", tone(3.0), subtype="PCM_16")

    async def work():
        task = asyncio.current_task()
        async with open_audio(path, lambda done, total: task.cancel()):
            pytest.fail("it was decoded to its end")

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(work())


def test_file_that_is_replaced_meanwhile_is_sent_as_it_was(tmp_path):
    path = tmp_path / "a.wav"
    write_recording(path, Recording(PCM, 16_000, 1))

    async def work():
        async with open_audio(path) as file:
            path.unlink()
            path.write_bytes(b"other")
            return file.as_is().recording().pcm

    assert asyncio.run(work()) == PCM


@given(st.data())
@settings(deadline=None)  # the machine may be busy
def test_broken_file_is_read_or_refused_in_words(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "broken.wav"
        write_recording(path, Recording(PCM, 16_000, 1))
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, 60))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])

        with contextlib.suppress(ValueError):
            assert len(decoded(path)[2].pcm) >= 100
