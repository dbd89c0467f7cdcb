"""The stack: which constructs there are, and what each is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk

from infrastructure.api import WebSocketApi
from infrastructure.archives import build_layer
from infrastructure.authorizer import AUTHORIZER, SpeakerAuthorizer
from infrastructure.function_specs import FUNCTION_SPECS, HOUSEKEEPING
from infrastructure.functions import Functions
from infrastructure.monitoring import Monitoring
from infrastructure.names import SYSTEM
from infrastructure.queries import Queries
from infrastructure.schedule import Schedule
from infrastructure.speaker_pool import SpeakerPool
from infrastructure.tables import Tables
from shared_utils_cdk import SharedUtilsLayer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import Construct

    from infrastructure.settings import StageSettings

__all__ = ["WebSocketAudioStack"]

OPEN = "open: anyone who reaches the API may speak"
_HOW_TO_CLOSE = "SPEAKER_ISSUER with SPEAKER_AUDIENCE, or speaker_pool=create, lets only those speak who have a token"


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
            layer_name=None if settings.layer_version_arn else f"SharedUtilsLayer-{stage}",
            parameter_prefix=f"/{SYSTEM}/{stage}/layer",
            archive=None if settings.layer_version_arn else build_layer((settings.python,)),
            version_arn=settings.layer_version_arn or None,
        )
        tables = Tables(self, "Tables", settings=settings)
        api = WebSocketApi(self, "WebSocketApi", settings=settings)
        pool = SpeakerPool(self, "SpeakerPool", settings=settings) if settings.makes_pool else None
        variables = {**settings.limits, **(pool.variables if pool else {})}
        functions = Functions(
            self,
            "Functions",
            settings=settings,
            variables=variables,
            layer=layer,
            tables=tables,
            api=api,
        )
        authorizer = (
            SpeakerAuthorizer(
                self, "Authorizer", settings=settings, variables=variables, layer=layer, api=api
            )
            if variables["SPEAKER_ISSUER"]
            else None
        )
        api.connect(
            functions.by_module, FUNCTION_SPECS, authorizer.authorizer_id if authorizer else None
        )
        Monitoring(
            self,
            "Monitoring",
            settings=settings,
            functions=functions.by_module,
            authorizer=authorizer.function if authorizer else None,
            api=api,
        )
        modules = [*functions.by_module, *([AUTHORIZER] if authorizer else [])]
        Queries(self, "Queries", settings=settings, modules=modules)
        Schedule(self, "Schedule", function=functions.by_module[HOUSEKEEPING])

        outputs = {
            "WebSocketUrl": api.websocket_url,
            "CallbackUrl": api.callback_url,
            "ApiId": api.api_id,
            "StageName": stage,
            "LayerVersionArn": layer.version.layer_version_arn,
            "Speakers": _who_may_speak(variables),
        }
        if pool:
            outputs |= {
                "SpeakerIssuer": variables["SPEAKER_ISSUER"],
                "SpeakerClientId": variables["SPEAKER_AUDIENCE"],
                "SpeakerScope": variables["SPEAKER_SCOPE"],
            }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
        if not authorizer:
            cdk.Annotations.of(self).add_warning_v2(
                f"{SYSTEM}:open", f"The system is {OPEN}. {_HOW_TO_CLOSE}: infrastructure/README.md"
            )


def _who_may_speak(variables: Mapping[str, str]) -> str:
    issuer, scope = variables["SPEAKER_ISSUER"], variables["SPEAKER_SCOPE"]
    if not issuer:
        return OPEN
    return f"speakers need a token of {issuer}" + (f" with the scope {scope}" if scope else "")
