"""Records a release: `python -m tests.upgrade tests/upgrade/0.1.0 shared-layer.zip`."""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "shared-layer" / "python"))

from tests.upgrade.events import EVENTS
from tests.upgrade.recording import answers_of, interface_of
from wslocal import unpack_layer


def main(folder: Path, archive: Path) -> None:
    """Write `interface.json` and `answers.json` of the zip's layer; the functions are there already."""
    with tempfile.TemporaryDirectory() as temporary:
        layer = unpack_layer(archive, Path(temporary, "opt"))
        recorded = {
            "interface": interface_of(layer),
            "answers": answers_of(layer, folder / "functions", EVENTS),
        }
    for name, content in recorded.items():
        (folder / f"{name}.json").write_text(in_rows(content))


def in_rows(content) -> str:
    """Return JSON with a row for each member of a member, so that a difference is one row."""
    parts = []
    for name, part in content.items():
        if isinstance(part, dict):
            rows = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in part.items()]
            parts.append(f"{json.dumps(name)}: {{\n" + ",\n".join(rows) + "\n}")
        elif isinstance(part, list):
            parts.append(f"{json.dumps(name)}: [\n" + ",\n".join(map(json.dumps, part)) + "\n]")
        else:
            parts.append(f"{json.dumps(name)}: {json.dumps(part)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
