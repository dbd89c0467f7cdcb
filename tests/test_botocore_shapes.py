"""`error_code_of` knows botocore's errors by shape; here are the real ones."""

from __future__ import annotations

import boto3
import pytest
from botocore import exceptions
from botocore.config import Config
from botocore.stub import Stubber

from shared_utils.error_codes import ErrorCode, error_code_of

pytestmark = pytest.mark.slow

# Two attempts would wait between them.
ONCE = Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1})


def client(service, **options):
    return boto3.session.Session().client(
        service,
        region_name="eu-west-1",
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
        config=ONCE,
        **options,
    )


def error_of(function, **arguments):
    with pytest.raises((exceptions.ClientError, exceptions.BotoCoreError)) as caught:
        function(**arguments)
    return caught.value


KEY = {"TableName": "Sessions", "Key": {"sessionId": {"S": "a-b-123"}}}
ITEM = {"TableName": "Sessions", "Item": {"sessionId": {"S": "a-b-123"}}}
POST = {"ConnectionId": "L0SM9cOFvHcCIhw=", "Data": b"{}"}
MANAGEMENT = "apigatewaymanagementapi"

OPERATIONS = {
    "get_item": ("dynamodb", KEY),
    "put_item": ("dynamodb", ITEM),
    "update_item": ("dynamodb", KEY),
    "delete_item": ("dynamodb", KEY),
    "query": ("dynamodb", {"TableName": "Sessions"}),
    "scan": ("dynamodb", {"TableName": "Sessions"}),
    "batch_get_item": ("dynamodb", {"RequestItems": {"Sessions": {"Keys": [KEY["Key"]]}}}),
    "batch_write_item": (
        "dynamodb",
        {"RequestItems": {"Sessions": [{"PutRequest": {"Item": ITEM["Item"]}}]}},
    ),
    "transact_get_items": ("dynamodb", {"TransactItems": [{"Get": KEY}]}),
    "transact_write_items": ("dynamodb", {"TransactItems": [{"Put": ITEM}]}),
    "execute_statement": ("dynamodb", {"Statement": "SELECT * FROM Sessions"}),
    "post_to_connection": (MANAGEMENT, POST),
    "get_connection": (MANAGEMENT, {"ConnectionId": "L0SM9cOFvHcCIhw="}),
    "translate_text": (
        "translate",
        {"Text": "a", "SourceLanguageCode": "en", "TargetLanguageCode": "de"},
    ),
    "synthesize_speech": ("polly", {"OutputFormat": "pcm", "Text": "a", "VoiceId": "Joanna"}),
    "detect_sentiment": ("comprehend", {"Text": "a", "LanguageCode": "en"}),
}


@pytest.mark.parametrize(
    ("operation", "aws_code", "status", "expected"),
    [
        ("put_item", "ConditionalCheckFailedException", 400, "INTERNAL_DATABASE_ERROR"),
        ("update_item", "ValidationException", 400, "INTERNAL_DATABASE_ERROR"),
        ("transact_write_items", "TransactionCanceledException", 400, "INTERNAL_DATABASE_ERROR"),
        ("transact_get_items", "TransactionCanceledException", 400, "INTERNAL_DATABASE_ERROR"),
        ("get_item", "InternalServerError", 500, "INTERNAL_DATABASE_ERROR"),
        ("delete_item", "ServiceUnavailable", 503, "INTERNAL_DATABASE_ERROR"),
        ("query", "InternalServerError", 500, "INTERNAL_DATABASE_ERROR"),
        ("scan", "InternalServerError", 500, "INTERNAL_DATABASE_ERROR"),
        ("batch_get_item", "InternalServerError", 500, "INTERNAL_DATABASE_ERROR"),
        ("batch_write_item", "InternalServerError", 500, "INTERNAL_DATABASE_ERROR"),
        ("execute_statement", "InternalServerError", 500, "INTERNAL_DATABASE_ERROR"),
        ("put_item", "ProvisionedThroughputExceededException", 400, "RATE_LIMIT_EXCEEDED"),
        ("get_item", "ThrottlingException", 400, "RATE_LIMIT_EXCEEDED"),
        ("query", "RequestLimitExceeded", 400, "RATE_LIMIT_EXCEEDED"),
        ("get_item", "AccessDeniedException", 400, "INTERNAL_CONFIGURATION_ERROR"),
        ("get_item", "ResourceNotFoundException", 400, "INTERNAL_CONFIGURATION_ERROR"),
        ("get_item", "ExpiredTokenException", 400, "INTERNAL_CONFIGURATION_ERROR"),
        ("get_item", "UnrecognizedClientException", 400, "INTERNAL_CONFIGURATION_ERROR"),
        ("post_to_connection", "GoneException", 410, "CONNECTION_CLOSED"),
        ("get_connection", "GoneException", 410, "CONNECTION_CLOSED"),
        ("get_connection", "410", 410, "CONNECTION_CLOSED"),
        ("post_to_connection", "ForbiddenException", 403, "INTERNAL_CONFIGURATION_ERROR"),
        ("post_to_connection", "LimitExceededException", 429, "RATE_LIMIT_EXCEEDED"),
        ("post_to_connection", "429", 429, "RATE_LIMIT_EXCEEDED"),
        ("post_to_connection", "PayloadTooLargeException", 413, "VALIDATION_MESSAGE_TOO_LARGE"),
        ("post_to_connection", "InternalServerError", 500, "INTERNAL_SERVER_ERROR"),
        ("translate_text", "InternalServerException", 500, "INTERNAL_TRANSLATION_ERROR"),
        ("translate_text", "TooManyRequestsException", 400, "RATE_LIMIT_EXCEEDED"),
        ("synthesize_speech", "ServiceFailureException", 500, "INTERNAL_POLLY_ERROR"),
        ("detect_sentiment", "InternalServerException", 500, "INTERNAL_EMOTION_DETECTION_ERROR"),
    ],
)
def test_a_services_error(operation, aws_code, status, expected):
    service, arguments = OPERATIONS[operation]
    stubbed = client(service, **({"endpoint_url": "https://x"} if service == MANAGEMENT else {}))
    with Stubber(stubbed) as stub:
        stub.add_client_error(operation, aws_code, "no", status)

        error = error_of(getattr(stubbed, operation), **arguments)

    assert error_code_of(error) == expected


