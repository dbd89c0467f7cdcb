"""Builds the layer's zip, or a function's: the sources, and bytecode that needs no check at run time.

The same sources and the same interpreters (and zlib) give the same bytes, in any directory
and on any day. `/opt` and `/var/task` are read-only on Lambda: without bytecode in the zip every
cold start would compile, and with dated bytecode a changed file date would make it stale. A Python
that the zip has no bytecode for compiles the sources, which are always in it.
"""

from __future__ import annotations

import argparse
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

HERE = Path(__file__).resolve().parent
PACKAGE = "python/shared_utils"
# Where Lambda unpacks layers, and a function's own code.
LAYER_ROOT, FUNCTION_ROOT = "/opt", "/var/task"
DEFAULT_PYTHON = "3.11"

# A deployment package with its layers, unzipped; a zip that holds one layer is refused far below it:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html allows 250 MB in all.
MAX_UNZIPPED_BYTES = 50 * 1024 * 1024

# The earliest date a zip can hold.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def main(arguments: list[str]) -> None:
    """Build the zip that the command line asks for, and report on it."""
    options = parse(arguments)
    if options.compile:
        compile_tree(*options.compile)
        return
    versions = sorted(set(options.python.split(",")), key=lambda version: version.split("."))
    interpreters = {version: find_interpreter(version) for version in versions}
    with tempfile.TemporaryDirectory() as temporary:
        stage = Path(temporary)
        if options.function:
            digest = copy_function(options.function, stage)
            if options.wheels:
                unpack_wheels(options.wheels, options.lock, stage)
            compiled, root = stage, FUNCTION_ROOT
        else:
            digest = copy_sources(stage / PACKAGE)
            install_requirements(stage / "python", interpreters[versions[0]])
            compiled, root = stage / PACKAGE, f"{LAYER_ROOT}/{PACKAGE}"
        for interpreter in interpreters.values():
            compile_with(interpreter, compiled, root)
        check_size(stage)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        partial = options.output.with_suffix(".partial")
        try:
            write_zip(stage, partial)
            partial.replace(options.output)
        finally:
            partial.unlink(missing_ok=True)
    report(options.output, digest, versions)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="build.sh", description="Build the layer's zip.")
    parser.add_argument(
        "--python", default=DEFAULT_PYTHON, help="versions to compile for: 3.11,3.13"
    )
    parser.add_argument(
        "--function",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="make a function's zip instead, with these packages and files at its root",
    )
    parser.add_argument(
        "--wheels", type=Path, metavar="FOLDER", help="with what a function's wheels hold, too"
    )
    parser.add_argument(
        "--lock", type=Path, metavar="FILE", help="the requirements with hashes that pin the wheels"
    )
    parser.add_argument("--output", type=Path, help="the zip's path")
    parser.add_argument("--compile", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if (options.wheels or options.lock) and not (
        options.wheels and options.lock and options.function
    ):
        parser.error("--wheels, --lock and --function go together")
    if options.output is None:
        if options.function:
            parser.error("--function needs --output, too")
        options.output = HERE / "shared-layer.zip"
    return options


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
    # What operating systems and editors leave begins with a dot: ._x.py, .#x.py
    modules = sorted(path for path in folder.glob("*.py") if path.name[0] != ".")
    sources = [*modules, folder / "__init__.pyi", folder / "py.typed"]
    digest = copy_files({source.name: source for source in sources}, package)
    init = package / "__init__.py"
    init.write_bytes(stamped(init.read_bytes(), digest))
    return digest


def copy_function(paths: list[Path], target: Path) -> str:
    """Copy packages and single files, each to the root; return the digest of all of them."""
    files = {}
    for path in paths:
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        if not found:
            raise SystemExit(f"build.sh: {path} is no file, and no folder with files in it")
        for file in found:
            name = file.relative_to(path.parent)
            unwanted = any(part == "__pycache__" or part[0] == "." for part in name.parts)
            if not unwanted and not file.is_dir():
                files[name.as_posix()] = file
    return copy_files(files, target)


def unpack_wheels(folder: Path, lock: Path, target: Path) -> None:
    """Unpack every wheel in a folder beside the function; each must be one that the lock file pins.

    RECORD is left out: it lists what pip would install, without bytecode and with hashes of it all.
    """
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise SystemExit(f"build.sh: there are no wheels in {folder}")
    pinned = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock.read_text()))
    for wheel in wheels:
        if hashlib.sha256(wheel.read_bytes()).hexdigest() not in pinned:
            raise SystemExit(f"build.sh: {wheel.name} is none of those that {lock.name} pins")
        with zipfile.ZipFile(wheel) as archive:
            names = [
                name for name in archive.namelist() if not name.endswith((".dist-info/RECORD", "/"))
            ]
            for name in names:
                if (target / name).exists():
                    raise SystemExit(f"build.sh: {name} is in {wheel.name}, and there already")
                if ".data/" in name:
                    raise SystemExit(f"build.sh: {wheel.name} has files for other places: {name}")
            archive.extractall(target, names)


