"""Everything at once: whoever comes first, everyone is counted once."""

import itertools

import pytest


def test_joins_and_leaves_at_once_are_counted_exactly(system):
    session_id = system.open(*(f"old-{number}" for number in range(6)))
    joins = [
        lambda name=f"new-{number}": system.send(
            name, "joinSession", sessionId=session_id, targetLanguage="fr"
        )
        for number in range(8)
    ]
    leaves = [lambda name=f"old-{number}": system.disconnect(name) for number in range(6)]

    system.at_once(*joins, *leaves)

    session = system.store.session(session_id)
    assert sorted(session.audience) == [f"new-{number}" for number in range(8)]
    assert session.listener_count == 8
    kinds = [kind for name, kind in system.types() if name == "speaker"]
    assert (kinds.count("listenerJoined"), kinds.count("listenerLeft")) == (8, 6)


def test_one_who_leaves_in_four_ways_at_once_is_counted_out_once(system):
    session_id = system.open("ann", "bob")
    system.clients.gone.add("ann")
    system.clock.now += 120
    system.clients.active_at.update(speaker=system.clock.now, bob=system.clock.now)

    system.at_once(
        lambda: system.disconnect("ann"),
        lambda: system.disconnect("ann"),
        lambda: system.chunk("speaker"),
        lambda: system.send("speaker", "pauseBroadcast"),
        system.keep_house,
    )

    session = system.store.session(session_id)
    assert (session.audience, session.listener_count) == (["bob"], 1)
    assert [entry for entry in system.types() if entry[1] == "listenerLeft"] == [
        ("speaker", "listenerLeft")
    ]


@pytest.mark.threat("crowd")
def test_only_so_many_get_in_as_there_is_room(system):
    session_id = system.open()
    system.set("session", max_listeners=3)
    statuses = []

    system.at_once(
        *(
            lambda name=f"listener-{number}": statuses.append(
                system.send(name, "joinSession", sessionId=session_id, targetLanguage="fr")
            )
            for number in range(8)
        )
    )

    assert sorted(statuses) == [200] * 3 + [429] * 5
    assert system.store.session(session_id).listener_count == 3


def test_one_token_on_several_connections_at_once_moves_its_owner_to_one(system):
    session_id = system.open("ann", "bob")
    names = [f"ann-{number}" for number in range(2, 7)]

    system.at_once(
        *(
            lambda name=name: system.send(
                name,
                "refreshConnection",
                sessionId=session_id,
                refreshToken=system.tokens["ann"],
            )
            for name in names
        ),
        lambda: system.disconnect("ann"),
    )

    session = system.store.session(session_id)
    [kept] = set(session.audience) - {"bob"}
    assert session.listener_count == 2
    assert kept in names
    opened = {
        participant.connection_id for participant in system.store.open_participants(lambda: True)[0]
    }
    assert opened == {"speaker", "bob", kept}
    errors = {name for name, message in system.take() if message["type"] == "error"}
    assert kept not in errors | set(system.clients.closed)
    assert errors | set(system.clients.closed) >= set(names) - {kept}


def test_speaker_on_several_connections_at_once_speaks_from_one(system):
    session_id = system.open()
    names = [f"speaker-{number}" for number in range(2, 6)]

    system.at_once(
        *(
            lambda name=name: system.send(
                name,
                "refreshConnection",
                sessionId=session_id,
                refreshToken=system.tokens["speaker"],
            )
            for name in names
        )
    )

    speaking = system.store.session(session_id).speaker_connection_id
    opened = [
        participant.connection_id for participant in system.store.open_participants(lambda: True)[0]
    ]
    assert opened == [speaking]
    errors = {name for name, message in system.take() if message["type"] == "error"}
    assert speaking not in errors | set(system.clients.closed)
    assert errors | set(system.clients.closed) >= set(names) - {speaking}


def test_two_who_draw_the_same_id_get_a_session_each(system, monkeypatch):
    ids = itertools.chain(["able-bat-000"] * 2, (f"able-bat-{number:03}" for number in range(1, 9)))
    monkeypatch.setattr("handlers.session.new_session_id", lambda: next(ids))

    system.at_once(
        *(
            lambda name=name: system.send(name, "createSession", sourceLanguage="en")
            for name in ("a", "b")
        )
    )

    found = system.store.open_sessions(lambda: True)[0]
    assert sorted(session.speaker_connection_id for session in found) == ["a", "b"]
    assert len({session.session_id for session in found}) == 2


def test_one_connection_that_asks_twice_at_once_gets_one_session(system):
    statuses = []

    system.at_once(
        *(
            lambda: statuses.append(system.send("a", "createSession", sourceLanguage="en"))
            for _ in range(4)
        )
    )

    assert sorted(statuses) == [200, 409, 409, 409]
    assert len(system.store.open_sessions(lambda: True)[0]) == 1


@pytest.mark.threat("flood-sessions")
def test_sessions_of_one_address_are_counted_exactly(system):
    statuses = []

    system.at_once(
        *(
            lambda name=f"speaker-{number}": statuses.append(
                system.send(name, "createSession", sourceLanguage="en")
            )
            for number in range(9)
        )
    )

    assert sorted(statuses) == [200] * 5 + [429] * 4


def test_two_runs_of_housekeeping_at_once_do_everything_once(system):
    system.open("ann")
    system.open("bob", speaker="late")
    system.clock.now += 6600
    for name in ("speaker", "ann", "late", "bob"):
        system.store.touch(name)
    system.disconnect("late")
    system.clock.now += 60

    system.at_once(system.keep_house, system.keep_house)

    kinds = [kind for _, kind in system.types() if kind != "sessionStatus"]
    assert sorted(kinds) == sorted(
        [
            *["connectionWarning", "connectionRefreshRequired", "connectionRefresh"] * 2,
            "sessionEnded",
        ]
    )
