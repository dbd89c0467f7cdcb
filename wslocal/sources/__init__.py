"""Reads a project as it is on disk, and makes of it what the emulator's CloudFormation can deploy.

project = read_project(Path("."), ProjectOptions())
for stack in project.stacks:
    fitted = fit(stack)  # deploy `fitted.template` with `stack.archives` in BUCKET, then
    complete(emulator.client, stack.name, fitted)
"""

from .complete import complete
from .find import read_project
from .fit import Fitted, LeftOut, fit
from .install import PackageInstaller
from .other_code import with_code
from .project import (
    BUCKET,
    Installer,
    Project,
    ProjectError,
    ProjectOptions,
    Stack,
    Template,
    with_archives,
)

__all__ = [
    "BUCKET",
    "Fitted",
    "Installer",
    "LeftOut",
    "PackageInstaller",
    "Project",
    "ProjectError",
    "ProjectOptions",
    "Stack",
    "Template",
    "complete",
    "fit",
    "read_project",
    "with_archives",
    "with_code",
]
