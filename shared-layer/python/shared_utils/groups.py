"""Who is connected, in which group: chat rooms, games, channels; one DynamoDB table, and broadcasts.

A join writes two items, first `connection#<id>` / group, then `group#<name>` / connection id. The
second one makes a member; a leave reads the first ones, all in one partition, and deletes the
second ones. So both directions are a consistent Query of the table, and no crash between two
requests, nor a join and a leave at once, makes a member that a later leave would not find. A
leave keeps the items of the first kind, which DynamoDB's TTL deletes at no cost: a join costs 2 write units, a leave 1
for each group. A transaction would cost 4 and 4; an index costs 2 and 2, and may not show yet what
has just been joined. Other items may be in the table, under other keys.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from .connections import Connections, checked_connection_id, invalid_parameter
from .dynamodb import AttributeRefused, Table
from .error_codes import ApplicationError, ErrorCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    from .connections import BroadcastResult

    class Sender(Protocol):
        """`Connections`, or the `Request` of a handler."""

        def broadcast(self, connection_ids: Iterable[str], message: Any, /) -> BroadcastResult: ...


__all__ = ["GROUPS_TABLE", "Groups"]

#: The properties of AWS::DynamoDB::Table for CloudFormation, SAM and CDK. CreateTable takes them too,
#: but for the last one, which is UpdateTimeToLive's.
GROUPS_TABLE: Mapping[str, Any] = {
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
    "TimeToLiveSpecification": {"AttributeName": "expiresAt", "Enabled": True},
}

# A WebSocket API's connection ends after two hours at the latest:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
_CONNECTION_SECONDS = 2 * 3600
# Ours. An item for leaving lives as long, so that it is there as long as any member is.
_MAX_TTL_SECONDS = 24 * 3600
# Ours: with 4 bytes each they fit a sort key, which may have 1,024 bytes.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-partition-sort-keys
_MAX_GROUP_CHARS = 256


class Groups:
    """The groups of one table: its name, or a `Table` with settings of its own.

    Groups come into being when somebody joins. Whatever is no group's name, connection's id or number
    of seconds is an `ApplicationError` with VALIDATION_INVALID_PARAMETER and its `field` in `details`;
    what DynamoDB refuses is a `DynamoDBError`. A group is one partition: up to 1,000 joins a second.
    """

    def __init__(self, table: Table | str, *, clock: Callable[[], float] = time.time) -> None:
        """Open nothing. A name's settings are read by the first call; a `Table` can be prepared."""
        if not isinstance(table, str) and not hasattr(table, "batch_write"):
            raise ApplicationError(
                ErrorCode.INTERNAL_CONFIGURATION_ERROR,
                f"Groups takes a table's name or a Table, got {type(table).__name__[:40]}",
            )
        self._named = table
        self._clock = clock

    @property
    def _table(self) -> Table:
        if isinstance(self._named, str):
            self._named = Table(self._named)
        return self._named

    def join(
        self,
        group: str,
        connection_id: str,
        ttl_seconds: int = _CONNECTION_SECONDS,
        *,
        info: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a connection a member for at least `ttl_seconds` (1 to 86,400), from now.

        `info` is what `members` says of it, such as a name: a dict of what DynamoDB stores. Whoever is in the group already gets the
        new time and the new `info`. Do not call it in `$connect`: until that has answered, each post
        gets 410, by which a broadcast takes a connection for gone.
        """
        group, connection_id = _checked_group(group), checked_connection_id(connection_id)
        if type(ttl_seconds) is not int or not 1 <= ttl_seconds <= _MAX_TTL_SECONDS:
            raise invalid_parameter(
                "ttlSeconds", f"a whole number from 1 to {_MAX_TTL_SECONDS}", ttl_seconds
            )
        if not isinstance(info, (Mapping, type(None))):
            raise invalid_parameter("info", "a dict", info)
        now = math.ceil(self._clock())
        for_leaving = {"pk": f"connection#{connection_id}", "sk": group}
        self._table.put_item(Item={**for_leaving, "expiresAt": now + _MAX_TTL_SECONDS})
        member = {**_member_key(group, connection_id), "info": dict(info or {})}
        try:
            self._table.put_item(Item={**member, "expiresAt": now + ttl_seconds})
        except AttributeRefused as refused:  # all else in the item is checked before
            path = refused.path.removeprefix("Item.")
            raise ApplicationError(
                ErrorCode.VALIDATION_INVALID_PARAMETER,
                f"{path if path.startswith('info') else 'info'} {refused.problem}",
                {"field": "info"},
            ) from refused

    def leave(self, connection_id: str, group: str | None = None) -> None:
        """Take a connection out of a group, or out of all; fine if it is in none."""
        connection_id = checked_connection_id(connection_id)
        if group is not None:
            groups = [_checked_group(group)]
        else:
            groups = [item["sk"] for item in self._items(f"connection#{connection_id}")]
        self._table.batch_write(deletes=[_member_key(group, connection_id) for group in groups])

    def members(self, group: str) -> dict[str, dict[str, Any]]:
        """Return each member's `info` by connection id, without those whose time is over.

        Numbers in it come back as `Decimal`.
        """
        items = self._items(
            f"group#{_checked_group(group)}",
            FilterExpression="expiresAt > :now",
            ExpressionAttributeValues={":now": math.floor(self._clock())},
            ProjectionExpression="sk, info",
        )
        return {item["sk"]: item["info"] for item in items}

    def broadcast(
        self,
        group: str,
        message: object,
        sender: Sender | None = None,
        *,
        exclude: Iterable[str] = (),
    ) -> BroadcastResult:
        """Send to all members but `exclude`, and take those who are gone out of the group.

        `sender` is the handler's `Request`, which leaves time for the reply, or a `Connections`; by
        default that of API_GATEWAY_ENDPOINT. If DynamoDB fails or refuses after the posts, for
        whatever reason, the result is returned all the same, and the error is logged by the standard
        `logging`: the next broadcast takes out those who are gone.
        """
        if isinstance(exclude, str):
            raise invalid_parameter("exclude", "several connection ids", exclude)
        excluded = {*exclude}
        to = [name for name in self.members(group) if name not in excluded]
        if sender is None:
            sender = Connections.from_event(None)
        result = sender.broadcast(to, message)
        try:
            self._table.batch_write(deletes=[_member_key(group, name) for name in result.gone])
        except ApplicationError as error:
            # A raised error would make callers post again.
            import logging

            logging.getLogger(__name__).error(
                "%d gone connections are not taken out of their group",
                len(result.gone),
                exc_info=error,
            )
        return result

    def _items(self, partition: str, **parameters: Any) -> Iterable[dict[str, Any]]:
        values = {":pk": partition, **parameters.pop("ExpressionAttributeValues", {})}
        return self._table.query_all(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=values,
            ConsistentRead=True,
            **parameters,
        )


def _member_key(group: str, connection_id: str) -> dict[str, str]:
    return {"pk": f"group#{group}", "sk": connection_id}


def _checked_group(group: object) -> str:
    name = str.__str__(group) if isinstance(group, str) else ""
    if 0 < len(name) <= _MAX_GROUP_CHARS and name.isprintable():  # a lone surrogate is not
        return name
    raise invalid_parameter("group", f"1 to {_MAX_GROUP_CHARS} printable characters", group)
