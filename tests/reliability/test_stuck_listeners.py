"""A listener who takes nothing costs the others nothing, in whatever session they are."""

import pytest

from tests.reliability.traffic import Phase, p95

# What a healthy listener may wait; on a busy machine, twice what it waited before.
P95_MS = 100
# From the first chunk that was not taken to the close.
OUT_SECONDS = 10
# The gateway notices a client that does not read once all buffers on the way are full.
AT_MOST_SECONDS = 60.0
# An environment of the audio function may act on what it knew so long ago.
KNOWN_SECONDS = 2.1

THREE = [(1, 1), (1, 1), (2, 0)]  # sessions, by how many read and how many are stuck
TWENTY = [(2, 1)] * 10 + [(0, 1)] * 2 + [(3, 0)] * 8
PLANS = [pytest.param(THREE, id="3"), pytest.param(TWENTY, id="20", marks=pytest.mark.long)]


async def healthy_sessions(traffic, plan):
    """Make the sessions, without those who are stuck; return the p95 of a while."""
    for healthy, _ in plan:
        await traffic.session(healthy)
    await traffic.warm_up()
    return await heard_in_time(traffic, await traffic.speak(2.0), float("inf"))


async def heard_in_time(traffic, phase, p95_before):
    """Check that every chunk of a phase reached everybody who reads; return its p95."""
    await traffic.idle()
    ms = p95(traffic.latencies(phase))
    assert traffic.unheard(phase) == 0
    assert ms < max(P95_MS, 2 * p95_before)
    return ms


def check_account(traffic, account):
    """Each chunk for somebody stuck was taken by the gateway, or a metric counts it.

    Who has joined is in an environment's audience two seconds later, who is out leaves it so.
    """
    stuck = [(session, one) for session in traffic.sessions for one in session.stuck]
    taken = sum(one.taken for _, one in stuck)
    counted = sum(account.failures.values()) - account.missing  # by those who read
    phases = [(session, one.membership) for session, one in stuck]
    least = sum(
        len(session.sent_in(Phase(phase.since + KNOWN_SECONDS, phase.until - 1)))
        for session, phase in phases
    )
    most = sum(
        len(session.sent_in(Phase(phase.since, phase.until + KNOWN_SECONDS)))
        for session, phase in phases
    )
    assert (account.from_gateway, account.twice) == (0, 0)
    assert least <= taken + counted <= most


def do_not_read(plan):
    async def scenario(traffic):
        before = await healthy_sessions(traffic, plan)
        for session, (_, stuck) in zip(traffic.sessions, plan, strict=True):
            session.stuck = [await traffic.stuck_listener(session) for _ in range(stuck)]
        stuck = [one for session in traffic.sessions for one in session.stuck]
        during = await traffic.speak(AT_MOST_SECONDS, lambda: all(one.is_out for one in stuck))
        during = await heard_in_time(traffic, during, before)
        await heard_in_time(traffic, await traffic.speak(2.0), before)
        check_account(traffic, await traffic.account())
        for session in traffic.sessions:
            await session.speaker.expect("listenerLeft", len(session.stuck))
        return {
            "p95_before_ms": before,
            "p95_ms": during,
            "out_after_s": max(one.seconds_until_out for one in stuck),
            "since_last_read_s": max(one.membership.seconds for one in stuck),
        }

    return scenario


def are_never_answered(plan):
    async def scenario(traffic):
        before = await healthy_sessions(traffic, plan)
        stuck = []
        for session, (_, count) in zip(traffic.sessions, plan, strict=True):
            listeners = [await traffic.listener(session) for _ in range(count)]
            session.stuck = [listener.at_gateway for listener in listeners]
            stuck += [(session, listener) for listener in listeners]
        begun = traffic.now
        with traffic.faults.posts(None, to=[one.at_gateway.id for _, one in stuck]):
            during = await traffic.speak(
                AT_MOST_SECONDS, lambda: all(one.at_gateway.is_out for _, one in stuck)
            )
        during = await heard_in_time(traffic, during, before)
        check_account(traffic, await traffic.account())
        for session in traffic.sessions:
            await session.speaker.expect("listenerLeft", len(session.stuck))
        await come_back(traffic, stuck)
        return {
            "p95_before_ms": before,
            "p95_ms": during,
            "out_after_s": max(one.at_gateway.membership.until for _, one in stuck) - begun,
        }

    return scenario


async def come_back(traffic, stuck):
    """Have listeners return with their tokens; two seconds later they hear everything."""
    codes = {listener.client.close_code for _, listener in stuck}
    returned = [(session, await traffic.returned(session, one)) for session, one in stuck]
    since, until = await traffic.speak(KNOWN_SECONDS + 1.5)
    await traffic.idle()
    phase = Phase(since + KNOWN_SECONDS, until)
    unheard = [session.sent_in(phase) - one.heard.keys() for session, one in returned]
    assert codes == {1000}
    assert unheard == [set()] * len(stuck)


def check(report, measured):
    measured(**report)
    assert report["out_after_s"] < OUT_SECONDS


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.fault(
    what="two of three sessions, or 12 of 20, have a listener who does not read",
    speaker="`listenerLeft` once the listener is out",
    listeners="who is stuck: the close, behind what the buffers hold; all others: every chunk, in time",
    log="`ListenerNotificationFailures`, one for each chunk that was not taken",
    heals="closed and taken out within 10 s of the first chunk that was not taken; the token lets it come back",
)
def test_clients_that_do_not_read_delay_nobody(play, measured, plan):
    check(play(do_not_read(plan)), measured)


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.fault(
    what="two of three sessions, or 12 of 20, have a listener to whom no post is ever answered",
    speaker="`listenerLeft` once the listener is out",
    listeners="who is stuck: close code 1000; all others: every chunk, in time",
    log="`ListenerNotificationFailures`, one for each chunk without an answer",
    heals="closed and taken out within 10 s; it comes back with its token and hears",
)
def test_posts_that_are_never_answered_delay_nobody(play, measured, plan):
    check(play(are_never_answered(plan)), measured)
