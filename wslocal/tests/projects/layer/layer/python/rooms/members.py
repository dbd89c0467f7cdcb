from boto3.dynamodb.conditions import Key


class Rooms:
    def __init__(self, table):
        self._table = table

    def join(self, room, connection_id):
        self._table.put_item(Item={"room": room, "connectionId": connection_id})

    def leave(self, room, connection_id):
        self._table.delete_item(Key={"room": room, "connectionId": connection_id})

    def members(self, room):
        found = self._table.query(KeyConditionExpression=Key("room").eq(room))
        return sorted(item["connectionId"] for item in found["Items"])
