"""A client's token is found wherever it may be, and only one is taken."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refusals import TokenRefused
from token_places import MAX_TOKEN_CHARS, token_of
from wslocal.gateway.limits import GatewayLimits

PROTOCOLS = "Sec-WebSocket-Protocol"


def request(headers=(), query=()):
    """Return an event as API Gateway sends it: the last value of a name, and all of them."""
    return {
        "type": "REQUEST",
        "headers": dict(headers),
        "multiValueHeaders": grouped(headers),
        "queryStringParameters": dict(query),
        "multiValueQueryStringParameters": grouped(query),
    }


def grouped(pairs):
    return {name: [value for other, value in pairs if other == name] for name, _ in pairs}


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        pytest.param([(PROTOCOLS, "websocket-audio.v1, bearer.a.b.c")], [], id="sub-protocol"),
        pytest.param([(PROTOCOLS, "bearer.a.b.c,websocket-audio.v1")], [], id="first-of-them"),
        pytest.param(
            [(PROTOCOLS, "bearer.a.b.c"), (PROTOCOLS, "websocket-audio.v1")], [], id="two-headers"
        ),
        pytest.param([(PROTOCOLS.lower(), "bearer.a.b.c")], [], id="lower-case"),
        pytest.param([], [("access_token", "a.b.c")], id="query"),
        pytest.param([("Authorization", "Bearer a.b.c")], [], id="header"),
        pytest.param([("authorization", "bearer  a.b.c ")], [], id="spaces"),
        pytest.param(
            [(PROTOCOLS, "bearer.a.b.c"), ("Authorization", "Bearer a.b.c")],
            [("access_token", "a.b.c"), ("access_token", "a.b.c")],
            id="the-same-everywhere",
        ),
    ],
)
def test_token_is_found(headers, query):
    assert token_of(request(headers, query)) == "a.b.c"


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([(PROTOCOLS, "websocket-audio.v1")], [], id="protocol"),
        pytest.param([("Authorization", "Basic dTpw")], [], id="another-scheme"),
        pytest.param([("X-Authorization", "Bearer a.b.c")], [], id="another-header"),
        pytest.param([], [("token", "a.b.c")], id="another-parameter"),
    ],
)
def test_what_is_no_place_of_a_token_is_not_looked_at(headers, query):
    assert token_of(request(headers, query)) is None


def test_event_that_has_only_the_last_values_is_enough():
    """Others than API Gateway send no lists: tests, and emulators."""
    assert token_of({"headers": {"authorization": "Bearer a.b.c"}}) == "a.b.c"
    assert token_of({"queryStringParameters": {"access_token": "a.b.c"}}) == "a.b.c"


def test_event_without_headers_and_query_has_no_token():
    assert token_of({}) is None
    assert token_of({"headers": None, "queryStringParameters": None}) is None


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        pytest.param([(PROTOCOLS, "bearer.a, bearer.b")], [], id="sub-protocols"),
        pytest.param([], [("access_token", "a"), ("access_token", "b")], id="queries"),
        pytest.param([("Authorization", "Bearer a")], [("access_token", "b")], id="two-places"),
        pytest.param([("Authorization", "Bearer a")], [("access_token", "")], id="one-is-empty"),
    ],
)
def test_two_different_tokens_are_refused(headers, query):
    with pytest.raises(TokenRefused) as refused:
        token_of(request(headers, query))

    assert refused.value.reason == "severalTokens"


def test_empty_token_is_a_token():
    assert token_of(request(query=[("access_token", "")])) == ""
    assert token_of(request([(PROTOCOLS, "bearer.")])) == ""


def test_token_has_8192_characters_at_most():
    assert token_of(request(query=[("access_token", "a" * MAX_TOKEN_CHARS)])) is not None
    with pytest.raises(TokenRefused) as refused:
        token_of(request(query=[("access_token", "a" * (MAX_TOKEN_CHARS + 1))]))

    assert refused.value.reason == "tooLong"


# What a sub-protocol's name may hold: https://www.rfc-editor.org/rfc/rfc7230#section-3.2.6
NAMES = st.text("abcXYZ019-_.", min_size=1, max_size=20)
PLACES = st.lists(st.sampled_from(["protocol", "query", "header"]), min_size=1, max_size=4)


@given(NAMES, PLACES, st.lists(NAMES.filter(lambda name: not name.startswith("bearer."))))
def test_token_comes_back_from_any_of_its_places(token, places, protocols):
    headers, query = [], [("other", "value")]
    for place in places:
        if place == "protocol":
            headers.append((PROTOCOLS, ", ".join([*protocols, f"bearer.{token}"])))
        elif place == "query":
            query.append(("access_token", token))
        else:
            headers.append(("Authorization", f"Bearer {token}"))

    assert token_of(request(headers, query)) == token


@given(NAMES, NAMES)
def test_two_tokens_are_never_one(first, second):
    event = request([(PROTOCOLS, f"bearer.{first}")], [("access_token", f"{first}{second}")])

    with pytest.raises(TokenRefused):
        token_of(event)


def test_readme_says_how_long_a_token_may_be_here_and_in_the_query():
    text = (Path(__file__).parent.parent / "README.md").read_text()

    assert f"It may have {MAX_TOKEN_CHARS:,} characters" in text
    assert f"{GatewayLimits().url_bytes:,}\ncharacters of a URL" in text
