"""A right that the template does not give is not there: exactly its operation fails."""

import json
from dataclasses import dataclass

import pytest

from local.client import RequestRefusedError, stream

PCM = bytes(range(200)) * 16


def without_grant(function, action, resource):
    """Return an edit that takes one action on one resource from a function's policy."""

    def edit(template):
        removed = 0
        for name, policy in template["Resources"].items():
            if policy["Type"] != "AWS::IAM::Policy" or not name.startswith(f"Functions{function}"):
                continue
            document = policy["Properties"]["PolicyDocument"]
            for statement in document["Statement"]:
                actions = statement["Action"]
                actions = [actions] if isinstance(actions, str) else actions
                if action in actions and resource in json.dumps(statement["Resource"]):
                    statement["Action"] = [other for other in actions if other != action]
                    removed += 1
            document["Statement"] = [row for row in document["Statement"] if row["Action"]]
        assert removed, f"{function} has no {action} on {resource}"
        return template

    return edit


@dataclass
class People:
    """The participants who were there before the right was gone."""

    stage: object
    session: str
    speaker: object
    listener: object
    joined: dict
    leaver: object
    token: str

    @classmethod
    async def gather(cls, stage):
        speaker, created = await stage.speaker()
        listener, joined = await stage.listener(created["sessionId"])
        leaver, left = await stage.listener(created["sessionId"])
        session = created["sessionId"]
        return cls(stage, session, speaker, listener, joined, leaver, left["refreshToken"])


async def create(people):
    await people.stage.speaker()


async def join(people):
    await people.stage.listener(people.session)


async def pause(people):
    await people.speaker.request("pauseBroadcast")


async def change_language(people):
    await people.listener.request("changeLanguage", targetLanguage="fr")


async def refresh(people):
    again = await people.stage.connect()
    await again.request("refreshConnection", sessionId=people.session, refreshToken=people.token)


OPERATIONS = {
    "createSession": create,
    "joinSession": join,
    "pauseBroadcast": pause,
    "changeLanguage": change_language,
    "refreshConnection": refresh,
}


@pytest.mark.parametrize(
    ("function", "action", "table", "failing"),
    [
        ("Session", "dynamodb:PutItem", "Connections", {"createSession", "joinSession"}),
        ("Session", "dynamodb:UpdateItem", "RateLimits", {"createSession", "joinSession"}),
        ("Control", "dynamodb:UpdateItem", "Sessions", {"pauseBroadcast"}),
        ("Listener", "dynamodb:UpdateItem", "Sessions", {"changeLanguage"}),
        ("Connection", "dynamodb:PutItem", "Connections", {"refreshConnection"}),
    ],
)
@pytest.mark.threat("too-many-rights")
def test_without_a_right_exactly_its_operation_is_denied(
    live, restored, function, action, table, failing
):
    async def scenario(stage):
        people = await People.gather(stage)
        await stage.system.redeploy(without_grant(function, action, table))
        return {name: await outcome(operation(people)) for name, operation in OPERATIONS.items()}

    outcomes = live.play(scenario)

    assert {name for name, code in outcomes.items() if code != "done"} == failing
    assert {outcomes[name] for name in failing} == {"INTERNAL_CONFIGURATION_ERROR"}
    assert live.lines(function.lower(), f'"AccessDeniedException" "{action}"')


def test_without_the_right_to_post_the_audio_function_reaches_nobody(live, restored):
    """Nothing else changes between silence and sound."""

    async def scenario(stage):
        people = await People.gather(stage)
        right = "Audio", "execute-api:ManageConnections", "/POST/"
        await stage.system.redeploy(without_grant(*right))
        before = stage.invocations("audio")
        await stream(people.speaker, [PCM] * 3, 0.05)
        await stage.handled("audio", before + 3)
        await people.speaker.request("setVolume", volumeLevel=0.5)
        notice = await people.listener.expect("volumeChanged")
        silent = people.listener.audio.empty()
        await stage.system.redeploy(lambda template: template)
        await stream(people.speaker, [PCM], 0.05, first=3)
        heard = await people.listener.audio.get()
        return silent, notice["volumeLevel"], heard.number

    assert live.play(scenario) == (True, 0.5, 3)


async def outcome(operation):
    """Return "done", or the code with which the operation was refused."""
    try:
        await operation
    except RequestRefusedError as error:
        return error.code
    return "done"
