"""What a route may have besides: each test is a row of the table in CONFORMANCE.md."""

import json
from urllib.parse import quote

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from wslocal.emulator import ACCOUNT, REGION, Emulator
from wslocal.gateway import LocalApi
from wslocal.gateway.definition import KEPT_ROLE
from wslocal.lambda_host.local_lambda import LocalLambda
from wslocal.loop import LoopThread
from wslocal.tests.conformance_table import CHOSEN, behaviour
from wslocal.tests.gateway_system import create_api, create_function, create_role, invocations_of

pytestmark = pytest.mark.slow

DOC = "https://docs.aws.amazon.com/apigateway/latest/developerguide/"
REQUIRED = f"{DOC}apigateway-websocket-api-route-route-request.html"
PLANS = f"{DOC}api-gateway-api-usage-plans.html"
EXPRESSIONS = f"{DOC}apigateway-websocket-api-selection-expressions.html"
TEMPLATES = f"{DOC}apigateway-websocket-api-mapping-template-reference.html"
VARIABLES = f"{DOC}aws-api-gateway-stage-variables-reference.html"
ROLES = "https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-integrations-integrationid.html"
ALIASES = "https://docs.aws.amazon.com/lambda/latest/dg/using-aliases.html"

KEYS = {
    "good": "goodkey1234abcdefghij0123456789",
    "rare": "rarekey1234abcdefghij0123456789",
    "disabled": "offkey1234abcdefghij0123456789ab",
    "elsewhere": "elsewhere1234abcdefghij0123456789",
    "without": "withoutplan1234abcdefghij0123456789",
}


@pytest.fixture(scope="module")
def loop():
    with LoopThread() as loop:
        yield loop


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def functions(emulator, loop):
    return loop.enter(LocalLambda(emulator.client))


@pytest.fixture(scope="module")
def role(emulator):
    return create_role(emulator, "keys", verbs=["POST"])


@pytest.fixture(scope="module")
def arns(emulator, role):
    handlers = {"opened": "app.lifecycle", "asked": "app.messages", "guarding": "app.guard"}
    return {
        name: create_function(emulator, name, handler, role) for name, handler in handlers.items()
    }


@pytest.fixture(scope="module")
def serve(emulator, loop, functions):
    """Return a function that serves an API as it is deployed now."""

    def serve(api_id):
        loop.run(functions.reload())
        return loop.enter(LocalApi(emulator.client, api_id, "dev", functions=functions))

    return serve


@pytest.fixture(scope="module")
def keyed(emulator, arns, serve):
    """Return a function that serves an API whose `$connect` requires a key."""

    def keyed(expression="$request.header.x-api-key", **more):
        routes = {
            "$connect": {"function": arns["opened"]},
            "answered": {"function": arns["asked"], "responds": True},
        }
        api_id = create_api(emulator, routes, **more)
        client = emulator.client("apigatewayv2")
        client.update_api(ApiId=api_id, ApiKeySelectionExpression=expression)
        route_id = route_of(client, api_id, "$connect")
        client.update_route(ApiId=api_id, RouteId=route_id, ApiKeyRequired=True)
        add_keys(emulator, api_id)
        return serve(api_id)

    return keyed


@pytest.fixture(scope="module")
def by_header(keyed):
    return keyed()


def route_of(client, api_id, key):
    items = client.get_routes(ApiId=api_id)["Items"]
    return next(item["RouteId"] for item in items if item["RouteKey"] == key)


def add_keys(emulator, api_id):
    client = emulator.client("apigateway")
    made = {
        name: client.create_api_key(name=name, value=value, enabled=name != "disabled")["id"]
        for name, value in KEYS.items()
    }
    stages = [{"apiId": api_id, "stage": "dev"}]
    plans = {
        "plain": ({"apiStages": stages}, ["good", "disabled"]),
        "limited": (
            {"apiStages": stages, "throttle": {"rateLimit": 0.001, "burstLimit": 1}},
            ["rare"],
        ),
        "other": ({"apiStages": [{"apiId": api_id, "stage": "prod"}]}, ["elsewhere"]),
    }
    for name, (plan, keys) in plans.items():
        plan_id = client.create_usage_plan(name=name, **plan)["id"]
        for key in keys:
            client.create_usage_plan_key(usagePlanId=plan_id, keyId=made[key], keyType="API_KEY")


def opened(api, key=None, query=""):
    headers = {} if key is None else {"x-api-key": key}
    return connect(f"{api.url}{query}", proxy=None, additional_headers=headers)


def refusal(api, key=None, query=""):
    with pytest.raises(InvalidStatus) as caught, opened(api, key, query):
        pass
    response = caught.value.response
    return response.status_code, json.loads(response.body)["message"]


@behaviour("`$connect` with `ApiKeyRequired`: a key of a usage plan of the stage opens", REQUIRED)
def test_key(by_header):
    with opened(by_header, KEYS["good"]) as client:
        assert client.response.status_code == 101


@behaviour("Without a key, or with one that is in no plan of the stage or disabled: 403", PLANS)
@pytest.mark.parametrize(
    "key", [None, "", "nobody's", KEYS["disabled"], KEYS["elsewhere"], KEYS["without"]]
)
def test_wrong_key(by_header, key):
    assert refusal(by_header, key) == (403, "Forbidden")


