import json
import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["CONNECTIONS"])


def connections(event, context):
    request = event["requestContext"]
    if request["eventType"] == "CONNECT":
        name = request["authorizer"]["principalId"]
        table.put_item(Item={"id": request["connectionId"], "name": name})
    else:
        table.delete_item(Key={"id": request["connectionId"]})
    return {"statusCode": 200}


def send(event, context):
    request = event["requestContext"]
    message = {
        "from": request["authorizer"]["principalId"],
        "text": json.loads(event["body"])["text"],
    }
    api = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=f"https://{request['domainName']}/{request['stage']}",
    )
    others = [one["id"] for one in table.scan()["Items"] if one["id"] != request["connectionId"]]
    for connection_id in others:
        api.post_to_connection(ConnectionId=connection_id, Data=json.dumps(message))
    return {"statusCode": 200, "body": json.dumps({"sent": len(others)})}
