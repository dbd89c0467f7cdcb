import json

import boto3
import rooms


def handler(event, context):
    request = event["requestContext"]
    if request["routeKey"] == "$connect":
        rooms.enter(request["connectionId"])
    elif request["routeKey"] == "$disconnect":
        rooms.leave(request["connectionId"])
    else:
        sent = send(request, json.loads(event["body"])["text"])
        return {"statusCode": 200, "body": json.dumps({"sent": sent})}
    return {"statusCode": 200}


def send(request, text):
    api = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=f"https://{request['domainName']}/{request['stage']}",
    )
    others = [one for one in rooms.everybody() if one != request["connectionId"]]
    for connection_id in others:
        api.post_to_connection(ConnectionId=connection_id, Data=json.dumps({"text": text}))
    return len(others)
