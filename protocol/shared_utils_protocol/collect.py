"""What modules and handlers declare, as one `ApiDescription`."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from typing import TYPE_CHECKING, Any

from shared_utils.error_codes import ErrorCodeBase
from shared_utils.records import ClientMessage, ServerMessage
from shared_utils.websocket_handler import Routes
from shared_utils.websocket_messages import ErrorMessage

from .catalogue import (
    GATEWAY,
    LAYER_CODES,
    ApiDescription,
    Message,
    SourceError,
    client_message,
    is_same_shape,
    keyed_message,
    server_message,
    shapes_of,
    with_ids,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TypeGuard

    from shared_utils.websocket_handler import Route

__all__ = ["api_of"]

_LAYER = "shared_utils"
_ADVICE = "name a module with classes of ClientMessage or ServerMessage, or MODULE:HANDLER"


def api_of(
    *sources: object,
    beside: Iterable[types.ModuleType] = (),
    title: str = "",
    examples: Mapping[str, Mapping[str, Any]] | None = None,
    **more: Any,
) -> ApiDescription:
    """Return what modules of messages and handlers declare; raise SourceError.

    Of a handler these are the messages that it routes, with their roles and, where a function says
    what it returns, their replies; and the server's messages and codes that stand in the modules of
    its functions, of its messages, and `beside`. A module's are its public names. `examples` change
    fields of a message's own example, by the message's name; `more` are fields of `ApiDescription`.
    """
    found = _Found()
    # A handler knows by which member of the body messages are named, a module does not.
    for source in sorted(sources, key=lambda one: not isinstance(one, Routes)):
        if isinstance(source, Routes):
            found.add_routes(source)
        elif isinstance(source, types.ModuleType):
            found.add_module(source)
        else:
            raise SourceError(f"{source!r:.100} is no module and no WebSocketHandler")
    for module in beside:
        found.add_notices(module)
    return found.described(title, examples or {}, more)


class _Found:
    """What was found so far, by its name on the wire."""

    def __init__(self) -> None:
        self._title = ""
        self._is_api = (
            False  # a handler that only connects, and a module of codes, are a part of one
        )
        self._client: dict[str, Message] = {}
        self._server: dict[str, Message] = {}
        self._codes: dict[str, ErrorCodeBase] = {}
        self._selection = ""
        self._subprotocols: dict[str, None] = {}

    # --- handlers

    def add_routes(self, routes: Routes) -> None:
        """Add what a handler routes, and what is declared around it."""
        name = getattr(routes, "name", "a handler")
        selection = getattr(routes, "selection", "action")
        if self._selection not in ("", selection):
            raise SourceError(
                f"{name} selects messages by {selection}, another handler by {self._selection}:"
                " one API has one route selection expression"
            )
        self._title, self._selection = self._title or name, selection
        self._subprotocols |= dict.fromkeys(getattr(routes, "subprotocols", ()))
        modules: dict[str, None] = {}
        for route in routes.routes.values():
            function = inspect.unwrap(route.function)
            modules |= dict.fromkeys(
                [function.__module__, getattr(route.message_class, "__module__", "")]
            )
            if route.key[0] != "$":
                self._add_route(route, function)
        for module in modules:
            if module in sys.modules and module.partition(".")[0] != _LAYER:
                self.add_notices(sys.modules[module])

    def _add_route(self, route: Route, function: Callable[..., Any]) -> None:
        self._is_api = True
        role = None if route.role == "any" else route.role
        replies = _replies_of(function)
        for cls in replies:
            self._add_notice(cls)
        if route.message_class is None:
            summary = " ".join((function.__doc__ or "").split())
            message = keyed_message(route.key, self._selection, role, summary)
            message = message._replace(replies=tuple(one.type for one in replies))
        else:
            names = [one.type for one in replies]
            message = client_message(route.message_class, self._selection, role, names)
        self._add(self._client, message)

    # --- modules

    def add_module(self, module: types.ModuleType) -> None:
        """Add a module's public messages and codes."""
        declared = [*_public_classes(module)]
        messages = [one for one in declared if _is_client_message(one) or _is_notice(one)]
        if not messages and not any(issubclass(one, ErrorCodeBase) and [*one] for one in declared):
            raise SourceError(f"the module {module.__name__} has no messages: {_ADVICE}")
        if messages:
            self._title, self._is_api = self._title or module.__name__, True
        for cls in messages:
            if _is_client_message(cls):
                self._add_client_message(cls)
        self.add_notices(module)

    def add_notices(self, module: types.ModuleType) -> None:
        """Add a module's public server messages and codes."""
        for cls in _public_classes(module):
            if _is_notice(cls):
                self._add_notice(cls)
            elif issubclass(cls, ErrorCodeBase):
                self._codes |= {code.value: code for code in cls}

    def _add_client_message(self, cls: type[ClientMessage]) -> None:
        message = _client_message_of_module(cls, self._selection or "action")
        routed = self._client.get(message.name)
        if routed is not None and routed.cls is cls:  # by a handler, which knows more of it
            message = routed._replace(replies=routed.replies or message.replies)
            self._client[message.name] = message
        self._add(self._client, message)

    def _add_notice(self, cls: type[ServerMessage]) -> None:
        self._add(self._server, server_message(cls))

    def _add(self, side: dict[str, Message], message: Message) -> None:
        other = side.setdefault(message.name, message)
        if other.cls is not message.cls:
            tag = "type" if side is self._server else self._selection or "action"
            both = " and ".join(_place_of(one) for one in (other, message))
            raise SourceError(f"{message.name!r} is the {tag} of {both}: one of them needs another")
        if (other.role, other.replies) != (message.role, message.replies):
            raise SourceError(f"{message.name!r} has two routes: one API has one function for it")

    # --- the whole

    def described(
        self, title: str, examples: Mapping[str, Mapping[str, Any]], more: dict[str, Any]
    ) -> ApiDescription:
        """Return the whole, with the `error` message and the codes that the layer itself sends."""
        if not self._is_api:
            raise SourceError(f"{self._title or 'the whole'} has no messages: {_ADVICE}")
        codes = {**self._codes, **{code.value: code for code in LAYER_CODES}}
        if "error" not in self._server:
            error = server_message(ErrorMessage)
            code = next(iter(codes.values()))
            row = {"code": code.value, "message": code.sentence, "retryable": code.retryable}
            self._server["error"] = error._replace(example={**error.example, **row})
        messages = [
            one._replace(example={**one.example, **examples.get(one.name, {})})
            for one in [*self._client.values(), *self._server.values()]
        ]
        for message in messages:
            for reply in message.replies:
                if reply not in self._server:
                    text = f"{message.type_name} has the reply {reply!r}, and no message that type"
                    raise SourceError(f"{text}: name the module that declares it, too")
        _check_names(messages)
        messages = [*with_ids(messages)]
        given = {"subprotocols": tuple(self._subprotocols), **more}
        return ApiDescription(
            title=title or self._title,
            client=messages[: len(self._client)],
            server=messages[len(self._client) :],
            codes=[*codes.values()],
            selection=self._selection or "action",
            **given,
        )


