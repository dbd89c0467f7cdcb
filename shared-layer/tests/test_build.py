"""The zip that `build.sh` makes, by building it, and what it refuses to build."""

import hashlib
import importlib.util
import json
import marshal
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from types import CodeType

import pytest

import shared_utils

LAYER = Path(__file__).parent.parent
PACKAGE = LAYER / "python" / "shared_utils"
SOURCES = sorted(path.name for path in PACKAGE.glob("*.py"))
VERSION = f"3.{sys.version_info.minor}"
TAG = sys.implementation.cache_tag
OTHER_FILES = ["__init__.pyi", "py.typed"]
ENTRY = "python/shared_utils/"


def build(*arguments, layer=LAYER, cwd="/", **environ):
    """Run `build.sh` with the Python of these tests; return the finished process."""
    environ = {**os.environ, "PYTHON": sys.executable, "PIP_NO_INDEX": "1", **environ}
    return subprocess.run(
        [layer / "build.sh", *map(str, arguments)],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def interpreter(version):
    """Return a CPython of this version that runs here, or None."""
    names = [shutil.which(f"python{version}"), f"/usr/local/bin/python{version}"]
    names += Path.home().glob(f".pyenv/versions/{version}.*/bin/python3")
    names += [sys.executable, f"/usr/bin/python{version}"]
    code = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    for name in filter(None, names):
        if Path(name).exists():
            run = subprocess.run(
                [name, "-I", "-c", code], capture_output=True, text=True, check=False
            )
            if run.stdout.split() == ["cpython", version]:
                return name
    return None


SPEC = importlib.util.spec_from_file_location("layer_build", LAYER / "build.py")
BUILD = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(BUILD)

PYTHONS = {version: interpreter(version) for version in ("3.11", "3.12", "3.13", "3.14")}
OTHERS = [version for version, found in PYTHONS.items() if found and version != VERSION]
MISSING = [version for version, found in PYTHONS.items() if not found]


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Return the zip, built once for all tests that only look at it, and what was printed."""
    path = tmp_path_factory.mktemp("built") / "shared-layer.zip"
    run = build("--python", VERSION, "--output", path)
    assert run.returncode == 0, run.stderr
    return path, run.stdout


@pytest.fixture(scope="session")
def archive(built):
    with zipfile.ZipFile(built[0]) as archive:
        yield archive


@pytest.fixture
def copy(tmp_path):
    """Return a copy of the layer that a test may change."""
    target = tmp_path / "some where else" / "layer"
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "tests", "*.zip")
    shutil.copytree(LAYER, target, ignore=unwanted)
    return target


def unpack(path, target):
    """Unpack as Lambda does: nothing may be written, and the dates are those of the zip or new."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(target)
    for file in target.rglob("*"):
        os.utime(file, (1_600_000_000, 1_600_000_000))
        file.chmod(0o555 if file.is_dir() else 0o444)
    return target / "python"


# Imports everything in a fresh interpreter that would write bytecode if it had to make any.
PROBE = """
import sys
sys.path.insert(0, sys.argv[1])
compiled = []
def hook(event, args):
    if event == "compile":
        compiled.append(str(args[1]))
sys.addaudithook(hook)
import importlib, json, os
modules = [importlib.import_module(name) for name in json.loads(sys.argv[2])]
assert not sys.dont_write_bytecode
print(json.dumps({
    "compiled": [name for name in compiled if "shared_utils" in name],
    "cached": [os.path.basename(module.__cached__) for module in modules],
    "files": sorted({os.path.dirname(module.__file__) for module in modules}),
    "build": sys.modules["shared_utils"].__build__,
}))
"""
MODULES = ["shared_utils"] + [f"shared_utils.{name[:-3]}" for name in SOURCES[1:]]


def probe(root, python=sys.executable):
    run = subprocess.run(
        [python, "-I", "-c", PROBE, root, json.dumps(MODULES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    return json.loads(run.stdout)


# --- the same bytes -------------------------------------------------------------------------------


@pytest.mark.threat("something-in-the-zip")
def test_second_build_in_other_circumstances_has_the_same_bytes(built, tmp_path):
    """Neither the folder, the time zone, the hash seed, the umask nor an option's spelling counts."""
    other = tmp_path / "other.zip"
    previous = os.umask(0o077)

    run = build(
        f"--python={VERSION},{VERSION}",
        f"--output={other}",
        cwd=tmp_path,
        TZ="Asia/Tokyo",
        PYTHONHASHSEED="4242",
        LC_ALL="C",
    )

    os.umask(previous)
    assert run.returncode == 0, run.stderr
    assert other.read_bytes() == built[0].read_bytes()


def test_copy_in_another_folder_with_other_dates_and_modes_has_the_same_bytes(built, copy):
    for file in copy.rglob("*.py"):
        os.utime(file, (1_500_000_000, 1_500_000_000))
        file.chmod(0o600)

    run = build("--python", VERSION, layer=copy)

    assert run.returncode == 0, run.stderr
    assert (copy / "shared-layer.zip").read_bytes() == built[0].read_bytes()


def test_build_leaves_nothing_but_the_zip(copy):
    before = set(copy.rglob("*"))

    build("--python", VERSION, layer=copy)

    assert set(copy.rglob("*")) - before == {copy / "shared-layer.zip"}


@pytest.mark.parametrize("name", ["._validators.py", ".#validators.py"])
def test_what_systems_and_editors_leave_is_not_built(built, copy, name):
    """AppleDouble files and Emacs' locks, which are links that lead nowhere."""
    (copy / "python" / "shared_utils" / name).symlink_to("nobody@nowhere.1:2")

    run = build("--python", VERSION, layer=copy)

    assert run.returncode == 0, run.stderr
    assert (copy / "shared-layer.zip").read_bytes() == built[0].read_bytes()


# --- what is in it --------------------------------------------------------------------------------


@pytest.mark.threat("something-in-the-zip")
def test_entries_are_the_sources_and_their_bytecode_and_nothing_else(archive):
    cached = [f"{ENTRY}__pycache__/{name[:-3]}.{TAG}.pyc" for name in SOURCES]
    sources = [f"{ENTRY}{name}" for name in SOURCES + OTHER_FILES]

    assert sorted(archive.namelist()) == sorted(sources + cached)


def test_entries_are_sorted_and_have_one_date_and_mode(archive):
    entries = archive.infolist()

    assert [e.filename for e in entries] == sorted(e.filename for e in entries)
    assert {e.date_time for e in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {e.external_attr >> 16 for e in entries} == {stat.S_IFREG | 0o644}
    assert {e.create_system for e in entries} == {3}


@pytest.mark.parametrize("name", [*SOURCES[1:], *OTHER_FILES])
def test_file_has_the_content_of_the_folder(archive, name):
    assert archive.read(ENTRY + name) == (PACKAGE / name).read_bytes()


def test_init_differs_in_its_digest_only(archive):
    shipped = archive.read(f"{ENTRY}__init__.py").decode()

    digest = re.search(r'^__build__ = "([0-9a-f]{16})"$', shipped, re.M)[1]

    assert shipped.replace(digest, "source") == (PACKAGE / "__init__.py").read_text()


def test_digest_is_that_of_the_sources(built):
    content = b""
    for name in SOURCES + OTHER_FILES:
        source = (PACKAGE / name).read_bytes()
        content += f"{name} {len(source)}\n".encode() + source

    assert f"build  {hashlib.sha256(content).hexdigest()[:16]}\n" in built[1]


def test_digest_changes_with_a_source(built, copy):
    with (copy / "python" / "shared_utils" / "table_names.py").open("a") as source:
        source.write("# one more line\n")

    run = build("--python", VERSION, layer=copy)

    assert re.search(r"build  \w+", run.stdout)[0] != re.search(r"build  \w+", built[1])[0]


def test_build_prints_size_digest_and_biggest_entries(built, archive):
    content = built[0].read_bytes()
    sizes = {e.filename: e.compress_size for e in archive.infolist()}
    biggest = sorted(sizes.items(), key=lambda item: -item[1])[:5]

    lines = built[1].splitlines()

    assert lines[0] == f"shared-layer.zip: {len(content):,} bytes for Python {VERSION}"
    assert lines[1].split() == ["sha256", hashlib.sha256(content).hexdigest()]
    assert [line.split() for line in lines[3:]] == [[f"{size:,}", name] for name, size in biggest]


# --- bytecode -------------------------------------------------------------------------------------


def code_objects(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from code_objects(constant)


@pytest.mark.parametrize("name", SOURCES)
class TestBytecode:
    def test_header_is_this_versions_and_needs_no_check(self, archive, name):
        """Bit 0: by hash, not by date; bit 1, which asks for the check, is not set (PEP 552)."""
        content = archive.read(f"{ENTRY}__pycache__/{name[:-3]}.{TAG}.pyc")

        assert content[:4] == importlib.util.MAGIC_NUMBER
        assert int.from_bytes(content[4:8], "little") == 1
        assert content[8:16] == importlib.util.source_hash(archive.read(ENTRY + name))

    def test_every_function_says_where_it_will_be_on_lambda(self, archive, name):
        content = archive.read(f"{ENTRY}__pycache__/{name[:-3]}.{TAG}.pyc")

        names = {code.co_filename for code in code_objects(marshal.loads(content[16:]))}  # noqa: S302

        assert names == {f"/opt/python/shared_utils/{name}"}

    def test_bytecode_is_what_the_compiler_makes_of_the_source(self, archive, name):
        """Nothing is rewritten: docstrings, annotations and lines are those of the source."""
        content = archive.read(f"{ENTRY}__pycache__/{name[:-3]}.{TAG}.pyc")
        path, source = f"/opt/{ENTRY}{name}", archive.read(ENTRY + name)
        wanted = compile(source, path, "exec", dont_inherit=True, optimize=1)

        shipped = marshal.loads(content[16:])  # noqa: S302 - our own bytes

        assert [*map(facts, code_objects(shipped))] == [*map(facts, code_objects(wanted))]


def facts(code):
    """Return what a code object does and says of itself, but for the columns of its lines."""
    constants = [c for c in code.co_consts if not isinstance(c, CodeType)]
    return code.co_qualname, code.co_code, code.co_names, constants, [*code.co_lines()]


def test_columns_of_lines_are_left_out(archive):
    """A fifth of the zip."""
    content = archive.read(f"{ENTRY}__pycache__/error_codes.{TAG}.pyc")

    codes = code_objects(marshal.loads(content[16:]))  # noqa: S302 - our own bytes

    assert {position[2:] for code in codes for position in code.co_positions()} == {(None, None)}


def test_docstrings_are_in_the_bytecode(built, tmp_path):
    """A message's is its schema's description."""
    code = """
import json, sys
sys.path.insert(0, sys.argv[1])
from shared_utils import *
from shared_utils import connections
print(json.dumps([connections.__doc__, Connections.send.__doc__, SetVolume.__doc__]))
"""
    root = unpack(built[0], tmp_path / "opt")

    run = subprocess.run(
        [sys.executable, "-I", "-B", "-c", code, root], capture_output=True, text=True, check=True
    )

    assert json.loads(run.stdout) == [
        shared_utils.connections.__doc__,
        shared_utils.Connections.send.__doc__,
        "Set the volume of the broadcast.",
    ]


def test_import_from_the_read_only_zip_compiles_and_writes_nothing(built, tmp_path):
    root = unpack(built[0], tmp_path / "opt")
    before = sorted(root.rglob("*"))

    seen = probe(root)

    assert seen["compiled"] == []
    assert seen["cached"] == [f"{m.partition('.')[2] or '__init__'}.{TAG}.pyc" for m in MODULES]
    assert seen["files"] == [str(root / "shared_utils")]
    assert seen["build"] in built[1]
    assert sorted(root.rglob("*")) == before


def test_import_runs_the_bytecode_and_never_reads_the_source(built, tmp_path):
    root = unpack(built[0], tmp_path / "opt")
    for source in (root / "shared_utils").glob("*.py"):
        source.chmod(0o644)
        source.write_text("raise SystemExit('the source was run')\n")

    assert probe(root)["compiled"] == []


def test_import_without_the_bytecode_would_compile_every_module(built, tmp_path):
    """The proof that the probe above can see it."""
    root = unpack(built[0], tmp_path / "opt")
    (root / "shared_utils").chmod(0o755)
    (root / "shared_utils" / "__pycache__").chmod(0o755)
    shutil.rmtree(root / "shared_utils" / "__pycache__")

    assert len(probe(root)["compiled"]) == len(SOURCES)


# What must not depend on what the bytecode leaves out: `assert`, and the columns of lines.
BEHAVIOUR = """
import json, sys
sys.path.insert(0, sys.argv[1])
import shared_utils as s
print(s.SetVolume(volumeLevel=0.5).to_json())
print(s.parse_message('{"action":"createSession","sourceLanguage":"en"}').to_json())
print(json.dumps([s.json_schema(c) for c in (*s.CLIENT_MESSAGES.values(), *s.SERVER_MESSAGES.values())]))
print(s.validate_message({"action": "setVolume", "volumeLevel": 2}))
print([(c, c.status, c.sentence, c.retryable) for c in s.ErrorCode])
"""


def test_shipped_bytecode_behaves_as_the_source(built, tmp_path):
    root = unpack(built[0], tmp_path / "opt")
    run = [sys.executable, "-I", "-B", "-c", BEHAVIOUR]

    shipped = subprocess.run([*run, root], capture_output=True, text=True, check=True)
    source = subprocess.run([*run, PACKAGE.parent], capture_output=True, text=True, check=True)

    assert shipped.stdout.splitlines() == source.stdout.splitlines()


# --- several versions -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "other", OTHERS or [pytest.param("", marks=pytest.mark.skip(reason="no other CPython here"))]
)
def test_two_versions_stand_side_by_side(built, tmp_path, other):
    path = tmp_path / "both.zip"

    run = build("--python", f"{other},{VERSION}", "--output", path)

    assert run.returncode == 0, run.stderr
    root = unpack(path, tmp_path / "opt")
    with zipfile.ZipFile(path) as both, zipfile.ZipFile(built[0]) as one:
        added = set(both.namelist()) - set(one.namelist())
        assert {name: both.read(name) for name in one.namelist()} == {
            name: one.read(name) for name in one.namelist()
        }
    tag = f"cpython-{other.replace('.', '')}"
    assert added == {f"{ENTRY}__pycache__/{name[:-3]}.{tag}.pyc" for name in SOURCES}
    assert probe(root, PYTHONS[other])["compiled"] == []
    assert probe(root)["compiled"] == []


@pytest.mark.parametrize("version", ["3.99", *MISSING])
def test_version_that_is_not_here_is_named_and_nothing_is_built(tmp_path, version):
    run = build("--python", f"{VERSION},{version}", "--output", tmp_path / "never.zip")

    assert run.returncode == 1
    assert run.stderr == f"build.sh: CPython {version} was asked for and is not on this machine\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("3.10", id="too-old"),
        pytest.param("3.9", id="one-digit"),
        pytest.param("3.11.7", id="three-parts"),
        pytest.param("3.11 ", id="white-space"),
        pytest.param("3.11\n", id="line-break"),
        pytest.param("3.1\u0661", id="other-digits"),
        pytest.param("4.0", id="python-4"),
        pytest.param("python3.11", id="command"),
        pytest.param("../../bin/sh", id="path"),
        pytest.param("*", id="wildcard"),
    ],
)
def test_version_that_makes_no_sense_is_refused(tmp_path, value):
    run = build("--python", value, "--output", tmp_path / "never.zip")

    assert run.returncode == 1
    assert "--python takes versions from 3.11, like 3.11,3.13; got " in run.stderr
    assert "Traceback" not in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_machine_without_a_python_shows_what_is_needed(tmp_path):
    environ = {"PYTHON": "/nowhere", "HOME": str(tmp_path), "PATH": str(tmp_path)}
    script = (LAYER / "build.sh").read_text().replace("/usr/bin/python3.11", "/nowhere")
    (tmp_path / "build.sh").write_text(script.replace("dirname", "/usr/bin/dirname"))

    run = subprocess.run(
        ["/bin/bash", tmp_path / "build.sh"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert run.stderr == "build.sh: Python 3.11 or newer with zlib is needed, and none was found\n"


@pytest.mark.parametrize(
    "python",
    [
        pytest.param('case "$*" in *version_info*) exit 1;; esac; exec {} "$@"', id="too-old"),
        pytest.param('case "$*" in *zlib*) exit 1;; esac; exec {} "$@"', id="without-zlib"),
        pytest.param("exit 127", id="shim-of-nothing"),
    ],
)
def test_python_that_cannot_build_is_passed_over(tmp_path, python):
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in (("python3.11", python), ("python3", 'exec {} "$@"')):
        (folder / name).write_text("#!/bin/sh\n" + script.replace("{}", sys.executable))
        (folder / name).chmod(0o755)
    path = tmp_path / "x.zip"

    run = build(
        "--python",
        VERSION,
        "--output",
        path,
        PYTHON="/nowhere",
        PATH=f"{folder}:/usr/bin:/bin",
        HOME=str(tmp_path),
    )

    assert (run.returncode, run.stderr) == (0, "")
    assert path.exists()


# --- sizes ----------------------------------------------------------------------------------------


def noise(num_bytes):
    """Return text of twice as many characters that a zip can only halve."""
    return random.Random(0).randbytes(num_bytes).hex()  # noqa: S311 - not a secret


# What it has, 429,000 bytes (DynamoDB's client is a sixth of it), and a tenth of room: it rings when
# something large was added unnoticed. Then look at what the build prints, and raise it if each file is
# worth its bytes.
MAX_ZIP_BYTES = 472_000


def test_zip_for_one_python_is_within_its_budget(built):
    assert built[0].stat().st_size <= MAX_ZIP_BYTES


def test_refused_build_leaves_the_zip_of_the_one_before(copy):
    (copy / "shared-layer.zip").write_bytes(b"the one before")
    with (copy / "python" / "shared_utils" / "py.typed").open("wb") as file:
        file.truncate(50 * 1024 * 1024)

    run = build("--python", VERSION, layer=copy)

    assert run.returncode == 1
    assert (copy / "shared-layer.zip").read_bytes() == b"the one before"


def test_more_than_50_mb_unzipped_is_refused(copy, tmp_path):
    with (copy / "python" / "shared_utils" / "py.typed").open("wb") as file:
        file.truncate(50 * 1024 * 1024)

    run = build("--python", VERSION, "--output", tmp_path / "never.zip", layer=copy)

    assert run.returncode == 1
    assert re.fullmatch(
        r"build.sh: 5\d,\d{3},\d{3} bytes unzipped, 52,428,800 are allowed\n", run.stderr
    )
    assert list(tmp_path.glob("never*")) == []


# --- requirements ---------------------------------------------------------------------------------


@pytest.fixture
def wheel(tmp_path):
    """Return a wheel with a package of 300,000 bytes that hardly compress."""
    path = tmp_path / "tiny_tool-1.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: tiny-tool\nVersion: 1.0\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_tool/__init__.py", f'DATA = "{noise(149_996)}"\n'[:300_000])
        archive.writestr("tiny_tool-1.0.dist-info/METADATA", metadata)
        archive.writestr(
            "tiny_tool-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("tiny_tool-1.0.dist-info/RECORD", "")
    return path


@pytest.mark.slow
def test_requirement_is_installed_and_costed(copy, wheel, tmp_path):
    with (copy / "requirements.txt").open("a") as file:
        file.write(f"{wheel.as_uri()}\n")
    path = tmp_path / "with.zip"

    run = build("--python", VERSION, "--output", path, layer=copy)

    assert run.returncode == 0, run.stderr
    assert "  requirement tiny_tool: 300,000 bytes unzipped\n" in run.stdout
    with zipfile.ZipFile(path) as archive:
        assert "python/tiny_tool/__init__.py" in archive.namelist()
        assert f"{ENTRY}structured_logger.py" in archive.namelist()


@pytest.mark.slow
def test_requirement_that_does_not_exist_stops_the_build(copy, tmp_path):
    with (copy / "requirements.txt").open("a") as file:
        file.write(f"file://{tmp_path}/absent-1.0-py3-none-any.whl\n")

    run = build("--python", VERSION, "--output", tmp_path / "never.zip", layer=copy)

    assert run.returncode == 1
    assert "absent-1.0" in run.stderr
    assert "Traceback" not in run.stderr
    assert list(tmp_path.glob("never*")) == []


@pytest.mark.parametrize("content", ["def\n", "\0\n"], ids=["syntax", "null-byte"])
def test_module_that_does_not_compile_stops_the_build_and_is_named(copy, tmp_path, content):
    (copy / "python" / "shared_utils" / "broken.py").write_text(content)

    run = build("--python", VERSION, "--output", tmp_path / "never.zip", layer=copy)

    assert run.returncode == 1
    assert re.fullmatch(r"build.sh: broken.py does not compile: .+\n", run.stderr)
    assert list(tmp_path.glob("never*")) == []


def test_link_that_leads_nowhere_stops_the_build_and_is_named(copy, tmp_path):
    (copy / "python" / "shared_utils" / "dangling.py").symlink_to("nowhere.py")

    run = build("--python", VERSION, "--output", tmp_path / "never.zip", layer=copy)

    assert run.returncode == 1
    assert re.fullmatch(
        r"build.sh: .*/dangling.py is no file, or a link that leads nowhere\n", run.stderr
    )
    assert list(tmp_path.glob("never*")) == []


def test_name_that_is_not_utf_8_stops_the_build_and_is_shown(copy, tmp_path):
    (copy / "python" / "shared_utils" / os.fsdecode(b"caf\xe9.py")).write_text("")

    run = build("--python", VERSION, "--output", tmp_path / "never.zip", layer=copy)

    assert run.returncode == 1
    assert re.fullmatch(
        r"build.sh: rename '.*caf\\udce9.py', whose name is not UTF-8\n", run.stderr
    )


@pytest.mark.parametrize(
    ("output", "text"),
    [
        pytest.param("/dev/null/x.zip", "/dev/null cannot be used: ", id="below-a-file"),
        pytest.param("/proc/x.zip", "/proc/x.partial cannot be used: ", id="not-writable"),
        pytest.param("{}/folder.zip", "folder.zip cannot be used: Is a directory", id="a-folder"),
    ],
)
def test_output_that_cannot_be_written_is_named(tmp_path, output, text):
    (tmp_path / "folder.zip").mkdir()

    run = build("--python", VERSION, "--output", output.format(tmp_path))

    assert run.returncode == 1
    assert re.fullmatch(rf"build.sh: .*{re.escape(text)}.*\n", run.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.zip"]


def test_source_that_is_missing_is_named(copy, tmp_path):
    (copy / "requirements.txt").unlink()

    run = build("--python", VERSION, "--output", tmp_path / "never.zip", layer=copy)

    assert run.returncode == 1
    assert run.stderr == (
        f"build.sh: {copy}/requirements.txt cannot be used: No such file or directory\n"
    )


def test_init_without_its_build_line_stops_the_build(copy, tmp_path):
    (copy / "python" / "shared_utils" / "__init__.py").write_text('"""Nothing."""\n')

    run = build("--python", VERSION, "--output", tmp_path / "never.zip", layer=copy)

    assert run.returncode == 1
    assert '__init__.py must hold the line __build__ = "source" once' in run.stderr


# --- a function's zip -----------------------------------------------------------------------------

HANDLER = "from rules.prices import price\n\ndef handler(event, context):\n    return price(2)\n"


@pytest.fixture
def function(tmp_path):
    """Return a folder with a function's code, and what systems and tests leave in it."""
    folder = tmp_path / "function"
    files = {
        "app.py": HANDLER,
        "rules/__init__.py": "",
        "rules/prices.py": '"""Prices."""\n\ndef price(count):\n    return 3 * count\n',
        "rules/table.json": "{}",
        "rules/__pycache__/prices.cpython-399.pyc": "stale",
        "rules/._prices.py": "of another system",
        "tests/test_app.py": "raise SystemExit",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def build_function(function, path, *, python=VERSION, **environ):
    paths = (function / "rules", function / "app.py")
    return build("--python", python, "--function", *paths, "--output", path, **environ)


def test_functions_zip_has_what_was_named_with_bytecode(function, tmp_path):
    path = tmp_path / "function.zip"

    run = build_function(function, path)

    assert run.returncode == 0, run.stderr
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [
            f"__pycache__/app.{TAG}.pyc",
            "app.py",
            "rules/__init__.py",
            f"rules/__pycache__/__init__.{TAG}.pyc",
            f"rules/__pycache__/prices.{TAG}.pyc",
            "rules/prices.py",
            "rules/table.json",
        ]
        source = archive.read("rules/prices.py")
        content = archive.read(f"rules/__pycache__/prices.{TAG}.pyc")
    assert content[:4] == importlib.util.MAGIC_NUMBER
    assert content[4:16] == (1).to_bytes(4, "little") + importlib.util.source_hash(source)
    names = {code.co_filename for code in code_objects(marshal.loads(content[16:]))}  # noqa: S302
    assert names == {"/var/task/rules/prices.py"}


def test_functions_zip_has_the_same_bytes_in_other_circumstances(function, tmp_path):
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    build_function(function, first)
    copy = shutil.copytree(function, tmp_path / "some where else" / "function")
    for file in copy.rglob("*.py"):
        os.utime(file, (1_500_000_000, 1_500_000_000))
        file.chmod(0o600)

    run = build_function(copy, second, TZ="Asia/Tokyo", PYTHONHASHSEED="4242", LC_ALL="C")

    assert run.returncode == 0, run.stderr
    assert second.read_bytes() == first.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        pytest.param(["rules"], 2, "--function needs --output, too", id="no-output"),
        pytest.param(
            ["nowhere", "--output", "never.zip"],
            1,
            "build.sh: nowhere is no file, and no folder with files in it",
            id="no-such-folder",
        ),
    ],
)
def test_functions_zip_that_cannot_be_made_is_refused(function, arguments, code, text):
    run = build("--function", *arguments, "--python", VERSION, cwd=function)

    assert run.returncode == code
    assert text in run.stderr
    assert "Traceback" not in run.stderr
    assert list(function.rglob("*.zip")) == []


def test_functions_module_that_does_not_compile_is_named_with_its_folder(function, tmp_path):
    (function / "rules" / "broken.py").write_text("def\n")

    run = build_function(function, tmp_path / "never.zip")

    assert run.returncode == 1
    assert re.fullmatch(r"build.sh: rules/broken.py does not compile: .+\n", run.stderr)


# --- a function's zip with wheels -----------------------------------------------------------------


@pytest.fixture
def make_wheel(tmp_path):
    """Return a function that writes a wheel with these files, and a lock file that pins it."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    lock = tmp_path / "lock.txt"
    lock.touch()

    def make_wheel(name="money-1.0-py3-none-any.whl", **files):
        files = {"money/__init__.py": "ONE = 1\n", **files}
        with zipfile.ZipFile(folder / name, "w") as archive:
            for path, content in files.items():
                archive.writestr(path, content)
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        with lock.open("a") as lines:
            lines.write(f"money==1.0 \\\n    --hash=sha256:{digest}\n")
        return folder, lock

    return make_wheel


def build_with_wheels(function, path, wheels, lock, **environ):
    named = ("--function", function / "app.py", "--wheels", wheels, "--lock", lock)
    return build("--python", VERSION, *named, "--output", path, **environ)


def test_functions_zip_has_what_its_wheels_hold_with_bytecode(function, make_wheel, tmp_path):
    licence = "money-1.0.dist-info/licenses/LICENSE"
    files = {"money/_fast.so": b"machine code", licence: "free"}
    wheels, lock = make_wheel(**files, **{"money-1.0.dist-info/RECORD": "money/__init__.py,,\n"})
    path = tmp_path / "function.zip"

    run = build_with_wheels(function, path, wheels, lock)

    assert run.returncode == 0, run.stderr
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [
            f"__pycache__/app.{TAG}.pyc",
            "app.py",
            "money/__init__.py",
            f"money/__pycache__/__init__.{TAG}.pyc",
            "money/_fast.so",
            licence,
        ]
        assert archive.read("money/_fast.so") == b"machine code"


def test_functions_zip_with_wheels_has_the_same_bytes_again(function, make_wheel, tmp_path):
    wheels, lock = make_wheel()
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    build_with_wheels(function, first, wheels, lock)

    run = build_with_wheels(function, second, wheels, lock, TZ="Asia/Tokyo", PYTHONHASHSEED="4242")

    assert run.returncode == 0, run.stderr
    assert second.read_bytes() == first.read_bytes()


@pytest.mark.parametrize(
    ("files", "text"),
    [
        pytest.param({"app.py": ""}, "app.py is in money-1.0-py3-none-any.whl, and", id="double"),
        pytest.param({"money-1.0.data/scripts/m": ""}, "has files for other places", id="data"),
    ],
)
def test_wheel_that_does_not_fit_beside_the_function_is_refused(
    function, make_wheel, tmp_path, files, text
):
    wheels, lock = make_wheel(**files)

    run = build_with_wheels(function, tmp_path / "never.zip", wheels, lock)

    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert text in run.stderr


@pytest.mark.threat("changed-dependency")
def test_wheel_that_the_lock_does_not_pin_is_refused(function, make_wheel, tmp_path):
    wheels, lock = make_wheel()
    lock.write_text("money==1.0 --hash=sha256:" + 64 * "0")

    run = build_with_wheels(function, tmp_path / "never.zip", wheels, lock)

    wanted = "build.sh: money-1.0-py3-none-any.whl is none of those that lock.txt pins\n"
    assert (run.returncode, run.stderr) == (1, wanted)


def test_folder_without_wheels_and_wheels_without_a_lock_are_refused(function, tmp_path):
    (tmp_path / "empty").mkdir()
    empty = build_with_wheels(function, tmp_path / "never.zip", tmp_path / "empty", tmp_path)
    options = ("--function", function / "app.py", "--wheels", tmp_path, "--output", tmp_path / "x")
    alone = build("--python", VERSION, *options)

    assert (empty.returncode, "there are no wheels in" in empty.stderr) == (1, True)
    assert (alone.returncode, "go together" in alone.stderr) == (2, True)
