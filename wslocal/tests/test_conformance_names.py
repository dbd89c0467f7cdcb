"""AWS's names, custom domains and TLS: each test is a row of the table in CONFORMANCE.md.

The functions have no address of this machine in their code: they call `https://{domainName}/{stage}`.
"""

import json
import ssl
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from wslocal.aws_front import AwsFront
from wslocal.certificates import Certificates
from wslocal.client import HandshakeRefusedError, WebSocketClient
from wslocal.emulator import ACCOUNT, REGION, Emulator
from wslocal.gateway import LocalApi
from wslocal.lambda_host.local_lambda import LocalLambda
from wslocal.loop import LoopThread
from wslocal.tests.conformance_table import CHOSEN, behaviour
from wslocal.tests.gateway_system import create_api, create_function, create_role, zip_of

pytestmark = pytest.mark.slow

FUNCTIONS = Path(__file__).parent / "gateway_functions"
CODE = {name: (FUNCTIONS / name).read_text() for name in ("names.py", "names.mjs")}

DOC = "https://docs.aws.amazon.com/apigateway/latest/developerguide/"
CALLBACK = f"{DOC}apigateway-how-to-call-websocket-api-connections.html"
DOMAINS = f"{DOC}websocket-api-custom-domain-names.html"
MAPPED = f"{DOC}websocket-api-mappings.html"
NO_STAGE = "https://github.com/aws-samples/simple-websockets-chat-app/issues/40"
DISABLED = f"{DOC}rest-api-disable-default-endpoint.html"  # that of WebSocket APIs names no status
EVENTS = "https://github.com/aws-powertools/powertools-lambda-python/issues/5543"
ENDPOINTS = "https://docs.aws.amazon.com/general/latest/gr/rande.html"
SECURE = f"{DOC}apigateway-how-to-call-websocket-api-wscat.html"


class Served:
    """A gateway behind the front, and what its functions printed."""

    def __init__(self, loop, front, functions, api):
        self.loop = loop
        self.front = front
        self.api = api
        self.lines = []
        functions.subscribe(self.lines.append)

    def client(self, host=None, path="/dev", secure=True, port=None):
        """Return a client that asks `host` for the path, of the gateway's own port if no other is named."""
        address = self.api.secure_url if secure else self.api.url
        port = port or address.split("/")[2].rpartition(":")[2]
        url = f"{'wss' if secure else 'ws'}://{host or '127.0.0.1'}{path}"
        place = {"host": "127.0.0.1", "port": int(port), "proxy": None}
        return WebSocketClient(connect(url, **place, ssl=self.trust() if secure else None))

    def trust(self):
        return ssl.create_default_context(cafile=self.front.certificates.ca_file)

    def refusal(self, host, path):
        with pytest.raises(HandshakeRefusedError) as caught:
            self.client(host, path)
        return caught.value.status, json.loads(caught.value.body)["message"]

    def connect_event(self, connection_id):
        """Return the CONNECT event of a connection that is open."""
        printed = [line.document["event"] for line in self.lines if '{"event"' in line.text]
        [found] = [e for e in printed if e["requestContext"]["connectionId"] == connection_id]
        return found


def ask(client, **message):
    client.send(message)
    return client.receive(timeout=30)


@pytest.fixture(scope="module")
def loop():
    with LoopThread() as loop:
        yield loop


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def front(emulator, loop, tmp_path_factory):
    """Return the front, with functions that run."""
    functions = LocalLambda(emulator.client)
    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    front = loop.enter(AwsFront(functions, certificates, emulator.endpoint))
    loop.enter(functions)
    return front


