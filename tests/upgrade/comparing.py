"""What of an old interface is not in a new one, in sentences; and whether an answer still holds what it did."""

import inspect
import re
from inspect import Parameter

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
_OPEN = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
# A refusal that lists what may be: what is added makes the list longer.
_CHOICES = re.compile(r"(?P<subject>.* must be one of )(?P<choices>.*)(?P<got>, got .*)")


def parameters(call: str) -> list[Parameter]:
    """Return the parameters of a recorded call, such as `self, text, *, size=0`."""
    function = eval(f"lambda {call}: None")  # noqa: S307 - of our own records
    return [*inspect.signature(function).parameters.values()]


def refusals(old: str | None, new: str | None) -> list[str]:
    """Return why calls that the old one takes are not taken by the new one."""
    if old is None:
        return []
    if new is None:
        return ["cannot be called"]
    before, after = parameters(old), parameters(new)
    positions = [one for one in after if one.kind in _POSITIONAL]
    names = {one.name: one for one in after if one.kind in _BY_NAME}
    open_kinds = {one.kind for one in after if one.kind in _OPEN}
    said = [f"takes no further {one}" for one in before if one.kind in {*_OPEN} - open_kinds]
    known = set()
    for place, one in enumerate(one for one in before if one.kind in _POSITIONAL):
        if place < len(positions):
            known |= {positions[place].name} if one.default is one.empty else set()
            if one.kind is Parameter.POSITIONAL_OR_KEYWORD and one.name != positions[place].name:
                said.append(f"takes {positions[place].name} in the place of {one.name}")
        elif Parameter.VAR_POSITIONAL not in open_kinds:
            said.append(f"takes {one.name} by name only, or not at all")
    for one in before:
        if one.kind in _BY_NAME:
            known |= {one.name} if one.default is one.empty else set()
            if one.name not in names and Parameter.VAR_KEYWORD not in open_kinds:
                said.append(f"takes no {one.name}")
    said += [
        f"wants {one.name}"
        for one in after
        if one.kind not in _OPEN and one.default is one.empty and one.name not in known
    ]
    return said


def announced(changelog: str, since: str) -> set[str]:
    """Return the first name of each line that says what was renamed or removed, in versions after `since`."""
    newer = re.split(rf"^## {re.escape(since)}\b", changelog, flags=re.MULTILINE)[0]
    return {*re.findall(r"^- (?:Renamed|Removed): `([\w.]+)`", newer, re.MULTILINE)}


def unrecorded(changelog: str, current: str, records: set[str]) -> set[str]:
    """Return the versions that were released before the current one, with a date, and have no record."""
    released = re.findall(r"^## ([0-9.]+) - [0-9]{4}-", changelog, re.MULTILINE)
    return {one for one in released if in_order(one) < in_order(current)} - records


def in_order(version: str) -> list[int]:
    """Return a version such as 0.10.0 as what sorts."""
    return [int(part) for part in version.split(".")]


def holds(new, old) -> bool:
    """Return whether a value is what it was; objects may have more members than they had, and so may choices."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(
            name in new and holds(new[name], value) for name, value in old.items()
        )
    if isinstance(old, list):
        return (
            isinstance(new, list)
            and len(new) == len(old)
            and all(holds(one, other) for one, other in zip(new, old, strict=True))
        )
    if isinstance(new, str) and isinstance(old, str):
        now, before = _CHOICES.fullmatch(new), _CHOICES.fullmatch(old)
        if now and before:
            kept = {*before["choices"].split(", ")} <= {*now["choices"].split(", ")}
            return kept and now["subject"] == before["subject"] and now["got"] == before["got"]
    return type(new) is type(old) and new == old
