"""The function for sessions: opened, joined, queried and ended, and what is refused."""

import pytest

from broadcast.tokens import digest_of
from shared_utils.validators import validate_session_id_format

AUDIO_FORMAT = {"encoding": "pcm_mulaw", "sampleRate": 8000, "channels": 1}


def only_error(system, name: str) -> dict:
    [(connection_id, message)] = system.take()
    assert connection_id == name
    return message


def create(system, name: str = "speaker", **fields) -> int:
    return system.send(name, "createSession", **{"sourceLanguage": "en-US", **fields})


# --- createSession


@pytest.mark.threat("table-tokens")
def test_speaker_gets_the_session_and_a_token_that_is_stored_as_a_hash(system):
    status = create(
        system, qualityTier="premium", audioFormat=AUDIO_FORMAT, minStability=0.9, requestId="mine"
    )

    [(name, created)] = system.take()
    session = system.store.session(created["sessionId"])
    system.tokens["speaker"] = created["refreshToken"]
    assert (status, name) == (200, "speaker")
    assert created == {
        "type": "sessionCreated",
        "sessionId": validate_session_id_format(created["sessionId"]),
        "sourceLanguage": "en-US",
        "qualityTier": "premium",
        "audioFormat": AUDIO_FORMAT,
        "expiresAt": int(system.clock.now * 1000) + 7_200_000,
        "refreshToken": created["refreshToken"],
        "interpreterKey": created["interpreterKey"],
        "requestId": "mine",
        "timestamp": created["timestamp"],
    }
    assert created["refreshToken"].startswith("wsr_speaker.")
    assert session.speaker_token_hash == digest_of(created["refreshToken"])
    assert (session.min_stability, session.speaker_connection_id) == (0.9, "speaker")


def test_session_lasts_as_long_as_the_setting_says(system):
    system.set("session", session_hours=0.5)
    create(system)

    [(_, created)] = system.take()
    assert created["expiresAt"] == int(system.clock.now * 1000) + 1_800_000


@pytest.mark.parametrize("action", ["createSession", "joinSession"])
@pytest.mark.threat("other-session", "log-sequence")
def test_connection_has_one_session(system, action):
    session_id = system.open("ann")
    fields = {
        "createSession": {"sourceLanguage": "en"},
        "joinSession": {"sessionId": session_id, "targetLanguage": "de"},
    }[action]

    statuses = [system.send(name, action, **fields) for name in ("speaker", "ann")]

    assert statuses == [409, 409]
    assert {message["code"] for _, message in system.take()} == {"SESSION_ALREADY_EXISTS"}
    assert system.store.session(session_id).listener_count == 1


def test_id_that_is_taken_is_drawn_again(system, monkeypatch):
    drawn = iter(["able-bat-000", "able-bat-000", "able-bat-001"])
    monkeypatch.setattr("handlers.session.new_session_id", lambda: next(drawn))

    statuses = [create(system, "first"), create(system, "second")]

    assert statuses == [200, 200]
    ids = [message["sessionId"] for _, message in system.take()]
    assert ids == ["able-bat-000", "able-bat-001"]


def test_creation_fails_when_every_id_is_taken(system, monkeypatch):
    monkeypatch.setattr("handlers.session.new_session_id", lambda: "able-bat-000")
    create(system, "first")
    system.take()

    assert create(system, "second") == 500
    message = only_error(system, "second")
    assert (message["code"], message["retryable"]) == ("SESSION_CREATION_FAILED", True)
    assert system.store.participant("second") is None


@pytest.mark.threat("flood-sessions")
def test_sixth_session_of_an_address_in_a_minute_is_refused(system):
    statuses = [create(system, f"speaker-{number}") for number in range(6)]
    refusal = system.take()[-1][1]
    elsewhere = create(system, "other", address="192.0.2.2")
    system.clock.now += 60
    later = create(system, "late")

    assert statuses == [200] * 5 + [429]
    assert refusal["code"] == "RATE_LIMIT_SESSION_CREATION"
    assert refusal["details"] == {"retryAfterMs": 60_000}
    assert (elsewhere, later) == (200, 200)
    violations = [line for line in system.lines() if "RateLimitViolations" in line]
    assert [line["MessageType"] for line in violations] == ["createSession"]


def test_speaker_who_is_gone_before_the_answer_is_missed(system):
    system.clients.gone.add("speaker")

    create(system)

    found = system.store.open_sessions(lambda: True)[0]
    assert [session.speaker_gone_at for session in found] == [int(system.clock.now * 1000)]


# --- who may


WITH_TOKENS = {"speaker_issuer": "https://login.example", "speaker_audience": "audio"}


