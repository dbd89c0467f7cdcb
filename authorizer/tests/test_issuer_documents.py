"""What an issuer publishes, read over HTTP, and every way in which that may go wrong."""

import contextlib
import json
import socket
import threading

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from issuer_documents import KeysUnavailable, read_keys
from issuer_keys import IssuerKeys
from shared_utils.error_codes import ErrorCode
from tests.issuer import Answer, Issuer, SigningKey

DISCOVERY = "/.well-known/openid-configuration"


def json_answer(value, status=200):
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(value).encode())


def short_key():
    """Return the numbers of an RSA key of 1,024 bits, which is half of what is needed."""
    public = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 - that it is refused is the test
    return jwt.get_algorithm_by_name("RS256").to_jwk(public, as_dict=True)


def failure(url):
    with pytest.raises(KeysUnavailable) as failed:
        read_keys(url)
    return failed.value


@pytest.mark.parametrize(
    ("algorithm", "named", "allowed"),
    [
        ("RS256", True, ("RS256",)),
        ("RS256", False, ("RS256", "PS256")),
        ("PS256", True, ("PS256",)),
        ("ES256", False, ("ES256",)),
        ("ES384", False, ("ES384",)),
        ("EdDSA", False, ("EdDSA",)),
    ],
)
def test_key_may_sign_with_what_its_type_or_its_row_allows(issuer, algorithm, named, allowed):
    key = SigningKey(algorithm)
    row = key.jwk() if named else {**key.jwk(), "alg": None}
    issuer.answers["/jwks"] = json_answer({"keys": [row]})

    [read] = read_keys(issuer.url)

    assert (read.kid, read.algorithms) == (key.kid, allowed)


def test_issuers_name_may_end_with_a_slash(issuer):
    document = {"issuer": f"{issuer.url}/", "jwks_uri": f"{issuer.url}/jwks"}
    issuer.answers[DISCOVERY] = json_answer(document)

    assert [key.kid for key in read_keys(f"{issuer.url}/")] == [issuer.keys[0].kid]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"use": "enc"}, id="for-encryption"),
        pytest.param({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}, id="shared-secret"),
        pytest.param({"alg": "RS512"}, id="other-algorithm"),
        pytest.param({"alg": "ES256"}, id="algorithm-of-another-type"),
        pytest.param(short_key(), id="too-short"),
        pytest.param({"kty": "EC", "crv": "P-521"}, id="other-curve"),
        pytest.param({"n": None}, id="without-number"),
        pytest.param({"n": "!"}, id="no-number"),
        pytest.param({"kty": ["RSA"]}, id="no-type"),
    ],
)
def test_row_that_is_no_key_for_tokens_is_passed_over(issuer, row):
    good = issuer.keys[0].jwk()
    rows = [{**good, "kid": "bad", **row}, "no row", None, good]
    issuer.answers["/jwks"] = json_answer({"keys": rows})

    assert [key.kid for key in read_keys(issuer.url)] == [good["kid"]]


@pytest.mark.parametrize(
    ("path", "answer", "text"),
    [
        (DISCOVERY, Answer(404, {}), "status 404 at 127.0.0.1"),
        (DISCOVERY, Answer(200, {}, b"<html>"), "no JSON object at 127.0.0.1"),
        (DISCOVERY, Answer(200, {}, b"[1]"), "no JSON object at 127.0.0.1"),
        (DISCOVERY, Answer(200, {}, b"[" * 200_000), "no JSON object at 127.0.0.1"),
        (DISCOVERY, Answer(302, {"Location": "https://example.com/"}), "status 302 at 127.0.0.1"),
        ("/jwks", Answer(503, {}), "status 503 at 127.0.0.1"),
        ("/jwks", Answer(200, {}, b" " * 262_145), "the answer has more than 262144 bytes"),
        ("/jwks", json_answer({"keys": []}), "the key set has no key that may sign tokens"),
        ("/jwks", json_answer({"keys": "none"}), "the key set has no key that may sign tokens"),
        ("/jwks", json_answer({}), "the key set has no key that may sign tokens"),
    ],
    ids=range(10),
)
def test_answer_that_is_of_no_use_is_an_outage(issuer, path, answer, text):
    issuer.answers[path] = answer

    failed = failure(issuer.url)

    assert failed.code is ErrorCode.INTERNAL_SERVER_ERROR
    assert failed.message == f"The keys of SPEAKER_ISSUER cannot be read: {text}"


