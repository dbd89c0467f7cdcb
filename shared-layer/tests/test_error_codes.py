"""The catalogue row by row, the answers made from it, and what foreign errors mean."""

import ast
import copy
import inspect
import json
import logging
import pickle
import time
from decimal import Decimal
from enum import Enum, StrEnum
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_utils import error_codes as module
from shared_utils.error_codes import (
    ApplicationError,
    ErrorCode,
    ErrorCodeBase,
    SilentRefusal,
    ValidationError,
    error_code_of,
    error_response,
    format_error_response,
    get_error_message,
    get_http_status,
    success_response,
    to_error_code,
)

# --- the catalogue ----------------------------------------------------------------------------

# The contract's rows, in its order. Who adds a code needs none here: every test over `ErrorCode` has it.
ROWS = [
    ("AUTH_UNAUTHORIZED", 403, False),
    ("AUTH_TOKEN_INVALID", 401, False),
    ("AUTH_TOKEN_EXPIRED", 401, False),
    ("AUTH_MISSING_TOKEN", 401, False),
    ("AUTH_INVALID_ROLE", 403, False),
    ("SESSION_NOT_FOUND", 404, False),
    ("SESSION_INACTIVE", 410, False),
    ("SESSION_EXPIRED", 410, False),
    ("SESSION_ALREADY_EXISTS", 409, False),
    ("SESSION_CREATION_FAILED", 500, True),
    ("SESSION_MAX_LISTENERS_REACHED", 429, True),
    ("SESSION_INVALID_ID_FORMAT", 400, False),
    ("CONNECTION_NOT_FOUND", 404, False),
    ("CONNECTION_TIMEOUT", 408, True),
    ("CONNECTION_CLOSED", 410, False),
    ("CONNECTION_INVALID", 400, False),
    ("CONNECTION_REFRESH_REQUIRED", 426, False),
    ("AUDIO_INVALID_FORMAT", 400, False),
    ("AUDIO_CHUNK_TOO_LARGE", 413, False),
    ("AUDIO_CHUNK_TOO_SMALL", 400, False),
    ("AUDIO_INVALID_SAMPLE_RATE", 400, False),
    ("AUDIO_INVALID_ENCODING", 400, False),
    ("AUDIO_QUALITY_LOW", 422, False),
    ("AUDIO_CLIPPING_DETECTED", 422, False),
    ("AUDIO_ECHO_DETECTED", 422, False),
    ("AUDIO_SILENCE_DETECTED", 422, False),
    ("AUDIO_PROCESSING_FAILED", 500, True),
    ("VALIDATION_INVALID_LANGUAGE", 400, False),
    ("VALIDATION_INVALID_QUALITY_TIER", 400, False),
    ("VALIDATION_INVALID_ACTION", 400, False),
    ("VALIDATION_MISSING_PARAMETER", 400, False),
    ("VALIDATION_INVALID_PARAMETER", 400, False),
    ("VALIDATION_MESSAGE_TOO_LARGE", 413, False),
    ("VALIDATION_INVALID_MESSAGE_FORMAT", 400, False),
    ("RATE_LIMIT_EXCEEDED", 429, True),
    ("RATE_LIMIT_AUDIO_CHUNKS", 429, True),
    ("RATE_LIMIT_CONTROL_MESSAGES", 429, True),
    ("RATE_LIMIT_SESSION_CREATION", 429, True),
    ("INTERNAL_SERVER_ERROR", 500, True),
    ("INTERNAL_DATABASE_ERROR", 500, True),
    ("INTERNAL_TRANSCRIBE_ERROR", 500, True),
    ("INTERNAL_TRANSLATION_ERROR", 500, True),
    ("INTERNAL_POLLY_ERROR", 500, True),
    ("INTERNAL_EMOTION_DETECTION_ERROR", 500, True),
    ("INTERNAL_CONFIGURATION_ERROR", 500, False),
]


def test_the_catalogue_has_the_contracts_rows():
    rows = [(code.value, code.status, code.retryable) for code in ErrorCode]
    of_contract = {value for value, _, _ in ROWS}

    assert [row for row in rows if row[0] in of_contract] == ROWS


@pytest.mark.parametrize("code", ErrorCode)
def test_code_has_a_sentence_for_people(code):
    assert code.sentence[0].isupper()
    assert 10 <= len(code.sentence) <= 60
    assert code.name not in code.sentence


def test_sentences_differ():
    assert len({code.sentence for code in ErrorCode}) == len(ErrorCode)


def test_code_is_a_string_and_prints_as_its_value():
    code = ErrorCode.SESSION_NOT_FOUND

    assert isinstance(code, str)
    assert code == code.name == code.value == "SESSION_NOT_FOUND"
    assert f"{code}" == str(code) == "%s" % code == "SESSION_NOT_FOUND"  # noqa: UP031
    assert f"{code:>20}" == "   SESSION_NOT_FOUND"
    assert json.dumps({"code": code}) == '{"code": "SESSION_NOT_FOUND"}'


