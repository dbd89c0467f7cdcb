"""What does a function's cold start cost, from the process's start to its first answer?

Each function of this system, as its zip and the layer's are deployed, against the same function as
it was on botocore, with the layer of that time, and against a twin of the session function on boto3
and Powertools. All under the official runtime client, with the same events and the emulator's
DynamoDB; in every round each starts once, in a new order. The events come from a speaker and a
listener of a session that is there; replies go to an `@connections` API that takes them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import random
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, cast

from _emulator import client_of, create_tables, emulator
from _fresh import BENCHMARKS, unpacked_layer
from _harness import LAYER_SOURCE, Budget, Options, Report, Samples, fail, parse_options
from _runtime import Costs, Function, cold_start, limited_cpu
from _server import cpus, make_certificate, pin, server_context

from local.assembly import build_functions
from wslocal.http1 import RequestReader, respond

OURS, BOTOCORE, POWERTOOLS = "shared_utils", "botocore", "boto3 + powertools + parser"
COMPILED, NOTHING = "botocore, with bytecode", "a handler that does nothing"
FUNCTIONS = ("connection", "session", "audio", "control", "listener", "housekeeping")
SPEAKER, LISTENER = "speaker=", "listener="
# By the function that handles it: whose message, and what it says.
MESSAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "connection": (SPEAKER, {"action": "heartbeat"}),
    "session": ("", {"action": "createSession", "sourceLanguage": "en"}),
    "audio": (
        SPEAKER,
        {"action": "sendAudio", "audioData": "AAAA" * 1066, "sequenceNumber": 0, "timestamp": 1},
    ),
    "control": (SPEAKER, {"action": "setVolume", "volumeLevel": 0.5}),
    "listener": (LISTENER, {"action": "changeLanguage", "targetLanguage": "es"}),
}
QUESTIONS = {
    "answer_wall_ms": ("start to first answer", "ms"),
    "answer_cpu_ms": ("start to first answer, CPU", "ms"),
    "ready_wall_ms": ("start to readiness", "ms"),
    "peak_mb": ("peak memory", "MB"),
}
BUDGETS = {"answer_wall_ms": 0.5, "answer_cpu_ms": 0.5, "peak_mb": 0.7}
POWERTOOLS_BUDGETS = {"answer_wall_ms": 1 / 3, "answer_cpu_ms": 1 / 3}
QUARTER = 0.25


class Place(NamedTuple):
    """Where functions run: what leads them to the APIs, and how a process gets its share of a CPU."""

    label: str
    functions: tuple[str, ...]
    variables: dict[str, str]
    join: Callable[[], object]


# --- the APIs --------------------------------------------------------------------------------------


class Connections(asyncio.Protocol):
    """The `@connections` API of a gateway with everybody on it; `posts` has what was sent."""

    def __init__(self, posts: list[dict[str, Any]]) -> None:
        self._posts = posts
        self._reader = RequestReader(max_body_bytes=1_000_000)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        for request in self._reader.feed(data):
            if request.method == "POST":
                self._posts.append(json.loads(request.body))
            self._transport.write(respond(200, b"{}"))


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError), contextlib.closing(writer):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


@contextlib.asynccontextmanager
async def serve_apis(
    endpoint: str, posts: list[dict[str, Any]], certificate: Path | None
) -> AsyncIterator[dict[str, str]]:
    """Yield the variables that lead to the emulator and to `@connections`, both with TLS if asked."""
    context = server_context(certificate) if certificate else None
    scheme = "https" if certificate else "http"
    host, port = endpoint.removeprefix("http://").split(":")

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(forward(reader, far_writer), forward(far_reader, writer))

    loop = asyncio.get_running_loop()
    gateway = await loop.create_server(lambda: Connections(posts), "127.0.0.1", 0, ssl=context)
    aws = await asyncio.start_server(connect, "127.0.0.1", 0, ssl=context)
    ports = [server.sockets[0].getsockname()[1] for server in (gateway, aws)]
    try:
        yield {
            "API_GATEWAY_ENDPOINT": f"{scheme}://localhost:{ports[0]}/dev",
            "AWS_ENDPOINT_URL": f"{scheme}://localhost:{ports[1]}" if certificate else endpoint,
        }
    finally:
        gateway.close()
        aws.close()


# --- the contenders --------------------------------------------------------------------------------


@contextlib.contextmanager
def deployed(options: Options) -> Iterator[dict[str, tuple[Path, Path | None]]]:
    """Yield each contender's code and layer, unpacked; not the twin where Powertools is not."""
    with tempfile.TemporaryDirectory() as made, unpacked_layer(options) as layer:
        folder = Path(made)
        zipped = build_functions(["broadcast", "handlers"])
        with zipfile.ZipFile(io.BytesIO(zipped)) as ours:
            ours.extractall(folder / "ours")
        with zipfile.ZipFile(BENCHMARKS / "contenders" / "botocore.zip") as kept:
            kept.extractall(folder / "kept")
        kept_layer = folder / "kept" / "layer"
        build_kept_layer(folder / "kept" / "shared-layer", kept_layer)
        shutil.copytree(folder / "kept" / "functions", folder / "compiled")
        compile_all(folder / "compiled")
        contenders: dict[str, tuple[Path, Path | None]] = {
            OURS: (folder / "ours", layer.parent),
            BOTOCORE: (folder / "kept" / "functions", kept_layer),
            COMPILED: (folder / "compiled", kept_layer),
        }
        (folder / "nothing").mkdir()
        (folder / "nothing" / "session.py").write_text("def handler(event, context): pass\n")
        contenders[NOTHING] = folder / "nothing", None
        if find_spec("aws_lambda_powertools"):
            shutil.copytree(BENCHMARKS / "contenders" / "powertools", folder / "twin")
            compile_all(folder / "twin")
            contenders[POWERTOOLS] = folder / "twin", None
        yield contenders


