"""Settings of an endpoint: what an address must look like, and that nothing stands in between."""

import pytest

from shared_utils._aws_endpoint import Endpoint, misconfigured, region_of, split_url
from shared_utils.error_codes import ApplicationError, ErrorCode


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://example.com", (True, "example.com", 443, "")),
        ("HTTPS://Example.com:8443/A/b/", (True, "example.com", 8443, "/A/b")),
        ("http://localhost:8000", (False, "localhost", 8000, "")),
        ("http://127.1.2.3", (False, "127.1.2.3", 80, "")),
        ("http://[::1]:8000", (False, "::1", 8000, "")),
    ],
)
def test_address_is_taken_apart(url, place):
    assert split_url(url, "X must be a URL") == place


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("http://example.com", "'http://example.com'", id="plain-elsewhere"),
        pytest.param("http://moto:5000", "'http://moto:5000'", id="plain-to-a-name"),
        pytest.param("example.com", "'example.com'", id="no-scheme"),
        pytest.param("https://user:word@example.com", "a user name", id="password"),
        pytest.param("https://h/s?token=secret", "'https://h/s'", id="query"),
        pytest.param("https://h:0", "'https://h:0'", id="port"),
        pytest.param("https://h/../s", "'https://h/../s'", id="dots"),
    ],
)
@pytest.mark.threat("steered-requests")
def test_address_refused(url, shown):
    with pytest.raises(ApplicationError) as caught:
        split_url(url, "X must be a URL")

    assert caught.value.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert caught.value.message == f"X must be a URL, got {shown}"


def test_hosts_for_plain_http_can_be_more():
    assert split_url("http://moto:5000", "X", "moto") == (False, "moto", 5000, "")


@pytest.mark.parametrize(
    ("environ", "region"),
    [
        ({"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}, "a"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "b"}, "b"),
        ({}, ""),
    ],
)
def test_region_of_the_environment(environ, region):
    assert region_of(environ) == region


@pytest.mark.parametrize(
    ("place", "header"),
    [
        ((True, "example.com", 443, "/"), "example.com"),
        ((True, "example.com", 80, "/"), "example.com:80"),
        ((False, "localhost", 80, "/"), "localhost"),
        ((False, "::1", 8000, "/"), "[::1]:8000"),
    ],
)
def test_host_header_has_the_port_unless_it_is_the_usual_one(place, header):
    assert Endpoint(place, "eu-west-1", "dynamodb", environ={}).host_header == header


def test_one_socket_is_the_least():
    place = (True, "example.com", 443, "/")

    assert Endpoint(place, "eu-west-1", "dynamodb", max_sockets=0, environ={}).max_sockets == 1


PROXY = {"HTTPS_PROXY": "http://proxy:3128"}


@pytest.mark.parametrize(
    ("host", "environ"),
    [
        ("example.com", {**PROXY, "NO_PROXY": "*"}),
        ("example.com", {**PROXY, "no_proxy": "other, .Example.com:443"}),
        ("a.example.com", {**PROXY, "NO_PROXY": "example.com"}),
        ("localhost", PROXY),
        ("127.0.0.1", PROXY),
    ],
)
def test_way_without_a_proxy(host, environ):
    assert Endpoint((True, host, 443, "/"), "r", "dynamodb", environ=environ).host == host


def test_proxy_for_https_has_nothing_to_do_with_http():
    assert Endpoint((False, "moto", 5000, "/"), "r", "dynamodb", environ=PROXY).host == "moto"


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.threat("steered-requests")
def test_proxy_is_refused_by_name(name):
    environ = {name: "http://user:word@proxy", "NO_PROXY": "ample.com"}

    with pytest.raises(ApplicationError) as caught:
        Endpoint((True, "example.com", 443, "/"), "r", "dynamodb", environ=environ)

    assert caught.value.message == (
        f"{name} is set, but no proxy is spoken here: add example.com to NO_PROXY"
    )


def test_misconfigured():
    assert misconfigured("X is not set").code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
