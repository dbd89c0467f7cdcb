"""Parts of a template that are files of their own: `Fn::Transform` with `AWS::Include`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .project import ProjectError
from .template_text import read_document

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["with_includes"]


def with_includes(value: Any, folder: Path) -> Any:
    """Return a value with the files in it, whose paths are relative to `folder`, as `sam package` takes them.

    ProjectError for a file that is not there, or that is in a bucket.
    """
    if isinstance(value, list):
        return [with_includes(one, folder) for one in value]
    if not isinstance(value, dict):
        return value
    match value.get("Fn::Transform"):
        case {"Name": "AWS::Include", "Parameters": {"Location": location}}:
            if not isinstance(location, str) or location.startswith("s3://"):
                raise ProjectError(
                    "the template includes a file in a bucket: give its Location as a path on this machine"
                )
            rest = {key: one for key, one in value.items() if key != "Fn::Transform"}
            included = read_document(folder / location)
            return with_includes({**included, **rest}, (folder / location).parent)
    return {key: with_includes(one, folder) for key, one in value.items()}
