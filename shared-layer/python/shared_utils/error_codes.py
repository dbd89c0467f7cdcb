"""The catalogue of error codes, the base for codes of one's own, and the answers made from both.

A code, its HTTP status, its sentence for people and whether a client may retry
stand in one row. A row that cannot be used is refused when its class is declared;
later nothing raises because of what it is given: an unknown code becomes
`INTERNAL_SERVER_ERROR` and is reported through `logging`.
"""

from __future__ import annotations

import logging
import time
from enum import EnumType, StrEnum

from . import _cleaning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self, overload

    _Row = tuple[str, int, str, bool]  # value, HTTP status, sentence, whether to retry

__all__ = [
    "ApplicationError",
    "ErrorCode",
    "ErrorCodeBase",
    "SilentRefusal",
    "ValidationError",
    "error_code_of",
    "error_response",
    "format_error_response",
    "get_error_message",
    "get_http_status",
    "success_response",
    "to_error_code",
]


# Every class with codes by its module and name, `ErrorCode` first. One that is declared again, by
# a reload or a test, takes its own place.
_DECLARED: dict[tuple[str, str], type[ErrorCodeBase]] = {}


class _Catalogue(EnumType):
    """Makes members of rows. `enum` does the same in four times the time, at every cold start."""

    @classmethod
    def __prepare__(cls, name: str, bases: tuple[type, ...], /, **_: Any) -> dict[str, Any]:  # type: ignore[override]
        return {}

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Any:
        rows = {name: body.pop(name) for name in [*body] if _is_row(name, body[name])}
        namespace = super().__prepare__(name, bases)
        namespace.update(body)
        made: Any = super().__new__(cls, name, bases, namespace)
        for name, row in rows.items():
            _check_row(made, name, row)
            _check_is_free(made, name, row)
            _add(made, name, *row)
        if rows:
            _DECLARED[made.__module__, made.__qualname__] = made
        return made


def _is_row(name: str, content: object) -> bool:
    """Return whether a name in a class's body is a code: methods and `__names__` are not."""
    return not (name[0] == name[-1] == "_" or hasattr(type(content), "__get__"))


def _check_row(made: Any, name: str, row: Any) -> None:
    """Raise TypeError naming class and row if the row cannot be used."""
    if not _is_upper_case(name):
        raise _refusal(made, name, ": a code's name is upper-case letters, digits and _")
    if not _is_of_the_form(row):
        wanted = "a value, an HTTP status, a sentence and whether to retry, such as"
        example = f'"{name}", 409, "The room is full", False'
        raise _refusal(made, name, f" must be {wanted} {example}; got {_cleaning.text(row, 100)}")
    if not _is_upper_case(row[0]):
        text = f": a value is upper-case letters, digits and _, got {row[0]!a}"
        raise _refusal(made, name, text)
    if not 400 <= row[1] <= 599:
        text = f": the HTTP status of an error is 400 to 599, got {row[1]}"
        raise _refusal(made, name, text)


def _refusal(made: Any, name: str, text: str) -> TypeError:
    return TypeError(f"{made.__qualname__}.{name}{text}")


def _is_upper_case(name: str) -> bool:
    return name.isascii() and name.isidentifier() and name.isupper() and name[0] != "_"


def _is_of_the_form(row: object) -> bool:
    if type(row) is not tuple or len(row) != 4:
        return False
    value, status, sentence, retryable = row
    texts = type(value) is str and type(sentence) is str and bool(sentence.strip())
    # An `http.HTTPStatus` is an int, and so is True.
    return texts and isinstance(status, int) and status is not True and type(retryable) is bool


