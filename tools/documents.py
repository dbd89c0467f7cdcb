"""The parts of documents that follow from the sources.

The picture and the table of functions are made from the rows in `infrastructure/function_specs.py`,
the table of arrows from every import statement, the costs from a message rate and list prices, the tables
of faults and threats from the tests, that of wrong inputs from the rows that a test runs.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import audio_protocol
import fault_table
import guessing
import reliability
import threats
import wrong_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infrastructure.function_specs import FunctionSpec

__all__ = ["arrows", "channels", "costs", "documents", "duration", "functions", "picture", "ratios"]

ROOT = Path(__file__).resolve().parent.parent

# Where code lives, and the names by which it is imported.
FOLDERS = {
    "shared-layer/python": ("shared_utils",),
    "protocol": ("shared_utils_protocol",),
    "functions": ("broadcast", "handlers"),
    "authorizer": (
        *("access_tokens", "handler", "issuer_documents", "issuer_keys", "policies", "refusals"),
        *("token_authorizer", "token_places", "token_settings"),
    ),
    "cdk": ("shared_utils_cdk",),
    "infrastructure": ("infrastructure",),
    "local": ("local",),
    "wslocal": ("wslocal",),
    "layerctl": ("layerctl",),
    "tools": (
        *(
            "tools",
            "audio_protocol",
            "documents",
            "environments",
            "fault_table",
            "guessing",
            "marks",
        ),
        *(
            "page_protocol",
            "planted_secrets",
            "reliability",
            "run_tests",
            "threats",
            "wrong_inputs",
        ),
    ),
    "benchmarks": ("stacks",),
    "fuzz": ("fuzz",),
    "examples": (
        "chat",
        "chat_messages",
        "rooms",
        "quiz",
        "quiz_messages",
        "quizzes",
        "order_api",
        "orders",
    ),
}
# They measure others, so that what they import says nothing of this project.
MEASURING = {"benchmarks"}

# Rows of the root README, and how their row in that of the benchmarks begins; the peer follows.
RATIOS = {
    "importing all of it": "import: shared_utils, all public modules / ",
    "first message of a cold environment": "first message: shared_utils / powertools + ",
    "a line of log, redacted and bounded": "info, 3 bound + 5 fields: shared_utils / ",
    "the same": "info, 3 bound + 5 fields: shared_utils / structlog",
    "an exception": "exception, 6 frames: shared_utils / ",
    "three metrics, written": "3 metrics + 2 dimensions + 3 properties, flushed: shared_utils / ",
    "a whole audio message, each with a line and metrics": "whole audio message, 6,400 bytes: shared_utils / ",
    "the same, against hand-tuned C": "whole audio message, 6,400 bytes: shared_utils / msgspec",
    "bytes of log, an audio message": "log bytes per message, 50/s: shared_utils, default settings / ",
}

_DOCUMENTS = (
    *("README.md", "docs/architecture.md", "docs/local.md", "docs/reliability.md", "docs/scale.md"),
    *("docs/security.md", "functions/README.md", "web/README.md"),
)

CHUNKS_A_SECOND = 10
# US dollars, list prices of us-east-1; docs/scale.md names where each comes from.
A_GATEWAY_MESSAGE = 1.00 / 1_000_000
A_CONNECTION_MINUTE = 0.25 / 1_000_000
AN_INVOCATION = 0.20 / 1_000_000
REQUESTS_A_SECOND = 10_000  # an account's, in one region, over all its APIs
AUDIENCES = (1, 10, 50, 100, 500, 999)
A_GB_SECOND = 0.00001667
SLOW_MS = 50
# Sessions with so many channels, whose interpreters speak all the time, as the speaker does.
NUMBERS_OF_CHANNELS = (0, 1, 3, 10)
CHANNEL_AUDIENCE = 100
CAPTIONS_A_SECOND = 2  # of each sender, as examples/interpreter_program.py sends them
# What the session's item has of a listener and of an interpreter, in KB, and how many KB a second
# DynamoDB lets be written of one item: functions/README.md and functions/broadcast/channels.py.
LISTENER_KB, INTERPRETER_KB = 17 / 500, 0.2
WRITTEN_KB_A_SECOND = 1_000


def documents() -> dict[Path, str]:
    """Return these documents with their generated parts made anew."""
    parts = {
        "picture": picture,
        "arrows": arrows,
        "channels": channels,
        "costs": costs,
        "duration": duration,
        "faults": fault_table.table,
        "functions": functions,
        "ids": guessing.id_table,
        "keys": guessing.key_table,
        "ratios": ratios,
        "reliability": reliability.table,
        "wrong": wrong_inputs.table,
    }
    texts = {ROOT / name: _filled((ROOT / name).read_text(), parts) for name in _DOCUMENTS}
    security = ROOT / "docs/security.md"
    return {**texts, security: threats.filled(texts[security])}


def _filled(text: str, parts: dict[str, Callable[[], str]]) -> str:
    def part(found: re.Match[str]) -> str:
        return f"{found[1]}\n{parts[found[2]]()}\n{found[3]}"

    marks = r"(<!-- (\w+): begin -->)\n.*?(<!-- \2: end -->)"
    return re.sub(marks, part, text, flags=re.DOTALL)


def picture() -> str:
    """Return the system as a Mermaid flowchart: routes, functions, tables and what goes back."""
    function_specs = _function_specs()
    lines = [
        "```mermaid",
        "flowchart LR",
        '    clients(["speaker, interpreters, listeners"]) -- "WebSocket" --> gateway["API Gateway"]',
        '    schedule(["every minute"])',
        '    subgraph functions ["Lambda functions, each with shared_utils"]',
    ]
    for spec in function_specs:
        shown = "<br/>".join([f"<b>{spec.module}</b>", *spec.routes])
        lines.append(f'        {spec.module}["{shown}"]')
    lines.append("    end")
    for spec in function_specs:
        lines.append(f"    {'gateway' if spec.routes else 'schedule'} --> {spec.module}")
    for spec in function_specs:
        for table, actions in spec.tables.items():
            done = ", ".join(action.removesuffix("Item").lower() for action in actions)
            lines.append(f'    {spec.module} -- "{done}" --> {table}[("{table}")]')
    back = sorted({verb for spec in function_specs for verb in spec.connections})
    lines.append(f'    functions -. "{", ".join(back)}" .-> posts["@connections API"]')
    lines.append('    posts -.-> heard(["speaker, interpreters, listeners"])')
    return "\n".join([*lines, "```"])


def _function_specs() -> tuple[FunctionSpec, ...]:
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from infrastructure.function_specs import FUNCTION_SPECS

    return FUNCTION_SPECS


def functions() -> str:
    """Return a table of the functions and what each serves."""
    rows = ["| function | routes |", "| --- | --- |"]
    for spec in _function_specs():
        routes = ", ".join(f"`{route}`" for route in spec.routes)
        rows.append(f"| `{spec.module}` | {routes or 'none: a schedule, every minute'} |")
    return "\n".join(rows)


def arrows() -> str:
    """Return a table of what each folder imports: of ours, and of other people's."""
    rows = ["| folder | imports of ours | libraries |", "| --- | --- | --- |"]
    folder_of = {name: folder for folder, names in FOLDERS.items() for name in names}
    for folder in FOLDERS:
        names = set(_imported(ROOT / folder))
        ours = {f"`{folder_of[name]}`" for name in names if folder_of.get(name, folder) != folder}
        others = {f"`{name}`" for name in names - folder_of.keys() - _own_modules(folder)}
        if folder in MEASURING:
            others = {"the layer's peers"}
        rows.append(f"| `{folder}` | {_listed(ours)} | {_listed(others)} |")
    return "\n".join(rows)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _own_modules(folder: str) -> set[str]:
    return {path.stem for path in (ROOT / folder).rglob("*.py")}


