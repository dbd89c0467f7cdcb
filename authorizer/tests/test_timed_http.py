"""A GET ends in its time, wherever the server is slow, and brings what a fast one sends."""

import contextlib
import datetime
import itertools
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import timed_http
from timed_http import get

LIMIT_SECONDS = 0.4
# A byte comes four times within the limit: a time limit for each step alone would never end it.
PAUSE_SECONDS = 0.1
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


@contextlib.contextmanager
def server(answer):
    """Yield the port of a server that hands its first connection to `answer`, with what ends it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = threading.Event()

        def serve():
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(4096)
                answer(connection, ended)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        ended.set()
        thread.join()


def dripping(start, drops):
    """Return an answer that begins at once and goes on with a drop now and then."""

    def answer(connection, ended):
        connection.sendall(start)
        for drop in itertools.cycle(drops):
            if ended.wait(PAUSE_SECONDS):
                return
            connection.sendall(drop)

    return answer


def timed(url):
    """Return what a GET of 0.4 seconds raises, and how long that takes."""
    began = time.monotonic()
    with pytest.raises(OSError) as failed:  # noqa: PT011 - the caller looks at its type
        get(url, LIMIT_SECONDS, 1000)
    return type(failed.value), time.monotonic() - began


@pytest.mark.parametrize(
    ("scheme", "start", "drops"),
    [
        # The head of a TLS record of 16 KB, the rest of which never comes.
        pytest.param("https", b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb\x03\x03", [b"x"], id="tls"),
        pytest.param("http", b"", [b"H", b"T"], id="status-line"),
        pytest.param("http", HEAD[:17], [b"X: 1\r\n"], id="headers"),
        pytest.param("http", HEAD[:17] + b"X: ", [b"1"], id="one-header"),
        pytest.param("http", HEAD, [b" "], id="body"),
        pytest.param("http", HEAD[:17] + b"\r\n", [b" "], id="body-without-length"),
        pytest.param(
            "http",
            HEAD[:17] + b"Transfer-Encoding: chunked\r\n\r\n",
            [b"1\r\n \r\n"],
            id="body-in-chunks",
        ),
        pytest.param("http", HEAD[:9] + b"100 Continue\r\n\r\n", [b"H"], id="after-100"),
    ],
)
def test_what_drips_is_not_waited_for(scheme, start, drops):
    with server(dripping(start, drops)) as port:
        kind, seconds = timed(f"{scheme}://127.0.0.1:{port}/")

    assert kind is TimeoutError
    assert LIMIT_SECONDS <= seconds < 2 * LIMIT_SECONDS


@pytest.fixture
def silent():
    """Return the address of a server whose queue is full: what asks for a connection gets no answer."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()


def test_addresses_that_do_not_answer_have_the_time_together(silent, monkeypatch):
    found = (socket.AF_INET, socket.SOCK_STREAM, 6, "", silent)
    monkeypatch.setattr(timed_http.socket, "getaddrinfo", lambda *_, **__: [found] * 3)

    kind, seconds = timed("http://silent.example.com/")

    assert kind is TimeoutError
    assert LIMIT_SECONDS <= seconds < 2 * LIMIT_SECONDS


def test_next_address_is_tried_when_one_refuses(issuer, monkeypatch):
    port = int(issuer.url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refusing = closed.getsockname()
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
        for address in (refusing, ("127.0.0.1", port))
    ]
    monkeypatch.setattr(timed_http.socket, "getaddrinfo", lambda *_, **__: found)

    assert get("http://issuer.example.com/jwks", 3, 10_000)[0] == 200


def test_name_without_an_address_is_a_failure(monkeypatch):
    monkeypatch.setattr(timed_http.socket, "getaddrinfo", lambda *_, **__: [])

    assert timed("http://nowhere.example.com/")[0] is OSError


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", (200, b"abc")),
        (b"HTTP/1.1 200 OK\r\n\r\nabcdef", (200, b"abcde")),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", (200, b"abc")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            (200, b"abc"),
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
            (200, b"a"),
        ),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc", (404, b"")),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\n\r\n", (302, b"")),
    ],
    ids=["length", "until-the-end", "close", "chunks", "after-100", "status", "redirect"],
)
def test_answer_is_its_status_and_the_first_bytes_of_a_good_one(content, answer):
    with server(lambda connection, _: connection.sendall(content)) as port:
        assert get(f"http://127.0.0.1:{port}", 3, 5) == answer


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """Make this machine trust a certificate for `localhost`; return its file, which has the key too."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = tmp_path / "certificate.pem"
    private = key.private_bytes(*kinds, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(kinds[0]))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


@contextlib.contextmanager
def secure_server(certificate, answer):
    """Yield the port of a TLS server for one request, which it keeps in `asked`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended, asked = threading.Event(), []

        def serve():
            plain, _ = listening.accept()
            with (
                plain,
                contextlib.suppress(OSError),
                context.wrap_socket(plain, True) as connection,
            ):
                asked.append(connection.recv(4096))
                answer(connection, ended)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1], asked
        ended.set()
        thread.join()


def test_https_is_asked_under_its_name(certificate):
    content = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    with secure_server(certificate, lambda connection, _: connection.sendall(content)) as (
        port,
        asked,
    ):
        assert get(f"https://localhost:{port}/keys?p=1", 3, 5) == (200, b"{}")

    lines = asked[0].split(b"\r\n")
    assert lines[0] == b"GET /keys?p=1 HTTP/1.1"
    assert b"Host: localhost:%d" % port in lines


def test_https_that_drips_is_not_waited_for(certificate):
    with secure_server(certificate, dripping(HEAD, [b" "])) as (port, _):
        kind, seconds = timed(f"https://localhost:{port}/")

    assert kind is TimeoutError
    assert seconds < 2 * LIMIT_SECONDS


@pytest.mark.threat("read-on-the-way")
def test_certificate_for_another_name_is_refused(certificate):
    with secure_server(certificate, dripping(HEAD, [b" "])) as (port, asked):
        kind, _ = timed(f"https://127.0.0.1:{port}/")

    assert (kind, asked) == (ssl.SSLCertVerificationError, [])


def test_url_with_a_port_that_is_none_is_a_value_error():
    with pytest.raises(ValueError, match="Port"):
        get("http://localhost:99999", 3, 5)
