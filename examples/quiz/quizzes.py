"""The quizzes in DynamoDB: a table with the key `quizId`, an item for each quiz."""

from __future__ import annotations

import time
from functools import cached_property
from typing import Any

from shared_utils import get_table_name

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

    @property
    def is_answered(self) -> bool:
        """Whether all players have answered the last question."""
        return all(player["answered"] == self.question for player in self.players.values())

    @property
    def everybody(self) -> list[str]:
        """The connection ids of host and players."""
        return [self.host_id, *self.players]

    def scores(self) -> ScoresMessage:
        """Return the players' points, the best first."""
        players = sorted(self.players.values(), key=lambda player: -player["points"])
        scores = [Score(name=player["name"], points=player["points"]) for player in players]
        return ScoresMessage(quizId=self.quiz_id, scores=scores)


class Quizzes:
    """All quizzes; each change is one conditional write, so that none is lost."""

    @cached_property
    def _table(self) -> Any:
        import boto3  # type: ignore  # its types are in boto3-stubs

        return boto3.resource("dynamodb").Table(get_table_name("QUIZZES_TABLE_NAME", "Quizzes"))

    def create(self, quiz_id: str, host_id: str) -> None:
        """Add a quiz without players."""
        expires_at = int(time.time()) + CONNECTION_SECONDS
        item = {"quizId": quiz_id, "hostId": host_id, "expiresAt": expires_at, "players": {}}
        self._table.put_item(Item={**item, "question": 0, "correct": 0})

    def get(self, quiz_id: str) -> Quiz:
        """Return a quiz."""
        answer = self._table.get_item(Key={"quizId": quiz_id}, ConsistentRead=True)
        if "Item" not in answer:
            raise QuizNotFoundError
        return Quiz(answer["Item"])

    def add_player(self, quiz_id: str, connection_id: str, name: str) -> Quiz:
        """Add a player, if it is none yet."""
        player = {"name": name, "points": 0, "answered": 0}
        return self._update(
            quiz_id,
            QuizNotFoundError,
            UpdateExpression="SET players.#id = if_not_exists(players.#id, :player)",
            ConditionExpression="attribute_exists(quizId)",
            ExpressionAttributeNames={"#id": connection_id},
            ExpressionAttributeValues={":player": player},
        )

    def remove_players(self, quiz_id: str, connection_ids: list[str]) -> None:
        """Remove players."""
        names = {f"#{place}": one for place, one in enumerate(connection_ids)}
        if names:
            self._update(
                quiz_id,
                QuizNotFoundError,
                UpdateExpression="REMOVE " + ", ".join(f"players.{name}" for name in names),
                ConditionExpression="attribute_exists(quizId)",
                ExpressionAttributeNames=names,
            )

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

    def _update(self, quiz_id: str, refusal: type[QuizError], **expressions: object) -> Quiz:
        """Return a quiz after a change of it; raise `refusal` if the condition is not met."""
        try:
            answer = self._table.update_item(
                Key={"quizId": quiz_id}, ReturnValues="ALL_NEW", **expressions
            )
        except self._table.meta.client.exceptions.ConditionalCheckFailedException as error:
            raise refusal from error
        return Quiz(answer["Attributes"])
