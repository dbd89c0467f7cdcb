"""AWS's own names, and others, lead to this machine: real TLS, real clients, code as it runs on AWS."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wslocal.lambda_host.interpreters import nodes
from wslocal.tests.started_functions import StartedFunctions
from wslocal.tests.tls_front import running_front

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
PYTHON = f"python3.{sys.version_info.minor}"
# The newest; the others show the same, in `make long`.
NODE = [
    pytest.param(f"nodejs{major}.x", marks=[pytest.mark.long] if major != max(nodes()) else [])
    for major in sorted(nodes())
]
API = "abc123.execute-api.us-east-1.amazonaws.com"


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    with running_front(tmp_path_factory.mktemp("ca")) as front:
        yield front


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def functions(tmp_path, cache):
    with StartedFunctions(tmp_path, cache) as functions:
        yield functions


CLIENTS = {
    "boto3": """
import boto3
def handler(event, context):
    client = boto3.client("apigatewaymanagementapi", endpoint_url=f"https://{event}/prod")
    client.post_to_connection(ConnectionId="a=", Data=b"hello")
""",
    "urllib": """
import urllib.request
def handler(event, context):
    urllib.request.urlopen(f"https://{event}/prod/@connections/a%3D", b"hello").read()
""",
    "http.client": """
import http.client
def handler(event, context):
    connection = http.client.HTTPSConnection(event)
    connection.request("POST", "/prod/@connections/a%3D", b"hello")
    connection.getresponse().read()
""",
    "asyncio": """
import asyncio, ssl
async def post(host):
    reader, writer = await asyncio.open_connection(host, 443, ssl=ssl.create_default_context())
    writer.write(f"POST /prod/@connections/a%3D HTTP/1.1\\r\\nHost: {host}\\r\\nContent-Length: 5\\r\\n\\r\\nhello".encode())
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.close()
def handler(event, context):
    asyncio.run(post(event))
""",
    "socket": """
import socket, ssl
def handler(event, context):
    with ssl.create_default_context().wrap_socket(socket.socket(), server_hostname=event) as s:
        s.connect((event, 443))
        s.sendall(f"POST /prod/@connections/a%3D HTTP/1.1\\r\\nHost: {event}\\r\\nContent-Length: 5\\r\\n\\r\\nhello".encode())
        s.recv(1000)
""",
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("host", [API, "chat.example.com"])
def test_python_client_gets_here(functions, front, client, host):
    files = {"app.py": CLIENTS[client]}

    result = functions.invoke(PYTHON, files, host, environ=front.environ)

    assert result.error is None
    assert front.seen.pop() == {
        "host": host,
        "name": host,
        "path": "/prod/@connections/a%3D",
        "body": "hello",
    }


NODE_CLIENTS = {
    "https": """
const https = require("https");
exports.handler = (host) => new Promise((done, failed) => {
  const options = {host, path: "/prod/@connections/a%3D", method: "POST"};
  https.request(options, (r) => r.on("data", () => {}).on("end", done)).on("error", failed).end("hello");
});
""",
    "agent": """
const https = require("https");
const agent = new https.Agent({keepAlive: true});
exports.handler = (host) => new Promise((done, failed) => {
  const options = {agent, method: "POST"};
  https.request(`https://${host}/prod/@connections/a%3D`, options, (r) => r.on("data", () => {}).on("end", done))
    .on("error", failed).end("hello");
});
""",
    "fetch": """
exports.handler = async (host) => {
  await (await fetch(`https://${host}/prod/@connections/a%3D`, {method: "POST", body: "hello"})).text();
};
""",
    "tls": """
const tls = require("tls");
exports.handler = (host) => new Promise((done, failed) => {
  const socket = tls.connect(443, host, {servername: host}, () => socket.write(
    `POST /prod/@connections/a%3D HTTP/1.1\\r\\nHost: ${host}\\r\\nContent-Length: 5\\r\\n\\r\\nhello`));
  socket.once("data", () => { socket.destroy(); done(); }).on("error", failed);
});
""",
    "net": """
