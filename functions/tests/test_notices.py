"""What is sent about a session, as values."""

import pytest
from test_sessions import HOUR, NOW, session

from broadcast.channels import Listener
from broadcast.notices import (
    arrival_messages,
    control_message,
    created_message,
    departure_messages,
    joined_message,
    language_messages,
    status_message,
)
from broadcast.sessions import ENDED


def crowd(count: int, language: str = "fr") -> list[tuple[str, str]]:
    return [(f"listener-{number}", language) for number in range(count)]


def kinds(messages) -> list[str]:
    return [getattr(message, "updateReason", message.type) for message in messages]


def test_messages_about_a_session():
    found = session([("ann", "fr"), ("bob", "fr"), ("eve", "de")])
    state = {"isPaused": False, "isMuted": False, "volume": 0.8}
    audio_format = {"encoding": "pcm_s16le", "sampleRate": 16000, "channels": 1}

    messages = [
        created_message(found, "token", "k" * 22),
        joined_message(found, Listener("ann", "fr"), "token"),
        control_message(found),
        status_message(found, "requested", NOW),
    ]

    common = {"sessionId": "golden-eagle-427"}
    assert [{k: v for k, v in m.to_dict().items() if k != "timestamp"} for m in messages] == [
        {
            "type": "sessionCreated",
            **common,
            "sourceLanguage": "en",
            "qualityTier": "standard",
            "audioFormat": audio_format,
            "expiresAt": NOW + HOUR,
            "refreshToken": "token",
            "interpreterKey": "k" * 22,
        },
        {
            "type": "sessionJoined",
            **common,
            "sourceLanguage": "en",
            "targetLanguage": "fr",
            "audioFormat": audio_format,
            "broadcastState": state,
            "listenerCount": 3,
            "refreshToken": "token",
            "channels": [],
            "hears": "floor",
        },
        {"type": "broadcastControl", **common, **state},
        {
            "type": "sessionStatus",
            **common,
            "isActive": True,
            "listenerCount": 3,
            "languageDistribution": {"fr": 2, "de": 1},
            "sessionDuration": 90.5,
            "broadcastState": state,
            "updateReason": "requested",
        },
    ]


def test_status_of_a_session_that_is_over_says_so():
    assert status_message(session(status=ENDED), "requested", NOW).isActive is False


@pytest.mark.parametrize(
    ("audience", "messages"),
    [
        pytest.param([*crowd(1)], ["listenerJoined", "newLanguage"], id="first"),
        pytest.param([*crowd(2)], ["listenerJoined"], id="second"),
        pytest.param([*crowd(5, "de"), ("ann", "fr")], ["listenerJoined", "newLanguage"], id="new"),
        pytest.param([*crowd(9)], ["listenerJoined"], id="ninth"),
        pytest.param([*crowd(10)], ["listenerJoined", "listenerCountChange"], id="tenth"),
        pytest.param([*crowd(11)], ["listenerJoined"], id="eleventh"),
    ],
)
def test_speaker_is_notified_of_an_arrival(audience, messages):
    assert kinds(arrival_messages(session(audience), "fr", NOW)) == messages


@pytest.mark.parametrize(
    ("left", "messages"),
    [
        pytest.param(0, ["listenerLeft"], id="last"),
        pytest.param(8, ["listenerLeft"], id="below-ten"),
        pytest.param(9, ["listenerLeft", "listenerCountChange"], id="crosses-ten"),
        pytest.param(10, ["listenerLeft"], id="ten-stay"),
    ],
)
def test_speaker_is_notified_of_a_departure(left, messages):
    assert kinds(departure_messages(session(crowd(left)), "fr", NOW)) == messages


def test_nobody_is_notified_of_a_departure_once_the_session_is_over():
    assert departure_messages(session(crowd(3), status=ENDED), "fr", NOW) == []


@pytest.mark.parametrize(
    ("audience", "before", "messages"),
    [
        pytest.param([("ann", "fr"), ("bob", "de")], "de", ["newLanguage"], id="new"),
        pytest.param([("ann", "fr"), ("bob", "fr")], "de", [], id="known"),
        pytest.param([("ann", "fr")], "fr", [], id="same"),
    ],
)
def test_speaker_is_notified_of_a_language_that_is_new(audience, before, messages):
    assert kinds(language_messages(session(audience), before, "fr", NOW)) == messages
