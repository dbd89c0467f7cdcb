"""Numbers, and true and false, that a template or a parameter writes as text."""

from __future__ import annotations

import pytest

from wslocal.sources import ProjectError, Stack, fit

from .small_template import function, part, template


def fitted(more, **sections):
    return fit(Stack("small", template(**more) | sections, {}, {})).template["Resources"]


PARAMETERS = {
    "Off": {"Type": "String", "Default": "false"},
    "Seven": {"Type": "Number", "Default": 7},
    "Rate": {"Type": "Number", "Default": "0.5"},
}


@pytest.mark.parametrize(
    ("made", "path", "wanted"),
    [
        (function(Timeout={"Ref": "Seven"}), "Timeout", 7),
        (function(MemorySize="256"), "MemorySize", 256),
        (function(EphemeralStorage={"Size": 1024.0}), "EphemeralStorage.Size", 1024),
        (
            function(Timeout={"Fn::If": ["Always", {"Ref": "Seven"}, "nine"]}),
            "Timeout",
            7,
        ),
        (
            part("Integration", IntegrationType="AWS_PROXY", TimeoutInMillis="900")
            | {"Type": "AWS::ApiGatewayV2::Integration"},
            "TimeoutInMillis",
            900,
        ),
        (part("Route", RouteKey="a", ApiKeyRequired={"Ref": "Off"}), "ApiKeyRequired", False),
        (
            part(
                "Stage",
                StageName="x",
                DefaultRouteSettings={"ThrottlingRateLimit": {"Ref": "Rate"}},
            ),
            "DefaultRouteSettings.throttlingRateLimit",
            0.5,
        ),
        (
            part("Stage", StageName="x", RouteSettings={"a": {"ThrottlingBurstLimit": "7"}}),
            "RouteSettings.a.throttlingBurstLimit",
            7,
        ),
    ],
)
def test_text_becomes_what_it_says(made, path, wanted):
    if "IntegrationType" in made["Properties"]:
        made["Properties"]["IntegrationUri"] = template()["Resources"]["Integration"]["Properties"][
            "IntegrationUri"
        ]
    always = {"Always": {"Fn::Equals": ["a", "a"]}}

    value = fitted({"Made": made}, Parameters=PARAMETERS, Conditions=always)["Made"]["Properties"]

    for key in path.split("."):
        value = value[key]
    assert (value, type(value)) == (wanted, type(wanted))


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (
            function(MemorySize="lots"),
            "MemorySize of Fn is 'lots': AWS takes a number from 128 to 10,240",
        ),
        (function(Timeout=5000), "Timeout of Fn is '5000': AWS takes a number from 1 to 900"),
        (function(Timeout=1.5), "Timeout of Fn is '1.5': AWS takes a number from 1 to 900"),
        (function(Timeout="nan"), "Timeout of Fn is 'nan': AWS takes a number from 1 to 900"),
        (function(Timeout=True), "Timeout of Fn is 'True': AWS takes a number from 1 to 900"),
        (function(Timeout=[3]), "Timeout of Fn is no single value: AWS takes a number from 1"),
        (
            function(ReservedConcurrentExecutions=-1),
            "ReservedConcurrentExecutions of Fn is '-1': AWS takes a number of 0 or more",
        ),
    ],
)
def test_what_aws_refuses_is_refused_by_name(made, sentence):
    with pytest.raises(ProjectError) as caught:
        fitted({"Fn": made})

    assert str(caught.value).startswith(sentence)


def test_flag_that_says_neither():
    with pytest.raises(ProjectError) as caught:
        fitted({"Route": part("Route", RouteKey="a", ApiKeyRequired="perhaps")})

    assert str(caught.value) == "ApiKeyRequired of Route is 'perhaps': AWS takes true or false"


def test_what_only_a_deployed_resource_knows_stays():
    size = {"Fn::GetAtt": ["Api", "ApiId"]}

    assert fitted({"Fn": function(MemorySize=size)})["Fn"]["Properties"]["MemorySize"] == size
