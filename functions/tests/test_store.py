"""The repository, against a real DynamoDB API: the shape of the items, and what happens once only."""

import pytest

from broadcast import moves
from broadcast.moves import reattach
from broadcast.sessions import Participant, Session
from broadcast.store import Store
from broadcast.tokens import digest_of
from shared_utils import ApplicationError, AudioFormat, BroadcastState, ErrorCode
from shared_utils.dynamodb import DynamoDBError, Table, TransactionCanceled

NOW = 1_767_225_600
NOW_MS = NOW * 1000
SESSION_ID = "golden-eagle-427"


def participant(name: str, role: str = "listener", language: str | None = "fr") -> Participant:
    digest = digest_of(f"wsr_{name}.secret")
    return Participant(name, name, SESSION_ID, role, digest, NOW_MS - 500, NOW_MS, language)


SPEAKER = participant("speaker", "speaker", None)
SESSION = Session(
    session_id=SESSION_ID,
    speaker_connection_id="speaker",
    speaker_token_hash=SPEAKER.token_hash,
    source_language="en",
    created_at=NOW_MS,
    ends_at=NOW_MS + 7_200_000,
    state=BroadcastState(isPaused=False, isMuted=False, volume=0.8),
    audio_format=AudioFormat(channels=2),
)


@pytest.fixture
def failures():
    return []


class MovableStore(Store):
    """A store whose clock is moved by the test, in seconds; `client` is boto3's."""

    now = NOW

    def __init__(self, client, on_failure):
        self.client = client
        super().__init__(lambda: self.now, on_failure)


@pytest.fixture
def store(dynamodb, tables, failures):
    return MovableStore(dynamodb, on_failure=lambda *failure: failures.append(failure))


@pytest.fixture
def session(store):
    store.create(SPEAKER, SESSION)
    return SESSION


def raw(store, table: str, **key: str):
    typed = {name: {"S": value} for name, value in key.items()}
    name = getattr(store, table).table.name
    return store.client.get_item(TableName=name, Key=typed, ConsistentRead=True).get("Item")


def indexed(store) -> list[tuple[str, str]]:
    answer = store.client.query(
        TableName=store.connections.table.name,
        IndexName="sessionId-targetLanguage-index",
        KeyConditionExpression="sessionId = :id",
        ExpressionAttributeValues={":id": {"S": SESSION_ID}},
    )
    return [(item["connectionId"]["S"], item["targetLanguage"]["S"]) for item in answer["Items"]]


def refused(code: ErrorCode):
    return pytest.raises(ApplicationError, check=lambda error: error.code is code)


# --- sessions


def test_session_comes_back_as_it_was_stored(store, session):
    assert store.session(SESSION_ID) == session
    assert store.participant("speaker") == SPEAKER
    assert store.session("golden-eagle-428") is None
    assert store.participant("nobody") is None


def test_session_item_has_the_shape_that_others_know(store, session):
    assert raw(store, "sessions", sessionId=SESSION_ID) == {
        "sessionId": {"S": SESSION_ID},
        "status": {"S": "active"},
        "sourceLanguage": {"S": "en"},
        "qualityTier": {"S": "standard"},
        "audioFormat": {
            "M": {
                "encoding": {"S": "pcm_s16le"},
                "sampleRate": {"N": "16000"},
                "channels": {"N": "2"},
            }
        },
        "partialResults": {"BOOL": True},
        "minStability": {"N": "0.85"},
        "maxBufferTimeout": {"N": "5"},
        "speakerConnectionId": {"S": "speaker"},
        "speakerTokenHash": {"S": SPEAKER.token_hash},
        "createdAt": {"N": str(NOW_MS)},
        "endsAt": {"N": str(NOW_MS + 7_200_000)},
        "expiresAt": {"N": str(NOW + 7200 + 3600)},
        "listenerCount": {"N": "0"},
        "listeners": {"M": {}},
        "interpreters": {"M": {}},
        "broadcastState": {
            "M": {"isPaused": {"BOOL": False}, "isMuted": {"BOOL": False}, "volume": {"N": "0.8"}}
        },
    }


