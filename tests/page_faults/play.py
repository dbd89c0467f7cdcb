"""Plays one fault: a session is made, the fault happens to one person, and what is shown and heard is noted."""

from __future__ import annotations

import re
import time

from tests.page_faults.outcome import outcome

__all__ = ["play"]

BEFORE_SECONDS = 4
AFTER_SECONDS = 8
WATCHED_EVERY_SECONDS = 0.25


def play(stage, fault, role):
    """Return the outcome, and the sentences that the person was shown from then on, in order."""
    with stage.session():
        return _play(stage, fault, role)


def _play(stage, fault, role):
    session_id = stage.speak()
    if fault.at_start:
        person = stage.participant("listener")
    else:
        stage.listen(session_id)
        person = stage.participant(role)
    if role == "interpreter":
        stage.interpret()
    notes = Notes(person)
    with stage.recorded() as (said, heard):
        if not fault.at_start:
            notes.watch(BEFORE_SECONDS)
            notes.begin()
        with fault.happens(stage, person, session_id):
            notes.is_on = True
            begin = time.monotonic()
            notes.watch(fault.seconds)
        end = time.monotonic()
        fault.then(person)
        notes.watch(AFTER_SECONDS)
    return outcome(said, heard, begin, end, wanted=1 if role == "interpreter" else 0), notes.shown


class Notes:
    """The sentences that a person is shown, beyond those of before."""

    def __init__(self, person):
        self._person = person
        self._known = set()
        self.is_on = False
        self.shown = []

    def begin(self):
        self._known = {*map(_plain, self._person.shown())}

    def watch(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(WATCHED_EVERY_SECONDS, left))
            self._note()

    def _note(self):
        for sentence in map(_plain, self._person.shown()) if self.is_on else ():
            if sentence not in self._known:
                self._known.add(sentence)
                self.shown.append(sentence)


def _plain(sentence):
    """A countdown is one sentence."""
    return re.sub(r"\s+", " ", re.sub(r"\b\d+ s\b", "… s", sentence))
