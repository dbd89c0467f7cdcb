"""DynamoDB does what it is asked, and its answer is lost: everything is done once all the same."""

import pytest


class Play:
    """A session that is played step by step; `heard` is what was answered and sent."""

    def __init__(self, system) -> None:
        self.system = system
        self.session_id = ""
        self.heard: list = []

    def do(self, steps) -> list:
        """Do all steps, and return what came of each."""
        for step in steps:
            answer, sent = step(), self.system.take()
            for name, message in sent:
                self.session_id = self.session_id or message.get("sessionId", "")
                if "refreshToken" in message:
                    self.system.tokens[name] = message["refreshToken"]
                if "interpreterKey" in message:
                    keys = self.system.interpreter_keys
                    keys[message["sessionId"]] = message["interpreterKey"]
            self.heard.append((answer, sorted((name, *known(message)) for name, message in sent)))
        return [*self.heard, sorted(self.system.clients.closed)]

    def say(self, name, action, **fields):
        return self.system.send(name, action, sessionId=self.session_id, **fields)

    def create(self, name):
        return self.system.send(name, "createSession", sourceLanguage="en")

    def join(self, name, language, **fields):
        return self.say(name, "joinSession", targetLanguage=language, **fields)

    def interpret(self, name, language, **fields):
        return self.system.interpret(name, self.session_id, language, **fields)

    def remove(self, language):
        return self.say("speaker", "removeInterpreter", language=language)

    def refresh(self, name, new_name):
        return self.say(new_name, "refreshConnection", refreshToken=self.system.tokens[name])

    def grow_old(self, seconds, *names):
        self.system.clock.now += seconds
        return [self.system.store.touch_if_open(name) for name in names]


def play(system) -> list:
    """Play a whole session, with every call of DynamoDB; return what was answered and sent."""
    p = Play(system)
    steps = [
        lambda: p.create("speaker"),
        *(lambda: p.create("other"), lambda: p.create("other")),
        *(lambda: p.join("ann", "fr"), lambda: p.join("bob", "de"), lambda: p.join("eve", "fr")),
        lambda: p.join("ann", "fr"),
        lambda: system.send("ann", "heartbeat"),
        *(lambda: p.say("ann", "pausePlayback"), lambda: p.say("ann", "resumePlayback")),
        lambda: p.say("bob", "changeLanguage", targetLanguage="it"),
        *(lambda: p.say("speaker", "pauseBroadcast"), lambda: p.say("speaker", "resumeBroadcast")),
        lambda: p.say("speaker", "setVolume", volumeLevel=0.25),
        lambda: p.say("speaker", "getSessionStatus"),
        lambda: system.chunk("speaker", sessionId=p.session_id),
        *(lambda: p.refresh("speaker", "speaker-2"), lambda: p.refresh("bob", "bob-2")),
        *(lambda: system.disconnect("eve"), lambda: system.disconnect("eve")),
        *(lambda: system.disconnect("bob-2"), lambda: p.refresh("bob", "bob-3")),
        *(lambda: system.disconnect("speaker-2"), lambda: p.refresh("speaker", "speaker-3")),
        lambda: system.chunk("speaker-3", sessionId=p.session_id),
        *(lambda: p.refresh("bob-3", "bob-4"), lambda: p.refresh("bob-3", "bob-4")),
        *(lambda: p.join("joe", "fr"), lambda: p.refresh("joe", "joe-2")),
        *(lambda: system.send("joe-2", "heartbeat"), lambda: p.refresh("joe", "thief")),
        lambda: p.refresh("joe-2", "joe-3"),
        lambda: p.grow_old(6600, "speaker-3", "ann", "bob-4"),
        *(system.keep_house, system.keep_house),
        *(lambda: p.say("speaker-3", "endSession"), lambda: p.say("speaker-3", "endSession")),
        lambda: p.create("late"),
        lambda: p.grow_old(7200, "late"),
        system.keep_house,
    ]
    return p.do(steps)


