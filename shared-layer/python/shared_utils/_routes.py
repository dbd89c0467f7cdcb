"""Which function takes which key: the routes of a handler, and those that it includes.

What a declaration cannot do is refused when it is made, as INTERNAL_CONFIGURATION_ERROR.
"""

from __future__ import annotations

from . import _cleaning, _functions
from .error_codes import ApplicationError, ErrorCode
from .metrics_emitter import MetricsEmitter
from .records import ClientMessage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[[Any], object])

CONNECT, DISCONNECT, DEFAULT = OWN_KEYS = ("$connect", "$disconnect", "$default")


def misused(message: str) -> ApplicationError:
    """Return the error for what only a programmer can mend."""
    return ApplicationError(ErrorCode.INTERNAL_CONFIGURATION_ERROR, message)


def kind_of(function: object, what: str, *called_with: str) -> str:
    """Return "def" or "async def"; refuse what is neither, or cannot be called with these."""
    kind = _functions.kind_of(function)
    if kind in ("def", "async def"):
        if takes := _functions.misfit(function, len(called_with)):
            name = _functions.name_of(function)
            call = f"is called with ({', '.join(called_with)})"
            raise misused(f"{what} {call}, and {name} takes {takes}")
        return kind
    got = (
        f"the {kind} {_functions.name_of(function)}" if kind else _cleaning.name_of(type(function))
    )
    raise misused(f"{what} must be a function, got {got}")


def must_be_plain(function: object, what: str, *called_with: str) -> None:
    """Refuse what is not `def`, or cannot be called with these."""
    if kind_of(function, what, *called_with) != "def":
        raise misused(f"{what} must be def, not async def: {_functions.name_of(function)}")


def subprotocols_of(subprotocols: Any) -> tuple[str, ...]:
    """Return the sub-protocols, in their order."""
    refused = isinstance(subprotocols, str) or not hasattr(subprotocols, "__iter__")
    names = () if refused else tuple(subprotocols)
    if refused or not all(isinstance(name, str) and name for name in names):
        raise misused(f"subprotocols must be a list of texts, got {subprotocols!r}")
    return names


def rates_of(sampled: Any) -> dict[str, int]:
    """Return a copy of how many messages one line stands for, by key."""
    if sampled is None:
        return {}
    if not hasattr(sampled, "items"):
        raise misused(f"sampled must hold whole numbers by key, got {sampled!r}")
    for key, rate in sampled.items():
        if not isinstance(key, str):
            raise misused(f"sampled must hold whole numbers by the key of a route, got {key!r}")
        if type(rate) is not int or rate < 1:
            raise misused(f"sampled[{key!r}] must be a whole number from 1, got {rate!r}")
    return dict(sampled)


_FOREVER = float("inf")


def metrics_of(metrics: Any, window_seconds: Any) -> tuple[MetricsEmitter, MetricsEmitter]:
    """Return the emitter, a usual one for None, and the one that goes with it for a window."""
    # Neither a bool nor NaN; a window without an end would never be written.
    if type(window_seconds) not in (int, float) or not 0 < window_seconds < _FOREVER:
        raise misused(f"window_seconds must be a number above 0, got {window_seconds!r}")
    if metrics is None:
        metrics = MetricsEmitter()
    elif not isinstance(metrics, MetricsEmitter) or metrics.window_seconds:
        seconds = getattr(metrics, "window_seconds", None)
        got = f"one with {seconds}" if seconds else _cleaning.name_of(type(metrics))
        raise misused(f"metrics must be a MetricsEmitter without window_seconds, got {got}")
    return metrics, metrics.windowed(window_seconds)


_from_json: Any = ClientMessage.from_json


class Route:
    """One function for one key; `message_class` is what it parses, None for a bare key.

    `reads_text` is whether that class has a `from_json` of its own, which knows a faster way.
    """

    __slots__ = ("function", "is_async", "key", "message_class", "reads_text", "role")

    def __init__(
        self,
        key: str,
        function: Callable[[Any], Any],
        role: str | None = None,
        message_class: type[ClientMessage] | None = None,
    ) -> None:
        self.key = key
        self.function = function
        self.role = role
        self.message_class = message_class
        from_json = getattr(message_class, "from_json", _from_json)
        self.reads_text = getattr(from_json, "__func__", None) is not _from_json.__func__
        self.is_async = kind_of(function, f"the route {key!r}", "request") == "async def"


class Routes:
    """Functions by key, for a handler to include."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}

    @property
    def routes(self) -> dict[str, Route]:
        """What has been declared so far, by key."""
        return dict(self._routes)

    def route(self, key: type[ClientMessage] | str, *, role: str | None = None) -> Callable[[F], F]:
        """Send messages of this class, or with this key, to the function.

        A class is parsed to `request.message`; a key's function reads `request.body`, the JSON
        object. `$connect` is refused by what its function raises; `$default` takes what has no
        route, and text that is no JSON; then there is `$disconnect`. `role` is who may send it,
        any text that `role_of` returns; everybody may if there is none, or if it is "any". What
        the function returns is the reply.
        """
        name, message_class = _key_of(key)
        if role is not None and (type(role) is not str or not role):
            raise misused(f"the role of {name!r} must be a text, got {role!r}")
        if role is not None and name in (CONNECT, DISCONNECT):
            raise misused(f"{name!r} takes no role: raise to refuse")

        def register(function: F) -> F:
            self._add(Route(name, function, role, message_class))
            return function

        return register

    def include(self, routes: Routes) -> None:
        """Take over the routes that another module has declared."""
        for route in routes._routes.values():
            self._add(route)

    def _add(self, route: Route) -> None:
        taken = self._routes.get(route.key)
        if taken is not None:
            text = f"{route.key!r} has a route already"
            classes = {
                r.message_class: r.message_class.__qualname__
                for r in (taken, route)
                if r.message_class
            }
            if len(classes) == 2:
                text += f": {' and '.join(classes.values())} have the same action"
            raise misused(text)
        self._routes[route.key] = route


def _key_of(key: Any) -> tuple[str, type[ClientMessage] | None]:
    """Return the key that a route is registered under, and the class of its messages, if any."""
    if type(key) is str:
        name, message_class = key, None
    elif isinstance(key, type) and issubclass(key, ClientMessage) and hasattr(key, "action"):
        name, message_class = key.action, key
    else:
        got = key.__name__ if isinstance(key, type) else repr(key)
        raise misused(f"route() takes a class of ClientMessage with an action, or a key; got {got}")
    if name[:1] == "$" and (name not in OWN_KEYS or message_class is not None):
        raise misused(f"{name!r} is not one of {', '.join(OWN_KEYS)}")
    if not name:
        raise misused("route() takes a key that is not empty")
    return name, message_class
