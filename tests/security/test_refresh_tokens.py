"""A refresh token is for one use: what a thief, an unlucky client and two tabs get on real sockets."""

import asyncio
import contextlib
import json

import pytest

from local.client import RequestRefusedError, SessionClientError, stream

PCM = bytes(range(200)) * 16
SOON = 10


class Person:
    """The speaker or a listener of a session, with the token that came first."""

    def __init__(self, stage, role, client, answer, speaker):
        self.stage, self.role, self.client, self.speaker = stage, role, client, speaker
        self.session_id, self.token = answer["sessionId"], answer["refreshToken"]

    @classmethod
    async def begin(cls, stage, role):
        speaker, created = await stage.speaker()
        if role == "speaker":
            return cls(stage, role, speaker, created, speaker)
        listener, joined = await stage.listener(created["sessionId"])
        return cls(stage, role, listener, joined, speaker)

    async def refresh(self, client, token):
        """Use a token on a connection, and return the next one."""
        message = {"sessionId": self.session_id, "refreshToken": token}
        return (await client.request("refreshConnection", **message))["refreshToken"]

    async def refresh_anew(self, token):
        """Use a token on a new connection, and return that and the next token."""
        client = await self.stage.connect()
        return client, await self.refresh(client, token)

    async def refused(self, token):
        """Return a new connection on which a token was refused."""
        client = await self.stage.connect()
        with pytest.raises(RequestRefusedError) as caught:
            await self.refresh(client, token)
        assert caught.value.code == "AUTH_TOKEN_INVALID"
        return client

    async def assert_shut_out(self, holder, thief, tokens):
        """Both connections end, the holder knows why, and none of the tokens is good any more."""
        assert (await holder.expect("error"))["code"] == "AUTH_TOKEN_INVALID"
        for client in (holder, thief):
            await asyncio.wait_for(client.closed.wait(), SOON)
        if self.role == "listener":
            assert (await self.speaker.expect("listenerLeft"))["listenerCount"] == 0
        for token in tokens:
            late = await self.refused(token)
            await late.request("heartbeat")  # nobody closes that one


@pytest.fixture(params=["speaker", "listener"])
def role(request):
    return request.param


async def stored_session(live, person):
    return await asyncio.to_thread(live.item, "Sessions", sessionId=person.session_id)


def assert_is_logged(live, person, tokens):
    """One line says that a token was used again; no line has a token."""
    found = live.lines("connection", f'"token_reused" "{person.session_id}"')
    lines = [json.loads(event["message"]) for event in found]
    [line] = [line for line in lines if line.get("context", {}).get("reason") == "token_reused"]
    assert (line["level"], line["sessionId"]) == ("WARN", person.session_id)
    assert [line["Reason"] for line in lines if "RefreshTokensRefused" in line] == ["token_reused"]
    for token in tokens:
        secret = token.rpartition(".")[2]
        assert secret not in json.dumps(line)
        assert not any(
            secret in event["message"]
            for event in live.lines("connection", f'"{person.session_id}"')
        )


@pytest.mark.threat("stolen-refresh-token", "log-session-failures", "ws-test-session")
def test_replay_after_the_first_message_ends_both_connections_and_all_tokens(live, role):
    async def scenario(stage):
        person = await Person.begin(stage, role)
        again, token = await person.refresh_anew(person.token)
        await again.request("heartbeat")
        thief = await person.refused(person.token)
        await person.assert_shut_out(again, thief, [token, person.token])
        return person, token, await stored_session(live, person)

    person, token, session = live.play(scenario)

    assert_is_logged(live, person, [person.token, token])
    assert ("speakerGoneAt" in session) is (role == "speaker")
    assert session["listenerCount"] == {"N": "0"}


def test_replay_after_the_first_chunk_ends_both_connections(live):
    async def scenario(stage):
        person = await Person.begin(stage, "speaker")
        again, token = await person.refresh_anew(person.token)
        async with asyncio.timeout(2 * SOON):
            number = 0
            while "speakerMovedTo" in await stored_session(live, person):
                await stream(again, [PCM], 0.05, first=number)
                number += 1
                await asyncio.sleep(0.1)
        thief = await person.refused(person.token)
        await person.assert_shut_out(again, thief, [token])

    live.play(scenario)


@pytest.mark.threat("stolen-refresh-token")
def test_thief_of_the_newest_token_is_put_out_when_its_owner_comes_back(live, role):
    async def scenario(stage):
        person = await Person.begin(stage, role)
        thief, stolen = await person.refresh_anew(person.token)
        await thief.request("heartbeat")
        await asyncio.wait_for(person.client.closed.wait(), SOON)
        owner = await person.refused(person.token)
        await person.assert_shut_out(thief, owner, [stolen, person.token])
        return person, stolen

    person, stolen = live.play(scenario)

    assert_is_logged(live, person, [person.token, stolen])


