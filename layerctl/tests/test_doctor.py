"""A healthy function, stage and zip have no finding; each planted fault has its own, with a remedy."""

import json
import os
import select
import shutil
import struct
import zipfile
from dataclasses import replace

import pytest
from botocore.stub import Stubber

from layerctl import importing, versions
from layerctl.archive import Archive, code_sha256
from layerctl.aws import Aws
from layerctl.check_function import check_function
from layerctl.facts import Gatherer
from layerctl.findings import FunctionFacts, Wanted
from layerctl.fleet import FunctionConfiguration

from .conftest import HANDLER, PYTHON, unzipped, zipped

PYC = f"python/shared_utils/__pycache__/validators.cpython-{PYTHON.replace('.', '')}.pyc"
VALIDATORS = "python/shared_utils/validators.py"

FUNCTION = FunctionConfiguration(
    name="f",
    runtime=f"python{PYTHON}",
    handler="app.handler",
    architecture="arm64",
    package_type="Zip",
    layers=(),
    revision="",
    state="Active",
    update_status="Successful",
    update_reason="",
    code_sha256="",
    owner="",
)


@pytest.fixture(scope="session")
def content(layer_zip):
    return layer_zip.read_bytes()


@pytest.fixture(scope="session")
def files(content):
    return unzipped(content)


@pytest.fixture(scope="session")
def layer(cloud, content):
    """Return the ARN of the layer as it should be."""
    return cloud.publish("Healthy", content)


@pytest.fixture
def examine(ctl):
    """Return the findings on a function, as `level code`, and the whole report."""

    def run(*arguments):
        result = ctl("doctor", *arguments, "--json")
        report = json.loads(result.stdout)
        assert all(row["remedy"] and row["message"] for row in report["findings"])
        codes = [f"{row['level']} {row['code']}" for row in report["findings"]]
        return result.exit_code, codes, report

    return run


def of(report, code):
    [message] = [row["message"] for row in report["findings"] if row["code"] == code]
    return message


def test_healthy_function_has_no_finding(examine, cloud, layer):
    name = cloud.function(cloud.name("healthy"), (layer,))

    assert examine("--function", name, "--import")[:2] == (0, [])


def test_healthy_zip_has_no_finding(examine, layer_zip):
    assert examine(layer_zip, "--import")[:2] == (0, [])


def test_layer_not_attached(examine, cloud):
    name = cloud.function(cloud.name("bare"))

    code, found, report = examine("--function", name)

    assert (code, found) == (1, ["error not-attached"])
    assert report["findings"][0]["remedy"] == (
        f"layerctl attach --function {name} --layer SharedUtilsLayer"
    )


def test_newer_version_exists(examine, cloud, content, newer_zip):
    """A warning: it fails in CI with --strict only."""
    layer = cloud.name("Aging")
    old = cloud.publish(layer, content)
    cloud.publish(layer, newer_zip.read_bytes())
    name = cloud.function(cloud.name("aging"), (old,))

    code, found, report = examine("--function", name)

    assert (code, found) == (0, ["warning outdated"])
    assert of(report, "outdated") == f"it uses {layer}:1, and there is {layer}:2"
    assert examine("--function", name, "--strict")[0] == 1


def test_zip_of_the_package_without_its_python_folder(examine, cloud, files):
    """What `cd python && zip -r layer.zip shared_utils` makes."""
    bare = {path.removeprefix("python/"): data for path, data in files.items()}
    name = cloud.function(cloud.name("f"), (cloud.publish(cloud.name("Bare"), zipped(bare)),))

    code, found, report = examine("--function", name)

    assert (code, found) == (1, ["error no-python-folder"])
    assert " has shared_utils at shared_utils, " in of(report, "no-python-folder")


