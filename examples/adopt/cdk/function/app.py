"""A WebSocket function with one route: it takes a note, and says how long it is."""

from __future__ import annotations

from typing import Annotated

from shared_utils import ClientMessage, Limits, Request, ServerMessage, WebSocketHandler

handler = WebSocketHandler("Notes")


class AddNote(ClientMessage):
    """What a client sends, as {"action": "addNote", "text": "Hello"}."""

    text: Annotated[str, Limits(min_length=1, max_length=500)]


class NoteAdded(ServerMessage):
    """What it gets, as {"type": "noteAdded", "length": 5}."""

    length: int


@handler.route(AddNote)
def add_note(request: Request[AddNote]) -> NoteAdded:
    """Log it, count it, and reply; a text that is empty or too long does not come here."""
    length = len(request.message.text)
    request.logger.info("Note added", length=length)
    request.metrics.emit_metric("NotesAdded", 1, "Count")
    return NoteAdded(length=length)
