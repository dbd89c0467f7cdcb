"""The layer's sender against the SDK that it stands for: same signatures, requests and outcomes."""

import datetime
import http.server
import json
import sys
import threading
from pathlib import Path

import boto3
import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_utils._signed_http import Client, Job, Run, SignedRequest
from shared_utils.connections import Connections
from shared_utils.error_codes import ApplicationError, ErrorCode, error_code_of

sys.path.insert(0, str(Path(__file__).parents[1] / "shared-layer" / "tests"))
from connections_server import ENVIRON, Server, answer, make_certificate

pytestmark = pytest.mark.slow

NOW = datetime.datetime(2026, 1, 31, 23, 59, 59, tzinfo=datetime.UTC)


# --- signatures -----------------------------------------------------------------------------------

names = st.text(st.characters(exclude_categories=["Cs", "C", "Z"]), min_size=1, max_size=40)
connection_ids = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{15}=", fullmatch=True),
    names.filter(lambda n: n not in (".", "..")),
)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/+="
access_keys = st.text(ALPHABET[:26], min_size=16, max_size=20)
secret_keys = st.text(ALPHABET[:-1], min_size=40, max_size=80)
tokens = st.none() | st.integers(1, 1300).map(lambda length: (ALPHABET * 20)[:length])
regions = st.sampled_from(
    ["eu-west-1", "us-east-1", "ap-southeast-2", "us-gov-west-1", "cn-north-1", "cn-northwest-1"]
)
segments = st.text("aZ09_.~$@-", min_size=1, max_size=9).filter(lambda s: s not in (".", ".."))
stages = st.lists(segments, max_size=3).map(lambda found: "".join(f"/{s}" for s in found))
bodies = st.text(st.characters(exclude_categories=["Cs"]), max_size=200).map(str.encode)


@st.composite
def endpoints(draw):
    region = draw(regions)
    suffix = ".cn" if region.startswith("cn-") else ""
    host = draw(
        st.sampled_from(
            [
                f"abc123.execute-api.{region}.amazonaws.com{suffix}",
                "ws.example.com",
                "WS.Example.COM",
            ]
        )
    )
    port = draw(st.sampled_from(["", ":443", ":8443"]))
    local = draw(st.sampled_from(["http://localhost:3001", "http://127.0.0.1", "http://[::1]:81"]))
    return region, draw(st.sampled_from([f"https://{host}{port}", local])) + draw(stages)


@settings(
    max_examples=settings.default.max_examples**2 // 25,  # 400; `make long` tries 3,600
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    place=endpoints(),
    method=st.sampled_from(["POST", "GET", "DELETE"]),
    connection_id=connection_ids,
    body=bodies,
    access_key=access_keys,
    secret_key=secret_keys,
    token=tokens,
)
def test_signature_is_the_one_of_botocore(
    place, method, connection_id, body, access_key, secret_key, token
):
    """What goes on the wire is signed again by botocore's signer."""
    region, endpoint = place
    environ = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
    environ |= {"AWS_SESSION_TOKEN": token} if token else {}
    sender = Connections(endpoint, region=region, environ=environ, clock=NOW.timestamp)
    body = body if method == "POST" else b""

    client = Client(sender._endpoint)
    run = Run(client, SignedRequest(method, body), [connection_id], 1.0, lambda job: None)
    head, _, sent_body = run._bytes_of(Job(connection_id)).partition(b"\r\n\r\n")
    run.selector.close()

    start, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert start.startswith(f"{method} ")
    assert sent_body == body
    scheme = endpoint.partition("//")[0]
    url = f"{scheme}//{headers['host']}{start.split(' ')[1]}"
    by_botocore = signed_by_botocore(method, url, body, (access_key, secret_key, token), region)
    assert headers["authorization"] == by_botocore["Authorization"]
    assert headers["x-amz-date"] == by_botocore["X-Amz-Date"] == "20260131T235959Z"
    assert headers.get("x-amz-security-token") == by_botocore.get("X-Amz-Security-Token")


def signed_by_botocore(method, url, body, keys, region):
    request = AWSRequest(method, url, data=body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: NOW)
        botocore.auth.SigV4Auth(Credentials(*keys), "execute-api", region).add_auth(request)
    return request.headers


# --- requests and outcomes ------------------------------------------------------------------------

INFO = {
    "connectedAt": "2026-01-30T12:00:00Z",
    "lastActiveAt": "2026-01-30T12:00:01Z",
    "identity": {"sourceIp": "192.0.2.1", "userAgent": "x"},
}
EXCEPTIONS = {
    400: "BadRequestException",
    403: "ForbiddenException",
    410: "GoneException",
    413: "PayloadTooLargeException",
    429: "LimitExceededException",
    500: "InternalServerError",
}


def scripts():
    """Return an id for every status, as it may look, and what is said to it."""
    refused = {
        f"{status}-Jo5h9cOaIAMCKHg=": [
            [answer(status, b'{"message":"no"}', f"x-amzn-ErrorType: {name}")]
        ]
        for status, name in EXCEPTIONS.items()
    }
    said = json.dumps(INFO).encode()
    return {**refused, "204/é=": [[answer(204)]], "200-_~.=": [[answer(200, said)]]}