def test_zip_with_a_folder_around_python(examine, tmp_path, files):
    """What zipping the project folder makes."""
    wrapped = tmp_path / "wrapped.zip"
    wrapped.write_bytes(zipped({f"shared-layer/{path}": data for path, data in files.items()}))

    code, found, report = examine(wrapped)

    assert (code, found) == (1, ["error no-python-folder"])
    assert "shared_utils is at shared-layer/python/shared_utils" in of(report, "no-python-folder")


def test_zip_without_the_package(examine, tmp_path):
    other = tmp_path / "other.zip"
    other.write_bytes(zipped({"python/something.py": ""}))

    assert examine(other)[:2] == (1, ["error package-missing"])


def test_layer_of_another_python(examine, cloud, files):
    """`python/lib/python3.x/site-packages` serves one version."""
    place = "python/lib/python3.99/site-packages/"
    moved = {path.replace("python/", place, 1): data for path, data in files.items()}
    name = cloud.function(cloud.name("f"), (cloud.publish(cloud.name("Moved"), zipped(moved)),))

    code, found, report = examine("--function", name)

    assert (code, found) == (1, ["error other-python"])
    assert f"{place}shared_utils, where Python {PYTHON} does not look" in of(report, "other-python")


def test_runtime_that_the_layer_is_not_for(examine, cloud, content):
    older = cloud.publish(cloud.name("Older"), content, ("python3.9", "python3.10"))
    name = cloud.function(cloud.name("f"), (older,))

    code, found, report = examine("--function", name)

    assert (code, found) == (1, ["error runtime-not-declared"])
    assert of(report, "runtime-not-declared").endswith("is for python3.9, python3.10")


def test_architecture_that_the_layer_is_not_for(examine, cloud, content):
    arn = cloud.functions.publish_layer_version(
        LayerName=cloud.name("Arm"), Content={"ZipFile": content}, CompatibleArchitectures=["arm64"]
    )["LayerVersionArn"]
    name = cloud.function(cloud.name("f"), (arn,), Architectures=["x86_64"])

    assert examine("--function", name)[:2] == (1, ["error architecture-not-declared"])


@pytest.mark.parametrize("path", ["shared_utils.py", "shared_utils/__init__.py"])
def test_module_of_the_function_hides_the_layer(examine, cloud, layer, path):
    files = {"app.py": "def handler(event, context): pass", path: ""}
    name = cloud.function(cloud.name("f"), (layer,), files=files)

    code, found, report = examine("--function", name)

    assert (code, found) == (1, ["error shadowed-by-function"])
    assert "hides shared_utils of Healthy:1" in of(report, "shadowed-by-function")


def test_folder_without_init_hides_nothing(examine, cloud, layer):
    """Python prefers the layer's package to a namespace that comes before it."""
    files = {"app.py": HANDLER, "shared_utils/notes.py": ""}
    name = cloud.function(cloud.name("f"), (layer,), files=files)

    assert examine("--function", name, "--import")[:2] == (0, [])


def test_other_layer_holds_the_same_module(examine, cloud, layer):
    other = cloud.publish(cloud.name("Copy"), zipped({"python/shared_utils/__init__.py": ""}))
    name = cloud.function(cloud.name("f"), (other, layer))

    code, found, report = examine("--function", name)

    assert (code, found) == (1, ["error shadowed-by-layer"])
    assert "both hold shared_utils" in of(report, "shadowed-by-layer")


def test_bytecode_of_other_sources_under_the_package(examine, cloud, files):
    """Unchecked bytecode runs whatever the source says: the edit would never be seen."""
    edited = files | {VALIDATORS: files[VALIDATORS] + b"\n# edited in the zip\n"}
    name = cloud.function(cloud.name("f"), (cloud.publish(cloud.name("Edited"), zipped(edited)),))

    code, found, report = examine("--function", name)

    assert (code, found) == (1, ["error bytecode-not-of-source"])
    assert "validators.py" in of(report, "bytecode-not-of-source")


