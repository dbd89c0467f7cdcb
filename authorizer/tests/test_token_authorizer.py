"""Who is let in, what is answered to others, and what is written about it."""

import json
import re
import time
from pathlib import Path

import pytest

from refusals import REASONS
from shared_utils.testing import capture_lines
from tests.issuer import Answer, SigningKey

ARN = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/test/$connect"
PLACES = [
    pytest.param(
        lambda token: {
            "headers": {"Sec-WebSocket-Protocol": f"websocket-audio.v1, bearer.{token}"}
        },
        id="sub-protocol",
    ),
    pytest.param(lambda token: {"query": {"access_token": token}}, id="query"),
    pytest.param(lambda token: {"headers": {"Authorization": f"Bearer {token}"}}, id="header"),
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.threat("ws-token")
def test_good_token_lets_its_subject_in_wherever_it_stands(issuer, gate, place):
    answer = gate.answer(**place(issuer.token()))

    assert answer == {
        "principalId": "speaker-1",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": ARN}],
        },
        "context": {"subject": "speaker-1", "scopes": "openid speak"},
    }


@pytest.mark.parametrize("place", PLACES)
def test_bad_token_is_refused_wherever_it_stands(issuer, gate, place):
    assert gate.reason(**place(issuer.token(aud="other"))) == "wrongAudience"


def test_client_without_a_token_is_let_in_without_a_subject(issuer, gate):
    answer = gate.answer()

    assert (answer["principalId"], "context" in answer) == ("anonymous", False)
    assert not issuer.requests


@pytest.mark.threat("crowd")
def test_client_without_a_token_is_refused_if_listeners_need_one(issuer, make_gate):
    gate = make_gate(issuer, listeners_need_token=True)

    assert gate.reason() == "missing"
    assert gate.answer(issuer.token(scope=None))["context"]["scopes"] == ""


def test_two_tokens_are_refused(issuer, gate):
    headers = {"Authorization": f"Bearer {issuer.token()}"}
    query = {"access_token": issuer.token(sub="other")}

    assert gate.reason(headers=headers, query=query) == "severalTokens"


def test_refusal_is_counted_by_code_as_every_failure_is_and_by_reason(issuer, gate):
    gate.reason(issuer.token(exp=1))
    gate.reason(issuer.token(aud="other"))

    written = [line for line in gate.lines if "_aws" in line]
    sets = [kind["Dimensions"] for line in written for kind in line["_aws"]["CloudWatchMetrics"]]
    assert gate.lines.metrics() == {"TokensRefused": [1, 1], "MessageFailures": [1, 1]}
    by_code, by_reason = [[], ["ActionType"], ["ErrorCode"]], [[], ["Reason"]]
    assert sorted(map(sorted, sets)) == [by_code, by_code, by_reason, by_reason]
    assert [line["Reason"] for line in written if "Reason" in line] == ["expired", "wrongAudience"]
    assert [(line["ActionType"], line["ErrorCode"]) for line in written if "ErrorCode" in line] == [
        ("authorize", "AUTH_TOKEN_EXPIRED"),
        ("authorize", "AUTH_TOKEN_INVALID"),
    ]


@pytest.mark.threat("log-authentication")
def test_refusals_line_has_reason_and_code(issuer, gate):
    gate.answer(issuer.token(exp=1))

    [line] = gate.lines.level("WARN")
    assert (line["message"], line["component"]) == ("Token refused", "Authorizer")
    assert (line["context"], line["errorCode"]) == (
        {"reason": "expired", "sourceIp": "198.51.100.7", "count": 1},
        "AUTH_TOKEN_EXPIRED",
    )


@pytest.mark.threat("refused-flood", "log-flood")
def test_flood_of_refused_tokens_is_one_line_a_minute_and_is_counted(issuer, gate):
    expired = issuer.token(exp=1)
    gate.answer(issuer.token())
    for _ in range(800):
        assert repr(gate.answer(expired)) == "Unauthorized('Unauthorized')"
    gate.now += 60
    gate.answer(expired)

    first, second = gate.lines.level("WARN")
    assert [line["context"]["count"] for line in (first, second)] == [1, 800]
    with capture_lines(gate.lines):
        gate.windowed_metrics.flush()
    assert sum(gate.lines.metrics()["TokensRefused"]) == 801
    assert sum(gate.lines.metrics()["MessageFailures"]) == 801
    # Their metrics share documents, of 150 refusals or of ten seconds.
    assert len(gate.lines) < 25


