"""The floor, its channels and those who hear them, over real sockets and the deployed stack.

Each scenario is a session of its own. Three are played side by side, and what was sent and heard is
compared at the end: see `participants.py`.
"""

import asyncio
import contextlib

import pytest

from tests.reliability.clients import chunk_event
from tests.reliability.traffic import MAX_ENVIRONMENTS, Traffic

from .participants import FLOOR, GAP, NOTHING, ON_THE_WAY, Chunk, Scene, until
from .test_endings import without_disconnect

WRONG_KEY = "not-the-key-of-it"
SILENT_MS = 10_000


async def somebody_joins_before_and_after_the_interpreter(scene, _):
    speaker = await scene.speaker()
    ann = await scene.listener("ann", "de-AT")
    bob = await scene.listener("bob", "fr")
    speaker.speak()
    await until(lambda: ann.now.played)
    ida = await scene.interpreter("ida", "de")
    changed = await ann.expect("channelChanged")
    notice = await speaker.expect("interpreterJoined")
    ida.speak()
    dora = await scene.listener("dora", "de")
    await scene.heard_on(ann, dora, ida)

    assert (changed["channels"], notice["language"]) == (["de"], "de")
    assert ann.heard_channels == [FLOOR, "de"]
    assert dora.heard_channels == ["de"]
    assert bob.heard_channels == [FLOOR]


async def listener_changes_language_while_the_interpreter_speaks(scene, _):
    speaker = await scene.speaker()
    ann = await scene.listener("ann", "fr")
    ida = await scene.interpreter("ida", "de")
    speaker.speak()
    ida.speak()
    await until(lambda: ann.now.played)
    await ann.request("changeLanguage", targetLanguage="de-CH")
    await ann.expect("channelChanged")
    await scene.heard_on(ann)
    await ann.request("changeLanguage", targetLanguage="de-CH", audio="original")
    await ann.expect("channelChanged", 2)
    await scene.heard_on(ann)

    assert ann.heard_channels == [FLOOR, "de", FLOOR]


async def interpreter_vanishes(scene, _):
    speaker = await scene.speaker()
    ann = await scene.listener("ann", "de")
    bob = await scene.listener("bob", "fr")
    ida = await scene.interpreter("ida", "de")
    speaker.speak()
    ida.speak()
    await until(lambda: ann.now.hears == "de" and ann.now.played)
    await heard_to_the_end(ida, ann)  # what a network loses, nobody counts
    ida.vanish()
    left = await speaker.expect("interpreterLeft")
    changed = await ann.expect("channelChanged", 2)
    await scene.heard_on(ann)

    assert (left["language"], changed["channels"]) == ("de", [])
    assert ann.heard_channels == [FLOOR, "de", FLOOR]
    assert bob.heard_channels == [FLOOR]


async def heard_to_the_end(sender, listener):
    """Have a sender fall silent, and wait until all is heard; return the number of the next chunk."""
    following = await sender.fall_silent()
    await until(lambda: Chunk(sender.name, following - 1) in listener.now.played)
    return following


async def interpreter_who_gives_no_sign_is_replaced(scene, live):
    speaker = await scene.speaker()
    ann = await scene.listener("ann", "de")
    ida = await scene.interpreter("ida", "de")
    speaker.speak()
    ida.speak()
    await until(lambda: ann.now.played)
    await heard_to_the_end(ida, ann)
    ivo = await scene.connected("ivo")
    taken = [await scene.interpret(ivo, "de")]
    await asyncio.to_thread(make_silent, live, scene.session_id, "de")
    await ida.request("heartbeat")
    taken.append(await scene.interpret(ivo, "de"))
    await asyncio.to_thread(make_silent, live, scene.session_id, "de")
    ready = await scene.interpret(ivo, "de")
    # A busy machine may have refused a chunk before.
    await until(lambda: "CONNECTION_CLOSED" in [one["code"] for one in ida.of_type("error")])
    await until(lambda: ida.is_closed)
    await ann.expect("channelChanged", 2)
    ivo.speak()
    again = await scene.connected("ida")
    refused = await scene.refresh(again, ida)
    await scene.heard_on(ann)

    assert [answer["code"] for answer in taken] == ["SESSION_LANGUAGE_TAKEN"] * 2
    assert ready["type"] == "interpreterReady"
    assert refused["code"] == "SESSION_LANGUAGE_TAKEN"
    assert ann.heard_channels == [FLOOR, "de", "de"]
    assert {chunk.sender for chunk in ann.now.played} == {"ivo"}


