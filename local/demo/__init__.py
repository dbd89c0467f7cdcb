"""The demonstration: a recording streamed through a real handler on the built layer."""

from .run import run_demo

__all__ = ["run_demo"]
