"""What a person reads of the messages that come beside audio and replies: a line for each."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.control import Control
from rich.segment import ControlType

from wslocal import printable

from .client import FLOOR, OF_THE_CONNECTION, SessionClientError
from .words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from .client import SessionClient

__all__ = ["Notices", "line_of", "voice_of"]

Message = dict[str, Any]

_NOT_SHOWN = {"type", "timestamp", "sessionId", "requestId", "refreshToken", "interpreterKey"}
# A partial caption may come after the final one of its segment; not after so many others.
_REMEMBERED_SEGMENTS = 100
_EMPTY_LINE = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))


class Notices:
    """Shows messages, a line each; an error that repeats, once, and how the session is, if it has changed.

    Of captions, those that are final; at a terminal the last line has the one that is not yet, or else how far
    the work is.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._problems: set[str] = set()
        self._status = ""
        self._final: deque[tuple[Any, Any]] = deque(maxlen=_REMEMBERED_SEGMENTS)
        self._last_line = ""
        self._partial = ""
        self._progress = ""

    def add(self, message: Message) -> None:
        """Show a message, unless it is an error that was shown, or a caption that has become final.

        Nor why the connection ends: that is said at the end.
        """
        if message.get("code") in OF_THE_CONNECTION:
            return
        problem = message.get("code") or ("type" not in message and message.get("message"))
        if problem:
            if str(problem) in self._problems:
                return
            self._problems.add(str(problem))
        if message.get("type") == "sessionStatus":
            if line_of(message) == self._status:
                return
            self._status = line_of(message)
        if message.get("type") == "caption":
            self._add_caption(message)
        else:
            self.say(line_of(message))

    def _add_caption(self, message: Message) -> None:
        segment = (message.get("language"), message.get("segmentId"))
        if message.get("isFinal"):
            self._final.append(segment)
            self._partial = ""
            self.say(line_of(message))
        elif segment not in self._final:
            self._partial = line_of(message)
            self._show_last_line()

    def show_progress(self, text: str) -> None:
        """Show how far the work is, at a terminal."""
        self._progress = text
        self._show_last_line()

    def say(self, line: str) -> None:
        """Show a line of any other kind."""
        self._replace_last_line("")
        self._console.print(line)
        self._show_last_line()

    @contextlib.contextmanager
    def of(self, client: SessionClient) -> Iterator[None]:
        """Show what arrives until the block ends."""
        showing = asyncio.create_task(self._show(client))
        try:
            yield
        finally:
            showing.cancel()
            self._partial = self._progress = ""
            self._show_last_line()

    async def _show(self, client: SessionClient) -> None:
        with contextlib.suppress(SessionClientError):  # the connection has ended
            while True:
                self.add(await client.next_message())

    def _show_last_line(self) -> None:
        self._replace_last_line(self._partial or self._progress)

    def _replace_last_line(self, line: str) -> None:
        """Have the terminal's last line show this, or its end if it is longer."""
        if not self._console.is_interactive:
            return
        while cell_len(line) >= self._console.width:
            line = line[1:]
        if self._last_line:
            self._console.control(_EMPTY_LINE)
        if line:
            self._console.print(line, end="", style="dim")
        self._last_line = line


def line_of(message: Message) -> str:
    """Return a message as a line without control characters; its fields as they are, if they are not as declared."""
    kind = str(message.get("type", "from the gateway"))
    try:
        return printable(_SENTENCES[kind](message))
    except (AttributeError, KeyError, TypeError, ValueError):
        details = ", ".join(
            f"{name} {value}" for name, value in message.items() if name not in _NOT_SHOWN
        )
        return printable(f"{kind}: {details}" if details else kind)


def _warning_of_rate(message: Message) -> str:
    if message.get("reason") == "wrongKeys":
        number = message["limit"]
        return f"somebody tries keys of this session: more than {number} wrong ones in a minute"
    return f"too much is being sent: at most {message['limit']} in {message['windowSeconds']} s are taken"


def _state_of(state: Mapping[str, Any]) -> str:
    words = [word for word in ("paused", "muted") if state[f"is{word.capitalize()}"]]
    return f"{' and '.join(words) or 'on air'}, volume {state['volume']:.0%}"


def _status(message: Message) -> str:
    languages = message["languageDistribution"].items()
    by_language = ", ".join(f"{number} in {language}" for language, number in languages)
    listeners = counted(message["listenerCount"], "listener") + (by_language and f": {by_language}")
    return f"{listeners}; {_state_of(message['broadcastState'])}"


def _error(message: Message) -> str:
    text = f"{message['code']}: {message['message']}"
    # By this the functions' lines are found.
    return f"{text} (correlationId {number})" if (number := message.get("correlationId")) else text


def _channels(message: Message) -> str:
    channels = ", ".join(map(str, message["channels"] or ["none"]))
    return f"channels: {channels}; you hear {voice_of(str(message['hears']))}"


def _audience(message: Message, what: str) -> str:
    language, number = message["targetLanguage"], message["listenerCount"]
    return f"a listener in {language} has {what}: {counted(number, 'listener')}"


_SENTENCES: dict[str, Callable[[Message], str]] = {
    "audioQualityWarning": lambda message: f"{message['message']}: {message['recommendation']}",
    "broadcastControl": _state_of,
    "broadcastMuted": lambda _: "the broadcast is muted",
    "broadcastPaused": lambda _: "the broadcast is paused",
    "broadcastResumed": lambda _: "the broadcast goes on",
    "broadcastUnmuted": lambda _: "the broadcast is no longer muted",
    "caption": lambda message: f"[{message['language']}] {' '.join(message['text'].split())}",
    "channelChanged": _channels,
    "connectionRefreshRequired": lambda message: (
        f"the connection will end in {message['expiresIn']} s"
    ),
    "connectionWarning": lambda message: (
        f"the connection will end in {counted(message['remainingMinutes'], 'minute')}"
    ),
    "error": _error,
    "from the gateway": lambda message: f"from the gateway: {message['message']}",
    "interpreterJoined": lambda message: f"an interpreter for {message['language']} has joined",
    "interpreterLeft": lambda message: f"the interpreter for {message['language']} has left",
    "listenerJoined": lambda message: _audience(message, "joined"),
    "listenerLeft": lambda message: _audience(message, "left"),
    "rateLimitWarning": _warning_of_rate,
    "sessionEnded": lambda message: f"the session has ended: {message['reason']}",
    "sessionStatus": _status,
    "speakerStateChanged": lambda message: _state_of(message["broadcastState"]),
    "volumeChanged": lambda message: f"the volume is {message['volumeLevel']:.0%}",
}


def voice_of(channel: str) -> str:
    """Return who is heard in a channel, in words."""
    return "the speaker" if channel == FLOOR else f"the interpreter for {channel}"
