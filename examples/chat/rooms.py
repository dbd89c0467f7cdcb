"""The rooms in DynamoDB: a table with the keys `roomId` and `connectionId`, an item for each member."""

from __future__ import annotations

import time
from functools import cached_property
from typing import Any

from shared_utils import get_table_name

# API Gateway ends a connection after two hours; then DynamoDB removes the item, by its TTL attribute.
CONNECTION_SECONDS = 2 * 3600


class Rooms:
    """Who is in which room."""

    @cached_property
    def _table(self) -> Any:
        import boto3  # type: ignore  # its types are in boto3-stubs

        return boto3.resource("dynamodb").Table(get_table_name("ROOMS_TABLE_NAME", "Rooms"))

    def members(self, room_id: str) -> dict[str, str]:
        """Return the members' names by connection id."""
        answer = self._table.query(
            KeyConditionExpression="roomId = :room",
            ExpressionAttributeValues={":room": room_id},
            ConsistentRead=True,
        )
        return {item["connectionId"]: item["name"] for item in answer["Items"]}

    def add(self, room_id: str, connection_id: str, name: str) -> None:
        """Add a member, or change its name."""
        key = {"roomId": room_id, "connectionId": connection_id}
        self._table.put_item(
            Item={**key, "name": name, "expiresAt": int(time.time()) + CONNECTION_SECONDS}
        )

    def remove(self, room_id: str, connection_id: str) -> None:
        """Remove a member, if it is one."""
        self._table.delete_item(Key={"roomId": room_id, "connectionId": connection_id})
