"""Variables that a person sets: read from the command line and SAM's file, and put into a template."""

from __future__ import annotations

import json

import pytest

from wslocal.settings import FunctionVariables, SettingError, function_names, read_variables


def template(**functions):
    return {
        "Resources": {
            "Table": {"Type": "AWS::DynamoDB::Table"},
            **{
                name: {"Type": "AWS::Lambda::Function", "Properties": properties}
                for name, properties in functions.items()
            },
        }
    }


def variables_of(made):
    return {
        name: resource["Properties"].get("Environment", {}).get("Variables")
        for name, resource in made["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Function"
    }


def test_pairs_are_for_all_functions_or_for_one():
    read = read_variables(["LEVEL=debug", "Send:LEVEL=info", "EMPTY=", "SUM=a=b"])

    assert read.everywhere == {"LEVEL": "debug", "EMPTY": "", "SUM": "a=b"}
    assert read.by_function == {"Send": {"LEVEL": "info"}}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("LEVEL", id="no-value"),
        pytest.param("=debug", id="no-name"),
        pytest.param("Send:=debug", id="no-name-of-a-function"),
        pytest.param("A-B=c", id="no-name-of-a-variable"),
    ],
)
def test_what_is_no_pair_is_refused_without_its_value(text):
    with pytest.raises(SettingError, match="must be NAME=VALUE or FUNCTION:NAME=VALUE") as refused:
        read_variables([text])

    assert "debug" not in str(refused.value)


def test_file_of_sam_gives_way_to_the_command_line(tmp_path):
    file = tmp_path / "env.json"
    file.write_text(
        json.dumps({"Parameters": {"A": "1", "B": 2}, "Send": {"C": True, "D": "file"}})
    )

    read = read_variables(["A=option", "Send:D=option"], file)

    assert read.everywhere == {"A": "option", "B": "2"}
    assert read.by_function == {"Send": {"C": "true", "D": "option"}}


@pytest.mark.parametrize("text", ["[]", '{"Send": "text"}', "no json"])
def test_file_that_holds_something_else_is_refused(tmp_path, text):
    (tmp_path / "env.json").write_text(text)

    with pytest.raises(
        SettingError, match=r"env.json (is no JSON: it )?must hold an object such as"
    ):
        read_variables([], tmp_path / "env.json")


def test_variables_of_a_function_win_by_its_logical_id_or_its_name():
    made = template(
        Send={"Environment": {"Variables": {"A": "template", "KEPT": "yes"}}},
        Join={"FunctionName": "join-dev"},
        Leave={},
    )

    FunctionVariables({"A": "all"}, {"Send": {"A": "one"}, "join-dev": {"B": "b"}}).put_into(made)

    assert variables_of(made) == {
        "Send": {"A": "one", "KEPT": "yes"},
        "Join": {"A": "all", "B": "b"},
        "Leave": {"A": "all"},
    }


def test_nothing_is_added_where_nothing_is_set():
    made = template(Send={})

    FunctionVariables().put_into(made)

    assert made == template(Send={})


def test_functions_are_named_by_logical_id_and_by_name():
    made = template(Send={"FunctionName": "send-dev"}, Join={"FunctionName": {"Ref": "X"}})

    assert function_names(made) == ["Send", "send-dev", "Join"]


def test_unknown_function_is_said_with_those_that_are_known():
    variables = FunctionVariables({}, {"Sned": {"A": "1"}})

    with pytest.raises(SettingError, match="names a function Sned: the project has Join, Send"):
        variables.check(["Send", "Join"])
