"""One call to DynamoDB with all its attempts, and the errors that can come of it.

A call returns DynamoDB's answer or raises `DynamoDBError`; it never outlasts its time, apart from
the name lookup and credentials that are not in the environment. Whatever an attempt without an answer may have written is said in the error.
"""

from __future__ import annotations

import json
import re
import time

from . import _json
from ._attributes import decode_item
from ._dynamodb_requests import READS, is_repeatable
from .error_codes import ApplicationError, ErrorCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeVar

    from ._aws_endpoint import Endpoint
    from ._signed_http import Client, Job

    Decoded = TypeVar("Decoded")

__all__ = ["Caller", "ConditionFailed", "DynamoDBError", "TransactionCanceled", "plain"]

_MAX_PAUSE_SECONDS = 1.0
# The largest answers have 16 MB of items (BatchGetItem); 4 MB (items of a transaction that failed);
# 1 MB and an item (Query, Scan). A bool in a list counts 2 bytes, and has 15 in JSON.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
_MAX_ANSWER_BYTES = 8 * 4 * 1024 * 1024
_MAX_BATCH_ANSWER_BYTES = 8 * 16 * 1024 * 1024
# DynamoDB says that it has not done what was asked, and that later it may.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_NOT_DONE = {
    *("ProvisionedThroughputExceededException", "ThrottlingException", "Throttling"),
    *("RequestLimitExceeded", "TooManyRequestsException", "RequestThrottled", "HTTP429"),
    *("RequestThrottledException", "TransactionConflictException"),
    *("TransactionInProgressException", "ReplicatedWriteConflictException"),
}
# The same as a reason of a transaction that was cancelled.
_THROTTLED_REASONS = {"None", "ThrottlingError", "ProvisionedThroughputExceeded"}
_CONDITION = "ConditionalCheckFailedException"
_CANCELED = "TransactionCanceledException"
_CONFIGURATION = {
    *("ResourceNotFoundException", "TableNotFoundException", "AccessDeniedException"),
    *("UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch"),
    *("MissingAuthenticationTokenException", "MissingAuthenticationToken"),
    *("IncompleteSignatureException", "IncompleteSignature", "InvalidClientTokenId"),
    *("ExpiredTokenException", "ExpiredToken", "RequestExpired", "RequestTimeTooSkewed"),
    *("OptInRequired", "SubscriptionRequiredException", "NotAuthorized"),
}
_OUR_DEFECT = {
    *("ValidationException", "ValidationError", "SerializationException", "DuplicateItemException"),
    *("ItemCollectionSizeLimitExceededException", "IdempotentParameterMismatchException"),
    *("UnknownOperationException", _CONDITION, _CANCELED),
}


# --- errors ------------------------------------------------------------------------------------


class DynamoDBError(ApplicationError):
    """A call that failed. To a client it is a 5xx with the code's sentence, and nothing more.

    That sentence is `str(error)`, too. A log line with the error has more in `error.notes`: the
    operation, DynamoDB's code and as much of its own sentence as shows nothing of what was sent.
    For the log: `operation`, `request_id`, `response["Error"]["Code"]` as boto3 has it (for a call
    without an answer the exception of Python, or `DeadlineExceeded`) and `outcome_unknown`: whether
    the write may have been done all the same. Nothing of an item is in it.
    """

    def __init__(
        self,
        operation: str,
        code: str,
        message: str = "",
        *,
        status: int = 0,
        request_id: str = "",
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(_error_code(code))
        self.args = (operation, code, message)
        self.operation = operation
        self.request_id = request_id
        self.outcome_unknown = outcome_unknown
        self.response: dict[str, Any] = {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"RequestId": request_id, "HTTPStatusCode": status},
        }
        note = f"{operation}: {code}{f' ({message})' if message else ''}"
        note += f", request {request_id}" if request_id else ""
        self.add_note(note + (", outcome unknown" if outcome_unknown else ""))