const net = require("net"), tls = require("tls");
exports.handler = (host) => new Promise((done, failed) => {
  const plain = net.connect(443, host, () => {
    const socket = tls.connect({socket: plain, servername: host}, () => socket.write(
      `POST /prod/@connections/a%3D HTTP/1.1\\r\\nHost: ${host}\\r\\nContent-Length: 5\\r\\n\\r\\nhello`));
    socket.once("data", () => { socket.destroy(); done(); }).on("error", failed);
  }).on("error", failed);
});
""",
    "worker": """
const { Worker, isMainThread, workerData, parentPort } = require("worker_threads");
if (isMainThread) exports.handler = (host) => new Promise((done, failed) =>
  new Worker(__filename, {workerData: host}).on("message", done).on("error", failed));
else fetch(`https://${workerData}/prod/@connections/a%3D`, {method: "POST", body: "hello"})
  .then((r) => r.text()).then(() => parentPort.postMessage("done"));
""",
}


@pytest.mark.parametrize("client", NODE_CLIENTS)
@pytest.mark.parametrize("runtime", NODE)
def test_node_client_gets_here(functions, front, runtime, client):
    files = {"app.js": NODE_CLIENTS[client]}

    result = functions.invoke(runtime, files, API, environ=front.environ)

    assert result.error is None
    assert front.seen.pop() == {
        "host": API,
        "name": API,
        "path": "/prod/@connections/a%3D",
        "body": "hello",
    }


HTTP2 = """
const http2 = require("http2");
exports.handler = (host) => new Promise((done) => {
  const session = http2.connect(`https://${host}`);
  session.on("error", (error) => { session.destroy(); done(error.code); });
});
"""


@pytest.mark.parametrize("runtime", NODE)
def test_http2_of_node_gets_here(functions, front, runtime):
    """As far as TLS: the server of this test speaks HTTP/1.1, which it says there."""
    before = len(front.names)

    result = functions.invoke(runtime, {"app.js": HTTP2}, API, environ=front.environ)

    assert "HTTP2" in result.payload
    assert list(front.names.values())[before:] == [API]


LOOKS_UP = """
import json, socket, sys
socket.getaddrinfo = lambda host, port, *rest, **more: [str(host), port]
from wslocal.lambda_host.python_start import lead_home
lead_home("127.0.0.1:4", ".amazonaws.com,chat.example.com")
names = ["ABC.Amazonaws.COM", "abc.amazonaws.com.", "chat.example.com", b"chat.example.com"]
others = ["127.0.0.2", "localhost", "amazonaws.com.evil.example", "notchat.example.com", "a.chat.example.com", None]
print(json.dumps([[socket.getaddrinfo(name, 443) for name in given] for given in (names, others)]))
"""


def test_what_counts_as_such_a_name():
    """Upper case, a final dot, bytes are the same name; other names and addresses are looked up."""
    run = subprocess.run(
        [sys.executable, "-c", LOOKS_UP], cwd=ROOT, capture_output=True, text=True, check=True
    )

    names, others = json.loads(run.stdout)
    assert names == [["127.0.0.1", 4]] * 4
    assert {port for _, port in others} == {443}


def test_without_the_variable_nothing_is_led_anywhere(functions):
    source = "import socket\ndef handler(e, c): return socket.getaddrinfo.__module__"

    assert functions.invoke(PYTHON, {"app.py": source}).payload == "socket"


def test_certificate_is_still_checked(functions, front):
    """The name leads here, and TLS asks for it: a certificate of another name is refused."""
    environ = {**front.environ, "WSLOCAL_NAMES": "other.example.com"}
    files = {"app.py": CLIENTS["urllib"]}

    result = functions.invoke(PYTHON, files, "other.example.com", environ=environ)

    assert result.error.type == "URLError"
    assert "CERTIFICATE_VERIFY_FAILED" in result.error.message
