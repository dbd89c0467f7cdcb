"""What the READMEs of the ways to adopt the layer have in common."""

import json
import re
import subprocess

import botocore.session
import pytest
from botocore import xform_name

from tests.adopt.project import ADOPT, VERSION, blocks

WAYS = ["cdk", "cli", "image", "sam", "serverless", "terraform"]
# Which blocks there are, and what happens to them: `sh` and `sh ...` are run by the tests of the way, all but
# those that need an account.
FENCES = {
    *("", "sh", "sh account", "sh install", "sh package", "sh wslocal"),
    *("sh zip", "sh logs", "sh change", "sh clean"),
    *("hcl", "python app.py", "yaml"),  # lines of the project's own files
}
MAX_LINES = 115
# Lambda's runtimes for which a zip of the release may have bytecode.
RUNTIMES = ["python3.11", "python3.12", "python3.13", "python3.14"]
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


def files(way):
    """Return what is written in a way's own files, its README among them, and not in the function."""
    paths = [path for path in (ADOPT / way).iterdir() if path.is_file()]
    return "\n".join(path.read_text() for path in paths if path.name != "package-lock.json")


@pytest.mark.parametrize("way", sorted({*WAYS} - {"cdk", "image"}))
def test_layer_is_for_the_same_runtimes_everywhere(way):
    """The CDK's construct has a list of its own; an image and a zip have no layer."""
    [listed] = re.findall(r"compatible.?runtimes\W+((?:python3\.\d+\W+)+)", files(way), re.I)

    assert re.findall(r"python3\.\d+", listed) == RUNTIMES


@pytest.mark.parametrize("way", WAYS)
def test_metrics_have_a_namespace_everywhere(way):
    """Without it all functions of an account share the layer's default."""
    assert re.search(r"METRICS_NAMESPACE\W+Notes\b", files(way).replace("`", ""))


@pytest.mark.parametrize("way", WAYS)
def test_what_a_client_gets_is_shown_as_it_comes(way):
    """As compact JSON, which is what the function posts."""
    [block] = [text for text in blocks(way, "") if text.startswith("> ")]
    got = re.findall(r"^< (.+)$", block, re.M)

    assert [json.dumps(json.loads(line), separators=(",", ":")) for line in got] == got


@pytest.mark.parametrize("way", sorted({*WAYS} - {"image"}))
def test_readme_says_how_layerctl_is_used_and_how_to_delete_what_was_made(way):
    """Its options are checked with those of all documents."""
    text = readme(way)

    assert re.search(r"`layerctl [a-z]+ [^`]*--layer ", text)
    assert re.search(r"^## Clean up$.*^aws lambda delete-layer-version ", text, re.M | re.S) or (
        "    aws lambda delete-layer-version" in text
    )


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