def test_code_is_one_object_whatever_happens_to_it():
    code = ErrorCode.CONNECTION_TIMEOUT

    assert pickle.loads(pickle.dumps(code)) is code  # noqa: S301 - our own bytes
    assert copy.deepcopy(code) is code
    assert ErrorCode("CONNECTION_TIMEOUT") is code
    assert ErrorCode["CONNECTION_TIMEOUT"] is code


def rows_of_the_source():
    """Return the names that the class assigns, in their order."""
    body = next(
        node.body
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.ClassDef) and node.name == "ErrorCode"
    )
    return [ast.unparse(node.targets[0]) for node in body if isinstance(node, ast.Assign)]


def test_catalogue_is_what_enum_would_make_of_it():
    """Its members are not made by `enum`, so all that `enum` promises is compared."""
    same = StrEnum("ErrorCode", [(name, name) for name in rows_of_the_source()])

    assert issubclass(ErrorCode, StrEnum)
    assert [*ErrorCode] == [*same]
    assert [*reversed(ErrorCode)] == [*reversed(same)]
    assert [*ErrorCode.__members__] == [*same.__members__]
    assert [*map(repr, ErrorCode)] == [*map(repr, same)]
    assert [*map(hash, ErrorCode)] == [*map(hash, same)]
    assert [*map(len, ErrorCode)] == [*map(len, same)]
    assert repr(ErrorCode) == repr(same)
    assert {*dir(same)} <= {*dir(ErrorCode)}
    assert len(ErrorCode) == len(same)
    assert ErrorCode.SESSION_NOT_FOUND in ErrorCode
    assert same.SESSION_NOT_FOUND not in [ErrorCode.SESSION_EXPIRED]
    assert vars(ErrorCode.SESSION_EXPIRED).keys() - vars(same.SESSION_EXPIRED).keys() == {
        *("status", "sentence", "retryable")
    }


def test_code_can_be_matched():
    match ErrorCode("SESSION_EXPIRED"):
        case ErrorCode.SESSION_INACTIVE:
            found = "inactive"
        case ErrorCode.SESSION_EXPIRED:
            found = "expired"

    assert found == "expired"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda: ErrorCode("NOTHING"), ValueError, "'NOTHING' is not a valid ErrorCode"),
        (lambda: ErrorCode["NOTHING"], KeyError, "'NOTHING'"),
        (lambda: setattr(ErrorCode, "SESSION_EXPIRED", 1), AttributeError, "reassign member"),
        (lambda: delattr(ErrorCode, "SESSION_EXPIRED"), AttributeError, "delete member"),
        (lambda: type(ErrorCode)("More", (ErrorCode,), {}), TypeError, "cannot extend"),
    ],
)
def test_catalogue_is_closed(change, error, message):
    with pytest.raises(error, match=message):
        change()


# --- codes of one's own -----------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _only_the_catalogue(monkeypatch):
    """Forget after each test the classes that it declares."""
    monkeypatch.setattr(module, "_DECLARED", module._DECLARED.copy())


def declared(rows, name="ChatCode"):
    """Return a class with these rows, as a `class` statement in this module makes it."""
    body = {"__module__": __name__, "__qualname__": name, **rows}
    return type(ErrorCodeBase)(name, (ErrorCodeBase,), body)


FULL = ("ROOM_FULL", 409, "The room is full", False)


@pytest.fixture
def chat():
    class ChatCode(ErrorCodeBase):
        """Codes of a chat."""

        ROOM_FULL = "ROOM_FULL", 409, "The room is full", False
        BOT_DOWN = "BOT_DOWN", HTTPStatus.SERVICE_UNAVAILABLE, "The bot is down", True

        @property
        def page(self):
            return f"https://example.com/{self}"

    return ChatCode


def test_code_of_ones_own_carries_its_row(chat):
    rows = [(code.name, code.value, code.status, code.sentence, code.retryable) for code in chat]

    assert rows == [
        ("ROOM_FULL", "ROOM_FULL", 409, "The room is full", False),
        ("BOT_DOWN", "BOT_DOWN", 503, "The bot is down", True),
    ]
    assert type(chat.BOT_DOWN.status) is int
    assert chat.ROOM_FULL.page == "https://example.com/ROOM_FULL"
    assert chat("ROOM_FULL") is chat["ROOM_FULL"] is chat.ROOM_FULL
    assert str(chat.ROOM_FULL) == chat.ROOM_FULL == "ROOM_FULL"


def test_catalogue_is_a_class_of_codes_like_any_other():
    assert issubclass(ErrorCode, ErrorCodeBase)
    assert [*ErrorCodeBase] == []


