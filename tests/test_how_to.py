"""What the how-tos and migrations say beside their examples: tables, numbers, and the lists of pages."""

import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from shared_utils import (
    METRICS,
    Limits,
    WebSocketHandler,
    _annotations,
    _emf,
    dynamodb,
    metrics_emitter,
    records,
)
from shared_utils.testing import FakeConnections, FakeContext, capture_lines, message_event
from tests.document_blocks import ROOT, blocks_of

MESSAGES = (ROOT / "docs/how-to/messages.md").read_text()


@pytest.mark.parametrize("option", Limits.__init__.__kwdefaults__)
def test_option_of_limits_is_listed(option):
    rows = [row for row in MESSAGES.splitlines() if row.startswith("| `Limits`: ")]

    assert [row for row in rows if f"`{option}`" in row.split("|")[1]] != []


def test_kinds_of_fields_are_listed():
    [row] = [row for row in MESSAGES.splitlines() if row.startswith("| a field's annotation ")]

    kinds = set(re.findall(r"\w+", _annotations._KINDS_OF_FIELDS))
    assert kinds - set(re.findall(r"\w+", row)) == set()


@pytest.mark.parametrize(
    ("document", "fact"),
    [
        ("how-to/messages.md", f"than {records.MIN_MAGNITUDE:.0E} is 0"),
        ("how-to/metrics.md", f"From the {metrics_emitter._MAX_DIMENSION_VALUES + 1}st value on"),
        ("migrating/boto3-table.md", f"after {dynamodb._USUAL_NUMBERS['timeout_seconds']:g} s"),
        ("migrating/by-hand.md", f"a document holds up to {_emf.MAX_VALUES}"),
    ],
)
def test_number_of_a_page_is_the_real_one(document, fact):
    assert fact in (ROOT / "docs" / document).read_text()


METRICS_PAGE = (ROOT / "docs/how-to/metrics.md").read_text()


def test_metrics_that_a_handler_emits_by_itself_are_listed():
    handler = WebSocketHandler("Chat", connections=FakeConnections())
    handler.metrics.emit_cold_start("Chat")  # another test's may have been the first
    handler.route("say")(lambda request: {"type": request.body["text"]})

    with capture_lines() as lines:
        for body in ({"action": "say", "text": "said"}, {"action": "say"}):
            handler(message_event(body), FakeContext())

    rows = re.findall(r"^\| `(\w+)`, (\w+) \| ([^|]*) \|", METRICS_PAGE, re.M)
    listed = {name: (unit, *re.findall(r"`(\w+)`", dimensions)) for name, unit, dimensions in rows}
    assert listed.keys() - {"ColdStarts"} == set(lines.metrics()) - {"ColdStarts"}
    assert listed == {
        name: (unit, *(one for group in sets for one in group))
        for name, (unit, *sets) in METRICS.items()
        if name in listed
    }


def test_namespace_that_is_the_default_is_named():
    assert f"`{metrics_emitter._NAMESPACE}` without that" in METRICS_PAGE


@pytest.mark.parametrize("folder", ["docs/how-to", "docs/migrating"])
def test_index_lists_the_pages(folder):
    text = (ROOT / folder / "README.md").read_text()
    listed = re.findall(r"\]\(([\w-]+\.md)\) \|$", text, re.M)

    there = sorted(path.name for path in (ROOT / folder).glob("*.md"))
    assert sorted([*listed, "README.md"]) == there


PAGES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("how-to", "migrating")
    for path in (ROOT / "docs" / folder).glob("*.md")
)


def test_python_of_the_pages_is_formatted(tmp_path):
    for page in PAGES:
        for block in blocks_of(page):
            if block.language == "python":
                place = tmp_path / f"{page.replace('/', '-')}-{block.line}.py"
                place.write_text(block.code)

    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--line-length", "100", "--diff", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == ""


def test_layer_of_a_large_package_is_zipped_as_lambda_wants_it(tmp_path):
    """The page's commands but pip's, which fetches: a package is put there in its place."""
    [block] = [one for one in blocks_of("docs/how-to/large-packages.md") if one.language == "sh"]
    install, archive = block.code.splitlines()
    assert install.startswith("pip install --target layer/python ")
    (tmp_path / "layer/python/numpy").mkdir(parents=True)
    (tmp_path / "layer/python/numpy/__init__.py").write_text("")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(sys.executable)

    subprocess.run(
        [shutil.which("bash"), "-c", f"PATH={tmp_path / 'bin'}:$PATH; {archive}"],
        cwd=tmp_path,
        check=True,
    )

    with zipfile.ZipFile(tmp_path / "numpy-layer.zip") as made:
        assert "python/numpy/__init__.py" in made.namelist()
