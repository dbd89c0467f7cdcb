"""From one speaker to many listeners, over real sockets and the deployed stack."""

import asyncio

import pytest

from local.client import RequestRefusedError, stream
from local.talk import CHUNK_MS

PCM = bytes(range(200)) * 16
# Four times as fast as speech; a speaker may send 50 chunks a second.
QUICKLY = 0.025
SOON = 20.0
# An environment may act on what it knew two seconds ago; and a second for a machine that is busy.
KNOWN_SECONDS = 3.1


def test_every_listener_hears_every_chunk_in_order(live, speech):
    async def scenario(stage):
        speaker, created = await stage.speaker(audioFormat=speech.audio_format)
        listeners = [
            await stage.listener(created["sessionId"], language) for language in ("es", "fr", "de")
        ]
        hearing = [stage.hearing(*listener) for listener in listeners]
        await stream(speaker, speech.chunks(CHUNK_MS), QUICKLY)
        for heard, _ in hearing:
            await heard.arrived(53, SOON)
        await speaker.request("endSession")
        await asyncio.gather(*(task for _, task in hearing))
        return [heard for heard, _ in hearing]

    for heard in live.play(scenario):
        assert [chunk.number for chunk in heard.chunks] == list(range(53))
        assert heard.recording == speech
        assert heard.buffer.num_missing == 0


def test_speaker_is_notified_who_comes_and_goes(live):
    async def scenario(stage):
        speaker, created = await stage.speaker()
        listener, joined = await stage.listener(created["sessionId"], "fr")
        came = await speaker.expect("listenerJoined")
        await listener.close()
        return created, joined, came, await speaker.expect("listenerLeft")

    created, joined, came, left = live.play(scenario)

    assert joined["broadcastState"] == {"isPaused": False, "isMuted": False, "volume": 1}
    assert joined["listenerCount"] == 1
    assert (came["sessionId"], came["listenerCount"], came["targetLanguage"]) == (
        created["sessionId"],
        1,
        "fr",
    )
    assert (left["listenerCount"], left["targetLanguage"]) == (0, "fr")


@pytest.mark.parametrize(
    ("action", "fields", "kind", "state"),
    [
        ("pauseBroadcast", {}, "broadcastPaused", {"isPaused": True}),
        ("muteBroadcast", {}, "broadcastMuted", {"isMuted": True}),
        ("setVolume", {"volumeLevel": 0.3}, "volumeChanged", {"volume": 0.3}),
        (
            "speakerStateChange",
            {"state": {"isMuted": True, "volume": 0.5}},
            "speakerStateChanged",
            {"isMuted": True, "volume": 0.5},
        ),
    ],
)
def test_control_reaches_listeners_and_those_who_join_later(live, action, fields, kind, state):
    async def scenario(stage):
        speaker, created = await stage.speaker()
        listener, _ = await stage.listener(created["sessionId"])
        reply = await speaker.request(action, **fields)
        notice = await listener.expect(kind)
        _, joined = await stage.listener(created["sessionId"])
        return reply, notice, joined

    reply, notice, joined = live.play(scenario)

    assert reply["type"] == kind
    assert "requestId" not in notice
    assert joined["broadcastState"] == {
        "isPaused": False,
        "isMuted": False,
        "volume": 1,
        **state,
    }


def test_nothing_is_heard_while_the_speaker_is_silent(live):
    async def silent(stage, silence, sound):
        speaker, created = await stage.speaker()
        listener, _ = await stage.listener(created["sessionId"])
        await stream(speaker, [PCM] * 3, QUICKLY)
        before = await numbers(listener, 3)
        await speaker.request(silence)
        await asyncio.sleep(KNOWN_SECONDS)
        await stream(speaker, [PCM] * 3, QUICKLY, first=3)
        await speaker.request(sound)
        await asyncio.sleep(KNOWN_SECONDS)
        await stream(speaker, [PCM] * 3, QUICKLY, first=6)
        return before, await numbers(listener, 3)

    async def scenario(stage):
        return await asyncio.gather(
            silent(stage, "pauseBroadcast", "resumeBroadcast"),
            silent(stage, "muteBroadcast", "unmuteBroadcast"),
        )

    assert live.play(scenario) == [({0, 1, 2}, {6, 7, 8})] * 2


async def numbers(client, count):
    """Return the numbers of the next chunks, in whatever order they come."""
    async with asyncio.timeout(SOON):
        return {(await client.audio.get()).number for _ in range(count)}


def test_listener_changes_language_and_the_status_says(live):
    async def scenario(stage):
        speaker, created = await stage.speaker()
        listener, _ = await stage.listener(created["sessionId"], "es")
        await stage.listener(created["sessionId"], "de")
        changed = await listener.request("changeLanguage", targetLanguage="pt-br")
        return changed, await speaker.request("getSessionStatus")

    changed, status = live.play(scenario)

    assert (changed["type"], changed["targetLanguage"]) == ("languageChanged", "pt-BR")
    assert status["languageDistribution"] == {"de": 1, "pt-BR": 1}
    assert status["listenerCount"] == 2
    assert status["updateReason"] == "requested"
    assert status["isActive"] is True


def test_listener_pauses_for_itself_alone(live):
    async def scenario(stage):
        speaker, created = await stage.speaker()
        pausing, joined = await stage.listener(created["sessionId"])
        other, joined_too = await stage.listener(created["sessionId"])
        hearing = [stage.hearing(pausing, joined), stage.hearing(other, joined_too)]
        replies = [await pausing.request("pausePlayback")]
        await asyncio.sleep(KNOWN_SECONDS)
        await stream(speaker, [PCM] * 3, QUICKLY)
        await hearing[1][0].arrived(3, SOON)
        replies.append(await pausing.request("resumePlayback"))
        await speaker.request("endSession")
        await asyncio.gather(*(task for _, task in hearing))
        return [reply["type"] for reply in replies], [len(heard.chunks) for heard, _ in hearing]

    assert live.play(scenario) == (["playbackPaused", "playbackResumed"], [0, 3])


def test_session_ends_for_everyone(live):
    async def scenario(stage):
        speaker, created = await stage.speaker()
        listener, _ = await stage.listener(created["sessionId"])
        reply = await speaker.request("endSession")
        notice = await listener.expect("sessionEnded")
        late = await stage.connect()
        with pytest.raises(RequestRefusedError) as refused:
            await late.request("joinSession", sessionId=created["sessionId"], targetLanguage="es")
        return reply["reason"], notice["reason"], refused.value.code

    assert live.play(scenario) == ("speakerEnded", "speakerEnded", "SESSION_INACTIVE")


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("sendAudio", {"audioData": "A" * 400, "sequenceNumber": 0, "timestamp": 1}),
        ("pauseBroadcast", {}),
        ("endSession", {}),
    ],
)
def test_listener_cannot_do_what_only_the_speaker_may(live, action, fields):
    async def scenario(stage):
        _, created = await stage.speaker()
        listener, _ = await stage.listener(created["sessionId"])
        with pytest.raises(RequestRefusedError) as refused:
            await listener.request(action, **fields)
        return refused.value.code

    assert live.play(scenario) == "AUTH_INVALID_ROLE"