def test_code_of_ones_own_is_taken_wherever_the_catalogues_is(chat, caplog):
    code = chat.ROOM_FULL

    assert (get_http_status(code), get_error_message(code)) == (409, "The room is full")
    assert format_error_response(code)["code"] == "ROOM_FULL"
    assert error_response(code)["statusCode"] == 409
    assert error_code_of(ApplicationError(code)) is code
    assert ValidationError("no", "room", code).code is code
    assert str(ApplicationError(code)) == "The room is full"
    assert caplog.records == []


@pytest.mark.parametrize("member", [str, lambda text: StrEnum("Other", {"X": text}).X])
def test_code_of_ones_own_is_found_by_its_text(chat, member, caplog):
    assert to_error_code(member("ROOM_FULL")) is chat.ROOM_FULL
    assert caplog.records == []


def test_catalogue_is_asked_before_classes_and_classes_before_older_spellings():
    own = declared({"SESSION_FULL": ("SESSION_FULL", 409, "The quiz is full", False)})

    assert to_error_code("SESSION_FULL") is own.SESSION_FULL
    assert to_error_code("SESSION_EXPIRED") is ErrorCode.SESSION_EXPIRED
    assert to_error_code("SERVICE_UNAVAILABLE") is ErrorCode.INTERNAL_SERVER_ERROR


def test_value_may_differ_from_the_name_and_is_what_counts(caplog):
    own = declared({"FULL": FULL})

    assert to_error_code("ROOM_FULL") is own.FULL
    assert to_error_code("FULL") is ErrorCode.INTERNAL_SERVER_ERROR
    assert caplog.messages == ["Unknown error code 'FULL'"]


def test_class_without_codes_is_a_base_for_others():
    base = declared({"page": property(lambda self: f"/{self}")}, "TeamCode")

    own = type(base)("ChatCode", (base,), {"__module__": __name__, "ROOM_FULL": FULL})

    assert own.ROOM_FULL.page == "/ROOM_FULL"


def test_two_classes_may_have_an_equal_row():
    first = declared({"ROOM_FULL": FULL})
    declared({"ROOM_FULL": FULL}, "QuizCode")

    assert to_error_code("ROOM_FULL") is first.ROOM_FULL


def test_class_that_is_declared_again_replaces_its_former_self(caplog):
    before = declared({"ROOM_FULL": FULL, "BANNED": ("BANNED", 403, "You are banned", False)})
    after = declared({"ROOM_FULL": ("ROOM_FULL", 429, "Try another room", True)})

    assert to_error_code("ROOM_FULL") is after.ROOM_FULL
    assert to_error_code("BANNED") is ErrorCode.INTERNAL_SERVER_ERROR
    assert to_error_code(before.BANNED) is before.BANNED
    assert caplog.messages == ["Unknown error code 'BANNED'"]


FORM = (
    "ChatCode.ROOM_FULL must be a value, an HTTP status, a sentence and whether to retry, such as"
    ' "ROOM_FULL", 409, "The room is full", False; got '
)


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        pytest.param("ROOM_FULL", "ROOM_FULL", id="text"),
        pytest.param(409, "409", id="number"),
        pytest.param(FULL[:3], '["ROOM_FULL",409,"The room is full"]', id="three"),
        pytest.param((*FULL, 1), '["ROOM_FULL",409,"The room is full",false,1]', id="five"),
        pytest.param([*FULL], '["ROOM_FULL",409,"The room is full",false]', id="list"),
        pytest.param((5, 409, "Full", False), '[5,409,"Full",false]', id="value-is-no-text"),
        pytest.param(("A", "409", "Full", False), '["A","409","Full",false]', id="status-is-text"),
        pytest.param(("A", 409.0, "Full", False), '["A",409.0,"Full",false]', id="status-is-float"),
        pytest.param(("A", True, "Full", False), '["A",true,"Full",false]', id="status-is-bool"),
        pytest.param(("A", 409, None, False), '["A",409,null,false]', id="no-sentence"),
        pytest.param(("A", 409, " ", False), '["A",409," ",false]', id="blank-sentence"),
        pytest.param(("A", 409, "Full", 0), '["A",409,"Full",0]', id="retry-is-a-number"),
    ],
)
def test_row_of_another_form_is_refused(row, shown):
    with pytest.raises(TypeError) as caught:
        declared({"ROOM_FULL": row})

    assert str(caught.value) == FORM + shown


NAME = "upper-case letters, digits and _"


