"""What the functions for audio and for captions share: the senders' sessions, and posts that wait for nobody.

No message writes to the store, and a session's item is read once in two seconds. Before an environment's
first one stands another read, of who is on the connection: no session is looked up because a client
names it. So a pause, an end or a new listener takes effect within two seconds, or half a second later if
the store is slow. No message waits long for the store or for a recipient.
"""

from __future__ import annotations

import time

from broadcast.deliveries import MAX_POST_SECONDS, SENT, Deliveries
from broadcast.interpreters import note_sign
from broadcast.recent import RecentSessions
from broadcast.sessions import check_is_open, without
from broadcast.tables import calls_within
from shared_utils import ApplicationError, ErrorCode, ErrorMessage, bind_context

from ._common import count_failures, kinds_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from broadcast.sessions import Session
    from shared_utils import Request

    from ._common import BroadcastApp

__all__ = ["LiveSenders"]

# How long what was read of a session counts: see above.
FRESH_SECONDS = 2.0
# How long a message waits for the store: if its session is in memory, which then serves; and if not,
# which takes two reads, and is refused soon enough to be sent again.
READ_SECONDS, FIRST_READ_SECONDS = 0.2, 0.4
# What a fan-out may take beside its slowest post: the work for each.
SECONDS_A_RECIPIENT = 0.002
# What an interpreter sends is a sign of it, too. Its heartbeats are noted every three seconds by another
# function. When, as far as is remembered, none was for so long, this one notes the sign: in time, since
# the channel may be taken after ten.
SIGN_DUE_MS = 8_000


class LiveSenders:
    """The speakers and interpreters who send through one function, in this environment's memory.

    `first_read_seconds`: how long a message waits for the store if its session is not in memory.
    """

    def __init__(self, app: BroadcastApp, first_read_seconds: float = FIRST_READ_SECONDS) -> None:
        self._app = app
        self._first_read_seconds = first_read_seconds
        self.sessions = RecentSessions(FRESH_SECONDS)  # by the sender's connection
        self.deliveries = Deliveries()

    def session_of(self, request: Request[Any]) -> tuple[Session, str]:
        """Return the session that the sender sends in, and the language.

        As it was two seconds ago or later, or a little earlier; while the store is silent or fails, as
        it was half a minute ago or later.
        """
        name, store = request.connection_id, self._app.store

        def load(last: Session | None) -> Session:
            # A connection has one session for good. The one that a client names is compared with it later.
            known = last.session_id if last else None
            with calls_within(READ_SECONDS if last else self._first_read_seconds):
                return store.session_of_sender(name, known)

        session = check_is_open(self.sessions.read(name, load), store.now_ms)
        language = session.language_on(name)
        if language is None:  # taken out of what is remembered, a moment ago
            raise ApplicationError(ErrorCode.CONNECTION_CLOSED)
        bind_context(sessionId=session.session_id)
        return session, language

    def send(self, request: Request[Any], session: Session, names: list[str], text: str) -> None:
        """Post to each recipient once; count whom it does not reach, and take out who is gone or stuck."""
        missed, stuck = self._fan_out(request, names, text)
        if not missed:
            return
        count_failures(request.metrics, session.session_id, missed.values())
        gone = [name for name, kind in missed.items() if kind == "gone"]
        for name in stuck[:1]:  # the next message closes the next one
            self._close_stuck(request, name)
            gone.append(name)
        self._take_out(request, session, gone)

    def _fan_out(
        self, request: Request[Any], recipients: list[str], text: str
    ) -> tuple[dict[str, str], list[str]]:
        """Post to each recipient once; return who was not reached, with why, and who is to be closed."""
        deliveries = self.deliveries
        first, suspects, missed = deliveries.sort(recipients)
        stuck: list[str] = []
        for names, post_seconds in (
            (first, deliveries.post_seconds),
            (suspects, deliveries.suspect_seconds),
        ):
            if not names:
                continue
            seconds, started_ns = post_seconds(), time.perf_counter_ns()
            result = request.connections.broadcast(
                names,
                text,
                timeout_seconds=seconds + len(names) * SECONDS_A_RECIPIENT,
                answer_seconds=seconds,
                retries=0,
            )
            elapsed = (time.perf_counter_ns() - started_ns) / 1e9
            if names is first and len(result.sent) == len(names):
                deliveries.count_sent(len(names), elapsed)
                continue
            kinds = kinds_of(result)
            stuck += deliveries.count(kinds, elapsed)
            missed |= {name: kind for name, kind in kinds.items() if kind != SENT}
        return missed, stuck

    def _close_stuck(self, request: Request[Any], connection_id: str) -> None:
        """Close a recipient who takes nothing, and say why if that can still be said: one try each."""
        message = ErrorMessage(code=ErrorCode.CONNECTION_TIMEOUT)
        seconds = self.deliveries.post_seconds()
        request.connections.send(connection_id, message, timeout_seconds=seconds, retries=0)
        request.connections.close(connection_id, timeout_seconds=MAX_POST_SECONDS, retries=0)
        self.deliveries.close(connection_id)
        self._app.handler.logger.warning(
            "A participant who takes nothing was closed", closedConnectionId=connection_id
        )

    def _take_out(self, request: Request[Any], session: Session, gone: list[str]) -> None:
        """Take participants out of the session, in the store if that is soon done; then ask what has become of it.

        Whoever is not on a connection any longer may be on another one: only the store knows.
        """
        if not gone:
            return
        name = request.connection_id
        self.sessions.replace(name, without(session, gone))
        if self.sessions.may_ask:
            with calls_within(READ_SECONDS):
                if not self._app.remove_gone(request, gone):
                    self.sessions.note_failure()
        self.sessions.doubt(name)

    def note_interpreter(self, request: Request[Any], session: Session, language: str) -> None:
        """Note that an interpreter is there whose heartbeats do not show it: one write, if that is soon done."""
        name, now_ms = request.connection_id, self._app.store.now_ms
        here = session.interpreters.get(language)
        if here is None or here.connection_id != name or now_ms - here.seen_at < SIGN_DUE_MS:
            return
        if self.sessions.may_ask:
            with calls_within(READ_SECONDS):
                try:
                    after = note_sign(self._app.store, session.session_id, language, name)
                except ApplicationError as error:
                    if error.code.status >= 500:
                        self.sessions.note_failure()  # the next message notes it
                    return  # or it was replaced, which the next read says
            self.sessions.replace(name, after)
