"""People vanish, come back, and are missed."""

import asyncio

import pytest

from local.client import RequestRefusedError, stream

PCM = bytes(range(200)) * 16


def without_disconnect(template):
    """Take away the route: `$disconnect` is best effort, and here it never comes."""
    kept = {
        name: resource
        for name, resource in template["Resources"].items()
        if resource.get("Properties", {}).get("RouteKey") != "$disconnect"
    }
    for resource in kept.values():
        resource["DependsOn"] = [name for name in resource.get("DependsOn", []) if name in kept]
    return {**template, "Resources": kept}


@pytest.mark.threat("ws-heartbeat")
def test_listener_whose_disconnect_was_lost_is_removed_by_the_next_chunk(live, restored):
    live.redeploy(without_disconnect)

    async def scenario(stage):
        speaker, created = await stage.speaker()
        gone, _ = await stage.listener(created["sessionId"], "fr")
        staying, joined = await stage.listener(created["sessionId"], "es")
        heard, task = stage.hearing(staying, joined)
        gone.vanish()
        await gone.closed.wait()
        await stream(speaker, [PCM] * 4, 0.1)
        left = await speaker.expect("listenerLeft")
        status = await speaker.request("getSessionStatus")
        await speaker.request("endSession")
        await task
        return left, status, len(heard.chunks)

    left, status, chunks = live.play(scenario)

    assert (left["targetLanguage"], left["listenerCount"]) == ("fr", 1)
    assert status["languageDistribution"] == {"es": 1}
    assert chunks == 4


def test_speaker_who_does_not_come_back_ends_the_session(live):
    async def vanish(stage):
        speaker, created = await stage.speaker()
        listener, _ = await stage.listener(created["sessionId"])
        session = created["sessionId"]
        speaker.vanish()
        await speaker.closed.wait()
        await until(lambda: "speakerGoneAt" in live.item("Sessions", sessionId=session))
        await asyncio.to_thread(make_earlier, live, session, "speakerGoneAt", 61)
        [schedule] = stage.system.schedules
        result = await stage.system.run_schedule(schedule)
        return result, await listener.expect("sessionEnded"), session

    result, notice, session = live.play(vanish)

    assert result.error is None
    assert notice["reason"] == "speakerDisconnected"
    assert live.item("Sessions", sessionId=session)["status"] == {"S": "ended"}


def test_speaker_who_was_gone_for_less_than_a_minute_keeps_the_session(live):
    async def vanish(stage):
        speaker, created = await stage.speaker()
        session = created["sessionId"]
        speaker.vanish()
        await speaker.closed.wait()
        await until(lambda: "speakerGoneAt" in live.item("Sessions", sessionId=session))
        [schedule] = stage.system.schedules
        await stage.system.run_schedule(schedule)
        again = await stage.connect()
        complete = await again.request(
            "refreshConnection", sessionId=session, refreshToken=created["refreshToken"]
        )
        return complete, live.item("Sessions", sessionId=session)

    complete, item = live.play(vanish)

    assert complete["role"] == "speaker"
    assert item["status"] == {"S": "active"}
    assert "speakerGoneAt" not in item


async def until(condition):
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.02)


def make_earlier(live, session, attribute, seconds):
    """Turn the clock for one attribute: it happened so many seconds earlier."""
    live.client("dynamodb").update_item(
        TableName=live.table("Sessions"),
        Key={"sessionId": {"S": session}},
        UpdateExpression="SET #a = #a - :ms",
        ExpressionAttributeNames={"#a": attribute},
        ExpressionAttributeValues={":ms": {"N": str(seconds * 1000)}},
    )


def test_speaker_moves_to_a_new_connection_and_goes_on(live):
    async def scenario(stage):
        speaker, created = await stage.speaker()
        listener, joined = await stage.listener(created["sessionId"])
        heard, task = stage.hearing(listener, joined)
        await stream(speaker, [PCM] * 3, 0.05)
        await speaker.request("muteBroadcast")
        await speaker.request("unmuteBroadcast")
        again = await stage.connect()
        complete = await again.request(
            "refreshConnection",
            sessionId=created["sessionId"],
            refreshToken=created["refreshToken"],
        )
        state = await again.expect("broadcastControl")
        await stream(again, [PCM] * 3, 0.05, first=3)
        await again.request("endSession")
        await task
        return complete, state, [chunk.number for chunk in heard.chunks]

    complete, state, numbers = live.play(scenario)

    assert complete["role"] == "speaker"
    assert (state["isPaused"], state["isMuted"], state["volume"]) == (False, False, 1)
    assert numbers == [0, 1, 2, 3, 4, 5]


def test_listener_moves_to_a_new_connection_and_hears_on(live):
    async def scenario(stage):
        speaker, created = await stage.speaker()
        _, joined = await stage.listener(created["sessionId"], "fr")
        again = await stage.connect()
        complete = await again.request(
            "refreshConnection",
            sessionId=created["sessionId"],
            refreshToken=joined["refreshToken"],
        )
        heard, task = stage.hearing(again, joined)
        await asyncio.sleep(2.1)  # environments may keep the old audience for two seconds
        await stream(speaker, [PCM] * 3, 0.05)
        status = await speaker.request("getSessionStatus")
        await speaker.request("endSession")
        await task
        return complete["role"], status["languageDistribution"], len(heard.chunks)

    assert live.play(scenario) == ("listener", {"fr": 1}, 3)


@pytest.mark.parametrize("token", ["nobody.secret", ""])
@pytest.mark.threat("guessed-refresh-token", "ws-test-session")
def test_wrong_token_moves_nobody(live, token):
    async def scenario(stage):
        _, created = await stage.speaker()
        again = await stage.connect()
        with pytest.raises(RequestRefusedError) as refused:
            await again.request(
                "refreshConnection", sessionId=created["sessionId"], refreshToken=token
            )
        return refused.value.code

    assert live.play(scenario).startswith(("AUTH_", "VALIDATION_"))