@pytest.mark.parametrize(
    ("name", "row", "text"),
    [
        pytest.param("room_full", FULL, f"room_full: a code's name is {NAME}", id="lower-case"),
        pytest.param("Room", FULL, f"Room: a code's name is {NAME}", id="mixed"),
        pytest.param("_ROOM", FULL, f"_ROOM: a code's name is {NAME}", id="underscore"),
        pytest.param("RÄUME", FULL, f"RÄUME: a code's name is {NAME}", id="accent"),
        pytest.param("limit", 500, f"limit: a code's name is {NAME}", id="constant"),
        pytest.param(
            "FULL", ("full", *FULL[1:]), f"FULL: a value is {NAME}, got 'full'", id="value-lower"
        ),
        pytest.param(
            "FULL", ("A B", *FULL[1:]), f"FULL: a value is {NAME}, got 'A B'", id="value-space"
        ),
        pytest.param("FULL", ("", *FULL[1:]), f"FULL: a value is {NAME}, got ''", id="value-empty"),
        pytest.param(
            "FULL", ("1A", *FULL[1:]), f"FULL: a value is {NAME}, got '1A'", id="value-digit-first"
        ),
        pytest.param(
            "FULL", ("A\n", *FULL[1:]), f"FULL: a value is {NAME}, got 'A\\n'", id="value-line-end"
        ),
        pytest.param(
            "ROOM_FULL",
            ("ROOM_FULL", 399, "Full", False),
            "ROOM_FULL: the HTTP status of an error is 400 to 599, got 399",
            id="status-399",
        ),
        pytest.param(
            "ROOM_FULL",
            ("ROOM_FULL", 600, "Full", False),
            "ROOM_FULL: the HTTP status of an error is 400 to 599, got 600",
            id="status-600",
        ),
        pytest.param(
            "GONE",
            ("SESSION_EXPIRED", 410, "Gone", False),
            "GONE has a value of ErrorCode's: use ErrorCode.SESSION_EXPIRED",
            id="the-catalogues",
        ),
        pytest.param(
            "SESSION_EXPIRED",
            ("SESSION_EXPIRED", 410, "The session has expired", False),
            "SESSION_EXPIRED has a value of ErrorCode's: use ErrorCode.SESSION_EXPIRED",
            id="the-catalogues-row",
        ),
    ],
)
def test_row_that_cannot_be_used_is_refused(name, row, text):
    with pytest.raises(TypeError) as caught:
        declared({name: row})

    assert str(caught.value) == f"ChatCode.{text}"


@pytest.mark.parametrize("status", [400, 599])
def test_status_at_the_edge_is_taken(status):
    own = declared({"ROOM_FULL": ("ROOM_FULL", status, "Full", False)})

    assert own.ROOM_FULL.status == status


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(("ROOM_FULL", 410, "The room is full", False), id="status"),
        pytest.param(("ROOM_FULL", 409, "The room is full.", False), id="sentence"),
        pytest.param(("ROOM_FULL", 409, "The room is full", True), id="retryable"),
    ],
)
def test_value_of_another_class_with_another_row_is_refused(row, caplog):
    first = declared({"ROOM_FULL": FULL}, "QuizCode")

    with pytest.raises(TypeError) as caught:
        declared({"FULL": row})

    assert str(caught.value) == f"ChatCode.FULL has another row than {__name__}.QuizCode.ROOM_FULL"
    assert to_error_code("ROOM_FULL") is first.ROOM_FULL


def test_two_rows_of_one_class_with_one_value_are_refused():
    with pytest.raises(TypeError, match=r"^ChatCode\.B has the value of ROOM_FULL$"):
        declared({"ROOM_FULL": FULL, "B": FULL})


def test_class_that_was_refused_is_not_asked(caplog):
    with pytest.raises(TypeError):
        declared({"ROOM_FULL": FULL, "room": FULL})

    assert to_error_code("ROOM_FULL") is ErrorCode.INTERNAL_SERVER_ERROR
    assert caplog.messages == ["Unknown error code 'ROOM_FULL'"]


class ForumCode(ErrorCodeBase):
    THREAD_CLOSED = "THREAD_CLOSED", 403, "The thread is closed", False


def test_code_of_ones_own_is_one_object_whatever_happens_to_it():
    code = ForumCode.THREAD_CLOSED

    assert pickle.loads(pickle.dumps(code)) is code  # noqa: S301 - our own bytes
    assert copy.deepcopy(code) is code


# --- codes given as strings -------------------------------------------------------------------


