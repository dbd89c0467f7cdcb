"""The whole system under load for a while: what may not grow, does it? `python -m tests.soak [minutes]`.

Sessions come and go, listeners join, leave and vanish, and every 10 s memory, descriptors, threads and
the delay of audio are noted, of the gateway's process and of the functions'. The emulator is shown and not
judged: it keeps all that is ever written to it, as AWS does.

What is judged: the last third against the middle third, by their medians, so that one moment of a busy
machine is none. The first third is no measure: environments start, caches fill up to their bounds.
What leaks, leaks with each message, connection or session. Ten minutes are 24,000 chunks and 1,000
connections, from third to third 8,000 and 340: beyond its tolerance of 10 MB the gateway is when it keeps
1.3 KB of each chunk or 30 KB of each connection, and, of 12 descriptors, one of each 30 connections.
A smaller leak needs more minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from local.client import SessionClient, SessionClientError, connect, stream
from local.system import System
from local.up import run_until_stopped

SAMPLE_SECONDS = 10.0
# Fewer than six samples have no thirds that say anything.
LEAST_MINUTES = 1.0

SESSIONS, LISTENERS, SESSION_SECONDS, CHUNK_SECONDS = 4, 4, 15.0, 0.1
LANGUAGES = ("de", "fr", "pt-BR")
CHUNK = bytes(3200)  # 100 ms of 16 kHz
SETTINGS = {
    "RATE_LIMIT_SESSION_CREATION": "10000",  # all from one address
    "RATE_LIMIT_CONNECTIONS": "100000",
}


class Tolerance(NamedTuple):
    """How much more the last third may be than the middle one: a share of it, and an amount."""

    share: float
    amount: float


# Memory: pages that the allocator keeps come and go by a few MB. Descriptors: those of sockets that are
# just being closed, and of functions that are started anew. Delay: the machine has other things to do.
TOLERANCES = {
    "memory MB": Tolerance(0.05, 6.0),
    "descriptors": Tolerance(0.05, 12.0),
    "threads": Tolerance(0.0, 3.0),
    "delay ms, p95": Tolerance(0.5, 50.0),
}


class Judgement(NamedTuple):
    """A row of the table: the medians of the middle and the last third, and whether that is flat."""

    name: str
    middle: float
    last: float
    is_flat: bool


def judge(name: str, values: list[float], tolerance: Tolerance) -> Judgement:
    """Compare the last third of some values with the middle third."""
    third = len(values) // 3
    middle = statistics.median(values[third : 2 * third])
    last = statistics.median(values[2 * third :])
    return Judgement(name, middle, last, last <= middle * (1 + tolerance.share) + tolerance.amount)


# --- what is measured -----------------------------------------------------------------------------


def usage(pid: int) -> dict[str, float]:
    """Return what a process holds now; nothing of one that has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return {}
    found = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    kilobytes = int(found.get("VmRSS", "0 kB").split()[0])
    return {
        "memory MB": kilobytes / 1024,
        "descriptors": descriptors,
        "threads": int(found["Threads"]),
    }


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that these have started."""
    found = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, tasks.read_text().split()):
                found += [child, *descendants(child)]
    return found


def kind_of(pid: int) -> str:
    """Return what a process of the system is."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
    if "emulator_process" in command:
        return "emulator"
    return "functions" if "awslambdaric" in command else "others"


@dataclass
class Samples:
    """What was noted, by process and what it is of."""

    values: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def note(self, kind: str, what: str, value: float) -> None:
        """Add a value."""
        self.values.setdefault((kind, what), []).append(value)

    def take(self, pid: int, delays: list[float]) -> None:
        """Note what the system's processes hold, and how late audio was since the last time."""
        kinds: dict[str, dict[str, float]] = {"gateway": usage(pid)}
        for child in descendants(pid):
            held = kinds.setdefault(kind_of(child), {})
            for what, value in usage(child).items():
                held[what] = held.get(what, 0) + value
        for kind, held in kinds.items():
            for what, value in held.items():
                self.note(kind, what, value)
        if len(delays) >= 2:
            self.note("audio", "delay ms, p95", statistics.quantiles(delays, n=20)[-1])

    def judgements(self) -> list[Judgement]:
        """Return a row for each thing that was noted."""
        return [
            judge(f"{kind}: {what}", values, TOLERANCES[what])
            for (kind, what), values in sorted(self.values.items())
            if kind and len(values) >= 6
        ]


# --- the load -------------------------------------------------------------------------------------


@dataclass
class Load:
    """What clients have done; delays in ms since the last sample."""

    sessions: int = 0
    connections: int = 0
    sent: int = 0
    heard: int = 0
    failures: list[str] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    def take_delays(self) -> list[float]:
        """Return the delays since the last time."""
        delays, self.delays = self.delays, []
        return delays


async def broadcast_again_and_again(url: str, load: Load, chance: random.Random) -> None:
    """Open sessions one after the other, until this is cancelled."""
    while True:
        try:
            await broadcast_once(url, load, chance)
        except SessionClientError as error:
            load.failures.append(str(error))
            await asyncio.sleep(1)


