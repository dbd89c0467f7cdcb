"""A session with one browser for each person, each with its own sound, network and page."""

from __future__ import annotations

import contextlib
from urllib.parse import urlsplit, urlunsplit

from local.page import Page
from tests.page_faults.person import CONTEXTS
from tests.page_faults.relay import Relay
from tests.page_faults.sound import EAR, VOICE, SoundMachine
from tests.page_faults.voice import INTERPRETER, SPEAKER

__all__ = ["Participant", "Stage"]

VIEWS = {"speaker": "speak", "listener": "listen", "interpreter": "interpret"}
LANGUAGE = "de"
GOES_ON_SECONDS = 3
TAP_SECONDS = 1.5
TRIES = 5
NOTICED_SECONDS = 2


class Participant:
    """One person's machine, browser and way to the gateway; what the person does in its view of the page."""

    def __init__(self, role, browser_class, running, undo):
        self.role = role
        self.view = VIEWS[role]
        voice = {"speaker": SPEAKER, "interpreter": INTERPRETER}.get(role)
        self.machine = undo.enter_context(SoundMachine(voice and voice.pcm16()))
        self.browser = undo.enter_context(browser_class(self.machine))
        address = urlsplit(running.system.url)
        self.relay = undo.enter_context(Relay(address.port))
        through_relay = address._replace(netloc=f"127.0.0.1:{self.relay.port}")
        self.page = Page({"url": urlunsplit(through_relay)}, operator=False)
        undo.callback(self.page.close)
        self.page.start()
        self.tab = None

    def open(self, fragment="", script=CONTEXTS):
        self.close()
        self.tab = self.browser.open(f"{self.page.url}#{fragment or self.view}", script)

    def close(self):
        if self.tab is not None:
            self.tab.close()
        self.tab = None

    def begin(self):
        """Press the form's button, as a person does: again if nothing happens, as with a browser that has just started."""
        for _ in range(TRIES):
            self.tab.click(f"#{self.view}-start")
            with contextlib.suppress(AssertionError):
                self.tab.wait_until(
                    f"document.querySelector('#{self.view}').dataset.state", NOTICED_SECONDS
                )
                break
        self.tab.shows(f"#{self.view}-live")

    def goes_on(self):
        """Do after a reload what the page asks for: nothing, a tap, or all again."""
        with contextlib.suppress(AssertionError):
            self.tab.shows(f"#{self.view}-live", GOES_ON_SECONDS)
        if self.tab.is_visible(f"#{self.view}-live"):
            self.taps_if_asked()
        else:
            self.begin()

    def taps_if_asked(self):
        """Tap the page if it soon says that it needs that; a listener's may go on by itself."""
        asked = f"document.querySelector('#{self.view}').dataset.state === 'needsTap'"
        with contextlib.suppress(AssertionError):
            self.tab.wait_until(asked, TAP_SECONDS)
            self.tab.click("h1")

    def shown(self):
        """Return what the page tells this person: the state's sentence, problems and warnings."""
        return self.tab.shown(
            ", ".join(f"#{self.view}-{place}" for place in ("broadcast", "problem", "warning"))
        )


class Stage:
    """Participants who stay from session to session. Starting a browser takes long; its tabs are new in each session."""

    def __init__(self, browser_class, running):
        self.browser_class = browser_class
        self.running = running
        self._people = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stack.close()

    def participant(self, role, number=0):
        """Return the one of a role, and start what it needs the first time."""
        if (role, number) not in self._people:
            self._people[role, number] = Participant(
                role, self.browser_class, self.running, self._stack
            )
        return self._people[role, number]

    def people(self):
        return list(self._people.values())

    def speak(self, script=CONTEXTS):
        """Have the speaker begin a session; return its id."""
        speaker = self.participant("speaker")
        speaker.open(script=script)
        speaker.tab.set("#speak-clean", False)
        speaker.begin()
        return speaker.tab.text("#speak-session")

    def opens_listener(self, session_id, number=0, script=CONTEXTS):
        """Have a listener open the link, and not yet begin."""
        listener = self.participant("listener", number)
        listener.open(f"listen/{session_id}", script)
        listener.tab.set("#listen-language", LANGUAGE)
        return listener

    def listen(self, session_id, number=0, script=CONTEXTS):
        listener = self.opens_listener(session_id, number, script)
        listener.begin()
        return listener

    def interpret(self):
        """Have the interpreter join by the speaker's link for interpreters."""
        speaker = self.participant("speaker")
        link = speaker.tab.evaluate("document.querySelector('#speak-interpreters-invite').href")
        interpreter = self.participant("interpreter")
        interpreter.open(urlsplit(link).fragment)
        interpreter.tab.set("#interpret-language", LANGUAGE)
        interpreter.tab.set("#interpret-clean", False)
        interpreter.begin()
        return interpreter

    @contextlib.contextmanager
    def session(self):
        """At the end close all tabs; after a failure, all browsers: one of them may hang."""
        try:
            yield
            for person in self.people():
                person.close()
        except BaseException:
            self._people.clear()
            self._stack.close()
            raise

    @contextlib.contextmanager
    def recorded(self, ear=0):
        """Record what is said and what a listener's ear gets; give both, of all who speak and of that ear."""
        with contextlib.ExitStack() as stack:
            mouths = [
                one for one in self.people() if one.role != "listener" and one.tab is not None
            ]
            said = [stack.enter_context(one.machine.recorded(VOICE)) for one in mouths]
            yield said, stack.enter_context(self.participant("listener", ear).machine.recorded(EAR))

    @contextlib.contextmanager
    def recorded_by_all(self):
        """Record what the speaker says, and all ears; give the one and a list."""
        listeners = [one for one in self.people() if one.role == "listener" and one.tab is not None]
        with contextlib.ExitStack() as stack:
            mouth = stack.enter_context(self.participant("speaker").machine.recorded(VOICE))
            yield mouth, [stack.enter_context(one.machine.recorded(EAR)) for one in listeners]
