"""The releases that the ways to adopt the layer start from."""

import pytest

from tests.adopt.project import NEXT, VERSION, build_zip


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    """Return a folder with the layer's zips of this release and of the next one."""
    folder = tmp_path_factory.mktemp("release") / "dist"
    for version in (VERSION, NEXT):
        build_zip(folder, version)
    return folder