def test_a_generated_exception_class():
    management = client(MANAGEMENT, endpoint_url="https://x")
    error = management.exceptions.GoneException(
        {"Error": {"Code": "GoneException", "Message": ""}}, "PostToConnection"
    )

    assert error_code_of(error) is ErrorCode.CONNECTION_CLOSED


DYNAMODB = "https://dynamodb.eu-west-1.amazonaws.com/"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            exceptions.ReadTimeoutError(endpoint_url=DYNAMODB),
            "INTERNAL_DATABASE_ERROR",
        ),
        (
            exceptions.ConnectTimeoutError(endpoint_url=DYNAMODB),
            "INTERNAL_DATABASE_ERROR",
        ),
        (
            exceptions.EndpointConnectionError(endpoint_url=DYNAMODB),
            "INTERNAL_DATABASE_ERROR",
        ),
        (
            exceptions.ConnectionClosedError(endpoint_url=DYNAMODB),
            "INTERNAL_DATABASE_ERROR",
        ),
        (
            exceptions.ReadTimeoutError(endpoint_url="https://polly.eu-west-1.amazonaws.com/v1/x"),
            "INTERNAL_POLLY_ERROR",
        ),
        (
            exceptions.SSLError(endpoint_url=DYNAMODB, error="self-signed"),
            "INTERNAL_DATABASE_ERROR",
        ),
        (exceptions.NoCredentialsError(), "INTERNAL_CONFIGURATION_ERROR"),
        (exceptions.NoRegionError(), "INTERNAL_CONFIGURATION_ERROR"),
        (exceptions.ProfileNotFound(profile="x"), "INTERNAL_CONFIGURATION_ERROR"),
        (
            exceptions.PartialCredentialsError(provider="env", cred_var="x"),
            "INTERNAL_CONFIGURATION_ERROR",
        ),
        (
            exceptions.CredentialRetrievalError(provider="sts", error_msg="x"),
            "INTERNAL_CONFIGURATION_ERROR",
        ),
        (exceptions.BotoCoreError(), "INTERNAL_SERVER_ERROR"),
        (exceptions.HTTPClientError(error="broken"), "INTERNAL_SERVER_ERROR"),
        (exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2), "INTERNAL_SERVER_ERROR"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_of_botocore_itself(error, expected):
    assert error_code_of(error) == expected


def test_a_refused_connection():
    """The port is one that nobody listens on; an endpoint of one's own tells no service."""
    dynamodb = client("dynamodb", endpoint_url="http://127.0.0.1:9")

    error = error_of(dynamodb.get_item, **KEY)

    assert isinstance(error, exceptions.EndpointConnectionError)
    assert error_code_of(error) is ErrorCode.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize(
    ("options", "host"),
    [
        ({}, "dynamodb.eu-west-1.amazonaws.com"),
        ({"aws_account_id": "123456789012"}, "123456789012.ddb.eu-west-1.amazonaws.com"),
    ],
    ids=["regional", "of-an-account"],
)
def test_a_timeout_at_the_endpoint_that_boto3_chooses(options, host):
    dynamodb = client("dynamodb", **options)

    def time_out(request, **_kwargs):
        raise exceptions.ReadTimeoutError(endpoint_url=request.url)

    dynamodb.meta.events.register("before-send.dynamodb", time_out)

    error = error_of(dynamodb.get_item, **KEY)

    assert host in error.kwargs["endpoint_url"]
    assert error_code_of(error) is ErrorCode.INTERNAL_DATABASE_ERROR


def test_a_parameter_that_botocore_refuses():
    error = error_of(client("dynamodb").get_item, TableName="Sessions")

    assert isinstance(error, exceptions.ParamValidationError)
    assert error_code_of(error) is ErrorCode.INTERNAL_CONFIGURATION_ERROR


def test_a_service_that_does_not_exist():
    error = error_of(lambda: client("no-such-service"))

    assert isinstance(error, exceptions.UnknownServiceError)
    assert error_code_of(error) is ErrorCode.INTERNAL_CONFIGURATION_ERROR


def test_a_client_without_a_region(monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    error = error_of(lambda: boto3.session.Session().client("dynamodb", config=ONCE))

    assert error_code_of(error) is ErrorCode.INTERNAL_CONFIGURATION_ERROR
