"""Builds the layer's zip: the sources, and bytecode that needs no check at run time.

The same sources and the same interpreters (and zlib) give the same bytes, in any directory
and on any day. `/opt` is read-only on Lambda: without bytecode in the zip every cold start
would compile, and with dated bytecode a changed file date would make it stale.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib.util
import marshal
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path
from types import CodeType

HERE = Path(__file__).resolve().parent
PACKAGE = "python/shared_utils"
DEFAULT_PYTHON = "3.11"

# A deployment package with its layers, unzipped; a zip that holds one layer is refused far below it:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html allows 250 MB in all.
MAX_UNZIPPED_BYTES = 50 * 1024 * 1024
# Our own budget, so that nothing is added unnoticed; a line in `requirements.txt` lifts it.
MAX_ZIP_BYTES = 173 * 1024
MAX_ZIP_BYTES_PER_FURTHER_PYTHON = 98 * 1024

# Kinds of entries in a code object's table of lines.
_NO_COLUMNS, _NO_LINE = 13, 15

# The earliest date a zip can hold.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def main(arguments: list[str]) -> None:
    """Build the zip that the command line asks for, and report on it."""
    parser = argparse.ArgumentParser(prog="build.sh", description="Build the layer's zip.")
    parser.add_argument(
        "--python", default=DEFAULT_PYTHON, help="versions to compile for: 3.11,3.13"
    )
    parser.add_argument("--output", type=Path, default=HERE / "shared-layer.zip")
    parser.add_argument("--compile", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.compile:
        compile_tree(*options.compile)
        return
    versions = sorted(set(options.python.split(",")), key=lambda version: version.split("."))
    interpreters = {version: find_interpreter(version) for version in versions}
    with tempfile.TemporaryDirectory() as temporary:
        stage = Path(temporary)
        digest = copy_sources(stage / PACKAGE)
        installed = install_requirements(stage / "python", interpreters[versions[0]])
        for interpreter in interpreters.values():
            # Without columns, a fifth smaller: a stack trace names lines.
            lean = [interpreter, "-s", "-P", "-X", "no_debug_ranges", __file__, "--compile"]
            # Marshalled sets must not depend on the process's hash seed.
            fixed = {**os.environ, "PYTHONHASHSEED": "0"}
            subprocess.run([*lean, stage / PACKAGE, stage / PACKAGE], check=True, env=fixed)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        partial = options.output.with_suffix(".partial")
        write_zip(stage, partial)
        try:
            check_size(partial, stage, versions, installed)
        except SystemExit:
            partial.unlink()
            raise
        partial.replace(options.output)
    report(options.output, digest, versions)


def find_interpreter(version: str) -> str:
    """Return a CPython of this version that runs; exit with a clear message if there is none."""
    if not re.fullmatch(r"3\.(1[1-9]|[2-9][0-9])", version):
        raise SystemExit(
            f"build.sh: --python takes versions from 3.11, like 3.11,3.13; got {version!r}"
        )
    candidates = [
        sys.executable,
        shutil.which(f"python{version}") or "",
        *sorted(
            map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python3")), reverse=True
        ),
        f"/usr/local/bin/python{version}",
        f"/usr/bin/python{version}",
    ]
    code = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    for candidate in filter(os.path.exists, candidates):
        run = subprocess.run(
            [candidate, "-I", "-c", code], capture_output=True, text=True, check=False
        )
        if run.stdout.split() == ["cpython", version]:
            return candidate
    raise SystemExit(f"build.sh: CPython {version} was asked for and is not on this machine")


def copy_sources(package: Path) -> str:
    """Copy the package with its digest written into `__build__`; return the digest."""
    folder = HERE / PACKAGE
    sources = [*sorted(folder.glob("*.py")), folder / "__init__.pyi", folder / "py.typed"]
    digest = hashlib.sha256()
    for source in sources:
        content = source.read_bytes()
        digest.update(f"{source.name} {len(content)}\n".encode() + content)
    package.mkdir(parents=True)
    for source in sources:
        content = source.read_bytes()
        if source.name == "__init__.py":
            content = stamped(content, digest.hexdigest()[:16])
        (package / source.name).write_bytes(content)
    return digest.hexdigest()[:16]


def stamped(content: bytes, digest: str) -> bytes:
    """Return `__init__.py` with the build's digest in place of `source`."""
    stamp, count = re.subn(
        rb'^__build__ = "source"$', f'__build__ = "{digest}"'.encode(), content, flags=re.M
    )
    if count != 1:
        raise SystemExit('build.sh: __init__.py must hold the line __build__ = "source" once')
    return stamp


def install_requirements(target: Path, interpreter: str) -> bool:
    """Install what requirements.txt lists beside the package and say what each part costs."""
    lines = (HERE / "requirements.txt").read_text().splitlines()
    if not any(line.strip() and not line.lstrip().startswith("#") for line in lines):
        return False
    pip = [
        interpreter,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--disable-pip-version-check",
    ]
    subprocess.run(
        [*pip, "--requirement", HERE / "requirements.txt", "--target", target], check=True
    )
    for part in sorted(target.iterdir()):
        if part.name != "shared_utils":
            size = sum(file.stat().st_size for file in part.rglob("*")) or part.stat().st_size
            print(f"  requirement {part.name}: {size:,} bytes unzipped")
    return True


