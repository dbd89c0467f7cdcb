"""The function for connections: what is accepted, what is sent, and how a participant comes back."""

import pytest

from shared_utils.testing import FakeContext, connect_event

PROTOCOL = "websocket-audio.v1"
OURS = frozenset(["https://ours.example"])


def errors(system) -> list[tuple[str, str]]:
    return [(name, message["code"]) for name, message in system.take()]


# --- $connect


def test_anyone_may_connect_and_nothing_is_stored(system):
    assert system.connect("ann", Origin="https://any.example") == {"statusCode": 200}
    assert (system.calls.made, system.take()) == ([], [])


@pytest.mark.parametrize("asked", [PROTOCOL, f"other, {PROTOCOL}", f"{PROTOCOL},other"])
def test_our_protocol_is_chosen(system, asked):
    answer = system.connect("ann", **{"Sec-WebSocket-Protocol": asked})

    assert answer == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": PROTOCOL}}


def test_who_asks_for_other_protocols_only_is_refused(system):
    assert system.connect("ann", **{"Sec-WebSocket-Protocol": "graphql-ws"}) == {"statusCode": 400}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://ours.example"}, 200),
        ({"origin": "https://ours.example"}, 200),
        ({"Origin": "https://theirs.example"}, 403),
        ({}, 403),
    ],
)
@pytest.mark.threat("other-origin", "ws-origin", "ws-test-origin")
def test_pages_of_listed_origins_may_connect(system, headers, status):
    system.set("connection", allowed_origins=OURS)

    assert system.connect("ann", **headers) == {"statusCode": status}


def connect_from(system, address: str, times: int) -> list[int]:
    handler = system.app("connection").handler
    return [
        handler(connect_event(f"c-{number}", identity={"sourceIp": address}), FakeContext())[
            "statusCode"
        ]
        for number in range(times)
    ]


def test_address_may_open_so_many_connections_a_minute(system):
    first = connect_from(system, "192.0.2.7", 602)
    system.clock.now += 60

    assert first == [200] * 600 + [429] * 2
    assert connect_from(system, "192.0.2.7", 601) == [200] * 600 + [429]


@pytest.mark.threat("shared-address")
def test_other_addresses_connect_meanwhile(system):
    connect_from(system, "192.0.2.7", 601)

    assert connect_from(system, "192.0.2.8", 1) == [200]


@pytest.mark.threat("flood-connections")
def test_subscriber_cannot_use_all_of_its_ipv6_addresses(system):
    connect_from(system, "2001:db8::1", 600)

    assert connect_from(system, "2001:db8::2", 1) == [429]


def test_refused_connections_are_a_line_a_minute_and_a_count(system):
    connect_from(system, "192.0.2.7", 600)
    system.lines().clear()

    connect_from(system, "192.0.2.7", 400)

    lines = system.lines()
    [line] = [line for line in lines if line.get("message") == "Message refused"]
    assert (line["level"], line["errorCode"]) == ("WARN", "RATE_LIMIT_EXCEEDED")
    assert (line["MessageType"], line["RateLimitViolations"]) == ("$connect", 1)
    assert line["context"]["sourceIp"] == "192.0.2.7"
    assert line["context"]["reason"] == "At most 600 new connections a minute from one address"
    assert sum(lines.metrics()["RateLimitViolations"]) == 400
    assert system.calls.made == []


# --- heartbeat


def test_heartbeat_is_acknowledged_and_moves_the_last_activity(system):
    system.open()
    system.clock.now += 30

    assert system.send("speaker", "heartbeat", requestId="mine") == 200

    [(name, message)] = system.take()
    assert (name, message["type"], message["requestId"]) == ("speaker", "heartbeatAck", "mine")
    assert system.store.participant("speaker").last_activity_at == int(system.clock.now * 1000)


def test_heartbeat_without_a_session_is_acknowledged_and_stores_nothing(system):
    assert system.send("ann", "heartbeat") == 200
    assert system.types() == [("ann", "heartbeatAck")]
    assert system.store.participant("ann") is None


# --- what has no route


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"action": "dance"}, "VALIDATION_INVALID_ACTION"),
        ({}, "VALIDATION_MISSING_PARAMETER"),
        ({"action": "createSession", "sourceLanguage": "en"}, "VALIDATION_INVALID_ACTION"),
    ],
)
def test_what_has_no_route_here_is_answered_with_an_error(system, body, code):
    system.send_to("connection", "ann", body)

    assert errors(system) == [("ann", code)]


# --- $disconnect