def test_another_reason_and_another_address_have_a_line_of_their_own(issuer, gate):
    for source_ip in ("198.51.100.7", "198.51.100.8", "2001:db8::1", "2001:db8::2"):
        gate.answer(issuer.token(exp=1), source_ip=source_ip)
        gate.answer(issuer.token(aud="other"), source_ip=source_ip)

    lines = [line["context"] for line in gate.lines.level("WARN")]
    assert [(line["sourceIp"], line["reason"]) for line in lines] == [
        ("198.51.100.7", "expired"),
        ("198.51.100.7", "wrongAudience"),
        ("198.51.100.8", "expired"),
        ("198.51.100.8", "wrongAudience"),
        ("2001:db8::/64", "expired"),
        ("2001:db8::/64", "wrongAudience"),
    ]


@pytest.mark.threat("refused-flood")
def test_flood_while_the_issuer_is_down_is_one_error_a_minute_and_is_counted(issuer, gate):
    issuer.stop()
    for _ in range(100):
        assert repr(gate.answer("junk")) == "AuthorizerFailed('INTERNAL_SERVER_ERROR')"

    assert [line["context"]["count"] for line in gate.lines.level("ERROR")] == [1]
    with capture_lines(gate.lines):
        gate.windowed_metrics.flush()
    assert sum(gate.lines.metrics()["MessageFailures"]) == 100


def test_new_key_is_read_when_it_signs(issuer, gate):
    gate.answer(issuer.token())
    issuer.rotate("ES256")
    gate.now += 31

    assert gate.answer(issuer.token())["principalId"] == "speaker-1"
    assert issuer.requests["/jwks"] == 2


def test_unknown_key_asks_the_issuer_again_only_once(issuer, gate):
    gate.answer(issuer.token())
    gate.now += 31
    tokens = [issuer.token(key=SigningKey("ES256")) for _ in range(5)]

    assert {gate.reason(token) for token in tokens} == {"unknownKey"}
    assert issuer.requests["/jwks"] == 2


def test_known_keys_serve_while_the_issuer_is_down_and_an_unknown_one_is_not_judged(issuer, gate):
    known = issuer.token(exp=int(time.time()) + 90_000)
    gate.answer(known)
    unknown = issuer.rotate("ES256")
    issuer.stop()
    gate.now += 3601

    assert gate.answer(known)["principalId"] == "speaker-1"
    [warning] = gate.lines.level("WARN")
    assert warning["message"] == "The known keys serve"
    assert warning["context"]["reason"] == "keysUnavailable"
    refused = gate.answer(issuer.token(key=unknown))
    assert repr(refused) == "AuthorizerFailed('INTERNAL_SERVER_ERROR')"
    [error] = gate.lines.level("ERROR")
    assert error["errorCode"] == "INTERNAL_SERVER_ERROR"
    assert "ConnectionRefusedError at 127.0.0.1" in error["error"]["message"]
    gate.now += 24 * 3600
    assert repr(gate.answer(known)) == "AuthorizerFailed('INTERNAL_SERVER_ERROR')"


def test_issuer_that_is_back_is_asked(issuer, gate):
    issuer.stop()
    assert repr(gate.answer(issuer.token())) == "AuthorizerFailed('INTERNAL_SERVER_ERROR')"
    issuer.start()

    assert repr(gate.answer(issuer.token())) == "AuthorizerFailed('INTERNAL_SERVER_ERROR')"
    gate.now += 11
    assert gate.answer(issuer.token())["principalId"] == "speaker-1"


def test_document_of_another_issuer_is_a_wrong_setting(issuer, gate):
    body = json.dumps({"issuer": "https://login.example.com", "jwks_uri": f"{issuer.url}/jwks"})
    issuer.answers["/.well-known/openid-configuration"] = Answer(200, {}, body.encode())

    failed = gate.answer(issuer.token())

    assert repr(failed) == "AuthorizerFailed('INTERNAL_CONFIGURATION_ERROR')"
    assert gate.lines.metrics() == {"MessageFailures": [1]}


def tokens_of_all_kinds(issuer):
    """Return a token that the issuer made for us, one that is another issuer's, and junk."""
    return [issuer.token(), issuer.token(iss="https://login.example.com"), "junk"]


@pytest.mark.threat("wrong-setting")
def test_slash_too_many_in_the_issuers_name_is_a_wrong_setting_whatever_token_comes(
    issuer, make_gate
):
    """The `iss` of a good token differs from the settings then: to compare it alone would be a 401."""
    gate = make_gate(issuer, issuer_url=f"{issuer.url}/")

    answers = [gate.answer(token) for token in tokens_of_all_kinds(issuer)]

    assert set(map(repr, answers)) == {"AuthorizerFailed('INTERNAL_CONFIGURATION_ERROR')"}
    [line, *_] = gate.lines.level("ERROR")
    assert line["errorCode"] == "INTERNAL_CONFIGURATION_ERROR"
    assert line["error"]["message"].endswith("only the slash at the end differs")
    assert issuer.requests == {"/.well-known/openid-configuration": 1}