@pytest.fixture(scope="module")
def routes(emulator):
    """Return the routes of all APIs here."""
    role = create_role(emulator, "by-name", verbs=["POST"])
    statement = {"Effect": "Allow", "Action": ["s3:*", "dynamodb:*"], "Resource": "*"}
    emulator.client("iam").put_role_policy(
        RoleName="by-name",
        PolicyName="services",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    given = {"Code": {"ZipFile": zip_of(CODE)}, "Environment": {"Variables": {}}}
    messages = create_function(emulator, "by-name", "names.messages", role, **given)
    own = {**given, "Environment": {"Variables": {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}}}
    elsewhere = create_function(emulator, "own-endpoint", "names.messages", role, **own)
    opened = create_function(emulator, "opened", "names.connect", role, **given)
    node = create_function(
        emulator, "by-name-node", "names.messages", role, **given, Runtime="nodejs24.x"
    )
    return {
        "$connect": {"function": opened},
        "$default": {"function": messages},
        "elsewhere": {"function": elsewhere},
        "node": {"function": node, "responds": True},
    }


@pytest.fixture(scope="module")
def start(emulator, loop, front, routes):
    """Return a function that serves an API, under custom domains with their mapping keys, too."""

    def start(*, domains=(), disabled=False, stage="dev"):
        api_id = create_api(emulator, routes)
        client = emulator.client("apigatewayv2")
        if disabled:
            client.update_api(ApiId=api_id, DisableExecuteApiEndpoint=True)
        for domain, key in domains:
            client.create_domain_name(
                DomainName=domain,
                DomainNameConfigurations=[
                    {"CertificateArn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/x"}
                ],
            )
            mapping = {"ApiId": api_id, "Stage": stage, "DomainName": domain}
            client.create_api_mapping(**mapping, **({"ApiMappingKey": key} if key else {}))
        loop.run(front.read_again())
        loop.run(front.functions.reload())
        api = loop.enter(
            LocalApi(emulator.client, api_id, "dev", functions=front.functions, front=front)
        )
        return Served(loop, front, front.functions, api)

    return start


@pytest.fixture(scope="module")
def served(start):
    return start()


@pytest.fixture(scope="module")
def custom(start):
    """An API under a domain of its own, and under a key of another one."""
    return start(domains=[("chat.example.com", ""), ("all.example.com", "chat/v1")])


@behaviour("Clients connect with TLS: `wss`", SECURE)
def test_secure_client(served):
    with served.client() as client:
        answer = ask(client)

    assert answer["event"]["requestContext"]["eventType"] == "MESSAGE"


@behaviour("Functions post to `https://{domainName}/{stage}`", CALLBACK)
@pytest.mark.parametrize("secure", [False, True])
def test_callback_by_name(served, secure):
    with served.client(secure=secure) as client:
        context = ask(client)["event"]["requestContext"]

    assert context["domainName"] == f"{context['apiId']}.execute-api.{REGION}.amazonaws.com"


@behaviour("Names lead a function with an `AWS_ENDPOINT_URL` of its own here, too", CHOSEN)
def test_callback_of_a_function_with_an_endpoint(served):
    with served.client() as client:
        assert ask(client, action="elsewhere")["result"] is None


@behaviour("A client may use the API's own name", CALLBACK)
def test_client_by_name(served):
    name = served.api.names.endpoint

    with served.client(name) as client:
        context = ask(client)["event"]["requestContext"]

    assert context["domainName"] == name


@behaviour("The region in the API's name may be another one", CHOSEN)
def test_name_with_another_region(served):
    name = served.api.names.endpoint.replace(REGION, "eu-west-1")

    with served.client(name, port=served.front.home.partition(":")[2]) as client:
        context = ask(client)["event"]["requestContext"]

    assert context["domainName"] == name


@behaviour(
    "CONNECT event: `Host` is the API's name, and `X-Forwarded-*` say TLS on port 443", EVENTS
)
def test_connect_headers(served):
    with served.client() as client:
        context = ask(client)["event"]["requestContext"]
        headers = served.connect_event(context["connectionId"])["headers"]

    found = {name: headers[name] for name in ("Host", "X-Forwarded-Port", "X-Forwarded-Proto")}
    assert found == {
        "Host": context["domainName"],
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }


@behaviour("Node reaches @connections by name; without a signature: 403", CALLBACK)
def test_callback_from_node(served):
    with served.client() as client:
        answer = ask(client, action="node")

    assert answer["status"] == 403
    assert answer["kind"] == "MissingAuthenticationTokenException"
    assert answer["url"].startswith(f"https://{served.api.names.endpoint}/dev/@connections/")


@behaviour("Services answer by the names that they have on AWS, with the role's rights", ENDPOINTS)
@pytest.mark.parametrize("size", [0, 3_000_000])
def test_services_by_name(served, emulator, size):
    table, bucket = f"by-name-{size}", f"by-name-{size}"
    emulator.client("s3").create_bucket(Bucket=bucket)
    emulator.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    with served.client() as client:
        result = ask(client, do="services", table=table, bucket=bucket, size=size)["result"]

    assert result == {
        "addresses": [
            f"https://dynamodb.{REGION}.amazonaws.com",
            "https://s3.amazonaws.com",
        ],
        "table": table,
        "length": size,
        "same": True,
    }


@behaviour(
    "A custom domain leads to the stage of its API mapping, and is the `domainName`", DOMAINS
)
def test_custom_domain(custom):
    with custom.client("chat.example.com", "/") as client:
        context = ask(client, path="")["event"]["requestContext"]

    assert context["domainName"] == "chat.example.com"
    assert context["stage"] == "dev"


@behaviour("With a custom domain the callback address has the mapping key for the stage", MAPPED)
def test_mapping_key(custom):
    with custom.client("all.example.com", "/chat/v1") as client:
        context = ask(client, path="/chat/v1")["event"]["requestContext"]

    assert context["domainName"] == "all.example.com"


@behaviour("The stage's name is no path of a custom domain: 403", NO_STAGE)
@pytest.mark.parametrize(
    ("host", "path"),
    [("chat.example.com", "/dev"), ("all.example.com", "/"), ("all.example.com", "/chat")],
)
def test_stage_of_a_custom_domain(custom, host, path):
    assert custom.refusal(host, path) == (403, "Forbidden")


@behaviour("A name that is no custom domain of the API: 403", CHOSEN)
def test_unknown_name(custom):
    with pytest.raises(HandshakeRefusedError) as caught:
        custom.client("other.example.com", "/", secure=False)

    assert caught.value.status == 403


@behaviour("`DisableExecuteApiEndpoint`: the API's own name is refused with 403", DISABLED)
def test_disabled_endpoint(start):
    served = start(domains=[("only.example.com", "")], disabled=True)

    assert served.refusal(served.api.names.endpoint, "/dev") == (403, "Forbidden")
    with served.client("only.example.com", "/") as client:
        assert ask(client, path="")["event"]["requestContext"]["stage"] == "dev"
    with served.client() as client:
        context = ask(client, path="")["event"]["requestContext"]
    assert context["domainName"] == "only.example.com"


@behaviour("A client may come through the address that functions are led to", CHOSEN)
def test_client_of_the_front(custom):
    port = custom.front.home.partition(":")[2]

    with custom.client("chat.example.com", "/", port=port) as client:
        context = ask(client, path="")["event"]["requestContext"]

    assert context["domainName"] == "chat.example.com"
