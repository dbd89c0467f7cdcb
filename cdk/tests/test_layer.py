"""What the construct makes, twice in a stack and in two stacks, and what it refuses."""

import zipfile

import pytest

from .conftest import PYTHON

PINNED = "arn:aws:lambda:eu-west-1:123456789012:layer:Chat_Layer-1:7"


@pytest.fixture
def stack(cdk, zips):
    """A stack, with the layer's zip beside the construct."""
    return cdk.Stack(cdk.App(), "Chat")


@pytest.fixture
def construct(package):
    return package.SharedUtilsLayer


def resources(stack, kind):
    from aws_cdk.assertions import Template

    template = Template.from_stack(stack).to_json()
    found = template.get("Resources", {}).items()
    return {name: one for name, one in found if one["Type"] == f"AWS::{kind}"}


def properties(stack, kind):
    return [one["Properties"] for one in resources(stack, kind).values()]


def test_defaults_twice_in_one_stack_and_in_two_share_no_name(cdk, construct, stack):
    """Nor a parameter, which only one stack of an account can have."""
    other = cdk.Stack(stack.node.root, "News")
    construct(stack, "SharedUtilsLayer")
    construct(stack, "Second")
    construct(other, "SharedUtilsLayer")

    made = [*properties(stack, "Lambda::LayerVersion"), *properties(other, "Lambda::LayerVersion")]
    assert len({one["LayerName"] for one in made}) == 3
    assert made[0]["LayerName"].startswith("Chat-SharedUtilsLayer-")
    assert made[2]["LayerName"].startswith("News-SharedUtilsLayer-")
    assert properties(stack, "SSM::Parameter") == properties(other, "SSM::Parameter") == []


def test_old_versions_are_retained(construct, stack):
    construct(stack, "SharedUtilsLayer")

    [version] = resources(stack, "Lambda::LayerVersion").values()
    assert version["DeletionPolicy"] == version["UpdateReplacePolicy"] == "Retain"


def test_name_is_known_in_a_nested_stack_and_short_enough(cdk, construct, stack):
    nested = cdk.NestedStack(stack, "n" * 150)
    construct(nested, "SharedUtilsLayer")

    [version] = properties(nested, "Lambda::LayerVersion")
    assert version["LayerName"].startswith("Chat-nnn")
    assert 70 < len(version["LayerName"]) <= 77


def test_function_of_any_python_takes_it(cdk, construct, stack):
    """The CDK refuses a function whose runtime is none of the layer's."""
    from aws_cdk import aws_lambda as lambda_

    layer = construct(stack, "SharedUtilsLayer")
    for minor in (11, 12, 13, 14):
        lambda_.Function(
            stack,
            f"F{minor}",
            runtime=getattr(lambda_.Runtime, f"PYTHON_3_{minor}"),
            handler="index.handler",
            code=lambda_.Code.from_inline("def handler(event, context): ..."),
            layers=[layer.version],
        )

    [name] = resources(stack, "Lambda::LayerVersion")
    assert [one["Layers"] for one in properties(stack, "Lambda::Function")] == [[{"Ref": name}]] * 4


def test_parameters_are_where_they_are_asked_for(construct, stack):
    construct(stack, "SharedUtilsLayer", layer_name="chat", parameter_prefix="/chat/layer")

    [name] = resources(stack, "Lambda::LayerVersion")
    assert {one["Name"]: one["Value"] for one in properties(stack, "SSM::Parameter")} == {
        "/chat/layer/arn": {"Ref": name},
        "/chat/layer/version": {"Fn::Select": [7, {"Fn::Split": [":", {"Ref": name}]}]},
    }
    assert properties(stack, "Lambda::LayerVersion")[0]["LayerName"] == "chat"


def test_version_that_is_there_is_taken_and_none_published(construct, stack):
    layer = construct(stack, "SharedUtilsLayer", version_arn=PINNED, parameter_prefix="/chat")

    assert layer.version.layer_version_arn == PINNED
    assert resources(stack, "Lambda::LayerVersion") == {}
    values = {one["Name"]: one["Value"] for one in properties(stack, "SSM::Parameter")}
    assert values == {"/chat/arn": PINNED, "/chat/version": "7"}


def test_version_may_be_one_that_only_the_deployment_knows(cdk, construct, stack):
    layer = construct(stack, "SharedUtilsLayer", version_arn=cdk.Fn.import_value("LayerArn"))

    assert stack.resolve(layer.version.layer_version_arn) == {"Fn::ImportValue": "LayerArn"}


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["text", "path"])
def test_own_zip_is_published(cdk, construct, kind, tmp_path):
    archive = tmp_path / "own.zip"
    with zipfile.ZipFile(archive, "w") as own:
        own.writestr("python/shared_utils/__init__.py", '__version__ = "7.1"\n__build__ = "abc"\n')
    app = cdk.App(outdir=str(tmp_path / "out"))
    stack = cdk.Stack(app, "Chat")
    construct(stack, "SharedUtilsLayer", archive=kind(archive))

    app.synth()

    [asset] = (tmp_path / "out").glob("asset.*.zip")
    [version] = properties(stack, "Lambda::LayerVersion")
    assert asset.read_bytes() == archive.read_bytes()
    assert version["Content"]["S3Key"] == asset.name.removeprefix("asset.")
    assert version["Description"] == "shared_utils 7.1, build abc"