def test_listener_item_has_the_shape_that_others_know(store, session):
    store.join(participant("ann"), 500)

    assert raw(store, "connections", connectionId="ann") == {
        "connectionId": {"S": "ann"},
        "sessionId": {"S": SESSION_ID},
        "role": {"S": "listener"},
        "language": {"S": "fr"},
        "targetLanguage": {"S": "fr"},
        "refreshTokenHash": {"S": digest_of("wsr_ann.secret")},
        "connectedAt": {"N": str(NOW_MS - 500)},
        "lastActivityAt": {"N": str(NOW_MS)},
        "ttl": {"N": str(NOW + 3 * 3600)},
    }


def test_session_id_that_is_taken_changes_nothing(store, session):
    other = SPEAKER.replace(connection_id="other", participant_id="other")

    assert store.create(other, SESSION.replace(speaker_connection_id="other")) is False
    assert store.session(SESSION_ID) == session
    assert store.participant("other") is None


def test_connection_that_has_a_session_makes_no_other(store, session):
    with refused(ErrorCode.SESSION_ALREADY_EXISTS):
        store.create(SPEAKER, SESSION.replace(session_id="golden-eagle-428"))

    assert store.session("golden-eagle-428") is None


def test_index_has_the_open_listeners_only(store, session):
    store.join(participant("ann"), 500)
    store.join(participant("bob", language="de"), 500)
    store.join(participant("eve"), 500)
    store.set_language(store.participant("ann").replace(language="it"))
    store.leave("eve")

    assert sorted(indexed(store)) == [("ann", "it"), ("bob", "de")]


# --- listeners are counted once


def test_join_counts_and_leave_counts_back_once(store, session):
    joined = store.join(participant("ann"), 500)
    left = [store.leave("ann"), store.leave("ann")]

    assert (joined.listener_count, joined.audience) == (1, ["ann"])
    assert [departure.session is not None for departure in left] == [True, False]
    assert left[0].session.listener_count == store.session(SESSION_ID).listener_count == 0
    assert store.session(SESSION_ID).listeners == {}


def test_full_session_takes_nobody_until_one_leaves(store, session):
    store.join(participant("ann"), 1)

    with refused(ErrorCode.SESSION_MAX_LISTENERS_REACHED):
        store.join(participant("bob"), 1)
    assert store.participant("bob") is None

    store.leave("ann")
    assert store.join(participant("bob"), 1).audience == ["bob"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(lambda store: None, ErrorCode.SESSION_NOT_FOUND, id="none"),
        pytest.param(
            lambda store: (store.create(SPEAKER, SESSION), store.end_as_speaker(SPEAKER, "x")),
            ErrorCode.SESSION_INACTIVE,
            id="ended",
        ),
        pytest.param(
            lambda store: store.create(SPEAKER, SESSION.replace(ends_at=NOW_MS)),
            ErrorCode.SESSION_EXPIRED,
            id="expired",
        ),
    ],
)
def test_closed_session_takes_nobody_and_leaves_the_connection_free(store, change, code):
    change(store)

    with refused(code):
        store.join(participant("ann"), 500)

    assert store.participant("ann") is None


def test_join_that_was_answered_to_nobody_succeeds_when_it_is_sent_again(store, session):
    """A call whose answer was lost is repeated: the second one finds what the first has done."""
    store.join(participant("ann"), 500)

    assert store._add_listener(participant("ann"), 500).listener_count == 1


def test_connection_is_free_again_when_the_database_fails_half_way(store, session, monkeypatch):
    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr(store, "_add_listener", fail)
    with pytest.raises(RuntimeError):
        store.join(participant("ann"), 500)

    assert store.participant("ann") is None


def test_listener_on_another_connection_is_not_removed(store, session):
    store.join(participant("ann"), 500)

    assert store.remove_listener(SESSION_ID, "ann", "ann-2") is None
    assert store.session(SESSION_ID).audience == ["ann"]


def test_who_was_closed_but_not_counted_out_still_can_be(store, session):
    """As when a function dies between the two updates."""
    store.join(participant("ann"), 500)
    store.close("ann")

    assert store.leave("ann").session.listener_count == 0


# --- touch and mark


def test_touch_moves_the_last_activity_of_an_open_connection(store, session):
    store.now += 30

    assert store.touch("speaker") == SPEAKER.replace(last_activity_at=NOW_MS + 30_000)
    assert store.touch("nobody") is None


def test_touch_of_a_closed_connection_is_refused_and_makes_no_item(store, session):
    store.leave("speaker")

    with refused(ErrorCode.CONNECTION_CLOSED):
        store.touch("speaker")
    assert store.touch_if_open("speaker") is False
    assert store.touch_if_open("nobody") is False
    assert raw(store, "connections", connectionId="nobody") is None


