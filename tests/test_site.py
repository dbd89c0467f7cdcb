"""The site builds without a warning, has every public name and command, and leads nowhere that is not there."""

import ast
import importlib
import json
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

import shared_utils
from layerctl.cli import main as layerctl_cli
from local.__main__ import main as local_cli
from shared_utils.websocket_messages import CLIENT_MESSAGES, SERVER_MESSAGES
from shared_utils_protocol import cli as protocol_cli
from wslocal.cli import main as wslocal_cli

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "shared-layer/python/shared_utils"
MODULES = [f"shared_utils.{path.stem}" for path in sorted(PACKAGE.glob("[a-z]*.py"))]
PACKAGES = ("cdk/shared_utils_cdk", "protocol/shared_utils_protocol", "wslocal")
PLUGINS = ("pytest_shared_utils", "wslocal.pytest_plugin")
# Licences of others and a note on recordings: they are for the folder that they are in.
NO_PAGES = {"local/recordings/README.md", "web/vendor/README.md"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the site as `make site` does, in a folder of its own; return it and what was said."""
    folder = tmp_path_factory.mktemp("site")
    makefile = (ROOT / "Makefile").read_text()
    [options] = re.findall(r"-m sphinx (.*) -d \S+ \. docs/site$", makefile, re.MULTILINE)
    places = ["-d", str(folder / "doctrees"), ".", str(folder / "site")]
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", *options.split(), *places],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    yield folder / "site", run.stdout + run.stderr
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def site(built):
    return built[0]


@pytest.fixture(scope="module")
def pages(site):
    """Return the site's HTML by path."""
    return {path: path.read_text() for path in site.rglob("*.html")}


@pytest.fixture(scope="module")
def reference(pages):
    """Return the reference's HTML by the file's name."""
    return {path.stem: text for path, text in pages.items() if path.parent.name == "reference"}


@pytest.fixture(scope="module")
def index(site):
    """Return what the search looks into."""
    text = (site / "searchindex.js").read_text()
    return json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))


def descriptions(reference):
    """Return the first paragraph about each name, by the full name."""
    entry = r'<dt class="sig[^>]* id="([\w.]+)">.*?</dt>\s*<dd>(?:<p>(.*?)</p>)?'
    return {
        name: text for page in reference.values() for name, text in re.findall(entry, page, re.S)
    }