def test_no_bytecode(examine, cloud, files):
    bare = {path: data for path, data in files.items() if not path.endswith(".pyc")}
    name = cloud.function(cloud.name("f"), (cloud.publish(cloud.name("Slow"), zipped(bare)),))

    assert examine("--function", name)[:2] == (0, ["warning bytecode-missing"])


@pytest.mark.parametrize(
    ("start", "header", "finding"),
    [
        pytest.param(0, b"\0\0\r\n", "warning bytecode-foreign", id="magic-of-another-python"),
        pytest.param(4, struct.pack("<III", 0, 0, 0), "warning bytecode-dated", id="by-file-date"),
        pytest.param(4, struct.pack("<IQ", 3, 0), "warning bytecode-outdated", id="other-hash"),
    ],
)
def test_bytecode_that_is_not_used(examine, tmp_path, files, start, header, finding):
    pyc = files[PYC]
    path = tmp_path / "layer.zip"
    changed = pyc[:start] + header + pyc[start + len(header) :]
    path.write_bytes(zipped(files | {PYC: changed}))

    assert examine(path)[:2] == (0, [finding])


def test_files_that_lambda_may_not_read(examine, tmp_path, files):
    """A zip made under umask 077: it imports on the laptop and not on Lambda."""
    closed = bytearray(zipped({"python/shared_utils/__init__.py": "", "python/a.py": ""}))
    modes = struct.pack("<I", 0o100644 << 16)
    closed = bytes(closed).replace(modes, struct.pack("<I", 0o100600 << 16))
    path = tmp_path / "closed.zip"
    path.write_bytes(closed)

    code, found, report = examine(path)

    assert code == 1
    assert "error unreadable-files" in found
    assert "closed.zip has 2 entries that Lambda may not read" in of(report, "unreadable-files")


def test_handler_that_is_nowhere(examine, cloud, layer):
    name = cloud.function(cloud.name("f"), (layer,), Handler="src.app.handler")

    code, found, report = examine("--function", name)

    assert (code, found) == (1, ["error handler-missing"])
    assert "there is no src/app.py" in of(report, "handler-missing")


def test_import_that_fails_is_tried_for_real(examine, cloud, layer):
    """Only with --import: without it nothing of the function's code runs."""
    files = {"app.py": "import numpy_of_tomorrow\ndef handler(event, context): pass\n"}
    name = cloud.function(cloud.name("f"), (layer,), files=files)

    code, found, report = examine("--function", name, "--import")

    assert examine("--function", name)[:2] == (0, [])
    assert (code, found) == (1, ["error import-failed"])
    assert of(report, "import-failed") == (
        "app.handler cannot be imported: Runtime.ImportModuleError: Unable to import module 'app': "
        "No module named 'numpy_of_tomorrow'"
    )


def test_import_of_a_broken_layer_fails(examine, tmp_path, files):
    path = tmp_path / "broken.zip"
    init = "python/shared_utils/__init__.py"
    pyc = f"python/shared_utils/__pycache__/__init__.cpython-{PYTHON.replace('.', '')}.pyc"
    broken = {name: data for name, data in files.items() if name != pyc}
    path.write_bytes(zipped(broken | {init: b"raise RuntimeError('broken on purpose')\n"}))

    code, found, report = examine(path, "--import")

    assert code == 1
    assert "error import-failed" in found
    assert "broken on purpose" in of(report, "import-failed")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param(
            "import os\nraise RuntimeError(sorted(n for n in os.environ if 'KEY' in n or n == 'HOME_OF_TEST'))",
            "RuntimeError: ['MY_KEY']",
            id="sees-its-own-variables-and-no-credentials",
        ),
        pytest.param("raise SystemExit(3)", "Runtime.ExitError: exit status 3: ", id="exits"),
        pytest.param(
            "def other(): pass", "Handler 'handler' missing on module 'app'", id="no-handler"
        ),
        pytest.param("def handler(:", "Syntax error in module 'app'", id="syntax"),
    ],
)
def test_import_says_what_happened(examine, cloud, layer, monkeypatch, source, message):
    """Nothing of this machine's environment reaches the function's code."""
    monkeypatch.setenv("HOME_OF_TEST", "here")
    name = cloud.function(
        cloud.name("f"),
        (layer,),
        files={"app.py": source},
        Environment={"Variables": {"MY_KEY": "1", "AWS_SECRET_ACCESS_KEY_2": "no"}},
    )

    _, found, report = examine("--function", name, "--import")

    assert found == ["error import-failed"]
    assert message in of(report, "import-failed")


