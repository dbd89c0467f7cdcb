"""Settings of the functions that a person gives to `up`: checked by the functions' own code before they run."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from .assembly import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wslocal import Template

__all__ = ["UnusableSettingError", "check_settings", "function_variables"]

# What the functions ask for at their start, and what they say about values that they refuse.
_ASK = """
import json, sys
sys.path[:0] = sys.argv[1:]
from broadcast.settings import BroadcastSettings
from shared_utils.error_codes import ApplicationError
asked = []
class Variables(dict):
    def get(self, name, default=None):
        asked.append(name)
        return super().get(name, default)
problem = ""
BroadcastSettings.read(Variables())
try:
    BroadcastSettings.read(json.load(sys.stdin))
except ApplicationError as error:
    problem = str(error)
print(json.dumps([asked, problem]))
"""


class UnusableSettingError(Exception):
    """A variable that the functions do not have, or a value that they refuse."""


def check_settings(template: Template, given: Mapping[str, str]) -> None:
    """Raise UnusableSettingError for the first of the variables that no function can have so."""
    if not given:
        return
    folders = [str(ROOT / "shared-layer" / "python"), str(ROOT / "functions")]
    run = subprocess.run(
        [sys.executable, "-B", "-c", _ASK, *folders],
        input=json.dumps(dict(given)),
        check=False,
        capture_output=True,
        text=True,
    )
    if run.returncode:
        last = next(reversed(run.stderr.strip().splitlines()), "")
        raise UnusableSettingError(f"the functions' settings cannot be read: {last}")
    asked, problem = json.loads(run.stdout)
    known = sorted({*asked, *function_variables(template)})
    for name in given:
        if name not in known:
            names = ", ".join(known)
            raise UnusableSettingError(f"no function has a variable {name}; they have {names}")
    if problem:
        raise UnusableSettingError(problem)


def function_variables(template: Template) -> dict[str, Any]:
    """Return the variables of the stack's functions; what two have is the same in both."""
    return {
        name: value
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
        for name, value in resource["Properties"]["Environment"]["Variables"].items()
    }
