"""API keys and usage plans: who may connect through a route with ApiKeyRequired, and how often.

They are API Gateway's for REST APIs, and a WebSocket API's `$connect` can require them:
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-route-request.html
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from .answers import FORBIDDEN, TOO_MANY_REQUESTS, Failure
from .limits import Throttle, TokenBucket

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AUTHORIZER",
    "HEADER",
    "ApiKey",
    "Quota",
    "UsageMeter",
    "UsagePlan",
    "key_value",
    "read_api_keys",
]

# The two expressions that there are for a WebSocket API's keys:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-selection-expressions.html
HEADER = "$request.header.x-api-key"
AUTHORIZER = "$context.authorizer.usageIdentifierKey"

_NO_KEY = Failure(FORBIDDEN, HTTPStatus.FORBIDDEN)
_TOO_MANY = Failure(TOO_MANY_REQUESTS, HTTPStatus.TOO_MANY_REQUESTS)


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `limit` requests in each `DAY`, `WEEK` or `MONTH`, by the calendar in UTC."""

    limit: int
    period: str


@dataclass(frozen=True, slots=True)
class UsagePlan:
    """What the keys of a plan may do; each has the limits for itself."""

    id: str
    throttle: Throttle | None
    quota: Quota | None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that is enabled, in a plan that has the API's stage."""

    id: str
    value: str = field(repr=False)
    plan: UsagePlan


def read_api_keys(client: Any, api_id: str, stage: str) -> dict[str, ApiKey]:
    """Return the keys for a stage by their value; `client` is of apigateway, where they are kept."""
    enabled = {
        item["id"]: item["value"]
        for page in client.get_paginator("get_api_keys").paginate(includeValues=True)
        for item in page["items"]
        if item["enabled"]
    }
    found = {}
    for page in client.get_paginator("get_usage_plans").paginate():
        for item in page["items"]:
            stages = [(one["apiId"], one["stage"]) for one in item.get("apiStages", [])]
            if (api_id, stage) in stages:
                plan = _plan(item)
                for key_id in _keys_of(client, plan.id):
                    if key_id in enabled:
                        found[enabled[key_id]] = ApiKey(key_id, enabled[key_id], plan)
    return found


def _plan(item: Mapping[str, Any]) -> UsagePlan:
    throttle, quota = item.get("throttle") or {}, item.get("quota") or {}
    rate, burst = throttle.get("rateLimit"), throttle.get("burstLimit")
    return UsagePlan(
        id=item["id"],
        throttle=None if rate is None or burst is None else Throttle(float(rate), float(burst)),
        quota=Quota(int(quota["limit"]), quota["period"]) if "limit" in quota else None,
    )


def _keys_of(client: Any, plan_id: str) -> list[str]:
    pages = client.get_paginator("get_usage_plan_keys").paginate(usagePlanId=plan_id)
    return [item["id"] for page in pages for item in page["items"]]


def key_value(expression: str, event: Mapping[str, Any]) -> str:
    """Return the key that a client has given, by the `$connect` event; empty if it has none."""
    if expression == AUTHORIZER:
        authorizer = event["requestContext"].get("authorizer", {})
        return str(authorizer.get("usageIdentifierKey", ""))
    headers = event["headers"].items()
    return next((str(value) for name, value in headers if name.lower() == "x-api-key"), "")


class UsageMeter:
    """Counts what each key has used since the start."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, UsagePlan], TokenBucket] = {}
        self._counts: dict[tuple[str, UsagePlan], tuple[tuple[int, ...], int]] = {}

    def take(self, key: ApiKey | None, now: float) -> Failure | None:
        """Return why a request is refused, or None, and count it; `now` in seconds since the epoch."""
        if key is None:
            return _NO_KEY
        throttle, quota, at = key.plan.throttle, key.plan.quota, (key.id, key.plan)
        if throttle is not None:
            new = TokenBucket(throttle.rate, throttle.burst)
            if not self._buckets.setdefault(at, new).take(now):
                return _TOO_MANY
        if quota is not None:
            period = _period(quota.period, now)
            last, count = self._counts.get(at, (period, 0))
            count = count + 1 if last == period else 1
            if count > quota.limit:
                return _TOO_MANY
            self._counts[at] = period, count
        return None


def _period(name: str, now: float) -> tuple[int, ...]:
    """Return which day, week (from Monday) or month of the calendar it is."""
    moment = time.gmtime(now)
    match name:
        case "MONTH":
            return moment.tm_year, moment.tm_mon
        case "WEEK":
            return (int(now // 86400 - moment.tm_wday),)
    return moment.tm_year, moment.tm_yday