@pytest.mark.parametrize("code", ErrorCode)
def test_code_is_found_by_member_and_by_string(code, caplog):
    assert to_error_code(code) is code
    assert to_error_code(str(code.value)) is code
    assert caplog.records == []


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        ("UNAUTHORIZED", "AUTH_MISSING_TOKEN"),
        ("UNAUTHORIZED_ACTION", "AUTH_INVALID_ROLE"),
        ("FORBIDDEN", "AUTH_UNAUTHORIZED"),
        ("INVALID_ACTION", "VALIDATION_INVALID_ACTION"),
        ("INVALID_MESSAGE", "VALIDATION_INVALID_MESSAGE_FORMAT"),
        ("INVALID_PARAMETER", "VALIDATION_INVALID_PARAMETER"),
        ("INVALID_PARAMETERS", "VALIDATION_INVALID_PARAMETER"),
        ("INVALID_EVENT_TYPE", "VALIDATION_INVALID_PARAMETER"),
        ("INVALID_CONFIGURATION", "VALIDATION_INVALID_PARAMETER"),
        ("MISSING_PARAMETER", "VALIDATION_MISSING_PARAMETER"),
        ("MISSING_ACTION", "VALIDATION_MISSING_PARAMETER"),
        ("MISSING_SESSION_ID", "VALIDATION_MISSING_PARAMETER"),
        ("MISSING_TARGET_LANGUAGE", "VALIDATION_MISSING_PARAMETER"),
        ("INVALID_SESSION_ID", "SESSION_INVALID_ID_FORMAT"),
        ("INVALID_TARGET_LANGUAGE", "VALIDATION_INVALID_LANGUAGE"),
        ("UNSUPPORTED_LANGUAGE", "VALIDATION_INVALID_LANGUAGE"),
        ("SESSION_FULL", "SESSION_MAX_LISTENERS_REACHED"),
        ("DB_WRITE_FAILED", "INTERNAL_DATABASE_ERROR"),
        ("INTERNAL_ERROR", "INTERNAL_SERVER_ERROR"),
        ("SERVICE_UNAVAILABLE", "INTERNAL_SERVER_ERROR"),
    ],
)
def test_older_spelling_is_answered_with_the_code_of_today(spelling, code, caplog):
    found = to_error_code(spelling)

    assert found is ErrorCode[code]
    assert caplog.records == []


@pytest.mark.parametrize(
    "member",
    [
        Enum("Codes", {"GONE": "SESSION_NOT_FOUND"}, type=str).GONE,
        StrEnum("Codes", {"GONE": "SESSION_NOT_FOUND"}).GONE,
    ],
    ids=["mixed-in", "str-enum"],
)
def test_another_text_enum_is_read_by_its_value(member, caplog):
    assert to_error_code(member) is ErrorCode.SESSION_NOT_FOUND
    assert caplog.records == []


class Unprintable(str):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __hash__ = __eq__ = __str__


class Hostile:
    """Whatever is asked of it raises."""

    def explode(self, *_args):
        raise RuntimeError("a foreign method ran")

    __class__ = property(explode)
    __repr__ = __str__ = __eq__ = __hash__ = __bool__ = __len__ = __iter__ = explode
    __getattr__ = __getitem__ = __format__ = explode


@pytest.mark.parametrize(
    ("code", "logged"),
    [
        pytest.param("NO_SUCH_CODE", "Unknown error code 'NO_SUCH_CODE'", id="unknown"),
        pytest.param(
            "session_not_found", "Unknown error code 'session_not_found'", id="lower-case"
        ),
        pytest.param("", "Unknown error code ''", id="empty"),
        pytest.param("X" * 65, "Unknown error code '" + "X" * 64 + "'", id="65-characters"),
        pytest.param("a\nb\u00e9", "Unknown error code 'a\\nb\\xe9'", id="line-break"),
        pytest.param(Unprintable("ODD"), "Unknown error code 'ODD'", id="unprintable"),
        pytest.param(404, "Unknown error code 'int'", id="int"),
        pytest.param(None, "Unknown error code 'NoneType'", id="none"),
        pytest.param(["x"], "Unknown error code 'list'", id="unhashable"),
    ],
)
def test_unknown_code_becomes_internal_server_error_and_is_logged(code, logged, caplog):
    found = to_error_code(code)

    assert found is ErrorCode.INTERNAL_SERVER_ERROR
    assert [record.getMessage() for record in caplog.records] == [logged]
    assert caplog.records[0].levelname == "WARNING"
    assert caplog.records[0].name == "shared_utils.error_codes"


def test_hostile_code_becomes_internal_server_error():
    assert to_error_code(Hostile()) is ErrorCode.INTERNAL_SERVER_ERROR


def test_broken_log_handler_does_not_stop_an_answer():
    class Broken(logging.Handler):
        def handle(self, record):
            raise OSError("disk full")

    logger = logging.getLogger("shared_utils.error_codes")
    handler = Broken()
    logger.addHandler(handler)
    try:
        found = to_error_code("NO_SUCH_CODE")
    finally:
        logger.removeHandler(handler)

    assert found is ErrorCode.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize(
    ("code", "status", "sentence"),
    [
        (ErrorCode.SESSION_NOT_FOUND, 404, "Session not found"),
        ("SESSION_NOT_FOUND", 404, "Session not found"),
        ("SESSION_FULL", 429, "The session has no room for another listener"),
        ("NO_SUCH_CODE", 500, "Something went wrong on our side"),
    ],
)
def test_status_and_message_of_a_code(code, status, sentence):
    assert get_http_status(code) == status
    assert get_error_message(code) == sentence


# --- ApplicationError -------------------------------------------------------------------------


def test_application_error_has_its_codes_sentence():
    error = ApplicationError("SESSION_FULL")

    assert error.code is ErrorCode.SESSION_MAX_LISTENERS_REACHED
    assert str(error) == error.message == "The session has no room for another listener"
    assert error.details is None


