"""Coverage-guided fuzzing: each harness turns bytes into calls, and says what must hold after them.

`python -m fuzz` runs them; see README.md. A harness is a module with `try_input(data)`, which raises
for a finding and returns nothing.
"""

from __future__ import annotations

__all__ = ["HARNESSES"]

# By name: the packages whose coverage leads the search.
HARNESSES = {
    "messages": ("shared_utils",),
    "handler": ("shared_utils",),
    "logger": ("shared_utils",),
    "metrics": ("shared_utils",),
    "http_answers": ("shared_utils",),
    "gateway": ("wslocal", "websockets"),
}