@pytest.mark.parametrize(
    ("settings", "authorizer", "code"),
    [
        pytest.param({}, None, None, id="open-to-anyone"),
        pytest.param({}, {"subject": ""}, None, id="open-to-anyone-with-an-authorizer"),
        pytest.param(WITH_TOKENS, None, "AUTH_MISSING_TOKEN", id="no-authorizer"),
        pytest.param(WITH_TOKENS, {}, "AUTH_MISSING_TOKEN", id="nothing-said"),
        pytest.param(WITH_TOKENS, {"subject": ""}, "AUTH_MISSING_TOKEN", id="nobody"),
        pytest.param(WITH_TOKENS, {"subject": True}, "AUTH_MISSING_TOKEN", id="no-text"),
        pytest.param(WITH_TOKENS, {"principalId": "ann"}, "AUTH_MISSING_TOKEN", id="another"),
        pytest.param(WITH_TOKENS, {"subject": "ann"}, None, id="subject"),
        *(
            pytest.param(
                {**WITH_TOKENS, "speaker_scope": "audio/speak"},
                {"subject": "ann", **scopes},
                code,
                id=name,
            )
            for name, scopes, code in [
                ("no-scopes", {}, "AUTH_UNAUTHORIZED"),
                ("other-scope", {"scopes": "audio/speaker openid"}, "AUTH_UNAUTHORIZED"),
                ("scope", {"scopes": "openid audio/speak"}, None),
                ("list", {"scopes": ["audio/speak"]}, "AUTH_UNAUTHORIZED"),
            ]
        ),
    ],
)
@pytest.mark.threat("open-sessions")
def test_who_may_open_a_session(system, settings, authorizer, code):
    system.set("session", **settings)
    context = {} if authorizer is None else {"authorizer": authorizer}

    create(system, request_context=context)

    [(_, message)] = system.take()
    system.tokens["speaker"] = message.get("refreshToken", "speaker.none")
    assert message.get("code") == code
    assert (system.calls.made == []) is (code is not None)


@pytest.mark.threat("log-who")
def test_line_of_a_new_session_says_whose_token_opened_it(system):
    system.set("session", **WITH_TOKENS)

    create(system, request_context={"authorizer": {"subject": "auth0|ann"}})

    [line] = [line for line in system.lines() if line.get("operation") == "createSession"]
    assert line["context"] == {"subject": "auth0|ann"}


@pytest.mark.parametrize(
    ("needed", "authorizer", "status"),
    [
        (False, None, 404),
        (True, None, 401),
        (True, {"subject": ""}, 401),
        (True, {"subject": "ann"}, 404),
    ],
)
@pytest.mark.threat("crowd")
def test_who_may_join(system, needed, authorizer, status):
    system.set("session", **WITH_TOKENS, listeners_need_token=needed)
    context = {} if authorizer is None else {"authorizer": authorizer}
    fields = {"sessionId": "able-bat-000", "targetLanguage": "fr"}

    assert system.send("ann", "joinSession", **fields, request_context=context) == status
    assert (system.calls.made == []) is (status == 401)
    assert (
        only_error(system, "ann")["code"]
        == {
            401: "AUTH_MISSING_TOKEN",
            404: "SESSION_NOT_FOUND",
        }[status]
    )


# --- joinSession


def test_listener_gets_the_session_and_the_speaker_is_notified(system):
    session_id = system.open(audioFormat=AUDIO_FORMAT)

    status = system.send(
        "ann", "joinSession", sessionId=session_id, targetLanguage="pt-br", requestId="mine"
    )

    (first, joined), (second, notice), (third, state) = system.take()
    system.tokens["ann"] = joined["refreshToken"]
    assert (status, first, second, third) == (200, "ann", "speaker", "speaker")
    assert joined == {
        "type": "sessionJoined",
        "sessionId": session_id,
        "sourceLanguage": "en",
        "targetLanguage": "pt-BR",
        "audioFormat": AUDIO_FORMAT,
        "broadcastState": {"isPaused": False, "isMuted": False, "volume": 1},
        "listenerCount": 1,
        "refreshToken": joined["refreshToken"],
        "channels": [],
        "hears": "floor",
        "requestId": "mine",
        "timestamp": joined["timestamp"],
    }
    assert notice == {
        "type": "listenerJoined",
        "sessionId": session_id,
        "listenerCount": 1,
        "targetLanguage": "pt-BR",
        "timestamp": notice["timestamp"],
    }
    assert (state["type"], state["updateReason"]) == ("sessionStatus", "newLanguage")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        pytest.param(lambda system: None, 404, "SESSION_NOT_FOUND", id="none"),
        pytest.param(
            lambda system: system.send("speaker", "endSession"), 410, "SESSION_INACTIVE", id="ended"
        ),
        pytest.param(
            lambda system: setattr(system.clock, "now", system.clock.now + 7200),
            410,
            "SESSION_EXPIRED",
            id="expired",
        ),
        pytest.param(
            lambda system: system.set("session", max_listeners=1),
            429,
            "SESSION_MAX_LISTENERS_REACHED",
            id="full",
        ),
    ],
)
@pytest.mark.threat("ws-test-session")
def test_session_that_takes_nobody(system, change, status, code):
    session_id = system.open("ann")
    change(system)
    system.take()
    wanted = "able-bat-000" if code == "SESSION_NOT_FOUND" else session_id

    answer = system.send("bob", "joinSession", sessionId=wanted, targetLanguage="fr")

    assert answer == status
    assert only_error(system, "bob")["code"] == code
    assert system.store.participant("bob") is None


