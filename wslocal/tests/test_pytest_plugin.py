"""The fixture `wslocal_api` in a team's own tests: the first example of the README, and what can be chosen."""

from __future__ import annotations

import ast
import inspect
import re
import shutil

import pytest

import wslocal
from wslocal import cli

from .up_process import PROJECTS, ROOT, environment
from .wrong_inputs import README

pytest_plugins = ["pytester"]

TEST = """
def test_connects(wslocal_api):
    with wslocal_api.connect() as ann:
        ann.send({"action": "who"})
        assert ann.receive() == {"connected": 1}
"""
OPTIONS = """
import pytest

@pytest.fixture(scope="session")
def wslocal_options():
    return {!r}
"""


@pytest.fixture
def team(pytester, monkeypatch):
    """Return pytest in the folder of a project."""
    shutil.copytree(PROJECTS / "sam_websocket_api", pytester.path, dirs_exist_ok=True)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    for name in ("PYTEST_ADDOPTS", "CI"):  # with CI pytest says more
        monkeypatch.delenv(name, raising=False)
    return pytester


def run(team, *arguments):
    # As the entry point of an installed package has it loaded; other plugins are not asked.
    return team.runpytest_subprocess("-p", "wslocal.pytest_plugin", "-p", "no:xdist", *arguments)


def test_first_example_of_the_readme_runs_with_each_option_of_up(team):
    """An option that is new to the command has to be one here, too."""
    options = {
        "parameters": {},
        "variables": {"MOOD": "glad", "ChatFunction:OTHER": "1"},
        "env_file": "variables.json",
        "apis": ["all"],
        "stage": None,
        "cdk_stage": None,
        "port": 0,
        "tls_port": 0,
        "leave_out": [],
        "install": False,
        "any_python": True,
        "any_node": True,
        "retry_scale": 0,
    }
    [up] = [command for name, command in cli.main.commands.items() if name == "up"]
    assert {one.name for one in up.params} - {"path", "no_reload"} == set(options)
    example = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[1]
    assert len([line for line in example.splitlines() if line]) <= 5
    (team.path / "variables.json").write_text('{"Parameters": {"MOOD": "sad"}}')
    team.makeconftest(OPTIONS.format(options))
    team.makepyfile(example)
    team.makeini("[pytest]\nwslocal = template.yaml")

    run(team).assert_outcomes(passed=1)


def test_options_of_the_readme_are_options():
    text = README.read_text().partition("## In tests")[2]
    found = re.search(r"return (\{.*?\n    \})\n```", text, re.DOTALL)[1]

    assert set(ast.literal_eval(found)) <= set(inspect.signature(wslocal.run).parameters)


def test_project_that_cannot_run_is_one_sentence_for_each_test(team):
    """No line of the tool's own code is shown. The option wins over the setting."""
    team.makeini("[pytest]\nwslocal = template.yaml")
    team.makepyfile(TEST + TEST.replace("test_connects", "test_connects_again"))

    done = run(team, "--wslocal", "none.yaml")

    done.assert_outcomes(errors=2)
    said = f"wslocal: {team.path}/none.yaml is not there"
    assert [line for line in done.outlines if line.endswith("is not there")] == [said, said]
    assert "Traceback" not in done.stdout.str()
    assert len(done.outlines) < 25


def test_option_that_is_none_is_said_with_those_that_are(team):
    team.makeini("[pytest]\nwslocal = template.yaml")
    team.makeconftest(OPTIONS.format({"retry": 0}))
    team.makepyfile(TEST)

    done = run(team)

    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["wslocal_options: no option is retry: there are parameters, *"])
    assert "Traceback" not in done.stdout.str()


def test_no_project_is_said(team):
    team.makepyfile(TEST)

    done = run(team)

    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["name the project: `wslocal = template.yaml`*"])


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
