"""The doors of the broadcast's control: the speaker pauses, mutes, sets the volume, for everyone."""

from __future__ import annotations

import shared_utils as su

from ._common import Desk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from shared_utils import Request

    M = TypeVar("M", bound=su.ServerMessage)

desk = Desk("ControlHandler")
handler = desk.handler


@desk.control(su.PauseBroadcast)
def pause(request: Request[su.PauseBroadcast]) -> su.BroadcastPausedMessage:
    """Pause the broadcast."""
    return tell_all(request, su.BroadcastPausedMessage, isPaused=True)


@desk.control(su.ResumeBroadcast)
def resume(request: Request[su.ResumeBroadcast]) -> su.BroadcastResumedMessage:
    """Resume the paused broadcast."""
    return tell_all(request, su.BroadcastResumedMessage, isPaused=False)


@desk.control(su.MuteBroadcast)
def mute(request: Request[su.MuteBroadcast]) -> su.BroadcastMutedMessage:
    """Mute the broadcast."""
    return tell_all(request, su.BroadcastMutedMessage, isMuted=True)


@desk.control(su.UnmuteBroadcast)
def unmute(request: Request[su.UnmuteBroadcast]) -> su.BroadcastUnmutedMessage:
    """Unmute the broadcast."""
    return tell_all(request, su.BroadcastUnmutedMessage, isMuted=False)


@desk.control(su.SetVolume)
def set_volume(request: Request[su.SetVolume]) -> su.VolumeChangedMessage:
    """Set the volume, which the listeners apply."""
    level = request.message.volumeLevel
    session = desk.store.steer(request.caller, {"volume": level})
    message = su.VolumeChangedMessage(sessionId=session.session_id, volumeLevel=level)
    desk.announce(request, session, message)
    return message


@desk.control(su.SpeakerStateChange)
def change_state(request: Request[su.SpeakerStateChange]) -> su.SpeakerStateChangedMessage:
    """Change several things at once, and tell how all is then."""
    session = desk.store.steer(request.caller, request.message.state.to_dict())
    message = su.SpeakerStateChangedMessage(
        sessionId=session.session_id, broadcastState=session.state
    )
    desk.announce(request, session, message)
    return message


def tell_all(request: Request[Any], message_of: Callable[..., M], **state: bool) -> M:
    """Change the broadcast's state, tell the listeners, and return the speaker's reply."""
    session = desk.store.steer(request.caller, state)
    message = message_of(sessionId=session.session_id)
    desk.announce(request, session, message)
    return message
