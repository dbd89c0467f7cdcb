"""Which function takes which key, and what is refused when it is declared."""

import pytest

from shared_utils._routes import Routes, must_be_plain, rates_of, subprotocols_of
from shared_utils.error_codes import ApplicationError
from shared_utils.records import ClientMessage, ServerMessage


class SendChat(ClientMessage):
    """Say something."""


class Chat:
    class SendChat(ClientMessage):
        """Say something else, with the same action."""


class ChatMessage(ServerMessage):
    """What was said."""


def function(_request):
    return None


async def coroutine(_request):
    return None


def generator(_request):
    yield


async def async_generator(_request):
    yield


def lambda_handler(_event, _context):
    return None


async def no_arguments():
    return None


def test_routes_can_be_read():
    """A tool that describes a handler needs no private name."""
    routes = Routes()
    routes.route(SendChat, role="member")(function)
    routes.route("poll")(coroutine)

    found = routes.routes

    assert list(found) == ["sendChat", "poll"]
    assert (found["sendChat"].message_class, found["poll"].message_class) == (SendChat, None)
    assert (found["sendChat"].role, found["poll"].role) == ("member", None)
    assert (found["sendChat"].is_async, found["poll"].is_async) == (False, True)
    assert found["sendChat"].function is function


def test_routes_that_are_read_cannot_be_changed_that_way():
    routes = Routes()

    routes.routes["poll"] = None

    assert routes.routes == {}


def test_function_is_returned_as_it_is():
    assert Routes().route("poll")(function) is function


def test_routes_are_included():
    routes, inner = Routes(), Routes()
    inner.route(SendChat)(function)

    routes.include(inner)

    assert routes.routes == inner.routes


def include_twice(routes):
    inner = Routes()
    inner.route("poll")(function)
    routes.include(inner)
    routes.include(inner)


TAKES = "route() takes a class of ClientMessage with an action, or a key; got"
OWN = "is not one of $connect, $disconnect, $default"


@pytest.mark.parametrize(
    ("declare", "text"),
    [
        pytest.param(lambda r: r.route(7), f"{TAKES} 7", id="number"),
        pytest.param(lambda r: r.route(None), f"{TAKES} None", id="none"),
        pytest.param(lambda r: r.route(dict), f"{TAKES} dict", id="other-class"),
        pytest.param(lambda r: r.route(ChatMessage), f"{TAKES} ChatMessage", id="server-message"),
        pytest.param(lambda r: r.route(ClientMessage), f"{TAKES} ClientMessage", id="base-class"),
        pytest.param(lambda r: r.route(""), "route() takes a key that is not empty", id="empty"),
        pytest.param(lambda r: r.route("$conect"), f"'$conect' {OWN}", id="misspelt"),
        pytest.param(
            lambda r: r.route("poll", role=7), "the role of 'poll' must be a text, got 7", id="role"
        ),
        pytest.param(
            lambda r: r.route("poll", role=""),
            "the role of 'poll' must be a text, got ''",
            id="empty-role",
        ),
        pytest.param(
            lambda r: r.route("$connect", role="member"),
            "'$connect' takes no role: raise to refuse",
            id="role-of-connect",
        ),
        pytest.param(
            lambda r: r.route("$disconnect", role="member"),
            "'$disconnect' takes no role: raise to refuse",
            id="role-of-disconnect",
        ),
        pytest.param(
            lambda r: r.route("poll")(7),
            "the route 'poll' must be a function, got int",
            id="no-function",
        ),
        pytest.param(
            lambda r: r.route("poll")(generator),
            "the route 'poll' must be a function, got the generator generator",
            id="generator",
        ),
        pytest.param(
            lambda r: r.route(SendChat)(lambda_handler),
            "the route 'sendChat' is called with (request), and lambda_handler takes 2",
            id="two-arguments",
        ),
        pytest.param(
            lambda r: r.route("poll")(no_arguments),
            "the route 'poll' is called with (request), and no_arguments takes 0",
            id="no-arguments",
        ),
        pytest.param(
            lambda r: r.route("poll")(async_generator),
            "the route 'poll' must be a function, got the async generator async_generator",
            id="async-generator",
        ),
        pytest.param(
            lambda r: (r.route("poll")(function), r.route("poll")(function)),
            "'poll' has a route already",
            id="key-twice",
        ),
        pytest.param(
            lambda r: (r.route("$connect")(len), r.route("$connect")(len)),
            "'$connect' has a route already",
            id="connect-twice",
        ),
        pytest.param(
            lambda r: (r.route("sendChat")(function), r.route(SendChat)(function)),
            "'sendChat' has a route already",
            id="key-and-class",
        ),
        pytest.param(
            lambda r: (r.route(SendChat)(function), r.route(SendChat)(function)),
            "'sendChat' has a route already",
            id="class-twice",
        ),
        pytest.param(
            lambda r: (r.route(SendChat)(function), r.route(Chat.SendChat)(function)),
            "'sendChat' has a route already: SendChat and Chat.SendChat have the same action",
            id="two-classes-of-one-action",
        ),
        pytest.param(include_twice, "'poll' has a route already", id="included-twice"),
    ],
)
def test_declaration_refused(declare, text):
    with pytest.raises(ApplicationError) as caught:
        declare(Routes())

    assert str(caught.value) == text
    assert caught.value.code == "INTERNAL_CONFIGURATION_ERROR"


def test_class_whose_action_is_an_event_is_refused():
    class Connect(ClientMessage):
        """Pretends to be an event."""

    Connect.action = "$connect"

    with pytest.raises(ApplicationError, match=r"'\$connect' is not one of"):
        Routes().route(Connect)


# --- what a handler is made with


def test_what_must_be_plain_is_a_def_that_can_be_called_so():
    must_be_plain(function, "a check", "request")

    with pytest.raises(ApplicationError, match="a check must be def, not async def: coroutine"):
        must_be_plain(coroutine, "a check", "request")


@pytest.mark.parametrize("given", [["v2", "v1"], iter(("v2", "v1"))])
def test_subprotocols_keep_their_order(given):
    assert subprotocols_of(given) == ("v2", "v1")


@pytest.mark.parametrize("given", ["v1", None, [""], ["v1", 2]])
def test_what_is_no_list_of_subprotocols_is_refused(given):
    with pytest.raises(ApplicationError, match="subprotocols must be a list of texts, got "):
        subprotocols_of(given)


def test_rates_are_copied():
    given = {"say": 2}

    rates = rates_of(given)
    given["say"] = 3

    assert (rates, rates_of(None)) == ({"say": 2}, {})


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["say"], "sampled must hold whole numbers by key, got"),
        ({SendChat: 2}, "sampled must hold whole numbers by the key of a route, got"),
        ({"say": 0}, r"sampled\['say'\] must be a whole number from 1, got 0"),
        ({"say": True}, r"sampled\['say'\] must be a whole number from 1, got True"),
    ],
)
def test_what_is_no_rate_by_key_is_refused(given, wanted):
    with pytest.raises(ApplicationError, match=wanted):
        rates_of(given)