@pytest.mark.threat("issuer-flood")
def test_junk_before_the_issuer_was_read_asks_it_once_in_10_seconds(issuer, gate):
    issuer.answers["/jwks"] = Answer(503, {})

    for _ in range(24):
        assert repr(gate.answer("junk")) == "AuthorizerFailed('INTERNAL_SERVER_ERROR')"
        gate.now += 1

    assert issuer.requests["/jwks"] == 3
    del issuer.answers["/jwks"]
    gate.now += 10
    assert {gate.reason(f"junk-{n}") for n in range(9)} == {"malformed"}
    assert issuer.requests["/jwks"] == 4


@pytest.mark.parametrize("event", [{}, {"methodArn": ARN, "headers": "none"}], ids=["empty", "odd"])
def test_event_that_is_none_of_api_gateways_is_an_error_that_says_nothing(issuer, make_gate, event):
    gate = make_gate(issuer)

    with_event = gate._authorizer.answer(event)

    assert repr(with_event) == "AuthorizerFailed('INTERNAL_SERVER_ERROR')"


def planted(issuer):
    """Return tokens with something secret in every part, good ones and bad ones."""
    secret = "planted-3f9a1c"
    claims = {"sub": f"{secret}-sub", "aud": [issuer.audience, f"{secret}-aud"]}
    more = {"email": f"{secret}@example.com", "jti": f"{secret}-jti"}
    good = issuer.token(**claims, **more)
    bad_claims = [
        {"aud": f"{secret}-aud"},
        {"iss": f"https://{secret}.example.com"},
        {"exp": 1},
        {"exp": secret},
        {"nbf": 99_999_999_999},
        {"scope": f'"{secret}"'},
        {"sub": f"{secret}\n"},
        {"token_use": secret},
        {"scope": None, "nonce": secret},
    ]
    bad = [issuer.token(**{**claims, **more, **changes}) for changes in bad_claims]
    bad += [issuer.token(algorithm=name, **more) for name in ("none", "HS256")]
    headers = [{"kid": secret}, {"alg": secret}, {"typ": secret}, {"jku": f"https://{secret}/"}]
    bad += [issuer.token(algorithm="HS256", header=header, **more) for header in headers]
    bad += [secret, f"{good}x", f"{good}.{secret}", good[:-8] + "AAAAAAAA"]
    return secret, good, bad


@pytest.mark.threat("secret-in-log")
def test_nothing_of_a_token_a_claim_or_a_key_is_written(issuer, gate, capsys):
    secret, good, bad = planted(issuer)

    assert gate.answer(good)["principalId"] == f"{secret}-sub"
    answers = [gate.answer(token) for token in bad]
    issuer.stop()
    gate.now += 99_999
    answers.append(gate.answer(good))

    assert {type(answer).__name__ for answer in answers} == {"Unauthorized", "AuthorizerFailed"}
    written = gate.text + "".join(capsys.readouterr()) + "".join(map(str, answers))
    parts = [part for token in (good, *bad) for part in token.split(".") if len(part) > 3]
    modulus = issuer.keys[0].jwk()["n"]
    assert [text for text in (secret, modulus, *parts) if text in written] == []


def test_every_reason_is_one_that_the_tests_have_seen(issuer, make_gate):
    """Each in its simplest form, so that none of the closed set is there in vain."""
    gate = make_gate(issuer, listeners_need_token=True)
    other = SigningKey("ES256")
    forged = SigningKey()
    forged.kid = issuer.keys[0].kid
    query = {"access_token": "a"}

    found = {
        gate.reason(),
        gate.reason(headers={"Authorization": "Bearer b"}, query=query),
        gate.reason("a" * 9000),
        gate.reason("a"),
        gate.reason(issuer.token(algorithm="none")),
        gate.reason(issuer.token(key=other)),
        gate.reason(issuer.token(key=forged)),
        gate.reason(issuer.token(iss="https://login.example.com")),
        gate.reason(issuer.token(aud="other")),
        gate.reason(issuer.token(exp=1)),
        gate.reason(issuer.token(nbf=99_999_999_999)),
        gate.reason(issuer.token(scope=None, nonce="n")),
        gate.reason(issuer.token(token_use="refresh")),
    }

    assert found == set(REASONS)


def test_readme_names_every_reason():
    text = (Path(__file__).parent.parent / "README.md").read_text()
    listed = text.partition("The reasons: ")[2].partition("\n\n")[0]

    assert re.findall(r"`(\w+)`", listed) == list(REASONS)
