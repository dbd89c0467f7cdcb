import json

import boto3


def handler(event, context):
    failed = []
    for record in event["Records"]:
        try:
            work(json.loads(record["body"]))
        except ValueError:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def work(job):
    sender = job["sender"]
    api = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=f"https://{sender['domainName']}/{sender['stage']}",
    )
    answer = json.dumps({"done": job["text"].upper()})
    api.post_to_connection(ConnectionId=sender["connectionId"], Data=answer)
