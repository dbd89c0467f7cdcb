"""Every Python block of every document is run, by the one mechanism here or by a test that is named here.

How-tos and migrations are run page by page, with nothing installed but what the page imports, and print
and write what they show. A new document with a Python block that nothing runs fails.
"""

import re
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests import document_blocks
from tests.document_blocks import (
    PACKAGE,
    PLUGIN,
    ROOT,
    blocks_of,
    environment,
    fits,
    missing,
    run_page,
    said_of,
)

ALL = [
    block
    for document in document_blocks.documents()
    for block in blocks_of(document)
    if block.language == "python"
]
PAGES = sorted(
    {block.document for block in ALL if re.match("docs/(how-to|migrating)/", block.document)}
)
# By document and the words after `python`: the files whose tests run such blocks, by their own means.
ELSEWHERE = {
    ("README.md", ""): ("tests/test_documents.py",),
    ("cdk/README.md", ""): ("cdk/tests/test_readme.py",),
    ("docs/groups.md", "cdk"): ("infrastructure/tests/test_readmes.py",),
    ("protocol/README.md", "chat.py"): ("protocol/tests/test_wheel.py",),
    ("shared-layer/README.md", ""): ("shared-layer/tests/test_documents.py",),
    ("shared-layer/README.md", "cdk"): ("infrastructure/tests/test_readmes.py",),
    ("shared-layer/README.md", "dynamodb"): ("tests/test_dynamodb_against_emulator.py",),
    ("shared-layer/README.md", "pytest"): ("shared-layer/tests/test_documents.py",),
    ("wslocal/README.md", ""): (
        "wslocal/tests/test_pytest_plugin.py",
        "wslocal/tests/test_readme.py",
    ),
}
# Pages that call DynamoDB: each finds an empty table Rooms, whose key is `id`.
WITH_TABLE = {
    "docs/how-to/snapstart.md",
    "docs/how-to/tables.md",
    "docs/migrating/by-hand.md",
    "docs/migrating/boto3-table.md",
}
# Variables that a page says its program reads.
VARIABLES = {
    "docs/migrating/powertools.md": {
        "SERVICE_NAME": "chat",
        "METRICS_NAMESPACE": "Chat",
        "POWERTOOLS_SERVICE_NAME": "chat",
        "POWERTOOLS_METRICS_NAMESPACE": "Chat",
    }
}
RUN_DURABLE = 'import durable_service\ndurable_service.run(handler, {"order": "o-1"})'


def is_excerpt(block):
    """Return whether a block is the text of a file beside its document, which tests run."""
    path = (ROOT / block.document).parent / (block.kind or "none")
    return path.is_file() and block.code in path.read_text()


def is_followed(block):
    """Return whether docs/extending.md has it: tests/test_extending.py does what each block says."""
    return block.document == "docs/extending.md"


@pytest.mark.parametrize("block", ALL, ids=lambda block: block.id)
def test_block_is_run(block):
    named = ELSEWHERE.get((block.document, block.kind))

    assert block.document in PAGES or named or is_excerpt(block) or is_followed(block), (
        f"nothing runs {block.id}: put it on a page of docs/how-to, or name its test in ELSEWHERE"
    )


@pytest.mark.parametrize(("document", "kind"), ELSEWHERE)
def test_document_whose_blocks_are_run_elsewhere_has_some(document, kind):
    texts = [(ROOT / name).read_text() for name in ELSEWHERE[document, kind]]

    assert [block for block in ALL if (block.document, block.kind) == (document, kind)] != []
    assert all(Path(document).stem in text for text in texts)


# --- pages ----------------------------------------------------------------------------------------


@pytest.fixture
def table(emulator):
    """Return the variables that lead to an empty table."""
    client = emulator.client("dynamodb")
    client.create_table(
        TableName="Rooms",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield emulator.variables
    client.delete_table(TableName="Rooms")


class CredentialsOfContainer(BaseHTTPRequestHandler):
    """Answers as the address does from which a function with SnapStart has its credentials."""

    body = b""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format, *args):  # noqa: A002 - the base class's name
        """Write nothing."""


