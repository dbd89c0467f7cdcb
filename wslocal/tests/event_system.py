"""Functions of the tests' own that invoke each other, and are invoked by queues and streams."""

import asyncio
import contextlib
import json
import secrets
import time
from pathlib import Path

from wslocal.emulator import ACCOUNT, REGION
from wslocal.events import AsynchronousInvocations, LambdaApi
from wslocal.lambda_host.local_lambda import LocalLambda
from wslocal.tests.gateway_system import create_function, create_role, zip_of

CODE = Path(__file__).parent / "event_functions" / "app.py"
WAIT_SECONDS = 30


def function_arn(name):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def allow(emulator, role, action, resource, effect="Allow"):
    """Give a role one more right, or take one."""
    statement = {"Effect": effect, "Action": action, "Resource": resource}
    emulator.client("iam").put_role_policy(
        RoleName=role,
        PolicyName=secrets.token_hex(8),
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def create_role_with(emulator, *rights):
    """Return the ARN of a new role with these rights, (action, resource) each."""
    name = f"role-{secrets.token_hex(6)}"
    arn = create_role(emulator, name, verbs=[])
    for action, resource in rights:
        allow(emulator, name, action, resource)
    return arn


def create(emulator, name, handler, role, **more):
    """Return the ARN of a function with the tests' code."""
    code = {"ZipFile": zip_of({"app.py": CODE.read_text()})}
    return create_function(
        emulator, name, f"app.{handler}", role, Code=code, Environment={"Variables": {}}, **more
    )


class Running:
    """Functions that run, with Lambda's API before them."""

    def __init__(self, emulator, loop, functions, asynchronous, api):
        self.emulator = emulator
        self.loop = loop
        self.functions = functions
        self.asynchronous = asynchronous
        self.api = api
        self.lines = []
        functions.subscribe(self.lines.append)

    def call(self, caller, *calls):
        """Have a function make these calls with boto3; return what it says of each."""
        result = self.loop.run(self.functions.invoke(caller, {"calls": list(calls)}))
        assert result.error is None, result.error
        return result.payload

    def got(self, function, at_least=0):
        """Return what a function has got so far, (event, request id) each; wait for `at_least` events.

        Lines may come after the answer that they were written before.
        """
        wait_until(lambda: len(self.found(function)) >= at_least)
        return self.found(function)

    def found(self, function):
        said = [line.document for line in self.lines if line.function == function and line.document]
        return [(one["got"], one["request_id"]) for one in said if "got" in one]


@contextlib.asynccontextmanager
async def running(emulator, *, retry_scale=1.0, sleep=asyncio.sleep, **options):
    """Run what is deployed; give the functions, their asynchronous invocations, and Lambda's API."""
    async with (
        LocalLambda(emulator.client, root=emulator.root, **options) as functions,
        AsynchronousInvocations(functions, retry_scale=retry_scale, sleep=sleep) as asynchronous,
    ):
        api = LambdaApi(functions, asynchronous, emulator.endpoint)
        await api.listen()
        functions.endpoints |= api.variables
        try:
            yield functions, asynchronous, api
        finally:
            await api.close()


def start(emulator, loop, **options):
    """Enter `running` on a loop."""
    return Running(emulator, loop, *loop.enter(running(emulator, **options)))


def wait_until(condition):
    """Return what `condition` returns once it is true."""
    until = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
    return found
