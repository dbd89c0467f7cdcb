"""Templates as text, their parameters, and what they say of values."""

import pytest

from wslocal.sources.parameters import check_names, parameters_of, settle_parameters
from wslocal.sources.project import ProjectError
from wslocal.sources.references import depends_on, referred, target_of
from wslocal.sources.template_text import parse_template, read_template
from wslocal.sources.values import Values


def parsed(text):
    return parse_template(text, "t.yaml")


# --- text


def test_short_tags():
    template = parsed(
        """
        Resources:
          Queue:
            Type: AWS::SQS::Queue
            Properties:
              QueueName: !Sub "${AWS::StackName}-q"
              A: !GetAtt Other.Arn.More
              B: !GetAtt [Other, Arn]
              C: !If [IsProd, !Ref One, {Ref: Two}]
              D: !Join ["", [!Select [0, !Split [",", "a,b"]], !ImportValue x]]
              E: !Base64 x
        """
    )

    assert template["Resources"]["Queue"]["Properties"] == {
        "QueueName": {"Fn::Sub": "${AWS::StackName}-q"},
        "A": {"Fn::GetAtt": ["Other", "Arn.More"]},
        "B": {"Fn::GetAtt": ["Other", "Arn"]},
        "C": {"Fn::If": ["IsProd", {"Ref": "One"}, {"Ref": "Two"}]},
        "D": {
            "Fn::Join": [
                "",
                [
                    {"Fn::Select": [0, {"Fn::Split": [",", "a,b"]}]},
                    {"Fn::ImportValue": "x"},
                ],
            ]
        },
        "E": {"Fn::Base64": "x"},
    }


def test_merged_names_may_be_there_too():
    text = """
        Resources:
          A: {Type: X, Properties: &shared {B: 1, C: 2}}
          D: {Type: X, Properties: {<<: *shared, B: 3}}
        """

    assert parsed(text)["Resources"]["D"]["Properties"] == {"B": 3, "C": 2}


def test_dates_stay_text():
    template = parsed("Resources: {R: {Type: X, Properties: {Version: 2012-10-17}}}")

    assert template["Resources"]["R"]["Properties"] == {"Version": "2012-10-17"}


def test_json():
    assert parsed('{"Resources": {"R": {"Type": "X"}}}') == {"Resources": {"R": {"Type": "X"}}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("Resources:\n  A: [", "t.yaml is no YAML: line 2, ", id="yaml"),
        pytest.param("Resources:\n\tA: 1", "t.yaml is no YAML: line 2, ", id="tab"),
        pytest.param(
            "Resources:\n  A: !Rf x",
            "t.yaml is no YAML: line 2, !Rf is no function of CloudFormation",
            id="tag",
        ),
        pytest.param(
            "Resources:\n  A: {Type: X}\n  A: {Type: Y}",
            "t.yaml is no YAML: line 3, A is there twice",
            id="twice",
        ),
        pytest.param('{"Resources": {\n}', "t.yaml is no JSON: line 2, ", id="json"),
        pytest.param("", "t.yaml is no template: it has no section Resources", id="empty"),
        pytest.param("- a", "t.yaml is no template", id="list"),
        pytest.param("Resources: {A: {}}", "t.yaml: the resource A has no Type", id="type"),
        pytest.param(
            "Resources: {A: {Type: X, Properties: [1]}}",
            "t.yaml: the Properties of A are not names with values",
            id="properties",
        ),
        pytest.param(
            "Resources: {A: {Type: X, Properties: {B: [{C: }]}}}",
            "t.yaml: B.[0].C of A has no value",
            id="empty-value",
        ),
        pytest.param(
            "Resources: {}\nParameters: [a]",
            "t.yaml: the section Parameters is not names with values",
            id="section",
        ),
        pytest.param(
            "Resources: {}\nParameters: {a: b}",
            "t.yaml: a in Parameters is not names with values",
            id="parameter",
        ),
        pytest.param(
            "Resources: {'Fn::ForEach::X': [a, [], {}]}", "has a loop, Fn::ForEach::X", id="loop"
        ),
    ],
)
def test_text_refused(text, sentence):
    with pytest.raises(ProjectError) as caught:
        parsed(text)

    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable(tmp_path):
    (tmp_path / "t.yaml").write_bytes(b"\xff\xff")

    with pytest.raises(ProjectError, match=r"t\.yaml cannot be read"):
        read_template(tmp_path / "t.yaml")


# --- parameters

STAGE = {"Type": "String", "AllowedValues": ["dev", "prod"], "Default": "dev"}


def with_parameters(**parameters):
    return {"Parameters": parameters, "Resources": {}}


def test_parameters_have_defaults_that_can_be_given():
    template = with_parameters(
        Stage=STAGE, Size={"Type": "Number", "Default": 3}, On={"Default": True}
    )

    assert settle_parameters(template, {"Stage": "prod"}) == {
        "Stage": "prod",
        "Size": "3",
        "On": "true",
    }


def test_parameters_missing():
    with pytest.raises(ProjectError) as caught:
        settle_parameters(with_parameters(B={"Type": "String"}, A={"Type": "String"}), {})

    assert str(caught.value) == (
        "the template wants a value for A, B: give it with --parameter B=VALUE --parameter A=VALUE"
    )


def test_parameter_not_allowed():
    with pytest.raises(ProjectError, match="parameter Stage must be one of dev, prod"):
        settle_parameters(with_parameters(Stage=STAGE), {"Stage": "live"})


