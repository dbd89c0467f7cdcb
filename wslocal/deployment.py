"""A project's stacks as they are in the emulator: deployed, deployed again, and what they have made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .deploy import Deployer
from .settings import FunctionVariables, function_names
from .sources import ProjectError, complete, fit
from .sources.kept import without_kept
from .sources.resources import Resources
from .sources.unique import check_unique

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from .sources import Fitted, LeftOut, Project

__all__ = ["DeployedApi", "Deployment"]

_FUNCTION, _API = "AWS::Lambda::Function", "AWS::ApiGatewayV2::Api"


@dataclass(frozen=True, slots=True)
class DeployedApi:
    """A WebSocket API; `name` is its own, or its logical id where several have the same."""

    name: str
    api_id: str
    stages: tuple[str, ...]


@dataclass(slots=True)
class _Deployed:
    """A stack, and what was deployed last."""

    deployer: Deployer
    outputs: dict[str, str] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)
    content: object = None


class Deployment:
    """The stacks of one project in one emulator; `client` makes boto3 clients by service."""

    def __init__(
        self,
        client: Callable[[str], Any],
        *,
        variables: FunctionVariables | None = None,
        leave_out: Collection[str] = (),
    ) -> None:
        self._client = client
        self._variables = variables or FunctionVariables()
        self._leave_out = leave_out
        self._stacks: dict[str, _Deployed] = {}
        self.left_out: tuple[LeftOut, ...] = ()

    @property
    def outputs(self) -> dict[str, dict[str, str]]:
        """The outputs of each stack by its name."""
        return {name: without_kept(stack.outputs) for name, stack in self._stacks.items()}

    def apply(self, project: Project) -> None:
        """Deploy what is not deployed yet, and delete the stacks that the project has no more.

        ProjectError, SettingError and DeployError, of which the last alone may leave a stack changed: what was
        applied before can be applied again.
        """
        fitted = {stack.name: fit(stack, leave_out=self._leave_out) for stack in project.stacks}
        self._check(fitted)
        made = {
            stack.name: Resources.of(stack, fitted[stack.name].template) for stack in project.stacks
        }
        check_unique(made.values())
        self._check_apis_stay(made)
        for stack in project.stacks:
            one = fitted[stack.name]
            self._variables.put_into(one.template)
            self._deploy(stack.name, one, stack.archives, dict(stack.parameters))
        for name in [*reversed(self._stacks)]:
            if name not in fitted:
                self._stacks[name].deployer.delete()
                del self._stacks[name]
        self.left_out = tuple(gone for one in fitted.values() for gone in one.left_out)

    def functions(self) -> dict[str, str]:
        """Return the short name of each function by its own: its logical id, with its stack if need be."""
        return self._short_names(_FUNCTION)

    def apis(self) -> list[DeployedApi]:
        """Return the WebSocket APIs, in the order of the stacks."""
        client, found = self._client("apigatewayv2"), []
        for api_id, short in self._short_names(_API).items():
            api = client.get_api(ApiId=api_id)
            if api["ProtocolType"] == "WEBSOCKET":
                stages = client.get_stages(ApiId=api_id)["Items"]
                found.append((api["Name"], short, api_id, [one["StageName"] for one in stages]))
        names = [name for name, *_ in found]
        return [
            DeployedApi(name if names.count(name) == 1 else short, api_id, tuple(stages))
            for name, short, api_id, stages in found
        ]

    def _check(self, fitted: dict[str, Fitted]) -> None:
        templates = [one.template for one in fitted.values()]
        self._variables.check(name for template in templates for name in function_names(template))
        resources = [one for template in templates for one in template["Resources"].values()]
        if not any(_is_websocket_api(resource) for resource in resources):
            raise ProjectError(
                "the project has no WebSocket API: wslocal runs an AWS::ApiGatewayV2::Api with "
                "ProtocolType WEBSOCKET, or an AWS::Serverless::WebSocketApi"
            )

    def _check_apis_stay(self, made: Mapping[str, Resources]) -> None:
        """Raise ProjectError if an API that runs would go: no other could have its id, and its clients."""
        for name, stack in self._stacks.items():
            there = made[name].active() if name in made else {}
            for one in stack.resources:
                if one["ResourceType"] == _API and one["LogicalResourceId"] not in there:
                    raise ProjectError(
                        f"the API {one['LogicalResourceId']}, which runs, is not in the template any more: "
                        "put it back, or start wslocal again"
                    )

    def _deploy(
        self, name: str, fitted: Fitted, archives: Mapping[str, bytes], parameters: dict[str, str]
    ) -> None:
        if name not in self._stacks:
            self._stacks[name] = _Deployed(Deployer(self._client, name))
        stack = self._stacks[name]
        content = fitted.template, parameters
        if stack.content == content:  # zips have other keys when they change
            return
        stack.content = None  # until it is there: what fails half-way is deployed again
        stack.outputs = stack.deployer.deploy(fitted.template, archives, parameters)
        complete(self._client, name, fitted)
        stack.resources = stack.deployer.resources()
        stack.content = content

    def _short_names(self, kind: str) -> dict[str, str]:
        """Return the logical id of each resource of a kind by its physical one."""
        found = [
            (stack, one["LogicalResourceId"], one["PhysicalResourceId"])
            for stack, deployed in self._stacks.items()
            for one in deployed.resources
            if one["ResourceType"] == kind
        ]
        logical = [name for _, name, _ in found]
        return {
            physical: name if logical.count(name) == 1 else f"{stack}:{name}"
            for stack, name, physical in found
        }


def _is_websocket_api(resource: dict[str, Any]) -> bool:
    properties = resource.get("Properties", {})
    return bool(resource["Type"] == _API and properties.get("ProtocolType") == "WEBSOCKET")
