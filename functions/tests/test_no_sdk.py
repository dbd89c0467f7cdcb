"""No function loads an SDK: not at its start, and not with its first message."""

import json
import os
import subprocess
import sys
from pathlib import Path

FUNCTIONS = Path(__file__).parent.parent
LAYER = FUNCTIONS.parent / "shared-layer" / "python"

# Serves one message with every function, in one session from its first message to its end.
SERVE = """
import json
import sys
from importlib import import_module
from pathlib import Path

from shared_utils.testing import FakeConnections, FakeContext, connect_event, message_event

names = sorted(path.stem for path in Path(sys.argv[1]).glob("[!_]*.py"))
modules = {name: import_module(f"handlers.{name}") for name in names}
clients = FakeConnections()
modules["housekeeping"].connections = clients
statuses = {}


def serve(name, connection_id, **body):
    handler = modules[name].app.handler
    handler.connections = clients
    answer = modules[name].handler(message_event(body, connection_id), FakeContext())
    statuses[name] = answer["statusCode"]


serve("session", "speaker", action="createSession", sourceLanguage="en")
[(_, created)] = clients.sent
serve("session", "ann", action="joinSession", sessionId=created["sessionId"], targetLanguage="fr")
serve("listener", "ann", action="changeLanguage", targetLanguage="de")
chunk = {"audioData": "AAAA" * 40, "sequenceNumber": 0, "timestamp": 1_767_225_600_000}
serve("audio", "speaker", action="sendAudio", **chunk)
serve("control", "speaker", action="pauseBroadcast")
serve("connection", "ann", action="heartbeat")
modules["connection"].handler(connect_event(), FakeContext())
statuses["housekeeping"] = modules["housekeeping"].handler({}, FakeContext())["tasks"]
sdk = sorted({name.partition(".")[0] for name in sys.modules} & {"boto3", "botocore", "s3transfer"})
print(json.dumps({"statuses": statuses, "sdk": sdk}))
"""


def test_no_function_loads_an_sdk(tables):
    environ = {
        **{name: os.environ[name] for name in os.environ if name.startswith("AWS_")},
        **{
            f"{name}_TABLE_NAME": os.environ[f"{name}_TABLE_NAME"]
            for name in ("SESSIONS", "CONNECTIONS", "RATE_LIMITS")
        },
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "API_GATEWAY_ENDPOINT": "https://example.execute-api.us-east-1.amazonaws.com/test",
        "PYTHONPATH": os.pathsep.join([str(FUNCTIONS), str(LAYER)]),
    }

    run = subprocess.run(
        [sys.executable, "-c", SERVE, str(FUNCTIONS / "handlers")],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.stderr == ""
    assert json.loads(run.stdout.splitlines()[-1]) == {
        "statuses": {
            **dict.fromkeys(["audio", "connection", "control", "listener", "session"], 200),
            "housekeeping": 1,
        },
        "sdk": [],
    }
