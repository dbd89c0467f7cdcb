"""The parts of documents that follow from the sources.

The picture and the table of functions are made from the rows in `infrastructure/function_specs.py`,
the table of arrows from every import statement, the costs from a message rate and list prices, the tables
of faults and threats from the tests.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import guessing
import reliability
import threats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infrastructure.function_specs import FunctionSpec

__all__ = ["arrows", "costs", "documents", "duration", "functions", "picture", "ratios"]

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
    "infrastructure": ("infrastructure",),
    "local": ("local",),
    "wslocal": ("wslocal",),
    "layerctl": ("layerctl",),
    "tools": (
        *("tools", "audio_protocol", "documents", "environments", "guessing", "marks"),
        *("page_protocol", "planted_secrets", "reliability", "run_tests", "threats"),
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
    "importing all of it, with checked messages": (
        "import: shared_utils, all public modules / powertools Logger + Metrics + "
    ),
    "first message of a cold environment": "first message: shared_utils / powertools + ",
    "a line of log, redacted and bounded": "info, 3 bound + 5 fields: shared_utils / ",
    "the same": "info, 3 bound + 5 fields: shared_utils / structlog",
    "an exception": "exception, 6 frames: shared_utils / ",
    "three metrics, written": "3 metrics + 2 dimensions + 3 properties, flushed: shared_utils / ",
    "a control message, parsed and checked": "setVolume, parse and check: shared_utils / powertools",
    "a whole audio message, each with a line and metrics": "whole audio message, 6,400 bytes: shared_utils / ",
    "the same, against hand-tuned C": "whole audio message, 6,400 bytes: shared_utils / msgspec",
    "as it comes, with a line in a hundred and metrics in windows": (
        "whole audio message, 6,400 bytes: shared_utils, default settings / "
    ),
    "as it comes, against hand-tuned C": (
        "whole audio message, 6,400 bytes: shared_utils, default settings / msgspec"
    ),
    "bytes of log, an audio message": "log bytes per message, 50/s: shared_utils, default settings / ",
}

_DOCUMENTS = (
    *("README.md", "docs/architecture.md", "docs/reliability.md", "docs/scale.md"),
    *("docs/security.md", "functions/README.md"),
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


def documents() -> dict[Path, str]:
    """Return these documents with their generated parts made anew."""
    parts = {
        "picture": picture,
        "arrows": arrows,
        "costs": costs,
        "duration": duration,
        "functions": functions,
        "ids": guessing.id_table,
        "keys": guessing.key_table,
        "ratios": ratios,
        "reliability": reliability.table,
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
        '    clients(["speaker and listeners"]) -- "WebSocket" --> gateway["API Gateway"]',
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
    lines.append('    posts -.-> heard(["speaker and listeners"])')
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
        connected = (1 + audience) * 60 * A_CONNECTION_MINUTE
        messages = rate * 3600 * A_GATEWAY_MESSAGE
        invoked = CHUNKS_A_SECOND * 3600 * AN_INVOCATION
        together = connected + messages + invoked
        rows.append(
            f"| {audience:,} | {rate:,} | {rate / REQUESTS_A_SECOND:.1%} | {connected:.4f} "
            f"| {messages:.2f} | {invoked:.4f} | {together:.2f} | {together / audience:.3f} |"
        )
    return "\n".join(rows)


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