@pytest.mark.parametrize(
    ("arguments", "argument", "wanted"),
    [
        pytest.param(
            {"pythons": "3.13"}, "pythons", "a list such as ['3.13'], got '3.13'", id="text"
        ),
        pytest.param(
            {"pythons": [3.13]}, "pythons", "a list such as ['3.13'], got [3.13]", id="number"
        ),
        pytest.param({"pythons": ["3.99"]}, "pythons", f"of {PYTHON}, which this", id="python"),
        pytest.param({"pythons": 3.13}, "pythons", "['3.13'], got 3.13", id="no-list"),
        pytest.param({"pythons": b"3.13"}, "pythons", "['3.13'], got b'3.13'", id="bytes"),
        pytest.param({"archive": ""}, "archive", "the path of a zip, got ''", id="archive"),
        pytest.param({"archive": 5}, "archive", "the path of a zip, got 5", id="archive-number"),
        pytest.param(
            {"archive": b"x"}, "archive", "the path of a zip, got b'x'", id="archive-bytes"
        ),
        pytest.param({"archive": "none.zip"}, "archive", "none.zip is not there", id="no-archive"),
        pytest.param({"version_arn": ""}, "version_arn", "the ARN of a layer version", id="no-arn"),
        pytest.param(
            {"version_arn": PINNED.removesuffix(":7")}, "version_arn", "with its number", id="arn"
        ),
        pytest.param({"version_arn": 7}, "version_arn", "got '7'", id="arn-number"),
        pytest.param({"layer_name": ""}, "layer_name", "1 to 140 letters", id="no-name"),
        pytest.param({"layer_name": "a" * 141}, "layer_name", "1 to 140 letters", id="long-name"),
        pytest.param({"layer_name": "a b"}, "layer_name", "- or _, got 'a b'", id="name"),
        pytest.param({"layer_name": "a\n"}, "layer_name", "- or _, got", id="newline"),
        pytest.param({"parameter_prefix": "chat"}, "parameter_prefix", "a path such", id="prefix"),
        pytest.param({"parameter_prefix": "/chat/"}, "parameter_prefix", "a path", id="slash"),
        pytest.param({"parameter_prefix": "/AWS/x"}, "parameter_prefix", "a path", id="reserved"),
        pytest.param({"parameter_prefix": "/ssm"}, "parameter_prefix", "a path", id="reserved-all"),
    ],
)
def test_wrong_argument_is_refused_by_name(package, construct, stack, arguments, argument, wanted):
    with pytest.raises(package.LayerArgumentError) as refused:
        construct(stack, "SharedUtilsLayer", **arguments)

    assert refused.value.argument == argument
    assert str(refused.value).startswith(f"{argument} must be ")
    assert wanted in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "argument", "problem"),
    [
        pytest.param(
            {"pythons": ["3.13"], "archive": "a.zip"},
            "archive",
            "takes the place of pythons: give one of them",
            id="two-zips",
        ),
        *(
            pytest.param(
                {name: value, "version_arn": PINNED},
                name,
                "is of a layer that is published, and with version_arn none is",
                id=name,
            )
            for name, value in {"pythons": ["3.13"], "archive": "a.zip", "layer_name": "x"}.items()
        ),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    package, construct, stack, arguments, argument, problem
):
    with pytest.raises(package.LayerArgumentError) as refused:
        construct(stack, "SharedUtilsLayer", **arguments)

    assert refused.value.argument == argument
    assert str(refused.value) == f"{argument} {problem}"


def test_second_layer_with_the_same_parameters_is_refused(cdk, package, construct, stack):
    """Another stack may be of another region, where they are others."""
    construct(stack, "First", parameter_prefix="/chat/layer")
    construct(stack, "Other", parameter_prefix="/chat--layer")
    construct(cdk.Stack(stack.node.root, "News"), "First", parameter_prefix="/chat/layer")

    with pytest.raises(package.LayerArgumentError) as refused:
        construct(stack, "Second", parameter_prefix="/chat/layer")

    assert refused.value.argument == "parameter_prefix"
    assert str(refused.value) == (
        "parameter_prefix must be one that no other layer of the stack has, got '/chat/layer'"
    )


def test_pythons_may_be_what_can_be_read_once(package, construct, stack, monkeypatch):
    """Such as a generator: what is asked for is in the zip that is published."""
    asked = []
    bundled = package.layer.bundled_archive
    monkeypatch.setattr(
        package.layer, "bundled_archive", lambda pythons: asked.append(pythons) or bundled(pythons)
    )

    construct(stack, "SharedUtilsLayer", pythons=(python for python in [PYTHON]))

    assert asked == [(PYTHON,)]


def test_none_is_the_default_of_each_argument(construct, stack):
    """As `try_get_context` returns it."""
    names = ("pythons", "archive", "version_arn", "layer_name", "parameter_prefix")

    construct(stack, "SharedUtilsLayer", **dict.fromkeys(names))

    [version] = properties(stack, "Lambda::LayerVersion")
    assert version["LayerName"].startswith("Chat-SharedUtilsLayer-")


def test_given_name_may_be_as_long_as_lambda_takes_it(construct, stack):
    construct(stack, "SharedUtilsLayer", layer_name="a" * 140)

    [version] = properties(stack, "Lambda::LayerVersion")
    assert version["LayerName"] == "a" * 140
