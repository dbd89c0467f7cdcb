"""A store that fails stops nobody who speaks already, and is used as soon as it is back."""

import asyncio
from typing import NamedTuple

import pytest

from tests.reliability.clients import Phase
from tests.reliability.traffic import KNOWN_SECONDS, Account, p95

SHORT_SECONDS, LONG_SECONDS = 4.0, 10.0
# What a client measures beyond what functions take: gateway, sockets, a busy machine.
ALLOWANCE_SECONDS = 0.3


class Report(NamedTuple):
    """What was seen of a store that failed for a while, and of its return."""

    latencies: list  # ms, of the chunks that were sent meanwhile
    unheard: int  # of these, by everybody who listens
    answers: list  # to requests meanwhile
    refusals: list  # of the chunks of a session that no environment knew: seconds, message
    paused_after: float  # seconds from the store's return to an accepted pause
    heard_in_pause: int  # chunks, from KNOWN_SECONDS after it on
    joined_after: float  # seconds from the store's return to a listener's join
    unheard_by_new: int  # chunks, from KNOWN_SECONDS after it on
    unheard_after: int  # chunks of the others, from KNOWN_SECONDS after the store's return on
    errors: dict  # DynamoDBErrors of the audio function, by operation and by code
    failed: int  # lines about requests that failed
    account: Account


async def use_everything(traffic, session, joining):
    """Send a request to each function that the audio does not pass through."""
    speaker = session.speaker
    return await asyncio.gather(
        traffic.ask(speaker.client, "heartbeat"),
        traffic.ask(speaker.client, "setVolume", volumeLevel=0.5),
        traffic.ask(speaker.client, "getSessionStatus"),
        traffic.ask(session.listeners[0].client, "pausePlayback"),
        traffic.ask(joining, "joinSession", sessionId=speaker.session_id, targetLanguage="de"),
    )


async def send_a_chunk_a_second(speaker, seconds):
    for _ in range(round(seconds)):
        await speaker.send_chunk()
        await asyncio.sleep(1.0)


async def while_the_store_fails(traffic, seconds, fault):
    """Have four sessions speak before, while and after it fails, and others try what they can."""
    sessions = [await traffic.session(2) for _ in range(4)]
    other, unknown = [await traffic.session(2, speaks=False) for _ in range(2)]
    clients = [await traffic.connect() for _ in range(2)]
    await traffic.warm_up()
    await use_everything(traffic, other, clients[0])  # so that these functions have started
    await traffic.make_known()
    speaking = asyncio.create_task(traffic.speak(1.0 + seconds + 2 * KNOWN_SECONDS))
    await asyncio.sleep(1.0)
    since = traffic.now
    with fault:
        answers, _, _ = await asyncio.gather(
            use_everything(traffic, other, clients[1]),
            send_a_chunk_a_second(unknown.speaker, seconds),
            asyncio.sleep(seconds),
        )
    during = Phase(since, traffic.now)
    paused, joined, *others = sessions
    await paused.speaker.client.request("pauseBroadcast")
    in_pause = Phase(traffic.now + KNOWN_SECONDS, float("inf"))
    new = await traffic.listener(joined)
    with_new = Phase(traffic.now + KNOWN_SECONDS, float("inf"))
    await speaking
    account = await traffic.account()
    speaker = unknown.speaker
    return Report(
        latencies=traffic.latencies(during),
        unheard=traffic.unheard(during),
        answers=answers,
        refusals=[(speaker.refused_after[n], error) for n, error in speaker.refused.items()],
        paused_after=in_pause.since - KNOWN_SECONDS - during.until,
        heard_in_pause=len(paused.sent_in(in_pause) & paused.listeners[0].heard.keys()),
        joined_after=with_new.since - KNOWN_SECONDS - during.until,
        unheard_by_new=len(joined.sent_in(with_new) - new.heard.keys()),
        unheard_after=traffic.unheard(
            Phase(during.until + KNOWN_SECONDS, float("inf")), [joined, *others]
        ),
        errors=traffic.lines.sums("audio", "DynamoDBErrors"),
        failed=traffic.lines.problems["Message failed"],
        account=account,
    )


