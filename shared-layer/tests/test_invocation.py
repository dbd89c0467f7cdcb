"""The scope of an invocation: its ids, its cold start, and what is back after a block."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from shared_utils import _invocation


@pytest.fixture
def cold(monkeypatch):
    monkeypatch.setattr(_invocation, "_start", "cold")


def test_a_cold_start_is_counted_once_and_lasts_as_long_as_the_first_invocation(cold):
    before = _invocation.begin({})
    counted = [_invocation.count_cold_start(), _invocation.count_cold_start()]
    during = _invocation.is_cold_start()
    _invocation.end(before)

    assert counted == [True, False]
    assert during
    assert not _invocation.is_cold_start()
    assert not _invocation.count_cold_start()


def test_an_environment_that_was_provisioned_starts_warm(monkeypatch, fresh_module):
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "provisioned-concurrency")

    assert not fresh_module(_invocation).is_cold_start()


@pytest.mark.parametrize(
    ("event", "ids"),
    [
        pytest.param("text", {"requestId": None}, id="text"),
        pytest.param({}, {"requestId": None}, id="empty"),
        pytest.param({"requestContext": 7}, {"requestId": None}, id="no-context"),
        pytest.param(
            {
                "requestContext": {"connectionId": "c", "requestId": "g"},
                "body": '{"requestId":"x"}',
            },
            {"requestId": None, "connectionId": "c", "correlationId": "x"},
            id="the-clients-id",
        ),
        pytest.param(
            {"requestContext": {"connectionId": "c", "requestId": "g"}, "body": '{"requestId":7}'},
            {"requestId": None, "connectionId": "c", "correlationId": "g"},
            id="a-clients-id-that-is-no-text",
        ),
    ],
)
def test_ids_of_an_event_of_any_shape(event, ids):
    assert _invocation.ids_of(event, None) == ids


def test_id_of_a_durable_function_is_lambdas():
    """Its context is the SDK's, which holds Lambda's."""
    of_lambda = SimpleNamespace(aws_request_id="lambda-7")
    durable = SimpleNamespace(lambda_context=of_lambda)

    assert _invocation.ids_of({}, durable) == {"requestId": "lambda-7"}


def test_a_block_that_was_never_entered_leaves_the_scope_as_it_is():
    before = _invocation.scope.get()

    _invocation.leave_block()

    assert _invocation.scope.get() is before
