"""The zip as a function meets it: unpacked, read-only, imported under the official runtime client."""

import json
import re

import pytest

from wslocal import LambdaHost

pytestmark = pytest.mark.slow

LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]

FUNCTION = """
import logging
import sys

compiled = []
sys.addaudithook(
    lambda event, args: compiled.append(str(args[1])) if event == "compile" else None
)
before = set(sys.modules)

import shared_utils
from shared_utils import MetricsEmitter, configure_lambda_logging, get_structured_logger, invocation

logger = get_structured_logger("Checked")
metrics = MetricsEmitter()


def handler(event, context):
    with invocation(event, context), metrics:
        return globals()[event["do"]]()


def log_every_level():
    for name in ("trace", "debug", "info", "warning", "error", "fatal"):
        getattr(logger, name)(f"at {name}", operation="check")


def log_text_that_looks_like_json():
    logger.info('{"looks": "like json"}', text='{"a":1}', quoted='say "hi"')


def log_what_json_cannot_hold():
    logger.info("odd\\nvalues", nan=float("nan"), raw=b"\\xff", itself=logger, lone="\\ud800")


def log_an_exception():
    try:
        1 / 0
    except ZeroDivisionError:
        logger.error("failed", exc_info=True)


def emit_metrics():
    metrics.emit_audio_chunk_received("golden-eagle-427", 3200)


def log_through_others():
    configure_lambda_logging()
    logging.getLogger("somebody.else").warning("from another library")
    logger.info("from us")


def import_everything():
    for name in shared_utils.__all__:
        getattr(shared_utils, name)
    return {
        "added": sorted(set(sys.modules) - before),
        "compiled": [name for name in compiled if "shared_utils" in name],
        "boto3": sorted({"boto3", "botocore"} & set(sys.modules)),
        "writes_bytecode": not sys.dont_write_bytecode,
        "file": shared_utils.__file__,
        "build": shared_utils.__build__,
    }


def nothing():
    pass
"""

# What the runtime client has not loaded already, and costs next to nothing.
ALLOWED_MODULES = {"_contextvars", "linecache", "traceback"}


@pytest.fixture
def start(tmp_path, layer):
    """Return a function that starts a host; all are closed at the end."""
    (tmp_path / "app.py").write_text(FUNCTION)
    hosts = []

    def start(log_format="JSON", log_level=None, **environ) -> LambdaHost:
        host = LambdaHost(
            handler="app.handler",
            task_root=tmp_path,
            layer=layer,
            log_format=log_format,
            log_level=log_level,
            environ=environ,
        )
        hosts.append(host)
        return host

    yield start
    [host.close() for host in hosts]


def run(host: LambdaHost, do: str) -> list[dict]:
    """Return the lines of one invocation, each of them one JSON object."""
    result = host.invoke({"do": do})
    assert result.error is None
    assert result.stderr == []
    lines = [json.loads(line) for line in result.stdout]
    assert {type(line) for line in lines} <= {dict}
    return lines


@pytest.fixture(params=["Text", "JSON"])
def host(request, start):
    return start(request.param, LOG_LEVEL="TRACE")


@pytest.mark.threat("log-format", "log-to-platform")
def test_each_log_call_is_one_line_with_a_level_that_lambda_knows(host):
    lines = run(host, "log_every_level")

    assert [line["message"] for line in lines] == [
        "at trace",
        "at debug",
        "at info",
        "at warning",
        "at error",
        "at fatal",
    ]
    assert [line["level"] for line in lines] == LEVELS


def test_text_that_looks_like_json_is_escaped_once(host):
    [line] = run(host, "log_text_that_looks_like_json")

    assert line["message"] == '{"looks": "like json"}'
    assert line["context"]["text"] == '{"a":1}'
    assert line["context"]["quoted"] == 'say "hi"'


@pytest.mark.threat("log-no-injection")
def test_odd_values_stay_on_one_line(host):
    [line] = run(host, "log_what_json_cannot_hold")

    assert line["message"] == "odd\nvalues"
    assert line["context"]["nan"] == "nan"


def test_exception_is_one_line(host):
    [line] = run(host, "log_an_exception")

    assert line["error"]["type"] == "ZeroDivisionError"
    assert line["error"]["message"] == "division by zero"


def test_metrics_are_lines_that_the_level_filter_lets_through(host):
    [line] = run(host, "emit_metrics")

    assert line["level"] == "INFO"
    assert line["AudioChunksReceived"] == 1
    assert line["AudioChunkSize"] == 3200
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "WebSocketAudio"


@pytest.mark.threat("log-one-module")
def test_other_libraries_records_come_once_and_look_the_same(host):
    lines = run(host, "log_through_others")

    assert [(line["level"], line["message"]) for line in lines] == [
        ("WARN", "from another library"),
        ("INFO", "from us"),
    ]


@pytest.mark.parametrize("level", LEVELS)
def test_lambdas_own_level_decides(start, level):
    lines = run(start(log_level=level), "log_every_level")

    assert [line["level"] for line in lines] == LEVELS[LEVELS.index(level) :]


def test_lambdas_own_level_wins_over_ours_with_one_warning(start):
    host = start(log_level="ERROR", LOG_LEVEL="DEBUG")

    lines = run(host, "log_every_level") + run(host, "log_every_level")

    assert [line["message"] for line in lines if "at " in line["message"]] == [
        "at error",
        "at fatal",
    ] * 2


def test_every_line_has_its_own_invocations_id(host):
    first, second = host.invoke({"do": "log_every_level"}), host.invoke({"do": "log_every_level"})

    assert {json.loads(line)["requestId"] for line in first.stdout} == {first.request_id}
    assert {json.loads(line)["requestId"] for line in second.stdout} == {second.request_id}


def test_cold_start_is_the_first_invocation_only(host):
    lines = [run(host, "log_an_exception")[0] for _ in range(3)]

    assert [line["coldStart"] for line in lines] == [True, False, False]


def test_silent_function_writes_nothing(host):
    assert run(host, "nothing") == []


def test_nothing_is_compiled_at_import(start, layer):
    before = sorted(layer.rglob("*"))

    payload = start().invoke({"do": "import_everything"}).payload

    assert payload["compiled"] == []
    assert payload["writes_bytecode"]
    assert sorted(layer.rglob("*")) == before


def test_layer_comes_from_the_zip_and_knows_its_build(start, layer):
    payload = start().invoke({"do": "import_everything"}).payload

    assert payload["file"] == str(layer / "python" / "shared_utils" / "__init__.py")
    assert re.fullmatch("[0-9a-f]{16}", payload["build"])


def test_only_cheap_modules_are_added_and_no_sdk(start):
    payload = start().invoke({"do": "import_everything"}).payload

    others = {name for name in payload["added"] if name.partition(".")[0] != "shared_utils"}
    assert others <= ALLOWED_MODULES
    assert payload["boto3"] == []


LINE_LEAVES = "_json _redaction _cleaning _exceptions _invocation _line _stdout".split()


def test_function_that_only_logs_does_not_load_the_rest(start, tmp_path):
    (tmp_path / "app.py").write_text(
        "import sys\nfrom shared_utils import get_structured_logger\n"
        "def handler(*_): return [name for name in sys.modules if name.startswith('shared_utils.')]"
    )

    assert set(start().invoke({}).payload) == {
        *(f"shared_utils.{leaf}" for leaf in LINE_LEAVES),
        "shared_utils.structured_logger",
    }