def make_silent(live, session, language):
    """Turn the clock for an interpreter: its last sign was ten seconds earlier."""
    live.client("dynamodb").update_item(
        TableName=live.table("Sessions"),
        Key={"sessionId": {"S": session}},
        UpdateExpression="SET interpreters.#language.seenAt = interpreters.#language.seenAt - :ms",
        ExpressionAttributeNames={"#language": language},
        ExpressionAttributeValues={":ms": {"N": str(SILENT_MS)}},
    )


async def two_interpreters_speak_at_once(scene, _):
    speaker = await scene.speaker()
    ann = await scene.listener("ann", "de")
    sue = await scene.listener("sue", "es")
    bob = await scene.listener("bob", "fr")
    ida = await scene.interpreter("ida", "de")
    ivo = await scene.interpreter("ivo", "es-MX")
    eva = await scene.interpreter("eva", "es")
    for one in (speaker, ida, ivo, eva):
        one.speak()
    await scene.heard_on(ann, sue, bob, ida, ivo)
    await ann.request("changeLanguage", targetLanguage="es-MX")
    await ann.expect("channelChanged", 2)
    await scene.heard_on(ann)

    assert ann.heard_channels == [FLOOR, "de", "es-MX"]
    assert sue.heard_channels == [FLOOR, "es"]
    assert bob.heard_channels == [FLOOR]


async def no_channel_begins_with_a_wrong_key_or_in_the_sessions_own_language(scene, _):
    speaker = await scene.speaker()
    ann = await scene.listener("ann", "ja", captions=True)
    bob = await scene.listener("bob", "en")
    eve = await scene.connected("eve")
    refused = await scene.interpret(eve, "ja", WRONG_KEY)
    cap = await scene.interpreter("cap", "en")
    notice = await speaker.expect("interpreterJoined")
    speaker.speak()
    cap.speak()
    await cap.send("sendCaption", segmentId="1", text="Good morning.", isFinal=True)
    captions = [await ann.expect("caption"), await speaker.expect("caption")]
    await scene.heard_on(ann, bob, cap)

    assert (refused["code"], notice["language"]) == ("SESSION_NOT_FOUND", "en")
    assert "AUTH_INVALID_ROLE" in cap.refused.values()
    assert [message["language"] for message in captions] == ["en", "en"]
    assert bob.of_type("caption") == []
    assert ann.heard_channels + bob.heard_channels == [FLOOR, FLOOR]


async def speaker_pauses(scene, _):
    speaker, ann, bob, ida = await two_ears(scene)
    await speaker.request("pauseBroadcast")
    await ann.expect("broadcastPaused")
    await scene.heard_on(ann, bob, ida)
    await speaker.request("resumeBroadcast")
    await ann.expect("broadcastResumed")
    await scene.heard_on(ann, bob, ida)

    assert ann.heard_channels == [FLOOR, "de", NOTHING, "de"]
    assert bob.heard_channels == [FLOOR, NOTHING, FLOOR]
    assert ida.heard_channels == [FLOOR, NOTHING, FLOOR]


async def speaker_is_muted_and_the_interpreter_is_not(scene, _):
    speaker, ann, bob, ida = await two_ears(scene)
    await speaker.request("muteBroadcast")
    await bob.expect("broadcastMuted")
    await scene.heard_on(bob, ida)
    await speaker.request("unmuteBroadcast")
    await bob.expect("broadcastUnmuted")
    await scene.heard_on(bob, ida)

    assert ann.heard_channels == [FLOOR, "de"]
    assert bob.heard_channels == [FLOOR, NOTHING, FLOOR]
    assert ida.heard_channels == [FLOOR, NOTHING, FLOOR]


