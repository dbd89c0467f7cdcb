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


def test_recording_has_every_kind_of_message_in_both_directions():
    assert {message["action"] for message in SENT} == set(CLIENT_MESSAGES)
    assert {message["type"] for message in RECEIVED} == set(SERVER_MESSAGES)


@pytest.mark.parametrize("message", SENT, ids=lambda message: message["action"])
def test_what_the_page_sent_is_read_as_it_was_meant(message):
    read = parse_message(message).to_dict()

    assert {name: read[name] for name in message} == message


@pytest.mark.parametrize("message", RECEIVED, ids=lambda message: message["type"])
def test_what_the_system_sent_is_written_as_it_was(message):
    assert parse_server_message(message).to_dict() == message
