"""What the browser tests stand on: a Chromium, the whole system, and its page.

The microphone is a recording, so that what is heard can be compared with what was said.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import wave
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

from local.page import Page
from local.session_reports import reported_sessions
from local.system import System
from local.up import sign_in_of
from wslocal import LocalApi, LoopThread

__all__ = [
    "RECORDING",
    "Running",
    "Tab",
    "Tabs",
    "chromium",
    "launched",
    "longest_run",
    "offered_protocols",
    "opens",
    "sent_audio",
    "violations",
    "write_wav",
]

ROOT = Path(__file__).parent.parent
# A cold function takes its time when the machine is busy; nothing waits that need not.
PATIENCE_MS = 20_000
AXE = "node_modules/axe-core/axe.min.js"
RECORDING = ROOT / "local" / "recordings" / "speech.wav"
# Five sessions a minute are plenty for a person; here every test is one, from the same address.
SETTINGS = {
    "RATE_LIMIT_SESSION_CREATION": "1000",
    "RATE_LIMIT_CONTROL_MESSAGES": "1000",
    "RATE_LIMIT_FAILED_JOINS": "1000",
}


def chromium():
    """Return the path of a Chromium of this machine, or None; `CHROMIUM` names one."""
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@contextlib.contextmanager
def launched(executable):
    """Run a Chromium that takes the recording for a microphone, and asks nobody."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=[
                "--no-sandbox",  # containers lack what the sandbox needs; only our own page is shown
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={RECORDING}",
                "--mute-audio",
                "--disable-gpu",  # without one, drawing as if there were costs more
            ],
        )
        yield browser
        browser.close()


class Running:
    """The system and its page, as `python -m local up` runs them."""

    def __init__(self, settings=SETTINGS, issuer=None):
        self._settings = settings
        self.issuer = issuer
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            self.loop = undo.enter_context(LoopThread())
            self.system = self.loop.enter(System(settings=self._settings))
            sign_in = sign_in_of(self._settings, self.issuer and self.issuer.client_id)
            self.page = Page({"url": self.system.url, **sign_in})
            undo.callback(self.page.close)
            self.page.start()
            self._follow(self.system.api)
            self.loop.enter(reported_sessions(self.system, self.page))
            self._stack = undo.pop_all()
        return self

    def __exit__(self, *error):
        self._stack.close()

    def _follow(self, api):
        api.subscribe(lambda line: self.page.publish(line.function, line.text, line.request_id))

    def housekeeping(self):
        """Run housekeeping now, as its schedule does each minute."""
        [schedule] = self.system.schedules
        self.loop.run(self.system.run_schedule(schedule))

    def kill_gateway(self):
        """Take the gateway away, and every connection with it; the sessions stay in the tables."""
        self.loop.run(_killed(self.system.api))

    def start_gateway(self):
        """Serve the same API at the same address again."""
        port = int(self.system.url.rsplit(":", 1)[1].split("/")[0])
        outputs, client = self.system.outputs, self.system.emulator.client
        api = LocalApi(client, outputs["ApiId"], outputs["StageName"], port=port)
        self.loop.enter(api)
        self.system.api = api
        self._follow(api)


async def _killed(api):
    for connection in api.connections():
        connection.socket.abort()  # as when a process dies: no close frame
    await api.__aexit__(None, None, None)


def longest_run(numbers, chunks):
    """Return the bytes of the longest stretch of chunks whose numbers follow each other."""
    runs, run = [b""], b""
    for i, chunk in enumerate(chunks):
        follows = i > 0 and numbers[i - 1] is not None and numbers[i] == numbers[i - 1] + 1
        run = run + chunk if follows else chunk
        runs.append(run)
    return max(runs, key=len)


def write_wav(path, samples):
    """Write mono PCM16 of 16 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(samples)


def offered_protocols(page):
    """Return a list that fills with the sub-protocols that each connection of the page offers."""
    offered = []

    def take(event):
        headers = {name.lower(): value for name, value in event["request"]["headers"].items()}
        offered.append(headers["sec-websocket-protocol"])

    session = page.context.new_cdp_session(page)
    session.on("Network.webSocketWillSendHandshakeRequest", take)
    session.send("Network.enable")
    return offered


def sent_audio(page):
    """Return a dict that fills with what the page sends from now on: bytes, by sequence number."""
    sent = {}

    def take(frame):
        message = json.loads(frame)
        if message["action"] == "sendAudio":
            sent[message["sequenceNumber"]] = base64.b64decode(message["audioData"])

    page.on("websocket", lambda socket: socket.on("framesent", take))
    return sent


class Tab:
    """One person's page. It has to stay without errors, and to ask nobody else for anything."""

    def __init__(self, context, address):
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.errors = []
        self.hosts = set()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.sent = sent_audio(self.page)
        self.protocols = offered_protocols(self.page)
        self.page.goto(address)
        self.page.wait_for_selector("body[data-ready]")

    def text(self, selector):
        return self.page.inner_text(selector)

    def sees(self, selector, text):
        """Wait until an element shows `text`."""
        self.page.locator(selector).filter(has_text=text).first.wait_for()

    def number(self, selector):
        return int(re.sub(r"\D", "", self.page.text_content(selector)))

    def reaches(self, selector, number):
        """Wait until an element shows so much, or more."""
        self.page.wait_for_function(
            "([selector, number]) => parseInt(document.querySelector(selector).textContent) >= number",
            arg=[selector, number],
        )

    def speaks(self, source="microphone"):
        """Begin a session, and return its id."""
        self.page.check(f"#source-{source}")
        self.page.uncheck("#speak-clean")
        self.page.click("#speak-start")
        self.page.wait_for_selector("#speak-live")
        return self.text("#speak-session")

    def listens(self, session_id, language="de"):
        self.page.fill("#listen-session", session_id)
        self.page.select_option("#listen-language", language)
        self.page.click("#listen-start")
        self.page.wait_for_selector("#listen-live")
        return self


class Tabs:
    """Opens tabs, each a person of its own; at the end none may have failed."""

    def __init__(self, chromium, address, others=()):
        self._chromium = chromium
        self._address = address
        self._hosts = {urlsplit(address).netloc, *others}
        self._tabs = []

    def __call__(self, view="speak", **options):
        context = self._chromium.new_context(permissions=["microphone"], **options)
        self._tabs.append(Tab(context, f"{self._address}#{view}"))
        return self._tabs[-1]

    def close(self):
        for tab in self._tabs:
            tab.page.context.close()
        errors = [error for tab in self._tabs for error in tab.errors]
        assert errors == [], errors  # outside of a test's file pytest shows no values
        hosts = {host for tab in self._tabs for host in tab.hosts}
        assert hosts <= self._hosts


def opens(page, fragment):
    """Go to a fragment, as who follows a link in an open page does."""
    page.evaluate(
        """async (fragment) => {
          history.replaceState(null, "", location.pathname);
          const changed = new Promise((go) => addEventListener("hashchange", go, { once: true }));
          location.hash = fragment;
          await changed;
        }""",
        fragment,
    )


def violations(page, place="html", *rules):
    """Return what axe finds in a part of the page, by all of its rules or by some."""
    if not page.evaluate("'axe' in window"):
        import node  # in the tests' path only, and this file is used outside of them, too

        node.ensure()
        page.evaluate((node.WEB / AXE).read_text())
    tags = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
    run = "([place, only]) => axe.run(place, { runOnly: only, resultTypes: ['violations', 'passes'] })"
    found = page.evaluate(run, [place, [*rules] or tags])
    assert found["passes"]
    return [(one["id"], [item["target"] for item in one["nodes"]]) for one in found["violations"]]