def test_application_error_keeps_message_and_details():
    error = ApplicationError(ErrorCode.SESSION_EXPIRED, "Ended at noon", {"sessionId": "a-b-123"})

    assert str(error) == error.message == "Ended at noon"
    assert error.details == {"sessionId": "a-b-123"}


def test_application_error_survives_pickling():
    error = ApplicationError("SESSION_EXPIRED", "Ended at noon", {"hour": 12})

    loaded = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert (loaded.code, loaded.message, loaded.details) == (
        ErrorCode.SESSION_EXPIRED,
        "Ended at noon",
        {"hour": 12},
    )


# --- ValidationError --------------------------------------------------------------------------


def test_validation_error_carries_message_field_and_code():
    error = ValidationError("volumeLevel must be lower", "volumeLevel")

    assert str(error) == error.message == "volumeLevel must be lower"
    assert error.field == "volumeLevel"
    assert error.code is ErrorCode.VALIDATION_INVALID_PARAMETER
    assert error.details == {"field": "volumeLevel"}
    assert isinstance(error, ApplicationError)


def test_validation_error_without_a_field_has_no_details():
    error = ValidationError("too much")

    assert error.field is None
    assert error.details is None


def test_validation_error_survives_pickling():
    error = ValidationError("no such action", "action", "VALIDATION_INVALID_ACTION")

    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert (copy.message, copy.field) == ("no such action", "action")
    assert copy.code is ErrorCode.VALIDATION_INVALID_ACTION


def test_silent_refusal_is_a_rate_limit_without_a_line_unless_it_says_otherwise():
    error = SilentRefusal()

    assert (error.code, str(error), error.logged) == (
        ErrorCode.RATE_LIMIT_EXCEEDED,
        "Too many requests",
        False,
    )


def test_silent_refusal_survives_pickling():
    error = SilentRefusal("CONNECTION_CLOSED", "closed", logged=True)

    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert (copy.code, copy.message) == (ErrorCode.CONNECTION_CLOSED, "closed")
    assert copy.logged is True


# --- replies ----------------------------------------------------------------------------------


@pytest.fixture
def _noon(monkeypatch):
    monkeypatch.setattr(time, "time_ns", lambda: 1767225600123456789)


@pytest.mark.usefixtures("_noon")
def test_error_reply_without_options_has_five_fields():
    assert format_error_response(ErrorCode.SESSION_NOT_FOUND) == {
        "type": "error",
        "code": "SESSION_NOT_FOUND",
        "message": "Session not found",
        "timestamp": 1767225600123,
        "retryable": False,
    }


@pytest.mark.usefixtures("_noon")
def test_error_reply_with_every_option():
    reply = format_error_response(
        "RATE_LIMIT_EXCEEDED",
        {"limit": Decimal(5)},
        "corr-1",
        message="Slow down",
        request_id="req-1",
    )

    assert reply == {
        "type": "error",
        "code": "RATE_LIMIT_EXCEEDED",
        "message": "Slow down",
        "timestamp": 1767225600123,
        "retryable": True,
        "details": {"limit": 5},
        "correlationId": "corr-1",
        "requestId": "req-1",
    }
    assert type(reply["code"]) is str


@pytest.mark.parametrize("empty", [None, {}])
def test_absent_parts_of_an_error_reply_are_absent(empty):
    reply = format_error_response("SESSION_NOT_FOUND", empty, "", message=None, request_id="")

    assert sorted(reply) == ["code", "message", "retryable", "timestamp", "type"]


@pytest.mark.threat("error-tells")
def test_details_of_an_error_reply_are_json_safe_and_redacted():
    reply = format_error_response(
        "AUDIO_INVALID_FORMAT", {"token": "abc", "ratio": float("nan"), "audioData": "UklGRg=="}
    )

    assert reply["details"] == {"token": "[REDACTED]", "ratio": "nan", "audioData": "[REDACTED]"}


def test_error_reply_is_bounded():
    reply = format_error_response(
        "INTERNAL_ERROR",
        {"a": "- " * 9999},
        "c " * 9999,
        message="m " * 9999,
        request_id="r " * 999,
    )

    assert len(json.dumps(reply)) < 5000


@pytest.mark.usefixtures("_noon")
def test_error_response_is_a_lambda_result_with_the_codes_status():
    assert error_response("SESSION_NOT_FOUND", correlation_id="c") == {
        "statusCode": 404,
        "body": (
            '{"type":"error","code":"SESSION_NOT_FOUND","message":"Session not found",'
            '"timestamp":1767225600123,"retryable":false,"correlationId":"c"}'
        ),
    }


