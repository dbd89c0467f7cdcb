"""What the page and the system said to each other when this was recorded is still understood."""

import json
from pathlib import Path

import pytest

from shared_utils.websocket_messages import (
    CLIENT_MESSAGES,
    SERVER_MESSAGES,
    parse_message,
    parse_server_message,
)

ROWS = [
    json.loads(line) for line in Path(__file__).with_name("traffic.jsonl").read_text().splitlines()
]
SENT = [row["message"] for row in ROWS if row["direction"] == "sent"]
RECEIVED = [row["message"] for row in ROWS if row["direction"] == "received"]


# Every kind that there was when it was recorded; one that is added later need not be recorded.
ACTIONS = """
changeLanguage createSession endSession getSessionStatus heartbeat joinSession muteBroadcast pauseBroadcast
pausePlayback refreshConnection resumeBroadcast resumePlayback sendAudio setVolume speakerStateChange
unmuteBroadcast
"""
TYPES = """
audio audioQualityWarning broadcastControl broadcastMuted broadcastPaused broadcastResumed broadcastUnmuted
connectionRefresh connectionRefreshComplete connectionRefreshRequired connectionTimeout connectionWarning
error heartbeatAck languageChanged listenerJoined listenerLeft playbackPaused playbackResumed
rateLimitWarning sessionCreated sessionEnded sessionJoined sessionStatus speakerStateChanged volumeChanged
"""


def test_recording_has_every_kind_of_message_in_both_directions():
    assert {message["action"] for message in SENT} >= set(ACTIONS.split())
    assert {message["type"] for message in RECEIVED} >= set(TYPES.split())


def test_every_recorded_kind_is_still_declared():
    assert {message["action"] for message in SENT} <= CLIENT_MESSAGES.keys()
    assert {message["type"] for message in RECEIVED} <= SERVER_MESSAGES.keys()


@pytest.mark.parametrize("message", SENT, ids=lambda message: message["action"])
def test_what_the_page_sent_is_read_as_it_was_meant(message):
    read = parse_message(message).to_dict()

    assert {name: read[name] for name in message} == message


@pytest.mark.parametrize("message", RECEIVED, ids=lambda message: message["type"])
def test_what_the_system_sent_is_written_as_it_was(message):
    assert parse_server_message(message).to_dict() == message
