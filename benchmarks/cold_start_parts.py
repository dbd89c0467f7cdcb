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
# The layer does not do this: it shows what the other certificates cost.
AMAZON_ROOTS = """
from binascii import a2b_base64
with open(ssl.get_default_verify_paths().cafile, "rb") as file:
    blocks = file.read().split(b"-----BEGIN CERTIFICATE-----")[1:]
roots = [a2b_base64(block.partition(b"-----END")[0]) for block in blocks]
roots = [der for der in roots if b"Amazon Root CA" in der or b"Starfield Services Root" in der]
context.load_verify_locations(cadata=b"".join(roots))
"""
NETWORK, HASHES = "import socket, selectors", "import hashlib, hmac, secrets"
CONTEXT = "import ssl\ncontext = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)"


def cases(layer: Path, functions: Path) -> dict[str, Fresh]:
    """Return the parts in the order in which they come; what the function loads, a first run shows."""
    paths, own = (functions, layer), "import handlers.session"
    loaded = run_once(Fresh(own, paths, prelude=SETTINGS))[1]
    layers = f"import {', '.join(name for name in loaded if name.startswith('shared_utils'))}"
    before = f"import sys\nsys.path.insert(1, {str(layer)!r})\n{NETWORK}\n{HASHES}\n{layers}"
    return {
        "socket and selectors": Fresh(NETWORK, paths),
        "hashlib, hmac and secrets": Fresh(HASHES, paths, prelude=NETWORK),
        LAYER: Fresh(layers, paths, prelude=f"{NETWORK}\n{HASHES}"),
        "the function's modules, and what they do at start": Fresh(
            own, paths, prelude=f"{SETTINGS}\n{before}"
        ),
        "ssl": Fresh("import ssl", paths, prelude=f"{NETWORK}\n{HASHES}"),
        "a TLS context without certificates": Fresh(
            "ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)", paths, prelude="import ssl"
        ),
        "the system's certificates into a TLS context": Fresh(
            "context.load_default_certs()", paths, prelude=CONTEXT
        ),
        "of these, only the roots that AWS uses": Fresh(AMAZON_ROOTS, paths, prelude=CONTEXT),
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
