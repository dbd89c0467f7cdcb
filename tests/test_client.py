"""The client tells replies, audio and the rest apart, and says why a connection ended."""

import asyncio
import base64
import contextlib
import json
import logging
import re
import time
import traceback

import pytest
from websockets.asyncio.server import serve

from local.audio import JitterBuffer
from local.captions import Cue
from local.client import (
    ConnectionRefusedWithStatusError,
    RequestRefusedError,
    SessionClientError,
    UnansweredError,
    connect,
    ordered_chunks,
    stream,
    stream_captions,
    without_audio,
)
from shared_utils.error_codes import get_error_message

PCM = bytes(range(100))


def audio(number: int, **fields: str) -> str:
    data = base64.b64encode(PCM).decode()
    fields |= {"type": "audio", "sequenceNumber": number, "audioData": data}
    return json.dumps(fields | {"speakerTimestamp": 5})


def hears(kind: str, channel: str) -> str:
    return json.dumps({"type": kind, "hears": channel})


@contextlib.asynccontextmanager
async def server(answer):
    """Serve `answer(socket, message)` for each message of each connection."""

    async def handle(socket):
        async for frame in socket:
            await answer(socket, json.loads(frame))

    async with serve(handle, "127.0.0.1", 0, subprotocols=["websocket-audio.v1"]) as running:
        yield f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}/dev"


def run(answer, use):
    """Run `use(client)` against a server that answers so, and return what it returns."""

    async def main():
        async with asyncio.timeout(20), server(answer) as url, connect(url) as client:
            return await use(client)

    return asyncio.run(main())


async def echo(socket, message):
    """Reply to requests, out of order with what is sent besides."""
    await socket.send('{"type":"listenerJoined","listenerCount":1}')
    await socket.send(audio(0))
    reply = {"type": "heartbeatAck", "requestId": message.get("requestId"), "was": message}
    await socket.send(json.dumps(reply))


def test_request_gets_its_own_reply():
    async def use(client):
        first, second = await asyncio.gather(client.request("heartbeat"), client.request("x", y=1))
        return first["was"], second["was"]

    assert run(echo, use) == (
        {"action": "heartbeat", "requestId": "request-1"},
        {"action": "x", "requestId": "request-2", "y": 1},
    )


def test_audio_and_other_messages_wait_apart():
    async def use(client):
        await client.request("heartbeat")
        chunk = client.audio.get_nowait()
        return client.messages.get_nowait(), client.messages.empty(), chunk

    message, empty, chunk = run(echo, use)

    assert message == {"type": "listenerJoined", "listenerCount": 1}
    assert empty
    assert (chunk.number, chunk.pcm, chunk.spoken_at) == (0, PCM, 5)


def test_error_reply_is_raised():
    async def refuse(socket, message):
        reply = {"type": "error", "code": "SESSION_NOT_FOUND", "message": "Session not found"}
        await socket.send(json.dumps({**reply, "requestId": message["requestId"]}))

    with pytest.raises(
        RequestRefusedError, match="SESSION_NOT_FOUND: Session not found"
    ) as refused:
        run(refuse, lambda client: client.request("joinSession"))

    assert refused.value.code == "SESSION_NOT_FOUND"


def test_request_fails_with_its_connection():
    async def close(socket, message):
        await socket.close(1009, "message too big")

    with pytest.raises(SessionClientError, match="the connection was closed: 1009 message too big"):
        run(close, lambda client: client.request("heartbeat"))


ORIGIN = "https://a.example"
MANY = "there are too many new connections, of this address or of all; wait a minute"
BROKEN = "a function failed, or the keys of the tokens' issuer cannot be had"


