import os

import boto3


def handler(event, context):
    request = event["requestContext"]
    address = f"https://{request['domainName']}/{request['stage']}"
    api = boto3.client("apigatewaymanagementapi", endpoint_url=address)
    api.post_to_connection(ConnectionId=request["connectionId"], Data=os.environ["NAME"])
    return {"statusCode": 200}
