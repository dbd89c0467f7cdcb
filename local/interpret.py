"""`interpret` and `caption`: a file with sound as a channel of a session, and a WebVTT file as its captions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .captions import read_cues
from .client import connect, stream, stream_captions, without_audio
from .notices import Notices
from .results import ExitCode, TalkError
from .sending import CHUNK_MS, Sent, ask, attempt, finish, linger, opened, prepared, shown_as

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from rich.console import Console

    from .client import SessionClient

__all__ = ["caption", "interpret"]


async def interpret(
    url: str,
    session_id: str,
    language: str,
    path: Path,
    console: Console,
    *,
    key: str,
    token: str | None = None,
    origin: str | None = None,
) -> None:
    """Join a session as the interpreter of a language, stream a recording into its channel, and leave.

    TalkError unless all of it was sent, and none of it refused.
    """
    async with (
        opened(path, console) as file,
        connect(url, origin=origin, token=token) as client,
    ):
        ready = await _join(client, session_id, language, key)
        if ready["language"] == ready["sourceLanguage"]:
            sentence = (
                f"{language} is what the speaker speaks: it has no channel, but may have captions"
            )
            raise TalkError(ExitCode.FAILED, sentence)
        sound, notices = file.fit_for(ready["audioFormat"]), Notices(console)
        sent = prepared(sound, console, is_guest=True)
        console.print(f"interpreting {session_id} for {language}: {sound.seconds:.1f} s")
        chunks, count = sound.chunks(CHUNK_MS), shown_as(sent, notices)
        await _send(client, sent, stream(client, chunks, CHUNK_MS / 1000, sent=count), notices)
    console.print(sent.report())
    if sent.problem:
        raise sent.problem


async def caption(
    url: str,
    session_id: str,
    language: str,
    path: Path,
    console: Console,
    *,
    key: str,
    token: str | None = None,
    origin: str | None = None,
) -> None:
    """Join a session as an interpreter, send the captions of a WebVTT file in time, and leave.

    TalkError unless all of them were sent, and none refused.
    """
    cues = read_cues(path)
    sent = Sent(len(cues), "caption", is_guest=True)
    async with connect(url, origin=origin, token=token) as client:
        ready = await _join(client, session_id, language, key)
        last = cues[-1].due_seconds
        console.print(f"captioning {session_id} in {language}: the last one is due in {last:.1f} s")
        if ready["language"] != ready["sourceLanguage"]:
            console.print(
                f"whoever listens in {language} hears this channel now, which is silent, "
                "unless they choose the original audio"
            )
        sending = stream_captions(client, cues, sent=sent.count)
        await _send(client, sent, sending, Notices(console))
    console.print(sent.report())
    if sent.problem:
        raise sent.problem


async def _join(client: SessionClient, session_id: str, language: str, key: str) -> dict[str, Any]:
    wanted = {"sessionId": session_id, "language": language, "interpreterKey": key}
    return await ask(client, "joinAsInterpreter", **wanted)


async def _send(
    client: SessionClient, sent: Sent, sending: Coroutine[Any, Any, None], notices: Notices
) -> None:
    async def work() -> None:
        await sending
        await linger(client)

    with notices.of(client), without_audio(client):
        await attempt(sent, work())
    await finish(client, sent)