@behaviour("Beyond the throttle of the key's usage plan: 429", PLANS)
def test_throttled_key(by_header):
    with opened(by_header, KEYS["rare"]):
        assert refusal(by_header, KEYS["rare"]) == (429, "Too Many Requests")
        with opened(by_header, KEYS["good"]) as client:
            assert client.response.status_code == 101


@behaviour("The key may be the authorizer's `usageIdentifierKey`", EXPRESSIONS)
def test_key_of_the_authorizer(keyed, arns):
    api = keyed("$context.authorizer.usageIdentifierKey", authorizer={"function": arns["guarding"]})
    verdict = json.dumps({"context": {"usageIdentifierKey": KEYS["good"]}})

    assert refusal(api, KEYS["good"]) == (403, "Forbidden")
    with opened(api, query=f"?verdict={quote(verdict)}") as client:
        assert client.response.status_code == 101


@behaviour("A client's key is in `requestContext.identity`: `apiKey` and `apiKeyId`", TEMPLATES)
def test_key_in_events(by_header, functions):
    lines = []
    stop = functions.subscribe(lines.append)
    with opened(by_header, KEYS["good"]):
        pass
    stop()

    [event] = [line.document["event"] for line in lines if '"CONNECT"' in line.text]
    identity = event["requestContext"]["identity"]
    assert identity["apiKey"] == KEYS["good"]
    assert set(identity) - {"userAgent"} == {"sourceIp", "apiKey", "apiKeyId"}


@behaviour("A key that is added counts after a reload", CHOSEN)
def test_new_key(by_header, emulator, loop):
    client, value = emulator.client("apigateway"), "newkey1234abcdefghij0123456789abcd"
    assert refusal(by_header, value) == (403, "Forbidden")

    made = client.create_api_key(name="new", value=value, enabled=True)["id"]
    plans = client.get_usage_plans()["items"]
    plan_id = next(plan["id"] for plan in plans if plan["name"] == "plain")
    client.create_usage_plan_key(usagePlanId=plan_id, keyId=made, keyType="API_KEY")
    loop.run(by_header.reload())

    with opened(by_header, value) as client:
        assert client.response.status_code == 101


@behaviour("The URIs of integrations and authorizers may have stage variables", VARIABLES)
def test_stage_variables_in_uris(emulator, arns, serve):
    variables = {"lifecycle": "opened", "guard": "guarding"}
    routes = {"$connect": {"function": arns["opened"]}}
    authorizer = {"function": arns["guarding"]}
    api_id = create_api(emulator, routes, authorizer=authorizer, StageVariables=variables)
    client = emulator.client("apigatewayv2")
    prefix = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
    [integration] = client.get_integrations(ApiId=api_id)["Items"]
    client.update_integration(
        ApiId=api_id,
        IntegrationId=integration["IntegrationId"],
        IntegrationUri=invocations_of(prefix + "${stageVariables.lifecycle}"),
    )
    [guard] = client.get_authorizers(ApiId=api_id)["Items"]
    client.update_authorizer(
        ApiId=api_id,
        AuthorizerId=guard["AuthorizerId"],
        AuthorizerUri=invocations_of(prefix + "${stageVariables.guard}"),
    )

    with opened(serve(api_id)) as client:
        assert client.response.status_code == 101


@behaviour("An integration may name a function's alias", ALIASES)
def test_alias(emulator, arns, serve, role):
    client = emulator.client("lambda")
    create_function(emulator, "aliased", "app.lifecycle", role)
    version = client.publish_version(FunctionName="aliased")["Version"]
    client.create_alias(FunctionName="aliased", Name="live", FunctionVersion=version)
    api_id = create_api(emulator, {"$connect": {"function": f"{arns['opened'][:-6]}aliased:live"}})

    with opened(serve(api_id)) as client:
        assert client.response.status_code == 101


@pytest.fixture(scope="module")
def invoker(emulator):
    """A role that may invoke `opened`, and nothing else."""
    arn = create_role(emulator, "invoker", verbs=[])
    statement = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*:opened"}
    emulator.client("iam").put_role_policy(
        RoleName="invoker",
        PolicyName="functions",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    return arn


@behaviour(
    "An integration or authorizer that names a role needs its right, not the function's policy",
    ROLES,
)
@pytest.mark.parametrize(
    ("function", "guard", "status"),
    [
        pytest.param("opened", None, 101, id="integration-that-may"),
        pytest.param("asked", None, 500, id="integration-that-may-not"),
        pytest.param("opened", "guarding", 500, id="authorizer-that-may-not"),
    ],
)
def test_role_of_an_integration(emulator, arns, serve, invoker, function, guard, status):
    routes = {"$connect": {"function": arns[function], "permits": False}}
    authorizer = guard and {
        "function": arns[guard],
        "permits": False,
        "AuthorizerCredentialsArn": invoker,
    }
    api_id = create_api(emulator, routes, authorizer=authorizer)
    client = emulator.client("apigatewayv2")
    [integration] = client.get_integrations(ApiId=api_id)["Items"]
    client.update_integration(
        ApiId=api_id,
        IntegrationId=integration["IntegrationId"],
        RequestParameters={KEPT_ROLE: invoker},
    )

    assert status_of_handshake(serve(api_id)) == status


def status_of_handshake(api):
    try:
        with opened(api) as client:
            return client.response.status_code
    except InvalidStatus as refused:
        return refused.response.status_code
