"""An OpenID Connect issuer on loopback for tests: discovery, keys, authorization code with PKCE, tokens.

What it checks it checks for real, and nobody has to log in: `/authorize` answers at once. Tests that need
a token and no page get any token, good or bad, from `Issuer.token`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Any, Self

__all__ = ["Answer", "Issuer", "SigningKey"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Answer(NamedTuple):
    """What a path answers: a test may put its own in `Issuer.answers`."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class SigningKey:
    """A key pair with its id, made for one algorithm."""

    def __init__(self, algorithm: str = "RS256") -> None:
        self.kid = secrets.token_urlsafe(6)
        self.algorithm = algorithm
        self.private: Any = _make_key(algorithm)

    @property
    def public_pem(self) -> bytes:
        """The public half as PEM: what a confused verifier would take for a shared secret."""
        public: bytes = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return public

    def jwk(self) -> dict[str, str]:
        """Return the public half as a row of the key set."""
        kind = jwt.get_algorithm_by_name(self.algorithm)
        row: dict[str, str] = kind.to_jwk(self.private.public_key(), as_dict=True)
        return {**row, "kid": self.kid, "use": "sig", "alg": self.algorithm}


def _make_key(algorithm: str) -> object:
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm.startswith("ES"):
        return ec.generate_private_key(
            {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1()}[algorithm]
        )
    return rsa.generate_private_key(65537, 2048)


