import os

import boto3

api = boto3.client("apigatewaymanagementapi", endpoint_url=f"https://{os.environ['DOMAIN']}")


def handler(event, context):
    connection_id = event["requestContext"]["connectionId"]
    api.post_to_connection(ConnectionId=connection_id, Data=event["body"])
    return {"statusCode": 200}
