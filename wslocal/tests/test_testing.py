"""A project under `wslocal.run`: clients, refusals, lines, metrics, events and tables, as a team's tests use them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest
from websockets.sync.server import serve

import wslocal
from wslocal.client import ClosedError, HandshakeRefusedError, WebSocketClient
from wslocal.lambda_host import HostError
from wslocal.settings import SettingError

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String, Default: hello}
Globals:
  Function: {CodeUri: src, Runtime: python3.11, Timeout: 10}
Resources:
  Api:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      Name: rooms
      RouteSelectionExpression: $request.body.action
      StageName: live
      Routes:
        $connect: {FunctionArn: !GetAtt Connect.Arn}
        act: {FunctionArn: !GetAtt Act.Arn}
  Connect: {Type: AWS::Serverless::Function, Properties: {Handler: app.connect}}
  Act:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.act
      Environment: {Variables: {GREETING: !Ref Greeting, MOOD: plain}}
      Policies:
        - Statement: {Effect: Allow, Action: execute-api:ManageConnections, Resource: "*"}
  Rooms:
    Type: AWS::Serverless::SimpleTable
    Properties:
      TableName: rooms
      PrimaryKey: {Name: id, Type: String}
Outputs:
  Table: {Value: !Ref Rooms}
"""
CODE = """\
import json, os, time

def connect(event, context):
    asked = event.get("queryStringParameters") or {}
    protocol = event["headers"].get("Sec-WebSocket-Protocol")
    headers = {"Sec-WebSocket-Protocol": protocol} if protocol else {}
    return {"statusCode": int(asked.get("status", 200)), "headers": headers}

def act(event, context):
    if "requestContext" not in event:
        return {"doubled": event["number"] * 2}
    body = json.loads(event["body"])
    request = event["requestContext"]
    import boto3
    api = boto3.client("apigatewaymanagementapi", endpoint_url=f"https://{request['domainName']}/live")
    match body["what"]:
        case "text":
            api.post_to_connection(ConnectionId=request["connectionId"], Data=body["text"])
        case "variables":
            data = json.dumps([os.environ["GREETING"], os.environ["MOOD"]])
            api.post_to_connection(ConnectionId=request["connectionId"], Data=data)
        case "metric":
            metrics = [{"Namespace": "Rooms", "Metrics": [{"Name": "Said"}], "Dimensions": [[]]}]
            print(json.dumps({"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": metrics}, "Said": 3}))
            print("a metric was written")
        case "close":
            api.delete_connection(ConnectionId=request["connectionId"])
    return {"statusCode": 200}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rooms")
    (folder / "src").mkdir()
    (folder / "src" / "app.py").write_text(CODE)
    (folder / "template.yaml").write_text(TEMPLATE)
    return folder


@pytest.fixture(scope="module")
def api(folder):
    with wslocal.run(
        folder, parameters={"Greeting": "hi"}, variables={"MOOD": "sad", "Act:MOOD": "glad"}
    ) as api:
        yield api


@pytest.fixture
def ann(api):
    with api.connect() as client:
        yield client


def act(client, what, **more):
    client.send({"action": "act", "what": what, **more})


@pytest.mark.parametrize(
    ("text", "received"),
    [
        pytest.param('{"a": [1, null]}', {"a": [1, None]}, id="json"),
        pytest.param("hello", "hello", id="text"),
    ],
)
def test_message_is_a_value_if_it_is_json_and_else_the_text(ann, text, received):
    act(ann, "text", text=text)

    assert ann.receive() == received


def test_message_can_be_had_as_it_came(ann):
    act(ann, "text", text='{"a":1 }')

    assert ann.receive_text() == '{"a":1 }'


def test_parameters_and_variables_are_the_functions(ann):
    act(ann, "variables")

    assert ann.receive() == ["hi", "glad"]


@pytest.mark.parametrize("data", [b"\x01\x02", bytearray(b"\x01\x02")])
def test_bytes_are_a_binary_frame(data):
    """API Gateway takes none: https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-binary-media-types.html"""
    with serve(
        lambda connection: connection.send(repr(connection.recv())), "127.0.0.1", 0
    ) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        port = server.socket.getsockname()[1]
        with WebSocketClient.connect(f"ws://127.0.0.1:{port}") as ann:
            ann.send(data)

            assert ann.receive() == repr(b"\x01\x02")


def test_no_message_is_a_timeout(ann):
    with pytest.raises(TimeoutError, match="no message came within"):
        ann.receive(timeout=0.01)


@pytest.mark.parametrize("status", [401, 403, 500])
def test_refused_client_is_an_error_with_the_status(api, status):
    with pytest.raises(HandshakeRefusedError, match=f"refused with status {status}") as refused:
        api.connect(query={"status": str(status)})

    assert refused.value.status == status


def test_client_chooses_a_subprotocol(api):
    with api.connect(subprotocols=["chat"], headers={"X-Name": "ann"}) as ann:
        assert ann.subprotocol == "chat"


def test_connection_that_the_api_closes_has_its_code(ann):
    act(ann, "close")

    assert ann.wait_for_close() == 1000
    with pytest.raises(ClosedError) as closed:
        ann.send("hello")
    assert closed.value.code == 1000


def test_lines_of_a_function_are_waited_for(api, ann):
    act(ann, "metric")

    assert api.wait_for_log("a metric was", function="Act") == "a metric was written"
    assert "a metric was written" in api.logs("Act")
    assert "a metric was written" not in api.logs("Connect")


def test_metrics_are_documents(api, ann):
    act(ann, "metric")
    api.wait_for_log(lambda text: "a metric" in text)

    assert {document["Said"] for document in api.metrics("Act")} == {3}
    assert api.metrics("Connect") == []


def test_no_such_line_is_a_timeout(api):
    with pytest.raises(TimeoutError, match="no such line came within"):
        api.wait_for_log("never written", timeout=0.01)


def test_addresses_are_by_the_names_of_the_apis(api):
    assert api.urls == {"rooms": api.url}


def test_retries_are_not_later_than_on_aws(folder):
    running = wslocal.run(folder, retry_scale=2)

    with pytest.raises(SettingError, match="retry_scale must be a number from 0 to 1, got 2"):
        running.__enter__()


def test_function_is_invoked_by_its_logical_id(api):
    assert api.invoke("Act", {"number": 21}).payload == {"doubled": 42}


def test_error_of_a_function_is_its_own(api):
    result = api.invoke("Act", {})

    assert (result.error.type, result.error.message) == ("KeyError", "'number'")


def test_function_that_is_not_there_is_said_with_those_that_are(api):
    with pytest.raises(SettingError, match="there is no function Other: the project has Act, Con"):
        api.invoke("Other", {})


def test_tables_are_emptied(api):
    dynamodb = api.client("dynamodb")
    for name in ("red", "blue"):
        dynamodb.put_item(TableName=api.outputs["Table"], Item={"id": {"S": name}})

    api.empty_tables()

    assert dynamodb.scan(TableName="rooms")["Count"] == 0


def test_connections_are_counted_until_they_are_gone(api, ann):
    assert api.connections() >= 1


def test_wss_is_trusted_with_the_certificate_of_the_run(api):
    with api.connect(secure=True) as ann:
        act(ann, "text", text="hello")

        assert ann.receive() == "hello"


def test_client_that_closed_is_closed(api):
    ann = api.connect()
    ann.close()
    ann.close()

    for use in (lambda: ann.send("hello"), ann.receive):
        with pytest.raises(ClosedError) as closed:
            use()
        assert closed.value.code == 1000
    assert ann.wait_for_close() == 1000


def test_message_that_has_come_is_received_without_time(ann):
    with pytest.raises(TimeoutError, match="within 0 s"):
        ann.receive(timeout=0)
    act(ann, "text", text="one")
    act(ann, "text", text="two")
    assert ann.receive() == "one"
    until = time.monotonic() + 20
    while True:
        try:
            assert ann.receive(timeout=0) == "two"
            break
        except TimeoutError:
            assert time.monotonic() < until


REFUSALS = """
import asyncio, ssl, sys
from pathlib import Path
from wslocal.certificates import Certificates
from wslocal.client import HandshakeRefusedError, WebSocketClient
from wslocal.loop import LoopThread

