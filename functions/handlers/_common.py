"""What every function shares: settings, the store, the senders' pace, and how participants are notified."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress

from broadcast.counters import Counters
from broadcast.moves import reattach
from broadcast.notices import arrival_messages, channel_message, departure_messages, moved_listeners
from broadcast.pace import Pace
from broadcast.sessions import Participant, check_same_session, why_closed
from broadcast.settings import BroadcastSettings, check_tables
from broadcast.store import Store, no_session
from broadcast.tables import limit_calls, seconds_left
from broadcast.tokens import digest_of
from shared_utils import (
    INTERPRETER,
    ApplicationError,
    ErrorCode,
    ErrorMessage,
    InterpreterJoinedMessage,
    InterpreterLeftMessage,
    RateLimitWarningMessage,
    WebSocketHandler,
    bind_context,
    configure_lambda_logging,
    get_structured_logger,
)

from ._floods import FloodGuard
from ._guesses import GuessGuard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from typing import Any

    from broadcast.channels import Interpreter
    from broadcast.sessions import Reattached, Session
    from shared_utils import (
        BroadcastResult,
        ClientMessage,
        Connections,
        MetricsEmitter,
        Outcome,
        Request,
        ServerMessage,
    )

    Sender = Request[Any] | Connections


__all__ = [
    "ANSWER_SECONDS",
    "MAX_REMOVALS",
    "SUBPROTOCOL",
    "BroadcastApp",
    "count_failures",
    "kinds_of",
    "send_to",
    "starting",
]

SUBPROTOCOL = "websocket-audio.v1"

# To remove a participant takes two writes, and the sender waits for them; the next message removes more.
MAX_REMOVALS = 5

# A control message is answered within three seconds: all calls of the store end in 1.8, whatever is
# sent to others ends 0.2 later, and the layer gives the reply one.
STORE_SECONDS, _MORE_SECONDS = 1.8, 0.2
# DynamoDB answers in a few milliseconds; three tries fit into the time.
ANSWER_SECONDS = 0.6
# What is sent to others: one call, what is added for each connection of it, and one post.
_SEND_SECONDS, _SECONDS_A_CONNECTION, _POST_SECONDS = 1.0, 0.001, 0.5

_REPLACED = "Another interpreter has taken the language"
# What is counted by pace, by the code that refuses it.
_PACED = {
    ErrorCode.RATE_LIMIT_AUDIO_CHUNKS: "audio chunks",
    ErrorCode.RATE_LIMIT_CONTROL_MESSAGES: "control messages",
    ErrorCode.RATE_LIMIT_EXCEEDED: "captions",
}


@contextmanager
def starting(name: str) -> Iterator[None]:
    """Write what keeps a function from starting, with its causes: the runtime shows the last one only."""
    try:
        yield
    except Exception as error:
        get_structured_logger(name).error("The function cannot start", error=error)
        raise


class BroadcastApp:
    """One function's handler, and what its routes share; `warm` if its first event needs the store.

    `answer_seconds` bounds one attempt of a call of the store.
    """

    def __init__(
        self,
        name: str,
        *,
        role_of: Callable[[Request[Any]], str] | None = None,
        sampled: Mapping[str, int] | None = None,
        warm: bool = True,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        configure_lambda_logging()  # other libraries' lines as ours
        self.settings = BroadcastSettings.read(os.environ)
        check_tables(os.environ)
        self.pace = Pace(self.settings.control_messages_per_second)
        role_of = role_of or self.identify_sender
        self.handler = WebSocketHandler(
            name, role_of=role_of, subprotocols=[SUBPROTOCOL], sampled=sampled
        )
        self.floods = FloodGuard(self.handler, self.settings.invalid_messages_per_minute)
        self.metrics: MetricsEmitter = self.handler.metrics
        self.handler.before_parsing(_limit_event)
        self.handler.middleware(_limit_departure)
        on_failure = self.metrics.emit_dynamodb_error
        self.store = Store(on_failure=on_failure, answer_seconds=answer_seconds)
        self.counters = Counters(self.store.counters, lambda: self.store.now_ms)
        self.guesses = GuessGuard(self)
        if warm and "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ:
            self.store.warm_up()  # while a Lambda environment starts, it has a whole CPU

    def control(
        self, action: type[ClientMessage]
    ) -> Callable[[Callable[[Request[Any]], object]], Callable[[Request[Any]], object]]:
        """Route a control message of someone who is in a session, and count how long it takes."""

        def register(function: Callable[[Request[Any]], object]) -> Callable[..., object]:
            @self.handler.route(action, role=getattr(action, "sender", None))
            def timed(request: Request[Any]) -> object:
                started = time.perf_counter_ns()
                session_id = request.caller.session_id
                self.metrics.emit_control_message_received(session_id, request.action)
                try:
                    return function(request)
                finally:
                    elapsed_ms = (time.perf_counter_ns() - started) / 1e6
                    name = request.action
                    self.metrics.emit_control_message_latency(session_id, name, elapsed_ms)

            return function

        return register

    # --- who is the sender

    def identify_sender(self, request: Request[Any]) -> str:
        """Return the role of a control message's sender, and note that the connection is alive."""
        self.check_pace(request, ErrorCode.RATE_LIMIT_CONTROL_MESSAGES)
        participant = self.store.touch(request.connection_id)
        if participant is None:
            raise no_session()
        bind_context(sessionId=participant.session_id)
        check_same_session(getattr(request.message, "sessionId", None), participant.session_id)
        request.caller = participant
        return participant.role

    def check_pace(
        self,
        request: Request[Any],
        code: ErrorCode,
        later: Callable[[ServerMessage], object] | None = None,
    ) -> None:
        """Refuse a message that came too fast; warn before that, and close a sender that never slows down.

        `later` takes the warning that goes with a message that is not refused, else it is sent here.
        """
        verdict = self.pace.judge(request.connection_id)
        if verdict.warn:
            warning = RateLimitWarningMessage(
                limit=self.pace.limit, windowSeconds=1, retryAfterMs=verdict.retry_after_ms
            )
            if later is not None and verdict.allowed:
                later(warning)
            else:
                send_to(request, request.connection_id, warning)
        if verdict.allowed:
            return
        request.metrics.emit_rate_limit_violation("", request.connection_id, request.action)
        message = f"At most {self.pace.limit} {_PACED[code]} a second"
        if verdict.close:
            self.floods.cut_off(request, code, message)
        raise ApplicationError(code, message)

    def participant(
        self,
        request: Request[Any],
        session_id: str,
        role: str,
        token: str,
        **wanted: Any,
    ) -> Participant:
        """Return the sender as a new participant of a session, with the hash of its token and what it wants."""
        name = request.connection_id
        return Participant(
            connection_id=name,
            participant_id=name,
            session_id=session_id,
            role=role,
            token_hash=digest_of(token),
            connected_at=self._connected_at(request),
            last_activity_at=self.store.now_ms,
            **wanted,
        )

    def reattach(self, request: Request[Any], session_id: str, token: str) -> Reattached:
        """Move the participant whom a token belongs to onto the sender's connection."""
        bind_context(sessionId=session_id)
        return reattach(
            self.store,
            request.connection_id,
            session_id,
            token,
            self._connected_at(request),
            self.settings.max_listeners,
        )

    def _connected_at(self, request: Request[Any]) -> int:
        given = request.gateway.get("connectedAt")
        return given if type(given) is int else self.store.now_ms

    # --- who is notified

    def reply(self, request: Request[Any], message: ServerMessage) -> bool:
        """Reply now; remove a sender that is gone already, since its `$disconnect` may be over.

        Return False then: others are notified that it has left, and are not to be of its arrival after that.
        """
        is_there = request.reply(message).kind != "gone"
        if not is_there:
            self.remove_participant(request, request.connection_id)
        return is_there

    def notify_of_arrival(self, sender: Sender, session: Session, language: str) -> None:
        """Notify the speaker that a listener has joined."""
        messages = arrival_messages(session, language, self.store.now_ms)
        self.notify(sender, session.speaker_connection_id, messages)

    def notify(self, sender: Sender, connection_id: str, messages: Iterable[ServerMessage]) -> bool:
        """Send to one participant; remove one whose connection turns out to be gone, and return False then."""
        for message in messages:
            outcome = send_to(sender, connection_id, message)
            if outcome.kind == "gone":
                self.remove_participant(sender, connection_id)
                return False
            if outcome.timed_out:
                break
        return True

    def notify_others(self, sender: Sender, session: Session, message: ServerMessage) -> None:
        """Send to all listeners and interpreters."""
        self._broadcast(
            sender, session, session.audience + session.interpreter_connections, message
        )

    def notify_of_new_interpreter(
        self,
        sender: Sender,
        session: Session,
        language: str,
        replaced: Interpreter | None,
        *,
        is_there: bool,
    ) -> None:
        """Close the connection of whom a new interpreter has replaced, and notify the others.

        If the new one is not there any longer, they are notified of that already.
        """
        if replaced is not None:
            why = ErrorMessage(code=ErrorCode.CONNECTION_CLOSED, message=_REPLACED)
            self.dismiss(sender, replaced.connection_id, why)
        if is_there:
            joined = InterpreterJoinedMessage(sessionId=session.session_id, language=language)
            self._notify_of_interpreter(sender, session, joined)

    def notify_of_interpreter_gone(self, sender: Sender, session: Session, language: str) -> None:
        """Notify the others that an interpreter has left."""
        left = InterpreterLeftMessage(sessionId=session.session_id, language=language)
        self._notify_of_interpreter(sender, session, left)

    def _notify_of_interpreter(
        self,
        sender: Sender,
        session: Session,
        message: InterpreterJoinedMessage | InterpreterLeftMessage,
    ) -> None:
        """Notify those whom the channel is for, and the speaker; nobody once the session is over."""
        if why_closed(session, self.store.now_ms) is None:
            self.notify_of_channel(sender, session, message.language)
            self.notify(sender, session.speaker_connection_id, [message])

    def notify_of_channel(self, sender: Sender, session: Session, language: str) -> None:
        """Notify those whom a channel is for that it has begun or ended."""
        for names, listener in moved_listeners(session, language):
            self._broadcast(sender, session, names, channel_message(session, listener))

    def _broadcast(
        self, sender: Sender, session: Session, names: list[str], message: ServerMessage
    ) -> None:
        """Send to several, and wait for none longer than for half a second."""
        started = time.perf_counter_ns()
        seconds = _SEND_SECONDS + len(names) * _SECONDS_A_CONNECTION
        result = connections_of(sender).broadcast(
            names,
            message,
            timeout_seconds=_at_most(seconds),
            answer_seconds=_POST_SECONDS,
        )
        elapsed_ms = (time.perf_counter_ns() - started) / 1e6
        session_id = session.session_id
        self.metrics.emit_listener_notification_latency(session_id, len(result.sent), elapsed_ms)
        count_failures(self.metrics, session_id, kinds_of(result).values())
        self.remove_gone(sender, result.gone)

    def close(self, sender: Sender, connection_id: str) -> None:
        """Close a connection, if the gateway does that soon."""
        connections_of(sender).close(connection_id, timeout_seconds=_at_most(_POST_SECONDS))

    def remove_gone(self, sender: Sender, connection_ids: Iterable[str]) -> bool:
        """Remove participants of closed connections, the first few; return False if the store fails.

        That is not raised: what brought the sender here is done, and housekeeping finds those who are left.
        """
        try:
            for connection_id in list(connection_ids)[:MAX_REMOVALS]:
                self.remove_participant(sender, connection_id)
        except ApplicationError as error:
            if error.code.status < 500:
                raise
            return False
        return True

    def dismiss(self, sender: Sender, connection_id: str, why: ErrorMessage) -> None:
        """Close the connection of an interpreter who is no longer in the session, and say why.

        One who has come back on it a moment ago is taken out when it is closed.
        """
        with suppress(ApplicationError):  # the store fails: its end marks it, too
            self.store.close(connection_id)
        send_to(sender, connection_id, why)
        self.close(sender, connection_id)

    def remove_participant(self, sender: Sender, connection_id: str) -> None:
        """Remove the participant of a closed connection, and notify others if the session has one less now."""
        departure = self.store.leave(connection_id)
        if departure is None or departure.session is None:
            return
        session, participant = departure.session, departure.participant
        if participant.role == INTERPRETER:
            self.notify_of_interpreter_gone(sender, session, participant.language or "")
        else:
            self.notify_of_departure(sender, session, participant.language or "")

    def notify_of_departure(self, sender: Sender, session: Session, language: str) -> None:
        """Notify the speaker that a listener has left."""
        messages = departure_messages(session, language, self.store.now_ms)
        self.notify(sender, session.speaker_connection_id, messages)


