"""Signatures are botocore's; whatever was changed after signing is noticed."""

import time
from dataclasses import replace
from datetime import datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from wslocal.credentials import Issued
from wslocal.http1 import HttpRequest
from wslocal.sigv4 import Refused, verify

ISSUED = Issued("ASIAKEY", "secret", "token", "arn:role", "arn:session", time.time() + 86_400)


def find(access_key):
    return ISSUED if access_key == "ASIAKEY" else None


def signed(target="/dev/@connections/abc%3D", body=b"hello", service="execute-api", **headers):
    """Return a request that botocore has signed."""
    url = f"http://127.0.0.1:8000{target}"
    own = {"Host": "127.0.0.1:8000", **headers}
    request = AWSRequest("POST", url=url, headers=own, data=body)
    credentials = Credentials(ISSUED.access_key, ISSUED.secret_key, ISSUED.token)
    SigV4Auth(credentials, service, "us-east-1").add_auth(request)
    return HttpRequest("POST", target, tuple(request.headers.items()), body, is_upgrade=False)


def changed(request, name, value):
    rest = tuple(pair for pair in request.headers if pair[0] != name)
    return replace(request, headers=(*rest, (name, value)))


@pytest.mark.parametrize(
    "target",
    [
        "/dev/@connections/abc%3D",
        "/dev/%40connections/abc%3D",
        "/dev/@connections/a-b_c~d",
        "/dev/@connections/x?a=1&b=2",
    ],
)
def test_signature_of_botocore(target):
    assert verify(signed(target), find, time.time()) is ISSUED


def test_signature_for_another_service():
    request = signed("/2015-03-31/functions/a%3Ab/invocations", service="lambda")

    assert verify(request, find, time.time(), "lambda") is ISSUED
    with pytest.raises(Refused, match="correct service: 'execute-api'") as caught:
        verify(request, find, time.time())
    assert caught.value.kind == "InvalidSignatureException"


def test_header_with_spaces():
    assert verify(signed(**{"X-Own": "  a   b "}), find, time.time()) is ISSUED


def test_empty_body():
    assert verify(signed(body=b""), find, time.time()) is ISSUED


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        pytest.param(lambda r: replace(r, body=b"bye"), "InvalidSignature", id="body"),
        pytest.param(lambda r: replace(r, method="DELETE"), "InvalidSignature", id="method"),
        pytest.param(
            lambda r: replace(r, target="/dev/@connections/other%3D"), "InvalidSignature", id="path"
        ),
        pytest.param(
            lambda r: replace(r, target=f"{r.target}?a=1"), "InvalidSignature", id="query"
        ),
        pytest.param(lambda r: changed(r, "Host", "other"), "InvalidSignature", id="host"),
        pytest.param(
            lambda r: changed(r, "X-Amz-Date", "20200101T000000Z"), "InvalidSignature", id="date"
        ),
        pytest.param(lambda r: changed(r, "X-Amz-Date", "today"), "InvalidSignature", id="no-date"),
        pytest.param(
            lambda r: changed(r, "X-Amz-Security-Token", "é"), "UnrecognizedClient", id="token"
        ),
        pytest.param(lambda r: changed(r, "Authorization", "x"), "IncompleteSignature", id="none"),
        pytest.param(
            lambda r: changed(r, "Authorization", ""), "MissingAuthenticationToken", id="empty"
        ),
        pytest.param(
            lambda r: changed(r, "Authorization", r.header("Authorization").replace("=host;", "=")),
            "InvalidSignature",
            id="host-not-signed",
        ),
        pytest.param(
            lambda r: changed(
                r, "Authorization", r.header("Authorization").replace("ASIAKEY", "AKIAOTHER")
            ),
            "UnrecognizedClient",
            id="key",
        ),
    ],
)
def test_change_is_noticed(change, kind):
    with pytest.raises(Refused) as caught:
        verify(change(signed()), find, time.time())

    assert caught.value.kind == f"{kind}Exception"


@pytest.mark.parametrize("seconds", [-301, 301])
def test_clocks_five_minutes_apart(seconds):
    request = signed()
    moment = datetime.strptime(request.header("X-Amz-Date"), "%Y%m%dT%H%M%S%z").timestamp()

    assert verify(request, find, moment + seconds * 300 / 301) is ISSUED
    with pytest.raises(Refused, match="Signature expired"):
        verify(request, find, moment + seconds)


def test_credentials_that_have_ended():
    with pytest.raises(Refused) as caught:
        verify(signed(), find, ISSUED.expires_at)

    assert caught.value.kind == "ExpiredTokenException"
