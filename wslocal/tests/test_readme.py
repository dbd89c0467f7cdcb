"""The README's examples of the parts that can be used without a project, with an API that is deployed before."""

import asyncio
import re
import textwrap

import pytest

import wslocal
from wslocal import Emulator

from .gateway_system import create_api, create_function, create_role
from .wrong_inputs import README


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module")
def api_id(emulator):
    role = create_role(emulator, "example", verbs=["POST"])
    function = create_function(emulator, "my-function", "app.plain", role)
    return create_api(emulator, {"$default": {"function": function}})


def test_examples_of_parts_and_of_faults_run(emulator, api_id, monkeypatch, capsys):
    """One within the other: faults are those of the API that runs."""

    class Deployed:
        def __enter__(self):
            return emulator

        def __exit__(self, *_):
            """The module's fixture ends it."""

    monkeypatch.setattr(wslocal, "Emulator", Deployed)
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.M | re.S)
    parts = next(block for block in blocks if "LocalApi" in block)
    faults = next(block for block in blocks if "api.faults" in block)
    program = f"{parts}{textwrap.indent(faults, ' ' * 8)}"
    space = {"api_id": api_id}

    exec(f"async def example():\n{textwrap.indent(program, '    ')}", space)  # noqa: S102
    asyncio.run(space["example"]())

    printed = capsys.readouterr().out
    assert re.search(r"^ws://127\.0\.0\.1:\d+/dev$", printed, re.M)
    assert re.search(r"^http://127\.0\.0\.1:\d+/dev$", printed, re.M)
    assert printed.splitlines()[-1] == "0"  # posts that the fault was about
