import json

import boto3
import rooms


def handler(event, context):
    request = event["requestContext"]
    match request["routeKey"]:
        case "$connect":
            rooms.enter(request["connectionId"])
        case "$disconnect":
            rooms.leave(request["connectionId"])
        case "who":
            answer = {"connected": len(rooms.everybody())}
            send(request, [request["connectionId"]], answer)
        case "send":
            send(request, rooms.everybody(), {"text": json.loads(event["body"])["text"]})
    return {"statusCode": 200}


def send(request, connection_ids, message):
    api = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=f"https://{request['domainName']}/{request['stage']}",
    )
    for connection_id in connection_ids:
        try:
            api.post_to_connection(ConnectionId=connection_id, Data=json.dumps(message))
        except api.exceptions.GoneException:
            rooms.leave(connection_id)
