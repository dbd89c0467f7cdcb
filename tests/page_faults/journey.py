"""From microphone to ear, with its parts: when a page sends and gets chunks, against when they are said and heard.

Everything is on the clock that the recordings have: each page says what its own clock shows.
"""

from __future__ import annotations

import base64
import time
from typing import NamedTuple

import numpy as np

from tests.page_faults.person import CONTEXTS
from tests.page_faults.voice import chirps_in, delays

__all__ = ["PARTS", "TIMES", "Clock", "Part", "journeys", "percentiles_ms"]

CHUNK_SECONDS = 0.1
# Notes when each chunk is sent and comes, and what is sent.
TIMES = (
    CONTEXTS
    + """
window.sent = [];
window.came = {};
const RealSocket = window.WebSocket;
window.WebSocket = class extends RealSocket {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "audio") window.came[message.sequenceNumber] = performance.now();
    });
  }
  send(data) {
    const message = JSON.parse(data);
    if (message.action === "sendAudio") window.sent.push([message.sequenceNumber, performance.now(), message.audioData]);
    super.send(data);
  }
};
"""
)


class Clock:
    """What to add to a page's `performance.now()`, in seconds, to have this machine's monotonic clock."""

    def __init__(self, tab, tries=20):
        self.offset = min(self._reading(tab) for _ in range(tries))[1]

    @staticmethod
    def _reading(tab):
        before = time.monotonic()
        shown = tab.evaluate("performance.now()") / 1000
        after = time.monotonic()
        return after - before, (before + after) / 2 - shown

    def __call__(self, milliseconds):
        return milliseconds / 1000 + self.offset


class Part(NamedTuple):
    """Seconds that one chirp took on each part of its way."""

    microphone: float
    chunk: float
    network: float
    waiting: float
    output: float
    total: float


PARTS = {
    "microphone": "from the microphone's monitor to the page: device, browser, resampler",
    "chunk": "a chunk is sent when it is full",
    "network": "from sending to receiving: gateway, functions, gateway",
    "waiting": "from receiving to giving it to the sound device: buffer and player",
    "output": "as the browser reports it (`outputLatency`)",
    "total": "from monitor to monitor",
}


def journeys(said, heard, speaker, listener):
    """Return a `Part` for each chirp that was said and heard; both pages were opened with `TIMES`."""
    sender_clock, receiver_clock = Clock(speaker.tab), Clock(listener.tab)
    came = {int(number): receiver_clock(at) for number, at in listener.tab.evaluate("came").items()}
    output = listener.tab.evaluate("contexts[0].outputLatency")
    spoken = chirps_in(*said.timeline())
    found = []
    for stretch in _stretches(speaker.tab.evaluate("sent")):
        pcm = b"".join(base64.b64decode(data) for _, _, data in stretch)
        for chirp in chirps_in(0.0, np.frombuffer(pcm, np.int16).astype(np.float32) / 32768):
            index, inside = int(chirp.at // CHUNK_SECONDS), chirp.at % CHUNK_SECONDS
            number, sent_at, _ = stretch[index]
            if number in came:
                found.append((chirp, inside, sender_clock(sent_at), came[number]))
    return [*_matched(found, spoken, delays(spoken, chirps_in(*heard.timeline())), output)]


def _stretches(sent):
    """Return runs of chunks whose numbers follow each other."""
    stretches = []
    for one in sent:
        if stretches and stretches[-1][-1][0] + 1 == one[0]:
            stretches[-1].append(one)
        else:
            stretches.append([one])
    return stretches


def _matched(found, spoken, heard, output):
    heard_at = {round(moment, 4): at for at, _, moment in heard}
    for chirp, inside, sent_at, came_at in found:
        # Numbers come again after a while: the last one before it was sent is meant.
        before = [one.at for one in spoken if one.number == chirp.number and one.at < sent_at]
        if not before or round(before[-1], 4) not in heard_at:
            continue
        said_at, ear_at = before[-1], heard_at[round(before[-1], 4)]
        yield Part(
            microphone=sent_at - (CHUNK_SECONDS - inside) - said_at,
            chunk=CHUNK_SECONDS,
            network=came_at - sent_at,
            waiting=ear_at - inside - came_at - output,
            output=output,
            total=ear_at - said_at,
        )


def percentiles_ms(seconds, wanted=(50, 95, 99)):
    """Return these percentiles in whole milliseconds."""
    return [round(1000 * float(value)) for value in np.percentile(seconds, wanted)]
