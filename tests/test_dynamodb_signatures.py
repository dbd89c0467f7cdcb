"""DynamoDB's requests are signed as botocore signs them, headers included."""

from __future__ import annotations

import datetime
import json

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_utils._aws_endpoint import Endpoint, split_url
from shared_utils._signed_http import Client, Job, Run, SignedRequest

pytestmark = pytest.mark.slow

NOW = datetime.datetime(2026, 1, 31, 23, 59, 59, tzinfo=datetime.UTC)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/+="

access_keys = st.text(ALPHABET[:26], min_size=16, max_size=20)
secret_keys = st.text(ALPHABET[:-1], min_size=40, max_size=80)
tokens = st.none() | st.integers(1, 1300).map(lambda length: (ALPHABET * 20)[:length])
regions = st.sampled_from(["eu-west-1", "us-gov-west-1", "cn-north-1", "ap-southeast-5"])
urls = st.sampled_from(
    [
        "https://dynamodb.{}.amazonaws.com",
        "https://dynamodb-fips.{}.amazonaws.com",
        "https://123456789012.ddb.{}.amazonaws.com:443",
        "https://example.com:8443",
        "http://127.0.0.1:4566",
        "http://[::1]:4566",
    ]
)
operations = st.sampled_from(["GetItem", "PutItem", "TransactWriteItems", "Query"])
bodies = st.dictionaries(st.text(max_size=5), st.text(max_size=30), max_size=5).map(
    lambda request: json.dumps(request).encode(errors="replace")
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(urls, regions, operations, bodies, access_keys, secret_keys, tokens)
@pytest.mark.threat("read-on-the-way")
def test_signature_is_the_one_of_botocore(
    url, region, operation, body, access_key, secret_key, token
):
    """What goes on the wire is signed again by botocore's signer."""
    url = url.format(region)
    environ = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
    environ |= {"AWS_SESSION_TOKEN": token} if token else {}
    tls, host, port, _ = split_url(url, "a URL")
    endpoint = Endpoint(
        (tls, host, port, "/"), region, "dynamodb", environ=environ, clock=NOW.timestamp
    )
    named = {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": f"DynamoDB_20120810.{operation}",
    }

    request = SignedRequest("POST", body, headers=named)
    run = Run(Client(endpoint), request, [""], 1.0, lambda job: None)
    head, _, sent_body = run._bytes_of(Job("")).partition(b"\r\n\r\n")
    run.selector.close()

    start, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert start == "POST / HTTP/1.1"
    assert sent_body == body
    assert {name: headers[name] for name in named} == named
    by_botocore = signed_by_botocore(url, named, body, (access_key, secret_key, token), region)
    assert headers["authorization"] == by_botocore["Authorization"]
    assert headers["x-amz-date"] == by_botocore["X-Amz-Date"] == "20260131T235959Z"
    assert headers.get("x-amz-security-token") == by_botocore.get("X-Amz-Security-Token")


def signed_by_botocore(url, headers, body, keys, region):
    request = AWSRequest("POST", f"{url}/", data=body, headers=headers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: NOW)
        botocore.auth.SigV4Auth(Credentials(*keys), "dynamodb", region).add_auth(request)
    return request.headers
