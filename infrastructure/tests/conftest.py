"""The template, as the CDK writes it: each one is made once, since that takes seconds."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from infrastructure.app import build_app

ROOT = Path(__file__).resolve().parent.parent.parent
MANUAL = (ROOT / "docs" / "operations.md").read_text()
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PYTHON = f"3.{sys.version_info.minor}"  # the one that is certainly here


class Assembly:
    """A cloud assembly with one stack."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        manifest = json.loads((folder / "manifest.json").read_text())
        [self.name] = (
            name
            for name, artifact in manifest["artifacts"].items()
            if artifact["type"] == "aws:cloudformation:stack"
        )
        self.stack = manifest["artifacts"][self.name]
        self.text = (folder / f"{self.name}.template.json").read_text()
        self.template: dict[str, Any] = json.loads(self.text)

    def resources(self, kind: str) -> dict[str, Any]:
        """Return the resources of one type, such as `Lambda::Function`, by logical id."""
        return {
            name: resource
            for name, resource in self.template["Resources"].items()
            if resource["Type"] == f"AWS::{kind}"
        }

    def properties(self, kind: str) -> list[dict[str, Any]]:
        """Return what is said about each resource of one type."""
        return [resource["Properties"] for resource in self.resources(kind).values()]

    def assets(self) -> dict[str, Path]:
        """Return the asset files and folders by the key that they have in the bucket."""
        content = json.loads((self.folder / f"{self.name}.assets.json").read_text())
        return {
            destination["objectKey"]: self.folder / asset["source"]["path"]
            for asset in content["files"].values()
            for destination in asset["destinations"].values()
        }


@pytest.fixture(scope="session")
def synth(tmp_path_factory):
    """Return a function from context to assembly."""

    @functools.cache
    def synthesize(**context: str) -> Assembly:
        folder = tmp_path_factory.mktemp("cdk")
        build_app({"python": PYTHON} | context, str(folder)).synth()
        return Assembly(folder)

    return synthesize


@pytest.fixture(scope="session")
def dev(synth) -> Assembly:
    return synth()


@pytest.fixture(scope="session")
def guarded(synth) -> Assembly:
    """A stage whose speakers need a token of somebody's issuer."""
    return synth(
        SPEAKER_ISSUER="https://login.example.com/", SPEAKER_AUDIENCE="talks", SPEAKER_SCOPE="speak"
    )


@pytest.fixture(scope="session")
def pooled(synth) -> Assembly:
    """Production, whose speakers are in a pool of its own."""
    origins = "https://a.example, http://localhost:8000"
    return synth(stage="prod", speaker_pool="create", ALLOWED_ORIGINS=origins)


@pytest.fixture(scope="session")
def encrypted(synth) -> Assembly:
    """A stage with all that may be there, under a key of the customer's."""
    page = "https://example.org/speak"
    return synth(speaker_pool="create", page_url=page, encryption_key_arn=KEY)
