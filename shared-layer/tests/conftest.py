"""Servers that misbehave, and senders to them."""

import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from connections_server import ENVIRON, Server, make_certificate

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
