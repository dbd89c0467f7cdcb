"""What is found in modules and handlers, and what is refused."""

import enum
import types
from typing import ClassVar

import pytest
from helpline import app, codes, messages

from shared_utils import (
    ClientMessage,
    ErrorCode,
    ErrorCodeBase,
    Heartbeat,
    Record,
    Routes,
    ServerMessage,
    SetVolume,
    WebSocketHandler,
    websocket_messages,
)
from shared_utils_protocol import GATEWAY, SourceError, api_of
from shared_utils_protocol.catalogue import LAYER_CODES


def module_of(**names):
    """Return a module with these names."""
    module = types.ModuleType("made")
    vars(module).update(names)
    return module


class AskMessage(ServerMessage):
    text: str


class Ask(ClientMessage):
    text: str


class Answered(ServerMessage):
    sender: str = "me"


def names(found):
    return [message.name for message in found]


# --- a handler


def test_messages_of_a_handler_are_those_that_it_routes():
    api = api_of(app.handler)

    assert names(api.client) == ["openRoom", "text/send", "closeRoom", "typing", "ping/me"]


def test_messages_to_clients_are_those_of_its_modules_and_the_error():
    api = api_of(app.handler)

    assert names(api.server) == ["roomOpened", "text/sent", "typing", "error"]
    assert names(api.received)[-1] == "gatewayMessage"


def test_codes_are_the_systems_own_and_those_with_which_the_layer_answers():
    api = api_of(app.handler)

    assert api.codes == [*codes.HelpCode, *LAYER_CODES]
    assert ErrorCode.AUDIO_QUALITY_LOW not in api.codes


def test_all_codes_of_the_layer_are_listed_where_their_class_is_named():
    api = api_of(module_of(Ask=Ask, ErrorCode=ErrorCode))

    assert api.codes == [*ErrorCode]


def test_error_has_the_systems_own_code_as_example():
    [error] = [one for one in api_of(app.handler).server if one.name == "error"]

    assert error.example["code"] == "LINE_BUSY"
    assert error.example["message"] == "The room is full | try another"
    assert error.example["retryable"] is False


def test_roles_are_those_of_the_routes():
    roles = {one.name: one.role for one in api_of(app.handler).client}

    assert roles == {
        "openRoom": "customer",
        "text/send": None,
        "closeRoom": "agent",
        "typing": None,
        "ping/me": None,
    }


def test_replies_are_what_the_functions_say_they_return():
    replies = {one.name: one.replies for one in api_of(app.handler).client}

    assert replies == {
        "openRoom": ("roomOpened",),
        "text/send": ("text/sent",),
        "closeRoom": (),
        "typing": (),
        "ping/me": (),
    }


def test_title_and_subprotocols_are_the_handlers():
    api = api_of(app.handler)

    assert (api.title, api.subprotocols) == ("Helpline", ("help.v1",))


def test_route_of_a_key_is_a_message_of_undeclared_fields():
    message = api_of(app.handler).client[-1]

    assert message.type_name == "PingMe"
    assert message.summary == "Answer whatever was sent."
    assert message.schema["properties"] == {"action": {"const": "ping/me"}}
    assert message.schema["required"] == ["action"]


def test_key_without_letters_has_a_type_that_has():
    handler = WebSocketHandler("Numbers")
    handler.route("7")(lambda request: None)

    assert [one.type_name for one in api_of(handler).client] == ["Key7"]


def test_message_is_named_by_what_the_handler_selects_by():
    handler = WebSocketHandler("Kinds", selection="kind")
    handler.route(Ask)(lambda request: None)

    [message] = api_of(handler).client

    assert list(message.schema["properties"]) == ["kind", "text", "requestId"]
    assert message.schema["required"] == ["kind", "text"]
    assert message.example == {"kind": "ask", "text": "text", "requestId": "request-1"}


def test_field_called_as_the_selection_holds_the_key():
    class Choose(ClientMessage):
        kind: str

    handler = WebSocketHandler("Kinds", selection="kind")
    handler.route(Choose)(lambda request: None)

    [message] = api_of(handler).client

    assert message.schema["properties"]["kind"] == {"const": "choose"}
    assert message.schema["required"] == ["kind"]
    assert message.example == {"kind": "choose", "requestId": "request-1"}


