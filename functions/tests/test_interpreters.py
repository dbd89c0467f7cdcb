"""Interpreters, as their clients, the listeners and the speaker meet them."""

import pytest

from broadcast.channels import MAX_INTERPRETERS
from broadcast.interpreters import MAX_REMOVALS

WRONG_KEY = "not-the-key-of-it"


def types_of(system):
    return [(name, kind) for name, kind in system.types() if kind != "sessionStatus"]


def listen(system, name, session_id, language, **fields):
    status = system.send(
        name, "joinSession", sessionId=session_id, targetLanguage=language, **fields
    )
    [joined] = [m for n, m in system.take() if n == name and m["type"] == "sessionJoined"]
    system.tokens[name] = joined["refreshToken"]
    assert status == 200
    return joined


def interpret(system, name, session_id, language="de", **fields):
    """Join as an interpreter, and return the reply."""
    assert system.interpret(name, session_id, language, **fields) == 200
    [ready] = [m for n, m in system.take() if (n, m["type"]) == (name, "interpreterReady")]
    system.tokens[name] = ready["refreshToken"]
    return ready


def changes(sent):
    """Return who was sent that a channel has changed, with what is heard now."""
    return {
        name: (message["channels"], message["hears"])
        for name, message in sent
        if message["type"] == "channelChanged"
    }


def codes(sent):
    return [(name, m["code"]) for name, m in sent if m["type"] == "error"]


def reasons(sent):
    return [m["message"] for _, m in sent if m["type"] == "error"]


def heard(system, name):
    """Return of each chunk that somebody got since the last time its number and its channel."""
    return [
        (m["sequenceNumber"], m.get("language"))
        for n, m in system.take()
        if (n, m["type"]) == (name, "audio")
    ]


def move_on(system, seconds):
    """Let time go by, and what is read of sessions grow old."""
    system.clock.now += seconds


# --- coming


def test_interpreter_is_ready_and_the_others_are_notified(system):
    session_id = system.open()
    listen(system, "ann", session_id, "de-AT")
    listen(system, "bob", session_id, "fr")
    listen(system, "carl", session_id, "de", audio="original")

    system.interpret("ida", session_id, "de", requestId="mine")

    sent = system.take()
    [ready] = [m for n, m in sent if n == "ida"]
    assert ready == {
        "type": "interpreterReady",
        "sessionId": session_id,
        "language": "de",
        "sourceLanguage": "en",
        "audioFormat": {"encoding": "pcm_s16le", "sampleRate": 16000, "channels": 1},
        "broadcastState": {"isPaused": False, "isMuted": False, "volume": 1},
        "refreshToken": ready["refreshToken"],
        "requestId": "mine",
        "timestamp": ready["timestamp"],
    }
    system.tokens["ida"] = ready["refreshToken"]
    assert changes(sent) == {"ann": (["de"], "de"), "carl": (["de"], "floor")}
    [notice] = [m for n, m in sent if n == "speaker"]
    assert (notice["type"], notice["language"]) == ("interpreterJoined", "de")


def test_listener_who_joins_later_is_said_which_channels_there_are(system):
    session_id = system.open()
    interpret(system, "ida", session_id, "de")
    interpret(system, "ivo", session_id, "fr")
    interpret(system, "cap", session_id, "en")

    joined = listen(system, "ann", session_id, "de-CH")

    assert (joined["channels"], joined["hears"]) == (["de", "fr"], "de")


@pytest.mark.threat("interpreter-key")
def test_wrong_key_is_answered_as_no_session_is(system):
    session_id = system.open()
    answers = []

    for named in (session_id, "nobody-nowhere-000"):
        system.calls.made.clear()
        status = system.send(
            "eve",
            "joinAsInterpreter",
            sessionId=named,
            language="de",
            interpreterKey=WRONG_KEY,
            address="192.0.2.9",
        )
        [(_, message)] = system.take()
        answers.append((status, message["code"], message["message"], list(system.calls.made)))

    opened, found = answers
    assert opened[:3] == found[:3] == (404, "SESSION_NOT_FOUND", "Session not found")
    assert [call for call in opened[3] if call[0] == "get_item"] == [("get_item", "Sessions")]
    assert found[3][-3:] == opened[3][-3:]
    assert system.lines().metrics()["WrongInterpreterKeys"] == [1]


