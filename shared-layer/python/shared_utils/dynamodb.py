"""DynamoDB over signed HTTP, without an SDK: boto3's `Table` in names, plain values both ways.

Numbers come back as `Decimal`, binary as `bytes`. What fails raises `DynamoDBError`, which says
whether a write may have been done all the same. No call outlasts its `timeout_seconds`, apart from
the name lookup, which the system bounds, and credentials that are not in the environment, which
botocore's providers bound.
"""

from __future__ import annotations

import os
import re
import time
from functools import lru_cache

from ._attributes import AttributeRefused
from ._aws_endpoint import Endpoint, misconfigured
from ._dynamodb_batches import BatchIncomplete, batch_get, batch_write
from ._dynamodb_calls import Caller, ConditionFailed, DynamoDBError, TransactionCanceled, plain
from ._dynamodb_endpoint import place_and_region
from ._dynamodb_requests import decode_items, decoded, encode, encode_transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, Unpack

    from ._dynamodb_requests import (
        BatchGetItem,
        DeleteItem,
        GetItem,
        PutItem,
        Query,
        Scan,
        TransactWriteItems,
        UpdateItem,
    )

__all__ = [
    "AttributeRefused",
    "BatchIncomplete",
    "ConditionFailed",
    "DynamoDBError",
    "Table",
    "TransactionCanceled",
    "transact_write_items",
]

# What a table's name looks like, or an ARN of one:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
_TABLE_NAME = r"[A-Za-z0-9_.-]{3,255}|arn:[\x21-\x7e]{1,1000}"
# As in the signature of `Table`.
_USUAL_NUMBERS: dict[str, Any] = {
    "timeout_seconds": 5.0,
    "answer_seconds": 2.0,
    "max_sockets": 64,
    "retries": 10,
    "backoff_seconds": 0.05,
}
_LEAST = {
    "timeout_seconds": 0.001,
    "answer_seconds": 0.001,
    "max_sockets": 1,
    "retries": 0,
    "backoff_seconds": 0,
}
# SSL context, environment, clock, monotonic clock: with others, a table shares no sockets.
_USUAL_WORLD = (None, None, time.time, time.monotonic)


