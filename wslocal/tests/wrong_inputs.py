"""What a wrong command line or project is answered with: rows that tests run, and that the README shows.

`python -m wslocal.tests.wrong_inputs` writes them there.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- wrong inputs: begin -->\n", "<!-- wrong inputs: end -->\n"

ECHO = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String, Default: hello}
Resources:
  Api:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      Name: echo
      RouteSelectionExpression: $request.body.action
      StageName: live
      Routes:
        echo: {FunctionArn: !GetAtt Echo.Arn}
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code
      Handler: app.handler
      Runtime: python3.11
"""
SECOND_API = """\
Resources:
  Quiz:
    Type: AWS::ApiGatewayV2::Api
    Properties: {Name: quiz, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}
"""
NO_API = """\
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
"""
# The files of the folder that the table speaks of.
FILES = {
    "code/app.py": "def handler(event, context):\n    return {'statusCode': 200}\n",
    "broken/app.py": "import nothing_of_this_name\n",
    "CODE.zip": "no zip\n",
    "TEXT.json": "no JSON\n",
    "ECHO.yaml": ECHO,
    "BROKEN.yaml": "Resources: [\n",
    "TEXT.yaml": "hello\n",
    "NO-API.yaml": NO_API,
    "TWO.yaml": ECHO.replace("Resources:\n", SECOND_API),
    "RUBY.yaml": ECHO.replace("python3.11", "ruby3.3"),
    "PYTHON.yaml": ECHO.replace("python3.11", "python3.99"),
    "NODE.yaml": ECHO.replace("python3.11", "nodejs98.x"),
    "IMPORT.yaml": ECHO.replace("CodeUri: code", "CodeUri: broken"),
    "HANDLER.yaml": ECHO.replace("app.handler", "app.hander"),
    "NO-CODE.yaml": ECHO.replace("CodeUri: code", "CodeUri: NONE"),
    "TWICE.yaml": ECHO + "      Timeout: 3\n      Timeout: 5\n",
    "NAME.yaml": ECHO + "      Environment: {Variables: {TABLE: !Ref Nix}}\n",
    "TIMEOUT.yaml": ECHO + "      Timeout: 5000\n",
    "TYPE.yaml": ECHO + "  Queue: {Type: AWS::SQS::Quueue}\n",
    "CIRCLE.yaml": ECHO + "  Queue: {Type: AWS::SQS::Queue, DependsOn: Queue}\n",
    "DOUBLE.yaml": ECHO
    + "      FunctionName: echo\n"
    + ECHO.partition("  Echo:\n")[2].join(["  Twin:\n", "      FunctionName: echo\n"]),
    "LENGTH.yaml": ECHO.replace("Default: hello", "MinLength: 9, Default: hello"),
    "DELAY.yaml": ECHO + "  Queue: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: 901}}\n",
    "NO-STAGE.yaml": SECOND_API,
    "ZIP.yaml": ECHO.replace("CodeUri: code", "CodeUri: CODE.zip"),
}


class Row(NamedTuple):
    """What follows `wslocal`, its sentence and its exit code.

    TAKEN is a port on which something listens, ... what depends on the machine. Files are in the sentence
    with their whole path.
    """

    arguments: str
    sentence: str
    code: int = 2
    # Whether it takes an emulator, and another test shows the same sentence: then it is only in `make long`.
    is_long: bool = False


_NONE = "nothing runs here: start a project with `wslocal up PATH`"
_PORT = "must be a whole number from 0 to 65,535, got"

