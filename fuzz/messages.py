"""Reading messages: nothing but ValidationError, and what is written is read as it was.

The audio message has a way of its own around its audio; it is compared with the plain one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fuzz.draws import PLANTED, Draws
from fuzz.judging import strictly_read
from shared_utils._values import MAX_MESSAGE_BYTES
from shared_utils.error_codes import ErrorCode, ValidationError, format_error_response
from shared_utils.records import Record, example, read_object
from shared_utils.websocket_messages import (
    CLIENT_MESSAGES,
    SERVER_MESSAGES,
    parse_message,
    parse_server_message,
    validate_message,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["try_input"]

_MAX_ERROR_CHARS = 2000
_TAGS: dict[Any, str] = {parse_message: "action", parse_server_message: "type"}
_EXAMPLES: dict[Any, dict[str, Any]] = {
    parse: {tag: example(cls).to_dict() for tag, cls in classes.items()}
    for parse, classes in (
        (parse_message, CLIENT_MESSAGES),
        (parse_server_message, SERVER_MESSAGES),
    )
}
_SECRET_FIELDS = ("refreshToken", "audioData", "newConnectionUrl")


def try_input(data: bytes) -> None:
    """Read what the bytes are, or a message with some fields changed."""
    draws = Draws(data)
    draws.pick((_try_text, _try_changed, _try_any))(draws)


def _try_text(draws: Draws) -> None:
    body = draws.rest()
    _check(parse_message, body)
    text = body.decode("utf-8", "replace")
    _check_text(parse_message, text)
    _check_text(parse_server_message, text)


def _try_changed(draws: Draws) -> None:
    """Try an example with fields replaced, taken out and added."""
    parse: Any = draws.pick((parse_message, parse_server_message))
    examples = _EXAMPLES[parse]
    message = dict(examples[draws.pick(list(examples))])
    draw = draws.json if draws.flag() else draws.value
    for _ in range(draws.up_to(4)):
        name = draws.pick([*message, *_SECRET_FIELDS, "requestId", "other"])
        kind = draws.up_to(3)
        if kind == 0:
            message.pop(name, None)
        elif kind == 1 and name in _SECRET_FIELDS:
            message[name] = f"{draws.text()}{PLANTED}{draws.text()}"
        else:
            message[name] = draw()
    _check(parse, message)
    text = _written(message)
    if text is not None:
        _check_text(parse, text)


def _try_any(draws: Draws) -> None:
    """Try what is no text and no message: any value, and events around it."""
    parse = draws.pick((parse_message, parse_server_message))
    value = draws.value()
    _check(parse, value)
    _check(parse, {"requestContext": draws.value(), "body": value})
    _check(parse, {"body": value, "isBase64Encoded": draws.value()})


def _written(message: dict[str, Any]) -> str | None:
    import json

    try:
        return json.dumps(message)
    except (TypeError, ValueError, RecursionError):
        return None


def _check_text(parse: Callable[[Any], Record], text: str) -> None:
    """Compare what is read from a text with what is read from the object in it."""
    found = _check(parse, text)
    if isinstance(found, ValidationError) and found.code is ErrorCode.VALIDATION_MESSAGE_TOO_LARGE:
        return
    try:
        plain = read_object(text)
    except ValidationError:
        assert isinstance(found, ValidationError), "a text that holds no object is read"
        return
    if _TAGS[parse] not in plain:  # it is an event, or none of ours
        return
    other = _check(parse, plain)
    assert type(found) is type(other), "a text and the object in it are read differently"
    if isinstance(found, ValidationError):
        assert isinstance(other, ValidationError)
        assert (found.message, found.field) == (other.message, other.field), "they differ"
    else:
        assert found == other, "a text and the object in it are different messages"


def _check(parse: Callable[[Any], Record], source: Any) -> Record | ValidationError:
    """Read a message; whatever comes of it has to be in order."""
    try:
        found = parse(source)
    except ValidationError as error:
        _check_error(error)
        if parse is parse_message:
            assert validate_message(source) == (False, error.message), "it does not say the same"
        return error
    if len(found.to_json()) > MAX_MESSAGE_BYTES:  # a dict may be larger than a message
        return found
    again = parse(found.to_json())
    if (
        getattr(found, "details", None) is None
    ):  # these are cut to what there is room for, each time
        assert again == found, "what is written is read as something else"
        assert again.to_json() == found.to_json(), "what is written is written differently"
        assert type(found).from_dict(found.to_dict()) == found, "its dict is something else"
    strictly_read(found.to_json())
    assert PLANTED not in repr(found), "a secret is shown"
    if parse is parse_message:
        assert validate_message(source) == (True, None), "it is refused"
    return found


def _check_error(error: ValidationError) -> None:
    """Ask of an error what its sender may see of it."""
    assert 400 <= error.code.status < 500, "it is no mistake of the client's"
    assert len(error.message) <= _MAX_ERROR_CHARS, "it is too long"
    assert error.field is None or isinstance(error.field, str), "its field is no text"
    reply = format_error_response(error.code, error.details, message=error.message)
    from shared_utils._json import encode

    shown = encode(reply)
    strictly_read(shown)
    assert PLANTED not in shown, "a secret is shown"
