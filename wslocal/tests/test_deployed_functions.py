"""Deployed functions and their pools: real processes, the real emulator."""

import asyncio
import errno
import io
import json
import os
import re
import time

import pytest

from wslocal.emulator import Emulator
from wslocal.gateway import ApiError, LocalApi
from wslocal.gateway.definition import read_api
from wslocal.lambda_host import HostError, deployed
from wslocal.lambda_host.deployed import DeployedFunctions, lets_in
from wslocal.lambda_host.results import ThrottledError
from wslocal.loop import LoopThread
from wslocal.tests.gateway_system import (
    add_route,
    create_api,
    create_function,
    create_layer,
    create_role,
    invocations_of,
    zip_of,
)

pytestmark = pytest.mark.slow

APP = """
import json, os, time
from pathlib import Path
calls = 0
def handler(event, context):
    global calls
    calls += 1
    if "until" in event:
        Path(event["here"]).touch()
        while not Path(event["until"]).exists():
            time.sleep(0.005)
    return {"pid": os.getpid(), "calls": calls, "version": VERSION,
            "key": os.environ["AWS_ACCESS_KEY_ID"], "layer": layer()}
VERSION = 1
def layer():
    import helper
    return helper.VERSION
"""


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        create_role(emulator, "role", verbs=[])
        yield emulator


@pytest.fixture(scope="module")
def loop():
    with LoopThread() as loop:
        yield loop


@pytest.fixture
def name(emulator, request):
    """Return the name of a function of the test's own."""
    name = re.sub("[^a-z]+", "-", request.node.name)[-60:]
    role = emulator.client("iam").get_role(RoleName="role")["Role"]["Arn"]
    layer = create_layer(emulator, "layer", {"python/helper.py": "VERSION = 1"})
    create_function(
        emulator,
        name,
        "app.handler",
        role,
        Code={"ZipFile": zip_of({"app.py": APP})},
        Layers=[layer],
    )
    return name


class Clock:
    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def functions(emulator, loop, tmp_path, clock):
    functions = DeployedFunctions(emulator.client, tmp_path, max_environments=2, clock=clock)
    yield functions
    loop.run(functions.close())


def test_pool_grows_to_its_limit_and_no_further(functions, loop, name, tmp_path):
    held = [{"here": str(tmp_path / n), "until": str(tmp_path / "go")} for n in "ab"]

    async def run():
        slow = [asyncio.create_task(functions.invoke(name, event)) for event in held]
        while not all((tmp_path / n).exists() for n in "ab"):
            await asyncio.sleep(0.005)
        third = asyncio.create_task(functions.invoke(name, {}))
        await asyncio.sleep(0)
        state = functions.states()[0]
        waiting = state.environments, state.busy, state.waiting
        (tmp_path / "go").touch()
        return waiting, [(await task).payload["pid"] for task in (*slow, third)]

    waiting, pids = loop.run(run())

    assert waiting == (2, 2, 1)
    assert len(set(pids)) == 2


def test_many_first_calls_load_the_function_once(functions, loop, name, monkeypatch):
    fetched = []
    fetch = functions._fetch
    monkeypatch.setattr(functions, "_fetch", lambda *asked: fetched.append(asked) or fetch(*asked))

    async def run():
        return await asyncio.gather(*(functions.invoke(name, {}) for _ in range(5)))

    results = loop.run(run())

    assert len(fetched) == 1
    assert [result.error for result in results] == [None] * 5


def test_environment_is_reused(functions, loop, name):
    before = time.time() * 1000
    first = loop.run(functions.invoke(name, {}))
    second = loop.run(functions.invoke(name, {}))

    assert first.payload["pid"] == second.payload["pid"]
    assert second.payload["calls"] == 2
    assert (first.init_ms is None, second.init_ms is None) == (False, True)
    (state,) = [state for state in functions.states() if state.name == name]
    ((begun, ready),) = state.starts
    assert before <= begun < ready <= time.time() * 1000


def test_credentials_that_are_about_to_end_end_the_environment(functions, loop, name, clock):
    first = loop.run(functions.invoke(name, {})).payload
    clock.now += 3600 - 16 * 60 - 1
    second = loop.run(functions.invoke(name, {})).payload
    clock.now += 1
    third = loop.run(functions.invoke(name, {})).payload

    assert first["pid"] == second["pid"]
    assert first["pid"] != third["pid"]
    assert first["key"] != third["key"]
    assert functions.issued(first["key"]) is not None
    assert functions.issued(third["key"]).role_arn.endswith(":role/role")


