"""Schedules as EventBridge has them: their periods, their events, and that one failure is no end."""

from __future__ import annotations

import asyncio
import logging

import pytest

from wslocal import HostError
from wslocal.events import AsynchronousInvocations
from wslocal.events.schedules import (
    DeployedSchedule,
    ScheduleError,
    run_schedules,
    scheduled_event,
    seconds_between,
)
from wslocal.lambda_host.local_lambda import LocalLambda


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("rate(1 minute)", 60),
        ("rate(5 minutes)", 300),
        ("rate(2 hours)", 7200),
        ("rate(1 day)", 86_400),
    ],
)
def test_rate_is_a_period(expression: str, seconds: float) -> None:
    assert seconds_between(expression) == seconds


@pytest.mark.parametrize("expression", ["cron(0 12 * * ? *)", "rate(0 minutes)", "rate(1 minute) "])
def test_schedule_that_cannot_be_followed_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError, match="only rate"):
        seconds_between(expression)


RULE = "arn:aws:events:us-east-1:000000000000:rule/Minute"


def test_scheduled_function_gets_what_eventbridge_sends() -> None:
    event = scheduled_event(DeployedSchedule(RULE, "housekeeping", 60), now=1_700_000_000.9)

    assert len(event.pop("id")) == 36
    assert event == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": "2023-11-14T22:13:20Z",
        "region": "us-east-1",
        "resources": [RULE],
        "detail": {},
    }


def test_rules_own_input_goes_first() -> None:
    assert scheduled_event(DeployedSchedule(RULE, "housekeeping", 60, {"a": 1}), now=0) == {"a": 1}


def test_schedules_run_again_and_again_each_at_its_pace() -> None:
    runs: list[str] = []

    async def main() -> None:
        slow, quick = DeployedSchedule(RULE, "slow", 3600), DeployedSchedule(RULE, "quick", 0.001)
        enough = asyncio.Event()

        async def run(schedule: DeployedSchedule) -> None:
            runs.append(schedule.function)
            if len(runs) == 3:
                enough.set()

        task = asyncio.create_task(run_schedules([slow, quick], run))
        await asyncio.wait_for(enough.wait(), 10)
        task.cancel()

    asyncio.run(main())

    assert runs[:3] == ["quick"] * 3
    assert "slow" not in runs


def test_schedule_that_cannot_be_run_is_due_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    times: list[str] = []
    invocations = AsynchronousInvocations(LocalLambda(lambda service: None))

    async def invoke(function: str, event: object) -> str:
        times.append(function)
        raise HostError("no environment of housekeeping can start")

    async def main() -> None:
        monkeypatch.setattr(invocations, "invoke", invoke)
        schedule = DeployedSchedule(RULE, "housekeeping", 0.001)
        running = asyncio.create_task(run_schedules([schedule], invocations.run_due))
        async with asyncio.timeout(20):
            while len(times) < 3:
                await asyncio.sleep(0.005)
        running.cancel()

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())

    assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith("housekeeping: no environment of housekeeping can start")
