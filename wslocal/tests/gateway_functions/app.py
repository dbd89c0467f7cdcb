"""The functions that the conformance tests deploy: they do what an event asks for."""

import json
import os
import sys
import time
from functools import cache
from pathlib import Path

SECRETS = {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
count = 0


def guard(event, context):
    """The authorizer: allow, or do what the query string asks."""
    asked = event["queryStringParameters"]
    if "quiet" not in asked:
        say({"asked": event})
    if "wait" in asked:
        wait_for(asked["wait"])
    if "fail" in asked:
        raise RuntimeError(asked["fail"])
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": event["methodArn"]}
    answer = {
        "principalId": "somebody",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
    if "size" in asked:  # of the answer, as it goes over the wire
        answer["context"] = {"filling": ""}
        answer["context"]["filling"] = "x" * (int(asked["size"]) - len(json.dumps(answer)))
    return answer | json.loads(asked.get("verdict", "{}"))


def lifecycle(event, context):
    """`$connect` and `$disconnect`: say what came, do what the query string asks."""
    asked = event.get("queryStringParameters", {})
    if "quiet" not in asked:
        say({"event": event})
    if "hold" in asked:
        wait_for(asked["hold"])
    if "raise" in asked:
        raise RuntimeError("no entry")
    if "post" in asked:
        return {"statusCode": 200 if post(event, "POST", b"early") == 410 else 500}
    answer = {"statusCode": int(asked.get("status", 200))}
    if "protocol" in asked:
        answer["headers"] = {"Sec-WebSocket-Protocol": asked["protocol"], "X-Other": "not sent"}
    return json.loads(asked["answer"]) if "answer" in asked else answer


def messages(event, context):
    """Any other route: post the event back, or do what the body's `do` asks."""
    global count
    count += 1
    try:
        asked = json.loads(event["body"])
    except ValueError:
        asked = {}
    if not isinstance(asked, dict):
        asked = {}
    return globals()[f"do_{asked.get('do', 'echo')}"](event, asked, context)


def do_echo(event, asked, context):
    if len(event["body"]) > 10_000:
        event["body"] = len(event["body"])
    post(event, "POST", json.dumps({"event": event, "count": count, "pid": os.getpid()}).encode())
    return {"statusCode": 200, "body": "answer"}


def do_return(event, asked, context):
    return asked["answer"]


def do_fail(event, asked, context):
    raise ValueError("no bananas")


def do_exit(event, asked, context):
    os._exit(3)


def do_hold(event, asked, context):
    wait_for(asked["until"])
    return do_echo(event, asked, context)


def do_call(event, asked, context):
    """Call @connections for a connection, and post the status back."""
    data = asked.get("data", "x" * asked.get("size", 1)).encode()
    status, body = call(asked["method"], asked["id"], data)
    post(event, "POST", json.dumps({"status": status, "body": body}).encode())
    return {"statusCode": 200}


def do_describe(event, asked, context):
    import helper

    file = Path(helper.__file__)
    description = {
        "path": sys.path,
        "environ": {key: os.environ[key] for key in os.environ if key not in SECRETS},
        "helper": helper.__file__,
        "modes": [path.stat().st_mode & 0o222 for path in (file, file.parent)],
        "stream": context.log_stream_name,
        "arn": context.invoked_function_arn,
        "remaining": context.get_remaining_time_in_millis(),
    }
    post(event, "POST", json.dumps(description).encode())
    return {"statusCode": 200}


def do_log(event, asked, context):
    say({"level": "INFO", "message": asked["text"], "requestId": context.aws_request_id})
    say({"level": "DEBUG", "message": "too quiet"})
    metric = {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": asked["namespace"],
                    "Dimensions": [["Kind"], []],
                    "Metrics": [{"Name": "Sizes", "Unit": "Bytes"}],
                }
            ],
        },
        "Kind": "test",
        "Sizes": [1, 2, 2],
    }
    say(metric)
    return {"statusCode": 200}


def direct(event, context):
    """Return the function's own credentials to the caller."""
    return {key: os.environ[key] for key in os.environ if key.startswith("AWS_")}


def say(document):
    print(json.dumps(document))  # noqa: T201 - it is a log line


def wait_for(path):
    while not Path(path).exists():
        time.sleep(0.005)


@cache
def management():
    import boto3
    from botocore.config import Config

    return boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=os.environ["API_GATEWAY_ENDPOINT"],
        config=Config(retries={"total_max_attempts": 1}),
    )


def post(event, method, data):
    return call(method, event["requestContext"]["connectionId"], data)[0]


def call(method, connection_id, data):
    """Speak to @connections with botocore, as boto3's client does."""
    from botocore.exceptions import ClientError

    client = management()
    try:
        if method == "POST":
            answer = client.post_to_connection(ConnectionId=connection_id, Data=data)
        elif method == "GET":
            answer = client.get_connection(ConnectionId=connection_id)
        else:
            answer = client.delete_connection(ConnectionId=connection_id)
    except ClientError as error:
        answer = error.response
        answer["Error"].pop("Message", None)
    description = {
        k: v for k, v in answer.items() if k not in {"ResponseMetadata", "Message", "message"}
    }
    return answer["ResponseMetadata"]["HTTPStatusCode"], json.loads(
        json.dumps(description, default=str)
    )
