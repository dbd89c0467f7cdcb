PRICES = {"apple": 3, "pear": 4}


def handler(event, context):
    return {"item": event["item"], "price": PRICES[event["item"]]}
