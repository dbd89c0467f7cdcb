"""Whatever goes wrong is one line that says what to do, and an exit code; never a stack trace."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from layerctl.archive import BUILD, Archive
from layerctl.check_zip import check_zip

from .conftest import RUNTIME, zipped


@pytest.fixture
def fails(ctl):
    """Return what a failing command writes: one line."""

    def run(*arguments, code=2, **variables):
        result = ctl(*arguments, **variables)
        lines = result.stderr.splitlines()
        assert result.exit_code == code, result.output
        assert len(lines) == 1, result.stderr
        return lines[0].removeprefix("layerctl: ")

    return run


@pytest.fixture
def edge():
    """Return a server that answers every call alike, for what the emulator never says."""

    class Edge(BaseHTTPRequestHandler):
        answer = (500, "Unknown", "?")
        url = ""
        calls = 0

        def do_GET(self):
            type(self).calls += 1
            status, kind, message = self.answer
            body = json.dumps({"message": message, "Message": message}).encode()
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("X-Amzn-ErrorType", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_GET

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Edge) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        Edge.url = f"http://127.0.0.1:{server.server_port}"
        yield Edge
        server.shutdown()
        thread.join()


def test_no_credentials(fails):
    said = fails("versions", AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)

    assert said.startswith("no credentials: give --profile, sign in (aws sso login), or set ")


def test_half_of_a_key(fails):
    assert "set both parts of the key" in fails("versions", AWS_SECRET_ACCESS_KEY=None)


def test_profile_that_is_not_there(fails):
    said = fails("versions", "--profile", "nobody")

    assert "(nobody) could not be found: `aws configure list-profiles` lists them" in said


def test_no_region(fails):
    said = fails("versions", AWS_REGION=None, AWS_DEFAULT_REGION=None)

    assert said == "no region: give --region, or set AWS_REGION"


def test_version_is_shown(ctl):
    result = ctl("--version")

    assert (result.exit_code, result.stdout.split()[0].strip(",")) == (0, "layerctl")


def test_region_of_the_aws_cli_is_known(fails):
    """boto3 alone reads AWS_DEFAULT_REGION only."""
    said = fails("versions", "--layer", "Nothing", AWS_DEFAULT_REGION=None)

    assert said.startswith("there is no layer Nothing here")


def test_profile_wins_over_keys_in_the_environment(fails, emulator, tmp_path):
    """As with the AWS CLI; the profile brings the region too."""
    keys = emulator.variables
    config = tmp_path / "config"
    config.write_text(
        "[profile operator]\nregion = us-east-1\n"
        f"aws_access_key_id = {keys['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {keys['AWS_SECRET_ACCESS_KEY']}\n"
    )
    others = {
        "AWS_CONFIG_FILE": str(config),
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_REGION": None,
        "AWS_DEFAULT_REGION": None,
    }

    said = fails("versions", "--layer", "Nothing", "--profile", "operator", **others)

    assert said.startswith("there is no layer Nothing here")


def test_credentials_that_aws_does_not_know(fails):
    said = fails("versions", AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE")

    assert said.startswith("AWS does not accept these credentials: check --profile")


def test_endpoint_where_nothing_listens(fails):
    said = fails("versions", "--endpoint-url", "http://127.0.0.1:1", AWS_MAX_ATTEMPTS="1")

    assert "127.0.0.1:1" in said
    assert "check --endpoint-url" in said


def test_endpoint_that_is_no_address(fails):
    assert "--endpoint-url looks like http" in fails("versions", "--endpoint-url", "localhost")


def test_no_such_function(fails):
    assert fails("doctor", "--function", "nobody") == (
        "there is no function nobody here: check the name, --region and --profile"
    )


def test_no_such_stage(fails):
    assert fails("attach", "--stage", "moon") == (
        "no function here is called websocket-audio-moon-*: check --stage, --region and --profile"
    )


def test_no_such_layer(fails, cloud):
    name = cloud.function(cloud.name("f"))

    assert fails("attach", "--function", name, "--layer", "Nothing") == (
        "there is no layer Nothing here: publish it, or name it with --layer"
    )


def test_no_such_version(fails, cloud):
    layer = cloud.publish(cloud.name("One"), zipped({"python/a.py": ""})).split(":")[6]
    name = cloud.function(cloud.name("f"))

    assert fails("attach", "--function", name, "--layer", layer, "--version", "9") == (
        f"{layer} has no version 9: `layerctl versions` lists them"
    )


def test_nothing_to_roll_back_to(fails, cloud):
    arn = cloud.publish(cloud.name("Only"), zipped({"python/a.py": ""}))
    layer = arn.split(":")[6]
    name = cloud.function(cloud.name("f"), (arn,))

    assert fails("rollback", "--function", name, "--layer", layer) == (
        f"{layer} has no version before 1: `layerctl versions` lists those it has"
    )


def test_rollback_of_a_layer_that_the_function_does_not_have(fails, cloud):
    mine = cloud.publish(cloud.name("Mine"), zipped({"python/a.py": ""}))
    other = cloud.publish(cloud.name("Other"), zipped({"python/b.py": ""}))
    name = cloud.function(cloud.name("f"), (mine,))

    said = fails("rollback", "--function", name, "--layer", other.split(":")[6])

    assert f"no function here has {other.split(':')[6]}, but {mine.split(':')[6]}:1; " in said


def test_access_denied(fails, cloud):
    """IAM is enforced by the emulator; the line names the action to allow."""
    name = cloud.function(cloud.name("f"))
    who = cloud.user("nobody", "ssm:GetParameter")

    said = fails("doctor", "--function", name, **who)

    assert said.startswith("access denied: ")
    assert "lambda:GetFunction" in said
    assert said.endswith("have it allowed, or choose another identity with --profile")


def test_throttled(fails, edge):
    edge.answer = (429, "TooManyRequestsException", "Rate exceeded")

    said = fails("versions", "--endpoint-url", edge.url, AWS_MAX_ATTEMPTS="1")

    assert said == "AWS throttles ListLayerVersions after 1 tries: wait a minute and run it again"


def test_throttling_is_waited_out_first(fails, edge):
    """botocore's standard mode tries again, as often as AWS_MAX_ATTEMPTS says."""
    edge.answer = (429, "TooManyRequestsException", "Rate exceeded")

    fails("versions", "--endpoint-url", edge.url, AWS_MAX_ATTEMPTS="2")

    assert edge.calls == 2


