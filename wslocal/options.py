"""The options with which a project is run, as the command and `wslocal.run` have them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .lambda_host.interpreters import base_python, find_python, python_versions
from .lambda_host.node_packages import npm_command
from .lambda_host.runtime_folder import cache_folder
from .lambda_host.runtimes import Runtimes
from .run_options import RunOptions
from .running import RUN_ERRORS
from .settings import SettingError, read_variables
from .sources import PackageInstaller, ProjectError, ProjectOptions, read_project
from .state import RunNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .sources import Project

__all__ = ["PLAIN_ERRORS", "Options"]

# What a person can do something about: one sentence, no traceback.
PLAIN_ERRORS = (*RUN_ERRORS, BotoCoreError, ClientError, OSError, RunNotFoundError)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `wslocal up`, as a person gives them.

    `parameters` are NAME=VALUE, `variables` are NAME=VALUE or FUNCTION:NAME=VALUE. What cannot be is a
    SettingError, in one sentence.
    """

    parameters: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    env_file: Path | None = None
    apis: tuple[str, ...] = ()
    stage: str | None = None
    cdk_stage: str | None = None
    port: int = 0
    tls_port: int = 0
    leave_out: tuple[str, ...] = ()
    install: bool = False
    any_python: bool = False
    any_node: bool = False
    retry_scale: float = 1.0

    def reader(self, path: Path, say: Callable[[str], None]) -> Callable[[], Project]:
        """Return what reads the project at `path`, again and again; `say` gets what pip and npm are run for."""
        parameters = {}
        for text in self.parameters:
            name, is_pair, value = text.partition("=")
            if not is_pair or not name:
                raise SettingError(f"--parameter must be NAME=VALUE, got {name[:40]!r}")
            parameters[name] = value
        chosen = ProjectOptions(
            parameters=parameters,
            install=self._installer(say) if self.install else None,
            leave_out=frozenset(self.leave_out),
            stage=self.cdk_stage,
        )
        return partial(read_project, path, chosen)

    def run_options(self, say: Callable[[str], None]) -> RunOptions:
        """Return how the project is to run."""
        return RunOptions(
            apis=self.apis,
            stage=self.stage,
            port=self.port,
            tls_port=self.tls_port,
            variables=read_variables(self.variables, self.env_file),
            retry_scale=self.retry_scale,
            runtimes=Runtimes(
                any_python=self.any_python,
                any_node=self.any_node,
                install=say if self.install else None,
            ),
            leave_out=frozenset(self.leave_out),
        )

    def _installer(self, say: Callable[[str], None]) -> PackageInstaller:
        return PackageInstaller(
            cache=cache_folder() / "packages",
            python_of=partial(_python_of, any_python=self.any_python),
            npm_of=lambda runtime: npm_command(),
            report=say,
        )


def _python_of(runtime: str, *, any_python: bool) -> Path:
    """Return the interpreter that is to run functions of a runtime such as `python3.12`."""
    found = find_python(runtime.removeprefix("python"))
    if found is None and not any_python:
        raise ProjectError(
            f"packages for {runtime} cannot be installed: this machine has "
            f"{', '.join(python_versions())}; install it, or run it in another with --any-python"
        )
    return Path(found or base_python())
