"""Clocks that disagree: late audio is dropped and counted, and nothing else is lost."""

import asyncio
import time

import pytest

pytestmark = pytest.mark.long

SESSION_SECONDS = 2 * 60 * 60


async def speak_while(traffic, fault, seconds):
    """Speak in two sessions of two listeners before, while and after a fault."""
    for _ in range(2):
        await traffic.session(2)
    await traffic.warm_up()
    with fault:
        during = await traffic.speak(seconds)
        await traffic.idle()
    after = await traffic.speak(2.0)
    account = await traffic.account()
    assert traffic.unheard(after) <= account.given_up
    return traffic.unheard(during), account


@pytest.mark.fault(
    what="audio waits 3 s on its way to the function",
    speaker="nothing",
    listeners="silence meanwhile: audio older than 2 s is not delivered",
    log="`AudioChunksDropped`, Reason `late`, one for each chunk",
    heals="with the first chunk that comes in time",
)
def test_late_audio_is_dropped_and_counted(play, measured):
    async def scenario(traffic):
        return await speak_while(traffic, traffic.faults.request_time(-3), 3.0)

    unheard, account = play(scenario)

    measured(unheard=unheard, dropped=account.dropped)
    assert unheard == 3 * 10 * 2 * 2
    assert account.dropped == {"late": 3 * 10 * 2}
    assert (account.uncounted(2), account.refused) == (0, 0)


@pytest.mark.fault(
    what="the gateway's clock is an hour ahead of the functions'",
    speaker="nothing",
    listeners="every chunk, in time",
    log="nothing",
    heals="nothing has to",
)
def test_audio_from_the_future_is_fresh(play, measured):
    async def scenario(traffic):
        return await speak_while(traffic, traffic.faults.request_time(3600), 3.0)

    unheard, account = play(scenario)

    measured(heard=account.heard)
    assert unheard <= account.given_up
    assert (account.uncounted(2), account.refused, account.dropped) == (0, 0, {})


async def while_functions_have_another_clock(traffic, seconds):
    """Make sessions and speak while all functions have a clock that is off."""
    with traffic.faults.function_clock(seconds):
        for state in traffic.system.api.states():  # others start, with the other clock
            traffic.system.api.kill_environments(state.name)
        await asyncio.sleep(0.5)  # who is being killed may take another event
        sessions = [await traffic.session(2) for _ in range(2)]
        await traffic.speak(5.0)
        await traffic.idle()
        during = await traffic.speak(3.0)
        account = await traffic.account()
    shifts = [one.speaker.expires_at - time.time() - SESSION_SECONDS for one in sessions]
    return traffic.unheard(during), account, max(shifts)


@pytest.mark.fault(
    what="the clock of the functions is ten minutes behind",
    speaker="nothing but an `expiresAt` that is as much too early",
    listeners="every chunk, in time",
    log="nothing: what is refused for its signature's time is signed again, with the time of the service that refused it",
    heals="nothing has to; sessions that were made meanwhile end as much too early",
)
def test_clock_that_is_behind_stops_nobody(play, measured):
    async def scenario(traffic):
        return await while_functions_have_another_clock(traffic, -600)

    unheard, account, shift = play(scenario)

    measured(heard=account.heard, expires_off_by_s=shift)
    assert unheard <= account.given_up
    assert account.uncounted(2) == 0
    assert abs(shift + 600) < 30


@pytest.mark.fault(
    what="the clock of the functions is ten minutes ahead",
    speaker="nothing but an `expiresAt` that is as much too late",
    listeners="silence: all audio seems to be older than 2 s",
    log="`AudioChunksDropped`, Reason `late`, one for each chunk",
    heals="with the clock",
)
def test_clock_that_is_ahead_makes_all_audio_late_and_counts_it(play, measured):
    async def scenario(traffic):
        return await while_functions_have_another_clock(traffic, 600)

    _, account, shift = play(scenario)

    measured(dropped=account.dropped, expires_off_by_s=shift)
    assert account.dropped == {"late": account.sent}
    assert (account.heard, account.refused, account.failures) == (0, 0, {})
    assert abs(shift - 600) < 30
