"""Which zip is chosen, and what is no zip of the layer."""

import re
import zipfile
from pathlib import Path

import pytest

import shared_utils
from infrastructure.archives import build_functions, build_layer

from .conftest import PYTHON

INIT = '__version__ = "7.0.1"\n__build__ = "0123456789abcdef"\n'


def write_zip(path, *tags, init=INIT):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("python/shared_utils/__init__.py", init)
        for tag in tags:
            archive.writestr(f"python/shared_utils/__pycache__/__init__.{tag}.pyc", b"")
            archive.writestr(f"python/shared_utils/__pycache__/records.{tag}.pyc", b"")
    return path


@pytest.fixture
def archives(package):
    return package.archives


@pytest.fixture
def folder(archives, tmp_path, monkeypatch):
    """The zips of a wheel that was built with three Pythons."""
    monkeypatch.setattr(archives, "FOLDER", tmp_path)
    write_zip(tmp_path / "all.zip", "cpython-39", "cpython-311", "cpython-312", "cpython-313")
    for python in ("311", "312", "313"):
        write_zip(tmp_path / f"one-{python}.zip", f"cpython-{python}")
    return tmp_path


@pytest.mark.parametrize(
    ("pythons", "name"),
    [
        pytest.param((), "all.zip", id="none-is-all"),
        pytest.param(("3.13",), "one-313.zip", id="one"),
        pytest.param(["3.11", "3.11"], "one-311.zip", id="twice"),
        pytest.param(("3.12", "3.13"), "all.zip", id="two"),
    ],
)
def test_smallest_zip_that_has_the_bytecode_is_chosen(archives, folder, pythons, name):
    assert archives.bundled_archive(pythons).path == folder / name


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("pythons", [("3.14",), ("3.13", "3.14")])
def test_python_that_is_not_there_is_refused_with_those_that_are(archives, pythons):
    with pytest.raises(archives.LayerArgumentError) as refused:
        archives.bundled_archive(pythons)

    assert refused.value.argument == "pythons"
    assert str(refused.value) == (
        "pythons must be of 3.9, 3.11, 3.12, 3.13, which this wheel was built with; got 3.14"
    )


def test_installation_without_zips_asks_for_one(archives):
    """As in this repository, where they are built."""
    with pytest.raises(
        archives.LayerArgumentError, match=r"^archive must be given: this shared_utils_cdk"
    ):
        archives.bundled_archive()


def test_zip_says_what_it_is(archives):
    found = archives.read_archive(build_layer((PYTHON,)))

    assert found.version == shared_utils.__version__
    assert re.fullmatch("[0-9a-f]{16}", found.build)
    assert found.pythons == (PYTHON,)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda _: build_functions(PYTHON), id="zip-of-a-function"),
        pytest.param(lambda _: Path(__file__), id="no-zip"),
        pytest.param(lambda path: write_zip(path / "a.zip", init="def"), id="does-not-compile"),
    ],
)
def test_what_is_no_layer_is_refused(archives, make, tmp_path):
    with pytest.raises(archives.LayerArgumentError) as refused:
        archives.read_archive(make(tmp_path))

    assert refused.value.argument == "archive"
    assert "archive must be a zip with python/shared_utils/__init__.py in it, got /" in str(
        refused.value
    )


@pytest.mark.parametrize(("name", "problem"), [("none.zip", "is not there"), (".", "is a folder")])
def test_path_of_no_file_is_refused(archives, tmp_path, name, problem):
    path = tmp_path / name

    with pytest.raises(archives.LayerArgumentError) as refused:
        archives.read_archive(path)

    assert refused.value.argument == "archive"
    assert str(refused.value) == f"archive must be the path of a zip: {path} {problem}"


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damaged_zip_is_refused(archives, tmp_path, compression):
    """One byte of a file that is not read otherwise has changed since."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("python/shared_utils/__init__.py", INIT)
        archive.writestr("python/shared_utils/records.py", "x = 1\n" * 9)
        offset = archive.getinfo("python/shared_utils/records.py").header_offset
    content = bytearray(path.read_bytes())
    content[offset + 30 + len("python/shared_utils/records.py") + 2] ^= 0xFF
    path.write_bytes(content)

    with pytest.raises(archives.LayerArgumentError) as refused:
        archives.read_archive(path)

    assert str(refused.value) == f"archive must be a whole zip, and {path} is damaged"


def test_layer_that_says_no_version_is_refused(archives, tmp_path):
    with pytest.raises(archives.LayerArgumentError, match="archive must say its version and build"):
        archives.read_archive(write_zip(tmp_path / "a.zip", init='__version__ = "1"\n'))
