"""Detects loops of functions that invoke each other, as Lambda does: by the tracing header.

Each SDK sends the header of the invocation that it runs in; Lambda adds to it how often the chain has
come by a function. https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
"""

from __future__ import annotations

import hashlib
import secrets
import time
from urllib.parse import unquote

__all__ = ["MAX_ROUNDS", "passed_on"]

# "approximately 16 times"
MAX_ROUNDS = 16


def passed_on(header: str, function_arn: str) -> tuple[str, int]:
    """Return the tracing header for an invocation of that function, and how often the chain came by it.

    `header` is the caller's own `X-Amzn-Trace-Id`, or empty.
    """
    pairs = [part.partition("=") for part in unquote(header).split(";") if "=" in part]
    fields = {name.strip(): value for name, _, value in pairs}
    fields.setdefault("Root", f"1-{int(time.time()):08x}-{secrets.token_hex(12)}")
    fields.setdefault("Sampled", "0")
    rounds = _rounds(fields.get("Lineage", ""))
    key = hashlib.sha256(function_arn.encode()).hexdigest()[:8]
    rounds[key] = rounds.get(key, 0) + 1
    fields["Lineage"] = "|".join(f"{name}:{count}" for name, count in rounds.items())
    return ";".join(f"{name}={value}" for name, value in fields.items()), rounds[key]


def _rounds(lineage: str) -> dict[str, int]:
    found = [part.rpartition(":") for part in lineage.split("|")]
    return {name: int(count) for name, _, count in found if name and count.isdecimal()}