def connections_of(sender: Sender) -> Connections:
    """Return what posts: a request's sender, or itself."""
    given: Any = sender
    found: Connections = getattr(given, "connections", given)
    return found


def send_to(sender: Sender, connection_id: str, message: ServerMessage) -> Outcome:
    """Send to one connection, and do not wait long for one that does not read."""
    seconds = _at_most(_SEND_SECONDS)
    return connections_of(sender).send(
        connection_id, message, timeout_seconds=seconds, answer_seconds=_POST_SECONDS
    )


def _at_most(seconds: float) -> float:
    """Return so many seconds, or those that are left of an event."""
    return min(seconds, seconds_left() + _MORE_SECONDS)


def _limit_event(request: Request[Any]) -> None:
    """Let all that an event waits for end in time."""
    limit_calls(STORE_SECONDS)


def _limit_departure(request: Request[Any], call_next: Callable[[Request[Any]], Any]) -> Any:
    """Do the same for an event that is no message, and is not parsed."""
    if request.action == "$disconnect":
        limit_calls(STORE_SECONDS)
    return call_next(request)


def kinds_of(result: BroadcastResult) -> dict[str, str]:
    """Return what came of each post, with a time-out apart from other failures."""
    return {
        name: "timeout" if outcome.timed_out else outcome.kind
        for name, outcome in result.outcomes.items()
    }


def count_failures(metrics: MetricsEmitter, session_id: str, kinds: Collection[str]) -> None:
    """Count the listeners who were not reached, one value for each reason."""
    for kind in sorted({*kinds} - {"sent"}):
        count = sum(one == kind for one in kinds)
        name, dimensions = "ListenerNotificationFailures", {"ErrorType": kind}
        metrics.emit_metric(name, count, "Count", dimensions, sessionId=session_id)
