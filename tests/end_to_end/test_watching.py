"""What an operator sees: logs by session, metrics that add up, the state of the functions."""

import json
import time

import pytest

from local.client import stream
from local.state import RunningSystem
from local.watch import metric_rows, parse_line, read_logs

PCM = bytes(range(200)) * 16


def running(live):
    system = live.system
    return RunningSystem(
        pid=0,
        url=system.url,
        page=None,
        stack=system.stack,
        namespace=system.namespace,
        variables=system.emulator.variables,
        started_at=0.0,
    )


def play(live):
    async def scenario(stage):
        speaker, created = await stage.speaker()
        listener, joined = await stage.listener(created["sessionId"])
        _, task = stage.hearing(listener, joined)
        await stream(speaker, [PCM] * 5, 0.03)
        await speaker.request("setVolume", volumeLevel=0.5)
        await speaker.request("endSession")
        await task
        return created["sessionId"]

    session = live.play(scenario)
    live.run(live.system.api.flush())
    return session


def test_lines_of_a_session_are_found_by_its_id(live):
    session = play(live)

    found = live.lines("session", f'"{session}"')  # the emulator ignores patterns for JSON
    lines = [json.loads(event["message"]) for event in found]

    assert {"createSession", "joinSession", "endSession"} <= {
        line.get("operation") for line in lines
    }
    assert {line["sessionId"] for line in lines} == {session}
    assert all(line["requestId"] for line in lines)


def test_all_functions_lines_are_read_together(live):
    session = play(live)

    events = read_logs(running(live))

    of_session = [event for event in events if session in event["message"]]
    assert {event["function"].rpartition("-")[2] for event in of_session} >= {"session", "control"}
    assert [e["timestamp"] for e in events] == sorted(e["timestamp"] for e in events)


def test_metrics_add_up_in_cloudwatch(live):
    before = {row.name: row for row in metric_rows(running(live))}
    play(live)

    after = {row.name: row for row in metric_rows(running(live))}

    def grown(name, what):
        return getattr(after[name], what) - (getattr(before[name], what) if name in before else 0)

    assert grown("ControlMessagesReceived", "total") == 2  # set, end
    assert after["MessageLatency"].unit == "Milliseconds"
    assert after["ColdStarts"].total >= 3


def wait_for_rest(api):
    """Wait until every connection that has ended was told to `$disconnect`, and no function runs."""
    until = time.monotonic() + 20
    while api.connections() or any(state.busy or state.waiting for state in api.states()):
        assert time.monotonic() < until, "the functions do not come to rest"
        time.sleep(0.02)


def written(live):
    """Return what lines say of each metric without dimensions: how many values, and their sum."""
    found = {}
    for event in read_logs(running(live)):
        line = parse_line(event["message"])
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in directive["Metrics"] if [] in directive["Dimensions"] else []:
                values = line[metric["Name"]]
                values = values if isinstance(values, list) else [values]
                count, total = found.get(metric["Name"], (0, 0))
                found[metric["Name"]] = count + len(values), total + sum(values)
    return found


def test_metrics_are_what_the_lines_say(live):
    """Also those that are split by dimensions, one way or two ways."""

    async def scenario(stage):
        speaker, _ = await stage.speaker()
        await speaker.send("sendVideo")
        await speaker.expect("error")
        await speaker.send("sendAudio", audioData="?", sequenceNumber=0, timestamp=0)
        await speaker.expect("error")
        await speaker.request("endSession")

    live.play(scenario)
    wait_for_rest(live.system.api)
    live.run(live.system.api.flush())

    lines = written(live)
    rows = {row.name: (row.count, pytest.approx(row.total)) for row in metric_rows(running(live))}
    sets = live.client("cloudwatch").list_metrics(Namespace=live.system.namespace)["Metrics"]
    kinds = {tuple(d["Name"] for d in one["Dimensions"]) for one in sets}

    assert rows == lines
    assert {"ColdStarts", "ControlMessagesReceived", "MessageFailures"} <= set(rows)
    assert {(), ("Handler",), ("ActionType",), ("ErrorCode",)} <= kinds


def test_states_of_the_functions_are_reported(live):
    play(live)

    states = {state.name.rpartition("-")[2]: state for state in live.system.api.states()}

    assert states["session"].invocations >= 3
    assert states["session"].environments >= 1
    assert [state.name for state in states.values() if state.crashes or state.timeouts] == []
