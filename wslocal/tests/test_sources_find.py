"""Which source a path means, and what each kind of source takes from its folder."""

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from wslocal.sources import BUCKET, ProjectError, ProjectOptions, fit, read_project

PLAIN = """
Resources:
  Chat:
    Type: AWS::Lambda::Function
    Properties: {Runtime: python3.11, Handler: app.handler, Role: x, Code: ./code}
"""
SAM = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.11, Handler: app.handler, CodeUri: code}}
Resources:
  Chat:
    Type: AWS::Serverless::Function
"""
SERVERLESS = {
    "Resources": {
        "Chat": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.11",
                "Handler": "app.handler",
                "Code": {"S3Bucket": {"Ref": "B"}, "S3Key": "serverless/chat/dev/1/chat.zip"},
            },
        }
    }
}


def read(path, **options):
    return read_project(path, ProjectOptions(**options))


def refusal(path, **options):
    with pytest.raises(ProjectError) as caught:
        read(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def add_code(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"app": "def handler(event, context): ...\n", **files}.items():
        (folder / f"{name}.py").write_text(text)


def add_serverless(folder, template=SERVERLESS, provider=None):
    folder.mkdir()
    state = {"service": {"service": "chat", "provider": provider or {"stage": "live"}}}
    (folder / "serverless-state.json").write_text(json.dumps(state))
    (folder / "cloudformation-template-update-stack.json").write_text(json.dumps(template))
    with zipfile.ZipFile(folder / "chat.zip", "w") as archive:
        archive.writestr("app.py", "")


def add_assembly(folder, artifacts):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cdk.out").write_text('{"version": "1"}')
    (folder / "manifest.json").write_text(json.dumps({"version": "1", "artifacts": artifacts}))


def stack_artifact(folder, name, *dependencies, template=None, **more):
    """Write a template, and return its stack's artifact."""
    folder.mkdir(parents=True, exist_ok=True)
    template = template or {"Resources": {"Table": {"Type": "AWS::DynamoDB::Table"}}}
    (folder / f"{name}.json").write_text(json.dumps(template))
    return {
        "type": "aws:cloudformation:stack",
        "dependencies": list(dependencies),
        "properties": {"templateFile": f"{name}.json"},
        **more,
    }


def files_of(archive):
    return zipfile.ZipFile(io.BytesIO(archive)).namelist()


# --- which source


@pytest.mark.parametrize("name", ["template.yaml", "template.yml", "template.json"])
def test_the_one_in_the_projects_folder(tmp_path, name):
    (tmp_path / name).write_text(PLAIN if name != "template.json" else '{"Resources": {}}')
    add_code(tmp_path / "code")

    project = read(tmp_path)

    assert project.watched[0] == tmp_path / name
    assert len(project.stacks) == 1


def test_any_file_that_is_named(tmp_path):
    (tmp_path / "template.yaml").write_text("broken: [")
    (tmp_path / "other.yml").write_text(PLAIN)
    add_code(tmp_path / "code")

    assert read(tmp_path / "other.yml").watched == (tmp_path / "other.yml", tmp_path / "code")


def test_zip_is_no_template(tmp_path):
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("app.py", "")

    assert refusal(tmp_path / "code.zip").endswith(
        "code.zip is a zip, no project: name the template that deploys it, or the template's folder"
    )


@pytest.mark.parametrize("path", ["", ".serverless", ".serverless/serverless-state.json"])
def test_serverless(tmp_path, path):
    add_serverless(tmp_path / ".serverless")
    (tmp_path / "serverless.yml").write_text("")

    [stack] = read(tmp_path / path).stacks

    assert stack.name == "chat-live"


@pytest.mark.parametrize("path", ["", "cdk.out", "cdk.out/manifest.json"])
def test_cdk(tmp_path, path):
    add_assembly(tmp_path / "cdk.out", {"One": stack_artifact(tmp_path / "cdk.out", "One")})
    (tmp_path / "manifest.json").write_text('{"name": "of a web app"}')

    assert [stack.name for stack in read(tmp_path / path).stacks] == ["One"]


