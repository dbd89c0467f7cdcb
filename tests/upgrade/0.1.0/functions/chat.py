"""A chat as somebody wrote it against this release: own messages, codes and metrics, and all that is around routes."""

from typing import Annotated, Literal

from shared_utils import (
    ApplicationError,
    ClientMessage,
    ErrorCodeBase,
    Limits,
    Record,
    Routes,
    ServerMessage,
    SilentRefusal,
    WebSocketHandler,
)
from shared_utils.testing import FakeConnections

RoomId = Annotated[str, Limits(pattern="[a-z0-9-]{1,40}")]


class ChatCode(ErrorCodeBase):
    """Why the chat refuses."""

    ROOM_FULL = "ROOM_FULL", 409, "The room is full", True


class Member(Record):
    """Somebody in a room."""

    name: str
    weight: float = 1.5


class SendChat(ClientMessage):
    """Say something in a room."""

    roomId: RoomId
    text: Annotated[str, Limits(min_length=1, max_length=20)]
    mood: Literal["calm", "cross"] = "calm"
    mentions: Annotated[list[Member], Limits(max_length=3)] = []
    volume: Annotated[float, Limits(minimum=0, maximum=1)] | None = None


class ChatMessage(ServerMessage):
    """What somebody said."""

    roomId: RoomId
    text: str
    sender: Member


connections = FakeConnections({"gone=": "gone"})
app = WebSocketHandler("Chat", connections=connections, sampled={"ping": 1})
more = Routes()


@app.route("$connect")
def connect(request):
    if request.query.get("room") == "full":
        raise ApplicationError(ChatCode.ROOM_FULL)


@app.route("$disconnect")
def disconnect(request):
    request.logger.info("left", operation="leave")


@app.route(SendChat)
def send_chat(request):
    said = request.message
    message = ChatMessage(roomId=said.roomId, text=said.text, sender=Member(name=request.caller))
    result = request.broadcast(["ann=", "gone="], message)
    request.logger.info("said", sent=len(result.sent), mood=said.mood, token="wsr_secret")
    request.metrics.emit_metric("ChatsSent", 1, "Count", dimensions={"Mood": said.mood})
    return message


@app.route("fail")
def fail(request):
    raise RuntimeError(f"no {request.body['what']}")


@app.route("find")
def find(request):
    return {"type": "found", "value": {"blue": 1}[request.body["room"]]}


@app.route("silent")
def silent(request):
    raise SilentRefusal()


@more.route("ping", role="member")
def ping(request):
    return {"type": "pong", "remaining": request.remaining_seconds > 0}


@app.route("$default")
def echo(request):
    return {"type": "echo", "text": request.text}


app.include(more)


@app.middleware
def with_caller(request, call_next):
    request.caller = request.authorizer.get("user", "guest")
    return call_next(request)


@app.exception_handler(KeyError)
def no_such_room(error, request):
    raise ApplicationError("SESSION_NOT_FOUND", f"There is no room {error}") from error


@app.on_failure
def report(error, request):
    request.logger.warning("reported", kind=type(error).__name__, action=request.action)


def handler(event, context):
    connections.sent.clear()
    answer = app(event, context)
    return {"answer": answer, "sent": connections.sent}
