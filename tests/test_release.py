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
from unittest import mock

import pytest
import yaml
from cyclonedx import spdx

import environments
import release as release_tool
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
    """Run git in a repository that a test made, with nobody's settings; return what it prints."""
    command = ["git", "-C", folder, *arguments]
    done = subprocess.run(
        command, env={**os.environ, **GIT}, check=True, capture_output=True, text=True
    )
    return done.stdout


def files_here(*patterns):
    """Return the names of this repository's files.

    With the user's settings: they may say that a folder of another user is safe, as a container's does.
    """
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in sorted({*done.stdout.splitlines()}) if (ROOT / name).is_file()]


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
    for name in files_here(*PARTS, *(project.parent.name for project in PROJECTS)):
        if "/tests/" not in name:
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
        assert f"no CPython 3.{minor} here" in done[0].stdout


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


def ended(*arguments):
    """Return what a release that is run here ends with."""
    with pytest.raises(SystemExit) as caught:
        main([*map(str, arguments)])
    return caught.value.code


@pytest.mark.parametrize("name", ["", "0.2.0", "v0.2", "v0.2.0\n"])
def test_name_that_is_no_tags_is_refused(name):
    said = ended(name)

    assert said == f"release: a tag looks like v0.2.0, got {name!r}: make release TAG=v0.2.0"


def test_tag_that_is_not_there_is_refused():
    assert ended("v9.9.9") == (
        "release: there is no tag v9.9.9 here: git tag v9.9.9, or git fetch --tags"
    )


def test_tag_of_something_else_than_a_commit_is_refused_in_gits_words(clone):
    git(clone, "tag", "v9.9.9", "HEAD:tools")

    assert re.fullmatch(r"git log ended with \d+: .*v9\.9\.9.*", refusal(clone, "v9.9.9"))


def test_folder_that_is_no_repository_is_refused_in_gits_words(monkeypatch, tmp_path):
    monkeypatch.setattr(release_tool, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert ended(TAG).startswith("release: git for-each-ref ended with 128: fatal: not a git repo")


def test_machine_without_git_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert ended(TAG) == "release: there is no git on PATH: install it"


def test_python_without_the_builder_is_refused(repository):
    done = subprocess.run(
        [sys.executable, "-S", repository / "tools" / "release.py", TAG],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"release: .* has no hatchling: run `make release TAG=v0\.2\.0`\n", done.stderr
    )


def test_release_that_was_stopped_ends_in_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(release_tool, "_read_tag", mock.Mock(side_effect=KeyboardInterrupt))

    assert ended(TAG, "--output", tmp_path) == f"release: stopped; {tmp_path} is as it was"


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


@pytest.mark.parametrize(
    ("files", "named"),
    [
        pytest.param({"mine.txt": ""}, "mine.txt", id="no-release"),
        pytest.param({"a": "", "b": "", "c": ""}, "a and 2 more", id="several"),
        pytest.param(
            {"SHA256SUMS": "00  CHANGES.md\n", "CHANGES.md": "", "mine.txt": ""},
            "mine.txt",
            id="beside-a-release",
        ),
        pytest.param({"SHA256SUMS": ""}, "SHA256SUMS", id="empty-list"),
    ],
)
def test_file_that_no_release_made_is_not_deleted(clone, files, named):
    (clone / "dist").mkdir()
    for name, content in files.items():
        (clone / "dist" / name).write_text(content)

    said = refusal(clone, TAG, "--python", PYTHON)

    assert said == (
        f"{clone}/dist holds {named}, which no release made: "
        "move it away, or name another folder with --output"
    )
    assert {name: content.decode() for name, content in read(clone / "dist").items()} == files


def test_release_takes_the_place_of_the_one_before(tmp_path):
    """The build itself is shown above; a file that came during it keeps the old one there."""
    output, stage = tmp_path / "dist", tmp_path / "stage" / "dist"
    for folder in (output, stage):
        folder.mkdir(parents=True)
        (folder / "SHA256SUMS").write_text(f"00  {folder.parent.name}.whl\n")
        (folder / f"{folder.parent.name}.whl").touch()
    (output / "mine.txt").touch()
    with pytest.raises(release_tool.ReleaseError, match=r"mine\.txt"):
        release_tool._put_in_place(stage, output)
    (output / "mine.txt").unlink()

    release_tool._put_in_place(stage, output)

    assert {*read(output)} == {"SHA256SUMS", "stage.whl"}


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("LICENSE", "{}/LICENSE is no folder: name one with --output"),
        (
            "LICENSE/dist",
            "nothing can be written to {}/LICENSE (File exists): name another folder with --output",
        ),
    ],
)
def test_output_that_cannot_be_is_refused_before_the_build(clone, output, said):
    assert refusal(clone, TAG, "--python", PYTHON, "--output", output) == said.format(clone)


