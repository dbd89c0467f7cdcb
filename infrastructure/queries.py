"""CloudWatch Logs Insights queries, one a file in `queries/`, saved where the console lists them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aws_cdk import aws_logs as logs
from constructs import Construct

from infrastructure.names import SYSTEM, function_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infrastructure.settings import StageSettings

__all__ = ["FOLDER", "Queries"]

FOLDER = Path(__file__).resolve().parent / "queries"


class Queries(Construct):
    """A saved query for each file, over the logs of all functions of a stage."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: StageSettings,
        modules: Iterable[str],
    ) -> None:
        super().__init__(scope, construct_id)
        groups = [f"/aws/lambda/{function_name(settings, module)}" for module in modules]
        for path in sorted(FOLDER.glob("*.query")):
            logs.CfnQueryDefinition(
                self,
                "".join(word.capitalize() for word in path.stem.split("-")),
                # A slash makes a folder in the console.
                name=f"{SYSTEM}/{settings.stage}/{path.stem}",
                query_string=path.read_text(),
                log_group_names=groups,
            )
