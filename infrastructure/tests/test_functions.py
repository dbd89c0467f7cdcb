"""Each function has the layer, its settings, and the rights that it uses and no other."""

import json
import re
import subprocess
import sys

import pytest

from infrastructure.functions import DOORS
from infrastructure.settings import LIMITS
from shared_utils.table_names import TABLES

from .conftest import PYTHON, ROOT

API = "<WebSocketApiCEC6B617>/dev"

# What each module does, by table; `functions/tests` runs the handlers under rights like these.
DYNAMODB = {
    "connection": {
        "Connections": {"GetItem", "PutItem", "UpdateItem", "DeleteItem"},
        "Sessions": {"GetItem", "UpdateItem"},
    },
    "session": {
        "Connections": {"PutItem", "UpdateItem", "DeleteItem"},
        "Sessions": {"PutItem", "UpdateItem"},
        "RateLimits": {"UpdateItem"},
    },
    "audio": {"Connections": {"GetItem", "UpdateItem"}, "Sessions": {"GetItem", "UpdateItem"}},
    "control": {"Connections": {"UpdateItem"}, "Sessions": {"UpdateItem"}},
    "listener": {"Connections": {"UpdateItem"}, "Sessions": {"UpdateItem"}},
    "housekeeping": {"Connections": {"Scan", "UpdateItem"}, "Sessions": {"Scan", "UpdateItem"}},
}
MODULES = [pytest.param(name, id=name) for name in DYNAMODB]


def flat(value) -> str:
    """Return a value of CloudFormation as text, with references in angle brackets."""
    match value:
        case str():
            return value
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return separator.join(map(flat, parts))
    raise AssertionError(value)


def many(value):
    return value if isinstance(value, list) else [value]


def function_of(assembly, module):
    [function] = (
        row
        for row in assembly.properties("Lambda::Function")
        if row["Handler"] == f"handlers.{module}.handler"
    )
    return function


