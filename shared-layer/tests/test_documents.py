"""What the README says is so: its examples run, its numbers are counted, its names exist."""

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import shared_utils
from shared_utils import (
    _cleaning,
    _dynamodb_batches,
    _dynamodb_calls,
    dynamodb,
    records,
    testing,
    validators,
)

LAYER = Path(__file__).parent.parent
PACKAGE = LAYER / "python" / "shared_utils"
README = (LAYER / "README.md").read_text()
FENCE = re.compile(r"^```(\w+)?( \w+)?\n(.*?)^```$(?:\n```json\n(.*?)^```$)?", re.M | re.S)
BLOCKS = [
    (
        README[: match.start()].count("\n") + 1,
        match[1],
        (match[2] or "").strip(),
        match[3],
        match[4],
    )
    for match in FENCE.finditer(README)
]
PROSE = FENCE.sub("", README)


def blocks(language, kind):
    return [
        pytest.param(code, expected, id=f"line-{line}")
        for line, fence, of, code, expected in BLOCKS
        if (fence, of) == (language, kind)
    ]


# --- examples -------------------------------------------------------------------------------------


def run_example(code, folder):
    """Return what an example prints, as a file of its own in a fresh interpreter."""
    (folder / "example.py").write_text(code)
    run = subprocess.run(
        [sys.executable, "-W", "error", "example.py"],
        cwd=folder,
        env={"PYTHONPATH": str(PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.stderr == ""
    return run.stdout.splitlines()


def without_the_moment(line):
    """Return a line's members without what is another in each run."""
    line["timestamp"] = "..."
    line.get("_aws", {})["Timestamp"] = 0
    line.get("context", {}).pop("environment", None)
    return {name: value for name, value in line.items() if value != {}}


SHOWN = blocks("python", "")


@pytest.mark.parametrize(("code", "expected"), [p for p in SHOWN if p.values[1]])
def test_example_writes_the_line_that_is_shown(tmp_path, code, expected):
    [line] = run_example(code, tmp_path)

    assert list(without_the_moment(json.loads(line)).items()) == list(json.loads(expected).items())


@pytest.mark.parametrize("code", [p.values[0] for p in SHOWN if not p.values[1]])
def test_example_prints_what_its_comments_say(tmp_path, code):
    printed = run_example(code, tmp_path)

    said = re.findall(r"^ *print\(.*\)  # (.*)$", code, re.M)
    assert [line for line in printed if line in said] == said


def test_contracts_example_writes_its_line(tmp_path):
    [line] = run_example(SHOWN[0].values[0], tmp_path)

    assert without_the_moment(json.loads(line)) == {
        "timestamp": "...",
        "level": "INFO",
        "component": "MyFunction",
        "message": "Function started",
    }


def test_first_line_says_the_environment(tmp_path):
    [line] = run_example(SHOWN[0].values[0], tmp_path)

    environment = json.loads(line)["context"]["environment"]
    assert environment["layerVersion"] == shared_utils.__version__
    assert environment["layerDigest"] == "source"


@pytest.mark.parametrize(("code", "expected"), blocks("python", "cdk"))
def test_example_that_needs_the_cdk_is_python(code, expected):
    """Whether the CDK takes it is for the stack's own tests: the CDK is not installed here."""
    assert ast.parse(code).body
    assert expected is None


@pytest.mark.slow
def test_example_for_pytest_passes(tmp_path):
    """As with the wheel installed, whose entry point names the plugin."""
    [code] = [p.values[0] for p in blocks("python", "pytest")]
    (tmp_path / "test_mine.py").write_text(code)
    paths = [str(PACKAGE.parent), str(LAYER / "pytest_plugin")]

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "pytest_shared_utils", "test_mine.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 passed" in run.stdout


def test_command_for_pip_is_the_one_that_the_wheels_tests_run():
    assert [p.values[0] for p in blocks("sh", "pip")] == ["pip install ./shared-layer\n"]
    assert (LAYER / "pyproject.toml").exists()


@pytest.mark.parametrize(("code", "expected"), blocks("sh", "aws"))
def test_command_that_needs_an_account_is_well_formed(code, expected):
    subprocess.run(["bash", "-n"], input=code, text=True, check=True)

    assert code.startswith("aws lambda ")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a copy of the layer with its zip for Python 3.11, or for ours if that is not here."""
    folder = tmp_path_factory.mktemp("documents") / "shared-layer"
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "tests", "*.zip")
    shutil.copytree(LAYER, folder, ignore=unwanted)
    (folder / "bin").mkdir()
    (folder / "bin" / "python3").symlink_to(sys.executable)
    version = f"3.{sys.version_info.minor}"
    environ = {**os.environ, "PYTHON": sys.executable}
    command = [folder / "build.sh", "--python", version]
    subprocess.run(command, env=environ, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    "code", [p.values[0] for p in blocks("sh", "") if "build.sh" not in p[0][0]]
)
def test_command_finds_what_it_looks_for(built, code):
    run = subprocess.run(
        ["bash", "-o", "pipefail", "-c", code],
        cwd=built,
        env={"PATH": f"{built / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert re.search(rf"shared_utils|^{sys.implementation.cache_tag}$", run.stdout)


def test_list_of_the_biggest_files_ends_with_the_biggest(built):
    [code] = [p.values[0] for p in blocks("sh", "") if "sort -nk4" in p.values[0]]
    environ = {"PATH": f"{built / 'bin'}:{os.environ['PATH']}"}

    listed = subprocess.run(
        ["bash", "-c", code], cwd=built, env=environ, capture_output=True, text=True, check=True
    )

    with zipfile.ZipFile(built / "shared-layer.zip") as archive:
        biggest = max(archive.infolist(), key=lambda entry: entry.file_size)
    assert listed.stdout.splitlines()[-1].split()[0] == biggest.filename


def test_layers_tests_run_as_the_readme_says():
    assert [p.values[0] for p in blocks("sh", "test")] == ["python -m pytest tests/\n"]
    assert (LAYER / "conftest.py").exists()


BUFFERED = """
from shared_utils import configure_lambda_logging, get_structured_logger, invocation
configure_lambda_logging(level="INFO", buffer_debug_bytes=20_000)
logger = get_structured_logger("Buffered")
with invocation({}):
    logger.debug("kept")
    logger.error("failed")
with invocation({}):
    logger.debug("forgotten")
"""


def test_debug_lines_are_buffered_as_the_readme_says(tmp_path):
    """With Lambda's level at DEBUG and ours at INFO."""
    code = "import os\nos.environ['AWS_LAMBDA_LOG_LEVEL'] = 'DEBUG'\n" + BUFFERED

    lines = [json.loads(line) for line in run_example(code, tmp_path)]

    assert [(line["level"], line["message"]) for line in lines] == [
        ("DEBUG", "kept"),
        ("ERROR", "failed"),
    ]


# --- numbers --------------------------------------------------------------------------------------


def load_build():
    spec = importlib.util.spec_from_file_location("layer_build", LAYER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BUILD = load_build()
FACTS = [
    f"the {len(shared_utils.TABLES)} tables",
    f"one of the {len(shared_utils.TABLES)} tables",
    f"{len(sys.modules['shared_utils.error_codes']._OLDER_SPELLINGS)} older spellings",
    f"{_cleaning.MAX_FIELD_CHARS:,} characters per value, {_cleaning.MAX_DEPTH} levels,"
    f" {_cleaning.MAX_LINE_BYTES // 1024} KB per line",
    f"a message {validators.MAX_MESSAGE_BYTES:,} bytes, a frame {validators.MAX_FRAME_BYTES:,}, a"
    f" control message {validators.MAX_CONTROL_MESSAGE_BYTES:,}, a chunk of raw audio"
    f" {validators.MIN_AUDIO_CHUNK_BYTES} to {validators.MAX_AUDIO_CHUNK_BYTES:,} bytes",
    f"fails above {BUILD.MAX_UNZIPPED_BYTES // 1024**2} MB unzipped.",
    f"above {BUILD.MAX_UNZIPPED_BYTES // 1024**2} MB unzipped, so that",
    f"the default is {BUILD.DEFAULT_PYTHON}",
    f"a client's message has {shared_utils.ClientMessage.max_bytes:,} bytes unless",
    f"most {records.MAX_DEPTH} levels deep and holds at most {records.MAX_VALUES:,} values",
    f"without `max_length` holds {records.MAX_ITEMS:,} items",
    *(f"| `{name}` | {value:g} |" for name, value in dynamodb._USUAL_NUMBERS.items()),
    f"doubled each time, at most {_dynamodb_calls._MAX_PAUSE_SECONDS:g} s",
    f"{_dynamodb_batches._MAX_WRITES} per request, each done",
    f"within a request of {_dynamodb_batches._MAX_WRITES} DynamoDB refuses them",
]
# What is nobody's constant: examples, and facts with a source of their own beside them.
GIVEN = [
    "a KB is 1,024 bytes",
    *("CPython 3.11 to 3.14, x86_64 and arm64", "every Python from 3.11 to 3.14", "3.11 or newer"),
    *("on CPython 3.14.2 in WebAssembly, 2026-12-01", "as on 3.11"),
    *("--python 3.11,3.13", "have 250 MB unzipped, and at most 5 layers", '"audio", 100)'),
    *("every 100 calls", "buffer_debug_bytes=20_000", "window_seconds=10", "at most 10 seconds"),
    "`0` or `off`",
    "takes 2 ms of a cold start",
    "docs.aws.amazon.com/cdk/api/v2/",
    *("a wrong checksum, a 5xx", "always a 5xx"),
]


def one_line(text):
    return " ".join(text.split())


@pytest.mark.parametrize("fact", FACTS)
def test_number_is_the_real_one(fact):
    assert fact in one_line(PROSE)


@pytest.mark.parametrize("words", GIVEN)
def test_number_that_is_given_is_still_used(words):
    assert words in one_line(PROSE)


def test_no_other_number_is_claimed():
    """Every number of the prose is counted or listed above, and so is one that is added."""
    text = one_line(PROSE)
    said = "|".join(re.escape(words) for words in sorted([*FACTS, *GIVEN], key=len, reverse=True))

    rest = re.sub(said + r"|about [0-9]+ KB|boto3", "", text)

    assert re.findall(r".{20}[0-9].{0,20}", rest) == []


def test_size_of_the_zip_is_the_real_one_to_a_tenth(built):
    """Another Python's bytecode, and another zlib, differ by a few per cent."""
    said = int(re.search(r"The zip has about ([0-9]+) KB", README)[1]) * 1024

    assert (built / "shared-layer.zip").stat().st_size == pytest.approx(said, rel=0.1)


# --- names ----------------------------------------------------------------------------------------


def test_table_of_contents_is_the_folder():
    listed = re.findall(r"^\| `(\w+)` \| ", README.partition("## Structure")[0], re.M)

    assert sorted(listed) == sorted(p.stem for p in PACKAGE.glob("*.py") if p.stem[0] != "_")


def test_tree_is_the_folder():
    [tree] = [code for _, language, _, code, _ in BLOCKS if language is None]
    names = re.findall(r"^    (\S+)(?:  (\S+))? {2,}", tree, re.M)

    listed = {name.rstrip("/") for pair in names for name in pair if name}

    made = {path for path in LAYER.iterdir() if path.suffix == ".zip" or path.name[0] in "._"}
    kept = {path.name for path in LAYER.iterdir()} - {path.name for path in made}
    assert listed == kept - {"README.md", "conftest.py", "python"} | {"python/shared_utils"}
    assert [name for name in listed if not (LAYER / name).exists()] == []


LOGGER, EMITTER = shared_utils.StructuredLogger, shared_utils.MetricsEmitter
BUILTINS = {"TypeError", "ValueError"}
CALLED = re.findall(r"`([\w.]+)\([^`]*\)`", PROSE)
MENTIONED = re.findall(
    r"`((?:[A-Z][a-z0-9]+){2,}|(?:validate|parse|error|emit|configure|flush)_\w+)`", PROSE
)
NAMESPACES = [shared_utils, LOGGER, EMITTER, testing]


OTHERS = BUILTINS | shared_utils.METRICS.keys() | {"WebSocketAudio"}


@pytest.mark.parametrize("name", sorted({*CALLED, *MENTIONED} - OTHERS))
def test_name_exists(name):
    last = name.rpartition(".")[2]

    assert [space for space in NAMESPACES if hasattr(space, last)] != []


@pytest.mark.parametrize("name", re.findall(r"`(\w+)=[^`]*`", PROSE))
def test_parameter_exists(name):
    of_error_lines = {"error", "exc_info"}
    of_handlers = shared_utils.WebSocketHandler.__init__.__kwdefaults__
    of_logging = shared_utils.configure_lambda_logging.__code__.co_varnames

    assert name in of_error_lines.union(of_handlers, of_logging)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\b(?:[A-Z]+_){2,}[A-Z]+\b", PROSE))))
def test_code_or_variable_exists(name):
    variables = documented_variables() | {"RATE_LIMIT_EXCEEDED"}

    assert name in {*shared_utils.ErrorCode.__members__, *variables}


# --- environment variables ------------------------------------------------------------------------

VARIABLE = re.compile(r"_?[A-Z]+(_[A-Z]+)+|[a-z]+_proxy")


def documented_variables():
    chapter = README.partition("## Environment variables")[2].partition("\n## ")[0]
    return {name for name in re.findall(r"`(\w+)`", chapter) if VARIABLE.fullmatch(name)}


def variables_read():
    """Return the strings that look like a variable in what mentions the environment, and the tables'."""
    found = set()
    for path in PACKAGE.glob("*.py"):
        tree = ast.parse(path.read_text())
        for node in [*ast.walk(tree)]:
            if isinstance(node, (ast.FunctionDef, ast.If, ast.Assign)) and "environ" in (
                ast.unparse(node)
            ):
                strings = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
                strings = [s.decode() if isinstance(s, bytes) else s for s in strings]
                found |= {s for s in strings if isinstance(s, str) and VARIABLE.fullmatch(s)}
    tables = {table.variable for table in shared_utils.TABLES.values()}
    return found | tables | {name.removesuffix("_NAME") for name in tables}


def test_environment_variables_are_those_that_the_code_reads():
    assert documented_variables() == variables_read()


def test_defaults_are_the_real_ones(monkeypatch):
    monkeypatch.delenv("METRICS_NAMESPACE", raising=False)

    assert "INFO (default)" in README
    assert sys.modules["shared_utils.structured_logger"]._level_from({}) == "INFO"
    assert f"(default `{shared_utils.MetricsEmitter().namespace}`)" in README
