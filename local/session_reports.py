"""How the sessions are that run now: what the operator's view shows of each, once a second.

Two sources, since log lines are sampled and metrics have no session: the table of sessions says who is
there, and the gateway on this machine says what was posted to whom, with which answer. Of a post only
its type, session, number and time are read; no sound, no text of a caption and no key is kept. Nothing is
counted while nobody watches.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from typing import NoReturn

    from wslocal import Post

    from .page import Page
    from .system import System

__all__ = ["SessionReports", "read_sessions", "reported_sessions"]

Item = dict[str, Any]

_REPORT_SECONDS = 1.0
_MAX_SESSIONS = 50  # a person reads no more at once
# What the median and the 95th percentile are of.
_DELAY_SECONDS, _MAX_DELAYS = 10.0, 2000
# A chunk may be overtaken by others, and is dropped when it is two seconds old. One that was not passed
# on by so many reports later never will be.
_REPORTS_TO_WAIT = 4
# A sender who begins anew counts from 0; no burst is as long as this.
_MAX_JUMP = 1000
_FLOOR = "floor"
_NAMES = (
    *("sessionId", "status", "sourceLanguage", "createdAt", "endsAt", "speakerConnectionId"),
    *("speakerGoneAt", "broadcastState", "listeners", "interpreters"),
)


class _Numbers:
    """The numbers of one sender's chunks that were passed on, and how many were left out."""

    def __init__(self) -> None:
        self._passed: set[int] = set()
        self._next = -1  # the first that is not judged yet; -1 before any
        self._highest = -1
        self._heights: deque[int] = deque(maxlen=_REPORTS_TO_WAIT)  # at the last reports

    def add(self, number: int) -> None:
        if self._next < 0 or abs(number - self._highest) > _MAX_JUMP:
            self._passed.clear()
            self._heights.clear()
            self._next = self._highest = number
        if number >= self._next:
            self._passed.add(number)
            self._highest = max(self._highest, number)

    def missing(self) -> int:
        """Return how many were left out of those that are old enough, each once; to be called once a report."""
        judged = self._heights[0] if len(self._heights) == _REPORTS_TO_WAIT else -1
        self._heights.append(self._highest)
        if self._next < 0 or judged < self._next:
            return 0
        left_out = sum(number not in self._passed for number in range(self._next, judged + 1))
        self._next = judged + 1
        self._passed = {number for number in self._passed if number > judged}
        return left_out


@dataclass(slots=True)
class _Posted:
    """What the gateway saw of one session."""

    senders: dict[str, str] = field(default_factory=dict)  # the connection of each channel's
    numbers: dict[str, _Numbers] = field(default_factory=dict)  # by channel
    delays: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_MAX_DELAYS))
    last_audio_at: int | None = None
    refused: int = 0
    not_passed_on: int = 0
    not_delivered: int = 0


class SessionReports:
    """Counts the posts of sessions that the last report knew; the next report adds the new ones."""

    def __init__(self) -> None:
        self._posted: dict[str, _Posted] = {}
        self._session_of: dict[str, str] = {}  # by connection

    def take(self, post: Post, now: float) -> None:
        """Count a post; `now` is in seconds since the epoch."""
        try:
            message = json.loads(post.body)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        session = message.get("sessionId") or self._session_of.get(post.connection_id)
        posted = self._posted.get(session) if isinstance(session, str) else None
        if posted is None:
            return
        if message.get("type") == "error":
            posted.refused += 1
        # Who has left misses nothing.
        if post.status not in (HTTPStatus.OK, HTTPStatus.GONE):
            posted.not_delivered += 1
        if message.get("type") == "audio" and post.status == HTTPStatus.OK:
            channel = message.get("language") or _FLOOR
            if channel in posted.senders:
                posted.numbers.setdefault(channel, _Numbers()).add(message["sequenceNumber"])
            posted.delays.append((now, now * 1000 - message["speakerTimestamp"]))
            posted.last_audio_at = int(now * 1000)

    def report(self, items: Iterable[Item], now: float) -> dict[str, Any]:
        """Return what is so now of the sessions that are in the table."""
        sessions = sorted(items, key=lambda item: item["createdAt"], reverse=True)
        self._posted = {
            item["sessionId"]: self._posted.get(item["sessionId"]) or _Posted() for item in sessions
        }
        self._session_of = {
            connection: item["sessionId"] for item in sessions for connection in _connections(item)
        }
        reported = [_describe(item, self._posted[item["sessionId"]], now) for item in sessions]
        return {
            "time": int(now * 1000),
            "isOld": False,
            "more": max(len(reported) - _MAX_SESSIONS, 0),
            "sessions": reported[:_MAX_SESSIONS],
        }


def _connections(item: Item) -> list[str]:
    listeners = [entry.get("connectionId", name) for name, entry in item["listeners"].items()]
    interpreters = [entry["connectionId"] for entry in item.get("interpreters", {}).values()]
    return [item["speakerConnectionId"], *listeners, *interpreters]


