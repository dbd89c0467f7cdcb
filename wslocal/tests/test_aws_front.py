"""Who answers a request by the name that it asks for, on real sockets, with a server for an emulator."""

import asyncio
import http.client
import socket
import ssl
from types import SimpleNamespace

import pytest

from wslocal import aws_front
from wslocal.aws_front import AwsFront
from wslocal.certificates import Certificates
from wslocal.http1 import RequestReader, respond
from wslocal.loop import LoopThread

EXECUTE_API = "abcdefghij.execute-api.us-east-1.amazonaws.com"


class Emulator:
    """Keeps the requests that come, and answers each with what the test has put in."""

    def __init__(self):
        self.requests = []
        self.answer = respond(200, b'{"TableNames":[]}', [("X-Amzn-RequestId", "1")])

    async def __call__(self, reader, writer):
        parser = RequestReader(1 << 30, aws_front.AwsNames())
        while not (done := parser.feed(await reader.read(1 << 16))):
            pass
        self.requests += done
        writer.write(self.answer)
        writer.close()


class LambdaApi:
    """Answers Invoke, and nothing else."""

    async def answer(self, request):
        if request.path.endswith("/invocations"):
            return respond(200, b'"invoked"')
        return None


class Apigateway:
    """Has one custom domain, of another API."""

    meta = SimpleNamespace(region_name="us-east-1")

    def get_paginator(self, name):
        pages = [{"Items": [{"DomainName": "chat.example.com"}]}]
        return SimpleNamespace(paginate=lambda: pages)

    def get_api_mappings(self, **asked):
        if "NextToken" in asked:
            return {"Items": [{"ApiId": "other", "Stage": "dev", "ApiMappingKey": "v2"}]}
        return {"Items": [{"ApiId": "other", "Stage": "dev"}], "NextToken": "more"}


@pytest.fixture
def loop():
    with LoopThread() as loop:
        yield loop


@pytest.fixture
def emulator():
    return Emulator()


@pytest.fixture
def front(loop, emulator, tmp_path):
    server = loop.enter(loop.run(asyncio.start_server(emulator, "127.0.0.1", 0)))
    endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    functions = SimpleNamespace(client=lambda service: Apigateway(), endpoints={})
    front = AwsFront(functions, Certificates(tmp_path), endpoint, lambda_api=LambdaApi())
    return loop.enter(front)


def ask(front, host, path="/", method="POST", body=b"{}", **headers):
    """Return status, headers and body of an answer to a request with TLS."""
    context = ssl.create_default_context(cafile=front.certificates.ca_file)
    address, _, port = front.home.partition(":")
    connection = http.client.HTTPSConnection(host, context=context, timeout=20)
    raw = socket.create_connection((address, int(port)))
    connection.sock = context.wrap_socket(raw, server_hostname=host)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def test_variables_lead_functions_here(front, tmp_path):
    bundle, own = str(tmp_path / "ca-bundle.pem"), str(tmp_path / "ca.pem")
    assert front.functions.endpoints == {
        "AWS_CA_BUNDLE": bundle,
        "AWS_ENDPOINT_URL": front.url,
        "AWS_ENDPOINT_URL_LAMBDA": front.url,
        "NODE_EXTRA_CA_CERTS": own,
        "REQUESTS_CA_BUNDLE": bundle,
        "SSL_CERT_FILE": bundle,
        "WSLOCAL_HOME": front.home,
        "WSLOCAL_NAMES": ".amazonaws.com,.api.aws,chat.example.com",
    }


