"""What `help`, an editor or a report of an error prints of a signature."""

import inspect
import pkgutil
import pydoc
from importlib import import_module

import pytest

import shared_utils

MODULES = sorted(module.name for module in pkgutil.iter_modules(shared_utils.__path__))
PLANTED = "planted-secret-of-the-environment"


@pytest.mark.parametrize("name", MODULES)
def test_no_signature_holds_a_value_of_the_environment(name, monkeypatch):
    """`os.environ` as a default value would be printed with all that is in it."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", PLANTED)
    module = import_module(f"shared_utils.{name}")
    classes = [found for found in vars(module).values() if inspect.isclass(found)]
    callables = [
        *vars(module).values(),
        *(each for found in classes for each in vars(found).values()),
    ]

    found = [each for each in map(function_in, callables) if inspect.isfunction(each)]

    assert [each.__qualname__ for each in found if PLANTED in repr(defaults_of(each))] == []
    assert PLANTED not in pydoc.render_doc(module)


def function_in(found):
    """Return what a static method, a class method or a cache is around."""
    found = getattr(found, "__func__", found)
    return inspect.unwrap(found) if callable(found) else found


def defaults_of(function):
    return function.__defaults__, function.__kwdefaults__


def test_no_help_of_the_layers_classes_holds_a_value_of_the_environment(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", PLANTED)

    public = {name: getattr(shared_utils, name) for name in shared_utils.__all__}
    helps = {name: pydoc.render_doc(each) for name, each in public.items() if callable(each)}

    assert {"Connections", "Table", "endpoint_of"} <= helps.keys()
    assert [name for name, text in helps.items() if PLANTED in text] == []