def _describe(item: Item, posted: _Posted, now: float) -> dict[str, Any]:
    interpreters = item.get("interpreters", {})
    state = item["broadcastState"]
    posted.not_passed_on += _count_missing(item, posted)
    delays = sorted(ms for at, ms in posted.delays if now - at <= _DELAY_SECONDS)
    away_since = item.get("speakerGoneAt")
    languages = Counter(entry["language"] for entry in item["listeners"].values())
    paused = Counter(
        entry["language"] for entry in item["listeners"].values() if entry.get("isPaused")
    )
    return {
        "sessionId": item["sessionId"],
        "sourceLanguage": item["sourceLanguage"],
        "createdAt": int(item["createdAt"]),
        "speaker": item["speakerConnectionId"],
        "connections": sorted(_connections(item)),
        "awaySince": None if away_since is None else int(away_since),
        "state": {"isPaused": state["isPaused"], "isMuted": state["isMuted"]},
        "interpreters": [
            {
                "language": language,
                "connection": entry["connectionId"],
                "seenAt": int(entry["seenAt"]),
            }
            for language, entry in sorted(interpreters.items())
        ],
        "listeners": [
            {"language": language, "count": count, "paused": paused[language]}
            for language, count in sorted(languages.items())
        ],
        "lastAudioAt": posted.last_audio_at,
        "delayMs": {"p50": _share(delays, 0.5), "p95": _share(delays, 0.95)} if delays else None,
        "refused": posted.refused,
        "notPassedOn": posted.not_passed_on,
        "notDelivered": posted.not_delivered,
    }


def _count_missing(item: Item, posted: _Posted) -> int:
    """Return how many chunks were passed on to nobody although there was somebody to hear them."""
    before, posted.senders = posted.senders, _senders(item)
    state = item["broadcastState"]
    heard = set() if state["isPaused"] else _heard_channels(item)
    if state["isMuted"] or "speakerGoneAt" in item:
        heard.discard(_FLOOR)
    posted.numbers = {
        channel: numbers
        for channel, numbers in posted.numbers.items()
        if channel in heard and before.get(channel) == posted.senders.get(channel)
    }
    return sum(numbers.missing() for numbers in posted.numbers.values())


def _senders(item: Item) -> dict[str, str]:
    interpreters = item.get("interpreters", {}).items()
    of_channels = {language: entry["connectionId"] for language, entry in interpreters}
    return {**of_channels, _FLOOR: item["speakerConnectionId"]}


def _heard_channels(item: Item) -> set[str]:
    """Return the channels that somebody hears now, as the functions choose them."""
    channels = item.get("interpreters", {}).keys() - {item["sourceLanguage"]}
    heard = {_FLOOR} if item.get("interpreters") else set()
    for entry in item["listeners"].values():
        tags = (entry["language"], entry["language"].partition("-")[0])
        own = next((tag for tag in tags if tag in channels), _FLOOR)
        if not entry.get("isPaused"):
            heard.add(_FLOOR if entry.get("wantsOriginal") else own)
    return heard


def _share(ordered: list[float], share: float) -> int:
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)])


def read_sessions(client: Any, table: str, now_ms: int) -> list[Item]:
    """Return what stands in the table of the sessions that run; nothing of their keys and tokens is read."""
    from boto3.dynamodb.types import TypeDeserializer

    read = TypeDeserializer().deserialize
    pages = client.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="#status = :active AND #endsAt > :now",
        ProjectionExpression=", ".join(f"#{name}" for name in _NAMES),
        ExpressionAttributeNames={f"#{name}": name for name in _NAMES},
        ExpressionAttributeValues={":active": {"S": "active"}, ":now": {"N": str(now_ms)}},
    )
    return [
        {name: read(value) for name, value in item.items()}
        for page in pages
        for item in page["Items"]
    ]


@contextlib.asynccontextmanager
async def reported_sessions(system: System, page: Page) -> AsyncIterator[None]:
    """Tell the page once a second how the sessions are, while somebody watches, during the block."""
    task = asyncio.create_task(_report_for_ever(system, page))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _report_for_ever(system: System, page: Page) -> NoReturn:
    client = await asyncio.to_thread(system.emulator.client, "dynamodb")
    [table] = [name for name in system.tables if name.startswith("Sessions-")]
    while True:
        await asyncio.sleep(_REPORT_SECONDS)
        if page.is_watched:
            await _report_while_watched(system, page, client, table)


async def _report_while_watched(system: System, page: Page, client: Any, table: str) -> None:
    reports, last, api = SessionReports(), None, system.api
    stop = api.subscribe_to_posts(lambda post: reports.take(post, time.time()))
    try:
        while page.is_watched and api is system.api:
            last = await _report(client, table, reports, last)
            page.publish_sessions(last)
            await asyncio.sleep(_REPORT_SECONDS)
    finally:
        stop()


async def _report(
    client: Any, table: str, reports: SessionReports, last: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """Return the report as of now; the last one, called old, while the table does not answer."""
    try:
        items = await asyncio.to_thread(read_sessions, client, table, time.time_ns() // 1_000_000)
    except (BotoCoreError, ClientError):
        return {**(last or {"time": 0, "more": 0, "sessions": []}), "isOld": True}
    return reports.report(items, time.time())