async def refuse(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.1 403 Forbidden\\r\\nContent-Length: 2\\r\\n\\r\\n{}")

sys.setswitchinterval(1e-6)
certificates = Certificates(Path(sys.argv[1]))
trust = ssl.create_default_context(cafile=certificates.ca_file)
with LoopThread() as loop:
    served = loop.run(asyncio.start_server(refuse, "127.0.0.1", 0, ssl=certificates.context()))
    port = served.sockets[0].getsockname()[1]
    for _ in range(300):
        try:
            WebSocketClient.connect(f"wss://127.0.0.1:{port}/", tls=trust)
        except HandshakeRefusedError as refused:
            assert (refused.status, refused.body) == (403, "{}")
        else:
            sys.exit("not refused")
"""


def test_three_hundred_refusals_by_tls_neither_hang_nor_end_the_process(tmp_path):
    """Threads that share a socket of TLS did either, now and then."""
    run = subprocess.run(
        [sys.executable, "-c", REFUSALS, tmp_path],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert (run.returncode, run.stderr) == (0, b"")


def test_changes_of_a_project_and_its_end(tmp_path):
    """What a function that is added lacks, or what pip has to fetch for it, is known before the change is live."""
    code, template = tmp_path / "src" / "app.py", tmp_path / "template.yaml"
    code.parent.mkdir()
    code.write_text(CODE)
    (tmp_path / "src" / "more.py").write_text("print('more is imported')\nact = None\n")
    (tmp_path / "src" / "broken.py").write_text("import nothing_of_this_name\n")
    template.write_text(TEMPLATE)
    with wslocal.run(tmp_path) as api:
        ann = WebSocketClient.connect(api.url)
        code.write_text(CODE.replace("* 2", "* 3"))

        changed = api.reload()

        assert sorted(changed) == ["Act", "Connect"]
        assert api.invoke("Act", {"number": 1}).payload == {"doubled": 3}

        template.write_text(with_function("More", "more.act"))
        api.reload()

        assert "more is imported" in api.logs("More")

        template.write_text(with_function("Broken", "broken.act"))

        with pytest.raises(HostError, match=r"Broken does not start: Runtime\.ImportModuleError"):
            api.reload()

    assert ann.wait_for_close() == 1001
    ann.close()


def with_function(name, handler):
    """Return the template with one more function, to which a route leads."""
    route = f"        more: {{FunctionArn: !GetAtt {name}.Arn}}\n"
    function = (
        f"  {name}: {{Type: AWS::Serverless::Function, Properties: {{Handler: {handler}}}}}\n"
    )
    act = "        act: {FunctionArn: !GetAtt Act.Arn}\n"
    return TEMPLATE.replace(act, act + route).replace("  Rooms:\n", f"{function}  Rooms:\n")
