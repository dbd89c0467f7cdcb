"""What an authorizer is asked, and what its answer means, as values."""

import json

import pytest

from wslocal.gateway.answers import Failure
from wslocal.gateway.authorizers import (
    BROKEN,
    UNAUTHORIZED,
    AuthorizerError,
    authorizer_event,
    decide,
    has_identity,
    read_result,
)
from wslocal.gateway.definition import ApiError, Authorizer, authorizer_of
from wslocal.lambda_host import FunctionError, InvocationResult

ARN = "arn:aws:execute-api:us-east-1:000000000000:abc123/dev/$connect"
API = "arn:aws:execute-api:us-east-1:000000000000:abc123"
MAX_BYTES = 8192


# --- the policy ------------------------------------------------------------------------------------


def statement(effect="Allow", action="execute-api:Invoke", resource=ARN, **more):
    return {"Effect": effect, "Action": action, "Resource": resource} | more


def policy(*statements, **more):
    return {"Version": "2012-10-17", "Statement": list(statements)} | more


@pytest.mark.parametrize(
    ("resource", "decision"),
    [
        pytest.param(ARN, "Allow", id="the-arn"),
        pytest.param("*", "Allow", id="all"),
        pytest.param("arn:aws:execute-api:*", "Allow", id="rest-of-an-arn"),
        pytest.param("arn:aws:execute-api:*:*:*", "Allow", id="each-segment"),
        pytest.param(f"{API}/*", "Allow", id="of-the-api"),
        pytest.param(f"{API}/dev/*", "Allow", id="of-the-stage"),
        pytest.param(f"{API}/*/$connect", "Allow", id="of-any-stage"),
        pytest.param(f"{API}/d?v/$connect", "Allow", id="one-character"),
        pytest.param(f"{API}/dev/$conne??", "Allow", id="two-characters"),
        pytest.param([f"{API}/dev/other", ARN], "Allow", id="one-of-a-list"),
        pytest.param(f"{API}/dev/?$connect", None, id="a-character-too-many"),
        pytest.param(f"{API}/de?/?connect?", None, id="a-character-that-is-not-there"),
        # Powertools' allow_all_routes: https://github.com/aws-powertools/powertools-lambda-python/issues/5800
        pytest.param(f"{API}/dev/*/*", None, id="of-a-rest-api"),
        pytest.param(f"{API}/prod/$connect", None, id="other-stage"),
        pytest.param(f"{API}/dev/$Connect", None, id="other-case"),
        pytest.param(f"{API}/dev/.connect", None, id="no-regular-expression"),
        pytest.param(f"{ARN}\n", None, id="final-newline"),
        pytest.param(f"x{ARN}", None, id="something-before"),
        pytest.param([], None, id="empty-list"),
    ],
)
def test_resource_of_a_policy(resource, decision):
    assert decide(policy(statement(resource=resource)), ARN) == decision


@pytest.mark.parametrize(
    ("action", "decision"),
    [
        pytest.param("execute-api:Invoke", "Allow", id="the-action"),
        pytest.param("EXECUTE-API:invoke", "Allow", id="other-case"),
        pytest.param("execute-api:*", "Allow", id="of-the-service"),
        pytest.param("*", "Allow", id="all"),
        pytest.param("execute-api:Inv?ke", "Allow", id="one-character"),
        pytest.param(["lambda:InvokeFunction", "execute-api:Inv*"], "Allow", id="one-of-a-list"),
        pytest.param("execute-api:ManageConnections", None, id="other-action"),
        pytest.param("execute-api", None, id="no-action"),
        pytest.param("lambda:*", None, id="other-service"),
        pytest.param("execute-api:Invoke ", None, id="final-space"),
    ],
)
def test_action_of_a_policy(action, decision):
    assert decide(policy(statement(action=action)), ARN) == decision


@pytest.mark.parametrize(
    ("statements", "decision"),
    [
        pytest.param([statement("Deny")], "Deny", id="denies"),
        pytest.param([statement("Deny"), statement()], "Deny", id="denies-and-allows"),
        pytest.param([statement(), statement("Deny")], "Deny", id="allows-and-denies"),
        pytest.param(
            [statement(), statement("Deny", resource=f"{API}/x")], "Allow", id="denies-else"
        ),
        pytest.param([statement("Deny", resource=f"{API}/x")], None, id="denies-something-else"),
        pytest.param(
            [statement("Deny", action="lambda:*"), statement()], "Allow", id="other-action"
        ),
        pytest.param([], None, id="none"),
    ],
)
def test_effects_of_a_policy(statements, decision):
    assert decide(policy(*statements), ARN) == decision


