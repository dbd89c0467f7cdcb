"""The stack: which constructs there are, and what each is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk

from infrastructure.api import WebSocketApi
from infrastructure.function_specs import FUNCTION_SPECS, HOUSEKEEPING
from infrastructure.functions import Functions
from infrastructure.layer import SharedUtilsLayer
from infrastructure.monitoring import Monitoring
from infrastructure.names import SYSTEM
from infrastructure.queries import Queries
from infrastructure.schedule import Schedule
from infrastructure.tables import Tables

if TYPE_CHECKING:
    from constructs import Construct

    from infrastructure.settings import StageSettings

__all__ = ["WebSocketAudioStack"]


class WebSocketAudioStack(cdk.Stack):
    """One stage of the system; its account and region are those of the credentials that deploy it."""

    def __init__(self, scope: Construct, settings: StageSettings) -> None:
        stage = settings.stage
        super().__init__(
            scope,
            f"WebSocketAudio-{stage}",
            description=f"Live audio from one speaker to many listeners, stage {stage}",
            tags={"system": SYSTEM, "stage": stage},
            termination_protection=stage == "prod",
        )
        layer = SharedUtilsLayer(
            self,
            "SharedUtilsLayer",
            layer_name=f"SharedUtilsLayer-{stage}",
            parameter_prefix=f"/{SYSTEM}/{stage}/layer",
            pythons=(settings.python,),
            version_arn=settings.layer_version_arn,
        )
        tables = Tables(self, "Tables", stage=stage)
        api = WebSocketApi(self, "WebSocketApi", settings=settings)
        functions = Functions(
            self,
            "Functions",
            settings=settings,
            layer=layer,
            tables=tables,
            api=api,
        )
        api.connect(functions.by_module, FUNCTION_SPECS)
        Monitoring(self, "Monitoring", settings=settings, functions=functions.by_module, api=api)
        Queries(self, "Queries", settings=settings, modules=functions.by_module)
        Schedule(self, "Schedule", function=functions.by_module[HOUSEKEEPING])

        outputs = {
            "WebSocketUrl": api.websocket_url,
            "CallbackUrl": api.callback_url,
            "ApiId": api.api_id,
            "StageName": stage,
            "LayerVersionArn": layer.version.layer_version_arn,
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