def play_interpreted(system) -> list:
    """Play a session with interpreters, and all that is done to them; return what was answered and sent."""
    p = Play(system)
    steps = [
        lambda: p.create("speaker"),
        *(lambda: p.join("ann", "de-AT", captions=True), lambda: p.join("bob", "fr")),
        *(lambda: p.interpret("ida", "de", captions=True), lambda: p.interpret("eve", "de")),
        *(lambda: p.interpret("fay", "fr"), lambda: p.interpret("cap", "en")),
        *(lambda: p.interpret("ida", "it"), lambda: p.join("fay", "de")),
        *(lambda: system.chunk("speaker"), lambda: system.chunk("ida", 1)),
        *(lambda: system.caption("cap"), lambda: system.caption("ida")),
        lambda: p.say("bob", "changeLanguage", targetLanguage="de", captions=True),
        lambda: p.say("bob", "changeLanguage", targetLanguage="fr", audio="original"),
        lambda: p.grow_old(3, "ann"),
        *(lambda: system.send("ida", "heartbeat"), lambda: system.send("cap", "heartbeat")),
        lambda: p.grow_old(7, "ann"),
        lambda: p.interpret("flo", "fr"),  # in the place of Fay, who is silent
        *(lambda: system.send("fay", "heartbeat"), lambda: p.refresh("fay", "fay-2")),
        *(lambda: p.refresh("ida", "ida-2"), lambda: system.disconnect("ida")),
        lambda: p.grow_old(7, "ann"),
        lambda: system.chunk("ida-2", 2),  # which is her sign
        lambda: system.send("flo", "heartbeat"),
        *(lambda: system.disconnect("ida-2"), lambda: p.refresh("ida-2", "ida-3")),
        *(lambda: p.remove("de"), lambda: p.refresh("ida-3", "ida-4"), lambda: p.remove("it")),
        *(lambda: p.interpret("ivo", "de"), lambda: system.caption("ivo")),
        lambda: p.grow_old(9, "ann", "bob"),
        lambda: system.send("ivo", "heartbeat"),
        system.keep_house,
        lambda: p.grow_old(31, "ann", "bob"),
        *(lambda: system.chunk("speaker", 9), lambda: system.disconnect("flo")),
        system.keep_house,  # Ivo is silent
        *(lambda: p.interpret("ina", "de"), lambda: p.say("speaker", "endSession")),
        *(lambda: p.refresh("ina", "ina-2"), lambda: p.interpret("tom", "it")),
    ]
    return p.do(steps)


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


# Each of the three with each of the others; `make long` has all of them together.
@pytest.mark.parametrize(
    ("play", "deletes", "times", "what"),
    [
        pytest.param(play, set(), 1, "request", id="once-request", marks=pytest.mark.long),
        pytest.param(play, set(), 2, "answer", id="twice-answer"),
        pytest.param(play, set(), 1, "answer", id="once-answer", marks=pytest.mark.long),
        pytest.param(play, set(), 2, "request", id="twice-request", marks=pytest.mark.long),
        pytest.param(
            *(play_interpreted, {"DeleteItem"}, 1, "answer"),
            id="interpreted-once-answer",
            marks=pytest.mark.long,
        ),
        pytest.param(
            play_interpreted, {"DeleteItem"}, 2, "request", id="interpreted-twice-request"
        ),
        pytest.param(
            *(play_interpreted, {"DeleteItem"}, 1, "request"),
            id="interpreted-once-request",
            marks=pytest.mark.long,
        ),
        pytest.param(
            *(play_interpreted, {"DeleteItem"}, 2, "answer"),
            id="interpreted-twice-answer",
            marks=pytest.mark.long,
        ),
    ],
)
def test_session_in_which_every_write_is_lost_is_as_one_in_which_none_is(
    proxy, dynamodb, tables, unhurried, make_system, what, times, play, deletes
):
    heard = play(make_system())
    before = stored(dynamodb, tables)

    proxy.lose(lambda operation, count: what if count <= times else "")
    heard_again = play(make_system())

    assert heard_again == heard
    assert stored(dynamodb, tables) == before
    assert set(proxy.lost) == {
        *("GetItem", "PutItem", "UpdateItem", "TransactWriteItems", "Scan"),
        *deletes,
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
