import pytest

from broadcast.keys import hash_of_key
from broadcast.sessions import (
    ENDED,
    Listener,
    Participant,
    Session,
    SessionSummary,
    arrival_messages,
    check_is_open,
    check_may_join,
    check_same_session,
    control_message,
    created_message,
    departure_messages,
    joined_message,
    language_messages,
    new_session,
    status_message,
    without,
)
from shared_utils import ApplicationError, AudioFormat, BroadcastState, CreateSession, ErrorCode

NOW = 1_767_225_600_000
HOUR = 3_600_000


def session(listeners=(), **fields) -> Session:
    by_id = {name: Listener(name, language) for name, language in listeners}
    defaults = {
        "session_id": "golden-eagle-427",
        "speaker_connection_id": "speaker",
        "speaker_token_hash": "hash",
        "source_language": "en",
        "created_at": NOW - 90_500,
        "ends_at": NOW + HOUR,
        "state": BroadcastState(isPaused=False, isMuted=False, volume=0.8),
        "audio_format": AudioFormat(),
        "listeners": by_id,
        "listener_count": len(by_id),
    }
    return Session(**{**defaults, **fields})


def crowd(count: int, language: str = "fr") -> list[tuple[str, str]]:
    return [(f"listener-{number}", language) for number in range(count)]


def kinds(messages) -> list[str]:
    return [getattr(message, "updateReason", message.type) for message in messages]


def test_new_session_is_as_the_speaker_wants_it_and_lasts_so_many_hours():
    wanted = CreateSession(
        sourceLanguage="en",
        qualityTier="premium",
        audioFormat=AudioFormat(sampleRate=8000, encoding="pcm_mulaw"),
        partialResults=False,
        minStability=0.7,
        maxBufferTimeout=2.0,
    )
    speaker = Participant("a", "a", "golden-eagle-427", "speaker", "hash", NOW, NOW)

    assert new_session(wanted, speaker, NOW, 1.5) == Session(
        session_id="golden-eagle-427",
        speaker_connection_id="a",
        speaker_token_hash="hash",
        source_language="en",
        created_at=NOW,
        ends_at=NOW + 5_400_000,
        state=BroadcastState(isPaused=False, isMuted=False, volume=1.0),
        audio_format=AudioFormat(sampleRate=8000, encoding="pcm_mulaw"),
        quality_tier="premium",
        partial_results=False,
        min_stability=0.7,
        max_buffer_timeout=2.0,
    )


def test_who_paused_playback_is_in_the_audience_but_hears_nothing():
    listeners = {"ann": Listener("ann-2", "fr"), "bob": Listener("bob", "de", is_paused=True)}

    found = session().replace(listeners=listeners)

    assert found.audience == ["ann-2", "bob"]
    assert found.recipients("floor") == ["ann-2"]
    assert found.languages == {"fr": 1, "de": 1}


@pytest.mark.parametrize(
    ("paused", "muted", "why"),
    [(False, False, None), (True, False, "paused"), (False, True, "muted"), (True, True, "paused")],
)
def test_paused_and_muted_hold_audio_back(paused, muted, why):
    state = BroadcastState(isPaused=paused, isMuted=muted, volume=0)

    assert session(state=state).drop_reason("floor") == why


def test_without_those_who_are_gone():
    left = without(session(crowd(3)), ["listener-1"])

    assert left.audience == ["listener-0", "listener-2"]


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (None, ErrorCode.SESSION_NOT_FOUND),
        (session(status=ENDED), ErrorCode.SESSION_INACTIVE),
        (session(ends_at=NOW), ErrorCode.SESSION_EXPIRED),
    ],
)
def test_closed_session_is_refused(found, code):
    with pytest.raises(ApplicationError) as caught:
        check_is_open(found, NOW)

    assert caught.value.code is code


def test_open_session_passes_until_its_last_millisecond():
    found = session(ends_at=NOW + 1)

    assert check_is_open(found, NOW) is found


def test_another_session_than_the_senders_is_refused():
    check_same_session(None, "golden-eagle-427")
    check_same_session("golden-eagle-427", "golden-eagle-427")

    with pytest.raises(ApplicationError) as caught:
        check_same_session("golden-eagle-428", "golden-eagle-427")

    assert caught.value.code is ErrorCode.AUTH_UNAUTHORIZED
    assert caught.value.details == {"field": "sessionId"}


KEY_HASH = hash_of_key("k7Qm-wT3x-Rz9")


def summary(**fields) -> SessionSummary:
    defaults = {
        "status": "active",
        "ends_at": NOW + HOUR,
        "created_at": NOW - 90_500,
        "speaker_connection_id": "speaker",
        "listener_key_hash": None,
        "interpreter_key_hash": None,
    }
    return SessionSummary(**{**defaults, **fields})


@pytest.mark.parametrize(
    ("seen", "key"),
    [
        pytest.param(summary(), None, id="free"),
        pytest.param(summary(), "any-key-at-all", id="free-and-a-key"),
        pytest.param(summary(listener_key_hash=KEY_HASH), "k7Qm-wT3x-Rz9", id="key"),
    ],
)
def test_who_may_join(seen, key):
    assert check_may_join(seen, key, NOW) is seen


@pytest.mark.parametrize(
    ("seen", "key", "code"),
    [
        pytest.param(None, None, "SESSION_NOT_FOUND", id="none"),
        pytest.param(None, "k7Qm-wT3x-Rz9", "SESSION_NOT_FOUND", id="none-and-a-key"),
        pytest.param(summary(status=ENDED), None, "SESSION_INACTIVE", id="ended"),
        pytest.param(summary(ends_at=NOW), None, "SESSION_EXPIRED", id="expired"),
        *(
            pytest.param(
                summary(listener_key_hash=KEY_HASH, **fields), key, code, id=f"{name}-{said}"
            )
            for name, fields, right in [
                ("open", {}, None),
                ("ended", {"status": ENDED}, "SESSION_INACTIVE"),
                ("expired", {"ends_at": NOW}, "SESSION_EXPIRED"),
            ]
            for said, key, code in [
                ("no-key", None, "SESSION_NOT_FOUND"),
                ("wrong-key", "k7Qm-wT3x-Rz8", "SESSION_NOT_FOUND"),
                ("right-key", "k7Qm-wT3x-Rz9", right),
            ]
            if code
        ),
    ],
)
def test_who_may_not_join(seen, key, code):
    with pytest.raises(ApplicationError) as caught:
        check_may_join(seen, key, NOW)

    assert (caught.value.code, caught.value.details) == (code, None)


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
