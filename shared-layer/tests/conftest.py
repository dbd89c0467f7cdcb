"""Servers that misbehave, and senders to them."""

import importlib.util
import json
import sys
from pathlib import Path

import orjson
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from connections_server import ENVIRON, Server, make_certificate
from dynamodb_server import table_of

from shared_utils import _stdout
from shared_utils.connections import Connections


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A server's context for localhost, and the file to trust."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "localhost", "127.0.0.1")


@pytest.fixture
def connect():
    """Make senders, and close their sockets."""
    made = []

    def make(server, environ=ENVIRON, **options):
        endpoint = server.endpoint if isinstance(server, Server) else server
        made.append(Connections(endpoint, environ=environ, **options))
        return made[-1]

    yield make
    [sender.close_sockets() for sender in made]


@pytest.fixture
def connect_table():
    """Make tables that call a scripted server, and close their sockets."""
    made = []

    def make(server, **options):
        made.append(table_of(server, **options))
        return made[-1]

    yield make
    [table.close_sockets() for table in made]


@pytest.fixture(params=["plain", "TLS"])
def pair(request, certificate, connect):
    """Make a server with scripts, plain or with TLS, and a sender that trusts it."""
    context, trusted = certificate
    servers = []

    def make(scripts=None, *, on_accept=None, receive_buffer=0, **options):
        tls = context if request.param == "TLS" else None
        server = Server(scripts, tls=tls, on_accept=on_accept, receive_buffer=receive_buffer)
        servers.append(server)
        return server, connect(server, {**ENVIRON, "AWS_CA_BUNDLE": str(trusted)}, **options)

    yield make
    [server.close() for server in servers]


@pytest.fixture
def fresh_module():
    """Load a leaf a second time: what it does at import runs under the test's patches."""

    def load(module):
        spec = importlib.util.spec_from_file_location("shared_utils._fresh", module.__file__)
        fresh = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(fresh)
        return fresh

    return load


def read_strictly(line):
    """Read a line as the strictest reader does: no name twice, no NaN, no half surrogate pair."""

    def once(pairs):
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), names
        return dict(pairs)

    assert isinstance(orjson.loads(line.encode()), dict)
    return json.loads(line, object_pairs_hook=once)


@pytest.fixture(autouse=True)
def every_line_is_strict_json(monkeypatch):
    """Read each line that a test writes as the strictest reader does."""
    refused = []
    write_text = _stdout._write_text

    def look(stream, line):
        try:
            read_strictly(line)
        except Exception as error:  # it would be swallowed where it is raised
            refused.append((error, line[:500]))
        write_text(stream, line)

    monkeypatch.setattr(_stdout, "_write_text", look)
    monkeypatch.setattr(_stdout, "dropped", 0)  # what another test lost
    yield
    assert refused == []