def test_mark_is_set_once(store, session):
    assert [store.mark(SPEAKER, "warnedAt"), store.mark(SPEAKER, "warnedAt")] == [True, False]
    assert store.participant("speaker").warned_at == NOW_MS


# --- the speaker


def test_speaker_who_leaves_is_missed_once(store, session):
    store.leave("speaker")
    store.now += 5
    store.leave("speaker")

    assert store.session(SESSION_ID).speaker_gone_at == NOW_MS


def test_session_of_a_speaker_is_found_by_the_connection_or_by_what_was_found_before(
    store, session
):
    assert store.session_of_sender("speaker") == session
    assert store.session_of_sender("speaker", SESSION_ID) == session


def test_session_of_a_speaker_that_is_no_longer_there_is_not_found(store, session):
    store.sessions.delete(SESSION_ID)

    with refused(ErrorCode.SESSION_NOT_FOUND):
        store.session_of_sender("speaker")
    with refused(ErrorCode.SESSION_NOT_FOUND):
        store.session_of_sender("speaker", SESSION_ID)


@pytest.mark.parametrize(
    ("name", "code"),
    [("nobody", ErrorCode.SESSION_NOT_FOUND), ("ann", ErrorCode.AUTH_INVALID_ROLE)],
)
def test_who_is_no_speaker_is_refused_before_a_session_is_read(store, session, name, code):
    store.join(participant("ann"), 500)
    del store.sessions  # nothing is left that could read one

    with refused(code):
        store.session_of_sender(name)


def test_session_that_is_going_on_is_not_ended_as_over(store, session):
    assert store.end_over(session, "expired") is None
    assert store.session(SESSION_ID).status == "active"


def test_session_of_a_speaker_who_came_back_is_not_ended_as_over(store, session):
    store.leave("speaker")
    seen = store.session(SESSION_ID)
    reattach(store, "speaker-2", SESSION_ID, "wsr_speaker.secret", NOW_MS, 500)

    assert store.end_over(seen, "speakerDisconnected") is None


def test_session_over_is_ended_once_and_its_item_kept_for_an_hour(store, session):
    store.now += 7200
    ended = [store.end_over(session, "expired"), store.end_over(session, "expired")]

    assert [found is not None for found in ended] == [True, False]
    item = raw(store, "sessions", sessionId=SESSION_ID)
    assert (item["status"]["S"], item["endReason"]["S"]) == ("ended", "expired")
    assert item["endedAt"]["N"] == str((NOW + 7200) * 1000)
    assert item["expiresAt"]["N"] == str(NOW + 7200 + 3600)


# --- coming back


def test_listener_moves_to_another_connection_without_being_counted_twice(store, session):
    store.join(participant("ann"), 500)
    store.set_playback(store.participant("ann"), paused=True)

    moved = reattach(store, "ann-2", SESSION_ID, "wsr_ann.secret", NOW_MS, 500)

    found = store.session(SESSION_ID)
    assert (found.listener_count, found.audience, found.recipients("floor")) == (1, ["ann-2"], [])
    assert (moved.left_connection_id, moved.is_back) == ("ann", False)
    assert store.participant("ann").disconnected_at == NOW_MS
    assert indexed(store) == [("ann-2", "fr")]


def test_each_token_brings_the_next_one_and_its_item_is_kept_with_the_newest_connection(
    store, session
):
    store.join(participant("ann"), 500)

    left, token = [], "wsr_ann.secret"
    for number in (2, 3):
        store.now += 3000
        moved = reattach(store, f"ann-{number}", SESSION_ID, token, NOW_MS, 500)
        left.append(moved.left_connection_id)
        token = moved.token

    assert left == ["ann", "ann-2"]
    assert store.session(SESSION_ID).audience == ["ann-3"]
    kept = raw(store, "connections", connectionId="ann")["ttl"]["N"]
    assert kept == str(NOW + 6000 + 3 * 3600)


def test_closing_the_old_connection_late_takes_nobody_out(store, session):
    store.join(participant("ann"), 500)
    reattach(store, "ann-2", SESSION_ID, "wsr_ann.secret", NOW_MS, 500)

    store.leave("ann")

    assert store.session(SESSION_ID).audience == ["ann-2"]


