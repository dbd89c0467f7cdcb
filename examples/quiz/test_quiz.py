"""The quiz with its table in a dictionary: no network, no AWS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from shared_utils import Request
from shared_utils.testing import CapturedLines, FakeConnections, FakeContext, message_event

import quiz
from quizzes import QuestionClosedError, Quiz, QuizNotFoundError

ID = "0123abcd"
QUESTION = {"text": "How much is 6 times 7?", "choices": ["36", "42"], "correct": 1}

Send = Callable[..., dict[str, Any]]


class QuizzesInMemory:
    """What `Quizzes` is to the quiz, in a dictionary of items."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.connected_ids: list[str] = []

    def create(self, quiz_id: str, host_id: str) -> None:
        """Add a quiz without players."""
        item = {"quizId": quiz_id, "hostId": host_id, "players": {}, "question": 0, "correct": 0}
        self.items[quiz_id] = item
        self.connected_ids.append(host_id)

    def get(self, quiz_id: str) -> Quiz:
        """Return a quiz."""
        if quiz_id not in self.items:
            raise QuizNotFoundError
        return Quiz(self.items[quiz_id])

    def add_player(self, quiz_id: str, connection_id: str, name: str) -> Quiz:
        """Add a player, if it is none yet."""
        player = {"name": name, "points": 0, "answered": 0}
        self.get(quiz_id).players.setdefault(connection_id, player)
        self.connected_ids.append(connection_id)
        return self.get(quiz_id)

    def connected(self, quiz_id: str) -> list[str]:
        """Return the connection ids of host and players who are connected."""
        return list(self.connected_ids)

    def send(
        self, quiz_id: str, message: object, request: Request[Any], exclude: tuple[str, ...] = ()
    ) -> None:
        """Send a message to host and players; who is gone is not connected from now on."""
        others = [one for one in self.connected_ids if one not in exclude]
        for gone in request.broadcast(others, message).gone:
            self.connected_ids.remove(gone)

    def ask(self, quiz_id: str, correct: int) -> Quiz:
        """Begin the next question."""
        self.items[quiz_id] |= {"correct": correct, "question": self.get(quiz_id).question + 1}
        return self.get(quiz_id)

    def count_answer(self, quiz: Quiz, connection_id: str, choice: int) -> Quiz:
        """Count a player's answer, once for a question."""
        player = quiz.players[connection_id]
        if player["answered"] >= quiz.question:
            raise QuestionClosedError
        player["answered"] = quiz.question
        player["points"] += quiz.is_correct(choice)
        return quiz


@pytest.fixture
def quizzes(monkeypatch: pytest.MonkeyPatch) -> QuizzesInMemory:
    """Return the quizzes; one has a host and two players."""
    quizzes = QuizzesInMemory()
    quizzes.create(ID, "host=")
    quizzes.add_player(ID, "ada=", "Ada")
    quizzes.add_player(ID, "alan=", "Alan")
    monkeypatch.setattr(quiz, "quizzes", quizzes)
    return quizzes


@pytest.fixture
def send(
    quizzes: QuizzesInMemory,
    monkeypatch: pytest.MonkeyPatch,
    connections: FakeConnections,
    lambda_context: FakeContext,
    log_lines: CapturedLines,
) -> Send:
    """Return a function that sends a message to the quiz and returns the handler's result."""
    monkeypatch.setattr(quiz.handler, "connections", connections)

    def send(connection_id: str, action: str, **fields: object) -> dict[str, Any]:
        event = message_event({"action": action, **fields}, connection_id)
        return quiz.handler(event, lambda_context)

    return send


def test_who_creates_a_quiz_is_its_host(
    send: Send, quizzes: QuizzesInMemory, connections: FakeConnections
) -> None:
    send("grace=", "createQuiz")

    [(to, reply)] = connections.sent
    assert (to, reply["type"]) == ("grace=", "quizCreated")
    assert quizzes.get(reply["quizId"]).host_id == "grace="


def test_who_joins_is_a_player(send: Send, quizzes: QuizzesInMemory) -> None:
    assert send("grace=", "joinQuiz", quizId=ID, name="Grace") == {"statusCode": 200}
    assert quizzes.get(ID).players["grace="]["name"] == "Grace"