def copy_files(files: dict[str, Path], target: Path) -> str:
    """Copy files to their names below `target`; return the digest of names and contents."""
    digest = hashlib.sha256()
    for name, source in files.items():
        if not is_unicode(name):
            raise SystemExit(f"build.sh: rename {str(source)!a}, whose name is not UTF-8")
        if not source.is_file():
            raise SystemExit(f"build.sh: {source} is no file, or a link that leads nowhere")
        content = source.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
    return digest.hexdigest()[:16]


def is_unicode(name: str) -> bool:
    """Return whether a file's name can be one in a zip: Linux takes any bytes."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def stamped(content: bytes, digest: str) -> bytes:
    """Return `__init__.py` with the build's digest in place of `source`."""
    stamp, count = re.subn(
        rb'^__build__ = "source"$', f'__build__ = "{digest}"'.encode(), content, flags=re.M
    )
    if count != 1:
        raise SystemExit('build.sh: __init__.py must hold the line __build__ = "source" once')
    return stamp


def install_requirements(target: Path, interpreter: str) -> None:
    """Install what requirements.txt lists beside the package and say what each part costs."""
    lines = (HERE / "requirements.txt").read_text().splitlines()
    if not any(line.strip() and not line.lstrip().startswith("#") for line in lines):
        return
    pip = [
        interpreter,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--disable-pip-version-check",
    ]
    run = [*pip, "--requirement", HERE / "requirements.txt", "--target", target]
    if subprocess.run(run, check=False).returncode:
        raise SystemExit(
            "build.sh: pip cannot install what requirements.txt lists; it says why above"
        )
    for part in sorted(target.iterdir()):
        if part.name != "shared_utils":
            size = sum(file.stat().st_size for file in part.rglob("*")) or part.stat().st_size
            print(f"  requirement {part.name}: {size:,} bytes unzipped")


def compile_with(interpreter: str, folder: Path, root: str) -> None:
    """Run this file with another Python, to compile a folder that will be `root` on Lambda."""
    # Without columns, a fifth smaller: a stack trace names lines.
    command = [interpreter, "-s", "-P", "-X", "no_debug_ranges", __file__]
    # Marshalled sets must not depend on the process's hash seed.
    environ = {**os.environ, "PYTHONHASHSEED": "0"}
    run = [*command, "--compile", folder, root]
    if subprocess.run(run, check=False, env=environ).returncode:
        raise SystemExit(1)  # it has said why


def compile_tree(folder: str, root: str) -> None:
    """Write unchecked bytecode (PEP 552) of this interpreter's version for every source."""
    for source in sorted(Path(folder).rglob("*.py")):
        name = source.relative_to(folder).as_posix()
        content = source.read_bytes()
        try:
            code = compile(content, f"{root}/{name}", "exec", dont_inherit=True, optimize=1)
        except (SyntaxError, ValueError) as error:
            raise SystemExit(f"build.sh: {name} does not compile: {error}") from error
        # Read back, so that what marshal writes does not depend on what shares a constant.
        data = marshal.dumps(marshal.loads(marshal.dumps(code)))  # noqa: S302 - our own bytes
        unchecked_hash = (1).to_bytes(4, "little")
        header = importlib.util.MAGIC_NUMBER + unchecked_hash + importlib.util.source_hash(content)
        cache = source.parent / "__pycache__"
        cache.mkdir(exist_ok=True)
        (cache / f"{source.stem}.{sys.implementation.cache_tag}.pyc").write_bytes(header + data)


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


def check_size(stage: Path) -> None:
    """Exit if the zip takes more of Lambda's 250 MB than its users can spare."""
    unzipped = sum(file.stat().st_size for file in stage.rglob("*") if file.is_file())
    if unzipped > MAX_UNZIPPED_BYTES:
        raise SystemExit(
            f"build.sh: {unzipped:,} bytes unzipped, {MAX_UNZIPPED_BYTES:,} are allowed"
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
    try:
        main(sys.argv[1:])
    except OSError as failure:
        names = " to ".join(str(n) for n in (failure.filename, failure.filename2) if n)
        sys.exit(f"build.sh: {names or 'a file'} cannot be used: {failure.strerror or failure}")
