"""The door that a schedule opens each minute: what nobody else noticed is put right.

Both tables are read whole, with a filter. That is a decision about cost: a thousand connections
are about 60 read units a minute, 2.5 million a month. An index by due time would be written by
every heartbeat, 86 million times a month, and a write unit costs five read units.

Nothing here happens twice, however many run at once: each deed begins with a conditional update,
and who comes second does nothing.
"""

from __future__ import annotations

import contextvars
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import shared_utils as su
from broadcast.sessions import status_message
from broadcast.upkeep import (
    client_url,
    duties,
    lost_listeners,
    refresh_messages,
    seconds_since,
    timeout_message,
    warning_message,
    why_over,
)

from ._common import Desk, count_failures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from broadcast.sessions import Listener, Person, Session
    from broadcast.upkeep import Duties

    Deed = Callable[[], object]

# Work stops when so little of the function's time is left; the next run does the rest.
RESERVE_SECONDS = 5.0
# A deed is mostly waiting for answers.
HANDS = 16

desk = Desk("Housekeeping")
store, logger, metrics = desk.store, desk.handler.logger, desk.metrics
connections = su.Connections()
next_url = client_url(os.environ["API_GATEWAY_ENDPOINT"])


@su.invocation
def handler(event: object, context: Any) -> dict[str, int]:
    """Do what is due; raise what went wrong, in the end, so that Lambda tries again and alarms."""
    ends = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    with metrics.invocation("Housekeeping"):
        try:
            return do_all(list_deeds(ends), ends)
        except Exception as error:
            metrics.emit_lambda_error("Housekeeping", type(error).__name__)
            raise


def list_deeds(ends: float) -> list[Deed]:
    """Return what is due, the most urgent first."""
    # Sessions first: a listener is stored as a person before the session has it, so who is in a
    # session and not among the people found later is gone.
    sessions = store.open_sessions(lambda: time.monotonic() < ends)
    people = store.open_people(lambda: time.monotonic() < ends)
    now_ms = store.now_ms
    over = {s.session_id: reason for s in sessions.found if (reason := why_over(s, now_ms))}
    going_on = [s for s in sessions.found if s.session_id not in over]
    deeds: list[Deed] = [
        partial(end, s, over[s.session_id]) for s in sessions.found if s.session_id in over
    ]
    ids = {s.session_id for s in going_on}
    for person in people.found:
        due = duties(person, now_ms, desk.settings)
        if due.close or (due and (person.session_id in ids or not sessions.complete)):
            deeds.append(partial(look_after, person, due))
    if people.complete:
        open_ids = {person.connection_id for person in people.found}
        deeds += [
            partial(count_out, s, seat, listener)
            for s in going_on
            for seat, listener in lost_listeners(s, open_ids)
        ]
    return deeds + [partial(report, s) for s in going_on if s.speaker_gone_at is None]


def do_all(deeds: list[Deed], ends: float) -> dict[str, int]:
    """Do all deeds while there is time; one that fails stops no other. Return how many there were."""
    errors: list[Exception] = []

    def do(deed: Deed) -> bool:
        if time.monotonic() >= ends:
            return False
        try:
            deed()
        except Exception as error:  # raised with the others when all is done
            errors.append(error)
        return True

    with ThreadPoolExecutor(HANDS) as hands:
        runs = [hands.submit(contextvars.copy_context().run, do, deed) for deed in deeds]
    counts = {"deeds": len(deeds), "left": sum(not run.result() for run in runs)}
    logger.info("Housekeeping done", operation="housekeeping", failed=len(errors), **counts)
    if errors:
        raise ExceptionGroup("deeds failed", errors)
    return counts


def end(session: Session, reason: str) -> None:
    """End a session that is over, and tell everyone."""
    ended = store.end_over(session, reason)
    if ended is None:
        return
    message = su.SessionEndedMessage(sessionId=ended.session_id, reason=reason)
    names = ended.audience + ([] if ended.speaker_gone_at else [ended.speaker_connection_id])
    count_failures(metrics, ended.session_id, connections.broadcast(names, message))


def look_after(person: Person, due: Duties) -> None:
    """Do what is due for someone's connection."""
    if due.close:
        close_idle(person)
    if due.warn and store.mark(person, "warnedAt"):
        warning = warning_message(person, store.now_ms)
        desk.tell(connections, person.connection_id, [warning])
    if due.ask_to_refresh and store.mark(person, "refreshAskedAt"):
        messages = refresh_messages(person, store.now_ms, next_url)
        desk.tell(connections, person.connection_id, messages)


def close_idle(person: Person) -> None:
    """Close a connection, unless the gateway has seen it alive: audio is not written down here."""
    name = person.connection_id
    known = connections.get(name)
    if known is not None:
        silent_seconds = seconds_since(known.get("lastActiveAt"), store.now_ms)
        if silent_seconds < desk.settings.idle_seconds:
            store.touch_if_open(name)
            return
        connections.send(name, timeout_message(person, store.now_ms))
        connections.close(name)
    desk.see_off(connections, name)


def count_out(session: Session, seat: str, listener: Listener) -> None:
    """Take out a listener whose connection is closed, if that is still so."""
    person = store.person(listener.connection_id)
    if person is None or person.disconnected_at is not None:
        after = store.vacate(session.session_id, seat, listener.connection_id)
        if after is not None:
            desk.tell_of_departure(connections, after, listener.language)


def report(session: Session) -> None:
    """Tell a speaker how the audience is."""
    status = status_message(session, "periodic", store.now_ms)
    desk.tell(connections, session.speaker_connection_id, [status])
    metrics.emit_periodic_status_update_sent(session.session_id)
