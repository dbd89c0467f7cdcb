"""Whose key is taken, and how often: values in, values out."""

import calendar

import pytest

from wslocal.gateway.api_keys import (
    AUTHORIZER,
    HEADER,
    ApiKey,
    Quota,
    UsageMeter,
    UsagePlan,
    key_value,
)
from wslocal.gateway.limits import Throttle

NOW = calendar.timegm((2024, 11, 13, 12, 0, 0))  # a Wednesday
DAY = 86_400
VALUE = "apikey1234abcdefghij0123456789"


def key(throttle=None, quota=None, key_id="key"):
    return ApiKey(key_id, VALUE, UsagePlan("plan", throttle, quota))


def statuses(meter, given, *moments):
    refusals = [meter.take(given, moment) for moment in moments]
    return [refusal and int(refusal.status) for refusal in refusals]


def test_no_key():
    refusal = UsageMeter().take(None, NOW)

    assert (refusal.status, refusal.message) == (403, "Forbidden")


def test_plan_without_limits():
    assert statuses(UsageMeter(), key(), NOW, NOW, NOW) == [None, None, None]


def test_throttle_of_a_plan():
    throttled = key(Throttle(1, 2))

    assert statuses(UsageMeter(), throttled, NOW, NOW, NOW, NOW + 1) == [None, None, 429, None]


def test_each_key_has_the_limits_for_itself():
    meter = UsageMeter()
    assert statuses(meter, key(Throttle(1, 1)), NOW, NOW) == [None, 429]

    assert statuses(meter, key(Throttle(1, 1), key_id="other"), NOW) == [None]


@pytest.mark.parametrize(
    ("period", "last_of_it", "first_of_next"),
    [
        pytest.param("DAY", NOW + DAY // 2 - 1, NOW + DAY // 2, id="day"),
        pytest.param("WEEK", NOW + 4.5 * DAY - 1, NOW + 4.5 * DAY, id="week"),
        pytest.param("MONTH", NOW + 17.5 * DAY - 1, NOW + 17.5 * DAY, id="month"),
    ],
)
def test_quota_of_a_period(period, last_of_it, first_of_next):
    limited = key(quota=Quota(2, period))
    moments = NOW, NOW, last_of_it, first_of_next, first_of_next, first_of_next

    assert statuses(UsageMeter(), limited, *moments) == [None, None, 429, None, None, 429]


def test_key_is_in_no_text():
    assert VALUE not in repr(key())


@pytest.mark.parametrize(
    ("expression", "event", "value"),
    [
        pytest.param(HEADER, {"headers": {"X-API-Key": VALUE}}, VALUE, id="header"),
        pytest.param(HEADER, {"headers": {}}, "", id="no-header"),
        pytest.param(
            AUTHORIZER,
            {"headers": {}, "requestContext": {"authorizer": {"usageIdentifierKey": VALUE}}},
            VALUE,
            id="authorizer",
        ),
        pytest.param(
            AUTHORIZER,
            {"headers": {"x-api-key": VALUE}, "requestContext": {}},
            "",
            id="no-authorizer",
        ),
    ],
)
def test_value_of_a_client(expression, event, value):
    assert key_value(expression, event) == value