@pytest.mark.parametrize(
    ("status", "given", "words"),
    [
        (401, {}, ": the access token is missing"),
        (401, {"token": "secret-token"}, ": the access token was refused"),
        (
            403,
            {"token": "secret-token"},
            ": no origin was sent, and only certain ones may connect, or a policy forbids it",
        ),
        (
            403,
            {"origin": ORIGIN},
            f": the origin sent was {ORIGIN}, and only certain ones may connect, or a policy forbids it",
        ),
        (404, {"token": "secret-token"}, ""),
        (429, {"token": "secret-token"}, f": {MANY}"),
        (500, {}, f": {BROKEN}"),
        (502, {"origin": ORIGIN}, f": {BROKEN}"),
    ],
)
def test_refused_connection_says_the_status_and_what_it_means(status, given, words):
    """What 401 says of the token, 403 does not: a good one does not help against it."""

    async def main():
        async with serve(
            echo, "127.0.0.1", 0, process_request=lambda socket, _: socket.respond(status, "")
        ) as running:
            port = running.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}", **given):
                pass

    with pytest.raises(ConnectionRefusedWithStatusError) as caught:
        asyncio.run(main())

    assert caught.value.status == status
    assert str(caught.value).endswith(f" refused the connection with status {status}{words}")
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_nothing_that_is_sent_is_logged(caplog):
    """The websockets library logs headers and frames at DEBUG."""
    caplog.set_level(logging.DEBUG)

    async def main():
        async with server(echo) as url, connect(url, token="secret-token") as client:
            await client.request("joinSession", listenerKey="secret-key")

    asyncio.run(main())

    ours = [one.getMessage() for one in caplog.records if one.name != "websockets.server"]
    assert "secret" not in "".join(ours)


@pytest.mark.parametrize(
    ("token", "offered"),
    [(None, "websocket-audio.v1"), ("e30.e30.x", "websocket-audio.v1, bearer.e30.e30.x")],
)
def test_token_goes_along_as_a_sub_protocol(token, offered):
    requests = []

    async def main():
        async with (
            serve(
                echo,
                "127.0.0.1",
                0,
                subprotocols=["websocket-audio.v1"],
                process_request=lambda _, request: requests.append(request),
            ) as running,
            connect(f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}/dev", token=token),
        ):
            pass

    asyncio.run(main())

    [request] = requests
    assert request.headers["Sec-WebSocket-Protocol"] == offered
    assert request.path == "/dev"
    assert "Authorization" not in request.headers


def test_nobody_there_is_said_plainly():
    async def main():
        async with connect("ws://127.0.0.1:1"):
            pass

    with pytest.raises(SessionClientError, match=r"ws://127\.0\.0\.1:1 cannot be reached"):
        asyncio.run(main())


def test_expect_names_what_came_instead():
    async def use(client):
        await client.request("heartbeat")
        await client.expect("sessionEnded", seconds=0.05)

    with pytest.raises(
        SessionClientError, match=r"no sessionEnded in 0.05 s, only \['listenerJoined'\]"
    ):
        run(echo, use)


def test_stream_numbers_chunks_and_stops_when_the_session_ends():
    received = []

    async def take(socket, message):
        received.append((message["action"], message["sequenceNumber"], message["audioData"]))
        if len(received) == 3:
            await socket.send('{"type":"sessionEnded"}')

    async def use(client):
        await stream(client, [PCM] * 1000, 0.01, first=7)

    run(take, use)

    data = base64.b64encode(PCM).decode()
    assert received[:3] == [("sendAudio", number, data) for number in (7, 8, 9)]
    assert len(received) < 100


@pytest.mark.parametrize(
    ("stopped_seconds", "at_once"),
    [pytest.param(0.2, False, id="stopped"), pytest.param(60, True, id="late")],
)
def test_stream_that_was_stopped_goes_on_at_its_pace(monkeypatch, stopped_seconds, at_once):
    monkeypatch.setattr("local.client._STOPPED_SECONDS", stopped_seconds)
    times = []

    def sent(number):
        times.append(time.monotonic())
        if number == 1:
            time.sleep(0.5)  # the whole process does nothing

    async def take(socket, message):
        pass

    run(take, lambda client: stream(client, [PCM] * 6, 0.05, sent=sent))

    assert times[2] - times[1] >= 0.5
    assert (times[5] - times[2] < 0.1) == at_once


def test_ordered_chunks_end_with_the_session():
    async def scatter(socket, message):
        for number in (0, 2, 1, 4, 3):
            await socket.send(audio(number))
        await socket.send('{"type":"sessionEnded"}')
        await socket.send(audio(5))  # overtaken by the end

    async def use(client):
        await client.send("go")
        return [chunk.number async for chunk in ordered_chunks(client, JitterBuffer(0.1))]

    assert run(scatter, use) == [0, 1, 2, 3, 4, 5]


