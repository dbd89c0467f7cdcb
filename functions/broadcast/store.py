"""The repository: sessions, participants and counters in DynamoDB. Nothing else talks to DynamoDB.

A session's item holds its listeners, by participant, with their number. Each of its changes is one
conditional update of that one item, so that they happen one after the other, each once, also when
it is sent twice: nothing is read to be written back. A change of a participant takes two items. The
participant's own item comes first: if a call is interrupted between the two, the next 410,
`$disconnect` or housekeeping finds the participant and finishes the change.
"""

from __future__ import annotations

import re
import time

from shared_utils.error_codes import ApplicationError, ErrorCode
from shared_utils.table_names import get_table_name
from shared_utils.websocket_messages import SPEAKER, AudioFormat, BroadcastState

from .sessions import (
    ACTIVE,
    ENDED,
    Departure,
    Listener,
    Participant,
    Reattached,
    Session,
    check_is_open,
)
from .tokens import is_token_of, participant_id_of
from .values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Item = dict[str, Any]

__all__ = ["Change", "Store", "connect", "no_session"]

# What is kept of a connection outlives its two hours, so that its token can re-attach; a session's
# item outlives the session, so that a late participant gets the answer that it is over.
_KEEP_CONNECTION_SECONDS = 3 * 3600
_KEEP_SESSION_SECONDS = 3600
_KEEP_COUNTER_SECONDS = 3600

CREATION_WINDOW_MS = 60_000

# A call that takes longer than this will not succeed: DynamoDB answers in milliseconds. Three tries
# stay far below the 29 s of an integration.
_CONNECT_SECONDS, _READ_SECONDS, _TRIES = 1, 2, 3

_OPEN = "#status = :active AND #endsAt > :now"


def connect() -> Any:
    """Return a DynamoDB client. botocore alone: boto3 would add a fifth to the time that this takes."""
    import botocore.session
    from botocore.config import Config

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        parameter_validation=False,
        tcp_keepalive=True,
    )
    return botocore.session.get_session().create_client("dynamodb", config=config)


class Change(Value):
    """What came of a conditional update: the item after it, or, if it was not done, as it is."""

    done: bool
    item: Item | None


