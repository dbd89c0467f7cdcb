"""What does each handler's cold start cost, from the process's start to its first answer?

Every function of the deployed stack, under the official runtime client, in a new environment each
round: `init` is the process, the runtime client and the handler's imports; `first answer` is the
first event after that, with its calls of DynamoDB and of the `@connections` API. boto3's share is
its own number: the same client that the handlers make, in a fresh process in which the runtime
client is loaded. All are wall times of this machine. Run it with `.venv/dev/bin/python`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from local.system import System  # noqa: E402 - needs the path above

BODIES = {
    "connection": {"action": "heartbeat"},
    "session": {"action": "createSession", "sourceLanguage": "en"},
    "audio": {
        "action": "sendAudio",
        "audioData": "AAAA" * 100,
        "sequenceNumber": 0,
        "timestamp": 1,
    },
    "control": {"action": "pauseBroadcast"},
    "listener": {"action": "changeLanguage", "targetLanguage": "es"},
}
SDK = """
import awslambdaric.bootstrap, sys, time
started = time.perf_counter()
import boto3
imported = time.perf_counter()
boto3.client("dynamodb", endpoint_url=sys.argv[1], region_name="us-east-1")
print((imported - started) * 1000, (time.perf_counter() - imported) * 1000)
"""


def event(name: str, number: int) -> dict[str, Any]:
    """Return a MESSAGE event of a client that is not there: the handler does all but please it."""
    body = BODIES[name]
    return {
        "requestContext": {
            "routeKey": body["action"],
            "eventType": "MESSAGE",
            "connectionId": f"nobody{number}=",
            "requestId": f"request{number}=",
            "messageId": f"message{number}=",
            "identity": {"sourceIp": f"127.0.0.{number + 1}"},
            "apiId": "local",
            "stage": "dev",
            "domainName": "localhost",
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


async def measure(rounds: int) -> dict[str, Any]:
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    async with System(settings={"ROUND": "0"}) as system:
        endpoint = system.emulator.endpoint
        for number in range(rounds):
            if number:
                await system.redeploy(in_round(number))
            for name in BODIES:
                function = f"websocket-audio-{system.stage}-{name}"
                await first_answer(system, function, event(name, number), values[name])
            [schedule] = system.schedules
            await first_answer(system, schedule.function, {}, values["housekeeping"])
            sdk = await asyncio.to_thread(time_sdk, endpoint)
            values["boto3"]["import"].append(sdk[0])
            values["boto3"]["client"].append(sdk[1])
    medians = {
        name: {what: round(statistics.median(times), 1) for what, times in parts.items()}
        for name, parts in values.items()
    }
    return {"rounds": rounds, "median_ms": medians, "load": os.getloadavg()}


def in_round(number: int) -> Any:
    """Return an edit that gives every function a new variable, and so new environments."""

    def edit(template: dict[str, Any]) -> dict[str, Any]:
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                resource["Properties"]["Environment"]["Variables"]["ROUND"] = str(number)
        return template

    return edit


async def first_answer(
    system: System, function: str, given: dict[str, Any], values: dict[str, list[float]]
) -> None:
    result = await system.api.invoke(function, given)
    if result.error is not None or result.init_ms is None:
        sys.exit(f"{function}: {result.error or 'was warm'}")
    values["init"].append(result.init_ms)
    values["first answer"].append(result.duration_ms)


def time_sdk(endpoint: str) -> tuple[float, float]:
    run = subprocess.run(
        [sys.executable, "-c", SDK, endpoint], check=True, capture_output=True, text=True
    )
    imported, made = map(float, run.stdout.split())
    return imported, made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    print(json.dumps(asyncio.run(measure(parser.parse_args().rounds)), indent=2))


if __name__ == "__main__":
    main()
