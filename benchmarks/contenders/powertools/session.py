"""`createSession` as the session function does it, on boto3 and Powertools: Logger, Metrics, parser.

The same message is checked, the same three writes and one reply are made. Its other messages are
left out, and it takes DynamoDB's client rather than the `Table`, which starts slower: both are in
its favour.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from typing import Annotated, Any, Literal

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.parser import (
    BaseModel,
    Field,
    ValidationError,
    envelopes,
    parse,
)

WINDOW_MS = 60_000

logger = Logger(service="websocket-audio", level="INFO")
metrics = Metrics(namespace="WebSocketAudio", service="websocket-audio")
dynamodb = boto3.client("dynamodb")
connections = boto3.client(
    "apigatewaymanagementapi", endpoint_url=os.environ["API_GATEWAY_ENDPOINT"]
)


class AudioFormat(BaseModel):
    encoding: Literal["pcm_s16le", "pcm_mulaw"] = "pcm_s16le"
    sampleRate: Literal[8000, 16000, 24000, 48000] = 16000
    channels: Literal[1, 2] = 1


class CreateSession(BaseModel):
    action: Literal["createSession"]
    sourceLanguage: Annotated[str, Field(pattern="^[a-z]{2}(-[A-Z]{2})?$")]
    qualityTier: Literal["standard", "premium"] = "standard"
    audioFormat: AudioFormat = AudioFormat()
    partialResults: bool = True
    minStability: Annotated[float, Field(ge=0.7, le=0.95)] = 0.85
    maxBufferTimeout: Annotated[float, Field(ge=2, le=10)] = 5.0
    requestId: Annotated[str, Field(max_length=128)] | None = None


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    started = time.perf_counter_ns()
    request = event["requestContext"]
    logger.append_keys(connectionId=request["connectionId"])
    try:
        message = parse(
            event=event, model=CreateSession, envelope=envelopes.ApiGatewayWebSocketEnvelope
        )
    except ValidationError:
        logger.warning("Message refused")
        return {"statusCode": 400}
    now_ms = int(time.time() * 1000)
    count_creation(request["identity"]["sourceIp"], now_ms)
    token = f"{request['connectionId']}.{secrets.token_urlsafe(32)}"
    session_id = f"golden-eagle-{secrets.token_hex(4)}"
    store(message, session_id, request["connectionId"], token, now_ms)
    reply(message, session_id, request["connectionId"], token, now_ms)
    latency_ms = (time.perf_counter_ns() - started) / 1e6
    logger.info("Session created", sessionId=session_id, latencyMs=latency_ms)
    metrics.add_dimension("ActionType", "createSession")
    metrics.add_metric("MessagesReceived", "Count", 1)
    metrics.add_metric("MessageLatency", "Milliseconds", latency_ms)
    return {"statusCode": 200}


def count_creation(address: str, now_ms: int) -> None:
    dynamodb.update_item(
        TableName=os.environ["RATE_LIMITS_TABLE_NAME"],
        Key={"identifier": {"S": f"createSession#{address}"}},
        UpdateExpression="SET #start = :now, #count = :one, #expires = :ttl",
        ConditionExpression="attribute_not_exists(#identifier) OR #start <= :before",
        ExpressionAttributeNames={
            "#start": "windowStart",
            "#count": "count",
            "#expires": "expiresAt",
            "#identifier": "identifier",
        },
        ExpressionAttributeValues={
            ":now": {"N": str(now_ms)},
            ":one": {"N": "1"},
            ":ttl": {"N": str(now_ms // 1000 + 3600)},
            ":before": {"N": str(now_ms - WINDOW_MS)},
        },
    )


def store(
    message: CreateSession, session_id: str, connection_id: str, token: str, now_ms: int
) -> None:
    token_hash = hashlib.sha256(token.encode()).hexdigest()
    connection = {
        "connectionId": {"S": connection_id},
        "sessionId": {"S": session_id},
        "role": {"S": "speaker"},
        "refreshTokenHash": {"S": token_hash},
        "connectedAt": {"N": str(now_ms)},
        "lastActivityAt": {"N": str(now_ms)},
        "ttl": {"N": str(now_ms // 1000 + 3 * 3600)},
    }
    session = {
        "sessionId": {"S": session_id},
        "status": {"S": "active"},
        "sourceLanguage": {"S": message.sourceLanguage},
        "qualityTier": {"S": message.qualityTier},
        "audioFormat": {
            "M": {
                "encoding": {"S": message.audioFormat.encoding},
                "sampleRate": {"N": str(message.audioFormat.sampleRate)},
                "channels": {"N": str(message.audioFormat.channels)},
            }
        },
        "partialResults": {"BOOL": message.partialResults},
        "minStability": {"N": str(message.minStability)},
        "maxBufferTimeout": {"N": str(message.maxBufferTimeout)},
        "speakerConnectionId": {"S": connection_id},
        "speakerTokenHash": {"S": token_hash},
        "createdAt": {"N": str(now_ms)},
        "endsAt": {"N": str(now_ms + 2 * 3_600_000)},
        "expiresAt": {"N": str(now_ms // 1000 + 3 * 3600)},
        "listenerCount": {"N": "0"},
        "listeners": {"M": {}},
        "broadcastState": {
            "M": {"isPaused": {"BOOL": False}, "isMuted": {"BOOL": False}, "volume": {"N": "1"}}
        },
    }
    puts = (
        ("CONNECTIONS_TABLE_NAME", connection, "attribute_not_exists(connectionId)"),
        ("SESSIONS_TABLE_NAME", session, "attribute_not_exists(sessionId)"),
    )
    dynamodb.transact_write_items(
        TransactItems=[
            {
                "Put": {
                    "TableName": os.environ[table],
                    "Item": item,
                    "ConditionExpression": condition,
                }
            }
            for table, item, condition in puts
        ]
    )


def reply(
    message: CreateSession, session_id: str, connection_id: str, token: str, now_ms: int
) -> None:
    body = SessionCreated(
        sessionId=session_id,
        sourceLanguage=message.sourceLanguage,
        qualityTier=message.qualityTier,
        audioFormat=message.audioFormat,
        expiresAt=now_ms + 2 * 3_600_000,
        refreshToken=token,
    )
    connections.post_to_connection(ConnectionId=connection_id, Data=body.model_dump_json())


class SessionCreated(BaseModel):
    type: Literal["sessionCreated"] = "sessionCreated"
    sessionId: str
    sourceLanguage: str
    qualityTier: str
    audioFormat: AudioFormat
    expiresAt: int
    refreshToken: str