def _check_is_free(made: Any, name: str, row: _Row) -> None:
    """Raise TypeError if another code has this value; an equal row in another class is no harm."""
    if row[0] in made._value2member_map_:
        raise _refusal(made, name, f" has the value of {made._value2member_map_[row[0]].name}")
    for where, other in _DECLARED.items():
        taken: Any = other._value2member_map_.get(row[0])
        if taken is None or where == (made.__module__, made.__qualname__):
            continue
        if where[0] == __name__:
            text = f" has a value of ErrorCode's: use ErrorCode.{taken.name}"
            raise _refusal(made, name, text)
        if row[1:] != (taken.status, taken.sentence, taken.retryable):
            text = f" has another row than {'.'.join(where)}.{taken.name}"
            raise _refusal(made, name, text)


def _add(made: Any, name: str, value: str, status: int, sentence: str, retryable: bool) -> None:
    member = str.__new__(made, value)
    member.__dict__.update(
        {"_name_": name, "_value_": value, "__objclass__": made},
        _sort_order_=len(made._member_names_),
        status=int(status),
        sentence=sentence,
        retryable=retryable,
    )
    made._member_names_.append(name)
    made._member_map_[name] = made._value2member_map_[value] = member
    type.__setattr__(made, name, member)


class ErrorCodeBase(StrEnum, metaclass=_Catalogue):
    """The base of a class of codes: a row has value, HTTP status, sentence and whether to retry.

    `class ChatCode(ErrorCodeBase): ROOM_FULL = "ROOM_FULL", 409, "The room is full", False`. A row
    that cannot be used is a TypeError when the class is declared. A member is a `str`, prints
    as its value, and carries its row.
    """

    if TYPE_CHECKING:
        _value_: str
        status: int
        sentence: str
        retryable: bool

        @overload
        def __new__(cls, value: str) -> Self: ...
        @overload
        def __new__(cls, value: str, status: int, sentence: str, retryable: bool) -> Self: ...
        def __new__(cls, value: str, *row: Any, **named: Any) -> Self: ...  # noqa: D102


