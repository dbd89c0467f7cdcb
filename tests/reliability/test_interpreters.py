"""An interpreter who is lost costs its listeners the channel, and nobody else anything."""

import asyncio
from typing import NamedTuple

import pytest

from tests.reliability.clients import PATIENCE_SECONDS, Phase
from tests.reliability.test_stuck_listeners import (
    AT_MOST_SECONDS,
    LOST_SHARE,
    OUT_SECONDS,
    P95_MS,
    least_disturbed,
)
from tests.reliability.traffic import KNOWN_SECONDS, p95

pytestmark = pytest.mark.long

# After so long without a sign housekeeping takes an interpreter out; it runs each minute.
SILENT_SECONDS = 10


class Report(NamedTuple):
    """What the others have heard before, while and after an interpreter is lost, and when its listener was back."""

    p95_ms: tuple[float, float, float]
    refused: int
    unheard: int  # by the others
    due: int
    back_after_s: float  # from the fault to the notice that the floor is heard
    not_heard_then: int  # of the floor, from two seconds after that
    counted: dict[str, float]
    given_up: int


async def lose(traffic, fault):
    """Have the floor and a channel speak while another's interpreter is lost, who says nothing.

    `fault(traffic, interpreter)` makes it happen and ends when its listener is to be back soon.
    """
    floor = await traffic.session(2)
    await traffic.channel(floor, "es", 2)
    lost = await traffic.channel(floor, "de", 0)
    lost.speaks = False
    listener = await traffic.listener(floor, "de")
    await traffic.warm_up()
    before = await traffic.speak(2.0)
    listener.heard.clear()
    begun = traffic.now
    speaking = asyncio.create_task(
        traffic.speak(AT_MOST_SECONDS, lambda: has_come(listener, "channelChanged"))
    )
    await fault(traffic, lost.speaker)
    during = await speaking
    [back_at] = [at for at, message in listener.notices if message["type"] == "channelChanged"]
    after = await traffic.speak(KNOWN_SECONDS + 1.5)
    account = await traffic.account()
    known = Phase(after.since + KNOWN_SECONDS, after.until)
    phases = (before, during, after)
    assert (account.from_gateway, account.twice) == (0, 0)
    return Report(
        p95_ms=tuple(p95(traffic.latencies(phase)) for phase in phases),
        refused=account.refused,
        unheard=sum(map(traffic.unheard, phases)),
        due=account.due,
        back_after_s=back_at - begun,
        not_heard_then=len(floor.sent_in(known) - listener.heard.keys()),
        counted=account.failures,
        given_up=account.given_up,
    )


def has_come(listener, kind):
    return any(message["type"] == kind for _, message in listener.notices)


def check(report, measured):
    measured(**report._asdict())
    before, during, after = report.p95_ms
    assert during < max(P95_MS, 2 * max(before, after))
    assert report.refused == 0
    assert report.unheard <= LOST_SHARE * report.due
    assert report.not_heard_then <= LOST_SHARE * report.due


@pytest.mark.fault(
    what="no post to an interpreter is answered",
    speaker="`interpreterLeft` once the interpreter is out",
    listeners="of its channel: silence until it is out, then `channelChanged` and, within 2 s, the floor; all others: every chunk, in time",
    log="a WARN line that names the interpreter; `ListenerNotificationFailures`, one for each chunk without an answer",
    heals="closed and taken out within 10 s; the interpreter comes back with its token",
)
def test_interpreter_to_whom_no_post_is_answered_delays_nobody(play, measured):
    async def takes_nothing(traffic, interpreter):
        async with asyncio.timeout(PATIENCE_SECONDS):
            with traffic.faults.posts(None, to=[interpreter.at_gateway.id]):
                while not interpreter.at_gateway.is_out:
                    await asyncio.sleep(0.02)

    report = least_disturbed(play, lambda traffic: lose(traffic, takes_nothing))

    check(report, measured)
    assert report.back_after_s < OUT_SECONDS
    assert report.counted.keys() <= {"timeout", "skipped", "gone"}


@pytest.mark.fault(
    what="an interpreter's connection is cut",
    speaker="`interpreterLeft` at once",
    listeners="of its channel: `channelChanged` at once and, within 2 s, the floor; all others: every chunk, in time",
    log="nothing, or `ListenerNotificationFailures`, ErrorType `gone`, for posts until it is known",
    heals="the interpreter comes back with its token, if nobody else has taken the language",
)
def test_interpreter_whose_connection_is_cut_gives_its_listeners_back(play, measured):
    async def is_cut(traffic, interpreter):
        traffic.faults.cut(interpreter.at_gateway.id)

    report = least_disturbed(play, lambda traffic: lose(traffic, is_cut))

    check(report, measured)
    assert report.back_after_s < 2


@pytest.mark.fault(
    what="an interpreter's program hangs: its connection is open, and no heartbeat, audio or caption comes",
    speaker="`interpreterLeft` once the interpreter is out",
    listeners="of its channel: silence until it is out, then `channelChanged` and, within 2 s, the floor; all others: every chunk, in time",
    log="nothing",
    heals="taken out by housekeeping after 10 s without a sign, which is within 70 s, or replaced by the next one who joins for the language",
)
def test_interpreter_who_gives_no_sign_is_taken_out_by_housekeeping(play, measured):
    async def hangs(traffic, interpreter):
        await asyncio.sleep(SILENT_SECONDS)
        [schedule] = traffic.system.schedules
        result = await traffic.system.run_schedule(schedule)
        assert result.error is None
        assert interpreter.at_gateway.is_out

    report = least_disturbed(play, lambda traffic: lose(traffic, hangs))

    check(report, measured)
    assert report.back_after_s < SILENT_SECONDS + 2
