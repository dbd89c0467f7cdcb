"""Each function has the layer, its settings, and the rights that it uses and no other."""

import json
import re
import subprocess
import sys
import zipfile

import pytest

from infrastructure.function_specs import FUNCTION_SPECS
from infrastructure.settings import LIMITS
from local.assembly import build_functions
from shared_utils.table_names import TABLES

from .conftest import PYTHON, ROOT

API = "<WebSocketApiCEC6B617>/dev"

# What each module does, by table. A transaction of puts needs the right to put.
DYNAMODB = {
    "connection": {
        "Connections": {"GetItem", "PutItem", "UpdateItem", "DeleteItem"},
        "Sessions": {"GetItem", "UpdateItem"},
        "RateLimits": {"UpdateItem"},
    },
    "session": {
        "Connections": {"PutItem", "UpdateItem", "DeleteItem"},
        "Sessions": {"GetItem", "PutItem", "UpdateItem"},
        "RateLimits": {"UpdateItem"},
    },
    "audio": {"Connections": {"GetItem", "UpdateItem"}, "Sessions": {"GetItem", "UpdateItem"}},
    "captions": {"Connections": {"GetItem", "UpdateItem"}, "Sessions": {"GetItem", "UpdateItem"}},
    "control": {"Connections": {"UpdateItem"}, "Sessions": {"UpdateItem"}},
    "listener": {"Connections": {"UpdateItem"}, "Sessions": {"UpdateItem"}},
    "housekeeping": {
        "Connections": {"Scan", "GetItem", "UpdateItem"},
        "Sessions": {"Scan", "UpdateItem"},
    },
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
        if row["FunctionName"].endswith(f"-{module}")
    )
    return function


def statements_of(assembly, module):
    """Return the statements of the function's role, from all sides."""
    role_name, attribute = function_of(assembly, module)["Role"]["Fn::GetAtt"]
    role = assembly.template["Resources"][role_name]["Properties"]
    assert attribute == "Arn"
    assert not role.keys() & {"ManagedPolicyArns", "Policies"}
    return [
        statement
        for kind in ("IAM::Policy", "IAM::ManagedPolicy", "IAM::RolePolicy")
        for policy in assembly.properties(kind)
        if {"Ref": role_name} in policy.get("Roles", [])
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def rights_of(assembly, module):
    """Return the pairs of action and resource that the function's role has."""
    statements = statements_of(assembly, module)
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
    assert sorted(spec.module for spec in FUNCTION_SPECS) == sorted(DYNAMODB)


def test_functions_have_the_layer(dev):
    [layer] = dev.resources("Lambda::LayerVersion")

    assert [row["Layers"] for row in dev.properties("Lambda::Function")] == (
        [[{"Ref": layer}]] * len(DYNAMODB)
    )


def test_functions_run_on_one_runtime(dev):
    places = {(row["Runtime"], *row["Architectures"]) for row in dev.properties("Lambda::Function")}

    assert places == {(f"python{PYTHON}", "arm64")}


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.threat("too-many-rights", "log-access")
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

    assert len(set(roles)) == len(DYNAMODB)
    assert trusted == [
        [
            {
                "Action": "sts:AssumeRole",
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
            }
        ]
    ] * len(roles)


@pytest.mark.threat("too-many-rights")
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
@pytest.mark.threat("log-retention")
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


def test_sizes_fit_their_callers(dev):
    """The gateway waits 29 s, the schedule comes every 60 s; a fan-out has a whole vCPU.

    Whoever gives a function another size writes it here a second time.
    """
    sizes = {
        row["Handler"].split(".")[1]: (row["Timeout"], row["MemorySize"])
        for row in dev.properties("Lambda::Function")
    }

    assert sizes == {
        **dict.fromkeys(DYNAMODB, (29, 512)),
        "audio": (29, 1769),
        "captions": (29, 512),
        "housekeeping": (50, 512),
    }


def code_of(assembly):
    """Return the zip that all functions share."""
    [key] = {row["Code"]["S3Key"] for row in assembly.properties("Lambda::Function")}
    return assembly.assets()[key]


@pytest.mark.threat("something-in-the-zip")
def test_package_holds_the_sources_and_their_bytecode_and_nothing_else(dev):
    """The files under version control, without tests; no leftovers."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "functions"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    sources = {name.removeprefix("functions/") for name in listed}
    sources = {name for name in sources if name.startswith(("handlers/", "broadcast/"))}
    tag = f"cpython-{PYTHON.replace('.', '')}"

    with zipfile.ZipFile(code_of(dev)) as archive:
        packed = set(archive.namelist())

    bytecode = {name for name in packed if name.endswith(f".{tag}.pyc")}
    assert packed - bytecode == sources
    assert {name for name in sources if not name.endswith(".py")} == set()
    assert {
        name.replace("__pycache__/", "").replace(f".{tag}.pyc", ".py") for name in bytecode
    } == (sources)


def test_package_is_the_one_that_runs_locally(dev):
    """Byte for byte, whatever the day and the folder: CloudFormation sees a change by the digest."""
    assert code_of(dev).read_bytes() == build_functions(["broadcast", "handlers"])


def test_every_handler_module_has_its_row():
    modules = {path.stem for path in (ROOT / "functions" / "handlers").glob("[!_]*.py")}

    assert modules == {spec.module for spec in FUNCTION_SPECS}


@pytest.fixture(scope="module")
def routes():
    """Return the routes that each module registers, told by a fresh interpreter."""
    modules = [spec.module for spec in FUNCTION_SPECS if spec.routes]
    script = (
        "import importlib, json, sys\n"
        "for name in sys.argv[1:]:\n"
        "    handler = importlib.import_module(f'handlers.{name}').handler\n"
        "    print(json.dumps({name: list(handler._routes)}))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, *modules],
        env={
            "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT / 'shared-layer' / 'python'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "ALLOWED_ORIGINS": "https://example.org",
            **{schema.variable: name for name, schema in TABLES.items()},
        },
        capture_output=True,
        text=True,
        check=True,
    )
    found = {}
    for line in run.stdout.splitlines():
        found |= json.loads(line)
    return found


@pytest.mark.parametrize(
    "spec", [spec for spec in FUNCTION_SPECS if spec.routes], ids=lambda spec: spec.module
)
def test_handler_serves_the_routes_of_its_row(routes, spec):
    """Of those that are no action, a handler may leave some to the layer."""
    assert actions(routes[spec.module]) == actions(spec.routes)
    assert set(routes[spec.module]) <= set(spec.routes)


def actions(names):
    return {name for name in names if not name.startswith("$")}


def test_limits_are_the_functions_own_defaults():
    """Set as here, or not set at all, a function does the same."""
    script = (
        "import json, sys; from broadcast.settings import BroadcastSettings\n"
        "default = BroadcastSettings()\n"
        "assert BroadcastSettings.read(json.loads(sys.argv[1])) == default == BroadcastSettings.read({})\n"
    )
    path = f"{ROOT / 'functions'}:{ROOT / 'shared-layer' / 'python'}"

    run = subprocess.run(
        [sys.executable, "-c", script, json.dumps(LIMITS)],
        env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )

    assert run.returncode == 0
