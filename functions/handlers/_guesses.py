"""What a function does about clients that guess: session ids, keys of listeners and interpreters, refresh tokens.

A guess is a join that finds no session, or says no key of it, or a refresh that fails. Who comes too late
for a session, and would have been let in, has guessed nothing. How many there may be from one address is counted in the
store, exactly, how many from one connection in memory. Beyond that a client gets no answer to its
guess, right or wrong, until a minute is over.
"""

from __future__ import annotations

from contextlib import contextmanager

from broadcast.addresses import network_of
from broadcast.pace import PerMinute, TokenBuckets
from broadcast.sessions import check_may_interpret, check_may_join, why_closed
from shared_utils import (
    ApplicationError,
    ErrorCode,
    JoinSession,
    RateLimitWarningMessage,
    SilentRefusal,
    bind_context,
    format_error_response,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

    from broadcast.counters import JoinAttempt
    from broadcast.sessions import SessionSummary
    from shared_utils import JoinAsInterpreter, Request

    Join = JoinSession | JoinAsInterpreter

    from ._common import BroadcastApp

__all__ = ["GuessGuard"]

# For what is done after the reply.
_LAST_SECONDS = 1.0


class GuessGuard:
    """Watches the joins and refreshes of one function."""

    def __init__(self, app: BroadcastApp) -> None:
        self._app = app
        self.of_connections = PerMinute(app.settings.failed_joins_per_minute)
        self.lines = TokenBuckets(1 / 60, 1)  # by address

    @contextmanager
    def session_of(self, request: Request[Join]) -> Iterator[SessionSummary]:
        """Yield the session that a join names, if it is open and the join says its key."""
        counters = self._app.counters
        network, limit = network_of(request.source_ip), self._app.settings.failed_joins_per_minute
        attempt = counters.begin_join(network, limit)
        if attempt.retry_after_ms:
            self._refuse(request, network, attempt)
        seen = self._look(request, attempt)
        has_ended = counters.end_join(attempt, failed=False)
        try:
            yield seen
        finally:
            if not has_ended:  # it would be in the way of its neighbours for a minute
                counters.end_join(attempt, failed=False, seconds=_LAST_SECONDS)

    def _look(self, request: Request[Join], attempt: JoinAttempt) -> SessionSummary:
        app, message, seen = self._app, request.message, None
        try:
            seen = app.store.summary(message.sessionId)
            check = check_may_join if isinstance(message, JoinSession) else check_may_interpret
            return check(seen, _key_of(message), app.store.now_ms)
        except ApplicationError as error:
            has_failed = error.code is ErrorCode.SESSION_NOT_FOUND
            app.counters.end_join(attempt, failed=has_failed)
            if has_failed:
                self._count_failure(request, seen, error)
            raise

    def count_failed_refresh(self, request: Request[Any]) -> None:
        """Count a wrong refresh token for its sender's address, and close a sender of too many."""
        app = self._app
        network, limit = network_of(request.source_ip), app.settings.failed_joins_per_minute
        app.counters.count_failed_refresh(network, limit)
        self._count_for_connection(request)

    def _refuse(self, request: Request[Any], network: str, attempt: JoinAttempt) -> NoReturn:
        """Refuse a join that must not look; with one line a minute and address."""
        limit = self._app.settings.failed_joins_per_minute
        message = f"At most {limit} failed joins a minute from one address"
        if attempt.is_busy:
            message = f"At most {limit} joins of one address at once, as long as they may fail"
        code, details = ErrorCode.RATE_LIMIT_EXCEEDED, {"retryAfterMs": attempt.retry_after_ms}
        request.reply(format_error_response(code, details, message=message))
        windowed, name = self._app.handler.windowed_metrics, request.connection_id
        windowed.emit_rate_limit_violation("", name, request.action)
        bind_context(sourceIp=network)
        if not attempt.is_busy:
            self._count_for_connection(request)
        raise SilentRefusal(code, message, logged=self.lines.take(network))

    def _count_failure(
        self, request: Request[Join], seen: SessionSummary | None, error: ApplicationError
    ) -> None:
        """Count a guess; return if its error is all that is to be sent.

        A session that is not there is counted as one whose key was wrong: neither calls nor what is
        sent before the reply must tell them apart.
        """
        app, message = self._app, request.message
        is_beyond = False
        if _key_of(message) is not None and error.code is ErrorCode.SESSION_NOT_FOUND:
            limit = app.settings.wrong_keys_per_minute
            is_beyond = app.counters.count_wrong_key(message.sessionId, limit)
            if seen is not None:
                is_listener = isinstance(message, JoinSession)
                metric = "WrongListenerKeys" if is_listener else "WrongInterpreterKeys"
                request.metrics.emit_metric(metric, 1, "Count", sessionId=message.sessionId)
        if not is_beyond or seen is None:
            self._count_for_connection(request)
        else:
            request.reply(format_error_response(error.code, message=error.message))
            self._warn_of_wrong_keys(request, seen)
            self._count_for_connection(request)
            raise SilentRefusal(error.code, error.message, logged=True)

    def _warn_of_wrong_keys(self, request: Request[Join], seen: SessionSummary) -> None:
        """Warn operators and the speaker, once a minute, that somebody tries keys of a session."""
        app, session_id = self._app, request.message.sessionId
        limit = app.settings.wrong_keys_per_minute
        app.handler.logger.warning(
            "Somebody tries keys of a session", sessionId=session_id, limit=limit
        )
        if why_closed(seen, app.store.now_ms) is None:
            warning = RateLimitWarningMessage(
                limit=limit,
                windowSeconds=60,
                retryAfterMs=app.counters.ms_of_minute_left,
                reason="wrongKeys",
            )
            app.notify(request, seen.speaker_connection_id, [warning])

    def _count_for_connection(self, request: Request[Any]) -> None:
        """Close a connection that fails too often; nobody else's address depends on it."""
        if not self.of_connections.judge(request.connection_id).allowed:
            code = ErrorCode.RATE_LIMIT_EXCEEDED
            self._app.floods.cut_off(request, code, "Too many failed joins and refreshes")


def _key_of(message: Join) -> str | None:
    """Return the key that a join says, None if it says none."""
    return message.listenerKey if isinstance(message, JoinSession) else message.interpreterKey
