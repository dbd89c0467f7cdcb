"""Long sessions and large ones in Chromium: the delay does not drift, and nothing is missing."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from local.client import connect
from tests.page_faults.journey import PARTS, TIMES, journeys, percentiles_ms
from tests.page_faults.voice import chirps_in, delays, listen

pytestmark = pytest.mark.long

MINUTES = 10
EARS = 3
CLIENTS = 17
PAGES = 3
SETTLING_SECONDS = 5
LISTENED_SECONDS = 60


def heard_by(mouth, ear):
    """Return (seconds since the recording began, delay) of what was heard, and what was said and not heard."""
    said = chirps_in(*mouth.timeline())
    begin, samples = ear.timeline()
    pairs = delays(said, chirps_in(begin, samples))
    moments = {round(moment, 2) for _, _, moment in pairs}
    last = max(moments)
    lost = [one for one in said if begin < one.at < last and round(one.at, 2) not in moments]
    return [(at - begin, delay) for at, delay, _ in pairs], lost, listen(begin, samples)


def missing_at(listener):
    """Return how many chunks a listener's page says that it missed."""
    return listener.tab.number("#listen-gaps") + listener.tab.number("#listen-late")


def by_minute(pairs):
    """Return the median delay of each whole minute, in ms."""
    minutes = {}
    for at, delay in pairs:
        minutes.setdefault(int(at // 60), []).append(delay * 1000)
    return [round(float(np.median(minutes[minute]))) for minute in sorted(minutes)]


@pytest.mark.parametrize("stage", ["Chromium"], indirect=True)
def test_delay_does_not_drift_in_ten_minutes(stage, results):
    with stage.session():
        session_id = stage.speak()
        listeners = [stage.listen(session_id, number) for number in range(EARS)]
        time.sleep(SETTLING_SECONDS)
        with stage.recorded_by_all() as (mouth, ears):
            time.sleep(MINUTES * 60)
        shown = [missing_at(listener) for listener in listeners]
    ears_got = [heard_by(mouth, ear) for ear in ears]
    values = {
        "minutes": [by_minute(pairs) for pairs, _, _ in ears_got],
        "lost": [len(lost) for _, lost, _ in ears_got],
        "silences": [len(ear.silences) for _, _, ear in ears_got],
        "seams": [len(ear.seams) for _, _, ear in ears_got],
        "shown": shown,
    }
    results.add("ten minutes", "Chromium", values)

    for pairs, lost, _ in ears_got:
        medians = by_minute(pairs)[:MINUTES]
        assert max(medians) - min(medians) < 100
        assert lost == []
    assert shown == [0] * EARS


@pytest.mark.parametrize("stage", ["Chromium"], indirect=True)
def test_twenty_listeners_hear_all(stage, running, results):
    with stage.session():
        session_id = stage.speak()
        listeners = [stage.listen(session_id, number) for number in range(PAGES)]
        clients = running.loop.run(joined(running.system.url, session_id, CLIENTS))
        time.sleep(SETTLING_SECONDS)
        with stage.recorded_by_all() as (mouth, ears):
            time.sleep(LISTENED_SECONDS)
        numbers = running.loop.run(left(clients))
        shown = [missing_at(listener) for listener in listeners]
    ears_got = [heard_by(mouth, ear) for ear in ears]
    missing = [len({*range(min(one), max(one) + 1)} - {*one}) for one in numbers]
    values = {
        "delay": [percentiles_ms([delay for _, delay in pairs]) for pairs, _, _ in ears_got],
        "lost": [len(lost) for _, lost, _ in ears_got],
        "missing": missing,
        "shown": shown,
    }
    results.add("twenty listeners", "Chromium", values)

    assert missing == [0] * CLIENTS
    assert values["lost"] == [0] * PAGES


async def joined(url, session_id, count):
    clients = [await connect(url) for _ in range(count)]
    for client in clients:
        await client.request(
            "joinSession",
            sessionId=session_id,
            targetLanguage="de",
            audio="interpreted",
            captions=False,
        )
    return clients


async def left(clients):
    """Return the numbers of the chunks that each got."""
    numbers = []
    for client in clients:
        got = []
        while not client.audio.empty():
            got.append(client.audio.get_nowait().number)
        numbers.append(got)
        await client.close()
    await asyncio.sleep(0)
    return numbers


@pytest.mark.parametrize("stage", ["Chromium", "Firefox"], indirect=True)
def test_microphone_to_ear(stage, results):
    with stage.session():
        session_id = stage.speak(TIMES)
        listener = stage.listen(session_id, script=TIMES)
        time.sleep(SETTLING_SECONDS)
        with stage.recorded() as ([mouth], ear):
            time.sleep(LISTENED_SECONDS)
        parts = journeys(mouth, ear, stage.participant("speaker"), listener)
    values = {name: percentiles_ms([getattr(part, name) for part in parts]) for name in PARTS}
    results.add("microphone to ear", stage.browser_class.name, {"chirps": len(parts), **values})

    assert len(parts) > 100
