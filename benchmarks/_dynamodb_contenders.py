"""The same four calls of DynamoDB on each client: GetItem, a conditional UpdateItem, Query, TransactWriteItems.

Whatever can be made once is made before the clock starts: clients, tables, and of the arguments what a
program would keep. A builder returns its calls by operation; each gives what its client gives back.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

__all__ = [
    "ANSWERS",
    "BUILDERS",
    "CLIENT",
    "KEYS",
    "OPERATIONS",
    "OURS",
    "ROWS",
    "SESSION",
    "as_typed",
    "typed",
]

OURS, CLIENT, TABLE, SMITHY = "shared_utils", "boto3 client", "boto3 Table", "aws-sdk-dynamodb"
Call = Callable[[], Any]
Item = dict[str, Any]

# A session's item, as the functions store it, with three listeners.
SESSION: Item = {
    "sessionId": "golden-eagle-427",
    "status": "active",
    "sourceLanguage": "en",
    "qualityTier": "standard",
    "audioFormat": {"encoding": "pcm_s16le", "sampleRate": Decimal(16000), "channels": Decimal(1)},
    "partialResults": True,
    "minStability": Decimal("0.85"),
    "maxBufferTimeout": Decimal(5),
    "speakerConnectionId": "Jo5RfdACIAMCIyQ=",
    "speakerTokenHash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "createdAt": Decimal(1769774400000),
    "endsAt": Decimal(1769781600000),
    "expiresAt": Decimal(1769785200),
    "listenerCount": Decimal(3),
    "listeners": {f"Jo{n}fdACIAMCIyQ=": {"language": "de", "isPaused": False} for n in (6, 7, 8)},
    "broadcastState": {"isPaused": False, "isMuted": False, "volume": Decimal(1)},
}
# A session's chunks, one row each.
ROWS: list[Item] = [
    {
        "sessionId": "golden-eagle-427",
        "sequenceNumber": Decimal(number),
        "text": f"What is said in the chunk with the number {number}, and how it goes on.",
        "language": "en",
        "confidence": Decimal("0.9375"),
        "isFinal": number % 2 == 0,
        "receivedAt": Decimal(1769774400000 + 100 * number),
    }
    for number in range(100)
]
KEYS = {"Sessions": {"sessionId": "S"}, "Chunks": {"sessionId": "S", "sequenceNumber": "N"}}
_KEY = {"sessionId": "golden-eagle-427"}
_TOUCH = {
    "Key": _KEY,
    "UpdateExpression": "SET #createdAt = :now",
    "ConditionExpression": "attribute_exists(#sessionId) AND #status = :active",
    "ExpressionAttributeNames": {
        "#createdAt": "createdAt",
        "#sessionId": "sessionId",
        "#status": "status",
    },
    # As it is: so every call gives the same item back.
    "ExpressionAttributeValues": {":now": 1769774400000, ":active": "active"},
}
# By operation its arguments, with plain values as boto3's Table and ours take them.
OPERATIONS: dict[str, dict[str, Any]] = {
    "GetItem": {"TableName": "Sessions", "Key": _KEY, "ConsistentRead": True},
    "UpdateItem": {"TableName": "Sessions", **_TOUCH, "ReturnValues": "ALL_NEW"},
    "Query": {
        "TableName": "Chunks",
        "KeyConditionExpression": "#sessionId = :session",
        "ExpressionAttributeNames": {"#sessionId": "sessionId"},
        "ExpressionAttributeValues": {":session": "golden-eagle-427"},
    },
    "TransactWriteItems": {
        "TransactItems": [
            {"Put": {"TableName": "Chunks", "Item": ROWS[0]}},
            {"Update": {"TableName": "Sessions", **_TOUCH}},
        ]
    },
}
# By operation what DynamoDB gives back, as boto3's Table shows it.
ANSWERS: dict[str, dict[str, Any]] = {
    "GetItem": {"Item": SESSION},
    "UpdateItem": {"Attributes": SESSION},
    "Query": {"Items": ROWS, "Count": 100, "ScannedCount": 100},
    "TransactWriteItems": {},
}
_ITEMS = {"Key", "Item", "ExpressionAttributeValues", "Attributes"}


def typed(value: Any) -> dict[str, Any]:
    """Return a value as DynamoDB's JSON has it."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, dict):
        return {"M": {name: typed(member) for name, member in value.items()}}
    return {"N": str(value)}