class ErrorCode(ErrorCodeBase):
    """A code of the system that clients see.

    Raised on `$connect`, a code refuses the connection with its HTTP status: 401 for a caller who is
    not known (`AUTH_MISSING_TOKEN`, `AUTH_TOKEN_INVALID`, `AUTH_TOKEN_EXPIRED`), 403 for one who is
    known and may not (`AUTH_UNAUTHORIZED`, `AUTH_INVALID_ROLE`).
    """

    # fmt: off
    AUTH_UNAUTHORIZED = "AUTH_UNAUTHORIZED", 403, "You are not allowed to do this", False
    AUTH_TOKEN_INVALID = "AUTH_TOKEN_INVALID", 401, "The token is not valid", False
    AUTH_TOKEN_EXPIRED = "AUTH_TOKEN_EXPIRED", 401, "The token has expired", False
    AUTH_MISSING_TOKEN = "AUTH_MISSING_TOKEN", 401, "A token is required", False
    AUTH_INVALID_ROLE = "AUTH_INVALID_ROLE", 403, "Your role does not allow this action", False

    SESSION_NOT_FOUND = "SESSION_NOT_FOUND", 404, "Session not found", False
    SESSION_INACTIVE = "SESSION_INACTIVE", 410, "The session is no longer active", False
    SESSION_EXPIRED = "SESSION_EXPIRED", 410, "The session has expired", False
    SESSION_ALREADY_EXISTS = "SESSION_ALREADY_EXISTS", 409, "The session already exists", False
    SESSION_CREATION_FAILED = "SESSION_CREATION_FAILED", 500, "The session could not be created", True
    SESSION_MAX_LISTENERS_REACHED = "SESSION_MAX_LISTENERS_REACHED", 429, "The session has no room for another listener", True
    SESSION_LANGUAGE_TAKEN = "SESSION_LANGUAGE_TAKEN", 409, "The language has an interpreter already", True
    SESSION_INVALID_ID_FORMAT = "SESSION_INVALID_ID_FORMAT", 400, "The session id is not well-formed", False

    CONNECTION_NOT_FOUND = "CONNECTION_NOT_FOUND", 404, "Connection not found", False
    CONNECTION_TIMEOUT = "CONNECTION_TIMEOUT", 408, "The connection was idle for too long", True
    CONNECTION_CLOSED = "CONNECTION_CLOSED", 410, "The connection is closed", False
    CONNECTION_INVALID = "CONNECTION_INVALID", 400, "The connection is not valid", False
    CONNECTION_REFRESH_REQUIRED = "CONNECTION_REFRESH_REQUIRED", 426, "The connection must be refreshed", False

    AUDIO_INVALID_FORMAT = "AUDIO_INVALID_FORMAT", 400, "The audio format is not supported", False
    AUDIO_CHUNK_TOO_LARGE = "AUDIO_CHUNK_TOO_LARGE", 413, "The audio chunk is too large", False
    AUDIO_CHUNK_TOO_SMALL = "AUDIO_CHUNK_TOO_SMALL", 400, "The audio chunk is too small", False
    AUDIO_INVALID_SAMPLE_RATE = "AUDIO_INVALID_SAMPLE_RATE", 400, "The sample rate is not supported", False
    AUDIO_INVALID_ENCODING = "AUDIO_INVALID_ENCODING", 400, "The audio encoding is not valid", False
    AUDIO_QUALITY_LOW = "AUDIO_QUALITY_LOW", 422, "The audio quality is too low", False
    AUDIO_CLIPPING_DETECTED = "AUDIO_CLIPPING_DETECTED", 422, "The audio is clipping", False
    AUDIO_ECHO_DETECTED = "AUDIO_ECHO_DETECTED", 422, "The audio has an echo", False
    AUDIO_SILENCE_DETECTED = "AUDIO_SILENCE_DETECTED", 422, "The audio is silent", False
    AUDIO_PROCESSING_FAILED = "AUDIO_PROCESSING_FAILED", 500, "The audio could not be processed", True

    VALIDATION_INVALID_LANGUAGE = "VALIDATION_INVALID_LANGUAGE", 400, "The language is not supported", False
    VALIDATION_INVALID_QUALITY_TIER = "VALIDATION_INVALID_QUALITY_TIER", 400, "The quality tier is not valid", False
    VALIDATION_INVALID_ACTION = "VALIDATION_INVALID_ACTION", 400, "The action is not known", False
    VALIDATION_MISSING_PARAMETER = "VALIDATION_MISSING_PARAMETER", 400, "A required field is missing", False
    VALIDATION_INVALID_PARAMETER = "VALIDATION_INVALID_PARAMETER", 400, "A field is not valid", False
    VALIDATION_MESSAGE_TOO_LARGE = "VALIDATION_MESSAGE_TOO_LARGE", 413, "The message is too large", False
    VALIDATION_INVALID_MESSAGE_FORMAT = "VALIDATION_INVALID_MESSAGE_FORMAT", 400, "The message is not well-formed", False

    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED", 429, "Too many requests", True
    RATE_LIMIT_AUDIO_CHUNKS = "RATE_LIMIT_AUDIO_CHUNKS", 429, "Too many audio chunks", True
    RATE_LIMIT_CONTROL_MESSAGES = "RATE_LIMIT_CONTROL_MESSAGES", 429, "Too many control messages", True
    RATE_LIMIT_SESSION_CREATION = "RATE_LIMIT_SESSION_CREATION", 429, "Too many new sessions", True

    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR", 500, "Something went wrong on our side", True
    INTERNAL_DATABASE_ERROR = "INTERNAL_DATABASE_ERROR", 500, "The database could not be reached", True
    INTERNAL_TRANSCRIBE_ERROR = "INTERNAL_TRANSCRIBE_ERROR", 500, "The transcription failed", True
    INTERNAL_TRANSLATION_ERROR = "INTERNAL_TRANSLATION_ERROR", 500, "The translation failed", True
    INTERNAL_POLLY_ERROR = "INTERNAL_POLLY_ERROR", 500, "The speech synthesis failed", True
    INTERNAL_EMOTION_DETECTION_ERROR = "INTERNAL_EMOTION_DETECTION_ERROR", 500, "The emotion detection failed", True
    INTERNAL_CONFIGURATION_ERROR = "INTERNAL_CONFIGURATION_ERROR", 500, "The service is not configured correctly", False
    # fmt: on


