"""The system as it runs: every function, a real DynamoDB API, and connections that keep what is sent."""

from __future__ import annotations

import itertools
import json
import os
import sys
import threading
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from unittest import mock

import pytest
from lossy_proxy import LossyProxy

from broadcast import store
from broadcast.counters import Counters
from broadcast.deliveries import Deliveries
from broadcast.invalid import InvalidMessages
from broadcast.pace import Pace, PerMinute, TokenBuckets
from broadcast.quality import QualityWatch
from broadcast.recent import RecentSessions
from broadcast.settings import BroadcastSettings
from broadcast.tables import Items
from handlers import _common, _guesses, _live
from handlers._common import ANSWER_SECONDS
from shared_utils import Outcome
from shared_utils.connections import payload_of
from shared_utils.dynamodb import Table
from shared_utils.table_names import TABLES
from shared_utils.testing import (
    CapturedLines,
    FakeConnections,
    FakeContext,
    capture_lines,
    connect_event,
    disconnect_event,
    message_event,
)
from wslocal import Emulator

HANDLER_NAMES = sorted(
    path.stem for path in (Path(__file__).parent.parent / "handlers").glob("[!_]*.py")
)
ENVIRONMENT = {
    "SESSIONS_TABLE_NAME": "Sessions",
    "CONNECTIONS_TABLE_NAME": "Connections",
    "RATE_LIMITS_TABLE_NAME": "RateLimits",
    "API_GATEWAY_ENDPOINT": "https://example.execute-api.us-east-1.amazonaws.com/test",
    "AWS_REGION": "us-east-1",
}
# By the store's attributes.
VARIABLES = {
    "sessions": "SESSIONS_TABLE_NAME",
    "connections": "CONNECTIONS_TABLE_NAME",
    "counters": "RATE_LIMITS_TABLE_NAME",
}
CREDENTIALS = ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
with mock.patch.dict(os.environ, ENVIRONMENT), capture_lines():
    MODULES = {name: import_module(f"handlers.{name}") for name in HANDLER_NAMES}
HANDLERS = {
    action: MODULES[name].handler
    for name in HANDLER_NAMES
    if name != "housekeeping"
    for action in MODULES[name].handler._routes
}

NOW = 1_767_225_600.0
CHUNK = "AAAA" * 40  # 120 bytes of silence


