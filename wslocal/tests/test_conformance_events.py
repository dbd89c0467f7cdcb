"""Functions, queues and streams invoke functions as on AWS: each test is a row of the table in CONFORMANCE.md.

One emulator, real functions under the official runtime client that call with boto3.
"""

import base64
import hashlib
import json
import secrets
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

from wslocal.emulator import ACCOUNT, REGION, Emulator
from wslocal.events import DeployedSchedule, EventError, EventSources, check
from wslocal.lambda_host import function
from wslocal.loop import LoopThread
from wslocal.tests.conformance_table import CHOSEN, behaviour
from wslocal.tests.event_system import (
    allow,
    create,
    create_role_with,
    function_arn,
    start,
    wait_until,
)

pytestmark = pytest.mark.slow

LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/"
INVOKE = "https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"
LIMITS = f"{LAMBDA}gettingstarted-limits.html"
RETRIES = f"{LAMBDA}invocation-async-error-handling.html"
CONFIGURED = f"{LAMBDA}invocation-async-configuring.html"
RECORDS = f"{LAMBDA}invocation-async-retain-records.html"
RECURSION = f"{LAMBDA}invocation-recursion.html"
EVALUATION = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-id-rdp.html"
DENIED = "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"
TOO_LARGE = "https://github.com/ASFHyP3/hyp3/issues/2241"
SQS = f"{LAMBDA}with-sqs.html"
SQS_ERRORS = f"{LAMBDA}services-sqs-errorhandling.html"
SQS_SCALING = f"{LAMBDA}services-sqs-scaling.html"
SQS_RIGHTS = f"{LAMBDA}services-sqs-configure.html"
FILTERS = f"{LAMBDA}invocation-eventfiltering.html"
SQS_FILTERS = f"{LAMBDA}with-sqs-filtering.html"
BATCHING = f"{LAMBDA}invocation-eventsourcemapping.html"
STREAMS = f"{LAMBDA}with-ddb.html"
STREAM_PARAMETERS = f"{LAMBDA}services-ddb-params.html"
STREAM_ERRORS = f"{LAMBDA}services-dynamodb-errors.html"
STREAM_FAILURES = f"{LAMBDA}services-ddb-batchfailurereporting.html"

SCHEDULES = f"{LAMBDA}lambda-services.html"

POLLS = [("sqs:*", "*"), ("dynamodb:*", "*"), ("lambda:InvokeFunction", "*")]


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def loop():
    with LoopThread() as loop:
        yield loop


@pytest.fixture(scope="module")
def system(emulator, loop):
    """Return functions that run: `caller` may invoke all, `poor` none."""
    may = create_role_with(emulator, ("lambda:InvokeFunction", "*"), ("lambda:ListFunctions", "*"))
    polls = create_role_with(emulator, *POLLS)
    create(emulator, "caller", "caller", may)
    create(emulator, "poor", "caller", create_role_with(emulator))
    create(emulator, "worker", "worker", polls)
    create(emulator, "text", "worker", polls, LoggingConfig={"LogFormat": "Text"}, Timeout=1)
    create(emulator, "looping", "loop", may, Timeout=60)
    return start(emulator, loop, retry_scale=0.0, max_environments=20)


@pytest.fixture
def worker(emulator, system):
    """Return the name of a function of the test's own, which may do all that an event source needs."""
    return new_worker(emulator)


def new_worker(emulator, handler="worker", **more):
    name = f"worker-{secrets.token_hex(4)}"
    create(emulator, name, handler, create_role_with(emulator, *POLLS), **more)
    return name


# --- functions that invoke functions -----------------------------------------------------------------


@behaviour("Invoke: what the function returns, with status 200 and the version", INVOKE)
def test_request_response(system):
    [said] = system.call("caller", {"FunctionName": "worker", "Payload": '{"answer": {"a": [1]}}'})

    assert json.loads(said["payload"]) == {"a": [1]}
    assert (said["status"], said["error"], said["version"]) == (200, None, "$LATEST")


@behaviour("A function is named by its name, ARN or partial ARN, with a qualifier", INVOKE)
@pytest.mark.parametrize(
    "name",
    [
        function_arn("worker"),
        f"{ACCOUNT}:function:worker",
        "worker:$LATEST",
        f"{function_arn('worker')}:$LATEST",
    ],
)
def test_names(system, name):
    [said] = system.call("caller", {"FunctionName": name})

    assert json.loads(said["payload"]) == {"ok": True}


@behaviour("An alias leads to its version, whose number is in the answer", INVOKE)
def test_alias(emulator, system, worker):
    client = emulator.client("lambda")
    version = client.publish_version(FunctionName=worker)["Version"]
    client.create_alias(FunctionName=worker, Name="live", FunctionVersion=version)

    [said] = system.call("caller", {"FunctionName": worker, "Qualifier": "live"})

    assert (said["status"], said["version"]) == (200, "1")


