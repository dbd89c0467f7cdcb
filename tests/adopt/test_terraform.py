"""The Terraform project: its format, its names and references, and the function as it describes it."""

import json
import os
import re
import shutil
import subprocess

import botocore.session
import hcl2
import pytest
from botocore import xform_name

from tests.adopt.project import (
    ADOPT,
    NEXT,
    VERSION,
    copied,
    exchange,
    layer_version,
    replace_version,
    run,
    shown,
)
from tests.adopt.served import deploy, served

pytestmark = pytest.mark.slow

MAIN = ADOPT / "terraform" / "main.tf"
# Of each type of resource, the operation of AWS's API whose parameters its attributes are.
OPERATIONS = {
    "aws_lambda_layer_version": ("lambda", "PublishLayerVersion"),
    "aws_lambda_function": ("lambda", "CreateFunction"),
    "aws_lambda_permission": ("lambda", "AddPermission"),
    "aws_cloudwatch_log_group": ("logs", "PutRetentionPolicy"),
    "aws_iam_role": ("iam", "CreateRole"),
    "aws_iam_role_policy": ("iam", "PutRolePolicy"),
    "aws_apigatewayv2_api": ("apigatewayv2", "CreateApi"),
    "aws_apigatewayv2_integration": ("apigatewayv2", "CreateIntegration"),
    "aws_apigatewayv2_route": ("apigatewayv2", "CreateRoute"),
    "aws_apigatewayv2_stage": ("apigatewayv2", "CreateStage"),
}
# Terraform's own, and what it calls otherwise than the API, by its documentation:
# https://registry.terraform.io/providers/hashicorp/aws/latest/docs
OWN = {
    *("filename", "source_code_hash", "skip_destroy", "depends_on", "for_each"),
    *("name_prefix", "name", "assume_role_policy", "policy", "role"),
}
# What the provider makes known of a resource, of what is used here; the same documentation.
EXPORTED = {
    "aws_lambda_layer_version": {"arn"},
    "aws_lambda_function": {"invoke_arn"},
    "aws_cloudwatch_log_group": {"arn"},
    "aws_iam_role": {"arn", "id"},
    "aws_apigatewayv2_api": {"execution_arn", "id"},
    "aws_apigatewayv2_integration": {"id"},
    "aws_apigatewayv2_stage": {"execution_arn", "invoke_url"},
}


def parsed(text):
    """Return the resources by type and name, without the quotes and marks of the parser."""
    found = {}
    for row in plain(hcl2.loads(text))["resource"]:
        for kind, named in row.items():
            found.setdefault(kind, {}).update(named)
    return found


def plain(value):
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items() if not k.startswith("__")}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, str):
        return value.removeprefix('"').removesuffix('"')
    return value


RESOURCES = parsed(MAIN.read_text())


def only(kind):
    """Return the one resource of a type."""
    [resource] = RESOURCES[kind].values()
    return resource


# --- the file -------------------------------------------------------------------------------------


def references():
    return sorted(set(re.findall(r"\b(aws_\w+)\.(\w+)\.(\w+)", MAIN.read_text())))


@pytest.mark.parametrize(("kind", "name", "attribute"), references())
def test_reference_leads_to_an_attribute_of_a_resource(kind, name, attribute):
    assert name in RESOURCES[kind]
    assert attribute in RESOURCES[kind][name] or attribute in EXPORTED[kind]


@pytest.mark.parametrize("kind", RESOURCES)
def test_attributes_are_those_of_the_api(kind):
    service, operation = OPERATIONS[kind]
    model = botocore.session.Session().get_service_model(service).operation_model(operation)

    known = {xform_name(name) for name in model.input_shape.members}

    for resource in RESOURCES[kind].values():
        assert set(resource) <= known | OWN


def test_old_versions_of_the_layer_are_kept():
    assert only("aws_lambda_layer_version")["skip_destroy"] is True


def test_every_route_leads_to_the_function_which_lets_the_api_call_it():
    api = "${aws_apigatewayv2_api.notes.id}"
    route, integration = only("aws_apigatewayv2_route"), only("aws_apigatewayv2_integration")
    permission = only("aws_lambda_permission")

    assert route["target"] == "integrations/${aws_apigatewayv2_integration.notes.id}"
    assert integration["integration_uri"] == "${aws_lambda_function.notes.invoke_arn}"
    assert integration["integration_type"] == "AWS_PROXY"
    assert permission["function_name"] == "${aws_lambda_function.notes.function_name}"
    assert permission["source_arn"] == "${aws_apigatewayv2_api.notes.execution_arn}/*"
    assert {part["api_id"] for part in (route, integration, only("aws_apigatewayv2_stage"))} == {
        api
    }


def test_function_has_the_layer_and_the_role_that_may_post():
    function = only("aws_lambda_function")

    assert function["layers"] == ["${aws_lambda_layer_version.shared_utils.arn}"]
    assert function["role"] == "${aws_iam_role.notes.arn}"
    [post] = [row for row in statements() if row["Action"] == "execute-api:ManageConnections"]
    assert post["Resource"] == "${aws_apigatewayv2_stage.live.execution_arn}/POST/@connections/*"


def statements():
    """Return the statements of the role's policy."""
    written = only("aws_iam_role_policy")["policy"]
    written = written.removeprefix("${jsonencode(").removesuffix(")}")
    return json.loads(re.sub(r"(\w+) = ", r'"\1": ', written))["Statement"]


# --- Terraform itself -----------------------------------------------------------------------------


@pytest.fixture
def terraform():
    if shutil.which("terraform") is None:
        pytest.skip("no Terraform here")
    return "terraform"


@pytest.mark.long
def test_format_is_terraforms(terraform):
    done = subprocess.run([terraform, "fmt", "-check", "-diff", MAIN.parent], check=False)

    assert done.returncode == 0


@pytest.mark.long
def test_configuration_is_valid(terraform, dist, tmp_path):
    providers = os.environ.get("TF_PLUGIN_CACHE_DIR")
    if not providers:
        pytest.skip("no Terraform providers here")
    project = copied("terraform", dist, tmp_path / "notes")

    run(terraform, "init", "-backend=false", f"-plugin-dir={providers}", cwd=project)

    assert "valid" in run(terraform, "validate", cwd=project)


# --- the function ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [VERSION, NEXT])
def test_function_answers_as_the_readme_shows(dist, emulator, tmp_path, version):
    project = copied("terraform", dist, tmp_path / "notes")
    replace_version(project / "main.tf", VERSION, version)
    [layer] = re.findall(r"path\.module}/(dist/\S+\.zip)", (project / "main.tf").read_text())
    archive = shutil.make_archive(str(tmp_path / "function"), "zip", project / "function")
    api_id = deploy(
        emulator,
        f"notes-{version.replace('.', '-')}",
        tmp_path / archive,
        handler=only("aws_lambda_function")["handler"],
        layers=[project / layer],
        routes=re.findall(r'"([^"]+)"', only("aws_apigatewayv2_route")["for_each"]),
    )

    with served(emulator, api_id, "dev", tmp_path) as api, api.connect() as client:
        assert exchange(client, "terraform") == shown("terraform")

        assert layer_version(api.wait_for_line('"layerVersion"')) == version