def test_codes_beside_a_handler_are_its_systems():
    handler = WebSocketHandler("Kinds")
    handler.route(Ask)(lambda request: None)

    api = api_of(handler, beside=[module_of(Code=codes.HelpCode, Other=HasShape)])

    assert {*codes.HelpCode} <= {*api.codes}
    assert names(api.client) == ["ask"]


def test_routes_without_a_handler_are_read_too():
    routes = Routes()
    routes.route(Ask)(lambda request: None)

    assert names(api_of(routes).client) == ["ask"]


def test_layers_own_messages_are_listed_where_they_are_named_only():
    handler = WebSocketHandler("Beats")
    handler.route(Heartbeat)(lambda request: None)

    api = api_of(handler)

    assert names(api.client) == ["heartbeat"]
    assert "sessionCreated" not in names(api.server)


def test_annotation_that_is_not_found_is_no_reply():
    handler = WebSocketHandler("Unknown")

    @handler.route(Ask)
    def ask(request) -> "Nowhere":  # type: ignore[name-defined]  # noqa: F821
        return None

    assert api_of(handler).client[0].replies == ()


def test_wrapped_function_is_looked_into():
    handler = WebSocketHandler("Wrapped")

    def ask(request) -> AskMessage:
        return AskMessage(text="x")

    def wrapper(request):
        return ask(request)

    wrapper.__wrapped__ = ask  # type: ignore[attr-defined]
    handler.route(Ask)(wrapper)

    assert api_of(handler).client[0].replies == ("ask",)


# --- modules


def test_public_names_of_a_module_are_its_messages():
    api = api_of(messages)

    assert names(api.client) == ["openRoom", "text/send", "closeRoom", "typing"]
    assert names(api.server) == ["typing", "roomOpened", "text/sent", "error"]
    assert api.title == "helpline.messages"


def test_names_in_all_are_the_public_ones():
    module = module_of(Ask=Ask, AskMessage=AskMessage, __all__=["AskMessage"])

    api = api_of(module)

    assert names(api.client) == []
    assert names(api.server) == ["ask", "error"]


def test_sender_and_reply_of_a_class_are_its_role_and_answer():
    class Raise(ClientMessage):
        sender: ClassVar[str] = "pupil"
        reply: ClassVar[str] = "raised"

    class RaisedMessage(ServerMessage):
        pass

    [message] = api_of(module_of(Raise=Raise, Raised=RaisedMessage)).client

    assert (message.role, message.replies) == ("pupil", ("raised",))


def test_several_senders_of_a_class_are_its_roles():
    class Raise(ClientMessage):
        sender: ClassVar[tuple[str, str]] = ("pupil", "guest")

    [message] = api_of(module_of(Raise=Raise)).client

    assert (message.role, message.replies) == ("pupil or guest", ())


def test_field_called_sender_is_no_role():
    api = api_of(messages)

    assert {one.role for one in api.client} == {None}


def test_handler_and_its_module_are_one_api():
    api = api_of(messages, app.handler)

    assert names(api.client) == ["openRoom", "text/send", "closeRoom", "typing", "ping/me"]
    assert api.client[0].role == "customer"


def test_class_says_the_reply_where_the_function_does_not():
    api = api_of(routed(SetVolume, role="host"), websocket_messages)

    assert (api.client[0].name, api.client[0].role) == ("setVolume", "host")
    assert api.client[0].replies == ("volumeChanged",)


def test_error_of_ones_own_stands_for_the_layers():
    class ErrorMessage(ServerMessage):
        why: str

    api = api_of(module_of(Error=ErrorMessage))

    assert [list(one.schema["properties"])[1] for one in api.server] == ["why"]


def test_audio_system_is_a_module_like_others():
    api = api_of(websocket_messages)

    assert names(api.client) == list(websocket_messages.CLIENT_MESSAGES)
    assert names(api.server) == list(websocket_messages.SERVER_MESSAGES)
    roles = {one.name: one.role for one in api.client}
    assert (roles["setVolume"], roles["heartbeat"]) == ("speaker", None)


def test_examples_are_changed_by_name():
    api = api_of(messages, examples={"openRoom": {"tags": ["slow"]}})

    assert api.client[0].example["tags"] == ["slow"]
    assert api.client[0].example["topic"] == "bill"


