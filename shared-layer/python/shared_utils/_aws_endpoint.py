"""Where an AWS API is, and how its users want it to be called: a value, with nothing opened.

Whatever cannot be used raises INTERNAL_CONFIGURATION_ERROR and names the setting; of an address
that may hold a password or a token nothing is shown.
"""

from __future__ import annotations

import os
import re
import time

from .error_codes import ApplicationError, ErrorCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

__all__ = ["Endpoint", "misconfigured", "region_of", "split_url"]

THIS_MACHINE = r"localhost|::1|127(\.[0-9]{1,3}){3}"


def misconfigured(message: str) -> ApplicationError:
    """Return the error of a setting that cannot be used."""
    return ApplicationError(ErrorCode.INTERNAL_CONFIGURATION_ERROR, message)


def split_url(url: str, wanted: str, plain: str = THIS_MACHINE) -> tuple[bool, str, int, str]:
    """Return whether an endpoint speaks TLS, its host, its port and its path.

    `wanted` is the error's text up to what came; `plain` is a pattern of the hosts to which http://
    is allowed.
    """
    match = re.fullmatch(
        r"(https?)://([a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
        r"((?:/(?!\.\.?(?:/|\Z))[a-z0-9_.~$@-]+)*)/?",
        url,
        re.ASCII | re.IGNORECASE,
    )
    if match:
        tls, host = match[1].lower() == "https", match[2].lower().strip("[]")
        port = int(match[3] or (443 if tls else 80))
        if 0 < port < 65536 and (tls or re.fullmatch(plain, host)):
            return tls, host, port, match[4]
    # What came, up to where a token may start, and nothing if it may have a password.
    came = re.match(r"(?![^/]*/*[^/]*@)[^?#]{0,40}", url)
    raise misconfigured(f"{wanted}, got {ascii(came[0]) if came else 'a user name'}")


def region_of(environ: Mapping[str, str]) -> str:
    """Return the environment's region, empty without one."""
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""


class Endpoint:
    """One service at one place. Nothing changes it after it was made.

    `path` is what every request's path begins with, with its last slash. `answer_seconds` bounds one
    attempt. `max_sockets` bounds what one call opens, and what is kept between calls; calls of several
    threads have as many each. `environ` is the process's if it is None.
    """

    def __init__(
        self,
        place: tuple[bool, str, int, str],
        region: str,
        service: str,
        *,
        answer_seconds: float = 2.0,
        max_sockets: int = 64,
        ssl_context: ssl.SSLContext | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Check that the way there is direct; `place` is as `split_url` returns it."""
        # As a default value, `help` would print it, with its secrets.
        environ = os.environ if environ is None else environ
        self.tls, self.host, self.port, self.path = place
        if self.tls and not re.fullmatch(THIS_MACHINE, self.host):
            _refuse_proxy(self.host, environ)
        host = f"[{self.host}]" if ":" in self.host else self.host
        self.host_header = host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"
        self.region = region
        self.service = service
        self.answer_seconds = answer_seconds
        self.max_sockets = max(max_sockets, 1)
        self.ssl_context = ssl_context
        self.environ = environ
        self.clock = clock
        self.monotonic = monotonic


def _refuse_proxy(host: str, environ: Mapping[str, str]) -> None:
    names = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    name = next((name for name in names if environ.get(name)), None)
    direct = (environ.get("no_proxy") or environ.get("NO_PROXY") or "").lower()
    suffixes = [entry.strip().lstrip("*.").partition(":")[0] for entry in direct.split(",")]
    if (
        name
        and direct.strip() != "*"
        and not any(s and f".{host}".endswith(f".{s}") for s in suffixes)
    ):
        raise misconfigured(f"{name} is set, but no proxy is spoken here: add {host} to NO_PROXY")
