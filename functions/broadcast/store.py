"""The repository: sessions and participants in DynamoDB.

A session's item holds its listeners, by participant, with their number. Each of its changes is one
conditional update of that one item, so that they happen one after the other, each once, also when
it is sent twice: nothing is read to be written back. A change of a participant takes two items. The
participant's own item comes first: if a call is interrupted between the two, the next 410,
`$disconnect` or housekeeping finds the participant and finishes the change. How a participant moves
to another connection is in `moves.py`, and what is done to interpreters in `interpreters.py`.
"""

from __future__ import annotations

import time

from shared_utils.error_codes import ApplicationError, ErrorCode
from shared_utils.table_names import get_table_name
from shared_utils.websocket_messages import INTERPRETER, LISTENER, SPEAKER

from .items import (
    KEEP_SESSION_SECONDS,
    SUMMARY_NAMES,
    listener_item,
    participant_item,
    participant_of,
    session_item,
    session_of,
    summary_of,
)
from .sessions import (
    ACTIVE,
    ENDED,
    Departure,
    Participant,
    Session,
    SessionSummary,
    check_is_open,
)
from .tables import Items, calls_within, put_both

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .tables import Change

    Item = dict[str, Any]

__all__ = ["Store", "no_session"]

# To undo the first of two writes when the second one fails, maybe because the time was over.
_UNDO_SECONDS = 0.3

_OPEN = "#status = :active AND #endsAt > :now"