def test_what_is_needed_is_what_a_build_writes_last(tmp_path):
    for name in ("cdk", "serverless", "plain"):
        (tmp_path / name).mkdir()
    assembly, package = tmp_path / "cdk" / "cdk.out", tmp_path / "serverless" / ".serverless"
    add_assembly(assembly, {"One": stack_artifact(assembly, "One")})
    add_serverless(package)
    (tmp_path / "plain" / "template.yaml").write_text(PLAIN)
    add_code(tmp_path / "plain" / "code")

    for name, needed in (
        ("cdk", assembly / "manifest.json"),
        ("serverless", package / "cloudformation-template-update-stack.json"),
        ("serverless", package / "serverless-state.json"),
        ("plain", tmp_path / "plain" / "template.yaml"),
    ):
        project = read(tmp_path / name)
        content = needed.read_bytes()
        assert project.is_whole()
        needed.unlink()
        assert not project.is_whole()
        needed.write_bytes(content)


def test_several(tmp_path):
    (tmp_path / "template.yaml").write_text(PLAIN)
    add_serverless(tmp_path / ".serverless")

    assert refusal(tmp_path) == (
        f"{tmp_path} has template.yaml or .serverless: name the one that is meant"
    )


def test_none(tmp_path):
    assert refusal(tmp_path) == (
        f"{tmp_path} has no template.yaml, template.yml, template.json, cdk.out or .serverless: "
        "name the project's folder or template"
    )
    assert refusal(tmp_path / "gone") == f"{tmp_path / 'gone'} is not there"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("cdk.json", "cdk synth"),
        ("serverless.yml", "osls package` or `serverless package"),
    ],
)
def test_not_yet_built(tmp_path, name, what):
    (tmp_path / name).write_text("{}")

    assert refusal(tmp_path).endswith(f"run `{what}` first")
    assert refusal(tmp_path / name).endswith(f"run `{what}` first")


def test_in_a_folder_below(tmp_path):
    for name in ("web", "api", "jobs"):
        (tmp_path / name).mkdir()
    (tmp_path / "api" / "template.yaml").write_text(PLAIN)
    add_serverless(tmp_path / "jobs" / ".serverless")

    assert refusal(tmp_path) == (
        f"{tmp_path} has its templates in folders: name {tmp_path / 'api'} or {tmp_path / 'jobs'}"
    )


def test_terraform(tmp_path):
    (tmp_path / "main.tf").write_text("")

    assert "is for Terraform, which is not read" in refusal(tmp_path)


def test_left_out_has_to_be_there(tmp_path):
    (tmp_path / "template.yaml").write_text(PLAIN)
    add_code(tmp_path / "code")

    assert read(tmp_path, leave_out=frozenset({"Chat", "Chat.VpcConfig"}))
    assert (
        refusal(tmp_path, leave_out=frozenset({"Cat"})) == "there is no resource Cat to leave out"
    )


# --- CloudFormation


def test_local_code_is_packed(tmp_path):
    (tmp_path / "template.yaml").write_text(PLAIN)
    add_code(tmp_path / "code")

    [stack] = read(tmp_path).stacks

    [(key, archive)] = stack.archives.items()
    assert files_of(archive) == ["app.py"]
    code = stack.template["Resources"]["Chat"]["Properties"]["Code"]
    assert code == {"S3Bucket": BUCKET, "S3Key": key}


def test_changed_code_has_another_key(tmp_path):
    (tmp_path / "template.yaml").write_text(PLAIN)
    add_code(tmp_path / "code")
    before = read(tmp_path).stacks[0].archives.keys()

    add_code(tmp_path / "code", app="x = 1\n")

    assert read(tmp_path).stacks[0].archives.keys().isdisjoint(before)


@pytest.mark.parametrize("code", ["{S3Bucket: b, S3Key: k}", "s3://b/k"])
def test_code_in_a_bucket(tmp_path, code):
    (tmp_path / "template.yaml").write_text(PLAIN.replace("./code", code))

    assert refusal(tmp_path).startswith("Chat has its code in a bucket: give Code as a path")
    assert read(tmp_path, leave_out=frozenset({"Chat"})).stacks[0].archives == {}


def test_code_that_is_not_there(tmp_path):
    (tmp_path / "template.yaml").write_text(PLAIN)

    assert refusal(tmp_path) == f"Chat has its code in {tmp_path / 'code'}, which is not there"


def test_macros_are_the_accounts(tmp_path):
    (tmp_path / "template.yaml").write_text(f"Transform: [Mine]{PLAIN}")

    assert "wants the macro Mine" in refusal(tmp_path)


