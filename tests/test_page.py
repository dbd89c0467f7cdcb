"""The page's server, over real sockets."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local import page as page_module
from local.page import Page, _Lines, sign_in_config
from local.up import sign_in_of

ROOT = Path(__file__).parent.parent


@pytest.fixture
def page():
    """Return a page that is served."""
    page = Page({"url": "ws://127.0.0.1:1/dev"})
    page.start()
    yield page
    page.close()


@pytest.fixture
def ask(page):
    """Return a function that asks for a path, and what ends its connections."""
    connections = []

    def get(path, method="GET", **headers):
        connection = http.client.HTTPConnection(urlsplit(page.url).netloc, timeout=10)
        connections.append(connection)
        connection.request(method, path, headers=headers)
        return connection.getresponse()

    yield get
    for connection in connections:
        connection.close()


@pytest.mark.parametrize(
    ("path", "kind", "begins"),
    [
        pytest.param("/", "text/html; charset=utf-8", b"<!doctype html>", id="index"),
        pytest.param(
            "/protocol/messages.js", "text/javascript; charset=utf-8", b"/**", id="module"
        ),
        pytest.param("/style.css?x=1", "text/css; charset=utf-8", b"", id="query"),
        pytest.param("/sample.wav", "audio/wav", b"RIFF", id="sample"),
    ],
)
def test_file_is_served(ask, path, kind, begins):
    answer = ask(path)

    assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
    assert answer.read().startswith(begins)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/../README.md", id="outside"),
        pytest.param("/%2e%2e/local/page.py", id="outside-escaped"),
        pytest.param("//etc/passwd", id="absolute"),
        pytest.param("/node_modules/axe-core/axe.min.js", id="packages"),
        pytest.param("/tests/client.test.mjs", id="tests"),
        pytest.param("/vendor/README.md", id="document"),
        pytest.param("/package.json", id="other-kind"),
        pytest.param("/protocol", id="folder"),
        pytest.param("/%00", id="nul"),
        pytest.param("/" + "x" * 5000, id="long"),
    ],
)
def test_what_is_no_part_of_the_page_is_not_served(ask, path):
    assert ask(path).status == 404


def test_settings_are_those_that_were_handed_in(ask):
    assert json.loads(ask("/config.json").read()) == {
        "url": "ws://127.0.0.1:1/dev",
        "operator": "operator",
        "sample": "sample.wav",
    }


@pytest.mark.parametrize("path", ["/", "/operator", "/config.json"])
@pytest.mark.threat("dns-rebinding")
def test_another_name_for_this_machine_is_refused(ask, path):
    """A page of another site could have its name resolve to 127.0.0.1."""
    assert ask(path, Host="evil.example").status == 403


@pytest.mark.threat("script-from-elsewhere", "script-in-text", "framing")
def test_nothing_may_come_from_elsewhere_and_the_page_says_so_itself(ask):
    """A host of one's own may send no header; there, who may frame the page stays open."""
    answer = ask("/")
    served = answer.headers["Content-Security-Policy"]
    [own] = re.findall(
        r'http-equiv="Content-Security-Policy" content="([^"]+)"', answer.read().decode()
    )

    assert served == f"{own}; frame-ancestors 'none'"
    assert served.startswith("default-src 'self';")
    assert "unsafe" not in served
    assert re.search(r"[ ;](\*|ws:|http:|data: blob:)[ ;]", served) is None


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("[::1]:{}", id="ipv6"),
        pytest.param("localhost.:{}", id="trailing-dot"),
        pytest.param("127.0.0.1", id="no-port"),
        pytest.param("127.0.0.1.nip.example:{}", id="longer"),
        pytest.param("user@127.0.0.1:{}", id="user"),
        pytest.param("", id="empty"),
        pytest.param(None, id="missing"),
    ],
)
@pytest.mark.threat("dns-rebinding")
def test_host_that_is_not_ours_to_the_letter_is_refused(page, host):
    """It listens on 127.0.0.1 only, so that nobody comes by another name unless led here."""
    port = urlsplit(page.url).port
    line = "" if host is None else f"Host: {host.format(port)}\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(f"GET /config.json HTTP/1.1\r\n{line}Connection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(4096), b""))

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.endswith(b"This is served to this machine only.\n")