def compile_tree(sources: Path, target: Path) -> None:
    """Write unchecked bytecode (PEP 552) of this interpreter's version for every source.

    What only people and type checkers read stays in the source and is left out of the bytecode:
    docstrings and annotations, but for those of classes in a module that reads annotations.
    """
    cache = target / "__pycache__"
    cache.mkdir(exist_ok=True)
    for source in sorted(sources.glob("*.py")):
        content = source.read_bytes()
        tree = _Lean(ast.parse(content, source.name)).tree
        path = f"/opt/{PACKAGE}/{source.name}"
        code = with_short_line_table(compile(tree, path, "exec", dont_inherit=True, optimize=1))
        # Read back, so that what marshal writes does not depend on what shares a constant.
        data = marshal.dumps(marshal.loads(marshal.dumps(code)))  # noqa: S302 - our own bytes
        unchecked_hash = (1).to_bytes(4, "little")
        header = importlib.util.MAGIC_NUMBER + unchecked_hash + importlib.util.source_hash(content)
        (cache / f"{source.stem}.{sys.implementation.cache_tag}.pyc").write_bytes(header + data)


def with_short_line_table(code: CodeType) -> CodeType:
    """Return the same code with one entry a line in its table of lines; the compiler writes one an instruction.

    A twentieth of the zip. An entry spans up to eight code units of two bytes:
    https://github.com/python/cpython/blob/3.11/Objects/locations.md
    """
    runs: list[tuple[int, int | None]] = []
    for start, end, line in code.co_lines():
        before = runs.pop()[0] if runs and runs[-1][1] == line else 0
        runs.append((before + (end - start) // 2, line))
    table, previous = bytearray(), code.co_firstlineno
    for units, line in runs:
        for left in range(units, 0, -8):
            head = 0x80 | (_NO_LINE if line is None else _NO_COLUMNS) << 3
            table.append(head | min(left, 8) - 1)
            if line is not None:
                table += signed_varint(line - previous)
                previous = line
    constants = (
        with_short_line_table(constant) if isinstance(constant, CodeType) else constant
        for constant in code.co_consts
    )
    return code.replace(co_linetable=bytes(table), co_consts=tuple(constants))


def signed_varint(value: int) -> bytes:
    """Return a number in groups of six bits, the lowest first, its sign in the lowest bit."""
    rest = (-value << 1) | 1 if value < 0 else value << 1
    groups = bytearray()
    while rest > 63:
        groups.append(rest & 63 | 64)
        rest >>= 6
    return bytes((*groups, rest))


class _Lean(ast.NodeTransformer):
    """Takes out docstrings, annotations and what stands under `if TYPE_CHECKING`."""

    def __init__(self, tree: ast.Module) -> None:
        # Where classes declare something: a message's annotations are its fields, its docstring
        # is in its schema.
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        self.declares = "__annotations__" in attributes
        self.tree = self.visit(tree)

    def visit_Module(self, node: ast.Module) -> ast.AST:
        self.generic_visit(node)
        return _without_docstring(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        return _without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        return node if self.declares else _without_docstring(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        if self.declares:
            return node
        lean = ast.Assign([node.target], node.value) if node.value else ast.Pass()
        return ast.copy_location(lean, node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse or ast.copy_location(ast.Pass(), node)
        return node


def _without_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> ast.AST:
    if ast.get_docstring(node, clean=False) is not None:
        node.body[:1] = [] if len(node.body) > 1 else [ast.copy_location(ast.Pass(), node.body[0])]
    return node


def write_zip(stage: Path, path: Path) -> None:
    """Write every file below `stage`, sorted, with one date and one mode."""
    files = sorted(file for file in stage.rglob("*") if file.is_file())
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.relative_to(stage).as_posix(), ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, file.read_bytes(), compresslevel=9)


def check_size(path: Path, stage: Path, versions: list[str], installed: bool) -> None:
    """Exit if the layer is larger than Lambda's users can bear, or than our own budget."""
    unzipped = sum(file.stat().st_size for file in stage.rglob("*") if file.is_file())
    if unzipped > MAX_UNZIPPED_BYTES:
        raise SystemExit(
            f"build.sh: {unzipped:,} bytes unzipped, {MAX_UNZIPPED_BYTES:,} are allowed"
        )
    budget = MAX_ZIP_BYTES + MAX_ZIP_BYTES_PER_FURTHER_PYTHON * (len(versions) - 1)
    if not installed and path.stat().st_size > budget:
        raise SystemExit(
            f"build.sh: the zip has {path.stat().st_size:,} bytes, our budget for Python "
            f"{', '.join(versions)} is {budget:,}"
        )


def report(path: Path, digest: str, versions: list[str]) -> None:
    """Print the size, the digests and the biggest entries."""
    content = path.read_bytes()
    print(f"{path.name}: {len(content):,} bytes for Python {', '.join(versions)}")
    print(f"  sha256 {hashlib.sha256(content).hexdigest()}")
    print(f"  build  {digest}")
    with zipfile.ZipFile(path) as archive:
        sizes = Counter({entry.filename: entry.compress_size for entry in archive.infolist()})
    for name, size in sizes.most_common(5):
        print(f"  {size:>7,}  {name}")


if __name__ == "__main__":
    main(sys.argv[1:])
