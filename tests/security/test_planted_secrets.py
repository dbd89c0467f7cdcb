"""Secrets go through every path of the running system, and are in nothing that it writes."""

import asyncio
import base64
import contextlib
import hashlib
import http.client
import json
import logging
import os
import secrets
import threading
from collections import defaultdict
from functools import partial
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import pytest
import websockets
from websockets.asyncio.client import connect as open_socket

from local.client import SUBPROTOCOL
from local.page import Page
from local.session_reports import reported_sessions
from local.system import System
from tests.issuer import SigningKey
from wslocal import LoopThread

# It has a system of its own: with an issuer, with low limits, and with all that functions can write.
pytestmark = pytest.mark.slow

SECONDS = 10  # for one answer, of a function that may have to start
SETTINGS = {
    "LOG_LEVEL": "TRACE",
    "RATE_LIMIT_SESSION_CREATION": "1000",
    "RATE_LIMIT_FAILED_JOINS": "20",
    "RATE_LIMIT_WRONG_KEYS": "3",
}


class Secrets:
    """What must be seen nowhere, each by what it is."""

    def __init__(self):
        self.planted = {}

    def plant(self, what, secret):
        self.planted[f"{what}, {len(self.planted)}"] = secret
        return secret

    def token(self, what, token):
        """Plant an access token, of which the head is the same in all."""
        _, payload, signature = token.split(".")
        self.plant(f"{what}: what it says", payload)
        if signature:
            self.plant(f"{what}: its signature", signature)
        return token

    def refresh_token(self, token):
        """Plant a refresh token, which begins with the id of a connection."""
        self.plant("a refresh token", token.rpartition(".")[2])
        return token

    def speech(self):
        """Return 100 ms of noise as it is sent."""
        return self.plant("speech", base64.b64encode(os.urandom(3200)).decode())

    def shown_in(self, text):
        """Return which of them a text shows: whole or in part, as it is or encoded."""
        return {
            what for what, secret in self.planted.items() if any(f in text for f in forms(secret))
        }