@pytest.fixture
def container(emulator):
    """Return the variables of a container, which has an address of credentials in place of keys."""
    given = dict(emulator.variables)
    key, secret = given.pop("AWS_ACCESS_KEY_ID"), given.pop("AWS_SECRET_ACCESS_KEY")
    answer = f'{{"AccessKeyId":"{key}","SecretAccessKey":"{secret}","Token":"","Expiration":"2099-01-01T00:00:00Z"}}'
    kind = type("Here", (CredentialsOfContainer,), {"body": answer.encode()})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        url = f"http://127.0.0.1:{server.server_port}/credentials"
        yield {
            **given,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": url,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        }
        server.shutdown()


@pytest.fixture
def variables(request, document):
    """Return what a page's program finds in its environment."""
    if document not in WITH_TABLE:
        return {"AWS_REGION": "eu-west-1", **VARIABLES.get(document, {})}
    found = request.getfixturevalue("table")
    return request.getfixturevalue("container") if "snapstart" in document else found


@pytest.fixture
def ran(document, variables, tmp_path):
    """Return a page's blocks with what they wrote."""
    is_durable = document.endswith("durable-functions.md")
    shutil.copy(ROOT / "tests/durable_service.py", tmp_path)
    return run_page(document, tmp_path, variables, RUN_DURABLE if is_durable else "")


@pytest.mark.parametrize("document", PAGES)
def test_page_prints_and_writes_what_it_shows(document, ran):
    for found in ran:
        lines, printed = said_of(found.block)

        assert len(found.printed) == len(printed), found.block.id
        assert all(map(fits, found.printed, printed)), (found.block.id, found.printed)
        assert missing(lines, found.lines) is None, found.block.id


PAGES_WITH_TESTS = [
    page for page in PAGES if any(block.kind.startswith("test_") for block in blocks_of(page))
]


@pytest.mark.slow
@pytest.mark.parametrize("document", PAGES_WITH_TESTS)
def test_tests_of_a_page_pass(document, emulator, tmp_path):
    """All but those that a running project and moto's server need."""
    files = [
        block
        for block in blocks_of(document)
        if block.kind.endswith(".py") and block.kind not in ("conftest.py", "test_api.py")
    ]
    for block in files:
        (tmp_path / block.kind).write_text(block.code)

    done = run_pytest(tmp_path, emulator.variables, "-p", "pytest_shared_utils")

    said = sum(block.code.count("\ndef test_") for block in files)
    assert f"{said} passed" in done


def run_pytest(folder, variables, *arguments):
    """Run the tests in a folder, with the fixtures of the wheel; return what pytest says."""
    paths = environment([folder, PACKAGE, PLUGIN, ROOT])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, "."],
        cwd=folder,
        env={**variables, **paths},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


TEMPLATE = f"""
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.action
      StageName: live
      Routes: {{$default: {{FunctionArn: !GetAtt Chat.Arn}}}}
  Chat:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code
      Handler: chat.handler
      Runtime: python3.{sys.version_info.minor}
      Layers: [!Ref Layer]
      Policies:
        - DynamoDBCrudPolicy: {{TableName: !Ref Rooms}}
        - Statement: {{Effect: Allow, Action: execute-api:ManageConnections, Resource: "*"}}
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties: {{ContentUri: layer}}
  Rooms:
    Type: AWS::Serverless::SimpleTable
    Properties: {{TableName: Rooms}}
"""


@pytest.mark.slow
def test_test_of_a_page_passes_with_the_whole_api(tmp_path):
    files = {block.kind: block.code for block in blocks_of("docs/how-to/tests.md")}
    (tmp_path / "code").mkdir()
    (tmp_path / "code/chat.py").write_text(files["chat.py"])
    (tmp_path / "test_api.py").write_text(files["test_api.py"])
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nwslocal = template.yaml\n")
    shutil.copytree(PACKAGE / "shared_utils", tmp_path / "layer/python/shared_utils")

    done = run_pytest(tmp_path, {}, "-p", "wslocal.pytest_plugin")

    assert "1 passed" in done


@pytest.mark.parametrize("document", ["docs/how-to/durable-functions.md"])
def test_replay_repeats_nothing_but_plain_lines(ran):
    written = [line.get("message", "a metric") for line in ran[0].lines]

    assert written == [
        *("Called", "Order came", "Charged", "a metric"),
        *("Called", "Order closed"),
    ]


@pytest.mark.parametrize("document", document_blocks.documents())
def test_json_of_a_document_is_json(document):
    for block in blocks_of(document):
        if block.language == "json":
            assert document_blocks.values(block.code) != []
