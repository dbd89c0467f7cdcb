"""Counters that all environments share, in DynamoDB: new sessions, failed joins, wrong listener keys.

Each is one conditional update of one item after the other, so that a limit holds however many come
at once. An item is of one window, of a minute; the table's TTL deletes it later.
"""

from __future__ import annotations

import os
import time

from shared_utils.error_codes import ApplicationError

from .pace import MAX_SENDERS
from .tables import TRIES, calls_within, seconds_left
from .values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .tables import Items

    Item = dict[str, Any]

__all__ = ["Counters", "JoinAttempt"]

WINDOW_MS = 60_000

_KEEP_COUNTER_SECONDS = 3600

# A join waits for others of its address that look right now: so long at most, and so that one try of
# a call is left for its own. It asks again after 100 to 300 ms: DynamoDB takes a thousand writes of an
# item in a second, and 200 joins that come at once would use them up if they asked more often.
_MAX_WAIT_SECONDS, _LEAVE_SECONDS = 1.2, 0.6
_WAIT_SECONDS = 0.2
# When to come again who has waited in vain: the others have looked by then.
_BUSY_MS = 1000
# Of an id that is counted: a session's own has less, and a key of DynamoDB holds 2,048 bytes.
_ID_CHARS = 100
# No event looks for so long: who still does has come to harm, and is not waited for.
_LOOK_MS = 5000
# To note how an attempt ended, which nobody waits for long; a failure must not be lost.
_END_SECONDS, _FAILURE_SECONDS = 0.5, 1.0


class JoinAttempt(Value):
    """A join of an address that is counted until it is known not to fail, by its `name` in a window.

    With `retry_after_ms` it is not counted, and must not look: too many have failed, or, if it
    `is_busy`, too many of the address look at this moment.
    """

    key: str
    name: str
    window_start: int = 0
    retry_after_ms: int = 0
    is_busy: bool = False