def _imported(folder: Path) -> Iterator[str]:
    """Yield the top-level names that a folder's files import, but for tests and the standard library."""
    for path in folder.rglob("*.py"):
        if _is_test(path.relative_to(ROOT)) or "node_modules" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found = [node.module]
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module":
                found = [str(a.value) for a in node.args if isinstance(a, ast.Constant)]
            else:
                continue
            tops = {name.partition(".")[0] for name in found}
            yield from tops - sys.stdlib_module_names - {"__future__"}


def _is_test(path: Path) -> bool:
    return "tests" in path.parts or path.name == "conftest.py" or path.name.startswith("test_")


def costs() -> str:
    """Return what an hour of one session costs by its audience."""
    rows = [
        "| listeners | messages a second | of the account's requests | connections, $/h | messages, $/h "
        "| invocations, $/h | together, $/h | a listener, $/h |",
        "| ---: " * 8 + "|",
    ]
    for audience in AUDIENCES:
        rate = CHUNKS_A_SECOND * (1 + audience)
        cells, together = _hour(1 + audience, rate, CHUNKS_A_SECOND)
        rows.append(f"| {audience:,} | {cells} | {together / audience:.3f} |")
    return "\n".join(rows)


def _hour(connections: int, rate: float, invocation_rate: float) -> tuple[str, float]:
    """Return the cells of what an hour costs, and its price; rates are a second's."""
    connected = connections * 60 * A_CONNECTION_MINUTE
    messages = rate * 3600 * A_GATEWAY_MESSAGE
    invoked = invocation_rate * 3600 * AN_INVOCATION
    together = connected + messages + invoked
    cells = (
        f"{rate:,.0f} | {rate / REQUESTS_A_SECOND:.1%} | {connected:.4f} "
        f"| {messages:.2f} | {invoked:.4f} | {together:.2f}"
    )
    return cells, together


