"""DynamoDB's address: by variable, by region, and what is refused by its name."""

import pytest

from shared_utils._dynamodb_endpoint import place_and_region
from shared_utils.error_codes import ApplicationError, ErrorCode


def host(region, **environ):
    (tls, found, port, path), _ = place_and_region(None, region, environ)
    assert (tls, port, path) == (True, 443, "/")
    return found


@pytest.mark.parametrize(
    ("region", "plain", "dual_stack"),
    [
        ("eu-west-1", "eu-west-1.amazonaws.com", "eu-west-1.api.aws"),
        ("ap-southeast-5", "ap-southeast-5.amazonaws.com", "ap-southeast-5.api.aws"),
        ("us-gov-west-1", "us-gov-west-1.amazonaws.com", "us-gov-west-1.api.aws"),
        (
            "cn-north-1",
            "cn-north-1.amazonaws.com.cn",
            "cn-north-1.api.amazonwebservices.com.cn",
        ),
        (
            "eusc-de-east-1",
            "eusc-de-east-1.amazonaws.eu",
            "eusc-de-east-1.api.amazonwebservices.eu",
        ),
        ("us-iso-east-1", "us-iso-east-1.c2s.ic.gov", "us-iso-east-1.api.aws.ic.gov"),
        ("us-isob-east-1", "us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1.api.aws.scloud"),
        (
            "eu-isoe-west-1",
            "eu-isoe-west-1.cloud.adc-e.uk",
            "eu-isoe-west-1.api.cloud-aws.adc-e.uk",
        ),
        ("us-isof-south-1", "us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1.api.aws.hci.ic.gov"),
    ],
)
def test_host_of_a_region(region, plain, dual_stack):
    assert host(region) == f"dynamodb.{plain}"
    assert host(region, AWS_USE_DUALSTACK_ENDPOINT="true") == f"dynamodb.{dual_stack}"


@pytest.mark.parametrize(
    ("region", "dual_stack", "found"),
    [
        ("us-east-1", "false", "dynamodb-fips.us-east-1.amazonaws.com"),
        ("ca-west-1", "TRUE", "dynamodb-fips.ca-west-1.api.aws"),
        ("us-gov-east-1", "", "dynamodb.us-gov-east-1.amazonaws.com"),
        ("us-gov-east-1", "true", "dynamodb-fips.us-gov-east-1.api.aws"),
    ],
)
def test_host_of_a_region_under_fips(region, dual_stack, found):
    environ = {"AWS_USE_FIPS_ENDPOINT": "True", "AWS_USE_DUALSTACK_ENDPOINT": dual_stack}

    assert host(region, **environ) == found


@pytest.mark.parametrize(
    ("endpoint", "environ", "found"),
    [
        (None, {"AWS_ENDPOINT_URL": "https://a"}, "a"),
        (None, {"AWS_ENDPOINT_URL": "https://a", "AWS_ENDPOINT_URL_DYNAMODB": "https://b"}, "b"),
        ("https://c", {"AWS_ENDPOINT_URL_DYNAMODB": "https://b"}, "c"),
        (
            None,
            {"AWS_ENDPOINT_URL": "https://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "dynamodb.eu-west-1.amazonaws.com",
        ),
    ],
)
def test_endpoint_that_is_set_comes_first(endpoint, environ, found):
    (_, host, _, _), region = place_and_region(endpoint, "eu-west-1", environ)

    assert (host, region) == (found, "eu-west-1")


def test_region_comes_from_the_environment():
    place, region = place_and_region(None, None, {"AWS_REGION": "eu-north-1"})

    assert (place[1], region) == ("dynamodb.eu-north-1.amazonaws.com", "eu-north-1")


@pytest.mark.parametrize(
    "address",
    [
        *("localhost", "127.0.0.1", "[::1]", "moto", "dynamodb-local", "host.docker.internal"),
        *("localhost.localstack.cloud", "dynamodb.localhost", "10.0.0.7", "172.17.0.1"),
        *("172.31.255.255", "192.168.1.20"),
    ],
)
def test_emulator_is_spoken_to_without_tls(address):
    (tls, _, port, path), _ = place_and_region(f"http://{address}:8000/", "eu-west-1", {})

    assert (tls, port, path) == (False, 8000, "/")


@pytest.mark.parametrize(
    "address",
    [
        *("dynamodb.eu-west-1.amazonaws.com", "example.com", "moto.example.com", "172.32.0.1"),
        *("172.15.0.1", "11.0.0.7", "192.169.1.1", "10.0.0.7.example.com"),
        "host.docker.internal.example.com",
    ],
)
def test_nobody_else_is(address):
    with pytest.raises(ApplicationError) as caught:
        place_and_region(f"http://{address}", "eu-west-1", {})

    assert caught.value.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert caught.value.message.startswith(
        "DynamoDB's endpoint (AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL) must look like"
        " https://host (http:// for an emulator on this machine or in a container's or private"
        " network only), got 'http://"
    )


REGION = {"AWS_REGION": "eu-west-1"}
OWN = {**REGION, "AWS_ENDPOINT_URL": "https://a"}


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "AWS_REGION is not set"),
        ({"AWS_REGION": "eu west"}, "AWS_REGION must look like eu-west-1"),
        ({"AWS_REGION": "local"}, "AWS_REGION must look like eu-west-1"),
        ({"AWS_REGION": "eu-west-1.evil.test"}, "AWS_REGION must look like eu-west-1"),
        (
            {**REGION, "AWS_USE_FIPS_ENDPOINT": "yes"},
            "AWS_USE_FIPS_ENDPOINT must be true or false",
        ),
        (
            {**REGION, "AWS_ACCOUNT_ID_ENDPOINT_MODE": "Required"},
            "AWS_ACCOUNT_ID_ENDPOINT_MODE=required is not supported",
        ),
        (
            {**OWN, "AWS_USE_FIPS_ENDPOINT": "true"},
            "AWS_USE_FIPS_ENDPOINT is not supported together with an endpoint of one's own",
        ),
        (
            {**OWN, "AWS_USE_DUALSTACK_ENDPOINT": "true"},
            "AWS_USE_DUALSTACK_ENDPOINT is not supported together with an endpoint of one's own",
        ),
    ],
)
def test_setting_that_cannot_be_used_is_refused_by_name(environ, message):
    with pytest.raises(ApplicationError) as caught:
        place_and_region(None, None, environ)

    assert (caught.value.code, caught.value.message) == ("INTERNAL_CONFIGURATION_ERROR", message)


@pytest.mark.parametrize(
    ("endpoint", "region", "message"),
    [
        (8000, "eu-west-1", "endpoint must be text, got int"),
        (None, b"eu-west-1", "region must be text, got bytes"),
    ],
)
def test_endpoint_and_region_are_text(endpoint, region, message):
    with pytest.raises(ApplicationError) as caught:
        place_and_region(endpoint, region, {})

    assert caught.value.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR
    assert caught.value.message == message
