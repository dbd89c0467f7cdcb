"""What is reported of the sessions that run, from the table's items and the gateway's posts."""

from __future__ import annotations

import json

import pytest

from local.session_reports import SessionReports, read_sessions
from wslocal import Post

NOW = 1_000_000.0
ID = "golden-eagle-427"


def item(**changes):
    """Return a session with a listener, as it is read from the table."""
    return {
        "sessionId": ID,
        "sourceLanguage": "en",
        "createdAt": 1,
        "speakerConnectionId": "speaker=",
        "broadcastState": {"isPaused": False, "isMuted": False, "volume": 1},
        "listeners": {"listener=": {"language": "de"}},
        "interpreters": {},
        **changes,
    }


def interpreter(connection="interpreter="):
    return {"participantId": connection, "connectionId": connection, "seenAt": 5}


def audio(number, *, spoken_ago_ms=100, status=200, to="listener=", **more):
    message = {"type": "audio", "sessionId": ID, "sequenceNumber": number, "audioData": "AAAA"}
    message |= {"speakerTimestamp": NOW * 1000 - spoken_ago_ms, **more}
    return Post(to, json.dumps(message).encode(), status)


@pytest.fixture
def reports():
    """Return reports that know a session."""
    reports = SessionReports()
    reports.report([item()], NOW)
    return reports


def reported(reports, *changes, now=NOW):
    """Return what the last of several reports says of the session."""
    for changed in changes or ({},):
        report = reports.report([item(**changed)], now)
    [session] = report["sessions"]
    return session


def test_session_is_described_without_keys_and_hashes():
    listeners = {
        "first=": {"language": "de", "isPaused": True},
        "moved=": {"language": "de", "connectionId": "now="},
        "other=": {"language": "es"},
    }
    found = item(
        listeners=listeners,
        interpreters={"de": interpreter()},
        speakerGoneAt=7,
        speakerTokenHash="secret",
        listenerKeyHash="secret",
    )
    report = SessionReports().report([found], NOW)

    assert report == {
        "time": 1_000_000_000,
        "isOld": False,
        "more": 0,
        "sessions": [
            {
                "sessionId": ID,
                "sourceLanguage": "en",
                "createdAt": 1,
                "speaker": "speaker=",
                "connections": ["first=", "interpreter=", "now=", "other=", "speaker="],
                "awaySince": 7,
                "state": {"isPaused": False, "isMuted": False},
                "interpreters": [{"language": "de", "connection": "interpreter=", "seenAt": 5}],
                "listeners": [
                    {"language": "de", "count": 2, "paused": 1},
                    {"language": "es", "count": 1, "paused": 0},
                ],
                "lastAudioAt": None,
                "delayMs": None,
                "refused": 0,
                "notPassedOn": 0,
                "notDelivered": 0,
            }
        ],
    }


def test_delay_is_of_the_last_ten_seconds(reports):
    reports.take(audio(0, spoken_ago_ms=900_000), NOW - 11)
    for number, ago in enumerate((100, 200, 300)):
        reports.take(audio(number, spoken_ago_ms=ago), NOW)
    session = reported(reports)

    assert session["delayMs"] == {"p50": 200, "p95": 300}
    assert session["lastAudioAt"] == 1_000_000_000
    assert reported(reports, now=NOW + 11)["delayMs"] is None


def test_what_a_connection_does_not_take_is_not_delivered_unless_it_has_left(reports):
    for status in (200, 410, 429, 500, 0):
        reports.take(audio(1, status=status), NOW)

    assert reported(reports)["notDelivered"] == 3


def test_errors_are_counted_for_the_session_of_who_gets_them(reports):
    body = json.dumps({"type": "error", "code": "AUDIO_INVALID_ENCODING"}).encode()
    for connection in ("speaker=", "listener=", "stranger="):
        reports.take(Post(connection, body, 200), NOW)

    assert reported(reports)["refused"] == 2


def test_chunk_that_is_overtaken_is_not_lost_and_one_that_never_comes_is_once(reports):
    for number in (0, 1, 4, 3):
        reports.take(audio(number), NOW)
    early = reported(reports, {}, {}, {})["notPassedOn"]
    reports.take(audio(5), NOW)
    late = [reported(reports)["notPassedOn"] for _ in range(8)]

    assert early == 0
    assert late[-1] == 1
    assert sorted(late) == late


