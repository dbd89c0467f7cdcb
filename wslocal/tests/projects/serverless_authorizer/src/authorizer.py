def handler(event, context):
    token = event["queryStringParameters"]["token"]
    if not token.startswith("let-me-in-"):
        raise Exception("Unauthorized")
    return {
        "principalId": token.removeprefix("let-me-in-"),
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": event["methodArn"]}
            ],
        },
    }
