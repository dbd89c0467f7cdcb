"""The fixture `wslocal_api`: a project that runs for a whole session of tests.

`wslocal = template.yaml` in pytest's ini file, or `--wslocal template.yaml`, names the project. What runs it
is imported by the fixture only, so that tests without it do not pay for it.
"""

from __future__ import annotations

import contextlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wslocal.testing import LocalProject


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the setting that name the project."""
    help_text = (
        "the project that the fixture wslocal_api runs: a template, a cdk.out, a .serverless"
    )
    parser.getgroup("wslocal").addoption("--wslocal", metavar="PATH", help=help_text)
    parser.addini("wslocal", help_text)


@pytest.fixture(scope="session")
def wslocal_options() -> dict[str, Any]:
    """Options of `wslocal.run`, such as `parameters`; a project's conftest.py may have its own."""
    return {}


@pytest.fixture(scope="session")
def wslocal_api(
    pytestconfig: pytest.Config, wslocal_options: dict[str, Any]
) -> Iterator[LocalProject]:
    """The running project; it is started once for all tests."""
    path = pytestconfig.getoption("wslocal")
    if path is None and (named := pytestconfig.getini("wslocal")):
        path = pytestconfig.rootpath / named
    if path is None:
        _fail("name the project: `wslocal = template.yaml` in pytest's ini, or --wslocal PATH")
    from wslocal.options import PLAIN_ERRORS
    from wslocal.testing import run
    from wslocal.words import sentence_of

    known = [name for name in inspect.signature(run).parameters if name != "path"]
    if unknown := sorted(set(wslocal_options) - set(known)):
        _fail(f"wslocal_options: no option is {unknown[0]}: there are {', '.join(known)}")
    with contextlib.ExitStack() as stack:
        sentence, api = "", None
        try:
            api = stack.enter_context(run(Path(path), **wslocal_options))
        except PLAIN_ERRORS as error:
            sentence = f"wslocal: {sentence_of(error)}"
        if api is None:  # not within `except`: pytest would show the error, too
            _fail(sentence)
        yield api


def _fail(sentence: str) -> NoReturn:
    """Fail each test that uses the fixture, in a sentence and without our own lines of code."""
    pytest.fail(sentence, pytrace=False)