def rights_of(assembly, module):
    """Return the pairs of action and resource that the function's role has, from all sides."""
    role_name, attribute = function_of(assembly, module)["Role"]["Fn::GetAtt"]
    role = assembly.template["Resources"][role_name]["Properties"]
    assert attribute == "Arn"
    assert not role.keys() & {"ManagedPolicyArns", "Policies"}
    statements = [
        statement
        for kind in ("IAM::Policy", "IAM::ManagedPolicy", "IAM::RolePolicy")
        for policy in assembly.properties(kind)
        if {"Ref": role_name} in policy.get("Roles", [])
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    assert all(row["Effect"] == "Allow" for row in statements)
    return {
        (action, flat(resource))
        for row in statements
        for action in many(row["Action"])
        for resource in many(row["Resource"])
    }


def test_one_function_for_each_module(dev):
    handlers = {row["Handler"] for row in dev.properties("Lambda::Function")}

    assert handlers == {f"handlers.{module}.handler" for module in DYNAMODB}
    assert [door.module for door in DOORS] == list(DYNAMODB)


def test_functions_have_the_layer(dev):
    [layer] = dev.resources("Lambda::LayerVersion")

    assert [row["Layers"] for row in dev.properties("Lambda::Function")] == [[{"Ref": layer}]] * 6


def test_functions_run_on_one_runtime(dev):
    places = {(row["Runtime"], *row["Architectures"]) for row in dev.properties("Lambda::Function")}

    assert places == {(f"python{PYTHON}", "arm64")}


@pytest.mark.parametrize("module", MODULES)
def test_function_may_do_what_it_does_and_no_more(dev, module):
    tables = {
        row["Properties"]["TableName"].removesuffix("-dev"): f"<{name}.Arn>"
        for name, row in dev.resources("DynamoDB::Table").items()
    }
    [log_group] = (
        f"<{name}.Arn>"
        for name, row in dev.resources("Logs::LogGroup").items()
        if row["Properties"]["LogGroupName"] == f"/aws/lambda/websocket-audio-dev-{module}"
    )
    arn = "arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>"
    verbs = ["POST", "DELETE", *(["GET"] if module == "housekeeping" else [])]

    assert rights_of(dev, module) == {
        *(("logs:" + action, log_group) for action in ("CreateLogStream", "PutLogEvents")),
        *(
            (f"dynamodb:{action}", tables[table])
            for table, actions in DYNAMODB[module].items()
            for action in actions
        ),
        *(
            ("execute-api:ManageConnections", f"{arn}:{API}/{verb}/@connections/*")
            for verb in verbs
        ),
    }


def test_only_lambda_may_take_the_roles(dev):
    roles = [row["Role"]["Fn::GetAtt"][0] for row in dev.properties("Lambda::Function")]
    trusted = [
        dev.template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        for role in roles
    ]

    assert len(set(roles)) == 6
    assert trusted == [
        [
            {
                "Action": "sts:AssumeRole",
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
            }
        ]
    ] * len(roles)


def test_nothing_else_has_a_wildcard(dev):
    """Stars stand where a connection's id will be, in log streams, and nowhere else."""
    starred = {
        text
        for kind in ("IAM::Policy", "IAM::ManagedPolicy", "IAM::Role")
        for row in dev.properties(kind)
        for text in re.findall(r'"[^"]*\*[^"]*"', json.dumps(row))
    }

    assert starred == {f'"/dev/{verb}/@connections/*"' for verb in ("POST", "DELETE", "GET")}


@pytest.mark.parametrize("module", MODULES)
def test_function_logs_json_and_its_lines_expire(dev, module):
    logging = function_of(dev, module)["LoggingConfig"]
    group = dev.template["Resources"][logging["LogGroup"]["Ref"]]["Properties"]

    assert logging["LogFormat"] == "JSON"
    assert logging["ApplicationLogLevel"] == "INFO"
    assert logging["SystemLogLevel"] == "WARN"
    assert group["LogGroupName"] == f"/aws/lambda/websocket-audio-dev-{module}"
    assert group["RetentionInDays"] == 30


@pytest.mark.parametrize("module", MODULES)
def test_function_has_the_environment_of_the_contract(dev, module):
    variables = function_of(dev, module)["Environment"]["Variables"]
    tables = {
        TABLES[row["Properties"]["TableName"].removesuffix("-dev")].variable: {"Ref": name}
        for name, row in dev.resources("DynamoDB::Table").items()
    }

    assert flat(variables.pop("API_GATEWAY_ENDPOINT")) == (
        "https://<WebSocketApiCEC6B617>.execute-api.<AWS::Region>.<AWS::URLSuffix>/dev"
    )
    assert variables == {
        **tables,
        "SERVICE_NAME": "websocket-audio",
        "METRICS_NAMESPACE": "WebSocketAudio/dev",
        "LOG_LEVEL": "INFO",
        **{name: usual for name, usual in LIMITS.items() if usual},
    }


def test_settings_reach_the_functions(synth):
    assembly = synth(
        stage="other",
        ALLOWED_ORIGINS="https://a.example,https://b.example",
        MAX_LISTENERS_PER_SESSION="7",
        log_level="WARN",
        system_log_level="INFO",
        log_retention_days="3",
    )
    audio = function_of(assembly, "audio")
    variables = audio["Environment"]["Variables"]

    assert variables["ALLOWED_ORIGINS"] == "https://a.example,https://b.example"
    assert variables["MAX_LISTENERS_PER_SESSION"] == "7"
    assert variables["LOG_LEVEL"] == audio["LoggingConfig"]["ApplicationLogLevel"] == "WARN"
    assert audio["LoggingConfig"]["SystemLogLevel"] == "INFO"
    assert {row["RetentionInDays"] for row in assembly.properties("Logs::LogGroup")} == {3}


def test_doors_fit_their_callers(dev):
    """The gateway waits 29 s, the schedule comes every 60 s; a fan-out has a whole vCPU."""
    sizes = {
        row["Handler"].split(".")[1]: (row["Timeout"], row["MemorySize"])
        for row in dev.properties("Lambda::Function")
    }

    assert sizes == {
        "connection": (29, 512),
        "session": (29, 512),
        "audio": (29, 1769),
        "control": (29, 512),
        "listener": (29, 512),
        "housekeeping": (50, 512),
    }


def test_package_holds_the_sources_and_nothing_else(dev):
    """The files under version control, without tests; no bytecode, no leftovers."""
    [key] = {row["Code"]["S3Key"] for row in dev.properties("Lambda::Function")}
    folder = dev.assets()[key]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "functions"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    sources = {name.removeprefix("functions/") for name in listed if "/tests/" not in name}
    packed = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    assert packed == {name for name in sources if name.startswith(("handlers/", "broadcast/"))}
    assert {name for name in packed if not name.endswith(".py")} == set()


@pytest.mark.parametrize(
    "module",
    [path.stem for path in sorted((ROOT / "functions" / "handlers").glob("[!_]*.py"))],
)
def test_handler_serves_the_routes_of_its_door(module):
    """In a fresh interpreter, as Lambda loads it: what the code registers is what must come in."""
    [door] = (door for door in DOORS if door.module == module)
    script = (
        f"import json; from handlers.{module} import handler\n"
        "print(json.dumps(sorted(getattr(handler, '_routes', ()))))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={
            "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT / 'shared-layer' / 'python'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "API_GATEWAY_ENDPOINT": "https://abc.execute-api.eu-west-1.amazonaws.com/dev",
            "AWS_DEFAULT_REGION": "eu-west-1",
            **{schema.variable: name for name, schema in TABLES.items()},
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.stderr == ""
    assert actions(json.loads(run.stdout)) == actions(door.routes)


def actions(routes):
    """Return what messages name; of the others some are fine without a function of their own."""
    return {route for route in routes if not route.startswith("$")}
