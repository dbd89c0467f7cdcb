"""The function that a schedule runs each minute: it puts right what no other function noticed.

Both tables are read whole, with a filter. That is a decision about cost: a thousand connections
are about 60 read units a minute, 2.5 million a month. An index by due time would be written by
every heartbeat, 86 million times a month, and a write unit costs five read units.

Nothing here happens twice, however many run at once: each task begins with a conditional update,
and the second of two runs does nothing.
"""

from __future__ import annotations

import contextvars
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import shared_utils as su
from broadcast.notices import status_message
from broadcast.upkeep import (
    client_url,
    due_tasks,
    lost_listeners,
    refresh_messages,
    seconds_since,
    silent_interpreters,
    timeout_message,
    warning_message,
    why_over,
)

from ._common import BroadcastApp, count_failures, kinds_of, starting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from broadcast.channels import Interpreter, Listener
    from broadcast.sessions import Participant, Session
    from broadcast.upkeep import DueTasks

    Task = Callable[[], object]

# Work stops when so little of the function's time is left; the next run does the rest.
RESERVE_SECONDS = 5.0
# A task is mostly waiting for answers.
WORKERS = 16
# A session is one item, and its own clients can write it faster than DynamoDB takes it: that is no failure of
# ours, and the next run tries again.
TOO_FAST = {
    *("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"),
    "TransactionConflictException",
}

with starting("Housekeeping"):
    app = BroadcastApp("Housekeeping", answer_seconds=2.0)  # a scan's page is a megabyte
    connections = su.Connections()
    next_url = client_url(os.environ["API_GATEWAY_ENDPOINT"])
store, logger, metrics = app.store, app.handler.logger, app.metrics


@su.invocation
def handler(event: object, context: Any) -> dict[str, int]:
    """Do what is due; raise what went wrong, in the end, so that Lambda tries again and alarms."""
    began = time.monotonic()
    ends = began + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    with metrics.invocation("Housekeeping"):
        try:
            return do_all(list_tasks(ends), began, ends)
        except Exception as error:
            failures = error.exceptions if isinstance(error, ExceptionGroup) else [error]
            for kind in sorted({type(failure).__name__ for failure in failures}):
                metrics.emit_lambda_error("Housekeeping", kind)
            raise


def list_tasks(ends: float) -> list[Task]:
    """Return what is due, the most urgent first."""
    # Sessions first: a listener is stored as a participant before the session has it, so a listener
    # who is in a session and not among the participants found later is gone.
    sessions, are_all_sessions = store.open_sessions(lambda: time.monotonic() < ends)
    participants, are_all_participants = store.open_participants(lambda: time.monotonic() < ends)
    now_ms = store.now_ms
    over = {s.session_id: reason for s in sessions if (reason := why_over(s, now_ms))}
    going_on = [s for s in sessions if s.session_id not in over]
    tasks: list[Task] = [
        partial(end, s, over[s.session_id]) for s in sessions if s.session_id in over
    ]
    ids = {s.session_id for s in going_on}
    for participant in participants:
        due = due_tasks(participant, now_ms, app.settings)
        if due.close or (due and (participant.session_id in ids or not are_all_sessions)):
            tasks.append(partial(do_due_tasks, participant, due))
    if are_all_participants:
        open_ids = {participant.connection_id for participant in participants}
        tasks += [
            partial(remove_lost_listener, s, participant_id, listener)
            for s in going_on
            for participant_id, listener in lost_listeners(s, open_ids)
        ]
    tasks += [
        partial(remove_silent_interpreter, s, language, interpreter)
        for s in going_on
        for language, interpreter in silent_interpreters(s, now_ms)
    ]
    return tasks + [partial(report, s) for s in going_on if s.speaker_gone_at is None]


