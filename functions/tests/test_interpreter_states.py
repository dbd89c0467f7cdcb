"""Interpreters and listeners in any order of events, against a model: who hears whom, and who knows of it.

After each event the floor and each channel send a chunk and a caption, and reach those whom the rules say;
the rules are written here once more, from the protocol. Answers of DynamoDB are lost on the way.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from test_states import FUNCTIONS, KEYS, LossyTable

from broadcast.pace import Pace

SOURCE, FLOOR = "en", "floor"
LISTENED = ("de", "de-AT", "de-CH", "fr", "en", "en-GB", "pt-BR")
INTERPRETED = ("de", "de-AT", "fr", "en", "pt")
MAX_LISTENERS = 5
# An interpreter who gave no sign for so long may be replaced; a sign is noted so often.
SILENT_SECONDS, SIGN_SECONDS = 10, 3
# How old the last sign is when audio and captions are noted as one.
SIGN_DUE_SECONDS = 8

numbers = itertools.count()


@dataclass(eq=False)
class Someone:
    """A listener or an interpreter, on the connection `name`, with the newest token.

    `hears` is what the messages to a listener have said last; `seen_at` is the last sign of an interpreter.
    """

    name: str
    language: str
    wants_captions: bool
    is_listener: bool = False
    wants_original: bool = False
    is_paused: bool = False
    token: str = ""
    hears: str = ""
    seen_at: float = 0.0
    is_revoked: bool = False


def channel_for(language: str, channels: set[str]) -> str:
    """Return what a language hears: exactly its own channel, else that of its language alone, else the floor."""
    if language == SOURCE:
        return FLOOR
    if language in channels:
        return language
    alone = language.partition("-")[0]
    return alone if alone in channels else FLOOR


class Channels(RuleBasedStateMachine):
    """Each rule is one event; what it has to change is changed in the model."""

    listeners = Bundle("listeners")
    interpreters = Bundle("interpreters")

    def __init__(self, system, tables, dynamodb) -> None:
        super().__init__()
        self.system = system
        self.tables = tables
        self.dynamodb = dynamodb
        self.here: list[Someone] = []  # listeners
        self.at: dict[str, Someone] = {}  # interpreters, by language
        self.joined: list[Someone] = []  # all who ever were interpreters
        self.known: set[str] = set()  # languages that have an interpreter, as the speaker knows
        self.is_paused = self.is_muted = False
        stores = [system.app(name).store for name in FUNCTIONS]
        self.items = [getattr(store, name) for store in stores for name in KEYS]
        self.tables_without_losses = [items.table for items in self.items]

    @initialize(
        target=listeners,
        lost=st.sampled_from([("", 0), ("request", 1), ("answer", 1), ("answer", 2)]),
    )
    def begin(self, lost):
        """Open a session with listeners."""
        for items in self.items:
            items.table = LossyTable(items.table, lambda: None, *lost)
        self.speaker = f"client-{next(numbers)}"
        self.send(self.speaker, "createSession", sourceLanguage=SOURCE)
        [(_, created)] = self.system.take()
        self.session_id, self.key = created["sessionId"], created["interpreterKey"]
        joins = [("de", False, True), ("de-AT", False, False), ("fr", True, True)]
        return multiple(*(self.listen(*wanted) for wanted in joins))

    def teardown(self) -> None:
        for items, table in zip(self.items, self.tables_without_losses, strict=True):
            items.table = table
        for name, key in KEYS.items():
            table = self.tables[name]
            for item in self.dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]:
                self.dynamodb.delete_item(TableName=table, Key={key: item[key]})

    # --- helpers

    @property
    def now(self) -> float:
        return self.system.clock.now

    @property
    def channels(self) -> set[str]:
        return {*self.at} - {SOURCE}

    def is_gone(self, someone: Someone) -> bool:
        return someone.name in self.system.clients.gone

    def send(self, name: str, action: str, **fields) -> int:
        """Send a message, a second after the last one, and return the status; none is a 5xx."""
        self.system.clock.now += 1
        number = next(numbers)
        fields["address"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        status = self.system.send(name, action, connected_at=self.now, **fields)
        assert status < 500, f"{action}: {status}"
        return status

    def read(self) -> list[tuple[str, dict]]:
        """Let everyone read what was sent since the last time, and return it."""
        sent = self.system.take()
        for name, message in sent:
            for someone in (*self.here, *self.at.values()):
                if someone.name == name:
                    someone.token = message.get("refreshToken", someone.token)
                    someone.hears = message.get("hears", someone.hears)
            if name == self.speaker and message["type"] == "interpreterJoined":
                self.known.add(message["language"])
            if name == self.speaker and message["type"] == "interpreterLeft":
                self.known.discard(message["language"])
                self.key = message.get("interpreterKey", self.key)
        return sent

    def is_silent(self, language: str) -> bool:
        there = self.at.get(language)
        return there is not None and self.now - there.seen_at >= SILENT_SECONDS

    def may_take(self, language: str) -> bool:
        return language not in self.at or self.is_silent(language)

    def sit(self, interpreter: Someone) -> None:
        """Let an interpreter have the language, in the place of one who is closed."""
        before = self.at.get(interpreter.language)
        assert before is None or self.is_gone(before)
        interpreter.seen_at = self.now
        self.at[interpreter.language] = interpreter

    def is_in(self, interpreter: Someone) -> bool:
        return self.at.get(interpreter.language) is interpreter

    def drop(self, someone: Someone) -> None:
        """Have somebody out."""
        if someone in self.here:
            self.here.remove(someone)
        elif self.is_in(someone):
            del self.at[someone.language]

    # --- listeners

    @rule(
        target=listeners,
        language=st.sampled_from(LISTENED),
        original=st.booleans(),
        captions=st.booleans(),
    )
    def listen(self, language, original, captions):
        if len(self.here) >= MAX_LISTENERS:
            return multiple()
        listener = Someone(f"client-{next(numbers)}", language, captions, True, original)
        message = {"sessionId": self.session_id, "targetLanguage": language, "captions": captions}
        message["audio"] = "original" if original else "interpreted"
        assert self.send(listener.name, "joinSession", **message) == 200
        self.here.append(listener)
        return listener

    @rule(
        listener=listeners,
        language=st.sampled_from(LISTENED),
        audio=st.sampled_from([None, "original", "interpreted"]),
        captions=st.sampled_from([None, True, False]),
    )
    def change_language(self, listener, language, audio, captions):
        """What the message does not say stays."""
        if listener not in self.here:
            return
        wanted = {"targetLanguage": language, "audio": audio, "captions": captions}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        assert self.send(listener.name, "changeLanguage", **wanted) == 200
        listener.language = language
        if audio is not None:
            listener.wants_original = audio == "original"
        if captions is not None:
            listener.wants_captions = captions

    @rule(listener=listeners, is_paused=st.booleans())
    def pause_playback(self, listener, is_paused):
        if listener in self.here:
            action = "pausePlayback" if is_paused else "resumePlayback"
            assert self.send(listener.name, action) == 200
            listener.is_paused = is_paused

    # --- interpreters

    @rule(target=interpreters, language=st.sampled_from(INTERPRETED), captions=st.booleans())
    def interpret(self, language, captions):
        """A language has one; one who is silent is replaced, and closed."""
        interpreter = Someone(f"client-{next(numbers)}", language, captions)
        message = {"sessionId": self.session_id, "language": language, "captions": captions}
        self.system.clock.now += 1
        may_take = self.may_take(language)
        self.system.clock.now -= 1
        key = {"interpreterKey": self.key}
        status = self.send(interpreter.name, "joinAsInterpreter", **message, **key)
        assert status == (200 if may_take else 409)
        if not may_take:
            return multiple()
        self.sit(interpreter)
        self.joined.append(interpreter)
        return interpreter

    @rule(interpreter=interpreters)
    def heartbeat(self, interpreter):
        """It shows that the interpreter is there, or is refused."""
        status = self.send(interpreter.name, "heartbeat")
        assert status == (200 if self.is_in(interpreter) else 410)
        if status == 200 and self.now - interpreter.seen_at >= SIGN_SECONDS:
            interpreter.seen_at = self.now

    @rule(interpreter=interpreters, is_audio=st.booleans())
    def speak(self, interpreter, is_audio):
        """That is a sign, too, if there was none for a while."""
        is_captioner = interpreter.language == SOURCE
        self.system.clock.now += 1
        self.forget()
        send = self.system.chunk if is_audio else self.system.caption
        status = send(interpreter.name)
        if not self.is_in(interpreter):
            assert status == 410
        elif is_audio and is_captioner:
            assert status == 403
        else:
            assert status == 200
            if self.now - interpreter.seen_at >= SIGN_DUE_SECONDS:
                interpreter.seen_at = self.now

    @rule(interpreter=interpreters)
    def remove(self, interpreter):
        """From then on interpreters need another key, and the one who was there does not come back."""
        language = interpreter.language
        assert self.send(self.speaker, "removeInterpreter", language=language) == 200
        if removed := self.at.pop(language, None):
            assert self.is_gone(removed)
        for one in self.joined:
            one.is_revoked |= one.language == language

    # --- both

    @rule(someone=st.one_of(listeners, interpreters), is_listed=st.booleans())
    def leave(self, someone, is_listed):
        """The connection ends, with a `$disconnect`, or found by what is sent to everyone."""
        self.system.clock.now += 1
        self.system.clients.gone.add(someone.name)
        if is_listed:
            self.system.disconnect(someone.name)
        else:
            assert self.send(self.speaker, "setVolume", volumeLevel=0.5) == 200
        self.drop(someone)

    @rule(someone=st.one_of(listeners, interpreters))
    def refresh(self, someone):
        """Whoever was out is back, if there is room; an interpreter, if the language is free."""
        is_listener = someone.is_listener
        name, before = f"client-{next(numbers)}", someone.name
        if is_listener and someone not in self.here and len(self.here) >= MAX_LISTENERS:
            return
        self.system.clock.now += 1
        may = is_listener or self.is_in(someone) or self.may_take(someone.language)
        self.system.clock.now -= 1
        message = {"sessionId": self.session_id, "refreshToken": someone.token}
        status = self.send(name, "refreshConnection", **message)
        if someone.is_revoked:
            assert status == 401
        elif not may:
            assert status == 409
        else:
            assert status == 200
            someone.name = name
            assert before in self.system.clients.gone
            if not is_listener:
                self.sit_again(someone)
            elif someone not in self.here:
                self.here.append(someone)
                someone.is_paused = False
            self.read()
            assert self.send(name, "heartbeat") == 200  # the answer has arrived

    @rule(listener=listeners, interpreter=interpreters)
    def miss_a_change(self, listener, interpreter):
        """Whoever was away while an interpreter left hears of it by the refresh."""
        if listener in self.here and self.is_in(interpreter):
            self.leave(listener, is_listed=False)
            self.leave(interpreter, is_listed=True)
            self.refresh(listener)

    def sit_again(self, interpreter: Someone) -> None:
        if self.is_in(interpreter):
            interpreter.seen_at = self.now
        else:
            self.sit(interpreter)

    # --- the speaker, and time

    @rule(what=st.sampled_from(["pause", "resume", "mute", "unmute"]))
    def control(self, what):
        assert self.send(self.speaker, f"{what}Broadcast") == 200
        if what in ("pause", "resume"):
            self.is_paused = what == "pause"
        else:
            self.is_muted = what == "mute"

    @rule(seconds=st.sampled_from([1, 3, 8, 10]))
    def wait(self, seconds):
        self.system.clock.now += seconds

    @rule(seconds=st.sampled_from([1, 8, 10]))
    def keep_house(self, seconds):
        """Whoever is silent is taken out, and closed."""
        self.system.clock.now += seconds
        names = [self.speaker, *(one.name for one in (*self.here, *self.at.values()))]
        self.system.clients.active_at.update(dict.fromkeys(names, self.now))
        silent = [language for language in self.at if self.is_silent(language)]
        self.system.keep_house()
        for language in silent:
            assert self.is_gone(self.at.pop(language))

    # --- what always holds

    @invariant()
    def everyone_hears_what_the_rules_say(self):
        self.check_item()
        self.check_what_is_known()
        self.forget()
        with mock.patch("handlers._live.SIGN_DUE_MS", float("inf")):  # looking is no sign
            self.check_floor()
            for language in self.channels:
                self.check_channel(language)

    def check_item(self) -> None:
        stored = self.system.store.session(self.session_id)
        assert {
            language: (one.connection_id, one.seen_at / 1000, one.wants_captions)
            for language, one in stored.interpreters.items()
        } == {
            language: (one.name, one.seen_at, one.wants_captions)
            for language, one in self.at.items()
        }
        assert stored.listener_count == len(stored.listeners) == len(self.here)
        assert sorted(stored.audience) == sorted(one.name for one in self.here)

    def check_what_is_known(self) -> None:
        self.read()
        assert self.known == {*self.at}
        for listener in self.here:
            assert listener.hears == self.heard_by(listener)

    def heard_by(self, listener: Someone) -> str:
        return FLOOR if listener.wants_original else channel_for(listener.language, self.channels)

    def forget(self) -> None:
        """Let the functions read sessions anew."""
        for name in ("audio", "captions"):
            self.system.module(name).live.sessions._entries.clear()

    def check_floor(self) -> None:
        floor = {one.name for one in self.at.values()}
        floor |= {n.name for n in self.here if self.heard_by(n) == FLOOR and not n.is_paused}
        is_off = self.is_paused or self.is_muted
        self.system.chunk(self.speaker)
        assert self.reached("audio", None) == (set() if is_off else floor)
        self.system.caption(self.speaker)
        asked = {one.name for one in self.at.values() if one.wants_captions}
        assert self.reached("caption", SOURCE) == self.readers(FLOOR) | asked

    def check_channel(self, language: str) -> None:
        name = self.at[language].name
        heard = {n.name for n in self.here if self.heard_by(n) == language and not n.is_paused}
        self.system.chunk(name)
        assert self.reached("audio", language) == (set() if self.is_paused else heard)
        self.system.caption(name)
        assert self.reached("caption", language) == self.readers(language)

    def readers(self, channel: str) -> set[str]:
        """Return who gets a caption of a channel, whatever they hear."""
        return {self.speaker} | {
            one.name
            for one in self.here
            if one.wants_captions and channel_for(one.language, self.channels) == channel
        }

    def reached(self, kind: str, language: str | None) -> set[str]:
        """Return who got what was sent, once each and all of the language."""
        found = [(name, m.get("language")) for name, m in self.system.take() if m["type"] == kind]
        names = {name for name, _ in found}
        assert sorted(found) == sorted((name, language) for name in names)
        return names


def test_in_any_order_of_events_everyone_hears_what_the_rules_say(
    unhurried, make_system, tables, dynamodb
):
    """`make long` tries nine times as many."""
    system = make_system()
    for name in ("audio", "captions"):  # a chunk and a caption a step, while the clock stands still
        system.app(name).pace = Pace(10_000, system.clock)

    run_state_machine_as_test(
        lambda: Channels(system, tables, dynamodb),
        settings=settings(
            max_examples=settings.default.max_examples**2 // 1600,  # 6, and 56
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
