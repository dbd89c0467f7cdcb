"""The issuer of the tests does what an issuer does, and refuses what one refuses."""

import base64
import hashlib
import json
import urllib.error
import urllib.request
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest

from tests.issuer import Answer, Issuer

VERIFIER = "a-verifier-of-at-least-forty-three-characters"
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)
PAGE = "http://127.0.0.1:5000/"
ASKED = {
    "response_type": "code",
    "client_id": "speakers-page",
    "redirect_uri": PAGE,
    "scope": "openid speak",
    "state": "the-state",
    "nonce": "the-nonce",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def ask(url, form=None, origin=None, method=None):
    """Return status, headers and body; a redirect is not followed."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)
    data = urlencode(form).encode() if form is not None else None
    headers = {"Origin": origin} if origin else {}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - loopback
    try:
        with opener.open(request, timeout=5) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


@pytest.fixture
def issuer():
    with Issuer() as issuer:
        yield issuer


def authorize(issuer, **changes):
    asked = {name: value for name, value in (ASKED | changes).items() if value}
    status, headers, _ = ask(f"{issuer.url}/authorize?{urlencode(asked)}")
    return status, dict(parse_qsl(urlsplit(headers.get("Location", "")).query))


def redeem(issuer, code, /, **changes):
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": PAGE,
        "client_id": "speakers-page",
        "code_verifier": VERIFIER,
    }
    status, _, body = ask(f"{issuer.url}/token", form | changes)
    return status, json.loads(body)


def read(issuer, token, audience):
    """Return a token's claims, checked with the issuer's published keys."""
    url = json.loads(ask(f"{issuer.url}/.well-known/openid-configuration")[2])["jwks_uri"]
    keys = jwt.PyJWKSet.from_dict(json.loads(ask(url)[2]))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, ["RS256"], audience=audience, issuer=issuer.url)


def test_code_is_redeemed_for_tokens_once(issuer):
    status, answer = authorize(issuer)

    assert (status, answer["state"]) == (302, "the-state")
    status, tokens = redeem(issuer, answer["code"])
    assert (status, tokens["token_type"], tokens["expires_in"]) == (200, "Bearer", 300)
    claims = read(issuer, tokens["access_token"], "websocket-audio")
    assert (claims["sub"], claims["scope"]) == ("speaker-1", "openid speak")
    assert read(issuer, tokens["id_token"], "speakers-page")["nonce"] == "the-nonce"
    assert redeem(issuer, answer["code"]) == (400, {"error": "invalid_grant"})


def test_refresh_token_is_for_one_use(issuer):
    _, tokens = redeem(issuer, authorize(issuer)[1]["code"])
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    form["client_id"] = "speakers-page"

    first, second = (ask(f"{issuer.url}/token", form) for _ in range(2))

    assert (first[0], second[0]) == (200, 400)
    assert json.loads(first[2])["refresh_token"] != tokens["refresh_token"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"code_verifier": "another"}, id="verifier"),
        pytest.param({"redirect_uri": PAGE + "other"}, id="redirect"),
        pytest.param({"client_id": "other"}, id="client"),
        pytest.param({"code": "other"}, id="code"),
    ],
)
def test_code_is_not_redeemed_by_another(issuer, changes):
    code = authorize(issuer)[1]["code"]

    assert redeem(issuer, code, **changes) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        pytest.param({"client_id": "other"}, 400, None, id="client"),
        pytest.param({"redirect_uri": "https://example.com/"}, 400, None, id="redirect"),
        pytest.param({"code_challenge": ""}, 302, "invalid_request", id="no-challenge"),
        pytest.param({"code_challenge_method": "plain"}, 302, "invalid_request", id="plain"),
    ],
)
def test_unsound_request_gets_no_code(issuer, changes, status, error):
    answered, answer = authorize(issuer, **changes)

    assert (answered, answer.get("error")) == (status, error)
    assert "code" not in answer


def test_redirect_is_one_of_those_that_are_registered(issuer):
    issuer.redirect_uris = {PAGE}

    assert authorize(issuer)[0] == 302
    assert authorize(issuer, redirect_uri=PAGE + "other")[0] == 400


def test_error_is_answered_to_the_page(issuer):
    issuer.error = "access_denied"

    assert authorize(issuer) == (302, {"error": "access_denied", "state": "the-state"})


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("https://example.com", None),
    ],
)
def test_only_pages_on_loopback_may_read_answers(issuer, origin, allowed):
    before = ask(f"{issuer.url}/token", origin=origin, method="OPTIONS")
    answer = ask(f"{issuer.url}/jwks", origin=origin)

    assert before[0] == 204
    for _, headers, _ in (before, answer):
        assert headers["Access-Control-Allow-Origin"] == allowed


def test_cognito_names_its_client_and_the_use_of_a_token():
    with Issuer(cognito=True) as issuer:
        claims = jwt.decode(issuer.token(), options={"verify_signature": False})

    assert "aud" not in claims
    assert (claims["client_id"], claims["token_use"]) == ("speakers-page", "access")


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
def test_new_key_signs_and_is_published(issuer, algorithm):
    key = issuer.rotate(algorithm)

    token = issuer.token()
    keys = jwt.PyJWKSet.from_dict(json.loads(ask(f"{issuer.url}/jwks")[2]))
    assert len(keys.keys) == 2
    claims = jwt.decode(token, keys[key.kid], [algorithm], audience="websocket-audio")
    assert claims["sub"] == "speaker-1"


def test_issuer_is_stopped_and_started_on_its_port_and_counts(issuer):
    url = f"{issuer.url}/jwks"
    ask(url)
    issuer.stop()
    with pytest.raises(urllib.error.URLError):
        ask(url)
    issuer.start()
    issuer.answers["/jwks"] = Answer(503, {})

    assert ask(url)[0] == 503
    assert issuer.requests["/jwks"] == 2
