"""What may import what, what an import may cost, and what is public: read from the sources."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import shared_utils

PACKAGE = Path(shared_utils.__file__).parent
PATHS = {path.stem: path for path in sorted(PACKAGE.glob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in PATHS.items()}
PUBLIC = [name for name in PATHS if name[0] != "_" and name != "testing"]

# "may import", at the top of a module or inside a function. Every module may use `LEAF`, too.
ARROWS = {
    "__init__": set(),
    "_json": set(),
    "_redaction": {"_secret_texts"},
    "_secret_texts": set(),
    "_invocation": set(),
    "_stdout": {"_json"},
    "_cleaning": {"_json", "_redaction"},
    "_exceptions": {"_cleaning"},
    "_line": {"_exceptions", "_invocation"},
    "_values": set(),
    "_patterns": set(),
    "_functions": set(),
    "_event_loop": set(),
    "_attributes": set(),
    "error_codes": set(),
    "table_names": {"error_codes"},
    "structured_logger": {"_functions", "_invocation", "_line", "_stdout"},
    "_emf": set(),
    "metrics_emitter": {"_emf", "_functions", "_invocation", "_stdout"},
    "validators": {"_values", "error_codes"},
    "_kinds": {"_values", "error_codes"},
    "_annotations": {"_kinds", "_values", "_patterns", "error_codes"},
    "records": {"_annotations", "_kinds", "_values", "error_codes"},
    "_http1": set(),
    "_sigv4": set(),
    "_aws_endpoint": {"error_codes"},
    "_signed_http": {"_aws_endpoint", "_http1", "_sigv4"},
    "connections": {"_signed_http", "_aws_endpoint", "error_codes"},
    "_dynamodb_endpoint": {"_aws_endpoint"},
    "_dynamodb_requests": {"_attributes"},
    "_dynamodb_calls": {
        *("_dynamodb_requests", "_attributes", "_signed_http", "_http1", "_aws_endpoint"),
        "error_codes",
    },
    "_dynamodb_batches": {"_dynamodb_calls", "_dynamodb_requests", "_attributes"},
    "dynamodb": {
        *("_dynamodb_batches", "_dynamodb_calls", "_dynamodb_endpoint", "_dynamodb_requests"),
        *("_attributes", "_aws_endpoint"),
    },
    "groups": {"dynamodb", "connections", "error_codes"},
    "websocket_messages": {"records", "_kinds", "_values", "validators", "error_codes"},
    "_routes": {"_functions", "error_codes", "metrics_emitter", "records"},
    "websocket_handler": {
        *("_routes", "_functions", "_event_loop", "_values", "_invocation", "_exceptions"),
        "error_codes",
        *("records", "structured_logger", "metrics_emitter", "connections"),
    },
    "testing": {*PUBLIC},
}
# Imported by whom they may be.
LEAF = {"_json", "_cleaning", "_redaction"}
# They import nothing, or each other downwards.
LEAVES = {
    *("_json", "_redaction", "_secret_texts", "_cleaning", "_exceptions", "_invocation", "_line"),
    *("_stdout", "_emf", "_values", "_patterns", "_functions", "_event_loop"),
    *("_attributes", "_http1", "_sigv4"),
}
# By name at run time: the package's own modules, and botocore if there are no plain credentials.
# An annotation is text, and one function finds what it names.
DYNAMIC = {"__init__": ["__import__"], "_signed_http": ["import_module"], "_annotations": ["eval"]}

# What the Lambda runtime client has loaded before a function's own code; `benchmarks` measure it.
FREE_ON_LAMBDA = (
    "__future__ abc atexit codecs collections.abc contextlib decimal enum functools importlib io itertools"
    " json linecache logging math numbers operator os re reprlib string textwrap threading time"
    " tokenize traceback types warnings weakref"
).split()
CHEAP = {"_contextvars"}


def fresh(code, *arguments):
    """Run code in an interpreter without site-packages or environment; return its JSON."""
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", code, PACKAGE.parent, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    return json.loads(run.stdout)


def imported(node):
    """Return the siblings (True) and the other top-level packages (False) that a node imports."""
    if isinstance(node, ast.Import):
        return {(False, alias.name.partition(".")[0]) for alias in node.names}
    if isinstance(node, ast.ImportFrom) and not node.level:
        return {(False, node.module.partition(".")[0])}
    if isinstance(node, ast.ImportFrom) and node.module:
        return {(True, node.module)}
    return {(True, alias.name) for alias in node.names} if hasattr(node, "level") else set()


def all_imported(tree):
    return set().union(*map(imported, ast.walk(tree)))


# --- arrows ---------------------------------------------------------------------------------------


def test_every_module_has_its_arrows():
    assert set(ARROWS) == set(PATHS)


@pytest.mark.parametrize("module", PATHS)
def test_module_imports_only_the_siblings_that_it_may(module):
    found = all_imported(TREES[module])

    siblings = {name for is_sibling, name in found if is_sibling}

    assert siblings - LEAF <= ARROWS[module]


@pytest.mark.parametrize("module", PATHS)
def test_module_takes_nothing_private_of_another(module):
    found = [n for n in ast.walk(TREES[module]) if isinstance(n, ast.ImportFrom) and n.level]

    assert [a.name for node in found if node.module for a in node.names if a.name[0] == "_"] == []


def test_handler_takes_only_public_modules_and_leaves():
    """Then what it does can be done by a handler of somebody's own."""
    found = [n for n in ast.walk(TREES["websocket_handler"]) if isinstance(n, ast.ImportFrom)]

    modules = {
        alias.name for node in found if node.level and not node.module for alias in node.names
    }

    assert modules <= LEAVES