def names_of(package):
    """Return what a package's `__all__` lists, without importing it: one loads the CDK."""
    for node in ast.parse((ROOT / package / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


def fixtures_of(module):
    """Return the names of the fixtures of a plugin of pytest."""
    members = vars(importlib.import_module(module)).items()
    return [name for name, one in members if isinstance(one, type(built))]


PUBLIC_NAMES = [
    *(pytest.param(one, importlib.import_module(one).__all__, id=one) for one in MODULES),
    *(pytest.param(Path(one).name, names_of(one), id=Path(one).name) for one in PACKAGES),
    *(pytest.param(one, fixtures_of(one), id=one) for one in PLUGINS),
]


def test_site_builds_without_a_warning(built):
    folder, said = built

    assert said == ""
    assert "url=docs/index.html" in (folder / "index.html").read_text()


def title_of(html):
    return unescape(re.search("<title>(.*?)</title>", html, re.S)[1])


def test_every_page_has_a_title_of_its_own_and_the_version(pages):
    titles = [title_of(text) for path, text in pages.items() if path.parent.name != "site"]

    assert [title for title in titles if not title.endswith(f" {shared_utils.__version__}")] == []
    assert sorted(titles) == sorted(set(titles))


def test_picture_is_a_table(pages):
    [text] = [text for path, text in pages.items() if path.stem == "architecture"]

    assert "flowchart" not in text
    rows = re.findall(r"<tr.*?</tr>", text, re.S)
    [row] = [one for one in rows if "sendCaption" in one]
    assert text_of(row).split() == [
        *("captions", "sendCaption"),
        *("Connections:", "get,", "update;", "Sessions:", "get,", "update"),
    ]


def test_address_that_is_all_of_a_cell_is_a_link(pages):
    cells = [cell for text in pages.values() for cell in re.findall(r"<td>.*?</td>", text, re.S)]
    addresses = [cell for cell in cells if re.fullmatch(r"\s*https?://\S+\s*", text_of(cell))]

    assert len(addresses) > 100
    assert [cell for cell in addresses if "<a " not in cell and "<code" not in cell] == []


@pytest.mark.parametrize("name", [*CLIENT_MESSAGES, *SERVER_MESSAGES])
def test_message_of_the_reference_leads_to_its_fields(reference, name):
    assert f'href="../protocol/messages.html#{name.lower()}"' in reference["websocket_messages"]


def test_every_setting_of_the_layer_is_in_the_reference(reference):
    readme = (ROOT / "shared-layer/README.md").read_text()
    chapter = readme.partition("## Environment variables")[2].partition("\n## ")[0]
    variables = re.findall(r"`([A-Z_]+)`", chapter)

    shown = text_of(reference["settings"])
    assert "LOG_LEVEL" in variables
    assert [name for name in variables if name not in shown] == []


def test_site_is_the_same_wherever_it_was_built(pages):
    assert [
        path.name for path, text in pages.items() if str(ROOT) in text or " at 0x" in text
    ] == []


def test_every_document_is_a_page(index):
    listed = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    documents = {name for name in listed.stdout.split() if not name.endswith(".LICENSE.md")}

    assert documents - {f"{name}.md" for name in index["docnames"]} == NO_PAGES


@pytest.mark.parametrize(("module", "names"), PUBLIC_NAMES)
def test_every_public_name_is_described_in_the_reference(reference, module, names):
    described = descriptions(reference)

    assert names
    assert [name for name in names if not described.get(f"{module}.{name}")] == []


@pytest.mark.parametrize(("module", "names"), PUBLIC_NAMES)
def test_search_finds_every_public_name(index, module, names):
    found = {entry[4] for entry in index["objects"][module]}

    assert set(names) - found == set()


def commands_of(command, name):
    """Yield each command of a click program with its options."""
    yield name, [option for one in command.params for option in one.opts if option.startswith("-")]
    for child_name, child in getattr(command, "commands", {}).items():
        yield from commands_of(child, f"{name} {child_name}")


@pytest.mark.parametrize(
    ("page", "program", "name"),
    [
        ("layerctl_commands", layerctl_cli, "layerctl"),
        ("wslocal_commands", wslocal_cli, "wslocal"),
        ("local_commands", local_cli, "python -m local"),
    ],
)
def test_every_command_and_option_is_in_the_reference(reference, page, program, name):
    sections = re.findall(r"<h2>(.*?)</h2>(.*?)</section>", reference[page], re.S)
    shown = {re.sub("<[^>]*>|¶", "", heading): text_of(section) for heading, section in sections}

    wanted = dict(commands_of(program, name))

    assert len(wanted) > 4
    assert shown.keys() == wanted.keys()
    assert [o for one, options in wanted.items() for o in options if o not in shown[one]] == []


def test_every_option_of_the_protocol_generator_is_in_the_reference(reference):
    shown = text_of(reference["shared_utils_protocol_command"])

    options = [one for action in protocol_cli._parser()._actions for one in action.option_strings]

    assert "--check" in options
    assert [option for option in options if option not in shown] == []


def text_of(html):
    return unescape(re.sub("<[^>]*>", "", html))


def test_every_link_of_the_site_leads_somewhere(site, pages):
    anchors = {path: set(re.findall(r'\bid="([^"]*)"', text)) for path, text in pages.items()}

    broken = []
    for path, text in pages.items():
        for link in re.findall(r'(?:href|src)="([^"]*)"', text):
            address, _, anchor = unescape(link).partition("#")
            name = address.partition("?")[0]  # behind it is a digest, for caches
            if re.match(r"(https?|mailto|data):", name):
                continue
            target = (path.parent / unquote(name)).resolve() if name else path
            if not target.is_file() or (anchor and unquote(anchor) not in anchors[target]):
                broken.append(f"{path.relative_to(site)}: {link}")

    assert len(pages) > 50
    assert broken == []


def test_site_loads_nothing_from_another_host(site, pages):
    loading = r"<(?:script|link|img|iframe|source|video|audio)\b[^>]*\b(?:src|href)=\"((?:https?:)?//[^\"]*)"
    loaded = [one for text in pages.values() for one in re.findall(loading, text)]
    styles = [path.read_text() for path in site.rglob("*.css")]

    assert len(styles) > 3
    assert loaded == []
    assert [
        one for text in styles for one in re.findall(r"url\([\"']?(?:https?:)?//[^)]*", text)
    ] == []
    assert [one for text in styles for one in re.findall(r"@import[^;]*", text)] == []
