"""The function for a listener's own control: playback and language."""

from __future__ import annotations

import shared_utils as su
from broadcast.notices import channel_message, language_messages

from ._common import BroadcastApp, starting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from broadcast.sessions import Participant
    from shared_utils import Request

with starting("ListenerHandler"):
    app = BroadcastApp("ListenerHandler")
handler = app.handler


@app.control(su.PausePlayback)
def pause_playback(request: Request[su.PausePlayback]) -> su.PlaybackPausedMessage:
    """Send the listener no audio for a while."""
    app.store.set_playback(request.caller, paused=True)
    return su.PlaybackPausedMessage()


@app.control(su.ResumePlayback)
def resume_playback(request: Request[su.ResumePlayback]) -> su.PlaybackResumedMessage:
    """Send the listener audio again."""
    app.store.set_playback(request.caller, paused=False)
    return su.PlaybackResumedMessage()


@app.control(su.ChangeLanguage)
def change_language(request: Request[su.ChangeLanguage]) -> None:
    """Let the listener listen in another language, or as else wanted; the speaker hears of one that is new."""
    listener, language = request.caller, request.message.targetLanguage
    app.settings.check_language(language, "targetLanguage")
    wanted = changed(listener, request.message)
    session = app.store.set_language(wanted)
    app.reply(request, su.LanguageChangedMessage(targetLanguage=language))
    message = channel_message(session, wanted.listener)
    if message.hears != session.hears(listener.listener):
        app.notify(request, request.connection_id, [message])
    messages = language_messages(session, listener.language, language, app.store.now_ms)
    app.notify(request, session.speaker_connection_id, messages)


def changed(listener: Participant, message: su.ChangeLanguage) -> Participant:
    """Return the listener as wanted from now on: what a message does not say stays."""
    original, captions = message.audio, message.captions
    return listener.replace(
        language=message.targetLanguage,
        wants_original=listener.wants_original if original is None else original == "original",
        wants_captions=listener.wants_captions if captions is None else captions,
    )