class Store:
    """`on_failure` is told the operation and the error's code when DynamoDB fails."""

    def __init__(
        self,
        connect: Callable[[], Any] = connect,
        clock: Callable[[], float] = time.time,
        on_failure: Callable[[str, str], object] = lambda operation, code: None,
    ) -> None:
        self.sessions_table = get_table_name("SESSIONS_TABLE_NAME")
        self.connections_table = get_table_name("CONNECTIONS_TABLE_NAME")
        self.rate_limits_table = get_table_name("RATE_LIMITS_TABLE_NAME")
        self._connect = connect
        self._client: Any = None
        self._broken_off: dict[str, Item] = {}  # where a scan that had no more time is to go on
        self._clock = clock
        self._on_failure = on_failure

    @property
    def client(self) -> Any:
        """The one client of this environment, made when it is first needed."""
        if self._client is None:
            self._client = self._connect()
        return self._client

    def warm_up(self) -> None:
        """Make the client now, so that the first message does not wait for it."""
        _ = self.client

    @property
    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return int(self._clock() * 1000)

    # --- participants come ---------------------------------------------------------------------

    def create(self, participant: Participant, session: Session) -> bool:
        """Store a session with its speaker, both or none; return False if its id is taken."""
        new = "attribute_not_exists({})"
        puts = (
            (self.connections_table, _participant_item(participant), new.format("connectionId")),
            (self.sessions_table, _session_item(session), new.format("sessionId")),
        )
        items = [
            {"Put": {"TableName": table, "Item": item, "ConditionExpression": condition}}
            for table, item, condition in puts
        ]
        reasons = self._transact(items)
        if reasons and reasons[0] == "ConditionalCheckFailed":
            raise _has_session()
        return not reasons

    def join(self, participant: Participant, max_listeners: int) -> Session:
        """Store a new listener and return the session with it."""
        self._claim(participant)
        try:
            session = self._add_listener(participant, max_listeners)
            if session is None:
                raise _has_session()
        except BaseException:  # whatever it was: the connection is free to try again
            self._call("delete_item", TableName=self.connections_table, Key=_key(participant))
            raise
        return session

    def reattach(
        self, connection_id: str, session_id: str, token: str, connected_at: int, max_listeners: int
    ) -> Reattached:
        """Move the participant whom a token belongs to onto this connection, and off every other."""
        owner = self._owner_of(token, session_id)
        session = check_is_open(self.session(session_id), self.now_ms)
        current = _current_connection(session, owner)
        participant = Participant(
            connection_id=connection_id,
            participant_id=owner.participant_id,
            session_id=session_id,
            role=owner.role,
            token_hash=owner.token_hash,
            connected_at=connected_at,
            last_activity_at=self.now_ms,
            language=_current_language(session, owner),
        )
        if current == connection_id:  # asked twice
            return Reattached(participant, session)
        self._claim(participant)
        try:
            moved = self._move(participant, max_listeners)
        except BaseException:
            self._call("delete_item", TableName=self.connections_table, Key=_key(participant))
            raise
        self._extend_token_item(owner.participant_id)
        left = moved.left_connection_id
        if left == connection_id:  # this call was sent twice: the second one saw what the first did
            left = current
        if left is not None and not self._close(left).done:
            left = None  # it was closed before
        return moved.replace(left_connection_id=left)

    def _claim(self, participant: Participant) -> None:
        """Store a participant on a connection that has no session yet."""
        change = self._conditional(
            "put_item",
            TableName=self.connections_table,
            Item=_participant_item(participant),
            ConditionExpression="attribute_not_exists(connectionId)",
        )
        if not change.done:
            raise _has_session()

    def _add_listener(self, participant: Participant, max_listeners: int) -> Session | None:
        """Return the session with this listener added, None if the listener is there by now."""
        listener = {"language": participant.language}
        if participant.connection_id != participant.participant_id:
            listener["connectionId"] = participant.connection_id
        change = self._update_session(
            participant.session_id,
            "SET #listeners.#participant = :listener, #listenerCount = #listenerCount + :one",
            f"{_OPEN} AND attribute_not_exists(#listeners.#participant) AND #listenerCount < :max",
            {":listener": listener, ":one": 1, ":max": max_listeners},
            participant.participant_id,
        )
        session = _session(change.item)
        if session is None or not change.done:
            session = check_is_open(session, self.now_ms)
            here = session.listeners.get(participant.participant_id)
            if here is None:
                raise ApplicationError(ErrorCode.SESSION_MAX_LISTENERS_REACHED)
            if here.connection_id != participant.connection_id:  # else this call was sent twice
                return None
        return session

    def _move(self, participant: Participant, max_listeners: int) -> Reattached:
        if participant.role == SPEAKER:
            return self._move_speaker(participant)
        for _ in range(_TRIES):  # others may come and go with the same token right now
            change = self._update_session(
                participant.session_id,
                "SET #listeners.#participant.#connectionId = :new",
                f"{_OPEN} AND attribute_exists(#listeners.#participant)",
                {":new": participant.connection_id},
                participant.participant_id,
                returns="ALL_OLD",
            )
            before = _session(change.item)
            if before is not None and change.done:
                left = before.listeners[participant.participant_id].connection_id
                return Reattached(participant, before, left)
            check_is_open(before, self.now_ms)
            session = self._add_listener(participant, max_listeners)
            if session is not None:
                return Reattached(participant, session, is_back=True)
        raise ApplicationError(ErrorCode.CONNECTION_CLOSED)

    def _move_speaker(self, participant: Participant) -> Reattached:
        change = self._update_session(
            participant.session_id,
            "SET #speakerConnectionId = :new REMOVE #speakerGoneAt",
            f"{_OPEN} AND #speakerTokenHash = :hash",
            {":new": participant.connection_id, ":hash": participant.token_hash},
            returns="ALL_OLD",
        )
        before = _session(change.item)
        if before is None or not change.done:
            check_is_open(before, self.now_ms)
            raise ApplicationError(ErrorCode.AUTH_TOKEN_INVALID)
        return Reattached(participant, before, before.speaker_connection_id)

    def _owner_of(self, token: str, session_id: str) -> Participant:
        """Return the participant as first stored; that item is kept as long as the newest one's."""
        item = self._get(
            self.connections_table, {"connectionId": participant_id_of(token) or "none"}
        )
        owner = _participant(item)
        if (
            owner is None
            or owner.session_id != session_id
            or not is_token_of(token, owner.token_hash)
        ):
            raise ApplicationError(ErrorCode.AUTH_TOKEN_INVALID)
        if item is None or item["ttl"] * 1000 <= self.now_ms:  # DynamoDB deletes when it finds time
            raise ApplicationError(ErrorCode.AUTH_TOKEN_EXPIRED)
        return owner

    def _extend_token_item(self, participant_id: str) -> None:
        """Keep the item that the token is checked against for as long as the newest connection's."""
        self._update(
            self.connections_table,
            {"connectionId": participant_id},
            "SET #ttl = :ttl",
            "attribute_exists(#connectionId)",
            {":ttl": self.now_ms // 1000 + _KEEP_CONNECTION_SECONDS},
        )

    # --- participants are there ------------------------------------------------------------------

    def participant(self, connection_id: str) -> Participant | None:
        """Return who is on a connection, also on a closed one."""
        return _participant(self._get(self.connections_table, {"connectionId": connection_id}))

    def touch(self, connection_id: str) -> Participant | None:
        """Note that a connection is alive, and return who is on it; None without a session."""
        change = self._touch(connection_id)
        if change.item is not None and not change.done:
            raise ApplicationError(ErrorCode.CONNECTION_CLOSED)
        return _participant(change.item)

    def touch_if_open(self, connection_id: str) -> bool:
        """Note that a connection is alive; return False if it is closed, or has no session."""
        return self._touch(connection_id).done

    def _touch(self, connection_id: str) -> Change:
        return self._update(
            self.connections_table,
            {"connectionId": connection_id},
            "SET #lastActivityAt = :now",
            "attribute_exists(#connectionId) AND attribute_not_exists(#disconnectedAt)",
            {":now": self.now_ms},
        )

    def mark(self, participant: Participant, name: str) -> bool:
        """Note the time under a name that is not there yet; return False if someone else did."""
        return self._update(
            self.connections_table,
            {"connectionId": participant.connection_id},
            f"SET #{name} = :now",
            f"attribute_not_exists(#{name}) AND attribute_not_exists(#disconnectedAt)"
            " AND attribute_exists(#connectionId)",
            {":now": self.now_ms},
        ).done

    def set_playback(self, participant: Participant, paused: bool) -> None:
        """Send a listener no audio for now, or again."""
        action = "SET #listeners.#participant.#isPaused = :paused"
        self._change_listener(participant, action, {":paused": paused})

    def set_language(self, participant: Participant, language: str) -> Session:
        """Let a listener listen in another language, and return the session after it."""
        action = "SET #listeners.#participant.#language = :language"
        session = self._change_listener(participant, action, {":language": language})
        for name in dict.fromkeys((participant.connection_id, participant.participant_id)):
            also = ", #targetLanguage = :language" if name == participant.connection_id else ""
            self._update(
                self.connections_table,
                {"connectionId": name},
                f"SET #language = :language{also}",
                "attribute_exists(#connectionId)"
                + (" AND attribute_not_exists(#disconnectedAt)" if also else ""),
                {":language": language},
            )
        return session

    def _change_listener(self, participant: Participant, action: str, values: Item) -> Session:
        condition, more = _is_on_connection(participant.connection_id, participant.participant_id)
        change = self._update_session(
            participant.session_id,
            action,
            f"{_OPEN} AND {condition}",
            values | more,
            participant.participant_id,
        )
        session = check_is_open(_session(change.item), self.now_ms)
        if not change.done:
            raise ApplicationError(ErrorCode.CONNECTION_CLOSED)
        return session

    # --- participants go -------------------------------------------------------------------------

    def leave(self, connection_id: str) -> Departure | None:
        """Take whoever is on a connection out of the session; as often as you like, it counts once.

        A speaker has a while to come back. None if the connection has no session.
        """
        participant = _participant(self._close(connection_id).item)
        if participant is None:
            return None
        if participant.role != SPEAKER:
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
            "SET #listenerCount = #listenerCount - :one REMOVE #listeners.#participant",
            condition,
            {":one": 1, **values},
            participant_id,
        )
        return _session(change.item) if change.done else None

    def _close(self, connection_id: str) -> Change:
        """Mark a connection; without `targetLanguage` it is no longer in the index."""
        return self._update(
            self.connections_table,
            {"connectionId": connection_id},
            "SET #disconnectedAt = :now REMOVE #targetLanguage",
            "attribute_exists(#connectionId) AND attribute_not_exists(#disconnectedAt)",
            {":now": self.now_ms},
        )

    # --- sessions --------------------------------------------------------------------------------

    def session(self, session_id: str) -> Session | None:
        """Return a session as it is now."""
        return _session(self._get(self.sessions_table, {"sessionId": session_id}))

    def known_session(self, session_id: str) -> Session:
        """Return a session that must be there; its item outlives the connections to it."""
        session = self.session(session_id)
        if session is None:
            raise ApplicationError(ErrorCode.SESSION_NOT_FOUND)
        return session

    def session_of_speaker(self, connection_id: str, session_id: str | None) -> Session:
        """Return the session whose speaker is on this connection.

        One read if `session_id` is right, which the session's own item shows; else the participant
        on the connection is looked up.
        """
        session = self.session(session_id) if session_id else None
        if session is not None and session.speaker_connection_id == connection_id:
            return session
        participant = self.participant(connection_id)
        if participant is None:
            raise no_session()
        if participant.role != SPEAKER:
            raise ApplicationError(ErrorCode.AUTH_INVALID_ROLE)
        session = self.known_session(participant.session_id)
        if session.speaker_connection_id != connection_id:
            raise ApplicationError(ErrorCode.CONNECTION_CLOSED)
        return session

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
        return _session(change.item) if change.done else None

    def _end(self, session_id: str, reason: str, condition: str, values: Item) -> Change:
        return self._update_session(
            session_id,
            "SET #status = :ended, #endedAt = :now, #endReason = :reason, #expiresAt = :ttl",
            condition,
            {
                ":ended": ENDED,
                ":reason": reason,
                ":ttl": self.now_ms // 1000 + _KEEP_SESSION_SECONDS,
                **values,
            },
        )

    def _as_speaker(self, change: Change, ended: bool = False) -> Session:
        session = _session(change.item)
        if change.done and session is not None:
            return session
        check_is_open(session, self.now_ms)
        raise ApplicationError(ErrorCode.CONNECTION_CLOSED)

    # --- counters --------------------------------------------------------------------------------

    def count_creation(self, address: str, limit: int) -> int:
        """Count a session made from an address; return 0, or in how many ms the next one may come.

        A window begins with its first session, and lasts for `CREATION_WINDOW_MS`.
        """
        key, now = {"identifier": f"createSession#{address}"}, self.now_ms
        item: Item | None = None
        for _ in range(3):  # more only when another one opens a window at this very moment
            opened = self._update(
                self.rate_limits_table,
                key,
                "SET #windowStart = :now, #count = :one, #expiresAt = :ttl",
                "attribute_not_exists(#identifier) OR #windowStart <= :before",
                {
                    ":now": now,
                    ":one": 1,
                    ":before": now - CREATION_WINDOW_MS,
                    ":ttl": now // 1000 + _KEEP_COUNTER_SECONDS,
                },
            )
            if opened.done:
                return 0
            item = opened.item or {}
            counted = self._update(
                self.rate_limits_table,
                key,
                "SET #count = #count + :one",
                "#windowStart = :seen AND #count < :limit",
                {":one": 1, ":limit": limit, ":seen": item["windowStart"]},
            )
            if counted.done:
                return 0
            if counted.item and counted.item["windowStart"] == item["windowStart"]:
                break
        start = int((item or {}).get("windowStart", now))
        return max(start + CREATION_WINDOW_MS - now, 1)

    # --- for housekeeping ------------------------------------------------------------------------

    def open_sessions(self, keep_going: Callable[[], bool]) -> tuple[list[Session], bool]:
        """Return the sessions that nobody has ended yet, and whether these are all."""
        items, complete = self._scan(
            self.sessions_table, "#status = :active", {":active": ACTIVE}, keep_going
        )
        return [session for item in items if (session := _session(item))], complete

    def open_participants(self, keep_going: Callable[[], bool]) -> tuple[list[Participant], bool]:
        """Return everyone whose connection is not marked as closed, and whether these are all."""
        condition = "attribute_not_exists(#disconnectedAt)"
        items, complete = self._scan(self.connections_table, condition, {}, keep_going)
        return [participant for item in items if (participant := _participant(item))], complete

    def _scan(
        self, table: str, condition: str, values: Item, keep_going: Callable[[], bool]
    ) -> tuple[list[Item], bool]:
        """Return the items that fit, and whether these are all; if not, the next scan goes on here."""
        arguments = _expressions({"FilterExpression": condition}, values, "")
        start = self._broken_off.pop(table, {})
        items: list[Item] = []
        complete = not start
        while keep_going():
            answer = self._call("scan", TableName=table, **arguments, **start)
            items += map(_plain_item, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return items, complete
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
        self._broken_off[table] = start
        return items, False

    # --- DynamoDB --------------------------------------------------------------------------------

    def _get(self, table: str, key: Item) -> Item | None:
        answer = self._call("get_item", TableName=table, Key=_typed_item(key), ConsistentRead=True)
        return _plain_item(answer["Item"]) if "Item" in answer else None

    def _update_session(
        self,
        session_id: str,
        action: str,
        condition: str,
        values: Item,
        participant_id: str = "",
        returns: str = "ALL_NEW",
    ) -> Change:
        common = {":now": self.now_ms, ":active": ACTIVE}
        used = {name: common[name] for name in common if name in f"{action} {condition}"}
        key = {"sessionId": session_id}
        return self._update(
            self.sessions_table, key, action, condition, used | values, participant_id, returns
        )

    def _update(
        self,
        table: str,
        key: Item,
        action: str,
        condition: str,
        values: Item,
        participant_id: str = "",
        returns: str = "ALL_NEW",
    ) -> Change:
        expressions = {"UpdateExpression": action, "ConditionExpression": condition}
        return self._conditional(
            "update_item",
            TableName=table,
            Key=_typed_item(key),
            ReturnValues=returns,
            **_expressions(expressions, values, participant_id),
        )

    def _conditional(self, operation: str, **arguments: Any) -> Change:
        try:
            answer = self._call(
                operation, ReturnValuesOnConditionCheckFailure="ALL_OLD", **arguments
            )
        except self.client.exceptions.ConditionalCheckFailedException as refused:
            item = refused.response.get("Item")
            return Change(False, _plain_item(item) if item else None)
        item = answer.get("Attributes")
        return Change(True, _plain_item(item) if item else None)

    def _transact(self, items: list[Item]) -> list[str]:
        """Return why nothing was written, by item; empty if all was."""
        reasons: list[str] = []
        for _ in range(_TRIES):
            try:
                self._call("transact_write_items", TransactItems=items)
                return []
            except self.client.exceptions.TransactionCanceledException as canceled:
                reasons = [str(why.get("Code")) for why in canceled.response["CancellationReasons"]]
                if "TransactionConflict" not in reasons:  # another one is at these items right now
                    return reasons
        return reasons

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self.client, operation)(**arguments)
        except (
            Exception
        ) as error:  # botocore's many kinds; counted here, handled by the error mapping
            code = _code_of(error)
            if code not in ("ConditionalCheckFailedException", "TransactionCanceledException"):
                self._on_failure(operation, code)
            raise


