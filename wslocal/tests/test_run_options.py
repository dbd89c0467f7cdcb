"""For a system of one's own: functions that know where the gateway is, and that start at their first event."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from wslocal import HostError, LoopThread
from wslocal.client import WebSocketClient
from wslocal.run_options import RunOptions
from wslocal.running import RunningProject
from wslocal.sources import ProjectOptions, read_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.action
      StageName: live
      Routes:
        where: {FunctionArn: !GetAtt Where.Arn}
  Where:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.where
      Runtime: python3.11
      Environment: {Variables: {POSTS_GO_TO: nowhere}}
      Policies:
        - Statement: {Effect: Allow, Action: "execute-api:ManageConnections", Resource: "*"}
"""
CODE = """\
import json, os
import boto3

def where(event, context):
    posts = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["POSTS_GO_TO"])
    found = {
        "posts": os.environ["POSTS_GO_TO"],
        "domain": event["requestContext"]["domainName"],
        "tls": sorted(name for name in os.environ if "_CA_" in name or name == "WSLOCAL_HOME"),
    }
    connection = event["requestContext"]["connectionId"]
    posts.post_to_connection(ConnectionId=connection, Data=json.dumps(found).encode())
    return {"statusCode": 200}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(CODE)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return tmp_path


@contextlib.contextmanager
def running(folder: Path, **options: Any) -> Iterator[tuple[LoopThread, RunningProject]]:
    read = partial(read_project, folder, ProjectOptions())
    with LoopThread() as loop:
        project = RunningProject(read, options=RunOptions(**options))
        loop.run(project.__aenter__())
        try:
            yield loop, project
        finally:
            loop.run(project.__aexit__(None, None, None))


def test_functions_find_the_gateway_in_a_variable_without_tls(folder: Path) -> None:
    with running(folder, endpoint_variable="POSTS_GO_TO") as (_, project):
        [api] = project.apis.values()
        with WebSocketClient.connect(api.url) as client:
            client.send({"action": "where"})
            found = client.receive()

    assert found == {"posts": api.callback_url, "domain": api.domain, "tls": []}
    assert api.secure_url == ""


def test_function_that_is_not_prepared_fails_at_its_first_event(folder: Path) -> None:
    code = folder / "src" / "app.py"
    code.write_text("import nothing_of_this_name\n")

    with running(folder, prepare=False) as (loop, project):
        failed = loop.run(project.invoke("Where", {}))
        code.write_text("def where(event, context):\n    return 5\n")
        changed = loop.run(project.reload())
        done = loop.run(project.invoke("Where", {}))

    assert failed.error is not None
    assert "nothing_of_this_name" in failed.error.message
    assert changed == ["Where"]
    assert done.payload == 5

    code.write_text("import nothing_of_this_name\n")
    with pytest.raises(HostError, match="nothing_of_this_name"), running(folder):
        pytest.fail("started")