@pytest.mark.parametrize(
    ("given", "decision"),
    [
        pytest.param({"Statement": statement()}, "Allow", id="one-statement-without-a-list"),
        pytest.param({"Version": "2008-10-17", "Statement": [statement()]}, "Allow", id="older"),
        pytest.param(policy(statement(Sid="a")), "Allow", id="sid"),
        pytest.param(policy(statement(Condition={})), "Allow", id="empty-condition"),
        pytest.param(policy(statement(), Id="a"), "Allow", id="id"),
        pytest.param(
            policy({"Effect": "Allow", "NotAction": "lambda:*", "Resource": "*"}),
            *("Allow",),
            id="not-another-action",
        ),
        pytest.param(
            policy({"Effect": "Allow", "NotAction": "execute-api:*", "Resource": "*"}),
            *(None,),
            id="not-this-action",
        ),
        pytest.param(
            policy({"Effect": "Deny", "Action": "*", "NotResource": [f"{API}/*", "arn:x"]}),
            *(None,),
            id="not-this-resource",
        ),
        pytest.param(
            policy({"Effect": "Deny", "Action": "*", "NotResource": f"{API}/prod/*"}),
            *("Deny",),
            id="not-another-resource",
        ),
    ],
)
def test_forms_of_a_policy(given, decision):
    assert decide(given, ARN) == decision


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param(None, "policyDocument must be an object, got NoneType", id="none"),
        pytest.param("{}", "policyDocument must be an object, got str", id="text"),
        pytest.param(
            policy(Version="2012-10-18"), "policyDocument.Version must be one of", id="version"
        ),
        pytest.param(
            policy(Version=["2012-10-17"]), "policyDocument.Version", id="version-as-list"
        ),
        pytest.param(policy(Version=None), "policyDocument.Version", id="version-null"),
        pytest.param(
            {"Version": "2012-10-17"}, r"policyDocument.Statement\[0\] must be", id="no-statement"
        ),
        pytest.param(
            policy("Allow"), r"policyDocument.Statement\[0\] must be", id="statement-as-text"
        ),
        pytest.param(
            policy(statement(), statement("allow")), r"Statement\[1\].Effect must be", id="effect"
        ),
        pytest.param(policy(statement(["Allow"])), "Effect must be", id="effect-as-list"),
        pytest.param(policy(statement(action=7)), "Action must be a string or a list", id="action"),
        pytest.param(
            policy(statement(resource=[ARN, 7])), "Resource must be a string", id="resource"
        ),
        pytest.param(
            policy({"Effect": "Allow", "Resource": "*"}),
            "either Action or NotAction",
            id="no-action",
        ),
        pytest.param(
            policy({"Effect": "Allow", "Action": "*"}), "either Resource or NotR", id="no-resource"
        ),
        pytest.param(
            policy(statement(NotResource="x")),
            "either Resource or NotResource",
            id="both-resources",
        ),
        pytest.param(
            policy(statement(Condition={"IpAddress": {"aws:SourceIp": "1.2.3.4"}})),
            r"Statement\[0\].Condition is not played",
            id="condition",
        ),
        pytest.param(policy(statement(Principal="*")), "Principal is not played", id="principal"),
    ],
)
def test_policy_that_is_none(given, reason):
    """Never less than AWS would ask: what is not understood lets nobody in."""
    with pytest.raises(AuthorizerError, match=reason):
        decide(given, ARN)


# --- the answer ------------------------------------------------------------------------------------


def result(body=None, error=None):
    return InvocationResult("id", body, error, [], [], 1.0, None)


def answer(**changes):
    given = {"principalId": "me", "policyDocument": policy(statement())} | changes
    return {key: value for key, value in given.items() if value is not ...}


def read(document):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return read_result(result(body), ARN, MAX_BYTES)