def test_stack_is_named_after_its_folder(tmp_path):
    folder = tmp_path / "1 my_chat!"
    folder.mkdir()
    (folder / "template.yaml").write_text(PLAIN)
    add_code(folder / "code")

    assert read(folder).stacks[0].name == "stack-1-my-chat"


def test_parameters_are_checked_and_kept(tmp_path):
    (tmp_path / "template.yaml").write_text("Parameters: {Stage: {Type: String}}" + PLAIN)
    add_code(tmp_path / "code")

    assert read(tmp_path, parameters={"Stage": "x"}).stacks[0].parameters == {"Stage": "x"}
    assert refusal(tmp_path).startswith("the template wants a value for Stage")
    assert refusal(tmp_path, parameters={"Stag": "x"}).startswith("there is no parameter Stag")


# --- requirements that no build has installed


class InstallsAFile:
    """An installer whose packages are one file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[tuple[str, Path]] = []
        folder.mkdir()
        (folder / "installed.py").write_text("")

    def python(self, runtime: str, requirements: Path) -> Path:
        self.calls.append((runtime, requirements))
        return self.folder

    node = python


def test_missing_requirements_are_noted(tmp_path):
    (tmp_path / "template.yaml").write_text(PLAIN)
    add_code(tmp_path / "code")
    (tmp_path / "code" / "requirements.txt").write_text("requests\n")

    assert read(tmp_path).notes == (
        f"Chat asks for requests in {tmp_path / 'code' / 'requirements.txt'}, which no build has "
        "installed: build the project first, such as with `sam build`, or add --install",
    )


@pytest.mark.parametrize(
    ("runtime", "name", "text"),
    [
        ("python3.11", "requirements.txt", "requests"),
        ("nodejs22.x", "package.json", '{"dependencies": {"ws": "8"}}'),
    ],
)
def test_missing_requirements_are_installed(tmp_path, runtime, name, text):
    (tmp_path / "template.yaml").write_text(PLAIN.replace("python3.11", runtime))
    add_code(tmp_path / "code")
    (tmp_path / "code" / name).write_text(text)
    installer = InstallsAFile(tmp_path / "installed")

    project = read(tmp_path, install=installer)

    assert installer.calls == [(runtime, tmp_path / "code" / name)]
    assert project.notes == ()
    [archive] = project.stacks[0].archives.values()
    assert files_of(archive) == ["app.py", name, "installed.py"]


# --- SAM


def test_sam_is_transformed(tmp_path):
    (tmp_path / "template.yaml").write_text(SAM)
    add_code(tmp_path / "code")

    [stack] = read(tmp_path).stacks

    function = stack.template["Resources"]["Chat"]
    [key] = stack.archives
    assert function["Type"] == "AWS::Lambda::Function"
    assert function["Properties"]["Code"] == {"S3Bucket": BUCKET, "S3Key": key}
    assert stack.template["Resources"]["ChatRole"]["Type"] == "AWS::IAM::Role"
    assert "Transform" not in stack.template


def test_sam_takes_what_was_built(tmp_path):
    """As `sam local` does; what is built asks for nothing more."""
    build = tmp_path / ".aws-sam" / "build"
    add_code(build / "Chat", built="")
    (build / "Chat" / "requirements.txt").write_text("requests\n")
    (build / "template.yaml").write_text(SAM.replace("CodeUri: code", "CodeUri: Chat"))
    (tmp_path / "template.yaml").write_text(SAM)
    add_code(tmp_path / "code")

    project = read(tmp_path)

    [stack] = project.stacks
    assert [files_of(archive) for archive in stack.archives.values()] == [
        ["app.py", "built.py", "requirements.txt"]
    ]
    assert project.watched == (build,)
    assert project.build == build
    [note] = project.notes
    assert note.endswith("run `sam build` after a change")
    assert read(build / "template.yaml").stacks[0].name == stack.name


def test_sam_waits_for_a_build_that_is_made_anew_and_not_for_one_that_is_gone(tmp_path):
    """`sam build` empties the folder first, and writes the template last."""
    build = tmp_path / ".aws-sam" / "build"
    (tmp_path / "template.yaml").write_text(SAM)
    add_code(tmp_path / "code")
    unbuilt = read(tmp_path)
    add_code(build / "Chat")
    (build / "template.yaml").write_text(SAM.replace("CodeUri: code", "CodeUri: Chat"))
    built = read(tmp_path)

    assert build / "template.yaml" in unbuilt.watched
    assert unbuilt.build is None
    assert built.is_whole()
    (build / "template.yaml").unlink()
    assert not built.is_whole()
    shutil.rmtree(build)
    assert built.is_whole()
    assert unbuilt.is_whole()


@pytest.mark.parametrize(
    ("add", "sentence"),
    [
        pytest.param("    Metadata: {BuildMethod: esbuild}", "run `sam build` first", id="esbuild"),
        pytest.param("    Metadata: {BuildMethod: makefile}", "run `sam build` first", id="make"),
        pytest.param("    Properties: {CodeUri: s3://b/k}", "its code in a bucket", id="bucket"),
        pytest.param("    Properties: {CodeUri: gone}", "which is not there", id="gone"),
        pytest.param("    Properties: {Timeot: 3}", "is refused by SAM: ", id="typo"),
        pytest.param(
            "  App: {Type: AWS::Serverless::Application, Properties: {Location: ./x}}",
            "App is an application of its own",
            id="application",
        ),
        pytest.param(
            "  Rest: {Type: AWS::Serverless::Api, Properties: {StageName: x, DefinitionUri: gone}}",
            "Rest has its definition in ",
            id="definition",
        ),
    ],
)
def test_sam_refused(tmp_path, add, sentence):
    (tmp_path / "template.yaml").write_text(SAM + add)
    add_code(tmp_path / "code")

    assert sentence in refusal(tmp_path)


def test_sam_image_is_refused_by_its_name(tmp_path):
    """Also before `sam build` has made the image."""
    image = "{Type: AWS::Serverless::Function, Properties: {PackageType: Image}}"
    (tmp_path / "template.yaml").write_text(f"Resources: {{Chat: {image}}}")

    [stack] = read(tmp_path).stacks

    with pytest.raises(ProjectError, match="Chat is a container image"):
        fit(stack)


def test_sam_reads_definitions(tmp_path):
    (tmp_path / "template.yaml").write_text(
        SAM
        + "  Rest: {Type: AWS::Serverless::Api, Properties: {StageName: x, DefinitionUri: a.yaml}}\n"
    )
    (tmp_path / "a.yaml").write_text("{openapi: 3.0.1, paths: {}}")
    add_code(tmp_path / "code")

    rest = read(tmp_path).stacks[0].template["Resources"]["Rest"]

    assert rest["Properties"]["Body"] == {"openapi": "3.0.1", "paths": {}}


INCLUDES = """
Resources:
  Rest:
    Type: AWS::ApiGateway::RestApi
    Properties:
      Body:
        Fn::Transform: {Name: AWS::Include, Parameters: {Location: LOCATION}}
        info: {title: chat}
