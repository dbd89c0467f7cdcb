"""What every door has at hand: the settings, the store, the senders' pace, and news for people."""

from __future__ import annotations

import os
import time

from broadcast.pace import Pace
from broadcast.sessions import Person, check_same_session, news_of_arrival, news_of_departure
from broadcast.settings import Settings
from broadcast.store import Store, no_session
from broadcast.tokens import digest_of
from shared_utils import (
    ApplicationError,
    ErrorCode,
    RateLimitWarningMessage,
    WebSocketHandler,
    bind_context,
    configure_lambda_logging,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
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


__all__ = ["MAX_SEEN_OFF", "SUBPROTOCOL", "Desk", "count_failures"]

SUBPROTOCOL = "websocket-audio.v1"

# To take someone out are two writes, and the sender waits for them: what is sent next finds the next.
MAX_SEEN_OFF = 5


class Desk:
    """One door's handler, and what its routes share; `warm` for a door that needs the store at once."""

    def __init__(
        self,
        name: str,
        *,
        role_of: Callable[[Request[Any]], str] | None = None,
        sampled: Mapping[str, int] | None = None,
        warm: bool = True,
    ) -> None:
        configure_lambda_logging()  # the SDK's lines as ours, and of those only its warnings
        self.settings = Settings.read(os.environ)
        self.pace = Pace(self.settings.control_messages_per_second)
        role_of = role_of or self.attend
        self.handler = WebSocketHandler(
            name, role_of=role_of, subprotocols=[SUBPROTOCOL], sampled=sampled
        )
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

    # --- who is it

    def attend(self, request: Request[Any]) -> str:
        """Return the role of who sent a control message, and note that the connection is alive."""
        self.check_pace(request, ErrorCode.RATE_LIMIT_CONTROL_MESSAGES)
        person = self.store.touch(request.connection_id)
        if person is None:
            raise no_session()
        bind_context(sessionId=person.session_id)
        check_same_session(getattr(request.message, "sessionId", None), person.session_id)
        request.caller = person
        return person.role

    def check_pace(self, request: Request[Any], code: ErrorCode) -> None:
        """Refuse a message that came too fast; warn before that, and cut off who never slows down."""
        verdict = self.pace.judge(request.connection_id)
        if verdict.warn:
            warning = RateLimitWarningMessage(
                limit=self.pace.limit, windowSeconds=1, retryAfterMs=verdict.retry_after_ms
            )
            request.send(request.connection_id, warning)
        if verdict.allowed:
            return
        request.metrics.emit_rate_limit_violation("", request.connection_id, request.action)
        if verdict.close:
            request.connections.close(request.connection_id)
            request.metrics.emit_connection_closed_for_rate_limit("", request.connection_id)
        what = "audio chunks" if code is ErrorCode.RATE_LIMIT_AUDIO_CHUNKS else "control messages"
        raise ApplicationError(code, f"At most {self.pace.limit} {what} a second")

    def person(
        self,
        request: Request[Any],
        session_id: str,
        role: str,
        token: str,
        language: str | None = None,
    ) -> Person:
        """Return the sender, who comes into a session with a new token."""
        name = request.connection_id
        return Person(
            connection_id=name,
            seat_id=name,
            session_id=session_id,
            role=role,
            token_hash=digest_of(token),
            connected_at=self._connected_at(request),
            last_activity_at=self.store.now_ms,
            language=language,
        )

    def reattach(self, request: Request[Any], session_id: str, token: str) -> Reattached:
        """Seat whom a token belongs to on the sender's connection."""
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

    # --- who is told

    def reply(self, request: Request[Any], message: ServerMessage) -> None:
        """Reply now; a sender who is gone already, whose `$disconnect` may be over, is taken out."""
        if request.reply(message).kind == "gone":
            self.see_off(request, request.connection_id)

    def tell_of_arrival(self, sender: Sender, session: Session, language: str) -> None:
        """Tell the speaker that a listener has come."""
        news = news_of_arrival(session, language, self.store.now_ms)
        self.tell(sender, session.speaker_connection_id, news)

    def tell(self, sender: Sender, connection_id: str, messages: Iterable[ServerMessage]) -> None:
        """Send to one person; who turns out to be gone is taken out."""
        for message in messages:
            if sender.send(connection_id, message).kind == "gone":
                self.see_off(sender, connection_id)
                return

    def announce(self, request: Request[Any], session: Session, message: ServerMessage) -> None:
        """Send to all listeners."""
        started = time.perf_counter_ns()
        result = request.broadcast(session.audience, message)
        elapsed_ms = (time.perf_counter_ns() - started) / 1e6
        session_id = session.session_id
        self.metrics.emit_listener_notification_latency(session_id, len(result.sent), elapsed_ms)
        count_failures(self.metrics, session_id, result)
        for connection_id in result.gone[:MAX_SEEN_OFF]:
            self.see_off(request, connection_id)

    def see_off(self, sender: Sender, connection_id: str) -> None:
        """Take out who is gone, and tell the speaker if the audience is smaller now."""
        departure = self.store.leave(connection_id)
        if departure is None or departure.session is None:
            return
        self.tell_of_departure(sender, departure.session, departure.person.language or "")

    def tell_of_departure(self, sender: Sender, session: Session, language: str) -> None:
        """Tell the speaker that a listener has gone."""
        news = news_of_departure(session, language, self.store.now_ms)
        self.tell(sender, session.speaker_connection_id, news)


def count_failures(metrics: MetricsEmitter, session_id: str, result: BroadcastResult) -> None:
    """Count who could not be reached, by why; one value each, however many there are."""
    for kind, count in result.counts.items():
        if kind != "sent" and count:
            kinds = {"ErrorType": kind}
            name = "ListenerNotificationFailures"
            metrics.emit_metric(name, count, "Count", kinds, sessionId=session_id)