def test_ordered_chunks_end_with_the_connection():
    async def scatter(socket, message):
        await socket.send(audio(1))
        await socket.send(audio(0))
        await socket.close()

    async def use(client):
        await client.send("go")
        return [chunk.number async for chunk in ordered_chunks(client, JitterBuffer(60))]

    assert run(scatter, use) == [0, 1]


FLOOR_TO_CHANNEL = [
    '{"type":"sessionJoined"}',
    audio(0),
    audio(7, language="de"),  # before it is ours
    hears("channelChanged", "de"),
    audio(1),
    audio(0, language="fr"),
    audio(8, language="de"),
    audio(9, language="de"),
    hears("channelChanged", "floor"),
    audio(10, language="de"),
    audio(5),
]
OVERTAKEN = [audio(0, language="de"), audio(3), hears("sessionJoined", "de")]
REPLACED = [
    hears("sessionJoined", "de"),
    audio(40, language="de"),
    hears("channelChanged", "de"),
    audio(0, language="de"),
]
NOT_OURS = [
    hears("sessionJoined", "floor"),
    audio(0),
    hears("channelChanged", "floor"),
    audio(1),
]


@pytest.mark.parametrize(
    ("frames", "heard", "dropped"),
    [
        pytest.param(
            FLOOR_TO_CHANNEL,
            [("floor", 0, 1), ("de", 8, 2), ("de", 9, 2), ("floor", 5, 3)],
            4,
            id="begins-and-ends",
        ),
        pytest.param(OVERTAKEN, [("de", 0, 1)], 1, id="chunks-before-the-reply"),
        pytest.param(REPLACED, [("de", 40, 1), ("de", 0, 2)], 0, id="another-interpreter"),
        pytest.param(NOT_OURS, [("floor", 0, 1), ("floor", 1, 1)], 0, id="channel-of-others"),
        pytest.param([audio(0), audio(1)], [("floor", 0, 0), ("floor", 1, 0)], 0, id="not-said"),
    ],
)
def test_listener_hears_only_what_it_is_to_hear(frames, heard, dropped):
    async def scatter(socket, message):
        for frame in frames:
            await socket.send(frame)
        await socket.send('{"type":"sessionEnded"}')

    async def use(client):
        await client.send("go")
        await client.ended.wait()
        chunks = [client.audio.get_nowait() for _ in range(client.audio.qsize())]
        return [(chunk.channel, chunk.number, chunk.part) for chunk in chunks], client.dropped

    assert run(scatter, use) == (heard, dropped)


def test_each_part_is_put_in_order_for_itself():
    async def scatter(socket, message):
        await socket.send(hears("sessionJoined", "floor"))
        for number in (20, 22, 21, 24):
            await socket.send(audio(number))
        await socket.send(hears("channelChanged", "de"))
        for number in (1, 0, 2):
            await socket.send(audio(number, language="de"))
        await socket.send('{"type":"sessionEnded"}')

    async def use(client):
        await client.send("go")
        buffer = JitterBuffer(60)
        numbers = [chunk.number async for chunk in ordered_chunks(client, buffer)]
        return numbers, buffer.gaps

    assert run(scatter, use) == ([20, 21, 22, 24, 0, 1, 2], [range(23, 24)])


def test_audio_that_nobody_hears_is_not_kept():
    async def scatter(socket, message):
        for number in range(50):
            await socket.send(audio(number))
        await socket.send(json.dumps({"type": "done", "requestId": message["requestId"]}))

    async def use(client):
        with without_audio(client):
            await client.request("go")
            await asyncio.sleep(0)
        await client.request("go")
        return client.audio.qsize()

    assert run(scatter, use) == 50


def cue(number: int, due_seconds: float) -> Cue:
    return Cue(str(number), f"text {number}", 1000 * number, 1500, due_seconds)


