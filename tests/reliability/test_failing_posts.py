"""Posts that fail are dropped and counted, and nobody is closed who can be reached."""

import pytest

from tests.reliability.clients import Phase
from tests.reliability.traffic import KNOWN_SECONDS

# Both longer than ten posts in a row, after which a listener who takes nothing is closed.
SECONDS = [pytest.param(2.0, id="2s"), pytest.param(10.0, id="10s", marks=pytest.mark.long)]


async def speak_while_posts_fail(traffic, seconds, answer, every=1):
    """Speak in three sessions of two listeners before, while and after posts fail."""
    for _ in range(3):
        await traffic.session(2)
    await traffic.warm_up()
    with traffic.faults.posts(answer, every=every):
        during = await traffic.speak(seconds)
        await traffic.idle()
    after = await traffic.speak(1.0)
    account = await traffic.account()
    assert traffic.unheard(after) <= account.given_up
    assert await members(traffic) == [2, 2, 2]
    return account, traffic.unheard(during)


async def members(traffic):
    """Return how many listeners each session has whose connections are open."""
    for session in traffic.sessions:
        status = await session.speaker.client.request("getSessionStatus")
        assert status["listenerCount"] == len(session.listeners)
    return [
        sum(listener.client.close_code is None for listener in session.listeners)
        for session in traffic.sessions
    ]


@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.fault(
    what="every post is answered 429 for 10 s, as when the account's rate is used up",
    speaker="nothing",
    listeners="silence meanwhile; nobody is closed",
    log="`ListenerNotificationFailures`, ErrorType `throttled`, one for each listener and chunk",
    heals="with the first post that is taken; what was missed is not sent later",
)
def test_posts_that_are_throttled_close_nobody(play, measured, seconds):
    async def scenario(traffic):
        return await speak_while_posts_fail(traffic, seconds, 429)

    account, unheard = play(scenario)

    measured(unheard=unheard, counted=account.failures)
    assert unheard == round(seconds * 10) * 3 * 2
    # On a busy machine a post may time out before it is throttled, or while none is.
    timeouts = account.failures.get("timeout", 0)
    assert unheard - timeouts <= account.failures["throttled"] <= unheard
    assert (account.uncounted(2), account.silent, account.twice) == (0, 0, 0)


@pytest.mark.long
@pytest.mark.fault(
    what="every third post is answered 500 for 10 s",
    speaker="nothing",
    listeners="each third chunk is missing, played as silence; nobody is closed",
    log="`ListenerNotificationFailures`, ErrorType `failed`, one for each listener and chunk",
    heals="with the first post that is taken; what was missed is not sent later",
)
def test_posts_that_fail_now_and_then_close_nobody(play, measured):
    async def scenario(traffic):
        return await speak_while_posts_fail(traffic, 10.0, 500, every=3)

    account, unheard = play(scenario)

    measured(unheard=unheard, counted=account.failures)
    assert 0.3 < unheard / (10 * 10 * 3 * 2) < 0.37  # replies are posts, too
    assert account.failures["failed"] <= unheard <= account.failures["failed"] + account.given_up
    assert (account.uncounted(2), account.silent, account.twice) == (0, 0, 0)


@pytest.mark.long
@pytest.mark.fault(
    what="posts to one listener are answered 410",
    speaker="`listenerLeft` at once",
    listeners="this one: nothing more; the others: every chunk",
    log="`ListenerNotificationFailures`, ErrorType `gone`, one for each post",
    heals="the listener comes back with its token, or joins again",
)
def test_listener_who_is_gone_is_taken_out_at_once(play, measured):
    async def scenario(traffic):
        session = await traffic.session(2)
        await traffic.warm_up()
        gone = await traffic.listener(session)
        await traffic.speak(KNOWN_SECONDS)
        with traffic.faults.posts(410, to=[gone.at_gateway.id]) as fault:
            during = await traffic.speak(3.0)
            await session.speaker.expect("listenerLeft", 1)
            await traffic.idle()
        seconds = session.speaker.notices[-1][0] - during.since
        returned = await traffic.returned(session, gone)
        since, until = await traffic.speak(KNOWN_SECONDS + 1.0)
        account = await traffic.account()
        late = session.sent_in(Phase(since + KNOWN_SECONDS, until))
        return fault.hits, seconds, late - returned.heard.keys(), account

    posts, seconds, unheard, account = play(scenario)

    measured(posts=posts, left_after_s=seconds, counted=account.failures)
    assert seconds < 2
    assert len(unheard) <= account.given_up
    assert account.missing <= account.given_up
    assert (account.refused, account.silent, account.failures["gone"]) == (0, 0, posts)