def test_changed_code_and_layer_are_taken_over(functions, loop, name, emulator):
    first = loop.run(functions.invoke(name, {})).payload
    unchanged = loop.run(functions.reload())
    second = loop.run(functions.invoke(name, {})).payload
    client = emulator.client("lambda")
    code = zip_of({"app.py": APP.replace("VERSION = 1", "VERSION = 2")})
    client.update_function_code(FunctionName=name, ZipFile=code)
    layer = create_layer(emulator, "layer", {"python/helper.py": "VERSION = 3"})
    client.update_function_configuration(FunctionName=name, Layers=[layer])
    changed = loop.run(functions.reload())
    third = loop.run(functions.invoke(name, {})).payload

    assert unchanged == []
    assert first["pid"] == second["pid"]
    assert changed == [name]
    assert (third["version"], third["layer"]) == (2, 3)
    assert third["pid"] != first["pid"]
    assert functions.states()[0].environments == 1


def test_busy_environment_ends_after_its_answer(functions, loop, name, emulator, tmp_path):
    held = {"here": str(tmp_path / "here"), "until": str(tmp_path / "go")}

    async def run():
        slow = asyncio.create_task(functions.invoke(name, held))
        while not (tmp_path / "here").exists():
            await asyncio.sleep(0.005)
        code = zip_of({"app.py": APP.replace("VERSION = 1", "VERSION = 2")})
        emulator.client("lambda").update_function_code(FunctionName=name, ZipFile=code)
        await functions.reload()
        (tmp_path / "go").touch()
        return (await slow).payload, (await functions.invoke(name, {})).payload

    old, new = loop.run(run())

    assert (old["version"], new["version"]) == (1, 2)


def test_function_that_is_not_there(functions, loop):
    with pytest.raises(HostError, match="there is no function nobody"):
        loop.run(functions.invoke("nobody", {}))


def test_code_that_cannot_be_unpacked_is_a_sentence_and_is_tried_again(
    functions, loop, name, monkeypatch
):
    unpack, full = deployed.unpack_code, [True]

    def unpack_if_there_is_room(archives, into, **options):
        if full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return unpack(archives, into, **options)

    monkeypatch.setattr(deployed, "unpack_code", unpack_if_there_is_room)
    with pytest.raises(HostError) as caught:
        loop.run(functions.invoke(name, {}))
    full[0] = False

    assert str(caught.value) == (
        f"{name} cannot be fetched and unpacked: [Errno 28] No space left on device"
    )
    assert loop.run(functions.invoke(name, {})).payload["calls"] == 1


def test_broken_zip_is_a_sentence(functions, loop, name, monkeypatch):
    monkeypatch.setattr(deployed, "_download", lambda url: io.BytesIO(b"no zip"))

    with pytest.raises(
        HostError, match=f"{name} cannot be fetched and unpacked: File is not a zip"
    ):
        loop.run(functions.invoke(name, {}))


def test_event_that_is_not_json(functions, loop, name):
    with pytest.raises(HostError, match="an event must be JSON"):
        loop.run(functions.invoke(name, {1, 2}))


def test_closed_host_starts_nothing_that_it_had_not_fetched_yet(emulator, loop, name, tmp_path):
    """A call that is under way then would start an environment that nobody ends."""
    functions = DeployedFunctions(emulator.client, tmp_path / "closed")
    loop.run(functions.close())

    with pytest.raises(HostError, match="closed"):
        loop.run(functions.invoke(name, {}))

    assert functions.states() == []


def test_closed_pool_refuses(emulator, loop, name, tmp_path):
    functions = DeployedFunctions(emulator.client, tmp_path / "closed")
    loop.run(functions.invoke(name, {}))
    loop.run(functions.close())

    with pytest.raises(HostError, match="closed"):
        loop.run(functions.invoke(name, {}))


def test_prepared_function_has_an_environment(functions, loop, name):
    loop.run(functions.prepare(name))
    (state,) = functions.states()
    prepared = state.environments, state.invocations

    assert prepared == (1, 0)
    assert loop.run(functions.invoke(name, {})).payload["calls"] == 1


