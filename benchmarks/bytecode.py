"""Is the bytecode in the zip used, and what does it save a cold start?

Both trees are the zip that ships, unpacked read-only with changed file dates; from one of them the
`.pyc` files are taken away. On Lambda nothing can be cached, so every cold start pays.
"""

from __future__ import annotations

from _fresh import Fresh, public_modules, time_fresh, unpacked_layer
from _harness import Budget, Report, become_lambda, parse_options


def main() -> None:
    options = parse_options(__doc__ or "")
    become_lambda()
    report = Report("Shipped bytecode", options)
    with unpacked_layer(options) as shipped, unpacked_layer(options, bytecode=False) as bare:
        statements = {
            "logger": "from shared_utils import get_structured_logger",
            "all public modules": f"import {', '.join(public_modules(shipped))}",
        }
        for name, statement in statements.items():
            cases = {
                "as shipped": Fresh(statement, (shipped,)),
                "without .pyc": Fresh(statement, (bare,), bytecode=False),
            }
            samples, _ = time_fresh(cases, options)
            report.add(name, samples, "without .pyc")
            report.check(name, samples, Budget("as shipped", "without .pyc", 1 / 5))
    report.print()


if __name__ == "__main__":
    main()
