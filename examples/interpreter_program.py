"""Interprets a running session. `interpret`, which only makes tones, is the place for your engine.

WEBSOCKET_AUDIO_INTERPRETER_KEY=... python interpreter_program.py URL SESSION LANGUAGE
"""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncIterator

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Said = tuple[str, str, bool, bytes]  # a segment, its text, whether it is final, PCM16 to be said
# An error that may come before the one that says why, and so long that one is waited for.
CLOSED, REASON_SECONDS = "The connection is closed", 2


async def interpret(floor: AsyncIterator[bytes], second: int) -> AsyncIterator[Said]:
    """STAND-IN for Transcribe, Translate and Polly, or for a model: a tone a segment of speech."""
    segment, length, quiet = "", 0, 0  # bytes of the segment, and of the silence at its end
    async for pcm in floor:  # PCM16, `second` bytes a second
        is_speech = sum(map(abs, memoryview(pcm).cast("h"))) > 100 * len(pcm)  # 200 on average
        if is_speech and not segment:
            segment, length = f"segment-{time.time_ns()}", 0
        length, quiet = length + len(pcm), 0 if is_speech else quiet + len(pcm)
        is_final = quiet > second / 4
        if segment and (is_final or length % (second // 2) < len(pcm)):  # each half second
            tone = (b"\0\x08" * 20 + b"\0\xf8" * 20) * (is_final * (length - quiet) // 80)
            yield segment, f"{(length - quiet) / second:.1f} s", is_final, tone
            segment = "" if is_final else segment


async def hear(socket: ClientConnection) -> AsyncIterator[bytes]:
    """Yield the floor in order until the session ends; what three chunks overtake is skipped."""
    held, following = dict[int, bytes](), 0
    with contextlib.suppress(ConnectionClosed):
        async for text in socket:
            message = json.loads(text)
            if message.get("message") == CLOSED:
                asyncio.get_running_loop().call_later(REASON_SECONDS, sys.exit, CLOSED)
            elif message.get("type") == "sessionEnded" or message.get("retryable") is False:
                sys.exit(message.get("message"))  # an error's; the end has none
            if message.get("type") == "audio":
                held[message["sequenceNumber"]] = base64.b64decode(message["audioData"])
            while held and (min(held) <= following or len(held) > 3):
                following = min(held) + 1
                yield held.pop(following - 1)
    sys.exit(CLOSED)


async def speak(socket: ClientConnection, sound: bytearray, size: int) -> None:
    """Send `size` bytes of sound each 0.1 s, while there is some, and a heartbeat each 3 s."""
    ticks, numbers = itertools.count(), itertools.count()
    with contextlib.suppress(ConnectionClosed):  # `hear` says why
        while socket.state.name == "OPEN":
            if next(ticks) % 30 == 0:
                await socket.send(json.dumps({"action": "heartbeat"}))
            if sound:
                audio = base64.b64encode(sound[:size].ljust(size, b"\0")).decode()
                chunk = {"action": "sendAudio", "sequenceNumber": next(numbers), "audioData": audio}
                del sound[:size]
                await socket.send(json.dumps(chunk | {"timestamp": time.time_ns() // 1_000_000}))
            # Until the next tenth: no delay adds up.
            await asyncio.sleep(0.1 - time.monotonic() % 0.1)


async def run(url: str, session: str, language: str, key: str) -> None:
    """Join, interpret until the session ends, and exit."""
    join = {"action": "joinAsInterpreter", "sessionId": session, "language": language}
    async with connect(url, max_queue=None) as socket, asyncio.TaskGroup() as tasks:
        await socket.send(json.dumps(join | {"interpreterKey": key}))
        while (ready := json.loads(await socket.recv())).get("type") == "audio":
            pass
        if ready.get("type") != "interpreterReady":
            sys.exit(f"{session} cannot be interpreted: {ready['message']}")
        if ready["audioFormat"]["encoding"] != "pcm_s16le":
            sys.exit(f"{session} cannot be interpreted: its audio is not pcm_s16le")
        second = ready["audioFormat"]["sampleRate"] * ready["audioFormat"]["channels"] * 2
        sound = bytearray()
        tasks.create_task(speak(socket, sound, second // 10))
        async for segment, text, is_final, tone in interpret(hear(socket), second):
            caption = {"segmentId": segment, "text": text, "isFinal": is_final}
            with contextlib.suppress(ConnectionClosed):  # `hear` says why
                await socket.send(json.dumps(caption | {"action": "sendCaption"}))
            sound += tone


if __name__ == "__main__":
    if len(sys.argv) != 4 or "WEBSOCKET_AUDIO_INTERPRETER_KEY" not in os.environ:
        sys.exit(__doc__)
    url, session, language, key = *sys.argv[1:], os.environ["WEBSOCKET_AUDIO_INTERPRETER_KEY"]
    asyncio.run(run(url, session, language, key))
