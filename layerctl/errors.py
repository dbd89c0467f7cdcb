"""What an operator can meet: each error is one line that says what to do, never a stack trace."""

from __future__ import annotations

__all__ = [
    "COMMAND",
    "AwsError",
    "LayerctlError",
    "RefusedError",
    "StoppedError",
    "WrongInputError",
]

# How remedies write our own commands, so that they can be copied.
COMMAND = "layerctl"


class LayerctlError(Exception):
    """The root. `exit_code` is 2 when nothing was changed, 1 when something was."""

    exit_code = 2


class WrongInputError(LayerctlError):
    """What was named does not exist, or is not what it should be."""


class RefusedError(LayerctlError):
    """The tool could do it and will not; the text names the way."""


class AwsError(LayerctlError):
    """AWS would not, or did not answer."""


class StoppedError(LayerctlError):
    """Some of the work is done and the rest is not."""

    exit_code = 1