def check(report, seconds):
    """What holds whatever is wrong with the store."""
    late = sum(ms > 500 for ms in report.latencies) + report.unheard
    assert late <= 0.05 * (len(report.latencies) + report.unheard)
    assert max(report.latencies) < 2000
    assert len(report.refusals) == round(seconds)
    assert all(error["retryable"] for _, error in report.refusals)
    assert max(after for after, _ in report.refusals) < 0.5 + ALLOWANCE_SECONDS
    assert max(asked.seconds for asked in report.answers) < 3 + ALLOWANCE_SECONDS
    assert report.paused_after < 2
    assert report.joined_after < 2
    assert report.heard_in_pause == 0
    assert report.unheard_by_new <= report.account.given_up
    assert report.unheard_after <= report.account.given_up
    assert report.errors
    assert report.failed >= len(report.refusals)
    assert (report.account.twice, report.account.uncounted(2)) == (0, 0)
    assert report.account.refused <= report.account.refused_by_count


def numbers(report):
    """Return what is worth to be shown of a report."""
    return {
        "p95_ms": p95(report.latencies),
        "worst_ms": max(report.latencies),
        "unheard": report.unheard,
        "refused_after_s": max(after for after, _ in report.refusals),
        "answered_after_s": {asked.action: round(asked.seconds, 2) for asked in report.answers},
        "answers": {asked.action: asked.reply.get("code", "done") for asked in report.answers},
        "paused_after_s": report.paused_after,
        "joined_after_s": report.joined_after,
        "errors": report.errors,
    }


def is_refused(asked):
    return asked.reply["type"] == "error" and asked.reply["retryable"]


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(SHORT_SECONDS, id="4s"),
        pytest.param(LONG_SECONDS, id="10s", marks=pytest.mark.long),
    ],
)
@pytest.mark.fault(
    what="the store is frozen for 10 s: calls are taken and never answered",
    speaker="a speaker whose session is in memory: nothing; another: each chunk refused with a retryable code in half a second; other requests the same in 3 s",
    listeners="every chunk, at most 1 in 20 later than half a second",
    log="`DynamoDBErrors`; ERROR lines for requests that failed",
    heals="within 2 s of the store's return: pauses, joins and whatever else was changed take effect",
)
def test_frozen_store_stops_nobody_who_speaks(play, measured, seconds):
    async def scenario(traffic):
        return await while_the_store_fails(traffic, seconds, traffic.system.emulator.freeze())

    report = play(scenario)

    measured(**numbers(report))
    check(report, seconds)
    assert all(map(is_refused, report.answers))


@pytest.mark.long
@pytest.mark.fault(
    what="the same, and a session speaks that is in no memory",
    speaker="INTERNAL_DATABASE_ERROR in half a second for each chunk, which may be sent again",
    listeners="silence meanwhile",
    log="an ERROR line and `AudioChunksDropped` for each chunk; `DynamoDBErrors`",
    heals="with the store's return: its next chunks are heard",
)
def test_session_that_is_in_no_memory_is_refused_soon(play, measured):
    async def scenario(traffic):
        await traffic.session(1)
        await traffic.warm_up()  # so that the function has started
        session = await traffic.session(1, speaks=False)
        speaker = session.speaker
        with traffic.system.emulator.freeze():
            await send_a_chunk_a_second(speaker, SHORT_SECONDS)
        refused = dict(speaker.refused)
        await asyncio.sleep(KNOWN_SECONDS)
        number = await speaker.send_chunk()
        async with asyncio.timeout(10):
            while number not in session.listeners[0].heard:
                await asyncio.sleep(0.05)
        return refused, [speaker.refused_after[one] for one in refused], await traffic.account()

    refused, seconds, account = play(scenario)

    measured(refused_after_s=max(seconds))
    assert len(refused) == SHORT_SECONDS
    assert {(e["code"], e["retryable"]) for e in refused.values()} == {
        ("INTERNAL_DATABASE_ERROR", True)
    }
    assert max(seconds) < 0.5 + ALLOWANCE_SECONDS
    assert account.twice == 0
    assert account.refused <= account.refused_by_count  # the account itself fails on purpose, too


