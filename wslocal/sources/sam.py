"""A SAM template, transformed as CloudFormation does it, with SAM's own translator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wslocal.emulator import own_session

from .cloudformation import place_code, ssm_names, stack_name, transforms_of
from .code import Code
from .includes import with_includes
from .parameters import check_names, parameters_of, settle_parameters
from .project import BUCKET, Project, ProjectError, Stack
from .template_text import read_document, read_template
from .values import Values

if TYPE_CHECKING:
    from pathlib import Path

    from .project import ProjectOptions, Template

__all__ = ["SAM_TRANSFORM", "is_sam", "read_sam"]

SAM_TRANSFORM = "AWS::Serverless-2016-10-31"

# The type of SAM, the property that leads to its code, and what its bucket and key are called there.
_PLACES = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}
# Those that `sam build` makes from the folder as it is, with what `requirements.txt` or `package.json` names.
_PLAIN_BUILDS = ("python", "nodejs")


def is_sam(template: Template) -> bool:
    """Return whether a template is to be transformed by SAM."""
    types = {resource["Type"] for resource in template["Resources"].values()}
    return SAM_TRANSFORM in transforms_of(template) or any(
        kind.startswith("AWS::Serverless::") for kind in types
    )


def read_sam(path: Path, options: ProjectOptions) -> Project:
    """Return the one stack of a SAM template: of what `sam build` made of it, if it has been built."""
    made = path.parent / ".aws-sam" / "build" / "template.yaml"
    source = made if made.is_file() else path
    folder = path.parent
    if folder.name == "build" and folder.parent.name == ".aws-sam":
        folder = folder.parent.parent  # of the project, which named the template that was built
    template = with_includes(read_template(source), source.parent)
    name = stack_name(folder)
    check_names(options.parameters, {name: template})
    given = parameters_of(name, template, options.parameters)
    parameters = settle_parameters(template, given, ssm_names(template))
    values = Values(template, parameters, name)
    code, built = Code(options.install), ".aws-sam" in source.parts
    for logical_id, resource in template["Resources"].items():
        if logical_id in options.leave_out or not values.holds(resource.get("Condition")):
            _without_code(resource)
        elif resource["Type"] in _PLACES:
            _place_sam_code(logical_id, resource, template, source.parent, code, values, built)
        else:
            place_code(logical_id, resource, source.parent, code, values, built=built)
            _read_definition(logical_id, resource, source.parent)
    for defaults in (template.get("Globals") or {}).values():
        defaults.pop("CodeUri", None)
    notes = [f"{name} is run from {source.parent}: run `sam build` after a change"] if built else []
    stack = Stack(name, _transform(template, parameters, source), code.archives, given)
    # Of a project that is built, its own template is a source as others are; if it is not, it may be yet.
    outside = [one for one in code.watched if not one.is_relative_to(source.parent)]
    watched = (source.parent, *outside) if built else (path, made, *code.watched)
    return Project(
        (stack,),
        watched,
        (*notes, *code.notes),
        is_whole=lambda: source.is_file() or (path.is_file() and not source.parent.exists()),
        build=source.parent if built else None,
    )


def _place_sam_code(
    name: str,
    resource: dict[str, Any],
    template: Template,
    folder: Path,
    code: Code,
    values: Values,
    built: bool,
) -> None:
    properties, key = resource.setdefault("Properties", {}), _PLACES[resource["Type"]]
    layer = key == "ContentUri"
    defaults = {} if layer else (template.get("Globals") or {}).get("Function") or {}
    if _is_elsewhere(properties, defaults):
        if "InlineCode" not in properties:
            properties.setdefault("ImageUri", "not-built")  # SAM wants one; it is refused later
        return
    uri = properties.get(key, defaults.get(key, "."))
    if not isinstance(uri, str) or uri.startswith("s3://"):
        raise ProjectError(
            f"{name} has its code in a bucket: give {key} as a path on this machine, or --leave-out {name}"
        )
    how = str((resource.get("Metadata") or {}).get("BuildMethod") or "")
    if how and not built and not how.startswith(_PLAIN_BUILDS):
        raise ProjectError(f"{name} has to be built ({how}): run `sam build` first")
    runtime = str(values.value(properties.get("Runtime", defaults.get("Runtime"))) or "")
    # A layer with a build method holds the content of its package, not that of `/opt`:
    # https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-layers.html
    below = f"{how.rstrip('0123456789.x')}/" if layer and how and not built else ""
    if below == "nodejs/":
        raise ProjectError(f"{name} has to be built ({how}): run `sam build` first")
    added = code.add(name, folder / uri, how if layer else runtime, built=built, below=below)
    properties[key] = {"Bucket": BUCKET, "Key": added}


def _is_elsewhere(properties: dict[str, Any], defaults: dict[str, Any]) -> bool:
    """Return whether a function's code is in the template, or in an image, which is refused later."""
    kind = properties.get("PackageType", defaults.get("PackageType", "Zip"))
    return "InlineCode" in properties or "ImageUri" in properties or kind == "Image"


def _without_code(resource: dict[str, Any]) -> None:
    """Give a resource that will be left out a place for its code, which SAM wants; nothing is there."""
    key, properties = _PLACES.get(resource["Type"]), resource.setdefault("Properties", {})
    if key is not None and not _is_elsewhere(properties, {}):
        properties[key] = {"Bucket": BUCKET, "Key": "left-out"}


def _read_definition(name: str, resource: dict[str, Any], folder: Path) -> None:
    """Put an OpenAPI document or state machine that is a file into the template, as SAM wants it."""
    properties = resource.get("Properties", {})
    uri = properties.get("DefinitionUri")
    if resource["Type"] == "AWS::Serverless::Application":
        raise ProjectError(
            f"{name} is an application of its own, which is not played: --leave-out {name}"
        )
    if isinstance(uri, str) and not uri.startswith("s3://"):
        if not (folder / uri).is_file():
            raise ProjectError(f"{name} has its definition in {folder / uri}, which is not there")
        key = (
            "Definition"
            if resource["Type"] == "AWS::Serverless::StateMachine"
            else "DefinitionBody"
        )
        properties[key] = read_document(folder / uri)
        del properties["DefinitionUri"]


def _transform(template: Template, parameters: dict[str, str], path: Path) -> Template:
    """Return the template as CloudFormation sees it; other transforms are left in it."""
    # The translator takes half a second to load, and only SAM's projects need it.
    from samtranslator.internal.managed_policies import get_bundled_managed_policy_map
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator
    from samtranslator.utils.py27hash_fix import (
        to_py27_compatible_template,
        undo_mark_unicode_str_in_template,
    )

    rest = [name for name in transforms_of(template) if name != SAM_TRANSFORM]
    values: dict[str, Any] = dict(parameters)
    to_py27_compatible_template(template, values)  # as `samtranslator.transform` does
    # Its own session would be that of the user's profile, and ask AWS for the ARNs of its policies.
    translator = Translator(None, Parser(), boto_session=own_session())
    try:
        made: Template = undo_mark_unicode_str_in_template(
            translator.translate(
                template,
                parameter_values=values,
                get_managed_policy_map=lambda: get_bundled_managed_policy_map("aws") or {},
            )
        )
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise ProjectError(f"{path} is refused by SAM: {causes}") from error
    finally:
        translator.metrics.publish()  # to nobody; it would complain of those that are not published
    if rest:
        made["Transform"] = rest
    else:
        made.pop("Transform", None)
    return made
