"""Does the local system keep up: 5 speakers at 50 messages a second, 3 listeners each?

With `--channels N` the 50 messages a second of a session are those of its floor and of N interpreters
together, the same number of each. The floor and each channel have 3 listeners, and the interpreters
hear the floor, too. The system runs as `python -m local up` does, on all cores that are there; the speakers and listeners
share them. Latency is from the moment a speaker sends a chunk to the moment a listener has it. The
first seconds, in which functions start, are told apart. Run it with `.venv/dev/bin/python`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from local.client import SessionClient, connect, stream  # noqa: E402 - needs the path above

SPEAKERS, LISTENERS, PER_SECOND = 5, 3, 50
BYTES_PER_SECOND = 32_000  # of live speech, PCM16 at 16 kHz: 20 ms are 640 bytes
NOT_INTERPRETED, *INTERPRETED = "ja", "de", "fr", "es"
HEARTBEAT_SECONDS = 3.0
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(root: int) -> Counter[str]:
    """Return the CPU time of each part of the system, children that have ended included."""
    found: Counter[str] = Counter()
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_text()
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found[part_of(command)] += (int(fields[11]) + int(fields[12])) / TICKS
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                waiting += map(int, children.read_text().split())
    return found


def part_of(command: str) -> str:
    if "ministack" in command:
        return "emulator"
    return "functions" if "awslambdaric" in command else "gateway"


async def session(
    url: str, seconds: float, languages: list[str]
) -> tuple[int, list[tuple[float, float]]]:
    """Return how many chunks were due, and for each that came when it was sent and how long it took, in ms."""
    async with contextlib.AsyncExitStack() as stack:
        recipients = await participants(url, languages, stack)
        per_second = PER_SECOND / len(recipients)
        count = int(seconds * per_second)
        chunk = bytes(int(BYTES_PER_SECOND / per_second) // 2 * 2)
        beating = [asyncio.create_task(beat(client)) for client in list(recipients)[1:]]
        step = 1 / PER_SECOND  # they do not speak in step
        await asyncio.gather(
            *(
                speak(client, [chunk] * count, 1 / per_second, number * step)
                for number, client in enumerate(recipients)
            )
        )
        everyone = [client for heard in recipients.values() for client in heard]
        got = await asyncio.gather(*(collect(client, count) for client in everyone))
        for task in beating:
            task.cancel()
        return count * len(everyone), [row for rows in got for row in rows]


async def collect(client: SessionClient, count: int) -> list[tuple[float, float]]:
    """Return so many chunks that a client has got, or those that have come in 20 s."""
    rows: dict[int, tuple[float, float]] = {}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(20):
            while len(rows) < count:
                chunk = await client.audio.get()
                rows[chunk.number] = (chunk.spoken_at, chunk.heard_at - chunk.spoken_at)
    return [*rows.values()]


async def participants(
    url: str, languages: list[str], stack: contextlib.AsyncExitStack
) -> dict[SessionClient, list[SessionClient]]:
    """Return the speaker of a new session and its interpreters, each with those who hear it."""

    async def joined(action: str, **fields: object) -> tuple[SessionClient, dict[str, Any]]:
        client = await stack.enter_async_context(connect(url))
        return client, await client.request(action, **fields)

    speaker, created = await joined("createSession", sourceLanguage="en")
    session_id, key = created["sessionId"], created["interpreterKey"]
    recipients: dict[SessionClient, list[SessionClient]] = {speaker: []}
    for language in languages:
        interpreter, _ = await joined(
            "joinAsInterpreter", sessionId=session_id, language=language, interpreterKey=key
        )
        recipients[speaker].append(interpreter)
        recipients[interpreter] = []
    for heard, language in zip(recipients.values(), [NOT_INTERPRETED, *languages], strict=True):
        for _ in range(LISTENERS):
            listener, _ = await joined("joinSession", sessionId=session_id, targetLanguage=language)
            heard.append(listener)
    return recipients


async def speak(
    client: SessionClient, chunks: list[bytes], chunk_seconds: float, offset: float
) -> None:
    await asyncio.sleep(offset)
    await stream(client, chunks, chunk_seconds)


async def beat(interpreter: SessionClient) -> None:
    """Show that an interpreter is there, as its client has to; not all in the same moment."""
    await asyncio.sleep(random.uniform(0, HEARTBEAT_SECONDS))  # noqa: S311 - no secret
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        await interpreter.request("heartbeat")


def quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    rank = {"median": 0.5, "p95": 0.95, "p99": 0.99}
    named = {name: ordered[int(share * (len(ordered) - 1))] for name, share in rank.items()}
    return {**named, "worst": ordered[-1], "mean": statistics.fmean(ordered)}


async def measure(
    url: str, pid: int, seconds: float, warm_up: float, languages: list[str]
) -> dict[str, object]:
    before = cpu_seconds(pid)
    own = os.times()
    runs = await asyncio.gather(*(session(url, seconds, languages) for _ in range(SPEAKERS)))
    after, own_after = cpu_seconds(pid), os.times()
    rows = [row for _, got in runs for row in got]
    due, senders = sum(count for count, _ in runs), 1 + len(languages)
    start = min(sent for sent, _ in rows)
    cpu = {part: after[part] - before[part] for part in sorted(after)}
    cpu["speakers and listeners"] = own_after.user + own_after.system - own.user - own.system
    return {
        "sent": f"in each of {SPEAKERS} sessions {senders} x {PER_SECOND / senders:g} chunks a second:"
        f" the floor's to {LISTENERS} listeners and {len(languages)} interpreters,"
        f" a channel's to {LISTENERS} listeners",
        "due": due,
        "delivered": len(rows),
        "latency_ms": quantiles([ms for sent, ms in rows if sent >= start + warm_up * 1000]),
        "latency_ms_from_cold": quantiles([ms for _, ms in rows]),
        "cpu_seconds": {part: round(spent, 2) for part, spent in cpu.items()},
        "cpu_share": {part: round(spent / sum(cpu.values()), 3) for part, spent in cpu.items()},
        "seconds": seconds,
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--warm-up", type=float, default=5.0)
    parser.add_argument("--channels", type=int, default=0, choices=range(len(INTERPRETED) + 1))
    options = parser.parse_args()
    with subprocess.Popen(
        [sys.executable, "-m", "local", "up", "--no-reload"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as system:
        try:
            lines = (re.search(r"API +(ws://\S+)", line) for line in system.stdout or ())
            url = next(found[1] for found in lines if found)
            languages = INTERPRETED[: options.channels]
            report = asyncio.run(
                measure(url, system.pid, options.seconds, options.warm_up, languages)
            )
        finally:
            system.terminate()
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
