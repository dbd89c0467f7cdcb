"""A layer for everybody: in several regions, asked for once, and no region's failure hides another's."""

import json

import boto3
import pytest

from layerctl.aws import Aws

REGIONS = ("eu-west-1", "us-east-1")
ORGANIZATION = "o-0123456789"


@pytest.fixture
def functions_in(emulator):
    """Return the client of Lambda in a region."""

    def client(region):
        keys = {
            name.lower(): value
            for name, value in emulator.variables.items()
            if name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        }
        return boto3.client("lambda", region, endpoint_url=emulator.endpoint, **keys)

    return client


class Publisher:
    """Publishes the layer's zip, for each test under a name of its own."""

    def __init__(self, ctl, cloud, path):
        self.layer, self.parameters = cloud.name("Open"), cloud.name("/open")
        self._command = ("publish", path, "--layer", self.layer, "--parameters", self.parameters)
        self._ctl = ctl

    def __call__(self, *arguments, **more):
        return self._ctl(*self._command, *arguments, **more)


@pytest.fixture
def publish(ctl, cloud, layer_zip):
    return Publisher(ctl, cloud, layer_zip)


def arn(region, layer, number=1):
    return f"arn:aws:lambda:{region}:000000000000:layer:{layer}:{number}"


def statements(client, layer):
    policy = client.get_layer_version_policy(LayerName=layer, VersionNumber=1)["Policy"]
    return json.loads(policy)["Statement"]


def count(client, layer):
    return len(client.list_layer_versions(LayerName=layer)["LayerVersions"])


def test_layer_is_published_for_everybody_in_each_region(publish, functions_in):
    result = publish("--public", "--regions", ",".join(REGIONS), "--yes")

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"{region}  published, made public     {arn(region, publish.layer)}" for region in REGIONS
    ]
    for region in REGIONS:
        [statement] = statements(functions_in(region), publish.layer)
        assert statement["Principal"] == "*"
        assert statement["Action"] == "lambda:GetLayerVersion"
        assert statement["Resource"] == arn(region, publish.layer)


def test_parameters_of_each_region_name_the_version_of_that_region(publish, emulator):
    publish("--regions", ",".join(REGIONS))

    keys = {name.lower(): value for name, value in emulator.variables.items() if "KEY" in name}
    for region in REGIONS:
        client = boto3.client("ssm", region, endpoint_url=emulator.endpoint, **keys)
        found = client.get_parameter(Name=f"{publish.parameters}/arn")["Parameter"]["Value"]
        assert found == arn(region, publish.layer)


def test_second_time_changes_nothing(publish, functions_in):
    options = ("--public", "--regions", ",".join(REGIONS), "--yes", "--json")
    publish(*options)

    again = publish(*options)

    assert again.exit_code == 0, again.output
    rows = json.loads(again.stdout)
    assert [row["region"] for row in rows] == [*REGIONS]
    assert [row["arn"] for row in rows] == [arn(region, publish.layer) for region in REGIONS]
    assert {(row["published"], row["public"], row["error"]) for row in rows} == {
        (False, "public already", "")
    }
    assert [count(functions_in(region), publish.layer) for region in REGIONS] == [1, 1]


def test_version_that_was_published_for_oneself_can_be_made_public(publish, functions_in):
    publish()

    result = publish("--public", "--yes")

    assert result.stdout.splitlines()[-1] == (
        f"made public: every AWS account may use {arn('us-east-1', publish.layer)}"
    )
    assert count(functions_in("us-east-1"), publish.layer) == 1


def test_nobody_may_use_what_was_published_without_being_asked_for(publish, functions_in):
    publish("--regions", ",".join(REGIONS))

    client = functions_in("eu-west-1")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        statements(client, publish.layer)


def test_operator_is_asked_first_with_account_and_regions(publish, functions_in):
    result = publish("--public", "--regions", ",".join(REGIONS), answer="n\n")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert f"as {publish.layer} of account 000000000000, in eu-west-1, us-east-1" in result.stderr
    assert result.stderr.splitlines()[-1] == "layerctl: nothing was changed"
    assert [count(functions_in(region), publish.layer) for region in REGIONS] == [0, 0]


