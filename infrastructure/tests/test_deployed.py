"""What CloudFormation makes of the template: deployed to the emulator, updated, and rolled back."""

from types import SimpleNamespace

import pytest

from wslocal import Deployer, Emulator, ProjectOptions, fit, read_project

from .conftest import KEY

NAME = "SharedUtilsLayer-dev"


def stack_of(assembly):
    [stack] = read_project(assembly.folder, ProjectOptions()).stacks
    return stack


def fitted(stack):
    """Return the template for the emulator, with the layer that it names: some deployment has made it."""
    template = fit(stack, leave_out={NAME}).template
    for name, resource in stack.template["Resources"].items():
        if resource["Type"] == "AWS::Lambda::Function" and "Layers" in resource["Properties"]:
            properties = template["Resources"][name]["Properties"]
            properties["Layers"] = resource["Properties"]["Layers"]
    return template


@pytest.fixture(scope="module")
def history(dev, synth):
    """Return what is there after a deployment, after a changed layer, and after a roll back."""
    with Emulator() as emulator:
        deployer = Deployer(emulator.client, dev.name)
        functions = emulator.client("lambda")

        def deploy(stack):
            outputs = deployer.deploy(fitted(stack), stack.archives)
            listed = functions.list_layer_versions(LayerName=NAME)["LayerVersions"]
            used = [row["Layers"] for row in functions.list_functions()["Functions"]]
            parameters = emulator.client("ssm").get_parameters_by_path(
                Path="/websocket-audio/dev/layer"
            )["Parameters"]
            return SimpleNamespace(
                outputs=outputs,
                published=sorted(row["Version"] for row in listed),
                used={layer["Arn"] for layers in used for layer in layers},
                parameters={row["Name"].rpartition("/")[2]: row["Value"] for row in parameters},
            )

        first = deploy(stack_of(dev))
        changed = stack_of(dev)
        [layer] = dev.resources("Lambda::LayerVersion")
        properties = changed.template["Resources"][layer]["Properties"]
        properties["Description"] = "shared_utils, another build"
        updated = deploy(changed)
        back = deploy(stack_of(synth(layer_version_arn=first.outputs["LayerVersionArn"])))
        forward = deploy(changed)
        yield SimpleNamespace(first=first, updated=updated, back=back, forward=forward)


def arn(version):
    return f"arn:aws:lambda:us-east-1:000000000000:layer:{NAME}:{version}"


def test_functions_use_the_version_that_was_published(history):
    assert history.first.published == [1]
    assert history.first.used == {arn(1)}
    assert history.first.parameters == {"arn": arn(1), "version": "1"}
    assert history.first.outputs["LayerVersionArn"] == arn(1)


def test_changed_layer_is_used_at_once_and_the_old_version_stays(history):
    assert history.updated.published == [1, 2]
    assert history.updated.used == {arn(2)}
    assert history.updated.parameters == {"arn": arn(2), "version": "2"}


def test_pinned_version_is_used_again_and_none_is_lost(history):
    assert history.back.published == [1, 2]
    assert history.back.used == {arn(1)}
    assert history.back.parameters == {"arn": arn(1), "version": "1"}


def test_way_forward_is_open_after_a_roll_back(history):
    """The layer is published anew."""
    assert history.forward.published == [1, 2, 3]
    assert history.forward.used == {arn(3)}


@pytest.fixture(scope="module")
def guarded_stack(encrypted):
    """Return what the emulator has of a stage with a pool and a key, as its APIs tell it."""
    stack = stack_of(encrypted)
    with Emulator() as emulator:
        outputs = Deployer(emulator.client, stack.name).deploy(fitted(stack), stack.archives)
        gateway, cognito = emulator.client("apigatewayv2"), emulator.client("cognito-idp")
        api = outputs["ApiId"]
        yield SimpleNamespace(
            outputs=outputs,
            routes={row["RouteKey"]: row for row in gateway.get_routes(ApiId=api)["Items"]},
            authorizers=gateway.get_authorizers(ApiId=api)["Items"],
            client=cognito.describe_user_pool_client(
                UserPoolId=outputs["SpeakerIssuer"].rpartition("/")[2],
                ClientId=outputs["SpeakerClientId"],
            )["UserPoolClient"],
            variables=emulator.client("lambda").get_function_configuration(
                FunctionName="websocket-audio-dev-authorizer"
            )["Environment"]["Variables"],
            log_keys={
                row.get("kmsKeyId")
                for row in emulator.client("logs").describe_log_groups()["logGroups"]
            },
        )


def test_connect_is_guarded_by_the_authorizer_that_is_there(guarded_stack):
    [authorizer] = guarded_stack.authorizers
    connect = guarded_stack.routes.pop("$connect")

    assert (connect["AuthorizationType"], connect["AuthorizerId"]) == (
        "CUSTOM",
        authorizer["AuthorizerId"],
    )
    assert authorizer["IdentitySource"] == []
    assert authorizer["AuthorizerUri"].endswith(
        ":function:websocket-audio-dev-authorizer/invocations"
    )
    assert {row["AuthorizationType"] for row in guarded_stack.routes.values()} == {"NONE"}


def test_pool_is_there_with_what_the_outputs_say(guarded_stack):
    outputs = guarded_stack.outputs

    assert guarded_stack.client["AllowedOAuthFlows"] == ["code"]
    assert guarded_stack.client["CallbackURLs"] == ["https://example.org/speak"]
    assert outputs["SpeakerScope"] in guarded_stack.client["AllowedOAuthScopes"]
    assert {
        name: text for name, text in guarded_stack.variables.items() if name.startswith("SPEAKER_")
    } == {
        "SPEAKER_ISSUER": outputs["SpeakerIssuer"],
        "SPEAKER_AUDIENCE": outputs["SpeakerClientId"],
        "SPEAKER_SCOPE": outputs["SpeakerScope"],
    }


def test_log_groups_have_the_key(guarded_stack):
    assert guarded_stack.log_keys == {KEY}
