"""Records the page talking to the system: `python -m tests.record_traffic`, in `.venv/dev`.

Each line of `tests/traffic.jsonl` is a message with its direction and the tab it belongs to, in the
order in which the browser sent or received them. A person's clicks make most of them; what no click
makes, the page's own client sends. Of each kind a tab keeps the first few.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter

from tests import browser

TRAFFIC = browser.ROOT / "tests" / "traffic.jsonl"
KEPT_OF_A_KIND = 4
PATIENCE_MS = 60_000
# Every connection is old at once, for housekeeping to say so; nobody is idle until asked to be.
SETTINGS = {
    "CONNECTION_REFRESH_MINUTES": "0",
    "CONNECTION_WARNING_MINUTES": "0",
    "CONNECTION_IDLE_TIMEOUT_SECONDS": "15",
}
# In a tab: a client of the page's own modules, which a person's clicks do not drive.
OPEN_CLIENT = """
async () => {
  const { Client } = await import("./core/client.js");
  const { browser } = await import("./views/dom.js");
  const config = await (await fetch("config.json")).json();
  const ignore = () => {};
  window.client = new Client(config.url, browser, { state: ignore, message: ignore, problem: ignore });
}
"""
BEGIN = "message => window.client.begin(message)"
REQUEST = "message => window.client.request(message).catch(() => null)"
SEND = """
async ({ chunks, audioData, everyMs }) => {
  for (let i = 0; i < chunks; i++) {
    window.client.sendAudio({ action: "sendAudio", audioData, sequenceNumber: i, timestamp: Date.now() });
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
"""
SILENT_CHUNK = "A" * 4267 + "="  # 3,200 bytes
# A participant who says nothing more, not even that it is alive.
FALL_SILENT = """
async () => {
  const config = await (await fetch("config.json")).json();
  const socket = new WebSocket(config.url, "websocket-audio.v1");
  socket.onopen = () => socket.send(JSON.stringify({ action: "createSession", sourceLanguage: "en" }));
}
"""


class Traffic:
    """What went over every tab's sockets."""

    def __init__(self):
        self.rows = []

    def follow(self, page, name):
        """Write down what `page` sends and receives."""

        def take(direction):
            return lambda frame: self.rows.append((name, direction, json.loads(frame)))

        def follow_socket(socket):
            socket.on("framesent", take("sent"))
            socket.on("framereceived", take("received"))

        page.on("websocket", follow_socket)

    def kinds(self):
        """Return the kinds seen so far, both directions."""
        return {kind_of(direction, message) for _, direction, message in self.rows}

    def lines(self):
        """Return the JSON lines, with no token's secret."""
        kept = Counter()
        for name, direction, message in self.rows:
            kept[name, kind_of(direction, message)] += 1
            if kept[name, kind_of(direction, message)] <= KEPT_OF_A_KIND:
                row = {"tab": name, "direction": direction, "message": message}
                yield re.sub(r'("refreshToken": "[^".]+\.)[^"]+', r"\1" + "x" * 43, json.dumps(row))


def kind_of(direction, message):
    """Return `(direction, action or type)`; a message of the gateway's own has no type."""
    return direction, message["action"] if direction == "sent" else message.get("type", "gateway")


def main() -> None:
    """Play every kind of message once, and keep what was sent and received."""
    path = browser.chromium()
    if path is None:
        sys.exit("there is no Chromium; CHROMIUM=path names one")
    traffic = Traffic()
    with browser.launched(path) as chromium, browser.Running(SETTINGS) as running:

        def tab(name):
            page = chromium.new_context(permissions=["microphone"]).new_page()
            page.set_default_timeout(PATIENCE_MS)
            traffic.follow(page, name)
            page.goto(f"{running.page.url}#{name if name != 'client' else 'speak'}")
            page.wait_for_selector("body[data-ready]")
            return page

        talk(tab("speak"), tab("listen"), running, traffic)
        play_the_rest(tab("client"), running)
    TRAFFIC.write_text("".join(f"{line}\n" for line in traffic.lines()))


def talk(speaker, listener, running, traffic):
    """Click what a speaker and a listener can click."""
    speaker.uncheck("#speak-clean")
    speaker.click("#speak-start")
    speaker.wait_for_selector("#speak-live")
    listener.fill("#listen-session", speaker.inner_text("#speak-session"))
    listener.click("#listen-start")
    listener.wait_for_selector("#listen-live")
    until(listener, lambda: ("received", "audio") in traffic.kinds())
    for selector, due in (
        ("#speak-pause", "broadcastPaused"),
        ("#speak-pause", "broadcastResumed"),
        ("#speak-mute", "broadcastMuted"),
        ("#speak-mute", "broadcastUnmuted"),
    ):
        speaker.click(selector)
        until(speaker, lambda due=due: ("received", due) in traffic.kinds())
    speaker.fill("#speak-volume", "0.5")
    until(speaker, lambda: ("received", "volumeChanged") in traffic.kinds())
    for due in ("playbackPaused", "playbackResumed"):
        listener.click("#listen-pause")
        until(listener, lambda due=due: ("received", due) in traffic.kinds())
    listener.select_option("#listen-change", "fr")
    until(listener, lambda: ("received", "languageChanged") in traffic.kinds())
    until(speaker, lambda: ("received", "sessionStatus") in traffic.kinds())
    running.housekeeping()  # both connections are old: the page opens new ones
    until(speaker, lambda: ("received", "connectionRefreshComplete") in traffic.kinds())
    listener.click("#listen-leave")
    until(speaker, lambda: ("received", "listenerLeft") in traffic.kinds())
    speaker.wait_for_timeout(32_000)  # a heartbeat is due after thirty seconds
    speaker.click("#speak-end")
    until(speaker, lambda: ("received", "sessionEnded") in traffic.kinds())


def play_the_rest(page, running):
    """Have the page's client send, or be sent, what no click makes."""
    page.evaluate(OPEN_CLIENT)
    page.evaluate(BEGIN, {"action": "createSession", "sourceLanguage": "en"})
    state = {"isPaused": False, "isMuted": False, "volume": 1}
    page.evaluate(REQUEST, {"action": "speakerStateChange", "state": state})
    page.evaluate(FALL_SILENT)
    page.evaluate(SEND, {"chunks": 150, "audioData": SILENT_CHUNK, "everyMs": 100})
    for _ in range(60):  # more than a speaker may ask at once
        page.evaluate(f"message => void ({REQUEST})(message)", {"action": "getSessionStatus"})
    page.wait_for_timeout(30_000)  # longer than an idle connection is kept, with what was before
    running.housekeeping()
    page.wait_for_timeout(1_000)


def until(page, holds):
    """Wait until `holds()`; the browser's events arrive meanwhile."""
    for _ in range(PATIENCE_MS // 100):
        if holds():
            return
        page.wait_for_timeout(100)
    sys.exit("it did not happen in time")


if __name__ == "__main__":
    main()