class Issuer:
    """Runs in a `with` block, and can be stopped and started on its port within it.

    `requests` counts what was asked, by path. `keys` are those of the key set, the last one signs.
    `error` makes `/authorize` answer with that error; `answers` replaces what a path answers.
    `redirect_uris` are those that a client may name; empty: any on loopback. Cognito's access tokens
    have no `aud`, but `client_id` and `token_use`: that is what `cognito=True` makes. Who needs many issuers
    gives them a key: to make one takes a tenth of a second.
    """

    def __init__(
        self,
        *,
        client_id: str = "speakers-page",
        audience: str = "websocket-audio",
        subject: str = "speaker-1",
        cognito: bool = False,
        lifetime_seconds: int = 300,
        key: SigningKey | None = None,
    ) -> None:
        self.client_id = client_id
        self.audience = audience
        self.subject = subject
        self.cognito = cognito
        self.lifetime_seconds = lifetime_seconds
        self.keys = [key or SigningKey()]
        self.requests: Counter[str] = Counter()
        self.answers: dict[str, Answer] = {}
        self.error = ""
        self.redirect_uris: set[str] = set()
        self._codes: dict[str, dict[str, str]] = {}
        self._refresh_tokens: dict[str, dict[str, str]] = {}
        self._server: ThreadingHTTPServer | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The issuer's name, and where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Answer requests: on the port of before, if there was one."""
        server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler_of(self))
        server.daemon_threads = True
        self._port = server.server_port
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def rotate(self, algorithm: str = "RS256") -> SigningKey:
        """Sign with a new key from now on; the old ones stay in the key set."""
        self.keys.append(SigningKey(algorithm))
        return self.keys[-1]

    # --- tokens

    def token(
        self,
        *,
        key: SigningKey | None = None,
        algorithm: str = "",
        header: Mapping[str, object] | None = None,
        **claims: object,
    ) -> str:
        """Return an access token: `claims` win, None leaves one out, and so does it in `header`.

        `algorithm` may be one that no verifier should take: `none`, or HS256 with the public key as secret.
        """
        key = key or self.keys[-1]
        algorithm = algorithm or key.algorithm
        merged = self._claims() | claims
        payload = {name: value for name, value in merged.items() if value is not None}
        head = {"typ": "at+jwt", "alg": algorithm, "kid": key.kid, **(header or {})}
        head = {name: value for name, value in head.items() if value is not None}
        if algorithm in ("none", "HS256"):
            secret = key.public_pem if algorithm == "HS256" else b""
            return _forge(head, payload, secret)
        return jwt.encode(payload, key.private, algorithm, headers=head)

    def _claims(self) -> dict[str, object]:
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": self.url,
            "sub": self.subject,
            "iat": now,
            "exp": now + self.lifetime_seconds,
            "scope": "openid speak",
            "client_id": self.client_id,
        }
        return claims | ({"token_use": "access"} if self.cognito else {"aud": self.audience})

    # --- what it answers

    def answer(self, method: str, target: str, form: str) -> Answer:
        """Return the answer to a request; `form` is the body of a POST."""
        parts = urlsplit(target)
        self.requests[parts.path] += 1
        given = dict(parse_qsl(form if method == "POST" else parts.query))
        if parts.path in self.answers:
            return self.answers[parts.path]
        if method == "OPTIONS":
            return Answer(204, {})
        routes = {
            ("GET", "/.well-known/openid-configuration"): self._discovery,
            ("GET", "/jwks"): self._jwks,
            ("GET", "/authorize"): self._authorize,
            ("POST", "/token"): self._token,
        }
        route = routes.get((method, parts.path))
        return route(given) if route else _json(404, {"error": "not_found"})

    def _discovery(self, given: dict[str, str]) -> Answer:
        return _json(
            200,
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
            },
        )

    def _jwks(self, given: dict[str, str]) -> Answer:
        return _json(200, {"keys": [key.jwk() for key in self.keys]})

    def _authorize(self, given: dict[str, str]) -> Answer:
        """Answer a client that is not known, or its address, here; all else at that address."""
        redirect = given.get("redirect_uri", "")
        if given.get("client_id") != self.client_id or not self._may_redirect(redirect):
            return _json(400, {"error": "invalid_request"})
        is_sound = (
            given.get("response_type") == "code"
            and given.get("code_challenge_method") == "S256"
            and len(given.get("code_challenge", "")) == 43  # SHA-256 in base64url
        )
        if error := self.error or ("" if is_sound else "invalid_request"):
            answer = {"error": error}
        else:
            answer = {"code": secrets.token_urlsafe(16)}
            self._codes[answer["code"]] = given
        if "state" in given:
            answer["state"] = given["state"]
        separator = "&" if urlsplit(redirect).query else "?"
        return Answer(302, {"Location": redirect + separator + urlencode(answer)})

    def _may_redirect(self, uri: str) -> bool:
        if self.redirect_uris:
            return uri in self.redirect_uris
        parts = urlsplit(uri)
        return parts.scheme in ("http", "https") and parts.hostname in _LOOPBACK

    def _token(self, given: dict[str, str]) -> Answer:
        """Take a code or a refresh token, once each, from the client that it was made for."""
        grants = {"authorization_code": self._take_code, "refresh_token": self._take_refresh_token}
        take = grants.get(given.get("grant_type", ""))
        if take is None:
            return _json(400, {"error": "unsupported_grant_type"})
        asked = take(given)
        if asked is None or given.get("client_id") != self.client_id:
            return _json(400, {"error": "invalid_grant"})
        refresh_token = secrets.token_urlsafe(16)
        self._refresh_tokens[refresh_token] = asked
        answer: dict[str, object] = {
            "access_token": self.token(scope=asked.get("scope", "")),
            "token_type": "Bearer",
            "expires_in": self.lifetime_seconds,
            "refresh_token": refresh_token,
        }
        if "openid" in asked.get("scope", "").split():
            answer["id_token"] = self.id_token(asked.get("nonce"))
        return _json(200, answer)

    def id_token(self, nonce: str | None = "n-0S6") -> str:
        """Return a token that says who logged in: it is for the page, and gives access to nothing."""
        use = {"token_use": "id"} if self.cognito else {}
        return self.token(
            header={"typ": "JWT"},
            aud=self.client_id,
            nonce=nonce,
            scope=None,
            client_id=None,
            **use,
        )

    def _take_code(self, given: dict[str, str]) -> dict[str, str] | None:
        asked = self._codes.pop(given.get("code", ""), None)
        verifier = given.get("code_verifier", "").encode()
        challenge = _base64url(hashlib.sha256(verifier).digest())
        if asked is None or given.get("redirect_uri") != asked["redirect_uri"]:
            return None
        return asked if challenge == asked["code_challenge"] else None

    def _take_refresh_token(self, given: dict[str, str]) -> dict[str, str] | None:
        return self._refresh_tokens.pop(given.get("refresh_token", ""), None)


def _json(status: int, value: object) -> Answer:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Answer(status, headers, json.dumps(value).encode())


def _forge(header: Mapping[str, object], payload: Mapping[str, object], secret: bytes) -> str:
    """Return a token that a library with its wits about it would refuse to make."""
    signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, payload))
    signature = hmac.digest(secret, signed.encode(), "sha256") if secret else b""
    return f"{signed}.{_base64url(signature)}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _handler_of(issuer: Issuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(issuer.answer(self.command, self.path, self._body()))

        do_POST = do_OPTIONS = do_GET

        def _body(self) -> str:
            return self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()

        def _reply(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in (*answer.headers.items(), *self._sharing()):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def _sharing(self) -> list[tuple[str, str]]:
            """Let pages of any loopback origin read the answer (CORS)."""
            origin = self.headers.get("Origin", "")
            if urlsplit(origin).hostname not in _LOOPBACK:
                return []
            return [
                ("Access-Control-Allow-Origin", origin),
                ("Access-Control-Allow-Methods", "GET, POST"),
                ("Access-Control-Allow-Headers", "content-type"),
                ("Vary", "Origin"),
            ]

        def log_message(self, *args: object) -> None:
            """Write nothing: a path may hold a code."""

    return Handler