def test_function_of_a_runtime_that_is_not_played(functions, loop, name, emulator):
    client = emulator.client("lambda")
    client.update_function_configuration(FunctionName=name, Runtime="java21")

    with pytest.raises(HostError) as caught:
        loop.run(functions.prepare(name))

    assert str(caught.value) == (
        f"function {name} asks for java21: only Python's and Node's runtimes run here"
    )


def test_function_that_is_a_container_image(functions, loop, name, monkeypatch):
    found = {"Configuration": {"PackageType": "Image"}}
    monkeypatch.setattr(functions._lambda, "get_function", lambda **_: found)

    with pytest.raises(HostError, match=f"function {name} is a container image: only zips run"):
        loop.run(functions.prepare(name))


def test_concurrency_of_a_function_is_taken_over(functions, loop, name, emulator):
    client = emulator.client("lambda")
    loop.run(functions.invoke(name, {}))
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)

    changed = loop.run(functions.reload())

    assert changed == [name]
    with pytest.raises(ThrottledError):
        loop.run(functions.invoke(name, {}))


ASKED = """
import os
def handler(event, context):
    return [context.invoked_function_arn, context.function_version, os.environ["AWS_LAMBDA_FUNCTION_VERSION"]]
"""


def test_alias_is_invoked_by_its_arn(functions, loop, name, emulator):
    """As SAM's AutoPublishAlias makes it: a version, an alias, and a permission for the alias alone."""
    client = emulator.client("lambda")
    client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": ASKED}))
    version = client.publish_version(FunctionName=name)["Version"]
    alias = client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    client.add_permission(
        FunctionName=name,
        Qualifier="live",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    arn, source = alias["AliasArn"], "arn:aws:execute-api:us-east-1:1:api/dev/$default"

    by_alias = loop.run(functions.invoke(arn, {}, source_arn=source))
    by_version = loop.run(functions.invoke(f"{name}:{version}", {}))
    by_name = loop.run(functions.invoke(f"{name}:$LATEST", {}))

    base = arn.removesuffix(":live")
    assert by_alias.payload == [arn, version, version]
    assert by_version.payload == [f"{base}:{version}", version, version]
    assert by_name.payload == [base, "$LATEST", "$LATEST"]
    with pytest.raises(HostError, match=f"the policy of {name} does not let API Gateway in"):
        loop.run(functions.invoke(name, {}, source_arn=source))


@pytest.mark.parametrize(
    "asked",
    [
        "arn:aws:lambda:us-east-1:123456789012:function:my-function:live",
        "123456789012:function:my-function:live",
        "my-function:live",
    ],
)
def test_what_names_an_alias(functions, loop, asked):
    with pytest.raises(HostError, match=r"^there is no function my-function:live$"):
        loop.run(functions.invoke(asked, {}))


def test_alias_that_is_not_there(functions, loop, name):
    with pytest.raises(HostError, match=f"there is no function {name}:nobody"):
        loop.run(functions.invoke(f"{name}:nobody", {}))


def test_all_pools_of_a_function_are_killed(functions, loop, name, emulator):
    client = emulator.client("lambda")
    version = client.publish_version(FunctionName=name)["Version"]
    for asked in (name, f"{name}:{version}"):
        loop.run(functions.invoke(asked, {}))

    one = loop.run(async_(functions.kill, name, 1))
    both = loop.run(async_(functions.kill, name, None))

    assert (one, both >= 1) == (1, True)


async def async_(call, *arguments):
    return call(*arguments)


SEES = """
import os
def handler(event, context):
    return {key: value for key, value in os.environ.items() if key.startswith("AWS_")}
"""


def test_credentials_of_the_user_reach_no_function(functions, loop, name, emulator, monkeypatch):
    """A function has those of its own role, and no others, whatever is set where the tool runs."""
    code = zip_of({"app.py": SEES})
    emulator.client("lambda").update_function_code(FunctionName=name, ZipFile=code)
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(variable, "the user's own")
    monkeypatch.setenv("AWS_PROFILE", "the user's own")

    seen = loop.run(functions.invoke(name, {})).payload

    assert functions.issued(seen["AWS_ACCESS_KEY_ID"]).role_arn.endswith(":role/role")
    assert "the user's own" not in seen.values()
    assert "AWS_PROFILE" not in seen


# --- APIs that are not played ----------------------------------------------------------------------


@pytest.fixture
def api_id(emulator, name):
    return create_api(emulator, {"$default": {"function": name_arn(emulator, name)}})


def name_arn(emulator, name):
    return emulator.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]