def test_localhost_is_this_machine(page, ask):
    assert ask("/config.json", Host=f"localhost:{urlsplit(page.url).port}").status == 200


def test_nothing_of_a_request_is_written_anywhere(ask, capfd):
    ask("/?code=secret-code&state=secret-state", Authorization="Bearer secret-token")
    ask("/nowhere?access_token=secret-token")
    ask("/operator", method="POST", Authorization="Bearer secret-token")

    assert capfd.readouterr() == ("", "")


def test_head_has_no_body(ask):
    answer = ask("/", method="HEAD")

    assert int(answer.headers["Content-Length"]) > 100
    assert answer.read() == b""


def next_event(answer):
    fields = {}
    while line := answer.readline().decode().rstrip("\n"):
        name, _, value = line.partition(": ")
        fields[name] = value
    return fields


def test_lines_are_streamed_those_before_and_those_after(page, ask):
    page.publish("audio", '{"message":"before"}')
    stream = ask("/operator")
    first = next_event(stream)
    page.publish("session", "after\u2028\nwith a break", "i-1")
    second = next_event(stream)

    assert first["id"] == "1"
    assert json.loads(first["data"]) | {"time": 0} == {
        "id": 1,
        "function": "audio",
        "invocation": "",
        "line": '{"message":"before"}',
        "time": 0,
    }
    assert json.loads(second["data"])["line"] == "after\u2028\nwith a break"
    assert json.loads(second["data"])["invocation"] == "i-1"


def test_report_of_the_sessions_comes_beside_the_lines_the_last_one_at_once(page, ask):
    """It has no id: a stream that is opened again goes on after the last line."""
    page.publish_sessions({"sessions": ["old"]})
    page.publish_sessions({"sessions": ["new"]})
    stream = ask("/operator")
    first = next_event(stream)
    page.publish("audio", "line")
    second = next_event(stream)

    assert first == {"event": "sessions", "data": '{"sessions": ["new"]}'}
    assert second["id"] == "1"
    assert "event" not in second


def test_page_is_watched_while_a_stream_is_open(page, ask):
    assert not page.is_watched
    stream = ask("/operator")
    page.publish("audio", "line")
    next_event(stream)
    assert page.is_watched

    stream.close()
    until = time.monotonic() + 20
    while page.is_watched and time.monotonic() < until:
        page.publish("audio", "{}")  # by which it is noticed that the reader has gone
        time.sleep(0.01)

    assert not page.is_watched


@pytest.mark.parametrize(
    ("last", "first"),
    [
        pytest.param("1", "2", id="goes-on"),
        pytest.param("99", "1", id="of-an-earlier-run"),
        pytest.param("x", "1", id="no-number"),
    ],
)
def test_stream_goes_on_after_the_last_event(page, ask, last, first):
    page.publish("audio", "one")
    page.publish("audio", "two")

    assert next_event(ask("/operator", **{"Last-Event-ID": last}))["id"] == first


def test_only_so_many_lines_are_kept(page, ask):
    for number in range(2001):
        page.publish("audio", str(number))

    assert next_event(ask("/operator"))["id"] == "2"


def test_closing_ends_open_streams(ask):
    page = Page({})
    page.start()
    connection = http.client.HTTPConnection(urlsplit(page.url).netloc, timeout=10)
    connection.request("GET", "/operator")
    stream = connection.getresponse()

    page.close()

    assert stream.read() in (b"", b": nothing new\n\n")
    connection.close()


def test_a_page_that_was_never_started_can_be_closed():
    Page({}).close()


def test_page_of_an_api_elsewhere_has_no_operator():
    """What `python -m local.page wss://...` serves."""
    command = [sys.executable, "-m", "local.page", "wss://api.example.com/prod"]
    command += ["--issuer", "https://i.example", "--client-id", "page", "--scope", "openid speak"]
    served = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        connection = http.client.HTTPConnection(
            urlsplit(served.stdout.readline()).netloc, timeout=10
        )
        connection.request("GET", "/config.json")
        config = json.loads(connection.getresponse().read())
        connection.request("GET", "/operator")
        status = connection.getresponse().status
        connection.close()
    finally:
        served.terminate()
        served.wait(10)
        served.stdout.close()

    sign_in = {"issuer": "https://i.example", "clientId": "page", "scope": "openid speak"}
    assert config == {"url": "wss://api.example.com/prod", "sample": "sample.wav", **sign_in}
    assert status == 404


