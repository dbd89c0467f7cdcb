"""`python -m layerctl`."""

from __future__ import annotations

from layerctl.cli import main

if __name__ == "__main__":
    main(prog_name="layerctl")
