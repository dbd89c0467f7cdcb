"""What is played, left out or refused: rows that name the tests that show them, and that the README shows.

`python -m wslocal.tests.played` writes them there.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- played: begin -->\n", "<!-- played: end -->\n"


class Row(NamedTuple):
    """A thing, what becomes of it here, and the tests that show so: a file, `::`, a function, `[id]` perhaps."""

    what: str
    here: str
    tests: tuple[str, ...]


def _project(name: str) -> str:
    return f"test_projects.py::test_project_runs_unchanged_and_a_change_is_live_on_the_same_connections[{name}]"


_FIT, _EVENTS, _NAMES = (
    "test_sources_fit.py",
    "test_conformance_events.py",
    "test_conformance_names.py",
)

ROWS = (
    Row(
        "SAM: a template, what `sam build` made of it, `AWS::Serverless::WebSocketApi`",
        "played, with SAM's own translator",
        (_project("sam_python"), _project("sam_websocket_api")),
    ),
    Row("CloudFormation, JSON or YAML", "played", (_project("cloudformation_plain"),)),
    Row(
        "CDK: a `cdk.out`, several stacks",
        "played",
        ("test_projects.py::test_cdk_app_of_two_stacks",),
    ),
    Row(
        "Serverless Framework: a `.serverless`",
        "played",
        ("test_projects.py::test_service_of_the_serverless_framework_asks_its_authorizer",),
    ),
    Row("several WebSocket APIs", "played: `--api NAME`, `--api all`", (_project("two_apis"),)),
    Row(
        "`wss://`",
        "played, with a certificate of the run",
        (
            "test_testing.py::test_wss_is_trusted_with_the_certificate_of_the_run",
            "test_clients.py::test_node_that_trusts_the_authority",
        ),
    ),
    Row(
        "callbacks to `https://{domainName}/{stage}`, or to the API's address from the template",
        "played: AWS's names lead to this machine",
        (_project("callback_styles"),),
    ),
    Row(
        "custom domains and API mappings",
        "played",
        (_project("custom_domain"), f"{_NAMES}::test_mapping_key"),
    ),
    Row(
        "REQUEST authorizers",
        "played",
        ("test_projects.py::test_service_of_the_serverless_framework_asks_its_authorizer",),
    ),
    Row(
        "API keys and usage plans",
        "played",
        ("test_conformance_routes.py::test_key", "test_conformance_routes.py::test_throttled_key"),
    ),
    Row("route responses", "played", (_project("cloudformation_plain"),)),
    Row(
        "Python functions, each in the version that it asks for",
        "played, if this machine has it; else `--any-python`",
        (
            _project("sam_python"),
            "test_runtimes.py::test_python_function_sees_what_lambda_has_and_nothing_of_the_tool",
        ),
    ),
    Row(
        "Node functions",
        "played, by a small loop in place of AWS's runtime client; else `--any-node`",
        (_project("sam_node"),),
    ),
    Row(
        "layers, aliases, versions",
        "played",
        (_project("layer"), "test_conformance_routes.py::test_alias"),
    ),
    Row(
        "memory, timeout, reserved concurrency",
        "played",
        ("test_conformance.py::test_reserved_concurrency",),
    ),
    Row("functions that invoke functions", "played", (_project("functions_invoke_functions"),)),
    Row(
        "asynchronous invocations, retries, destinations, dead-letter queues",
        "played; `--retry-scale` shortens the waits",
        (f"{_EVENTS}::test_two_retries", f"{_EVENTS}::test_dead_letter_queue"),
    ),
    Row("SQS queues", "played", (_project("sqs"),)),
    Row("DynamoDB streams", "played", (_project("dynamodb_stream"),)),
    Row(
        "schedules `rate(...)`",
        "played",
        ("test_project_events.py::test_schedule_invokes_its_function",),
    ),
    Row(
        "DynamoDB, S3, SQS, SNS, SSM, Secrets Manager and others",
        "as [ministack](https://pypi.org/project/ministack/) plays them",
        (f"{_FIT}::test_types_are_those_that_the_emulator_has",),
    ),
    Row(
        "HTTP and REST APIs, GraphQL APIs, URLs of functions",
        "left out, by name",
        (f"{_FIT}::test_other_apis_are_deployed_and_listed",),
    ),
    Row(
        "types that the emulator does not know, such as CloudFront",
        "left out, by name",
        (f"{_FIT}::test_unknown_types_go_with_what_serves_them",),
    ),
    Row(
        "what needs containers, such as RDS",
        "left out, by name",
        (f"{_FIT}::test_what_the_emulator_would_do_badly",),
    ),
    Row(
        "custom resources of the CDK",
        "left out, by name",
        (f"{_FIT}::test_custom_resources_of_the_cdk_go_with_their_function",),
    ),
    Row(
        "VPCs of functions",
        "the function runs in this machine's network",
        (f"{_FIT}::test_networks_of_functions_do_not_count",),
    ),
    Row(
        "container images, other runtimes than Python's and Node's",
        "refused",
        (f"{_FIT}::test_functions_refused",),
    ),
    Row(
        "integrations other than AWS_PROXY to a function, IAM authorization, request models",
        "refused",
        (f"{_FIT}::test_api_parts_refused",),
    ),
    Row(
        "schedules `cron(...)`",
        "left out, by name",
        (
            f"{_FIT}::test_schedules_of_a_clock_are_left_out_by_name",
            "test_project_events.py::test_schedule_of_a_clock_is_left_out_and_the_rest_runs",
        ),
    ),
    Row(
        "other event sources, such as Kinesis; tumbling windows",
        "refused",
        (f"{_FIT}::test_what_invokes_functions_otherwise",),
    ),
)


def table() -> str:
    """Return the rows as Markdown."""
    rows = [
        f"| {row.what} | {row.here} | {', '.join(dict.fromkeys(map(_link, row.tests)))} |"
        for row in ROWS
    ]
    return "\n".join(["| what | here | shown by |", "| --- | --- | --- |", *rows]) + "\n"


def _link(test: str) -> str:
    file = test.partition("::")[0]
    return f"[{file.removeprefix('test_').removesuffix('.py')}](tests/{file})"


def replaced(document: str, rows: str) -> str:
    """Return a document with these rows between its marks."""
    head, _, rest = document.partition(BEGIN)
    return head + BEGIN + rows + END + rest.partition(END)[2]


if __name__ == "__main__":
    README.write_text(replaced(README.read_text(), table()))
