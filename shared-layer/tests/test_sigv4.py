"""Signatures, by AWS's published test suite and by botocore's signer."""

import pytest

from shared_utils._sigv4 import Signer, quote

VECTOR_TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeo"
    "IYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5V"
    "SXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yj"
    "c8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)


@pytest.mark.parametrize(
    ("start", "token", "names", "signature"),
    [
        pytest.param(
            *(b"GET\n/", None, "host;x-amz-date"),
            b"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            id="get-vanilla",
        ),
        pytest.param(
            *(b"POST\n/", None, "host;x-amz-date"),
            b"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            id="post-vanilla",
        ),
        pytest.param(
            b"GET\n/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            *(None, "host;x-amz-date"),
            b"07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
            id="get-unreserved",
        ),
        pytest.param(
            *(b"GET\n/%E1%88%B4", None, "host;x-amz-date"),
            b"8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
            id="get-utf8",
        ),
        pytest.param(
            *(b"POST\n/", VECTOR_TOKEN, "host;x-amz-date;x-amz-security-token"),
            b"85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            id="post-sts-header-before",
        ),
    ],
)
def test_signature_of_the_published_test_suite(start, token, names, signature):
    """https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4"""
    credentials = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token)
    signer = Signer(
        credentials, "us-east-1", "service", "example.amazonaws.com", "20150830T123600Z"
    )

    assert signer.signature(start + signer.after_path(b"")) == signature
    assert signer.headers.startswith(
        "host: example.amazonaws.com\r\nx-amz-date: 20150830T123600Z\r\n"
    )
    assert signer.headers.endswith(
        "authorization: AWS4-HMAC-SHA256"
        " Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request,"
        f" SignedHeaders={names}, Signature="
    )


def test_signature_with_a_key_longer_than_a_block_of_the_hash():
    credentials = ("AKIDEXAMPLE", "k" * 61, None)
    signer = Signer(credentials, "eu-west-1", "execute-api", "h", "20150830T123600Z")

    # By botocore's SigV4Auth.
    assert (
        signer.signature(b"POST\n/%40connections/a%253D" + signer.after_path(b"hello"))
        == b"7bd42de6bb6fc083d48377cfa88fab0f4f0b32b0178a7a9d8e4532bab8b77d98"
    )


def test_further_headers_are_signed_in_their_order():
    """By botocore's SigV4Auth."""
    credentials = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2lu")
    signer = Signer(
        *(credentials, "eu-west-1", "dynamodb", "dynamodb.eu-west-1.amazonaws.com"),
        "20150830T123600Z",
        {
            "x-amz-target": "DynamoDB_20120810.GetItem",
            "content-type": "application/x-amz-json-1.0",
        },
    )

    assert signer.signature(b"POST\n/" + signer.after_path(b"{}")) == (
        b"9579326b61a4c101a75d8f0d391dff9763b93a1a529acd19f1cb52f3349e98b5"
    )
    assert signer.headers == (
        "content-type: application/x-amz-json-1.0\r\n"
        "host: dynamodb.eu-west-1.amazonaws.com\r\n"
        "x-amz-date: 20150830T123600Z\r\n"
        "x-amz-security-token: IQoJb3JpZ2lu\r\n"
        "x-amz-target: DynamoDB_20120810.GetItem\r\n"
        "authorization: AWS4-HMAC-SHA256"
        " Credential=AKIDEXAMPLE/20150830/eu-west-1/dynamodb/aws4_request,"
        " SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature="
    )


@pytest.mark.parametrize(
    ("text", "quoted"), [("aZ09-._~", "aZ09-._~"), ("a/=%", "a%2F%3D%25"), ("\u1234", "%E1%88%B4")]
)
def test_all_but_unreserved_characters_are_quoted(text, quoted):
    assert quote(text) == quoted
