import json
import os

import boto3

tables = boto3.resource("dynamodb")


def handler(event, context):
    request = event["requestContext"]
    connections = tables.Table(os.environ["CONNECTIONS"])
    match request["routeKey"]:
        case "$connect":
            connections.put_item(
                Item={
                    "id": request["connectionId"],
                    "endpoint": f"https://{request['domainName']}/{request['stage']}",
                }
            )
        case "$disconnect":
            connections.delete_item(Key={"id": request["connectionId"]})
        case "note":
            text = json.loads(event["body"])["text"]
            notes = tables.Table(os.environ["NOTES"])
            notes.put_item(Item={"id": request["requestId"], "text": text})
    return {"statusCode": 200}
