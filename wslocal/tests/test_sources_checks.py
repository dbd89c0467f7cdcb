"""What CloudFormation and AWS refuse of a template, and the emulator would take in a way of its own."""

from __future__ import annotations

import pytest

from wslocal.sources import ProjectError, Stack, fit
from wslocal.sources.constraints import broken_constraint
from wslocal.sources.resources import Resources
from wslocal.sources.unique import check_unique

from .small_template import function, part, template

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {}}


def fitted(more, **sections):
    return fit(Stack("small", template(**more) | sections, {}, {}))


def refusal(more, **sections) -> str:
    with pytest.raises(ProjectError) as caught:
        fitted(more, **sections)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- what refers to what


def with_variable(value):
    return {"Fn": function(Environment={"Variables": {"V": value}})}


@pytest.mark.parametrize(
    ("more", "name"),
    [
        pytest.param(with_variable({"Ref": "Nix"}), "Fn", id="Ref"),
        pytest.param(with_variable({"Fn::Sub": "${Nix.Arn}"}), "Fn", id="Sub"),
        pytest.param(with_variable({"Fn::GetAtt": ["Nix", "Arn"]}), "Fn", id="GetAtt"),
        pytest.param({"A": QUEUE | {"DependsOn": "Nix"}}, "A", id="DependsOn"),
        pytest.param({"A": QUEUE | {"DependsOn": ["Fn", "Nix"]}}, "A", id="list"),
        pytest.param(
            {"Route": part("Route", RouteKey="a", Target={"Fn::Sub": "integrations/${Nix}"})},
            "Route",
            id="route",
        ),
        pytest.param(
            {"A": QUEUE | {"Properties": {"QueueName": {"Ref": "Nix"}}}}, "A", id="property"
        ),
    ],
)
def test_reference_to_nothing(more, name):
    assert refusal(more) == (
        f"{name} refers to Nix, which is neither a resource nor a parameter of the template: correct the name"
    )


def test_output_that_refers_to_nothing():
    assert refusal({}, Outputs={"O": {"Value": {"Ref": "Nix"}}}).startswith("O refers to Nix, ")


@pytest.mark.parametrize(
    "value",
    [
        {"Ref": "Size"},
        {"Ref": "AWS::Region"},
        {"Fn::Sub": "${Size} ${!aws:username} ${AWS::StackId} ${Api}"},
        {"Fn::Sub": ["${Own}", {"Own": "x"}]},
        {"Fn::FindInMap": ["M", {"Ref": "Size"}, "v"]},
        {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "v", {"DefaultValue": "x"}]},
        {"Fn::If": ["Never", {"Fn::FindInMap": ["M", "nix", "v"]}, "x"]},
    ],
)
def test_what_is_there_is_fine(value):
    fitted(
        with_variable(value) | {"A": QUEUE | {"Condition": "Never"}},
        Parameters={"Size": {"Type": "String", "Default": "s"}},
        Mappings={"M": {"s": {"v": "small"}}},
        Conditions={"Never": {"Fn::Equals": ["a", "b"]}, "Also": {"Condition": "Never"}},
    )


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"A": QUEUE | {"Condition": "Nix"}}, "A"),
        (with_variable({"Fn::If": ["Nix", "a", "b"]}), "Fn"),
    ],
)
def test_condition_that_is_not_there(more, name):
    sentence = f"{name} has the condition Nix, which is not in the template's Conditions"

    assert refusal(more).startswith(sentence)


def test_condition_of_a_statement_is_none_of_the_template():
    statement = {"Effect": "Allow", "Condition": {"StringEquals": {"a": "b"}}}

    fitted({"P": {"Type": "AWS::SNS::Topic", "Properties": {"A": [statement]}}})


def test_what_is_not_in_mappings():
    value = {"Fn::FindInMap": ["M", {"Ref": "Size"}, "v"]}

    said = refusal(
        with_variable(value),
        Parameters={"Size": {"Type": "String", "Default": "qa"}},
        Mappings={"M": {"dev": {"v": "x"}}},
    )

    assert said.startswith("Fn takes M.qa.v from the template's Mappings, where it is not")


@pytest.mark.parametrize(
    ("more", "circle"),
    [
        (
            {"A": QUEUE | {"DependsOn": "B"}, "B": QUEUE | {"DependsOn": "A"}},
            "A refers to B refers to A",
        ),
        ({"A": QUEUE | {"DependsOn": "A"}}, "A refers to A"),
        (
            with_variable({"Ref": "A"})
            | {"A": QUEUE | {"Properties": {"QueueName": {"Fn::GetAtt": ["Fn", "Arn"]}}}},
            "Fn refers to A refers to Fn",
        ),
    ],
)
def test_circle(more, circle):
    assert refusal(more).startswith(f"{circle}: CloudFormation can make none of them first")


