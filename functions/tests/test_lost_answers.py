"""DynamoDB does what it is asked, and its answer is lost: everything is done once all the same."""

import pytest


def play(system) -> list:
    """Play a whole session, with every call of DynamoDB; return what was answered and sent."""
    session_id = ""

    def say(name, action, **fields):
        return system.send(name, action, sessionId=session_id, **fields)

    def create(name):
        return system.send(name, "createSession", sourceLanguage="en")

    def join(name, language):
        return say(name, "joinSession", targetLanguage=language)

    def refresh(name, new_name):
        return say(new_name, "refreshConnection", refreshToken=system.tokens[name])

    def grow_old(seconds, *names):
        system.clock.now += seconds
        return [system.store.touch_if_open(name) for name in names]

    steps = [
        lambda: create("speaker"),
        *(lambda: create("other"), lambda: create("other")),
        *(lambda: join("ann", "fr"), lambda: join("bob", "de"), lambda: join("eve", "fr")),
        lambda: join("ann", "fr"),
        lambda: system.send("ann", "heartbeat"),
        *(lambda: say("ann", "pausePlayback"), lambda: say("ann", "resumePlayback")),
        lambda: say("bob", "changeLanguage", targetLanguage="it"),
        *(lambda: say("speaker", "pauseBroadcast"), lambda: say("speaker", "resumeBroadcast")),
        lambda: say("speaker", "setVolume", volumeLevel=0.25),
        lambda: say("speaker", "getSessionStatus"),
        lambda: system.chunk("speaker", sessionId=session_id),
        *(lambda: refresh("speaker", "speaker-2"), lambda: refresh("bob", "bob-2")),
        *(lambda: system.disconnect("eve"), lambda: system.disconnect("eve")),
        *(lambda: system.disconnect("bob-2"), lambda: refresh("bob", "bob-3")),
        *(lambda: system.disconnect("speaker-2"), lambda: refresh("speaker", "speaker-3")),
        lambda: system.chunk("speaker-3", sessionId=session_id),
        *(lambda: refresh("bob-3", "bob-4"), lambda: refresh("bob-3", "bob-4")),
        *(lambda: join("joe", "fr"), lambda: refresh("joe", "joe-2")),
        *(lambda: system.send("joe-2", "heartbeat"), lambda: refresh("joe", "thief")),
        lambda: refresh("joe-2", "joe-3"),
        lambda: grow_old(6600, "speaker-3", "ann", "bob-4"),
        *(system.keep_house, system.keep_house),
        *(lambda: say("speaker-3", "endSession"), lambda: say("speaker-3", "endSession")),
        lambda: create("late"),
        lambda: grow_old(7200, "late"),
        system.keep_house,
    ]
    heard = []
    for step in steps:
        answer, sent = step(), system.take()
        for name, message in sent:
            session_id = session_id or message.get("sessionId", "")
            if "refreshToken" in message:
                system.tokens[name] = message["refreshToken"]
        heard.append((answer, sorted((name, *known(message)) for name, message in sent)))
    return [*heard, sorted(system.clients.closed)]


def known(fields: dict) -> list[str]:
    """Return what is the same in every run."""
    random = {"sessionId", "refreshToken", "refreshTokenHash", "speakerTokenHash", "timestamp"}
    random |= {"correlationId", "tokenHash", "interpreterKey", "interpreterKeyHash"}
    found = [
        f"{name}: {value}"
        for name, value in fields.items()
        if name not in {*random, "rotation", "attempts"}
    ]
    if attempts := fields.get("attempts", {}).get("M"):
        found.append(f"attempts: {[*attempts.values()]}")
    if rotation := fields.get("rotation", {}).get("M"):
        newest = [given["M"]["connectionId"]["S"] for given in rotation["newest"]["L"]]
        found.append(f"rotation: {newest} {len(rotation['before']['L'])} {rotation['at']}")
    return sorted(found)


def stored(dynamodb, tables) -> list:
    """Return what is the same in every run of all items, and delete them."""
    found = []
    for name, key in (
        ("sessions", "sessionId"),
        ("connections", "connectionId"),
        ("counters", "identifier"),
    ):
        for item in dynamodb.scan(TableName=tables[name], ConsistentRead=True)["Items"]:
            found.append((name, known(item)))
            dynamodb.delete_item(TableName=tables[name], Key={key: item[key]})
    return sorted(found)


@pytest.mark.parametrize("what", ["answer", "request"])
@pytest.mark.parametrize("times", [1, 2])
def test_session_in_which_every_write_is_lost_is_as_one_in_which_none_is(
    proxy, dynamodb, tables, unhurried, make_system, what, times
):
    heard = play(make_system())
    before = stored(dynamodb, tables)

    proxy.lose(lambda operation, count: what if count <= times else "")
    heard_again = play(make_system())

    assert heard_again == heard
    assert stored(dynamodb, tables) == before
    assert set(proxy.lost) == {
        *("GetItem", "PutItem", "UpdateItem", "TransactWriteItems", "Scan"),
    }


def test_creation_whose_count_is_lost_is_allowed_and_counted_once(proxy, make_system):
    """An addition cannot be seen in the item, so it is not asked for again."""
    system = make_system()
    counters = system.app("session").counters
    assert counters.count_creation("192.0.2.1", 3) == 0
    system.clock.now += 1

    proxy.lose(lambda operation, count: "answer" if count == 1 else "")
    assert counters.count_creation("192.0.2.1", 3) == 0
    assert proxy.lost == {"UpdateItem": 2}

    proxy.lose(lambda operation, count: "")
    assert [counters.count_creation("192.0.2.1", 3) for _ in range(2)] == [0, 59_000]


def test_write_whose_answers_are_all_lost_is_a_failure_that_says_so(proxy, make_system):
    system = make_system()
    system.open()

    proxy.lose(lambda operation, count: "answer")
    assert system.send("speaker", "pauseBroadcast") == 500

    assert [message["code"] for _, message in system.take()] == ["INTERNAL_DATABASE_ERROR"]
    [failure] = [line for line in system.lines() if "DynamoDBErrors" in line]
    assert failure["Operation"] == "update_item"
    assert "outcome unknown" in failure["error"]["notes"][0]
    assert proxy.lost == {"UpdateItem": 3}


def test_write_ends_with_its_time_and_not_only_with_its_tries(proxy, make_system, monkeypatch):
    monkeypatch.setattr("broadcast.tables.CALL_SECONDS", 0.2)
    system = make_system()
    system.open()

    proxy.lose(lambda operation, count: "time")
    assert system.send("speaker", "pauseBroadcast") == 500

    assert [message["code"] for _, message in system.take()] == ["INTERNAL_DATABASE_ERROR"]
    assert proxy.lost == {"UpdateItem": 1}