def test_listener_who_was_counted_out_is_counted_again_with_the_last_language(store, session):
    store.join(participant("ann"), 500)
    reattach(store, "ann-2", SESSION_ID, "wsr_ann.secret", NOW_MS, 500)
    store.set_language(store.participant("ann-2").replace(language="it"))
    store.leave("ann-2")

    moved = reattach(store, "ann-3", SESSION_ID, "wsr_ann.secret", NOW_MS, 500)

    assert (moved.is_back, moved.left_connection_id) == (True, None)
    assert moved.session.listener_count == 1
    assert moved.session.languages == {"it": 1}
    assert store.participant("ann-3").language == "it"


def test_no_room_is_left_for_who_was_counted_out(store, session):
    store.join(participant("ann"), 1)
    store.leave("ann")
    store.join(participant("bob"), 1)

    with refused(ErrorCode.SESSION_MAX_LISTENERS_REACHED):
        reattach(store, "ann-2", SESSION_ID, "wsr_ann.secret", NOW_MS, 1)
    assert store.participant("ann-2") is None


def test_speaker_comes_back_and_is_no_longer_missed(store, session):
    store.leave("speaker")

    moved = reattach(store, "speaker-2", SESSION_ID, "wsr_speaker.secret", NOW_MS, 500)

    found = store.session(SESSION_ID)
    assert (found.speaker_connection_id, found.speaker_gone_at) == ("speaker-2", None)
    assert moved.left_connection_id is None  # it was closed before


def test_speaker_leaves_an_open_connection_which_may_do_nothing_any_more(store, session):
    moved = reattach(store, "speaker-2", SESSION_ID, "wsr_speaker.secret", NOW_MS, 500)

    assert moved.left_connection_id == "speaker"
    with refused(ErrorCode.CONNECTION_CLOSED):
        store.change_broadcast(SPEAKER, {"isPaused": True})
    with refused(ErrorCode.CONNECTION_CLOSED):
        store.end_as_speaker(SPEAKER, "speakerEnded")
    with refused(ErrorCode.CONNECTION_CLOSED):
        store.session_of_sender("speaker")
    with refused(ErrorCode.CONNECTION_CLOSED):
        store.session_of_sender("speaker", SESSION_ID)
    store.leave("speaker")
    assert store.session(SESSION_ID).speaker_gone_at is None


def test_refresh_that_is_asked_twice_is_answered_twice(store, session):
    first = reattach(store, "speaker-2", SESSION_ID, "wsr_speaker.secret", NOW_MS, 500)
    second = reattach(store, "speaker-2", SESSION_ID, "wsr_speaker.secret", NOW_MS, 500)

    assert (first.left_connection_id, second.left_connection_id) == ("speaker", None)
    assert second.session.speaker_connection_id == "speaker-2"


@pytest.mark.parametrize("name", ["speaker", "ann"])
def test_move_that_was_answered_to_nobody_is_sent_again_and_still_leaves_the_old_connection(
    store, session, monkeypatch, name
):
    store.join(participant("ann"), 500)
    real = moves._move

    def move_twice(*arguments):
        real(*arguments)
        return real(*arguments)

    monkeypatch.setattr(moves, "_move", move_twice)

    moved = reattach(store, "new", SESSION_ID, f"wsr_{name}.secret", NOW_MS, 500)

    assert moved.left_connection_id == name
    assert store.participant("new").disconnected_at is None


@pytest.mark.parametrize(
    ("session_id", "token"),
    [
        (SESSION_ID, "speaker.guess"),
        (SESSION_ID, "wsr_nobody.secret"),
        (SESSION_ID, "secret"),
        (SESSION_ID, ".secret"),
        ("golden-eagle-428", "wsr_speaker.secret"),
    ],
)
def test_wrong_token_says_nothing_and_changes_nothing(store, session, session_id, token):
    with refused(ErrorCode.AUTH_TOKEN_INVALID):
        reattach(store, "thief", session_id, token, NOW_MS, 500)

    assert store.session(SESSION_ID) == session
    assert store.participant("thief") is None


def test_token_ends_with_what_is_kept_of_its_connection(store, session):
    store.now += 3 * 3600

    with refused(ErrorCode.AUTH_TOKEN_EXPIRED):
        reattach(store, "speaker-2", SESSION_ID, "wsr_speaker.secret", NOW_MS, 500)


