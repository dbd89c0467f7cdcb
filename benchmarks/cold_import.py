"""What does an import cost a cold start, over what the Lambda runtime has loaded already?

CPU time of fresh interpreters after `import awslambdaric.bootstrap`. Ours comes from the zip that
ships, unpacked read-only with changed file dates; the peers have valid bytecode, which is their
best case. Nobody compiles anything: a run that counts makes sure of it.
"""

from __future__ import annotations

from _fresh import Fresh, installed, public_modules, time_fresh, unpacked_layer
from _harness import Budget, Report, become_lambda, parse_options

QUESTION = "import after the runtime client"
_MODEL = """
class SetVolume(BaseModel):
    action: str
    volumeLevel: float
"""
PEERS = {
    "powertools Logger + Metrics": Fresh(
        "from aws_lambda_powertools import Logger, Metrics", needs="aws_lambda_powertools"
    ),
    "powertools Logger + Metrics + parser, 1 model": Fresh(
        "from aws_lambda_powertools import Logger, Metrics\n"
        "from aws_lambda_powertools.utilities.parser import BaseModel, envelopes, event_parser"
        + _MODEL,
        needs="aws_lambda_powertools",
    ),
    "structlog + orjson": Fresh("import structlog, orjson", needs="structlog"),
    "aws_embedded_metrics": Fresh(
        "from aws_embedded_metrics import metric_scope", needs="aws_embedded_metrics"
    ),
    "pydantic, 1 model": Fresh("from pydantic import BaseModel" + _MODEL, needs="pydantic"),
    "msgspec, 1 struct": Fresh(
        "import msgspec\n\nclass SetVolume(msgspec.Struct):\n    volumeLevel: float",
        needs="msgspec",
    ),
    "boto3 client('apigatewaymanagementapi')": Fresh(
        "import boto3\nboto3.client('apigatewaymanagementapi', endpoint_url='https://example.com')",
        needs="boto3",
    ),
}
_POWERTOOLS = "powertools Logger + Metrics"
BUDGETS = [
    Budget("shared_utils logger", _POWERTOOLS, 1 / 16),
    Budget("shared_utils logger + metrics", _POWERTOOLS, 1 / 12),
    Budget("shared_utils, all public modules", _POWERTOOLS, 1 / 4.5),
    Budget("shared_utils, all public modules", f"{_POWERTOOLS} + parser, 1 model", 1 / 30),
]


def main() -> None:
    options = parse_options(__doc__ or "")
    become_lambda()
    report = Report("A cold import", options)
    peers, missing = installed(PEERS)
    with unpacked_layer(options) as python:
        everything = ", ".join(public_modules(python))
        ours = {
            "shared_utils logger": "from shared_utils import get_structured_logger",
            "shared_utils logger + metrics": (
                "from shared_utils import get_structured_logger, MetricsEmitter"
            ),
            "shared_utils, all public modules": f"import {everything}",
        }
        cases = {name: Fresh(statement, (python,)) for name, statement in ours.items()}
        samples, modules = time_fresh({**cases, **peers}, options)
    counts = {name: f"{len(added)} new modules" for name, added in modules.items()}
    report.add(
        QUESTION, samples, _POWERTOOLS if _POWERTOOLS in peers else "shared_utils logger", counts
    )
    report.check("import", samples, *BUDGETS)
    for name in ours:
        standard = [module for module in modules[name] if not module.startswith("shared_utils")]
        report.notes.append(
            f"{name} adds of the standard library: {', '.join(standard) or 'nothing'}"
        )
    report.notes.append(f"all public modules: {everything}")
    report.missing(missing)
    report.print()


if __name__ == "__main__":
    main()
