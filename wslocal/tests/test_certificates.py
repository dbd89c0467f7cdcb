"""The run's certificates are accepted by those who trust its authority, and by nobody else."""

import asyncio
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from wslocal.certificates import Certificates
from wslocal.loop import LoopThread

PYENV = Path.home() / ".pyenv" / "versions"
PYTHONS = [sys.executable, *map(str, sorted(PYENV.glob("3.1[2-9].*/bin/python")))]
ASK = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
context.verify_flags |= ssl.VERIFY_X509_STRICT
with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as raw:
    with context.wrap_socket(raw, server_hostname=sys.argv[3]) as secure:
        print(secure.recv(10).decode())
"""


async def greet(reader, writer):
    writer.write(b"hello")
    writer.close()


@pytest.fixture
def certificates(tmp_path):
    return Certificates(tmp_path)


@pytest.fixture
def port(certificates):
    """Return the port of a server that serves the names of amazonaws.com."""
    with LoopThread() as loop:
        context = certificates.context(lambda name: name.endswith(".amazonaws.com"))

        async def start():
            return await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context)

        server = loop.enter(loop.run(start()))
        yield server.sockets[0].getsockname()[1]


def hello(port, name, cafile):
    context = ssl.create_default_context(cafile=cafile)
    with (
        socket.create_connection(("127.0.0.1", port)) as raw,
        context.wrap_socket(raw, server_hostname=name) as secure,
    ):
        return secure.recv(10)


@pytest.mark.parametrize(
    "name",
    [
        "127.0.0.1",
        "localhost",
        "abc.execute-api.us-east-1.amazonaws.com",
        "dynamodb.us-east-1.amazonaws.com",
        "bucket.s3.us-east-1.amazonaws.com",
        "s3.amazonaws.com",
    ],
)
def test_names_are_trusted(certificates, port, name):
    assert hello(port, name, certificates.ca_file) == b"hello"
    assert hello(port, name, certificates.bundle_file) == b"hello"


def test_name_that_is_not_served(certificates, port):
    with pytest.raises(ssl.SSLCertVerificationError):
        hello(port, "example.com", certificates.ca_file)


def test_name_that_no_certificate_can_have(certificates, port):
    with pytest.raises(ssl.SSLError):
        hello(port, "my_bucket.amazonaws.com", certificates.ca_file)


def test_authority_of_another_run(certificates, port, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()

    with pytest.raises(ssl.SSLCertVerificationError):
        hello(port, "127.0.0.1", Certificates(folder).ca_file)


@pytest.mark.parametrize("python", PYTHONS)
def test_strict_check(certificates, port, python):
    """From 3.13 on Python asks for all that RFC 5280 does."""
    name = "abc.execute-api.us-east-1.amazonaws.com"
    ended = subprocess.run(
        [python, "-c", ASK, str(certificates.ca_file), str(port), name],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert ended.stdout == "hello\n", ended.stderr


def test_no_key_is_written(certificates, tmp_path):
    certificates.context()

    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert set(written) == {"ca.pem", "ca-bundle.pem"}
    assert [name for name, text in written.items() if "PRIVATE" in text] == []


def test_bundle_has_what_the_system_trusts(tmp_path, monkeypatch):
    system = tmp_path / "system.pem"
    system.write_text("what the system trusts\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(system))

    certificates = Certificates(tmp_path)

    own = certificates.ca_file.read_text()
    assert certificates.bundle_file.read_text() == f"what the system trusts\n\n{own}"
