"""A request of Lambda's Invoke is read as AWS does, or refused in its words."""

import base64

import pytest

from wslocal.events.invoke_requests import InvokeError, failed, read_invoke, tail
from wslocal.http1 import HttpRequest, status_of


def request(target="/2015-03-31/functions/f/invocations", body=b"", method="POST", **headers):
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpRequest(method, target, pairs, body, is_upgrade=False)


@pytest.mark.parametrize(
    ("name", "function", "scope"),
    [
        ("f", "f", ""),
        ("f:live", "f:live", ""),
        ("f%3A%24LATEST", "f:$LATEST", ""),
        ("000000000000:function:f", "f", "000000000000"),
        (
            "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af%3A7",
            "f:7",
            "arn:aws:lambda:us-east-1:000000000000",
        ),
    ],
)
def test_names(name, function, scope):
    invoke = read_invoke(request(f"/2015-03-31/functions/{name}/invocations"))

    assert (invoke.function, invoke.scope) == (function, scope)
    assert invoke.is_in("us-east-1", "000000000000")
    assert invoke.is_in("eu-west-1", "111111111111") is (scope == "")


def test_defaults():
    invoke = read_invoke(request())

    assert (invoke.kind, invoke.with_log, invoke.body) == ("RequestResponse", False, b"{}")


def test_qualifier_in_the_query():
    target = "/2015-03-31/functions/f/invocations?Qualifier=live"

    assert read_invoke(request(target)).function == "f:live"


def test_old_path_is_asynchronous():
    invoke = read_invoke(request("/2014-11-13/functions/f/invoke-async/", b"[1]"))

    assert (invoke.kind, invoke.body) == ("Event", b"[1]")


@pytest.mark.parametrize(
    "other",
    [
        request(method="GET"),
        request("/2015-03-31/functions/f"),
        request("/2015-03-31/functions/"),
        request("/2021-11-15/functions/f/response-streaming-invocations"),
    ],
)
def test_other_operations(other):
    assert read_invoke(other) is None


@pytest.mark.parametrize(
    ("wrong", "kind", "said"),
    [
        pytest.param(
            request("/2015-03-31/functions/a%20b/invocations"),
            "ValidationException",
            "at 'functionName'",
            id="name",
        ),
        pytest.param(
            request("/2015-03-31/functions/f:live/invocations?Qualifier=other"),
            "InvalidParameterValueException",
            "does not match the specified qualifier",
            id="two-qualifiers",
        ),
        pytest.param(
            request(X_Amz_Invocation_Type="Later"),
            "ValidationException",
            "at 'invocationType'",
            id="type",
        ),
        pytest.param(
            request(body=b'{\n"a"'),
            "InvalidRequestContentException",
            "at line 2, column 4",
            id="json",
        ),
        pytest.param(
            request(body=b"\xff"), "InvalidRequestContentException", "no JSON text", id="bytes"
        ),
        pytest.param(
            request(body=b"[" * 200_000),
            "InvalidRequestContentException",
            "no JSON text",
            id="deep",
        ),
        pytest.param(
            request(X_Amz_Client_Context="e"),
            "InvalidRequestContentException",
            "Client context must be",
            id="context-base64",
        ),
        pytest.param(
            request(X_Amz_Client_Context=base64.b64encode(b"x").decode()),
            "InvalidRequestContentException",
            "Client context must be",
            id="context-json",
        ),
    ],
)
def test_refused(wrong, kind, said):
    with pytest.raises(InvokeError, match=said) as caught:
        read_invoke(wrong)

    assert (caught.value.kind, caught.value.status) == (kind, 400)


def test_answer_of_a_refusal():
    answer = failed(InvokeError("TooManyRequestsException", 429, "Rate Exceeded.", "Why"), "id")

    assert status_of(answer) == 429
    assert b"x-amzn-ErrorType: TooManyRequestsException\r\n" in answer
    assert b"x-amzn-RequestId: id\r\n" in answer
    assert answer.endswith(b'{"Type": "User", "Message": "Rate Exceeded.", "Reason": "Why"}')


def test_tail_is_the_last_4_kilobytes():
    text = base64.b64decode(tail(["a" * 5000, "end"]))

    assert len(text) == 4096
    assert text.endswith(b"a\nend\n")
