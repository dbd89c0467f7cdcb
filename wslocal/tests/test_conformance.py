"""The gateway behaves as API Gateway and Lambda do: each test is a row of the table in CONFORMANCE.md.

One emulator, one gateway, real sockets, real functions under the official runtime client.
`python -m wslocal.tests.conformance_table` writes the table.
"""

import base64
import http.client
import json
import re
import secrets
import socket
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from wslocal.emulator import ACCOUNT, REGION, Emulator
from wslocal.gateway import GatewayLimits, LocalApi
from wslocal.lambda_host import function
from wslocal.lambda_host.interpreters import nodes
from wslocal.loop import LoopThread
from wslocal.tests.conformance_table import CHOSEN, behaviour
from wslocal.tests.gateway_system import (
    allow_verbs,
    create_api,
    create_function,
    create_layer,
    create_role,
    zip_of,
)

pytestmark = pytest.mark.slow

DOC = "https://docs.aws.amazon.com/apigateway/latest/developerguide/"
LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/"
QUOTAS = f"{DOC}apigateway-execution-service-websocket-limits-table.html"
CONNECT = f"{DOC}apigateway-websocket-api-route-keys-connect-disconnect.html"
REFUSED = "https://github.com/dherault/serverless-offline/pull/1301"
NOT_YET = "https://github.com/aws/aws-pdk/pull/731"
SELECTION = f"{DOC}websocket-api-develop-routes.html"
ROUTES = f"{DOC}apigateway-websocket-api-routes-integrations.html"
BINARY = f"{DOC}websocket-api-develop-binary-media-types.html"
PROTOCOL = f"{DOC}websocket-connect-route-subprotocol.html"
PROTECT = f"{DOC}websocket-api-protect.html"
CALLBACK = f"{DOC}apigateway-how-to-call-websocket-api-connections.html"
EVENTS = "https://github.com/aws-powertools/powertools-lambda-python/issues/5543"
MODEL = "https://docs.aws.amazon.com/sdkfornet/v3/apidocs/items/ApiGatewayManagementApi/NApiGatewayManagementApiModel.html"
NOT_LET_IN = "https://github.com/terraform-aws-modules/terraform-aws-apigateway-v2/issues/8"
INTERNAL = "https://github.com/aws-samples/simple-websockets-chat-app/issues/42"
FORBIDDEN = "https://github.com/aws-samples/simple-websockets-chat-app/issues/24"
TIMED_OUT = "https://github.com/Kludex/mangum/issues/128"
BAD_GATEWAY = "https://github.com/michalkvasnicak/aws-lambda-graphql/issues/107"
REJECTED = f"{LAMBDA}services-apigateway-errors.html"
RUNTIME = f"{LAMBDA}lambda-runtime-environment.html"
VARIABLES = f"{LAMBDA}configuration-envvars.html"
LAYERS = f"{LAMBDA}packaging-layers.html"
LOGS = f"{LAMBDA}monitoring-cloudwatchlogs.html"
LEVELS = f"{LAMBDA}monitoring-cloudwatchlogs-log-level.html"
EMF = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html"
RFC = "https://www.rfc-editor.org/rfc/rfc6455"
AUTHORIZER = f"{DOC}apigateway-websocket-api-lambda-auth.html"
ANSWERS = f"{DOC}api-gateway-lambda-authorizer-output.html"
IDENTITY = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-apigatewayv2-authorizer.html"
TEMPLATES = f"{DOC}apigateway-websocket-api-mapping-template-reference.html"
LATENCY = "https://github.com/radkawar/stackd/blob/9dc356f5e5cc49d2d334178a09c1398dd1c62617/internal/services/apigatewaywebsocket/authorizer.go"
DENIED = "https://aws.amazon.com/premiumsupport/knowledge-center/api-gateway-403-error-lambda-authorizer/"


# --- what is deployed ------------------------------------------------------------------------------


