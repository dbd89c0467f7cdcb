"""DynamoDB's batches: split to its limits, and what it leaves out asked again, until the time is over.

Nothing is lost without a word: what was not read or written by then is an error that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from . import _json
from ._attributes import AttributeRefused, encode_key
from ._dynamodb_calls import DynamoDBError, plain
from ._dynamodb_requests import decode_items, encode, encode_sized_item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from ._dynamodb_calls import Caller

    Write = tuple[str, int, dict[str, Any]]  # "puts" or "deletes", the position there, the entry

__all__ = ["BatchIncomplete", "batch_get", "batch_write"]

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
_MAX_KEYS = 100
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html: 16 MB, with
# room for what stands around the entries.
_MAX_WRITES = 25
_MAX_REQUEST_BYTES = 16 * 1024 * 1024 - 4096


class BatchIncomplete(DynamoDBError):  # noqa: N818
    """A batch of which not everything is written.

    `puts` and `deletes` list the positions, in what was given, of the writes that are not done;
    with `outcome_unknown`, of some it is not known. They may be sent again in any case.
    """

    def __init__(
        self,
        operation: str,
        code: str,
        puts: Iterable[int] = (),
        deletes: Iterable[int] = (),
        **details: Any,
    ) -> None:
        super().__init__(operation, code, **details)
        self.args = (operation, code)
        self.puts = sorted(puts)
        self.deletes = sorted(deletes)


def batch_get(
    caller: Caller,
    table: str,
    keys: Iterable[Mapping[str, Any]],
    parameters: Mapping[str, object],
    timeout_seconds: float | None,
) -> list[dict[str, Any]]:
    """Return the items of all keys; raise `DynamoDBError` if there is no time for all."""
    options = encode("BatchGetItem", parameters)
    # The same key twice would be refused, or found twice, by where the requests are cut.
    unique = {_json.encode(key): key for key in _encoded_keys(keys)}
    left = list(unique.values())
    time = caller.remaining(timeout_seconds)
    items: list[dict[str, Any]] = []
    rounds = 0
    while left:
        now, later = left[:_MAX_KEYS], left[_MAX_KEYS:]
        request = {"RequestItems": {table: {"Keys": now, **options}}}
        answer = caller.call("BatchGetItem", request, time.seconds)
        found, again = plain("BatchGetItem", _found_and_left, answer)
        items += found
        left = later + again
        rounds = 0 if found else rounds + 1
        if again and not time.pause(rounds):
            raise DynamoDBError("BatchGetItem", "UnprocessedKeys", f"{len(left)} keys are not read")
    return items


def _found_and_left(answer: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[Any]]:
    """Return an answer's items as plain values, and the keys that were not read."""
    found = decode_items(_only(answer.get("Responses")) or [])
    return found, (_only(answer.get("UnprocessedKeys")) or {}).get("Keys", [])


def _only(by_table: Any) -> Any:
    """Return what an answer holds for the one table that was asked, None if nothing."""
    return next(iter(by_table.values()), None) if by_table else None


def _encoded_keys(keys: Any) -> Iterator[dict[str, Any]]:
    for n, key in enumerate(_entries(keys, "keys")):
        yield encode_key(key, f"keys[{n}]")


def _entries(values: Any, what: str) -> Iterable[Any]:
    if isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__iter__"):
        raise AttributeRefused(f"must be a list of dicts, got {type(values).__name__[:40]}", what)
    found: Iterable[Any] = values
    return found


def batch_write(
    caller: Caller,
    table: str,
    puts: Iterable[Mapping[str, Any]],
    deletes: Iterable[Mapping[str, Any]],
    timeout_seconds: float | None,
) -> None:
    """Do all writes; raise `BatchIncomplete` with those that are not done.

    Each request's writes are done before the next ones are sent: two writes of one item in different
    requests come in the order given. Two in one request are refused by DynamoDB.
    """
    left = list(_encoded_writes(puts, deletes))
    time = caller.remaining(timeout_seconds)
    again: list[Write] = []
    rounds = 0
    while left:
        now = again or left[: _number_that_fits(left)]
        request = {"RequestItems": {table: [entry for _, _, entry in now]}}
        try:
            answer = caller.call("BatchWriteItem", request, time.seconds)
            again = plain("BatchWriteItem", partial(_not_done, now), answer)
        except DynamoDBError as error:
            raise _incomplete(left, error) from error
        # `left` begins with what was sent.
        left = again + left[len(now) :]
        rounds = rounds + 1 if len(again) == len(now) else 0
        if again and not time.pause(rounds):
            raise _incomplete(left)


def _encoded_writes(puts: Any, deletes: Any) -> Iterator[Write]:
    for n, item in enumerate(_entries(puts, "puts")):
        yield "puts", n, {"PutRequest": {"Item": encode_sized_item(item, f"puts[{n}]")}}
    for n, key in enumerate(_entries(deletes, "deletes")):
        yield "deletes", n, {"DeleteRequest": {"Key": encode_key(key, f"deletes[{n}]")}}


def _number_that_fits(writes: list[Write]) -> int:
    number, size = 0, 0
    for _, _, entry in writes[:_MAX_WRITES]:
        size += len(_json.encode(entry)) + 1
        if size > _MAX_REQUEST_BYTES and number:
            break
        number += 1
    return number


def _not_done(sent: list[Write], answer: Mapping[str, Any]) -> list[Write]:
    """Return the writes that DynamoDB gave back; all, if one of those is not known again."""
    unprocessed = _only(answer.get("UnprocessedItems"))
    if not unprocessed:
        return []
    import json

    by_text = {json.dumps(write[2], sort_keys=True): write for write in sent}
    texts = [json.dumps(entry, sort_keys=True) for entry in unprocessed]
    return [by_text[text] for text in texts] if by_text.keys() >= set(texts) else sent


def _incomplete(left: list[Write], error: DynamoDBError | None = None) -> BatchIncomplete:
    puts = [position for kind, position, _ in left if kind == "puts"]
    deletes = [position for kind, position, _ in left if kind == "deletes"]
    code = error.response["Error"]["Code"] if error else "UnprocessedItems"
    return BatchIncomplete(
        *("BatchWriteItem", code, puts, deletes),
        message=f"{len(left)} writes are not done",
        request_id=error.request_id if error else "",
        outcome_unknown=error.outcome_unknown if error else False,
    )
