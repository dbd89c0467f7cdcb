"""The package's names are there, each from its module, and cost nothing until they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import wslocal

from .up_process import environment


def test_every_name_is_there():
    assert sorted(wslocal.__all__) == sorted(wslocal._MODULES)
    assert all(getattr(wslocal, name) is not None for name in wslocal.__all__)


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="module 'wslocal' has no attribute 'nothing'"):
        wslocal.nothing  # noqa: B018


def test_import_alone_imports_no_library():
    code = "import sys, wslocal; print(sorted({'boto3', 'click', 'websockets'} & set(sys.modules)))"

    run = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )

    assert run.stdout == "[]\n"