ROWS = (
    Row("sing", "No such command 'sing'"),
    Row("up", "Missing argument 'PATH'"),
    Row("up NONE", "NONE is not there"),
    Row(
        "up EMPTY",
        "EMPTY has no template.yaml, template.yml, template.json, cdk.out or .serverless: name the project's folder or template",
    ),
    Row(
        "up BROKEN.yaml",
        "BROKEN.yaml is no YAML: line 2, expected the node content, but found '<stream end>'",
    ),
    Row("up TEXT.yaml", "TEXT.yaml is no template: it has no section Resources"),
    Row(
        "up NO-API.yaml",
        "the project has no WebSocket API: wslocal runs an AWS::ApiGatewayV2::Api with ProtocolType WEBSOCKET, or an AWS::Serverless::WebSocketApi",
    ),
    Row(
        "up RUBY.yaml",
        "Echo is for ruby3.3: only Python and Node run here; --leave-out Echo if you can do without",
    ),
    Row(
        "up PYTHON.yaml",
        "function Echo asks for python3.99, and this machine has ...: install it, or run it in another with --any-python",
    ),
    Row(
        "up NODE.yaml",
        "function Echo asks for nodejs98.x, and this machine has ...: install it, or run it in another with --any-node",
    ),
    Row(
        "up IMPORT.yaml",
        "function Echo does not start: Runtime.ImportModuleError: Unable to import module 'app': No module named 'nothing_of_this_name'",
    ),
    Row(
        "up HANDLER.yaml",
        "function Echo does not start: Runtime.HandlerNotFound: Handler 'hander' missing on module 'app'",
        is_long=True,
    ),
    Row("up NO-CODE.yaml", "Echo has its code in NONE, which is not there"),
    Row("up ZIP.yaml", "CODE.zip is no zip: build it again, or name its folder"),
    Row("up TWICE.yaml", "TWICE.yaml is no YAML: line 20, Timeout is there twice"),
    Row(
        "up NAME.yaml",
        "Echo refers to Nix, which is neither a resource nor a parameter of the template: correct the name",
    ),
    Row("up TIMEOUT.yaml", "Timeout of Echo is '5000': AWS takes a number from 1 to 900"),
    Row(
        "up TYPE.yaml",
        "Queue is of the type AWS::SQS::Quueue, which AWS does not have: write AWS::SQS::Queue, or --leave-out Queue if it is one",
    ),
    Row(
        "up CIRCLE.yaml",
        "Queue refers to Queue: CloudFormation can make none of them first, so take one reference out",
    ),
    Row(
        "up DOUBLE.yaml",
        "Echo and Twin have the same FunctionName, echo: AWS takes one of each, so give one of them another or take it out",
    ),
    Row(
        "up LENGTH.yaml",
        "parameter Greeting must be 9 or more characters long: give it with --parameter Greeting=VALUE",
    ),
    Row("up DELAY.yaml", "stack wrong cannot be deployed: Queue: ..."),
    Row(
        "up NO-STAGE.yaml",
        "quiz has no stage, and clients connect to one: add an AWS::ApiGatewayV2::Stage to the template",
    ),
    Row(
        "up TWO.yaml",
        "the project has 2 WebSocket APIs: choose with --api one of echo, quiz, or all",
    ),
    Row(
        "up TWO.yaml --api news",
        "there is no WebSocket API news: the project has echo, quiz",
        is_long=True,
    ),
    Row("up ECHO.yaml --stage prod", "echo has no stage prod: it has live", is_long=True),
    Row(
        "up ECHO.yaml --parameter Nope=1",
        "there is no parameter Nope: the template has Greeting, wrong:Greeting",
    ),
    Row("up ECHO.yaml --parameter Nope", "--parameter must be NAME=VALUE, got 'Nope'"),
    Row("up ECHO.yaml --env Nope:A=1", "--env names a function Nope: the project has Echo"),
    Row(
        "up ECHO.yaml --env AWS_REGION=eu-west-1",
        "--env cannot set AWS_REGION: Lambda sets it itself",
    ),
    Row("up ECHO.yaml --env A", "--env must be NAME=VALUE or FUNCTION:NAME=VALUE, got 'A'"),
    Row("up ECHO.yaml --env-file NONE", "NONE cannot be read: No such file or directory"),
    Row(
        "up ECHO.yaml --env-file TEXT.json",
        'TEXT.json is no JSON: it must hold an object such as {"MyFunction": {"NAME": "value"}}',
    ),
    Row(
        "up ECHO.yaml --env-file /proc/self/mem",
        "/proc/self/mem cannot be read: Input/output error",
    ),
    Row("up ECHO.yaml --leave-out Nope", "there is no resource Nope to leave out"),
    Row(
        "up ECHO.yaml --port TAKEN",
        "port TAKEN cannot be had (Address already in use): choose another with --port",
    ),
    Row(
        "up ECHO.yaml --tls-port TAKEN",
        "port TAKEN cannot be had (Address already in use): choose another with --tls-port",
    ),
    Row("up ECHO.yaml --port 65536", f"Invalid value for '--port': {_PORT} '65536'"),
    Row(
        "up ECHO.yaml --retry-scale nan",
        "Invalid value for '--retry-scale': nan is not in the range 0<=x<=1",
    ),
    Row(
        "up ECHO.yaml --retry-scale 2",
        "Invalid value for '--retry-scale': 2.0 is not in the range 0<=x<=1",
    ),
    Row("status", _NONE, 1),
    Row("logs", _NONE, 1),
    Row("invoke Echo", _NONE, 1),
    Row("invoke Echo --event hello", "--event must be JSON, or name a file that holds it"),
)


def table() -> str:
    """Return the rows as Markdown."""
    rows = [f"| `{row.arguments}` | {row.code} | {row.sentence} |" for row in ROWS]
    return (
        "\n".join(["| `wslocal ...` | exit code | sentence |", "| --- | --- | --- |", *rows]) + "\n"
    )


def replaced(document: str, rows: str) -> str:
    """Return a document with these rows between its marks."""
    head, _, rest = document.partition(BEGIN)
    return head + BEGIN + rows + END + rest.partition(END)[2]


if __name__ == "__main__":
    README.write_text(replaced(README.read_text(), table()))
