"""What a stack takes from elsewhere has to be in the project, or is refused by the resource's name."""

import pytest

from wslocal.sources import ProjectError, Stack, fit, with_archives
from wslocal.sources.imports import with_elsewhere
from wslocal.sources.project import key_of


def stack(name, outputs=None, **properties):
    """Return a stack with one function, whose variables are `properties`."""
    resources = {
        "Chat": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Code": {"S3Bucket": "b", "S3Key": "k"},
                "Environment": {"Variables": properties},
                "Handler": "app.handler",
                "Role": "arn:aws:iam::000000000000:role/chat",
                "Runtime": "python3.11",
            },
        },
        "Kept": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/own", "Value": "x"}},
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {}},
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {}},
    }
    exported = {
        key: {"Value": "x", "Export": {"Name": one}} for key, one in (outputs or {}).items()
    }
    return Stack(name, {"Resources": resources, "Outputs": exported}, {}, {})


def fit_all(*stacks, **options):
    return [fit(one, **options) for one in with_elsewhere(stacks)]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"Fn::ImportValue": "Data:Table"}, id="export"),
        pytest.param({"Fn::ImportValue": {"Fn::Sub": "Data:${Table}"}}, id="unknown"),
        pytest.param("{{resolve:ssm:/own:1}}", id="parameter"),
        pytest.param("{{resolve:ssm-secure:/own}}", id="secure"),
        pytest.param(
            {"Fn::Sub": "{{resolve:secretsmanager:${Secret}:SecretString:key}}"}, id="sub"
        ),
    ],
)
def test_what_is_there(value):
    first = stack("Data", {"Table": {"Fn::Sub": "${AWS::StackName}:Table"}})

    assert len(fit_all(first, stack("App", VALUE=value))) == 2


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"Fn::ImportValue": "Data:Table"}, "Chat takes Data:Table from exports of other stacks"),
        ("{{resolve:ssm:/other}}", "Chat takes /other from ssm, which are not on this machine"),
        ("a{{resolve:secretsmanager:s:SecretString:k}}", "Chat takes s from secretsmanager"),
    ],
)
def test_what_is_not(value, sentence):
    with pytest.raises(ProjectError) as caught:
        fit_all(stack("App", VALUE=value))

    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith("give its variable yourself with --env VALUE=VALUE")
    assert fit_all(stack("App", VALUE=value), environment={"VALUE": "mine"})


def test_order_counts():
    """A stack takes nothing from one that is deployed after it."""
    last = stack("Data", {"Table": "Data:Table"})

    with pytest.raises(ProjectError, match="takes Data:Table"):
        fit_all(stack("App", VALUE={"Fn::ImportValue": "Data:Table"}), last)


def test_an_export_whose_name_only_aws_knows_may_be_any():
    first = stack("Data", {"Table": {"Fn::Sub": "${Kept.Name}"}})

    assert len(fit_all(first, stack("App", VALUE={"Fn::ImportValue": "Data:Table"}))) == 2


def test_stack_alone_is_not_checked():
    assert fit(stack("App", VALUE={"Fn::ImportValue": "Data:Table"})).left_out == ()


def test_other_archives():
    """The template follows, and what is not replaced stays."""
    template = {"Resources": {"F": {"Code": [{"S3Key": "old.zip"}, {"S3Key": "kept.zip"}]}}}
    before = Stack("App", template, {"old.zip": b"old", "kept.zip": b"kept"}, {})

    after = with_archives(before, {"old.zip": b"new"})

    new = key_of(b"new")
    assert after.archives == {new: b"new", "kept.zip": b"kept"}
    assert after.template["Resources"]["F"]["Code"] == [{"S3Key": new}, {"S3Key": "kept.zip"}]
    assert before.template["Resources"]["F"]["Code"][0] == {"S3Key": "old.zip"}