def test_key_of_listeners_is_none_of_interpreters(system):
    session_id = system.open(listenerKey="k7Qm-wT3x-Rz9")

    status = system.interpret("eve", session_id, "de", interpreterKey="k7Qm-wT3x-Rz9")

    assert (status, codes(system.take())) == (404, [("eve", "SESSION_NOT_FOUND")])


def test_interpreter_key_is_stored_as_a_hash(system, dynamodb, tables):
    session_id = system.open()
    interpret(system, "ida", session_id)

    stored = str([dynamodb.scan(TableName=name)["Items"] for name in tables.values()])

    assert system.interpreter_keys[session_id] not in stored
    assert system.interpreter_keys[session_id] not in repr(system.store.session(session_id))


def test_second_interpreter_of_a_language_is_refused_and_may_retry(system):
    session_id = system.open()
    interpret(system, "ida", session_id)

    status = system.interpret("ivo", session_id, "de")

    [(name, message)] = system.take()
    assert (status, name, message["code"]) == (409, "ivo", "SESSION_LANGUAGE_TAKEN")
    assert message["retryable"] is True
    assert system.store.participant("ivo") is None


def test_language_that_is_not_offered_has_no_interpreter(system):
    session_id = system.open()
    system.set("session", supported_languages=frozenset({"de", "en"}))

    status = system.interpret("ida", session_id, "fr")

    [(_, message)] = system.take()
    assert (status, message["code"]) == (400, "VALIDATION_INVALID_LANGUAGE")
    assert message["details"] == {"field": "language"}


def test_interpreters_are_no_listeners(system):
    session_id = system.open("ann", "bob")
    interpret(system, "ida", session_id)

    system.send("speaker", "getSessionStatus")

    [(_, status)] = system.take()
    assert (status["listenerCount"], status["languageDistribution"]) == (2, {"fr": 2})


def test_index_of_listeners_has_no_interpreter(system, dynamodb, tables):
    session_id = system.open("ann")
    interpret(system, "ida", session_id)

    items = dynamodb.scan(TableName=tables["connections"])["Items"]

    assert [i["connectionId"]["S"] for i in items if "targetLanguage" in i] == ["ann"]


def test_session_has_room_for_so_many_interpreters(system):
    session_id = system.open()
    regions = [f"de-{n:03}" for n in range(MAX_INTERPRETERS)]
    for number, language in enumerate(regions):
        interpret(system, f"ida-{number}", session_id, language, address=f"192.0.2.{number}")

    status = system.interpret("one-more", session_id, "fr")

    assert (status, codes(system.take())) == (
        429,
        [("one-more", "SESSION_MAX_LISTENERS_REACHED")],
    )


def test_session_of_before_takes_interpreters_once_its_speaker_has_a_key(system, dynamodb, tables):
    """A session that began under an older version has no place for interpreters."""
    session_id = system.open("ann")
    key = {"sessionId": {"S": session_id}}
    dynamodb.update_item(
        TableName=tables["sessions"],
        Key=key,
        UpdateExpression="REMOVE interpreters, interpreterKeyHash",
    )

    refused = system.interpret("ida", session_id, "fr")
    system.take()
    system.send("speaker", "removeInterpreter", language="fr")
    [(_, left)] = system.take()
    system.interpreter_keys[session_id] = left["interpreterKey"]
    interpret(system, "ida", session_id, "fr")

    assert refused == 404
    assert system.store.session(session_id).channels == ["fr"]