@pytest.mark.parametrize(
    ("context", "values"),
    [
        pytest.param(..., {}, id="none"),
        pytest.param(None, {}, id="null"),
        pytest.param({}, {}, id="empty"),
        pytest.param({"a": "é", "b": ""}, {"a": "é", "b": ""}, id="texts"),
        pytest.param({"a": True, "b": False}, {"a": "true", "b": "false"}, id="booleans"),
        pytest.param(
            {"a": 1, "b": -2.50, "c": 1.0}, {"a": "1", "b": "-2.5", "c": "1.0"}, id="numbers"
        ),
        pytest.param({"a": None, "b": "x"}, {"b": "x"}, id="null-is-left-out"),
        pytest.param({"principalId": "you"}, {}, id="principal-of-its-own"),
    ],
)
def test_what_later_events_have(context, values):
    assert read(answer(context=context)) == values | {"principalId": "me"}


def test_numbers_are_as_they_were_written():
    document = answer(context={"a": "BIG", "b": "ROUND"})
    body = json.dumps(document).replace('"BIG"', "9" * 5000).replace('"ROUND"', "1.50e3").encode()

    assert read(body) == {"a": "9" * 5000, "b": "1.50e3", "principalId": "me"}


def test_principal_that_is_a_number():
    assert read(answer(principalId=7)) == {"principalId": "7"}


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        pytest.param(
            policy(statement("Deny")),
            Failure("User is not authorized to access this resource with an explicit deny", 403),
            id="denied",
        ),
        pytest.param(
            policy(),
            Failure("User is not authorized to access this resource", 403),
            id="not-allowed",
        ),
    ],
)
def test_policy_that_does_not_allow(given, refusal):
    assert read(answer(policyDocument=given)) == refusal


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        pytest.param(b"\xff", "an answer must be JSON", id="bytes"),
        pytest.param(b"{", "an answer must be JSON", id="half"),
        pytest.param(b"[" * 4000, "an answer must be JSON", id="deep"),
        pytest.param(b'{"principalId": NaN}', "an answer must be JSON", id="not-a-number"),
        pytest.param(None, "an answer must be an object, got NoneType", id="null"),
        pytest.param("allow", "an answer must be an object, got str", id="text"),
        pytest.param([answer()], "an answer must be an object, got list", id="list"),
        pytest.param({"isAuthorized": True}, "must have a principalId", id="simple-response"),
        pytest.param(answer(principalId=...), "must have a principalId", id="no-principal"),
        pytest.param(answer(principalId=None), "must have a principalId", id="null-principal"),
        pytest.param(answer(principalId=""), "must have a principalId", id="empty-principal"),
        pytest.param(
            answer(principalId=["me"]), "principalId must be a string", id="list-principal"
        ),
        pytest.param(
            answer(policyDocument=...), "policyDocument must be an object", id="no-policy"
        ),
        pytest.param(answer(context="x"), "context must be an object, got str", id="text-context"),
        pytest.param(answer(context=[]), "context must be an object, got list", id="list-context"),
        pytest.param(
            answer(context={"a": {"b": 1}}),
            "context.a must be a string, a number or a",
            id="object",
        ),
        pytest.param(answer(context={"a": [1]}), "context.a must be .* got list", id="list-value"),
        pytest.param(
            answer(context={"a": {}}, policyDocument=policy(statement("Deny"))),
            "context.a",
            id="malformed-and-denied",
        ),
    ],
)
def test_answer_that_is_none(document, reason):
    with pytest.raises(AuthorizerError, match=reason):
        read(document)


def test_answer_of_8_kb_and_a_byte_more():
    size = MAX_BYTES - len(json.dumps(answer(context={"a": ""})))

    assert read(answer(context={"a": "x" * size}))["a"] == "x" * size
    with pytest.raises(AuthorizerError, match="at most 8192 bytes, got 8193"):
        read(answer(context={"a": "x" * (size + 1)}))


@pytest.mark.parametrize(
    ("message", "refusal"),
    [
        pytest.param("Unauthorized", UNAUTHORIZED, id="unauthorized"),
        pytest.param("unauthorized", BROKEN, id="other-case"),
        pytest.param("Unauthorized.", BROKEN, id="more"),
        pytest.param("", BROKEN, id="empty"),
    ],
)
def test_function_that_fails(message, refusal):
    failed = result(error=FunctionError("Exception", message))

    assert read_result(failed, ARN, MAX_BYTES) == refusal


