"""What the site changes in the text of a document before it is read; on the forge it stays as it is.

A link to a folder leads to its README, an address that stands alone in a cell becomes a link, and the
picture of the architecture, whose language has no renderer here, becomes a table of the same.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([\w./-]+)(#[\w-]*)?\)")
# An address that is all of a table's cell.
ADDRESS = re.compile(r"(?<=\| )(https?://[^\s|]+)(?= \|)")
PICTURE = re.compile(r"^```mermaid\n(.*?)^```$", re.M | re.S)
PICTURE_NODE = re.compile(r'^ +(\w+)\["<b>\w+</b>([^"]*)"\]$', re.M)
PICTURE_ARROW = r'^ +{} -- "([^"]*)" --> (\w+)\['


def change_text(app: Sphinx, docname: str, content: list[str]) -> None:
    """Change a document's text, as Sphinx has read it."""
    text = with_pages((ROOT / docname).parent, content[0], app.env.found_docs)
    text = ADDRESS.sub(r"<\1>", text)
    content[0] = PICTURE.sub(lambda found: with_table(found[1]), text)


def with_pages(folder: Path, text: str, pages: Container[str]) -> str:
    """Have links to folders lead to their READMEs; of what is no page and no file only the text stays."""

    def target(link: re.Match[str]) -> str:
        shown, name = link[1], link[2]
        path = (folder / name).resolve()
        if path.is_dir():
            name, path = f"{name.rstrip('/')}/README.md", path / "README.md"
            if not path.exists():
                return shown
        is_page = str(path.relative_to(ROOT).with_suffix("")) in pages
        if path.exists() and path.suffix == ".md" and not is_page:
            return shown
        return f"[{shown}]({name}{link[3] or ''})"

    return LINK.sub(target, text)


def with_table(picture: str) -> str:
    """Return the functions of a flowchart with their routes, and what each does with which table."""
    rows = [
        "On the forge this is a picture. The same as a table:",
        "",
        "| function | called for | what it does with the tables |",
        "| --- | --- | --- |",
    ]
    for name, given in PICTURE_NODE.findall(picture):
        routes = ", ".join(f"`{route}`" for route in given.split("<br/>") if route)
        arrows = re.findall(PICTURE_ARROW.format(name), picture, re.M)
        done = "; ".join(f"`{table}`: {actions}" for actions, table in arrows)
        rows.append(f"| `{name}` | {routes or 'every minute'} | {done} |")
    return "\n".join(rows)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register this with Sphinx."""
    app.connect("source-read", change_text)
    return {"parallel_read_safe": True}
