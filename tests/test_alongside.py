"""The layer beside what others use: Sentry, OpenTelemetry, pydantic, FastAPI with Mangum.

Each is the real one, with a transport or an exporter in memory; what a user of it expects, a test each.
"""

import asyncio
import datetime
import inspect
import json
import threading
import uuid

import attrs
import fastapi
import mangum
import numpy
import pydantic
import pydantic.alias_generators
import pytest
import sentry_sdk
import sentry_sdk.transport
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared_utils import (
    ApplicationError,
    ErrorCode,
    WebSocketHandler,
    get_structured_logger,
    invocation,
)
from shared_utils.testing import (
    FakeConnections,
    FakeContext,
    capture_lines,
    connect_event,
    message_event,
)

SAY = {"action": "say", "text": "hello"}


@pytest.fixture
def connections():
    return FakeConnections()


@pytest.fixture
def handler(connections):
    return WebSocketHandler("Chat", connections=connections)


def handle(handler, event):
    with capture_lines() as lines:
        result = handler(event, FakeContext())
    return result, lines


def fail(_request):
    raise KeyError("room")


async def fail_later(_request):
    await asyncio.sleep(0)
    raise KeyError("room")


def refuse(_request):
    raise ApplicationError(ErrorCode.SESSION_NOT_FOUND)


# --- Sentry ---------------------------------------------------------------------------------------


class MemoryTransport(sentry_sdk.transport.Transport):
    """Keeps the events that would go to Sentry."""

    def __init__(self):
        super().__init__()
        self.events = []

    def capture_envelope(self, envelope):
        self.events.append(envelope.get_event())


@pytest.fixture
def sentry():
    """Return the events that Sentry gets."""
    transport = MemoryTransport()
    client = sentry_sdk.Client(
        dsn="https://key@sentry.example.com/1", transport=transport, default_integrations=False
    )
    before = sentry_sdk.get_global_scope().client
    sentry_sdk.get_global_scope().set_client(client)
    yield transport.events
    sentry_sdk.get_global_scope().set_client(before)
    client.close()


def report_to_sentry(error, request):
    with sentry_sdk.new_scope() as scope:
        scope.set_tag("action", request.action)
        scope.set_tag("connectionId", request.connection_id)
        scope.capture_exception(error)


@pytest.mark.parametrize("function", [fail, fail_later])
def test_sentry_gets_an_unexpected_error_with_its_stack(handler, sentry, function):
    handler.on_failure(report_to_sentry)
    handler.route("say")(function)

    result, _ = handle(handler, message_event(SAY, "c-1"))

    (event,) = sentry
    (exception,) = event["exception"]["values"]
    assert result == {"statusCode": 500}
    assert (exception["type"], exception["value"]) == ("KeyError", "'room'")
    assert exception["stacktrace"]["frames"][-1]["function"] == function.__name__
    assert event["tags"] == {"action": "say", "connectionId": "c-1"}


def test_sentry_gets_no_refusal(handler, sentry):
    handler.on_failure(report_to_sentry)
    handler.route("say")(refuse)

    result, _ = handle(handler, message_event(SAY))

    assert result == {"statusCode": 404}
    assert sentry == []


def test_sentry_that_is_down_changes_nothing(handler, sentry, connections):
    handler.on_failure(lambda error, request: sentry_sdk.capture_exception(error).is_down)
    handler.route("say")(fail)

    result, lines = handle(handler, message_event(SAY))

    assert result == {"statusCode": 500}
    assert connections.sent[0][1]["code"] == "INTERNAL_SERVER_ERROR"
    assert lines.level("WARN")[0]["message"] == "A failure hook failed"


# --- OpenTelemetry --------------------------------------------------------------------------------


@pytest.fixture
def spans():
    """Return an exporter that keeps the spans which have ended."""
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    yield provider.get_tracer("chat")
    provider.shutdown()


def record_on_span(error, _request):
    span = trace.get_current_span()
    span.record_exception(error)
    span.set_status(trace.StatusCode.ERROR)


@pytest.mark.parametrize("function", [fail, fail_later])
def test_span_around_the_handler_has_the_unexpected_error(handler, tracer, spans, function):
    """As the instrumentation for Lambda makes one: the handler itself raises nothing."""
    handler.on_failure(record_on_span)
    handler.route("say")(function)

    with tracer.start_as_current_span("lambda"):
        handle(handler, message_event(SAY))

    (span,) = spans.get_finished_spans()
    (event,) = span.events
    assert event.attributes["exception.type"] == "KeyError"
    assert span.status.status_code is trace.StatusCode.ERROR


