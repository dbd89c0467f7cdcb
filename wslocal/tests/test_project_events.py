"""What invokes the functions of a project besides its APIs is played, taken over anew, and refused by name."""

from __future__ import annotations

import pytest

import wslocal
from wslocal.events import EventError, schedules

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {CodeUri: src, Runtime: python3.11}
Resources:
  Api:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.action
      StageName: live
      Routes:
        hello: {FunctionArn: !GetAtt Hello.Arn}
  Hello: {Type: AWS::Serverless::Function, Properties: {Handler: app.hello}}
  Clock:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.tick
      Events:
        Tick:
          Type: Schedule
          Properties:
            Schedule: rate(1 minute)
            Input: '{"number": 1}'
"""
CODE = """\
def hello(event, context):
    return {"statusCode": 200}

def tick(event, context):
    print("tick", event["number"])
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(CODE)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return tmp_path


def test_schedule_invokes_its_function(folder, monkeypatch):
    monkeypatch.setitem(schedules._SECONDS, "minute", 1)  # nobody waits for a minute
    with wslocal.run(folder) as api:
        api.wait_for_log("tick 1", function="Clock", timeout=30)

        (folder / "template.yaml").write_text(TEMPLATE.replace('"number": 1', '"number": 2'))
        api.reload()

        api.wait_for_log("tick 2", function="Clock", timeout=30)


def test_schedule_of_a_clock_is_left_out_and_the_rest_runs(folder):
    text = TEMPLATE.replace("rate(1 minute)", "cron(0 12 * * ? *)")
    (folder / "template.yaml").write_text(text)

    with wslocal.run(folder) as api:
        assert api.invoke("Hello", {}).payload == {"statusCode": 200}


def test_schedule_that_cannot_be_followed_is_refused(folder):
    """AWS takes `rate(1 minute)` and `rate(2 minutes)`, and no seconds."""
    text = TEMPLATE.replace("rate(1 minute)", "rate(often)")
    (folder / "template.yaml").write_text(text)

    sentence = r"rule test-schedule-\S+: only rate\(...\) can be followed here, got 'rate\(often\)'"
    with pytest.raises(EventError, match=sentence), wslocal.run(folder):
        pass
