"""The function as Lambda runs it: from its zip, read-only, under the official runtime client."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infrastructure.archives import build_layer
from local.assembly import build_authorizer
from shared_utils.testing import connect_event
from tests.issuer import Issuer
from wslocal import LambdaHost, unpack_layer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
PYTHON = f"3.{sys.version_info.minor}"
ARN = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/test/$connect"


@pytest.fixture(scope="module")
def layer(tmp_path_factory):
    return unpack_layer(build_layer((PYTHON,)), tmp_path_factory.mktemp("layer") / "opt")


@pytest.fixture(scope="module")
def task_root(tmp_path_factory):
    """Return the zip's content as Lambda unpacks it."""
    folder = tmp_path_factory.mktemp("task")
    archive = folder / "authorizer.zip"
    archive.write_bytes(build_authorizer())
    root = folder / "root"
    with zipfile.ZipFile(archive) as files:
        files.extractall(root)
    for path in [root, *root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return root


@pytest.fixture(scope="module")
def function(task_root, layer, signing_key):
    """Return the running function and the issuer that it trusts."""
    with Issuer(key=signing_key) as issuer:
        host = LambdaHost(
            handler="handler.handler",
            task_root=task_root,
            layer=layer,
            environ={"SPEAKER_ISSUER": issuer.url, "SPEAKER_AUDIENCE": issuer.audience},
            timeout_seconds=15,
            log_format="JSON",
        )
        with host:
            yield host, issuer


def event(token):
    query = {"access_token": token} if token else None
    return {**connect_event(query=query), "type": "REQUEST", "methodArn": ARN}


def invoke(function, token=None):
    """Return the result of an invocation and the lines that it wrote, decoded."""
    result = function[0].invoke(event(token))
    return result, [json.loads(line) for line in result.stdout if line.startswith("{")]


def test_good_token_is_answered_with_a_policy(function):
    result, _ = invoke(function, function[1].token())

    assert result.error is None
    assert result.payload["principalId"] == "speaker-1"
    assert result.payload["policyDocument"]["Statement"][0]["Resource"] == ARN
    assert result.payload["context"] == {"subject": "speaker-1", "scopes": "openid speak"}


@pytest.mark.threat("ws-test-authentication")
def test_bad_token_is_answered_with_what_makes_401(function):
    """One line of ours; the runtime's own names nothing but this."""
    result, lines = invoke(function, function[1].token(exp=1))

    assert (result.error.type, result.error.message) == ("Unauthorized", "Unauthorized")
    [ours] = [line for line in lines if line.get("component")]
    assert (ours["level"], ours["context"]["reason"]) == ("WARN", "expired")
    assert ours["connectionId"] == connect_event()["requestContext"]["connectionId"]
    [runtimes] = [line for line in lines if "errorType" in line]
    assert len(runtimes["stackTrace"]) == 1
    assert "raise answer" in runtimes["stackTrace"][0]


@pytest.mark.threat("refused-flood")
def test_flood_of_refused_tokens_is_one_line_of_ours_and_few_of_metrics(function):
    """Two documents at once for the first one; the others share some for ten seconds."""
    token = function[1].token(aud="other")

    lines = [line for _ in range(40) for line in invoke(function, token)[1]]

    [ours] = [line for line in lines if line.get("component")]
    assert ours["context"]["reason"] == "wrongAudience"
    assert len([line for line in lines if "_aws" in line]) <= 6
    assert len([line for line in lines if "errorType" in line]) == 40


@pytest.mark.threat("issuer-down")
def test_outage_of_the_issuer_is_answered_with_what_makes_500(task_root, layer):
    environ = {"SPEAKER_ISSUER": "http://127.0.0.1:9", "SPEAKER_AUDIENCE": "websocket-audio"}
    with (
        Issuer() as other,
        LambdaHost(
            handler="handler.handler", task_root=task_root, layer=layer, environ=environ
        ) as host,
    ):
        result = host.invoke(event(other.token(iss="http://127.0.0.1:9")))

    assert result.error.type == "AuthorizerFailed"
    assert result.error.message == "INTERNAL_SERVER_ERROR"


COMPILED = """
import sys
compiled = []
sys.addaudithook(lambda event, args: event == "compile" and compiled.append(str(args[1])))
import handler
print([name for name in compiled if "<" not in name])
print(sorted({name.partition(".")[0] for name in sys.modules} & {"boto3", "botocore", "requests"}))
"""


def start(path, code, **environ):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, path)), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


GIVEN = {"SPEAKER_ISSUER": "https://login.example.com", "SPEAKER_AUDIENCE": "websocket-audio"}


def test_nothing_is_compiled_at_the_start(task_root, layer):
    run = start([task_root, layer / "python"], COMPILED, **GIVEN)

    assert (run.stderr, run.stdout.splitlines()) == ("", ["[]", "[]"])


@pytest.mark.parametrize("variable", ["SPEAKER_ISSUER", "SPEAKER_AUDIENCE"])
def test_start_without_issuer_or_audience_names_the_variable(variable):
    path = [ROOT / "authorizer", ROOT / "shared-layer/python"]

    run = start(path, "import handler", **{**GIVEN, variable: ""})

    [line] = map(json.loads, run.stdout.splitlines())
    assert (run.returncode, line["errorCode"]) == (1, "INTERNAL_CONFIGURATION_ERROR")
    assert line["error"]["message"].startswith(variable)
