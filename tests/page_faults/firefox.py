"""Debian's Firefox ESR, with real sound devices, over WebDriver BiDi, which it serves itself."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.page_faults.person import Person
from tests.page_faults.remote import Remote
from tests.page_faults.sound import until

__all__ = ["Firefox", "firefox"]

PREFERENCES = {
    "media.navigator.permission.disabled": True,  # answers yes to who asks for the microphone
    "media.autoplay.default": 1,  # as people have it: sound needs a click
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "app.normandy.enabled": False,
    "browser.region.network.url": "",
    "services.settings.server": "http://127.0.0.1:9/",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "dom.disable_beforeunload": False,
}


def firefox():
    """Return the path of a Firefox of this machine, or None; `FIREFOX` names one."""
    return os.environ.get("FIREFOX") or next(
        filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None
    )


class Firefox:
    """One browser with the sound of one machine, until the end of a `with` statement."""

    name = "Firefox"

    def __init__(self, machine, executable=None):
        self._machine = machine
        self._executable = executable or firefox()
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            folder = Path(
                undo.enter_context(
                    tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True)
                )
            )
            lines = [
                f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
                for name, value in PREFERENCES.items()
            ]
            (folder / "user.js").write_text("".join(lines))
            options = (
                "--headless",
                "--no-remote",
                "--remote-debugging-port",
                "0",
                "--profile",
                folder,
            )
            self._process = subprocess.Popen(
                [self._executable, *options],
                env=self._machine.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            undo.callback(self._end)
            file = folder / "WebDriverBiDiServer.json"
            server = until(lambda: file.exists() and json.loads(file.read_text() or "null"), 60)
            self._remote = undo.enter_context(
                Remote(f"ws://{server['ws_host']}:{server['ws_port']}/session")
            )
            until(lambda: self._begins(), 30)
            self._stack = undo.pop_all()
        return self

    def _begins(self):
        # The test answers no question on leaving a page.
        wanted = {
            "alwaysMatch": {
                "unhandledPromptBehavior": {"beforeUnload": "accept", "default": "ignore"}
            }
        }
        return self._remote.call("session.new", {"capabilities": wanted})

    def __exit__(self, *error):
        self._stack.close()

    def _end(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def open(self, address, script="", *, wait=True):
        """Open a tab in front of the others, and wait for our page; `script` runs before the page's own."""
        context = self._remote.call("browsingContext.create", {"type": "tab"})["context"]
        tab = FirefoxTab(self._remote, context)
        tab.prepare(script)
        tab.go(address, wait)
        return tab

    @contextlib.contextmanager
    def stopped_audio(self):
        """Suspend the devices: sound is in the process that answers the test, too, and cannot be stopped alone."""
        self._machine.suspend(True)
        try:
            yield
        finally:
            self._machine.suspend(False)


class FirefoxTab(Person):
    """A page in Firefox."""

    def __init__(self, remote, context):
        self._remote = remote
        self._context = context

    def prepare(self, script):
        function = f"() => {{ {script} }}"
        self._remote.call(
            "script.addPreloadScript",
            {"functionDeclaration": function, "contexts": [self._context]},
        )

    def go(self, address, wait):
        self._remote.call(
            "browsingContext.navigate",
            {"context": self._context, "url": address, "wait": "complete"},
        )
        if wait:
            self.wait_until("document.body && 'ready' in document.body.dataset")

    def reload(self):
        self._remote.call("browsingContext.reload", {"context": self._context, "wait": "complete"})
        self.wait_until("document.body && 'ready' in document.body.dataset")

    def evaluate(self, expression, by_user=False):
        # As text: BiDi's own form of values is another one.
        function = f"async () => JSON.stringify((await ({expression})) ?? null)"
        answer = self._remote.call(
            "script.callFunction",
            {
                "functionDeclaration": function,
                "target": {"context": self._context},
                "awaitPromise": True,
                "userActivation": by_user,
            },
        )
        if answer["type"] != "success":
            raise AssertionError(f"{expression}: {answer['exceptionDetails']['text']}")
        return json.loads(answer["result"]["value"])

    def click_at(self, x, y):
        moves = [
            {"type": "pointerMove", "x": round(x), "y": round(y)},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        pointer = {"type": "pointer", "id": "mouse", "actions": moves}
        self._remote.call("input.performActions", {"context": self._context, "actions": [pointer]})

    def bring_to_front(self):
        self._remote.call("browsingContext.activate", {"context": self._context})

    def close(self):
        self._remote.call("browsingContext.close", {"context": self._context})
