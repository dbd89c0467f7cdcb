"""The examples on Lambda and behind API Gateway, as their READMEs say to deploy them.

The built zip is their layer. Alone they run under the official runtime client; then chat and quiz
behind the gateway, with real sockets. Their tables are DynamoDB's of the emulator.
"""

import http.server
import json
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect

from shared_utils import Groups, Table
from shared_utils.testing import message_event
from wslocal import ACCOUNT, REGION, LambdaHost, LocalApi, LoopThread
from wslocal.tests.gateway_system import create_api, create_function, create_role, zip_of

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parent.parent / "examples"
QUESTION = {"text": "How much is 6 times 7?", "choices": ["36", "42"], "correct": 1}


class Readme:
    """What an example's README says of its deployment."""

    def __init__(self, example):
        text = " ".join((EXAMPLES / example / "README.md").read_text().split())
        self.handler = re.search(r"handler `([\w.]+)`", text)[1]
        self.routes = re.findall(r"`([^`]+)`", re.search(r"for the routes (.+?)\. ", text)[1])
        self.variable = re.search(r"([A-Z_]+) names a table", text)[1]
        keys = re.search(r"with the keys? (.+?) \(", text)[1]
        self.keys = re.findall(r"`(\w+)`", keys)
        self.actions = re.findall(r"`(dynamodb:\w+)`", text)
        self.posts = "`execute-api:ManageConnections`" in text


@pytest.fixture(scope="module")
def layer_arn(emulator, layer):
    archive = (layer.parent / "shared-layer.zip").read_bytes()
    made = emulator.client("lambda").publish_layer_version(
        LayerName="SharedUtils", Content={"ZipFile": archive}
    )
    return made["LayerVersionArn"]


@pytest.fixture(scope="module")
def tables(emulator):
    """Return the name of each example's table."""
    names = {example: f"examples-{example}" for example in ("chat", "quiz", "http")}
    for example, name in names.items():
        keys = Readme(example).keys
        emulator.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": key, "KeyType": kind}
                for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
        )
    return names


# --- under the runtime client ---------------------------------------------------------------------


class PostServer(http.server.ThreadingHTTPServer):
    """Plays `@connections`: keeps what is posted, by path."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), PostHandler)
        self.posted = []


class PostHandler(http.server.BaseHTTPRequestHandler):
    server: PostServer

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.path, json.loads(text)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def posts():
    with PostServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def start(emulator, layer, tables, posts):
    """Return a function that starts an example's function."""
    hosts = []

    def start(example):
        readme = Readme(example)
        environ = {
            **emulator.variables,
            "API_GATEWAY_ENDPOINT": f"http://127.0.0.1:{posts.server_port}/prod",
            readme.variable: tables[example],
        }
        host = LambdaHost(
            handler=readme.handler,
            task_root=EXAMPLES / example,
            layer=layer,
            environ=environ,
            timeout_seconds=10,
        )
        hosts.append(host)
        return host

    yield start
    [host.close() for host in hosts]


def invoke(host, event):
    """Return the answer and the lines of one invocation."""
    result = host.invoke(event)
    assert result.error is None
    assert result.stderr == []
    return result.payload, [json.loads(line) for line in result.stdout]


def test_chat_answers_and_writes_its_lines(start, posts):
    event = message_event({"action": "joinRoom", "roomId": "alone", "name": "Ada"}, "ada=")

    payload, lines = invoke(start("chat"), event)

    [(path, reply)] = posts.posted
    assert payload == {"statusCode": 200}
    assert path == "/prod/@connections/ada%3D"
    assert (reply["type"], reply["members"]) == ("room", [{"connectionId": "ada=", "name": "Ada"}])
    assert [line["message"] for line in lines if "operation" in line] == ["Message handled"]
    assert [line["RoomsJoined"] for line in lines if "RoomsJoined" in line] == [1]


def test_code_of_the_chats_own_has_its_status(start, posts):
    event = message_event({"action": "sendChat", "roomId": "alone", "text": "Hi"}, "grace=")

    payload, lines = invoke(start("chat"), event)

    [(_, reply)] = posts.posted
    assert payload == {"statusCode": 403}
    assert (reply["code"], reply["retryable"]) == ("NOT_IN_ROOM", False)
    assert [line["errorCode"] for line in lines if line["level"] == "WARN"] == ["NOT_IN_ROOM"]