@behaviour("A function that fails: 200, `X-Amz-Function-Error`, and the error as payload", INVOKE)
def test_function_error(system):
    [said] = system.call("caller", {"FunctionName": "worker", "Payload": '{"fail": "broken"}'})

    assert (said["status"], said["error"]) == (200, "Unhandled")
    error = json.loads(said["payload"])
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "broken")
    assert error["requestId"] == said["request_id"]
    assert error["stackTrace"]


@behaviour("A function that takes too long: `Sandbox.Timedout` as its error", INVOKE)
def test_timeout(system, tmp_path):
    event = json.dumps({"hold": str(tmp_path / "never")})

    [said] = system.call("caller", {"FunctionName": "text", "Payload": event})

    assert (said["status"], said["error"]) == (200, "Unhandled")
    assert json.loads(said["payload"])["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in said["payload"]


@behaviour(
    "The account's root may invoke what it likes, as an administrator of a real account may", INVOKE
)
def test_root(emulator, system, worker):
    """With the emulator's own endpoint it would run in a worker of the emulator's: that is refused."""
    client = emulator.client("lambda", endpoint=system.api.url)

    answer = client.invoke(FunctionName=worker, Payload='{"answer": 7}', LogType="Tail")
    with pytest.raises(ClientError, match="functions are not invoked here"):
        emulator.client("lambda").invoke(FunctionName=worker)

    assert json.load(answer["Payload"]) == 7
    assert b"platform.report" in base64.b64decode(answer["LogResult"])
    assert len(system.got(worker, 1)) == 1


@behaviour("LogType Tail: the last 4 KB of the invocation's own log", INVOKE)
def test_log_tail(system):
    event = json.dumps({"print": "x" * 5000 + " the end"})

    [short, long, failed] = system.call(
        "caller",
        {"FunctionName": "text", "LogType": "Tail"},
        {"FunctionName": "text", "LogType": "Tail", "Payload": event},
        {"FunctionName": "text", "LogType": "Tail", "Payload": json.dumps({"fail": "no"})},
    )

    assert short["log"].startswith(f"START RequestId: {short['request_id']}")
    assert f"REPORT RequestId: {short['request_id']}" in short["log"]
    assert len(long["log"]) == 4096
    assert "xxx the end\n" in long["log"]
    assert "[ERROR] ValueError: no\nTraceback (most recent call last):\n" in failed["log"]
    assert "\r" not in failed["log"]


@behaviour("Without a payload the event is `{}`", CHOSEN)
def test_no_payload(system, worker):
    system.call("caller", {"FunctionName": worker})

    assert [event for event, _ in system.got(worker, 1)] == [{}]


@behaviour("DryRun: 204 if the function is there and may be invoked, and it is not", INVOKE)
def test_dry_run(system, worker):
    calls = [
        {"FunctionName": worker, "InvocationType": "DryRun"},
        {"FunctionName": "nobody", "InvocationType": "DryRun"},
    ]

    said = system.call("caller", *calls)
    denied = system.call("poor", calls[0])

    assert [one["status"] for one in said + denied] == [204, 404, 403]
    assert system.got(worker) == []


@behaviour("The client context reaches the function's context", INVOKE)
def test_client_context(system):
    [said] = system.call(
        "caller",
        {
            "FunctionName": "worker",
            "Payload": '{"do": "context"}',
            "ClientContext": "eyJjdXN0b20iOiB7ImEiOiAxfX0=",
        },
    )

    assert json.loads(said["payload"])["custom"] == {"a": 1}


@behaviour("A function that is not there: ResourceNotFoundException, 404", INVOKE)
@pytest.mark.parametrize("name", ["nobody", "worker:nothing", f"{'1' * 12}:function:worker"])
def test_no_such_function(system, name):
    [said] = system.call("caller", {"FunctionName": name})

    assert (said["code"], said["status"]) == ("ResourceNotFoundException", 404)
    assert said["message"].startswith("Function not found: arn:aws:lambda:")


@behaviour("A payload that is no JSON: InvalidRequestContentException, 400", INVOKE)
@pytest.mark.parametrize("payload", ["{", "secret", "NaN"])
def test_no_json(system, payload):
    said = system.call(
        "caller",
        {"FunctionName": "worker", "Payload": payload},
        {"FunctionName": "worker", "Payload": payload, "InvocationType": "Event"},
    )

    expected = ("InvalidRequestContentException", 400)
    assert [(one["code"], one["status"]) for one in said] == [expected, expected]
    assert said[0]["message"].startswith("Could not parse request body into json: ")
    assert "secret" not in said[0]["message"]


@behaviour("A payload of up to 6 MB, 1 MB for Event; beyond it 413", LIMITS)
@pytest.mark.parametrize(("kind", "limit"), [("RequestResponse", 6 << 20), ("Event", 1 << 20)])
def test_payload_size(system, kind, limit):
    call = {"FunctionName": "worker", "InvocationType": kind, "Payload": "{}"}

    [taken, refused] = system.call(
        "caller", {**call, "size": limit - 2}, {**call, "size": limit - 1}
    )

    assert taken["status"] in {200, 202}
    assert refused["status"] == 413


@behaviour("Its error is RequestEntityTooLargeException, with both numbers", TOO_LARGE)
def test_payload_too_large(system):
    [said] = system.call(
        "caller",
        {
            "FunctionName": "worker",
            "InvocationType": "Event",
            "Payload": "{}",
            "size": (1 << 20) - 1,
        },
    )

    assert said["code"] == "RequestEntityTooLargeException"
    assert said["message"] == (
        "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)"
    )


@behaviour("A role without `lambda:InvokeFunction` for the function: 403, in IAM's words", DENIED)
def test_no_right(system):
    [said] = system.call("poor", {"FunctionName": "worker"})

    assert (said["code"], said["status"]) == ("AccessDeniedException", 403)
    assert said["message"].startswith(f"User: arn:aws:sts::{ACCOUNT}:assumed-role/role-")
    assert said["message"].endswith(
        f"/poor is not authorized to perform: lambda:InvokeFunction on resource: "
        f"{function_arn('worker')} because no identity-based policy allows the "
        "lambda:InvokeFunction action"
    )


@behaviour(
    "A function's policy that names the role lets it in; one that names the account does not",
    EVALUATION,
)
def test_resource_policy(emulator, system, worker):
    role = create_role_with(emulator)
    create(emulator, caller := f"caller-{secrets.token_hex(4)}", "caller", role)
    client = emulator.client("lambda")

    def permit(principal):
        client.add_permission(
            FunctionName=worker,
            StatementId=secrets.token_hex(4),
            Action="lambda:InvokeFunction",
            Principal=principal,
        )
        [said] = system.call(caller, {"FunctionName": worker})
        return said["status"]

    assert permit(ACCOUNT) == 403
    assert permit(role) == 200


@behaviour("A deny in the role's own policies wins over the function's policy", EVALUATION)
def test_explicit_deny(emulator, system, worker):
    role = create_role_with(emulator)
    allow(emulator, role.rpartition("/")[2], "lambda:*", "*", effect="Deny")
    create(emulator, caller := f"caller-{secrets.token_hex(4)}", "caller", role)
    emulator.client("lambda").add_permission(
        FunctionName=worker,
        StatementId="lets-in",
        Action="lambda:InvokeFunction",
        Principal=role,
    )

    [said] = system.call(caller, {"FunctionName": worker})

    assert said["status"] == 403
    assert said["message"].endswith("with an explicit deny in an identity-based policy")


@behaviour("A chain of functions that comes by the same one a 17th time is stopped", RECURSION)
@pytest.mark.long  # seventeen environments
def test_recursion(system):
    result = system.loop.run(system.functions.invoke("looping", {}))

    assert result.payload == {"rounds": 16, "code": "RecursiveInvocationException"}


@behaviour("A function whose recursion is configured as `Allow` is not stopped", RECURSION)
@pytest.mark.long  # seventeen environments
def test_allowed_recursion(emulator, system):
    client = emulator.client("lambda")
    client.put_function_recursion_config(FunctionName="looping", RecursiveLoop="Allow")
    system.asynchronous.descriptions.forget()

    result = system.loop.run(system.functions.invoke("looping", {"left": 17}))

    client.put_function_recursion_config(FunctionName="looping", RecursiveLoop="Terminate")
    system.asynchronous.descriptions.forget()
    assert result.payload == {"rounds": 17}


@behaviour("A function that waits for itself with no environment left times out", RECURSION)
def test_waits_for_itself(emulator, loop):
    role = create_role_with(emulator, ("lambda:InvokeFunction", "*"))
    create(emulator, "narrow", "loop", role, Timeout=2)
    system = start(emulator, loop, max_environments=1)

    result = system.loop.run(system.functions.invoke("narrow", {}))

    assert result.error.type == "Sandbox.Timedout"


@behaviour("All other operations of Lambda's API are answered, with the role's rights", CHOSEN)
def test_other_operations(system):
    [listed] = system.call("caller", {"operation": "list_functions"})
    [denied] = system.call("poor", {"operation": "list_functions"})

    assert "worker" in {one["FunctionName"] for one in listed["answer"]["Functions"]}
    assert denied["status"] == 403


# --- asynchronous invocations ------------------------------------------------------------------------


def send(system, worker, **event):
    """Invoke a function asynchronously, and return the request's id."""
    [said] = system.call(
        "caller",
        {"FunctionName": worker, "InvocationType": "Event", "Payload": json.dumps(event)},
    )
    assert (said["status"], said["payload"]) == (202, "")
    return said["request_id"]


def settle(system):
    wait_until(lambda: not system.asynchronous.waiting)


def queue(emulator, **attributes):
    """Return the URL and the ARN of a new queue."""
    name = f"queue-{secrets.token_hex(4)}" + (".fifo" if "FifoQueue" in attributes else "")
    url = emulator.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def receive(emulator, url):
    """Return the next message of a queue."""
    return wait_until(
        lambda: (
            emulator.client("sqs")
            .receive_message(
                QueueUrl=url,
                WaitTimeSeconds=1,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
            .get("Messages")
        )
    )[0]


@behaviour("Event: 202 at once, and the function gets the event with the request's id", INVOKE)
def test_event(system, worker, tmp_path):
    request_id = send(system, worker, hold=str(tmp_path / "go"))

    (tmp_path / "go").touch()
    settle(system)

    assert system.got(worker, 1) == [({"hold": str(tmp_path / "go")}, request_id)]


@behaviour(
    "An event that a function fails at is tried twice more, with the same request id", RETRIES
)
def test_two_retries(system, worker):
    request_id = send(system, worker, fail="always")

    settle(system)

    assert system.got(worker, 3) == [({"fail": "always"}, request_id)] * 3


@behaviour("One that goes well at the second attempt is tried no more", RETRIES)
def test_retry_that_goes_well(system, worker, tmp_path):
    send(system, worker, fail_times=1, key=str(tmp_path / "count"))

    settle(system)

    assert len(system.got(worker, 2)) == 2


@behaviour("A minute before the second attempt, two minutes before the third", RETRIES)
def test_waits_between_attempts(emulator, loop, worker):
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    system = start(emulator, loop, sleep=sleep)
    loop.run(system.asynchronous.invoke(worker, {"fail": "always"}))
    settle(system)

    assert waits == [60, 120]


@behaviour("A schedule invokes asynchronously: what fails is tried again", SCHEDULES)
def test_schedule(system, worker):
    rule = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/often"

    system.loop.run(system.asynchronous.run_due(DeployedSchedule(rule, worker, 60)))
    settle(system)
    system.loop.run(system.asynchronous.run_due(DeployedSchedule(rule, worker, 60, {"fail": "x"})))
    settle(system)

    events = [event for event, _ in system.got(worker, 4)]
    assert (events[0]["detail-type"], events[0]["resources"]) == ("Scheduled Event", [rule])
    assert events[1:] == [{"fail": "x"}] * 3


@behaviour("A schedule of a function that is not there is a line in the log, and no more", CHOSEN)
def test_schedule_of_no_function(system, caplog):
    rule = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/often"

    system.loop.run(system.asynchronous.run_due(DeployedSchedule(rule, "nobody", 60)))

    assert "the schedule of nobody: there is no function nobody" in caplog.text


@behaviour("MaximumRetryAttempts: how often it is tried again", CONFIGURED)
@pytest.mark.parametrize("retries", [0, 1])
def test_maximum_retries(emulator, system, worker, retries):
    configure(emulator, worker, MaximumRetryAttempts=retries)
    send(system, worker, fail="always")

    settle(system)

    assert len(system.got(worker, retries + 1)) == retries + 1


@behaviour("MaximumEventAgeInSeconds: it is not tried again when it would be older", CONFIGURED)
def test_maximum_age(emulator, system, worker):
    url, arn = queue(emulator)
    failure = {"OnFailure": {"Destination": arn}}
    configure(emulator, worker, MaximumEventAgeInSeconds=90, DestinationConfig=failure)
    send(system, worker, fail="always")

    settle(system)

    assert len(system.got(worker, 2)) == 2
    record = json.loads(receive(emulator, url)["Body"])
    assert record["requestContext"]["condition"] == "EventAgeExceeded"


@behaviour("What is configured for `$LATEST` counts for an invocation by name", CONFIGURED)
def test_configured_for_latest(emulator, system, worker):
    configure(emulator, worker, Qualifier="$LATEST", MaximumRetryAttempts=0)
    send(system, worker, fail="always")

    settle(system)

    assert len(system.got(worker, 1)) == 1


def configure(emulator, worker, **options):
    emulator.client("lambda").put_function_event_invoke_config(FunctionName=worker, **options)


@behaviour("OnFailure: a record with request, response and condition, to a queue", RECORDS)
def test_on_failure(emulator, system, worker):
    url, arn = queue(emulator)
    configure(emulator, worker, DestinationConfig={"OnFailure": {"Destination": arn}})
    request_id = send(system, worker, fail="always")

    record = json.loads(receive(emulator, url)["Body"])

    assert record.pop("timestamp").endswith("Z")
    assert record.pop("responsePayload")["errorMessage"] == "always"
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{function_arn(worker)}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"fail": "always"},
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
    }


