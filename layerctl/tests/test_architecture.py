"""layerctl imports nothing of ours, so the folder works wherever it is copied."""

import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent
OURS = {path.name.removesuffix(".py") for path in FOLDER.parent.iterdir()} | {"shared_utils"}

LOADED = """
import sys
import layerctl.__main__
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def copy(folder):
    shutil.copytree(FOLDER, folder / "layerctl", ignore=shutil.ignore_patterns("tests"))


def run(*command, cwd):
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, check=True
    ).stdout


def test_copy_elsewhere_loads_nothing_of_ours(tmp_path):
    copy(tmp_path)

    loaded = set(run("-c", LOADED, cwd=tmp_path).split())

    assert loaded >= {"layerctl", "boto3", "click", "rich"}
    assert loaded & OURS == {"layerctl"}


def test_copy_elsewhere_runs(tmp_path):
    copy(tmp_path)

    output = run("-m", "layerctl", "--help", cwd=tmp_path)

    for command in ("publish", "versions", "attach", "rollback", "doctor"):
        assert f"\n  {command} " in output


def test_only_a_few_files_talk_to_aws():
    """Planning and checking take values; `_client` and the clients' names are for the others."""
    talkers = {"aws", "versions", "fleet", "parameters", "ownership"}

    talking = {
        path.stem
        for path in FOLDER.glob("*.py")
        if any(
            f"aws.{client}." in path.read_text() for client in ("functions", "parameters", "stacks")
        )
    }

    assert talking == talkers - {"aws"}
