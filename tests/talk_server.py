"""A server that plays the API as a test wants it, good or bad, and what runs the commands against it."""

import asyncio
import base64
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jwt
from websockets.asyncio.server import serve

from local.client import SessionClientError
from local.results import TalkError
from local.state import RunningSystem, announced
from wslocal import LoopThread

ROOT = Path(__file__).parent.parent
FORMAT = {"encoding": "pcm_s16le", "sampleRate": 16_000, "channels": 1}
CHUNK = bytes(range(200)) * 16  # 100 ms
READY = {"sessionId": "golden-eagle-427", "sourceLanguage": "en", "audioFormat": FORMAT}


class Server:
    """Plays the API for one connection after the other; `on` replaces what it does for an action."""

    def __init__(self, issuer=None, origin=None, **on):
        self.on = on
        self.issuer = issuer
        self.origin = origin
        self.received = []

    def check(self, socket, request):
        """Let in whoever has a token of the issuer, if there is one, and comes from the origin, if any."""
        if self.origin not in (None, request.headers.get("Origin")):
            return socket.respond(403, "")
        if self.issuer is None:
            return None
        _, _, token = request.headers["Sec-WebSocket-Protocol"].partition(", bearer.")
        key, audience = self.issuer.keys[-1], self.issuer.audience
        try:
            jwt.decode(token, key.public_pem, [key.algorithm], audience=audience)
        except jwt.InvalidTokenError:
            return socket.respond(401, "")
        return None

    @property
    def actions(self):
        return [message["action"] for message in self.received]

    def count(self, action):
        return self.actions.count(action)

    async def handle(self, socket):
        async for frame in socket:
            message = json.loads(frame)
            self.received.append(message)
            play = self.on.get(message["action"])
            if play is None or await play(self, socket, message):
                await self.reply(socket, message)

    async def reply(self, socket, message):
        kind, fields = {
            "createSession": ("sessionCreated", {"sessionId": "golden-eagle-427"}),
            "joinSession": ("sessionJoined", {"audioFormat": FORMAT}),
            "joinAsInterpreter": (
                "interpreterReady",
                READY | {"language": message.get("language")},
            ),
            "endSession": ("sessionEnded", {"reason": "speakerEnded"}),
            "pauseBroadcast": ("broadcastPaused", {}),
        }.get(message["action"], (None, {}))
        if kind:
            await send(socket, kind, requestId=message["requestId"], **fields)


async def send(socket, kind, **fields):
    await socket.send(json.dumps({"type": kind, **fields}))


async def send_chunks(socket, *numbers, pcm=CHUNK, **fields):
    for number in numbers:
        data = base64.b64encode(pcm).decode()
        fields |= {"sequenceNumber": number, "audioData": data, "speakerTimestamp": 0}
        await send(socket, "audio", **fields)


# --- what a server may do, for an action -----------------------------------------------------------


async def silence(server, socket, message):
    return False


async def abort(server, socket, message):
    socket.transport.abort()


async def go_away(server, socket, message):
    await socket.close(1001, "Going away")


def refuse(code, **details):
    async def play(server, socket, message):
        fields = {"code": code, "message": "No"}
        if details:
            fields["details"] = details
        if "requestId" in message:
            fields["requestId"] = message["requestId"]
        await send(socket, "error", **fields)

    return play


def after(count, then):
    """Do it at the `count`-th message of that action."""

    async def play(server, socket, message):
        if server.count(message["action"]) == count:
            await then(server, socket, message)
        return False

    return play


async def end_session(server, socket, message):
    await send(socket, "sessionEnded", reason="sessionExpired")


async def fail(server, socket, message):
    """Answer as the gateway does for a function that failed."""
    await socket.send('{"message":"Internal server error","connectionId":"c","requestId":"r"}')


def broadcast(*steps):
    """Reply to joinSession, then do these steps."""

    async def play(server, socket, message):
        await server.reply(socket, message)
        for step in steps:
            await step(server, socket, message)
        return False

    return play


async def two_chunks(server, socket, message):
    await send_chunks(socket, 0, 1)


# --- what runs against it


def shorten_pauses(monkeypatch):
    """Wait shorter for what does not come."""
    monkeypatch.setattr("local.sending._LINGER_SECONDS", 0.1)
    monkeypatch.setattr("local.client._REPLY_SECONDS", 0.3)
    monkeypatch.setattr("local.client._AFTER_END_SECONDS", 0.1)
    monkeypatch.setattr("local.client._DOUBT_SECONDS", 0.1)


@contextlib.asynccontextmanager
async def served(server):
    """Serve it; give its address."""
    protocols = ["websocket-audio.v1"]
    async with serve(
        server.handle, "127.0.0.1", 0, subprotocols=protocols, process_request=server.check
    ) as running:
        yield f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}/dev"


def code_of(error):
    return error.code if isinstance(error, TalkError) else int(error is not None)


def play(server, work):
    """Run `work(url)` against the server; return the error, if there was one."""

    async def main():
        async with asyncio.timeout(20), served(server) as url:
            try:
                await work(url)
            except (TalkError, SessionClientError, ValueError) as error:
                return error
            return None

    return asyncio.run(main())


@contextlib.contextmanager
def commands():
    """Give a function that starts `python -m local` against a server of the test's own."""
    with contextlib.ExitStack() as stack:
        loop = stack.enter_context(LoopThread())

        def start(server, *arguments, by=(), options=(), **popen):
            url = loop.enter(served(server))
            system = RunningSystem(os.getpid(), url, None, "stack", "namespace", {}, time.time())
            stack.enter_context(announced(system))
            process = subprocess.Popen(
                [
                    *by,
                    sys.executable,
                    *options,
                    "-m",
                    "local",
                    *arguments,
                    "--pid",
                    str(os.getpid()),
                ],
                cwd=ROOT,
                **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | popen,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        yield start


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
