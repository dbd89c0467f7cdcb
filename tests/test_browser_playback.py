"""What interrupts a listener's sound in a real browser, and how it goes on: at the live edge, and by itself if it may."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from pathlib import Path

import pytest

# The contexts that the page makes, the one that plays first; it runs on only as the browser lets it, which a test may refuse.
CONTEXTS = """(() => {
  window.contexts = [];
  window.mayResume = %s;
  const Real = AudioContext;
  window.AudioContext = class extends Real {
    constructor(...options) {
      super(...options);
      window.contexts.push(this);
      if (!window.mayResume) super.suspend();
    }
    resume() {
      return window.mayResume ? super.resume() : new Promise(() => {});
    }
  };
})()"""
AUDIO_PROCESS = b"--utility-sub-type=audio.mojom.AudioService"


@pytest.fixture
def listens(tab, speaker):
    """Return what makes a listener whose browser lets sound out, or not."""

    def listens(may_resume):
        listener = tab("listen")
        listener.page.add_init_script(CONTEXTS % may_resume)
        listener.page.reload()
        listener.page.wait_for_selector("body[data-ready]")
        return listener.listens(speaker.text("#speak-session"))

    return listens


@pytest.fixture
def listener(listens):
    """Return a listener who has heard something."""
    listener = listens("true")
    listener.reaches("#listen-played", 10)
    return listener


def passes(speaker, chunks):
    """Wait while the speaker sends so many chunks more."""
    speaker.reaches("#speak-sent", speaker.number("#speak-sent") + chunks)


def is_interrupted(listener):
    listener.sees("#listen-broadcast", "the sound is interrupted")
    assert not re.search(r"\d", listener.text("#listen-latency"))


def is_as_live_as_before(listener, speaker, latency_ms):
    listener.sees("#listen-broadcast", "Live.")
    passes(speaker, 20)
    listener.sees("#listen-latency", re.compile(r"\d"))
    assert listener.number("#listen-latency") < latency_ms + 1000


def test_after_five_seconds_suspended_a_listener_is_live_again(listener, speaker):
    before = listener.number("#listen-latency")
    listener.page.evaluate("() => { mayResume = false; return contexts[0].suspend(); }")
    is_interrupted(listener)
    played = listener.number("#listen-played")
    passes(speaker, 50)
    assert listener.number("#listen-played") == played

    listener.page.evaluate("() => { mayResume = true; }")  # the page asks again by itself

    is_as_live_as_before(listener, speaker, before)


def test_sound_that_the_browser_holds_back_starts_with_a_tap(listens, speaker):
    listener = listens("false")
    listener.sees("#listen-broadcast", "You hear nothing. ")
    assert listener.page.evaluate("contexts[0].state") == "suspended"
    assert listener.number("#listen-played") == 0
    listener.page.evaluate("() => { mayResume = true; }")
    listener.page.click("#listen-name")

    listener.sees("#listen-broadcast", "Live.")
    listener.reaches("#listen-played", 5)


@pytest.mark.long
def test_after_the_audio_process_stood_still_a_listener_is_live_again(listener, speaker):
    before = listener.number("#listen-latency")
    with stopped(audio_processes()):
        is_interrupted(listener)
        assert listener.page.evaluate("contexts[0].state") == "running"

    is_as_live_as_before(listener, speaker, before)


def audio_processes():
    """Return the ids of the processes in which the Chromium of these tests plays sound."""
    mine = {os.getpid()}
    found = []
    for status in sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda path: int(path.parts[2])):
        with contextlib.suppress(OSError):
            pid, parent = (
                int(status.parts[2]),
                int(status.read_text().rpartition(")")[2].split()[1]),
            )
            if parent in mine:
                mine.add(pid)
                if AUDIO_PROCESS in (status.parent / "cmdline").read_bytes():
                    found.append(pid)
    assert found
    return found


@contextlib.contextmanager
def stopped(processes):
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
