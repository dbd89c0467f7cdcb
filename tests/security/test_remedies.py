"""What the operator's manual says to do at once, done in the running system."""

import asyncio

import pytest

from local.client import RequestRefusedError, stream
from tests.end_to_end.test_broadcast import KNOWN_SECONDS, PCM, QUICKLY, SOON


async def code_of(request):
    """Return the code with which a request is refused."""
    with pytest.raises(RequestRefusedError) as refused:
        await request
    return refused.value.code


@pytest.mark.threat("stolen-access-token", "token-ends")
def test_session_whose_item_is_deleted_is_over_for_all(live):
    """The speaker is heard no more, nobody joins, and no refresh token brings anybody back."""

    async def scenario(stage):
        speaker, created = await stage.speaker()
        session = created["sessionId"]
        listener, joined = await stage.listener(session)
        heard, task = stage.hearing(listener, joined)
        await stream(speaker, [PCM] * 4, QUICKLY)
        await heard.arrived(4, SOON)
        table = live.table("Sessions")
        key = {"sessionId": {"S": session}}
        live.client("dynamodb").delete_item(TableName=table, Key=key)
        await asyncio.sleep(KNOWN_SECONDS)
        async with asyncio.timeout(SOON):
            number = 4
            while not speaker.refused:  # a chunk that comes late is dropped without a word
                await stream(speaker, [PCM], QUICKLY, first=number)
                await asyncio.sleep(0.2)
                number += 1
        again, other = await stage.connect(), await stage.connect()
        token = created["refreshToken"]
        codes = [
            await code_of(
                again.request("refreshConnection", sessionId=session, refreshToken=token)
            ),
            await code_of(other.request("joinSession", sessionId=session, targetLanguage="de")),
            await code_of(speaker.request("endSession")),
        ]
        task.cancel()
        return len(heard.chunks), speaker.refused, codes

    num_heard, refused, codes = live.play(scenario)

    assert num_heard == 4
    assert set(refused) == {"SESSION_NOT_FOUND"}
    assert codes == ["SESSION_NOT_FOUND"] * 3
