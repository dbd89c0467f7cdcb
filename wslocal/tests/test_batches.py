"""What a function's answer says of a batch: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html"""

import json

import pytest

from wslocal.events.batches import failed_items
from wslocal.lambda_host.results import FunctionError, InvocationResult

ITEMS = ["1", "2"]
ALL, NONE = {"1", "2"}, set()


def result(body, error=None):
    return InvocationResult("id", body, error, [], [], 1.0, None)


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        pytest.param({"batchItemFailures": [{"itemIdentifier": "2"}]}, {"2"}, id="one"),
        pytest.param({"batchItemFailures": []}, NONE, id="empty-list"),
        pytest.param({"batchItemFailures": None}, NONE, id="null-list"),
        pytest.param({}, NONE, id="empty"),
        pytest.param(None, NONE, id="null"),
        pytest.param({"other": 1}, NONE, id="other"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": ""}]}, ALL, id="empty-identifier"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": None}]}, ALL, id="null-identifier"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": [1]}]}, ALL, id="list-identifier"),
        pytest.param({"batchItemFailures": [{"identifier": "1"}]}, ALL, id="bad-key"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": "3"}]}, ALL, id="unknown"),
        pytest.param({"batchItemFailures": ["1"]}, ALL, id="no-object"),
        pytest.param({"batchItemFailures": "1"}, ALL, id="no-list"),
        pytest.param("text", ALL, id="text"),
    ],
)
def test_answer(answer, failed):
    assert failed_items(result(json.dumps(answer).encode()), ITEMS, reports=True) == failed


def test_answer_that_is_no_json():
    assert failed_items(result(b"{"), ITEMS, reports=True) == ALL


def test_answer_of_a_function_that_does_not_report():
    body = json.dumps({"batchItemFailures": [{"itemIdentifier": "2"}]}).encode()

    assert failed_items(result(body), ITEMS, reports=False) == NONE


@pytest.mark.parametrize("reports", [True, False])
def test_error(reports):
    assert failed_items(result(None, FunctionError("E", "m")), ITEMS, reports=reports) == ALL
