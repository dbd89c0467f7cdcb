"""What does the first message of a cold environment cost: import, handler, message?

CPU time of fresh interpreters after `import awslambdaric.bootstrap`: the function's own imports,
everything it makes at module level, and one `sendAudio` event from start to answer. No store is
asked and nothing is sent. The functions are those of `stacks`, with valid bytecode.
"""

from __future__ import annotations

import json

from _fresh import BENCHMARKS, SITE, Fresh, installed, time_fresh, unpacked_layer
from _harness import Budget, Report, become_lambda, parse_options
from _samples import REQUEST_ID, audio_event

# What a runtime hands over, made of nothing that would load a module for the contenders.
PRELUDE = f"""
import json
event = json.loads({json.dumps(audio_event())!r})
class context:
    aws_request_id = {REQUEST_ID!r}
    function_name, function_version = "audio", "$LATEST"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:audio"
    memory_limit_in_mb = "512"
    log_group_name, log_stream_name = "/aws/lambda/audio", "2026/01/02/[$LATEST]0123456789abcdef"
    tenant_id = identity = client_context = None
    get_remaining_time_in_millis = staticmethod(lambda: 28_000)
"""
QUESTION = "first message of a cold environment"
OURS = {"shared_utils": "shared_utils_handler", "shared_utils modules": "shared_utils_modules"}
PEERS = {
    "powertools, parsed by hand": ("powertools_lean", "aws_lambda_powertools"),
    "powertools + parser": ("powertools_parser", "aws_lambda_powertools"),
    "msgspec + structlog + orjson": ("msgspec_structlog", "msgspec"),
    "standard library by hand": ("by_hand", ""),
}
BUDGETS = [
    Budget("shared_utils", "powertools, parsed by hand", 1 / 5),
    Budget("shared_utils", "powertools + parser", 1 / 25),
]


def first_message(stack: str) -> str:
    return (
        f"from stacks.{stack} import handler\nassert handler(event, context)['statusCode'] == 200"
    )


def main() -> None:
    options = parse_options(__doc__ or "")
    become_lambda()
    report = Report("The first message", options)
    peers, missing = installed(
        {
            name: Fresh(first_message(stack), (BENCHMARKS, SITE), needs=needs, prelude=PRELUDE)
            for name, (stack, needs) in PEERS.items()
        }
    )
    with unpacked_layer(options) as python:
        ours = {
            name: Fresh(first_message(stack), (BENCHMARKS, python), prelude=PRELUDE)
            for name, stack in OURS.items()
        }
        samples, modules = time_fresh({**ours, **peers}, options)
    counts = {name: f"{len(added)} new modules" for name, added in modules.items()}
    report.add(QUESTION, samples, "shared_utils", counts)
    report.check("first message", samples, *BUDGETS)
    report.missing(missing)
    report.print()


if __name__ == "__main__":
    main()
