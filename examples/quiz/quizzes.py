"""The quizzes in DynamoDB: an item for each in the table that says who is connected to it."""

from __future__ import annotations

import time
from collections.abc import Container, Iterable
from functools import cached_property
from typing import Any

from shared_utils import ConditionFailed, Groups, Request, ServerMessage, Table, get_table_name

from quiz_messages import Score, ScoresMessage

# API Gateway ends a connection after two hours; then DynamoDB removes the item, by its TTL attribute.
CONNECTION_SECONDS = 2 * 3600


class QuizError(Exception):
    """What a quiz refuses; `code` is its error code."""

    code = ""


class QuizNotFoundError(QuizError):
    """There is no quiz with this id."""

    code = "QUIZ_NOT_FOUND"


class QuestionClosedError(QuizError):
    """The player has answered before, or another question has been asked since."""

    code = "QUESTION_CLOSED"


class Quiz:
    """A quiz as its item in the table has it; players by connection id."""

    def __init__(self, item: dict[str, Any]) -> None:
        self.quiz_id: str = item["quizId"]
        self.host_id: str = item["hostId"]
        self.question: int = item["question"]  # counts the questions that were asked
        self.correct: int = item["correct"]  # the right choice of the last one
        self.players: dict[str, dict[str, Any]] = item["players"]

    def role_of(self, connection_id: str) -> str | None:
        """Return "host", "player", or None for somebody else."""
        if connection_id == self.host_id:
            return "host"
        return "player" if connection_id in self.players else None

    def is_correct(self, choice: int) -> bool:
        """Return whether a choice is right."""
        return choice == self.correct

    def is_answered_by(self, connected: Container[str]) -> bool:
        """Return whether all players who are connected have answered the last question."""
        return all(one["answered"] == self.question for one in self._players(connected))

    def scores_of(self, connected: Container[str]) -> ScoresMessage:
        """Return the points of the players who are connected, the best first."""
        players = sorted(self._players(connected), key=lambda player: -player["points"])
        scores = [Score(name=player["name"], points=player["points"]) for player in players]
        return ScoresMessage(quizId=self.quiz_id, scores=scores)

    def _players(self, connected: Container[str]) -> list[dict[str, Any]]:
        return [player for key, player in self.players.items() if key in connected]


class Quizzes:
    """All quizzes; each change is one conditional write, so that none is lost."""

    def __init__(self) -> None:
        self._table_name = get_table_name("QUIZZES_TABLE_NAME", "Quizzes")
        self._groups = Groups(self._table_name)

    @cached_property
    def _table(self) -> Table:
        return Table(self._table_name)

    def create(self, quiz_id: str, host_id: str) -> None:
        """Add a quiz without players."""
        expires_at = int(time.time()) + CONNECTION_SECONDS
        item = {"quizId": quiz_id, "hostId": host_id, "expiresAt": expires_at, "players": {}}
        self._table.put_item(Item={**_key(quiz_id), **item, "question": 0, "correct": 0})
        self._groups.join(quiz_id, host_id, CONNECTION_SECONDS)

    def get(self, quiz_id: str) -> Quiz:
        """Return a quiz."""
        answer = self._table.get_item(Key=_key(quiz_id), ConsistentRead=True)
        if "Item" not in answer:
            raise QuizNotFoundError
        return Quiz(answer["Item"])

    def add_player(self, quiz_id: str, connection_id: str, name: str) -> Quiz:
        """Add a player, if it is none yet."""
        player = {"name": name, "points": 0, "answered": 0}
        quiz = self._update(
            quiz_id,
            QuizNotFoundError,
            UpdateExpression="SET players.#id = if_not_exists(players.#id, :player)",
            ConditionExpression="attribute_exists(quizId)",
            ExpressionAttributeNames={"#id": connection_id},
            ExpressionAttributeValues={":player": player},
        )
        self._groups.join(quiz_id, connection_id, CONNECTION_SECONDS)
        return quiz

    def connected(self, quiz_id: str) -> Container[str]:
        """Return the connection ids of host and players who are connected, as far as is known."""
        return self._groups.members(quiz_id)

    def send(
        self,
        quiz_id: str,
        message: ServerMessage,
        request: Request[Any],
        exclude: Iterable[str] = (),
    ) -> None:
        """Send a message to host and players; who is gone is not connected from now on."""
        self._groups.broadcast(quiz_id, message, request, exclude=exclude)

    def ask(self, quiz_id: str, correct: int) -> Quiz:
        """Begin the next question."""
        return self._update(
            quiz_id,
            QuizNotFoundError,
            UpdateExpression="SET correct = :correct, question = question + :one",
            ConditionExpression="attribute_exists(quizId)",
            ExpressionAttributeValues={":correct": correct, ":one": 1},
        )

    def count_answer(self, quiz: Quiz, connection_id: str, choice: int) -> Quiz:
        """Count a player's answer, once for a question."""
        return self._update(
            quiz.quiz_id,
            QuestionClosedError,
            UpdateExpression=(
                "SET players.#id.answered = :question,"
                " players.#id.points = players.#id.points + :points"
            ),
            ConditionExpression="question = :question AND players.#id.answered < :question",
            ExpressionAttributeNames={"#id": connection_id},
            ExpressionAttributeValues={
                ":question": quiz.question,
                ":points": int(quiz.is_correct(choice)),
            },
        )

    def _update(self, quiz_id: str, refusal: type[QuizError], **expressions: Any) -> Quiz:
        """Return a quiz after a change of it; raise `refusal` if the condition is not met."""
        try:
            answer = self._table.update_item(
                Key=_key(quiz_id), ReturnValues="ALL_NEW", **expressions
            )
        except ConditionFailed as error:
            raise refusal from error
        return Quiz(answer["Attributes"])


def _key(quiz_id: str) -> dict[str, str]:
    return {"pk": f"quiz#{quiz_id}", "sk": "quiz"}
