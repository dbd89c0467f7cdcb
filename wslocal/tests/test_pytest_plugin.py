"""The fixture `wslocal_api` in a team's own tests: the first example of the README, and what can be chosen."""

from __future__ import annotations

import re
import shutil

import pytest

from .up_process import PROJECTS, ROOT, environment
from .wrong_inputs import README

pytest_plugins = ["pytester"]

TEST = """
def test_connects(wslocal_api):
    with wslocal_api.connect() as ann:
        ann.send({"action": "who"})
        assert ann.receive() == {"connected": 1}
"""


@pytest.fixture
def team(pytester, monkeypatch):
    """Return pytest in the folder of a project."""
    shutil.copytree(PROJECTS / "sam_websocket_api", pytester.path, dirs_exist_ok=True)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return pytester


def run(team, *arguments):
    # As the entry point of an installed package has it loaded; other plugins are not asked.
    return team.runpytest_subprocess("-p", "wslocal.pytest_plugin", "-p", "no:xdist", *arguments)


def test_first_example_of_the_readme_runs(team):
    example = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[1]
    assert len([line for line in example.splitlines() if line]) <= 5
    team.makepyfile(example)
    team.makeini("[pytest]\nwslocal = template.yaml")

    run(team).assert_outcomes(passed=1)


def test_option_wins_over_the_setting(team):
    team.makepyfile(TEST)
    team.makeini("[pytest]\nwslocal = none.yaml")

    run(team, "--wslocal", "template.yaml").assert_outcomes(passed=1)


def test_project_that_cannot_run_is_said_in_its_sentence(team):
    team.makepyfile(TEST)

    done = run(team, "--wslocal", "none.yaml")

    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*none.yaml is not there*"])


def test_no_project_is_said(team):
    team.makepyfile(TEST)

    done = run(team)

    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*name the project: `wslocal = template.yaml`*"])


def test_plugin_alone_imports_nothing_of_what_runs_a_project(team):
    team.makepyfile(
        """
        import sys

        def test_nothing():
            assert not {"boto3", "websockets", "yaml", "wslocal.running"} & set(sys.modules)
        """
    )

    run(team).assert_outcomes(passed=1)


def test_package_declares_the_plugin():
    text = (ROOT / "wslocal" / "pyproject.toml").read_text()

    assert '[project.entry-points.pytest11]\nwslocal = "wslocal.pytest_plugin"' in text