@pytest.mark.parametrize("place", ["none", "there"])
def test_session_of_before_answers_everything_that_may_be_asked_of_it(
    system, dynamodb, tables, place
):
    """No message fails, whether or not the session has a place for interpreters by now."""
    session_id = system.open("ann", "bob")
    dynamodb.update_item(
        TableName=tables["sessions"],
        Key={"sessionId": {"S": session_id}},
        UpdateExpression="REMOVE interpreters, interpreterKeyHash",
    )
    if place == "there":
        system.send("speaker", "removeInterpreter", language="it")

    statuses = [
        system.send("carl", "joinSession", sessionId=session_id, targetLanguage="de"),
        system.send("ann", "changeLanguage", targetLanguage="de", audio="original", captions=True),
        system.send("ann", "heartbeat"),
        system.chunk("speaker"),
        system.caption("speaker"),
        system.send("speaker", "pauseBroadcast"),
        system.send("speaker", "getSessionStatus"),
        refresh(system, "ann", "ann-2", session_id)[0],
        refresh(system, "speaker", "speaker-2", session_id)[0],
        system.disconnect("bob")["statusCode"],
        system.interpret("eve", session_id, "de"),
    ]
    system.clock.now += 11
    system.keep_house()
    statuses.append(system.send("speaker-2", "removeInterpreter", language="de"))
    statuses.append(system.send("speaker-2", "endSession"))

    assert statuses == [200] * 10 + [404, 200, 200]
    assert system.store.session(session_id).listener_count == 2


# --- audio


def test_floor_goes_to_interpreters_and_a_channel_to_its_listeners(system):
    session_id = system.open()
    listen(system, "ann", session_id, "de")
    listen(system, "bob", session_id, "fr")
    interpret(system, "ida", session_id)

    system.chunk("speaker", 7)
    floor = {n: m.get("language") for n, m in system.take() if m["type"] == "audio"}
    system.chunk("ida", 0)
    channel = {n: m.get("language") for n, m in system.take() if m["type"] == "audio"}

    assert floor == {"ida": None, "bob": None}
    assert channel == {"ann": "de"}


def test_captioner_of_the_floor_hears_it_and_sends_no_audio(system):
    session_id = system.open()
    interpret(system, "cap", session_id, "en")
    listen(system, "ann", session_id, "en")

    status = system.chunk("cap", 0)
    refused = system.take()
    system.chunk("speaker", 0)

    assert (status, codes(refused)) == (403, [("cap", "AUTH_INVALID_ROLE")])
    assert {n for n, m in system.take() if m["type"] == "audio"} == {"cap", "ann"}


def test_listener_sends_no_audio(system):
    system.open("ann")

    assert system.chunk("ann") == 403
    assert codes(system.take()) == [("ann", "AUTH_INVALID_ROLE")]


def test_channel_that_nobody_hears_is_counted(system):
    session_id = system.open("bob")
    interpret(system, "ida", session_id)

    system.chunk("ida")

    assert system.types() == []
    assert system.lines().metrics()["AudioChunksDropped"] == [1]


@pytest.mark.parametrize(
    ("action", "audible"), [("pauseBroadcast", []), ("muteBroadcast", [(1, "de")])]
)
def test_pause_stops_the_channels_too_and_a_mute_lets_interpreters_finish(system, action, audible):
    session_id = system.open()
    listen(system, "ann", session_id, "de")
    interpret(system, "ida", session_id)

    system.send("speaker", action)
    notified = {name for name, _ in system.types()}
    system.chunk("speaker", 1)
    floor = heard(system, "ida")
    system.chunk("ida", 1)

    assert notified == {"speaker", "ann", "ida"}
    assert (floor, heard(system, "ann")) == ([], audible)


def test_volume_and_the_end_are_sent_to_interpreters(system):
    session_id = system.open("bob")
    interpret(system, "ida", session_id)

    system.send("speaker", "setVolume", volumeLevel=0.5)
    volume = system.types()
    system.send("speaker", "endSession")

    assert ("ida", "volumeChanged") in volume
    assert ("ida", "sessionEnded") in system.types()


def test_session_that_housekeeping_ends_ends_for_interpreters(system):
    session_id = system.open("bob")
    interpret(system, "ida", session_id)
    system.disconnect("speaker")
    move_on(system, 61)

    system.keep_house()

    assert ("ida", "sessionEnded") in system.types()


# --- captions