def no_session() -> ApplicationError:
    """Return the refusal of what takes a session, on a connection that has none."""
    message = "This connection has no session: create or join one first"
    return ApplicationError(ErrorCode.SESSION_NOT_FOUND, message)


def _has_session() -> ApplicationError:
    message = "This connection has a session already: open another connection"
    return ApplicationError(ErrorCode.SESSION_ALREADY_EXISTS, message)


def _code_of(error: Exception) -> str:
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)


def _is_on_connection(connection_id: str, participant_id: str) -> tuple[str, Item]:
    """Return the condition that a listener is on this connection; its first one is its own id."""
    if connection_id == participant_id:
        exists = "attribute_exists(#listeners.#participant)"
        return f"{exists} AND attribute_not_exists(#listeners.#participant.#connectionId)", {}
    return "#listeners.#participant.#connectionId = :connection", {":connection": connection_id}


def _current_connection(session: Session, owner: Participant) -> str | None:
    if owner.role == SPEAKER:
        return session.speaker_connection_id
    listener = session.listeners.get(owner.participant_id)
    return None if listener is None else listener.connection_id


def _current_language(session: Session, owner: Participant) -> str | None:
    listener = session.listeners.get(owner.participant_id)
    return listener.language if listener else owner.language


# --- items ---------------------------------------------------------------------------------------