async def two_ears(scene):
    """Return a speaker and an interpreter who speak, and a listener who hears each."""
    speaker = await scene.speaker()
    ann = await scene.listener("ann", "de")
    bob = await scene.listener("bob", "fr")
    ida = await scene.interpreter("ida", "de")
    await ann.expect("channelChanged")
    speaker.speak()
    ida.speak()
    await until(lambda: ann.now.played and bob.now.played)
    return speaker, ann, bob, ida


async def interpreter_and_listener_move_to_other_connections(scene, _):
    _, ann, _, ida = await two_ears(scene)
    following = await heard_to_the_end(ida, ann)
    again = await scene.refreshed(ida)
    again.speak(following)
    await scene.heard_on(again)
    moved = await scene.refreshed(ann)
    await moved.expect("channelChanged")
    await scene.heard_on(moved)

    sent = {chunk for _, chunk in scene.sent("de")}
    heard = {chunk for one in (ann, moved) for period in one.periods for chunk in period.played}
    assert ann.is_closed
    assert ann.heard_channels == [FLOOR, "de"]
    assert set(moved.heard_channels) == {"de"}
    assert len(sent - heard) <= GAP + ON_THE_WAY


SCENARIOS = [
    somebody_joins_before_and_after_the_interpreter,
    listener_changes_language_while_the_interpreter_speaks,
    interpreter_vanishes,
    interpreter_who_gives_no_sign_is_replaced,
    two_interpreters_speak_at_once,
    no_channel_begins_with_a_wrong_key_or_in_the_sessions_own_language,
    speaker_pauses,
    speaker_is_muted_and_the_interpreter_is_not,
    interpreter_and_listener_move_to_other_connections,
]


def play(live, scenarios):
    """Play scenarios, three side by side; return their scenes and what was counted, once nothing is on its way."""

    async def side_by_side(stage):
        async with contextlib.AsyncExitStack() as stack:
            traffic = Traffic(stage.system, stack)
            await start_audio(stage.system)
            await traffic.begin()
            scenes = [Scene(stage.url, stack) for _ in scenarios]
            for together in batched(zip(scenes, scenarios, strict=True)):
                async with asyncio.TaskGroup() as group:
                    for scene, scenario in together:
                        group.create_task(scenario(scene, live))
                for scene, _ in together:
                    await scene.fall_silent()
            await traffic.idle()
            return scenes, await traffic.account()

    return live.play(side_by_side)


def batched(items):
    """Return items in lists of three: more sessions at once want the whole machine."""
    every = list(items)
    return [every[start : start + 3] for start in range(0, len(every), 3)]


async def start_audio(system):
    """Start the audio function as often as it may run at once: no chunk has to wait for that."""
    name = f"websocket-audio-{system.stage}-audio"
    event = chunk_event(0, "nobody")
    await asyncio.gather(*(system.api.invoke(name, event) for _ in range(MAX_ENVIRONMENTS)))


def check(scenes, account):
    """Check what each has heard, and that what was lost is of a gap, or is counted.

    On a busy machine audio may be late, or the answer to a post, or that of the store. What nobody has got was sent to nobody,
    or to those who were gone.
    """
    for scene in scenes:
        scene.check()
    lost = [where for scene in scenes for where in scene.all_lost().values()]
    unheard = sum(len(scene.unheard()) for scene in scenes)
    assert account.unanswered or len(lost) <= account.dropped.get("late", 0) + account.given_up, (
        lost
    )
    assert account.silent <= unheard <= account.silent + sum(account.failures.values())


@pytest.mark.long
def test_each_hears_its_channel_and_loses_nothing_but_the_gap(live, restored):
    """No `$disconnect` comes: who has vanished is found by the next chunk, whose post gets 410."""
    live.redeploy(without_disconnect)

    scenes, account = play(live, SCENARIOS)

    check(scenes, account)
    assert account.dropped.keys() >= {"paused", "muted", "no_listeners"}
    assert "gone" in account.failures
