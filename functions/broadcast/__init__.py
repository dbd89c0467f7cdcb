"""The rules of a broadcast. Nothing here knows an event of API Gateway; `store` alone knows the AWS SDK."""
