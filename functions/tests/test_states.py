"""Sessions and participants in any order of events, against a model: who is in, on which connection.

Answers of DynamoDB are lost on the way, and invocations end in their midst; clients vanish, come back with
tokens of any age, and are on two connections at once.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from broadcast.items import family_of
from broadcast.tokens import participant_id_of
from shared_utils.dynamodb import DynamoDBError

LANGUAGES = ("fr", "de", "pt-BR")
# As many as one message removes of those who turn out to be gone.
MAX_LISTENERS = 4
MAX_SESSIONS = 2
IDLE_SECONDS, GRACE_SECONDS, SESSION_SECONDS = 120, 60, 7200
# For so long a token that was used stays good, if nothing comes from the new connection; so many are
# given without anything that comes.
TOKEN_SECONDS, MAX_TOKENS = 30, 8
# From then on housekeeping sends to connections, and so finds out who is gone.
REFRESH_SECONDS = 100 * 60

FUNCTIONS = [path.stem for path in Path(__file__).parent.parent.glob("handlers/[!_]*.py")]
KEYS = {"sessions": "sessionId", "connections": "connectionId", "counters": "identifier"}
WRITES = {"put_item", "update_item", "delete_item", "transact_write_items"}


numbers = itertools.count()


class Cut(BaseException):
    """An invocation ends here."""


@dataclass(eq=False)
class Client:
    """Somebody with tokens, on the connection `name`, or with none if that is in the system's `gone`.

    `newest` are the tokens that were answered last, with the connections they came on; `before` those
    that brought them, `older` all that are no longer good; `unheard` is how many came since the last message.
    """

    session: Broadcast
    name: str
    newest: dict[str, str]
    language: str = ""
    is_paused: bool = False
    before: list[str] = field(default_factory=list)
    older: list[str] = field(default_factory=list)
    rotated_at: float = 0.0
    is_unused: bool = False
    is_revoked: bool = False
    unheard: int = 0  # something has come before the first refresh

    def take_tokens(self, used: str, answered: dict[str, str]) -> None:
        """Have these after the use of one."""
        if used in self.before:
            self.newest |= answered
        else:
            self.older += self.before
            self.before, self.newest, self.is_unused = [*self.newest], answered, True

    def speak(self) -> None:
        """Send something: what came on other connections is no longer good."""
        spent = [token for token, name in self.newest.items() if name != self.name]
        self.older += spent
        self.newest = {token: self.name for token in self.newest if token not in spent}
        self.is_unused, self.unheard = False, 0


@dataclass(eq=False)
class Broadcast:
    """What a session has to be; `listeners` are those who are counted."""

    session_id: str
    ends_at: float
    speaker: Client = field(init=False)
    listeners: list[Client] = field(default_factory=list)
    is_ended: bool = False

    def counted(self) -> list[Client]:
        return [*self.listeners, self.speaker]


class LossyTable:
    """A table of which each write is lost so many times: the request, or the answer to it.

    A transaction with a known token is answered anew, as DynamoDB does; the emulator takes a 5.0, which
    it has stored as 5, for another request.
    """

    def __init__(self, table, before_call, what: str, times: int) -> None:
        self.name = table.name
        self._table = table
        self._before_call = before_call
        self._what = what
        self._times = times
        self._counts = Counter()
        self._answers = {}

    def __getattr__(self, operation):
        def call(timeout_seconds, **arguments):
            self._before_call()
            token, key = arguments.get("ClientRequestToken"), f"{operation} {arguments}"
            self._counts[key] += 1
            lost = operation in WRITES and self._counts[key] <= self._times
            answer = self._answers.get(token) if token else None
            try:
                if answer is None and not (lost and self._what == "request"):
                    answer = getattr(self._table, operation)(
                        timeout_seconds=timeout_seconds, **arguments
                    )
                    self._answers[token] = answer
            finally:
                if lost:
                    raise DynamoDBError(operation, "ConnectionResetError", outcome_unknown=True)
            return answer

        return call


class Broadcasts(RuleBasedStateMachine):
    """Each rule is one event; what it has to change is changed in the model."""

    clients = Bundle("clients")
    left_behind = Bundle("left_behind")  # connections that a client was on before

    def __init__(self, system, tables, dynamodb) -> None:
        super().__init__()
        self.system = system
        self.tables = tables
        self.dynamodb = dynamodb
        self.sessions: list[Broadcast] = []
        self.last_seen: dict[str, float] = {}
        self.connected: dict[str, float] = {}
        self.calls_left = 0
        self.interruption = None
        stores = [system.app(name).store for name in FUNCTIONS]
        self.items = [getattr(store, name) for store in stores for name in KEYS]
        self.tables_without_losses = [items.table for items in self.items]

    @initialize(
        target=clients,
        lost=st.sampled_from([("", 0), ("request", 1), ("answer", 1), ("answer", 2)]),
        language=st.sampled_from(LANGUAGES),
    )
    def begin(self, lost, language):
        """Open a session with listeners."""
        self.lost = lost
        for items in self.items:
            items.table = LossyTable(items.table, self.interrupt, *lost)
        speaker = self.create()
        return multiple(speaker, *(self.join(speaker, language) for _ in range(2)))

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

    def is_gone(self, name: str) -> bool:
        return name in self.system.clients.gone

    def connect(self) -> str:
        """Return the name of a new connection."""
        name = f"client-{next(numbers)}"
        self.connected[name] = self.now
        return name

    def send(self, name: str, action: str, **fields) -> int:
        """Send a message, a second after the last one, and return the status; none is a 5xx."""
        self.system.clock.now += 1
        number, at = next(numbers), self.connected[name]
        fields["address"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        status = self.system.send(name, action, connected_at=at, **fields)
        assert status < 500, f"{action}: {status}"
        return status

    def replied(self, name: str, kind: str) -> dict:
        """Return the reply of a type, of all that was sent since the last time."""
        sent = self.system.take()
        [reply] = [message for to, message in sent if to == name and message["type"] == kind]
        return reply

    def expect(self, client: Client, status: int) -> bool:
        """Return whether it is 200, which it has to be in a session that goes on."""
        over = self.is_past(client.session)
        assert status == (410 if over else 200)
        return not over

    def expect_refused_join(self, client: Client, status: int) -> None:
        """A session that is over is found to be so before anything is written."""
        over = client.session.is_ended or client.session.ends_at <= self.now
        assert status == (410 if over else 409)

    def is_in(self, client: Client) -> bool:
        return client in client.session.counted()

    def can_send(self, client: Client) -> bool:
        return self.is_in(client) and not self.is_gone(client.name)

    def interrupt(self) -> None:
        """Do what is to be done in the midst of something else, when it is due."""
        self.calls_left -= 1
        if self.calls_left < 0 and self.interruption is not None:
            interruption, self.interruption = self.interruption, None
            interruption()

    # --- rules

    @rule(target=clients)
    @precondition(lambda self: len(self.sessions) < MAX_SESSIONS)
    def create(self):
        name = self.connect()
        assert self.send(name, "createSession", sourceLanguage="en") == 200
        created = self.replied(name, "sessionCreated")
        session = Broadcast(created["sessionId"], self.now + SESSION_SECONDS)
        session.speaker = Client(session, name, {created["refreshToken"]: name})
        self.last_seen[name] = self.now
        self.sessions.append(session)
        return session.speaker

    @rule(target=clients, other=clients, language=st.sampled_from(LANGUAGES))
    def join(self, other, language):
        session, name = other.session, self.connect()
        if len(session.listeners) >= MAX_LISTENERS:
            return multiple()
        message = {"sessionId": session.session_id, "targetLanguage": language}
        if not self.expect(other, self.send(name, "joinSession", **message)):
            return multiple()
        joined = self.replied(name, "sessionJoined")
        client = Client(session, name, {joined["refreshToken"]: name}, language)
        session.listeners.append(client)
        self.last_seen[name] = self.now
        assert joined["listenerCount"] == len(session.listeners)
        return client

    @rule(client=clients)
    def leave(self, client):
        self.system.clock.now += 1
        assert self.system.disconnect(client.name)["statusCode"] == 200
        if client in client.session.listeners:
            client.session.listeners.remove(client)

    @rule(name=consumes(left_behind))
    def leave_late(self, name):
        """The end of a connection that the client is no longer on changes nothing."""
        if name not in [one.name for session in self.sessions for one in session.counted()]:
            assert self.system.disconnect(name)["statusCode"] == 200

    @rule(client=clients)
    def vanish(self, client):
        """Nobody is notified of it."""
        self.system.clients.gone.add(client.name)

    @rule(client=clients, action=st.sampled_from(["pauseBroadcast", "resumeBroadcast"]))
    def send_to_everyone(self, client, action):
        """Who turns out to be gone is taken out."""
        if client is not client.session.speaker or self.is_gone(client.name):
            return
        if self.expect(client, self.send(client.name, action)):
            self.note_message(client)
            here = [one for one in client.session.listeners if not self.is_gone(one.name)]
            client.session.listeners[:] = here

    @rule(client=clients, is_paused=st.booleans(), language=st.sampled_from(("", *LANGUAGES)))
    def change_playback(self, client, is_paused, language):
        if client not in client.session.listeners or self.is_gone(client.name):
            return
        action = "pausePlayback" if is_paused else "resumePlayback"
        if self.expect(client, self.send(client.name, action)):
            client.is_paused = is_paused
        if language:
            status = self.send(client.name, "changeLanguage", targetLanguage=language)
            if self.expect(client, status):
                client.language = language
        self.note_message(client)

    @rule(client=clients)
    def stay(self, client):
        """Who is in a session cannot be in another one."""
        if self.can_send(client):
            message = {"sessionId": client.session.session_id, "targetLanguage": "fr"}
            self.expect_refused_join(client, self.send(client.name, "joinSession", **message))
            assert self.send(client.name, "createSession", sourceLanguage="en") == 409
            assert self.send(client.name, "heartbeat") == 200
            self.note_message(client)

    @rule(
        target=left_behind,
        client=clients,
        age=st.sampled_from(["newest", "newest", "before", "older"]),
        number=st.integers(0, MAX_TOKENS - 1),
    )
    def reattach(self, client, age, number):
        """Who has a good token is in again, on this connection and on no other."""
        tokens = [*getattr(client, age)]
        if not tokens or not self.has_room(client):
            return multiple()
        token = tokens[number % len(tokens)]
        name, before = self.connect(), client.name
        status = self.refresh(name, client, token)
        if self.is_past(client.session):  # the token is forgotten some time after the session's end
            assert status in (401, 410)
        elif client.is_revoked:
            assert status == 401
            assert name not in self.system.clients.closed
        elif (
            age == "older"
            or client.unheard >= MAX_TOKENS
            or (age == "before" and not self.is_in_grace(client))
        ):
            assert status == 401
            self.shut_out(client, name)
        else:
            assert status == 200
            self.moved(client, name, token)
            return before
        return multiple()

    def is_in_grace(self, client):
        return client.is_unused and self.now - client.rotated_at < TOKEN_SECONDS

    def shut_out(self, client, thief):
        """Nobody knows which of the two the token was stolen from."""
        assert thief in self.system.clients.closed
        assert self.is_gone(client.name)
        client.is_revoked = True
        if client in client.session.listeners:
            client.session.listeners.remove(client)

    @rule(target=left_behind, client=clients, calls=st.integers(0, 18), is_one=st.booleans())
    def reattach_twice_at_once(self, client, calls, is_one):
        """In the midst of a request, after so many calls, comes another one, also of the same connection."""
        if not self.may_refresh(client):
            return multiple()
        first, before, token, statuses = self.connect(), client.name, next(iter(client.newest)), []
        second = first if is_one else self.connect()
        self.calls_left = calls
        self.interruption = lambda: statuses.append(self.refresh(second, client, token))
        statuses.append(self.refresh(first, client, token))
        if self.interruption is not None:  # it made no more calls
            self.interruption = None
            statuses.append(self.refresh(second, client, token))
        if 200 not in statuses:
            assert set(statuses) <= {401, 410}
            assert client.is_revoked or self.is_past(client.session)
            return multiple()
        session = self.system.store.session(client.session.session_id)
        [name] = {session.speaker_connection_id, *session.audience} & {first, second}
        assert not self.is_gone(name)
        if is_one:
            assert set(statuses) == {200}
        else:
            [other] = {first, second} - {name}
            errors = {to for to, message in self.system.clients.sent if message["type"] == "error"}
            assert other in errors or other in self.system.clients.closed
        self.moved(client, name, token)
        return multiple(before, *{first, second} - {name})

    @rule(target=left_behind, client=clients, calls=st.integers(0, 18), is_one=st.booleans())
    def reattach_after_a_cut(self, client, calls, is_one):
        """An invocation that ends after so many calls is made good by the same request."""
        if not self.may_refresh(client):
            return multiple()
        first, before, token = self.connect(), client.name, next(iter(client.newest))
        second = first if is_one else self.connect()
        self.calls_left, self.interruption = calls, self.cut
        message = {"sessionId": client.session.session_id, "refreshToken": token}
        self.system.send(first, "refreshConnection", connected_at=self.now, **message)
        self.interruption = None
        status = self.refresh(second, client, token)
        if client.is_revoked or self.is_past(client.session):
            assert status in (401, 410)
            return multiple()
        assert status == 200
        # Who asks again has no use for the others, whose end nobody may have asked for.
        self.system.clients.gone |= {first, before} - {second}
        self.moved(client, second, token)
        return multiple(before, *{first} - {second})

    def cut(self):
        raise Cut

    def has_room(self, client):
        """Return whether there is room for a client."""
        self.system.take()
        return len(client.session.listeners) < MAX_LISTENERS or self.is_in(client)

    def may_refresh(self, client):
        """Return whether there is room for a client, and for two more of its tokens."""
        return self.has_room(client) and client.unheard <= MAX_TOKENS - 2

    def is_past(self, session):
        return session.is_ended or session.ends_at <= self.now

    def refresh(self, name, client, token):
        return self.send(
            name,
            "refreshConnection",
            sessionId=client.session.session_id,
            refreshToken=token,
        )

    def moved(self, client, name, token):
        if not self.is_in(client):
            client.session.listeners.append(client)
            client.is_paused = False
        assert self.is_gone(client.name)
        client.name = name
        self.last_seen[name] = self.system.store.participant(name).last_activity_at / 1000
        kind = "connectionRefreshComplete"
        answers = [(to, message) for to, message in self.system.take() if message["type"] == kind]
        client.take_tokens(token, {message["refreshToken"]: to for to, message in answers})
        family = family_of(self.system.store.connections.get(participant_id_of(token)))
        client.rotated_at = family.rotated_at / 1000
        # An invocation that was cut has given one to nobody.
        assert client.unheard + len(answers) <= family.unheard <= MAX_TOKENS
        assert family.unheard <= client.unheard + len(answers) + 1
        client.unheard = family.unheard

    def note_message(self, client):
        self.last_seen[client.name] = self.now
        client.speak()

    @rule(client=clients, is_meant=st.sampled_from([True, False, False, False]))
    def end(self, client, is_meant):
        if not is_meant:  # most sessions are to go on for a while
            return
        if client is client.session.speaker and not self.is_gone(client.name):
            if self.expect(client, self.send(client.name, "endSession")):
                client.session.is_ended = True
            self.note_message(client)

    @rule(seconds=st.sampled_from([1, 30, 61, 600, 7201]))
    def wait(self, seconds):
        self.system.clock.now += seconds

    @rule(are_active=st.booleans(), seconds=st.sampled_from([1, 59, 119, 120, 600]))
    def keep_house(self, are_active, seconds):
        """Some time later, sessions that are over are ended, and who was silent for long is taken out."""
        self.system.clock.now += seconds
        clients = [client for session in self.sessions for client in session.counted()]
        if are_active:
            seen = {client.name: self.now for client in clients if not self.is_gone(client.name)}
            self.system.clients.active_at.update(seen)
        silent = [client for client in clients if self.is_silent(client)]
        over = [session for session in self.sessions if self.is_over(session)]
        unsure = [client for client in clients if self.may_be_found_out(client)]
        self.system.keep_house()
        for session in over:
            session.is_ended = True
        for client in clients:
            if client in silent and client in client.session.listeners:
                client.session.listeners.remove(client)
            elif client not in silent and self.now - self.last_seen[client.name] >= IDLE_SECONDS:
                self.last_seen[client.name] = self.now  # the gateway has heard of it
                client.speak()
        for client in unsure:
            stored = self.system.store.session(client.session.session_id)
            is_out = client.name not in stored.audience
            if is_out and client in client.session.listeners:
                client.session.listeners.remove(client)

    def is_silent(self, client):
        if self.now - self.last_seen[client.name] < IDLE_SECONDS:
            return False
        active_at = self.system.clients.active_at.get(client.name, 0.0)
        return self.is_gone(client.name) or self.now - active_at >= IDLE_SECONDS

    def is_over(self, session):
        """Return whether housekeeping has to end it: the time is over, or the speaker's to come back."""
        gone_at = self.system.store.session(session.session_id).speaker_gone_at
        is_late = gone_at is not None and self.now - gone_at / 1000 >= GRACE_SECONDS
        return session.ends_at <= self.now or is_late

    def may_be_found_out(self, client):
        is_old = self.now - self.connected[client.name] >= REFRESH_SECONDS
        return self.is_gone(client.name) and is_old

    # --- what always holds

    @invariant()
    def everyone_is_counted_once(self):
        for session in self.sessions:
            stored = self.system.store.session(session.session_id)
            assert stored.listener_count == len(stored.listeners)
            if session.is_ended:
                assert stored.status == "ended"
                continue
            assert stored.status == "active"
            assert sorted(
                (one.connection_id, one.language, one.is_paused)
                for one in stored.listeners.values()
            ) == sorted((one.name, one.language, one.is_paused) for one in session.listeners)
            for language, number in stored.languages.items():
                assert number == sum(one.language == language for one in session.listeners)
            assert stored.speaker_connection_id == session.speaker.name
            assert stored.speaker_gone_at is None or self.is_gone(session.speaker.name)


def test_any_order_of_events_leaves_everyone_counted_once(unhurried, make_system, tables, dynamodb):
    """`make long` tries nine times as many."""
    system = make_system()

    run_state_machine_as_test(
        lambda: Broadcasts(system, tables, dynamodb),
        settings=settings(
            max_examples=settings.default.max_examples**2 // 1000,  # 10, and 90
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
