"""Each fault in a running gateway, with real functions and sockets, and that nothing is left of it."""

import asyncio
import contextlib
import json
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from wslocal import Emulator, FaultError, GatewayLimits, HostError, LocalApi, LoopThread, Post
from wslocal.emulator import ACCOUNT, REGION
from wslocal.tests.gateway_system import create_api, create_function, create_role, zip_of

pytestmark = pytest.mark.slow

# Says what its environment is like, and what DynamoDB answers.
APP = """
import functools, json, os, time
from datetime import datetime, timezone

left_ms = None

def handler(event, context):
    global left_ms
    left_ms = context.get_remaining_time_in_millis()
    context_of = event.get("requestContext")
    if context_of:
        return {"statusCode": 200, "body": json.dumps(context_of)}
    return globals()[event["do"]](**event.get("with", {}))

def environ():
    return {key: value for key, value in os.environ.items() if key.startswith("AWS_")}

def clock():
    return {
        "pid": os.getpid(),
        "times": [
            time.time(),
            time.time_ns() / 1e9,
            datetime.now(timezone.utc).timestamp(),
            datetime.now().timestamp(),
            datetime.utcnow().replace(tzinfo=timezone.utc).timestamp(),
            time.mktime(time.localtime()),
        ],
        "day": time.strftime("%Y-%m-%d"),
        "left_ms": left_ms,
    }

@functools.cache
def dynamodb():
    import boto3
    from botocore.config import Config
    return boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))

def read(table):
    from botocore.exceptions import ClientError, EndpointConnectionError, ConnectionClosedError
    try:
        found = dynamodb().get_item(TableName=table, Key={"id": {"S": "a"}})
    except ClientError as error:
        return error.response["Error"]["Code"]
    except Exception as error:
        return type(error).__name__
    return found["Item"]["text"]["S"]
"""
TEXT = "é" * 100


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        role = create_role(emulator, "role", verbs=["POST", "GET", "DELETE"])
        dynamodb = emulator.client("dynamodb")
        for table in ("Things", "Others", "Secret"):
            dynamodb.create_table(
                TableName=table,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
            dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "text": {"S": TEXT}})
        allowed = [f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{t}" for t in ("Things", "Others")]
        statement = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": allowed}
        emulator.client("iam").put_role_policy(
            RoleName="role",
            PolicyName="tables",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        code = {"ZipFile": zip_of({"app.py": APP})}
        for name in ("work", "unused"):
            create_function(emulator, name, "app.handler", role, Code=code)
        yield emulator


@pytest.fixture(scope="module")
def loop():
    with LoopThread() as loop:
        yield loop


@pytest.fixture(scope="module")
def api(emulator, loop):
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:work"
    api_id = create_api(emulator, {"$default": {"function": arn, "responds": True}})
    limits = GatewayLimits(client_buffer_bytes=100_000)
    return loop.enter(LocalApi(emulator.client, api_id, "dev", limits=limits))


@pytest.fixture(scope="module")
def management(api, loop):
    """Return a boto3 client of @connections with the function's credentials."""
    given = loop.run(call(api, "environ"))
    return boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=api.callback_url,
        region_name=REGION,
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=given["AWS_SESSION_TOKEN"],
        config=Config(proxies={}, retries={"total_max_attempts": 1}, max_pool_connections=50),
    )


@pytest.fixture
def post(management):
    """Return a function that posts to a connection, and returns the status."""

    def post(connection_id, data):
        try:
            management.post_to_connection(ConnectionId=connection_id, Data=data)
        except ClientError as error:
            return error.response["ResponseMetadata"]["HTTPStatusCode"]
        return 200

    return lambda connection_id, data=b"x": asyncio.to_thread(post, connection_id, data)


async def call(api, do, **arguments):
    result = await api.invoke("work", {"do": do, "with": arguments})
    assert result.error is None, result
    return result.payload


@contextlib.asynccontextmanager
async def client(api):
    """Give a client, and its connection's id."""
    before = {one.client.connection_id for one in api.connections()}
    async with connect(api.url, proxy=None, compression=None, close_timeout=0.1) as client:
        [new] = {one.client.connection_id for one in api.connections()} - before
        yield client, new


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


def has_ended(pid):
    return not Path(f"/proc/{pid}").exists()


# --- posts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [410, 429, 500])
def test_every_second_post_is_answered_and_not_delivered(api, loop, post, answer):
    async def run():
        async with client(api) as (listener, connection_id):
            with api.faults.posts(answer, every=2) as fault:
                statuses = [await post(connection_id, b"%d" % n) for n in range(4)]
            statuses.append(await post(connection_id, b"4"))
            return statuses, fault.hits, [await listener.recv() for _ in range(3)]

    statuses, hits, heard = loop.run(run())

    assert statuses == [200, answer, 200, answer, 200]
    assert hits == 2
    assert heard == ["0", "2", "4"]


def test_post_that_is_never_answered(api, loop, post):
    """Others are, over sockets of their own; at the end the caller's socket is cut."""

    async def run():
        async with client(api) as (stuck, stuck_id), client(api) as (other, other_id):
            with api.faults.posts(None, to=[stuck_id]) as fault:
                silent = asyncio.create_task(post(stuck_id))
                await until(lambda: fault.hits)
                status = await post(other_id, b"y")
                heard = await other.recv()
                waits = not silent.done()
            with pytest.raises(Exception, match="Connection was closed"):
                await silent
            return status, heard, waits, await post(stuck_id, b"z"), await stuck.recv()

    assert loop.run(run()) == (200, "y", True, 200, "z")


def test_who_subscribes_to_posts_gets_each_with_its_status(api, loop, post):
    """Also those that reached nobody; a subscriber that fails harms nobody."""

    async def run():
        seen, failing = [], []

        def fail(post):
            failing.append(post)
            raise RuntimeError

        api.subscribe_to_posts(fail)
        stop = api.subscribe_to_posts(seen.append)
        async with client(api) as (_, connection_id):
            await post(connection_id, b"x")
            await post("nobody", b"y")
            with api.faults.posts(429):
                await post(connection_id, b"z")
            stop()
            await post(connection_id, b"unseen")
        return connection_id, seen, failing

    connection_id, seen, failing = loop.run(run())

    assert seen == [
        Post(connection_id, b"x", 200),
        Post("nobody", b"y", 410),
        Post(connection_id, b"z", 429),
    ]
    assert failing == seen[:1]


def test_silent_post_does_not_keep_the_gateway_from_ending(emulator, loop):
    """The socket of a caller who waits is cut as well."""
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:work"
    api_id = create_api(emulator, {"$default": {"function": arn, "responds": True}})

    async def run():
        api = LocalApi(emulator.client, api_id, "dev")
        async with api:
            given = await call(api, "environ")
            management = boto3.client(
                "apigatewaymanagementapi",
                endpoint_url=api.callback_url,
                region_name=REGION,
                aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=given["AWS_SESSION_TOKEN"],
                config=Config(proxies={}, retries={"total_max_attempts": 1}),
            )
            fault = api.faults.posts(None)
            with fault as met:
                post = management.post_to_connection
                silent = asyncio.create_task(asyncio.to_thread(post, ConnectionId="x", Data=b"x"))
                await until(lambda: met.hits)
                await api.__aexit__(None, None, None)
                with pytest.raises(Exception, match="Connection was closed"):
                    await silent

    loop.run(run())


# --- clients --------------------------------------------------------------------------------------


def test_client_that_stops_reading_is_refused_with_429_and_gets_the_rest_afterwards(
    api, loop, post
):
    async def run():
        async with client(api) as (stuck, stuck_id), client(api) as (other, other_id):
            with api.faults.stop_reading(stuck_id):
                statuses = [await post(stuck_id, b"%05d" % n * 4_000) for n in range(7)]
                healthy = await post(other_id, b"y"), await other.recv()
            after = [(await stuck.recv())[:5] for n in range(statuses.count(200))]
            again = await post(stuck_id, b"again"), await stuck.recv()
            return statuses, healthy, after, again

    statuses, healthy, after, again = loop.run(run())

    assert statuses == [200] * 5 + [429] * 2  # 100 KB, with frames' heads
    assert healthy == (200, "y")
    assert after == ["00000", "00001", "00002", "00003", "00004"]
    assert again == (200, "again")


def test_close_of_a_client_that_stops_reading_is_forced(api, loop):
    async def run():
        async with client(api) as (_, connection_id):
            [connection] = [c for c in api.connections() if c.client.connection_id == connection_id]
            with api.faults.stop_reading(connection_id):
                connection.socket.abort()
                await until(lambda: connection not in api.connections())

    loop.run(run())


def test_socket_is_cut(api, loop):
    async def run():
        async with client(api) as (listener, connection_id):
            api.faults.cut(connection_id)
            with pytest.raises(ConnectionClosedError) as closed:
                await listener.recv()
            await until(lambda: not api.connections())
            with pytest.raises(FaultError, match="none is open"):
                api.faults.cut(connection_id)
            return closed.value.rcvd

    assert loop.run(run()) is None  # no close frame


# --- DynamoDB -------------------------------------------------------------------------------------


def test_functions_reach_dynamodb_through_the_relay_alone(api, loop, emulator):
    environ = loop.run(call(api, "environ"))

    assert environ["AWS_ENDPOINT_URL"] == emulator.endpoint
    assert environ["AWS_ENDPOINT_URL_DYNAMODB"] not in ("", emulator.endpoint)


def test_rights_hold_behind_the_relay(api, loop):
    """What the role may not is refused, and so is a signature that is not right."""
    environ = loop.run(call(api, "environ"))
    wrong = boto3.client(
        "dynamodb",
        endpoint_url=environ["AWS_ENDPOINT_URL_DYNAMODB"],
        region_name=REGION,
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key="x" * 40,
        aws_session_token=environ["AWS_SESSION_TOKEN"],
        config=Config(proxies={}, retries={"total_max_attempts": 1}),
    )

    assert loop.run(call(api, "read", table="Things")) == TEXT
    assert loop.run(call(api, "read", table="Secret")) == "AccessDeniedException"
    with pytest.raises(ClientError, match="signature we calculated does not match"):
        wrong.get_item(TableName="Things", Key={"id": {"S": "a"}})


def test_calls_about_a_table_fail(api, loop):
    async def run():
        before = await call(api, "read", table="Things")
        with api.faults.table("Things", error="ThrottlingException", every=2) as fault:
            meanwhile = [await call(api, "read", table=t) for t in ("Things", "Others") * 2]
        return before, meanwhile, fault.hits, await call(api, "read", table="Things")

    assert loop.run(run()) == (TEXT, [TEXT, TEXT, "ThrottlingException", TEXT], 1, TEXT)


def test_calls_to_dynamodb_are_refused(api, loop):
    async def run():
        with api.faults.table(None, error="refuse"):
            meanwhile = await call(api, "read", table="Things")
        return meanwhile, await call(api, "read", table="Things")

    meanwhile, after = loop.run(run())

    assert meanwhile in {"ConnectionClosedError", "EndpointConnectionError", "HTTPClientError"}
    assert after == TEXT


def test_frozen_emulator_answers_late(api, loop, emulator):
    async def run():
        with emulator.freeze(), emulator.freeze():
            reading = asyncio.create_task(call(api, "read", table="Things"))
            done, _ = await asyncio.wait([reading], timeout=0.3)
        return done, await reading

    assert loop.run(run()) == (set(), TEXT)


# --- clocks ---------------------------------------------------------------------------------------


def test_time_of_events_is_shifted(api, loop):
    async def epoch(client):
        await client.send("{}")
        return json.loads(await client.recv())["requestTimeEpoch"] / 1000 - time.time()

    async def run():
        async with client(api) as (speaker, _):
            before = await epoch(speaker)
            with api.faults.request_time(-500):
                return before, await epoch(speaker) + 500, await epoch(speaker) + 500

    assert all(-20 < late <= 0 for late in loop.run(run()))


def test_clock_of_new_environments_is_shifted(api, loop):
    async def run():
        first = await call(api, "clock")
        with api.faults.function_clock(86_400 * 3 + 0.5):
            old = await call(api, "clock")
            api.kill_environments("work")
            await until(lambda: has_ended(first["pid"]))
            shifted = await call(api, "clock")
            again = await call(api, "clock")
        after = await call(api, "clock")
        return first, old, shifted, again, after

    first, old, shifted, again, after = loop.run(run())

    assert first["pid"] == old["pid"]
    assert shifted["pid"] == again["pid"]
    assert len({first["pid"], shifted["pid"], after["pid"]}) == 3
    assert all(abs(moment - time.time()) < 60 for one in (old, after) for moment in one["times"])
    assert all(abs(moment - time.time() - 259_200) < 60 for moment in shifted["times"])
    assert all(0 < one["left_ms"] <= 30_000 for one in (first, shifted, after))
    assert shifted["day"] == time.strftime("%Y-%m-%d", time.gmtime(shifted["times"][0]))


def test_refused_signature_gets_the_gateways_time(api):
    url = f"{api.callback_url}/@connections/nobody"

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, timeout=10)  # noqa: S310 - our own address

    with refused.value as answer:
        theirs = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    assert abs(theirs - time.time()) < 60


# --- code and processes ---------------------------------------------------------------------------


def test_code_that_cannot_be_unpacked_is_unpacked_later(api, loop):
    async def run():
        with api.faults.no_space() as fault, pytest.raises(HostError, match="No space left"):
            await api.invoke("unused", {"do": "clock"})
        return fault.hits, await api.invoke("unused", {"do": "clock"})

    hits, result = loop.run(run())

    assert hits == 1
    assert result.payload["pid"]


def test_environments_are_killed_and_replaced(api, loop):
    async def run():
        before = await call(api, "clock")
        killed = api.kill_environments(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:work", 1)
        await until(lambda: has_ended(before["pid"]))
        return before, killed, await call(api, "clock")

    before, killed, after = loop.run(run())

    assert killed == 1
    assert before["pid"] != after["pid"]


def test_environments_that_cannot_be_killed(api):
    with pytest.raises(HostError, match="nobody was not invoked yet; functions that were: work"):
        api.kill_environments("nobody")
    with pytest.raises(HostError, match="count must be an integer from 1, got 0"):
        api.kill_environments("work", 0)
