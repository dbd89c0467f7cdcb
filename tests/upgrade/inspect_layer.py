"""Prints what users of a layer may rely on, as JSON: run with any release's `python/` on the path.

Names with how they are called, error codes, metrics, and messages: what clients of this release send, and
what they take. Standard library and the public names of the layer only, so that it works with each release.
"""

import enum
import inspect
import json
import pkgutil
import sys
from importlib import import_module

import shared_utils
from shared_utils import CLIENT_MESSAGES, METRICS, SERVER_MESSAGES, ErrorCode, example, json_schema

ROOT = shared_utils.__name__


def call_of(value):
    """Return how something is called, as `self, text, *, size=0`; None for what is not, or nobody knows."""
    value = getattr(value, "__func__", value)
    if not callable(value) or (isinstance(value, type) and issubclass(value, enum.Enum)):
        return None
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    plain = [
        one.replace(annotation=one.empty, default=one.empty if one.default is one.empty else 0)
        for one in found
    ]
    return str(inspect.Signature(plain))[1:-1]


def is_ours(cls):
    return cls.__module__.partition(".")[0] == ROOT


def members_of(cls):
    """Return the public members of a class, without those of another public class."""
    own = [one for one in cls.__mro__ if is_ours(one)]
    own = [one for one in own if one is cls or one.__name__ not in shared_utils.__all__]
    names = sorted({name for one in own for name in vars(one) if name[0] != "_"})
    return {name: inspect.getattr_static(cls, name) for name in names}


def modules():
    """Return the public modules, by name."""
    names = sorted(one.name for one in pkgutil.iter_modules(shared_utils.__path__))
    return {name: import_module(f"{ROOT}.{name}") for name in names if name[0] != "_"}


def calls():
    """Return how each public name is called, by module; a class's members have a dot."""
    found = {}
    for module, content in modules().items():
        for name in content.__all__:
            value = getattr(content, name)
            found[f"{module}:{name}"] = call_of(value)
            if isinstance(value, type):
                for member, inner in members_of(value).items():
                    found[f"{module}:{name}.{member}"] = call_of(inner)
    return found


def bases():
    """Return what each public class is, by its name: public classes, and exceptions of Python."""
    public = {name: getattr(shared_utils, name) for name in shared_utils.__all__}
    return {
        name: [
            one.__name__ for one in cls.__mro__[1:] if not is_ours(one) or one.__name__ in public
        ]
        for name, cls in public.items()
        if isinstance(cls, type)
    }


def sent(cls):
    """Return a client's message with every field, and with no more than it needs."""
    full = example(cls).to_dict()
    required = json_schema(cls).get("required", [])
    return [full, {name: value for name, value in full.items() if name in required}]


def bare(schema):
    """Return a schema without what is for people only."""
    if isinstance(schema, list):
        return [bare(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: bare(inner)
        for name, inner in schema.items()
        if name not in ("$schema", "examples")
        and not (name == "description" and type(inner) is str)
    }


if __name__ == "__main__":
    json.dump(
        {
            "version": shared_utils.__version__,
            "names": [*shared_utils.__all__],
            "calls": calls(),
            "bases": bases(),
            "codes": {code.value: [code.status, code.retryable] for code in ErrorCode},
            "metrics": {name: row[0] for name, row in METRICS.items()},
            "sent": {name: sent(cls) for name, cls in CLIENT_MESSAGES.items()},
            "taken": {name: bare(json_schema(cls)) for name, cls in SERVER_MESSAGES.items()},
        },
        sys.stdout,
    )
