"""The fenced blocks of the repository's documents, and what a page's Python prints when it runs.

A page is run from top to bottom in one namespace of a fresh interpreter, which finds `shared_utils`, the
libraries that the page imports, and what these need. A block whose second word is a file's name, such as
`python app.py`, is that file, beside the program.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "shared-layer/python"
PLUGIN = ROOT / "shared-layer/pytest_plugin"
_FENCE = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", re.M | re.S)
_PROGRAM = """
import json, sys, types
page = types.ModuleType("app")
sys.modules["app"] = page
for line, code in json.load(sys.stdin):
    exec(compile("\\n" * line + code, "page.md", "exec"), page.__dict__)
    print("\\0", flush=True)
"""


@dataclass(frozen=True)
class Block:
    """One fenced block: where it begins, its language, the words after it, its text."""

    document: str
    line: int
    language: str
    kind: str
    code: str

    @property
    def id(self) -> str:
        """Where it is."""
        return f"{self.document}:{self.line}"


def blocks_of(document: str) -> list[Block]:
    """Return a document's blocks that have a language, in their order."""
    text = (ROOT / document).read_text()
    return [
        Block(document, text[: found.start()].count("\n") + 1, found[1], found[2] or "", found[3])
        for found in _FENCE.finditer(text)
    ]


def documents() -> list[str]:
    """Return the Markdown documents that are ours."""
    found = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return sorted(name for name in set(found) if (ROOT / name).exists())


@dataclass(frozen=True)
class Ran:
    """A block that was run: the lines of JSON that it wrote, and the other lines that it printed."""

    block: Block
    lines: list[dict[str, object]]
    printed: list[str]


def run_page(document: str, folder: Path, variables: dict[str, str], extra: str = "") -> list[Ran]:
    """Run a page's Python blocks in `folder`; `extra` is run as a part of the first one."""
    blocks = [block for block in blocks_of(document) if block.language == "python"]
    page = [block for block in blocks if not block.kind.endswith(".py")]
    for block in blocks:
        if block.kind.endswith(".py"):
            (folder / block.kind).write_text(block.code)
    codes = [(block.line, block.code) for block in page]
    if extra:
        codes[0] = (codes[0][0], f"{codes[0][1]}\n{extra}")
    program = [sys.executable, "-S", "-W", "error", "-c", _PROGRAM]
    paths = [folder, PACKAGE, libraries([block.code for block in blocks] + [extra], folder)]
    run = subprocess.run(
        program,
        cwd=folder,
        env=variables | environment(paths),
        input=json.dumps(codes),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.stderr == "", run.stderr[-3000:]
    printed = run.stdout.split("\0\n")
    return [_ran(block, text) for block, text in zip(page, printed, strict=False)]


def environment(paths: list[Path]) -> dict[str, str]:
    """Return the variables of an interpreter that finds what lies in `paths`."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def libraries(codes: list[str], folder: Path) -> Path:
    """Return a folder with the installed libraries that pieces of code import, and what these need."""
    place = folder / "libraries"
    place.mkdir(exist_ok=True)
    packages = _distributions()
    wanted = {name for code in codes for top in _imports(code) for name in packages.get(top, [])}
    seen: set[str] = set()
    while wanted:
        seen.add(name := wanted.pop())
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # an extra of it that is not installed
            continue
        for path in {file.parts[0] for file in found.files or [] if file.parts[0] != ".."}:
            if not (place / path).exists():
                (place / path).symlink_to(str(found.locate_file(path)))
        needed = {
            match[0]
            for line in found.requires or []
            if "extra ==" not in line and (match := re.match(r"[\w.-]+", line))
        }
        wanted |= needed - seen
    return place


@cache
def _distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def _imports(code: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names)


def _ran(block: Block, text: str) -> Ran:
    lines, printed = [], []
    for line in text.splitlines():
        if line.startswith('{"'):
            lines.append(json.loads(line))
        else:
            printed.append(line)
    return Ran(block, lines, printed)


def said_of(block: Block) -> tuple[list[dict[str, object]], list[str]]:
    """Return what a page shows of a block: lines of JSON, and what else it prints.

    Lines of JSON, in their order and perhaps with others between them, stand in a `json` block after it; what
    else is printed, all of it, in a `text` block after that, or in comments beside each `print`.
    """
    blocks = blocks_of(block.document)
    lines: list[dict[str, object]] = []
    printed = re.findall(r"^ *print\(.*\)  # (.*)$", block.code, re.M)
    for follower in blocks[blocks.index(block) + 1 :]:
        if follower.language == "json":
            lines = values(follower.code)
        elif follower.language == "text":
            printed = follower.code.splitlines()
        else:
            break
    return lines, printed


def values(text: str) -> list[dict[str, object]]:
    """Return the JSON values that stand one after the other in a text."""
    decoder, found, text = json.JSONDecoder(), [], text.strip()
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].lstrip()
    return found


def same(found: object, shown: object) -> bool:
    """Return whether a value is the one that is shown, in which "..." stands for any."""
    if shown == "...":
        return True
    if isinstance(shown, dict) and isinstance(found, dict):
        return list(found) == list(shown) and all(same(found[key], shown[key]) for key in shown)
    if isinstance(shown, list) and isinstance(found, list):
        return len(found) == len(shown) and all(map(same, found, shown))
    return found == shown


def missing(shown: list[dict[str, object]], found: list[dict[str, object]]) -> object:
    """Return the first value that is shown and not found after the one before it, or None."""
    rest = iter(found)
    return next((one for one in shown if not any(same(line, one) for line in rest)), None)


def fits(line: str, shown: str) -> bool:
    """Return whether a printed line is the one that is shown, in which "..." stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, shown.split("..."))), line) is not None
