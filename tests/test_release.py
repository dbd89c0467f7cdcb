"""The release, rehearsed: a repository with a tag, twice, in two folders and under other circumstances."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from cyclonedx import spdx

import environments
import sbom
import shared_utils
from release import main

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
VERSION = shared_utils.__version__
TAG = f"v{VERSION}"
PYTHON = f"3.{sys.version_info.minor}"
PROJECTS = sorted(ROOT.glob("*/pyproject.toml"))
# What a release is made of and by; without tests, so that there is less to copy.
PARTS = ("tools", "requirements", "CHANGELOG.md", "LICENSE", ".gitignore")
WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
LAYER = f"shared-layer-{VERSION}"
LAYER_WHEEL = f"shared_utils_layer-{VERSION}-py3-none-any.whl"
WHEELS = {
    f"{name}-{VERSION}-py3-none-any.whl"
    for name in (
        *("layerctl", "wslocal"),
        *("shared_utils_cdk", "shared_utils_layer", "shared_utils_protocol"),
    )
}
COMMIT_DATE = "2026-12-01T10:00:00+00:00"
GIT = {
    "GIT_AUTHOR_DATE": COMMIT_DATE,
    "GIT_COMMITTER_DATE": COMMIT_DATE,
    "GIT_CONFIG_GLOBAL": os.devnull,
    **{f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(folder, *arguments):
    """Run git with nobody's settings; return what it prints."""
    command = ["git", "-C", folder, *arguments]
    done = subprocess.run(
        command, env={**os.environ, **GIT}, check=True, capture_output=True, text=True
    )
    return done.stdout


