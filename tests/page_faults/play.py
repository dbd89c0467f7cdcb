"""Plays one fault: a session is made, the fault happens to one person, and what is shown and heard is noted."""

from __future__ import annotations

import re
import time

from tests.page_faults.outcome import outcome

__all__ = ["play"]

BEFORE_SECONDS = 4
AFTER_SECONDS = 12


def play(stage, fault, role):
    """Return the outcome, and the new sentences that the person was shown, in order."""
    session_id = stage.speak()
    listener = stage.listen(session_id)
    if role == "interpreter":
        stage.interpret()
    person = stage.participant(role)
    notes = Notes(person)
    with stage.recorded() as (said, heard):
        notes.watch(BEFORE_SECONDS)
        notes.begin()
        with fault.happens(stage, person):
            begin = time.monotonic()
            notes.watch(fault.seconds)
        end = time.monotonic()
        notes.watch(AFTER_SECONDS)
    result = outcome(said, heard, begin, end)
    stage.close_tabs()
    return result, notes.new


class Notes:
    """The sentences that a person is shown, beyond those of before."""

    def __init__(self, person):
        self._person = person
        self._known = set()
        self._isnew = False
        self.new = []

    def begin(self):
        self._known = {*map(_plain, self._person.shown())}
        self._isnew = True

    def watch(self, seconds):
        end = time.monotonic() + seconds
        while True:
            for sentence in map(_plain, self._person.shown()) if self._isnew else ():
                if sentence not in self._known:
                    self._known.add(sentence)
                    self.new.append(sentence)
            if time.monotonic() >= end:
                return
            time.sleep(min(0.25, max(0, end - time.monotonic())))


def _plain(sentence):
    """A countdown is one sentence."""
    return re.sub(r"\s+", " ", re.sub(r"\d+ s\b", "… s", sentence))
