"""The software bill of materials of an artefact: itself, what it declares to need, and their licences.

CycloneDX 1.6 as JSON: https://cyclonedx.org/docs/1.6/json/. Its serial number comes from the artefact's
digest and its time from the release's commit, so that the same release has the same bytes. What a package
needs is what its wheel declares, in the version that the lock file pins and this environment has: a
version that differs is refused, since its licence would be another package's. A zip of the layer needs
nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclonedx import spdx
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from importlib.metadata import Distribution, PackageMetadata

__all__ = ["SbomError", "pins", "write_sbom"]

_LAYER, _LICENCE = "shared-layer", "MIT"
_CLASSIFIER = "License :: OSI Approved :: "
# Names of one licence each, as metadata and classifiers have them, and their ids: https://spdx.org/licenses/
_IDS = {
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
# The classifier for any version of it; the text of the licence says which.
_APACHE, _APACHE_2 = "Apache Software License", re.compile(r"Apache License\s+Version 2\.0")


class SbomError(Exception):
    """What an artefact needs cannot be described; the text says why, and what to do."""


def pins(lock: str) -> dict[str, str]:
    """Return the version of each package that a lock file pins, by its normalised name."""
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", lock, re.MULTILINE))


def write_sbom(
    artefact: Path, version: str, pinned: Mapping[str, str], ours: Mapping[str, str], when: datetime
) -> Path:
    """Write `<artefact>.cdx.json` beside a wheel or a zip of the layer, and return its path.

    `pinned` has the versions that the lock file gives, `ours` those of the release's own packages.
    """
    rows = []
    # The zips of a release differ by the Pythons whose bytecode they have.
    itself = _component(_LAYER, version, _LICENCE, "generic", f"?file_name={artefact.name}")
    if artefact.suffix == ".whl":
        described = _metadata_of(artefact)
        itself = _component(described["Name"], version, _LICENCE, "pypi")
        needed = [Requirement(text).name for text in described.get_all("Requires-Dist") or ()]
        rows = [_needed(name, pinned, ours) for name in sorted(needed)]
        if _has_layer(artefact):
            rows.append(_component(_LAYER, version, _LICENCE, "generic"))
    digest = hashlib.sha256(artefact.read_bytes()).hexdigest()
    itself["hashes"] = [{"alg": "SHA-256", "content": digest}]
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, f"{artefact.name}#sha256={digest}").urn,
        "version": 1,
        "metadata": {"timestamp": when.isoformat(), "component": itself},
        "components": rows,
        "dependencies": [
            {"ref": itself["bom-ref"], "dependsOn": [row["bom-ref"] for row in rows]},
            *({"ref": row["bom-ref"]} for row in rows),
        ],
    }
    text = json.dumps(document, indent=2) + "\n"
    _validate(text, artefact.name)
    path = artefact.with_name(f"{artefact.name}.cdx.json")
    path.write_text(text)
    return path


def _validate(text: str, name: str) -> None:
    from cyclonedx.schema import SchemaVersion  # its grammars take two seconds
    from cyclonedx.validation.json import JsonStrictValidator

    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SbomError(f"the bill of materials of {name} is not CycloneDX 1.6: {problem}")


def _metadata_of(wheel: Path) -> PackageMetadata:
    """Return what a wheel says of itself."""
    [folder] = [one for one in zipfile.Path(wheel).iterdir() if one.name.endswith(".dist-info")]
    return metadata.PathDistribution(folder).metadata


def _has_layer(wheel: Path) -> bool:
    """Return whether a wheel has zips of the layer in it."""
    with zipfile.ZipFile(wheel) as content:
        return any(Path(name).name.startswith(f"{_LAYER}-") for name in content.namelist())


def _needed(name: str, pinned: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, Any]:
    if name in ours:
        return _component(name, ours[name], _LICENCE, "pypi")
    if name not in pinned:
        raise SbomError(f"{name} is not pinned in requirements/dev.txt: add it to dev.in")
    found = metadata.distribution(name)
    if found.version != pinned[name]:
        raise SbomError(
            f"{name} {found.version} is installed, and the tag pins {pinned[name]}: run `make dev`"
        )
    return _component(name, found.version, _licence_of(found), "pypi")


def _component(
    name: str, version: str, licence: str, kind: str, qualifiers: str = ""
) -> dict[str, Any]:
    """Return a component; `kind` is that of its package URL, whose form is https://github.com/package-url."""
    if spdx.is_supported_id(licence):
        terms: dict[str, Any] = {"license": {"id": licence}}
    elif spdx.is_expression(licence):
        terms = {"expression": licence}
    else:
        terms = {"license": {"name": licence}}
    url = f"pkg:{kind}/{name}@{version}{qualifiers}"
    return {
        "type": "library",
        "bom-ref": url,
        "name": name,
        "version": version,
        "licenses": [terms],
        "purl": url,
    }


def _licence_of(found: Distribution) -> str:
    """Return the licence's id or expression, else its name; a field with the whole text is not one."""
    described = found.metadata
    fields = [described[name] for name in ("License-Expression", "License") if name in described]
    classifiers: list[str] = described.get_all("Classifier") or []
    names = [text for text in fields if text and "\n" not in text]
    names += [text for text in classifiers if text.startswith(_CLASSIFIER)]
    if not names:
        raise SbomError(f"{described['Name']} says no licence in its metadata: look it up")
    name = names[0].removeprefix(_CLASSIFIER)
    if name == _APACHE and any(map(_APACHE_2.search, _licence_texts(found))):
        return "Apache-2.0"
    return _IDS.get(name, name)


def _licence_texts(found: Distribution) -> Iterator[str]:
    for path in found.files or ():
        if re.match(r"licen[cs]e", path.name, re.IGNORECASE) and path.suffix in {"", ".txt", ".md"}:
            yield path.read_text()