@behaviour("OnSuccess: the record is the event of a function, invoked asynchronously", RECORDS)
def test_on_success(emulator, system, worker):
    target = new_worker(emulator)
    success = {"OnSuccess": {"Destination": function_arn(target)}}
    configure(emulator, worker, DestinationConfig=success)
    request_id = send(system, worker, answer={"a": 1})

    [(record, _)] = wait_until(lambda: system.got(target))

    assert record["requestContext"]["condition"] == "Success"
    assert record["requestContext"]["requestId"] == request_id
    assert record["responsePayload"] == {"a": 1}
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}


@behaviour("A destination that the function's role may not write to gets nothing", RECORDS)
def test_destination_without_a_right(emulator, system):
    url, arn = queue(emulator)
    name = f"worker-{secrets.token_hex(4)}"
    create(emulator, name, "worker", create_role_with(emulator))
    configure(emulator, name, DestinationConfig={"OnFailure": {"Destination": arn}})
    send(system, name, fail="always")

    settle(system)

    sqs = emulator.client("sqs")
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


@behaviour(
    "A dead-letter queue: the event itself, with RequestID, ErrorCode and ErrorMessage", RECORDS
)
def test_dead_letter_queue(emulator, system):
    url, arn = queue(emulator)
    worker = new_worker(emulator, DeadLetterConfig={"TargetArn": arn})
    request_id = send(system, worker, fail="always")

    message = receive(emulator, url)

    assert json.loads(message["Body"]) == {"fail": "always"}
    said = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert said == {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": "always"}


@behaviour("Throttled: 429 for a caller that waits; an asynchronous event is tried again", RETRIES)
def test_throttles(system, worker, monkeypatch, tmp_path):
    calls = [{"FunctionName": worker}, {"FunctionName": worker, "InvocationType": "Event"}]
    asked = {"hold": str(tmp_path / "go"), "calls": calls}
    system.loop.run(system.functions.invoke(worker, {"n": 0}))
    system.loop.run(system.asynchronous.invoke("caller", asked))
    wait_until(lambda: state(system, "caller").busy)
    monkeypatch.setattr(function, "_MAX_WAITING", 0)

    (tmp_path / "go").touch()
    wait_until(lambda: state(system, worker).throttles > 1)
    monkeypatch.undo()
    settle(system)

    documents = [line.document for line in system.lines if line.document]
    [throttled, accepted] = [one["said"] for one in documents if "said" in one][-1]
    assert (throttled["code"], throttled["status"]) == ("TooManyRequestsException", 429)
    assert accepted["status"] == 202
    assert [event for event, _ in system.got(worker, 2)] == [{"n": 0}, {}]


def state(system, worker):
    return next(state for state in system.functions.states() if state.name == worker)


# --- queues ------------------------------------------------------------------------------------------


@contextmanager
def sources(system, **options):
    """Poll what is deployed for the block."""
    polled = EventSources(system.functions, system.asynchronous, retry_scale=0.0, **options)
    system.loop.run(polled.__aenter__())
    try:
        yield polled
    finally:
        system.loop.run(polled.__aexit__(None, None, None))
        client = system.emulator.client("lambda")
        for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
            client.delete_event_source_mapping(UUID=mapping["UUID"])


def map_source(emulator, worker, arn, **options):
    """Have a function invoked for a source; disabled, as deployments here are."""
    client = emulator.client("lambda")
    made = client.create_event_source_mapping(
        FunctionName=worker, EventSourceArn=arn, Enabled=False, **options
    )
    return made["UUID"]


def put(emulator, url, *bodies, **options):
    for body in bodies:
        emulator.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(body), **options)


