"""DynamoDB's requests: which parameters an operation takes, and what may be sent twice.

Values go in as plain Python and come out as typed JSON. What DynamoDB would refuse, or would
overlook (a misspelt parameter), raises here, before anything is sent.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from ._attributes import (
    MAX_ITEM_BYTES,
    AttributeRefused,
    decode_item,
    encode_item,
    encode_key,
    item_size,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Required, TypedDict

    # What the methods of `Table` take, for editors and type checkers; `_PARAMETERS` has the same.

    class _Operation(TypedDict, total=False):
        ExpressionAttributeNames: Mapping[str, str] | None
        ReturnConsumedCapacity: str | None

    class GetItem(_Operation, total=False):
        Key: Required[Mapping[str, Any]]
        ConsistentRead: bool | None
        ProjectionExpression: str | None

    class _Write(_Operation, total=False):
        ConditionExpression: str | None
        ExpressionAttributeValues: Mapping[str, Any] | None
        ReturnValues: str | None
        ReturnItemCollectionMetrics: str | None
        ReturnValuesOnConditionCheckFailure: str | None

    class PutItem(_Write, total=False):
        Item: Required[Mapping[str, Any]]

    class UpdateItem(_Write, total=False):
        Key: Required[Mapping[str, Any]]
        UpdateExpression: str | None

    class DeleteItem(_Write, total=False):
        Key: Required[Mapping[str, Any]]

    class _Page(_Operation, total=False):
        IndexName: str | None
        Select: str | None
        Limit: int | None
        ConsistentRead: bool | None
        ExclusiveStartKey: Mapping[str, Any] | None
        ExpressionAttributeValues: Mapping[str, Any] | None
        ProjectionExpression: str | None
        FilterExpression: str | None

    class Query(_Page, total=False):
        KeyConditionExpression: Required[str]
        ScanIndexForward: bool | None

    class Scan(_Page, total=False):
        TotalSegments: int | None
        Segment: int | None

    class BatchGetItem(TypedDict, total=False):
        ConsistentRead: bool | None
        ProjectionExpression: str | None
        ExpressionAttributeNames: Mapping[str, str] | None

    class TransactWriteItems(TypedDict, total=False):
        TransactItems: Required[Sequence[Mapping[str, Mapping[str, Any]]]]
        ClientRequestToken: str | None
        ReturnConsumedCapacity: str | None
        ReturnItemCollectionMetrics: str | None


__all__ = [
    "READS",
    "decode_items",
    "decoded",
    "encode",
    "encode_sized_item",
    "encode_transaction",
    "is_repeatable",
]

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_MAX_EXPRESSION_BYTES = 4096
_MAX_TRANSACT_ACTIONS = 100

READS = {"GetItem", "Query", "Scan", "BatchGetItem"}
_NAMES = "ExpressionAttributeNames ReturnConsumedCapacity"
_WRITE = (
    f"ConditionExpression ExpressionAttributeValues {_NAMES} ReturnValues ReturnItemCollectionMetrics"
    " ReturnValuesOnConditionCheckFailure"
)
_PAGE = (
    f"IndexName Select Limit ConsistentRead ExclusiveStartKey {_NAMES} ExpressionAttributeValues"
    " ProjectionExpression FilterExpression"
)
_ACTION = (
    "TableName ConditionExpression ExpressionAttributeNames ExpressionAttributeValues"
    " ReturnValuesOnConditionCheckFailure"
)
# By operation, and by kind of a transaction's action. The first one must be there.
_PARAMETERS = {
    name: parameters.split()
    for name, parameters in {
        "GetItem": f"Key ConsistentRead ProjectionExpression {_NAMES}",
        "PutItem": f"Item {_WRITE}",
        "UpdateItem": f"Key UpdateExpression {_WRITE}",
        "DeleteItem": f"Key {_WRITE}",
        "Query": f"KeyConditionExpression ScanIndexForward {_PAGE}",
        "Scan": f"TotalSegments Segment {_PAGE}",
        "BatchGetItem": "ConsistentRead ProjectionExpression ExpressionAttributeNames",
        "TransactWriteItems": (
            "TransactItems ClientRequestToken ReturnConsumedCapacity ReturnItemCollectionMetrics"
        ),
        "Put": f"Item {_ACTION}",
        "Update": f"Key UpdateExpression {_ACTION}",
        "Delete": f"Key {_ACTION}",
        "ConditionCheck": f"Key {_ACTION}",
    }.items()
}
_OPTIONAL = {"Scan", "BatchGetItem"}  # none of theirs must be there
# Beside the first one. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Update.html
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ConditionCheck.html
_ALSO_REQUIRED = {"Update": "UpdateExpression", "ConditionCheck": "ConditionExpression"}
_LEGACY = {
    *("AttributesToGet", "AttributeUpdates", "Expected", "ConditionalOperator"),
    *("KeyConditions", "QueryFilter", "ScanFilter"),
}


def encode(operation: str, parameters: Mapping[str, object], what: str = "") -> dict[str, Any]:
    """Return an operation's parameters, or an action's, as its request holds them.

    Those that are None are left out. Raise TypeError for a parameter that is unknown or absent, and
    `AttributeRefused` for a value; `what` is how the paths in both begin.
    """
    known = _PARAMETERS[operation]
    request: dict[str, Any] = {}
    for name, value in parameters.items():
        if name not in known:
            hint = "is a legacy parameter: write an expression" if name in _LEGACY else "is unknown"
            raise TypeError(f"{operation}: the parameter {what}{name[:60]!s} {hint}")
        if value is not None:
            request[name] = _encoded(name, value, what + name)
    if operation not in _OPTIONAL:
        for name in (known[0], _ALSO_REQUIRED.get(operation, known[0])):
            if name not in request:
                raise TypeError(f"{operation}: the parameter {what}{name} is missing")
    return request


def _encoded(name: str, value: Any, path: str) -> Any:
    if name == "Key":
        return encode_key(value, path)
    if name == "Item":
        return encode_sized_item(value, path)
    if name in ("ExpressionAttributeValues", "ExclusiveStartKey"):
        return encode_item(value, path)
    if name == "TransactItems":
        return value
    if name == "ExpressionAttributeNames":
        return _names(value, path)
    if name.endswith("Expression"):
        return _expression(value, path)
    if not isinstance(value, (str, int)):  # True and False are ints
        raise AttributeRefused(f"must be text, a number or a bool, got {_type(value)}", path)
    if isinstance(value, str):
        _utf8(value, path)
    return value


def encode_sized_item(value: Any, path: str) -> dict[str, Any]:
    """Return an item as typed JSON; raise `AttributeRefused` also if it is too large."""
    item = encode_item(value, path)
    if item_size(item) > MAX_ITEM_BYTES:
        raise AttributeRefused(f"has over {MAX_ITEM_BYTES} bytes", path)
    return item


def _expression(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise AttributeRefused(f"must be an expression's text, got {_type(value)}", path)
    if len(_utf8(value, path)) > _MAX_EXPRESSION_BYTES:
        raise AttributeRefused(f"has over {_MAX_EXPRESSION_BYTES} bytes", path)
    return value


def _utf8(text: str, path: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise AttributeRefused("has a lone surrogate, which is no character", path) from None


def _names(value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise AttributeRefused(f"must be a dict of texts, got {_type(value)}", path)
    for alias, name in value.items():
        if not isinstance(alias, str) or not isinstance(name, str):
            raise AttributeRefused("must be a dict of texts", path)
        _utf8(alias + name, path)
    return dict(value)


def _type(value: object) -> str:
    return type(value).__name__[:40]


def decoded(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an operation's answer with plain values, in the same dict."""
    for name in ("Item", "Attributes", "LastEvaluatedKey"):
        if name in answer:
            answer[name] = decode_item(answer[name])
    if "Items" in answer:
        answer["Items"] = decode_items(answer["Items"])
    metrics = answer.get("ItemCollectionMetrics", {})
    single = "ItemCollectionKey" in metrics
    # A transaction has a list for each table.
    for one in [metrics] if single else [one for several in metrics.values() for one in several]:
        one["ItemCollectionKey"] = decode_item(one["ItemCollectionKey"])
    return answer