def test_account_is_asked_for_in_the_first_of_the_regions(publish):
    """Nothing else names a region then."""
    nowhere = {"AWS_REGION": None, "AWS_DEFAULT_REGION": None}

    result = publish("--public", "--regions", "eu-west-1", answer="n\n", **nowhere)

    assert "of account 000000000000, in eu-west-1" in result.stderr
    assert result.stderr.splitlines()[-1] == "layerctl: nothing was changed"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ("--region", "us-east-1", "--regions", "eu-west-1"),
            "--region names one region and --regions several: leave one of them out",
        ),
        (
            ("--regions", "eu-west-1,eu-wets-1"),
            "there is no region eu-wets-1 that botocore knows: correct the name, or for a new region "
            "upgrade botocore",
        ),
    ],
)
def test_regions_that_cannot_be_meant_are_refused_before_anything(
    publish, functions_in, options, sentence
):
    result = publish(*options, "--public", "--yes")

    assert (result.exit_code, result.stderr) == (2, f"layerctl: {sentence}\n")
    assert count(functions_in("eu-west-1"), publish.layer) == 0


def test_answer_of_an_operator_is_enough(publish):
    result = publish("--public", "--json", answer="y\n")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["public"] == "made public"


@pytest.fixture
def european(cloud):
    """Return the variables of somebody who may publish in eu-west-1 only."""
    name = cloud.name("european")
    variables = cloud.user(name, "ssm:*", "cloudformation:Describe*", "lambda:Get*", "lambda:List*")
    statement = {
        "Effect": "Allow",
        "Action": "lambda:*",
        "Resource": "arn:aws:lambda:eu-west-1:000000000000:layer:*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    cloud.iam.put_user_policy(UserName=name, PolicyName="layers", PolicyDocument=json.dumps(policy))
    return variables


def test_region_that_fails_does_not_hide_the_others(publish, functions_in, european):
    regions = ("us-east-1", "eu-west-1")

    result = publish("--public", "--regions", ",".join(regions), "--yes", **european)

    refused, done = result.stdout.splitlines()
    assert refused.startswith("us-east-1  failed ")
    assert "access denied: " in refused
    assert done == f"eu-west-1  published, made public     {arn('eu-west-1', publish.layer)}"
    assert result.exit_code == 1
    assert result.stderr == (
        "layerctl: 1 of 2 regions failed: us-east-1; the same command does the rest\n"
    )
    assert count(functions_in("us-east-1"), publish.layer) == 0


def test_regions_that_all_refuse_have_changed_nothing(publish, european):
    result = publish("--regions", "us-east-1,us-west-2", "--json", **european)

    assert result.exit_code == 2
    rows = json.loads(result.stdout)
    assert [{*row} for row in rows] == [{"region", "error"}] * 2
    assert all(row["error"].startswith("access denied: ") for row in rows)
    assert result.stderr == (
        "layerctl: 2 of 2 regions failed: us-east-1, us-west-2; nothing was changed\n"
    )


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("", ""), ("eu-west-1,", ""), ("eu-west-1;us-east-1", "eu-west-1;us-east-1"), ("all", "all")],
)
def test_names_that_are_no_regions_are_refused(publish, text, wrong):
    result = publish("--regions", text)

    assert result.exit_code == 2
    assert result.stderr == (
        "layerctl: --regions takes names of regions with commas between them, like "
        f"eu-west-1,us-east-1; got {wrong!r}\n"
    )


def test_list_says_which_versions_are_for_everybody(ctl, publish, functions_in, newer_zip):
    """A version that an organization may use is not."""
    publish("--public", "--yes")
    ctl("publish", newer_zip, "--layer", publish.layer, "--parameters", publish.parameters)
    functions_in("us-east-1").add_layer_version_permission(
        LayerName=publish.layer,
        VersionNumber=2,
        StatementId="ours",
        Action="lambda:GetLayerVersion",
        Principal="*",
        OrganizationId=ORGANIZATION,
    )

    rows = json.loads(ctl("versions", "--layer", publish.layer, "--json").stdout)
    text = ctl("versions", "--layer", publish.layer).stdout

    assert [(row["number"], row["public"]) for row in rows] == [(2, False), (1, True)]
    assert text.endswith("\nfor every AWS account: 1\n")


def test_regions_share_a_session():
    """A profile that asks for a code asks once."""
    here = Aws(region="eu-west-1")
    there = here.in_region("us-west-2")

    assert there._session is here._session
    assert (here.region, there.region) == ("eu-west-1", "us-west-2")
    assert there.functions.meta.region_name == "us-west-2"
