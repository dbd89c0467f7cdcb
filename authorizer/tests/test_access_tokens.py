"""Every kind of token against a real issuer: discovery and keys come over HTTP."""

import time

import jwt
import pytest

from tests.issuer import Issuer, SigningKey

ALLOWED = {"subject": "speaker-1", "scopes": "openid speak"}
SKEW = 60


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({}, id="text"),
        pytest.param({"aud": ["other", "websocket-audio"]}, id="list"),
        pytest.param(
            {"aud": None, "client_id": "websocket-audio"}, id="client-id-without-audience"
        ),
        pytest.param({"nonce": "n", "at_hash": "h"}, id="claims-of-a-login-with-a-scope"),
        pytest.param({"sub": "speaker-1", "jti": "1"}, id="more-claims"),
        pytest.param({"iat": None}, id="without-time-of-issue"),
        pytest.param({"scope": None, "scp": ["openid", "speak"]}, id="list-of-scopes"),
        pytest.param({"scope": None, "scp": "openid speak"}, id="scopes-as-text"),
        pytest.param({"scope": "openid speak openid"}, id="scope-twice"),
    ],
)
def test_access_token_is_taken(issuer, gate, claims):
    assert gate.answer(issuer.token(**claims))["context"] == ALLOWED
    assert gate.lines.level("WARN") == []


def test_cognitos_access_token_is_taken_by_its_client(make_gate):
    with Issuer(cognito=True, audience="speakers-page") as issuer:
        gate = make_gate(issuer)

        assert gate.answer(issuer.token())["context"] == ALLOWED
        assert gate.reason(issuer.token(client_id="other")) == "wrongAudience"
        assert gate.reason(issuer.id_token()) == "idToken"


@pytest.mark.parametrize("header", [{"typ": None}, {"typ": "JWT"}, {"typ": "application/at+jwt"}])
def test_access_token_may_say_so_in_its_header_or_not(issuer, gate, header):
    assert gate.answer(issuer.token(header=header))["context"] == ALLOWED


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
def test_algorithm_is_one_that_the_keys_type_allows(issuer, gate, algorithm):
    issuer.keys = [SigningKey(algorithm)]

    assert gate.answer(issuer.token())["context"] == ALLOWED


@pytest.mark.parametrize(
    ("reason", "claims"),
    [
        ("wrongAudience", {"aud": "other"}),
        ("wrongAudience", {"aud": ["other"]}),
        ("wrongAudience", {"aud": "websocket-audio-2"}),
        ("wrongAudience", {"aud": []}),
        ("wrongAudience", {"aud": ""}),
        ("wrongAudience", {"aud": {"websocket-audio": 1}}),
        ("wrongAudience", {"aud": "other", "client_id": "websocket-audio"}),
        ("wrongAudience", {"aud": None}),
        ("wrongAudience", {"aud": None, "client_id": None}),
        ("wrongIssuer", {"iss": "https://login.example.com"}),
        ("wrongIssuer", {"iss": None}),
        ("wrongAudience", {"aud": None, "client_id": ["websocket-audio"]}),
        ("idToken", {"token_use": "id"}),
        ("idToken", {"typ": "ID"}),
        ("idToken", {"scope": None, "nonce": "n"}),
        ("idToken", {"scope": None, "at_hash": "h"}),
        ("idToken", {"scope": None, "c_hash": "h"}),
        ("notAccessToken", {"token_use": "refresh"}),
        ("notAccessToken", {"token_use": ["access"]}),
        ("malformed", {"exp": None}),
        ("malformed", {"exp": "soon"}),
        ("malformed", {"exp": float("nan")}),
        ("malformed", {"nbf": []}),
        ("malformed", {"sub": None}),
        ("malformed", {"sub": 7}),
        ("malformed", {"sub": ""}),
        ("malformed", {"sub": "a\nb"}),
        ("malformed", {"sub": "\ud800"}),
        ("malformed", {"sub": "s" * 256}),
        ("malformed", {"scope": 7}),
        ("malformed", {"scope": {"speak": 1}}),
        ("malformed", {"scope": ["speak", 7]}),
        ("malformed", {"scope": ["speak listen"]}),
        ("malformed", {"scope": 'speak "all"'}),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value)[:60],
)
@pytest.mark.threat("forged-token", "stolen-access-token", "ws-test-authentication")
def test_token_with_other_claims_is_refused(issuer, gate, reason, claims):
    assert gate.reason(issuer.token(**claims)) == reason


def test_issuer_that_is_no_text_is_another_issuer(issuer, gate):
    token = issuer.token(algorithm="HS256", header={"alg": "RS256"}, iss=[issuer.url])

    assert gate.reason(token) == "wrongIssuer"