"""


def test_included_files_are_put_in(tmp_path):
    (tmp_path / "template.yaml").write_text(INCLUDES.replace("LOCATION", "apis/rest.yaml"))
    (tmp_path / "apis").mkdir()
    (tmp_path / "apis" / "rest.yaml").write_text(
        "paths: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: paths.json}}}"
    )
    (tmp_path / "apis" / "paths.json").write_text('{"/": {}}')

    [stack] = read(tmp_path).stacks

    body = stack.template["Resources"]["Rest"]["Properties"]["Body"]
    assert body == {"paths": {"/": {}}, "info": {"title": "chat"}}


@pytest.mark.parametrize(
    ("location", "sentence"),
    [
        ("gone.yaml", "gone.yaml cannot be read: No such file or directory"),
        ("list.yaml", "list.yaml does not hold names with values"),
        ("s3://b/k", "includes a file in a bucket"),
    ],
)
def test_included_files_refused(tmp_path, location, sentence):
    (tmp_path / "template.yaml").write_text(INCLUDES.replace("LOCATION", location))
    (tmp_path / "list.yaml").write_text("[]")

    assert sentence in refusal(tmp_path)


def test_sam_layers_that_are_to_be_built(tmp_path):
    """A layer with a build method holds what goes below `python/`."""
    (tmp_path / "template.yaml").write_text(
        SAM
        + """  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer}
    Metadata: {BuildMethod: python3.11}