def test_captions_go_to_those_who_asked_and_to_the_speaker(system):
    session_id = system.open()
    listen(system, "ann", session_id, "de", captions=True)
    listen(system, "bob", session_id, "de")
    listen(system, "carl", session_id, "de-AT", captions=True, audio="original")
    listen(system, "dora", session_id, "fr", captions=True)
    interpret(system, "ida", session_id, captions=True)

    system.caption("ida", "Guten Morgen.", segmentId="s1", isFinal=False, startMs=5, endMs=9)

    sent = system.take()
    assert sorted(name for name, _ in sent) == ["ann", "carl", "speaker"]
    assert sent[0][1] == {
        "type": "caption",
        "sessionId": session_id,
        "language": "de",
        "segmentId": "s1",
        "text": "Guten Morgen.",
        "isFinal": False,
        "startMs": 5,
        "endMs": 9,
        "timestamp": sent[0][1]["timestamp"],
    }


@pytest.mark.parametrize("sender", ["speaker", "cap"])
def test_captions_of_the_floor_go_to_those_without_a_channel(system, sender):
    session_id = system.open()
    listen(system, "ann", session_id, "de", captions=True)
    listen(system, "bob", session_id, "en", captions=True)
    listen(system, "dora", session_id, "fr", captions=True, audio="original")
    interpret(system, "ida", session_id, captions=True)
    interpret(system, "ivo", session_id, "it")
    interpret(system, "cap", session_id, "en")

    system.caption(sender)

    sent = system.take()
    assert sorted(name for name, _ in sent) == ["bob", "dora", "ida", "speaker"]
    assert {m["language"] for _, m in sent} == {"en"}


def test_listener_sends_no_captions(system):
    system.open("ann")

    assert system.caption("ann") == 403
    assert codes(system.take()) == [("ann", "AUTH_INVALID_ROLE")]


def test_captions_beyond_the_limit_are_refused(system):
    system.open()

    statuses = [system.caption("speaker") for _ in range(21)]

    assert statuses == [200] * 20 + [429]
    assert codes(system.take())[-1] == ("speaker", "RATE_LIMIT_EXCEEDED")


@pytest.mark.threat("caption-text")
def test_text_of_a_caption_is_in_no_line_error_or_metric(system):
    session_id = system.open()
    interpret(system, "ida", session_id)
    planted = "the merger is on Friday"

    names = ("text", "segmentId", "isFinal", "startMs", "endMs")
    anywhere = [
        {name: value} for name in names for value in (planted * 50, [planted], {planted: 1})
    ]
    for number, fields in enumerate([{}, {"segmentId": ""}, {"startMs": -1}, *anywhere]):
        system.interpret(f"ida-{number}", session_id, f"de-{number:03}")
        system.caption(f"ida-{number}", **{"text": planted, **fields})
    for _ in range(300):  # refusals by pace, and the line that is sampled
        system.caption("ida", planted)
    system.caption("ida", planted * 50)
    system.clients.gone.add("speaker")
    move_on(system, 5)
    system.caption("ida", planted)

    errors = [m for _, m in system.take() if m["type"] == "error"]
    assert errors != []
    assert planted not in str(errors)
    assert "merger" not in str(system.lines())


# --- going


def test_interpreter_who_leaves_gives_the_listeners_back_to_the_floor(system):
    session_id = system.open()
    listen(system, "ann", session_id, "de-AT")
    listen(system, "bob", session_id, "fr")
    interpret(system, "ida", session_id)

    system.disconnect("ida")

    sent = system.take()
    assert changes(sent) == {"ann": ([], "floor")}
    assert [(n, m["type"]) for n, m in sent if n == "speaker"] == [("speaker", "interpreterLeft")]
    system.chunk("speaker", 3)
    assert heard(system, "ann") == [(3, None)]


def test_interpreter_whose_post_says_410_is_taken_out(system):
    session_id = system.open()
    listen(system, "ann", session_id, "de")
    interpret(system, "ida", session_id)
    system.clients.gone.add("ida")

    system.chunk("speaker", 0)
    sent = system.take()
    system.chunk("speaker", 1)

    assert changes(sent) == {"ann": ([], "floor")}
    assert heard(system, "ann") == [(1, None)]


