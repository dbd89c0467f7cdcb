"""What a channel adds to a minute of a session, as docs/scale.md says it."""

import base64
import re
from collections import Counter
from pathlib import Path

import pytest

SCALE = " ".join((Path(__file__).parents[2] / "docs/scale.md").read_text().split())
# 100 ms, neither silence nor clipping.
AUDIO = base64.b64encode(bytes(range(100)) * 32).decode()


def spend_a_minute(system, *, interpreter=None, has_captions=False):
    """Have the speaker and an interpreter speak all the time; count what comes, goes and is called."""
    names = [name for name in ("speaker", interpreter) if name]
    # What is remembered of the session is no longer fresh when the minute begins.
    since, counts = int(system.clock.now) + 4, Counter()
    system.take()
    system.calls.made.clear()
    for number in range(600):
        system.clock.now = since + number / 10
        statuses = []
        if interpreter and number % 30 == 0:
            statuses.append(system.send(interpreter, "heartbeat"))
        statuses += [system.chunk(name, number, audioData=AUDIO) for name in names]
        if has_captions and number % 5 == 0:
            statuses.append(system.caption(interpreter))
        assert {*statuses} == {200}
        counts["invocations"] += len(statuses)
        wait_for_answers(system)
    calls = Counter(operation for operation, _ in system.calls.made)
    counts["messages"] = counts["invocations"] + len(system.take())
    counts["reads"] = calls.pop("get_item")
    counts["writes"] = calls.total()
    return counts


def wait_for_answers(system):
    """Wait for what is asked beside the messages: no time goes by before it is known."""
    for name in ("audio", "captions"):
        for question in list(system.module(name).live.sessions._questions.values()):
            question.join()


def numbers(pattern):
    """Return the numbers that the document says."""
    return [float(number) for number in re.search(pattern, SCALE).groups()]


def test_channel_adds_what_the_scale_says(unhurried, system):
    session_id = system.open("ann", "bob", "carl")
    system.chunk("speaker")
    without = spend_a_minute(system)
    system.interpret("ida", session_id, "fr")
    system.chunk("ida")
    system.caption("ida")

    with_channel = spend_a_minute(system, interpreter="ida")
    with_captions = spend_a_minute(system, interpreter="ida", has_captions=True)

    messages, invocations = numbers(r"a channel adds ([0-9.]+) messages and ([0-9.]+) invocations")
    reads, more_reads, writes = numbers(
        r"sees ([0-9]+) reads a minute more for each interpreter who speaks, ([0-9]+) more if it "
        r"sends captions too, and ([0-9]+) writes more"
    )
    with_channel.subtract(without)
    assert with_channel["messages"] / 60 == pytest.approx(messages, abs=0.05)
    assert with_channel["invocations"] / 60 == pytest.approx(invocations, abs=0.05)
    assert (with_channel["reads"], with_channel["writes"]) == (reads, writes)
    assert with_captions["reads"] - without["reads"] == reads + more_reads
    assert with_captions["writes"] == writes
