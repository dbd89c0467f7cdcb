"""What a message costs: `python -m tests.gateway_load [seconds]`.

5 speakers send 50 messages a second each, 4,300 bytes like 100 ms of audio. First each message is
only answered, then each is posted to 3 listeners through the layer. Clients are a process of their
own; CPU seconds are counted per process.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from websockets.asyncio.client import connect

from wslocal import Emulator, LocalApi
from wslocal.tests.gateway_system import create_api, create_function, create_role, zip_of

SPEAKERS, RATE, LISTENERS, BYTES = 5, 50, 3, 4300
ROOT = Path(__file__).parent.parent

APP = """
import json, os
from shared_utils import Connections

connections = None
def handler(event, context):
    global connections
    if event["requestContext"]["eventType"] != "MESSAGE":
        return {"statusCode": 200}
    asked = json.loads(event["body"])
    me = event["requestContext"]["connectionId"]
    if connections is None:
        connections = Connections(os.environ["API_GATEWAY_ENDPOINT"])
    if asked["action"] == "hello":
        connections.broadcast([me], json.dumps({"me": me}))
    elif asked["action"] == "speak":
        connections.broadcast(asked["to"], json.dumps({"sent": asked["sent"], "data": asked["data"]}))
    return {"statusCode": 200}
"""


def cpu_seconds(pid: int) -> float:
    """Return what a process and its dead children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> dict[str, float]:
    """Return the CPU seconds of the emulator and of the functions."""
    used = {"emulator": 0.0, "functions": 0.0}
    for child in Path(f"/proc/{pid}/task").glob("*/children"):
        for number in child.read_text().split():
            command = Path(f"/proc/{number}/cmdline").read_text()
            for kind, word in (("emulator", "emulator_process"), ("functions", "awslambdaric")):
                if word in command:
                    used[kind] += cpu_seconds(int(number))
    return used


async def speak(url: str, seconds: float, posts: bool, delays: list[float]) -> None:
    async def hello(client):
        await client.send('{"action": "hello"}')
        return json.loads(await client.recv())["me"]

    async def listen(client):
        async for message in client:
            delays.append(time.time() - json.loads(message)["sent"])

    clients = [await connect(url, proxy=None, compression=None) for _ in range(1 + LISTENERS)]
    ids = [await hello(client) for client in clients]
    listening = [asyncio.create_task(listen(client)) for client in clients[1:]]
    data, begun = "x" * BYTES, time.time()
    for number in range(int(seconds * RATE)):
        await asyncio.sleep(max(0, begun + number / RATE - time.time()))
        action = "speak" if posts else "ignore"
        message = {"action": action, "to": ids[1:], "sent": time.time(), "data": data}
        await clients[0].send(json.dumps(message))
    await asyncio.sleep(1)
    for client in clients:
        await client.close()
    await asyncio.gather(*listening)


def clients(url: str, seconds: float, posts: bool, result) -> None:
    async def main():
        delays: list[float] = []
        speakers = (speak(url, seconds, posts, delays) for _ in range(SPEAKERS))
        await asyncio.gather(*speakers)
        return delays

    result.send(asyncio.run(main()))


async def measure(api: LocalApi, seconds: float, posts: bool) -> None:
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=clients, args=(api.url, seconds, posts, there)
    )
    process.start()
    before, own, begun = children(os.getpid()), time.process_time(), api.states()
    done = sum(state.invocations for state in begun)
    delays = await asyncio.to_thread(here.recv)
    after, own = children(os.getpid()), time.process_time() - own
    await asyncio.to_thread(process.join)
    count = sum(state.invocations for state in api.states()) - done
    shares = {kind: (after[kind] - before[kind]) / count * 1000 for kind in after}
    line = f"{'3 posts' if posts else 'answer only'}: {count} invocations, CPU ms each: gateway {own / count * 1000:.2f}"
    line += "".join(f", {kind} {value:.2f}" for kind, value in shares.items())
    print(line)  # noqa: T201
    print(api.states())  # noqa: T201
    if delays:
        cuts = statistics.quantiles(delays, n=100)
        expected = int(seconds * RATE) * SPEAKERS * LISTENERS
        text = f"delivered {len(delays)} of {expected}; ms: median {cuts[49] * 1000:.1f}, p95 {cuts[94] * 1000:.1f}, p99 {cuts[98] * 1000:.1f}"
        print(text)  # noqa: T201


async def main(seconds: float) -> None:
    with Emulator() as emulator, tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "layer.zip"
        version = f"3.{sys.version_info.minor}"
        build = str(ROOT / "shared-layer" / "build.sh")
        subprocess.run(
            [build, "--python", version, "--output", archive], check=True, stdout=subprocess.DEVNULL
        )
        layer = emulator.client("lambda").publish_layer_version(
            LayerName="shared", Content={"ZipFile": archive.read_bytes()}
        )["LayerVersionArn"]
        role = create_role(emulator, "speaker", verbs=["POST"])
        code = {"ZipFile": zip_of({"app.py": APP})}
        function = create_function(emulator, "load", "app.handler", role, Code=code, Layers=[layer])
        api_id = create_api(emulator, {"$default": {"function": function}})
        async with LocalApi(emulator.client, api_id, "dev") as api:
            for posts in (False, True):
                await measure(api, seconds, posts)
            await api.flush()
            assert not api.problems(), api.problems()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10))