def forms(secret):
    """Return a secret as it may be written, and parts of it."""
    data = secret.encode()
    yield secret
    yield quote(secret, safe="")
    yield base64.b64encode(data).decode().rstrip("=")[:-1]
    yield data.hex()
    yield hashlib.sha256(data).hexdigest()
    if len(secret) > 40:
        yield from (secret[at : at + 20] for at in (0, len(secret) // 2, len(secret) - 20))


class Written(logging.Handler):
    """All that is written, by the place where it is."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.texts = defaultdict(list)

    def add(self, place, text):
        self.texts[place].append(text)

    def emit(self, record):
        self.add("the log of this process", f"{self.format(record)} {record.args!r}")

    def whole(self, place):
        return "\n".join(self.texts[place])


class Client:
    """A connection whose every answer is kept; what it sends is written by nobody."""

    def __init__(self, socket, written):
        self._socket = socket
        self._written = written

    async def ask(self, action, **fields):
        """Send a request and return what answers it."""
        request_id = f"{fields.pop('requestId', 'r')}-{secrets.token_hex(4)}"
        await self.send(json.dumps({"action": action, "requestId": request_id, **fields}))
        async with asyncio.timeout(SECONDS):
            while True:
                message = json.loads(await self._socket.recv())
                if message.get("type") in ("error", None, "rateLimitWarning"):
                    self._written.add("errors to clients", json.dumps(message))
                if message.get("requestId") == request_id or "type" not in message:
                    return message

    async def send(self, frame):
        await self._socket.send(frame)

    async def flood(self, frames):
        """Send frames until the connection is closed, and keep what was answered."""
        with contextlib.suppress(websockets.ConnectionClosed):
            for frame in frames:
                await self.send(frame)
        with contextlib.suppress(websockets.ConnectionClosed):
            async with asyncio.timeout(SECONDS):
                while True:
                    self._written.add("errors to clients", await self._socket.recv())


# How a client hands over an access token.
TRAVELS = {
    "header": lambda token: {"additional_headers": {"Authorization": f"Bearer {token}"}},
    "query": lambda token: {"query": f"?access_token={quote(token)}"},
    "sub-protocol": lambda token: {"subprotocols": [SUBPROTOCOL, f"bearer.{token}"]},
}
# Where else people put secrets when they connect, though nobody asks for them there.
ELSEWHERE = {
    "cookie": lambda secret: {"additional_headers": {"Cookie": f"session={secret}"}},
    "basic": lambda secret: {"additional_headers": {"Authorization": f"Basic {secret}"}},
    "other-query": lambda secret: {"query": f"?token={secret}&api_key={secret}"},
    "two-at-once": lambda secret: {
        "query": f"?access_token={secret}&access_token={secret}",
        "additional_headers": {"Authorization": f"Bearer {secret}"},
    },
}
QUIET = logging.getLogger("a client of the test")
QUIET.disabled = True


class Done(NamedTuple):
    """What came of it."""

    session: str
    statuses: list  # of connections whose token is bad
    unjudged: list  # and of those whose token nobody could judge
    joins: list  # codes, None for the one with the key
    reused: str  # the code for a token that was used before
    guesses: set  # codes for more wrong keys than one address may try


class Scene:
    """Connects clients to a system, and knows what it plants."""

    def __init__(self, system, issuer, written, stack):
        self.system = system
        self.issuer = issuer
        self.written = written
        self.planted = Secrets()
        self._stack = stack

    async def connect(self, *, query="", subprotocols=(SUBPROTOCOL,), **options):
        socket = await self._stack.enter_async_context(
            open_socket(
                self.system.url + query,
                subprotocols=list(subprotocols),
                logger=QUIET,
                compression=None,
                proxy=None,
                **options,
            )
        )
        assert socket.subprotocol in (SUBPROTOCOL, None)
        return Client(socket, self.written)

    async def try_to_connect(self, **options):
        """Connect; what refuses it is kept, and is None if nothing does."""
        try:
            await self.connect(**options)
        except websockets.InvalidStatus as refused:
            answer = refused.response
            text = f"{refused} {answer.headers} {(answer.body or b'').decode()}"
            self.written.add("errors to clients", text)
            return answer.status_code
        return None

    async def speaker(self, travels="header"):
        token = self.planted.token("an access token", self.issuer.token())
        return await self.connect(**TRAVELS[travels](token))

    def key(self):
        return self.planted.plant("a listener key", secrets.token_urlsafe(12))


async def tokens_that_are_refused(scene):
    """Return the statuses of connections with tokens that nobody gave out, or not for this."""
    issuer, plant = scene.issuer, scene.planted
    tokens = {
        "an expired token": issuer.token(exp=1),
        "a token for others": issuer.token(aud="others"),
        "a token of another key": issuer.token(key=SigningKey()),
        "an unsigned token": issuer.token(algorithm="none"),
        "a token signed with the public key": issuer.token(algorithm="HS256"),
    }
    for what, token in tokens.items():
        plant.token(what, token)
    tokens["a token of no known form"] = plant.plant("an opaque token", secrets.token_urlsafe(30))
    statuses = [
        await scene.try_to_connect(**how(token))
        for token in tokens.values()
        for how in TRAVELS.values()
    ]
    for how in ELSEWHERE.values():
        await scene.try_to_connect(**how(plant.plant("elsewhere", secrets.token_urlsafe(18))))
    return statuses


async def tokens_that_cannot_be_judged(scene):
    """Return the statuses while the issuer is down, and an authorizer that has just started has no keys."""
    [name] = (name for name in scene.system.functions if name.endswith("-authorizer"))
    scene.issuer.stop()
    scene.system.api.kill_environments(name)
    kid = scene.planted.plant("a key's name", secrets.token_urlsafe(18))
    token = scene.planted.token("a token for nobody", scene.issuer.token(header={"kid": kid}))
    statuses = [await scene.try_to_connect(**how(token)) for how in TRAVELS.values()]
    scene.issuer.start()
    return statuses


async def keys_right_and_wrong(scene, speaker, marker):
    """Open a session with a key and join it in every way; return the session, a token, the codes."""
    key = scene.key()
    for wrong in (key[:7], key * 5, [key], {"key": key}):
        await speaker.ask("createSession", sourceLanguage="en", listenerKey=wrong)
    created = await speaker.ask(
        "createSession", sourceLanguage="en", listenerKey=key, requestId=marker
    )
    scene.planted.refresh_token(created["refreshToken"])
    tried = [
        *({}, {"listenerKey": scene.key()}, {"listenerKey": key[:-1]}, {"listenerKey": f" {key}"}),
        *({"listenerKey": [key]}, {"listenerkey": key, "key": key, "password": key}),
        {"listenerKey": key},
    ]
    joins = {"sessionId": created["sessionId"], "targetLanguage": "de"}
    answers = [await (await scene.connect()).ask("joinSession", **joins, **one) for one in tried]
    scene.planted.refresh_token(answers[-1]["refreshToken"])
    return created["sessionId"], answers[-1]["refreshToken"], [one.get("code") for one in answers]


async def speech_good_and_bad(scene, speaker):
    for number in range(3):
        chunk = {"audioData": scene.planted.speech(), "sequenceNumber": number, "timestamp": 1}
        await speaker.send(json.dumps({"action": "sendAudio", **chunk}))
    for broken in (
        scene.planted.speech()[:-1],
        f" {scene.planted.speech()}",
        [scene.planted.speech()],
    ):
        await speaker.ask("sendAudio", audioData=broken, sequenceNumber=3, timestamp=1)


async def refreshes(scene, session, token):
    """Use a token and the next one; then wrong ones, and one that was used; return that answer."""
    tokens = [token]
    for _ in range(2):
        client = await scene.connect()
        done = await client.ask("refreshConnection", sessionId=session, refreshToken=tokens[-1])
        tokens.append(scene.planted.refresh_token(done["refreshToken"]))
        await client.ask("heartbeat")
    *_, used, newest = tokens
    answers = []
    # The last two begin as the others did: each would be as good as used.
    similar = [f"{newest[:-4]}AAAA", newest.removeprefix("wsr_")]
    for one in (f"{newest}.{newest}", [newest], used, *similar):
        client = await scene.connect()
        answers.append(await client.ask("refreshConnection", sessionId=session, refreshToken=one))
    return answers[2]


def junk(scene, session):
    """Return frames with secrets in every place that comes to mind."""
    secret = scene.planted.plant("in junk", secrets.token_urlsafe(18))
    fields = {"listenerKey": secret, "refreshToken": secret, "token": secret, "audioData": secret}
    return [
        json.dumps({"action": "dance", **fields}),
        json.dumps({"action": ["joinSession"], **fields}),
        json.dumps(
            {"action": "joinSession", "sessionId": session, "targetLanguage": "xx", **fields}
        ),
        json.dumps({"action": "refreshConnection", "sessionId": "nobody", **fields}),
        json.dumps({"action": "createSession", "sourceLanguage": "en", "audioFormat": fields}),
        json.dumps(fields),
        json.dumps([fields])[:-2],
        f"not JSON, password={secret}",
        secret,
    ]


async def everything(scene, marker):
    """Send secrets by every path; return what shows that the paths were taken."""
    statuses = await tokens_that_are_refused(scene)
    speakers = [await scene.speaker(travels) for travels in TRAVELS]
    session, token, joins = await keys_right_and_wrong(scene, speakers[0], marker)
    await speech_good_and_bad(scene, speakers[0])
    reused = await refreshes(scene, session, token)
    await with_a_failing_store(scene, speakers[1], session)
    await with_failing_posts(scene, speakers[2])
    guesses = await guess(scene, session)
    unjudged = await tokens_that_cannot_be_judged(scene)
    await (await scene.connect()).flood(junk(scene, session) * 40)
    return Done(session, statuses, unjudged, joins, reused.get("code"), guesses)


async def guess(scene, session):
    """Try more keys than one address may, over several connections; return the codes."""
    codes = set()
    for _ in range(4):
        client = await scene.connect()
        for _ in range(6):
            joined = {"sessionId": session, "targetLanguage": "de", "listenerKey": scene.key()}
            codes.add((await client.ask("joinSession", **joined)).get("code"))
    return codes


async def with_a_failing_store(scene, speaker, session):
    for error in ("refuse", "InternalServerError", "AccessDeniedException"):
        with scene.system.api.faults.table(None, error=error):
            key = scene.key()
            client = await scene.connect()
            await speaker.ask("createSession", sourceLanguage="en", listenerKey=key)
            await client.ask("joinSession", sessionId=session, targetLanguage="de", listenerKey=key)
            token = scene.planted.plant("a token for a failing store", secrets.token_urlsafe(32))
            await client.ask("refreshConnection", sessionId=session, refreshToken=f"wsr_a=.{token}")


async def with_failing_posts(scene, speaker):
    """Answers with tokens that do not arrive: nobody knows these tokens, and nobody may see them."""
    for answer in (500, 410):
        with scene.system.api.faults.posts(answer):
            request = {
                "action": "createSession",
                "sourceLanguage": "en",
                "listenerKey": scene.key(),
            }
            await speaker.send(json.dumps(request))
            await asyncio.sleep(1)


def read_operators_page(page, written):
    """Keep what the page's stream shows, until it ends."""

    def read():
        connection = http.client.HTTPConnection(urlsplit(page.url).netloc)
        connection.request("GET", "/operator")
        with contextlib.suppress(OSError, http.client.HTTPException):
            for line in connection.getresponse():
                written.add("the operator's page", line.decode())
        connection.close()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def read_cloudwatch(client, written):
    logs = client("logs")
    for group in logs.get_paginator("describe_log_groups").paginate().search("logGroups[]"):
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        for event in pages.search("events[]"):
            if event:
                written.add("CloudWatch Logs", event["message"])
    for metric in client("cloudwatch").get_paginator("list_metrics").paginate().search("Metrics[]"):
        written.add("metrics", json.dumps(metric))


def read_tables(client, written, names):
    for name in names:
        for item in (
            client("dynamodb").get_paginator("scan").paginate(TableName=name).search("Items[]")
        ):
            written.add("tables", json.dumps(item))


def all_levels(template):
    """Keep lines of every level, Lambda's own too."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"].setdefault("LoggingConfig", {}).update(
                LogFormat="JSON", ApplicationLogLevel="TRACE", SystemLogLevel="DEBUG"
            )
    return template


@pytest.fixture(scope="module")
def seen(issuer):
    """Return all that was written while secrets went through the system, and what came of them."""
    written, marker = Written(), f"marker-{secrets.token_hex(8)}"
    root = logging.getLogger()
    before = root.level
    with LoopThread() as loop:
        variables = {"SPEAKER_ISSUER": issuer.url, "SPEAKER_AUDIENCE": issuer.audience}
        settings = {**SETTINGS, **variables}
        report = partial(written.add, "the terminal")
        system = loop.enter(System(settings=settings, report=report))
        loop.run(system.redeploy(all_levels))
        page = Page({"url": system.url})
        page.start()
        reading = read_operators_page(page, written)
        system.api.subscribe(lambda line: page.publish(line.function, line.text))
        loop.enter(reported_sessions(system, page))
        system.api.subscribe(lambda line: written.add("lines of functions", line.text))
        root.addHandler(written)
        root.setLevel(logging.DEBUG)
        root.debug("All that is logged from here on is kept")  # where nothing else is, this is
        try:

            async def play():
                async with contextlib.AsyncExitStack() as stack:
                    scene = Scene(system, issuer, written, stack)
                    return scene.planted, await everything(scene, marker)

            planted, done = loop.run(play())
            loop.run(at_rest(system))
        finally:
            root.removeHandler(written)
            root.setLevel(before)
        read_cloudwatch(system.emulator.client, written)
        read_tables(system.emulator.client, written, system.tables)
        page.close()
        reading.join(SECONDS)
    return planted, written, marker, done


async def at_rest(system):
    """Wait until nothing works any more, and all lines are where they belong."""
    async with asyncio.timeout(60):
        while any(state.busy or state.waiting for state in system.api.states()):
            await asyncio.sleep(0.1)
    await system.api.flush()


PLACES = [
    *("lines of functions", "CloudWatch Logs", "metrics", "the operator's page"),
    *("errors to clients", "the log of this process", "the terminal", "tables"),
]


@pytest.mark.threat("secret-end-to-end")
@pytest.mark.parametrize("place", PLACES)
def test_nothing_shows_what_was_planted(seen, place):
    planted, written, _, _ = seen

    assert written.texts[place]
    assert planted.shown_in(written.whole(place)) == set()


def test_places_are_looked_at(seen):
    """What is no secret is found where it was written."""
    _, written, marker, done = seen

    found = {place for place in PLACES if marker in written.whole(place)}
    assert found >= {"lines of functions", "CloudWatch Logs", "the operator's page"}
    assert done.session in written.whole("tables")
    assert '"stack":[' in written.whole("CloudWatch Logs")
    assert "token_reused" in written.whole("CloudWatch Logs")
    assert "ConnectionsClosedForRateLimit" in written.whole("metrics")
    assert "RATE_LIMIT_EXCEEDED" in written.whole("errors to clients")


def test_planted_text_is_found_in_all_its_forms():
    planted = Secrets()
    planted.plant("a secret", "k+" + "0123456789abcdefghij" * 3)

    [secret] = planted.planted.values()
    assert all(planted.shown_in(f"a {form} b") == {"a secret, 0"} for form in forms(secret))
    assert planted.shown_in("nothing") == set()


def test_paths_were_taken(seen):
    """Bad tokens and keys were refused, good ones were not, and what was used twice ends both."""
    *_, done = seen

    assert set(done.statuses) == {401}
    assert set(done.unjudged) == {500}
    assert done.joins == [
        *["SESSION_NOT_FOUND"] * 4,
        "VALIDATION_INVALID_PARAMETER",
        *("SESSION_NOT_FOUND", None),
    ]
    assert done.guesses == {"SESSION_NOT_FOUND", "RATE_LIMIT_EXCEEDED"}
    assert done.reused == "AUTH_TOKEN_INVALID"