def test_captions_are_sent_in_time_and_stop_when_the_session_ends():
    received, times = [], []

    async def take(socket, message):
        received.append(message)
        times.append(time.monotonic())
        if len(received) == 2:
            await socket.send('{"type":"sessionEnded"}')

    async def use(client):
        await stream_captions(client, [cue(1, 0.0), cue(2, 0.2), cue(3, 3600.0)])

    run(take, use)

    assert received == [
        {
            "action": "sendCaption",
            "segmentId": str(number),
            "text": f"text {number}",
            "isFinal": True,
            "startMs": 1000 * number,
            "endMs": 1500,
        }
        for number in (1, 2)
    ]
    assert times[1] - times[0] >= 0.1


def test_interpreter_sends_heartbeats_as_soon_as_it_is_one(monkeypatch):
    """A listener's next one would be due in half a minute; one without an answer delays none."""
    monkeypatch.setattr("local.client._INTERPRETERS_HEARTBEAT_SECONDS", 0.01)
    beats = []

    async def answer(socket, message):
        if message["action"] == "joinAsInterpreter":
            reply = {"type": "interpreterReady", "requestId": message["requestId"]}
            await socket.send(json.dumps(reply))
            return
        beats.append(message["action"])
        if len(beats) == 3:
            await socket.close()

    async def use(client):
        await client.request("joinAsInterpreter")
        await client.closed.wait()

    run(answer, use)

    assert beats == ["heartbeat"] * 3


def test_answer_to_a_heartbeat_that_nobody_waits_for_is_no_message():
    async def answer(socket, message):
        await socket.send('{"type":"heartbeatAck","requestId":"of-before"}')
        await socket.send(json.dumps({"type": "done", "requestId": message["requestId"]}))

    async def use(client):
        await client.request("go")
        return client.messages.empty()

    assert run(answer, use)


REPLACED_SENTENCE = "CONNECTION_CLOSED: Somebody else interprets"
CLOSED = {"type": "error", "code": "CONNECTION_CLOSED", "message": "Somebody else interprets"}


def test_interpreter_who_was_replaced_ends_its_connection_with_the_reason(monkeypatch):
    """It learns it from the answer to a heartbeat, if the message to it was lost."""
    monkeypatch.setattr("local.client._HEARTBEAT_SECONDS", 0.01)

    async def answer(socket, message):
        await socket.send(json.dumps({**CLOSED, "requestId": message["requestId"]}))

    async def use(client):
        await client.closed.wait()
        return client.closing_words, client.close_code

    assert run(answer, use) == (REPLACED_SENTENCE, 1000)


def test_reason_that_comes_before_the_end_of_a_connection_is_said():
    async def answer(socket, message):
        await socket.send(json.dumps(CLOSED))
        await socket.close()

    async def use(client):
        await client.send("go")
        await client.closed.wait()
        return client.closing_words, client.refused

    assert run(answer, use) == (REPLACED_SENTENCE, {})


GENERAL_SENTENCE = f"CONNECTION_CLOSED: {get_error_message('CONNECTION_CLOSED')}"


@pytest.mark.parametrize("comes_first", [True, False])
def test_general_answer_does_not_hide_the_reason(comes_first):
    """Chunks that come after a removal are refused, before its reason is sent or after it."""
    sentences = [GENERAL_SENTENCE, REPLACED_SENTENCE][:: 1 if comes_first else -1]

    async def answer(socket, message):
        for sentence in sentences:
            await socket.send(json.dumps({**CLOSED, "message": sentence.partition(": ")[2]}))
        await socket.close()

    async def use(client):
        await client.send("sendAudio")
        await client.closed.wait()
        return client.closing_words

    assert run(answer, use) == REPLACED_SENTENCE


