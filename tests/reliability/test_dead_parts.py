"""Parts that die under load: what was in their hands is lost and said, and all else goes on."""

import asyncio

import pytest

from tests.reliability.clients import Phase

pytestmark = pytest.mark.long

# A function starts in a second or two; on a busy machine it takes longer.
HEALED_SECONDS = 6.0


async def kill_environments(traffic, count):
    """Speak in six sessions, and kill environments of the audio function under it."""
    for _ in range(6):
        await traffic.session(2)
    await traffic.warm_up()
    [state] = traffic.states("audio")
    starts = state.cold_starts
    speaking = asyncio.create_task(traffic.speak(2.0 + HEALED_SECONDS + 2.0))
    await asyncio.sleep(2.0)
    killed_at = traffic.now
    killed = traffic.system.api.kill_environments(state.name, count)
    await speaking
    account = await traffic.account()
    [state] = traffic.states("audio")
    return {
        "killed": killed,
        "started": state.cold_starts - starts,
        "in_hand": account.from_gateway,
        "reports": traffic.lines.problems["Runtime.ExitError"],
        "missing": account.missing,
        "counted": sum(account.failures.values()) + 2 * account.silent,
        "given_up": account.given_up,
        "unheard_later": traffic.unheard(Phase(killed_at + HEALED_SECONDS, float("inf"))),
    }, traffic


def check(report, traffic):
    """What is missing was counted, or in the hands of who died, and then the speaker was informed."""
    said = {text for session in traffic.sessions for text in session.speaker.from_gateway}
    assert said <= {"Internal server error"}
    assert 0 <= report["missing"] - report["counted"] <= 2 * report["in_hand"]
    assert report["unheard_later"] <= report["given_up"]
    assert report["reports"] == report["in_hand"]


@pytest.mark.fault(
    what="an environment of the audio function is killed",
    speaker="the gateway's `Internal server error` for the chunk that it had in hand, if it had one",
    listeners="every other chunk, in time",
    log="Lambda's report with status `error` and `Runtime.ExitError`, if it had a chunk in hand",
    heals="another environment starts when it is needed",
)
def test_audio_environment_that_is_killed_takes_one_chunk_with_it(play, measured):
    async def scenario(traffic):
        return await kill_environments(traffic, 1)

    report, traffic = play(scenario)

    measured(**report)
    check(report, traffic)
    assert report["killed"] == 1
    assert report["in_hand"] <= 1


@pytest.mark.fault(
    what="all environments of the audio function are killed",
    speaker="the gateway's `Internal server error` for each chunk that they had in hand",
    listeners="silence until others have started; audio older than 2 s is dropped",
    log="Lambda's report with `Runtime.ExitError` for each chunk in hand; `AudioChunksDropped`, Reason `late`, for what waits too long",
    heals="others start with the next chunk",
)
def test_audio_environments_that_are_all_killed_are_replaced(play, measured):
    async def scenario(traffic):
        return await kill_environments(traffic, None)

    report, traffic = play(scenario)

    measured(**report)
    check(report, traffic)
    assert report["killed"] >= 1
    assert report["started"] >= 1
    assert report["in_hand"] <= report["killed"]


@pytest.mark.fault(
    what="the disk is full when the audio function's code is unpacked",
    speaker="the gateway's `Internal server error` for each chunk",
    listeners="silence meanwhile",
    log="one sentence that names the function and `No space left on device`, then a count",
    heals="with the first chunk after there is space again",
)
def test_code_that_cannot_be_unpacked_is_unpacked_later(play_afresh, measured, caplog):
    async def scenario(traffic):
        session = await traffic.session(2)
        with traffic.faults.no_space() as fault:
            await traffic.speak(3.0)
            await traffic.idle()
        failed = len(session.speaker.sent)
        await traffic.warm_up()
        return fault.hits, failed, session.speaker.from_gateway, await traffic.account()

    hits, failed, said, account = play_afresh(scenario)

    lines = [record.getMessage() for record in caplog.records if "No space" in record.getMessage()]
    measured(tries=hits, refused=len(said), lines=len(lines), dropped=account.dropped)
    assert said == ["Internal server error"] * failed
    assert account.uncounted(2) == 2 * failed
    assert "-audio cannot be fetched and unpacked: [Errno 28] No space left on device" in lines[0]
    assert len(lines) < failed
    assert all("Traceback" not in record.getMessage() for record in caplog.records)
