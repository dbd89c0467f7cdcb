"""The function for audio: passes chunks on to those who hear them. Only refusals are answered.

The speaker's go to those who hear the floor and to the interpreters, an interpreter's to those who hear
the channel of its language. The path of each is in `_live.py`. Each is accounted for: it is posted to
every recipient, with one ListenerNotificationFailures for whom it does not reach, or it is one of
AudioChunksDropped.
"""

from __future__ import annotations

import contextlib
import time

from broadcast.moves import note_speaker_heard
from broadcast.pace import Pace
from broadcast.quality import QualityWatch
from broadcast.sessions import check_same_session
from broadcast.tables import calls_within
from shared_utils import (
    FLOOR,
    ApplicationError,
    AudioMessage,
    ErrorCode,
    SendAudio,
    error_code_of,
)
from shared_utils import validate_audio_alignment as check_alignment

from . import _live
from ._common import BroadcastApp, kinds_of, starting
from ._live import LiveSenders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from broadcast.sessions import Session
    from shared_utils import Request, ServerMessage

# Audio that is older is of no use: a listener's buffer holds less.
MAX_AGE_MS = 2000
# Who may send audio, the speaker or an interpreter.
SENDER = "sender"


def identify_sender(request: Request[SendAudio]) -> str:
    """Return the role of a chunk's sender, or the chunk is refused. One too late has no caller."""
    if is_late(request):
        last = live.sessions.last(request.connection_id)
        named = last.session_id if last else request.message.sessionId or ""
        request.metrics.emit_audio_chunk_dropped(named, "late")
        return SENDER
    warnings: list[ServerMessage] = []
    with counting_drops(request):
        app.check_pace(request, ErrorCode.RATE_LIMIT_AUDIO_CHUNKS, warnings.append)
        session, language = live.session_of(request)
        check_same_session(request.message.sessionId, session.session_id)
        channel = channel_on(request.connection_id, session, language)
    request.caller = session, channel, warnings
    return SENDER


def channel_on(connection_id: str, session: Session, language: str) -> str:
    """Return the channel whose audio comes on a connection, or the floor."""
    if connection_id == session.speaker_connection_id:
        return FLOOR
    if language == session.source_language:
        message = "The captioner of the floor sends no audio"
        raise ApplicationError(ErrorCode.AUTH_INVALID_ROLE, message)
    return language


with starting("AudioHandler"):
    app = BroadcastApp("AudioHandler", role_of=identify_sender, sampled={"sendAudio": 100})
app.pace = Pace(app.settings.audio_chunks_per_second)
handler = app.handler
live = LiveSenders(app)
watch = QualityWatch()


@handler.route(SendAudio, role=SENDER)
def take_chunk(request: Request[SendAudio]) -> None:
    """Check a chunk, pass it on, and then tell its sender what is wrong with it."""
    if request.caller is None:
        return
    started_ns = time.perf_counter_ns()
    session, channel, warnings = request.caller
    check_format(request, session)
    pass_on(request, session, channel)
    warn_sender(request, [*warnings, *quality_warnings(request, session, channel)])
    note_new_connection(request, session)
    live.note_interpreter(request, session, channel)
    elapsed_ms = (time.perf_counter_ns() - started_ns) / 1e6
    request.metrics.emit_audio_processing_latency(session.session_id, elapsed_ms)


def is_late(request: Request[SendAudio]) -> bool:
    """Return whether the gateway got a chunk too long ago; a time that is none, or to come, is not."""
    came: Any = request.gateway.get("requestTimeEpoch")
    return type(came) in (int, float) and app.store.now_ms - came > MAX_AGE_MS


def check_format(request: Request[SendAudio], session: Session) -> None:
    """Refuse what is no whole number of samples, and count what is."""
    num_bytes, audio_format = request.message.num_audio_bytes, session.audio_format
    with counting_drops(request, session.session_id):
        check_alignment(num_bytes, audio_format.encoding, audio_format.channels)
    request.metrics.emit_audio_chunk_received(session.session_id, num_bytes)


def pass_on(request: Request[SendAudio], session: Session, channel: str) -> None:
    """Send a chunk to those who hear its channel, unless there is a reason not to."""
    recipients = session.recipients(channel)
    reason = session.drop_reason(channel) or ("late" if is_late(request) else None)
    if reason or not recipients:
        request.metrics.emit_audio_chunk_dropped(session.session_id, reason or "no_listeners")
        return
    with counting_drops(request, session.session_id):
        language = None if channel == FLOOR else channel
        text = AudioMessage.of(request.message, session.session_id, language).to_json()
        live.send(request, session, recipients, text)


def note_new_connection(request: Request[SendAudio], session: Session) -> None:
    """Note the first chunk after a refresh, so that the token before it is no longer good: one write, if that is soon done."""
    name = request.connection_id
    if session.speaker_moved_to != name or not live.sessions.may_ask:
        return
    with calls_within(_live.READ_SECONDS):
        try:
            note_speaker_heard(app.store, session)
        except ApplicationError as error:
            if error.code.status < 500:
                raise
            live.sessions.note_failure()  # the next chunk notes it
            return
    if last := live.sessions.last(name):
        live.sessions.replace(name, last.replace(speaker_moved_to=None))


def quality_warnings(
    request: Request[SendAudio], session: Session, channel: str
) -> list[ServerMessage]:
    """Listen to a chunk, unless it is the speaker's who is muted, and return what is wrong with it now and then."""
    if session.state.isMuted and channel == FLOOR:
        return []
    name, chunk, encoding = request.connection_id, request.message, session.audio_format.encoding
    warning = watch.warning(name, session.session_id, chunk.audio, encoding)
    return [] if warning is None else [warning]


def warn_sender(request: Request[SendAudio], warnings: list[ServerMessage]) -> None:
    """Send the sender what is wrong, in one try, unless the last one was not taken."""
    name, deliveries = request.connection_id, live.deliveries
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