VISIBLE, HIDDEN = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"


def left(emulator, url, *names):
    """Return how many messages a queue has: visible ones, hidden ones, or both."""
    names = names or (VISIBLE, HIDDEN)
    found = emulator.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[*names])
    return sum(int(found["Attributes"][name]) for name in names)


def bodies_of(system, worker, at_least):
    """Return the bodies of the records that a function got, event by event."""
    events = [event for event, _ in system.got(worker, at_least)]
    return [[json.loads(record["body"]) for record in event["Records"]] for event in events]


@behaviour("A message of a queue: the record that Lambda makes of it", SQS)
def test_queue_record(emulator, system, worker):
    url, arn = queue(emulator)
    map_source(emulator, worker, arn)
    with sources(system):
        attributes = {
            "text": {"DataType": "String", "StringValue": "x"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"xy"},
        }
        put(emulator, url, {"a": 1}, MessageAttributes=attributes)

        [(event, _)] = wait_until(lambda: system.got(worker))
        wait_until(lambda: left(emulator, url) == 0)

    [record] = event["Records"]
    assert record.pop("messageId")
    assert record.pop("receiptHandle")
    assert record.pop("md5OfBody") == hashlib.md5(b'{"a": 1}', usedforsecurity=False).hexdigest()
    assert set(record.pop("attributes")) == {
        "ApproximateReceiveCount",
        "SentTimestamp",
        "SenderId",
        "ApproximateFirstReceiveTimestamp",
    }
    assert record.pop("md5OfMessageAttributes")
    lists = {"stringListValues": [], "binaryListValues": []}
    assert record == {
        "body": '{"a": 1}',
        "messageAttributes": {
            "text": {"stringValue": "x", **lists, "dataType": "String"},
            "bytes": {"binaryValue": "eHk=", **lists, "dataType": "Binary"},
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": REGION,
    }


@behaviour("At most BatchSize messages are in an event", SQS)
def test_batch_size(emulator, system, worker):
    url, arn = queue(emulator)
    map_source(emulator, worker, arn, BatchSize=2)
    put(emulator, url, *[{"n": number} for number in range(5)])
    with sources(system):
        wait_until(lambda: left(emulator, url) == 0)

    sizes = [len(bodies) for bodies in bodies_of(system, worker, 3)]
    assert sum(sizes) == 5
    assert max(sizes) == 2


@behaviour("MaximumBatchingWindowInSeconds: messages of that time come together", BATCHING)
def test_batching_window(emulator, system, worker):
    url, arn = queue(emulator)
    map_source(emulator, worker, arn, BatchSize=12, MaximumBatchingWindowInSeconds=60)
    with sources(system):
        put(emulator, url, *[{"n": number} for number in range(12)])
        wait_until(lambda: left(emulator, url) == 0)

    assert [len(bodies) for bodies in bodies_of(system, worker, 1)] == [12]


@behaviour("Messages of more than 6 MB come in two events", BATCHING)
def test_large_batch(emulator, system, worker):
    url, arn = queue(emulator)
    map_source(emulator, worker, arn, BatchSize=30, MaximumBatchingWindowInSeconds=60)
    with sources(system):
        put(emulator, url, *[{"text": "x" * 250_000}] * 30)
        wait_until(lambda: left(emulator, url) == 0)

    sizes = [len(bodies) for bodies in bodies_of(system, worker, 2)]
    assert (len(sizes), sum(sizes)) == (2, 30)


@behaviour(
    "A batch that the function fails at comes again after the visibility timeout", SQS_ERRORS
)
def test_failed_batch(emulator, system, worker, tmp_path):
    url, arn = queue(emulator, VisibilityTimeout="2")
    map_source(emulator, worker, arn)
    with sources(system):
        put(emulator, url, {"fail_times": 1, "key": str(tmp_path / "count")})
        wait_until(lambda: len(system.got(worker)) == 2)
        wait_until(lambda: left(emulator, url) == 0)

    counts = [
        event["Records"][0]["attributes"]["ApproximateReceiveCount"]
        for event, _ in system.got(worker)
    ]
    assert counts == ["1", "2"]


@behaviour("What was received too often goes to the queue's own dead-letter queue", SQS_ERRORS)
def test_redrive(emulator, system, worker):
    dead_url, dead_arn = queue(emulator)
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url, arn = queue(emulator, VisibilityTimeout="2", RedrivePolicy=policy)
    map_source(emulator, worker, arn)
    with sources(system):
        put(emulator, url, {"fail": "always"})
        wait_until(lambda: left(emulator, dead_url) == 1)

    assert len(system.got(worker, 2)) == 2


@behaviour("ReportBatchItemFailures: only the messages that are named come again", SQS_ERRORS)
def test_partial_batch(emulator, system, tmp_path):
    worker = new_worker(emulator, "partial")
    url, arn = queue(emulator, VisibilityTimeout="2")
    map_source(emulator, worker, arn, FunctionResponseTypes=["ReportBatchItemFailures"])
    bad = {"path": str(tmp_path / "bad")}
    put(emulator, url, {"n": 1}, bad)
    with sources(system):
        wait_until(lambda: left(emulator, url) == 0)

    assert bodies_of(system, worker, 2) == [[{"n": 1}, bad], [bad]]


@behaviour("MaximumConcurrency: so many batches of a queue at a time", SQS_SCALING)
def test_concurrency(emulator, system, worker, tmp_path):
    url, arn = queue(emulator)
    scaling = {"MaximumConcurrency": 2}
    map_source(emulator, worker, arn, BatchSize=1, ScalingConfig=scaling)
    go = {"hold": str(tmp_path / "go")}
    put(emulator, url, go, go, go)
    with sources(system):
        wait_until(lambda: len(system.got(worker)) == 2)
        assert left(emulator, url, VISIBLE) == 1
        (tmp_path / "go").touch()
        wait_until(lambda: left(emulator, url) == 0)

    assert len(system.got(worker, 3)) == 3


@behaviour(
    "FIFO: the messages of a group in their order, none before the one that failed", SQS_SCALING
)
def test_fifo(emulator, system, worker, tmp_path):
    url, arn = queue(
        emulator, FifoQueue="true", ContentBasedDeduplication="true", VisibilityTimeout="2"
    )
    map_source(emulator, worker, arn, BatchSize=1)
    first = {"n": 1, "fail_times": 1, "key": str(tmp_path / "count")}
    put(emulator, url, first, {"n": 2}, {"n": 3}, MessageGroupId="one")
    with sources(system):
        wait_until(lambda: left(emulator, url) == 0)

    numbers = [body["n"] for body in flat(bodies_of(system, worker, 4))]
    assert numbers == [1, 1, 2, 3]
    [attributes] = [
        record["attributes"]
        for event, _ in system.got(worker)
        for record in event["Records"]
        if json.loads(record["body"])["n"] == 3
    ]
    assert attributes["MessageGroupId"] == "one"
    assert {"SequenceNumber", "MessageDeduplicationId"} <= set(attributes)


@behaviour("FilterCriteria: what no pattern wants is deleted, and no function gets it", SQS_FILTERS)
def test_filtered_queue(emulator, system, worker):
    url, arn = queue(emulator)
    pattern = json.dumps({"body": {"kind": [{"prefix": "good"}]}})
    map_source(emulator, worker, arn, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    put(emulator, url, {"kind": "bad"}, {"kind": "good-one"}, "text")
    with sources(system):
        wait_until(lambda: left(emulator, url) == 0)

    assert bodies_of(system, worker, 1) == [[{"kind": "good-one"}]]


@behaviour("A role without the rights on the queue: the mapping is refused", SQS_RIGHTS)
def test_no_right_to_poll(emulator, system):
    name = f"worker-{secrets.token_hex(4)}"
    create(emulator, name, "worker", create_role_with(emulator))
    _, arn = queue(emulator)
    uuid = map_source(emulator, name, arn)

    with pytest.raises(EventError, match=f"of {name}, has no right to sqs:ReceiveMessage"):
        system.loop.run(EventSources(system.functions, system.asynchronous).__aenter__())

    emulator.client("lambda").delete_event_source_mapping(UUID=uuid)


@behaviour("A mapping that was added or removed counts after a reload", CHOSEN)
def test_reload(emulator, system, worker):
    url, arn = queue(emulator)
    with sources(system) as polled:
        uuid = map_source(emulator, worker, arn)
        system.loop.run(polled.reload())
        put(emulator, url, {"n": 1})
        wait_until(lambda: left(emulator, url) == 0)

        emulator.client("lambda").delete_event_source_mapping(UUID=uuid)
        system.loop.run(polled.reload())
        assert polled.mappings == []

    assert bodies_of(system, worker, 1) == [[{"n": 1}]]


# --- DynamoDB streams ----------------------------------------------------------------------------------


def table(emulator):
    """Return the name of a new table, and the ARN of its stream."""
    made = emulator.client("dynamodb").create_table(
        TableName=f"table-{secrets.token_hex(4)}",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]
    return made["TableName"], made["LatestStreamArn"]


def write(emulator, name, item_id, do=None, **more):
    item = {"id": {"S": item_id}, "do": {"S": json.dumps(do or {})}, **more}
    emulator.client("dynamodb").put_item(TableName=name, Item=item)


def flat(lists):
    return [one for some in lists for one in some]


def ids_of(system, worker, at_least=0):
    """Return the ids of the records that a function got, event by event."""
    events = [event for event, _ in system.got(worker, at_least)]
    return [
        [record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]] for event in events
    ]


@behaviour("A change of a table: the record with its images, bytes in base64", STREAMS)
def test_stream_record(emulator, system, worker):
    name, arn = table(emulator)
    map_source(emulator, worker, arn, StartingPosition="LATEST")
    with sources(system):
        write(emulator, name, "a", data={"B": b"xy"})
        write(emulator, name, "a")
        emulator.client("dynamodb").delete_item(TableName=name, Key={"id": {"S": "a"}})
        wait_until(lambda: len(flat(ids_of(system, worker))) == 3)

    records = [record for event, _ in system.got(worker) for record in event["Records"]]
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    [insert, modify, remove] = [record["dynamodb"] for record in records]
    assert insert["NewImage"] == {"id": {"S": "a"}, "do": {"S": "{}"}, "data": {"B": "eHk="}}
    assert modify["OldImage"] == insert["NewImage"]
    assert "NewImage" not in remove
    assert {record["eventSourceARN"] for record in records} == {arn}
    assert {record["eventSource"] for record in records} == {"aws:dynamodb"}
    assert isinstance(insert["ApproximateCreationDateTime"], int)


@behaviour(
    "StartingPosition: TRIM_HORIZON has what was written before, LATEST has not", STREAM_PARAMETERS
)
def test_starting_position(emulator, system):
    name, arn = table(emulator)
    old, new = new_worker(emulator), new_worker(emulator)
    map_source(emulator, old, arn, StartingPosition="TRIM_HORIZON")
    map_source(emulator, new, arn, StartingPosition="LATEST")
    write(emulator, name, "before")
    with sources(system):
        write(emulator, name, "after")
        wait_until(lambda: "after" in flat(ids_of(system, old)) and system.got(new))

    assert flat(ids_of(system, old)) == ["before", "after"]
    assert flat(ids_of(system, new)) == ["after"]


@behaviour("A batch that the function fails at holds up those behind it", STREAM_ERRORS)
def test_stream_order(emulator, system, worker, tmp_path):
    name, arn = table(emulator)
    map_source(emulator, worker, arn, StartingPosition="TRIM_HORIZON", BatchSize=1)
    write(emulator, name, "a", {"fail_times": 2, "key": str(tmp_path / "count")})
    write(emulator, name, "b")
    with sources(system):
        wait_until(lambda: ["b"] in ids_of(system, worker))

    assert ids_of(system, worker) == [["a"], ["a"], ["a"], ["b"]]


@behaviour(
    "MaximumRetryAttempts: then it goes on, and OnFailure gets the batch's place", STREAM_ERRORS
)
def test_stream_retries(emulator, system, worker):
    name, arn = table(emulator)
    url, queue_arn = queue(emulator)
    map_source(
        emulator,
        worker,
        arn,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue_arn}},
    )
    write(emulator, name, "a", {"fail": "always"})
    with sources(system):
        record = json.loads(receive(emulator, url)["Body"])

    assert ids_of(system, worker, 2) == [["a"], ["a"]]
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    number = system.got(worker)[0][0]["Records"][0]["dynamodb"]["SequenceNumber"]
    place = record["DDBStreamBatchInfo"]
    assert (place["startSequenceNumber"], place["endSequenceNumber"]) == (number, number)
    assert (place["streamArn"], place["batchSize"]) == (arn, 1)