def test_silent_interpreter_is_replaced_in_the_same_update(system):
    session_id = system.open()
    listen(system, "ann", session_id, "de")
    interpret(system, "ida", session_id)
    move_on(system, 10)

    ready = system.interpret("ivo", session_id, "de")

    sent = system.take()
    session = system.store.session(session_id)
    assert ready == 200
    assert session.interpreters["de"].connection_id == "ivo"
    assert codes(sent) == [("ida", "CONNECTION_CLOSED")]
    assert reasons(sent) == ["Another interpreter has taken the language"]
    assert "ida" in system.clients.gone
    assert changes(sent) == {"ann": (["de"], "de")}  # another one speaks there, from 0 again


def test_interpreter_is_kept_by_heartbeats(system):
    session_id = system.open()
    interpret(system, "ida", session_id)

    for _ in range(5):
        move_on(system, 3)
        assert system.send("ida", "heartbeat") == 200
    status = system.interpret("ivo", session_id, "de")

    assert status == 409


def test_heartbeats_are_noted_every_three_seconds_at_most(system):
    session_id = system.open()
    interpret(system, "ida", session_id)
    seen = []

    for _ in range(8):
        move_on(system, 1)
        system.send("ida", "heartbeat")
        seen.append(system.store.session(session_id).interpreters["de"].seen_at)

    assert len(set(seen)) == 3


@pytest.mark.parametrize("kind", ["chunk", "caption"])
def test_interpreter_is_kept_by_what_it_sends(system, kind):
    session_id = system.open()
    listen(system, "ann", session_id, "de")
    interpret(system, "ida", session_id)

    for _ in range(20):
        move_on(system, 1)
        assert getattr(system, kind)("ida") == 200
        system.answered()
    status = system.interpret("ivo", session_id, "de")

    assert status == 409


def test_signs_that_heartbeats_show_cost_audio_no_write(system):
    session_id = system.open()
    listen(system, "ann", session_id, "de")
    interpret(system, "ida", session_id)
    system.calls.made.clear()

    for _ in range(30):
        move_on(system, 1)
        system.chunk("ida")
        system.answered()
        if _ % 3 == 0:
            beats_before = len(system.calls.made)
            system.send("ida", "heartbeat")
            del system.calls.made[beats_before:]

    assert {operation for operation, _ in system.calls.made} == {"get_item"}


def test_housekeeping_frees_the_channel_of_a_silent_interpreter(system):
    session_id = system.open()
    listen(system, "ann", session_id, "de")
    interpret(system, "ida", session_id)
    move_on(system, 9)
    system.keep_house()
    kept = changes(system.take())
    move_on(system, 1)

    system.keep_house()

    sent = system.take()
    assert kept == {}
    assert changes(sent) == {"ann": ([], "floor")}
    assert ("speaker", "interpreterLeft") in [(n, m["type"]) for n, m in sent]
    assert codes(sent) == [("ida", "CONNECTION_TIMEOUT")]
    assert "ida" in system.clients.gone


def test_heartbeat_of_an_interpreter_who_was_replaced_says_so(system):
    session_id = system.open()
    interpret(system, "ida", session_id)
    system.store.free_channel(session_id, "de", "ida")

    status = system.send("ida", "heartbeat")

    assert (status, codes(system.take())) == (410, [("ida", "CONNECTION_CLOSED")])


# --- removal


def test_speaker_removes_an_interpreter_and_gets_another_key(system):
    session_id = system.open()
    listen(system, "ann", session_id, "de")
    interpret(system, "ida", session_id)
    interpret(system, "ivo", session_id, "fr")

    system.send("speaker", "removeInterpreter", language="de", requestId="mine")

    sent = system.take()
    [left] = [m for n, m in sent if m["type"] == "interpreterLeft"]
    assert (left["language"], left["requestId"]) == ("de", "mine")
    assert left["interpreterKey"] != system.interpreter_keys[session_id]
    assert changes(sent) == {"ann": (["fr"], "floor")}
    assert codes(sent) == [("ida", "CONNECTION_CLOSED")]
    assert reasons(sent) == ["The speaker has removed this interpreter"]
    assert system.store.session(session_id).channels == ["fr"]
    assert system.interpret("eve", session_id, "de") == 404
    system.interpreter_keys[session_id] = left["interpreterKey"]
    assert system.interpret("eva", session_id, "de") == 200


