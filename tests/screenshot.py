"""Makes the picture in the README: `python -m tests.screenshot`, in `.venv/dev`.

The page as it runs on the local system: one tab speaks the recording, another one listens.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests import browser

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURE = browser.ROOT / "docs" / "pictures" / "page.png"
WARM, CHUNKS = 50, 150


def main() -> None:
    """Let one tab speak and another listen, and keep what the listener's shows."""
    path = browser.chromium()
    if path is None:
        sys.exit("there is no Chromium; CHROMIUM=path names one")
    with browser.launched(path) as chromium, browser.Running() as running:
        size = {"width": 1280, "height": 960}
        speaker, listener = (chromium.new_page(viewport=size) for _ in range(2))
        speaker.goto(f"{running.page.url}#speak")
        speaker.check("#source-recording")
        speaker.click("#speak-start")
        speaker.wait_for_selector("#speak-live")
        reach(speaker, "#speak-sent", WARM)  # a function that starts lets the first chunks wait
        listener.goto(f"{running.page.url}#listen")
        listener.fill("#listen-session", speaker.inner_text("#speak-session"))
        listener.click("#listen-start")
        reach(listener, "#listen-played", CHUNKS)
        listener.screenshot(path=PICTURE)


def reach(page: Page, selector: str, number: int) -> None:
    """Wait until an element shows so much, or more."""
    page.wait_for_function(
        "([selector, number]) => parseInt(document.querySelector(selector).textContent) >= number",
        arg=[selector, number],
        timeout=60_000,
    )


if __name__ == "__main__":
    main()
