"""Functions that the tests of events deploy: they do what an event asks for."""

import base64
import json
import os
import sys
import time
from pathlib import Path

attempts = {}


def caller(event, context):
    """Invoke functions with boto3, and return what it says of each call."""
    import boto3
    from botocore.config import Config

    client = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}))
    if "hold" in event:
        wait_for(event["hold"])
    said = [call(client, dict(one)) for one in event["calls"]]
    say({"said": said})
    return said


def call(client, asked):
    if "Payload" in asked:
        size = asked.pop("size", 0)
        asked["Payload"] = asked["Payload"] + " " * size
    operation = asked.pop("operation", "invoke")
    try:
        answer = getattr(client, operation)(**asked)
    except client.exceptions.ClientError as error:
        return {
            "code": error.response["Error"]["Code"],
            "message": error.response["Error"]["Message"],
            "status": error.response["ResponseMetadata"]["HTTPStatusCode"],
        }
    if operation != "invoke":
        return {"answer": json.loads(json.dumps(answer, default=str))}
    said = {
        "status": answer["StatusCode"],
        "error": answer.get("FunctionError"),
        "version": answer.get("ExecutedVersion"),
        "payload": answer["Payload"].read().decode(),
        "request_id": answer["ResponseMetadata"]["RequestId"],
    }
    if "LogResult" in answer:
        said["log"] = base64.b64decode(answer["LogResult"]).decode()
    return said


def worker(event, context):
    """Say what came, and do what it asks."""
    say(
        {
            "got": event,
            "request_id": context.aws_request_id,
            "function": context.function_name,
            "arn": context.invoked_function_arn,
        }
    )
    for asked in todo(event):
        if "print" in asked:
            sys.stdout.write(asked["print"] + "\n")
        if "hold" in asked:
            wait_for(asked["hold"])
        if "fail" in asked:
            raise ValueError(asked["fail"])
        if "fail_times" in asked:
            fail_at_first(asked["key"], asked["fail_times"])
        if "answer" in asked:
            return asked["answer"]
        if asked.get("do") == "context":
            custom = context.client_context and context.client_context.custom
            return {"custom": custom, "trace": os.environ.get("_X_AMZN_TRACE_ID")}
    return {"ok": True}


def todo(event):
    """Return what the event, or each of its records, asks for."""
    if isinstance(event, dict) and "Records" in event:
        return [asked for record in event["Records"] for asked in todo(asked_of(record))]
    return [event] if isinstance(event, dict) else []


def asked_of(record):
    if "dynamodb" in record:
        text = record["dynamodb"].get("NewImage", {}).get("do", {}).get("S", "{}")
    else:
        text = record["body"]
    try:
        return json.loads(text)
    except ValueError:
        return {}


def fail_at_first(path, times):
    """Fail so many times, whatever the environment: a file counts."""
    counted = Path(path)
    count = len(counted.read_text()) if counted.exists() else 0
    if count < times:
        counted.write_text("x" * (count + 1))
        raise ValueError("not yet")


def partial(event, context):
    """Report as failed what asks for it, else all that came as done."""
    say({"got": event, "request_id": context.aws_request_id})
    failed = []
    for record in event["Records"]:
        asked = asked_of(record)
        key = record.get("messageId") or record["dynamodb"]["SequenceNumber"]
        if "path" in asked and not Path(asked["path"]).exists():
            Path(asked["path"]).write_text("x")
            failed.append({"itemIdentifier": key})
    return {"batchItemFailures": failed}


def loop(event, context):
    """Invoke myself, if I have to at all, and return how often that went well below me."""
    if event.get("left") == 0:
        return {"rounds": 0}
    import boto3
    from botocore.config import Config

    client = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}))
    try:
        below = {"left": event["left"] - 1} if "left" in event else {}
        answer = client.invoke(FunctionName=context.function_name, Payload=json.dumps(below))
    except client.exceptions.ClientError as error:
        return {"rounds": 0, "code": error.response["Error"]["Code"]}
    below = json.loads(answer["Payload"].read())
    return {**below, "rounds": below["rounds"] + 1} if "rounds" in below else below


def wait_for(path):
    while not Path(path).exists():
        time.sleep(0.02)


def say(document):
    sys.stdout.write(json.dumps(document) + "\n")