@pytest.mark.parametrize(
    "between",
    [
        pytest.param({"listeners": {}}, id="nobody-listens"),
        pytest.param(
            {"listeners": {"listener=": {"language": "de", "isPaused": True}}}, id="all-paused"
        ),
        pytest.param({"broadcastState": {"isPaused": True, "isMuted": False}}, id="paused"),
        pytest.param({"broadcastState": {"isPaused": False, "isMuted": True}}, id="muted"),
        pytest.param({"speakerGoneAt": 3}, id="away"),
        pytest.param({"interpreters": {"de": interpreter()}, "listeners": {"l": {"language": "de-AT"}}}, id="only-interpreter-and-captions"),
        pytest.param({"speakerConnectionId": "other="}, id="another-connection"),
    ],
)  # fmt: skip
def test_gap_while_nothing_is_to_be_passed_on_is_no_loss(reports, between):
    """An interpreter hears the floor: a gap there is a loss even if no listener does."""
    reported(reports)
    reports.take(audio(0), NOW)
    reported(reports, *[{}] * 4, between)
    reports.take(audio(50), NOW)

    is_heard = "interpreters" in between
    assert reported(reports, *[{}] * 8)["notPassedOn"] == (49 if is_heard else 0)


def test_channels_have_numbers_of_their_own_and_begin_anew_with_another_interpreter(reports):
    with_channel = {"interpreters": {"de": interpreter()}}
    again = {"interpreters": {"de": interpreter("second=")}}
    reported(reports, with_channel, with_channel)
    for number in (70, 71):
        reports.take(audio(number), NOW)
        reports.take(audio(number - 70, language="de"), NOW)
    reported(reports, *[with_channel] * 8, again)
    reports.take(audio(0, language="de"), NOW)

    assert reported(reports, *[again] * 8)["notPassedOn"] == 0


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no json", id="text"),
        pytest.param(b"[1]", id="list"),
        pytest.param(b'{"type": "audio", "sessionId": 7}', id="odd-session"),
        pytest.param(b'{"type": "audio", "sessionId": "other-eagle-427"}', id="not-in-the-table"),
    ],
)
def test_other_posts_are_left_alone(reports, body):
    reports.take(Post("listener=", body, 200), NOW)

    assert reported(reports)["lastAudioAt"] is None


def test_what_is_kept_is_bounded_and_a_person_is_shown_fifty_sessions(reports):
    items = [item(sessionId=f"golden-eagle-{n:03}", createdAt=n) for n in range(60)]
    report = reports.report(items, NOW)
    for number in range(0, 10_000_000, 2_000):
        reports.take(audio(number), NOW)

    assert (len(report["sessions"]), report["more"]) == (50, 10)
    assert report["sessions"][0]["sessionId"] == "golden-eagle-059"
    reports.report([], NOW)
    reports.take(audio(1), NOW)
    assert reports.report([], NOW)["sessions"] == []


def test_only_what_is_reported_is_read_of_the_table(emulator):
    client = emulator.client("dynamodb")
    client.create_table(
        TableName="Sessions-dev",
        KeySchema=[{"AttributeName": "sessionId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "sessionId", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for number, status, ends_at in (
        (1, "active", "900"),
        (2, "ended", "900"),
        (3, "active", "500"),
    ):
        stored = {
            "sessionId": {"S": f"golden-eagle-00{number}"},
            "status": {"S": status},
            "endsAt": {"N": ends_at},
            "createdAt": {"N": "1"},
            "speakerTokenHash": {"S": "secret"},
            "listeners": {"M": {"c=": {"M": {"language": {"S": "de"}}}}},
        }
        client.put_item(TableName="Sessions-dev", Item=stored)

    assert read_sessions(client, "Sessions-dev", 600) == [
        {
            "sessionId": "golden-eagle-001",
            "status": "active",
            "endsAt": 900,
            "createdAt": 1,
            "listeners": {"c=": {"language": "de"}},
        }
    ]
