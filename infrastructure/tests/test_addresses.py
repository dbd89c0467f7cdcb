"""An address is one in form, and says whose machine it leads to."""

import pytest

from broadcast.settings import plain_origin as plain_origin_of_functions
from infrastructure.addresses import (
    Address,
    browser_url,
    is_callback,
    parse_address,
    plain_origin,
)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://login.example.com", Address("https", "login.example.com")),
        ("https://Login.Example.com:65535/a/b", Address("https", "login.example.com")),
        ("http://[::1]:8000/", Address("http", "::1")),
        ("http://127.0.0.1:1", Address("http", "127.0.0.1")),
        (f"https://{'a' * 63}.example", Address("https", f"{'a' * 63}.example")),
    ],
    ids=["name", "port-and-path", "ipv6", "ipv4", "longest-label"],
)
def test_address(url, address):
    assert parse_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "https://..",
        "https://a..example",
        "https://.example",
        "https://-a.example",
        "https://a-.example",
        f"https://{'a' * 64}.example",
        f"https://{'a.' * 126}ab",
        "https://a.example:0",
        "https://a.example:65536",
        "https://a.example:",
        "https://1.2.3",
        "https://256.0.0.1",
        "https://[::g]",
        "https://[127.0.0.1]",
        "https://a_b.example",
        "https://user@a.example",
        "https://a.example?q",
        "https://a.example#f",
        "https://a.example\n",
        "ftp://a.example",
        "a.example",
        "",
    ],
)
def test_no_address(url):
    assert parse_address(url) is None


@pytest.mark.parametrize(
    ("host", "this_machine", "internet"),
    [
        ("login.example.com", False, True),
        ("8.8.8.8", False, True),
        ("localhost", True, False),
        ("127.0.0.1", True, False),
        ("127.9.9.9", True, False),
        ("::1", True, False),
        ("10.0.0.1", False, False),
        ("169.254.169.254", False, False),
        ("login", False, False),
        ("login.localhost", False, False),
        ("127.0.0.1.example.com", False, True),
    ],
)
def test_whose_machine(host, this_machine, internet):
    address = Address("https", host)

    assert (address.is_this_machine, address.is_on_the_internet) == (this_machine, internet)


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://a.example/speak", True),
        ("http://localhost:8000/", True),
        ("http://127.0.0.1:8000/", False),
        ("http://a.example/", False),
        ("https://../", False),
        ("https://a.example/ ", False),
    ],
)
def test_callback(url, good):
    assert is_callback(url) is good


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://A.Example", "https://a.example/"),
        ("https://A.example:8443/Speak/", "https://a.example:8443/Speak/"),
    ],
)
def test_browser_url(url, shown):
    assert browser_url(url) == shown


@pytest.mark.parametrize("origin", [" https://A.example// ", "https://a.example", "/", ""])
def test_plain_origin_is_that_of_the_functions(origin):
    assert plain_origin(origin) == plain_origin_of_functions(origin)
