"""What clients send to the quiz, what they get, and the codes of what is refused."""

from __future__ import annotations

from typing import Annotated

from shared_utils import (
    ClientMessage,
    ErrorCodeBase,
    Limits,
    Record,
    ServerMessage,
    ValidationError,
)

QuizId = Annotated[str, Limits(pattern="[0-9a-f]{8}")]
Name = Annotated[str, Limits(min_length=1, max_length=40)]
Text = Annotated[str, Limits(min_length=1, max_length=200)]
Choices = Annotated[list[Text], Limits(min_length=2, max_length=6)]
Choice = Annotated[int, Limits(minimum=0, maximum=5)]


class QuizCode(ErrorCodeBase):
    """Value, HTTP status, sentence for people, whether to try again."""

    QUIZ_NOT_FOUND = "QUIZ_NOT_FOUND", 404, "There is no such quiz", False
    QUESTION_CLOSED = "QUESTION_CLOSED", 409, "This question is closed for you", False


class CreateQuiz(ClientMessage):
    """Open a quiz, and be its host."""


class JoinQuiz(ClientMessage):
    """Become a player."""

    quizId: QuizId
    name: Name


class AskQuestion(ClientMessage):
    """Ask all players. `correct` is the place of the right choice, from 0."""

    quizId: QuizId
    text: Text
    choices: Choices
    correct: Choice

    def check(self) -> None:
        """Refuse a place that no choice has."""
        if self.correct >= len(self.choices):
            raise ValidationError("correct must be the place of a choice", "correct")


class AnswerQuestion(ClientMessage):
    """Choose an answer, once."""

    quizId: QuizId
    choice: Choice


class QuizCreatedMessage(ServerMessage):
    """The quiz is open. To its host."""

    quizId: QuizId


class QuizJoinedMessage(ServerMessage):
    """Somebody has become a player. To the host and to the player."""

    quizId: QuizId
    name: Name


class QuestionMessage(ServerMessage):
    """A question. To all players and the host."""

    quizId: QuizId
    text: Text
    choices: Choices


class AnswerCheckedMessage(ServerMessage):
    """Whether an answer was right. To its player."""

    quizId: QuizId
    isCorrect: bool


class Score(Record):
    """The points of a player."""

    name: Name
    points: int


class ScoresMessage(ServerMessage):
    """The points of all. To everybody, once all players have answered."""

    quizId: QuizId
    scores: list[Score]