@behaviour(
    "MaximumRecordAgeInSeconds: records that are older go to OnFailure, not to the function",
    STREAM_ERRORS,
)
def test_stream_age(emulator, system, worker):
    name, arn = table(emulator)
    url, queue_arn = queue(emulator)
    map_source(
        emulator,
        worker,
        arn,
        StartingPosition="TRIM_HORIZON",
        MaximumRecordAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": queue_arn}},
    )
    write(emulator, name, "a")
    late = [True]
    with sources(system, clock=lambda: 1e11 if late[0] else 0.0):
        record = json.loads(receive(emulator, url)["Body"])
        late[0] = False
        write(emulator, name, "b")
        wait_until(lambda: system.got(worker))

    assert ids_of(system, worker) == [["b"]]
    assert record["requestContext"]["condition"] == "RecordAgeExceeded"
    assert "responseContext" not in record


@behaviour("BisectBatchOnFunctionError: halves, until what fails is alone", STREAM_ERRORS)
def test_bisect(emulator, system, worker):
    name, arn = table(emulator)
    map_source(
        emulator,
        worker,
        arn,
        StartingPosition="TRIM_HORIZON",
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=0,
    )
    write(emulator, name, "a")
    write(emulator, name, "b", {"fail": "always"})
    write(emulator, name, "c")
    write(emulator, name, "d")
    with sources(system):
        wait_until(lambda: ["c", "d"] in ids_of(system, worker))

    assert ids_of(system, worker) == [["a", "b", "c", "d"], ["a", "b"], ["a"], ["b"], ["c", "d"]]