def as_typed(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments, or an answer, with its items as DynamoDB's JSON has them."""
    made: dict[str, Any] = {}
    for name, value in arguments.items():
        if name in _ITEMS:
            made[name] = typed(value)["M"]
        elif name == "Items":
            made[name] = [typed(item)["M"] for item in value]
        elif name == "TransactItems":
            made[name] = [{kind: as_typed(part[kind]) for kind in part} for part in value]
        else:
            made[name] = value
    return made


def _own(operation: str) -> dict[str, Any]:
    """Return the arguments of a call on a table, which knows its name."""
    return {name: value for name, value in OPERATIONS[operation].items() if name != "TableName"}


# --- the clients -----------------------------------------------------------------------------------


def build_ours(endpoint: str) -> dict[str, Call]:
    os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = endpoint
    from shared_utils.dynamodb import Table, transact_write_items

    sessions, chunks = Table("Sessions"), Table("Chunks")
    return {
        "GetItem": partial(sessions.get_item, **_own("GetItem")),
        "UpdateItem": partial(sessions.update_item, **_own("UpdateItem")),
        "Query": partial(chunks.query, **_own("Query")),
        "TransactWriteItems": partial(transact_write_items, **OPERATIONS["TransactWriteItems"]),
    }


def build_boto3_client(endpoint: str) -> dict[str, Call]:
    import boto3

    client = boto3.Session().client("dynamodb", endpoint_url=endpoint)
    methods = {
        "GetItem": client.get_item,
        "UpdateItem": client.update_item,
        "Query": client.query,
        "TransactWriteItems": client.transact_write_items,
    }
    return {name: partial(call, **as_typed(OPERATIONS[name])) for name, call in methods.items()}


def build_boto3_table(endpoint: str) -> dict[str, Call]:
    import boto3

    resource = boto3.Session().resource("dynamodb", endpoint_url=endpoint)
    sessions, chunks = resource.Table("Sessions"), resource.Table("Chunks")
    transact = resource.meta.client.transact_write_items  # plain values, too
    return {
        "GetItem": partial(sessions.get_item, **_own("GetItem")),
        "UpdateItem": partial(sessions.update_item, **_own("UpdateItem")),
        "Query": partial(chunks.query, **_own("Query")),
        "TransactWriteItems": partial(transact, **OPERATIONS["TransactWriteItems"]),
    }


def build_smithy(endpoint: str) -> dict[str, Call]:
    """Each call is one turn of a loop that goes on: that costs it about 10 us."""
    from aws_sdk_dynamodb import models
    from aws_sdk_dynamodb.client import AsyncDynamoDBClient
    from aws_sdk_dynamodb.config import AsyncDynamoDBConfig

    loop = asyncio.new_event_loop()
    config = loop.run_until_complete(
        AsyncDynamoDBConfig.resolve(endpoint_uri=endpoint, region=os.environ["AWS_REGION"])
    )
    client = AsyncDynamoDBClient(config)
    atexit.register(lambda: loop.run_until_complete(client.close()))

    def build(operation: str) -> Call:
        method = getattr(client, _snake(operation))
        given = _shape(models, f"{operation}Input", as_typed(OPERATIONS[operation]))
        return lambda: loop.run_until_complete(method(given))

    return {operation: build(operation) for operation in OPERATIONS}


def _snake(name: str) -> str:
    return re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower()


def _shape(models: Any, shape: str, arguments: dict[str, Any]) -> Any:
    """Return the SDK's object of that name for arguments in DynamoDB's JSON."""
    members: dict[str, Any] = {}
    for key, value in arguments.items():
        name = _snake(key)
        if key in _ITEMS:
            members[name] = _values(models, value)
        elif key == "TransactItems":
            members[name] = [_shape(models, "TransactWriteItem", part) for part in value]
        elif key in ("Put", "Update"):
            members[name] = _shape(models, key, value)
        else:
            members[name] = value
    return getattr(models, shape)(**members)


def _values(models: Any, item: dict[str, Any]) -> dict[str, Any]:
    made = {}
    for name, value in item.items():
        [(kind, content)] = value.items()
        inner = _values(models, content) if kind == "M" else content
        made[name] = getattr(models, f"AttributeValue{kind}")(inner)
    return made


BUILDERS: dict[str, Callable[[str], dict[str, Call]]] = {
    OURS: build_ours,
    CLIENT: build_boto3_client,
    TABLE: build_boto3_table,
    SMITHY: build_smithy,
}
