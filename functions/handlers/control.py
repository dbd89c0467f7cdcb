"""The function for the broadcast's control: the speaker pauses, mutes and sets the volume for all."""

from __future__ import annotations

import shared_utils as su

from ._common import BroadcastApp, starting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from shared_utils import Request

    M = TypeVar("M", bound=su.ServerMessage)

with starting("ControlHandler"):
    app = BroadcastApp("ControlHandler")
handler = app.handler


@app.control(su.PauseBroadcast)
def pause(request: Request[su.PauseBroadcast]) -> su.BroadcastPausedMessage:
    """Pause the broadcast."""
    return apply_and_notify(request, su.BroadcastPausedMessage, isPaused=True)


@app.control(su.ResumeBroadcast)
def resume(request: Request[su.ResumeBroadcast]) -> su.BroadcastResumedMessage:
    """Resume the paused broadcast."""
    return apply_and_notify(request, su.BroadcastResumedMessage, isPaused=False)


@app.control(su.MuteBroadcast)
def mute(request: Request[su.MuteBroadcast]) -> su.BroadcastMutedMessage:
    """Mute the broadcast."""
    return apply_and_notify(request, su.BroadcastMutedMessage, isMuted=True)


@app.control(su.UnmuteBroadcast)
def unmute(request: Request[su.UnmuteBroadcast]) -> su.BroadcastUnmutedMessage:
    """Unmute the broadcast."""
    return apply_and_notify(request, su.BroadcastUnmutedMessage, isMuted=False)


@app.control(su.SetVolume)
def set_volume(request: Request[su.SetVolume]) -> su.VolumeChangedMessage:
    """Set the volume, which the listeners apply."""
    level = request.message.volumeLevel
    session = app.store.change_broadcast(request.caller, {"volume": level})
    message = su.VolumeChangedMessage(sessionId=session.session_id, volumeLevel=level)
    app.notify_others(request, session, message)
    return message


@app.control(su.SpeakerStateChange)
def change_state(request: Request[su.SpeakerStateChange]) -> su.SpeakerStateChangedMessage:
    """Change several things at once, and tell how all is then."""
    session = app.store.change_broadcast(request.caller, request.message.state.to_dict())
    message = su.SpeakerStateChangedMessage(
        sessionId=session.session_id, broadcastState=session.state
    )
    app.notify_others(request, session, message)
    return message


def apply_and_notify(request: Request[Any], message_of: Callable[..., M], **state: bool) -> M:
    """Change the broadcast's state, notify all others, and return the speaker's reply."""
    session = app.store.change_broadcast(request.caller, state)
    message = message_of(sessionId=session.session_id)
    app.notify_others(request, session, message)
    return message