def build_kept_layer(source: Path, into: Path) -> None:
    version, archive = "{}.{}".format(*sys.version_info), source / "layer.zip"
    options = ["--python", version, "--output", str(archive)]
    command = [sys.executable, str(source / "build.py"), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with zipfile.ZipFile(archive) as layer:
        layer.extractall(into)


def compile_all(folder: Path) -> None:
    """Compile a folder as a zip should hold it: the bytecode needs no look at the source."""
    mode = ["--invalidation-mode", "unchecked-hash"]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *mode, str(folder)], check=True)


def function_of(
    contender: str, name: str, code: tuple[Path, Path | None], variables: dict[str, str]
) -> Function:
    task_root, layer = code
    handler = f"handlers.{name}.handler" if layer else f"{name}.handler"
    names = {"SERVICE_NAME": "websocket-audio", "METRICS_NAMESPACE": "WebSocketAudio"}
    return Function(f"{name} on {contender}", handler, task_root, layer, names | variables)


def contenders_of(name: str, there: dict[str, Any]) -> list[str]:
    also = [COMPILED, POWERTOOLS, NOTHING] if name == "session" else []
    return [contender for contender in (OURS, BOTOCORE, *also) if contender in there]


# --- what they get ---------------------------------------------------------------------------------


def message_event(connection_id: str, body: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a MESSAGE event; each comes from an address of its own, which may open few sessions."""
    return {
        "requestContext": {
            "routeKey": body["action"],
            "eventType": "MESSAGE",
            "connectionId": connection_id or f"new{number}=",
            "requestId": f"request{number}=",
            "messageId": f"message{number}=",
            "extendedRequestId": f"request{number}=",
            "identity": {"sourceIp": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"},
            "apiId": "local",
            "stage": "dev",
            "domainName": "localhost",
            "connectedAt": 1_800_000_000_000,
            "requestTime": "30/Jan/2026:12:00:00 +0000",
            "requestTimeEpoch": 1_800_000_000_000,
            "messageDirection": "IN",
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


class Measurement:
    """Starts the functions, and keeps what that took by place, function and contender."""

    def __init__(self, codes: dict[str, tuple[Path, Path | None]], posts: list[Any]) -> None:
        self.codes = codes
        self.tables: dict[str, dict[str, str]] = {}
        self.costs: dict[tuple[str, str, str], list[Costs]] = defaultdict(list)
        self._posts = posts
        self._number = 0

    async def prepare(self, client: Any, place: Place) -> None:
        """Give each contender tables with a session in them, and let it write what Python caches."""
        for contender in self.codes:
            self.tables[contender] = create_tables(client, f"contender{len(self.tables)}")
            create = MESSAGES["session"][1]
            created = await self._start(contender, "session", place, (SPEAKER, create), warm=True)
            if created is None or contender == POWERTOOLS:
                continue
            join = {"action": "joinSession", "targetLanguage": "de", "sessionId": created}
            await self._start(contender, "session", place, (LISTENER, join), warm=True)
            for name in place.functions:
                await self._start(contender, name, place, MESSAGES.get(name), warm=True)

    async def round(self, place: Place) -> None:
        """Start each contender of each function once."""
        turns = [(c, name) for name in place.functions for c in contenders_of(name, self.codes)]
        for contender, name in random.sample(turns, len(turns)):
            await self._start(contender, name, place, MESSAGES.get(name))

    async def _start(
        self,
        contender: str,
        name: str,
        place: Place,
        message: tuple[str, dict[str, Any]] | None,
        warm: bool = False,
    ) -> str | None:
        """Return the id of the session that the reply names."""
        self._number += 1
        event = message_event(*message, self._number) if message else {}
        variables = place.variables | self.tables[contender]
        function = function_of(contender, name, self.codes[contender], variables)
        self._posts.clear()
        costs = await cold_start(function, event, write_bytecode=warm, join=place.join)
        if warm:
            clear_bytecode(contender, function.task_root)
        else:
            self.costs[place.label, name, contender].append(costs)
        if name != "housekeeping" and contender != NOTHING:
            self._check(function)
        return next((post["sessionId"] for post in self._posts if "sessionId" in post), None)

    def _check(self, function: Function) -> None:
        """Make sure that the function did what it was asked for."""
        refused = [post for post in self._posts if post.get("type") == "error"]
        if refused or not self._posts:
            fail(f"{function.name} sent {refused or 'nothing'}")


def clear_bytecode(contender: str, task_root: Path) -> None:
    """Take away what a start wrote beside code that is deployed without bytecode."""
    if contender == BOTOCORE:
        for cache in list(task_root.rglob("__pycache__")):
            shutil.rmtree(cache)


# --- the report ------------------------------------------------------------------------------------


def judge(report: Report, place: Place, measured: Measurement) -> None:
    for name in place.functions:
        contenders = contenders_of(name, measured.codes)
        for key, (question, unit) in QUESTIONS.items():
            values = {
                contender: [
                    getattr(costs, key) for costs in measured.costs[place.label, name, contender]
                ]
                for contender in contenders
            }
            samples, what = Samples(unit, values), f"{place.label}{name}: {question}"
            report.add(what, samples, OURS)
            if key in BUDGETS:
                report.check(what, samples, Budget(OURS, BOTOCORE, BUDGETS[key]))
            if key in POWERTOOLS_BUDGETS and POWERTOOLS in contenders:
                report.check(what, samples, Budget(OURS, POWERTOOLS, POWERTOOLS_BUDGETS[key]))


async def measure(options: Options, report: Report, codes: dict[str, Any]) -> None:
    """Run the rounds, everything but the functions on a CPU of its own."""
    free, others = cpus()
    pin(0, others)
    posts: list[dict[str, Any]] = []
    measured = Measurement(codes, posts)
    with emulator() as root, contextlib.ExitStack() as groups:
        async with contextlib.AsyncExitStack() as servers:
            names = FUNCTIONS[:2] if options.quick else FUNCTIONS
            places = [place async for place in open_places(root, names, posts, servers, free)]
            try:
                join = groups.enter_context(limited_cpu(QUARTER))
                places.append(quarter(places[0], join))
            except OSError as error:
                report.notes.append(f"a quarter of a CPU is left out: {error}")
            await measured.prepare(client_of(root), places[0])
            for _ in range(options.rounds(5)):
                for place in places:
                    await measured.round(place)
    for place in places:
        judge(report, place, measured)


async def open_places(
    root: dict[str, str],
    names: tuple[str, ...],
    posts: list[Any],
    servers: contextlib.AsyncExitStack,
    cpu: int,
) -> AsyncIterator[Place]:
    """Yield the place where all functions are measured, and where openssl is, one with TLS."""

    def join() -> None:
        pin(0, cpu)

    endpoint = root["AWS_ENDPOINT_URL"]
    plain = await servers.enter_async_context(serve_apis(endpoint, posts, None))
    yield Place("", names, root | plain, join)
    if shutil.which("openssl"):
        folder = servers.enter_context(tempfile.TemporaryDirectory())
        certificate = make_certificate(Path(folder))
        tls = await servers.enter_async_context(serve_apis(endpoint, posts, certificate))
        bundle = {"AWS_CA_BUNDLE": f"{folder}/bundle.pem"}
        yield Place("TLS, ", ("session",), root | tls | bundle, join)


def quarter(place: Place, join: Callable[[], object]) -> Place:
    """Return the place with a quarter of its CPU."""

    def join_both() -> None:
        place.join()
        join()

    return Place("a quarter of a CPU, ", ("session",), place.variables, join_both)


def main() -> None:
    options = parse_options(__doc__ or "")
    report = Report("Cold start of the deployed functions", options)
    sys.path.insert(1, str(LAYER_SOURCE))
    with deployed(options) as codes:
        report.missing([] if POWERTOOLS in codes else [POWERTOOLS])
        asyncio.run(measure(options, report, codes))
    report.print()


if __name__ == "__main__":
    main()
