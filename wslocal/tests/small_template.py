"""A small CloudFormation template with its code in it: a function that answers whoever sends a message."""

from __future__ import annotations

import json
from typing import Any

CODE = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'first'}\n"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
_URI = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${%s.Arn}/invocations"


def uri(function: str) -> dict[str, str]:
    """Return the URI with which an integration leads to a function."""
    return {"Fn::Sub": _URI % function}


def function(code: str = CODE, **properties: Any) -> dict[str, Any]:
    """Return a function; a property that is None is not there."""
    given = {
        "Runtime": "python3.11",
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": code},
        **properties,
    }
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {key: value for key, value in given.items() if value is not None},
    }


def permission(name: str) -> dict[str, Any]:
    """Return what lets API Gateway invoke a function."""
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Ref": name},
            "Principal": "apigateway.amazonaws.com",
        },
    }


def part(kind: str, **properties: Any) -> dict[str, Any]:
    """Return a part of the API."""
    return {
        "Type": f"AWS::ApiGatewayV2::{kind}",
        "Properties": {"ApiId": {"Ref": "Api"}, **properties},
    }


def template(**more: Any) -> dict[str, Any]:
    """Return the template with more resources, or others of the same name; None takes one away.

    The condition `Never` does not hold.
    """
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": _TRUST}},
        "Fn": function(),
        "Permission": permission("Fn"),
        "Api": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {
                "Name": "small",
                "ProtocolType": "WEBSOCKET",
                "RouteSelectionExpression": "$request.body.action",
            },
        },
        "Integration": part("Integration", IntegrationType="AWS_PROXY", IntegrationUri=uri("Fn")),
        "Route": part(
            "Route",
            RouteKey="$default",
            RouteResponseSelectionExpression="$default",
            Target={"Fn::Sub": "integrations/${Integration}"},
        ),
        "Answer": part("RouteResponse", RouteId={"Ref": "Route"}, RouteResponseKey="$default"),
        "Stage": part("Stage", StageName="dev", AutoDeploy=True),
        **more,
    }
    kept = {name: one for name, one in resources.items() if one is not None}
    never = {"Never": {"Fn::Equals": ["a", "b"]}}
    return json.loads(json.dumps({"Conditions": never, "Resources": kept}))
