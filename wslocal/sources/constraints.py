"""What a template allows as the value of a parameter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["broken_constraint"]


def broken_constraint(parameter: Mapping[str, Any], value: str) -> str | None:
    """Return what a value must be and is not; None if it may be what it is.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
    """
    kind = parameter.get("Type", "String")
    if kind == "Number":
        return _broken_number(parameter, value)
    if kind != "String":
        return None
    least, most = _number(parameter.get("MinLength")), _number(parameter.get("MaxLength"))
    if least is not None and len(value) < least:
        return f"{least:g} or more characters long"
    if most is not None and len(value) > most:
        return f"{most:g} or fewer characters long"
    pattern = parameter.get("AllowedPattern")
    try:
        matches = pattern is None or re.fullmatch(pattern, value)
    except re.error:  # one of Java's own
        return None
    return None if matches else f"as {pattern} allows"


def _broken_number(parameter: Mapping[str, Any], value: str) -> str | None:
    number = _number(value)
    least, most = _number(parameter.get("MinValue")), _number(parameter.get("MaxValue"))
    if number is None:
        return "a number"
    if least is not None and number < least:
        return f"{least:g} or more"
    if most is not None and number > most:
        return f"{most:g} or less"
    return None


def _number(value: object) -> float | None:
    try:
        return None if value is None else float(str(value))
    except ValueError:
        return None
