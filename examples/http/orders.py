"""The orders in DynamoDB: a table with the key `orderId`, an item for each order."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from shared_utils import ApplicationError, ErrorCodeBase, Table, get_table_name


class OrderCode(ErrorCodeBase):
    """What is refused: value, HTTP status, sentence for people, whether to try again."""

    ORDER_NOT_FOUND = "ORDER_NOT_FOUND", 404, "There is no such order", False


class Orders:
    """All orders."""

    @cached_property
    def _table(self) -> Table:
        return Table(get_table_name("ORDERS_TABLE_NAME", "Orders"))

    def add(self, order: dict[str, Any]) -> None:
        """Keep an order."""
        self._table.put_item(Item=order)

    def get(self, order_id: str) -> dict[str, Any]:
        """Return an order, or raise ORDER_NOT_FOUND."""
        found: dict[str, dict[str, Any]] = self._table.get_item(Key={"orderId": order_id})
        if "Item" not in found:
            raise ApplicationError(OrderCode.ORDER_NOT_FOUND)
        return found["Item"]
