"""A quiz: a host asks, players answer, and all get the scores. What blocks runs in a thread."""

from __future__ import annotations

import secrets
from asyncio import timeout, to_thread
from collections.abc import Callable
from typing import Any

from shared_utils import ApplicationError, Request, ServerMessage, WebSocketHandler

import quiz_messages as messages
from quizzes import QuizError, Quizzes

quizzes = Quizzes()


def role_of(request: Request[Any]) -> str | None:
    """Return what the sender is in its quiz; asked for by the routes that name a role."""
    quiz = request.caller = quizzes.get(request.message.quizId)
    return quiz.role_of(request.connection_id)


handler = WebSocketHandler("Quiz", role_of=role_of)


@handler.middleware
async def in_time(request: Request[Any], call_next: Callable[[Request[Any]], Any]) -> object:
    """Leave time for a reply, whatever is slow."""
    async with timeout(request.remaining_seconds):
        return await call_next(request)


@handler.exception_handler(QuizError)
def refuse(error: QuizError, request: Request[Any]) -> None:
    """Let the client know what was refused."""
    raise ApplicationError(error.code) from error


@handler.on_failure
def count_failure(error: BaseException, request: Request[Any]) -> None:
    """Count what nobody expected, by class; Sentry's `capture_exception` could stand here, too."""
    handler.metrics.emit_metric("QuizFailures", 1, "Count", {"ErrorType": type(error).__name__})


@handler.route(messages.CreateQuiz)
async def create_quiz(request: Request[messages.CreateQuiz]) -> ServerMessage:
    """Open a quiz, with the sender as its host."""
    quiz_id = secrets.token_hex(4)
    await to_thread(quizzes.create, quiz_id, request.connection_id)
    return messages.QuizCreatedMessage(quizId=quiz_id)


@handler.route(messages.JoinQuiz)
async def join_quiz(request: Request[messages.JoinQuiz]) -> ServerMessage:
    """Add the sender to the players."""
    quiz_id, name = request.message.quizId, request.message.name
    await to_thread(quizzes.add_player, quiz_id, request.connection_id, name)
    return messages.QuizJoinedMessage(quizId=quiz_id, name=name)


@handler.route(messages.AskQuestion, role="host")
async def ask_question(request: Request[messages.AskQuestion]) -> ServerMessage:
    """Send the host's question to all players."""
    asked = request.message
    await to_thread(quizzes.ask, asked.quizId, asked.correct)
    question = messages.QuestionMessage(quizId=asked.quizId, text=asked.text, choices=asked.choices)
    await to_thread(quizzes.send, asked.quizId, question, request, [request.connection_id])
    return question


@handler.route(messages.AnswerQuestion, role="player")
async def answer_question(request: Request[messages.AnswerQuestion]) -> ServerMessage:
    """Count a player's answer; the last one of those who are connected brings the scores to all."""
    choice = request.message.choice
    quiz = await to_thread(quizzes.count_answer, request.caller, request.connection_id, choice)
    connected = await to_thread(quizzes.connected, quiz.quiz_id)
    if quiz.is_answered_by(connected):
        await to_thread(quizzes.send, quiz.quiz_id, quiz.scores_of(connected), request)
    return messages.AnswerCheckedMessage(quizId=quiz.quiz_id, isCorrect=quiz.is_correct(choice))