def _place_of(message: Message) -> str:
    cls = message.cls
    return f"{cls.__module__}.{cls.__qualname__}" if cls else f"the route {message.name!r}"


# --- classes


def _public_classes(module: types.ModuleType) -> Iterator[type]:
    """Yield the classes that a module offers: those in `__all__`, or without `_` before the name."""
    names = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
    for name in names:
        one = getattr(module, name, None)
        if isinstance(one, type):
            yield one


def _is_client_message(cls: object) -> TypeGuard[type[ClientMessage]]:
    """Return whether `cls` has an action; a base does not, whose name begins with `_`."""
    return isinstance(cls, type) and issubclass(cls, ClientMessage) and hasattr(cls, "action")


def _is_notice(cls: object) -> TypeGuard[type[ServerMessage]]:
    """Return whether `cls` is a message of the server, with a type."""
    return isinstance(cls, type) and issubclass(cls, ServerMessage) and hasattr(cls, "type")


def _client_message_of_module(cls: type[ClientMessage], selection: str) -> Message:
    """Return a message with the `sender` and `reply` that its class may name for documents."""
    message = client_message(cls, selection)
    named = {}
    for name in ("sender", "reply"):
        value = getattr(cls, name, None)
        texts = value if type(value) is tuple else (value,)
        # A field may have the name, and a default in its place.
        if all(type(text) is str for text in texts) and name not in message.schema["properties"]:
            named[name] = texts
    role = " or ".join(named.get("sender", ())) or None
    return message._replace(role=None if role == "any" else role, replies=named.get("reply", ()))


def _replies_of(function: Callable[..., Any]) -> list[type[ServerMessage]]:
    """Return the messages that a function says it returns; none where the annotation is not found."""

    def holder() -> None: ...

    try:
        holder.__annotations__ = {"return": function.__annotations__["return"]}
        names = getattr(function, "__globals__", {})
        hint: Any = typing.get_type_hints(holder, globalns=names)["return"]
    except Exception:  # no annotation, or one of names that only type checkers see
        return []
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return [one for one in (typing.get_args(hint) if is_union else [hint]) if _is_notice(one)]


# --- names

# What TypeScript, or the types that are written beside the messages, have under these names.
_TAKEN_NAMES = {
    *("ErrorCode", "ClientMessage", "ServerMessage", "ReceivedMessage", "ClientMessages"),
    *("ServerMessages", "Record", "Readonly", "ReadonlyArray", "any", "unknown", "never", "object"),
    *("string", "number", "boolean", "symbol", "bigint", "void", "undefined", "null"),
}


def _check_names(messages: list[Message]) -> None:
    """Raise SourceError if two types of the documents would have one name."""
    types_: dict[str, dict[str, Any]] = {GATEWAY.type_name: GATEWAY.schema}
    named = [(one.type_name, one.schema, one.name) for one in messages]
    shapes = [(name, schema, name) for name, schema in shapes_of(messages).items()]
    for type_name, schema, name in named + shapes:
        if type_name in _TAKEN_NAMES:
            raise SourceError(f"{type_name} cannot be the name of {name!r}: the documents use it")
        if not is_same_shape(types_.setdefault(type_name, schema), schema):
            raise SourceError(f"two declarations are called {type_name}: give one another name")
