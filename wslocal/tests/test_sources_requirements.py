"""What a folder of code asks for and does not hold."""

import json

import pytest

from wslocal.sources.project import ProjectError
from wslocal.sources.requirements import missing_packages, missing_requirements


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        pytest.param("requests==2.32\n", ["requests"], id="named"),
        pytest.param("# requests\n\n", [], id="comment"),
        pytest.param(
            "Flask_SocketIO[x]>=1 ; python_version > '3'\n", ["flask-socketio"], id="form"
        ),
        pytest.param("boto3>=1.34\nurllib3\n", [], id="lambda-has-them"),
        pytest.param("--index-url https://example.com\n", [], id="option"),
    ],
)
def test_requirements(tmp_path, text, missing):
    (tmp_path / "requirements.txt").write_text(text)

    assert missing_requirements(tmp_path) == missing


def test_requirements_that_are_there(tmp_path):
    (tmp_path / "requirements.txt").write_text("PyJWT\nsix-extra\nrequests\norjson\n")
    (tmp_path / "pyjwt-2.10.1.dist-info").mkdir()
    (tmp_path / "six_extra.py").write_text("")
    (tmp_path / "requests").mkdir()

    assert missing_requirements(tmp_path) == ["orjson"]


def test_requirements_of_an_included_file(tmp_path):
    (tmp_path / "requirements.txt").write_text("-r base.txt\norjson\n")
    (tmp_path / "base.txt").write_text("requests\n")

    assert missing_requirements(tmp_path) == ["orjson", "requests"]


def test_no_lists(tmp_path):
    assert missing_requirements(tmp_path) == missing_packages(tmp_path) == []


def test_packages(tmp_path):
    wanted = {
        "dependencies": {"uuid": "1", "@a/b": "1", "ws": "1"},
        "devDependencies": {"jest": "1"},
    }
    (tmp_path / "package.json").write_text(json.dumps(wanted))
    (tmp_path / "node_modules" / "ws").mkdir(parents=True)

    assert missing_packages(tmp_path) == ["@a/b", "uuid"]


@pytest.mark.parametrize("text", ["{", "[]", '{"dependencies": 1}'])
def test_broken_package_json(tmp_path, text):
    (tmp_path / "package.json").write_text(text)

    with pytest.raises(ProjectError, match=r"package\.json is no package\.json"):
        missing_packages(tmp_path)