def test_service_is_the_emulators_with_the_request_as_it_came(front, emulator):
    headers = {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Authorization": "as signed"}

    status, answered, body = ask(front, "kms.us-east-1.amazonaws.com", "/a%20b?c=%2f", **headers)

    assert (status, body) == (200, b'{"TableNames":[]}')
    assert answered["X-Amzn-RequestId"] == "1"
    [request] = emulator.requests
    assert (request.method, request.target, request.body) == ("POST", "/a%20b?c=%2f", b"{}")
    assert request.header("Host") == "kms.us-east-1.amazonaws.com"
    assert {name: request.header(name) for name in headers} == headers


@pytest.mark.parametrize("host", ["lambda.us-east-1.amazonaws.com", "localhost"])
def test_lambda_answers_what_is_its_own(front, emulator, host):
    assert ask(front, host, "/2015-03-31/functions/f/invocations")[2] == b'"invoked"'
    assert ask(front, host, "/2015-03-31/functions/f")[2] == b'{"TableNames":[]}'
    assert [request.path for request in emulator.requests] == ["/2015-03-31/functions/f"]


@pytest.mark.parametrize("host", [EXECUTE_API, "chat.example.com"])
def test_api_that_is_not_served(front, emulator, host):
    """It does not get to the emulator, whose own API Gateway would answer."""
    assert ask(front, host, "/dev/@connections/x")[0] == 403
    assert emulator.requests == []


def test_store_is_reached_where_its_faults_begin(front, emulator, loop):
    relay = Emulator()
    server = loop.enter(loop.run(asyncio.start_server(relay, "127.0.0.1", 0)))
    port = server.sockets[0].getsockname()[1]
    front.functions.endpoints["AWS_ENDPOINT_URL_DYNAMODB"] = f"http://127.0.0.1:{port}"

    ask(front, "dynamodb.us-east-1.amazonaws.com")

    assert (len(relay.requests), emulator.requests) == (1, [])


@pytest.mark.parametrize(
    ("host", "status"), [("example.com", 403), ("amazonaws.com.example.com", 403), ("[::1]", 200)]
)
def test_other_hosts(front, host, status):
    connection = http.client.HTTPConnection(front.url.removeprefix("http://"), timeout=20)
    connection.request("GET", "/", headers={"Host": host})

    assert connection.getresponse().status == status
    connection.close()


def test_body_of_a_megabyte_with_an_expectation(front, emulator):
    """As botocore sends it to S3: it waits for a second for the answer to its head."""
    body = b"x" * (1 << 20)

    ask(front, "bucket.s3.us-east-1.amazonaws.com", "/key", "PUT", body, Expect="100-continue")

    [request] = emulator.requests
    assert request.body == body
    assert request.header("Expect") == ""


def test_body_in_chunks(front, emulator):
    ask(front, "s3.amazonaws.com", "/bucket/key", "PUT", iter([b"one ", b"two"]))

    [request] = emulator.requests
    assert (request.body, request.header("Content-Length")) == (b"one two", "7")


def test_body_that_is_too_large(front, emulator, monkeypatch):
    monkeypatch.setattr(aws_front, "MAX_BODY_BYTES", 1000)

    assert ask(front, "s3.amazonaws.com", "/bucket/key", "PUT", b"x" * 1001)[0] == 413
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("method", "answer", "length", "body"),
    [
        pytest.param("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "9", b"", id="head"),
        pytest.param("GET", b"HTTP/1.1 200 OK\r\n\r\nto the end", "10", b"to the end", id="end"),
        pytest.param("GET", b"HTTP/1.1 204 No Content\r\n\r\n", None, b"", id="no-content"),
        pytest.param(
            "GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            None,
            b"abc",
            id="chunks",
        ),
        pytest.param(
            "GET",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
            "1",
            b"x",
            id="close",
        ),
    ],
)
def test_answer_ends_where_the_emulator_says(front, emulator, method, answer, length, body):
    emulator.answer = answer

    _, headers, found = ask(front, "s3.amazonaws.com", "/bucket/key", method)

    assert (headers.get("Content-Length"), found) == (length, body)
    assert "Connection" not in headers


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_emulator_that_does_not_answer(front, emulator, answer):
    emulator.answer = answer

    status, _, body = ask(front, "s3.amazonaws.com")

    assert (status, body) == (502, b'{"message": "The emulator did not answer: OSError"}')


def test_answer_that_is_too_large(front, emulator, monkeypatch):
    monkeypatch.setattr("wslocal.forwarding.MAX_ANSWER_BYTES", 1000)
    emulator.answer = respond(200, b"x" * 1001)

    assert ask(front, "s3.amazonaws.com")[0] == 502


def test_websocket_of_an_api_that_is_not_served(front):
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }

    assert ask(front, EXECUTE_API, "/dev", "GET", None, **headers)[0] == 403


def test_custom_domain_that_is_new(front, loop):
    front.functions.endpoints["WSLOCAL_NAMES"] = "before"

    loop.run(front.read_again())

    assert front.functions.endpoints["WSLOCAL_NAMES"] == ".amazonaws.com,.api.aws,chat.example.com"
