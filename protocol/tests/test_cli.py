"""The command: what it writes, what it compares, and what it refuses in one line."""

import json
import sys
from pathlib import Path

import pytest

from shared_utils_protocol import __version__
from shared_utils_protocol.cli import main

STRANGER = Path(__file__).parent / "stranger"


@pytest.fixture(autouse=True)
def _in_the_strangers_folder(monkeypatch):
    monkeypatch.chdir(STRANGER)
    monkeypatch.setattr(sys, "path", [*sys.path])


def asyncapi(folder):
    return json.loads((folder / "asyncapi.json").read_text())


def test_handler_is_documented(tmp_path, capsys):
    code = main(["helpline.app:handler", "--out", str(tmp_path / "a" / "b")])

    assert code == 0
    assert capsys.readouterr().out == f"15 files are in {tmp_path / 'a' / 'b'}\n"
    assert asyncapi(tmp_path / "a" / "b")["info"]["title"] == "Helpline"
    assert (tmp_path / "a" / "b" / "schemas" / "openRoom.json").exists()


def test_module_is_documented(tmp_path):
    assert main(["helpline.messages", "helpline.codes", "--out", str(tmp_path)]) == 0

    assert "LINE_BUSY" in (tmp_path / "types.ts").read_text()
    assert not (tmp_path / "messages.md").exists()


def test_module_of_a_handler_gives_codes_but_no_further_messages_of_clients(tmp_path):
    """It imports all of them."""
    (tmp_path / "small.py").write_text(
        "from helpline.codes import HelpCode\nfrom helpline.messages import *\n"
        "from shared_utils import WebSocketHandler\n"
        "handler = WebSocketHandler('Small')\nhandler.route(OpenRoom)(lambda request: None)\n"
    )
    sys.path.insert(0, str(tmp_path))

    assert main(["small:handler", "--out", str(tmp_path)]) == 0

    document = asyncapi(tmp_path)
    assert list(document["operations"]) == ["openRoom", "notify"]
    assert "LINE_BUSY" in document["x-error-codes"]


def test_options_are_in_the_document(tmp_path):
    (tmp_path / "about.md").write_text("Ours, with ä.", encoding="utf-8")
    options = ["--title", "Ours", "--api-version", "2.1.0", "--subprotocol", "x.v1", "--markdown"]
    servers = ["--server", "prod=wss://{id}.example.com/{stage}", "--server", "ws://127.0.0.1:8000"]
    about = ["--description", str(tmp_path / "about.md")]

    assert main(["helpline.messages", "--out", str(tmp_path), *options, *servers, *about]) == 0

    document = asyncapi(tmp_path)
    assert document["info"] == {"title": "Ours", "version": "2.1.0", "description": "Ours, with ä."}
    assert document["servers"] == {
        "prod": {
            "host": "{id}.example.com",
            "pathname": "/{stage}",
            "protocol": "wss",
            "variables": {"id": {}, "stage": {}},
        },
        "server": {"host": "127.0.0.1:8000", "protocol": "ws"},
    }
    assert "x.v1" in json.dumps(document["channels"])
    assert (tmp_path / "errors.md").exists()


def test_check_names_what_differs_and_writes_nothing(tmp_path, capsys):
    arguments = ["helpline.messages", "--out", str(tmp_path)]
    main(arguments)
    (tmp_path / "types.ts").write_text("// mine")
    (tmp_path / "schemas" / "closeRoom.json").unlink()
    (tmp_path / "schemas" / "old.json").write_text("{}")
    capsys.readouterr()

    assert main([*arguments, "--check"]) == 1

    assert capsys.readouterr().out.splitlines() == [
        "stale: schemas/closeRoom.json",
        "stale: types.ts",
        "left over: schemas/old.json",
    ]
    assert (tmp_path / "types.ts").read_text() == "// mine"


def test_check_of_what_was_written_is_silent(tmp_path, capsys):
    arguments = ["helpline.messages", "--out", str(tmp_path), "--markdown"]
    main(arguments)
    capsys.readouterr()

    assert main([*arguments, "--check"]) == 0
    assert capsys.readouterr().out == ""


def test_file_that_is_left_over_is_named_and_kept(tmp_path, capsys):
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "old.json").write_text("{}")

    assert main(["helpline.messages", "--out", str(tmp_path)]) == 0

    assert "left over: schemas/old.json (no message is called so; remove it)" in (
        capsys.readouterr().out
    )
    assert (tmp_path / "schemas" / "old.json").exists()


