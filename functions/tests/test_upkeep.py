from datetime import UTC, datetime

import pytest

from broadcast.sessions import Listener, Participant, Session
from broadcast.settings import BroadcastSettings
from broadcast.upkeep import (
    DueTasks,
    client_url,
    due_tasks,
    lost_listeners,
    refresh_messages,
    seconds_since,
    timeout_message,
    warning_message,
    why_over,
)
from shared_utils import AudioFormat, BroadcastState

NOW = 1_767_225_600_000
MINUTE = 60_000


def participant(minutes: float = 0, silent_seconds: float = 0, **fields) -> Participant:
    return Participant(
        connection_id="ann",
        participant_id="ann",
        session_id="golden-eagle-427",
        role="listener",
        token_hash="hash",
        connected_at=NOW - int(minutes * MINUTE),
        last_activity_at=NOW - int(silent_seconds * 1000),
        **fields,
    )


def session(**fields) -> Session:
    return Session(
        session_id="golden-eagle-427",
        speaker_connection_id="speaker",
        speaker_token_hash="hash",
        source_language="en",
        created_at=NOW,
        state=BroadcastState(isPaused=False, isMuted=False, volume=1.0),
        audio_format=AudioFormat(),
        **{"ends_at": NOW + MINUTE, **fields},
    )


@pytest.mark.parametrize(
    ("someone", "due"),
    [
        pytest.param(participant(), DueTasks(), id="fresh"),
        pytest.param(participant(99.9), DueTasks(), id="just-not"),
        pytest.param(participant(100), DueTasks(ask_to_refresh=True), id="refresh"),
        pytest.param(participant(109, refresh_asked_at=NOW), DueTasks(), id="asked"),
        pytest.param(participant(110, refresh_asked_at=NOW), DueTasks(warn=True), id="warn"),
        pytest.param(participant(119), DueTasks(warn=True, ask_to_refresh=True), id="both"),
        pytest.param(participant(119, refresh_asked_at=1, warned_at=1), DueTasks(), id="told-both"),
        pytest.param(participant(1, 119.9), DueTasks(), id="just-not-idle"),
        pytest.param(participant(119, 120), DueTasks(close=True), id="idle"),
    ],
)
def test_duties_by_age_and_silence(someone, due):
    assert due_tasks(someone, NOW, BroadcastSettings()) == due
    assert bool(due) == (due != DueTasks())


def test_duties_follow_the_settings():
    settings = BroadcastSettings(idle_seconds=10, refresh_minutes=5, warning_minutes=3)

    assert due_tasks(participant(3), NOW, settings) == DueTasks(warn=True)
    assert due_tasks(participant(5), NOW, settings) == DueTasks(warn=True, ask_to_refresh=True)
    assert due_tasks(participant(5, 10), NOW, settings) == DueTasks(close=True)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param(session(), None, id="going-on"),
        pytest.param(session(ends_at=NOW), "expired", id="expired"),
        pytest.param(session(speaker_gone_at=NOW - 59_999), None, id="speaker-may-come-back"),
        pytest.param(session(speaker_gone_at=NOW - 60_000), "speakerDisconnected", id="gone"),
    ],
)
def test_why_a_session_has_to_end(found, why):
    assert why_over(found, NOW) == why


def test_listeners_are_lost_whose_connection_is_not_open():
    listeners = {"ann": Listener("ann-2", "fr"), "bob": Listener("bob", "de")}
    found = session(listeners=listeners)

    assert lost_listeners(found, {"ann-2", "bob"}) == []
    assert lost_listeners(found, {"ann", "bob"}) == [("ann", Listener("ann-2", "fr"))]


def test_messages_say_how_much_is_left_of_two_hours():
    someone = participant(110.5, 130)
    url = "wss://audio.example/prod"

    messages = [
        warning_message(someone, NOW),
        *refresh_messages(someone, NOW, url),
        timeout_message(someone, NOW),
    ]

    assert [{k: v for k, v in m.to_dict().items() if k != "timestamp"} for m in messages] == [
        {"type": "connectionWarning", "remainingMinutes": 9},
        {"type": "connectionRefreshRequired", "sessionId": "golden-eagle-427", "expiresIn": 570.0},
        {
            "type": "connectionRefresh",
            "sessionId": "golden-eagle-427",
            "newConnectionUrl": url,
            "expiresIn": 570.0,
        },
        {"type": "connectionTimeout", "idleSeconds": 130.0},
    ]


def test_nothing_is_left_after_two_hours():
    assert warning_message(participant(121), NOW).remainingMinutes == 0


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (
            "https://x.execute-api.eu-west-1.amazonaws.com/prod",
            "wss://x.execute-api.eu-west-1.amazonaws.com/prod",
        ),
        ("http://127.0.0.1:8080/dev/", "ws://127.0.0.1:8080/dev"),
        ("https://audio.example/@connections", "wss://audio.example"),
    ],
)
def test_address_for_clients(endpoint, url):
    assert client_url(endpoint) == url


def test_time_since_what_the_gateway_says():
    moment = datetime.fromtimestamp(NOW / 1000 - 30, UTC)

    assert seconds_since(moment.isoformat(), NOW) == 30
    assert seconds_since(moment.isoformat().replace("+00:00", "Z"), NOW) == 30


@pytest.mark.parametrize("moment", [None, "", "yesterday", 12])
def test_what_is_no_time_was_long_ago(moment):
    assert seconds_since(moment, NOW) == float("inf")
