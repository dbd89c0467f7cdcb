"""What an operator sees: logs by session, metrics that add up, the state of the functions."""

import json

from local.client import stream
from local.state import RunningSystem
from local.watch import metric_rows, read_logs

PCM = bytes(range(200)) * 16


def running(live):
    system = live.system
    return RunningSystem(
        pid=0,
        url=system.url,
        page=None,
        stack=system.assembly.stack,
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

    assert grown("ControlMessagesReceived", "total") == 4  # create, join, set, end
    assert after["MessageLatency"].unit == "Milliseconds"
    assert after["ColdStarts"].total >= 3


def test_states_of_the_functions_are_reported(live):
    play(live)

    states = {state.name.rpartition("-")[2]: state for state in live.system.api.states()}

    assert states["session"].invocations >= 3
    assert states["session"].environments >= 1
    assert [state.name for state in states.values() if state.crashes or state.timeouts] == []