@pytest.mark.parametrize("leaf", sorted(LEAVES))
def test_leaf_imports_only_leaves(leaf):
    assert {name for is_sibling, name in all_imported(TREES[leaf]) if is_sibling} <= LEAVES


@pytest.mark.parametrize("module", PATHS)
def test_module_for_tests_is_imported_by_nobody(module):
    assert (True, "testing") not in all_imported(TREES[module])
    assert "testing" not in shared_utils._NAMES


def test_imports_have_no_circle():
    """Every module can be understood after those that it imports, also inside of functions."""
    left = {
        name: {sibling for is_sibling, sibling in all_imported(tree) if is_sibling} & set(ARROWS)
        for name, tree in TREES.items()
        if name != "__init__"
    }
    order = sorted(left, key=lambda name: (len(reachable(left, name)), name))

    assert [name for name in order if name in reachable(left, name)] == []


def reachable(arrows, start):
    found, todo = set(), set(arrows[start])
    while todo:
        found |= todo
        todo = set().union(*(arrows[name] for name in todo)) - found
    return found


# --- standard library only ------------------------------------------------------------------------


@pytest.mark.parametrize("module", PATHS)
@pytest.mark.threat("dependency-in-layer")
def test_module_imports_only_the_standard_library(module):
    others = {name for is_sibling, name in all_imported(TREES[module]) if not is_sibling}

    assert others <= sys.stdlib_module_names


@pytest.mark.parametrize("module", PATHS)
@pytest.mark.threat("code-in-data")
def test_module_imports_by_name_only_where_it_is_known(module):
    calls = (node.func for node in ast.walk(TREES[module]) if isinstance(node, ast.Call))
    names = [getattr(func, "id", getattr(func, "attr", "")) for func in calls]

    found = [name for name in names if name in ("__import__", "import_module", "exec", "eval")]

    assert found == DYNAMIC.get(module, [])