def decode_items(items: Iterable[Any]) -> list[dict[str, Any]]:
    """Return items with plain values."""
    return [*map(decode_item, items)]


# --- transactions ------------------------------------------------------------------------------

_ACTIONS = ("Put", "Update", "Delete", "ConditionCheck")


def encode_transaction(parameters: Mapping[str, object], table_name: str = "") -> dict[str, Any]:
    """Return the request of TransactWriteItems; `table_name` is that of actions which name none.

    One token belongs to all attempts of a call. Given by the caller, it spans calls, for the ten
    minutes that DynamoDB remembers it.
    """
    request = encode("TransactWriteItems", parameters)
    actions = request["TransactItems"]
    if not isinstance(actions, (list, tuple)):
        raise AttributeRefused(f"must be a list of actions, got {_type(actions)}", "TransactItems")
    if not 1 <= len(actions) <= _MAX_TRANSACT_ACTIONS:
        wanted = f"must have 1 to {_MAX_TRANSACT_ACTIONS} actions, got {len(actions)}"
        raise AttributeRefused(wanted, "TransactItems")
    request["TransactItems"] = [
        _action(action, f"TransactItems[{n}]", table_name) for n, action in enumerate(actions)
    ]
    request.setdefault("ClientRequestToken", os.urandom(16).hex())
    return request


def _action(action: Any, what: str, table_name: str) -> dict[str, Any]:
    kinds = list(action) if isinstance(action, Mapping) else []
    if len(kinds) != 1 or kinds[0] not in _ACTIONS or not isinstance(action[kinds[0]], Mapping):
        raise AttributeRefused(f"must be a dict with one of {', '.join(_ACTIONS)}", what)
    [kind] = kinds
    request = encode(kind, action[kind], f"{what}.{kind}.")
    if "TableName" not in request:
        if not table_name:
            raise AttributeRefused("must have a TableName", f"{what}.{kind}")
        request["TableName"] = table_name
    return {kind: request}


# --- what may be sent twice --------------------------------------------------------------------

# Names only: an index of a list (`a[9]`) beyond its end appends, and would do so twice.
_PATH = r"#?\w+(\.#?\w+)*"
_ASSIGNMENT = rf"\s*{_PATH}\s*=\s*:\w+\s*"
_SETS_ONLY = rf"(?ai)\s*SET\s{_ASSIGNMENT}(,{_ASSIGNMENT})*"


def is_repeatable(operation: str, request: Mapping[str, Any]) -> bool:
    """Return whether carrying a request out twice is no other than doing so once.

    Reads are; writes without a condition whose outcome and returned values do not depend on what was
    there; and transactions, by their token.
    """
    if operation in READS or operation in ("TransactWriteItems", "BatchWriteItem"):
        return True
    if "ConditionExpression" in request or request.get("ReturnValues", "NONE") != "NONE":
        return False
    update = request.get("UpdateExpression")
    return update is None or re.fullmatch(_SETS_ONLY, update) is not None
