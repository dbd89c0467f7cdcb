"""The rules of a broadcast. Nothing here knows an event of API Gateway; `tables` alone calls DynamoDB."""