class ConditionFailed(DynamoDBError):  # noqa: N818
    """The condition was not met, and nothing was written.

    `item` is the item as it was, if ReturnValuesOnConditionCheckFailure="ALL_OLD" asked for it and
    there was one.
    """

    def __init__(self, operation: str, item: dict[str, Any] | None = None, **details: Any) -> None:
        super().__init__(operation, _CONDITION, **details)
        self.args = (operation,)
        self.item = item


class TransactionCanceled(DynamoDBError):  # noqa: N818
    """Nothing of a transaction was written.

    `reasons` has a dict for each action, in their order: its `Code` is "None" if the action was not
    the cause, else such as "ConditionalCheckFailed" or "TransactionConflict"; `Item` as plain values
    if ReturnValuesOnConditionCheckFailure="ALL_OLD" asked for it.
    """

    def __init__(
        self, operation: str, reasons: Sequence[dict[str, Any]] = (), **details: Any
    ) -> None:
        super().__init__(operation, _CANCELED, **details)
        self.args = (operation,)
        self.reasons = list(reasons)


def _error_code(code: str) -> ErrorCode:
    if code in _CONFIGURATION:
        return ErrorCode.INTERNAL_CONFIGURATION_ERROR
    return ErrorCode.INTERNAL_SERVER_ERROR if code in _OUR_DEFECT else ErrorCode.INTERNAL_DATABASE_ERROR  # fmt: skip


# --- the call ----------------------------------------------------------------------------------


class Caller:
    """Calls one DynamoDB endpoint, as often and as long as its settings say."""

    def __init__(
        self, endpoint: Endpoint, timeout_seconds: float, retries: int, backoff_seconds: float
    ) -> None:
        self.endpoint = endpoint
        self.timeout_seconds = timeout_seconds
        self.retries = retries
        self.backoff_seconds = backoff_seconds

    @property
    def client(self) -> Client:
        """The endpoint's sockets, credentials and clock, made at the first call."""
        found: Client | None = self.__dict__.get("_client")
        if found is None:  # two threads that begin get the same one
            from ._signed_http import Client

            found = self.__dict__.setdefault("_client", Client(self.endpoint))
        return found

    def close_sockets(self) -> None:
        """Close the sockets that are kept; the next call opens new ones."""
        if "_client" in self.__dict__:
            self.client.close_sockets()

    def call(
        self,
        operation: str,
        request: Mapping[str, Any],
        timeout_seconds: float | None = None,
        *,
        idempotent: bool = False,
    ) -> dict[str, Any]:
        """Return DynamoDB's answer; raise `DynamoDBError`."""
        from ._signed_http import Run, SignedRequest

        call = _Call(self, operation, idempotent or is_repeatable(operation, request))
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"DynamoDB_20120810.{operation}",
        }
        signed = SignedRequest(
            "POST",
            _json.encode(request).encode(),
            headers=headers,
            repeatable=call.repeatable,
            max_answer_bytes=_MAX_BATCH_ANSWER_BYTES
            if operation == "BatchGetItem"
            else _MAX_ANSWER_BYTES,
        )
        run = Run(self.client, signed, [""], self._timeout(timeout_seconds), call.pause)
        run.run()
        return call.result(run.jobs[""])

    def pause_seconds(self, retries: int) -> float:
        """Return a pause with full jitter, longer after each retry."""
        from ._signed_http import jitter

        longest: float = min(self.backoff_seconds * 2.0 ** min(retries, 30), _MAX_PAUSE_SECONDS)
        return longest * jitter()

    def remaining(self, timeout_seconds: float | None) -> _Remaining:
        """Return a clock for a call of several requests."""
        return _Remaining(self, self._timeout(timeout_seconds))

    def _timeout(self, seconds: object) -> float:
        """Return a call's time, the table's if it has none of its own."""
        if seconds is None:
            return self.timeout_seconds
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            came = type(seconds).__name__[:40]
            raise TypeError(f"timeout_seconds must be a number of seconds, got {came}")
        return seconds