def test_parameter_that_breaks_a_constraint():
    """Its value is not said: it may be a secret."""
    parameter = {"Type": "String", "MinLength": 8, "NoEcho": True}
    with pytest.raises(ProjectError) as caught:
        settle_parameters(with_parameters(Key=parameter), {"Key": "secret"})

    assert str(caught.value) == (
        "parameter Key must be 8 or more characters long: give it with --parameter Key=VALUE"
    )


def test_parameter_of_systems_manager():
    kind = "AWS::SSM::Parameter::Value<String>"
    template = with_parameters(Domain={"Type": kind, "Default": "/domain"})

    with pytest.raises(ProjectError, match=r"parameter Domain is that of .* named /domain"):
        settle_parameters(template, {})
    assert settle_parameters(template, {}, ["/domain"]) == {"Domain": "/domain"}
    assert settle_parameters(template, {"Domain": "example.com"}) == {"Domain": "example.com"}
    assert template["Parameters"]["Domain"]["Type"] == "String"


def test_parameter_names():
    templates = {"One": with_parameters(Stage=STAGE), "Two": with_parameters(Stage=STAGE)}

    check_names({"Stage": "dev", "Two:Stage": "prod"}, templates)
    with pytest.raises(
        ProjectError, match="there is no parameter Stag: the template has One:Stage,"
    ):
        check_names({"Stag": "dev"}, templates)


def test_parameter_of_one_stack():
    given = {"Stage": "dev", "Two:Stage": "prod", "Other": "x"}

    assert parameters_of("One", with_parameters(Stage=STAGE), given) == {"Stage": "dev"}
    assert parameters_of("Two", with_parameters(Stage=STAGE), given) == {"Stage": "prod"}


# --- references


def test_references():
    value = {
        "a": [{"Ref": "One"}, {"Fn::GetAtt": ["Two", "Arn"]}, {"Fn::GetAtt": "Three.Arn"}],
        "b": {"Fn::Sub": "${Four}/${Five.Arn}/${!No}/${AWS::Region}"},
        "c": {"Fn::Sub": ["${own}/${Six}", {"own": {"Ref": "Seven"}}]},
    }

    assert sorted(referred(value)) == [
        *("AWS::Region", "Five", "Four", "One", "Seven", "Six", "Three", "Two"),
    ]


def test_what_a_value_is_about():
    assert target_of({"Fn::Sub": "arn:aws:sqs:${AWS::Region}:x:${Queue}"}) == "Queue"
    assert target_of({"Fn::Join": ["", [{"Ref": "A"}, {"Ref": "B"}]]}) is None
    assert target_of("text") is None


def test_depends_on_is_a_list():
    assert depends_on({"DependsOn": "A"}) == ["A"]
    assert depends_on({"DependsOn": ["A", "B"]}) == ["A", "B"]
    assert depends_on({}) == []


# --- values

TEMPLATE: dict = {
    "Mappings": {"Stages": {"prod": {"size": 5}}},
    "Conditions": {
        "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
        "IsNotProd": {"Fn::Not": [{"Condition": "IsProd"}]},
        "Both": {"Fn::And": [{"Condition": "IsProd"}, {"Condition": "IsNotProd"}]},
        "Either": {"Fn::Or": [{"Condition": "IsProd"}, {"Condition": "IsNotProd"}]},
    },
    "Resources": {},
}


@pytest.mark.parametrize(
    ("stage", "true"), [("prod", ["IsProd", "Either"]), ("dev", ["IsNotProd", "Either"])]
)
def test_conditions(stage, true):
    values = Values(TEMPLATE, {"Stage": stage})

    assert [name for name in TEMPLATE["Conditions"] if values.holds(name)] == true
    assert values.holds(None)


@pytest.mark.parametrize(
    ("value", "known"),
    [
        pytest.param({"Ref": "Stage"}, "prod", id="parameter"),
        pytest.param({"Ref": "Table"}, None, id="resource"),
        pytest.param({"Fn::GetAtt": ["Table", "Arn"]}, None, id="attribute"),
        pytest.param({"Fn::If": ["IsProd", 1, 2]}, 1, id="if"),
        pytest.param({"Fn::FindInMap": ["Stages", {"Ref": "Stage"}, "size"]}, 5, id="map"),
        pytest.param({"Fn::Join": ["-", ["a", {"Ref": "Stage"}]]}, "a-prod", id="join"),
        pytest.param({"Fn::Join": ["-", ["a", {"Ref": "Table"}]]}, None, id="join-unknown"),
        pytest.param({"Fn::Sub": "${Stage}.${!x}.${AWS::Region}"}, "prod.${x}.us-east-1", id="sub"),
        pytest.param({"Fn::Sub": ["${a}", {"a": {"Ref": "Stage"}}]}, "prod", id="sub-own"),
        pytest.param({"Fn::Sub": "${Table}"}, None, id="sub-unknown"),
        pytest.param({"a": [{"Ref": "Stage"}]}, {"a": ["prod"]}, id="nested"),
        pytest.param({"Fn::FindInMap": ["Stages"]}, None, id="malformed"),
        pytest.param({"Fn::Sub": []}, None, id="sub-malformed"),
    ],
)
def test_values(value, known):
    assert Values(TEMPLATE, {"Stage": "prod"}).value(value) == known
