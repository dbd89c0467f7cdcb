"""What may import what, and how long a route may be."""

import ast
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from infrastructure.function_specs import FUNCTION_SPECS
from shared_utils.websocket_messages import CLIENT_MESSAGES

FUNCTIONS = Path(__file__).parent.parent
ROOT = FUNCTIONS.parent
MODULES = sorted([*FUNCTIONS.glob("broadcast/*.py"), *FUNCTIONS.glob("handlers/*.py")])
HANDLER_NAMES = sorted(path.stem for path in FUNCTIONS.glob("handlers/[!_]*.py"))
# Which of their siblings the rules may import; those that are not here import none.
ARROWS = {
    "channels": {"values"},
    "counters": {"pace", "tables", "values"},
    "interpreters": {"channels", "items", "sessions", "store", "tables", "tokens"},
    "invalid": {"pace"},
    "items": {"channels", "sessions", "tokens"},
    "notices": {"channels", "keys", "sessions"},
    "moves": {"interpreters", "items", "sessions", "store", "tables", "tokens"},
    "pace": {"values"},
    "quality": {"values"},
    "recent": {"sessions"},
    "sessions": {"channels", "keys", "tokens", "values"},
    "settings": {"values"},
    "store": {"items", "sessions", "tables"},
    "tables": {"values"},
    "tokens": {"values"},
    "upkeep": {"channels", "sessions", "settings", "values"},
}
# What the rules may know of the layer: no event, no request, no socket, no log.
RULES_MAY_USE = {"error_codes", "records", "table_names", "validators", "websocket_messages"}


def imported(path: Path) -> set[str]:
    """Return the modules that a file names in its imports, those for type checkers too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return names


def rules() -> list[Path]:
    return [path for path in MODULES if path.parent.name == "broadcast"]


def users_of(*wanted: str) -> set[str]:
    return {
        path.name for path in MODULES if any(name.startswith(wanted) for name in imported(path))
    }


def test_only_one_module_knows_the_client_of_dynamodb_and_none_an_sdk():
    assert users_of("shared_utils.dynamodb") == {"tables.py"}
    assert users_of("boto3", "botocore") == set()


@pytest.mark.parametrize("path", rules(), ids=lambda path: path.stem)
def test_rules_know_neither_handlers_nor_events(path):
    names = imported(path)

    siblings = {name[1:] for name in names if name.startswith(".")}
    layer = {name.removeprefix("shared_utils.") for name in names if "shared_utils" in name}
    assert siblings <= ARROWS.get(path.stem, set())
    assert layer <= RULES_MAY_USE | ({"dynamodb"} if path.stem == "tables" else set())
    assert not any(name.startswith("handlers") for name in names)
    assert "requestContext" not in path.read_text()


def routed(path: Path) -> dict[str, ast.FunctionDef]:
    """Return a handler module's route functions by what they are routed by."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        for decorator in getattr(node, "decorator_list", []):
            if isinstance(decorator, ast.Call):
                [argument] = decorator.args
                name = argument.value if isinstance(argument, ast.Constant) else argument
                found[name if isinstance(name, str) else ast.unparse(name)] = node
    return found


def test_every_action_has_one_route_in_one_handler():
    keys = [key for name in HANDLER_NAMES for key in routed(FUNCTIONS / "handlers" / f"{name}.py")]

    actions = sorted(key.removeprefix("su.") for key in keys)
    classes = [cls.__name__ for cls in CLIENT_MESSAGES.values()]
    assert actions == sorted([*classes, "$connect", "$disconnect"])


def test_handlers_are_those_that_are_deployed():
    assert sorted(spec.module for spec in FUNCTION_SPECS) == HANDLER_NAMES


def test_route_functions_are_short():
    lengths = {
        f"{name}.{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for name in HANDLER_NAMES
        for function in routed(FUNCTIONS / "handlers" / f"{name}.py").values()
    }

    assert len(lengths) == len(CLIENT_MESSAGES) + 2
    assert {name: lines for name, lines in lengths.items() if lines >= 15} == {}