@pytest.mark.parametrize(
    ("arguments", "response"),
    [
        pytest.param((), {"statusCode": 200}, id="nothing"),
        pytest.param((204,), {"statusCode": 204}, id="status-only"),
        pytest.param((200, {"a": 1}), {"statusCode": 200, "body": '{"a":1}'}, id="dict"),
        pytest.param((200, []), {"statusCode": 200, "body": "[]"}, id="empty-list"),
        pytest.param((200, 0), {"statusCode": 200, "body": "0"}, id="zero"),
        pytest.param((200, "text"), {"statusCode": 200, "body": "text"}, id="text-as-it-is"),
        pytest.param((200, ""), {"statusCode": 200, "body": ""}, id="empty-text"),
        pytest.param((201, Decimal("1.5")), {"statusCode": 201, "body": "1.5"}, id="decimal"),
    ],
)
def test_success_response(arguments, response):
    assert success_response(*arguments) == response


ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(), max_size=30),
        st.binary(max_size=30),
        st.decimals(),
        st.dates(),
        st.builds(set),
        st.builds(ValueError, st.text()),
        st.sampled_from([10**400, object, Hostile, "\ud800", memoryview(b"x")]),
        st.sampled_from(["token", "requestId", "SESSION_FULL", *ErrorCode]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


def strict_json(text):
    """Parse what RFC 8259 allows: no NaN, no Infinity."""
    return json.loads(text, parse_constant=pytest.fail)


@given(code=ANYTHING, details=ANYTHING, correlation_id=ANYTHING, message=ANYTHING, body=ANYTHING)
def test_a_reply_never_raises_and_is_json(code, details, correlation_id, message, body):
    response = error_response(
        code, details, correlation_id, message=message, request_id=correlation_id
    )
    reply = format_error_response(code, details, correlation_id, message=message)
    success = success_response(200, body)

    sent = strict_json(response["body"])
    assert sent["type"] == "error"
    assert sent["code"] == to_error_code(code)
    assert isinstance(sent["message"], str)
    assert response["statusCode"] == to_error_code(code).status
    assert strict_json(json.dumps(reply))["retryable"] is to_error_code(code).retryable
    assert isinstance(success.get("body", ""), str)


circular: dict[str, object] = {}
circular["self"] = circular


# Hypothesis prints what it draws, so what cannot be printed has a test of its own.
@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(Hostile(), id="raises"),
        pytest.param({"a": Hostile(), "b": [Hostile()]}, id="raises-inside"),
        pytest.param(Unprintable("text"), id="unprintable-text"),
        pytest.param(10**5000, id="too-long-to-print"),
        pytest.param({"a": 10**5000}, id="too-long-to-print-inside"),
        pytest.param(circular, id="circular"),
    ],
)
def test_a_reply_survives_hostile_arguments(hostile):
    response = error_response(hostile, hostile, hostile, message=hostile, request_id=hostile)

    assert response["statusCode"] == 500
    assert strict_json(response["body"])["code"] == "INTERNAL_SERVER_ERROR"
    assert isinstance(success_response(200, hostile)["body"], str)


@given(st.one_of(ANYTHING, st.builds(RuntimeError, ANYTHING)))
def test_any_object_has_an_error_code(error):
    assert type(error_code_of(error)) is ErrorCode


# --- what foreign errors mean -----------------------------------------------------------------


class ClientError(Exception):
    """The shape of botocore's."""

    def __init__(self, code, operation_name="Other", status=400):
        super().__init__(code)
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        self.operation_name = operation_name


def botocore_error(name, **kwargs):
    """Return an instance of a class with this name, in the shape of botocore's `BotoCoreError`."""
    error = type(name, (Exception,), {})()
    error.kwargs = kwargs
    return error


def with_attributes(**attributes):
    error = Exception()
    vars(error).update(attributes)
    return error


@pytest.mark.parametrize(
    ("code", "operation", "expected"),
    [
        ("ConditionalCheckFailedException", "PutItem", "INTERNAL_DATABASE_ERROR"),
        ("TransactionCanceledException", "TransactWriteItems", "INTERNAL_DATABASE_ERROR"),
        ("InternalServerError", "Query", "INTERNAL_DATABASE_ERROR"),
        ("ValidationException", "UpdateItem", "INTERNAL_DATABASE_ERROR"),
        ("ProvisionedThroughputExceededException", "GetItem", "RATE_LIMIT_EXCEEDED"),
        ("ThrottlingException", "PutItem", "RATE_LIMIT_EXCEEDED"),
        ("RequestLimitExceeded", "Query", "RATE_LIMIT_EXCEEDED"),
        ("LimitExceededException", "PostToConnection", "RATE_LIMIT_EXCEEDED"),
        ("TooManyRequestsException", "Invoke", "RATE_LIMIT_EXCEEDED"),
        ("GoneException", "PostToConnection", "CONNECTION_CLOSED"),
        ("PayloadTooLargeException", "PostToConnection", "VALIDATION_MESSAGE_TOO_LARGE"),
        ("ForbiddenException", "PostToConnection", "INTERNAL_CONFIGURATION_ERROR"),
        ("AccessDeniedException", "GetItem", "INTERNAL_CONFIGURATION_ERROR"),
        ("ResourceNotFoundException", "GetItem", "INTERNAL_CONFIGURATION_ERROR"),
        ("ExpiredTokenException", "Query", "INTERNAL_CONFIGURATION_ERROR"),
        ("UnrecognizedClientException", "PutItem", "INTERNAL_CONFIGURATION_ERROR"),
        ("BadRequestException", "StartStreamTranscription", "INTERNAL_TRANSCRIBE_ERROR"),
        ("InternalServerException", "TranslateText", "INTERNAL_TRANSLATION_ERROR"),
        ("ServiceFailureException", "SynthesizeSpeech", "INTERNAL_POLLY_ERROR"),
        ("InternalServerException", "DetectSentiment", "INTERNAL_EMOTION_DETECTION_ERROR"),
        ("InternalFailure", "Invoke", "INTERNAL_SERVER_ERROR"),
    ],
)
def test_service_error_has_the_code_of_its_meaning(code, operation, expected):
    assert error_code_of(ClientError(code, operation)) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (403, "INTERNAL_CONFIGURATION_ERROR"),
        (410, "CONNECTION_CLOSED"),
        (413, "VALIDATION_MESSAGE_TOO_LARGE"),
        (429, "RATE_LIMIT_EXCEEDED"),
        (500, "INTERNAL_SERVER_ERROR"),
    ],
)
def test_service_error_without_a_known_code_is_judged_by_its_status(status, expected):
    assert error_code_of(ClientError("Unknown", status=status)) == expected
    assert error_code_of(ClientError(str(status), status=0)) == expected


