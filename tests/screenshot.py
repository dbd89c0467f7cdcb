"""Makes the pictures in the README: `python -m tests.screenshot`, in `.venv/dev`.

The page as it runs on the local system: one tab speaks the recording, one interprets, a third one listens.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests import browser

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = browser.ROOT / "docs" / "pictures"
PHONE = {"width": 390, "height": 844}
WARM, CHUNKS = 50, 150
CAPTION, NEXT = "Guten Morgen, und willkommen zu unserer Sitzung.", "Heute sprechen wir über"


def main() -> None:
    """Let one tab speak, one interpret and one listen, and keep what the speaker's and the listener's show."""
    path = browser.chromium()
    if path is None:
        sys.exit("there is no Chromium; CHROMIUM=path names one")
    with browser.launched(path) as chromium, browser.Running() as running:
        size = {"width": 1280, "height": 1000}
        speaker, interpreter, listener = (chromium.new_page(viewport=size) for _ in range(3))
        speaker.goto(f"{running.page.url}#speak")
        speaker.check("#source-recording")
        speaker.click("#speak-start")
        speaker.wait_for_selector("#speak-live")
        reach(speaker, "#speak-sent", WARM)  # a function that starts lets the first chunks wait
        listener.goto(f"{running.page.url}#listen")
        listener.fill("#listen-session", speaker.inner_text("#speak-session"))
        listener.check("#listen-captions")
        listener.click("#listen-start")
        reach(listener, "#listen-played", WARM)
        link = speaker.get_attribute("#speak-interpreters-invite", "href")
        interpreter.goto(f"{running.page.url}{link}")
        interpreter.check("#interpret-recording")
        interpreter.click("#interpret-start")
        reach(listener, "#listen-played", CHUNKS - WARM)
        for key, line in (("Enter", CAPTION), ("End", NEXT)):
            interpreter.fill("#interpret-line", line)
            interpreter.press("#interpret-line", key)
        reach(listener, "#listen-played", CHUNKS)
        listener.set_viewport_size(PHONE)
        listener.emulate_media(color_scheme="dark")
        listener.screenshot(path=PICTURES / "listener.png")
        speaker.click("#watch-beside")
        speaker.wait_for_selector("#metrics figure")
        speaker.screenshot(path=PICTURES / "page.png")


def reach(page: Page, selector: str, number: int) -> None:
    """Wait until an element shows so much, or more."""
    page.wait_for_function(
        "([selector, number]) => parseInt(document.querySelector(selector).textContent) >= number",
        arg=[selector, number],
        timeout=60_000,
    )


if __name__ == "__main__":
    main()
