import shop


def handler(event, context):
    if event["item"] == "nothing":
        raise ValueError("there is nothing to deliver")
    shop.send(event["requestContext"], {"delivered": event["item"]})