"""
    )
    add_code(tmp_path / "code")
    add_code(tmp_path / "layer", rooms="")

    archives = read(tmp_path).stacks[0].archives.values()

    assert [files_of(one) for one in archives] == [["app.py"], ["python/app.py", "python/rooms.py"]]


# --- Serverless Framework


def test_serverless_zips(tmp_path):
    add_serverless(tmp_path / ".serverless")

    project = read(tmp_path)

    [stack] = project.stacks
    [(key, archive)] = stack.archives.items()
    assert [note.partition(": ")[2] for note in project.notes] == [
        "run `osls package` or `serverless package` after a change of a source"
    ]
    assert archive == (tmp_path / ".serverless" / "chat.zip").read_bytes()
    code = stack.template["Resources"]["Chat"]["Properties"]["Code"]
    assert code == {"S3Bucket": BUCKET, "S3Key": key}


def test_serverless_source_that_is_newer_is_noted(tmp_path):
    add_serverless(tmp_path / ".serverless")
    (tmp_path / "serverless.yml").touch()
    state = tmp_path / ".serverless" / "serverless-state.json"
    for seconds, count in ((-60, 2), (60, 1)):  # packaged before, and after
        moment = (tmp_path / "serverless.yml").stat().st_mtime + seconds
        os.utime(state, (moment, moment))

        notes = read(tmp_path).notes

        assert len(notes) == count
    assert str(tmp_path / "serverless.yml") not in " ".join(notes)


@pytest.mark.parametrize("kind", ["layers", "functions"])
def test_serverless_zip_that_the_service_names_lies_where_it_was(tmp_path, kind):
    """The framework uploads such a zip from there, and copies none."""
    package = tmp_path / ".serverless"
    add_serverless(package)
    (tmp_path / "dist").mkdir()
    (package / "chat.zip").rename(tmp_path / "dist" / "chat.zip")
    state = json.loads((package / "serverless-state.json").read_text())
    row = {"package": {"artifact": "dist/chat.zip"}}
    state["service"]["initialServerlessConfig"] = {kind: {"one": row}, "functions": {"$ref": "$"}}
    state["service"][kind] = {"one": row, "two": {"handler": "app.handler"}}
    (package / "serverless-state.json").write_text(json.dumps(state))

    [stack] = read(tmp_path).stacks

    assert [*stack.archives.values()] == [(tmp_path / "dist" / "chat.zip").read_bytes()]


def test_serverless_stack_may_have_a_name(tmp_path):
    add_serverless(tmp_path / ".serverless", provider={"stackName": "mine", "stage": "dev"})

    assert read(tmp_path).stacks[0].name == "mine"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("chat.zip", None, "Chat has its code in "),
        ("cloudformation-template-update-stack.json", None, "update-stack.json is not there"),
        ("serverless-state.json", "[]", "is not what the Serverless Framework writes"),
        ("serverless-state.json", "{", "is not what the Serverless Framework writes"),
    ],
)
def test_serverless_incomplete(tmp_path, name, text, sentence):
    add_serverless(tmp_path / ".serverless")
    (tmp_path / ".serverless" / name).unlink()
    if text is not None:
        (tmp_path / ".serverless" / name).write_text(text)

    assert sentence in refusal(tmp_path)
    assert refusal(tmp_path).endswith("run `osls package` or `serverless package`")


# --- CDK


def test_cdk_stacks_in_the_order_of_their_dependencies(tmp_path):
    out = tmp_path / "cdk.out"
    artifacts = {
        "App": stack_artifact(out, "App", "App.assets", "Data", "Net"),
        "Data": stack_artifact(out, "Data", "Net"),
        "Net": stack_artifact(out, "Net"),
    }
    add_assembly(out, artifacts)

    assert [stack.name for stack in read(tmp_path).stacks] == ["Net", "Data", "App"]


def test_cdk_stack_may_have_a_name_and_parameters(tmp_path):
    out = tmp_path / "cdk.out"
    template = {"Parameters": {"Size": {"Type": "Number"}}, "Resources": {}}
    artifact = stack_artifact(out, "App", template=template)
    artifact["properties"] |= {"stackName": "mine", "parameters": {"Size": 3}}
    add_assembly(out, {"App": artifact})

    [stack] = read(tmp_path).stacks

    assert (stack.name, stack.parameters) == ("mine", {"Size": "3"})


def test_cdk_is_not_bootstrapped(tmp_path):
    version = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/x"}
    template = {
        "Parameters": {"BootstrapVersion": version},
        "Rules": {"CheckBootstrapVersion": {}},
        "Resources": {},
    }
    out = tmp_path / "cdk.out"
    add_assembly(out, {"App": stack_artifact(out, "App", template=template)})

    [stack] = read(tmp_path).stacks

    assert stack.template == {"Parameters": {}, "Resources": {}}


def test_cdk_account_and_region_are_the_emulators(tmp_path):
    """Whole words of the template; an id that only has the digits in it stays."""
    arn = "arn:aws:sqs:eu-west-1:111122223333:q"
    resources = {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"A": arn, "B": "x1111222233334"}}}
    out, environment = tmp_path / "cdk.out", "aws://111122223333/eu-west-1"
    artifact = stack_artifact(
        out, "App", template={"Resources": resources}, environment=environment
    )
    add_assembly(out, {"App": artifact})

    [stack] = read(tmp_path).stacks

    assert stack.template["Resources"]["Q"]["Properties"] == {
        "A": "arn:aws:sqs:us-east-1:000000000000:q",
        "B": "x1111222233334",
    }


def nested_stage(out, name):
    """Write the assembly of a stage, and return its artifact."""
    folder = f"assembly-{name}"
    add_assembly(out / folder, {f"{name}Chat": stack_artifact(out / folder, f"{name}Chat")})
    return {
        "type": "cdk:cloud-assembly",
        "properties": {"directoryName": folder, "displayName": name},
    }


@pytest.mark.parametrize(
    ("stages", "chosen", "stack"),
    [
        (["Prod"], None, "ProdChat"),
        (["Prod"], "Prod", "ProdChat"),
        (["Dev", "Prod"], "Dev", "DevChat"),
    ],
)
def test_cdk_stages(tmp_path, stages, chosen, stack):
    out = tmp_path / "cdk.out"
    add_assembly(out, {name: nested_stage(out, name) for name in stages})

    assert [one.name for one in read(tmp_path, stage=chosen).stacks] == [stack]


def test_cdk_stages_to_choose_from(tmp_path):
    out = tmp_path / "cdk.out"
    add_assembly(out, {name: nested_stage(out, name) for name in ("Prod", "Dev")})

    assert refusal(tmp_path).endswith("has the stages Dev, Prod: choose one with --cdk-stage NAME")
    assert refusal(tmp_path, stage="Test").endswith("has no stage Test: it has Dev, Prod")


@pytest.mark.parametrize("text", ["{", "[]", '{"artifacts": {}}'])
def test_cdk_without_stacks(tmp_path, text):
    add_assembly(tmp_path / "cdk.out", {})
    (tmp_path / "cdk.out" / "manifest.json").write_text(text)

    assert refusal(tmp_path).endswith("run `cdk synth`")


def test_cdk_code_without_an_asset(tmp_path):
    out = tmp_path / "cdk.out"
    add_assembly(out, {"App": stack_artifact(out, "App", template=SERVERLESS)})

    assert refusal(tmp_path).startswith("Chat has code that ")


@pytest.mark.parametrize("staged", [True, False])
def test_cdk_code_that_is_not_staged_is_watched(tmp_path, staged):
    """As `cdk synth --no-staging` leaves it: the asset is the source itself."""
    out = tmp_path / "cdk.out"
    source = out / "asset.1" if staged else tmp_path / "src"
    add_code(source)
    artifact = stack_artifact(out, "App", "App.assets", template=SERVERLESS)
    add_assembly(
        out,
        {
            "App": artifact,
            "App.assets": {"type": "cdk:asset-manifest", "properties": {"file": "assets.json"}},
        },
    )
    key = SERVERLESS["Resources"]["Chat"]["Properties"]["Code"]["S3Key"]
    asset = {"source": {"path": str(source)}, "destinations": {"here": {"objectKey": key}}}
    (out / "assets.json").write_text(json.dumps({"files": {"1": asset}}))

    project = read(tmp_path)

    [archive] = project.stacks[0].archives.values()
    assert files_of(archive) == ["app.py"]
    assert project.watched == ((out,) if staged else (out, source))
    [note] = project.notes
    assert note == (
        f"the project is run from {out}: run `cdk synth` after a change of "
        + ("a source" if staged else "the app")
    )
