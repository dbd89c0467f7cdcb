"""The function for audio: who hears what, what is refused, and what a chunk costs."""

import base64

import pytest

LOUD = base64.b64encode(b"\xff\x7f" * 1600).decode()
FINE = base64.b64encode(b"\x00\x10" * 1600).decode()


def audio(num_bytes: int) -> str:
    return base64.b64encode(b"\x00\x10" * (num_bytes // 2) + b"\x00" * (num_bytes % 2)).decode()


def test_chunk_goes_to_all_listeners_as_it_came_and_nothing_to_the_speaker(system):
    session_id = system.open("ann", "bob")

    assert system.chunk("speaker", 7, requestId="mine") == 200

    (first, message), (second, same) = system.take()
    assert ([first, second], message) == (["ann", "bob"], same)
    assert message == {
        "type": "audio",
        "sessionId": session_id,
        "sequenceNumber": 7,
        "audioData": system.CHUNK,
        "speakerTimestamp": 1_767_225_600_000,
        "timestamp": message["timestamp"],
    }


def test_numbers_are_passed_on_as_they_come(system):
    system.open("ann")

    [system.chunk("speaker", number) for number in (3, 1, 1, 9_007_199_254_740_991)]

    numbers = [message["sequenceNumber"] for _, message in system.take()]
    assert numbers == [3, 1, 1, 9_007_199_254_740_991]


def test_chunk_without_listeners_is_taken(system):
    system.open()

    assert system.chunk("speaker") == 200
    assert system.take() == []


# --- what a chunk costs


@pytest.mark.threat("table-speech")
@pytest.mark.parametrize("is_named", [True, False], ids=["named", "not-named"])
def test_chunks_of_two_seconds_cost_one_read_and_no_write(system, is_named):
    """The first ones of an environment cost one more, of who is on the connection."""
    session_id = system.open("ann")
    named = {"sessionId": session_id} if is_named else {}

    [system.chunk("speaker", number, **named) for number in range(40)]
    first = list(system.calls.made)
    system.clock.now += 2.5
    [system.chunk("speaker", number, **named) for number in range(5)]
    system.answered()

    assert first == [("get_item", "Connections"), ("get_item", "Sessions")]
    assert system.calls.made[2:] == [("get_item", "Sessions")]


def test_chunks_write_one_line_in_a_hundred_and_metrics_every_now_and_then(system):
    system.open("ann")
    system.chunk("speaker", 0)
    system.lines().clear()

    [system.chunk("speaker", number) for number in range(40)]

    lines = system.lines()
    assert len([line for line in lines if "_aws" not in line]) <= 1
    assert len([line for line in lines if "_aws" in line]) <= 2
    assert lines.metrics()["AudioChunksReceived"] == [40]
    assert lines.metrics()["AudioChunkSize"] == [120] * 40
    assert len(lines.metrics()["AudioProcessingLatency"]) == 40


# --- what takes effect within two seconds


@pytest.mark.parametrize(
    ("action", "reason"), [("pauseBroadcast", "paused"), ("muteBroadcast", "muted")]
)
def test_paused_and_muted_audio_is_taken_and_dropped(system, action, reason):
    session_id = system.open("ann")
    system.send("speaker", action)
    system.take()

    assert system.chunk("speaker") == 200

    assert system.take() == []
    [dropped] = [line for line in system.lines() if "AudioChunksDropped" in line]
    assert (dropped["Reason"], dropped["sessionId"]) == (reason, session_id)


@pytest.mark.parametrize(
    ("change", "hears"),
    [
        pytest.param(lambda s, _: s.send("speaker", "pauseBroadcast"), [], id="pause"),
        pytest.param(lambda s, _: s.send("ann", "pausePlayback"), [], id="playback"),
        pytest.param(lambda s, _: s.disconnect("ann"), [], id="leave"),
        pytest.param(
            lambda s, session_id: s.send(
                "bob", "joinSession", sessionId=session_id, targetLanguage="fr"
            ),
            ["ann", "bob"],
            id="join",
        ),
    ],
)
def test_change_takes_effect_after_two_seconds_at_the_latest(system, change, hears):
    session_id = system.open("ann")
    system.chunk("speaker", 0)
    change(system, session_id)
    system.take()

    system.clock.now += 2.5
    system.chunk("speaker", 1)

    assert [name for name, message in system.take() if message["type"] == "audio"] == hears


def test_volume_changes_no_audio(system):
    system.open("ann")
    system.send("speaker", "setVolume", volumeLevel=0)
    system.take()

    system.chunk("speaker")

    assert system.types() == [("ann", "audio")]


# --- listeners who are gone, or slow


def test_listener_who_is_gone_is_counted_out_and_the_speaker_is_notified(system):
    session_id = system.open("ann", "bob")
    system.clients.gone.add("ann")

    statuses = [system.chunk("speaker", 0), system.chunk("speaker", 1)]

    assert statuses == [200, 200]
    assert system.types() == [("bob", "audio"), ("speaker", "listenerLeft"), ("bob", "audio")]
    assert system.store.session(session_id).audience == ["bob"]
    [failed] = [line for line in system.lines() if "ListenerNotificationFailures" in line]
    assert (failed["ErrorType"], failed["ListenerNotificationFailures"]) == ("gone", 1)


def test_chunk_waits_for_five_removals_and_the_next_ones_do_the_rest(system):
    names = [f"listener-{number}" for number in range(7)]
    session_id = system.open(*names)
    system.clients.gone.update(names)

    system.chunk("speaker", 0)
    first = system.store.session(session_id).listener_count
    system.clock.now += 2.5
    system.chunk("speaker", 1)

    assert (first, system.store.session(session_id).listener_count) == (2, 0)


@pytest.mark.parametrize("kind", ["throttled", "failed"])
def test_listener_who_is_slow_stays(system, kind):
    session_id = system.open("ann", "bob")
    system.clients.failing["ann"] = kind

    assert system.chunk("speaker") == 200

    assert system.types() == [("bob", "audio")]
    assert system.store.session(session_id).audience == ["ann", "bob"]


# --- what is refused


@pytest.mark.parametrize(
    ("name", "fields", "status", "code"),
    [
        ("ann", {}, 403, "AUTH_INVALID_ROLE"),
        ("nobody", {}, 404, "SESSION_NOT_FOUND"),
        ("speaker", {"sessionId": "able-bat-000"}, 403, "AUTH_UNAUTHORIZED"),
        ("speaker", {"audioData": audio(121)}, 400, "AUDIO_INVALID_FORMAT"),
        ("speaker", {"audioData": audio(98)}, 400, "AUDIO_CHUNK_TOO_SMALL"),
        ("speaker", {"audioData": audio(24_002)}, 413, "AUDIO_CHUNK_TOO_LARGE"),
        ("speaker", {"audioData": "AAAA AAAA"}, 400, "AUDIO_INVALID_ENCODING"),
    ],
)
@pytest.mark.threat("broken-audio", "listener-speaks")
def test_refused_chunk_is_answered_and_heard_by_nobody(system, name, fields, status, code):
    system.open("ann")

    assert system.chunk(name, 0, **fields, requestId="mine") == status

    [(recipient, message)] = system.take()
    assert (recipient, message["type"], message["code"]) == (name, "error", code)
    assert message["requestId"] == "mine"


@pytest.mark.threat("other-session")
def test_session_of_another_is_no_way_in(system):
    other = system.open("ann", speaker="other")
    system.open()

    assert system.chunk("speaker", 0, sessionId=other) == 403
    assert [name for name, _ in system.take()] == ["speaker"]


@pytest.mark.parametrize(
    ("name", "code"), [("eve", "SESSION_NOT_FOUND"), ("ann", "AUTH_INVALID_ROLE")]
)
@pytest.mark.threat("join-oracle", "other-session")
def test_naming_a_session_makes_nobody_look_for_it(system, name, code):
    """Else the time that it takes to read an audience would tell who guesses that it is there."""
    private = system.open(speaker="other", listenerKey="k7Qm-wT3x-Rz9")
    over = system.open(speaker="gone")
    system.send("gone", "endSession")
    system.take()
    system.open("ann")

    seen = []
    for named in (private, over, "able-bat-000"):
        system.calls.made.clear()
        system.chunk(name, sessionId=named)
        [(_, answer)] = system.take()
        del answer["timestamp"]
        seen.append((answer, list(system.calls.made)))

    assert seen[0][0]["code"] == code
    assert seen[0][1] == [("get_item", "Connections")]
    assert seen[1:] == [seen[0]] * 2


def test_half_a_frame_of_a_stereo_session_is_refused(system):
    system.open("ann", audioFormat={"channels": 2})

    assert [system.chunk("speaker", 0, audioData=audio(n)) for n in (120, 122)] == [200, 400]


def test_single_bytes_are_whole_samples_of_mulaw(system):
    system.open("ann", audioFormat={"encoding": "pcm_mulaw", "sampleRate": 8000})

    assert system.chunk("speaker", 0, audioData=audio(121)) == 200


def test_refused_chunk_is_counted_by_why(system):
    system.open()
    system.lines().clear()

    system.chunk("speaker", 0, audioData=audio(121))

    lines = system.lines()
    assert lines.metrics()["AudioChunksDropped"] == [1]
    assert "AudioChunksReceived" not in lines.metrics()
    [dropped] = [line for line in lines if "AudioChunksDropped" in line]
    assert dropped["Reason"] == "AUDIO_INVALID_FORMAT"


@pytest.mark.threat("flood-audio", "ws-rate")
def test_fifty_chunks_at_once_are_taken_and_the_next_is_refused(system):
    system.open("ann")

    statuses = [system.chunk("speaker", number) for number in range(51)]

    assert statuses == [200] * 50 + [429]
    received = [message for name, message in system.take() if name == "speaker"]
    assert [message["type"] for message in received] == ["rateLimitWarning", "error"]
    assert received[1]["message"] == "At most 50 audio chunks a second"
    metrics = system.lines().metrics()
    assert metrics["RateLimitViolations"] == metrics["AudioChunksDropped"] == [1]


def test_expired_session_takes_no_audio(system):
    system.open("ann")
    system.clock.now += 7200

    assert system.chunk("speaker") == 410
    [(_, message)] = system.take()
    assert message["code"] == "SESSION_EXPIRED"


def test_session_that_expires_while_it_is_remembered_takes_no_audio(system):
    system.open("ann")
    system.clock.now += 7199
    system.chunk("speaker", 0)
    system.take()
    system.clock.now += 1

    assert system.chunk("speaker", 1) == 410


# --- quality


def test_clipping_is_reported_to_the_speaker_at_a_bounded_rate(system):
    session_id = system.open("ann")

    [system.chunk("speaker", number, audioData=LOUD) for number in range(10)]

    received = [message for name, message in system.take() if name == "speaker"]
    assert len(received) == 1
    assert received[0] == {
        "type": "audioQualityWarning",
        "sessionId": session_id,
        "warningType": "clipping",
        "severity": "critical",
        "message": "The audio is cut off at full scale",
        "recommendation": "Lower the microphone's gain",
        "timestamp": received[0]["timestamp"],
    }


def test_good_audio_is_no_reason_to_say_anything(system):
    system.open()

    [system.chunk("speaker", number, audioData=FINE) for number in range(40)]

    assert system.take() == []


def test_silence_is_reported_but_not_to_who_is_muted(system):
    def be_silent():
        for number in range(12):
            system.chunk("speaker", number)
            system.clock.now += 0.5
        for number in range(12):
            system.chunk("speaker", number)
            system.clock.now += 0.5

    system.open()
    be_silent()
    history = system.types()
    system.send("speaker", "muteBroadcast")
    system.take()
    system.clock.now += 2.5
    be_silent()

    assert history == [("speaker", "audioQualityWarning")]
    assert system.types() == []