def test_listener_who_is_gone_before_the_answer_is_counted_out(system):
    session_id = system.open()
    system.clients.gone.add("ann")

    system.send("ann", "joinSession", sessionId=session_id, targetLanguage="fr")

    assert system.store.session(session_id).listener_count == 0


def test_speaker_who_turns_out_to_be_gone_is_missed(system):
    session_id = system.open()
    system.clients.gone.add("speaker")

    system.send("ann", "joinSession", sessionId=session_id, targetLanguage="fr")

    assert system.store.session(session_id).speaker_gone_at is not None


@pytest.mark.parametrize(
    ("action", "fields", "field"),
    [
        ("createSession", {"sourceLanguage": "fr"}, "sourceLanguage"),
        ("joinSession", {"sessionId": "able-bat-000", "targetLanguage": "fr"}, "targetLanguage"),
    ],
)
def test_language_that_is_not_offered_is_refused(system, action, fields, field):
    system.set("session", supported_languages=frozenset(["en", "de"]))

    assert system.send("ann", action, **fields) == 400
    message = only_error(system, "ann")
    assert message["code"] == "VALIDATION_INVALID_LANGUAGE"
    assert message["message"] == f"{field} must be one of de, en, got fr"
    assert system.calls.made == []


def test_tenth_listener_is_worth_a_status(system):
    session_id = system.open(*(f"listener-{number}" for number in range(9)))

    system.send("tenth", "joinSession", sessionId=session_id, targetLanguage="fr")

    received = [message for name, message in system.take() if name == "speaker"]
    assert [message["type"] for message in received] == ["listenerJoined", "sessionStatus"]
    assert received[1]["updateReason"] == "listenerCountChange"
    assert received[1]["languageDistribution"] == {"fr": 10}


# --- getSessionStatus


def test_speaker_is_notified_how_it_is(system):
    session_id = system.open("ann", "bob")
    system.send("speaker", "muteBroadcast")
    system.take()
    system.clock.now += 90.5

    assert system.send("speaker", "getSessionStatus", requestId="mine") == 200

    [(name, status)] = system.take()
    assert name == "speaker"
    assert status == {
        "type": "sessionStatus",
        "sessionId": session_id,
        "isActive": True,
        "listenerCount": 2,
        "languageDistribution": {"fr": 2},
        "sessionDuration": 90.5,
        "broadcastState": {"isPaused": False, "isMuted": True, "volume": 1},
        "updateReason": "requested",
        "requestId": "mine",
        "timestamp": status["timestamp"],
    }
    metrics = system.lines().metrics()
    assert metrics["StatusQueriesReceived"] == [1]
    assert len(metrics["StatusQueryLatency"]) == 1


# --- endSession


def test_everyone_is_notified_that_the_session_is_over(system):
    session_id = system.open("ann", "bob")

    assert system.send("speaker", "endSession", sessionId=session_id, requestId="mine") == 200

    sent = system.take()
    assert [name for name, _ in sent] == ["ann", "bob", "speaker"]
    for _, message in sent:
        assert (message["type"], message["reason"]) == ("sessionEnded", "speakerEnded")
    assert [message.get("requestId") for _, message in sent] == [None, None, "mine"]


def test_session_that_is_over_is_not_ended_again_and_takes_no_audio(system):
    system.open("ann")
    system.send("speaker", "endSession")
    system.take()

    statuses = [system.send("speaker", "endSession"), system.chunk("speaker")]

    assert statuses == [410, 410]
    assert {message["code"] for _, message in system.take()} == {"SESSION_INACTIVE"}


def test_speaker_hears_nothing_more_of_a_session_that_is_over(system):
    system.open("ann")
    system.send("speaker", "endSession")
    system.take()

    system.disconnect("ann")

    assert system.take() == []


@pytest.mark.parametrize("action", ["getSessionStatus", "endSession"])
@pytest.mark.parametrize(
    ("name", "fields", "status", "code"),
    [
        ("ann", {}, 403, "AUTH_INVALID_ROLE"),
        ("nobody", {}, 404, "SESSION_NOT_FOUND"),
        ("speaker", {"sessionId": "able-bat-000"}, 403, "AUTH_UNAUTHORIZED"),
    ],
)
@pytest.mark.threat("listener-speaks", "ws-each-message", "log-authorization")
def test_only_the_speaker_may(system, action, name, fields, status, code):
    system.open("ann")

    assert system.send(name, action, **fields) == status
    assert only_error(system, name)["code"] == code
