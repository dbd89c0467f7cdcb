"""A function without routes, as somebody wrote it against this release: lines, metrics, checks and answers."""

import logging

from shared_utils import (
    ErrorCode,
    MetricsEmitter,
    ValidationError,
    bind_context,
    configure_lambda_logging,
    error_response,
    format_error_response,
    get_structured_logger,
    get_table_name,
    invocation,
    logging_context,
    metrics_emitter,
    parse_message,
    success_response,
    validate_language_code,
    validate_session_id_format,
)

configure_lambda_logging()
logger = get_structured_logger("Worker")
metrics = MetricsEmitter(namespace="Orders")


@invocation
@metrics.invocation("Worker")
def handler(event, context):
    return STEPS[event["do"]](event)


def lines(event):
    bind_context(tenant="blue")
    log = logger.bind(session_id="golden-eagle-427")
    log.info("in a session", operation="start", size=3, password="hunter2")
    with logging_context(step="inner"):
        logger.warning("inside", extra={"number": 1.5})
    logger.debug("left out")
    logging.getLogger("library").error("from a library: %s", "text")
    try:
        raise ValueError("wrong value")
    except ValueError:
        logger.exception("failed", operation="parse")
    log.log_state_change("session", "open", "closed")
    log.log_websocket_message("in", "sendAudio", 100)
    return "lines"


def numbers(event):
    metrics.emit_metric("OrdersTaken", 2, "Count", dimensions={"Shop": "blue"}, orderId="o-1")
    metrics.emit_audio_chunk_received("golden-eagle-427", 3200)
    metrics.emit_message_latency("sendAudio", 12.5)
    return sorted(metrics_emitter.METRICS)[:3]


def checks(event):
    refused = []
    for check, value in (
        (validate_session_id_format, "golden-eagle-42"),
        (validate_language_code, "english"),
        (parse_message, '{"action": "joinSession"}'),
        (parse_message, '{"action": "fly"}'),
        (parse_message, "no JSON"),
    ):
        try:
            check(value)
        except ValidationError as error:
            refused.append([error.code, error.field, str(error)])
    good = parse_message({"action": "setVolume", "volumeLevel": 0.5})
    return {"refused": refused, "good": good.to_dict(), "table": get_table_name("ORDERS", "Orders")}


def answers(event):
    return [
        success_response(201, {"id": 1}),
        error_response(ErrorCode.SESSION_NOT_FOUND, correlation_id="c-1"),
        format_error_response(
            "VALIDATION_INVALID_PARAMETER", {"field": "text"}, message="Too long"
        ),
        [ErrorCode.SESSION_NOT_FOUND.status, ErrorCode.SESSION_NOT_FOUND == "SESSION_NOT_FOUND"],
    ]


STEPS = {"lines": lines, "numbers": numbers, "checks": checks, "answers": answers}
