"""What IAM says is remembered, and used while IAM is silent."""

import asyncio
import threading

import pytest

from wslocal.credentials import Issued
from wslocal.permissions import Permissions
from wslocal.sigv4 import Refused

ROLE = "arn:aws:iam::000000000000:role/audio"
ACTION, RESOURCE = "execute-api:ManageConnections", "arn:aws:execute-api:us-east-1:0:api/dev/POST/x"
SIGNER = Issued("key", "secret", "token", ROLE, "arn:aws:sts::0:assumed-role/audio/x", 0.0)


class Iam:
    """Answers as `decision` says, once `may_answer` is set; raises `error` if there is one."""

    def __init__(self):
        self.decision = "allowed"
        self.error = None
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def simulate_principal_policy(self, **_):
        self.asked += 1
        assert self.may_answer.wait(20)
        if self.error:
            raise self.error
        return {"EvaluationResults": [{"EvalDecision": self.decision}]}


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def iam():
    return Iam()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def permissions(iam, clock):
    permissions = Permissions(iam, clock)
    yield permissions
    permissions.close()


async def settled(permissions):
    """Wait until nothing is asked any more."""
    while any(known.asking for known in permissions._known.values()):
        await asyncio.sleep(0.005)


def test_many_first_checks_ask_once(permissions, iam):
    async def run():
        await asyncio.gather(*(permissions.check(SIGNER, ACTION, RESOURCE) for _ in range(20)))

    asyncio.run(run())

    assert iam.asked == 1


def test_answer_counts_until_a_newer_one_has_come(permissions, iam, clock):
    async def run():
        await permissions.check(SIGNER, ACTION, RESOURCE)
        iam.decision = "implicitDeny"
        clock.now += 5.0
        await permissions.check(SIGNER, ACTION, RESOURCE)
        asked = iam.asked
        clock.now += 0.1
        await permissions.check(SIGNER, ACTION, RESOURCE)
        await settled(permissions)
        with pytest.raises(Refused, match="not authorized to perform"):
            await permissions.check(SIGNER, ACTION, RESOURCE)
        return asked

    assert asyncio.run(run()) == 1
    assert iam.asked == 2


def test_silent_iam_delays_no_post(permissions, iam, clock):
    async def run():
        await permissions.check(SIGNER, ACTION, RESOURCE)
        iam.may_answer.clear()
        for _ in range(100):
            clock.now += 0.5
            await permissions.check(SIGNER, ACTION, RESOURCE)
        iam.may_answer.set()
        await settled(permissions)

    asyncio.run(run())

    assert iam.asked == 2


def test_answer_that_is_too_old_is_waited_for(permissions, iam, clock):
    async def run():
        await permissions.check(SIGNER, ACTION, RESOURCE)
        iam.decision = "implicitDeny"
        clock.now += 60.1
        with pytest.raises(Refused):
            await permissions.check(SIGNER, ACTION, RESOURCE)

    asyncio.run(run())


def test_failure_is_raised_where_nothing_is_known_and_asked_again_later(permissions, iam, clock):
    async def run():
        iam.error = OSError("refused")
        with pytest.raises(OSError, match="refused"):
            await permissions.check(SIGNER, ACTION, RESOURCE)
        with pytest.raises(OSError, match="IAM gave no answer"):
            await permissions.check(SIGNER, ACTION, RESOURCE)
        iam.error = None
        clock.now += 5.1
        await permissions.check(SIGNER, ACTION, RESOURCE)

    asyncio.run(run())

    assert iam.asked == 2


def test_failure_keeps_what_is_known(permissions, iam, clock):
    async def run():
        await permissions.check(SIGNER, ACTION, RESOURCE)
        iam.error = OSError("refused")
        for _ in range(5):
            clock.now += 6
            await permissions.check(SIGNER, ACTION, RESOURCE)
            await settled(permissions)

    asyncio.run(run())

    assert iam.asked == 6


def test_reload_asks_again(permissions, iam):
    async def run():
        await permissions.check(SIGNER, ACTION, RESOURCE)
        iam.decision = "implicitDeny"
        permissions.forget()
        with pytest.raises(Refused):
            await permissions.check(SIGNER, ACTION, RESOURCE)

    asyncio.run(run())
