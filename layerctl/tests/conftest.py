"""A real emulator, the real layer, and the command line as an operator types it."""

import io
import itertools
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import botocore.session
import pytest
from botocore.loaders import create_loader
from click.testing import CliRunner

from layerctl.cli import main
from wslocal import Emulator

ROOT = Path(__file__).parent.parent.parent
PYTHON = f"3.{sys.version_info.minor}"
RUNTIME = f"python{PYTHON}"

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}

# A function that was written without the layer and now imports it.
HANDLER = """
from shared_utils import get_structured_logger

logger = get_structured_logger("Greeter")

def handler(event, context):
    logger.info("hello", operation="greet")
    return {"hello": event["name"]}
"""


def zipped(files: dict[str, str | bytes]) -> bytes:
    """Return a zip of these files, readable by everyone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compresslevel=1)
    return buffer.getvalue()


def unzipped(content: bytes) -> dict[str, bytes]:
    """Return a zip's files."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="session")
def layer_zip(tmp_path_factory):
    """Return the path of the layer's zip as build.sh makes it."""
    path = tmp_path_factory.mktemp("layer") / "shared-layer.zip"
    build = [ROOT / "shared-layer" / "build.sh", "--python", PYTHON, "--output", path]
    subprocess.run(build, check=True, capture_output=True)
    return path


@pytest.fixture(scope="session")
def newer_zip(layer_zip, tmp_path_factory):
    """Return the path of the same layer with one more module: other content, so a new version."""
    path = tmp_path_factory.mktemp("newer") / "shared-layer.zip"
    path.write_bytes(
        zipped(unzipped(layer_zip.read_bytes()) | {"python/extra.py": "NEWER = True\n"})
    )
    return path


@pytest.fixture(scope="session")
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="session", autouse=True)
def shared_models():
    """Read botocore's service models once for all sessions: a tenth of a second for each command."""
    loader = create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lambda *_: loader)
        yield


@pytest.fixture(scope="session")
def cloud(emulator):
    return Cloud(emulator)


@pytest.fixture
def ctl(emulator, monkeypatch, tmp_path):
    """Return the command line, pointed at the emulator by the SDKs' usual variables."""
    for name, value in emulator.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: object, answer: str = "", **variables: str):
        words = [str(argument) for argument in arguments]
        return CliRunner().invoke(main, words, input=answer, env=variables, prog_name="layerctl")

    return run


class Cloud:
    """What the tests make in the emulator, under names of their own."""

    def __init__(self, emulator: Emulator) -> None:
        self.functions = emulator.client("lambda")
        self.parameters = emulator.client("ssm")
        self.stacks = emulator.client("cloudformation")
        self.iam = emulator.client("iam")
        self._emulator = emulator
        self._numbers = itertools.count()
        self.role = self.iam.create_role(
            RoleName="function", AssumeRolePolicyDocument=json.dumps(TRUST)
        )["Role"]["Arn"]

    def name(self, base: str) -> str:
        """Return a name that no other test uses."""
        return f"{base}{next(self._numbers)}"

    def publish(self, layer: str, content: bytes, runtimes: tuple[str, ...] = (RUNTIME,)) -> str:
        """Publish a layer version as someone without layerctl would; return its ARN."""
        return self.functions.publish_layer_version(
            LayerName=layer, Content={"ZipFile": content}, CompatibleRuntimes=list(runtimes)
        )["LayerVersionArn"]

    def function(self, name: str, layers: tuple[str, ...] = (), **changes: object) -> str:
        """Create a function and wait until it is ready; return its name."""
        files = changes.pop("files", {"app.py": HANDLER})
        self.functions.create_function(
            FunctionName=name,
            Code={"ZipFile": zipped(files)},
            Layers=list(layers),
            **{"Runtime": RUNTIME, "Handler": "app.handler", "Role": self.role, **changes},
        )
        return name

    def layers(self, name: str) -> list[str]:
        """Return the function's layers, as `name:version`."""
        configuration = self.functions.get_function_configuration(FunctionName=name)
        return [layer["Arn"].split(":layer:")[1] for layer in configuration.get("Layers", [])]

    def values(self, prefix: str) -> dict[str, str]:
        """Return the SSM parameters below a prefix, by the last part of their names."""
        rows = self.parameters.get_parameters_by_path(Path=prefix)["Parameters"]
        return {row["Name"].rpartition("/")[2]: row["Value"] for row in rows}

    def user(self, name: str, *actions: str) -> dict[str, str]:
        """Create a user who may do only this; return the variables that make one that user."""
        self.iam.create_user(UserName=name)
        self.iam.put_user_policy(
            UserName=name,
            PolicyName="only",
            PolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
                }
            ),
        )
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
