"""Messages with all that a field can be."""

from __future__ import annotations

import enum
from typing import Annotated, ClassVar, Literal

from shared_utils import ClientMessage, Limits, Record, ServerMessage

RoomId = Annotated[str, Limits(pattern="[a-z]+|[0-9]*/", example="billing")]


class Mood(enum.Enum):
    CALM = "calm"
    CROSS = "cross"


class Author(Record):
    """Who wrote it."""

    name: Annotated[str, Limits(min_length=1, max_length=80)]
    age: int | None = None


class Note(Record):
    text: str
    author: Author
    answers: list[Note] = []


class OpenRoom(ClientMessage):
    """Ask for help; ends with */ and says "so"."""

    topic: Literal["bill", "repair"]
    tags: Annotated[list[str], Limits(max_length=5)] = []
    mood: Mood = Mood.CALM


class SendText(ClientMessage):
    action: ClassVar[str] = "text/send"
    max_bytes: ClassVar[int] = 20_000
    roomId: RoomId
    text: Annotated[str, Limits(max_length=500)]
    from_: Author | None = None
    priority: Literal[1, "high", True] | None = None
    sender: str = "a field, no role"


class CloseRoom(ClientMessage):
    """Close it for everyone."""

    roomId: RoomId
    ratings: dict[str, Annotated[float, Limits(minimum=0, maximum=5)]]


class Typing(ClientMessage):
    pass


class TypingMessage(ServerMessage):
    """Somebody types."""

    names: list[str]


class RoomOpenedMessage(ServerMessage):
    roomId: RoomId
    notes: list[Note]
    pinned: Note | None = None
    members: dict[str, Author] = {}


class TextSentMessage(ServerMessage):
    type: ClassVar[str] = "text/sent"
    note: Note
    moods: list[Mood] = []
    also: list[list[int]] | None = None
    action: str = "a field of the server's"


class _Hidden(ServerMessage):
    x: int