def test_check_reads_the_tag_and_writes_nothing(clone):
    before = {path.name for path in clone.iterdir()}

    done = release(clone, TAG, "--check")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{TAG} has one version and a section of the changelog\n"
    assert {path.name for path in clone.iterdir()} == before


def test_python_that_is_not_here_is_refused(clone):
    assert refusal(clone, TAG, "--python", "3.99") == "there is no CPython 3.99 here: install it"


# --- versions and the workflow --------------------------------------------------------------------


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.parent.name)
def test_every_package_has_the_layers_version(project):
    described = tomllib.loads(project.read_text())
    file = described.get("tool", {}).get("hatch", {}).get("version", {}).get("path")
    text = (project.parent / file).read_text() if file else project.read_text()

    assert re.findall(r'^(?:__version__|version) = "(.*)"$', text, re.MULTILINE) == [VERSION]


# How a document names this version: in a file's name, in a requirement, in a tag, and in a sentence or a variable.
NAMED = re.compile(
    r"""(?:(?:shared-layer|shared_utils\w*|wslocal|layerctl|shared-utils-\w+)(?:-|==)
    |TAG=v|--check[ ]v|git[ ]tag[ ]v|\bversion=|\bin[ ]place[ ]of[ ]`)([0-9]+\.[0-9]+\.[0-9]+)""",
    re.VERBOSE,
)


@pytest.fixture(scope="module")
def naming():
    """Return the versions that each document names, and the documents in which this version stands at all."""
    names = files_here(
        *("*.md", "*.yaml", "*.yml", "*.tf", "*Dockerfile", "examples/*.txt", "examples/*.sh"),
        ":!CHANGELOG.md",
        ":!tests",
    )
    texts = {name: (ROOT / name).read_text() for name in names}
    versions = {name: {*NAMED.findall(text)} for name, text in texts.items()}
    return versions, {name for name, text in texts.items() if VERSION in text}


def test_documents_name_the_files_of_this_version(naming):
    versions, _ = naming

    stale = {name: found for name, found in versions.items() if found - {VERSION}}

    assert stale == {}, f"write {VERSION} there"


def test_document_in_which_the_version_stands_is_seen(naming):
    """Whatever form it has: the next version would be missed there."""
    versions, standing = naming

    assert {"examples/adopt/image/Dockerfile", "examples/adopt/cli/README.md"} <= standing
    assert "examples/adopt/cdk/requirements.txt" in standing
    assert {name for name in standing if not versions[name]} == set()


@pytest.fixture(scope="module")
def workflow():
    return yaml.safe_load(WORKFLOW.read_text())


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def commands(workflow):
    return "\n".join(step.get("run", "") for step in steps(workflow))


def test_workflow_looks_at_the_tag_before_the_checks(workflow):
    *_, first, checks = workflow["jobs"]["check"]["steps"]

    assert first["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert first["run"].endswith('tools/release.py --check "$TAG"\n')
    assert checks["run"] == ".ci/run"


def test_workflow_that_is_run_again_puts_its_files_into_the_release_that_is_there(workflow):
    last = workflow["jobs"]["release"]["steps"][-1]["run"]

    assert re.search(r"if gh release view .*\n *gh release upload .* --clobber", last)
    assert re.search(r"else\n *gh release create .* --verify-tag", last)


def test_newer_push_stops_only_the_checks_of_a_pull_request(workflow):
    assert workflow["concurrency"] == {
        "group": "checks-${{ github.ref }}",
        "cancel-in-progress": "${{ github.event_name == 'pull_request' }}",
    }


def test_workflow_runs_the_checks_and_the_release(workflow):
    targets = {*re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)}
    ran = {*re.findall(r"\bmake ([a-z]+)", commands(workflow))}

    assert ran == {"dev", "release"}
    assert ran <= targets | {"dev"}
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
    known = {"github.token", "github.ref_name", "github.ref", "github.event_name == 'pull_request'"}
    assert {*re.findall(r"\$\{\{ (.*?) \}\}", text)} <= known
    assert "${{" not in commands(workflow)
    assert all(
        step["with"]["persist-credentials"] is False
        for step in steps(workflow)
        if step.get("uses", "").startswith("actions/checkout@")
    )