class Counters:
    """`items` are those of the table for counters; `now_ms` returns milliseconds since the epoch."""

    def __init__(self, items: Items, now_ms: Callable[[], int]) -> None:
        self._items = items
        self._now_ms = now_ms
        self._sleep = time.sleep
        self._full: dict[str, int] = {}  # until when an address may not look, in ms

    # --- new sessions ----------------------------------------------------------------------------

    def count_creation(self, address: str, limit: int) -> int:
        """Count a session made from an address; return 0, or in how many ms the next one may come.

        A window begins with its first session.
        """
        key, now = f"createSession#{address}", self._now_ms()
        item: Item = {}
        for _ in range(TRIES):  # more only when another one opens a window at this very moment
            opened = self._items.update(
                key,
                "SET #windowStart = :now, #count = :one, #expiresAt = :ttl",
                "attribute_not_exists(#identifier) OR #windowStart <= :before",
                {":one": 1, **_times(now)},
                is_ours=lambda item: item["windowStart"] == now,
            )
            if opened.done:
                return 0
            item = opened.item or {}
            counted = self._items.update(
                key,
                "SET #count = #count + :one",
                "#windowStart = :seen AND #count < :limit",
                {":one": 1, ":limit": limit, ":seen": item["windowStart"]},
                only_once=True,
            )
            if counted.done:
                return 0
            if counted.item and counted.item["windowStart"] == item["windowStart"]:
                break
        return _until_the_end(item, now)

    # --- failed joins ----------------------------------------------------------------------------

    def begin_join(self, address: str, limit: int) -> JoinAttempt:
        """Count a join before it looks for its session, unless `limit` of its address have failed.

        Those that look right now count as well, so that of many guesses at once no more than `limit`
        look. They are soon done: this waits for them a while. A window begins with its first join; what
        is left of one that never ends is forgotten with it.

        If DynamoDB fails, this raises, and nobody looks. To let joins through would be worse: whoever
        guesses could make the counter of one address fail, by using it often, and guess on.
        """
        attempt = JoinAttempt(f"joinSession#{address}", os.urandom(8).hex())
        until, now = self._full.get(address, 0), self._now_ms()
        if until > now:
            return attempt.replace(retry_after_ms=until - now)
        ends = time.monotonic() + min(_MAX_WAIT_SECONDS, seconds_left() - _LEAVE_SECONDS)
        while True:
            now = self._now_ms()
            item, is_counted = self._add_attempt(attempt, limit, now, has_failed=False)
            if is_counted:
                return attempt.replace(window_start=int(item["windowStart"]))
            began = item.get("attempts", {}).values()
            if sum(one + _LOOK_MS <= now for one in began) >= limit:
                return attempt.replace(retry_after_ms=self._fill(address, item, now))
            wait = _WAIT_SECONDS * (0.5 + os.urandom(1)[0] / 256)  # not all at once again
            if time.monotonic() + wait > ends:
                return attempt.replace(retry_after_ms=_BUSY_MS, is_busy=True)
            self._sleep(wait)

    def _fill(self, address: str, item: Item, now: int) -> int:
        """Remember that an address may not look for so many ms: what has failed stays so."""
        left = _until_the_end(item, now)
        self._full.pop(address, None)
        self._full[address] = now + left
        if len(self._full) > MAX_SENDERS:
            self._full.pop(next(iter(self._full)), None)
        return left

    def end_join(
        self, attempt: JoinAttempt, *, failed: bool, seconds: float = _END_SECONDS
    ) -> bool:
        """Note that a join that was counted has failed, or count it no longer; return whether it is done.

        If DynamoDB fails, the join stays counted, and its client is not made to suffer from it.
        """
        action, values = "REMOVE #attempts.#entry", {}
        if failed:
            action, values = "SET #attempts.#entry = :failed", {":failed": 0}
            seconds = max(seconds, min(_FAILURE_SECONDS, seconds_left()))
        with calls_within(seconds):
            try:
                self._items.update(
                    attempt.key,
                    action,
                    "#windowStart = :seen",  # else that window is over, and the attempt forgotten
                    {":seen": attempt.window_start, **values},
                    entry=attempt.name,
                )
            except ApplicationError:  # counted where all failures of DynamoDB are
                return False
        return True

    def count_failed_refresh(self, address: str, limit: int) -> None:
        """Count a wrong refresh token of an address with its failed joins, up to `limit`."""
        attempt = JoinAttempt(f"joinSession#{address}", os.urandom(8).hex())
        with calls_within(_END_SECONDS):
            try:
                self._add_attempt(attempt, limit, self._now_ms(), has_failed=True)
            except ApplicationError:  # as above
                pass

    def _add_attempt(
        self, attempt: JoinAttempt, limit: int, now: int, *, has_failed: bool
    ) -> tuple[Item, bool]:
        """Return the counter, and whether an attempt is in it, because fewer than `limit` were.

        Its map `attempts` has, by name, when each began to look, 0 of those that have failed.
        """
        name, item, began = attempt.name, {}, 0 if has_failed else now
        for _ in range(TRIES):  # more only when another one opens a window at this very moment
            added = self._items.update(
                attempt.key,
                "SET #attempts.#entry = :began",
                "#windowStart > :before AND size(#attempts) < :limit",
                {":began": began, ":before": now - WINDOW_MS, ":limit": limit},
                entry=name,
                is_ours=lambda item: name in item["attempts"],
            )
            item = added.item or {}
            if added.done or (item and item["windowStart"] > now - WINDOW_MS):
                return item, added.done
            opened = self._items.update(
                attempt.key,
                "SET #windowStart = :now, #attempts = :attempts, #expiresAt = :ttl",
                "attribute_not_exists(#identifier) OR #windowStart <= :before",
                {":attempts": {name: began}, **_times(now)},
                is_ours=lambda item: name in item["attempts"],
            )
            if opened.done:
                return opened.item or {}, True
        return item, False

    # --- wrong keys ------------------------------------------------------------------------------

    def count_wrong_key(self, session_id: str, limit: int) -> bool:
        """Count a wrong listener key; return whether it is the first one beyond `limit` in a minute.

        Also of an id that no session has: the calls must not differ. It counts in one call, by the
        clock's minutes; an answer that is lost counts once at most, and is never the first one.
        """
        now = self._now_ms()
        start = now - now % WINDOW_MS
        times = {":start": start, ":ttl": _times(now)[":ttl"]}
        with calls_within(_END_SECONDS):
            try:
                counted = self._items.update(
                    f"wrongKey#{session_id[:_ID_CHARS]}#{start // WINDOW_MS}",
                    "SET #count = if_not_exists(#count, :zero) + :one,"
                    " #windowStart = :start, #expiresAt = :ttl",
                    "attribute_not_exists(#identifier) OR #count <= :limit",
                    {":zero": 0, ":one": 1, ":limit": limit, **times},
                    only_once=True,
                )
            except ApplicationError:  # as above
                return False
        item = counted.item or {}
        return counted.done and item.get("count") == limit + 1

    @property
    def ms_of_minute_left(self) -> int:
        """In how many ms wrong keys are counted anew."""
        return WINDOW_MS - self._now_ms() % WINDOW_MS


def _times(now: int) -> Item:
    return {
        ":now": now,
        ":before": now - WINDOW_MS,
        ":ttl": now // 1000 + _KEEP_COUNTER_SECONDS,
    }


def _until_the_end(item: Item, now: int) -> int:
    """Return how many ms a counter's window lasts, whatever the clock of who opened it shows."""
    return min(max(int(item.get("windowStart", now)) + WINDOW_MS - now, 1), WINDOW_MS)
