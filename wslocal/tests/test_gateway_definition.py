"""What a deployed API leads to, and what is refused by name with what to do."""

import pytest

from wslocal.emulator import ACCOUNT, REGION, Emulator
from wslocal.gateway.definition import ApiError, read_api
from wslocal.tests.gateway_system import create_api, invocations_of

pytestmark = pytest.mark.slow

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def client(emulator):
    return emulator.client("apigatewayv2")


@pytest.fixture
def api_id(emulator):
    routes = {"$default": {"function": ARN, "permits": False}}
    return create_api(emulator, routes, StageVariables={"fn": "f", "alias": "live"})


def refusal(client, api_id):
    with pytest.raises(ApiError) as caught:
        read_api(client, api_id, "dev")
    return str(caught.value)


def add(client, api_id, **integration):
    made = client.create_integration(ApiId=api_id, **integration)["IntegrationId"]
    client.create_route(ApiId=api_id, RouteKey="other", Target=f"integrations/{made}")


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("MOCK", "leave the route out if it only lets clients connect"),
        ("HTTP", "a Lambda function can make the request"),
        ("HTTP_PROXY", "a Lambda function can make the request"),
        ("AWS", "a Lambda function can be integrated as AWS_PROXY"),
    ],
)
def test_type_that_is_not_played(client, api_id, kind, advice):
    add(client, api_id, IntegrationType=kind, IntegrationUri="https://example.com")

    sentence = refusal(client, api_id)

    assert sentence.startswith(
        f"route other has an integration of type {kind}, and only AWS_PROXY is played: {advice}"
    )


@pytest.mark.parametrize(
    "uri", ["", "https://example.com", invocations_of("not an ARN"), f"{invocations_of(ARN)}/more"]
)
def test_uri_that_is_no_functions(client, api_id, uri):
    add(client, api_id, IntegrationType="AWS_PROXY", IntegrationUri=uri)

    assert refusal(client, api_id) == (
        "route other does not lead to a Lambda function: only these are played"
    )


@pytest.mark.parametrize(
    ("function", "arn"),
    [
        pytest.param(ARN, ARN, id="name"),
        pytest.param(f"{ARN}:live", f"{ARN}:live", id="alias"),
        pytest.param(f"{ARN[:-1]}${{stageVariables.fn}}", ARN, id="variable"),
        pytest.param(
            f"{ARN[:-1]}${{stageVariables.fn}}:${{stageVariables.alias}}",
            f"{ARN}:live",
            id="two-variables",
        ),
    ],
)
def test_function_of_a_route(client, api_id, function, arn):
    add(client, api_id, IntegrationType="AWS_PROXY", IntegrationUri=invocations_of(function))

    assert read_api(client, api_id, "dev").routes["other"].function_arn == arn


def test_stage_variable_that_is_not_there(client, api_id):
    uri = invocations_of(f"{ARN[:-1]}${{stageVariables.name}}")
    add(client, api_id, IntegrationType="AWS_PROXY", IntegrationUri=uri)

    assert refusal(client, api_id) == (
        "route other leads to a function by the stage variable name, which the stage does not have"
    )


def test_model(client, api_id):
    [route] = client.get_routes(ApiId=api_id)["Items"]
    client.update_route(ApiId=api_id, RouteId=route["RouteId"], RequestModels={"$default": "m"})

    assert refusal(client, api_id) == (
        "route $default has a model, by which nothing is checked here: "
        "leave RequestModels and ModelSelectionExpression out"
    )


def test_expression_for_keys_that_there_is_not(client, api_id):
    client.update_api(ApiId=api_id, ApiKeySelectionExpression="$request.querystring.key")
    made = client.get_integrations(ApiId=api_id)["Items"][0]["IntegrationId"]
    client.create_route(
        ApiId=api_id, RouteKey="$connect", Target=f"integrations/{made}", ApiKeyRequired=True
    )

    assert refusal(client, api_id) == (
        f"API {api_id} finds API keys by $request.querystring.key: it must be "
        "$request.header.x-api-key or $context.authorizer.usageIdentifierKey"
    )


@pytest.mark.parametrize(
    ("host", "base", "leads"),
    [
        ("127.0.0.1", "dev", True),
        ("127.0.0.1", "", False),
        ("{api}.execute-api.us-east-1.amazonaws.com", "dev", True),
        ("{api}.execute-api.us-east-1.amazonaws.com", "v1", False),
        ("{api}.execute-api.eu-west-1.amazonaws.com", "dev", True),
        ("one.example.com", "", True),
        ("one.example.com", "dev", False),
        ("two.example.com", "v1", True),
        ("two.example.com", "v2", False),  # leads to another stage
    ],
)
def test_names_of_a_stage(client, api_id, host, base, leads):
    client.create_stage(ApiId=api_id, StageName="prod")
    mappings = [("one.example.com", "", "dev"), ("two.example.com", "v1", "dev")]
    for domain, key, stage in [*mappings, ("two.example.com", "v2", "prod")]:
        if domain not in {item["DomainName"] for item in client.get_domain_names()["Items"]}:
            client.create_domain_name(DomainName=domain)
        more = {"ApiMappingKey": key} if key else {}
        client.create_api_mapping(DomainName=domain, ApiId=api_id, Stage=stage, **more)

    names = read_api(client, api_id, "dev").names

    assert names.leads_here(host.replace("{api}", api_id), base) is leads
    for domain in ("one.example.com", "two.example.com"):
        client.delete_domain_name(DomainName=domain)


def test_route_response_of_another_key(client, api_id):
    """AWS has `$default` only."""
    [route] = client.get_routes(ApiId=api_id)["Items"]
    asked = {"ApiId": api_id, "RouteId": route["RouteId"]}
    client.create_route_response(**asked, RouteResponseKey="other")
    assert not read_api(client, api_id, "dev").routes["$default"].responds

    client.create_route_response(**asked, RouteResponseKey="$default")

    assert read_api(client, api_id, "dev").routes["$default"].responds