def _by_name(rows: dict[ErrorCode, str]) -> dict[str, ErrorCode]:
    return {name: code for code, names in rows.items() for name in names.split()}


# What functions sent before the catalogue existed, and the code that answers now.
_OLDER_SPELLINGS = _by_name(
    {
        ErrorCode.AUTH_MISSING_TOKEN: "UNAUTHORIZED",
        ErrorCode.AUTH_INVALID_ROLE: "UNAUTHORIZED_ACTION",
        ErrorCode.AUTH_UNAUTHORIZED: "FORBIDDEN",
        ErrorCode.VALIDATION_INVALID_ACTION: "INVALID_ACTION",
        ErrorCode.VALIDATION_INVALID_MESSAGE_FORMAT: "INVALID_MESSAGE",
        ErrorCode.VALIDATION_INVALID_PARAMETER: (
            "INVALID_PARAMETER INVALID_PARAMETERS INVALID_EVENT_TYPE INVALID_CONFIGURATION"
        ),
        ErrorCode.VALIDATION_MISSING_PARAMETER: (
            "MISSING_PARAMETER MISSING_ACTION MISSING_SESSION_ID MISSING_TARGET_LANGUAGE"
        ),
        ErrorCode.SESSION_INVALID_ID_FORMAT: "INVALID_SESSION_ID",
        ErrorCode.VALIDATION_INVALID_LANGUAGE: "INVALID_TARGET_LANGUAGE UNSUPPORTED_LANGUAGE",
        ErrorCode.SESSION_MAX_LISTENERS_REACHED: "SESSION_FULL",
        ErrorCode.INTERNAL_DATABASE_ERROR: "DB_WRITE_FAILED",
        ErrorCode.INTERNAL_SERVER_ERROR: "INTERNAL_ERROR SERVICE_UNAVAILABLE",
    }
)

_MAX_UNKNOWN_CHARS = 64


def to_error_code(code: object) -> ErrorCodeBase:
    """Return the member for a code, its string or an older spelling of it.

    A string is looked up in `ErrorCode`, then in the classes of one's own, then in the older
    spellings. Anything else is `INTERNAL_SERVER_ERROR`, with a warning that names what came.
    """
    if issubclass(type(code), ErrorCodeBase):
        return code  # type: ignore[return-value]
    found = _by_spelling(code) if type(code) is str else None
    return found or _report_unknown(code)


def _by_spelling(spelling: str) -> ErrorCodeBase | None:
    for declared in [*_DECLARED.values()]:
        member = declared._value2member_map_.get(spelling)
        if member is not None:
            return member  # type: ignore[return-value]
    return _OLDER_SPELLINGS.get(spelling)


def _report_unknown(code: object) -> ErrorCodeBase:
    try:
        spelling = str.__str__(code) if isinstance(code, str) else type(code).__name__
        known = _by_spelling(spelling)
        if known is not None:  # a str subclass, such as another enum, by its value
            return known
        logging.getLogger(__name__).warning("Unknown error code %a", spelling[:_MAX_UNKNOWN_CHARS])
    except Exception:  # a reply must survive a broken `__str__` or log handler
        pass
    return ErrorCode.INTERNAL_SERVER_ERROR


class ApplicationError(Exception):
    """An error that a client may see: a code, a sentence for people, and optional details.

    The one root of what the layer raises. `message` and `details` reach the client,
    so neither may hold a payload, a token or audio.
    """

    def __init__(
        self,
        code: ErrorCodeBase | str,
        message: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, message, details)
        self.code = to_error_code(code)
        self.message = self.code.sentence if message is None else message
        self.details = details

    def __str__(self) -> str:
        return self.message