class _Remaining:
    """The time that is left for several requests."""

    def __init__(self, caller: Caller, timeout_seconds: float) -> None:
        self._caller = caller
        self._deadline = caller.endpoint.monotonic() + timeout_seconds

    @property
    def seconds(self) -> float:
        """What is left, at least 0."""
        return max(self._deadline - self._caller.endpoint.monotonic(), 0.0)

    def pause(self, rounds: int) -> bool:
        """Wait before another round; return False if the time would be over by then."""
        seconds = self._caller.pause_seconds(rounds)
        if seconds >= self.seconds:
            return False
        time.sleep(seconds)
        return True


class _Call:
    """Judges the attempts of one call, and at last what came of them all."""

    def __init__(self, caller: Caller, operation: str, repeatable: bool) -> None:
        self._caller = caller
        self._operation = operation
        self.repeatable = repeatable
        self._answer: dict[str, Any] = {}  # what the last attempt's body holds
        self._code = "DeadlineExceeded"  # the last attempt's error, empty if there was none
        self._unknown = False  # whether an attempt may have written, and nobody said so

    def pause(self, job: Job) -> float | None:
        """Return the pause before another attempt, None if this one was the last."""
        self._read(job)
        if not self._code:
            return None
        lost = job.lost if job.status == 0 else _is_lost(job.status, self._code)
        self._unknown = self._unknown or lost or job.lost
        again = self.repeatable if lost else job.status == 0 or self._is_not_done()
        if not again or job.retries >= self._caller.retries:
            return None
        return self._caller.pause_seconds(job.retries)

    def _read(self, job: Job) -> None:
        self._answer = {}
        if job.status == 0:
            name = job.reason.partition(": ")[0]
            self._code = name if name.isidentifier() else "DeadlineExceeded"
        elif not _has_its_checksum(job):
            self._code = "Crc32Mismatch"
        else:
            self._code = self._code_of_answer(job)

    def _code_of_answer(self, job: Job) -> str:
        try:
            answer = json.loads(job.body)
        except (ValueError, RecursionError):
            answer = None
        if isinstance(answer, dict):
            self._answer = answer
        if job.status == 200:
            return "" if isinstance(answer, dict) else "InvalidAnswer"
        from ._signed_http import error_name

        return error_name(job.head, job.body) or f"HTTP{job.status}"

    def _is_not_done(self) -> bool:
        """Return whether the same request may be taken later."""
        if self._code == _CANCELED:
            codes = [str(reason.get("Code")) for reason in _reasons(self._answer)]
            return bool(codes) and set(codes) <= _THROTTLED_REASONS
        return self._code in _NOT_DONE

    def result(self, job: Job) -> dict[str, Any]:
        """Return the answer, or raise what the attempts come to."""
        if not self._code:
            return self._answer
        from ._http1 import header

        self._read(job)  # nobody asked about an attempt that the deadline ended
        self._unknown = self._unknown or job.lost

        unknown = self._unknown and self._operation not in READS
        details: dict[str, Any] = {
            "message": job.reason or _safe_message(self._answer, self._code),
            "status": job.status,
            "request_id": header(job.head, b"x-amzn-requestid")[:80].decode("latin-1"),
            "outcome_unknown": unknown,
        }
        if self._code == _CONDITION and not unknown:
            item = plain(self._operation, _item_of, self._answer)
            raise ConditionFailed(self._operation, item, **details)
        if self._code == _CANCELED and not unknown:
            reasons = plain(self._operation, _plain_reasons, self._answer)
            raise TransactionCanceled(self._operation, reasons, **details)
        raise DynamoDBError(self._operation, self._code, **details)


def _is_lost(status: int, code: str) -> bool:
    """Return whether an answer leaves open what was done."""
    if code in ("Crc32Mismatch", "InvalidAnswer"):
        return True
    return status >= 500 and code not in _NOT_DONE


