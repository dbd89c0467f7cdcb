"""Reads and conditional writes of a table's items, each done once although answers can be lost.

The layer's client repeats what may be done twice, a read for instance. A conditional write may not:
when its answer is lost, nobody knows whether it was done. Here it is asked for again. If its
condition still holds, it is done now. If not, the refusal has the item as it is, and `is_ours` says
whether it shows what the first attempt wrote.

Calls end by the deadline of their context, if it has one: the event's, or that of a part of it.
"""

from __future__ import annotations

import math
import os
import re
import time
from _contextvars import ContextVar  # `contextvars` only re-exports it, at twice the cost
from contextlib import contextmanager

from shared_utils.dynamodb import ConditionFailed, DynamoDBError, Table, TransactionCanceled
from shared_utils.error_codes import ApplicationError

from .values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Item = dict[str, Any]

__all__ = ["Change", "Items", "calls_within", "limit_calls", "put_both", "seconds_left"]

# A write whose answer is lost is asked for so often.
TRIES = 3
# Of one call in a context without a deadline.
CALL_SECONDS = 6.0

_ends: ContextVar[float] = ContextVar("ends", default=math.inf)


def limit_calls(seconds: float) -> None:
    """Let all calls of this context end in so many seconds from now."""
    _ends.set(time.monotonic() + seconds)


@contextmanager
def calls_within(seconds: float) -> Iterator[None]:
    """Let all calls of a block end in so many seconds from now, whatever its context says."""
    token = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(token)


def seconds_left() -> float:
    """Return how many seconds are left for calls, infinity without a deadline."""
    return max(_ends.get() - time.monotonic(), 0.0)


class Change(Value):
    """What came of a conditional write: the item after it, or, if it was not done, as it is.

    `is_doubtful`: an answer was lost, so that it may have been done, and undone by somebody else since.
    """

    done: bool
    item: Item | None
    is_doubtful: bool = False


class Items:
    """The items of one table; `on_failure` gets the operation and the error's code when DynamoDB fails."""

    def __init__(
        self,
        table_name: str,
        key_name: str,
        on_failure: Callable[[str, str], object],
        answer_seconds: float = 2.0,
    ) -> None:
        self.table = Table(table_name, answer_seconds=answer_seconds)
        self._key_name = key_name
        self._on_failure = on_failure
        self._broken_off: Item = {}  # where a scan that had no more time is to go on

    def get(self, key: str, names: tuple[str, ...] = ()) -> Item | None:
        """Return an item as it is now, or of its attributes those of these names."""
        wanted = ", ".join(f"#{name}" for name in names)
        part = {"ProjectionExpression": wanted, **_placeholders(wanted, {})} if names else {}
        answer, _ = self.call("get_item", Key={self._key_name: key}, ConsistentRead=True, **part)
        item: Item | None = answer.get("Item")
        return item

    def delete(self, key: str) -> None:
        """Delete an item, whether it is there or not."""
        self.call("delete_item", Key={self._key_name: key})

    def put_new(self, item: Item) -> Change:
        """Store an item if there is none with its key; an equal one is what this call has stored."""
        return self._conditional(
            "put_item",
            lambda found: found == item,
            Item=item,
            ConditionExpression=self.is_absent,
        )

    def update(
        self,
        key: str,
        action: str,
        condition: str,
        values: Item,
        *,
        entry: str = "",
        returns: str = "ALL_NEW",
        is_ours: Callable[[Item], bool] = lambda item: False,
        only_once: bool = False,
    ) -> Change:
        """Do an update if a condition holds.

        Expressions name attributes as `#name`, and the key `entry` of a map as `#entry`. `is_ours` is
        needed by an update that makes its own condition false, `only_once` by one that would do more
        the second time: if its answer is lost, it counts as done.
        """
        return self._conditional(
            "update_item",
            is_ours,
            only_once,
            Key={self._key_name: key},
            ReturnValues=returns,
            UpdateExpression=action,
            ConditionExpression=condition,
            **_placeholders(f"{action} {condition}", values, entry),
        )

    def scan(
        self, condition: str, values: Item, keep_going: Callable[[], bool]
    ) -> tuple[list[Item], bool]:
        """Return the items that fit, and whether these are all; if not, the next scan goes on here."""
        placeholders = _placeholders(condition, values)
        start, self._broken_off = self._broken_off, {}
        items: list[Item] = []
        complete = not start
        while keep_going():
            answer, _ = self.call("scan", FilterExpression=condition, **placeholders, **start)
            items += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return items, complete
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
        self._broken_off = start
        return items, False

    @property
    def is_absent(self) -> str:
        """The condition that there is no such item."""
        return f"attribute_not_exists({self._key_name})"

    def _conditional(
        self,
        operation: str,
        is_ours: Callable[[Item], bool],
        only_once: bool = False,
        **arguments: Any,
    ) -> Change:
        arguments["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            answer, lost = self.call(operation, 1 if only_once else TRIES, **arguments)
        except DynamoDBError as error:
            if not (only_once and error.outcome_unknown):
                raise
            return Change(True, None)
        if isinstance(answer, ConditionFailed):
            item = answer.item
            return Change(lost and item is not None and is_ours(item), item, lost)
        return Change(True, answer.get("Attributes"))

    def call(self, operation: str, tries: int = TRIES, **arguments: Any) -> tuple[Any, bool]:
        """Return the answer, or the refusal, and whether the answer of an earlier try was lost."""
        lost, ends = 0, min(time.monotonic() + CALL_SECONDS, _ends.get())
        while True:
            seconds = ends - time.monotonic()
            try:
                answer = getattr(self.table, operation)(timeout_seconds=seconds, **arguments)
                return answer, lost > 0
            except (ConditionFailed, TransactionCanceled) as refused:
                return refused, lost > 0
            except DynamoDBError as error:
                lost += 1
                is_last = lost == tries or time.monotonic() >= ends
                if is_last or not error.outcome_unknown:
                    self._on_failure(operation, error.response["Error"]["Code"])
                    raise
            except ApplicationError as error:  # no credentials, say
                self._on_failure(operation, error.code)
                raise


def put_both(first: tuple[Items, Item], second: tuple[Items, Item]) -> list[str]:
    """Store two new items, both or none; return why nothing was stored, by item, else nothing."""
    puts = [
        {
            "Put": {
                "TableName": items.table.name,
                "Item": item,
                "ConditionExpression": items.is_absent,
            }
        }
        for items, item in (first, second)
    ]
    reasons: list[str] = []
    for _ in range(TRIES):
        token = os.urandom(16).hex()  # of all tries: what has one token is done once
        answer, _ = first[0].call(
            "transact_write_items", TransactItems=puts, ClientRequestToken=token
        )
        if not isinstance(answer, TransactionCanceled):
            return []
        reasons = [str(reason.get("Code")) for reason in answer.reasons]
        if "TransactionConflict" not in reasons:  # another one is at these items right now
            return reasons
    return reasons


def _placeholders(expressions: str, values: Item, entry: str = "") -> Item:
    """Return the names and values in expressions: many words are reserved, so all are aliased."""
    names = set(re.findall(r"#(\w+)", expressions))
    aliases = {f"#{name}": entry if name == "entry" else name for name in names}
    given = {"ExpressionAttributeValues": values} if values else {}
    return {"ExpressionAttributeNames": aliases, **given}
