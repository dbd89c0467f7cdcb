import pytest

from broadcast.keys import hash_of_key
from broadcast.sessions import (
    ENDED,
    Listener,
    Participant,
    Session,
    SessionSummary,
    check_is_open,
    check_may_join,
    check_same_session,
    new_session,
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
    found = session([("listener-0", "fr"), ("listener-1", "fr"), ("listener-2", "fr")])

    left = without(found, ["listener-1"])

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
