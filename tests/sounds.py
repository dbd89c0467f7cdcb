"""Files with sound for tests, and what is in a WAV file, read without the code under test."""

import wave

import numpy as np
import soundfile

from local.audio import Recording


def read_wav(path):
    """Return what a WAV file of 16 bit holds."""
    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 2
        pcm = file.readframes(file.getnframes())
        return Recording(pcm, file.getframerate(), file.getnchannels())


def tone(seconds=1.0, rate=44_100, channels=1, hertz=440):
    """Return a sine in each channel, an octave higher in each further one, as floats of at most a half."""
    times = np.arange(round(seconds * rate)) / rate
    pitches = [hertz * (1 + number) for number in range(channels)]
    return np.stack([np.sin(2 * np.pi * pitch * times) / 2 for pitch in pitches], axis=1)


def write(path, samples=None, rate=44_100, **form):
    """Write samples, or a tone, in the format that the name's ending says; return the path."""
    soundfile.write(path, tone(rate=rate) if samples is None else samples, rate, **form)
    return path
