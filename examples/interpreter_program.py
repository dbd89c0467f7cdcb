"""Interprets a running session. `interpret`, which only makes tones, is the place for your engine.

WEBSOCKET_AUDIO_INTERPRETER_KEY=... python interpreter_program.py URL SESSION LANGUAGE
"""

import base64
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Iterator

from websockets.sync.client import ClientConnection, connect


def interpret(floor: Iterator[bytes], second: int) -> Iterator[tuple[str, str, bool, bytes]]:
    """STAND-IN for Transcribe, Translate and Polly, or for a model: a tone a segment of speech."""
    # PCM16 comes, `second` bytes a second; captions go, each with PCM16 to be said, or with none.
    segment, length, quiet = "", 0, 0  # bytes of the segment, and of the silence at its end
    for pcm in floor:
        is_speech = sum(map(abs, memoryview(pcm).cast("h"))) > 100 * len(pcm)  # 200 on average
        if is_speech and not segment:
            segment, length = f"segment-{time.time_ns()}", 0
        length, quiet = length + len(pcm), 0 if is_speech else quiet + len(pcm)
        is_final = quiet > second / 4
        if segment and (is_final or length % (second // 2) < len(pcm)):  # each half second
            tone = (b"\0\x08" * 20 + b"\0\xf8" * 20) * (is_final * (length - quiet) // 80)
            yield segment, f"{(length - quiet) / second:.1f} s", is_final, tone
            segment = "" if is_final else segment


def hear(socket: ClientConnection) -> Iterator[bytes]:
    """Yield the floor in order until the session ends; what three chunks overtake is skipped."""
    held, following = dict[int, bytes](), 0
    for message in map(json.loads, socket):
        if message.get("type") == "sessionEnded" or message.get("retryable") is False:
            sys.exit(message.get("message"))  # an error's; the end has none
        if message.get("type") == "audio":
            held[message["sequenceNumber"]] = base64.b64decode(message["audioData"])
        while held and (min(held) <= following or len(held) > 3):
            following = min(held) + 1
            yield held.pop(following - 1)
    sys.exit("The connection was closed.")


def speak(socket: ClientConnection, sound: bytearray, size: int) -> None:
    """Send `size` bytes of sound each 0.1 s, while there is some, and a heartbeat each 3 s."""
    ticks, numbers = itertools.count(), itertools.count()
    while socket.state.name == "OPEN":
        if next(ticks) % 30 == 0:
            socket.send(json.dumps({"action": "heartbeat"}))
        if sound:
            audio = base64.b64encode(sound[:size].ljust(size, b"\0")).decode()
            chunk = {"action": "sendAudio", "sequenceNumber": next(numbers), "audioData": audio}
            socket.send(json.dumps(chunk | {"timestamp": time.time_ns() // 1_000_000}))
            del sound[:size]
        time.sleep(0.1 - time.monotonic() % 0.1)  # until the next tenth: no delay adds up


if __name__ == "__main__":
    if len(sys.argv) != 4 or "WEBSOCKET_AUDIO_INTERPRETER_KEY" not in os.environ:
        sys.exit(__doc__)
    url, session, language, key = *sys.argv[1:], os.environ["WEBSOCKET_AUDIO_INTERPRETER_KEY"]
    join = {"action": "joinAsInterpreter", "sessionId": session, "language": language}
    with connect(url, max_queue=None) as socket:
        socket.send(json.dumps(join | {"interpreterKey": key}))
        ready = next(one for one in map(json.loads, socket) if one.get("type") != "audio")
        if ready.get("type") != "interpreterReady":
            sys.exit(f"{session} cannot be interpreted: {ready['message']}")
        if ready["audioFormat"]["encoding"] != "pcm_s16le":
            sys.exit(f"{session} cannot be interpreted: its audio is not pcm_s16le")
        second = ready["audioFormat"]["sampleRate"] * ready["audioFormat"]["channels"] * 2
        sound = bytearray()
        threading.Thread(target=speak, args=(socket, sound, second // 10), daemon=True).start()
        for segment, text, is_final, tone in interpret(hear(socket), second):
            caption = {"segmentId": segment, "text": text, "isFinal": is_final}
            socket.send(json.dumps({"action": "sendCaption", **caption}))
            sound += tone
