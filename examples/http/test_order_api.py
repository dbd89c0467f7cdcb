"""The orders in a dictionary, and events as an HTTP API sends them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from shared_utils import ApplicationError
from shared_utils.testing import CapturedLines, FakeContext

import order_api
from orders import OrderCode


class OrdersInMemory:
    """What `Orders` is to the function, in a dictionary."""

    def __init__(self, orders: dict[str, dict[str, Any]]) -> None:
        self._orders = orders

    def add(self, order: dict[str, Any]) -> None:
        """Keep an order."""
        self._orders[order["orderId"]] = order

    def get(self, order_id: str) -> dict[str, Any]:
        """Return an order, or raise ORDER_NOT_FOUND."""
        if order_id not in self._orders:
            raise ApplicationError(OrderCode.ORDER_NOT_FOUND)
        return self._orders[order_id]


@pytest.fixture(autouse=True)
def orders(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Return the orders of the function; there is one."""
    orders = {"order-1": {"orderId": "order-1", "item": "tea", "quantity": 2}}
    monkeypatch.setattr(order_api, "orders", OrdersInMemory(orders))
    return orders


def http_event(route: str, order_id: str = "", body: str | None = None) -> dict[str, Any]:
    """Return an event of an HTTP API, payload format 2.0."""
    method, _, path = route.partition(" ")
    path = path.replace("{orderId}", order_id)
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
            "requestId": "gateway-1",
        },
        "pathParameters": {"orderId": order_id},
        "body": body,
        "isBase64Encoded": False,
    }


def test_order_is_created(
    orders: dict[str, dict[str, Any]], lambda_context: FakeContext, log_lines: CapturedLines
) -> None:
    event = http_event("POST /orders", body='{"item": "coffee", "quantity": 1}')

    response = order_api.handler(event, lambda_context)

    order = json.loads(response["body"])
    assert response["statusCode"] == 201
    assert response["headers"]["location"] == f"/orders/{order['orderId']}"
    assert orders[order["orderId"]] == order
    assert (order["item"], order["quantity"]) == ("coffee", 1)
    assert log_lines.metrics()["OrdersCreated"] == [1]


def test_order_is_read(lambda_context: FakeContext) -> None:
    response = order_api.handler(http_event("GET /orders/{orderId}", "order-1"), lambda_context)

    assert response["statusCode"] == 200
    assert response["headers"]["content-type"] == "application/json"
    assert json.loads(response["body"]) == {"orderId": "order-1", "item": "tea", "quantity": 2}


def test_order_that_there_is_not_is_refused(
    lambda_context: FakeContext, log_lines: CapturedLines
) -> None:
    response = order_api.handler(http_event("GET /orders/{orderId}", "order-2"), lambda_context)

    assert response["statusCode"] == 404
    assert json.loads(response["body"])["code"] == "ORDER_NOT_FOUND"
    assert log_lines.level("WARN")[0]["correlationId"] == "gateway-1"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, "body"),
        ("tea", "body"),
        ("[]", "body"),
        ('{"item": "tea"}', "body"),
        ("[" * 100_000, "body"),
        ('{"item": "", "quantity": 1}', "item"),
        (r'{"item": "\ud800", "quantity": 1}', "item"),
        ('{"item": "tea", "quantity": true}', "quantity"),
        ('{"item": "tea", "quantity": 101}', "quantity"),
    ],
)
def test_order_that_is_wrong_is_refused(
    lambda_context: FakeContext, log_lines: CapturedLines, body: str | None, field: str
) -> None:
    response = order_api.handler(http_event("POST /orders", body=body), lambda_context)

    assert response["statusCode"] == 400
    assert json.loads(response["body"])["details"] == {"field": field}


@pytest.mark.parametrize("order_id", ["", "x" * 41, "x" * 3000, "\ud800", "order 1", "order-1\n"])
def test_order_that_no_key_can_name_is_not_looked_up(
    order_id: str, monkeypatch: pytest.MonkeyPatch, lambda_context: FakeContext
) -> None:
    monkeypatch.setattr(order_api, "orders", None)

    response = order_api.handler(http_event("GET /orders/{orderId}", order_id), lambda_context)

    assert response["statusCode"] == 404


def test_failure_is_logged_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, lambda_context: FakeContext, log_lines: CapturedLines
) -> None:
    monkeypatch.setattr(order_api, "orders", None)

    response = order_api.handler(http_event("GET /orders/{orderId}", "order-1"), lambda_context)

    reply = json.loads(response["body"])
    assert response["statusCode"] == 500
    assert (reply["code"], reply["correlationId"]) == ("INTERNAL_SERVER_ERROR", "gateway-1")
    assert "NoneType" not in response["body"]
    assert log_lines.level("ERROR")[0]["error"]["type"] == "AttributeError"
