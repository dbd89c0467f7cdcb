"""Modules that take the place of Python's or the runtime's, or never get to their own."""

import subprocess
import sys
import sysconfig
from dataclasses import replace

import pytest

from layerctl.archive import Archive
from layerctl.check_function import check_function
from layerctl.check_shadows import LOADED_BEFORE, check_standard_names
from layerctl.check_zip import check_zip
from layerctl.findings import AttachedLayer, FunctionFacts, Wanted

from .conftest import PYTHON, zipped
from .test_doctor import FUNCTION

# As /var/runtime/bootstrap.py does before it puts /var/task and /opt into the search path.
RUNTIME = """
import sys
sys.path.append(sys.argv[1])
import json, logging, os, site, time, traceback, warnings
import awslambdaric.__main__
print(*{name.partition(".")[0] for name in sys.modules})
"""
LAYER = "arn:aws:lambda:eu-west-1:111111111111:layer:Ours:1"


def findings(*names, handler="app.handler"):
    modules = {name.rstrip("/"): name if name.endswith("/") else f"{name}.py" for name in names}
    rows = check_standard_names("code", modules, "f", handler)
    return [f"{row.level} {row.code}" for row in rows]


def test_runtime_loads_these_before_the_functions_folder_is_searched():
    packages = sysconfig.get_path("platlib")
    command = [sys.executable, "-I", "-S", "-c", RUNTIME, packages]

    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert set(loaded) >= LOADED_BEFORE
    assert {"typing", "random", "dataclasses"} & set(loaded) == set()


@pytest.mark.parametrize("name", ["random", "typing", "dataclasses", "email", "secrets", "queue"])
def test_module_that_hides_pythons(name):
    assert findings(name) == ["error hides-standard-library"]


@pytest.mark.parametrize("name", ["types", "logging", "json", "awslambdaric", "os"])
def test_module_that_is_never_imported(name):
    assert findings(name) == ["warning never-imported"]


def test_handler_that_is_never_imported():
    assert findings("types", handler="types.handler") == ["error never-imported"]


@pytest.mark.parametrize("name", ["app", "shared_utils", "test", "boto", "bootstrap", "requests"])
def test_name_of_ones_own(name):
    assert findings(name) == []


@pytest.mark.parametrize(
    ("names", "codes"),
    [
        pytest.param(("boto3/",), ["warning sdk-in-part"], id="boto3"),
        pytest.param(("botocore/",), ["warning sdk-in-part"], id="botocore"),
        pytest.param(("boto3/", "botocore/"), [], id="both"),
        pytest.param((), [], id="none"),
    ],
)
def test_sdk_in_part(names, codes):
    """AWS advises to bring the SDK that one has tested with: both of its parts."""
    assert findings(*names) == codes


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("python/random.py", id="module"),
        pytest.param("python/random/__init__.py", id="package"),
        pytest.param("python/lib/python3.11/site-packages/random.py", id="of-one-python"),
        pytest.param("python/random.cpython-311-x86_64-linux-gnu.so", id="extension"),
    ],
)
def test_layers_zip_that_hides_pythons_module(path):
    archive = Archive(zipped({"python/shared_utils/__init__.py": "", path: ""}), "layer.zip")

    [hides] = [row for row in check_zip(archive, "shared_utils") if row.level == "error"]

    assert hides.code == "hides-standard-library"
    assert hides.message.startswith(path.removesuffix("__init__.py"))


@pytest.mark.parametrize("path", ["python/random/x.txt", "python/mine/random.py", "random.py"])
def test_layers_zip_with_the_name_where_it_hides_nothing(path):
    """A folder without `__init__` comes after every module; and Python looks at the top only."""
    archive = Archive(zipped({"python/shared_utils/__init__.py": "", path: ""}), "layer.zip")

    assert [row.code for row in check_zip(archive, "shared_utils")] == ["bytecode-missing"]


@pytest.mark.parametrize("name", ["urllib3", "s3transfer", "jmespath", "dateutil"])
def test_file_with_the_name_of_a_package_of_the_sdk(name):
    """A package of the name is what a requirement brings."""
    assert findings(name) == ["error hides-sdk"]
    assert [*check_standard_names("code", {name: f"python/{name}/"}, "f")] == []


@pytest.mark.parametrize("name", ["sitecustomize", "usercustomize"])
def test_file_that_python_imports_at_its_start(name):
    assert findings(name) == ["warning runs-at-start"]


@pytest.mark.parametrize(("name", "level"), [("shared_utils", "error"), ("more", "warning")])
def test_module_in_both_folders_of_a_layer(name, level):
    python = "python/lib/python3.12/site-packages/"
    files = {"python/shared_utils/__init__.py": "", f"python/{name}/__init__.py": ""}
    archive = Archive(zipped(files | {f"{python}{name}/__init__.py": ""}), "layer.zip")

    found = [row for row in check_zip(archive, "shared_utils") if row.code == "in-both-folders"]

    assert [(row.level, row.message) for row in found] == [
        (
            level,
            f"layer.zip has {python}{name}/ and python/{name}/: under Python 3.12 the first hides the other",
        )
    ]


def test_function_with_layers():
    """Its own package and each layer are looked at, also those that do not hold our package."""
    code = Archive(zipped({"app.py": "", "queue.py": "", "python\\x.py": ""}), "the package of f")
    layer = Archive(zipped({"python/typing.py": "", "python/._typing.py": ""}), "Ours:1")
    facts = FunctionFacts(
        replace(FUNCTION, runtime=f"python{PYTHON}"),
        code,
        (AttachedLayer(LAYER, None, layer),),
    )

    rows = list(check_function(facts, Wanted("shared_utils", "L")))

    assert [(row.code, row.message.partition(" ")[0]) for row in rows] == [
        ("not-attached", "no"),
        ("backslash-in-name", "the"),
        ("left-behind", "Ours:1"),
        ("hides-standard-library", "queue.py"),
        ("hides-standard-library", "python/typing.py"),
    ]
