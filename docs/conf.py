"""Sphinx's settings: the site is made of the repository's Markdown where it lies, and of docstrings.

`make site` builds it. Links between documents are written as on the forge: to files and to folders.
A link to a folder leads to its README here (`sources.py`), one to any other file to a copy of that file.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.pycode import ModuleAnalyzer

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

ROOT = Path(__file__).resolve().parent.parent
# Where the packages are whose docstrings are read, and this folder's directive.
FOLDERS = ("docs", "shared-layer/python", "shared-layer/pytest_plugin", "protocol", "cdk", ".")
sys.path[:0] = [str(ROOT / folder) for folder in FOLDERS]

project = "Shared Lambda Layer"
version = release = importlib.import_module("shared_utils").__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "commands", "sources"]

root_doc = "docs/index"
include_patterns = [
    *("*.md", "docs/**.md", "*/README.md", "wslocal/CONFORMANCE.md", "examples/**/README.md"),
]
# Folders that are not walked through.
exclude_patterns = [
    ".*",
    "**/node_modules",
    "**/__pycache__",
    "docs/site",
    "docs/protocol/generated",
]

html_theme = "furo"
html_title = f"{project} {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False

# Docstrings are plain text, with single backticks around code.
default_role = "code"
smartquotes = False
add_module_names = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autoclass_content = "both"
# Loading the CDK starts Node. Of it the construct needs a base class here, and nothing more.
autodoc_mock_imports = ["aws_cdk"]
sys.modules["constructs"] = types.ModuleType("constructs")
vars(sys.modules["constructs"])["Construct"] = type("Construct", (), {})
# A level that is off is no method of the logger: each has one here.
os.environ["LOG_LEVEL"] = "TRACE"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
# Types of the standard library and private ones have no page here; whatever else a text names has.
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]

# Headings get GitHub's names, down to this level.
myst_heading_anchors = 3
# Some JSON has "..." in it.
suppress_warnings = ["misc.highlighting_failure"]

# Folders of packages, and which of their modules offer constants that another module declares.
OFFERING = {
    "shared-layer/python/shared_utils": "[a-z]*.py",
    "protocol/shared_utils_protocol": "__init__.py",
    "wslocal": "__init__.py",
}


def document_constants(app: Sphinx, config: Config) -> None:
    """Have a constant's comment known in the modules that offer it; Sphinx reads that of its own module."""
    for folder, pattern in OFFERING.items():
        known: dict[tuple[str, str], list[str]] = {}
        for path in (ROOT / folder).rglob("*.py"):
            if "\n#: " in path.read_text() and "tests" not in path.parts:
                known |= analyzed(path, folder).attr_docs
        for path in (ROOT / folder).glob(pattern):
            analyzer = analyzed(path, folder)
            analyzer.attr_docs = known | analyzer.attr_docs


def analyzed(path: Path, folder: str) -> ModuleAnalyzer:
    """Return Sphinx's analyzer of a module, which it keeps and uses again."""
    names = path.relative_to((ROOT / folder).parent).with_suffix("").parts
    analyzer = ModuleAnalyzer.for_module(".".join(names).removesuffix(".__init__"))
    analyzer.analyze()
    return analyzer


def skip_aliases(
    app: Sphinx, what: str, name: str, member: object, skip: bool, options: object
) -> bool | None:
    """Leave out the fields of named tuples, which are in the signature: nothing more is said of them."""
    return True if str(member.__doc__).startswith("Alias for field number") else None


def lead_to_fields(
    app: Sphinx, what: str, name: str, member: object, options: object, lines: list[str]
) -> None:
    """Have a message of the audio system lead to the table of its fields."""
    messages = importlib.import_module("shared_utils.websocket_messages")
    for named, declared in (messages.CLIENT_MESSAGES | messages.SERVER_MESSAGES).items():
        if member is declared:
            page = f"../protocol/messages.html#{named.lower()}"
            lines += ["", f"`Its fields and an example <{page}>`__."]


def lead_to_front_page(app: Sphinx, failure: Exception | None) -> None:
    """Have the site's own address lead to its front page."""
    text = f'<!doctype html><meta http-equiv="refresh" content="0; url={root_doc}.html">\n'
    (Path(app.outdir) / "index.html").write_text(text)


def setup(app: Sphinx) -> None:
    """Register these with Sphinx."""
    app.connect("config-inited", document_constants)
    app.connect("autodoc-skip-member", skip_aliases)
    app.connect("autodoc-process-docstring", lead_to_fields)
    app.connect("build-finished", lead_to_front_page)
