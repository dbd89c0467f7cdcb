"""What a function's answer says of the records of a batch.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from wslocal.lambda_host.results import InvocationResult

__all__ = ["failed_items"]


def failed_items(
    result: InvocationResult, items: Collection[str], *, reports: bool
) -> frozenset[str]:
    """Return those of a batch's identifiers that failed: all after an error.

    With `reports` the answer may name some, in `batchItemFailures`; one that names what was not in the
    batch, or is not as documented, fails the whole batch.
    """
    everything = frozenset(items)
    if result.error is not None:
        return everything
    if not reports:
        return frozenset()
    try:
        answer = json.loads(result.body or b"null")
    except ValueError:
        return everything
    if not answer:
        return frozenset()
    if not isinstance(answer, dict):
        return everything
    named = answer.get("batchItemFailures") or []
    if not isinstance(named, list):
        return everything
    failed = [one.get("itemIdentifier") for one in named if isinstance(one, dict)]
    known = [one for one in failed if isinstance(one, str) and one in everything]
    return frozenset(known) if len(known) == len(named) else everything
