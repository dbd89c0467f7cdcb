"""The page's server, over real sockets."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local import page as page_module
from local.page import Page, _Lines


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
def test_another_name_for_this_machine_is_refused(ask, path):
    """A page of another site could have its name resolve to 127.0.0.1."""
    assert ask(path, Host="evil.example").status == 403


def test_nothing_may_come_from_elsewhere(ask):
    policy = ask("/").headers["Content-Security-Policy"]

    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy


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
    page.publish("session", "after\u2028\nwith a break")
    second = next_event(stream)

    assert first["id"] == "1"
    assert json.loads(first["data"]) | {"time": 0} == {
        "id": 1,
        "function": "audio",
        "line": '{"message":"before"}',
        "time": 0,
    }
    assert json.loads(second["data"])["line"] == "after\u2028\nwith a break"


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
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "local.page", "wss://api.example.com/prod"]
    served = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
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

    assert config == {"url": "wss://api.example.com/prod", "sample": "sample.wav"}
    assert status == 404


def test_what_is_kept_for_a_page_is_bounded_in_lines_and_in_characters(monkeypatch):
    monkeypatch.setattr(page_module, "_KEPT_LINES", 3)
    monkeypatch.setattr(page_module, "_KEPT_CHARACTERS", 1_000)
    lines = _Lines()

    for text in ("a", "b", "c", "d"):
        lines.add("audio", text, 0)
    few = [line.id for line in lines.after(0, 0)]
    lines.add("audio", "x" * 900, 0)
    long = [line.id for line in lines.after(0, 0)]
    lines.add("audio", "x" * 2_000, 0)
    too_long = [line.id for line in lines.after(0, 0)]

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