@pytest.mark.parametrize(
    ("more", "sentence"), [([CLOSED], REPLACED_SENTENCE), ([], GENERAL_SENTENCE)]
)
def test_interpreter_whose_heartbeat_is_refused_waits_for_the_reason(monkeypatch, more, sentence):
    monkeypatch.setattr("local.client._HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr("local.client._CLOSE_SECONDS", 0.2)

    async def answer(socket, message):
        general = {**CLOSED, "message": GENERAL_SENTENCE.partition(": ")[2]}
        await socket.send(json.dumps({**general, "requestId": message["requestId"]}))
        for one in more:
            await socket.send(json.dumps(one))

    async def use(client):
        await client.closed.wait()
        return client.closing_words

    assert run(answer, use) == sentence


BROKE = "the connection broke without a closing frame"
TAKEN = (
    "; this process was silent for 1 s, as when it is stopped: its channel was probably taken away"
)


@pytest.mark.parametrize(
    ("action", "replaced_seconds", "code", "words"),
    [
        pytest.param("joinAsInterpreter", 0.5, None, BROKE + TAKEN, id="stopped"),
        pytest.param(
            "joinAsInterpreter", 0.5, 1000, f"the connection was closed: 1000{TAKEN}", id="closed"
        ),
        pytest.param(
            "joinAsInterpreter", 0.5, 1001, "the connection was closed: 1001", id="server-ends"
        ),
        pytest.param("joinAsInterpreter", 10.0, None, BROKE, id="not-so-long"),
        pytest.param("joinSession", 0.5, None, BROKE, id="listener"),
    ],
)
def test_interpreter_who_was_stopped_learns_what_has_probably_happened(
    monkeypatch, action, replaced_seconds, code, words
):
    monkeypatch.setattr("local.client._REPLACED_SECONDS", replaced_seconds)

    async def answer(socket, message):
        if message["action"] == action:
            kind = {"joinAsInterpreter": "interpreterReady", "joinSession": "sessionJoined"}[action]
            reply = {"type": kind, "requestId": message["requestId"]}
            await socket.send(json.dumps(reply))
        elif message["action"] == "sendAudio" and code is None:
            socket.transport.abort()
        elif message["action"] == "sendAudio":
            await socket.close(code)

    async def use(client):
        await client.request(action)
        time.sleep(0.8)  # the whole process does nothing
        await client.send("sendAudio")
        await client.closed.wait()
        return client.closing_words

    assert re.sub(r"for \d+ s", "for 1 s", run(answer, use)) == words


def test_heartbeat_that_is_refused_is_followed_by_another(monkeypatch):
    monkeypatch.setattr("local.client._HEARTBEAT_SECONDS", 0.01)
    beats = []

    async def refuse(socket, message):
        beats.append(message["action"])
        reply = {"type": "error", "code": "INTERNAL_DATABASE_ERROR", "message": "No"}
        await socket.send(json.dumps({**reply, "requestId": message["requestId"]}))
        if len(beats) == 3:
            await socket.close()

    run(refuse, lambda client: client.closed.wait())

    assert beats == ["heartbeat"] * 3


def test_gateways_error_is_nobodys_answer_while_two_requests_wait():
    waiting = []

    async def answer_both(socket, message):
        waiting.append(message["requestId"])
        if len(waiting) == 2:
            await socket.send('{"message": "Internal server error", "requestId": "r"}')
            for request_id in waiting:
                await socket.send(json.dumps({"type": "done", "requestId": request_id}))

    async def use(client):
        replies = await asyncio.gather(client.request("a"), client.request("b"))
        return [reply["type"] for reply in replies], client.refused

    assert run(answer_both, use) == (["done", "done"], {"Internal server error": 1})


def test_gateways_error_is_the_answer_to_the_only_request_and_refuses_no_chunk():
    async def fail(socket, message):
        await socket.send('{"message": "Internal server error", "requestId": "r"}')

    async def use(client):
        with pytest.raises(UnansweredError, match="endSession failed: Internal"):
            await client.request("endSession")
        return client.refused

    assert run(fail, use) == {}


def test_message_that_is_none_ends_the_connection_in_words():
    async def talk_nonsense(socket, message):
        await socket.send("[1]")

    async def use(client):
        await client.send("go")
        await client.expect("anything")

    with pytest.raises(SessionClientError, match="a message that is not a JSON object came"):
        run(talk_nonsense, use)


def test_expect_does_not_wait_for_a_connection_that_has_ended():
    async def close(socket, message):
        await socket.send('{"type":"listenerJoined"}')
        socket.transport.abort()

    async def use(client):
        await client.send("go")
        await client.expect("sessionEnded", seconds=60)

    with pytest.raises(SessionClientError, match="the connection broke without a closing frame"):
        run(close, use)