def refusal(*arguments):
    """Return the exit code and the last line of `python -m local.page`."""
    command = [sys.executable, "-m", "local.page", *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    return run.returncode, run.stderr.splitlines()[-1].partition("error: ")[2]


@pytest.mark.parametrize(
    "given",
    [
        ["--issuer", "https://issuer.example"],
        ["--client-id", "page", "--scope", "openid"],
        ["--listeners-need-token"],
    ],
)
def test_issuer_client_and_scope_go_together(given):
    sentence = "an issuer, a client id and a scope go together"

    assert refusal("wss://api.example.com/prod", *given) == (2, sentence)


@pytest.mark.parametrize(
    "url", ["ws://api.example.com/prod", "https://api.example.com/prod", "wss:", "api.example.com"]
)
def test_api_that_the_page_could_not_ask_is_refused(url):
    sentence = "the API's address must begin with wss://, or ws:// on this machine"

    assert refusal(url) == (2, sentence)


def test_issuer_without_tls_is_on_this_machine():
    with pytest.raises(ValueError, match="issuer must begin with https://, or http://"):
        sign_in_config("http://issuer.example", "page", "openid")

    assert sign_in_config("http://127.0.0.1:7", "page", "openid", listeners=True) == {
        "issuer": "http://127.0.0.1:7",
        "clientId": "page",
        "scope": "openid",
        "listenersNeedToken": True,
    }


@pytest.mark.parametrize(
    ("settings", "client_id", "config"),
    [
        pytest.param({}, None, {}, id="open"),
        pytest.param(
            {"SPEAKER_ISSUER": "https://i.example", "SPEAKER_AUDIENCE": "a"},
            None,
            {"issuer": "https://i.example", "clientId": "a", "scope": "openid"},
            id="audience-is-the-client",
        ),
        pytest.param(
            {
                "SPEAKER_ISSUER": "https://i.example",
                "SPEAKER_AUDIENCE": "a",
                "SPEAKER_SCOPE": "speak",
                "LISTENERS_NEED_TOKEN": "true",
            },
            "page",
            {
                "issuer": "https://i.example",
                "clientId": "page",
                "scope": "speak",
                "listenersNeedToken": True,
            },
            id="all",
        ),
    ],
)
def test_page_of_the_local_system_has_the_functions_issuer(settings, client_id, config):
    assert sign_in_of(settings, client_id) == config


def test_what_is_kept_for_a_page_is_bounded_in_lines_and_in_characters(monkeypatch):
    monkeypatch.setattr(page_module, "_KEPT_LINES", 3)
    monkeypatch.setattr(page_module, "_KEPT_CHARACTERS", 1_000)
    lines = _Lines()

    for text in ("a", "b", "c", "d"):
        lines.add("audio", text, "", 0)
    few = [line.id for line in lines.after(0, 0, 0)[0]]
    lines.add("audio", "x" * 900, "", 0)
    long = [line.id for line in lines.after(0, 0, 0)[0]]
    lines.add("audio", "x" * 2_000, "", 0)
    too_long = [line.id for line in lines.after(0, 0, 0)[0]]

    assert few == [2, 3, 4]
    assert long == [5]
    assert too_long == [6]


def test_page_that_is_one_too_many_is_refused_and_has_its_turn_later(ask, page, monkeypatch):
    page._server.streams = threading.BoundedSemaphore(1)
    first = ask("/operator")
    second = ask("/operator")
    assert (first.status, second.status) == (200, 503)

    first.close()
    page.publish("audio", "{}")
    until = time.monotonic() + 20
    while (status := ask("/operator", "HEAD").status) == 503 and time.monotonic() < until:
        page.publish("audio", "{}")  # by which it is noticed that the reader has gone
        time.sleep(0.01)

    assert status == 200