@pytest.mark.threat("stolen-refresh-token")
def test_thief_who_was_silent_is_put_out_with_the_token_that_came_beside_the_owners(live, role):
    async def scenario(stage):
        person = await Person.begin(stage, role)
        silent, stolen = await person.refresh_anew(person.token)
        owner, token = await person.refresh_anew(person.token)  # as after a lost answer
        await owner.request("heartbeat")
        await asyncio.wait_for(silent.closed.wait(), SOON)
        thief = await person.refused(stolen)
        await person.assert_shut_out(owner, thief, [token, stolen, person.token])
        return person, [token, stolen]

    person, tokens = live.play(scenario)

    assert_is_logged(live, person, [person.token, *tokens])


@pytest.mark.threat("stolen-refresh-token")
def test_owner_is_not_pushed_out_by_many_uses_of_the_token_before(live, role):
    """Either the owner's heartbeat comes between, and the next one is a theft, or the ninth token is."""

    async def scenario(stage):
        person = await Person.begin(stage, role)
        owner, token = await person.refresh_anew(person.token)
        pool = [await stage.connect() for _ in range(10)]

        async def be_heard():
            with contextlib.suppress(SessionClientError):
                await owner.request("heartbeat")

        async def push():
            for number, thief in enumerate(pool):
                try:
                    await person.refresh(thief, person.token)
                except RequestRefusedError as refused:
                    return number, refused.code
            return len(pool), None

        (number, code), _ = await asyncio.gather(push(), be_heard())
        assert (number <= 7, code) == (True, "AUTH_TOKEN_INVALID")
        for client in (owner, *pool[: number + 1]):
            await asyncio.wait_for(client.closed.wait(), SOON)
        late = await person.refused(token)
        await late.request("heartbeat")  # nobody closes that one
        return person, token

    person, token = live.play(scenario)

    assert_is_logged(live, person, [person.token, token])


@pytest.mark.threat("stolen-refresh-token")
def test_thief_who_goes_on_quickly_is_put_out_by_the_owners_older_token(live, role):
    async def scenario(stage):
        person = await Person.begin(stage, role)
        tokens = [person.token]
        for _ in range(3):
            thief, token = await person.refresh_anew(tokens[-1])
            await thief.request("heartbeat")
            tokens.append(token)
        owner = await person.refused(person.token)
        await person.assert_shut_out(thief, owner, tokens)
        return person, tokens

    person, tokens = live.play(scenario)

    assert_is_logged(live, person, tokens)


def test_client_whose_answer_was_lost_comes_back_with_the_same_token(live, role):
    async def scenario(stage):
        person = await Person.begin(stage, role)
        unlucky = await stage.connect()
        message = {"action": "refreshConnection", "sessionId": person.session_id}
        await unlucky.send_frame(json.dumps({**message, "refreshToken": person.token}))
        await unlucky.expect("broadcastControl")  # the reply before it is dropped
        unlucky.vanish()
        again, token = await person.refresh_anew(person.token)
        await again.request("heartbeat")
        newer, _ = await person.refresh_anew(token)
        await newer.request("heartbeat")
        status = None
        if role == "speaker":
            status = await newer.request("getSessionStatus")
        return status, newer.close_code

    status, close_code = live.play(scenario)

    assert close_code is None
    assert status is None or status["isActive"]


def test_two_tabs_with_one_token_leave_one_and_the_other_knows(live, role):
    async def scenario(stage):
        person = await Person.begin(stage, role)
        tabs = [await stage.connect() for _ in range(2)]

        async def use(tab):
            try:
                return await person.refresh(tab, person.token)
            except SessionClientError as error:
                return error

        answers = await asyncio.gather(*(use(tab) for tab in tabs))
        async with asyncio.timeout(SOON):
            while sum(map(is_out, tabs, answers)) == 0:
                await asyncio.sleep(0.02)
        [(stays, token)] = [pair for pair in zip(tabs, answers, strict=True) if not is_out(*pair)]
        action = "muteBroadcast" if role == "speaker" else "pausePlayback"
        await stays.request(action)
        newer, _ = await person.refresh_anew(token)
        await newer.request(action)

    live.play(scenario)


def is_out(tab, answer):
    """Return whether a tab was refused, or its connection closed."""
    return isinstance(answer, SessionClientError) or tab.closed.is_set()