@pytest.fixture(scope="module", params=["plain", "TLS"])
def three(request, tmp_path_factory):
    """A server, boto3's client to it and ours."""
    context, trusted = make_certificate(tmp_path_factory.mktemp("tls"), "localhost")
    with Server(scripts(), tls=context if request.param == "TLS" else None) as server:
        client = boto3.client(
            "apigatewaymanagementapi",
            endpoint_url=server.endpoint,
            region_name="eu-west-1",
            aws_access_key_id=ENVIRON["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=ENVIRON["AWS_SECRET_ACCESS_KEY"],
            verify=str(trusted),
            config=Config(retries={"total_max_attempts": 1}),
        )
        ours = Connections(
            server.endpoint, environ={**ENVIRON, "AWS_CA_BUNDLE": str(trusted)}, retries=0
        )
        yield server, client, ours
        client.close()
        ours.close_sockets()


def code_of(call, *args, **kwargs):
    """Return the code that an error of either sender means, None if there is none."""
    try:
        call(*args, **kwargs)
    except (ApplicationError, ClientError) as error:
        return error_code_of(error)
    return None


def last_two(server):
    """Return what matters of the last two requests."""
    return [(request.method, request.path, request.body) for request in server.requests[-2:]]


IDS = list(scripts())


@pytest.mark.parametrize("connection_id", IDS)
@pytest.mark.parametrize("data", [b"", b'{"type":"audio"}', "é".encode(), b"\x00\xff" * 4000])
def test_post_does_what_boto3_does(three, connection_id, data):
    server, client, ours = three

    expected = code_of(client.post_to_connection, ConnectionId=connection_id, Data=data)
    code = code_of(ours.send(connection_id, data).raise_unless_sent)

    assert code == expected
    first, second = last_two(server)
    assert first == second


@pytest.mark.parametrize("connection_id", IDS)
def test_delete_does_what_boto3_does(three, connection_id):
    server, client, ours = three

    expected = code_of(client.delete_connection, ConnectionId=connection_id)
    code = code_of(ours.close(connection_id).raise_unless_sent)

    assert code == expected
    first, second = last_two(server)
    assert first == second


@pytest.mark.parametrize("connection_id", [name for name in IDS if name[:3] not in ("204", "410")])
def test_get_does_what_boto3_does(three, connection_id):
    server, client, ours = three

    expected = code_of(client.get_connection, ConnectionId=connection_id)
    code = code_of(ours.get, connection_id)

    assert code == expected
    first, second = last_two(server)
    assert first == second


def test_get_finds_what_boto3_finds(three):
    _, client, ours = three

    by_boto3 = client.get_connection(ConnectionId="200-_~.=")
    by_us = ours.get("200-_~.=")

    assert by_us == INFO
    assert by_boto3["ConnectedAt"] == datetime.datetime.fromisoformat(by_us["connectedAt"])
    assert by_boto3["LastActiveAt"] == datetime.datetime.fromisoformat(by_us["lastActiveAt"])
    assert by_boto3["Identity"] == {"SourceIp": "192.0.2.1", "UserAgent": "x"}


def test_gone_is_none_where_boto3_raises(three):
    _, client, ours = three
    [gone] = [name for name in IDS if name.startswith("410")]

    assert ours.get(gone) is None
    assert code_of(client.get_connection, ConnectionId=gone) is ErrorCode.CONNECTION_CLOSED


# --- credentials through botocore -----------------------------------------------------------------


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """An environment without credentials, and without any machine's own."""
    monkeypatch.setattr("os.environ", {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)})
    return monkeypatch


def send_and_look():
    with Server() as server:
        sender = Connections(server.endpoint, region="eu-west-1", environ={})
        sender.send("a", "x")
        sender.close_sockets()
    [request] = server.requests
    return request.headers


def test_credentials_come_from_a_profile(elsewhere, tmp_path):
    (tmp_path / "credentials").write_text(
        "[stage]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = secret\n"
    )
    elsewhere.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    elsewhere.setenv("AWS_PROFILE", "stage")

    headers = send_and_look()

    assert "Credential=AKIDPROFILE/" in headers["authorization"]
    assert "x-amz-security-token" not in headers


class Container(http.server.BaseHTTPRequestHandler):
    """What Lambda gives to functions under SnapStart in place of variables."""

    def do_GET(self):
        body = {
            "AccessKeyId": "AKIDCONTAINER",
            "SecretAccessKey": "secret",
            "Token": self.headers["Authorization"],
            "Expiration": "2100-01-01T00:00:00Z",
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


def test_credentials_come_from_the_container(elsewhere):
    with http.server.HTTPServer(("127.0.0.1", 0), Container) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        elsewhere.setenv(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.server_port}/"
        )
        elsewhere.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "IQoJb3JpZ2lu")

        headers = send_and_look()
        server.shutdown()
        thread.join()

    assert "Credential=AKIDCONTAINER/" in headers["authorization"]
    assert headers["x-amz-security-token"] == "IQoJb3JpZ2lu"


def test_no_credentials_anywhere_are_a_configuration_error(elsewhere):
    with pytest.raises(ApplicationError) as caught:
        send_and_look()

    assert caught.value.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR


def test_half_a_pair_of_keys_is_a_configuration_error(elsewhere):
    elsewhere.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")

    with pytest.raises(ApplicationError) as caught:
        send_and_look()

    assert type(caught.value.__cause__).__name__ == "PartialCredentialsError"
