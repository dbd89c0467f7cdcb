"""What a person does with the page and reads on it, in any browser."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod

from tests.page_faults.sound import until

__all__ = ["CONTEXTS", "Person"]

PATIENCE_SECONDS = 30
# Where a test finds what the page plays and records with, and how it keeps that from going on, as a call on a phone does.
CONTEXTS = """
window.contexts = [];
const Real = window.AudioContext;
window.AudioContext = class extends Real {
  constructor(...given) { super(...given); window.contexts.push(this); }
  resume() { return window.isHeld ? new Promise(() => {}) : super.resume(); }
};
"""
SHOWN = """[...document.querySelectorAll(%s)].filter((one) => one.checkVisibility() && one.innerText.trim() !== "")
  .map((one) => one.innerText.trim())"""

# After the next frame: before the first one is shown, a browser takes no clicks.
PLACE = """new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => {
  const { x, y, width, height } = %s.getBoundingClientRect();
  resolve([x + width / 2, y + height / 2]);
})))"""


class Person(ABC):
    """Made by a browser's `open`."""

    @abstractmethod
    def evaluate(self, expression, by_user=False):
        """Return a JavaScript expression's value, a promise's when it is settled; `by_user`: as if after a click."""

    @abstractmethod
    def click_at(self, x, y):
        """Press and release the mouse."""

    @abstractmethod
    def reload(self):
        """Load the page anew, as a person does, and wait until it is ready."""

    @abstractmethod
    def bring_to_front(self):
        """Choose the tab."""

    @abstractmethod
    def close(self):
        """Close the tab."""

    def wait_until(self, expression, seconds=PATIENCE_SECONDS):
        return until(lambda: self.evaluate(expression), seconds)

    def click(self, selector):
        """Click as a person does, where it stands still: it counts for what browsers allow only then."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait_until(f"{found}?.checkVisibility() && !{found}.disabled")
        self.evaluate(f"{found}.scrollIntoView({{ block: 'center', behavior: 'instant' }})")
        places = [None]

        def stands_still():
            places.append(self.evaluate(PLACE % found))
            return places[-1] == places[-2]

        until(stands_still, PATIENCE_SECONDS, pause=0)
        self.click_at(*places[-1])

    def set(self, selector, value):
        """Give a field a value, or a box its tick, and let the page know."""
        name = "checked" if isinstance(value, bool) else "value"
        self.evaluate(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); one.{name} = {json.dumps(value)};"
            " for (const kind of ['input', 'change']) one.dispatchEvent(new Event(kind, { bubbles: true })); })()"
        )

    def text(self, selector):
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def is_visible(self, selector):
        return bool(
            self.evaluate(f"document.querySelector({json.dumps(selector)})?.checkVisibility()")
        )

    def shows(self, selector, seconds=PATIENCE_SECONDS):
        """Wait until it is visible."""
        try:
            until(lambda: self.is_visible(selector), seconds)
        except AssertionError as error:
            raise AssertionError(
                f"{selector} {error}: {self.shown('[role=status], [role=alert]')}"
            ) from error

    def shown(self, selectors):
        """Return the texts of all that is visible and matches."""
        return self.evaluate(SHOWN % json.dumps(selectors))

    def number(self, selector):
        """Return the number in an element, which may be folded."""
        text = self.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")
        return int("".join(filter(str.isdigit, text)) or 0)