@behaviour(
    "ReportBatchItemFailures: it begins again at the first record that is named", STREAM_FAILURES
)
def test_stream_partial_batch(emulator, system, tmp_path):
    worker = new_worker(emulator, "partial")
    name, arn = table(emulator)
    map_source(
        emulator,
        worker,
        arn,
        StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    write(emulator, name, "a")
    write(emulator, name, "b", {"path": str(tmp_path / "b")})
    write(emulator, name, "c")
    with sources(system):
        wait_until(lambda: len(system.got(worker)) == 2)

    assert ids_of(system, worker) == [["a", "b", "c"], ["b", "c"]]


@behaviour("FilterCriteria on the names and images of a change", FILTERS)
def test_filtered_stream(emulator, system, worker):
    name, arn = table(emulator)
    pattern = json.dumps(
        {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"n": {"N": [{"exists": True}]}}}}
    )
    map_source(
        emulator,
        worker,
        arn,
        StartingPosition="TRIM_HORIZON",
        FilterCriteria={"Filters": [{"Pattern": pattern}]},
    )
    write(emulator, name, "a")
    write(emulator, name, "b", n={"N": "1"})
    with sources(system):
        wait_until(lambda: system.got(worker))

    assert ids_of(system, worker) == [["b"]]


# --- what is refused -----------------------------------------------------------------------------------