class Clock:
    """Stands still until it is moved; seconds."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Calls:
    """What was called, as (operation, table's base name); all calls raise `failing` if it is set."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str]] = []
        self.failing: Exception | None = None


class ListedTable:
    """A table whose calls are listed."""

    def __init__(self, name: str, calls: Calls) -> None:
        self.name = name
        self._table = Table(name, answer_seconds=ANSWER_SECONDS)
        self._calls = calls

    def __getattr__(self, operation):
        def call(**arguments):
            several = operation.startswith("transact")
            table = "several" if several else self.name.partition("-")[0]
            self._calls.made.append((operation, table))
            if self._calls.failing is not None:
                raise self._calls.failing
            return getattr(self._table, operation)(**arguments)

        return call


class Clients(FakeConnections):
    """The clients at the other end; `gone` are those without a connection, `active_at` is the gateway's.

    `failing` has the kind of what comes of posts to others; "timeout" is one that is not answered.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.gone: set[str] = set()
        self.failing: dict[str, str] = {}
        self.posts: list[tuple[str, str, dict]] = []  # to whom, of which type, with which options
        self.active_at: dict[str, float] = {}

    def _outcome(self, connection_id):
        kind = "gone" if connection_id in self.gone else self.failing.get(connection_id, "sent")
        return Outcome("failed", timed_out=True) if kind == "timeout" else Outcome(kind)

    def send(self, connection_id, data, **options):
        return self.broadcast([connection_id], data, **options).outcomes[connection_id]

    def broadcast(self, connection_ids, data, **options):
        result = super().broadcast(connection_ids, data)
        kind = json.loads(payload_of(data))["type"]
        self.posts += [(name, kind, options) for name in result.outcomes]
        return result

    def get(self, connection_id, **_):
        if connection_id in self.gone:
            return None
        seconds = self.active_at.get(connection_id, 0.0)
        return {"lastActiveAt": datetime.fromtimestamp(seconds, UTC).isoformat()}

    def close(self, connection_id, **_):
        outcome = super().close(connection_id)
        self.gone.add(connection_id)
        return outcome


class System:
    """All functions over tables of their own, as their clients meet them."""

    CHUNK = CHUNK

    def __init__(self, tables, monkeypatch, capsys) -> None:
        self.tokens: dict[str, str] = {}
        self.interpreter_keys: dict[str, str] = {}
        self._lines = CapturedLines()
        self._capsys = capsys
        self.clock = Clock()
        self.calls = Calls()
        self.clients = Clients(self.clock)
        self._monkeypatch = monkeypatch
        for module in MODULES.values():
            store = module.app.store
            for name in ("sessions", "connections", "counters"):
                items: Items = getattr(store, name)
                monkeypatch.setattr(items, "table", ListedTable(tables[name], self.calls))
                monkeypatch.setattr(items, "_broken_off", {})
            monkeypatch.setattr(store, "_clock", self.clock)
            monkeypatch.setattr(module.app.handler, "connections", self.clients)
            pace = Pace(module.app.pace.limit, self.clock)
            monkeypatch.setattr(module.app, "pace", pace)
            invalid = InvalidMessages(20, self.clock)
            monkeypatch.setattr(module.app.floods, "invalid", invalid)
            of_connections = PerMinute(10, self.clock)
            monkeypatch.setattr(module.app.guesses, "of_connections", of_connections)
            monkeypatch.setattr(module.app.guesses, "lines", TokenBuckets(1 / 60, 1, self.clock))
            monkeypatch.setattr(module.app.counters, "_full", {})
        self.store = MODULES["session"].app.store
        monkeypatch.setattr(MODULES["housekeeping"], "connections", self.clients)
        monkeypatch.setattr(MODULES["audio"], "watch", QualityWatch(self.clock))
        new_connections = PerMinute(600, self.clock)
        monkeypatch.setattr(MODULES["connection"], "new_connections", new_connections)
        for name in ("audio", "captions"):
            live = MODULES[name].live
            monkeypatch.setattr(live, "sessions", RecentSessions(2.0, self.clock))
            monkeypatch.setattr(live, "deliveries", Deliveries(self.clock))

    def lines(self) -> CapturedLines:
        """Return all lines that were written, those of metrics that waited too."""
        for module in MODULES.values():
            module.app.handler.windowed_metrics.flush()
            module.app.metrics.flush()
        out = self._capsys.readouterr().out
        self._lines += [json.loads(line) for line in out.splitlines() if line[:2] == '{"']
        return self._lines

    def set(self, handler_name: str, **values) -> None:
        """Change settings of one function."""
        app = MODULES[handler_name].app
        fields = {name: getattr(app.settings, name) for name in BroadcastSettings().to_dict()}
        self._monkeypatch.setattr(app, "settings", BroadcastSettings(**{**fields, **values}))

    def replace(self, handler_name: str, name: str, value: object) -> None:
        """Put something in the place of what a function's module has."""
        self._monkeypatch.setattr(MODULES[handler_name], name, value)

    def post_through(self, connections) -> None:
        """Let all functions post through other connections than those of `clients`."""
        for module in MODULES.values():
            self._monkeypatch.setattr(module.app.handler, "connections", connections)

    def module(self, name: str):
        """Return a function's module."""
        return MODULES[name]

    def app(self, name: str):
        """Return what a function's routes share."""
        return MODULES[name].app

    def connect(self, connection_id: str, **headers):
        return HANDLERS["$connect"](connect_event(connection_id, headers=headers), FakeContext())

    def disconnect(self, connection_id: str):
        self.clients.gone.add(connection_id)
        return HANDLERS["$disconnect"](disconnect_event(connection_id), FakeContext())

    def send(
        self,
        connection_id: str,
        action: str,
        *,
        address="192.0.2.1",
        connected_at=NOW,
        request_context=None,
        **fields,
    ) -> int:
        """Send a message and return the status."""
        event = message_event(
            {"action": action, **fields},
            connection_id,
            identity={"sourceIp": address},
            connectedAt=int(connected_at * 1000),
            **{"requestTimeEpoch": int(self.clock.now * 1000), **(request_context or {})},
        )
        return HANDLERS[action](event, FakeContext())["statusCode"]

    def send_to(self, handler_name: str, connection_id: str, body: dict) -> int:
        """Send any body to a function, whatever its action."""
        handler = MODULES[handler_name].handler
        return handler(message_event(body, connection_id), FakeContext())["statusCode"]

    def chunk(self, connection_id: str, number: int = 0, **fields) -> int:
        fields = {"audioData": CHUNK, "timestamp": 1_767_225_600_000, **fields}
        return self.send(connection_id, "sendAudio", sequenceNumber=number, **fields)

    def caption(self, connection_id: str, text: str = "Good morning.", **fields) -> int:
        fields = {"segmentId": "1", "isFinal": True, **fields}
        return self.send(connection_id, "sendCaption", text=text, **fields)

    def interpret(self, connection_id: str, session_id: str, language: str, **fields) -> int:
        """Join as an interpreter, with the session's key."""
        fields = {"interpreterKey": self.interpreter_keys[session_id], **fields}
        return self.send(
            connection_id, "joinAsInterpreter", sessionId=session_id, language=language, **fields
        )

    def answered(self) -> None:
        """Wait until the store has answered what is asked beside the chunks, or does not in time."""
        for question in list(MODULES["audio"].live.sessions._questions.values()):
            question.join()

    def keep_house(self, remaining_ms: int = 50_000):
        return MODULES["housekeeping"].handler({}, FakeContext(remaining_ms=remaining_ms))

    def take(self) -> list[tuple[str, dict]]:
        """Return what was sent since the last time."""
        sent, self.clients.sent = self.clients.sent, []
        return sent

    def types(self) -> list[tuple[str, str]]:
        """Return what was sent since the last time, as (receiver, type)."""
        return [(name, message["type"]) for name, message in self.take()]

    def open(self, *listeners: str, speaker: str = "speaker", **fields) -> str:
        """Open a session with listeners, and return its id; nothing of it is left in what was sent."""
        self.send(speaker, "createSession", sourceLanguage="en", **fields)
        [(_, created)] = self.take()
        for name in listeners:
            self.send(name, "joinSession", sessionId=created["sessionId"], targetLanguage="fr")
        self.tokens[speaker] = created["refreshToken"]
        self.interpreter_keys[created["sessionId"]] = created["interpreterKey"]
        self.tokens |= {n: m["refreshToken"] for n, m in self.take() if "refreshToken" in m}
        self.calls.made.clear()
        return created["sessionId"]

    def at_once(self, *tasks) -> None:
        """Do several things in threads of their own that begin together."""
        barrier = threading.Barrier(len(tasks))

        def run(task):
            barrier.wait()
            task()

        threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@pytest.fixture(scope="session")
def emulator():
    """Return a real DynamoDB API."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def dynamodb(emulator, monkeypatch):
    """Return boto3's client of it, which shows what is stored; the functions find it, too."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", emulator.endpoint)
    for name in CREDENTIALS:
        monkeypatch.setenv(name, emulator.variables[name])
    return emulator.client("dynamodb")


_numbers = itertools.count()


@pytest.fixture
def tables(dynamodb, monkeypatch):
    """Make the tables as they are declared; return their names by the store's attributes."""
    number, names = next(_numbers), {}
    for attribute, variable in VARIABLES.items():
        [table] = [table for table in TABLES.values() if table.variable == variable]
        names[attribute] = f"{table.base_name}-{number}"
        monkeypatch.setenv(variable, names[attribute])
        keys = [(table.partition_key, "HASH")]
        indexes = [
            {
                "IndexName": index.name,
                "KeySchema": [
                    {"AttributeName": index.partition_key[0], "KeyType": "HASH"},
                    {"AttributeName": index.sort_key[0], "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for index in table.indexes
        ]
        declared = dict([table.partition_key])
        for index in table.indexes:
            declared |= dict([index.partition_key, index.sort_key])
        dynamodb.create_table(
            TableName=names[attribute],
            KeySchema=[{"AttributeName": key[0], "KeyType": kind} for key, kind in keys],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": kind} for name, kind in declared.items()
            ],
            BillingMode="PAY_PER_REQUEST",
            **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
        )
    return names


@pytest.fixture
def proxy(emulator, tables, monkeypatch):
    """Return a proxy through which the functions' tables are reached from now on."""
    with LossyProxy(emulator.endpoint) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{proxy.server_port}")
        yield proxy
        Table(tables["sessions"], answer_seconds=ANSWER_SECONDS).close_sockets()
        proxy.is_over.set()
        proxy.shutdown()
        thread.join()


@pytest.fixture
def unhurried(monkeypatch):
    """Give the calls of systems that are made after this all the time that a busy machine takes."""
    seconds = 30.0
    monkeypatch.setattr(sys.modules[__name__], "ANSWER_SECONDS", seconds)
    monkeypatch.setattr(_common, "STORE_SECONDS", 2 * seconds)
    monkeypatch.setattr(_guesses, "_LAST_SECONDS", seconds)
    monkeypatch.setattr(store, "_UNDO_SECONDS", seconds)
    monkeypatch.setitem(Counters.end_join.__kwdefaults__, "seconds", seconds)
    monkeypatch.setattr("broadcast.counters._END_SECONDS", seconds)
    monkeypatch.setattr(_live, "READ_SECONDS", seconds)
    for name in ("audio", "captions"):
        monkeypatch.setattr(MODULES[name].live, "_first_read_seconds", seconds)


@pytest.fixture
def make_system(tables, monkeypatch, capsys):
    """Return a function that returns the whole system, new. Nothing secret may be in what it writes."""
    made = []

    def make() -> System:
        made.append(System(tables, monkeypatch, capsys))
        return made[-1]

    yield make
    for system in made:
        written = str(system.lines())
        assert CHUNK not in written
        for token in system.tokens.values():
            assert token.rpartition(".")[2] not in written
        for key in system.interpreter_keys.values():
            assert key not in written


@pytest.fixture
def system(make_system):
    """Return the whole system."""
    return make_system()


@pytest.fixture
def before_call(monkeypatch):
    """Return a function that has something done before the store's call with this number, once."""

    def before_call(number, task):
        numbers, real = itertools.count(), Items.call

        def call(self, operation, *arguments, **named):
            if next(numbers) == number:
                task()
            return real(self, operation, *arguments, **named)

        monkeypatch.setattr(Items, "call", call)

    return before_call
