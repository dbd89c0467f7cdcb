"""Debian's Chromium, with real sound devices and the rules that it has for people: no test's switches for sound, autoplay
or hidden tabs. Playwright's would have them, and makes every tab believe that it is in front.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from pathlib import Path

from tests import browser as b
from tests.page_faults.person import Person
from tests.page_faults.remote import Remote
from tests.page_faults.sound import until

__all__ = ["Chromium"]

OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # containers lack what the sandbox needs; only our own page is shown
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    # The last one lets pages that were heard before play without a click; who comes for the first time has none.
    "--disable-features=Translate,OptimizationHints,MediaRouter,MediaEngagementBypassAutoplayPolicies",
    "--use-fake-ui-for-media-stream",  # answers yes to who asks for the microphone; the microphone is real
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
    "--window-size=1200,900",
)


class Chromium:
    """One browser with the sound of one machine, until the end of a `with` statement."""

    name = "Chromium"

    def __init__(self, machine, executable=None):
        self._machine = machine
        self._executable = executable or b.chromium()
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            folder = Path(
                undo.enter_context(
                    tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
                )
            )
            command = [
                self._executable,
                *OPTIONS,
                f"--user-data-dir={folder / 'profile'}",
                "about:blank",
            ]
            self._process = subprocess.Popen(
                command,
                env=self._machine.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            undo.callback(self._end)
            port_file = folder / "profile" / "DevToolsActivePort"
            until(lambda: port_file.exists() and port_file.read_text().count("\n") == 1, 30)
            port, path = port_file.read_text().split()
            self._remote = undo.enter_context(Remote(f"ws://127.0.0.1:{port}{path}", self._answer))
            self._stack = undo.pop_all()
        return self

    def __exit__(self, *error):
        self._stack.close()

    def _end(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _answer(self, event):
        """Say yes to leaving a page."""
        if event.get("method") == "Page.javascriptDialogOpening":
            self._remote.send(
                "Page.handleJavaScriptDialog", {"accept": True}, sessionId=event["sessionId"]
            )

    def open(self, address, script="", *, wait=True):
        """Open a tab in front of the others, and wait for our page; `script` runs before the page's own."""
        target = self._remote.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self._remote.call("Target.attachToTarget", {"targetId": target, "flatten": True})[
            "sessionId"
        ]
        tab = ChromiumTab(self._remote, target, session)
        tab.prepare(script)
        tab.go(address, wait)
        return tab

    @contextlib.contextmanager
    def stopped_audio(self):
        """Stop what plays and records, until the end of a `with` statement."""
        process = self._audio_process()
        os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process, signal.SIGCONT)

    def _audio_process(self):
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (
                    b"audio.mojom.AudioService" in (folder / "cmdline").read_bytes()
                    and os.getpgid(int(folder.name)) == self._process.pid
                ):
                    return int(folder.name)
        raise AssertionError("this Chromium has no audio process")


class ChromiumTab(Person):
    """A page in Chromium."""

    def __init__(self, remote, target, session):
        self._remote = remote
        self._target = target
        self._session = session

    def _call(self, method, **params):
        return self._remote.call(method, params, sessionId=self._session)

    def prepare(self, script):
        self._call("Page.enable")
        self._call("Runtime.enable")
        self._call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def go(self, address, wait):
        self._call("Page.navigate", url=address)
        if not wait:
            return
        self.wait_until("document.body && 'ready' in document.body.dataset")

    def reload(self):
        self.evaluate("window.isBefore = true")
        self._call("Page.reload")
        self.wait_until("!window.isBefore && document.body && 'ready' in document.body.dataset")

    def evaluate(self, expression, by_user=False):
        answer = self._call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=by_user,
        )
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def click_at(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def bring_to_front(self):
        self._remote.call("Target.activateTarget", {"targetId": self._target})

    def close(self):
        self._remote.call("Target.closeTarget", {"targetId": self._target})
