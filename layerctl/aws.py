"""Clients as the AWS CLI would make them, and AWS's refusals in one line that says what to do."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore import exceptions
from botocore.config import Config

from layerctl.errors import AwsError, LayerctlError, WrongInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Aws", "code_of", "download", "explain"]

_DOWNLOAD_SECONDS = 60.0


class Aws:
    """The services that the tool talks to; each client is made when it is first used."""

    def __init__(
        self,
        profile: str | None = None,
        region: str | None = None,
        endpoint: str | None = None,
        session: boto3.Session | None = None,
    ) -> None:
        self._profile = profile
        self._given = session
        # The AWS CLI reads AWS_REGION first; boto3 knows AWS_DEFAULT_REGION only.
        self.chosen_region = region or ""
        self._region = region or os.environ.get("AWS_REGION") or None
        self._endpoint = endpoint or None

    def in_region(self, region: str) -> Aws:
        """Return the same in another region; a profile that asks for a code asks once for all."""
        return Aws(self._profile, region, self._endpoint, self._session)

    @property
    def region(self) -> str:
        """Return the region, '' if none is named anywhere."""
        return self._region or self._session.region_name or ""

    @property
    def account(self) -> str:
        """Return the account's id, which AWS gives to whoever signs."""
        identity: dict[str, str] = self._client("sts").get_caller_identity()
        return identity["Account"]

    @property
    def known_regions(self) -> frozenset[str]:
        """Return the regions that this machine's botocore knows to have Lambda, in all partitions."""
        session = self._session
        return frozenset(
            region
            for partition in session.get_available_partitions()
            for region in session.get_available_regions("lambda", partition)
        )

    @cached_property
    def functions(self) -> Any:
        """The client of AWS Lambda."""
        return self._client("lambda")

    @cached_property
    def parameters(self) -> Any:
        """The client of the SSM parameter store."""
        return self._client("ssm")

    @cached_property
    def stacks(self) -> Any:
        """The client of CloudFormation."""
        return self._client("cloudformation")

    @cached_property
    def _session(self) -> Any:
        return self._given or boto3.Session(profile_name=self._profile)

    def _client(self, service: str) -> Any:
        # Standard mode backs off on throttling; AWS_MAX_ATTEMPTS still has its say.
        return self._session.client(
            service,
            region_name=self._region,
            endpoint_url=self._endpoint,
            config=Config(retries={"mode": "standard"}),
        )


def download(url: str, what: str) -> bytes:
    """Return what Lambda keeps at the address that it gave us."""
    if not url.startswith(("https://", "http://")):
        raise AwsError(f"{what} has no address to download it from: {url!r}")
    try:
        with urllib.request.urlopen(url, timeout=_DOWNLOAD_SECONDS) as answer:  # noqa: S310 - checked
            content: bytes = answer.read()
            return content
    except (urllib.error.URLError, OSError) as error:
        raise AwsError(f"{what} cannot be downloaded ({error}): run it again") from error


def code_of(error: BaseException) -> str:
    """Return the code of an error that AWS sent, else ''."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


# What AWS says, by the end or the whole of its code, and what to do about it.
_REMEDIES: Mapping[tuple[str, ...], str] = {
    ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation"): (
        "access denied: {said}; have it allowed, or choose another identity with --profile"
    ),
    ("ExpiredToken", "ExpiredTokenException", "RequestExpired"): (
        "the credentials have expired: sign in again (aws sso login, or new keys)"
    ),
    (
        *("UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException"),
        *("SignatureDoesNotMatch", "IncompleteSignature"),
    ): "AWS does not accept these credentials: check --profile, or AWS_ACCESS_KEY_ID and its secret",
    ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"): (
        "AWS throttles {operation} after {tries} tries: wait a minute and run it again"
    ),
    ("ResourceNotFoundException", "ParameterNotFound"): (
        "{said}: check the name, --region and --profile"
    ),
    ("ResourceConflictException",): (
        "another update of it is running ({said}): wait until it is done and run this again"
    ),
    ("PreconditionFailedException",): (
        "it was changed by someone else since the plan was made: run this again to plan anew"
    ),
    ("CodeStorageExceededException",): (
        "the account's storage for code is full: delete old versions, or ask for a higher quota"
    ),
    ("RequestEntityTooLargeException", "RequestTooLargeException"): (
        "the zip is too large to upload directly: publish it from S3, as `cdk deploy` does"
    ),
}

_LOCAL: Mapping[type[exceptions.BotoCoreError], str] = {
    exceptions.ProfileNotFound: "{said}: `aws configure list-profiles` lists them",
    exceptions.NoCredentialsError: (
        "no credentials: give --profile, sign in (aws sso login), or set AWS_ACCESS_KEY_ID "
        "and AWS_SECRET_ACCESS_KEY"
    ),
    exceptions.PartialCredentialsError: "{said}: set both parts of the key, or give --profile",
    exceptions.TokenRetrievalError: "{said}: sign in again (aws sso login)",
    exceptions.NoRegionError: "no region: give --region, or set AWS_REGION",
    exceptions.EndpointConnectionError: "{said}: check --endpoint-url, --region and the network",
    exceptions.HTTPClientError: "{said}: check --endpoint-url and the network, and run it again",
}


def explain(error: BaseException) -> LayerctlError | None:
    """Return the one-line form of an error of the SDK or of ours; None for any other."""
    if isinstance(error, LayerctlError):
        return error
    said = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, exceptions.ClientError):
        return AwsError(_remedy(error))
    if isinstance(error, exceptions.WaiterError):
        return AwsError(f"{said}: look at the function's last update, then run it again")
    if isinstance(error, exceptions.ParamValidationError):
        return WrongInputError(said)
    if isinstance(error, exceptions.BotoCoreError):
        text = next((text for kind, text in _LOCAL.items() if isinstance(error, kind)), "{said}")
        return AwsError(text.format(said=said))
    if isinstance(error, ValueError) and "endpoint" in said:
        return WrongInputError(f"{said}: --endpoint-url looks like http://127.0.0.1:4566")
    return None


def _remedy(error: exceptions.ClientError) -> str:
    details = error.response.get("Error", {})
    code = code_of(error)
    text = next((text for codes, text in _REMEDIES.items() if code in codes), None)
    said = " ".join(str(details.get("Message", "")).split()).rstrip(".")
    if text is None:
        return f"{error.operation_name} was refused: {said} ({code})"
    tries = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0) + 1
    return text.format(said=said, operation=error.operation_name, tries=tries)
