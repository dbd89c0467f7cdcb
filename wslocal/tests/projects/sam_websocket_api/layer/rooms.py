import os

import boto3

_table = boto3.resource("dynamodb").Table(os.environ["CONNECTIONS"])


def enter(connection_id):
    _table.put_item(Item={"id": connection_id})


def leave(connection_id):
    _table.delete_item(Key={"id": connection_id})


def everybody():
    return [item["id"] for item in _table.scan()["Items"]]