def test_quiz_answers_and_writes_its_line(start, posts):
    payload, lines = invoke(start("quiz"), message_event({"action": "createQuiz"}, "host="))

    [(_, reply)] = posts.posted
    assert payload == {"statusCode": 200}
    assert reply["type"] == "quizCreated"
    assert [line["operation"] for line in lines if "operation" in line] == ["createQuiz"]


def http_event(route, body=None, **parameters):
    return {
        "version": "2.0",
        "routeKey": route,
        "requestContext": {"requestId": "gateway-1"},
        "pathParameters": parameters,
        **({"body": body} if body else {}),
        "isBase64Encoded": False,
    }


def test_order_is_created_and_read(start):
    host = start("http")

    created, lines = invoke(host, http_event("POST /orders", '{"item": "tea", "quantity": 2}'))
    order_id = created["headers"]["location"].removeprefix("/orders/")
    read, _ = invoke(host, http_event("GET /orders/{orderId}", orderId=order_id))

    assert (created["statusCode"], read["statusCode"]) == (201, 200)
    assert json.loads(read["body"]) == {"orderId": order_id, "item": "tea", "quantity": 2}
    assert read["headers"]["content-type"] == "application/json"
    assert [line["OrdersCreated"] for line in lines if "OrdersCreated" in line] == [1]


def test_order_that_there_is_not_has_the_status_of_its_code(start):
    payload, [line, *_] = invoke(start("http"), http_event("GET /orders/{orderId}", orderId="none"))

    assert payload["statusCode"] == 404
    assert json.loads(payload["body"])["code"] == "ORDER_NOT_FOUND"
    assert (line["errorCode"], line["correlationId"]) == ("ORDER_NOT_FOUND", "gateway-1")


# --- behind the gateway ---------------------------------------------------------------------------


