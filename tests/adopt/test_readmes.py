"""What the READMEs of the ways to adopt the layer have in common."""

import re
import subprocess

import botocore.session
import pytest
from botocore import xform_name

from tests.adopt.project import ADOPT, VERSION, blocks

WAYS = ["cli", "image", "sam", "serverless", "terraform"]
# Which blocks there are, and what happens to them: `sh` and `sh ...` are run by the tests of the way, all but
# those that need an account.
FENCES = {"", "sh", "sh account", "sh install", "sh wslocal", "sh zip", "sh logs", "sh change"}
MAX_LINES = 75
# The CLI's own options.
COMMON = {"query", "output"}


def readme(way):
    return (ADOPT / way / "README.md").read_text()


def test_every_way_is_in_the_table():
    listed = re.findall(r"^\| \[(\w+)/\]\(\1/\) \|", (ADOPT / "README.md").read_text(), re.M)

    assert set(WAYS) <= set(listed)
    assert {path.name for path in ADOPT.iterdir() if path.is_dir()} <= set(listed)


def test_function_is_the_same_everywhere():
    texts = {(path.read_text()) for path in ADOPT.glob("*/function/app.py")}

    assert len(texts) == 1


@pytest.mark.parametrize("way", WAYS)
def test_readme_is_short_and_says_what_was_not_run(way):
    text = readme(way)

    assert len(text.splitlines()) <= MAX_LINES
    assert re.search(r"^## Not run here\n\n\S", text, re.M)


@pytest.mark.parametrize("way", WAYS)
def test_blocks_are_of_kinds_that_a_test_looks_at(way):
    assert set(re.findall(r"^```(.*)\n[^`]", readme(way), re.M)) <= FENCES


@pytest.mark.parametrize("way", WAYS)
def test_commands_that_need_an_account_are_well_formed(way):
    for block in blocks(way, "sh account"):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)


def release_files():
    """Return the version of each file of a release that is named, and where."""
    paths = [path for path in ADOPT.rglob("*") if path.is_file()]
    texts = [path.read_text() for path in paths if path.suffix in {".md", ".yaml", ".yml", ".tf"}]
    texts.append((ADOPT / "image" / "Dockerfile").read_text())
    named = r"\b(shared-layer|wslocal|shared_utils_layer)-([0-9]+\.[0-9]+\.[0-9]+)"
    return [found for text in texts for found in re.findall(named, text)]


def test_files_of_the_release_have_its_version():
    assert {name for name, _ in release_files()} == {
        "shared-layer",
        "wslocal",
        "shared_utils_layer",
    }
    assert {version for _, version in release_files()} == {VERSION}
    assert blocks("cli", "sh")[0].startswith(f"version={VERSION}\n")


# --- commands of AWS ------------------------------------------------------------------------------


def calls():
    """Return service, operation and options of each `aws` command of the READMEs."""
    text = "\n".join(map(readme, WAYS)).replace("\\\n", " ").replace("$(", "\n")
    lines = [line.split() for line in text.splitlines()]
    found = [line for line in lines if line[:1] == ["aws"]]
    return sorted({(one[1], one[2], options_of(one)) for one in found})


def options_of(words):
    return tuple(word[2:] for word in words if word.startswith("--") and word[2:] not in COMMON)


@pytest.mark.parametrize(("service", "command", "options"), calls())
def test_command_and_its_options_are_those_of_the_service(service, command, options):
    model = botocore.session.Session().get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}

    members = model.operation_model(operations[command]).input_shape.members

    # Of the zip the CLI makes a member of its own.
    assert set(options) <= {xform_name(name, "-") for name in members} | {"zip-file"}
