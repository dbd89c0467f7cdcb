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
    assert traffic.unheard(after) == 0
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
    assert (account.missing, account.refused, account.failures) == (unheard, 0, {})


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
    assert (unheard, account.missing, account.refused, account.dropped) == (0, 0, 0, {})


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.fault(
    what="the clock of the functions is ten minutes off, behind or ahead",
    speaker="nothing but an `expiresAt` that is as much off",
    listeners="every chunk, in time",
    log="nothing: what is refused for its signature's time is signed again with the other side's",
    heals="nothing has to; sessions that were made meanwhile end as much too early or too late",
)
def test_clock_of_functions_that_is_off_stops_nobody(play, measured, minutes):
    async def scenario(traffic):
        with traffic.faults.function_clock(minutes * 60):
            for state in traffic.system.api.states():  # others start, with the other clock
                traffic.system.api.kill_environments(state.name)
            await asyncio.sleep(0.5)  # who is being killed may take another event
            for _ in range(2):
                await traffic.session(2)
            await traffic.warm_up()
            during = await traffic.speak(3.0)
            account = await traffic.account()
            client = await traffic.connect()
            created = await client.request("createSession", sourceLanguage="en")
            shift = created["expiresAt"] / 1000 - time.time() - SESSION_SECONDS
        return traffic.unheard(during), account, shift

    unheard, account, shift = play(scenario)

    measured(heard=account.heard, expires_off_by_s=shift)
    assert (unheard, account.missing, account.refused) == (0, 0, 0)
    assert abs(shift - minutes * 60) < 5
