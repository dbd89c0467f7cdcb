"""A stack with other zips than those that its build has left: of one's own build, for this machine."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from .cloudformation import code_place
from .project import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .project import Stack

__all__ = ["with_code"]


def with_code(stack: Stack, instead_of: Callable[[bytes], bytes]) -> Stack:
    """Return the stack with other zips for its code: what `instead_of` makes of each."""
    made = {key: instead_of(archive) for key, archive in stack.archives.items()}
    keys = {key: key_of(archive) for key, archive in made.items()}
    template = copy.deepcopy(stack.template)
    for resource in template["Resources"].values():
        if (place := code_place(resource)) is not None:
            properties, name = place
            if (key := properties[name].get("S3Key")) in keys:
                properties[name]["S3Key"] = keys[key]
    return replace(
        stack,
        template=template,
        archives={keys[key]: archive for key, archive in made.items()},
    )
