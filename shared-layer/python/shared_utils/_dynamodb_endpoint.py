"""Which address DynamoDB has, by the same variables and rules as the SDKs.

Nothing is looked up; what is set and not supported is refused by its name.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

from __future__ import annotations

import re

from ._aws_endpoint import THIS_MACHINE, misconfigured, region_of, split_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["place_and_region"]

_WANTED = (
    "DynamoDB's endpoint (AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL) must look like https://host"
    " (http:// for an emulator on this machine or in a container's or private network only)"
)
# Hosts that cannot be AWS: this machine, a container's name, Docker's host, private addresses
# (RFC 1918). Signed requests hold no secret, but items would travel readable.
_EMULATOR_HOSTS = (
    rf"{THIS_MACHINE}|[a-z0-9_-]+|([a-z0-9_-]+\.)*(localhost|host\.docker\.internal"
    r"|localhost\.localstack\.cloud)"
    r"|(10|172\.(1[6-9]|2[0-9]|3[01])|192\.168)(\.[0-9]{1,3}){2,3}"
)
# How a region begins: DNS suffix, and the one with IPv6. All others: amazonaws.com, api.aws.
# From botocore's data/partitions.json.
_SUFFIXES = {
    "cn-": ("amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    "eusc-": ("amazonaws.eu", "api.amazonwebservices.eu"),
    "us-iso-": ("c2s.ic.gov", "api.aws.ic.gov"),
    "us-isob-": ("sc2s.sgov.gov", "api.aws.scloud"),
    "eu-isoe-": ("cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    "us-isof-": ("csp.hci.ic.gov", "api.aws.hci.ic.gov"),
}


def place_and_region(
    endpoint: str | None, region: str | None, environ: Mapping[str, str]
) -> tuple[tuple[bool, str, int, str], str]:
    """Return TLS or not, host, port and path, and the region to sign for."""
    for name, given in (("endpoint", endpoint), ("region", region)):
        if not isinstance(given, (str, type(None))):
            raise misconfigured(f"{name} must be text, got {type(given).__name__[:40]}")
    region = region or region_of(environ)
    if not region:
        raise misconfigured("AWS_REGION is not set")
    if not re.fullmatch(r"[A-Za-z0-9-]{1,40}", region):
        raise misconfigured("AWS_REGION must look like eu-west-1")
    url = endpoint or _configured_url(environ)
    fips = _is_on(environ, "AWS_USE_FIPS_ENDPOINT")
    dual_stack = _is_on(environ, "AWS_USE_DUALSTACK_ENDPOINT")
    if environ.get("AWS_ACCOUNT_ID_ENDPOINT_MODE", "").lower() == "required":
        raise misconfigured("AWS_ACCOUNT_ID_ENDPOINT_MODE=required is not supported")
    if not url:
        url = _url_by_rule(region, fips, dual_stack)
    elif fips or dual_stack:
        name = "AWS_USE_FIPS_ENDPOINT" if fips else "AWS_USE_DUALSTACK_ENDPOINT"
        raise misconfigured(f"{name} is not supported together with an endpoint of one's own")
    tls, host, port, path = split_url(url, _WANTED, _EMULATOR_HOSTS)
    return (tls, host, port, f"{path}/"), region


def _configured_url(environ: Mapping[str, str]) -> str:
    if _is_on(environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        return ""
    return environ.get("AWS_ENDPOINT_URL_DYNAMODB") or environ.get("AWS_ENDPOINT_URL") or ""


def _is_on(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip().lower()
    if value not in ("", "true", "false"):
        raise misconfigured(f"{name} must be true or false")
    return value == "true"


def _url_by_rule(region: str, fips: bool, dual_stack: bool) -> str:
    """Return the region's address; botocore's dynamodb/endpoint-rule-set has the same rules."""
    if not re.fullmatch(r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}", region):
        raise misconfigured("AWS_REGION must look like eu-west-1")
    begins = next((start for start in _SUFFIXES if region.startswith(start)), "")
    suffix = _SUFFIXES.get(begins, ("amazonaws.com", "api.aws"))[dual_stack]
    # Every endpoint of GovCloud is one.
    named = "-fips" if fips and (dual_stack or not region.startswith("us-gov-")) else ""
    return f"https://dynamodb{named}.{region}.{suffix}"