def do_all(tasks: list[Task], began: float, ends: float) -> dict[str, int]:
    """Do all tasks while there is time; one that fails stops no other. Return how many there were.

    `began` is when the whole run did.
    """
    errors: list[Exception] = []

    def do(task: Task) -> bool:
        if time.monotonic() >= ends:
            return False
        try:
            task()
        except Exception as error:  # raised with the others when all is done
            errors.append(error)
            write_failure(task, error)
        return True

    with ThreadPoolExecutor(WORKERS) as workers:
        runs = [workers.submit(contextvars.copy_context().run, do, task) for task in tasks]
    counts = {"tasks": len(tasks), "left": sum(not run.result() for run in runs)}
    took_ms = round((time.monotonic() - began) * 1000)
    fields = {"operation": "housekeeping", "durationMs": took_ms, "failed": len(errors)}
    logger.info("Housekeeping done", **fields, **counts)
    errors = [error for error in errors if not is_too_fast(error)]
    if errors:
        raise ExceptionGroup("tasks failed", errors)
    return counts


def is_too_fast(error: Exception) -> bool:
    """Return whether DynamoDB refused a call because there were too many."""
    return isinstance(error, su.DynamoDBError) and error.response["Error"]["Code"] in TOO_FAST


def write_failure(task: Task, error: Exception) -> None:
    """Write which task failed, for whom, and why; a task of this module is a partial."""
    about = next(iter(getattr(task, "args", ())), None)
    logger.error(
        "Task failed",
        operation=getattr(getattr(task, "func", task), "__name__", None),
        error=error,
        sessionId=getattr(about, "session_id", None),
        connectionId=getattr(about, "connection_id", None),
    )


def end(session: Session, reason: str) -> None:
    """End a session that is over, and tell everyone."""
    ended = store.end_over(session, reason)
    if ended is None:
        return
    message = su.SessionEndedMessage(sessionId=ended.session_id, reason=reason)
    names = ended.audience + ended.interpreter_connections
    names += [] if ended.speaker_gone_at else [ended.speaker_connection_id]
    result = connections.broadcast(names, message)
    count_failures(metrics, ended.session_id, kinds_of(result).values())


def do_due_tasks(participant: Participant, due: DueTasks) -> None:
    """Do what is due for someone's connection."""
    if due.close:
        close_idle(participant)
    if due.warn and store.mark(participant, "warnedAt"):
        warning = warning_message(participant, store.now_ms)
        app.notify(connections, participant.connection_id, [warning])
    if due.ask_to_refresh and store.mark(participant, "refreshAskedAt"):
        messages = refresh_messages(participant, store.now_ms, next_url)
        app.notify(connections, participant.connection_id, messages)


def close_idle(participant: Participant) -> None:
    """Close a connection, unless the gateway has seen it alive: audio is not written down here."""
    name = participant.connection_id
    known = connections.get(name)
    if known is not None:
        silent_seconds = seconds_since(known.get("lastActiveAt"), store.now_ms)
        if silent_seconds < app.settings.idle_seconds:
            store.touch_if_open(name)
            return
        connections.send(name, timeout_message(participant, store.now_ms))
        connections.close(name)
    app.remove_participant(connections, name)


def remove_lost_listener(session: Session, participant_id: str, listener: Listener) -> None:
    """Take out a listener whose connection is closed, if that is still so."""
    participant = store.participant(listener.connection_id)
    if participant is None or participant.disconnected_at is not None:
        after = store.remove_listener(session.session_id, participant_id, listener.connection_id)
        if after is not None:
            app.notify_of_departure(connections, after, listener.language)


def remove_silent_interpreter(session: Session, language: str, interpreter: Interpreter) -> None:
    """Let the listeners of an interpreter who gives no sign hear the floor, if that is still so."""
    name, seen_at = interpreter.connection_id, interpreter.seen_at
    after = store.free_channel(session.session_id, language, name, seen_at)
    if after is not None:
        app.notify_of_interpreter_gone(connections, after, language)
        app.dismiss(connections, name, su.ErrorMessage(code=su.ErrorCode.CONNECTION_TIMEOUT))


def report(session: Session) -> None:
    """Tell a speaker how the audience is."""
    status = status_message(session, "periodic", store.now_ms)
    app.notify(connections, session.speaker_connection_id, [status])
    metrics.emit_periodic_status_update_sent(session.session_id)
