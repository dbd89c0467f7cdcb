import os

import boto3


def by_event(event, context):
    request = event["requestContext"]
    return post(f"https://{request['domainName']}/{request['stage']}", event)


def by_variable(event, context):
    return post(os.environ["CALLBACK"], event)


def post(address, event):
    api = boto3.client("apigatewaymanagementapi", endpoint_url=address)
    connection_id = event["requestContext"]["connectionId"]
    api.post_to_connection(ConnectionId=connection_id, Data=event["body"])
    return {"statusCode": 200}
