"""Shared utilities for the Lambda functions of a WebSocket audio system.

Every public name of the modules can be imported from here. A module is loaded when the
first of its names is used, so that a function that only logs does not pay for the rest.
"""

from __future__ import annotations

__version__ = "0.2.0"
__build__ = "source"

# Made from each module's `__all__` by tools/generate.py, like the stub beside this file.
_NAMES = {
    "connections": """
        BroadcastResult Connections Outcome endpoint_of
    """,
    "dynamodb": """
        AttributeRefused BatchIncomplete ConditionFailed DynamoDBError Table
        TransactionCanceled transact_write_items
    """,
    "error_codes": """
        ApplicationError ErrorCode ErrorCodeBase SilentRefusal ValidationError error_code_of
        error_response format_error_response get_error_message get_http_status
        success_response to_error_code
    """,
    "groups": """
        GROUPS_TABLE Groups
    """,
    "metrics_emitter": """
        METRICS MetricsContext MetricsEmitter UNITS
    """,
    "records": """
        ClientMessage Limits MAX_DEPTH MAX_ITEMS MAX_MAGNITUDE MAX_VALUES MIN_MAGNITUDE
        Record ServerMessage check_size event_body example json_schema read_fields
        read_object request_id_of
    """,
    "structured_logger": """
        LoggingContext StructuredLogger bind_context configure_lambda_logging
        get_structured_logger invocation logging_context
    """,
    "table_names": """
        CONNECTIONS_TABLE_NAME RATE_LIMITS_TABLE_NAME SESSIONS_TABLE_NAME
        SESSION_LISTENERS_INDEX_NAME TABLES TRANSLATION_CACHE_TABLE_NAME TableIndex
        TableSchema get_table_name
    """,
    "validators": """
        ACTIONS AUDIO_ENCODINGS CHANNELS KNOWN_LANGUAGES LANGUAGE_PATTERN
        MAX_AUDIO_CHUNK_BYTES MAX_CAPTION_MESSAGE_BYTES MAX_CONTROL_MESSAGE_BYTES
        MAX_FRAME_BYTES MAX_MESSAGE_BYTES MAX_SAFE_INTEGER MIN_AUDIO_CHUNK_BYTES
        Pcm16Quality QUALITY_TIERS SAMPLE_RATES SESSION_ID_PATTERN TOKEN_PATTERN
        assess_pcm16_quality audio_duration_ms validate_action validate_audio_alignment
        validate_audio_chunk_size validate_audio_format validate_base64_audio
        validate_control_message_size validate_language_code validate_message_size
        validate_quality_tier validate_refresh_token validate_sequence_number
        validate_session_id_format validate_timestamp validate_volume
    """,
    "websocket_handler": """
        Request Route Routes WebSocketHandler
    """,
    "websocket_messages": """
        ANY AudioFormat AudioMessage AudioQualityWarningMessage BroadcastControlMessage
        BroadcastMutedMessage BroadcastPausedMessage BroadcastResumedMessage BroadcastState
        BroadcastUnmutedMessage CLIENT_MESSAGES CaptionMessage ChangeLanguage
        ChannelChangedMessage ConnectionRefreshCompleteMessage ConnectionRefreshMessage
        ConnectionRefreshRequiredMessage ConnectionTimeoutMessage ConnectionWarningMessage
        CreateSession EndSession ErrorMessage FLOOR GatewayMessage GetSessionStatus
        Heartbeat HeartbeatAckMessage INTERPRETER InterpreterJoinedMessage
        InterpreterLeftMessage InterpreterReadyMessage JoinAsInterpreter JoinSession
        LISTENER LanguageChangedMessage ListenerJoinedMessage ListenerLeftMessage
        MuteBroadcast PauseBroadcast PausePlayback PlaybackPausedMessage
        PlaybackResumedMessage RateLimitWarningMessage RefreshConnection RemoveInterpreter
        ResumeBroadcast ResumePlayback SERVER_MESSAGES SPEAKER SendAudio SendCaption
        SessionCreatedMessage SessionEndedMessage SessionJoinedMessage SessionStatusMessage
        SetVolume SpeakerState SpeakerStateChange SpeakerStateChangedMessage UnmuteBroadcast
        VolumeChangedMessage parse_body parse_message parse_server_message validate_message
    """,
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}
__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> object:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(__import__(f"{__name__}.{module}", fromlist=(name,)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
