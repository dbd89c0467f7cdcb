"""What is a cold start of the session function made of, beside Python and the runtime client?

Each part in fresh interpreters that have the runtime client loaded, and what comes before the part.
Python and the runtime client are `a handler that does nothing` of handler_cold_start.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

from _fresh import Fresh, run_once, time_fresh, unpacked_layer
from _harness import Report, parse_options
from _runtime import ROOT  # noqa: F401 - puts the repository on the path

from local.assembly import build_functions

LAYER = "the layer's modules"
# What the function's configuration has; nothing is called.
SETTINGS = """
import os
os.environ.update(
    SESSIONS_TABLE_NAME="Sessions", CONNECTIONS_TABLE_NAME="Connections",
    RATE_LIMITS_TABLE_NAME="RateLimits", API_GATEWAY_ENDPOINT="https://example.com/dev",
    METRICS_NAMESPACE="WebSocketAudio",
)
"""
CONTEXT = "import ssl\ncontext = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)"


def cases(layer: Path, functions: Path) -> dict[str, Fresh]:
    """Return the parts; which of the layer's modules the function loads, a first run shows."""
    paths, own = (functions, layer), "import handlers.session"
    loaded = run_once(Fresh(own, paths, prelude=SETTINGS))[1]
    layers = ", ".join(name for name in loaded if name.startswith("shared_utils"))
    find_layer = f"import sys\nsys.path.insert(1, {str(layer)!r})"
    return {
        LAYER: Fresh(f"import {layers}", paths),
        "the function's modules, and what they do at start": Fresh(
            own, paths, prelude=f"{SETTINGS}\n{find_layer}\nimport {layers}"
        ),
        "hashlib": Fresh("import hashlib", paths),
        "secrets and hmac, with hashlib loaded": Fresh(
            "import secrets, hmac", paths, prelude="import hashlib"
        ),
        "a TLS context without certificates": Fresh(
            "ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)", paths, prelude="import ssl"
        ),
        "the system's certificates into a TLS context": Fresh(
            "context.load_default_certs()", paths, prelude=CONTEXT
        ),
    }


def main() -> None:
    options = parse_options(__doc__ or "")
    report = Report("Parts of a cold start", options)
    with tempfile.TemporaryDirectory() as folder, unpacked_layer(options) as layer:
        with zipfile.ZipFile(io.BytesIO(build_functions(["broadcast", "handlers"]))) as archive:
            archive.extractall(folder)
        samples, _ = time_fresh(cases(layer, Path(folder)), options)
    report.add("part of a cold start, CPU", samples, LAYER)
    report.print()


if __name__ == "__main__":
    main()
