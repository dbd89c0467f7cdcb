"""Orders over HTTP: create one, read one. For an HTTP API of API Gateway, payload format 2.0."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

from shared_utils import (
    ApplicationError,
    MetricsEmitter,
    ValidationError,
    error_code_of,
    error_response,
    get_structured_logger,
    invocation,
    success_response,
)

from orders import OrderCode, Orders

HEADERS = {"content-type": "application/json", "cache-control": "no-store"}

logger = get_structured_logger("Orders")
metrics = MetricsEmitter()
orders = Orders()


@invocation
@metrics.invocation("Orders")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer a request; whatever fails is answered with its code."""
    try:
        response = ROUTES[event["routeKey"]](event)
    except Exception as error:
        response = refused(error, event["requestContext"]["requestId"])
    return {**response, "headers": HEADERS | response.get("headers", {})}


def create_order(event: dict[str, Any]) -> dict[str, Any]:
    """Keep the order in the body, such as {"item": "tea", "quantity": 2}."""
    order = {"orderId": secrets.token_hex(8), **checked(event.get("body"))}
    orders.add(order)
    metrics.emit_metric("OrdersCreated", 1, "Count", orderId=order["orderId"])
    return success_response(201, order) | {"headers": {"location": f"/orders/{order['orderId']}"}}


def checked(body: str | None) -> dict[str, Any]:
    """Return the fields of an order; raise ValidationError for anything else."""
    try:
        order = json.loads(body or "")
        item, quantity = order["item"], order["quantity"]
    except (KeyError, RecursionError, TypeError, ValueError):
        raise ValidationError("body must be JSON with item and quantity", "body") from None
    if not (isinstance(item, str) and item.isprintable() and 1 <= len(item) <= 40):
        raise ValidationError("item must be 1 to 40 printable characters", "item")
    if type(quantity) is not int or not 1 <= quantity <= 100:
        raise ValidationError("quantity must be a whole number from 1 to 100", "quantity")
    return {"item": item, "quantity": quantity}


def get_order(event: dict[str, Any]) -> dict[str, Any]:
    """Return the order that the path names."""
    order_id = event["pathParameters"]["orderId"]
    if not re.fullmatch("[a-z0-9-]{1,40}", order_id):  # a path may hold what no key does
        raise ApplicationError(OrderCode.ORDER_NOT_FOUND)
    return success_response(200, orders.get(order_id))


def refused(error: Exception, request_id: str) -> dict[str, Any]:
    """Answer what a client may see; of anything else only that it failed."""
    if isinstance(error, ApplicationError) and error.code.status < 500:
        logger.warning("Request refused", error_code=error.code, reason=str(error))
        return error_response(error.code, error.details, message=error.message)
    logger.error("Request failed", error=error)
    return error_response(error_code_of(error), correlation_id=request_id)


ROUTES = {"POST /orders": create_order, "GET /orders/{orderId}": get_order}
