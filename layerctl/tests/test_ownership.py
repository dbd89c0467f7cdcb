"""What a CloudFormation stack owns is moved by deploying it: here with the CDK app's own stack."""

import json

import pytest
from botocore.stub import Stubber

from infrastructure.function_specs import FUNCTION_SPECS
from layerctl import ownership
from layerctl.aws import Aws
from local.project import read_system
from wslocal import Deployer, fit

STAGE = "dev"  # as other tests deploy it, so that it is synthesized once
FUNCTION = f"websocket-audio-{STAGE}-audio"
LAYER = f"SharedUtilsLayer-{STAGE}"


@pytest.fixture(scope="module")
def stack(emulator):
    """Return the name of the deployed stack, with the layer and the functions as they are now."""
    [deployed] = read_system(STAGE).stacks
    Deployer(emulator.client, deployed.name).deploy(fit(deployed).template, deployed.archives)
    return deployed.name


def test_healthy_stage_has_no_finding(ctl, stack):
    result = ctl("doctor", "--stage", STAGE, "--json")

    report = json.loads(result.stdout)
    assert (result.exit_code, report["findings"]) == (0, [])
    assert sorted(report["subjects"]) == sorted(
        f"websocket-audio-{STAGE}-{spec.module}" for spec in FUNCTION_SPECS
    )


def test_deployed_function_can_be_imported(ctl, stack):
    """Under Lambda's runtime client, on the deployed layer, without credentials."""
    result = ctl("doctor", "--function", FUNCTION, "--import", "--json")

    assert (result.exit_code, json.loads(result.stdout)["findings"]) == (0, [])


def test_layer_of_a_stack_is_not_published_by_hand(ctl, stack, newer_zip):
    result = ctl("publish", newer_zip, "--stage", STAGE)

    assert result.exit_code == 2
    assert result.stderr == (
        f"layerctl: the layer {LAYER} belongs to the stack {stack}, which publishes the layer "
        f"from its own sources: run `cdk deploy -c stage={STAGE}`, or --force to do it now all the same\n"
    )


def test_functions_of_a_stack_are_not_moved_by_hand(ctl, cloud, stack, newer_zip):
    cloud.publish(LAYER, newer_zip.read_bytes())

    result = ctl("attach", "--stage", STAGE, "--yes")

    assert result.exit_code == 2
    assert result.stderr.startswith(
        f"layerctl: {FUNCTION} belongs to the stack {stack}, whose next deployment would undo "
        f"this: run `cdk deploy -c stage={STAGE} -c layer_version_arn=arn:aws:lambda:"
    )
    assert cloud.layers(FUNCTION) == [f"{LAYER}:1"]


def test_force_moves_it_and_the_doctor_sees_what_is_uneven(ctl, cloud, stack, newer_zip):
    cloud.publish(LAYER, newer_zip.read_bytes())

    moved = ctl("attach", "--function", FUNCTION, "--layer", LAYER, "--yes", "--force")
    uneven = json.loads(ctl("doctor", "--stage", STAGE, "--json").stdout)
    back = ctl("rollback", "--stage", STAGE, "--to", 1, "--yes", "--force")
    even = json.loads(ctl("doctor", "--stage", STAGE, "--json").stdout)

    assert moved.exit_code == back.exit_code == 0
    codes = {row["code"] for row in uneven["findings"] if row["subject"] == STAGE}
    assert codes == {"versions-differ"}
    assert {row["code"] for row in even["findings"]} == {"outdated"}


def test_parameters_that_do_not_fit_are_found(ctl, cloud, stack):
    prefix = f"/websocket-audio/{STAGE}/layer"
    before = cloud.values(prefix)
    cloud.parameters.put_parameter(Name=f"{prefix}/version", Value="99", Overwrite=True)
    disagree = json.loads(ctl("doctor", "--stage", STAGE, "--json").stdout)
    cloud.parameters.put_parameter(Name=f"{prefix}/version", Value="1", Overwrite=True)
    cloud.parameters.delete_parameter(Name=f"{prefix}/arn")
    missing = json.loads(ctl("doctor", "--stage", STAGE, "--json").stdout)
    other = before["arn"].rpartition(":")[0] + ":7"
    cloud.parameters.put_parameter(Name=f"{prefix}/arn", Value=other, Type="String")
    differs = json.loads(ctl("doctor", "--stage", STAGE, "--json").stdout)

    def codes(report):
        return {row["code"] for row in report["findings"] if row["subject"] == STAGE}

    assert codes(disagree) == {"parameters-disagree"}
    assert codes(missing) == {"parameter-missing"}
    assert codes(differs) == {"parameter-differs", "parameters-disagree"}


def test_resource_is_found_by_its_physical_id():
    """As AWS answers; the emulator cannot look a resource up in this way."""
    aws = Aws(region="eu-west-1")
    row = {
        "StackName": "Team-prod",
        "LogicalResourceId": "Layer",
        "ResourceType": "AWS::Lambda::LayerVersion",
        "Timestamp": 0,
        "ResourceStatus": "CREATE_COMPLETE",
    }

    with Stubber(aws.stacks) as stub:
        stub.add_response(
            "describe_stack_resources", {"StackResources": [row]}, {"PhysicalResourceId": "arn:1"}
        )
        stub.add_client_error(
            "describe_stack_resources", "ValidationError", "Stack for arn:2 does not exist"
        )

        assert ownership.resource_owner(aws, "arn:1") == "Team-prod"
        assert ownership.resource_owner(aws, "arn:2") == ""


def test_parameter_that_is_not_there_has_no_owner():
    aws = Aws(region="eu-west-1")

    with Stubber(aws.parameters) as tags, Stubber(aws.stacks) as stacks:
        tags.add_client_error("list_tags_for_resource", "InvalidResourceId")
        stacks.add_client_error("describe_stack_resources", "ValidationError")

        assert ownership.parameter_owner(aws, ["/p/arn"]) == ""