def test_connection_that_has_a_session_cannot_take_over_another_participant(store, session):
    store.join(participant("ann"), 500)
    store.join(participant("bob"), 500)

    with refused(ErrorCode.SESSION_ALREADY_EXISTS):
        reattach(store, "bob", SESSION_ID, "wsr_ann.secret", NOW_MS, 500)

    assert sorted(store.session(SESSION_ID).audience) == ["ann", "bob"]


@pytest.mark.parametrize("name", ["speaker", "ann"])
def test_nobody_comes_back_to_a_session_that_has_ended(store, session, name):
    store.join(participant("ann"), 500)
    store.end_as_speaker(SPEAKER, "speakerEnded")

    with refused(ErrorCode.SESSION_INACTIVE):
        reattach(store, "new", SESSION_ID, f"wsr_{name}.secret", NOW_MS, 500)


@pytest.mark.parametrize("name", ["speaker", "ann"])
def test_session_that_ends_while_someone_comes_back_leaves_the_connection_free(
    store, session, monkeypatch, name
):
    store.join(participant("ann"), 500)
    seen = store.session(SESSION_ID)
    store.end_as_speaker(SPEAKER, "speakerEnded")
    monkeypatch.setattr(store, "session", lambda _: seen)

    with refused(ErrorCode.SESSION_INACTIVE):
        reattach(store, "new", SESSION_ID, f"wsr_{name}.secret", NOW_MS, 500)
    assert store.participant("new") is None


# --- scans


class Pages(Table):
    """A table that answers scans with one item a page."""

    def scan(self, **arguments):
        return super().scan(Limit=1, **arguments)


def test_scans_go_over_all_pages_and_leave_out_what_is_over(store, session):
    for name in ("ann", "bob", "eve"):
        store.join(participant(name), 500)
    store.leave("bob")
    store.connections.table = Pages(store.connections.table.name)

    participants, are_all = store.open_participants(lambda: True)

    assert sorted(someone.connection_id for someone in participants) == [
        "ann",
        "eve",
        "speaker",
    ]
    assert are_all is True
    assert store.open_sessions(lambda: True) == ([store.session(SESSION_ID)], True)
    store.end_as_speaker(SPEAKER, "speakerEnded")
    assert store.open_sessions(lambda: True) == ([], True)


def test_scan_that_was_broken_off_goes_on_where_it_stopped(store, session):
    for name in ("ann", "bob", "eve"):
        store.join(participant(name), 500)
    store.connections.table = Pages(store.connections.table.name)
    time_left = iter([True, True, False])

    first, first_is_all = store.open_participants(lambda: next(time_left))
    second, second_is_all = store.open_participants(lambda: True)
    _, third_is_all = store.open_participants(lambda: True)

    names = [someone.connection_id for someone in first + second]
    assert sorted(names) == ["ann", "bob", "eve", "speaker"]
    assert len(first) == 2
    assert [first_is_all, second_is_all, third_is_all] == [False, False, True]


# --- failures


def test_failure_is_counted_by_operation_and_code_and_raised(store, failures):
    store.sessions.table = Table("NotThere")

    with pytest.raises(DynamoDBError) as read:
        store.session(SESSION_ID)
    with pytest.raises(DynamoDBError) as changed:
        store.change_broadcast(SPEAKER, {"isPaused": True})

    missing = "ResourceNotFoundException"
    assert failures == [("get_item", missing), ("update_item", missing)]
    assert read.value.code is changed.value.code is ErrorCode.INTERNAL_CONFIGURATION_ERROR


def test_condition_that_is_not_met_is_no_failure(store, session, failures):
    store.leave("nobody")
    store.leave("speaker")
    store.leave("speaker")

    assert failures == []


class Conflicting(Table):
    """A table whose transactions meet another one, a few times."""

    conflicts = 0

    def transact_write_items(self, **arguments):
        if self.conflicts:
            self.conflicts -= 1
            reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
            raise TransactionCanceled("TransactWriteItems", reasons)
        return super().transact_write_items(**arguments)


@pytest.mark.parametrize(("conflicts", "created"), [(2, True), (3, False)])
def test_transaction_that_meets_another_is_tried_again(store, conflicts, created):
    store.connections.table = Conflicting(store.connections.table.name)
    store.connections.table.conflicts = conflicts

    assert store.create(SPEAKER, SESSION) is created
    assert (store.session(SESSION_ID) is not None) is created
