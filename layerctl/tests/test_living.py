"""With the local system: a function written without the layer gets it, runs, and goes back."""

import json
import threading

import pytest
from websockets.sync.client import connect

from wslocal import LocalApi, LoopThread
from wslocal.tests.gateway_system import create_api

from .conftest import HANDLER

# Answers with the number that it was sent, and with the version of the layer that it runs on.
ECHO = """
import importlib.util, json
import shared_utils

WHICH = "newer" if importlib.util.find_spec("extra") else "older"

def handler(event, context):
    number = json.loads(event["body"])["number"]
    return {"statusCode": 200, "body": json.dumps({"number": number, "layer": WHICH})}
"""

AT_ONCE = 6
ENOUGH = 30


@pytest.fixture
def loop():
    with LoopThread() as loop:
        yield loop


def test_function_gets_the_layer_runs_and_loses_it_again(
    ctl, cloud, emulator, loop, layer_zip, newer_zip
):
    layer, prefix = cloud.name("Story"), cloud.name("/story")
    name = cloud.function(cloud.name("greeter"), files={"app.py": HANDLER})
    api = loop.enter(
        LocalApi(
            emulator.client, create_api(emulator, {"greet": {"function": arn(cloud, name)}}), "dev"
        )
    )

    def invoke():
        loop.run(api.reload())
        return loop.run(api.invoke(name, {"name": "world"}))

    def publish(path):
        ctl("publish", path, "--layer", layer, "--parameters", prefix)

    publish(layer_zip)
    without = invoke()
    ctl("attach", "--function", name, "--layer", layer, "--yes")
    attached = invoke()
    publish(newer_zip)
    ctl("attach", "--function", name, "--layer", layer, "--yes")
    ctl("rollback", "--function", name, "--layer", layer, "--yes")
    back = invoke()

    assert without.error.type == "Runtime.ImportModuleError"
    assert attached.payload == back.payload == {"hello": "world"}
    [line] = [json.loads(text) for text in attached.stdout if text.startswith("{")]
    assert (line["component"], line["message"]) == ("Greeter", "hello")
    assert cloud.layers(name) == [f"{layer}:1"]


def test_rollback_while_messages_flow_loses_none(ctl, cloud, emulator, loop, layer_zip, newer_zip):
    layer = cloud.name("Flow")
    cloud.publish(layer, layer_zip.read_bytes())
    newer = cloud.publish(layer, newer_zip.read_bytes())
    name = cloud.function(cloud.name("echo"), (newer,), files={"app.py": ECHO})
    route = {"$default": {"function": arn(cloud, name), "responds": True}}
    api = loop.enter(LocalApi(emulator.client, create_api(emulator, route), "dev"))
    flow = Flow(api.url)

    with flow:
        flow.wait_for("newer")
        result = ctl("rollback", "--function", name, "--layer", layer, "--yes")
        loop.run(api.reload())
        flow.wait_for("older")

    assert result.exit_code == 0, result.output
    assert sorted(flow.answered) == list(range(flow.sent))
    assert {state.errors for state in api.states() if state.name == name} == {0}


class Flow:
    """Sends numbered messages, some at once and without a pause, and keeps each answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._changed = threading.Condition()
        self._ending = False
        self._seen = {"older": 0, "newer": 0}
        self._thread = threading.Thread(target=self._run)
        self.sent = 0
        self.answered: list[int] = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending = True
        self._thread.join()

    def wait_for(self, layer: str) -> None:
        """Wait until enough answers came from this version of the layer."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._seen[layer] >= ENOUGH, timeout=30)

    def _run(self) -> None:
        with connect(self._url, proxy=None) as socket:
            for _ in range(AT_ONCE):
                self._send(socket)
            while len(self.answered) < self.sent:
                answer = json.loads(socket.recv(timeout=20))
                with self._changed:
                    self.answered.append(answer["number"])
                    self._seen[answer["layer"]] += 1
                    self._changed.notify_all()
                if not self._ending:
                    self._send(socket)

    def _send(self, socket) -> None:
        socket.send(json.dumps({"action": "echo", "number": self.sent}))
        self.sent += 1


def arn(cloud, name):
    return cloud.functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
