"""What mypy and pyright say to somebody who uses the layer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import shared_utils

pytestmark = pytest.mark.slow

PYTHON_PATH = Path(shared_utils.__file__).parent.parent

# A number of a line, and what is wrong on it; the other lines are right.
WRONG = {
    4: "get_structured_loger",
    5: "websocket_message",
    8: "volumLevel",
    9: "volumeLevel",
    10: "error_cod",
    18: "int",
    26: "volumLevel",
    34: "Middleware",
    45: "ConditionExpresion",
}
USE = """\
from shared_utils import ErrorCode, SetVolume, StructuredLogger, format_error_response
from shared_utils import get_structured_logger, get_table_name, SESSIONS_TABLE_NAME
import shared_utils
from shared_utils import get_structured_loger
shared_utils.websocket_message
logger: StructuredLogger = get_structured_logger("Typed").bind(session_id="golden-eagle-427")
volume: float = SetVolume(volumeLevel=0.5).volumeLevel
SetVolume(volumLevel=0.5)
SetVolume(volumeLevel="loud")
format_error_response(error_cod=ErrorCode.SESSION_NOT_FOUND)
logger.info("started", operation="start", anything=object())
name: str = get_table_name("SESSIONS_TABLE_NAME", SESSIONS_TABLE_NAME)
version: str = shared_utils.__version__
class ChatCode(shared_utils.ErrorCodeBase):
    ROOM_FULL = "ROOM_FULL", 409, "The room is full", False
status: int = ChatCode.ROOM_FULL.status
reply: dict[str, object] = format_error_response(ChatCode.ROOM_FULL)
sentence: int = ChatCode.ROOM_FULL.sentence
retry: bool = shared_utils.ApplicationError(ChatCode("ROOM_FULL")).code.retryable
from collections.abc import Callable
from typing import Any
from shared_utils import Request, WebSocketHandler
handler = WebSocketHandler("Typed", sampled={"setVolume": 10})
@handler.route(SetVolume, role="speaker")
async def set_volume(request: Request[SetVolume]) -> object:
    return {"type": "set", "volume": request.message.volumLevel}
@handler.route("say")
def say(request: Request[Any]) -> dict[str, Any]:
    text: str = request.body["text"] + request.text
    return {"type": "said", "text": text}
@handler.middleware
async def timed(request: Request[Any], call_next: Callable[[Request[Any]], Any]) -> object:
    return await call_next(request)
@handler.middleware
def alone(request: Request[Any]) -> object:
    return request.action
@handler.exception_handler(KeyError)
def no_room(error: KeyError, request: Request[Any]) -> dict[str, str]:
    return {"type": "noRoom", "room": str(error)}
@handler.on_failure
def report(error: BaseException, request: Request[Any]) -> None:
    print(error, request.connection_id)
table = shared_utils.Table("Things")
found: dict[str, Any] = table.get_item(Key={"id": "a"}, ConsistentRead=True, timeout_seconds=0.2)
table.put_item(Item={"id": "a"}, ConditionExpresion="x")
table.transact_write_items(TransactItems=[{"Put": {"Item": {"id": "a"}}}])
"""
EVERY_NAME = "from shared_utils import (\n" + "".join(
    f"    {name} as {name},\n" for name in shared_utils.__all__
)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return a folder with code that uses the layer, and no settings of ours."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "use.py").write_text(USE)
    (folder / "every_name.py").write_text(f"{EVERY_NAME})\n")
    return folder


@pytest.fixture(scope="module")
def found_by_mypy(project):
    """Return the file, line and text of each error."""
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--config-file=",
            "--cache-dir=cache",
            "--output=json",
            "use.py",
            "every_name.py",
        ],
        cwd=project,
        env={**os.environ, "MYPYPATH": str(PYTHON_PATH)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    errors = [json.loads(line) for line in run.stdout.splitlines()]
    return [(error["file"], error["line"], error["message"]) for error in errors]


@pytest.fixture(scope="module")
def found_by_pyright(project):
    """Return the file, line and text of each error."""
    settings = {"extraPaths": [str(PYTHON_PATH)], "typeCheckingMode": "standard"}
    (project / "pyrightconfig.json").write_text(json.dumps(settings))
    run = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [e for e in json.loads(run.stdout)["generalDiagnostics"] if e["severity"] == "error"]
    return [(Path(e["file"]).name, e["range"]["start"]["line"] + 1, e["message"]) for e in errors]


@pytest.fixture(params=["mypy", "pyright"])
def found(request):
    return request.getfixturevalue(f"found_by_{request.param}")


def test_what_is_misspelt_or_of_another_type_is_an_error(found):
    in_use = {line: text for file, line, text in found if file == "use.py"}

    assert sorted(set(WRONG) - set(in_use)) == []


@pytest.mark.parametrize(("line", "name"), [(4, WRONG[4]), (5, WRONG[5])])
def test_misspelt_name_is_named(found, line, name):
    assert [name in text for file, at, text in found if (file, at) == ("use.py", line)] == [True]


def test_what_is_right_is_no_error(found):
    assert [error for error in found if error[0] == "use.py" and error[1] not in WRONG] == []


def test_every_public_name_is_known(found):
    assert [error for error in found if error[0] == "every_name.py"] == []
