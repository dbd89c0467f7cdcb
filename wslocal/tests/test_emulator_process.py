"""Who gets an answer of the emulator: programs of this run, and nobody else on this machine."""

import json
import urllib.request
from urllib.error import HTTPError

import pytest

from wslocal.emulator import Emulator
from wslocal.emulator_process import refusal
from wslocal.tests.gateway_system import create_function, create_role

KNOWN = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261130/us-east-1/s3/aws4_request"
TEST = KNOWN.replace("AKIAEXAMPLE", "test")
ACCOUNT = KNOWN.replace("AKIAEXAMPLE", "000000000000")
NOT_SIGNED = "the request must be signed, by a key of this run"
NO_PAGE = "a page has no access"
NO_HOST = "Host must be this machine or a name of AWS"


def asked(path="/", query="", **headers):
    named = {"host": "127.0.0.1:4566", "authorization": KNOWN} | headers
    pairs = [
        (name.replace("_", "-").encode(), value.encode())
        for name, value in named.items()
        if value is not None
    ]
    return {"path": path, "query_string": query.encode(), "headers": pairs}


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param(asked(), id="signed"),
        pytest.param(asked(host="dynamodb.us-east-1.amazonaws.com"), id="name-of-aws"),
        pytest.param(asked(host="[::1]:1"), id="ipv6"),
        pytest.param(
            asked(query="X-Amz-Credential=AKIA1/20261130/us-east-1/s3", authorization=None),
            id="signed-address",
        ),
        pytest.param(asked("/_ministack/health", authorization=None), id="health"),
        pytest.param(asked("/_ministack/lambda-code/f", authorization=None), id="code"),
        pytest.param(asked("/pool/.well-known/jwks.json", authorization=None), id="keys"),
        pytest.param(
            asked(
                authorization=None, x_amz_target="AWSCognitoIdentityProviderService.InitiateAuth"
            ),
            id="sign-in",
        ),
        pytest.param(asked(sec_fetch_site="none"), id="typed-by-a-person"),
    ],
)
def test_answered(scope):
    assert refusal(scope) is None


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        pytest.param(asked(host="evil.example"), NO_HOST, id="rebinding"),
        pytest.param(asked(host="127.0.0.1.evil.example"), NO_HOST, id="longer-host"),
        pytest.param(asked(host="amazonaws.com.evil.example"), NO_HOST, id="name-in-front"),
        pytest.param(asked(host=None), NO_HOST, id="no-host"),
        pytest.param(asked(origin="https://evil.example"), NO_PAGE, id="page"),
        pytest.param(asked(origin="null"), NO_PAGE, id="sandboxed-page"),
        pytest.param(asked(sec_fetch_site="cross-site"), NO_PAGE, id="image-of-a-page"),
        pytest.param(asked(authorization=None), NOT_SIGNED, id="not-signed"),
        pytest.param(asked(authorization=TEST), NOT_SIGNED, id="key-of-anybody"),
        pytest.param(asked(authorization=ACCOUNT), NOT_SIGNED, id="key-of-an-account"),
        pytest.param(
            asked(query="X-Amz-Credential=test/20261130"), NOT_SIGNED, id="two-signatures"
        ),
        pytest.param(
            asked("/_ministack/reset"), "/_ministack/reset is not served here", id="reset"
        ),
        pytest.param(
            asked("/2015-03-31/functions/f/invocations"),
            "functions are not invoked here: use the endpoint of Lambda",
            id="invoke",
        ),
    ],
)
def test_refused(scope, reason):
    assert refusal(scope) == reason


@pytest.mark.slow
@pytest.mark.threat("local-run-page")
def test_running_emulator_answers_this_run_alone():
    with Emulator() as emulator:
        create_function(emulator, "f", "app.lifecycle", create_role(emulator, "r", verbs=[]))
        names = [
            one["FunctionName"] for one in emulator.client("lambda").list_functions()["Functions"]
        ]

        refused = [
            status(emulator, "/2015-03-31/functions", Authorization=TEST),
            status(emulator, "/_ministack/reset", method="POST"),
            status(emulator, "/_ministack/health", Origin="https://evil.example"),
            status(emulator, "/_ministack/health", Host="evil.example"),
        ]

    assert names == ["f"]
    assert refused == [(403, "AccessDeniedException")] * 4


def status(emulator, path, method="GET", **headers):
    request = urllib.request.Request(  # noqa: S310 - our own address
        emulator.endpoint + path, method=method, headers=headers
    )
    with pytest.raises(HTTPError) as caught:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
    with caught.value as answer:
        return answer.code, json.load(answer)["__type"]