class ValidationError(ApplicationError):
    """A value from outside that is refused: `field` names it, `message` says what was wanted."""

    def __init__(
        self,
        message: str,
        field: str | None = None,
        code: ErrorCodeBase | str = ErrorCode.VALIDATION_INVALID_PARAMETER,
    ) -> None:
        super().__init__(code, message, None if field is None else {"field": field})
        self.args = (message, field, code)
        self.field = field


class SilentRefusal(ApplicationError):  # noqa: N818
    """What `WebSocketHandler` refuses without a reply, and without a line unless `logged`: a flood.

    Raise it wherever an event may be refused; no exception handler is asked. A client sees the
    status of `code`, below 500, on `$connect` and nowhere else. Count it in the handler's
    `windowed_metrics`, which sums: a metric of `metrics` waits for the next line.
    """

    def __init__(
        self,
        code: ErrorCodeBase | str = ErrorCode.RATE_LIMIT_EXCEEDED,
        message: str | None = None,
        *,
        logged: bool = False,
    ) -> None:
        super().__init__(code, message)
        self.args = (code, message)
        self.logged = logged


def get_http_status(code: ErrorCodeBase | str) -> int:
    """Return the HTTP status that belongs to `code`."""
    return to_error_code(code).status


def get_error_message(code: ErrorCodeBase | str) -> str:
    """Return the sentence for people that belongs to `code`."""
    return to_error_code(code).sentence


def format_error_response(
    error_code: ErrorCodeBase | str,
    details: Mapping[str, Any] | None = None,
    correlation_id: str | None = None,
    *,
    message: str | None = None,
    request_id: str | None = None,
) -> dict[str, Any]:
    """Return the `error` message for a client, ready for `json.dumps`.

    `timestamp` is in milliseconds since the epoch. `message` replaces the code's own
    sentence; `details` are made JSON-safe, bounded and redacted; absent parts are absent.
    """
    code = to_error_code(error_code)
    reply: dict[str, Any] = {
        "type": "error",
        "code": code._value_,
        "message": code.sentence if message is None else _cleaning.text(message),
        "timestamp": time.time_ns() // 1_000_000,
        "retryable": code.retryable,
    }
    parts = {
        "details": _cleaning.clean(details),
        "correlationId": None if correlation_id is None else _cleaning.text(correlation_id),
        "requestId": None if request_id is None else _cleaning.text(request_id),
    }
    # Emptiness is asked of the safe copies: a foreign object may raise even then.
    reply.update({name: part for name, part in parts.items() if part})
    return reply


def success_response(status_code: int = 200, body: object = None) -> dict[str, Any]:
    """Return a Lambda proxy result; `body` is sent as JSON text, or left out when `None`."""
    response: dict[str, Any] = {"statusCode": status_code}
    if body is not None:
        response["body"] = body if issubclass(type(body), str) else _cleaning.json_text(body)
    return response


def error_response(
    error_code: ErrorCodeBase | str,
    details: Mapping[str, Any] | None = None,
    correlation_id: str | None = None,
    *,
    message: str | None = None,
    request_id: str | None = None,
) -> dict[str, Any]:
    """Return a Lambda proxy result with the code's HTTP status and the `error` message as body."""
    code = to_error_code(error_code)
    reply = format_error_response(
        code, details, correlation_id, message=message, request_id=request_id
    )
    return {"statusCode": code.status, "body": _cleaning.json_text(reply)}


