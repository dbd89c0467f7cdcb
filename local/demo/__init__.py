"""The demonstration: the complete system, a speaker, an interpreter, three listeners, and what each of them sees."""

from .run import run_demo

__all__ = ["run_demo"]
