"""The function for audio: passes the speaker's chunks on to the listeners. Only refusals are answered.

The path of every chunk: no write, and at most one read in two seconds, of the session's item, which
holds the audience too. Before an environment's first one stands another read, of who is on the
connection: no session is looked up because a client names it. So a pause, an end or a new listener
takes effect within two seconds, or half a second later if the store is slow. No chunk waits long for the store or for a listener, and each is
accounted for: it is posted to every listener, with one ListenerNotificationFailures for whom it does
not reach, or it is one of AudioChunksDropped.
"""

from __future__ import annotations

import contextlib
import time

from broadcast.deliveries import MAX_POST_SECONDS, SENT, Deliveries
from broadcast.moves import note_speaker_heard
from broadcast.pace import Pace
from broadcast.quality import QualityWatch
from broadcast.recent import RecentSessions
from broadcast.sessions import check_is_open, check_same_session, without
from broadcast.tables import calls_within
from shared_utils import (
    SPEAKER,
    ApplicationError,
    AudioMessage,
    ErrorCode,
    ErrorMessage,
    SendAudio,
    bind_context,
    error_code_of,
)
from shared_utils import validate_audio_alignment as check_alignment

from ._common import BroadcastApp, count_failures, kinds_of, starting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from broadcast.sessions import Session
    from shared_utils import Request, ServerMessage

# How long what was read of a session counts: see above.
FRESH_SECONDS = 2.0
# Audio that is older is of no use: a listener's buffer holds less.
MAX_AGE_MS = 2000
# How long a chunk waits for the store: if its session is in memory, which then serves; and if not,
# which takes two reads, and is refused soon enough to be sent again.
READ_SECONDS, FIRST_READ_SECONDS = 0.2, 0.4
# What a fan-out may take beside its slowest post: the work for each.
SECONDS_A_LISTENER = 0.002


def identify_speaker(request: Request[SendAudio]) -> str:
    """Return the role of a chunk's sender: the speaker, or the chunk is refused. One too late has no caller."""
    if is_late(request):
        last = sessions.last(request.connection_id)
        named = last.session_id if last else request.message.sessionId or ""
        request.metrics.emit_audio_chunk_dropped(named, "late")
        return SPEAKER
    warnings: list[ServerMessage] = []
    with counting_drops(request):
        app.check_pace(request, ErrorCode.RATE_LIMIT_AUDIO_CHUNKS, warnings.append)
        session = check_is_open(session_of(request), app.store.now_ms)
        bind_context(sessionId=session.session_id)
        check_same_session(request.message.sessionId, session.session_id)
    request.caller = session, warnings
    return SPEAKER


with starting("AudioHandler"):
    app = BroadcastApp("AudioHandler", role_of=identify_speaker, sampled={"sendAudio": 100})
app.pace = Pace(app.settings.audio_chunks_per_second)
handler = app.handler
sessions = RecentSessions(FRESH_SECONDS)  # by the speaker's connection
watch = QualityWatch()
deliveries = Deliveries()


@handler.route(SendAudio, role=SPEAKER)
def take_chunk(request: Request[SendAudio]) -> None:
    """Check a chunk, pass it on, and then tell the speaker what is wrong with it."""
    if request.caller is None:
        return
    started_ns = time.perf_counter_ns()
    session, warnings = request.caller
    check_format(request, session)
    pass_on(request, session)
    warn_speaker(request, [*warnings, *quality_warnings(request, session)])
    note_new_connection(request, session)
    elapsed_ms = (time.perf_counter_ns() - started_ns) / 1e6
    request.metrics.emit_audio_processing_latency(session.session_id, elapsed_ms)


def is_late(request: Request[SendAudio]) -> bool:
    """Return whether the gateway got a chunk too long ago; a time that is none, or to come, is not."""
    came: Any = request.gateway.get("requestTimeEpoch")
    return type(came) in (int, float) and app.store.now_ms - came > MAX_AGE_MS


def session_of(request: Request[SendAudio]) -> Session:
    """Return the session that the sender speaks in, as it was two seconds ago or later, or a little earlier.

    While the store is silent or fails, as it was half a minute ago or later.
    """
    name = request.connection_id

    def load(last: Session | None) -> Session:
        # A connection has one session for good. The one that a client names is compared with it later.
        known = last.session_id if last else None
        with calls_within(READ_SECONDS if last else FIRST_READ_SECONDS):
            return app.store.session_of_speaker(name, known)

    return sessions.read(name, load)