def test_question_reaches_the_players_without_the_right_choice(
    send: Send, connections: FakeConnections
) -> None:
    send("host=", "askQuestion", quizId=ID, **QUESTION)

    assert [to for to, _ in connections.sent] == ["ada=", "alan=", "host="]
    assert {message["text"] for _, message in connections.sent} == {QUESTION["text"]}
    assert "correct" not in connections.sent[0][1]


def test_player_who_is_gone_does_not_keep_the_scores_back(
    send: Send, connections: FakeConnections
) -> None:
    connections.outcomes["alan="] = "gone"

    send("host=", "askQuestion", quizId=ID, **QUESTION)
    send("ada=", "answerQuestion", quizId=ID, choice=1)

    scores = [message["scores"] for _, message in connections.sent if message["type"] == "scores"]
    assert scores == [[{"name": "Ada", "points": 1}]] * 2  # to the host and to Ada


def test_last_answer_brings_the_scores_to_all(send: Send, connections: FakeConnections) -> None:
    send("host=", "askQuestion", quizId=ID, **QUESTION)
    send("alan=", "answerQuestion", quizId=ID, choice=0)
    connections.sent.clear()

    send("ada=", "answerQuestion", quizId=ID, choice=1)

    *scores, (_, reply) = connections.sent
    assert [to for to, _ in scores] == ["host=", "ada=", "alan="]
    assert scores[0][1]["scores"] == [{"name": "Ada", "points": 1}, {"name": "Alan", "points": 0}]
    assert (reply["type"], reply["isCorrect"]) == ("answerChecked", True)


def test_second_answer_of_a_player_is_refused(send: Send, connections: FakeConnections) -> None:
    send("host=", "askQuestion", quizId=ID, **QUESTION)
    send("ada=", "answerQuestion", quizId=ID, choice=0)

    assert send("ada=", "answerQuestion", quizId=ID, choice=1) == {"statusCode": 409}
    assert connections.sent[-1][1]["code"] == "QUESTION_CLOSED"


@pytest.mark.parametrize(
    ("sender", "message", "code"),
    [
        ("ada=", {"action": "askQuestion", **QUESTION}, "AUTH_INVALID_ROLE"),
        ("host=", {"action": "answerQuestion", "choice": 1}, "AUTH_INVALID_ROLE"),
        ("grace=", {"action": "answerQuestion", "choice": 1}, "AUTH_INVALID_ROLE"),
        ("ada=", {"action": "answerQuestion", "choice": 1}, "QUESTION_CLOSED"),
        (
            "host=",
            {"action": "askQuestion", **QUESTION, "correct": 2},
            "VALIDATION_INVALID_PARAMETER",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(
    send: Send, connections: FakeConnections, sender: str, message: dict[str, Any], code: str
) -> None:
    send(sender, quizId=ID, **message)

    assert connections.sent[0][1]["code"] == code


def test_quiz_that_there_is_not_is_refused(send: Send, connections: FakeConnections) -> None:
    send("ada=", "answerQuestion", quizId="00000000", choice=1)

    assert connections.sent[0][1]["code"] == "QUIZ_NOT_FOUND"


def test_failure_is_counted_and_not_shown(
    send: Send,
    monkeypatch: pytest.MonkeyPatch,
    connections: FakeConnections,
    log_lines: CapturedLines,
) -> None:
    monkeypatch.setattr(quiz, "quizzes", None)

    assert send("grace=", "createQuiz") == {"statusCode": 500}
    assert connections.sent[0][1]["code"] == "INTERNAL_SERVER_ERROR"
    assert log_lines.level("ERROR")[0]["error"]["type"] == "AttributeError"
    assert log_lines.metrics()["QuizFailures"] == [1]


def test_what_takes_too_long_is_ended_in_time_for_a_reply(
    send: Send, lambda_context: FakeContext, connections: FakeConnections
) -> None:
    lambda_context.remaining_ms = 500  # what the layer keeps for the reply

    assert send("grace=", "createQuiz") == {"statusCode": 500}
    assert connections.sent[0][1]["retryable"]