def _has_its_checksum(job: Job) -> bool:
    from ._http1 import header

    wanted = header(job.head, b"x-amz-crc32")
    if not wanted:
        return True
    from zlib import crc32

    return wanted == b"%d" % crc32(job.body)


def _reasons(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = answer.get("CancellationReasons")
    return [r for r in found if isinstance(r, dict)] if isinstance(found, list) else []


def _plain_reasons(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {**reason, "Item": _item_of(reason)} if reason.get("Item") else reason
        for reason in _reasons(answer)
    ]


def plain(operation: str, decode: Callable[[Any], Decoded], answer: object) -> Decoded:
    """Return `decode(answer)`, and no error that would look like a value refused before it was sent."""
    try:
        return decode(answer)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise DynamoDBError(
            *(operation, "InvalidAnswer"), outcome_unknown=operation not in READS
        ) from error


def _item_of(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    return decode_item(answer["Item"]) if answer.get("Item") else None


# Sentences of DynamoDB's, and how longer ones begin: fixed texts, so that nothing is shown of what
# was sent. AWS has no list of them: one that is missing here costs the log a sentence, not the code.
_FIXED_TEXTS = (
    "One or more parameter values were invalid(: (Missing the key|Type mismatch for key))?",
    "One or more parameter values are not valid",
    "Invalid (Update|Condition|Filter|KeyCondition|Projection)Expression(: (Syntax error"
    "|Attribute name is a reserved keyword|The operator or function is not allowed in an"
    " expression|An expression attribute (name|value) used in (the document path"
    "|expression) is not defined|Two document paths (overlap|conflict) with each other"
    "|Incorrect operand type for operator or function|The expression can not be empty"
    "|Expression size has exceeded the maximum allowed size))?",
    "ExpressionAttribute(Names|Values) (contains invalid (key|value)|can only be"
    " specified when using expressions|must not be empty)",
    "Value provided in ExpressionAttribute(Names|Values) unused in expressions",
    "The provided key element does not match the schema",
    "The conditional request failed",
    "Transaction cancelled, please refer cancellation reasons for specific reasons",
    "Transaction request cannot include multiple operations on one item",
    "Transaction is ongoing for the item",
    "Item size( to update)? has exceeded the maximum allowed size",
    "Collection size exceeded",
    "Nesting Levels have exceeded supported limits",
    "(Cannot do operations on a non-existent table|Requested resource not found)",
    "The table does not have the specified index",
    "(Query condition missed key schema element|Query key condition not supported)",
    "The provided starting key is (invalid|outside query boundaries based on provided conditions)",
    "Provided list of item keys contains duplicates",
    "Too many items requested for the Batch(Get|Write)Item call",
    "(The document path|An operand) (provided )?in the update expression (is invalid for"
    " update|has an incorrect data type)",
    "The provided expression refers to an attribute that does not exist in the item",
    "Supplied AttributeValue (is empty|has more than one datatypes set), must contain"
    " exactly one of the supported datatypes",
    "Number overflow",
    "Attempting to store more than 38 significant digits in a Number",
    "The level of configured provisioned throughput for the table was exceeded",
    "Throughput exceeds the current",
    "(Rate exceeded|Rate of requests exceeds the allowed throughput|Request rate limit exceeded)",
    "The security token included in the request is (expired|invalid)",
    "The request signature we calculated does not match the signature you provided",
    "Signature (expired|not yet current)",
    "(Internal server error|Internal Server Error|The request processing has failed)",
    "[0-9]{1,4} validation errors? detected",
)


def _safe_message(answer: Mapping[str, Any], code: str) -> str:
    """Return as much of DynamoDB's sentence as is known to be a fixed text, nothing of an unknown one.

    One about missing rights names who, the action and the table, which is what must be repaired.
    """
    text = str(answer.get("message") or answer.get("Message") or "")
    if code == "AccessDeniedException":
        return text[:400]
    found = re.match("|".join(_FIXED_TEXTS), text)
    return found[0] if found else ""
