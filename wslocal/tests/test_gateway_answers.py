"""What the gateway decides of values."""

import json

import pytest

from wslocal.gateway.answers import (
    Failure,
    Returned,
    connect_message,
    connect_status,
    gateway_message,
    read_proxy_answer,
    select_route,
    subprotocol_of,
)
from wslocal.gateway.definition import Api, ApiRoute
from wslocal.gateway.domains import names_of


def route(key):
    return ApiRoute(
        key=key, function_arn="arn", timeout_seconds=None, responds=False, throttle=None
    )


def api(*keys, expression="$request.body.action"):
    routes = {key: route(key) for key in keys}
    names = names_of("id", "dev", "us-east-1", is_endpoint_disabled=False, domains={})
    return Api("id", "dev", expression, routes, {}, names)


@pytest.mark.parametrize(
    ("expression", "text", "key"),
    [
        pytest.param("$request.body.action", '{"action": "a"}', "a", id="plain"),
        pytest.param("${request.body.action}", '{"action": "a"}', "a", id="braces"),
        pytest.param("$request.body.x.y", '{"x": {"y": "a"}}', "a", id="nested"),
        pytest.param("$request.body.x.y", '{"x": "a"}', "$default", id="nested-missing"),
        pytest.param("$request.body.action", '{"action": 1}', "$default", id="number"),
        pytest.param("$request.body.action", '{"action": "b"}', "$default", id="no-route"),
        pytest.param("$request.body.action", '{"action": "$connect"}', "$default", id="reserved"),
        pytest.param("$request.body.action", "[" * 100_000, "$default", id="deep"),
        pytest.param("$request.header.x", '{"x": "a"}', "$default", id="other-expression"),
    ],
)
def test_route_of_a_text(expression, text, key):
    routes = api("a", "$default", "$connect", expression=expression)

    assert select_route(routes, text).key == key


def test_no_route_and_no_default():
    assert select_route(api("a", "$connect"), '{"action": "$connect"}') is None


@pytest.mark.parametrize(
    ("answer", "returned"),
    [
        pytest.param({"statusCode": 200}, Returned(200, {}, None), id="least"),
        pytest.param({"statusCode": "200"}, Returned(200, {}, None), id="status-as-text"),
        pytest.param(
            {"statusCode": 200, "headers": {"A-B": 1}, "body": "x"},
            Returned(200, {"a-b": "1"}, "x"),
            id="all",
        ),
        pytest.param(
            {"statusCode": 200, "body": "w6k=", "isBase64Encoded": True},
            Returned(200, {}, "é"),
            id="base64",
        ),
        pytest.param({"statusCode": 200, "headers": None}, Returned(200, {}, None), id="null"),
        pytest.param(None, None, id="nothing"),
        pytest.param("text", None, id="a-text"),
        pytest.param({"body": "x"}, None, id="no-status"),
        pytest.param({"statusCode": None}, None, id="null-status"),
        pytest.param({"statusCode": 99}, None, id="status-too-small"),
        pytest.param({"statusCode": 600}, None, id="status-too-large"),
        pytest.param({"statusCode": float("inf")}, None, id="infinite-status"),
        pytest.param({"statusCode": 200, "body": {}}, None, id="body-is-no-text"),
        pytest.param({"statusCode": 200, "headers": "x"}, None, id="headers-are-a-text"),
        pytest.param(
            {"statusCode": 200, "body": "?", "isBase64Encoded": True}, None, id="not-base64"
        ),
    ],
)
def test_proxy_answer(answer, returned):
    assert read_proxy_answer(json.dumps(answer).encode()) == returned


@pytest.mark.parametrize("answer", [b"", b"\xff", b"{", b"[" * 100_000])
def test_answer_that_is_not_json(answer):
    assert read_proxy_answer(answer) is None


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Returned(200, {}, None), 101),
        (Returned(299, {}, None), 101),
        (Returned(300, {}, None), 300),
        (Returned(403, {}, None), 403),
        (Returned(199, {}, None), 502),
        (Failure("x", 504), 504),
    ],
)
def test_status_of_connect(outcome, status):
    assert connect_status(outcome) == status


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Returned(403, {}, "no"), "Forbidden"),
        (Returned(199, {}, None), "Bad Gateway"),
        (Returned(499, {}, None), "Refused"),
        (Failure("x", 504), "x"),
    ],
)
def test_message_of_connect(outcome, message):
    assert connect_message(outcome) == message


def test_subprotocol():
    assert subprotocol_of(Returned(200, {"sec-websocket-protocol": "a"}, None)) == "a"
    assert subprotocol_of(Returned(200, {}, None)) is None


def test_gateway_message():
    assert json.loads(gateway_message("Forbidden", "c=", "r=")) == {
        "message": "Forbidden",
        "connectionId": "c=",
        "requestId": "r=",
    }