@pytest.mark.long
@pytest.mark.fault(
    what="the same, and one session alone speaks, which only those environments know that have had its chunks",
    speaker="nothing",
    listeners="every chunk, at most 1 in 20 later than half a second or not at all",
    log="`DynamoDBErrors`",
    heals="within 2 s of the store's return",
)
def test_one_session_speaks_on_while_the_store_is_frozen(play, measured):
    async def scenario(traffic):
        await traffic.session(2)
        await traffic.warm_up()
        speaking = asyncio.create_task(traffic.speak(2.0 + SHORT_SECONDS))
        await asyncio.sleep(1.0)
        since = traffic.now
        with traffic.system.emulator.freeze():
            await asyncio.sleep(SHORT_SECONDS)
        during = Phase(since, traffic.now)
        await speaking
        return traffic.latencies(during), traffic.unheard(during), await traffic.account()

    latencies, unheard, account = play(scenario)

    measured(p95_ms=p95(latencies), worst_ms=max(latencies), unheard=unheard)
    late = sum(ms > 500 for ms in latencies) + unheard
    assert late <= 0.05 * (len(latencies) + unheard)
    assert (account.twice, account.uncounted(2)) == (0, 0)


@pytest.mark.long
@pytest.mark.fault(
    what="the store refuses every connection for 10 s",
    speaker="a speaker whose session is in memory: nothing; another: each chunk refused with a retryable code in half a second; other requests the same in 3 s",
    listeners="every chunk, at most 1 in 20 later than half a second",
    log="`DynamoDBErrors`; ERROR lines for requests that failed",
    heals="within 2 s of the store's return",
)
def test_store_that_refuses_stops_nobody_who_speaks(play, measured):
    async def scenario(traffic):
        fault = traffic.faults.table(None, error="refuse")
        return await while_the_store_fails(traffic, LONG_SECONDS, fault)

    report = play(scenario)

    measured(**numbers(report))
    check(report, LONG_SECONDS)
    assert all(map(is_refused, report.answers))


@pytest.mark.long
@pytest.mark.fault(
    what="the store throttles every call for 10 s",
    speaker="a speaker whose session is in memory: nothing; another: each chunk refused with a retryable code in half a second; other requests the same in 3 s",
    listeners="every chunk, at most 1 in 20 later than half a second",
    log="`DynamoDBErrors`, ErrorCode `ThrottlingException`; ERROR lines for requests that failed",
    heals="within 2 s of the last throttled call",
)
def test_store_that_throttles_stops_nobody_who_speaks(play, measured):
    async def scenario(traffic):
        fault = traffic.faults.table(None, error="ThrottlingException")
        return await while_the_store_fails(traffic, LONG_SECONDS, fault)

    report = play(scenario)

    measured(**numbers(report))
    check(report, LONG_SECONDS)
    assert all(map(is_refused, report.answers))


@pytest.mark.long
@pytest.mark.fault(
    what="each call of the store takes a second longer, for 10 s",
    speaker="a speaker whose session is in memory: nothing; another: each chunk refused with a retryable code in half a second; other requests are done, or refused with one, in 3 s",
    listeners="every chunk, at most 1 in 20 later than half a second",
    log="`DynamoDBErrors` for calls that were given up",
    heals="within 2 s of the store's return",
)
def test_slow_store_stops_nobody_who_speaks(play, measured):
    async def scenario(traffic):
        fault = traffic.faults.table(None, delay_seconds=1)
        return await while_the_store_fails(traffic, LONG_SECONDS, fault)

    report = play(scenario)

    measured(**numbers(report))
    check(report, LONG_SECONDS)