# --- ids


def test_action_and_type_of_one_name_have_two_ids():
    api = api_of(app.handler)

    ids = [one.id for one in api.messages]
    assert len({one.casefold() for one in ids}) == len(ids)
    assert [one.id for one in api.messages if one.name == "typing"] == ["typing", "TypingMessage"]
    assert api.id_of("typing") == "TypingMessage"


def test_id_is_of_letters_that_asyncapi_takes():
    ids = [one.id for one in api_of(app.handler).messages]

    assert {"text_send", "text_sent", "ping_me"} <= set(ids)


def test_keys_whose_types_would_have_one_name_are_refused():
    handler = WebSocketHandler("Taken")
    for key in ("notify", "Notify"):
        handler.route(key)(lambda request: None)

    with pytest.raises(SourceError, match="two declarations are called Notify"):
        api_of(handler)


def test_key_that_the_documents_use_has_another_id():
    handler = WebSocketHandler("Taken")
    handler.route("notify")(lambda request: None)

    assert [one.id for one in api_of(handler).client] == ["notify-2"]


# --- refused


class Shape(Record):
    x: int


class HasShape(ClientMessage):
    shape: Shape


def other_shape():
    class Shape(Record):
        y: int

    class HasOther(ServerMessage):
        shapes: list[Shape]

    return HasOther


class Lost(ClientMessage):
    reply: ClassVar[str] = "found"


class Same(ClientMessage):
    action: ClassVar[str] = "ask"


class ErrorCodeClash(ClientMessage):
    pass


ErrorCodeClash.__name__ = "ErrorCode"


class NoExample(ClientMessage):
    def check(self):
        raise ValueError("never")


def routed(*keys, selection="action", role=None):
    handler = WebSocketHandler("Routed", selection=selection)
    for key in keys:
        handler.route(key, role=role)(lambda request: None)
    return handler


@pytest.mark.parametrize(
    ("sources", "text"),
    [
        pytest.param([7], "7 is no module and no WebSocketHandler", id="number"),
        pytest.param([enum], "the module enum has no messages: name a module", id="no-messages"),
        pytest.param([codes], "the whole has no messages", id="codes-only"),
        pytest.param([routed()], "Routed has no messages", id="handler-without-routes"),
        pytest.param(
            [module_of(A=Lost)],
            "Lost has the reply 'found', and no message that type: name the module",
            id="no-such-reply",
        ),
        pytest.param([routed("gateway-message")], "called GatewayMessage", id="as-the-gateways"),
        pytest.param([routed("$default")], "Routed has no messages", id="default-only"),
        pytest.param(
            [module_of(A=Ask, B=Same)],
            r"'ask' is the action of \S+test_collect.Ask and \S+test_collect.Same: one of them needs another",
            id="two-of-one-action",
        ),
        pytest.param(
            [routed("ask"), module_of(A=Ask)],
            "'ask' is the action of the route 'ask' and ",
            id="route-and-class",
        ),
        pytest.param(
            [routed(Ask, role="a"), routed(Ask, role="b")],
            "'ask' has two routes: one API has one function for it",
            id="two-routes",
        ),
        pytest.param(
            [routed(Ask), routed(Same, selection="kind")],
            "Routed selects messages by kind, another handler by action: one API has one",
            id="two-selections",
        ),
        pytest.param(
            [module_of(A=HasShape, B=other_shape())],
            "two records are called Shape and hold different fields, one of them in HasOther: give",
            id="two-records-of-one-name",
        ),
        pytest.param(
            [module_of(A=ErrorCodeClash)],
            "ErrorCode cannot be the name of 'errorCodeClash': the documents use it",
            id="name-of-the-documents",
        ),
        pytest.param(
            [module_of(A=NoExample)], "NoExample: no example is known, .* never", id="no-example"
        ),
    ],
)
def test_refused(sources, text):
    with pytest.raises(SourceError, match=text):
        api_of(*sources)


def test_class_of_codes_without_rows_is_nothing():
    with pytest.raises(SourceError, match="the module made has no messages"):
        api_of(module_of(ErrorCodeBase=ErrorCodeBase))


def test_gateway_message_is_part_of_every_api():
    assert api_of(messages).messages[-1] is GATEWAY
