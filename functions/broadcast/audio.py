"""What makes a chunk of audio fit to be passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_utils.error_codes import ErrorCode
from shared_utils.validators import ValidationError, validate_audio_alignment
from shared_utils.websocket_messages import SendAudio

if TYPE_CHECKING:
    from shared_utils.websocket_messages import ClientMessage

__all__ = ["check_chunk"]


def check_chunk(message: ClientMessage) -> SendAudio:
    """Return `message` if it is a chunk of whole samples in a session's default format."""
    if not isinstance(message, SendAudio):
        raise ValidationError(
            f"action must be sendAudio here, got {message.action!r}",
            "action",
            ErrorCode.VALIDATION_INVALID_ACTION,
        )
    validate_audio_alignment(message.num_audio_bytes)
    return message
