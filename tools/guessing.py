"""What somebody finds who tries session ids or listener keys: the tables of docs/security.md.

A guess is a join that fails. One address has so many a minute as the functions allow; all addresses
together as many as the stage takes messages.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

__all__ = [
    "Attack",
    "Search",
    "duration_text",
    "id_table",
    "key_table",
    "number_text",
    "percent_text",
]

ROOT = Path(__file__).resolve().parent.parent

ADDRESSES = (1, 100, 10_000)
LIVE_SESSIONS = (1, 1_000)
KEY_LENGTHS = (8, 12, 16)
A_DAY = 24 * 60
WORDS = 10_000  # a list of what people choose


class Attack:
    """So many addresses that guess at one of `chances` values, of which `good` are right."""

    def __init__(self, addresses: int, chances: int, good: int = 1) -> None:
        limit = failed_joins_a_minute()
        self.a_minute = min(addresses * limit, messages_a_second() * 60)
        self.chance = good / chances

    def expected(self, minutes: float) -> float:
        """Return how many right guesses are to be expected in a time."""
        return self.a_minute * minutes * self.chance

    def probability(self, minutes: float) -> float:
        """Return how probable at least one right guess is in a time.

        Sessions come and go with their ids, so that no guess is made needless by another.
        """
        return -math.expm1(self.a_minute * minutes * math.log1p(-self.chance))

    def minutes_until_half(self) -> float:
        """Return after how long a right guess is as probable as none."""
        return -math.log(2) / math.log1p(-self.chance) / self.a_minute


class Search(Attack):
    """The same for a value that stays while it is looked for: nothing is tried twice."""

    def probability(self, minutes: float) -> float:
        """Return how probable it is that the value is found in a time."""
        return min(self.expected(minutes), 1)

    def minutes_until_half(self) -> float:
        """Return after how long half of the values have been tried."""
        return 1 / (2 * self.a_minute * self.chance)


def id_table() -> str:
    """Return what those find who try session ids, where no session has a key."""
    rows = [
        "| addresses | guesses a day | sessions that live | found in a day | one at least in a day "
        "| even chance after |",
        "| ---: " * 6 + "|",
    ]
    for addresses in ADDRESSES:
        for live in LIVE_SESSIONS:
            attack = Attack(addresses, session_ids(), live)
            rows.append(
                f"| {addresses:,} | {attack.a_minute * A_DAY:,} | {live:,} "
                f"| {number_text(attack.expected(A_DAY))} | {percent_text(attack.probability(A_DAY))} "
                f"| {duration_text(attack.minutes_until_half())} |"
            )
    return "\n".join(rows)


def key_table() -> str:
    """Return what those find who know a session's id and try its key."""
    hours = session_minutes() / 60
    rows = [
        f"| key | how many there are | addresses | found in the {hours:g} hours of a session "
        "| even chance after |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    letters = len(page_alphabet())
    kinds = {f"a word of a list of {WORDS:,}": WORDS}
    for length in KEY_LENGTHS:
        kinds[f"{length} characters as the page draws them"] = letters**length
    for kind, chances in kinds.items():
        for addresses in ADDRESSES:
            attack = Search(addresses, chances)
            rows.append(
                f"| {kind} | {number_text(chances)} | {addresses:,} "
                f"| {percent_text(attack.probability(session_minutes()))} "
                f"| {duration_text(attack.minutes_until_half())} |"
            )
    return "\n".join(rows)


def session_ids() -> int:
    """Return how many session ids there are."""
    source = (ROOT / "functions/broadcast/names.py").read_text()
    lists = re.findall(r'^[A-Z]+ = """(.*?)""".split\(\)$', source, re.M | re.S)
    return 1000 * math.prod(len(words.split()) for words in lists)


def failed_joins_a_minute() -> int:
    """Return how many joins of one address may fail in a minute, unless a setting says otherwise."""
    return int(_setting("RATE_LIMIT_FAILED_JOINS"))


def session_minutes() -> float:
    """Return how long a session lives, unless a setting says otherwise."""
    return float(_setting("SESSION_MAX_DURATION_HOURS")) * 60


def _setting(name: str) -> str:
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    from infrastructure.settings import LIMITS

    return LIMITS[name]


def messages_a_second() -> int:
    """Return how many messages a stage takes; its source is read, because to import it loads the CDK."""
    source = (ROOT / "infrastructure/api.py").read_text()
    [number] = re.findall(r"^MESSAGES_PER_SECOND = ([0-9_]+)$", source, re.M)
    return int(number)


def page_alphabet() -> str:
    """Return the characters of which the page makes a key."""
    source = (ROOT / "web/core/invitation.js").read_text()
    [alphabet] = re.findall(r'^const ALPHABET = "([^"]+)";$', source, re.M)
    return str(alphabet)


def number_text(number: float) -> str:
    """Return a number as people read it, with two digits that count below a thousand."""
    if number >= 1e9:
        return f"{number:.1e}".replace("e+0", "e").replace("e+", "e")
    if number >= 100:
        return f"{number:,.0f}"
    return _two_digits(number)


def percent_text(probability: float) -> str:
    """Return a probability in percent; what rounds to all or nothing is said to be near it."""
    percent = probability * 100
    if percent > 99.9:
        return "over 99.9 %"
    return "under 0.000001 %" if percent < 1e-6 else f"{_two_digits(percent)} %"


def duration_text(minutes: float) -> str:
    """Return a time in the largest unit of which there is one at least."""
    units = {"years": 365.25 * A_DAY, "days": A_DAY, "hours": 60, "minutes": 1}
    for name, unit in units.items():
        if minutes >= unit:
            return f"{number_text(minutes / unit)} {name}"
    return f"{_two_digits(minutes * 60)} seconds"


def _two_digits(number: float) -> str:
    digits = max(0, 1 - math.floor(math.log10(number)))
    return f"{number:.{digits}f}"
