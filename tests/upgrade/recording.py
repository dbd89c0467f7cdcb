"""What a layer is to those who wrote functions against it: its interface, and how old functions answer on it.

`python -m tests.upgrade tests/upgrade/0.1.0 shared-layer.zip` records both of a release; the tests
ask the same of the layer that is there.
"""

import json
import subprocess
import sys
from pathlib import Path

from wslocal import LambdaHost

FOLDER = Path(__file__).parent
# Of a line, what differs from run to run, or says which layer and machine it was.
VARYING = {
    *("timestamp", "requestId", "correlationId", "durationMs", "environment", "stack", "traceId"),
    *("MessageLatency", "Timestamp", "ExecutedVersion", "memoryMb", "coldStart", "ColdStart"),
}


def interface_of(layer: Path):
    """Return what users may rely on of an unpacked layer."""
    done = subprocess.run(
        [sys.executable, "-P", FOLDER / "inspect_layer.py"],
        env={"PYTHONPATH": str(layer / "python"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def answers_of(layer: Path, functions: Path, events):
    """Return what each old function answers and writes, event by event, under Lambda's runtime client."""
    return {name: played(layer, functions, name, events[name]) for name in events}


def played(layer: Path, functions: Path, name: str, events):
    """Return each event with what became of it, in one environment."""
    host = LambdaHost(
        handler=f"{name}.handler", task_root=functions, layer=layer, timeout_seconds=30
    )
    with host:
        results = [host.invoke(event) for event in events]
    return [
        {
            "event": event,
            "error": result.error and result.error.type,
            "payload": steady(result.payload),
            "lines": [steady(line) for line in result.stdout],
        }
        for event, result in zip(events, results, strict=True)
    ]


def steady(value):
    """Return a value without what varies, and JSON in texts read."""
    if isinstance(value, dict):
        return {name: steady(inner) for name, inner in value.items() if name not in VARYING}
    if isinstance(value, list):
        return [steady(inner) for inner in value]
    if isinstance(value, str) and value[:1] == "{":
        return steady(json.loads(value))
    return value
