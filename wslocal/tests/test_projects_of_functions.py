"""The functions of projects, as the public writes them: the emulator's DynamoDB, a server for @connections."""

import json
import shutil
from pathlib import Path

import pytest

from wslocal.emulator import Emulator
from wslocal.lambda_host.runtimes import Runtimes
from wslocal.tests.started_functions import StartedFunctions
from wslocal.tests.tls_front import running_front

pytestmark = pytest.mark.slow

PROJECTS = Path(__file__).parent / "projects"
API = {"domainName": "abc.execute-api.us-east-1.amazonaws.com", "stage": "prod"}


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    with running_front(tmp_path_factory.mktemp("ca")) as front:
        yield front


@pytest.fixture
def functions(tmp_path):
    with StartedFunctions(tmp_path, tmp_path / "cache") as functions:
        yield functions


def environ_of(emulator, front, table):
    """Return the variables of a function that has its table in the emulator."""
    client = emulator.client("dynamodb")
    credentials = client._get_credentials()
    return {
        **front.environ,
        "AWS_ENDPOINT_URL_DYNAMODB": client.meta.endpoint_url,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "TABLE_NAME": table,
    }


def create_table(emulator, name, *keys):
    emulator.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[
            {"AttributeName": key, "KeyType": kind}
            for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
    )


def files_of(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def event(connection_id, **message):
    return {
        "requestContext": {**API, "connectionId": connection_id},
        "body": json.dumps(message),
    }


def test_function_finds_its_layer(functions, emulator, front, tmp_path):
    create_table(emulator, "rooms", "room", "connectionId")
    shutil.copytree(PROJECTS / "layer" / "layer", tmp_path / "opt")
    pool = functions.start(
        "python3.11",
        files_of(PROJECTS / "layer" / "functions" / "join"),
        layer=tmp_path / "opt",
        environ=environ_of(emulator, front, "rooms"),
        runtimes=Runtimes(any_python=True, cache=tmp_path / "cache"),
    )

    first = functions.handle(pool, event("a=", action="join", room="red"))
    second = functions.handle(pool, event("b=", action="join", room="red"))
    posts = [(seen["path"], json.loads(seen["body"])) for seen in front.seen]

    assert (first.error, second.error) == (None, None)
    assert [path for path, _ in posts] == [f"/prod/@connections/{who}%3D" for who in "aab"]
    assert posts[-1][1] == {"room": "red", "members": 2, "from": "b=", "text": None}


@pytest.mark.long
def test_functions_of_the_chat_in_javascript(functions, emulator, front, tmp_path):
    """npm fetches the SDK, which is in Lambda's runtime and in no Node."""
    create_table(emulator, "node", "connectionId")
    said = []
    given = {
        "files": files_of(PROJECTS / "sam_node" / "src"),
        "environ": environ_of(emulator, front, "node"),
        "runtimes": Runtimes(any_node=True, cache=tmp_path / "cache", install=said.append),
    }
    front.seen.clear()

    def pool_of(name):
        return functions.start("nodejs24.x", handler=f"{name}.handler", **given)

    connect, send, leave = pool_of("connect"), pool_of("sendmessage"), pool_of("disconnect")
    results = [functions.handle(connect, event(who)) for who in ("a=", "b=")]
    results.append(functions.handle(send, event("a=", action="sendmessage", data="hello")))
    results.append(functions.handle(leave, event("a=")))
    results.append(functions.handle(send, event("b=", action="sendmessage", data="again")))

    assert [result.error for result in results] == [None] * 5
    assert [result.payload["statusCode"] for result in results] == [200] * 5
    assert sorted((seen["path"], seen["body"]) for seen in front.seen) == [
        ("/prod/@connections/a%3D", "hello"),
        ("/prod/@connections/b%3D", "again"),
        ("/prod/@connections/b%3D", "hello"),
    ]
    assert {seen["name"] for seen in front.seen} == {API["domainName"]}
    assert len(said) == 1
