"""The audio's door: who hears what, what is refused, and what a chunk costs."""

import base64

SIZE = 120


def audio(num_bytes: int, byte: bytes = b"\x10") -> str:
    return base64.b64encode(byte * num_bytes).decode()


def test_chunk_goes_to_all_listeners_as_it_came_and_nothing_to_the_speaker(system):
    session_id = system.open("ann", "bob")

    assert system.chunk("speaker", 7, requestId="mine") == 200

    (first, message), (second, same) = system.take()
    assert [first, second] == ["ann", "bob"]
    assert message == same
    assert message == {
        "type": "audio",
        "sessionId": session_id,
        "sequenceNumber": 7,
        "audioData": system.CHUNK,
        "speakerTimestamp": 1_767_225_600_000,
        "timestamp": message["timestamp"],
    }


def test_chunk_without_listeners_is_taken(system):
    system.open()

    assert system.chunk("speaker") == 200
    assert system.take() == []