NEW_MODULES = """
import importlib, json, sys
for name in json.loads(sys.argv[2]):
    importlib.import_module(name)
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
import shared_utils
for name in json.loads(sys.argv[3]):
    getattr(shared_utils, name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def new_modules(*names, free=FREE_ON_LAMBDA):
    return set(fresh(NEW_MODULES, json.dumps(free), json.dumps(names)))


def test_import_of_everything_adds_only_cheap_standard_modules():
    """Neither the SDK nor `typing`, `dataclasses`, `datetime` and others that cost milliseconds."""
    new = new_modules(*shared_utils.__all__)

    assert {name for name in new if not name.startswith("shared_utils")} <= CHEAP
    assert {f"shared_utils.{name}" for name in PUBLIC} <= new


@pytest.mark.parametrize("module", ["dataclasses", "typing", "datetime", "uuid", "base64"])
def test_the_proof_above_can_see_an_expensive_module(module):
    """It is not loaded before the proof begins, so it would be seen."""
    code = NEW_MODULES.replace("import shared_utils\n", f"import {module} as shared_utils\n")

    assert module in fresh(code, json.dumps(FREE_ON_LAMBDA), "[]")


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        pytest.param("__version__", set(), id="nothing"),
        pytest.param("get_structured_logger", {"structured_logger"}, id="logger"),
        pytest.param("MetricsEmitter", {"metrics_emitter"}, id="metrics"),
        pytest.param("ErrorCode", {"error_codes"}, id="codes"),
        pytest.param("get_table_name", {"table_names", "error_codes"}, id="tables"),
        pytest.param("validate_volume", {"validators", "error_codes"}, id="validators"),
        pytest.param(
            "SetVolume",
            {"websocket_messages", "records", "_kinds", "validators", "error_codes"},
            id="messages",
        ),
        pytest.param("Record", {"records", "_kinds", "error_codes"}, id="records"),
        pytest.param(
            "Connections", {"connections", "_aws_endpoint", "error_codes"}, id="connections"
        ),
        pytest.param(
            "Table",
            {
                *("dynamodb", "_dynamodb_batches", "_dynamodb_calls", "_dynamodb_endpoint"),
                *("_dynamodb_requests", "_aws_endpoint", "error_codes"),
            },
            id="dynamodb",
        ),
        pytest.param(
            "Groups",
            {
                *("groups", "connections", "dynamodb", "_dynamodb_batches", "_dynamodb_calls"),
                *("_dynamodb_endpoint", "_dynamodb_requests", "_aws_endpoint", "error_codes"),
            },
            id="groups",
        ),
        pytest.param(
            "WebSocketHandler",
            {
                *("websocket_handler", "_routes", "records", "_kinds"),
                *("structured_logger", "metrics_emitter", "error_codes"),
            },
            id="handler",
        ),
    ],
)
def test_name_loads_its_module_and_what_that_needs(name, modules):
    loaded = {new for new in new_modules(name) if new.startswith("shared_utils.")}

    assert loaded - {f"shared_utils.{leaf}" for leaf in LEAVES} == {
        f"shared_utils.{module}" for module in modules
    }


# --- the package's names --------------------------------------------------------------------------


def literal_all(module):
    """Return `__all__` as its first assignment lists it."""
    assignments = [node for node in TREES[module].body if isinstance(node, ast.Assign)]
    [names] = [a.value for a in assignments if ast.unparse(a.targets[0]) == "__all__"]
    return ast.literal_eval(names)


def isort_order(name):
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


@pytest.mark.parametrize("module", [*PUBLIC, "testing"])
def test_public_names_of_a_module_are_sorted(module):
    names = literal_all(module)

    assert names == sorted(names, key=isort_order)


# Public to its siblings, which write the same invocation's lines, and to nobody else.
FOR_SIBLINGS = {
    "connections": {"checked_connection_id", "invalid_parameter", "payload_of"},
    "structured_logger": {"flush_debug_lines"},
    "records": {"read_inside", "unwrapped"},
}


@pytest.mark.parametrize("module", [*PUBLIC, "testing"])
def test_every_public_class_and_function_is_listed(module):
    defs = (ast.FunctionDef, ast.ClassDef)
    defined = {n.name for n in TREES[module].body if isinstance(n, defs) and n.name[0] != "_"}

    listed = set(vars(__import__(f"shared_utils.{module}", fromlist=["x"]))["__all__"])

    assert defined - listed == FOR_SIBLINGS.get(module, set())


@pytest.mark.parametrize("module", PUBLIC)
def test_package_offers_every_public_name_of_a_module(module):
    listed = __import__(f"shared_utils.{module}", fromlist=["x"]).__all__

    assert len(listed) == len(set(listed))
    assert sorted(shared_utils._NAMES[module].split()) == sorted(listed)


def test_no_two_modules_offer_the_same_name():
    assert len(shared_utils.__all__) == len(set(shared_utils.__all__))
    assert set(shared_utils._NAMES) == set(PUBLIC)


@pytest.mark.parametrize("name", shared_utils.__all__)
def test_name_is_its_modules(name):
    found = getattr(shared_utils, name)

    module = sys.modules[f"shared_utils.{shared_utils._MODULE_OF[name]}"]
    assert found is getattr(module, name)
    assert name in dir(shared_utils)


def test_stub_lists_the_names_that_the_package_offers():
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    aliases = {
        alias.asname: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert aliases == shared_utils._MODULE_OF


@pytest.mark.parametrize("name", ["get_structured_loger", "_secret", "", "websocket_message"])
def test_unknown_name_is_an_attribute_error(name):
    with pytest.raises(AttributeError) as caught:
        getattr(shared_utils, name)

    assert str(caught.value) == f"module 'shared_utils' has no attribute {name!r}"


def test_unknown_name_is_an_import_error():
    with pytest.raises(ImportError, match="get_structured_loger"):
        exec("from shared_utils import get_structured_loger")  # noqa: S102


def test_star_gives_every_name_and_nothing_else():
    namespace = {}

    exec("from shared_utils import *", namespace)  # noqa: S102

    assert namespace.keys() - {"__builtins__"} == set(shared_utils.__all__)


def test_version_is_three_numbers_and_build_is_not_stamped_in_the_sources():
    assert [part.isdigit() for part in shared_utils.__version__.split(".")] == [True] * 3
    assert shared_utils.__build__ == "source"


# --- form -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", PATHS)
def test_module_says_what_it_holds(module):
    """One sentence on the first line, then one thing that its reader can rely on."""
    first, _, rest = (ast.get_docstring(TREES[module]) or "").partition("\n\n")

    assert first.endswith(".")
    assert rest


@pytest.mark.parametrize("module", PATHS)
def test_module_defers_its_hints(module):
    """Evaluated hints would need `typing` at run time."""
    future = [n for n in TREES[module].body if getattr(n, "module", "") == "__future__"]

    assert [alias.name for node in future for alias in node.names] == ["annotations"]


# What a reader takes in at once; when it rings, split by subject.
MAX_MODULE_LINES, MAX_FUNCTION_LINES = 700, 45


# A list: it grows by a class for each message.
@pytest.mark.parametrize("module", sorted({*PATHS} - {"websocket_messages"}))
def test_module_and_its_functions_are_read_in_one_go(module):
    functions = [
        (node.name, node.end_lineno - node.lineno + 1)
        for node in ast.walk(TREES[module])
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]

    assert len(PATHS[module].read_text().splitlines()) <= MAX_MODULE_LINES
    assert [found for found in functions if found[1] > MAX_FUNCTION_LINES] == []


def test_package_is_marked_as_typed():
    assert (PACKAGE / "py.typed").read_bytes() == b""
