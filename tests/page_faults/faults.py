"""The faults on purpose: what happens to one person of a session, for how long, and what the person does then.

Each is a context manager that takes the stage and the person; the fault lasts from its beginning to its end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.page_faults.stage import Participant

__all__ = ["FAULTS", "Fault", "rows_of"]

EVERYONE = ("speaker", "listener", "interpreter")
WHO_SPEAKS = ("speaker", "interpreter")


class Fault(NamedTuple):
    """A kind of fault; `roles` are those whom it can hit."""

    what: str
    roles: tuple[str, ...]
    happens: Callable[[Any, Any, str], contextlib.AbstractContextManager[None]]
    seconds: float
    at_start: bool = False  # it is there when the person joins
    browsers: tuple[str, ...] = ("Chromium", "Firefox")
    then: Callable[[Any], object] = lambda person: None  # what the person does when it is over

    def key(self, role):
        """Return the name of a row."""
        return f"{self.what}: {role}"


@contextlib.contextmanager
def audio_stops(stage, person, session_id):
    with person.browser.stopped_audio():
        yield


@contextlib.contextmanager
def context_is_suspended(stage, person, session_id):
    running = "contexts.filter((one) => one.state === 'running')"
    person.tab.evaluate(f"window.isHeld = true, Promise.all({running}.map((one) => one.suspend()))")
    yield
    person.tab.evaluate(
        "void (window.isHeld = false)"
    )  # to go on is the page's part, without a tap


@contextlib.contextmanager
def tab_is_hidden(stage, person, session_id):
    other = person.browser.open("about:blank", wait=False)
    other.bring_to_front()
    person.tab.wait_until("document.visibilityState === 'hidden'")
    yield
    other.close()
    person.tab.bring_to_front()
    person.tab.wait_until("document.visibilityState === 'visible'")


@contextlib.contextmanager
def network_is_gone(stage, person, session_id):
    with person.relay.held_up():
        yield


@contextlib.contextmanager
def gateway_is_restarted(stage, person, session_id):
    stage.running.kill_gateway()
    try:
        yield
    finally:
        stage.running.start_gateway()


@contextlib.contextmanager
def page_is_reloaded(stage, person, session_id):
    person.tab.reload()
    yield


@contextlib.contextmanager
def microphone_is_lost(stage, person, session_id):
    person.machine.unplug_microphone()
    yield
    person.machine.plug_in_microphone()


@contextlib.contextmanager
def microphone_is_silent(stage, person, session_id):
    person.machine.silence_microphone(True)
    yield
    person.machine.silence_microphone(False)


@contextlib.contextmanager
def output_is_lost(stage, person, session_id):
    person.machine.unplug_ear()
    yield
    person.machine.plug_in_ear()


@contextlib.contextmanager
def sound_may_not_start(stage, person, session_id):
    stage.opens_listener(session_id)
    # A script's click is nobody's: the browser refuses to play, as it does on a phone that was set so.
    person.tab.evaluate("document.querySelector('#listen-start').click()")
    person.tab.shows("#listen-live")
    yield
    person.tab.click("h1")


@contextlib.contextmanager
def there_is_no_output(stage, person, session_id):
    person.machine.unplug_ear()
    stage.listen(session_id)
    yield
    person.machine.plug_in_ear()


# Firefox is spared what makes its sound wait for itself: PulseAudio without any output, which has one on people's machines.
FAULTS = (
    Fault("the audio process stops for 1 s", EVERYONE, audio_stops, 1),
    Fault(
        "the sound is suspended for 5 s",
        EVERYONE,
        context_is_suspended,
        5,
        then=Participant.taps_if_asked,
    ),
    Fault("another tab is in front for 60 s", ("speaker", "listener"), tab_is_hidden, 60),
    Fault("the network is gone for 10 s", EVERYONE, network_is_gone, 10),
    Fault("the gateway is restarted", EVERYONE, gateway_is_restarted, 1),
    Fault("the page is reloaded", EVERYONE, page_is_reloaded, 0, then=Participant.goes_on),
    Fault("the microphone is unplugged for 5 s", WHO_SPEAKS, microphone_is_lost, 5),
    Fault("the microphone is silent for 15 s", WHO_SPEAKS, microphone_is_silent, 15),
    Fault(
        "the only output is unplugged for 5 s",
        ("listener",),
        output_is_lost,
        5,
        browsers=("Chromium",),
        then=Participant.taps_if_asked,
    ),
    Fault(
        "there is no output for the first 5 s",
        ("listener",),
        there_is_no_output,
        5,
        at_start=True,
        then=Participant.taps_if_asked,
    ),
    Fault(
        "the browser lets no sound start without a tap, which comes after 5 s",
        ("listener",),
        sound_may_not_start,
        5,
        at_start=True,
    ),
)


def rows_of(browser):
    """Return the faults, each with a role, that happen in a browser."""
    return [(fault, role) for fault in FAULTS if browser in fault.browsers for role in fault.roles]
