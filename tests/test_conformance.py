"""The gateway behaves as API Gateway and Lambda do: each test is a row of the table in docs/local.md."""

import json

import pytest
from websockets.sync.client import connect

from local.emulator import Emulator
from local.gateway import LocalApi
from local.loop import LoopThread
from tests.gateway_system import create_api, create_function, create_layer, create_role


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def api(emulator):
    role = create_role(emulator, "rich", verbs=["POST", "GET", "DELETE"])
    layer = create_layer(emulator, "helper", {"python/helper.py": "WHERE = 'layer'"})
    doors = create_function(emulator, "doors", "app.doors", role)
    messages = create_function(emulator, "messages", "app.messages", role, Layers=[layer])
    routes = {
        "$connect": {"function": doors},
        "$disconnect": {"function": doors},
        "$default": {"function": messages},
    }
    api_id = create_api(emulator, routes)
    with LoopThread() as loop:
        yield loop.enter(LocalApi(emulator.client, api_id, "dev"))


def test_a_function_posts_to_the_connection(api):
    with connect(api.url, proxy=None) as client:
        client.send('{"action": "nothing"}')
        told = json.loads(client.recv(timeout=20))

    assert told["event"]["requestContext"]["routeKey"] == "$default"
