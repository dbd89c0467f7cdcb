"""The function for captions: passes text of the floor, or of a channel, on to those who asked for it.

The path of each is in `_live.py`. A caption is speech: nothing of its text is logged, counted or kept.
"""

from __future__ import annotations

from broadcast.notices import caption_message
from broadcast.pace import Pace
from shared_utils import FLOOR, ErrorCode, SendCaption

from ._common import BroadcastApp, starting
from ._live import LiveSenders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from shared_utils import Request

# A caption is worth the wait that audio is not, and its sender does not wait for an answer.
FIRST_READ_SECONDS = 1.5
# Who may send captions, the speaker or an interpreter.
SENDER = "sender"


def identify_sender(request: Request[SendCaption]) -> str:
    """Return the role of a caption's sender, or the caption is refused."""
    app.check_pace(request, ErrorCode.RATE_LIMIT_EXCEEDED)
    request.caller = live.session_of(request)
    return SENDER


with starting("CaptionHandler"):
    app = BroadcastApp("CaptionHandler", role_of=identify_sender, sampled={"sendCaption": 100})
app.pace = Pace(app.settings.captions_per_second)
handler = app.handler
live = LiveSenders(app, FIRST_READ_SECONDS)


@handler.route(SendCaption, role=SENDER)
def pass_on(request: Request[SendCaption]) -> None:
    """Send a caption to those who asked for captions of its language, and to the speaker."""
    session, language = request.caller
    channel = FLOOR if language == session.source_language else language
    recipients = session.caption_recipients(channel)
    if session.speaker_gone_at is None:
        recipients = [*recipients, session.speaker_connection_id]
    text = caption_message(session.session_id, language, request.message).to_json()
    live.send(request, session, recipients, text)
    live.note_interpreter(request, session, language)
