import json
import os

import boto3

functions = boto3.client("lambda")


def handler(event, context):
    request = event["requestContext"]
    if request["routeKey"] == "price":
        item = json.loads(event["body"])["item"]
        answer = functions.invoke(
            FunctionName=os.environ["PRICES"], Payload=json.dumps({"item": item})
        )
        price = json.loads(answer["Payload"].read())
        send(request, {"item": item, "error": price} if "FunctionError" in answer else price)
    if request["routeKey"] == "order":
        order = {"item": json.loads(event["body"])["item"], "requestContext": request}
        functions.invoke(
            FunctionName=os.environ["ORDERS"], InvocationType="Event", Payload=json.dumps(order)
        )
        send(request, {"accepted": order["item"]})
    return {"statusCode": 200}


def send(request, message):
    api = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=f"https://{request['domainName']}/{request['stage']}",
    )
    api.post_to_connection(ConnectionId=request["connectionId"], Data=json.dumps(message))
