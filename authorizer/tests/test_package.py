"""The two zips of the authorizer: for Lambda on Arm, and for this machine."""

import io
import re
import sys
import zipfile
from pathlib import Path

import pytest

from infrastructure.archives import build_authorizer
from infrastructure.settings import SettingsError
from local.assembly import build_authorizer as build_here

ROOT = Path(__file__).parent.parent.parent
WHEELS = ROOT / ".cache/wheels/authorizer"
PYTHON = f"3.{sys.version_info.minor}"
AARCH64 = 0xB7  # e_machine, the two bytes at 18 of an ELF file
VERSIONS = ["3.11", "3.12", "3.13", "3.14"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def deployed():
    """Return what is in the zip for Lambda, by name."""
    return contents(build_authorizer(PYTHON, "arm64").read_bytes())


@pytest.fixture(scope="module")
def here():
    """Return what is in the zip for this machine, by name."""
    return contents(build_here())


def contents(archive):
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        return {name: files.read(name) for name in files.namelist()}


def is_machine_code(name):
    return name.endswith((".so", "/WHEEL")) or "/sboms/" in name


def test_both_zips_have_the_same_modules_and_versions(deployed, here):
    """All but the machine code, and what says which machine it is for."""
    assert {name for name in deployed if not is_machine_code(name)} == {
        name for name in here if not is_machine_code(name)
    }
    differing = {
        name for name in deployed if not is_machine_code(name) and deployed[name] != here[name]
    }
    assert differing == set()


@pytest.mark.threat("something-in-the-zip")
def test_zip_has_every_module_of_ours_and_what_the_lock_pins(deployed):
    lock = (ROOT / "requirements/authorizer.txt").read_text()
    pinned = {f"{name}-{version}" for name, version in re.findall(r"^(\S+)==(\S+)", lock, re.M)}
    modules = {path.name: path.read_bytes() for path in (ROOT / "authorizer").glob("*.py")}

    folders = {name.partition(".dist-info")[0] for name in deployed if ".dist-info/" in name}
    assert folders == pinned
    assert {name: deployed.get(name) for name in modules} == modules
    assert not any("tests" in Path(name).parts or name.endswith("/RECORD") for name in deployed)


def test_machine_code_is_for_arm_and_for_the_python_of_the_function(deployed):
    libraries = {name: content for name, content in deployed.items() if name.endswith(".so")}

    assert {int.from_bytes(library[18:20], "little") for library in libraries.values()} == {AARCH64}
    tag = f"cpython-3{sys.version_info.minor}-aarch64-linux-gnu"
    assert sorted(Path(name).name for name in libraries) == [
        f"_cffi_backend.{tag}.so",
        "_rust.abi3.so",
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_wheels_are_there_for_every_python_that_may_be_deployed(version):
    """glibc 2.17 is enough for each: Lambda's Python 3.11 has 2.26."""
    tag = "cp" + version.replace(".", "")
    names = [
        path.stem.split("-", 2) for path in sorted((WHEELS / f"arm64-{version}").glob("*.whl"))
    ]

    arm = "manylinux2014_aarch64.manylinux_2_17_aarch64"
    assert [(name, tags) for name, _, tags in names] == [
        ("cffi", f"{tag}-{tag}-{arm}"),
        ("cryptography", f"cp311-abi3-{arm}"),
        ("pycparser", "py3-none-any"),
        ("pyjwt", "py3-none-any"),
    ]


def test_zip_has_the_same_bytes_again(deployed):
    first = build_authorizer(PYTHON, "arm64").read_bytes()
    build_authorizer.cache_clear()

    assert build_authorizer(PYTHON, "arm64").read_bytes() == first


@pytest.mark.parametrize(("python", "architecture"), [("3.99", "arm64"), ("3.11", "x86_64")])
def test_zip_without_wheels_says_what_fetches_them(python, architecture):
    with pytest.raises(SettingsError, match=f"{python} on {architecture} .*make dev"):
        build_authorizer(python, architecture)
