"""The names under which APIs are reached: API Gateway's own, and custom domains with their mappings.

https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-custom-domain-names.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wslocal.http1 import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["CustomDomains", "StageNames", "endpoint_name", "names_of", "read_custom_domains"]

# By domain, by mapping key (empty: the domain itself): the API's id and the stage.
CustomDomains = dict[str, dict[str, tuple[str, str]]]


def endpoint_name(api_id: str, region: str) -> str:
    """Return the name that API Gateway gives to an API."""
    return f"{api_id}.execute-api.{region}.amazonaws.com"


def read_custom_domains(client: Any) -> CustomDomains:
    """Return what `client`, of apigatewayv2, says."""
    domains: CustomDomains = {}
    for page in client.get_paginator("get_domain_names").paginate():
        for item in page["Items"]:
            domains[item["DomainName"].lower()] = {
                mapping.get("ApiMappingKey", ""): (mapping["ApiId"], mapping["Stage"])
                for mapping in _mappings(client, item["DomainName"])
            }
    return domains


def _mappings(client: Any, domain: str) -> Iterator[dict[str, Any]]:
    """Return all mappings of a domain; boto3 has no paginator for them."""
    more: dict[str, str] = {}
    while True:
        page = client.get_api_mappings(DomainName=domain, **more)
        yield from page["Items"]
        if not page.get("NextToken"):
            return
        more = {"NextToken": page["NextToken"]}


@dataclass(frozen=True, slots=True)
class StageNames:
    """Under which names one stage is reached, and what stands before `/@connections` there."""

    api_id: str
    stage: str
    endpoint: str  # the name that API Gateway gives to the API
    is_endpoint_disabled: bool  # DisableExecuteApiEndpoint
    custom: Mapping[str, frozenset[str]]  # mapping keys by domain

    def is_endpoint(self, host: str) -> bool:
        """Return whether a name is the API's, in whatever region: code may have one that is not ours."""
        return host.startswith(f"{self.api_id}.execute-api.") and host.endswith(".amazonaws.com")

    def leads_here(self, host: str, base: str) -> bool:
        """Return whether a client that asks `host` for the path `base` means this stage.

        This machine's own names mean what the API's does, also where that is disabled.
        """
        if host in self.custom:
            return base in self.custom[host]
        return base == self.stage and not (self.is_endpoint_disabled and self.is_endpoint(host))

    def public_name(self, host: str) -> str:
        """Return the name that functions get to know for a client that came to `host`.

        For a client of this machine's own names that is one with which they can call back.
        """
        if host in self.custom or self.is_endpoint(host):
            return host
        if self.is_endpoint_disabled and self.custom:
            return min(self.custom)
        return self.endpoint

    @property
    def hosts(self) -> frozenset[str]:
        """All names that a request may have as its `Host`."""
        return LOOPBACK | {self.endpoint, *self.custom}


def names_of(
    api_id: str, stage: str, region: str, *, is_endpoint_disabled: bool, domains: CustomDomains
) -> StageNames:
    """Return the names of a stage."""
    custom = {
        domain: frozenset(key for key, target in keys.items() if target == (api_id, stage))
        for domain, keys in domains.items()
    }
    return StageNames(
        api_id=api_id,
        stage=stage,
        endpoint=endpoint_name(api_id, region),
        is_endpoint_disabled=is_endpoint_disabled,
        custom={domain: keys for domain, keys in custom.items() if keys},
    )