def test_answer_of_256_kb_is_read(issuer):
    body = json.dumps({"keys": [issuer.keys[0].jwk()]}).encode().ljust(262_144)
    issuer.answers["/jwks"] = Answer(200, {}, body)

    assert len(read_keys(issuer.url)) == 1


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"issuer": "https://login.example.com"}, "its document is another issuer's"),
        ({"issuer": None}, "its document is another issuer's"),
        ({"issuer": "http://127.0.0.1"}, "SPEAKER_ISSUER must be as the document has it"),
        ({"jwks_uri": "http://keys.example.com/"}, "jwks_uri must be https"),
        ({"jwks_uri": "file:///etc/hosts"}, "jwks_uri must be https"),
        ({"jwks_uri": None}, "jwks_uri must be https"),
    ],
    ids=range(6),
)
def test_document_that_does_not_fit_the_settings_is_a_wrong_setting(issuer, changes, text):
    document = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/jwks", **changes}
    issuer.answers[DISCOVERY] = json_answer(document)

    failed = failure(issuer.url)

    assert failed.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert text in failed.message


@pytest.mark.parametrize(("in_document", "in_settings"), [("", "/"), ("/", "")])
def test_slash_that_is_too_many_or_missing_is_named(issuer, in_document, in_settings):
    document = {"issuer": f"{issuer.url}{in_document}", "jwks_uri": f"{issuer.url}/jwks"}
    issuer.answers[DISCOVERY] = json_answer(document)

    failed = failure(f"{issuer.url}{in_settings}")

    assert failed.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert failed.message.endswith("as the document has it, and only the slash at the end differs")


def test_issuer_that_is_not_there_is_an_outage(issuer):
    issuer.stop()

    assert "ConnectionRefusedError at 127.0.0.1" in failure(issuer.url).message
    assert "ValueError at localhost" in failure("http://localhost:99999").message


@pytest.fixture
def slow():
    """Return the address of a server that sends a line of its headers from time to time."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                with contextlib.suppress(OSError):
                    while not ended.wait(0.05):
                        connection.sendall(b"X: 1\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        ended.set()
        thread.join()


def test_issuer_that_takes_its_time_is_not_waited_for(slow, monkeypatch):
    monkeypatch.setattr("issuer_documents._TIMEOUT_SECONDS", 0.3)

    assert "TimeoutError at 127.0.0.1" in failure(slow).message


@pytest.mark.threat("issuer-down")
def test_known_keys_serve_while_the_issuer_takes_its_time(issuer, slow, monkeypatch):
    monkeypatch.setattr("issuer_documents._TIMEOUT_SECONDS", 0.3)
    addresses, times, reported = iter([issuer.url, slow]), iter([0, 3601]), []
    keys = IssuerKeys(
        issuer.url,
        report=reported.append,
        read=lambda _: read_keys(next(addresses)),
        clock=lambda: next(times),
    )
    kid = issuer.keys[0].kid

    assert keys.find(kid, "RS256") is keys.find(kid, "RS256")
    assert ["TimeoutError at 127.0.0.1" in failed.message for failed in reported] == [True]


def test_no_proxy_is_asked(issuer, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    assert len(read_keys(issuer.url)) == 1


@pytest.mark.threat("read-on-the-way")
def test_certificate_is_checked(issuer):
    """Nothing that speaks plain HTTP, or has a certificate of its own, is an https issuer."""
    assert "SSLError at 127.0.0.1" in failure(issuer.url.replace("http:", "https:")).message


def test_several_keys_are_read():
    with Issuer(key=SigningKey("ES256")) as issuer:
        issuer.rotate("EdDSA")

        assert [key.kid for key in read_keys(issuer.url)] == [key.kid for key in issuer.keys]