def test_update_that_runs_already(fails, edge):
    edge.answer = (409, "ResourceConflictException", "An update is in progress for resource: x")

    said = fails("doctor", "--function", "x", "--endpoint-url", edge.url)

    assert said == (
        "another update of it is running (An update is in progress for resource: x): "
        "wait until it is done and run this again"
    )


def test_answer_that_nobody_expected(fails, edge):
    edge.answer = (418, "TeapotException", "I am a teapot.\nReally.")

    said = fails("versions", "--endpoint-url", edge.url)

    assert said == "ListLayerVersions was refused: I am a teapot. Really (TeapotException)"


def test_file_that_is_no_zip(fails, tmp_path):
    path = tmp_path / "layer.zip"
    path.write_text("not a zip")

    said = fails("publish", path)

    assert said == (
        "layer.zip is not a zip (File is not a zip file): take the zip of a release, or build one with "
        "shared-layer/build.sh"
    )


def test_zip_that_is_damaged(fails, tmp_path, layer_zip):
    content = bytearray(layer_zip.read_bytes())
    content[2000:2100] = bytes(100)
    path = tmp_path / "layer.zip"
    path.write_bytes(content)

    said = fails("publish", path)

    assert "layer.zip is damaged at python/shared_utils/" in said
    assert said.endswith(f"copy it again, or {BUILD}")


def test_zip_that_is_no_layer(fails, tmp_path):
    path = tmp_path / "layer.zip"
    path.write_bytes(zipped({"shared_utils/__init__.py": ""}))

    said = fails("publish", path)

    assert said.startswith("layer.zip is not a layer that works: shared_utils is not below python/")
    assert said.endswith(f"zip the folder that holds python/, or {BUILD}")


def test_wheel_is_said_to_be_one(fails, tmp_path):
    path = tmp_path / "shared_utils_layer-0.2.0-py3-none-any.whl"
    path.write_bytes(
        zipped(
            {"shared_utils/__init__.py": "", "shared_utils_layer-0.2.0.dist-info/WHEEL": "Tag: x"}
        )
    )

    said = fails("publish", path)

    assert [row.code for row in check_zip(Archive(path.read_bytes(), ""), "p")] == ["wheel"]
    assert f"{path.name} is a wheel, which pip installs; " in said


@pytest.mark.parametrize("command", ["publish", "doctor"])
def test_pipe_is_not_waited_for(ctl, tmp_path, command):
    os.mkfifo(tmp_path / "layer.zip")

    result = ctl(command, tmp_path / "layer.zip")

    assert result.exit_code == 2
    assert "layer.zip is no regular file: name a zip" in result.stderr


def test_newer_runtime_than_the_layer_knows(fails, cloud):
    layer = cloud.publish(cloud.name("Old"), zipped({"python/a.py": ""}), ("python3.9",))
    layer = layer.split(":")[6]
    name = cloud.function(cloud.name("f"))

    assert fails("attach", "--function", name, "--layer", layer, "--yes") == (
        f"{name} runs {RUNTIME}, and {layer}:1 is for python3.9: publish a version for it with "
        f"--runtime {RUNTIME}, or --force"
    )


def test_sixth_layer(fails, cloud):
    five = tuple(cloud.publish(cloud.name("L"), zipped({"python/a.py": ""})) for _ in range(5))
    sixth = cloud.publish(cloud.name("L"), zipped({"python/a.py": ""})).split(":")[6]
    name = cloud.function(cloud.name("f"), five)

    assert fails("attach", "--function", name, "--layer", sixth, "--yes") == (
        f"{name} has 5 layers, and Lambda allows 5: detach one or merge two"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("attach", "--yes"), id="neither"),
        pytest.param(("attach", "--stage", "dev", "--function", "f"), id="both"),
        pytest.param(("doctor",), id="nothing-to-look-at"),
        pytest.param(("attach", "--stage", "Dev-1"), id="impossible-stage"),
    ],
)
def test_options_that_make_no_sense(fails, arguments):
    assert fails(*arguments).startswith(("name ", "--stage takes "))