def refusal(emulator, loop, api_id, stage="dev"):
    with pytest.raises(ApiError) as caught:
        loop.enter(LocalApi(emulator.client, api_id, stage))
    return str(caught.value)


def test_api_or_stage_that_is_not_there(emulator, loop, api_id):
    assert refusal(emulator, loop, "nobody") == "there is no API nobody with a stage dev"
    assert refusal(emulator, loop, api_id, "other").endswith("with a stage other")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"RouteKey": "$connect", "AuthorizationType": "AWS_IAM"},
            "$connect has the authorization AWS_IAM: only CUSTOM is played, so name a Lambda authorizer, or NONE",
        ),
        (
            {"RouteKey": "$connect", "AuthorizationType": "CUSTOM", "AuthorizerId": "nobody"},
            "$connect has an authorizer that is not there: nobody",
        ),
        (
            {"ApiKeyRequired": True},
            "$default asks for an API key: AWS documents that for $connect only, "
            "so set ApiKeyRequired there",
        ),
        ({"Target": "integrations/nowhere"}, "$default has no integration: give it a Target"),
    ],
)
def test_route_that_is_not_played(emulator, loop, api_id, change, reason):
    client = emulator.client("apigatewayv2")
    [route] = client.get_routes(ApiId=api_id)["Items"]
    client.update_route(ApiId=api_id, RouteId=route["RouteId"], **change)

    assert refusal(emulator, loop, api_id) == f"route {reason}"


def test_authorizer_that_is_not_played(emulator, loop, name):
    arn = name_arn(emulator, name)
    role = "arn:aws:iam::*:user/*"
    authorizer = {"function": arn, "AuthorizerCredentialsArn": role}
    api_id = create_api(emulator, {"$connect": {"function": arn}}, authorizer=authorizer)

    assert refusal(emulator, loop, api_id) == (
        "authorizer guard invokes its function as the caller: name a role instead, or let API Gateway in by the function's policy"
    )


def test_authorizer_that_cloudformation_has_made(emulator, name):
    """The emulator gives it the identity source of an HTTP API; on AWS it has none."""
    uri = {"Fn::Sub": invocations_of(name_arn(emulator, name))}
    api = {"Ref": "Api"}
    template = {
        "Api": {
            "ProtocolType": "WEBSOCKET",
            "Name": name,
            "RouteSelectionExpression": "$request.body.action",
        },
        "Integration": {"ApiId": api, "IntegrationType": "AWS_PROXY", "IntegrationUri": uri},
        "Authorizer": {
            "ApiId": api,
            "Name": "guard",
            "AuthorizerType": "REQUEST",
            "AuthorizerUri": uri,
        },
        "Route": {
            "ApiId": api,
            "RouteKey": "$connect",
            "AuthorizationType": "CUSTOM",
            "AuthorizerId": {"Ref": "Authorizer"},
            "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]},
        },
        "Stage": {"ApiId": api, "StageName": "dev", "AutoDeploy": True},
    }
    resources = {
        key: {"Type": f"AWS::ApiGatewayV2::{key}", "Properties": properties}
        for key, properties in template.items()
    }
    stacks = emulator.client("cloudformation")
    stacks.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.05})
    made = stacks.describe_stack_resources(StackName=name)["StackResources"]
    [api_id] = [one["PhysicalResourceId"] for one in made if one["LogicalResourceId"] == "Api"]

    route = read_api(emulator.client("apigatewayv2"), api_id, "dev").routes["$connect"]

    assert route.authorizer.name == "guard"
    assert route.authorizer.function_arn == name_arn(emulator, name)
    assert route.authorizer.identity_sources == ()


# --- the gateway around them -----------------------------------------------------------------------


def get(api, path):
    import urllib.error
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{api.domain}{path}", timeout=20) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


def test_pages_are_served_beside_the_api(emulator, loop, api_id):
    pages = {"/": ("text/html", b"<h1>page</h1>")}
    api = loop.enter(LocalApi(emulator.client, api_id, "dev", pages=pages.get))

    assert get(api, "/?a=1") == (200, "text/html", b"<h1>page</h1>")
    assert get(api, "/other")[0] == 403
    assert json.loads(get(api, "/dev/@connections/x")[2]) == {
        "message": "Missing Authentication Token"
    }