def deploy(emulator, example, layer_arn, table):
    """Return the id of an API in front of an example, whose role may do what the README says."""
    readme = Readme(example)
    role = create_role(emulator, example, verbs=["POST"] if readme.posts else [])
    statement = {
        "Effect": "Allow",
        "Action": readme.actions,
        "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}",
    }
    emulator.client("iam").put_role_policy(
        RoleName=example,
        PolicyName="table",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    files = {path.name: path.read_text() for path in (EXAMPLES / example).glob("[!t]*.py")}
    variables = {readme.variable: table, "API_GATEWAY_ENDPOINT": "https://to.be.replaced"}
    function = create_function(
        emulator,
        example,
        readme.handler,
        role,
        Code={"ZipFile": zip_of(files)},
        Layers=[layer_arn],
        Environment={"Variables": variables},
    )
    return create_api(emulator, {key: {"function": function} for key in readme.routes})


@pytest.fixture(scope="module")
def serve(emulator, layer_arn, tables):
    """Return a function that serves an example, and gives its address."""
    with LoopThread() as loop:

        def serve(example):
            api_id = deploy(emulator, example, layer_arn, tables[example])
            return loop.enter(LocalApi(emulator.client, api_id, "dev")).url

        yield serve


@pytest.fixture(scope="module")
def chat(serve):
    return serve("chat")


@pytest.fixture(scope="module")
def quiz(serve):
    return serve("quiz")


class Client:
    """A client with its socket."""

    def __init__(self, socket):
        self.socket = socket

    def send(self, action, **fields):
        self.socket.send(json.dumps({"action": action, **fields}))

    def receive(self):
        return json.loads(self.socket.recv(timeout=20))

    def ask(self, action, **fields):
        """Return the next message after one that is sent."""
        self.send(action, **fields)
        return self.receive()


@contextmanager
def client(url):
    with connect(url, proxy=None) as socket:
        yield Client(socket)


def names(message):
    return [member["name"] for member in message["members"]]


def test_two_in_a_room_exchange_messages(chat):
    with client(chat) as ada, client(chat) as grace:
        assert names(ada.ask("joinRoom", roomId="blue", name="Ada")) == ["Ada"]
        assert sorted(names(grace.ask("joinRoom", roomId="blue", name="Grace"))) == ["Ada", "Grace"]
        assert sorted(names(ada.receive())) == ["Ada", "Grace"]

        reply = ada.ask("sendChat", roomId="blue", text="Hello", mentions=["Grace"], requestId="1")
        message = grace.receive()

        assert (message["type"], message["text"], message["mentions"]) == (
            "chat",
            "Hello",
            ["Grace"],
        )
        assert message["sender"]["name"] == "Ada"
        assert reply == {**message, "requestId": "1"}

        assert names(grace.ask("leaveRoom", roomId="blue")) == ["Ada"]
        assert names(ada.receive()) == ["Ada"]


def test_chats_own_code_arrives_as_an_error(chat):
    with client(chat) as alan:
        error = alan.ask("sendChat", roomId="blue", text="Hello", requestId="7")

    assert (error["type"], error["code"]) == ("error", "NOT_IN_ROOM")
    assert (error["retryable"], error["requestId"]) == (False, "7")


@pytest.mark.parametrize("text", ["no JSON", '{"action": "dance"}'])
def test_what_no_route_takes_is_an_error(chat, text):
    with client(chat) as alan:
        alan.socket.send(text)

        assert alan.receive()["code"].startswith("VALIDATION_INVALID_")


@pytest.fixture
def rooms(emulator, tables):
    """Return the groups that the chat keeps."""
    table = Table(tables["chat"], environ=emulator.variables)
    yield Groups(table)
    table.close_sockets()


def test_member_who_is_gone_is_in_the_room_no_more(chat, rooms):
    with client(chat) as ada:
        ada.ask("joinRoom", roomId="red", name="Ada")
        with client(chat) as grace:
            grace.ask("joinRoom", roomId="red", name="Grace")
            ada.receive()
        ada.ask("sendChat", roomId="red", text="Are you there?")

        assert list(rooms.members("red").values()) == [{"name": "Ada"}]


def test_member_who_disconnects_leaves_all_rooms(chat, rooms):
    """The gateway calls `$disconnect` after the socket is closed, so this asks until it has."""
    with client(chat) as ada:
        ada.ask("joinRoom", roomId="green", name="Ada")
        ada.ask("joinRoom", roomId="yellow", name="Ada")
        joined = [len(rooms.members(room)) for room in ("green", "yellow")]

    assert joined == [1, 1]
    assert any(not rooms.members("green") and not rooms.members("yellow") for _ in range(1000))


def test_quiz_plays_a_round(quiz):
    with client(quiz) as host, client(quiz) as ada, client(quiz) as alan:
        quiz_id = host.ask("createQuiz")["quizId"]
        assert ada.ask("joinQuiz", quizId=quiz_id, name="Ada")["type"] == "quizJoined"
        assert alan.ask("joinQuiz", quizId=quiz_id, name="Alan")["type"] == "quizJoined"

        assert host.ask("askQuestion", quizId=quiz_id, **QUESTION)["type"] == "question"
        assert [client.receive()["choices"] for client in (ada, alan)] == [["36", "42"]] * 2

        assert ada.ask("answerQuestion", quizId=quiz_id, choice=1)["isCorrect"]
        scores = alan.ask("answerQuestion", quizId=quiz_id, choice=0)
        assert not alan.receive()["isCorrect"]

        expected = [{"name": "Ada", "points": 1}, {"name": "Alan", "points": 0}]
        assert scores["scores"] == expected
        assert [client.receive()["scores"] for client in (host, ada)] == [expected] * 2

        again = ada.ask("answerQuestion", quizId=quiz_id, choice=1)
        assert (again["code"], again["retryable"]) == ("QUESTION_CLOSED", False)
        assert ada.ask("askQuestion", quizId=quiz_id, **QUESTION)["code"] == "AUTH_INVALID_ROLE"


def test_player_who_is_gone_does_not_keep_the_scores_back(quiz):
    with client(quiz) as host, client(quiz) as ada:
        quiz_id = host.ask("createQuiz")["quizId"]
        ada.ask("joinQuiz", quizId=quiz_id, name="Ada")
        with client(quiz) as alan:
            alan.ask("joinQuiz", quizId=quiz_id, name="Alan")
        host.ask("askQuestion", quizId=quiz_id, **QUESTION)
        ada.receive()

        ada.ask("answerQuestion", quizId=quiz_id, choice=1)

        assert host.receive()["scores"] == [{"name": "Ada", "points": 1}]


def test_quiz_that_there_is_not_is_an_error(quiz):
    with client(quiz) as ada:
        error = ada.ask("joinQuiz", quizId="00000000", name="Ada")

    assert (error["code"], error["message"]) == ("QUIZ_NOT_FOUND", "There is no such quiz")