@pytest.mark.parametrize(
    ("claim", "seconds", "reason"),
    [
        ("exp", -SKEW + 5, None),
        ("exp", -SKEW - 1, "expired"),
        ("nbf", SKEW - 1, None),
        ("nbf", SKEW + 5, "notYetValid"),
        ("iat", SKEW - 1, None),
        ("iat", SKEW + 5, "notYetValid"),
    ],
)
def test_clocks_may_differ_by_a_minute(issuer, gate, claim, seconds, reason):
    token = issuer.token(**{claim: int(time.time()) + seconds})

    assert (gate.reason(token) if reason else gate.answer(token).get("reason")) == reason


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("99999999999", id="text"),
        pytest.param("", id="empty-text"),
        pytest.param(True, id="true"),
        pytest.param(False, id="false"),
        pytest.param(float("nan"), id="nan"),
        pytest.param(float("inf"), id="infinity"),
        pytest.param(-1, id="negative"),
        pytest.param(-0.5, id="negative-fraction"),
        pytest.param([1], id="list"),
        pytest.param({}, id="object"),
        pytest.param(253_402_300_800, id="year-10000"),
        pytest.param(1_800_000_000_000, id="milliseconds"),
        pytest.param(10**400, id="400-digits"),
    ],
)
@pytest.mark.threat("forged-token")
def test_time_that_is_no_number_of_seconds_is_malformed(issuer, gate, claim, value):
    assert gate.reason(issuer.token(**{claim: value})) == "malformed"


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["null", "1e400", "1" * 5000])
def test_time_as_an_issuer_may_spell_it_is_malformed(issuer, gate, claim, value):
    """What `json.dumps` does not write stands in the token as it is here."""
    claims = '{"iss": "%s", "sub": "s", "aud": "%s", "exp": 1, "iat": 1, "nbf": 1}'
    times = (claims % (issuer.url, issuer.audience)).replace(f'"{claim}": 1', f'"{claim}": {value}')
    key = issuer.keys[0]

    token = jwt.api_jws.encode(times.encode(), key.private, "RS256", headers={"kid": key.kid})

    assert gate.reason(token) == "malformed"


@pytest.mark.parametrize(
    "claims", [{"exp": 253_402_300_799}, {"exp": 9e10 + 0.5}, {"nbf": 0, "iat": 0.0}], ids=str
)
def test_times_may_be_far_away_and_have_a_fraction(issuer, gate, claims):
    assert gate.answer(issuer.token(**claims))["context"] == ALLOWED


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
@pytest.mark.threat("forged-token")
def test_algorithm_without_a_secret_of_the_issuers_is_refused_and_asks_nobody(
    issuer, gate, algorithm
):
    """HS256 is signed with the public key's PEM, which anybody has."""
    gate.answer(issuer.token())
    gate.now += 31

    assert gate.reason(issuer.token(algorithm=algorithm)) == "algorithm"
    assert issuer.requests["/jwks"] == 1


@pytest.mark.parametrize("algorithm", ["RS512", "PS384", "ES512", "HS384", "", None, ["RS256"], {}])
def test_algorithm_that_is_not_on_the_list_is_refused(issuer, gate, algorithm):
    token = issuer.token(algorithm="HS256", header={"alg": algorithm})

    assert gate.reason(token) == "algorithm"


def test_algorithm_of_another_type_of_key_is_refused(issuer, gate):
    """A row of the key set that names its algorithm allows no other, of the same type either."""
    key = issuer.keys[0]

    assert gate.reason(issuer.token(algorithm="PS256")) == "algorithm"
    elliptic = SigningKey("ES256")
    elliptic.kid = key.kid
    assert gate.reason(issuer.token(key=elliptic)) == "algorithm"


@pytest.mark.threat("forged-token")
def test_signature_of_another_key_is_refused(issuer, gate):
    other = SigningKey()
    other.kid = issuer.keys[0].kid

    assert gate.reason(issuer.token(key=other)) == "signature"


@pytest.mark.threat("forged-token")
def test_changed_token_is_refused(issuer, gate):
    head, _, signature = issuer.token().split(".")
    payload = issuer.token(sub="somebody-else").split(".")[1]

    assert gate.reason(f"{head}.{payload}.{signature}") == "signature"


@pytest.mark.parametrize("kid", [7, "", ["a"], {}])
def test_key_id_that_is_none_of_the_issuers_is_refused(issuer, gate, kid):
    wanted = "unknownKey" if isinstance(kid, str) else "malformed"
    token = issuer.token(algorithm="HS256", header={"alg": "RS256", "kid": kid})

    assert gate.reason(token) == wanted


def test_token_that_names_no_key_may_have_the_only_one_that_fits(issuer, gate):
    assert gate.answer(issuer.token(header={"kid": None}))["context"] == ALLOWED

    issuer.rotate()
    gate.now += 3601
    assert gate.reason(issuer.token(header={"kid": None})) == "unknownKey"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("token", id="word"),
        pytest.param("a.b", id="two-parts"),
        pytest.param("a.b.c", id="no-json"),
        pytest.param("a.b.c.d.e", id="encrypted"),
        pytest.param("eyJhbGciOiJSUzI1NiJ9.W10.c2ln", id="claims-in-a-list"),
        pytest.param("W10.e30.c2ln", id="header-in-a-list"),
        pytest.param("eyJhbGciOiJSUzI1NiJ9.e30.c2ln\n", id="trailing-newline"),
        pytest.param("eyJhbGciOiJSUzI1NiJ9.e30.\u00e9", id="other-alphabet"),
        pytest.param("eyJhbGciOiJSUzI1NiJ9.\ud800.c2ln", id="lone-surrogate"),
        pytest.param("eyJhbGciOiJSUzI1NiJ9." + "W1tb" * 1900 + ".c2ln", id="deeply-nested"),
        pytest.param("a" * 8192, id="longest"),
    ],
)
def test_what_is_no_token_is_malformed_and_asks_nobody(gate, issuer, token):
    gate.answer(issuer.token())
    gate.now += 31

    assert gate.reason(token) == "malformed"
    assert issuer.requests["/jwks"] == 1


def test_token_beyond_8192_characters_is_not_looked_at(gate, issuer):
    assert gate.reason("a" * 8193) == "tooLong"
    assert gate.reason(issuer.token(more="x" * 8192)) == "tooLong"
    assert gate.answer(issuer.token(more="x" * 5000))["context"] == ALLOWED
