"""What may import what: one module knows the network, one the environment, and none the functions."""

import ast
from pathlib import Path

import pytest

AUTHORIZER = Path(__file__).parent.parent
MODULES = sorted(AUTHORIZER.glob("*.py"))
# By module: the siblings that it may import.
ARROWS = {
    "access_tokens": {"issuer_documents", "issuer_keys", "refusals", "token_settings"},
    "handler": {"issuer_keys", "quiet_lines", "token_authorizer", "token_settings"},
    "issuer_documents": {"timed_http", "token_settings"},
    "issuer_keys": {"issuer_documents", "refusals"},
    "policies": {"access_tokens"},
    "quiet_lines": set(),
    "refusals": set(),
    "timed_http": set(),
    "token_authorizer": {
        *("access_tokens", "issuer_documents", "issuer_keys", "policies", "quiet_lines"),
        *("refusals", "token_places", "token_settings"),
    },
    "token_places": {"refusals"},
    "token_settings": set(),
}
# By what only some may know.
USERS = {
    "http": {"issuer_documents", "timed_http"},
    "socket": {"timed_http"},
    "jwt": {"access_tokens", "issuer_documents"},
    "os": {"handler"},
}


def imported(path):
    """Return the top-level names that a module imports, for type checkers too."""
    nodes = [*ast.walk(ast.parse(path.read_text()))]
    names = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    names |= {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    return {name.partition(".")[0] for name in names}


def test_every_module_has_its_row():
    assert [path.stem for path in MODULES] == sorted(ARROWS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_module_imports_only_what_it_may(path):
    assert imported(path) & ARROWS.keys() == ARROWS[path.stem]
    assert not imported(path) & {"broadcast", "handlers", "infrastructure", "boto3", "botocore"}


@pytest.mark.parametrize("name", USERS)
def test_only_these_modules_know_it(name):
    assert {path.stem for path in MODULES if name in imported(path)} == USERS[name]
