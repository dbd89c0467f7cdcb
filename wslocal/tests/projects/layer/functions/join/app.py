import json
import os

import boto3
from rooms import Rooms

rooms = Rooms(boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"]))


def handler(event, context):
    request = event["requestContext"]
    api = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=f"https://{request['domainName']}/{request['stage']}",
    )
    message = json.loads(event["body"])
    room, me = message["room"], request["connectionId"]
    if message["action"] == "join":
        rooms.join(room, me)
    members = rooms.members(room)
    for member in members:
        try:
            api.post_to_connection(
                ConnectionId=member,
                Data=json.dumps(
                    {"room": room, "members": len(members), "from": me, "text": message.get("text")}
                ),
            )
        except api.exceptions.GoneException:
            rooms.leave(room, member)
    return {"statusCode": 200}
