"""A listener's own control: told to the listener, and to nobody else unless it matters."""

import pytest


def test_paused_playback_gets_no_audio_until_it_is_resumed(system):
    system.open("ann", "bob")

    paused = system.send("ann", "pausePlayback", requestId="mine")
    system.chunk("speaker", 0)
    resumed = system.send("ann", "resumePlayback")
    system.clock.now += 2.5
    system.chunk("speaker", 1)

    sent = system.take()
    assert (paused, resumed, sent[0][1]["requestId"]) == (200, 200, "mine")
    assert [(name, message["type"]) for name, message in sent] == [
        ("ann", "playbackPaused"),
        ("bob", "audio"),
        ("ann", "playbackResumed"),
        ("ann", "audio"),
        ("bob", "audio"),
    ]


def test_pausing_twice_is_as_good_as_once(system):
    session_id = system.open("ann")

    assert [system.send("ann", "pausePlayback") for _ in range(2)] == [200, 200]
    assert system.store.session(session_id).recipients("floor") == []


def test_language_changes_and_the_speaker_hears_of_a_new_one(system):
    session_id = system.open("ann", "bob")

    assert system.send("ann", "changeLanguage", targetLanguage="DE", requestId="mine") == 200

    (first, changed), (second, status) = system.take()
    assert (first, second) == ("ann", "speaker")
    assert changed == {
        "type": "languageChanged",
        "targetLanguage": "de",
        "requestId": "mine",
        "timestamp": changed["timestamp"],
    }
    assert (status["type"], status["updateReason"]) == ("sessionStatus", "newLanguage")
    assert status["languageDistribution"] == {"de": 1, "fr": 1}
    assert system.store.session(session_id).languages == {"de": 1, "fr": 1}


def test_language_that_others_have_is_no_news(system):
    system.open("ann", "bob")
    system.send("ann", "changeLanguage", targetLanguage="de")
    system.take()

    system.send("bob", "changeLanguage", targetLanguage="de")

    assert system.types() == [("bob", "languageChanged")]


def test_language_that_is_not_offered_is_refused(system):
    system.open("ann")
    system.set("listener", supported_languages=frozenset(["fr"]))

    assert system.send("ann", "changeLanguage", targetLanguage="de") == 400
    [(name, message)] = system.take()
    assert (name, message["code"]) == ("ann", "VALIDATION_INVALID_LANGUAGE")


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("pausePlayback", {}),
        ("resumePlayback", {}),
        ("changeLanguage", {"targetLanguage": "de"}),
    ],
)
@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("speaker", 403, "AUTH_INVALID_ROLE"), ("nobody", 404, "SESSION_NOT_FOUND")],
)
def test_nobody_else_may(system, action, fields, name, status, code):
    system.open("ann")

    assert system.send(name, action, **fields) == status
    [(recipient, message)] = system.take()
    assert (recipient, message["code"]) == (name, code)


def test_listener_who_was_counted_out_is_notified_that_the_connection_is_closed(system):
    session_id = system.open("ann")
    system.store.remove_listener(session_id, "ann", "ann")

    assert system.send("ann", "pausePlayback") == 410
    [(_, message)] = system.take()
    assert message["code"] == "CONNECTION_CLOSED"
