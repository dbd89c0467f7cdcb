import json
import os

import boto3

connections = boto3.resource("dynamodb").Table(os.environ["CONNECTIONS"])


def handler(event, context):
    for record in event["Records"]:
        text = record["dynamodb"]["NewImage"]["text"]["S"]
        for connection in connections.scan()["Items"]:
            show(connection, {"note": text})


def show(connection, message):
    api = boto3.client("apigatewaymanagementapi", endpoint_url=connection["endpoint"])
    try:
        api.post_to_connection(ConnectionId=connection["id"], Data=json.dumps(message))
    except api.exceptions.GoneException:
        connections.delete_item(Key={"id": connection["id"]})