def attempt(source, seconds):
    code = Archive(zipped({"app.py": source}), "code")
    with importing.unpacked(code, []) as places:
        interpreter = importing.find_interpreter(PYTHON)
        return importing.try_import("app.handler", interpreter, PYTHON, places, {}, seconds)


def test_import_that_never_ends_is_ended():
    assert attempt("import time; time.sleep(60)", seconds=0.2).type == "Sandbox.Timedout"


def test_what_an_import_started_ends_with_it(tmp_path):
    pid = tmp_path / "pid"
    source = (
        "import pathlib, subprocess\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"pathlib.Path({str(pid)!r}).write_text(str(child.pid))\n"
        "raise ImportError('after all')\n"
    )

    failed = attempt(source, seconds=30)

    assert failed.message.endswith("after all")
    assert ends(int(pid.read_text()))


def ends(pid: int) -> bool:
    """Return whether the process has ended, or does so in a moment."""
    try:
        life = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ended, _, _ = select.select([life], [], [], 10)
    os.close(life)
    return bool(ended)


def test_python_that_is_not_here_is_not_tried(examine, cloud, content):
    arn = cloud.publish(cloud.name("Any"), content, ("python3.9",))
    name = cloud.function(cloud.name("f"), (arn,), Runtime="python3.9")

    assert "warning import-not-tried" in examine("--function", name, "--import")[1]


def test_container_image_takes_no_layers(examine, cloud):
    name = cloud.name("image")
    cloud.functions.create_function(
        FunctionName=name,
        PackageType="Image",
        Code={"ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/app:1"},
        Role=cloud.role,
    )

    assert examine("--function", name)[:2] == (1, ["error container-image"])


def test_last_update_failed():
    """The emulator's updates never fail."""
    failed = replace(FUNCTION, update_status="Failed", update_reason="The role is gone")
    facts = FunctionFacts(failed, Archive(zipped({"app.py": ""}), "code"), ())

    findings = list(check_function(facts, Wanted("shared_utils", "L")))

    assert [row.code for row in findings] == ["update-failed", "not-attached"]
    assert findings[0].message == "its last update failed: The role is gone"


def test_layer_of_another_account_is_not_compared_with_ours_of_the_same_name(monkeypatch):
    aws = Aws(region="eu-west-1")
    theirs = "arn:aws:lambda:eu-west-1:222222222222:layer:L:1"
    ours = "arn:aws:lambda:eu-west-1:111111111111:layer:L:9"
    content = zipped({"python/shared_utils/__init__.py": ""})
    content_row = {"CodeSha256": code_sha256(content), "Location": "https://s3/"}
    monkeypatch.setattr(versions, "download", lambda url, what: content)
    function = replace(FUNCTION, package_type="Image", layers=(theirs,))  # no package to download

    with Stubber(aws.functions) as stub:
        stub.add_response(
            "get_layer_version_by_arn",
            {"LayerVersionArn": theirs, "Version": 1, "Content": content_row},
        )
        stub.add_response(
            "list_layer_versions", {"LayerVersions": [{"LayerVersionArn": ours, "Version": 9}]}
        )
        [layer] = Gatherer(aws, "shared_utils").gather(function).layers

    assert layer.newest == 0


