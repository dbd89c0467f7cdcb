"""What kind of function something is, for all that may be called."""

import asyncio
import contextlib
import functools
import inspect
import types

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


class Methods:
    def method(self, request):
        return request

    def none(self):
        return "hello"

    @classmethod
    def of_class(cls, request):
        return request

    @staticmethod
    def static(request):
        return request


class Proxy:
    """As a decorator of wrapt's makes it: it shows the code of what it gives more arguments to."""

    __code__ = (lambda request, room: (request, room)).__code__
    __defaults__ = None

    def __call__(self, request):
        return request


def needs_more(request, *, room, floor=1):
    return request, room, floor


@functools.wraps(plain)
def wrapped(*args, **kwargs):
    return plain(*args, **kwargs)


@pytest.mark.parametrize(
    ("function", "takes"),
    [
        pytest.param(lambda a: a, "", id="one"),
        pytest.param(lambda a, b=1: (a, b), "", id="default"),
        pytest.param(lambda a=1, b=2: (a, b), "", id="defaults-only"),
        pytest.param(lambda *a: a, "", id="any"),
        pytest.param(lambda a, *b: (a, b), "", id="one-or-more"),
        pytest.param(lambda a, *, b=1: (a, b), "", id="keyword-with-a-default"),
        pytest.param(lambda a, **b: (a, b), "", id="keywords"),
        pytest.param(Methods().method, "", id="method"),
        pytest.param(Methods().of_class, "", id="class-method"),
        pytest.param(Methods().static, "", id="static-method"),
        pytest.param(wrapped, "", id="wrapped"),
        pytest.param(functools.partial(plain), "", id="partial"),
        pytest.param(Plain(), "", id="object"),
        pytest.param(Proxy(), "", id="proxy"),
        pytest.param(types.MethodType(functools.partial(plain), 1), "", id="method-of-a-partial"),
        pytest.param(types.MethodType(lambda *a: a, 1), "", id="method-of-any"),
        pytest.param(Plain, "", id="class"),
        pytest.param(len, "", id="built-in"),
        pytest.param(plain, "0", id="none"),
        pytest.param(coroutine, "0", id="async-none"),
        pytest.param(lambda a, b: (a, b), "2", id="two"),
        pytest.param(lambda a, b, c=1: (a, b, c), "2 to 3", id="two-to-three"),
        pytest.param(lambda a, b, *c: (a, b, c), "2 or more", id="two-or-more"),
        pytest.param(Methods().none, "0", id="method-of-none"),
        pytest.param(Methods.method, "2", id="method-of-no-object"),
        pytest.param(needs_more, "room= besides", id="keyword"),
    ],
)
def test_function_that_cannot_be_called_with_one_argument(function, takes):
    assert _functions.misfit(function, 1) == takes


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