class Deployed:
    """The running gateway, and what its functions printed."""

    def __init__(self, emulator, loop, api, api_id):
        self.emulator = emulator
        self.api_id = api_id
        self.loop = loop
        self.api = api
        self.lines = []
        api.subscribe(self.lines.append)

    def events(self, event_type):
        """Return the events of that type, as a function printed them."""
        printed = [line.document["event"] for line in self.lines if '{"event"' in line.text]
        return [event for event in printed if event["requestContext"]["eventType"] == event_type]

    def asked(self):
        """Return what the authorizer was asked, as it printed it."""
        return [line.document["asked"] for line in self.lines if '{"asked"' in line.text]

    def connect_event(self, header):
        """Wait for the CONNECT event of the client with that X-Client header."""
        return wait_until(
            lambda: [
                event
                for event in self.events("CONNECT")
                if event["headers"].get("X-Client") == header
            ]
        )[0]

    def disconnect_event(self, connection_id):
        """Wait for the DISCONNECT event of that connection."""
        return wait_until(
            lambda: [
                event
                for event in self.events("DISCONNECT")
                if event["requestContext"]["connectionId"] == connection_id
            ]
        )[0]

    @contextmanager
    def client(self, query="", **options):
        """Return a client of the API, with `connect_event` if a function has printed it."""
        header = secrets.token_hex(8)
        headers = {"X-Client": header, **options.pop("headers", {})}
        url = f"{self.api.url}{query}"
        with connect(url, proxy=None, additional_headers=headers, **options) as client:
            client.header = header
            yield client

    def refusal(self, query="", path=None, **options):
        """Return the status and the body with which a client is refused."""
        url = self.api.url if path is None else self.api.url.replace("/dev", path)
        with (
            pytest.raises(InvalidStatus) as caught,
            connect(f"{url}{query}", proxy=None, **options),
        ):
            pass
        response = caught.value.response
        return response.status_code, json.loads(response.body)

    def status_of(self, path, host, headers=()):
        """Return the status of a plain request, or for the stage itself of a handshake."""
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
        }
        connection = http.client.HTTPConnection(self.api.domain, timeout=20)
        is_handshake = path.partition("?")[0] == "/dev"
        headers = {"Host": host, **(upgrade if is_handshake else {}), **dict(headers)}
        connection.request("GET", path, headers=headers)
        status = connection.getresponse().status
        connection.close()
        return status

    def management(self, **changes):
        """Return a boto3 client of @connections with the credentials of a function."""
        given = self.loop.run(self.api.invoke("direct", {})).payload
        given = {
            "aws_access_key_id": given["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": given["AWS_SECRET_ACCESS_KEY"],
            "aws_session_token": given["AWS_SESSION_TOKEN"],
        }
        return boto3.client(
            "apigatewaymanagementapi",
            endpoint_url=self.api.callback_url,
            region_name=REGION,
            config=Config(proxies={}, retries={"total_max_attempts": 1}),
            **given | changes,
        )


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def functions(emulator):
    """Return the ARNs of what all APIs here lead to."""
    rich = create_role(emulator, "rich", verbs=["POST", "GET", "DELETE"])
    poor = create_role(emulator, "poor", verbs=[])
    layer = create_layer(emulator, "helper", {"python/helper.py": "", "python/app.py": "broken"})
    variables = {"API_GATEWAY_ENDPOINT": "https://to.be.replaced", "OWN": "value"}
    return {
        "lifecycle": create_function(emulator, "lifecycle", "app.lifecycle", rich),
        "messages": create_function(
            emulator,
            "messages",
            "app.messages",
            rich,
            Layers=[layer],
            Environment={"Variables": variables},
        ),
        "poor": create_function(emulator, "poor", "app.messages", poor),
        "plain": create_function(
            emulator, "plain", "app.messages", rich, Timeout=1, LoggingConfig={"LogFormat": "Text"}
        ),
        "direct": create_function(emulator, "direct", "app.direct", rich),
        "unreachable": create_function(emulator, "unreachable", "app.messages", rich),
        "guard": create_function(emulator, "guard", "app.guard", rich),
    }


@pytest.fixture(scope="module")
def loop():
    with LoopThread() as loop:
        yield loop


@pytest.fixture(scope="module")
def deployed(emulator, functions, loop):
    messages = {"function": functions["messages"]}
    routes = {
        "$connect": {"function": functions["lifecycle"]},
        "$disconnect": {"function": functions["lifecycle"]},
        "$default": messages,
        "echo": messages,
        "answered": {**messages, "responds": True},
        "brief": {**messages, "timeout_ms": 100, "responds": True},
        "poor": {"function": functions["poor"]},
        "plain": {"function": functions["plain"]},
        "rare": messages,
    }
    api_id = create_api(
        emulator,
        routes,
        StageVariables={"colour": "blue"},
        RouteSettings={"rare": {"ThrottlingRateLimit": 0.001, "ThrottlingBurstLimit": 1}},
    )
    return Deployed(emulator, loop, loop.enter(LocalApi(emulator.client, api_id, "dev")), api_id)


@pytest.fixture
def start(emulator, loop):
    """Return a function that serves another API, with other limits or another clock."""
    running = []

    def start(routes, authorizer=None, **options):
        api_id = create_api(emulator, routes, authorizer=authorizer)
        api = LocalApi(emulator.client, api_id, "dev", **options)
        loop.run(api.__aenter__())
        running.append(api)
        return Deployed(emulator, loop, api, api_id)

    yield start
    for api in running:
        loop.run(api.__aexit__(None, None, None))


def ask(client, **message):
    """Send a message and return the next one that comes."""
    client.send(json.dumps(message))
    return hear(client)


def hear(client):
    return json.loads(client.recv(timeout=20))


def route_of(answer):
    return answer["event"]["requestContext"]["routeKey"]


def play(client, messages, options):
    for data in messages:  # the other side may close before all are sent
        client.send(data, **options)
    client.recv(timeout=20)


def closed(client, *after, **options):
    """Return the code and the reason with which the other side closes, after it was sent that."""
    with pytest.raises(ConnectionClosed) as caught:
        play(client, after, options)
    return caught.value.rcvd.code, caught.value.rcvd.reason


# --- routing ---------------------------------------------------------------------------------------


@behaviour("A message goes to the route that the selection expression finds", SELECTION)
def test_route_of_the_action(deployed):
    with deployed.client() as client:
        assert route_of(ask(client, action="echo")) == "echo"


@behaviour("An action without a route, or no action, goes to `$default`", SELECTION)
@pytest.mark.parametrize("message", [{"action": "nowhere"}, {"other": 1}, {"action": {"a": 1}}])
def test_default_route(deployed, message):
    with deployed.client() as client:
        assert route_of(ask(client, **message)) == "$default"


@behaviour("What is not JSON goes to `$default`, with its text as `body`", SELECTION)
@pytest.mark.parametrize("text", ["hello", "[1, 2]", '"echo"', "", "{"])
def test_not_json(deployed, text):
    with deployed.client() as client:
        client.send(text)
        answer = hear(client)

    assert route_of(answer) == "$default"
    assert answer["event"]["body"] == text


@behaviour("A client cannot choose `$connect` or `$disconnect` as an action", CHOSEN)
@pytest.mark.parametrize("action", ["$connect", "$disconnect", "$default"])
def test_reserved_action(deployed, action):
    with deployed.client() as client:
        assert route_of(ask(client, action=action)) == "$default"
        assert route_of(ask(client, action="echo")) == "echo"


@behaviour("Without a route and without `$default` the client is told `Forbidden`", FORBIDDEN)
def test_no_route(start, functions):
    deployed = start({"echo": {"function": functions["messages"]}})

    with deployed.client() as client:
        answer = ask(client, action="nowhere")

        assert answer.pop("message") == "Forbidden"
        assert set(answer) == {"connectionId", "requestId"}
        assert route_of(ask(client, action="echo")) == "echo"


# --- answers ---------------------------------------------------------------------------------------


@behaviour("What a function returns does not reach the client without a route response", ROUTES)
def test_no_reply_without_a_route_response(deployed):
    with deployed.client() as client:
        client.send(
            '{"action": "echo", "do": "return", "answer": {"statusCode": 200, "body": "x"}}'
        )

        assert route_of(ask(client, action="echo")) == "echo"  # and nothing before it


@behaviour("With a route response the returned `body` is sent, whatever the status", REFUSED)
@pytest.mark.parametrize("status", [200, 500])
def test_reply_with_a_route_response(deployed, status):
    answer = {"statusCode": status, "body": '{"the": "body"}'}

    with deployed.client() as client:
        assert ask(client, action="answered", do="return", answer=answer) == {"the": "body"}


@behaviour(
    "A function that raises: `Internal server error` with connectionId and requestId", INTERNAL
)
def test_function_that_raises(deployed):
    with deployed.client() as client:
        connection_id = ask(client, action="echo")["event"]["requestContext"]["connectionId"]
        answer = ask(client, action="echo", do="fail")

        assert answer.pop("message") == "Internal server error"
        assert answer.pop("connectionId") == connection_id
        assert re.fullmatch("[A-Za-z0-9_-]{15}=", answer.pop("requestId"))
        assert answer == {}
        assert route_of(ask(client, action="echo")) == "echo"


@behaviour(
    "A function whose policy does not let API Gateway in: `Internal server error`, `$connect` 500",
    NOT_LET_IN,
)
def test_function_that_does_not_let_the_gateway_in(start, functions):
    closed_to_all = {"function": functions["unreachable"], "permits": False}
    deployed = start({"$default": closed_to_all})
    with deployed.client() as client:
        assert ask(client, any="thing")["message"] == "Internal server error"

    assert start({"$connect": closed_to_all}).refusal()[0] == 500


@behaviour("A malformed answer: `Internal server error`, and the connection is kept", INTERNAL)
@pytest.mark.parametrize(
    "answer", [None, "text", [], {}, {"statusCode": "x"}, {"statusCode": 200, "body": {"a": 1}}]
)
def test_malformed_answer(deployed, answer):
    with deployed.client() as client:
        answer = ask(client, action="echo", do="return", answer=answer)

        assert answer["message"] == "Internal server error"
        assert route_of(ask(client, action="echo")) == "echo"


@behaviour("A malformed answer is said in the log, with what it has to be", CHOSEN)
def test_malformed_answer_is_reported(start, functions, caplog):
    """A person would not know why the client gets that message: the function itself has no error."""
    with start({"$default": {"function": functions["messages"]}}).client() as client:
        ask(client, do="return", answer={"statusCode": "abc"})

    assert [record.getMessage() for record in caplog.records] == [
        "an event for $default: messages has returned what API Gateway cannot use: it has to be an object with "
        "a statusCode from 100 to 599 and, if it has one, a body that is a string"
    ]


@behaviour("After the integration's timeout: `Endpoint request timed out`", TIMED_OUT)
def test_integration_timeout(deployed, tmp_path):
    with deployed.client() as client:
        answer = ask(client, action="brief", do="hold", until=str(tmp_path / "go"))
        (tmp_path / "go").touch()

        assert answer["message"] == "Endpoint request timed out"
        assert set(answer) == {"message", "connectionId", "requestId"}
        assert route_of(hear(client)) == "brief"  # the function was not ended by that
        assert route_of(ask(client, action="echo")) == "echo"  # its late answer is not sent


@behaviour("A route's own throttle: the client is told, the function not called", PROTECT)
def test_route_throttle(deployed):
    with deployed.client() as client:
        assert route_of(ask(client, action="rare")) == "rare"
        assert ask(client, action="rare")["message"] == "Too Many Requests"
        assert route_of(ask(client, action="echo")) == "echo"


# --- frames ----------------------------------------------------------------------------------------


@behaviour("A binary frame closes the connection with 1003", BINARY)
@pytest.mark.threat("ws-binary")
def test_binary_frame(deployed):
    with deployed.client() as client:
        assert closed(client, b"\x00\x01")[0] == 1003


@behaviour("A frame of 32 KB is taken, a larger one closes with 1009", QUOTAS)
@pytest.mark.threat("large-message", "ws-size")
def test_frame_size(deployed):
    with deployed.client() as client:
        client.send("x" * 32_768)
        assert hear(client)["event"]["body"] == 32_768

        assert closed(client, "x" * 32_769)[0] == 1009


@behaviour("A message of 128 KB in frames is taken, a larger one closes with 1009", QUOTAS)
def test_message_size(deployed):
    with deployed.client() as client:
        client.send(["x" * 32_768] * 4)
        assert hear(client)["event"]["body"] == 131_072

        assert closed(client, [*["x" * 32_768] * 4, "x"])[0] == 1009


@behaviour("Text that is not UTF-8 closes with 1007", RFC)
def test_text_that_is_not_utf_8(deployed):
    with deployed.client() as client:
        assert closed(client, b"\xff", text=True)[0] == 1007


@behaviour("A ping is answered by the gateway itself", RFC)
def test_ping(deployed):
    with deployed.client() as client:
        assert client.ping().wait(20)


# --- $connect --------------------------------------------------------------------------------------


@behaviour("`$connect`: a status of 200 to 299 opens, any other refuses with it", REFUSED)
@pytest.mark.parametrize("status", [301, 400, 401, 403, 426, 499, 500, 503])
def test_connect_refused(deployed, status):
    got, body = deployed.refusal(f"?status={status}")

    assert got == status
    assert set(body) == {"message", "connectionId", "requestId"}


@behaviour("`$connect`: a function that raises or answers nonsense refuses with 502", BAD_GATEWAY)
@pytest.mark.parametrize("query", ["?raise=1", "?answer=null", '?answer={"body":"x"}'])
def test_connect_fails(deployed, query):
    status, body = deployed.refusal(query)

    assert status == 502
    assert body["message"] == "Internal server error"


@behaviour(
    "The sub-protocol that the function returns reaches the client, no other header", PROTOCOL
)
def test_subprotocol(deployed):
    with deployed.client("?protocol=b", subprotocols=["a", "b"]) as client:
        headers = client.response.headers

        assert client.subprotocol == "b"
        assert "X-Other" not in headers


@behaviour("Without one in the answer none is chosen", PROTOCOL)
def test_no_subprotocol(deployed):
    with deployed.client(subprotocols=["a"]) as client:
        assert client.subprotocol is None


@behaviour("An unknown stage is refused with 403", CHOSEN)
@pytest.mark.parametrize("path", ["", "/other", "/dev/more"])
def test_unknown_stage(deployed, path):
    assert deployed.refusal(path=path)[0] == 403


@behaviour("The connection is held until `$connect` has ended", CONNECT)
def test_connection_is_held(deployed, tmp_path):
    opened = []

    def open_slowly():
        with deployed.client(f"?hold={tmp_path / 'go'}") as client:
            opened.append(route_of(ask(client, action="echo")))

    slow = threading.Thread(target=open_slowly)
    slow.start()
    wait_until(lambda: [one for one in deployed.lines if "/go" in one.text])
    with deployed.client() as other:
        ask(other, action="echo")
    before = list(opened)
    (tmp_path / "go").touch()
    slow.join(20)

    assert before == []
    assert opened == ["echo"]


@behaviour("Inside of `$connect` there is no connection to post to: 410", NOT_YET)
def test_post_inside_connect(deployed):
    with deployed.client("?post=1") as client:
        assert route_of(ask(client, action="echo")) == "echo"


@behaviour("A request that names another host than this machine or the API is refused: 403", CHOSEN)
@pytest.mark.parametrize(
    ("host", "statuses"),
    [
        pytest.param("evil.example", (403, 403, 403), id="other"),
        pytest.param("localhost:1", (101, 403, 200), id="this-machine"),
        pytest.param("{api}.execute-api.us-east-1.amazonaws.com", (101, 403, 200), id="api"),
        pytest.param("{api}.execute-api.eu-west-1.amazonaws.com", (403, 403, 403), id="region"),
    ],
)
def test_host(start, functions, host, statuses):
    """For a WebSocket, for @connections without a signature, and for a page beside the API."""
    routes = {"$connect": {"function": functions["lifecycle"]}}
    deployed = start(routes, pages={"/": ("text/html", b"<h1>page</h1>")}.get)
    host = host.format(api=deployed.api_id)

    got = [deployed.status_of(path, host) for path in ("/dev", "/dev/@connections/x", "/")]

    assert tuple(got) == statuses
    assert len(deployed.events("CONNECT")) == (statuses[0] == 101)


@behaviour("Without a `$connect` route any client may connect", CONNECT)
def test_no_connect_route(start, functions):
    deployed = start({"$default": {"function": functions["messages"]}})

    with deployed.client("?status=401") as client:
        assert route_of(ask(client)) == "$default"


# --- authorizers -----------------------------------------------------------------------------------

SOURCES = ["route.request.header.X-Token", "route.request.querystring.token"]
TOKEN = {"additional_headers": {"X-Token": "a"}}


@pytest.fixture(scope="module")
def guarded(emulator, functions, loop):
    lifecycle, messages = {"function": functions["lifecycle"]}, {"function": functions["messages"]}
    api_id = create_api(
        emulator,
        {"$connect": lifecycle, "$disconnect": lifecycle, "$default": messages},
        authorizer={"function": functions["guard"], "sources": SOURCES},
        StageVariables={"colour": "blue"},
    )
    return Deployed(emulator, loop, loop.enter(LocalApi(emulator.client, api_id, "dev")), api_id)


def verdict(**answer):
    """Return the query string that has the authorizer answer so, instead of its own."""
    return "?token=b&verdict=" + quote(json.dumps(answer))


def allows(**statement):
    arn = "arn:aws:execute-api:*"
    given = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": arn} | statement
    return {"Version": "2012-10-17", "Statement": [given]}


@behaviour(
    "The authorizer is asked before `$connect`: headers, query strings and the same context",
    AUTHORIZER,
)
def test_authorizer_event(guarded):
    with guarded.client("?token=b&a=1&a=2", headers={"X-Token": "a"}) as client:
        connect = guarded.connect_event(client.header)
    asked = [one for one in guarded.asked() if one["headers"].get("X-Client") == client.header]
    [event] = asked
    connect["requestContext"].pop("authorizer")

    assert set(event) == {
        *("type", "methodArn", "headers", "multiValueHeaders", "queryStringParameters"),
        *("multiValueQueryStringParameters", "stageVariables", "requestContext"),
    }
    assert event["type"] == "REQUEST"
    assert event["methodArn"] == (
        f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{guarded.api_id}/dev/$connect"
    )
    assert event["headers"].items() - connect["headers"].items() == {
        ("Connection", "upgrade"),
        ("Upgrade", "websocket"),
        ("content-length", "0"),
    }
    assert event["multiValueHeaders"]["X-Token"] == ["a"]
    assert event["queryStringParameters"] == {"token": "b", "a": "2"}
    assert event["multiValueQueryStringParameters"] == {"token": ["b"], "a": ["1", "2"]}
    assert event["stageVariables"] == {"colour": "blue"}
    assert event["requestContext"] == connect["requestContext"]


@behaviour("Without an identity source, or with an empty one: 401, and it is not asked", IDENTITY)
@pytest.mark.parametrize(
    ("query", "headers"),
    [
        pytest.param("?token=b", {}, id="no-header"),
        pytest.param("?token=b", {"X-Token": ""}, id="empty-header"),
        pytest.param("", {"X-Token": "a"}, id="no-query-string"),
        pytest.param("?token=&token2=b", {"X-Token": "a"}, id="empty-query-string"),
    ],
)
def test_missing_identity(guarded, query, headers):
    before = len(guarded.asked())

    status, body = guarded.refusal(query, additional_headers=headers)

    assert status == 401
    assert body.pop("message") == "Unauthorized"
    assert set(body) == {"connectionId", "requestId"}
    assert len(guarded.asked()) == before


@behaviour("Identity sources are headers, query strings, stage variables and context", IDENTITY)
@pytest.mark.parametrize(
    ("source", "status"),
    [
        pytest.param("context.identity.sourceIp", 101, id="context"),
        pytest.param("context.messageId", 401, id="no-context"),
        pytest.param("stageVariables.colour", 401, id="no-stage-variable"),
        pytest.param("route.request.header.HOST", 101, id="header"),
        pytest.param("route.request.querystring.quiet", 401, id="no-query-string"),
    ],
)
def test_identity_sources(start, functions, source, status):
    routes = {"$connect": {"function": functions["lifecycle"]}}
    deployed = start(routes, {"function": functions["guard"], "sources": [source]})

    assert deployed.status_of("/dev", "localhost") == status


@behaviour(
    "An authorizer that fails with `Unauthorized`: 401",
    f"{DOC}apigateway-use-lambda-authorizer.html",
)
def test_authorizer_says_unauthorized(guarded):
    status, body = guarded.refusal("?token=b&fail=Unauthorized", **TOKEN)

    assert status == 401
    assert body.pop("message") == "Unauthorized"
    assert set(body) == {"connectionId", "requestId"}


@behaviour("One that fails otherwise, or answers what is no principal and policy: 500", ANSWERS)
@pytest.mark.parametrize(
    "query",
    [
        pytest.param("?token=b&fail=unauthorized", id="raises"),
        pytest.param(verdict(principalId=None), id="no-principal"),
        pytest.param(verdict(policyDocument=None), id="no-policy"),
        pytest.param(verdict(policyDocument=allows() | {"Version": "2020"}), id="version"),
        pytest.param(verdict(policyDocument=allows(Effect="allow")), id="effect"),
        pytest.param(verdict(context={"a": {"b": 1}}), id="nested-context"),
        pytest.param(verdict(context={"a": [1]}), id="list-in-context"),
    ],
)
def test_authorizer_fails(guarded, query):
    before = len(guarded.events("CONNECT"))

    status, body = guarded.refusal(query, **TOKEN)

    assert status == 500
    assert body["message"] == "Internal server error"
    assert len(guarded.events("CONNECT")) == before


@behaviour("A policy that denies, or that does not allow: 403, and `$connect` is not asked", DENIED)
@pytest.mark.parametrize(
    ("policy", "message"),
    [
        pytest.param(allows(Effect="Deny"), " with an explicit deny", id="denies"),
        pytest.param(allows(Resource="*/$default"), "", id="other-route"),
        pytest.param(allows(Action="execute-api:ManageConnections"), "", id="other-action"),
    ],
)
def test_policy_refuses(guarded, policy, message):
    before = len(guarded.events("CONNECT"))

    status, body = guarded.refusal(verdict(policyDocument=policy), **TOKEN)

    assert status == 403
    assert body.pop("message") == f"User is not authorized to access this resource{message}"
    assert set(body) == {"connectionId", "requestId"}
    assert len(guarded.events("CONNECT")) == before


@behaviour("A result of the authorizer of 8 KB is taken, a larger one refused: 500", QUOTAS)
def test_authorizer_result_size(guarded):
    """The function fills its context up to that size."""
    statuses = [
        guarded.status_of(f"/dev?token=b&quiet=1&size={size}", "localhost", {"X-Token": "a"})
        for size in (8192, 8193)
    ]

    assert statuses == [101, 500]


@behaviour("What the authorizer has said is in each event of the connection, as texts", TEMPLATES)
def test_authorizer_context(guarded):
    context = {"text": "é", "number": 1, "fraction": 1.5, "yes": True, "no": False, "null": None}
    with guarded.client(verdict(context=context), headers={"X-Token": "a"}) as client:
        connect = guarded.connect_event(client.header)["requestContext"]["authorizer"]
        message = ask(client)["event"]["requestContext"]
        connection_id = message["connectionId"]
    disconnect = guarded.disconnect_event(connection_id)["requestContext"]["authorizer"]
    texts = {"text": "é", "number": "1", "fraction": "1.5", "yes": "true", "no": "false"}

    connect.pop("integrationLatency")
    assert connect == message["authorizer"] == disconnect == texts | {"principalId": "somebody"}


@behaviour("The CONNECT event alone says how long the authorizer took, in ms", LATENCY)
def test_authorizer_latency(guarded):
    with guarded.client("?token=b", headers={"X-Token": "a"}) as client:
        connect = guarded.connect_event(client.header)["requestContext"]["authorizer"]
        message = ask(client)["event"]["requestContext"]["authorizer"]

    latency_ms = connect["integrationLatency"]
    assert isinstance(latency_ms, int)
    assert 0 <= latency_ms < 20_000
    assert message == {"principalId": "somebody"}


@behaviour(
    "The authorizer is asked for each connection, and for no message: nothing is cached", IDENTITY
)
def test_authorizer_is_asked_once_for_each_connection(start, functions):
    lifecycle, messages = {"function": functions["lifecycle"]}, {"function": functions["messages"]}
    deployed = start(
        {"$connect": lifecycle, "$disconnect": lifecycle, "$default": messages},
        {"function": functions["guard"], "sources": SOURCES, "AuthorizerResultTtlInSeconds": 300},
    )

    for _ in range(2):
        with deployed.client("?token=b", headers={"X-Token": "a"}) as client:
            ask(client)
            ask(client)
    wait_until(lambda: deployed.events("DISCONNECT")[1:])

    [state] = [state for state in deployed.api.states() if state.name == "guard"]
    assert (state.invocations, state.errors) == (2, 0)


@behaviour(
    "An authorizer whose policy does not let API Gateway in for `authorizers/ID`: 500",
    f"{DOC}http-api-lambda-authorizer.html",
)
def test_authorizer_that_does_not_let_the_gateway_in(start, functions):
    """That its function is let in for a route does not help."""
    guard = {"function": functions["guard"], "permits": False}
    connect = {"function": functions["lifecycle"]}
    deployed = start({"$connect": connect, "$default": {"function": functions["guard"]}}, guard)

    status, body = deployed.refusal()

    assert status == 500
    assert body["message"] == "Internal server error"
    assert deployed.asked() == []


@behaviour("An authorizer that takes as long as an integration may at most: 500", CHOSEN)
def test_authorizer_timeout(start, functions, tmp_path):
    deployed = start(
        {"$connect": {"function": functions["lifecycle"]}},
        {"function": functions["guard"]},
        limits=GatewayLimits(integration_seconds=0.2),
    )

    status, body = deployed.refusal(f"?wait={tmp_path / 'go'}")
    (tmp_path / "go").touch()

    assert (status, body["message"]) == (500, "Internal server error")
    assert deployed.events("CONNECT") == []


# --- events ----------------------------------------------------------------------------------------

CONTEXT_KEYS = set(
    "routeKey eventType extendedRequestId requestTime messageDirection stage connectedAt "
    "requestTimeEpoch identity requestId domainName connectionId apiId".split()
)


@behaviour("CONNECT event: headers, query strings and no body", EVENTS)
def test_connect_event(deployed):
    with deployed.client(
        "?a=1&b=x%20y&a=2", headers={"X-Own": "own"}, origin="https://page.example"
    ) as client:
        event = deployed.connect_event(client.header)
        port = deployed.api.url.split(":")[2].split("/")[0]

        assert set(event) == {
            *("headers", "multiValueHeaders", "queryStringParameters"),
            *("multiValueQueryStringParameters", "requestContext", "stageVariables"),
            "isBase64Encoded",
        }
        assert event["queryStringParameters"] == {"a": "2", "b": "x y"}
        assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": ["x y"]}
        assert event["headers"]["Origin"] == "https://page.example"
        assert event["headers"]["X-Own"] == "own"
        assert event["headers"]["Sec-WebSocket-Version"] == "13"
        assert event["headers"]["X-Forwarded-For"] == "127.0.0.1"
        assert event["headers"]["X-Forwarded-Port"] == port
        assert not {"Connection", "Upgrade"} & set(event["headers"])
        assert event["multiValueHeaders"]["Host"] == [f"127.0.0.1:{port}"]
        assert set(event["requestContext"]) == CONTEXT_KEYS
        assert event["requestContext"]["eventType"] == "CONNECT"
        assert event["requestContext"]["routeKey"] == "$connect"
        assert event["isBase64Encoded"] is False
        assert client.response.status_code == 101


@behaviour("CONNECT event without a query string has no key for it", EVENTS)
def test_connect_event_without_query(deployed):
    with deployed.client() as client:
        event = deployed.connect_event(client.header)

    assert not {"queryStringParameters", "multiValueQueryStringParameters"} & set(event)


@behaviour("MESSAGE event: body and message id, no headers and no query string", EVENTS)
def test_message_event(deployed):
    with deployed.client("?a=1") as client:
        event = ask(client, action="echo")["event"]

    context = event["requestContext"]
    assert set(event) == {"requestContext", "body", "isBase64Encoded", "stageVariables"}
    assert event["body"] == '{"action": "echo"}'
    assert set(context) == CONTEXT_KEYS | {"messageId"}
    assert (context["eventType"], context["messageDirection"]) == ("MESSAGE", "IN")
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["stage"] == "dev"


@behaviour("requestId equals extendedRequestId, is new for each event; connectedAt stays", EVENTS)
def test_ids_and_times(deployed):
    before = time.time() * 1000
    with deployed.client() as client:
        connected = deployed.connect_event(client.header)["requestContext"]
        first, second = (ask(client, action="echo")["event"]["requestContext"] for _ in "12")
    contexts = [connected, first, second]

    assert [one["requestId"] for one in contexts] == [one["extendedRequestId"] for one in contexts]
    assert len({one["requestId"] for one in contexts}) == 3
    assert len({one["messageId"] for one in contexts[1:]}) == 2
    assert len({one["connectionId"] for one in contexts}) == 1
    assert len({one["connectedAt"] for one in contexts}) == 1
    assert before - 1 <= connected["connectedAt"] <= first["requestTimeEpoch"] <= time.time() * 1000
    assert re.fullmatch("[A-Za-z0-9_-]{15}=", connected["connectionId"])
    moment = datetime.strptime(first["requestTime"], "%d/%b/%Y:%H:%M:%S %z")
    assert moment.timestamp() == first["requestTimeEpoch"] // 1000


@behaviour(
    "Stage variables are in every event",
    f"{DOC}apigateway-websocket-api-mapping-template-reference.html",
)
def test_stage_variables(deployed):
    with deployed.client() as client:
        events = [deployed.connect_event(client.header), ask(client, action="echo")["event"]]
    connection_id = events[0]["requestContext"]["connectionId"]
    events.append(deployed.disconnect_event(connection_id))

    assert [event["stageVariables"] for event in events] == [{"colour": "blue"}] * 3


@behaviour("DISCONNECT event: the client's code and reason, and empty headers", EVENTS)
def test_disconnect_event(deployed):
    with deployed.client() as client:
        connection_id = connection_id_of(client)
        client.close(4001, "bye")
    event = deployed.disconnect_event(connection_id)
    context = event["requestContext"]

    assert set(event) == {
        *("headers", "multiValueHeaders", "requestContext", "stageVariables", "isBase64Encoded"),
    }
    assert set(event["headers"]) == {"Host", "x-api-key", "X-Forwarded-For", "x-restapi"}
    assert event["headers"]["x-api-key"] == ""
    assert set(context) == CONTEXT_KEYS | {"disconnectStatusCode", "disconnectReason"}
    assert (context["routeKey"], context["eventType"]) == ("$disconnect", "DISCONNECT")
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (4001, "bye")


@behaviour("DISCONNECT without a status in the close frame: 1005", EVENTS)
def test_disconnect_without_status(deployed):
    with deployed.client() as client:
        connection_id = connection_id_of(client)
        client.protocol.send_close()
        client.socket.sendall(b"".join(client.protocol.data_to_send()))
        context = deployed.disconnect_event(connection_id)["requestContext"]

    assert context["disconnectStatusCode"] == 1005
    assert context["disconnectReason"] == "Client-side close frame status not set"


@behaviour("DISCONNECT of a client that is gone without a close frame: 1006", RFC)
def test_disconnect_without_close_frame(deployed):
    with deployed.client() as client:
        connection_id = connection_id_of(client)
        client.close_socket()
        context = deployed.disconnect_event(connection_id)["requestContext"]

    assert context["disconnectStatusCode"] == 1006


# --- @connections ----------------------------------------------------------------------------------


def connection_id_of(client):
    return ask(client, action="echo")["event"]["requestContext"]["connectionId"]


def refused(call, **arguments):
    """Return the status and the code of the error that a call of boto3 raises."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@behaviour("POST of up to 128 KB reaches the client as text: 200", MODEL)
def test_post(deployed):
    management = deployed.management()
    with deployed.client(max_size=None) as client:
        answer = management.post_to_connection(
            ConnectionId=connection_id_of(client), Data=b"x" * 131_072
        )

        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert client.recv(timeout=20) == "x" * 131_072


@behaviour("POST of more than 128 KB: 413", MODEL)
def test_post_too_large(deployed):
    management = deployed.management()
    with deployed.client() as client:
        connection_id = connection_id_of(client)

        # botocore's own model refuses it before it is sent
        answer = ask(
            client, action="echo", do="call", method="POST", id=connection_id, size=131_073
        )

    assert answer["status"] == 413
    assert management


@behaviour("GET: times and identity; lastActiveAt moves with messages", MODEL)
def test_get(deployed):
    management = deployed.management()
    with deployed.client(user_agent_header="tests") as client:
        connection_id = connection_id_of(client)
        answer = management.get_connection(ConnectionId=connection_id)

        assert answer["Identity"] == {"SourceIp": "127.0.0.1", "UserAgent": "tests"}
        assert answer["ConnectedAt"] < answer["LastActiveAt"] <= datetime.now(UTC)


@behaviour("DELETE: 204, and the client is closed", MODEL)
def test_delete(deployed):
    management = deployed.management()
    with deployed.client() as client:
        connection_id = connection_id_of(client)
        answer = management.delete_connection(ConnectionId=connection_id)

        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert closed(client)[0] == 1000
    deployed.disconnect_event(connection_id)


@behaviour("A connection that is gone, or never was: 410 for each verb", MODEL)
def test_gone(deployed):
    management = deployed.management()
    with deployed.client() as client:
        connection_id = connection_id_of(client)
    deployed.disconnect_event(connection_id)

    for one in (connection_id, "never="):
        gone = (410, "GoneException")
        assert refused(management.post_to_connection, ConnectionId=one, Data=b"x") == gone
        assert refused(management.get_connection, ConnectionId=one) == gone
        assert refused(management.delete_connection, ConnectionId=one) == gone


@behaviour("A connection that has begun to close is gone", MODEL)
def test_closing(deployed):
    management = deployed.management()
    with deployed.client() as client:
        connection_id = connection_id_of(client)
        management.delete_connection(ConnectionId=connection_id)

        gone = refused(management.post_to_connection, ConnectionId=connection_id, Data=b"x")

    assert gone == (410, "GoneException")


@behaviour("A client that goes during `$connect` is told to `$disconnect`", CHOSEN)
def test_client_that_goes_during_connect(deployed, tmp_path):
    host, _, port = deployed.api.domain.partition(":")
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(
            f"GET /dev?hold={tmp_path / 'go'} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nX-Client: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        connection_id = deployed.connect_event(key)["requestContext"]["connectionId"]
    (tmp_path / "go").touch()

    context = deployed.disconnect_event(connection_id)["requestContext"]
    assert context["disconnectStatusCode"] == 1006


@behaviour("Without a signature: 403", CALLBACK)
def test_unsigned(deployed):
    host, _, stage = deployed.api.callback_url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.request("POST", f"/{stage}/@connections/x", b"hello")
    response = connection.getresponse()

    assert response.status == 403
    assert json.loads(response.read()) == {"message": "Missing Authentication Token"}
    connection.close()


@behaviour("With a wrong secret, an unknown key or a wrong token: 403", CALLBACK)
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"aws_secret_access_key": "wrong"}, "InvalidSignatureException"),
        ({"aws_access_key_id": "AKIANOBODY"}, "UnrecognizedClientException"),
        ({"aws_session_token": "wrong"}, "UnrecognizedClientException"),
    ],
)
def test_bad_signature(deployed, change, code):
    management = deployed.management(**change)

    assert refused(management.get_connection, ConnectionId="x=") == (403, code)


@behaviour("A role without `execute-api:ManageConnections` for the verb: 403", CALLBACK)
def test_iam_denies(deployed):
    with deployed.client() as client, deployed.client() as witness:
        connection_id = connection_id_of(witness)
        client.send(
            json.dumps({"action": "poor", "do": "call", "method": "POST", "id": connection_id})
        )
        lines = wait_until(lambda: [one for one in deployed.lines if one.function == "poor"])

        assert route_of(ask(witness, action="echo")) == "echo"  # nothing was posted to it
    assert lines


@behaviour("A right that is given or taken away counts after a reload", CHOSEN)
def test_iam_changes(deployed):
    management = deployed.management()
    with deployed.client() as client:
        connection_id = connection_id_of(client)
        allow_verbs(deployed.emulator, "rich", ["POST", "GET"])
        deployed.loop.run(deployed.api.reload())
        denied = refused(management.delete_connection, ConnectionId=connection_id)
        allow_verbs(deployed.emulator, "rich", ["POST", "GET", "DELETE"])
        deployed.loop.run(deployed.api.reload())
        management.delete_connection(ConnectionId=connection_id)

        assert denied == (403, "AccessDeniedException")
        assert closed(client)[0] == 1000


def wait_until(look):
    """Return what `look` finds, as soon as it finds something; 20 s mean never."""
    deadline = time.monotonic() + 20
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


@behaviour("A client that does not read: 429 once its buffer is full, and others go on", MODEL)
def test_client_that_does_not_read(start, functions):
    messages = {"function": functions["messages"]}
    deployed = start({"$default": messages}, limits=GatewayLimits(client_buffer_bytes=200_000))
    management = deployed.management()
    slow = {"max_queue": 1, "max_size": None, "close_timeout": 0.1}
    with deployed.client(**slow) as stuck, deployed.client() as other:
        connection_id = connection_id_of(stuck)
        statuses = [200]
        while statuses[-1] == 200 and len(statuses) < 500:
            statuses.append(post_status(management, connection_id))

        assert statuses[1] == 200
        assert statuses[-1] == 429
        assert route_of(ask(other)) == "$default"


def post_status(management, connection_id):
    try:
        management.post_to_connection(ConnectionId=connection_id, Data=b"x" * 100_000)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
    return 200


@behaviour(
    "Messages and @connections share the account's token bucket: beyond it 429", f"{DOC}limits.html"
)
def test_account_throttle(start, functions):
    now = time.time()
    deployed = start(
        {"$default": {"function": functions["messages"]}},
        limits=GatewayLimits(requests_per_second=1, burst=4),
        clock=lambda: now,
    )
    management = deployed.management()
    with deployed.client() as client:  # one
        connection_id = connection_id_of(client)  # two more: the message, and its answer
        management.get_connection(ConnectionId=connection_id)  # and the fourth

        throttled = refused(management.get_connection, ConnectionId=connection_id)
        answer = ask(client, any="thing")

    assert throttled == (429, "LimitExceededException")
    assert answer["message"] == "Too Many Requests"


# --- concurrency and time --------------------------------------------------------------------------


@behaviour("Messages of different connections are handled at the same time", RUNTIME)
def test_connections_are_concurrent(deployed, tmp_path):
    with deployed.client() as slow, deployed.client() as quick:
        slow.send(json.dumps({"action": "echo", "do": "hold", "until": str(tmp_path / "go")}))
        first = ask(quick, action="echo")
        (tmp_path / "go").touch()

        assert hear(slow)["pid"] != first["pid"]


@behaviour(
    "An event that Lambda throttles: `Internal server error`, and it is not repeated", REJECTED
)
def test_throttled_event(deployed, monkeypatch):
    with deployed.client() as client:
        with monkeypatch.context() as throttling:
            throttling.setattr(function, "_MAX_WAITING", 0)
            throttled = ask(client, action="echo")
        answer = ask(client, action="echo")

    assert throttled.pop("message") == "Internal server error"
    assert set(throttled) == {"connectionId", "requestId"}
    assert route_of(answer) == "echo"


@behaviour("Messages of one connection may overtake each other", ROUTES)
def test_messages_overtake(deployed, tmp_path):
    with deployed.client() as client:
        client.send(json.dumps({"action": "echo", "do": "hold", "until": str(tmp_path / "go")}))
        second = ask(client, action="echo")
        (tmp_path / "go").touch()
        first = hear(client)

    assert "do" not in second["event"]["body"]
    assert "hold" in first["event"]["body"]


class Clock:
    """Goes on when told to."""

    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now


@behaviour("10 minutes without a message in either direction close the connection", QUOTAS)
def test_idle(start, functions):
    clock = Clock()
    deployed = start({"$disconnect": {"function": functions["lifecycle"]}}, clock=clock)
    with deployed.client() as client:
        clock.now += 599
        ask(client, any="thing")  # Forbidden: a message all the same
        clock.now += 599
        deployed.loop.run(sweep(deployed.api))
        alive = ask(client, any="thing")["message"]
        clock.now += 600
        deployed.loop.run(sweep(deployed.api))

        assert alive == "Forbidden"
        assert closed(client) == (1001, "Going away")
    [event] = wait_until(lambda: deployed.events("DISCONNECT"))
    context = event["requestContext"]
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (1001, "Going away")


@behaviour("After 2 hours the connection is closed, however busy it is", QUOTAS)
def test_longest_connection(start, functions):
    clock = Clock()
    deployed = start({"other": {"function": functions["messages"]}}, clock=clock)
    with deployed.client() as client:
        for _ in range(7):
            clock.now += 599
            ask(client, any="thing")
        clock.now = clock.now - 7 * 599 + 7199
        ask(client, any="thing")
        deployed.loop.run(sweep(deployed.api))
        alive = ask(client, any="thing")["message"]
        clock.now += 1
        deployed.loop.run(sweep(deployed.api))

        assert alive == "Forbidden"
        assert closed(client) == (1001, "Going away")


async def sweep(api):
    api.sweep()


# --- Lambda ----------------------------------------------------------------------------------------


@behaviour("The environment stays warm after an exception", RUNTIME)
def test_warm_after_an_exception(start, functions):
    deployed = start({"$default": {"function": functions["messages"]}})
    with deployed.client() as client:
        first = ask(client)
        ask(client, do="fail")
        second = ask(client)

    assert first["pid"] == second["pid"]
    assert second["count"] == 3


@behaviour("A crash ends the environment, the next event gets a new one", RUNTIME)
def test_crash(start, functions):
    deployed = start({"$default": {"function": functions["messages"]}})
    with deployed.client() as client:
        first = ask(client)
        crashed = ask(client, do="exit")
        second = ask(client)

    assert crashed["message"] == "Internal server error"
    assert first["pid"] != second["pid"]
    assert second["count"] == 1
    assert deployed.api.states()[0].crashes == 1


@behaviour("A function that takes longer than its own timeout is ended", RUNTIME)
def test_function_timeout(deployed):
    with deployed.client() as client:
        answer = ask(client, action="plain", do="hold", until="/nowhere")
        report = next(one.text for one in deployed.lines if one.text.startswith("REPORT"))

    assert answer["message"] == "Internal server error"
    assert report.endswith("Status: timeout\tError Type: Sandbox.Timedout")
    assert any("Task timed out after 1.00 seconds" in one.text for one in deployed.lines)


@behaviour("Lambda's environment variables, and the function's own", VARIABLES)
def test_environment_variables(deployed):
    with deployed.client() as client:
        answer = ask(client, action="echo", do="describe")
    environ = answer["environ"]

    assert environ["AWS_LAMBDA_FUNCTION_NAME"] == "messages"
    assert environ["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
    assert environ["AWS_LAMBDA_LOG_FORMAT"] == "JSON"
    assert environ["AWS_LAMBDA_LOG_LEVEL"] == "INFO"
    assert environ["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/messages"
    assert environ["AWS_LAMBDA_LOG_STREAM_NAME"] == answer["stream"]
    assert environ["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert environ["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python3.")
    assert environ["AWS_REGION"] == environ["AWS_DEFAULT_REGION"] == REGION
    assert environ["LAMBDA_TASK_ROOT"] == answer["path"][0]
    assert environ["_HANDLER"] == "app.messages"
    assert environ["TZ"] == ":UTC"
    assert environ["OWN"] == "value"
    assert environ["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert answer["arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:messages"
    assert 29_000 < answer["remaining"] <= 30_000
    assert not {"HOME", "USER", "VIRTUAL_ENV", "AWS_PROFILE"} & set(environ)


@behaviour("The task root comes before the layer on `sys.path`", LAYERS)
def test_task_root_before_layer(deployed):
    with deployed.client() as client:  # the layer has an `app.py` as well, a broken one
        answer = ask(client, action="echo", do="describe")
    layer = answer["helper"].removesuffix("/helper.py")

    assert 0 < answer["path"].index(layer) < len(answer["path"]) - 1


@behaviour("The layer is read-only", LAYERS)
def test_layer_is_read_only(deployed):
    with deployed.client() as client:
        assert set(ask(client, action="echo", do="describe")["modes"]) == {0}


@behaviour(
    "A function has the rights of its own role, and no others",
    f"{LAMBDA}lambda-intro-execution-role.html",
)
def test_role(deployed):
    given = deployed.loop.run(deployed.api.invoke("direct", {})).payload
    sts = deployed.emulator.client(
        "sts",
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=given["AWS_SESSION_TOKEN"],
    )

    assert sts.get_caller_identity()["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/rich/direct"


# --- Lambda: runtimes and limits ---------------------------------------------------------------------


@pytest.fixture
def answering(start, emulator, functions):
    """Return a function that has a function of a source of its own answer all messages."""
    role = emulator.client("iam").get_role(RoleName="rich")["Role"]["Arn"]

    def serve(source, *, name="app.py", qualifier="", prepare=lambda name: None, **more):
        function_name = f"own-{secrets.token_hex(4)}"
        given = {"Code": {"ZipFile": zip_of({name: source})}} | more
        arn = create_function(emulator, function_name, "app.handler", role, **given)
        prepare(function_name)
        return start({"$default": {"function": f"{arn}{qualifier}", "responds": True}})

    return serve


FINDS = """
import importlib.util, json, os, sys
def handler(event, context):
    names = ["boto3", "awslambdaric", "click", "ministack", "pytest", "wslocal"]
    found = {name: importlib.util.find_spec(name) is not None for name in names}
    return {"statusCode": 200, "body": json.dumps({"version": sys.version_info[:2], "found": found})}
"""


@behaviour(
    "A function runs in the Python of its `Runtime`, and finds Lambda's packages, none of this tool's",
    f"{LAMBDA}lambda-python.html",
)
def test_python_of_the_runtime(answering):
    with answering(FINDS).client() as client:
        answer = ask(client)

    assert answer["version"] == [sys.version_info.major, sys.version_info.minor]
    assert [name for name, found in answer["found"].items() if found] == ["boto3", "awslambdaric"]


NODE = """
exports.handler = async (event, context) => {
  console.log("handled", event.body);
  const { functionName, awsRequestId, memoryLimitInMB } = context;
  const remaining = context.getRemainingTimeInMillis();
  return { statusCode: 200, body: JSON.stringify({ functionName, awsRequestId, memoryLimitInMB, remaining }) };
};
"""


@behaviour("A Node function: its handler, its context, its answer", f"{LAMBDA}nodejs-handler.html")
def test_node(answering):
    runtime = f"nodejs{max(nodes())}.x"
    with answering(NODE, name="app.js", Runtime=runtime, MemorySize=512).client() as client:
        answer = ask(client)

    assert answer["functionName"].startswith("own-")
    assert answer["memoryLimitInMB"] == "512"
    assert 0 < answer["remaining"] <= 30_000


@behaviour(
    "A Node function's console: time, request id, level and text, or JSON",
    f"{LAMBDA}nodejs-logging.html",
)
def test_node_console(answering):
    runtime = f"nodejs{max(nodes())}.x"
    given = {"name": "app.js", "Runtime": runtime, "MemorySize": 512}
    text = answering(NODE, **given, LoggingConfig={"LogFormat": "Text"})
    document = answering(NODE, **given)
    with text.client() as client:
        first = ask(client)
    with document.client() as client:
        second = ask(client)

    [line] = [line.text for line in text.lines if "handled" in line.text]
    [record] = [line.document for line in document.lines if "handled" in line.text]
    assert line.split("\t")[1:] == [first["awsRequestId"], "INFO", "handled {}"]
    assert (record["level"], record["message"]) == ("INFO", "handled {}")
    assert record["requestId"] == second["awsRequestId"]


@behaviour(
    "A Node function that fails: `Internal server error`, also by a lost rejection", INTERNAL
)
def test_node_failure(answering):
    source = """
exports.handler = () => new Promise(() => { Promise.reject(new Error("lost")); });
"""
    runtime = f"nodejs{max(nodes())}.x"
    deployed = answering(source, name="app.js", Runtime=runtime, MemorySize=512)
    with deployed.client() as client:
        answer = ask(client)

    assert answer["message"] == "Internal server error"
    assert any("Runtime.UnhandledPromiseRejection" in line.text for line in deployed.lines)


@behaviour(
    "A function that uses more than its memory is killed; the report says what was used",
    "https://repost.aws/knowledge-center/lambda-troubleshoot-invocation-error-502-500",
)
def test_memory(answering):
    source = """
import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(len(b"x" * json.loads(event["body"])["bytes"]))}
"""
    deployed = answering(source, MemorySize=128, LoggingConfig={"LogFormat": "Text"})
    with deployed.client() as client:
        within = ask(client, bytes=1 << 20)
        above = ask(client, bytes=200 << 20)

    reports = [line.text for line in deployed.lines if line.text.startswith("REPORT ")]
    used = [int(re.search(r"Max Memory Used: ([0-9]+) MB", report)[1]) for report in reports]
    assert within == 1 << 20
    assert above["message"] == "Internal server error"
    assert used[0] < 128 < used[1]
    assert reports[1].endswith("Status: error\tError Type: Runtime.ExitError")
    assert any("signal: killed" in line.text for line in deployed.lines)


@behaviour(
    "A function with a reserved concurrency of 0 is throttled, and not started",
    f"{LAMBDA}configuration-concurrency.html",
)
def test_reserved_concurrency(answering, emulator):
    def reserve(name):
        client = emulator.client("lambda")
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)

    deployed = answering("def handler(*_): pass", prepare=reserve)
    with deployed.client() as client:
        answer = ask(client)

    assert answer["message"] == "Internal server error"
    (state,) = deployed.api.states()
    assert (state.throttles, state.environments) == (1, 0)


@behaviour(
    "An integration with an alias: its version, its ARN in the context, its own policy",
    f"{LAMBDA}configuration-aliases.html",
)
def test_alias(answering, emulator):
    def publish(name):
        client = emulator.client("lambda")
        version = client.publish_version(FunctionName=name)["Version"]
        client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)

    source = """
