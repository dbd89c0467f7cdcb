"""What a function may have to run here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .project import ProjectError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .resources import Resources

__all__ = ["check_function", "fit_function", "variables_of"]


def variables_of(name: str, resource: dict[str, Any], resources: Resources) -> dict[str, Any]:
    """Return the variables of a function, to be changed; ProjectError if they are not names with values."""
    place: dict[str, Any] = resource.setdefault("Properties", {})
    for key in ("Environment", "Variables"):
        place[key] = resources.chosen(place.get(key, {}))
        place = place[key]
        if not isinstance(place, dict) or any(str(one).startswith("Fn::") for one in place):
            raise ProjectError(f"{key} of {name} are not names with values: write them out")
    return place


def check_function(name: str, resource: dict[str, Any], resources: Resources) -> None:
    """Raise ProjectError for a function that does not run here."""
    properties = resource.get("Properties", {})
    code = properties.get("Code") or {}
    if "Environment" in properties:
        variables_of(name, resource, resources)
    if resources.value(resource, "PackageType") == "Image" or "ImageUri" in code:
        raise ProjectError(
            f"{name} is a container image: only zips run here; give it a Handler and a Runtime, or --leave-out {name}"
        )
    runtime, handler = resources.value(resource, "Runtime"), resources.value(resource, "Handler")
    if isinstance(runtime, str) and not runtime.startswith(("python", "nodejs")):
        raise ProjectError(
            f"{name} is for {runtime}: only Python and Node run here; --leave-out {name} if you can do without"
        )
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-function-code.html
    if "ZipFile" in code and isinstance(handler, str) and not handler.startswith("index."):
        raise ProjectError(
            f"{name} has its code in the template, where its module is index: its Handler cannot be {handler}"
        )
    if properties.get("FileSystemConfigs"):
        raise ProjectError(
            f"{name} mounts a file system, which is not played: --leave-out {name}.FileSystemConfigs"
        )


def fit_function(
    name: str, resource: dict[str, Any], resources: Resources, leave_out: Collection[str]
) -> Iterator[str]:
    """Take from a function what does not count here, and yield what it was.

    ProjectError for a layer that is not the project's own, unless its name is to be left out.
    """
    properties = resource.get("Properties", {})
    properties.pop("CodeSigningConfigArn", None)
    if properties.pop("VpcConfig", None):
        yield "its VpcConfig: functions here are in the network of this machine"
    layers = properties.get("Layers")
    if not isinstance(layers, list):
        return
    kept = []
    for layer in layers:
        arn = resources.values.value(layer)
        if not isinstance(arn, str) or ":layer:" not in arn:
            kept.append(layer)
            continue
        layer_name = arn.partition(":layer:")[2].partition(":")[0]
        if layer_name not in leave_out:
            raise ProjectError(
                f"{name} has the layer {arn}, which is not on this machine: make it a layer of the template, "
                f"or --leave-out {layer_name} if the function's own code holds what it gives"
            )
        yield f"its layer {layer_name}: you chose so"
    properties["Layers"] = kept
