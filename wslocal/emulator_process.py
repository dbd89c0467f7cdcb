"""The emulator's process: ministack, which answers nobody but this run's own programs.

Run as a script. ministack by itself lets any origin read its answers, takes well-known key ids as the
account's root, and has functions invoked by a worker of its own. So a page of any site in this
machine's browser, and any other user of this machine, could have code run here. In front of it, each
request has to name this machine or AWS as its `Host`, come from no page, and bear a key id that this run has
given out; functions are not invoked here.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["checked", "refusal"]

_HOST = re.compile(
    r"(127\.0\.0\.1|localhost|\[::1]|[a-z0-9.-]+\.amazonaws\.com(\.cn)?)(:[0-9]+)?", re.IGNORECASE
)
_SIGNER = re.compile(r"Credential=([^/,]+)/")
# ministack takes a key id that is an account's as that account's root.
_ACCOUNT = re.compile(r"[0-9]{12}")
_INVOKE = re.compile(
    r"/20[0-9-]+/functions/[^/]+/(invocations|invoke-async|response-streaming-.*)/?"
)
# What ministack itself serves without a signature, and we need: its state, and code by a token.
_OWN_PATHS = re.compile(r"/_ministack/(health|lambda-code/.+|lambda-layers/.+)")
# What AWS takes without a signature: signing in, and the keys of an issuer.
_UNSIGNED_TARGETS = ("AWSCognitoIdentityProviderService.", "AWSCognitoIdentityService.")


def checked(app: App) -> App:
    """Return an ASGI application that refuses before `app` is asked."""

    async def check(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (reason := refusal(scope)) is None:
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            body = json.dumps({"__type": "AccessDeniedException", "message": reason}).encode()
            headers = [(b"content-type", b"application/json")]
            headers.append((b"x-amzn-errortype", b"AccessDeniedException"))
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return check


def refusal(scope: Mapping[str, Any]) -> str | None:
    """Return why a request is not answered, None if it is."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    path = scope["path"]
    if not _HOST.fullmatch(headers.get("host", "")):
        return "Host must be this machine or a name of AWS"
    site = headers.get("sec-fetch-site", "none")
    if "origin" in headers or site not in ("none", "same-origin"):
        return "a page has no access"
    if path.startswith("/_"):
        return None if _OWN_PATHS.fullmatch(path) else f"{path[:100]} is not served here"
    if _INVOKE.fullmatch(path):
        return "functions are not invoked here: use the endpoint of Lambda"
    if _is_signed(headers, scope["query_string"]) or _needs_no_signature(headers, path):
        return None
    return "the request must be signed, by a key of this run"


def _is_signed(headers: Mapping[str, str], query: bytes) -> bool:
    """Return whether a request bears a key id that is not one of those that ministack takes for anybody's."""
    found = _SIGNER.search(headers.get("authorization", ""))
    asked = parse_qs(query.decode("latin-1"))
    named = [found[1]] if found else []
    named += [one.partition("/")[0] for one in asked.get("X-Amz-Credential", [])]
    named += asked.get("AWSAccessKeyId", [])
    return bool(named) and not any(one == "test" or _ACCOUNT.fullmatch(one) for one in named)


def _needs_no_signature(headers: Mapping[str, str], path: str) -> bool:
    target = headers.get("x-amz-target", "")
    return target.startswith(_UNSIGNED_TARGETS) or "/.well-known/" in path


def main() -> None:
    """Serve as `python -m ministack` does."""
    from ministack import app  # type: ignore[import-untyped]

    app.app = checked(app.app)
    app.main()


if __name__ == "__main__":
    os.environ.setdefault("AUTH", "true")
    main()
