"""Does the local system keep up: 5 speakers at 50 messages a second, 3 listeners each?

The system runs as `python -m local up` does, on all cores that are there; the speakers and listeners
share them. Latency is from the moment a speaker sends a chunk to the moment a listener has it. The
first seconds, in which functions start, are told apart. Run it with `.venv/dev/bin/python`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from local.client import SessionClient, connect, stream  # noqa: E402 - needs the path above

SPEAKERS, LISTENERS, PER_SECOND = 5, 3, 50
CHUNK = bytes(640)  # 20 ms of PCM16 at 16 kHz, as 50 a second carry live speech
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


async def session(url: str, seconds: float) -> list[tuple[float, float]]:
    """Return, for each chunk that each listener got, when it was sent and how long it took, in ms."""
    async with contextlib.AsyncExitStack() as stack:
        speaker = await stack.enter_async_context(connect(url))
        created = await speaker.request("createSession", sourceLanguage="en")
        listeners: list[SessionClient] = []
        for language in ("es", "fr", "de")[:LISTENERS]:
            client = await stack.enter_async_context(connect(url))
            await client.request(
                "joinSession", sessionId=created["sessionId"], targetLanguage=language
            )
            listeners.append(client)
        count = int(seconds * PER_SECOND)
        await stream(speaker, [CHUNK] * count, 1 / PER_SECOND)
        got = []
        for client in listeners:
            numbers = set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(20):
                    while len(numbers) < count:
                        chunk = await client.audio.get()
                        if chunk.number not in numbers:
                            numbers.add(chunk.number)
                            got.append((chunk.spoken_at, chunk.heard_at - chunk.spoken_at))
        return got


def quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    rank = {"median": 0.5, "p95": 0.95, "p99": 0.99}
    named = {name: ordered[int(share * (len(ordered) - 1))] for name, share in rank.items()}
    return {**named, "worst": ordered[-1], "mean": statistics.fmean(ordered)}


async def measure(url: str, pid: int, seconds: float, warm_up: float) -> dict[str, object]:
    before = cpu_seconds(pid)
    own = os.times()
    runs = await asyncio.gather(*(session(url, seconds) for _ in range(SPEAKERS)))
    after, own_after = cpu_seconds(pid), os.times()
    rows = [row for run in runs for row in run]
    start = min(sent for sent, _ in rows)
    cpu = {part: after[part] - before[part] for part in sorted(after)}
    cpu["speakers and listeners"] = own_after.user + own_after.system - own.user - own.system
    return {
        "due": SPEAKERS * LISTENERS * int(seconds * PER_SECOND),
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
            report = asyncio.run(measure(url, system.pid, options.seconds, options.warm_up))
        finally:
            system.terminate()
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
