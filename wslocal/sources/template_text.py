"""Templates as text: YAML with CloudFormation's short tags such as `!Ref`, or JSON."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from .project import ProjectError

if TYPE_CHECKING:
    from pathlib import Path

    from .project import Template

__all__ = ["parse_template", "read_document", "read_template"]

# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
_FUNCTIONS = {
    *("And", "Base64", "Cidr", "Equals", "FindInMap", "GetAtt", "GetAZs", "If", "ImportValue"),
    *("Join", "Length", "Not", "Or", "Select", "Split", "Sub", "ToJsonString", "Transform"),
}
_JSON = re.compile(r'\s*\{\s*["}]')  # in YAML names seldom have quotes
_MERGE = "tag:yaml.org,2002:merge"  # `<<`
_SECTIONS = ("Parameters", "Mappings", "Conditions", "Outputs", "Globals")


class _Loader(yaml.SafeLoader):
    """Safe YAML; dates stay text, such as the version of a policy, and no name is there twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value} is there twice", key.start_mark
                    )
                seen.add(key.value)
        return dict(super().construct_mapping(node, deep))


def read_template(path: Path) -> Template:
    """Return the template in a file; ProjectError, with the line, if there is none."""
    return parse_template(_text_of(path), str(path))


def read_document(path: Path) -> dict[str, Any]:
    """Return the names and values in a file of YAML or JSON; ProjectError, with the line, if it has none."""
    document = _parse(_text_of(path), str(path))
    if not isinstance(document, dict):
        raise ProjectError(f"{path} does not hold names with values")
    return document


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ProjectError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ProjectError(f"{path} cannot be read: it is no UTF-8") from error


def _parse(text: str, name: str) -> Any:
    try:
        if _JSON.match(text):
            return json.loads(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except json.JSONDecodeError as error:
        raise ProjectError(f"{name} is no JSON: line {error.lineno}, {error.msg}") from error
    except yaml.YAMLError as error:
        raise ProjectError(f"{name} is no YAML: {_where(error)}") from error


def parse_template(text: str, name: str) -> Template:
    """Return the template in `text`; `name` is what its errors call it."""
    template = _parse(text, name)
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise ProjectError(f"{name} is no template: it has no section Resources")
    for section in _SECTIONS:
        _check_section(name, section, template.get(section) or {})
    for logical_id, resource in template["Resources"].items():
        _check_resource(name, logical_id, resource)
    return template


def _check_section(name: str, section: str, content: object) -> None:
    if not isinstance(content, dict):
        raise ProjectError(f"{name}: the section {section} is not names with values")
    for entry, value in content.items():
        if not isinstance(value, dict):
            raise ProjectError(f"{name}: {entry} in {section} is not names with values")


def _check_resource(name: str, logical_id: object, resource: object) -> None:
    if str(logical_id).startswith("Fn::ForEach"):
        raise ProjectError(
            f"{name} has a loop, {logical_id}: loops are not played, write its resources out"
        )
    if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
        raise ProjectError(f"{name}: the resource {logical_id} has no Type")
    if not isinstance(resource.get("Properties", {}), dict):
        raise ProjectError(f"{name}: the Properties of {logical_id} are not names with values")
    if (empty := _first_empty(resource.get("Properties", {}))) is not None:
        raise ProjectError(f"{name}: {empty} of {logical_id} has no value")


def _first_empty(value: object) -> str | None:
    """Return the path of the first value that is missing, as in `Name:` with nothing after it."""
    if isinstance(value, dict):
        entries = [(str(key), one) for key, one in value.items()]
    elif isinstance(value, list):
        entries = [(f"[{index}]", one) for index, one in enumerate(value)]
    else:
        entries = []
    for key, one in entries:
        if one is None:
            return key
        if (below := _first_empty(one)) is not None:
            return f"{key}.{below}"
    return None


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    return problem if mark is None else f"line {mark.line + 1}, {problem}"


def _short_tag(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if suffix in {"Ref", "Condition"}:
        return {suffix: _value(loader, node)}
    if suffix not in _FUNCTIONS:
        raise yaml.constructor.ConstructorError(
            None, None, f"!{suffix} is no function of CloudFormation", node.start_mark
        )
    value = _value(loader, node)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


def _value(loader: _Loader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.ScalarNode)  # noqa: S101 - there is no fourth kind
    return loader.construct_scalar(node)


def _text(loader: _Loader, node: yaml.ScalarNode) -> Any:
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _short_tag)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _text)