import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps([context.invoked_function_arn, context.function_version])}
"""
    with answering(source, prepare=publish, qualifier=":live").client() as client:
        arn, version = ask(client)

    assert arn.endswith(":live")
    assert version == "1"


@behaviour("A start that fails is tried once more, and reported", RUNTIME)
def test_start_that_fails(answering, tmp_path):
    source = f"""
from pathlib import Path
tried = Path({str(tmp_path / "tried")!r})
if not tried.exists():
    tried.touch()
    raise KeyError("x")
def handler(*_):
    return {{"statusCode": 200, "body": "{{}}"}}
"""
    deployed = answering(source, LoggingConfig={"LogFormat": "Text"})
    with deployed.client() as client:
        assert ask(client) == {}

    [report] = [line.text for line in deployed.lines if line.text.startswith("INIT_REPORT")]
    assert report.endswith("Phase: init\tStatus: error\tError Type: KeyError")


# --- CloudWatch ------------------------------------------------------------------------------------


def logged(deployed, group, term):
    """Return the messages in CloudWatch Logs that have `term`."""
    deployed.loop.run(deployed.api.flush())
    found = deployed.emulator.client("logs").filter_log_events(
        logGroupName=group, filterPattern=f'"{term}"'
    )
    return [event["message"] for event in found["events"]]


@behaviour("Lines are in CloudWatch Logs, to be found by Lambda's request id", LOGS)
def test_logs_by_request_id(deployed):
    result = deployed.loop.run(
        deployed.api.invoke(
            "messages", {"body": '{"do": "log", "text": "hello", "namespace": "N"}'}
        )
    )

    lines = [
        json.loads(line) for line in logged(deployed, "/aws/lambda/messages", result.request_id)
    ]

    assert [line["type"] for line in lines if "type" in line] == [
        "platform.start",
        "platform.report",
    ]
    assert [line["message"] for line in lines if "message" in line] == ["hello"]


@behaviour("The JSON format's level filter drops what is below the function's level", LEVELS)
def test_level_filter(deployed):
    deployed.loop.run(
        deployed.api.invoke("messages", {"body": '{"do": "log", "text": "loud", "namespace": "N"}'})
    )

    assert logged(deployed, "/aws/lambda/messages", "loud")
    assert logged(deployed, "/aws/lambda/messages", "too quiet") == []


@behaviour("An exception is in the logs with type, message and stack trace", LOGS)
def test_exception_is_logged(deployed):
    result = deployed.loop.run(deployed.api.invoke("messages", {"body": '{"do": "fail"}'}))

    lines = [
        json.loads(line) for line in logged(deployed, "/aws/lambda/messages", result.request_id)
    ]
    [error] = [line for line in lines if line.get("level") == "ERROR"]

    assert result.error.type == error["errorType"] == "ValueError"
    assert error["errorMessage"] == "no bananas"
    assert "do_fail" in "".join(error["stackTrace"])


@behaviour("The text format has START, END and REPORT around each invocation", LOGS)
def test_text_format(deployed):
    result = deployed.loop.run(
        deployed.api.invoke("plain", {"body": '{"do": "log", "text": "x", "namespace": "N"}'})
    )

    lines = logged(deployed, "/aws/lambda/plain", result.request_id)

    assert lines[0] == f"START RequestId: {result.request_id} Version: $LATEST"
    assert lines[-2] == f"END RequestId: {result.request_id}"
    assert lines[-1].startswith(f"REPORT RequestId: {result.request_id}\tDuration: ")


@behaviour("An EMF document becomes metrics: every dimension set, every value of a list", EMF)
def test_emf(deployed):
    body = json.dumps({"do": "log", "text": "x", "namespace": "Conformance"})
    deployed.loop.run(deployed.api.invoke("messages", {"body": body}))
    deployed.loop.run(deployed.api.flush())
    now = datetime.now(UTC)
    asked = {
        "Namespace": "Conformance",
        "MetricName": "Sizes",
        "StartTime": now - timedelta(hours=1),
        "EndTime": now + timedelta(hours=1),
        "Period": 3600,
        "Statistics": ["Sum", "SampleCount", "Maximum"],
    }
    cloudwatch = deployed.emulator.client("cloudwatch")
    listed = cloudwatch.list_metrics(Namespace="Conformance", MetricName="Sizes")["Metrics"]
    kind = [{"Name": "Kind", "Value": "test"}]
    [point] = cloudwatch.get_metric_statistics(**asked, Dimensions=kind)["Datapoints"]

    assert sorted(len(metric["Dimensions"]) for metric in listed) == [0, 1]
    assert (point["Sum"], point["SampleCount"], point["Maximum"]) == (5.0, 3.0, 2.0)
    assert point["Unit"] == "Bytes"
    assert deployed.api.problems() == {}