# Error codes of the AWS services as botocore's `ClientError` carries them, one row a meaning:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
# and the apigatewaymanagementapi service model.
_AWS_CODES = {
    ErrorCode.RATE_LIMIT_EXCEEDED: (
        "LimitExceededException ProvisionedThroughputExceededException RequestLimitExceeded "
        "RequestThrottled RequestThrottledException SlowDown Throttling ThrottlingException "
        "ThrottledException TooManyRequestsException TransactionInProgressException 429"
    ),
    ErrorCode.CONNECTION_CLOSED: "GoneException 410",
    ErrorCode.VALIDATION_MESSAGE_TOO_LARGE: "PayloadTooLargeException RequestEntityTooLargeException 413",
    ErrorCode.INTERNAL_CONFIGURATION_ERROR: (
        "AccessDenied AccessDeniedException ExpiredToken ExpiredTokenException ForbiddenException "
        "IncompleteSignature InvalidClientTokenId InvalidSignatureException MissingAuthenticationToken "
        "MissingAuthenticationTokenException NotAuthorized ResourceNotFoundException "
        "SignatureDoesNotMatch UnauthorizedOperation UnrecognizedClientException 403"
    ),
}
_BY_AWS_CODE = _by_name(_AWS_CODES)

# botocore's own exceptions that mean "this function is set up wrongly", not "the service is slow".
_CONFIGURATION_FAULTS = (
    "NoCredentialsError PartialCredentialsError CredentialRetrievalError NoRegionError"
    " InvalidRegionError ProfileNotFound ParamValidationError UnknownServiceError"
    " InvalidEndpointConfigurationError"
).split()

# What tells a service's failures apart: a label of its endpoint's host, or the operation's name.
# `ddb` stands in an account's own endpoint, `<account>.ddb.<region>`.
_BY_SERVICE = _by_name(
    {
        ErrorCode.INTERNAL_DATABASE_ERROR: (
            "dynamodb ddb BatchGetItem BatchWriteItem DeleteItem ExecuteStatement GetItem PutItem"
            " Query Scan TransactGetItems TransactWriteItems UpdateItem"
        ),
        ErrorCode.INTERNAL_TRANSCRIBE_ERROR: (
            "transcribe transcribestreaming StartStreamTranscription"
        ),
        ErrorCode.INTERNAL_TRANSLATION_ERROR: "translate TranslateText",
        ErrorCode.INTERNAL_POLLY_ERROR: "polly SynthesizeSpeech",
        ErrorCode.INTERNAL_EMOTION_DETECTION_ERROR: "comprehend DetectSentiment",
    }
)


def error_code_of(error: object) -> ErrorCodeBase:
    """Return the code for an exception: its own, the one its botocore shape means, or INTERNAL_SERVER_ERROR.

    botocore is recognised by shape (`response["Error"]["Code"]`, `kwargs["endpoint_url"]`,
    class names), so it need not be installed. A failed condition is a concurrent change that the
    function did not expect, hence INTERNAL_DATABASE_ERROR, which a client may retry.
    """
    try:
        return error.code if isinstance(error, ApplicationError) else _code_by_shape(error)
    except Exception:  # attributes of a foreign object may be properties that raise
        return ErrorCode.INTERNAL_SERVER_ERROR


def _code_by_shape(error: object) -> ErrorCode:
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        aws_code = str((response.get("Error") or {}).get("Code"))
        status = str((response.get("ResponseMetadata") or {}).get("HTTPStatusCode"))
        operation = str(getattr(error, "operation_name", None))
        return (
            _BY_AWS_CODE.get(aws_code)
            or _BY_SERVICE.get(operation)
            or _BY_AWS_CODE.get(status)
            or ErrorCode.INTERNAL_SERVER_ERROR
        )
    if type(error).__name__ in _CONFIGURATION_FAULTS:
        return ErrorCode.INTERNAL_CONFIGURATION_ERROR
    kwargs = getattr(error, "kwargs", None)
    if isinstance(kwargs, dict):
        host = str(kwargs.get("endpoint_url")).partition("//")[2].partition("/")[0]
        for label in host.replace("-fips.", ".").split("."):
            if label in _BY_SERVICE:
                return _BY_SERVICE[label]
    return ErrorCode.INTERNAL_SERVER_ERROR