def test_speaker_is_notified_when_a_listener_disconnects(system):
    session_id = system.open("ann", "bob")

    assert system.disconnect("ann") == {"statusCode": 200}

    [(name, message)] = system.take()
    assert name == "speaker"
    assert message == {
        "type": "listenerLeft",
        "sessionId": session_id,
        "listenerCount": 1,
        "targetLanguage": "fr",
        "timestamp": message["timestamp"],
    }


def test_second_disconnect_and_one_without_a_session_notify_nobody(system):
    system.open("ann")
    system.disconnect("ann")
    system.take()

    system.disconnect("ann")
    system.disconnect("nobody")

    assert system.take() == []


def test_listeners_are_not_notified_that_the_speaker_is_away_for_a_moment(system):
    session_id = system.open("ann")

    system.disconnect("speaker")

    assert system.take() == []
    assert system.store.session(session_id).speaker_gone_at == int(system.clock.now * 1000)


# --- refreshConnection


def refresh(system, name: str, session_id: str, owner: str) -> int:
    token = system.tokens[owner]
    return system.send(name, "refreshConnection", sessionId=session_id, refreshToken=token)


@pytest.mark.parametrize("owner", ["speaker", "ann"])
def test_refresh_is_completed_then_the_state_is_reported_and_the_old_connection_is_closed(
    system, owner
):
    session_id = system.open("ann")
    system.send("speaker", "setVolume", volumeLevel=0.5)
    system.take()

    assert refresh(system, "new", session_id, owner) == 200

    (first, complete), (second, control) = system.take()
    assert (first, second, system.clients.closed) == ("new", "new", [owner])
    assert complete == {
        "type": "connectionRefreshComplete",
        "sessionId": session_id,
        "role": "speaker" if owner == "speaker" else "listener",
        "refreshToken": complete["refreshToken"],
        "timestamp": complete["timestamp"],
    }
    assert complete["refreshToken"].startswith(f"wsr_{owner}.")
    assert complete["refreshToken"] != system.tokens[owner]
    assert control == {
        "type": "broadcastControl",
        "sessionId": session_id,
        "isPaused": False,
        "isMuted": False,
        "volume": 0.5,
        "timestamp": control["timestamp"],
    }


def test_speaker_goes_on_from_the_new_connection_only(system):
    session_id = system.open("ann")
    system.chunk("speaker", 0)
    refresh(system, "speaker-2", session_id, "speaker")
    system.disconnect("speaker")
    system.take()
    system.clock.now += 2.5  # what the audio's environment remembers of the old one

    statuses = [
        system.chunk("speaker-2", 1),
        system.send("speaker-2", "pauseBroadcast"),
        system.chunk("speaker", 2),
        system.send("speaker", "resumeBroadcast"),
    ]

    assert statuses == [200, 200, 410, 410]
    assert system.store.session(session_id).speaker_gone_at is None


def test_listener_who_was_counted_out_comes_back_and_the_speaker_is_notified(system):
    session_id = system.open("ann", "bob")
    system.disconnect("ann")
    system.take()

    refresh(system, "ann-2", session_id, "ann")

    assert system.types() == [
        ("ann-2", "connectionRefreshComplete"),
        ("ann-2", "broadcastControl"),
        ("speaker", "listenerJoined"),
    ]
    assert system.clients.closed == []


def test_wrong_token_is_refused(system):
    session_id = system.open("ann")

    status = system.send(
        "thief", "refreshConnection", sessionId=session_id, refreshToken="ann.guess"
    )

    assert status == 401
    assert errors(system) == [("thief", "AUTH_TOKEN_INVALID")]


# --- too fast


def test_eleventh_control_message_in_a_second_is_refused(system):
    system.open()

    statuses = [system.send("speaker", "heartbeat") for _ in range(11)]

    assert statuses == [200] * 10 + [429]
    sent = system.take()
    [(_, warning)] = [entry for entry in sent if entry[1]["type"] == "rateLimitWarning"]
    assert (warning["limit"], warning["windowSeconds"], warning["retryAfterMs"]) == (10, 1, 900)
    assert sent[-1][1]["code"] == "RATE_LIMIT_CONTROL_MESSAGES"
    assert sent[-1][1]["message"] == "At most 10 control messages a second"
    assert system.lines().metrics()["RateLimitViolations"] == [1]


def test_who_never_slows_down_is_cut_off(system):
    system.open()

    [system.send("speaker", "heartbeat") for _ in range(61)]

    assert system.clients.closed == ["speaker"]
    assert system.lines().metrics()["ConnectionsClosedForRateLimit"] == [1]