@pytest.mark.threat("interpreter-removed")
def test_interpreter_who_was_removed_does_not_come_back(system):
    session_id = system.open()
    interpret(system, "ida", session_id)
    system.send("speaker", "removeInterpreter", language="de")
    [left] = [m for _, m in system.take() if m["type"] == "interpreterLeft"]
    system.interpreter_keys[session_id] = left["interpreterKey"]

    status = system.send(
        "ida-2",
        "refreshConnection",
        sessionId=session_id,
        refreshToken=system.tokens["ida"],
    )

    assert (status, codes(system.take())) == (401, [("ida-2", "AUTH_TOKEN_INVALID")])
    assert system.store.session(session_id).channels == []


def test_removal_in_a_language_without_an_interpreter_gives_a_key_too(system):
    """So a speaker who no longer has the key gets one."""
    session_id = system.open()

    system.send("speaker", "removeInterpreter", language="de")

    [(_, left)] = system.take()
    system.interpreter_keys[session_id] = left["interpreterKey"]
    assert system.interpret("ida", session_id, "de") == 200


def test_channels_of_so_many_languages_can_be_ended(system):
    """Each is noted in the session's item, which a speaker must not make too large."""
    system.open()
    for number in range(MAX_REMOVALS):
        system.clock.now += 1
        assert system.send("speaker", "removeInterpreter", language=f"de-{number:03}") == 200
    system.take()

    again = system.send("speaker", "removeInterpreter", language="de-000")
    status = system.send("speaker", "removeInterpreter", language="fr")

    assert (again, status) == (200, 429)
    assert codes(system.take()) == [("speaker", "RATE_LIMIT_EXCEEDED")]


@pytest.mark.parametrize("name", ["ann", "ida"])
def test_only_the_speaker_removes_interpreters(system, name):
    session_id = system.open("ann")
    interpret(system, "ida", session_id)

    status = system.send(name, "removeInterpreter", language="de")

    assert (status, codes(system.take())) == (403, [(name, "AUTH_INVALID_ROLE")])


# --- refresh


def refresh(system, name, new_name, session_id):
    status = system.send(
        new_name, "refreshConnection", sessionId=session_id, refreshToken=system.tokens[name]
    )
    sent = system.take()
    for receiver, message in sent:
        if receiver == new_name and "refreshToken" in message:
            system.tokens[new_name] = message["refreshToken"]
    return status, sent


def test_interpreter_moves_to_another_connection_and_keeps_the_channel(system):
    session_id = system.open()
    listen(system, "ann", session_id, "de")
    interpret(system, "ida", session_id)

    status, sent = refresh(system, "ida", "ida-2", session_id)
    system.chunk("ida-2", 5)
    from_new = heard(system, "ann")
    system.chunk("ida", 6)

    [complete] = [m for _, m in sent if m["type"] == "connectionRefreshComplete"]
    assert (status, complete["role"]) == (200, "interpreter")
    assert changes(sent) == {}
    assert from_new == [(5, "de")]
    assert heard(system, "ann") == []


def test_nobody_is_sent_elsewhere_while_an_interpreter_or_a_listener_moves(system):
    """The connection that was left answers 410 before what is remembered of the session is read again."""
    session_id = system.open()
    listen(system, "ann", session_id, "de")
    listen(system, "bob", session_id, "fr")
    listen(system, "carl", session_id, "fr")
    interpret(system, "ida", session_id)
    for sender in ("speaker", "ida"):
        system.chunk(sender, 0)

    refresh(system, "ida", "ida-2", session_id)
    refresh(system, "bob", "bob-2", session_id)
    posts = []
    for number in range(1, 6):
        system.chunk("speaker", number)
        system.answered()
        system.chunk("ida-2", number)
        posts += [(n, m.get("language")) for n, m in system.take() if m["type"] == "audio"]

    assert posts.count(("ann", None)) == 0
    assert posts.count(("ann", "de")) == posts.count(("carl", None)) == 5
    assert posts.count(("ida-2", None)) == posts.count(("bob-2", None)) == 4