def check_format(request: Request[SendAudio], session: Session) -> None:
    """Refuse what is no whole number of samples, and count what is."""
    num_bytes, audio_format = request.message.num_audio_bytes, session.audio_format
    with counting_drops(request, session.session_id):
        check_alignment(num_bytes, audio_format.encoding, audio_format.channels)
    request.metrics.emit_audio_chunk_received(session.session_id, num_bytes)


def pass_on(request: Request[SendAudio], session: Session) -> None:
    """Send a chunk to those who want to hear it, unless there is a reason not to."""
    recipients = session.audio_recipients
    reason = session.drop_reason or ("late" if is_late(request) else None)
    if reason or not recipients:
        request.metrics.emit_audio_chunk_dropped(session.session_id, reason or "no_listeners")
        return
    with counting_drops(request, session.session_id):
        missed, stuck = fan_out(request, session, recipients)
    if missed:
        count_failures(request.metrics, session.session_id, missed.values())
        gone = [name for name, kind in missed.items() if kind == "gone"]
        for name in stuck[:1]:  # the next chunk closes the next one
            close_stuck(request, name)
            gone.append(name)
        take_out(request, session, gone)


def fan_out(
    request: Request[SendAudio], session: Session, recipients: list[str]
) -> tuple[dict[str, str], list[str]]:
    """Post a chunk to each listener once; return who was not reached, with why, and who is to be closed."""
    text = AudioMessage.of(request.message, session.session_id).to_json()
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
            timeout_seconds=seconds + len(names) * SECONDS_A_LISTENER,
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


def close_stuck(request: Request[SendAudio], connection_id: str) -> None:
    """Close a listener who takes no audio, and say why if that can still be said: one try each."""
    message, seconds = ErrorMessage(code=ErrorCode.CONNECTION_TIMEOUT), deliveries.post_seconds()
    request.connections.send(connection_id, message, timeout_seconds=seconds, retries=0)
    request.connections.close(connection_id, timeout_seconds=MAX_POST_SECONDS, retries=0)
    deliveries.close(connection_id)
    app.handler.logger.warning("A listener who takes no audio was closed", listenerId=connection_id)


def take_out(request: Request[SendAudio], session: Session, gone: list[str]) -> None:
    """Take listeners out of the session: at once in memory, in the store if that is soon done."""
    if not gone:
        return
    sessions.replace(request.connection_id, without(session, gone))
    if sessions.may_ask:
        with calls_within(READ_SECONDS):
            if not app.remove_gone(request, gone):
                sessions.note_failure()


def note_new_connection(request: Request[SendAudio], session: Session) -> None:
    """Note the first chunk after a refresh, so that the token before it is no longer good: one write, if that is soon done."""
    name = request.connection_id
    if session.speaker_moved_to != name or not sessions.may_ask:
        return
    with calls_within(READ_SECONDS):
        try:
            note_speaker_heard(app.store, session)
        except ApplicationError as error:
            if error.code.status < 500:
                raise
            sessions.note_failure()  # the next chunk notes it
            return
    if last := sessions.last(name):
        sessions.replace(name, last.replace(speaker_moved_to=None))


def quality_warnings(request: Request[SendAudio], session: Session) -> list[ServerMessage]:
    """Listen to a chunk, unless the speaker is muted, and return what is wrong with it now and then."""
    if session.state.isMuted:
        return []
    name, chunk, encoding = request.connection_id, request.message, session.audio_format.encoding
    warning = watch.warning(name, session.session_id, chunk.audio, encoding)
    return [] if warning is None else [warning]


def warn_speaker(request: Request[SendAudio], warnings: list[ServerMessage]) -> None:
    """Send the speaker what is wrong, in one try, unless the last one was not taken."""
    name = request.connection_id
    for warning in warnings:
        if not deliveries.is_suspect(name):
            started_ns, seconds = time.perf_counter_ns(), deliveries.post_seconds()
            outcomes = request.connections.broadcast(
                [name], warning, timeout_seconds=seconds, answer_seconds=seconds, retries=0
            )
            deliveries.count(kinds_of(outcomes), (time.perf_counter_ns() - started_ns) / 1e9)


@contextlib.contextmanager
def counting_drops(request: Request[SendAudio], session_id: str = "") -> Iterator[None]:
    """Count a chunk that is refused, or that fails, by why."""
    try:
        yield
    except Exception as error:  # handled by the error mapping; here it is a chunk that nobody hears
        named = session_id or request.message.sessionId or ""
        request.metrics.emit_audio_chunk_dropped(named, error_code_of(error))
        raise