def test_span_of_a_middleware_is_inside_of_the_callers(handler, tracer, spans):
    @handler.middleware
    def traced(request, call_next):
        with tracer.start_as_current_span(request.action):
            return call_next(request)

    handler.route("say")(fail)

    with tracer.start_as_current_span("lambda"):
        handle(handler, message_event(SAY))

    inner, outer = spans.get_finished_spans()
    assert (inner.name, outer.name) == ("say", "lambda")
    assert inner.parent.span_id == outer.context.span_id
    assert inner.events[0].attributes["exception.type"] == "KeyError"


def test_span_of_an_async_route_is_not_seen_by_the_next_event(handler, tracer):
    seen = []

    @handler.middleware
    async def traced(request, call_next):
        return await call_next(request)

    @handler.route("say")
    async def say(_request):
        seen.append(trace.get_current_span())
        leak = trace.use_span(tracer.start_span("never ended"), end_on_exit=False)
        leak.__enter__()
        await asyncio.sleep(0)

    handle(handler, message_event(SAY))
    handle(handler, message_event(SAY))

    assert seen == [trace.INVALID_SPAN, trace.INVALID_SPAN]


def test_lines_carry_the_active_span(handler, tracer, monkeypatch):
    """As OpenTelemetry writes ids; without a span, X-Ray's trace stays."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=1")
    log = get_structured_logger("Chat")

    @handler.route("say")
    def say(_request):
        log.info("before")
        with tracer.start_as_current_span("inside") as span:
            log.info("inside")
            return_ids.append(span.get_span_context())

    return_ids = []
    _, lines = handle(handler, message_event(SAY))
    before, inside, summary = lines

    (span,) = return_ids
    assert before["traceId"] == "1-5759e988-bd862e3fe1be46a994272793"
    assert inside["traceId"] == format(span.trace_id, "032x")
    assert inside["spanId"] == format(span.span_id, "016x")
    assert "spanId" not in summary
    assert summary["traceId"] == before["traceId"]


# --- values of libraries in a line ----------------------------------------------------------------


def context_of(**fields):
    with capture_lines() as lines:
        get_structured_logger("Case").info("x", **fields)
    return {name: value for name, value in lines[0]["context"].items() if name != "environment"}


def test_numbers_of_numpy_are_numbers_in_a_line():
    context = context_of(
        whole=numpy.int64(5),
        part=numpy.float32(0.5),
        yes=numpy.bool_(True),
        double=numpy.float64(1.5),
        long=numpy.longdouble(2.5),
        nan=numpy.float32("nan"),
    )

    assert context == {
        "whole": 5, "part": 0.5, "yes": True, "double": 1.5, "long": 2.5, "nan": "nan"}  # fmt: skip


def test_dates_of_numpy_are_text():
    context = context_of(
        moment=numpy.datetime64("2026-01-31T12:00"),
        span=numpy.timedelta64(90, "s"),
        raw=numpy.void(b"ab"),
    )

    assert (context["moment"], context["span"]) == ("2026-01-31T12:00", "90 seconds")
    assert "unreadable" not in context["raw"]


def test_samples_in_an_array_are_a_size():
    samples = context_of(chunk=numpy.zeros(1600, dtype="int16"))["chunk"]

    assert samples.startswith("<ndarray 3200 bytes sha256:")


def test_models_of_libraries_are_shown_by_their_fields():
    attrs_account = attrs.make_class("Account", ["user", "password"])
    model = pydantic.create_model("Account", user=(str, ...), password=(str, ...))
    hidden = {"user": "ann", "password": "[REDACTED]"}

    context = context_of(
        attrs=attrs_account("ann", "hunter2"),
        pydantic=model(user="ann", password="hunter2"),
        secret=pydantic.SecretStr("hunter2"),
    )

    assert (context["attrs"], context["pydantic"]) == (hidden, hidden)
    assert "hunter2" not in str(context)


# --- pydantic -------------------------------------------------------------------------------------


class Say(pydantic.BaseModel):
    text: str = pydantic.Field(max_length=10)
    volume: float = 1


class Said(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(
        alias_generator=pydantic.alias_generators.to_camel,
        serialize_by_alias=True,
        populate_by_name=True,
    )

    type: str = "said"
    message_id: uuid.UUID
    sent_at: datetime.datetime
    request_id: str | None = None


SAID = Said(
    message_id=uuid.UUID(int=7), sent_at=datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC)
)


def test_model_is_a_reply_as_it_says_of_itself(handler, connections):
    handler.route("say")(lambda _: SAID)

    handle(handler, message_event({**SAY, "requestId": "client-1"}))

    assert connections.sent[0][1] == {
        "type": "said",
        "messageId": "00000000-0000-0000-0000-000000000007",
        "sentAt": "2026-01-31T00:00:00Z",
        "requestId": "client-1",
    }
    assert SAID.request_id is None


def test_model_of_a_list_is_no_reply(handler):
    handler.route("say")(lambda _: pydantic.RootModel[list[int]]([1]))

    result, (line, *_) = handle(handler, message_event(SAY))

    assert result == {"statusCode": 500}
    assert "a reply must give a JSON object" in line["error"]["message"]


def test_validation_error_is_mapped_in_a_line(handler, connections):
    @handler.exception_handler(pydantic.ValidationError)
    def invalid(error, _request):
        raise ApplicationError(
            "VALIDATION_INVALID_PARAMETER", str(error.errors()[0]["msg"])
        ) from error

    @handler.route("say")
    def say(request):
        return {"type": "said", "text": Say.model_validate(request.body).text}

    said, _ = handle(handler, message_event(SAY))
    refused, (line, *_) = handle(handler, message_event({"action": "say", "text": "x" * 11}))

    assert said == {"statusCode": 200}
    assert refused == {"statusCode": 400}
    assert [message["type"] for _, message in connections.sent] == ["said", "error"]
    assert connections.sent[1][1]["message"] == "String should have at most 10 characters"
    assert line["error"]["type"] == "ValidationError"


def test_details_of_a_validation_error_reach_the_client_without_its_input(handler, connections):
    @handler.exception_handler(pydantic.ValidationError)
    def invalid(error, _request):
        found = error.errors(include_input=False, include_url=False, include_context=False)
        raise ApplicationError("VALIDATION_INVALID_PARAMETER", details={"errors": found})

    handler.route("say")(lambda request: Say.model_validate(request.body))

    handle(handler, message_event({"action": "say", "text": 7}))

    assert connections.sent[0][1]["details"]["errors"] == [
        {"type": "string_type", "loc": ["text"], "msg": "Input should be a valid string"}
    ]


# --- FastAPI with Mangum --------------------------------------------------------------------------


def http_event(path, method="GET"):
    """Return an event of an HTTP API, format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "example.com"},
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
            "requestId": "gateway-1",
            "domainName": "example.com",
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }


log = get_structured_logger("Http")
app = fastapi.FastAPI()


@app.get("/async")
async def look():
    log.info("looking")
    return {"thread": threading.current_thread() is threading.main_thread()}


@app.get("/sync")
def look_in_a_thread():
    log.info("looking")
    return {"thread": threading.current_thread() is threading.main_thread()}


@app.get("/broken")
async def broken():
    raise KeyError("room")


@pytest.fixture
def entry():
    """Return the Lambda entry, in a thread's own event loop as Mangum wants one."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield invocation(mangum.Mangum(app, lifespan="off"))
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.parametrize(("path", "main_thread"), [("/async", True), ("/sync", False)])
def test_lines_of_an_endpoint_carry_the_ids(entry, path, main_thread):
    with capture_lines() as lines:
        response = entry(http_event(path), FakeContext("lambda-7"))
        log.info("after it")

    (inside, after) = [line for line in lines if line["component"] == "Http"]
    assert response["statusCode"] == 200
    assert json.loads(response["body"]) == {"thread": main_thread}
    assert (inside["requestId"], inside["correlationId"]) == ("lambda-7", "gateway-1")
    assert "requestId" not in after


def test_next_call_has_ids_of_its_own(entry):
    with capture_lines() as lines:
        entry(http_event("/async"), FakeContext("lambda-7"))
        entry(http_event("/async"), FakeContext("lambda-8"))

    ids = [line["requestId"] for line in lines if line["component"] == "Http"]
    assert ids == ["lambda-7", "lambda-8"]


def test_endpoint_that_fails_answers_500(entry):
    with capture_lines():
        response = entry(http_event("/broken"), FakeContext())

    assert response["statusCode"] == 500


def test_invocation_of_a_coroutine_function_is_one():
    @invocation
    async def handler(event, context):
        await asyncio.sleep(0)
        log.info("inside")
        return {"statusCode": 200}

    assert inspect.iscoroutinefunction(handler)
    with capture_lines() as lines:
        result = asyncio.run(handler(connect_event(), FakeContext("lambda-7")))

    assert result == {"statusCode": 200}
    assert [line["requestId"] for line in lines if line["component"] == "Http"] == ["lambda-7"]


def test_invocations_of_coroutines_side_by_side_see_nothing_of_each_other():
    @invocation
    async def handler(event, context):
        for _ in range(3):
            await asyncio.sleep(0)
            log.info("inside", number=event)

    async def both():
        await asyncio.gather(*(handler(n, FakeContext(f"lambda-{n}")) for n in range(2)))

    with capture_lines() as lines:
        asyncio.run(both())

    seen = {(line["requestId"], line["context"]["number"]) for line in lines}
    assert seen == {("lambda-0", 0), ("lambda-1", 1)}
