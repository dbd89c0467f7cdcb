"""Connections that break: whoever is left goes on, and whoever is lost can come back."""

import asyncio

import pytest

from tests.reliability.clients import Phase
from tests.reliability.traffic import KNOWN_SECONDS

pytestmark = pytest.mark.long


@pytest.mark.fault(
    what="a listener's connection is cut",
    speaker="`listenerLeft` at once",
    listeners="this one: a connection that broke; the others: every chunk",
    log="nothing, or `ListenerNotificationFailures`, ErrorType `gone`, for posts until it is known",
    heals="the listener comes back with its token",
)
def test_listener_whose_connection_is_cut_comes_back(play, measured):
    async def scenario(traffic):
        session = await traffic.session(2)
        await traffic.warm_up()
        lost = await traffic.listener(session)
        speaking = asyncio.create_task(traffic.speak(2.0 + 2 * KNOWN_SECONDS))
        await asyncio.sleep(2.0)
        cut_at = traffic.now
        traffic.faults.cut(lost.at_gateway.id)
        await session.speaker.expect("listenerLeft", 1)
        left_after = session.speaker.notices[-1][0] - cut_at
        returned = await traffic.returned(session, lost)
        since = traffic.now + KNOWN_SECONDS
        await speaking
        account = await traffic.account()
        unheard = session.sent_in(Phase(since, float("inf"))) - returned.heard.keys()
        return lost.client.close_code, left_after, unheard, account

    code, left_after, unheard, account = play(scenario)

    measured(left_after_s=left_after, counted=account.failures)
    assert code == 1006
    assert left_after < 2
    assert len(unheard) <= account.given_up
    assert account.missing <= account.given_up
    assert (account.refused, account.silent) == (0, 0)


@pytest.mark.fault(
    what="the speaker's connection is cut while it speaks",
    speaker="a connection that broke; its session waits 60 s for it",
    listeners="silence until the speaker is back",
    log="nothing",
    heals="the speaker comes back with its token and speaks on",
)
def test_speaker_whose_connection_is_cut_speaks_on(play, measured):
    async def scenario(traffic):
        session = await traffic.session(2)
        await traffic.warm_up()
        speaking = asyncio.create_task(traffic.speak(4.0))
        await asyncio.sleep(2.0)
        traffic.faults.cut(session.speaker.at_gateway.id)
        lost = Phase(traffic.now - 0.2, traffic.now + 0.2)
        await speaking
        before = len(session.speaker.sent)
        await traffic.return_speaker(session)
        after = await traffic.speak(2.0)
        account = await traffic.account()
        return before, traffic.unheard(lost), traffic.unheard(after), account

    before, lost, unheard, account = play(scenario)

    measured(sent_before=before, lost_on_the_way=lost)
    assert lost <= 2 * 2  # what was on its way, at most two chunks
    assert unheard <= account.given_up
    assert account.missing <= lost + account.given_up
    assert (account.refused, account.silent) == (0, 0)