REFUSED = (
    "import datetime\nfrom shared_utils import ClientMessage\n"
    "class Bad(ClientMessage):\n    when: datetime.datetime\n"
)
FAILING = "import os\nurl = os.environ['NO_SUCH_VARIABLE']\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param(["nowhere"], "there is no module nowhere: No module named", id="no-module"),
        pytest.param(
            ["helpline.nowhere"],
            "there is no module helpline.nowhere: No module named 'helpline.nowhere'",
            id="no-submodule",
        ),
        pytest.param([""], "'' is no MODULE or MODULE:HANDLER", id="empty"),
        pytest.param([".messages"], "'.messages' is no MODULE or MODULE:HANDLER", id="relative"),
        pytest.param(
            ["helpline/app.py"], "'helpline/app.py' is no MODULE or MODULE:HANDLER", id="a-file"
        ),
        pytest.param(["helpline"], "the module helpline has no messages: name a", id="no-messages"),
        pytest.param(
            ["helpline.app:other"], "the module helpline.app has no 'other'", id="no-name"
        ),
        pytest.param(
            ["helpline.app:table"],
            "helpline.app:table is no WebSocketHandler, but of the type str",
            id="no-handler",
        ),
        pytest.param(
            ["helpline.app:open_room"],
            "helpline.app:open_room is no WebSocketHandler, but of the type function",
            id="a-function",
        ),
        pytest.param(
            ["needs_more"],
            "the module needs_more cannot be imported: ModuleNotFoundError: No module named 'more'",
            id="import-inside",
        ),
        pytest.param(
            ["fails"],
            "the module fails cannot be imported: KeyError: 'NO_SUCH_VARIABLE' (",
            id="fails",
        ),
        pytest.param(["exits"], "the module exits cannot be imported: SystemExit: 3 (", id="exits"),
        pytest.param(
            ["refused"],
            "the module refused cannot be imported: TypeError: Bad.when: datetime is not a kind",
            id="refused-declaration",
        ),
        pytest.param(
            ["helpline.messages", "--server", "http://x"],
            "--server 'http://x' is no [NAME=]URL such as prod=wss://host/prod",
            id="server",
        ),
        pytest.param(
            ["helpline.messages", "--server", "ws://a", "--server", "ws://b"],
            "two servers are called server: write --server NAME=URL",
            id="two-servers",
        ),
        pytest.param(
            ["helpline.messages", "--description", "nowhere.md"],
            "[Errno 2] No such file or directory: 'nowhere.md'",
            id="no-description",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, capsys, arguments, line):
    (tmp_path / "needs_more.py").write_text("import more\n")
    (tmp_path / "fails.py").write_text(FAILING)
    (tmp_path / "exits.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "refused.py").write_text(REFUSED)
    sys.path.append(str(tmp_path))

    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2

    printed = capsys.readouterr()
    assert printed.err.startswith(f"shared-utils-protocol: {line}")
    assert printed.err.count("\n") == 1
    assert (printed.out, (tmp_path / "out").exists()) == ("", False)


def test_line_of_the_module_that_fails_is_named(tmp_path, capsys):
    (tmp_path / "fails_here.py").write_text(FAILING)
    sys.path.append(str(tmp_path))

    main(["fails_here", "--out", str(tmp_path)])

    assert f"({tmp_path / 'fails_here.py'}, line 2)" in capsys.readouterr().err


def test_class_that_the_layer_refuses_is_shown_where_it_stands(tmp_path, capsys):
    (tmp_path / "refused_here.py").write_text(REFUSED)
    sys.path.append(str(tmp_path))

    main(["refused_here", "--out", str(tmp_path)])

    assert f"({tmp_path / 'refused_here.py'}, line 3)" in capsys.readouterr().err


def test_folder_that_is_a_file_is_refused(tmp_path, capsys):
    (tmp_path / "out").write_text("")

    assert main(["helpline.messages", "--out", str(tmp_path / "out")]) == 2

    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["helpline.messages"], ["--out", "x"]])
def test_missing_argument_is_exit_code_2(arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code == 2


def test_version_is_the_packages(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])

    assert capsys.readouterr().out == f"shared-utils-protocol {__version__}\n"