def _expressions(expressions: Item, values: Item, participant_id: str) -> Item:
    """Return expressions with the names that they use: many words are reserved, so all are aliased."""
    names = set(re.findall(r"#(\w+)", " ".join(expressions.values())))
    aliases = {f"#{name}": participant_id if name == "participant" else name for name in names}
    typed = {"ExpressionAttributeValues": _typed_item(values)} if values else {}
    return {**expressions, "ExpressionAttributeNames": aliases, **typed}


def _typed(value: Any) -> Item:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": str.__str__(value)}
    if isinstance(value, (int, float)):
        return {"N": repr(value)}
    return {"M": _typed_item(value)}


def _typed_item(item: Item) -> Item:
    return {name: _typed(value) for name, value in item.items() if value is not None}


def _plain(value: Item) -> Any:
    [(kind, content)] = value.items()
    if kind == "N":
        number = float(content)
        return int(content) if content.lstrip("-").isdecimal() else number
    return _plain_item(content) if kind == "M" else content


def _plain_item(item: Item) -> Item:
    return {name: _plain(value) for name, value in item.items()}


def _key(participant: Participant) -> Item:
    return _typed_item({"connectionId": participant.connection_id})


def _participant_item(participant: Participant) -> Item:
    moved = participant.participant_id != participant.connection_id
    return _typed_item(
        {
            "connectionId": participant.connection_id,
            "participantId": participant.participant_id if moved else None,
            "sessionId": participant.session_id,
            "role": participant.role,
            "language": participant.language,
            "targetLanguage": participant.language,
            "refreshTokenHash": participant.token_hash,
            "connectedAt": participant.connected_at,
            "lastActivityAt": participant.last_activity_at,
            "ttl": participant.last_activity_at // 1000 + _KEEP_CONNECTION_SECONDS,
        }
    )