@pytest.mark.parametrize(
    "name",
    [
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "NoRegionError",
        "InvalidRegionError",
        "ProfileNotFound",
        "ParamValidationError",
        "UnknownServiceError",
        "InvalidEndpointConfigurationError",
    ],
)
def test_fault_of_the_set_up_is_a_configuration_error(name):
    assert error_code_of(botocore_error(name)) is ErrorCode.INTERNAL_CONFIGURATION_ERROR


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://dynamodb.eu-west-1.amazonaws.com/", "INTERNAL_DATABASE_ERROR"),
        ("https://dynamodb.eu-west-1.amazonaws.com", "INTERNAL_DATABASE_ERROR"),
        ("https://123456789012.ddb.eu-west-1.amazonaws.com/", "INTERNAL_DATABASE_ERROR"),
        ("https://dynamodb-fips.us-east-1.amazonaws.com/", "INTERNAL_DATABASE_ERROR"),
        ("https://vpce-1.dynamodb.us-east-1.vpce.amazonaws.com/", "INTERNAL_DATABASE_ERROR"),
        ("https://transcribe.us-east-1.amazonaws.com/", "INTERNAL_TRANSCRIBE_ERROR"),
        ("https://transcribestreaming.us-east-1.amazonaws.com/", "INTERNAL_TRANSCRIBE_ERROR"),
        ("https://translate.us-east-1.amazonaws.com/", "INTERNAL_TRANSLATION_ERROR"),
        ("https://polly.us-east-1.amazonaws.com/v1/speech", "INTERNAL_POLLY_ERROR"),
        ("https://comprehend.us-east-1.amazonaws.com/", "INTERNAL_EMOTION_DETECTION_ERROR"),
        ("https://a1.execute-api.us-east-1.amazonaws.com/x.dynamodb.y", "INTERNAL_SERVER_ERROR"),
        ("http://127.0.0.1:4566/", "INTERNAL_SERVER_ERROR"),
        ("dynamodb", "INTERNAL_SERVER_ERROR"),
        (None, "INTERNAL_SERVER_ERROR"),
    ],
)
def test_timeout_is_distinguished_by_the_host(url, expected):
    assert error_code_of(botocore_error("ReadTimeoutError", endpoint_url=url)) == expected


def test_application_error_has_its_own_code():
    assert error_code_of(ApplicationError("SESSION_FULL")) == "SESSION_MAX_LISTENERS_REACHED"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ValueError("x"), id="python"),
        pytest.param(TimeoutError(), id="timeout"),
        pytest.param(None, id="none"),
        pytest.param("AccessDenied", id="text"),
        pytest.param(with_attributes(response={}), id="empty-response"),
        pytest.param(with_attributes(response={"Error": None}), id="no-error"),
        pytest.param(with_attributes(response={"Error": "text"}), id="error-is-text"),
        pytest.param(with_attributes(response={"Error": {"Code": ["x"]}}), id="code-is-a-list"),
        pytest.param(with_attributes(response="text"), id="response-is-text"),
        pytest.param(with_attributes(kwargs="text"), id="kwargs-is-text"),
        pytest.param(with_attributes(kwargs={"endpoint_url": Hostile()}), id="hostile-url"),
        pytest.param(ApplicationError.__new__(ApplicationError), id="never-initialised"),
        pytest.param(Hostile(), id="hostile"),
    ],
)
def test_anything_else_is_an_internal_server_error(error):
    assert error_code_of(error) is ErrorCode.INTERNAL_SERVER_ERROR