def test_interpreter_who_was_taken_out_comes_back_by_its_token(system):
    session_id = system.open()
    listen(system, "ann", session_id, "de")
    interpret(system, "ida", session_id, captions=True)
    system.disconnect("ida")
    system.take()

    status, sent = refresh(system, "ida", "ida-2", session_id)

    assert status == 200
    assert changes(sent) == {"ann": (["de"], "de")}
    assert ("speaker", "interpreterJoined") in [(n, m["type"]) for n, m in sent]
    assert system.store.session(session_id).interpreters["de"].wants_captions is True


def test_interpreter_whose_language_is_taken_by_now_does_not_come_back(system):
    session_id = system.open()
    interpret(system, "ida", session_id)
    system.disconnect("ida")
    interpret(system, "ivo", session_id)

    status, sent = refresh(system, "ida", "ida-2", session_id)
    system.disconnect("ivo")
    again, _ = refresh(system, "ida", "ida-2", session_id)

    assert (status, codes(sent)) == (409, [("ida-2", "SESSION_LANGUAGE_TAKEN")])
    assert again == 200


def test_listener_hears_by_the_refresh_what_was_said_while_it_was_away(system):
    session_id = system.open()
    listen(system, "ann", session_id, "de")
    interpret(system, "ida", session_id)
    system.clients.gone.add("ann")
    system.disconnect("ida")
    system.take()

    _, sent = refresh(system, "ann", "ann-2", session_id)

    assert changes(sent) == {"ann-2": ([], "floor")}


def test_speaker_hears_by_the_refresh_who_interprets(system):
    session_id = system.open()
    interpret(system, "ida", session_id, "de")
    interpret(system, "ivo", session_id, "fr")

    _, sent = refresh(system, "speaker", "speaker-2", session_id)

    assert [(m["type"], m.get("language")) for n, m in sent if n == "speaker-2"] == [
        ("connectionRefreshComplete", None),
        ("broadcastControl", None),
        ("interpreterJoined", "de"),
        ("interpreterJoined", "fr"),
    ]


def test_listener_of_a_session_without_interpreters_is_sent_what_it_always_was(system):
    session_id = system.open()
    listen(system, "ann", session_id, "de")

    _, sent = refresh(system, "ann", "ann-2", session_id)

    assert [m["type"] for n, m in sent if n == "ann-2"] == [
        "connectionRefreshComplete",
        "broadcastControl",
    ]


def test_listener_who_was_taken_out_comes_back_as_wanted(system):
    session_id = system.open()
    listen(system, "ann", session_id, "de", audio="original", captions=True)
    system.disconnect("ann")
    interpret(system, "ida", session_id)

    refresh(system, "ann", "ann-2", session_id)
    system.chunk("speaker", 1)
    floor = heard(system, "ann-2")
    system.caption("ida")

    assert floor == [(1, None)]
    assert ("ann-2", "caption") in system.types()


# --- change of language


def test_listener_changes_to_a_channel_and_back(system):
    session_id = system.open()
    listen(system, "ann", session_id, "fr")
    interpret(system, "ida", session_id)

    system.send("ann", "changeLanguage", targetLanguage="de-CH")
    to_channel = [(m["type"], m.get("hears")) for n, m in system.take() if n == "ann"]
    system.send("ann", "changeLanguage", targetLanguage="de-CH", audio="original")
    to_floor = [(m["type"], m.get("hears")) for n, m in system.take() if n == "ann"]
    system.send("ann", "changeLanguage", targetLanguage="fr", audio="interpreted")
    same = [(m["type"], m.get("hears")) for n, m in system.take() if n == "ann"]

    assert to_channel == [("languageChanged", None), ("channelChanged", "de")]
    assert to_floor == [("languageChanged", None), ("channelChanged", "floor")]
    assert same == [("languageChanged", None)]


def test_what_a_change_does_not_say_stays(system):
    session_id = system.open()
    listen(system, "ann", session_id, "fr", audio="original", captions=True)
    interpret(system, "ida", session_id)

    system.send("ann", "changeLanguage", targetLanguage="de")
    system.take()
    system.chunk("speaker", 1)
    floor = heard(system, "ann")
    system.caption("ida")

    assert floor == [(1, None)]
    assert ("ann", "caption") in system.types()