def test_statuses_of_refusals():
    assert (UNAUTHORIZED.status, UNAUTHORIZED.message) == (401, "Unauthorized")
    assert (BROKEN.status, BROKEN.message) == (500, "Internal server error")


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b'{"principalId": "s3cret', id="half"),
        pytest.param({"principalId": ["s3cret"]}, id="principal"),
        pytest.param(answer(context="s3cret"), id="context"),
        pytest.param(answer(context={"a": {"b": "s3cret"}}), id="value"),
        pytest.param(answer(policyDocument="s3cret"), id="policy"),
        pytest.param(answer(policyDocument=policy(Version="s3cret")), id="version"),
        pytest.param(answer(policyDocument=policy(statement("s3cret"))), id="effect"),
        pytest.param(
            answer(policyDocument=policy(statement(resource={"s3cret": 1}))), id="resource"
        ),
    ],
)
def test_error_shows_no_value(document):
    with pytest.raises(AuthorizerError) as caught:
        read(document)

    error = caught.value
    assert "s3cret" not in str(error)
    assert error.__cause__ is None  # JSON's own error keeps the whole text
    assert error.__suppress_context__ or error.__context__ is None


# --- the question ----------------------------------------------------------------------------------

CONNECT = {
    "headers": {"Host": "localhost", "X-Token": "b"},
    "multiValueHeaders": {"Host": ["localhost"], "X-Token": ["", "b"], "X-Empty": [""]},
    "queryStringParameters": {"token": "b", "empty": ""},
    "multiValueQueryStringParameters": {"token": ["a", "b"], "empty": [""]},
    "stageVariables": {"colour": "blue", "none": ""},
    "requestContext": {"routeKey": "$connect", "connectedAt": 0, "identity": {"sourceIp": "::1"}},
    "isBase64Encoded": False,
}


def test_event():
    event = authorizer_event(CONNECT, ARN)

    assert event == {
        "type": "REQUEST",
        "methodArn": ARN,
        "headers": {
            "Connection": "upgrade",
            "Upgrade": "websocket",
            "content-length": "0",
            **CONNECT["headers"],
        },
        "multiValueHeaders": {
            "Connection": ["upgrade"],
            "Upgrade": ["websocket"],
            "content-length": ["0"],
            **CONNECT["multiValueHeaders"],
        },
        "queryStringParameters": CONNECT["queryStringParameters"],
        "multiValueQueryStringParameters": CONNECT["multiValueQueryStringParameters"],
        "stageVariables": CONNECT["stageVariables"],
        "requestContext": CONNECT["requestContext"],
    }


def test_event_without_query_string_and_stage_variables_has_empty_ones():
    least = {key: CONNECT[key] for key in ("headers", "multiValueHeaders", "requestContext")}

    event = authorizer_event(least, ARN)

    empty = "queryStringParameters", "multiValueQueryStringParameters", "stageVariables"
    assert [event[name] for name in empty] == [{}, {}, {}]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param(("route.request.header", "x-token"), True, id="header-in-any-case"),
        pytest.param(("route.request.header", "X-Empty"), False, id="empty-header"),
        pytest.param(("route.request.header", "X-Other"), False, id="no-header"),
        pytest.param(("route.request.querystring", "token"), True, id="query-string"),
        pytest.param(
            ("route.request.querystring", "Token"), False, id="query-string-in-other-case"
        ),
        pytest.param(("route.request.querystring", "empty"), False, id="empty-query-string"),
        pytest.param(("route.request.querystring", "other"), False, id="no-query-string"),
        pytest.param(("stageVariables", "colour"), True, id="stage-variable"),
        pytest.param(("stageVariables", "none"), False, id="empty-stage-variable"),
        pytest.param(("stageVariables", "other"), False, id="no-stage-variable"),
        pytest.param(("context", "routeKey"), True, id="context"),
        pytest.param(("context", "connectedAt"), True, id="context-of-zero"),
        pytest.param(("context", "identity.sourceIp"), True, id="context-in-context"),
        pytest.param(("context", "identity.user"), False, id="no-context-in-context"),
        pytest.param(("context", "routeKey.x"), False, id="context-in-a-text"),
        pytest.param(("context", "messageId"), False, id="no-context"),
    ],
)
def test_identity_source(source, found):
    event = authorizer_event(CONNECT, ARN)

    assert has_identity([source], event) is found
    assert has_identity([("context", "routeKey"), source], event) is found