def test_layer_version_that_was_deleted(examine, cloud, content):
    """The function keeps its copy; whoever looks cannot look into it any more."""
    arn = cloud.publish(cloud.name("Gone"), content)
    name = cloud.function(cloud.name("f"), (arn,))
    cloud.functions.delete_layer_version(LayerName=arn.split(":")[6], VersionNumber=1)

    code, found, report = examine("--function", name)

    assert (code, found) == (0, ["warning layer-unreadable"])
    assert "does not exist any more" in of(report, "layer-unreadable")


def test_all_places_for_layers_are_taken(examine, cloud, layer):
    others = tuple(
        cloud.publish(cloud.name("Other"), zipped({f"python/other{index}.py": ""}))
        for index in range(4)
    )
    name = cloud.function(cloud.name("f"), (*others, layer))

    code, found, report = examine("--function", name)

    assert (code, found) == (0, ["warning no-room-for-layers"])
    assert of(report, "no-room-for-layers") == "it has 5 layers of 5"


def test_function_that_is_nearly_too_large(examine, cloud, layer):
    big = cloud.publish(cloud.name("Big"), zipped({"python/big/data.bin": bytes(201 * 1024**2)}))
    name = cloud.function(cloud.name("f"), (big, layer))

    code, found, report = examine("--function", name)

    assert (code, found) == (0, ["warning nearly-too-large"])
    assert "/big 201.0 MB" in of(report, "nearly-too-large")
    assert max(report["sizes"][name].values()) == 201 * 1024**2


def test_zip_that_is_too_large(examine, tmp_path, files):
    path = tmp_path / "large.zip"
    path.write_bytes(zipped(files | {"python/big/data.bin": bytes(250 * 1024**2)}))

    code, found, report = examine(path)

    assert (code, found) == (1, ["error too-large"])
    assert "the largest are big 250.0 MB, shared_utils" in of(report, "too-large")


def test_zip_that_is_too_large_to_upload(examine, tmp_path, layer_zip):
    path = shutil.copy(layer_zip, tmp_path / "large.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo("python/big/data.bin"), bytes(51 * 1024**2))
        archive.infolist()[-1].external_attr = 0o100644 << 16

    assert examine(path)[:2] == (0, ["warning too-large-to-upload"])


def test_function_that_is_not_python(examine, cloud):
    name = cloud.function(
        cloud.name("f"), files={"index.js": ""}, Runtime="nodejs22.x", Handler="index.handler"
    )

    assert examine("--function", name)[:2] == (1, ["error not-python"])


def test_every_fault_is_found_at_once(examine, cloud, content, newer_zip):
    layer = cloud.name("Many")
    old = cloud.publish(layer, content, ("python3.9",))
    cloud.publish(layer, newer_zip.read_bytes())
    name = cloud.function(
        cloud.name("f"), (old,), files={"shared_utils.py": ""}, Handler="gone.handler"
    )

    assert examine("--function", name)[:2] == (
        1,
        [
            "warning outdated",
            "error runtime-not-declared",
            "error shadowed-by-function",
            "error handler-missing",
        ],
    )


def test_findings_fit_a_terminal(ctl, cloud):
    name = cloud.function("a-function-with-quite-a-long-name-as-they-have-in-real-accounts")

    result = ctl("doctor", "--function", name)

    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert (
        f"    -> layerctl attach --function {name} --layer SharedUtilsLayer" in lines
    )  # to be copied
    assert max(len(line) for line in lines if "->" not in line) <= 80


def test_same_finding_on_several_functions_is_shown_once(ctl, cloud):
    stage = cloud.name("s")
    for module in ("audio", "session"):
        cloud.function(f"websocket-audio-{stage}-{module}")

    output = ctl("doctor", "--stage", stage).stdout

    assert output.count("not-attached") == 1
    assert f"    -> layerctl attach --stage {stage}\n" in output
    assert "2 errors, 1 warning; looked at " in output