def release(folder, *arguments, **environ):
    """Run the release command of a repository."""
    return subprocess.run(
        [sys.executable, "tools/release.py", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    """Return a repository of what a release is made of, as it is now, with the version's tag."""
    folder = tmp_path_factory.mktemp("release") / "repository"
    listed = git(
        ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "--",
        *PARTS, *(project.parent.name for project in PROJECTS),
    )  # fmt: skip
    for name in sorted({*listed.splitlines()}):
        if "/tests/" not in name and (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    git(folder, "tag", TAG)
    return folder


@pytest.fixture(scope="session")
def dist(repository):
    """Return the folder of a release with bytecode of this Python."""
    done = release(repository, TAG, "--python", PYTHON)
    assert done.returncode == 0, done.stderr
    return repository / "dist"


@pytest.fixture
def clone(repository, tmp_path):
    """Return a clone for a test to change."""
    git(tmp_path, "clone", "--quiet", repository, "clone")
    return tmp_path / "clone"


def change(folder, name, old, new):
    """Change a file of a repository."""
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def commit(folder, tag):
    git(folder, "commit", "--quiet", "--all", "--message", tag)
    git(folder, "tag", tag)


def read(dist):
    return {path.name: path.read_bytes() for path in dist.iterdir()}


# --- what is in it --------------------------------------------------------------------------------


def test_release_has_its_files_and_no_other(dist):
    artefacts = {*WHEELS, f"{LAYER}.zip", f"{LAYER}-python{PYTHON}.zip"}

    assert {path.name for path in dist.iterdir()} == {
        *artefacts,
        *(f"{name}.cdx.json" for name in artefacts),
        "SHA256SUMS",
        "CHANGES.md",
    }


def test_second_release_in_another_folder_has_the_same_bytes(dist, clone, tmp_path):
    """From a clone, in another place for temporary files, time zone and state of hashes, a file's mode changed."""
    elsewhere = tmp_path / "temporary files"
    elsewhere.mkdir()
    (clone / "shared-layer" / "build.py").chmod(0o600)
    (clone / "left-behind.txt").write_text("not of the tag")
    circumstances = {"TMPDIR": str(elsewhere), "TZ": "Asia/Kolkata", "PYTHONHASHSEED": "7"}

    done = release(clone, TAG, "--python", PYTHON, "--output", tmp_path / "other", **circumstances)

    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "other") == read(dist)


@pytest.mark.long
def test_release_with_every_python_is_the_same_twice(repository, clone, tmp_path):
    pythons = [f"3.{minor}" for minor in environments.find_pythons()]

    done = [
        release(folder, TAG, "--output", tmp_path / f"dist{number}")
        for number, folder in enumerate((repository, clone))
    ]

    assert [one.returncode for one in done] == [0, 0], done[0].stderr
    assert read(tmp_path / "dist0") == read(tmp_path / "dist1")
    assert {path.name for path in (tmp_path / "dist0").glob("*.zip")} == {
        f"{LAYER}.zip",
        *(f"{LAYER}-python{python}.zip" for python in pythons),
    }
    for minor in {*environments.MINOR_VERSIONS} - {*environments.find_pythons()}:
        assert f"no CPython 3.{minor} here" in done[0].stderr


def test_sums_are_those_of_every_other_file(dist):
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=dist,
        capture_output=True,
        text=True,
        check=True,
    )

    checked = {line.removesuffix(": OK") for line in done.stdout.splitlines()}
    assert checked == {path.name for path in dist.iterdir()} - {"SHA256SUMS"}


def test_changes_are_the_changelogs_section(dist):
    changes = (dist / "CHANGES.md").read_text()

    assert re.match(rf"## {VERSION} - \d{{4}}-\d\d-\d\d\n", changes)
    assert changes in (ROOT / "CHANGELOG.md").read_text()
    assert len(re.findall(r"^## ", changes, re.MULTILINE)) == 1


def test_zip_of_all_pythons_has_the_sources_of_the_tag(dist, repository):
    with zipfile.ZipFile(dist / f"{LAYER}.zip") as archive:
        content = archive.read("python/shared_utils/validators.py")
        names = archive.namelist()

    source = repository / "shared-layer/python/shared_utils/validators.py"
    assert content == source.read_bytes()
    assert (
        f"python/shared_utils/__pycache__/validators.cpython-{PYTHON.replace('.', '')}.pyc" in names
    )


@pytest.mark.parametrize("wheel", sorted(WHEELS))
def test_wheel_has_the_licence_and_no_tests(dist, wheel):
    with zipfile.ZipFile(dist / wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}

    [licence] = [content for name, content in files.items() if name.endswith("/licenses/LICENSE")]
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert [name for name in files if "tests/" in name or name.endswith(".pyc")] == []


# --- what it says is in it ------------------------------------------------------------------------


def bill(dist, artefact):
    return json.loads((dist / f"{artefact}.cdx.json").read_text())


@pytest.mark.parametrize("artefact", [f"{LAYER}.zip", f"{LAYER}-python{PYTHON}.zip", LAYER_WHEEL])
def test_bill_of_the_layer_lists_nothing_but_itself(dist, artefact):
    found = bill(dist, artefact)

    assert found["components"] == []
    assert len(found["dependencies"]) == 1
    itself = found["metadata"]["component"]
    assert itself["version"] == VERSION
    assert itself["licenses"] == [{"license": {"id": "MIT"}}]
    assert itself["hashes"] == [
        {"alg": "SHA-256", "content": hashlib.sha256((dist / artefact).read_bytes()).hexdigest()}
    ]


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.parent.name)
def test_bill_of_a_wheel_lists_what_it_declares_in_pinned_versions(dist, project):
    declared = tomllib.loads(project.read_text())["project"]
    locked = (ROOT / "requirements/dev.txt").read_text()

    found = bill(dist, f"{declared['name'].replace('-', '_')}-{VERSION}-py3-none-any.whl")

    rows = {one["name"]: one for one in found.get("components", [])}
    inside = {"shared-layer"} if rows.pop("shared-layer", None) else set()
    assert inside == ({"shared-layer"} if project.parent.name == "cdk" else set())
    assert rows.keys() == {re.match(r"[\w-]+", text)[0] for text in declared["dependencies"]}
    for name, row in rows.items():
        assert row["version"] == VERSION or f"\n{name}=={row['version']} " in locked
        assert row["purl"] == f"pkg:pypi/{name}@{row['version']}"
        assert row["licenses"]


def test_each_zip_has_a_package_url_of_its_own(dist):
    zips = [path.name for path in dist.glob("*.zip")]

    urls = {bill(dist, name)["metadata"]["component"]["purl"] for name in zips}

    assert urls == {f"pkg:generic/shared-layer@{VERSION}?file_name={name}" for name in zips}


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.parent.name)
def test_licences_that_spdx_knows_have_its_ids(project):
    """Of all that a wheel needs: what is installed is what the lock file pins."""
    declared = tomllib.loads(project.read_text())["project"]["dependencies"]
    names = {re.match(r"[\w-]+", text)[0] for text in declared} - {"shared-utils-layer"}

    found = {name: sbom._licence_of(metadata.distribution(name)) for name in names}

    assert {
        name: licence
        for name, licence in found.items()
        if not spdx.is_supported_id(licence) and not spdx.is_expression(licence)
    } == {}