def test_no_identity_source_is_always_there():
    assert has_identity([], authorizer_event(CONNECT, ARN))


# --- the definition --------------------------------------------------------------------------------

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:guard"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"


def route(**changes):
    given = {"RouteKey": "$connect", "AuthorizationType": "CUSTOM", "AuthorizerId": "a1"}
    return given | changes


def authorizer(**changes):
    given = {
        "AuthorizerId": "a1",
        "Name": "guard",
        "AuthorizerType": "REQUEST",
        "AuthorizerUri": URI,
    }
    return given | changes


def test_authorizer_of_a_route():
    sources = [
        *("route.request.header.X-Token", "route.request.querystring.a.b"),
        *("context.identity.sourceIp", "stageVariables.colour"),
    ]

    found = authorizer_of(
        route(), [authorizer(AuthorizerId="a0"), authorizer(IdentitySource=sources)]
    )

    assert found == Authorizer(
        "a1",
        "guard",
        FUNCTION,
        (
            ("route.request.header", "X-Token"),
            ("route.request.querystring", "a.b"),
            ("context", "identity.sourceIp"),
            ("stageVariables", "colour"),
        ),
    )


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="absent"),
        pytest.param({"IdentitySource": []}, id="empty"),
        pytest.param({"IdentitySource": ["$request.header.Authorization"]}, id="the-emulators"),
    ],
)
def test_authorizer_without_an_identity_source(given):
    assert authorizer_of(route(), [authorizer(**given)]).identity_sources == ()


@pytest.mark.parametrize("given", [{}, {"AuthorizationType": "NONE"}], ids=["absent", "none"])
def test_route_without_an_authorizer(given):
    assert authorizer_of({"RouteKey": "$connect"} | given, []) is None


@pytest.mark.parametrize(
    ("changed_route", "changed", "reason"),
    [
        pytest.param(
            {"AuthorizationType": "AWS_IAM"},
            {},
            "route $connect has the authorization AWS_IAM: only CUSTOM is played, so name a Lambda authorizer, or NONE",
            id="iam",
        ),
        pytest.param(
            {"AuthorizationType": "JWT"},
            {},
            "route $connect has the authorization JWT: only CUSTOM is played, so name a Lambda authorizer, or NONE",
            id="jwt",
        ),
        pytest.param(
            {"RouteKey": "$default"},
            {},
            "route $default has an authorizer: AWS asks one for $connect only",
            id="other-route",
        ),
        pytest.param(
            {"AuthorizerId": "a2"},
            {},
            "route $connect has an authorizer that is not there: a2",
            id="not-there",
        ),
        pytest.param(
            {},
            {"AuthorizerType": "JWT"},
            "authorizer guard is not a Lambda function as REQUEST",
            id="jwt-authorizer",
        ),
        pytest.param(
            {},
            {"AuthorizerUri": "https://example.com"},
            "authorizer guard is not a Lambda function as REQUEST",
            id="no-function",
        ),
        pytest.param(
            {},
            {"AuthorizerCredentialsArn": "arn:aws:iam::*:user/*"},
            "authorizer guard invokes its function as the caller: name a role instead, or let API Gateway in by the function's policy",
            id="as-the-caller",
        ),
        pytest.param(
            {},
            {"IdentitySource": ["$request.querystring.token"]},
            "authorizer guard has an identity source that no WebSocket API has: $request.querystring.token",
            id="identity-source-of-an-http-api",
        ),
        pytest.param(
            {},
            {"IdentitySource": ["route.request.header."]},
            "authorizer guard has an identity source that no WebSocket API has: route.request.header.",
            id="identity-source-without-a-name",
        ),
    ],
)
def test_authorizer_that_is_not_played(changed_route, changed, reason):
    with pytest.raises(ApiError) as caught:
        authorizer_of(route(**changed_route), [authorizer(**changed)])

    assert str(caught.value) == reason