async def broadcast_once(url: str, load: Load, chance: random.Random) -> None:
    """Speak for a while to listeners of whom each goes in its own way."""
    async with connect(url) as speaker:
        load.connections += 1
        load.sessions += 1
        created = await speaker.request("createSession", sourceLanguage="en")
        session_id = created["sessionId"]
        listeners = [
            asyncio.create_task(listen(url, session_id, load, chance)) for _ in range(LISTENERS)
        ]
        chunks = [CHUNK] * int(SESSION_SECONDS / CHUNK_SECONDS)

        def count(number: int) -> None:
            load.sent += 1

        try:
            await stream(speaker, chunks, CHUNK_SECONDS, sent=count)
            await speaker.request("pauseBroadcast")
            await speaker.request("getSessionStatus")
            await speaker.request("endSession")
        finally:
            await asyncio.wait(listeners, timeout=10)
            for task in listeners:
                task.cancel()
            await asyncio.gather(*listeners, return_exceptions=True)


async def listen(url: str, session_id: str, load: Load, chance: random.Random) -> None:
    """Listen to the end, or leave, vanish or move to another connection before it."""
    way = chance.choice(("stay", "leave", "vanish", "move"))
    seconds = chance.uniform(1.0, SESSION_SECONDS)
    async with connect(url) as client:
        load.connections += 1
        joined = await client.request(
            "joinSession", sessionId=session_id, targetLanguage=chance.choice(LANGUAGES)
        )
        await hear(client, load, None if way == "stay" else seconds)
        if way == "vanish":
            client.vanish()
        elif way == "move" and not client.ended.is_set():
            await move(url, session_id, joined["refreshToken"], load)


async def move(url: str, session_id: str, token: str, load: Load) -> None:
    """Go on listening on another connection."""
    async with connect(url) as client:
        load.connections += 1
        await client.request("refreshConnection", sessionId=session_id, refreshToken=token)
        await client.request("pausePlayback")
        await client.request("resumePlayback")
        await hear(client, load, None)


async def hear(client: SessionClient, load: Load, seconds: float | None) -> None:
    """Take audio until the session ends, or for so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not client.ended.is_set():
                getting = asyncio.create_task(client.audio.get())
                ending = asyncio.create_task(client.ended.wait())
                try:
                    await asyncio.wait({getting, ending}, return_when=asyncio.FIRST_COMPLETED)
                    if getting.done():
                        load.heard += 1
                        load.delays.append(getting.result().heard_at - getting.result().spoken_at)
                finally:
                    getting.cancel()
                    ending.cancel()


# --- the run --------------------------------------------------------------------------------------


async def serve() -> int:
    """Run the system until this process is ended; say on stdout where it is."""
    async with System(settings=SETTINGS) as system:
        print(json.dumps({"url": system.url}), flush=True)  # noqa: T201
        await asyncio.Event().wait()
    return 0


async def soak(minutes: float) -> tuple[Samples, Load]:
    """Load a system in processes of its own for so many minutes."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.soak", "serve"), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        url = json.loads(await process.stdout.readline())["url"]
        return await load_and_sample(url, process.pid, minutes)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def load_and_sample(url: str, pid: int, minutes: float) -> tuple[Samples, Load]:
    """Keep the system busy, and look at it every few seconds."""
    load, samples = Load(), Samples()
    tasks = []
    for number in range(SESSIONS):
        chance = random.Random(number)  # noqa: S311 - the same load in each run
        tasks.append(asyncio.create_task(broadcast_again_and_again(url, load, chance)))
    ends = time.monotonic() + minutes * 60
    while time.monotonic() < ends:
        await asyncio.sleep(SAMPLE_SECONDS)
        samples.take(pid, load.take_delays())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return samples, load


def report(samples: Samples, load: Load) -> int:
    """Print the table, and return 1 if something that is judged is not flat."""
    print(  # noqa: T201
        f"{load.sessions} sessions, {load.connections} connections, {load.sent:,} chunks sent,"
        f" {load.heard:,} heard, {len(load.failures)} failures of clients"
    )
    for failure in sorted(set(load.failures))[:5]:
        print(f"  {failure}")  # noqa: T201
    print(f"{'':28}{'middle third':>14}{'last third':>14}")  # noqa: T201
    rows = samples.judgements()
    judged = [row for row in rows if not row.name.startswith("emulator")]
    for row in rows:
        verdict = "flat" if row.is_flat else "grows"
        verdict = verdict if row in judged else "not judged"
        print(f"{row.name:28}{row.middle:14,.1f}{row.last:14,.1f}  {verdict}")  # noqa: T201
    if not judged:
        print("nothing was measured")  # noqa: T201
    return 0 if judged and all(row.is_flat for row in judged) else 1


def main(arguments: list[str]) -> int:
    """Run for the minutes of the command line, 10 without."""
    if arguments == ["serve"]:
        return run_until_stopped(serve())
    try:
        minutes = float(arguments[0]) if arguments else 10.0
    except ValueError:
        minutes = 0.0
    if not LEAST_MINUTES <= minutes <= 24 * 60:
        sys.exit(
            f"minutes must be a number from {LEAST_MINUTES:g} to {24 * 60}, got {arguments[0]!r}"
        )
    return report(*asyncio.run(soak(minutes)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
