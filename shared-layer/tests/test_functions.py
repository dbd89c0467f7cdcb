"""What kind of function something is, for all that may be called."""

import asyncio
import contextlib
import functools
import inspect

import pytest

from shared_utils import _functions


def plain():
    """Say hello."""
    return "hello"


async def coroutine():
    return "hello"


def generator():
    yield


async def async_generator():
    yield


class Plain:
    def __call__(self):
        return plain()

    async def method(self):
        return "hello"


class Coroutine:
    async def __call__(self):
        return "hello"


class Meta(type):
    """Its classes have a name that is no text."""

    __name__ = 7


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (plain, "def"),
        (coroutine, "async def"),
        (generator, "generator"),
        (async_generator, "async generator"),
        (Plain(), "def"),
        (Plain, "def"),
        (len, "def"),
        (Plain().method, "async def"),
        (Coroutine(), "async def"),
        (functools.partial(coroutine), "async def"),
        (functools.partial(functools.partial(generator)), "generator"),
        (lambda: 1, "def"),
        (7, ""),
        (None, ""),
    ],
)
def test_kind(function, kind):
    assert _functions.kind_of(function) == kind


@pytest.mark.parametrize(
    ("function", "name"), [(plain, "plain"), (Plain(), "Plain"), (Meta("M", (), {}), "Meta")]
)
def test_name(function, name):
    assert _functions.name_of(function) == name


@pytest.fixture
def calls():
    return []


@pytest.fixture
def block(calls):
    @contextlib.contextmanager
    def noted(*args, **kwargs):
        calls.append((args, kwargs))
        yield
        calls.append("end")

    return noted


def test_each_call_is_inside_of_the_block(calls, block):
    wrapped = _functions.wrap(lambda a, b: calls.append((a, b)), block, "@noted")

    wrapped(1, b=2)

    assert calls == [((1,), {"b": 2}), (1, 2), "end"]


def test_coroutine_is_inside_of_the_block_until_its_end(calls, block):
    async def slow():
        await asyncio.sleep(0)
        calls.append("slow")
        return 7

    wrapped = _functions.wrap(slow, block, "@noted")

    assert inspect.iscoroutinefunction(wrapped)
    assert asyncio.run(wrapped()) == 7
    assert calls == [((), {}), "slow", "end"]


@pytest.mark.parametrize("function", [plain, coroutine])
def test_wrapped_function_keeps_name_and_docstring(block, function):
    wrapped = _functions.wrap(function, block, "@noted")

    assert (wrapped.__name__, wrapped.__doc__) == (function.__name__, function.__doc__)
    assert wrapped.__wrapped__ is function


@pytest.mark.parametrize("function", [generator, async_generator])
def test_generator_is_refused(block, function):
    with pytest.raises(TypeError) as caught:
        _functions.wrap(function, block, "@noted")

    assert str(caught.value) == f"@noted cannot wrap {function.__name__}, which is a generator"
