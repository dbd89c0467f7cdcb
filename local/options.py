"""What several commands take."""

from __future__ import annotations

import math
from typing import Any

import click

__all__ = ["Seconds", "pid"]

pid = click.option("--pid", type=int, help="The process id of one system, if several run here.")


class Seconds(click.FloatRange):
    """A range of seconds. NaN, which no bound keeps out, is not in it."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or fail in a sentence."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return number
