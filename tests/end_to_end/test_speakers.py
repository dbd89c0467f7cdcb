"""With an issuer, the authorizer of the template is deployed here too, and asked before each connection."""

import asyncio
from collections import Counter
from types import SimpleNamespace

import pytest
import websockets

from local.assembly import AssemblyError
from local.system import System

PROTOCOL = "websocket-audio.v1"


async def connect(url, **how):
    """Return the status of the answer, and the sub-protocol that was chosen."""
    try:
        async with websockets.connect(url, proxy=None, **how) as socket:
            return 101, socket.subprotocol
    except websockets.InvalidStatus as error:
        return error.response.status_code, None


@pytest.fixture(scope="module")
def tried(guarded):
    """Return what became of connections with and without a token, and how many errors they were by function."""
    system, issuer = guarded.system, guarded.issuer

    def errors():
        return Counter({state.name: state.errors for state in system.api.states()})

    async def play():
        token = issuer.token()
        other = issuer.token(aud="somebody-else")
        before = errors()
        return SimpleNamespace(
            without=await connect(system.url),
            header=await connect(
                system.url, additional_headers={"Authorization": f"Bearer {token}"}
            ),
            protocol=await connect(system.url, subprotocols=[PROTOCOL, f"bearer.{token}"]),
            query=await connect(f"{system.url}?access_token={token}"),
            of_others=await connect(system.url, subprotocols=[PROTOCOL, f"bearer.{other}"]),
            errors=errors() - before,
        )

    return guarded.loop.run(play())


@pytest.mark.parametrize(
    "way",
    [
        pytest.param("without", id="listener-without-a-token"),
        pytest.param("header", id="token-in-a-header"),
        pytest.param("protocol", id="token-as-a-sub-protocol"),
        pytest.param("query", id="token-in-the-query"),
    ],
)
def test_client_is_let_in(tried, way):
    status, _ = getattr(tried, way)

    assert status == 101


def test_token_is_not_the_sub_protocol_that_is_chosen(tried):
    assert tried.protocol == (101, PROTOCOL)


def test_token_for_somebody_else_is_refused(tried):
    assert tried.of_others == (401, None)


def test_refusal_is_what_lambda_calls_an_error(tried):
    """So the authorizer's alarm has to leave out what the authorizer answers."""
    assert tried.errors == {"websocket-audio-dev-authorizer": 1}


def test_system_says_whose_tokens_count(guarded):
    assert guarded.system.outputs["Speakers"] == f"speakers need a token of {guarded.issuer.url}"


def test_issuer_without_audience_ends_the_start_with_a_sentence():
    async def start():
        async with System(settings={"SPEAKER_ISSUER": "http://127.0.0.1:9"}):
            raise AssertionError("it started")

    with pytest.raises(AssemblyError) as refused:
        asyncio.run(start())

    assert str(refused.value).startswith("SPEAKER_ISSUER needs SPEAKER_AUDIENCE")
