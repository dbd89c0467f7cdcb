"""What API Gateway gets, and that it takes it."""

import json

from access_tokens import TokenHolder
from policies import MAX_RESULT_BYTES, allow

ARN = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/test/$connect"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": ARN}],
}


def size(result):
    return len(json.dumps(result).encode())


def test_holder_of_a_token_is_named_with_their_scopes():
    assert allow(ARN, TokenHolder("ann", ("openid", "speak")), "") == {
        "principalId": "ann",
        "policyDocument": POLICY,
        "context": {"subject": "ann", "scopes": "openid speak"},
    }


def test_client_without_a_token_has_no_context():
    assert allow(ARN, None, "speak") == {"principalId": "anonymous", "policyDocument": POLICY}


def test_result_that_is_too_large_has_the_needed_scope_only():
    fixed = size(allow(ARN, TokenHolder("ann", ("speak", "")), ""))
    longest = "s" * (MAX_RESULT_BYTES - fixed)

    largest = allow(ARN, TokenHolder("ann", ("speak", longest)), "speak")
    larger = allow(ARN, TokenHolder("ann", ("speak", longest + "s")), "speak")
    without = allow(ARN, TokenHolder("ann", ("listen", longest + "s")), "speak")

    assert (size(largest), largest["context"]["scopes"]) == (8192, f"speak {longest}")
    assert larger["context"] == {"subject": "ann", "scopes": "speak"}
    assert without["context"] == {"subject": "ann", "scopes": ""}


def test_longest_subject_of_any_alphabet_leaves_room():
    result = allow(ARN, TokenHolder("\U0001d11e" * 255, ("s" * 8192,)), "speak")

    assert size(result) < MAX_RESULT_BYTES