def test_bill_that_is_no_cyclonedx_is_refused():
    with pytest.raises(sbom.SbomError, match=r"of x\.zip is not CycloneDX 1\.6: .*bomFormat"):
        sbom._validate('{"specVersion": "1.6"}', "x.zip")


def test_bill_is_of_its_artefact_and_of_the_commits_time(dist):
    numbers = [
        bill(dist, path.stem.removesuffix(".cdx"))["serialNumber"]
        for path in dist.glob("*.cdx.json")
    ]
    times = {
        json.loads(path.read_text())["metadata"]["timestamp"] for path in dist.glob("*.cdx.json")
    }

    assert len({*numbers}) == len(numbers) > 5
    assert times == {COMMIT_DATE}


# --- as a stranger has it -------------------------------------------------------------------------


def test_layerctl_runs_from_its_wheel_away_from_the_repository(dist, tmp_path):
    """The libraries that it needs are those of this environment."""
    pip = [
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--quiet",
        "install",
        "--no-index",
        "--no-deps",
    ]
    wheel = dist / f"layerctl-{VERSION}-py3-none-any.whl"
    subprocess.run([sys.executable, *pip, "--target", tmp_path, wheel], check=True)
    command = [tmp_path / "bin" / "layerctl", "doctor", dist / f"{LAYER}.zip"]
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"}

    done = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )

    assert done.stdout == f"healthy; looked at {LAYER}.zip\n"
    assert not (tmp_path / "layerctl" / "tests").exists()


# --- what is refused ------------------------------------------------------------------------------


def refusal(folder, *arguments):
    """Return the one sentence in which a release ends that cannot be made."""
    done = release(folder, *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    return line.removeprefix("release: ")


@pytest.mark.parametrize("name", ["", "0.2.0", "v0.2", "v0.2.0\n"])
def test_name_that_is_no_tags_is_refused(name):
    with pytest.raises(SystemExit) as ended:
        main([name])

    assert ended.value.code == (
        f"release: a tag looks like v0.2.0, got {name!r}: make release TAG=v0.2.0"
    )


def test_tag_that_is_not_there_is_refused():
    with pytest.raises(SystemExit) as ended:
        main(["v9.9.9"])

    assert ended.value.code == (
        "release: there is no tag v9.9.9 here: git tag v9.9.9, or git fetch --tags"
    )


def test_branch_with_the_name_of_a_tag_is_none(clone):
    git(clone, "branch", "v9.9.9")

    assert refusal(clone, "v9.9.9").startswith("there is no tag v9.9.9 here")


@pytest.mark.parametrize("heading", [None, "## 9.9.9, not published yet"])
def test_tag_without_a_dated_section_is_refused(clone, heading):
    if heading:
        change(clone, "CHANGELOG.md", f"## {VERSION}", f"{heading}\n\n## {VERSION}")
        commit(clone, "v9.9.9")
    else:
        git(clone, "tag", "v9.9.9")

    assert refusal(clone, "v9.9.9") == (
        "CHANGELOG.md of v9.9.9 has no section `## 9.9.9 - YEAR-MONTH-DAY`: write it, and move the tag"
    )


def test_tag_of_another_version_is_refused(clone):
    change(clone, "CHANGELOG.md", f"## {VERSION}", f"## 9.9.9 - 2026-12-24\n\n## {VERSION}")
    change(clone, "layerctl/pyproject.toml", f'version = "{VERSION}"', 'version = "9.9.9"')
    commit(clone, "v9.9.9")

    said = refusal(clone, "v9.9.9", "--python", PYTHON)

    assert said.startswith("v9.9.9 holds ")
    assert f"wslocal {VERSION}" in said
    assert "layerctl" not in said
    assert said.endswith(": raise the version, and move the tag")


@pytest.mark.long
def test_package_that_does_not_build_is_named(clone):
    change(clone, "wslocal/pyproject.toml", 'readme = "README.md"', 'readme = "NOTHING.md"')
    git(clone, "tag", "--delete", TAG)
    commit(clone, TAG)

    said = refusal(clone, TAG, "--python", PYTHON)

    assert said.startswith("wslocal was not built by -m hatchling: ")
    assert "NOTHING.md" in said


def test_command_that_is_not_the_tags_is_refused(clone):
    """Whatever else is changed here does not matter: it is built from the tag."""
    change(clone, "tools/sbom.py", '"""', '"""Other. ')
    change(clone, "wslocal/README.md", "# wslocal", "# Something else")

    assert refusal(clone, TAG) == (
        f"tools/sbom.py would make it and is not as in {TAG}: git checkout {TAG}"
    )


@pytest.mark.long
def test_version_that_is_pinned_and_not_installed_is_refused(clone):
    """Its licence is read from what is installed."""
    lock = (clone / "requirements/dev.txt").read_text()
    [installed] = re.findall(r"^click==(\S+)", lock, re.MULTILINE)
    change(clone, "requirements/dev.txt", f"\nclick=={installed} ", "\nclick==0.0.1 ")
    git(clone, "tag", "--delete", TAG)
    commit(clone, TAG)

    assert refusal(clone, TAG, "--python", PYTHON) == (
        f"click {installed} is installed, and the tag pins 0.0.1: run `make dev`"
    )


def test_folder_of_something_else_is_not_deleted(clone):
    (clone / "dist").mkdir()
    (clone / "dist" / "mine.txt").write_text("mine")

    said = refusal(clone, TAG)

    assert said.endswith("dist holds other things than a release: name a new folder with --output")
    assert (clone / "dist" / "mine.txt").read_text() == "mine"


def test_python_that_is_not_here_is_refused(clone):
    assert refusal(clone, TAG, "--python", "3.99") == "there is no CPython 3.99 here: install it"


# --- versions and the workflow --------------------------------------------------------------------


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.parent.name)
def test_every_package_has_the_layers_version(project):
    described = tomllib.loads(project.read_text())
    file = described.get("tool", {}).get("hatch", {}).get("version", {}).get("path")
    text = (project.parent / file).read_text() if file else project.read_text()

    assert re.findall(r'^(?:__version__|version) = "(.*)"$', text, re.MULTILINE) == [VERSION]