@behaviour("A destination that is not played is refused by name, at the start", CHOSEN)
@pytest.mark.parametrize(
    "target",
    [
        f"arn:aws:sns:{REGION}:{ACCOUNT}:topic",
        f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default",
    ],
)
def test_other_destinations(emulator, worker, target):
    configure(emulator, worker, DestinationConfig={"OnFailure": {"Destination": target}})

    with pytest.raises(EventError, match=f"OnFailure of {worker} leads to {target}: only"):
        check(emulator.client)

    emulator.client("lambda").delete_function_event_invoke_config(FunctionName=worker)
    check(emulator.client)


@behaviour("A dead-letter topic is refused by name, at the start", CHOSEN)
def test_dead_letter_topic(emulator):
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"
    worker = new_worker(emulator, DeadLetterConfig={"TargetArn": topic})

    with pytest.raises(EventError, match=f"the dead-letter queue of {worker} leads to {topic}: "):
        check(emulator.client)

    emulator.client("lambda").delete_function(FunctionName=worker)


@behaviour("An event source that is not played is refused by name, at the start", CHOSEN)
def test_other_sources(emulator, worker):
    kinesis = emulator.client("kinesis")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/clicks"
    uuid = map_source(emulator, worker, arn, StartingPosition="LATEST")

    with pytest.raises(EventError, match=f"the event source of {worker} is {arn}: only SQS and"):
        check(emulator.client)

    emulator.client("lambda").delete_event_source_mapping(UUID=uuid)