def _participant(item: Item | None) -> Participant | None:
    if item is None:
        return None
    return Participant(
        connection_id=item["connectionId"],
        participant_id=item.get("participantId") or item["connectionId"],
        session_id=item["sessionId"],
        role=item["role"],
        token_hash=item["refreshTokenHash"],
        connected_at=item["connectedAt"],
        last_activity_at=item["lastActivityAt"],
        language=item.get("language"),
        disconnected_at=item.get("disconnectedAt"),
        warned_at=item.get("warnedAt"),
        refresh_asked_at=item.get("refreshAskedAt"),
    )


def _session_item(session: Session) -> Item:
    return _typed_item(
        {
            "sessionId": session.session_id,
            "status": session.status,
            "sourceLanguage": session.source_language,
            "qualityTier": session.quality_tier,
            "audioFormat": session.audio_format.to_dict(),
            "partialResults": session.partial_results,
            "minStability": session.min_stability,
            "maxBufferTimeout": session.max_buffer_timeout,
            "speakerConnectionId": session.speaker_connection_id,
            "speakerTokenHash": session.speaker_token_hash,
            "createdAt": session.created_at,
            "endsAt": session.ends_at,
            "expiresAt": session.ends_at // 1000 + _KEEP_SESSION_SECONDS,
            "listenerCount": 0,
            "listeners": {},
            "broadcastState": session.state.to_dict(),
        }
    )


def _session(item: Item | None) -> Session | None:
    if item is None:
        return None
    return Session(
        session_id=item["sessionId"],
        speaker_connection_id=item["speakerConnectionId"],
        speaker_token_hash=item["speakerTokenHash"],
        source_language=item["sourceLanguage"],
        created_at=item["createdAt"],
        ends_at=item["endsAt"],
        state=BroadcastState(**item["broadcastState"]),
        audio_format=AudioFormat(**item["audioFormat"]),
        quality_tier=item["qualityTier"],
        partial_results=item["partialResults"],
        min_stability=item["minStability"],
        max_buffer_timeout=item["maxBufferTimeout"],
        status=item["status"],
        listener_count=item["listenerCount"],
        listeners={name: _listener(name, entry) for name, entry in item["listeners"].items()},
        speaker_gone_at=item.get("speakerGoneAt"),
    )


def _listener(participant_id: str, entry: Item) -> Listener:
    connection_id = entry.get("connectionId", participant_id)
    return Listener(connection_id, entry["language"], entry.get("isPaused", False))