class Store:
    """`on_failure` gets the operation and the error's code when DynamoDB fails.

    `answer_seconds` bounds one attempt of a call.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        on_failure: Callable[[str, str], object] = lambda operation, code: None,
        answer_seconds: float = 2.0,
    ) -> None:
        def items(variable: str, key_name: str) -> Items:
            return Items(get_table_name(variable), key_name, on_failure, answer_seconds)

        self.sessions = items("SESSIONS_TABLE_NAME", "sessionId")
        self.connections = items("CONNECTIONS_TABLE_NAME", "connectionId")
        self.counters = items("RATE_LIMITS_TABLE_NAME", "identifier")
        self._clock = clock

    def warm_up(self) -> None:
        """Load what the first call needs, so that the first message does not wait for it."""
        self.sessions.table.prepare()

    @property
    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return int(self._clock() * 1000)

    # --- participants come ---------------------------------------------------------------------

    def create(self, participant: Participant, session: Session) -> bool:
        """Store a session with its speaker, both or none; return False if its id is taken."""
        reasons = put_both(
            (self.connections, participant_item(participant)),
            (self.sessions, session_item(session)),
        )
        if reasons and reasons[0] == "ConditionalCheckFailed":
            raise _has_session()
        return not reasons

    def join(
        self, participant: Participant, max_listeners: int, created_at: int | None = None
    ) -> Session:
        """Store a new listener and return the session with it, which is the one that began then."""
        self._claim(participant)
        try:
            session = self._add_listener(participant, max_listeners, created_at)
            if session is None:
                raise _has_session()
        except BaseException:  # whatever it was: the connection is free to try again
            self._release(participant)
            raise
        return session

    def _claim(self, participant: Participant) -> None:
        """Store a participant on a connection that has no session yet."""
        if not self.connections.put_new(participant_item(participant)).done:
            raise _has_session()

    def _release(self, participant: Participant) -> None:
        with calls_within(_UNDO_SECONDS):
            self.connections.delete(participant.connection_id)

    def _add_listener(
        self, participant: Participant, max_listeners: int, created_at: int | None = None
    ) -> Session | None:
        """Return the session with this listener added, None if the listener is there by now."""
        same = "" if created_at is None else " AND #createdAt = :createdAt"
        change = self._update_session(
            participant.session_id,
            "SET #listeners.#entry = :listener, #listenerCount = #listenerCount + :one",
            f"{_OPEN} AND attribute_not_exists(#listeners.#entry) AND #listenerCount < :max{same}",
            {":listener": listener_item(participant), ":one": 1, ":max": max_listeners}
            | ({":createdAt": created_at} if same else {}),
            entry=participant.participant_id,
        )
        session = session_of(change.item)
        if session is None or not change.done:
            session = check_is_open(session, self.now_ms)
            if created_at not in (None, session.created_at):  # another one has the id by now
                raise ApplicationError(ErrorCode.SESSION_NOT_FOUND)
            here = session.listeners.get(participant.participant_id)
            if here is None:
                raise ApplicationError(ErrorCode.SESSION_MAX_LISTENERS_REACHED)
            if here.connection_id != participant.connection_id:  # else this call was sent twice
                return None
        return session

    # --- participants are there ------------------------------------------------------------------

    def participant(self, connection_id: str) -> Participant | None:
        """Return who is on a connection, also on a closed one."""
        return participant_of(self.connections.get(connection_id))

    def touch(self, connection_id: str) -> Participant | None:
        """Note that a connection is alive, and return who is on it; None without a session."""
        change = self._touch(connection_id)
        if change.item is not None and not change.done:
            if "isUnused" in change.item:
                self.note_heard(connection_id)
            raise ApplicationError(ErrorCode.CONNECTION_CLOSED)
        return participant_of(change.item)

    def note_heard(self, connection_id: str) -> None:
        """Note that something has come from a connection since its refresh, also from a closed one."""
        self.connections.update(
            connection_id, "REMOVE #isUnused", "attribute_exists(#connectionId)", {}
        )

    def touch_if_open(self, connection_id: str) -> bool:
        """Note that a connection is alive; return False if it is closed, or has no session."""
        return self._touch(connection_id).done

    def _touch(self, connection_id: str) -> Change:
        return self.connections.update(
            connection_id,
            "SET #lastActivityAt = :now REMOVE #isUnused",
            "attribute_exists(#connectionId) AND attribute_not_exists(#disconnectedAt)",
            {":now": self.now_ms},
        )

    def mark(self, participant: Participant, name: str) -> bool:
        """Note the time under a name that is not there yet; return False if someone else did."""
        now_ms = self.now_ms
        return self.connections.update(
            participant.connection_id,
            f"SET #{name} = :now",
            f"attribute_not_exists(#{name}) AND attribute_not_exists(#disconnectedAt)"
            " AND attribute_exists(#connectionId)",
            {":now": now_ms},
            is_ours=lambda item: item.get(name) == now_ms,
        ).done

    def set_playback(self, participant: Participant, paused: bool) -> None:
        """Send a listener no audio for now, or again."""
        action = "SET #listeners.#entry.#isPaused = :paused"
        self._change_listener(participant, action, {":paused": paused})

    def set_language(self, participant: Participant) -> Session:
        """Let a listener listen in the language, and as else wanted, that it has here; return the session after it."""
        values = {
            ":language": participant.language,
            ":original": participant.wants_original,
            ":captions": participant.wants_captions,
        }
        names = {"language": "language", "wantsOriginal": "original", "wantsCaptions": "captions"}
        in_session, own = (
            ", ".join(f"{place}#{name} = :{value}" for name, value in names.items())
            for place in ("#listeners.#entry.", "")
        )
        session = self._change_listener(participant, f"SET {in_session}", values)
        for name in dict.fromkeys((participant.connection_id, participant.participant_id)):
            also = ", #targetLanguage = :language" if name == participant.connection_id else ""
            self.connections.update(
                name,
                f"SET {own}{also}",
                "attribute_exists(#connectionId)"
                + (" AND attribute_not_exists(#disconnectedAt)" if also else ""),
                values,
            )
        return session

    def _change_listener(self, participant: Participant, action: str, values: Item) -> Session:
        condition, more = _is_on_connection(participant.connection_id, participant.participant_id)
        change = self._update_session(
            participant.session_id,
            action,
            f"{_OPEN} AND {condition}",
            values | more,
            entry=participant.participant_id,
        )
        session = check_is_open(session_of(change.item), self.now_ms)
        if not change.done:
            raise ApplicationError(ErrorCode.CONNECTION_CLOSED)
        return session

    # --- participants go -------------------------------------------------------------------------

    def leave(self, connection_id: str) -> Departure | None:
        """Take whoever is on a connection out of the session; as often as you like, it counts once.

        A speaker has a while to come back. None if the connection has no session.
        """
        participant = participant_of(self._close(connection_id).item)
        if participant is None:
            return None
        if participant.role == INTERPRETER:
            language = participant.language or ""
            return Departure(
                participant, self.free_channel(participant.session_id, language, connection_id)
            )
        if participant.role == LISTENER:
            return Departure(
                participant,
                self.remove_listener(
                    participant.session_id, participant.participant_id, connection_id
                ),
            )
        self._update_session(
            participant.session_id,
            "SET #speakerGoneAt = :now",
            "#status = :active AND #speakerConnectionId = :connection"
            " AND attribute_not_exists(#speakerGoneAt)",
            {":connection": connection_id},
        )
        return Departure(participant)

    def remove_listener(
        self, session_id: str, participant_id: str, connection_id: str
    ) -> Session | None:
        """Take a listener who sits on this connection out, and return the session after it."""
        condition, values = _is_on_connection(connection_id, participant_id)
        change = self._update_session(
            session_id,
            "SET #listenerCount = #listenerCount - :one REMOVE #listeners.#entry",
            condition,
            {":one": 1, **values},
            entry=participant_id,
            # If someone else took the listener out at this moment, the speaker is notified twice.
            is_ours=lambda item: participant_id not in item["listeners"],
        )
        return session_of(change.item) if change.done else None

    def free_channel(
        self, session_id: str, language: str, connection_id: str, seen_at: int | None = None
    ) -> Session | None:
        """Take the interpreter on this connection out, and return the session after it.

        With `seen_at`, only if the last sign that was noted is of that time.
        """
        silent = "" if seen_at is None else " AND #interpreters.#entry.#seenAt = :seenAt"

        def is_free(item: Item) -> bool:
            there = item.get("interpreters", {}).get(language)
            return there is None or there["connectionId"] != connection_id

        change = self._update_session(
            session_id,
            "REMOVE #interpreters.#entry",
            f"#interpreters.#entry.#connectionId = :connection{silent}",
            {":connection": connection_id} | ({":seenAt": seen_at} if silent else {}),
            entry=language,
            is_ours=is_free,
        )
        return session_of(change.item) if change.done else None

    def _close(self, connection_id: str) -> Change:
        """Mark a connection; without `targetLanguage` it is no longer in the index."""
        now_ms = self.now_ms
        return self.connections.update(
            connection_id,
            "SET #disconnectedAt = :now REMOVE #targetLanguage",
            "attribute_exists(#connectionId) AND attribute_not_exists(#disconnectedAt)",
            {":now": now_ms},
            is_ours=lambda item: item.get("disconnectedAt") == now_ms,
        )

    # --- sessions --------------------------------------------------------------------------------

    def session(self, session_id: str) -> Session | None:
        """Return a session as it is now."""
        return session_of(self.sessions.get(session_id))

    def summary(self, session_id: str) -> SessionSummary | None:
        """Return what a join must know of a session, which takes as long as to find none."""
        return summary_of(self.sessions.get(session_id, SUMMARY_NAMES))

    def known_session(self, session_id: str) -> Session:
        """Return a session that must be there; its item outlives the connections to it."""
        session = self.session(session_id)
        if session is None:
            raise ApplicationError(ErrorCode.SESSION_NOT_FOUND)
        return session

    def session_of_sender(self, connection_id: str, session_id: str | None = None) -> Session:
        """Return the session whose speaker, or one of whose interpreters, is on this connection.

        Two reads: of who is on the connection, then of that participant's session. One if `session_id`
        is what was found there before. Never what a client names: whoever has no session would learn
        from the time that this takes whether there is such a session.
        """
        is_unused = False
        if session_id is None:
            sender = self._sender(connection_id)
            session_id, is_unused = sender.session_id, sender.is_unused
        session = self.known_session(session_id)
        if session.language_on(connection_id) is None:
            if is_unused:
                self.note_heard(connection_id)
            raise ApplicationError(ErrorCode.CONNECTION_CLOSED)
        return session

    def _sender(self, connection_id: str) -> Participant:
        participant = self.participant(connection_id)
        if participant is None:
            raise no_session()
        if participant.role not in (SPEAKER, INTERPRETER):
            raise ApplicationError(ErrorCode.AUTH_INVALID_ROLE)
        return participant

    def change_broadcast(self, participant: Participant, state: Item) -> Session:
        """Change the broadcast's state as its speaker, and return the session after it."""
        actions = ", ".join(f"#broadcastState.#{name} = :{name}" for name in state)
        change = self._update_session(
            participant.session_id,
            f"SET {actions}",
            f"{_OPEN} AND #speakerConnectionId = :speaker",
            {f":{name}": value for name, value in state.items()}
            | {":speaker": participant.connection_id},
        )
        return self._as_speaker(change)

    def end_as_speaker(self, participant: Participant, reason: str) -> Session:
        """End a session as its speaker, and return it as it was in the end."""
        values = {":speaker": participant.connection_id}
        condition = f"{_OPEN} AND #speakerConnectionId = :speaker"
        return self._as_speaker(
            self._end(participant.session_id, reason, condition, values), ended=True
        )

    def end_over(self, session: Session, reason: str) -> Session | None:
        """End a session that is over, or whose speaker is still gone; None if it is not so, or done."""
        gone = session.speaker_gone_at
        condition = "#endsAt <= :now" + ("" if gone is None else " OR #speakerGoneAt = :gone")
        values = {} if gone is None else {":gone": gone}
        change = self._end(
            session.session_id, reason, f"#status = :active AND ({condition})", values
        )
        return session_of(change.item) if change.done else None

    def _end(self, session_id: str, reason: str, condition: str, values: Item) -> Change:
        now_ms = self.now_ms
        return self._update_session(
            session_id,
            "SET #status = :ended, #endedAt = :now, #endReason = :reason, #expiresAt = :ttl",
            condition,
            {
                ":ended": ENDED,
                ":reason": reason,
                ":ttl": now_ms // 1000 + KEEP_SESSION_SECONDS,
                ":now": now_ms,
                **values,
            },
            is_ours=lambda item: (item.get("endedAt"), item.get("endReason")) == (now_ms, reason),
        )

    def _as_speaker(self, change: Change, ended: bool = False) -> Session:
        session = session_of(change.item)
        if change.done and session is not None:
            return session
        check_is_open(session, self.now_ms)
        raise ApplicationError(ErrorCode.CONNECTION_CLOSED)

    # --- for housekeeping ------------------------------------------------------------------------

    def open_sessions(self, keep_going: Callable[[], bool]) -> tuple[list[Session], bool]:
        """Return the sessions that nobody has ended yet, and whether these are all."""
        values = {":active": ACTIVE}
        items, complete = self.sessions.scan("#status = :active", values, keep_going)
        return [session for item in items if (session := session_of(item))], complete

    def open_participants(self, keep_going: Callable[[], bool]) -> tuple[list[Participant], bool]:
        """Return everyone whose connection is not marked as closed, and whether these are all."""
        condition = "attribute_not_exists(#disconnectedAt)"
        items, complete = self.connections.scan(condition, {}, keep_going)
        return [participant for item in items if (participant := participant_of(item))], complete

    # --- a session's item ------------------------------------------------------------------------

    def _update_session(
        self, session_id: str, action: str, condition: str, values: Item, **options: Any
    ) -> Change:
        common = {":now": self.now_ms, ":active": ACTIVE}
        used = {name: common[name] for name in common if name in f"{action} {condition}"}
        return self.sessions.update(session_id, action, condition, used | values, **options)


def no_session() -> ApplicationError:
    """Return the refusal of what takes a session, on a connection that has none."""
    message = "This connection has no session: create or join one first"
    return ApplicationError(ErrorCode.SESSION_NOT_FOUND, message)


def _has_session() -> ApplicationError:
    message = "This connection has a session already: open another connection"
    return ApplicationError(ErrorCode.SESSION_ALREADY_EXISTS, message)


def _is_on_connection(connection_id: str, participant_id: str) -> tuple[str, Item]:
    """Return the condition that a listener is on this connection; its first one is its own id."""
    if connection_id == participant_id:
        exists = "attribute_exists(#listeners.#entry)"
        return f"{exists} AND attribute_not_exists(#listeners.#entry.#connectionId)", {}
    return "#listeners.#entry.#connectionId = :connection", {":connection": connection_id}
