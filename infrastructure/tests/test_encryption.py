"""With a key of the customer's, everything that holds data is encrypted with it."""

import json
import re

import pytest

from infrastructure.function_specs import FUNCTION_SPECS

from .conftest import KEY
from .test_functions import flat, statements_of
from .test_readmes import OWN_README

# Where each kind of resource that holds data names its key.
PLACES = {
    "DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "Logs::LogGroup": ("KmsKeyId",),
    "Lambda::Function": ("KmsKeyArn",),
    "SNS::Topic": ("KmsMasterKeyId",),
    "Cognito::UserPool": ("KeyConfiguration", "KmsKeyArn"),
}
# What holds no data of a person, a session or a message: names, numbers, code, rules.
WITHOUT_DATA = {
    "ApiGateway::Account",
    "ApiGatewayV2::Api",
    "ApiGatewayV2::Authorizer",
    "ApiGatewayV2::Integration",
    "ApiGatewayV2::Route",
    "ApiGatewayV2::Stage",
    "CloudWatch::Alarm",
    "CloudWatch::Dashboard",
    "Cognito::UserPoolClient",
    "Cognito::UserPoolDomain",
    "Cognito::UserPoolResourceServer",
    "Events::Rule",
    "IAM::Policy",
    "IAM::Role",
    "Lambda::EventInvokeConfig",
    "Lambda::LayerVersion",
    "Lambda::Permission",
    "Logs::QueryDefinition",
    "SNS::TopicPolicy",
    "SSM::Parameter",
}


def key_of(properties, path):
    for name in path:
        properties = properties.get(name, {})
    return properties or None


def keys_of(assembly):
    """Return the keys that the resources of each kind have."""
    return {
        kind: {key_of(properties, path) for properties in assembly.properties(kind)}
        for kind, path in PLACES.items()
    }


@pytest.mark.threat("table-at-rest")
def test_each_resource_with_data_has_the_key(encrypted):
    assert keys_of(encrypted) == {kind: {KEY} for kind in PLACES}


def test_without_the_option_the_keys_are_those_of_aws(pooled):
    assert keys_of(pooled) == {kind: {None} for kind in PLACES}
    assert "kms" not in pooled.text.lower()


def test_kinds_of_resources_are_known_to_hold_data_or_not(encrypted):
    """A new kind has to be put on one of the two lists."""
    kinds = {row["Type"].removeprefix("AWS::") for row in encrypted.template["Resources"].values()}

    assert kinds - {"CDK::Metadata"} == PLACES.keys() | WITHOUT_DATA


@pytest.mark.parametrize("spec", FUNCTION_SPECS, ids=lambda spec: spec.module)
def test_function_has_its_items_decrypted_by_dynamodb_and_by_nobody_else(encrypted, spec):
    [statement] = [row for row in statements_of(encrypted, spec.module) if KEY in row["Resource"]]
    [(operator, condition)] = statement["Condition"].items()

    assert (statement["Effect"], statement["Action"]) == ("Allow", "kms:Decrypt")
    assert statement["Resource"] == KEY
    assert operator == "StringEquals"
    assert {name: flat(value) for name, value in condition.items()} == {
        "kms:ViaService": "dynamodb.<AWS::Region>.<AWS::URLSuffix>"
    }


def test_no_other_role_has_the_key(encrypted):
    policies = [row for row in encrypted.properties("IAM::Policy") if KEY in json.dumps(row)]

    assert len(policies) == len(FUNCTION_SPECS)


def test_policy_in_the_readme_lets_the_services_in_that_need_the_key():
    """The key's owner has to write it: a stack cannot change the policy of a key that is not its own."""
    [block] = re.findall(r"^```json\n(.*?)^```$", OWN_README, re.M | re.S)
    statements = json.loads(block)

    assert [row["Principal"] for row in statements] == [
        {"Service": "logs.REGION.amazonaws.com"},
        {"Service": "cloudwatch.amazonaws.com"},
    ]
    assert all(row["Effect"] == "Allow" and row["Condition"] for row in statements)
    assert "websocket-audio-*" in json.dumps(statements[0]["Condition"])