# --- what a resource has to say


@pytest.mark.parametrize("key", ["Code", "Handler", "Role", "Runtime"])
def test_function_without_what_aws_wants(key):
    said = refusal({"Fn": function(**{key: None})})

    assert said == f"Fn (AWS::Lambda::Function) has no {key}, which AWS wants: add it"


@pytest.mark.parametrize(("kind", "key"), [("Route", "RouteKey"), ("Stage", "StageName")])
def test_part_of_an_api_without_what_aws_wants(kind, key):
    assert f" has no {key}, which AWS wants" in refusal({"It": part(kind)})


# --- types


@pytest.mark.parametrize(
    ("kind", "meant"),
    [
        ("AWS::Lamda::Function", "AWS::Lambda::Function"),
        ("AWS::Lambda::Fucntion", "AWS::Lambda::Function"),
        ("AWS::Lambda::function", "AWS::Lambda::Function"),
        ("AWS::DynamoDb::Table", "AWS::DynamoDB::Table"),
        ("AWS::ApiGatewayV2::Routes", "AWS::ApiGatewayV2::Route"),
        ("AWS::APIGatewayV2::Integration", "AWS::ApiGatewayV2::Integration"),
    ],
)
def test_slip_in_a_type(kind, meant):
    said = refusal({"It": {"Type": kind, "Properties": {}}})

    assert said.startswith(f"It is of the type {kind}, which AWS does not have: write {meant},")


@pytest.mark.parametrize(
    "kind", ["AWS::MSK::Cluster", "AWS::DMS::Endpoint", "AWS::RUM::AppMonitor", "AWS::X::Y"]
)
def test_other_types_are_left_out(kind):
    [gone] = fitted({"It": {"Type": kind, "Properties": {}}}).left_out

    assert (gone.name, gone.type) == ("It", kind)


# --- names that only one can have


def check(*templates):
    stacks = [Stack(f"s{number}", one, {}, {}) for number, one in enumerate(templates)]
    check_unique(Resources.of(stack, stack.template) for stack in stacks)


@pytest.mark.parametrize(
    ("more", "key", "value"),
    [
        (
            {"A": part("Route", RouteKey="$default")},
            "Route and A have the same RouteKey",
            "$default",
        ),
        ({"A": part("Stage", StageName="dev")}, "Stage and A have the same StageName", "dev"),
        (
            {"A": function(FunctionName="f"), "B": function(FunctionName="f")},
            "A and B have the same FunctionName",
            "f",
        ),
        (
            {
                "A": {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "t"}},
                "B": {"Type": "AWS::DynamoDB::GlobalTable", "Properties": {"TableName": "t"}},
            },
            "A and B have the same TableName",
            "t",
        ),
    ],
)
def test_name_of_two(more, key, value):
    with pytest.raises(ProjectError) as caught:
        check(template(**more))

    assert str(caught.value).startswith(f"{key}, {value}: AWS takes one of each")


def test_name_of_two_in_two_stacks():
    with pytest.raises(
        ProjectError, match="Fn and Fn of the stacks s0 and s1 have the same FunctionName, f"
    ):
        check(*[template(Fn=function(FunctionName="f"))] * 2)


def test_names_within_other_things_may_be_the_same():
    second = {"Second": template()["Resources"]["Api"]}
    route = part("Route", RouteKey="$default")
    route["Properties"]["ApiId"] = {"Ref": "Second"}

    check(template(**second, A=route), template())


# --- parameters


@pytest.mark.parametrize(
    ("parameter", "value", "wanted"),
    [
        ({"Type": "Number", "MaxValue": 5}, "6", "5 or less"),
        ({"Type": "Number", "MinValue": 5}, "4", "5 or more"),
        ({"Type": "Number"}, "many", "a number"),
        ({"Type": "Number", "MinValue": 5, "MaxValue": 5}, "5", None),
        ({"Type": "String", "MinLength": 2}, "a", "2 or more characters long"),
        ({"Type": "String", "MaxLength": "2"}, "abc", "2 or fewer characters long"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, "ab1", "as [a-z]+ allows"),
        ({"AllowedPattern": "[a-z]+", "MinLength": 2, "MaxLength": 2}, "ab", None),
        ({"Type": "String", "AllowedPattern": r"\p{Lower}+"}, "A", None),
        ({"Type": "CommaDelimitedList", "MinLength": 9}, "a,b", None),
    ],
)
def test_constraints_of_parameters(parameter, value, wanted):
    assert broken_constraint(parameter, value) == wanted
