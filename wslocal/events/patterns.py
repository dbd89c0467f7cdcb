"""Event patterns: which records of a queue or stream a function wants to have.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeGuard

from .errors import EventError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["matches", "read_pattern"]

_MISSING = object()
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, limit: value == limit,
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}


def read_pattern(text: str, where: str) -> dict[str, Any]:
    """Return a pattern; EventError, which names `where` it stands, for one that is not understood."""
    try:
        pattern = json.loads(text)
    except ValueError as error:
        raise EventError(f"the filter of {where} is no JSON: write it as a JSON object") from error
    _check(pattern, where)
    checked: dict[str, Any] = pattern
    return checked


def _check(pattern: object, where: str) -> None:
    if not isinstance(pattern, dict) or not pattern:
        raise EventError(f"the filter of {where} must be a JSON object that names fields")
    for key, wanted in pattern.items():
        if key == "$or":
            if not isinstance(wanted, list) or len(wanted) < 2:
                raise EventError(f"$or in the filter of {where} must be a list of patterns")
            for one in wanted:
                _check(one, where)
        elif isinstance(wanted, list):
            for rule in wanted:
                _check_rule(rule, f"{key} in the filter of {where}")
        elif isinstance(wanted, dict):
            _check(wanted, where)
        else:
            raise EventError(
                f"{key} in the filter of {where} must be a list of values or an object"
            )


def _check_rule(rule: object, where: str) -> None:
    if isinstance(rule, list):
        raise EventError(f"{where} must be a list of values, not of lists")
    if not isinstance(rule, dict):
        return
    if len(rule) != 1:
        raise EventError(f"{where} must have one operator in each object")
    [(operator, operand)] = rule.items()
    takes = _OPERANDS.get(operator)
    if takes is None:
        known = ", ".join(_OPERANDS)
        raise EventError(f"{where} has the operator {operator}: only {known} and $or are played")
    if not takes(operand):
        raise EventError(f"{where} has what {operator} does not take")


def matches(pattern: Mapping[str, Any], event: object) -> bool:
    """Return whether an event has what each field of a checked pattern wants."""
    return all(_field_matches(key, wanted, event) for key, wanted in pattern.items())


def _field_matches(key: str, wanted: Any, event: object) -> bool:
    if key == "$or":
        return any(matches(one, event) for one in wanted)
    value = event.get(key, _MISSING) if isinstance(event, dict) else _MISSING
    if isinstance(wanted, dict):
        inner = value if isinstance(value, list) else [value]
        return any(matches(wanted, one) for one in inner)
    return any(_rule_matches(rule, value) for rule in wanted)


def _rule_matches(rule: Any, value: object) -> bool:
    """Return whether a value, or one of a list of them, is as a rule wants it."""
    if isinstance(rule, dict) and "exists" in rule:
        is_leaf = value is not _MISSING and not isinstance(value, dict)
        return bool(rule["exists"]) is is_leaf
    if value is _MISSING:
        return False
    if isinstance(value, list):
        return any(_value_matches(rule, one) for one in value)
    return _value_matches(rule, value)


def _value_matches(rule: Any, value: object) -> bool:
    if not isinstance(rule, dict):
        return _equal(rule, value)
    [(operator, operand)] = rule.items()
    if operator == "numeric":
        return _is_number(value) and all(
            _COMPARISONS[sign](value, limit) for sign, limit in _pairs(operand)
        )
    if operator == "anything-but":
        return not any(_value_matches(one, value) for one in _listed(operand))
    if not isinstance(value, str) or not isinstance(operand, str):
        return False
    if operator == "prefix":
        return value.startswith(operand)
    if operator == "suffix":
        return value.endswith(operand)
    return value.casefold() == operand.casefold()  # equals-ignore-case


def _equal(wanted: object, value: object) -> bool:
    """Return whether JSON values are equal: `true` is no 1."""
    return wanted == value and isinstance(wanted, bool) == isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _pairs(operand: list[Any]) -> Iterator[tuple[str, float]]:
    return zip(operand[::2], operand[1::2], strict=True)


def _listed(operand: object) -> list[Any]:
    return operand if isinstance(operand, list) else [operand]


def _is_comparison(operand: object) -> bool:
    return (
        isinstance(operand, list)
        and len(operand) in {2, 4}
        and all(sign in _COMPARISONS and _is_number(limit) for sign, limit in _pairs(operand))
    )


def _is_excluded(operand: object) -> bool:
    """Return whether `anything-but` takes it: values, or one of its own operators on a text."""
    if isinstance(operand, dict):
        [*pairs] = operand.items()
        return len(pairs) == 1 and pairs[0][0] in _TEXT_OPERATORS and isinstance(pairs[0][1], str)
    return bool(_listed(operand)) and all(
        isinstance(one, str) or _is_number(one) for one in _listed(operand)
    )


_TEXT_OPERATORS = ("prefix", "suffix", "equals-ignore-case")
_OPERANDS: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(_TEXT_OPERATORS, lambda operand: isinstance(operand, str)),
    "numeric": _is_comparison,
    "exists": lambda operand: isinstance(operand, bool),
    "anything-but": _is_excluded,
}
