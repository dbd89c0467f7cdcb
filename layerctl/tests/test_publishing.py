"""A version is published when its content is new, compared with what was sent, and announced."""

import json

import pytest
from botocore.stub import Stubber

from layerctl import parameters, versions
from layerctl.archive import Archive, code_sha256
from layerctl.aws import Aws
from layerctl.errors import AwsError
from layerctl.parameters import Parameter

from .conftest import unzipped, zipped


def test_first_publish_makes_version_one_and_moves_the_parameters(ctl, cloud, layer_zip):
    layer, prefix = cloud.name("First"), cloud.name("/first")

    result = ctl("publish", layer_zip, "--layer", layer, "--parameters", prefix)

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"published {layer}:1, sha256 ")
    assert cloud.values(prefix) == {
        "arn": f"arn:aws:lambda:us-east-1:000000000000:layer:{layer}:1",
        "version": "1",
        "latest": f"arn:aws:lambda:us-east-1:000000000000:layer:{layer}:1",
    }


def test_published_version_says_what_it_is(ctl, cloud, layer_zip):
    layer = cloud.name("Described")

    ctl("publish", layer_zip, "--layer", layer, "--parameters", cloud.name("/described"))

    [version] = cloud.functions.list_layer_versions(LayerName=layer)["LayerVersions"]
    assert version["Description"].startswith("shared_utils ")
    assert ", build " in version["Description"]
    assert version["CompatibleRuntimes"] == ["python3.11", "python3.12", "python3.13", "python3.14"]
    assert version["CompatibleArchitectures"] == ["x86_64", "arm64"]


def test_same_content_is_not_published_again(ctl, cloud, layer_zip):
    names = ("--layer", cloud.name("Twice"), "--parameters", cloud.name("/twice"))
    ctl("publish", layer_zip, *names)

    again = ctl("publish", layer_zip, *names, "--json")

    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["published"] is False
    assert json.loads(again.stdout)["moved"] == {}
    assert len(cloud.functions.list_layer_versions(LayerName=names[1])["LayerVersions"]) == 1


def test_same_content_in_another_zip_is_not_published_again(ctl, cloud, layer_zip, tmp_path):
    """Dates and compression differ from machine to machine; functions do not see them."""
    names = ("--layer", cloud.name("Rezipped"), "--parameters", cloud.name("/rezipped"))
    other = tmp_path / "other.zip"
    other.write_bytes(zipped(dict(reversed(unzipped(layer_zip.read_bytes()).items()))))
    ctl("publish", layer_zip, *names)

    again = ctl("publish", other, *names)

    assert other.read_bytes() != layer_zip.read_bytes()
    assert again.stdout.startswith(f"unchanged: the newest version is {names[1]}:1")


def test_new_content_is_the_next_version(ctl, cloud, layer_zip, newer_zip):
    names = ("--layer", cloud.name("Next"), "--parameters", cloud.name("/next"))
    ctl("publish", layer_zip, *names)

    result = ctl("publish", newer_zip, *names)

    assert result.stdout.startswith(f"published {names[1]}:2")
    assert cloud.values(names[3])["version"] == "2"
    assert cloud.values(names[3])["latest"].endswith(":2")


def test_publish_that_stopped_is_finished_by_the_next_one(ctl, cloud, layer_zip):
    """Without the right to write parameters the version is there and not announced."""
    names = ("--layer", cloud.name("Half"), "--parameters", cloud.name("/half"))
    who = cloud.user("publisher", "lambda:*", "ssm:Get*", "ssm:List*", "cloudformation:Describe*")

    stopped = ctl("publish", layer_zip, *names, **who)
    finished = ctl("publish", layer_zip, *names)

    assert stopped.exit_code == 1
    assert f"layerctl: stopped at {names[3]}/arn: access denied: " in stopped.stderr
    assert "(0 of 3 steps are done; the same command does the rest)" in stopped.stderr
    assert finished.stdout.startswith(f"unchanged: the newest version is {names[1]}:1")
    assert set(cloud.values(names[3])) == {"arn", "version", "latest"}


def test_publishing_again_after_a_rollback_keeps_the_older_version_in_use(
    ctl, cloud, layer_zip, newer_zip
):
    """CI publishes at every run; that must not undo what an operator did at night."""
    names = ("--layer", cloud.name("Night"), "--parameters", cloud.name("/night"))
    ctl("publish", layer_zip, *names)
    ctl("publish", newer_zip, *names)
    cloud.parameters.put_parameter(Name=f"{names[3]}/version", Value="1", Overwrite=True)

    ctl("publish", newer_zip, *names)

    assert cloud.values(names[3])["version"] == "1"


def test_digest_is_of_contents_not_of_the_zip():
    one = Archive(zipped({"python/a.py": "A = 1\n", "python/b.py": "B = 2\n"}), "one")
    other = Archive(zipped({"python/b.py": "B = 2\n", "python/a.py": "A = 1\n"}), "other")
    changed = Archive(zipped({"python/a.py": "A = 2\n", "python/b.py": "B = 2\n"}), "changed")

    assert one.content != other.content
    assert one.digest == other.digest
    assert one.digest != changed.digest


@pytest.mark.threat("something-in-the-zip")
def test_published_zip_that_is_not_what_was_sent_is_a_failure(monkeypatch):
    """Lambda always keeps what it was sent; here it has another zip, and its right digest."""
    aws = Aws(region="eu-west-1")
    arn = "arn:aws:lambda:eu-west-1:123456789012:layer:L:1"
    sent, other = Archive(zipped({"python/a.py": ""}), "zip"), zipped({"python/other.py": ""})
    content = {"CodeSha256": code_sha256(other), "Location": "https://s3/"}
    monkeypatch.setattr(versions, "download", lambda url, what: other)

    with Stubber(aws.functions) as stub:
        stub.add_response("publish_layer_version", {"LayerVersionArn": arn})
        stub.add_response(
            "get_layer_version_by_arn", {"LayerVersionArn": arn, "Version": 1, "Content": content}
        )
        with pytest.raises(AwsError) as refused:
            versions.publish(aws, "L", sent, "a", ["python3.13"])

    assert str(refused.value) == "L:1 was published and is not the same when read back"


def test_zip_that_does_not_have_its_digest_is_refused(monkeypatch):
    aws = Aws(region="eu-west-1")
    arn = "arn:aws:lambda:eu-west-1:123456789012:layer:L:1"
    content = {"CodeSha256": "another", "Location": "https://s3/"}
    monkeypatch.setattr(versions, "download", lambda url, what: zipped({}))

    with Stubber(aws.functions) as stub:
        stub.add_response(
            "get_layer_version_by_arn", {"LayerVersionArn": arn, "Version": 1, "Content": content}
        )
        with pytest.raises(AwsError) as refused:
            versions.fetch(aws, arn)

    assert str(refused.value) == "L:1 is not what its digest says: publish it again"


def test_parameter_that_someone_else_writes_too_is_a_failure():
    aws = Aws(region="eu-west-1")

    with Stubber(aws.parameters) as stub:
        stub.add_response("put_parameter", {"Version": 2})
        stub.add_response("get_parameter", {"Parameter": {"Name": "/p/version", "Value": "3"}})
        with pytest.raises(AwsError) as refused:
            parameters.write(aws, Parameter("/p/version", "2"))

    assert str(refused.value) == "/p/version is 3, not 2: someone else writes it too"