class Table:
    """One table. Sockets are kept between calls, and shared by tables of the same settings.

    Methods take boto3's parameters by name; expressions are strings. `timeout_seconds` bounds one
    call with all its attempts; with `idempotent=True` the caller says that a write may be done twice.
    """

    def __init__(
        self,
        name: str,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        timeout_seconds: float = 5.0,
        answer_seconds: float = 2.0,
        max_sockets: int = 64,
        retries: int = 10,
        backoff_seconds: float = 0.05,
        ssl_context: ssl.SSLContext | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Check the settings; nothing is opened.

        `endpoint` defaults to AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL, then the region's own.
        `timeout_seconds` bounds a call, `answer_seconds` one attempt, `max_sockets` what is kept
        between calls: each call that runs has one. Attempts are repeated up to
        `retries` times, after 0 to `backoff_seconds`, doubled each time, at most 1 s.
        """
        if not isinstance(name, str) or not re.fullmatch(_TABLE_NAME, name):
            shown = ascii(name[:40]) if isinstance(name, str) else type(name).__name__
            raise misconfigured(f"A table's name has 3 to 255 of A-Z a-z 0-9 _ . -, got {shown}")
        self.name = name
        numbers: dict[str, Any] = {
            "timeout_seconds": timeout_seconds,
            "answer_seconds": answer_seconds,
            "max_sockets": max_sockets,
            "retries": retries,
            "backoff_seconds": backoff_seconds,
        }
        for setting, value in numbers.items():
            _check_number(setting, value, _LEAST[setting])
        if environ is os.environ:
            environ = None
        where = place_and_region(endpoint, region, os.environ if environ is None else environ)
        world = (ssl_context, environ, clock, monotonic)
        if all(given is usual for given, usual in zip(world, _USUAL_WORLD, strict=True)):
            self._caller = _shared_caller(*where, **numbers)
        else:
            self._caller = _caller(*where, **numbers, world=world)

    def prepare(self) -> None:
        """Load what the first call needs, certificates included; nothing is sent or opened."""
        self._caller.client.prepare()

    def close_sockets(self) -> None:
        """Close the sockets that are kept; the next call opens new ones."""
        self._caller.close_sockets()

    # --- one item ------------------------------------------------------------------------------

    def get_item(
        self, *, timeout_seconds: float | None = None, **parameters: Unpack[GetItem]
    ) -> dict[str, Any]:
        """Return a dict with the `Item` of a `Key`, without one if there is none."""
        return self._call("GetItem", parameters, timeout_seconds)

    def put_item(
        self,
        *,
        timeout_seconds: float | None = None,
        idempotent: bool = False,
        **parameters: Unpack[PutItem],
    ) -> dict[str, Any]:
        """Store an `Item` in place of the one with its key; raise `ConditionFailed`."""
        return self._call("PutItem", parameters, timeout_seconds, idempotent)

    def update_item(
        self,
        *,
        timeout_seconds: float | None = None,
        idempotent: bool = False,
        **parameters: Unpack[UpdateItem],
    ) -> dict[str, Any]:
        """Change the item of a `Key` by an `UpdateExpression`, or make it; raise `ConditionFailed`."""
        return self._call("UpdateItem", parameters, timeout_seconds, idempotent)

    def delete_item(
        self,
        *,
        timeout_seconds: float | None = None,
        idempotent: bool = False,
        **parameters: Unpack[DeleteItem],
    ) -> dict[str, Any]:
        """Delete the item of a `Key`, if there is one; raise `ConditionFailed`."""
        return self._call("DeleteItem", parameters, timeout_seconds, idempotent)

    # --- many items ----------------------------------------------------------------------------

    def query(
        self, *, timeout_seconds: float | None = None, **parameters: Unpack[Query]
    ) -> dict[str, Any]:
        """Return one page of the items that a `KeyConditionExpression` finds."""
        return self._call("Query", parameters, timeout_seconds)

    def scan(
        self, *, timeout_seconds: float | None = None, **parameters: Unpack[Scan]
    ) -> dict[str, Any]:
        """Return one page of all items."""
        return self._call("Scan", parameters, timeout_seconds)

    def query_all(
        self, *, timeout_seconds: float | None = None, **parameters: Unpack[Query]
    ) -> Iterator[dict[str, Any]]:
        """Return the items of all pages, each read when its first item is asked for.

        `timeout_seconds` bounds each page; `Limit` is how many items a page may look at.
        """
        return self._pages("Query", _request_of_items("Query", parameters), timeout_seconds)

    def scan_all(
        self, *, timeout_seconds: float | None = None, **parameters: Unpack[Scan]
    ) -> Iterator[dict[str, Any]]:
        """Return the items of all pages of a scan, as `query_all` does."""
        return self._pages("Scan", _request_of_items("Scan", parameters), timeout_seconds)

    def _pages(
        self, operation: str, request: dict[str, Any], timeout_seconds: float | None
    ) -> Iterator[dict[str, Any]]:
        request = {"TableName": self.name, **request}
        while True:
            answer = self._caller.call(operation, request, timeout_seconds)
            yield from plain(operation, decode_items, answer.get("Items", ()))
            last = answer.get("LastEvaluatedKey")
            if not last:
                return
            if last == request.get("ExclusiveStartKey"):
                message = "LastEvaluatedKey is the key that the page began after"
                raise DynamoDBError(operation, "InvalidAnswer", message)
            request["ExclusiveStartKey"] = last

    def batch_get(
        self,
        keys: Iterable[Mapping[str, Any]],
        *,
        timeout_seconds: float | None = None,
        **parameters: Unpack[BatchGetItem],
    ) -> list[dict[str, Any]]:
        """Return the items of all these keys that there are, in no order.

        Keys may be any number; a request has 100. Parameters are those of a table in boto3's
        BatchGetItem. A key given twice is read once. What DynamoDB leaves out is asked for again; raise
        if the time is over by then.
        """
        return batch_get(self._caller, self.name, keys, parameters, timeout_seconds)

    def batch_write(
        self,
        *,
        puts: Iterable[Mapping[str, Any]] = (),
        deletes: Iterable[Mapping[str, Any]] = (),
        timeout_seconds: float | None = None,
    ) -> None:
        """Store items and delete keys, each write by itself: puts, then deletes, as they are given.

        They may be any number; a request has 25, and is done before the next one is sent. So of two
        writes of one item the later one counts, unless both are in one request, which DynamoDB refuses.
        What DynamoDB leaves out is sent again. Raise
        `BatchIncomplete` if not all is done in time: it lists what is not, or may not be.
        """
        batch_write(self._caller, self.name, puts, deletes, timeout_seconds)

    def transact_write_items(
        self,
        *,
        timeout_seconds: float | None = None,
        **parameters: Unpack[TransactWriteItems],
    ) -> dict[str, Any]:
        """Do all `TransactItems` or none, as the function of this name does.

        One without a `TableName` is for this table.
        """
        request = encode_transaction(parameters, self.name)
        answer = self._caller.call("TransactWriteItems", request, timeout_seconds)
        return plain("TransactWriteItems", decoded, answer)

    def _call(
        self,
        operation: str,
        parameters: Mapping[str, object],
        timeout_seconds: float | None,
        idempotent: bool = False,
    ) -> dict[str, Any]:
        request = {"TableName": self.name, **encode(operation, parameters)}
        answer = self._caller.call(operation, request, timeout_seconds, idempotent=idempotent)
        return plain(operation, decoded, answer)


def _request_of_items(operation: str, parameters: Mapping[str, object]) -> dict[str, Any]:
    """Return what each page is asked with, but the key to begin after."""
    if parameters.get("Select") == "COUNT":
        method = operation.lower()
        raise TypeError(f"{operation}: Select=COUNT has no items: add up {method}'s pages' Count")
    return encode(operation, parameters)


def _check_number(name: str, value: Any, least: float) -> None:
    """Refuse what would fail later, at a call or only at its first repetition."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not value >= least:  # NaN is not, either
        shown = repr(value) if is_number else type(value).__name__
        raise misconfigured(f"{name} must be a number from {least} on, got {shown}")


def transact_write_items(
    *,
    timeout_seconds: float | None = None,
    **parameters: Unpack[TransactWriteItems],
) -> dict[str, Any]:
    """Do all `TransactItems`, on any tables, or none; raise `TransactionCanceled` with reasons.

    They are up to 100 actions as boto3's client takes them, with plain values. A call has one
    `ClientRequestToken`, so its attempts count once. Settings are the environment's.
    """
    caller = _shared_caller(*place_and_region(None, None, os.environ), **_USUAL_NUMBERS)
    request = encode_transaction(parameters)
    answer = caller.call("TransactWriteItems", request, timeout_seconds)
    return plain("TransactWriteItems", decoded, answer)


def _caller(
    place: tuple[bool, str, int, str],
    region: str,
    *,
    timeout_seconds: float,
    answer_seconds: float,
    max_sockets: int,
    retries: int,
    backoff_seconds: float,
    world: tuple[Any, ...] = _USUAL_WORLD,
) -> Caller:
    ssl_context, environ, clock, monotonic = world
    endpoint = Endpoint(
        *(place, region, "dynamodb"),
        answer_seconds=answer_seconds,
        max_sockets=max_sockets,
        ssl_context=ssl_context,
        environ=environ,
        clock=clock,
        monotonic=monotonic,
    )
    return Caller(endpoint, timeout_seconds, retries, backoff_seconds)


_shared_caller = lru_cache(maxsize=8)(_caller)
