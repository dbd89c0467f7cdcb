import json
import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(event, context):
    request = event["requestContext"]
    text = json.loads(event["body"])["text"]
    api = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=f"https://{request['domainName']}/{request['stage']}",
    )
    sent = 0
    for item in table.scan()["Items"]:
        if item["connectionId"] != request["connectionId"]:
            api.post_to_connection(
                ConnectionId=item["connectionId"], Data=json.dumps({"text": text})
            )
            sent += 1
    return {"statusCode": 200, "body": json.dumps({"sent": sent})}