def channels() -> str:
    """Return what an hour of one session costs by its channels, and what each channel adds."""
    rows = [
        "| channels | messages a second | of the account's requests | connections, $/h | messages, $/h "
        "| invocations, $/h | together, $/h | more than with none |",
        "| ---: " * 8 + "|",
    ]
    none = 0.0
    for has_captions in (False, True):
        for number in NUMBERS_OF_CHANNELS:
            rate, invoked = _rates(number, has_captions=has_captions)
            cells, together = _hour(1 + CHANNEL_AUDIENCE + number, rate, invoked)
            none = none or together
            label = f"{number}, with captions" if has_captions else str(number)
            rows.append(f"| {label} | {cells} | {together / none - 1:.1%} |")
    return "\n".join([*rows, "", _added()])


def _rates(num_channels: int, *, has_captions: bool) -> tuple[float, float]:
    """Return the messages and the invocations of a second.

    Each listener hears one language and reads one; the speaker reads all, interpreters hear the floor.
    """
    beats = num_channels / _limit("interpreterHeartbeatSeconds")
    captions = CAPTIONS_A_SECOND * has_captions
    invoked = (CHUNKS_A_SECOND + captions) * (1 + num_channels) + beats
    posts = CHUNKS_A_SECOND * (CHANNEL_AUDIENCE + num_channels) + beats
    posts += captions * (CHANNEL_AUDIENCE + 1 + num_channels)
    return invoked + posts, invoked


def _added() -> str:
    """Return what one channel adds, and what is written if there are as many as there may be."""
    from infrastructure.settings import LIMITS

    (rate, invoked), (rate_without, invoked_without) = (
        _rates(number, has_captions=False) for number in (1, 0)
    )
    source = (ROOT / "functions/broadcast/channels.py").read_text()
    most = int(re.findall(r"^MAX_INTERPRETERS = ([0-9]+)$", source, re.MULTILINE)[0])
    beats = 1 / _limit("interpreterHeartbeatSeconds")
    audience = int(LIMITS["MAX_LISTENERS_PER_SESSION"])
    size = audience * LISTENER_KB + most * INTERPRETER_KB
    return (
        f"Whatever the audience, a channel adds {rate - rate_without:.1f} messages and "
        f"{invoked - invoked_without:.1f} invocations a second. A session may have {most} interpreters:\n"
        f"their heartbeats write its item {most * beats:.0f} times a second. With {audience} listeners it has "
        f"{size:.0f} KB, which is {most * beats * size:.0f} of the {WRITTEN_KB_A_SECOND:,} KB a second\n"
        "that DynamoDB takes for one item."
    )


def _limit(name: str) -> int:
    """Return a number of the protocol."""
    return next(limit.value for limit in audio_protocol.LIMITS if limit.name == name)


def duration() -> str:
    """Return what an hour of long invocations of the audio function costs."""
    memory_mb = next(spec.memory_mb for spec in _function_specs() if spec.module == "audio")
    seconds = CHUNKS_A_SECOND * 3600 * SLOW_MS / 1000
    dollars = seconds * memory_mb / 1024 * A_GB_SECOND
    return (
        "- **Their time** is [$0.00001667 a GB-second]"
        "(https://docs.aws.amazon.com/whitepapers/latest/how-aws-pricing-works/lambda.html): an audio\n"
        f"  function of {memory_mb:,} MB that takes {SLOW_MS} ms for each chunk costs ${dollars:.3f} an hour."
    )


def ratios() -> str:
    """Return what the layer costs of its peers, as the benchmarks' README has it."""
    lines = (ROOT / "benchmarks/README.md").read_text().splitlines()
    heads = _cells(next(line for line in lines if line.startswith("| what | budget |")))[2:]
    rows = [f"| what | of | {' | '.join(heads)} |", "| --- | --- |" + " ---: |" * len(heads)]
    for name, what in RATIOS.items():
        measures, _, *numbers = _cells(next(line for line in lines if line.startswith(f"| {what}")))
        rows.append(f"| {name} | {measures.rpartition(' / ')[2]} | {' | '.join(numbers)} |")
    return "\n".join(rows)


def _cells(line: str) -> list[str]:
    return [cell.removesuffix(" **missed**") for cell in line.strip("| ").split(" | ")]
