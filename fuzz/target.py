"""The process that a fuzzer lives in: `python -m fuzz.target NAME PROGRAM [libFuzzer's arguments]`.

PROGRAM is what libFuzzer runs to have another such process.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module

from fuzz import HARNESSES
from fuzz.paths import add_paths


def main() -> None:
    """Instrument what a harness looks at, and try inputs until libFuzzer ends the process."""
    atheris = import_module("atheris")  # it has no types
    name, *arguments = sys.argv[1:]
    # What a harness provokes is warned of without end, on stderr, which libFuzzer writes to.
    logging.getLogger().addHandler(logging.NullHandler())
    add_paths()
    with atheris.instrument_imports(include=list(HARNESSES[name])):
        harness = import_module(f"fuzz.{name}")
    atheris.Setup(arguments, harness.try_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
