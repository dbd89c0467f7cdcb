"""The functions' zip as Lambda runs it: unpacked, read-only, started by the official runtime client."""

import sys
import zipfile

import pytest

from infrastructure.archives import build_functions
from infrastructure.function_specs import FUNCTION_SPECS
from wslocal import LambdaHost

pytestmark = pytest.mark.slow

# Stands beside the zip's content, imports a handler's module, and reports how it was loaded.
PROBE = """
import importlib
import os
import sys

compiled = []
sys.addaudithook(
    lambda event, args: compiled.append(str(args[1])) if event == "compile" else None
)
importlib.import_module(os.environ["MODULE"])


def handler(event, context):
    ours = ("handlers", "broadcast")
    return {
        "compiled": sorted(name for name in compiled if "/handlers/" in name or "/broadcast/" in name),
        "modules": [name for name in sys.modules if name.partition(".")[0] in ours],
        "writes_bytecode": not sys.dont_write_bytecode,
        "file": sys.modules["handlers"].__file__,
    }
"""
ENVIRON = {
    "SESSIONS_TABLE_NAME": "Sessions",
    "CONNECTIONS_TABLE_NAME": "Connections",
    "RATE_LIMITS_TABLE_NAME": "RateLimits",
    "API_GATEWAY_ENDPOINT": "https://example.execute-api.us-east-1.amazonaws.com/test",
}
TAG = sys.implementation.cache_tag


def unpack(into, rename=lambda name: name):
    """Unpack the zip as it is deployed, read-only; `rename` gives its entries other names."""
    archive = build_functions(f"3.{sys.version_info.minor}")
    with zipfile.ZipFile(archive) as files:
        for name in files.namelist():
            path = into / rename(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files.read(name))
    (into / "probe.py").write_text(PROBE)
    for path in [into, *into.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return into


def start(task_root, layer, module):
    """Start a function and return what its probe reports."""
    host = LambdaHost(
        handler="probe.handler",
        task_root=task_root,
        layer=layer,
        environ={**ENVIRON, "MODULE": f"handlers.{module}"},
        timeout_seconds=30,
    )
    with host:
        result = host.invoke({})
    assert result.error is None
    return result.payload


@pytest.mark.parametrize("module", [spec.module for spec in FUNCTION_SPECS])
def test_function_starts_without_compiling_its_own_modules(tmp_path, layer, module):
    root = unpack(tmp_path / "task")
    before = sorted(root.glob("[bh]*/**/*"))

    report = start(root, layer, module)

    assert report["compiled"] == []
    assert report["file"] == str(root / "handlers" / "__init__.py")
    assert f"handlers.{module}" in report["modules"]
    assert report["writes_bytecode"]
    assert sorted(root.glob("[bh]*/**/*")) == before


def test_function_on_another_python_compiles_its_sources_and_starts(tmp_path, layer):
    """Bytecode that is not of the running version is as good as not there."""
    root = unpack(tmp_path / "task", lambda name: name.replace(TAG, "cpython-399"))

    report = start(root, layer, "session")

    modules = {name.replace(".", "/") for name in report["modules"]}
    packages = {f"{name}/__init__" for name in ("handlers", "broadcast")}
    wanted = (modules - {"handlers", "broadcast"}) | packages
    assert report["compiled"] == sorted(f"{root}/{name}.py" for name in wanted)
