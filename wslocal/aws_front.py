"""Where AWS's names lead on this machine, for functions whose code has them: `https://{domainName}/{stage}`
for @connections, and `https://dynamodb.us-east-1.amazonaws.com` of an SDK that knows no `AWS_ENDPOINT_URL`.

The name that a request has as its `Host` says who answers: a gateway, Lambda, or the emulator, which
gets everything else as it came, so that its signature holds. Nothing goes on to the real AWS.

    functions = LocalLambda(emulator.client)
    async with AwsFront(functions, Certificates(folder), emulator.endpoint) as front, functions:
        async with LocalApi(emulator.client, api_id, "dev", functions=functions, front=front) as api:
            print(api.secure_url)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, Self
from weakref import WeakSet

from wslocal.aws_names import AWS_SUFFIXES, AwsNames
from wslocal.failures import FailureLog
from wslocal.forwarding import forward
from wslocal.gateway.domains import read_custom_domains
from wslocal.gateway.limits import GatewayLimits
from wslocal.gateway.server import Socket
from wslocal.http1 import LOOPBACK, respond
from wslocal.opened import OpenedParts
from wslocal.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from wslocal.certificates import Certificates
    from wslocal.gateway.local_api import LocalApi
    from wslocal.http1 import HttpRequest
    from wslocal.lambda_host.local_lambda import LocalLambda

__all__ = ["MAX_BODY_BYTES", "AwsFront", "LambdaEndpoint"]

# Ours: what a request may have. The SDKs send more than this to S3 in parts.
MAX_BODY_BYTES = 64 * 1024 * 1024

_log = logging.getLogger(__name__)


class LambdaEndpoint(Protocol):
    """Answers calls of Lambda's API that concern the functions here."""

    async def answer(self, request: HttpRequest) -> bytes | None:
        """Return the answer to a request, or None for one that the emulator answers."""
        ...


class AwsFront(OpenedParts):
    """Serves AWS's names and custom domains in an `async with` block, before `functions` start.

    `endpoint` is the emulator's address. The variables that lead functions here are added to
    `functions.endpoints`.
    """

    def __init__(
        self,
        functions: LocalLambda,
        certificates: Certificates,
        endpoint: str,
        *,
        lambda_api: LambdaEndpoint | None = None,
    ) -> None:
        self.functions = functions
        self.certificates = certificates
        self._endpoint = endpoint
        self._lambda_api = lambda_api
        self._gateways: list[LocalApi] = []
        self._limits = GatewayLimits()
        self._names = AwsNames()
        self._tasks = Tasks(FailureLog(_log, (OSError,)))
        self.sockets: WeakSet[Socket] = WeakSet()
        self.url = ""
        self.home = ""

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as stack:
            await self.read_again()
            plain = await loop.create_server(self._socket, "127.0.0.1", 0)
            stack.callback(plain.close)
            secure = await loop.create_server(
                self._socket,
                "127.0.0.1",
                0,
                ssl=self.certificates.context(self._names.__contains__),
                ssl_shutdown_timeout=self._limits.close_seconds,
            )
            stack.callback(secure.close)
            self.url = f"http://127.0.0.1:{plain.sockets[0].getsockname()[1]}"
            self.home = f"127.0.0.1:{secure.sockets[0].getsockname()[1]}"
            self.functions.endpoints |= self.variables()
            stack.push_async_callback(self._stop)
            self._stack = stack.pop_all()
        return self

    def variables(self) -> dict[str, str]:
        """Return the environment variables with which functions find us, and trust us.

        `WSLOCAL_HOME` is where the names of `WSLOCAL_NAMES` lead to; a leading dot means all names with
        that end.
        """
        bundle, own = str(self.certificates.bundle_file), str(self.certificates.ca_file)
        found = {
            "AWS_CA_BUNDLE": bundle,
            "NODE_EXTRA_CA_CERTS": own,
            "REQUESTS_CA_BUNDLE": bundle,
            "SSL_CERT_FILE": bundle,
            "WSLOCAL_HOME": self.home,
            "WSLOCAL_NAMES": ",".join([*AWS_SUFFIXES, *sorted(self._names.custom)]),
        }
        if self._lambda_api is not None:
            # Also for code that names the endpoint itself: the emulator invokes no functions.
            found |= {"AWS_ENDPOINT_URL": self.url, "AWS_ENDPOINT_URL_LAMBDA": self.url}
        return found

    async def read_again(self) -> None:
        """Take over the custom domains as they are deployed now; functions that start get to know them."""
        client = self.functions.client("apigatewayv2")
        self._names.custom = set(await asyncio.to_thread(read_custom_domains, client))
        if self.home:
            self.functions.endpoints |= self.variables()

    def add(self, gateway: LocalApi) -> None:
        """Have a gateway reached by its names."""
        self._gateways.append(gateway)

    def remove(self, gateway: LocalApi) -> None:
        """Have it reached no more."""
        self._gateways.remove(gateway)

    # --- what sockets call -----------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Have `work` done; it ends with us at the latest."""
        return self._tasks.spawn(work, "a request to AWS's names")

    async def connect(self, socket: Socket, request: HttpRequest) -> None:
        """Have the gateway that has the request's name open a connection."""
        gateway = self._gateway(request)
        if gateway is None:
            socket.refuse(HTTPStatus.FORBIDDEN, _body("Forbidden"))
            return
        socket.hand_over(gateway)
        await gateway.connect(socket, request)

    def message(self, socket: Socket, text: str) -> None:
        """Is the gateway's."""
        raise AssertionError("a socket that is open belongs to a gateway")

    def lost(self, socket: Socket, code: int, reason: str) -> None:
        """Is the gateway's."""

    async def http(self, request: HttpRequest) -> bytes | None:
        """Have a request answered by who has its name."""
        if gateway := self._gateway(request):
            return await gateway.http(request)
        host = request.host
        if ".execute-api." in host or host in self._names.custom:
            return respond(HTTPStatus.FORBIDDEN, _body("Forbidden"))
        is_lambda = host in LOOPBACK or host.startswith("lambda.")
        if is_lambda and self._lambda_api is not None:
            answer = await self._lambda_api.answer(request)
            if answer is not None:
                return answer
        # Where faults of the store may begin; see `Relay`.
        store = self.functions.endpoints.get("AWS_ENDPOINT_URL_DYNAMODB")
        address = store if store and host.startswith("dynamodb.") else self._endpoint
        try:
            return await forward(request, address)
        except OSError as error:
            kind = type(error).__name__
            return respond(HTTPStatus.BAD_GATEWAY, _body(f"The emulator did not answer: {kind}"))

    # --- inside ----------------------------------------------------------------------------------

    def _gateway(self, request: HttpRequest) -> LocalApi | None:
        """Return the gateway of a request to a stage, or to its connections."""
        host, base = request.host, request.path.partition("/@connections/")[0].strip("/")
        for gateway in self._gateways:
            names = gateway.names
            if (host in names.custom or names.is_endpoint(host)) and names.leads_here(host, base):
                return gateway
        return None

    def _socket(self) -> Socket:
        return Socket(self, self._limits, self._names, max_body_bytes=MAX_BODY_BYTES)

    async def _stop(self) -> None:
        await self._tasks.end()
        for socket in list(self.sockets):
            socket.abort()
        await asyncio.sleep(0)  # the loop has to go round once for them


def _body(message: str) -> bytes:
    return json.dumps({"message": message}).encode()
