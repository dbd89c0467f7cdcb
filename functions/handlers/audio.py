"""The function for audio: passes the speaker's chunks on to the listeners. Only refusals are answered.

The path of every chunk: no write, and at most one read in two seconds, of the session's item, which
holds the audience too. So a pause, an end or a new listener takes effect within two seconds.
"""

from __future__ import annotations

import contextlib
import time

from broadcast.pace import Pace
from broadcast.quality import QualityWatch
from broadcast.recent import RecentSessions
from broadcast.sessions import check_is_open, check_same_session, without
from shared_utils import SPEAKER, AudioMessage, ErrorCode, SendAudio, bind_context, error_code_of
from shared_utils import validate_audio_alignment as check_alignment

from ._common import MAX_REMOVALS, BroadcastApp, count_failures, starting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from broadcast.sessions import Session
    from shared_utils import Request

# How long what was read of a session counts: see above.
FRESH_SECONDS = 2.0
# Audio that comes later than this is of no use: a listener's buffer holds less.
DEADLINE_SECONDS = 2.0


def identify_speaker(request: Request[SendAudio]) -> str:
    """Return the role of a chunk's sender: the speaker, or the chunk is refused."""
    with counting_drops(request):
        app.check_pace(request, ErrorCode.RATE_LIMIT_AUDIO_CHUNKS)
        session = check_is_open(session_of(request), app.store.now_ms)
        bind_context(sessionId=session.session_id)
        check_same_session(request.message.sessionId, session.session_id)
        request.caller = session
    return SPEAKER


with starting("AudioHandler"):
    app = BroadcastApp("AudioHandler", role_of=identify_speaker, sampled={"sendAudio": 100})
app.pace = Pace(app.settings.audio_chunks_per_second)
handler = app.handler
sessions = RecentSessions(FRESH_SECONDS)  # by the speaker's connection
watch = QualityWatch()


@handler.route(SendAudio, role=SPEAKER)
def take_chunk(request: Request[SendAudio]) -> None:
    """Check a chunk, pass it on, and tell the speaker if it is hard to understand."""
    started_ns = time.perf_counter_ns()
    session: Session = request.caller
    num_bytes, audio_format = request.message.num_audio_bytes, session.audio_format
    with counting_drops(request, session.session_id):
        check_alignment(num_bytes, audio_format.encoding, audio_format.channels)
    request.metrics.emit_audio_chunk_received(session.session_id, num_bytes)
    pass_on(request, session)
    warn_of_quality(request, session)
    elapsed_ms = (time.perf_counter_ns() - started_ns) / 1e6
    request.metrics.emit_audio_processing_latency(session.session_id, elapsed_ms)


def session_of(request: Request[SendAudio]) -> Session:
    """Return the session that the sender speaks in, as it was two seconds ago or later."""
    name = request.connection_id
    session = sessions.get(name)
    if session is None:
        before = sessions.last(name)  # a connection has one session for good
        known = before.session_id if before else request.message.sessionId
        session = app.store.session_of_speaker(name, known)
        sessions.put(name, session)
    return session


def pass_on(request: Request[SendAudio], session: Session) -> None:
    """Send a chunk to those who want to hear it, unless the broadcast is paused or muted."""
    if session.drop_reason is not None:
        request.metrics.emit_audio_chunk_dropped(session.session_id, session.drop_reason)
    if session.drop_reason is not None or not session.audio_recipients:
        return
    message = AudioMessage.of(request.message, session.session_id)
    seconds = min(DEADLINE_SECONDS, request.remaining_seconds)
    result = request.connections.broadcast(
        session.audio_recipients, message, timeout_seconds=seconds
    )
    if len(result.sent) < len(session.audio_recipients):
        count_failures(request.metrics, session.session_id, result)
        sessions.replace(request.connection_id, without(session, result.gone))
        for connection_id in result.gone[:MAX_REMOVALS]:
            app.remove_participant(request, connection_id)


def warn_of_quality(request: Request[SendAudio], session: Session) -> None:
    """Listen to a chunk, unless the speaker is muted, and say what is wrong with it now and then."""
    if session.state.isMuted:
        return
    name, chunk, encoding = request.connection_id, request.message, session.audio_format.encoding
    warning = watch.warning(name, session.session_id, chunk.audio, encoding)
    if warning is not None:
        request.send(name, warning)


@contextlib.contextmanager
def counting_drops(request: Request[SendAudio], session_id: str = "") -> Iterator[None]:
    """Count a chunk that is refused, or that fails, by why."""
    try:
        yield
    except Exception as error:  # handled by the error mapping; here it is a chunk that nobody hears
        named = session_id or request.message.sessionId or ""
        request.metrics.emit_audio_chunk_dropped(named, error_code_of(error))
        raise
