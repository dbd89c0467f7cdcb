"""What each action costs in DynamoDB, as the README says it."""

import base64
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from shared_utils.websocket_messages import CLIENT_MESSAGES

README = (Path(__file__).parent.parent / "README.md").read_text()

SHORT = {
    ("get_item", "Connections"): "get connection",
    ("get_item", "Sessions"): "get session",
    ("put_item", "Connections"): "put connection",
    ("update_item", "Connections"): "update connection",
    ("update_item", "Sessions"): "update session",
    ("update_item", "RateLimits"): "update counter",
    ("transact_write_items", "several"): "put both in a transaction",
    ("scan", "Connections"): "scan connections",
    ("scan", "Sessions"): "scan sessions",
}


def refresh(system, session_id):
    token = system.tokens["ann"]
    return system.send("ann-2", "refreshConnection", sessionId=session_id, refreshToken=token)


ACTIONS = {
    "$connect": lambda s, i: s.connect("eve"),
    "$disconnect": lambda s, i: s.disconnect("ann"),
    "createSession": lambda s, i: s.send("eve", "createSession", sourceLanguage="en"),
    "joinSession": lambda s, i: s.send("eve", "joinSession", sessionId=i, targetLanguage="fr"),
    "sendAudio": lambda s, i: [s.chunk("speaker", n, sessionId=i) for n in range(20)],
    "pauseBroadcast": lambda s, i: s.send("speaker", "pauseBroadcast"),
    "resumeBroadcast": lambda s, i: s.send("speaker", "resumeBroadcast"),
    "muteBroadcast": lambda s, i: s.send("speaker", "muteBroadcast"),
    "unmuteBroadcast": lambda s, i: s.send("speaker", "unmuteBroadcast"),
    "setVolume": lambda s, i: s.send("speaker", "setVolume", volumeLevel=0.5),
    "speakerStateChange": lambda s, i: s.send(
        "speaker", "speakerStateChange", state={"volume": 0.5}
    ),
    "getSessionStatus": lambda s, i: s.send("speaker", "getSessionStatus"),
    "endSession": lambda s, i: s.send("speaker", "endSession"),
    "pausePlayback": lambda s, i: s.send("ann", "pausePlayback"),
    "resumePlayback": lambda s, i: s.send("ann", "resumePlayback"),
    "changeLanguage": lambda s, i: s.send("ann", "changeLanguage", targetLanguage="de"),
    "joinAsInterpreter": lambda s, i: s.interpret("eve", i, "de"),
    "removeInterpreter": lambda s, i: s.send("speaker", "removeInterpreter", language="de"),
    "sendCaption": lambda s, i: [s.caption("speaker", f"{n}") for n in range(20)],
    "heartbeat": lambda s, i: s.send("ann", "heartbeat"),
    "refreshConnection": refresh,
    "schedule": lambda s, i: s.keep_house(),
}


def promised() -> dict[str, str]:
    """Return the README's table of calls, by action."""
    _, _, rest = README.partition("| action | DynamoDB |\n| --- | --- |\n")
    table = {}
    for line in rest.splitlines():
        if not line.startswith("|"):
            break
        actions, calls = (cell.strip() for cell in line.strip("|").split("|"))
        table |= {action.strip("` "): calls for action in actions.split(",")}
    return table


def test_readme_and_this_test_have_every_action():
    every = {*CLIENT_MESSAGES, "$connect", "$disconnect", "schedule"}

    assert promised().keys() == every
    assert ACTIONS.keys() == every


@pytest.mark.parametrize("action", ACTIONS)
def test_action_makes_the_calls_that_the_readme_says(system, action):
    session_id = system.open("ann", "bob")
    system.clock.now += 60

    ACTIONS[action](system, session_id)

    made = ", ".join(SHORT[call] for call in system.calls.made) or "nothing"
    assert promised()[action] == made


def test_a_minute_of_audio_makes_what_the_architecture_says(unhurried, system):
    document = (Path(__file__).parents[2] / "docs/architecture.md").read_text()
    documented = dict(re.findall(r"^\| ([a-zA-Z ,]+) \| (\d+) \|$", document, re.MULTILINE))
    audio = base64.b64encode(
        bytes(range(100)) * 32
    ).decode()  # 100 ms, neither silence nor clipping
    session_id = system.open("ann", "bob", "carl")
    system.clock.now += 60
    system.lines()
    invocations = 600

    before = len(system.lines())
    for number in range(invocations):
        assert system.chunk("speaker", number, sessionId=session_id, audioData=audio) == 200
        system.answered()  # what is asked beside the chunks: no time goes by before it is known
        system.clock.now += 0.1
    lines = system.lines()[before:]

    calls = Counter(operation for operation, _ in system.calls.made)
    metrics = [line for line in lines if "_aws" in line]
    made = {
        "invocations": invocations,
        "posts": len(system.take()),
        "DynamoDB reads": calls.pop("get_item"),
        "DynamoDB writes": calls.total(),
        "lines of text": len(lines) - len(metrics),
        "metric documents": len(metrics),
    }
    num_bytes = sum(len(json.dumps(line, separators=(",", ":"))) + 1 for line in lines)
    documented_bytes = int(documented.pop("bytes of log, a chunk"))
    assert {name: int(number) for name, number in documented.items()} == made
    # Durations are numbers of one to six digits.
    assert num_bytes / invocations == pytest.approx(documented_bytes, rel=0.2)


def test_a_minute_with_channels_reads_as_much_for_each_sender_and_writes_heartbeats_only(
    unhurried, system
):
    languages = {"ida": "de", "ivo": "fr", "eva": "es"}
    without = system.open("ann", "bob")
    session_id = system.open("carl", "dora", speaker="sue")
    for name, language in languages.items():
        system.interpret(name, session_id, language)

    alone = calls_of_a_minute(system, without, ["speaker"], [])
    beats = calls_of_a_minute(system, session_id, [], languages)
    every = calls_of_a_minute(system, session_id, ["sue", *languages], languages)

    audio = every - beats
    assert {operation for operation, _ in alone} == {"get_item"}
    assert audio == {call: count * (1 + len(languages)) for call, count in alone.items()}
    assert every.total() == audio.total() + beats.total()


def calls_of_a_minute(system, session_id, senders, interpreters):
    """Return how often each call was made while some sent audio, and interpreters heartbeats."""
    system.calls.made.clear()
    begun = system.clock.now
    for number in range(600):
        system.clock.now = begun + number / 10
        for name in senders:
            assert system.chunk(name, number, sessionId=session_id) == 200
            system.answered()  # what is asked beside the chunks: no time goes by before it is known
        for name in interpreters if number % 30 == 0 else ():
            assert system.send(name, "heartbeat") == 200
    system.clock.now = begun + 60
    return Counter(system.calls.made)