def test_documents_name_the_files_of_this_version():
    named = re.compile(
        r"(?:shared-layer|shared_utils\w*|wslocal|layerctl|shared-utils-\w+)(?:-|==)([0-9]+\.[0-9]+\.[0-9]+)"
    )
    documents = git(ROOT, "ls-files", "*.md", "*.yaml", "*.tf", "*.yml", "Dockerfile").splitlines()
    found = {
        (name, version)
        for name in documents
        if (ROOT / name).exists() and name != "CHANGELOG.md"
        for version in named.findall((ROOT / name).read_text())
    }

    assert ("layerctl/README.md", VERSION) in found
    assert {version for _, version in found} == {VERSION}


@pytest.fixture(scope="module")
def workflow():
    return yaml.safe_load(WORKFLOW.read_text())


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def commands(workflow):
    return "\n".join(step.get("run", "") for step in steps(workflow))


def test_workflow_runs_the_checks_and_the_release(workflow):
    targets = {*re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)}
    ran = {*re.findall(r"\bmake ([a-z]+)", commands(workflow))}

    assert ran == {"release"}
    assert ran <= targets
    assert ".ci/run" in commands(workflow)
    assert (ROOT / ".ci" / "run").exists()
    # PyYAML reads the key `on` as true, as YAML 1.1 does.
    assert workflow[True]["push"]["tags"] == ["v*"]
    assert "pull_request" in workflow[True]


def test_workflow_sets_up_every_python_of_a_release(workflow):
    [versions] = [
        step["with"]["python-version"]
        for step in workflow["jobs"]["release"]["steps"]
        if step.get("uses", "").startswith("actions/setup-python@")
    ]
    [more] = re.findall(r"uv python install (.*)", commands(workflow))

    every = {f"3.{minor}" for minor in environments.MINOR_VERSIONS}
    assert {*versions.split()} == every
    assert {*more.split()} == every - {"3.11"}
    assert "python:3.11-" in workflow["jobs"]["check"]["container"]["image"]


def test_workflow_may_read_and_only_the_release_may_write(workflow):
    rights = {name: job.get("permissions") for name, job in workflow["jobs"].items()}

    assert workflow["permissions"] == {"contents": "read"}
    assert rights == {"check": None, "release": {"contents": "write"}}
    assert workflow["jobs"]["release"]["needs"] == "check"
    assert "refs/tags/v" in workflow["jobs"]["release"]["if"]


def test_workflow_uses_actions_by_commit_and_knows_no_secret(workflow):
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    text = WORKFLOW.read_text()

    assert used
    assert [name for name in used if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", name)] == []
    assert "secrets." not in text
    assert {*re.findall(r"\$\{\{ (.*?) \}\}", text)} <= {"github.token", "github.ref_name"}
    assert all(
        step["with"]["persist-credentials"] is False
        for step in steps(workflow)
        if step.get("uses", "").startswith("actions/checkout@")
    )
