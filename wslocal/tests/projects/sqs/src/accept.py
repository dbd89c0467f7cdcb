import json
import os

import boto3

queue = boto3.client("sqs")


def handler(event, context):
    request = event["requestContext"]
    if request["routeKey"] == "$default":
        sender = {key: request[key] for key in ("connectionId", "domainName", "stage")}
        queue.send_message(
            QueueUrl=os.environ["QUEUE_URL"],
            MessageBody=json.dumps({"text": event["body"], "sender": sender}),
        )
    return {"statusCode": 200}
