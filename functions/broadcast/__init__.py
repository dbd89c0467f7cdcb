"""The rules of a broadcast. Nothing here knows an event of API Gateway or the AWS SDK."""