def test_new_route_is_taken_over_and_connections_stay(emulator, loop, api_id, name):
    from websockets.sync.client import connect

    api = loop.enter(LocalApi(emulator.client, api_id, "dev"))
    with connect(api.url, proxy=None) as client:
        client.send('{"action": "new"}')
        before = json.loads(client.recv(timeout=20))  # the function's answer is malformed
        arn = name_arn(emulator, name)
        add_route(emulator, api_id, "new", function=arn, responds=True)
        loop.run(api.reload())
        client.send('{"action": "new"}')
        client.recv(timeout=20)

        assert before["message"] == "Internal server error"
        assert len(api.connections()) == 1
    assert api.states()[0].invocations == 2


def test_subscriber_that_fails_harms_nobody(emulator, loop, api_id, name):
    api = loop.enter(LocalApi(emulator.client, api_id, "dev"))
    seen = []

    def fail(line):
        seen.append(line)
        raise RuntimeError

    api.subscribe(fail)
    stop = api.subscribe(lambda line: seen.append(line.text))
    result = loop.run(api.invoke(name, {}))
    stop()
    before = len(seen)
    loop.run(api.invoke(name, {}))

    assert result.error is None
    assert len([one for one in seen if isinstance(one, str)]) == 2  # start and report
    assert before == len(seen) == 3


def test_function_that_cannot_run_costs_a_client_a_message_and_the_log_a_line(
    emulator, loop, api_id, monkeypatch, caplog
):
    from websockets.sync.client import connect

    def no_space(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    api = loop.enter(LocalApi(emulator.client, api_id, "dev"))
    monkeypatch.setattr(deployed, "unpack_code", no_space)
    with connect(api.url, proxy=None) as client:
        answers = []
        for _ in range(20):
            client.send("{}")
            answers.append(json.loads(client.recv(timeout=20))["message"])

    assert answers == ["Internal server error"] * 20
    (failure,) = [record for record in caplog.records if record.name.startswith("wslocal")]
    assert failure.getMessage().endswith("[Errno 28] No space left on device")
    assert failure.exc_info is None


def test_closed_connections_say_1001_and_new_ones_are_refused(emulator, loop, api_id):
    from websockets.exceptions import ConnectionClosed, InvalidStatus
    from websockets.sync.client import connect

    api = loop.enter(LocalApi(emulator.client, api_id, "dev"))
    with connect(api.url, proxy=None) as client:
        loop.run(_call(api.close_connections))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=20)
        with pytest.raises(InvalidStatus) as refused, connect(api.url, proxy=None):
            pass

    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "Going away")
    assert refused.value.response.status_code == 503


async def _call(function):
    function()


def test_listener_that_is_given(emulator, loop, api_id):
    import socket

    listener = socket.create_server(("127.0.0.1", 0))  # the gateway closes it
    port = listener.getsockname()[1]
    api = loop.enter(LocalApi(emulator.client, api_id, "dev", listener=listener))

    assert api.url == f"ws://127.0.0.1:{port}/dev"


# --- policies of functions -------------------------------------------------------------------------

ARN = "arn:aws:execute-api:us-east-1:000000000000:abc/dev/$connect"


def statement(source="*", **changes):
    return {
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Condition": {"ArnLike": {"AWS:SourceArn": source}},
    } | changes


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        pytest.param([], False, id="none"),
        pytest.param([statement(ARN)], True, id="the-route"),
        pytest.param([statement(ARN.replace("$connect", "*"))], True, id="the-stage"),
        pytest.param([statement(ARN.replace("dev/$connect", "*/*"))], True, id="the-api"),
        pytest.param([statement(ARN.replace("dev", "de?"))], True, id="question-mark"),
        pytest.param([statement(ARN.replace("dev", "prod"))], False, id="another-stage"),
        pytest.param([statement(ARN.replace("abc", "abcd"))], False, id="another-api"),
        pytest.param([statement(ARN + "x"), statement(ARN)], True, id="one-of-two"),
        pytest.param([statement(Condition={})], True, id="no-condition"),
        pytest.param([statement(Effect="Deny")], False, id="deny"),
        pytest.param([statement(Action="lambda:GetFunction")], False, id="another-action"),
        pytest.param([statement(Principal="*")], True, id="anybody"),
        pytest.param([statement(Principal={"Service": "sns.amazonaws.com"})], False, id="sns"),
        pytest.param([statement(Principal={"AWS": "arn:aws:iam::1:root"})], False, id="account"),
    ],
)
def test_policy(statements, allowed):
    assert lets_in(statements, ARN) is allowed
