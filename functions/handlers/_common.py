"""What every function shares: settings, the store, the senders' pace, and how participants are notified."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager

from broadcast.pace import Pace
from broadcast.sessions import Participant, arrival_messages, check_same_session, departure_messages
from broadcast.settings import BroadcastSettings, check_tables
from broadcast.store import Store, no_session
from broadcast.tokens import digest_of
from shared_utils import (
    ApplicationError,
    ErrorCode,
    RateLimitWarningMessage,
    WebSocketHandler,
    bind_context,
    configure_lambda_logging,
    get_structured_logger,
)

from ._floods import FloodGuard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, Protocol

    from broadcast.sessions import Reattached, Session
    from shared_utils import (
        BroadcastResult,
        ClientMessage,
        MetricsEmitter,
        Outcome,
        Request,
        ServerMessage,
    )

    class Sender(Protocol):
        """Sends to connections: a `Request`, or the layer's `Connections`."""

        def send(self, connection_id: str, message: Any, /) -> Outcome: ...


__all__ = ["MAX_REMOVALS", "SUBPROTOCOL", "BroadcastApp", "count_failures", "starting"]

SUBPROTOCOL = "websocket-audio.v1"

# To remove a participant takes two writes, and the sender waits for them; the next message removes more.
MAX_REMOVALS = 5


@contextmanager
def starting(name: str) -> Iterator[None]:
    """Write what keeps a function from starting, with its causes: the runtime shows the last one only."""
    try:
        yield
    except Exception as error:
        get_structured_logger(name).error("The function cannot start", error=error)
        raise


class BroadcastApp:
    """One function's handler, and what its routes share; `warm` if its first event needs the store."""

    def __init__(
        self,
        name: str,
        *,
        role_of: Callable[[Request[Any]], str] | None = None,
        sampled: Mapping[str, int] | None = None,
        warm: bool = True,
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
        self.store = Store(on_failure=self.metrics.emit_dynamodb_error)
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

    def check_pace(self, request: Request[Any], code: ErrorCode) -> None:
        """Refuse a message that came too fast; warn before that, and close a sender that never slows down."""
        verdict = self.pace.judge(request.connection_id)
        if verdict.warn:
            warning = RateLimitWarningMessage(
                limit=self.pace.limit, windowSeconds=1, retryAfterMs=verdict.retry_after_ms
            )
            request.send(request.connection_id, warning)
        if verdict.allowed:
            return
        request.metrics.emit_rate_limit_violation("", request.connection_id, request.action)
        what = "audio chunks" if code is ErrorCode.RATE_LIMIT_AUDIO_CHUNKS else "control messages"
        message = f"At most {self.pace.limit} {what} a second"
        if verdict.close:
            self.floods.cut_off(request, code, message)
        raise ApplicationError(code, message)

    def participant(
        self,
        request: Request[Any],
        session_id: str,
        role: str,
        token: str,
        language: str | None = None,
    ) -> Participant:
        """Return the sender as a new participant of a session, with the hash of its token."""
        name = request.connection_id
        return Participant(
            connection_id=name,
            participant_id=name,
            session_id=session_id,
            role=role,
            token_hash=digest_of(token),
            connected_at=self._connected_at(request),
            last_activity_at=self.store.now_ms,
            language=language,
        )

    def reattach(self, request: Request[Any], session_id: str, token: str) -> Reattached:
        """Move the participant whom a token belongs to onto the sender's connection."""
        bind_context(sessionId=session_id)
        return self.store.reattach(
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

    def reply(self, request: Request[Any], message: ServerMessage) -> None:
        """Reply now; remove a sender that is gone already, since its `$disconnect` may be over."""
        if request.reply(message).kind == "gone":
            self.remove_participant(request, request.connection_id)

    def notify_of_arrival(self, sender: Sender, session: Session, language: str) -> None:
        """Notify the speaker that a listener has joined."""
        messages = arrival_messages(session, language, self.store.now_ms)
        self.notify(sender, session.speaker_connection_id, messages)

    def notify(self, sender: Sender, connection_id: str, messages: Iterable[ServerMessage]) -> None:
        """Send to one participant, and remove a participant whose connection turns out to be gone."""
        for message in messages:
            if sender.send(connection_id, message).kind == "gone":
                self.remove_participant(sender, connection_id)
                return

    def notify_listeners(
        self, request: Request[Any], session: Session, message: ServerMessage
    ) -> None:
        """Send to all listeners."""
        started = time.perf_counter_ns()
        result = request.broadcast(session.audience, message)
        elapsed_ms = (time.perf_counter_ns() - started) / 1e6
        session_id = session.session_id
        self.metrics.emit_listener_notification_latency(session_id, len(result.sent), elapsed_ms)
        count_failures(self.metrics, session_id, result)
        for connection_id in result.gone[:MAX_REMOVALS]:
            self.remove_participant(request, connection_id)

    def remove_participant(self, sender: Sender, connection_id: str) -> None:
        """Remove the participant of a closed connection; notify the speaker if the audience is smaller now."""
        departure = self.store.leave(connection_id)
        if departure is None or departure.session is None:
            return
        self.notify_of_departure(sender, departure.session, departure.participant.language or "")

    def notify_of_departure(self, sender: Sender, session: Session, language: str) -> None:
        """Notify the speaker that a listener has left."""
        messages = departure_messages(session, language, self.store.now_ms)
        self.notify(sender, session.speaker_connection_id, messages)


def count_failures(metrics: MetricsEmitter, session_id: str, result: BroadcastResult) -> None:
    """Count the listeners who could not be reached, one value for each reason."""
    for kind, count in result.counts.items():
        if kind != "sent" and count:
            kinds = {"ErrorType": kind}
            name = "ListenerNotificationFailures"
            metrics.emit_metric(name, count, "Count", kinds, sessionId=session_id)
