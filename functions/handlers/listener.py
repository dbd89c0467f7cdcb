"""The doors of a listener's own control: playback and language."""

from __future__ import annotations

import shared_utils as su
from broadcast.sessions import news_of_language

from ._common import Desk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from shared_utils import Request

desk = Desk("ListenerHandler")
handler = desk.handler


@desk.control(su.PausePlayback)
def pause_playback(request: Request[su.PausePlayback]) -> su.PlaybackPausedMessage:
    """Send the listener no audio for a while."""
    desk.store.set_playback(request.caller, paused=True)
    return su.PlaybackPausedMessage()


@desk.control(su.ResumePlayback)
def resume_playback(request: Request[su.ResumePlayback]) -> su.PlaybackResumedMessage:
    """Send the listener audio again."""
    desk.store.set_playback(request.caller, paused=False)
    return su.PlaybackResumedMessage()


@desk.control(su.ChangeLanguage)
def change_language(request: Request[su.ChangeLanguage]) -> None:
    """Let the listener listen in another language; the speaker hears of one that is new."""
    listener, language = request.caller, request.message.targetLanguage
    desk.settings.check_language(language, "targetLanguage")
    session = desk.store.set_language(listener, language)
    desk.reply(request, su.LanguageChangedMessage(targetLanguage=language))
    news = news_of_language(session, listener.language, language, desk.store.now_ms)
    desk.tell(request, session.speaker_connection_id, news)
