"""What a fault of each kind is about, and what it does; `Faults` has them on and off.

Nothing here touches a socket or a clock.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import TYPE_CHECKING, Any

from wslocal.http1 import respond

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = [
    "POST_ANSWERS",
    "TABLE_ERRORS",
    "Fault",
    "FaultError",
    "PostFault",
    "TableFault",
    "checked_number",
]

#: What @connections may answer a post with, apart from nothing at all: the error and its text.
POST_ANSWERS = {
    410: ("GoneException", "Gone"),
    429: ("LimitExceededException", "Limit Exceeded"),
    500: ("InternalServerErrorException", "Internal server error"),
}
#: What DynamoDB may answer a call with, and the status:
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
TABLE_ERRORS = {
    "AccessDeniedException": 400,
    "ConditionalCheckFailedException": 400,
    "InternalServerError": 500,
    "ProvisionedThroughputExceededException": 400,
    "RequestLimitExceeded": 400,
    "ResourceNotFoundException": 400,
    "ServiceUnavailable": 503,
    "ThrottlingException": 400,
    "TransactionConflictException": 400,
    "ValidationException": 400,
}
_REFUSE = "refuse"
_MAX_DELAY_SECONDS = 3600.0


class FaultError(Exception):
    """A fault that is refused: an unknown connection, a value out of range, nothing to fail."""


class Fault:
    """A fault that is on until `ended`; `hits` is how often it was met."""

    def __init__(self, every: int = 1) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise FaultError(f"every must be an integer from 1, got {every!r}")
        self._every = every
        self._calls = 0
        self.hits = 0
        self.ended = asyncio.Event()

    def meets(self) -> bool:
        """Count a call, and return whether the fault meets it: every n-th."""
        self._calls += 1
        is_met = self._calls % self._every == 0
        self.hits += is_met
        return is_met


class PostFault(Fault):
    """What posts to `to`, None is all connections, are answered with; `answer` None: nothing."""

    def __init__(self, answer: int | None, every: int, to: Collection[str] | None) -> None:
        super().__init__(every)
        if answer is not None and answer not in POST_ANSWERS:
            known = ", ".join(map(str, POST_ANSWERS))
            raise FaultError(f"the answer to a post must be {known} or nothing, got {answer!r}")
        self.answer = answer
        self.to = None if to is None else frozenset(to)


class TableFault(Fault):
    """What calls about a table, None is any or none, meet: a delay, then perhaps an answer.

    `answer` is the error as it goes over the wire, empty bytes to reset the socket, None to carry
    the call out.
    """

    def __init__(
        self, table: str | None, delay_seconds: float, error: str | None, every: int
    ) -> None:
        super().__init__(every)
        self.delay_seconds = checked_number("delay_seconds", delay_seconds, 0, _MAX_DELAY_SECONDS)
        if not self.delay_seconds and error is None:
            raise FaultError("a fault of a table needs a delay or an error")
        self.answer = None if error is None else _error_answer(error)
        self._table = table

    def is_about(self, body: bytes) -> bool:
        """Return whether a call with this body names the table."""
        return self._table is None or self._table in _tables(body)


def checked_number(name: str, value: float, least: float, most: float) -> float:
    """Return `value` if it is a number from `least` to `most`, else raise FaultError."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        raise FaultError(f"{name} must be a number from {least:g} to {most:g}, got {value!r}")
    return float(value)


def _error_answer(error: str) -> bytes:
    if error == _REFUSE:
        return b""
    if error not in TABLE_ERRORS:
        known = ", ".join([*TABLE_ERRORS, _REFUSE])
        raise FaultError(f"the error must be one of {known}, got {error!r}")
    kind = f"com.amazonaws.dynamodb.v20120810#{error}"
    body = json.dumps({"__type": kind, "message": "A fault on purpose"}).encode()
    checksum = [("x-amz-crc32", str(zlib.crc32(body)))]
    return respond(TABLE_ERRORS[error], body, checksum, "application/x-amz-json-1.0")


def _tables(body: bytes) -> set[str]:
    """Return the names of the tables that a call's body names, also those in ARNs."""
    try:
        found = set(_named(json.loads(body)))
    except (ValueError, RecursionError):
        return set()
    return {name.partition(":table/")[2].partition("/")[0] or name for name in found}


def _named(call: Any) -> Iterator[str]:
    """Yield what stands where DynamoDB's calls name tables."""
    if not isinstance(call, dict):
        return
    if isinstance(name := call.get("TableName"), str):
        yield name
    if isinstance(items := call.get("RequestItems"), dict):  # of batches
        yield from items
    if isinstance(items := call.get("TransactItems"), list):  # of transactions
        for item in items:
            for action in item.values() if isinstance(item, dict) else ():
                yield from _named(action)
