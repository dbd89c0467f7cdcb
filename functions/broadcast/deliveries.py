"""Who takes what is posted: how long a post of audio may take, and who is closed, in this environment's memory.

A connection whose last post timed out or got 429 is a suspect: it is posted to after all others, for
about as long as others take, and not at all while this environment has waited too much in vain. So it delays neither its session's other listeners nor another session.

It is closed after `ROW` such posts, with no other one between them, while at least half of all
posts to others in that time got through, whatever their session. If fewer did, the cause is the
account's rate or the gateway, and nobody is closed. With no posts to others only time-outs count:
one 429 cannot be told from the other.
"""

from __future__ import annotations

import time
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = [
    "GONE",
    "MAX_POST_SECONDS",
    "ROW",
    "SENT",
    "SKIPPED",
    "THROTTLED",
    "TIMEOUT",
    "Deliveries",
]

# What came of a post: these, or another kind that tells nothing of who reads.
SENT, GONE, THROTTLED, TIMEOUT, SKIPPED = "sent", "gone", "throttled", "timeout", "skipped"

ROW = 10

# Ours. A post takes 10 to 20 ms; a listener waits 200 ms for a chunk, and audio that is half a second
# late is no longer played.
MAX_POST_SECONDS = 0.5
# Others' typical time, so many times, is what a post may take; less than this would be noise.
_PATIENCE, _LEAST_SECONDS = 8, 0.05
_SUSPECT_PATIENCE, _LEAST_SUSPECT_SECONDS = 2, 0.01
# Of its time an environment spends so much on waiting in vain, and so many seconds at once.
_WAITING_SHARE, _WAITING_SECONDS = 0.2, 0.1
# When most posts fail, one in so many seconds gets the longest time: maybe all are slow.
_LONG_POST_EVERY_SECONDS = 5.0
_RECENT_SECONDS = 2.0
# Who was posted to such a time ago is no suspect any longer.
_FORGET_SECONDS = 30.0
_MAX_ENTRIES = 1000


class Deliveries:
    """What came of this environment's posts of audio; what is remembered is bounded."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._posts = self._through = 0  # ever
        self._recent_posts = self._recent_through = 0.0  # faded
        self._counted_at = self._refilled_at = clock()
        self._waiting = _WAITING_SECONDS  # what may be spent on waiting in vain
        self._long_post_at = -_LONG_POST_EVERY_SECONDS
        # Seconds of a call in which all got through; 0 as long as none is known.
        self._typical = 0.0
        # Of each suspect the last bad posts: what was counted before it, whether it timed out, and when.
        self._suspects: dict[str, deque[tuple[int, int, bool, float]]] = {}
        self._closed: dict[str, None] = {}

    def sort(self, connection_ids: list[str]) -> tuple[list[str], list[str], dict[str, str]]:
        """Return who is posted to first, the suspects who are after them, and who is not, with why."""
        if not self._suspects and not self._closed:
            return connection_ids, [], {}
        may_wait = self._refill() > 0
        first: list[str] = []
        suspects: list[str] = []
        left_out: dict[str, str] = {}
        for name in connection_ids:
            if name in self._closed:
                left_out[name] = GONE
            elif not self.is_suspect(name):
                first.append(name)
            elif may_wait:
                suspects.append(name)
            else:
                left_out[name] = SKIPPED
        return first, suspects, left_out

    def is_suspect(self, connection_id: str) -> bool:
        """Return whether the last post to a connection timed out or got 429."""
        row = self._suspects.get(connection_id)
        if row is None:
            return False
        if self._clock() - row[-1][3] < _FORGET_SECONDS:
            return True
        del self._suspects[connection_id]
        return False

    def post_seconds(self) -> float:
        """Return how long a post to who is no suspect may take."""
        if not self._typical or self._most_fail():
            return MAX_POST_SECONDS
        seconds = max(_PATIENCE * self._typical, _LEAST_SECONDS)
        if self._refill() <= 0:  # so many are stuck right now that others would wait for them
            seconds /= 2
        return min(seconds, MAX_POST_SECONDS)

    def suspect_seconds(self) -> float:
        """Return how long a post to a suspect may take."""
        now = self._clock()
        if self._most_fail() and now - self._long_post_at >= _LONG_POST_EVERY_SECONDS:
            self._long_post_at = now
            return MAX_POST_SECONDS
        least = _LEAST_SUSPECT_SECONDS if self._typical else _LEAST_SECONDS
        return min(max(_SUSPECT_PATIENCE * self._typical, least), MAX_POST_SECONDS)

    def count_sent(self, num_posts: int, seconds: float) -> None:
        """Count posts of one call, none to a suspect, that all got through in so many seconds."""
        self._count(num_posts, num_posts)
        self._typical += (seconds - self._typical) * (0.1 if self._typical else 1)

    def count(self, kinds: Mapping[str, str], seconds: float) -> list[str]:
        """Count the posts of one call, by what came of each; return the connections to be closed."""
        before = self._posts, self._through
        self._count(len(kinds), sum(kind == SENT for kind in kinds.values()))
        if TIMEOUT in kinds.values():
            self._waiting = max(self._refill() - seconds, -_WAITING_SECONDS)
        stuck = []
        for name, kind in kinds.items():
            row = self._suspects.pop(name, None)
            if kind in (TIMEOUT, THROTTLED):
                row = deque(maxlen=ROW) if row is None else row
                row.append((*before, kind == TIMEOUT, self._clock()))
                self._suspects[name] = row
                _bound(self._suspects)
                if self._is_stuck(row):
                    stuck.append(name)
        return stuck

    def close(self, connection_id: str) -> None:
        """Note that a connection is closed: nothing is posted to it any longer."""
        self._suspects.pop(connection_id, None)
        self._closed[connection_id] = None
        _bound(self._closed)

    def _is_stuck(self, row: deque[tuple[int, int, bool, float]]) -> bool:
        if len(row) < ROW:
            return False
        posts, through, _, _ = row[0]
        to_others = self._posts - posts - ROW
        if to_others == 0:
            return all(timed_out for _, _, timed_out, _ in row)
        return (self._through - through) * 2 >= to_others

    def _count(self, posts: int, through: int) -> None:
        now = self._clock()
        fade = 0.5 ** ((now - self._counted_at) / _RECENT_SECONDS)
        self._counted_at = now
        self._posts += posts
        self._through += through
        self._recent_posts = self._recent_posts * fade + posts
        self._recent_through = self._recent_through * fade + through

    def _most_fail(self) -> bool:
        return self._recent_through * 2 < self._recent_posts

    def _refill(self) -> float:
        """Return how many seconds may be spent on waiting in vain by now."""
        now = self._clock()
        more = (now - self._refilled_at) * _WAITING_SHARE
        self._waiting = min(self._waiting + more, _WAITING_SECONDS)
        self._refilled_at = now
        return self._waiting


def _bound(entries: dict[str, Any]) -> None:
    """Forget the one that was put first when there are too many."""
    if len(entries) > _MAX_ENTRIES:
        entries.pop(next(iter(entries)), None)