COLD_START = """
import json
import sys
import sysconfig
import {name}
{then}
print(json.dumps([name for name in ("ssl", "socket", "botocore") if name in sys.modules]))
"""
CONNECT = """
from shared_utils.testing import FakeContext, connect_event
assert handlers.connection.handler(connect_event(), FakeContext()) == {"statusCode": 200}
"""
ENVIRONMENT = {
    "SESSIONS_TABLE_NAME": "Sessions",
    "CONNECTIONS_TABLE_NAME": "Connections",
    "RATE_LIMITS_TABLE_NAME": "RateLimits",
    "API_GATEWAY_ENDPOINT": "https://example.execute-api.us-east-1.amazonaws.com/test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "PYTHONPATH": os.pathsep.join(
        [str(FUNCTIONS), str(ROOT / "shared-layer" / "python"), sysconfig.get_path("purelib")]
    ),
}


def start(name: str, then: str = "", **environ: str) -> subprocess.CompletedProcess:
    code = COLD_START.format(name=f"handlers.{name}", then=then)
    return subprocess.run(
        [sys.executable, "-S", "-c", code],  # packages' `.pth` files may load anything
        env={**ENVIRONMENT, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "then", "variable", "loaded"),
    [
        pytest.param("connection", CONNECT, "on-demand", [], id="connect"),
        pytest.param("audio", "", "on-demand", ["ssl", "socket"], id="audio-on-lambda"),
        pytest.param("audio", "", None, [], id="audio-elsewhere"),
    ],
)
def test_tls_is_loaded_at_the_start_where_it_is_needed_at_once(name, then, variable, loaded):
    environ = {"AWS_LAMBDA_INITIALIZATION_TYPE": variable} if variable else {}

    run = start(name, then, **environ)

    assert run.stderr == ""
    assert json.loads(run.stdout.splitlines()[-1]) == loaded


@pytest.mark.parametrize(
    ("name", "variable", "value"),
    [
        ("audio", "RATE_LIMIT_AUDIO_CHUNKS", "many"),
        ("session", "SESSIONS_TABLE_NAME", ""),
        ("housekeeping", "API_GATEWAY_ENDPOINT", "ftp://example"),
    ],
)
@pytest.mark.threat("wrong-setting")
def test_start_stops_and_names_the_variable_that_is_wrong(name, variable, value):
    run = start(name, **{variable: value})

    assert run.returncode == 1
    last = run.stderr.splitlines()[-1]
    assert last.startswith("shared_utils.error_codes.ApplicationError: ")
    assert variable in last


def test_limits_on_floods_are_those_of_the_environment():
    then = """
from handlers.connection import app, new_connections
print([app.floods.invalid.per_minute, new_connections.limit, app.guesses.of_connections.limit])
"""
    limits = {
        "RATE_LIMIT_INVALID_MESSAGES": "7",
        "RATE_LIMIT_CONNECTIONS": "8",
        "RATE_LIMIT_FAILED_JOINS": "9",
    }

    assert "[7, 8, 9]" in start("connection", then, **limits).stdout.splitlines()


@pytest.mark.threat("open-unnoticed", "open-sessions")
def test_sessions_open_to_anyone_are_worth_one_warning_at_the_start():
    issuer = {"SPEAKER_ISSUER": "https://login.example", "SPEAKER_AUDIENCE": "audio"}
    runs = [start("session"), start("session", **issuer), start("audio")]

    assert [run.stdout.count("SPEAKER_ISSUER is empty") for run in runs] == [1, 0, 0]


@pytest.mark.threat("open-unnoticed")
def test_any_origin_is_worth_one_warning_at_the_start():
    runs = [start("connection"), start("connection", ALLOWED_ORIGINS="https://ours.example")]

    assert [run.stdout.count("ALLOWED_ORIGINS is empty") for run in runs] == [1, 0]
