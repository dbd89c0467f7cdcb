"""Functions whose code has AWS's names, as on AWS: nothing in them is for this machine."""

import json
import os

import boto3


def connect(event, context):
    """`$connect`: print the event."""
    print(json.dumps({"event": event}))  # noqa: T201 - it is a log line
    return {"statusCode": 200}


def messages(event, context):
    """Do what the body's `do` asks, and post the result back with the address that the body gives."""
    context = event["requestContext"]
    asked = json.loads(event["body"])
    result = globals()[f"do_{asked.get('do', 'nothing')}"](asked)
    path = asked.get("path", f"/{context['stage']}")
    client = boto3.client(
        "apigatewaymanagementapi", endpoint_url=f"https://{context['domainName']}{path}"
    )
    data = json.dumps({"event": event, "result": result}).encode()
    client.post_to_connection(ConnectionId=context["connectionId"], Data=data)
    return {"statusCode": 200}


def do_nothing(asked):
    return None


def do_services(asked):
    """Call services by the names that they have on AWS, as an SDK does that knows no AWS_ENDPOINT_URL."""
    for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")]:
        del os.environ[name]
    session = boto3.Session()
    table = session.client("dynamodb").describe_table(TableName=asked["table"])
    store, size = session.client("s3"), asked["size"]
    store.put_object(Bucket=asked["bucket"], Key="a key", Body=b"x" * size)
    found = store.get_object(Bucket=asked["bucket"], Key="a key")["Body"].read()
    return {
        "addresses": [session.client(name).meta.endpoint_url for name in ("dynamodb", "s3")],
        "table": table["Table"]["TableName"],
        "length": store.head_object(Bucket=asked["bucket"], Key="a key")["ContentLength"],
        "same": found == b"x" * size,
    }
